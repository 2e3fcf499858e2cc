//! Drift: how the keys of V1's documents differ from those that were accepted, and what that means for the run.

use std::borrow::Cow;
use std::collections::BTreeMap;

use super::Purpose;
use super::changed::Scope;
use super::entity::EntityRun;
use crate::error::{Error, Result};
use crate::pg::Session;
use crate::spec::model::DriftPolicy;
use crate::stage::keys;
use crate::summary::Drift;
use crate::transform::Tally;
use crate::transform::keys::KindTally;

impl EntityRun {
    /// The keys that were met.
    fn met<'t>(&'t self, tallies: &'t [Tally]) -> BTreeMap<Cow<'t, str>, KindTally> {
        tallies.first().map(|tally| tally.keys.met(self.plan.program.known_keys())).unwrap_or_default()
    }

    /// How they differ from those that were accepted; not at all where none were yet, or nobody asks.
    pub(super) fn drift(&self, tallies: &[Tally]) -> Vec<Drift> {
        let Some(known) = &self.plan.known_keys else { return Vec::new() };
        let is_full = tallies.first().is_some_and(|tally| tally.keys.is_full());
        keys::compare(known, &self.met(tallies), matches!(self.scope, Scope::All) && !is_full)
    }

    /// Why a run would stop whose pipeline takes no drift; what was met is noted all the same, to be accepted.
    pub(super) async fn refuse_drift(&self, drift: &[Drift]) -> Result<Option<Error>> {
        if self.plan.drift != DriftPolicy::Fail || drift.is_empty() {
            return Ok(None);
        }
        let entity = &self.plan.entity;
        if self.run.job.safety.purpose == Purpose::Publish {
            keys::note(self.ledger.session(), entity, self.ledger.run_id(), drift).await?;
        }
        let lines: Vec<String> = drift.iter().take(5).map(Drift::to_string).collect();
        let more = drift.len().saturating_sub(lines.len());
        let more = if more > 0 { format!("; and {more} more") } else { String::new() };
        let stop = Error::stop(format!("the documents of {entity} have drifted"))
            .detail(format!("{}{more}", lines.join("; ")))
            .hint("xdoflow drift lists it all; if it is meant, accept it with --accept, or change drift in the pipeline");
        Ok(Some(stop))
    }

    /// Keeps what was met with what is published: as the baseline where there is none yet and all rows were read, else
    /// how it differs.
    pub(super) async fn keep_keys(
        &self,
        session: &Session,
        drift: &[Drift],
        tallies: &[Tally],
    ) -> Result<()> {
        let (entity, run_id) = (&self.plan.entity, self.ledger.run_id());
        match &self.plan.known_keys {
            Some(_) => keys::note(session, entity, run_id, drift).await,
            None if self.plan.drift == DriftPolicy::Ignore || !matches!(self.scope, Scope::All) => Ok(()),
            None => keys::lay(session, entity, run_id, &self.met(tallies)).await,
        }
    }
}
