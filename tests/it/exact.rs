//! The main job at real size: V2 as the field has it, mended by one run, and every cell compared with
//! what the server itself makes of V1 by the contract as SQL.
//!
//! All of the work is done once, by a fixture that its tests share. V1 does not change, so what V2 must
//! hold is built while the runs are under way. `XDOFLOW_TEST_SCALE` is the size of V1; 1, the field's,
//! where it is not set.

use std::process::Stdio;
use std::sync::LazyLock;
use std::time::Instant;

use serde_json::Value;
use xdoflow::server::{Server, ServerOptions};

use crate::oracle::{COMPARE, EXPECTED, ORACLE};
use crate::support::{program, stderr, stdout, try_sql};

/// Target, its key, and the V1 table.
const TARGETS: [(&str, &str, &str); 13] = [
    ("mvpw5_664", "id", "mvpw1_41"),
    ("mvpw5_665", "user_id", "mvpw1_41"),
    ("mvpw5_666", "user_id", "mvpw1_41"),
    ("mvpw5_667", "user_id", "mvpw1_41"),
    ("mvpw5_668", "user_id", "mvpw1_41"),
    ("mvpw5_670", "id", "mvpw1_36"),
    ("mvpw5_671", "agent_id", "mvpw1_36"),
    ("mvpw5_672", "agent_id", "mvpw1_36"),
    ("mvpw5_673", "agent_id", "mvpw1_36"),
    ("mvpw5_674", "agent_id", "mvpw1_36"),
    ("mvpw5_675", "id", "mvpw1_34"),
    ("mvpw5_696", "id", "mvpw1_39"),
    ("mvpw5_698", "id", "mvpw1_48"),
];

/// What is built by two connections: about half of the time is the participants'.
const BUILDS: [&[&str]; 2] = [&["participants", "users"], &["agents", "transactions", "network"]];

/// Rows that a run must write to a target: inserted, updated, stale, surplus.
type Figures = [u64; 4];

static WORK: LazyLock<Work> = LazyLock::new(Work::do_it);

/// What came of it.
struct Work {
    scale: f64,
    /// In the order of [`TARGETS`], counted by the server before the run.
    due: Vec<Figures>,
    /// The run that mends V2.
    run: Value,
    /// Problems of cells and rows, and of the quarantine.
    differences: Vec<String>,
    reject_differences: Vec<String>,
    /// V1's rows, in the order of [`TARGETS`].
    v1_rows: Vec<u64>,
    /// Of the ledger: target, loaded + quarantined + filtered.
    ledger: Vec<(String, u64)>,
    second_run: Value,
    /// Tuples ever written to each target, before and after the second run.
    written: [Vec<String>; 2],
}

impl Work {
    fn do_it() -> Self {
        let scale = std::env::var("XDOFLOW_TEST_SCALE").unwrap_or_else(|_| "1".to_owned());
        // As in production but for the disk, which says nothing about a value.
        let settings = [("fsync", "off"), ("synchronous_commit", "off"), ("full_page_writes", "off")];
        let settings = settings.map(|(name, value)| (name.to_owned(), value.to_owned())).to_vec();
        let server = Server::start(ServerOptions { settings, ..ServerOptions::default() }).expect("a server");
        let place = Place { url: server.url(), started: Instant::now() };

        place.xdoflow(&["generate", "--scale", &scale, "--progress", "none"]);
        let ddl = place.xdoflow(&["ddl"]);
        place.sql(&format!("{ddl}; {ORACLE}; {EXPECTED}; {COMPARE}"));
        let (due, run) = std::thread::scope(|scope| {
            for entities in BUILDS {
                let place = &place;
                scope.spawn(move || {
                    for entity in entities {
                        place.sql(&format!("SELECT oracle.build_{entity}()"));
                    }
                    place.told("expected rows built");
                });
            }
            place.run(&["--mode", "replace"]);
            let seed_state = place.xdoflow(&["ddl", "--seed-state"]);
            let seeded = place.sql(&format!("{seed_state}; SELECT pg_current_xact_id()::xid"));
            let seeder = &seeded.last().expect("a row")[0];
            let due = TARGETS.iter().map(|target| place.due(target, seeder)).collect();
            place.told("seed state applied");
            (due, place.run(&["--prune"]))
        });
        place.sql("ANALYZE oracle.expected_rejects");
        let differences = place.lines("SELECT * FROM oracle.compare()");
        // What the closure sets aside is no value of a mapped column, and has a test of its own.
        let reject_differences = place.lines(&format!(
            "SELECT * FROM oracle.compare_rejects({}) WHERE target_table <> 'mvpw5_684'",
            run["run_id"]
        ));
        place.told("compared");
        let before = place.written();
        let second_run = place.run(&["--prune"]);
        let after = place.written();
        Self {
            scale: scale.parse().expect("a scale"),
            due,
            differences,
            reject_differences,
            v1_rows: TARGETS
                .iter()
                .map(|(_, _, v1)| place.count(&format!("SELECT count(*) FROM {v1}")))
                .collect(),
            ledger: place.ledger(&run),
            run,
            second_run,
            written: [before, after],
        }
    }

    /// What a run reports of a target, with the rows read of its entity.
    fn target<'r>(run: &'r Value, table: &str) -> (u64, &'r Value) {
        run["entities"]
            .as_array()
            .expect("entities")
            .iter()
            .flat_map(|entity| {
                let targets = entity["targets"].as_array().expect("targets");
                targets.iter().map(|target| (number(entity, "rows_read"), target))
            })
            .find(|(_, target)| target["table"] == table)
            .expect("the run reports the target")
    }
}

/// Where it is done.
struct Place {
    url: String,
    started: Instant,
}

impl Place {
    /// Runs the program to its end; what it printed.
    fn xdoflow(&self, arguments: &[&str]) -> String {
        let mut command = program();
        command
            .env("XDOFLOW_SOURCE", &self.url)
            .args(arguments)
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        let output = command.output().expect("the program runs");
        assert!(output.status.success(), "{arguments:?}: {}", stderr(&output));
        self.told(&arguments.join(" "));
        stdout(&output)
    }

    fn run(&self, arguments: &[&str]) -> Value {
        let printed = self.xdoflow(&[&["run", "--json", "--progress", "none"], arguments].concat());
        serde_json::from_str(&printed).expect("one JSON object")
    }

    fn sql(&self, sql: &str) -> Vec<Vec<String>> {
        try_sql(&self.url, sql).unwrap_or_else(|error| panic!("{error}"))
    }

    fn lines(&self, sql: &str) -> Vec<String> {
        self.sql(sql).iter().map(|row| row.join("|")).collect()
    }

    fn count(&self, sql: &str) -> u64 {
        self.sql(sql)[0][0].parse().expect("a number")
    }

    /// Tells, to those who ask with `--nocapture`, where the time goes.
    fn told(&self, what: &str) {
        eprintln!("{:6.1} s  {what}", self.started.elapsed().as_secs_f64());
    }

    /// What a run must write to a target. Of each key the row with the lowest id stays; it is out of date
    /// where it was last written by the transaction that made the seed state.
    fn due(&self, (table, key, v1): &(&str, &str, &str), seeder: &str) -> Figures {
        let row = &self.sql(&format!(
            "WITH target AS (
               SELECT {key} AS key, xmin::text = '{seeder}' AS seeded,
                      row_number() OVER (PARTITION BY {key} ORDER BY id) AS place
               FROM {table})
             SELECT (SELECT count(*) FROM {v1} v WHERE NOT EXISTS (SELECT FROM target WHERE key = v.id)
                     AND jsonb_typeof(xdo) = 'object'),
                    count(*) FILTER (WHERE v.id IS NOT NULL AND place = 1 AND seeded),
                    count(*) FILTER (WHERE v.id IS NULL),
                    count(*) FILTER (WHERE v.id IS NOT NULL AND place > 1)
             FROM target LEFT JOIN {v1} v ON v.id = key"
        ))[0];
        std::array::from_fn(|figure| row[figure].parse().expect("a number"))
    }

    fn written(&self) -> Vec<String> {
        let names: Vec<String> = TARGETS.iter().map(|(table, ..)| format!("'{table}'")).collect();
        self.lines(&format!(
            "SELECT relname, n_tup_ins, n_tup_upd, n_tup_del FROM pg_stat_user_tables
             WHERE relname IN ({}) ORDER BY 1",
            names.join(", ")
        ))
    }

    fn ledger(&self, run: &Value) -> Vec<(String, u64)> {
        let rows = self.sql(&format!(
            "SELECT target_table, loaded + quarantined + filtered FROM xdoflow.run_targets WHERE run_id = {}",
            run["run_id"]
        ));
        rows.into_iter().map(|row| (row[0].clone(), row[1].parse().expect("a number"))).collect()
    }
}

fn number(value: &Value, name: &str) -> u64 {
    value[name].as_u64().unwrap_or_else(|| panic!("{name} is a number in {value}"))
}

#[test]
fn each_fault_of_the_field_is_mended_to_the_row() {
    let work = &*WORK;
    for ((table, ..), [inserted, updated, stale, surplus]) in TARGETS.iter().zip(&work.due) {
        let (_, target) = Work::target(&work.run, table);
        let found = ["inserted", "updated", "stale", "surplus", "deleted"].map(|name| number(target, name));
        assert_eq!(found, [*inserted, *updated, *stale, *surplus, stale + surplus], "{table}: {target}");
        assert!(*updated > 0, "{table}: the seed state has rows that are out of date");
    }
    if work.scale == 1.0 {
        let field = |table: &str, name: &str| number(Work::target(&work.run, table).1, name);
        assert_eq!(field("mvpw5_696", "inserted"), 521);
        assert_eq!(field("mvpw5_675", "stale"), 15);
        assert_eq!(field("mvpw5_698", "stale"), 10);
        assert_eq!(field("mvpw5_671", "surplus"), 1);
        assert_eq!(field("mvpw5_672", "surplus"), 222);
        assert_eq!(field("mvpw5_673", "surplus"), 14_066);
        assert_eq!(field("mvpw5_674", "surplus"), 13_733);
    }
}

#[test]
fn every_cell_of_every_target_is_what_the_server_makes_of_v1() {
    assert_eq!(WORK.differences, [] as [&str; 0]);
}

#[test]
fn the_quarantine_holds_every_value_that_the_server_would_reject_and_no_other() {
    assert_eq!(WORK.reject_differences, [] as [&str; 0]);
}

#[test]
fn every_row_of_v1_is_loaded_quarantined_or_filtered() {
    let work = &*WORK;
    for ((table, ..), v1_rows) in TARGETS.iter().zip(&work.v1_rows) {
        let (rows_read, target) = Work::target(&work.run, table);
        assert_eq!(rows_read, *v1_rows, "{table}");
        let [loaded, quarantined, filtered] =
            ["loaded", "quarantined", "filtered"].map(|name| number(target, name));
        assert_eq!(loaded + quarantined + filtered, *v1_rows, "{target}");
        assert!(work.ledger.contains(&((*table).to_owned(), *v1_rows)), "{table}: {:?}", work.ledger);
    }
}

#[test]
fn a_second_run_reports_only_unchanged_and_writes_no_row() {
    let work = &*WORK;
    for (table, ..) in TARGETS {
        let (_, target) = Work::target(&work.second_run, table);
        let [inserted, updated, deleted] =
            ["inserted", "updated", "deleted"].map(|name| number(target, name));
        assert_eq!([inserted, updated, deleted], [0, 0, 0], "{target}");
        assert_eq!(number(target, "unchanged"), number(target, "loaded"), "{target}");
    }
    let [before, after] = &work.written;
    assert_eq!(before.len(), TARGETS.len());
    assert_eq!(before, after);
}
