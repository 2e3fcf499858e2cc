//! From cells to rows: one scan of the source for any number of targets.
//!
//! ```text
//! d: id, document     the one place where a document is unpacked from its storage
//! k: the keys         jsonb_to_record
//! e: doc, position    the elements of an array, where a target explodes one; m: their keys
//! x…: values that need more than a key
//! c: the cells        c0, c1 …; r…: whether a cell is rejected
//! ```

use crate::error::{Error, Result};
use crate::name::{TableName, quote};
use crate::schema::ColumnSchema;
use crate::spec::model::{ExplodeSpec, FilterRule, SourceSpec, TargetSpec};

use super::cell::{Cell, Keys};
use super::text::{literals, text_of, trimmed};

/// The scan of a source that computes the cells of targets.
#[derive(Debug, Default)]
pub(super) struct Scan {
    keys: Keys,
    /// The array whose elements are the rows; a scan has one kind of rows.
    array: Option<String>,
    tables: Vec<String>,
    /// The columns of `c`.
    columns: Vec<String>,
    cells: usize,
}

/// What the rows of one target are made of, over the columns of `c`.
#[derive(Debug)]
pub(super) struct Rows {
    /// The cells, in the order of the spec.
    pub(super) cells: Vec<String>,
    /// Which rows are loaded.
    pub(super) condition: String,
}

impl Scan {
    /// Adds the cells of a target. `live` is its table as the server has it. A target that explodes an array has a
    /// scan of its own.
    pub(super) fn target(&mut self, target: &TargetSpec, live: &[ColumnSchema]) -> Result<Rows> {
        let mut rows = Rows { cells: Vec::new(), condition: String::new() };
        let mut conditions = Vec::new();
        if let Some(explode) = &target.explode {
            self.array = Some(self.keys.path(&explode.path));
            conditions.extend(explode.objects.then(|| {
                self.columns.push("jsonb_typeof(e.doc) IN ('object', 'null') AS is_object".to_owned());
                "c.is_object".to_owned()
            }));
        }
        if let Some(filter) = &target.filter {
            let text = format!("coalesce({} #>> '{{}}', '')", self.keys.path(&filter.from));
            let test = match &filter.rule {
                FilterRule::Keep(texts) => format!("{text} IN ({})", literals(texts)),
                FilterRule::Drop(texts) => format!("{text} NOT IN ({})", literals(texts)),
            };
            let name = format!("f{}", self.columns.len());
            self.columns.push(format!("{test} AS {name}"));
            conditions.push(format!("c.{name}"));
        }
        for (index, column) in target.columns.iter().enumerate() {
            let Some(live) = live.iter().find(|live| live.name == column.name) else {
                return Err(Error::stop(format!(
                    "{}.{}: the table has no such column",
                    target.table, column.name
                ))
                .hint("take it out of the pipeline, or add it to the table"));
            };
            let number = self.cells;
            self.cells += 1;
            let cell = Cell::new(target, index, live, &mut self.keys, number)?;
            self.tables.extend(cell.table);
            self.columns.push(format!("{} AS c{number}", cell.value));
            if cell.required {
                conditions.push(format!("c.c{number} IS NOT NULL"));
            }
            if let Some(rejected) = cell.rejected {
                self.columns.push(format!("{rejected} AS r{number}"));
                conditions.push(format!("(c.c{number} IS NOT NULL OR NOT c.r{number})"));
            }
            rows.cells.push(match cell.default {
                Some(default) => format!("coalesce(c.c{number}, {default})"),
                None => format!("c.c{number}"),
            });
        }
        rows.condition = if conditions.is_empty() { "true".to_owned() } else { conditions.join(" AND ") };
        Ok(rows)
    }

    /// Adds the id of the source row, as `source_id`.
    pub(super) fn id(&mut self) {
        self.columns.push("d.id AS source_id".to_owned());
    }

    /// The table `c`.
    pub(super) fn table(&self, source: &SourceSpec, name: &TableName, condition: Option<&str>) -> String {
        let condition = condition.map(|condition| format!(" WHERE {condition}")).unwrap_or_default();
        let (id, document) = (quote(&source.id), quote(&source.document));
        // The path is the document itself, unpacked; whatever asks for it after this finds it so.
        let documents = format!(
            "(SELECT v.{id}::bigint AS id, jsonb_path_query_first(v.{document}, 'strict $') AS doc\n    FROM {} AS v{condition} OFFSET 0) AS d",
            name.quoted()
        );
        let elements = self.array.as_ref().map(|array| {
            format!(
                "jsonb_array_elements(CASE WHEN jsonb_typeof({array}) = 'array' THEN {array} END) WITH ORDINALITY\n    \
                 AS e (doc, position)"
            )
        });
        let keys = [self.keys.of_document.table(), elements, self.keys.of_element.table()];
        let mut from = documents;
        for table in keys.iter().flatten().chain(&self.tables) {
            from.push_str(&format!("\n  CROSS JOIN LATERAL {table}"));
        }
        // An equality that the planner has no statistics of would be a two-hundredth of the rows to it, and
        // the join with the target a nested loop; behind a coalesce it is half of them.
        format!(
            "(SELECT {}\n  FROM {from}\n  WHERE coalesce(jsonb_typeof(d.doc) = 'object', false) OFFSET 0) AS c",
            self.columns.join(",\n    ")
        )
    }
}

/// A SELECT of the id and the position of every element that a target with `explode` makes a row of, filtered or not;
/// of a document that is rejected as a whole the id and NULL. `condition` may restrict the rows of the source, which
/// are called `v`.
pub(super) fn places(
    explode: &ExplodeSpec,
    source: &SourceSpec,
    name: &TableName,
    condition: &str,
) -> String {
    let (id, document) = (quote(&source.id), quote(&source.document));
    let mut keys = Keys::default();
    let array = keys.path(&explode.path);
    let keys = keys.of_document.table().map(|table| format!("\n  CROSS JOIN LATERAL {table}"));
    let empty = format!(
        "CASE jsonb_typeof(a.value) WHEN 'string' THEN {} = '' WHEN 'number' THEN a.value::numeric = 0 \
         WHEN 'boolean' THEN a.value = 'false'::jsonb ELSE false END",
        trimmed(&text_of("a.value"))
    );
    format!(
        "SELECT a.id, e.position FROM (SELECT d.id, d.doc, {array} AS value FROM\n    \
         (SELECT v.{id}::bigint AS id, v.{document} AS doc FROM {} AS v WHERE {condition} OFFSET 0) AS d{} OFFSET 0) AS a\n  \
         LEFT JOIN LATERAL jsonb_array_elements(CASE WHEN jsonb_typeof(a.value) = 'array' THEN a.value END) WITH ORDINALITY\n    \
         AS e (doc, position) ON true\n\
         WHERE CASE WHEN jsonb_typeof(a.doc) IS DISTINCT FROM 'object' THEN true WHEN a.value IS NULL THEN false\n  \
         WHEN jsonb_typeof(a.value) = 'array' THEN e.position IS NOT NULL ELSE NOT {empty} END",
        name.quoted(),
        keys.unwrap_or_default(),
    )
}
