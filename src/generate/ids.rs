//! Sparse ids: which id the row at an index has.
//!
//! In the field ids have holes, unevenly: 335 users reach id 708. An id is its index plus the number of
//! ids missing before it, and that number must be found without walking the rows, so that any row can
//! be made first. So rows stand in blocks of [`BLOCK`]; the ids missing before a block are the even
//! share plus a jitter of at most half a block's share (so they never fall), and within a block half of
//! them are missing in one hole at a random place, the rest evenly.

use super::rng::{Purpose, hash, scale};

/// Rows per block; small enough that a table of a few hundred rows has several.
const BLOCK: u64 = 64;

/// The ids of one table: strictly increasing with the index, from 1 to a given last id.
#[derive(Debug)]
pub(super) struct Ids {
    seed: u64,
    rows: u64,
    missing: u64,
}

impl Ids {
    /// The ids of `rows` rows, the last of which has the id `last_id`, at least `rows`.
    pub(super) fn new(seed: u64, rows: u64, last_id: u64) -> Self {
        Self { seed, rows, missing: last_id.saturating_sub(rows) }
    }

    /// The id of the row at `index`, which is less than the number of rows.
    pub(super) fn id(&self, index: u64) -> i64 {
        (1 + index + self.missing_before(index)) as i64
    }

    /// An id that no row has, above all ids.
    pub(super) fn dangling(&self, bits: u64) -> i64 {
        (self.rows + self.missing + 1 + scale(bits, 1000)) as i64
    }

    /// The number of rows.
    pub(super) fn rows(&self) -> u64 {
        self.rows
    }

    fn missing_before(&self, index: u64) -> u64 {
        let last = self.rows.saturating_sub(1);
        if index >= last {
            return self.missing;
        }
        let block = index / BLOCK;
        let (start, end) = (block * BLOCK, ((block + 1) * BLOCK).min(last));
        let at_start = self.anchor(start);
        let within = self.anchor(end).saturating_sub(at_start);
        let hole = start + 1 + scale(hash(self.seed, Purpose::Hole, block), end - start);
        let in_hole = if index >= hole { within / 2 } else { 0 };
        at_start + (within - within / 2) * (index - start) / (end - start) + in_hole
    }

    /// The ids missing before the row at `index`, which starts a block or is the last row.
    fn anchor(&self, index: u64) -> u64 {
        let last = self.rows.saturating_sub(1).max(1);
        let even = |index: u64| (u128::from(index) * u128::from(self.missing) / u128::from(last)) as u64;
        if index == 0 || index >= last {
            return even(index.min(last));
        }
        let next = even((index + BLOCK).min(last));
        even(index) + scale(hash(self.seed, Purpose::Jitter, index), (next - even(index)) / 2 + 1)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_rise_strictly_from_1_to_the_last_with_uneven_holes() {
        for (rows, last_id) in
            [(1, 2), (2, 4), (64, 64), (65, 140), (335, 708), (37_041, 48_703), (1000, 9000)]
        {
            let ids = Ids::new(7, rows, last_id);
            let all: Vec<i64> = (0..rows).map(|index| ids.id(index)).collect();
            assert!(all.windows(2).all(|pair| pair[0] < pair[1]), "{rows} rows");
            assert_eq!(all.last().copied(), i64::try_from(last_id).ok());
            if rows > 1 {
                assert_eq!(all[0], 1);
            }
            assert!(ids.dangling(u64::MAX / 3) > all[all.len() - 1]);
        }
        let ids = Ids::new(7, 37_041, 48_703);
        let widest = (1..37_041).map(|index| ids.id(index) - ids.id(index - 1)).max();
        assert!(widest > Some(8), "{widest:?}");
    }
}
