//! From the text of a pipeline file to a [`PipelineSpec`], or to everything that is wrong with it.
//!
//! ```text
//! text ─toml─► tree with places ─► pipeline (here) ─► target ─► column ─► cast ─► pattern
//!                                               └ test        └ json: default, const
//! ```
//!
//! No reader stops at a mistake: it reports it to the [`Reader`] and gives `None`, and whoever asked
//! goes on with the next entry. A pipeline comes out only if nothing was reported. Deriving the tree
//! with serde would be shorter, but it stops at the first mistake and knows no place for most others.

pub(crate) mod access;
mod cast;
mod column;
mod explode;
mod json;
mod pattern;
mod target;
mod test;

use toml::de::{DeTable, DeValue};

use crate::name::TableName;

use access::{Fields, Reader, Value};
use target::{read_derived, read_table_name, read_target};
use test::{Names, read_tests};

use super::language;
use super::model::{DerivedSpec, PipelineSpec, Position, SourceSpec, TargetSpec, TestSpec};
use super::problem::{Problem, Problems, meant};

const PIPELINE_KEYS: &[&str] = &language::names(&language::PIPELINE);
const SOURCE_KEYS: &[&str] = &language::names(&language::SOURCE);

/// What could be read of one file.
pub(super) struct FileRead {
    /// The file as the user knows it.
    pub(super) file: String,
    /// The entity and its place, even where the rest is wrong.
    pub(super) entity: Option<(String, Position)>,
    /// The pipeline, or what is wrong with it.
    pub(super) pipeline: Result<PipelineSpec, Vec<Problem>>,
}

impl PipelineSpec {
    /// Reads a pipeline from `text`; `file` is its name in messages, and a `lookup` is found from the
    /// folder in it.
    ///
    /// # Errors
    /// Everything that is wrong with the text.
    pub fn parse(file: &str, text: &str) -> Result<Self, Problems> {
        read_file(file, text).pipeline.map_err(Problems::found)
    }

    /// Reads tests of this pipeline from a text that holds nothing else; `file` is its name in messages.
    ///
    /// # Errors
    /// Everything that is wrong with the text.
    pub fn parse_tests(&self, file: &str, text: &str) -> Result<Vec<TestSpec>, Problems> {
        let (root, errors) = DeTable::parse_recoverable(text);
        let mut reader = Reader::new(file, text);
        for error in &errors {
            reader.syntax(error);
        }
        let fields = Fields::open(&mut reader, root.get_ref(), "key", &["test"]);
        let names = Names::of(&self.targets, &self.source);
        let tests = fields.get("test").map(|value| read_tests(&mut reader, value, &names));
        let problems = reader.into_problems();
        if problems.is_empty() { Ok(tests.unwrap_or_default()) } else { Err(Problems::found(problems)) }
    }
}

/// Reads one file.
pub(super) fn read_file(file: &str, text: &str) -> FileRead {
    // A byte order mark is no character of the first line.
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    let (root, mut errors) = DeTable::parse_recoverable(text);
    errors.sort_by_key(|error| error.span().map(|span| span.start));
    let mut reader = Reader::new(file, text);
    for error in &errors {
        reader.syntax(error);
    }
    let (entity, pipeline) = read_pipeline(&mut reader, root.get_ref());
    let problems = reader.into_problems();
    let pipeline = match pipeline {
        Some(pipeline) if problems.is_empty() => Ok(pipeline),
        _ => Err(problems),
    };
    FileRead { file: file.to_owned(), entity, pipeline }
}

fn read_pipeline(
    reader: &mut Reader<'_>,
    root: &DeTable<'_>,
) -> (Option<(String, Position)>, Option<PipelineSpec>) {
    let fields = Fields::open(reader, root, "key", PIPELINE_KEYS);
    for (field, hint) in [
        ("entity", "add entity = \"…\": the name on the command line"),
        ("source", "add source = \"…\": the table that is read"),
        ("target", "add [target.NAME] with table, key and columns"),
    ] {
        if !fields.has(field) {
            reader.missing(0..0, format!("the pipeline has no {field:?}"), hint.to_owned());
        }
    }
    let entity = fields.get("entity").and_then(|value| {
        let position = reader.position(value.span().start);
        Some((read_entity(reader, value)?, position))
    });
    let source = fields.get("source").and_then(|value| read_source(reader, value));
    let derived = fields.get("derived").and_then(|value| reader.table(value));
    let targets = fields.entry("target").and_then(|(span, value)| {
        let listed = reader.table(value)?;
        if listed.is_empty() {
            reader.missing(
                span,
                "there is no target",
                "write [target.NAME] with table, key and columns".to_owned(),
            );
        }
        Some(read_targets(reader, listed, derived))
    });
    let listed = fields.get("target").and_then(|value| value.get_ref().as_table());
    let tests = match (fields.get("test"), listed) {
        (Some(value), Some(listed)) => {
            let names =
                Names::written(listed, targets.as_ref().map(|(own, _)| own.as_slice()), source.as_ref());
            read_tests(reader, value, &names)
        }
        _ => Vec::new(),
    };
    let drift = fields.get("drift").and_then(|value| reader.word("drift", value, &language::DRIFT));
    let drift = drift.unwrap_or_default();
    let file = reader.file().to_owned();
    let pipeline =
        entity.clone().zip(source).zip(targets).map(|(((entity, _), source), (targets, derived))| {
            PipelineSpec { entity, file, source, targets, derived, drift, tests }
        });
    (entity, pipeline)
}

/// The longest name of an entity. It is part of the names of staging tables, of which the server keeps 63
/// bytes: this leaves 16 for the number of the run.
const ENTITY_BYTES: usize = 32;

/// The entity's name is a word of the command line and a key in reports.
fn read_entity(reader: &mut Reader<'_>, value: &Value<'_>) -> Option<String> {
    let text = reader.string(value)?;
    if is_entity(text) {
        if text.len() > ENTITY_BYTES {
            let message = format!("the entity {text:?} is longer than {ENTITY_BYTES} characters");
            reader.report(value.span(), message, "write a shorter name".to_owned());
            return None;
        }
        return Some(text.to_owned());
    }
    let lower = text.trim().to_lowercase().replace([' ', '-', '.'], "_");
    let hint = if is_entity(&lower) { meant(&lower) } else { "write it like daily_visits".to_owned() };
    let message = format!("the entity {text:?} is not made of lower-case letters, digits and underscores");
    reader.report(value.span(), message, hint);
    None
}

fn is_entity(text: &str) -> bool {
    text.starts_with(|c: char| c.is_ascii_lowercase())
        && text.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_')
}

/// The source: a table's name, or a table with its two columns.
fn read_source(reader: &mut Reader<'_>, value: &Value<'_>) -> Option<SourceSpec> {
    let entries = match value.get_ref() {
        DeValue::String(_) => {
            let table = read_table_name(reader, value)?;
            return Some(SourceSpec { table, id: "id".to_owned(), document: "xdo".to_owned() });
        }
        DeValue::Table(entries) => entries,
        _ => return reader.mismatch("a table's name or { table, id, document }", value),
    };
    let fields = Fields::open(reader, entries, "key", SOURCE_KEYS);
    if !fields.has("table") {
        reader.missing(value.span(), "the source has no \"table\"", "add table = \"…\"".to_owned());
    }
    let table = fields.get("table").and_then(|value| read_table_name(reader, value));
    let mut column = |field: &str, usual: &str| match fields.get(field) {
        None => Some(usual.to_owned()),
        Some(value) => {
            let name = reader.string(value)?;
            if name.is_empty() {
                reader.report(value.span(), "\"\" is not a column name", None);
            }
            Some(name.to_owned())
        }
    };
    let (id, document) = (column("id", "id"), column("document", "xdo"));
    Some(SourceSpec { table: table?, id: id?, document: document? })
}

/// The targets, and those that are derived.
type Targets = (Vec<TargetSpec>, Vec<DerivedSpec>);

/// The targets of both kinds, no two of them in one table.
fn read_targets(reader: &mut Reader<'_>, listed: &DeTable<'_>, derived: Option<&DeTable<'_>>) -> Targets {
    let mut targets: Targets = (Vec::with_capacity(listed.len()), Vec::new());
    let mut tables: Vec<(TableName, &str)> = Vec::new();
    let both = listed.iter().map(|entry| (entry, false));
    for ((key, value), derived) in both.chain(derived.into_iter().flatten().map(|entry| (entry, true))) {
        if derived {
            targets.1.extend(read_derived(reader, key, value));
        } else {
            targets.0.extend(read_target(reader, key, value));
        }
        // Read once more, since a target with another mistake in it has a table all the same.
        let Some(written) = value.get_ref().get("table") else { continue };
        let Some(table) = written.get_ref().as_str().and_then(|name| name.parse().ok()) else { continue };
        match tables.iter().find(|(known, _)| *known == table) {
            Some((_, first)) => {
                let message = format!("the target {:?} has the table of {first:?}: {table}", key.get_ref());
                reader.report(written.span(), message, "give each target a table of its own".to_owned());
            }
            None => tables.push((table, key.get_ref())),
        }
    }
    targets
}
