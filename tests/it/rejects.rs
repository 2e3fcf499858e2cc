//! The quarantine as people use it: listed, exported, retried, resolved; and the budget before a publish.

use crate::support::{Database, Pipelines, stderr, stdout};

const PIPELINE: &str = r#"
entity = "people"
source = "source"

[target.person]
table = "person"
key = "id"

[target.person.columns]
id = "$id"
age = "bigint"
born = "date"
"#;

fn people() -> (Database, Pipelines) {
    let documents = [
        (1, r#"{"age": "x,\"y\"", "born": "2001-02-29"}"#),
        (2, r#"{"age": 1.5, "born": "2001-02-28"}"#),
        (3, r#"{"age": 3}"#),
        (4, "[4]"),
    ];
    let database =
        Database::with(&documents, "CREATE TABLE person (id bigint PRIMARY KEY, age bigint, born date);");
    (database, Pipelines::new(&[("people.toml", PIPELINE)]))
}

#[test]
fn rejects_are_summed_up_listed_and_exported() {
    let (database, pipelines) = people();
    database.json(&["run", "--pipelines", pipelines.path()]);
    let report = database.json(&["rejects"]);
    assert_eq!((report["count"].as_u64(), report["resolved"].as_u64()), (Some(4), Some(0)));
    let sums: Vec<String> = report["sums"]
        .as_array()
        .expect("sums")
        .iter()
        .map(|sum| format!("{}:{}:{}:{}", sum["column"], sum["reason_code"], sum["count"], sum["sample_ids"]))
        .collect();
    assert_eq!(
        sums,
        [
            r#""age":"fraction":1:[2]"#,
            r#""age":"not_a_number":1:[1]"#,
            r#""born":"no_such_date":1:[1]"#,
            r#"null:"not_an_object":1:[4]"#,
        ]
    );
    let fraction = database.json(&["rejects", "people", "--reason", "fraction"]);
    assert_eq!(fraction["values"][0]["raw"], "1.5");
    assert_eq!(fraction["count"], 1);
    assert_eq!(database.json(&["rejects", "--run", "99"])["count"], 0);
    let csv = stdout(&database.xdoflow(&["rejects", "--csv", "-"]));
    let mut lines = csv.lines();
    assert_eq!(
        lines.next(),
        Some(
            "run_id,entity,source_id,target_table,target_column,key,raw,reason_code,reason,created_at,resolved_at"
        )
    );
    assert!(csv.contains(r#"1,people,1,person,age,age,"""x,\""y\""""",not_a_number,not a number,"#), "{csv}");
    assert_eq!(lines.count(), 4);
    let text = stdout(&database.xdoflow(&["rejects"]));
    assert!(text.contains("person.born"), "{text}");
    assert!(text.ends_with("4 rejects, 0 accepted by a later run, 4 open\n"), "{text}");
}

#[test]
fn a_later_run_that_accepts_a_value_resolves_its_reject() {
    let (database, pipelines) = people();
    let run = ["run", "--pipelines", pipelines.path()];
    database.json(&run);
    database.sql(r#"UPDATE source SET xdo = '{"age": 2, "born": "2001-02-28"}' WHERE id = 2"#);
    database.json(&run);
    assert_eq!(
        database.lines(
            "SELECT run_id, source_id, target_column, resolved_by FROM xdoflow.rejects
             ORDER BY run_id, source_id, target_column"
        ),
        ["1|1|age|∅", "1|1|born|∅", "1|2|age|2", "1|4|∅|∅", "2|1|age|∅", "2|1|born|∅", "2|4|∅|∅"]
    );
}

#[test]
fn a_retry_reads_only_rejected_rows_and_resolves_what_the_pipeline_now_takes() {
    let (database, pipelines) = people();
    database.json(&["run", "--pipelines", pipelines.path()]);
    // Row 3 has no reject: a change of it is none of the retry's business.
    database.sql("UPDATE source SET xdo = '{\"age\": 33}' WHERE id = 3; DELETE FROM source WHERE id = 4");
    database.sql("INSERT INTO person VALUES (50, 50, NULL)");
    let mended = Pipelines::new(&[(
        "people.toml",
        &PIPELINE.replace("age = \"bigint\"", "age = { type = \"bigint\", map = { \"1.5\" = \"2\" } }"),
    )]);
    let summary = database.json(&["rejects", "retry", "people", "--pipelines", mended.path()]);
    let counts = &summary["entities"][0]["targets"][0];
    assert_eq!(summary["entities"][0]["rows_read"], 2);
    assert_eq!((counts["updated"].as_u64(), counts["unchanged"].as_u64()), (Some(1), Some(1)));
    assert_eq!((counts["deleted"].as_u64(), counts["stale"].as_u64()), (Some(0), Some(0)));
    assert_eq!(
        database.lines("SELECT * FROM person ORDER BY id"),
        ["1|∅|∅", "2|2|2001-02-28", "3|3|∅", "50|50|∅"]
    );
    assert_eq!(
        database.lines("SELECT source_id, target_column FROM xdoflow.rejects WHERE run_id = 1 AND resolved_by = 2 ORDER BY 1"),
        ["2|age", "4|∅"]
    );
    let report = database.json(&["rejects"]);
    assert_eq!((report["count"].as_u64(), report["resolved"].as_u64()), (Some(4), Some(2)));
    database.sql(r#"UPDATE source SET xdo = '{"age": 1, "born": "2001-02-28"}' WHERE id = 1"#);
    database.json(&["rejects", "retry", "--pipelines", mended.path()]);
    let again = database.xdoflow(&["rejects", "retry", "--pipelines", mended.path()]);
    assert!(stdout(&again).contains("nothing to retry"), "{}", stdout(&again));
}

#[test]
fn too_many_rejects_for_a_hundred_rows_publish_nothing() {
    let (database, pipelines) = people();
    let run = |percent| {
        database.xdoflow(&["run", "--max-reject-percent", percent, "--pipelines", pipelines.path()])
    };
    let over = run("99.9");
    assert_eq!(over.status.code(), Some(1));
    let text = stderr(&over);
    assert!(text.contains("more than 99.9 rejects for a hundred rows of people"), "{text}");
    assert!(text.contains("4 rejects in 4 rows; most frequent: 1 × "), "{text}");
    assert_eq!(database.value("SELECT count(*) FROM person"), "0");
    assert_eq!(run("100").status.code(), Some(0));
    assert_eq!(database.value("SELECT count(*) FROM person"), "3");
    assert_eq!(run("101").status.code(), Some(2));
}

#[test]
fn what_a_run_met_in_each_column_is_kept_in_the_ledger() {
    let (database, pipelines) = people();
    database.sql(r#"UPDATE source SET xdo = '{"age": " 7 "}' WHERE id IN (2, 3)"#);
    database.json(&["run", "--pipelines", pipelines.path()]);
    assert_eq!(
        database.lines(
            "SELECT target_table, target_column, rule, rejected, count, sample_ids FROM xdoflow.run_columns ORDER BY 2, 3"
        ),
        [
            "person|(row)|not_an_object|t|1|{4}",
            "person|age|not_a_number|t|1|{1}",
            "person|age|string_to_number|f|2|{2,3}",
            "person|born|no_such_date|t|1|{1}",
        ]
    );
    let verbose = stdout(&database.xdoflow(&["run", "-v", "--pipelines", pipelines.path()]));
    assert!(
        verbose.contains("person.age: 2 × string → number; 1 rejected: not a number (id 1)"),
        "{verbose}"
    );
}

#[test]
fn rejects_without_a_quarantine_say_so() {
    let database = Database::empty();
    let output = database.xdoflow(&["rejects"]);
    assert_eq!(output.status.code(), Some(1));
    assert!(stderr(&output).contains("no quarantine yet"), "{}", stderr(&output));
}
