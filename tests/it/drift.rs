//! `drift`: keys of V1 that come, go, or change their kind, as runs meet them.

use crate::support::{Database, Pipelines, stderr, stdout};

const PIPELINE: &str = r#"
entity = "people"
source = "source"

[target.person]
table = "person"
key = "id"

[target.person.columns]
id = "$id"
name = "text"
score = "text"
"#;

/// V1 holds the ids 1 to 40: a name, a score that is a number, and a fax, which no pipeline asks for.
fn people(policy: &str) -> (Database, Pipelines) {
    let database = Database::with(
        &[],
        "CREATE TABLE person (id bigint PRIMARY KEY, name text, score text);
         INSERT INTO source SELECT id, jsonb_build_object('name', 'n' || id, 'score', id, 'fax', 'f' || id)
         FROM generate_series(1, 40) id;",
    );
    let pipelines = Pipelines::new(&[("people.toml", &format!("drift = \"{policy}\"\n{PIPELINE}"))]);
    (database, pipelines)
}

/// A new key with two kinds of values, a score that is a string or null, and no fax any more.
const MOVED: &str = "UPDATE source SET xdo = xdo - 'fax';
    UPDATE source SET xdo = xdo || '{\"tags\": [1]}' WHERE id IN (7, 30);
    UPDATE source SET xdo = xdo || '{\"tags\": \"none\"}' WHERE id = 31;
    UPDATE source SET xdo = xdo || '{\"score\": \"\"}' WHERE id BETWEEN 20 AND 24;
    UPDATE source SET xdo = xdo || '{\"score\": null}' WHERE id = 25;";

/// Change, key, kind, rows, first id.
fn told(drift: &serde_json::Value) -> Vec<String> {
    let text = |value: &serde_json::Value| value.to_string().replace('"', "");
    let line = |found: &serde_json::Value| {
        ["change", "key", "kind", "before", "count", "first_id"].map(|name| text(&found[name])).join(" ")
    };
    drift.as_array().unwrap().iter().map(line).collect()
}

const EXPECTED: [&str; 4] = [
    "new tags string [] 1 31",
    "new tags array [] 2 7",
    "kind score string [number] 5 20",
    "gone fax  [string] 0 null",
];

fn sorted(mut lines: Vec<String>) -> Vec<String> {
    lines.sort();
    lines
}

fn expected() -> Vec<String> {
    sorted(EXPECTED.map(str::to_owned).to_vec())
}

#[test]
fn what_came_went_and_changed_its_kind_is_noted_once_and_expected_when_it_was_accepted() {
    for read in ["text", "raw"] {
        let (database, pipelines) = people("warn");
        database.sql("CREATE CAST (jsonb AS bytea) WITHOUT FUNCTION");
        let arguments = ["run", "--read", read, "--pipelines", pipelines.path()];
        assert_eq!(told(&database.json(&arguments)["entities"][0]["drift"]), [""; 0]);
        assert_eq!(database.value("SELECT count(DISTINCT key) FROM xdoflow.known_keys"), "3");
        let output = database.xdoflow(&["drift"]);
        assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));
        assert_eq!(stdout(&output), "no drift: 3 keys of 1 entity are as they were accepted\n");

        database.sql(MOVED);
        // A plan and a dry run tell it, and note nothing.
        for words in [&["plan"][..], &["run", "--dry-run"]] {
            let found = database.json(&[words, &arguments[1..]].concat());
            assert_eq!(sorted(told(&found["entities"][0]["drift"])), expected(), "{read}");
        }
        assert_eq!(database.value("SELECT count(*) FROM xdoflow.drift"), "0");
        let found = database.json(&arguments);
        assert_eq!(sorted(told(&found["entities"][0]["drift"])), expected(), "{read}");
        let text = stdout(&database.xdoflow(&arguments));
        let note = "the documents of people have drifted: 1 new key, 1 key of another kind, 1 key gone";
        assert!(text.contains(note), "{text}");

        let report = database.json(&["report"]);
        assert_eq!(sorted(told(&report["drift"])), expected());
        let page = stdout(&database.xdoflow(&["report", "--html", "-"]));
        assert!(page.contains("score: string in 5 rows, where it was number (first id 20)"), "{page}");

        let output = database.xdoflow(&["drift", "people"]);
        assert_eq!(output.status.code(), Some(1), "{}", stderr(&output));
        let text = stdout(&output);
        for line in ["people  tags   new, array", "score  string, was number", "fax    gone, was string"] {
            assert!(text.contains(line), "{line} is not in {text}");
        }
        let output = database.xdoflow(&["drift", "--json"]);
        assert_eq!(output.status.code(), Some(1));
        let listed: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
        assert_eq!(sorted(told(&listed["entities"][0]["drift"])), expected());
        // Two runs have met it since.
        assert_eq!(listed["entities"][0]["drift"][0]["first_run"], found["run_id"]);
        assert_eq!(listed["entities"][0]["drift"][0]["last_run"], found["run_id"].as_i64().unwrap() + 1);

        let output = database.xdoflow(&["drift", "--accept"]);
        assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));
        assert!(stdout(&output).contains("accepted: 4 differences"), "{}", stdout(&output));
        assert_eq!(database.xdoflow(&["drift"]).status.code(), Some(0));
        assert_eq!(told(&database.json(&arguments)["entities"][0]["drift"]), [""; 0]);
        let known = "SELECT string_agg(key || ' ' || kind, ', ' ORDER BY key, kind) FROM xdoflow.known_keys";
        assert_eq!(database.value(known), "name string, score number, score string, tags array, tags string");
    }
}

#[test]
fn a_pipeline_that_takes_no_drift_stops_with_the_target_as_before_until_it_is_accepted() {
    let (database, pipelines) = people("fail");
    let arguments = ["run", "--pipelines", pipelines.path()];
    assert!(database.xdoflow(&arguments).status.success());
    database.sql(MOVED);
    let before = database.value("SELECT string_agg(p::text, ';' ORDER BY id) FROM person p");
    let planned = database.xdoflow(&["plan", "--json", "--pipelines", pipelines.path()]);
    assert_eq!(planned.status.code(), Some(1), "{}", stderr(&planned));
    let planned: serde_json::Value = serde_json::from_slice(&planned.stdout).unwrap();
    assert_eq!(
        planned["entities"][0]["forecast"]["stops"][0]["message"],
        "the documents of people have drifted"
    );

    let output = database.xdoflow(&arguments);
    assert_eq!(output.status.code(), Some(1));
    let text = stderr(&output);
    assert!(text.contains("error: the documents of people have drifted"), "{text}");
    assert!(text.contains("score: string in 5 rows, where it was number (first id 20)"), "{text}");
    assert!(text.contains("fax is gone"), "{text}");
    assert!(text.contains("xdoflow drift"), "{text}");
    assert_eq!(database.value("SELECT string_agg(p::text, ';' ORDER BY id) FROM person p"), before);

    assert_eq!(database.xdoflow(&["drift"]).status.code(), Some(1));
    assert!(database.xdoflow(&["drift", "--accept"]).status.success());
    let output = database.xdoflow(&arguments);
    assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));
    assert_eq!(database.value("SELECT score FROM person WHERE id = 20"), "");
}

#[test]
fn of_some_rows_nothing_can_be_gone_and_no_baseline_is_laid() {
    let (database, pipelines) = people("warn");
    let run = |words: &[&str]| database.json(&[&["run", "--pipelines", pipelines.path()], words].concat());
    run(&["--ids", "1-10"]);
    assert_eq!(database.value("SELECT count(*) FROM xdoflow.known_keys"), "0");
    run(&[]);
    database.sql(MOVED);
    let found = run(&["--ids", "1-22"]);
    let some = ["kind score string [number] 3 20", "new tags array [] 1 7"];
    assert_eq!(sorted(told(&found["entities"][0]["drift"])), some);
    // Of those that changed since.
    let (database, pipelines) = people("warn");
    let run = |words: &[&str]| database.json(&[&["run", "--pipelines", pipelines.path()], words].concat());
    run(&[]);
    database.sql("UPDATE source SET xdo = xdo - 'fax' || '{\"tags\": 1}' WHERE id = 3");
    let found = run(&["--changed"]);
    assert_eq!(told(&found["entities"][0]["drift"]), ["new tags number [] 1 3"]);
}

#[test]
fn keys_inside_objects_are_watched_by_their_paths_in_either_form() {
    for read in ["text", "raw"] {
        let (database, pipelines) = people("warn");
        database.sql("CREATE CAST (jsonb AS bytea) WITHOUT FUNCTION");
        database.sql("UPDATE source SET xdo = xdo || '{\"at\": {\"lat\": 1, \"a.b\": {\"c\": true}}}'");
        let arguments = ["run", "--read", read, "--pipelines", pipelines.path()];
        database.json(&arguments);
        let known = "SELECT string_agg(key || ' ' || kind, ', ' ORDER BY key, kind) FROM xdoflow.known_keys WHERE key LIKE 'at%'";
        let expected = "at object, at.\"a.b\" object, at.\"a.b\".c boolean, at.lat number";
        assert_eq!(database.value(known), expected, "{read}");
        assert_eq!(told(&database.json(&arguments)["entities"][0]["drift"]), [""; 0], "{read}");
        database.sql(
            "UPDATE source SET xdo = xdo #- '{at,a.b,c}';
             UPDATE source SET xdo = jsonb_set(xdo, '{at,lat}', '\"1\"') WHERE id IN (8, 9);
             UPDATE source SET xdo = jsonb_set(xdo, '{at,lon}', '2') WHERE id = 4",
        );
        let found = sorted(told(&database.json(&arguments)["entities"][0]["drift"]));
        let expected = [
            "gone at.\\a.b\\.c  [boolean] 0 null",
            "kind at.lat string [number] 2 8",
            "new at.lon number [] 1 4",
        ];
        assert_eq!(found, expected, "{read}");
    }
}

#[test]
fn a_key_that_comes_back_is_not_gone() {
    let (database, pipelines) = people("warn");
    let run = || database.json(&["run", "--pipelines", pipelines.path()]);
    run();
    database.sql("UPDATE source SET xdo = xdo - 'fax'");
    run();
    assert_eq!(database.xdoflow(&["drift"]).status.code(), Some(1));
    database.sql("UPDATE source SET xdo = xdo || '{\"fax\": \"f\"}' WHERE id = 5");
    run();
    assert_eq!(database.xdoflow(&["drift"]).status.code(), Some(0));
}

#[test]
fn where_drift_is_ignored_no_key_is_counted_and_an_entity_that_is_unknown_is_refused() {
    let (database, pipelines) = people("ignore");
    database.json(&["run", "--pipelines", pipelines.path()]);
    assert_eq!(database.value("SELECT count(*) FROM xdoflow.known_keys"), "0");
    let output = database.xdoflow(&["drift"]);
    assert_eq!(output.status.code(), Some(0));
    assert!(stdout(&output).starts_with("no run has noted the keys of an entity yet"), "{}", stdout(&output));
    let output = database.xdoflow(&["drift", "people"]);
    assert_eq!(output.status.code(), Some(2));
    assert!(stderr(&output).contains("no run has noted the keys of \"people\""), "{}", stderr(&output));
    let output = Database::empty().xdoflow(&["drift"]);
    assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));
}
