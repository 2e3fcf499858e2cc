//! What can be typed behind the commands that look at databases, ledger and pipelines, or help the shell.

use clap::Args;

use super::{DatabaseArgs, PipelineArgs};

#[derive(Debug, Args)]
pub struct HistoryArgs {
    /// The number of a run: show the whole of it [default: a line for each of the last runs]
    #[arg(value_name = "RUN", value_parser = clap::value_parser!(i64).range(1..))]
    pub run: Option<i64>,
    /// How many runs to list, the newest first
    #[arg(long, value_name = "N", default_value_t = 20, value_parser = clap::value_parser!(u32).range(1..))]
    pub limit: u32,
    #[command(flatten)]
    pub databases: DatabaseArgs,
    /// Print the runs, or the one, as one JSON object
    #[arg(long)]
    pub json: bool,
}

#[derive(Debug, Args)]
#[command(
    after_help = "Nothing is changed. Each finding is ok, a warning (a run works, but not as well as it could), a\n\
                  problem (a run would stop), or unknown (SQL cannot see it).\n\
                  Exit codes: 0 no problem; 1 problems; 2 wrong usage or pipeline; 130 interrupted."
)]
pub struct DoctorArgs {
    #[command(flatten)]
    pub pipelines: PipelineArgs,
    #[command(flatten)]
    pub databases: DatabaseArgs,
    /// Connections that a run would read with [default: the number of cores, at most 8]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u16).range(1..=64))]
    pub jobs: Option<u16>,
    /// Print the findings as one JSON object
    #[arg(long)]
    pub json: bool,
}
