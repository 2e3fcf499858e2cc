//! Cells as plain SQL writes them: NULLIF, the server's own cast, COALESCE.
//!
//! The rules are few: a text is taken as it is; for any other type the empty string is NULL and the
//! server's own cast does the rest; a default is a COALESCE around it. Text rules, `parse`, rejects and
//! filters are not in it: one value that a cast refuses fails the statement.

use crate::schema::Scalar;
use crate::spec::model::{ColumnSpec, EpochUnit, KeyPath, Origin};

/// The place of the element in its array, where elements are the rows.
pub(super) const POSITION: &str = "e.position";

use super::text::{literal, literals};

/// The cell of a column. `id` is the row's id, `read` gives the value at a path: as text, or as JSON where
/// its second argument says so.
pub(super) fn cell(column: &ColumnSpec, id: &str, read: &dyn Fn(&KeyPath, bool) -> String) -> String {
    let column_type = column.cast.column_type;
    let paths = match &column.origin {
        Origin::Id => return id.to_owned(),
        Origin::Position => return POSITION.to_owned(),
        Origin::Const(json) => return constant(column, json),
        Origin::Keys(paths) => paths,
    };
    let json = reads_json(column);
    let text = matches!(column_type.scalar, Scalar::Text | Scalar::Varchar(_));
    let values: Vec<String> = paths.iter().map(|path| read(path, json)).collect();
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

/// Whether the cell is made of JSON, not of its text.
pub(super) fn reads_json(column: &ColumnSpec) -> bool {
    let column_type = column.cast.column_type;
    column_type.array || matches!(column_type.scalar, Scalar::Json | Scalar::Jsonb)
}

/// The value at a path by the arrow operators: `xdo->>'key'`.
pub(super) fn arrow(document: &str, path: &KeyPath, json: bool) -> String {
    match path.steps.as_slice() {
        // Of an element itself.
        [] if json => document.to_owned(),
        [] => format!("{document} #>> '{{}}'"),
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
