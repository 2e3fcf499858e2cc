//! The table of value semantics, cell by cell. Expected payloads are written by hand or were read from a
//! PostgreSQL 15 server.

mod numbers;
mod structures;
mod texts;
mod times;

use crate::pgcopy::numeric::Decimal;
use crate::schema::ColumnType;
use crate::spec::model::{CastSpec, EpochUnit, Parse};
use crate::transform::cast::{Cast, Misfit};
use crate::transform::value::Coercion::{self, *};
use crate::transform::value::Reason::{self, *};
use crate::transform::value::Value::{self, Array, Bool, Null, Number, Object, String as Text};

/// What a cast makes of a value: the payload, or `None` for NULL, and the coercion; or the reason.
type Outcome = Result<(Option<Vec<u8>>, Option<Coercion>), Reason>;

fn type_of(name: &str) -> ColumnType {
    name.parse().expect(name)
}

fn spec_of(name: &str) -> CastSpec {
    CastSpec::plain(type_of(name))
}

fn epoch_ms() -> CastSpec {
    CastSpec { epoch_ms: true, ..spec_of("bigint") }
}

/// Casts to a column of the very type that the spec names.
fn cast(spec: &CastSpec, value: Value<'_>) -> Outcome {
    cast_into(spec, spec.column_type, value)
}

fn cast_into(spec: &CastSpec, live: ColumnType, value: Value<'_>) -> Outcome {
    let cast = Cast::compile(spec, live).expect("types that fit");
    let mut out = b"before".to_vec();
    let result = cast.encode(&value, &mut out);
    let payload = out.strip_prefix(b"before").expect("what stood there stays").to_vec();
    match result {
        Ok(cell) if cell.null => {
            assert_eq!(payload, b"", "NULL has no payload");
            Ok((None, cell.coercion))
        }
        Ok(cell) => Ok((Some(payload), cell.coercion)),
        Err(reason) => {
            assert_eq!(payload, b"", "a refusal leaves nothing behind");
            Err(reason)
        }
    }
}

fn wrote(payload: &[u8], coercion: impl Into<Option<Coercion>>) -> Outcome {
    Ok((Some(payload.to_vec()), coercion.into()))
}

const NULL: Outcome = Ok((None, None));
const BLANK: Outcome = Ok((None, Some(BlankToNull)));
const NAMED: Outcome = Ok((None, Some(NamedNull)));

#[test]
fn an_absent_value_is_null_in_every_type() {
    for name in [
        "text",
        "varchar(3)",
        "smallint",
        "integer",
        "bigint",
        "numeric",
        "numeric(5,2)",
        "real",
        "double precision",
        "boolean",
        "date",
        "timestamp",
        "timestamptz",
        "uuid",
        "json",
        "jsonb",
        "bigint[]",
        "jsonb[]",
    ] {
        assert_eq!(cast(&spec_of(name), Null), NULL, "{name}");
    }
    assert_eq!(cast(&epoch_ms(), Null), NULL);
}

#[test]
fn a_blank_string_is_null_but_in_text_and_json() {
    let blank = " \t\n\r\x0b\x0c";
    for name in [
        "smallint",
        "integer",
        "bigint",
        "numeric",
        "numeric(5,2)",
        "real",
        "double precision",
        "boolean",
        "date",
        "timestamp",
        "timestamptz",
        "uuid",
        "bigint[]",
        "text[]",
        "jsonb[]",
    ] {
        assert_eq!(cast(&spec_of(name), Text("")), BLANK, "{name}");
        assert_eq!(cast(&spec_of(name), Text(blank)), BLANK, "{name}");
    }
    assert_eq!(cast(&epoch_ms(), Text(" ")), BLANK);
    assert_eq!(cast(&spec_of("text"), Text(" ")), wrote(b" ", None));
    assert_eq!(cast(&CastSpec { blank_null: true, ..spec_of("text") }, Text(" ")), BLANK);
    assert_eq!(cast(&spec_of("jsonb"), Text(" ")), wrote(b"\x01\" \"", None));
}

#[test]
fn a_space_that_is_not_ascii_is_not_blank() {
    assert_eq!(cast(&spec_of("integer"), Text("\u{a0}")), Err(NotANumber));
}

#[test]
fn types_of_one_family_fit_and_others_are_named_in_words() {
    let compile = |spec: &str, live: &str| Cast::compile(&spec_of(spec), type_of(live)).map(drop);
    for (spec, live) in [
        ("smallint", "bigint"),
        ("bigint", "integer"),
        ("text", "varchar(5)"),
        ("varchar(5)", "text"),
        ("numeric", "numeric(5,2)"),
        ("real", "double precision"),
        ("timestamp", "timestamptz"),
        ("json", "jsonb"),
        ("integer[]", "bigint[]"),
        ("date", "date"),
        ("uuid", "uuid"),
        ("boolean", "boolean"),
    ] {
        assert_eq!(compile(spec, live), Ok(()), "{spec} {live}");
    }
    for (spec, live) in [
        ("integer", "text"),
        ("integer", "numeric"),
        ("numeric", "double precision"),
        ("date", "timestamp"),
        ("text", "json"),
        ("text", "uuid"),
        ("bigint", "bigint[]"),
        ("bigint[]", "bigint"),
        ("text[]", "bigint[]"),
    ] {
        assert_eq!(
            compile(spec, live),
            Err(Misfit(format!("type {spec} does not fit a column of type {live}")))
        );
    }
    let to_integer = Cast::compile(&epoch_ms(), type_of("integer")).expect_err("too narrow");
    assert_eq!(to_integer.to_string(), "epoch milliseconds need a bigint column, not one of type integer");
    let bad_format = CastSpec { formats: vec!["MM/DD".to_owned()], ..spec_of("date") };
    let misfit = Cast::compile(&bad_format, type_of("date")).expect_err("no year");
    assert_eq!(misfit.to_string(), "format \"MM/DD\" lacks YYYY");
}
