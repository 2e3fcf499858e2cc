//! `run --changed`: what it finds, what makes it read everything, and that nothing is ever missed.

use serde_json::Value;

use crate::support::{Database, Pipelines, counts, stderr, stdout, wait_until};

const PEOPLE: &str = r#"
entity = "people"
source = "source"

[target.person]
table = "person"
key = "id"
[target.person.columns]
id = "$id"
name = "text"
age = "bigint"

[target.badge]
table = "badge"
key = "person_id"
filter = { from = "kind", drop = ["TEST"] }
[target.badge.columns]
person_id = "$id"
code = "text"
"#;

const TABLES: &str = "
    CREATE TABLE person (id bigint PRIMARY KEY, name text, age bigint);
    CREATE TABLE badge (id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, person_id bigint, code text NOT NULL);
    ALTER TABLE source SET (fillfactor = 70, autovacuum_enabled = off);";

/// A thousand rows of V1 over some tens of pages, and what a run makes of them.
fn people() -> (Database, Pipelines) {
    let database = Database::with(
        &[],
        &format!(
            "{TABLES} INSERT INTO source
             SELECT id, jsonb_build_object('name', 'n' || id, 'age', id, 'code', 'c', 'pad', repeat('x', 300))
             FROM generate_series(1, 1000) id;"
        ),
    );
    let pipelines = Pipelines::new(&[("people.toml", PEOPLE)]);
    database.json(&["run", "--prune", "--pipelines", pipelines.path()]);
    (database, pipelines)
}

fn changed(database: &Database, pipelines: &Pipelines) -> Value {
    database.json(&["run", "--changed", "--prune", "--pipelines", pipelines.path()])
}

/// Fetched, gone and compared rows of a run that used the fingerprints.
fn found(summary: &Value) -> [u64; 3] {
    let changed = &summary["entities"][0]["changed"];
    assert_eq!(changed["used"], true, "{changed}");
    ["fetched", "gone", "scanned"].map(|name| changed[name].as_u64().expect(name))
}

/// Why a run read everything.
fn reason(summary: &Value) -> &str {
    let changed = &summary["entities"][0]["changed"];
    assert_eq!(changed["used"], false, "{changed}");
    changed["reason"].as_str().expect("a reason")
}

fn set(key: &str, value: &str, ids: &str) -> String {
    format!("UPDATE source SET xdo = jsonb_set(xdo, '{{{key}}}', '{value}') WHERE id IN ({ids});")
}

fn assert_verified(database: &Database, pipelines: &Pipelines) {
    let output = database.xdoflow(&["verify", "--pipelines", pipelines.path()]);
    assert_eq!(output.status.code(), Some(0), "{}{}", stdout(&output), stderr(&output));
}

#[test]
fn inserts_updates_and_deletes_are_found_and_nothing_else() {
    let (database, pipelines) = people();
    assert_eq!(found(&changed(&database, &pipelines)), [0, 0, 1000]);
    for sql in [
        "INSERT INTO source VALUES (5000, '{\"name\": \"new\", \"code\": \"c\"}')".to_owned(),
        set("age", "77", "1, 2, 3"),
        set("age", "78", "3"),
        "DELETE FROM source WHERE id IN (7, 8)".to_owned(),
        format!("BEGIN; {} DELETE FROM source WHERE id = 9; ROLLBACK", set("age", "79", "4")),
        format!("BEGIN; SAVEPOINT a; {} ROLLBACK TO a; COMMIT", set("age", "80", "5")),
        "SELECT id FROM source WHERE id = 11 FOR UPDATE".to_owned(),
    ] {
        database.sql(&sql);
    }
    wait_until(
        &database.session(),
        "SELECT n_tup_hot_upd > 0 FROM pg_stat_user_tables WHERE relname = 'source'",
    );
    let summary = changed(&database, &pipelines);
    assert_eq!(found(&summary), [4, 2, 999]);
    assert_eq!(summary["entities"][0]["rows_read"], 4);
    assert_eq!(counts(&summary, 0, ["rows", "inserted", "updated", "deleted", "unchanged"]), [4, 1, 3, 2, 0]);
    assert_eq!(
        database.lines("SELECT id, age FROM person WHERE id < 10 OR id > 4999 ORDER BY id"),
        ["1|77", "2|77", "3|78", "4|4", "5|5", "6|6", "9|9", "5000|∅"]
    );
    assert_verified(&database, &pipelines);
    // What was written is what is compared the next time.
    assert_eq!(found(&changed(&database, &pipelines)), [0, 0, 999]);
}

#[test]
fn vacuum_and_freeze_change_nothing_and_a_row_whose_id_changes_is_gone_and_new() {
    let (database, pipelines) = people();
    database.sql("UPDATE source SET id = 2000 WHERE id = 20; DELETE FROM source WHERE id = 21;");
    database.sql("VACUUM source");
    assert_eq!(found(&changed(&database, &pipelines)), [1, 2, 999]);
    database.sql("VACUUM (FREEZE) source");
    assert_eq!(found(&changed(&database, &pipelines)), [0, 0, 999]);
    // A row that takes the place of one that is gone.
    database.sql("DELETE FROM source WHERE id BETWEEN 100 AND 120");
    database.sql("VACUUM source");
    database.sql(
        "INSERT INTO source SELECT id, '{\"name\": \"x\", \"code\": \"d\"}' FROM generate_series(3000, 3040) id",
    );
    assert_eq!(found(&changed(&database, &pipelines)), [41, 21, 1019]);
    assert_verified(&database, &pipelines);
}

#[test]
fn whatever_makes_the_fingerprints_void_is_told_and_everything_is_read() {
    let (database, pipelines) = people();
    let only = |what: &str| format!("{what}; {}", set("age", "1", "500"));
    for (sql, expected) in [
        (only("VACUUM FULL source"), "rewritten"),
        ("CREATE TABLE copy AS TABLE source; TRUNCATE source; INSERT INTO source TABLE copy; DROP TABLE copy".into(), "rewritten"),
        ("ALTER TABLE source RENAME TO old; CREATE TABLE source (LIKE old INCLUDING ALL); INSERT INTO source TABLE old; DROP TABLE old".into(), "created anew"),
        ("ALTER TABLE source RENAME xdo TO old; ALTER TABLE source ADD xdo jsonb DEFAULT '{\"name\": \"same\", \"code\": \"c\"}'".into(), "another column"),
        ("TRUNCATE badge".into(), "a target was emptied"),
        ("ALTER TABLE person ALTER age TYPE integer".into(), "a table that it writes, has changed"),
        ("ALTER TABLE person ALTER name SET NOT NULL".into(), "a table that it writes, has changed"),
        ("UPDATE xdoflow.fingerprint_state SET timeline = timeline + 1".into(), "new timeline"),
        ("UPDATE xdoflow.fingerprint_state SET system_identifier = '1'".into(), "another server"),
        ("UPDATE xdoflow.fingerprint_state SET database_oid = 1".into(), "another database"),
        ("UPDATE xdoflow.fingerprint_state SET snapshot = snapshot + 1000000".into(), "set back"),
        ("TRUNCATE xdoflow.fingerprint_state".into(), "no fingerprints"),
        ("UPDATE xdoflow.fingerprint_blocks SET bytes = set_byte(bytes, 9, 255 - get_byte(bytes, 9))".into(), "damaged"),
        ("UPDATE source SET xdo = xdo || '{\"age\": 5}'".into(), "more than a tenth"),
        ("CREATE TABLE child () INHERITS (source)".into(), "no ordinary table"),
    ] {
        // Statements of one call are one transaction, in which some of these cannot be.
        for statement in sql.split(';').filter(|statement| !statement.trim().is_empty()) {
            database.sql(statement);
        }
        let summary = changed(&database, &pipelines);
        assert!(reason(&summary).contains(expected), "{sql}: {}", reason(&summary));
        assert_eq!(summary["entities"][0]["rows_read"], 1000, "{sql}");
        assert_verified(&database, &pipelines);
        if expected == "no ordinary table" {
            break;
        }
        // A run that read everything has made them good again.
        assert_eq!(found(&changed(&database, &pipelines))[1..], [0, 1000], "{sql}");
    }
    let output = database.xdoflow(&["run", "--changed", "--prune", "--pipelines", pipelines.path()]);
    let text = stdout(&output);
    assert!(text.contains("note: all rows of people were read: the source is no ordinary table"), "{text}");
}

#[test]
fn another_pipeline_or_lookup_reads_everything_and_another_comment_does_not() {
    let (database, pipelines) = people();
    let rewrite = |text: &str| Pipelines::new(&[("people.toml", text), ("names.csv", "key,value\nn1,One\n")]);
    let commented = rewrite(&format!("# People.\n{PEOPLE}"));
    assert_eq!(found(&changed(&database, &commented)), [0, 0, 1000]);
    let trimmed = rewrite(&PEOPLE.replace("name = \"text\"", "name = { type = \"text\", case = \"upper\" }"));
    assert!(reason(&changed(&database, &trimmed)).contains("the pipeline"));
    assert_eq!(database.value("SELECT name FROM person WHERE id = 3"), "N3");
    let lookup = PEOPLE.replace("name = \"text\"", "name = { type = \"text\", lookup = \"names.csv\" }");
    let first = rewrite(&lookup);
    changed(&database, &first);
    assert_eq!(database.value("SELECT name FROM person WHERE id = 1"), "One");
    let other = Pipelines::new(&[("people.toml", &lookup), ("names.csv", "key,value\nn1,Two\n")]);
    assert!(reason(&changed(&database, &other)).contains("the pipeline"));
    assert_eq!(database.value("SELECT name FROM person WHERE id = 1"), "Two");
    drop(pipelines);
}

#[test]
fn a_source_without_places_or_unique_ids_and_a_key_that_is_not_the_id_are_read_in_full() {
    let (database, pipelines) = people();
    database.sql("ALTER TABLE source DROP CONSTRAINT source_pkey");
    assert!(reason(&changed(&database, &pipelines)).contains("no unique index"));
    database.sql("ALTER TABLE source RENAME TO rows; CREATE VIEW source AS SELECT id, xdo FROM rows");
    assert!(reason(&changed(&database, &pipelines)).contains("no ordinary table"));
    database
        .sql("DROP VIEW source; ALTER TABLE rows RENAME TO source; ALTER TABLE source ADD PRIMARY KEY (id)");
    let by_name = Pipelines::new(&[("people.toml", &PEOPLE.replace("key = \"id\"", "key = \"name\""))]);
    assert!(reason(&changed(&database, &by_name)).contains("merge key that is not the row's id"));
}

#[test]
fn a_changed_run_has_a_merge_to_publish_with() {
    let (database, pipelines) = people();
    for mode in ["replace", "insert"] {
        let output = database.xdoflow(&["run", "--changed", "--mode", mode, "--pipelines", pipelines.path()]);
        assert_eq!(output.status.code(), Some(2));
        assert!(stderr(&output).contains("--changed has no meaning with --mode"), "{}", stderr(&output));
    }
    // Replace leaves an image of V1, in another file of the target.
    database.json(&["run", "--mode", "replace", "--pipelines", pipelines.path()]);
    database.sql(&set("age", "4", "1"));
    assert_eq!(found(&changed(&database, &pipelines)), [1, 0, 1000]);
}

#[test]
fn an_insert_leaves_old_rows_and_so_it_leaves_the_fingerprints_of_the_run_before() {
    let (database, pipelines) = people();
    database.sql(&set("age", "4", "1"));
    database.sql("INSERT INTO source VALUES (2000, '{\"code\": \"c\"}')");
    database.json(&["run", "--mode", "insert", "--pipelines", pipelines.path()]);
    assert_eq!(found(&changed(&database, &pipelines)), [2, 0, 1001]);
    assert_verified(&database, &pipelines);
    // Rows of another pipeline are none that they stand for.
    let other = Pipelines::new(&[("people.toml", &PEOPLE.replace("\"bigint\"", "{ const = 1 }"))]);
    database.sql("DELETE FROM person WHERE id = 5");
    database.json(&["run", "--mode", "insert", "--pipelines", other.path()]);
    assert!(reason(&changed(&database, &pipelines)).contains("no fingerprints"));
    assert_verified(&database, &pipelines);
}

#[test]
fn what_is_gone_waits_for_a_run_that_prunes() {
    let (database, pipelines) = people();
    let run = |arguments: &[&str]| {
        database.json(&[&["run", "--changed", "--pipelines", pipelines.path()], arguments].concat())
    };
    database.sql("DELETE FROM source WHERE id = 5");
    database.sql(&set("kind", "\"TEST\"", "6, 7"));
    database.sql(&set("name", "\"Nina\"", "9"));
    let summary = run(&[]);
    assert_eq!(found(&summary), [3, 1, 999]);
    assert_eq!(
        database.lines("SELECT source_id FROM xdoflow.fingerprint_pending ORDER BY 1"),
        ["5", "6", "7"],
        "what was updated leaves nothing that is to go"
    );
    assert_eq!(counts(&summary, 0, ["stale", "deleted"]), [1, 0]);
    assert_eq!(counts(&summary, 1, ["stale", "deleted", "filtered"]), [3, 0, 2]);
    // Six is no test any more; five comes back as another; seven stays one.
    database.sql(&set("kind", "\"LIVE\"", "6"));
    database.sql("INSERT INTO source VALUES (5, '{\"name\": \"Eve\", \"code\": \"e\", \"kind\": \"TEST\"}')");
    let summary = run(&[]);
    assert_eq!(found(&summary), [2, 0, 1000]);
    database.sql("DELETE FROM source WHERE id = 8");
    assert_eq!(found(&run(&[])), [0, 1, 999]);
    let summary = run(&["--prune"]);
    assert_eq!(found(&summary)[1], 0);
    assert_eq!(counts(&summary, 0, ["stale", "deleted"]), [1, 1]);
    assert_eq!(counts(&summary, 1, ["stale", "deleted"]), [3, 3]);
    assert_verified(&database, &pipelines);
    assert_eq!(found(&run(&["--prune"])), [0, 0, 999]);
}

/// What is deleted may move other rows, or take them along: these are looked for where they are then.
#[test]
fn foreign_keys_and_triggers_that_act_on_a_delete_lose_no_change() {
    let by_trigger = "CREATE FUNCTION touch() RETURNS trigger LANGUAGE plpgsql AS
        'BEGIN UPDATE person SET sponsor_id = NULL WHERE sponsor_id = old.id; RETURN NULL; END';
        CREATE TRIGGER touch AFTER DELETE ON person FOR EACH ROW EXECUTE FUNCTION touch()";
    let by_key = |action| {
        format!("ALTER TABLE person ADD FOREIGN KEY (sponsor_id) REFERENCES person ON DELETE {action}")
    };
    for acts in [
        by_key("SET NULL"),
        by_key("CASCADE"),
        by_key("NO ACTION DEFERRABLE INITIALLY DEFERRED"),
        by_trigger.to_owned(),
    ] {
        let database = Database::with(
            &[],
            &format!(
                r#"CREATE TABLE person (id bigint PRIMARY KEY, name text, sponsor_id bigint);
                INSERT INTO source VALUES (1, '{{"name": "Ann"}}'), (2, '{{"name": "Bob", "sponsor_id": 1}}'),
                  (3, '{{"name": "Cid"}}'), (4, '{{"name": "Dan", "sponsor_id": 3}}');
                {acts}"#
            ),
        );
        let text = "entity = \"people\"\nsource = \"source\"\n[target.person]\ntable = \"person\"\nkey = \"id\"\n\
            [target.person.columns]\nid = \"$id\"\nname = \"text\"\nsponsor_id = \"reference\"\n";
        let pipelines = Pipelines::new(&[("people.toml", text)]);
        database.json(&["run", "--prune", "--pipelines", pipelines.path()]);
        // A row that was fetched is one that a delete moves or takes along: its sponsor is gone.
        database.sql(
            r#"DELETE FROM source WHERE id = 1;
            UPDATE source SET xdo = '{"name": "Bea", "sponsor_id": 3}' WHERE id = 2"#,
        );
        assert_eq!(found(&changed(&database, &pipelines)), [1, 1, 3], "{acts}");
        let people = database.lines("SELECT id, name, sponsor_id FROM person ORDER BY id");
        assert_eq!(people, ["2|Bea|3", "3|Cid|∅", "4|Dan|3"], "{acts}");
        assert_verified(&database, &pipelines);
    }
}

#[test]
fn what_a_full_run_left_over_only_a_full_run_prunes() {
    let (database, pipelines) = people();
    database.sql("DELETE FROM source WHERE id = 5; INSERT INTO badge (person_id, code) VALUES (6, 'twice')");
    database.json(&["run", "--pipelines", pipelines.path()]);
    assert_eq!(found(&database.json(&["run", "--changed", "--pipelines", pipelines.path()])), [0, 0, 999]);
    assert!(reason(&changed(&database, &pipelines)).contains("only a full run knows which to prune"));
    assert_verified(&database, &pipelines);
    assert_eq!(found(&changed(&database, &pipelines)), [0, 0, 999]);
}

#[test]
fn a_row_that_falls_into_quarantine_keeps_its_old_rows() {
    let (database, pipelines) = people();
    database.sql(&set("code", "null", "5"));
    let summary = changed(&database, &pipelines);
    assert_eq!(counts(&summary, 1, ["rows", "quarantined", "deleted", "stale"]), [1, 1, 0, 0]);
    assert_eq!(database.value("SELECT code FROM badge WHERE person_id = 5"), "c");
    assert_verified(&database, &pipelines);
}

#[test]
fn rejected_rows_are_tried_again_but_noted_once() {
    let (database, pipelines) = people();
    database.sql(&set("age", "\"old\"", "5, 6"));
    let run = |arguments: &[&str]| {
        database.json(&[&["run", "--changed", "--pipelines", pipelines.path()], arguments].concat())
    };
    assert_eq!(found(&run(&[])), [2, 0, 1000]);
    let open = "SELECT run_id, source_id, resolved_by FROM xdoflow.rejects ORDER BY source_id, run_id";
    assert_eq!(database.lines(open), ["2|5|∅", "2|6|∅"]);
    // The share is one of all rows, not of those that are tried again.
    let summary = run(&["--max-reject-percent", "1"]);
    assert_eq!((found(&summary), summary["entities"][0]["rejects"].as_u64()), ([2, 0, 1000], Some(2)));
    assert_eq!(database.lines(open), ["2|5|∅", "2|6|∅"]);
    database.sql(&set("age", "\"older\"", "5"));
    database.sql(&set("age", "6", "6"));
    assert_eq!(found(&run(&[])), [2, 0, 1000]);
    assert_eq!(database.lines(open), ["2|5|∅", "4|5|∅", "2|6|4"]);
    let listed = database.json(&["rejects"]);
    assert_eq!((&listed["count"], &listed["resolved"]), (&3.into(), &1.into()));
    database.sql("DELETE FROM source WHERE id = 5");
    assert_eq!(found(&run(&[])), [0, 1, 999]);
    assert_eq!(database.value("SELECT count(*) FROM xdoflow.rejects WHERE resolved_at IS NULL"), "0");
}

#[test]
fn a_retry_through_another_pipeline_makes_the_fingerprints_void() {
    let (database, pipelines) = people();
    database.sql(&set("age", "\"old\"", "5"));
    changed(&database, &pipelines);
    database.json(&["rejects", "retry", "--pipelines", pipelines.path()]);
    assert_eq!(found(&changed(&database, &pipelines)), [1, 0, 1000]);
    let other = PEOPLE.replace("age = \"bigint\"", "age = { type = \"bigint\", map = { old = \"99\" } }");
    let other = Pipelines::new(&[("people.toml", &other)]);
    database.json(&["rejects", "retry", "--pipelines", other.path()]);
    assert_eq!(database.value("SELECT age FROM person WHERE id = 5"), "99");
    assert!(reason(&changed(&database, &pipelines)).contains("no fingerprints"));
    assert_eq!(database.value("SELECT age FROM person WHERE id = 5"), "∅");
}

#[test]
fn rows_of_another_source_make_the_fingerprints_void() {
    let (database, pipelines) = people();
    let other = Database::with(&[(1, r#"{"name": "Other", "code": "o"}"#)], "");
    let run = |source: &str, arguments: &[&str]| {
        let all = [
            &["run", "--source", source, "--target", &database.url, "--pipelines", pipelines.path()],
            arguments,
        ];
        database.json(&all.concat())
    };
    run(&other.url, &[]);
    let summary = run(&database.url, &["--changed"]);
    assert!(reason(&summary).contains("another database"), "{}", reason(&summary));
    assert_eq!(database.value("SELECT name FROM person WHERE id = 1"), "n1");
    // An insert of theirs adds nothing that is not there, but who knows that.
    run(&other.url, &["--mode", "insert"]);
    assert!(reason(&run(&database.url, &["--changed"])).contains("no fingerprints"));
    assert_verified(&database, &pipelines);
}

#[test]
fn an_empty_v1_does_not_empty_v2() {
    let (database, pipelines) = people();
    database.sql("DELETE FROM source");
    let output = database.xdoflow(&["run", "--changed", "--prune", "--pipelines", pipelines.path()]);
    assert_eq!(output.status.code(), Some(1));
    assert!(stderr(&output).contains("V1 is empty"), "{}", stderr(&output));
    assert_eq!(database.value("SELECT count(*) FROM person"), "1000");
}

#[test]
fn a_role_that_may_not_ask_the_server_who_it_is_reads_everything() {
    let (database, pipelines) = people();
    let (url, role) = database.role("reader");
    database.sql(&format!("GRANT SELECT ON source TO {role}"));
    let run = || {
        let arguments = ["run", "--changed", "--source", &url, "--target", &database.url];
        database.json(&[&arguments, ["--pipelines", pipelines.path()].as_slice()].concat())
    };
    assert_eq!(found(&run()), [0, 0, 1000]);
    database.sql("REVOKE EXECUTE ON FUNCTION pg_control_system() FROM PUBLIC");
    assert!(reason(&run()).contains("does not say which it is: permission denied"));
}

#[test]
fn a_run_that_finds_nothing_writes_nothing_to_the_targets_and_says_so() {
    let (database, pipelines) = people();
    let state = "SELECT run_id FROM xdoflow.fingerprint_state";
    let rows = "SELECT sum(xmin::text::bigint), count(*), max(ctid) FROM person";
    let before = (database.value(state), database.lines(rows));
    let output = database.xdoflow(&["run", "--changed", "-v", "--pipelines", pipelines.path()]);
    let text = stdout(&output);
    assert!(text.contains("0 rows read from V1 of 1,000 compared\n"), "{text}");
    assert!(text.contains("nothing changed since the last run\n"), "{text}");
    assert!(text.contains("people: 1,000 rows compared with the last run, 0 fetched, 0 gone\n"), "{text}");
    assert_eq!((database.value(state), database.lines(rows)), before);
    assert_eq!(database.lines("SELECT relname FROM pg_class WHERE relname LIKE 'stage%'"), [] as [&str; 0]);
    assert_eq!(database.value("SELECT state FROM xdoflow.runs ORDER BY run_id DESC LIMIT 1"), "done");
}
