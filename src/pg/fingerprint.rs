//! What a server says of itself and of the versions of a table's rows, for fingerprints.
//!
//! A run that reads everything asks for them with the documents. A scan asks for `id`, `xmin` and `ctid` of some
//! pages, a row each. Measured on 702,072 participants: 0.34 s of the server's CPU. As three arrays of 512 pages
//! each it was 0.43 s; and 0.30 s where rows whose transaction had ended before the last scan told no more than
//! their id, which was not kept: a V1 that loses transactions in a crash, and gives their numbers to others, would
//! hide these.

use super::catalog::TableInfo;
use super::session::Session;
use crate::error::Result;
use crate::fingerprint::SourceIdentity;
use crate::name::{TableName, quote};

/// What a server says of itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ServerIdentity {
    system: String,
    timeline: i32,
    database: u32,
}

impl ServerIdentity {
    /// Asks the server on a session that may fail: the functions that tell it can be forbidden, and some
    /// managed servers have none of them. `Err` says why not, for people.
    pub async fn ask(session: &Session) -> Result<Self, String> {
        let row = session.query_one(SERVER, &[]).await.map_err(|error| error.message().to_owned())?;
        Ok(Self { system: row.get(0), timeline: row.get(1), database: row.get(2) })
    }

    /// The identity of a table's rows under the snapshot of a session, whose transaction holds a lock on the
    /// table already, so that its file stays. `Err` says why its rows have no fingerprints.
    pub async fn of_table(
        self,
        session: &Session,
        table: &TableInfo,
        id: &str,
        document: &str,
    ) -> Result<Result<SourceIdentity, &'static str>> {
        let columns = [id, document];
        let row = session.query_one(TABLE, &[&table.oid, &columns.as_slice()]).await?;
        if !row.get::<_, bool>("plain") {
            return Ok(Err("the source is no ordinary table"));
        }
        if !table.is_unique(&[id.to_owned()]) {
            return Ok(Err("the source's id has no unique index"));
        }
        Ok(Ok(SourceIdentity {
            system: self.system,
            timeline: self.timeline,
            database: self.database,
            table: table.oid,
            file: row.get("file"),
            columns: row.get("columns"),
            snapshot: row.get("snapshot"),
        }))
    }
}

/// On a primary the timeline is that of the log it writes: the control file learns a new one late.
const SERVER: &str = "
    SELECT (SELECT system_identifier FROM pg_control_system())::text,
           CASE WHEN pg_is_in_recovery() THEN (SELECT timeline_id FROM pg_control_checkpoint())
                ELSE ('x' || substr(pg_walfile_name(pg_current_wal_lsn()), 1, 8))::bit(32)::int END,
           (SELECT oid FROM pg_database WHERE datname = current_database())";

/// A table that others inherit from is no ordinary one: a scan of it gives places of several files. The
/// number of the file is not that of the snapshot, but that of now, which the lock keeps.
const TABLE: &str = "
    SELECT c.relkind IN ('r', 'm') AND a.amname = 'heap'
             AND NOT EXISTS (SELECT FROM pg_inherits i WHERE i.inhparent = c.oid) AS plain,
           coalesce(pg_relation_filenode(c.oid), 0::oid) AS file,
           ARRAY(SELECT t.attnum FROM unnest($2::text[]) WITH ORDINALITY AS n (name, place)
                 JOIN pg_attribute t ON t.attrelid = c.oid AND t.attname = n.name
                 ORDER BY n.place) AS columns,
           pg_snapshot_xmax(pg_current_snapshot())::text::bigint AS snapshot
    FROM pg_class c LEFT JOIN pg_am a ON a.oid = c.relam
    WHERE c.oid = $1";

/// Takes the lock that keeps a table's file for the rest of the transaction.
pub fn hold(table: &TableInfo) -> String {
    format!("SELECT FROM {} LIMIT 0", table.name.quoted())
}

/// What the transaction of a scan sets: the rows come in the order of their places, whatever the planner
/// makes of the range.
pub const SCAN_SETTINGS: &str =
    "SET LOCAL max_parallel_workers_per_gather = 0; SET LOCAL synchronize_seqscans = off";

/// `COPY … TO STDOUT` of ids, transactions and places of the rows of some pages, in the order of their places.
/// Open-ended where `to` is `None`.
pub fn scan(table: &TableInfo, id: &str, from: u32, to: Option<u32>) -> String {
    let id = quote(id);
    let end = to.map_or(String::new(), |to| format!(" AND ctid < '({to},0)'::tid"));
    format!(
        "COPY (SELECT {id}::bigint, xmin, ctid FROM {} \
         WHERE ctid >= '({from},0)'::tid{end}) TO STDOUT (FORMAT binary)",
        table.name.quoted()
    )
}

/// The columns of a staging table of blocks of fingerprints, or of parts of them. A block without rows says that
/// there is none.
pub const BLOCK_COLUMNS: [&str; 3] = ["first_page", "rows", "bytes"];

/// The statements that create a staging table of blocks.
pub fn create_blocks(table: &TableName) -> String {
    let table = table.quoted();
    format!(
        "CREATE UNLOGGED TABLE {table} (first_page bigint, rows integer, bytes bytea)
         WITH (autovacuum_enabled = off); ALTER TABLE {table} ALTER COLUMN bytes SET STORAGE EXTERNAL"
    )
}

/// Each table, and the file it has now, the changes of this transaction among them: TRUNCATE and the like
/// give it another.
pub async fn files(session: &Session, tables: impl Iterator<Item = u32>) -> Result<String> {
    let tables: Vec<u32> = tables.collect();
    let row = session
        .query_one(
            "SELECT coalesce(string_agg(t.oid || '/' || coalesce(pg_relation_filenode(t.oid), 0), ' ' ORDER BY t.place), '')
             FROM unnest($1::oid[]) WITH ORDINALITY AS t (oid, place)",
            &[&tables],
        )
        .await?;
    Ok(row.get(0))
}
