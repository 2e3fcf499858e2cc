//! `bench`: what a user would pick instead, side by side.
//!
//! ```text
//! World      V1 and V2 in one database, the images of what V2 must hold        world, image
//! each scenario: V2 brought into its state
//!   each sample, entity, contender:
//!     CHECKPOINT, sessions opened                                               sql, floor
//!     ├ timed: SQL, the program as a process, or bytes moved                    sql, child, floor; meter
//!     V2 compared with its image by the server; V2 made as before               world
//! report     medians, ratios                                                    report
//! ```
//! **Right before fast.** After every run the targets are compared with an image that no contender had a
//! part in. One whose rows differ, or that fails, is told as such, takes no further samples, and stands in
//! no ratio.
//!
//! **Fair.** All contenders of a sample take their turns on the same V1. Each begins behind a checkpoint
//! with vacuumed tables, so that nobody pays for another's dirt. SQL runs over sessions that are open
//! already, with the memory of an xdoflow publish; the program pays for its start and its connections.
//! The whole workspace is, for SQL, its entities one after the other; for the program one run.
//!
//! Scenarios run in the order reload, no change, backfill, refresh, because only the last changes V1.

mod child;
mod contender;
mod estimate;
mod floor;
mod image;
mod machine;
mod measure;
mod meter;
mod report;
mod results;
mod run;
mod source;
mod sql;
mod state;
mod world;

use std::path::PathBuf;
use std::time::Duration;

use crate::pg::Database;
use crate::spec::model::PipelineSpec;

pub use child::Program;
pub use contender::{CONTENDERS, Contender, Scenario, Way, choose};
pub use machine::Machine;
pub use meter::WalDump;
pub use report::{BenchReport, FloorTried, Header, ResultRow, ServerHeader, WORKSPACE, median};
pub use run::Bench;
pub use source::Documents;

/// What to measure, and where.
pub struct Job {
    /// The pipelines.
    pub specs: Vec<PipelineSpec>,
    /// The entities that have rows of their own in the report.
    pub shown: Vec<String>,
    /// Whether all of them together have.
    pub workspace: bool,
    /// V1 and V2.
    pub database: Database,
    /// The private server that the database is on, where it is.
    pub server: Option<OwnServer>,
    /// How xdoflow is started.
    pub program: Program,
    /// A folder of this bench's own, for finished rows and lists of ids.
    pub folder: PathBuf,
    /// What V2 looks like before the runs.
    pub scenarios: Vec<Scenario>,
    /// Who takes part.
    pub contenders: Vec<Contender>,
    /// Whether they were asked for by name, and so take part wherever they can.
    pub chosen: bool,
    /// Runs of each contender.
    pub samples: usize,
    /// Sessions of the `×N` contenders and connections of the floors.
    pub cores: usize,
    /// How V1 was generated, where it was: then it may be changed.
    pub generated: Option<Generated>,
    /// Who is told how far it is.
    pub observer: Box<dyn Fn(&Event<'_>) + Send + Sync>,
}

/// A server that was started for the bench.
pub struct OwnServer {
    /// Its postmaster.
    pub pid: u32,
    /// Its log of changes, where its programs can read it.
    pub wal: Option<WalDump>,
}

/// How V1 was generated.
#[derive(Clone, Debug)]
pub struct Generated {
    /// Its size.
    pub scale: f64,
    /// Its seed.
    pub seed: u64,
    /// How dirty it is.
    pub dirt: String,
}

/// How far a bench is.
#[derive(Debug)]
pub enum Event<'a> {
    /// What will be done, and about how long it takes.
    Plan {
        /// Timed runs.
        runs: usize,
        /// About how long all of it takes.
        estimate: Duration,
    },
    /// Something is being prepared.
    Preparing(&'a str),
    /// A timed run begins.
    Begin(&'a Position<'a>),
    /// A timed run has ended.
    End {
        /// Which.
        position: &'a Position<'a>,
        /// Its time, where it ended well.
        wall: Option<Duration>,
        /// Rows that are wrong.
        rows_wrong: Option<u64>,
        /// Why it failed.
        error: Option<&'a str>,
    },
    /// Something that has to be known of the figures.
    Note(&'a str),
}

/// A timed run among all of them.
#[derive(Debug)]
pub struct Position<'a> {
    /// The scenario.
    pub scenario: Scenario,
    /// The entity, or `workspace`.
    pub entity: &'a str,
    /// The contender.
    pub contender: Contender,
    /// Which sample, from 1; 0 for a floor that is tried out.
    pub sample: usize,
    /// Runs that are done.
    pub done: usize,
    /// All runs.
    pub total: usize,
    /// About how long the rest takes.
    pub remaining: Duration,
}

/// What a row is about: one entity, or all.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum Subject {
    Entity(usize),
    Workspace,
}

/// One timed run to come.
#[derive(Clone, Copy, Debug)]
struct Step {
    scenario: Scenario,
    subject: Subject,
    contender: Contender,
    sample: usize,
}

/// The order in which scenarios run: only the last changes V1.
const ORDER: [Scenario; 4] = [Scenario::Reload, Scenario::NoChange, Scenario::Backfill, Scenario::Refresh];
