//! What each publish mode does to a target, with rows that are written down by hand.

use crate::support::{Database, Pipelines, stderr};

const PIPELINE: &str = r#"
entity = "people"
source = "source"

[target.person]
table = "person"
key = "id"

[target.person.columns]
id = "$id"
name = "text"
age = "bigint"
"#;

const TARGET: &str =
    "CREATE TABLE person (id bigint PRIMARY KEY, name text, age bigint, note text DEFAULT 'new');";

const DOCUMENTS: [(i64, &str); 4] = [
    (1, r#"{"name": "Ann", "age": 30}"#),
    (2, r#"{"name": "Bob", "age": "31"}"#),
    (3, r#"{"name": "Cid", "age": ""}"#),
    (4, r#"{"name": "Dee", "age": "old"}"#),
];

/// Equal, out of date, missing (3), gone from V1 (9).
const BEFORE: &str =
    "INSERT INTO person VALUES (1, 'Ann', 30, 'mine'), (2, 'Rob', 31, 'mine'), (4, 'Dee', NULL, NULL),
                      (9, 'Old', 99, 'mine');";

fn people() -> (Database, Pipelines) {
    (Database::with(&DOCUMENTS, &format!("{TARGET}{BEFORE}")), Pipelines::new(&[("people.toml", PIPELINE)]))
}

fn counts(summary: &serde_json::Value) -> [u64; 8] {
    let target = &summary["entities"][0]["targets"][0];
    ["inserted", "updated", "deleted", "unchanged", "quarantined", "filtered", "surplus", "stale"]
        .map(|name| target[name].as_u64().expect(name))
}

#[test]
fn a_merge_inserts_updates_and_leaves_equal_rows_and_other_columns_alone() {
    let (database, pipelines) = people();
    let before = database.value("SELECT xmin::text || ctid::text FROM person WHERE id = 1");
    let summary = database.json(&["run", "--pipelines", pipelines.path()]);
    assert_eq!(counts(&summary), [1, 1, 0, 2, 0, 0, 0, 1]);
    assert_eq!(
        database.lines("SELECT * FROM person ORDER BY id"),
        ["1|Ann|30|mine", "2|Bob|31|mine", "3|Cid|∅|new", "4|Dee|∅|∅", "9|Old|99|mine"]
    );
    assert_eq!(database.value("SELECT xmin::text || ctid::text FROM person WHERE id = 1"), before);
    assert_eq!(
        database.lines(
            "SELECT source_id, target_table, target_column, key, raw, reason_code FROM xdoflow.rejects"
        ),
        ["4|person|age|age|\"old\"|not_a_number"]
    );
}

#[test]
fn a_merge_with_prune_also_deletes_what_v1_no_longer_has() {
    let (database, pipelines) = people();
    let summary = database.json(&["run", "people", "--prune", "--pipelines", pipelines.path()]);
    assert_eq!(counts(&summary), [1, 1, 1, 2, 0, 0, 0, 1]);
    assert_eq!(database.lines("SELECT id FROM person ORDER BY id"), ["1", "2", "3", "4"]);
}

#[test]
fn a_replace_makes_the_target_the_image_of_v1_and_other_columns_take_their_defaults() {
    let (database, pipelines) = people();
    let summary = database.json(&["run", "--mode", "replace", "--pipelines", pipelines.path()]);
    assert_eq!(counts(&summary), [4, 0, 4, 0, 0, 0, 0, 0]);
    assert_eq!(
        database.lines("SELECT * FROM person ORDER BY id"),
        ["1|Ann|30|new", "2|Bob|31|new", "3|Cid|∅|new", "4|Dee|∅|new"]
    );
}

#[test]
fn an_insert_adds_only_what_is_missing() {
    let (database, pipelines) = people();
    let summary = database.json(&["run", "--mode", "insert", "--pipelines", pipelines.path()]);
    assert_eq!(counts(&summary), [1, 0, 0, 3, 0, 0, 0, 0]);
    assert_eq!(
        database.lines("SELECT * FROM person ORDER BY id"),
        ["1|Ann|30|mine", "2|Rob|31|mine", "3|Cid|∅|new", "4|Dee|∅|∅", "9|Old|99|mine"]
    );
}

#[test]
fn prune_with_another_mode_than_merge_is_wrong_usage() {
    let (database, pipelines) = people();
    let output = database.xdoflow(&["run", "--mode", "insert", "--prune", "--pipelines", pipelines.path()]);
    assert_eq!(output.status.code(), Some(2));
    assert!(stderr(&output).contains("--prune has no meaning with --mode insert"));
}
