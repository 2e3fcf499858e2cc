//! Documents as hostile as jsonb allows: what arrives is what the server itself says that the key holds,
//! `xdo ->> 'key'` in a text column and `xdo -> 'key'` in a jsonb column.

use std::fmt::Write as _;

use crate::support::{Database, Pipelines, literal};

/// Wanted keys; each feeds a text column `t…` and a jsonb column `j…`.
const KEYS: [&str; 12] = [
    "plain",
    "",
    "\"",
    "quo\"te",
    "back\\slash",
    "\\u0061",
    "new\nline",
    "tab\t\u{1}",
    "a.b",
    "é",
    "ключ",
    "😀",
];

/// The place of "plain" among them.
const PLAIN: usize = 0;

fn pipeline() -> String {
    let mut text = "entity = \"odd\"\nsource = \"source\"\n[target.odd]\ntable = \"odd\"\nkey = \"id\"\n\
                    [target.odd.columns]\nid = \"$id\"\nnumber = \"numeric\"\n\
                    inner = { from = \"outer.plain\", type = \"text\" }\n"
        .to_owned();
    for (index, key) in KEYS.iter().enumerate() {
        // A path with the key in double quotes, as a TOML string, which escapes as JSON does.
        let path = serde_json::Value::from(format!("\"{}\"", key.replace('"', "\"\"")));
        writeln!(text, "t{index} = {{ from = {path}, type = \"text\" }}").expect("a string takes text");
        writeln!(text, "j{index} = {{ from = {path}, type = \"jsonb\" }}").expect("a string takes text");
    }
    text
}

/// Loads documents, each an SQL expression, with ids from 1. No document of the kind may differ by a
/// byte in what arrives.
fn load(documents: &[String]) -> Database {
    let database = Database::empty();
    let columns: Vec<String> =
        (0..KEYS.len()).map(|index| format!("t{index} text, j{index} jsonb")).collect();
    database.sql(&format!(
        "CREATE TABLE source (id bigint PRIMARY KEY, xdo jsonb);
         CREATE TABLE odd (id bigint PRIMARY KEY, number numeric, inner_text text, {});
         ALTER TABLE odd RENAME inner_text TO \"inner\"",
        columns.join(", ")
    ));
    for (index, document) in documents.iter().enumerate() {
        database.sql(&format!("INSERT INTO source SELECT {}, ({document})::jsonb", index + 1));
    }
    let pipelines = Pipelines::new(&[("odd.toml", &pipeline())]);
    let summary = database.json(&["run", "--pipelines", pipelines.path()]);
    assert_eq!(summary["entities"][0]["rows_read"], documents.len(), "{summary}");

    let compare = |found: &str, expected: &str| {
        let differences = database.lines(&format!(
            "SELECT id, length({found}), length({expected}), left({found}, 60), left({expected}, 60)
             FROM source JOIN odd USING (id) WHERE {found} IS DISTINCT FROM {expected} ORDER BY id"
        ));
        assert_eq!(differences, [] as [&str; 0], "{found} is not {expected}");
    };
    for (index, key) in KEYS.iter().enumerate() {
        let key = literal(key);
        compare(&format!("t{index}"), &format!("(xdo ->> {key})"));
        compare(&format!("j{index}::text"), &format!("nullif(xdo -> {key}, 'null')::text"));
    }
    compare("number::text", "(xdo ->> 'number')");
    compare("\"inner\"", "(xdo #>> '{outer,plain}')");
    database
}

fn rows(database: &Database) -> usize {
    database.value("SELECT count(*) FROM odd").parse().expect("a number")
}

#[test]
fn what_is_no_object_is_quarantined_whole_with_its_value() {
    let documents = [
        "NULL",
        "'1.10'",
        "'\"{}\"'",
        "'true'",
        "'null'",
        "'[]'",
        "'[{\"plain\": 1}]'",
        "'{}'",
        "repeat('[', 5000) || repeat(']', 5000)",
    ];
    let database = load(&documents.map(str::to_owned));
    assert_eq!(database.lines("SELECT id FROM odd"), ["8"]);
    assert_eq!(
        database.lines(
            "SELECT source_id, left(raw::text, 20), reason_code, whole_row FROM xdoflow.rejects ORDER BY source_id"
        ),
        [
            "1|∅|not_an_object|t",
            "2|1.10|not_an_object|t",
            "3|\"{}\"|not_an_object|t",
            "4|true|not_an_object|t",
            "5|null|not_an_object|t",
            "6|[]|not_an_object|t",
            "7|[{\"plain\": 1}]|not_an_object|t",
            "9|[[[[[[[[[[[[[[[[[[[[|not_an_object|t",
        ]
    );
}

#[test]
fn nesting_five_thousand_deep_arrives_whole_wherever_it_stands() {
    let lists = format!("{}{}", "[".repeat(5000), "]".repeat(5000));
    let objects = format!("{}1{}", "{\"plain\": ".repeat(5000), "}".repeat(5000));
    let documents: Vec<String> = [&lists, &objects]
        .iter()
        .flat_map(|deep| {
            [
                format!("{{\"plain\": {deep}}}"),
                format!("{{\"a\": {deep}, \"plain\": \"between\", \"z after it\": {deep}}}"),
                format!(
                    "{{\"outer\": {{\"before\": {deep}, \"plain\": {deep}}}, \"😀\": {deep}, \"\": {deep}}}"
                ),
            ]
        })
        .map(|document| literal(&document))
        .collect();
    let database = load(&documents);
    assert_eq!(rows(&database), documents.len());
    assert_eq!(database.value("SELECT max(length(t0)) FROM odd"), objects.len().to_string());
}

#[test]
fn a_string_of_fifty_megabytes_and_ten_thousand_keys_arrive_whole() {
    // Quotes, backslashes and a line break are escaped in the document and not in the text.
    let documents = [
        "jsonb_build_object('plain', repeat(E'\"\\\\\\n😀é abcdefghijkl', 50 * 1024 * 1024 / 22), 'é', 'behind')",
        "jsonb_build_object('unwanted', repeat('x', 50 * 1024 * 1024), 'plain', 'beside')",
        "SELECT jsonb_object_agg('key' || n, n) || '{\"plain\": \"needle\", \"\": 1.10}' FROM generate_series(1, 10000) n",
        "SELECT jsonb_build_object('plain', jsonb_object_agg(n, 'plain')) FROM generate_series(1, 10000) n",
    ];
    let database = load(&documents.map(str::to_owned));
    assert_eq!(rows(&database), documents.len());
    assert_eq!(
        database.value("SELECT octet_length(t0) > 50000000 AND t9 = 'behind' FROM odd WHERE id = 1"),
        "t"
    );
}

#[test]
fn odd_keys_are_found_where_they_are_wanted_and_passed_over_where_not() {
    let wanted: Vec<String> =
        KEYS.iter().map(|key| format!("{}, {}", literal(key), literal(&format!("<{key}>")))).collect();
    let unwanted: Vec<String> = KEYS
        .iter()
        .map(|key| format!("{}, {}", literal(&format!("{key}\"x")), literal(&format!("\\{key}"))))
        .collect();
    let documents = [
        format!("jsonb_build_object({})", wanted.join(", ")),
        format!("jsonb_build_object({})", unwanted.join(", ")),
        format!("jsonb_build_object({}, {})", unwanted.join(", "), wanted.join(", ")),
        format!("jsonb_build_object({}, 'plain', 'x')", unwanted.join(", ")),
        // The same key further down is another one, and two keys may differ by an escape alone.
        literal(r#"{"outer": {"plain": "inner", "": 1}, "list": [{"plain": 2}], "x": "\"plain\": 3"}"#),
        literal(r#"{"outer": {"😀": 1}, "a": {"b": 1}, "": {"": 2}}"#),
        literal(r#"{"\\u0061": 1, "a": 2, "\"": "\\\"", "b": "}, \"plain\": 1"}"#),
    ];
    let database = load(&documents);
    assert_eq!(rows(&database), documents.len());
    let counts: Vec<String> = (0..KEYS.len()).map(|index| format!("count(t{index})")).collect();
    assert_eq!(
        database.lines(&format!("SELECT {} FROM odd WHERE id IN (1, 2, 3)", counts.join(", "))),
        [["2"; KEYS.len()].join("|")]
    );
    assert_eq!(database.lines(&format!("SELECT t{PLAIN}, \"inner\" FROM odd WHERE id = 5")), ["∅|inner"]);
}

#[test]
fn numbers_and_escapes_arrive_as_the_server_prints_them() {
    let long = "1234567890".repeat(40);
    let numbers = [
        long.clone(),
        format!("-{long}"),
        format!("{long}.{long}0"),
        "123456789012345678901234567890.123456789012345678901234567890".to_owned(),
        "0.000000000000000000000000000010".to_owned(),
        "1.10".to_owned(),
        "100".to_owned(),
        "-0".to_owned(),
        "-0.00".to_owned(),
        "1e5".to_owned(),
        "1.50E-7".to_owned(),
        "1e131071".to_owned(),
        "1e-16383".to_owned(),
        "9".repeat(131_072),
    ];
    let values = numbers.into_iter().chain(
        [
            "true",
            "null",
            "\"\"",
            "\" \"",
            "{}",
            "[]",
            r#""\u0001\u001f\u007f \" \\ \/ \b\f\n\r\t \u2028\ud83d\ude00é\\u0061\\""#,
            r#"["\u0001\"\\", {"\\": "\"", "😀": 1.10, "b": null}]"#,
        ]
        .map(str::to_owned),
    );
    let documents: Vec<String> = values
        .map(|value| {
            let number =
                if value.starts_with(|c: char| c.is_ascii_digit() || c == '-') { &value } else { "null" };
            literal(&format!(
                "{{\"plain\": {value}, \"number\": {number}, \"outer\": {{\"plain\": {value}}}}}"
            ))
        })
        .collect();
    let database = load(&documents);
    assert_eq!(rows(&database), documents.len());
    assert_eq!(
        database.lines("SELECT t0, number FROM odd WHERE id IN (6, 8) ORDER BY id"),
        ["1.10|1.10", "0|0"]
    );
}
