//! `history`: past runs as the ledger of the target has them; the whole of one.
//!
//! Only the ledger is asked: a ledger that an older version has made, and nobody may alter, is read all the
//! same. What it lacks (`dry_run`, `resumes`, `changed`) is taken from the row as JSON, and is false or nothing.
//! A run that says it is running, while nobody holds the lock of one of its entities, has died: the next run
//! would note that, so it is said here already.

use serde::Serialize;

use crate::error::{Error, Result};
use crate::pg::{Database, Row, Session};
use crate::stage::ledger::LOCK_CLASS;

/// The last runs.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct History {
    /// How many the ledger knows.
    pub count: u64,
    /// The newest first.
    pub runs: Vec<RunRecord>,
}

/// A run in one line.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct RunRecord {
    /// Its number.
    pub run_id: i64,
    /// `running`, `done`, `failed`, `interrupted` or `died`.
    pub state: String,
    /// `merge`, `replace` or `insert`.
    pub mode: String,
    /// Whether it was to delete what V1 no longer has.
    pub prune: bool,
    /// Whether it read only some rows of V1.
    pub partial: bool,
    /// Whether it left the targets as they were.
    pub dry_run: bool,
    /// The run that it went on with.
    pub resumes: Option<i64>,
    /// What it was to publish, in its order.
    pub entities: Vec<String>,
    /// What it has published; for a dry run, what it has worked out.
    pub published: Vec<String>,
    /// Where V1 was, without a secret.
    pub source: String,
    /// The version of the program.
    pub version: String,
    /// In UTC: `2025-01-15T10:00:00Z`.
    pub started_at: String,
    /// The same; none while it runs.
    pub finished_at: Option<String>,
    /// How long it took, or has been running.
    pub elapsed_ms: u64,
    /// Why it did not come to its end.
    pub message: Option<String>,
    /// Rows of V1 that it read for what it has published.
    pub rows_read: u64,
    /// Values and rows that it rejected.
    pub rejects: u64,
    /// Rows over all targets.
    #[serde(flatten)]
    pub rows: Rows,
}

/// Rows by what became of them.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Rows {
    /// Inserted.
    pub inserted: u64,
    /// Updated because a cell differed.
    pub updated: u64,
    /// Deleted: gone from V1, or surplus.
    pub deleted: u64,
    /// Left alone, since they were equal.
    pub unchanged: u64,
    /// Set aside.
    pub quarantined: u64,
    /// Left out on purpose.
    pub filtered: u64,
}

/// One run, and all that the ledger has of it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct RunDetails {
    /// The run.
    #[serde(flatten)]
    pub run: RunRecord,
    /// Of its rejects, how many a later run has accepted.
    pub resolved: u64,
    /// What it did to each entity, in the order in which they were published.
    pub details: Vec<EntityRecord>,
}

/// What a run did to an entity.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct EntityRecord {
    /// The entity.
    pub entity: String,
    /// Rows of V1.
    pub rows_read: u64,
    /// Values and rows that were rejected.
    pub rejects: u64,
    /// Whether only rows that had changed were read.
    pub changed: bool,
    /// When it was published, in UTC.
    pub published_at: String,
    /// In the order of the names of their tables.
    pub targets: Vec<TargetRecord>,
    /// What was met in the columns; in each the most frequent first.
    pub columns: Vec<ColumnRecord>,
}

/// What a run did to a target.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct TargetRecord {
    /// The table.
    pub table: String,
    /// Its name for people.
    pub name: String,
    /// Rows that were made of V1.
    pub loaded: u64,
    /// What became of them.
    #[serde(flatten)]
    pub rows: Rows,
    /// Rows beyond the first of their key: deleted, or left where `deleted` is 0.
    pub surplus: u64,
    /// Rows that V1 no longer had: deleted, or left where `deleted` is 0.
    pub stale: u64,
}

/// What a run met in a column, by rule.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct ColumnRecord {
    /// The table.
    pub table: String,
    /// The column; `(row)` for whole rows.
    pub column: String,
    /// The code of a coercion or of a reason.
    pub rule: String,
    /// Whether the value was rejected.
    pub rejected: bool,
    /// How often.
    pub count: u64,
    /// Up to three ids of source rows.
    pub sample_ids: Vec<i64>,
}

/// The last `limit` runs; none where there is no ledger yet.
pub async fn list(target: &Database, limit: u32) -> Result<History> {
    let session = target.connect("history").await?;
    if !has_ledger(&session).await? {
        return Ok(History { count: 0, runs: Vec::new() });
    }
    let count = session.count("SELECT count(*) FROM xdoflow.runs", &[]).await?;
    let (newest, limit): (Option<i64>, _) = (None, i64::from(limit));
    let rows = session.query(RUNS, &[&newest, &limit, &LOCK_CLASS]).await?;
    Ok(History { count, runs: rows.iter().map(run_record).collect() })
}

/// All that is known of one run.
///
/// # Errors
/// There is no such run.
pub async fn run(target: &Database, run_id: i64) -> Result<RunDetails> {
    let session = target.connect("history").await?;
    let none = || {
        Error::stop(format!("there is no run {run_id}"))
            .detail(format!("the ledger of {} does not know it", target.redacted()))
            .hint("xdoflow history lists the runs; check --target")
    };
    if !has_ledger(&session).await? {
        return Err(none());
    }
    let rows = session.query(RUNS, &[&Some(run_id), &1_i64, &LOCK_CLASS]).await?;
    let run = run_record(rows.first().ok_or_else(none)?);
    let resolved =
        session.count("SELECT count(resolved_at) FROM xdoflow.rejects WHERE run_id = $1", &[&run_id]).await?;
    let entities = session.query(ENTITIES, &[&run_id]).await?;
    let targets = session.query(TARGETS, &[&run_id]).await?;
    let columns = session.query(COLUMNS, &[&run_id]).await?;
    let of = |rows: &[Row], entity: &str| -> Vec<usize> {
        (0..rows.len()).filter(|&index| rows[index].get::<_, &str>("entity") == entity).collect()
    };
    let details = entities.iter().map(|row| {
        let entity: String = row.get("entity");
        EntityRecord {
            rows_read: count(row, "rows_read"),
            rejects: count(row, "rejects"),
            changed: row.get("changed"),
            published_at: row.get("published_at"),
            targets: of(&targets, &entity).into_iter().map(|index| target_record(&targets[index])).collect(),
            columns: of(&columns, &entity).into_iter().map(|index| column_record(&columns[index])).collect(),
            entity,
        }
    });
    Ok(RunDetails { run, resolved, details: details.collect() })
}

async fn has_ledger(session: &Session) -> Result<bool> {
    Ok(session.query_one("SELECT to_regclass('xdoflow.runs') IS NOT NULL", &[]).await?.get(0))
}

fn count(row: &Row, column: &str) -> u64 {
    u64::try_from(row.get::<_, i64>(column)).unwrap_or(0)
}

fn rows(row: &Row) -> Rows {
    Rows {
        inserted: count(row, "inserted"),
        updated: count(row, "updated"),
        deleted: count(row, "deleted"),
        unchanged: count(row, "unchanged"),
        quarantined: count(row, "quarantined"),
        filtered: count(row, "filtered"),
    }
}

fn run_record(row: &Row) -> RunRecord {
    RunRecord {
        run_id: row.get("run_id"),
        state: row.get("state"),
        mode: row.get("mode"),
        prune: row.get("prune"),
        partial: row.get("partial"),
        dry_run: row.get("dry_run"),
        resumes: row.get("resumes"),
        entities: row.get("entities"),
        published: row.get("published"),
        source: row.get("source"),
        version: row.get("version"),
        started_at: row.get("started_at"),
        finished_at: row.get("finished_at"),
        elapsed_ms: count(row, "elapsed_ms"),
        message: row.get("message"),
        rows_read: count(row, "rows_read"),
        rejects: count(row, "rejects"),
        rows: rows(row),
    }
}

fn target_record(row: &Row) -> TargetRecord {
    TargetRecord {
        table: row.get("target_table"),
        name: row.get("name"),
        loaded: count(row, "loaded"),
        rows: rows(row),
        surplus: count(row, "surplus"),
        stale: count(row, "stale"),
    }
}

fn column_record(row: &Row) -> ColumnRecord {
    ColumnRecord {
        table: row.get("target_table"),
        column: row.get("target_column"),
        rule: row.get("rule"),
        rejected: row.get("rejected"),
        count: count(row, "count"),
        sample_ids: row.get("sample_ids"),
    }
}

/// Runs, the newest first: all, or the one with a number ($1); at most so many ($2). $3 is the class of the locks.
const RUNS: &str = r#"
    WITH chosen AS (
        SELECT r.*, to_jsonb(r) AS all_of_it FROM xdoflow.runs r
        WHERE $1::bigint IS NULL OR r.run_id = $1 ORDER BY r.run_id DESC LIMIT $2)
    SELECT r.run_id, r.mode, r.prune, r.partial, r.entities, r.source, r.version, r.message,
           coalesce((r.all_of_it ->> 'dry_run')::boolean, false) AS dry_run,
           (r.all_of_it ->> 'resumes')::bigint AS resumes,
           CASE WHEN r.state = 'running' AND NOT held THEN 'died' ELSE r.state END AS state,
           to_char(r.started_at AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS"Z"') AS started_at,
           to_char(r.finished_at AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS"Z"') AS finished_at,
           (extract(epoch FROM coalesce(r.finished_at, now()) - r.started_at) * 1000)::bigint AS elapsed_ms,
           e.published, e.rows_read, e.rejects,
           t.inserted, t.updated, t.deleted, t.unchanged, t.quarantined, t.filtered
    FROM chosen r
    CROSS JOIN LATERAL (
        SELECT EXISTS (
            SELECT FROM pg_locks l JOIN unnest(r.entities) entity
              ON l.objid = ((hashtext(entity)::bigint + 4294967296) % 4294967296)::oid
            WHERE l.locktype = 'advisory' AND l.granted AND l.objsubid = 2 AND l.classid = $3::int::oid
              AND l.database = (SELECT oid FROM pg_database WHERE datname = current_database())) AS held) locks
    CROSS JOIN LATERAL (
        SELECT coalesce(array_agg(entity ORDER BY published_at), '{}') AS published,
               coalesce(sum(rows_read), 0)::bigint AS rows_read, coalesce(sum(rejects), 0)::bigint AS rejects
        FROM xdoflow.run_entities WHERE run_id = r.run_id) e
    CROSS JOIN LATERAL (
        SELECT coalesce(sum(inserted), 0)::bigint AS inserted, coalesce(sum(updated), 0)::bigint AS updated,
               coalesce(sum(deleted), 0)::bigint AS deleted, coalesce(sum(unchanged), 0)::bigint AS unchanged,
               coalesce(sum(quarantined), 0)::bigint AS quarantined, coalesce(sum(filtered), 0)::bigint AS filtered
        FROM xdoflow.run_targets WHERE run_id = r.run_id) t
    ORDER BY r.run_id DESC"#;

const ENTITIES: &str = r#"
    SELECT entity, rows_read, rejects, coalesce((to_jsonb(e) ->> 'changed')::boolean, false) AS changed,
           to_char(published_at AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS"Z"') AS published_at
    FROM xdoflow.run_entities e WHERE run_id = $1 ORDER BY e.published_at, entity"#;

const TARGETS: &str = "
    SELECT entity, target_table, name, loaded, inserted, updated, deleted, unchanged, quarantined, filtered,
           surplus, stale
    FROM xdoflow.run_targets WHERE run_id = $1 ORDER BY entity, target_table";

const COLUMNS: &str = "
    SELECT entity, target_table, target_column, rule, rejected, count, sample_ids
    FROM xdoflow.run_columns WHERE run_id = $1
    ORDER BY entity, target_table, target_column, rejected, count DESC, rule";
