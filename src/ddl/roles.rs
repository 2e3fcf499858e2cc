//! The statements that make two roles with no more rights than a run needs: one reads V1, one writes V2.
//!
//! The reader has SELECT on the sources, so V1 cannot be written, whatever the program does. The writer has no
//! right to create anything but in the schema xdoflow, which it owns, and where the ledger, the quarantine and the
//! staging tables are; it cannot alter a target, nor read any other table. Statements may be run again, and part by
//! part where V1 and V2 are on two servers.

use std::collections::BTreeSet;
use std::fmt::Write as _;

use crate::name::{TableName, literal};
use crate::spec::PipelineSpec;

/// The role that reads V1.
pub const READER: &str = "xdoflow_reader";

/// The role that writes V2.
pub const WRITER: &str = "xdoflow_writer";

/// Statements for the tables of these pipelines.
pub fn roles(specs: &[PipelineSpec]) -> String {
    let sources: BTreeSet<&TableName> = specs.iter().map(|spec| &spec.source.table).collect();
    let targets: BTreeSet<&TableName> = specs
        .iter()
        .flat_map(|spec| spec.targets.iter().chain(spec.derived.iter().map(|derived| &derived.target)))
        .map(|target| &target.table)
        .collect();
    let mut sql = String::from(
        "-- Two roles with no more rights than xdoflow run needs. They have no password yet: psql's \\password sets one.\n",
    );
    // Writing to a String cannot fail, here and below.
    let _ = write!(
        sql,
        "\n-- V1, on its server, as the owner of its tables or a superuser.\n{}{}",
        create(READER),
        usage(&sources, READER)
    );
    for table in &sources {
        let _ = writeln!(sql, "GRANT SELECT ON {} TO {READER};", table.quoted());
    }
    let _ = write!(
        sql,
        "\n-- V2, on its server, as the owner of its tables or a superuser.\n{}{}",
        create(WRITER),
        usage(&targets, WRITER)
    );
    let schema = format!(
        "BEGIN IF to_regnamespace('xdoflow') IS NULL THEN CREATE SCHEMA xdoflow AUTHORIZATION {WRITER}; END IF; END"
    );
    sql.push_str(&block(&schema));
    for table in &targets {
        let _ = writeln!(sql, "GRANT SELECT, INSERT, UPDATE, DELETE ON {} TO {WRITER};", table.quoted());
    }
    let sequences = format!(
        "DECLARE ids text; BEGIN FOR ids IN SELECT d.objid::regclass FROM pg_depend d \
         JOIN pg_class c ON c.oid = d.objid AND c.relkind = 'S' WHERE d.deptype = 'a' AND d.refobjid IN ({}) \
         LOOP EXECUTE format('GRANT USAGE ON SEQUENCE %s TO {WRITER}', ids); END LOOP; END",
        oids(&targets)
    );
    let _ = write!(sql, "-- Where ids come from a sequence that is no identity.\n{}", block(&sequences));
    sql.push_str(
        "-- Only run --mode replace empties tables by TRUNCATE: leave this out where nobody should.\n",
    );
    for table in &targets {
        let _ = writeln!(sql, "GRANT TRUNCATE ON {} TO {WRITER};", table.quoted());
    }
    sql
}

fn create(role: &str) -> String {
    block(&format!("BEGIN IF to_regrole('{role}') IS NULL THEN CREATE ROLE {role} LOGIN; END IF; END"))
}

/// The right to enter the schemas of some tables, wherever the search path finds them.
fn usage(tables: &BTreeSet<&TableName>, role: &str) -> String {
    block(&format!(
        "DECLARE place text; BEGIN FOR place IN SELECT DISTINCT relnamespace::regnamespace FROM pg_class \
         WHERE oid IN ({}) LOOP EXECUTE format('GRANT USAGE ON SCHEMA %s TO {role}', place); END LOOP; END",
        oids(tables)
    ))
}

/// A block of PL/pgSQL on a line, between dollars that no name in it can end.
fn block(body: &str) -> String {
    let free = |tag: &String| !body.contains(tag.as_str());
    let tag = (0..).map(|number| format!("$do{number}$")).find(free).unwrap_or_default();
    format!("DO {tag} {body} {tag};\n")
}

/// The tables as a list for IN; those that are not there are NULL.
fn oids(tables: &BTreeSet<&TableName>) -> String {
    let each = tables.iter().map(|table| format!("to_regclass({})", literal(&table.quoted())));
    let all: Vec<String> = each.collect();
    if all.is_empty() { "NULL".to_owned() } else { all.join(", ") }
}
