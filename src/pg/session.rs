//! One of the two databases, and the sessions that a run holds on it.
//!
//! A database remembers the backends that it opened, so that a run that fails or is interrupted can
//! end them by their process id, and wait until they are gone, before it drops its staging tables: a
//! cancel request may be lost while a COPY is being started, and a dropped socket is only noticed by
//! the server when the statement ends.

use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use tokio::time::timeout;
use tokio_postgres::types::ToSql;
use tokio_postgres::{Client, Row, SimpleQueryMessage};

use super::connect::{Connected, server_error};
use super::settings::Settings;
use super::tap::Taps;
use super::watch::Watch;
use crate::error::{Error, Fate, Result};
use crate::name::literal;

/// How long a failed run waits for its own backends to end.
const END_BACKENDS_TIMEOUT: Duration = Duration::from_secs(10);

/// What every session begins with, whatever the role or the database has set: a long COPY, an exporter
/// that waits, or a ledger that holds a lock is no fault, and a notice is no news. `transaction_timeout` came
/// with PostgreSQL 17.
const SESSION_SETTINGS: &str = "SET statement_timeout = 0; SET idle_in_transaction_session_timeout = 0; \
     SET idle_session_timeout = 0; \
     SELECT set_config('transaction_timeout', '0', false) \
     WHERE current_setting('transaction_timeout', true) IS NOT NULL; \
     SET client_min_messages = warning; SET jit = off; SET DateStyle = 'ISO, YMD'; SET extra_float_digits = 1; \
     SET TimeZone = 'UTC'; SET standard_conforming_strings = on";

/// What a session on V1 begins with, too. A policy that hides rows from the role would make them look deleted:
/// the server refuses such a read where row security is off.
const SOURCE_SETTINGS: &str = "SET default_transaction_read_only = on; SET row_security = off";

/// What a session on V2 begins with, too: the server notices that the client is gone while a statement still
/// runs, and lets go of its locks. Not every system can; then it is noticed at the end of the statement.
const TARGET_SETTINGS: &str = "DO $$BEGIN PERFORM set_config('client_connection_check_interval', '1s', false); \
     EXCEPTION WHEN OTHERS THEN NULL; END$$";

/// Asks for the process, the version, and the mark of the session: a new one bears none. A pooler that hands out a
/// session for each transaction gives the next connection the one that the last has left.
const WHO: &str = "SELECT pg_backend_pid(), current_setting('server_version_num'), \
     coalesce(current_setting('xdoflow.session', true), '')";

/// Leaves the mark.
const MARK: &str = "SET xdoflow.session = 'taken'";

/// Which of the two databases.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Side {
    /// V1: its sessions are read-only.
    Source,
    /// V2.
    Target,
}

impl fmt::Display for Side {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Source => "source",
            Self::Target => "target",
        })
    }
}

/// A database that sessions are opened on.
#[derive(Clone)]
pub struct Database {
    side: Side,
    settings: Arc<Settings>,
    limits: Limits,
    backends: Arc<Mutex<Vec<i32>>>,
    idle: Arc<Mutex<Vec<Idle>>>,
}

/// A connection that was given back.
struct Idle {
    client: Client,
    taps: Taps,
    pid: i32,
}

/// How long the sessions of a database wait.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// For a lock that another session holds.
    pub lock: Duration,
    /// For a connection over which nothing comes, until the server is asked what it is doing.
    pub stall: Duration,
}

impl Default for Limits {
    /// A statement of the field's applications takes milliseconds; who holds a lock for longer than this has
    /// forgotten it.
    fn default() -> Self {
        Self { lock: Duration::from_secs(30), stall: Duration::from_secs(30) }
    }
}

/// A connection of its own.
pub struct Session {
    client: Client,
    taps: Taps,
    watch: Watch,
}

impl Database {
    /// A database to be connected to; nothing is opened yet.
    pub fn new(side: Side, settings: Settings) -> Self {
        let settings = Arc::new(settings);
        Self { side, settings, limits: Limits::default(), backends: Arc::default(), idle: Arc::default() }
    }

    /// The same database in the other part: what is kept of sessions is kept for each part.
    #[must_use]
    pub fn as_side(&self, side: Side) -> Self {
        Self { side, backends: Arc::default(), idle: Arc::default(), ..self.clone() }
    }

    /// The same database, with sessions that wait so long.
    #[must_use]
    pub fn with_limits(self, limits: Limits) -> Self {
        Self { limits, ..self }
    }

    /// Where it is, without a secret.
    pub fn redacted(&self) -> String {
        self.settings.redacted()
    }

    /// How long its sessions wait.
    pub fn limits(&self) -> Limits {
        self.limits
    }

    /// Opens a connection and nothing more.
    pub(super) async fn open(&self, purpose: &str) -> Result<Connected> {
        let opened = self.settings.connect(&application_name(purpose)).await;
        opened.map_err(|error| error.context(format_args!("{} database", self.side)))
    }

    /// Opens a session, or takes one that was given back. `purpose` shows in `pg_stat_activity` behind the program's
    /// name.
    pub async fn connect(&self, purpose: &str) -> Result<Session> {
        loop {
            let Some(idle) = self.idle().pop() else { return self.connect_anew(purpose).await };
            // One that was lost in the meantime was nobody's.
            if let Ok(Ok(session)) = timeout(self.first_answer(), self.take(idle, purpose)).await {
                return Ok(session);
            }
        }
    }

    /// How long a session is given to begin: nobody can be asked yet what the other side is doing.
    fn first_answer(&self) -> Duration {
        self.limits.stall * 2
    }

    /// Opens a session, even where one was given back. The snapshot and the ledger of a run stand on such: behind a
    /// pooler in transaction mode they get a backend that bears the mark of an earlier session, and say so.
    pub async fn connect_anew(&self, purpose: &str) -> Result<Session> {
        let opened = self.open(purpose).await?;
        let limit = self.first_answer();
        match timeout(limit, self.begin(opened)).await {
            Ok(session) => session,
            Err(_) => Err(Error::with_fate(
                Fate::Retry,
                format!("{} gives no answer within {} s", self.redacted(), limit.as_secs_f64()),
            )
            .hint("look at the network, and at proxies and firewalls between; --stall-timeout waits longer")),
        }
    }

    /// What a session begins with.
    fn session_settings(&self) -> String {
        let side = match self.side {
            Side::Source => SOURCE_SETTINGS,
            Side::Target => TARGET_SETTINGS,
        };
        format!("{SESSION_SETTINGS}; SET lock_timeout = {}; {side}", self.limits.lock.as_millis())
    }

    /// Makes a session of a connection that was given back, in one round trip: it is as if it were new.
    async fn take(&self, idle: Idle, purpose: &str) -> Result<Session> {
        let Idle { client, taps, pid } = idle;
        let (settings, name) = (self.session_settings(), literal(&application_name(purpose)));
        let sql = format!("RESET ALL; {settings}; SET application_name = {name}; {MARK}");
        client.batch_execute(&sql).await.map_err(server_error)?;
        Ok(Session { client, taps, watch: Watch::new(self.clone(), pid) })
    }

    /// Makes a session of a connection, in one round trip.
    async fn begin(&self, opened: Connected) -> Result<Session> {
        let Connected { client, taps } = opened;
        let sql = format!("{}; {WHO}; {MARK}", self.session_settings());
        let answer = client.simple_query(&sql).await.map_err(server_error)?;
        let who = answer.iter().rev().find_map(|message| match message {
            SimpleQueryMessage::Row(row) if row.len() == 3 => Some(row),
            _ => None,
        });
        let cell = |index: usize| who.and_then(|row| row.get(index)).unwrap_or_default();
        let (pid, version) = match (cell(0).parse::<i32>(), cell(1).parse::<u32>()) {
            (Ok(pid), Ok(version)) => (pid, version),
            _ => {
                return Err(Error::stop(format!(
                    "the {} server does not say which version it is",
                    self.side
                ))
                .detail(format!("its version number is {:?}", cell(1)))
                .hint("xdoflow needs a PostgreSQL server of version 14 or newer, and no other database"));
            }
        };
        if version < 140_000 {
            return Err(Error::stop(format!("the {} server is older than PostgreSQL 14", self.side))
                .detail(format!("its version number is {version}"))
                .hint("upgrade the server; ranges of ctid are read in parallel from version 14 on"));
        }
        if !cell(2).is_empty() {
            return Err(Error::stop(format!(
                "a pooler in transaction mode stands between here and the {} server",
                self.side
            ))
            .detail("a new connection found the settings of an earlier one")
            .hint("connect to the server itself, or through a pool in session mode: a run needs sessions of its own"));
        }
        self.lock().push(pid);
        Ok(Session { client, taps, watch: Watch::new(self.clone(), pid) })
    }

    /// Ends every backend that was opened here and still runs, and waits until the last is gone.
    pub async fn end_backends(&self) -> Result<()> {
        self.idle().clear();
        let pids = std::mem::take(&mut *self.lock());
        self.end(&pids).await
    }

    /// Ends some of the backends that were opened here, and waits until the last is gone: what they were about
    /// to commit is committed then, or never will be.
    pub async fn end(&self, pids: &[i32]) -> Result<()> {
        if pids.is_empty() {
            return Ok(());
        }
        // One that was given back may be among them.
        let session = self.connect_anew("end backends").await?;
        let deadline = Instant::now() + END_BACKENDS_TIMEOUT;
        loop {
            let alive = session
                .query(
                    "SELECT pg_terminate_backend(pid) FROM pg_stat_activity
                     WHERE pid = ANY ($1) AND usename = current_user AND application_name LIKE 'xdoflow: %'
                       AND datname = current_database()",
                    &[&pids],
                )
                .await?;
            if alive.is_empty() {
                return Ok(());
            }
            if Instant::now() > deadline {
                return Err(Error::with_fate(Fate::Retry, "the server does not end the run's own sessions")
                    .detail(format!("{} of them are still there", alive.len()))
                    .hint("pg_stat_activity shows them by their application_name, xdoflow"));
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }

    fn idle(&self) -> MutexGuard<'_, Vec<Idle>> {
        self.idle.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn lock(&self) -> MutexGuard<'_, Vec<i32>> {
        self.backends.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The name of a session on the server.
fn application_name(purpose: &str) -> String {
    format!("xdoflow: {purpose}")
}

impl fmt::Debug for Database {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Database({}, {})", self.side, self.redacted())
    }
}

impl Session {
    /// The server's process.
    pub fn pid(&self) -> i32 {
        self.watch.pid()
    }

    /// Gives the session back for whoever connects next: a new one takes the server 6 ms of CPU, and a run of five
    /// entities would open fifty. It must be in no transaction; its settings are forgotten.
    pub fn release(self) {
        let Self { client, taps, watch } = self;
        let idle = Idle { client, taps, pid: watch.pid() };
        watch.database().idle().push(idle);
    }

    /// The same for one in a transaction that has only read.
    pub async fn release_reader(self) {
        // Where that fails it is closed, and nobody misses it.
        if self.batch("COMMIT").await.is_ok() {
            self.release();
        }
    }

    /// Whether it still stands: the server answers.
    pub async fn check(&self) -> Result<()> {
        self.batch("SELECT 1").await
    }

    /// Runs statements that return nothing.
    pub async fn batch(&self, sql: &str) -> Result<()> {
        self.watch.over(self.client.batch_execute(sql)).await
    }

    /// Runs one statement; returns the number of rows it touched.
    pub async fn execute(&self, sql: &str, parameters: &[&(dyn ToSql + Sync)]) -> Result<u64> {
        self.watch.over(self.client.execute(sql, parameters)).await
    }

    /// Runs a query.
    pub async fn query(&self, sql: &str, parameters: &[&(dyn ToSql + Sync)]) -> Result<Vec<Row>> {
        self.watch.over(self.client.query(sql, parameters)).await
    }

    /// Runs a query that returns one row.
    pub async fn query_one(&self, sql: &str, parameters: &[&(dyn ToSql + Sync)]) -> Result<Row> {
        self.watch.over(self.client.query_one(sql, parameters)).await
    }

    /// Runs a query that returns one number that is not negative: a count.
    pub async fn count(&self, sql: &str, parameters: &[&(dyn ToSql + Sync)]) -> Result<u64> {
        let count: i64 = self.query_one(sql, parameters).await?.get(0);
        Ok(u64::try_from(count).unwrap_or(0))
    }

    /// Where the rows of a COPY out leave the connection.
    pub(super) fn taps(&self) -> &Taps {
        &self.taps
    }

    pub(super) fn client(&self) -> &Client {
        &self.client
    }

    pub(super) fn watch(&self) -> &Watch {
        &self.watch
    }
}
