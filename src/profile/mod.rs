//! `inspect`: what the documents of a table hold, key by key, before anybody has written a pipeline.
//!
//! ```text
//! COPY (SELECT id, document …) of runs of blocks ─batches─► a shape for each lane ─merge─► report
//!   sample: R connections, one snapshot      shape ─► walk   one pass, no tree         ─► refer: ids elsewhere?
//!                                            seen  ─► fit    the casts of a run, distinct: bounded
//! ```
//!
//! A profile says what a run would meet: not what a value looks like, but which casts of a run take it. So a
//! draft made from it ([`scaffold`](crate::scaffold)) loads what was seen. Memory grows with the keys, not with
//! the rows. Nothing is written.
//!
//! On two cores with PostgreSQL 15 the limit is the server, which prints the documents; a document is looked
//! at while the next ones are on their way.

mod distinct;
pub mod fit;
mod refer;
pub mod report;
mod sample;
mod seen;
mod shape;
mod table;
mod walk;

use std::future::Future;
use std::sync::Arc;

use crate::error::{Error, Result};
use crate::pg::Database;
use crate::progress::{Phase, Progress};
use crate::spec::model::SourceSpec;
use crate::stage::extract::SourceSnapshot;
use crate::transform::{Program, Tally};

pub use distinct::MOST_VALUES;
pub use refer::Reference;
pub use report::{KeyProfile, Profile};
pub use sample::Size;
pub use shape::{MOST_LEVELS, MOST_PATHS};
pub use table::Wanted;

use sample::Sample;
use shape::Shape;
use table::Found;

/// Rows that are read where nobody said how many: a second of a server that prints 100,000 small documents a
/// second on each core, and every word that stands in one row of a thousand.
pub const DEFAULT_ROWS: u64 = 100_000;

/// What to profile, and where.
#[derive(Clone, Debug)]
pub struct Job {
    /// The database.
    pub source: Database,
    /// The table.
    pub wanted: Wanted,
    /// How many rows are read.
    pub size: Size,
    /// Connections that read.
    pub jobs: usize,
    /// The counters that a terminal shows; they have one entity, the table.
    pub progress: Arc<Progress>,
}

/// A table that was profiled, and that can be read once more at the same instant.
pub struct Profiled {
    /// What was found.
    pub profile: Profile,
    table: Found,
    sample: Sample,
    progress: Arc<Progress>,
}

/// Profiles a table and does more with it, or stops when `interrupted` is ready.
///
/// # Errors
/// Those of the server; that there is no such table, or that its columns are not what is needed.
pub async fn with_profile<T, F: Future<Output = Result<T>>>(
    job: Job,
    interrupted: impl Future<Output = ()>,
    then: impl FnOnce(Profiled) -> F,
) -> Result<T> {
    let database = job.source.clone();
    let work = async { then(profile(job).await?).await };
    let outcome = tokio::select! {
        outcome = work => outcome,
        () = interrupted => Err(Error::interrupted()),
    };
    match outcome {
        Ok(done) => Ok(done),
        Err(error) => Err(match database.end_backends().await {
            Ok(()) => error,
            Err(unended) => {
                error.more_detail(format!("a session may still be there ({})", unended.message()))
            }
        }),
    }
}

/// Profiles a table.
async fn profile(job: Job) -> Result<Profiled> {
    let progress = job.progress;
    let snapshot = Arc::new(SourceSnapshot::export(&job.source, &[]).await?);
    let table = Found::read(snapshot.session(), &job.wanted).await?;
    let sample =
        Sample::choose(&job.source, Arc::clone(&snapshot), table.clone(), job.size, job.jobs).await?;
    progress.entity(0).expect(sample.expected, 1);
    progress.enter(0, Phase::Copying);
    let mut shape = Shape::default();
    for lane in sample.fold(Shape::default, Shape::take, &progress).await? {
        shape.merge(lane);
    }
    // What was expected is an estimate; now it is known.
    progress.entity(0).expect(shape.rows, 1);
    let (mut keys, integers) = report::keys(&shape, table.id.is_some());
    let tables = refer::tables_of(snapshot.session(), &table).await?;
    progress.entity(0).expect_publish(tables as u64);
    progress.enter(0, Phase::Publishing);
    let asked = || progress.entity(0).publish(1);
    let reference_tables = refer::refer(snapshot.session(), &table, &mut keys, &integers, asked).await?;
    progress.enter(0, Phase::Done);
    let complete = match sample.share {
        None => true,
        // The rows that come first are all there are where there are fewer.
        Some(share) => share >= 1.0 && shape.rows < sample.expected,
    };
    let estimate = sample.share.map_or(0.0, |share| shape.rows as f64 / share);
    let profile = Profile {
        table: table.info.name.to_string(),
        id_column: table.id.clone(),
        document_column: table.document.clone(),
        table_rows: if complete { shape.rows } else { estimate.round() as u64 },
        rows: shape.rows,
        complete,
        sample: if complete { "all rows".to_owned() } else { sample.words.clone() },
        document_bytes: shape.bytes,
        documents: report::documents(&shape),
        crowded_values: keys.iter().map(|key| key.crowded_values).sum::<u64>() + shape.root().crowded,
        keys,
        reference_tables,
    };
    Ok(Profiled { profile, table, sample, progress })
}

impl Profiled {
    /// The table as a pipeline reads it.
    ///
    /// # Errors
    /// A table without a column of ids is none that a pipeline can read.
    pub fn source(&self) -> Result<SourceSpec> {
        let table = self.table.info.name.clone();
        let Some(id) = self.table.id.clone() else {
            return Err(Error::stop(format!("{table} has no integer column that identifies a row"))
                .detail("a pipeline knows a row by such an id")
                .hint("name one with --id, or make a view with row numbers that stay"));
        };
        Ok(SourceSpec { table, id, document: self.table.document.clone() })
    }

    /// Puts the rows of the profile through a program, and counts what came of them. Nothing is written.
    ///
    /// # Errors
    /// Those of the server.
    pub async fn prove(&self, program: Arc<Program>) -> Result<Tally> {
        let mut all = program.tally();
        let make = {
            let program = Arc::clone(&program);
            move || program.tally()
        };
        let take = move |tally: &mut Tally, batch: &crate::pgcopy::Batch| {
            tally.merge(&program.transform(batch).tally);
        };
        for tally in self.sample.fold(make, take, &self.progress).await? {
            all.merge(&tally);
        }
        Ok(all)
    }
}

impl Profile {
    /// Takes every value out: examples, words of enumerations, and the lowest and highest numbers.
    pub fn without_values(&mut self) {
        for key in &mut self.keys {
            key.examples.clear();
            key.values.clear();
            key.range = None;
        }
    }

    /// Brings the keys into another order: the worst first. What is in a key no longer stands behind it.
    pub fn sort_by_worst(&mut self) {
        self.keys.sort_by(|a, b| b.worst.total_cmp(&a.worst));
        for key in &mut self.keys {
            key.parent = None;
        }
    }
}
