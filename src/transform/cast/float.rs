//! To `real` and `double precision`: correctly rounded from the decimal text, a `real` directly and not
//! by way of a `double precision`, which would round twice.

use crate::schema::Scalar;
use crate::spec::model::Parse;
use crate::transform::value::{Cell, Reason, Value};

use super::number::{self, Input};

#[derive(Debug)]
pub(super) struct FloatCast {
    /// The value must be in the range of a `real`.
    real_range: bool,
    /// The payload is that of a `real`.
    real: bool,
    parse: Option<Parse>,
}

impl FloatCast {
    pub(super) fn new(named: Scalar, live: Scalar, parse: Option<Parse>) -> Self {
        let real = live == Scalar::Real;
        Self { real_range: real || named == Scalar::Real, real, parse }
    }

    pub(super) fn encode(&self, value: &Value<'_>, out: &mut Vec<u8>) -> Result<Cell, Reason> {
        let (text, coercion) = match number::input_of(value, self.parse)? {
            Input::Null(cell) => return Ok(cell),
            Input::Number(text, coercion) => (text, coercion),
        };
        let decimal = number::decimal(&text)?;
        // The server refuses what becomes infinite, and what becomes zero without being it.
        let fits = |finite: bool, zero: bool| finite && (!zero || decimal.is_zero());
        let real: f32 = if self.real_range { text.parse().map_err(|_| Reason::NotANumber)? } else { 0.0 };
        if self.real_range && !fits(real.is_finite(), real == 0.0) {
            return Err(Reason::OutOfRange);
        }
        if self.real {
            out.extend_from_slice(&real.to_be_bytes());
            return Ok(Cell { null: false, coercion });
        }
        let double: f64 = text.parse().map_err(|_| Reason::NotANumber)?;
        if !fits(double.is_finite(), double == 0.0) {
            return Err(Reason::OutOfRange);
        }
        out.extend_from_slice(&double.to_be_bytes());
        Ok(Cell { null: false, coercion })
    }
}
