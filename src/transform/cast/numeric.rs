//! To `numeric`: the digits as they stand, rounded only where the column has a scale.

use crate::pgcopy::numeric::Limit;
use crate::schema::Precision;
use crate::spec::model::Parse;
use crate::transform::value::{Cell, Coercion, Reason, Value};

use super::number::{self, Input};

#[derive(Debug)]
pub(super) struct NumericCast {
    limit: Option<Limit>,
    parse: Option<Parse>,
}

impl NumericCast {
    pub(super) fn new(named: Option<Precision>, live: Option<Precision>, parse: Option<Parse>) -> Self {
        let limits = [named, live].into_iter().flatten().map(Limit::from);
        Self { limit: limits.reduce(Limit::narrower), parse }
    }

    pub(super) fn encode(&self, value: &Value<'_>, out: &mut Vec<u8>) -> Result<Cell, Reason> {
        let (text, coercion) = match number::input_of(value, self.parse)? {
            Input::Null(cell) => return Ok(cell),
            Input::Number(text, coercion) => (text, coercion),
        };
        let rounded =
            number::decimal(&text)?.encode(self.limit, out).map_err(|_overflow| Reason::OutOfRange)?;
        // A loss of digits says more than where the digits came from.
        let coercion = if rounded { Some(Coercion::Rounded) } else { coercion };
        Ok(Cell { null: false, coercion })
    }
}
