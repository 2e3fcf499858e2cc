//! What can be typed. What it means is in the file of each command.

mod tools;

use std::path::PathBuf;
use std::time::Duration;

use clap::{Args, Parser, Subcommand, ValueEnum};

use super::progress::ProgressMode;
use crate::bench::Scenario;
use crate::generate::Dirt;
use crate::name::TableName;
use crate::pipeline::MaxDeletes;
use crate::summary::{Mode, ReadChoice};

pub use tools::{
    CompletionsArgs, ConfigArgs, ConfigCommand, ConfigShowArgs, DoctorArgs, HistoryArgs, LineageArgs,
    LineageFormat, ManArgs, SchemaArgs,
};

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
    /// Compare the rows of V1 and V2 by count
    Status(StatusArgs),
    /// Check that the pipelines fit both databases
    Check(CheckArgs),
    /// Look for what a first run would stumble over: rights, snapshots, poolers, connections, triggers, statistics
    Doctor(DoctorArgs),
    /// List past runs, or show the whole of one
    History(HistoryArgs),
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

#[derive(Debug, Args)]
pub struct RunArgs {
    #[command(flatten)]
    pub pipelines: PipelineArgs,
    #[command(flatten)]
    pub databases: DatabaseArgs,
    /// How V1 becomes V2
    #[arg(long, value_enum, default_value_t = ModeArg::Merge)]
    pub mode: ModeArg,
    /// With merge: also delete rows that V1 no longer has, and surplus rows of a key
    #[arg(long)]
    pub prune: bool,
    /// Read only the rows of V1 that changed since the last run, which a scan of their versions finds
    ///
    /// A run keeps a fingerprint of each row that it read: its id, and which version of it that was. With --changed
    /// the fingerprints are compared with V1, only documents of other versions are fetched and published with a
    /// merge, and with --prune what is gone is deleted. Rows that were rejected are tried again. Nothing is asked
    /// of V2: what others have changed there stays, and a run without --changed puts it right. Where the
    /// fingerprints say nothing (there are none yet, V1 was restored or its table rewritten, the pipeline has
    /// changed ...), or too much has changed, all rows are read, and the report says why.
    #[arg(long, conflicts_with = "stage_all")]
    pub changed: bool,
    #[command(flatten)]
    pub read: ReadArgs,
    /// Connections that read, and threads that transform [default: the number of cores, at most 8]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u16).range(1..=64))]
    pub jobs: Option<u16>,
    #[command(flatten)]
    pub only: OnlyArgs,
    /// Read V1 from this file instead of a database: .csv with the columns id and xdo, or .jsonl with a line such as
    /// {"id": 17, "xdo": {…}} for each row; either may be .gz or .zst. One entity
    #[arg(long, value_name = "FILE", conflicts_with_all = ["changed", "resume"])]
    pub from: Option<PathBuf>,
    /// Stop, with the targets as before, when more values than this are rejected
    #[arg(long, value_name = "N")]
    pub max_rejects: Option<u64>,
    /// The same, for so many rejects in a hundred rows read
    #[arg(long, value_name = "P", value_parser = percent)]
    pub max_reject_percent: Option<f64>,
    /// Stop, with the targets as before, when V1 no longer has the keys of more rows of a target than this: a
    /// number, or a share such as 10% [default: 1% of the target, and at least 100 rows]
    #[arg(long, value_name = "N")]
    pub max_deletes: Option<MaxDeletes>,
    /// Do everything but the commit: the counts are exact, and the targets stay as they are
    #[arg(long)]
    pub dry_run: bool,
    /// Wait for another run of the same entity, an hour or as many seconds as are given, instead of refusing
    #[arg(long, value_name = "SECONDS", num_args = 0..=1, require_equals = true, default_missing_value = "3600",
          value_parser = clap::value_parser!(u32).range(1..=604_800))]
    pub wait: Option<u32>,
    /// Go on with a run that died, or with the last one: its entities, its mode; what it has published is
    /// skipped, what it has staged and V1 still holds is not read again
    #[arg(long, value_name = "RUN",
          conflicts_with_all = ["entities", "mode", "prune", "changed", "only", "dry_run", "stage_all"])]
    pub resume: Option<Option<i64>>,
    /// Keep rejected values out of the quarantine: only their places and the reasons are kept
    #[arg(long)]
    pub no_raw: bool,
    #[command(flatten)]
    pub limits: LimitArgs,
    /// Stage every row and merge, instead of loading an empty V2 directly and staging only what differs
    #[arg(long)]
    pub stage_all: bool,
    #[command(flatten)]
    pub progress: ProgressArgs,
    /// Print the result as one JSON object
    #[arg(long)]
    pub json: bool,
    /// Show what was coerced and rejected, column by column
    #[arg(short, long)]
    pub verbose: bool,
    /// Run a shell command once the run has ended, well or not: the result as JSON on its standard input
    ///
    /// What --json prints stands on its standard input; of a run that failed or was interrupted an object with
    /// run_id, outcome, error, detail and hint. XDOFLOW_OUTCOME is done, failed or interrupted, XDOFLOW_RUN the number
    /// of the run, empty where none was begun. Its output goes to standard error. That it fails is a warning.
    #[arg(long, value_name = "COMMAND", hide_env_values = true)]
    pub notify: Option<String>,
}

/// A backfill: which rows alone are read. All that is given must hold; nothing is deleted, and nothing derived
#[derive(Clone, Debug, Args)]
#[group(id = "only", multiple = true, conflicts_with_all = ["prune", "changed"])]
pub struct OnlyArgs {
    /// Read only the rows with these ids: 17,20-99
    #[arg(long, value_name = "LIST", value_delimiter = ',', value_parser = super::ids::range, allow_hyphen_values = true)]
    pub ids: Vec<(i64, i64)>,
    /// Read only the rows with the ids in this file, one a line, or entity,id
    #[arg(long, value_name = "FILE")]
    pub ids_file: Option<PathBuf>,
    /// Read only the rows for which this condition holds, in the SQL of V1's server: "xdo->>'status' = 'Active'"
    #[arg(long = "where", value_name = "SQL")]
    pub condition: Option<String>,
    /// Read only so many rows of each entity, those with the lowest ids
    #[arg(long, value_name = "N")]
    pub limit: Option<u64>,
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

/// The publish mode as it is typed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum ModeArg {
    /// Insert what is new, update what differs, leave what is equal untouched
    Merge,
    /// Make the target the image of V1; columns that V1 does not feed take their defaults
    Replace,
    /// Insert only what is missing
    Insert,
}

impl From<ModeArg> for Mode {
    fn from(mode: ModeArg) -> Self {
        match mode {
            ModeArg::Merge => Self::Merge,
            ModeArg::Replace => Self::Replace,
            ModeArg::Insert => Self::Insert,
        }
    }
}

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
pub struct GenerateArgs {
    /// The database to fill; tables that hold rows are left alone
    #[arg(long, value_name = "URL", env = "XDOFLOW_SOURCE", hide_env_values = true)]
    pub source: Option<String>,
    /// Size: 1 is 335 users, 37,041 agents, 55,023 transactions, 702,072 participants, 86,618 network rows
    #[arg(long, value_name = "S", default_value_t = 1.0, value_parser = scale)]
    pub scale: f64,
    /// Rows are the same for the same seed and scale
    #[arg(long, value_name = "N", default_value_t = DEFAULT_SEED)]
    pub seed: u64,
    /// How dirty the documents are
    #[arg(long, value_enum, default_value_t = DirtArg::Field)]
    pub dirt: DirtArg,
    /// Connections that fill [default: the number of cores, at most 8]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u16).range(1..=64))]
    pub jobs: Option<u16>,
    #[command(flatten)]
    pub progress: ProgressArgs,
}

/// The level of dirt as it is typed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum DirtArg {
    /// As the field has it
    Field,
    /// As often, but only what the server's own casts take
    Castable,
}

impl From<DirtArg> for Dirt {
    fn from(dirt: DirtArg) -> Self {
        match dirt {
            DirtArg::Field => Self::Field,
            DirtArg::Castable => Self::Castable,
        }
    }
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

#[derive(Debug, Args)]
#[command(
    after_help = "What cannot be mapped is reported on standard error, each with its place in the file as a JSON \
                  pointer, and stands in the pipeline files as a comment; the exit code is 0 all the same.\n\
                  Then: xdoflow check --pipelines DIR"
)]
pub struct ImportMappingArgs {
    /// The mapping file
    #[arg(value_name = "FILE")]
    pub file: PathBuf,
    /// Write the pipeline files into this folder [default: print them]
    #[arg(long, value_name = "DIR")]
    pub out: Option<PathBuf>,
    /// Replace files that exist
    #[arg(long, requires = "out")]
    pub force: bool,
    /// Print the files and the findings as one JSON object
    #[arg(long)]
    pub json: bool,
}

/// Which table is profiled, and how much of it
#[derive(Clone, Debug, Args)]
pub struct TableArgs {
    /// The table: name, schema.name, or "odd.name" with the double quotes
    #[arg(value_name = "TABLE")]
    pub table: TableName,
    /// The database, which is only read: postgresql://user@host/database
    #[arg(long, value_name = "URL", env = "XDOFLOW_SOURCE", hide_env_values = true)]
    pub source: Option<String>,
    /// The integer column that identifies a row [default: the primary key, or id]
    #[arg(long, value_name = "COLUMN")]
    pub id: Option<String>,
    /// The jsonb column that holds the documents [default: the only one, or xdo]
    #[arg(long, value_name = "COLUMN")]
    pub document: Option<String>,
    /// Read about so many rows, in whole blocks all over the table [default: 100000]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(1..))]
    pub rows: Option<u64>,
    /// Read this percentage of the table's blocks; 100 is all of them
    #[arg(long, value_name = "P", value_parser = sample_percent, conflicts_with = "rows")]
    pub sample: Option<f64>,
    /// Show no value of any document: no examples, words or ranges, which may be personal data
    #[arg(long)]
    pub no_examples: bool,
    /// Connections that read [default: the number of cores, at most 8]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u16).range(1..=64))]
    pub jobs: Option<u16>,
}

#[derive(Debug, Args)]
#[command(
    after_help = "A key is told by its path: location.lat, items[].price. Distinct values are counted up to 1,024 and\n\
                  estimated beyond. Integers are looked for among the ids of the tables of the same schema with a\n\
                  document column of the same name. Nothing is written.\n\n\
                  What is shown holds short examples of values, which may be personal data: --no-examples."
)]
pub struct InspectArgs {
    #[command(flatten)]
    pub table: TableArgs,
    /// In which order keys are shown
    #[arg(long, value_name = "ORDER", value_enum, default_value_t = KeyOrder::Path)]
    pub sort: KeyOrder,
    /// Print the profile as one JSON object
    #[arg(long)]
    pub json: bool,
    /// Write a page with all of it, complete in itself
    #[arg(long, value_name = "FILE")]
    pub html: Option<PathBuf>,
    #[command(flatten)]
    pub progress: ProgressArgs,
}

/// The order of the keys of a profile.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum KeyOrder {
    /// By name, what is in a key behind it
    Path,
    /// The dirtiest first
    Worst,
}

#[derive(Debug, Args)]
#[command(
    after_help = "Each key becomes a column of the widest type that every row read fits; objects become columns by\n\
                  path, arrays stay jsonb. The evidence stands above each column. The draft is tried on the rows that\n\
                  it was made from before it is shown: none of their values is rejected. Nothing is written to a\n\
                  database.\n\n\
                  The evidence holds short examples of values, which may be personal data: --no-examples.\n\
                  Then: xdoflow check --pipelines DIR"
)]
pub struct ScaffoldArgs {
    #[command(flatten)]
    pub table: TableArgs,
    /// The table that the pipeline fills [default: TABLE_v2, in the same schema]
    #[arg(long, value_name = "NAME")]
    pub target: Option<TableName>,
    /// Write the pipeline file there [default: print it]
    #[arg(long, value_name = "FILE")]
    pub out: Option<PathBuf>,
    /// Replace a file that exists
    #[arg(long, requires = "out")]
    pub force: bool,
    /// Print the CREATE TABLE statement; the pipeline file only where --out says
    #[arg(long)]
    pub ddl: bool,
    /// Print the pipeline file, the statement and what was tried as one JSON object
    #[arg(long, conflicts_with = "ddl")]
    pub json: bool,
    #[command(flatten)]
    pub progress: ProgressArgs,
}

/// The seed of a workspace that nobody asked to be special.
pub const DEFAULT_SEED: u64 = 1;

#[derive(Debug, Args)]
#[command(
    after_help = "The roles of --roles are xdoflow_reader, which reads V1 and nothing else, and xdoflow_writer, which\n\
                  writes the targets and owns the schema xdoflow. The statements may be run again."
)]
pub struct DdlArgs {
    /// Print the statements that put an exact V2 into the state that the field shows
    #[arg(long)]
    pub seed_state: bool,
    /// Print the CREATE TABLE statements of V1 instead
    #[arg(long, conflicts_with = "seed_state")]
    pub v1: bool,
    /// Print the statements that make two roles with no more rights than a run needs
    #[arg(long, conflicts_with_all = ["seed_state", "v1"])]
    pub roles: bool,
    /// With --roles: for the tables of the pipeline files of this folder instead of the built-in ones
    #[arg(long, value_name = "DIR", requires = "roles")]
    pub pipelines: Option<PathBuf>,
}

#[derive(Debug, Args)]
#[command(
    after_help = "The statements of the record style insert what is missing and update what differs, with the same\n\
                        results as xdoflow run; V1 and V2 must be in one database. Without --source and --target the\n\
                        column types are those of the pipelines, and all columns but the key take NULL; with one of\n\
                        them the live tables are asked. Rejected rows are left out; a key that V1 holds twice, too."
)]
pub struct SqlArgs {
    #[command(flatten)]
    pub pipelines: PipelineArgs,
    #[command(flatten)]
    pub databases: DatabaseArgs,
    /// How the statements read the documents
    #[arg(long, value_enum, default_value_t = SqlStyle::Record)]
    pub style: SqlStyle,
    /// Wrap each statement in a db.direct_query stanza of XanoScript
    #[arg(long)]
    pub xanoscript: bool,
}

/// How statements read the documents.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum SqlStyle {
    /// One scan for all targets with jsonb_to_record, and casts that no value can fail
    Record,
    /// The plain xdo->>'key' pattern with NULLIF and COALESCE: for clean data, it only inserts
    Arrow,
}

#[derive(Debug, Args)]
pub struct DemoArgs {
    /// Size of V1; 1 is the size of the field
    #[arg(long, value_name = "S", default_value_t = 1.0, value_parser = scale)]
    pub scale: f64,
    /// Rows are the same for the same seed and scale
    #[arg(long, value_name = "N", default_value_t = DEFAULT_SEED)]
    pub seed: u64,
    /// Leave the server running at the end, and print how to connect
    #[arg(long)]
    pub keep: bool,
    /// Use this database instead of a private server; it must hold none of the tables
    #[arg(long, value_name = "URL")]
    pub database: Option<String>,
    #[command(flatten)]
    pub read: ReadArgs,
    #[command(flatten)]
    pub progress: ProgressArgs,
    /// Print the results as one JSON object
    #[arg(long)]
    pub json: bool,
}

#[derive(Debug, Args)]
#[command(after_long_help = "Contenders, each with its read path where it has one (text, raw):\n  \
                       arrow            the old pattern: xdo->>'key', NOT IN, ON CONFLICT DO NOTHING, one statement a target\n  \
                       plain            the same select in one transaction; where rows are there, MERGE from it\n  \
                       record           jsonb_to_record; split tables from one temporary table; where rows are there,\n                   \
                       everything staged and one MERGE\n  \
                       ctas             CREATE TABLE AS with parallel workers, renamed into place: another table\n  \
                       plain×N record×N over as many sessions as cores: not atomic (write plainxN)\n  \
                       xdoflow-merge, xdoflow-replace, xdoflow-insert    the program itself, in each publish mode\n  \
                       xdoflow-changed  run --changed after a full run, where V2 is full\n  \
                       xdoflow-staged   run --stage-all; by name only\n  \
                       floor            the same bytes out and the finished bytes in, nothing else\n\
                       A name takes both read paths, floor:raw one, xdoflow all modes, raw all that read so.\n\n\
                       Without --source a private server is started, with a production server's settings, and a V1 \
                       generated in it. With --source, V1 and V2 must be in that database: an empty V1 is generated, one \
                       with rows is read and never changed (and refresh left out); V2 must be empty and is empty afterwards; \
                       xdoflow's ledger stays.\n\n\
                       Every run's result is compared before its time is shown. Exit codes: 0 done; 1 failed, or xdoflow's own rows were wrong; \
                       2 wrong usage; 130 interrupted.")]
pub struct BenchArgs {
    /// Entities, and workspace for all there are together [default: each, and workspace]
    #[arg(value_name = "ENTITY")]
    pub entities: Vec<String>,
    /// Read the pipeline files of this folder instead of the built-in ones
    #[arg(long, value_name = "DIR", requires = "source")]
    pub pipelines: Option<PathBuf>,
    /// Size of V1; 1 is the size of the field
    #[arg(long, value_name = "S", default_value_t = 1.0, value_parser = scale)]
    pub scale: f64,
    /// Rows are the same for the same seed and scale
    #[arg(long, value_name = "N", default_value_t = DEFAULT_SEED)]
    pub seed: u64,
    /// How dirty V1 is: plain SQL stops at the first cell of the field's that its casts refuse
    #[arg(long, value_enum, default_value_t = DirtArg::Castable)]
    pub dirt: DirtArg,
    /// Runs of each contender; the median counts
    #[arg(long, value_name = "N", default_value_t = 3, value_parser = clap::value_parser!(u16).range(1..=99))]
    pub samples: u16,
    /// Who takes part, separated by commas [default: all, xdoflow-replace only in reload, xdoflow-staged not]
    #[arg(long, value_name = "NAMES", value_delimiter = ',')]
    pub contenders: Vec<String>,
    /// What V2 looks like before each run, separated by commas [default: all]
    #[arg(long, value_name = "NAMES", value_delimiter = ',', value_enum)]
    pub scenarios: Vec<ScenarioArg>,
    /// Use this database, which holds V1 and V2, instead of a private server
    #[arg(long, value_name = "URL")]
    pub source: Option<String>,
    /// V2: the same database, since SQL can work in one only [default: the source]
    #[arg(long, value_name = "URL", requires = "source")]
    pub target: Option<String>,
    /// Write all figures as one JSON object; - is standard output
    #[arg(long, value_name = "FILE")]
    pub json: Option<PathBuf>,
    /// Write a line for each figure as CSV, with a header; - is standard output
    #[arg(long, value_name = "FILE")]
    pub csv: Option<PathBuf>,
    /// Write a page with charts, complete in itself
    #[arg(long, value_name = "FILE")]
    pub html: Option<PathBuf>,
    #[command(flatten)]
    pub progress: ProgressArgs,
}

/// What V2 looks like before a run, as it is typed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum ScenarioArg {
    /// Empty targets
    Reload,
    /// 1 % of the rows changed, 0.1 % new and 0.1 % gone in V1
    Refresh,
    /// Targets that are equal
    #[value(alias = "no_change")]
    NoChange,
    /// 10,000 ids missing, at most half of the rows
    Backfill,
}

impl From<ScenarioArg> for Scenario {
    fn from(scenario: ScenarioArg) -> Self {
        match scenario {
            ScenarioArg::Reload => Self::Reload,
            ScenarioArg::Refresh => Self::Refresh,
            ScenarioArg::NoChange => Self::NoChange,
            ScenarioArg::Backfill => Self::Backfill,
        }
    }
}

fn age(text: &str) -> Result<Duration, String> {
    let seconds = [("d", 86_400), ("h", 3_600), ("m", 60), ("s", 1)];
    let read = seconds.iter().find_map(|(unit, seconds)| Some((text.strip_suffix(unit)?, seconds)));
    match read.map(|(number, seconds)| (number.trim().parse::<u32>(), seconds)) {
        Some((Ok(number), seconds)) => Ok(Duration::from_secs(u64::from(number) * seconds)),
        _ => Err("an age is a number and its unit: 30d, 12h, 90m or 45s".into()),
    }
}

fn percent(text: &str) -> Result<f64, String> {
    match text.trim_end_matches('%').parse::<f64>() {
        Ok(percent) if (0.0..=100.0).contains(&percent) => Ok(percent),
        Ok(_) => Err("a percentage is at least 0 and at most 100".into()),
        Err(_) => Err("not a number".into()),
    }
}

fn sample_percent(text: &str) -> Result<f64, String> {
    match percent(text) {
        Ok(0.0) => Err("a sample of nothing says nothing".into()),
        read => read,
    }
}

fn scale(text: &str) -> Result<f64, String> {
    match text.parse::<f64>() {
        Ok(scale) if scale > 0.0 && scale <= 100.0 => Ok(scale),
        Ok(_) => Err("a scale is above 0 and at most 100".into()),
        Err(_) => Err("not a number".into()),
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
