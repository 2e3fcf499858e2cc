//! Past runs, as the ledger has them: listed, one as a whole, and where there is no ledger yet.

use serde_json::json;

use crate::support::{Database, Pipelines, stderr, stdout, wait_until};

const PIPELINE: &str = r#"
entity = "people"
source = "source"

[target.person]
table = "person"
key = "id"
[target.person.columns]
id = "$id"
age = "bigint"
"#;

fn people() -> (Database, Pipelines) {
    let documents = [(1, r#"{"age": "x"}"#), (2, r#"{"age": "2"}"#), (3, r#"{"age": ""}"#), (4, "[4]")];
    let database = Database::with(&documents, "CREATE TABLE person (id bigint PRIMARY KEY, age bigint);");
    (database, Pipelines::new(&[("people.toml", PIPELINE)]))
}

#[test]
fn without_a_ledger_there_is_no_run_yet() {
    let database = Database::empty();
    let output = database.xdoflow(&["history"]);
    assert_eq!((output.status.code(), stdout(&output).as_str()), (Some(0), "no run yet\n"));
    assert_eq!(database.json(&["history"]), json!({ "count": 0, "runs": [] }));
    let one = database.xdoflow(&["history", "7"]);
    assert_eq!(one.status.code(), Some(1));
    assert!(stderr(&one).starts_with("error: there is no run 7\n"), "{}", stderr(&one));
    assert_eq!(database.value("SELECT to_regclass('xdoflow.runs') IS NULL"), "t", "nothing was created");
}

#[test]
fn past_runs_are_listed_and_one_is_told_as_the_ledger_has_it() {
    let (database, pipelines) = people();
    let run = |more: &[&str]| {
        let all = [&["run", "--pipelines", pipelines.path(), "--progress", "none"], more].concat();
        database.xdoflow(&all)
    };
    assert_eq!(run(&[]).status.code(), Some(0));
    database.sql(r#"UPDATE source SET xdo = '{"age": 30}' WHERE id = 1; DELETE FROM source WHERE id = 3"#);
    assert_eq!(run(&["--prune"]).status.code(), Some(0));
    assert_eq!(run(&["--dry-run"]).status.code(), Some(0));
    assert_eq!(run(&["--max-rejects", "0"]).status.code(), Some(1));

    let history = database.json(&["history"]);
    assert_eq!(history["count"], 4);
    let seen: Vec<String> = history["runs"]
        .as_array()
        .expect("runs")
        .iter()
        .map(|run| {
            [
                "run_id",
                "state",
                "prune",
                "dry_run",
                "rows_read",
                "rejects",
                "inserted",
                "updated",
                "deleted",
                "unchanged",
                "quarantined",
            ]
            .map(|key| run[key].to_string())
            .join(" ")
        })
        .collect();
    assert_eq!(
        seen,
        [
            "4 \"failed\" false false 0 0 0 0 0 0 0",
            "3 \"done\" false true 3 1 0 0 0 2 1",
            "2 \"done\" true false 3 1 0 1 1 1 1",
            "1 \"done\" false false 4 2 3 0 0 0 1",
        ]
    );
    assert_eq!(database.json(&["history", "--limit", "1"])["runs"].as_array().map(Vec::len), Some(1));

    let first = database.json(&["history", "1"]);
    assert_eq!(first["resolved"], 1, "the second run took what the first had rejected of row 1");
    let entity = &first["details"][0];
    assert_eq!(
        (&entity["entity"], &entity["rows_read"], &entity["changed"]),
        (&json!("people"), &json!(4), &json!(false))
    );
    let target = &entity["targets"][0];
    assert_eq!(
        (&target["table"], &target["inserted"], &target["loaded"]),
        (&json!("person"), &json!(3), &json!(3))
    );
    let met: Vec<String> = entity["columns"]
        .as_array()
        .expect("columns")
        .iter()
        .map(|met| format!("{} {} {} {}", met["column"], met["rule"], met["count"], met["sample_ids"]))
        .collect();
    assert_eq!(
        met,
        [
            r#""(row)" "not_an_object" 1 [4]"#,
            r#""age" "blank_to_null" 1 [3]"#,
            r#""age" "string_to_number" 1 [2]"#,
            r#""age" "not_a_number" 1 [1]"#,
        ]
    );
    let kept = database.value("SELECT to_char(started_at AT TIME ZONE 'UTC', 'YYYY-MM-DD\"T\"HH24:MI:SS\"Z\"') FROM xdoflow.runs WHERE run_id = 1");
    assert_eq!(first["started_at"], kept.as_str());

    let failed = stdout(&database.xdoflow(&["history", "4"]));
    assert!(failed.starts_with("Run 4: failed\n") && failed.contains("left      people\n"), "{failed}");
    let message = database.value("SELECT message FROM xdoflow.runs WHERE run_id = 4");
    assert!(!message.is_empty() && failed.contains(message.lines().next().expect("a line")), "{failed}");
    let list = stdout(&database.xdoflow(&["history"]));
    assert!(list.ends_with("hint: xdoflow history 4 tells why run 4 failed\n"), "{list}");
}

#[test]
fn a_run_that_says_it_runs_while_nobody_holds_its_lock_has_died() {
    let (database, pipelines) = people();
    database.json(&["run", "--pipelines", pipelines.path()]);
    database.sql("UPDATE xdoflow.runs SET state = 'running', finished_at = NULL");
    assert_eq!(database.json(&["history"])["runs"][0]["state"], "died");
    // The lock of a run: its class and the hash of the entity's name.
    let session = database.session();
    session.sql("SELECT pg_advisory_lock(x'78646f66'::int, hashtext('people'))");
    assert_eq!(database.json(&["history"])["runs"][0]["state"], "running");
    drop(session);
    wait_until(
        &database.session(),
        "SELECT count(*) = 0 FROM pg_locks l JOIN pg_database d ON d.oid = l.database
        WHERE l.locktype = 'advisory' AND d.datname = current_database()",
    );
    assert_eq!(database.json(&["history"])["runs"][0]["state"], "died");
}

#[test]
fn a_ledger_of_the_first_version_is_read_as_it_is() {
    let (database, pipelines) = people();
    database.json(&["run", "--pipelines", pipelines.path()]);
    database.sql(
        "ALTER TABLE xdoflow.runs DROP COLUMN dry_run, DROP COLUMN resumes;
         ALTER TABLE xdoflow.run_entities DROP COLUMN changed",
    );
    let run = &database.json(&["history"])["runs"][0];
    assert_eq!(
        (&run["dry_run"], &run["resumes"], &run["inserted"]),
        (&json!(false), &json!(null), &json!(3))
    );
    assert_eq!(database.json(&["history", "1"])["details"][0]["changed"], false);
}
