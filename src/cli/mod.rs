//! The command line: the only floor that prints, and that reads the terminal, the arguments or the
//! environment. Standard output is for data, standard error for people.

mod args;
mod bench;
mod check;
mod command_line;
mod completions;
mod config;
mod context;
mod ddl;
mod demo;
mod doctor;
mod drift;
mod examples;
mod format;
mod generate;
mod history;
mod ids;
mod import_mapping;
mod inspect;
mod lineage;
mod notify;
mod plan;
mod progress;
mod rejects;
mod report;
mod run;
mod run_report;
mod scaffold;
mod schema;
mod signals;
mod sql;
mod status;
mod style;
mod test;
mod verify;

use std::process::ExitCode;

use crate::error::{Error, Fate, Result};
use args::{Arguments, Command, ConfigCommand};
use signals::Signals;
use style::Style;

/// Runs the command that the arguments name. Exit codes: 0 done; 1 failed, targets as before; 2 wrong
/// usage or pipeline; 130 interrupted (143 by SIGTERM).
pub fn main() -> ExitCode {
    let arguments = match command_line::parse() {
        Ok(arguments) => arguments,
        Err(error) => return fail(&error, None),
    };
    let runtime = match tokio::runtime::Builder::new_multi_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => return fail(&error.into(), None),
    };
    let (outcome, signal_code) = runtime.block_on(async {
        let signals = match Signals::install() {
            Ok(signals) => signals,
            Err(error) => return (Err(error), None),
        };
        let outcome = execute(&arguments, &signals).await;
        (outcome, signals.exit_code())
    });
    // A connection that still waits for a dead server must not keep the process.
    runtime.shutdown_background();
    match outcome {
        Ok(code) => code,
        Err(error) => fail(&error, signal_code),
    }
}

async fn execute(arguments: &Arguments, signals: &Signals) -> Result<ExitCode> {
    match &arguments.command {
        Command::Demo(demo) => demo::execute(demo, signals).await,
        Command::Run(run) => run::execute(run, signals).await,
        Command::Plan(plan) => plan::execute(plan, signals).await,
        Command::Status(status) => status::execute(status, signals).await,
        Command::Check(check) => check::execute(check, signals).await,
        Command::Rejects(rejects) => rejects::execute(rejects, signals).await,
        Command::Test(test) => test::execute(test, signals).await,
        Command::Doctor(doctor) => doctor::execute(doctor, signals).await,
        Command::Report(report) => run_report::execute(report, signals).await,
        Command::Drift(drift) => drift::execute(drift, signals).await,
        Command::History(history) => history::execute(history, signals).await,
        Command::Verify(verify) => verify::execute(verify, signals).await,
        Command::Generate(generate) => generate::execute(generate, signals).await,
        Command::Ddl(ddl) => ddl::execute(ddl),
        Command::Sql(sql) => sql::execute(sql, signals).await,
        Command::Bench(bench) => bench::execute(bench, signals).await,
        Command::Inspect(inspect) => inspect::execute(inspect, signals).await,
        Command::Scaffold(scaffold) => scaffold::execute(scaffold, signals).await,
        Command::ImportMapping(import) => import_mapping::execute(import),
        Command::Config(config) => match &config.command {
            ConfigCommand::Show(show) => {
                config::show::execute(arguments.config.as_deref(), arguments.profile.as_deref(), show)
            }
        },
        Command::Schema(schema) => schema::execute(schema),
        Command::Lineage(lineage) => lineage::execute(lineage),
        Command::Completions(completions) => completions::completions(completions),
        Command::Man(man) => completions::man(man),
    }
}

fn fail(error: &Error, signal_code: Option<u8>) -> ExitCode {
    let mut stderr = anstream::stderr();
    // Where standard error is closed there is nobody to tell.
    let _ = report::error(&mut stderr, error, Style::stderr());
    match (error.fate(), signal_code) {
        (Fate::Interrupted, Some(code)) => ExitCode::from(code),
        _ => ExitCode::from(error.exit_code()),
    }
}
