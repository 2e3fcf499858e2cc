//! Commands that look at both sides, or at the pipelines: `status`, `check`, `verify`, `test`, `rejects`.

use std::path::PathBuf;
use std::time::Duration;

use clap::{Args, Subcommand};

use super::value::{age, sample_percent};
use super::{DatabaseArgs, PipelineArgs, ProgressArgs};

#[derive(Debug, Args)]
pub struct StatusArgs {
    #[command(flatten)]
    pub pipelines: PipelineArgs,
    #[command(flatten)]
    pub databases: DatabaseArgs,
    /// Print the counts as one JSON object
    #[arg(long)]
    pub json: bool,
}

#[derive(Debug, Args)]
pub struct CheckArgs {
    #[command(flatten)]
    pub pipelines: PipelineArgs,
    #[command(flatten)]
    pub databases: DatabaseArgs,
    /// Print the findings as one JSON object
    #[arg(long)]
    pub json: bool,
}

#[derive(Debug, Args)]
#[command(
    after_long_help = "A test is a [[test]] block at the end of a pipeline file: a document, and the rows or rejects that it \
                       gives for each target.\n\n\
                       --record prints such a block, made from the row with that id in V1. Only keys that the pipeline \
                       reads are in it. Letters become x and digits 9 in every value of a text or JSON column, inside \
                       objects and lists, and in every value that was rejected; length, white space and signs stay. \
                       Numbers, booleans, dates and uuids of other columns stay as they are, and so do the keys of \
                       objects and the id: look at them before you commit the block.\n\n\
                       Exit codes: 0 all tests passed; 1 a test failed; 2 a pipeline file or the usage is wrong."
)]
pub struct TestArgs {
    #[command(flatten)]
    pub pipelines: PipelineArgs,
    /// Instead of running tests, print one made from the row with this id, its text masked
    #[arg(long, value_name = "ID", allow_negative_numbers = true, conflicts_with = "json")]
    pub record: Option<i64>,
    /// V1, where --record reads the row
    #[arg(long, value_name = "URL", env = "XDOFLOW_SOURCE", hide_env_values = true)]
    pub source: Option<String>,
    /// Print the result as one JSON object
    #[arg(long)]
    pub json: bool,
}

#[derive(Debug, Args)]
#[command(args_conflicts_with_subcommands = true)]
pub struct RejectsArgs {
    #[command(subcommand)]
    pub command: Option<RejectsCommand>,
    #[command(flatten)]
    pub list: RejectsListArgs,
}

#[derive(Debug, Subcommand)]
pub enum RejectsCommand {
    /// Read the rows of rejected values again, through the pipelines of today, and publish them
    Retry(RetryArgs),
    /// Delete rejects from the quarantine by their age: it holds values of V1, which may be personal data
    Purge(PurgeArgs),
}

#[derive(Debug, Args)]
pub struct RejectsListArgs {
    /// Only this entity
    #[arg(value_name = "ENTITY")]
    pub entity: Option<String>,
    /// The rejects of this run [default: of the last run of each entity]
    #[arg(long, value_name = "ID")]
    pub run: Option<i64>,
    /// Only those with this reason, such as not_a_number
    #[arg(long, value_name = "REASON")]
    pub reason: Option<String>,
    /// How many values to show below the sums
    #[arg(long, value_name = "N", default_value_t = 10)]
    pub limit: u32,
    /// Write all of them as CSV, with a header; - is standard output
    #[arg(long, value_name = "FILE")]
    pub csv: Option<PathBuf>,
    /// Print sums and values as one JSON object
    #[arg(long, conflicts_with = "csv")]
    pub json: bool,
    #[command(flatten)]
    pub databases: DatabaseArgs,
}

#[derive(Debug, Args)]
pub struct PurgeArgs {
    /// Only of this entity
    #[arg(value_name = "ENTITY")]
    pub entity: Option<String>,
    /// Those that were rejected so long ago, such as 30d, 12h or 90m; 0d is all
    #[arg(long, value_name = "AGE", value_parser = age)]
    pub older_than: Duration,
    #[command(flatten)]
    pub databases: DatabaseArgs,
    /// Print the counts as one JSON object
    #[arg(long)]
    pub json: bool,
}

#[derive(Debug, Args)]
pub struct RetryArgs {
    #[command(flatten)]
    pub pipelines: PipelineArgs,
    #[command(flatten)]
    pub databases: DatabaseArgs,
    /// Keep rejected values out of the quarantine: only their places and the reasons are kept
    #[arg(long)]
    pub no_raw: bool,
    /// Connections that read, and threads that transform [default: the number of cores, at most 8]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u16).range(1..=64))]
    pub jobs: Option<u16>,
    #[command(flatten)]
    pub progress: ProgressArgs,
    /// Print the result as one JSON object
    #[arg(long)]
    pub json: bool,
}

#[derive(Debug, Args)]
#[command(
    after_help = "The source server computes what should be there, with SQL of its own: nothing of the run's\n\
                        transform is used. Each side is read at one instant.\n\
                        Exit codes: 0 equal; 1 differences; 2 wrong usage or pipeline; 130 interrupted."
)]
pub struct VerifyArgs {
    #[command(flatten)]
    pub pipelines: PipelineArgs,
    #[command(flatten)]
    pub databases: DatabaseArgs,
    /// Compare only this percentage of the rows of V1, the same rows each time
    #[arg(long, value_name = "P", value_parser = sample_percent)]
    pub sample: Option<f64>,
    /// Name at most so many differences of a table; all are counted [default: 10, with --json 1000]
    #[arg(long, value_name = "N")]
    pub limit: Option<usize>,
    #[command(flatten)]
    pub progress: ProgressArgs,
    /// Print the result as one JSON object
    #[arg(long)]
    pub json: bool,
}
