//! Rows in COPY BINARY form, written into one growing buffer.
//!
//! A row that turns out to be no good is cut off again ([`RowBuffer::abandon_row`]), so the buffer
//! only ever holds whole rows. Header and trailer are not part of it: they belong to the stream that
//! carries the buffers of many batches.

use super::SIGNATURE;
use super::frame::Tuples;

/// What every stream begins with: the signature, no flags, no extension.
pub fn header() -> Vec<u8> {
    let mut bytes = Vec::with_capacity(SIGNATURE.len() + 8);
    bytes.extend_from_slice(SIGNATURE);
    bytes.extend_from_slice(&[0; 8]);
    bytes
}

/// What every stream ends with.
pub const TRAILER: [u8; 2] = (-1_i16).to_be_bytes();

const LENGTH_BYTES: usize = 4;

/// A field that is being written.
#[derive(Debug)]
pub struct OpenField<'b> {
    bytes: &'b mut Vec<u8>,
    start: usize,
    whole: bool,
}

impl OpenField<'_> {
    /// Where the payload is appended; what stands there already is to stay.
    #[inline]
    pub fn payload(&mut self) -> &mut Vec<u8> {
        self.bytes
    }

    /// Ends the field.
    #[inline]
    pub fn close(mut self) {
        let payload_bytes = (self.bytes.len() - self.start - LENGTH_BYTES) as u32;
        self.bytes[self.start..self.start + LENGTH_BYTES].copy_from_slice(&payload_bytes.to_be_bytes());
        self.whole = true;
    }
}

impl Drop for OpenField<'_> {
    #[inline]
    fn drop(&mut self) {
        if !self.whole {
            self.bytes.truncate(self.start);
        }
    }
}

/// Whole rows in COPY BINARY form.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct RowBuffer {
    bytes: Vec<u8>,
    rows: u64,
    row_start: usize,
}

impl RowBuffer {
    /// An empty buffer with room for `bytes` bytes.
    pub fn with_capacity(bytes: usize) -> Self {
        Self { bytes: Vec::with_capacity(bytes), rows: 0, row_start: 0 }
    }

    /// Begins a row of `columns` fields (at most 1,600, the server's limit for a table).
    pub fn begin_row(&mut self, columns: u16) {
        self.row_start = self.bytes.len();
        self.bytes.extend_from_slice(&columns.to_be_bytes());
    }

    /// Counts the row that was begun.
    pub fn end_row(&mut self) {
        self.rows += 1;
    }

    /// Cuts the row that was begun off again.
    pub fn abandon_row(&mut self) {
        self.bytes.truncate(self.row_start);
    }

    /// Appends a NULL.
    #[inline]
    pub fn null(&mut self) {
        self.bytes.extend_from_slice(&(-1_i32).to_be_bytes());
    }

    /// Appends a field whose payload is at hand.
    pub fn field(&mut self, payload: &[u8]) {
        self.field_parts([payload]);
    }

    /// Appends a field whose payload is at hand in parts.
    pub fn field_parts<const N: usize>(&mut self, parts: [&[u8]; N]) {
        let payload_bytes: usize = parts.iter().map(|part| part.len()).sum();
        // Payloads come from fields of the server, or from casts of them: far below 2 GiB.
        self.bytes.extend_from_slice(&(payload_bytes as u32).to_be_bytes());
        for part in parts {
            self.bytes.extend_from_slice(part);
        }
    }

    /// Begins a field whose payload is appended to [`payload`](OpenField::payload). Dropped as it is, it leaves
    /// nothing behind, not even a NULL.
    #[inline]
    pub fn open_field(&mut self) -> OpenField<'_> {
        let start = self.bytes.len();
        self.bytes.extend_from_slice(&[0; LENGTH_BYTES]);
        OpenField { bytes: &mut self.bytes, start, whole: false }
    }

    /// Appends a row that another buffer holds, without its count of fields in front.
    pub fn copy_row(&mut self, columns: u16, fields: &[u8]) {
        self.begin_row(columns);
        self.bytes.extend_from_slice(fields);
        self.end_row();
    }

    /// Appends the rows of another buffer.
    pub fn append(&mut self, other: Self) {
        if self.bytes.is_empty() {
            *self = other;
        } else {
            self.bytes.extend_from_slice(&other.bytes);
            self.rows += other.rows;
        }
    }

    /// The rows, each of `columns` fields.
    pub fn tuples(&self, columns: usize) -> Tuples<'_> {
        Tuples::new(&self.bytes, columns)
    }

    /// Whole rows in the buffer.
    pub fn rows(&self) -> u64 {
        self.rows
    }

    /// The bytes that they take.
    pub fn len(&self) -> usize {
        self.bytes.len()
    }

    /// Whether there is no row.
    pub fn is_empty(&self) -> bool {
        self.bytes.is_empty()
    }

    /// The rows, to be sent.
    pub fn into_bytes(self) -> Vec<u8> {
        self.bytes
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_are_written_as_the_format_says_and_an_abandoned_one_leaves_no_trace() {
        let mut rows = RowBuffer::default();
        rows.begin_row(2);
        rows.field(b"ab");
        rows.null();
        rows.end_row();
        rows.begin_row(2);
        rows.field(b"gone");
        rows.abandon_row();
        rows.begin_row(2);
        let mut field = rows.open_field();
        field.payload().push(9);
        field.close();
        rows.open_field().payload().push(9);
        rows.null();
        rows.end_row();
        assert_eq!(rows.rows(), 2);
        assert_eq!(
            rows.into_bytes(),
            b"\0\x02\0\0\0\x02ab\xff\xff\xff\xff\0\x02\0\0\0\x01\x09\xff\xff\xff\xff"
        );
    }
}
