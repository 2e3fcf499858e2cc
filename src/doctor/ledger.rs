//! The schema `xdoflow` of the target database: the ledger, the quarantine, and where staging tables go.

use super::{Level, Notes};
use crate::error::Result;
use crate::pg::Session;
use crate::stage::ledger;

/// Whether the role can make the schema, or use the one that is there.
pub(super) async fn look(session: &Session, notes: &mut Notes<'_>) -> Result<()> {
    let row = session.query_one(SCHEMA, &[]).await?;
    if !row.get::<_, bool>("there") {
        if row.get("may_create") {
            notes.ok("ledger", "the first run creates the schema xdoflow");
        } else {
            notes.note(
                Level::Problem,
                "ledger",
                "there is no schema xdoflow, and the role may not create one",
                "let the database's owner say CREATE SCHEMA xdoflow AUTHORIZATION <role>, or GRANT CREATE ON DATABASE",
            );
        }
        return Ok(());
    }
    if !row.get::<_, bool>("may_use") {
        notes.note(
            Level::Problem,
            "ledger",
            "the role may not use the schema xdoflow, or create tables in it",
            "let its owner say GRANT USAGE, CREATE ON SCHEMA xdoflow TO <role>",
        );
        return Ok(());
    }
    let closed: Vec<String> = row.get("closed");
    if !closed.is_empty() {
        notes.note(
            Level::Problem,
            "ledger",
            format!("the role may not read and write the ledger's tables {}", closed.join(", ")),
            "let their owner say GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA xdoflow TO <role>",
        );
        return Ok(());
    }
    let foreign: Vec<String> = row.get("foreign");
    if ledger::is_current(session).await? || foreign.is_empty() {
        notes.ok("ledger", "the schema xdoflow can be used");
    } else {
        notes.note(
            Level::Problem,
            "ledger",
            "the ledger is of an older version, and its tables belong to another role",
            "let that role run xdoflow once, which brings it up to date",
        );
    }
    Ok(())
}

/// `closed` are tables of the ledger that the role may not write, `foreign` those that it does not own.
const SCHEMA: &str = "
    WITH place AS (SELECT to_regnamespace('xdoflow')::oid AS oid),
         tables AS (SELECT c.oid, c.relname::text, c.relowner FROM pg_class c JOIN place ON c.relnamespace = place.oid
                    WHERE c.relkind = 'r' AND c.relname !~ '^stage_')
    SELECT place.oid IS NOT NULL AS there, has_database_privilege(current_database(), 'CREATE') AS may_create,
           coalesce(has_schema_privilege(place.oid, 'USAGE') AND has_schema_privilege(place.oid, 'CREATE'), false)
             AS may_use,
           ARRAY(SELECT relname FROM tables
                 WHERE NOT (has_table_privilege(oid, 'SELECT') AND has_table_privilege(oid, 'INSERT')
                            AND has_table_privilege(oid, 'UPDATE') AND has_table_privilege(oid, 'DELETE'))
                 ORDER BY 1) AS closed,
           ARRAY(SELECT relname FROM tables WHERE NOT pg_has_role(relowner, 'USAGE') ORDER BY 1) AS foreign
    FROM place";
