//! The last step of an entity: what was found becomes the targets.

use std::collections::BTreeSet;
use std::sync::atomic::Ordering::Relaxed;

use super::entity::{Compared, EntityRun, Piece};
use super::{copy_partition, millis};
use crate::error::Result;
use crate::partition::Partition;
use crate::pg::{Session, sql};
use crate::progress::Phase;
use crate::stage::image::Image;
use crate::stage::ledger;
use crate::stage::publish::{self, Publish, TargetLoad};
use crate::summary::Way;

impl EntityRun {
    /// Publishes the entity: one transaction for all its targets.
    pub(super) async fn publish(&self, run_id: i64) -> Result<()> {
        let job = &self.run.job;
        let plan = &self.plan;
        let progress = job.progress.entity(plan.index);
        let tallies = self.tallies();
        let rows_read = progress.rows_read();
        // The count of the start may still be under way.
        progress.expect(rows_read, plan.program.targets().len() as u64);
        let mut summary = plan.summarize(&tallies, rows_read);
        for (target, chosen) in summary.targets.iter_mut().zip(&self.chosen) {
            (target.way, target.why) = (chosen.way, chosen.why.clone());
        }
        self.check_reject_share(&summary, &tallies)?;
        job.progress.enter(plan.index, Phase::Publishing);
        progress.expect_publish(summary.targets.iter().map(|target| target.loaded).sum());
        let session = match self.end_direct().await? {
            Some(session) => session,
            None => {
                let session = job.target.connect(&format!("publish {}", plan.entity)).await?;
                publish::begin(&session, &plan.targets).await?;
                session
            }
        };
        self.decide_anew(&session).await?;
        let load = |(index, chosen): (usize, &super::way::Chosen)| TargetLoad {
            way: chosen.way,
            staged: if chosen.way == Way::Direct { 0 } else { self.staged[index].load(Relaxed) },
            listed: self.listed[index].load(Relaxed),
        };
        let loads: Vec<TargetLoad> = self.chosen.iter().enumerate().map(load).collect();
        let publish = Publish {
            mode: job.mode,
            prune: job.prune,
            partial: job.only_ids.is_some(),
            targets: &plan.targets,
            loads: &loads,
            staging: &self.staging.targets,
            gone: &self.staging.gone,
            rejects: &self.staging.rejects,
            unique_source_id: plan.source.unique_id,
            progress,
        };
        publish.apply(&session, &mut summary).await?;
        ledger::record(&session, run_id, &summary).await?;
        let rejects = &self.staging.rejects;
        ledger::keep_rejects(&session, run_id, &plan.entity, rejects).await?;
        ledger::resolve_rejects(&session, run_id, &plan.entity, rejects, job.ids(plan)).await?;
        session.batch(&self.staging.drop_sql()).await?;
        session.batch("COMMIT").await?;
        job.progress.enter(plan.index, Phase::Done);
        summary.elapsed_ms = millis(progress.elapsed());
        // The one publish of an entity sets its summary once.
        let _ = plan.summary.set(summary);
        Ok(())
    }

    /// Compares once more what others have written to since V2 was read back. The session holds the lock of
    /// the publish, so this is the last word.
    async fn decide_anew(&self, session: &Session) -> Result<()> {
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
            return Ok(());
        }
        let mut lane = self.open_lane(None).await?;
        for range in touched {
            let mut partition = None;
            for (index, compared) in self.compared.iter().enumerate().take(own) {
                let Some(compared) = compared else { continue };
                self.forget(session, index, compared, range).await?;
                partition = Some(Partition::Range(compared.ranges[range]));
            }
            if let Some(partition) = partition {
                copy_partition(self, &mut lane, &Piece { partition, range, again: true }).await?;
            }
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
