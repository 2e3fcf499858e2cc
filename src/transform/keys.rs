//! Which keys documents have, and of which kinds their values are: what the drift of V1 is told by.
//!
//! A key inside an object has its path, as a pipeline writes it: `location.lat`; a key that holds a dot or a quote
//! stands in double quotes. What is inside an array is not watched.
//!
//! The keys that are wanted, and those at the top that an earlier run has met, have a slot each: counting them is an addition.
//! Others, and those inside objects, are looked up by their names. What it costs: the client of a run of participants
//! (`--stage-all --dry-run`, callgrind, scale 0.1) executes 1.5 % more instructions than with `drift = "ignore"`, one of
//! agents, whose documents hold objects, 10.5 %.

use std::borrow::Cow;
use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::document::{Found, NoKeys, Raw, WantedKeys};
use crate::pgcopy::ondisk::Corrupt;

/// So many keys that nobody knew are told apart: documents whose keys are data (dates, ids) have no end of them.
const MOST_OTHERS: usize = 1_000;
/// So many objects, one inside the other, are looked into.
const MOST_DEPTH: usize = 8;

/// The kinds of a JSON value.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum JsonKind {
    /// `null`
    Null,
    /// `true` or `false`
    Boolean,
    /// A number.
    Number,
    /// A string, whatever it holds.
    String,
    /// A list.
    Array,
    /// Keys and values.
    Object,
}

impl JsonKind {
    /// All of them, each at its own number.
    pub const ALL: [Self; 6] =
        [Self::Null, Self::Boolean, Self::Number, Self::String, Self::Array, Self::Object];

    /// As `jsonb_typeof` calls it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Null => "null",
            Self::Boolean => "boolean",
            Self::Number => "number",
            Self::String => "string",
            Self::Array => "array",
            Self::Object => "object",
        }
    }

    /// The kind of a word.
    pub fn of_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.name() == name)
    }
}

/// How often a key had values of each kind, and the lowest id of a row with one.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct KindTally {
    counts: [u64; 6],
    first: [i64; 6],
}

impl KindTally {
    /// Counts a value of the row of an id.
    #[inline]
    pub fn add(&mut self, kind: JsonKind, id: i64) {
        let at = kind as usize;
        if self.counts[at] == 0 || id < self.first[at] {
            self.first[at] = id;
        }
        self.counts[at] += 1;
    }

    fn merge(&mut self, other: &Self) {
        for at in 0..self.counts.len() {
            if other.counts[at] > 0 && (self.counts[at] == 0 || other.first[at] < self.first[at]) {
                self.first[at] = other.first[at];
            }
            self.counts[at] += other.counts[at];
        }
    }

    /// The kinds that were met: how often, and the lowest id.
    pub fn met(&self) -> impl Iterator<Item = (JsonKind, u64, i64)> {
        let all = JsonKind::ALL.into_iter().zip(self.counts).zip(self.first);
        all.filter(|((_, count), _)| *count > 0).map(|((kind, count), first)| (kind, count, first))
    }
}

/// The keys of the documents of a batch, or of a run.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct KeyTally {
    /// By the slots of the wanted keys; none where keys are not watched.
    known: Vec<KindTally>,
    others: BTreeMap<String, KindTally>,
}

impl KeyTally {
    /// Zero counts for so many known keys.
    pub(super) fn new(known: usize) -> Self {
        Self { known: vec![KindTally::default(); known], others: BTreeMap::new() }
    }

    /// Notes the keys of one document: what was found of the wanted ones, and the others.
    #[inline]
    pub(super) fn note<'d, R: Raw<'d>>(
        &mut self,
        id: i64,
        wanted: &WantedKeys,
        found: &Found<R>,
    ) -> Result<(), Corrupt> {
        for (slot, value) in found.slots().iter().enumerate() {
            let Some(value) = value else { continue };
            let kind = value.kind()?;
            if let Some(tally) = self.known.get_mut(slot) {
                tally.add(kind, id);
            }
            if kind == JsonKind::Object {
                self.inside(&mut written(wanted.name(slot)).into_owned(), *value, id, 1)?;
            }
        }
        for (key, value) in found.others() {
            self.note_other(&mut written(key).into_owned(), *value, id, 0)?;
        }
        Ok(())
    }

    /// Notes a key that has no slot, and what is inside it.
    fn note_other<'d, R: Raw<'d>>(
        &mut self,
        path: &mut String,
        value: R,
        id: i64,
        depth: usize,
    ) -> Result<(), Corrupt> {
        let kind = value.kind()?;
        self.other(path, kind, id);
        if kind == JsonKind::Object { self.inside(path, value, id, depth + 1) } else { Ok(()) }
    }

    /// Notes the keys of an object, which `path` leads to.
    fn inside<'d, R: Raw<'d>>(
        &mut self,
        path: &mut String,
        object: R,
        id: i64,
        depth: usize,
    ) -> Result<(), Corrupt> {
        if depth > MOST_DEPTH {
            return Ok(());
        }
        let mut found = Found::watching();
        match object.find(&WantedKeys::default(), &mut found) {
            Ok(()) => {}
            Err(NoKeys::NotAnObject) => return Ok(()),
            Err(NoKeys::Corrupt) => return Err(Corrupt),
        }
        let length = path.len();
        for (key, value) in found.others() {
            path.push('.');
            path.push_str(&written(key));
            self.note_other(path, *value, id, depth)?;
            path.truncate(length);
        }
        Ok(())
    }

    /// Whether there were more keys than are told apart: then one that was not noted may be there all the same.
    pub fn is_full(&self) -> bool {
        self.others.len() >= MOST_OTHERS
    }

    fn other(&mut self, key: &str, kind: JsonKind, id: i64) {
        if let Some(tally) = self.others.get_mut(key) {
            tally.add(kind, id);
        } else if self.others.len() < MOST_OTHERS {
            self.others.entry(key.to_owned()).or_default().add(kind, id);
        }
    }

    /// Adds what was met in another batch of the same program.
    pub(super) fn merge(&mut self, other: &Self) {
        if self.known.is_empty() {
            self.known.clone_from(&other.known);
        } else {
            self.known.iter_mut().zip(&other.known).for_each(|(mine, theirs)| mine.merge(theirs));
        }
        for (key, theirs) in &other.others {
            if let Some(mine) = self.others.get_mut(key) {
                mine.merge(theirs);
            } else if self.others.len() < MOST_OTHERS {
                self.others.insert(key.clone(), *theirs);
            }
        }
    }

    /// What was met of each key that was met: of the known ones by their names, in the order of the slots.
    pub fn met<'t>(&'t self, known: impl Iterator<Item = &'t str>) -> BTreeMap<Cow<'t, str>, KindTally> {
        let known = known.map(written).zip(self.known.iter().copied());
        let others = self.others.iter().map(|(key, tally)| (Cow::Borrowed(key.as_str()), *tally));
        known.chain(others).filter(|(_, tally)| tally.counts.iter().any(|&count| count > 0)).collect()
    }
}

/// A key as it stands in a path.
fn written(key: &str) -> Cow<'_, str> {
    if key.is_empty() || key.contains(['.', '"']) {
        // A string has a form in JSON, whatever it holds.
        Cow::Owned(serde_json::Value::from(key).to_string())
    } else {
        Cow::Borrowed(key)
    }
}

/// The key at the top of a document that a path is; `None` where it leads into an object.
pub fn top(path: &str) -> Option<Cow<'_, str>> {
    if path.starts_with('"') {
        serde_json::from_str(path).ok().map(Cow::Owned)
    } else {
        (!path.contains('.')).then_some(Cow::Borrowed(path))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::transform::document::{TextValue, WantedKeys};

    fn note(tally: &mut KeyTally, wanted: &WantedKeys, id: i64, document: &str) {
        let mut found = Found::watching();
        TextValue::document(document).find(wanted, &mut found).unwrap();
        tally.note(id, wanted, &found).unwrap();
    }

    fn met(tally: &KeyTally, wanted: &WantedKeys) -> Vec<String> {
        let met = tally.met(wanted.names());
        let lines = met.iter().flat_map(|(key, tally)| {
            tally.met().map(move |(kind, count, first)| format!("{key} {} {count} {first}", kind.name()))
        });
        lines.collect()
    }

    #[test]
    fn every_key_is_counted_by_the_kinds_of_its_values_with_the_lowest_id() {
        let wanted = WantedKeys::new(["age", "name", "gone"]);
        let (mut one, mut other) = (KeyTally::new(wanted.len()), KeyTally::new(wanted.len()));
        note(&mut one, &wanted, 9, r#"{"x": {"b": {"c": null}, "a.b": 1}, "age": 3, "name": "a"}"#);
        note(&mut one, &wanted, 11, r#"{"age": {"years": 3}, "a.b": [{"in": "an array"}]}"#);
        note(&mut one, &wanted, 4, r#"{"age": "3", "new": [], "name": null}"#);
        // Not in the form that the server prints.
        note(&mut other, &wanted, 2, r#"{ "name":"b","new":true, "age":7,"new":[1] }"#);
        one.merge(&other);
        let expected = [
            "\"a.b\" array 1 11",
            "age number 2 2",
            "age string 1 4",
            "age object 1 11",
            "age.years number 1 11",
            "name null 1 4",
            "name string 2 2",
            "new array 2 2",
            "x object 1 9",
            "x.\"a.b\" number 1 9",
            "x.b object 1 9",
            "x.b.c null 1 9",
        ];
        assert_eq!(met(&one, &wanted), expected);
    }

    #[test]
    fn only_a_key_at_the_top_is_one() {
        assert_eq!(top("age").as_deref(), Some("age"));
        assert_eq!(top(&written("a.b")).as_deref(), Some("a.b"));
        assert_eq!(top(&written("a\"\\")).as_deref(), Some("a\"\\"));
        assert_eq!(top("x.y"), None);
        assert_eq!(top("\"a.b\".c"), None);
        assert_eq!(top("x.\"a.b\""), None);
    }

    #[test]
    fn keys_that_are_data_do_not_fill_the_memory() {
        let wanted = WantedKeys::new([]);
        let mut tally = KeyTally::new(0);
        for id in 0..2_000 {
            note(&mut tally, &wanted, id, &format!("{{\"k{id}\": 1}}"));
        }
        assert_eq!(tally.met(wanted.names()).len(), MOST_OTHERS);
        assert!(tally.is_full());
    }
}
