//! `xdoflow report`

use std::fs;
use std::path::Path;
use std::process::ExitCode;

use super::args::ReportArgs;
use super::context;
use super::report;
use super::signals::Signals;
use super::style::{self, Style};
use crate::error::{Error, Result};
use crate::pg::Side;

pub async fn execute(arguments: &ReportArgs, signals: &Signals) -> Result<ExitCode> {
    // V1 is not asked: its address only stands in for that of a target in the same database.
    let databases = &arguments.databases;
    let target =
        context::database(Side::Target, databases.target.as_deref().or(databases.source.as_deref()))?;
    let mut found = signals.or_interrupted(crate::report::report(&target, arguments.run)).await?;
    if arguments.no_values {
        found.without_values();
    }
    if let Some(file) = &arguments.html {
        write(file, &report::report_html(&found))?;
    } else if arguments.md {
        context::print(|out| out.write_all(report::report_markdown(&found).as_bytes()))?;
    } else if arguments.json {
        context::print_json(&found)?;
    } else {
        context::print(|out| report::report_text(out, &found, Style::stdout(), style::stdout_width()))?;
    }
    Ok(ExitCode::SUCCESS)
}

fn write(file: &Path, page: &str) -> Result<()> {
    if file == Path::new("-") {
        return context::print(|out| out.write_all(page.as_bytes()));
    }
    fs::write(file, page).map_err(|error| Error::stop(format!("cannot write {}: {error}", file.display())))
}
