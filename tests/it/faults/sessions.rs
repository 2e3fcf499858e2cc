//! Sessions of the run that somebody ends or cancels, limits that the administrator has set, locks that others
//! hold, and two runs at once.

use super::scene::{Scene, Way, end};
use super::{HELD_STAGING, WAITING, assert_nothing_left};
use crate::support::{Database, Pipelines, stderr, try_sql, wait_until};

const SESSIONS: &str = "SELECT pid, application_name FROM pg_stat_activity
    WHERE application_name LIKE 'xdoflow: %' AND datname = current_database() ORDER BY backend_start, pid";

/// Ends or cancels each session that a run has while it waits, one a run.
fn strike(way: Way, holder: &str, function: &str) {
    let mut scene = Scene::new(way);
    if holder.contains("advisory") {
        scene.database.sql(HELD_STAGING);
    }
    let (mut number, mut struck_all) = (0, 0);
    loop {
        scene.next_round();
        let blocker = scene.database.session();
        blocker.sql(&format!("BEGIN; {holder}"));
        let child = scene.command(&["--progress", "plain"]).spawn().expect("the program starts");
        wait_until(&scene.database.session(), WAITING);
        let sessions = scene.database.sql(SESSIONS);
        let Some([pid, name]) = sessions.get(number).map(Vec::as_slice) else {
            blocker.sql("ROLLBACK");
            let output = child.wait_with_output().expect("it ends");
            assert!(output.status.success(), "{}", stderr(&output));
            break;
        };
        let what = format!("{function} of {name}, {way:?}, {holder}");
        // A session that has done its work may have ended by itself.
        let struck = scene.database.value(&format!("SELECT {function}({pid})")) == "t";
        wait_until(
            &scene.database.session(),
            &format!(
                "SELECT NOT EXISTS (SELECT FROM pg_stat_activity WHERE pid = {pid})
                 OR '{function}' = 'pg_cancel_backend'"
            ),
        );
        blocker.sql("ROLLBACK");
        let output = child.wait_with_output().expect("it ends");
        let told = stderr(&output);
        let published = scene.check(&what, output.status.code(), &told);
        struck_all += usize::from(struck);
        match output.status.code() {
            Some(0) => assert!(published, "{what}: {told}"),
            Some(1) => {
                assert!(!published, "{what}: {told}");
                let named =
                    ["terminating connection", "canceling statement", "connection to the server was lost"];
                assert!(named.iter().any(|cause| told.contains(cause)), "{what}: {told}");
                assert!(told.contains("hint: "), "{what}: {told}");
            }
            code => panic!("{what}: {code:?} {told}"),
        }
        scene.check_next(&what);
        number += 1;
    }
    assert!(struck_all >= 3, "{struck_all} sessions, {way:?}");
}

#[test]
fn each_session_may_be_ended_while_rows_are_staged() {
    strike(Way::Staged, "SELECT pg_advisory_xact_lock(1)", "pg_terminate_backend");
}

#[test]
fn each_session_may_be_ended_while_rows_are_compared() {
    strike(Way::Delta, "SELECT pg_advisory_xact_lock(1)", "pg_terminate_backend");
}

#[test]
fn each_session_may_be_ended_while_the_publish_waits() {
    strike(Way::Delta, "LOCK TABLE badge IN SHARE MODE", "pg_terminate_backend");
}

#[test]
fn each_statement_may_be_cancelled_while_rows_are_staged() {
    strike(Way::Staged, "SELECT pg_advisory_xact_lock(1)", "pg_cancel_backend");
}

#[test]
fn each_statement_may_be_cancelled_while_the_publish_waits() {
    strike(Way::Staged, "LOCK TABLE badge IN SHARE MODE", "pg_cancel_backend");
}

#[test]
fn limits_that_the_database_sets_for_its_sessions_do_not_end_a_run() {
    let mut scene = Scene::new(Way::Delta);
    let (url, role) = scene.database.role("hurried");
    scene.database.sql(&format!("ALTER ROLE {role} SUPERUSER"));
    for setting in [
        "statement_timeout = 20",
        "idle_in_transaction_session_timeout = 1",
        "idle_session_timeout = 50",
        "lock_timeout = 1",
        "default_transaction_isolation = 'serializable'",
        "search_path = 'nowhere', public",
        "DateStyle = 'German'",
        "bytea_output = 'escape'",
        "client_encoding = 'LATIN1'",
        "standard_conforming_strings = off",
        "row_security = off",
        "synchronous_commit = off",
    ] {
        scene.database.sql(&format!("ALTER ROLE {role} SET {setting}"));
    }
    scene.next_round();
    let output = scene.run_to_end(&["--source", &url]);
    assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));
    assert!(scene.check("settings", Some(0), ""));
}

#[test]
fn a_lock_that_another_session_holds_is_waited_for_so_long_and_its_holder_is_named() {
    for (way, lock, table) in [
        (Way::Delta, "UPDATE person SET note = 'mine' WHERE id = 5", "person"),
        (Way::Replace, "SELECT FROM badge LIMIT 1", "badge"),
        (Way::Direct, "LOCK TABLE person IN SHARE MODE", "person"),
    ] {
        let mut scene = Scene::new(way);
        scene.next_round();
        let other = scene.database.session();
        other.sql(&format!("SET application_name = 'their tool'; BEGIN; {lock}"));
        let output = scene.run_to_end(&["--lock-timeout", "1"]);
        let told = stderr(&output);
        assert_eq!(output.status.code(), Some(1), "{told}");
        assert!(told.contains("a lock on the tables did not come in time"), "{told}");
        assert!(told.contains("(their tool) holds ") && told.contains(&format!(" on {table}, ")), "{told}");
        assert!(told.contains("--lock-timeout waits longer"), "{told}");
        other.sql("ROLLBACK");
        assert!(!scene.check("a lock", Some(1), &told));
        scene.check_next("a lock");
    }
    let mut scene = Scene::new(Way::Delta);
    scene.next_round();
    let other = scene.database.session();
    other.sql("BEGIN; LOCK TABLE source IN ACCESS EXCLUSIVE MODE");
    let output = scene.run_to_end(&["--lock-timeout", "1"]);
    let told = stderr(&output);
    assert_eq!(output.status.code(), Some(1), "{told}");
    assert!(told.contains("AccessExclusiveLock on source"), "{told}");
}

#[test]
fn readers_with_an_open_transaction_are_in_nobodys_way_and_see_what_they_saw() {
    for way in [Way::Delta, Way::Staged, Way::Changed, Way::Insert, Way::Direct] {
        let mut scene = Scene::new(way);
        scene.next_round();
        let reader = scene.database.session();
        reader.sql("BEGIN ISOLATION LEVEL REPEATABLE READ");
        let sees = || reader.sql("SELECT count(*), sum(hashtext(p::text)) FROM person p");
        let before = sees();
        let output = scene.run_to_end(&["--lock-timeout", "1"]);
        assert_eq!(output.status.code(), Some(0), "{way:?} {}", stderr(&output));
        assert_eq!(sees(), before, "{way:?}");
        reader.sql("COMMIT");
        assert_ne!(sees(), before, "{way:?}");
    }
}

/// A writer that takes its locks in an order of its own, while a run publishes.
#[test]
fn writers_to_v2_meet_no_deadlock_and_lose_nothing_that_the_merge_does_not_own() {
    for way in [Way::Delta, Way::Staged, Way::Replace] {
        let mut scene = Scene::new(way);
        scene.database.sql("ALTER TABLE person ADD COLUMN theirs bigint DEFAULT 0; ALTER TABLE badge ADD COLUMN theirs bigint DEFAULT 0");
        let url = scene.database.url.clone();
        let (stop, stopped) = std::sync::mpsc::channel::<()>();
        let writer = std::thread::spawn(move || {
            let mut written = 0;
            while stopped.try_recv().is_err() {
                try_sql(
                    &url,
                    "BEGIN; UPDATE badge SET theirs = theirs + 1 WHERE person_id <= 10;
                               UPDATE person SET theirs = theirs + 1 WHERE id <= 10; COMMIT",
                )
                .unwrap_or_else(|error| panic!("their write failed: {error}"));
                written += 1;
            }
            written
        });
        for _ in 0..5 {
            scene.next_round();
            let output = scene.run_to_end(&["--lock-timeout", "20"]);
            assert_eq!(output.status.code(), Some(0), "{way:?} {}", stderr(&output));
        }
        stop.send(()).expect("the writer works");
        let written: i64 = writer.join().expect("no write failed");
        if way != Way::Replace {
            let theirs = format!("{written}|{written}|10");
            for table in ["person", "badge"] {
                let column = if table == "person" { "id" } else { "person_id" };
                assert_eq!(
                    scene.database.lines(&format!(
                        "SELECT min(theirs), max(theirs), count(*) FROM {table} WHERE {column} <= 10"
                    )),
                    [theirs.as_str()],
                    "{way:?} {table}"
                );
            }
        }
    }
}

#[test]
fn a_second_run_waits_for_the_first_where_it_is_asked_to_and_says_for_whom() {
    let mut scene = Scene::new(Way::Staged);
    scene.next_round();
    let blocker = scene.database.session();
    blocker.sql("BEGIN; LOCK TABLE person IN SHARE MODE");
    let first = scene.command(&["--progress", "none"]).spawn().expect("the program starts");
    wait_until(&scene.database.session(), WAITING);
    // Not so long.
    let short = scene.run_to_end(&["--wait=1", "--progress", "plain"]);
    let told = stderr(&short);
    assert_eq!(short.status.code(), Some(1), "{told}");
    assert!(told.contains("waiting: another run of people is under way"), "{told}");
    assert!(
        told.contains("1 s after this one began to wait")
            && told.contains("ledger of people) holds it since 20"),
        "{told}"
    );

    let mut second = crate::support::Running::start({
        let mut command = scene.command(&["--wait", "--progress", "json"]);
        command.arg("people");
        command
    });
    second.wait_for("\"event\":\"note\"");
    blocker.sql("COMMIT");
    let first = first.wait_with_output().expect("it ends");
    assert!(first.status.success(), "{}", stderr(&first));
    let (code, told) = second.end();
    assert_eq!(code, Some(0), "{told}");
    assert_eq!(
        scene.database.lines("SELECT state FROM xdoflow.runs ORDER BY run_id DESC LIMIT 2"),
        ["done", "done"]
    );
    assert!(scene.check("two runs", Some(0), &told));
}

#[test]
fn ddl_on_v1_and_v2_waits_for_the_publish_or_goes_first_and_is_told() {
    let mut scene = Scene::new(Way::Staged);
    scene.database.sql(HELD_STAGING);
    for (ddl, ok) in [
        ("CREATE INDEX ON person (name)", true),
        ("ALTER TABLE source ADD COLUMN more text", false),
        ("COMMENT ON COLUMN badge.code IS 'a number'", true),
        ("ALTER TABLE badge ADD COLUMN more text", true),
    ] {
        scene.next_round();
        let blocker = scene.database.session();
        blocker.sql("SELECT pg_advisory_lock(1)");
        let child = scene.command(&["--progress", "none"]).spawn().expect("the program starts");
        wait_until(&scene.database.session(), WAITING);
        let done = try_sql(&scene.database.url, &format!("SET lock_timeout = '100ms'; {ddl}"));
        assert_eq!(done.is_ok(), ok, "{ddl}: {done:?}");
        blocker.sql("SELECT pg_advisory_unlock(1)");
        let output = child.wait_with_output().expect("it ends");
        let told = stderr(&output);
        let altered = ddl.contains("badge ADD");
        assert_eq!(output.status.code(), Some(i32::from(altered)), "{ddl}: {told}");
        if altered {
            assert!(told.contains("badge was altered while the run was under way"), "{told}");
        }
        scene.check(ddl, output.status.code(), &told);
        scene.check_next(ddl);
    }
}

#[test]
fn a_run_that_is_ended_leaves_its_lock_and_nothing_else_to_one_that_waits() {
    let database = Database::with(
        &[(1, r#"{"name": "Ann"}"#)],
        "CREATE TABLE person (id bigint PRIMARY KEY, name text)",
    );
    let pipelines = Pipelines::new(&[("people.toml", super::PIPELINE)]);
    let blocker = database.session();
    blocker.sql("BEGIN; LOCK TABLE person IN SHARE MODE");
    let arguments = ["run", "--stage-all", "--pipelines", pipelines.path()];
    let first = database.start(&arguments);
    wait_until(&database.session(), WAITING);
    let mut second = database.start(&[&arguments[..], &["--wait"]].concat());
    second.wait_for("\"event\":\"note\"");
    first.signal("INT");
    assert_eq!(first.end().0, Some(130));
    blocker.sql("COMMIT");
    let (code, told) = second.end();
    assert_eq!(code, Some(0), "{told}");
    assert_eq!(database.lines("TABLE person"), ["1|Ann"]);
    assert_nothing_left(&database);
    let mut command = database.command(&arguments);
    command.arg("--wait=0");
    assert_eq!(end(command).status.code(), Some(2), "no time is no wait");
}
