//! The fingerprints in the ledger: what they are worth, and how a publish keeps or forgets them.
//!
//! Everything that writes here runs in the transaction that publishes the entity, so the fingerprints and the
//! data are never apart: a run that is killed has changed neither. Every publish of an entity either keeps the
//! fingerprints of what it published, or leaves them alone because what it published agrees with them, or
//! deletes their state; without a state the blocks mean nothing.

use crate::error::{Error, Result};
use crate::fingerprint::{SourceIdentity, State};
use crate::name::TableName;
use crate::pg::Session;
use crate::pg::sql::STAYS_COLUMN;

/// The state of an entity's fingerprints; `None` where there are none.
pub async fn read(session: &Session, entity: &str) -> Result<Option<State>> {
    let rows = session
        .query(
            "SELECT system_identifier, timeline, database_oid, table_oid, table_file, table_columns, snapshot,
                    pipeline, targets, rows, leftovers
             FROM xdoflow.fingerprint_state WHERE entity = $1",
            &[&entity],
        )
        .await?;
    Ok(rows.first().map(|row| State {
        source: SourceIdentity {
            system: row.get(0),
            timeline: row.get(1),
            database: row.get(2),
            table: row.get(3),
            file: row.get(4),
            columns: row.get(5),
            snapshot: row.get(6),
        },
        pipeline: row.get(7),
        targets: row.get(8),
        rows: row.get(9),
        leftovers: row.get(10),
    }))
}

/// The rows that are to be tried again, ascending: those with a reject that no later run has accepted, and,
/// where the run prunes, those that have left something in V2 that is to go.
pub async fn to_retry(session: &Session, entity: &str, prune: bool) -> Result<Vec<i64>> {
    let rows = session
        .query(
            "SELECT source_id FROM xdoflow.rejects WHERE entity = $1 AND resolved_at IS NULL
             UNION SELECT source_id FROM xdoflow.fingerprint_pending WHERE entity = $1 AND $2
             ORDER BY 1",
            &[&entity, &prune],
        )
        .await?;
    Ok(rows.iter().map(|row| row.get(0)).collect())
}

/// Rejects of derived targets that no later run has accepted.
#[derive(Clone, Copy, Debug)]
pub struct OpenDerived {
    /// Edges that are in no tree.
    pub cycles: i64,
    /// Values and rows of the targets themselves. They are not known by a row of the source.
    pub values: i64,
}

/// Counts the open rejects of the derived targets of an entity, which bear these labels.
pub async fn open_derived(session: &Session, entity: &str, labels: &[&str]) -> Result<OpenDerived> {
    if labels.is_empty() {
        return Ok(OpenDerived { cycles: 0, values: 0 });
    }
    let row = session
        .query_one(
            "SELECT count(*) FILTER (WHERE of_edge), count(*) FILTER (WHERE NOT of_edge)
             FROM (SELECT reason_code IN ('self_edge', 'cycle') AS of_edge FROM xdoflow.rejects
                   WHERE entity = $1 AND resolved_at IS NULL AND target_table = ANY ($2)) open",
            &[&entity, &labels],
        )
        .await?;
    Ok(OpenDerived { cycles: row.get(0), values: row.get(1) })
}

/// The edges of a derived target, as they were packed.
pub async fn edges(session: &Session, entity: &str, derived: usize) -> Result<Vec<Vec<u8>>> {
    let rows = session
        .query(
            "SELECT bytes FROM xdoflow.fingerprint_edges WHERE entity = $1 AND derived = $2 ORDER BY block",
            &[&entity, &number(derived)],
        )
        .await?;
    Ok(rows.iter().map(|row| row.get(0)).collect())
}

/// Keeps the edges of a derived target in place of those before.
pub async fn keep_edges(session: &Session, entity: &str, derived: usize, blocks: &[Vec<u8>]) -> Result<()> {
    let derived = number(derived);
    session
        .execute(
            "DELETE FROM xdoflow.fingerprint_edges WHERE entity = $1 AND derived = $2",
            &[&entity, &derived],
        )
        .await?;
    for (block, bytes) in blocks.iter().enumerate() {
        session
            .execute(
                "INSERT INTO xdoflow.fingerprint_edges (entity, derived, block, bytes) VALUES ($1, $2, $3, $4)",
                &[&entity, &derived, &number(block), bytes],
            )
            .await?;
    }
    Ok(())
}

/// A number of something of which there are few.
fn number(of: usize) -> i32 {
    i32::try_from(of).unwrap_or(i32::MAX)
}

/// Keeps the fingerprints of a run: the `blocks` that differ are in `staged`, which is not there
/// where they are none.
pub async fn keep(
    session: &Session,
    entity: &str,
    run_id: i64,
    state: &State,
    staged: &TableName,
    blocks: u64,
) -> Result<()> {
    if blocks > 0 {
        let staged = staged.quoted();
        let there = session.count(&format!("SELECT count(*) FROM {staged}"), &[]).await?;
        if there != blocks {
            return Err(Error::stop("the staging table does not hold the fingerprints that were sent")
                .detail(format!("{blocks} blocks were sent, {there} are there"))
                .hint("the server may have been restarted, which empties unlogged tables; run again"));
        }
        let delete = format!(
            "DELETE FROM xdoflow.fingerprint_blocks b USING {staged} s
             WHERE b.entity = $1 AND b.first_page = s.first_page"
        );
        session.execute(&delete, &[&entity]).await?;
        let insert = format!(
            "INSERT INTO xdoflow.fingerprint_blocks (entity, first_page, rows, bytes)
             SELECT $1, first_page, rows, bytes FROM {staged} WHERE rows > 0"
        );
        session.execute(&insert, &[&entity]).await?;
    }
    session.execute("DELETE FROM xdoflow.fingerprint_state WHERE entity = $1", &[&entity]).await?;
    let source = &state.source;
    session
        .execute(
            "INSERT INTO xdoflow.fingerprint_state (entity, run_id, system_identifier, timeline, database_oid,
               table_oid, table_file, table_columns, snapshot, pipeline, targets, rows, leftovers)
             VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13)",
            &[
                &entity,
                &run_id,
                &source.system,
                &source.timeline,
                &source.database,
                &source.table,
                &source.file,
                &source.columns,
                &source.snapshot,
                &state.pipeline,
                &state.targets,
                &state.rows,
                &state.leftovers,
            ],
        )
        .await?;
    Ok(())
}

/// Notes rows that have left something in V2 that a later run with `--prune` is to delete: those of the list
/// `gone`.
pub async fn keep_pending(session: &Session, entity: &str, gone: &TableName) -> Result<()> {
    let sql = format!(
        "INSERT INTO xdoflow.fingerprint_pending (entity, source_id) SELECT $1, key FROM {} WHERE NOT {}
         ON CONFLICT DO NOTHING",
        gone.quoted(),
        STAYS_COLUMN.0
    );
    session.execute(&sql, &[&entity]).await?;
    Ok(())
}

/// Notes that nothing is left in V2 of rows that are gone, or that all of it was counted as leftovers.
pub async fn clear_pending(session: &Session, entity: &str) -> Result<()> {
    session.execute("DELETE FROM xdoflow.fingerprint_pending WHERE entity = $1", &[&entity]).await?;
    Ok(())
}

/// Makes the fingerprints of an entity void: the next `--changed` run reads everything.
pub async fn forget(session: &Session, entity: &str) -> Result<()> {
    session.execute("DELETE FROM xdoflow.fingerprint_state WHERE entity = $1", &[&entity]).await?;
    Ok(())
}
