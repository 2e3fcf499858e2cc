//! The last step of an entity: what was found becomes the targets.

use std::collections::BTreeSet;
use std::sync::atomic::Ordering::Relaxed;

use super::changed::{Ending, Scope, count};
use super::entity::{Compared, EntityRun, lock};
use super::piece::Piece;
use super::{Purpose, millis};
use crate::error::{Error, Result};
use crate::partition::Partition;
use crate::pg::fingerprint::files;
use crate::pg::{LockMode, Session, sql};
use crate::progress::Phase;
use crate::sqlgen;
use crate::stage::fingerprints;
use crate::stage::image::Image;
use crate::stage::ledger;
use crate::stage::publish::{self, Publish, TargetLoad};
use crate::summary::{EntitySummary, Forecast, Mode, ResumedSummary, Stop, TargetSummary, Way};

impl EntityRun {
    /// Publishes the entity: one transaction for all its targets. A plan counts what it would write.
    pub(super) async fn publish(&self) -> Result<()> {
        let job = &self.run.job;
        let run_id = self.ledger.run_id();
        let plan = &self.plan;
        let progress = job.progress.entity(plan.index);
        let tallies = self.tallies();
        let (now, before) =
            (self.rows_read.load(Relaxed), self.kept.as_ref().map_or(0, |kept| kept.sum.rows));
        let rows_read = now + before;
        // The count of the start may still be under way.
        progress.expect(rows_read, plan.program.targets().len() as u64);
        let mut summary = plan.summarize(&tallies, rows_read);
        for (target, chosen) in summary.targets.iter_mut().zip(&self.chosen) {
            (target.way, target.why) = (chosen.way, chosen.why.clone());
        }
        summary.changed = match self.scope.changes() {
            Some(changes) => Some(changes.summary()),
            None => self.fingerprints.full_summary(),
        };
        summary.resumed = self.kept.as_ref().map(|kept| ResumedSummary {
            run_id: kept.run_id,
            kept: kept.sum.rows,
            fetched: kept.fetch.len() as u64,
        });
        summary.drift = self.drift(&tallies);
        let mut forecast = Forecast::default();
        if let Some(stop) = self.over_budget(&summary, &tallies) {
            self.stop_or_foresee(stop, &mut forecast)?;
        }
        self.check_count(rows_read).await?;
        self.check_standing().await?;
        if let Some(stop) = self.refuse_drift(&summary.drift).await? {
            self.stop_or_foresee(stop, &mut forecast)?;
        }
        job.progress.enter(plan.index, Phase::Publishing);
        progress.expect_publish(summary.targets.iter().map(|target| target.loaded).sum());
        let session = match self.end_direct().await? {
            Some(session) => {
                self.gather(Some(&session)).await?;
                session
            }
            None => {
                let session = job.target.connect(&format!("publish {}", plan.entity)).await?;
                publish::begin(&session, &plan.targets, self.lock_mode(&summary)).await?;
                session
            }
        };
        let again = self.decide_anew(&session).await?;
        self.list_gone(&session).await?;
        self.list_touched(&session, &again).await?;
        // Where nothing moves them meanwhile, the rows are updated where they were found.
        let stay_in_place =
            self.scope.changes().is_some() && !publish::have_triggers(&session, &plan.targets).await?;
        let load = |(index, chosen): (usize, &super::way::Chosen)| TargetLoad {
            way: chosen.way,
            // The list tells a row by the first column of its key.
            placed: stay_in_place && !plan.targets[index].derived && plan.targets[index].key.len() == 1,
            staged: if chosen.way == Way::Direct { 0 } else { self.staged[index].load(Relaxed) },
            listed: self.listed[index].load(Relaxed),
        };
        let loads: Vec<TargetLoad> = self.chosen.iter().enumerate().map(load).collect();
        let publish = Publish {
            mode: job.mode,
            prune: job.prune,
            max_deletes: job.safety.max_deletes,
            partial: self.scope.is_partial(),
            changed: self.scope.changes().is_some(),
            targets: &plan.targets,
            loads: &loads,
            staging: &self.staging.targets,
            gone: &self.staging.gone,
            rejects: &self.staging.rejects,
            unique_source_id: plan.source.unique_id,
            progress,
        };
        self.check_keys(&session, &publish, &mut forecast).await?;
        match job.safety.purpose {
            Purpose::Publish | Purpose::DryRun => {
                publish.apply(&session, &mut summary).await?;
                ledger::record(&session, run_id, &summary, &self.run.measured_of(plan)).await?;
                let rejects = &self.staging.rejects;
                let only_new = self.scope.changes().is_some();
                ledger::keep_rejects(&session, run_id, &plan.entity, rejects, only_new).await?;
                // Where only what has changed was read, all that was rejected was tried again.
                let of = self.scope.ids().filter(|_| self.scope.is_partial());
                ledger::resolve_rejects(&session, run_id, &plan.entity, rejects, of).await?;
                self.keep_fingerprints(&session, run_id, &summary).await?;
                self.keep_keys(&session, &summary.drift, &tallies).await?;
            }
            Purpose::Plan { samples } => {
                publish.foresee(&session, &mut summary, samples, &mut forecast).await?;
                summary.forecast = Some(forecast);
            }
        }
        if job.safety.purpose != Purpose::Publish {
            // Everything was done or counted as it would have been; what stays is the record of it.
            session.batch("ROLLBACK; BEGIN").await?;
            ledger::record(&session, run_id, &summary, &self.run.measured_of(plan)).await?;
        }
        session.batch(&self.staging.drop_sql()).await?;
        session.batch("COMMIT").await?;
        session.release();
        job.progress.enter(plan.index, Phase::Done);
        summary.elapsed_ms = millis(progress.elapsed());
        summary.rows_read = now;
        // The one publish of an entity sets its summary once.
        let _ = plan.summary.set(summary);
        Ok(())
    }

    /// Whether nothing is to be published, and what would stop a run is only told.
    pub(super) fn is_foreseen(&self) -> bool {
        matches!(self.run.job.safety.purpose, Purpose::Plan { .. })
    }

    /// Stops, or notes that a run would.
    fn stop_or_foresee(&self, stop: Error, forecast: &mut Forecast) -> Result<()> {
        if !self.is_foreseen() {
            return Err(stop);
        }
        forecast.stops.push(Stop::from(&stop));
        Ok(())
    }

    /// As many rows must have come as the server says there are. Only of a table it is sure to say so: a view may
    /// have other rows each time.
    async fn check_count(&self, rows_read: u64) -> Result<()> {
        let source = &self.plan.source;
        if !matches!(self.scope, Scope::All) || !source.info().has_ctid {
            return Ok(());
        }
        let rows = match self.run.counted[self.plan.index].get() {
            Some(rows) => *rows,
            None => source.count(self.snapshot.session(), None).await?,
        };
        if rows == rows_read {
            return Ok(());
        }
        Err(Error::stop(format!("{rows_read} rows of {} were read, and V1 has {rows}", self.plan.entity))
            .hint("the connection may run through a proxy that changes data; if not, please report this"))
    }

    /// A merge key must stand once in V1; which of two rows should win is not ours to guess.
    async fn check_keys(
        &self,
        session: &Session,
        publish: &Publish<'_>,
        forecast: &mut Forecast,
    ) -> Result<()> {
        for (index, target) in self.plan.targets.iter().enumerate() {
            let keys = publish.repeated_keys(session, index).await?;
            if keys.is_empty() {
                continue;
            }
            // The staging table does not know which rows of V1 it was made of. Where V1 cannot be asked, the
            // keys alone have to do.
            let named = self.repeated_in_source(index).await.unwrap_or_default();
            let keys = if named.is_empty() { keys } else { named };
            let stop = Error::stop("V1 holds the same merge key more than once")
                .context(format_args!("publishing {}", target.label))
                .detail(format!("{}: {}", target.key.join(", "), keys.join("; ")))
                .hint("remove the rows that stand twice from V1, or choose another key in the pipeline");
            self.stop_or_foresee(stop, forecast)?;
        }
        Ok(())
    }

    /// Lists what is to go where only what has changed was read.
    async fn list_gone(&self, session: &Session) -> Result<()> {
        let Some(changes) = self.scope.changes() else { return Ok(()) };
        let own = self.plan.program.targets().len();
        let touched = changes.touched();
        let links = std::mem::take(&mut *lock(&self.gone_links));
        for (index, target) in self.plan.targets.iter().enumerate() {
            let gone = &self.staging.gone[index];
            let listed = match index.checked_sub(own).map(|derived| &links[derived]) {
                None => {
                    publish::list_places(session, target, &self.staging.targets[index], gone, &touched)
                        .await?
                }
                Some(links) if links.is_empty() => 0,
                Some(links) => publish::list_gone_links(session, target, gone, links).await?,
            };
            self.listed[index].store(listed, Relaxed);
        }
        Ok(())
    }

    /// The merge keys of a target that V1 holds more than once, with the ids of the rows that bear them.
    async fn repeated_in_source(&self, index: usize) -> Result<Vec<String>> {
        let spec = &self.run.job.specs[self.plan.index];
        let Some(target) = spec.targets.get(index) else { return Ok(Vec::new()) };
        let live = &self.plan.targets[index].info.columns;
        let sql = sqlgen::repeated_keys(spec, target, live, &self.plan.source.info().name)?;
        let rows = self.snapshot.session().query(&sql, &[]).await?;
        let named = |row: &crate::pg::Row| {
            let ids: Vec<String> = row.get::<_, Vec<i64>>(1).iter().map(i64::to_string).collect();
            format!("{} (ids {})", row.get::<_, String>(0), ids.join(", "))
        };
        Ok(rows.iter().map(named).collect())
    }

    /// The lock that the publish needs: to replace, it empties the targets by TRUNCATE where it can. A plan keeps
    /// nobody from writing.
    fn lock_mode(&self, summary: &EntitySummary) -> LockMode {
        if self.is_foreseen() {
            return LockMode::Alterers;
        }
        let truncates = self.plan.targets.iter().zip(&summary.targets).any(|(target, counts)| {
            self.run.job.mode == Mode::Replace && (counts.quarantined == 0 || !target.key_is_own)
        });
        if truncates { LockMode::Everyone } else { LockMode::Writers }
    }

    /// Keeps the fingerprints of what was published, or makes those void that it does not agree with.
    async fn keep_fingerprints(&self, session: &Session, run_id: i64, summary: &EntitySummary) -> Result<()> {
        let plan = &self.plan;
        let entity = &plan.entity;
        let (mut state, found) = match self.fingerprints.ending() {
            Ending::Keep(state, found) => (state, found),
            Ending::Forget => return fingerprints::forget(session, entity).await,
            Ending::Leave => return Ok(()),
        };
        let left = |targets: &[TargetSummary]| -> u64 {
            targets.iter().map(|target| (target.stale + target.surplus).saturating_sub(target.deleted)).sum()
        };
        let own = plan.program.targets().len();
        if self.scope.changes().is_none() {
            // Whatever was pending is gone, or was counted.
            state.leftovers = count(left(&summary.targets));
            fingerprints::clear_pending(session, entity).await?;
        } else if self.run.job.prune {
            fingerprints::clear_pending(session, entity).await?;
        } else {
            let before = self.fingerprints.kept.as_ref().map_or(0, |kept| kept.leftovers);
            // Links are not known by a row of V1: only a full run finds them again.
            state.leftovers = before + count(left(&summary.targets[own..]));
            for gone in &self.staging.gone[..own] {
                fingerprints::keep_pending(session, entity, gone).await?;
            }
        }
        // TRUNCATE in this transaction may have given a target another file.
        state.targets = files(session, plan.targets.iter().map(|target| target.info.oid)).await?;
        let kept_edges = std::mem::take(&mut *lock(&self.kept_edges));
        for (index, blocks) in kept_edges.iter().enumerate() {
            if let Some(blocks) = blocks {
                fingerprints::keep_edges(session, entity, index, blocks).await?;
            }
        }
        fingerprints::keep(session, entity, run_id, &state, &self.staging.fingerprints, found.staged).await
    }

    /// Compares once more what others have written to since V2 was read back. The session holds the lock of
    /// the publish, so this is the last word.
    ///
    /// Returns the ranges of which all is known anew.
    async fn decide_anew(&self, session: &Session) -> Result<BTreeSet<usize>> {
        let own = self.plan.program.targets().len();
        let mut touched = BTreeSet::new();
        for (index, compared) in self.compared.iter().enumerate() {
            let Some(compared) = compared else { continue };
            let ranges = self.touched(session, index, compared).await?;
            if index >= own && !ranges.is_empty() {
                self.forget(session, index, compared, 0).await?;
                self.derive_again(index - own).await?;
            } else {
                touched.extend(ranges);
            }
        }
        if touched.is_empty() {
            return Ok(touched);
        }
        let mut lane = self.open_lane(None).await?;
        for &range in &touched {
            let mut partition = None;
            for (index, compared) in self.compared.iter().enumerate().take(own) {
                let Some(compared) = compared else { continue };
                self.forget(session, index, compared, range).await?;
                partition = Some(Partition::Range(compared.ranges[range]));
            }
            if let Some(partition) = partition {
                let piece = Piece { number: -1, partition, range: Some(range), again: true };
                self.copy_once(&mut lane, &piece).await?;
            }
        }
        Ok(touched)
    }

    /// Lists what is to go of the rows that have changed since an earlier run compared them: those that were
    /// fetched were not compared. What is in the ranges `again` was compared a moment ago.
    async fn list_touched(&self, session: &Session, again: &BTreeSet<usize>) -> Result<()> {
        let Some(kept) = &self.kept else { return Ok(()) };
        for (index, compared) in self.compared.iter().enumerate().take(self.plan.program.targets().len()) {
            let Some(compared) = compared else { continue };
            let is_known = |id: &i64| again.iter().any(|&range| compared.ranges[range].holds(*id));
            let ids: Vec<i64> = kept.touched.iter().copied().filter(|id| !is_known(id)).collect();
            if ids.is_empty() {
                continue;
            }
            let (staging, gone) = (&self.staging.targets[index], &self.staging.gone[index]);
            let listed =
                publish::list_touched(session, &self.plan.targets[index], staging, gone, &ids).await?;
            self.listed[index].fetch_add(listed, Relaxed);
        }
        Ok(())
    }

    async fn touched(&self, session: &Session, index: usize, compared: &Compared) -> Result<Vec<usize>> {
        let looked_at: Vec<u64> = compared.looked_at.iter().map(|rows| rows.load(Relaxed)).collect();
        let image = Image {
            sql: &compared.sql,
            visible: &self.visible,
            filenode: self.plan.targets[index].info.filenode,
            ranges: &compared.ranges,
            looked_at: &looked_at,
        };
        image.touched(session).await
    }

    /// Takes back what was found in a range of a target.
    async fn forget(&self, session: &Session, index: usize, compared: &Compared, range: usize) -> Result<()> {
        let key = &self.plan.targets[index].key[0];
        let (staging, gone) = (&self.staging.targets[index], &self.staging.gone[index]);
        let range = compared.ranges[range];
        let staged = session.execute(&sql::delete_range(staging, key, range), &[]).await?;
        let listed = session.execute(&sql::delete_range(gone, sql::GONE_COLUMNS[0].0, range), &[]).await?;
        self.staged[index].fetch_sub(staged, Relaxed);
        self.listed[index].fetch_sub(listed, Relaxed);
        Ok(())
    }
}
