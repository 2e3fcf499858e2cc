//! `xdoflow check`

use std::process::ExitCode;

use super::args::CheckArgs;
use super::context::{self, Databases};
use super::signals::Signals;
use super::style::Style;
use crate::check::check;
use crate::error::Result;

pub async fn execute(arguments: &CheckArgs, signals: &Signals) -> Result<ExitCode> {
    let specs = context::pipelines(&arguments.pipelines)?;
    let databases = Databases::resolve(&arguments.databases)?;
    let report = signals.or_interrupted(check(&databases.source, &databases.target, &specs)).await?;
    if arguments.json {
        context::print_json(&report)?;
    } else {
        context::print(|out| super::report::check(out, &report, Style::stdout()))?;
    }
    Ok(if report.has_errors() { ExitCode::FAILURE } else { ExitCode::SUCCESS })
}
