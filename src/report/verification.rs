//! What a `verify` has found after a run.

use serde::{Deserialize, Serialize};

use crate::error::Result;
use crate::history::RunRecord;
use crate::pg::Session;

/// One verify.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Verification {
    /// When it ended, in UTC.
    pub verified_at: String,
    /// Whether no difference was found.
    pub equal: bool,
    /// The percentage of the rows that was compared; none is all.
    pub sample: Option<f64>,
    /// How long it took.
    pub elapsed_ms: u64,
    /// What was compared.
    pub entities: Vec<String>,
    /// Rows that were looked for, over all targets.
    pub rows_checked: u64,
    /// Differences, over all targets.
    pub difference_count: u64,
    /// Each target, in the order of the pipelines.
    pub targets: Vec<VerifiedTarget>,
}

/// One target of a verify.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct VerifiedTarget {
    /// The entity that feeds it.
    pub entity: String,
    /// The table.
    pub table: String,
    /// Rows that were looked for.
    pub rows_checked: u64,
    /// All differences.
    pub difference_count: u64,
}

/// The last verify that began after a run, and ended before the next run that published one of its entities began.
pub(super) async fn after(session: &Session, run: &RunRecord) -> Result<Option<Verification>> {
    let present = "SELECT to_regclass('xdoflow.verifications') IS NOT NULL";
    if !session.query_one(present, &[]).await?.get::<_, bool>(0) {
        return Ok(None);
    }
    let rows = session.query(AFTER, &[&run.run_id]).await?;
    Ok(rows.first().map(|row| {
        let targets: Vec<VerifiedTarget> = serde_json::from_str(row.get("targets")).unwrap_or_default();
        Verification {
            verified_at: row.get("verified_at"),
            equal: row.get("equal"),
            sample: row.get("sample"),
            elapsed_ms: u64::try_from(row.get::<_, i64>("elapsed_ms")).unwrap_or(0),
            entities: row.get("entities"),
            rows_checked: targets.iter().map(|target| target.rows_checked).sum(),
            difference_count: targets.iter().map(|target| target.difference_count).sum(),
            targets,
        }
    }))
}

const AFTER: &str = r#"
    SELECT to_char(v.verified_at AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS"Z"') AS verified_at, v.equal,
           v.sample, v.elapsed_ms, v.entities, v.targets::text AS targets
    FROM xdoflow.verifications v JOIN xdoflow.runs r ON r.entities && v.entities
    WHERE r.run_id = $1 AND v.verified_at - v.elapsed_ms * interval '1 millisecond' >= r.finished_at
      AND NOT EXISTS (
          SELECT FROM xdoflow.runs n
          WHERE n.run_id > r.run_id AND n.entities && v.entities AND n.started_at < v.verified_at
            AND NOT coalesce((to_jsonb(n) ->> 'dry_run')::boolean, false))
    ORDER BY v.verified_at DESC LIMIT 1"#;
