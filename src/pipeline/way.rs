//! The way of each target: how its rows come to where the publish takes them from.
//!
//! | way | what is read | what is written | when |
//! | --- | --- | --- | --- |
//! | direct | V1 | the target, once | all targets of the entity are empty |
//! | delta | V1 and V2, in the order of the key | what differs, twice | the rows can be had in that order |
//! | staged | V1 | everything, and what differs once more | always works |
//! | changed | rows of V1 that changed | these, twice | `--changed`, and the fingerprints are good |
//!
//! Direct: one writer, inside the publishing transaction, so that it is atomic like the others; the writer is
//! busy less than the readers are, and a second one could not be in the same transaction. Dropping the primary
//! key and building it again at the end gains nothing: 1.83-2.03 s against 1.74-1.76 s for 702,072 finished
//! participants (PostgreSQL 15, two cores).
//!
//! Delta: a row that is equal costs its reading, 1.2 s for 702,072 participants of 20 columns, instead of a
//! staging, 1.1 s, and a join of all rows that compares every cell, 4 s. An index on the key gives the rows of
//! a range in order; without one the server scans and sorts the table for each range, so there are few ranges
//! where the table is large ([`most_ranges`]).

use crate::plan::EntityPlan;
use crate::stage::compare::RowForm;
use crate::stage::publish::PublishTarget;
use crate::summary::{Mode, Way};

use super::changed::Scope;
use super::{Job, Purpose};

/// The way of a target, and why.
#[derive(Clone, Debug)]
pub(super) struct Chosen {
    pub(super) way: Way,
    pub(super) why: String,
}

impl Chosen {
    fn new(way: Way, why: &str) -> Self {
        Self { way, why: why.to_owned() }
    }
}

/// Where only rows that have changed are read, there is no choice.
pub(super) fn changed(plan: &EntityPlan) -> Vec<Chosen> {
    vec![Chosen::new(Way::Changed, "only rows that have changed were read"); plan.targets.len()]
}

/// Chooses for each target of an entity. `empty` says which of them hold no row.
pub(super) fn choose(job: &Job, plan: &EntityPlan, scope: &Scope, empty: &[bool]) -> Vec<Chosen> {
    let own_are_empty = plan.targets.iter().zip(empty).all(|(target, empty)| target.derived || *empty);
    let choose = |((target, order), &empty): ((&PublishTarget, &Option<RowForm>), &bool)| {
        if let Some(why) = needs_staging(job, scope) {
            return Chosen::new(Way::Staged, why);
        }
        if !target.info.is_plain {
            return Chosen::new(Way::Staged, "the target is no ordinary table, or has rules or row security");
        }
        // A dry run rolls back what it wrote, and an empty table would keep the space of all of it; a plan writes
        // nothing to a target.
        let publishes = job.safety.purpose == Purpose::Publish;
        if empty && own_are_empty && keys_stand_once(plan) && publishes {
            return Chosen::new(Way::Direct, "the target is empty");
        }
        if job.mode == Mode::Replace {
            return Chosen::new(Way::Staged, "readers of a full target wait only for its publish");
        }
        match unordered(plan, target, order.as_ref()) {
            Some(why) => Chosen::new(Way::Staged, why),
            None => Chosen::new(Way::Delta, "both sides can be read in the order of the key"),
        }
    };
    plan.targets.iter().zip(&plan.orders).zip(empty).map(choose).collect()
}

/// The ways of the targets of an entity that an earlier run has begun.
pub(super) fn kept(ways: &[Way], run_id: i64) -> Vec<Chosen> {
    ways.iter().map(|&way| Chosen { way, why: format!("run {run_id} began so") }).collect()
}

/// Whether no row of V1 can have the merge key of another. Else the rows are staged, where the keys that stand
/// twice can be named before the target is touched.
fn keys_stand_once(plan: &EntityPlan) -> bool {
    let own = plan.targets.iter().filter(|target| !target.derived);
    plan.source.unique_id && own.into_iter().all(|target| target.key_is_own)
}

/// Why all targets are staged, if they are.
fn needs_staging(job: &Job, scope: &Scope) -> Option<&'static str> {
    if job.stage_all {
        Some("--stage-all asks for it")
    } else if scope.is_partial() {
        Some("only some rows of V1 are read")
    } else {
        None
    }
}

/// Why the rows of a target do not come in the order of its key, if they do not.
fn unordered(plan: &EntityPlan, target: &PublishTarget, order: Option<&RowForm>) -> Option<&'static str> {
    match (order, target.derived) {
        (None, true) => Some("its merge key is not the two ends of a link"),
        (None, false) if target.explode.is_some() => {
            Some("its merge key is not the id of the row of V1 and the position of the element")
        }
        (None, false) => Some("its merge key is not the id of the row of V1"),
        (Some(_), true) => None,
        (Some(_), false) if plan.source.is_ordered() => None,
        (Some(_), false) => Some("V1 has no unique index on its id"),
    }
}

/// The most ranges that V1 and the targets are read in: a target without an index on its key is read as a
/// whole for each of them, which all together should not cost more than reading V1.
pub(super) fn most_ranges(job: &Job, plan: &EntityPlan, chosen: &[Chosen]) -> u64 {
    let unindexed = plan.targets.iter().zip(chosen).filter(|(target, chosen)| {
        chosen.way == Way::Delta && !target.derived && !target.info.is_indexed(&target.key)
    });
    let largest = unindexed.map(|(target, _)| target.info.bytes).max().unwrap_or(0);
    (plan.source.info().bytes / largest.max(1)).max(job.jobs as u64)
}
