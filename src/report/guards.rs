//! The guards of a run: what would have stopped it, and how near it came.
//!
//! An entity is published only where all of them hold. So of what was published they held; what stopped a run that
//! failed stands in its message.

use serde::Serialize;

use crate::history::{RunDetails, TargetRecord};
use crate::summary::RunSettings;

/// A check that stops a publish.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Guard {
    /// What must hold.
    pub name: &'static str,
    /// What was allowed, where that is a number.
    pub limit: Option<String>,
    /// How near it came, where that was counted.
    pub found: Option<String>,
    /// Whether it held.
    pub outcome: Outcome,
}

/// Whether a guard held.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Outcome {
    /// For all entities.
    Held,
    /// For those that were published; the run did not come to the others, or one of the guards stopped it.
    Published,
    /// Nothing was published.
    Unreached,
}

impl Outcome {
    /// In words.
    pub fn words(self) -> &'static str {
        match self {
            Self::Held => "held",
            Self::Published => "held for what was published",
            Self::Unreached => "not reached",
        }
    }
}

/// The guards of a run, in the order in which they are asked.
pub(super) fn guards(run: &RunDetails, settings: Option<&RunSettings>) -> Vec<Guard> {
    let outcome = match (run.details.len(), run.run.entities.len()) {
        (0, _) => Outcome::Unreached,
        (published, all) if published < all => Outcome::Published,
        _ => Outcome::Held,
    };
    let published = outcome != Outcome::Unreached;
    let mut guards = Vec::new();
    let mut add = |name, limit: Option<String>, found: Option<String>| {
        guards.push(Guard { name, limit, found: found.filter(|_| published), outcome });
    };
    add("no other run of the entity is under way", None, None);
    let rejects = run.details.iter().map(|entity| entity.rejects).max().unwrap_or(0);
    if let Some(limit) = settings.and_then(|settings| settings.max_rejects) {
        add("rejects of an entity", Some(format!("at most {limit}")), Some(format!("at most {rejects}")));
    }
    if let Some(limit) = settings.and_then(|settings| settings.max_reject_percent) {
        let share = run.details.iter().map(|entity| {
            if entity.rows_read == 0 { 0.0 } else { entity.rejects as f64 * 100.0 / entity.rows_read as f64 }
        });
        let share = share.fold(0.0, f64::max);
        add(
            "rejects in a hundred rows of an entity",
            Some(format!("at most {limit} %")),
            Some(format!("at most {share:.2} %")),
        );
    }
    if !run.run.partial && run.details.iter().all(|entity| !entity.changed) {
        add("as many rows were read as V1 has", None, Some(format!("{} rows", run.run.rows_read)));
    }
    add("the tables are as they were when the run began", None, None);
    add("no merge key stands twice in V1", None, None);
    add("rows read = loaded + quarantined + filtered, for each target", None, None);
    let deletes = run.run.prune || run.run.mode == "replace";
    if deletes && !run.run.partial {
        add("an empty V1 does not empty V2", None, None);
        let stale = |target: &TargetRecord| target.stale;
        let most = run.details.iter().flat_map(|entity| &entity.targets).map(stale).max().unwrap_or(0);
        let limit = settings.map(|settings| settings.max_deletes.clone()).filter(|limit| !limit.is_empty());
        // What replace deletes as stale is not kept apart from all that it empties.
        let found = (run.run.mode != "replace").then(|| format!("at most {most} rows"));
        add("rows of a target that V1 no longer has", limit, found);
    }
    guards
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::history::{EntityRecord, Rows, RunRecord};

    fn details(mode: &str, prune: bool, published: usize) -> RunDetails {
        let entities = ["users", "agents"];
        let entity = |name: &str| EntityRecord {
            entity: name.to_owned(),
            rows_read: 200,
            rejects: 3,
            changed: false,
            published_at: String::new(),
            targets: vec![TargetRecord {
                table: "t".to_owned(),
                name: "t".to_owned(),
                loaded: 200,
                rows: Rows::default(),
                surplus: 4,
                stale: 7,
            }],
            columns: Vec::new(),
        };
        RunDetails {
            run: RunRecord {
                run_id: 3,
                state: "done".to_owned(),
                mode: mode.to_owned(),
                prune,
                partial: false,
                dry_run: false,
                resumes: None,
                entities: entities.map(str::to_owned).to_vec(),
                published: Vec::new(),
                source: String::new(),
                version: String::new(),
                started_at: String::new(),
                finished_at: None,
                elapsed_ms: 0,
                message: None,
                rows_read: 400,
                rejects: 6,
                rows: Rows::default(),
            },
            resolved: 0,
            details: entities[..published].iter().map(|name| entity(name)).collect(),
        }
    }

    fn found(guards: &[Guard], name: &str) -> Option<(Option<String>, Option<String>, Outcome)> {
        let guard = guards.iter().find(|guard| guard.name.starts_with(name))?;
        Some((guard.limit.clone(), guard.found.clone(), guard.outcome))
    }

    #[test]
    fn limits_stand_beside_what_came_nearest_to_them() {
        let settings = RunSettings {
            max_rejects: Some(10),
            max_reject_percent: Some(2.0),
            max_deletes: "5 rows".to_owned(),
            ..RunSettings::default()
        };
        let all = guards(&details("merge", true, 2), Some(&settings));
        let text = |text: &str| Some(text.to_owned());
        assert_eq!(found(&all, "rejects of"), Some((text("at most 10"), text("at most 3"), Outcome::Held)));
        assert_eq!(
            found(&all, "rejects in"),
            Some((text("at most 2 %"), text("at most 1.50 %"), Outcome::Held))
        );
        assert_eq!(
            found(&all, "rows of a target"),
            Some((text("5 rows"), text("at most 7 rows"), Outcome::Held))
        );
    }

    #[test]
    fn a_run_that_deletes_nothing_has_no_guard_of_deletes_and_one_that_failed_has_not_reached_all() {
        let all = guards(&details("merge", false, 1), None);
        assert_eq!(found(&all, "rows of a target"), None);
        assert_eq!(found(&all, "rejects"), None);
        assert!(all.iter().all(|guard| guard.outcome == Outcome::Published));
        let none = guards(&details("merge", true, 0), None);
        assert_eq!(found(&none, "rows of a target"), Some((None, None, Outcome::Unreached)));
    }
}
