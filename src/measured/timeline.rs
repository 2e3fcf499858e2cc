//! The counters of a run over time, in few points however long it takes.
//!
//! A point is kept at most every so often; when there are too many every second one goes and the distance
//! doubles. So a run of a second has ten points, one of a day about a hundred.

use std::time::Duration;

use serde::{Deserialize, Serialize};

/// The most points that are kept.
const MOST: usize = 120;

/// The distance of the first points: a run of a second is to have a curve.
const FIRST: Duration = Duration::from_millis(100);

/// The counters of all entities at one moment.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Sample {
    /// Milliseconds since the start of the run.
    pub at_ms: u64,
    /// Rows of V1.
    pub rows_read: u64,
    /// Rows accounted for, summed over the targets.
    pub rows_loaded: u64,
    /// Bytes of V1.
    pub bytes_read: u64,
    /// Bytes sent to the target.
    pub bytes_loaded: u64,
}

/// Samples in the order of time.
#[derive(Debug)]
pub struct Timeline {
    samples: Vec<Sample>,
    distance: Duration,
}

impl Default for Timeline {
    fn default() -> Self {
        Self { samples: Vec::new(), distance: FIRST }
    }
}

impl Timeline {
    /// How long to wait for the next sample.
    pub fn distance(&self) -> Duration {
        self.distance
    }

    /// Takes a sample in.
    pub fn push(&mut self, sample: Sample) {
        if self.samples.len() == MOST {
            let mut index = 0;
            self.samples.retain(|_| {
                index += 1;
                index % 2 == 1
            });
            self.distance *= 2;
        }
        self.samples.push(sample);
    }

    /// The samples, with `last` as their end.
    pub fn ended(&self, last: Sample) -> Vec<Sample> {
        let mut samples = self.samples.clone();
        samples.retain(|sample| sample.at_ms < last.at_ms);
        samples.push(last);
        samples
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_long_run_keeps_few_points_all_over_it_and_its_first_and_last() {
        let mut timeline = Timeline::default();
        let mut at_ms = 0;
        // A day.
        while at_ms < 86_400_000 {
            timeline.push(Sample { at_ms, rows_read: at_ms, ..Sample::default() });
            at_ms += u64::try_from(timeline.distance().as_millis()).expect("small");
        }
        let samples = timeline.ended(Sample { at_ms, ..Sample::default() });
        assert!((60..=MOST + 1).contains(&samples.len()), "{}", samples.len());
        assert_eq!((samples[0].at_ms, samples[samples.len() - 1].at_ms), (0, at_ms));
        let steps: Vec<u64> = samples.windows(2).map(|two| two[1].at_ms - two[0].at_ms).collect();
        let (least, most) = (steps.iter().min().expect("one"), steps.iter().max().expect("one"));
        assert_eq!(least, most);
    }

    #[test]
    fn the_end_is_not_told_twice() {
        let mut timeline = Timeline::default();
        timeline.push(Sample { at_ms: 0, ..Sample::default() });
        timeline.push(Sample { at_ms: 100, rows_read: 5, ..Sample::default() });
        let last = Sample { at_ms: 100, rows_read: 7, ..Sample::default() };
        assert_eq!(timeline.ended(last), [Sample::default(), last]);
    }
}
