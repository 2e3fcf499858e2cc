//! One entity while it is copied: what its lanes share, and what becomes of an output.

use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use futures::future::try_join_all;
use tokio::sync::Mutex as AsyncMutex;

use super::changed::{Fingerprints, Scope};
use super::piece::{Brought, Lane, Piece, Queue};
use super::resume::{Head, Kept};
use super::way::{self, Chosen};
use super::{Purpose, Run};
use crate::error::{Error, Result};
use crate::measured::Clocks;
use crate::partition::{IdRange, Partition};
use crate::pg::fingerprint::BLOCK_COLUMNS;
use crate::pg::sql::{self, TargetSql};
use crate::pg::{LockMode, Session};
use crate::pgcopy::RowBuffer;
use crate::plan::EntityPlan;
use crate::progress::Phase;
use crate::stage::compare::{Comparison, RowForm};
use crate::stage::extract::SourceSnapshot;
use crate::stage::ledger::Ledger;
use crate::stage::load::{Table, Writer};
use crate::stage::pieces;
use crate::stage::publish;
use crate::stage::scan;
use crate::stage::staging::Staging;
use crate::summary::{Mode, Way};
use crate::transform::closure::{Edges, Forest};
use crate::transform::output::REJECT_COLUMNS;
use crate::transform::{Output, Tally};

/// One entity while it is copied; shared by its lanes.
pub(super) struct EntityRun {
    pub(super) run: Arc<Run>,
    pub(super) plan: Arc<EntityPlan>,
    pub(super) staging: Staging,
    pub(super) snapshot: Arc<SourceSnapshot>,
    /// Which rows are read.
    pub(super) scope: Scope,
    pub(super) fingerprints: Arc<Fingerprints>,
    /// How the rows of each target come.
    pub(super) chosen: Vec<Chosen>,
    /// What is read back of each target that is compared.
    pub(super) compared: Vec<Option<Compared>>,
    /// V2 at the instant that is read back.
    pub(super) image: Option<SourceSnapshot>,
    /// What `image` sees, as text.
    pub(super) visible: String,
    pub(super) ledger: Arc<Ledger>,
    /// What an earlier run has staged of it.
    pub(super) kept: Option<Kept>,
    pub(super) queue: Mutex<Queue>,
    /// Rows of V1 in the pieces that are there.
    pub(super) rows_read: AtomicU64,
    /// The one writer of the targets that are loaded directly, in the publishing transaction.
    direct: AsyncMutex<Option<Writer>>,
    /// Whether the fingerprints come with the rows.
    sees: bool,
    /// Rows staged for each target, and rows listed as gone.
    pub(super) staged: Vec<AtomicU64>,
    pub(super) listed: Vec<AtomicU64>,
    /// Of the program, then of the derived targets.
    pub(super) tallies: Mutex<Vec<Tally>>,
    /// For each derived target, the edges found so far.
    pub(super) edges: Mutex<Vec<Edges>>,
    /// For each derived target, what was made of them.
    pub(super) forests: Mutex<Vec<Option<Arc<Forest>>>>,
    /// For each derived target, the edges that the ledger is to keep, where they are not those it has.
    pub(super) kept_edges: Mutex<Vec<Option<Vec<Vec<u8>>>>>,
    /// For each derived target, the ends of links that are gone, where only what has changed was read.
    pub(super) gone_links: Mutex<Vec<Vec<(i64, i64)>>>,
}

/// What is known of an entity before it is copied.
pub(super) struct Start {
    /// Which rows are read.
    pub(super) scope: Scope,
    pub(super) fingerprints: Arc<Fingerprints>,
    /// What an earlier run has staged of it.
    pub(super) kept: Option<Kept>,
}

/// A target that is compared.
pub(super) struct Compared {
    pub(super) sql: TargetSql,
    form: RowForm,
    /// The ranges that it is read back in, and how many rows were in each.
    pub(super) ranges: Vec<IdRange>,
    pub(super) looked_at: Vec<AtomicU64>,
}

impl EntityRun {
    /// Chooses the ways, opens what they need and creates the staging tables, on the session of the ledger.
    pub(super) async fn prepare(
        run: Arc<Run>,
        plan: Arc<EntityPlan>,
        staging: Staging,
        snapshot: Arc<SourceSnapshot>,
        ledger: Arc<Ledger>,
        start: Start,
    ) -> Result<Self> {
        let Start { scope, fingerprints, kept } = start;
        let job = &run.job;
        if !job.changed {
            job.progress.enter(plan.index, Phase::Copying);
        }
        let mut chosen = match (&scope, &kept) {
            (_, Some(kept)) => way::kept(&kept.head.ways, kept.run_id),
            (Scope::Changed(_), None) => way::changed(&plan),
            (Scope::All | Scope::Ids(_), None) => {
                way::choose(job, &plan, &scope, &publish::are_empty(ledger.session(), &plan.targets).await?)
            }
        };
        let is = |chosen: &Chosen, way| chosen.way == way;
        let mut direct_session = None;
        if chosen.iter().any(|chosen| is(chosen, Way::Direct)) {
            let session = job.target.connect(&format!("publish {}", plan.entity)).await?;
            publish::begin(&session, &plan.targets, LockMode::Writers).await?;
            // From here on nobody can write; until here somebody may have.
            chosen = way::choose(job, &plan, &scope, &publish::are_empty(&session, &plan.targets).await?);
            if chosen.iter().any(|chosen| is(chosen, Way::Direct)) {
                direct_session = Some(session);
            }
        }
        let clocks = job.progress.entity(plan.index).clocks();
        clocks.expect_targets(chosen.iter().map(|chosen| is(chosen, Way::Direct)));
        let loads = tables(&plan, &staging, &chosen, clocks);
        let direct = direct_session.map(|session| Writer::new(session, loads));
        let own = plan.program.targets().len();
        let compares = chosen.iter().any(|chosen| is(chosen, Way::Delta));
        let (image, visible) = if compares {
            let image = SourceSnapshot::export(&job.target, &[]).await?;
            // What was read back before was read at that instant: whatever was written since is looked at again.
            let visible = match &kept {
                Some(kept) => kept.head.visible.clone(),
                None => image.visible().await?,
            };
            (Some(image), visible)
        } else {
            (None, String::new())
        };
        let (partitions, ranges): (Vec<Partition>, _) = if let Some(kept) = &kept {
            (Vec::new(), kept.ranges())
        } else if chosen[..own].iter().any(|chosen| is(chosen, Way::Delta)) {
            let most = way::most_ranges(job, &plan, &chosen);
            let ranges = plan.source.ranges(&snapshot, job.jobs, most).await?;
            (ranges.iter().map(|&range| Partition::Range(range)).collect(), ranges)
        } else {
            (plan.source.partitions(job.jobs, scope.ids()), Vec::new())
        };
        let compared = |(index, chosen): (usize, &Chosen)| {
            let form = plan.orders[index].clone().filter(|_| is(chosen, Way::Delta))?;
            let target = &plan.targets[index];
            let sql =
                TargetSql::new(&target.info.name, &target.columns, &target.key, &target.info.primary_key);
            let whole = || vec![IdRange { from: None, to: None }];
            let ranges = if target.derived { whole() } else { ranges.clone() };
            let looked_at = |(range, _)| match &kept {
                Some(kept) if !target.derived => kept.looked_at(range, index),
                _ => 0,
            };
            let looked_at = ranges.iter().enumerate().map(looked_at).map(AtomicU64::new).collect();
            Some(Compared { sql, form, ranges, looked_at })
        };
        let compared: Vec<_> = chosen.iter().enumerate().map(compared).collect();
        let staged = plan.targets.iter().zip(&chosen).map(|(target, chosen)| {
            let listed = is(chosen, Way::Delta) || is(chosen, Way::Changed);
            let staged = (&target.info.name, target.columns.as_slice(), listed);
            Some(staged).filter(|_| !is(chosen, Way::Direct))
        });
        // A plan keeps none.
        let plans = matches!(job.safety.purpose, Purpose::Plan { .. });
        let sees = kept.is_none() && scope.is_whole() && !plans && fingerprints.are_to_come();
        if kept.is_none() {
            staging.create(ledger.session(), staged, sees).await?;
            let state = fingerprints.state().filter(|_| direct.is_none() && scope.is_whole() && !plans);
            if let (Some(state), Some(fingerprints)) = (state, fingerprints.place()) {
                let ways = chosen.iter().map(|chosen| chosen.way).collect();
                let partitions = partitions.clone();
                let head = Head { state, fingerprints, ways, partitions, visible: visible.clone() };
                pieces::note_head(ledger.session(), &staging.pieces, &head.note()?).await?;
            }
        }
        let counters = |kept: Option<&Vec<u64>>| match kept {
            Some(counts) => counts.iter().map(|count| AtomicU64::new(*count)).collect(),
            None => plan.targets.iter().map(|_| AtomicU64::new(0)).collect(),
        };
        let piece = |(range, partition): (usize, Partition)| Piece {
            number: i32::try_from(range).unwrap_or(i32::MAX),
            partition,
            range: Some(range),
            again: false,
        };
        let queue = match &kept {
            Some(kept) => Queue::new(kept.pieces()),
            None => Queue::new(partitions.into_iter().enumerate().map(piece)),
        };
        let sum = kept.as_ref().map(|kept| &kept.sum);
        let mut edges = vec![Edges::default(); plan.derived.len()];
        for (edges, found) in edges.iter_mut().zip(sum.iter().flat_map(|sum| &sum.edges)) {
            found.iter().for_each(|edge| edges.push(*edge));
        }
        Ok(Self {
            staged: counters(sum.map(|sum| &sum.staged)),
            listed: counters(sum.map(|sum| &sum.listed)),
            tallies: Mutex::new(sum.map_or_else(|| plan.tallies(), |sum| sum.tallies.clone())),
            edges: Mutex::new(edges),
            kept_edges: Mutex::new(vec![None; plan.derived.len()]),
            gone_links: Mutex::new(vec![Vec::new(); plan.derived.len()]),
            forests: Mutex::new(vec![None; plan.derived.len()]),
            direct: AsyncMutex::new(direct),
            sees,
            queue: Mutex::new(queue),
            run,
            plan,
            staging,
            snapshot,
            scope,
            fingerprints,
            chosen,
            compared,
            image,
            visible,
            ledger,
            kept,
            rows_read: AtomicU64::new(0),
        })
    }

    /// Whether the fingerprints of the rows of a piece come with them.
    pub(super) fn sees(&self, piece: &Piece) -> bool {
        self.sees && !piece.again
    }

    /// Makes blocks of the fingerprints that came with the rows; `direct` is the session of the transaction
    /// that they are in, where that is not committed.
    pub(super) async fn gather(&self, direct: Option<&Session>) -> Result<()> {
        if !self.sees {
            return Ok(());
        }
        let rows = self.rows_read.load(Relaxed);
        self.fingerprints.gather(direct, &self.staging.seen, rows).await
    }

    /// The clocks of the entity.
    pub(super) fn clocks(&self) -> &Arc<Clocks> {
        self.run.job.progress.entity(self.plan.index).clocks()
    }

    /// How many pieces wait.
    pub(super) fn pieces(&self) -> usize {
        lock(&self.queue).len()
    }

    /// Whether rows are loaded directly, by the one writer of the entity.
    pub(super) fn is_direct(&self) -> bool {
        self.chosen.iter().any(|chosen| chosen.way == Way::Direct)
    }

    /// Opens the connections of a lane; V2 is read back as `image` shows it, or as it is.
    pub(super) async fn open_lane(&self, image: Option<&SourceSnapshot>) -> Result<Lane> {
        let job = &self.run.job;
        let reader = self.snapshot.reader(&job.source, &format!("read {}", self.plan.entity)).await?;
        let own = self.compared.iter().take(self.plan.program.targets().len());
        let back = try_join_all(own.map(async |compared| match compared {
            Some(_) => self.open_back(image).await.map(Some),
            None => Ok(None),
        }))
        .await?;
        let is_direct = self.direct.lock().await.is_some();
        let writer = if is_direct { None } else { Some(self.writer().await?) };
        Ok(Lane { reader, back, writer })
    }

    /// A session that reads V2 back.
    pub(super) async fn open_back(&self, image: Option<&SourceSnapshot>) -> Result<Session> {
        let (target, purpose) = (&self.run.job.target, format!("read back {}", self.plan.entity));
        match image {
            Some(image) => image.reader(target, &purpose).await,
            None => target.connect(&purpose).await,
        }
    }

    /// A writer of the staging tables.
    pub(super) async fn writer(&self) -> Result<Writer> {
        let session = self.run.job.target.connect(&format!("load {}", self.plan.entity)).await?;
        // Staging is thrown away with the run: its commits need not reach the disk.
        session.batch("SET synchronous_commit = off").await?;
        Ok(Writer::new(session, tables(&self.plan, &self.staging, &self.chosen, self.clocks())))
    }

    /// Begins to compare a piece with those targets that are compared.
    pub(super) async fn comparisons<'e>(
        &'e self,
        back: &[Option<Session>],
        piece: &Piece,
    ) -> Result<Vec<Option<Comparison<'e>>>> {
        let Some(range) = piece.range else { return Ok(Vec::new()) };
        try_join_all(self.compared.iter().zip(back).map(async |(compared, session)| {
            match (compared, session) {
                (Some(compared), Some(session)) => {
                    self.compare(compared, session, compared.ranges[range]).await.map(Some)
                }
                _ => Ok(None),
            }
        }))
        .await
    }

    pub(super) async fn compare<'e>(
        &self,
        compared: &'e Compared,
        session: &Session,
        range: IdRange,
    ) -> Result<Comparison<'e>> {
        let keep_old = self.run.job.mode == Mode::Insert;
        Comparison::open(session, &compared.sql.copy(range), &compared.form, keep_old).await
    }

    /// Adds an output of a program (0, or 1 and on for the derived targets) to what a piece has brought, and
    /// stops where it says so.
    pub(super) fn account(&self, brought: &mut Brought, program: usize, output: &mut Output) -> Result<()> {
        if let Some(error) = output.aborted.take() {
            return Err(error);
        }
        brought.tallies[program].merge(&output.tally);
        for (mine, found) in brought.edges.iter_mut().zip(&mut output.edges) {
            mine.append(found);
        }
        brought.told.rejects += output.tally.rejects;
        let rejects = self.run.job.progress.entity(self.plan.index).reject(output.tally.rejects);
        self.check_reject_count(rejects, &brought.tallies)
    }

    /// What was counted.
    pub(super) fn tallies(&self) -> Vec<Tally> {
        lock(&self.tallies).clone()
    }

    /// Loads the rows of an output, or what a comparison leaves of them. Returns the bytes sent.
    pub(super) async fn load(
        &self,
        brought: &mut Brought,
        output: Output,
        comparisons: &mut [Option<Comparison<'_>>],
        writer: &mut Option<Writer>,
    ) -> Result<u64> {
        let mut bytes = self.send(writer, self.rejects_table(), output.rejects).await?;
        let seen = scan::add_seen(&mut brought.seen, output.fingerprints)?;
        self.send(writer, self.seen_table(), seen).await?;
        for (target, rows) in output.targets.into_iter().enumerate() {
            match comparisons.get_mut(target).and_then(Option::as_mut) {
                Some(comparison) => {
                    bytes += self.stage_difference(brought, target, &rows, comparison, writer).await?;
                }
                None => {
                    brought.staged[target] += rows.rows();
                    bytes += self.send(writer, target, rows).await?;
                }
            }
        }
        Ok(bytes)
    }

    pub(super) async fn stage_difference(
        &self,
        brought: &mut Brought,
        target: usize,
        rows: &RowBuffer,
        comparison: &mut Comparison<'_>,
        writer: &mut Option<Writer>,
    ) -> Result<u64> {
        let mut bytes = 0;
        let mut tuples = rows.tuples(comparison.columns());
        loop {
            let all = self.clocks().targets()[target].compare.time(comparison.compare(&mut tuples)).await?;
            bytes += self.stage_found(brought, target, comparison, writer).await?;
            if all {
                return Ok(bytes);
            }
        }
    }

    async fn stage_found(
        &self,
        brought: &mut Brought,
        target: usize,
        comparison: &mut Comparison<'_>,
        writer: &mut Option<Writer>,
    ) -> Result<u64> {
        let found = comparison.take();
        brought.staged[target] += found.staged.rows();
        brought.listed[target] += found.gone.rows();
        let staged = self.send(writer, target, found.staged).await?;
        Ok(staged + self.send(writer, self.gone_table(target), found.gone).await?)
    }

    /// Ends a piece: V2 is compared to the end of its range, and the server has what was staged.
    pub(super) async fn finish(
        &self,
        brought: &mut Brought,
        comparisons: Vec<Option<Comparison<'_>>>,
        writer: &mut Option<Writer>,
    ) -> Result<()> {
        for (target, comparison) in comparisons.into_iter().enumerate() {
            if let Some(comparison) = comparison {
                self.finish_comparison(brought, target, comparison, writer).await?;
            }
        }
        self.send(writer, self.seen_table(), scan::end_seen(&mut brought.seen)?).await?;
        match writer {
            Some(writer) => writer.flush().await,
            None => Ok(()),
        }
    }

    pub(super) async fn finish_comparison(
        &self,
        brought: &mut Brought,
        target: usize,
        mut comparison: Comparison<'_>,
        writer: &mut Option<Writer>,
    ) -> Result<()> {
        loop {
            let all = self.clocks().targets()[target].compare.time(comparison.finish()).await?;
            self.stage_found(brought, target, &mut comparison, writer).await?;
            if all {
                break;
            }
        }
        brought.looked_at[target] = Some(comparison.looked_at());
        Ok(())
    }

    /// Loads rows with the lane's own writer, or the one that all lanes share. Returns the bytes sent.
    pub(super) async fn send(
        &self,
        writer: &mut Option<Writer>,
        table: usize,
        rows: RowBuffer,
    ) -> Result<u64> {
        let bytes = rows.len() as u64;
        if bytes == 0 {
            return Ok(0);
        }
        match writer {
            Some(writer) => writer.send(table, rows).await?,
            None => match self.direct.lock().await.as_mut() {
                Some(writer) => writer.send(table, rows).await?,
                None => return Err(Error::stop("rows came after the last ones were loaded")),
            },
        }
        Ok(bytes)
    }

    /// The place of a target's list of rows that are gone among the tables of a writer, behind the targets.
    fn gone_table(&self, target: usize) -> usize {
        self.plan.targets.len() + target
    }

    /// The place of the rejects, behind the lists.
    pub(super) fn rejects_table(&self) -> usize {
        2 * self.plan.targets.len()
    }

    /// The place of the fingerprints, behind the rejects.
    fn seen_table(&self) -> usize {
        self.rejects_table() + 1
    }

    /// Ends the direct load; returns the session of its transaction. `None` where nothing was loaded directly.
    pub(super) async fn end_direct(&self) -> Result<Option<Session>> {
        match self.direct.lock().await.take() {
            Some(mut writer) => {
                writer.flush().await?;
                Ok(Some(writer.into_session()))
            }
            None => Ok(None),
        }
    }
}

/// The tables of a writer: for each target itself or its staging table, for each its list of rows that are gone,
/// and the rejects.
fn tables(plan: &EntityPlan, staging: &Staging, chosen: &[Chosen], clocks: &Clocks) -> Vec<Table> {
    let targets = plan.targets.iter().zip(chosen).zip(&staging.targets).map(|((target, chosen), staged)| {
        let table = if chosen.way == Way::Direct { &target.info.name } else { staged };
        sql::copy_into(table, &target.columns)
    });
    let names = |columns: &[(&'static str, &'static str)]| -> Vec<&'static str> {
        columns.iter().map(|(name, _)| *name).collect()
    };
    let gone = staging.gone.iter().map(|table| sql::copy_into(table, names(&sql::GONE_COLUMNS)));
    let rejects = sql::copy_into(&staging.rejects, names(&REJECT_COLUMNS));
    let seen = sql::copy_into(&staging.seen, BLOCK_COLUMNS);
    let of_targets = || clocks.targets().iter().map(|target| Arc::clone(&target.load));
    let clocks = of_targets().chain(of_targets()).chain([&clocks.rejects, &clocks.scan].map(Arc::clone));
    let copies = targets.chain(gone).chain([rejects, seen]);
    copies.zip(clocks).map(|(copy, clock)| Table { copy, clock }).collect()
}

/// Waits for a lock; what another thread that panicked has left is whole, each change being one step.
pub(super) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
