//! The scan: what V1's rows are now, by id, `xmin` and `ctid`, against the fingerprints that the ledger keeps.
//!
//! ```text
//! source: pages [a,b) ─ a row each ───► blocks of fingerprints ─┐
//!                                                               ├─ equal bytes: nothing to do
//! ledger: blocks of the same pages ─────────────────────────────┘  else: ids that differ, and the new block
//!                                                                        into an unlogged staging table
//! ```
//! A run that reads everything gets the three columns with the documents, which saves the server a second pass
//! over the table: each partition stages what it has seen, [parts](crate::fingerprint::parts) of blocks, and
//! [`Scan::gather`] makes blocks of them when all are there. Measured on 702,072 participants, as stored: the
//! server's CPU of the read is 0.96 s with them and 0.92 s without, that of a scan 0.66 s.
//!
//! Either way what is staged are the blocks that differ from those that are kept, whatever these were worth, so
//! publishing them makes the kept blocks those of the run. Only a `--changed` run asks for the ids. Held are the
//! ids that differ, and the blocks of [`PAGES_PER_QUERY`] pages; a run that would hold more ids than its limit is
//! told so, and reads everything.

use std::collections::{BTreeMap, VecDeque};
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::sync::{Mutex, PoisonError};

use tokio::sync::OnceCell;

use crate::error::{Error, Result};
use crate::fingerprint::parts::{Parts, SeenTwice, Unmerged, merged};
use crate::fingerprint::{Block, BlockWriter, Differences, Fingerprint, PAGES_PER_BLOCK};
use crate::name::TableName;
use crate::partition::IdRange;
use crate::pg::fingerprint::{BLOCK_COLUMNS, SCAN_SETTINGS, create_blocks, scan};
use crate::pg::{BatchStream, Loader, Session, TableInfo, sql};
use crate::pgcopy::{Batch, RowBuffer};

/// The pages that one query asks for: with more than these a small table keeps no second lane busy.
const PAGES_PER_QUERY: u32 = 16 * PAGES_PER_BLOCK;

/// Rows are taken when they are so many bytes, some two thousand.
const BATCH_BYTES: usize = 64 << 10;

/// Staged blocks are sent when they are so many bytes.
const STAGED_BYTES: usize = 256 << 10;

/// The scan of one table, shared by the lanes that do it.
pub struct Scan {
    entity: String,
    table: TableInfo,
    id: String,
    staging: TableName,
    /// How many ids may differ before nobody wants to know them.
    limit: u64,
    /// What the rows are compared with instead of what is kept, and which of them.
    earlier: Option<Earlier>,
    queue: Mutex<VecDeque<Range>>,
    differing: AtomicU64,
    created: OnceCell<()>,
    found: Mutex<Found>,
}

/// What a run has scanned that died before it could keep it.
#[derive(Clone, Debug)]
pub struct Earlier {
    /// Where its blocks are.
    pub blocks: EarlierBlocks,
    /// Which rows are asked for.
    pub within: Within,
}

/// The blocks of a run that died.
#[derive(Clone, Debug)]
pub enum EarlierBlocks {
    /// Those that the ledger keeps.
    Kept,
    /// The same, with those of a table, which differ, in their place.
    Differing(TableName),
    /// Parts of them, of the rows that are asked for alone.
    Parts(TableName),
}

/// Bounds of rows.
#[derive(Clone, Debug)]
pub enum Within {
    /// By the pages that they stand in: from one to before another.
    Pages(Vec<(u64, Option<u64>)>),
    /// By their ids.
    Ids(Vec<IdRange>),
}

impl Within {
    fn holds(&self, row: &Fingerprint) -> bool {
        match self {
            Self::Pages(ranges) => {
                let page = u64::from(row.page);
                ranges.iter().any(|(from, to)| page >= *from && to.is_none_or(|to| page < to))
            }
            Self::Ids(ranges) => ranges.iter().any(|range| range.holds(row.id)),
        }
    }
}

/// Pages from one to before another; to the end of the table where there is no other.
type Range = (u32, Option<u32>);

/// What a scan has found.
#[derive(Debug, Default)]
pub struct Found {
    /// Rows that the snapshot sees.
    pub rows: u64,
    /// The ids that differ; not all of them where they are too many.
    pub differences: Differences,
    /// Whether more ids differ than the limit.
    pub too_many: bool,
    /// Blocks in the staging table; where there are none, there is no such table.
    pub staged: u64,
    /// Whether a kept block was no block.
    pub damaged: bool,
    /// Why no fingerprints can be kept.
    pub unusable: Option<&'static str>,
}

impl Scan {
    /// The scan of a table's rows, whose ids are in the column `id`.
    pub fn new(entity: &str, table: &TableInfo, id: &str, staging: &TableName, limit: u64) -> Self {
        Self {
            entity: entity.to_owned(),
            table: table.clone(),
            id: id.to_owned(),
            staging: staging.clone(),
            limit,
            earlier: None,
            queue: Mutex::new(ranges(table.blocks)),
            differing: AtomicU64::new(0),
            created: OnceCell::new(),
            found: Mutex::new(Found::default()),
        }
    }

    /// Asks for the ids that differ from what an earlier run has scanned, of some rows alone.
    #[must_use]
    pub fn since(self, earlier: Earlier) -> Self {
        Self { earlier: Some(earlier), ..self }
    }

    /// How many lanes have something to do.
    pub fn lanes(&self, most: usize) -> usize {
        self.queue.lock().unwrap_or_else(PoisonError::into_inner).len().clamp(1, most)
    }

    /// Whether a range is left.
    pub fn has_work(&self) -> bool {
        !self.queue.lock().unwrap_or_else(PoisonError::into_inner).is_empty()
    }

    /// Scans ranges until none is left. `reader` sees the snapshot of the run; `ledger` is a session of this
    /// lane's own on the target.
    pub async fn lane(&self, reader: &Session, ledger: &Session) -> Result<()> {
        reader.batch(SCAN_SETTINGS).await?;
        self.compare_all(Rows::Scanned(reader), ledger).await
    }

    /// Takes what came with the documents instead: the parts in the table `seen`, as `reader` sees it. Whoever
    /// calls it does so alone.
    pub async fn gather(&self, reader: &Session, seen: &TableName, ledger: &Session) -> Result<()> {
        self.compare_all(Rows::Seen(Box::new(Seen::open(reader, seen).await?)), ledger).await
    }

    /// Compares range after range with what is kept.
    async fn compare_all(&self, mut rows: Rows<'_>, ledger: &Session) -> Result<()> {
        // Staging is thrown away with the run: its commits need not reach the disk.
        ledger.batch("SET synchronous_commit = off").await?;
        let mut found = Found::default();
        let mut changed = RowBuffer::default();
        while let Some(range) = self.next() {
            let now = async {
                match &mut rows {
                    Rows::Scanned(reader) => self.blocks(reader, range).await,
                    Rows::Seen(seen) => seen.before(range.1).await.map(Ok),
                }
            };
            let (blocks, kept) = tokio::try_join!(now, self.kept_blocks(ledger, range))?;
            match blocks {
                Ok(blocks) => {
                    self.compare(&kept, &blocks, &mut found, &mut changed);
                    // What came with the rows is not asked for: an entity that is resumed has scanned before.
                    let earlier = self.earlier.as_ref().filter(|_| matches!(rows, Rows::Scanned(_)));
                    if let Some(earlier) = earlier {
                        let before = self.earlier_blocks(ledger, earlier, kept, range).await?;
                        self.ask(earlier, &before, &blocks, &mut found);
                    }
                }
                Err(reason) => {
                    found.unusable = Some(reason);
                    self.queue.lock().unwrap_or_else(PoisonError::into_inner).clear();
                }
            }
            if changed.len() >= STAGED_BYTES {
                self.stage(ledger, &mut changed).await?;
            }
        }
        self.stage(ledger, &mut changed).await?;
        let mut all = self.found.lock().unwrap_or_else(PoisonError::into_inner);
        all.rows += found.rows;
        all.staged += found.staged;
        all.damaged |= found.damaged;
        all.too_many |= found.too_many;
        all.unusable = all.unusable.or(found.unusable);
        all.differences.append(found.differences);
        Ok(())
    }

    /// What all lanes have found; nothing of it is there afterwards.
    pub fn take_found(&self) -> Found {
        let mut found = std::mem::take(&mut *self.found.lock().unwrap_or_else(PoisonError::into_inner));
        found.too_many |= self.differing.load(Relaxed) > self.limit;
        found
    }

    fn next(&self) -> Option<Range> {
        self.queue.lock().unwrap_or_else(PoisonError::into_inner).pop_front()
    }

    /// The blocks of a range as they are now; `Err` where its rows cannot be kept.
    async fn blocks(&self, reader: &Session, (from, to): Range) -> Result<Result<Vec<Block>, &'static str>> {
        let query = scan(&self.table, &self.id, from, to);
        let mut stream = BatchStream::open(reader, &query, 3, BATCH_BYTES).await?;
        let (mut writer, mut blocks) = (BlockWriter::default(), Vec::new());
        while let Some(batch) = stream.next().await? {
            if let Err(reason) = write_blocks(&batch, &mut writer, &mut blocks) {
                return Ok(Err(reason));
            }
        }
        blocks.extend(writer.finish());
        Ok(Ok(blocks))
    }

    /// The blocks of a range that the ledger keeps.
    async fn kept_blocks(&self, ledger: &Session, (from, to): Range) -> Result<Vec<Block>> {
        let rows = ledger
            .query(
                "SELECT first_page, rows, bytes FROM xdoflow.fingerprint_blocks
                 WHERE entity = $1 AND first_page >= $2 AND first_page < $3 ORDER BY first_page",
                &[&self.entity, &i64::from(from), &to.map_or(i64::MAX, i64::from)],
            )
            .await?;
        let block = |row: &_| block_of(row).ok_or_else(|| strange_ledger(&self.entity));
        rows.iter().map(block).collect()
    }

    /// The blocks of a range as an earlier run has scanned them.
    async fn earlier_blocks(
        &self,
        ledger: &Session,
        earlier: &Earlier,
        kept: Vec<Block>,
        (from, to): Range,
    ) -> Result<Vec<Block>> {
        let of_table = async |table: &TableName| {
            let sql = format!(
                "SELECT first_page, rows, bytes FROM {} WHERE first_page >= $1 AND first_page < $2
                 ORDER BY first_page",
                table.quoted()
            );
            let rows = ledger.query(&sql, &[&i64::from(from), &to.map_or(i64::MAX, i64::from)]).await?;
            let block = |row: &_| block_of(row).ok_or_else(|| strange_ledger(&self.entity));
            rows.iter().map(block).collect::<Result<Vec<Block>>>()
        };
        match &earlier.blocks {
            EarlierBlocks::Kept => Ok(kept),
            EarlierBlocks::Parts(table) => merged(&of_table(table).await?).map_err(unmerged),
            EarlierBlocks::Differing(table) => {
                let mut blocks: BTreeMap<u32, Block> =
                    kept.into_iter().map(|block| (block.first_page, block)).collect();
                for block in of_table(table).await? {
                    if block.rows == 0 {
                        blocks.remove(&block.first_page);
                    } else {
                        blocks.insert(block.first_page, block);
                    }
                }
                Ok(blocks.into_values().collect())
            }
        }
    }

    /// Notes the ids that differ from an earlier scan of a range.
    fn ask(&self, earlier: &Earlier, before: &[Block], blocks: &[Block], found: &mut Found) {
        for (was, is) in pairs(before, blocks) {
            if was.map(|block| &block.bytes) == is.map(|block| &block.bytes)
                || self.differing.load(Relaxed) > self.limit
            {
                continue;
            }
            let mut differences = Differences::default();
            found.damaged |= differences.add_within(was, is, |row| earlier.within.holds(row)).is_err();
            self.differing.fetch_add(differences.new.len().max(differences.old.len()) as u64, Relaxed);
            found.differences.append(differences);
        }
    }

    /// Compares the kept blocks of a range with those that are; both ascend.
    fn compare(&self, kept: &[Block], blocks: &[Block], found: &mut Found, changed: &mut RowBuffer) {
        for (was, is) in pairs(kept, blocks) {
            found.rows += is.map_or(0, |block| u64::from(block.rows));
            if was.map(|block| &block.bytes) == is.map(|block| &block.bytes) {
                continue;
            }
            let first_page = was.or(is).map_or(0, |block| block.first_page);
            push_block(changed, first_page, is);
            found.staged += 1;
            if self.earlier.is_some() {
                continue;
            }
            if self.differing.load(Relaxed) > self.limit {
                found.too_many = true;
                continue;
            }
            let mut differences = Differences::default();
            // A block that was written here a moment ago is good.
            found.damaged |= differences.add(was, is).is_err();
            self.differing.fetch_add(differences.new.len().max(differences.old.len()) as u64, Relaxed);
            found.differences.append(differences);
        }
    }

    async fn stage(&self, ledger: &Session, changed: &mut RowBuffer) -> Result<()> {
        if changed.is_empty() {
            return Ok(());
        }
        let create = create_blocks(&self.staging);
        self.created.get_or_try_init(|| ledger.batch(&create)).await?;
        let mut loader = Loader::open(ledger, &sql::copy_into(&self.staging, BLOCK_COLUMNS)).await?;
        loader.send(std::mem::take(changed)).await?;
        loader.finish().await?;
        Ok(())
    }
}

/// Where the fingerprints of now come from.
enum Rows<'s> {
    /// Asked for, range by range.
    Scanned(&'s Session),
    /// They came with the documents.
    Seen(Box<Seen>),
}

/// The parts of blocks that came with the documents, in the order of their pages.
struct Seen {
    stream: BatchStream,
    /// Parts that are of no range that was asked for yet.
    ahead: VecDeque<Block>,
}

impl Seen {
    async fn open(reader: &Session, table: &TableName) -> Result<Self> {
        let sql = format!(
            "COPY (SELECT {} FROM {} ORDER BY first_page) TO STDOUT (FORMAT binary)",
            BLOCK_COLUMNS.join(", "),
            table.quoted()
        );
        let stream = BatchStream::open(reader, &sql, BLOCK_COLUMNS.len(), BATCH_BYTES).await?;
        Ok(Self { stream, ahead: VecDeque::new() })
    }

    /// The blocks before a page, or all, of those that were not asked for before.
    async fn before(&mut self, to: Option<u32>) -> Result<Vec<Block>> {
        let is_behind = |block: &Block| to.is_some_and(|to| block.first_page >= to);
        while !self.ahead.back().is_some_and(is_behind) {
            let Some(batch) = self.stream.next().await? else { break };
            for mut tuple in batch.tuples() {
                let mut field = || tuple.next().flatten();
                let part = (|| {
                    let first_page = i64::from_be_bytes(field()?.try_into().ok()?);
                    let rows = u32::from_be_bytes(field()?.try_into().ok()?);
                    Some(Block { first_page: first_page.try_into().ok()?, rows, bytes: field()?.to_vec() })
                })();
                self.ahead.push_back(part.ok_or_else(|| unmerged(Unmerged::Damaged))?);
            }
        }
        let count = self.ahead.iter().take_while(|block| !is_behind(block)).count();
        merged(&self.ahead.drain(..count).collect::<Vec<_>>()).map_err(unmerged)
    }
}

fn unmerged(why: Unmerged) -> Error {
    match why {
        Unmerged::Damaged => Error::stop("a staging table does not hold the fingerprints that were sent")
            .hint("somebody has changed it; run again"),
        Unmerged::SeenTwice => seen_twice(),
    }
}

fn seen_twice() -> Error {
    Error::stop("V1 gave a row twice under one snapshot").hint(
        "an index of the source may be damaged: see what amcheck says of it, or REINDEX it, and run again",
    )
}

/// Rows for the table of parts: those that a partition has seen so far, once they are enough.
pub fn add_seen(parts: &mut Parts, rows: Vec<Fingerprint>) -> Result<RowBuffer> {
    part_rows(parts.add(rows))
}

/// Rows for the table of parts: what is left of a partition.
pub fn end_seen(parts: &mut Parts) -> Result<RowBuffer> {
    part_rows(parts.take())
}

fn part_rows(blocks: Result<Vec<Block>, SeenTwice>) -> Result<RowBuffer> {
    let mut rows = RowBuffer::default();
    for block in blocks.map_err(|SeenTwice| seen_twice())? {
        push_block(&mut rows, block.first_page, Some(&block));
    }
    Ok(rows)
}

/// The blocks of two lists, both ascending, those of the same pages together.
fn pairs<'b>(
    one: &'b [Block],
    other: &'b [Block],
) -> impl Iterator<Item = (Option<&'b Block>, Option<&'b Block>)> {
    let (mut one, mut other) = (one.iter().peekable(), other.iter().peekable());
    std::iter::from_fn(move || {
        let first_page = match (one.peek(), other.peek()) {
            (None, None) => return None,
            (Some(block), None) | (None, Some(block)) => block.first_page,
            (Some(one), Some(other)) => one.first_page.min(other.first_page),
        };
        Some((
            one.next_if(|block| block.first_page == first_page),
            other.next_if(|block| block.first_page == first_page),
        ))
    })
}

/// The ranges of a table of so many pages. Pages that were added since are in the last one.
fn ranges(pages: u64) -> VecDeque<Range> {
    let pages = u32::try_from(pages).unwrap_or(u32::MAX);
    let starts: Vec<u32> = (0..pages.max(1)).step_by(PAGES_PER_QUERY as usize).collect();
    starts.iter().enumerate().map(|(index, &from)| (from, starts.get(index + 1).copied())).collect()
}

/// Writes the rows of a batch, and adds the blocks that are whole.
fn write_blocks(
    batch: &Batch,
    writer: &mut BlockWriter,
    blocks: &mut Vec<Block>,
) -> Result<(), &'static str> {
    for mut tuple in batch.tuples() {
        let id = tuple.next().flatten().ok_or("a row of the source has no id")?;
        let row = id
            .try_into()
            .ok()
            .map(i64::from_be_bytes)
            .and_then(|id| Fingerprint::of(id, tuple.next().flatten()?, tuple.next().flatten()?));
        let row = row.ok_or("the source's rows have no xmin and ctid")?;
        blocks.extend(writer.push(row).map_err(|_| "the source's rows do not come in their order")?);
    }
    Ok(())
}

fn push_block(buffer: &mut RowBuffer, first_page: u32, block: Option<&Block>) {
    buffer.begin_row(BLOCK_COLUMNS.len() as u16);
    buffer.field(&i64::from(first_page).to_be_bytes());
    // A page holds some hundred rows at most.
    buffer.field(&block.map_or(0, |block| block.rows).to_be_bytes());
    buffer.field(block.map_or(&[], |block| &block.bytes));
    buffer.end_row();
}

fn block_of(row: &crate::pg::Row) -> Option<Block> {
    let first_page = u32::try_from(row.get::<_, i64>(0)).ok()?;
    Some(Block { first_page, rows: u32::try_from(row.get::<_, i32>(1)).ok()?, bytes: row.get(2) })
}

fn strange_ledger(entity: &str) -> Error {
    Error::stop(format!("the fingerprints of {entity} in the target database have impossible numbers"))
        .hint("somebody has changed them; delete them: TRUNCATE xdoflow.fingerprint_blocks")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ranges_cover_every_page_once_begin_at_a_block_and_the_last_is_open() {
        for pages in [0, 1, 2_047, 2_048, 2_049, 87_351] {
            let ranges: Vec<Range> = ranges(pages).into();
            assert_eq!(ranges[0].0, 0);
            for pair in ranges.windows(2) {
                assert_eq!(pair[0].1, Some(pair[1].0));
                assert_eq!(pair[1].0 % PAGES_PER_BLOCK, 0);
            }
            assert_eq!(ranges[ranges.len() - 1].1, None);
            assert!(ranges.len() as u64 <= pages.div_ceil(2_048).max(1));
        }
    }
}
