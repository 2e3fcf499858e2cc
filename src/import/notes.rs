//! What stands in a mapping file for people: notes, which become comments.

use crate::json::Json;

use super::json::Walk;

/// Names of entries that are notes wherever they stand, alone or at the end of a longer name.
const WORDS: [&str; 7] = ["note", "notes", "comment", "comments", "description", "remark", "remarks"];

/// The lines of an entry that is a note: a string, or a list of strings, under a name that says so, or
/// whose name begins like a comment (`_meta`, `//`). An object is never one: a column may be called
/// `notes`.
pub(super) fn of(name: &str, node: &Json) -> Option<String> {
    let lower = name.to_lowercase();
    let word = lower.rsplit(['_', ' ', '-']).next().unwrap_or_default();
    if !WORDS.contains(&word) && !name.starts_with('_') && !name.starts_with("//") {
        return None;
    }
    let text = match node {
        Json::String(text) => text.clone(),
        Json::Array(list) => list.iter().map(Json::text).collect::<Option<Vec<_>>>()?.join("\n"),
        _ => return None,
    };
    // `email_notes` says what it is about; `notes` stands where it belongs.
    let says_nothing = WORDS.contains(&lower.trim_matches('_')) || lower.starts_with("//");
    Some(if says_nothing { text } else { format!("{name}: {text}") })
}
