//! Dates and times as ISO 8601 writes them, as far as the server takes them too:
//! `2025-01-15`, `2025-01-15T09:30:00.123456+02:00`.

use crate::transform::value::Reason;

use super::calendar::{self, MICROS_PER_DAY, MICROS_PER_SECOND, Stamp};

/// Reads a date with or without a time of day. `None` where the text has another form or a time of day
/// that no clock shows.
pub(super) fn read(text: &str) -> Option<Result<Stamp, Reason>> {
    let mut rest = Rest(text.as_bytes());
    let year = rest.digits(4, 7)?;
    rest.expect(b'-')?;
    let month = rest.digits(2, 2)?;
    rest.expect(b'-')?;
    let day = rest.digits(2, 2)?;
    let (micros, offset_seconds) = match rest.take(b"Tt ") {
        Some(_) => (Some(rest.time()?), rest.offset()?),
        None => (None, 0),
    };
    if !rest.0.is_empty() {
        return None;
    }
    Some(calendar::epoch_day(year, month, day).map(|epoch_day| Stamp { epoch_day, micros, offset_seconds }))
}

/// What is still to be read.
pub(super) struct Rest<'a>(pub(super) &'a [u8]);

impl<'a> Rest<'a> {
    /// Takes one of these bytes.
    fn take(&mut self, wanted: &[u8]) -> Option<u8> {
        let (&byte, rest) = self.0.split_first()?;
        wanted.contains(&byte).then(|| {
            self.0 = rest;
            byte
        })
    }

    pub(super) fn expect(&mut self, wanted: u8) -> Option<()> {
        self.take(&[wanted]).map(drop)
    }

    fn digit_run(&mut self) -> &'a [u8] {
        let end = self.0.iter().position(|byte| !byte.is_ascii_digit()).unwrap_or(self.0.len());
        let (digits, rest) = self.0.split_at(end);
        self.0 = rest;
        digits
    }

    /// Takes all the digits that follow; `None` where there are fewer or more than that.
    fn digits(&mut self, fewest: usize, most: usize) -> Option<i64> {
        let digits = self.digit_run();
        (fewest..=most).contains(&digits.len()).then(|| value_of(digits))
    }

    /// Takes exactly so many digits, whatever follows.
    pub(super) fn field(&mut self, width: usize) -> Option<i64> {
        let (digits, rest) = self.0.split_at_checked(width)?;
        self.0 = rest;
        digits.iter().all(u8::is_ascii_digit).then(|| value_of(digits))
    }

    /// Takes `hh:mm`, `hh:mm:ss` or `hh:mm:ss.fraction`; the time of day in microseconds. Like the
    /// server: a 60th second is the next minute, and 24:00:00 the end of the day.
    fn time(&mut self) -> Option<i64> {
        let hour = self.digits(2, 2)?;
        self.expect(b':')?;
        let minute = self.digits(2, 2)?;
        let mut second = 0;
        let mut micros = 0;
        if self.take(b":").is_some() {
            second = self.digits(2, 2)?;
            if let [b'.', ..] = self.0 {
                micros = self.fraction()?;
            }
        }
        let total = ((hour * 60 + minute) * 60 + second) * MICROS_PER_SECOND + micros;
        (minute < 60 && second <= 60 && total <= MICROS_PER_DAY).then_some(total)
    }

    /// Takes a fraction of a second with its point; rounded to microseconds as the server does it, which
    /// reads a double and rounds a half to even (`ParseFractionalSecond`).
    fn fraction(&mut self) -> Option<i64> {
        let from_point = self.0;
        self.expect(b'.')?;
        let digits = self.digit_run();
        match digits.len() {
            0 => None,
            width @ 1..=6 => Some(value_of(digits) * 10_i64.pow(6 - width as u32)),
            width => {
                let text = std::str::from_utf8(from_point.get(..=width)?).ok()?;
                Some((text.parse::<f64>().ok()? * 1e6).round_ties_even() as i64)
            }
        }
    }

    /// Takes `Z`, `+hh`, `+hhmm`, `+hh:mm` or `+hh:mm:ss`, or nothing; in seconds east of UTC.
    fn offset(&mut self) -> Option<i64> {
        let sign = match self.take(b"Zz+-") {
            Some(b'+') => 1,
            Some(b'-') => -1,
            _ => return Some(0),
        };
        let digits = self.digit_run();
        let (hour, minute, second) = match digits.len() {
            2 if self.take(b":").is_none() => (value_of(digits), 0, 0),
            2 => {
                let minute = self.digits(2, 2)?;
                let second = if self.take(b":").is_some() { self.digits(2, 2)? } else { 0 };
                (value_of(digits), minute, second)
            }
            4 => (value_of(digits) / 100, value_of(digits) % 100, 0),
            _ => return None,
        };
        let valid = hour <= 15 && minute < 60 && second < 60;
        valid.then_some(sign * ((hour * 60 + minute) * 60 + second))
    }
}

/// The value of a few digits.
fn value_of(digits: &[u8]) -> i64 {
    digits.iter().fold(0, |value, digit| value * 10 + i64::from(digit - b'0'))
}
