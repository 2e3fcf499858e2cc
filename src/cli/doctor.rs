//! `xdoflow doctor`

use std::process::ExitCode;

use super::args::DoctorArgs;
use super::context::{self, Databases};
use super::report;
use super::signals::Signals;
use super::style::{self, Style};
use crate::doctor::doctor;
use crate::error::Result;

pub async fn execute(arguments: &DoctorArgs, signals: &Signals) -> Result<ExitCode> {
    let specs = context::pipelines(&arguments.pipelines)?;
    let Databases { source, target } = Databases::resolve(&arguments.databases)?;
    let looked = doctor(&source, &target, &specs, context::jobs(arguments.jobs));
    let report = signals.or_interrupted(looked).await?;
    if arguments.json {
        context::print_json(&report)?;
    } else {
        context::print(|out| report::doctor(out, &report, Style::stdout(), style::stdout_width()))?;
    }
    Ok(if report.problems > 0 { ExitCode::FAILURE } else { ExitCode::SUCCESS })
}
