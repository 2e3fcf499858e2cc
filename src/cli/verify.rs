//! `xdoflow verify`

use std::process::ExitCode;
use std::sync::Arc;

use super::args::VerifyArgs;
use super::context::{self, Databases};
use super::progress::{Outcome, ProgressMode, Ticker};
use super::signals::Signals;
use super::style::Style;
use crate::error::Result;
use crate::pg::Database;
use crate::progress::{Progress, Words};
use crate::spec::PipelineSpec;
use crate::verify::{Job, VerifyReport};

/// Differences of a table that are named where nobody said how many: what people read, and what
/// programs take in.
const PEOPLE: usize = 10;
const PROGRAMS: usize = 1000;

pub async fn execute(arguments: &VerifyArgs, signals: &Signals) -> Result<ExitCode> {
    let all = context::all_pipelines(&arguments.pipelines)?;
    let specs = context::choose(all.clone(), &arguments.pipelines)?;
    let databases = Databases::resolve(&arguments.databases)?;
    let request = Request {
        specs,
        all,
        source: databases.source,
        target: databases.target,
        sample: arguments.sample,
        limit: arguments.limit.unwrap_or(if arguments.json { PROGRAMS } else { PEOPLE }),
        jobs: context::jobs(None),
        progress: arguments.progress.progress,
    };
    let report = verify(request, signals).await?;
    if arguments.json {
        context::print_json(&report)?;
    } else {
        context::print(|out| super::report::verify(out, &report, Style::stdout()))?;
    }
    Ok(if report.equal { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// A comparison, as commands ask for it.
pub struct Request {
    pub specs: Vec<PipelineSpec>,
    /// All pipelines there are, which references may name.
    pub all: Vec<PipelineSpec>,
    pub source: Database,
    pub target: Database,
    pub sample: Option<f64>,
    pub limit: usize,
    pub jobs: usize,
    pub progress: ProgressMode,
}

/// Compares, with progress on standard error.
pub async fn verify(request: Request, signals: &Signals) -> Result<VerifyReport> {
    let entities = request.specs.iter().map(|spec| spec.entity.clone());
    let progress = Arc::new(Progress::with_words(entities, Words::VERIFY));
    let ticker = Ticker::start(request.progress, Arc::clone(&progress));
    let job = Job {
        specs: request.specs,
        all: request.all,
        source: request.source,
        target: request.target,
        sample: request.sample,
        limit: request.limit,
        jobs: request.jobs,
        progress,
    };
    let outcome = crate::verify::verify(job, signals.received()).await;
    ticker.finish(if outcome.is_ok() { Outcome::Done } else { Outcome::Stopped });
    outcome
}
