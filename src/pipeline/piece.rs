//! A piece of an entity, copied until it is there, once: the unit of work, and of trying again.
//!
//! What a piece brings is staged in one transaction, together with a row that says so, and counts only when that
//! transaction is committed. So a piece of which a connection was lost can be copied again: its rows are gone with
//! the transaction. Where the commit itself was under way, nobody knows what became of it; then the sessions of
//! the lane are ended first, and the row is looked for.
//!
//! ```text
//! copy_partition ─► commit ─► absorb
//!       │ lost        │ lost
//!       ▼             ▼
//!   end the sessions of the lane ─► does the run still stand? ─► wait ─► is the piece there? ─ yes ─► absorb
//!                                                                              └ no ─► copy it again
//! ```
//! What is loaded directly cannot be tried again: all of it is one transaction, and that is gone. Nor can a run
//! that lost its snapshot or its lock on the entity.

use std::collections::VecDeque;
use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;
use std::time::Duration;

use futures::future::join_all;
use serde::{Deserialize, Serialize};
use tokio::sync::{OwnedSemaphorePermit, watch};

use super::copy_partition;
use super::entity::{EntityRun, lock};
use crate::error::{Error, Fate, Result};
use crate::fingerprint::parts::Parts;
use crate::partition::Partition;
use crate::pg::{Session, Side};
use crate::stage::load::Writer;
use crate::stage::pieces;
use crate::stage::transform::IN_FLIGHT_PER_LANE;
use crate::transform::Tally;
use crate::transform::closure::{Edge, Edges};

/// How long to wait before each further try, in milliseconds: together half a minute, in which a server that is
/// restarted, or a standby that is promoted, takes connections again.
const WAITS_MS: [u64; 6] = [100, 400, 1_500, 4_000, 8_000, 16_000];

/// SQLSTATE of a server that takes no more connections.
const TOO_MANY_CONNECTIONS: &str = "53300";

/// A piece of work for a lane.
#[derive(Clone)]
pub(super) struct Piece {
    /// Its number within the entity.
    pub(super) number: i32,
    pub(super) partition: Partition,
    /// Which of the ranges it is, where anything is compared; `None` for rows that are fetched by their ids.
    pub(super) range: Option<usize>,
    /// Whether it was read before, and only what became of V2 since is of interest.
    pub(super) again: bool,
}

/// The pieces of an entity that wait, and how many lanes take them.
pub(super) struct Queue {
    pieces: VecDeque<Piece>,
    /// Lanes that will ask for another piece.
    working: usize,
    /// Whether a lane has found nothing left.
    drained: watch::Sender<bool>,
}

impl Queue {
    pub(super) fn new(pieces: impl IntoIterator<Item = Piece>) -> Self {
        Self { pieces: pieces.into_iter().collect(), working: 0, drained: watch::Sender::new(false) }
    }

    /// How many pieces wait.
    pub(super) fn len(&self) -> usize {
        self.pieces.len()
    }

    fn begin(&mut self) {
        self.working += 1;
    }

    /// The next piece; `None` ends the lane.
    fn next(&mut self) -> Option<Piece> {
        let next = self.pieces.pop_front();
        if next.is_none() {
            self.working -= 1;
            self.drained.send_replace(true);
        }
        next
    }

    /// Ends a lane that cannot copy a piece; false where no other lane would take it.
    fn give_back(&mut self, piece: &Piece) -> bool {
        if self.working == 1 {
            return false;
        }
        self.pieces.push_front(piece.clone());
        self.working -= 1;
        true
    }
}

/// The connections of a lane.
pub(super) struct Lane {
    /// To V1.
    pub(super) reader: Session,
    /// To read each target back that is compared.
    pub(super) back: Vec<Option<Session>>,
    /// To load; `None` where the entity's direct writer does.
    pub(super) writer: Option<Writer>,
}

/// What a piece has brought; it counts once it is committed.
pub(super) struct Brought {
    /// Rows and bytes read.
    pub(super) rows: u64,
    pub(super) bytes: u64,
    /// What was told of it to whoever watches, besides.
    pub(super) told: Told,
    /// Of the program, then of the derived targets.
    pub(super) tallies: Vec<Tally>,
    /// For each derived target.
    pub(super) edges: Vec<Vec<Edge>>,
    /// For each target, rows staged, rows listed as gone, and rows that were looked at.
    pub(super) staged: Vec<u64>,
    pub(super) listed: Vec<u64>,
    pub(super) looked_at: Vec<Option<u64>>,
    /// Fingerprints that were not staged yet.
    pub(super) seen: Parts,
}

/// Counts of the progress.
#[derive(Default)]
pub(super) struct Told {
    pub(super) rows: u64,
    pub(super) bytes: u64,
    pub(super) rejects: u64,
}

/// What became of a try.
enum Attempt {
    Done,
    /// Nothing of it is there.
    Failed(Error),
    /// It may be there.
    InDoubt(Error, Box<Brought>),
}

impl Lane {
    /// Gives its connections back, after the last piece.
    async fn release(self) {
        let Self { reader, back, writer } = self;
        join_all(back.into_iter().flatten().chain([reader]).map(Session::release_reader)).await;
        if let Some(writer) = writer {
            writer.into_session().release();
        }
    }

    /// The server's processes of its sessions, by their side.
    fn pids(&self, side: Side) -> Vec<i32> {
        match side {
            Side::Source => vec![self.reader.pid()],
            Side::Target => {
                let back = self.back.iter().flatten().map(Session::pid);
                back.chain(self.writer.iter().map(|writer| writer.session().pid())).collect()
            }
        }
    }
}

impl EntityRun {
    /// Joins in as a lane as soon as one is free, unless nothing is left to be done by then.
    pub(super) async fn join_in(self: Arc<Self>) -> Result<()> {
        let mut drained = lock(&self.queue).drained.subscribe();
        let permit = tokio::select! {
            permit = self.run.free_lane() => permit?,
            // The sender lives as long as the entity.
            _ = drained.wait_for(|drained| *drained) => return Ok(()),
        };
        self.lane(permit).await
    }

    /// Copies pieces until none is left.
    pub(super) async fn lane(self: Arc<Self>, _permit: OwnedSemaphorePermit) -> Result<()> {
        lock(&self.queue).begin();
        let clocks = Arc::clone(self.clocks());
        let _at_work = clocks.lane(IN_FLIGHT_PER_LANE);
        let mut lane = None;
        loop {
            let next = lock(&self.queue).next();
            let Some(piece) = next else { break };
            match self.attempt(&mut lane, &piece).await {
                Attempt::Done => {}
                Attempt::Failed(error) => {
                    // The lanes that have their connections do the work, and the entity takes a little longer.
                    if is_full(&error) && lock(&self.queue).give_back(&piece) {
                        return Ok(());
                    }
                    self.copy_again(&mut lane, &piece, error, None).await?;
                }
                Attempt::InDoubt(error, brought) => {
                    self.copy_again(&mut lane, &piece, error, Some(brought)).await?;
                }
            }
        }
        if let Some(lane) = lane {
            lane.release().await;
        }
        Ok(())
    }

    /// Copies a piece again that has met an error; `in_doubt` is what it brought, where that may be committed.
    async fn copy_again(
        &self,
        lane: &mut Option<Lane>,
        piece: &Piece,
        mut error: Error,
        mut in_doubt: Option<Box<Brought>>,
    ) -> Result<()> {
        let progress = &self.run.job.progress;
        let mut broken: Vec<(Side, Vec<i32>)> = Vec::new();
        for (tries, wait) in WAITS_MS.into_iter().enumerate() {
            if let Some(lane) = lane.take() {
                broken.extend([Side::Source, Side::Target].map(|side| (side, lane.pids(side))));
            }
            if error.fate() != Fate::Retry || self.is_direct() {
                return Err(error);
            }
            progress.tell(format!(
                "{}: a partition is tried again, {} of {}: {}",
                self.plan.entity,
                tries + 1,
                WAITS_MS.len(),
                error.message()
            ));
            tokio::time::sleep(Duration::from_millis(wait)).await;
            let there = match self.settle(&mut broken, piece, in_doubt.is_some()).await {
                Ok(there) => there,
                Err(next) if next.fate() == Fate::Retry => {
                    error = next;
                    continue;
                }
                Err(stop) => return Err(stop),
            };
            if let Some(brought) = in_doubt.take() {
                if there {
                    self.absorb(piece, *brought);
                    return Ok(());
                }
                self.take_back(&brought);
            }
            match self.attempt(lane, piece).await {
                Attempt::Done => return Ok(()),
                Attempt::Failed(next) => error = next,
                Attempt::InDoubt(next, brought) => (error, in_doubt) = (next, Some(brought)),
            }
        }
        Err(error.more_detail(format!("tried {} times", WAITS_MS.len() + 1)))
    }

    /// Ends what is left of a lane that lost a connection, and finds out whether the run can go on, and, where
    /// it is asked, whether the piece was committed.
    async fn settle(&self, broken: &mut Vec<(Side, Vec<i32>)>, piece: &Piece, asked: bool) -> Result<bool> {
        let job = &self.run.job;
        while let Some((side, pids)) = broken.last() {
            match side {
                Side::Source => job.source.end(pids).await?,
                Side::Target => job.target.end(pids).await?,
            }
            broken.pop();
        }
        self.check_standing().await?;
        if !asked {
            return Ok(false);
        }
        let session = job.target.connect("look for a partition").await?;
        pieces::has(&session, &self.staging.pieces, piece.number).await
    }

    /// Whether what the whole run rests on is still there.
    pub(super) async fn check_standing(&self) -> Result<()> {
        self.ledger.check().await?;
        self.snapshot.check().await?;
        match &self.image {
            Some(image) => image.check().await,
            None => Ok(()),
        }
    }

    async fn attempt(&self, lane: &mut Option<Lane>, piece: &Piece) -> Attempt {
        let lane = match lane {
            Some(lane) => lane,
            none => match self.open_lane(self.image.as_ref()).await {
                Ok(opened) => none.insert(opened),
                Err(error) => return Attempt::Failed(error),
            },
        };
        let mut brought = Brought::nothing(self);
        if let Err(error) = copy_partition(self, lane, piece, &mut brought).await {
            self.take_back(&brought);
            return Attempt::Failed(error);
        }
        match &mut lane.writer {
            None => {}
            Some(writer) => {
                let commit = match brought.note() {
                    Ok((text, edges)) => {
                        pieces::note_and_commit(&self.staging.pieces, piece.number, &text, &edges)
                    }
                    Err(error) => return Attempt::Failed(error),
                };
                if let Err(error) = writer.commit(&commit).await {
                    return Attempt::InDoubt(error, Box::new(brought));
                }
            }
        }
        self.absorb(piece, brought);
        Attempt::Done
    }

    /// Copies a piece once, for the publish, which cannot be tried again.
    pub(super) async fn copy_once(&self, lane: &mut Lane, piece: &Piece) -> Result<()> {
        let mut brought = Brought::nothing(self);
        copy_partition(self, lane, piece, &mut brought).await?;
        if let Some(writer) = &mut lane.writer {
            writer.commit("COMMIT").await?;
        }
        self.absorb(piece, brought);
        Ok(())
    }

    /// Adds what a piece has brought to what is known of the entity.
    pub(super) fn absorb(&self, piece: &Piece, brought: Brought) {
        if !piece.again {
            self.rows_read.fetch_add(brought.rows, Relaxed);
        }
        for (mine, theirs) in lock(&self.tallies).iter_mut().zip(&brought.tallies) {
            mine.merge(theirs);
        }
        for (mine, found) in lock(&self.edges).iter_mut().zip(brought.edges) {
            found.into_iter().for_each(|edge| mine.push(edge));
        }
        for (all, these) in [(&self.staged, &brought.staged), (&self.listed, &brought.listed)] {
            for (all, these) in all.iter().zip(these) {
                all.fetch_add(*these, Relaxed);
            }
        }
        for (compared, looked_at) in self.compared.iter().zip(&brought.looked_at) {
            if let (Some(compared), Some(rows), Some(range)) = (compared, looked_at, piece.range) {
                compared.looked_at[range].store(*rows, Relaxed);
            }
        }
    }

    /// Tells whoever watches that a piece has brought nothing after all.
    fn take_back(&self, brought: &Brought) {
        let progress = self.run.job.progress.entity(self.plan.index);
        progress.take_back_read(brought.rows, brought.bytes);
        let Told { rows, bytes, rejects } = brought.told;
        progress.take_back_load(rows, bytes, rejects);
    }
}

impl Brought {
    pub(super) fn nothing(entity: &EntityRun) -> Self {
        let targets = entity.plan.targets.len();
        Self {
            rows: 0,
            bytes: 0,
            told: Told::default(),
            tallies: entity.plan.tallies(),
            edges: vec![Vec::new(); entity.plan.derived.len()],
            staged: vec![0; targets],
            listed: vec![0; targets],
            looked_at: vec![None; targets],
            seen: Parts::default(),
        }
    }
}

/// What is noted of a piece with its rows.
#[derive(Serialize, Deserialize)]
struct Noted {
    rows: u64,
    tallies: Vec<Tally>,
    staged: Vec<u64>,
    listed: Vec<u64>,
    looked_at: Vec<Option<u64>>,
    /// For each derived target, how many of the blocks of edges are its.
    edges: Vec<usize>,
}

impl Brought {
    /// As it is noted: a text, and the edges.
    fn note(&self) -> Result<(String, Vec<Vec<u8>>)> {
        let packed = self.edges.iter().map(|edges| {
            let mut packed = Edges::default();
            edges.iter().for_each(|edge| packed.push(*edge));
            packed.into_blocks()
        });
        let packed: Vec<Vec<Vec<u8>>> = packed.collect();
        let noted = Noted {
            rows: self.rows,
            tallies: self.tallies.clone(),
            staged: self.staged.clone(),
            listed: self.listed.clone(),
            looked_at: self.looked_at.clone(),
            edges: packed.iter().map(Vec::len).collect(),
        };
        let text = serde_json::to_string(&noted)
            .map_err(|error| Error::stop(format!("cannot note what a partition brought: {error}")))?;
        Ok((text, packed.into_iter().flatten().collect()))
    }

    /// From what was noted; `None` where that cannot be read.
    pub(super) fn of_note(note: &pieces::Note) -> Option<Self> {
        let noted: Noted = serde_json::from_str(&note.text).ok()?;
        let mut blocks = note.edges.iter().cloned();
        let mut edges = Vec::new();
        for count in &noted.edges {
            let mut found = Vec::new();
            let packed = Edges::of_blocks(blocks.by_ref().take(*count).collect());
            packed.each(|edge| found.push(edge)).ok()?;
            edges.push(found);
        }
        let Noted { rows, tallies, staged, listed, looked_at, .. } = noted;
        let (told, seen) = (Told::default(), Parts::default());
        Some(Self { rows, bytes: 0, told, tallies, edges, staged, listed, looked_at, seen })
    }
}

fn is_full(error: &Error) -> bool {
    error.code() == Some(TOO_MANY_CONNECTIONS)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_piece_that_is_given_back_has_a_lane_that_will_ask_for_it() {
        let piece = |number| Piece { number, partition: Partition::Whole, range: None, again: false };
        let mut queue = Queue::new([piece(1), piece(2)]);
        queue.begin();
        queue.begin();
        let (one, two) = (queue.next().expect("a piece"), queue.next().expect("a piece"));
        assert_eq!((one.number, two.number, queue.len()), (1, 2, 0));
        assert!(!*queue.drained.borrow());
        // The first lane ends without another piece: the second is the last, and keeps what it has.
        assert!(queue.next().is_none() && *queue.drained.borrow());
        assert!(!queue.give_back(&two));

        let mut queue = Queue::new([piece(1)]);
        queue.begin();
        queue.begin();
        let one = queue.next().expect("a piece");
        assert!(queue.give_back(&one), "the other lane has not asked yet");
        assert_eq!(queue.next().expect("the piece").number, 1);
        assert!(!queue.give_back(&one), "no other lane is left");
    }
}
