//! How long a run may take, and how much it may write: what the run before that wrote about as much did.
//!
//! A run costs what it reads, which is much the same each time, and what it writes. So of the last runs of the same
//! entities in the same mode the one counts that wrote about as many rows as are to be written now.

use serde::Serialize;

use crate::error::Result;
use crate::pg::{Database, Row};
use crate::summary::RunSummary;

/// What `plan` tells.
#[derive(Clone, Debug, Serialize)]
pub struct PlanReport {
    /// The counts of a run, and in `forecast` of each entity what would stop it and what would change.
    #[serde(flatten)]
    pub run: RunSummary,
    /// How many guards would stop it.
    pub would_stop: u64,
    /// What it may cost; none where no such run has come to its end.
    pub estimate: Option<Estimate>,
}

/// What a run may cost, by one before it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Estimate {
    /// Wall time in milliseconds.
    pub elapsed_ms: u64,
    /// Bytes of WAL, where that was measured.
    pub wal_bytes: Option<u64>,
    /// The run that it goes by.
    pub run_id: i64,
    /// Rows that it inserted, updated or deleted.
    pub rows_written: u64,
    /// How many runs it was chosen from.
    pub runs: u64,
}

/// Estimates what a run would cost that does what a plan says.
pub async fn estimate(target: &Database, plan: &RunSummary, changed: bool) -> Result<Option<Estimate>> {
    let session = target.connect("estimate").await?;
    let entities: Vec<&str> = plan.entities.iter().map(|entity| entity.entity.as_str()).collect();
    let mode = plan.mode.name();
    let rows = session.query(PAST, &[&entities, &mode, &changed]).await?;
    let targets = plan.entities.iter().flat_map(|entity| &entity.targets);
    let written: u64 = targets.map(|target| target.inserted + target.updated + target.deleted).sum();
    Ok(nearest(rows.iter().map(past).collect(), written))
}

/// Of the same entities and mode; only runs that came to their end, read all of V1, and published. The newest first.
const PAST: &str = "
    SELECT r.run_id, (extract(epoch FROM r.finished_at - r.started_at) * 1000)::bigint AS elapsed_ms,
           (to_jsonb(r) #>> '{measured,wal_bytes}')::bigint AS wal_bytes,
           (SELECT coalesce(sum(t.inserted + t.updated + t.deleted), 0)::bigint
            FROM xdoflow.run_targets t WHERE t.run_id = r.run_id) AS written
    FROM xdoflow.runs r
    WHERE r.state = 'done' AND NOT r.dry_run AND NOT r.partial AND r.resumes IS NULL
      AND r.mode = $2 AND r.entities @> $1 AND r.entities <@ $1
      AND $3 = ALL (SELECT e.changed FROM xdoflow.run_entities e WHERE e.run_id = r.run_id)
    ORDER BY r.run_id DESC LIMIT 20";

fn past(row: &Row) -> Estimate {
    let count = |value: i64| u64::try_from(value).unwrap_or(0);
    Estimate {
        elapsed_ms: count(row.get("elapsed_ms")),
        wal_bytes: row.get::<_, Option<i64>>("wal_bytes").map(count),
        run_id: row.get("run_id"),
        rows_written: count(row.get("written")),
        runs: 0,
    }
}

/// The run that wrote about as much: the least times more or less. Of those that are alike the first, which is the
/// newest.
fn nearest(past: Vec<Estimate>, written: u64) -> Option<Estimate> {
    let runs = past.len() as u64;
    let apart = |rows: u64| {
        let (few, many) = (rows.min(written) + 1, rows.max(written) + 1);
        many as f64 / few as f64
    };
    let found = past.into_iter().min_by(|a, b| apart(a.rows_written).total_cmp(&apart(b.rows_written)))?;
    Some(Estimate { runs, ..found })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_newest_of_those_that_wrote_about_as_much_counts() {
        let past =
            |run_id, rows_written| Estimate { elapsed_ms: 0, wal_bytes: None, run_id, rows_written, runs: 0 };
        let all = || vec![past(4, 0), past(3, 1_000_000), past(2, 900), past(1, 0)];
        let chosen = |written| nearest(all(), written).map(|found| (found.run_id, found.runs));
        assert_eq!(chosen(0), Some((4, 4)));
        assert_eq!(chosen(20), Some((4, 4)));
        assert_eq!(chosen(40), Some((2, 4)));
        assert_eq!(chosen(600_000), Some((3, 4)));
        assert_eq!(nearest(Vec::new(), 7), None);
    }
}
