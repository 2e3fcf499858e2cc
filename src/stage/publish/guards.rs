//! Guards: what stops a publish although every statement of it would succeed.
//!
//! They are asked inside the publishing transaction, under the lock on the targets, so that nothing can change
//! between the answer and the commit. `Some` is why the run has to stop, which rolls everything back, or what a plan
//! tells; an `Err` means that a guard could not be asked, or that nothing that was counted can be trusted. What they
//! look for are the mistakes of people: the wrong source, a filter that drops too much, a pipeline with another key, a
//! table that somebody altered while the rows were on their way.

use std::fmt;
use std::str::FromStr;

use super::PublishTarget;
use crate::error::{Error, Result};
use crate::pg::sql::MergeSql;
use crate::pg::{Session, TableInfo};
use crate::summary::TargetSummary;

/// How many rows of a target may be deleted because V1 no longer has their key: so many, or so many in a hundred
/// of the target's rows, whichever is more.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct MaxDeletes {
    rows: u64,
    percent: f64,
}

impl Default for MaxDeletes {
    /// A day's deletes in the field are a few rows of a hundred thousand; a source that is cut off by one in a
    /// hundred is a fault far more often than a day's work.
    fn default() -> Self {
        Self { rows: 100, percent: 1.0 }
    }
}

impl FromStr for MaxDeletes {
    type Err = String;

    /// `5000` rows, or `10%` of the target.
    fn from_str(text: &str) -> Result<Self, String> {
        if let Some(percent) = text.strip_suffix('%') {
            return match percent.trim_end().parse::<f64>() {
                Ok(percent) if (0.0..=100.0).contains(&percent) => Ok(Self { rows: 0, percent }),
                Ok(_) => Err("a percentage is at least 0 and at most 100".to_owned()),
                Err(_) => Err("not a number of rows, nor a percentage such as 10%".to_owned()),
            };
        }
        match text.parse() {
            Ok(rows) => Ok(Self { rows, percent: 0.0 }),
            Err(_) => Err("not a number of rows, nor a percentage such as 10%".to_owned()),
        }
    }
}

impl fmt::Display for MaxDeletes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (self.rows, self.percent) {
            (rows, 0.0) => write!(f, "{rows} rows"),
            (0, percent) => write!(f, "{percent} %"),
            (rows, percent) => write!(f, "{percent} %, and at least {rows} rows"),
        }
    }
}

impl MaxDeletes {
    /// Whether so many rows may go whatever the target's size; else it has to be asked for.
    pub fn allows_always(&self, deletes: u64) -> bool {
        deletes <= self.rows || self.percent >= 100.0
    }

    /// Whether so many rows of a target of `rows` may go.
    pub fn allows(&self, deletes: u64, rows: u64) -> bool {
        self.allows_always(deletes) || deletes as f64 <= rows as f64 * self.percent / 100.0
    }
}

/// The stop where more rows would be deleted, because V1 no longer has their key, than is allowed. `stale` rows are
/// that many; `gone` says whether they are deleted already, in this transaction.
pub(super) async fn check_deletes(
    session: &Session,
    limit: MaxDeletes,
    target: &PublishTarget,
    merge: &MergeSql,
    stale: u64,
    gone: bool,
) -> Result<Option<Error>> {
    if limit.allows_always(stale) {
        return Ok(None);
    }
    let there = session.count(&merge.count_target(), &[]).await?;
    let rows = if gone { there + stale } else { there };
    if limit.allows(stale, rows) {
        return Ok(None);
    }
    let stop = Error::stop(format!("{stale} of {rows} rows of {} would be deleted", target.label))
        .detail(format!("V1 no longer has their {}; --max-deletes allows {limit}", target.key.join(", ")))
        .hint(format!(
            "check --source, and the filter and the key of the pipeline; if it is meant, run with --max-deletes {stale}"
        ));
    Ok(Some(stop))
}

/// Every row that was read must be accounted for.
pub(super) fn check_conservation(target: &PublishTarget, counts: &TargetSummary) -> Result<()> {
    if counts.rows == counts.loaded + counts.quarantined + counts.filtered {
        return Ok(());
    }
    Err(Error::stop(format!("the rows of {} do not add up", target.label))
        .detail(format!(
            "read {}, loaded {}, quarantined {}, filtered {}",
            counts.rows, counts.loaded, counts.quarantined, counts.filtered
        ))
        .hint("this is a fault of xdoflow; please report it with the output of -v"))
}

/// An empty V1, or a filter that fits no row of it, is a fault far more often than a wish: it must not
/// empty V2.
pub(super) async fn check_not_empty(
    session: &Session,
    counts: &TargetSummary,
    merge: &MergeSql,
    target: &PublishTarget,
) -> Result<Option<Error>> {
    if counts.loaded + counts.quarantined > 0 {
        return Ok(None);
    }
    let rows = session.count(&merge.count_target(), &[]).await?;
    if rows == 0 {
        return Ok(None);
    }
    let (why, hint) = if target.derived {
        ("V1 has no edge to derive a row from".to_owned(), "check the keys of the closure in the pipeline")
    } else if counts.rows > 0 {
        (
            "the filter drops every row of V1".to_owned(),
            "check the filter in the pipeline; if it is meant to, empty the target yourself",
        )
    } else if let Some(array) = &target.explode {
        (
            format!("no document of V1 has an element in {array}"),
            "check --source, and explode in the pipeline; if it is meant so, empty the target yourself",
        )
    } else {
        ("V1 is empty".to_owned(), "check --source; if V1 is meant to be empty, empty the target yourself")
    };
    let stop = Error::stop(format!("{why}, and the run would delete every row of the target"))
        .detail(format!("{} holds {rows} rows", target.label))
        .hint(hint);
    Ok(Some(stop))
}

/// To replace a target, each of its rows must be known to be in quarantine or to go. `knows` says whether it is.
pub(super) fn check_replaceable(counts: &TargetSummary, knows: bool) -> Option<Error> {
    (!knows).then(|| {
        Error::stop(format!("{} rows of V1 were set aside", counts.quarantined))
            .detail("the merge key does not say what a row was made of, so the rows to keep cannot be told from the rest")
            .hint("mend the rows in V1, or run with --mode merge")
    })
}

/// Stops where a guard says so.
pub(super) fn pass(stop: Option<Error>) -> Result<()> {
    stop.map_or(Ok(()), Err)
}

/// The program was compiled for the tables as they were when the run began. The caller holds their locks.
pub(super) async fn check_shapes(session: &Session, targets: &[PublishTarget]) -> Result<()> {
    let now = TableInfo::read_all(session, targets.iter().map(|target| &target.info.name)).await?;
    for (target, now) in targets.iter().zip(&now) {
        let Some(change) = target.info.changed(now.as_ref()) else { continue };
        return Err(Error::stop(format!("{} was altered while the run was under way", target.label))
            .detail(change)
            .hint("run again: the pipelines are then held against the table as it is now"));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_default_is_one_percent_and_at_least_a_hundred_rows() {
        let limit = MaxDeletes::default();
        assert!(limit.allows(100, 0) && limit.allows(100, 300));
        assert!(!limit.allows(101, 10_000) && limit.allows(101, 10_100) && !limit.allows(102, 10_100));
        assert_eq!(limit.to_string(), "1 %, and at least 100 rows");
    }

    #[test]
    fn a_number_is_that_number_and_a_percentage_that_share() {
        let rows: MaxDeletes = "5".parse().unwrap();
        assert!(rows.allows(5, 5) && !rows.allows(6, 1_000_000));
        let share: MaxDeletes = "10%".parse().unwrap();
        assert!(share.allows(10, 100) && !share.allows(11, 100) && !share.allows(1, 9));
        let none: MaxDeletes = "0".parse().unwrap();
        assert!(none.allows(0, 0) && !none.allows(1, 100));
        assert!("100%".parse::<MaxDeletes>().unwrap().allows(7, 7));
        assert_eq!((rows.to_string(), share.to_string()), ("5 rows".to_owned(), "10 %".to_owned()));
        for wrong in ["", "x", "-1", "101%", "%", "1.5"] {
            assert!(wrong.parse::<MaxDeletes>().is_err(), "{wrong}");
        }
    }
}
