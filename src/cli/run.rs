//! `xdoflow run`

use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use super::args::RunArgs;
use super::context::{self, Databases};
use super::notify::notify;
use super::progress::{Outcome, ProgressMode, Ticker};
use super::signals::Signals;
use super::style::Style;
use crate::error::{Error, Result};
use crate::pipeline::{self, Job, RejectBudget, Resumable, Safety};
use crate::progress::Progress;
use crate::spec::PipelineSpec;
use crate::summary::{Mode, ReadChoice, RunSummary};

pub async fn execute(arguments: &RunArgs, signals: &Signals) -> Result<ExitCode> {
    let databases = Databases::resolve(&arguments.databases)?.with_limits(arguments.limits.into());
    let resumed = match arguments.resume {
        Some(run) => Some(signals.or_interrupted(pipeline::resumable(&databases.target, run)).await?),
        None => None,
    };
    let mode = resumed.as_ref().map_or(Mode::from(arguments.mode), |run| run.mode);
    if arguments.prune && mode != Mode::Merge {
        return Err(Error::usage(format!("--prune has no meaning with --mode {}", mode.name()))
            .detail("replace always makes the target the image of V1; insert never deletes")
            .hint("leave out --prune, or use --mode merge"));
    }
    if arguments.changed && mode != Mode::Merge {
        return Err(Error::usage(format!("--changed has no meaning with --mode {}", mode.name()))
            .detail(
                "rows that have not changed are left alone; replace writes all of them, insert none twice",
            )
            .hint("leave out --changed, or use --mode merge"));
    }
    let specs = match &resumed {
        Some(run) => left_of(run, context::all_pipelines(&arguments.pipelines)?)?,
        None => context::pipelines(&arguments.pipelines)?,
    };
    let only_ids = arguments.ids.as_deref().map(|file| super::ids::read(file, &specs)).transpose()?;
    if only_ids.is_some() && mode == Mode::Replace {
        return Err(Error::usage("--ids has no meaning with --mode replace")
            .detail("replace makes the target the image of all of V1")
            .hint("use --mode merge or --mode insert"));
    }
    let request = Request {
        specs,
        databases,
        mode,
        prune: resumed.as_ref().map_or(arguments.prune, |run| run.prune),
        read: ReadChoice::from(arguments.read.read),
        jobs: context::jobs(arguments.jobs),
        budget: RejectBudget { count: arguments.max_rejects, percent: arguments.max_reject_percent },
        only_ids,
        stage_all: arguments.stage_all,
        resume: resumed.as_ref().map(|run| run.run_id),
        safety: Safety {
            dry_run: arguments.dry_run,
            max_deletes: arguments.max_deletes.unwrap_or_default(),
            wait: Duration::from_secs(arguments.wait.unwrap_or_default().into()),
            no_raw: arguments.no_raw,
        },
        changed: arguments.changed,
        progress: arguments.progress.progress,
    };
    let (run_id, mut outcome) = attempt(request, signals).await;
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

fn tell(summary: &RunSummary, arguments: &RunArgs) -> Result<()> {
    if arguments.json {
        context::print_json(summary)
    } else {
        context::print(|out| super::report::run_summary(out, summary, Style::stdout(), arguments.verbose))
    }
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
    /// For each pipeline the ids that alone are read.
    pub only_ids: Option<Vec<Vec<i64>>>,
    /// Stage every row, whatever could be spared.
    pub stage_all: bool,
    /// A run to go on with.
    pub resume: Option<i64>,
    pub safety: Safety,
    /// Read only what has changed since the last run.
    pub changed: bool,
    pub progress: ProgressMode,
}

/// Runs, with progress on standard error.
pub async fn run(request: Request, signals: &Signals) -> Result<RunSummary> {
    attempt(request, signals).await.1
}

/// The same; tells the number of the run, too, where it came to have one.
async fn attempt(request: Request, signals: &Signals) -> (Option<i64>, Result<RunSummary>) {
    let progress = Arc::new(Progress::new(request.specs.iter().map(|spec| spec.entity.clone())));
    let ticker = Ticker::start(request.progress, Arc::clone(&progress));
    let job = Job {
        specs: request.specs,
        source: request.databases.source,
        target: request.databases.target,
        mode: request.mode,
        prune: request.prune,
        read: request.read,
        jobs: request.jobs,
        budget: request.budget,
        only_ids: request.only_ids,
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
