//! `xdoflow history`

use std::process::ExitCode;

use super::args::HistoryArgs;
use super::context::{self, Databases};
use super::report;
use super::signals::Signals;
use super::style::{self, Style};
use crate::error::Result;
use crate::history;

pub async fn execute(arguments: &HistoryArgs, signals: &Signals) -> Result<ExitCode> {
    let target = Databases::resolve(&arguments.databases)?.target;
    let style = Style::stdout();
    match arguments.run {
        Some(run_id) => {
            let run = signals.or_interrupted(history::run(&target, run_id)).await?;
            if arguments.json {
                context::print_json(&run)?;
            } else {
                context::print(|out| report::run_details(out, &run, style, style::stdout_width()))?;
            }
        }
        None => {
            let history = signals.or_interrupted(history::list(&target, arguments.limit)).await?;
            if arguments.json {
                context::print_json(&history)?;
            } else {
                context::print(|out| report::history(out, &history, style, style::stdout_width()))?;
            }
        }
    }
    Ok(ExitCode::SUCCESS)
}
