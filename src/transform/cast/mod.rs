//! Casts: from one JSON value to the payload of one COPY BINARY field.
//!
//! A cast is total: every value becomes a payload, NULL or a [`Reason`]; nothing is guessed. Where the
//! server's own cast takes a value too, both give the same bytes; so a cast works on the digits as
//! they were written, never through a float or a tree, and appends to the row's buffer directly. What
//! the server would refuse is refused here, cell by cell: inside a COPY it would cost the whole run.
//!
//! Two types meet in a cast: the one that the pipeline names and the one that the target's column has
//! live. They must be of one family. The live one decides the encoding, the narrower of the two what
//! is in range: a pipeline that says `integer` keeps its promise in a `bigint` column, and a
//! `varchar(5)` column is not sent six characters because the pipeline says `text`.
//!
//! [`Cast::compile`] decides all that once; [`Cast::encode`] is the hot path.

mod array;
mod boolean;
mod float;
mod integer;
mod json;
mod json_syntax;
mod number;
mod numeric;
pub mod temporal;
mod text;
mod uuid;

#[cfg(test)]
mod tests;

use std::fmt;

use crate::schema::{ColumnType, Scalar};
use crate::spec::model::{CastSpec, Parse};
use crate::transform::value::{Cell, Reason, Value};

/// The way from a JSON value to a field of a target's column.
#[derive(Debug)]
pub struct Cast {
    scalar: ScalarCast,
    array: Option<array::ArrayCast>,
}

/// A pipeline's type that does not fit the target's column, in words.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Misfit(String);

impl fmt::Display for Misfit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[derive(Debug)]
enum ScalarCast {
    Text(text::TextCast),
    Integer(integer::IntegerCast),
    Numeric(numeric::NumericCast),
    Float(float::FloatCast),
    Boolean(boolean::BooleanCast),
    Temporal(temporal::TemporalCast),
    Uuid,
    Json(json::JsonCast),
}

impl Cast {
    /// Prepares a cast to a column whose type is `live`; a [`Misfit`] where the type and the options of
    /// the pipeline cannot feed such a column.
    pub fn compile(spec: &CastSpec, live: ColumnType) -> Result<Self, Misfit> {
        let misfit = || Misfit(format!("type {} does not fit a column of type {live}", spec.column_type));
        if spec.column_type.array != live.array {
            return Err(misfit());
        }
        let scalar = ScalarCast::compile(spec, live.scalar)?.ok_or_else(misfit)?;
        let array = live.array.then(|| array::ArrayCast::new(live.scalar, spec.wrap_scalar));
        Ok(Self { scalar, array })
    }

    /// Appends the payload of the field to `out`, without its length. On NULL and on a refusal `out` is
    /// as it was.
    // By reference, and inlined as far as to the one cast: a value that is handed on is written in parts and
    // copied as a whole, and the copy waits for the parts.
    #[inline(always)]
    pub fn encode(&self, value: &Value<'_>, out: &mut Vec<u8>) -> Result<Cell, Reason> {
        match &self.array {
            None => self.scalar.encode(value, out),
            Some(array) => array.encode(&self.scalar, value, out),
        }
    }
}

impl ScalarCast {
    /// `None` where the types are not of one family.
    fn compile(spec: &CastSpec, live: Scalar) -> Result<Option<Self>, Misfit> {
        use Scalar::{
            BigInt, Boolean, Date, Double, Integer, Json, Jsonb, Numeric, Real, SmallInt, Text, Timestamp,
            TimestampTz, Uuid, Varchar,
        };
        let named = spec.column_type.scalar;
        if spec.epoch_ms {
            return match (named, live) {
                (BigInt, BigInt) => {
                    temporal::TemporalCast::compile(spec, live).map(|c| Some(Self::Temporal(c)))
                }
                _ => Err(Misfit(format!("epoch milliseconds need a bigint column, not one of type {live}"))),
            };
        }
        Ok(Some(match (named, live) {
            (Text | Varchar(_), Text | Varchar(_)) => {
                Self::Text(text::TextCast::new([named, live], spec.blank_null))
            }
            (SmallInt | Integer | BigInt, SmallInt | Integer | BigInt) => {
                Self::Integer(integer::IntegerCast::new(named, live, spec))
            }
            (Numeric(named), Numeric(live)) => {
                Self::Numeric(numeric::NumericCast::new(named, live, spec.parse))
            }
            (Real | Double, Real | Double) => Self::Float(float::FloatCast::new(named, live, spec.parse)),
            (Boolean, Boolean) => Self::Boolean(boolean::BooleanCast::new(spec.object_true)),
            (Date, Date) | (Timestamp | TimestampTz, Timestamp | TimestampTz) => {
                Self::Temporal(temporal::TemporalCast::compile(spec, live)?)
            }
            (Uuid, Uuid) => Self::Uuid,
            (Json | Jsonb, Json | Jsonb) => {
                Self::Json(json::JsonCast::new(live == Jsonb, spec.parse == Some(Parse::Json)))
            }
            _ => return Ok(None),
        }))
    }

    #[inline(always)]
    fn encode(&self, value: &Value<'_>, out: &mut Vec<u8>) -> Result<Cell, Reason> {
        match self {
            Self::Text(cast) => cast.encode(value, out),
            Self::Integer(cast) => cast.encode(value, out),
            Self::Numeric(cast) => cast.encode(value, out),
            Self::Float(cast) => cast.encode(value, out),
            Self::Boolean(cast) => cast.encode(value, out),
            Self::Temporal(cast) => cast.encode(value, out),
            Self::Uuid => uuid::encode(value, out),
            Self::Json(cast) => cast.encode(value, out),
        }
    }
}

/// The text without ASCII white space at its ends: what C's `isspace` takes, the vertical tab too.
fn trim(text: &str) -> &str {
    text.trim_matches([' ', '\t', '\n', '\r', '\x0b', '\x0c'])
}
