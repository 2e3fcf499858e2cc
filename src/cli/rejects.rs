//! `xdoflow rejects`, and `xdoflow rejects retry`

use std::fs::File;
use std::io::{BufWriter, Write};
use std::path::Path;
use std::process::ExitCode;

use super::args::{PurgeArgs, RejectsArgs, RejectsCommand, RejectsListArgs, RetryArgs};
use super::context::{self, Databases};
use super::run::{Request, run};
use super::signals::Signals;
use super::style::Style;
use super::{format, report};
use crate::error::{Error, Result};
use crate::pipeline::{Only, RejectBudget, Safety};
use crate::rejects::{self, Selection};
use crate::spec::PipelineSpec;
use crate::summary::{Mode, ReadChoice};

pub async fn execute(arguments: &RejectsArgs, signals: &Signals) -> Result<ExitCode> {
    match &arguments.command {
        Some(RejectsCommand::Retry(retry)) => execute_retry(retry, signals).await,
        Some(RejectsCommand::Purge(purge)) => execute_purge(purge, signals).await,
        None => execute_list(&arguments.list, signals).await,
    }
}

async fn execute_list(arguments: &RejectsListArgs, signals: &Signals) -> Result<ExitCode> {
    let target = Databases::resolve(&arguments.databases)?.target;
    let selection =
        Selection { entity: arguments.entity.clone(), run: arguments.run, reason: arguments.reason.clone() };
    if let Some(file) = &arguments.csv {
        return signals.or_interrupted(export(&target, &selection, file)).await;
    }
    let found = signals.or_interrupted(rejects::list(&target, &selection, arguments.limit)).await?;
    if arguments.json {
        context::print_json(&found)?;
    } else {
        context::print(|out| report::rejects(out, &found, Style::stdout()))?;
    }
    Ok(ExitCode::SUCCESS)
}

async fn export(target: &crate::pg::Database, selection: &Selection, file: &Path) -> Result<ExitCode> {
    if file == Path::new("-") {
        rejects::export(target, selection, &mut anstream::stdout()).await?;
        return Ok(ExitCode::SUCCESS);
    }
    let problem = |error: std::io::Error| Error::stop(format!("cannot write {}: {error}", file.display()));
    let mut out = BufWriter::new(File::create(file).map_err(problem)?);
    let bytes = rejects::export(target, selection, &mut out).await?;
    out.flush().map_err(problem)?;
    context::print(|out| writeln!(out, "{} written to {}", format::bytes(bytes), file.display()))?;
    Ok(ExitCode::SUCCESS)
}

async fn execute_purge(arguments: &PurgeArgs, signals: &Signals) -> Result<ExitCode> {
    let target = Databases::resolve(&arguments.databases)?.target;
    let age = arguments.older_than;
    let purged = signals.or_interrupted(rejects::purge(&target, arguments.entity.as_deref(), age)).await?;
    if arguments.json {
        context::print_json(&purged)?;
    } else {
        let (deleted, open) = (format::counted(purged.deleted, "reject"), format::count(purged.open));
        context::print(|out| {
            writeln!(out, "{deleted} deleted; {open} of them were open, and are not retried")
        })?;
    }
    Ok(ExitCode::SUCCESS)
}

async fn execute_retry(arguments: &RetryArgs, signals: &Signals) -> Result<ExitCode> {
    let databases = Databases::resolve(&arguments.databases)?;
    let mut specs: Vec<PipelineSpec> = Vec::new();
    let mut ids = Vec::new();
    for spec in context::pipelines(&arguments.pipelines)? {
        let open = signals.or_interrupted(rejects::open_ids(&databases.target, &spec.entity)).await?;
        if !open.is_empty() {
            specs.push(spec);
            ids.push(open);
        }
    }
    if specs.is_empty() && !arguments.json {
        context::print(|out| writeln!(out, "there is nothing to retry: no reject is open"))?;
        return Ok(ExitCode::SUCCESS);
    }
    let request = Request {
        specs,
        databases,
        mode: Mode::Merge,
        prune: false,
        read: ReadChoice::Auto,
        jobs: context::jobs(arguments.jobs),
        budget: RejectBudget::default(),
        only: Only { ids: Some(ids), ..Only::default() },
        stage_all: false,
        resume: None,
        safety: Safety { no_raw: arguments.no_raw, ..Safety::default() },
        changed: false,
        progress: arguments.progress.progress,
        verbose: false,
    };
    let summary = run(request, signals).await?;
    if arguments.json {
        context::print_json(&summary)?;
    } else {
        context::print(|out| report::run_summary(out, &summary, Style::stdout(), false))?;
    }
    Ok(ExitCode::SUCCESS)
}
