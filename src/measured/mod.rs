//! What a run measured of itself: the shapes that the ledger keeps, and what they say.
//!
//! ```text
//! clocks (raised by the data path) ─► Measured (kept in the ledger) ─► bottleneck (in words)
//! ```
//! A clock is raised once for a batch or a statement, never for a row: a run is not to be slower because it
//! is measured. Times of lanes are summed over them, so a share is busy time over the time that lanes worked.
//! All shapes have defaults for what an older version did not measure.

pub mod bottleneck;
pub mod clocks;
mod process;
mod timeline;

use serde::{Deserialize, Serialize};

use crate::summary::ReadPath;

pub use bottleneck::{Bottleneck, Stage, bottleneck, percent};
pub use clocks::{Clock, Clocks};
pub use process::peak_rss_bytes;
pub use timeline::{Sample, Timeline};

/// One run.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Measured {
    /// From its start to its end, in milliseconds.
    pub elapsed_ms: u64,
    /// Lanes, and threads that transform.
    pub jobs: u64,
    /// Cores of the machine that it ran on.
    pub cores: u64,
    /// The most memory that the process has held.
    pub peak_rss_bytes: Option<u64>,
    /// WAL that the target's whole server wrote meanwhile, whoever caused it; none where it does not say.
    pub wal_bytes: Option<u64>,
    /// The counters over time.
    pub timeline: Vec<Sample>,
    /// Those that were begun, in the order of the run.
    pub entities: Vec<EntityMeasured>,
}

/// One entity. Moments are milliseconds since the start of the run; times of lanes are summed over them.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct EntityMeasured {
    /// Its name.
    pub entity: String,
    /// In which form its documents were read; none where that was not decided.
    pub read_path: Option<ReadPath>,
    /// When it was begun to be copied.
    pub began_ms: u64,
    /// When its publish began; none where it did not.
    pub publish_began_ms: Option<u64>,
    /// When it was committed, or the run ended without that.
    pub ended_ms: u64,
    /// The most lanes that worked for it at a time.
    pub lanes: u64,
    /// How long they worked.
    pub lane_ms: u64,
    /// How long they compared V1's row versions with the fingerprints of the last run.
    pub scan_ms: u64,
    /// How long they waited for the bytes of V1.
    pub read_ms: u64,
    /// How long they could not read on, since as many batches were in flight as may be.
    pub full_ms: u64,
    /// How long threads transformed its batches.
    pub transform_ms: u64,
    /// How long rejected values were sent.
    pub rejects_ms: u64,
    /// Rows of V1.
    pub rows_read: u64,
    /// Bytes of V1, as they came over the wire.
    pub bytes_read: u64,
    /// Bytes that were sent to the target.
    pub bytes_loaded: u64,
    /// In the order of the pipeline file.
    pub targets: Vec<TargetMeasured>,
}

/// One target.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct TargetMeasured {
    /// The table.
    pub table: String,
    /// Whether one writer loaded it for all lanes, in the publishing transaction.
    pub direct: bool,
    /// How long its rows were being sent.
    pub load_ms: u64,
    /// How long it was read back and compared.
    pub compare_ms: u64,
    /// How long the statements of its publish took.
    pub publish_ms: u64,
}

/// The busy time of a stage and the time that it had.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Busy {
    /// Milliseconds.
    pub busy_ms: u64,
    /// Milliseconds; 0 where it had none.
    pub of_ms: u64,
}

impl Busy {
    /// The share, 0 to 1.
    pub fn share(self) -> f64 {
        if self.of_ms == 0 { 0.0 } else { (self.busy_ms as f64 / self.of_ms as f64).min(1.0) }
    }

    fn add(&mut self, other: Self) {
        self.busy_ms += other.busy_ms;
        self.of_ms += other.of_ms;
    }
}

impl EntityMeasured {
    /// How long it was copied.
    pub fn copy_ms(&self) -> u64 {
        self.publish_began_ms.unwrap_or(self.ended_ms).saturating_sub(self.began_ms)
    }

    /// How long it was published.
    pub fn publish_ms(&self) -> u64 {
        self.publish_began_ms.map_or(0, |began| self.ended_ms.saturating_sub(began))
    }

    /// How busy a stage was of the time that the lanes had; the publish, of the time that the entity took.
    pub fn busy(&self, stage: Stage, jobs: u64) -> Busy {
        let sum = |time: fn(&TargetMeasured) -> u64| self.targets.iter().map(time).sum::<u64>();
        // One writer cannot be busier than all of the time, however many lanes wait for it.
        let is_direct = self.targets.iter().any(|target| target.direct);
        let (busy_ms, of_ms) = match stage {
            Stage::Scan => (self.scan_ms, self.lane_ms),
            Stage::Read => (self.read_ms, self.lane_ms),
            Stage::Transform => (self.transform_ms, self.copy_ms() * jobs),
            Stage::Compare => (sum(|target| target.compare_ms), self.lane_ms),
            Stage::Load => {
                let time = if is_direct { self.copy_ms() } else { self.lane_ms };
                (sum(|target| target.load_ms) + self.rejects_ms, time)
            }
            Stage::Publish => (self.publish_ms(), self.ended_ms.saturating_sub(self.began_ms)),
        };
        Busy { busy_ms, of_ms }
    }
}
