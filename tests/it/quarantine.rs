//! Values and rows that cannot be loaded: what becomes of them, what is kept of them, and that no row of
//! V1 is lost from the counts.

use crate::support::{Database, Pipelines, assert_adds_up, counts, stderr, stdout};

const PIPELINE: &str = r#"
entity = "people"
source = "source"

[target.person]
table = "person"
key = "id"

[target.person.columns]
id = "$id"
"#;

const NAMES: [&str; 7] = ["loaded", "quarantined", "filtered", "inserted", "updated", "deleted", "unchanged"];

const REJECTS: &str =
    "SELECT source_id, target_table, target_column, key, raw, reason_code, whole_row FROM xdoflow.rejects
     ORDER BY source_id, target_table, target_column";

/// The pipeline with further columns of `person`.
fn pipelines(columns: &str) -> Pipelines {
    Pipelines::new(&[("people.toml", &format!("{PIPELINE}{columns}\n"))])
}

const AGES: [(i64, &str); 3] =
    [(1, r#"{"years": 30}"#), (2, r#"{"years": "old"}"#), (3, r#"{"years": 3.5}"#)];

fn ages(sql: &str) -> Database {
    Database::with(&AGES, &format!("CREATE TABLE person (id bigint PRIMARY KEY, age bigint);{sql}"))
}

fn age(on_reject: &str) -> Pipelines {
    pipelines(&format!("age = {{ from = \"years\", type = \"bigint\", on_reject = \"{on_reject}\" }}"))
}

#[test]
fn a_rejected_cell_is_null_and_its_row_is_loaded() {
    let database = ages("");
    let pipelines = age("cell");
    let summary = database.json(&["run", "--pipelines", pipelines.path()]);
    assert_eq!(counts(&summary, 0, NAMES), [3, 0, 0, 3, 0, 0, 0]);
    assert_adds_up(&summary);
    assert_eq!(summary["entities"][0]["rejects"], 2);
    assert_eq!(database.lines("SELECT * FROM person ORDER BY id"), ["1|30", "2|∅", "3|∅"]);
    assert_eq!(
        database.lines(REJECTS),
        ["2|person|age|years|\"old\"|not_a_number|f", "3|person|age|years|3.5|fraction|f"]
    );
}

#[test]
fn a_rejected_row_is_set_aside_as_a_whole() {
    let database = ages("");
    let pipelines = age("row");
    let summary = database.json(&["run", "--pipelines", pipelines.path()]);
    assert_eq!(counts(&summary, 0, NAMES), [1, 2, 0, 1, 0, 0, 0]);
    assert_adds_up(&summary);
    assert_eq!(database.lines("SELECT * FROM person"), ["1|30"]);
    assert_eq!(
        database.lines(REJECTS),
        ["2|person|age|years|\"old\"|not_a_number|t", "3|person|age|years|3.5|fraction|t"]
    );
}

#[test]
fn a_reject_that_aborts_names_the_row_and_the_reason_but_not_the_value() {
    let database = ages("INSERT INTO person VALUES (9, 9);");
    let pipelines = age("abort");
    let output = database.xdoflow(&["run", "--pipelines", pipelines.path()]);
    assert_eq!(output.status.code(), Some(1));
    let text = stderr(&output);
    assert!(
        text.contains("the row with id 2 has a value that person.age cannot take: not a number"),
        "{text}"
    );
    assert!(text.contains("key years") && text.contains("hint:") && !text.contains("old"), "{text}");
    assert_eq!(database.lines("SELECT * FROM person"), ["9|9"]);
    assert_eq!(database.value("SELECT count(*) FROM xdoflow.rejects"), "0");
    assert_eq!(database.value("SELECT state FROM xdoflow.runs"), "failed");
}

#[test]
fn where_a_column_takes_no_null_its_default_stands_in_or_the_row_is_set_aside() {
    let database = Database::with(
        &[
            (1, r#"{"name": "Ann"}"#),
            (2, r#"{"name": null, "city": "Rome"}"#),
            (3, r#"{"city": "Oslo"}"#),
            (4, r#"{"name": "Bob", "city": "Rotterdam"}"#),
            (5, r#"{"name": "Bartholomew", "city": "Oslo"}"#),
        ],
        "CREATE TABLE person (id bigint PRIMARY KEY, name varchar(5) NOT NULL, city varchar(5) NOT NULL);",
    );
    let pipelines = pipelines("name = \"varchar(5)\"\ncity = { type = \"varchar(5)\", default = \"none\" }");
    let summary = database.json(&["run", "--pipelines", pipelines.path()]);
    assert_eq!(counts(&summary, 0, NAMES), [2, 3, 0, 2, 0, 0, 0]);
    assert_adds_up(&summary);
    assert_eq!(database.lines("SELECT * FROM person ORDER BY id"), ["1|Ann|none", "4|Bob|none"]);
    assert_eq!(
        database.lines(REJECTS),
        [
            "2|person|name|name|∅|null_not_allowed|t",
            "3|person|name|name|∅|null_not_allowed|t",
            "4|person|city|city|\"Rotterdam\"|too_long|f",
            "5|person|name|name|\"Bartholomew\"|too_long|t",
        ]
    );
}

#[test]
fn a_document_that_is_no_object_is_set_aside_for_each_target() {
    let database = Database::with(
        &[(1, r#"{"name": "Ann"}"#), (2, "[1, 2]"), (3, "12"), (4, "null"), (5, "\"text\"")],
        "INSERT INTO source VALUES (6, NULL);
         CREATE TABLE person (id bigint PRIMARY KEY, name text);
         CREATE TABLE badge (person_id bigint, name text);",
    );
    let pipelines = pipelines(
        "name = \"text\"\n[target.badge]\ntable = \"badge\"\nkey = \"person_id\"\n[target.badge.columns]\n\
         person_id = \"$id\"\nname = \"text\"",
    );
    let summary = database.json(&["run", "--pipelines", pipelines.path()]);
    assert_eq!(counts(&summary, 0, NAMES), [1, 5, 0, 1, 0, 0, 0]);
    assert_eq!(counts(&summary, 1, NAMES), [1, 5, 0, 1, 0, 0, 0]);
    assert_adds_up(&summary);
    assert_eq!(summary["entities"][0]["rejects"], 10);
    let expected: Vec<String> = [(2, "[1, 2]"), (3, "12"), (4, "null"), (5, "\"text\""), (6, "∅")]
        .iter()
        .flat_map(|(id, raw)| {
            ["badge", "person"].map(|table| format!("{id}|{table}|∅|∅|{raw}|not_an_object|t"))
        })
        .collect();
    assert_eq!(database.lines(REJECTS), expected);
    assert_eq!(database.lines("SELECT * FROM badge"), ["1|Ann"]);
}

/// Row 2 is in quarantine, row 9 is gone from V1; both stand in the target.
const HELD: &str = "INSERT INTO person VALUES (1, 31), (2, 22), (9, 99);";

#[test]
fn a_prune_deletes_no_row_that_v1_has_in_quarantine() {
    let database = ages(HELD);
    let pipelines = age("row");
    let summary = database.json(&["run", "--pipelines", pipelines.path()]);
    assert_eq!(counts(&summary, 0, ["stale", "surplus", "deleted"]), [1, 0, 0]);
    let summary = database.json(&["run", "--prune", "--pipelines", pipelines.path()]);
    assert_eq!(counts(&summary, 0, NAMES), [1, 2, 0, 0, 0, 1, 1]);
    assert_adds_up(&summary);
    assert_eq!(database.lines("SELECT * FROM person ORDER BY id"), ["1|30", "2|22"]);
}

#[test]
fn a_replace_keeps_the_row_that_v1_has_in_quarantine() {
    let database = ages(HELD);
    let pipelines = age("row");
    let summary = database.json(&["run", "--mode", "replace", "--pipelines", pipelines.path()]);
    assert_eq!(counts(&summary, 0, NAMES), [1, 2, 0, 1, 0, 2, 0]);
    assert_adds_up(&summary);
    assert_eq!(database.lines("SELECT * FROM person ORDER BY id"), ["1|30", "2|22"]);
}

#[test]
fn a_row_in_quarantine_for_one_target_is_no_reason_to_keep_it_in_another() {
    let database = ages(
        "CREATE TABLE badge (person_id bigint PRIMARY KEY, name text);
         INSERT INTO person VALUES (2, 22), (9, 99); INSERT INTO badge VALUES (2, 'x'), (9, 'y');",
    );
    let pipelines = Pipelines::new(&[(
        "people.toml",
        &format!(
            "{PIPELINE}age = {{ from = \"years\", type = \"bigint\" }}\n\
             [target.badge]\ntable = \"badge\"\nkey = \"person_id\"\non_reject = \"row\"\n\
             filter = {{ from = \"years\", drop = [\"30\"] }}\n[target.badge.columns]\n\
             person_id = \"$id\"\nname = {{ from = \"years\", type = \"text\", allowed = [\"3.5\"] }}"
        ),
    )]);
    let summary = database.json(&["run", "--prune", "--pipelines", pipelines.path()]);
    assert_eq!(counts(&summary, 0, NAMES), [3, 0, 0, 2, 1, 1, 0]);
    assert_eq!(counts(&summary, 1, NAMES), [1, 1, 1, 1, 0, 1, 0]);
    assert_adds_up(&summary);
    assert_eq!(database.lines("SELECT * FROM person ORDER BY id"), ["1|30", "2|∅", "3|∅"]);
    assert_eq!(database.lines("SELECT * FROM badge ORDER BY 1"), ["2|x", "3|3.5"]);
}

/// The key is no id: which row of the target a quarantined row is, nobody knows.
const CODES: &str = r#"
entity = "codes"
source = "source"

[target.badge]
table = "badge"
key = "code"

[target.badge.columns]
code = "integer"
name = "text"
"#;

#[test]
fn nothing_is_deleted_where_a_row_in_quarantine_might_be_any_row() {
    let database = Database::with(
        &[
            (1, r#"{"code": 1, "name": "Ann"}"#),
            (2, r#"{"code": "?", "name": "Bob"}"#),
            (3, r#"{"name": "Cid"}"#),
        ],
        "CREATE TABLE badge (code integer, name text);
         INSERT INTO badge VALUES (1, 'x'), (1, 'y'), (2, 'Bob'), (9, 'Old');",
    );
    let pipelines = Pipelines::new(&[("codes.toml", CODES)]);
    let summary = database.json(&["run", "--prune", "--pipelines", pipelines.path()]);
    assert_eq!(counts(&summary, 0, NAMES), [1, 2, 0, 0, 1, 0, 0]);
    assert_eq!(counts(&summary, 0, ["stale", "surplus"]), [2, 1]);
    assert_adds_up(&summary);
    let rows = ["1|Ann", "1|Ann", "2|Bob", "9|Old"];
    assert_eq!(database.lines("SELECT * FROM badge ORDER BY 1"), rows);
    assert_eq!(
        database.lines(REJECTS),
        ["2|badge|code|code|\"?\"|not_a_number|t", "3|badge|code|code|∅|no_key|t"]
    );
    // Whoever asked for --prune is told why it did nothing, and not to ask for it.
    let text = stdout(&database.xdoflow(&["run", "--prune", "--pipelines", pipelines.path()]));
    assert!(text.contains("2 rows that V1 no longer has stay in V2: 2 badge"), "{text}");
    assert!(
        text.contains("one of the rows in quarantine") && !text.contains("\"--prune\" deletes them"),
        "{text}"
    );
    let output = database.xdoflow(&["run", "--mode", "replace", "--pipelines", pipelines.path()]);
    assert_eq!(output.status.code(), Some(1));
    let text = stderr(&output);
    assert!(text.contains("2 rows of V1 were set aside") && text.contains("--mode merge"), "{text}");
    assert_eq!(database.lines("SELECT * FROM badge ORDER BY 1"), rows);
}

const STATES: [(i64, &str); 5] = [
    (1, r#"{"state": "open"}"#),
    (2, r#"{"state": "shut"}"#),
    (3, r#"{"state": ""}"#),
    (4, "{}"),
    (5, r#"{"state": 7}"#),
];

#[test]
fn a_filter_drops_rows_on_purpose_and_counts_them() {
    for (filter, kept) in [
        (r#"keep = ["open", "7"]"#, ["1", "5"].as_slice()),
        (r#"drop = ["open", "7"]"#, &["2", "3", "4"]),
        (r#"keep = [""]"#, &["3", "4"]),
        (r#"drop = [""]"#, &["1", "2", "5"]),
        (r#"keep = ["OPEN"]"#, &[]),
    ] {
        let database = Database::with(&STATES, "CREATE TABLE person (id bigint PRIMARY KEY);");
        let text = PIPELINE.replace("key =", &format!("filter = {{ from = \"state\", {filter} }}\nkey ="));
        let pipelines = Pipelines::new(&[("people.toml", &text)]);
        let summary = database.json(&["run", "--pipelines", pipelines.path()]);
        let loaded = kept.len() as u64;
        assert_eq!(counts(&summary, 0, NAMES), [loaded, 0, 5 - loaded, loaded, 0, 0, 0], "{filter}");
        assert_adds_up(&summary);
        assert_eq!(database.lines("SELECT id FROM person ORDER BY id"), kept, "{filter}");
        assert_eq!(database.value("SELECT count(*) FROM xdoflow.rejects"), "0");
    }
}

#[test]
fn a_row_that_is_filtered_is_not_in_the_image_of_v1_and_a_prune_deletes_it() {
    let database = Database::with(
        &STATES,
        "CREATE TABLE person (id bigint PRIMARY KEY); INSERT INTO person VALUES (1), (2);",
    );
    let text = PIPELINE.replace("key =", "filter = { from = \"state\", drop = [\"shut\"] }\nkey =");
    let pipelines = Pipelines::new(&[("people.toml", &text)]);
    let summary = database.json(&["run", "--pipelines", pipelines.path()]);
    assert_eq!(counts(&summary, 0, NAMES), [4, 0, 1, 3, 0, 0, 1]);
    assert_eq!(counts(&summary, 0, ["stale"]), [1]);
    let summary = database.json(&["run", "--prune", "--pipelines", pipelines.path()]);
    assert_eq!(counts(&summary, 0, NAMES), [4, 0, 1, 0, 0, 1, 4]);
    assert_eq!(database.lines("SELECT id FROM person ORDER BY id"), ["1", "3", "4", "5"]);
}

#[test]
fn a_filter_that_keeps_nothing_does_not_empty_the_target() {
    let database = Database::with(
        &STATES,
        "CREATE TABLE person (id bigint PRIMARY KEY); INSERT INTO person VALUES (1), (2);",
    );
    let text = PIPELINE.replace("key =", "filter = { from = \"state\", keep = [\"OPEN\"] }\nkey =");
    let pipelines = Pipelines::new(&[("people.toml", &text)]);
    for arguments in [["run", "--prune"].as_slice(), &["run", "--mode", "replace"]] {
        let output = database.xdoflow(&[arguments, &["--pipelines", pipelines.path()]].concat());
        assert_eq!(output.status.code(), Some(1), "{arguments:?}");
        let text = stderr(&output);
        assert!(text.contains("the filter drops every row of V1"), "{text}");
        assert_eq!(database.lines("SELECT id FROM person ORDER BY id"), ["1", "2"]);
    }
}

#[test]
fn each_run_keeps_its_own_rejects() {
    let database = ages("");
    let (cells, rows) = (age("cell"), age("row"));
    database.json(&["run", "--pipelines", cells.path()]);
    database.sql("UPDATE source SET xdo = '{\"years\": 3}' WHERE id = 3");
    database.json(&["run", "--pipelines", rows.path()]);
    database.sql("UPDATE source SET xdo = '{\"years\": 2}' WHERE id = 2");
    database.json(&["run", "--pipelines", rows.path()]);
    assert_eq!(
        database.lines("SELECT run_id, entity, source_id, whole_row FROM xdoflow.rejects ORDER BY 1, 3"),
        ["1|people|2|f", "1|people|3|f", "2|people|2|t"]
    );
    assert_eq!(
        database.lines("SELECT run_id, rows_read, rejects FROM xdoflow.run_entities ORDER BY 1"),
        ["1|3|2", "2|3|1", "3|3|0"]
    );
    assert_eq!(
        database.lines("SELECT run_id, loaded, quarantined, inserted, updated, unchanged FROM xdoflow.run_targets ORDER BY 1"),
        ["1|3|0|3|0|0", "2|2|1|0|1|1", "3|3|0|0|1|2"]
    );
}

#[test]
fn the_quarantine_table_has_a_column_for_all_that_one_needs_to_find_a_value() {
    let database = ages("");
    let pipelines = age("cell");
    database.json(&["run", "--pipelines", pipelines.path()]);
    assert_eq!(
        database.lines(
            "SELECT column_name, data_type, is_nullable FROM information_schema.columns
             WHERE table_schema = 'xdoflow' AND table_name = 'rejects' ORDER BY ordinal_position"
        ),
        [
            "run_id|bigint|NO",
            "entity|text|NO",
            "source_id|bigint|NO",
            "target_table|text|NO",
            "target_column|text|YES",
            "key|text|YES",
            "raw|jsonb|YES",
            "reason_code|text|NO",
            "reason|text|NO",
            "whole_row|boolean|NO",
            "created_at|timestamp with time zone|NO",
            "resolved_at|timestamp with time zone|YES",
            "resolved_by|bigint|YES",
        ]
    );
    assert_eq!(
        database.lines("SELECT reason FROM xdoflow.rejects ORDER BY source_id"),
        ["not a number", "a fraction where an integer is wanted"]
    );
}
