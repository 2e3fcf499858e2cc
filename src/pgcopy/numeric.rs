//! The payload of a `numeric`, straight from decimal text.
//!
//! ```text
//! payload = digits: i16  weight: i16  sign: u16 (0 or 0x4000)  dscale: u16  digit*
//! digit   = i16, 0 to 9999; the first stands for 10000^weight; no zero digit at either end
//! ```
//!
//! The text is the only representation: no float and no big integer stands between it and the
//! payload, so that 30 digits and a trailing zero (`dscale`) survive, and a number of any length costs
//! one pass and no allocation. [`Decimal::parse`] takes what `numeric_in` of PostgreSQL 14 and 15 takes,
//! and [`Decimal::encode`] writes what `numeric_send` would print of it, with the limits of
//! `numeric.c`. A value that the server has to round again is not left to it: `numeric_recv` cuts
//! digits beyond dscale off, where a cast rounds half away from zero.

use std::iter;

use crate::schema::Precision;

/// Decimal digits in one base-10000 digit (`DEC_DIGITS`).
const GROUP: i64 = 4;
/// The largest dscale that the on-disk format holds (`NUMERIC_DSCALE_MASK`).
const MAX_DSCALE: i64 = 0x3FFF;
/// The largest weight that it holds: 131072 decimal digits before the point.
const MAX_WEIGHT: i64 = i16::MAX as i64;
/// `set_var_from_str` takes an exponent between the two, both exclusive, even of a zero.
const MAX_EXPONENT: i64 = (i32::MAX / 2) as i64;
const HEADER_BYTES: usize = 8;
const NEGATIVE: u16 = 0x4000;

/// A number as it was written: `-12.50e3`.
#[derive(Clone, Copy, Debug)]
pub struct Decimal<'a> {
    negative: bool,
    /// The digits before the point, leading zeros and all.
    whole: &'a [u8],
    /// The digits after it.
    fraction: &'a [u8],
    /// Saturated: what is cut off is beyond every limit.
    exponent: i64,
}

/// The value is beyond what `numeric`, or its precision, holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Overflow;

/// What a column of type `numeric(p, s)` takes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limit {
    /// Digits after the point; below zero, zeros before it.
    scale: i64,
    /// Digits before the point; below zero, zeros after it.
    whole_digits: i64,
}

impl From<Precision> for Limit {
    fn from(precision: Precision) -> Self {
        let scale = i64::from(precision.scale);
        Self { scale, whole_digits: i64::from(precision.precision) - scale }
    }
}

impl Limit {
    /// What both take.
    #[must_use]
    pub fn narrower(self, other: Self) -> Self {
        Self { scale: self.scale.min(other.scale), whole_digits: self.whole_digits.min(other.whole_digits) }
    }

    /// Whether a number other than zero fits, whose point stands behind that many digits.
    fn check(self, point: i64) -> Result<(), Overflow> {
        if point > self.whole_digits { Err(Overflow) } else { Ok(()) }
    }
}

impl<'a> Decimal<'a> {
    /// Reads a number in the syntax of PostgreSQL 14 and 15: a sign, digits with a point anywhere, an
    /// exponent. `None` for anything else, `NaN` and the infinities included.
    pub fn parse(text: &'a str) -> Option<Self> {
        let (negative, rest) = split_sign(text.as_bytes());
        let (whole, rest) = split_digits(rest);
        let (fraction, rest) = match rest.split_first() {
            Some((b'.', rest)) => split_digits(rest),
            _ => (&[][..], rest),
        };
        if whole.is_empty() && fraction.is_empty() {
            return None;
        }
        let exponent = match rest.split_first() {
            None => 0,
            Some((b'e' | b'E', rest)) => {
                let (negative, rest) = split_sign(rest);
                let (digits, rest) = split_digits(rest);
                if digits.is_empty() || !rest.is_empty() {
                    return None;
                }
                let size = digits.iter().fold(0_i64, |size, digit| {
                    size.saturating_mul(10).saturating_add(i64::from(digit - b'0')).min(i64::from(i32::MAX))
                });
                if negative { -size } else { size }
            }
            Some(_) => return None,
        };
        Some(Self { negative, whole, fraction, exponent })
    }

    /// Whether all digits are zeros.
    pub fn is_zero(&self) -> bool {
        self.whole.iter().chain(self.fraction).all(|&digit| digit == b'0')
    }

    /// The integer left when the fraction is cut off, `None` where it is beyond 64 bits, and whether
    /// the fraction was other than zero.
    pub fn truncated(&self) -> (Option<i64>, bool) {
        let (digits, point) = self.significant();
        let fractional = digits.after(usize::try_from(point).unwrap_or(0)).any(|digit| digit != 0);
        let whole = match point {
            _ if digits.len() == 0 || point <= 0 => Some(0),
            // Nineteen digits fit 64 bits without a sign.
            1..=19 => Some(
                digits
                    .all()
                    .chain(iter::repeat(0))
                    .take(point as usize)
                    .fold(0_u64, |n, d| n * 10 + u64::from(d)),
            ),
            _ => None,
        };
        let signed = whole
            .and_then(|n| if self.negative { 0_i64.checked_sub_unsigned(n) } else { i64::try_from(n).ok() });
        (signed, fractional)
    }

    /// Whether a `numeric` without precision holds the value: jsonb keeps its numbers in one.
    pub fn fits(&self) -> bool {
        self.dscale(None).is_ok()
    }

    /// Appends the payload, rounded half away from zero to the limit's scale. Returns whether a digit
    /// other than zero was lost to that; leaves `out` as it was on an overflow.
    pub fn encode(&self, limit: Option<Limit>, out: &mut Vec<u8>) -> Result<bool, Overflow> {
        let dscale = self.dscale(limit)?;
        let (digits, point) = self.significant();
        let mut payload = Payload { point, negative: self.negative, dscale, out };
        let Some(limit) = limit else {
            payload.write(digits.all());
            return Ok(false);
        };
        // How many of the digits stand before the place where the column's scale ends.
        let Ok(room) = usize::try_from(point + limit.scale) else {
            payload.write(iter::empty());
            return Ok(digits.len() > 0);
        };
        let lost = digits.after(room).any(|digit| digit != 0);
        if digits.after(room).next().is_none_or(|digit| digit < 5) {
            if room > 0 && digits.len() > 0 {
                limit.check(point)?;
            }
            payload.write(digits.before(room));
            return Ok(lost);
        }
        // Rounded up: the nines at the end become zeros, and the digit in front of them grows by one.
        let mut kept = digits.before(room).rev().skip_while(|&digit| digit == 9);
        match kept.next() {
            Some(last) => {
                limit.check(point)?;
                let in_front = kept.count();
                payload.write(digits.before(in_front).chain(iter::once(last + 1)));
            }
            None => {
                payload.point += 1;
                limit.check(payload.point)?;
                payload.write(iter::once(1));
            }
        }
        Ok(lost)
    }

    /// The dscale of the payload; an overflow where the format cannot hold the value at all.
    fn dscale(&self, limit: Option<Limit>) -> Result<u16, Overflow> {
        if self.exponent.abs() >= MAX_EXPONENT {
            return Err(Overflow);
        }
        if let Some(limit) = limit {
            // A scale is a 16-bit number.
            return Ok(limit.scale.max(0) as u16);
        }
        let dscale = (self.fraction.len() as i64 - self.exponent).max(0);
        let (digits, point) = self.significant();
        if dscale > MAX_DSCALE || (digits.len() > 0 && weight(point) > MAX_WEIGHT) {
            return Err(Overflow);
        }
        Ok(dscale as u16)
    }

    /// The digits without the zeros in front, and where the point stands: the value is
    /// 0.DIGITS × 10^point.
    fn significant(&self) -> (Digits<'a>, i64) {
        let zeros = |digits: &[u8]| digits.iter().take_while(|&&digit| digit == b'0').count();
        // A count of leading elements is no more than there are: the slices below begin within them.
        let skip = zeros(self.whole);
        let mut point = (self.whole.len() - skip) as i64 + self.exponent;
        let mut digits = Digits(&self.whole[skip..], self.fraction);
        if digits.0.is_empty() {
            let skip = zeros(digits.1);
            point -= skip as i64;
            digits.1 = &digits.1[skip..];
        }
        (digits, point)
    }
}

/// The digits of a number in two pieces, as the point cuts them.
#[derive(Clone, Copy)]
struct Digits<'a>(&'a [u8], &'a [u8]);

impl Digits<'_> {
    fn len(&self) -> usize {
        self.0.len() + self.1.len()
    }

    fn all(&self) -> impl Iterator<Item = u8> {
        self.after(0)
    }

    /// The digits from a place on.
    fn after(&self, at: usize) -> impl Iterator<Item = u8> {
        let first = self.0.get(at..).unwrap_or_default();
        let second = self.1.get(at.saturating_sub(self.0.len())..).unwrap_or_default();
        first.iter().chain(second).map(|digit| digit - b'0')
    }

    /// The digits in front of a place.
    fn before(&self, at: usize) -> impl DoubleEndedIterator<Item = u8> {
        let first = &self.0[..at.min(self.0.len())];
        let second = self.1.get(..at.saturating_sub(self.0.len())).unwrap_or(self.1);
        first.iter().chain(second).map(|digit| digit - b'0')
    }
}

/// The weight of the first base-10000 digit.
fn weight(point: i64) -> i64 {
    (point - 1).div_euclid(GROUP)
}

/// A payload to be appended, but for its digits.
struct Payload<'o> {
    point: i64,
    negative: bool,
    dscale: u16,
    out: &'o mut Vec<u8>,
}

impl Payload<'_> {
    /// Appends the payload of these decimal digits; the first is no zero.
    fn write(self, digits: impl Iterator<Item = u8>) {
        let start = self.out.len();
        self.out.extend_from_slice(&[0; HEADER_BYTES]);
        let weight = weight(self.point);
        // The zeros in front of the first digit inside its base-10000 digit.
        let mut place = (weight + 1) * GROUP - self.point;
        let mut group = 0_u16;
        let mut end = self.out.len();
        for digit in digits {
            group = group * 10 + u16::from(digit);
            place += 1;
            if place == GROUP {
                self.out.extend_from_slice(&group.to_be_bytes());
                if group != 0 {
                    end = self.out.len();
                }
                (group, place) = (0, 0);
            }
        }
        if group != 0 {
            let group = (place..GROUP).fold(group, |group, _| group * 10);
            self.out.extend_from_slice(&group.to_be_bytes());
            end = self.out.len();
        }
        self.out.truncate(end);
        // At most 32768 digits before the point and 4096 behind it: the count fits.
        let groups = ((end - start - HEADER_BYTES) / 2) as u16;
        let (weight, sign) = match groups {
            0 => (0, 0),
            _ => (weight as i16 as u16, if self.negative { NEGATIVE } else { 0 }),
        };
        // The header stands at `start`, and nothing in front of `end` was cut off.
        for (to, word) in self.out[start..].chunks_exact_mut(2).zip([groups, weight, sign, self.dscale]) {
            to.copy_from_slice(&word.to_be_bytes());
        }
    }
}

fn split_sign(text: &[u8]) -> (bool, &[u8]) {
    match text.split_first() {
        Some((b'-', rest)) => (true, rest),
        Some((b'+', rest)) => (false, rest),
        _ => (false, text),
    }
}

fn split_digits(text: &[u8]) -> (&[u8], &[u8]) {
    text.split_at(text.iter().position(|byte| !byte.is_ascii_digit()).unwrap_or(text.len()))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The payload as (weight, negative, dscale, digits), and whether digits were lost.
    type Shown = Result<(i16, bool, u16, Vec<i16>, bool), Overflow>;

    fn encoded(text: &str, limit: Option<(u16, i16)>) -> Shown {
        let limit = limit.map(|(precision, scale)| Precision { precision, scale }.into());
        let mut out = vec![7];
        let result = Decimal::parse(text).expect(text).encode(limit, &mut out);
        let words: Vec<i16> =
            out[1..].chunks_exact(2).map(|word| i16::from_be_bytes([word[0], word[1]])).collect();
        match result {
            Err(overflow) => {
                assert_eq!(out, [7], "an overflow leaves the buffer alone");
                Err(overflow)
            }
            Ok(lost) => {
                assert_eq!(usize::from(words[0] as u16), words.len() - 4);
                Ok((words[1], words[2] == 0x4000, words[3] as u16, words[4..].to_vec(), lost))
            }
        }
    }

    #[test]
    fn digits_are_grouped_by_four_around_the_point_and_the_scale_is_kept() {
        for (text, weight, negative, dscale, digits) in [
            ("0", 0, false, 0, &[][..]),
            ("-0", 0, false, 0, &[]),
            ("0.00", 0, false, 2, &[]),
            ("1", 0, false, 0, &[1]),
            ("-12", 0, true, 0, &[12]),
            ("1.10", 0, false, 2, &[1, 1000]),
            ("0012.50", 0, false, 2, &[12, 5000]),
            ("10000", 1, false, 0, &[1]),
            ("12345678", 1, false, 0, &[1234, 5678]),
            ("123456789.1", 2, false, 1, &[1, 2345, 6789, 1000]),
            ("0.00001", -2, false, 5, &[1000]),
            (".5", -1, false, 1, &[5000]),
            ("+7.", 0, false, 0, &[7]),
            ("1.2e1", 0, false, 0, &[12]),
            ("1E-5", -2, false, 5, &[1000]),
            ("1.50e1", 0, false, 1, &[15]),
            ("1e8", 2, false, 0, &[1]),
            ("0e-3", 0, false, 3, &[]),
            ("0e1000000000", 0, false, 0, &[]),
        ] {
            assert_eq!(encoded(text, None), Ok((weight, negative, dscale, digits.to_vec(), false)), "{text}");
        }
    }

    #[test]
    fn rounding_goes_half_away_from_zero_and_says_whether_it_lost_digits() {
        for (text, limit, expected) in [
            ("1.005", (5, 2), Ok((0, false, 2, vec![1, 100], true))),
            ("-1.005", (5, 2), Ok((0, true, 2, vec![1, 100], true))),
            ("1.0049", (5, 2), Ok((0, false, 2, vec![1], true))),
            ("1.00", (5, 1), Ok((0, false, 1, vec![1], false))),
            ("1.00007", (9, 4), Ok((0, false, 4, vec![1, 1], true))),
            ("9999.99995", (9, 4), Ok((1, false, 4, vec![1], true))),
            ("999.995", (5, 2), Err(Overflow)),
            ("999.994", (5, 2), Ok((0, false, 2, vec![999, 9900], true))),
            ("0.004", (5, 2), Ok((0, false, 2, vec![], true))),
            ("0.005", (5, 2), Ok((-1, false, 2, vec![100], true))),
            ("-0.0005", (5, 2), Ok((0, false, 2, vec![], true))),
            ("1449", (2, -2), Ok((0, false, 0, vec![1400], true))),
            ("1450", (2, -2), Ok((0, false, 0, vec![1500], true))),
            ("50", (2, -2), Ok((0, false, 0, vec![100], true))),
            ("49", (2, -2), Ok((0, false, 0, vec![], true))),
            ("9950", (2, -2), Err(Overflow)),
            ("0.00999", (3, 5), Ok((-1, false, 5, vec![99, 9000], false))),
            ("0.01", (3, 5), Err(Overflow)),
            ("0", (3, 5), Ok((0, false, 5, vec![], false))),
            ("1e-20000", (5, 2), Ok((0, false, 2, vec![], true))),
            ("1e1000000000", (5, 2), Err(Overflow)),
        ] {
            assert_eq!(encoded(text, Some(limit)), expected, "{text} {limit:?}");
        }
    }

    #[test]
    fn the_narrower_of_two_limits_takes_what_both_take() {
        let limit = |precision, scale| Limit::from(Precision { precision, scale });
        assert_eq!(limit(10, 2).narrower(limit(6, 4)), Limit { scale: 2, whole_digits: 2 });
    }

    #[test]
    fn the_limits_are_those_of_the_server() {
        assert!(encoded(&"9".repeat(131_072), None).is_ok());
        assert_eq!(encoded(&"9".repeat(131_073), None), Err(Overflow));
        assert!(encoded("1e131071", None).is_ok());
        assert_eq!(encoded("1e131072", None), Err(Overflow));
        assert!(encoded("1e-16383", None).is_ok());
        for text in
            ["1e-16384", "0e-16384", "0e1073741823", "0e99999999999999999999", "1e-99999999999999999999"]
        {
            assert_eq!(encoded(text, None), Err(Overflow), "{text}");
        }
    }

    #[test]
    fn what_is_no_number_in_the_syntax_of_the_server_is_refused() {
        for text in [
            "", ".", "-", "+", "e5", ".e5", "1e", "1e+", "1e 5", "1 2", "1..2", "1.2.3", "--1", "0x10",
            "1_000", "NaN", "Infinity", "1,0", " 1", "1 ", "٣",
        ] {
            assert!(Decimal::parse(text).is_none(), "{text:?}");
        }
    }

    #[test]
    fn a_truncated_number_says_whether_it_had_a_fraction() {
        for (text, expected) in [
            ("12", (Some(12), false)),
            ("-12.0", (Some(-12), false)),
            ("1.2e1", (Some(12), false)),
            ("1.25e1", (Some(12), true)),
            ("-0.5", (Some(0), true)),
            ("0e99999999999", (Some(0), false)),
            ("9223372036854775807", (Some(i64::MAX), false)),
            ("9223372036854775808", (None, false)),
            ("-9223372036854775808", (Some(i64::MIN), false)),
            ("-9223372036854775809", (None, false)),
            ("9999999999999999999", (None, false)),
            ("1e30", (None, false)),
            ("1e999999999", (None, false)),
            ("1e-999999999", (Some(0), true)),
        ] {
            assert_eq!(Decimal::parse(text).expect(text).truncated(), expected, "{text}");
        }
    }
}
