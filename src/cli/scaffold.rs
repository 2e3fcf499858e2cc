//! `xdoflow scaffold`

use std::fs::{self, OpenOptions};
use std::io::{self, Write};
use std::path::Path;
use std::process::ExitCode;

use super::args::ScaffoldArgs;
use super::context;
use super::inspect::with_profile;
use super::report;
use super::signals::Signals;
use super::style::Style;
use crate::error::{Error, Result};
use crate::profile::Profiled;
use crate::scaffold::{Options, scaffold};

pub async fn execute(arguments: &ScaffoldArgs, signals: &Signals) -> Result<ExitCode> {
    let options = Options { target: arguments.target.clone(), values: !arguments.table.no_examples };
    let then = |profiled: Profiled| async move { scaffold(&profiled, &options).await };
    let draft = with_profile(&arguments.table, arguments.progress.progress, signals, then).await?;
    if let Some(file) = &arguments.out {
        write(file, &draft.pipeline, arguments.force)?;
    }
    if arguments.json {
        context::print_json(&draft)?;
    } else {
        context::print(|out| {
            if arguments.out.is_none() && !arguments.ddl {
                write!(out, "{}", draft.pipeline)?;
            }
            if arguments.ddl { write!(out, "{}", draft.ddl) } else { Ok(()) }
        })?;
        // Where standard error is closed there is nobody to tell.
        let _ = report::scaffold(&mut anstream::stderr(), &draft, arguments.out.as_deref(), Style::stderr());
    }
    Ok(ExitCode::SUCCESS)
}

/// Writes a new file, its folder made where it is missing.
fn write(file: &Path, text: &str, force: bool) -> Result<()> {
    let cannot = |error: io::Error| Error::stop(format!("cannot write {}: {error}", file.display()));
    if let Some(folder) = file.parent() {
        fs::create_dir_all(folder).map_err(cannot)?;
    }
    let mut options = OpenOptions::new();
    options.write(true).truncate(true).create(force).create_new(!force);
    match options.open(file) {
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {
            Err(Error::usage(format!("{} is there already", file.display()))
                .detail("nothing was written")
                .hint("--force replaces it; --out takes another name"))
        }
        opened => opened.and_then(|mut file| file.write_all(text.as_bytes())).map_err(cannot),
    }
}
