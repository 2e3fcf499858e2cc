//! Names that would end a statement, split at a dot, lose their capitals or be cut: as tables, columns and
//! keys of documents, from the pipeline file to the server.

use serde_json::json;

use crate::support::{Database, Pipelines, assert_adds_up, literal, stderr, stdout};

/// Every kind of name that quoting must bear.
const ODD: [&str; 12] = [
    "\"; DROP TABLE x; --",
    "'; DROP TABLE x; --",
    "a.b",
    "two  words ",
    "CamelCase",
    "select",
    "naïve",
    "😀 smile",
    "back\\slash\\",
    "tab\tand\nline",
    "100%_$1",
    "$id",
];

/// A name as SQL writes it.
fn ident(name: &str) -> String {
    format!("\"{}\"", name.replace('"', "\"\""))
}

/// A string as TOML writes it.
fn toml(text: &str) -> String {
    json!(text).to_string().replace('\u{7f}', "\\u007f")
}

/// A table in a schema of its own, both by an odd name.
fn place(index: usize, side: &str) -> (String, String) {
    let (schema, table) = (ODD[(index + 5) % ODD.len()], ODD[index % ODD.len()]);
    (format!("{side} {schema}"), table.to_owned())
}

fn create(names: &(String, String), columns: &str) -> String {
    let schema = ident(&names.0);
    format!("CREATE SCHEMA IF NOT EXISTS {schema}; CREATE TABLE {schema}.{} ({columns});", ident(&names.1))
}

#[test]
fn every_odd_name_works_as_table_and_as_column() {
    let database = Database::empty();
    database.sql("CREATE TABLE x ()");
    let mut files = Vec::new();
    let mut rows = Vec::new();
    for (index, odd) in ODD.into_iter().enumerate() {
        let (source, target) = (place(index, "source"), place(index + 1, "target"));
        let (id, document, value) = (format!("id {odd}"), format!("doc {odd}"), format!("v {odd}"));
        database.sql(&create(
            &source,
            &format!("{} integer PRIMARY KEY, {} jsonb", ident(&id), ident(&document)),
        ));
        database.sql(&create(&target, &format!("{} bigint, {} integer", ident(odd), ident(&value))));
        let (v1, v2) = (
            format!("{}.{}", ident(&source.0), ident(&source.1)),
            format!("{}.{}", ident(&target.0), ident(&target.1)),
        );
        let mut odd_document = serde_json::Map::new();
        odd_document.insert(value.clone(), json!("12"));
        database.sql(&format!(
            "INSERT INTO {v1} VALUES (1, {}), (2, '{{}}'), (3, '7');
             INSERT INTO {v2} VALUES (2, 5), (2, 6), (3, 33), (9, 99);",
            literal(&serde_json::Value::Object(odd_document).to_string())
        ));
        files.push((
            format!("odd{index:02}.toml"),
            format!(
                "entity = \"odd{index}\"\nsource = {{ table = {}, id = {}, document = {} }}\n[target.{name}]\n\
                 table = {}\nkey = {name}\n[target.{name}.columns]\n{name} = \"$id\"\n{} = \"integer\"\n",
                toml(&v1),
                toml(&id),
                toml(&document),
                toml(&v2),
                toml(&value),
                name = toml(odd),
            ),
        ));
        rows.push((odd, format!("SELECT {0}, {1} FROM {v2} ORDER BY 1", ident(odd), ident(&value))));
    }
    let files: Vec<(&str, &str)> = files.iter().map(|(name, text)| (name.as_str(), text.as_str())).collect();
    let pipelines = Pipelines::new(&files);
    let check = database.xdoflow(&["check", "--pipelines", pipelines.path()]);
    assert_eq!(check.status.code(), Some(0), "{}{}", stdout(&check), stderr(&check));
    // The row in quarantine is kept by both: it is found by the table's name.
    for (arguments, expected) in [
        (["run", "--prune"].as_slice(), [2, 1, 1, 1, 2, 0]),
        (&["run", "--mode", "replace"], [2, 1, 2, 0, 2, 0]),
    ] {
        let summary = database.json(&[arguments, &["--pipelines", pipelines.path()]].concat());
        assert_adds_up(&summary);
        for ((odd, rows), entity) in rows.iter().zip(summary["entities"].as_array().expect("entities")) {
            let target = &entity["targets"][0];
            let counts = ["loaded", "quarantined", "inserted", "updated", "deleted", "unchanged"]
                .map(|name| target[name].as_u64().expect(name));
            assert_eq!(counts, expected, "{arguments:?} {odd}");
            assert_eq!(target["name"], *odd);
            assert_eq!(database.lines(rows), ["1|12", "2|∅", "3|33"], "{arguments:?} {odd}");
        }
    }
    let status = database.json(&["status", "--pipelines", pipelines.path()]);
    let counts = status["entity_counts"].as_array().expect("counts");
    assert_eq!(counts.iter().filter(|count| count["delta"] == 0).count(), ODD.len(), "{status}");
    assert_eq!(database.value("SELECT to_regclass('x') IS NOT NULL"), "t");
}

#[test]
fn odd_keys_of_a_document_are_found_among_each_other() {
    // In the order of the server, by length and then by bytes, an escaped key stands elsewhere than its
    // text would: one is wanted between others that are not.
    let mut keys: Vec<String> = ODD.iter().map(|key| (*key).to_owned()).collect();
    keys.extend(
        ["\"", "\\", "\\\"", "\u{1}", "\u{7f}", "\u{2028}", "", " ", "é", "e\u{301}"].map(str::to_owned),
    );
    keys.extend((1..30).map(|length| "q".repeat(length)));
    keys.extend((1..30).map(|length| "\"".repeat(length) + "z"));
    let all: serde_json::Map<String, serde_json::Value> =
        keys.iter().enumerate().map(|(index, key)| (key.clone(), json!(format!("value {index}")))).collect();
    let document = serde_json::Value::Object(all).to_string();
    let database = Database::with(&[(1, &document)], "");
    // In three shares, so that each key stands beside wanted and unwanted ones.
    for share in 0..3 {
        let wanted: Vec<(usize, &String)> =
            keys.iter().enumerate().filter(|(index, key)| index % 3 == share && !key.is_empty()).collect();
        let columns: Vec<String> = wanted
            .iter()
            .map(|(index, key)| {
                let quoted = format!("\"{}\"", key.replace('"', "\"\""));
                format!("c{index} = {{ from = {}, type = \"text\" }}", toml(&quoted))
            })
            .collect();
        let table = format!("t{share}");
        let made: Vec<String> = wanted.iter().map(|(index, _)| format!("c{index} text")).collect();
        database.sql(&format!("CREATE TABLE {table} (id bigint, {})", made.join(", ")));
        let pipelines = Pipelines::new(&[(
            "keys.toml",
            &format!(
                "entity = \"keys\"\nsource = \"source\"\n[target.keys]\ntable = \"{table}\"\nkey = \"id\"\n\
                 [target.keys.columns]\nid = \"$id\"\n{}\n",
                columns.join("\n")
            ),
        )]);
        database.json(&["run", "--pipelines", pipelines.path()]);
        for (index, key) in wanted {
            let value = database.value(&format!("SELECT c{index} FROM {table}"));
            assert_eq!(value, format!("value {index}"), "{key:?}");
            assert_eq!(
                value,
                database.value(&format!("SELECT xdo->>{} FROM source", literal(key))),
                "{key:?}"
            );
        }
    }
}

#[test]
fn a_path_with_odd_parts_is_followed() {
    let database = Database::with(
        &[(1, r#"{"a.b": {"c d": {"\"e\"": "deep"}}, "a": {"b": "shallow"}}"#)],
        "CREATE TABLE person (id bigint, deep text, shallow text)",
    );
    let pipelines = Pipelines::new(&[(
        "people.toml",
        "entity = \"people\"\nsource = \"source\"\n[target.person]\ntable = \"person\"\nkey = \"id\"\n\
         [target.person.columns]\nid = \"$id\"\n\
         deep = { from = '\"a.b\".c d.\"\"\"e\"\"\"', type = \"text\" }\nshallow = { from = \"a.b\", type = \"text\" }\n",
    )]);
    database.json(&["run", "--pipelines", pipelines.path()]);
    assert_eq!(database.lines("SELECT * FROM person"), ["1|deep|shallow"]);
}

#[test]
fn names_of_full_length_are_not_cut() {
    let long = |last: &str| format!("{}{last}", "n".repeat(62));
    let database = Database::with(
        &[(1, &json!({long("a"): 1, long("b"): 2}).to_string())],
        &format!(
            "CREATE TABLE {} (id bigint, {} integer, {} integer); CREATE TABLE {} (id bigint);",
            long("a"),
            long("a"),
            long("b"),
            long("b")
        ),
    );
    let pipelines = |entity: &str| {
        Pipelines::new(&[(
            "long.toml",
            &format!(
                "entity = \"{entity}\"\nsource = \"source\"\n[target.a]\ntable = \"{a}\"\nkey = \"id\"\n\
                 [target.a.columns]\nid = \"$id\"\n{a} = \"integer\"\n{b} = \"integer\"\n\
                 [target.b]\ntable = \"{b}\"\nkey = \"id\"\n[target.b.columns]\nid = \"$id\"\n",
                a = long("a"),
                b = long("b"),
            ),
        )])
    };
    let fits = pipelines(&"e".repeat(32));
    database.json(&["run", "--pipelines", fits.path()]);
    assert_eq!(database.lines(&format!("SELECT * FROM {}", long("a"))), ["1|1|2"]);
    assert_eq!(database.lines(&format!("SELECT * FROM {}", long("b"))), ["1"]);
    // An entity's name is part of others, which the server would cut.
    let too_long = pipelines(&"e".repeat(33));
    let output = database.xdoflow(&["run", "--pipelines", too_long.path()]);
    assert_eq!(output.status.code(), Some(2));
    let text = stderr(&output);
    assert!(text.contains("long.toml:1:10: ") && text.contains("longer than 32 characters"), "{text}");
}
