//! `run --changed` under everything that may happen to V1, and to the run itself: each time V2 is what V1 says.

use std::io::{Read, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32, AtomicUsize, Ordering::SeqCst};
use std::thread;

use serde_json::Value;

use crate::support::{Database, Pipelines, Session, stderr, stdout};

/// Values that are rejected, rows that are filtered out and rows that fall into quarantine, in two tables; and a
/// closure whose edges come and go, close cycles and stand twice.
const STAFF: &str = r#"
entity = "staff"
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

[derived.chain]
table = "chain"
key = ["above", "below"]
closure = { parent = "boss", child = "node" }
[derived.chain.columns]
above = { from = "ancestor", type = "bigint" }
below = { from = "descendant", type = "integer" }
depth = "smallint"
path = "jsonb"
"#;

const TABLES: &str = "
    CREATE TABLE person (id bigint PRIMARY KEY, name text, age bigint);
    CREATE TABLE badge (id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, person_id bigint, code text NOT NULL);
    CREATE TABLE chain (above bigint, below integer, depth smallint, path jsonb, PRIMARY KEY (above, below));
    ALTER TABLE source SET (fillfactor = 60, autovacuum_enabled = off);";

/// Numbers that are the same each time.
struct Dice(u64);

impl Dice {
    /// A number below another.
    fn roll(&mut self, below: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 >> 11) % below
    }

    fn of<'a>(&mut self, choices: &[&'a str]) -> &'a str {
        choices[self.roll(choices.len() as u64) as usize]
    }

    fn document(&mut self) -> String {
        let name = self.of(&["\"Ann\"", "\"Bob\"", "7", "null"]);
        let age = self.of(&["30", "\"31\"", "32.0", "\"old\"", "\"\"", "33"]);
        let kind = self.of(&["\"TEST\"", "\"LIVE\"", "\"LIVE\"", "null"]);
        let code = self.of(&["\"c\"", "\"d\"", "\"e\"", "\"f\"", "null"]);
        let (boss, node) = (self.roll(24), self.roll(24));
        let pad = "x".repeat(self.roll(400) as usize);
        format!(
            r#"{{"name": {name}, "age": {age}, "kind": {kind}, "code": {code}, "boss": {boss}, "node": "{node}", "pad": "{pad}"}}"#
        )
    }

    fn id(&mut self) -> u64 {
        self.roll(90)
    }

    fn change(&mut self) -> String {
        match self.roll(6) {
            0 | 1 => format!(
                "INSERT INTO source VALUES ({}, '{}') ON CONFLICT (id) DO UPDATE SET xdo = excluded.xdo",
                self.id(),
                self.document()
            ),
            2 => format!("UPDATE source SET xdo = '{}' WHERE id % 30 = {}", self.document(), self.roll(30)),
            // HOT where the page has room, and the document is the same.
            3 => format!("UPDATE source SET xdo = xdo WHERE id = {}", self.id()),
            4 => format!("DELETE FROM source WHERE id = {}", self.id()),
            _ => format!(
                "UPDATE source SET id = {} WHERE id = {} AND NOT EXISTS (SELECT FROM source WHERE id = {0})",
                self.id(),
                self.id()
            ),
        }
    }
}

/// A statement of its own for each round, and now and then one that rewrites or moves rows.
fn round(dice: &mut Dice, v1: &Session) {
    for _ in 0..=dice.roll(3) {
        let change = dice.change();
        match dice.roll(6) {
            0 => v1.sql(&format!("BEGIN; {change}; ROLLBACK")),
            1 => v1.sql(&format!(
                "BEGIN; SAVEPOINT a; {change}; ROLLBACK TO a; {}; RELEASE a; COMMIT",
                dice.change()
            )),
            _ => v1.sql(&change),
        };
    }
    match dice.roll(12) {
        0 | 1 => v1.sql("VACUUM source"),
        2 => v1.sql("VACUUM (FREEZE) source"),
        3 => v1.sql("VACUUM (FULL) source"),
        _ => Vec::new(),
    };
}

fn staff(dice: &mut Dice) -> (Database, Pipelines) {
    let database = Database::with(&[], TABLES);
    let v1 = database.session();
    for id in 0..60 {
        v1.sql(&format!("INSERT INTO source VALUES ({id}, '{}')", dice.document()));
    }
    let pipelines = Pipelines::new(&[("staff.toml", STAFF)]);
    database.json(&["run", "--prune", "--pipelines", pipelines.path()]);
    (database, pipelines)
}

fn assert_verified(database: &Database, pipelines: &Pipelines, when: &str) {
    let output = database.xdoflow(&["verify", "--pipelines", pipelines.path()]);
    assert_eq!(output.status.code(), Some(0), "{when}: {}{}", stdout(&output), stderr(&output));
}

fn catch_up(database: &Database, pipelines: &Pipelines) -> Value {
    let run = ["run", "--changed", "--prune", "--jobs", "1", "--pipelines", pipelines.path()];
    database.json(&run)["entities"][0]["changed"].clone()
}

#[test]
fn two_hundred_rounds_of_everything_that_may_happen_to_v1_leave_v2_what_v1_says() {
    let mut dice = Dice(0x5EED_5EED);
    let (database, pipelines) = staff(&mut dice);
    let v1 = database.session();
    let (mut used, mut rewritten) = (0, 0);
    for number in 0..200 {
        round(&mut dice, &v1);
        let changed = catch_up(&database, &pipelines);
        assert_verified(&database, &pipelines, &format!("round {number}: {changed}"));
        match changed["reason"].as_str() {
            None => used += 1,
            Some(reason) if reason.contains("rewritten") => rewritten += 1,
            Some(reason) => panic!("round {number}: {reason}"),
        }
    }
    assert!(used > 150 && rewritten > 5, "{used} used, {rewritten} rewritten");
    // The rounds had something to find of everything.
    for sql in [
        "SELECT count(DISTINCT reason_code) = 4 FROM xdoflow.rejects",
        "SELECT count(*) > 100 FROM xdoflow.rejects WHERE resolved_at IS NOT NULL AND reason_code = 'cycle'",
        "SELECT sum(deleted) > 100 FROM xdoflow.run_targets WHERE target_table = 'chain'",
        "SELECT sum(filtered) > 100 AND sum(quarantined) > 100 FROM xdoflow.run_targets WHERE target_table = 'badge'",
    ] {
        assert_eq!(database.value(sql), "t", "{sql}");
    }
}

/// Before which of its statements a program is killed.
#[derive(Clone, Copy, Debug)]
enum Moment {
    /// The one of a number; most are two messages to the server.
    Number(usize),
    /// The first that says this.
    Text(&'static str),
}

/// Passes on what is said between the program and the server, and kills the program before a statement would
/// reach the server.
struct Proxy {
    port: u16,
    killer: Arc<Killer>,
}

struct Killer {
    process: AtomicU32,
    statements: AtomicUsize,
    moment: Moment,
    struck: AtomicBool,
}

impl Killer {
    /// Counts what the program sends; says whether it lives on.
    fn passes(&self, message: &[u8]) -> bool {
        let says = |text: &str| message.windows(text.len()).any(|window| window == text.as_bytes());
        let opens =
            says("SET statement_timeout") || says("default_transaction_read_only") || says("pg_backend_pid");
        // Statements, and rows: no password, no farewell, and not how each session begins.
        if opens || !kinds(message).any(|kind| b"QPBdc".contains(&kind)) {
            return true;
        }
        let number = self.statements.fetch_add(1, SeqCst) + 1;
        let reached = match self.moment {
            Moment::Number(last) => number >= last,
            Moment::Text(text) => says(text),
        };
        if !reached && !self.struck.load(SeqCst) {
            return true;
        }
        if !self.struck.swap(true, SeqCst) {
            while self.process.load(SeqCst) == 0 {
                thread::yield_now();
            }
            let killed =
                Command::new("kill").args(["-s", "KILL", &self.process.load(SeqCst).to_string()]).status();
            assert!(killed.expect("kill runs").success());
        }
        false
    }
}

/// The kinds of the messages of which these bytes hold the beginning, one behind the other: a statement may come behind
/// the farewell to the one before.
fn kinds(bytes: &[u8]) -> impl Iterator<Item = u8> {
    let mut rest = bytes;
    std::iter::from_fn(move || {
        let (&kind, behind) = rest.split_first()?;
        let length = behind.first_chunk().map_or(u32::MAX, |length| u32::from_be_bytes(*length));
        rest = behind.get(length as usize..).unwrap_or_default();
        Some(kind)
    })
}

impl Proxy {
    fn open(server: String, moment: Moment) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
        let port = listener.local_addr().expect("an address").port();
        let killer = Arc::new(Killer {
            process: AtomicU32::new(0),
            statements: AtomicUsize::new(0),
            moment,
            struck: AtomicBool::new(false),
        });
        let shared = Arc::clone(&killer);
        thread::spawn(move || {
            for client in listener.incoming() {
                let (Ok(client), killer) = (client, Arc::clone(&shared)) else { return };
                let Ok(upstream) = TcpStream::connect(&server) else { return };
                let (mut back, mut client_side) =
                    (upstream.try_clone().expect("a socket"), client.try_clone().expect("a socket"));
                thread::spawn(move || pass(client, upstream, |message| killer.passes(message)));
                thread::spawn(move || {
                    let _ = std::io::copy(&mut back, &mut client_side);
                    let _ = client_side.shutdown(Shutdown::Both);
                });
            }
        });
        Self { port, killer }
    }
}

fn pass(mut from: TcpStream, mut to: TcpStream, passes: impl Fn(&[u8]) -> bool) {
    let mut buffer = vec![0; 1 << 16];
    while let Ok(length @ 1..) = from.read(&mut buffer) {
        if !passes(&buffer[..length]) || to.write_all(&buffer[..length]).is_err() {
            break;
        }
    }
    let _ = to.shutdown(Shutdown::Both);
}

/// Kills runs with these arguments, each before another of its statements, until they live.
fn kill_runs(seed: u64, arguments: &[&str], stride: usize) {
    let mut dice = Dice(seed);
    let (database, pipelines) = staff(&mut dice);
    let v1 = database.session();
    let (before, place) = database.url.rsplit_once('@').expect("a user");
    let (address, name) = place.split_once('/').expect("a database");
    let (mut published, mut unfinished, mut alive, mut last) = (0, 0, 0, 1);
    // The moments that matter most, whatever their numbers: before the publish, its end, and that of the run.
    let mut named = ["LOCK TABLE", "COMMIT", "SET state = 'done'"].into_iter();
    // The runs of all rounds have about as many statements, since what is done to V1 is always the same.
    while alive < 3 {
        let moment = named.next().map_or(Moment::Number(last), Moment::Text);
        // A value that is rejected, an edge that changes, a row that goes and one that comes.
        let document = format!(
            r#"{{"name": "n{last}", "age": "old", "code": "c", "node": 50, "boss": {}}}"#,
            51 + last % 2
        );
        v1.sql(&format!("INSERT INTO source VALUES ({last} + 100, '{document}')"));
        v1.sql(&format!("UPDATE source SET xdo = '{document}' WHERE id = 5"));
        v1.sql(&format!("DELETE FROM source WHERE id = {last} + 100 - {stride}"));
        let proxy = Proxy::open(address.to_owned(), moment);
        let url = format!("{before}@127.0.0.1:{}/{name}", proxy.port);
        let mut command = database.command(arguments);
        command.args(["--prune", "--jobs", "1", "--progress", "none"]);
        command.args(["--pipelines", pipelines.path(), "--source", &url, "--target", &url]);
        let mut child =
            command.stdout(Stdio::null()).stderr(Stdio::null()).spawn().expect("the program starts");
        proxy.killer.process.store(child.id(), SeqCst);
        let ended = child.wait().expect("the program ends");
        database.wait_for_end();
        let late = "SELECT count(*) FROM xdoflow.run_entities JOIN xdoflow.runs USING (run_id) WHERE state = 'running'";
        let late = database.value(late) == "1";
        published += usize::from(late);
        if last % 2 == 0 {
            // As if nobody knew: the fingerprints alone miss nothing either.
            database.sql("UPDATE xdoflow.runs SET state = 'done'");
        }
        let changed = catch_up(&database, &pipelines);
        match changed["reason"].as_str() {
            // Before the run was in the ledger, there was none.
            None => {}
            Some(reason) => {
                assert_eq!((reason, late, ended.success()), ("the last run did not finish", false, false));
                unfinished += 1;
            }
        }
        assert_verified(&database, &pipelines, &format!("killed before statement {moment:?}"));
        alive = if ended.success() { alive + 1 } else { 0 };
        last += stride;
    }
    assert!(last > 60, "a run of {last} statements");
    assert!(unfinished > 5, "{unfinished} of the runs had begun");
    assert!(published > 0, "none was killed after it had published");
}

#[test]
fn a_changed_run_that_is_killed_before_one_of_its_statements_misses_nothing_afterwards() {
    kill_runs(0xDEAD, &["run", "--changed"], 3);
}

#[test]
fn a_full_run_that_is_killed_leaves_fingerprints_of_what_it_published_or_those_before() {
    kill_runs(0xBEEF, &["run"], 11);
}
