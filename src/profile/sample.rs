//! Reading some rows of a table: runs of whole blocks, evenly over the table, by several connections that
//! see one instant.
//!
//! A block is what the server reads anyway; single rows all over a table would cost a block each. Runs of
//! them are chosen by arithmetic and not by chance: the same table gives the same rows, so that two
//! profiles can be compared, and a draft is tried on the rows that it was made from.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, PoisonError};

use tokio::sync::oneshot;
use tokio::task::JoinSet;

use super::table::Found;
use crate::error::{Error, Result};
use crate::partition::{self, Partition};
use crate::pg::profile::{self as sql, Rows};
use crate::pg::{BatchStream, Database, Session};
use crate::pgcopy::Batch;
use crate::progress::Progress;
use crate::stage::extract::{BATCH_BYTES, SourceSnapshot};

/// How many rows are wanted.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Size {
    /// About so many, in whole blocks.
    Rows(u64),
    /// So many percent of the blocks.
    Percent(f64),
}

/// Runs of blocks that a sample is made of: enough to be spread well, and each a COPY of its own, which costs
/// about a millisecond.
const RUNS: u64 = 200;

/// Blocks that are counted where the server has never looked at a table.
const COUNTED_BLOCKS: f64 = 300.0;

/// The rows that are read.
pub(super) struct Sample {
    database: Database,
    snapshot: Arc<SourceSnapshot>,
    table: Found,
    parts: Vec<Rows>,
    lanes: usize,
    /// Rows, as far as they can be known before they are read.
    pub(super) expected: u64,
    /// Of the blocks of the table; 1 where all rows are read.
    pub(super) share: Option<f64>,
    /// How the rows are chosen.
    pub(super) words: String,
}

impl Sample {
    /// Chooses the rows.
    pub(super) async fn choose(
        database: &Database,
        snapshot: Arc<SourceSnapshot>,
        table: Found,
        size: Size,
        lanes: usize,
    ) -> Result<Self> {
        let session = snapshot.session();
        let described = session.query_one(sql::DESCRIBE, &[&table.info.oid]).await?;
        let (kind, tuples, pages): (String, f64, f64) =
            (described.get(0), described.get(1), described.get(2));
        let blocks = table.info.blocks;
        let sample = |parts, expected, share, words: &str| Self {
            database: database.clone(),
            snapshot: Arc::clone(&snapshot),
            table: table.clone(),
            lanes,
            parts,
            expected,
            share,
            words: words.to_owned(),
        };
        match (kind.as_str(), size) {
            ("r" | "m", _) => {
                let rows = if tuples >= 0.0 && pages > 0.0 {
                    (tuples / pages * blocks as f64) as u64
                } else {
                    counted(session, &table, COUNTED_BLOCKS * 100.0 / blocks.max(1) as f64).await?
                };
                let wanted = match size {
                    Size::Rows(wanted) if rows > 0 => {
                        (u128::from(wanted) * u128::from(blocks)).div_ceil(u128::from(rows)) as u64
                    }
                    Size::Rows(_) => blocks,
                    Size::Percent(percent) => (blocks as f64 * percent / 100.0).ceil() as u64,
                };
                if wanted >= blocks {
                    let parts = partition::plan(blocks, table.info.bytes, lanes).into_iter().map(whole);
                    return Ok(sample(parts.collect(), rows, None, "all rows"));
                }
                let (runs, share) = (runs(blocks, wanted.max(1)), wanted.max(1) as f64 / blocks as f64);
                Ok(sample(
                    runs,
                    (rows as f64 * share) as u64,
                    Some(share),
                    "runs of blocks all over the table",
                ))
            }
            ("p", _) => {
                let rows = if tuples > 0.0 { tuples as u64 } else { counted(session, &table, 100.0).await? };
                let percent = match size {
                    Size::Rows(wanted) => wanted as f64 * 100.0 / rows.max(1) as f64,
                    Size::Percent(percent) => percent,
                };
                if percent >= 100.0 {
                    return Ok(sample(vec![Rows::All], rows, None, "all rows"));
                }
                let expected = (rows as f64 * percent / 100.0) as u64;
                let words = "blocks of all partitions";
                Ok(sample(vec![Rows::Percent(percent)], expected, Some(percent / 100.0), words))
            }
            (_, Size::Rows(wanted)) => {
                Ok(sample(vec![Rows::First(wanted)], wanted, Some(1.0), "the rows that come first"))
            }
            (_, Size::Percent(_)) => {
                Err(Error::usage(format!("{} has no blocks to choose from", table.info.name))
                    .detail("it is a view or a foreign table")
                    .hint("--rows N reads the rows that come first"))
            }
        }
    }

    /// Reads the rows; each lane takes its batches into a state of its own.
    ///
    /// # Errors
    /// Those of the server.
    pub(super) async fn fold<S: Send + 'static>(
        &self,
        make: impl Fn() -> S,
        take: impl Fn(&mut S, &Batch) + Send + Sync + 'static,
        progress: &Arc<Progress>,
    ) -> Result<Vec<S>> {
        let queue: VecDeque<String> = self
            .parts
            .iter()
            .map(|rows| {
                sql::copy_rows(&self.table.info.name, self.table.id.as_deref(), &self.table.document, *rows)
            })
            .collect();
        let (queue, take) = (Arc::new(Mutex::new(queue)), Arc::new(take));
        let mut lanes = JoinSet::new();
        for _ in 0..self.lanes.min(self.parts.len()).max(1) {
            let reader = self.snapshot.reader(&self.database, "inspect").await?;
            lanes.spawn(lane(reader, Arc::clone(&queue), make(), Arc::clone(&take), Arc::clone(progress)));
        }
        let mut states = Vec::new();
        while let Some(lane) = lanes.join_next().await {
            states.push(
                lane.unwrap_or_else(|error| Err(Error::stop(format!("a lane ended unexpectedly: {error}"))))?,
            );
        }
        Ok(states)
    }
}

/// Reads parts until none is left. The next bytes arrive while a batch is looked at.
async fn lane<S: Send + 'static>(
    reader: Session,
    queue: Arc<Mutex<VecDeque<String>>>,
    mut state: S,
    take: Arc<impl Fn(&mut S, &Batch) + Send + Sync + 'static>,
    progress: Arc<Progress>,
) -> Result<S> {
    loop {
        let next = queue.lock().unwrap_or_else(PoisonError::into_inner).pop_front();
        let Some(statement) = next else { return Ok(state) };
        let mut batches = BatchStream::open(&reader, &statement, 2, BATCH_BYTES).await?;
        while let Some(batch) = batches.next().await? {
            let rows = batch.len() as u64;
            progress.entity(0).read(rows, batch.bytes() as u64);
            let (done, taken) = oneshot::channel();
            let take = Arc::clone(&take);
            rayon::spawn(move || {
                take(&mut state, &batch);
                // Nobody listens any more where the command was stopped.
                let _ = done.send(state);
            });
            state = taken
                .await
                .map_err(|_| Error::stop("a thread that looks at documents has ended unexpectedly"))?;
            progress.entity(0).load(rows, 0);
        }
    }
}

async fn counted(session: &Session, table: &Found, percent: f64) -> Result<u64> {
    session.count(&sql::count_rows(&table.info.name, percent), &[]).await
}

fn whole(partition: Partition) -> Rows {
    match partition {
        Partition::Blocks { from, to } => Rows::Blocks(from, to),
        Partition::Whole | Partition::Ids(_) | Partition::Range(_) => Rows::All,
    }
}

/// Runs of blocks, `wanted` in all, evenly over a table that has more.
fn runs(blocks: u64, wanted: u64) -> Vec<Rows> {
    let count = RUNS.min(wanted);
    // Products of blocks and runs: a table has at most 2^32 blocks.
    let run = |index: u64| {
        let (from, length) = (blocks * index / count, wanted * (index + 1) / count - wanted * index / count);
        Rows::Blocks(from, Some(from + length))
    };
    (0..count).map(run).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn runs_are_apart_and_hold_as_many_blocks_as_were_wanted() {
        for (blocks, wanted) in [(10, 3), (10, 9), (1_000, 999), (80_000, 11_400), (201, 200), (5_000, 1)] {
            let runs = runs(blocks, wanted);
            let (mut sum, mut last) = (0, 0);
            for run in &runs {
                let &Rows::Blocks(from, Some(to)) = run else { panic!("{run:?}") };
                assert!(
                    from >= last && to > from && to <= blocks,
                    "{blocks}, {wanted}: {run:?} behind {last}"
                );
                (sum, last) = (sum + to - from, to);
            }
            assert_eq!(sum, wanted);
        }
    }
}
