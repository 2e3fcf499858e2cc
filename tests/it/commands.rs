//! What the commands print, for people and for programs, and with which code they end.

use std::collections::BTreeMap;
use std::io::pipe;
use std::process::Stdio;

use serde_json::{Value, json};

use crate::support::{Database, Pipelines, program, stderr, stdout};

fn keys(value: &Value) -> Vec<&str> {
    value.as_object().expect("an object").keys().map(String::as_str).collect()
}

fn array<'a>(value: &'a Value, key: &str) -> &'a Vec<Value> {
    value[key].as_array().expect(key)
}

#[test]
fn run_json_is_one_object_of_the_promised_shape() {
    let database = Database::workspace();
    let output = database.xdoflow(&["run", "--json"]);
    assert_eq!(output.status.code(), Some(0));
    let run: Value = serde_json::from_slice(&output.stdout).expect("nothing but one JSON object");
    for key in ["run_id", "mode", "elapsed_ms", "entities"] {
        assert!(keys(&run).contains(&key), "{key}");
    }
    assert_eq!((&run["run_id"], &run["mode"]), (&json!(1), &json!("merge")));
    assert!(run["elapsed_ms"].as_u64().is_some_and(|elapsed| elapsed > 0));
    assert_eq!(array(&run, "entities").len(), 5);
    let mut tables = 0;
    for entity in array(&run, "entities") {
        for key in ["rows_read", "rejects", "elapsed_ms"] {
            assert!(entity[key].is_u64(), "{key} of {entity}");
        }
        assert!(entity["entity"].is_string());
        for target in array(entity, "targets") {
            tables += 1;
            assert!(target["table"].is_string() && target["name"].is_string());
            for key in ["inserted", "updated", "deleted", "unchanged", "quarantined", "filtered"] {
                assert!(target[key].is_u64(), "{key} of {target}");
            }
        }
    }
    assert_eq!(tables, 14);
    // The rejects are told as they are kept.
    let told: u64 = array(&run, "entities").iter().filter_map(|entity| entity["rejects"].as_u64()).sum();
    assert_eq!(database.value("SELECT count(*) FROM xdoflow.rejects"), told.to_string());
    assert!(told > 0, "the generated V1 holds values that cannot be cast");
    for (mode, name) in [("replace", "replace"), ("insert", "insert")] {
        assert_eq!(database.json(&["run", "users", "--mode", mode])["mode"], name);
    }
}

/// Entities with a source and a target of so many rows each.
fn counted(counts: &[(&str, u64, u64)]) -> (Database, Pipelines) {
    let mut sql = String::new();
    let mut files = Vec::new();
    for (entity, v1, v2) in counts {
        sql.push_str(&format!(
            "CREATE TABLE v1_{entity} (id bigint PRIMARY KEY, xdo jsonb); CREATE TABLE v2_{entity} (id bigint);
             INSERT INTO v1_{entity} SELECT n, '{{}}' FROM generate_series(1, {v1}) n;
             INSERT INTO v2_{entity} SELECT n FROM generate_series(1, {v2}) n;
             CREATE TABLE v3_{entity} AS TABLE v2_{entity};"
        ));
        let target = |name: &str, table: &str| {
            format!(
                "[target.{name}]\ntable = \"{table}_{entity}\"\nkey = \"id\"\n[target.{name}.columns]\nid = \"$id\"\n"
            )
        };
        let text = format!(
            "entity = \"{entity}\"\nsource = \"v1_{entity}\"\n{}{}",
            target("main", "v2"),
            target("split", "v3")
        );
        files.push((format!("{entity}.toml"), text));
    }
    let files: Vec<(&str, &str)> = files.iter().map(|(name, text)| (name.as_str(), text.as_str())).collect();
    (Database::with(&[], &sql), Pipelines::new(&files))
}

#[test]
fn status_json_grades_a_surplus_as_it_grades_a_lack() {
    let cases = [
        ("a", 1000, 1000, "good"),
        ("b", 1000, 990, "good"),
        ("c", 1000, 989, "warning"),
        ("d", 1000, 1010, "good"),
        ("e", 1000, 1011, "warning"),
        ("f", 1000, 950, "warning"),
        ("g", 1000, 949, "critical"),
        ("h", 1000, 1051, "critical"),
        ("i", 20_000, 19_901, "good"),
        ("j", 20_000, 19_900, "warning"),
        ("k", 20_000, 20_100, "warning"),
        ("l", 30_000, 29_000, "warning"),
        ("m", 30_000, 28_999, "critical"),
        ("n", 0, 0, "good"),
        ("o", 0, 1, "critical"),
    ];
    let counts: Vec<(&str, u64, u64)> = cases.iter().map(|&(entity, v1, v2, _)| (entity, v1, v2)).collect();
    let (database, pipelines) = counted(&counts);
    let status = database.json(&["status", "--pipelines", pipelines.path()]);
    let mut names = keys(&status);
    names.sort_unstable();
    assert_eq!(names, ["entity_counts", "split_tables"]);
    assert_eq!(array(&status, "entity_counts").len(), cases.len());
    for (index, (entity, v1, v2, level)) in cases.into_iter().enumerate() {
        let count = &status["entity_counts"][index];
        match (v1, v2) {
            (0, 0) => assert_eq!(count["ratio"], 1.0),
            (0, _) => assert_eq!(count["ratio"], Value::Null),
            _ => {
                let ratio = count["ratio"].as_f64().expect("ratio");
                assert!((ratio - v2 as f64 / v1 as f64).abs() < 1e-12, "{count}");
            }
        }
        let delta = v2 as i64 - v1 as i64;
        assert_eq!(
            *count,
            json!({"entity": entity, "v1": v1, "v2": v2, "ratio": count["ratio"], "delta": delta, "level": level})
        );
        assert_eq!(
            status["split_tables"][index],
            json!({"table": "split", "rows": v2, "expected": v1, "level": level})
        );
    }
}

#[test]
fn status_for_people_is_a_table_and_a_conclusion() {
    let (database, pipelines) = counted(&[("a", 1000, 1000), ("b", 1000, 1051)]);
    let output = database
        .command(&["status", "--pipelines", pipelines.path()])
        .env("LC_ALL", "C.UTF-8")
        .output()
        .expect("the program runs");
    assert_eq!((output.status.code(), stderr(&output)), (Some(0), String::new()));
    assert_eq!(
        stdout(&output),
        "\
Entity     V1     V2     Ratio  Delta  Level
a       1,000  1,000  100.00 %      0  ✓ good
b       1,000  1,051  105.10 %    +51  ✗ critical

Table   Rows  Expected  Level
split  1,000     1,000  ✓ good
split  1,051     1,000  ✗ critical

2 of 4 counts critical: \"xdoflow run --prune\" makes V2 equal to V1
"
    );
    let output = database.xdoflow(&["status", "a", "--pipelines", pipelines.path()]);
    assert!(stdout(&output).ends_with("\nall good: every count is exact\n"));
}

#[test]
fn a_table_that_is_missing_is_named_by_status() {
    let (database, pipelines) = counted(&[("a", 1, 1)]);
    for (table, expected) in
        [("v2_a", "the target database has no table v2_a"), ("v1_a", "the source database has no table v1_a")]
    {
        database.sql(&format!("DROP TABLE {table}"));
        let output = database.xdoflow(&["status", "--pipelines", pipelines.path()]);
        assert_eq!((output.status.code(), stdout(&output).as_str()), (Some(1), ""));
        assert!(
            stderr(&output).contains(expected) && stderr(&output).contains("hint:"),
            "{}",
            stderr(&output)
        );
    }
}

fn pipeline(entity: &str, key: &str, columns: &str) -> String {
    format!(
        "entity = \"{entity}\"\nsource = \"source\"\n[target.{entity}]\ntable = \"{entity}\"\nkey = \"{key}\"\n\
         [target.{entity}.columns]\n{columns}\n"
    )
}

#[test]
fn check_finds_what_would_stop_a_run_and_what_would_hurt_it() {
    let pipelines = Pipelines::new(&[
        ("badge.toml", &pipeline("badge", "code", "code = \"text\"\nname = \"text\"")),
        ("ghost.toml", &pipeline("ghost", "id", "id = \"$id\"")),
        ("lost.toml", &pipeline("lost", "id", "id = \"$id\"").replace("\"source\"", "\"nowhere\"")),
        ("person.toml", &pipeline("person", "id", "id = \"$id\"\nnick = \"text\"\nage = \"date\"")),
    ]);
    let database = Database::with(
        &[(1, "{}")],
        "CREATE TABLE person (id bigint PRIMARY KEY, nickname text, age integer);
         CREATE TABLE lost (id bigint PRIMARY KEY);
         CREATE TABLE badge (id serial PRIMARY KEY, code text, name text);
         INSERT INTO badge (code) VALUES ('a'), ('a'), ('a'), ('b'), ('b'), ('c');",
    );
    let output = database.xdoflow(&["check", "--json", "--pipelines", pipelines.path()]);
    assert_eq!((output.status.code(), stderr(&output)), (Some(1), String::new()));
    let report: Value = serde_json::from_slice(&output.stdout).expect("one JSON object");
    let found: Vec<String> = array(&report, "findings")
        .iter()
        .map(|finding| {
            assert!(finding["hint"].as_str().is_some_and(|hint| !hint.is_empty()), "{finding}");
            let text = |key: &str| finding[key].as_str().expect(key).to_owned();
            let subject = text("subject").rsplit('/').next().unwrap_or_default().to_owned();
            [text("severity"), text("entity"), subject, text("message")].join("|")
        })
        .collect();
    let expected = [
        "warning|badge|badge.code|the merge key has no index",
        "warning|badge|badge.code|2 keys stand more than once, with 3 surplus rows",
        "error|ghost|ghost|the target database has no such table",
        "error|lost|nowhere|the source has no table nowhere",
        "error|person|person.toml:8:1: person.nick|the table has no such column",
    ];
    assert_eq!(found[..5], expected);
    assert!(
        found[5].starts_with("error|person|person.toml:9:1: person.age|") && found.len() == 6,
        "{found:?}"
    );
    assert!(found[5].contains("integer"), "{}", found[5]);

    // For people the same, and the same code.
    let output = database.xdoflow(&["check", "--pipelines", pipelines.path()]);
    assert_eq!(output.status.code(), Some(1));
    let text = stdout(&output);
    assert!(text.contains("error: ghost: ghost: the target database has no such table"), "{text}");
    assert!(text.trim_end().ends_with("4 errors, 2 warnings"), "{text}");

    // Warnings alone are no failure.
    let output = database.xdoflow(&["check", "badge", "--pipelines", pipelines.path()]);
    assert_eq!(output.status.code(), Some(0));
    assert!(stdout(&output).trim_end().ends_with("2 warnings"), "{}", stdout(&output));
    database.sql("DELETE FROM badge; CREATE UNIQUE INDEX ON badge (code)");
    let output = database.xdoflow(&["check", "badge", "--pipelines", pipelines.path()]);
    assert_eq!(output.status.code(), Some(0));
    let text = stdout(&output);
    assert!(text.ends_with("\nchecked 2 tables and 2 columns: the pipelines fit both databases\n"), "{text}");
    assert!(text.starts_with("note: ") && text.contains("CREATE CAST (jsonb AS bytea) WITHOUT FUNCTION"));
    assert_eq!(database.value("SELECT to_regclass('xdoflow.runs') IS NULL"), "t", "a check writes nothing");
}

#[test]
fn the_shipped_pipelines_fit_the_shipped_tables() {
    let database = Database::workspace();
    let report = database.json(&["check"]);
    assert_eq!(report["tables"], 19);
    // The keys of the eight split tables and of the derived one have no index, as in the field.
    let found = array(&report, "findings");
    assert_eq!(found.len(), 9, "{found:?}");
    assert!(found.iter().all(|finding| finding["message"] == "the merge key has no index"));
}

#[test]
fn the_ddl_makes_every_table_of_both_workspaces_and_may_run_twice() {
    let database = Database::empty();
    let v2 = stdout(&program().arg("ddl").output().expect("the program runs"));
    let v1 = stdout(&program().args(["ddl", "--v1"]).output().expect("the program runs"));
    for _ in 0..2 {
        database.sql(&v2);
        database.sql(&v1);
    }
    assert_eq!(
        database
            .lines("SELECT relname FROM pg_class WHERE relkind = 'r' AND relname LIKE 'mvpw5%' ORDER BY 1")
            .len(),
        14
    );
    assert_eq!(
        database
            .lines("SELECT relname FROM pg_class WHERE relkind = 'r' AND relname LIKE 'mvpw1%' ORDER BY 1"),
        ["mvpw1_34", "mvpw1_36", "mvpw1_39", "mvpw1_41", "mvpw1_48"]
    );
    // The empty workspace is good, and a run of it is nothing.
    let status = database.json(&["status"]);
    assert!(array(&status, "entity_counts").iter().all(|count| count["level"] == "good"));
    let run = database.json(&["run"]);
    assert!(array(&run, "entities").iter().all(|entity| entity["rows_read"] == 0));
}

#[test]
fn the_seed_state_is_undone_by_a_run_that_prunes() {
    let database = Database::workspace();
    database.json(&["run"]);
    database.sql(&stdout(&program().args(["ddl", "--seed-state"]).output().expect("the program runs")));
    let status = database.json(&["status"]);
    let level = |status: &Value, table: &str| {
        let found = array(status, "split_tables").iter().find(|count| count["table"] == table);
        found.expect(table)["level"].clone()
    };
    // 14,066 of 37,041 rows are surplus at the field's size: 38 %.
    assert_eq!(level(&status, "agent_performance"), "critical");
    let run = database.json(&["run", "--prune"]);
    let sum = |count: &str| -> u64 {
        array(&run, "entities")
            .iter()
            .flat_map(|e| array(e, "targets"))
            .filter_map(|t| t[count].as_u64())
            .sum()
    };
    assert!(sum("inserted") > 0 && sum("updated") > 0 && sum("surplus") > 0 && sum("stale") > 0, "{run}");
    assert_eq!(sum("deleted"), sum("surplus") + sum("stale"));
    let status = database.json(&["status"]);
    assert!(array(&status, "entity_counts").iter().all(|count| count["delta"] == 0), "{status}");
    assert!(
        array(&status, "split_tables").iter().all(|count| count["rows"] == count["expected"]),
        "{status}"
    );
}

const V1: [(&str, usize); 5] =
    [("mvpw1_41", 111), ("mvpw1_36", 132), ("mvpw1_34", 119), ("mvpw1_39", 30), ("mvpw1_48", 57)];

#[test]
fn the_same_seed_generates_the_same_rows_over_any_number_of_connections() {
    let made = |seed: &str, jobs: &str| {
        let database = Database::empty();
        let output = database.xdoflow(&["generate", "--scale", "0.002", "--seed", seed, "--jobs", jobs]);
        assert!(output.status.success(), "{}", stderr(&output));
        V1.map(|(table, _)| {
            database.value(&format!("SELECT md5(string_agg(id || xdo::text, ';' ORDER BY id)) FROM {table}"))
        })
    };
    let first = made("5", "1");
    assert_eq!(made("5", "3"), first);
    let other = made("6", "1");
    for (a, b) in first.iter().zip(&other) {
        assert_ne!(a, b);
    }
}

#[test]
fn generated_documents_hold_all_449_keys() {
    let database = Database::workspace();
    for (table, expected) in V1 {
        let keys =
            database.value(&format!("SELECT count(DISTINCT k) FROM {table}, jsonb_object_keys(xdo) k"));
        assert_eq!(keys, expected.to_string(), "{table}");
    }
}

#[test]
fn generate_refuses_tables_that_hold_rows_and_changes_nothing() {
    let database = Database::empty();
    database.sql(&stdout(&program().args(["ddl", "--v1"]).output().expect("the program runs")));
    database.sql("INSERT INTO mvpw1_48 VALUES (1, '{}')");
    let output = database.xdoflow(&["generate", "--scale", "0.001"]);
    assert_eq!((output.status.code(), stdout(&output).as_str()), (Some(1), ""));
    let text = stderr(&output);
    assert!(text.contains("mvpw1_48 holds rows already") && text.contains("hint:"), "{text}");
    for (table, rows) in [("mvpw1_41", "0"), ("mvpw1_36", "0"), ("mvpw1_48", "1")] {
        assert_eq!(database.value(&format!("SELECT count(*) FROM {table}")), rows);
    }
}

#[test]
fn all_mistakes_of_all_pipeline_files_are_told_with_their_places() {
    let pipelines = Pipelines::new(&[
        (
            "a.toml",
            "entity = \"people\"\nsorce = \"source\"\n[target.person]\ntable = \"person\"\nkey = \"idd\"\n\
             [target.person.columns]\nid = \"$id\"\nname = \"txt\"\nage = { type = \"bigint\", tirm = true }\n",
        ),
        ("b.toml", &pipeline("people", "id", "id = \"$id\"")),
        ("c.toml", "entity = \"things\"\n[target\n"),
    ]);
    let database = Database::empty();
    for command in ["run", "status", "check"] {
        let output = database.xdoflow(&[command, "--pipelines", pipelines.path()]);
        assert_eq!((output.status.code(), stdout(&output).as_str()), (Some(2), ""), "{command}");
        let text = stderr(&output);
        for expected in [
            "a.toml:2:1: ",
            "did you mean \"source\"?",
            "a.toml:5:7: the key \"idd\" is not one of the columns",
            "did you mean \"id\"?",
            "a.toml:8:8: unknown type \"txt\"",
            "did you mean \"text\"?",
            "a.toml:9:26: ",
            "did you mean \"trim\"?",
            "b.toml:1:10: ",
            "c.toml:2:",
        ] {
            assert!(text.contains(expected), "{expected}\n{text}");
        }
    }
    let output = database.xdoflow(&["run", "--pipelines", "/nonexistent/folder"]);
    assert_eq!(output.status.code(), Some(2));
    assert!(stderr(&output).contains("/nonexistent/folder"), "{}", stderr(&output));
    let empty = Pipelines::new(&[]);
    let output = database.xdoflow(&["run", "--pipelines", empty.path()]);
    assert_eq!(output.status.code(), Some(2));
    assert!(stderr(&output).contains("hint:"), "{}", stderr(&output));
}

#[test]
fn json_progress_ends_at_all_rows_and_is_never_past_them() {
    let database = Database::workspace();
    let output = database.xdoflow(&["run", "--json", "--progress", "json"]);
    assert_eq!(output.status.code(), Some(0));
    serde_json::from_slice::<Value>(&output.stdout).expect("nothing but one JSON object");
    let mut phases: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for line in stderr(&output).lines() {
        let line: Value = serde_json::from_str(line).unwrap_or_else(|error| panic!("{error}: {line}"));
        let count = |key: &str| line[key].as_u64().expect(key);
        assert_eq!(line["event"], "progress");
        let entity = line["entity"].as_str().expect("entity");
        let targets = if ["users", "agents"].contains(&entity) { 5 } else { 1 };
        assert!(count("rows") <= count("total"), "{line}");
        assert!(count("load_rows") <= targets * count("total"), "{line}");
        // The rows of the derived target are published beside those of V1.
        let derived = entity == "network";
        assert!(derived || count("publish_rows") <= targets * count("total"), "{line}");
        let phase = line["phase"].as_str().expect("phase");
        if phase == "done" {
            assert_eq!(count("rows"), count("total"), "{line}");
            assert_eq!(count("load_rows"), targets * count("total"), "{line}");
            assert!(derived || count("publish_rows") == targets * count("total"), "{line}");
            assert!(!derived || count("publish_rows") > count("total"), "{line}");
            assert!(count("bytes") > 0);
        }
        let seen = phases.entry(entity.to_owned()).or_default();
        if seen.last().is_none_or(|last| last != phase) {
            seen.push(phase.to_owned());
        }
    }
    assert_eq!(phases.len(), 5);
    for (entity, phases) in phases {
        assert_eq!(phases, ["copying", "publishing", "done"], "{entity}");
    }
}

#[test]
fn plain_progress_is_lines_without_colour_and_none_is_silence() {
    let database = Database::workspace();
    let output = database.xdoflow(&["run", "users", "--progress", "plain"]);
    let text = stderr(&output);
    assert!(!text.contains('\x1b') && !text.contains('\r'), "{text:?}");
    let words: Vec<&str> =
        text.lines().map(|line| line.split("  ").nth(2).unwrap_or_else(|| panic!("{line}"))).collect();
    assert_eq!(words, ["copying", "publishing", "done"], "{text}");
    assert!(text.lines().last().is_some_and(|line| line.contains("7 rows")), "{text}");
    assert!(!stdout(&output).contains('\x1b'));
    let output = database.xdoflow(&["run", "users", "--progress", "none"]);
    assert_eq!(stderr(&output), "");
    // Without a terminal, bars are not drawn.
    let output = database.xdoflow(&["run", "users"]);
    assert!(
        !stderr(&output).contains('\x1b') && stderr(&output).contains("users  done"),
        "{}",
        stderr(&output)
    );
}

#[test]
fn wrong_usage_ends_with_2_and_says_so_on_standard_error_alone() {
    for arguments in [
        ["fly"].as_slice(),
        &[],
        &["run", "--jobs", "0"],
        &["run", "--jobs", "65"],
        &["run", "--jobs", "many"],
        &["run", "--mode", "upsert"],
        &["run", "--max-rejects", "-1"],
        &["run", "--progress", "loud"],
        &["run", "--purge"],
        &["run", "--mode", "replace", "--prune"],
        &["generate", "--scale", "0"],
        &["generate", "--scale", "101"],
        &["generate", "--scale", "NaN"],
        &["generate", "--seed", "-1"],
        &["demo", "--scale", "-1"],
        &["ddl", "--v1", "--seed-state"],
        &["status", "--source", "mysql://nowhere"],
        &["status", "--source", "postgresql://host:notaport/db"],
    ] {
        let output = program().args(arguments).output().expect("the program runs");
        assert_eq!((output.status.code(), stdout(&output).as_str()), (Some(2), ""), "{arguments:?}");
        assert!(!stderr(&output).is_empty() && !stderr(&output).contains("panicked"), "{arguments:?}");
    }
    for arguments in [["--help"].as_slice(), &["--version"], &["run", "--help"]] {
        let output = program().args(arguments).output().expect("the program runs");
        assert_eq!((output.status.code(), stderr(&output).as_str()), (Some(0), ""), "{arguments:?}");
    }
}

#[test]
fn a_reader_that_has_gone_away_is_no_panic_and_no_failure() {
    let database = Database::workspace();
    for arguments in [
        ["ddl"].as_slice(),
        &["--help"],
        &["run", "users"],
        &["run", "users", "--json"],
        &["status"],
        &["check", "--json"],
    ] {
        // A pipe that nobody reads, from the first byte on.
        let (reader, writer) = pipe().expect("a pipe");
        drop(reader);
        let output = database
            .command(arguments)
            .stdout(writer)
            .stderr(Stdio::piped())
            .output()
            .expect("the program runs");
        assert_eq!(output.status.code(), Some(0), "{arguments:?}: {}", stderr(&output));
        assert!(!stderr(&output).contains("panicked"), "{arguments:?}: {}", stderr(&output));
        let (reader, writer) = pipe().expect("a pipe");
        drop(reader);
        let output = database.command(arguments).stderr(writer).output().expect("the program runs");
        assert_eq!(output.status.code(), Some(0), "{arguments:?}, without standard error");
        assert!(!output.stdout.is_empty());
    }
    assert_eq!(database.value("SELECT count(*) FROM mvpw5_664"), "7");
}

#[test]
fn a_password_is_in_no_output_and_in_no_table() {
    let database = Database::workspace();
    // The part of postgresql://user:password@host that nobody may see.
    let password = |url: &str| {
        let (_, rest) = url.split_once("://").expect("a URL");
        let (account, _) = rest.split_once('@').expect("a host");
        account.split_once(':').expect("a password").1.to_owned()
    };
    let secret = password(&database.url);
    assert!(secret.len() > 8, "a password that could stand in an output by chance");
    let wrong = format!("postgresql://postgres:{secret}@127.0.0.1:1/nowhere");
    let broken = format!("postgresql://postgres:{secret}@/?no_such_setting=1");
    for arguments in [
        &["run", "-v", "--progress", "json", "--json"][..],
        &["run", "users", "--changed", "-v", "--progress", "plain"],
        &["run", "users", "--dry-run", "--target", &database.url],
        &["check", "--source", &database.url, "--json"],
        &["status", "--json"],
        &["verify", "--json"],
        &["rejects", "--json"],
        &["sql", "users"],
        &["run", "zebras", "--source", &database.url],
        &["run", "--target", &wrong],
        &["run", "--target", &broken],
        &["run", "--where", "no_such = 1", "users"],
    ] {
        // As the role whose password it is.
        let output = program().env("XDOFLOW_SOURCE", &database.url).args(arguments).output();
        let output = output.expect("the program runs");
        let told = format!("{}{}", stdout(&output), stderr(&output));
        assert!(!told.is_empty() && !told.contains(&secret), "{arguments:?}: {told}");
    }
    let ledger = database.value("SELECT schema_to_xml('xdoflow', true, false, '')::text");
    assert!(ledger.contains("<source>postgresql://"), "{ledger}");
    assert!(!ledger.contains(&secret), "{ledger}");
}
