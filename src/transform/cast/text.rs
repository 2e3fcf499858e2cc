//! To `text` and `varchar(n)`: what `->>` prints.

use crate::schema::Scalar;
use crate::transform::short;
use crate::transform::value::{Cell, Coercion, Reason, Value};

use super::{json_syntax, trim};

#[derive(Debug)]
pub(super) struct TextCast {
    /// In characters.
    max_chars: Option<usize>,
    blank_null: bool,
}

impl TextCast {
    pub(super) fn new(types: [Scalar; 2], blank_null: bool) -> Self {
        let lengths = types.into_iter().filter_map(|scalar| match scalar {
            Scalar::Varchar(length) => Some(length as usize),
            _ => None,
        });
        Self { max_chars: lengths.min(), blank_null }
    }

    pub(super) fn encode(&self, value: &Value<'_>, out: &mut Vec<u8>) -> Result<Cell, Reason> {
        let (text, cell) = match *value {
            Value::Null => return Ok(Cell::NULL),
            Value::String(text) if self.blank_null && trim(text).is_empty() => return Ok(Cell::BLANK),
            Value::String(text) => (text, Cell::VALUE),
            Value::Bool(true) => ("true", Cell::coerced(Coercion::ScalarToText)),
            Value::Bool(false) => ("false", Cell::coerced(Coercion::ScalarToText)),
            // A document that was not valid JSON can hold anything in the place of a number.
            Value::Number(text) if !json_syntax::is_number(text) => return Err(Reason::NotANumber),
            Value::Number(text) => (text, Cell::coerced(Coercion::ScalarToText)),
            Value::Array(text) | Value::Object(text) => (text, Cell::coerced(Coercion::StructureToText)),
        };
        // No more bytes than characters allowed: no need to count.
        if self.max_chars.is_some_and(|max| text.len() > max && text.chars().nth(max).is_some()) {
            return Err(Reason::TooLong);
        }
        if short::contains(0, text.as_bytes()) {
            return Err(Reason::WrongKind);
        }
        out.extend_from_slice(text.as_bytes());
        Ok(cell)
    }
}
