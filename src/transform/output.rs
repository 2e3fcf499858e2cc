//! What a transformed batch leaves behind: rows for each target, rows for the quarantine, and counts.

use serde::{Deserialize, Serialize};

use crate::error::Error;
use crate::fingerprint::Fingerprint;
use crate::pgcopy::RowBuffer;

use super::closure::Edge;
use super::keys::KeyTally;
use super::value::{Coercion, Reason};

/// The result of one batch.
#[derive(Debug, Default)]
pub struct Output {
    /// One buffer for each target, in the order of the program.
    pub targets: Vec<RowBuffer>,
    /// Rows for the quarantine, with the columns [`REJECT_COLUMNS`].
    pub rejects: RowBuffer,
    /// For each closure, the edges that the documents hold.
    pub edges: Vec<Vec<Edge>>,
    /// The fingerprints of the rows, where the batch bears them.
    pub fingerprints: Vec<Fingerprint>,
    /// What was counted.
    pub tally: Tally,
    /// Whether the values themselves stay out of `rejects`.
    pub no_raw: bool,
    /// Set where a reject of a column with `on_reject = "abort"` was met.
    pub aborted: Option<Error>,
}

/// The columns of a quarantined value, in the order of its buffer, with their types.
pub const REJECT_COLUMNS: [(&str, &str); 9] = [
    ("source_id", "bigint"),
    ("target_table", "text"),
    ("target_column", "text"),
    ("key", "text"),
    ("raw", "jsonb"),
    ("reason_code", "text"),
    ("reason", "text"),
    // Whether the whole row was set aside, or its cell alone.
    ("whole_row", "boolean"),
    // Of an element the place in its array; else NULL. Only the publish asks for it, people find it in the key.
    ("position", "bigint"),
];

/// Counts of one batch, or of a whole run when merged.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Tally {
    /// Documents that were transformed.
    pub rows: u64,
    /// For each target.
    pub targets: Vec<TargetTally>,
    /// By the slots of the program: one for each column of each target, and one for its whole rows.
    pub slots: Vec<Vec<RuleTally>>,
    /// Rejected cells and rows.
    pub rejects: u64,
    /// The keys of the documents, where they are watched.
    #[serde(default)]
    pub keys: KeyTally,
}

/// Rows of one target.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct TargetTally {
    /// Rows that a target with `explode` was to have: elements of arrays, and documents that were set aside whole. Of
    /// other targets 0: theirs are the documents.
    #[serde(default)]
    pub elements: u64,
    /// Rows written to its buffer.
    pub loaded: u64,
    /// Rows set aside.
    pub quarantined: u64,
    /// Rows dropped on purpose.
    pub filtered: u64,
}

/// What a cell met besides a clean value.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub enum Rule {
    /// A dirty value became a clean one.
    Coerced(Coercion),
    /// The value was rejected.
    Rejected(Reason),
}

/// How often a rule applied to a column, with the lowest ids that it applied to.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RuleTally {
    /// The rule.
    pub rule: Rule,
    /// How often.
    pub count: u64,
    /// At most [`SAMPLE_IDS`], ascending: the same whatever the order of the batches.
    pub sample_ids: Vec<i64>,
}

/// How many ids are kept as samples for each rule and column.
pub const SAMPLE_IDS: usize = 3;

impl Tally {
    /// Zero counts.
    pub fn new(targets: usize, slots: usize) -> Self {
        Self {
            rows: 0,
            targets: vec![TargetTally::default(); targets],
            slots: vec![Vec::new(); slots],
            rejects: 0,
            keys: KeyTally::default(),
        }
    }

    /// Counts a rule once, for the row of an id.
    #[inline]
    pub fn count(&mut self, slot: usize, rule: Rule, id: i64) {
        let tally = entry(&mut self.slots[slot], rule);
        tally.count += 1;
        tally.sample(id);
    }

    /// Adds the counts of another batch of the same program.
    pub fn merge(&mut self, other: &Self) {
        for (mine, theirs) in self.targets.iter_mut().zip(&other.targets) {
            mine.elements += theirs.elements;
            mine.loaded += theirs.loaded;
            mine.quarantined += theirs.quarantined;
            mine.filtered += theirs.filtered;
        }
        for (mine, theirs) in self.slots.iter_mut().zip(&other.slots) {
            for theirs in theirs {
                let slot = entry(mine, theirs.rule);
                slot.count += theirs.count;
                for &id in &theirs.sample_ids {
                    slot.sample(id);
                }
            }
        }
        self.rows += other.rows;
        self.rejects += other.rejects;
        self.keys.merge(&other.keys);
    }
}

/// The tally of a rule, which is begun where it is new. A column meets a handful of rules: a search
/// from the front beats a map.
fn entry(tallies: &mut Vec<RuleTally>, rule: Rule) -> &mut RuleTally {
    let at = match tallies.iter().position(|tally| tally.rule == rule) {
        Some(at) => at,
        None => {
            tallies.push(RuleTally { rule, count: 0, sample_ids: Vec::new() });
            tallies.len() - 1
        }
    };
    &mut tallies[at]
}

impl RuleTally {
    /// Keeps an id if it is among the lowest.
    #[inline]
    fn sample(&mut self, id: i64) {
        // Ids mostly ascend: nearly all are beyond the ones that are kept.
        if self.sample_ids.len() == SAMPLE_IDS && self.sample_ids.last().is_some_and(|&last| last <= id) {
            return;
        }
        let at = self.sample_ids.partition_point(|&kept| kept < id);
        if at < SAMPLE_IDS && self.sample_ids.get(at) != Some(&id) {
            self.sample_ids.insert(at, id);
            self.sample_ids.truncate(SAMPLE_IDS);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_lowest_ids_are_kept_whatever_their_order() {
        let mut tally = RuleTally { rule: Rule::Rejected(Reason::Fraction), count: 0, sample_ids: vec![] };
        for id in [9, 4, 7, 4, 1, 12] {
            tally.sample(id);
        }
        assert_eq!(tally.sample_ids, [1, 4, 7]);
    }
}
