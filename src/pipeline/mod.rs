//! THE DATA PATH. [`run`] is the whole of a run from top to bottom, [`copy_partition`] is what happens
//! to the bytes; everything else here joins the two.
//!
//! ```text
//! run: plan ─► ledger ─► snapshot ─► all entities at once, the largest first:
//!      scope ─► way ─► staging ─► lanes ─► derive ─► fingerprints ─► publish
//!                          └ copy_partition: read ─► transform ─► (compare) ─► load
//! ```
//! A lane is one connection to V1, one to load, and one to read back each target that is compared. As many
//! lanes work at a time as there are jobs, whichever entities they work for: each entity begins with one, and
//! those that another entity no longer needs join it. So the cores are busy while the last partitions of an
//! entity are read, while it is published, and while its one direct writer is the narrow place.

mod budget;
mod changed;
mod derive;
mod drift;
mod entity;
mod measure;
mod only;
mod piece;
mod publish;
mod resume;
mod way;

use std::future::Future;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use futures::future::try_join_all;
use tokio::sync::{OnceCell, Semaphore};
use tokio::task::JoinSet;

use crate::error::{Error, Fate, Result};
use crate::measured::bottleneck;
use crate::pg::Database;
use crate::pg::fingerprint::ServerIdentity;
use crate::pgcopy::RowBuffer;
use crate::plan::{self, EntityPlan};
use crate::progress::{Phase, Progress};
use crate::spec::model::PipelineSpec;
use crate::stage::extract::SourceSnapshot;
use crate::stage::ledger::{self, BadEnd, Ledger, NewRun};
use crate::stage::pieces;
use crate::stage::scan::Earlier;
use crate::stage::staging::{self, Staging};
use crate::stage::transform::Transform;
use crate::summary::{EntitySummary, Mode, ReadChoice, RunSummary};
use crate::transform::Program;

pub use crate::stage::ledger::{Resumable, resumable};
pub use crate::stage::publish::MaxDeletes;
pub use budget::RejectBudget;
use changed::{Fingerprints, Scope};
use entity::{EntityRun, Start};
use measure::Meter;
pub use only::Only;
use piece::{Brought, Lane, Piece};
use resume::Kept;

/// What to run, and where.
pub struct Job {
    /// The pipelines, in the order of the summary.
    pub specs: Vec<PipelineSpec>,
    /// V1.
    pub source: Database,
    /// V2.
    pub target: Database,
    /// How the rows of V1 become the target.
    pub mode: Mode,
    /// Whether rows that V1 no longer has, and surplus rows, are deleted.
    pub prune: bool,
    /// In which form documents are read.
    pub read: ReadChoice,
    /// Lanes, and threads that transform.
    pub jobs: usize,
    /// How many rejects an entity may have.
    pub budget: RejectBudget,
    /// The rows that alone are read, where it is not all of them.
    pub only: Only,
    /// Whether all rows are staged, even where that could be spared.
    pub stage_all: bool,
    /// A run that died, and that this one goes on with.
    pub resume: Option<i64>,
    /// What it may do, and whether it is to be done at all.
    pub safety: Safety,
    /// Whether only rows that changed since the last run are read, where that is known.
    pub changed: bool,
    /// The counters that a terminal shows.
    pub progress: Arc<Progress>,
}

/// How careful a run is.
#[derive(Clone, Copy, Debug, Default)]
pub struct Safety {
    /// What becomes of what it works out.
    pub purpose: Purpose,
    /// How many rows may be deleted from a target because V1 no longer has their key.
    pub max_deletes: MaxDeletes,
    /// How long to wait for another run of the same entity; not at all by default.
    pub wait: Duration,
    /// Whether rejected values stay out of the quarantine: their places and reasons are kept without them.
    pub no_raw: bool,
}

/// What becomes of what a run works out.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Purpose {
    /// It is published.
    #[default]
    Publish,
    /// Everything is done but the commit.
    DryRun,
    /// No target is written: what would be is counted.
    Plan {
        /// So many rows of each target are shown that would change.
        samples: u8,
    },
}

/// What all parts of a run share.
struct Run {
    job: Job,
    pool: Arc<rayon::ThreadPool>,
    /// One for each lane that works.
    lanes: Arc<Semaphore>,
    /// Known once the ledger is open.
    run_id: OnceLock<i64>,
    /// Which server V1 is on, or why it does not say.
    source_server: OnceCell<Result<ServerIdentity, String>>,
    /// How many rows each entity has under the snapshot, once the server has counted them.
    counted: Vec<OnceLock<u64>>,
    /// For each entity the ids that alone are read, once the snapshot stands, where it is not all of them.
    only: OnceLock<Vec<Vec<i64>>>,
    /// Known once the pipelines are compiled.
    plans: OnceLock<Vec<Arc<EntityPlan>>>,
    meter: Meter,
}

/// Runs a job to its end, or until `interrupted` is ready. Either all targets of an entity are
/// published or none is; what was begun for an entity that was not is taken away again.
pub async fn run(job: Job, interrupted: impl Future<Output = ()>) -> Result<RunSummary> {
    let pool = rayon::ThreadPoolBuilder::new()
        .num_threads(job.jobs)
        .thread_name(|index| format!("transform {index}"))
        .build()
        .map_err(|error| Error::stop(format!("cannot start the threads that transform: {error}")))?;
    let lanes = Arc::new(Semaphore::new(job.jobs));
    let counted = job.specs.iter().map(|_| OnceLock::new()).collect();
    let run = Arc::new(Run {
        job,
        counted,
        pool: Arc::new(pool),
        lanes,
        run_id: OnceLock::new(),
        source_server: OnceCell::new(),
        only: OnceLock::new(),
        plans: OnceLock::new(),
        meter: Meter::default(),
    });
    let outcome = tokio::select! {
        outcome = Arc::clone(&run).attempt() => outcome,
        () = interrupted => Err(Error::interrupted()),
        never = run.sample() => match never {},
    };
    match outcome {
        Ok(summary) => Ok(summary),
        Err(error) => Err(run.clean_up(error).await),
    }
}

impl Run {
    async fn attempt(self: Arc<Self>) -> Result<RunSummary> {
        let job = &self.job;
        let entities: Vec<String> = job.specs.iter().map(|spec| spec.entity.clone()).collect();
        let plans = plan::plan(&job.source, &job.target, &job.specs, job.safety.no_raw).await?;
        // Nobody else sets them.
        let _ = self.plans.set(plans.clone());
        let (source, settings) = (job.source.redacted(), job.settings());
        let new_run = NewRun {
            mode: job.mode,
            prune: job.prune,
            partial: job.only.is_some(),
            entities: &entities,
            dry_run: job.safety.purpose != Purpose::Publish,
            resumes: job.resume,
            source: &source,
            settings: &settings,
        };
        let waits = |text: String| job.progress.tell(text);
        let ledger = Arc::new(Ledger::begin(&job.target, &new_run, job.safety.wait, waits).await?);
        let run_id = *self.run_id.get_or_init(|| ledger.run_id());
        job.progress.set_run_id(run_id);
        self.meter.begin(ledger.session()).await;
        // What a dead run has staged stays for who resumes it, until another run is to publish.
        if job.safety.purpose == Purpose::Publish {
            for entity in &entities {
                staging::drop_leftovers(ledger.session(), entity, job.resume).await?;
            }
        }

        let sources: Vec<_> = plans.iter().map(|plan| &plan.source).collect();
        let snapshot = Arc::new(SourceSnapshot::export(&job.source, &sources).await?);
        if job.only.is_some() {
            let mut only = Vec::new();
            for plan in &plans {
                only.push(job.only.resolve(&snapshot, plan).await?);
            }
            // Nobody else names any.
            let _ = self.only.set(only);
        }
        let mut running = JoinSet::new();
        if !job.changed {
            running.spawn(Arc::clone(&self).count(plans.clone(), Arc::clone(&snapshot)));
        }
        for plan in plan::largest_first(&plans) {
            let staging = Staging::new(run_id, &plan.entity, plan.targets.len());
            let (plan, snapshot, ledger) = (Arc::clone(plan), Arc::clone(&snapshot), Arc::clone(&ledger));
            running.spawn(Arc::clone(&self).entity(plan, staging, snapshot, ledger));
        }
        drop(snapshot);
        while let Some(done) = running.join_next().await {
            joined(done)?;
        }
        let measured = self.measured(Some(ledger.session())).await;
        ledger.finish(&job.target, &measured).await?;

        let entities = plans.iter().map(|plan| plan.summary.get().cloned());
        let entities = entities.collect::<Option<Vec<EntitySummary>>>();
        Ok(RunSummary {
            run_id,
            mode: job.mode,
            prune: job.prune,
            dry_run: job.safety.purpose != Purpose::Publish,
            resumed: job.resume,
            skipped: Vec::new(),
            elapsed_ms: millis(job.progress.elapsed()),
            entities: entities.ok_or_else(|| Error::stop("an entity was not published"))?,
            bottleneck: bottleneck(&measured),
        })
    }

    /// The ids of an entity that alone are read, where it is not all of them.
    fn only(&self, plan: &EntityPlan) -> Option<&[i64]> {
        self.only.get().map(|only| only[plan.index].as_slice())
    }

    /// Counts the rows that are to come, for whoever watches, and to compare them with those that came. Without
    /// its connection a run goes on: the publish counts then.
    async fn count(
        self: Arc<Self>,
        plans: Vec<Arc<EntityPlan>>,
        snapshot: Arc<SourceSnapshot>,
    ) -> Result<()> {
        match self.count_all(&plans, &snapshot).await {
            Err(error) if error.fate() != Fate::Retry => Err(error),
            Err(_) | Ok(()) => Ok(()),
        }
    }

    async fn count_all(&self, plans: &[Arc<EntityPlan>], snapshot: &SourceSnapshot) -> Result<()> {
        let session = snapshot.reader(&self.job.source, "count").await?;
        for plan in plans {
            let rows = plan.source.count(&session, self.only(plan)).await?;
            // Nobody else counts.
            let _ = self.counted[plan.index].set(rows);
            self.job.progress.entity(plan.index).expect(rows, plan.program.targets().len() as u64);
        }
        Ok(())
    }

    /// Moves one entity, as soon as a lane is free for it.
    async fn entity(
        self: Arc<Self>,
        plan: Arc<EntityPlan>,
        staging: Staging,
        snapshot: Arc<SourceSnapshot>,
        ledger: Arc<Ledger>,
    ) -> Result<()> {
        let mut first = Some(self.free_lane().await?);
        let found = self.find_kept(&plan, &ledger).await?;
        let earlier = found.as_ref().map(|(kept, earlier)| (earlier.clone(), kept.sum.rows));
        let looked = Fingerprints::look(&self, &plan, &staging, &snapshot, &ledger, earlier).await?;
        let fingerprints = Arc::new(looked);
        let scope = fingerprints.scope(ledger.session(), &mut first).await?;
        let (staging, kept) = match found {
            Some((kept, _)) => self.go_on(kept, &plan, staging, &fingerprints, &ledger, &mut first).await?,
            None => (staging, None),
        };
        if let Some(changes) = scope.changes().filter(|changes| changes.is_empty()) {
            return fingerprints.publish_nothing(&ledger, changes).await;
        }
        let mut running = JoinSet::new();
        match &scope {
            Scope::Changed(changes) => {
                let targets = plan.program.targets().len() as u64;
                self.job.progress.entity(plan.index).expect(changes.fetch.len() as u64, targets);
            }
            Scope::All if self.job.changed => {
                running.spawn(Arc::clone(&self).count(vec![Arc::clone(&plan)], Arc::clone(&snapshot)));
            }
            Scope::All | Scope::Ids(_) => {}
        }
        let first = match first {
            Some(lane) => lane,
            None => self.free_lane().await?,
        };
        snapshot.decide(&plan.source, &plan.program, self.job.read).await?;
        let run = Arc::clone(&self);
        let start = Start { scope, fingerprints, kept };
        let entity = EntityRun::prepare(run, plan, staging, snapshot, ledger, start).await?;
        let entity = Arc::new(entity);
        running.spawn(Arc::clone(&entity).lane(first));
        for _ in 1..self.job.jobs.min(entity.pieces()) {
            running.spawn(Arc::clone(&entity).join_in());
        }
        while let Some(lane) = running.join_next().await {
            joined(lane).map_err(|error| error.context(format_args!("copying {}", entity.plan.entity)))?;
        }
        entity.derive().await?;
        if !entity.is_direct() {
            entity.gather(None).await?;
        }
        entity.publish().await
    }

    /// What the run that is resumed has staged of an entity, if anything of it is of use.
    async fn find_kept(&self, plan: &EntityPlan, ledger: &Ledger) -> Result<Option<(Kept, Earlier)>> {
        let Some(run_id) = self.job.resume else { return Ok(None) };
        let staging = Staging::new(run_id, &plan.entity, plan.targets.len());
        let reason = match Kept::find(ledger.session(), run_id, &staging, plan).await? {
            Ok(kept) => match kept.earlier(&staging) {
                Some(earlier) => return Ok(Some((kept, earlier))),
                None => "its partitions have no bounds".to_owned(),
            },
            Err(reason) => reason,
        };
        self.begin_anew(plan, ledger, &reason).await?;
        Ok(None)
    }

    /// Goes on with what is kept of an entity, or begins anew where that cannot be.
    async fn go_on(
        &self,
        kept: Kept,
        plan: &EntityPlan,
        fresh: Staging,
        fingerprints: &Arc<Fingerprints>,
        ledger: &Ledger,
        lane: &mut Option<tokio::sync::OwnedSemaphorePermit>,
    ) -> Result<(Staging, Option<Kept>)> {
        self.job.progress.enter(plan.index, Phase::Copying);
        let staging = Staging::new(kept.run_id, &plan.entity, plan.targets.len());
        let adjusted = match fingerprints.since(&kept.head.state, lane).await? {
            Ok(differences) => kept.adjust(ledger.session(), &staging, plan, differences).await?,
            Err(reason) => Err(reason),
        };
        match adjusted {
            // The fingerprints that are staged are those of this run.
            Ok(kept) => Ok((Staging { fingerprints: fresh.fingerprints, ..staging }, Some(kept))),
            Err(reason) => {
                self.begin_anew(plan, ledger, &reason).await?;
                Ok((fresh, None))
            }
        }
    }

    async fn begin_anew(&self, plan: &EntityPlan, ledger: &Ledger, reason: &str) -> Result<()> {
        self.job.progress.tell(format!("{} is read from the start: {reason}", plan.entity));
        staging::drop_leftovers(ledger.session(), &plan.entity, Some(ledger.run_id())).await?;
        Ok(())
    }

    async fn free_lane(&self) -> Result<tokio::sync::OwnedSemaphorePermit> {
        let permit = Arc::clone(&self.lanes).acquire_owned().await;
        permit.map_err(|_| Error::stop("the lanes were closed while the run went on"))
    }

    /// Ends what a failed run has begun: its backends, its staging tables, its row in the ledger.
    async fn clean_up(&self, error: Error) -> Error {
        let job = &self.job;
        let ended = try_join_all([job.source.end_backends(), job.target.end_backends()]).await;
        let Some(&run_id) = self.run_id.get() else { return error };
        let end = if error.fate() == Fate::Interrupted { BadEnd::Interrupted } else { BadEnd::Failed };
        let mut resumable = false;
        let swept = async {
            ended?;
            let session = job.target.connect("clean up").await?;
            for spec in &job.specs {
                // Who has the lock by now has dropped, or drops, what dead runs have left.
                if !ledger::try_lock(&session, &spec.entity).await? {
                    continue;
                }
                let targets = spec.targets.len() + spec.derived.len();
                let staging = Staging::new(run_id, &spec.entity, targets);
                if error.is_lost()
                    && pieces::read(&session, &staging.pieces).await?.is_some_and(|notes| notes.is_of_use())
                {
                    resumable = true;
                    continue;
                }
                session.batch(&staging.drop_sql()).await?;
                if let Some(resumed) = job.resume {
                    session.batch(&Staging::new(resumed, &spec.entity, targets).drop_sql()).await?;
                }
            }
            let measured = self.measured(Some(&session)).await;
            ledger::end_badly(&session, run_id, end, error.message(), &measured).await
        };
        let swept = swept.await;
        let error = if resumable {
            error.hint(format!(
                "what was staged is still there: xdoflow run --resume {run_id} goes on with it"
            ))
        } else {
            error
        };
        match swept {
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

/// Copies one partition: V1 → transform → (compare) → load. The reader waits when too many batches are in
/// flight; what is staged is with the server when this returns.
async fn copy_partition(
    entity: &EntityRun,
    lane: &mut Lane,
    piece: &Piece,
    brought: &mut Brought,
) -> Result<()> {
    let progress = entity.run.job.progress.entity(entity.plan.index);
    let clocks = progress.clocks();
    let flight = clocks.flight();
    if let Some(writer) = &mut lane.writer {
        writer.begin().await?;
    }
    let places = entity.sees(piece);
    let mut batches = entity.plan.source.open(&lane.reader, &piece.partition, places).await?;
    let mut comparisons = entity.comparisons(&lane.back, piece).await?;
    let writer = &mut lane.writer;
    let (transform, mut outputs) =
        Transform::new(Arc::clone(&entity.plan.program), Arc::clone(&entity.run.pool));
    let (rows, bytes) = (AtomicU64::new(0), AtomicU64::new(0));
    let (rows_read, bytes_read) = (&rows, &bytes);
    let (found, flight) = (&mut *brought, &flight);
    let read = async move {
        while let Some(batch) = clocks.read.time(batches.next()).await? {
            progress.read(batch.len() as u64, batch.bytes() as u64);
            rows_read.fetch_add(batch.len() as u64, Relaxed);
            bytes_read.fetch_add(batch.bytes() as u64, Relaxed);
            flight.up();
            let timed = Arc::clone(clocks);
            let work = move |program: &Program| timed.transform.time_of(|| program.transform(&batch));
            clocks.full.time(transform.submit(work)).await?;
        }
        Ok(())
    };
    let write = async move {
        while let Some(mut ready) = outputs.next().await? {
            let rows = ready.output.tally.rows;
            // Read again, the rows are those that were accounted for.
            if piece.again {
                ready.output.rejects = RowBuffer::default();
            } else {
                entity.account(found, 0, &mut ready.output)?;
            }
            let bytes = entity.load(found, ready.output, &mut comparisons, writer).await?;
            let rows = rows * entity.plan.program.targets().len() as u64;
            progress.load(rows, bytes);
            found.told.rows += rows;
            found.told.bytes += bytes;
            flight.down();
        }
        entity.finish(found, comparisons, writer).await
    };
    let copied = tokio::try_join!(read, write);
    (brought.rows, brought.bytes) = (rows.into_inner(), bytes.into_inner());
    copied.map(|_| ())
}

/// The result of a task; a task that panicked is a bug, and stops the run.
fn joined<T>(task: Result<Result<T>, tokio::task::JoinError>) -> Result<T> {
    task.unwrap_or_else(|error| Err(Error::stop(format!("a part of the run ended unexpectedly: {error}"))))
}

fn millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}
