//! `bench --csv`: a line for each row of the report, with the names of the JSON object.

use crate::bench::{BenchReport, ResultRow};
use crate::error::{Error, Result};
use crate::summary::ReadPath;

const COLUMNS: [&str; 24] = [
    "scenario",
    "entity",
    "contender",
    "read_path",
    "atomic",
    "in_place",
    "correct",
    "rows_wrong",
    "error",
    "way",
    "wall_ms",
    "median_ms",
    "rows_per_s",
    "mb_per_s",
    "cpu_client_ms",
    "cpu_server_ms",
    "wal_bytes",
    "wal_target_bytes",
    "rss_peak_bytes",
    "vs_arrow",
    "vs_best_sql",
    "vs_best_inplace_sql",
    "vs_floor",
    "samples",
];

/// The report as CSV; what is not known is empty, and the times of the samples stand in one field with
/// spaces between them.
///
/// # Errors
/// None that is known of: it is written into memory.
pub fn csv(report: &BenchReport) -> Result<Vec<u8>> {
    let failed = |error: csv::Error| Error::stop(format!("cannot write the result as CSV: {error}"));
    let mut writer = csv::Writer::from_writer(Vec::new());
    writer.write_record(COLUMNS).map_err(failed)?;
    for row in &report.results {
        writer.write_record(fields(row)).map_err(failed)?;
    }
    writer.into_inner().map_err(|error| Error::stop(format!("cannot write the result as CSV: {error}")))
}

fn fields(row: &ResultRow) -> [String; COLUMNS.len()] {
    fn known<T: ToString>(value: Option<T>) -> String {
        value.map_or_else(String::new, |value| value.to_string())
    }
    let walls: Vec<String> = row.wall_ms.iter().map(f64::to_string).collect();
    [
        row.scenario.name().to_owned(),
        row.entity.clone(),
        row.contender.name.to_owned(),
        known(row.read_path.map(ReadPath::name)),
        row.atomic.to_string(),
        row.in_place.to_string(),
        row.correct.to_string(),
        known(row.rows_wrong),
        known(row.error.as_deref()),
        known(row.way.as_deref()),
        walls.join(" "),
        known(row.median_ms),
        known(row.rows_per_s),
        known(row.mb_per_s),
        known(row.cpu_client_ms),
        known(row.cpu_server_ms),
        known(row.wal_bytes),
        known(row.wal_target_bytes),
        known(row.rss_peak_bytes),
        known(row.vs_arrow),
        known(row.vs_best_sql),
        known(row.vs_best_inplace_sql),
        known(row.vs_floor),
        row.wall_ms.len().to_string(),
    ]
}
