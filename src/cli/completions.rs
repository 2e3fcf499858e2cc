//! `xdoflow completions` and `xdoflow man`

use std::path::Path;
use std::process::ExitCode;

use clap::Command;
use clap_mangen::Man;

use super::args::{CompletionsArgs, ManArgs};
use super::{command_line, context};
use crate::error::{Error, Result};

/// Prints the script of a shell.
pub fn completions(arguments: &CompletionsArgs) -> Result<ExitCode> {
    let mut script = Vec::new();
    clap_complete::generate(arguments.shell, &mut command_line::command(), "xdoflow", &mut script);
    context::print(|out| out.write_all(&script))?;
    Ok(ExitCode::SUCCESS)
}

/// Prints the page of a command, or writes those of all.
pub fn man(arguments: &ManArgs) -> Result<ExitCode> {
    let mut all = command_line::command().disable_help_subcommand(true);
    all.build();
    if let Some(folder) = &arguments.out {
        let mut pages = 0;
        write_pages(all, folder, &mut pages)?;
        context::print(|out| writeln!(out, "{pages} pages written to {}", folder.display()))?;
        return Ok(ExitCode::SUCCESS);
    }
    let mut command = &all;
    for name in &arguments.command {
        command = command.find_subcommand(name).ok_or_else(|| {
            Error::usage(format!("there is no command {name:?}")).hint("xdoflow --help lists the commands")
        })?;
    }
    let mut page = Vec::new();
    page_of(command.clone()).render(&mut page)?;
    context::print(|out| out.write_all(&page))?;
    Ok(ExitCode::SUCCESS)
}

/// The page of a command; below the program they have no version of their own.
fn page_of(command: Command) -> Man {
    Man::new(command).source(concat!("xdoflow ", env!("CARGO_PKG_VERSION")))
}

fn write_pages(command: Command, folder: &Path, pages: &mut usize) -> Result<()> {
    let failed =
        |error: std::io::Error| Error::stop(format!("cannot write into {}: {error}", folder.display()));
    std::fs::create_dir_all(folder).map_err(failed)?;
    for sub in command.get_subcommands() {
        write_pages(sub.clone(), folder, pages)?;
    }
    page_of(command).generate_to(folder).map_err(failed)?;
    *pages += 1;
    Ok(())
}
