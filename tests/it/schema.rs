//! The JSON Schema of the pipeline files: it takes what the reader takes, and refuses what it refuses.

use serde_json::Value;
use xdoflow::spec::PipelineSpec;

use crate::support::{program, stderr, stdout};

fn validator() -> jsonschema::Validator {
    let output = program().arg("schema").output().expect("the program runs");
    assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));
    let schema: Value = serde_json::from_str(&stdout(&output)).expect("JSON");
    jsonschema::draft7::meta::validate(&schema).expect("a schema of draft 7");
    jsonschema::draft7::new(&schema).expect("a schema")
}

/// A TOML document as editors hand it to a validator: dates are strings.
fn json(text: &str) -> Value {
    fn of(value: toml::Value) -> Value {
        match value {
            toml::Value::String(text) => text.into(),
            toml::Value::Integer(number) => number.into(),
            toml::Value::Float(number) => number.into(),
            toml::Value::Boolean(value) => value.into(),
            toml::Value::Datetime(time) => time.to_string().into(),
            toml::Value::Array(items) => items.into_iter().map(of).collect(),
            toml::Value::Table(table) => table.into_iter().map(|(key, value)| (key, of(value))).collect(),
        }
    }
    of(toml::Value::Table(text.parse().unwrap_or_else(|error| panic!("{error}\n{text}"))))
}

const HEAD: &str = "entity = \"people\"\nsource = \"v1\"\n[target.person]\ntable = \"person\"\nkey = \"id\"\n\
                    [target.person.columns]\nid = \"$id\"\n";

#[test]
fn every_pipeline_that_ships_fits_the_schema() {
    let validator = validator();
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/pipelines");
    let mut seen = 0;
    for entry in std::fs::read_dir(folder).expect("pipelines") {
        let path = entry.expect("an entry").path();
        if path.extension().is_some_and(|extension| extension == "toml") {
            let text = std::fs::read_to_string(&path).expect("a file");
            let told: Vec<String> =
                validator.iter_errors(&json(&text)).map(|e| format!("{} {e}", e.instance_path())).collect();
            assert!(told.is_empty(), "{}: {told:?}", path.display());
            seen += 1;
        }
    }
    assert_eq!(seen, 5);
}

#[test]
fn what_the_language_has_is_taken_by_the_reader_and_by_the_schema() {
    let validator = validator();
    for column in [
        "c = \"text\"",
        "c = \"numeric(12, 2)\"",
        "c = \"varchar(20)[]\"",
        "c = \"timestamp with time zone\"",
        "c = { type = \"text\", from = [\"a\", \"b.c\"], trim = true, case = \"upper\", allowed = [\"A\"] }",
        "c = { const = 5 }",
        "c = { const = 2025-01-15, type = \"date\" }",
        "c = { const = 0, type = \"bigint\", time = \"epoch_ms\" }",
        "c = { from = \"$id\" }",
        "c = { type = \"bigint\", time = \"epoch_ms\", unit = \"s\", format = [\"MM/DD/YYYY\"] }",
        "c = { type = \"epoch_ms\", default = 0 }",
        "c = { type = \"reference\", references = \"people\" }",
        "c = { type = \"numeric\", parse = \"money\", on_reject = \"row\" }",
        "c = { type = \"jsonb\", parse = \"json\", default = { a = [1] } }",
        "c = { type = \"text\", blank = \"null\", null_values = \"N/A\", map = { a = \"b\" } }",
        "c = { type = \"boolean\", object = \"true\" }",
        "c = { type = \"bigint[]\", scalar = \"wrap\", none = [0, 1] }",
        "c = { type = \"text\", function = \"digits\" }",
        "c = \"text\"\n[target.person.filter]\nfrom = \"status\"\ndrop = [\"TEST\"]",
        "c = \"date\"\n[[test]]\nname = \"a\"\ndocument = '{\"c\": \"x\"}'\nrows.person = { c.null = true }\n\
         rejects = [{ target = \"person\", column = \"c\", reason = \"not_a_time\" }]",
        "c = \"date\"\n[[test]]\nname = \"a\"\nid = 7\ndocument = '{\"c\": \"2025-01-15\"}'\nrows.person = { id = 7, c = 2025-01-15 }",
        "c = \"bigint\"\n[derived.chain]\ntable = \"chain\"\nkey = [\"above\", \"below\"]\n\
         closure = { parent = \"p\", child = \"c\" }\n[derived.chain.columns]\n\
         above = { from = \"ancestor\", type = \"bigint\" }\nbelow = { from = \"descendant\", type = \"bigint\" }",
    ] {
        let text = format!("{HEAD}{column}\n");
        assert!(
            PipelineSpec::parse("a.toml", &text).is_ok(),
            "{column}: {:?}",
            PipelineSpec::parse("a.toml", &text)
        );
        let told: Vec<String> =
            validator.iter_errors(&json(&text)).map(|e| format!("{} {e}", e.instance_path())).collect();
        assert!(told.is_empty(), "{column}: {told:?}");
    }
    let long = HEAD.replace("\"v1\"", "{ table = \"public.v1\", id = \"n\", document = \"doc\" }");
    assert!(validator.is_valid(&json(&long)) && PipelineSpec::parse("a.toml", &long).is_ok());
}

#[test]
fn what_is_wrong_is_refused_by_the_reader_and_by_the_schema() {
    let validator = validator();
    let mut wrong: Vec<String> = [
        "c = 5",
        "c = \"txt\"",
        "c = \"$row\"",
        "c = \"varchar(0)\"",
        "c = { }",
        "c = { from = \"x\" }",
        "c = { type = \"text\", trm = true }",
        "c = { type = \"text\", trim = 1 }",
        "c = { type = \"text\", case = \"camel\" }",
        "c = { type = \"text\", from = [] }",
        "c = { type = \"text\", from = [\"a\", \"a\"] }",
        "c = { type = \"text\", map = \"x\" }",
        "c = { type = \"text\", map = {} }",
        "c = { type = \"text\", lookup = \"\" }",
        "c = { type = \"text\", function = \"digit\" }",
        "c = { type = \"text\", none = [0] }",
        "c = { type = \"integer\", time = \"epoch_ms\" }",
        "c = { type = \"bigint\", blank = \"null\" }",
        "c = { type = \"reference\", unit = \"s\" }",
        "c = { type = \"text\", format = \"YYYYMMDD\" }",
        "c = { type = \"date\", format = \"MM/DD\" }",
        "c = { type = \"text\", object = \"true\" }",
        "c = { type = \"boolean\", object = true }",
        "c = { type = \"bigint[]\", references = \"people\" }",
        "c = { type = \"date\", references = \"people\" }",
        "c = { type = \"text\", scalar = \"wrap\" }",
        "c = { type = \"varchar(3)\", parse = \"money\" }",
        "c = { type = \"epoch_ms\", parse = \"percent\" }",
        "c = { type = \"text\", parse = \"json\" }",
        "c = { const = 1, default = 2 }",
        "c = { type = \"text\", on_reject = \"rows\" }",
        "c = \"text\"\n[target.person.filter]\nfrom = \"status\"",
        "c = \"text\"\n[target.person.filter]\nfrom = \"status\"\nkeep = [\"A\"]\ndrop = [\"B\"]",
        "c = \"text\"\n[[test]]\nname = \"a\"",
        "c = \"text\"\n[[test]]\nname = \"a\"\ndocument = '{}'\nrows.person = { c.null = false }",
        "c = \"text\"\n[[test]]\nname = \"a\"\ndocument = '{}'\nrejects = [{ target = \"person\", reason = \"because\" }]",
        "c = \"text\"\n[derived.chain]\ntable = \"chain\"\nkey = \"c\"\n[derived.chain.columns]\nc = \"bigint\"",
        "c = \"text\"\n[targets.other]\ntable = \"x\"",
    ]
    .iter()
    .map(|column| format!("{HEAD}{column}\n"))
    .collect();
    for (right, instead) in [
        ("entity = \"people\"\n", ""),
        ("source = \"v1\"\n", ""),
        ("source = \"v1\"", "source = { id = \"id\" }"),
        ("source = \"v1\"", "source = { table = \"v1\", key = \"id\" }"),
        ("\"people\"", "\"People\""),
        ("\"people\"", "\"a_name_of_more_than_thirty_two_characters\""),
        ("table = \"person\"\n", ""),
        ("key = \"id\"\n", ""),
        ("key = \"id\"\n", "key = []\n"),
        ("id = \"$id\"\n", ""),
    ] {
        assert!(HEAD.contains(right), "{right}");
        wrong.push(HEAD.replacen(right, instead, 1));
    }
    for text in &wrong {
        assert!(PipelineSpec::parse("a.toml", text).is_err(), "the reader takes {text}");
        assert!(!validator.is_valid(&json(text)), "the schema takes {text}");
    }
}

#[test]
fn the_reference_is_printed_as_it_stands_in_the_docs() {
    let output = program().args(["schema", "--markdown"]).output().expect("the program runs");
    let page = std::fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/docs/pipeline-reference.md"));
    assert_eq!(stdout(&output), page.expect("the page"));
}
