//! How a mapping file is walked: by key, in file order, and with the keys that stand twice.

use std::collections::HashMap;

use crate::json::Json;

use super::notes;

/// What the importer asks of a JSON value.
pub(super) trait Walk {
    /// Its entries, where it is an object.
    fn entries(&self) -> Option<&[(String, Json)]>;

    /// Its entries without those that a later one of the same key replaces; notes may stand twice.
    fn distinct(&self) -> impl Iterator<Item = (&str, &Json)>;

    /// The last value of a key, where this is an object that has it: what other readers of JSON take.
    fn get(&self, key: &str) -> Option<&Json>;

    /// Its text, where it is a string.
    fn text(&self) -> Option<&str>;

    /// Its elements, where it is an array.
    fn list(&self) -> Option<&[Json]>;

    /// Its value, where it is a whole number of at least 0.
    fn number(&self) -> Option<u64>;

    /// It as JSON on one line, with every digit as written.
    fn written(&self) -> String;

    /// What a person is shown of it: a string as it is, everything else as JSON.
    fn shown(&self) -> String {
        self.text().map_or_else(|| self.written(), str::to_owned)
    }
}

impl Walk for Json {
    fn entries(&self) -> Option<&[(String, Json)]> {
        match self {
            Self::Object(entries) => Some(entries),
            _ => None,
        }
    }

    fn distinct(&self) -> impl Iterator<Item = (&str, &Json)> {
        let entries = self.entries().unwrap_or_default();
        let last: HashMap<&str, usize> =
            entries.iter().enumerate().map(|(index, (key, _))| (key.as_str(), index)).collect();
        let kept = entries.iter().enumerate().filter(move |(index, (key, node))| {
            last.get(key.as_str()) == Some(index) || notes::of(key, node).is_some()
        });
        kept.map(|(_, (key, node))| (key.as_str(), node))
    }

    fn get(&self, key: &str) -> Option<&Json> {
        self.entries()?.iter().rev().find(|(name, _)| name == key).map(|(_, node)| node)
    }

    fn text(&self) -> Option<&str> {
        match self {
            Self::String(text) => Some(text),
            _ => None,
        }
    }

    fn list(&self) -> Option<&[Json]> {
        match self {
            Self::Array(list) => Some(list),
            _ => None,
        }
    }

    fn number(&self) -> Option<u64> {
        match self {
            Self::Number(digits) => digits.parse().ok(),
            _ => None,
        }
    }

    fn written(&self) -> String {
        match self {
            Self::Null => "null".to_owned(),
            Self::Bool(value) => value.to_string(),
            Self::Number(digits) => digits.clone(),
            Self::String(text) => quoted(text),
            Self::Array(list) => {
                format!("[{}]", list.iter().map(Self::written).collect::<Vec<_>>().join(","))
            }
            Self::Object(entries) => {
                let entries = entries.iter().map(|(key, node)| format!("{}:{}", quoted(key), node.written()));
                format!("{{{}}}", entries.collect::<Vec<_>>().join(","))
            }
        }
    }
}

fn quoted(text: &str) -> String {
    serde_json::Value::from(text).to_string()
}
