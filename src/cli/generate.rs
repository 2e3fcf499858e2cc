//! `xdoflow generate`

use std::process::ExitCode;
use std::sync::Arc;

use super::args::GenerateArgs;
use super::context;
use super::progress::{Outcome, ProgressMode, Ticker};
use super::signals::Signals;
use crate::error::Result;
use crate::generate::Generator;
use crate::pg::{Database, Side};
use crate::progress::{Progress, Words};
use crate::workspace;

pub async fn execute(arguments: &GenerateArgs, signals: &Signals) -> Result<ExitCode> {
    // The one command that writes V1: to the generator it is a target.
    let database = context::database(Side::Target, arguments.source.as_deref())?;
    let generator = Generator::with_dirt(arguments.seed, arguments.scale, arguments.dirt.into());
    let jobs = context::jobs(arguments.jobs);
    let rows: u64 = generator.tables().iter().map(|table| table.rows).sum();
    generate(&database, generator, jobs, arguments.progress.progress, signals).await?;
    context::print(|out| {
        writeln!(out, "{} rows generated into {}", super::format::count(rows), database.redacted())
    })?;
    Ok(ExitCode::SUCCESS)
}

/// Fills V1, with progress on standard error.
pub async fn generate(
    database: &Database,
    generator: Generator,
    jobs: usize,
    mode: ProgressMode,
    signals: &Signals,
) -> Result<()> {
    let entities: Vec<String> = generator.tables().iter().map(|table| table.entity.to_owned()).collect();
    let progress = Arc::new(Progress::with_words(entities, Words::GENERATE));
    let ticker = Ticker::start(mode, Arc::clone(&progress));
    let filling = workspace::fill_v1(database, generator, jobs, progress);
    let outcome = signals.or_interrupted(filling).await;
    if outcome.is_err() {
        database.end_backends().await?;
    }
    ticker.finish(if outcome.is_ok() { Outcome::Done } else { Outcome::Stopped });
    outcome
}
