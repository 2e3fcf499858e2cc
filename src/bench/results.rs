//! From what was measured to the rows of the report.

use super::Subject;
use super::contender::{Contender, Scenario};
use super::machine::{self, Machine};
use super::report::{BenchReport, Header, Outcome, Place, ResultRow, compare};
use super::run::Bench;
use crate::error::Result;

impl Bench {
    pub(super) async fn report(&self) -> Result<BenchReport> {
        let session = &self.world.session;
        let generated = self.job.generated.as_ref();
        let header = Header {
            version: env!("CARGO_PKG_VERSION").to_owned(),
            date: machine::now(session).await?,
            machine: Machine::here(self.world.cores),
            // Of a session of its own, which has set nothing for itself.
            server: machine::server(&self.job.database.connect("bench").await?, self.job.server.is_some())
                .await?,
            scale: generated.map(|generated| generated.scale),
            seed: generated.map(|generated| generated.seed),
            dirt: generated.map(|generated| generated.dirt.clone()),
            samples: self.job.samples,
            cores: self.world.cores,
            tables: self.world.entities.iter().map(|entity| entity.documents.clone()).collect(),
            floors: self.floors.clone(),
            notes: self.notes.clone(),
        };
        let mut results = self.rows();
        compare(&mut results);
        Ok(BenchReport { header, results })
    }

    fn rows(&self) -> Vec<ResultRow> {
        let mut rows = Vec::new();
        for scenario in Scenario::ALL.into_iter().filter(|scenario| self.job.scenarios.contains(scenario)) {
            let entities = (0..self.world.entities.len()).map(Subject::Entity);
            let shown = entities.filter(|one| self.is_shown(*one));
            for subject in shown.chain(self.job.workspace.then_some(Subject::Workspace)) {
                for contender in self.taking_part(scenario) {
                    if let Some(outcome) = self.outcome(scenario, subject, contender) {
                        rows.push(outcome.row(&self.place(scenario, subject, contender)));
                    }
                }
            }
        }
        rows
    }

    fn outcome(&self, scenario: Scenario, subject: Subject, contender: Contender) -> Option<Outcome> {
        if subject == Subject::Workspace && contender.is_sql() {
            let parts: Option<Vec<&Outcome>> = (0..self.world.entities.len())
                .map(|index| self.outcomes.get(&(scenario, Subject::Entity(index), contender)))
                .collect();
            return parts.map(Outcome::sum);
        }
        self.outcomes.get(&(scenario, subject, contender)).cloned()
    }

    fn place(&self, scenario: Scenario, subject: Subject, contender: Contender) -> Place<'_> {
        let entities = self.entities(subject);
        let targets_of =
            |entity: &usize| self.world.targets.iter().filter(|target| target.entity == *entity).count();
        let documents = entities.iter().map(|&index| &self.world.entities[index].documents);
        let (rows, bytes) = match scenario {
            Scenario::Backfill => {
                documents.fold((0, 0), |sum, d| (sum.0 + d.backfill_rows, sum.1 + d.backfill_bytes))
            }
            _ => documents.fold((0, 0), |sum, d| (sum.0 + d.rows, sum.1 + d.document_bytes)),
        };
        let targets = entities.iter().map(targets_of).max().unwrap_or(1);
        let way = self.plans.get(&(scenario, subject, contender)).map(|plan| plan.name());
        Place { scenario, entity: self.name(subject), contender, way, targets, rows, bytes }
    }
}
