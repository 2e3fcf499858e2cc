//! `xdoflow status`

use std::process::ExitCode;

use super::args::StatusArgs;
use super::context::{self, Databases};
use super::signals::Signals;
use super::style::Style;
use crate::error::Result;
use crate::status::status;

pub async fn execute(arguments: &StatusArgs, signals: &Signals) -> Result<ExitCode> {
    let specs = context::pipelines(&arguments.pipelines)?;
    let databases = Databases::resolve(&arguments.databases)?;
    let report = signals.or_interrupted(status(&databases.source, &databases.target, &specs)).await?;
    if arguments.json {
        context::print_json(&report)?;
    } else {
        context::print(|out| super::report::status(out, &report, Style::stdout()))?;
    }
    Ok(ExitCode::SUCCESS)
}
