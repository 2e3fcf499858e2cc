//! What an import has to say about a mapping file, each with its place.

use std::collections::HashSet;

use serde::ser::{Error as _, Serialize, Serializer};
use serde_json::value::RawValue;

use crate::json::Json;

use super::json::Walk;
use super::notes;

/// One thing that the importer could not map, took for granted, or kept as a comment.
#[derive(Clone, Debug, PartialEq, serde::Serialize)]
pub struct Finding {
    /// What became of it.
    pub kind: Kind,
    /// Where it stands in the mapping file: a JSON pointer (RFC 6901), `/user_domain/mappings/user (664)`.
    pub path: String,
    /// What was met.
    pub message: String,
    /// What stands there, as JSON text.
    #[serde(skip_serializing_if = "Option::is_none", serialize_with = "as_json")]
    pub value: Option<String>,
}

/// What became of a part of a mapping file that is not simply mapped.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Kind {
    /// It says what to load, and is not loaded: a column, a target, a domain, a table.
    Unmapped,
    /// It is mapped by an assumption.
    Assumed,
    /// It means nothing to a pipeline; it stands here and, where there is a place for it, in a comment.
    Kept,
}

/// The findings so far, in the order of the file as far as it is read in order.
#[derive(Debug, Default)]
pub(super) struct Findings(pub(super) Vec<Finding>);

impl Findings {
    pub(super) fn add(&mut self, kind: Kind, path: &str, message: impl Into<String>, value: Option<&Json>) {
        let (path, message) = (path.to_owned(), message.into());
        self.0.push(Finding { kind, path, message, value: value.map(Json::written) });
    }

    /// Sorts entries that are not `known` into notes, which are returned as text for comments, and
    /// extras, which are reported and returned as well.
    pub(super) fn extras(&mut self, node: &Json, known: &[&str], path: &str) -> String {
        let mut comments = String::new();
        for (name, entry) in node.distinct().filter(|(name, _)| !known.contains(name)) {
            match notes::of(name, entry) {
                Some(note) => comments.push_str(&note),
                None => {
                    let message = "means nothing to a pipeline; kept as a comment";
                    self.add(Kind::Kept, &child(path, name), message, Some(entry));
                    comments.push_str(&format!("{name}: {}", entry.shown()));
                }
            }
            comments.push('\n');
        }
        comments
    }

    /// Reports every key that stands more than once in one object, at any depth.
    pub(super) fn repeated(&mut self, node: &Json, path: &str) {
        for (index, element) in node.list().unwrap_or_default().iter().enumerate() {
            self.repeated(element, &format!("{path}/{index}"));
        }
        let kept: HashSet<*const Json> = node.distinct().map(|(_, node)| std::ptr::from_ref(node)).collect();
        for (name, entry) in node.entries().unwrap_or_default() {
            let path = child(path, name);
            if !kept.contains(&std::ptr::from_ref(entry)) {
                let message = "stands again below; the last one counts";
                self.add(Kind::Unmapped, &path, message, Some(entry));
            }
            self.repeated(entry, &path);
        }
    }
}

/// The JSON pointer of an entry.
pub(super) fn child(path: &str, name: &str) -> String {
    format!("{path}/{}", name.replace('~', "~0").replace('/', "~1"))
}

fn as_json<S: Serializer>(value: &Option<String>, serializer: S) -> Result<S::Ok, S::Error> {
    let raw = value.clone().map(RawValue::from_string).transpose().map_err(S::Error::custom)?;
    raw.serialize(serializer)
}
