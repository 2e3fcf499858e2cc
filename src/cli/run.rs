//! `xdoflow run`

use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use super::args::RunArgs;
use super::context::{self, Databases};
use super::progress::{Outcome, ProgressMode, Ticker};
use super::signals::Signals;
use super::style::Style;
use crate::error::{Error, Result};
use crate::pipeline::{self, Job, RejectBudget, Safety};
use crate::progress::Progress;
use crate::spec::PipelineSpec;
use crate::summary::{Mode, ReadChoice, RunSummary};

pub async fn execute(arguments: &RunArgs, signals: &Signals) -> Result<ExitCode> {
    let mode = Mode::from(arguments.mode);
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
    let specs = context::pipelines(&arguments.pipelines)?;
    let databases = Databases::resolve(&arguments.databases)?;
    let only_ids = arguments.ids.as_deref().map(|file| super::ids::read(file, &specs)).transpose()?;
    if only_ids.is_some() && mode == Mode::Replace {
        return Err(Error::usage("--ids has no meaning with --mode replace")
            .detail("replace makes the target the image of all of V1")
            .hint("use --mode merge or --mode insert"));
    }
    let request = Request {
        specs,
        databases: databases.with_limits(arguments.limits.into()),
        mode,
        prune: arguments.prune,
        read: ReadChoice::from(arguments.read.read),
        jobs: context::jobs(arguments.jobs),
        budget: RejectBudget { count: arguments.max_rejects, percent: arguments.max_reject_percent },
        only_ids,
        stage_all: arguments.stage_all,
        safety: Safety {
            dry_run: arguments.dry_run,
            max_deletes: arguments.max_deletes.unwrap_or_default(),
            wait: Duration::from_secs(arguments.wait.unwrap_or_default().into()),
            no_raw: arguments.no_raw,
        },
        changed: arguments.changed,
        progress: arguments.progress.progress,
    };
    let summary = run(request, signals).await?;
    if arguments.json {
        context::print_json(&summary)?;
    } else {
        context::print(|out| super::report::run_summary(out, &summary, Style::stdout(), arguments.verbose))?;
    }
    Ok(ExitCode::SUCCESS)
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
    pub safety: Safety,
    /// Read only what has changed since the last run.
    pub changed: bool,
    pub progress: ProgressMode,
}

/// Runs, with progress on standard error.
pub async fn run(request: Request, signals: &Signals) -> Result<RunSummary> {
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
        safety: request.safety,
        changed: request.changed,
        progress,
    };
    let outcome = pipeline::run(job, signals.received()).await;
    ticker.finish(if outcome.is_ok() { Outcome::Done } else { Outcome::Stopped });
    outcome
}
