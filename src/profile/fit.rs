//! Which types take every value of a key: the casts of a run are asked, value by value.
//!
//! Nothing is guessed from the look of a value. A cast that has refused one value is never asked again for
//! that key, so text costs nothing after its first words, and what is left at the end is what a run would
//! take: a type chosen from it loads every value that was seen.

use std::sync::LazyLock;

use crate::schema::{ColumnType, Scalar};
use crate::spec::model::{CastSpec, EpochUnit, Parse};
use crate::transform::cast::Cast;
use crate::transform::value::Value;

/// The forms of dates that people write beside ISO's own; where two take all values, the first is named.
pub const DATE_FORMATS: [&str; 6] =
    ["MM/DD/YYYY", "DD/MM/YYYY", "DD.MM.YYYY", "YYYY/MM/DD", "MM-DD-YYYY", "DD-MM-YYYY"];

/// The same with a time of day.
pub const TIME_FORMATS: [&str; 6] = [
    "MM/DD/YYYY HH24:MI:SS",
    "DD/MM/YYYY HH24:MI:SS",
    "MM/DD/YYYY HH24:MI",
    "DD/MM/YYYY HH24:MI",
    "DD.MM.YYYY HH24:MI:SS",
    "YYYY/MM/DD HH24:MI:SS",
];

/// A type with the options that may be needed for it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fit {
    /// `boolean`
    Boolean,
    /// `bigint`
    Integer,
    /// `numeric`
    Numeric,
    /// `numeric` with `parse = "money"`
    Money,
    /// `numeric` with `parse = "percent"`
    Percent,
    /// `date`, ISO's or milliseconds
    Date,
    /// `timestamptz`, ISO's or milliseconds
    Time,
    /// `timestamptz` with `unit = "s"`
    Seconds,
    /// `uuid`
    Uuid,
    /// `jsonb` with `parse = "json"`
    Json,
    /// `date` with one of [`DATE_FORMATS`]
    DateAs(usize),
    /// `timestamptz` with one of [`TIME_FORMATS`]
    TimeAs(usize),
}

const FIXED: [Fit; 10] = [
    Fit::Boolean,
    Fit::Integer,
    Fit::Numeric,
    Fit::Money,
    Fit::Percent,
    Fit::Date,
    Fit::Time,
    Fit::Seconds,
    Fit::Uuid,
    Fit::Json,
];

impl Fit {
    /// Its bit.
    fn place(self) -> usize {
        match self {
            Self::DateAs(format) => FIXED.len() + format,
            Self::TimeAs(format) => FIXED.len() + DATE_FORMATS.len() + format,
            fixed => FIXED.iter().position(|fit| *fit == fixed).unwrap_or(0),
        }
    }

    /// The cast as a pipeline file would say it.
    pub fn cast(self) -> CastSpec {
        let plain = |scalar| CastSpec::plain(ColumnType::scalar(scalar));
        let formats = |all: &[&str], at: usize| all.get(at).map(|format| (*format).to_owned()).into_iter();
        match self {
            Self::Boolean => plain(Scalar::Boolean),
            Self::Integer => plain(Scalar::BigInt),
            Self::Numeric => plain(Scalar::Numeric(None)),
            Self::Money => CastSpec { parse: Some(Parse::Money), ..plain(Scalar::Numeric(None)) },
            Self::Percent => CastSpec { parse: Some(Parse::Percent), ..plain(Scalar::Numeric(None)) },
            Self::Date => plain(Scalar::Date),
            Self::Time => plain(Scalar::TimestampTz),
            Self::Seconds => CastSpec { unit: EpochUnit::Seconds, ..plain(Scalar::TimestampTz) },
            Self::Uuid => plain(Scalar::Uuid),
            Self::Json => CastSpec { parse: Some(Parse::Json), ..plain(Scalar::Jsonb) },
            Self::DateAs(at) => {
                CastSpec { formats: formats(&DATE_FORMATS, at).collect(), ..plain(Scalar::Date) }
            }
            Self::TimeAs(at) => {
                CastSpec { formats: formats(&TIME_FORMATS, at).collect(), ..plain(Scalar::TimestampTz) }
            }
        }
    }

    fn all() -> impl Iterator<Item = Self> {
        FIXED
            .into_iter()
            .chain((0..DATE_FORMATS.len()).map(Self::DateAs))
            .chain((0..TIME_FORMATS.len()).map(Self::TimeAs))
    }
}

/// The casts by their places.
static CASTS: LazyLock<Vec<Option<Cast>>> = LazyLock::new(|| {
    Fit::all()
        .map(|fit| {
            let spec = fit.cast();
            // Each of them compiles, as a test holds; one that did not would take nothing.
            Cast::compile(&spec, spec.column_type).ok()
        })
        .collect()
});

/// The types that are left.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Fits(u32);

impl Default for Fits {
    fn default() -> Self {
        Self((1 << (FIXED.len() + DATE_FORMATS.len() + TIME_FORMATS.len())) - 1)
    }
}

impl Fits {
    /// Whether every value was taken.
    pub fn has(self, fit: Fit) -> bool {
        self.0 & (1 << fit.place()) != 0
    }

    /// Those that take both.
    #[must_use]
    pub fn both(self, other: Self) -> Self {
        Self(self.0 & other.0)
    }

    /// Drops the types whose casts refuse a value.
    pub(super) fn see(&mut self, value: &Value<'_>) {
        if self.0 == 0 {
            return;
        }
        // A form of dates is one for texts: a number is read by each of them as by a date without one.
        let asked = match value {
            Value::Null => return,
            Value::Array(_) | Value::Object(_) => {
                self.0 = 0;
                return;
            }
            Value::Number(_) | Value::Bool(_) => FIXED.len(),
            Value::String(_) => CASTS.len(),
        };
        let mut out = Vec::new();
        for (place, cast) in CASTS.iter().enumerate().take(asked) {
            let bit = 1 << place;
            if self.0 & bit == 0 {
                continue;
            }
            out.clear();
            if cast.as_ref().is_none_or(|cast| cast.encode(value, &mut out).is_err()) {
                self.0 &= !bit;
            }
        }
        if asked == FIXED.len() {
            for (fit, all) in [(Fit::Date, DATES), (Fit::Time, TIMES)] {
                if !self.has(fit) {
                    self.0 &= !all;
                }
            }
        }
    }
}

const DATES: u32 = ((1 << DATE_FORMATS.len()) - 1) << FIXED.len();
const TIMES: u32 = ((1 << TIME_FORMATS.len()) - 1) << (FIXED.len() + DATE_FORMATS.len());

/// Whether a cast takes a text, and it is no blank.
pub(super) fn takes(fit: Fit, text: &str) -> bool {
    let mut out = Vec::new();
    let cast = CASTS.get(fit.place()).and_then(Option::as_ref);
    cast.is_some_and(|cast| cast.encode(&Value::String(text), &mut out).is_ok_and(|cell| !cell.null))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn left(values: &[Value<'_>]) -> Fits {
        let mut fits = Fits::default();
        for value in values {
            fits.see(value);
        }
        fits
    }

    #[test]
    fn every_type_has_a_cast_and_a_place_of_its_own() {
        assert!(CASTS.iter().all(Option::is_some));
        let places: Vec<usize> = Fit::all().map(Fit::place).collect();
        assert_eq!(places, (0..CASTS.len()).collect::<Vec<_>>());
    }

    #[test]
    fn a_type_that_refuses_one_value_is_out() {
        let fits = left(&[Value::Number("12"), Value::String(" 7 "), Value::String(""), Value::Null]);
        assert!(fits.has(Fit::Integer) && fits.has(Fit::Numeric) && fits.has(Fit::Time));
        assert!(!fits.has(Fit::Boolean) && !fits.has(Fit::Uuid));
        let fits = left(&[Value::Number("12"), Value::Number("1.5"), Value::String("$1,200.50")]);
        assert!(fits.has(Fit::Money) && !fits.has(Fit::Numeric) && !fits.has(Fit::Integer));
        assert!(!fits.has(Fit::TimeAs(0)), "a fraction is no time in any form");
        let fits = left(&[Value::String("01/31/2025"), Value::String("2025-01-15")]);
        assert!(fits.has(Fit::DateAs(0)) && !fits.has(Fit::DateAs(1)) && !fits.has(Fit::Date));
        assert_eq!(left(&[Value::Array("[]")]), Fits(0));
    }

    #[test]
    fn types_that_take_both_halves_take_all() {
        let (a, b) = (left(&[Value::Number("1")]), left(&[Value::String("x")]));
        assert_eq!(a.both(b), left(&[Value::Number("1"), Value::String("x")]));
    }
}
