//! The results as data: what `bench --json` prints.
//!
//! A ratio is that of two medians, below 1 where the contender is faster. None is formed with, or of, a
//! contender whose rows are wrong or who has failed: to be fast at something else is no merit.

use std::collections::BTreeMap;

use serde::Serialize;

use super::contender::{Contender, Scenario};
use super::machine::Machine;
use super::meter::Measured;
use super::source::Documents;
use crate::summary::ReadPath;

/// The name of the row that stands for all entities together.
pub const WORKSPACE: &str = "workspace";

/// All that a bench has found.
#[derive(Clone, Debug, Serialize)]
pub struct BenchReport {
    /// What was measured, where and how.
    pub header: Header,
    /// A row for each scenario, entity and contender.
    pub results: Vec<ResultRow>,
}

/// What was measured, where and how.
#[derive(Clone, Debug, Serialize)]
pub struct Header {
    /// The version of xdoflow.
    pub version: String,
    /// When, in UTC.
    pub date: String,
    /// Where.
    pub machine: Machine,
    /// The server.
    pub server: ServerHeader,
    /// Size of V1, where it was generated.
    pub scale: Option<f64>,
    /// Its seed.
    pub seed: Option<u64>,
    /// How dirty it is.
    pub dirt: Option<String>,
    /// Runs of each contender.
    pub samples: usize,
    /// The N of `plain×N`, and the connections of the floors.
    pub cores: usize,
    /// V1 and its state of TOAST.
    pub tables: Vec<Documents>,
    /// The ways in which each floor was tried.
    pub floors: Vec<FloorTried>,
    /// What else has to be known of the figures.
    pub notes: Vec<String>,
}

/// The server.
#[derive(Clone, Debug, Serialize)]
pub struct ServerHeader {
    /// As it says.
    pub version: String,
    /// Whether it was started for the bench.
    pub private: bool,
    /// Its settings, as far as they matter here.
    pub settings: BTreeMap<String, String>,
}

/// The ways in which one floor was tried, once each, before the samples.
#[derive(Clone, Debug, Serialize)]
pub struct FloorTried {
    /// The scenario.
    pub scenario: Scenario,
    /// The entity, or `workspace`.
    pub entity: String,
    /// The form of the documents.
    pub read_path: ReadPath,
    /// The way that was taken.
    pub used: String,
    /// Each way and its milliseconds.
    pub tried: Vec<(String, f64)>,
}

/// One contender on one entity in one scenario.
#[derive(Clone, Debug, Serialize)]
pub struct ResultRow {
    /// The scenario.
    pub scenario: Scenario,
    /// The entity, or `workspace`.
    pub entity: String,
    /// The contender.
    pub contender: Contender,
    /// In which form it reads documents, where it reads them out of the server.
    pub read_path: Option<ReadPath>,
    /// Whether all targets of an entity change in one transaction.
    pub atomic: bool,
    /// Whether the targets stay the tables that they are.
    pub in_place: bool,
    /// Whether V2 holds afterwards what V1 says.
    pub correct: bool,
    /// Rows that differ, where it was compared.
    pub rows_wrong: Option<u64>,
    /// What the server or the program said, where it failed.
    pub error: Option<String>,
    /// How it went about it, where it was to choose: the connections of a floor.
    pub way: Option<String>,
    /// Of each sample.
    pub wall_ms: Vec<f64>,
    /// Their median.
    pub median_ms: Option<f64>,
    /// Rows of V1 a second.
    pub rows_per_s: Option<f64>,
    /// Megabytes of documents, as text, a second.
    pub mb_per_s: Option<f64>,
    /// Median CPU of the client.
    pub cpu_client_ms: Option<f64>,
    /// Median CPU of the server.
    pub cpu_server_ms: Option<f64>,
    /// Median of the WAL written.
    pub wal_bytes: Option<u64>,
    /// The most WAL written for the targets, where it was read: in `no_change`, on a private server.
    pub wal_target_bytes: Option<u64>,
    /// The most memory of the client in any sample.
    pub rss_peak_bytes: Option<u64>,
    /// Against `arrow`.
    pub vs_arrow: Option<f64>,
    /// Against the fastest SQL that is right.
    pub vs_best_sql: Option<f64>,
    /// Against the fastest SQL that is right, atomic and in place.
    pub vs_best_inplace_sql: Option<f64>,
    /// Against the floor of the same read path; of SQL, against that of the text.
    pub vs_floor: Option<f64>,
}

/// What is known of one contender on one entity in one scenario.
#[derive(Clone, Debug, Default)]
pub struct Outcome {
    /// Its runs.
    pub samples: Vec<Sample>,
    /// Rows that were wrong.
    pub rows_wrong: Option<u64>,
    /// Why it failed.
    pub error: Option<String>,
}

/// One run.
#[derive(Clone, Copy, Debug)]
pub struct Sample {
    /// The meters.
    pub measured: Measured,
    /// WAL of the targets.
    pub wal_target_bytes: Option<u64>,
}

/// What a row is about.
#[derive(Clone, Debug)]
pub struct Place<'a> {
    /// The scenario.
    pub scenario: Scenario,
    /// The entity, or `workspace`.
    pub entity: &'a str,
    /// The contender.
    pub contender: Contender,
    /// How it went about it, where it was to choose.
    pub way: Option<String>,
    /// The most targets that an entity has.
    pub targets: usize,
    /// Rows of V1 that it is about.
    pub rows: u64,
    /// Bytes of their documents.
    pub bytes: u64,
}

impl Outcome {
    /// Whether all that was compared was right, and nothing failed.
    pub fn is_right(&self) -> bool {
        self.error.is_none() && self.rows_wrong.unwrap_or(0) == 0 && !self.samples.is_empty()
    }

    /// The outcome of doing one after the other.
    pub fn sum<'o>(parts: impl IntoIterator<Item = &'o Self>) -> Self {
        let parts: Vec<&Self> = parts.into_iter().collect();
        let shortest = parts.iter().map(|part| part.samples.len()).min().unwrap_or(0);
        let samples = (0..shortest).filter_map(|index| {
            let samples = parts.iter().filter_map(|part| part.samples.get(index)).copied();
            samples.reduce(Sample::after)
        });
        let wrong: Vec<u64> = parts.iter().filter_map(|part| part.rows_wrong).collect();
        Self {
            samples: samples.collect(),
            rows_wrong: (wrong.len() == parts.len()).then(|| wrong.iter().sum()),
            error: parts.iter().find_map(|part| part.error.clone()),
        }
    }

    /// The row, still without ratios.
    pub fn row(&self, place: &Place<'_>) -> ResultRow {
        let contender = place.contender;
        let measured = |of: &dyn Fn(&Measured) -> Option<f64>| {
            let values: Option<Vec<f64>> = self.samples.iter().map(|sample| of(&sample.measured)).collect();
            values.and_then(|values| median(&values))
        };
        let wall_ms: Vec<f64> =
            self.samples.iter().map(|sample| tenths(sample.measured.wall.as_secs_f64() * 1000.0)).collect();
        let median_ms = median(&wall_ms);
        let a_second = |amount: f64| median_ms.filter(|&ms| ms > 0.0).map(|ms| tenths(amount * 1000.0 / ms));
        ResultRow {
            scenario: place.scenario,
            entity: place.entity.to_owned(),
            contender,
            read_path: contender.read,
            atomic: contender.is_atomic(place.targets),
            in_place: contender.is_in_place(),
            correct: self.is_right(),
            rows_wrong: self.rows_wrong,
            error: self.error.clone(),
            way: place.way.clone(),
            rows_per_s: a_second(place.rows as f64),
            mb_per_s: a_second(place.bytes as f64 / 1e6),
            wall_ms,
            median_ms,
            cpu_client_ms: measured(&|measured| measured.client_cpu_ms),
            cpu_server_ms: measured(&|measured| measured.server_cpu_ms),
            // Whole bytes: half of one is of no interest.
            wal_bytes: measured(&|measured| Some(measured.wal_bytes as f64)).map(|bytes| bytes as u64),
            wal_target_bytes: self.samples.iter().filter_map(|sample| sample.wal_target_bytes).max(),
            rss_peak_bytes: self.samples.iter().filter_map(|sample| sample.measured.rss_peak_bytes).max(),
            vs_arrow: None,
            vs_best_sql: None,
            vs_best_inplace_sql: None,
            vs_floor: None,
        }
    }
}

impl Sample {
    fn after(self, next: Self) -> Self {
        let both = |a: Option<f64>, b: Option<f64>| Some(a? + b?);
        let (a, b) = (self.measured, next.measured);
        Self {
            measured: Measured {
                wall: a.wall + b.wall,
                client_cpu_ms: both(a.client_cpu_ms, b.client_cpu_ms),
                server_cpu_ms: both(a.server_cpu_ms, b.server_cpu_ms),
                wal_bytes: a.wal_bytes + b.wal_bytes,
                rss_peak_bytes: a.rss_peak_bytes.max(b.rss_peak_bytes),
            },
            wal_target_bytes: self
                .wal_target_bytes
                .zip(next.wal_target_bytes)
                .map(|(mine, theirs)| mine + theirs),
        }
    }
}

/// Adds the ratios to the rows.
pub fn compare(rows: &mut [ResultRow]) {
    let times: Vec<_> = rows.iter().map(|row| row.median_ms.filter(|_| row.correct)).collect();
    for index in 0..rows.len() {
        let Some(mine) = times[index] else { continue };
        let row = &rows[index];
        let ratio = |wanted: &dyn Fn(&ResultRow) -> bool| {
            let same = rows.iter().zip(&times).filter(|(other, _)| {
                other.scenario == row.scenario && other.entity == row.entity && wanted(other)
            });
            let best = same.filter_map(|(_, time)| *time).fold(f64::INFINITY, f64::min);
            (best.is_finite() && best > 0.0).then(|| (mine / best * 1e4).round() / 1e4)
        };
        let floor = row.read_path.unwrap_or(ReadPath::Text);
        let (arrow, sql, inplace, floor) = (
            ratio(&|other| other.contender.name == "arrow"),
            ratio(&|other| other.contender.is_sql()),
            ratio(&|other| other.contender.is_sql() && other.atomic && other.in_place),
            ratio(&|other| other.contender.name == "floor" && other.read_path == Some(floor)),
        );
        let row = &mut rows[index];
        (row.vs_arrow, row.vs_best_sql, row.vs_best_inplace_sql, row.vs_floor) = (arrow, sql, inplace, floor);
    }
}

fn tenths(number: f64) -> f64 {
    (number * 10.0).round() / 10.0
}

/// The middle one, or the mean of the two in the middle.
pub fn median(values: &[f64]) -> Option<f64> {
    let mut sorted = values.to_vec();
    sorted.sort_by(f64::total_cmp);
    let middle = sorted.len() / 2;
    match (sorted.len() % 2, sorted.get(middle)) {
        (0, Some(upper)) => Some((sorted.get(middle - 1)? + upper) / 2.0),
        (_, found) => found.copied(),
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::super::contender::choose;
    use super::*;

    fn outcome(walls: &[u64], rows_wrong: u64) -> Outcome {
        let samples = walls.iter().map(|&ms| Sample {
            measured: Measured {
                wall: Duration::from_millis(ms),
                client_cpu_ms: Some(1.0),
                server_cpu_ms: None,
                wal_bytes: 10,
                rss_peak_bytes: Some(ms),
            },
            wal_target_bytes: None,
        });
        Outcome { samples: samples.collect(), rows_wrong: Some(rows_wrong), error: None }
    }

    fn row(word: &str, outcome: &Outcome) -> ResultRow {
        let contender = choose(&[word.to_owned()]).unwrap()[0];
        let (scenario, entity) = (Scenario::Reload, "agents");
        outcome.row(&Place {
            scenario,
            entity,
            contender,
            way: None,
            targets: 5,
            rows: 100,
            bytes: 2_000_000,
        })
    }

    #[test]
    fn ratios_are_those_of_the_medians_and_leave_out_what_is_wrong() {
        let mut rows = vec![
            row("arrow", &outcome(&[900, 1000, 5000], 0)),
            row("plain", &outcome(&[800], 0)),
            row("ctas", &outcome(&[500], 0)),
            row("record", &outcome(&[10], 3)),
            row("xdoflow-merge:text", &outcome(&[300, 100], 0)),
            row("floor:text", &outcome(&[160], 0)),
        ];
        compare(&mut rows);
        let ours = &rows[4];
        assert_eq!(ours.median_ms, Some(200.0));
        assert_eq!((ours.rows_per_s, ours.mb_per_s), (Some(500.0), Some(10.0)));
        assert_eq!((ours.vs_arrow, ours.vs_best_sql), (Some(0.2), Some(0.4)));
        assert_eq!((ours.vs_best_inplace_sql, ours.vs_floor), (Some(0.25), Some(1.25)));
        assert_eq!((rows[0].vs_arrow, rows[0].vs_best_sql), (Some(1.0), Some(2.0)));
        assert_eq!((rows[3].correct, rows[3].rows_wrong, rows[3].vs_arrow), (false, Some(3), None));
        assert!(!rows[0].atomic && rows[1].atomic && !rows[2].in_place);
    }

    #[test]
    fn a_sum_is_wrong_or_failed_where_a_part_of_it_is() {
        let failed = Outcome { error: Some("no".to_owned()), ..Outcome::default() };
        let sum = Outcome::sum([&outcome(&[1, 2], 0), &outcome(&[10, 20], 2)]);
        assert_eq!(sum.samples.iter().map(|s| s.measured.wall.as_millis()).collect::<Vec<_>>(), [11, 22]);
        assert_eq!((sum.rows_wrong, sum.is_right()), (Some(2), false));
        let sum = Outcome::sum([&outcome(&[1, 2], 0), &failed]);
        assert_eq!((sum.samples.len(), sum.error.as_deref(), sum.rows_wrong), (0, Some("no"), None));
    }

    #[test]
    fn the_median_of_an_even_number_is_the_mean_of_the_middle() {
        assert_eq!(median(&[]), None);
        assert_eq!(median(&[3.0, 1.0, 2.0]), Some(2.0));
        assert_eq!(median(&[4.0, 1.0, 2.0, 3.0]), Some(2.5));
    }
}
