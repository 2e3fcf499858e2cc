//! Connections that are cut, that stall, that deliver bytes one by one, or others than were sent: at each step of
//! a run, on either side.

use super::scene::{Dice, Scene, Way, end};
use crate::proxy::{Act, Place, Proxy, Rule};
use crate::support::{server, stderr};

/// Which of the two databases stands behind the proxy.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Side {
    Source,
    Target,
}

/// The steps of a run, by a text of which the program sends only then.
const STEPS: [(Side, &str, &[Way]); 21] = [
    (Side::Source, "pg_is_in_recovery", &[Way::Changed]),
    (Side::Source, "pg_export_snapshot", &[Way::Delta]),
    (Side::Source, "SET TRANSACTION SNAPSHOT", &[Way::Staged, Way::Direct]),
    (Side::Source, "::bigint, xmin, ctid", &[Way::Changed]),
    (
        Side::Source,
        "COPY (SELECT \"id\"::bigint, \"xdo\"",
        &[Way::Delta, Way::Staged, Way::Direct, Way::Changed],
    ),
    (Side::Target, "FROM pg_class", &[Way::Delta]),
    (Side::Target, "pg_try_advisory_lock", &[Way::Staged]),
    (Side::Target, "CREATE UNLOGGED TABLE", &[Way::Delta]),
    (Side::Target, "FROM xdoflow.fingerprint_blocks", &[Way::Changed]),
    (Side::Target, "COPY (SELECT \"id\", \"name\"", &[Way::Delta]),
    (Side::Target, "_1\" (\"id\", \"name\", \"note\") FROM STDIN", &[Way::Delta, Way::Staged]),
    (Side::Target, "\"person\" (\"id\", \"name\", \"note\") FROM STDIN", &[Way::Direct]),
    (Side::Target, "_seen\" (\"first_page\"", &[Way::Delta, Way::Direct]),
    (Side::Target, "COPY (SELECT first_page", &[Way::Delta, Way::Direct]),
    (Side::Target, "_pieces\" VALUES (0,", &[Way::Delta, Way::Staged]),
    (Side::Target, "_pieces\" VALUES (3,", &[Way::Staged]),
    (Side::Target, "LOCK TABLE", &[Way::Staged, Way::Direct]),
    (Side::Target, "*<>", &[Way::Delta]),
    (Side::Target, "INSERT INTO xdoflow.run_targets", &[Way::Replace]),
    (Side::Target, "DROP TABLE IF EXISTS \"xdoflow\".\"stage_", &[Way::Insert]),
    // The commit of the publish, and nothing else, as a message of its own.
    (Side::Target, "\0\0\0\x0bCOMMIT\0", &[Way::Delta, Way::Direct, Way::Changed]),
];

/// Runs once through a proxy that does this once; returns whether it acted, the exit code, and what was told.
fn run(scene: &Scene, side: Side, rule: Rule) -> (u32, Option<i32>, String) {
    let proxy = Proxy::new(server().port());
    proxy.set(rule);
    let url = proxy.url(&scene.database.url);
    let mut command = scene.command(&["--stall-timeout", "1", "--progress", "plain"]);
    match side {
        Side::Source => command.args(["--source", &url, "--target", &scene.database.url]),
        Side::Target => command.args(["--target", &url]),
    };
    let output = end(command);
    // A connection that is cut at its very end may be told to no one.
    (proxy.hits(), output.status.code(), stderr(&output))
}

/// Cuts or stalls one connection somewhere; returns whether it came so far, and whether the run has published.
pub fn cut_or_stall(scene: &Scene, dice: &mut Dice) -> (bool, bool) {
    let side = if dice.share() < 0.5 { Side::Source } else { Side::Target };
    let act = if dice.share() < 0.8 { Act::Cut } else { Act::Stall };
    let bytes = (4000_f64.powf(dice.share()) * 100.0) as usize - 100;
    let place = if dice.share() < 0.5 { Place::Client(bytes) } else { Place::Server(bytes) };
    let names = [
        "catalogue",
        "ledger",
        "snapshot",
        "count",
        "scan",
        "gather",
        "read people",
        "read back",
        "load",
        "publish",
    ];
    let name = names[dice.below(names.len())];
    let times = 1 + dice.below(3) as u32;
    let what = format!("{act:?} at {place:?} of {name}, {times} times, {side:?}, {:?}", scene.way);
    let text = format!("xdoflow: {name}").into_bytes();
    let (hits, code, told) = run(scene, side, Rule { text, place, act, times });
    assert!(matches!(code, Some(0 | 1)), "{what}: exit {code:?}: {told}");
    (hits > 0, scene.check(&what, code, &told))
}

/// Does this at each step, in each way that is named there.
fn at_each_step(act: &Act, place: Place, side: Side) {
    for way in Way::ALL {
        let steps: Vec<_> = STEPS
            .iter()
            .filter(|(at, _, ways)| *at == side && ways.contains(&way))
            .map(|(_, text, _)| text)
            .collect();
        if steps.is_empty() {
            continue;
        }
        let mut scene = Scene::new(way);
        for text in steps {
            scene.next_round();
            let what = format!("{act:?} at {place:?} of {text:?} of the {side:?}, {way:?}");
            let rule = Rule { text: text.as_bytes().to_vec(), place, act: act.clone(), times: 1 };
            let (hits, code, told) = run(&scene, side, rule);
            assert_eq!(hits, 1, "{what}: it never came so far: {told}");
            assert!(matches!(code, Some(0 | 1)), "{what}: exit {code:?}: {told}");
            let published = scene.check(&what, code, &told);
            if code == Some(1) {
                assert!(told.contains("error: ") && told.contains("hint: "), "{what}: {told}");
                let says = told.contains("published before: people");
                assert_eq!(published, says, "{what}: {told}");
            }
            scene.check_next(&what);
        }
    }
}

#[test]
fn a_connection_to_v1_that_is_cut_costs_no_more_than_the_run() {
    at_each_step(&Act::Cut, Place::Client(0), Side::Source);
    at_each_step(&Act::Cut, Place::Server(0), Side::Source);
}

#[test]
fn a_connection_to_v2_that_is_cut_before_a_statement_costs_no_more_than_the_run() {
    at_each_step(&Act::Cut, Place::Client(0), Side::Target);
}

#[test]
fn a_connection_to_v2_that_is_cut_before_the_answer_costs_no_more_than_the_run() {
    at_each_step(&Act::Cut, Place::Server(0), Side::Target);
}

#[test]
fn a_connection_that_stalls_is_found_out() {
    at_each_step(&Act::Stall, Place::Server(0), Side::Source);
    at_each_step(&Act::Stall, Place::Server(0), Side::Target);
}

#[test]
fn a_statement_that_never_arrives_is_found_out() {
    at_each_step(&Act::Stall, Place::Client(0), Side::Target);
}

#[test]
fn partitions_whose_connection_is_lost_are_tried_again() {
    let places = [Place::Client(0), Place::Server(0), Place::Server(700), Place::Server(40_000)];
    for (side, text) in [
        (Side::Source, "COPY (SELECT \"id\"::bigint, \"xdo\""),
        (Side::Source, "xdoflow: read people"),
        (Side::Target, "_1\" (\"id\", \"name\", \"note\") FROM STDIN"),
        (Side::Target, "_pieces\" VALUES (2,"),
    ] {
        let mut scene = Scene::new(Way::Staged);
        for place in places {
            if side == Side::Target && matches!(place, Place::Server(700..)) {
                continue;
            }
            for times in [1, 3] {
                scene.next_round();
                let what = format!("{times} cuts at {place:?} of {text}");
                let rule = Rule { text: text.as_bytes().to_vec(), place, act: Act::Cut, times };
                let (hits, code, told) = run(&scene, side, rule);
                assert!(hits >= 1, "{what}: {told}");
                assert_eq!(code, Some(0), "{what}: {told}");
                // A connection that was given back, and is found lost when it is taken again, is replaced without a
                // word.
                let is_taken = text.starts_with("xdoflow: ");
                assert!(is_taken || told.contains("a partition is tried again"), "{what}: {told}");
                assert!(scene.check(&what, code, &told));
            }
        }
        scene.check_next(text);
    }
}

#[test]
fn a_partition_that_is_lost_each_time_stops_the_run_in_the_end() {
    let mut scene = Scene::new(Way::Staged);
    scene.next_round();
    let text = b"COPY (SELECT \"id\"::bigint, \"xdo\"".to_vec();
    let rule = Rule { text, place: Place::Server(0), act: Act::Cut, times: u32::MAX };
    let (hits, code, told) = run(&scene, Side::Source, rule);
    assert_eq!(code, Some(1), "{told}");
    assert!(hits >= 7, "{hits}: {told}");
    assert!(told.contains("tried 7 times") && told.contains("no target was changed"), "{told}");
    assert!(!scene.check("cut for ever", code, &told));
    scene.check_next("cut for ever");
}

#[test]
fn a_server_that_falls_silent_as_a_whole_is_given_up() {
    for side in [Side::Source, Side::Target] {
        let mut scene = Scene::new(Way::Staged);
        scene.next_round();
        let text = b"SET TRANSACTION SNAPSHOT".to_vec();
        let text = if side == Side::Source { text } else { b"FROM STDIN".to_vec() };
        let rule = Rule { text, place: Place::Server(0), act: Act::StallAll, times: 1 };
        let (hits, code, told) = run(&scene, side, rule);
        assert_eq!((hits, code), (1, Some(1)), "{told}");
        assert!(told.contains("has stalled") || told.contains("no answer within"), "{told}");
        assert!(!scene.check("silence", code, &told));
        scene.check_next("silence");
    }
}

#[test]
fn bytes_that_come_one_by_one_are_read_as_they_are() {
    for side in [Side::Source, Side::Target] {
        for way in [Way::Delta, Way::Changed] {
            let mut scene = Scene::new(way);
            scene.next_round();
            let rule = Rule { text: Vec::new(), place: Place::Server(0), act: Act::Drip, times: u32::MAX };
            let (hits, code, told) = run(&scene, side, rule);
            assert!(hits > 3, "{told}");
            assert_eq!(code, Some(0), "{told}");
            assert!(scene.check("one by one", code, &told));
        }
    }
}

#[test]
fn a_copy_stream_that_is_no_such_stream_is_told_and_nothing_is_published() {
    let mut scene = Scene::new(Way::Staged);
    // The count of columns, and the signature.
    for (was, is) in [
        (&b"PGCOPY\n\xff\r\n\0\0\0\0\0\0\0\0\0\0\x04"[..], &b"PGCOPY\n\xff\r\n\0\0\0\0\0\0\0\0\0\0\x05"[..]),
        (b"PGCOPY\n\xff\r\n", b"PGCOPY\n\xfe\r\n"),
    ] {
        scene.next_round();
        let text = b"COPY (SELECT \"id\"::bigint, \"xdo\"".to_vec();
        let act = Act::Replace(was.to_vec(), is.to_vec());
        let rule = Rule { text, place: Place::Server(0), act, times: u32::MAX };
        let (hits, code, told) = run(&scene, Side::Source, rule);
        assert!(hits > 0 && code == Some(1), "{hits} {told}");
        assert!(told.contains("malformed COPY stream") && told.contains("hint: "), "{told}");
        assert!(!scene.check("malformed", code, &told));
    }
    scene.check_next("malformed");
}

#[test]
fn a_server_whose_version_is_old_or_no_version_is_named() {
    let mut scene = Scene::new(Way::Delta);
    scene.next_round();
    let number = scene.database.value("SHOW server_version_num");
    for (told_version, expected) in [
        (format!("13{}", &number[2..]), "server is older than PostgreSQL 14"),
        ("25.3.1".to_owned(), "does not say which version it is"),
    ] {
        for (side, name) in [(Side::Source, "the source server"), (Side::Target, "the target server")] {
            let act = Act::Replace(number.clone().into_bytes(), told_version.clone().into_bytes());
            let text = b"server_version_num".to_vec();
            let rule = Rule { text, place: Place::Server(0), act, times: u32::MAX };
            let (hits, code, told) = run(&scene, side, rule);
            assert!(hits > 0 && code == Some(1), "{told}");
            assert!(told.contains(&format!("{name} ")) || told.contains(name), "{told}");
            assert!(
                told.contains(expected) && told.contains(&told_version) && told.contains("hint: "),
                "{told}"
            );
            assert!(!scene.check("an odd version", code, &told));
        }
    }
}
