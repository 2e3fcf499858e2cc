//! What `verify` finds, with differences that are planted by SQL and written down by hand.

use serde_json::{Value, json};
use xdoflow::server::{Server, ServerOptions};

use crate::support::{Database, Pipelines, program, stderr, stdout, try_sql, wait_until};

const PEOPLE: &str = r#"
entity = "people"
source = "source"

[target.person]
table = "person"
key = "id"

[target.person.columns]
id = "$id"
name = "text"
fee = "numeric"
team_id = { from = "team", type = "bigint", references = "teams" }
"#;

const TEAMS: &str = r#"
entity = "teams"
source = "team_source"

[target.team]
table = "team"
key = "id"

[target.team.columns]
id = "$id"
name = "text"
"#;

const DOCUMENTS: [(i64, &str); 5] = [
    (1, r#"{"name": "Ann", "fee": 1.10, "team": 5}"#),
    (2, r#"{"name": "Bob", "fee": 2}"#),
    (3, r#"{"name": "Cid"}"#),
    (4, r#"{"name": "Dee", "fee": 4.00, "team": 6}"#),
    (5, r#"{"name": "Eve \"E\"", "fee": 5}"#),
];

const TABLES: &str = r#"
    CREATE TABLE person (id bigint, name text, fee numeric, team_id bigint, note text);
    CREATE TABLE team (id bigint PRIMARY KEY, name text);
    CREATE TABLE team_source (id bigint PRIMARY KEY, xdo jsonb);
    INSERT INTO team_source VALUES (5, '{"name": "Red"}'), (6, '{"name": "Blue"}');"#;

/// Two entities, the first referring to the second, with V2 equal to V1.
fn people() -> (Database, Pipelines) {
    let database = Database::with(&DOCUMENTS, TABLES);
    let pipelines = Pipelines::new(&[("people.toml", PEOPLE), ("teams.toml", TEAMS)]);
    database.json(&["run", "--pipelines", pipelines.path()]);
    (database, pipelines)
}

/// Runs `verify --json`; returns its exit code and its report.
fn verify(database: &Database, pipelines: &Pipelines, arguments: &[&str]) -> (Option<i32>, Value) {
    let output =
        database.xdoflow(&[&["verify", "--json", "--pipelines", pipelines.path()][..], arguments].concat());
    let report = serde_json::from_slice(&output.stdout).unwrap_or_else(|_| panic!("{}", stderr(&output)));
    (output.status.code(), report)
}

/// The differences of one table as `kind key column expected found`, in order.
fn differences(table: &Value) -> Vec<String> {
    let text = |value: &Value| value.as_str().unwrap_or("∅").to_owned();
    let listed = table["differences"].as_array().expect("a list");
    let line = |difference: &Value| {
        ["kind", "key", "column", "expected", "found"].map(|name| text(&difference[name])).join("|")
    };
    listed.iter().map(line).collect()
}

#[test]
fn equal_databases_are_equal_and_the_report_has_its_exact_shape() {
    let (database, pipelines) = people();
    let (code, report) = verify(&database, &pipelines, &[]);
    assert_eq!(code, Some(0));
    assert_eq!(
        report,
        json!({"equal": true, "entities": [
            {"entity": "people", "table": "person", "rows_checked": 5, "difference_count": 0, "differences": []},
            {"entity": "teams", "table": "team", "rows_checked": 2, "difference_count": 0, "differences": []},
        ]})
    );
    let output = database.xdoflow(&["verify", "--pipelines", pipelines.path()]);
    assert_eq!(output.status.code(), Some(0));
    let text = stdout(&output);
    assert!(text.ends_with("\nequal: every cell of 7 rows in 2 tables\n"), "{text}");
}

#[test]
fn every_planted_difference_is_found_and_named() {
    let (database, pipelines) = people();
    database.sql(
        "UPDATE person SET name = 'Anna', fee = 1.1 WHERE id = 1;
         DELETE FROM person WHERE id = 2;
         UPDATE person SET fee = 0 WHERE id = 3;
         UPDATE person SET team_id = 99 WHERE id = 4;
         INSERT INTO person SELECT id, 'somebody else', fee, team_id FROM person WHERE id = 5;
         INSERT INTO person VALUES (9, 'Old');
         UPDATE team SET name = NULL WHERE id = 6;",
    );
    let (code, report) = verify(&database, &pipelines, &[]);
    assert_eq!(code, Some(1));
    assert_eq!(report["equal"], false);
    let [people, teams] = [&report["entities"][0], &report["entities"][1]];
    assert_eq!(
        differences(people),
        [
            "cell|1|name|Ann|Anna",
            "cell|1|fee|1.10|1.1",
            "missing|2|∅|∅|∅",
            "cell|3|fee|∅|0",
            "cell|4|team_id|6|99",
            "orphan|4|team_id|teams|99",
            "duplicate|5|∅|1|2",
            "stale|9|∅|∅|∅",
        ]
    );
    assert_eq!((&people["difference_count"], &people["rows_checked"]), (&json!(8), &json!(5)));
    assert_eq!(differences(teams), ["cell|6|name|Blue|∅"]);

    let output = database.xdoflow(&["verify", "people", "--pipelines", pipelines.path()]);
    assert_eq!(output.status.code(), Some(1));
    assert!(!stderr(&output).contains("error"), "{}", stderr(&output));
    let text = stdout(&output);
    for line in [
        "person: 8 differences",
        "cell       1    name: expected \"Ann\", found \"Anna\"",
        "cell       1    fee: expected \"1.10\", found \"1.1\"",
        "missing    2    V2 lacks the row",
        "cell       3    fee: expected NULL, found \"0\"",
        "orphan     4    team_id: \"99\" is no key of teams",
        "duplicate  5    stands 2 times",
        "stale      9    V1 no longer has the row",
        "not equal: 8 differences in 1 of 1 table",
    ] {
        assert!(text.lines().any(|found| found == line), "{line}\n{text}");
    }
}

#[test]
fn a_reference_that_dangles_in_v1_already_is_an_orphan_and_no_wrong_cell() {
    let (database, pipelines) = people();
    database.sql("UPDATE source SET xdo = xdo || '{\"team\": 77}' WHERE id IN (2, 3)");
    database.json(&["run", "--pipelines", pipelines.path()]);
    let (code, report) = verify(&database, &pipelines, &["people"]);
    assert_eq!(code, Some(1));
    assert_eq!(
        differences(&report["entities"][0]),
        ["orphan|2|team_id|teams|77", "orphan|3|team_id|teams|77"]
    );
}

#[test]
fn a_limit_bounds_what_is_named_and_not_what_is_counted() {
    let (database, pipelines) = people();
    database.sql("UPDATE person SET name = name || '!'");
    let (code, report) = verify(&database, &pipelines, &["people", "--limit", "2"]);
    assert_eq!((code, &report["entities"][0]["difference_count"]), (Some(1), &json!(5)));
    assert_eq!(differences(&report["entities"][0]), ["cell|1|name|Ann|Ann!", "cell|2|name|Bob|Bob!"]);
    let output = database.xdoflow(&["verify", "people", "--limit", "2", "--pipelines", pipelines.path()]);
    assert!(stdout(&output).contains("and 3 more: --limit N names more of them"), "{}", stdout(&output));
}

#[test]
fn a_row_in_quarantine_may_stand_in_v2_and_one_that_a_filter_leaves_out_may_not() {
    let documents = [
        (1, r#"{"name": "Ann", "fee": 1}"#),
        (2, r#"{"name": "Bob", "fee": "much"}"#),
        (3, r#"{"name": "Cid", "fee": "much", "kind": "TEST"}"#),
        (4, r#"{"name": "Dee", "kind": "TEST"}"#),
        (5, r#"["no object"]"#),
        (6, r#"{"name": "Fay", "fee": "some"}"#),
    ];
    let database = Database::with(
        &documents,
        "CREATE TABLE person (id bigint PRIMARY KEY, name text, fee numeric);
         INSERT INTO person VALUES (2, 'Bobby', 7), (3, 'Cid', 3), (4, 'Dee', 4), (5, 'Eve', 5), (9, 'Old', 9);",
    );
    let pipeline = PEOPLE
        .replace("fee = \"numeric\"", "fee = { type = \"numeric\", on_reject = \"row\" }")
        .replace("team_id = { from = \"team\", type = \"bigint\", references = \"teams\" }", "")
        .replace("key = \"id\"", "key = \"id\"\nfilter = { from = \"kind\", drop = [\"TEST\"] }");
    let pipelines = Pipelines::new(&[("people.toml", &pipeline)]);
    let summary = database.json(&["run", "--pipelines", pipelines.path()]);
    let counts = &summary["entities"][0]["targets"][0];
    assert_eq!((&counts["quarantined"], &counts["filtered"]), (&json!(3), &json!(2)));
    let (code, report) = verify(&database, &pipelines, &[]);
    assert_eq!(code, Some(1));
    assert_eq!(differences(&report["entities"][0]), ["stale|3|∅|∅|∅", "stale|4|∅|∅|∅", "stale|9|∅|∅|∅"]);
    assert_eq!(report["entities"][0]["rows_checked"], 1);
    database.json(&["run", "--prune", "--pipelines", pipelines.path()]);
    assert_eq!(verify(&database, &pipelines, &[]).0, Some(0));
    assert_eq!(database.lines("SELECT id FROM person ORDER BY id"), ["1", "2", "5"]);
}

/// 60,000 rows: three ranges of ids.
fn many() -> (Database, Pipelines) {
    let database = Database::with(
        &[],
        "INSERT INTO source SELECT i * 3, jsonb_build_object('name', 'n' || i) FROM generate_series(1, 60000) i;
         CREATE TABLE person AS SELECT id, xdo->>'name' AS name FROM source;
         CREATE INDEX ON person (id); ANALYZE source; ANALYZE person;",
    );
    let pipeline = PEOPLE.split("fee =").next().expect("the columns before fee");
    (database, Pipelines::new(&[("people.toml", pipeline)]))
}

#[test]
fn differences_at_the_borders_of_ranges_are_found_once_and_in_order() {
    let (database, pipelines) = many();
    assert_eq!(verify(&database, &pipelines, &[]).0, Some(0));
    // The second range begins with the 25,001st row, 75003, the third with 150003.
    database.sql(
        "DELETE FROM person WHERE id IN (3, 75000, 75003, 180000);
         INSERT INTO person VALUES (-7), (75001), (75002), (75004), (150003), (200000), (NULL), (NULL);",
    );
    let (code, report) = verify(&database, &pipelines, &[]);
    assert_eq!(code, Some(1));
    assert_eq!(report["entities"][0]["rows_checked"], 60_000);
    assert_eq!(
        differences(&report["entities"][0]),
        [
            "stale|-7|∅|∅|∅",
            "missing|3|∅|∅|∅",
            "missing|75000|∅|∅|∅",
            "stale|75001|∅|∅|∅",
            "stale|75002|∅|∅|∅",
            "missing|75003|∅|∅|∅",
            "stale|75004|∅|∅|∅",
            "duplicate|150003|∅|1|2",
            "missing|180000|∅|∅|∅",
            "stale|200000|∅|∅|∅",
            "stale|NULL|∅|∅|∅",
            "duplicate|NULL|∅|0|2",
        ]
    );
}

#[test]
fn a_sample_is_of_its_size_the_same_each_time_and_looks_for_stale_rows_among_its_own_keys() {
    let (database, pipelines) = many();
    database.sql(
        "UPDATE person SET name = name || '!';
         INSERT INTO person SELECT i * 3 + 1 FROM generate_series(1, 60000) i;",
    );
    let seen = || verify(&database, &pipelines, &["--sample", "5", "--limit", "200000"]).1;
    let report = seen();
    let table = &report["entities"][0];
    let checked = table["rows_checked"].as_u64().expect("a count");
    // 5 % of 60,000, and more than ten standard deviations (53) on each side.
    assert!((2_400..3_600).contains(&checked), "{checked}");
    let of = |kind: &str| differences(table).iter().filter(|line| line.starts_with(kind)).count() as u64;
    assert_eq!(of("cell|"), checked);
    assert!((2_400..3_600).contains(&of("stale|")), "{}", of("stale|"));
    assert_eq!(table["difference_count"], of("cell|") + of("stale|"));
    assert_eq!(seen(), report);
}

#[test]
fn text_and_composite_keys_are_compared_by_their_bytes_whatever_the_collation() {
    let codes = ["b", "B", "a", "é", "ab", "a b", "Z", "10", "9", "", "z'\\", "😀"];
    let documents: Vec<(i64, String)> = codes
        .iter()
        .enumerate()
        .map(|(index, code)| {
            (index as i64, json!({"code": code, "part": index % 2, "rate": 0.50, "name": "n"}).to_string())
        })
        .collect();
    let documents: Vec<(i64, &str)> = documents.iter().map(|(id, text)| (*id, text.as_str())).collect();
    let database = Database::with(
        &documents,
        "CREATE TABLE part (code text, part integer, name text);
         CREATE TABLE code (code text PRIMARY KEY, name text);
         CREATE TABLE rate (rate numeric, id bigint, name text);",
    );
    let pipelines = Pipelines::new(&[(
        "codes.toml",
        r#"
entity = "codes"
source = "source"
[target.part]
table = "part"
key = ["code", "part"]
columns = { code = "text", part = "integer", name = "text" }
[target.code]
table = "code"
key = "code"
columns = { code = "text", name = "text" }
[target.rate]
table = "rate"
key = ["rate", "id"]
columns = { rate = "numeric", id = "$id", name = "text" }
"#,
    )]);
    database.json(&["run", "--pipelines", pipelines.path()]);
    assert_eq!(verify(&database, &pipelines, &[]).0, Some(0));
    database.sql(
        "UPDATE part SET name = 'other' WHERE code = 'é';
         DELETE FROM part WHERE code = '';
         INSERT INTO part VALUES ('a', 1, 'n'), ('a', 1, 'n'), ('a', NULL, 'n');
         UPDATE code SET code = 'Ab' WHERE code = 'ab';
         UPDATE rate SET rate = 0.500 WHERE id = 3;",
    );
    let (code, report) = verify(&database, &pipelines, &[]);
    assert_eq!(code, Some(1));
    assert_eq!(
        differences(&report["entities"][0]),
        [
            "missing|, 1|∅|∅|∅",
            "stale|a, 1|∅|∅|∅",
            "duplicate|a, 1|∅|0|2",
            "stale|a, NULL|∅|∅|∅",
            "cell|é, 1|name|n|other",
        ]
    );
    assert_eq!(differences(&report["entities"][1]), ["stale|Ab|∅|∅|∅", "missing|ab|∅|∅|∅"]);
    assert_eq!(differences(&report["entities"][2]), ["cell|0.5, 3|rate|0.5|0.500"]);
}

#[test]
fn a_merge_key_that_stands_twice_in_v1_stops_the_comparison() {
    let database = Database::with(
        &[(1, r#"{"code": "a"}"#), (2, r#"{"code": "a"}"#)],
        "CREATE TABLE code (code text PRIMARY KEY);",
    );
    let pipeline = "entity = \"codes\"\nsource = \"source\"\n[target.code]\ntable = \"code\"\n\
                    key = \"code\"\ncolumns = { code = \"text\" }\n";
    let pipelines = Pipelines::new(&[("codes.toml", pipeline)]);
    let output = database.xdoflow(&["verify", "--pipelines", pipelines.path()]);
    assert_eq!(output.status.code(), Some(1));
    let text = stderr(&output);
    assert!(text.contains("verifying code: V1 holds the same merge key more than once"), "{text}");
    assert!(text.contains("code: a"), "{text}");
}

#[test]
fn source_and_target_may_be_two_servers() {
    let (source, pipelines) = people();
    let server = Server::start(ServerOptions::for_tests()).expect("a second server");
    let tables = TABLES.split("CREATE TABLE team_source").next().expect("the targets");
    try_sql(&server.url(), tables).expect("the targets");
    let on_both = |command: &str| {
        let mut both = program();
        both.args([command, "--source", &source.url, "--target", &server.url(), "--pipelines"]);
        both.arg(pipelines.path()).output().expect("the program runs")
    };
    let missing = on_both("verify");
    assert_eq!(missing.status.code(), Some(1));
    assert!(stdout(&missing).contains("not equal: 7 differences in 2 of 2 tables"), "{}", stdout(&missing));
    assert!(on_both("run").status.success());
    let equal = on_both("verify");
    assert_eq!(equal.status.code(), Some(0), "{}{}", stdout(&equal), stderr(&equal));
}

#[test]
fn ctrl_c_ends_a_comparison_and_leaves_no_session() {
    let (database, pipelines) = people();
    // The rows of V1 wait for an advisory lock when they are copied.
    database.sql(
        "ALTER TABLE source RENAME TO rows;
         CREATE VIEW source AS SELECT id, xdo FROM rows
         WHERE CASE WHEN current_query() LIKE 'COPY%'
                    THEN pg_advisory_xact_lock_shared(1)::text IS NOT NULL ELSE true END;",
    );
    let blocker = database.session();
    blocker.sql("SELECT pg_advisory_lock(1)");
    let running = database.start(&["verify", "--pipelines", pipelines.path()]);
    let sessions = "FROM pg_stat_activity
                    WHERE application_name LIKE 'xdoflow%' AND datname = current_database()";
    wait_until(&database.session(), &format!("SELECT count(*) > 0 {sessions} AND wait_event = 'advisory'"));
    running.signal("INT");
    let (code, text) = running.end();
    assert_eq!(code, Some(130), "{text}");
    assert!(text.contains("error: interrupted"), "{text}");
    wait_until(&database.session(), &format!("SELECT count(*) = 0 {sessions}"));
}

#[test]
fn progress_ends_at_all_rows_of_all_targets() {
    let (database, pipelines) = many();
    let running = database.start(&["verify", "--pipelines", pipelines.path()]);
    let (code, text) = running.end();
    assert_eq!(code, Some(0), "{text}");
    let last = text.lines().last().expect("a line");
    assert!(last.contains("60000"), "{last}");
}

#[test]
fn wrong_usage_is_told_before_anything_is_read() {
    let (database, pipelines) = people();
    for (arguments, message) in [
        (["--sample", "0"], "a sample of nothing says nothing"),
        (["--sample", "x"], "not a number"),
        (["--limit", "-1"], "unexpected argument"),
        (["poeple", "teams"], "there is no pipeline for \"poeple\""),
    ] {
        let output =
            database.xdoflow(&[&["verify", "--pipelines", pipelines.path()][..], &arguments].concat());
        assert_eq!(output.status.code(), Some(2), "{arguments:?}");
        assert!(stderr(&output).contains(message), "{arguments:?}: {}", stderr(&output));
    }
}

#[test]
fn a_derived_target_is_compared_with_the_closure_that_the_server_works_out() {
    let database = Database::with(
        &[
            (1, r#"{"id": 2, "boss": 1}"#),
            (2, r#"{"id": "3", "boss": 2}"#),
            (3, r#"{"id": 3, "boss": 2}"#),
            (4, r#"{"id": 4, "boss": 4}"#),
            (5, r#"{"id": 5, "boss": 6}"#),
            (6, r#"{"id": 6, "boss": 5}"#),
            (7, r#"{"id": 7, "boss": 6}"#),
            (8, r#"{"id": 8, "boss": "nobody"}"#),
        ],
        "CREATE TABLE person (id bigint PRIMARY KEY);
         CREATE TABLE chain (above bigint, below integer, depth smallint, path jsonb);",
    );
    let pipelines = Pipelines::new(&[(
        "staff.toml",
        r#"
entity = "staff"
source = "source"
[target.person]
table = "person"
key = "id"
columns = { id = "$id" }
[derived.chain]
table = "chain"
key = ["above", "below"]
closure = { parent = "boss", child = "id" }
[derived.chain.columns]
above = { from = "ancestor", type = "bigint" }
below = { from = "descendant", type = "integer" }
depth = "smallint"
path = "jsonb"
"#,
    )]);
    database.json(&["run", "--pipelines", pipelines.path()]);
    let (code, report) = verify(&database, &pipelines, &[]);
    assert_eq!((code, &report["entities"][1]["rows_checked"]), (Some(0), &json!(4)), "{report}");
    database.sql(
        "UPDATE chain SET path = '[1, 9, 3]' WHERE above = 1 AND below = 3;
         DELETE FROM chain WHERE above = 6; INSERT INTO chain VALUES (5, 7, 2, '[5, 6, 7]');",
    );
    let (code, report) = verify(&database, &pipelines, &[]);
    assert_eq!(code, Some(1));
    assert_eq!(
        differences(&report["entities"][1]),
        ["cell|1, 3|path|[1, 2, 3]|[1, 9, 3]", "stale|5, 7|∅|∅|∅", "missing|6, 7|∅|∅|∅"]
    );
}

#[test]
fn a_generated_workspace_is_equal_after_a_run_and_one_space_too_much_is_found() {
    let database = Database::workspace();
    database.json(&["run", "--progress", "none"]);
    let report = database.json(&["verify", "--progress", "none"]);
    assert_eq!(report["equal"], true, "{report}");
    let tables = report["entities"].as_array().expect("a list");
    assert_eq!(tables.len(), 14);
    let rows = |table: &str| {
        tables.iter().find(|one| one["table"] == table).expect("the table")["rows_checked"].clone()
    };
    assert_eq!(
        rows("mvpw5_696").to_string(),
        database.value("SELECT count(*) FROM mvpw5_696"),
        "rows of participants"
    );
    assert_eq!(rows("mvpw5_684").to_string(), database.value("SELECT count(*) FROM mvpw5_684"));
    let id = database.value("SELECT max(id) FROM mvpw5_696 WHERE first_name <> ''");
    let name = database.value(&format!("SELECT first_name FROM mvpw5_696 WHERE id = {id}"));
    database.sql(&format!("UPDATE mvpw5_696 SET first_name = first_name || ' ' WHERE id = {id}"));
    let output = database.xdoflow(&["verify", "participants", "--json"]);
    assert_eq!(output.status.code(), Some(1));
    let report: Value = serde_json::from_slice(&output.stdout).expect("one JSON object");
    assert_eq!(
        report["entities"][0]["differences"],
        json!([{"kind": "cell", "key": id, "column": "first_name", "expected": name, "found": format!("{name} ")}])
    );
}
