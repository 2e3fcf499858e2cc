//! The course of a bench: scenario by scenario, sample by sample, contender by contender.

use std::collections::HashMap;
use std::time::{Duration, Instant};

use super::child;
use super::contender::{Contender, Scenario, Way};
use super::estimate::Estimate;
use super::floor::{Finished, Plan};
use super::measure::QUIET;
use super::meter::{self, Meter};
use super::report::{BenchReport, FloorTried, Outcome, Sample, WORKSPACE};
use super::sql;
use super::world::World;
use super::{Event, Job, ORDER, Position, Step, Subject};
use crate::error::Result;
use crate::pg::Session;
use crate::summary::ReadPath;

/// A bench: V1 and V2 must be in one database, V2 empty.
pub struct Bench {
    pub(super) job: Job,
    pub(super) world: World,
    pub(super) meter: Meter,
    pub(super) finished: Finished,
    pub(super) plans: HashMap<(Scenario, Subject, Contender), Plan>,
    pub(super) floors: Vec<FloorTried>,
    pub(super) notes: Vec<String>,
    pub(super) outcomes: HashMap<(Scenario, Subject, Contender), Outcome>,
    pub(super) estimate: Estimate,
    /// Whether fingerprints of an equal V2 are saved.
    pub(super) fingerprints: bool,
    pub(super) total: usize,
    pub(super) done: usize,
}

impl Bench {
    /// Looks at both sides; nothing is written yet.
    ///
    /// # Errors
    /// Where the pipelines do not fit, or a target holds rows: a bench empties its targets.
    pub async fn open(mut job: Job) -> Result<Self> {
        let mut notes = Vec::new();
        let own = job.server.is_some();
        let world = World::open(&job.database, &job.specs, job.cores, own).await?;
        if !own && !has_cast(&world.session).await? {
            let before = job.contenders.len();
            job.contenders.retain(|contender| contender.read != Some(ReadPath::Raw));
            if job.contenders.len() < before {
                notes.push(
                    "the raw read path has no part: the server has no cast from jsonb to bytea".to_owned(),
                );
            }
        }
        if job.generated.is_none() && job.scenarios.contains(&Scenario::Refresh) {
            job.scenarios.retain(|&scenario| scenario != Scenario::Refresh);
            notes.push("no refresh: it changes V1, and this V1 was not generated for the bench".to_owned());
        }
        if own {
            notes.push(
                "autovacuum is off for the tables of the bench: each run begins with vacuumed ones"
                    .to_owned(),
            );
        }
        if job.server.as_ref().is_some_and(|server| server.wal.is_none()) {
            notes.push(
                "pg_waldump is not among the server's programs: nothing tells whether the targets' changes were logged"
                    .to_owned(),
            );
        }
        notes.push(format!(
            "SQL runs with work_mem {} as a publish of xdoflow does, with jit off, over open sessions",
            sql::WORK_MEM
        ));
        if job.contenders.iter().any(|contender| contender.way == Way::Floor) {
            notes.push(
                "each way of a floor was tried once, and the fastest taken; --json has the others".to_owned(),
            );
        }
        for note in &notes {
            (job.observer)(&Event::Note(note));
        }
        let meter = Meter { server_pid: job.server.as_ref().map(|server| server.pid) };
        Ok(Self {
            meter,
            world,
            finished: Finished::default(),
            plans: HashMap::new(),
            floors: Vec::new(),
            notes,
            outcomes: HashMap::new(),
            estimate: Estimate::default(),
            fingerprints: false,
            total: 0,
            done: 0,
            job,
        })
    }

    /// Measures.
    ///
    /// # Errors
    /// Where something cannot be prepared. A contender that fails is a result, not an error.
    pub async fn run(&mut self) -> Result<BenchReport> {
        let steps = self.steps();
        self.total = steps.len();
        self.tell(&Event::Plan { runs: steps.len(), estimate: self.estimate.of(&self.world, &steps) });
        self.tell(&Event::Preparing("what V2 must hold"));
        self.world.make_images().await?;
        self.make_cast().await?;
        let mut current = None;
        for (index, step) in steps.iter().enumerate() {
            if current != Some(step.scenario) {
                self.begin(step.scenario).await?;
                current = Some(step.scenario);
            }
            self.take(*step, &steps[index..]).await?;
            self.done = index + 1;
        }
        self.report().await
    }

    /// Takes away what was made beside V1, and empties V2, however the run has ended. Sessions that it held
    /// may have been ended.
    ///
    /// # Errors
    /// Those of the server; what is still there lies in the schema `xdoflow_bench`.
    pub async fn close(mut self) -> Result<()> {
        self.world.close().await
    }

    fn tell(&self, event: &Event<'_>) {
        (self.job.observer)(event);
    }

    /// The subjects on which a contender is run.
    pub(super) fn subjects(&self, contender: Contender) -> Vec<Subject> {
        let all = (0..self.world.entities.len()).map(Subject::Entity);
        // SQL has no workspace of its own: it is the sum of the entities.
        let sums = self.job.workspace && contender.is_sql();
        let mut subjects: Vec<Subject> = all.filter(|one| sums || self.is_shown(*one)).collect();
        if self.job.workspace && !contender.is_sql() {
            subjects.push(Subject::Workspace);
        }
        subjects
    }

    /// Whether an entity has rows of its own in the report.
    pub(super) fn is_shown(&self, subject: Subject) -> bool {
        self.job.shown.iter().any(|entity| entity == self.name(subject))
    }

    fn steps(&self) -> Vec<Step> {
        let mut steps = Vec::new();
        let scenarios = ORDER.into_iter().filter(|scenario| self.job.scenarios.contains(scenario));
        for scenario in scenarios {
            for sample in 1..=self.job.samples {
                let entities = (0..self.world.entities.len()).map(Subject::Entity);
                for subject in entities.chain([Subject::Workspace]) {
                    let taking_part =
                        self.taking_part(scenario).filter(|c| self.subjects(*c).contains(&subject));
                    steps.extend(taking_part.map(|contender| Step { scenario, subject, contender, sample }));
                }
            }
        }
        steps
    }

    pub(super) fn taking_part(&self, scenario: Scenario) -> impl Iterator<Item = Contender> {
        self.job.contenders.iter().copied().filter(move |contender| {
            contender.takes_part(scenario) && (self.job.chosen || contender.by_default(scenario))
        })
    }

    pub(super) fn name(&self, subject: Subject) -> &str {
        match subject {
            Subject::Entity(index) => &self.world.entities[index].spec.entity,
            Subject::Workspace => WORKSPACE,
        }
    }

    pub(super) fn entities(&self, subject: Subject) -> Vec<usize> {
        match subject {
            Subject::Entity(index) => vec![index],
            Subject::Workspace => (0..self.world.entities.len()).collect(),
        }
    }

    /// On a private server the cast is made that lends documents out as they are kept.
    async fn make_cast(&self) -> Result<()> {
        let raw = self.job.contenders.iter().any(|contender| contender.read == Some(ReadPath::Raw));
        if self.job.server.is_some() && raw && !has_cast(&self.world.session).await? {
            self.world.session.batch("CREATE CAST (jsonb AS bytea) WITHOUT FUNCTION").await?;
        }
        Ok(())
    }

    /// Brings V1 and V2 into the state of a scenario, and tries out its floors.
    async fn begin(&mut self, scenario: Scenario) -> Result<()> {
        self.tell(&Event::Preparing(&format!("{}: {}", scenario.name(), scenario.what())));
        self.world.set(scenario).await?;
        if self.taking_part(scenario).any(Contender::needs_fingerprints) && !self.fingerprints {
            self.tell(&Event::Preparing("the fingerprints of a full run"));
            let entities: Vec<String> =
                self.world.entities.iter().map(|entity| entity.spec.entity.clone()).collect();
            child::run(
                &self.job.program,
                &[vec!["run".to_owned()], entities, QUIET.map(str::to_owned).to_vec()].concat(),
            )
            .await?;
            self.world.save_fingerprints().await?;
            self.fingerprints = true;
        }
        if scenario == Scenario::Refresh {
            self.world.change_v1().await?;
        }
        if scenario == Scenario::Backfill {
            self.write_ids().await?;
        }
        let floors: Vec<Contender> =
            self.taking_part(scenario).filter(|contender| contender.way == Way::Floor).collect();
        if !floors.is_empty() {
            self.finished = Finished::save(&self.world, scenario, &self.job.folder).await?;
        }
        for contender in floors {
            for subject in self.subjects(contender) {
                self.try_floors(scenario, subject, contender).await?;
            }
        }
        Ok(())
    }

    /// Tries each way of a floor once, and keeps the fastest.
    async fn try_floors(&mut self, scenario: Scenario, subject: Subject, contender: Contender) -> Result<()> {
        let Some(read) = contender.read else { return Ok(()) };
        let mut tried: Vec<(Plan, Duration)> = Vec::new();
        for plan in Plan::candidates(scenario, self.world.cores) {
            self.plans.insert((scenario, subject, contender), plan);
            let step = Step { scenario, subject, contender, sample: 0 };
            self.world.checkpoint().await?;
            self.tell(&Event::Begin(&self.position(step, Duration::ZERO)));
            let measured = self.measure(step).await?;
            tried.push((plan, measured.wall));
            self.world.restore(scenario, contender, &self.entities(subject), true).await?;
        }
        let Some((fastest, _)) = tried.iter().min_by_key(|(_, wall)| *wall).copied() else { return Ok(()) };
        self.plans.insert((scenario, subject, contender), fastest);
        let ms = |wall: Duration| (wall.as_secs_f64() * 10_000.0).round() / 10.0;
        self.floors.push(FloorTried {
            scenario,
            entity: self.name(subject).to_owned(),
            read_path: read,
            used: fastest.name(),
            tried: tried.iter().map(|(plan, wall)| (plan.name(), ms(*wall))).collect(),
        });
        Ok(())
    }

    pub(super) fn position(&self, step: Step, remaining: Duration) -> Position<'_> {
        Position {
            scenario: step.scenario,
            entity: self.name(step.subject),
            contender: step.contender,
            sample: step.sample,
            done: self.done,
            total: self.total,
            remaining,
        }
    }

    /// Takes one sample.
    async fn take(&mut self, step: Step, rest: &[Step]) -> Result<()> {
        let key = (step.scenario, step.subject, step.contender);
        if self.outcomes.get(&key).is_some_and(|outcome| !outcome.is_right()) {
            return Ok(());
        }
        let begun = Instant::now();
        let entities = self.entities(step.subject);
        if step.contender.needs_fingerprints() {
            self.world.restore_fingerprints().await?;
        }
        if step.contender.rewrites(step.scenario) {
            self.world.stand_in(&entities).await?;
        }
        self.world.checkpoint().await?;
        let remaining = self.estimate.of(&self.world, rest);
        self.tell(&Event::Begin(&self.position(step, remaining)));
        let files = self.wal_files(step, &entities).await?;
        let from = meter::wal_place(&self.world.session).await?;
        let measured = self.measure(step).await;
        let (mut rows_wrong, mut wal_target_bytes) = (None, None);
        if measured.is_ok() {
            let wal = self.job.server.as_ref().and_then(|server| server.wal.as_ref());
            if let (Some(files), Some(wal)) = (files, wal) {
                let to = meter::wal_place(&self.world.session).await?;
                let files = [files, self.wal_files(step, &entities).await?.unwrap_or_default()].concat();
                wal_target_bytes = Some(wal.bytes(&from, &to, &files)?);
            }
            let compares = step.contender.way != Way::Floor || step.scenario == Scenario::Reload;
            rows_wrong = match compares {
                true => Some(self.world.count_wrong(step.scenario, &entities).await?),
                false => None,
            };
        }
        let error = measured.as_ref().err().map(|error| error.message().to_owned());
        self.tell(&Event::End {
            position: &self.position(step, remaining),
            wall: measured.as_ref().ok().map(|measured| measured.wall),
            rows_wrong,
            error: error.as_deref(),
        });
        let outcome = self.outcomes.entry(key).or_default();
        outcome.samples.extend(measured.ok().map(|measured| Sample { measured, wal_target_bytes }));
        if let Some(wrong) = rows_wrong {
            *outcome.rows_wrong.get_or_insert(0) += wrong;
        }
        outcome.error = error;
        let right = outcome.is_right();
        self.world.restore(step.scenario, step.contender, &entities, right).await?;
        self.estimate.learn(&self.world, step, begun.elapsed());
        Ok(())
    }
}

async fn has_cast(session: &Session) -> Result<bool> {
    let query = "SELECT EXISTS (SELECT FROM pg_cast WHERE castsource = 'jsonb'::regtype \
                 AND casttarget = 'bytea'::regtype AND castmethod = 'b')";
    Ok(session.query_one(query, &[]).await?.get(0))
}
