//! What the fingerprints of an entity are worth: what must be as it was when they were taken.
//!
//! Everything that could give a row version another document, or V2 another content, without a new `xmin`
//! or `ctid` is here. What is not: V2 changed by others row by row (a full run finds that), a V1 that was
//! set back and has used as many transactions again since, and a transaction that V1's server had answered
//! with `synchronous_commit = off` and lost in a crash, if another one has taken its number, its row's id
//! and its place since.

use serde::{Deserialize, Serialize};

/// Which rows the fingerprints are of.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SourceIdentity {
    /// The server's system identifier: another cluster, also a copy by dump and restore, has another.
    pub system: String,
    /// Its timeline: a restore to a point in time, and a standby that was promoted, begin another.
    pub timeline: i32,
    /// The database.
    pub database: u32,
    /// The table.
    pub table: u32,
    /// The table's file: VACUUM FULL, CLUSTER, TRUNCATE and most of ALTER TABLE write another.
    pub file: u32,
    /// The numbers of the id and the document column, which a rename keeps and a new column has not.
    pub columns: Vec<i16>,
    /// The transaction that the snapshot ends before. It never goes back on a server that was not set back.
    pub snapshot: i64,
}

/// The state of an entity's fingerprints, as the ledger keeps it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct State {
    /// Which rows they are of.
    pub source: SourceIdentity,
    /// The digest of the pipeline, of its target's columns, and of the program's version.
    pub pipeline: String,
    /// The targets and their files.
    pub targets: String,
    /// How many rows.
    pub rows: i64,
    /// Rows that the last full run left in V2 though V1 has them not, or not so often.
    pub leftovers: i64,
}

impl State {
    /// Why the fingerprints say nothing about what is now; `None` where they do.
    ///
    /// `now` bears what is known before the run; its counts are not looked at.
    pub fn void(&self, now: &Self, prune: bool) -> Option<&'static str> {
        self.foreign(now).or_else(|| {
            (prune && self.leftovers > 0).then_some(
                "the last full run left rows in V2 that V1 has not: only a full run knows which to prune",
            )
        })
    }

    /// Why a run that keeps no fingerprints of its own leaves those that are there void: it published
    /// something else than they stand for.
    pub fn foreign(&self, now: &Self) -> Option<&'static str> {
        let (was, is) = (&self.source, &now.source);
        let reasons = [
            (was.system != is.system, "the source is another server, or was restored"),
            (was.timeline != is.timeline, "the source server has a new timeline: restored or promoted"),
            (was.database != is.database, "the source is another database"),
            (was.table != is.table, "the source table was created anew"),
            (was.file != is.file, "the source table was rewritten: VACUUM FULL, TRUNCATE or the like"),
            (was.columns != is.columns, "the source's id or document is another column"),
            (was.snapshot > is.snapshot, "the source server was set back, or lags behind"),
            (self.pipeline != now.pipeline, "the pipeline, or a table that it writes, has changed"),
            (self.targets != now.targets, "a target was emptied, rewritten or created anew"),
        ];
        reasons.into_iter().find_map(|(void, reason)| void.then_some(reason))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn state() -> State {
        State {
            source: SourceIdentity {
                system: "7".to_owned(),
                timeline: 1,
                database: 2,
                table: 3,
                file: 4,
                columns: vec![1, 2],
                snapshot: 100,
            },
            pipeline: "a".to_owned(),
            targets: "5/6".to_owned(),
            rows: 9,
            leftovers: 0,
        }
    }

    #[test]
    fn later_snapshots_of_the_same_table_are_compared() {
        let mut now = state();
        now.source.snapshot = 250;
        (now.rows, now.leftovers) = (0, 7);
        assert_eq!(state().void(&now, true), None);
    }

    #[test]
    fn whatever_else_differs_makes_them_void_and_is_told() {
        type Change = fn(&mut State);
        let changes: [(Change, &str); 9] = [
            (|now| now.source.system.push('1'), "another server"),
            (|now| now.source.timeline += 1, "new timeline"),
            (|now| now.source.database += 1, "another database"),
            (|now| now.source.table += 1, "created anew"),
            (|now| now.source.file += 1, "rewritten"),
            (|now| now.source.columns[1] = 7, "another column"),
            (|now| now.source.snapshot -= 1, "set back"),
            (|now| now.pipeline.push('b'), "pipeline"),
            (|now| now.targets.push('0'), "target was emptied"),
        ];
        for (change, expected) in changes {
            let mut now = state();
            change(&mut now);
            let reason = state().void(&now, false).expect("void");
            assert!(reason.contains(expected), "{reason}");
            assert_eq!(state().foreign(&now), Some(reason));
        }
    }

    #[test]
    fn what_a_full_run_left_only_a_full_run_prunes() {
        let left = State { leftovers: 3, ..state() };
        assert_eq!(left.void(&state(), false), None);
        assert!(left.void(&state(), true).is_some_and(|reason| reason.contains("prune")));
        assert_eq!(left.foreign(&state()), None);
    }
}
