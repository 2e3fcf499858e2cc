//! `run --notify`: a command of the user's that learns how a run ended.
//!
//! It is run by the shell, with the result on its standard input, as `--json` prints it, or the error as an object.
//! Its own output goes to standard error, since standard output is for the result. That it fails is a warning: what
//! the run has published is published.

use std::io::Write;
use std::process::{Command, Stdio};

use serde::Serialize;

use crate::error::{Error, Fate, Result};
use crate::summary::RunSummary;

/// The outcome of a run that has no result.
#[derive(Debug, Serialize)]
struct Failure<'a> {
    run_id: Option<i64>,
    outcome: &'static str,
    error: &'a str,
    detail: Option<&'a str>,
    hint: Option<&'a str>,
}

/// Runs the command, and waits for its end; warns where it fails.
pub async fn notify(command: &str, run_id: Option<i64>, outcome: &Result<RunSummary>) {
    let (word, json) = match outcome {
        Ok(summary) => ("done", serde_json::to_vec(summary)),
        Err(error) => {
            let word = if error.fate() == Fate::Interrupted { "interrupted" } else { "failed" };
            let failure = Failure {
                run_id,
                outcome: word,
                error: error.message(),
                detail: error.detail_text(),
                hint: error.hint_text(),
            };
            (word, serde_json::to_vec(&failure))
        }
    };
    let command = command.to_owned();
    let run = run_id.map(|run_id| run_id.to_string()).unwrap_or_default();
    let done = match json {
        // The signals are still heard while it runs: a second one ends the program.
        Ok(json) => tokio::task::spawn_blocking(move || execute(&command, word, &run, &json)).await,
        Err(error) => Ok(Err(Error::stop(format!("cannot write the result as JSON: {error}")))),
    };
    let failed = match done {
        Ok(Ok(())) => return,
        Ok(Err(error)) => error.message().to_owned(),
        Err(error) => error.to_string(),
    };
    // Where standard error is closed there is nobody to warn.
    let _ = writeln!(anstream::stderr(), "warning: the command of --notify {failed}");
}

fn execute(command: &str, outcome: &str, run: &str, json: &[u8]) -> Result<()> {
    let mut child = Command::new("sh")
        .args(["-c", command])
        .env("XDOFLOW_OUTCOME", outcome)
        .env("XDOFLOW_RUN", run)
        .stdin(Stdio::piped())
        .stdout(Stdio::from(std::io::stderr()))
        .spawn()
        .map_err(|error| Error::stop(format!("cannot be started: {error}")))?;
    if let Some(mut stdin) = child.stdin.take() {
        match stdin.write_all(json).and_then(|()| stdin.write_all(b"\n")) {
            // A command that does not read its input is none that fails.
            Err(error) if error.kind() != std::io::ErrorKind::BrokenPipe => {
                return Err(Error::stop(format!("does not take its input: {error}")));
            }
            _ => {}
        }
    }
    let status = child.wait()?;
    if status.success() { Ok(()) } else { Err(Error::stop(format!("failed: {status}"))) }
}
