//! JSON as a tree, for the few places that need one: the data path has none.
//!
//! Numbers keep the digits that were written, and the entries of an object their order and their
//! repetitions. `serde_json` finds every boundary and resolves every escape; what it has no type for
//! is only a number that is neither 64 bits nor a float.

use std::fmt;

use serde::de::{Deserializer, MapAccess, SeqAccess, Visitor};
use serde_json::value::RawValue;

/// A JSON value.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Json {
    /// `null`
    Null,
    /// `true` or `false`
    Bool(bool),
    /// The number as it was written: `1.10`, `1e400`.
    Number(String),
    /// A string with its escapes resolved.
    String(String),
    /// The elements.
    Array(Vec<Json>),
    /// The entries in their order.
    Object(Vec<(String, Json)>),
}

/// A text that is not JSON.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NotJson {
    /// What is wrong, in lower case: `expected value`.
    pub message: String,
    /// The byte of the text at which it was found.
    pub offset: usize,
}

/// Enough for every document of people, and little enough for every stack.
const MAX_DEPTH: usize = 100;

impl Json {
    /// Reads one value.
    ///
    /// # Errors
    /// What is no JSON, nests deeper than 100 levels, or holds half of a surrogate pair.
    pub fn parse(text: &str) -> Result<Self, NotJson> {
        let raw: &RawValue = serde_json::from_str(text).map_err(|error| not_json(text, text, &error))?;
        read(text, raw.get(), 0)
    }
}

fn read(whole: &str, raw: &str, depth: usize) -> Result<Json, NotJson> {
    if depth > MAX_DEPTH {
        let message = format!("nested deeper than {MAX_DEPTH} levels");
        return Err(NotJson { message, offset: offset_of(whole, raw) });
    }
    let because = |error: serde_json::Error| not_json(whole, raw, &error);
    let mut reader = serde_json::Deserializer::from_str(raw);
    Ok(match raw.as_bytes().first() {
        Some(b'{') => {
            let entries = reader.deserialize_map(Entries).map_err(because)?;
            let read = |(key, raw): (String, &RawValue)| Ok((key, self::read(whole, raw.get(), depth + 1)?));
            Json::Object(entries.into_iter().map(read).collect::<Result<_, _>>()?)
        }
        Some(b'[') => {
            let elements = reader.deserialize_seq(Elements).map_err(because)?;
            let read = |raw: &RawValue| self::read(whole, raw.get(), depth + 1);
            Json::Array(elements.into_iter().map(read).collect::<Result<_, _>>()?)
        }
        Some(b'"') => Json::String(serde_json::from_str(raw).map_err(because)?),
        Some(b'n') => Json::Null,
        Some(b't') => Json::Bool(true),
        Some(b'f') => Json::Bool(false),
        _ => Json::Number(raw.to_owned()),
    })
}

/// The error of a part of the text, with its place in the whole.
fn not_json(whole: &str, part: &str, error: &serde_json::Error) -> NotJson {
    let shown = error.to_string();
    // serde_json writes its place behind its message; that place is one in the part alone.
    let message = shown.split(" at line ").next().unwrap_or_default().to_owned();
    let lines = part.split_inclusive('\n').take(error.line().saturating_sub(1));
    let inside = lines.map(str::len).sum::<usize>() + error.column().saturating_sub(1);
    NotJson { message, offset: offset_of(whole, part) + inside.min(part.len()) }
}

/// Where a part of a text begins.
fn offset_of(whole: &str, part: &str) -> usize {
    (part.as_ptr() as usize).saturating_sub(whole.as_ptr() as usize)
}

struct Entries;

impl<'de> Visitor<'de> for Entries {
    type Value = Vec<(String, &'de RawValue)>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
        let mut entries = Vec::new();
        while let Some(entry) = map.next_entry()? {
            entries.push(entry);
        }
        Ok(entries)
    }
}

struct Elements;

impl<'de> Visitor<'de> for Elements {
    type Value = Vec<&'de RawValue>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an array")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Self::Value, A::Error> {
        let mut elements = Vec::new();
        while let Some(element) = seq.next_element()? {
            elements.push(element);
        }
        Ok(elements)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_order_and_repetitions_stay_as_they_were_written() {
        let read = Json::parse(r#" {"b": [1.10, 1e400, null], "a": "\u00e9\n", "b": true} "#);
        let number = |text: &str| Json::Number(text.to_owned());
        assert_eq!(
            read,
            Ok(Json::Object(vec![
                ("b".to_owned(), Json::Array(vec![number("1.10"), number("1e400"), Json::Null])),
                ("a".to_owned(), Json::String("é\n".to_owned())),
                ("b".to_owned(), Json::Bool(true)),
            ]))
        );
    }

    #[test]
    fn what_is_no_json_is_refused_with_its_place() {
        for (text, offset) in
            [("", 0), ("{\"a\": }", 6), ("{\n\"a\": 1,\n}", 10), ("[1] 2", 4), ("[1, \"\\ud83d\"]", 11)]
        {
            let error = Json::parse(text).expect_err(text);
            assert_eq!(error.offset, offset, "{text}: {}", error.message);
        }
        let deep = format!("{}{}", "[".repeat(102), "]".repeat(102));
        assert_eq!(Json::parse(&deep).expect_err("deep").message, "nested deeper than 100 levels");
        assert!(Json::parse(&deep[1..203]).is_ok());
    }
}
