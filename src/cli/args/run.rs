//! `run` and `plan`, which take the same work.

use std::path::PathBuf;

use clap::{Args, ValueEnum};

use super::value::percent;
use super::{DatabaseArgs, LimitArgs, PipelineArgs, ProgressArgs, ReadArgs};
use crate::pipeline::MaxDeletes;
use crate::summary::Mode;

/// The work: what is read, and how it is to be published
#[derive(Debug, Args)]
pub struct WorkArgs {
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
    #[arg(long, value_name = "FILE", conflicts_with = "changed")]
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
    /// Wait for another run of the same entity, an hour or as many seconds as are given, instead of refusing
    #[arg(long, value_name = "SECONDS", num_args = 0..=1, require_equals = true, default_missing_value = "3600",
          value_parser = clap::value_parser!(u32).range(1..=604_800))]
    pub wait: Option<u32>,
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
}

#[derive(Debug, Args)]
pub struct RunArgs {
    #[command(flatten)]
    pub work: WorkArgs,
    /// Do everything but the commit: the counts are exact, and the targets stay as they are
    #[arg(long)]
    pub dry_run: bool,
    /// Go on with a run that died, or with the last one: its entities, its mode; what it has published is
    /// skipped, what it has staged and V1 still holds is not read again
    #[arg(long, value_name = "RUN",
          conflicts_with_all = ["entities", "mode", "prune", "changed", "only", "from", "dry_run", "stage_all"])]
    pub resume: Option<Option<i64>>,
    /// Print the result as one JSON object
    #[arg(long)]
    pub json: bool,
    /// Show what was coerced and rejected, column by column, and the narrow place; while it runs, the busiest stage
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

#[derive(Debug, Args)]
pub struct PlanArgs {
    #[command(flatten)]
    pub work: WorkArgs,
    /// For each target show so many rows that would be updated, what they hold and what V1 says
    #[arg(long, value_name = "N", default_value_t = 5, value_parser = clap::value_parser!(u8).range(0..=100))]
    pub samples: u8,
    /// Print the plan as one JSON object
    #[arg(long)]
    pub json: bool,
    /// Show every column that changes, and the samples of each target
    #[arg(short, long)]
    pub verbose: bool,
}

/// A backfill: which rows alone are read. All that is given must hold; nothing is deleted, and nothing derived
#[derive(Clone, Debug, Args)]
#[group(id = "only", multiple = true, conflicts_with_all = ["prune", "changed"])]
pub struct OnlyArgs {
    /// Read only the rows with these ids: 17,20-99
    #[arg(long, value_name = "LIST", value_delimiter = ',', value_parser = super::super::ids::range, allow_hyphen_values = true)]
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
