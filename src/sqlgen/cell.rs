//! One cell: where its value comes from, and what a reject of it does to its row.

use serde_json::value::RawValue;

use crate::error::{Error, Result};
use crate::name::quote;
use crate::schema::{ColumnSchema, ColumnType, Scalar};
use crate::spec::model::{Base, CastSpec, ColumnSpec, KeyPath, OnReject, Origin, TargetSpec};

use super::cast::Cast;
use super::rules;
use super::text::literal;

/// The keys that statements read: those of documents, and those of the elements of an array.
#[derive(Debug)]
pub(super) struct Keys {
    /// Of the document `d.doc`, each a column of the table `k`.
    pub(super) of_document: Record,
    /// Of the element `e.doc`, each a column of the table `m`.
    pub(super) of_element: Record,
}

/// The keys of an object that statements read, each a column of a table.
#[derive(Debug)]
pub(super) struct Record {
    object: &'static str,
    table: &'static str,
    keys: Vec<String>,
}

impl Default for Keys {
    fn default() -> Self {
        Self {
            of_document: Record { object: "d.doc", table: "k", keys: Vec::new() },
            of_element: Record { object: "e.doc", table: "m", keys: Vec::new() },
        }
    }
}

/// The longest name that the server does not cut.
const MAX_NAME_BYTES: usize = 63;
/// A record has at most 1,664 columns.
const MAX_KEYS: usize = 1_500;

impl Keys {
    /// The value at a path, NULL where it is absent or null.
    pub(super) fn path(&mut self, path: &KeyPath) -> String {
        match path.base {
            Base::Document => self.of_document.path(&path.steps),
            Base::Element => self.of_element.path(&path.steps),
        }
    }
}

impl Record {
    /// The value of a key, NULL where it is absent or null.
    fn top(&mut self, key: &str) -> String {
        let known = self.keys.iter().any(|known| known == key);
        let fits = !key.is_empty() && key.len() <= MAX_NAME_BYTES && (known || self.keys.len() < MAX_KEYS);
        if !fits {
            return format!("NULLIF({} -> {}::text, 'null'::jsonb)", self.object, literal(key));
        }
        if !known {
            self.keys.push(key.to_owned());
        }
        format!("{}.{}", self.table, quote(key))
    }

    fn path(&mut self, path: &[String]) -> String {
        let Some((first, steps)) = path.split_first() else {
            return format!("NULLIF({}, 'null'::jsonb)", self.object);
        };
        let top = self.top(first);
        if steps.is_empty() {
            return top;
        }
        let steps: String = steps.iter().map(|step| format!(" -> {}::text", literal(step))).collect();
        format!("NULLIF({top}{steps}, 'null'::jsonb)")
    }

    /// The table of the keys, where any is read by its column.
    pub(super) fn table(&self) -> Option<String> {
        let Self { object, table, keys } = self;
        if keys.is_empty() {
            return None;
        }
        let columns: Vec<String> = keys.iter().map(|key| format!("{} jsonb", quote(key))).collect();
        Some(format!(
            "jsonb_to_record(CASE WHEN jsonb_typeof({object}) = 'object' THEN {object} END)\n    AS {table} ({})",
            columns.join(", ")
        ))
    }
}

/// A cell as expressions over the tables of its row.
#[derive(Debug)]
pub(super) struct Cell {
    /// Its value, NULL for NULL and for a reject, before the default.
    pub(super) value: String,
    /// The value in place of NULL.
    pub(super) default: Option<String>,
    /// Whether a value that is NULL takes the row with it.
    pub(super) required: bool,
    /// Whether a reject takes the row with it, where NULL does not: the test for a reject.
    pub(super) rejected: Option<String>,
    /// A table that must stand beside the row's.
    pub(super) table: Option<String>,
}

impl Cell {
    /// The cell of the target's column at `index`, which it has. `number` tells it from the others of the statement.
    pub(super) fn new(
        target: &TargetSpec,
        index: usize,
        live: &ColumnSchema,
        keys: &mut Keys,
        number: usize,
    ) -> Result<Self> {
        let column = &target.columns[index];
        let cast = compile(target, column, live)?;
        let is_key = target.key.contains(&index);
        let mut cell =
            Self { value: String::new(), default: None, required: false, rejected: None, table: None };
        if let Origin::Const(json) = &column.origin {
            cell.value = constant(cast, &column.cast, live, json);
            return Ok(cell);
        }
        if let Some(json) = &column.default {
            cell.default = Some(constant(cast, &column.cast, live, json));
        }
        let number_of_row = match &column.origin {
            Origin::Id => Some("d.id"),
            Origin::Position => Some("e.position"),
            Origin::Keys(_) | Origin::Const(_) => None,
        };
        if let Some(number) = number_of_row.filter(|_| is_plain_bigint(column, live)) {
            cell.value = number.to_owned();
            cell.required = live.not_null || is_key;
            return Ok(cell);
        }
        let ruled = !rules::is_empty(&column.rules);
        let origin = match &column.origin {
            Origin::Keys(paths) => {
                let paths: Vec<String> = paths.iter().map(|path| keys.path(path)).collect();
                if paths.len() == 1 { paths.concat() } else { format!("coalesce({})", paths.join(", ")) }
            }
            _ => format!("to_jsonb({})", number_of_row.unwrap_or("d.id")),
        };
        let alias = format!("x{number}");
        let json = if ruled {
            cell.table = Some(rules::ruled(&alias, &column.rules, &origin)?);
            format!("{alias}.y")
        } else if (origin.starts_with("k.\"") || origin.starts_with("m.\""))
            && matches!(&column.origin, Origin::Keys(paths) if paths.len() == 1)
        {
            origin
        } else {
            cell.table = Some(format!("(SELECT {origin} AS y OFFSET 0) AS {alias}"));
            format!("{alias}.y")
        };
        cell.value = cast.value(&json);
        let loses_row = column.on_reject != OnReject::Cell || is_key;
        if cell.default.is_none() && (live.not_null || is_key) {
            cell.required = true;
        } else if loses_row {
            let means_null = cast.means_null(&json);
            cell.rejected = Some(match ruled {
                false => format!("NOT {means_null}"),
                true => format!("({alias}.bad OR NOT ({alias}.nul OR {means_null}))"),
            });
        }
        Ok(cell)
    }
}

/// Whether the row's id or position is the value as it stands, as nearly everywhere.
fn is_plain_bigint(column: &ColumnSpec, live: &ColumnSchema) -> bool {
    let bigint = ColumnType::scalar(Scalar::BigInt);
    rules::is_empty(&column.rules)
        && column.cast == CastSpec::plain(bigint)
        && live.column_type == Some(bigint)
}

fn compile<'s>(target: &TargetSpec, column: &'s ColumnSpec, live: &ColumnSchema) -> Result<Cast<'s>> {
    live.column_type.and_then(|live| Cast::new(&column.cast, live)).ok_or_else(|| {
        Error::stop(format!(
            "{}.{}: type {} does not fit a column of type {}",
            target.table, column.name, column.cast.column_type, live.type_name
        ))
        .hint("change the type in the pipeline, or the column")
    })
}

/// A literal of the column's type. Texts are taken from the JSON text itself, in which a number stands as
/// it was written; jsonb would bring it into a form of its own.
fn constant(cast: Cast<'_>, spec: &CastSpec, live: &ColumnSchema, json: &str) -> String {
    let scalar = spec.column_type.scalar;
    let typed = live.column_type.map_or_else(|| live.type_name.clone(), |live| live.to_string());
    let as_text = |raw: &str| match serde_json::from_str::<String>(raw) {
        Ok(text) => literal(&text),
        Err(_) if raw == "null" => "NULL".to_owned(),
        Err(_) => literal(raw),
    };
    match (scalar, spec.column_type.array) {
        (Scalar::Text | Scalar::Varchar(_), false) => format!("{}::{typed}", as_text(json)),
        (Scalar::Text | Scalar::Varchar(_), true) => {
            if let Ok(elements) = serde_json::from_str::<Vec<&RawValue>>(json) {
                let elements: Vec<String> = elements.iter().map(|raw| as_text(raw.get())).collect();
                return format!("ARRAY[{}]::{typed}", elements.join(", "));
            }
            format!("ARRAY[{}]::{typed}", as_text(json))
        }
        (Scalar::Json | Scalar::Jsonb, false) if spec.parse.is_none() => {
            format!("{}::{typed}", literal(json))
        }
        _ => format!(
            "(SELECT {} FROM (SELECT {}::jsonb AS y OFFSET 0) AS y)",
            cast.value("y.y"),
            literal(json)
        ),
    }
}
