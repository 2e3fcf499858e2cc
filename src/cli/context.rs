//! From arguments and environment to databases and pipelines.

use std::io::Write;
use std::time::Duration;

use super::args::{DatabaseArgs, LimitArgs, PipelineArgs};
use crate::error::{Error, Result};
use crate::pg::{Database, Limits, Settings, Side};
use crate::spec::{self, PipelineSpec};

/// V1 and V2.
pub struct Databases {
    pub source: Database,
    pub target: Database,
}

impl Databases {
    pub fn resolve(arguments: &DatabaseArgs) -> Result<Self> {
        let source = arguments.source.as_deref();
        Ok(Self {
            source: database(Side::Source, source)?,
            target: database(Side::Target, arguments.target.as_deref().or(source))?,
        })
    }
}

impl Databases {
    /// The same, with sessions that wait so long.
    pub fn with_limits(self, limits: Limits) -> Self {
        Self { source: self.source.with_limits(limits), target: self.target.with_limits(limits) }
    }
}

impl From<LimitArgs> for Limits {
    fn from(arguments: LimitArgs) -> Self {
        Self {
            lock: Duration::from_secs(arguments.lock_timeout.into()),
            stall: Duration::from_secs(arguments.stall_timeout.into()),
        }
    }
}

/// A database by its URL, or by what the environment says.
pub fn database(side: Side, url: Option<&str>) -> Result<Database> {
    let settings = Settings::resolve(url, &|name| std::env::var(name).ok())?;
    for warning in settings.warnings() {
        // Where standard error is closed there is nobody to warn.
        let _ = writeln!(anstream::stderr(), "warning: {warning}");
    }
    Ok(Database::new(side, settings))
}

/// The pipelines that the arguments name, in the order of the arguments; all where they name none.
pub fn pipelines(arguments: &PipelineArgs) -> Result<Vec<PipelineSpec>> {
    choose(all_pipelines(arguments)?, arguments)
}

/// All pipelines, whichever the arguments name.
pub fn all_pipelines(arguments: &PipelineArgs) -> Result<Vec<PipelineSpec>> {
    match &arguments.pipelines {
        Some(folder) => Ok(spec::load_dir(folder)?),
        None => Ok(spec::shipped()?),
    }
}

/// Those of all pipelines that the arguments name.
pub fn choose(all: Vec<PipelineSpec>, arguments: &PipelineArgs) -> Result<Vec<PipelineSpec>> {
    if arguments.entities.is_empty() {
        return Ok(all);
    }
    let mut chosen: Vec<PipelineSpec> = Vec::new();
    for name in &arguments.entities {
        let Some(spec) = all.iter().find(|spec| spec.entity == *name) else {
            let known: Vec<&str> = all.iter().map(|spec| spec.entity.as_str()).collect();
            let hint = match spec::closest(name, known.iter().copied()) {
                Some(near) => format!("did you mean {near}?"),
                None => "an entity is named in the first line of its pipeline file".to_owned(),
            };
            return Err(Error::usage(format!("there is no pipeline for {name:?}"))
                .detail(format!("the entities are {}", known.join(", ")))
                .hint(hint));
        };
        if !chosen.iter().any(|one| one.entity == *name) {
            chosen.push(spec.clone());
        }
    }
    Ok(chosen)
}

/// The most lanes where nobody asked for more. A lane of the agents takes seven connections, and most
/// servers take a hundred; the server's cores are the limit long before.
const DEFAULT_JOBS: usize = 8;

/// How many connections read, and threads transform.
pub fn jobs(given: Option<u16>) -> usize {
    match given {
        Some(jobs) => usize::from(jobs),
        None => std::thread::available_parallelism().map_or(2, usize::from).min(DEFAULT_JOBS),
    }
}

/// Writes data to standard output. A reader that has gone away is no error.
pub fn print(write: impl FnOnce(&mut dyn Write) -> std::io::Result<()>) -> Result<()> {
    let mut stdout = anstream::stdout();
    match write(&mut stdout).and_then(|()| stdout.flush()) {
        Err(error) if error.kind() != std::io::ErrorKind::BrokenPipe => {
            Err(Error::stop(format!("cannot write to standard output: {error}")))
        }
        _ => Ok(()),
    }
}

/// Prints one JSON object.
pub fn print_json(value: &impl serde::Serialize) -> Result<()> {
    let text = serde_json::to_string_pretty(value)
        .map_err(|error| Error::stop(format!("cannot write the result as JSON: {error}")))?;
    print(|out| writeln!(out, "{text}"))
}
