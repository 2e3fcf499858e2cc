//! `xdoflow run`

use std::io::Write;
use std::path::Path;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::{Duration, Instant};

use super::args::{OnlyArgs, RunArgs, WorkArgs};
use super::context::{self, Databases};
use super::format;
use super::notify::notify;
use super::progress::{Outcome, ProgressMode, Ticker};
use super::signals::Signals;
use super::style::Style;
use crate::dump::Dump;
use crate::error::{Error, Result};
use crate::pg::Side;
use crate::pipeline::{self, Job, Only, Purpose, RejectBudget, Resumable, Safety};
use crate::progress::{Progress, Words};
use crate::spec::PipelineSpec;
use crate::summary::{Mode, ReadChoice, RunSummary};

pub async fn execute(arguments: &RunArgs, signals: &Signals) -> Result<ExitCode> {
    let work = &arguments.work;
    let databases = databases(work)?;
    let resumed = match arguments.resume {
        Some(run) => Some(signals.or_interrupted(pipeline::resumable(&databases.target, run)).await?),
        None => None,
    };
    let purpose = if arguments.dry_run { Purpose::DryRun } else { Purpose::Publish };
    let request = match &resumed {
        Some(run) => {
            let specs = left_of(run, context::all_pipelines(&work.pipelines)?)?;
            let request = Request::new(work, databases, specs, run.mode, purpose)?;
            Request { prune: run.prune, resume: Some(run.run_id), ..request }
        }
        None => Request::of(work, databases, purpose)?,
    };
    let request = Request { verbose: arguments.verbose, ..request };
    let (run_id, mut outcome) = request.attempt_with(work.from.as_deref(), signals).await;
    if let Ok(summary) = &mut outcome {
        summary.skipped = resumed.map(|run| run.published).unwrap_or_default();
    }
    let told = outcome.as_ref().map_or(Ok(()), |summary| tell(summary, arguments));
    if let Some(command) = &arguments.notify {
        notify(command, run_id, &outcome).await;
    }
    outcome?;
    told?;
    Ok(ExitCode::SUCCESS)
}

/// The databases of the work.
pub fn databases(work: &WorkArgs) -> Result<Databases> {
    Ok(Databases::resolve(&work.databases)?.with_limits(work.limits.into()))
}

fn tell(summary: &RunSummary, arguments: &RunArgs) -> Result<()> {
    if arguments.json {
        context::print_json(summary)
    } else {
        context::print(|out| super::report::run_summary(out, summary, Style::stdout(), arguments.verbose))
    }
}

/// The rows that the arguments name.
fn only(arguments: &OnlyArgs, specs: &[PipelineSpec]) -> Result<Only> {
    if !arguments.ids.is_empty() && specs.len() > 1 {
        return Err(Error::usage("--ids names rows of one table, and this run has several entities")
            .hint("name the entity, or use --ids-file with lines such as agents,4711"));
    }
    let file = arguments.ids_file.as_deref();
    Ok(Only {
        ids: file.map(|file| super::ids::read(file, specs)).transpose()?,
        ranges: arguments.ids.clone(),
        condition: arguments.condition.clone(),
        limit: arguments.limit,
    })
}

/// The pipelines of a run that it has not published.
fn left_of(run: &Resumable, all: Vec<PipelineSpec>) -> Result<Vec<PipelineSpec>> {
    let left = run.entities.iter().filter(|entity| !run.published.contains(entity));
    left.map(|entity| {
        all.iter().find(|spec| spec.entity == *entity).cloned().ok_or_else(|| {
            Error::usage(format!(
                "there is no pipeline for {entity:?}, which run {} has not published",
                run.run_id
            ))
            .hint("name the pipeline files of that run with --pipelines")
        })
    })
    .collect()
}

/// A run, as commands ask for it.
pub struct Request {
    pub specs: Vec<PipelineSpec>,
    pub databases: Databases,
    pub mode: Mode,
    pub prune: bool,
    pub read: ReadChoice,
    pub jobs: usize,
    pub budget: RejectBudget,
    /// The rows that alone are read, where it is not all of them.
    pub only: Only,
    /// Stage every row, whatever could be spared.
    pub stage_all: bool,
    /// A run to go on with.
    pub resume: Option<i64>,
    pub safety: Safety,
    /// Read only what has changed since the last run.
    pub changed: bool,
    pub progress: ProgressMode,
    /// Show the stage that is busiest, too.
    pub verbose: bool,
}

impl Request {
    /// What the arguments ask for.
    pub fn of(work: &WorkArgs, databases: Databases, purpose: Purpose) -> Result<Self> {
        Self::new(work, databases, context::pipelines(&work.pipelines)?, work.mode.into(), purpose)
    }

    /// The same, with other pipelines and another mode.
    fn new(
        work: &WorkArgs,
        databases: Databases,
        specs: Vec<PipelineSpec>,
        mode: Mode,
        purpose: Purpose,
    ) -> Result<Self> {
        if work.prune && mode != Mode::Merge {
            return Err(Error::usage(format!("--prune has no meaning with --mode {}", mode.name()))
                .detail("replace always makes the target the image of V1; insert never deletes")
                .hint("leave out --prune, or use --mode merge"));
        }
        if work.changed && mode != Mode::Merge {
            return Err(Error::usage(format!("--changed has no meaning with --mode {}", mode.name()))
                .detail("rows that have not changed are left alone; replace writes all of them, insert none twice")
                .hint("leave out --changed, or use --mode merge"));
        }
        let only = only(&work.only, &specs)?;
        if only.is_some() && mode == Mode::Replace {
            return Err(Error::usage("some rows of V1 cannot be all of the target")
                .detail("--mode replace makes the target the image of all of V1")
                .hint("use --mode merge or --mode insert"));
        }
        Ok(Self {
            specs,
            databases,
            mode,
            prune: work.prune,
            read: ReadChoice::from(work.read.read),
            jobs: context::jobs(work.jobs),
            budget: RejectBudget { count: work.max_rejects, percent: work.max_reject_percent },
            only,
            stage_all: work.stage_all,
            resume: None,
            safety: Safety {
                purpose,
                max_deletes: work.max_deletes.unwrap_or_default(),
                wait: Duration::from_secs(work.wait.unwrap_or_default().into()),
                no_raw: work.no_raw,
            },
            changed: work.changed,
            progress: work.progress.progress,
            verbose: false,
        })
    }

    /// Runs, with V1 from a file where one is given; tells the number of the run, too, where it came to have one.
    pub async fn attempt_with(
        self,
        file: Option<&Path>,
        signals: &Signals,
    ) -> (Option<i64>, Result<RunSummary>) {
        match file {
            Some(file) => attempt_from(file, self, signals).await,
            None => attempt(self, signals).await,
        }
    }
}

/// Runs with V1 from a file; tells the number of the run, too.
async fn attempt_from(
    file: &Path,
    mut request: Request,
    signals: &Signals,
) -> (Option<i64>, Result<RunSummary>) {
    let dump = match load(file, &mut request, signals).await {
        Ok(dump) => dump,
        Err(error) => return (None, Err(error)),
    };
    let (run_id, outcome) = attempt(request, signals).await;
    let closed = dump.close().await;
    // What the run met says more than that its table could not be dropped.
    (run_id, outcome.and_then(|summary| closed.map(|()| summary)))
}

/// Loads the file, and lets the request read it.
async fn load(file: &Path, request: &mut Request, signals: &Signals) -> Result<Dump> {
    let [spec] = request.specs.as_mut_slice() else {
        return Err(Error::usage("a file is V1 of one entity").hint("name the entity"));
    };
    let target = &request.databases.target;
    let began = Instant::now();
    let dump = Dump::load(target, file, &spec.source, signals.received()).await?;
    if !matches!(request.progress, ProgressMode::None | ProgressMode::Json) {
        let (rows, seconds) = (format::count(dump.rows), began.elapsed().as_secs_f64());
        // Where standard error is closed there is nobody to tell.
        let _ = writeln!(anstream::stderr(), "{}: {rows} rows read in {seconds:.1} s", file.display());
    }
    spec.source = dump.source(&spec.source);
    request.databases.source = target.as_side(Side::Source);
    Ok(dump)
}

/// Runs, with progress on standard error.
pub async fn run(request: Request, signals: &Signals) -> Result<RunSummary> {
    attempt(request, signals).await.1
}

/// The same; tells the number of the run, too, where it came to have one.
async fn attempt(request: Request, signals: &Signals) -> (Option<i64>, Result<RunSummary>) {
    let words = match request.safety.purpose {
        Purpose::Publish | Purpose::DryRun => Words::RUN,
        Purpose::Plan { .. } => Words::PLAN,
    };
    let entities = request.specs.iter().map(|spec| spec.entity.clone());
    let progress = Arc::new(Progress::with_words(entities, words));
    let ticker = Ticker::start_with(request.progress, Arc::clone(&progress), request.verbose);
    let job = Job {
        specs: request.specs,
        source: request.databases.source,
        target: request.databases.target,
        mode: request.mode,
        prune: request.prune,
        read: request.read,
        jobs: request.jobs,
        budget: request.budget,
        only: request.only,
        stage_all: request.stage_all,
        resume: request.resume,
        safety: request.safety,
        changed: request.changed,
        progress: Arc::clone(&progress),
    };
    let outcome = pipeline::run(job, signals.received()).await;
    ticker.finish(if outcome.is_ok() { Outcome::Done } else { Outcome::Stopped });
    (progress.run_id(), outcome)
}
