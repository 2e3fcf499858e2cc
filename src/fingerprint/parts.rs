//! Blocks in parts: the fingerprints of rows that come in another order than that of their places.
//!
//! A run that reads everything takes the fingerprints with the documents, partition by partition, in the order of
//! the ids or of the places. What a partition has seen of a block is a part of it, a block itself; of the parts
//! of all partitions, one behind the other, [`merged`] makes the block that a scan would have written.

use super::{Block, BlockWriter, Damaged, Fingerprint};

/// How many rows are gathered before their parts are written: 200 kB of them, and as much to sort them. A
/// partition of 16 MiB holds about twice as many participants, and in a table in the order of its ids has a part
/// or two in each of its blocks.
const ROWS: usize = 8 << 10;

/// Gathers fingerprints, and writes them as parts of blocks.
#[derive(Debug, Default)]
pub struct Parts {
    rows: Vec<Fingerprint>,
}

impl Parts {
    /// Takes rows in any order; returns parts once there are enough.
    pub fn add(&mut self, rows: Vec<Fingerprint>) -> Result<Vec<Block>, SeenTwice> {
        if self.rows.is_empty() {
            // Once, and not by doubling.
            self.rows.reserve_exact(ROWS + rows.len());
        }
        self.rows.extend(rows);
        if self.rows.len() < ROWS { Ok(Vec::new()) } else { self.take() }
    }

    /// The parts of the rows that were not written yet.
    pub fn take(&mut self) -> Result<Vec<Block>, SeenTwice> {
        let blocks = write(&mut self.rows);
        self.rows.clear();
        blocks
    }
}

/// Two rows of one snapshot in one place: one was read twice.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SeenTwice;

/// Why parts make no block.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unmerged {
    /// Bytes that are no block.
    Damaged,
    /// The same row is in two of them.
    SeenTwice,
}

impl From<Damaged> for Unmerged {
    fn from(_: Damaged) -> Self {
        Self::Damaged
    }
}

impl From<SeenTwice> for Unmerged {
    fn from(_: SeenTwice) -> Self {
        Self::SeenTwice
    }
}

/// The blocks of parts that ascend by their first pages: for each the one that a scan would have written.
pub fn merged(parts: &[Block]) -> Result<Vec<Block>, Unmerged> {
    let (mut blocks, mut rows) = (Vec::new(), Vec::new());
    for parts in parts.chunk_by(|one, next| one.first_page == next.first_page) {
        if let [whole] = parts {
            blocks.push(whole.clone());
            continue;
        }
        rows.clear();
        for part in parts {
            for row in part.rows()? {
                rows.push(row?);
            }
        }
        blocks.extend(write(&mut rows)?);
    }
    Ok(blocks)
}

/// Writes rows that stand in any order.
fn write(rows: &mut [Fingerprint]) -> Result<Vec<Block>, SeenTwice> {
    // Rows in the order of their ids are nearly in that of their places, which a stable sort makes use of.
    rows.sort_by_key(Fingerprint::place);
    let (mut writer, mut blocks) = (BlockWriter::default(), Vec::new());
    for row in rows {
        blocks.extend(writer.push(*row).map_err(|_| SeenTwice)?);
    }
    blocks.extend(writer.finish());
    Ok(blocks)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::super::PAGES_PER_BLOCK;
    use super::*;

    fn scanned(rows: &[Fingerprint]) -> Vec<Block> {
        let mut writer = BlockWriter::default();
        let mut blocks: Vec<Block> =
            rows.iter().filter_map(|&row| writer.push(row).expect("in order")).collect();
        blocks.extend(writer.finish());
        blocks
    }

    fn part(first_page: u32, rows: &[Fingerprint]) -> Block {
        let block = scanned(rows).remove(0);
        assert_eq!(block.first_page, first_page);
        block
    }

    #[test]
    fn a_row_that_was_read_twice_is_found() {
        let row = |offset| Fingerprint { page: PAGES_PER_BLOCK + 4, offset, id: i64::from(offset), xmin: 7 };
        let mut parts = Parts::default();
        assert_eq!(parts.add(vec![row(2), row(1), row(2)]), Ok(vec![]));
        assert_eq!(parts.take(), Err(SeenTwice));
        let (one, other) =
            (part(PAGES_PER_BLOCK, &[row(1), row(3)]), part(PAGES_PER_BLOCK, &[row(2), row(3)]));
        assert_eq!(merged(&[one.clone(), other]), Err(Unmerged::SeenTwice));
        let bad = Block { bytes: vec![9; 12], ..one.clone() };
        assert_eq!(merged(&[one, bad]), Err(Unmerged::Damaged));
    }

    proptest! {
        #[test]
        fn whatever_the_order_and_the_partitions_the_blocks_are_those_of_a_scan(
            rows in prop::collection::btree_map(
                (0..600_u32, 1..292_u16), (any::<i64>(), prop_oneof![any::<u32>(), 3..9_u32], 0..5_usize), 0..400),
            shuffle in any::<bool>(),
        ) {
            let mut partitions = vec![Vec::new(); 5];
            let mut all = Vec::new();
            for ((page, offset), (id, xmin, partition)) in rows {
                let row = Fingerprint { page, offset, id, xmin };
                all.push(row);
                partitions[partition].push(row);
            }
            let mut parts = Vec::new();
            for mut partition in partitions {
                if shuffle {
                    partition.sort_by_key(|row| row.id);
                }
                let mut written = Parts::default();
                for rows in partition.chunks(30) {
                    parts.extend(written.add(rows.to_vec()).expect("once"));
                }
                parts.extend(written.take().expect("once"));
                prop_assert_eq!(written.take(), Ok(vec![]));
            }
            parts.sort_by_key(|part| part.first_page);
            prop_assert_eq!(merged(&parts), Ok(scanned(&all)));
        }
    }
}
