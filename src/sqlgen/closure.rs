//! What a derived target should hold: the closure of the edges, worked out by the server with a recursive
//! query.
//!
//! Both ends of an edge are read as references, by the SQL of a target of these two columns. The rows of
//! the closure become documents of a table expression that bears the name of a source table, so that the
//! columns are read from them by the same SQL as those of any target. Plain SQL makes its columns of the
//! closure itself.

use crate::error::Result;
use crate::name::{TableName, quote};
use crate::schema::{ColumnSchema, ColumnType, Scalar};
use crate::spec::model::{
    CastSpec, ColumnSpec, DerivedSpec, KeyPath, OnReject, Origin, PipelineSpec, TargetSpec, TextRules,
};

use super::expected_rows;
use super::plain::cell;

/// The table expression of the closure's documents.
const DOCUMENTS: &str = "xdoflow closure";

/// A SELECT that gives one row for each row that the derived target should hold, as
/// [`expected_rows`] does for the others.
pub fn expected_derived_rows(
    spec: &PipelineSpec,
    derived: &DerivedSpec,
    live: &[ColumnSchema],
    source: &TableName,
) -> Result<String> {
    let edges = edges(derived);
    let ends: Vec<ColumnSchema> = edges.columns.iter().map(|column| bigint(&column.name)).collect();
    let edges = expected_rows(spec, &edges, &ends, source, None)?;
    // Not quoted here: the name is quoted wherever it stands.
    let documents: TableName = format!("\"{DOCUMENTS}\"").parse()?;
    let rows = expected_rows(spec, &derived.target, live, &documents, None)?;
    Ok(format!(
        "{},
         {} ({}, {}) AS (
           SELECT 0::bigint, jsonb_build_object('ancestor', a, 'descendant', d,
             'depth', cardinality(path) - 1, 'path', to_jsonb(path)) FROM shortest)
         {rows}",
        closure(&edges),
        documents.quoted(),
        quote(&spec.source.id),
        quote(&spec.source.document)
    ))
}

/// A target of two columns, `parent` and `child`: the ends of each edge, read as references.
pub(super) fn edges(derived: &DerivedSpec) -> TargetSpec {
    let ends = [("parent", &derived.closure.parent), ("child", &derived.closure.child)];
    TargetSpec {
        key: vec![0, 1],
        columns: ends.iter().map(|(name, path)| reference(name, path)).collect(),
        filter: None,
        ..derived.target.clone()
    }
}

/// The table expressions of a closure, from WITH on; the last is `shortest (a, d, path)`. `edges` is a
/// query of two columns. Edges that stand twice count once, one to itself or on a cycle is left out; two
/// nodes are joined by the shortest chain, among several by the one whose ids are smallest from the
/// ancestor on.
fn closure(edges: &str) -> String {
    format!(
        "WITH RECURSIVE edge (a, d) AS MATERIALIZED (
           SELECT DISTINCT e.a, e.d FROM ({edges}) e (a, d) WHERE e.a <> e.d),
         reach (a, d) AS (
           SELECT a, d FROM edge UNION SELECT r.a, e.d FROM reach r JOIN edge e ON e.a = r.d),
         good (a, d) AS MATERIALIZED (
           SELECT a, d FROM edge EXCEPT SELECT d, a FROM reach),
         chain (a, d, path) AS (
           SELECT a, d, ARRAY[a, d] FROM good
           UNION ALL SELECT c.a, g.d, c.path || g.d FROM chain c JOIN good g ON g.a = c.d),
         shortest AS (
           SELECT DISTINCT ON (a, d) a, d, path FROM chain ORDER BY a, d, cardinality(path), path)"
    )
}

/// A SELECT of a closure's rows in the columns of a derived target, as plain SQL; `edges` as above.
pub(super) fn closure_rows(derived: &DerivedSpec, edges: &str) -> String {
    let read = |path: &KeyPath, json: bool| {
        let value = match path.steps.join(".").as_str() {
            "ancestor" => "s.a",
            "descendant" => "s.d",
            "depth" => "cardinality(s.path) - 1",
            "path" => "to_jsonb(s.path)",
            _ => "NULL",
        };
        match json {
            true => value.to_owned(),
            false => format!("({value})::text"),
        }
    };
    let columns = derived.target.columns.iter();
    let cells: Vec<String> =
        columns.map(|column| format!("{} AS {}", cell(column, "NULL", &read), quote(&column.name))).collect();
    format!("{}\nSELECT {} FROM shortest s", closure(edges), cells.join(", "))
}

/// A column that is read from a key as a reference.
fn reference(name: &str, path: &KeyPath) -> ColumnSpec {
    ColumnSpec {
        name: name.to_owned(),
        position: Default::default(),
        origin: Origin::Keys(vec![path.clone()]),
        rules: TextRules::default(),
        cast: CastSpec { none: vec![0], ..CastSpec::plain(ColumnType::scalar(Scalar::BigInt)) },
        default: None,
        on_reject: OnReject::Cell,
        references: None,
    }
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
