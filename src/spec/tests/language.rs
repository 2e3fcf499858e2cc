//! What a file means.

use std::collections::BTreeMap;
use std::path::PathBuf;

use super::*;
use crate::schema::{ColumnType, Scalar};
use crate::spec::model::*;

/// The column that stands in line 8.
fn column(text: &str) -> ColumnSpec {
    let pipeline = PipelineSpec::parse("a/b.toml", &format!("{HEAD}{text}\n"));
    pipeline.unwrap_or_else(|problems| panic!("{problems}")).targets.remove(0).columns.remove(1)
}

fn path(segments: &[&str]) -> KeyPath {
    KeyPath::of_document(segments.iter().map(|segment| (*segment).to_owned()).collect())
}

fn plain(scalar: Scalar) -> CastSpec {
    CastSpec::plain(ColumnType::scalar(scalar))
}

#[test]
fn a_file_names_its_entity_source_targets_keys_and_filters() {
    let text = "\u{feff}entity = \"daily_2\"
source = { table = \"v1.users\", id = \"nr\", document = \"doc\" }
[target.b]
table = 'public.\"odd.name\"'
key = [\"nr\", \"kind\"]
filter = { from = \"state.now\", drop = [\"x\", \"\"] }
on_reject = \"row\"
[target.b.columns]
kind = { const = \"b\" }
name = \"text\"
note = { type = \"text\", on_reject = \"abort\" }
nr = \"$id\"
[target.a]
table = \"a\"
key = \"nr\"
filter = { from = \"state\", keep = \"y\" }
columns = { nr = \"$id\" }
";
    let pipeline = PipelineSpec::parse("a/b.toml", text).expect("a pipeline");
    assert_eq!((pipeline.entity.as_str(), pipeline.file.as_str()), ("daily_2", "a/b.toml"));
    assert_eq!(pipeline.source.table.quoted(), r#""v1"."users""#);
    assert_eq!((pipeline.source.id.as_str(), pipeline.source.document.as_str()), ("nr", "doc"));
    let [b, a] = pipeline.targets.as_slice() else { panic!("two targets in the order of the file") };
    assert_eq!((b.name.as_str(), b.table.quoted().as_str()), ("b", r#""public"."odd.name""#));
    assert_eq!(b.key, [3, 0]);
    let rule = FilterRule::Drop(vec!["x".to_owned(), String::new()]);
    assert_eq!(b.filter, Some(FilterSpec { from: path(&["state", "now"]), rule }));
    let on_reject: Vec<OnReject> = b.columns.iter().map(|column| column.on_reject).collect();
    assert_eq!(on_reject[1..3], [OnReject::Row, OnReject::Abort]);
    assert_eq!((a.name.as_str(), a.key.as_slice()), ("a", [0].as_slice()));
    assert_eq!(a.filter.as_ref().expect("a filter").rule, FilterRule::Keep(vec!["y".to_owned()]));
}

#[test]
fn the_source_has_the_columns_id_and_xdo_unless_it_says_otherwise() {
    let pipeline = PipelineSpec::parse("b.toml", HEAD).expect("a pipeline");
    assert_eq!((pipeline.source.id.as_str(), pipeline.source.document.as_str()), ("id", "xdo"));
}

#[test]
fn a_column_that_is_its_key_needs_one_word() {
    assert_eq!(
        column("\"odd.name\" = \"text\""),
        ColumnSpec {
            name: "odd.name".to_owned(),
            position: Position { line: 8, column: 1 },
            origin: Origin::Keys(vec![path(&["odd.name"])]),
            rules: TextRules::default(),
            cast: plain(Scalar::Text),
            default: None,
            on_reject: OnReject::Cell,
            references: None,
        }
    );
    assert_eq!(column("c = \"$id\"").origin, Origin::Id);
    assert_eq!(column("c = \"$id\"").cast, plain(Scalar::BigInt));
}

#[test]
fn the_words_are_bigints_with_a_meaning() {
    let reference = CastSpec { none: vec![0], ..plain(Scalar::BigInt) };
    assert_eq!(column("c = \"reference\"").cast, reference);
    assert_eq!(column("c = { type = \"bigint\", none = [0] }").cast, reference);
    assert_eq!(column("c = { type = \"reference\", none = [0, -1] }").cast.none, [0, -1]);
    let epoch_ms = CastSpec { epoch_ms: true, ..plain(Scalar::BigInt) };
    assert_eq!(column("c = \"epoch_ms\"").cast, epoch_ms);
    assert_eq!(column("c = { type = \"epoch_ms\", none = 0 }").cast.none, [0]);
    assert_eq!(column("c = { type = \"bigint\", time = \"epoch_ms\" }").cast, epoch_ms);
}

#[test]
fn every_option_finds_its_place() {
    let text = "c = { from = ['a.b', '\"a.b\".c', '\"\"'], type = \"text\", trim = true, null_values = [\"null\"], case = \"title\", \
                map = { A = \"1\" }, lookup = \"../l.csv\", function = \"digits\", allowed = [\"x\"], \
                blank = \"null\", default = \"-\", on_reject = \"row\", references = \"users\" }";
    let column = column(text);
    assert_eq!(column.origin, Origin::Keys(vec![path(&["a", "b"]), path(&["a.b", "c"]), path(&[""])]));
    assert_eq!(
        column.rules,
        TextRules {
            trim: true,
            null_values: vec!["null".to_owned()],
            case: Some(Case::Title),
            map: BTreeMap::from([("A".to_owned(), "1".to_owned())]),
            lookup: Some(PathBuf::from("a/../l.csv")),
            function: Some("digits".to_owned()),
            allowed: Some(vec!["x".to_owned()]),
        }
    );
    assert_eq!(column.cast, CastSpec { blank_null: true, ..plain(Scalar::Text) });
    assert_eq!(column.default.as_deref(), Some("\"-\""));
    assert_eq!(column.on_reject, OnReject::Row);
    assert_eq!(column.references.as_deref(), Some("users"));
}

#[test]
fn the_options_of_some_types_find_their_place() {
    let formats = vec!["MM/DD/YYYY".to_owned(), "YYYYMMDD".to_owned()];
    for (text, expected) in [
        (
            "c = { type = \"date\", unit = \"s\", format = [\"MM/DD/YYYY\", \"YYYYMMDD\"] }",
            CastSpec { unit: EpochUnit::Seconds, formats, ..plain(Scalar::Date) },
        ),
        ("c = { type = \"timestamptz\", unit = \"ms\" }", plain(Scalar::TimestampTz)),
        (
            "c = { type = \"boolean\", object = \"true\" }",
            CastSpec { object_true: true, ..plain(Scalar::Boolean) },
        ),
        (
            "c = { type = \"real\", parse = \"money\" }",
            CastSpec { parse: Some(Parse::Money), ..plain(Scalar::Real) },
        ),
        (
            "c = { type = \"bigint\", parse = \"percent\" }",
            CastSpec { parse: Some(Parse::Percent), ..plain(Scalar::BigInt) },
        ),
        (
            "c = { type = \"jsonb\", parse = \"json\" }",
            CastSpec { parse: Some(Parse::Json), ..plain(Scalar::Jsonb) },
        ),
        (
            "c = { type = \"text[]\", scalar = \"wrap\", default = \"x\" }",
            CastSpec {
                wrap_scalar: true,
                ..CastSpec::plain(ColumnType { scalar: Scalar::Text, array: true })
            },
        ),
    ] {
        assert_eq!(column(text).cast, expected, "{text}");
    }
}

#[test]
fn a_constant_and_the_id_bring_their_type_along() {
    for (text, json, scalar) in [
        ("c = { const = \"x\" }", "\"x\"", Scalar::Text),
        ("c = { const = 5 }", "5", Scalar::BigInt),
        ("c = { const = 99999999999999999999 }", "99999999999999999999", Scalar::Numeric(None)),
        ("c = { const = 1.50 }", "1.50", Scalar::Numeric(None)),
        ("c = { const = true }", "true", Scalar::Boolean),
        ("c = { const = { a = [1] } }", "{\"a\":[1]}", Scalar::Jsonb),
        ("c = { const = 2025-01-15 }", "\"2025-01-15\"", Scalar::Date),
        ("c = { const = 2025-01-15T10:00:00 }", "\"2025-01-15T10:00:00\"", Scalar::Timestamp),
        ("c = { const = 2025-01-15T10:00:00Z }", "\"2025-01-15T10:00:00Z\"", Scalar::TimestampTz),
        ("c = { const = 5, type = \"text\" }", "5", Scalar::Text),
    ] {
        let column = column(text);
        assert_eq!(column.origin, Origin::Const(json.to_owned()), "{text}");
        assert_eq!(column.cast, plain(scalar), "{text}");
    }
    assert_eq!(column("c = { from = \"$id\" }").cast, plain(Scalar::BigInt));
    assert_eq!(column("c = { from = \"$id\", type = \"text\" }").cast, plain(Scalar::Text));
    assert!(column("c = { const = 0, type = \"bigint\", time = \"epoch_ms\" }").cast.epoch_ms);
}

#[test]
fn a_column_may_be_a_table_of_its_own_or_dotted_keys() {
    let inline = column("c = { type = \"text\", from = \"x\" }");
    assert_eq!(column("c.type = \"text\"\nc.from = \"x\""), inline);
    assert_eq!(column("c = {\n  type = \"text\",\n  from = \"x\",\n}"), inline);
    let own = column("[target.user.columns.c]\ntype = \"text\"\nfrom = \"x\"");
    assert_eq!((own.origin, own.cast), (inline.origin, inline.cast));
}
