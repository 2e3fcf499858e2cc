//! Commands that make files and statements: `inspect`, `scaffold`, `import-mapping`, `ddl`, `sql`.

use std::path::PathBuf;

use clap::{Args, ValueEnum};

use super::value::sample_percent;
use super::{DatabaseArgs, PipelineArgs, ProgressArgs};
use crate::name::TableName;

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
                  path, arrays a jsonb, and a child table with a row for each element where no document holds anything\n\
                  else. The evidence stands above each column. The draft is tried on the rows that it was made from\n\
                  before it is shown: none of their values is rejected. Nothing is written to a database.\n\n\
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
    /// Print the CREATE TABLE statements; the pipeline file only where --out says
    #[arg(long)]
    pub ddl: bool,
    /// Print the pipeline file, the statements and what was tried as one JSON object
    #[arg(long, conflicts_with = "ddl")]
    pub json: bool,
    #[command(flatten)]
    pub progress: ProgressArgs,
}

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
