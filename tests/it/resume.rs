//! `run --resume`: what a run that was killed has staged is not read again, and the result is that of one instant
//! all the same, whatever was written to V1 and V2 since.

use serde_json::Value;

use crate::support::{Database, Pipelines, counts, stderr, stdout, wait_until};

const PIPELINE: &str = r#"
entity = "staff"
source = "source"

[target.person]
table = "person"
key = "id"
[target.person.columns]
id = "$id"
name = "text"
age = "bigint"
born = { type = "date", on_reject = "row" }

[target.badge]
table = "badge"
key = "person_id"
[target.badge.columns]
person_id = "$id"
code = "bigint"

[derived.chain]
table = "chain"
key = ["above", "below"]
closure = { parent = "boss", child = "id" }
[derived.chain.columns]
above = { from = "ancestor", type = "bigint" }
below = { from = "descendant", type = "bigint" }
depth = "smallint"
path = "jsonb"
"#;

const ROWS: u32 = 4_000;

/// Rows of V1 from this id on wait when they are staged.
const HELD_FROM: u32 = 3_300;

/// V1 with a tree, coercions, rejects and quarantined rows; V2 with its tables.
fn staff() -> (Database, Pipelines) {
    let database = Database::with(
        &[],
        &format!(
            "ALTER TABLE source SET (autovacuum_enabled = off);
             CREATE TABLE person (id bigint PRIMARY KEY, name text, age bigint, born date);
             CREATE TABLE badge (id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, person_id bigint, code bigint);
             CREATE INDEX ON badge (person_id);
             CREATE TABLE chain (id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, above bigint, below bigint,
                                 depth smallint, path jsonb);
             CREATE TABLE later (id bigint);
             INSERT INTO source SELECT id, jsonb_build_object('id', id, 'name', repeat('n' || id, 20), 'code', id * 7,
               'boss', CASE WHEN id > 9 THEN id / 10 END,
               'age', CASE WHEN id % 40 = 0 THEN 'old' ELSE (id % 90)::text END,
               'born', CASE WHEN id % 70 = 0 THEN '2023-02-30' ELSE '1990-01-02' END)
             FROM generate_series(1, {ROWS}) id; ANALYZE source;"
        ),
    );
    (database, Pipelines::new(&[("staff.toml", PIPELINE)]))
}

/// Makes the rows from an id on wait for an advisory lock when they are staged for the first target.
fn hold(database: &Database) {
    database.sql(&format!(
        "CREATE FUNCTION hold() RETURNS trigger LANGUAGE plpgsql AS $$
           BEGIN PERFORM pg_advisory_xact_lock_shared(1); RETURN NEW; END $$;
         CREATE FUNCTION add_trigger() RETURNS event_trigger LANGUAGE plpgsql AS $$
           DECLARE created record;
           BEGIN
             FOR created IN SELECT * FROM pg_event_trigger_ddl_commands() WHERE object_identity LIKE '%staff_1' LOOP
               EXECUTE format('CREATE TRIGGER hold BEFORE INSERT ON %s FOR EACH ROW WHEN (NEW.id >= {HELD_FROM})
                               EXECUTE FUNCTION public.hold()', created.object_identity);
             END LOOP;
           END $$;
         CREATE EVENT TRIGGER hold_staging ON ddl_command_end WHEN TAG IN ('CREATE TABLE AS')
           EXECUTE FUNCTION add_trigger();"
    ));
}

/// Starts a run and kills it when all but the held rows are staged; returns how many pieces are there.
fn kill_late(database: &Database, arguments: &[&str]) -> u64 {
    hold(database);
    let blocker = database.session();
    blocker.sql("SELECT pg_advisory_lock(1)");
    let running = database.start(arguments);
    let session = database.session();
    // Both lanes wait.
    wait_until(
        &session,
        "SELECT count(*) >= 2 FROM pg_stat_activity WHERE wait_event = 'advisory'
           AND application_name LIKE 'xdoflow: load%' AND datname = current_database()",
    );
    let run = session.sql("SELECT max(run_id) FROM xdoflow.runs")[0][0].clone();
    let pieces = format!("xdoflow.stage_{run}_staff_pieces");
    let done = session.sql(&format!("SELECT count(*) FROM {pieces} WHERE piece >= 0"))[0][0].clone();
    running.signal("KILL");
    running.end();
    blocker.sql("SELECT pg_advisory_unlock(1)");
    database.wait_for_end();
    database.sql("DROP EVENT TRIGGER hold_staging; DROP FUNCTION add_trigger; DROP FUNCTION hold CASCADE");
    done.parse().expect("a count")
}

/// What V2 must be: rows that differ in either direction.
const WRONG: &str = "
    WITH expected AS (
      SELECT id, xdo->>'name' AS name, CASE WHEN xdo->>'age' ~ '^[0-9]+$' THEN (xdo->>'age')::bigint END AS age,
        CASE WHEN xdo->>'born' = '2023-02-30' THEN NULL ELSE (xdo->>'born')::date END AS born FROM source
      WHERE xdo->>'born' IS DISTINCT FROM '2023-02-30'),
    wrong AS (
      (TABLE expected EXCEPT SELECT id, name, age, born FROM person)
      UNION ALL
      (SELECT id, name, age, born FROM person EXCEPT TABLE expected)),
    wrong_badges AS (
      (SELECT id, (xdo->>'code')::bigint FROM source EXCEPT ALL SELECT person_id, code FROM badge)
      UNION ALL
      (SELECT person_id, code FROM badge EXCEPT ALL SELECT id, (xdo->>'code')::bigint FROM source))
    SELECT (SELECT count(*) FROM wrong), (SELECT count(*) FROM wrong_badges)";

/// Quarantined rows keep their old row in V2; here there must be none that V1 sets aside.
fn assert_right(database: &Database, pipelines: &Pipelines, what: &str) {
    database.sql("DELETE FROM person WHERE id IN (SELECT id FROM source WHERE xdo->>'born' = '2023-02-30')");
    assert_eq!(database.lines(WRONG), ["0|0"], "{what}");
    let verified = database.xdoflow(&["verify", "--pipelines", pipelines.path()]);
    assert!(verified.status.success(), "{what}: {}{}", stdout(&verified), stderr(&verified));
    let left = "SELECT relname FROM pg_class WHERE relname LIKE 'stage\\_%'";
    assert_eq!(database.lines(left), [] as [&str; 0], "{what}");
}

/// The counts that the ledger holds of a run, and its rejects.
fn told(database: &Database, run: &Value) -> Vec<String> {
    let run = &run["run_id"];
    let mut lines = database.lines(&format!(
        "SELECT target_table, loaded, quarantined, filtered FROM xdoflow.run_targets WHERE run_id = {run} ORDER BY 1"
    ));
    lines.extend(database.lines(&format!(
        "SELECT target_table, target_column, count FROM xdoflow.run_columns WHERE run_id = {run} AND rejected ORDER BY 1, 2"
    )));
    lines.extend(database.lines(&format!(
        "SELECT source_id, target_table, target_column, reason_code FROM xdoflow.rejects
         WHERE run_id = {run} ORDER BY 1, 2, 3"
    )));
    lines
}

/// Changes in V1, in rows that are staged and in others: updates in place and moved, deletes, new rows, rows that
/// become bad and that become good, and edges.
const CHANGES: &str = "
    UPDATE source SET xdo = xdo || '{\"name\": \"changed\"}' WHERE id % 100 = 3;
    UPDATE source SET xdo = xdo || '{\"age\": \"older\"}' WHERE id % 200 = 5;
    UPDATE source SET xdo = xdo || '{\"born\": \"2023-02-30\"}' WHERE id IN (17, 1017, 3917);
    UPDATE source SET xdo = xdo || '{\"born\": \"1991-01-01\", \"age\": 5}' WHERE id IN (70, 280, 3990);
    UPDATE source SET xdo = xdo || '{\"boss\": 2}' WHERE id IN (35, 350, 3500);
    DELETE FROM source WHERE id % 150 = 7;
    INSERT INTO source SELECT id, jsonb_build_object('id', id, 'name', 'new', 'code', id, 'boss', 3, 'born', '2001-02-03')
    FROM generate_series(5001, 5040) id;
    INSERT INTO source VALUES (-5, '{\"name\": \"low\", \"code\": 1}')";

#[test]
fn a_run_that_was_killed_late_is_gone_on_with_and_reads_little_again() {
    // The fingerprints come with the rows; or, where only what has changed was asked for and that was too much,
    // they were scanned before.
    let ways = [
        (&["--prune", "--stage-all"][..], "staged", ""),
        (&["--prune"], "delta", ""),
        (&["--prune"], "delta", "UPDATE source SET xdo = xdo || '{\"more\": 1}' WHERE id > 1000"),
    ];
    for (arguments, way, before) in ways {
        for changes in ["", CHANGES] {
            let (database, pipelines) = staff();
            let run = [&["run", "--jobs", "2", "--pipelines", pipelines.path()], arguments].concat();
            // V2 is there, and all of it out of date.
            database.json(&["run", "--pipelines", pipelines.path()]);
            database.sql("UPDATE person SET name = 'old'; UPDATE badge SET code = 0; ANALYZE");
            database.sql(before);
            let asked = if before.is_empty() { &[][..] } else { &["--changed"] };
            let pieces = kill_late(&database, &[&run[..], asked].concat());
            assert!(pieces >= 5, "{pieces} pieces, {way}");
            database.sql(changes);
            // And others write to V2.
            database.sql("UPDATE person SET age = -1 WHERE id IN (50, 3800); INSERT INTO badge (person_id, code) VALUES (60, 1)");
            let output = database.xdoflow(&[
                "run",
                "--resume",
                "--max-deletes",
                "1000",
                "--json",
                "--jobs",
                "2",
                "--pipelines",
                pipelines.path(),
            ]);
            let what = format!("{way}, {before}, changes: {}", !changes.is_empty());
            assert_eq!(output.status.code(), Some(0), "{what}: {}", stderr(&output));
            let resumed: Value = serde_json::from_slice(&output.stdout).expect("one JSON object");
            let entity = &resumed["entities"][0];
            let read = entity["rows_read"].as_u64().expect("a count");
            let kept = entity["resumed"]["kept"].as_u64().expect("a count");
            let all: u64 = database.value("SELECT count(*) FROM source").parse().expect("a count");
            assert_eq!(read + kept, all, "{what}: {entity}");
            assert!(read * 100 <= all * 35, "{what}: {read} of {all} were read");
            assert_eq!(entity["targets"][0]["way"], way);
            assert_eq!(counts(&resumed, 0, ["loaded", "quarantined"]).iter().sum::<u64>(), all, "{what}");
            assert_right(&database, &pipelines, &what);
            assert_eq!(
                database.lines("SELECT state, resumes FROM xdoflow.runs ORDER BY run_id DESC LIMIT 2"),
                ["done|2", "died|∅"]
            );
            // A run that reads everything finds nothing to do, and the same counts and rejects.
            let whole = database.json(&[&run[..], &["--stage-all"][..usize::from(way == "delta")]].concat());
            assert_eq!(counts(&whole, 0, ["inserted", "updated", "deleted"]), [0, 0, 0], "{what}");
            assert_eq!(told(&database, &resumed), told(&database, &whole), "{what}");
            // The fingerprints that are kept are of the instant that was published.
            let changed = database.json(&["run", "--changed", "--pipelines", pipelines.path()]);
            assert_eq!(changed["entities"][0]["changed"]["used"], true, "{what}");
            assert_eq!(counts(&changed, 0, ["inserted", "updated", "deleted"]), [0, 0, 0], "{what}");
        }
    }
}

#[test]
fn what_cannot_be_gone_on_with_is_read_from_the_start_and_the_reason_is_told() {
    for (change, reason) in [
        ("VACUUM FULL source", "the source table was rewritten"),
        ("ALTER TABLE person ADD COLUMN more text", "the pipeline, or a table that it writes, has changed"),
        ("TRUNCATE xdoflow.stage_2_staff_1", "rows are staged where"),
        ("TRUNCATE xdoflow.stage_2_staff_seen", "fingerprints are staged where"),
        ("DROP TABLE xdoflow.stage_2_staff_pieces", "nothing of it was staged"),
        ("UPDATE source SET xdo = xdo || '{\"name\": \"x\"}'", "more than a tenth of the rows have changed"),
    ] {
        let (database, pipelines) = staff();
        database.json(&["run", "--pipelines", pipelines.path()]);
        database.sql("UPDATE person SET name = 'old'");
        kill_late(
            &database,
            &["run", "--prune", "--stage-all", "--jobs", "2", "--pipelines", pipelines.path()],
        );
        database.sql(change);
        let output = database.xdoflow(&[
            "run",
            "--resume",
            "2",
            "--json",
            "--progress",
            "plain",
            "--pipelines",
            pipelines.path(),
        ]);
        let text = stderr(&output);
        assert_eq!(output.status.code(), Some(0), "{change}: {text}");
        assert!(text.contains("staff is read from the start: ") && text.contains(reason), "{change}: {text}");
        let summary: Value = serde_json::from_slice(&output.stdout).expect("one JSON object");
        assert_eq!(summary["entities"][0]["resumed"], Value::Null);
        assert_right(&database, &pipelines, change);
    }
}

#[test]
fn what_was_published_is_skipped_and_the_mode_is_that_of_the_run() {
    let database = Database::workspace();
    database.sql(
        "CREATE FUNCTION stop() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RAISE 'not now'; END $$;
         CREATE TRIGGER stop BEFORE INSERT ON mvpw5_696 EXECUTE FUNCTION stop()",
    );
    let output =
        database.xdoflow(&["run", "users", "agents", "participants", "--mode", "replace", "--jobs", "1"]);
    assert_eq!(output.status.code(), Some(1), "{}", stderr(&output));
    let published = database.lines("SELECT entity FROM xdoflow.run_entities ORDER BY 1");
    database.sql("DROP TRIGGER stop ON mvpw5_696");
    let resumed = database.json(&["run", "--resume"]);
    let mut skipped: Vec<&str> =
        resumed["skipped"].as_array().expect("a list").iter().filter_map(Value::as_str).collect();
    skipped.sort_unstable();
    assert_eq!(skipped, published);
    assert_eq!(resumed["mode"], "replace");
    assert_eq!(resumed["entities"].as_array().expect("a list").len(), 3 - published.len());
    assert_eq!(
        database.value("SELECT count(*) FROM mvpw5_696"),
        database.value("SELECT count(*) FROM mvpw1_39")
    );

    // There is nothing to resume any more, and nothing that never was.
    for (arguments, expected) in [
        (&["run", "--resume"][..], "has come to its end"),
        (&["run", "--resume", "99"], "there is no run 99"),
        (&["run", "--resume", "--prune"], "cannot be used with"),
    ] {
        let output = database.xdoflow(arguments);
        assert_eq!(output.status.code(), Some(2), "{arguments:?}");
        assert!(stderr(&output).contains(expected), "{}", stderr(&output));
    }
    let empty = Database::empty();
    let output = empty.xdoflow(&["run", "--resume"]);
    assert_eq!(output.status.code(), Some(2));
    assert!(stderr(&output).contains("there is no run to resume"), "{}", stderr(&output));
}

#[test]
fn a_run_that_lost_its_connection_says_that_it_can_be_gone_on_with() {
    let (database, pipelines) = staff();
    database.json(&["run", "--pipelines", pipelines.path()]);
    database.sql("UPDATE person SET name = 'old'");
    hold(&database);
    let blocker = database.session();
    blocker.sql("SELECT pg_advisory_lock(1)");
    let running =
        database.start(&["run", "--prune", "--stage-all", "--jobs", "2", "--pipelines", pipelines.path()]);
    let session = database.session();
    wait_until(
        &session,
        "SELECT count(*) >= 2 FROM pg_stat_activity WHERE wait_event = 'advisory'
           AND application_name LIKE 'xdoflow: load%' AND datname = current_database()",
    );
    session.sql(
        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity
         WHERE application_name = 'xdoflow: snapshot' AND datname = current_database()",
    );
    blocker.sql("SELECT pg_advisory_unlock(1)");
    let (code, text) = running.end();
    assert_eq!(code, Some(1), "{text}");
    assert!(text.contains("xdoflow run --resume 2 goes on with it"), "{text}");
    database.sql("DROP EVENT TRIGGER hold_staging; DROP FUNCTION add_trigger; DROP FUNCTION hold CASCADE");
    // To look at what a run would do does not throw away what this one has staged, nor is it the run to resume.
    database.json(&["plan", "--prune", "--pipelines", pipelines.path()]);
    let resumed = database.json(&["run", "--resume", "--pipelines", pipelines.path()]);
    assert_eq!(resumed["resumed"], 2);
    assert!(resumed["entities"][0]["resumed"]["kept"].as_u64().expect("a count") > 2_000, "{resumed}");
    assert_right(&database, &pipelines, "a lost connection");
}

#[test]
fn elements_that_were_staged_are_kept_unless_documents_have_changed_since() {
    const PIECES: &str = r#"
[target.piece]
table = "piece"
explode = "pieces"
[target.piece.columns]
person_id = "$id"
position = "$position"
size = { from = "$element", type = "bigint", on_reject = "row" }
"#;
    for (arguments, way) in [(&["--prune", "--stage-all"][..], "staged"), (&["--prune"], "delta")] {
        for changes in ["", "UPDATE source SET xdo = xdo || '{\"pieces\": [7]}' WHERE id = 9"] {
            let (database, _) = staff();
            let pipelines = Pipelines::new(&[("staff.toml", &format!("{PIPELINE}{PIECES}"))]);
            database.sql(
                "CREATE TABLE piece (person_id bigint, position integer, size bigint, PRIMARY KEY (person_id, position));
                 UPDATE source SET xdo = xdo || jsonb_build_object('pieces', (SELECT jsonb_agg(
                   CASE WHEN id % 50 = 0 THEN '\"big\"'::jsonb ELSE to_jsonb(e) END) FROM generate_series(1, id % 3) e))",
            );
            database.sql("VACUUM FULL source");
            database.json(&["run", "--pipelines", pipelines.path()]);
            database.sql("UPDATE person SET name = 'old'; UPDATE piece SET size = 0; ANALYZE");
            kill_late(
                &database,
                &[&["run", "--jobs", "2", "--pipelines", pipelines.path()], arguments].concat(),
            );
            database.sql(changes);
            let resume = ["run", "--resume", "--jobs", "2", "--pipelines", pipelines.path()];
            let resumed = database.json(&resume);
            let entity = &resumed["entities"][0];
            assert_eq!(entity["resumed"].is_null(), !changes.is_empty(), "{way}: {entity}");
            if changes.is_empty() {
                assert_eq!(entity["targets"][2]["way"], way);
            }
            let expected: Vec<u64> = database
                .lines(
                    "SELECT sum(jsonb_array_length(CASE jsonb_typeof(xdo->'pieces') WHEN 'array' THEN xdo->'pieces' END)),
                            sum(CASE WHEN xdo->>'pieces' LIKE '%big%' THEN jsonb_array_length(xdo->'pieces') END) FROM source",
                )[0]
                .split('|')
                .map(|count| count.parse().expect("a count"))
                .collect();
            assert_eq!(counts(&resumed, 2, ["rows", "quarantined"]).to_vec(), expected, "{way}");
            assert_right(&database, &pipelines, way);
        }
    }
}
