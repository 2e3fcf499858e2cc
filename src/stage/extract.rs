//! Reading V1: one exported snapshot for a whole run, and partitions of each table under it.
//!
//! The exporter opens a read-only REPEATABLE READ transaction and keeps it open until the run has read
//! everything; each reader imports its snapshot as its very first statement. So all readers, and all
//! entities of a run, see one instant of V1, whatever is written to it meanwhile.

use crate::error::{Error, Result};
use crate::partition::{self, IdRange, Partition};
use crate::pg::{BatchStream, Database, Session, TableInfo, sql};
use crate::spec::model::SourceSpec;

/// How many bytes a batch holds: enough that a message to another thread costs nothing beside it, and
/// little enough that a dozen in flight do not show in the memory of the process.
pub const BATCH_BYTES: usize = 256 << 10;

/// How many blocks are looked at to learn where the ids of a table lie: some milliseconds.
const SAMPLE_BLOCKS: f64 = 300.0;

/// The transaction that exports the snapshot of a run.
pub struct SourceSnapshot {
    exporter: Session,
    id: String,
}

/// The source table of an entity, as the server describes it.
#[derive(Debug)]
pub struct SourceTable {
    info: TableInfo,
    id: String,
    document: String,
    /// Whether the server itself promises that no id stands twice.
    pub unique_id: bool,
}

impl SourceSnapshot {
    /// Opens the exporting transaction.
    pub async fn export(source: &Database) -> Result<Self> {
        let exporter = source.connect("snapshot").await?;
        exporter.batch("BEGIN ISOLATION LEVEL REPEATABLE READ, READ ONLY").await?;
        let id = exporter.query_one("SELECT pg_export_snapshot()", &[]).await?.get(0);
        Ok(Self { exporter, id })
    }

    /// The session that holds it, for short queries.
    pub fn session(&self) -> &Session {
        &self.exporter
    }

    /// What it sees, as text: a `pg_snapshot`.
    pub async fn visible(&self) -> Result<String> {
        Ok(self.exporter.query_one("SELECT pg_current_snapshot()::text", &[]).await?.get(0))
    }

    /// Opens a reader that sees the same instant.
    pub async fn reader(&self, source: &Database, purpose: &str) -> Result<Session> {
        let session = source.connect(purpose).await?;
        // A snapshot's id is made of hexadecimal digits and dashes; it cannot be a parameter here.
        let import = format!(
            "BEGIN ISOLATION LEVEL REPEATABLE READ, READ ONLY; SET TRANSACTION SNAPSHOT '{}'; \
             SET LOCAL max_parallel_workers_per_gather = 0",
            self.id
        );
        session.batch(&import).await.map_err(|error| {
            error.context("importing the snapshot of the run").hint(
                "a pooler in transaction mode or a load balancer between here and the server breaks \
                 snapshots; connect to the server itself",
            )
        })?;
        Ok(session)
    }
}

impl SourceTable {
    /// Describes the source of an entity; checks that it has the two columns of a V1 table.
    pub async fn read(session: &Session, spec: &SourceSpec) -> Result<Self> {
        let info = TableInfo::read(session, &spec.table).await?.ok_or_else(|| {
            Error::stop(format!("the source has no table {}", spec.table))
                .detail("it is not there, or the role may not see its schema")
                .hint("check --source and the search path, or name the table with its schema in the pipeline")
        })?;
        for (column, types) in
            [(&spec.id, &["bigint", "integer", "smallint"][..]), (&spec.document, &["jsonb"][..])]
        {
            match info.column(column).map(|found| found.type_name.as_str()) {
                None => {
                    return Err(Error::stop(format!(
                        "the source table {} has no column {column}",
                        spec.table
                    ))
                    .hint("name its columns in the pipeline: source = { table = …, id = …, document = … }"));
                }
                Some(found) if !types.contains(&found) => {
                    return Err(Error::stop(format!("{}.{column} has the type {found}", spec.table))
                        .detail(format!("a source needs {} there", types.join(" or ")))
                        .hint("let the pipeline read a view that casts the column"));
                }
                Some(_) => {}
            }
        }
        let unique_id = info.is_unique(std::slice::from_ref(&spec.id));
        Ok(Self { info, id: spec.id.clone(), document: spec.document.clone(), unique_id })
    }

    /// What the server says of the table.
    pub fn info(&self) -> &TableInfo {
        &self.info
    }

    /// Its rows, or those with some ids, as a session sees them.
    pub async fn count(&self, session: &Session, ids: Option<&[i64]>) -> Result<u64> {
        let partitions = ids.map_or_else(|| vec![Partition::Whole], partition::of_ids);
        let mut rows = 0;
        for partition in &partitions {
            rows += session.count(&sql::count_partition(&self.info.name, &self.id, partition), &[]).await?;
        }
        Ok(rows)
    }

    /// Its partitions for a number of readers; of the rows with some ids alone, where there are any.
    pub fn partitions(&self, readers: usize, ids: Option<&[i64]>) -> Vec<Partition> {
        match ids {
            Some(ids) => partition::of_ids(ids),
            None if self.info.has_ctid => partition::plan(self.info.blocks, self.info.bytes, readers),
            None => vec![Partition::Whole],
        }
    }

    /// Whether an index gives its rows in the order of their ids, each id once.
    pub fn is_ordered(&self) -> bool {
        self.info.is_plain && self.unique_id
    }

    /// Ranges of ids for a number of readers, at most `most` of them, which hold every integer together.
    pub async fn ranges(&self, snapshot: &SourceSnapshot, readers: usize, most: u64) -> Result<Vec<IdRange>> {
        let percent = (SAMPLE_BLOCKS * 100.0 / self.info.blocks.max(1) as f64).min(100.0);
        let rows = snapshot.exporter.query(&sql::sample_ids(&self.info.name, &self.id, percent), &[]).await?;
        let mut sample: Vec<i64> = rows.iter().map(|row| row.get(0)).collect();
        sample.sort_unstable();
        Ok(partition::ranges(&sample, self.info.blocks, self.info.bytes, readers, most))
    }

    /// Starts reading a partition: tuples of id and document.
    pub async fn open(&self, reader: &Session, partition: &Partition) -> Result<BatchStream> {
        let sql = sql::copy_documents(&self.info.name, &self.id, &self.document, partition);
        BatchStream::open(reader, &sql, 2, BATCH_BYTES).await
    }
}
