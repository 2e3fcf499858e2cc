//! `xdoflow demo`: the whole of it on a private server, from nothing to a checked result.

use std::io::Write;
use std::process::ExitCode;
use std::time::Instant;

use serde::Serialize;

use super::args::{DemoArgs, ReadArg};
use super::context::{self, Databases};
use super::generate::generate;
use super::progress::ProgressMode;
use super::run::{Request, run};
use super::signals::Signals;
use super::style::Style;
use super::verify::{self, verify};
use super::{format, report};
use crate::error::{Error, Result};
use crate::generate::Generator;
use crate::pg::{Database, Settings, Side, raw};
use crate::pipeline::{Only, RejectBudget, Safety};
use crate::server::{Server, ServerOptions};
use crate::spec;
use crate::status::status;
use crate::summary::{Mode, ReadChoice, RunSummary, StatusReport};
use crate::verify::VerifyReport;
use crate::workspace;

/// What `demo --json` prints.
#[derive(Debug, Serialize)]
struct DemoReport {
    scale: f64,
    seed: u64,
    server: String,
    /// V2 as the field has it.
    before: StatusReport,
    /// `run --prune`
    run: RunSummary,
    after: StatusReport,
    /// The same again.
    second_run: RunSummary,
    /// Every cell of V2 against what the server itself makes of V1.
    verify: VerifyReport,
    /// Whether every count is right to the row, and the second run changed nothing.
    exact: bool,
    elapsed_ms: u64,
}

pub async fn execute(arguments: &DemoArgs, signals: &Signals) -> Result<ExitCode> {
    let started = Instant::now();
    let stage = Stage::open(arguments, signals).await?;
    let outcome = stage.play(arguments, signals).await;
    let report = match outcome {
        Ok(played) => played.report(arguments, &stage.name, started),
        Err(error) => {
            // A server that was to be kept is kept for a look at what went wrong.
            stage.close(arguments.keep)?;
            return Err(error);
        }
    };
    if arguments.json {
        context::print_json(&report)?;
    }
    let exact = report.exact;
    if exact {
        say(&format!(
            "checked: every cell of V2 is what V1 says, and the second run changed nothing ({})",
            format::duration(started.elapsed())
        ));
    }
    stage.close(arguments.keep)?;
    if exact {
        Ok(ExitCode::SUCCESS)
    } else {
        Err(Error::stop("the result of the demo is not what it must be").detail(report.faults().join("; ")))
    }
}

/// Where the demo plays: a private server, or a database that the user gave.
struct Stage {
    server: Option<Server>,
    url: String,
    name: String,
}

/// What the demo found.
struct Played {
    before: StatusReport,
    run: RunSummary,
    after: StatusReport,
    second_run: RunSummary,
    verify: VerifyReport,
}

impl Stage {
    async fn open(arguments: &DemoArgs, signals: &Signals) -> Result<Self> {
        if let Some(url) = &arguments.database {
            let name = context::database(Side::Target, Some(url))?.redacted();
            return Ok(Self { server: None, url: url.clone(), name });
        }
        say("starting a private PostgreSQL server");
        let options = ServerOptions::default();
        let starting = tokio::task::spawn_blocking(move || Server::start(options));
        let server = signals
            .or_interrupted(async {
                starting
                    .await
                    .unwrap_or_else(|error| Err(Error::stop(format!("starting the server: {error}"))))
            })
            .await?;
        let name = format!("PostgreSQL {} on 127.0.0.1:{}", server.version(), server.port());
        say(&format!("{name}, folder {}", server.data_dir().display()));
        Ok(Self { url: server.url(), server: Some(server), name })
    }

    fn database(&self, side: Side) -> Result<Database> {
        // The demo's server is reached by its URL alone, whatever the environment says.
        let settings = match self.server {
            Some(_) => Settings::resolve(Some(&self.url), &|_| None)?,
            None => return context::database(side, Some(&self.url)),
        };
        Ok(Database::new(side, settings))
    }

    async fn play(&self, arguments: &DemoArgs, signals: &Signals) -> Result<Played> {
        let jobs = context::jobs(None);
        let target = self.database(Side::Target)?;
        let progress = arguments.progress.progress;

        heading(&format!("V1: generating rows at scale {}", arguments.scale));
        let generator = Generator::new(arguments.seed, arguments.scale);
        generate(&target, generator, jobs, progress, signals).await?;

        if arguments.read.read == ReadArg::Raw && self.server.is_some() {
            say(&format!("a cast for reading documents as they are kept: {}", raw::CREATE_CAST));
            signals.or_interrupted(workspace::lend_jsonb(&target)).await?;
        }
        heading("V2: creating it in the state that the field shows today");
        signals.or_interrupted(workspace::create_v2(&target)).await?;
        let read = ReadChoice::from(arguments.read.read);
        self.run(Mode::Replace, false, read, jobs, progress, signals).await?;
        signals.or_interrupted(workspace::damage_v2(&target)).await?;

        heading("xdoflow status");
        let before = self.status(arguments, signals).await?;
        heading("xdoflow run --prune");
        let run = self.run(Mode::Merge, true, read, jobs, progress, signals).await?;
        self.show(arguments, |out| report::run_summary(out, &run, Style::stdout(), false))?;
        heading("xdoflow status");
        let after = self.status(arguments, signals).await?;
        heading("xdoflow run --prune, once more");
        let second_run = self.run(Mode::Merge, true, read, jobs, progress, signals).await?;
        self.show(arguments, |out| report::run_summary(out, &second_run, Style::stdout(), false))?;
        heading("xdoflow verify");
        let verify = self.verify(jobs, progress, signals).await?;
        self.show(arguments, |out| report::verify(out, &verify, Style::stdout()))?;
        Ok(Played { before, run, after, second_run, verify })
    }

    async fn verify(&self, jobs: usize, progress: ProgressMode, signals: &Signals) -> Result<VerifyReport> {
        let specs = spec::shipped()?;
        let all = specs.clone();
        let (source, target) = (self.database(Side::Source)?, self.database(Side::Target)?);
        verify(
            verify::Request { specs, all, source, target, sample: None, limit: 10, jobs, progress },
            signals,
        )
        .await
    }

    async fn run(
        &self,
        mode: Mode,
        prune: bool,
        read: ReadChoice,
        jobs: usize,
        progress: ProgressMode,
        signals: &Signals,
    ) -> Result<RunSummary> {
        let databases =
            Databases { source: self.database(Side::Source)?, target: self.database(Side::Target)? };
        let specs = spec::shipped()?;
        let budget = RejectBudget::default();
        let request = Request {
            specs,
            databases,
            mode,
            prune,
            read,
            jobs,
            budget,
            only: Only::default(),
            stage_all: false,
            resume: None,
            safety: Safety::default(),
            changed: false,
            progress,
            verbose: false,
        };
        run(request, signals).await
    }

    async fn status(&self, arguments: &DemoArgs, signals: &Signals) -> Result<StatusReport> {
        let (source, target) = (self.database(Side::Source)?, self.database(Side::Target)?);
        let report = signals.or_interrupted(status(&source, &target, &spec::shipped()?)).await?;
        self.show(arguments, |out| report::status(out, &report, Style::stdout()))?;
        Ok(report)
    }

    /// Shows a part of the result as it comes; with `--json` the whole comes at the end.
    fn show(
        &self,
        arguments: &DemoArgs,
        write: impl FnOnce(&mut dyn Write) -> std::io::Result<()>,
    ) -> Result<()> {
        if arguments.json { Ok(()) } else { context::print(write) }
    }

    /// Ends the server, or leaves it and says how to use it.
    fn close(mut self, keep: bool) -> Result<()> {
        let Some(server) = &mut self.server else { return Ok(()) };
        if keep {
            let kept = server.keep();
            say(&format!("the server is left running in {}", kept.folder.display()));
            say(&format!("connect:  {}", kept.connect_command));
            say(&format!("use:      XDOFLOW_SOURCE='{}' xdoflow status", kept.url));
            say(&format!("stop:     {}", kept.stop_command));
            return Ok(());
        }
        server.stop()
    }
}

impl Played {
    fn report(self, arguments: &DemoArgs, server: &str, started: Instant) -> DemoReport {
        let mut report = DemoReport {
            scale: arguments.scale,
            seed: arguments.seed,
            server: server.to_owned(),
            before: self.before,
            run: self.run,
            after: self.after,
            second_run: self.second_run,
            verify: self.verify,
            exact: false,
            elapsed_ms: u64::try_from(started.elapsed().as_millis()).unwrap_or(u64::MAX),
        };
        report.exact = report.faults().is_empty();
        report
    }
}

impl DemoReport {
    /// What is not as it must be.
    fn faults(&self) -> Vec<String> {
        let mut faults = Vec::new();
        for count in &self.after.entity_counts {
            if count.delta != 0 {
                faults.push(format!("{} is {} rows off", count.entity, count.delta));
            }
        }
        for split in &self.after.split_tables {
            if split.rows != split.expected {
                faults.push(format!("{} holds {} rows, not {}", split.table, split.rows, split.expected));
            }
        }
        if !self.verify.equal {
            faults.push("verify has found differences".to_owned());
        }
        for entity in &self.second_run.entities {
            for target in &entity.targets {
                if target.inserted + target.updated + target.deleted > 0 || target.unchanged != target.loaded
                {
                    faults.push(format!("the second run changed {}", target.name));
                }
            }
        }
        faults
    }
}

fn heading(text: &str) {
    // Where standard error is closed there is nobody to tell.
    let _ = writeln!(anstream::stderr(), "\n── {text}");
}

fn say(text: &str) {
    let _ = writeln!(anstream::stderr(), "{text}");
}
