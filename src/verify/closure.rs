//! What a derived target should hold: the closure of the edges, worked out by the source server with a
//! recursive query.
//!
//! Both ends of an edge are read as references, by the SQL of a target of these two columns. The rows of
//! the closure become documents of a table expression that bears the name of a source table, so that the
//! columns are read from them by the same SQL as those of any target.

use crate::error::Result;
use crate::name::{TableName, quote};
use crate::schema::{ColumnSchema, ColumnType, Scalar};
use crate::spec::model::{DerivedSpec, PipelineSpec};
use crate::sqlgen;

/// The table expression of the closure's documents.
const DOCUMENTS: &str = "xdoflow closure";

/// A SELECT that gives one row for each row that the derived target should hold.
pub fn expected_rows(
    spec: &PipelineSpec,
    derived: &DerivedSpec,
    live: &[ColumnSchema],
    source: &TableName,
) -> Result<String> {
    let edges = sqlgen::edges(derived);
    let ends: Vec<ColumnSchema> = edges.columns.iter().map(|column| bigint(&column.name)).collect();
    let edges = sqlgen::expected_rows(spec, &edges, &ends, source, None)?;
    // Not quoted here: the name is quoted wherever it stands.
    let documents: TableName = format!("\"{DOCUMENTS}\"").parse()?;
    let rows = sqlgen::expected_rows(spec, &derived.target, live, &documents, None)?;
    Ok(format!(
        "{},
         {} ({}, {}) AS (
           SELECT 0::bigint, jsonb_build_object('ancestor', a, 'descendant', d,
             'depth', cardinality(path) - 1, 'path', to_jsonb(path)) FROM shortest)
         {rows}",
        sqlgen::closure(&edges),
        documents.quoted(),
        quote(&spec.source.id),
        quote(&spec.source.document)
    ))
}

fn bigint(name: &str) -> ColumnSchema {
    ColumnSchema {
        name: name.to_owned(),
        type_name: "bigint".to_owned(),
        column_type: Some(ColumnType::scalar(Scalar::BigInt)),
        not_null: false,
        filled_by_server: false,
        read_only: false,
    }
}
