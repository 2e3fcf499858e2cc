//! The pattern of the old guide: `xdo->>'key'` with NULLIF and COALESCE, one INSERT a target.
//!
//! It is printed to be read and compared, and for data that is known to be clean: its cells are those of
//! [`plain`](super::plain).

use crate::name::quote;
use crate::spec::model::{Base, KeyPath, PipelineSpec, TargetSpec};

use super::plain::{arrow, cell};

/// The statements of a pipeline, one for each target. Safe to run again: rows whose key the target has
/// are left alone.
pub fn arrow_statements(spec: &PipelineSpec) -> Vec<String> {
    spec.targets.iter().map(|target| statement(spec, target)).collect()
}

fn statement(spec: &PipelineSpec, target: &TargetSpec) -> String {
    let (id, document) = (quote(&spec.source.id), quote(&spec.source.document));
    let names: Vec<String> = target.columns.iter().map(|column| quote(&column.name)).collect();
    let read = |path: &KeyPath, json| match path.base {
        Base::Document => arrow(&document, path, json),
        Base::Element => arrow("e.element", path, json),
    };
    let elements = target.explode.as_ref().map(|explode| {
        let array = arrow(&document, &explode.path, true);
        format!(" CROSS JOIN LATERAL jsonb_array_elements({array}) WITH ORDINALITY AS e (element, position)")
    });
    let cells: Vec<String> = target.columns.iter().map(|column| cell(column, &id, &read)).collect();
    let part = |list: &[String]| {
        let parts: Vec<&str> =
            target.key.iter().filter_map(|&index| list.get(index)).map(String::as_str).collect();
        if parts.len() == 1 { parts.concat() } else { format!("({})", parts.join(", ")) }
    };
    let key = part(&names);
    // One NULL among them, and NOT IN is true of nothing.
    let selected = key.trim_start_matches('(').trim_end_matches(')');
    format!(
        "-- {} to {}, the plain pattern\nINSERT INTO {} ({})\nSELECT {}\nFROM {}{}\n\
         WHERE {} NOT IN (SELECT {selected} FROM {} WHERE {key} IS NOT NULL)\nON CONFLICT DO NOTHING",
        spec.entity,
        target.name.replace(['\n', '\r'], " "),
        target.table.quoted(),
        names.join(", "),
        cells.join(",\n  "),
        spec.source.table.quoted(),
        elements.unwrap_or_default(),
        part(&cells),
        target.table.quoted(),
    )
}
