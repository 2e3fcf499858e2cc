//! Ctrl-C once and twice, SIGTERM, and a terminal that is closed.

use std::time::Instant;

use super::scene::{Scene, Way};
use super::{HELD_STAGING, WAITING, assert_nothing_left};
use crate::proxy::{Act, Place, Proxy, Rule};
use crate::support::{Running, server, wait_until};

/// Where a run is held: what is prepared, and what holds it.
const HELD: [(Way, &str, &str); 3] = [
    (Way::Staged, HELD_STAGING, "SELECT pg_advisory_xact_lock(1)"),
    (Way::Delta, "", "LOCK TABLE badge IN SHARE MODE"),
    (Way::Direct, "", "LOCK TABLE person IN SHARE MODE"),
];

#[test]
fn each_signal_ends_the_statements_and_the_staging_and_has_its_own_exit_code() {
    for (way, prepared, lock) in HELD {
        let mut scene = Scene::new(way);
        scene.database.sql(prepared);
        for (signal, expected) in [("INT", 130), ("TERM", 143), ("HUP", 129)] {
            scene.next_round();
            let blocker = scene.database.session();
            blocker.sql(&format!("BEGIN; {lock}"));
            let running = Running::start(scene.command(&["--progress", "plain"]));
            wait_until(&scene.database.session(), WAITING);
            running.signal(signal);
            let (code, told) = running.end();
            // While the lock is still held: nothing waits for it any more.
            assert_nothing_left(&scene.database);
            blocker.sql("ROLLBACK");
            assert_eq!(code, Some(expected), "{signal} {way:?} {told}");
            assert!(told.contains("error: interrupted") && told.contains("no target was changed"), "{told}");
            assert!(!scene.check(signal, code, &told));
            scene.check_next(signal);
        }
    }
}

#[test]
fn a_second_ctrl_c_ends_the_program_at_once_and_the_next_run_cleans_up() {
    let mut scene = Scene::new(Way::Staged);
    scene.next_round();
    // The first one is told to a server that has fallen silent: cleaning up takes its time.
    let proxy = Proxy::new(server().port());
    let (text, place) = (b"FROM STDIN".to_vec(), Place::Server(0));
    proxy.set(Rule { text, place, act: Act::StallAll, times: 1 });
    let mut command = scene.command(&["--progress", "plain", "--stall-timeout", "60"]);
    command.args([
        "--target",
        &proxy.url(&scene.database.url).replace("connect_timeout=1", "connect_timeout=60"),
    ]);
    let running = Running::start(command);
    while proxy.hits() == 0 {
        std::thread::yield_now();
    }
    running.signal("INT");
    let asked = Instant::now();
    // Signals of one kind that are pending merge into one.
    let mut running = running;
    while running.is_running() && asked.elapsed().as_secs() < 30 {
        running.signal("INT");
        std::thread::yield_now();
    }
    let (code, told) = running.end();
    assert_eq!(code, Some(130), "{told}");
    assert!(asked.elapsed().as_secs() < 5, "{:?}", asked.elapsed());
    proxy.clear();
    drop(proxy);
    assert!(!scene.check("two signals", code, &told));
    scene.check_next("two signals");
}

#[test]
fn a_closed_standard_error_and_output_are_no_reason_to_stop() {
    let mut scene = Scene::new(Way::Delta);
    scene.next_round();
    let mut command = scene.command(&["--progress", "plain"]);
    command.stdout(std::process::Stdio::piped()).stderr(std::process::Stdio::piped());
    let mut child = command.spawn().expect("the program starts");
    drop((child.stdout.take(), child.stderr.take()));
    let status = child.wait().expect("it ends");
    assert!(status.success(), "{status}");
    assert!(scene.check("a closed pipe", status.code(), ""));
}
