//! What can be typed. What it means is in the file of each command. Here: the command line as a whole, and what several
//! commands share.

mod look;
mod make;
mod run;
mod tools;
mod trial;
mod value;

use std::path::PathBuf;

use clap::{Args, Parser, Subcommand, ValueEnum};

use super::progress::ProgressMode;
use crate::summary::ReadChoice;

pub use look::{
    CheckArgs, PurgeArgs, RejectsArgs, RejectsCommand, RejectsListArgs, RetryArgs, StatusArgs, TestArgs,
    VerifyArgs,
};
pub use make::{
    DdlArgs, ImportMappingArgs, InspectArgs, KeyOrder, ScaffoldArgs, SqlArgs, SqlStyle, TableArgs,
};
pub use run::{OnlyArgs, PlanArgs, RunArgs, WorkArgs};
pub use tools::{
    CompletionsArgs, ConfigArgs, ConfigCommand, ConfigShowArgs, DoctorArgs, DriftArgs, HistoryArgs,
    LineageArgs, LineageFormat, ManArgs, ReportArgs, SchemaArgs,
};
pub use trial::{BenchArgs, DemoArgs, GenerateArgs};

/// Streams JSON documents out of PostgreSQL, normalises them, and publishes them into typed tables
#[derive(Debug, Parser)]
#[command(
    name = "xdoflow",
    version,
    about,
    after_help = "Exit codes: 0 done; 1 failed, targets as before; 2 wrong usage or pipeline; 130 interrupted.\n\
                  Start with: xdoflow demo --scale 0.1"
)]
pub struct Arguments {
    /// Read connections and defaults from this file [default: xdoflow.toml in the current folder, where it is there]
    #[arg(long, global = true, value_name = "FILE", env = "XDOFLOW_CONFIG", help_heading = CONFIGURATION)]
    pub config: Option<PathBuf>,
    /// Use this profile of the file
    #[arg(long, global = true, value_name = "NAME", env = "XDOFLOW_PROFILE", help_heading = CONFIGURATION)]
    pub profile: Option<String>,
    #[command(subcommand)]
    pub command: Command,
}

/// Where the help lists the options that all commands have.
const CONFIGURATION: &str = "Configuration";

#[derive(Debug, Subcommand)]
pub enum Command {
    /// Show it all on a private server: V1 generated, V2 as the field has it, all pipelines, the result checked
    Demo(DemoArgs),
    /// Read V1, and publish it into V2
    Run(RunArgs),
    /// Say what a run would do: the rows and columns that would change, and what would stop it; no target is written
    Plan(PlanArgs),
    /// Compare the rows of V1 and V2 by count
    Status(StatusArgs),
    /// Check that the pipelines fit both databases
    Check(CheckArgs),
    /// Look for what a first run would stumble over: rights, snapshots, poolers, connections, triggers, statistics
    Doctor(DoctorArgs),
    /// List how the keys of V1's documents differ from those that were accepted, or accept it
    Drift(DriftArgs),
    /// List past runs, or show the whole of one
    History(HistoryArgs),
    /// Report on a run: what it did, where its time went, what it rejected, whether V2 was verified since
    Report(ReportArgs),
    /// List, export or retry the values that were rejected
    Rejects(RejectsArgs),
    /// Prove that V2 is what V1 says, cell by cell, or name what differs
    Verify(VerifyArgs),
    /// Run the tests that stand in the pipeline files, without a database; or write one from a real row
    Test(TestArgs),
    /// Profile the documents of any table with a jsonb column, key by key
    Inspect(InspectArgs),
    /// Draft a pipeline file and its table from the documents of a table
    Scaffold(ScaffoldArgs),
    /// Turn a mapping file, V1_V2_FIELD_MAPPING.json, into pipeline files
    ImportMapping(ImportMappingArgs),
    /// Fill empty V1 tables with invented rows, as dirty as the field's
    Generate(GenerateArgs),
    /// Print the CREATE TABLE statements of V2
    Ddl(DdlArgs),
    /// Print the pipelines as SQL statements that do on the server what run does
    Sql(SqlArgs),
    /// Measure xdoflow beside what a user would pick instead: SQL of several kinds, and the server's own limit
    Bench(BenchArgs),
    /// Show what xdoflow.toml, the environment and the defaults say
    Config(ConfigArgs),
    /// Print the JSON Schema of the pipeline files, or their reference
    Schema(SchemaArgs),
    /// Print where each column of V2 comes from, and what happens on the way
    Lineage(LineageArgs),
    /// Print the completions of a shell
    Completions(CompletionsArgs),
    /// Print a manual page, or write all of them
    Man(ManArgs),
}

impl Command {
    /// Whether it takes connections or defaults: the others work where the file of the configuration is wrong.
    pub fn takes_settings(&self) -> bool {
        !matches!(self, Self::Completions(_) | Self::Man(_) | Self::Schema(_) | Self::Config(_))
    }
}

/// Which databases; shared by the commands that use them
#[derive(Clone, Debug, Args)]
pub struct DatabaseArgs {
    /// V1, which is only read: postgresql://user@host/database; what it lacks comes from PGHOST, ~/.pgpass …
    #[arg(long, value_name = "URL", env = "XDOFLOW_SOURCE", hide_env_values = true)]
    pub source: Option<String>,
    /// V2 [default: the source]
    #[arg(long, value_name = "URL", env = "XDOFLOW_TARGET", hide_env_values = true)]
    pub target: Option<String>,
}

/// How long to wait
#[derive(Clone, Copy, Debug, Args)]
pub struct LimitArgs {
    /// Seconds to wait for a lock that another session holds
    #[arg(long, value_name = "SECONDS", default_value_t = 30, value_parser = clap::value_parser!(u32).range(1..=86_400))]
    pub lock_timeout: u32,
    /// Seconds without a byte after which the server is asked whether it still works on a statement
    #[arg(long, value_name = "SECONDS", default_value_t = 30, value_parser = clap::value_parser!(u32).range(1..=86_400))]
    pub stall_timeout: u32,
}

/// Which pipelines
#[derive(Clone, Debug, Args)]
pub struct PipelineArgs {
    /// Entities, such as users agents transactions participants network [default: all]
    #[arg(value_name = "ENTITY")]
    pub entities: Vec<String>,
    /// Read the pipeline files of this folder instead of the built-in ones
    #[arg(long, value_name = "DIR")]
    pub pipelines: Option<PathBuf>,
}

/// How progress is shown
#[derive(Clone, Copy, Debug, Args)]
pub struct ProgressArgs {
    /// How to show progress on standard error
    ///
    /// With json each line is an object. {"event": "note"} has elapsed_ms and a text. {"event": "progress"} is of one
    /// entity, every second and at each phase: elapsed_ms; entity; phase, which is copying, publishing or done; rows
    /// read of total (0 while it is not known) and bytes; load_rows, accounted for over all targets; publish_rows;
    /// rejects. Of a run also lanes that work and batches in_flight now; read_busy_ms, transform_busy_ms,
    /// compare_busy_ms and load_busy_ms so far, summed over lanes; run_eta_ms, the time that the whole run has to go,
    /// or null.
    #[arg(long, value_name = "FORM", value_enum, default_value_t = ProgressMode::Auto)]
    pub progress: ProgressMode,
}

/// In which form documents are read
#[derive(Clone, Copy, Debug, Args)]
pub struct ReadArgs {
    /// How the documents of V1 are read
    #[arg(long, value_name = "FORM", value_enum, default_value_t = ReadArg::Auto)]
    pub read: ReadArg,
}

/// The form of reading as it is typed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum ReadArg {
    /// Raw where V1's server lends jsonb out (see check) and a sample reads the same both ways, else text
    Auto,
    /// As the JSON text that the server prints
    Text,
    /// As the server keeps them on disk, which costs it a tenth; needs a cast that a superuser makes: see check
    Raw,
}

impl From<ReadArg> for ReadChoice {
    fn from(read: ReadArg) -> Self {
        match read {
            ReadArg::Auto => Self::Auto,
            ReadArg::Text => Self::Text,
            ReadArg::Raw => Self::Raw,
        }
    }
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::*;

    #[test]
    fn the_definition_of_the_command_line_is_sound() {
        Arguments::command().debug_assert();
    }
}
