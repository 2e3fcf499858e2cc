//! One column of a mapping: its V1 field and its cast, as a line of a pipeline file.

use super::findings::{Findings, Kind, child};
use super::json::Walk;
use super::notes;
use crate::json::Json;
use crate::name::quote;
use crate::spec::write::{comment, key, string};

/// The casts of a mapping file, and the types of a pipeline that they stand for. The workspace keeps
/// integers as `bigint` and times as a `bigint` of milliseconds, in typed tables too.
const CASTS: [(&str, &str); 7] = [
    ("text", "text"),
    ("integer", "bigint"),
    ("decimal", "numeric"),
    ("boolean", "boolean"),
    ("date", "date"),
    ("timestamp", "epoch_ms"),
    ("json", "jsonb"),
];

/// The V1 field that is the row's id.
const ID: &str = "id";

/// What an entry beside the columns of a target becomes.
#[derive(Debug)]
pub(super) struct Lines {
    /// Comment lines, above the column.
    pub(super) comments: String,
    /// The column, where it is mapped.
    pub(super) column: Option<Column>,
}

/// A mapped column.
#[derive(Debug)]
pub(super) struct Column {
    /// Its name.
    pub(super) name: String,
    /// Its line, without the line break.
    pub(super) line: String,
    /// Whether it is the row's id, as a number.
    pub(super) is_id: bool,
}

/// Reads one entry of a target: a column, a note, or something else.
pub(super) fn read(name: &str, node: &Json, path: &str, findings: &mut Findings) -> Lines {
    if let Some(note) = notes::of(name, node) {
        return Lines { comments: comment(&note), column: None };
    }
    if node.entries().is_none() {
        let message = match node {
            Json::String(_) => "is a text beside the columns, not a mapping; kept as a comment",
            _ => "is not a mapping of a column",
        };
        let kind = if node.text().is_some() { Kind::Kept } else { Kind::Unmapped };
        findings.add(kind, path, message, Some(node));
        return Lines { comments: comment(&format!("{name}: {}", node.shown())), column: None };
    }
    match map(name, node, path, findings) {
        Ok(column) => {
            let extras = findings.extras(node, &["v1_field", "cast"], path);
            Lines { comments: comment(&extras), column: Some(column) }
        }
        Err(message) => {
            let text = format!("{name}: {message}; in the mapping: {}", node.shown());
            findings.add(Kind::Unmapped, path, message, Some(node));
            Lines { comments: comment(&text), column: None }
        }
    }
}

/// The column, or why there is none.
fn map(name: &str, node: &Json, path: &str, findings: &mut Findings) -> Result<Column, String> {
    if name.is_empty() || name.contains('\0') {
        return Err("this is no name for a column".to_owned());
    }
    let field = match node.get("v1_field") {
        None | Some(Json::Null) => return Err("no V1 field".to_owned()),
        Some(Json::String(field)) if field.trim().is_empty() => return Err("no V1 field".to_owned()),
        Some(Json::String(field)) if field.contains('\0') => {
            return Err("jsonb has no key with a NUL character".to_owned());
        }
        Some(Json::String(field)) => field,
        Some(_) => return Err("the V1 field is not one key".to_owned()),
    };
    let written = match node.get("cast") {
        None | Some(Json::Null) => None,
        Some(Json::String(cast)) => Some(cast.trim().to_ascii_lowercase()),
        Some(_) => return Err("the cast is not a word".to_owned()),
    };
    let cast = written.as_deref();
    let is_id = field == ID && matches!(cast, None | Some("none" | "integer"));
    if is_id {
        let line = format!("{} = \"$id\"", key(name));
        return Ok(Column { name: name.to_owned(), line, is_id });
    }
    let Some(cast) = cast else { return Err("no cast, so no type".to_owned()) };
    let Some((_, of_type)) = CASTS.iter().find(|(known, _)| *known == cast) else {
        let why = if cast == "none" { "the cast none names no type" } else { "unknown cast" };
        let known: Vec<&str> = CASTS.iter().map(|(known, _)| *known).collect();
        return Err(format!("{why}; the casts are {}", known.join(", ")));
    };
    let from = origin(field, path, findings);
    // A name alone is a key as it is, whatever dots it has.
    let line = if from == *name && !name.contains('.') {
        format!("{} = {}", key(name), string(of_type))
    } else {
        format!("{} = {{ from = {}, type = {} }}", key(name), string(&from), string(of_type))
    };
    Ok(Column { name: name.to_owned(), line, is_id })
}

/// A V1 field as `from` names it.
fn origin(field: &str, path: &str, findings: &mut Findings) -> String {
    if field == ID {
        return "$id".to_owned();
    }
    let plain = !field.contains('"') && !field.starts_with('$');
    if !plain || field.split('.').any(str::is_empty) {
        return quote(field);
    }
    if field.contains('.') {
        let message = format!("{field:?} is read as a path into nested objects");
        findings.add(Kind::Assumed, &child(path, "v1_field"), message, None);
    }
    field.to_owned()
}
