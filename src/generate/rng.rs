//! Random numbers: a generator per row and a hash, both functions of the seed and a place alone.

use rand_pcg::Pcg64Mcg;
use rand_pcg::rand_core::Rng;

/// What a hash is for: equal numbers hashed for different purposes have nothing in common.
#[derive(Clone, Copy)]
#[repr(u64)]
pub(super) enum Purpose {
    Jitter = 1,
    Hole,
    Sponsor,
    HalfLink,
    HalfLinkAgent,
    Person,
    Uuid,
    Owner,
    Cluster,
    /// The rows of the table with number 0; those of the table n are n further.
    Rows = 100,
}

/// The random numbers of one row.
pub(super) struct RowRng(Pcg64Mcg);

impl RowRng {
    /// The numbers of row `index` of the table with number `table`.
    pub(super) fn new(seed: u64, table: u64, index: u64) -> Self {
        let high = hash_bits(seed, Purpose::Rows as u64 + table, index);
        Self(Pcg64Mcg::new((u128::from(high) << 64) | u128::from(mix(high))))
    }

    /// 64 random bits.
    pub(super) fn bits(&mut self) -> u64 {
        self.0.next_u64()
    }

    /// A number in `0..bound`; 0 where `bound` is 0.
    pub(super) fn below(&mut self, bound: u64) -> u64 {
        scale(self.bits(), bound)
    }

    /// A number in `low..=high`; needs `low <= high`.
    pub(super) fn between(&mut self, low: i64, high: i64) -> i64 {
        low + self.below((high - low) as u64 + 1) as i64
    }

    /// True in `share` of 65,536 cases.
    pub(super) fn chance(&mut self, share: u16) -> bool {
        (self.bits() >> 48) < u64::from(share)
    }

    /// One of `items`, which is not empty.
    pub(super) fn pick<T: Copy>(&mut self, items: &[T]) -> T {
        // below() is less than the length, which no caller's list has at 0: all are constants.
        items[self.below(items.len() as u64) as usize]
    }
}

/// 64 bits that are a function of a seed, a purpose and a number.
pub(super) fn hash(seed: u64, purpose: Purpose, number: u64) -> u64 {
    hash_bits(seed, purpose as u64, number)
}

fn hash_bits(seed: u64, purpose: u64, number: u64) -> u64 {
    mix(mix(seed ^ purpose.wrapping_mul(0xD6E8_FEB8_6659_FD93)).wrapping_add(number))
}

/// Brings 64 random bits into `0..bound`; 0 where `bound` is 0.
pub(super) fn scale(bits: u64, bound: u64) -> u64 {
    ((u128::from(bits) * u128::from(bound)) >> 64) as u64
}

/// One step of splitmix64 (Steele, Lea, Flood: Fast Splittable Pseudorandom Number Generators, 2014).
fn mix(number: u64) -> u64 {
    let mut z = number.wrapping_add(0x9E37_79B9_7F4A_7C15);
    z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    z ^ (z >> 31)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_mixer_is_splitmix64() {
        // The first two numbers of the reference implementation with seed 0.
        assert_eq!(mix(0), 0xE220_A839_7B1D_CDAF);
        assert_eq!(mix(0x9E37_79B9_7F4A_7C15), 0x6E78_9E6A_A1B9_65F4);
    }

    #[test]
    fn numbers_stay_in_their_bounds_and_reach_them() {
        let mut rng = RowRng::new(1, 2, 3);
        let mut seen = [false; 5];
        for _ in 0..200 {
            let number = rng.between(-2, 2);
            seen[usize::try_from(number + 2).expect("in bounds")] = true;
        }
        assert_eq!(seen, [true; 5]);
        assert_eq!(rng.below(0), 0);
    }

    #[test]
    fn another_seed_table_or_row_gives_other_numbers() {
        let first = |seed, table, index| RowRng::new(seed, table, index).bits();
        let all = [first(1, 1, 1), first(2, 1, 1), first(1, 2, 1), first(1, 1, 2)];
        assert!((1..4).all(|i| !all[..i].contains(&all[i])), "{all:?}");
    }
}
