//! The type of a column and the options that belong to some types only.

use toml::de::DeValue;

use crate::schema::{ColumnType, Scalar};
use crate::spec::language;
use crate::spec::model::{CastSpec, EpochUnit, Parse};
use crate::spec::problem::{closest, meant};

use super::access::{Fields, Reader, Span, Value};
use super::pattern;

/// The words of this language that are no types of PostgreSQL's, and what they mean.
const WORDS: &[&str] = &["epoch_ms", "reference"];

/// What people write for a type that is called otherwise here.
const SYNONYMS: &[(&str, &str)] = &[
    ("string", "text"),
    ("char", "varchar"),
    ("number", "numeric"),
    ("money", "numeric"),
    ("float", "double precision"),
    ("double", "double precision"),
    ("long", "bigint"),
    ("datetime", "timestamptz"),
    ("ref", "reference"),
    ("object", "jsonb"),
];

/// Reads a type, or one of the words `epoch_ms` and `reference`; reports what is neither.
pub(super) fn read_type(reader: &mut Reader<'_>, text: &str, span: Span) -> Option<CastSpec> {
    let bigint = CastSpec::plain(ColumnType::scalar(Scalar::BigInt));
    match text.trim().to_ascii_lowercase().as_str() {
        "epoch_ms" => return Some(CastSpec { epoch_ms: true, ..bigint }),
        "reference" => return Some(CastSpec { none: vec![0], ..bigint }),
        _ => {}
    }
    let column_type = text.parse();
    if column_type.is_err() {
        reader.report(span, format!("unknown type {text:?}"), type_hint(text));
    }
    column_type.ok().map(CastSpec::plain)
}

/// Corrects the name and keeps what stands in brackets behind it.
fn type_hint(text: &str) -> String {
    let lower = text.trim().to_ascii_lowercase();
    let (name, brackets) = lower.split_at(lower.find(['(', '[']).unwrap_or(lower.len()));
    let name = name.trim_end();
    let known = || Scalar::NAMES.iter().chain(WORDS).copied();
    let synonym = SYNONYMS.iter().find(|(written, _)| *written == name).map(|(_, right)| *right);
    if let Some(right) = synonym.or_else(|| closest(name, known()).filter(|right| *right != name)) {
        return meant(&format!("{right}{brackets}"));
    }
    format!("write one of {}; varchar(n), numeric(p,s) or T[]", known().collect::<Vec<_>>().join(", "))
}

/// Reads the options that some types have. Where the type is not known, only their values are
/// checked.
pub(super) fn read_options(
    reader: &mut Reader<'_>,
    fields: &Fields<'_, '_>,
    cast: Option<CastSpec>,
) -> Option<CastSpec> {
    let known = cast.is_some();
    let mut cast = cast.unwrap_or_else(|| CastSpec::plain(ColumnType::scalar(Scalar::Text)));
    // First, since it decides what the others mean.
    if let Some((span, value)) = fields.entry("time") {
        let epoch_ms = reader.word("time", value, &language::TIME);
        let fits = cast.column_type.scalar == Scalar::BigInt;
        refuse(reader, known && !fits, "time", span, &cast, "for bigint");
        cast.epoch_ms |= epoch_ms.is_some() && fits;
    }
    let scalar = cast.column_type.scalar;
    let integer = matches!(scalar, Scalar::SmallInt | Scalar::Integer | Scalar::BigInt);
    let fraction = matches!(scalar, Scalar::Numeric(_) | Scalar::Real | Scalar::Double);
    let number = (integer || fraction) && !cast.epoch_ms;
    let time = cast.epoch_ms || matches!(scalar, Scalar::Date | Scalar::Timestamp | Scalar::TimestampTz);

    if let Some((span, value)) = fields.entry("blank") {
        let fits = matches!(scalar, Scalar::Text | Scalar::Varchar(_));
        refuse(
            reader,
            known && !fits,
            "blank",
            span,
            &cast,
            "for text and varchar; elsewhere a blank is NULL",
        );
        cast.blank_null = reader.word("blank", value, &language::BLANK).unwrap_or_default();
    }
    if let Some((span, value)) = fields.entry("none") {
        let place = "for integers; elsewhere use \"null_values\"";
        refuse(reader, known && !integer, "none", span, &cast, place);
        cast.none = read_none(reader, value).unwrap_or_default();
    }
    if let Some((span, value)) = fields.entry("unit") {
        refuse(reader, known && !time, "unit", span, &cast, "for dates and times");
        cast.unit = reader.word("unit", value, &language::UNIT).unwrap_or(EpochUnit::Milliseconds);
    }
    if let Some((span, value)) = fields.entry("format") {
        refuse(reader, known && !time, "format", span, &cast, "for dates and times");
        cast.formats = read_formats(reader, value).unwrap_or_default();
    }
    if let Some((span, value)) = fields.entry("object") {
        refuse(reader, known && scalar != Scalar::Boolean, "object", span, &cast, "for boolean");
        cast.object_true = reader.word("object", value, &language::OBJECT).unwrap_or_default();
    }
    if let Some((span, value)) = fields.entry("scalar") {
        refuse(reader, known && !cast.column_type.array, "scalar", span, &cast, "for arrays");
        cast.wrap_scalar = reader.word("scalar", value, &language::SCALAR).unwrap_or_default();
    }
    if let Some((span, value)) = fields.entry("parse") {
        cast.parse = reader.word("parse", value, &language::PARSE);
        let (fits, option, place) = match cast.parse {
            Some(Parse::Money) => (number, "parse = \"money\"", "for numbers"),
            Some(Parse::Percent) => (number, "parse = \"percent\"", "for numbers"),
            Some(Parse::Json) => {
                (matches!(scalar, Scalar::Json | Scalar::Jsonb), "parse = \"json\"", "for json and jsonb")
            }
            None => (true, "parse", ""),
        };
        refuse(reader, known && !fits, option, span, &cast, place);
    }
    known.then_some(cast)
}

/// Reports an option that means nothing for the type.
fn refuse(reader: &mut Reader<'_>, wrong: bool, option: &str, span: Span, cast: &CastSpec, place: &str) {
    if wrong {
        let name = if cast.epoch_ms { "epoch_ms".to_owned() } else { cast.column_type.to_string() };
        reader.report(
            span,
            format!("{option} means nothing for the type {name}"),
            format!("{option} is {place}"),
        );
    }
}

fn read_none(reader: &mut Reader<'_>, value: &Value<'_>) -> Option<Vec<i64>> {
    let expected = "an integer or a list of integers";
    let items = match value.get_ref() {
        DeValue::Integer(_) => std::slice::from_ref(value),
        DeValue::Array(items) if items.is_empty() => {
            reader.report(value.span(), "the list is empty", None);
            return None;
        }
        DeValue::Array(items) => items,
        _ => return reader.mismatch(expected, value),
    };
    let mut numbers = Vec::with_capacity(items.len());
    for item in items {
        let Some(integer) = item.get_ref().as_integer() else {
            return reader.mismatch("an integer", item);
        };
        match i64::from_str_radix(integer.as_str(), integer.radix()) {
            Ok(number) if numbers.contains(&number) => {
                reader.report(item.span(), format!("{number} stands in the list twice"), None);
            }
            Ok(number) => numbers.push(number),
            Err(_) => reader.report(item.span(), "the number is out of range", None),
        }
    }
    Some(numbers)
}

fn read_formats(reader: &mut Reader<'_>, value: &Value<'_>) -> Option<Vec<String>> {
    let formats = reader.strings(value)?;
    for (format, span) in &formats {
        if let Err((message, hint)) = pattern::check(format) {
            reader.report(span.clone(), message, hint);
        }
    }
    Some(formats.into_iter().map(|(format, _)| format.to_owned()).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_misspelt_type_is_corrected_with_its_brackets() {
        for (text, right) in [
            ("txt", "text"),
            ("string[]", "text[]"),
            ("varchr(20)", "varchar(20)"),
            ("timestampz", "timestamp"),
            ("float", "double precision"),
            ("refrence", "reference"),
            ("epochms", "epoch_ms"),
        ] {
            assert_eq!(type_hint(text), meant(right), "{text}");
        }
        assert!(type_hint("varchar(0)").starts_with("write one of text, varchar,"));
        assert!(type_hint("geography").ends_with("epoch_ms, reference; varchar(n), numeric(p,s) or T[]"));
    }
}
