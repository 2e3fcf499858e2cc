//! The digits of a `numeric`, as `numeric_out` prints them.

use crate::pgcopy::digits::{self, Digits};

/// `0xC000` and above: NaN and the infinities, which no cast here makes.
const POSITIVE: u16 = 0;
const NEGATIVE: u16 = 0x4000;

/// The text; `None` for what is no finite number.
pub(super) fn text(payload: &[u8]) -> Option<String> {
    let (words, []) = payload.as_chunks::<2>() else { return None };
    let ([count, weight, sign, dscale], digits) = words.split_first_chunk()?;
    let read = u16::from_be_bytes;
    let negative = match read(*sign) {
        POSITIVE => false,
        NEGATIVE => true,
        _ => return None,
    };
    if digits.len() != usize::from(read(*count)) {
        return None;
    }
    let (weight, dscale) = (read(*weight).cast_signed(), read(*dscale));
    let mut text = String::new();
    digits::print(Digits { negative, weight, dscale, digits, read }, &mut text)?;
    Some(text)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::pgcopy::numeric::Decimal;

    #[test]
    fn a_number_is_printed_with_the_digits_and_the_scale_that_it_was_encoded_with() {
        for (written, printed) in [
            ("0", "0"),
            ("-0.00", "0.00"),
            ("1.10", "1.10"),
            ("-12345678901234567890.123456789", "-12345678901234567890.123456789"),
            ("1e5", "100000"),
            ("1.5e-3", "0.0015"),
            ("0.00001", "0.00001"),
            ("10000", "10000"),
            ("99990000", "99990000"),
            ("1e20", "100000000000000000000"),
            ("0.30000000000000004", "0.30000000000000004"),
        ] {
            let mut payload = Vec::new();
            Decimal::parse(written).expect(written).encode(None, &mut payload).expect(written);
            assert_eq!(text(&payload).as_deref(), Some(printed), "{written}");
        }
    }

    #[test]
    fn no_number_and_an_infinity_have_no_digits() {
        assert_eq!(text(&[0, 0, 0, 0, 0xC0, 0, 0, 0]), None);
        assert_eq!(text(&[0, 1, 0, 0, 0, 0, 0, 0]), None);
        assert_eq!(text(&[0, 1, 0, 0, 0, 0, 0, 0, 0x27, 0x10]), None);
        assert_eq!(text(&[0]), None);
    }
}
