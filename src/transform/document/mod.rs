//! From one document to the values of the keys that a program wants, and from those to what the casts take.
//!
//! A document comes in one of two forms, and each has its reader: [`text`] for what `jsonb_out` prints,
//! [`disk`] for what the server keeps. Both sort the keys of an object by length, then by bytes, each once. So
//! the wanted keys, sorted the same way, are merged against them: no hash table, no tree, and a key that
//! nobody wants costs the skip of its value. What is found is a [`Raw`] value, a slice of the document; it
//! becomes a [`Value`] when a column asks for it, and is the same then from either form: the same text of a
//! number, the same string, the same JSON of an object or array.

mod disk;
#[cfg(test)]
mod tests;
mod text;

use std::cmp::Ordering;

use super::keys::JsonKind;
use super::value::Value;
use crate::pgcopy::ondisk::Corrupt;

pub use disk::Memo;
pub use text::{TextValue, value_of};

/// A JSON value as it came, a slice of its document.
pub trait Raw<'d>: Copy {
    /// Finds the values of the wanted keys in an object. `found` is overwritten.
    ///
    /// # Errors
    /// What is no object has no keys.
    fn find(self, wanted: &WantedKeys, found: &mut Found<Self>) -> Result<(), NoKeys>;

    /// The same for one document after the other, all with the same wanted keys. `memo` may keep what they
    /// have in common.
    ///
    /// # Errors
    /// As those of [`find`](Self::find).
    #[inline]
    fn find_alike(
        self,
        wanted: &WantedKeys,
        _memo: &mut Memo,
        found: &mut Found<Self>,
    ) -> Result<(), NoKeys> {
        self.find(wanted, found)
    }

    /// Appends the elements of an array, in their order; `false` where it is none.
    ///
    /// # Errors
    /// As those of [`value`](Self::value).
    fn elements(self, out: &mut Vec<Self>) -> Result<bool, Corrupt>;

    /// Whether it is `null`.
    fn is_null(self) -> bool;

    /// Of which kind it is.
    ///
    /// # Errors
    /// As those of [`value`](Self::value).
    fn kind(self) -> Result<JsonKind, Corrupt>;

    /// The value as the casts take it. `scratch` is overwritten where it is not a slice of the document.
    ///
    /// # Errors
    /// Only in the form on disk, where bytes are judged when they are read.
    fn value<'s>(self, scratch: &'s mut String) -> Result<Value<'s>, Corrupt>
    where
        'd: 's;

    /// The value as JSON text, as `jsonb_out` prints it.
    ///
    /// # Errors
    /// As those of [`value`](Self::value).
    fn json<'s>(self, scratch: &'s mut String) -> Result<&'s str, Corrupt>
    where
        'd: 's;
}

/// Why no key was looked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NoKeys {
    /// The document is valid JSON but no object, or no JSON at all.
    NotAnObject,
    /// The bytes are not in the form on disk that is known here.
    Corrupt,
}

impl From<Corrupt> for NoKeys {
    fn from(Corrupt: Corrupt) -> Self {
        Self::Corrupt
    }
}

/// The keys of one object that a program wants, each once, in the order of jsonb.
#[derive(Debug, Default)]
pub struct WantedKeys {
    keys: Vec<Wanted>,
}

/// A key that is wanted.
#[derive(Debug)]
struct Wanted {
    /// What decides nearly every comparison without a look at the key itself.
    head: Head,
    /// Where the bytes of the key stand in the head.
    mask: Head,
    key: Box<str>,
    /// Whether it is written in JSON without an escape.
    plain: bool,
}

impl Wanted {
    fn new(key: Box<str>) -> Self {
        let plain = key.bytes().all(|byte| byte >= b' ' && byte != b'"' && byte != b'\\');
        Self { head: head(key.as_bytes(), 0, key.len()), mask: mask(key.len()), key, plain }
    }

    #[inline]
    fn sorted(&self) -> Sorted<'_> {
        Sorted { head: self.head, bytes: self.key.as_bytes() }
    }
}

/// The values of the wanted keys of one object, by the key's slot.
#[derive(Debug)]
pub struct Found<R> {
    slots: Vec<Option<R>>,
    /// Whether the keys that nobody wants are of interest.
    watches: bool,
    /// Those keys, one behind the other.
    names: String,
    /// Where each of them ends, and its value.
    others: Vec<(usize, R)>,
}

impl<R> Default for Found<R> {
    fn default() -> Self {
        Self { slots: Vec::new(), watches: false, names: String::new(), others: Vec::new() }
    }
}

impl<R> Found<R> {
    /// One that also keeps the keys that nobody wants.
    pub fn watching() -> Self {
        Self { watches: true, ..Self::default() }
    }

    /// The values by the slots.
    pub(super) fn slots(&self) -> &[Option<R>] {
        &self.slots
    }

    /// The keys that nobody wants, with their values.
    pub(super) fn others(&self) -> impl Iterator<Item = (&str, &R)> {
        let mut start = 0;
        self.others.iter().map(move |(end, value)| {
            let name = self.names.get(start..*end).unwrap_or_default();
            start = *end;
            (name, value)
        })
    }
}

impl<R: Copy> Found<R> {
    /// Forgets what was found in another object.
    pub(super) fn reset(&mut self, slots: usize) {
        self.slots.clear();
        self.slots.resize(slots, None);
        self.names.clear();
        self.others.clear();
    }

    /// Keeps a key that nobody wants.
    fn other(&mut self, key: &str, value: R) {
        self.names.push_str(key);
        self.others.push((self.names.len(), value));
    }

    #[inline]
    fn put(&mut self, slot: usize, value: R) {
        if let Some(place) = self.slots.get_mut(slot) {
            *place = Some(value);
        }
    }

    /// The value in a slot; `None` where the object lacks the key.
    #[inline]
    pub fn get(&self, slot: usize) -> Option<&R> {
        self.slots.get(slot)?.as_ref()
    }
}

impl WantedKeys {
    /// Sorts the keys and drops repetitions.
    pub fn new<'k>(keys: impl IntoIterator<Item = &'k str>) -> Self {
        let mut keys: Vec<Box<str>> = keys.into_iter().map(Box::from).collect();
        keys.sort_by(|a, b| jsonb_order(a.as_bytes(), b.as_bytes()));
        keys.dedup();
        Self { keys: keys.into_iter().map(Wanted::new).collect() }
    }

    /// How many there are; their slots are the numbers below.
    pub fn len(&self) -> usize {
        self.keys.len()
    }

    /// The key of a slot; nothing where there is no such slot.
    pub fn name(&self, slot: usize) -> &str {
        self.keys.get(slot).map_or("", |wanted| &wanted.key)
    }

    /// The keys, in the order of their slots.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.keys.iter().map(|wanted| &*wanted.key)
    }

    /// Whether none is wanted.
    pub fn is_empty(&self) -> bool {
        self.keys.is_empty()
    }

    /// The slot of a key among the wanted ones.
    pub fn slot(&self, key: &str) -> Option<usize> {
        self.keys.binary_search_by(|wanted| jsonb_order(wanted.key.as_bytes(), key.as_bytes())).ok()
    }

    /// The next wanted key, if its bytes stand at a place; what ends them there is for the caller to see. Only
    /// a key that is written in JSON as it is can be guessed.
    #[inline]
    fn guess(&self, next: usize, bytes: &[u8], at: usize) -> Option<Sorted<'_>> {
        let wanted = self.keys.get(next)?;
        let &chunk = bytes.get(at..)?.first_chunk()?;
        let differs = ((u128::from_be_bytes(chunk) >> 8) ^ wanted.head) & wanted.mask != 0;
        if differs || !wanted.plain {
            return None;
        }
        let key = wanted.key.as_bytes();
        (key.len() <= HEAD_BYTES || bytes.get(at..at + key.len()) == Some(key)).then(|| wanted.sorted())
    }

    /// Whether a key is wanted, where keys come in their order: `next` is the first slot that is still to be
    /// met, and is moved on.
    #[inline]
    fn is_next(&self, next: &mut usize, key: Sorted<'_>) -> bool {
        while let Some(wanted) = self.keys.get(*next) {
            match wanted.sorted().cmp(&key) {
                Ordering::Less => *next += 1,
                Ordering::Equal => {
                    *next += 1;
                    return true;
                }
                Ordering::Greater => return false,
            }
        }
        false
    }
}

/// Follows a path into nested objects; `None` where a step is missing or not an object.
pub fn follow<'d, R: Raw<'d>>(
    mut raw: R,
    path: &[WantedKeys],
    found: &mut Found<R>,
) -> Result<Option<R>, Corrupt> {
    for step in path {
        match raw.find(step, found) {
            Ok(()) => {}
            Err(NoKeys::NotAnObject) => return Ok(None),
            Err(NoKeys::Corrupt) => return Err(Corrupt),
        }
        match found.get(0) {
            Some(&inner) => raw = inner,
            None => return Ok(None),
        }
    }
    Ok(Some(raw))
}

/// How jsonb sorts the keys of an object: shorter first, then by bytes (`lengthCompareJsonbString`).
fn jsonb_order(a: &[u8], b: &[u8]) -> Ordering {
    a.len().cmp(&b.len()).then_with(|| a.cmp(b))
}

/// Length (one byte) and the first fifteen bytes of a key: heads in ascending order stand for keys in that
/// of jsonb. Keys with equal heads may differ behind the fifteenth byte.
type Head = u128;

const HEAD_BYTES: usize = 15;
/// The length in the head of all keys that are longer.
const LONG: usize = 0xFF;

/// A key with its head.
#[derive(Clone, Copy)]
struct Sorted<'k> {
    head: Head,
    bytes: &'k [u8],
}

impl<'k> Sorted<'k> {
    /// The key of some bytes that stands in others at a place.
    #[inline]
    fn new(inside: &'k [u8], at: usize, key: &'k [u8]) -> Self {
        Self { head: head(inside, at, key.len()), bytes: key }
    }

    #[inline]
    fn cmp(&self, other: &Self) -> Ordering {
        self.head.cmp(&other.head).then_with(|| {
            if other.bytes.len() <= HEAD_BYTES {
                Ordering::Equal
            } else {
                jsonb_order(self.bytes, other.bytes)
            }
        })
    }
}

/// The head of the key that stands in `bytes` at `at`: one load, where the bytes go on behind it.
#[inline]
fn head(bytes: &[u8], at: usize, key_bytes: usize) -> Head {
    let word = match bytes.get(at..).and_then(<[u8]>::first_chunk) {
        Some(&chunk) => u128::from_be_bytes(chunk),
        None => {
            let mut chunk = [0; 16];
            chunk.iter_mut().zip(bytes.get(at..).unwrap_or_default()).for_each(|(to, byte)| *to = *byte);
            u128::from_be_bytes(chunk)
        }
    };
    ((key_bytes.min(LONG) as Head) << 120) | ((word >> 8) & mask(key_bytes))
}

/// Where the bytes of a key stand in its head. Of the longest keys the lengths are not known there, and they
/// come before the bytes.
#[inline]
fn mask(key_bytes: usize) -> Head {
    MASKS[if key_bytes < LONG { key_bytes.min(HEAD_BYTES) } else { 0 }]
}

/// Of each number of bytes, where they stand below the highest byte of a head.
const MASKS: [Head; HEAD_BYTES + 1] = {
    let mut masks = [0; HEAD_BYTES + 1];
    let mut bytes = 1;
    while bytes <= HEAD_BYTES {
        masks[bytes] = (u128::MAX >> 8) & !(u128::MAX >> 8).wrapping_shr(8 * bytes as u32);
        bytes += 1;
    }
    masks
};
