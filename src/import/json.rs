//! A JSON tree that keeps the order of its keys, and the keys that stand twice.
//!
//! `serde_json::Value` sorts keys and lets the last of two win without a word; the order of a mapping
//! file is the order of the columns, and a column that stands twice has to be told.

use std::collections::HashMap;
use std::fmt;

use serde::de::{Deserialize, Deserializer, MapAccess, SeqAccess, Visitor};
use serde::ser::{Serialize, SerializeMap, Serializer};
use serde_json::Number;

use super::notes;

/// One JSON value.
#[derive(Clone, Debug, PartialEq)]
pub enum Node {
    /// `null`
    Null,
    /// `true`, `false`
    Bool(bool),
    /// A number.
    Number(Number),
    /// A string.
    Text(String),
    /// An array.
    List(Vec<Node>),
    /// An object, with every key as often as it stands in the file.
    Object(Vec<(String, Node)>),
}

impl Node {
    /// Its entries, where it is an object.
    pub(super) fn entries(&self) -> Option<&[(String, Node)]> {
        match self {
            Self::Object(entries) => Some(entries),
            _ => None,
        }
    }

    /// Its entries without those that a later one of the same key replaces; notes may stand twice.
    pub(super) fn distinct(&self) -> impl Iterator<Item = (&str, &Node)> {
        let entries = self.entries().unwrap_or_default();
        let last: HashMap<&str, usize> =
            entries.iter().enumerate().map(|(index, (key, _))| (key.as_str(), index)).collect();
        let kept = entries.iter().enumerate().filter(move |(index, (key, node))| {
            last.get(key.as_str()) == Some(index) || notes::of(key, node).is_some()
        });
        kept.map(|(_, (key, node))| (key.as_str(), node))
    }

    /// The last value of a key, where this is an object that has it: what other readers of JSON take.
    pub(super) fn get(&self, key: &str) -> Option<&Node> {
        self.entries()?.iter().rev().find(|(name, _)| name == key).map(|(_, node)| node)
    }

    /// Its text, where it is a string.
    pub(super) fn text(&self) -> Option<&str> {
        match self {
            Self::Text(text) => Some(text),
            _ => None,
        }
    }

    /// Its elements, where it is an array.
    pub(super) fn list(&self) -> Option<&[Node]> {
        match self {
            Self::List(list) => Some(list),
            _ => None,
        }
    }

    /// Its value, where it is a whole number of at least 0.
    pub(super) fn number(&self) -> Option<u64> {
        match self {
            Self::Number(number) => number.as_u64(),
            _ => None,
        }
    }

    /// What a person is shown of it: a string as it is, everything else as JSON on one line.
    pub(super) fn shown(&self) -> String {
        match self {
            Self::Text(text) => text.clone(),
            // Keys are strings and numbers are JSON's own: nothing here cannot be written.
            other => serde_json::to_string(other).unwrap_or_default(),
        }
    }
}

impl Serialize for Node {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::Null => serializer.serialize_unit(),
            Self::Bool(value) => serializer.serialize_bool(*value),
            Self::Number(number) => number.serialize(serializer),
            Self::Text(text) => serializer.serialize_str(text),
            Self::List(list) => serializer.collect_seq(list),
            Self::Object(entries) => {
                let mut map = serializer.serialize_map(Some(entries.len()))?;
                for (key, node) in entries {
                    map.serialize_entry(key, node)?;
                }
                map.end()
            }
        }
    }
}

impl<'de> Deserialize<'de> for Node {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(Tree)
    }
}

struct Tree;

impl<'de> Visitor<'de> for Tree {
    type Value = Node;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("JSON")
    }

    fn visit_unit<E>(self) -> Result<Node, E> {
        Ok(Node::Null)
    }

    fn visit_bool<E>(self, value: bool) -> Result<Node, E> {
        Ok(Node::Bool(value))
    }

    fn visit_u64<E>(self, value: u64) -> Result<Node, E> {
        Ok(Node::Number(value.into()))
    }

    fn visit_i64<E>(self, value: i64) -> Result<Node, E> {
        Ok(Node::Number(value.into()))
    }

    fn visit_f64<E>(self, value: f64) -> Result<Node, E> {
        Ok(Number::from_f64(value).map_or(Node::Null, Node::Number))
    }

    fn visit_str<E>(self, value: &str) -> Result<Node, E> {
        Ok(Node::Text(value.to_owned()))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut elements: A) -> Result<Node, A::Error> {
        let mut list = Vec::new();
        while let Some(element) = elements.next_element()? {
            list.push(element);
        }
        Ok(Node::List(list))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut pairs: A) -> Result<Node, A::Error> {
        let mut entries = Vec::new();
        while let Some(pair) = pairs.next_entry()? {
            entries.push(pair);
        }
        Ok(Node::Object(entries))
    }
}
