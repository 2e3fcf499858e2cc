//! How far a run is: counters that the data path raises and a terminal reads.
//!
//! One writer side, any number of readers, no lock on a counter: the data path never waits for a terminal. A
//! reader takes a [`Snapshot`] about ten times a second; positions never pass their totals, and each
//! phase ends at exactly 100 %.

use std::sync::atomic::{AtomicU8, AtomicU64, Ordering::Relaxed};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::time::{Duration, Instant};

use crate::measured::clocks::Reading;
use crate::measured::{Clocks, Sample};

/// The counters of one run.
#[derive(Debug)]
pub struct Progress {
    started: Instant,
    words: Words,
    entities: Vec<EntityProgress>,
    /// What is to be told and was not yet.
    notes: Mutex<Vec<String>>,
    /// The number of the run in the ledger, once it has one.
    run_id: OnceLock<i64>,
}

/// The counters of one entity.
#[derive(Debug)]
pub struct EntityProgress {
    entity: String,
    phase: AtomicU8,
    /// Milliseconds since the start of the run at which the entity's current phase began.
    phase_since_ms: AtomicU64,
    /// When the entity's read began, its publish began and its publish ended, in milliseconds since the run's start.
    began_ms: AtomicU64,
    publish_began_ms: AtomicU64,
    ended_ms: AtomicU64,
    rows_total: AtomicU64,
    targets: AtomicU64,
    read_rows: AtomicU64,
    read_bytes: AtomicU64,
    load_rows: AtomicU64,
    load_bytes: AtomicU64,
    publish_done: AtomicU64,
    publish_total: AtomicU64,
    rejects: AtomicU64,
    clocks: Arc<Clocks>,
}

/// Where an entity stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
#[repr(u8)]
pub enum Phase {
    /// Not begun.
    Waiting,
    /// V1 is read, transformed and loaded into staging.
    Copying,
    /// Staging becomes the target.
    Publishing,
    /// Committed.
    Done,
}

impl Phase {
    /// The word for people and for JSON.
    pub fn name(self) -> &'static str {
        match self {
            Self::Waiting => "waiting",
            Self::Copying => "copying",
            Self::Publishing => "publishing",
            Self::Done => "done",
        }
    }

    fn from_u8(value: u8) -> Self {
        match value {
            0 => Self::Waiting,
            1 => Self::Copying,
            2 => Self::Publishing,
            _ => Self::Done,
        }
    }
}

/// What the three meters of an entity are called.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Words {
    /// Rows that come in.
    pub read: &'static str,
    /// Rows that go out.
    pub load: &'static str,
    /// What makes them visible.
    pub publish: &'static str,
}

impl Words {
    /// A run.
    pub const RUN: Self = Self { read: "read", load: "load", publish: "publish" };
    /// A plan: nothing is published, what would be is counted.
    pub const PLAN: Self = Self { read: "read", load: "stage", publish: "count" };
    /// The generator of V1.
    pub const GENERATE: Self = Self { read: "generate", load: "load", publish: "vacuum" };
    /// The comparison of V1 and V2.
    pub const VERIFY: Self = Self { read: "read", load: "compare", publish: "refer" };
    /// The profile of a table.
    pub const INSPECT: Self = Self { read: "read", load: "profile", publish: "refer" };
}

/// What a terminal shows: the counters at one moment.
#[derive(Clone, Debug)]
pub struct Snapshot {
    /// Since the run began.
    pub elapsed: Duration,
    /// What the three meters are called.
    pub words: Words,
    /// In the order of the run.
    pub entities: Vec<EntitySnapshot>,
}

/// One entity at one moment.
#[derive(Clone, Debug)]
pub struct EntitySnapshot {
    /// Its name.
    pub entity: String,
    /// Where it stands.
    pub phase: Phase,
    /// Time in this phase.
    pub phase_elapsed: Duration,
    /// Time from the first byte read until now, or until the commit.
    pub elapsed: Duration,
    /// Reading V1: rows, of all rows of the snapshot.
    pub read: Meter,
    /// Loading: rows accounted for in every target (loaded, quarantined or filtered).
    pub load: Meter,
    /// Publishing: staged rows merged, of all staged rows; bytes are not known.
    pub publish: Meter,
    /// Rejected cells and rows so far.
    pub rejects: u64,
    /// How busy its stages were so far.
    pub busy: Reading,
}

/// When an entity was in which phase, in milliseconds since the start of the run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Moments {
    /// It was begun to be copied.
    pub began_ms: u64,
    /// Its publish began; none where it has not.
    pub publish_began_ms: Option<u64>,
    /// It was committed; else now.
    pub ended_ms: u64,
}

/// A position that never passes its total.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Meter {
    /// Rows done.
    pub rows: u64,
    /// Rows in all; 0 while it is not known.
    pub total: u64,
    /// Bytes that went over the wire.
    pub bytes: u64,
}

impl Progress {
    /// Counters for these entities, at zero, the clock running.
    pub fn new(entities: impl IntoIterator<Item = String>) -> Self {
        Self::with_words(entities, Words::RUN)
    }

    /// The same, for work whose phases have other names.
    pub fn with_words(entities: impl IntoIterator<Item = String>, words: Words) -> Self {
        let entities = entities.into_iter().map(EntityProgress::new).collect();
        Self { started: Instant::now(), words, entities, notes: Mutex::default(), run_id: OnceLock::new() }
    }

    /// The counters of the entity at an index.
    pub fn entity(&self, index: usize) -> &EntityProgress {
        &self.entities[index]
    }

    /// Moves an entity to its next phase.
    pub fn enter(&self, index: usize, phase: Phase) {
        let entity = &self.entities[index];
        let now = self.now_ms();
        match phase {
            Phase::Copying => entity.began_ms.store(now, Relaxed),
            Phase::Publishing => entity.publish_began_ms.store(now, Relaxed),
            Phase::Done => entity.ended_ms.store(now, Relaxed),
            Phase::Waiting => {}
        }
        entity.phase_since_ms.store(now, Relaxed);
        entity.phase.store(phase as u8, Relaxed);
    }

    /// Tells whoever watches a sentence: that the run waits, or that something is tried again.
    pub fn tell(&self, note: String) {
        self.notes.lock().unwrap_or_else(PoisonError::into_inner).push(note);
    }

    /// Takes what is to be told.
    pub fn take_notes(&self) -> Vec<String> {
        std::mem::take(&mut *self.notes.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// Notes the number that the ledger has given to the run.
    pub fn set_run_id(&self, run_id: i64) {
        // A run has one number.
        let _ = self.run_id.set(run_id);
    }

    /// The number of the run; none before the ledger has given one.
    pub fn run_id(&self) -> Option<i64> {
        self.run_id.get().copied()
    }

    /// The time since the start of the run.
    pub fn elapsed(&self) -> Duration {
        self.started.elapsed()
    }

    /// When an entity was in which phase; nothing of one that waits.
    pub fn moments(&self, index: usize) -> Option<Moments> {
        let entity = &self.entities[index];
        let phase = Phase::from_u8(entity.phase.load(Relaxed));
        let moment = |ms: &AtomicU64| ms.load(Relaxed);
        (phase > Phase::Waiting).then(|| Moments {
            began_ms: moment(&entity.began_ms),
            // An entity of which nothing had changed is done without a publish.
            publish_began_ms: Some(moment(&entity.publish_began_ms)).filter(|ms| *ms > 0),
            ended_ms: if phase == Phase::Done { moment(&entity.ended_ms) } else { self.now_ms() },
        })
    }

    /// The counters of all entities together, as they are now.
    pub fn sample(&self) -> Sample {
        let sum = |counter: fn(&EntityProgress) -> &AtomicU64| -> u64 {
            self.entities.iter().map(|entity| counter(entity).load(Relaxed)).sum()
        };
        Sample {
            at_ms: self.now_ms(),
            rows_read: sum(|entity| &entity.read_rows),
            rows_loaded: sum(|entity| &entity.load_rows),
            bytes_read: sum(|entity| &entity.read_bytes),
            bytes_loaded: sum(|entity| &entity.load_bytes),
        }
    }

    fn now_ms(&self) -> u64 {
        u64::try_from(self.started.elapsed().as_millis()).unwrap_or(u64::MAX)
    }

    /// All counters at this moment.
    pub fn snapshot(&self) -> Snapshot {
        let now = self.now_ms();
        Snapshot {
            elapsed: self.started.elapsed(),
            words: self.words,
            entities: self.entities.iter().map(|entity| entity.snapshot(now)).collect(),
        }
    }
}

impl EntityProgress {
    fn new(entity: String) -> Self {
        let zero = || AtomicU64::new(0);
        Self {
            entity,
            phase: AtomicU8::new(Phase::Waiting as u8),
            phase_since_ms: zero(),
            began_ms: zero(),
            publish_began_ms: zero(),
            ended_ms: zero(),
            rows_total: zero(),
            targets: zero(),
            read_rows: zero(),
            read_bytes: zero(),
            load_rows: zero(),
            load_bytes: zero(),
            publish_done: zero(),
            publish_total: zero(),
            rejects: zero(),
            clocks: Arc::default(),
        }
    }

    /// Its clocks.
    pub fn clocks(&self) -> &Arc<Clocks> {
        &self.clocks
    }

    /// Rows and bytes that came from V1 so far, and bytes that were sent.
    pub fn moved(&self) -> (u64, u64, u64) {
        let counters = (&self.read_rows, &self.read_bytes, &self.load_bytes);
        (counters.0.load(Relaxed), counters.1.load(Relaxed), counters.2.load(Relaxed))
    }

    /// Says how many rows the snapshot holds and how many targets each of them goes to.
    pub fn expect(&self, rows: u64, targets: u64) {
        self.rows_total.store(rows, Relaxed);
        self.targets.store(targets, Relaxed);
    }

    /// Rows and bytes that came from V1.
    pub fn read(&self, rows: u64, bytes: u64) {
        self.read_rows.fetch_add(rows, Relaxed);
        self.read_bytes.fetch_add(bytes, Relaxed);
    }

    /// Rows accounted for, summed over the targets, and bytes sent into staging.
    pub fn load(&self, rows: u64, bytes: u64) {
        self.load_rows.fetch_add(rows, Relaxed);
        self.load_bytes.fetch_add(bytes, Relaxed);
    }

    /// Rejected cells and rows. Returns their number in all.
    pub fn reject(&self, count: u64) -> u64 {
        self.rejects.fetch_add(count, Relaxed) + count
    }

    /// Takes back rows and bytes that came from V1 and are to come again.
    pub fn take_back_read(&self, rows: u64, bytes: u64) {
        self.read_rows.fetch_sub(rows, Relaxed);
        self.read_bytes.fetch_sub(bytes, Relaxed);
    }

    /// Takes back what was accounted for, sent and rejected of them.
    pub fn take_back_load(&self, rows: u64, bytes: u64, rejects: u64) {
        self.load_rows.fetch_sub(rows, Relaxed);
        self.load_bytes.fetch_sub(bytes, Relaxed);
        self.rejects.fetch_sub(rejects, Relaxed);
    }

    /// Says how many staged rows there are to publish.
    pub fn expect_publish(&self, rows: u64) {
        self.publish_total.store(rows, Relaxed);
    }

    /// Staged rows whose part of the publish is done.
    pub fn publish(&self, rows: u64) {
        self.publish_done.fetch_add(rows, Relaxed);
    }

    /// From the first byte read to the commit.
    pub fn elapsed(&self) -> Duration {
        Duration::from_millis(self.ended_ms.load(Relaxed).saturating_sub(self.began_ms.load(Relaxed)))
    }

    fn snapshot(&self, now_ms: u64) -> EntitySnapshot {
        let phase = Phase::from_u8(self.phase.load(Relaxed));
        let total = self.rows_total.load(Relaxed);
        let until = if phase == Phase::Done { self.ended_ms.load(Relaxed) } else { now_ms };
        let since = |ms: &AtomicU64| Duration::from_millis(until.saturating_sub(ms.load(Relaxed)));
        let load_total = total * self.targets.load(Relaxed);
        let publish_total = self.publish_total.load(Relaxed);
        let bytes = |counter: &AtomicU64| counter.load(Relaxed);
        EntitySnapshot {
            entity: self.entity.clone(),
            phase,
            phase_elapsed: since(&self.phase_since_ms),
            elapsed: if phase == Phase::Waiting { Duration::ZERO } else { since(&self.began_ms) },
            read: Meter::new(self.read_rows.load(Relaxed), total, bytes(&self.read_bytes)),
            load: Meter::new(self.load_rows.load(Relaxed), load_total, bytes(&self.load_bytes)),
            publish: Meter::new(self.publish_done.load(Relaxed), publish_total, 0),
            rejects: self.rejects.load(Relaxed),
            busy: self.clocks.read_off(),
        }
    }
}

impl Meter {
    fn new(rows: u64, total: u64, bytes: u64) -> Self {
        Self { rows: rows.min(total), total, bytes }
    }

    /// The share that is done, 0 to 1; 0 while the total is not known.
    pub fn share(&self) -> f64 {
        if self.total == 0 { 0.0 } else { self.rows as f64 / self.total as f64 }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_meter_ends_at_its_total_and_never_passes_it() {
        let progress = Progress::new(["users".to_owned()]);
        progress.enter(0, Phase::Copying);
        progress.entity(0).expect(10, 2);
        progress.entity(0).read(7, 100);
        progress.entity(0).read(4, 50);
        progress.entity(0).load(20, 80);
        let seen = progress.snapshot().entities.remove(0);
        assert_eq!(seen.phase, Phase::Copying);
        assert_eq!(seen.read, Meter { rows: 10, total: 10, bytes: 150 });
        assert_eq!(seen.load, Meter { rows: 20, total: 20, bytes: 80 });
        assert_eq!(seen.publish.share(), 0.0);
        assert_eq!(seen.read.share(), 1.0);
    }
}
