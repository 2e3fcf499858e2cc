//! Commands to try things on: `generate`, `demo`, `bench`.

use std::path::PathBuf;

use clap::{Args, ValueEnum};

use super::value::scale;
use super::{ProgressArgs, ReadArgs};
use crate::bench::Scenario;
use crate::generate::Dirt;

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

/// The seed of a workspace that nobody asked to be special.
pub const DEFAULT_SEED: u64 = 1;

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
