//! From a COPY BINARY stream to batches of whole tuples.
//!
//! The server sends one message a tuple, but nothing promises that: a [`Framer`] takes bytes cut
//! anywhere, keeps a tuple that is not complete, and hands out batches that end at a tuple. Bytes are
//! copied once, into the batch; a batch owns one buffer, so that it does not pin the socket's.

use std::fmt;

use super::SIGNATURE;
use super::ondisk::ByteOrder;

const HEADER_BYTES: usize = SIGNATURE.len() + 8;
/// The flag bits that PostgreSQL calls critical: a reader that does not know one must stop.
const CRITICAL_FLAGS: u32 = 0xFFFF_0000;

/// Gathers the bytes of one stream into whole tuples.
pub struct Framer {
    columns: usize,
    form: Form,
    state: State,
    /// Bytes that were not handed out yet: whole tuples, then perhaps the beginning of one.
    buffer: Vec<u8>,
    /// Where the next unread count, length or payload begins.
    cursor: usize,
    /// Where the last whole tuple ends.
    complete_bytes: usize,
    /// Whole tuples in `buffer`.
    tuples: usize,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum State {
    Header,
    Count,
    Field { left: usize },
    Done,
}

/// In which form the documents of a stream come, where it bears documents.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Form {
    /// As binary `jsonb`: a version byte and the text.
    #[default]
    Text,
    /// As the server keeps them, on a machine of this byte order.
    OnDisk(ByteOrder),
}

/// Whole tuples of one stream, as they stood in it.
#[derive(Debug)]
pub struct Batch {
    bytes: Vec<u8>,
    columns: usize,
    form: Form,
    tuples: usize,
}

/// Bytes that are no COPY BINARY stream of the expected shape.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Malformed {
    /// The stream does not begin with the signature.
    Signature,
    /// The header bears a critical flag that is not known here.
    Flags,
    /// A tuple has another number of fields than the query has columns.
    FieldCount,
    /// A field has a negative length other than -1.
    FieldLength,
    /// Bytes follow the trailer.
    Trailing,
    /// The stream ended before its trailer.
    Truncated,
}

impl fmt::Display for Malformed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Signature => "the stream does not begin with the COPY BINARY signature",
            Self::Flags => "the COPY header bears an unknown critical flag",
            Self::FieldCount => "a tuple has an unexpected number of fields",
            Self::FieldLength => "a field has an impossible length",
            Self::Trailing => "bytes follow the end of the COPY stream",
            Self::Truncated => "the COPY stream ended before its trailer",
        })
    }
}

impl Framer {
    /// A framer for a query of `columns` columns.
    pub fn new(columns: usize) -> Self {
        Self {
            columns,
            form: Form::default(),
            state: State::Header,
            buffer: Vec::new(),
            cursor: 0,
            complete_bytes: 0,
            tuples: 0,
        }
    }

    /// Marks the batches of this stream: their documents come in that form, which is not the text's.
    #[must_use]
    pub fn in_form(self, form: Form) -> Self {
        Self { form, ..self }
    }

    /// Takes the next bytes of the stream.
    pub fn push(&mut self, chunk: &[u8]) -> Result<(), Malformed> {
        self.buffer.extend_from_slice(chunk);
        while self.advance()? {}
        Ok(())
    }

    /// The same, without a copy where nothing waits: the chunk becomes the batch.
    pub fn push_owned(&mut self, chunk: Vec<u8>) -> Result<(), Malformed> {
        if self.buffer.is_empty() {
            self.buffer = chunk;
        } else {
            self.buffer.extend_from_slice(&chunk);
        }
        while self.advance()? {}
        Ok(())
    }

    /// The bytes of whole tuples that wait to be taken.
    pub fn complete_bytes(&self) -> usize {
        self.complete_bytes
    }

    /// Takes the whole tuples gathered so far; `None` where there are none.
    pub fn take(&mut self) -> Option<Batch> {
        if self.tuples == 0 {
            return None;
        }
        let rest = self.buffer.split_off(self.complete_bytes);
        let batch = Batch {
            bytes: std::mem::replace(&mut self.buffer, rest),
            columns: self.columns,
            form: self.form,
            tuples: std::mem::take(&mut self.tuples),
        };
        self.cursor -= self.complete_bytes;
        self.complete_bytes = 0;
        if !self.buffer.is_empty() {
            // The next batch will be about as large: grow once, not by doubling.
            self.buffer.reserve(batch.bytes.len().saturating_sub(self.buffer.len()));
        }
        Some(batch)
    }

    /// Ends the stream: its trailer must have been seen. Returns the last tuples.
    pub fn finish(mut self) -> Result<Option<Batch>, Malformed> {
        if self.state == State::Done { Ok(self.take()) } else { Err(Malformed::Truncated) }
    }

    /// Reads one count, field or header if it has arrived whole; says whether it had.
    fn advance(&mut self) -> Result<bool, Malformed> {
        let rest = self.buffer.get(self.cursor..).unwrap_or_default();
        match self.state {
            State::Header => {
                let known = rest.len().min(SIGNATURE.len());
                if rest[..known] != SIGNATURE[..known] {
                    return Err(Malformed::Signature);
                }
                let Some(flags) = be_u32(rest, SIGNATURE.len()) else { return Ok(false) };
                if flags & CRITICAL_FLAGS != 0 {
                    return Err(Malformed::Flags);
                }
                let Some(extension) = be_u32(rest, SIGNATURE.len() + 4) else { return Ok(false) };
                let header_bytes = HEADER_BYTES.saturating_add(extension as usize);
                if rest.len() < header_bytes {
                    return Ok(false);
                }
                self.buffer.drain(..header_bytes);
                self.state = State::Count;
            }
            State::Count => {
                let Some(count) = rest.first_chunk().map(|&b| i16::from_be_bytes(b)) else {
                    return Ok(false);
                };
                if count == -1 {
                    self.buffer.drain(self.cursor..self.cursor + 2);
                    self.state = State::Done;
                } else if usize::try_from(count) == Ok(self.columns) {
                    self.cursor += 2;
                    self.state = State::Field { left: self.columns };
                    self.end_tuple_if(self.columns == 0);
                } else {
                    return Err(Malformed::FieldCount);
                }
            }
            State::Field { left } => {
                let Some(length) = rest.first_chunk().map(|&b| i32::from_be_bytes(b)) else {
                    return Ok(false);
                };
                let payload_bytes = match length {
                    -1 => 0,
                    _ => usize::try_from(length).map_err(|_| Malformed::FieldLength)?,
                };
                if rest.len() - 4 < payload_bytes {
                    return Ok(false);
                }
                self.cursor += 4 + payload_bytes;
                self.state = State::Field { left: left - 1 };
                self.end_tuple_if(left == 1);
            }
            State::Done => return if rest.is_empty() { Ok(false) } else { Err(Malformed::Trailing) },
        }
        Ok(true)
    }

    fn end_tuple_if(&mut self, last: bool) {
        if last {
            self.complete_bytes = self.cursor;
            self.tuples += 1;
            self.state = State::Count;
        }
    }
}

fn be_u32(bytes: &[u8], at: usize) -> Option<u32> {
    bytes.get(at..)?.first_chunk().map(|&b| u32::from_be_bytes(b))
}

impl Batch {
    /// How many tuples the batch holds.
    pub fn len(&self) -> usize {
        self.tuples
    }

    /// Whether it holds none; a framer never hands out such a batch.
    pub fn is_empty(&self) -> bool {
        self.tuples == 0
    }

    /// How many fields each of them has.
    pub fn columns(&self) -> usize {
        self.columns
    }

    /// The bytes that it holds.
    pub fn bytes(&self) -> usize {
        self.bytes.len()
    }

    /// In which form its documents are.
    pub fn form(&self) -> Form {
        self.form
    }

    /// The tuples, each as its fields in order.
    pub fn tuples(&self) -> Tuples<'_> {
        Tuples { rest: &self.bytes, columns: self.columns }
    }

    /// Bytes as they stood in the stream.
    pub fn bytes_at(&self, range: std::ops::Range<usize>) -> Option<&[u8]> {
        self.bytes.get(range)
    }

    /// The tuple that begins at a byte, and the byte where the next one begins; `None` at the end. The
    /// first begins at 0. For those who cannot hold an iterator beside the batch.
    pub fn tuple_at(&self, at: usize) -> Option<(Tuple<'_>, usize)> {
        let mut tuples = Tuples { rest: self.bytes.get(at..)?, columns: self.columns };
        let tuple = tuples.next()?;
        Some((tuple, self.bytes.len() - tuples.rest.len()))
    }
}

/// The tuples of a [`Batch`], or of a buffer of rows.
#[derive(Clone)]
pub struct Tuples<'a> {
    rest: &'a [u8],
    columns: usize,
}

/// One tuple: an iterator over its fields, each a payload or `None` for NULL.
#[derive(Clone)]
pub struct Tuple<'a> {
    rest: &'a [u8],
}

impl<'a> Tuples<'a> {
    /// The tuples in bytes that hold whole ones alone, each of `columns` fields.
    pub(super) fn new(rest: &'a [u8], columns: usize) -> Self {
        Self { rest, columns }
    }
}

impl<'a> Tuple<'a> {
    /// The fields that are left as they stood in the stream: two tuples are equal when these are.
    pub fn bytes(&self) -> &'a [u8] {
        self.rest
    }
}

impl<'a> Iterator for Tuples<'a> {
    type Item = Tuple<'a>;

    fn next(&mut self) -> Option<Tuple<'a>> {
        let (_count, mut rest) = self.rest.split_first_chunk::<2>()?;
        let tuple = Tuple { rest };
        // The framer has seen each of these lengths: the splits cannot fail on its batches.
        for _ in 0..self.columns {
            (_, rest) = split_field(rest)?;
        }
        self.rest = rest;
        Some(Tuple { rest: &tuple.rest[..tuple.rest.len() - rest.len()] })
    }
}

impl<'a> Iterator for Tuple<'a> {
    type Item = Option<&'a [u8]>;

    fn next(&mut self) -> Option<Option<&'a [u8]>> {
        let (field, rest) = split_field(self.rest)?;
        self.rest = rest;
        Some(field)
    }
}

fn split_field(bytes: &[u8]) -> Option<(Option<&[u8]>, &[u8])> {
    let (length, rest) = bytes.split_first_chunk()?;
    match i32::from_be_bytes(*length) {
        -1 => Some((None, rest)),
        length => {
            let (payload, rest) = rest.split_at_checked(usize::try_from(length).ok()?)?;
            Some((Some(payload), rest))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Two columns, three tuples: (7, "ab"), (NULL, ""), (1, NULL); written out by hand.
    const STREAM: &[u8] = b"PGCOPY\n\xff\r\n\0\0\0\0\0\0\0\0\x02xy\
        \0\x02\0\0\0\x01\x07\0\0\0\x02ab\
        \0\x02\xff\xff\xff\xff\0\0\0\0\
        \0\x02\0\0\0\x01\x01\xff\xff\xff\xff\
        \xff\xff";

    fn fields(batches: &[Batch]) -> Vec<Vec<Option<Vec<u8>>>> {
        batches
            .iter()
            .flat_map(Batch::tuples)
            .map(|tuple| tuple.map(|field| field.map(<[u8]>::to_vec)).collect())
            .collect()
    }

    fn expected() -> Vec<Vec<Option<Vec<u8>>>> {
        vec![
            vec![Some(vec![7]), Some(b"ab".to_vec())],
            vec![None, Some(Vec::new())],
            vec![Some(vec![1]), None],
        ]
    }

    #[test]
    fn a_stream_cut_at_every_byte_gives_the_same_tuples() {
        for cut in 0..=STREAM.len() {
            let mut framer = Framer::new(2);
            let mut batches = Vec::new();
            framer.push(&STREAM[..cut]).expect("first part");
            batches.extend(framer.take());
            framer.push(&STREAM[cut..]).expect("second part");
            batches.extend(framer.finish().expect("trailer"));
            assert_eq!(fields(&batches), expected(), "cut at {cut}");
        }
    }

    #[test]
    fn a_stream_that_arrives_byte_by_byte_gives_the_same_tuples() {
        let mut framer = Framer::new(2);
        let mut batches = Vec::new();
        for byte in STREAM {
            framer.push(&[*byte]).expect("byte");
            batches.extend(framer.take());
        }
        batches.extend(framer.finish().expect("trailer"));
        assert_eq!(fields(&batches), expected());
        assert_eq!(batches.len(), 3);
    }

    #[test]
    fn tuples_are_found_one_by_one_by_their_first_byte() {
        let mut framer = Framer::new(2);
        framer.push(STREAM).expect("the stream");
        let batch = framer.finish().expect("trailer").expect("tuples");
        let (mut at, mut found) = (0, Vec::new());
        while let Some((tuple, next)) = batch.tuple_at(at) {
            found.push(tuple.map(|field| field.map(<[u8]>::to_vec)).collect::<Vec<_>>());
            at = next;
        }
        assert_eq!(found, expected());
        assert_eq!(at, batch.bytes());
        assert!(batch.tuple_at(at + 1).is_none());
    }

    #[test]
    fn a_stream_that_stops_early_is_truncated_wherever_it_stops() {
        for end in 0..STREAM.len() {
            let mut framer = Framer::new(2);
            framer.push(&STREAM[..end]).expect("a prefix is not malformed");
            assert_eq!(framer.finish().err(), Some(Malformed::Truncated), "ended at {end}");
        }
    }

    #[test]
    fn malformed_streams_are_named() {
        let push = |columns, bytes: &[u8]| {
            let mut framer = Framer::new(columns);
            framer.push(bytes).err()
        };
        let header = &STREAM[..HEADER_BYTES + 2];
        assert_eq!(push(2, b"HTTP/1.1 200 OK"), Some(Malformed::Signature));
        assert_eq!(push(2, b"PGCOPY\n\xff\r\n\0\0\x01\0\0\0\0\0\0"), Some(Malformed::Flags));
        assert_eq!(push(3, STREAM), Some(Malformed::FieldCount));
        assert_eq!(push(2, &[header, b"\0\x02\xff\xff\xff\xfe"].concat()), Some(Malformed::FieldLength));
        assert_eq!(push(2, &[STREAM, b"x"].concat()), Some(Malformed::Trailing));
    }
}
