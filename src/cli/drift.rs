//! `xdoflow drift`

use std::process::ExitCode;

use super::args::DriftArgs;
use super::context::{self, Databases};
use super::report;
use super::signals::Signals;
use super::style::{self, Style};
use crate::drift;
use crate::error::Result;

/// Exit code 1 where there is drift that was not accepted.
pub async fn execute(arguments: &DriftArgs, signals: &Signals) -> Result<ExitCode> {
    let target = Databases::resolve(&arguments.databases)?.target;
    let entities = &arguments.entities;
    let found = if arguments.accept {
        signals.or_interrupted(drift::accept(&target, entities)).await?
    } else {
        signals.or_interrupted(drift::list(&target, entities)).await?
    };
    if arguments.json {
        context::print_json(&found)?;
    } else {
        let (style, width) = (Style::stdout(), style::stdout_width());
        context::print(|out| report::drift(out, &found, arguments.accept, style, width))?;
    }
    Ok(ExitCode::from(u8::from(found.count > 0 && !arguments.accept)))
}
