//! Rows of a target that explodes an array: one for each element, in their order.
//!
//! An element is read as a document is: its wanted keys are found, and the columns are written from them. The row
//! that the document's other targets are made of lends its id and its keys.

use std::borrow::Cow;
use std::fmt::Write as _;

use super::reject::{Reject, write_reject};
use super::{Path, Row, Scratch, TargetProgram, corrupt, count};
use crate::error::Error;
use crate::pgcopy::RowBuffer;
use crate::pgcopy::ondisk::Corrupt;
use crate::transform::document::{Found, NoKeys, Raw, WantedKeys};
use crate::transform::output::{Output, Rule};
use crate::transform::rules::WHITE_SPACE;
use crate::transform::value::{Coercion, Reason, Value};

/// The array that a target explodes.
#[derive(Debug)]
pub struct Explode {
    pub(in crate::transform) path: Path,
    /// The array for people and for the quarantine: `items`.
    pub(in crate::transform) key: String,
    /// The keys of an element.
    pub(in crate::transform) wanted: WantedKeys,
    /// Whether an element must be an object or null.
    pub(in crate::transform) objects: bool,
}

/// The element that a row is made of.
pub(super) struct Element<'a, R> {
    pub(super) value: R,
    pub(super) position: i64,
    pub(super) position_text: &'a str,
    /// The values of the document's keys.
    pub(super) document: &'a Found<R>,
    /// The array for people.
    array: &'a str,
}

/// What stands where an array is expected.
enum Array {
    /// An array, or nothing.
    Elements,
    /// A value that means no elements.
    Empty,
    Rejected,
}

impl<R> Row<'_, R> {
    /// The key of a column for people, with the place of the element in it: `items[2].price`.
    pub(super) fn key<'k>(&self, key: &'k str) -> Cow<'k, str> {
        match self.element {
            None => Cow::Borrowed(key),
            Some(Element { array, position, .. }) => {
                Cow::Owned(key.replace(&format!("{array}[]"), &format!("{array}[{position}]")))
            }
        }
    }
}

impl Explode {
    /// Whether a row is made of each element.
    fn read<'d, R: Raw<'d>>(
        &self,
        row: &Row<'_, R>,
        elements: &mut Vec<R>,
        scratch: &mut Scratch<R>,
    ) -> Result<(Array, Option<R>), Corrupt> {
        let Some(raw) = self.path.find(row, &mut scratch.inner)? else { return Ok((Array::Elements, None)) };
        if raw.elements(elements)? {
            return Ok((Array::Elements, None));
        }
        let is_empty = match raw.value(&mut scratch.text)? {
            Value::Bool(truth) => !truth,
            Value::Number(number) => is_zero(number),
            Value::String(text) => text.trim_matches(WHITE_SPACE).is_empty(),
            Value::Null | Value::Array(_) | Value::Object(_) => false,
        };
        Ok((if is_empty { Array::Empty } else { Array::Rejected }, Some(raw)))
    }
}

/// Whether a number of JSON is 0, however it is written.
fn is_zero(number: &str) -> bool {
    let digits = number.split(['e', 'E']).next().unwrap_or_default();
    digits.contains('0') && digits.bytes().all(|byte| matches!(byte, b'0' | b'.' | b'-'))
}

impl TargetProgram {
    /// Writes the rows of a document, and counts them for the target at `index`.
    #[inline(never)]
    pub(super) fn explode<'d, R: Raw<'d>>(
        &self,
        explode: &Explode,
        index: usize,
        row: &Row<'_, R>,
        buffer: &mut RowBuffer,
        scratch: &mut Scratch<R>,
        output: &mut Output,
    ) -> Result<(), Error> {
        // Taken out, so that the rest can be lent while a row is open.
        let mut elements = std::mem::take(&mut scratch.elements);
        elements.clear();
        let slot = self.first_slot + self.columns.len();
        let broken = |Corrupt| corrupt(row.id);
        match explode.read(row, &mut elements, scratch).map_err(broken)? {
            (Array::Elements, _) => {}
            (Array::Empty, _) => output.tally.count(slot, Rule::Coerced(Coercion::NoElements), row.id),
            (Array::Rejected, raw) => {
                let raw = raw.map(|raw| raw.json(&mut scratch.text)).transpose().map_err(broken)?;
                let reject =
                    Reject { key: Some(&explode.key), ..Reject::row(&self.table, raw, Reason::NotAnArray) };
                write_reject(output, slot, row.id, reject);
                let tally = &mut output.tally.targets[index];
                tally.elements += 1;
                tally.quarantined += 1;
            }
        }
        let mut found = std::mem::take(&mut scratch.of_element);
        let mut position_text = String::new();
        for (position, &value) in (1_i64..).zip(&elements) {
            output.tally.targets[index].elements += 1;
            found.reset(explode.wanted.len());
            let is_object = match value.find(&explode.wanted, &mut found) {
                Ok(()) => true,
                Err(NoKeys::NotAnObject) => false,
                Err(NoKeys::Corrupt) => return Err(corrupt(row.id)),
            };
            position_text.clear();
            // Writing to a String cannot fail.
            let _ = write!(position_text, "{position}");
            let element = Element {
                value,
                position,
                position_text: &position_text,
                document: row.found,
                array: &explode.key,
            };
            if explode.objects && !is_object && !value.is_null() {
                let raw = value.json(&mut scratch.text).map_err(broken)?;
                let key = format!("{}[{position}]", explode.key);
                let reject = Reject {
                    key: Some(&key),
                    position: Some(position),
                    ..Reject::row(&self.table, Some(raw), Reason::NotAnObject)
                };
                write_reject(output, slot, row.id, reject);
                output.tally.targets[index].quarantined += 1;
                continue;
            }
            let row = Row { element: Some(&element), found: &found, ..*row };
            let written = self.write(&row, buffer, scratch, output);
            count(&mut output.tally.targets[index], written, row.id)?;
        }
        scratch.of_element = found;
        scratch.elements = elements;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn zero_is_zero_in_every_spelling_and_nothing_else_is() {
        for zero in ["0", "-0", "0.00", "0e5", "-0.0E-3"] {
            assert!(is_zero(zero), "{zero}");
        }
        for other in ["1", "10", "0.001", "-1e0", "", "-", "."] {
            assert!(!is_zero(other), "{other}");
        }
    }
}
