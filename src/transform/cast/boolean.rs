//! To `boolean`: true and false, 1 and 0, and every spelling that the server's input takes.

use crate::transform::value::{Cell, Coercion, Reason, Value};

use super::{json_syntax, number, trim};

#[derive(Debug)]
pub(super) struct BooleanCast {
    object_true: bool,
}

impl BooleanCast {
    pub(super) fn new(object_true: bool) -> Self {
        Self { object_true }
    }

    pub(super) fn encode(&self, value: &Value<'_>, out: &mut Vec<u8>) -> Result<Cell, Reason> {
        let (truth, cell) = match *value {
            Value::Null => return Ok(Cell::NULL),
            Value::Bool(truth) => (truth, Cell::VALUE),
            Value::Number(text) if !json_syntax::is_number(text) => return Err(Reason::NotABoolean),
            Value::Number(text) => {
                let truth = match number::decimal(text)?.truncated() {
                    (Some(1), false) => true,
                    (Some(0), false) => false,
                    _ => return Err(Reason::NotABoolean),
                };
                (truth, Cell::coerced(Coercion::NumberToBoolean))
            }
            Value::String(text) => {
                let text = trim(text);
                if text.is_empty() {
                    return Ok(Cell::BLANK);
                }
                (read(text).ok_or(Reason::NotABoolean)?, Cell::coerced(Coercion::StringToBoolean))
            }
            Value::Object(text) if self.object_true => {
                (!json_syntax::is_empty_object(text), Cell::coerced(Coercion::ObjectToBoolean))
            }
            Value::Object(_) | Value::Array(_) => return Err(Reason::WrongKind),
        };
        out.push(u8::from(truth));
        Ok(cell)
    }
}

/// Reads a boolean as `parse_bool_with_len` does: any beginning of a word that fits no other word.
fn read(text: &str) -> Option<bool> {
    let begins = |word: &str, shortest: usize| {
        text.len() >= shortest && word.get(..text.len()).is_some_and(|start| start.eq_ignore_ascii_case(text))
    };
    if text == "1" || begins("true", 1) || begins("yes", 1) || begins("on", 2) {
        Some(true)
    } else if text == "0" || begins("false", 1) || begins("no", 1) || begins("off", 2) {
        Some(false)
    } else {
        None
    }
}
