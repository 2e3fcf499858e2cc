//! To `date`, `timestamp`, `timestamptz`, and to a `bigint` of epoch milliseconds.
//!
//! A number is epoch milliseconds (seconds where the column says so; never guessed). A string is, in this
//! order: ISO 8601 ([`iso`]), one of the column's own forms ([`mod@format`]), a number in digits. All of it is
//! UTC where no offset stands: a `timestamp` holds the UTC wall clock, so that it and a `timestamptz` and
//! the milliseconds of one value are one instant.

mod calendar;
mod format;
mod iso;

use crate::schema::Scalar;
use crate::spec::model::{CastSpec, EpochUnit};
use crate::transform::value::{Cell, Coercion, Reason, Value};

use super::{Misfit, integer, json_syntax, number, trim};
use calendar::{MICROS_PER_DAY, Stamp};
use format::Format;

/// Checks a column's own form of dates or times: `MM/DD/YYYY HH24:MI`. The error says what is wrong.
pub fn check_format(pattern: &str) -> Result<(), String> {
    Format::parse(pattern).map(drop)
}

#[derive(Debug)]
pub(super) struct TemporalCast {
    target: Target,
    unit: EpochUnit,
    /// Numbers that mean NULL; empty but for milliseconds.
    none: Box<[i64]>,
    formats: Box<[Format]>,
}

#[derive(Clone, Copy, Debug)]
enum Target {
    /// Days since 2000-01-01.
    Date,
    /// Microseconds since 2000-01-01.
    Timestamp,
    /// Milliseconds since 1970-01-01.
    EpochMs,
}

impl TemporalCast {
    pub(super) fn compile(spec: &CastSpec, live: Scalar) -> Result<Self, Misfit> {
        let target = match live {
            Scalar::Date => Target::Date,
            Scalar::BigInt => Target::EpochMs,
            _ => Target::Timestamp,
        };
        let formats = spec.formats.iter().map(|pattern| Format::parse(pattern)).collect::<Result<_, _>>();
        let formats = formats.map_err(Misfit)?;
        Ok(Self { target, unit: spec.unit, none: spec.none.as_slice().into(), formats })
    }

    pub(super) fn encode(&self, value: &Value<'_>, out: &mut Vec<u8>) -> Result<Cell, Reason> {
        let text = match *value {
            Value::Null => return Ok(Cell::NULL),
            Value::Bool(_) | Value::Array(_) | Value::Object(_) => return Err(Reason::WrongKind),
            Value::Number(text) => return self.encode_epoch(self.read_number(text)?, None, out),
            Value::String(text) => text,
        };
        let trimmed = trim(text);
        if trimmed.is_empty() {
            return Ok(Cell::BLANK);
        }
        match self.read_stamp(trimmed) {
            Some(stamp) => {
                let untidy = (trimmed.len() < text.len()).then_some(Coercion::TextRule);
                self.encode_stamp(stamp?, untidy, out)
            }
            None => self.encode_epoch(read_digits(trimmed)?, Some(Coercion::StringToNumber), out),
        }
    }

    fn read_stamp(&self, text: &str) -> Option<Result<Stamp, Reason>> {
        let mut first = iso::read(text);
        if !matches!(first, Some(Ok(_))) {
            for format in &self.formats {
                match format.read(text) {
                    Some(Ok(stamp)) => return Some(Ok(stamp)),
                    refused => first = first.or(refused),
                }
            }
        }
        first
    }

    /// Reads a JSON number. A date does not ask for an integral one.
    fn read_number(&self, text: &str) -> Result<i64, Reason> {
        if let Some(number) = integer::read_plain(text) {
            return Ok(number);
        }
        if !json_syntax::is_number(text) {
            return Err(Reason::NotATime);
        }
        match (number::decimal(text)?.truncated(), self.target) {
            ((Some(number), true), Target::Date) => {
                // The last of them is beyond every date, with or without one more.
                Ok(number.saturating_sub(i64::from(text.starts_with('-'))))
            }
            ((None, true), Target::Date) => Err(Reason::OutOfRange),
            ((_, true), _) => Err(Reason::Fraction),
            ((number, false), _) => number.ok_or(Reason::OutOfRange),
        }
    }

    fn encode_epoch(&self, epoch: i64, source: Option<Coercion>, out: &mut Vec<u8>) -> Result<Cell, Reason> {
        if self.none.contains(&epoch) {
            return Ok(Cell { null: true, coercion: Some(Coercion::NamedNull) });
        }
        let epoch_ms = match self.unit {
            EpochUnit::Milliseconds => Some(epoch),
            EpochUnit::Seconds => epoch.checked_mul(1000),
        };
        let epoch_ms = epoch_ms.ok_or(Reason::OutOfRange)?;
        let coercion = match self.target {
            Target::EpochMs => {
                out.extend_from_slice(&epoch_ms.to_be_bytes());
                source
            }
            Target::Date => {
                encode_date(i128::from(epoch_ms.div_euclid(MICROS_PER_DAY / 1000)), out)?;
                Some(Coercion::EpochToTime)
            }
            Target::Timestamp => {
                out.extend_from_slice(&calendar::timestamp(i128::from(epoch_ms) * 1000)?.to_be_bytes());
                Some(Coercion::EpochToTime)
            }
        };
        Ok(Cell { null: false, coercion })
    }

    fn encode_stamp(
        &self,
        stamp: Stamp,
        untidy: Option<Coercion>,
        out: &mut Vec<u8>,
    ) -> Result<Cell, Reason> {
        let coercion = match self.target {
            Target::Date => {
                encode_date(stamp.utc_day(), out)?;
                stamp.micros.map(|_| Coercion::TimeToDate).or(untidy)
            }
            Target::Timestamp => {
                out.extend_from_slice(&calendar::timestamp(stamp.epoch_micros())?.to_be_bytes());
                untidy
            }
            Target::EpochMs => {
                let epoch_micros = stamp.epoch_micros();
                // Any date that the server knows: its milliseconds fit 64 bits.
                calendar::date(i128::from(stamp.epoch_day))?;
                out.extend_from_slice(&(epoch_micros.div_euclid(1000) as i64).to_be_bytes());
                Some(Coercion::TimeToEpoch)
            }
        };
        Ok(Cell { null: false, coercion })
    }
}

fn encode_date(epoch_day: i128, out: &mut Vec<u8>) -> Result<(), Reason> {
    out.extend_from_slice(&calendar::date(epoch_day)?.to_be_bytes());
    Ok(())
}

/// Reads a string of digits behind an optional minus.
fn read_digits(text: &str) -> Result<i64, Reason> {
    if let Some(number) = integer::read_plain(text) {
        return Ok(number);
    }
    let digits = text.strip_prefix('-').unwrap_or(text);
    if digits.is_empty() || !digits.bytes().all(|byte| byte.is_ascii_digit()) {
        return Err(Reason::NotATime);
    }
    // Only its size is left to be wrong, or zeros in front.
    text.parse().map_err(|_| Reason::OutOfRange)
}
