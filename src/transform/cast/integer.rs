//! To `smallint`, `integer` and `bigint`: a number of integral value, however it is written.

use std::ops::RangeInclusive;

use crate::schema::Scalar;
use crate::spec::model::{CastSpec, Parse};
use crate::transform::value::{Cell, Coercion, Reason, Value};

use super::number::{self, Input};

#[derive(Debug)]
pub(super) struct IntegerCast {
    range: RangeInclusive<i64>,
    /// The bytes of the live type.
    width: usize,
    none: Box<[i64]>,
    parse: Option<Parse>,
}

impl IntegerCast {
    pub(super) fn new(named: Scalar, live: Scalar, spec: &CastSpec) -> Self {
        let width = width_of(live);
        let range = match width.min(width_of(named)) {
            2 => i64::from(i16::MIN)..=i64::from(i16::MAX),
            4 => i64::from(i32::MIN)..=i64::from(i32::MAX),
            _ => i64::MIN..=i64::MAX,
        };
        Self { range, width, none: spec.none.as_slice().into(), parse: spec.parse }
    }

    pub(super) fn encode(&self, value: &Value<'_>, out: &mut Vec<u8>) -> Result<Cell, Reason> {
        let plain = match *value {
            Value::Number(text) => read_plain(text),
            _ => None,
        };
        let (number, coercion) = match plain {
            Some(number) => (number, None),
            None => match number::input_of(value, self.parse)? {
                Input::Null(cell) => return Ok(cell),
                Input::Number(text, coercion) => (read(&text)?, coercion),
            },
        };
        if self.none.contains(&number) {
            return Ok(Cell { null: true, coercion: Some(Coercion::NamedNull) });
        }
        if !self.range.contains(&number) {
            return Err(Reason::OutOfRange);
        }
        let bytes = number.to_be_bytes();
        // The width is 2, 4 or 8, and the number is in its range: only copies of the sign are cut off.
        out.extend_from_slice(&bytes[bytes.len() - self.width..]);
        Ok(Cell { null: false, coercion })
    }
}

fn width_of(scalar: Scalar) -> usize {
    match scalar {
        Scalar::SmallInt => 2,
        Scalar::Integer => 4,
        _ => 8,
    }
}

/// Reads a number of integral value.
pub(super) fn read(text: &str) -> Result<i64, Reason> {
    if let Some(number) = read_plain(text) {
        return Ok(number);
    }
    match number::decimal(text)?.truncated() {
        (_, true) => Err(Reason::Fraction),
        (Some(number), false) => Ok(number),
        (None, false) => Err(Reason::OutOfRange),
    }
}

/// Reads up to eighteen digits behind an optional minus, as JSON writes an integer: nearly all that
/// there are. `None` says nothing about the text but that it needs a closer look.
pub(super) fn read_plain(text: &str) -> Option<i64> {
    let (negative, digits) = match text.as_bytes() {
        [b'-', digits @ ..] => (true, digits),
        digits => (false, digits),
    };
    if digits.is_empty() || digits.len() > 18 || (digits.len() > 1 && digits.first() == Some(&b'0')) {
        return None;
    }
    let mut number = 0_i64;
    for digit in digits {
        if !digit.is_ascii_digit() {
            return None;
        }
        number = number * 10 + i64::from(digit - b'0');
    }
    Some(if negative { -number } else { number })
}
