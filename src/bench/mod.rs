//! `bench`: what a user would pick instead, side by side.
//!
//! ```text
//! World      V1 and V2 in one database, the images of what V2 must hold        world, image
//! each scenario: V2 brought into its state
//!   each sample, entity, contender:
//!     CHECKPOINT, sessions opened                                               sql, floor
//!     ├ timed: SQL, the program as a process, or bytes moved                    sql, child, floor; meter
//!     V2 compared with its image by the server; V2 made as before               world
//! report     medians, ratios                                                    report
//! ```
//! **Right before fast.** After every run the targets are compared with an image that no contender had a
//! part in. One whose rows differ, or that fails, is told as such, takes no further samples, and stands in
//! no ratio.
//!
//! **Fair.** All contenders of a sample take their turns on the same V1. Each begins behind a checkpoint
//! with vacuumed tables, so that nobody pays for another's dirt. SQL runs over sessions that are open
//! already, with the memory of an xdoflow publish; the program pays for its start and its connections.
//! The whole workspace is, for SQL, its entities one after the other; for the program one run.
//!
//! Scenarios run in the order reload, no change, backfill, refresh, because only the last changes V1.

mod child;
mod contender;
mod estimate;
mod floor;
mod image;
mod machine;
mod meter;
mod report;
mod sql;
mod world;

use std::collections::HashMap;
use std::path::PathBuf;
use std::time::Duration;

use crate::error::{Error, Result};
use crate::pg::{Database, Session};
use crate::spec::model::PipelineSpec;
use crate::summary::{Mode, ReadPath};

pub use child::Program;
pub use contender::{CONTENDERS, Contender, Scenario, Way, choose};
pub use machine::Machine;
pub use meter::WalDump;
pub use report::{BenchReport, FloorTried, Header, ResultRow, ServerHeader, WORKSPACE, median};
pub use world::Documents;

use estimate::Estimate;
use floor::{Finished, Plan};
use meter::{Measured, Meter};
use report::{Outcome, Place, Sample, compare};
use world::World;

/// What to measure, and where.
pub struct Job {
    /// The pipelines.
    pub specs: Vec<PipelineSpec>,
    /// Whether each entity has rows of its own in the report.
    pub entities: bool,
    /// Whether all of them together have.
    pub workspace: bool,
    /// V1 and V2.
    pub database: Database,
    /// The private server that the database is on, where it is.
    pub server: Option<OwnServer>,
    /// How xdoflow is started.
    pub program: Program,
    /// A folder of this bench's own, for finished rows and lists of ids.
    pub folder: PathBuf,
    /// What V2 looks like before the runs.
    pub scenarios: Vec<Scenario>,
    /// Who takes part.
    pub contenders: Vec<Contender>,
    /// Whether they were asked for by name, and so take part wherever they can.
    pub chosen: bool,
    /// Runs of each contender.
    pub samples: usize,
    /// Sessions of the `×N` contenders and connections of the floors.
    pub cores: usize,
    /// How V1 was generated, where it was: then it may be changed.
    pub generated: Option<Generated>,
    /// Who is told how far it is.
    pub observer: Box<dyn Fn(&Event<'_>) + Send + Sync>,
}

/// A server that was started for the bench.
pub struct OwnServer {
    /// Its postmaster.
    pub pid: u32,
    /// Its log of changes.
    pub wal: WalDump,
}

/// How V1 was generated.
#[derive(Clone, Debug)]
pub struct Generated {
    /// Its size.
    pub scale: f64,
    /// Its seed.
    pub seed: u64,
    /// How dirty it is.
    pub dirt: String,
}

/// How far a bench is.
#[derive(Debug)]
pub enum Event<'a> {
    /// What will be done, and about how long it takes.
    Plan {
        /// Timed runs.
        runs: usize,
        /// About how long all of it takes.
        estimate: Duration,
    },
    /// Something is being prepared.
    Preparing(&'a str),
    /// A timed run begins.
    Begin(&'a Position<'a>),
    /// A timed run has ended.
    End {
        /// Which.
        position: &'a Position<'a>,
        /// Its time, where it ended well.
        wall: Option<Duration>,
        /// Rows that are wrong.
        rows_wrong: Option<u64>,
        /// Why it failed.
        error: Option<&'a str>,
    },
    /// Something that has to be known of the figures.
    Note(&'a str),
}

/// A timed run among all of them.
#[derive(Debug)]
pub struct Position<'a> {
    /// The scenario.
    pub scenario: Scenario,
    /// The entity, or `workspace`.
    pub entity: &'a str,
    /// The contender.
    pub contender: Contender,
    /// Which sample, from 1; 0 for a floor that is tried out.
    pub sample: usize,
    /// Runs that are done.
    pub done: usize,
    /// All runs.
    pub total: usize,
    /// About how long the rest takes.
    pub remaining: Duration,
}

/// What a row is about: one entity, or all.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum Subject {
    Entity(usize),
    Workspace,
}

/// One timed run to come.
#[derive(Clone, Copy, Debug)]
struct Step {
    scenario: Scenario,
    subject: Subject,
    contender: Contender,
    sample: usize,
}

/// The order in which scenarios run: only the last changes V1.
const ORDER: [Scenario; 4] = [Scenario::Reload, Scenario::NoChange, Scenario::Backfill, Scenario::Refresh];

/// A bench: V1 and V2 must be in one database, V2 empty.
pub struct Bench {
    job: Job,
    world: World,
    meter: Meter,
    finished: Finished,
    plans: HashMap<(Scenario, Subject, Contender), Plan>,
    floors: Vec<FloorTried>,
    notes: Vec<String>,
    outcomes: HashMap<(Scenario, Subject, Contender), Outcome>,
    estimate: Estimate,
    /// Whether fingerprints of an equal V2 are saved.
    fingerprints: bool,
    total: usize,
    done: usize,
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
        notes.push(format!(
            "SQL runs with work_mem {} as a publish of xdoflow does, with jit off, over open sessions",
            sql::WORK_MEM
        ));
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
    fn subjects(&self, contender: Contender) -> Vec<Subject> {
        let all = (0..self.world.entities.len()).map(Subject::Entity);
        // SQL has no workspace of its own: it is the sum of the entities.
        let mut subjects: Vec<Subject> =
            if self.job.entities || contender.is_sql() { all.collect() } else { Vec::new() };
        if self.job.workspace && !contender.is_sql() {
            subjects.push(Subject::Workspace);
        }
        subjects
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

    fn taking_part(&self, scenario: Scenario) -> impl Iterator<Item = Contender> {
        self.job.contenders.iter().copied().filter(move |contender| {
            contender.takes_part(scenario) && (self.job.chosen || contender.by_default(scenario))
        })
    }

    fn name(&self, subject: Subject) -> &str {
        match subject {
            Subject::Entity(index) => &self.world.entities[index].spec.entity,
            Subject::Workspace => WORKSPACE,
        }
    }

    fn entities(&self, subject: Subject) -> Vec<usize> {
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

    fn position(&self, step: Step, remaining: Duration) -> Position<'_> {
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
        let begun = std::time::Instant::now();
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
            if let (Some(files), Some(server)) = (files, &self.job.server) {
                let to = meter::wal_place(&self.world.session).await?;
                let files = [files, self.wal_files(step, &entities).await?.unwrap_or_default()].concat();
                wal_target_bytes = Some(server.wal.bytes(&from, &to, &files)?);
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

    /// One timed run.
    async fn measure(&self, step: Step) -> Result<Measured> {
        let session = &self.world.session;
        let entities = self.entities(step.subject);
        match (step.contender.way, step.contender.read) {
            (Way::Xdoflow { mode, more }, _) => {
                let arguments = self.arguments(step, mode, more);
                let before = self.meter.begin(session).await?;
                let ran = child::run(&self.job.program, &arguments).await?;
                let measured = self.meter.end(session, before, ran.rss_peak_bytes).await?;
                if step.contender.needs_fingerprints() {
                    ran.check_changed()?;
                }
                Ok(measured)
            }
            (Way::Floor, Some(read)) => {
                let plan = self.plans.get(&(step.scenario, step.subject, step.contender)).copied();
                let plan = plan.ok_or_else(|| Error::stop("a floor was not tried out"))?;
                let ready =
                    floor::open(&self.world, &entities, step.scenario, plan, read, &self.finished).await?;
                let before = self.meter.begin(session).await?;
                ready.run().await?;
                self.meter.end(session, before, None).await
            }
            (way, _) => {
                let entity = entities.first().copied().unwrap_or(0);
                let script = sql::script(&self.world, entity, way, step.scenario).await?;
                let ready = script.open(&self.world).await?;
                let before = self.meter.begin(session).await?;
                ready.run().await?;
                let measured = self.meter.end(session, before, None).await?;
                // What sends a statement and waits is no client whose memory could matter.
                Ok(Measured { rss_peak_bytes: None, ..measured })
            }
        }
    }

    /// The arguments of the program.
    fn arguments(&self, step: Step, mode: Mode, more: Option<&'static str>) -> Vec<String> {
        let mut arguments = vec!["run".to_owned()];
        arguments.extend(
            self.entities(step.subject).iter().map(|&index| self.world.entities[index].spec.entity.clone()),
        );
        let mut options = QUIET.to_vec();
        options.extend(["--mode", mode.name()]);
        options.extend(more);
        options.extend(step.contender.read.map(ReadPath::name).into_iter().flat_map(|read| ["--read", read]));
        let ids = self.ids_file(step.subject).display().to_string();
        match step.scenario {
            Scenario::Backfill => options.extend(["--ids", &ids]),
            Scenario::Refresh | Scenario::NoChange if mode == Mode::Merge => options.push("--prune"),
            _ => {}
        }
        arguments.extend(options.into_iter().map(str::to_owned));
        arguments
    }

    fn ids_file(&self, subject: Subject) -> PathBuf {
        self.job.folder.join(format!("backfill_{}.ids", self.name(subject)))
    }

    /// Writes the ids of a backfill as `run --ids` reads them: for each entity, and for all together.
    async fn write_ids(&self) -> Result<()> {
        let all = (0..self.world.entities.len()).map(Subject::Entity);
        for subject in all.chain([Subject::Workspace]) {
            let mut lines = String::new();
            for index in self.entities(subject) {
                let entity = &self.world.entities[index].spec.entity;
                for id in self.world.ids_of_backfill(index).await? {
                    lines.push_str(&format!("{entity},{id}\n"));
                }
            }
            let path = self.ids_file(subject);
            std::fs::write(&path, lines)
                .map_err(|error| Error::stop(format!("cannot write {}: {error}", path.display())))?;
        }
        Ok(())
    }

    /// The files of the targets as the log of changes names them, where it is to be read: where nothing
    /// differs, nothing should be written.
    async fn wal_files(&self, step: Step, entities: &[usize]) -> Result<Option<Vec<String>>> {
        if self.job.server.is_none()
            || step.scenario != Scenario::NoChange
            || step.contender.way == Way::Floor
        {
            return Ok(None);
        }
        let targets = self.world.targets.iter().filter(|target| entities.contains(&target.entity));
        let names: Vec<String> = targets.map(image::Target::table).collect();
        let rows = self.world.session.query(WAL_FILES, &[&names]).await?;
        Ok(Some(rows.iter().map(|row| row.get(0)).collect()))
    }

    async fn report(&self) -> Result<BenchReport> {
        let session = &self.world.session;
        let generated = self.job.generated.as_ref();
        let header = Header {
            version: env!("CARGO_PKG_VERSION").to_owned(),
            date: machine::now(session).await?,
            machine: Machine::here(self.world.cores),
            server: machine::server(session, self.job.server.is_some()).await?,
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
            let shown = entities.filter(|_| self.job.entities);
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
        Place { scenario, entity: self.name(subject), contender, targets, rows, bytes }
    }
}

/// Of tables, their indexes, and the same of their TOAST tables.
const WAL_FILES: &str = "
    WITH t AS (SELECT c.oid, c.reltoastrelid FROM pg_class c WHERE c.oid = ANY ($1::text[]::regclass[])),
         r AS (SELECT oid FROM t UNION ALL SELECT reltoastrelid FROM t WHERE reltoastrelid <> 0),
         f AS (SELECT oid FROM r UNION ALL SELECT i.indexrelid FROM pg_index i JOIN r ON r.oid = i.indrelid)
    SELECT coalesce(nullif(c.reltablespace, 0), d.dattablespace) || '/' || d.oid || '/' || pg_relation_filenode(c.oid)
    FROM f JOIN pg_class c ON c.oid = f.oid, pg_database d WHERE d.datname = current_database()";

/// How the program tells nothing but its result.
const QUIET: [&str; 3] = ["--json", "--progress", "none"];

async fn has_cast(session: &Session) -> Result<bool> {
    let query = "SELECT EXISTS (SELECT FROM pg_cast WHERE castsource = 'jsonb'::regtype \
                 AND casttarget = 'bytea'::regtype AND castmethod = 'b')";
    Ok(session.query_one(query, &[]).await?.get(0))
}
