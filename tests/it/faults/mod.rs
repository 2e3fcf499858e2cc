//! What stops a run, and what is left behind: nothing.

mod kill;
mod network;
pub mod scene;
mod sessions;
mod signals;
mod soak;
mod whole_server;

use std::net::TcpListener;

use crate::support::{Database, Pipelines, Running, program, server, stderr, wait_until};

const PIPELINE: &str = r#"
entity = "people"
source = "source"

[target.person]
table = "person"
key = "id"

[target.person.columns]
id = "$id"
name = "text"
"#;

fn people(documents: &[(i64, &str)]) -> (Database, Pipelines) {
    let database = Database::with(
        documents,
        "CREATE TABLE person (id bigint PRIMARY KEY, name text); INSERT INTO person VALUES (9, 'Old');",
    );
    (database, Pipelines::new(&[("people.toml", PIPELINE)]))
}

/// Makes the rows of V1 wait for an advisory lock when they are copied, and when they are only counted
/// not.
const HELD_SOURCE: &str = "
    ALTER TABLE source RENAME TO rows;
    CREATE VIEW source AS SELECT id, xdo FROM rows
    WHERE CASE WHEN current_query() LIKE 'COPY%' THEN pg_advisory_xact_lock_shared(1)::text IS NOT NULL ELSE true END;";

/// Makes the COPY into each staging table wait for an advisory lock.
pub const HELD_STAGING: &str = "
    CREATE FUNCTION hold() RETURNS trigger LANGUAGE plpgsql AS $$
      BEGIN PERFORM pg_advisory_xact_lock_shared(1); RETURN NULL; END $$;
    CREATE FUNCTION add_trigger() RETURNS event_trigger LANGUAGE plpgsql AS $$
      DECLARE created record;
      BEGIN
        FOR created IN SELECT * FROM pg_event_trigger_ddl_commands() WHERE schema_name = 'xdoflow' LOOP
          EXECUTE format('CREATE TRIGGER hold BEFORE INSERT ON %s EXECUTE FUNCTION public.hold()',
                         created.object_identity);
        END LOOP;
      END $$;
    CREATE EVENT TRIGGER hold_staging ON ddl_command_end WHEN TAG IN ('CREATE TABLE AS')
      EXECUTE FUNCTION add_trigger();";

/// A session of the program waits for a lock.
pub const WAITING: &str = "SELECT count(*) > 0 FROM pg_stat_activity
    WHERE wait_event_type = 'Lock' AND wait_event <> 'extend' AND application_name LIKE 'xdoflow%'
      AND datname = current_database()";

/// No staging table is left, and no session of the program.
pub fn assert_nothing_left(database: &Database) {
    assert_eq!(database.lines("SELECT relname FROM pg_class WHERE relname LIKE 'stage%'"), [] as [&str; 0]);
    wait_until(
        &database.session(),
        "SELECT count(*) = 0 FROM pg_stat_activity
         WHERE application_name LIKE 'xdoflow%' AND datname = current_database()",
    );
}

#[test]
fn an_empty_v1_changes_nothing_in_a_merge() {
    let (database, pipelines) = people(&[]);
    let summary = database.json(&["run", "--pipelines", pipelines.path()]);
    assert_eq!(summary["entities"][0]["rows_read"], 0);
    assert_eq!(summary["entities"][0]["targets"][0]["stale"], 1);
    assert_eq!(database.lines("SELECT * FROM person"), ["9|Old"]);
}

#[test]
fn an_empty_v1_stops_a_prune_and_a_replace_before_they_delete_everything() {
    let (database, pipelines) = people(&[]);
    for arguments in [["run", "--prune"].as_slice(), &["run", "--mode", "replace"]] {
        let output = database.xdoflow(&[arguments, &["--pipelines", pipelines.path()]].concat());
        assert_eq!(output.status.code(), Some(1), "{arguments:?}");
        let text = stderr(&output);
        assert!(text.contains("V1 is empty, and the run would delete every row of the target"), "{text}");
        assert_eq!(database.lines("SELECT * FROM person"), ["9|Old"]);
    }
    assert_nothing_left(&database);
    assert_eq!(database.lines("SELECT state FROM xdoflow.runs"), ["failed", "failed"]);
}

#[test]
fn tables_and_columns_that_are_missing_are_named_all_at_once() {
    let pipelines = Pipelines::new(&[
        (
            "people.toml",
            &PIPELINE.replace("name = \"text\"", "nam = \"text\"\nage = \"date\"\nnick = \"text\""),
        ),
        (
            "ghosts.toml",
            &PIPELINE.replace("people", "ghosts").replace("table = \"person\"", "table = \"ghost\""),
        ),
    ]);
    let database = Database::with(
        &[(1, "{}")],
        "CREATE TABLE person (id bigint PRIMARY KEY, name text, age integer, born date NOT NULL);",
    );
    let output = database.xdoflow(&["run", "--pipelines", pipelines.path()]);
    assert_eq!(output.status.code(), Some(1));
    let text = stderr(&output);
    for expected in [
        "ghost: the target database has no such table",
        "people.toml:11:1: person.nam: the table has no such column",
        "people.toml:12:1: person.age: ",
        "people.toml:13:1: person.nick: the table has no such column",
        "person.born: the column takes no null, has no default, and the pipeline does not feed it",
        "did you mean \"name\"?",
    ] {
        assert!(text.contains(expected), "{expected}\n{text}");
    }
    assert_eq!(database.value("SELECT to_regclass('xdoflow.runs') IS NULL"), "t");
}

#[test]
fn a_source_table_that_is_missing_or_has_another_shape_is_named() {
    let (database, pipelines) = people(&[]);
    database.sql("ALTER TABLE source RENAME COLUMN xdo TO doc");
    let output = database.xdoflow(&["run", "--pipelines", pipelines.path()]);
    assert_eq!(output.status.code(), Some(1));
    assert!(stderr(&output).contains("the source table source has no column xdo"), "{}", stderr(&output));
    database.sql("DROP TABLE source");
    let output = database.xdoflow(&["run", "--pipelines", pipelines.path()]);
    assert_eq!(output.status.code(), Some(1));
    assert!(stderr(&output).contains("the source has no table source"), "{}", stderr(&output));
}

#[test]
fn a_server_that_is_not_there_is_named_with_its_host_and_port() {
    // A port that was free a moment ago, and that nobody listens on.
    let port = TcpListener::bind("127.0.0.1:0").expect("a port").local_addr().expect("an address").port();
    let url = format!("postgresql://someone:s3cret@127.0.0.1:{port}/nowhere");
    for command in ["run", "status", "check"] {
        let output = program().args([command, "--source", &url]).output().expect("the program runs");
        assert_eq!(output.status.code(), Some(1), "{command}");
        let text = stderr(&output);
        assert!(text.contains(&format!("127.0.0.1:{port}")) && text.contains("hint:"), "{text}");
        assert!(!text.contains("s3cret"), "{text}");
    }
}

#[test]
fn a_wrong_password_is_told_without_showing_it() {
    let url = server().url();
    let (before, after) = url.rsplit_once('@').expect("a host");
    let (user, password) = before.rsplit_once(':').expect("a password");
    let output = program()
        .args(["status", "--source", &format!("{user}:wr0ng{password}@{after}")])
        .output()
        .expect("the program runs");
    assert_eq!(output.status.code(), Some(1));
    let text = stderr(&output);
    assert!(text.contains("password authentication failed"), "{text}");
    assert!(text.contains("hint:") && !text.contains("wr0ng") && !text.contains(password), "{text}");
}

#[test]
fn more_rejects_than_allowed_stop_the_run_with_the_targets_as_before() {
    let (database, _) =
        people(&[(1, r#"{"name": {}, "age": "x"}"#), (2, r#"{"age": "y"}"#), (3, r#"{"age": 3}"#)]);
    database.sql("ALTER TABLE person ADD COLUMN age bigint");
    let pipelines = Pipelines::new(&[("people.toml", &format!("{PIPELINE}age = \"bigint\"\n"))]);
    let run =
        |limit: &str| database.xdoflow(&["run", "--max-rejects", limit, "--pipelines", pipelines.path()]);
    let output = run("1");
    assert_eq!(output.status.code(), Some(1));
    let text = stderr(&output);
    assert!(text.contains("more than 1 rejects"), "{text}");
    assert!(text.contains("2 × not a number in person.age (ids 1, 2)"), "{text}");
    assert_eq!(database.lines("SELECT id FROM person"), ["9"]);
    assert_nothing_left(&database);
    assert_eq!(run("2").status.code(), Some(0));
    assert_eq!(database.lines("SELECT id, age FROM person ORDER BY id"), ["1|∅", "2|∅", "3|3", "9|∅"]);
}

#[test]
fn two_runs_of_an_entity_at_once_are_refused_and_the_holder_is_named() {
    let (database, pipelines) = people(&[(1, r#"{"name": "Ann"}"#)]);
    database.sql(HELD_SOURCE);
    let blocker = database.session();
    blocker.sql("SELECT pg_advisory_lock(1)");
    let first = database.start(&["run", "--pipelines", pipelines.path()]);
    wait_until(&database.session(), WAITING);
    let second = database.xdoflow(&["run", "--pipelines", pipelines.path()]);
    assert_eq!(second.status.code(), Some(1));
    let text = stderr(&second);
    assert!(text.contains("another run of people is under way"), "{text}");
    assert!(text.contains("xdoflow: ledger of people") && text.contains("since 20"), "{text}");
    blocker.sql("SELECT pg_advisory_unlock(1)");
    let (code, text) = first.end();
    assert_eq!(code, Some(0), "{text}");
    assert_eq!(database.lines("SELECT * FROM person ORDER BY id"), ["1|Ann", "9|Old"]);
}

#[test]
fn what_a_killed_run_leaves_behind_is_cleaned_up_by_the_next() {
    let (database, pipelines) = people(&[(1, r#"{"name": "Ann"}"#)]);
    let blocker = database.session();
    blocker.sql("BEGIN; LOCK TABLE person IN SHARE MODE");
    let mut first = database.start(&["run", "--pipelines", pipelines.path()]);
    first.wait_for("\"publishing\"");
    first.signal("KILL");
    first.end();
    blocker.sql("COMMIT");
    wait_until(
        &database.session(),
        "SELECT count(*) = 0 FROM pg_stat_activity
         WHERE application_name LIKE 'xdoflow%' AND datname = current_database()",
    );
    assert_eq!(database.lines("SELECT * FROM person"), ["9|Old"]);
    assert_eq!(
        database.lines("SELECT relname FROM pg_class WHERE relname LIKE 'stage\\_1\\_people\\_%' ORDER BY 1"),
        ["1", "fingerprints", "gone1", "pieces", "rejects", "seen"]
            .map(|table| format!("stage_1_people_{table}"))
    );
    database.json(&["run", "--pipelines", pipelines.path()]);
    assert_eq!(database.lines("SELECT * FROM person ORDER BY id"), ["1|Ann", "9|Old"]);
    assert_nothing_left(&database);
    assert_eq!(database.lines("SELECT state FROM xdoflow.runs ORDER BY run_id"), ["died", "done"]);
}

#[test]
fn ctrl_c_in_any_phase_leaves_the_targets_as_before_and_nothing_behind() {
    // What is prepared, what is locked, and where the run then waits.
    for (prepared, lock, phase) in [
        ("", "LOCK TABLE source", "planning"),
        (HELD_SOURCE, "SELECT pg_advisory_lock(1)", "reading"),
        (HELD_STAGING, "SELECT pg_advisory_lock(1)", "loading"),
        ("", "LOCK TABLE person IN SHARE MODE", "publishing"),
    ] {
        let (database, pipelines) = people(&[(1, r#"{"name": "Ann"}"#)]);
        database.sql(prepared);
        // The roles have their rights before the lock, which would hold these up, too.
        let command = database.telling(&["run", "--pipelines", pipelines.path()]);
        let blocker = database.session();
        blocker.sql(&format!("BEGIN; {lock}"));
        let running = Running::start(command);
        wait_until(&database.session(), WAITING);
        running.signal("INT");
        let (code, text) = running.end();
        assert_eq!(code, Some(130), "{phase}: {text}");
        assert!(text.contains("error: interrupted"), "{phase}: {text}");
        assert_eq!(database.lines("SELECT * FROM person"), ["9|Old"], "{phase}");
        assert_nothing_left(&database);
        if phase != "planning" {
            assert_eq!(database.lines("SELECT state FROM xdoflow.runs"), ["interrupted"], "{phase}");
        }
    }
}
