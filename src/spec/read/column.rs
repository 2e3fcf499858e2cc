//! One column: its type alone, or a table of options.

use toml::Spanned;
use toml::de::{DeString, DeTable, DeValue};

use crate::name::split_parts;
use crate::schema::{ColumnType, Scalar};
use crate::spec::KNOWN_FUNCTIONS;
use crate::spec::language;
use crate::spec::model::{Base, CastSpec, ColumnSpec, KeyPath, OnReject, Origin, TextRules};
use crate::spec::problem::{did_you_mean, meant};

use super::access::{Fields, Reader, Span, Value};
use super::cast::{read_options, read_type};
use super::json::json_text;

const OPTIONS: &[&str] = &language::names(&language::COLUMN);

/// What may stand beside `const`: nothing is read, so no rule of reading applies.
const BESIDE_CONST: &[&str] = &["const", "type", "time"];

const PATH_HINT: &str = "write a key, a path such as location.lat, or \"odd.key\" with the double quotes";

/// What a column takes from its target.
#[derive(Clone, Copy)]
pub(super) struct Within {
    /// What a value does that cannot be cast, where the column does not say it.
    pub(super) on_reject: OnReject,
    /// Where a path begins.
    pub(super) base: Base,
}

/// The names of what is no key.
const ID: &str = "$id";
const POSITION: &str = "$position";
const ELEMENT: &str = "$element";
const DOCUMENT: &str = "$document.";

/// Reads one column.
pub(super) fn read_column(
    reader: &mut Reader<'_>,
    key: &Spanned<DeString<'_>>,
    value: &Value<'_>,
    within: Within,
) -> Option<ColumnSpec> {
    let name = key.get_ref();
    if name.is_empty() || name.contains('\0') {
        reader.report(key.span(), format!("{name:?} is not a column name"), None);
    }
    let mut column = ColumnSpec {
        name: name.clone().into_owned(),
        position: reader.position(key.span().start),
        origin: Origin::Keys(vec![KeyPath { base: within.base, steps: vec![name.clone().into_owned()] }]),
        rules: TextRules::default(),
        cast: CastSpec::plain(ColumnType::scalar(Scalar::BigInt)),
        default: None,
        on_reject: within.on_reject,
        references: None,
    };
    match value.get_ref() {
        DeValue::String(text) if text.starts_with('$') => {
            column.origin = read_from(reader, value, within.base)?;
            if matches!(&column.origin, Origin::Keys(paths) if !paths.is_empty()) {
                let hint = format!("write {{ from = \"{text}\", type = \"…\" }}");
                reader.report(value.span(), format!("column {name:?} has no type"), hint);
            }
        }
        DeValue::String(_) => {
            let text = reader.string(value)?;
            column.cast = read_type(reader, text, value.span())?;
        }
        DeValue::Table(table) => return read_table(reader, table, key.span(), column, within.base),
        _ => return reader.mismatch("a type or a table of options", value),
    }
    Some(column)
}

/// Reads the table of options into a column that has the defaults.
fn read_table(
    reader: &mut Reader<'_>,
    table: &DeTable<'_>,
    place: Span,
    mut column: ColumnSpec,
    base: Base,
) -> Option<ColumnSpec> {
    let fields = Fields::open(reader, table, "option", OPTIONS);
    let cast = read_cast(reader, &fields, place, &column.name);
    if let Some(value) = fields.get("const") {
        for (key, _) in table.iter() {
            let option = key.get_ref().as_ref();
            if OPTIONS.contains(&option) && !BESIDE_CONST.contains(&option) {
                let hint = format!("leave out {option} or const");
                reader.report(key.span(), format!("{option} means nothing beside const"), hint);
            }
        }
        column.origin = Origin::Const(read_json(reader, "const", value, cast.as_ref())?);
        column.cast = cast?;
        return Some(column);
    }
    if let Some(origin) = fields.get("from").and_then(|value| read_from(reader, value, base)) {
        column.origin = origin;
    }
    column.rules = read_rules(reader, &fields);
    if let Some(value) = fields.get("default") {
        column.default = read_json(reader, "default", value, cast.as_ref());
    }
    if let Some(on_reject) = fields.get("on_reject").and_then(|value| read_on_reject(reader, value)) {
        column.on_reject = on_reject;
    }
    column.references = read_references(reader, &fields, cast.as_ref());
    column.cast = cast?;
    Some(column)
}

/// `references`: an entity. Whether there is one of that name is known when all files are read.
fn read_references(
    reader: &mut Reader<'_>,
    fields: &Fields<'_, '_>,
    cast: Option<&CastSpec>,
) -> Option<String> {
    let (span, value) = fields.entry("references")?;
    if let Some(cast) = cast
        && !cast.column_type.may_refer()
    {
        reader.report(
            span,
            format!("references means nothing for the type {}", cast.column_type),
            "references is for integers, text and varchar".to_owned(),
        );
    }
    reader.string(value).map(str::to_owned)
}

/// The type with its options; taken from a constant or `$id` where none is written.
fn read_cast(reader: &mut Reader<'_>, fields: &Fields<'_, '_>, place: Span, name: &str) -> Option<CastSpec> {
    let cast = match (fields.get("type"), fields.get("const"), fields.get("from")) {
        (Some(value), _, _) => reader.string(value).and_then(|text| read_type(reader, text, value.span())),
        (None, Some(value), _) => type_of(value.get_ref()).map(CastSpec::plain),
        (None, None, Some(value))
            if value.get_ref().as_str().is_some_and(|text| {
                text.starts_with('$') && text != ELEMENT && !text.starts_with(DOCUMENT)
            }) =>
        {
            Some(CastSpec::plain(ColumnType::scalar(Scalar::BigInt)))
        }
        _ => None,
    };
    if cast.is_none() && !fields.has("type") {
        reader.missing(place, format!("column {name:?} has no type"), "add type = \"…\"".to_owned());
    }
    // Beside a constant the options are refused as such.
    if fields.get("const").is_some() && fields.get("time").is_none() {
        return cast;
    }
    read_options(reader, fields, cast)
}

/// The type of a constant, where its form says it.
fn type_of(value: &DeValue<'_>) -> Option<ColumnType> {
    let scalar = match value {
        DeValue::String(_) => Scalar::Text,
        DeValue::Boolean(_) => Scalar::Boolean,
        DeValue::Integer(integer) if i64::from_str_radix(integer.as_str(), integer.radix()).is_ok() => {
            Scalar::BigInt
        }
        DeValue::Integer(_) | DeValue::Float(_) => Scalar::Numeric(None),
        DeValue::Table(_) => Scalar::Jsonb,
        DeValue::Datetime(datetime) => match (datetime.date, datetime.time, datetime.offset) {
            (Some(_), None, _) => Scalar::Date,
            (Some(_), Some(_), None) => Scalar::Timestamp,
            (Some(_), Some(_), Some(_)) => Scalar::TimestampTz,
            (None, _, _) => return None,
        },
        DeValue::Array(_) => return None,
    };
    Some(ColumnType::scalar(scalar))
}

/// A default or constant as JSON text, of a kind that the type can take.
fn read_json(
    reader: &mut Reader<'_>,
    option: &str,
    value: &Value<'_>,
    cast: Option<&CastSpec>,
) -> Option<String> {
    if let Some(cast) = cast
        && !takes(cast, value.get_ref())
    {
        return reader.mismatch(&format!("a {option} of the type {}", cast.column_type), value);
    }
    json_text(reader, value)
}

/// Whether a type can take a value of this kind at all; the cast itself decides about the content.
fn takes(cast: &CastSpec, value: &DeValue<'_>) -> bool {
    use DeValue::{Array, Boolean, Datetime, Float, Integer, String};
    if cast.column_type.array && !cast.wrap_scalar {
        return matches!(value, Array(_));
    }
    match cast.column_type.scalar {
        _ if cast.epoch_ms => matches!(value, String(_) | Integer(_) | Datetime(_)),
        Scalar::Text | Scalar::Varchar(_) | Scalar::Json | Scalar::Jsonb => true,
        _ if cast.column_type.array && matches!(value, Array(_)) => true,
        Scalar::SmallInt
        | Scalar::Integer
        | Scalar::BigInt
        | Scalar::Numeric(_)
        | Scalar::Real
        | Scalar::Double => {
            matches!(value, String(_) | Integer(_) | Float(_))
        }
        Scalar::Boolean => matches!(value, String(_) | Integer(_) | Boolean(_)),
        Scalar::Date | Scalar::Timestamp | Scalar::TimestampTz => {
            matches!(value, String(_) | Integer(_) | Datetime(_))
        }
        Scalar::Uuid => matches!(value, String(_)),
    }
}

/// `from`: `$id`, `$position`, a key or path, or a list of those.
fn read_from(reader: &mut Reader<'_>, value: &Value<'_>, base: Base) -> Option<Origin> {
    let paths = reader.strings(value)?;
    match paths.as_slice() {
        [(ID, _)] => return Some(Origin::Id),
        [(POSITION, _)] if base == Base::Element => return Some(Origin::Position),
        _ => {}
    }
    let mut keys = Vec::with_capacity(paths.len());
    for (text, span) in paths {
        if text == ID || (text == POSITION && base == Base::Element) {
            let message = format!("{text:?} stands in a list");
            reader.report(span, message, "it is never absent: write it alone".to_owned());
        } else {
            keys.extend(read_path(reader, text, span, base));
        }
    }
    Some(Origin::Keys(keys))
}

/// A key or a path, which begins at `base` where it does not say otherwise.
pub(super) fn read_path(reader: &mut Reader<'_>, text: &str, span: Span, base: Base) -> Option<KeyPath> {
    let (base, written) = match text.strip_prefix(DOCUMENT) {
        _ if text == ELEMENT && base == Base::Element => return Some(KeyPath { base, steps: Vec::new() }),
        Some(rest) if base == Base::Element => (Base::Document, rest),
        _ => (base, text),
    };
    if written.starts_with('$') {
        let known = [POSITION, ELEMENT].contains(&text) || text.starts_with(DOCUMENT);
        let hint = match (known, base) {
            (true, Base::Document) => "it is known in a target with explode".to_owned(),
            (_, Base::Document) => meant(ID),
            (_, Base::Element) => format!("write {ID}, {POSITION}, {ELEMENT} or {DOCUMENT}KEY"),
        };
        reader.report(span, format!("unknown name {text:?}"), hint);
        return None;
    }
    let steps = split_parts(written);
    if steps.is_none() {
        reader.report(span, format!("{text:?} is not a key or a path"), PATH_HINT.to_owned());
    }
    Some(KeyPath { base, steps: steps? })
}

/// The rules for the text of a value, which every type has.
fn read_rules(reader: &mut Reader<'_>, fields: &Fields<'_, '_>) -> TextRules {
    let mut rules = TextRules::default();
    if let Some(value) = fields.get("trim") {
        rules.trim = reader.boolean(value).unwrap_or_default();
    }
    if let Some(value) = fields.get("null_values") {
        rules.null_values = reader.texts(value).unwrap_or_default();
    }
    if let Some(value) = fields.get("case") {
        rules.case = reader.word("case", value, &language::CASE);
    }
    if let Some(value) = fields.get("map") {
        read_map(reader, value, &mut rules);
    }
    if let Some(value) = fields.get("lookup") {
        match reader.string(value) {
            Some("") => reader.report(value.span(), "\"lookup\" names no file", None),
            Some(path) => rules.lookup = Some(reader.folder().join(path)),
            None => {}
        }
    }
    if let Some(value) = fields.get("function")
        && let Some(name) = reader.string(value)
    {
        if !KNOWN_FUNCTIONS.contains(&name) {
            reader.report(
                value.span(),
                format!("unknown function {name:?}"),
                did_you_mean(name, KNOWN_FUNCTIONS),
            );
        }
        rules.function = Some(name.to_owned());
    }
    if let Some(value) = fields.get("allowed") {
        rules.allowed = reader.texts(value);
    }
    rules
}

fn read_map(reader: &mut Reader<'_>, value: &Value<'_>, rules: &mut TextRules) {
    let Some(table) = reader.table(value) else { return };
    if table.is_empty() {
        reader.report(value.span(), "the map is empty", None);
    }
    for (from, to) in table.iter() {
        if let Some(to) = reader.string(to) {
            rules.map.insert(from.get_ref().clone().into_owned(), to.to_owned());
        }
    }
}

/// `on_reject` of a column or a target.
pub(super) fn read_on_reject(reader: &mut Reader<'_>, value: &Value<'_>) -> Option<OnReject> {
    reader.word("on_reject", value, &language::ON_REJECT)
}
