//! The program is killed at any moment, in each way: half a publish is nowhere, and the next run is right.

use std::time::{Duration, Instant};

use super::scene::{Dice, Scene, Way};

/// Kills in each way; `make soak` asks for more.
const KILLS: u32 = 8;

/// Kills `kills` runs in a way at moments that the seed decides; returns how many of them had published.
pub fn kill_runs(way: Way, kills: u32, seed: u64) -> u32 {
    let mut dice = Dice::new(seed);
    let mut scene = Scene::new(way);
    // How long a run takes here and now.
    scene.next_round();
    let started = Instant::now();
    scene.check_next("nothing");
    let whole = started.elapsed();
    let mut published = 0;
    for number in 0..kills {
        scene.next_round();
        let moment = whole.mul_f64(dice.share());
        let mut child = scene.command(&["--progress", "none"]).spawn().expect("the program starts");
        // The moment is the fault.
        std::thread::sleep(moment);
        let _ = child.kill();
        let output = child.wait_with_output().expect("the program ends");
        let what = format!(
            "kill {number} after {} ms of {}, {way:?}, seed {seed}",
            moment.as_millis(),
            whole.as_millis()
        );
        published += u32::from(scene.check(&what, output.status.code(), ""));
        scene.check_next(&what);
    }
    published
}

fn kill_in(way: Way) {
    let started = Instant::now();
    kill_runs(way, KILLS, 7);
    assert!(started.elapsed() < Duration::from_secs(300));
}

#[test]
fn killed_while_comparing_both_targets_are_as_before_or_as_they_should_be() {
    kill_in(Way::Delta);
}

#[test]
fn killed_while_staging_both_targets_are_as_before_or_as_they_should_be() {
    kill_in(Way::Staged);
}

#[test]
fn killed_while_replacing_both_targets_are_as_before_or_as_they_should_be() {
    kill_in(Way::Replace);
}

#[test]
fn killed_while_loading_directly_both_targets_are_as_before_or_as_they_should_be() {
    kill_in(Way::Direct);
}

#[test]
fn killed_while_fetching_what_has_changed_both_targets_are_as_before_or_as_they_should_be() {
    kill_in(Way::Changed);
}

#[test]
fn killed_while_inserting_both_targets_are_as_before_or_as_they_should_be() {
    kill_in(Way::Insert);
}
