//! The transitive closure of edges, as a recursive query.

use crate::name::quote;
use crate::spec::model::{
    CastSpec, ColumnSpec, DerivedSpec, KeyPath, OnReject, Origin, TargetSpec, TextRules,
};
use crate::schema::{ColumnType, Scalar};

use super::plain::cell;

/// A target of two columns, `parent` and `child`: the ends of each edge, read as references.
pub fn edges(derived: &DerivedSpec) -> TargetSpec {
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
pub fn closure(edges: &str) -> String {
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
pub fn closure_rows(derived: &DerivedSpec, edges: &str) -> String {
    let read = |path: &KeyPath, json: bool| {
        let value = match path.0.join(".").as_str() {
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
