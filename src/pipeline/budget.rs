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
    /// to the entity.
    pub(super) fn check_reject_count(&self, rejects: u64, tallies: &[Tally]) -> Result<()> {
        match self.run.job.budget.count {
            Some(limit) if rejects > limit => {
                let mut all = self.tallies();
                all.iter_mut().zip(tallies).for_each(|(all, these)| all.merge(these));
                Err(Error::stop(format!("more than {limit} rejects"))
                    .detail(format!("most frequent so far: {}", self.plan.frequent_rejects(&all)))
                    .hint("mend the values in V1 or the pipeline, or raise --max-rejects"))
            }
            _ => Ok(()),
        }
    }

    /// The budget that is a share of the rows is known when all of them are read.
    pub(super) fn check_reject_share(&self, summary: &EntitySummary, tallies: &[Tally]) -> Result<()> {
        let Some(limit) = self.run.job.budget.percent else { return Ok(()) };
        // Of those that changed, most may be rows that were rejected before: all rows are what it is a share of.
        let rows = summary.changed.as_ref().map_or(0, |changed| changed.scanned).max(summary.rows_read);
        let percent = summary.rejects as f64 * 100.0 / rows.max(1) as f64;
        if percent <= limit {
            return Ok(());
        }
        Err(Error::stop(format!("more than {limit} rejects for a hundred rows of {}", summary.entity))
            .detail(format!(
                "{} rejects in {} rows; most frequent: {}",
                summary.rejects,
                rows,
                self.plan.frequent_rejects(tallies)
            ))
            .hint("mend the values in V1 or the pipeline, or raise --max-reject-percent"))
    }
}
