//! From a pipeline spec and the schemas of its targets to a [`Program`].
//!
//! Every mistake that can be known before a byte moves ends here, and all of them at once.

use std::fmt;

use super::cast::Cast;
use super::document::{WantedKeys, value_of};
use super::functions;
use super::lookup::Lookup;
use super::program::{
    ColumnProgram, EdgePaths, Explode, Filter, Path, Program, Source, Start, TargetProgram,
};
use super::rules::Rules;
use crate::schema::{ColumnSchema, ColumnType, Scalar};
use crate::spec::model::{
    Base, CastSpec, ClosureSpec, ColumnSpec, DerivedSpec, FilterSpec, KeyPath, Origin, PipelineSpec,
    TargetSpec, TextRules,
};

/// A pipeline that does not fit a table of the target.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mismatch {
    /// The place in the pipeline file: `user.toml:12:1`; empty where it is about the table alone.
    pub place: String,
    /// The table and, where it is about one, the column.
    pub subject: String,
    /// What does not fit.
    pub message: String,
    /// What to do.
    pub hint: String,
}

impl fmt::Display for Mismatch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if !self.place.is_empty() {
            write!(f, "{}: ", self.place)?;
        }
        write!(f, "{}: {}", self.subject, self.message)
    }
}

/// Compiles a pipeline. `schemas` holds the columns of each target's table, in the order of the spec.
pub fn compile(spec: &PipelineSpec, schemas: &[&[ColumnSchema]]) -> Result<Program, Vec<Mismatch>> {
    compile_beside(spec, schemas, [])
}

/// The same; the documents are known to have these keys, too, so that to count them costs no look-up.
pub fn compile_beside<'k>(
    spec: &'k PipelineSpec,
    schemas: &[&[ColumnSchema]],
    known_keys: impl IntoIterator<Item = &'k str>,
) -> Result<Program, Vec<Mismatch>> {
    let edge_keys = spec.derived.iter().flat_map(|derived| [&derived.closure.parent, &derived.closure.child]);
    let edge_keys = edge_keys.filter_map(|path| path.steps.first()).map(String::as_str);
    let own_keys = spec.targets.iter().flat_map(TargetSpec::document_keys);
    let wanted = WantedKeys::new(own_keys.chain(edge_keys).chain(known_keys));
    let mut mismatches = Vec::new();
    let mut targets = Vec::new();
    let mut first_slot = 0;
    for (target, schema) in spec.targets.iter().zip(schemas) {
        let of_elements = WantedKeys::new(element_keys(target));
        let keys =
            Keys { of_document: &wanted, of_elements: &of_elements, explodes: target.explode.is_some() };
        let mut compiler = Compiler { spec, target, keys, mismatches: &mut mismatches };
        compiler.check_left_out(schema);
        let columns: Vec<ColumnProgram> = target
            .columns
            .iter()
            .enumerate()
            .filter_map(|(index, column)| compiler.column(index, column, schema))
            .collect();
        let filter = target.filter.as_ref().and_then(|filter| compiler.filter(filter));
        let slots = columns.len() + 1;
        let explode = target.explode.as_ref().and_then(|explode| {
            Some(Explode {
                path: keys_of_document(&wanted).path(&explode.path)?,
                key: explode.path.steps.join("."),
                objects: explode.objects,
                wanted: of_elements,
            })
        });
        targets.push(TargetProgram { table: target.table.to_string(), columns, filter, explode, first_slot });
        first_slot += slots;
    }
    let closures = spec.derived.iter().filter_map(|derived| edge_paths(&derived.closure, &wanted)).collect();
    if mismatches.is_empty() {
        Ok(Program { wanted, targets, closures, slots: first_slot, no_raw: false, watches_keys: false })
    } else {
        Err(mismatches)
    }
}

/// Compiles a derived target: a program whose documents are the derived ones.
pub fn compile_derived(
    spec: &PipelineSpec,
    derived: &DerivedSpec,
    schema: &[ColumnSchema],
) -> Result<Program, Vec<Mismatch>> {
    let alone = PipelineSpec { targets: vec![derived.target.clone()], derived: Vec::new(), ..spec.clone() };
    compile(&alone, &[schema])
}

/// `None` only for paths without segments, which the reader of the file does not make.
fn edge_paths(closure: &ClosureSpec, wanted: &WantedKeys) -> Option<EdgePaths> {
    let column_type = ColumnType::scalar(Scalar::BigInt);
    let reference = CastSpec { none: vec![0], ..CastSpec::plain(column_type) };
    Some(EdgePaths {
        parent: keys_of_document(wanted).path(&closure.parent)?,
        child: keys_of_document(wanted).path(&closure.child)?,
        reference: Cast::compile(&reference, column_type).ok()?,
    })
}

/// The keys that the paths of a target begin with.
#[derive(Clone, Copy)]
struct Keys<'a> {
    of_document: &'a WantedKeys,
    of_elements: &'a WantedKeys,
    explodes: bool,
}

/// Those of documents alone.
fn keys_of_document(wanted: &WantedKeys) -> Keys<'_> {
    Keys { of_document: wanted, of_elements: wanted, explodes: false }
}

impl Keys<'_> {
    /// `None` only for a document's path without segments, which the reader of the file does not make.
    fn path(self, path: &KeyPath) -> Option<Path> {
        let Some((first, steps)) = path.steps.split_first() else {
            return (path.base == Base::Element).then(|| Path { start: Start::Element, steps: Vec::new() });
        };
        let start = match path.base {
            Base::Element => Start::Key(self.of_elements.slot(first)?),
            Base::Document if self.explodes => Start::OfDocument(self.of_document.slot(first)?),
            Base::Document => Start::Key(self.of_document.slot(first)?),
        };
        Some(Path { start, steps: steps.iter().map(|step| WantedKeys::new([step.as_str()])).collect() })
    }
}

/// The keys of an element that a target reads.
fn element_keys(target: &TargetSpec) -> impl Iterator<Item = &str> {
    let own = target.paths().filter(|path| path.base == Base::Element);
    own.filter_map(|path| path.steps.first()).map(String::as_str)
}

struct Compiler<'a> {
    spec: &'a PipelineSpec,
    target: &'a TargetSpec,
    keys: Keys<'a>,
    mismatches: &'a mut Vec<Mismatch>,
}

impl Compiler<'_> {
    /// A column that takes no NULL, has no default and is not in the pipeline would fail each insert.
    fn check_left_out(&mut self, schema: &[ColumnSchema]) {
        for column in schema {
            let mapped = self.target.columns.iter().any(|mapped| mapped.name == column.name);
            if !mapped && column.not_null && !column.filled_by_server && !column.read_only {
                self.mismatches.push(Mismatch {
                    place: String::new(),
                    subject: format!("{}.{}", self.target.table, column.name),
                    message: "the column takes no null, has no default, and the pipeline does not feed it"
                        .into(),
                    hint: format!("map it in {}, or give it a default in the database", self.spec.file),
                });
            }
        }
    }

    fn column(
        &mut self,
        index: usize,
        column: &ColumnSpec,
        schema: &[ColumnSchema],
    ) -> Option<ColumnProgram> {
        let Some(live) = schema.iter().find(|live| live.name == column.name) else {
            let near = schema
                .iter()
                .map(|live| (strsim::jaro_winkler(&live.name, &column.name), live.name.as_str()))
                .max_by(|a, b| a.0.total_cmp(&b.0))
                .filter(|(likeness, _)| *likeness > 0.8);
            let hint = match near {
                Some((_, near)) => format!("did you mean {near:?}?"),
                None => "take it out of the pipeline, or add it to the table".to_owned(),
            };
            return self.mismatch(column, "the table has no such column".to_owned(), hint);
        };
        if live.read_only {
            let hint = "take it out of the pipeline".to_owned();
            return self.mismatch(column, "the column is generated and cannot be written".to_owned(), hint);
        }
        let Some(live_type) = live.column_type else {
            let message = format!("the column has the type {}, which xdoflow cannot write", live.type_name);
            return self.mismatch(
                column,
                message,
                "load it into a text column, and cast it there".to_owned(),
            );
        };
        let cast = match Cast::compile(&column.cast, live_type) {
            Ok(cast) => cast,
            Err(misfit) => {
                let hint = format!("write type = \"{live_type}\" in the pipeline, or change the column");
                return self.mismatch(column, misfit.to_string(), hint);
            }
        };
        let source = match &column.origin {
            Origin::Id => Source::Id,
            Origin::Position => Source::Position,
            Origin::Keys(paths) => {
                let paths: Vec<Path> = paths.iter().filter_map(|path| self.keys.path(path)).collect();
                match paths.as_slice() {
                    [Path { start: Start::Key(slot), steps }] if steps.is_empty() => Source::Key(*slot),
                    _ => Source::Paths(paths),
                }
            }
            Origin::Const(json) => Source::Const(self.payload(column, &cast, "const", json)?),
        };
        let default = match &column.default {
            Some(json) => Some(self.payload(column, &cast, "default", json)?),
            None => None,
        };
        Some(ColumnProgram {
            name: column.name.clone(),
            source,
            key: self.key_text(&column.origin),
            rules: Some(self.rules(column, &column.rules)?).filter(|rules| !rules.is_empty()),
            cast,
            default,
            not_null: live.not_null,
            is_merge_key: self.target.key.contains(&index),
            on_reject: column.on_reject,
        })
    }

    /// The payload of a literal, which must be one that the column takes.
    fn payload(&mut self, column: &ColumnSpec, cast: &Cast, option: &str, json: &str) -> Option<Vec<u8>> {
        let mut scratch = String::new();
        let mut payload = Vec::new();
        let refusal = match cast.encode(&value_of(json, &mut scratch), &mut payload) {
            Ok(cell) if !cell.null => return Some(payload),
            Ok(_) => "it is null",
            Err(reason) => reason.message(),
        };
        self.mismatch(
            column,
            format!("the {option} {json} is no value of the column: {refusal}"),
            format!("give a {option} that the column's type takes"),
        )
    }

    fn rules(&mut self, column: &ColumnSpec, rules: &TextRules) -> Option<Rules> {
        let lookup = match rules.lookup.as_deref().map(Lookup::read).transpose() {
            Ok(lookup) => lookup,
            Err(error) => {
                return self.mismatch(
                    column,
                    error.message().into(),
                    error.hint_text().unwrap_or_default().into(),
                );
            }
        };
        Some(Rules {
            trim: rules.trim,
            null_values: rules.null_values.clone(),
            case: rules.case,
            map: rules.map.clone(),
            lookup,
            // The reader of the file has refused a name that is not registered.
            function: rules.function.as_deref().and_then(functions::find),
            allowed: rules.allowed.clone(),
        })
    }

    fn filter(&self, filter: &FilterSpec) -> Option<Filter> {
        Some(Filter { path: self.keys.path(&filter.from)?, rule: filter.rule.clone() })
    }

    fn mismatch<T>(&mut self, column: &ColumnSpec, message: String, hint: String) -> Option<T> {
        let place = format!("{}:{}:{}", self.spec.file, column.position.line, column.position.column);
        let subject = format!("{}.{}", self.target.table, column.name);
        self.mismatches.push(Mismatch { place, subject, message, hint });
        None
    }

    /// Where a column's value comes from, for people: `$id`, `location.lat`, `items[].price`.
    fn key_text(&self, origin: &Origin) -> String {
        let array = self.target.explode.as_ref().map(|explode| explode.path.steps.join("."));
        let text = |path: &KeyPath| {
            let steps = path.steps.join(".");
            match (path.base, &array) {
                (Base::Element, Some(array)) if steps.is_empty() => format!("{array}[]"),
                (Base::Element, Some(array)) => format!("{array}[].{steps}"),
                _ => steps,
            }
        };
        match origin {
            Origin::Id => "$id".to_owned(),
            Origin::Position => "$position".to_owned(),
            Origin::Const(_) => "const".to_owned(),
            Origin::Keys(paths) => paths.iter().map(text).collect::<Vec<_>>().join(", "),
        }
    }
}
