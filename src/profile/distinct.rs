//! How many distinct values, in bounded memory: exact while they are few, estimated beyond.
//!
//! Everything here gives the same result in whatever order the values come and the parts are merged: which
//! connection has read a row must not show in a profile.

use std::collections::{BTreeMap, HashSet};
use std::hash::{BuildHasherDefault, DefaultHasher, Hash, Hasher};

/// So many distinct values are counted exactly: 8 KiB of hashes for a key.
const EXACT: usize = 1024;
/// Registers of the estimate, as a power of two: 4 KiB for a key, and a standard error of 1.6 %.
const PRECISION: u32 = 12;
/// A key with more distinct values than this is no enumeration.
pub const MOST_VALUES: usize = 50;
/// A text of more bytes is no word of an enumeration.
const WORD_BYTES: usize = 60;
/// Integers that are kept to be looked for among the ids of other tables.
const INTEGERS: usize = 64;

/// A set of hashes, the same in every process.
type Hashes = HashSet<u64, BuildHasherDefault<DefaultHasher>>;

/// The distinct values of one key.
#[derive(Clone, Debug)]
pub(super) struct Distinct {
    few: Hashes,
    /// Begun when the values are no longer few.
    registers: Option<Box<[u8]>>,
    /// Each word with how often it stands; `None` when there are too many, or one is too long.
    words: Option<BTreeMap<Box<str>, u64>>,
    /// Integers, those with the lowest hashes: a sample of the distinct ones.
    integers: Vec<(u64, i64)>,
}

impl Default for Distinct {
    fn default() -> Self {
        Self { few: Hashes::default(), registers: None, words: Some(BTreeMap::new()), integers: Vec::new() }
    }
}

/// The hash of a value of one kind; the same in every process.
pub(super) fn hash_of(kind: u8, text: &str) -> u64 {
    let mut hasher = DefaultHasher::new();
    kind.hash(&mut hasher);
    text.hash(&mut hasher);
    hasher.finish()
}

impl Distinct {
    /// Takes a value in by its hash.
    pub(super) fn see(&mut self, hash: u64) {
        match &mut self.registers {
            Some(registers) => raise(registers, hash),
            None => {
                self.few.insert(hash);
                self.spill();
            }
        }
    }

    /// Takes a text in that may be a word of an enumeration.
    pub(super) fn see_word(&mut self, text: &str) {
        let Some(words) = &mut self.words else { return };
        if let Some(count) = words.get_mut(text) {
            *count += 1;
        } else if words.len() < MOST_VALUES && text.len() <= WORD_BYTES {
            words.insert(text.into(), 1);
        } else {
            self.words = None;
        }
    }

    /// Takes an integer in that may be an id.
    pub(super) fn see_integer(&mut self, hash: u64, integer: i64) {
        let full = self.integers.len() == INTEGERS;
        if full && self.integers.last().is_some_and(|(last, _)| *last <= hash) {
            return;
        }
        let at = self.integers.partition_point(|(kept, _)| *kept < hash);
        if self.integers.get(at).is_none_or(|(kept, _)| *kept != hash) {
            self.integers.insert(at, (hash, integer));
            self.integers.truncate(INTEGERS);
        }
    }

    /// Takes in what another has seen.
    pub(super) fn merge(&mut self, other: Self) {
        match (&mut self.registers, other.registers) {
            (Some(mine), Some(theirs)) => {
                mine.iter_mut().zip(theirs.iter()).for_each(|(mine, theirs)| *mine = (*mine).max(*theirs));
            }
            (None, Some(theirs)) => {
                let mut registers = theirs;
                self.few.drain().for_each(|hash| raise(&mut registers, hash));
                self.registers = Some(registers);
            }
            (_, None) => other.few.into_iter().for_each(|hash| self.see(hash)),
        }
        self.words = match (self.words.take(), other.words) {
            (Some(mut mine), Some(theirs)) => {
                for (word, count) in theirs {
                    *mine.entry(word).or_default() += count;
                }
                (mine.len() <= MOST_VALUES).then_some(mine)
            }
            _ => None,
        };
        for (hash, integer) in other.integers {
            self.see_integer(hash, integer);
        }
    }

    /// How many there are, and whether that is exact.
    pub(super) fn count(&self) -> (u64, bool) {
        match &self.registers {
            None => (self.few.len() as u64, true),
            Some(registers) => (estimate(registers).max(EXACT as u64 + 1), false),
        }
    }

    /// The words of an enumeration with how often each stands; `None` where they are too many or too long.
    pub(super) fn words(&self) -> Option<&BTreeMap<Box<str>, u64>> {
        self.words.as_ref()
    }

    /// Some of the distinct integers.
    pub(super) fn integers(&self) -> impl Iterator<Item = i64> {
        self.integers.iter().map(|(_, integer)| *integer)
    }

    fn spill(&mut self) {
        if self.few.len() > EXACT {
            let mut registers = vec![0; 1 << PRECISION].into_boxed_slice();
            for hash in std::mem::take(&mut self.few) {
                raise(&mut registers, hash);
            }
            self.registers = Some(registers);
        }
    }
}

/// HyperLogLog: the first bits of a hash choose a register, which keeps the longest run of zeros behind them.
fn raise(registers: &mut [u8], hash: u64) {
    let place = (hash >> (64 - PRECISION)) as usize;
    // At most 53, which fits.
    let run = ((hash << PRECISION) | (1 << (PRECISION - 1))).leading_zeros() as u8 + 1;
    if let Some(register) = registers.get_mut(place) {
        *register = (*register).max(run);
    }
}

fn estimate(registers: &[u8]) -> u64 {
    let count = registers.len() as f64;
    let sum: f64 = registers.iter().map(|&register| (-f64::from(register)).exp2()).sum();
    let raw = 0.7213 / (1.0 + 1.079 / count) * count * count / sum;
    let zeros = registers.iter().filter(|&&register| register == 0).count() as f64;
    // Where few registers were met, how many were not says more.
    let counted = if raw <= 2.5 * count && zeros > 0.0 { count * (count / zeros).ln() } else { raw };
    counted.round() as u64
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(range: std::ops::Range<i64>) -> Distinct {
        let mut distinct = Distinct::default();
        for number in range {
            let text = number.to_string();
            let hash = hash_of(1, &text);
            distinct.see(hash);
            distinct.see_word(&text);
            distinct.see_integer(hash, number);
        }
        distinct
    }

    #[test]
    fn few_values_are_counted_exactly_and_many_within_five_percent() {
        assert_eq!(of(0..0).count(), (0, true));
        assert_eq!(of(0..1024).count(), (1024, true));
        for real in [1_025_i64, 5_000, 20_000, 200_000] {
            let (count, exact) = of(0..real).count();
            let error = (count as f64 - real as f64).abs() / real as f64;
            assert!(!exact && error < 0.05, "{count} of {real}");
        }
    }

    #[test]
    fn the_order_and_the_parts_do_not_show() {
        for (parts, all) in [
            (vec![of(0..10), of(5..30)], of(0..30)),
            (vec![of(0..600), of(300..1200)], of(0..1200)),
            (vec![of(2000..2010), of(0..2000)], of(0..2010)),
        ] {
            for reversed in [false, true] {
                let mut parts = parts.clone();
                if reversed {
                    parts.reverse();
                }
                let mut merged = Distinct::default();
                parts.into_iter().for_each(|part| merged.merge(part));
                assert_eq!(merged.count(), all.count());
                assert_eq!(merged.words().map(BTreeMap::len), all.words().map(BTreeMap::len));
                assert_eq!(merged.integers().collect::<Vec<_>>(), all.integers().collect::<Vec<_>>());
            }
        }
    }

    #[test]
    fn an_enumeration_has_few_and_short_words() {
        assert_eq!(of(0..50).words().map(BTreeMap::len), Some(50));
        assert_eq!(of(0..51).words().map(BTreeMap::len), None);
        let mut long = Distinct::default();
        long.see_word(&"x".repeat(61));
        assert!(long.words().is_none());
    }
}
