//! What can be typed behind the commands that look at databases, ledger and pipelines, or help the shell.

use std::path::PathBuf;

use clap::{Args, Subcommand, ValueEnum};
use clap_complete::Shell;

use super::{DatabaseArgs, PipelineArgs};

#[derive(Debug, Args)]
pub struct DriftArgs {
    /// Entities [default: all that a run has noted the keys of]
    #[arg(value_name = "ENTITY")]
    pub entities: Vec<String>,
    #[command(flatten)]
    pub databases: DatabaseArgs,
    /// Make what was met what is expected from now on
    #[arg(long)]
    pub accept: bool,
    /// Print the result as one JSON object
    #[arg(long)]
    pub json: bool,
}

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
    after_help = "Only the ledger in the target is asked. A run of an older version is reported without what that did not\n\
                  measure. Rejected values may be personal data: --no-values leaves them out."
)]
pub struct ReportArgs {
    /// The number of the run [default: the last one]
    #[arg(value_name = "RUN", value_parser = clap::value_parser!(i64).range(1..))]
    pub run: Option<i64>,
    /// Write a page with charts, complete in itself; - is standard output
    #[arg(long, value_name = "FILE", group = "form")]
    pub html: Option<PathBuf>,
    /// Print Markdown; its first paragraph fits a chat message
    #[arg(long, group = "form")]
    pub md: bool,
    /// Print all of it as one JSON object
    #[arg(long, group = "form")]
    pub json: bool,
    /// Leave rejected values out: only their places and the reasons are told
    #[arg(long)]
    pub no_values: bool,
    #[command(flatten)]
    pub databases: DatabaseArgs,
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

#[derive(Debug, Args)]
#[command(after_help = "The script is printed; the shell finds it where the examples put it.")]
pub struct CompletionsArgs {
    /// The shell
    #[arg(value_name = "SHELL")]
    pub shell: Shell,
}

#[derive(Debug, Args)]
pub struct ManArgs {
    /// A command, such as run or rejects retry [default: the program as a whole]
    #[arg(value_name = "COMMAND", conflicts_with = "out")]
    pub command: Vec<String>,
    /// Write the pages of all commands into this folder, which is made where it is missing
    #[arg(long, value_name = "DIR")]
    pub out: Option<PathBuf>,
}

#[derive(Debug, Args)]
pub struct ConfigArgs {
    #[command(subcommand)]
    pub command: ConfigCommand,
}

#[derive(Debug, Subcommand)]
pub enum ConfigCommand {
    /// Show each value that is in force, and where it comes from; passwords are hidden
    Show(ConfigShowArgs),
}

#[derive(Debug, Args)]
#[command(
    after_help = "The command line beats the environment, which beats the profile, which beats what the file says for\n\
                  all profiles, which beats the defaults. A key of the file is an option of run with underscores:\n\n  \
                  jobs = 4\n\n  [profile.prod]\n  source = \"postgresql://reader@v1.example.com/xano\"\n  \
                  target = \"postgresql://writer@v2.example.com/xano\"\n\n\
                  bench, demo and generate take no connection from the file: what they fill or empty has to be named."
)]
pub struct ConfigShowArgs {
    /// Print the settings as one JSON object
    #[arg(long)]
    pub json: bool,
}

#[derive(Debug, Args)]
#[command(
    after_help = "Editors that know TOML check and complete a pipeline file that begins with this line:\n  \
                  #:schema pipeline.schema.json\n\
                  The schema knows what can be told without the databases; xdoflow check and test know all."
)]
pub struct SchemaArgs {
    /// Print the reference of the language instead, as Markdown
    #[arg(long)]
    pub markdown: bool,
}

#[derive(Debug, Args)]
pub struct LineageArgs {
    #[command(flatten)]
    pub pipelines: PipelineArgs,
    /// In which form
    #[arg(long, value_name = "FORM", value_enum, default_value_t = LineageFormat::Markdown)]
    pub format: LineageFormat,
}

/// The form of the lineage.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum LineageFormat {
    /// Tables to read, and to keep beside the pipelines
    Markdown,
    /// A page that is complete in itself
    Html,
    /// A graph, which many wikis and forges draw
    Mermaid,
}
