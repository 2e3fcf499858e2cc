//! `plan`: what a run would do, exactly, without a word written to a target.

use std::process::Output;

use crate::faults::assert_nothing_left;
use crate::support::{Database, Pipelines, counts, stderr, stdout};

const PIPELINE: &str = r#"
entity = "people"
source = "source"

[target.person]
table = "person"
key = "id"

[target.person.columns]
id = "$id"
name = "text"
score = "integer"
"#;

const TARGET: &str = "CREATE TABLE person (id bigint, name text, score integer, note text);
    CREATE INDEX ON person (id);";

/// V1 holds 1 to 990, of which 50 is no document. V2 holds 1 to 1,000 but for 101 to 105; 1 to 10 have another name,
/// 8 to 30 another score, and 7, 8 and 9 stand a second time, as they should be.
fn people() -> (Database, Pipelines) {
    let database = Database::with(
        &[],
        &format!(
            "{TARGET}
             INSERT INTO source SELECT id, jsonb_build_object('name', 'n' || id, 'score', id)
             FROM generate_series(1, 990) id;
             UPDATE source SET xdo = '7' WHERE id = 50;
             INSERT INTO person SELECT id, CASE WHEN id <= 10 THEN 'old' ELSE 'n' || id END,
               CASE WHEN id BETWEEN 8 AND 30 THEN NULL ELSE id END, 'mine'
             FROM generate_series(1, 1000) id WHERE id NOT BETWEEN 101 AND 105;
             INSERT INTO person SELECT id, 'n' || id, id FROM generate_series(7, 9) id;"
        ),
    );
    (database, Pipelines::new(&[("people.toml", PIPELINE)]))
}

/// Every version of a row that the table's file holds, live or dead, and its size.
fn file(database: &Database) -> Vec<String> {
    database.sql("CREATE EXTENSION IF NOT EXISTS pageinspect");
    database.lines(
        "SELECT pg_relation_size('person'), md5(string_agg(i.lp || ' ' || i.t_xmin::text || ' ' || i.t_xmax::text, ';'
                ORDER BY b, i.lp))
         FROM generate_series(0, pg_relation_size('person') / 8192 - 1) b,
              heap_page_items(get_raw_page('person', b::int)) i WHERE i.lp_flags = 1",
    )
}

fn plan(database: &Database, pipelines: &Pipelines, arguments: &[&str]) -> Output {
    database.xdoflow(&[&["plan", "--pipelines", pipelines.path()], arguments].concat())
}

#[test]
fn a_plan_counts_exactly_what_the_run_then_does_and_writes_nothing_to_a_target() {
    let ways: [(&[&str], [u64; 5]); 7] = [
        (&[], [5, 30, 0, 10, 3]),
        (&["--prune"], [5, 30, 13, 10, 3]),
        (&["--stage-all"], [5, 30, 0, 10, 3]),
        (&["--prune", "--stage-all"], [5, 30, 13, 10, 3]),
        (&["--mode", "insert"], [5, 0, 0, 0, 0]),
        (&["--ids", "1-20,101"], [1, 20, 0, 0, 0]),
        (&["--mode", "replace"], [989, 0, 997, 0, 0]),
    ];
    for (way, expected) in ways {
        let (database, pipelines) = people();
        let before = file(&database);
        let arguments = [&["--pipelines", pipelines.path()], way].concat();
        let planned = database.json(&[&["plan"], &arguments[..]].concat());
        let names = ["inserted", "updated", "deleted", "stale", "surplus"];
        assert_eq!(counts(&planned, 0, names), expected, "{way:?}");
        assert_eq!(planned["would_stop"], 0, "{way:?}");
        assert_eq!(file(&database), before, "{way:?}");
        assert_nothing_left(&database);
        assert_eq!(database.value("SELECT count(*) FROM xdoflow.rejects"), "0");
        assert_eq!(database.lines("SELECT dry_run, state FROM xdoflow.runs"), ["t|done"]);

        let real = database.json(&[&["run"], &arguments[..]].concat());
        assert_eq!(real["entities"][0]["targets"], planned["entities"][0]["targets"], "{way:?}");
        assert_eq!(real["entities"][0]["columns"], planned["entities"][0]["columns"], "{way:?}");
    }
}

#[test]
fn a_plan_names_the_columns_that_change_and_shows_what_they_hold_and_will() {
    let (database, pipelines) = people();
    let planned = database.json(&["plan", "--prune", "--samples", "2", "--pipelines", pipelines.path()]);
    let forecast = &planned["entities"][0]["forecast"];
    let target = &forecast["targets"][0];
    assert_eq!(target["table"], "person");
    let columns = serde_json::json!([{"column": "score", "rows": 23}, {"column": "name", "rows": 10}]);
    assert_eq!(target["columns"], columns);
    let updated = serde_json::json!([
        {"key": "1", "cells": [{"column": "name", "before": "old", "after": "n1"}]},
        {"key": "2", "cells": [{"column": "name", "before": "old", "after": "n2"}]},
    ]);
    assert_eq!(target["updated"], updated);
    assert_eq!(target["inserted"], serde_json::json!(["101", "102"]));
    assert_eq!(target["stale"], serde_json::json!(["991", "992"]));

    let output = plan(&database, &pipelines, &["--prune", "-v", "--samples", "9"]);
    let text = stdout(&output);
    assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));
    for line in [
        "person.score    23",
        "person.name     10",
        "  name: \"old\" → \"n8\"",
        "  score: NULL → \"8\"",
        "5 rows to insert, 30 to update, 13 to delete",
        "nothing was written to a target",
    ] {
        assert!(text.contains(line), "{line} is not in {text}");
    }
}

#[test]
fn a_plan_tells_every_guard_that_would_stop_the_run_and_goes_on() {
    let (database, pipelines) = people();
    database.sql(
        "ALTER TABLE source DROP CONSTRAINT source_pkey; DELETE FROM source WHERE id BETWEEN 300 AND 700;
         INSERT INTO source SELECT * FROM source WHERE id = 51",
    );
    let limits = ["--prune", "--max-deletes", "40%", "--max-rejects", "0"];
    let output = plan(&database, &pipelines, &[&limits[..], &["--json"]].concat());
    assert_eq!(output.status.code(), Some(1), "{}", stderr(&output));
    let planned: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    let stops = planned["entities"][0]["forecast"]["stops"].as_array().unwrap();
    let messages: Vec<&str> = stops.iter().map(|stop| stop["message"].as_str().unwrap()).collect();
    let expected = [
        "more than 0 rejects",
        "publishing person: V1 holds the same merge key more than once",
        "411 of 998 rows of person would be deleted",
    ];
    assert_eq!(messages, expected);
    assert_eq!(planned["would_stop"], 3);
    assert_eq!(stops[1]["detail"], "id: 51 (ids 51, 51)");

    let output = plan(&database, &pipelines, &limits);
    assert_eq!(output.status.code(), Some(1));
    let text = stdout(&output);
    assert!(text.contains("would stop: people: 411 of 998 rows of person would be deleted"), "{text}");
    assert!(text.contains("if it is meant, run with --max-deletes 411"), "{text}");
    assert!(text.contains("a run would stop, with the targets as before"), "{text}");
    let run = database.xdoflow(&[&["run", "--pipelines", pipelines.path()], &limits[..]].concat());
    assert_eq!(run.status.code(), Some(1));
}

#[test]
fn a_writer_of_the_target_and_a_plan_do_not_wait_for_each_other() {
    let (database, pipelines) = people();
    let writer = database.session();
    writer.sql("BEGIN; UPDATE person SET note = 'theirs' WHERE id = 500");
    let planned = database.json(&["plan", "--prune", "--lock-timeout", "1", "--pipelines", pipelines.path()]);
    assert_eq!(counts(&planned, 0, ["inserted", "updated", "deleted"]), [5, 30, 13]);
    writer.sql("COMMIT");
    assert_eq!(database.value("SELECT note FROM person WHERE id = 500"), "theirs");
}

#[test]
fn an_empty_target_stays_empty() {
    let (database, pipelines) = people();
    database.sql("TRUNCATE person");
    let planned = database.json(&["plan", "--prune", "--pipelines", pipelines.path()]);
    assert_eq!(counts(&planned, 0, ["inserted", "updated", "deleted", "quarantined"]), [989, 0, 0, 1]);
    assert_eq!(database.value("SELECT pg_relation_size('person')"), "0");
}

#[test]
fn the_estimate_goes_by_the_run_before_that_wrote_about_as_much() {
    let (database, pipelines) = people();
    let arguments = ["plan", "--prune", "--pipelines", pipelines.path()];
    assert_eq!(database.json(&arguments)["estimate"], serde_json::Value::Null);
    let text = stdout(&plan(&database, &pipelines, &["--prune"]));
    assert!(text.contains("no run of this entity alone has come to its end yet"), "{text}");

    let first = database.json(&["run", "--prune", "--pipelines", pipelines.path()]);
    let equal = database.json(&["run", "--prune", "--pipelines", pipelines.path()]);
    assert_eq!(database.json(&arguments)["estimate"]["run_id"], equal["run_id"]);
    database.sql("UPDATE person SET score = 0 WHERE id <= 40");
    let estimate = &database.json(&arguments)["estimate"];
    assert_eq!((&estimate["run_id"], &estimate["rows_written"]), (&first["run_id"], &serde_json::json!(48)));
    let text = stdout(&plan(&database, &pipelines, &["--prune"]));
    assert!(text.contains(&format!("going by run {}, which wrote 48 rows", first["run_id"])), "{text}");
}

#[test]
fn with_changed_only_what_moved_is_planned() {
    let (database, pipelines) = people();
    database.json(&["run", "--prune", "--pipelines", pipelines.path()]);
    let arguments = ["plan", "--changed", "--prune", "--pipelines", pipelines.path()];
    let nothing = database.json(&arguments);
    assert_eq!(counts(&nothing, 0, ["inserted", "updated", "deleted", "loaded"]), [0; 4]);
    assert_eq!(nothing["entities"][0]["forecast"], serde_json::json!({"stops": [], "targets": []}));
    database.sql(
        "UPDATE source SET xdo = xdo || '{\"name\": \"new\"}' WHERE id = 20; DELETE FROM source WHERE id = 21",
    );
    // A page with dead rows may be tidied by whoever reads it.
    database.sql("VACUUM person");
    let before = file(&database);
    let planned = database.json(&arguments);
    assert_eq!(counts(&planned, 0, ["inserted", "updated", "deleted"]), [0, 1, 1]);
    let target = &planned["entities"][0]["forecast"]["targets"][0];
    assert_eq!((&target["updated"][0]["key"], &target["stale"]), (&"20".into(), &serde_json::json!(["21"])));
    assert_eq!(file(&database), before);
    // The fingerprints are those of the run: the same is found again.
    let real = database.json(&["run", "--changed", "--prune", "--pipelines", pipelines.path()]);
    assert_eq!(counts(&real, 0, ["inserted", "updated", "deleted"]), [0, 1, 1]);
}
