//! Faults drawn by a seed until the time is up: a kill, a cut or a stall at any moment of a run, in any way.
//!
//! `make soak` sets the time, and may set the seed; it is printed. Without, a few rounds are enough.

use std::time::{Duration, Instant};

use super::kill::kill_runs;
use super::network::cut_or_stall;
use super::scene::{Dice, Scene, Way};

fn variable(name: &str) -> Option<u64> {
    std::env::var(name).ok().map(|text| text.parse().unwrap_or_else(|_| panic!("{name} is no number")))
}

#[test]
fn drawn_faults_publish_nothing_wrong_and_hang_nowhere() {
    let seconds = variable("XDOFLOW_SOAK_SECONDS").unwrap_or(5);
    let seed = variable("XDOFLOW_SOAK_SEED").unwrap_or(1);
    eprintln!("soak: {seconds} s, seed {seed}");
    let (started, limit) = (Instant::now(), Duration::from_secs(seconds));
    let mut dice = Dice::new(seed);
    let (mut kills, mut faults, mut published) = (0, 0, 0);
    let mut rounds = 0;
    while rounds == 0 || started.elapsed() < limit {
        rounds += 1;
        let way = Way::ALL[dice.below(Way::ALL.len())];
        if dice.share() < 0.5 {
            kills += 5;
            published += kill_runs(way, 5, seed.wrapping_add(rounds));
            continue;
        }
        let mut scene = Scene::new(way);
        for _ in 0..5 {
            scene.next_round();
            let (acted, done) = cut_or_stall(&scene, &mut dice);
            faults += u32::from(acted);
            published += u32::from(done);
            scene.check_next("a drawn fault");
        }
    }
    // Wrong publishes and hangs have ended the test before.
    eprintln!(
        "soak: {kills} kills, {faults} cuts and stalls, {published} published all the same; 0 wrong, 0 hangs"
    );
}
