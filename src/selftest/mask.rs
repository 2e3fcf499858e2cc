//! A real document without the words of people in it.
//!
//! What a test of a mapping needs of a text is its form: how long it is, where it is padded, what
//! signs stand in it. So a letter becomes `x` or `X` and a digit `9`, and everything else stays.
//!
//! Masked is whatever may be free text: values of text and JSON columns, the content of objects and
//! lists, and every value that a column rejected, for nobody knows what stands in it. A value stays
//! as it is only where it cannot be free text: where a column of another type took it (a number, a
//! boolean, a date, a uuid), or where the pipeline file names it itself. Keys of objects stay: they are
//! the language of the program that wrote the document.

use crate::json::Json;
use crate::pgcopy::decode;
use crate::schema::Scalar;
use crate::spec::PipelineSpec;
use crate::spec::model::{Base, ColumnSpec, FilterRule, FilterSpec, Origin, Parse};

use super::outcome::Outcome;

/// The document with the keys that the pipeline reads, masked. `outcome` is what the document gives.
pub(super) fn mask(spec: &PipelineSpec, document: &Json, outcome: &Outcome) -> Json {
    let Json::Object(entries) = document else { return mask_all(document) };
    let masker = Masker { spec, document, outcome };
    let wanted = entries.iter().filter(|(key, _)| masker.reads(&[key]));
    let masked = wanted.map(|(key, value)| (key.clone(), masker.value(&mut vec![key], value)));
    Json::Object(masked.collect())
}

struct Masker<'a> {
    spec: &'a PipelineSpec,
    document: &'a Json,
    outcome: &'a Outcome,
}

impl<'a> Masker<'a> {
    /// Whether a column or a filter reads this path or one that begins with it.
    fn reads(&self, path: &[&str]) -> bool {
        let begins = |segments: &[String]| {
            path.len() <= segments.len() && segments.iter().zip(path).all(|(a, b)| a == b)
        };
        self.spec.targets.iter().any(|target| {
            let own = target.paths().filter(|path| path.base == Base::Document);
            let arrays = target.explode.iter().map(|explode| &explode.path);
            own.chain(arrays).any(|path| begins(&path.steps))
        })
    }

    fn value(&self, path: &mut Vec<&'a str>, value: &'a Json) -> Json {
        if self.stays(path, value) {
            return value.clone();
        }
        match value {
            Json::Object(entries) => {
                let mut masked = Vec::with_capacity(entries.len());
                for (key, value) in entries {
                    path.push(key);
                    masked.push((key.clone(), self.value(path, value)));
                    path.pop();
                }
                Json::Object(masked)
            }
            Json::String(text) => {
                let holds_json =
                    self.readers(path).any(|(_, _, column)| column.cast.parse == Some(Parse::Json));
                let inner = if holds_json { Json::parse(text).ok() } else { None };
                let inner = inner.and_then(|inner| decode::canonical(&mask_all(&inner)));
                Json::String(inner.unwrap_or_else(|| mask_text(text)))
            }
            other => mask_all(other),
        }
    }

    /// The columns that take their value from this path, with their places.
    fn readers(&self, path: &[&str]) -> impl Iterator<Item = (usize, usize, &'a ColumnSpec)> {
        let document = self.document;
        let targets = self.spec.targets.iter().enumerate();
        let columns = targets.flat_map(|(target, spec)| {
            spec.columns.iter().enumerate().map(move |(index, column)| (target, index, column))
        });
        columns.filter(move |(_, _, column)| {
            let Origin::Keys(paths) = &column.origin else { return false };
            // Of an element no value stays: who knows which of them a column took.
            if paths.iter().any(|path| path.base == Base::Element) {
                return false;
            }
            // The first that is not absent is read; what stands in the others was not looked at.
            let read = paths
                .iter()
                .find(|path| find(document, &path.steps).is_some_and(|value| *value != Json::Null));
            read.is_some_and(|read| read.steps.iter().eq(path))
        })
    }

    /// Whether the value cannot be free text.
    fn stays(&self, path: &[&str], value: &Json) -> bool {
        if matches!(value, Json::Object(_)) {
            return false;
        }
        let filters = self.spec.targets.iter().filter_map(|target| target.filter.as_ref());
        let filters = filters.filter(|filter| filter.from.base == Base::Document);
        if filters.filter(|filter| filter.from.steps.iter().eq(path)).any(|filter| names(filter, value)) {
            return true;
        }
        self.readers(path).any(|(target, index, column)| {
            let taken =
                self.outcome.fates.get(target).is_some_and(|fate| !fate.rows.is_empty() && !fate.quarantined)
                    && !self
                        .outcome
                        .rejects
                        .iter()
                        .any(|reject| reject.target == target && reject.column == Some(index));
            // A function makes anything of anything.
            taken && column.rules.function.is_none() && (!takes_text(column) || is_named(column, value))
        })
    }
}

fn takes_text(column: &ColumnSpec) -> bool {
    matches!(column.cast.column_type.scalar, Scalar::Text | Scalar::Varchar(_) | Scalar::Json | Scalar::Jsonb)
}

/// Whether the pipeline file, or a file that it names, lists the value that the column took.
fn is_named(column: &ColumnSpec, value: &Json) -> bool {
    let rules = &column.rules;
    let (Json::String(text) | Json::Number(text)) = value else { return false };
    rules.allowed.is_some()
        || rules.lookup.is_some()
        || rules.map.contains_key(text)
        || rules.null_values.contains(text)
}

fn names(filter: &FilterSpec, value: &Json) -> bool {
    let (FilterRule::Keep(texts) | FilterRule::Drop(texts)) = &filter.rule;
    matches!(value, Json::String(text) | Json::Number(text) if texts.contains(text))
}

fn find<'j>(document: &'j Json, path: &[String]) -> Option<&'j Json> {
    path.iter().try_fold(document, |value, key| match value {
        Json::Object(entries) => entries.iter().find(|(name, _)| name == key).map(|(_, value)| value),
        _ => None,
    })
}

fn mask_all(value: &Json) -> Json {
    match value {
        Json::Null | Json::Bool(_) => value.clone(),
        Json::Number(text) => Json::Number(mask_text(text)),
        Json::String(text) => Json::String(mask_text(text)),
        Json::Array(elements) => Json::Array(elements.iter().map(mask_all).collect()),
        Json::Object(entries) => {
            Json::Object(entries.iter().map(|(key, value)| (key.clone(), mask_all(value))).collect())
        }
    }
}

/// As many characters, of the same kinds.
fn mask_text(text: &str) -> String {
    let masked = text.chars().map(|c| match c {
        c if c.is_uppercase() => 'X',
        c if c.is_alphabetic() => 'x',
        c if c.is_numeric() => '9',
        c => c,
    });
    masked.collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_keeps_its_length_its_signs_and_its_white_space() {
        assert_eq!(mask_text(" Ann\tÉva-Müller\n"), " Xxx\tXxx-Xxxxxx\n");
        assert_eq!(mask_text("a.b+1@c.org, ½ 🏠 e\u{301}"), "x.x+9@x.xxx, 9 🏠 x\u{301}");
    }

    #[test]
    fn what_stands_inside_objects_and_lists_is_masked_but_their_keys() {
        let value = Json::parse(r#"{"name": "Ann", "n": [-1.50, true, null, {"x": "y1"}]}"#).expect("JSON");
        let masked = decode::canonical(&mask_all(&value)).expect("jsonb");
        assert_eq!(masked, r#"{"n": [-9.99, true, null, {"x": "x9"}], "name": "Xxx"}"#);
    }
}
