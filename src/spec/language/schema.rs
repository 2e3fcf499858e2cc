//! The language as a JSON Schema (draft 7, which the editors' TOML extensions know).
//!
//! It says what can be said of a file by itself, key by key. It is a little narrower than the reader, which takes
//! types in any case, and it does not know what depends on two places at once: whether a key is one of the columns, or
//! a default suits its type. The reader does.

use serde_json::{Map, Value, json};

use super::{CLOSURE, COLUMN, DERIVED, FILTER, Field, Kind, PIPELINE, REJECT, SOURCE, TARGET, TEST, Types};

/// Names of types, as regular expressions: each kind of type that an option may ask for is made of these.
const TEXTS: &str = r"text|(varchar|character varying)( ?\( ?[1-9][0-9]* ?\))?";
const INTEGERS: &str = "smallint|int2|integer|int|int4|bigint|int8|reference";
const BIG_INTEGERS: &str = "bigint|int8|epoch_ms|reference";
const FRACTIONS: &str =
    r"(numeric|decimal)( ?\( ?[1-9][0-9]* ?(, ?-?[0-9]+ ?)?\))?|real|float4|double precision|float8";
const BOOLEANS: &str = "boolean|bool";
const TIMES: &str = "date|timestamp|timestamptz|timestamp with(out)? time zone|epoch_ms";
const JSONS: &str = "jsonb?";

/// The schema.
pub fn json_schema() -> Value {
    let mut schema = object(&PIPELINE);
    schema["$schema"] = json!("http://json-schema.org/draft-07/schema#");
    schema["title"] = json!("A pipeline file of xdoflow");
    schema["definitions"] = json!({
        "type": { "type": "string", "pattern": pattern(
            &[TEXTS, INTEGERS, FRACTIONS, BOOLEANS, TIMES, "uuid", JSONS], Arrays::Allowed) },
        "column": { "anyOf": [
            { "enum": ["$id", "$position"] },
            { "$ref": "#/definitions/type" },
            { "$ref": "#/definitions/options" },
        ] },
        "options": options(),
        "source": object(&SOURCE),
        "target": target(),
        "derived": object(&DERIVED),
        "closure": object(&CLOSURE),
        "filter": filter(),
        "test": object(&TEST),
        "reject": object(&REJECT),
    });
    schema
}

/// A table with these keys and no other.
fn object(fields: &[Field]) -> Value {
    let needed: Vec<&str> = fields.iter().filter(|field| field.needed).map(|field| field.name).collect();
    let mut object = json!({
        "type": "object",
        "properties": properties(fields),
        "additionalProperties": false,
    });
    if !needed.is_empty() {
        object["required"] = json!(needed);
    }
    object
}

fn properties(fields: &[Field]) -> Map<String, Value> {
    let of = |field: &Field| {
        let mut schema = kind(field.kind);
        // Beside a reference a draft 7 schema says nothing else.
        if schema.get("$ref").is_some() {
            schema = json!({ "allOf": [schema] });
        }
        schema["description"] = json!(field.meaning.replace('`', ""));
        (field.name.to_owned(), schema)
    };
    fields.iter().map(of).collect()
}

fn kind(kind: Kind) -> Value {
    let named = |definition: &str| json!({ "$ref": format!("#/definitions/{definition}") });
    let several = |one: Value| json!({ "anyOf": [one, { "type": "array", "items": one, "minItems": 1, "uniqueItems": true }] });
    let tables = |of: Value| json!({ "type": "object", "additionalProperties": of, "minProperties": 1 });
    let string = || json!({ "type": "string" });
    let name = || json!({ "type": "string", "minLength": 1 });
    match kind {
        Kind::Entity => json!({ "type": "string", "pattern": "^[a-z][a-z0-9_]{0,31}$" }),
        Kind::Table | Kind::Name | Kind::Path => name(),
        Kind::Source => json!({ "anyOf": [name(), named("source")] }),
        Kind::Text => string(),
        Kind::Boolean => json!({ "type": "boolean" }),
        Kind::Integer => json!({ "type": "integer" }),
        Kind::Integers => several(json!({ "type": "integer" })),
        Kind::Words(words) => json!({ "enum": words }),
        Kind::Texts => several(string()),
        Kind::Paths => several(name()),
        Kind::Patterns => several(json!({ "type": "string", "pattern": "YYYY" })),
        Kind::Type => named("type"),
        Kind::Json => json!({ "type": ["string", "number", "boolean", "object", "array"] }),
        Kind::Map => tables(string()),
        Kind::Closure => named("closure"),
        Kind::Filter => named("filter"),
        Kind::Columns => tables(named("column")),
        Kind::Targets => tables(named("target")),
        Kind::Derived => tables(named("derived")),
        Kind::Tests => json!({ "type": "array", "items": named("test") }),
        Kind::Rows => {
            let row = json!({
                "type": "object",
                "additionalProperties": { "anyOf": [
                    { "type": ["string", "number", "boolean"] },
                    { "type": "object", "properties": { "null": { "const": true } },
                      "required": ["null"], "additionalProperties": false },
                ] },
            });
            json!({
                "type": "object",
                "additionalProperties": { "anyOf": [row, { "type": "array", "items": row }] },
            })
        }
        Kind::Rejects => json!({ "type": "array", "items": named("reject") }),
    }
}

/// A key may be left out beside `explode` alone.
fn target() -> Value {
    let mut target = object(&TARGET);
    target["anyOf"] = json!([{ "required": ["key"] }, { "required": ["explode"] }]);
    target
}

/// One of `keep` and `drop` stands there.
fn filter() -> Value {
    let mut filter = object(&FILTER);
    filter["oneOf"] = json!([{ "required": ["keep"] }, { "required": ["drop"] }]);
    filter
}

/// The options of a column: which of them may stand beside each other, and beside which type.
fn options() -> Value {
    let mut options = object(&COLUMN);
    let mut rules = vec![json!({
        "if": { "required": ["const"] },
        "then": { "propertyNames": { "enum": ["const", "type", "time"] } },
        "else": { "anyOf": [
            { "required": ["type"] },
            { "required": ["from"], "properties": { "from": { "enum": ["$id", ["$id"], "$position", ["$position"]] } } },
        ] },
    })];
    for field in &COLUMN {
        rules.extend(of_type(field));
    }
    options["allOf"] = json!(rules);
    options
}

/// That an option stands beside a type for which it means something.
fn of_type(field: &Field) -> Vec<Value> {
    let beside = |condition: Value, types: Value| json!({ "if": condition, "then": types });
    let there = json!({ "required": [field.name] });
    let typed = |pattern: String| json!({ "properties": { "type": { "pattern": pattern } } });
    let patterns: &[&str] = match field.of {
        Types::All => return Vec::new(),
        Types::Parsed => {
            // What it asks for depends on its word.
            let said = |words: &[&str]| json!({ "required": [field.name], "properties": { (field.name): { "enum": words } } });
            return vec![
                beside(said(&["money", "percent"]), typed(pattern(&[INTEGERS, FRACTIONS], Arrays::Allowed))),
                beside(said(&["json"]), typed(pattern(&[JSONS], Arrays::Allowed))),
            ];
        }
        Types::Times => {
            // A bigint that holds milliseconds is a time, too.
            let time = json!({ "required": ["time"] });
            let either = json!({ "anyOf": [typed(pattern(&[TIMES], Arrays::Allowed)), time] });
            return vec![beside(there, either)];
        }
        Types::Arrays => {
            return vec![beside(there, typed(r"\[\]$".to_owned()))];
        }
        Types::Keys => {
            let types = typed(pattern(&[TEXTS, INTEGERS, "epoch_ms"], Arrays::Refused));
            return vec![beside(there, types)];
        }
        Types::Text => &[TEXTS],
        Types::Integers => &[INTEGERS, "epoch_ms"],
        Types::BigInt => &[BIG_INTEGERS],
        Types::Boolean => &[BOOLEANS],
    };
    vec![beside(there, typed(pattern(patterns, Arrays::Allowed)))]
}

/// Whether a pattern takes `T[]`.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Arrays {
    Allowed,
    Refused,
}

fn pattern(types: &[&str], arrays: Arrays) -> String {
    let brackets = if arrays == Arrays::Allowed { r"( ?\[\])?" } else { "" };
    format!("^({}){brackets}$", types.join("|"))
}
