//! `xdoflow bench`: xdoflow beside what a user would pick instead.

use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode};
use std::sync::Arc;

use super::args::{BenchArgs, PipelineArgs};
use super::context;
use super::generate::generate;
use super::progress::BenchProgress;
use super::report;
use super::signals::Signals;
use super::style::Style;
use crate::bench::{
    self, Bench, BenchReport, Generated, Job, OwnServer, Program, Scenario, WORKSPACE, WalDump,
};
use crate::error::{Error, Result};
use crate::generate::{Dirt, Generator};
use crate::pg::{Database, Settings, Side, TableInfo};
use crate::server::{Server, ServerOptions};
use crate::spec::PipelineSpec;
use crate::workspace;

pub async fn execute(arguments: &BenchArgs, signals: &Signals) -> Result<ExitCode> {
    let contenders = bench::choose(&arguments.contenders)?;
    let subjects = Subjects::choose(arguments)?;
    let folder = Folder::create()?;
    let place = Place::open(arguments, signals).await?;
    let outcome = measure(arguments, signals, &place, subjects, contenders, &folder).await;
    place.close()?;
    let report = outcome?;
    write(arguments, &report)?;
    let wrong = report.results.iter().filter(|row| row.contender.name.starts_with("xdoflow") && !row.correct);
    match wrong.count() {
        0 => Ok(ExitCode::SUCCESS),
        count => {
            Err(Error::stop(format!("xdoflow itself was wrong or failed in {count} rows of the report")))
        }
    }
}

async fn measure(
    arguments: &BenchArgs,
    signals: &Signals,
    place: &Place,
    subjects: Subjects,
    contenders: Vec<bench::Contender>,
    folder: &Folder,
) -> Result<BenchReport> {
    let generated = place.fill(arguments, &subjects.specs, signals).await?;
    let mut scenarios: Vec<Scenario> = arguments.scenarios.iter().map(|&one| one.into()).collect();
    if scenarios.is_empty() {
        scenarios = Scenario::ALL.to_vec();
    }
    let progress = BenchProgress::start(arguments.progress.progress);
    let job = Job {
        specs: subjects.specs,
        shown: subjects.shown,
        workspace: subjects.workspace,
        database: place.database.clone(),
        server: place.own_server(),
        program: place.program()?,
        folder: folder.0.clone(),
        scenarios,
        contenders,
        chosen: !arguments.contenders.is_empty(),
        samples: usize::from(arguments.samples),
        cores: std::thread::available_parallelism().map_or(2, usize::from),
        generated,
        observer: Box::new(move |event| progress.show(event)),
    };
    let mut bench = signals.or_interrupted(Bench::open(job)).await?;
    let outcome = signals.or_interrupted(bench.run()).await;
    if outcome.is_err() {
        place.database.end_backends().await?;
    }
    if place.server.is_none() {
        // The private server goes with all that is in it.
        bench.close().await?;
    }
    outcome
}

/// What the report has rows for.
struct Subjects {
    specs: Vec<PipelineSpec>,
    shown: Vec<String>,
    workspace: bool,
}

impl Subjects {
    fn choose(arguments: &BenchArgs) -> Result<Self> {
        let named = &arguments.entities;
        let mut entities = named.clone();
        entities.retain(|name| name != WORKSPACE);
        let workspace = named.is_empty() || entities.len() < named.len();
        let choose =
            |entities| context::pipelines(&PipelineArgs { entities, pipelines: arguments.pipelines.clone() });
        let mut specs = choose(entities.clone())?;
        let all = named.is_empty();
        let shown = specs.iter().map(|spec| spec.entity.clone()).filter(|_| all || !entities.is_empty());
        let shown = shown.collect();
        if workspace && !entities.is_empty() {
            specs = choose(Vec::new())?;
        }
        Ok(Self { specs, shown, workspace })
    }
}

/// Where the bench plays: a private server, or a database that the user gave.
struct Place {
    server: Option<Server>,
    url: String,
    database: Database,
}

impl Place {
    async fn open(arguments: &BenchArgs, signals: &Signals) -> Result<Self> {
        // To a bench both are targets: it makes tables in the one and may fill the other.
        if let Some(url) = &arguments.source {
            let database = context::database(Side::Target, Some(url))?;
            let other = arguments.target.as_deref().map(|url| context::database(Side::Target, Some(url)));
            if other.transpose()?.is_some_and(|other| other.redacted() != database.redacted()) {
                return Err(Error::usage("a bench needs V1 and V2 in one database")
                    .detail("it compares with SQL, which cannot reach from one into the other")
                    .hint("leave out --target"));
            }
            return Ok(Self { server: None, url: url.clone(), database });
        }
        let starting = tokio::task::spawn_blocking(|| Server::start(ServerOptions::default()));
        let server = signals
            .or_interrupted(async {
                starting
                    .await
                    .unwrap_or_else(|error| Err(Error::stop(format!("starting the server: {error}"))))
            })
            .await?;
        let url = server.url();
        // The private server is reached by its URL alone, whatever the environment says.
        let database = Database::new(Side::Target, Settings::resolve(Some(&url), &|_| None)?);
        Ok(Self { url, database, server: Some(server) })
    }

    /// Generates a V1 where there is none, and makes the tables of V2 where they are missing.
    async fn fill(
        &self,
        arguments: &BenchArgs,
        specs: &[PipelineSpec],
        signals: &Signals,
    ) -> Result<Option<Generated>> {
        if self.server.is_none() && signals.or_interrupted(self.has_rows(specs)).await? {
            return Ok(None);
        }
        let dirt = Dirt::from(arguments.dirt);
        let generator = Generator::with_dirt(arguments.seed, arguments.scale, dirt);
        generate(&self.database, generator, context::jobs(None), arguments.progress.progress, signals)
            .await?;
        signals.or_interrupted(workspace::create_v2(&self.database)).await?;
        let dirt = dirt.name().to_owned();
        Ok(Some(Generated { scale: arguments.scale, seed: arguments.seed, dirt }))
    }

    async fn has_rows(&self, specs: &[PipelineSpec]) -> Result<bool> {
        let session = self.database.connect("bench").await?;
        for spec in specs {
            let Some(info) = TableInfo::read(&session, &spec.source.table).await? else { continue };
            if !session.query(&format!("SELECT FROM {} LIMIT 1", info.name.quoted()), &[]).await?.is_empty() {
                return Ok(true);
            }
        }
        Ok(false)
    }

    fn own_server(&self) -> Option<OwnServer> {
        let server = self.server.as_ref()?;
        let (program, folder) = (server.bin_dir().join("pg_waldump"), server.data_dir().join("pg_wal"));
        // Not every distribution of the server has it.
        let wal = program.is_file().then_some(WalDump { program, folder });
        Some(OwnServer { pid: server.pid()?, wal })
    }

    /// How xdoflow is started: this very program, on this database.
    fn program(&self) -> Result<Program> {
        let path = std::env::current_exe()
            .map_err(|error| Error::stop(format!("cannot find the program itself: {error}")))?;
        let (url, private) = (self.url.clone(), self.server.is_some());
        Ok(Arc::new(move || {
            let mut command = Command::new(&path);
            if private {
                let names = std::env::vars_os().map(|(name, _)| name);
                for name in names.filter(|name| name.to_string_lossy().starts_with("PG")) {
                    command.env_remove(name);
                }
            }
            // Not as an argument, which other users of the machine could read.
            command.env("XDOFLOW_SOURCE", &url).env_remove("XDOFLOW_TARGET");
            command
        }))
    }

    fn close(self) -> Result<()> {
        self.server.map_or(Ok(()), |mut server| server.stop())
    }
}

/// A folder of this bench's own, removed at the end.
struct Folder(PathBuf);

impl Folder {
    fn create() -> Result<Self> {
        use std::os::unix::fs::DirBuilderExt;
        let path = std::env::temp_dir().join(format!("xdoflow-bench-{}", std::process::id()));
        // Finished rows are as confidential as the tables they come from.
        fs::DirBuilder::new()
            .mode(0o700)
            .create(&path)
            .map_err(|error| Error::stop(format!("cannot create {}: {error}", path.display())))?;
        Ok(Self(path))
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        // Nobody is left to be told; what stays lies in the folder for temporary files.
        let _ = fs::remove_dir_all(&self.0);
    }
}

fn write(arguments: &BenchArgs, report: &BenchReport) -> Result<()> {
    let stdout = |file: &Option<PathBuf>| file.as_deref() == Some(Path::new("-"));
    if !stdout(&arguments.json) && !stdout(&arguments.csv) {
        context::print(|out| report::bench(out, report, Style::stdout()))?;
    }
    if let Some(file) = &arguments.json {
        let text = serde_json::to_string_pretty(report)
            .map_err(|error| Error::stop(format!("cannot write the result as JSON: {error}")))?;
        save(file, format!("{text}\n").as_bytes())?;
    }
    if let Some(file) = &arguments.csv {
        save(file, &report::bench_csv(report)?)?;
    }
    if let Some(file) = &arguments.html {
        save(file, report::bench_html(report).as_bytes())?;
    }
    Ok(())
}

fn save(file: &Path, bytes: &[u8]) -> Result<()> {
    if file == Path::new("-") {
        return context::print(|out| out.write_all(bytes));
    }
    let written = fs::File::create(file).and_then(|mut file| file.write_all(bytes));
    written.map_err(|error| Error::stop(format!("cannot write {}: {error}", file.display())))
}
