//! THE DATA PATH. [`run`] is the whole of a run from top to bottom, [`copy_partition`] is what happens
//! to the bytes; everything else here joins the two.
//!
//! ```text
//! run: plan ─► ledger ─► snapshot ─► each entity: staging ─► lanes ─► publish ─► summary
//!                                                    └ copy_partition: read ─► transform ─► load
//! ```
//! Entities are read one after the other, the largest first, by all lanes; while one is published the
//! next is read. A lane is one connection to V1 and one for each target of the entity.

use std::collections::VecDeque;
use std::future::Future;
use std::sync::{Arc, Mutex, OnceLock, PoisonError};

use futures::future::try_join_all;
use tokio::task::JoinSet;

use crate::error::{Error, Fate, Result};
use crate::partition::Partition;
use crate::pg::{Database, Session};
use crate::plan::{self, EntityPlan};
use crate::progress::{Phase, Progress};
use crate::spec::model::PipelineSpec;
use crate::stage::extract::SourceSnapshot;
use crate::stage::ledger::{self, BadEnd, Ledger, NewRun};
use crate::stage::load::LoadLane;
use crate::stage::publish::Publish;
use crate::stage::staging::{self, Staging};
use crate::stage::transform::Transform;
use crate::summary::{EntitySummary, Mode, ReadChoice, RunSummary};
use crate::transform::closure::{self, Edge, Forest};
use crate::transform::{Output, Tally};

/// What to run, and where.
pub struct Job {
    /// The pipelines, in the order of the summary.
    pub specs: Vec<PipelineSpec>,
    /// V1.
    pub source: Database,
    /// V2.
    pub target: Database,
    /// How staging becomes the target.
    pub mode: Mode,
    /// Whether rows that V1 no longer has, and surplus rows, are deleted.
    pub prune: bool,
    /// In which form documents are read.
    pub read: ReadChoice,
    /// Lanes, and threads that transform.
    pub jobs: usize,
    /// How many rejects an entity may have.
    pub budget: RejectBudget,
    /// For each spec the ids that alone are read; nothing is deleted then, and nothing derived.
    pub only_ids: Option<Vec<Vec<i64>>>,
    /// The counters that a terminal shows.
    pub progress: Arc<Progress>,
}

/// How many rejects an entity may have; beyond, nothing of it is published.
#[derive(Clone, Copy, Debug, Default)]
pub struct RejectBudget {
    /// So many.
    pub count: Option<u64>,
    /// So many for a hundred rows read.
    pub percent: Option<f64>,
}

/// What all parts of a run share.
struct Run {
    job: Job,
    pool: Arc<rayon::ThreadPool>,
    /// Known once the ledger is open.
    run_id: OnceLock<i64>,
}

/// One entity while it is copied; shared by its lanes.
struct EntityRun {
    run: Arc<Run>,
    plan: Arc<EntityPlan>,
    staging: Staging,
    snapshot: Arc<SourceSnapshot>,
    queue: Mutex<VecDeque<Partition>>,
    /// Of the program, then of the derived targets.
    tallies: Mutex<Vec<Tally>>,
    /// For each derived target, the edges found so far.
    edges: Mutex<Vec<Vec<Edge>>>,
}

/// Runs a job to its end, or until `interrupted` is ready. Either all targets of an entity are
/// published or none is; what was begun for an entity that was not is taken away again.
pub async fn run(job: Job, interrupted: impl Future<Output = ()>) -> Result<RunSummary> {
    let pool = rayon::ThreadPoolBuilder::new()
        .num_threads(job.jobs)
        .thread_name(|index| format!("transform {index}"))
        .build()
        .map_err(|error| Error::stop(format!("cannot start the threads that transform: {error}")))?;
    let run = Arc::new(Run { job, pool: Arc::new(pool), run_id: OnceLock::new() });
    let outcome = tokio::select! {
        outcome = Arc::clone(&run).attempt() => outcome,
        () = interrupted => Err(Error::interrupted()),
    };
    match outcome {
        Ok(summary) => Ok(summary),
        Err(error) => Err(run.clean_up(error).await),
    }
}

impl Job {
    /// The ids of an entity that alone are read.
    fn ids(&self, plan: &EntityPlan) -> Option<&[i64]> {
        self.only_ids.as_ref().map(|ids| ids[plan.index].as_slice())
    }
}

impl Run {
    async fn attempt(self: Arc<Self>) -> Result<RunSummary> {
        let job = &self.job;
        let entities: Vec<String> = job.specs.iter().map(|spec| spec.entity.clone()).collect();
        let plans = plan::plan(&job.source, &job.target, &job.specs).await?;
        let source = job.source.redacted();
        let new_run = NewRun {
            mode: job.mode,
            prune: job.prune,
            partial: job.only_ids.is_some(),
            entities: &entities,
            source: &source,
        };
        let ledger = Ledger::begin(&job.target, &new_run).await?;
        let run_id = *self.run_id.get_or_init(|| ledger.run_id());
        for entity in &entities {
            staging::drop_leftovers(ledger.session(), entity).await?;
        }

        let snapshot = Arc::new(SourceSnapshot::export(&job.source).await?);
        for plan in &plans {
            snapshot.decide(&plan.source, &plan.program, job.read).await?;
            let rows = snapshot.count(&plan.source, job.ids(plan)).await?;
            job.progress.entity(plan.index).expect(rows, plan.program.targets().len() as u64);
        }

        let mut publishing = JoinSet::new();
        for plan in plan::largest_first(&plans) {
            let staging = Staging::new(run_id, &plan.entity, plan.targets.len());
            let targets = plan.targets.iter().map(|target| (&target.info.name, target.columns.as_slice()));
            staging.create(ledger.session(), targets).await?;
            let entity = self.copy_entity(plan, staging, &snapshot).await?;
            publishing.spawn(entity.publish(run_id));
            // An error of a publish is told now, not after the next entity was read.
            while let Some(published) = publishing.try_join_next() {
                joined(published)?;
            }
        }
        drop(snapshot);
        while let Some(published) = publishing.join_next().await {
            joined(published)?;
        }
        ledger.finish().await?;

        let entities = plans.iter().map(|plan| plan.summary.get().cloned());
        let entities = entities.collect::<Option<Vec<EntitySummary>>>();
        Ok(RunSummary {
            run_id,
            mode: job.mode,
            prune: job.prune,
            elapsed_ms: millis(job.progress.elapsed()),
            entities: entities.ok_or_else(|| Error::stop("an entity was not published"))?,
        })
    }

    /// Reads, transforms and loads an entity into its staging tables.
    async fn copy_entity(
        self: &Arc<Self>,
        plan: &Arc<EntityPlan>,
        staging: Staging,
        snapshot: &Arc<SourceSnapshot>,
    ) -> Result<Arc<EntityRun>> {
        let partitions = plan.source.partitions(self.job.jobs, self.job.ids(plan));
        let lanes = self.job.jobs.min(partitions.len());
        let entity = Arc::new(EntityRun {
            run: Arc::clone(self),
            plan: Arc::clone(plan),
            staging,
            snapshot: Arc::clone(snapshot),
            queue: Mutex::new(partitions.into()),
            tallies: Mutex::new(plan.tallies()),
            edges: Mutex::new(vec![Vec::new(); plan.derived.len()]),
        });
        self.job.progress.enter(plan.index, Phase::Copying);
        let mut running = JoinSet::new();
        for _ in 0..lanes {
            running.spawn(Arc::clone(&entity).lane());
        }
        while let Some(lane) = running.join_next().await {
            joined(lane).map_err(|error| error.context(format_args!("copying {}", plan.entity)))?;
        }
        if self.job.only_ids.is_none() {
            for index in 0..plan.derived.len() {
                entity.derive(index).await?;
            }
        }
        Ok(entity)
    }

    /// Ends what a failed run has begun: its backends, its staging tables, its row in the ledger.
    async fn clean_up(&self, error: Error) -> Error {
        let job = &self.job;
        let ended = try_join_all([job.source.end_backends(), job.target.end_backends()]).await;
        let Some(&run_id) = self.run_id.get() else { return error };
        let end = if error.fate() == Fate::Interrupted { BadEnd::Interrupted } else { BadEnd::Failed };
        let swept = async {
            ended?;
            let session = job.target.connect("clean up").await?;
            for spec in &job.specs {
                let targets = spec.targets.len() + spec.derived.len();
                session.batch(&Staging::new(run_id, &spec.entity, targets).drop_sql()).await?;
            }
            ledger::end_badly(&session, run_id, end, error.message()).await
        };
        match swept.await {
            Ok(published) if published.is_empty() => error.more_detail("no target was changed"),
            Ok(published) => error.more_detail(format!(
                "published before: {}; the other targets are as before",
                published.join(", ")
            )),
            Err(unswept) => error.more_detail(format!(
                "no entity is published in part; the staging tables are still there ({}): the next run drops them",
                unswept.message()
            )),
        }
    }
}

impl EntityRun {
    /// Copies partitions until none is left.
    async fn lane(self: Arc<Self>) -> Result<()> {
        let job = &self.run.job;
        let purpose = format!("read {}", self.plan.entity);
        let reader = self.snapshot.reader(&job.source, &purpose).await?;
        let lane = LoadLane::connect(
            &job.target,
            &self.plan.entity,
            &self.plan.program,
            &self.staging.targets,
            &self.staging.rejects,
        )
        .await?;
        loop {
            let next = self.queue.lock().unwrap_or_else(PoisonError::into_inner).pop_front();
            let Some(partition) = next else { return Ok(()) };
            copy_partition(&self, &reader, &lane, &partition).await?;
        }
    }

    /// Fills the staging table of a derived target, now that every document was seen.
    async fn derive(&self, index: usize) -> Result<()> {
        let derived = &self.plan.derived[index];
        let edges = std::mem::take(&mut self.edges.lock().unwrap_or_else(PoisonError::into_inner)[index]);
        let (forest, bad) = tokio::task::spawn_blocking(move || Forest::build(edges))
            .await
            .map_err(|error| Error::stop(format!("deriving a closure ended unexpectedly: {error}")))?;
        let staged = &self.staging.targets[self.plan.program.targets().len() + index];
        let lane = LoadLane::connect(
            &self.run.job.target,
            &self.plan.entity,
            &derived.program,
            std::slice::from_ref(staged),
            &self.staging.rejects,
        )
        .await?;
        let mut load = lane.open().await?;
        let (transform, mut outputs) =
            Transform::new(Arc::clone(&derived.program), Arc::clone(&self.run.pool));
        let make = async move {
            let key = derived.key.clone();
            transform.submit(move |program| program.reject_edges(&bad, &key)).await?;
            let forest = Arc::new(forest);
            for nodes in closure::chunks(forest.len()) {
                let forest = Arc::clone(&forest);
                transform.submit(move |program| program.transform_links(&forest, nodes)).await?;
            }
            Ok(())
        };
        let write = async move {
            while let Some(mut ready) = outputs.recv().await {
                self.account(1 + index, &mut ready.output)?;
                load.send(&mut ready.output).await?;
            }
            load.finish().await
        };
        tokio::try_join!(make, write)?;
        Ok(())
    }

    /// Adds an output of a program (0, or 1 and on for the derived targets) to what is known of the
    /// entity, and stops where it says so.
    fn account(&self, program: usize, output: &mut Output) -> Result<()> {
        if let Some(error) = output.aborted.take() {
            return Err(error);
        }
        let mut tallies = self.tallies.lock().unwrap_or_else(PoisonError::into_inner);
        tallies[program].merge(&output.tally);
        if !output.edges.is_empty() {
            let mut edges = self.edges.lock().unwrap_or_else(PoisonError::into_inner);
            for (mine, found) in edges.iter_mut().zip(&mut output.edges) {
                mine.append(found);
            }
        }
        let rejects = self.run.job.progress.entity(self.plan.index).reject(output.tally.rejects);
        match self.run.job.budget.count {
            Some(limit) if rejects > limit => Err(Error::stop(format!("more than {limit} rejects"))
                .detail(format!("most frequent so far: {}", self.plan.frequent_rejects(&tallies)))
                .hint("mend the values in V1 or the pipeline, or raise --max-rejects")),
            _ => Ok(()),
        }
    }

    /// The budget that is a share of the rows is known when all of them are read.
    fn check_reject_share(&self, summary: &EntitySummary, tallies: &[Tally]) -> Result<()> {
        let Some(limit) = self.run.job.budget.percent else { return Ok(()) };
        let percent = summary.rejects as f64 * 100.0 / summary.rows_read.max(1) as f64;
        if percent <= limit {
            return Ok(());
        }
        Err(Error::stop(format!("more than {limit} rejects for a hundred rows of {}", summary.entity))
            .detail(format!(
                "{} rejects in {} rows; most frequent: {}",
                summary.rejects,
                summary.rows_read,
                self.plan.frequent_rejects(tallies)
            ))
            .hint("mend the values in V1 or the pipeline, or raise --max-reject-percent"))
    }

    /// Publishes the staging tables: one transaction for all targets of the entity.
    async fn publish(self: Arc<Self>, run_id: i64) -> Result<()> {
        let job = &self.run.job;
        let progress = job.progress.entity(self.plan.index);
        let tallies = self.tallies.lock().unwrap_or_else(PoisonError::into_inner).clone();
        let mut summary = self.plan.summarize(&tallies, progress.rows_read());
        self.check_reject_share(&summary, &tallies)?;
        job.progress.enter(self.plan.index, Phase::Publishing);
        progress.expect_publish(summary.targets.iter().map(|target| target.loaded).sum());
        let session = job.target.connect(&format!("publish {}", self.plan.entity)).await?;
        let publish = Publish {
            mode: job.mode,
            prune: job.prune,
            partial: job.only_ids.is_some(),
            targets: &self.plan.targets,
            staging: &self.staging.targets,
            rejects: &self.staging.rejects,
            unique_source_id: self.plan.source.unique_id,
            progress,
        };
        session.batch("BEGIN").await?;
        publish.apply(&session, &mut summary).await?;
        ledger::record(&session, run_id, &summary).await?;
        let rejects = &self.staging.rejects;
        ledger::keep_rejects(&session, run_id, &self.plan.entity, rejects).await?;
        ledger::resolve_rejects(&session, run_id, &self.plan.entity, rejects, job.ids(&self.plan)).await?;
        session.batch(&self.staging.drop_sql()).await?;
        session.batch("COMMIT").await?;
        job.progress.enter(self.plan.index, Phase::Done);
        summary.elapsed_ms = millis(progress.elapsed());
        // The one publish of an entity sets its summary once.
        let _ = self.plan.summary.set(summary);
        Ok(())
    }
}

/// Copies one partition: V1 → transform → staging. The reader waits when too many batches are in
/// flight, the COPYs end when the last output was sent.
async fn copy_partition(
    entity: &EntityRun,
    reader: &Session,
    lane: &LoadLane,
    partition: &Partition,
) -> Result<()> {
    let progress = entity.run.job.progress.entity(entity.plan.index);
    let mut batches = entity.plan.source.open(reader, partition).await?;
    let mut load = lane.open().await?;
    let (transform, mut outputs) =
        Transform::new(Arc::clone(&entity.plan.program), Arc::clone(&entity.run.pool));
    let read = async move {
        while let Some(batch) = batches.next().await? {
            progress.read(batch.len() as u64, batch.bytes() as u64);
            transform.submit(move |program| program.transform(&batch)).await?;
        }
        Ok(())
    };
    let write = async move {
        while let Some(mut ready) = outputs.recv().await {
            entity.account(0, &mut ready.output)?;
            let bytes = load.send(&mut ready.output).await?;
            progress.load(ready.output.tally.rows * entity.plan.program.targets().len() as u64, bytes);
        }
        load.finish().await
    };
    tokio::try_join!(read, write)?;
    Ok(())
}

/// The result of a task; a task that panicked is a bug, and stops the run.
fn joined<T>(task: Result<Result<T>, tokio::task::JoinError>) -> Result<T> {
    task.unwrap_or_else(|error| Err(Error::stop(format!("a part of the run ended unexpectedly: {error}"))))
}

fn millis(duration: std::time::Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}
