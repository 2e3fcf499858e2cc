//! Where the bench plays: V1, V2, their images, and how V2 is made ready for the next contender.
//!
//! Nothing here is timed. Statements that do not depend on one another run over as many sessions as
//! cores.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, PoisonError};

use tokio::task::JoinSet;

use super::contender::Scenario;
use super::image::{Image, SCHEMA, Target};
use super::source::{Documents, documents};
use crate::error::{Error, Result};
use crate::name::{TableName, quote};
use crate::partition::{self, Partition};
use crate::pg::{Database, Session};
use crate::plan;
use crate::spec::model::PipelineSpec;
use crate::sqlgen::CopiedColumn;

/// Memory of the sessions that prepare and compare.
const WORK_MEM: &str = "256MB";

/// One entity.
pub struct Entity {
    /// Its pipeline.
    pub spec: PipelineSpec,
    /// V1, with its schema.
    pub source: TableName,
    /// Blocks of V1.
    pub blocks: u64,
    /// Bytes of V1 with its TOAST table.
    pub bytes: u64,
    /// What its documents are like.
    pub documents: Documents,
}

/// Both databases and all that was prepared in them.
pub struct World {
    /// V1 and V2: SQL needs both in one.
    pub database: Database,
    /// Sessions at a time.
    pub cores: usize,
    /// In the order of the report.
    pub entities: Vec<Entity>,
    /// The targets of all entities.
    pub targets: Vec<Target>,
    /// Whether the server knows MERGE.
    pub has_merge: bool,
    /// For what nothing else runs beside.
    pub session: Session,
    /// Whether tables may be kept from being vacuumed at a moment of the server's choice.
    own_server: bool,
    /// Whether CHECKPOINT is allowed.
    pub(super) checkpoints: bool,
    /// What V2 was prepared for last.
    pub(super) state: Option<Scenario>,
}

impl World {
    /// Looks at V1 and V2.
    ///
    /// # Errors
    /// Where the pipelines do not fit, or a target holds rows: a bench empties the targets.
    pub async fn open(
        database: &Database,
        specs: &[PipelineSpec],
        cores: usize,
        own_server: bool,
    ) -> Result<Self> {
        for (spec, target) in specs.iter().flat_map(|spec| spec.targets.iter().map(move |one| (spec, one))) {
            if target.explode.is_some() {
                return Err(Error::usage(format!("{} has a row for each element of an array", target.name))
                    .detail("bench measures targets with a row for each document")
                    .hint(format!("leave out {}, or take the target out of its pipeline", spec.entity)));
            }
        }
        let plans = plan::plan(database, database, specs, false).await?;
        let session = database.connect("bench").await?;
        session.batch(&format!("SET work_mem = '{WORK_MEM}'")).await?;
        let mut entities = Vec::new();
        let mut targets: Vec<Target> = Vec::new();
        for (plan, spec) in plans.iter().zip(specs) {
            let all = spec.targets.iter().map(|target| (target, None));
            let derived = spec.derived.iter().map(|derived| (&derived.target, Some(derived.clone())));
            for (published, (target, derived)) in plan.targets.iter().zip(all.chain(derived)) {
                targets.push(Target {
                    entity: entities.len(),
                    spec: target.clone(),
                    derived,
                    columns: copied_columns(&session, published.info.oid).await?,
                    info: published.info.clone(),
                    key_is_id: published.key_is_own,
                    number: targets.len(),
                });
            }
            let info = plan.source.info();
            entities.push(Entity {
                spec: spec.clone(),
                source: info.name.clone(),
                blocks: info.blocks,
                bytes: info.bytes,
                documents: documents(&session, spec, &info.name).await?,
            });
        }
        for target in &targets {
            let rows = session.query(&format!("SELECT FROM {} LIMIT 1", target.table()), &[]).await?;
            if !rows.is_empty() {
                return Err(Error::stop(format!("the target {} holds rows", target.info.name))
                    .detail("a bench empties its targets before each run; nothing was changed")
                    .hint("give it a database of its own, or leave out --source and --target"));
            }
        }
        let version: i32 =
            session.query_one("SELECT current_setting('server_version_num')::int", &[]).await?.get(0);
        let checkpoints = session.batch("CHECKPOINT").await.is_ok();
        let has_merge = version >= 150_000;
        let database = database.clone();
        Ok(Self {
            database,
            cores,
            entities,
            targets,
            has_merge,
            session,
            own_server,
            checkpoints,
            state: None,
        })
    }

    /// Makes the images of what V1 says, and chooses the ids of the backfill.
    pub async fn make_images(&mut self) -> Result<()> {
        self.session
            .batch(&format!("DROP SCHEMA IF EXISTS {0} CASCADE; CREATE SCHEMA {0}", quote(SCHEMA)))
            .await?;
        let mut creates: Vec<String> =
            self.targets.iter().map(|target| target.create_image(Image::Base)).collect();
        if self.own_server {
            // Each prepares and vacuums at moments of its own choice; nobody pays for another's dirt.
            let off = "SET (autovacuum_enabled = off)";
            creates.extend(self.targets.iter().map(|target| format!("ALTER TABLE {} {off}", target.table())));
            let off = "SET (autovacuum_enabled = off, toast.autovacuum_enabled = off)";
            let sources = self.entities.iter().map(|entity| entity.source.quoted());
            creates.extend(sources.map(|source| format!("ALTER TABLE {source} {off}")));
        }
        self.session.batch(&creates.join("; ")).await?;
        let mut fills = Vec::new();
        for target in &self.targets {
            let entity = &self.entities[target.entity];
            for condition in self.parts(entity, target.derived.is_some()) {
                let fill =
                    target.fill_image(Image::Base, &entity.spec, &entity.source, condition.as_deref())?;
                fills.push(vec![fill]);
            }
        }
        self.all(fills).await?;
        self.all(self.targets.iter().map(|target| target.finish_image(Image::Base)).collect()).await?;
        for index in 0..self.entities.len() {
            self.choose_backfill(index).await?;
        }
        Ok(())
    }

    /// Conditions that cut V1 into parts; one for all of it where it cannot be cut.
    fn parts(&self, entity: &Entity, whole: bool) -> Vec<Option<String>> {
        if whole || entity.blocks == 0 {
            return vec![None];
        }
        let parts = partition::plan(entity.blocks, 0, self.cores);
        parts.iter().map(block_condition).collect()
    }

    /// Runs lists of statements, as many at a time as there are cores.
    pub async fn all(&self, tasks: Vec<Vec<String>>) -> Result<()> {
        self.each(tasks, |session, statements| async move {
            for statement in &statements {
                session.batch(statement).await?;
            }
            Ok(session)
        })
        .await
    }

    pub(super) async fn each<T, W, F>(&self, tasks: Vec<T>, work: W) -> Result<()>
    where
        T: Send + 'static,
        W: Fn(Session, T) -> F + Clone + Send + 'static,
        F: Future<Output = Result<Session>> + Send,
    {
        let queue = Arc::new(Mutex::new(VecDeque::from(tasks)));
        let mut workers = JoinSet::new();
        for _ in 0..self.cores {
            let (queue, database, work) = (Arc::clone(&queue), self.database.clone(), work.clone());
            workers.spawn(async move {
                let mut session = database.connect("bench").await?;
                session.batch(&format!("SET work_mem = '{WORK_MEM}'")).await?;
                loop {
                    let next = queue.lock().unwrap_or_else(PoisonError::into_inner).pop_front();
                    let Some(task) = next else { return Ok(()) };
                    session = work(session, task).await?;
                }
            });
        }
        while let Some(worker) = workers.join_next().await {
            joined(worker)?;
        }
        Ok(())
    }
}

/// The result of a task; one that panicked is a bug.
pub fn joined<T>(task: Result<Result<T>, tokio::task::JoinError>) -> Result<T> {
    task.unwrap_or_else(|error| Err(Error::stop(format!("a part of the bench ended unexpectedly: {error}"))))
}

/// A condition on the rows of V1, called `v`; none for all of them.
pub fn block_condition(partition: &Partition) -> Option<String> {
    match partition {
        Partition::Blocks { from, to: Some(to) } => {
            Some(format!("v.ctid >= '({from},0)'::tid AND v.ctid < '({to},0)'::tid"))
        }
        Partition::Blocks { from, to: None } => Some(format!("v.ctid >= '({from},0)'::tid")),
        Partition::Whole | Partition::Ids(_) | Partition::Range(_) => None,
    }
}

async fn copied_columns(session: &Session, oid: u32) -> Result<Vec<CopiedColumn>> {
    let rows = session
        .query(
            "SELECT a.attname::text, format_type(a.atttypid, a.atttypmod), a.attnotnull, a.attidentity <> '',
                    pg_get_expr(d.adbin, d.adrelid)
             FROM pg_attribute a LEFT JOIN pg_attrdef d ON d.adrelid = a.attrelid AND d.adnum = a.attnum
             WHERE a.attrelid = $1 AND a.attnum > 0 AND NOT a.attisdropped ORDER BY a.attnum",
            &[&oid],
        )
        .await?;
    let columns = rows.iter().map(|row| CopiedColumn {
        name: row.get(0),
        type_name: row.get(1),
        not_null: row.get(2),
        identity: row.get(3),
        default: row.get(4),
    });
    Ok(columns.collect())
}
