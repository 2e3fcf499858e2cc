//! The contract as SQL, and the widest way to put values to it: one target with a column for each type.

use std::fmt::Write as _;

use crate::support::{Database, Pipelines};

/// The contract as SQL functions.
pub const ORACLE: &str = include_str!("../../fixtures/oracle.sql");
/// Cases worked out by hand.
pub const CASES: &str = include_str!("../../fixtures/oracle_cases.sql");
/// What V2 must hold.
pub const EXPECTED: &str = include_str!("../../fixtures/expected.sql");
/// What differs from that.
pub const COMPARE: &str = include_str!("../../fixtures/compare.sql");

/// How values are shown in a comparison, whatever the server's defaults.
pub const SHOWN: &str =
    "SET timezone = 'UTC'; SET datestyle = 'ISO'; SET extra_float_digits = 1; SET jit = off;";

/// A column of the target `wide`, fed by the key of the same name.
pub struct WideColumn {
    /// Also the key.
    pub name: String,
    /// The type, in SQL and in the pipeline.
    pub column_type: String,
    /// The other options in TOML: `, parse = "money"`.
    pub options: String,
}

/// The SQL that makes the target.
pub fn wide_table(columns: &[WideColumn]) -> String {
    let mut sql = "CREATE TABLE wide (id bigint PRIMARY KEY".to_owned();
    for column in columns {
        write!(sql, ", {} {}", column.name, column.column_type).expect("a string takes text");
    }
    sql + ")"
}

/// The pipeline from `source` to the target.
pub fn wide_pipeline(columns: &[WideColumn]) -> Pipelines {
    let mut text =
        "entity = \"wide\"\nsource = \"source\"\n\n[target.wide]\ntable = \"wide\"\nkey = \"id\"\n\n\
                    [target.wide.columns]\nid = \"$id\"\n"
            .to_owned();
    for WideColumn { name, column_type, options } in columns {
        writeln!(text, "{name} = {{ type = \"{column_type}\"{options} }}").expect("a string takes text");
    }
    Pipelines::new(&[("wide.toml", &text)])
}

/// Runs the pipeline; the number of the run. Every document must come out as a row.
pub fn run_wide(database: &Database, pipelines: &Pipelines, rows: usize) -> String {
    let summary = database.json(&["run", "wide", "--pipelines", pipelines.path()]);
    let target = &summary["entities"][0]["targets"][0];
    assert_eq!(target["inserted"], rows, "{target}");
    summary["run_id"].to_string()
}
