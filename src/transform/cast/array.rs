//! To `T[]`: each element by the rule of `T`.
//!
//! ```text
//! payload = dimensions: i32 (0 or 1)  has nulls: i32  element type: u32  dimension?  field*
//! dimension = length: i32  lower bound: i32 (1)
//! field = length: i32 (-1 is NULL)  payload
//! ```

use serde::de::{Deserializer, Error as _, SeqAccess, Visitor};
use serde_json::value::RawValue;

use crate::schema::Scalar;
use crate::transform::document::value_of;
use crate::transform::value::{Cell, Coercion, Reason, Value};

use super::{ScalarCast, trim};

#[derive(Debug)]
pub(super) struct ArrayCast {
    element_oid: u32,
    /// One value is an array of one.
    wrap: bool,
}

impl ArrayCast {
    pub(super) fn new(element: Scalar, wrap: bool) -> Self {
        Self { element_oid: element.oid(), wrap }
    }

    pub(super) fn encode(
        &self,
        scalar: &ScalarCast,
        value: &Value<'_>,
        out: &mut Vec<u8>,
    ) -> Result<Cell, Reason> {
        let start = out.len();
        let mut elements = Elements::begin(scalar, out);
        let outcome = match *value {
            Value::Null => Ok(Cell::NULL),
            Value::String(text) if trim(text).is_empty() => Ok(Cell::BLANK),
            Value::Array(text) => elements.push_all(text),
            _ if self.wrap => elements.push(value).map(|cell| match cell.null {
                // A value that means none is no array at all, as a blank one is none.
                true => cell,
                false => Cell::coerced(Coercion::Wrapped),
            }),
            _ => Err(Reason::NotAnArray),
        };
        match outcome {
            Ok(cell) if !cell.null => elements.finish(start, self.element_oid),
            _ => out.truncate(start),
        }
        outcome
    }
}

const HEADER_BYTES: usize = 12;
const DIMENSION_BYTES: usize = 8;

/// The elements of an array as they are appended.
struct Elements<'c, 'o> {
    scalar: &'c ScalarCast,
    out: &'o mut Vec<u8>,
    count: u32,
    nulls: bool,
    /// Of the first element that needed one.
    coercion: Option<Coercion>,
}

impl<'c, 'o> Elements<'c, 'o> {
    fn begin(scalar: &'c ScalarCast, out: &'o mut Vec<u8>) -> Self {
        out.extend_from_slice(&[0; HEADER_BYTES + DIMENSION_BYTES]);
        Self { scalar, out, count: 0, nulls: false, coercion: None }
    }

    fn push(&mut self, value: &Value<'_>) -> Result<Cell, Reason> {
        let start = self.out.len();
        self.out.extend_from_slice(&(-1_i32).to_be_bytes());
        let cell = self.scalar.encode(value, self.out)?;
        self.count += 1;
        self.nulls |= cell.null;
        self.coercion = self.coercion.or(cell.coercion);
        if !cell.null {
            // The length stands at `start`, and a cast only appends; a payload is about as long as its text
            // in a document, far below 4 GiB.
            let payload_bytes = (self.out.len() - start - 4) as u32;
            self.out[start..start + 4].copy_from_slice(&payload_bytes.to_be_bytes());
        }
        Ok(cell)
    }

    fn push_all(&mut self, array: &str) -> Result<Cell, Reason> {
        let mut refusal = None;
        let mut reader = serde_json::Deserializer::from_str(array);
        let read = reader.deserialize_seq(PushAll { elements: self, refusal: &mut refusal });
        if let Some(reason) = refusal {
            return Err(reason);
        }
        read.and_then(|()| reader.end()).map_err(|_| Reason::NotAnArray)?;
        Ok(Cell { null: false, coercion: self.coercion })
    }

    /// Writes what stands in front of the elements, which begins at `start`.
    fn finish(self, start: usize, element_oid: u32) {
        let dimensions = u32::from(self.count > 0);
        let words = [dimensions, u32::from(self.nulls), element_oid, self.count, 1];
        // The header stands at `start`: elements are only appended.
        for (to, word) in self.out[start..].chunks_exact_mut(4).zip(words) {
            to.copy_from_slice(&word.to_be_bytes());
        }
        if self.count == 0 {
            self.out.truncate(start + HEADER_BYTES);
        }
    }
}

struct PushAll<'e, 'c, 'o, 'r> {
    elements: &'e mut Elements<'c, 'o>,
    /// serde knows no error but its own: ours leaves by this door.
    refusal: &'r mut Option<Reason>,
}

impl<'de> Visitor<'de> for PushAll<'_, '_, '_, '_> {
    type Value = ();

    fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("an array")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<(), A::Error> {
        let mut scratch = String::new();
        while let Some(raw) = seq.next_element::<&RawValue>()? {
            self.elements.push(&value_of(raw.get(), &mut scratch)).map_err(|reason| {
                *self.refusal = Some(reason);
                A::Error::custom("refused")
            })?;
        }
        Ok(())
    }
}
