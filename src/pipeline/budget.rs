//! The budget of rejects: how many an entity may have before nothing of it is published.

use super::EntityRun;
use crate::error::{Error, Result};
use crate::summary::EntitySummary;
use crate::transform::Tally;

/// How many rejects an entity may have; beyond, nothing of it is published.
#[derive(Clone, Copy, Debug, Default)]
pub struct RejectBudget {
    /// So many.
    pub count: Option<u64>,
    /// So many for a hundred rows read.
    pub percent: Option<f64>,
}

impl EntityRun {
    /// Stops as soon as there are more rejects than allowed: `rejects` in all, those of `tallies` not yet known
    /// to the entity. A plan goes on, to tell them all.
    pub(super) fn check_reject_count(&self, rejects: u64, tallies: &[Tally]) -> Result<()> {
        match self.run.job.budget.count {
            Some(limit) if rejects > limit && !self.is_foreseen() => {
                let mut all = self.tallies();
                all.iter_mut().zip(tallies).for_each(|(all, these)| all.merge(these));
                Err(self.too_many_rejects(limit, "most frequent so far", &all))
            }
            _ => Ok(()),
        }
    }

    /// Why a run would stop for what was rejected, when all of it is known.
    pub(super) fn over_budget(&self, summary: &EntitySummary, tallies: &[Tally]) -> Option<Error> {
        match self.run.job.budget.count {
            Some(limit) if summary.rejects > limit => {
                Some(self.too_many_rejects(limit, "most frequent", tallies))
            }
            _ => self.over_share(summary, tallies),
        }
    }

    fn too_many_rejects(&self, limit: u64, which: &str, tallies: &[Tally]) -> Error {
        Error::stop(format!("more than {limit} rejects"))
            .detail(format!("{which}: {}", self.plan.frequent_rejects(tallies)))
            .hint("mend the values in V1 or the pipeline, or raise --max-rejects")
    }

    /// The budget that is a share of the rows is known when all of them are read.
    fn over_share(&self, summary: &EntitySummary, tallies: &[Tally]) -> Option<Error> {
        let limit = self.run.job.budget.percent?;
        // Of those that changed, most may be rows that were rejected before: all rows are what it is a share of.
        let rows = summary.changed.as_ref().map_or(0, |changed| changed.scanned).max(summary.rows_read);
        let percent = summary.rejects as f64 * 100.0 / rows.max(1) as f64;
        (percent > limit).then(|| {
            Error::stop(format!("more than {limit} rejects for a hundred rows of {}", summary.entity))
                .detail(format!(
                    "{} rejects in {} rows; most frequent: {}",
                    summary.rejects,
                    rows,
                    self.plan.frequent_rejects(tallies)
                ))
                .hint("mend the values in V1 or the pipeline, or raise --max-reject-percent")
        })
    }
}
