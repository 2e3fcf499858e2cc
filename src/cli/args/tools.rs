//! What can be typed behind the commands that look at databases, ledger and pipelines, or help the shell.

use clap::Args;

use super::DatabaseArgs;

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
