//! Which stage is the narrow place now: busy times of the last seconds against the time that lanes worked.
//!
//! The clocks are raised when a batch is through a stage, so over a window of a few of them the shares are those
//! of [`crate::measured::bottleneck()`]: a stage is busy while a lane waits for it, the transform while its threads
//! work.

use std::collections::VecDeque;
use std::time::Duration;

use crate::measured::{Stage, percent};
use crate::progress::{Phase, Snapshot};

/// What the shares are measured over.
const WINDOW: Duration = Duration::from_secs(2);

/// A share over less is noise, and not shown.
const SHORTEST: Duration = Duration::from_millis(400);

/// A stage below this share is not named.
const LEAST: f64 = 0.01;

const STAGES: [Stage; 5] = [Stage::Scan, Stage::Read, Stage::Transform, Stage::Compare, Stage::Load];

/// The stages of the last seconds.
#[derive(Debug, Default)]
pub(super) struct Busy {
    points: VecDeque<Point>,
    /// Whether an entity is published and no lane works.
    only_publishes: bool,
    in_flight: (u64, u64),
}

/// Sums of microseconds over all entities.
#[derive(Clone, Copy, Debug, Default)]
struct Point {
    at: Duration,
    lanes: f64,
    stages: [f64; STAGES.len()],
}

impl Busy {
    /// Takes a snapshot in.
    pub fn observe(&mut self, now: &Snapshot) {
        let last = self.points.back().copied().unwrap_or_default();
        let step = now.elapsed.saturating_sub(last.at).as_micros() as f64;
        let mut point = Point { at: now.elapsed, lanes: last.lanes, ..Point::default() };
        let (mut lanes, mut in_flight, mut most) = (0, 0, 0);
        for seen in &now.entities {
            let busy = seen.busy;
            point.lanes += busy.lanes as f64 * step;
            // One writer that is busy all of the time is the narrow place of all lanes that wait for it.
            let writers = if busy.direct { busy.lanes.max(1) as f64 } else { 1.0 };
            let micros = [busy.scan_us, busy.read_us, busy.transform_us, busy.compare_us, busy.load_us];
            for (sum, micros) in point.stages.iter_mut().zip(micros) {
                *sum += micros as f64;
            }
            point.stages[STAGES.len() - 1] += busy.load_us as f64 * (writers - 1.0);
            lanes += busy.lanes;
            in_flight += busy.in_flight;
            most += busy.in_flight_most;
        }
        self.only_publishes = lanes == 0 && now.entities.iter().any(|seen| seen.phase == Phase::Publishing);
        self.in_flight = (in_flight, most);
        self.points.push_back(point);
        while self.points.get(1).is_some_and(|next| now.elapsed.saturating_sub(next.at) >= WINDOW) {
            self.points.pop_front();
        }
    }

    /// The stages by their shares, the busiest first; nothing while too little is known.
    fn shares(&self) -> Vec<(Stage, f64)> {
        let (Some(first), Some(last)) = (self.points.front(), self.points.back()) else { return Vec::new() };
        let lanes = last.lanes - first.lanes;
        if last.at.saturating_sub(first.at) < SHORTEST || lanes <= 0.0 {
            return Vec::new();
        }
        let share = |index: usize| ((last.stages[index] - first.stages[index]) / lanes).clamp(0.0, 1.0);
        let mut shares: Vec<_> =
            STAGES.iter().enumerate().map(|(index, &stage)| (stage, share(index))).collect();
        shares.retain(|(_, share)| *share >= LEAST);
        shares.sort_by(|a, b| b.1.total_cmp(&a.1));
        shares
    }

    /// `load 91 % busy  5/6 batches in flight  read 34 %  transform 12 %`
    pub fn words(&self) -> Option<String> {
        if self.only_publishes {
            return Some("publish is all that is under way".to_owned());
        }
        let shares = self.shares();
        let (stage, share) = shares.first()?;
        let (in_flight, most) = self.in_flight;
        let mut text =
            format!("{} {} busy  {in_flight}/{most} batches in flight", stage.name(), percent(*share));
        for (stage, share) in &shares[1..] {
            text.push_str(&format!("  {} {}", stage.name(), percent(*share)));
        }
        Some(text)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::progress::layout::samples::{at, participants};
    use crate::measured::clocks::Reading;
    use crate::progress::EntitySnapshot;

    /// Two lanes; in each second reading waits for 0.4 s, the load for 1.8 s.
    fn seen(ms: u64, busy: Reading) -> Snapshot {
        let busy = Reading {
            lanes: 2,
            in_flight: 5,
            in_flight_most: 6,
            read_us: ms * 400,
            load_us: ms * 1_800,
            ..busy
        };
        at(ms, [EntitySnapshot { busy, ..participants(Phase::Copying) }])
    }

    #[test]
    fn the_busiest_stage_stands_first() {
        let mut busy = Busy::default();
        busy.observe(&seen(0, Reading::default()));
        assert_eq!(busy.words(), None, "one look is none");
        for tick in 1..=30 {
            busy.observe(&seen(tick * 100, Reading::default()));
        }
        assert_eq!(busy.words().as_deref(), Some("load 90 % busy  5/6 batches in flight  read 20 %"));
        assert!(busy.points.len() <= 22, "{}", busy.points.len());
    }

    #[test]
    fn one_writer_for_two_lanes_may_be_busy_all_of_the_time() {
        let mut busy = Busy::default();
        for tick in 0..=10 {
            let mut now = seen(tick * 100, Reading { direct: true, ..Reading::default() });
            now.entities[0].busy.load_us = tick * 95_000;
            busy.observe(&now);
        }
        assert_eq!(busy.words().as_deref(), Some("load 95 % busy  5/6 batches in flight  read 20 %"));
    }

    #[test]
    fn while_only_a_publish_is_under_way_that_is_said() {
        let mut busy = Busy::default();
        busy.observe(&at(0, [participants(Phase::Publishing)]));
        assert_eq!(busy.words().as_deref(), Some("publish is all that is under way"));
        busy.observe(&at(900, [participants(Phase::Done)]));
        assert_eq!(busy.words(), None);
    }
}
