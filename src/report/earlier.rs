//! The runs before one that did the same: what it is compared with.

use serde::Serialize;

use super::per_second;
use crate::error::Result;
use crate::history::RunRecord;
use crate::pg::{Row, Session};
use crate::summary::RunSettings;

/// So many are compared.
const MOST: i64 = 10;

/// A run before.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct EarlierRun {
    /// Its number.
    pub run_id: i64,
    /// In UTC: `2025-01-15T10:00:00Z`.
    pub started_at: String,
    /// How long it took.
    pub elapsed_ms: u64,
    /// Rows of V1.
    pub rows_read: u64,
    /// Rows of V1 a second; none where nothing was read.
    pub rows_per_s: Option<u64>,
    /// Rows inserted, updated and deleted.
    pub written: u64,
    /// Values and rows that it rejected.
    pub rejects: u64,
}

/// The last runs before one that came to their end, of the same entities, in the same mode and with the same reach.
pub(super) async fn before(
    session: &Session,
    run: &RunRecord,
    settings: Option<&RunSettings>,
) -> Result<Vec<EarlierRun>> {
    let changed = settings.is_some_and(|settings| settings.changed);
    let rows = session
        .query(
            BEFORE,
            &[&run.run_id, &run.mode, &run.prune, &run.partial, &run.dry_run, &run.entities, &changed, &MOST],
        )
        .await?;
    Ok(rows.iter().map(earlier).collect())
}

fn earlier(row: &Row) -> EarlierRun {
    let count = |column: &str| u64::try_from(row.get::<_, i64>(column)).unwrap_or(0);
    let (elapsed_ms, rows_read) = (count("elapsed_ms"), count("rows_read"));
    EarlierRun {
        run_id: row.get("run_id"),
        started_at: row.get("started_at"),
        elapsed_ms,
        rows_read,
        rows_per_s: per_second(rows_read, elapsed_ms),
        written: count("written"),
        rejects: count("rejects"),
    }
}

/// A ledger of an older version lacks `dry_run` and `settings`.
const BEFORE: &str = r#"
    SELECT r.run_id,
           to_char(r.started_at AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS"Z"') AS started_at,
           (extract(epoch FROM r.finished_at - r.started_at) * 1000)::bigint AS elapsed_ms,
           e.rows_read, e.rejects, t.written
    FROM xdoflow.runs r
    CROSS JOIN LATERAL (
        SELECT coalesce(sum(rows_read), 0)::bigint AS rows_read, coalesce(sum(rejects), 0)::bigint AS rejects
        FROM xdoflow.run_entities WHERE run_id = r.run_id) e
    CROSS JOIN LATERAL (
        SELECT coalesce(sum(inserted + updated + deleted), 0)::bigint AS written
        FROM xdoflow.run_targets WHERE run_id = r.run_id) t
    WHERE r.run_id < $1 AND r.state = 'done' AND r.finished_at IS NOT NULL
      AND (r.mode, r.prune, r.partial) = ($2, $3, $4)
      AND coalesce((to_jsonb(r) ->> 'dry_run')::boolean, false) = $5
      AND r.entities @> $6 AND r.entities <@ $6
      AND coalesce((to_jsonb(r) -> 'settings' ->> 'changed')::boolean, false) = $7
    ORDER BY r.run_id DESC LIMIT $8"#;
