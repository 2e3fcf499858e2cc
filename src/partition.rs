//! From the size of a table to the partitions that are read one by one: pure arithmetic.
//!
//! A partition is the unit of work of a reader: a range of blocks, or of ids where the rows are compared
//! with others in their order. There are several for each reader, so that none of them waits long for the
//! last one, and the last is open-ended: blocks that were added after the size was asked hold nothing that
//! the snapshot sees, but being wrong about that would lose rows.

use serde::{Deserialize, Serialize};

/// Some rows of a table.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Partition {
    /// All of them: the table is a view, a foreign or a partitioned table, without ranges of ctid.
    Whole,
    /// Those in the blocks `from..to`; open-ended where `to` is `None`.
    Blocks {
        /// The first block.
        from: u64,
        /// The block behind the last.
        to: Option<u64>,
    },
    /// Those with these ids.
    Ids(Vec<i64>),
    /// Those with an id in a range, in the order of their ids.
    Range(IdRange),
}

/// The ids from one on, and below another; without an end where it is `None`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct IdRange {
    /// The first.
    pub from: Option<i64>,
    /// Behind the last.
    pub to: Option<i64>,
}

impl IdRange {
    /// Whether an id is in it.
    pub fn holds(&self, id: i64) -> bool {
        self.from.is_none_or(|from| id >= from) && self.to.is_none_or(|to| id < to)
    }
}

/// How many bytes of a table, TOAST counted in, a partition should hold. A partition costs one COPY on
/// each connection, under a millisecond; 16 MiB take a backend about 0.2 s to print.
const PARTITION_BYTES: u64 = 16 << 20;

/// The fewest partitions for each reader of a table that has enough blocks.
const PARTITIONS_PER_READER: u64 = 4;

/// How many ids a partition names: what the server looks up by an index in some milliseconds.
const PARTITION_IDS: usize = 2_000;

/// The partitions of a table of `blocks` blocks and `bytes` bytes for a number of readers: of one size,
/// as far as blocks can be shared out, so that it does not matter which comes first.
pub fn plan(blocks: u64, bytes: u64, readers: usize) -> Vec<Partition> {
    let count = count(blocks, bytes, readers);
    (0..count)
        .map(|index| {
            let (from, to) = (blocks * index / count, blocks * (index + 1) / count);
            Partition::Blocks { from, to: (index + 1 < count).then_some(to) }
        })
        .collect()
}

/// How many partitions a table of so many blocks and bytes is worth.
fn count(blocks: u64, bytes: u64, readers: usize) -> u64 {
    let by_size = bytes.div_ceil(PARTITION_BYTES);
    let by_readers = PARTITIONS_PER_READER * readers as u64;
    // A block is the smallest range, and a table of a few blocks is not worth several COPYs.
    by_size.max(by_readers).min(blocks / 8).max(1)
}

/// Ranges of ids for a number of readers, at most `most` of them. The sample, some ids of the table in
/// ascending order, says where the ids lie: how well it does decides how even the ranges are, and nothing
/// else. Together they hold every integer.
pub fn ranges(sample: &[i64], blocks: u64, bytes: u64, readers: usize, most: u64) -> Vec<IdRange> {
    let count = count(blocks, bytes, readers).min(most.max(1)) as usize;
    let mut bounds: Vec<i64> =
        (1..count).filter_map(|place| sample.get(sample.len() * place / count).copied()).collect();
    bounds.dedup();
    let starts = std::iter::once(None).chain(bounds.iter().copied().map(Some));
    let ends = bounds.iter().copied().map(Some).chain([None]);
    starts.zip(ends).map(|(from, to)| IdRange { from, to }).collect()
}

/// The partitions of some rows, known by their ids.
pub fn of_ids(ids: &[i64]) -> Vec<Partition> {
    ids.chunks(PARTITION_IDS).map(|ids| Partition::Ids(ids.to_vec())).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The ranges in the order of the table.
    fn blocks_of(blocks: u64, bytes: u64, readers: usize) -> Vec<(u64, Option<u64>)> {
        let range = |partition| match partition {
            Partition::Blocks { from, to } => (from, to),
            other => panic!("no range: {other:?}"),
        };
        plan(blocks, bytes, readers).into_iter().map(range).collect()
    }

    #[test]
    fn partitions_cover_every_block_once_and_the_last_is_open() {
        for (blocks, bytes, readers) in
            [(0, 0, 2), (1, 8192, 2), (17, 139_264, 1), (80_000, 655 << 20, 2), (9, 4 << 30, 64)]
        {
            let ranges = blocks_of(blocks, bytes, readers);
            assert_eq!(ranges.first().map(|range| range.0), Some(0));
            for pair in ranges.windows(2) {
                assert_eq!(pair[0].1, Some(pair[1].0), "{blocks} blocks");
            }
            assert_eq!(ranges.last().map(|range| range.1), Some(None));
        }
    }

    #[test]
    fn ranges_of_ids_hold_every_integer_once() {
        let range = |from, to| IdRange { from, to };
        assert_eq!(ranges(&[], 80_000, 640 << 20, 2, 99), [range(None, None)]);
        assert_eq!(ranges(&[1, 2, 3, 4], 10_000, 1, 1, 99).len(), 4);
        assert_eq!(
            ranges(&[5, 10, 10, 20], 10_000, 1, 1, 3),
            [range(None, Some(10)), range(Some(10), None)],
            "a bound that stands twice is one"
        );
        let ids: Vec<i64> = (0..1000).collect();
        let many = ranges(&ids, 80_000, 640 << 20, 2, 99);
        assert_eq!(many.len(), 40);
        for pair in many.windows(2) {
            assert_eq!(pair[0].to, pair[1].from);
        }
        assert_eq!((many[0].from, many[39].to), (None, None));
        assert_eq!(ranges(&ids, 80_000, 640 << 20, 2, 2), [range(None, Some(500)), range(Some(500), None)]);
    }

    #[test]
    fn a_large_table_is_cut_by_bytes_and_a_small_one_stays_whole() {
        assert_eq!(plan(80_000, 640 << 20, 2).len(), 40);
        assert_eq!(plan(4_000, 30 << 20, 2).len(), 8);
        assert_eq!(plan(8, 65_536, 2).len(), 1);
    }
}
