//! A verify in the ledger, so that the report of a run can tell what was found after it.

use std::time::Duration;

use serde_json::json;

use super::VerifyReport;
use crate::error::{Error, Result};
use crate::pg::Database;

/// What is noted.
pub(super) struct Noted<'a> {
    pub report: &'a VerifyReport,
    pub entities: Vec<String>,
    pub sample: Option<f64>,
    pub elapsed: Duration,
}

/// Whether there is a place for it that the role may write to: a role that only reads may verify.
const MAY_WRITE: &str = "
    SELECT NOT pg_is_in_recovery() AND EXISTS (
        SELECT FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
        WHERE (n.nspname, c.relname) = ('xdoflow', 'verifications')
          AND has_schema_privilege(n.oid, 'USAGE') AND has_table_privilege(c.oid, 'INSERT'))";

impl Noted<'_> {
    /// Writes it where it may be written.
    pub(super) async fn write(&self, target: &Database) -> Result<()> {
        let session = target.connect("note the verify").await?;
        if !session.query_one(MAY_WRITE, &[]).await?.get::<_, bool>(0) {
            return Ok(());
        }
        let targets = self.report.entities.iter().map(|table| {
            json!({
                "entity": table.entity,
                "table": table.table,
                "rows_checked": table.rows_checked,
                "difference_count": table.difference_count,
            })
        });
        let targets = serde_json::to_string(&targets.collect::<Vec<_>>())
            .map_err(|error| Error::stop(format!("cannot write JSON for the ledger: {error}")))?;
        let elapsed_ms = i64::try_from(self.elapsed.as_millis()).unwrap_or(i64::MAX);
        session
            .execute(
                "INSERT INTO xdoflow.verifications (equal, sample, elapsed_ms, entities, targets)
                 VALUES ($1, $2, $3, $4, $5::text::jsonb)",
                &[&self.report.equal, &self.sample, &elapsed_ms, &self.entities, &targets],
            )
            .await?;
        Ok(())
    }
}
