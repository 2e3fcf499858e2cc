//! Locks on tables: taken all at once, and, where one is not to be had, who holds it.

use super::session::Session;
use crate::error::{Error, Result};
use crate::name::{TableName, literal};

/// SQLSTATE of a lock that did not come in time.
const LOCK_NOT_AVAILABLE: &str = "55P03";

/// SQLSTATE of a table that is not there.
const UNDEFINED_TABLE: &str = "42P01";

/// Whom a lock on a table keeps out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LockMode {
    /// Those that alter the table or empty it: the lock of a reader.
    Alterers,
    /// Those that write, too: its rows stay as they are.
    Writers,
    /// Everybody.
    Everyone,
}

impl LockMode {
    fn sql(self) -> &'static str {
        match self {
            Self::Alterers => "ACCESS SHARE",
            // The weakest that keeps out both writers and another lock of this kind.
            Self::Writers => "SHARE ROW EXCLUSIVE",
            Self::Everyone => "ACCESS EXCLUSIVE",
        }
    }

    /// The modes of `pg_locks` that are in its way.
    fn conflicting(self) -> &'static [&'static str] {
        const ALL: [&str; 8] = [
            "AccessExclusiveLock",
            "ExclusiveLock",
            "ShareRowExclusiveLock",
            "ShareLock",
            "ShareUpdateExclusiveLock",
            "RowExclusiveLock",
            "RowShareLock",
            "AccessShareLock",
        ];
        match self {
            Self::Alterers => &ALL[..1],
            Self::Writers => &ALL[..6],
            Self::Everyone => &ALL,
        }
    }
}

impl Session {
    /// Locks tables in the open transaction, in the order of their names, so that two sessions that do so
    /// cannot wait for each other.
    ///
    /// # Errors
    /// A lock does not come in time: the detail names who holds it. A table is gone.
    pub async fn lock_tables<'t>(
        &self,
        tables: impl IntoIterator<Item = &'t TableName>,
        mode: LockMode,
    ) -> Result<()> {
        let mut names: Vec<String> = tables.into_iter().map(TableName::quoted).collect();
        names.sort();
        let lock = format!("LOCK TABLE {} IN {} MODE", names.join(", "), mode.sql());
        match self.batch(&lock).await {
            Ok(()) => Ok(()),
            Err(error) => Err(self.explain_lock(error, &names, mode).await),
        }
    }

    /// An error met while tables were to be locked in a mode: who holds the lock, where it is that. The
    /// transaction ends.
    pub(super) async fn explain_lock(&self, error: Error, names: &[String], mode: LockMode) -> Error {
        match error.code() {
            Some(LOCK_NOT_AVAILABLE) => {
                let holders = self.holders(names, mode).await.unwrap_or_default();
                let error =
                    Error::stop("a lock on the tables did not come in time").sqlstate(LOCK_NOT_AVAILABLE);
                let error = if holders.is_empty() { error } else { error.detail(holders.join("\n")) };
                error.hint(
                    "wait until that session ends its transaction, or end it with pg_terminate_backend; \
                     --lock-timeout waits longer",
                )
            }
            Some(UNDEFINED_TABLE) => {
                error.hint("the table was dropped or renamed while the run was under way; run again")
            }
            _ => error,
        }
    }

    /// Who holds locks that are in the way of a mode, the longest first. The transaction ends.
    async fn holders(&self, names: &[String], mode: LockMode) -> Result<Vec<String>> {
        self.batch("ROLLBACK").await?;
        let list = |texts: &mut dyn Iterator<Item = String>| texts.collect::<Vec<_>>().join(", ");
        let tables = list(&mut names.iter().map(|name| format!("to_regclass({})::oid", literal(name))));
        let modes = list(&mut mode.conflicting().iter().map(|mode| literal(mode)));
        let sql = format!(
            "SELECT a.pid, coalesce(a.usename::text, ''), coalesce(a.application_name, ''),
               l.relation::regclass::text, l.mode, coalesce(to_char(a.xact_start, 'YYYY-MM-DD HH24:MI:SS TZ'), '?')
             FROM pg_locks l JOIN pg_stat_activity a ON a.pid = l.pid
             WHERE l.locktype = 'relation' AND l.granted AND l.pid <> pg_backend_pid()
               AND l.relation IN ({tables}) AND l.mode IN ({modes})
               AND l.database = (SELECT oid FROM pg_database WHERE datname = current_database())
             ORDER BY a.xact_start LIMIT 3"
        );
        let rows = self.query(&sql, &[]).await?;
        Ok(rows
            .iter()
            .map(|row| {
                format!(
                    "process {} of role {} ({}) holds {} on {}, in a transaction since {}",
                    row.get::<_, i32>(0),
                    row.get::<_, String>(1),
                    row.get::<_, String>(2),
                    row.get::<_, String>(4),
                    row.get::<_, String>(3),
                    row.get::<_, String>(5)
                )
            })
            .collect())
    }
}
