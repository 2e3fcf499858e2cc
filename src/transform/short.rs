//! Search in bytes that are mostly short.
//!
//! Keys and values of a document have a dozen bytes or so. There the set-up of a vector search costs more
//! than the search, so the first bytes are looked at eight at a time in a plain register; only behind
//! them begins [`memchr`](mod@memchr).

use memchr::{memchr, memchr2};

/// Words that are looked at before `memchr` takes over.
const WORDS: usize = 4;
const LOW_BITS: u64 = u64::from_ne_bytes([0x01; 8]);
const HIGH_BITS: u64 = u64::from_ne_bytes([0x80; 8]);

/// The place of the first `"` or `\` at or behind `at`.
#[inline(always)]
pub fn quote_or_backslash(bytes: &[u8], at: usize) -> Option<usize> {
    let mut rest = bytes.get(at..)?;
    let mut passed = at;
    for _ in 0..WORDS {
        let Some((&chunk, behind)) = rest.split_first_chunk() else { break };
        let word = u64::from_le_bytes(chunk);
        let hits = matches(word, b'"') | matches(word, b'\\');
        if hits != 0 {
            return Some(passed + hits.trailing_zeros() as usize / 8);
        }
        rest = behind;
        passed += 8;
    }
    Some(passed + memchr2(b'"', b'\\', rest)?)
}

/// Whether a byte occurs.
#[inline]
pub fn contains(byte: u8, bytes: &[u8]) -> bool {
    if bytes.len() > 8 * WORDS {
        return memchr(byte, bytes).is_some();
    }
    let found = |chunk: &[u8; 8]| matches(u64::from_le_bytes(*chunk), byte) != 0;
    match bytes.last_chunk() {
        // The last word overlaps the one before it: no bytes are left over.
        Some(last) => found(last) || bytes.as_chunks().0.iter().any(found),
        None => bytes.contains(&byte),
    }
}

/// The highest bit of each byte of `word` that equals `byte`. A byte above a match may be marked too;
/// the lowest mark is always right.
fn matches(word: u64, byte: u8) -> u64 {
    let zero_where_equal = word ^ u64::from_ne_bytes([byte; 8]);
    zero_where_equal.wrapping_sub(LOW_BITS) & !zero_where_equal & HIGH_BITS
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_place_is_found_whatever_stands_around_it() {
        for length in 0..80 {
            for fill in [b'a', b'!', b'#', b'[', b']', 0, 0xFF] {
                let mut bytes = vec![fill; length];
                assert_eq!(quote_or_backslash(&bytes, 0), None);
                assert!(!contains(b'\\', &bytes));
                for place in 0..length {
                    for sought in [b'"', b'\\'] {
                        bytes[place] = sought;
                        for at in 0..=place {
                            assert_eq!(quote_or_backslash(&bytes, at), Some(place), "{length} {at}");
                        }
                        assert_eq!(quote_or_backslash(&bytes, place + 1), None);
                        assert!(contains(sought, &bytes));
                    }
                    bytes[place] = fill;
                }
            }
        }
        assert_eq!(quote_or_backslash(b"\"", 2), None);
    }
}
