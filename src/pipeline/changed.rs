//! `--changed`: what of an entity is read, and what is kept of it for the next run.
//!
//! ```text
//! state in the ledger ─ void? ──────────────► everything is read, and its fingerprints with it
//!          │ good
//!          ▼
//!        scan ─ too much differs? ──────────► everything is read
//!          │ ids: new or changed, gone, to be tried again
//!          ▼
//!     nothing: done        else: fetch by id ─► transform ─► staging ─► publish, as a delta
//! ```
//! A fetched row is staged for each target that it is loaded into. A row of a target whose key is a fetched or
//! gone id, and that is neither staged nor in quarantine, is what a full run would find stale: it is listed, and
//! goes with `--prune`. Without, its id is kept in the ledger, and a later run that prunes tries it again.
//!
//! Why not more of it: with [`MOST_DIFFERING`] of the rows to fetch, reading by id costs what reading everything
//! does.

use std::sync::{Arc, Mutex, PoisonError};

use serde::{Deserialize, Serialize};
use tokio::sync::OwnedSemaphorePermit;
use tokio::task::JoinSet;

use super::{Purpose, Run, joined, millis};
use crate::error::{Error, Fate, Result};
use crate::fingerprint::compare::{Differences, sorted, subtract};
use crate::fingerprint::edges::Edges;
use crate::fingerprint::{SourceIdentity, State};
use crate::name::TableName;
use crate::pg::Session;
use crate::pg::fingerprint::{self as sql, ServerIdentity};
use crate::plan::EntityPlan;
use crate::progress::Phase;
use crate::stage::extract::SourceSnapshot;
use crate::stage::fingerprints;
use crate::stage::ledger::{self, Ledger};
use crate::stage::scan::{Earlier, Found, Scan};
use crate::stage::staging::Staging;
use crate::summary::{ChangedSummary, Forecast, Mode};

/// The share of the rows, one in so many, that may differ: then the ids take a megabyte for each million rows.
const MOST_DIFFERING: u64 = 10;

/// The share of the rows, one in so many, that may be fetched, those among them that are tried again.
const MOST_FETCHED: u64 = 4;

/// So many rows may always be fetched: a moment's work.
const FEW_ROWS: u64 = 100;

/// Which rows of V1 a run reads.
#[derive(Debug)]
pub(super) enum Scope {
    /// All.
    All,
    /// Those with these ids, and nothing is known of the others.
    Ids(Vec<i64>),
    /// Those that have changed, and all others are as they were.
    Changed(Changes),
}

/// What has changed since the last run.
#[derive(Debug)]
pub(super) struct Changes {
    /// Rows to fetch, ascending: new, changed, or to be tried again.
    pub(super) fetch: Vec<i64>,
    /// Rows that are gone, ascending.
    pub(super) gone: Vec<i64>,
    /// Rows of which the fingerprints were compared.
    pub(super) scanned: u64,
    /// For each derived target, the edges at the last run.
    pub(super) edges: Vec<Edges>,
    /// Whether the last run left edges on cycles: they are rejected again.
    pub(super) cycles: bool,
}

impl Scope {
    /// The ids that alone are read.
    pub(super) fn ids(&self) -> Option<&[i64]> {
        match self {
            Self::All => None,
            Self::Ids(ids) => Some(ids),
            Self::Changed(changes) => Some(&changes.fetch),
        }
    }

    /// Whether nothing is known of the rows that are not read.
    pub(super) fn is_partial(&self) -> bool {
        matches!(self, Self::Ids(_))
    }

    /// Whether all rows are read.
    pub(super) fn is_whole(&self) -> bool {
        matches!(self, Self::All)
    }

    /// What has changed, where only that is read.
    pub(super) fn changes(&self) -> Option<&Changes> {
        match self {
            Self::Changed(changes) => Some(changes),
            Self::All | Self::Ids(_) => None,
        }
    }
}

impl Changes {
    /// The ids of all rows that may have left something in V2 that is to go, ascending.
    pub(super) fn touched(&self) -> Vec<i64> {
        sorted([self.fetch.as_slice(), &self.gone].concat())
    }

    /// Whether there is nothing to do.
    pub(super) fn is_empty(&self) -> bool {
        self.fetch.is_empty() && self.gone.is_empty()
    }

    /// The part of the summary that tells of them.
    pub(super) fn summary(&self) -> ChangedSummary {
        ChangedSummary {
            used: true,
            reason: None,
            fetched: self.fetch.len() as u64,
            gone: self.gone.len() as u64,
            scanned: self.scanned,
        }
    }
}

/// The fingerprints of one entity, in one run.
pub(super) struct Fingerprints {
    run: Arc<Run>,
    plan: Arc<EntityPlan>,
    snapshot: Arc<SourceSnapshot>,
    /// Those that the ledger keeps.
    pub(super) kept: Option<State>,
    /// What those of this run are worth, as far as it is known before; or why there can be none.
    now: Result<State, String>,
    /// Whether the last run of the entity did not publish it.
    failed: bool,
    /// The scan, where this run keeps what it finds.
    scan: Option<Scan>,
    found: Mutex<Option<Found>>,
    /// Why all rows are read though only the changed ones were asked for.
    reason: Mutex<Option<String>>,
}

/// Where the fingerprints of what a run has staged are.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
pub(super) enum FingerprintPlace {
    /// They were scanned before anything was read, and so many blocks of them are staged, which differ.
    Before(u64),
    /// They are staged with the rows.
    WithRows,
}

/// What a publish does to the fingerprints of its entity.
#[allow(clippy::large_enum_variant, reason = "there is one for each entity")]
pub(super) enum Ending {
    /// Keeps those of this run.
    Keep(State, Found),
    /// Deletes their state.
    Forget,
    /// Leaves them as they are: what is published agrees with them.
    Leave,
}

impl Fingerprints {
    /// Reads what is kept, and asks what is now. Where the entity is resumed, `earlier` says what the scan is to
    /// ask for, and of how many rows.
    pub(super) async fn look(
        run: &Arc<Run>,
        plan: &Arc<EntityPlan>,
        staging: &Staging,
        snapshot: &Arc<SourceSnapshot>,
        ledger: &Ledger,
        earlier: Option<(Earlier, u64)>,
    ) -> Result<Self> {
        let session = ledger.session();
        let (kept, now, failed) = tokio::try_join!(
            fingerprints::read(session, &plan.entity),
            now(run, plan, snapshot, session),
            ledger::last_run_failed(session, ledger.run_id(), &plan.entity)
        )?;
        let keeps = !run.job.only.is_some() && run.job.mode != Mode::Insert && now.is_ok();
        let asks = run.job.changed && kept.is_some();
        let rows = kept.as_ref().map_or(0, |state| u64::try_from(state.rows).unwrap_or(0));
        let rows = earlier.as_ref().map_or(rows, |(_, rows)| *rows);
        let limit = if asks || earlier.is_some() { FEW_ROWS.max(rows / MOST_DIFFERING) } else { 0 };
        let source = &plan.source;
        let scan = keeps.then(|| {
            let scan = Scan::new(&plan.entity, source.info(), source.id(), &staging.fingerprints, limit);
            match earlier {
                Some((earlier, _)) => scan.since(earlier),
                None => scan,
            }
        });
        Ok(Self {
            run: Arc::clone(run),
            plan: Arc::clone(plan),
            snapshot: Arc::clone(snapshot),
            kept,
            now,
            failed,
            scan,
            found: Mutex::default(),
            reason: Mutex::default(),
        })
    }

    /// What the run reads of the entity. A scan takes `lane`, which lets its first lane work.
    pub(super) async fn scope(
        self: &Arc<Self>,
        ledger: &Session,
        lane: &mut Option<OwnedSemaphorePermit>,
    ) -> Result<Scope> {
        let job = &self.run.job;
        if let Some(ids) = self.run.only(&self.plan) {
            return Ok(Scope::Ids(ids.to_vec()));
        }
        if !job.changed {
            return Ok(Scope::All);
        }
        job.progress.enter(self.plan.index, Phase::Copying);
        match self.changes(ledger, lane).await? {
            Ok(changes) => Ok(Scope::Changed(changes)),
            Err(reason) => {
                *self.reason.lock().unwrap_or_else(PoisonError::into_inner) = Some(reason);
                Ok(Scope::All)
            }
        }
    }

    /// What has changed; or why that is not known.
    async fn changes(
        self: &Arc<Self>,
        ledger: &Session,
        lane: &mut Option<OwnedSemaphorePermit>,
    ) -> Result<Result<Changes, String>> {
        if let Some(reason) = self.void() {
            return Ok(Err(reason));
        }
        let derived = self.plan.targets.iter().filter(|target| target.derived);
        let labels: Vec<&str> = derived.map(|target| target.label.as_str()).collect();
        let open = fingerprints::open_derived(ledger, &self.plan.entity, &labels).await?;
        if open.values > 0 {
            return Ok(Err("values of a derived target are rejected: all of it is derived again".to_owned()));
        }
        self.scan_in_lanes(lane.take()).await?;
        let (differences, scanned) = {
            let mut found = self.found.lock().unwrap_or_else(PoisonError::into_inner);
            let found = found.get_or_insert_default();
            if let Some(reason) = unfit(found) {
                return Ok(Err(reason.to_owned()));
            }
            (std::mem::take(&mut found.differences), found.rows)
        };
        if scanned == 0 && !differences.is_empty() {
            // The guards of a full run decide whether that may empty V2.
            return Ok(Err("V1 is empty".to_owned()));
        }
        let (mut fetch, gone) = differences.settle();
        let mut again = fingerprints::to_retry(ledger, &self.plan.entity, self.run.job.prune).await?;
        subtract(&mut again, &gone);
        fetch.append(&mut again);
        let fetch = sorted(fetch);
        if fetch.len() as u64 > FEW_ROWS.max(scanned / MOST_FETCHED) {
            return Ok(Err(format!("{} of {scanned} rows would have to be fetched", fetch.len())));
        }
        let cycles = open.cycles > 0;
        let mut changes = Changes { fetch, gone, scanned, edges: Vec::new(), cycles };
        if !changes.is_empty() {
            for derived in 0..self.plan.derived.len() {
                let edges = Edges::of_blocks(fingerprints::edges(ledger, &self.plan.entity, derived).await?);
                if edges.each(|_| {}).is_err() {
                    return Ok(Err("the edges that are kept are damaged".to_owned()));
                }
                changes.edges.push(edges);
            }
        }
        Ok(Ok(changes))
    }

    /// Why the fingerprints say nothing, or what they say is not enough, as far as that is known without a scan.
    fn void(&self) -> Option<String> {
        let now = match &self.now {
            Ok(now) => now,
            Err(reason) => return Some(reason.clone()),
        };
        let own = self.plan.program.targets().len();
        for (index, target) in self.plan.targets.iter().enumerate() {
            let why = if !target.info.is_plain {
                "is no ordinary table, or has rules or row security"
            } else if index < own && !target.key_is_own && target.explode.is_some() {
                "has a merge key that is not the row's id and the position, which a changed document may have changed"
            } else if index < own && !target.key_is_own {
                "has a merge key that is not the row's id, which a changed document may have changed"
            } else if index >= own && self.plan.orders[index].is_none() {
                "has a merge key that is not the two ends of a link"
            } else {
                continue;
            };
            return Some(format!("{} {why}", target.name));
        }
        let Some(kept) = &self.kept else { return Some("there are no fingerprints of a run yet".to_owned()) };
        // They are still good, being of the last run that published. But who knows why the other one failed: a
        // full run has the last word.
        if self.failed {
            return Some("the last run did not finish".to_owned());
        }
        kept.void(now, self.run.job.prune).map(str::to_owned)
    }

    /// Scans with as many lanes as are free.
    async fn scan_in_lanes(self: &Arc<Self>, mut first: Option<OwnedSemaphorePermit>) -> Result<()> {
        let lanes = self.scan.as_ref().map_or(0, |scan| scan.lanes(self.run.job.jobs));
        let mut running = JoinSet::new();
        for _ in 0..lanes {
            let (this, permit) = (Arc::clone(self), first.take());
            running.spawn(async move {
                let _permit = match permit {
                    Some(permit) => permit,
                    None => this.run.free_lane().await?,
                };
                let clocks = Arc::clone(this.run.job.progress.entity(this.plan.index).clocks());
                let _at_work = clocks.lane(0);
                clocks.scan.time(this.lane()).await
            });
        }
        while let Some(lane) = running.join_next().await {
            match joined(lane) {
                Err(error) if error.fate() == Fate::Retry => {
                    self.give_up();
                    return Ok(());
                }
                lane => lane.map_err(|error| error.context(format_args!("scanning {}", self.plan.entity)))?,
            }
        }
        self.take_found();
        Ok(())
    }

    /// Notes that a connection to scan or to gather was lost: a run can do without, and what was staged of a range
    /// cannot be staged again.
    fn give_up(&self) {
        let found = Found { unusable: Some("a connection was lost"), ..Found::default() };
        *self.found.lock().unwrap_or_else(PoisonError::into_inner) = Some(found);
    }

    /// What the fingerprints of this run will be worth, where it keeps any.
    pub(super) fn state(&self) -> Option<State> {
        self.now.as_ref().ok().filter(|_| self.scan.is_some()).cloned()
    }

    /// What differs from what an earlier run has scanned; or why that is not known.
    pub(super) async fn since(
        self: &Arc<Self>,
        head: &State,
        lane: &mut Option<OwnedSemaphorePermit>,
    ) -> Result<Result<Differences, String>> {
        let now = match &self.now {
            Ok(now) => now,
            Err(reason) => return Ok(Err(reason.clone())),
        };
        if let Some(reason) = head.foreign(now) {
            return Ok(Err(reason.to_owned()));
        }
        self.scan_in_lanes(lane.take()).await?;
        let mut found = self.found.lock().unwrap_or_else(PoisonError::into_inner);
        let found = found.get_or_insert_default();
        Ok(match unfit(found) {
            Some(reason) => Err(reason.to_owned()),
            None => Ok(std::mem::take(&mut found.differences)),
        })
    }

    /// Whether a run that reads everything is to keep fingerprints, and nothing was scanned before.
    pub(super) fn are_to_come(&self) -> bool {
        self.scan.is_some() && self.found.lock().unwrap_or_else(PoisonError::into_inner).is_none()
    }

    /// Where a run that goes on with this one finds what it has seen; `None` where there is nothing good.
    pub(super) fn place(&self) -> Option<FingerprintPlace> {
        match &*self.found.lock().unwrap_or_else(PoisonError::into_inner) {
            None => Some(FingerprintPlace::WithRows),
            Some(found) => unfit_to_keep(found).is_none().then_some(FingerprintPlace::Before(found.staged)),
        }
    }

    /// Makes blocks of the fingerprints that came with the rows, so many, from their parts in `seen`, as
    /// `direct` sees it, or everyone.
    pub(super) async fn gather(&self, direct: Option<&Session>, seen: &TableName, rows: u64) -> Result<()> {
        let Some(scan) = &self.scan else { return Ok(()) };
        let connect = async || self.run.job.target.connect(&format!("gather {}", self.plan.entity)).await;
        let gathered = async {
            let ledger = connect().await?;
            match direct {
                Some(reader) => scan.gather(reader, seen, &ledger).await?,
                None => {
                    let reader = connect().await?;
                    scan.gather(&reader, seen, &ledger).await?;
                    reader.release();
                }
            }
            ledger.release();
            Ok::<_, Error>(())
        };
        let clocks = self.run.job.progress.entity(self.plan.index).clocks();
        match clocks.scan.time(gathered).await {
            Err(error) if error.fate() == Fate::Retry => {
                self.run.job.progress.tell(format!(
                    "{}: the fingerprints are lost, the next run with --changed reads everything: {}",
                    self.plan.entity,
                    error.message()
                ));
                self.give_up();
            }
            gathered => {
                gathered?;
                self.take_found();
                let found = self.found.lock().unwrap_or_else(PoisonError::into_inner);
                let there = found.as_ref().map_or(0, |found| found.rows);
                if there != rows {
                    return Err(Error::stop("a staging table does not hold the fingerprints that were sent")
                        .detail(format!("{rows} rows were read, {there} fingerprints are there"))
                        .hint(
                            "the server may have been restarted, which empties unlogged tables; run again",
                        ));
                }
            }
        }
        Ok(())
    }

    async fn lane(&self) -> Result<()> {
        let Some(scan) = &self.scan else { return Ok(()) };
        if !scan.has_work() {
            return Ok(());
        }
        let purpose = format!("scan {}", self.plan.entity);
        let (reader, ledger) = tokio::try_join!(
            self.snapshot.reader(&self.run.job.source, &purpose),
            self.run.job.target.connect(&purpose)
        )?;
        scan.lane(&reader, &ledger).await?;
        ledger.release();
        reader.release_reader().await;
        Ok(())
    }

    fn take_found(&self) {
        let found = self.scan.as_ref().map(Scan::take_found);
        *self.found.lock().unwrap_or_else(PoisonError::into_inner) = found;
    }

    /// The part of the summary of an entity of which all rows were read.
    pub(super) fn full_summary(&self) -> Option<ChangedSummary> {
        let reason = self.reason.lock().unwrap_or_else(PoisonError::into_inner).clone();
        self.run.job.changed.then_some(ChangedSummary {
            used: false,
            reason,
            fetched: 0,
            gone: 0,
            scanned: 0,
        })
    }

    /// What the publish is to do to them.
    pub(super) fn ending(&self) -> Ending {
        let Ok(now) = &self.now else { return Ending::Forget };
        let found = self.found.lock().unwrap_or_else(PoisonError::into_inner).take();
        match (found, &self.kept) {
            (Some(found), _) if found.unusable.is_some() => Ending::Forget,
            (Some(found), _) => Ending::Keep(State { rows: count(found.rows), ..now.clone() }, found),
            (None, Some(kept)) if kept.foreign(now).is_some() => Ending::Forget,
            (None, _) => Ending::Leave,
        }
    }

    /// Ends the run of an entity of which nothing has changed: only the ledger hears of it.
    pub(super) async fn publish_nothing(&self, ledger: &Ledger, changes: &Changes) -> Result<()> {
        let job = &self.run.job;
        let progress = job.progress.entity(self.plan.index);
        progress.expect(0, self.plan.program.targets().len() as u64);
        let mut summary = self.plan.summarize(&self.plan.tallies(), 0);
        for target in &mut summary.targets {
            (target.way, target.why) = (crate::summary::Way::Changed, "nothing has changed".to_owned());
        }
        summary.changed = Some(changes.summary());
        summary.forecast = matches!(job.safety.purpose, Purpose::Plan { .. }).then(Forecast::default);
        let session = job.target.connect(&format!("publish {}", self.plan.entity)).await?;
        session.batch("BEGIN").await?;
        let measured = self.run.measured_of(&self.plan);
        ledger::record(&session, ledger.run_id(), &summary, &measured).await?;
        session.batch("COMMIT").await?;
        session.release();
        job.progress.enter(self.plan.index, Phase::Done);
        summary.elapsed_ms = millis(progress.elapsed());
        // The one publish of an entity sets its summary once.
        let _ = self.plan.summary.set(summary);
        Ok(())
    }
}

/// Why what a scan has found cannot be kept, if it cannot.
fn unfit_to_keep(found: &Found) -> Option<&'static str> {
    if let Some(reason) = found.unusable {
        Some(reason)
    } else if found.damaged {
        Some("the fingerprints that are kept are damaged")
    } else {
        None
    }
}

/// Why what a scan has found cannot be used, if it cannot.
fn unfit(found: &Found) -> Option<&'static str> {
    if let Some(reason) = unfit_to_keep(found) {
        Some(reason)
    } else if found.too_many {
        Some("more than a tenth of the rows have changed")
    } else {
        None
    }
}

/// What the fingerprints of this run will be worth; or why there can be none.
async fn now(
    run: &Run,
    plan: &EntityPlan,
    snapshot: &SourceSnapshot,
    ledger: &Session,
) -> Result<Result<State, String>> {
    let source = match source(run, plan, snapshot).await? {
        Ok(source) => source,
        Err(reason) => return Ok(Err(reason)),
    };
    let targets = sql::files(ledger, plan.targets.iter().map(|target| target.info.oid)).await?;
    Ok(Ok(State { source, pipeline: plan.digest.clone(), targets, rows: 0, leftovers: 0 }))
}

async fn source(
    run: &Run,
    plan: &EntityPlan,
    snapshot: &SourceSnapshot,
) -> Result<Result<SourceIdentity, String>> {
    if !plan.source.info().has_ctid {
        return Ok(Err("the source is no ordinary table".to_owned()));
    }
    let ask = async || match run.job.source.connect("identity").await {
        Ok(session) => {
            let identity = ServerIdentity::ask(&session).await?;
            session.release();
            Ok(identity)
        }
        Err(error) => Err(error.message().to_owned()),
    };
    let server = match run.source_server.get_or_init(ask).await {
        Ok(server) => server.clone(),
        Err(why) => return Ok(Err(format!("the source server does not say which it is: {why}"))),
    };
    let (id, document) = (plan.source.id(), plan.source.document());
    snapshot.session().batch(&sql::hold(plan.source.info())).await?;
    let source = server.of_table(snapshot.session(), plan.source.info(), id, document).await?;
    Ok(source.map_err(str::to_owned))
}

/// A count as the server keeps it.
pub(super) fn count(rows: u64) -> i64 {
    i64::try_from(rows).unwrap_or(i64::MAX)
}
