//! One target: its table, its merge key, its columns and its filter.

use toml::Spanned;
use toml::de::{DeString, DeTable};

use crate::name::TableName;
use crate::schema::Scalar;
use crate::spec::language;
use crate::spec::model::{
    Base, ClosureSpec, ColumnSpec, DerivedSpec, FilterRule, FilterSpec, Origin, TargetSpec,
};
use crate::spec::problem::did_you_mean;

use super::access::{Fields, Reader, Value};
use super::column::{Within, read_column, read_on_reject, read_path};
use super::explode;

const FIELDS: &[&str] = &language::names(&language::TARGET);
const CLOSURE_KEYS: &[&str] = &language::names(&language::CLOSURE);
const FILTER_KEYS: &[&str] = &language::names(&language::FILTER);
const DERIVED_FIELDS: &[&str] = &language::names(&language::DERIVED);

/// Reads one target.
pub(super) fn read_target(
    reader: &mut Reader<'_>,
    key: &Spanned<DeString<'_>>,
    value: &Value<'_>,
) -> Option<TargetSpec> {
    read_any_target(reader, key, value, FIELDS)
}

/// Reads one target that is derived from all documents together.
pub(super) fn read_derived(
    reader: &mut Reader<'_>,
    key: &Spanned<DeString<'_>>,
    value: &Value<'_>,
) -> Option<DerivedSpec> {
    let target = read_any_target(reader, key, value, DERIVED_FIELDS);
    let name = key.get_ref();
    let hint = "add closure = { parent = \"…\", child = \"…\" }: the keys of an edge".to_owned();
    let Some(closure) = value.get_ref().get("closure") else {
        reader.missing(key.span(), format!("derived target {name:?} has no \"closure\""), hint);
        return None;
    };
    let entries = reader.table(closure)?;
    let fields = Fields::open(reader, entries, "key", CLOSURE_KEYS);
    let mut path = |field: &str| {
        let Some(value) = fields.get(field) else {
            reader.missing(closure.span(), format!("the closure has no {field:?}"), hint.clone());
            return None;
        };
        let text = reader.string(value)?;
        read_path(reader, text, value.span(), Base::Document)
    };
    let (parent, child) = (path("parent"), path("child"));
    let target = target?;
    for column in target.columns.iter().filter(|column| column.origin == Origin::Id) {
        let message = format!("column {:?}: a derived row has no \"$id\"", column.name);
        let hint = "its keys are path, depth, ancestor and descendant".to_owned();
        reader.report(key.span(), message, hint);
    }
    Some(DerivedSpec { target, closure: ClosureSpec { parent: parent?, child: child? } })
}

fn read_any_target(
    reader: &mut Reader<'_>,
    key: &Spanned<DeString<'_>>,
    value: &Value<'_>,
    known: &'static [&'static str],
) -> Option<TargetSpec> {
    let name = key.get_ref().as_ref();
    if name.is_empty() || name.contains('\0') {
        reader.report(key.span(), format!("{name:?} is not a name for a target"), None);
    }
    let entries = reader.table(value)?;
    let fields = Fields::open(reader, entries, "key", known);
    let explodes = fields.entry("explode");
    for (field, hint) in [
        ("table", "add table = \"…\"".to_owned()),
        ("key", "add key = \"…\": the column that tells one row from another".to_owned()),
        ("columns", format!("add [target.{name}.columns]")),
    ] {
        if !fields.has(field) && (field != "key" || explodes.is_none()) {
            reader.missing(key.span(), format!("target {name:?} has no {field:?}"), hint);
        }
    }
    let table = fields.get("table").and_then(|value| read_table_name(reader, value));
    let on_reject =
        fields.get("on_reject").and_then(|value| read_on_reject(reader, value)).unwrap_or_default();
    let listed = fields.get("columns").and_then(|value| reader.table(value));
    let base = if explodes.is_some() { Base::Element } else { Base::Document };
    let columns = listed.map(|listed| read_columns(reader, listed, Within { on_reject, base }));
    if let Some((span, _)) = fields.entry("columns")
        && listed.is_some_and(DeTable::is_empty)
    {
        reader.missing(span, format!("target {name:?} has no columns"), "write name = \"type\"".to_owned());
    }
    let merge_key = match (fields.get("key"), listed.zip(columns.as_deref())) {
        (Some(value), Some((listed, columns))) => read_key(reader, value, listed, columns),
        (Some(value), None) => reader.strings(value).map(|_| Vec::new()),
        (None, Some((_, columns))) if explodes.is_some() => explode::usual_key(reader, key, columns),
        (None, _) => None,
    };
    let filter = fields.get("filter").map(|value| read_filter(reader, value, base));
    let path = explodes.as_ref().map(|(_, value)| explode::read_path_of_array(reader, value));
    let columns = columns?;
    let whole = columns.iter().all(Option::is_some);
    let mut target = TargetSpec {
        name: name.to_owned(),
        table: table?,
        key: merge_key?,
        columns: columns.into_iter().flatten().collect(),
        filter: filter.flatten(),
        explode: None,
    };
    if let (Some((span, _)), Some(path)) = (explodes, path) {
        explode::complete(reader, span, &mut target, path?, whole);
    }
    Some(target)
}

/// The name of a table.
pub(super) fn read_table_name(reader: &mut Reader<'_>, value: &Value<'_>) -> Option<TableName> {
    let name = reader.string(value)?.parse::<TableName>();
    if let Err(error) = &name {
        reader.report(value.span(), error.message(), error.hint_text().map(str::to_owned));
    }
    name.ok()
}

/// The columns in the order of the file; `None` for one that could not be read.
fn read_columns(reader: &mut Reader<'_>, listed: &DeTable<'_>, within: Within) -> Vec<Option<ColumnSpec>> {
    listed.iter().map(|(key, value)| read_column(reader, key, value, within)).collect()
}

/// The merge key as indices into the columns.
fn read_key(
    reader: &mut Reader<'_>,
    value: &Value<'_>,
    listed: &DeTable<'_>,
    columns: &[Option<ColumnSpec>],
) -> Option<Vec<usize>> {
    let names: Vec<&str> = listed.keys().map(|key| key.get_ref().as_ref()).collect();
    let parts = reader.strings(value)?;
    let mut indices = Vec::with_capacity(parts.len());
    let mut same_in_every_row = !parts.is_empty();
    for (part, span) in parts {
        let Some(index) = names.iter().position(|name| *name == part) else {
            same_in_every_row = false;
            // Where there are no columns at all, that is the problem.
            if !names.is_empty() {
                let message = format!("the key {part:?} is not one of the columns");
                reader.missing(span, message, did_you_mean(part, &names));
            }
            continue;
        };
        indices.push(index);
        refuse_cell(reader, part, listed);
        let column = columns.get(index).and_then(Option::as_ref);
        same_in_every_row &= column.is_some_and(|column| matches!(column.origin, Origin::Const(_)));
        if column.is_some_and(|column| column.cast.column_type.scalar == Scalar::Json) {
            let message = format!("the key {part:?} is of the type json, which knows no equality");
            reader.report(span, message, "write \"jsonb\"".to_owned());
        }
    }
    if same_in_every_row {
        let hint = "name a column that differs, such as one with \"$id\"".to_owned();
        reader.report(value.span(), "the key is the same in every row", hint);
    }
    Some(indices)
}

/// `on_reject = "cell"` asks for a row without a key.
fn refuse_cell(reader: &mut Reader<'_>, name: &str, listed: &DeTable<'_>) {
    let options = listed.get(name).and_then(|column| column.get_ref().as_table());
    let Some(value) = options.and_then(|options| options.get("on_reject")) else { return };
    if value.get_ref().as_str() == Some("cell") {
        reader.report(
            value.span(),
            format!("\"cell\" means nothing for {name:?}: no row is loaded without its key"),
            "leave it out, or write \"row\" or \"abort\"".to_owned(),
        );
    }
}

fn read_filter(reader: &mut Reader<'_>, value: &Value<'_>, base: Base) -> Option<FilterSpec> {
    let entries = reader.table(value)?;
    let fields = Fields::open(reader, entries, "key", FILTER_KEYS);
    if !fields.has("from") {
        reader.missing(
            value.span(),
            "the filter has no \"from\"",
            "add from = \"…\": the key that decides".to_owned(),
        );
    }
    let from = fields.get("from").and_then(|value| {
        let text = reader.string(value)?;
        read_path(reader, text, value.span(), base)
    });
    let keep = fields.get("keep").and_then(|value| reader.texts(value));
    let drop = fields.get("drop").and_then(|value| reader.texts(value));
    if let (Some(_), Some((span, _))) = (fields.get("keep"), fields.entry("drop")) {
        reader.report(span, "\"keep\" and \"drop\" exclude each other", "keep one of them".to_owned());
    }
    if !fields.has("keep") && !fields.has("drop") {
        let hint = "add keep = [\"…\"] or drop = [\"…\"]".to_owned();
        reader.missing(value.span(), "the filter has neither \"keep\" nor \"drop\"", hint);
    }
    let rule = keep.map(FilterRule::Keep).or(drop.map(FilterRule::Drop))?;
    Some(FilterSpec { from: from?, rule })
}
