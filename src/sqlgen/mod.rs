//! A pipeline as SQL: the second, independent way from documents to rows, on the server.
//!
//! Nothing here talks to a server: specs and schemas in, the text of statements out. What comes out is
//! plain inline SQL for PostgreSQL 14 and newer: no function is created, no temporary object, nothing
//! that needs a right beyond SELECT; so it runs in a read-only session too.
//!
//! Every expression is total. A cast in SQL raises an error on a value that it does not take, and one
//! error loses the statement; so each cast stands in a CASE behind a test of the very text that it reads.
//! A value that is read more than once is computed once, in a subquery that `OFFSET 0` keeps the planner
//! from inlining.
//!
//! The results are those of `transform`, bit for bit, but nothing is shared with it beyond the spec: a
//! fault of one is found by the other.

//!
//! Beside them stands plain SQL as users write it ([`arrow_statements`], [`PlainSql`]), for comparisons: it
//! takes clean data only.

mod arrow;
mod case;
mod cast;
mod cell;
mod closure;
mod merge;
mod plain;
mod rows;
mod rules;
mod select;
mod text;
mod write;
mod xanoscript;

pub use arrow::arrow_statements;
pub use closure::expected_derived_rows;
pub use merge::{merge_statement, schema_of};
pub use select::{Extraction, PlainSql};
pub use write::{CopiedColumn, create_table_as, delete_gone, insert, merge};
pub use xanoscript::stanza;

use crate::error::Result;
use crate::name::{TableName, quote};
use crate::schema::ColumnSchema;
use crate::spec::model::{ExplodeSpec, PipelineSpec, TargetSpec};
use rows::Scan;

/// A SELECT over the source table that gives one row for each row that the target should hold: the
/// spec's columns in order, each of the type of its live column. A rejected cell is NULL or its default;
/// quarantined and filtered rows are left out, and so are those that would abort a run.
///
/// `live` holds the columns of the target's table, `condition` may restrict the rows of the source, which
/// are called `v`. An error names a column that the table lacks or whose type does not fit.
pub fn expected_rows(
    spec: &PipelineSpec,
    target: &TargetSpec,
    live: &[ColumnSchema],
    source_table: &TableName,
    condition: Option<&str>,
) -> Result<String> {
    let mut scan = Scan::default();
    let rows = scan.target(target, live)?;
    let columns = rows.cells.iter().zip(&target.columns);
    let columns: Vec<String> =
        columns.map(|(cell, column)| format!("{cell} AS {}", quote(&column.name))).collect();
    Ok(format!(
        "SELECT {}\nFROM {}\nWHERE {}",
        columns.join(",\n  "),
        scan.table(&spec.source, source_table, condition),
        rows.condition
    ))
}

/// A SELECT over the source table that names merge keys that stand more than once, up to five of them: the
/// key as text, and up to five ids of rows that bear it.
///
/// # Errors
/// As for [`expected_rows`].
pub fn repeated_keys(
    spec: &PipelineSpec,
    target: &TargetSpec,
    live: &[ColumnSchema],
    source_table: &TableName,
) -> Result<String> {
    let mut scan = Scan::default();
    let rows = scan.target(target, live)?;
    scan.id();
    let key: Vec<&str> = target.key.iter().map(|&index| rows.cells[index].as_str()).collect();
    let texts: Vec<String> = key.iter().map(|cell| format!("({cell})::text")).collect();
    Ok(format!(
        "SELECT concat_ws(', ', {}), (array_agg(c.source_id ORDER BY c.source_id))[1:5]\nFROM {}\nWHERE {}\nGROUP BY {}\n\
         HAVING count(*) > 1 ORDER BY 1 LIMIT 5",
        texts.join(", "),
        scan.table(&spec.source, source_table, None),
        rows.condition,
        key.join(", ")
    ))
}

/// A SELECT over the source table of the id and the position of every element of an array, whatever becomes of its
/// row; of a document that is rejected as a whole the id and NULL. `condition` restricts the rows of the source, which
/// are called `v`.
pub fn element_places(
    spec: &PipelineSpec,
    explode: &ExplodeSpec,
    source_table: &TableName,
    condition: &str,
) -> String {
    rows::places(explode, &spec.source, source_table, condition)
}

/// A SELECT over the source table of the number of all elements of an array.
pub fn count_elements(spec: &PipelineSpec, explode: &ExplodeSpec, source_table: &TableName) -> String {
    // A text as key finds nothing in an array, where `#>` would take its digits for a place.
    let steps = explode.path.steps.iter().map(|step| format!(" -> {}::text", text::literal(step)));
    let array = format!("v.{}{}", quote(&spec.source.document), steps.collect::<String>());
    format!(
        "SELECT coalesce(sum(CASE WHEN jsonb_typeof(a.value) = 'array' THEN jsonb_array_length(a.value) END), 0)::bigint \
         FROM {} v CROSS JOIN LATERAL (SELECT {array} AS value OFFSET 0) a",
        source_table.quoted()
    )
}
