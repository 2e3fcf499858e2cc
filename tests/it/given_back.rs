//! Sessions that are given back to a database, and taken again.

use xdoflow::pg::{Database as Db, Session, Settings, Side};

use crate::support::{Database, block_on, wait_until};

fn open(database: &Database, side: Side) -> Db {
    Db::new(side, Settings::resolve(Some(&database.url), &|_| None).expect("a URL"))
}

/// What the server says of a session: its name, and some settings that the program, or whoever had it before, sets.
async fn told(session: &Session) -> Vec<String> {
    let ask = "SELECT ARRAY[current_setting('application_name'), current_setting('synchronous_commit'),
                 current_setting('work_mem'), current_setting('jit'), current_setting('default_transaction_read_only'),
                 current_setting('transaction_isolation')]";
    session.query_one(ask, &[]).await.expect("the session answers").get(0)
}

#[test]
fn a_session_that_is_taken_again_is_as_a_new_one() {
    let database = Database::with(&[], "");
    for (side, read_only) in [(Side::Source, "on"), (Side::Target, "off")] {
        let db = open(&database, side);
        block_on(async {
            let first = db.connect("the first").await.expect("a session");
            let (pid, mut new) = (first.pid(), told(&first).await);
            assert_eq!(new, ["xdoflow: the first", "on", "4MB", "off", read_only, "read committed"]);
            first
                .batch("SET synchronous_commit = off; SET work_mem = '1MB'; SET jit = on")
                .await
                .expect("set");
            first.release();
            let name = "it's \"another\"";
            let second = db.connect(name).await.expect("a session");
            assert_eq!(second.pid(), pid);
            new[0] = format!("xdoflow: {name}");
            assert_eq!(told(&second).await, new);

            second.batch("BEGIN ISOLATION LEVEL REPEATABLE READ, READ ONLY; SELECT 1").await.expect("begun");
            second.release_reader().await;
            let third = db.connect(name).await.expect("a session");
            assert_eq!((third.pid(), told(&third).await), (pid, new));
            // Two at the same time are two.
            assert_ne!(db.connect("a fourth").await.expect("a session").pid(), pid);
        });
    }
}

#[test]
fn a_session_that_was_lost_is_replaced_and_one_that_was_given_back_is_ended_with_the_others() {
    let database = Database::with(&[], "");
    let db = open(&database, Side::Target);
    let watcher = database.session();
    let gone = |pid: i32| {
        wait_until(&watcher, &format!("SELECT NOT EXISTS (SELECT FROM pg_stat_activity WHERE pid = {pid})"));
    };
    let connect = || block_on(db.connect("test")).expect("a session");
    let lost = connect();
    let pid = lost.pid();
    lost.release();
    watcher.sql(&format!("SELECT pg_terminate_backend({pid})"));
    gone(pid);
    let next = connect();
    assert_ne!(next.pid(), pid);

    // Neither the idle one nor the one at work is left, and none of them was taken to end the others.
    let (idle, at_work) = (connect(), next);
    let pids = [idle.pid(), at_work.pid()];
    idle.release();
    block_on(db.end_backends()).expect("they are ended");
    pids.into_iter().for_each(gone);
    assert!(!pids.contains(&connect().pid()));
}
