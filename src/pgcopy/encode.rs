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

    /// Appends a field whose payload `write` appends to the buffer it is given. `write` says whether
    /// there is a value; where there is none, or it fails, nothing is appended, not even a NULL.
    // What `write` holds is not to be packed up for a call.
    #[inline(always)]
    pub fn field_or_nothing<E>(
        &mut self,
        write: impl FnOnce(&mut Vec<u8>) -> Result<bool, E>,
    ) -> Result<bool, E> {
        let start = self.bytes.len();
        self.bytes.extend_from_slice(&[0; 4]);
        let written = write(&mut self.bytes);
        if let Ok(true) = written {
            let payload_bytes = (self.bytes.len() - start - 4) as u32;
            self.bytes[start..start + 4].copy_from_slice(&payload_bytes.to_be_bytes());
        } else {
            self.bytes.truncate(start);
        }
        written
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
        let value = rows.field_or_nothing::<()>(|out| {
            out.push(9);
            Ok(true)
        });
        assert_eq!(value, Ok(true));
        let refused = rows.field_or_nothing(|out| {
            out.push(9);
            Err("refused")
        });
        assert_eq!(refused, Err("refused"));
        assert_eq!(rows.field_or_nothing::<()>(|_| Ok(false)), Ok(false));
        rows.null();
        rows.end_row();
        assert_eq!(rows.rows(), 2);
        assert_eq!(
            rows.into_bytes(),
            b"\0\x02\0\0\0\x02ab\xff\xff\xff\xff\0\x02\0\0\0\x01\x09\xff\xff\xff\xff"
        );
    }
}
