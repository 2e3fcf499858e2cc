//! The rows of one side, in the order of their key, one at a time.

use std::fmt;

use crate::error::{Error, Result};
use crate::pg::compare::KeyForm;
use crate::pg::{BatchStream, Session, Side};
use crate::pgcopy::{Batch, frame::Tuple};

/// Rows cross from the server in pieces of this many bytes; each side holds one.
const BATCH_BYTES: usize = 256 << 10;

/// The key of a row. The order is the server's: numeric, or by bytes, NULL last.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Key(Vec<KeyPart>);

/// One column of a key.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum KeyPart {
    Integer(i64),
    Text(Box<str>),
    Null,
}

impl Key {
    /// A key of one integer.
    pub fn integer(value: i64) -> Self {
        Self(vec![KeyPart::Integer(value)])
    }

    /// A key of two integers.
    pub fn integers(first: i64, second: i64) -> Self {
        Self(vec![KeyPart::Integer(first), KeyPart::Integer(second)])
    }

    /// The integer, where the key is one; or both, where it is two.
    pub fn as_integers(&self) -> Option<(i64, Option<i64>)> {
        match self.0.as_slice() {
            [KeyPart::Integer(value)] => Some((*value, None)),
            [KeyPart::Integer(first), KeyPart::Integer(second)] => Some((*first, Some(*second))),
            _ => None,
        }
    }
}

impl fmt::Display for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, part) in self.0.iter().enumerate() {
            f.write_str(if index > 0 { ", " } else { "" })?;
            match part {
                KeyPart::Integer(value) => value.fmt(f)?,
                KeyPart::Text(text) => f.write_str(text)?,
                KeyPart::Null => f.write_str("NULL")?,
            }
        }
        Ok(())
    }
}

/// A stream of rows, standing on one of them or at its end.
pub struct Rows<'a> {
    side: Side,
    stream: BatchStream,
    forms: &'a [KeyForm],
    batch: Option<Batch>,
    /// Where the row begins in the batch, and where the next one does.
    at: usize,
    next: usize,
    key: Option<Key>,
    repeats: bool,
    bytes: u64,
}

impl<'a> Rows<'a> {
    /// Starts a COPY whose columns are the key, in these forms, then `cells` texts; stands on its first
    /// row.
    pub async fn open(
        session: &Session,
        side: Side,
        sql: &str,
        forms: &'a [KeyForm],
        cells: usize,
    ) -> Result<Self> {
        let stream = BatchStream::open(session, sql, forms.len() + cells, BATCH_BYTES).await?;
        let (batch, key) = (None, None);
        let mut rows = Self { side, stream, forms, batch, at: 0, next: 0, key, repeats: false, bytes: 0 };
        rows.advance().await?;
        Ok(rows)
    }

    /// The key of the row; `None` at the end.
    pub fn key(&self) -> Option<&Key> {
        self.key.as_ref()
    }

    /// Whether the row before had the same key.
    pub fn repeats(&self) -> bool {
        self.repeats
    }

    /// The whole row as it came: rows with the same are equal.
    pub fn raw(&self) -> &[u8] {
        self.tuple().map_or(&[], |(tuple, _)| tuple.bytes())
    }

    /// The cells behind the key.
    pub fn cells(&self) -> impl Iterator<Item = Option<&[u8]>> {
        self.tuple().map(|(tuple, _)| tuple.skip(self.forms.len())).into_iter().flatten()
    }

    /// Bytes that came since this was last asked.
    pub fn take_bytes(&mut self) -> u64 {
        std::mem::take(&mut self.bytes)
    }

    /// Goes to the next row. An order that is not the one promised would hide differences: it is an
    /// error.
    pub async fn advance(&mut self) -> Result<()> {
        self.at = self.next;
        while self.tuple().is_none() {
            let Some(batch) = self.stream.next().await? else {
                (self.batch, self.key, self.repeats) = (None, None, false);
                return Ok(());
            };
            self.bytes += batch.bytes() as u64;
            (self.batch, self.at) = (Some(batch), 0);
        }
        let Some((tuple, next)) = self.tuple() else { return Ok(()) };
        let key = read_key(tuple, self.forms)
            .ok_or_else(|| Error::stop(format!("the {} sent a key of an unexpected form", self.side)))?;
        self.next = next;
        if self.key.as_ref().is_some_and(|before| *before > key) {
            return Err(Error::stop(format!("the {} sent rows out of the order of their keys", self.side))
                .hint("a text key is compared by its bytes, for which both databases must be in UTF-8"));
        }
        self.repeats = self.key.as_ref() == Some(&key);
        self.key = Some(key);
        Ok(())
    }

    fn tuple(&self) -> Option<(Tuple<'_>, usize)> {
        self.batch.as_ref()?.tuple_at(self.at)
    }
}

fn read_key(mut tuple: Tuple<'_>, forms: &[KeyForm]) -> Option<Key> {
    let parts = forms.iter().map(|form| {
        let Some(field) = tuple.next()? else { return Some(KeyPart::Null) };
        match form {
            KeyForm::Integer => Some(KeyPart::Integer(i64::from_be_bytes(field.try_into().ok()?))),
            KeyForm::Numeric | KeyForm::Text => Some(KeyPart::Text(std::str::from_utf8(field).ok()?.into())),
        }
    });
    parts.collect::<Option<Vec<KeyPart>>>().map(Key)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_have_the_order_of_the_server_and_null_is_last() {
        let text = |text: &str| Key(vec![KeyPart::Text(text.into()), KeyPart::Integer(1)]);
        assert!(Key::integer(-5) < Key::integer(3) && Key::integer(9) < Key::integer(10));
        assert!(text("Z") < text("a") && text("a") < text("ab") && text("z") < text("é"));
        assert!(text("z") < Key(vec![KeyPart::Null, KeyPart::Integer(0)]));
        assert_eq!(text("a b").to_string(), "a b, 1");
    }
}
