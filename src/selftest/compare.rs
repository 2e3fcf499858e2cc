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
    let rows: Vec<&ExpectedRow> = test.rows.iter().filter(|row| row.target == index).collect();
    let loaded = test.loaded.contains(&index).then_some(rows.len());
    let said = [test.quarantined.contains(&index), test.filtered.contains(&index)];
    let explodes = target.explode.is_some();
    // Of the target nothing is said.
    if loaded.is_none() && said == [false, false] {
        return;
    }
    let expected = told(loaded, said, explodes);
    // Of rows that the test does not name nothing is said.
    let found = loaded.or((!explodes).then_some(0)).map(|_| fate.rows.len());
    let found = told(found, [fate.quarantined, fate.filtered], explodes);
    if expected != found {
        differences.push(Difference {
            kind: Kind::Row,
            target: Some(target.name.clone()),
            column: None,
            expected: Some(expected),
            found: Some(found),
        });
    }
    for (number, (row, texts)) in (1..).zip(rows.iter().zip(&fate.rows)) {
        for (column, expected) in &row.cells {
            let (Some(text), Some(column)) = (texts.get(*column), target.columns.get(*column)) else {
                continue;
            };
            if text != expected {
                let of = if explodes { format!("[{number}]") } else { String::new() };
                differences.push(Difference {
                    kind: Kind::Cell,
                    target: Some(format!("{}{of}", target.name)),
                    column: Some(column.name.clone()),
                    expected: expected.clone(),
                    found: text.clone(),
                });
            }
        }
    }
}

/// What becomes of rows: of one, or of those of an array.
fn told(loaded: Option<usize>, [quarantined, filtered]: [bool; 2], explodes: bool) -> String {
    let rows = match loaded {
        None => None,
        Some(0) if !explodes => None,
        Some(_) if !explodes => Some("row".to_owned()),
        Some(1) => Some("1 row".to_owned()),
        Some(rows) => Some(format!("{rows} rows")),
    };
    let aside = quarantined.then(|| "quarantined".to_owned());
    let parts = rows.into_iter().chain(aside).chain(filtered.then(|| "filtered".to_owned()));
    parts.collect::<Vec<_>>().join(", ")
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
