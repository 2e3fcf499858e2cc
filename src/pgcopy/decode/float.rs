//! Floats in the fewest digits that read back as the same float, as the server prints them.
//!
//! Rust finds the same digits but in two cases. A decimal that lies exactly between two floats reads
//! back as the even one, and the server does not rely on readers that know it (`d2s.c`,
//! `acceptBounds`): then it prints more digits, and 1e23 is 9.999999999999999e+22. And of two decimals
//! that are equally near it takes the even one: the `real` -261671.625 is -261671.62.

use std::fmt::LowerExp;
use std::str::FromStr;

/// From how many digits before the point on the server writes an exponent.
const REAL_DIGITS: i32 = 6;
const DOUBLE_DIGITS: i32 = 15;

/// The text of a `real`.
pub(super) fn real(value: f32) -> String {
    special(f64::from(value)).unwrap_or_else(|| written(value, REAL_DIGITS))
}

/// The text of a `double precision`.
pub(super) fn double(value: f64) -> String {
    special(value).unwrap_or_else(|| written(value, DOUBLE_DIGITS))
}

fn special(value: f64) -> Option<String> {
    let text = match value {
        _ if value.is_nan() => "NaN",
        f64::INFINITY => "Infinity",
        f64::NEG_INFINITY => "-Infinity",
        0.0 if value.is_sign_negative() => "-0",
        0.0 => "0",
        _ => return None,
    };
    Some(text.to_owned())
}

fn written<F: LowerExp + FromStr + PartialEq>(value: F, plain_digits: i32) -> String {
    let shortest = format!("{value:e}");
    // A number has a digit, here and below.
    let decimals = split(&shortest).1.len() - 1;
    // Of two decimals of one length that are equally near, Rust's shortest form is the upper one, its
    // rounded form the even one. Seventeen significant digits tell all doubles apart.
    let even = format!("{value:.decimals$e}");
    let longer = (decimals + 1..17).map(|decimals| format!("{value:.decimals$e}"));
    let mut candidates = [even, shortest.clone()].into_iter().chain(longer);
    let scientific = candidates.find(|text| is_inside(text, &value)).unwrap_or(shortest);
    let (sign, digits, exponent) = split(&scientific);
    let digits = match digits.trim_end_matches('0') {
        "" => "0",
        digits => digits,
    };
    // The digits before the point, if it were written out.
    let point = exponent + 1;
    let text = if !(-3..=plain_digits).contains(&point) {
        let (first, rest) = digits.split_at(1);
        let dot = if rest.is_empty() { "" } else { "." };
        let side = if exponent < 0 { '-' } else { '+' };
        format!("{first}{dot}{rest}e{side}{:02}", exponent.abs())
    } else if point <= 0 {
        format!("0.{}{digits}", "0".repeat(point.unsigned_abs() as usize))
    } else {
        let point = point.unsigned_abs() as usize;
        match digits.split_at_checked(point) {
            Some((whole, "")) => whole.to_owned(),
            Some((whole, fraction)) => format!("{whole}.{fraction}"),
            None => format!("{digits}{}", "0".repeat(point - digits.len())),
        }
    };
    format!("{sign}{text}")
}

/// The sign, the digits without a point, and the exponent of the first: of `-1.5e3` `-`, `15`, 3.
fn split(scientific: &str) -> (&'static str, String, i32) {
    let (sign, number) = match scientific.strip_prefix('-') {
        Some(number) => ("-", number),
        None => ("", scientific),
    };
    let (digits, exponent) = number.split_once('e').unwrap_or((number, "0"));
    (sign, digits.replace('.', ""), exponent.parse().unwrap_or(0))
}

/// Whether a decimal reads back as the float with a little to spare on both sides.
fn is_inside<F: FromStr + PartialEq>(scientific: &str, value: &F) -> bool {
    /// More digits than any two different decimals of 17 digits and halves of floats share.
    const SPARE: usize = 800;
    let (sign, digits, exponent) = split(scientific);
    let reads = |digits: &str, exponent: i32| {
        let text = format!("{sign}0.{digits}e{}", exponent + 1);
        text.parse::<F>().is_ok_and(|read| read == *value)
    };
    let above = format!("{digits}{}1", "0".repeat(SPARE));
    // One less in the last place, and nines behind it. The digits are few, so they fit 64 bits.
    let less = digits.parse::<u64>().ok().and_then(|number| number.checked_sub(1));
    let Some(less) = less else { return true };
    let below = format!("{less:0width$}{}", "9".repeat(SPARE), width = digits.len());
    reads(&above, exponent) && reads(&below, exponent)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_double_is_printed_in_the_fewest_digits_that_no_reader_can_get_wrong() {
        for (value, expected) in [
            (0.1, "0.1"),
            (-1.5, "-1.5"),
            (450_000.5, "450000.5"),
            (100_000_000_000_000.0, "100000000000000"),
            (999_999_999_999_999.0, "999999999999999"),
            (1e15, "1e+15"),
            (1.25e15, "1.25e+15"),
            (0.0001, "0.0001"),
            (0.00001, "1e-05"),
            (1.5e-7, "1.5e-07"),
            (f64::MAX, "1.7976931348623157e+308"),
            (5e-324, "5e-324"),
            (1e23, "9.999999999999999e+22"),
            (0.30000000000000004, "0.30000000000000004"),
            (0.0, "0"),
            (-0.0, "-0"),
        ] {
            assert_eq!(double(value), expected);
        }
    }

    #[test]
    fn a_real_has_its_own_digits_and_its_own_exponent() {
        for (value, expected) in [
            (0.1, "0.1"),
            (123_456.0, "123456"),
            (1e6, "1e+06"),
            (1_234_567.0, "1.234567e+06"),
            (16_777_216.0, "1.6777216e+07"),
            (f32::MAX, "3.4028235e+38"),
            (1e-5, "1e-05"),
            // -261671.625: two decimals are equally near, and the even one is printed.
            (-2_093_373.0 / 8.0, "-261671.62"),
        ] {
            assert_eq!(real(value), expected);
        }
    }
}
