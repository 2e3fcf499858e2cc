//! The demo as a process: what it proves, what it leaves behind, and what it leaves where it is killed.

use std::fs;
use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use serde_json::Value;

use crate::support::{Running, Temp, stderr, stdout, try_sql};

/// The process id of the one server that runs in a folder.
fn server(temp: &Temp) -> String {
    let folders = temp.content();
    let file = folders[0].join("data/postmaster.pid");
    let text = fs::read_to_string(&file).unwrap_or_else(|error| panic!("{error}: {}", file.display()));
    text.lines().next().expect("a process id").to_owned()
}

fn demo(temp: &Temp, arguments: &[&str]) -> Command {
    let mut command = temp.command("demo");
    command.args(arguments);
    command
}

fn runs(pid: &str) -> bool {
    let kill = Command::new("kill").args(["-s", "0", pid]).stderr(Stdio::null()).status();
    kill.expect("kill runs").success()
}

/// Asks again until it is so: what is waited for is done by a process that nobody can wait for.
fn eventually(what: &str, so: impl Fn() -> bool) {
    let deadline = Instant::now() + Duration::from_secs(60);
    while !so() {
        assert!(Instant::now() < deadline, "never: {what}");
        std::thread::yield_now();
    }
}

#[test]
fn the_demo_proves_that_v2_is_exact_and_leaves_nothing_behind() {
    let temp = Temp::new("demo");
    let output = demo(&temp, &["--scale", "0.01", "--json"]).output().expect("the program runs");
    assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));
    let report: Value = serde_json::from_slice(&output.stdout).expect("nothing but one JSON object");
    assert_eq!((&report["exact"], &report["scale"]), (&true.into(), &0.01.into()));
    // A hundredth of the field, to the nearest row.
    let counts = report["after"]["entity_counts"].as_array().expect("counts");
    let rows: Vec<(&str, u64, u64)> = counts
        .iter()
        .map(|c| (c["entity"].as_str().unwrap(), c["v1"].as_u64().unwrap(), c["v2"].as_u64().unwrap()))
        .collect();
    assert_eq!(
        rows,
        [
            ("users", 3, 3),
            ("agents", 370, 370),
            ("transactions", 550, 550),
            ("participants", 7021, 7021),
            ("network", 866, 866)
        ]
    );
    // Before, V2 was as the field has it: a lack, a surplus, stale rows.
    let before = report["before"]["entity_counts"].as_array().expect("counts");
    assert!(before.iter().any(|count| count["delta"].as_i64().expect("delta") < 0));
    let splits = report["before"]["split_tables"].as_array().expect("splits");
    assert!(splits.iter().any(|split| split["level"] == "critical"));
    for entity in report["second_run"]["entities"].as_array().expect("entities") {
        for target in entity["targets"].as_array().expect("targets") {
            assert_eq!(target["unchanged"], target["rows"]);
            assert!(target["name"] == "network_hierarchy" || target["rows"] == entity["rows_read"]);
        }
    }
    assert_eq!(temp.content(), [] as [PathBuf; 0]);
}

/// What stands behind a word at the beginning of a line.
fn told<'a>(text: &'a str, word: &str) -> &'a str {
    let line = text.lines().find_map(|line| line.strip_prefix(word));
    line.unwrap_or_else(|| panic!("no {word} in {text}")).trim()
}

fn shell(command: &str) -> std::process::Output {
    Command::new("sh").args(["-c", command]).stdin(Stdio::null()).output().expect("a shell")
}

#[test]
fn the_demo_that_keeps_its_server_prints_how_to_use_and_how_to_end_it() {
    let temp = Temp::new("demo");
    let output = demo(&temp, &["--scale", "0.001", "--keep"]).output().expect("the program runs");
    let text = stderr(&output);
    assert_eq!(output.status.code(), Some(0), "{text}");
    assert!(stdout(&output).contains("all good: every count is exact"), "{}", stdout(&output));
    let server = server(&temp);
    assert!(runs(&server));

    let url = told(&text, "use:").split('\'').nth(1).expect("a URL in quotes");
    let count = try_sql(url, "SELECT count(*) FROM mvpw5_664").expect("the server answers");
    assert_eq!(count, try_sql(url, "SELECT count(*) FROM mvpw1_41").expect("the server answers"));
    let answer = shell(&format!("{} -Atc 'SELECT count(*) FROM xdoflow.runs'", told(&text, "connect:")));
    // The run that made V2, the one that repaired it, the one that changed nothing.
    assert_eq!(stdout(&answer).trim(), "3", "{}", stderr(&answer));
    // As printed, with this program for the one in the path.
    let used =
        shell(&told(&text, "use:").replace(" xdoflow ", &format!(" {} ", env!("CARGO_BIN_EXE_xdoflow"))));
    assert!(stdout(&used).contains("all good: every count is exact"), "{}", stderr(&used));
    // What one makes there stands beside the tables that are there.
    try_sql(url, "CREATE TABLE mine ()").expect("the server answers");
    assert_eq!(try_sql(url, "SELECT to_regclass('public.mine') IS NOT NULL").expect("an answer"), [["t"]]);

    let stopped = shell(told(&text, "stop:"));
    assert!(stopped.status.success(), "{}", stderr(&stopped));
    eventually("the server is gone", || !runs(&server));
    assert_eq!(temp.content(), [] as [PathBuf; 0]);
}

#[test]
fn ctrl_c_ends_the_demo_with_its_server_and_its_folder() {
    for moment in ["starting a private PostgreSQL server", "generating rows", "run --prune"] {
        let temp = Temp::new("demo");
        let mut demo = Running::start(demo(&temp, &["--scale", "0.02", "--progress", "json"]));
        demo.wait_for(moment);
        let server = (!moment.starts_with("starting")).then(|| server(&temp));
        demo.signal("INT");
        let (code, text) = demo.end();
        assert_eq!(code, Some(130), "{moment}: {text}");
        assert!(text.contains("error: interrupted") && !text.contains("panicked"), "{moment}: {text}");
        // A server that was just being made is ended by its watchdog; another is gone by now.
        if let Some(server) = server {
            assert!(!runs(&server), "{moment}");
            assert_eq!(temp.content(), [] as [PathBuf; 0], "{moment}");
        }
        eventually(moment, || temp.content().is_empty());
    }
}

#[test]
fn a_demo_that_is_killed_leaves_neither_server_nor_folder() {
    let temp = Temp::new("demo");
    let mut demo = Running::start(demo(&temp, &["--scale", "0.02", "--progress", "json"]));
    demo.wait_for("generating rows");
    let server = server(&temp);
    assert!(runs(&server));
    demo.signal("KILL");
    demo.end();
    eventually("the server is gone", || !runs(&server));
    eventually("the folder is gone", || temp.content().is_empty());
}
