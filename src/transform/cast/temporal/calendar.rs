//! Days and microseconds, and the ranges that the server has for them (`datatype/timestamp.h`).

use std::ops::Range;

use crate::transform::value::Reason;

pub(super) const MICROS_PER_SECOND: i64 = 1_000_000;
pub(super) const MICROS_PER_DAY: i64 = 86_400 * MICROS_PER_SECOND;

/// 2000-01-01 in days since 1970-01-01.
const SERVER_EPOCH_DAY: i64 = 10_957;
/// `date`, in days since 2000-01-01: 4714-11-24 BC up to 5874897-12-31.
const DATES: Range<i128> = -2_451_545..2_145_031_949;
/// `timestamp`, in microseconds since 2000-01-01: 4714-11-24 BC up to 294276-12-31.
const TIMESTAMPS: Range<i128> = -211_813_488_000_000_000..9_223_371_331_200_000_000;

/// A date, perhaps with a time of day and an offset, as it was written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Stamp {
    /// Days since 1970-01-01.
    pub(super) epoch_day: i64,
    /// The time of day, up to 24:00 inclusive.
    pub(super) micros: Option<i64>,
    /// East of UTC; 0 where it was not written.
    pub(super) offset_seconds: i64,
}

impl Stamp {
    /// The instant, in microseconds since 1970 UTC.
    pub(super) fn epoch_micros(&self) -> i128 {
        i128::from(self.epoch_day) * i128::from(MICROS_PER_DAY)
            + i128::from(self.micros.unwrap_or(0) - self.offset_seconds * MICROS_PER_SECOND)
    }

    /// The UTC day, in days since 1970-01-01. Without an offset it is the day that was written, as the
    /// server has it, be it at 24:00.
    pub(super) fn utc_day(&self) -> i128 {
        match self.offset_seconds {
            0 => i128::from(self.epoch_day),
            _ => self.epoch_micros().div_euclid(i128::from(MICROS_PER_DAY)),
        }
    }
}

/// The server's `date` of a day since 1970-01-01.
pub(super) fn date(epoch_day: i128) -> Result<i32, Reason> {
    let days = epoch_day - i128::from(SERVER_EPOCH_DAY);
    if DATES.contains(&days) {
        i32::try_from(days).map_err(|_| Reason::OutOfRange)
    } else {
        Err(Reason::OutOfRange)
    }
}

/// The server's `timestamp` of an instant in microseconds since 1970.
pub(super) fn timestamp(epoch_micros: i128) -> Result<i64, Reason> {
    let micros = epoch_micros - i128::from(SERVER_EPOCH_DAY * MICROS_PER_DAY);
    if TIMESTAMPS.contains(&micros) {
        i64::try_from(micros).map_err(|_| Reason::OutOfRange)
    } else {
        Err(Reason::OutOfRange)
    }
}

/// The days from 1970-01-01 to a day of the Gregorian calendar, which has no year 0.
pub(super) fn epoch_day(year: i64, month: i64, day: i64) -> Result<i64, Reason> {
    let leap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
    let days_in_month = match month {
        1 | 3 | 5 | 7 | 8 | 10 | 12 => 31,
        4 | 6 | 9 | 11 => 30,
        2 if leap => 29,
        2 => 28,
        _ => 0,
    };
    if year < 1 || !(1..=days_in_month).contains(&day) {
        return Err(Reason::NoSuchDate);
    }
    // Years that begin in March have their leap day at the end, and their months follow one line.
    let (year, month) = if month > 2 { (year, month - 3) } else { (year - 1, month + 9) };
    let day_of_year = (153 * month + 2) / 5 + day - 1;
    Ok(365 * year + year / 4 - year / 100 + year / 400 + day_of_year - 719_468)
}
