//! `xdoflow inspect`

use std::fs;
use std::process::ExitCode;
use std::sync::Arc;

use super::args::{InspectArgs, KeyOrder, TableArgs};
use super::context;
use super::progress::{Outcome, ProgressMode, Ticker};
use super::report;
use super::signals::Signals;
use super::style::Style;
use crate::error::{Error, Result};
use crate::pg::Side;
use crate::profile::{self, DEFAULT_ROWS, Job, Profiled, Size, Wanted};
use crate::progress::{Progress, Words};

pub async fn execute(arguments: &InspectArgs, signals: &Signals) -> Result<ExitCode> {
    let table = &arguments.table;
    let then = |profiled: Profiled| async move { Ok(profiled.profile) };
    let mut profile = with_profile(table, arguments.progress.progress, signals, then).await?;
    if table.no_examples {
        profile.without_values();
    }
    if arguments.sort == KeyOrder::Worst {
        profile.sort_by_worst();
    }
    if let Some(file) = &arguments.html {
        let page = report::inspect_html(&profile);
        fs::write(file, page)
            .map_err(|error| Error::stop(format!("cannot write {}: {error}", file.display())))?;
    }
    if arguments.json {
        context::print_json(&profile)?;
    } else {
        // Where standard output is no terminal nobody reads it in a window.
        let width = console::Term::stdout().size_checked().map(|(_, columns)| usize::from(columns));
        context::print(|out| report::inspect(out, &profile, Style::stdout(), width))?;
    }
    Ok(ExitCode::SUCCESS)
}

/// Profiles the table of the arguments, with progress on standard error, and does more with it.
pub async fn with_profile<T, F: Future<Output = Result<T>>>(
    arguments: &TableArgs,
    mode: ProgressMode,
    signals: &Signals,
    then: impl FnOnce(Profiled) -> F,
) -> Result<T> {
    let wanted = Wanted {
        table: arguments.table.clone(),
        id: arguments.id.clone(),
        document: arguments.document.clone(),
    };
    let progress = Arc::new(Progress::with_words([arguments.table.to_string()], Words::INSPECT));
    let job = Job {
        source: context::database(Side::Source, arguments.source.as_deref())?,
        wanted,
        size: match (arguments.rows, arguments.sample) {
            (_, Some(percent)) => Size::Percent(percent),
            (rows, None) => Size::Rows(rows.unwrap_or(DEFAULT_ROWS)),
        },
        jobs: context::jobs(arguments.jobs),
        progress: Arc::clone(&progress),
    };
    let ticker = Ticker::start(mode, progress);
    let outcome = profile::with_profile(job, signals.received(), then).await;
    ticker.finish(if outcome.is_ok() { Outcome::Done } else { Outcome::Stopped });
    outcome
}
