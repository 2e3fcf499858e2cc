//! What differs between two blocks of the same pages, and between two lists of ids.

use std::cmp::Ordering;

use super::Fingerprint;
use super::block::{Block, Damaged};

/// The ids of rows that are not as they were.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Differences {
    /// Of rows that are there now, and were not, or not so: their documents are to be fetched.
    pub new: Vec<i64>,
    /// Of rows that were there, and are not, or not so: those of them that are not among the new are gone.
    pub old: Vec<i64>,
}

impl Differences {
    /// Adds what differs between the rows that were in some pages and those that are.
    pub fn add(&mut self, was: Option<&Block>, is: Option<&Block>) -> Result<(), Damaged> {
        self.add_within(was, is, |_| true)
    }

    /// The same for those of the rows that are within some bounds.
    pub fn add_within(
        &mut self,
        was: Option<&Block>,
        is: Option<&Block>,
        within: impl Fn(&Fingerprint) -> bool,
    ) -> Result<(), Damaged> {
        let id = |row: Option<Fingerprint>| row.filter(&within).map(|row| row.id);
        let mut was = was.map(Block::rows).transpose()?.into_iter().flatten();
        let mut is = is.map(Block::rows).transpose()?.into_iter().flatten();
        let (mut left, mut right) = (was.next().transpose()?, is.next().transpose()?);
        loop {
            match order(left, right) {
                None => return Ok(()),
                Some(Ordering::Less) => {
                    self.old.extend(id(left));
                    left = was.next().transpose()?;
                }
                Some(Ordering::Greater) => {
                    self.new.extend(id(right));
                    right = is.next().transpose()?;
                }
                Some(Ordering::Equal) => {
                    if left != right {
                        self.old.extend(id(left));
                        self.new.extend(id(right));
                    }
                    left = was.next().transpose()?;
                    right = is.next().transpose()?;
                }
            }
        }
    }

    /// Adds the differences of other pages.
    pub fn append(&mut self, mut other: Self) {
        self.new.append(&mut other.new);
        self.old.append(&mut other.old);
    }

    /// How many ids are held.
    pub fn len(&self) -> usize {
        self.new.len() + self.old.len()
    }

    /// Whether all rows are as they were.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The ids to fetch and the ids that are gone, ascending, each once.
    pub fn settle(self) -> (Vec<i64>, Vec<i64>) {
        let (fetch, mut gone) = (sorted(self.new), sorted(self.old));
        subtract(&mut gone, &fetch);
        (fetch, gone)
    }
}

/// The order of the places of two rows, no row being behind every row; `None` where there is neither.
fn order(left: Option<Fingerprint>, right: Option<Fingerprint>) -> Option<Ordering> {
    match (left, right) {
        (None, None) => None,
        (Some(_), None) => Some(Ordering::Less),
        (None, Some(_)) => Some(Ordering::Greater),
        (Some(left), Some(right)) => Some(left.place().cmp(&right.place())),
    }
}

/// The values ascending, each once.
pub fn sorted<T: Ord>(mut values: Vec<T>) -> Vec<T> {
    values.sort_unstable();
    values.dedup();
    values
}

/// Takes the values of the second list out of the first; both ascend.
pub fn subtract<T: Ord>(values: &mut Vec<T>, taken: &[T]) {
    let mut next = 0;
    values.retain(|value| {
        while taken.get(next).is_some_and(|taken| taken < value) {
            next += 1;
        }
        taken.get(next) != Some(value)
    });
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fingerprint::BlockWriter;

    fn block(rows: &[(u32, u16, i64, u32)]) -> Option<Block> {
        let mut writer = BlockWriter::default();
        for &(page, offset, id, xmin) in rows {
            assert_eq!(writer.push(Fingerprint { page, offset, id, xmin }), Ok(None));
        }
        writer.finish()
    }

    fn differences(was: &[(u32, u16, i64, u32)], is: &[(u32, u16, i64, u32)]) -> (Vec<i64>, Vec<i64>) {
        let mut differences = Differences::default();
        differences.add(block(was).as_ref(), block(is).as_ref()).expect("good blocks");
        differences.settle()
    }

    #[test]
    fn equal_blocks_differ_in_nothing() {
        let rows = [(0, 1, 10, 7), (0, 2, 11, 7), (4, 1, 12, 9)];
        assert_eq!(differences(&rows, &rows), (vec![], vec![]));
        assert_eq!(differences(&[], &[]), (vec![], vec![]));
    }

    #[test]
    fn what_came_went_and_moved_is_told_by_its_id() {
        let was = [(0, 1, 10, 7), (0, 2, 11, 7), (0, 3, 12, 7), (1, 1, 13, 7), (1, 2, 14, 7)];
        // 10 stays; 11 was updated and stands elsewhere; 12 is gone, 20 stands in its place; 13 was updated,
        // and its version stands where 14 was, which is gone.
        let is = [(0, 1, 10, 7), (0, 3, 20, 9), (1, 2, 13, 8), (1, 3, 11, 8)];
        assert_eq!(differences(&was, &is), (vec![11, 13, 20], vec![12, 14]));
        assert_eq!(differences(&was, &[]), (vec![], vec![10, 11, 12, 13, 14]));
        assert_eq!(differences(&[], &is), (vec![10, 11, 13, 20], vec![]));
    }

    #[test]
    fn the_same_place_and_transaction_with_another_id_is_another_row() {
        assert_eq!(differences(&[(0, 1, 10, 7)], &[(0, 1, 11, 7)]), (vec![11], vec![10]));
        assert_eq!(differences(&[(0, 1, 10, 7)], &[(0, 1, 10, 8)]), (vec![10], vec![]));
    }

    #[test]
    fn subtracting_takes_what_stands_in_both() {
        let mut ids = vec![1, 3, 4, 7, 9];
        subtract(&mut ids, &[0_i64, 3, 5, 9, 12]);
        assert_eq!(ids, [1, 4, 7]);
    }
}
