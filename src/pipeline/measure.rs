//! What a run measures of itself: the clocks of its entities, the counters over time, the target's log.
//!
//! All of it is for the ledger and the report. What cannot be asked (the log of a standby, the memory on another
//! system) is left out; no run fails for it.

use std::convert::Infallible;
use std::sync::{Mutex, OnceLock};

use super::entity::lock;
use super::{Job, Run, millis};
use crate::measured::{EntityMeasured, Measured, TargetMeasured, Timeline, peak_rss_bytes};
use crate::pg::Session;
use crate::plan::EntityPlan;
use crate::stage::ledger;
use crate::summary::RunSettings;

/// What is measured beside the counters of the progress.
#[derive(Default)]
pub(super) struct Meter {
    timeline: Mutex<Timeline>,
    /// Where the target's log was when the run began.
    wal_from: OnceLock<String>,
}

impl Meter {
    /// Notes where the target's log is.
    pub(super) async fn begin(&self, session: &Session) {
        if let Some(place) = ledger::wal_place(session).await {
            // A run begins once.
            let _ = self.wal_from.set(place);
        }
    }
}

impl Job {
    /// What the ledger keeps of it.
    pub(super) fn settings(&self) -> RunSettings {
        RunSettings {
            changed: self.changed,
            read: self.read,
            jobs: self.jobs as u64,
            stage_all: self.stage_all,
            no_raw: self.safety.no_raw,
            max_rejects: self.budget.count,
            max_reject_percent: self.budget.percent,
            max_deletes: self.safety.max_deletes.to_string(),
        }
    }
}

impl Run {
    /// Takes samples of the counters as long as the run goes on.
    pub(super) async fn sample(&self) -> Infallible {
        loop {
            let distance = {
                let mut timeline = lock(&self.meter.timeline);
                timeline.push(self.job.progress.sample());
                timeline.distance()
            };
            tokio::time::sleep(distance).await;
        }
    }

    /// All that was measured until now; the log is asked on the session.
    pub(super) async fn measured(&self, session: Option<&Session>) -> Measured {
        let wal_bytes = match (session, self.meter.wal_from.get()) {
            (Some(session), Some(from)) => ledger::wal_bytes_since(session, from).await,
            _ => None,
        };
        let progress = &self.job.progress;
        let cores = std::thread::available_parallelism().map_or(0, usize::from);
        let plans = self.plans.get().map_or(&[][..], Vec::as_slice);
        let begun = plans.iter().filter(|plan| progress.moments(plan.index).is_some());
        Measured {
            elapsed_ms: millis(progress.elapsed()),
            jobs: self.job.jobs as u64,
            cores: cores as u64,
            peak_rss_bytes: peak_rss_bytes("self"),
            wal_bytes,
            timeline: lock(&self.meter.timeline).ended(progress.sample()),
            entities: begun.map(|plan| self.measured_of(plan)).collect(),
        }
    }

    /// What was measured of an entity until now.
    pub(super) fn measured_of(&self, plan: &EntityPlan) -> EntityMeasured {
        let progress = &self.job.progress;
        let counters = progress.entity(plan.index);
        let clocks = counters.clocks();
        let (rows_read, bytes_read, bytes_loaded) = counters.moved();
        let moments = progress.moments(plan.index);
        let targets = plan.targets.iter().zip(clocks.targets()).map(|(target, clocks)| TargetMeasured {
            table: target.label.clone(),
            direct: clocks.direct,
            load_ms: clocks.load.millis(),
            compare_ms: clocks.compare.millis(),
            publish_ms: clocks.publish.millis(),
        });
        EntityMeasured {
            entity: plan.entity.clone(),
            read_path: (rows_read > 0).then(|| plan.source.reading().path),
            began_ms: moments.map_or(0, |moments| moments.began_ms),
            publish_began_ms: moments.and_then(|moments| moments.publish_began_ms),
            ended_ms: moments.map_or(0, |moments| moments.ended_ms),
            lanes: clocks.lanes_most(),
            lane_ms: clocks.lane.millis(),
            scan_ms: clocks.scan.millis(),
            read_ms: clocks.read.millis(),
            full_ms: clocks.full.millis(),
            transform_ms: clocks.transform.millis(),
            rejects_ms: clocks.rejects.millis(),
            rows_read,
            bytes_read,
            bytes_loaded,
            targets: targets.collect(),
        }
    }
}
