//! One of the two servers.

use super::{Area, Level, Notes};
use crate::error::Result;
use crate::pg::{Database, Row, Session};
use crate::spec::PipelineSpec;

/// How many connections a run takes at most.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Needs {
    /// Of V1's server.
    pub source: u64,
    /// Of V2's.
    pub target: u64,
}

impl Needs {
    /// A reader for each job, and beside them the exporter, the count, and one that
    /// asks; on V2 a writer for each job and one that reads back each target of the largest entity, for each
    /// entity one that publishes, one that gathers and one that holds the image, and the ledger.
    pub fn of(specs: &[PipelineSpec], jobs: usize) -> Self {
        let (jobs, entities) = (jobs as u64, specs.len() as u64);
        let targets = specs.iter().map(|spec| spec.targets.len() as u64).max().unwrap_or(0);
        Self { source: jobs + 3, target: jobs * (1 + targets) + 3 * entities + 1 }
    }
}

/// Whether both sessions are on one server: it has one time of its start, whatever way leads to it.
pub(super) async fn is_same(source: &Session, target: &Session) -> Result<bool> {
    let ask = async |session: &Session| -> Result<String> {
        let sql = "SELECT pg_postmaster_start_time()::text || ' ' || current_setting('port') || ' ' ||
                   current_setting('cluster_name')";
        Ok(session.query_one(sql, &[]).await?.get(0))
    };
    Ok(ask(source).await? == ask(target).await?)
}

/// Everything about a server; `needed` connections are to be had, none where another look tells.
pub(super) async fn look(session: &Session, needed: u64, notes: &mut Notes<'_>) -> Result<()> {
    let row = session.query_one(SERVER, &[]).await?;
    notes.ok("version", format!("PostgreSQL {}", row.get::<_, &str>("version")));
    encoding(&row, notes);
    recovery(&row, notes);
    if needed > 0 {
        connections(&row, needed, notes);
    }
    timeouts(session, notes).await
}

fn encoding(row: &Row, notes: &mut Notes<'_>) {
    let encoding: &str = row.get("encoding");
    if encoding == "UTF8" || notes.area == Area::Source {
        return notes.ok("encoding", format!("encoding {encoding}"));
    }
    notes.note(
        Level::Warning,
        "encoding",
        format!("the encoding is {encoding}, which cannot keep every character of a JSON document"),
        "a run stops at the first character that it cannot keep; a database in UTF8 keeps all",
    );
}

/// Whether it is a standby, and whether it may be written.
fn recovery(row: &Row, notes: &mut Notes<'_>) {
    let standby: bool = row.get("standby");
    if notes.area == Area::Target {
        if standby {
            notes.note(
                Level::Problem,
                "writable",
                "the server is a standby, and takes no writes",
                "name the primary with --target, or let target_session_attrs=read-write find it",
            );
        } else if row.get("read_only") {
            notes.note(
                Level::Problem,
                "writable",
                "default_transaction_read_only is on for the role, the database or the server",
                "let its owner say ALTER ROLE … SET default_transaction_read_only = off",
            );
        } else {
            notes.ok("writable", "takes writes");
        }
        return;
    }
    if standby && !row.get::<_, bool>("feedback") && row.get::<_, &str>("delay") != "-1" {
        notes.note(
            Level::Warning,
            "standby",
            format!(
                "the server is a standby that cancels readers after {} of conflict with replay",
                row.get::<_, &str>("delay")
            ),
            "set hot_standby_feedback = on, or a longer max_standby_streaming_delay, for the time of the run",
        );
    } else if standby {
        notes.ok("standby", "a standby that lets readers finish");
    }
    if let Some(threshold) = row.get::<_, Option<&str>>("old_snapshot").filter(|value| *value != "-1") {
        notes.note(
            Level::Warning,
            "old_snapshot",
            format!("old_snapshot_threshold is {threshold}: a run that takes longer may fail"),
            "set it to -1, which needs a restart of the server",
        );
    }
}

fn connections(row: &Row, needed: u64, notes: &mut Notes<'_>) {
    let number = |column: &str| row.get::<_, i64>(column);
    let own = number("own");
    let reserved = if row.get("is_super") { 0 } else { number("reserved") };
    let mut left = number("most") - reserved - number("used") + own;
    let mut by = "max_connections";
    for (limit, used, whose) in [
        (number("role_limit"), number("role_used"), "the role's connection limit"),
        (number("database_limit"), number("database_used"), "the database's connection limit"),
    ] {
        if limit >= 0 && limit - used + own < left {
            (left, by) = (limit - used + own, whose);
        }
    }
    let left = u64::try_from(left).unwrap_or(0);
    let text = format!("{left} connections are left ({by}), a run takes at most {needed} at once");
    if left >= needed {
        notes.ok("connections", text);
    } else {
        let hint = "run with fewer --jobs, fewer entities at a time, or raise the limit";
        notes.note(Level::Warning, "connections", text, hint);
    }
}

/// What the role, the database or the server would end a session for: xdoflow's own sessions set it aside, which is
/// looked at here, too.
async fn timeouts(session: &Session, notes: &mut Notes<'_>) -> Result<()> {
    let rows = session.query(TIMEOUTS, &[]).await?;
    if rows.is_empty() {
        notes.ok("timeouts", "no timeout is set");
        return Ok(());
    }
    for row in &rows {
        let (name, reset, unit): (&str, &str, &str) =
            (row.get("name"), row.get("reset_val"), row.get("unit"));
        if row.get("in_force") {
            let hint = format!("let a superuser say ALTER ROLE … SET {name} = 0");
            notes.note(
                Level::Problem,
                "timeouts",
                format!("{name} is {reset} {unit}, and stays so in a session that sets it to 0"),
                hint,
            );
        } else {
            notes.ok("timeouts", format!("{name} is {reset} {unit}, and set aside by a run's sessions"));
        }
    }
    Ok(())
}

/// A pooler in transaction mode hands the second connection what the first has left: `connect` finds that.
pub(super) async fn pooler(database: &Database, notes: &mut Notes<'_>) -> Result<()> {
    let (first, second) = (database.connect("doctor").await?, database.connect("doctor").await?);
    for session in [&first, &second, &first] {
        let pid: i32 = session.query_one("SELECT pg_backend_pid()", &[]).await?.get(0);
        if pid != session.pid() {
            notes.note(
                Level::Problem,
                "pooler",
                "one connection is served by several of the server's processes: a pooler in transaction mode",
                "connect to the server itself, or through a pool in session mode",
            );
            return Ok(());
        }
    }
    notes.ok("pooler", "two connections are two sessions: no pooler shares them");
    Ok(())
}

/// Sessions of other roles show no more than that they are there. Settings that a version lacks are NULL.
const SERVER: &str = "
    SELECT current_setting('server_version') AS version, current_setting('server_encoding') AS encoding,
           pg_is_in_recovery() AS standby, current_setting('default_transaction_read_only') = 'on' AS read_only,
           current_setting('hot_standby_feedback') = 'on' AS feedback,
           current_setting('max_standby_streaming_delay') AS delay,
           current_setting('old_snapshot_threshold', true) AS old_snapshot,
           current_setting('max_connections')::bigint AS most,
           current_setting('superuser_reserved_connections')::bigint
             + coalesce(current_setting('reserved_connections', true)::bigint, 0) AS reserved,
           (SELECT coalesce(sum(numbackends), 0)::bigint FROM pg_stat_database) AS used,
           (SELECT count(*) FROM pg_stat_activity
            WHERE usename = current_user AND application_name LIKE 'xdoflow: doctor%') AS own,
           r.rolsuper AS is_super, r.rolconnlimit::bigint AS role_limit,
           (SELECT count(*) FROM pg_stat_activity WHERE usesysid = r.oid) AS role_used,
           d.datconnlimit::bigint AS database_limit,
           (SELECT count(*) FROM pg_stat_activity WHERE datid = d.oid) AS database_used
    FROM pg_roles r, pg_database d WHERE r.rolname = current_user AND d.datname = current_database()";

/// `reset_val` is what the session would have without the program's own SET.
const TIMEOUTS: &str = "
    SELECT name, reset_val, coalesce(unit, '') AS unit, setting <> '0' AS in_force
    FROM pg_settings
    WHERE name IN ('statement_timeout', 'idle_in_transaction_session_timeout', 'idle_session_timeout',
                   'transaction_timeout') AND reset_val <> '0'
    ORDER BY name";
