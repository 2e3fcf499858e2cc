//! About how long it takes: from the sizes at first, from what was measured as soon as something was.

use std::collections::HashMap;
use std::time::Duration;

use super::contender::{Contender, Scenario, Way};
use super::world::World;
use super::{Step, Subject};

/// Seconds for a million rows written into a target, measured on one core of two with PostgreSQL 15.
const WRITE: f64 = 9.0;
/// Seconds for a million documents of a kilobyte that the server prints as text.
const PRINT: f64 = 10.0;
/// Seconds for a million values taken out of a small document, and out of one that has to be unpacked.
const ARROW: (f64, f64) = (0.35, 6.0);
/// Seconds for a million source rows of a closure.
const CLOSURE: f64 = 40.0;
/// Seconds for a million rows that are compared with their image, and made as before.
const BESIDE: f64 = 5.0;

/// What is known of the time of each run, with all that belongs to it.
#[derive(Debug, Default)]
pub struct Estimate {
    measured: HashMap<(Scenario, Subject, Contender), f64>,
    /// What was measured, and what it had been taken for.
    sums: (f64, f64),
}

impl Estimate {
    /// Takes in how long a run took.
    pub fn learn(&mut self, world: &World, step: Step, took: Duration) {
        self.sums.0 += took.as_secs_f64();
        self.sums.1 += guess(world, step);
        self.measured.insert((step.scenario, step.subject, step.contender), took.as_secs_f64());
    }

    /// How long some runs take.
    pub fn of(&self, world: &World, steps: &[Step]) -> Duration {
        let correction = if self.sums.1 > 0.0 { self.sums.0 / self.sums.1 } else { 1.0 };
        let seconds = steps.iter().map(|step| {
            let known = self.measured.get(&(step.scenario, step.subject, step.contender));
            known.copied().unwrap_or_else(|| guess(world, *step) * correction)
        });
        Duration::try_from_secs_f64(seconds.sum()).unwrap_or(Duration::MAX)
    }
}

fn guess(world: &World, step: Step) -> f64 {
    let entities = world.entities.iter().enumerate();
    let taken = entities.filter(|(index, _)| match step.subject {
        Subject::Entity(one) => one == *index,
        Subject::Workspace => true,
    });
    taken.map(|(index, _)| guess_entity(world, index, step)).sum()
}

fn guess_entity(world: &World, index: usize, step: Step) -> f64 {
    let documents = &world.entities[index].documents;
    let rows = documents.rows as f64 / 1e6;
    let kilobytes = documents.document_bytes as f64 / 1e9;
    let targets = || world.targets.iter().filter(|target| target.entity == index);
    let columns: usize = targets().filter(|t| t.derived.is_none()).map(|t| t.spec.columns.len()).sum();
    let derived = targets().filter(|target| target.derived.is_some()).count() as f64;
    let write = rows * WRITE * (targets().count() as f64 + derived * 3.0);
    let unpack = if documents.compressed_rows * 2 > documents.rows { ARROW.1 } else { ARROW.0 };
    let arrow = rows * columns as f64 * unpack;
    let record = rows * columns as f64 * ARROW.0 * 1.5;
    let closure = rows * derived * CLOSURE;
    let cores = world.cores as f64;
    let seconds = match step.contender.way {
        Way::Arrow | Way::Plain => arrow + write + closure,
        Way::Record => record + write * 1.3 + closure,
        Way::Ctas => (arrow.min(record) + write * 0.6) / cores + closure,
        Way::PlainParallel => (arrow + write) / cores + closure,
        Way::RecordParallel => (record + write) / cores + closure,
        Way::Xdoflow { .. } | Way::Floor => (kilobytes * PRINT + write) / cores * 1.2,
    };
    let beside = rows * BESIDE * targets().count() as f64 / cores;
    let share = match step.scenario {
        Scenario::Backfill => 0.1,
        _ => 1.0,
    };
    seconds * share + beside + 0.2
}
