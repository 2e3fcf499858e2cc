//! The tests of a pipeline: a document, and what it gives.
//!
//! Names are held against those that stand in the file and not against the targets that were read, so
//! that a mistake in a column does not make every test that names it wrong too.

use std::ops::Range;

use toml::de::{DeTable, DeValue};

use crate::json::Json;
use crate::spec::KNOWN_REASONS;
use crate::spec::language;
use crate::spec::model::{ExpectedReject, ExpectedRow, SourceSpec, TargetSpec, TestSpec};
use crate::spec::problem::did_you_mean;

use super::access::{Fields, Reader, Span, Value};
use super::json::json_text;

const FIELDS: &[&str] = &language::names(&language::TEST);
const REJECT_KEYS: &[&str] = &language::names(&language::REJECT);

const HOW: &str = "a list of tables, each headed [[test]]";

/// The names that a test may use.
pub(super) struct Names {
    /// The targets with their columns, in the order of the file.
    targets: Vec<NamedTarget>,
    /// The keys that a document may have; `None` where the targets could not be read whole.
    keys: Option<Vec<String>>,
}

/// A target, as far as a test needs to know it.
struct NamedTarget {
    name: String,
    columns: Vec<String>,
    /// Whether it may have any number of rows.
    explodes: bool,
}

impl Names {
    /// The names of a pipeline that was read.
    pub(super) fn of(targets: &[TargetSpec], source: &SourceSpec) -> Self {
        let named = targets.iter().map(|target| NamedTarget {
            name: target.name.clone(),
            columns: target.columns.iter().map(|column| column.name.clone()).collect(),
            explodes: target.explode.is_some(),
        });
        let named = named.collect();
        Self { targets: named, keys: Some(keys(targets, source)) }
    }

    /// The names that stand in a file, of which `targets` and `source` could be read.
    pub(super) fn written(
        listed: &DeTable<'_>,
        targets: Option<&[TargetSpec]>,
        source: Option<&SourceSpec>,
    ) -> Self {
        let columns = |target: &Value<'_>| {
            let columns = target.get_ref().as_table()?.get("columns")?.get_ref().as_table()?;
            Some(columns.keys().map(|key| key.get_ref().clone().into_owned()).collect())
        };
        let named: Vec<NamedTarget> = listed
            .iter()
            .map(|(key, target)| NamedTarget {
                name: key.get_ref().clone().into_owned(),
                columns: columns(target).unwrap_or_default(),
                explodes: target.get_ref().get("explode").is_some(),
            })
            .collect();
        let read_columns: usize =
            targets.iter().flat_map(|targets| targets.iter()).map(|t| t.columns.len()).sum();
        let whole = named.iter().map(|target| target.columns.len()).sum::<usize>() == read_columns;
        let keys = targets.zip(source).filter(|_| whole).map(|(targets, source)| keys(targets, source));
        Self { targets: named, keys }
    }
}

/// The keys that the targets read, and that of the row's id: a document may bear a copy of it.
fn keys(targets: &[TargetSpec], source: &SourceSpec) -> Vec<String> {
    let mut keys = vec![source.id.clone()];
    for target in targets {
        keys.extend(target.document_keys().map(str::to_owned));
    }
    keys
}

/// Reads `test`.
pub(super) fn read_tests(reader: &mut Reader<'_>, value: &Value<'_>, names: &Names) -> Vec<TestSpec> {
    let DeValue::Array(items) = value.get_ref() else {
        reader.mismatch::<()>(HOW, value);
        return Vec::new();
    };
    let mut tests: Vec<TestSpec> = Vec::with_capacity(items.len());
    let mut seen: Vec<&str> = Vec::new();
    for item in items {
        let DeValue::Table(entries) = item.get_ref() else {
            reader.mismatch::<()>(HOW, item);
            continue;
        };
        // Read once more, since a test with another mistake in it has a name all the same.
        if let Some(name) = entries.get("name")
            && let Some(text) = name.get_ref().as_str()
        {
            if seen.contains(&text) {
                let hint = "say what this one shows that the other does not".to_owned();
                reader.report(
                    name.span(),
                    format!("the test {text:?} stands here for the second time"),
                    hint,
                );
            }
            seen.push(text);
        }
        tests.extend(names.read_test(reader, item.span(), entries));
    }
    tests
}

impl Names {
    fn read_test(&self, reader: &mut Reader<'_>, place: Span, entries: &DeTable<'_>) -> Option<TestSpec> {
        let fields = Fields::open(reader, entries, "key", FIELDS);
        for (field, hint) in [
            ("name", "add name = \"…\": a sentence that says what it shows"),
            ("document", "add document = '{…}': the JSON text that is read"),
        ] {
            if !fields.has(field) {
                reader.missing(place.clone(), format!("the test has no {field:?}"), hint.to_owned());
            }
        }
        let name = fields.get("name").and_then(|value| {
            let name = reader.string(value)?;
            if name.trim().is_empty() {
                reader.report(value.span(), "the name is blank", None);
            }
            Some(name.to_owned())
        });
        let id = fields.get("id").map(|value| read_id(reader, value));
        let document = fields.get("document").and_then(|value| self.read_document(reader, value));
        let (rows, loaded) =
            fields.get("rows").map(|value| self.read_rows(reader, value)).unwrap_or_default();
        let rejects = fields.get("rejects").map(|value| self.read_rejects(reader, value)).unwrap_or_default();
        let mut targets =
            |field: &str| fields.get(field).map(|value| self.read_targets(reader, value)).unwrap_or_default();
        let (quarantined, filtered) = (targets("quarantined"), targets("filtered"));
        let aborts = fields.get("aborts").and_then(|value| reader.boolean(value)).unwrap_or_default();
        self.refuse_two_fates(reader, &fields, &loaded, &quarantined, &filtered);
        Some(TestSpec {
            name: name?,
            position: reader.position(place.start),
            id: id.unwrap_or(Some(1))?,
            document: document?,
            rows,
            loaded,
            rejects,
            quarantined: quarantined.into_iter().map(|(target, _)| target).collect(),
            filtered: filtered.into_iter().map(|(target, _)| target).collect(),
            aborts,
        })
    }

    /// A row is loaded, quarantined or filtered, and nothing of it where the run stops. Of the rows of an array each
    /// has its own fate.
    fn refuse_two_fates(
        &self,
        reader: &mut Reader<'_>,
        fields: &Fields<'_, '_>,
        loaded: &[usize],
        quarantined: &[(usize, Span)],
        filtered: &[(usize, Span)],
    ) {
        let quarantine = quarantined.iter().map(|named| ("quarantined", named, false));
        let filter = filtered.iter().map(|named| ("filtered", named, true));
        for (field, (target, span), is_filter) in quarantine.chain(filter) {
            let explodes = self.targets.get(*target).is_some_and(|target| target.explodes);
            let other = if explodes {
                continue;
            } else if loaded.contains(target) {
                "rows"
            } else if is_filter && quarantined.iter().any(|(other, _)| other == target) {
                "quarantined"
            } else {
                continue;
            };
            let name = self.targets.get(*target).map_or("", |target| &target.name);
            let message = format!("{name:?} stands in {other:?} and in {field:?}");
            reader.report(span.clone(), message, "a document gives a target one or the other".to_owned());
        }
        if let Some((span, value)) = fields.entry("aborts")
            && matches!(value.get_ref(), DeValue::Boolean(true))
            && ["rows", "rejects", "quarantined", "filtered"].iter().any(|field| fields.has(field))
        {
            let hint = "keep the one or the other".to_owned();
            reader.report(span, "a document that stops the run gives nothing else", hint);
        }
    }

    fn read_document(&self, reader: &mut Reader<'_>, value: &Value<'_>) -> Option<String> {
        let text = reader.string(value)?;
        let json = match Json::parse(text) {
            Ok(json) => json,
            Err(error) => {
                let place = reader.inside(value.span(), error.offset);
                reader.report(place, format!("the document is not JSON: {}", error.message), None);
                return None;
            }
        };
        if let (Some(keys), Json::Object(entries)) = (&self.keys, &json) {
            let known: Vec<&str> = keys.iter().map(String::as_str).collect();
            for (key, _) in entries.iter().filter(|(key, _)| !known.contains(&key.as_str())) {
                let hint = match did_you_mean(key, &known) {
                    near if near.starts_with("did") => near,
                    _ => "leave it out, or map it".to_owned(),
                };
                let message = format!("the document has the key {key:?}, which no target reads");
                reader.report(value.span(), message, hint);
            }
        }
        Some(text.to_owned())
    }

    /// The rows, and the targets that they are of: all of each target.
    fn read_rows(&self, reader: &mut Reader<'_>, value: &Value<'_>) -> (Vec<ExpectedRow>, Vec<usize>) {
        let (mut rows, mut loaded) = (Vec::new(), Vec::new());
        let Some(listed) = reader.table(value) else { return (rows, loaded) };
        for (key, value) in listed.iter() {
            let Some(target) = self.target(reader, key.get_ref(), key.span()) else { continue };
            let explodes = self.targets.get(target).is_some_and(|target| target.explodes);
            let items = match value.get_ref() {
                DeValue::Array(items) if explodes => &items[..],
                _ if explodes => {
                    reader.mismatch::<()>("a list of rows: the target has one for each element", value);
                    continue;
                }
                _ => std::slice::from_ref(value),
            };
            for item in items {
                let Some(columns) = reader.table(item) else { continue };
                let mut cells = Vec::with_capacity(columns.len());
                for (column, value) in columns.iter() {
                    let index = self.column(reader, target, column.get_ref(), column.span());
                    let text = read_cell(reader, column.get_ref(), value);
                    cells.extend(index.zip(text));
                }
                rows.push(ExpectedRow { target, cells });
            }
            loaded.push(target);
        }
        (rows, loaded)
    }

    fn read_rejects(&self, reader: &mut Reader<'_>, value: &Value<'_>) -> Vec<ExpectedReject> {
        let DeValue::Array(items) = value.get_ref() else {
            reader.mismatch::<()>("a list of tables, each headed [[test.rejects]]", value);
            return Vec::new();
        };
        let mut rejects = Vec::with_capacity(items.len());
        for item in items {
            let Some(entries) = reader.table(item) else { continue };
            let fields = Fields::open(reader, entries, "key", REJECT_KEYS);
            for field in ["target", "reason"] {
                if !fields.has(field) {
                    let hint = format!("add {field} = \"…\"");
                    reader.missing(item.span(), format!("the reject has no {field:?}"), hint);
                }
            }
            let target = fields.get("target").and_then(|value| {
                let name = reader.string(value)?;
                self.target(reader, name, value.span())
            });
            let column = fields.get("column").map(|value| {
                let name = reader.string(value)?;
                self.column(reader, target?, name, value.span())
            });
            let reason = fields.get("reason").and_then(|value| {
                let reason = reader.string(value)?;
                if !KNOWN_REASONS.contains(&reason) {
                    let hint = did_you_mean(reason, KNOWN_REASONS);
                    reader.report(value.span(), format!("unknown reason {reason:?}"), hint);
                }
                Some(reason.to_owned())
            });
            let (Some(target), Some(reason)) = (target, reason) else { continue };
            rejects.push(ExpectedReject { target, column: column.flatten(), reason });
        }
        rejects
    }

    fn read_targets(&self, reader: &mut Reader<'_>, value: &Value<'_>) -> Vec<(usize, Span)> {
        let names = reader.strings(value).unwrap_or_default();
        let found =
            names.into_iter().map(|(name, span)| Some((self.target(reader, name, span.clone())?, span)));
        found.flatten().collect()
    }

    fn target(&self, reader: &mut Reader<'_>, name: &str, span: Span) -> Option<usize> {
        let names: Vec<&str> = self.targets.iter().map(|target| target.name.as_str()).collect();
        let found = names.iter().position(|known| *known == name);
        if found.is_none() {
            reader.report(span, format!("there is no target {name:?}"), did_you_mean(name, &names));
        }
        found
    }

    fn column(&self, reader: &mut Reader<'_>, target: usize, name: &str, span: Span) -> Option<usize> {
        let NamedTarget { name: target, columns, .. } = self.targets.get(target)?;
        let found = columns.iter().position(|known| known == name);
        // Where there are no columns at all, that is the problem.
        if found.is_none() && !columns.is_empty() {
            let names: Vec<&str> = columns.iter().map(String::as_str).collect();
            let message = format!("the target {target:?} has no column {name:?}");
            reader.report(span, message, did_you_mean(name, &names));
        }
        found
    }
}

fn read_id(reader: &mut Reader<'_>, value: &Value<'_>) -> Option<i64> {
    let DeValue::Integer(integer) = value.get_ref() else { return reader.mismatch("an integer", value) };
    let id = i64::from_str_radix(integer.as_str(), integer.radix());
    if id.is_err() {
        reader.report(value.span(), "the number is out of range", None);
    }
    id.ok()
}

/// The text of an expected value; `Some(None)` is NULL.
fn read_cell(reader: &mut Reader<'_>, column: &str, value: &Value<'_>) -> Option<Option<String>> {
    match value.get_ref() {
        DeValue::String(_) => reader.string(value).map(|text| Some(text.to_owned())),
        DeValue::Boolean(_) | DeValue::Integer(_) | DeValue::Float(_) => json_text(reader, value).map(Some),
        DeValue::Datetime(datetime) if datetime.time.is_none() => Some(Some(datetime.to_string())),
        DeValue::Datetime(_) => {
            let hint = "write it as the server prints it: \"2025-01-15 10:00:00+00\"".to_owned();
            reader.report(value.span(), "a time stands here in the form of TOML", hint);
            None
        }
        DeValue::Table(table) => {
            let fields = Fields::open(reader, table, "key", &["null"]);
            match fields.get("null").map(|null| (null, null.get_ref())) {
                Some((_, DeValue::Boolean(true))) => Some(None),
                Some((null, _)) => {
                    reader.report(
                        null.span(),
                        "only true may stand here",
                        format!("write {column}.null = true"),
                    );
                    None
                }
                None => {
                    if !fields.has("null") {
                        let hint = format!("write {column} = \"…\" or {column}.null = true");
                        reader.missing(value.span(), "the table is empty", hint);
                    }
                    None
                }
            }
        }
        DeValue::Array(_) => {
            let hint = format!("write it as the server prints it: {column} = \"{{1,NULL}}\"");
            reader.report(value.span(), "a list stands here in the form of TOML", hint);
            None
        }
    }
}

impl Reader<'_> {
    /// The place of a byte of a string's content, which stands as it is in a literal string; elsewhere
    /// escapes are in the way, and the place is that of the string.
    fn inside(&self, span: Span, offset: usize) -> Range<usize> {
        let written = self.text(span.clone());
        let before = match written {
            _ if written.starts_with("'''\r\n") => 5,
            _ if written.starts_with("'''\n") => 4,
            _ if written.starts_with("'''") => 3,
            _ if written.starts_with('\'') => 1,
            _ => return span,
        };
        let place = span.start + before + offset;
        place..place
    }
}
