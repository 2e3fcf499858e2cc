//! `verify`: is V2 what V1 says, cell by cell?
//!
//! What should be there is computed by the source server, with SQL made from the pipeline
//! ([`sqlgen`](crate::sqlgen)): nothing of the Rust transform takes part, so that it would be caught if
//! it were wrong. Each side is read at one instant, under a snapshot of its own.
//!
//! ```text
//! source: COPY (SELECT key, cells::text FROM (expected) ORDER BY key) ─┐
//!                                                                      ├─► merge join ─► findings
//! target: COPY (SELECT key, cells::text FROM target ORDER BY key) ─────┘    (compare)
//! ```
//! Two batches and the first differences are all that a lane holds. Where the key is the id of the
//! source row, the ids are cut into ranges of [`RANGE_ROWS`] rows: an index gives the rows of a range in
//! order, or they are few enough to be sorted in memory, and each lane takes the next range, so that all
//! cores compute what is expected, which is most of the work. Other keys are sorted by the servers in
//! one go.
//!
//! What was found is noted in the ledger of the target, where there is one and the role may write to it.

mod compare;
mod findings;
mod note;
mod report;
mod rows;
mod table;
mod unexpected;

use std::collections::VecDeque;
use std::future::Future;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Instant;

use futures::future::try_join_all;
use tokio::task::JoinSet;

use crate::error::{Error, Result};
use crate::name::TableName;
use crate::pg::{Database, Session, Side, TableInfo, compare as sql};
use crate::plan::{self, EntityPlan};
use crate::progress::{Phase, Progress};
use crate::spec::model::PipelineSpec;
use crate::stage::extract::SourceSnapshot;

pub use report::{Difference, Kind, TableReport, VerifyReport};

use compare::Comparison;
use rows::Rows;
use table::{IdRange, Table, ranges};
use unexpected::Unexpected;

/// Rows of V1 in a range of ids: a few tenths of a second of work.
const RANGE_ROWS: u64 = 25_000;

/// Memory for the sorts of a session.
const WORK_MEM: &str = "128MB";

/// What to verify, and where.
pub struct Job {
    /// The pipelines whose targets are compared, in the order of the report.
    pub specs: Vec<PipelineSpec>,
    /// All pipelines: what a reference may name.
    pub all: Vec<PipelineSpec>,
    /// V1.
    pub source: Database,
    /// V2.
    pub target: Database,
    /// Compare only so many percent of the rows of V1.
    pub sample: Option<f64>,
    /// Differences of a table that are named; all are counted.
    pub limit: usize,
    /// Ranges compared at the same time.
    pub jobs: usize,
    /// The counters that a terminal shows.
    pub progress: Arc<Progress>,
}

/// A piece of work for a lane.
enum Task {
    /// Compare a range of ids.
    Compare { table: usize, range: IdRange },
    /// Look for orphans in a column.
    Refer { table: usize, column: usize, entity: String, other: TableName, key: String },
}

/// What the lanes share.
struct Work {
    job: Job,
    tables: Vec<Table>,
    source: SourceSnapshot,
    target: SourceSnapshot,
    queue: Mutex<Queue>,
}

/// What is still to do.
#[derive(Default)]
struct Queue {
    tasks: VecDeque<Task>,
    /// For each entity: ranges and columns that are not done yet.
    pending: Vec<Pending>,
}

/// What is not done yet of an entity.
struct Pending {
    begun: bool,
    ranges: usize,
    columns: usize,
}

/// Compares both databases, or stops when `interrupted` is ready. Nothing is written but a row of the ledger.
pub async fn verify(job: Job, interrupted: impl Future<Output = ()>) -> Result<VerifyReport> {
    let databases = [job.source.clone(), job.target.clone()];
    let began = Instant::now();
    let (sample, entities) = (job.sample, job.specs.iter().map(|spec| spec.entity.clone()).collect());
    let outcome = tokio::select! {
        outcome = attempt(job) => outcome,
        () = interrupted => Err(Error::interrupted()),
    };
    if let Ok(report) = &outcome {
        let noted = note::Noted { report, entities, sample, elapsed: began.elapsed() };
        // What was found does not depend on it.
        let _ = noted.write(&databases[1]).await;
    }
    if let Err(error) = outcome {
        return Err(match try_join_all(databases.iter().map(Database::end_backends)).await {
            Ok(_) => error,
            Err(unended) => {
                error.more_detail(format!("a session may still be there ({})", unended.message()))
            }
        });
    }
    outcome
}

async fn attempt(job: Job) -> Result<VerifyReport> {
    let work = Arc::new(prepare(job).await?);
    let mut lanes = JoinSet::new();
    for _ in 0..work.job.jobs {
        lanes.spawn(lane(Arc::clone(&work)));
    }
    while let Some(lane) = lanes.join_next().await {
        lane.unwrap_or_else(|error| Err(Error::stop(format!("a lane ended unexpectedly: {error}"))))?;
    }
    let entities: Vec<TableReport> = work.tables.iter().map(Table::report).collect();
    Ok(VerifyReport { equal: entities.iter().all(|table| table.difference_count == 0), entities })
}

/// Reads the catalogues, takes the snapshots, and cuts the work into pieces.
async fn prepare(job: Job) -> Result<Work> {
    let plans = plan::plan(&job.source, &job.target, &job.specs, false).await?;
    let (source, target) =
        tokio::try_join!(SourceSnapshot::export(&job.source, &[]), SourceSnapshot::export(&job.target, &[]))?;
    let (planner, catalogue) =
        tokio::try_join!(source.reader(&job.source, "verify"), target.reader(&job.target, "verify"))?;
    let mut tables = Vec::new();
    let mut queue = Queue::default();
    for (plan, spec) in plans.iter().zip(&job.specs) {
        let rows = plan.source.count(source.session(), None).await?;
        let spec = Arc::new(spec.clone());
        let first = tables.len();
        tables.extend(Table::of_plan(plan, &spec, job.sample.is_some(), job.limit));
        let row_by_row = tables[first..].iter().filter(|table| table.is_row_by_row()).count();
        job.progress.entity(plan.index).expect(rows * row_by_row as u64, 1);
        let before = queue.tasks.len();
        for (number, table) in tables.iter().enumerate().skip(first) {
            let ranges = ranges_of(&planner, plan, table, rows, job.jobs).await?;
            queue.tasks.extend(ranges.into_iter().map(|range| Task::Compare { table: number, range }));
        }
        let ranges = queue.tasks.len() - before;
        for (number, table) in tables.iter().enumerate().skip(first) {
            queue.tasks.extend(references(&catalogue, number, table, &job.all).await?);
        }
        let columns = queue.tasks.len() - before - ranges;
        job.progress.entity(plan.index).expect_publish(columns as u64);
        queue.pending.push(Pending { begun: false, ranges, columns });
    }
    Ok(Work { job, tables, source, target, queue: Mutex::new(queue) })
}

/// The ranges of one table.
async fn ranges_of(
    session: &Session,
    plan: &EntityPlan,
    table: &Table,
    rows: u64,
    jobs: usize,
) -> Result<Vec<IdRange>> {
    let mine = |ranges: Vec<IdRange>| -> Vec<IdRange> {
        // How many rows others will have, nobody knows.
        let rows = |range: IdRange| if table.is_row_by_row() { range } else { IdRange { rows: 0, ..range } };
        ranges.into_iter().map(rows).collect()
    };
    if !table.key_is_own {
        return Ok(mine(ranges(Vec::new(), rows, RANGE_ROWS)));
    }
    let id = &table.spec.source.id;
    let key: Vec<String> =
        table.target().key.iter().map(|&index| table.target().columns[index].name.clone()).collect();
    let key = &key[..1];
    let indexed = plan.source.info().is_indexed(std::slice::from_ref(id)) && table.info.is_indexed(key);
    // Without an index each range reads the whole table.
    let step = if indexed { RANGE_ROWS } else { RANGE_ROWS.max(rows.div_ceil(jobs as u64)) };
    if rows <= step {
        return Ok(mine(ranges(Vec::new(), rows, step)));
    }
    let firsts = session.query(&sql::range_bounds(&table.source, id, step), &[]).await?;
    Ok(mine(ranges(firsts.iter().map(|row| row.get(0)).collect(), rows, step)))
}

/// The columns of a table that refer to an entity.
async fn references(
    session: &Session,
    number: usize,
    table: &Table,
    all: &[PipelineSpec],
) -> Result<Vec<Task>> {
    let mut tasks = Vec::new();
    for (column, spec) in table.target().columns.iter().enumerate() {
        let Some(entity) = &spec.references else { continue };
        // The reader of the files has seen that there is such an entity, with a key of one column.
        let Some(main) = all.iter().find(|spec| spec.entity == *entity).and_then(|spec| spec.targets.first())
        else {
            continue;
        };
        let Some(key) = main.key.first().and_then(|&index| main.columns.get(index)) else { continue };
        let other = TableInfo::read(session, &main.table).await?.ok_or_else(|| {
            Error::stop(format!("the target database has no table {}", main.table))
                .detail(format!("{}.{} references {entity}", table.label, spec.name))
        })?;
        let (entity, key) = (entity.clone(), key.name.clone());
        tasks.push(Task::Refer { table: number, column, entity, other: other.name, key });
    }
    Ok(tasks)
}

/// Does pieces of work until none is left.
async fn lane(work: Arc<Work>) -> Result<()> {
    let (source, target) = tokio::try_join!(
        work.source.reader(&work.job.source, "verify"),
        work.target.reader(&work.job.target, "verify")
    )?;
    let memory = format!("SET LOCAL work_mem = '{WORK_MEM}'");
    tokio::try_join!(source.batch(&memory), target.batch(&memory))?;
    loop {
        let Some(task) = work.next() else { return Ok(()) };
        let (Task::Compare { table, .. } | Task::Refer { table, .. }) = &task;
        let table = &work.tables[*table];
        let done = match &task {
            Task::Compare { range, .. } => compare(&work, table, *range, &source, &target).await,
            Task::Refer { column, entity, other, key, .. } => {
                refer(&work, table, *column, entity, (other, key), &target).await
            }
        };
        done.map_err(|error| error.context(format_args!("verifying {}", table.label)))?;
        work.done(table.entity, &task);
    }
}

impl Work {
    fn queue(&self) -> MutexGuard<'_, Queue> {
        self.queue.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Takes the next piece of work.
    fn next(&self) -> Option<Task> {
        let mut queue = self.queue();
        let task = queue.tasks.pop_front()?;
        let (Task::Compare { table, .. } | Task::Refer { table, .. }) = &task;
        let entity = self.tables[*table].entity;
        if !std::mem::replace(&mut queue.pending[entity].begun, true) {
            self.job.progress.enter(entity, Phase::Copying);
        }
        Some(task)
    }

    /// Counts a piece of work of an entity as done, and moves the entity to its next phase.
    fn done(&self, entity: usize, task: &Task) {
        let progress = &self.job.progress;
        let mut queue = self.queue();
        let pending = &mut queue.pending[entity];
        match task {
            Task::Compare { .. } => {
                pending.ranges -= 1;
                if pending.ranges == 0 {
                    progress.enter(entity, Phase::Publishing);
                }
            }
            Task::Refer { .. } => {
                pending.columns -= 1;
                progress.entity(entity).publish(1);
            }
        }
        if pending.ranges == 0 && pending.columns == 0 {
            progress.enter(entity, Phase::Done);
        }
    }
}

/// Compares a range of ids.
async fn compare(
    work: &Work,
    table: &Table,
    range: IdRange,
    source: &Session,
    target: &Session,
) -> Result<()> {
    let progress = work.job.progress.entity(table.entity);
    let expected_sql = table.expected_sql(range, work.job.sample)?;
    let found_sql = table.found_sql(range, work.job.sample);
    let (forms, cells) = (&table.forms, table.cells());
    let (expected, found) = tokio::try_join!(
        Rows::open(source, Side::Source, &expected_sql, forms, cells),
        Rows::open(target, Side::Target, &found_sql, forms, cells)
    )?;
    let unexpected = Unexpected::new(table, &work.job.source, &work.source);
    let checked = Comparison { table, expected, found, unexpected, progress }.run().await?;
    table.check(checked);
    // Rows in quarantine, filtered out, or outside the sample never come.
    let rest = range.rows.saturating_sub(checked);
    progress.read(rest, 0);
    progress.load(rest, 0);
    Ok(())
}

/// Looks for the values of a column that are no `key` of the table they refer to.
async fn refer(
    work: &Work,
    table: &Table,
    column: usize,
    entity: &str,
    other: (&TableName, &str),
    target: &Session,
) -> Result<()> {
    let sql = table.orphans_sql(column, other, work.job.sample);
    let name = &table.target().columns[column].name;
    let mut rows = Rows::open(target, Side::Target, &sql, &table.forms, 1).await?;
    while let Some(key) = rows.key() {
        let value = rows.cells().next().flatten().map(String::from_utf8_lossy);
        table.findings().add(key, Kind::Orphan, Some((column, name)), Some(entity), value.as_deref());
        rows.advance().await?;
    }
    Ok(())
}
