//! Comparing: the rows that V1 gives with those that V2 has, so that only what differs is staged.
//!
//! Both sides come in the order of the merge key, and a row that is encoded here is, byte for byte, the row
//! that the server sends when it holds the same: so two sorted streams are merged, and rows are compared as
//! bytes. That two rows are the same bytes exactly when the server's `*=` holds them equal is tested for each
//! type (`tests/it/delta.rs`); and were it once not so, the publish compares what is staged with `*<>` again.
//!
//! ```text
//! V1, in order of the key:   7  8  9     11
//! V2, in order of the key:   7  8' 9 9   11 12
//!                            =  ≠  = ²   =  gone      8 is staged; the second 9 and 12 are listed
//! ```
//! Nothing is held but a batch of each side.

use crate::error::{Error, Result};
use crate::pg::sql::GONE_COLUMNS;
use crate::pg::{BatchStream, Session};
use crate::pgcopy::{Batch, RowBuffer, Tuple, Tuples};

/// How many bytes of V2 a stream hands out at once. A lane has a stream for each target.
const BATCH_BYTES: usize = 64 << 10;

/// How many bytes of rows that are gone are found before they are to be taken.
const FOUND_BYTES: usize = 256 << 10;

/// A place, ctid, is a block of four bytes and a number of two.
const PLACE_BYTES: usize = 6;

/// The most columns that a key may have here.
pub const MAX_KEY_COLUMNS: usize = 2;

/// A merge key of integers; columns that it lacks are 0. Ordered as the server orders it, NULL last.
type Key = [KeyPart; MAX_KEY_COLUMNS];

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum KeyPart {
    Integer(i64),
    Null,
}

/// The form of the rows of one target.
#[derive(Clone, Debug)]
pub struct RowForm {
    /// The columns of a row.
    pub columns: usize,
    /// Which of them are the merge key: integers, at most [`MAX_KEY_COLUMNS`].
    pub key: Vec<usize>,
}

/// What a comparison has found: rows for COPY.
#[derive(Debug, Default)]
pub struct Found {
    /// Rows that are new, or differ.
    pub staged: RowBuffer,
    /// The rows of V2 that V1 no longer has, and those beside another of their key: with the columns of
    /// [`GONE_COLUMNS`].
    pub gone: RowBuffer,
}

/// The rows of one target in a range, compared as they come.
pub struct Comparison<'a> {
    form: &'a RowForm,
    /// Rows that V2 has are left as they are, whatever they hold.
    keep_old: bool,
    rows: TargetRows,
    /// The key of the last row of V1 that was compared.
    last: Option<Key>,
    found: Found,
    looked_at: u64,
}

/// The rows of V2, standing on one of them or at their end.
struct TargetRows {
    stream: BatchStream,
    batch: Option<Batch>,
    /// Where the next row begins in the batch.
    next: usize,
    /// The row: its key, and where it begins in the batch.
    current: Option<(Key, usize)>,
}

impl<'a> Comparison<'a> {
    /// Starts to read V2: `copy` gives the columns of the form and the place of each row, in the order of
    /// the key.
    pub async fn open(session: &Session, copy: &str, form: &'a RowForm, keep_old: bool) -> Result<Self> {
        let stream = BatchStream::open(session, copy, form.columns + 1, BATCH_BYTES).await?;
        let rows = TargetRows { stream, batch: None, next: 0, current: None };
        Ok(Self { form, keep_old, rows, last: None, found: Found::default(), looked_at: 0 })
    }

    /// The columns of a row.
    pub fn columns(&self) -> usize {
        self.form.columns
    }

    /// Compares rows of V1, which come in the order of the key, each key once. Returns whether all of them
    /// were; if not, what was found should be [taken](Self::take) before it goes on.
    pub async fn compare(&mut self, rows: &mut Tuples<'_>) -> Result<bool> {
        loop {
            let mut ahead = rows.clone();
            let Some(row) = ahead.next() else { return Ok(true) };
            let key = self.form.key_of(&row)?;
            if self.last.is_some_and(|last| last >= key) {
                return Err(Error::stop("the rows of V1 do not come in the order of the merge key")
                    .hint("this is a fault of xdoflow; --stage-all goes without the order"));
            }
            if !self.list_until(Some(key)).await? {
                return Ok(false);
            }
            let (mut copies, mut differs) = (0, false);
            while self.rows.stand(self.form).await? == Some(key) {
                let (fields, place) = self.rows.fields_and_place()?;
                differs |= fields != row.bytes();
                if copies > 0 {
                    self.found.list(key, place, true);
                }
                copies += 1;
                self.rows.pass();
            }
            self.looked_at += copies;
            if copies == 0 || (differs && !self.keep_old) {
                // The server allows 1,600 columns.
                self.found.staged.copy_row(self.form.columns as u16, row.bytes());
            }
            self.last = Some(key);
            *rows = ahead;
        }
    }

    /// Lists what V2 has beyond the last row of V1. Returns whether that was all; see
    /// [`compare`](Self::compare).
    pub async fn finish(&mut self) -> Result<bool> {
        self.list_until(None).await
    }

    /// Lists the rows of V2 in front of a key, or all; says whether it came so far.
    async fn list_until(&mut self, key: Option<Key>) -> Result<bool> {
        while let Some(other) = self.rows.stand(self.form).await? {
            if key.is_some_and(|key| other >= key) {
                return Ok(true);
            }
            if self.found.gone.len() >= FOUND_BYTES {
                return Ok(false);
            }
            let (_, place) = self.rows.fields_and_place()?;
            self.found.list(other, place, false);
            self.looked_at += 1;
            self.rows.pass();
        }
        Ok(true)
    }

    /// Takes what was found since it was last taken.
    pub fn take(&mut self) -> Found {
        std::mem::take(&mut self.found)
    }

    /// Rows of V2 that were looked at.
    pub fn looked_at(&self) -> u64 {
        self.looked_at
    }
}

impl TargetRows {
    /// Goes to the next row where the last one was passed; its key, or `None` at the end.
    async fn stand(&mut self, form: &RowForm) -> Result<Option<Key>> {
        loop {
            if let Some((key, _)) = self.current {
                return Ok(Some(key));
            }
            if let Some((row, next)) = self.batch.as_ref().and_then(|batch| batch.tuple_at(self.next)) {
                self.current = Some((form.key_of(&row)?, next - row.bytes().len()));
                self.next = next;
                continue;
            }
            let Some(batch) = self.stream.next().await? else { return Ok(None) };
            (self.batch, self.next) = (Some(batch), 0);
        }
    }

    /// Leaves the row.
    fn pass(&mut self) {
        self.current = None;
    }

    /// The fields of the row without its place, which comes last, and the place.
    fn fields_and_place(&self) -> Result<(&[u8], &[u8])> {
        let bytes = self.current.and_then(|(_, start)| self.batch.as_ref()?.bytes_at(start..self.next));
        let (rest, place) = bytes.and_then(<[u8]>::split_last_chunk::<PLACE_BYTES>).ok_or_else(malformed)?;
        let (fields, length) = rest.split_last_chunk().ok_or_else(malformed)?;
        if u32::from_be_bytes(*length) as usize == PLACE_BYTES {
            Ok((fields, place))
        } else {
            Err(malformed())
        }
    }
}

impl RowForm {
    fn key_of(&self, row: &Tuple<'_>) -> Result<Key> {
        let mut key = [KeyPart::Integer(0); MAX_KEY_COLUMNS];
        for (part, &index) in key.iter_mut().zip(&self.key) {
            *part = match row.clone().nth(index) {
                Some(Some(payload)) => KeyPart::Integer(integer(payload).ok_or_else(malformed)?),
                Some(None) => KeyPart::Null,
                None => return Err(malformed()),
            };
        }
        Ok(key)
    }
}

impl Found {
    fn list(&mut self, key: Key, place: &[u8], surplus: bool) {
        self.gone.begin_row(GONE_COLUMNS.len() as u16);
        match key[0] {
            KeyPart::Integer(key) => self.gone.field(&key.to_be_bytes()),
            KeyPart::Null => self.gone.null(),
        }
        self.gone.field(place);
        self.gone.field(&[u8::from(surplus)]);
        self.gone.end_row();
    }
}

/// An integer of any width.
fn integer(payload: &[u8]) -> Option<i64> {
    match *payload {
        [a, b] => Some(i16::from_be_bytes([a, b]).into()),
        [a, b, c, d] => Some(i32::from_be_bytes([a, b, c, d]).into()),
        _ => payload.try_into().ok().map(i64::from_be_bytes),
    }
}

fn malformed() -> Error {
    Error::stop("the target sent a row that is not of the form that was asked for")
        .hint("a type may have been changed while the run read it; run again")
}
