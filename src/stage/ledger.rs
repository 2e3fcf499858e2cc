//! The ledger: the durable record of runs, in the schema `xdoflow` of the target database.
//!
//! What a run did to an entity is recorded in the transaction that publishes it, so that the record
//! and the data are never apart. The session of a ledger also holds the advisory lock of each entity
//! of the run: the lock ends with the session, however the run ends.

use std::time::{Duration, Instant};

use serde::Serialize;

use crate::error::{Error, Fate, Result};
use crate::measured::{EntityMeasured, Measured};
use crate::name::{TableName, quote};
use crate::pg::{Database, Session};
use crate::summary::{EntitySummary, Mode, RunSettings, TargetSummary};
use crate::transform::output::REJECT_COLUMNS;

/// How long a server may take to end the sessions of a program that was killed.
const NOTICE: Duration = Duration::from_secs(2);

/// The first key of the advisory locks: "xdof" in ASCII. The second is the hash of the entity's name.
pub const LOCK_CLASS: i32 = 0x7864_6f66;

/// SQLSTATE of a lock that did not come in time.
const LOCK_NOT_AVAILABLE: &str = "55P03";

/// An open run.
pub struct Ledger {
    session: Session,
    run_id: i64,
}

/// How a run ended that did not end well.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BadEnd {
    /// An error.
    Failed,
    /// The user's wish.
    Interrupted,
}

/// What is recorded when a run begins.
#[derive(Debug)]
pub struct NewRun<'a> {
    /// How it will publish.
    pub mode: Mode,
    /// Whether it will delete what V1 no longer has.
    pub prune: bool,
    /// Whether it reads only some rows of V1.
    pub partial: bool,
    /// Whether the targets stay as they are.
    pub dry_run: bool,
    /// The run that it goes on with.
    pub resumes: Option<i64>,
    /// Its entities.
    pub entities: &'a [String],
    /// Where V1 is, without a secret.
    pub source: &'a str,
    /// What else it was asked for.
    pub settings: &'a RunSettings,
}

impl Ledger {
    /// Opens the ledger of a target, creates it on first use, locks the entities, and begins a run. Waits so
    /// long for another run of them, and tells `waits` on whom.
    pub async fn begin(
        target: &Database,
        run: &NewRun<'_>,
        wait: Duration,
        waits: impl Fn(String),
    ) -> Result<Self> {
        let session = target.connect_anew(&format!("ledger of {}", run.entities.join(", "))).await?;
        create(&session).await?;
        // In one order, so that two runs that wait for each other's entities do not wait for ever.
        let mut entities: Vec<&String> = run.entities.iter().collect();
        entities.sort();
        for entity in entities {
            lock(&session, entity, wait, &waits).await?;
        }
        // A run that says it is running, while we hold the lock of one of its entities, is dead.
        session
            .execute(
                "UPDATE xdoflow.runs SET state = 'died', finished_at = now()
                 WHERE state = 'running' AND entities && $1",
                &[&run.entities],
            )
            .await?;
        let run_id = session
            .query_one(
                "INSERT INTO xdoflow.runs (mode, prune, partial, dry_run, resumes, entities, source, version, settings)
                 VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9::text::jsonb) RETURNING run_id",
                &[
                    &run.mode.name(),
                    &run.prune,
                    &run.partial,
                    &run.dry_run,
                    &run.resumes,
                    &run.entities,
                    &run.source,
                    &env!("CARGO_PKG_VERSION"),
                    &json(run.settings)?,
                ],
            )
            .await?
            .get(0);
        Ok(Self { session, run_id })
    }

    /// The run's number.
    pub fn run_id(&self) -> i64 {
        self.run_id
    }

    /// The session that holds the locks; for staging tables, not for publishing.
    pub fn session(&self) -> &Session {
        &self.session
    }

    /// Whether the run still holds the locks of its entities.
    ///
    /// # Errors
    /// It does not: another run may have begun.
    pub async fn check(&self) -> Result<()> {
        self.session.check().await.map_err(|error| {
            error.stopping().context("the session that holds the lock of the run").hint("run again")
        })
    }

    /// Marks the run as done, and keeps what it measured.
    ///
    /// Everything is published by now: a session that was lost is no reason to fail.
    pub async fn finish(&self, target: &Database, measured: &Measured) -> Result<()> {
        let sql = "UPDATE xdoflow.runs SET state = 'done', finished_at = now(), measured = $2::text::jsonb
                   WHERE run_id = $1";
        let measured = json(measured)?;
        match self.session.execute(sql, &[&self.run_id, &measured]).await {
            Err(error) if error.fate() == Fate::Retry => {
                target.connect("finish").await?.execute(sql, &[&self.run_id, &measured]).await?;
            }
            done => {
                done?;
            }
        }
        Ok(())
    }
}

/// Whether the last run of an entity before this one ended without publishing it.
pub async fn last_run_failed(session: &Session, run_id: i64, entity: &str) -> Result<bool> {
    let rows = session
        .query(
            "SELECT r.state <> 'done' AND NOT EXISTS (
               SELECT FROM xdoflow.run_entities e WHERE e.run_id = r.run_id AND e.entity = $2)
             FROM xdoflow.runs r WHERE r.run_id < $1 AND $2 = ANY (r.entities)
             ORDER BY r.run_id DESC LIMIT 1",
            &[&run_id, &entity],
        )
        .await?;
    Ok(rows.first().is_some_and(|row| row.get(0)))
}

/// A run that did not come to its end.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Resumable {
    /// Its number.
    pub run_id: i64,
    /// How it was to publish.
    pub mode: Mode,
    /// Whether it was to delete what V1 no longer has.
    pub prune: bool,
    /// Its entities, in its order.
    pub entities: Vec<String>,
    /// Those of them that it has published.
    pub published: Vec<String>,
}

/// Looks for a run to go on with, or the last one.
///
/// # Errors
/// There is none, or it needs no going on with.
pub async fn resumable(target: &Database, run: Option<i64>) -> Result<Resumable> {
    let session = target.connect("resume").await?;
    create(&session).await?;
    let rows = session
        .query(
            "SELECT run_id, mode, prune, entities, state, partial, dry_run,
               ARRAY(SELECT entity FROM xdoflow.run_entities e WHERE e.run_id = r.run_id ORDER BY published_at)
             FROM xdoflow.runs r WHERE CASE WHEN $1::bigint IS NULL THEN NOT r.dry_run ELSE run_id = $1 END
             ORDER BY run_id DESC LIMIT 1",
            &[&run],
        )
        .await?;
    let Some(row) = rows.first() else {
        let which =
            run.map_or("there is no run to resume".to_owned(), |run| format!("there is no run {run}"));
        return Err(Error::usage(which).hint("run without --resume"));
    };
    let (run_id, mode, state): (i64, String, String) = (row.get(0), row.get(1), row.get(4));
    let refused = |why: &str| Err(Error::usage(format!("run {run_id} {why}")).hint("run without --resume"));
    if state == "done" {
        return refused("has come to its end: there is nothing to resume");
    }
    if row.get(5) || row.get(6) {
        return refused("read only some rows, or was a dry run: it is not worth resuming");
    }
    let Some(mode) = Mode::of_name(&mode) else {
        return refused("published in a mode that is not known here");
    };
    Ok(Resumable { run_id, mode, prune: row.get(2), entities: row.get(3), published: row.get(7) })
}

/// Marks a run as ended badly, from a session of its own: the run's own may be gone. Returns the
/// entities that it had published before.
pub async fn end_badly(
    session: &Session,
    run_id: i64,
    end: BadEnd,
    message: &str,
    measured: &Measured,
) -> Result<Vec<String>> {
    let state = match end {
        BadEnd::Failed => "failed",
        BadEnd::Interrupted => "interrupted",
    };
    session
        .execute(
            "UPDATE xdoflow.runs SET state = $2, message = $3, finished_at = now(), measured = $4::text::jsonb
             WHERE run_id = $1",
            &[&run_id, &state, &message, &json(measured)?],
        )
        .await?;
    let rows = session
        .query("SELECT entity FROM xdoflow.run_entities WHERE run_id = $1 ORDER BY published_at", &[&run_id])
        .await?;
    Ok(rows.iter().map(|row| row.get(0)).collect())
}

/// Records what the run did to an entity. Runs in the transaction that publishes it.
pub async fn record(
    session: &Session,
    run_id: i64,
    entity: &EntitySummary,
    measured: &EntityMeasured,
) -> Result<()> {
    let changed = entity.changed.as_ref().is_some_and(|changed| changed.used);
    session
        .execute(
            "INSERT INTO xdoflow.run_entities (run_id, entity, rows_read, rejects, changed, measured)
             VALUES ($1, $2, $3, $4, $5, $6::text::jsonb)",
            &[
                &run_id,
                &entity.entity,
                &count(entity.rows_read),
                &count(entity.rejects),
                &changed,
                &json(measured)?,
            ],
        )
        .await?;
    for target in &entity.targets {
        record_target(session, run_id, &entity.entity, target).await?;
    }
    record_columns(session, run_id, entity).await
}

/// Moves the rejected values of an entity into the quarantine. Runs in the transaction that publishes
/// it; `staged` has the columns [`REJECT_COLUMNS`]. With `only_new`, values that stand there already, and that no
/// run has accepted since, are left out: a run that tries them again every few minutes would fill it.
pub async fn keep_rejects(
    session: &Session,
    run_id: i64,
    entity: &str,
    staged: &TableName,
    only_new: bool,
) -> Result<()> {
    // The key says where an element stands.
    let kept = REJECT_COLUMNS.iter().filter(|(name, _)| *name != "position");
    let columns: Vec<String> = kept.map(|(name, _)| quote(name)).collect();
    let columns = columns.join(", ");
    let known = "WHERE NOT EXISTS (SELECT FROM xdoflow.rejects open
           WHERE open.entity = $2 AND open.resolved_at IS NULL AND open.source_id = s.source_id
             AND (open.target_table, open.reason_code) = (s.target_table, s.reason_code)
             AND (open.target_column, open.key, open.raw) IS NOT DISTINCT FROM (s.target_column, s.key, s.raw))";
    let sql = format!(
        "INSERT INTO xdoflow.rejects (run_id, entity, {columns}) SELECT $1, $2, {columns} FROM {} s {}",
        staged.quoted(),
        if only_new { known } else { "" }
    );
    session.execute(&sql, &[&run_id, &entity]).await?;
    Ok(())
}

/// Marks what earlier runs have rejected of an entity, and this one has not, as resolved: for all rows of
/// V1, or for those with some ids. Runs in the transaction that publishes it.
pub async fn resolve_rejects(
    session: &Session,
    run_id: i64,
    entity: &str,
    staged: &TableName,
    ids: Option<&[i64]>,
) -> Result<u64> {
    let sql = format!(
        "UPDATE xdoflow.rejects open SET resolved_at = now(), resolved_by = $1
         WHERE open.entity = $2 AND open.resolved_at IS NULL AND open.run_id < $1
           AND ($3::bigint[] IS NULL OR open.source_id = ANY ($3))
           AND NOT EXISTS (
             SELECT FROM {} now WHERE now.source_id = open.source_id AND now.target_table = open.target_table
               AND now.target_column IS NOT DISTINCT FROM open.target_column
               AND (now.position IS NULL OR now.key IS NOT DISTINCT FROM open.key))",
        staged.quoted()
    );
    session.execute(&sql, &[&run_id, &entity, &ids]).await
}

async fn record_columns(session: &Session, run_id: i64, entity: &EntitySummary) -> Result<()> {
    for column in &entity.columns {
        session
            .execute(
                "INSERT INTO xdoflow.run_columns
                   (run_id, entity, target_table, target_column, rule, rejected, count, sample_ids)
                 VALUES ($1, $2, $3, $4, $5, $6, $7, $8)",
                &[
                    &run_id,
                    &entity.entity,
                    &column.table,
                    &column.column,
                    &column.rule,
                    &column.rejected,
                    &count(column.count),
                    &column.sample_ids,
                ],
            )
            .await?;
    }
    Ok(())
}

async fn record_target(session: &Session, run_id: i64, entity: &str, target: &TargetSummary) -> Result<()> {
    session
        .execute(
            "INSERT INTO xdoflow.run_targets (run_id, entity, target_table, name, loaded, inserted, updated, deleted,
               unchanged, quarantined, filtered, surplus, stale)
             VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13)",
            &[
                &run_id,
                &entity,
                &target.table,
                &target.name,
                &count(target.loaded),
                &count(target.inserted),
                &count(target.updated),
                &count(target.deleted),
                &count(target.unchanged),
                &count(target.quarantined),
                &count(target.filtered),
                &count(target.surplus),
                &count(target.stale),
            ],
        )
        .await?;
    Ok(())
}

/// Where the server's log is, for [`wal_bytes_since`]; none where it may not be asked, as on a standby.
pub async fn wal_place(session: &Session) -> Option<String> {
    let row = session.query_one("SELECT pg_current_wal_insert_lsn()::text", &[]).await.ok()?;
    row.get(0)
}

/// How many bytes the server has written to its log since, whoever caused them.
pub async fn wal_bytes_since(session: &Session, place: &str) -> Option<u64> {
    let sql = "SELECT pg_wal_lsn_diff(pg_current_wal_insert_lsn(), $1::text::pg_lsn)::bigint";
    session.count(sql, &[&place]).await.ok()
}

/// A value as the columns of type jsonb take it.
fn json(value: &impl Serialize) -> Result<String> {
    serde_json::to_string(value)
        .map_err(|error| Error::stop(format!("cannot write JSON for the ledger: {error}")))
}

/// A count as the server keeps it.
fn count(rows: u64) -> i64 {
    i64::try_from(rows).unwrap_or(i64::MAX)
}

/// Whether the ledger is there, with everything that this version needs.
pub async fn is_current(session: &Session) -> Result<bool> {
    let present = "SELECT count(*) = 3 FROM pg_attribute
         WHERE (attrelid = to_regclass('xdoflow.runs') AND attname IN ('resumes', 'measured')
             OR attrelid = to_regclass('xdoflow.run_entities') AND attname = 'measured')
           AND NOT attisdropped AND to_regclass('xdoflow.fingerprint_edges') IS NOT NULL
           AND to_regclass('xdoflow.verifications') IS NOT NULL AND to_regclass('xdoflow.drift') IS NOT NULL";
    Ok(session.query_one(present, &[]).await?.get(0))
}

/// Creates the schema and its tables where they are missing. A role that may not create them can use
/// what another role has created.
///
/// # Errors
/// Those of the server, such as that the role may create nothing.
pub async fn create(session: &Session) -> Result<()> {
    if is_current(session).await? {
        return Ok(());
    }
    // Two first runs at once: the second waits here, then finds everything in place.
    let sql = format!("BEGIN; SELECT pg_advisory_xact_lock({LOCK_CLASS}, 0); {CREATE}; COMMIT");
    let created = session.batch(&sql).await;
    if created.is_err() {
        session.batch("ROLLBACK").await?;
    }
    created.map_err(|error| {
        error.context("creating the schema xdoflow in the target database").hint(
            "the role needs CREATE on the database, once; or let its owner run: CREATE SCHEMA xdoflow AUTHORIZATION <role>",
        )
    })
}

const CREATE: &str = include_str!("ledger.sql");

/// Takes the lock of an entity for the session, where nobody else holds it.
pub async fn try_lock(session: &Session, entity: &str) -> Result<bool> {
    let sql = "SELECT pg_try_advisory_lock($1, hashtext($2))";
    Ok(session.query_one(sql, &[&LOCK_CLASS, &entity]).await?.get(0))
}

/// Takes the lock of an entity; waits so long for a run that holds it, or says who it is.
async fn lock(session: &Session, entity: &str, wait: Duration, waits: &impl Fn(String)) -> Result<()> {
    let began = Instant::now();
    loop {
        if try_lock(session, entity).await? {
            return Ok(());
        }
        // The server may not have noticed yet that the program that held it was killed.
        if !wait.is_zero() || began.elapsed() > NOTICE {
            break;
        }
        tokio::time::sleep(NOTICE / 20).await;
    }
    let holder = holder(session, entity).await?;
    let busy = format!("another run of {entity} is under way in the target database");
    let hint = "wait until it is done, or let this run wait with --wait; or end it with pg_terminate_backend";
    if wait.is_zero() {
        return Err(Error::stop(busy).detail(holder).hint(hint));
    }
    waits(format!("waiting: {busy}; {holder}"));
    let seconds = wait.as_secs_f64();
    let limited = format!("BEGIN; SET LOCAL lock_timeout = {}", wait.as_millis());
    session.batch(&limited).await?;
    let locked = session.execute("SELECT pg_advisory_lock($1, hashtext($2))", &[&LOCK_CLASS, &entity]).await;
    // A lock of the session outlives the transaction, which is there for its time limit.
    session.batch(if locked.is_ok() { "COMMIT" } else { "ROLLBACK" }).await?;
    match locked {
        Err(error) if error.code() == Some(LOCK_NOT_AVAILABLE) => {
            Err(Error::stop(format!("{busy}, {seconds} s after this one began to wait"))
                .detail(self::holder(session, entity).await?)
                .hint(hint))
        }
        locked => locked.map(|_| ()),
    }
}

/// Who holds the lock of an entity, since when.
async fn holder(session: &Session, entity: &str) -> Result<String> {
    let rows = session
        .query(
            "SELECT a.pid, a.usename::text, a.application_name, to_char(a.backend_start, 'YYYY-MM-DD HH24:MI:SS TZ')
             FROM pg_locks l JOIN pg_stat_activity a ON a.pid = l.pid
             WHERE l.locktype = 'advisory' AND l.granted AND l.objsubid = 2
               AND l.database = (SELECT oid FROM pg_database WHERE datname = current_database())
               AND l.classid = $1::int::oid AND l.objid = ((hashtext($2)::bigint + 4294967296) % 4294967296)::oid",
            &[&LOCK_CLASS, &entity],
        )
        .await?;
    Ok(match rows.first() {
        Some(row) => format!(
            "process {} of role {} ({}) holds it since {}",
            row.get::<_, i32>(0),
            row.get::<_, Option<String>>(1).unwrap_or_default(),
            row.get::<_, Option<String>>(2).unwrap_or_default(),
            row.get::<_, Option<String>>(3).unwrap_or_default(),
        ),
        None => "it ended while this was being asked".to_owned(),
    })
}
