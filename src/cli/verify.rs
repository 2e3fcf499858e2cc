//! `xdoflow verify`

use std::process::ExitCode;
use std::sync::Arc;

use super::args::VerifyArgs;
use super::context::{self, Databases};
use super::progress::{Outcome, Ticker};
use super::signals::Signals;
use super::style::Style;
use crate::error::Result;
use crate::progress::{Progress, Words};
use crate::verify::{Job, verify};

/// Differences of a table that are named where nobody said how many: what people read, and what
/// programs take in.
const PEOPLE: usize = 10;
const PROGRAMS: usize = 1000;

pub async fn execute(arguments: &VerifyArgs, signals: &Signals) -> Result<ExitCode> {
    let all = context::all_pipelines(&arguments.pipelines)?;
    let specs = context::choose(all.clone(), &arguments.pipelines)?;
    let databases = Databases::resolve(&arguments.databases)?;
    let entities = specs.iter().map(|spec| spec.entity.clone());
    let progress = Arc::new(Progress::with_words(entities, Words::VERIFY));
    let ticker = Ticker::start(arguments.progress.progress, Arc::clone(&progress));
    let job = Job {
        specs,
        all,
        source: databases.source,
        target: databases.target,
        sample: arguments.sample,
        limit: arguments.limit.unwrap_or(if arguments.json { PROGRAMS } else { PEOPLE }),
        jobs: context::jobs(None),
        progress,
    };
    let outcome = verify(job, signals.received()).await;
    ticker.finish(if outcome.is_ok() { Outcome::Done } else { Outcome::Stopped });
    let report = outcome?;
    if arguments.json {
        context::print_json(&report)?;
    } else {
        context::print(|out| super::report::verify(out, &report, Style::stdout()))?;
    }
    Ok(if report.equal { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}
