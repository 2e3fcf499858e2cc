//! What stops a publish, or keeps it from being one: the targets are as before, and the message says why.

use std::process::Output;

use crate::faults::{HELD_STAGING, WAITING, assert_nothing_left};
use crate::support::{Database, Pipelines, counts, stderr, stdout, try_sql, wait_until};

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

const TARGET: &str = "CREATE TABLE person (id bigint PRIMARY KEY, name text, note text DEFAULT 'new');";

/// V1 holds the ids 1 to `kept`; V2 holds 1 to 1,000, and the first ten of them are out of date.
fn people(kept: u32) -> (Database, Pipelines) {
    let database = Database::with(
        &[],
        &format!(
            "{TARGET}
             INSERT INTO source SELECT id, jsonb_build_object('name', 'n' || id) FROM generate_series(1, {kept}) id;
             INSERT INTO person SELECT id, CASE WHEN id > 10 THEN 'n' || id ELSE 'old' END, 'mine'
             FROM generate_series(1, 1000) id;"
        ),
    );
    (database, Pipelines::new(&[("people.toml", PIPELINE)]))
}

/// Where every row stands, and who wrote it.
fn image(database: &Database) -> String {
    database
        .value("SELECT md5(string_agg(xmin::text || ctid::text || p::text, ';' ORDER BY ctid)) FROM person p")
}

fn run(database: &Database, pipelines: &Pipelines, arguments: &[&str]) -> Output {
    database.xdoflow(&[&["run", "--pipelines", pipelines.path()], arguments].concat())
}

/// The ways in which rows are deleted because V1 no longer has them.
const DELETING: [&[&str]; 3] = [&["--prune"], &["--prune", "--stage-all"], &["--mode", "replace"]];

#[test]
fn more_deletes_than_allowed_stop_the_run_and_the_flag_that_allows_them_is_named() {
    // A hundred rows may always go.
    for (kept, stale) in [(900, 100), (899, 101)] {
        for way in DELETING {
            let (database, pipelines) = people(kept);
            let before = image(&database);
            let output = run(&database, &pipelines, way);
            let text = stderr(&output);
            if stale == 100 {
                assert_eq!(output.status.code(), Some(0), "{way:?} {text}");
                assert_eq!(database.value("SELECT count(*) FROM person"), "900");
                continue;
            }
            assert_eq!(output.status.code(), Some(1), "{way:?}");
            assert!(text.contains("101 of 1000 rows of person would be deleted"), "{text}");
            assert!(text.contains("V1 no longer has their id"), "{text}");
            assert!(text.contains("--max-deletes 101"), "{text}");
            assert_eq!(image(&database), before, "{way:?}");
            assert_nothing_left(&database);
            assert_eq!(database.value("SELECT state FROM xdoflow.runs"), "failed");

            for (limit, allowed) in [("100", false), ("10%", false), ("101", true)] {
                let output = run(&database, &pipelines, &[way, &["--max-deletes", limit]].concat());
                assert_eq!(output.status.success(), allowed, "{way:?} {limit} {}", stderr(&output));
                assert_eq!(image(&database) == before, !allowed, "{way:?} {limit}");
            }
            assert_eq!(database.value("SELECT count(*) FROM person"), "899", "{way:?}");
        }
    }
}

#[test]
fn a_share_of_deletes_is_one_of_the_rows_before_the_run() {
    for way in DELETING {
        let (database, pipelines) = people(500);
        let output = run(&database, &pipelines, &[way, &["--max-deletes", "49.9%"]].concat());
        assert!(stderr(&output).contains("500 of 1000 rows"), "{}", stderr(&output));
        let output = run(&database, &pipelines, &[way, &["--max-deletes", "50%"]].concat());
        assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));
        assert_eq!(database.value("SELECT count(*) FROM person"), "500");
    }
    let (database, pipelines) = people(500);
    let output = run(&database, &pipelines, &["--prune", "--max-deletes", "many"]);
    assert_eq!(output.status.code(), Some(2));
    assert!(stderr(&output).contains("not a number of rows, nor a percentage"), "{}", stderr(&output));
}

#[test]
fn surplus_rows_of_a_key_that_stays_are_no_deletes_of_that_kind() {
    for way in [&["--prune"][..], &["--prune", "--stage-all"]] {
        let (database, pipelines) = people(1000);
        database.sql(
            "ALTER TABLE person DROP CONSTRAINT person_pkey;
             INSERT INTO person SELECT id, 'copy' FROM generate_series(1, 1000) id;
             INSERT INTO person SELECT id, 'stale' FROM generate_series(2001, 2007) id;",
        );
        let mut arguments = vec!["run", "--max-deletes", "7", "--pipelines", pipelines.path()];
        arguments.extend(way);
        let summary = database.json(&arguments);
        assert_eq!(counts(&summary, 0, ["deleted", "surplus", "stale"]), [1007, 1000, 7], "{way:?}");
    }
}

#[test]
fn a_dry_run_tells_exactly_what_a_run_would_do_and_does_nothing() {
    for way in [&["--prune"][..], &["--prune", "--stage-all"], &["--mode", "replace"], &["--mode", "insert"]]
    {
        let (database, pipelines) = people(990);
        database.sql(
            "DELETE FROM person WHERE id BETWEEN 101 AND 105; UPDATE source SET xdo = '7' WHERE id = 50",
        );
        let before = image(&database);
        let arguments = [&["run", "--pipelines", pipelines.path()], way].concat();
        let dry = database.json(&[&arguments[..], &["--dry-run"]].concat());
        assert_eq!(dry["dry_run"], true);
        assert_eq!(image(&database), before, "{way:?}");
        assert_nothing_left(&database);
        assert_eq!(database.value("SELECT count(*) FROM xdoflow.rejects"), "0");
        assert_eq!(database.lines("SELECT dry_run, state FROM xdoflow.runs"), ["t|done"]);

        let real = database.json(&arguments);
        assert_eq!(real["dry_run"], false);
        assert_eq!(real["entities"][0]["targets"], dry["entities"][0]["targets"], "{way:?}");
        assert_eq!(real["entities"][0]["columns"], dry["entities"][0]["columns"], "{way:?}");
        let [inserted, updated, deleted] = counts(&real, 0, ["inserted", "updated", "deleted"]);
        let expected = match way {
            ["--mode", "insert"] => [5, 0, 0],
            ["--mode", "replace"] => [989, 0, 994],
            _ => [5, 10, 10],
        };
        assert_eq!([inserted, updated, deleted], expected, "{way:?}");
        assert_eq!(
            database.lines("SELECT dry_run, inserted, updated, deleted FROM xdoflow.runs JOIN xdoflow.run_targets USING (run_id) ORDER BY run_id"),
            ["t", "f"].map(|dry| format!("{dry}|{inserted}|{updated}|{deleted}")),
            "{way:?}"
        );
        assert_eq!(database.value("SELECT count(*) FROM xdoflow.rejects"), "1");
    }
}

#[test]
fn a_dry_run_into_an_empty_target_leaves_it_empty_and_says_so() {
    let (database, pipelines) = people(990);
    database.sql("TRUNCATE person");
    let output = run(&database, &pipelines, &["--dry-run", "-v"]);
    assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));
    let text = stdout(&output);
    assert!(text.contains("dry run done in"), "{text}");
    assert!(text.contains("990 rows inserted"), "{text}");
    assert!(text.contains("all of this was rolled back; the targets are as before"), "{text}");
    assert_eq!(database.value("SELECT count(*) FROM person"), "0");
    let quarantined = stdout(&database.xdoflow(&["rejects"]));
    assert!(!quarantined.contains("person"), "{quarantined}");
}

#[test]
fn a_guard_stops_a_dry_run_as_it_would_stop_a_run() {
    let (database, pipelines) = people(100);
    let output = run(&database, &pipelines, &["--dry-run", "--prune"]);
    assert_eq!(output.status.code(), Some(1));
    assert!(stderr(&output).contains("900 of 1000 rows"), "{}", stderr(&output));
}

#[test]
fn a_target_that_is_altered_during_the_run_stops_it() {
    for (change, expected) in [
        ("ALTER TABLE person ALTER COLUMN name TYPE varchar(30)", "the column name was text, and is another"),
        ("ALTER TABLE person ALTER COLUMN name SET NOT NULL", "the column name was text, and is another"),
        ("ALTER TABLE person DROP COLUMN name", "the column name is gone"),
        ("ALTER TABLE person ADD COLUMN age bigint", "the column age is new"),
        ("ALTER TABLE person DROP CONSTRAINT person_pkey", "its unique indexes are others"),
        (
            "CREATE RULE nothing AS ON UPDATE TO person DO ALSO SELECT 1",
            "its rules or its row security are others",
        ),
        (
            "ALTER TABLE person RENAME TO other; CREATE TABLE person (LIKE other INCLUDING ALL);
             GRANT ALL ON person TO PUBLIC",
            "it is another table",
        ),
        ("DROP TABLE person", "the table was dropped or renamed while the run was under way"),
    ] {
        let (database, pipelines) = people(1000);
        database.sql(HELD_STAGING);
        let blocker = database.session();
        blocker.sql("SELECT pg_advisory_lock(1)");
        let running = database.start(&["run", "--pipelines", pipelines.path(), "--stage-all"]);
        wait_until(&database.session(), WAITING);
        database.sql(change);
        blocker.sql("SELECT pg_advisory_unlock(1)");
        let (code, text) = running.end();
        assert_eq!(code, Some(1), "{change}: {text}");
        assert!(text.contains(expected) && text.contains("hint:"), "{change}: {text}");
        assert_nothing_left(&database);
        if change.contains("other") {
            assert_eq!(database.value("SELECT count(*) FROM other WHERE name = 'old'"), "10");
        }
    }
}

#[test]
fn a_v1_that_is_read_can_be_written_to_and_not_be_emptied() {
    let (database, pipelines) = people(1000);
    database.sql(HELD_STAGING);
    let blocker = database.session();
    blocker.sql("SELECT pg_advisory_lock(1)");
    let running = database.start(&["run", "--pipelines", pipelines.path(), "--stage-all", "--prune"]);
    wait_until(&database.session(), WAITING);
    database.sql("DELETE FROM source WHERE id > 500; INSERT INTO source VALUES (2000, '{}')");
    for statement in ["TRUNCATE source", "ALTER TABLE source DROP COLUMN xdo", "DROP TABLE source"] {
        let error = try_sql(&database.url, &format!("SET lock_timeout = '50ms'; {statement}"))
            .expect_err("it waits for the run");
        assert!(error.contains("lock timeout"), "{error}");
    }
    blocker.sql("SELECT pg_advisory_unlock(1)");
    let (code, text) = running.end();
    assert_eq!(code, Some(0), "{text}");
    // The instant at which the run began.
    assert_eq!(database.value("SELECT count(*) FROM person WHERE name = 'n' || id"), "1000");
    assert_eq!(database.value("SELECT count(*) FROM person"), "1000");
}

#[test]
fn a_policy_that_hides_rows_of_v1_stops_the_run_instead_of_deleting_them() {
    let (database, pipelines) = people(1000);
    let (url, reader) = database.role("reader");
    database.sql(&format!(
        "GRANT SELECT ON source TO {reader};
         ALTER TABLE source ENABLE ROW LEVEL SECURITY; CREATE POLICY few ON source USING (id <= 950)"
    ));
    let mut command = crate::support::program();
    let arguments =
        ["run", "--prune", "--pipelines", pipelines.path(), "--source", &url, "--target", &database.url];
    let output = command.args(arguments).output().expect("the program runs");
    assert_eq!(output.status.code(), Some(1));
    let text = stderr(&output);
    assert!(text.contains("row-level security hides rows of source from the role"), "{text}");
    assert!(text.contains("hint:"), "{text}");
    assert_eq!(database.value("SELECT count(*) FROM person"), "1000");
    database.sql(&format!("ALTER ROLE {reader} BYPASSRLS"));
    let output = command.output().expect("the program runs");
    assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));
}
