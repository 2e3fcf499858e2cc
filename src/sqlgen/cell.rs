//! One cell: where its value comes from, and what a reject of it does to its row.

use serde_json::value::RawValue;

use crate::error::{Error, Result};
use crate::name::quote;
use crate::schema::{ColumnSchema, ColumnType, Scalar};
use crate::spec::model::{CastSpec, ColumnSpec, KeyPath, OnReject, Origin, TargetSpec};

use super::cast::Cast;
use super::rules;
use super::text::literal;

/// The keys of a document that statements read, each a column of the table `k`.
#[derive(Debug, Default)]
pub(super) struct Keys(Vec<String>);

/// The longest name that the server does not cut.
const MAX_NAME_BYTES: usize = 63;
/// A record has at most 1,664 columns.
const MAX_KEYS: usize = 1_500;

impl Keys {
    /// The value of a key, NULL where it is absent or null.
    fn top(&mut self, key: &str) -> String {
        let known = self.0.iter().any(|known| known == key);
        let fits = !key.is_empty() && key.len() <= MAX_NAME_BYTES && (known || self.0.len() < MAX_KEYS);
        if !fits {
            return format!("NULLIF(d.doc -> {}::text, 'null'::jsonb)", literal(key));
        }
        if !known {
            self.0.push(key.to_owned());
        }
        format!("k.{}", quote(key))
    }

    /// The value at a path, NULL where it is absent or null.
    pub(super) fn path(&mut self, path: &KeyPath) -> String {
        let Some((first, steps)) = path.0.split_first() else { return "NULL::jsonb".to_owned() };
        let top = self.top(first);
        if steps.is_empty() {
            return top;
        }
        let steps: String = steps.iter().map(|step| format!(" -> {}::text", literal(step))).collect();
        format!("NULLIF({top}{steps}, 'null'::jsonb)")
    }

    /// The columns of `k`.
    pub(super) fn definition(&self) -> String {
        let columns: Vec<String> = self.0.iter().map(|key| format!("{} jsonb", quote(key))).collect();
        columns.join(", ")
    }

    /// Whether no key is read by its column.
    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
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
        if column.origin == Origin::Id && is_plain_bigint(column, live) {
            cell.value = "d.id".to_owned();
            cell.required = live.not_null || is_key;
            return Ok(cell);
        }
        let ruled = !rules::is_empty(&column.rules);
        let origin = match &column.origin {
            Origin::Keys(paths) => {
                let paths: Vec<String> = paths.iter().map(|path| keys.path(path)).collect();
                if paths.len() == 1 { paths.concat() } else { format!("coalesce({})", paths.join(", ")) }
            }
            _ => "to_jsonb(d.id)".to_owned(),
        };
        let alias = format!("x{number}");
        let json = if ruled {
            cell.table = Some(rules::ruled(&alias, &column.rules, &origin)?);
            format!("{alias}.y")
        } else if origin.starts_with("k.\"")
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

/// Whether the row's id is the value as it stands, as nearly everywhere.
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
