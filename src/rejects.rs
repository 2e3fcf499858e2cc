//! The quarantine, as people look at it: sums by column and reason, the values themselves, a CSV file.

use std::io::Write;
use std::time::Duration;

use serde::Serialize;

use crate::error::{Error, Result};
use crate::name::literal;
use crate::pg::{ByteStream, Database, Row, Session};

/// Which rejects.
#[derive(Clone, Debug, Default)]
pub struct Selection {
    /// Only of this entity.
    pub entity: Option<String>,
    /// Of this run; else of the last run of each entity.
    pub run: Option<i64>,
    /// Only with this reason code.
    pub reason: Option<String>,
}

/// What was found.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct RejectReport {
    /// All that were selected.
    pub count: u64,
    /// Of these, how many a later run has accepted.
    pub resolved: u64,
    /// By entity, column and reason, the most frequent first.
    pub sums: Vec<RejectSum>,
    /// The first of them.
    pub values: Vec<RejectedValue>,
}

/// How often a column rejected for a reason.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct RejectSum {
    /// The entity.
    pub entity: String,
    /// The target's table.
    pub table: String,
    /// The column; none where the whole row was rejected.
    pub column: Option<String>,
    /// The reason's code.
    pub reason_code: String,
    /// How often.
    pub count: i64,
    /// The lowest ids of source rows, at most three.
    pub sample_ids: Vec<i64>,
}

/// One rejected value.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct RejectedValue {
    /// The run that rejected it.
    pub run_id: i64,
    /// The entity.
    pub entity: String,
    /// The id of its row in V1.
    pub source_id: i64,
    /// The target's table.
    pub table: String,
    /// The column; none where the whole row was rejected.
    pub column: Option<String>,
    /// The key that the value stands in.
    pub key: Option<String>,
    /// The value as JSON.
    pub raw: Option<String>,
    /// The reason in words.
    pub reason: String,
    /// Whether a later run has accepted it.
    pub resolved: bool,
}

impl Selection {
    /// The rejects `r` that are selected: without a run, those of the last one that read all rows of the entity
    /// and of those since that read what had changed. A run that rejected nothing has no row there, but is the
    /// last one all the same: the ledger knows it. (A ledger of an older version has no column `changed`.)
    fn clause(&self) -> String {
        let text = |text: &Option<String>| text.as_deref().map_or("NULL".to_owned(), literal);
        let (entity, reason) = (text(&self.entity), text(&self.reason));
        let run = self.run.map_or("NULL".to_owned(), |run| run.to_string());
        format!(
            "FROM xdoflow.rejects r
             WHERE ({entity}::text IS NULL OR r.entity = {entity})
               AND ({reason}::text IS NULL OR r.reason_code = {reason})
               AND CASE WHEN {run}::bigint IS NOT NULL THEN r.run_id = {run} ELSE
                     r.run_id >= (
                       SELECT max(e.run_id) FROM xdoflow.run_entities e JOIN xdoflow.runs USING (run_id)
                       WHERE e.entity = r.entity AND NOT partial
                         AND NOT coalesce((to_jsonb(e) ->> 'changed')::boolean, false)
                          AND NOT coalesce((to_jsonb(runs) ->> 'dry_run')::boolean, false))
                     AND NOT (SELECT partial FROM xdoflow.runs o WHERE o.run_id = r.run_id) END"
        )
    }
}

/// Looks into the quarantine of a target; shows at most `limit` values.
pub async fn list(target: &Database, selection: &Selection, limit: u32) -> Result<RejectReport> {
    let session = open(target).await?;
    let selected = selection.clause();
    let total = session.query_one(&format!("SELECT count(*), count(r.resolved_at) {selected}"), &[]).await?;
    let sums = session
        .query(
            &format!(
                "SELECT r.entity, r.target_table, r.target_column, r.reason_code, count(*),
                   (array_agg(DISTINCT r.source_id))[1:3]
                 {selected} GROUP BY 1, 2, 3, 4 ORDER BY 5 DESC, 1, 2, 3, 4"
            ),
            &[],
        )
        .await?;
    let values = session
        .query(
            &format!(
                "SELECT r.run_id, r.entity, r.source_id, r.target_table, r.target_column, r.key, r.raw::text,
                   r.reason, r.resolved_at IS NOT NULL
                 {selected} ORDER BY 2, 4, 5, 3 LIMIT {limit}"
            ),
            &[],
        )
        .await?;
    let rows = |index| u64::try_from(total.get::<_, i64>(index)).unwrap_or(0);
    Ok(RejectReport {
        count: rows(0),
        resolved: rows(1),
        sums: sums
            .iter()
            .map(|row| RejectSum {
                entity: row.get(0),
                table: row.get(1),
                column: row.get(2),
                reason_code: row.get(3),
                count: row.get(4),
                sample_ids: row.get(5),
            })
            .collect(),
        values: values.iter().map(rejected_value).collect(),
    })
}

fn rejected_value(row: &Row) -> RejectedValue {
    RejectedValue {
        run_id: row.get(0),
        entity: row.get(1),
        source_id: row.get(2),
        table: row.get(3),
        column: row.get(4),
        key: row.get(5),
        raw: row.get(6),
        reason: row.get(7),
        resolved: row.get(8),
    }
}

/// What a run rejected, by column and reason, the most frequent first; and up to `each` values of each, long ones
/// cut.
pub async fn by_reason(
    target: &Database,
    run_id: i64,
    each: u32,
) -> Result<(Vec<RejectSum>, Vec<RejectedValue>)> {
    let sums = list(target, &Selection { run: Some(run_id), ..Selection::default() }, 0).await?.sums;
    let session = open(target).await?;
    let values = session.query(SAMPLES, &[&run_id, &i64::from(each), &CUT]).await?;
    Ok((sums, values.iter().map(rejected_value).collect()))
}

/// So many characters of a value are enough to know it by.
const CUT: i32 = 200;

const SAMPLES: &str = "
    SELECT run_id, entity, source_id, target_table, target_column, key,
           CASE WHEN length(raw) > $3 THEN left(raw, $3) || '…' ELSE raw END, reason, resolved
    FROM (
        SELECT run_id, entity, source_id, target_table, target_column, key, raw::text AS raw, reason, reason_code,
               resolved_at IS NOT NULL AS resolved,
               row_number() OVER (PARTITION BY entity, target_table, target_column, reason_code
                                  ORDER BY source_id) AS number
        FROM xdoflow.rejects WHERE run_id = $1) numbered
    WHERE number <= $2 ORDER BY entity, target_table, target_column, reason_code, source_id";

/// Writes the selected rejects as CSV with a header. Returns how many bytes that took.
pub async fn export(target: &Database, selection: &Selection, out: &mut dyn Write) -> Result<u64> {
    let session = open(target).await?;
    let sql = format!(
        "COPY (SELECT r.run_id, r.entity, r.source_id, r.target_table, r.target_column, r.key, r.raw,
           r.reason_code, r.reason, r.created_at, r.resolved_at {} ORDER BY 2, 4, 5, 3)
         TO STDOUT (FORMAT csv, HEADER)",
        selection.clause()
    );
    let mut stream = ByteStream::open(&session, &sql, 64 << 10).await?;
    let mut bytes = 0;
    while let Some(chunk) = stream.next().await? {
        out.write_all(&chunk)?;
        bytes += chunk.len() as u64;
    }
    out.flush()?;
    Ok(bytes)
}

/// The ids of V1 rows of an entity that have a reject which no later run has accepted, ascending.
pub async fn open_ids(target: &Database, entity: &str) -> Result<Vec<i64>> {
    let session = open(target).await?;
    let rows = session
        .query(
            "SELECT DISTINCT source_id FROM xdoflow.rejects WHERE entity = $1 AND resolved_at IS NULL ORDER BY 1",
            &[&entity],
        )
        .await?;
    Ok(rows.iter().map(|row| row.get(0)).collect())
}

/// What a purge has deleted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct Purged {
    /// All of them.
    pub deleted: u64,
    /// Of these, how many no later run had accepted: they are not retried any more.
    pub open: u64,
}

/// Deletes the rejects that are at least so old, of one entity or of all.
pub async fn purge(target: &Database, entity: Option<&str>, age: Duration) -> Result<Purged> {
    let session = open(target).await?;
    let row = session
        .query_one(
            "WITH purged AS (
               DELETE FROM xdoflow.rejects
               WHERE created_at <= now() - make_interval(secs => $1) AND ($2::text IS NULL OR entity = $2)
               RETURNING resolved_at)
             SELECT count(*), count(*) FILTER (WHERE resolved_at IS NULL) FROM purged",
            &[&age.as_secs_f64(), &entity],
        )
        .await?;
    let rows = |index| u64::try_from(row.get::<_, i64>(index)).unwrap_or(0);
    Ok(Purged { deleted: rows(0), open: rows(1) })
}

async fn open(target: &Database) -> Result<Session> {
    let session = target.connect("rejects").await?;
    let present: bool =
        session.query_one("SELECT to_regclass('xdoflow.rejects') IS NOT NULL", &[]).await?.get(0);
    if present {
        return Ok(session);
    }
    Err(Error::stop("the target database has no quarantine yet")
        .detail(format!("there is no table xdoflow.rejects in {}", target.redacted()))
        .hint("the first run creates it; check --target"))
}
