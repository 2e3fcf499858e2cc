//! The pattern of the old guide: `xdo->>'key'` with NULLIF and COALESCE, one INSERT a target.
//!
//! It is printed to be read and compared, and for data that is known to be clean. Its rules are few: a
//! text is taken as it is; for any other type the empty string is NULL and the server's own cast does the
//! rest; a default is a COALESCE around it. Text rules, `parse`, rejects and filters are not in it: one
//! value that a cast refuses fails the statement.

use crate::name::quote;
use crate::schema::Scalar;
use crate::spec::model::{ColumnSpec, EpochUnit, KeyPath, Origin, PipelineSpec, TargetSpec};

use super::text::{literal, literals};

/// The statements of a pipeline, one for each target. Safe to run again: rows whose key the target has
/// are left alone.
pub fn arrow_statements(spec: &PipelineSpec) -> Vec<String> {
    spec.targets.iter().map(|target| statement(spec, target)).collect()
}

fn statement(spec: &PipelineSpec, target: &TargetSpec) -> String {
    let (id, document) = (quote(&spec.source.id), quote(&spec.source.document));
    let names: Vec<String> = target.columns.iter().map(|column| quote(&column.name)).collect();
    let cells: Vec<String> = target.columns.iter().map(|column| cell(column, &id, &document)).collect();
    let part = |list: &[String]| {
        let parts: Vec<&str> =
            target.key.iter().filter_map(|&index| list.get(index)).map(String::as_str).collect();
        if parts.len() == 1 { parts.concat() } else { format!("({})", parts.join(", ")) }
    };
    let key = part(&names);
    // One NULL among them, and NOT IN is true of nothing.
    let selected = key.trim_start_matches('(').trim_end_matches(')');
    format!(
        "-- {} to {}, the plain pattern\nINSERT INTO {} ({})\nSELECT {}\nFROM {}\n\
         WHERE {} NOT IN (SELECT {selected} FROM {} WHERE {key} IS NOT NULL)\nON CONFLICT DO NOTHING",
        spec.entity,
        target.name.replace(['\n', '\r'], " "),
        target.table.quoted(),
        names.join(", "),
        cells.join(",\n  "),
        spec.source.table.quoted(),
        part(&cells),
        target.table.quoted(),
    )
}

fn cell(column: &ColumnSpec, id: &str, document: &str) -> String {
    let column_type = column.cast.column_type;
    let paths = match &column.origin {
        Origin::Id => return id.to_owned(),
        Origin::Const(json) => return constant(column, json),
        Origin::Keys(paths) => paths,
    };
    let json = column_type.array || matches!(column_type.scalar, Scalar::Json | Scalar::Jsonb);
    let text = matches!(column_type.scalar, Scalar::Text | Scalar::Varchar(_));
    let values: Vec<String> = paths.iter().map(|path| arrow(document, path, json)).collect();
    let mut value = match (text, json) {
        (true, false) if !column.cast.blank_null => one_of(&values),
        (_, true) => one_of(&values),
        _ => one_of(&values.iter().map(|value| format!("NULLIF({value}, '')")).collect::<Vec<_>>()),
    };
    value = if column_type.array {
        format!("ARRAY(SELECT jsonb_array_elements_text({value}))::{column_type}")
    } else {
        match (column_type.scalar, column.cast.unit) {
            (Scalar::Text | Scalar::Jsonb, _) => value,
            (Scalar::Timestamp | Scalar::TimestampTz, unit) => {
                let seconds = if unit == EpochUnit::Milliseconds { " / 1000.0" } else { "" };
                format!("to_timestamp({value}::numeric{seconds})::{column_type}")
            }
            _ => format!("{value}::{column_type}"),
        }
    };
    for none in &column.cast.none {
        value = format!("NULLIF({value}, {none})");
    }
    match &column.default {
        Some(json) => format!("COALESCE({value}, {})", constant(column, json)),
        None => value,
    }
}

fn arrow(document: &str, path: &KeyPath, json: bool) -> String {
    match path.0.as_slice() {
        [key] => format!("{document}{}{}", if json { "->" } else { "->>" }, literal(key)),
        steps => format!("{document}{}ARRAY[{}]", if json { "#>" } else { "#>>" }, literals(steps)),
    }
}

fn one_of(values: &[String]) -> String {
    match values {
        [one] if one.starts_with("NULLIF") => one.clone(),
        [one] => format!("({one})"),
        several => format!("COALESCE({})", several.join(", ")),
    }
}

fn constant(column: &ColumnSpec, json: &str) -> String {
    let column_type = column.cast.column_type;
    if column_type.array {
        return format!("ARRAY(SELECT jsonb_array_elements_text({}::jsonb))::{column_type}", literal(json));
    }
    match serde_json::from_str::<String>(json) {
        Ok(text) if !matches!(column_type.scalar, Scalar::Json | Scalar::Jsonb) => {
            format!("{}::{column_type}", literal(&text))
        }
        _ => format!("{}::{column_type}", literal(json)),
    }
}
