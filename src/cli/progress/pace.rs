//! From snapshots to speeds: what changed since the last look, how fast it goes, how long it will take.
//!
//! A [`Pace`] keeps the moments at which its counter moved, back to five seconds ago and always at least
//! the last two. So a steady flow shows its speed of the last seconds, a counter that moves in large
//! steps (a publish, one statement a step) shows the speed of its last step and not 0, and one that
//! hangs sinks towards 0. The time to go is remaining over speed, followed slowly: it counts down with
//! the clock and gives way to a new estimate over [`ETA_SETTLES`], so that it never jumps.

use std::collections::VecDeque;
use std::time::Duration;

use super::busy::Busy;
use crate::progress::{EntitySnapshot, Meter, Phase, Snapshot};

/// What a speed is measured over.
const WINDOW: Duration = Duration::from_secs(5);
/// Moves closer together than this count as one; bounds what is kept to 50 moves a window.
const GRAIN: Duration = Duration::from_millis(100);
/// A speed over less is noise, and not shown.
const SHORTEST: Duration = Duration::from_millis(300);
/// The share of an entity's work that is its publish: measured at 10 to 20 % where V2 is full.
const PUBLISH: f64 = 0.15;
/// The run as one meter has so many parts.
const WHOLE: u64 = 1_000_000_000;
/// How fast the time to go follows a new estimate (the time constant, in seconds).
const ETA_SETTLES: f64 = 2.0;

/// What is known of the run beyond a snapshot.
#[derive(Debug, Default)]
pub(super) struct Tracker {
    entities: Vec<Track>,
    /// All entities as one, for the time to go.
    pub run: Pace,
    pub busy: Busy,
}

/// What is known of one entity beyond a snapshot.
#[derive(Debug)]
pub(super) struct Track {
    phase: Phase,
    /// Time from the first byte read to the begin of the publish, when a snapshot has seen that.
    pub copy_took: Option<Duration>,
    pub read: Pace,
    pub load: Pace,
    pub publish: Pace,
    /// Read and load as one, see [`copied`].
    pub copy: Pace,
}

/// An entity went into a phase.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Entered {
    pub entity: usize,
    pub phase: Phase,
    /// Whether the entity is still in it; no counters are known of a phase that is over.
    pub current: bool,
}

/// How fast a meter moves.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Speed {
    pub rows_per_s: u64,
    pub bytes_per_s: u64,
}

/// The speed of one meter.
#[derive(Debug, Default)]
pub(super) struct Pace {
    /// The moments at which the meter moved, oldest first; the first one is where it was first seen.
    moves: VecDeque<Sample>,
    first: Option<Sample>,
    last: Option<Sample>,
    complete: bool,
    /// Seconds to go.
    eta_s: Option<f64>,
}

#[derive(Clone, Copy, Debug)]
struct Sample {
    at: Duration,
    rows: u64,
    bytes: u64,
}

impl Tracker {
    /// Takes a snapshot in. Returns the phases entered since the last one, in order, none left out.
    pub fn observe(&mut self, now: &Snapshot) -> Vec<Entered> {
        self.entities.resize_with(now.entities.len(), Track::new);
        let mut entered = Vec::new();
        for (index, (track, seen)) in self.entities.iter_mut().zip(&now.entities).enumerate() {
            let passed = [Phase::Copying, Phase::Publishing, Phase::Done]
                .into_iter()
                .filter(|phase| *phase > track.phase && *phase <= seen.phase);
            entered.extend(passed.map(|phase| Entered {
                entity: index,
                phase,
                current: phase == seen.phase,
            }));
            track.observe(now.elapsed, seen);
        }
        self.busy.observe(now);
        if let Some(whole) = whole(now) {
            self.run.observe(now.elapsed, whole);
        }
        entered
    }

    /// The entities of a snapshot that was observed, each with what is known of it.
    pub fn of<'a>(&'a self, now: &'a Snapshot) -> impl Iterator<Item = (&'a EntitySnapshot, &'a Track)> {
        now.entities.iter().zip(&self.entities)
    }
}

impl Track {
    fn new() -> Self {
        Self {
            phase: Phase::Waiting,
            copy_took: None,
            read: Pace::default(),
            load: Pace::default(),
            publish: Pace::default(),
            copy: Pace::default(),
        }
    }

    fn observe(&mut self, at: Duration, seen: &EntitySnapshot) {
        if seen.phase == Phase::Publishing {
            self.copy_took.get_or_insert(seen.elapsed.saturating_sub(seen.phase_elapsed));
        }
        self.phase = seen.phase;
        // The totals are known before an entity begins; the time that it waits is no time of its own.
        if seen.phase >= Phase::Copying {
            self.read.observe(at, seen.read);
            self.load.observe(at, seen.load);
            self.copy.observe(at, copied(seen));
        }
        if seen.phase >= Phase::Publishing {
            self.publish.observe(at, seen.publish);
        }
    }
}

/// All entities as one meter; nothing while the rows of one that is not done are not known.
///
/// An entity weighs what its rows do: the bytes of a row as far as they were seen, else those of the others' rows.
/// [`PUBLISH`] of its work is the publish.
fn whole(now: &Snapshot) -> Option<Meter> {
    let (mut rows, mut bytes) = (0.0, 0.0);
    for seen in &now.entities {
        rows += seen.read.rows as f64;
        bytes += seen.read.bytes as f64;
    }
    let usual = if rows > 0.0 { bytes / rows } else { 1.0 };
    let (mut done, mut all) = (0.0, 0.0);
    for seen in &now.entities {
        if seen.phase != Phase::Done && seen.read.total == 0 {
            return None;
        }
        let row = if seen.read.rows > 0 { seen.read.bytes as f64 / seen.read.rows as f64 } else { usual };
        let weight = seen.read.total as f64 * row.max(1.0);
        let share = match seen.phase {
            Phase::Done => 1.0,
            _ => copied(seen).share() * (1.0 - PUBLISH) + seen.publish.share() * PUBLISH,
        };
        done += weight * share;
        all += weight;
    }
    let is_done = now.entities.iter().all(|seen| seen.phase == Phase::Done);
    let part = if all > 0.0 { (done / all * WHOLE as f64) as u64 } else { 0 };
    let rows = if is_done { WHOLE } else { part.min(WHOLE - 1) };
    Some(Meter { rows, total: WHOLE, bytes: 0 })
}

/// Read and load as one meter in rows of the source: a row counts when each of its targets has it. Bytes
/// are those read.
pub(super) fn copied(seen: &EntitySnapshot) -> Meter {
    let share = u128::from(seen.load.rows) * u128::from(seen.read.total);
    match share.checked_div(u128::from(seen.load.total)) {
        // No more than read.total, as load.rows never passes load.total.
        Some(rows) => Meter { rows: u64::try_from(rows).unwrap_or(seen.read.total), ..seen.read },
        None => seen.read,
    }
}

impl Pace {
    /// Takes the meter's position at a time of the run in.
    pub fn observe(&mut self, at: Duration, meter: Meter) {
        if meter.total == 0 || self.complete {
            return;
        }
        let sample = Sample { at, rows: meter.rows, bytes: meter.bytes };
        let step = self.last.map_or(0.0, |last| at.saturating_sub(last.at).as_secs_f64());
        self.first.get_or_insert(sample);
        self.last = Some(sample);
        let moved = self.moves.back().is_none_or(|last| {
            (last.rows != meter.rows || last.bytes != meter.bytes) && at.saturating_sub(last.at) >= GRAIN
        });
        if moved {
            self.moves.push_back(sample);
        }
        while self.moves.len() > 2
            && self.moves.get(1).is_some_and(|next| at.saturating_sub(next.at) >= WINDOW)
        {
            self.moves.pop_front();
        }
        self.complete = meter.rows == meter.total;
        self.eta_s = self.estimate(meter).map(|estimate| match self.eta_s {
            Some(before) => {
                let counted_down = (before - step).max(0.0);
                counted_down + (estimate - counted_down) * (1.0 - (-step / ETA_SETTLES).exp())
            }
            None => estimate,
        });
    }

    fn estimate(&self, meter: Meter) -> Option<f64> {
        let (first, last) = (self.moves.front()?, self.last?);
        let speed = Self::between(*first, last).filter(|_| !self.complete)?.0;
        (speed > 0.0).then(|| meter.total.saturating_sub(meter.rows) as f64 / speed)
    }

    /// Rows and bytes a second.
    fn between(first: Sample, last: Sample) -> Option<(f64, f64)> {
        let time = last.at.saturating_sub(first.at);
        let seconds = time.as_secs_f64();
        let per_s = |from: u64, to: u64| to.saturating_sub(from) as f64 / seconds;
        (time >= SHORTEST).then(|| (per_s(first.rows, last.rows), per_s(first.bytes, last.bytes)))
    }

    /// The speed of the last seconds; of all its time once the meter is complete.
    pub fn speed(&self) -> Option<Speed> {
        let first = if self.complete { self.first? } else { *self.moves.front()? };
        let (rows, bytes) = Self::between(first, self.last?)?;
        // Float to integer casts saturate.
        Some(Speed { rows_per_s: rows.round() as u64, bytes_per_s: bytes.round() as u64 })
    }

    /// The time to go, where a speed is known and something remains.
    pub fn eta(&self) -> Option<Duration> {
        self.eta_s.and_then(|seconds| Duration::try_from_secs_f64(seconds).ok())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn meter(rows: u64) -> Meter {
        Meter { rows, total: 100_000, bytes: rows * 1000 }
    }

    #[test]
    fn a_steady_flow_shows_its_speed_and_counts_down() {
        let mut pace = Pace::default();
        for tick in 0..=100 {
            pace.observe(Duration::from_millis(tick * 100), meter(tick * 100));
        }
        // 1,000 rows a second; 10,000 of 100,000 rows done: 90 s to go.
        assert_eq!(pace.speed(), Some(Speed { rows_per_s: 1000, bytes_per_s: 1_000_000 }));
        assert_eq!(pace.eta().map(|eta| eta.as_secs_f64().round()), Some(90.0));
        assert!(pace.moves.len() <= 52);
    }

    #[test]
    fn the_speed_is_that_of_the_last_seconds_and_the_eta_does_not_jump() {
        let mut pace = Pace::default();
        let mut rows = 0;
        let mut before: Option<f64> = None;
        for tick in 0..=200 {
            rows += if tick <= 100 { 100 } else { 300 };
            pace.observe(Duration::from_millis(tick * 100), meter(rows));
            let eta = pace.eta().map(|eta| eta.as_secs_f64());
            if let (Some(before), Some(now)) = (before, eta) {
                assert!((before - now).abs() < 3.0, "{before} s, then {now} s");
            }
            before = eta;
        }
        assert_eq!(pace.speed().map(|speed| speed.rows_per_s), Some(3000));
    }

    #[test]
    fn a_counter_that_moves_in_steps_has_a_speed_between_them_and_one_that_hangs_sinks() {
        let mut pace = Pace::default();
        for tick in 0..=340 {
            pace.observe(Duration::from_millis(tick * 100), meter(tick / 100 * 10_000));
        }
        // Steps of 10,000 rows at 10, 20 and 30 s; now 34 s: one step since 20 s.
        assert_eq!(pace.speed().map(|speed| speed.rows_per_s), Some(714));
        pace.observe(Duration::from_secs(1020), meter(30_000));
        assert_eq!(pace.speed().map(|speed| speed.rows_per_s), Some(10));
    }

    #[test]
    fn a_complete_meter_keeps_its_mean_speed_and_has_no_eta() {
        let mut pace = Pace::default();
        pace.observe(Duration::from_secs(1), meter(0));
        pace.observe(Duration::from_secs(9), meter(10_000));
        pace.observe(Duration::from_secs(11), meter(100_000));
        pace.observe(Duration::from_secs(60), meter(100_000));
        assert_eq!(pace.speed(), Some(Speed { rows_per_s: 10_000, bytes_per_s: 10_000_000 }));
        assert_eq!(pace.eta(), None);
    }

    #[test]
    fn the_run_has_a_time_to_go_once_all_rows_are_known_and_entities_weigh_what_their_rows_do() {
        use crate::cli::progress::layout::samples::{at, participants, users};
        let unknown = at(100, [users(Phase::Waiting), participants(Phase::Copying)]);
        assert_eq!(whole(&unknown), None);
        let sized = |phase, rows, total, bytes| {
            let meter = Meter { rows, total, bytes };
            EntitySnapshot { read: meter, load: meter, publish: Meter::default(), ..participants(phase) }
        };
        // 1,000 rows of 100 bytes, half of them there; 100 rows of 1,000 bytes, none of them read yet.
        let half = sized(Phase::Copying, 500, 1_000, 50_000);
        let done = sized(Phase::Done, 100, 100, 100_000);
        let part = |entities| whole(&at(100, entities)).expect("known").share();
        assert!(
            (part([half.clone(), done.clone()]) - (50_000.0 * 0.85 + 100_000.0) / 200_000.0).abs() < 1e-6
        );
        let unread = sized(Phase::Waiting, 0, 1_000, 0);
        assert!((part([half, unread]) - 0.25 * 0.85).abs() < 1e-6);
        assert_eq!(part([done.clone(), done]), 1.0);
        // A tenth a second.
        let mut tracker = Tracker::default();
        for tick in 0..=20 {
            tracker.observe(&at(tick * 100, [sized(Phase::Copying, tick * 10, 1_000, tick * 1_000)]));
        }
        let eta = tracker.run.eta().expect("a time").as_secs_f64();
        assert!((9.0..11.0).contains(&eta), "{eta}");
    }

    #[test]
    fn without_a_total_or_a_second_look_there_is_no_speed() {
        let mut pace = Pace::default();
        pace.observe(Duration::from_secs(1), Meter::default());
        pace.observe(Duration::from_secs(2), Meter::default());
        assert_eq!((pace.speed(), pace.eta()), (None, None));
        pace.observe(Duration::from_secs(3), meter(5));
        assert_eq!((pace.speed(), pace.eta()), (None, None));
    }
}
