//! `check`: do the pipelines fit the two databases? Reads catalogues and counts, changes nothing.

use serde::Serialize;

use crate::error::Result;
use crate::name::quote;
use crate::pg::{Database, RawAccess, Session, TableInfo, raw};
use crate::plan::programs;
use crate::spec::model::{PipelineSpec, TargetSpec};
use crate::stage::extract::SourceTable;

/// What a check found.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Finding {
    /// How bad it is.
    pub severity: Severity,
    /// The entity that it is about.
    pub entity: String,
    /// The table, and the column where it is about one; a place in the pipeline file before it.
    pub subject: String,
    /// What was found.
    pub message: String,
    /// What to do.
    pub hint: String,
}

/// How bad a finding is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Severity {
    /// A run would work, but not as well as it could.
    Warning,
    /// A run would stop.
    Error,
}

/// What was checked, and what was found.
#[derive(Clone, Debug, Serialize)]
pub struct CheckReport {
    /// Tables of both databases that were looked at.
    pub tables: usize,
    /// Columns that were compared with their pipeline.
    pub columns: usize,
    /// In the order of the pipelines.
    pub findings: Vec<Finding>,
    /// Whether V1 can be read without its JSON being printed.
    pub raw_reading: RawReading,
}

/// Whether V1's documents can be read as the server keeps them, and what a superuser may do about it.
/// Text is no fault: where nobody is superuser, it stays.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct RawReading {
    /// Whether it can be done.
    pub possible: bool,
    /// Why not; empty where it can be done.
    pub reason: String,
    /// The statement that makes it possible, where it is all that lacks.
    pub statement: Option<&'static str>,
    /// What the statement changes.
    pub effect: &'static str,
    /// The statement that takes it back.
    pub undo: &'static str,
}

impl RawReading {
    /// What the answer of V1's database means.
    pub fn new(access: &RawAccess) -> Self {
        Self {
            possible: matches!(access, RawAccess::Yes(_)),
            reason: access.refusal().unwrap_or_default().to_owned(),
            statement: matches!(access, RawAccess::NoCast).then_some(raw::CREATE_CAST),
            effect: raw::CAST_EFFECT,
            undo: raw::DROP_CAST,
        }
    }
}

impl CheckReport {
    /// Whether a run would stop.
    pub fn has_errors(&self) -> bool {
        self.findings.iter().any(|finding| finding.severity == Severity::Error)
    }

    fn add(&mut self, severity: Severity, entity: &str, subject: String, message: String, hint: &str) {
        let hint = hint.to_owned();
        self.findings.push(Finding { severity, entity: entity.to_owned(), subject, message, hint });
    }
}

/// Checks the pipelines against both databases.
pub async fn check(source: &Database, target: &Database, specs: &[PipelineSpec]) -> Result<CheckReport> {
    let (source, target) = tokio::try_join!(source.connect("check"), target.connect("check"))?;
    let raw_reading = RawReading::new(&RawAccess::ask(&source).await?);
    let mut report = CheckReport { tables: 0, columns: 0, findings: Vec::new(), raw_reading };
    for spec in specs {
        check_source(&source, spec, &mut report).await?;
        check_targets(&target, spec, &mut report).await?;
    }
    Ok(report)
}

async fn check_source(source: &Session, spec: &PipelineSpec, report: &mut CheckReport) -> Result<()> {
    report.tables += 1;
    let table = match SourceTable::read(source, &spec.source).await {
        Ok(table) => table,
        // The server's own words are no finding: they end the check.
        Err(error) if error.code().is_some() => return Err(error),
        Err(error) => {
            let hint = error.hint_text().unwrap_or_default();
            let subject = spec.source.table.to_string();
            report.add(Severity::Error, &spec.entity, subject, error.message().to_owned(), hint);
            return Ok(());
        }
    };
    if !table.unique_id {
        report.add(
            Severity::Warning,
            &spec.entity,
            format!("{}.{}", spec.source.table, spec.source.id),
            "the id has no unique index in V1".into(),
            "an id that stands twice stops the run; a primary key would rule it out",
        );
    }
    if !table.info().has_ctid {
        report.add(
            Severity::Warning,
            &spec.entity,
            spec.source.table.to_string(),
            "the source is no ordinary table".into(),
            "it is read by one connection instead of several",
        );
    }
    Ok(())
}

async fn check_targets(target: &Session, spec: &PipelineSpec, report: &mut CheckReport) -> Result<()> {
    let all = || spec.targets.iter().chain(spec.derived.iter().map(|derived| &derived.target));
    let mut infos = Vec::new();
    for target_spec in all() {
        report.tables += 1;
        match TableInfo::read(target, &target_spec.table).await? {
            Some(info) => infos.push(info),
            None => report.add(
                Severity::Error,
                &spec.entity,
                target_spec.table.to_string(),
                "the target database has no such table".into(),
                "check --target and the search path; xdoflow ddl prints the CREATE TABLE statements",
            ),
        }
    }
    if infos.len() < all().count() {
        return Ok(());
    }
    if let Err(mismatches) = programs(spec, &infos, false, None) {
        for mismatch in mismatches {
            let subject = if mismatch.place.is_empty() {
                mismatch.subject
            } else {
                format!("{}: {}", mismatch.place, mismatch.subject)
            };
            report.add(Severity::Error, &spec.entity, subject, mismatch.message, &mismatch.hint);
        }
    }
    for (target_spec, info) in all().zip(&infos) {
        report.columns += target_spec.columns.len();
        check_key(target, spec, target_spec, info, report).await?;
    }
    Ok(())
}

async fn check_key(
    session: &Session,
    spec: &PipelineSpec,
    target: &TargetSpec,
    info: &TableInfo,
    report: &mut CheckReport,
) -> Result<()> {
    let key: Vec<String> = target.key.iter().map(|&index| target.columns[index].name.clone()).collect();
    if key.iter().any(|name| info.column(name).is_none()) {
        return Ok(());
    }
    let subject = format!("{}.{}", target.table, key.join(", "));
    if !info.is_indexed(&key) {
        report.add(
            Severity::Warning,
            &spec.entity,
            subject.clone(),
            "the merge key has no index".into(),
            "a run works without; a unique index would keep duplicates out",
        );
    }
    if info.is_unique(&key) {
        return Ok(());
    }
    let quoted: Vec<String> = key.iter().map(|name| quote(name)).collect();
    let quoted = quoted.join(", ");
    let row = session
        .query_one(
            &format!(
                "SELECT count(*), coalesce(sum(copies - 1), 0)::bigint
                 FROM (SELECT count(*) AS copies FROM {} GROUP BY {quoted} HAVING count(*) > 1) repeated",
                info.name.quoted()
            ),
            &[],
        )
        .await?;
    let (keys, surplus): (i64, i64) = (row.get(0), row.get(1));
    if keys > 0 {
        report.add(
            Severity::Warning,
            &spec.entity,
            subject,
            format!("{keys} keys stand more than once, with {surplus} surplus rows"),
            "xdoflow run --prune removes the surplus and keeps the row with the lowest id",
        );
    }
    Ok(())
}
