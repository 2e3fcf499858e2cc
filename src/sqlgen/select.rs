//! A pipeline as the SELECTs that a user would write: for comparisons, on data that is known to be clean.
//!
//! ```text
//! Arrow    SELECT v.xdo->>'a', … FROM v1 v                    each key unpacks the document anew
//! Record   SELECT k.a, … FROM v1 v, jsonb_to_record(v.xdo)    one unpacking a row and statement
//! keys     the same keys of all targets in one SELECT, for a temporary table to split afterwards
//! ```
//! The keys of a record are texts, since the record's own casts refuse the empty string; a key that is
//! read as JSON, or by a path into it, is a jsonb.

use crate::name::quote;
use crate::spec::model::{DerivedSpec, KeyPath, Origin, PipelineSpec, TargetSpec};

use super::closure::{closure_rows, edges};
use super::plain::{arrow, cell, reads_json};
use super::text::literals;

/// How plain SQL reads the keys of a document.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Extraction {
    /// `xdo->>'key'` for each column.
    Arrow,
    /// `jsonb_to_record`.
    Record,
}

/// The SELECTs of a pipeline.
#[derive(Debug)]
pub struct PlainSql<'s> {
    spec: &'s PipelineSpec,
    extraction: Extraction,
}

impl<'s> PlainSql<'s> {
    /// The SELECTs of a pipeline in one style.
    pub fn new(spec: &'s PipelineSpec, extraction: Extraction) -> Self {
        Self { spec, extraction }
    }

    /// The rows of a target, straight from the source, whose rows are called `v`; `condition` may restrict
    /// them.
    pub fn select(&self, target: &TargetSpec, condition: Option<&str>) -> String {
        let id = format!("v.{}", quote(&self.spec.source.id));
        match self.extraction {
            Extraction::Arrow => {
                let document = format!("v.{}", quote(&self.spec.source.document));
                let read = |path: &KeyPath, json| arrow(&document, path, json);
                self.rows(&cells(target, &id, &read), "", condition)
            }
            Extraction::Record => {
                let keys = Keys::of([target]);
                let read =
                    |path: &KeyPath, json| keys.read(path, json, &|_, key| format!("k.{}", quote(key)));
                self.rows(&cells(target, &id, &read), &self.record(&keys), condition)
            }
        }
    }

    /// Id and keys of each row, all that any target reads: `id`, `k0`, `k1` …
    pub fn keys(&self, condition: Option<&str>) -> String {
        let keys = self.all_keys();
        let mut columns = vec![format!("v.{} AS id", quote(&self.spec.source.id))];
        columns.extend(keys.0.iter().enumerate().map(|(n, (key, _))| format!("k.{} AS k{n}", quote(key))));
        self.rows(&columns, &self.record(&keys), condition)
    }

    /// The rows of a target from a table that holds [`keys`](Self::keys).
    pub fn split(&self, target: &TargetSpec, table: &str) -> String {
        let keys = self.all_keys();
        let read = |path: &KeyPath, json| keys.read(path, json, &|place, _| format!("s.k{place}"));
        format!("SELECT {}\nFROM {table} AS s", cells(target, "s.id", &read).join(",\n  "))
    }

    /// The rows of a derived target.
    pub fn derived(&self, derived: &DerivedSpec) -> String {
        closure_rows(derived, &self.select(&edges(derived), None))
    }

    fn rows(&self, columns: &[String], record: &str, condition: Option<&str>) -> String {
        let condition = condition.map(|condition| format!("\nWHERE {condition}")).unwrap_or_default();
        let table = self.spec.source.table.quoted();
        format!("SELECT {}\nFROM {table} AS v{record}{condition}", columns.join(",\n  "))
    }

    fn record(&self, keys: &Keys) -> String {
        if keys.0.is_empty() {
            return String::new();
        }
        let definition =
            |(key, json): &(String, bool)| format!("{} {}", quote(key), if *json { "jsonb" } else { "text" });
        let columns: Vec<String> = keys.0.iter().map(definition).collect();
        let document = quote(&self.spec.source.document);
        format!(",\n  jsonb_to_record(v.{document}) AS k ({})", columns.join(", "))
    }

    fn all_keys(&self) -> Keys {
        Keys::of(&self.spec.targets)
    }
}

fn cells(target: &TargetSpec, id: &str, read: &dyn Fn(&KeyPath, bool) -> String) -> Vec<String> {
    let columns = target.columns.iter();
    columns.map(|column| format!("{} AS {}", cell(column, id, read), quote(&column.name))).collect()
}

/// The first steps of the paths that targets read, and whether each is wanted as JSON.
struct Keys(Vec<(String, bool)>);

impl Keys {
    fn of<'t>(targets: impl IntoIterator<Item = &'t TargetSpec>) -> Self {
        let mut keys: Vec<(String, bool)> = Vec::new();
        for column in targets.into_iter().flat_map(|target| &target.columns) {
            let Origin::Keys(paths) = &column.origin else { continue };
            for path in paths {
                let Some((first, steps)) = path.steps.split_first() else { continue };
                let json = reads_json(column) || !steps.is_empty();
                match keys.iter_mut().find(|(key, _)| key == first) {
                    Some((_, wanted)) => *wanted |= json,
                    None => keys.push((first.clone(), json)),
                }
            }
        }
        Self(keys)
    }

    /// The value at a path; `column` says what the column of a key is called.
    fn read(&self, path: &KeyPath, json: bool, column: &dyn Fn(usize, &str) -> String) -> String {
        let found = path.steps.split_first().and_then(|(first, steps)| {
            let place = self.0.iter().position(|(key, _)| key == first)?;
            Some((column(place, first), self.0[place].1, steps))
        });
        match found {
            None => "NULL".to_owned(),
            Some((column, stored_json, [])) if stored_json == json => column,
            Some((column, _, [])) => format!("{column} #>> '{{}}'"),
            Some((column, _, steps)) => {
                format!("{column} {} ARRAY[{}]", if json { "#>" } else { "#>>" }, literals(steps))
            }
        }
    }
}
