//! Which stage was the narrow place of a run, and what would help.
//!
//! Reading, comparing and loading are busy while a lane waits for them; the transform while its threads work.
//! Each is held against the time that it had: the lanes' own, or that of all threads. A publish goes on while
//! other entities are copied, so only the time counts in which nothing else was under way.
//!
//! A stage that was busy less than half of the time is not called a bottleneck: then nothing was.

use serde::Serialize;

use super::{Busy, EntityMeasured, Measured};
use crate::summary::ReadPath;

/// From here on a stage is the narrow place.
const HALF: f64 = 0.5;

/// Lanes that wait for threads so much of their time lack a core.
const WAITS: f64 = 0.2;

/// A target with this share of a stage's time stands for it.
const MOST: f64 = 0.8;

/// A stage of the data path.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Stage {
    /// Comparing V1's row versions with the fingerprints of the last run.
    Scan,
    /// Waiting for the bytes of V1.
    Read,
    /// Threads that transform.
    Transform,
    /// Reading V2 back.
    Compare,
    /// Sending rows to V2.
    Load,
    /// The publishing transaction.
    Publish,
}

impl Stage {
    /// All, in the order of the data path.
    pub const ALL: [Self; 6] =
        [Self::Scan, Self::Read, Self::Transform, Self::Compare, Self::Load, Self::Publish];

    /// The word for people and for JSON.
    pub fn name(self) -> &'static str {
        match self {
            Self::Scan => "scan",
            Self::Read => "read",
            Self::Transform => "transform",
            Self::Compare => "compare",
            Self::Load => "load",
            Self::Publish => "publish",
        }
    }
}

/// What was found.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Bottleneck {
    /// The narrow place; none where no stage was busy more than half of the time.
    pub stage: Option<Stage>,
    /// The entity that had most of it.
    pub entity: Option<String>,
    /// The target that had most of it, where the stage has targets.
    pub target: Option<String>,
    /// How busy the busiest stage was, 0 to 1.
    pub share: f64,
    /// All of it in a sentence without its full stop.
    pub sentence: String,
    /// What would help, a sentence each.
    pub advice: Vec<String>,
    /// Each stage's share over the whole run, in the order of the data path.
    pub shares: Vec<StageShare>,
}

/// How busy a stage was over the whole run.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct StageShare {
    /// The stage.
    pub stage: Stage,
    /// 0 to 1.
    pub share: f64,
}

/// Names the narrow place of a run; nothing where it was measured too little to say.
pub fn bottleneck(measured: &Measured) -> Option<Bottleneck> {
    let entities = &measured.entities;
    let whole = measured.elapsed_ms.max(entities.iter().map(|entity| entity.ended_ms).max()?);
    if whole == 0 || entities.iter().all(|entity| entity.ended_ms <= entity.began_ms) {
        return None;
    }
    let shares: Vec<StageShare> = Stage::ALL
        .iter()
        .map(|&stage| StageShare { stage, share: over_all(measured, stage, whole).share() })
        .collect();
    let busiest = *shares.iter().max_by(|a, b| a.share.total_cmp(&b.share))?;
    let StageShare { stage, share } = busiest;
    if share == 0.0 {
        return None;
    }
    let most = entities.iter().max_by_key(|entity| entity.busy(stage, measured.jobs).busy_ms)?;
    let target = busiest_target(most, stage);
    if share < HALF {
        let sentence = format!(
            "no stage was busy more than half of the time; most of all {}, {}",
            words(stage),
            percent(share)
        );
        return Some(Bottleneck {
            stage: None,
            entity: None,
            target: None,
            share,
            sentence,
            advice: waits(measured).or_else(|| more_jobs(measured)).into_iter().collect(),
            shares,
        });
    }
    let all: u64 = entities.iter().map(|entity| entity.busy(stage, measured.jobs).busy_ms).sum();
    let is_most = |ms: u64| ms as f64 >= all as f64 * MOST;
    let whose = match &target {
        Some((table, ms)) if is_most(*ms) && stage == Stage::Compare => {
            format!("reading {table} back to compare")
        }
        Some((table, ms)) if is_most(*ms) => format!("{} of {table}", words(stage)),
        _ if is_most(most.busy(stage, measured.jobs).busy_ms) && stage != Stage::Transform => {
            format!("{} for {}", words(stage), most.entity)
        }
        _ => words(stage).to_owned(),
    };
    let sentence = match stage {
        Stage::Publish => format!("{whose} took {} of the time, with nothing else under way", percent(share)),
        _ => format!("{whose} was busy {} of the time", percent(share)),
    };
    Some(Bottleneck {
        stage: Some(stage),
        entity: Some(most.entity.clone()),
        target: target.map(|(table, _)| table),
        share,
        sentence,
        advice: advice(stage, most, measured),
        shares,
    })
}

/// A stage of all entities together.
fn over_all(measured: &Measured, stage: Stage, whole: u64) -> Busy {
    let copying =
        || measured.entities.iter().map(|entity| (entity.began_ms, entity.began_ms + entity.copy_ms()));
    let publishing =
        measured.entities.iter().filter_map(|entity| Some((entity.publish_began_ms?, entity.ended_ms)));
    match stage {
        Stage::Publish => {
            let both = union(copying().chain(publishing));
            Busy { busy_ms: both.saturating_sub(union(copying())), of_ms: whole }
        }
        Stage::Transform => {
            let busy_ms = measured.entities.iter().map(|entity| entity.transform_ms).sum();
            Busy { busy_ms, of_ms: union(copying()) * measured.jobs }
        }
        Stage::Scan | Stage::Read | Stage::Compare | Stage::Load => {
            let mut all = Busy::default();
            measured.entities.iter().for_each(|entity| all.add(entity.busy(stage, measured.jobs)));
            all
        }
    }
}

/// How long at least one of the spans was under way.
fn union(spans: impl Iterator<Item = (u64, u64)>) -> u64 {
    let mut spans: Vec<_> = spans.collect();
    spans.sort_unstable();
    let (mut sum, mut reached) = (0, 0);
    for (from, to) in spans {
        sum += to.saturating_sub(from.max(reached));
        reached = reached.max(to);
    }
    sum
}

fn busiest_target(entity: &EntityMeasured, stage: Stage) -> Option<(String, u64)> {
    let time = |index: usize| {
        let target = &entity.targets[index];
        match stage {
            Stage::Compare => target.compare_ms,
            Stage::Load => target.load_ms,
            Stage::Publish => target.publish_ms,
            Stage::Scan | Stage::Read | Stage::Transform => 0,
        }
    };
    let most = (0..entity.targets.len()).max_by_key(|&index| time(index))?;
    (time(most) > 0).then(|| (entity.targets[most].table.clone(), time(most)))
}

fn words(stage: Stage) -> &'static str {
    match stage {
        Stage::Scan => "the versions of V1's rows",
        Stage::Read => "reading V1",
        Stage::Transform => "the transform",
        Stage::Compare => "reading V2 back to compare",
        Stage::Load => "load",
        Stage::Publish => "publish",
    }
}

/// A share in whole percents, cut: 100 only where it is all.
pub fn percent(share: f64) -> String {
    // 0.29 times 100 is a little less than 29.
    format!("{:.0} %", (share * 100.0 + 1e-9).floor())
}

/// What lanes waited for that no stage was busy with: a batch that is transformed once a core is free.
fn waits(measured: &Measured) -> Option<String> {
    let (mut full, mut lanes) = (0, 0);
    for entity in &measured.entities {
        let busy = |stage| entity.busy(stage, measured.jobs).busy_ms;
        full += entity.full_ms.saturating_sub(busy(Stage::Load) + busy(Stage::Compare));
        lanes += entity.lane_ms;
    }
    let share = Busy { busy_ms: full, of_ms: lanes }.share();
    (share >= WAITS).then(|| {
        format!(
            "the cores were busy with something else: lanes waited {} of the time for a thread that transforms",
            percent(share)
        )
    })
}

fn more_jobs(measured: &Measured) -> Option<String> {
    let Measured { jobs, cores, .. } = measured;
    (jobs < cores).then(|| format!("more lanes: --jobs {cores} (there were {jobs}, and {cores} cores)"))
}

fn advice(stage: Stage, entity: &EntityMeasured, measured: &Measured) -> Vec<String> {
    let mut advice = Vec::new();
    let mut say = |text: &str| advice.push(text.to_owned());
    match stage {
        Stage::Read => {
            if entity.read_path == Some(ReadPath::Text) {
                say(
                    "documents as they are stored cost the server a tenth: xdoflow check names the cast that --read raw needs",
                );
            }
            say("--changed reads only what moved since the last run");
        }
        Stage::Scan | Stage::Transform => {}
        Stage::Compare => say("--changed asks nothing of V2"),
        Stage::Load => {
            say("the target's server is what it waits for: its cores, its disk, and each index of the table");
        }
        Stage::Publish => {
            say("--changed publishes only what moved since the last run");
            say("the target's server is what it waits for: its disk, and each index of the table");
        }
    }
    if matches!(stage, Stage::Scan | Stage::Read | Stage::Transform) {
        advice.extend(more_jobs(measured));
        if measured.jobs >= measured.cores {
            let more = match stage {
                Stage::Scan | Stage::Read => {
                    "all cores had a lane: more cores for V1's server, or another machine for xdoflow"
                }
                _ => "all cores had a thread: a machine with more of them, with --jobs to match",
            };
            advice.push(more.to_owned());
        }
    }
    advice
}

#[cfg(test)]
mod tests {
    use super::super::TargetMeasured;
    use super::*;

    fn target(table: &str, load_ms: u64, compare_ms: u64, publish_ms: u64) -> TargetMeasured {
        TargetMeasured { table: table.to_owned(), direct: false, load_ms, compare_ms, publish_ms }
    }

    /// Two lanes that worked for 10 s, published for 1 s.
    fn participants() -> EntityMeasured {
        EntityMeasured {
            entity: "participants".to_owned(),
            read_path: Some(ReadPath::Text),
            began_ms: 0,
            publish_began_ms: Some(10_000),
            ended_ms: 11_000,
            lanes: 2,
            lane_ms: 20_000,
            read_ms: 2_000,
            transform_ms: 1_500,
            targets: vec![target("mvpw5_696", 18_200, 0, 800)],
            ..EntityMeasured::default()
        }
    }

    fn run(entities: Vec<EntityMeasured>) -> Measured {
        Measured { elapsed_ms: 11_500, jobs: 2, cores: 2, entities, ..Measured::default() }
    }

    fn shares(found: &Bottleneck) -> Vec<u64> {
        found.shares.iter().map(|one| (one.share * 1000.0).round() as u64).collect()
    }

    #[test]
    fn the_busiest_stage_is_named_with_its_table_and_its_share() {
        let found = bottleneck(&run(vec![participants()])).expect("measured");
        assert_eq!(found.sentence, "load of mvpw5_696 was busy 91 % of the time");
        assert_eq!((found.stage, found.target.as_deref()), (Some(Stage::Load), Some("mvpw5_696")));
        // No scan; 2 of 20 s; 1.5 of 2 threads in 10 s; nothing; 18.2 of 20 s; 1 s alone of 11.5 s.
        assert_eq!(shares(&found), [0, 100, 75, 0, 910, 87]);
        assert!(found.advice[0].contains("index"), "{:?}", found.advice);
    }

    #[test]
    fn one_writer_for_two_lanes_is_held_against_its_own_time() {
        let mut entity = participants();
        entity.targets = vec![TargetMeasured { direct: true, ..target("mvpw5_696", 9_000, 0, 0) }];
        let found = bottleneck(&run(vec![entity])).expect("measured");
        assert_eq!(found.sentence, "load of mvpw5_696 was busy 90 % of the time");
    }

    #[test]
    fn reading_as_text_has_its_own_advice_and_cores_that_idle_another() {
        let entity = EntityMeasured {
            read_ms: 19_000,
            targets: vec![target("mvpw5_696", 1_000, 500, 800)],
            ..participants()
        };
        let measured = Measured { cores: 8, ..run(vec![entity.clone()]) };
        let found = bottleneck(&measured).expect("measured");
        assert_eq!(found.sentence, "reading V1 for participants was busy 95 % of the time");
        assert!(found.advice[0].contains("--read raw"), "{:?}", found.advice);
        assert!(found.advice.contains(&"more lanes: --jobs 8 (there were 2, and 8 cores)".to_owned()));
        let raw = EntityMeasured { read_path: Some(ReadPath::Raw), ..entity };
        let found = bottleneck(&run(vec![raw])).expect("measured");
        assert!(found.advice.iter().all(|advice| !advice.contains("--read raw")), "{:?}", found.advice);
        assert!(found.advice.iter().any(|advice| advice.contains("more cores for V1's server")));
    }

    #[test]
    fn where_nothing_was_busy_for_half_of_the_time_nothing_is_blamed() {
        let entity = EntityMeasured {
            read_ms: 8_600,
            targets: vec![target("mvpw5_696", 5_000, 500, 800)],
            ..participants()
        };
        let found = bottleneck(&Measured { cores: 4, ..run(vec![entity]) }).expect("measured");
        assert_eq!((found.stage, found.entity, found.target), (None, None, None));
        assert_eq!(
            found.sentence,
            "no stage was busy more than half of the time; most of all reading V1, 43 %"
        );
        assert_eq!(found.advice, ["more lanes: --jobs 4 (there were 2, and 4 cores)"]);

        // Of 20 s of the lanes 10 s with all batches in flight, of which 5.5 s for the load and the comparison.
        let starved = EntityMeasured {
            read_ms: 8_600,
            full_ms: 10_000,
            targets: vec![target("mvpw5_696", 5_000, 500, 800)],
            ..participants()
        };
        let found = bottleneck(&run(vec![starved])).expect("measured");
        assert!(
            found.advice[0].ends_with("lanes waited 22 % of the time for a thread that transforms"),
            "{:?}",
            found.advice
        );
    }

    #[test]
    fn a_publish_counts_only_while_nothing_else_is_under_way() {
        let long = EntityMeasured {
            publish_began_ms: Some(2_000),
            ended_ms: 10_000,
            lane_ms: 4_000,
            read_ms: 3_000,
            targets: vec![target("mvpw5_670", 100, 0, 1_000), target("mvpw5_673", 100, 0, 6_900)],
            ..participants()
        };
        let alone =
            bottleneck(&Measured { elapsed_ms: 10_000, ..run(vec![long.clone()]) }).expect("measured");
        assert_eq!(alone.sentence, "publish of mvpw5_673 took 80 % of the time, with nothing else under way");
        // Another entity is copied meanwhile.
        let other = EntityMeasured {
            lane_ms: 10_000,
            read_ms: 9_000,
            publish_began_ms: Some(9_500),
            ended_ms: 10_000,
            ..participants()
        };
        let both = bottleneck(&Measured { elapsed_ms: 10_000, ..run(vec![long, other]) }).expect("measured");
        assert_eq!(both.stage, Some(Stage::Load));
        assert_eq!(both.shares[5].share, 0.05);
    }

    #[test]
    fn several_targets_share_the_blame_and_nothing_measured_says_nothing() {
        let entity = EntityMeasured {
            entity: "agents".to_owned(),
            targets: vec![target("mvpw5_670", 9_000, 0, 0), target("mvpw5_673", 7_000, 0, 0)],
            ..participants()
        };
        let found = bottleneck(&run(vec![entity])).expect("measured");
        assert_eq!(found.sentence, "load for agents was busy 80 % of the time");
        assert_eq!(found.target.as_deref(), Some("mvpw5_670"));
        assert_eq!(bottleneck(&Measured::default()), None);
        assert_eq!(bottleneck(&run(vec![EntityMeasured::default()])), None);
    }

    #[test]
    fn only_all_of_the_time_is_a_hundred_percent() {
        assert_eq!((percent(0.999), percent(1.0)), ("99 %".to_owned(), "100 %".to_owned()));
        assert_eq!(union([(0, 5), (3, 8), (10, 12), (11, 11)].into_iter()), 10);
    }
}
