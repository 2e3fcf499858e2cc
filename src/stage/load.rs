//! Loading: row buffers into the staging tables, one connection for each target and lane.
//!
//! One COPY carries one partition: the server reports an error only at the end of a COPY, so what one
//! carries is bounded. The quarantine's COPY is opened with the first reject, and most partitions of a
//! clean table open none.

use futures::future::try_join_all;

use crate::error::Result;
use crate::name::TableName;
use crate::pg::{Database, Loader, Session, sql};
use crate::pgcopy::RowBuffer;
use crate::transform::Program;
use crate::transform::output::{Output, REJECT_COLUMNS};

/// The connections of one lane to the target.
pub struct LoadLane {
    targets: Vec<Session>,
    rejects: Session,
    statements: Statements,
}

struct Statements {
    targets: Vec<String>,
    rejects: String,
}

/// The COPYs of one partition.
pub struct PartitionLoad<'a> {
    lane: &'a LoadLane,
    targets: Vec<Loader>,
    rejects: Option<Loader>,
}

impl LoadLane {
    /// Opens the connections.
    pub async fn connect(
        target: &Database,
        entity: &str,
        program: &Program,
        staging: &[TableName],
        rejects: &TableName,
    ) -> Result<Self> {
        let purpose = format!("load {entity}");
        let sessions = program.targets().iter().map(|_| target.connect(&purpose));
        let targets = try_join_all(sessions).await?;
        let rejects_session = target.connect(&purpose).await?;
        let statements = Statements {
            targets: staging
                .iter()
                .zip(program.targets())
                .map(|(table, target)| {
                    sql::copy_into(table, target.columns().iter().map(|column| &column.name))
                })
                .collect(),
            rejects: sql::copy_into(rejects, REJECT_COLUMNS.iter().map(|(name, _)| name)),
        };
        for session in targets.iter().chain([&rejects_session]) {
            // Staging is thrown away with the run: its commits need not reach the disk.
            session.batch("SET synchronous_commit = off").await?;
        }
        Ok(Self { targets, rejects: rejects_session, statements })
    }

    /// Starts the COPYs of a partition.
    pub async fn open(&self) -> Result<PartitionLoad<'_>> {
        let opening = self
            .targets
            .iter()
            .zip(&self.statements.targets)
            .map(|(session, sql)| Loader::open(session, sql));
        let targets = try_join_all(opening).await?;
        Ok(PartitionLoad { lane: self, targets, rejects: None })
    }
}

impl PartitionLoad<'_> {
    /// Sends the rows of an output; its buffers are empty afterwards. Returns the bytes sent.
    pub async fn send(&mut self, output: &mut Output) -> Result<u64> {
        let mut bytes = 0;
        for (loader, rows) in self.targets.iter_mut().zip(&mut output.targets) {
            bytes += rows.len() as u64;
            loader.send(std::mem::take(rows)).await?;
        }
        let rejects = std::mem::take(&mut output.rejects);
        bytes += rejects.len() as u64;
        self.send_rejects(rejects).await?;
        Ok(bytes)
    }

    async fn send_rejects(&mut self, rejects: RowBuffer) -> Result<()> {
        if rejects.is_empty() {
            return Ok(());
        }
        if self.rejects.is_none() {
            self.rejects = Some(Loader::open(&self.lane.rejects, &self.lane.statements.rejects).await?);
        }
        match &mut self.rejects {
            Some(loader) => loader.send(rejects).await,
            None => Ok(()),
        }
    }

    /// Ends the COPYs: only now the server has taken the rows, and as many as were sent.
    pub async fn finish(self) -> Result<()> {
        try_join_all(self.targets.into_iter().chain(self.rejects).map(Loader::finish)).await?;
        Ok(())
    }
}
