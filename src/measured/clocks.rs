//! The clocks of one entity: raised by the data path, read by whoever watches.
//!
//! Sums of microseconds without a lock. A time is added when it is over: what is under way is not seen yet,
//! which is at most a batch or a statement.

use std::future::Future;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::sync::{Arc, OnceLock};
use std::time::{Duration, Instant};

/// A sum of times.
#[derive(Debug, Default)]
pub struct Clock(AtomicU64);

impl Clock {
    /// Adds a time.
    pub fn add(&self, time: Duration) {
        // Half a million years fit.
        self.0.fetch_add(u64::try_from(time.as_micros()).unwrap_or(u64::MAX), Relaxed);
    }

    /// Adds the time that this takes until it is ready; nothing where it is dropped before.
    pub async fn time<T>(&self, work: impl Future<Output = T>) -> T {
        let began = Instant::now();
        let done = work.await;
        self.add(began.elapsed());
        done
    }

    /// Adds the time that this takes.
    pub fn time_of<T>(&self, work: impl FnOnce() -> T) -> T {
        let began = Instant::now();
        let done = work();
        self.add(began.elapsed());
        done
    }

    /// The sum in microseconds.
    pub fn micros(&self) -> u64 {
        self.0.load(Relaxed)
    }

    /// The sum in milliseconds, rounded.
    pub fn millis(&self) -> u64 {
        (self.micros() + 500) / 1000
    }
}

/// The clocks of one entity.
#[derive(Debug, Default)]
pub struct Clocks {
    /// Lanes, from their begin to their end.
    pub lane: Clock,
    /// Lanes that compare V1's row versions with the fingerprints of the last run, or stage what they saw of them.
    pub scan: Arc<Clock>,
    /// Lanes that wait for the bytes of V1.
    pub read: Clock,
    /// Lanes that may not read on, since as many batches are in flight as may be.
    pub full: Clock,
    /// Threads that transform.
    pub transform: Clock,
    /// Rejected values on their way to the target.
    pub rejects: Arc<Clock>,
    targets: OnceLock<Vec<TargetClocks>>,
    lanes: AtomicU64,
    lanes_most: AtomicU64,
    in_flight: AtomicU64,
    in_flight_most: AtomicU64,
}

/// The clocks of one target.
#[derive(Debug, Default)]
pub struct TargetClocks {
    /// Whether one writer loads it for all lanes.
    pub direct: bool,
    /// Rows, and lists of rows that are gone, on their way to the target.
    pub load: Arc<Clock>,
    /// It is read back and compared.
    pub compare: Clock,
    /// The statements of its publish.
    pub publish: Clock,
}

/// The sums of one entity at one moment.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Reading {
    /// Lanes that work now.
    pub lanes: u64,
    /// Whether one writer loads for all of them.
    pub direct: bool,
    /// Batches between the read and the load now.
    pub in_flight: u64,
    /// The most that there may be.
    pub in_flight_most: u64,
    /// Microseconds that lanes have scanned.
    pub scan_us: u64,
    /// Microseconds that lanes have waited for the bytes of V1.
    pub read_us: u64,
    /// Microseconds that threads have transformed.
    pub transform_us: u64,
    /// Microseconds that targets were read back and compared.
    pub compare_us: u64,
    /// Microseconds that rows were being sent.
    pub load_us: u64,
}

impl Clocks {
    /// Says which targets there are, before any of their clocks is raised: for each whether one writer loads it
    /// for all lanes.
    pub fn expect_targets(&self, direct: impl IntoIterator<Item = bool>) {
        let clocks = direct.into_iter().map(|direct| TargetClocks { direct, ..TargetClocks::default() });
        // An entity is prepared once.
        let _ = self.targets.set(clocks.collect());
    }

    /// The clocks of the targets; none before their number is known.
    pub fn targets(&self) -> &[TargetClocks] {
        self.targets.get().map_or(&[], Vec::as_slice)
    }

    /// A lane begins to work, which may have so many batches in flight; it ends when what is returned is dropped.
    pub fn lane(&self, in_flight: usize) -> LaneAtWork<'_> {
        let now = self.lanes.fetch_add(1, Relaxed) + 1;
        self.lanes_most.fetch_max(now, Relaxed);
        let in_flight = in_flight as u64;
        self.in_flight_most.fetch_add(in_flight, Relaxed);
        LaneAtWork { clocks: self, began: Instant::now(), in_flight }
    }

    /// Counts the batches of a piece; those that are left when it is dropped have come to nothing.
    pub fn flight(&self) -> Flight<'_> {
        Flight { clocks: self, batches: AtomicU64::new(0) }
    }

    /// The most lanes that worked at a time.
    pub fn lanes_most(&self) -> u64 {
        self.lanes_most.load(Relaxed)
    }

    /// All sums at this moment.
    pub fn read_off(&self) -> Reading {
        let sum = |clock: fn(&TargetClocks) -> u64| self.targets().iter().map(clock).sum::<u64>();
        Reading {
            lanes: self.lanes.load(Relaxed),
            direct: self.targets().iter().any(|target| target.direct),
            in_flight: self.in_flight.load(Relaxed),
            in_flight_most: self.in_flight_most.load(Relaxed),
            scan_us: self.scan.micros(),
            read_us: self.read.micros(),
            transform_us: self.transform.micros(),
            compare_us: sum(|target| target.compare.micros()),
            load_us: sum(|target| target.load.micros()) + self.rejects.micros(),
        }
    }
}

/// A lane that works.
#[derive(Debug)]
pub struct LaneAtWork<'a> {
    clocks: &'a Clocks,
    began: Instant,
    in_flight: u64,
}

impl Drop for LaneAtWork<'_> {
    fn drop(&mut self) {
        self.clocks.lane.add(self.began.elapsed());
        self.clocks.lanes.fetch_sub(1, Relaxed);
        self.clocks.in_flight_most.fetch_sub(self.in_flight, Relaxed);
    }
}

/// The batches of a piece that are in flight.
#[derive(Debug)]
pub struct Flight<'a> {
    clocks: &'a Clocks,
    batches: AtomicU64,
}

impl Flight<'_> {
    /// A batch was read.
    pub fn up(&self) {
        self.batches.fetch_add(1, Relaxed);
        self.clocks.in_flight.fetch_add(1, Relaxed);
    }

    /// A batch was loaded.
    pub fn down(&self) {
        self.batches.fetch_sub(1, Relaxed);
        self.clocks.in_flight.fetch_sub(1, Relaxed);
    }
}

impl Drop for Flight<'_> {
    fn drop(&mut self) {
        self.clocks.in_flight.fetch_sub(*self.batches.get_mut(), Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lanes_and_batches_are_counted_while_they_are_there() {
        let clocks = Clocks::default();
        clocks.expect_targets([true, false]);
        let one = clocks.lane(3);
        let two = clocks.lane(3);
        let flight = clocks.flight();
        flight.up();
        flight.up();
        flight.down();
        clocks.targets()[1].load.add(Duration::from_millis(4));
        clocks.rejects.add(Duration::from_micros(600));
        let seen = clocks.read_off();
        assert_eq!((seen.lanes, seen.in_flight, seen.in_flight_most, seen.load_us), (2, 1, 6, 4_600));
        drop(two);
        drop(flight);
        let seen = clocks.read_off();
        assert_eq!((seen.lanes, seen.in_flight, seen.in_flight_most), (1, 0, 3));
        drop(one);
        assert_eq!((clocks.lanes_most(), clocks.read_off().lanes), (2, 0));
        assert_eq!((clocks.targets()[1].load.millis(), clocks.rejects.millis()), (4, 1));
    }
}
