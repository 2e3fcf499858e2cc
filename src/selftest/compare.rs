//! What a test says against what came out.

use crate::spec::PipelineSpec;
use crate::spec::model::{ExpectedRow, TestSpec};

use super::outcome::{Fate, Outcome, Rejected};
use super::{Difference, Kind};

/// Everything that is other than expected, target by target.
pub(super) fn differences(spec: &PipelineSpec, test: &TestSpec, outcome: &Outcome) -> Vec<Difference> {
    let mut found = Vec::new();
    if test.aborts != outcome.aborted {
        let fate = |aborted| Some(if aborted { "aborted" } else { "rows" }.to_owned());
        found.push(Difference {
            kind: Kind::Run,
            target: None,
            column: None,
            expected: fate(test.aborts),
            found: fate(outcome.aborted),
        });
    }
    if test.aborts || outcome.aborted {
        return found;
    }
    let rejects = reject_differences(spec, test, outcome);
    for (index, fate) in outcome.fates.iter().enumerate() {
        target_differences(spec, test, index, fate, &mut found);
        found.extend(rejects.iter().filter(|(target, _)| *target == index).map(|(_, one)| one.clone()));
    }
    found
}

fn target_differences(
    spec: &PipelineSpec,
    test: &TestSpec,
    index: usize,
    fate: &Fate,
    differences: &mut Vec<Difference>,
) {
    let Some(target) = spec.targets.get(index) else { return };
    let row = test.rows.iter().find(|row| row.target == index);
    let expected = match row {
        Some(_) => "row",
        None if test.quarantined.contains(&index) => "quarantined",
        None if test.filtered.contains(&index) => "filtered",
        // Nothing is said of this target.
        None => return,
    };
    let found = match fate {
        Fate::Row(_) => "row",
        Fate::Quarantined => "quarantined",
        Fate::Filtered => "filtered",
    };
    if expected != found {
        differences.push(Difference {
            kind: Kind::Row,
            target: Some(target.name.clone()),
            column: None,
            expected: Some(expected.to_owned()),
            found: Some(found.to_owned()),
        });
    }
    let (Some(ExpectedRow { cells, .. }), Fate::Row(texts)) = (row, fate) else { return };
    for (column, expected) in cells {
        let (Some(text), Some(column)) = (texts.get(*column), target.columns.get(*column)) else { continue };
        if text != expected {
            differences.push(Difference {
                kind: Kind::Cell,
                target: Some(target.name.clone()),
                column: Some(column.name.clone()),
                expected: expected.clone(),
                found: text.clone(),
            });
        }
    }
}

/// Rejects that are missing, superfluous, or there for another reason, each with its target. Their
/// order is none of the test's business, their number is.
fn reject_differences(spec: &PipelineSpec, test: &TestSpec, outcome: &Outcome) -> Vec<(usize, Difference)> {
    let mut found = outcome.rejects.clone();
    let mut missing: Vec<Rejected> = Vec::new();
    for reject in &test.rejects {
        let (target, column, reason) = (reject.target, reject.column, reject.reason.clone());
        let expected = Rejected { target, column, reason };
        match found.iter().position(|one| *one == expected) {
            Some(at) => drop(found.remove(at)),
            None => missing.push(expected),
        }
    }
    let mut differences = Vec::new();
    let mut add = |place: &Rejected, expected: Option<&str>, found: Option<&str>| {
        let target = spec.targets.get(place.target);
        let column = place.column.and_then(|column| target?.columns.get(column));
        let difference = Difference {
            kind: Kind::Reject,
            target: target.map(|target| target.name.clone()),
            column: column.map(|column| column.name.clone()),
            expected: expected.map(str::to_owned),
            found: found.map(str::to_owned),
        };
        differences.push((place.target, difference));
    };
    for expected in missing {
        let same_cell = |one: &Rejected| (one.target, one.column) == (expected.target, expected.column);
        match found.iter().position(same_cell) {
            Some(at) => add(&expected, Some(&expected.reason), Some(&found.remove(at).reason)),
            None => add(&expected, Some(&expected.reason), None),
        }
    }
    for reject in &found {
        add(reject, None, Some(&reject.reason));
    }
    differences
}
