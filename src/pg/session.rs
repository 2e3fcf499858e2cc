//! One of the two databases, and the sessions that a run holds on it.
//!
//! A database remembers the backends that it opened, so that a run that fails or is interrupted can
//! end them by their process id, and wait until they are gone, before it drops its staging tables: a
//! cancel request may be lost while a COPY is being started, and a dropped socket is only noticed by
//! the server when the statement ends.

use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use tokio_postgres::types::ToSql;
use tokio_postgres::{Client, Row};

use super::connect::server_error;
use super::settings::Settings;
use crate::error::{Error, Result};

/// How long a failed run waits for its own backends to end.
const END_BACKENDS_TIMEOUT: Duration = Duration::from_secs(10);

/// What every session begins with, whatever the role or the database has set: a long COPY, an exporter
/// that waits, or a ledger that holds a lock is no fault, and a notice is no news. `transaction_timeout` came
/// with PostgreSQL 17.
const SESSION_SETTINGS: &str = "SET statement_timeout = 0; SET idle_in_transaction_session_timeout = 0; \
     SET idle_session_timeout = 0; \
     SELECT set_config(name, '0', false) FROM pg_settings WHERE name = 'transaction_timeout'; \
     SET client_min_messages = warning; SET jit = off; SET DateStyle = 'ISO, YMD'; SET extra_float_digits = 1; \
     SET TimeZone = 'UTC'; SET standard_conforming_strings = on";

/// What a session on V1 begins with, too. A policy that hides rows from the role would make them look deleted:
/// the server refuses such a read where row security is off.
const SOURCE_SETTINGS: &str = "SET default_transaction_read_only = on; SET row_security = off";

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
}

/// How long the sessions of a database wait.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// For a lock that another session holds.
    pub lock: Duration,
}

impl Default for Limits {
    /// A statement of the field's applications takes milliseconds; who holds a lock for longer than this has
    /// forgotten it.
    fn default() -> Self {
        Self { lock: Duration::from_secs(30) }
    }
}

/// A connection of its own.
pub struct Session {
    client: Client,
}

impl Database {
    /// A database to be connected to; nothing is opened yet.
    pub fn new(side: Side, settings: Settings) -> Self {
        Self { side, settings: Arc::new(settings), limits: Limits::default(), backends: Arc::default() }
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

    /// Opens a session. `purpose` shows in `pg_stat_activity` behind the program's name.
    pub async fn connect(&self, purpose: &str) -> Result<Session> {
        let client = self
            .settings
            .connect(&format!("xdoflow: {purpose}"))
            .await
            .map_err(|error| error.context(format_args!("{} database", self.side)))?;
        let lock_timeout = self.limits.lock.as_millis();
        let settings = format!("{SESSION_SETTINGS}; SET lock_timeout = {lock_timeout}");
        client.batch_execute(&settings).await.map_err(server_error)?;
        if self.side == Side::Source {
            client.batch_execute(SOURCE_SETTINGS).await.map_err(server_error)?;
        }
        let row = client
            .query_one("SELECT pg_backend_pid(), current_setting('server_version_num')::int", &[])
            .await
            .map_err(server_error)?;
        let (pid, version): (i32, i32) = (row.get(0), row.get(1));
        if version < 140_000 {
            return Err(Error::stop(format!("the {} server is older than PostgreSQL 14", self.side))
                .detail(format!("its version number is {version}"))
                .hint("upgrade the server; ranges of ctid are read in parallel from version 14 on"));
        }
        self.lock().push(pid);
        Ok(Session { client })
    }

    /// Ends every backend that was opened here and still runs, and waits until the last is gone.
    pub async fn end_backends(&self) -> Result<()> {
        let pids = std::mem::take(&mut *self.lock());
        if pids.is_empty() {
            return Ok(());
        }
        let session = self.connect("end backends").await?;
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
            if alive.is_empty() || Instant::now() > deadline {
                return Ok(());
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Vec<i32>> {
        self.backends.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl fmt::Debug for Database {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Database({}, {})", self.side, self.redacted())
    }
}

impl Session {
    /// Runs statements that return nothing.
    pub async fn batch(&self, sql: &str) -> Result<()> {
        self.client.batch_execute(sql).await.map_err(server_error)
    }

    /// Runs one statement; returns the number of rows it touched.
    pub async fn execute(&self, sql: &str, parameters: &[&(dyn ToSql + Sync)]) -> Result<u64> {
        self.client.execute(sql, parameters).await.map_err(server_error)
    }

    /// Runs a query.
    pub async fn query(&self, sql: &str, parameters: &[&(dyn ToSql + Sync)]) -> Result<Vec<Row>> {
        self.client.query(sql, parameters).await.map_err(server_error)
    }

    /// Runs a query that returns one row.
    pub async fn query_one(&self, sql: &str, parameters: &[&(dyn ToSql + Sync)]) -> Result<Row> {
        self.client.query_one(sql, parameters).await.map_err(server_error)
    }

    /// Runs a query that returns one number that is not negative: a count.
    pub async fn count(&self, sql: &str, parameters: &[&(dyn ToSql + Sync)]) -> Result<u64> {
        let count: i64 = self.query_one(sql, parameters).await?.get(0);
        Ok(u64::try_from(count).unwrap_or(0))
    }

    pub(super) fn client(&self) -> &Client {
        &self.client
    }
}
