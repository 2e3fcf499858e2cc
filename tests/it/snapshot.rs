//! A V1 that is being written to while it is read: each run publishes the image of one instant.
//!
//! The writer moves amounts between rows, adds rows and takes rows away, one transaction after the
//! other, and leaves the total as it is. It numbers its transactions, keeps a journal of them, and marks
//! the rows that it touches with the number. So the highest mark in a published image tells the instant,
//! and the journal up to there tells what each row must hold: not a row more, not an amount else.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;

use crate::support::{Database, Pipelines, Session, assert_adds_up, wait_until};

const ROWS: i64 = 4000;
const AMOUNT: i64 = 1000;

const PIPELINE: &str = r#"
entity = "accounts"
source = "source"

[target.balance]
table = "balance"
key = "id"
[target.balance.columns]
id = "$id"
amount = "bigint"
mark = "bigint"

[target.owner]
table = "owner"
key = "account_id"
[target.owner.columns]
account_id = "$id"
mark = "bigint"
name = { from = "pad", type = "text" }
"#;

/// Documents of 1.5 kB, inside the table: about 800 blocks.
fn accounts() -> Database {
    Database::with(
        &[],
        &format!(
            "INSERT INTO source SELECT id, jsonb_build_object('amount', {AMOUNT}, 'mark', 0, 'pad', repeat(md5(id::text), 47))
               FROM generate_series(1, {ROWS}) id;
             ANALYZE source;
             CREATE TABLE journal (mark bigint PRIMARY KEY, giver bigint, taker bigint, amount bigint,
                                   added bigint, removed bigint);
             CREATE TABLE balance (id bigint PRIMARY KEY, amount bigint, mark bigint);
             CREATE TABLE owner (id serial PRIMARY KEY, account_id bigint, mark bigint, name text);"
        ),
    )
}

/// The statements of one transaction: from `giver` to `taker`, one of whom may be new or leave.
fn transaction(mark: i64, giver: i64, taker: i64) -> String {
    let give = |id: i64, amount: &str| {
        format!(
            "UPDATE source SET xdo = xdo || jsonb_build_object('mark', {mark},
               'amount', (xdo->>'amount')::bigint + {amount}) WHERE id = {id};"
        )
    };
    match mark % 8 {
        // A row comes with an amount of the giver's.
        0 => format!(
            "BEGIN; INSERT INTO journal VALUES ({mark}, {giver}, {new}, 7, {new}, NULL); {}
             INSERT INTO source VALUES ({new}, jsonb_build_object('amount', 7, 'mark', {mark}, 'pad', 'new')); COMMIT",
            give(giver, "-7"),
            new = ROWS + mark
        ),
        // The row that came four transactions ago leaves its amount to the taker.
        4 => format!(
            "BEGIN; INSERT INTO journal VALUES ({mark}, {old}, {taker}, 7, NULL, {old}); {}
             DELETE FROM source WHERE id = {old}; COMMIT",
            give(taker, "7"),
            old = ROWS + mark - 4
        ),
        _ => format!(
            "BEGIN; INSERT INTO journal VALUES ({mark}, {giver}, {taker}, 3, NULL, NULL); {}{} COMMIT",
            give(giver, "-3"),
            give(taker, "3")
        ),
    }
}

/// Writes until it is told to stop; returns how many transactions it wrote.
struct Writer {
    stop: Arc<AtomicBool>,
    thread: JoinHandle<i64>,
}

impl Writer {
    fn start(database: &Database) -> Self {
        let stop = Arc::new(AtomicBool::new(false));
        let (told, session) = (Arc::clone(&stop), database.session());
        let thread = std::thread::spawn(move || {
            let mut mark = 7;
            let mut random = 1_u64;
            let mut row = || {
                random =
                    random.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
                i64::try_from(random >> 33).expect("31 bits") % ROWS + 1
            };
            while !told.load(Ordering::Relaxed) {
                mark += 1;
                let (giver, taker) = (row(), row());
                // From one end of the table to the other, mostly: into another partition.
                let taker = if giver == taker { giver % ROWS + 1 } else { taker };
                session.sql(&transaction(mark, giver, taker));
            }
            mark
        });
        Self { stop, thread }
    }

    fn stop(self) -> i64 {
        self.stop.store(true, Ordering::Relaxed);
        self.thread.join().expect("the writer writes")
    }
}

/// The rows of a target that are not what the journal says they were at the mark.
fn wrong_balances(mark: &str) -> String {
    format!(
        "WITH past AS (SELECT * FROM journal WHERE mark <= {mark}),
              rows AS (SELECT generate_series(1, {ROWS}) AS id, {AMOUNT} AS first
                       UNION ALL SELECT added, 0 FROM past WHERE added IS NOT NULL),
              moved AS (SELECT id, sum(amount) AS amount, max(mark) AS mark FROM
                         (SELECT giver AS id, -amount AS amount, mark FROM past
                          UNION ALL SELECT taker, amount, mark FROM past) each GROUP BY id),
              expected AS (SELECT id, first + coalesce(amount, 0) AS amount, coalesce(mark, 0) AS mark
                           FROM rows LEFT JOIN moved USING (id)
                           WHERE id NOT IN (SELECT removed FROM past WHERE removed IS NOT NULL))
         SELECT e, b FROM expected e FULL JOIN balance b USING (id)
         WHERE (e.amount, e.mark) IS DISTINCT FROM (b.amount, b.mark)"
    )
}

fn newest(session: &Session) -> i64 {
    session.sql("SELECT coalesce(max(mark), 0) FROM journal")[0][0].parse().expect("a number")
}

#[test]
fn every_run_publishes_one_instant_of_a_v1_that_is_written_to_all_the_time() {
    let database = accounts();
    let pipelines = Pipelines::new(&[("accounts.toml", PIPELINE)]);
    let writer = Writer::start(&database);
    let session = database.session();
    let mut last = 0;
    for jobs in ["2", "4", "2", "4"] {
        let before = newest(&session);
        let summary = database.json(&["run", "--prune", "--jobs", jobs, "--pipelines", pipelines.path()]);
        let after = newest(&session);
        assert_adds_up(&summary);
        let mark = database.value("SELECT max(mark) FROM balance");
        let instant: i64 = mark.parse().expect("a number");
        assert!(before <= instant && instant <= after && last < instant, "{before} {instant} {after}");
        assert!(after > instant, "nothing was written during the run");
        last = instant;
        assert_eq!(database.value("SELECT sum(amount) FROM balance"), (ROWS * AMOUNT).to_string());
        assert_eq!(database.lines(&wrong_balances(&mark)), [] as [&str; 0]);
        assert_eq!(
            database.lines(
                "SELECT b, o FROM balance b FULL JOIN owner o ON o.account_id = b.id WHERE b.mark IS DISTINCT FROM o.mark"
            ),
            [] as [&str; 0],
            "both targets of an entity hold the same instant"
        );
        let rows = summary["entities"][0]["rows_read"].as_u64().expect("rows_read").to_string();
        assert_eq!(database.value("SELECT count(*) FROM balance"), rows);
        // The writer goes on before the next run begins.
        wait_until(&session, &format!("SELECT max(mark) > {after} FROM journal"));
    }
    assert!(writer.stop() > last);
}

/// Two entities, between which the same writer moves an amount in one transaction.
#[test]
fn all_entities_of_a_run_show_the_same_instant() {
    let database = Database::with(
        &[(1, r#"{"amount": 0}"#)],
        "CREATE TABLE other AS TABLE source; ALTER TABLE other ADD PRIMARY KEY (id);
         CREATE TABLE here (id bigint PRIMARY KEY, amount bigint);
         CREATE TABLE there (id bigint PRIMARY KEY, amount bigint);",
    );
    let pipeline = |entity: &str, source: &str, table: &str| {
        format!(
            "entity = \"{entity}\"\nsource = \"{source}\"\n[target.{table}]\ntable = \"{table}\"\nkey = \"id\"\n\
             [target.{table}.columns]\nid = \"$id\"\namount = \"bigint\"\n"
        )
    };
    let pipelines = Pipelines::new(&[
        ("a.toml", &pipeline("a", "source", "here")),
        ("b.toml", &pipeline("b", "other", "there")),
    ]);
    let stop = Arc::new(AtomicBool::new(false));
    let (told, session) = (Arc::clone(&stop), database.session());
    let writer = std::thread::spawn(move || {
        let mut count = 0;
        while !told.load(Ordering::Relaxed) {
            count += 1;
            session.sql(&format!(
                "BEGIN; UPDATE source SET xdo = '{{\"amount\": {count}}}';
                 UPDATE other SET xdo = '{{\"amount\": -{count}}}'; COMMIT"
            ));
        }
    });
    for _ in 0..4 {
        database.json(&["run", "--pipelines", pipelines.path()]);
        assert_eq!(database.value("SELECT here.amount + there.amount FROM here, there"), "0");
    }
    stop.store(true, Ordering::Relaxed);
    writer.join().expect("the writer writes");
    assert_ne!(database.value("SELECT amount FROM here"), "0");
}
