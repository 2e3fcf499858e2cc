//! `doctor`: what a first run would stumble over, found before it. Reads catalogues and counts, changes nothing.
//!
//! ```text
//! server.rs   each of the two: version, connections left, timeouts, read-only, encoding, a pooler between
//! ledger.rs   the schema xdoflow: may the role make it, or use the one that is there?
//! tables.rs   each target: rights, triggers, foreign keys, fillfactor, statistics, replication
//! here        the snapshot over two connections, room on the disks, and all that `check` finds
//! ```
//! Whether the pipelines fit is the business of [`check`]: its findings stand here as they are. What
//! cannot be reached is a finding, too: the doctor looks at the rest all the same.
//!
//! What cannot be known is said to be unknown. SQL has no view of a free disk: what is told is the size of the tables
//! and what a run may write beside them. Everything of V2 may be written once more beside itself (a full staging
//! table, or dead rows where every row is updated), a first load makes tables no larger than V1's, and WAL piles up
//! to `max_wal_size` between two checkpoints, or more where an archive or a replica is behind. That is meant to be
//! enough, not to be exact: on a workspace of `demo --scale 0.02` (PostgreSQL 15) a first load made the database larger
//! by the size of V2 and wrote 1.1 times that as WAL, and a run with `--stage-all` that updated every row by 1.4 times.

mod ledger;
mod server;
mod tables;

use serde::Serialize;

use crate::check::{self, CheckReport, Severity};
use crate::error::{Error, Fate, Result};
use crate::pg::{Database, Session};
use crate::spec::model::{PipelineSpec, TargetSpec};
use crate::stage::extract::SourceSnapshot;

/// What the doctor has found.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct DoctorReport {
    /// How many findings are problems: a run would stop.
    pub problems: usize,
    /// How many are warnings.
    pub warnings: usize,
    /// In the order in which one would mend them: source, target, its tables, pipelines.
    pub findings: Vec<Finding>,
}

/// One thing that was looked at.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Finding {
    /// How it is.
    pub level: Level,
    /// Where.
    pub area: Area,
    /// The server, the table or the place in a pipeline file.
    pub subject: String,
    /// What was looked at, in a word that stays: `version`, `rights` …
    pub check: &'static str,
    /// What was found.
    pub message: String,
    /// What to do; empty where there is nothing to be done.
    pub hint: String,
}

/// How something is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Level {
    /// As it should be.
    Ok,
    /// It cannot be seen from here.
    Unknown,
    /// A run works, but not as well as it could, or with a surprise.
    Warning,
    /// A run would stop.
    Problem,
}

/// Where something was found.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Area {
    /// V1's server and database.
    Source,
    /// V2's.
    Target,
    /// The pipelines against both.
    Pipelines,
}

impl Finding {
    fn new(level: Level, area: Area, subject: &str, check: &'static str, message: impl Into<String>) -> Self {
        Self { level, area, subject: subject.to_owned(), check, message: message.into(), hint: String::new() }
    }

    fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = hint.into();
        self
    }

    /// What an error means that ended a look.
    fn failed(area: Area, subject: &str, check: &'static str, error: &Error) -> Self {
        let detail = error.detail_text().map_or(String::new(), |detail| format!(" ({detail})"));
        Self::new(Level::Problem, area, subject, check, format!("{}{detail}", error.message()))
            .hint(error.hint_text().unwrap_or_default())
    }
}

/// The findings as they come, those of one subject with less to write.
struct Notes<'a> {
    findings: &'a mut Vec<Finding>,
    area: Area,
    subject: String,
}

impl Notes<'_> {
    fn ok(&mut self, check: &'static str, message: impl Into<String>) {
        self.note(Level::Ok, check, message, "");
    }

    fn note(
        &mut self,
        level: Level,
        check: &'static str,
        message: impl Into<String>,
        hint: impl Into<String>,
    ) {
        self.findings.push(Finding::new(level, self.area, &self.subject, check, message).hint(hint));
    }
}

/// Looks at both databases and at the tables of these pipelines, for runs of so many jobs.
///
/// # Errors
/// None but an interruption: what fails is a finding.
pub async fn doctor(
    source: &Database,
    target: &Database,
    specs: &[PipelineSpec],
    jobs: usize,
) -> Result<DoctorReport> {
    let mut findings = Vec::new();
    let (v1, v2) = tokio::join!(source.connect("doctor"), target.connect("doctor"));
    let v1 = reached(v1, Area::Source, source, &mut findings)?;
    let v2 = reached(v2, Area::Target, target, &mut findings)?;
    let needs = server::Needs::of(specs, jobs);
    let same = match (&v1, &v2) {
        (Some(v1), Some(v2)) => ask(server::is_same(v1, v2).await)?.unwrap_or(false),
        _ => false,
    };
    let mut sizes = Sizes::default();
    if let Some(session) = &v1 {
        let needed = needs.source + if same { needs.target } else { 0 };
        let mut notes = Notes { findings: &mut findings, area: Area::Source, subject: source.redacted() };
        look(server::look(session, needed, &mut notes).await, &mut notes, "server")?;
        look(snapshot(source, &mut notes).await, &mut notes, "snapshot")?;
        for spec in specs {
            let subject = spec.source.table.to_string();
            let mut notes = Notes { findings: &mut findings, area: Area::Source, subject };
            let looked = tables::source(session, spec, &mut notes).await;
            sizes.source += look(looked, &mut notes, "rights")?.unwrap_or(0);
        }
    }
    if let Some(session) = &v2 {
        let subject = target.redacted();
        let mut notes = Notes { findings: &mut findings, area: Area::Target, subject: subject.clone() };
        // The needs of one server are told once.
        let needed = if same { 0 } else { needs.target };
        look(server::look(session, needed, &mut notes).await, &mut notes, "server")?;
        look(server::pooler(target, &mut notes).await, &mut notes, "pooler")?;
        look(ledger::look(session, &mut notes).await, &mut notes, "ledger")?;
        for (spec, target) in specs.iter().flat_map(|spec| all_targets(spec).map(move |one| (spec, one))) {
            let subject = target.table.to_string();
            let mut notes = Notes { findings: &mut findings, area: Area::Target, subject };
            let looked = tables::target(session, spec, target, &mut notes).await;
            sizes.target += look(looked, &mut notes, "table")?.unwrap_or(0);
        }
        let mut notes = Notes { findings: &mut findings, area: Area::Target, subject };
        look(disk(session, sizes, &mut notes).await, &mut notes, "disk")?;
    }
    if v1.is_some() && v2.is_some() {
        pipelines(check::check(source, target, specs).await, specs, &mut findings)?;
    }
    let of = |level| findings.iter().filter(|finding| finding.level == level).count();
    Ok(DoctorReport { problems: of(Level::Problem), warnings: of(Level::Warning), findings })
}

/// All targets of a pipeline, derived ones too.
fn all_targets(spec: &PipelineSpec) -> impl Iterator<Item = &TargetSpec> {
    spec.targets.iter().chain(spec.derived.iter().map(|derived| &derived.target))
}

/// A result, or nothing where asking has failed; an interruption stays an error.
fn ask<T>(result: Result<T>) -> Result<Option<T>> {
    match result {
        Ok(value) => Ok(Some(value)),
        Err(error) if error.fate() == Fate::Interrupted => Err(error),
        Err(_) => Ok(None),
    }
}

/// A look that has failed is a finding.
fn look<T>(result: Result<T>, notes: &mut Notes<'_>, check: &'static str) -> Result<Option<T>> {
    match result {
        Ok(value) => Ok(Some(value)),
        Err(error) if error.fate() == Fate::Interrupted => Err(error),
        Err(error) => {
            notes.findings.push(Finding::failed(notes.area, &notes.subject, check, &error));
            Ok(None)
        }
    }
}

fn reached(
    opened: Result<Session>,
    area: Area,
    database: &Database,
    findings: &mut Vec<Finding>,
) -> Result<Option<Session>> {
    let mut notes = Notes { findings, area, subject: database.redacted() };
    look(opened, &mut notes, "connection")
}

/// Exports a snapshot and imports it twice, as a run does: what stands between must let that through.
async fn snapshot(source: &Database, notes: &mut Notes<'_>) -> Result<()> {
    let snapshot = SourceSnapshot::export(source, &[]).await?;
    let seen = snapshot.visible().await?;
    for _ in 0..2 {
        let reader = snapshot.reader(source, "doctor").await?;
        let theirs: String = reader.query_one("SELECT pg_current_snapshot()::text", &[]).await?.get(0);
        if theirs != seen {
            return Err(Error::stop("two connections do not see the same snapshot")
                .hint("connect to the server itself, without a pooler or a load balancer between"));
        }
    }
    notes.ok("snapshot", "three connections see one snapshot: nothing stands between that breaks it");
    Ok(())
}

/// Bytes of the tables.
#[derive(Clone, Copy, Debug, Default)]
struct Sizes {
    source: u64,
    target: u64,
}

/// Room: what SQL can see of it, and what a run may need.
async fn disk(session: &Session, sizes: Sizes, notes: &mut Notes<'_>) -> Result<()> {
    let row = session
        .query_one(
            "SELECT setting::bigint * 1048576 AS wal FROM pg_settings WHERE name = 'max_wal_size'",
            &[],
        )
        .await?;
    let wal = u64::try_from(row.get::<_, i64>("wal")).unwrap_or(0);
    let needed = sizes.source.max(sizes.target) + sizes.target + wal;
    let mb = |bytes: u64| format!("{} MB", bytes.div_ceil(1_000_000));
    notes.note(
        Level::Unknown,
        "disk",
        format!(
            "free disk cannot be seen by SQL; V1's tables take {}, V2's {}, WAL up to {} (max_wal_size)",
            mb(sizes.source),
            mb(sizes.target),
            mb(wal)
        ),
        format!(
            "look on the server (df) for {} that are free: a table as large as V1's or once more V2's, staging for \
             all of V2, and WAL",
            mb(needed)
        ),
    );
    Ok(())
}

/// What `check` has found, and in which form V1 is read.
fn pipelines(
    checked: Result<CheckReport>,
    specs: &[PipelineSpec],
    findings: &mut Vec<Finding>,
) -> Result<()> {
    let report = match checked {
        Ok(report) => report,
        Err(error) if error.fate() == Fate::Interrupted => return Err(error),
        Err(error) => {
            findings.push(Finding::failed(Area::Pipelines, "all", "fit", &error));
            return Ok(());
        }
    };
    for spec in specs {
        let mut of_spec = report.findings.iter().filter(|found| found.entity == spec.entity).peekable();
        if of_spec.peek().is_none() {
            let text = "fits both databases";
            findings.push(Finding::new(Level::Ok, Area::Pipelines, &spec.entity, "fit", text));
        }
        for found in of_spec {
            let level = match found.severity {
                Severity::Warning => Level::Warning,
                Severity::Error => Level::Problem,
            };
            let subject = format!("{}: {}", found.entity, found.subject);
            let finding = Finding::new(level, Area::Pipelines, &subject, "fit", &found.message);
            findings.push(finding.hint(&found.hint));
        }
    }
    let raw = &report.raw_reading;
    let (message, hint) = if raw.possible {
        ("V1's documents can be read as the server keeps them".to_owned(), String::new())
    } else {
        let hint = raw.statement.map_or(String::new(), |statement| {
            format!("it may be faster: a superuser of V1's database may run {statement}; {}", raw.effect)
        });
        (format!("V1's documents are read as text: {}", raw.reason), hint)
    };
    findings.push(Finding::new(Level::Ok, Area::Pipelines, "all", "raw_reading", message).hint(hint));
    Ok(())
}
