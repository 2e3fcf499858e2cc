//! The form in which the server keeps a `jsonb`, as `COPY (SELECT document::bytea …)` delivers it where a
//! cast without function lends `jsonb` the output of `bytea`.
//!
//! ```text
//! payload   = container
//! container = header: u32  entry: u32 *  data          an object has its keys' entries, then its values'
//! header    = number of elements or pairs: 28 bits  flags: 1 scalar  2 object  4 array   (<< 28)
//! entry     = length or end: 28 bits  kind: 3 bits  whether it is an end: 1 bit (<< 31)
//! data      = string: bytes   number: padding, a numeric with its header   container: padding, a container
//! ```
//!
//! It is that of `jsonb.h`, the same since PostgreSQL 9.4. Integers are in the byte order of the server's
//! machine. The length of an entry spans its padding, which brings it to the next multiple of 4 in the data;
//! every 32nd entry holds its end in the data instead of its length, so that the server finds any value in a
//! few steps. A document that is no object or array is an array of one with the scalar's flag. Keys are
//! sorted by length, then by bytes, each once. Strings bear no escapes, numbers are those of `numeric.h`
//! ([`number`]), and [`mod@print`] makes of it all what `jsonb_out` makes.
//!
//! Which byte order a server has cannot be read from any one document: `40 00 00 20` is the header of an
//! object of 64 pairs in one and of an array of 32 elements in the other. So the server is asked for a
//! document that is known, and the order is the one in which it reads as that ([`ByteOrder::of_probe`]).
//!
//! Any bytes may come: nothing here panics or recurses. Entries are only walked forward and never overlap,
//! so no bytes are visited twice at one level of nesting, however the offsets lie.

#[cfg(test)]
pub(crate) mod build;
mod number;
mod print;
#[cfg(test)]
mod tests;

use std::slice;

/// The byte order of the server's machine.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u32)]
pub enum ByteOrder {
    /// The lowest byte first: x86-64, ARM, POWER little-endian.
    Little,
    /// The highest byte first: s390x, SPARC.
    Big,
}

/// Bytes that are no value in this form.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Corrupt;

/// A value, as a slice of the document that it stands in.
///
/// It is copied for each cell. So its parts leave no padding: a copy of padding in pieces makes the next
/// load wait for the stores before it, which was a tenth of the whole transform.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DiskValue<'d> {
    kind: Kind,
    order: ByteOrder,
    /// Without padding; empty for what has no data.
    bytes: &'d [u8],
}

/// What a value is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u32)]
pub enum Kind {
    /// `null`
    Null,
    /// `false`
    False,
    /// `true`
    True,
    /// A string.
    String,
    /// A number.
    Number,
    /// An object or an array; its header says which.
    Container,
}

/// An object, an array, or the array of one that holds a scalar document.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Container<'d> {
    shape: Shape,
    order: ByteOrder,
    /// Of an object its pairs, of an array its elements.
    count: usize,
    entries: &'d [[u8; 4]],
    data: &'d [u8],
}

/// What a container is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Shape {
    Object,
    Array,
    /// A document that is neither, as an array of one.
    Scalar,
}

const COUNT: u32 = 0x0FFF_FFFF;
const FLAGS_SHIFT: u32 = 28;
const LENGTH_OR_END: u32 = 0x0FFF_FFFF;
const IS_END: u32 = 0x8000_0000;
const KIND_SHIFT: u32 = 28;
const KIND: u32 = 7;
const ALIGNMENT: usize = 4;

/// A document that holds one of each: kinds, nesting, padding, more entries than one stride, and numbers
/// with and without a long header. It reads as itself in one byte order alone.
pub const PROBE: &str = concat!(
    r#"{"a": [0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 17, 18, 19, 20, 21, 22, 23, 24, "#,
    r#"25, 26, 27, 28, 29, 30, 31, 32, 33], "b": {"c": "x\n\"", "de": null}, "num": -12345678.901200, "#,
    r#""odd": [true, false, {}, []], "long": 0.00000000000000000000000000000000000000000000000000000000000000000001}"#
);

impl ByteOrder {
    /// The order of the server that keeps [`PROBE`] as these bytes; `None` where that is no form known here.
    pub fn of_probe(bytes: &[u8]) -> Option<Self> {
        [Self::Little, Self::Big].into_iter().find(|&order| {
            let mut text = String::new();
            DiskValue::document(bytes, order).print(&mut text).is_ok() && text == PROBE
        })
    }

    #[inline]
    fn u32(self, bytes: [u8; 4]) -> u32 {
        match self {
            Self::Little => u32::from_le_bytes(bytes),
            Self::Big => u32::from_be_bytes(bytes),
        }
    }

    #[inline]
    fn u16(self, bytes: [u8; 2]) -> u16 {
        match self {
            Self::Little => u16::from_le_bytes(bytes),
            Self::Big => u16::from_be_bytes(bytes),
        }
    }
}

impl<'d> DiskValue<'d> {
    /// A whole document; its bytes are judged when it is read.
    pub fn document(bytes: &'d [u8], order: ByteOrder) -> Self {
        Self { kind: Kind::Container, order, bytes }
    }

    /// What it is.
    #[inline]
    pub fn kind(self) -> Kind {
        self.kind
    }

    /// The text of a string.
    ///
    /// # Errors
    /// Where it is none, or not UTF-8: a server with another encoding must not be read in this form.
    #[inline]
    pub fn string(self) -> Result<&'d str, Corrupt> {
        match self.kind {
            Kind::String => std::str::from_utf8(self.bytes).map_err(|_| Corrupt),
            _ => Err(Corrupt),
        }
    }

    /// Appends the digits of a number as `numeric_out` prints them.
    ///
    /// # Errors
    /// Where it is none.
    #[inline]
    pub fn print_number(self, out: &mut String) -> Result<(), Corrupt> {
        match self.kind {
            Kind::Number => number::print(self.bytes, self.order, out),
            _ => Err(Corrupt),
        }
    }

    /// Appends the value as `jsonb_out` prints it.
    ///
    /// # Errors
    /// Where some part of it is not in this form; what was appended before stays.
    pub fn print(self, out: &mut String) -> Result<(), Corrupt> {
        print::print(self, out)
    }

    /// Prints a container in place of what is in `out`; says what it is.
    #[inline(never)]
    pub(crate) fn printed(self, out: &mut String) -> Result<Shape, Corrupt> {
        out.clear();
        self.print(out)?;
        Ok(self.container()?.shape())
    }

    /// The container that it is.
    #[inline]
    pub(crate) fn container(self) -> Result<Container<'d>, Corrupt> {
        match self.kind {
            Kind::Container => Container::parse(self.bytes, self.order),
            _ => Err(Corrupt),
        }
    }
}

impl<'d> Container<'d> {
    #[inline]
    fn parse(bytes: &'d [u8], order: ByteOrder) -> Result<Self, Corrupt> {
        let (&header, rest) = bytes.split_first_chunk().ok_or(Corrupt)?;
        let header = order.u32(header);
        let count = (header & COUNT) as usize;
        let shape = match header >> FLAGS_SHIFT {
            2 => Shape::Object,
            4 => Shape::Array,
            5 if count == 1 => Shape::Scalar,
            _ => return Err(Corrupt),
        };
        let entries = if shape == Shape::Object { 2 * count } else { count };
        // A count has 28 bits: eight times that is no overflow where there are 32.
        let (entries, data) = rest.split_at_checked(4 * entries).ok_or(Corrupt)?;
        Ok(Self { shape, order, count, entries: entries.as_chunks().0, data })
    }

    #[inline]
    pub(crate) fn shape(self) -> Shape {
        self.shape
    }

    /// The elements of an array.
    pub(crate) fn elements(self) -> Values<'d> {
        self.values(0, 0)
    }

    /// Of an object its pairs, of an array its elements.
    pub(crate) fn len(self) -> usize {
        self.count
    }

    /// The keys of an object and, beginning at the first one's, its values.
    #[inline]
    pub(crate) fn keys_and_values(self) -> Result<(Keys<'d>, Values<'d>), Corrupt> {
        if self.shape != Shape::Object {
            return Err(Corrupt);
        }
        let entries = self.key_entries();
        // As `getJsonbOffset`: back to the last entry that holds its end.
        let mut keys_bytes = 0_usize;
        for &entry in entries.iter().rev() {
            let entry = self.order.u32(entry);
            keys_bytes = keys_bytes.saturating_add((entry & LENGTH_OR_END) as usize);
            if entry & IS_END != 0 {
                break;
            }
        }
        // Keys end where values begin: an object whose keys go on beyond that is found out by its last key.
        let bytes = self.data.get(..keys_bytes).ok_or(Corrupt)?;
        let keys = Keys { order: self.order, entries: entries.iter(), data: self.data, bytes, at: 0 };
        Ok((keys, self.values(self.count, keys_bytes)))
    }

    /// The entries of an object's keys.
    #[inline]
    pub(crate) fn key_entries(self) -> &'d [[u8; 4]] {
        self.entries.get(..self.count).unwrap_or_default()
    }

    /// The values of an object, where its keys are those that have these entries and these bytes.
    #[inline]
    pub(crate) fn values_of(self, entries: &[[u8; 4]], bytes: &[u8]) -> Option<Values<'d>> {
        let same = self.shape == Shape::Object
            && self.key_entries() == entries
            && self.data.get(..bytes.len()) == Some(bytes);
        same.then(|| self.values(self.count, bytes.len()))
    }

    /// The values from an entry on, whose data begins at `at`.
    #[inline]
    fn values(self, first: usize, at: usize) -> Values<'d> {
        let entries = self.entries.get(first..).unwrap_or_default().iter();
        Values { shape: self.shape, count: self.count, order: self.order, entries, data: self.data, at }
    }
}

/// Where in the data an entry ends that begins at `at`.
#[inline]
fn end_of(entry: u32, at: usize, data: &[u8]) -> Result<usize, Corrupt> {
    let field = (entry & LENGTH_OR_END) as usize;
    let end = if entry & IS_END != 0 { field } else { at.saturating_add(field) };
    if end < at || end > data.len() { Err(Corrupt) } else { Ok(end) }
}

/// The keys of an object, in their order.
#[derive(Clone, Debug)]
pub(crate) struct Keys<'d> {
    order: ByteOrder,
    entries: slice::Iter<'d, [u8; 4]>,
    /// All of the object's data.
    data: &'d [u8],
    /// Those of the keys.
    bytes: &'d [u8],
    at: usize,
}

impl<'d> Keys<'d> {
    /// The bytes of all keys, one behind the other.
    pub(crate) fn bytes(&self) -> &'d [u8] {
        self.bytes
    }

    /// The next key; `None` behind the last one.
    #[inline]
    pub(crate) fn next(&mut self) -> Result<Option<Key<'d>>, Corrupt> {
        let Some(&entry) = self.entries.next() else {
            return if self.at == self.bytes.len() { Ok(None) } else { Err(Corrupt) };
        };
        let entry = self.order.u32(entry);
        if entry >> KIND_SHIFT & KIND != 0 {
            return Err(Corrupt);
        }
        let end = end_of(entry, self.at, self.data)?;
        let key = Key { data: self.data, at: self.at, len: end - self.at };
        self.at = end;
        Ok(Some(key))
    }
}

/// A key inside the data of its object.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Key<'d> {
    /// All of the object's data.
    pub(crate) data: &'d [u8],
    /// Where in it the key begins.
    pub(crate) at: usize,
    /// Its bytes, which lie inside the data.
    pub(crate) len: usize,
}

impl<'d> Key<'d> {
    #[inline]
    pub(crate) fn bytes(self) -> &'d [u8] {
        self.data.get(self.at..self.at + self.len).unwrap_or_default()
    }
}

/// The elements of an array or the values of an object, in their order.
#[derive(Clone, Debug)]
pub(crate) struct Values<'d> {
    shape: Shape,
    count: usize,
    order: ByteOrder,
    entries: slice::Iter<'d, [u8; 4]>,
    data: &'d [u8],
    at: usize,
}

impl<'d> Values<'d> {
    /// Passes the next value without a look at it.
    #[inline]
    pub(crate) fn skip(&mut self) -> Result<(), Corrupt> {
        let &entry = self.entries.next().ok_or(Corrupt)?;
        self.at = end_of(self.order.u32(entry), self.at, self.data)?;
        Ok(())
    }

    /// The next value; there must be one.
    #[inline]
    pub(crate) fn next(&mut self) -> Result<DiskValue<'d>, Corrupt> {
        let &entry = self.entries.next().ok_or(Corrupt)?;
        let entry = self.order.u32(entry);
        let start = self.at;
        let end = end_of(entry, start, self.data)?;
        self.at = end;
        let (kind, start) = match entry >> KIND_SHIFT & KIND {
            0 => (Kind::String, start),
            1 => (Kind::Number, start.next_multiple_of(ALIGNMENT)),
            2 => (Kind::False, end),
            3 => (Kind::True, end),
            4 => (Kind::Null, end),
            5 => (Kind::Container, start.next_multiple_of(ALIGNMENT)),
            _ => return Err(Corrupt),
        };
        Ok(DiskValue { kind, order: self.order, bytes: self.data.get(start..end).ok_or(Corrupt)? })
    }
}
