//! Which rows of V1 alone a run reads, where it does not read them all: a backfill. Whichever way they are named,
//! they are ids by the time that the run reads: those that the snapshot of the run shows.

use std::fmt::Write;

use crate::error::{Error, Result};
use crate::name::quote;
use crate::plan::EntityPlan;
use crate::stage::extract::SourceSnapshot;

/// Some rows of V1. All that is named must hold for a row; nothing is deleted and nothing derived.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Only {
    /// For each pipeline its ids.
    pub ids: Option<Vec<Vec<i64>>>,
    /// Ids and ranges of ids, both ends included, of each pipeline.
    pub ranges: Vec<(i64, i64)>,
    /// A condition, as SQL of V1's server, on the columns of the source table.
    pub condition: Option<String>,
    /// So many rows of each pipeline, those with the lowest ids.
    pub limit: Option<u64>,
}

impl Only {
    /// Whether rows are named at all.
    pub fn is_some(&self) -> bool {
        *self != Self::default()
    }

    /// The ids of the rows of an entity, ascending.
    pub(super) async fn resolve(&self, snapshot: &SourceSnapshot, plan: &EntityPlan) -> Result<Vec<i64>> {
        let ids = self.ids.as_ref().map(|ids| &ids[plan.index]);
        if self.ranges.is_empty() && self.condition.is_none() && self.limit.is_none() {
            return Ok(ids.cloned().unwrap_or_default());
        }
        let (session, sql) = (snapshot.session(), self.sql(plan, ids.is_some()));
        let rows = match ids {
            Some(ids) => session.query(&sql, &[ids]).await,
            None => session.query(&sql, &[]).await,
        };
        let rows = rows.map_err(|error| self.explain(error, plan))?;
        let mut found: Vec<i64> = rows.iter().filter_map(|row| row.get(0)).collect();
        found.dedup();
        Ok(found)
    }

    fn sql(&self, plan: &EntityPlan, with_ids: bool) -> String {
        let id = quote(plan.source.id());
        let mut sql = format!("SELECT {id}::bigint FROM {} WHERE true", plan.source.info().name.quoted());
        if with_ids {
            let _ = write!(sql, " AND {id} = ANY ($1)");
        }
        if !self.ranges.is_empty() {
            let ranges = self.ranges.iter().map(|(first, last)| format!("{id} BETWEEN {first} AND {last}"));
            let _ = write!(sql, " AND ({})", ranges.collect::<Vec<_>>().join(" OR "));
        }
        if let Some(condition) = &self.condition {
            // A comment at its end ends with the line.
            let _ = write!(sql, " AND (\n{condition}\n)");
        }
        let _ = write!(sql, " ORDER BY 1");
        if let Some(limit) = self.limit {
            let _ = write!(sql, " LIMIT {limit}");
        }
        sql
    }

    fn explain(&self, error: Error, plan: &EntityPlan) -> Error {
        match &self.condition {
            Some(_) => error.context(format_args!("--where on {}", plan.source.info().name)).hint(
                "it is a condition in the SQL of V1's server, such as: (xdo->>'updated_at')::bigint > 1700000000000",
            ),
            None => error,
        }
    }
}
