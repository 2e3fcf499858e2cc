//! An entity of two targets to which things happen, and what must hold whatever they are: both targets are wholly
//! as before or wholly as they should be, and the next run is right and finds nothing in its way.

use std::process::{Command, Output, Stdio};
use std::sync::mpsc;
use std::time::Duration;

use crate::support::{Database, Pipelines, stderr};

/// How long a run may take to end, whatever is done to it. A run that meets nothing takes a second.
const PATIENCE: Duration = Duration::from_secs(100);

const PEOPLE: &str = r#"
entity = "people"
source = "source"

[target.person]
table = "person"
key = "id"
[target.person.columns]
id = "$id"
name = "text"
note = "text"

[target.badge]
table = "badge"
key = "person_id"
[target.badge.columns]
person_id = "$id"
code = "bigint"
"#;

/// Rows of V1 at the start.
const ROWS: u32 = 2_000;

/// A way for rows to come to the targets.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Way {
    Delta,
    Staged,
    Replace,
    Direct,
    Changed,
    Insert,
}

impl Way {
    pub const ALL: [Self; 6] =
        [Self::Delta, Self::Staged, Self::Replace, Self::Direct, Self::Changed, Self::Insert];

    fn arguments(self) -> &'static [&'static str] {
        match self {
            Self::Delta => &["--prune"],
            Self::Staged => &["--prune", "--stage-all"],
            Self::Replace => &["--mode", "replace", "--max-deletes", "100%"],
            Self::Direct => &[],
            Self::Changed => &["--prune", "--changed"],
            Self::Insert => &["--mode", "insert"],
        }
    }
}

/// The entity.
pub struct Scene {
    pub database: Database,
    pub pipelines: Pipelines,
    pub way: Way,
    rounds: u32,
    before: String,
    after: String,
}

/// The rows of both targets, in order.
const IMAGE: &str = "SELECT
    (SELECT coalesce(md5(string_agg(concat_ws('|', id, name, note), ';' ORDER BY id, name)), '') FROM person) || ' ' ||
    (SELECT coalesce(md5(string_agg(concat_ws('|', person_id, code), ';' ORDER BY person_id, code)), '') FROM badge)";

/// The same as V1 says it should be.
const IMAGE_OF_V1: &str = "SELECT
    (SELECT md5(string_agg(concat_ws('|', id, xdo->>'name', xdo->>'note'), ';' ORDER BY id)) FROM source) || ' ' ||
    (SELECT md5(string_agg(concat_ws('|', id, xdo->>'code'), ';' ORDER BY id)) FROM source)";

/// The same where the rows that are missing are added to those that are there.
const IMAGE_OF_INSERT: &str = "SELECT
    (SELECT md5(string_agg(concat_ws('|', id, name, note), ';' ORDER BY id, name)) FROM
       (SELECT id, name, note FROM person UNION ALL SELECT id, xdo->>'name', xdo->>'note' FROM source
        WHERE id NOT IN (SELECT id FROM person)) p) || ' ' ||
    (SELECT md5(string_agg(concat_ws('|', person_id, code), ';' ORDER BY person_id, code)) FROM
       (SELECT person_id, code FROM badge UNION ALL SELECT id, (xdo->>'code')::bigint FROM source
        WHERE id NOT IN (SELECT person_id FROM badge)) b)";

impl Scene {
    /// V1 and V2 in one database of the server of all tests, equal.
    pub fn new(way: Way) -> Self {
        Self::in_database(Database::empty(), way)
    }

    /// The same in an empty database.
    pub fn in_database(database: Database, way: Way) -> Self {
        database.sql(&format!(
            "CREATE TABLE source (id bigint PRIMARY KEY, xdo jsonb) WITH (autovacuum_enabled = off);
             CREATE TABLE person (id bigint PRIMARY KEY, name text, note text);
             CREATE TABLE badge (id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, person_id bigint, code bigint);
             CREATE INDEX ON badge (person_id);
             INSERT INTO source SELECT id, jsonb_build_object('name', 'n' || id, 'code', id * 7,
               'note', repeat(md5(id::text), 5)) FROM generate_series(1, {ROWS}) id;
             ANALYZE source;"
        ));
        let pipelines = Pipelines::new(&[("people.toml", PEOPLE)]);
        let mut scene =
            Self { database, pipelines, way, rounds: 0, before: String::new(), after: String::new() };
        // The first run makes the ledger, and fills V2.
        scene.look();
        let first = scene.run_to_end(&[]);
        assert!(first.status.success(), "{}", stderr(&first));
        scene
    }

    /// Changes V1, so that there is something to do; to load directly, also empties V2.
    pub fn next_round(&mut self) {
        self.rounds += 1;
        let round = self.rounds;
        let changes = match self.way {
            Way::Insert => String::new(),
            _ => format!(
                "UPDATE source SET xdo = xdo || jsonb_build_object('name', 'r{round}', 'code', {round}) WHERE id % 50 = {round} % 50;
                 DELETE FROM source WHERE id % 97 = {round} % 97 AND id > 100;"
            ),
        };
        let emptied = if self.way == Way::Direct { "TRUNCATE person, badge;" } else { "" };
        self.database.sql(&format!(
            "{changes} {emptied}
             INSERT INTO source SELECT (SELECT max(id) FROM source) + n, jsonb_build_object('name', 'new', 'code', n,
               'note', repeat('{round} ', 40)) FROM generate_series(1, 20) n"
        ));
        self.look();
        assert_ne!(self.before, self.after, "there is something to do");
    }

    /// Looks at both sides as they are now.
    pub fn look(&mut self) {
        let image = |sql: &str| self.database.sql(sql)[0][0].clone();
        self.before = image(IMAGE);
        self.after = image(if self.way == Way::Insert { IMAGE_OF_INSERT } else { IMAGE_OF_V1 });
    }

    /// The program, ready to be started.
    pub fn command(&self, arguments: &[&str]) -> Command {
        let mut command = self.database.command(&["run", "--pipelines", self.pipelines.path()]);
        if !arguments.contains(&"--jobs") {
            command.args(["--jobs", "2"]);
        }
        command.args(self.way.arguments()).args(arguments);
        command.stdout(Stdio::piped()).stderr(Stdio::piped());
        command
    }

    /// Runs the program on the database itself.
    pub fn run_to_end(&self, arguments: &[&str]) -> Output {
        end(self.command(arguments))
    }

    /// Whether the targets are as they should be; fails where they are neither that nor as before, and where a
    /// run that ended well has left them as before.
    pub fn check(&self, what: &str, exit_code: Option<i32>, told: &str) -> bool {
        let now = self.database.sql(IMAGE)[0][0].clone();
        assert!(
            now == self.before || now == self.after,
            "{what}: half a publish, exit {exit_code:?}: {told}"
        );
        assert!(exit_code != Some(0) || now == self.after, "{what}: nothing was published: {told}");
        now == self.after
    }

    /// The next run is right, and what the last one has left behind is gone.
    pub fn check_next(&self, what: &str) {
        let next = self.run_to_end(&[]);
        let told = stderr(&next);
        assert_eq!(next.status.code(), Some(0), "after {what}: {told}");
        assert!(self.check(what, Some(0), &told), "after {what}: {told}");
        let left = self.database.sql(
            "SELECT count(*) FROM pg_class WHERE relname LIKE 'stage\\_%'
             UNION ALL SELECT count(*) FROM xdoflow.runs WHERE state = 'running'",
        );
        assert_eq!(left, [["0"], ["0"]], "after {what}");
    }
}

/// Waits for the end of a program that must not hang.
pub fn end(mut command: Command) -> Output {
    let child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("the program starts");
    let pid = child.id();
    let (done, output) = mpsc::channel();
    std::thread::spawn(move || done.send(child.wait_with_output()));
    match output.recv_timeout(PATIENCE) {
        Ok(output) => output.expect("the program ends"),
        Err(_) => {
            let _ = Command::new("kill").args(["-s", "KILL", &pid.to_string()]).status();
            let output = output.recv().expect("it ends").expect("the program ends");
            panic!("the program hangs: {}", stderr(&output));
        }
    }
}

/// Numbers that a seed decides: SplitMix64.
pub struct Dice(u64);

impl Dice {
    pub fn new(seed: u64) -> Self {
        Self(seed)
    }

    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    /// From 0 to below 1.
    pub fn share(&mut self) -> f64 {
        (self.next() >> 11) as f64 / (1_u64 << 53) as f64
    }

    /// From 0 to below `count`.
    pub fn below(&mut self, count: usize) -> usize {
        ((self.share() * count as f64) as usize).min(count - 1)
    }
}
