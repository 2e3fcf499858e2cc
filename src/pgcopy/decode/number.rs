//! The digits of a `numeric`, as `numeric_out` prints them.

/// `0xC000` and above: NaN and the infinities, which no cast here makes.
const POSITIVE: u16 = 0;
const NEGATIVE: u16 = 0x4000;

/// The text; `None` for what is no finite number.
pub(super) fn text(payload: &[u8]) -> Option<String> {
    let (words, []) = payload.as_chunks::<2>() else { return None };
    let mut words = words.iter().map(|word| u16::from_be_bytes(*word));
    let (count, weight, sign, dscale) = (words.next()?, words.next()?, words.next()?, words.next()?);
    let digits: Vec<u16> = words.collect();
    if digits.len() != usize::from(count) || digits.iter().any(|digit| *digit > 9999) {
        return None;
    }
    let mut text = match sign {
        POSITIVE => String::new(),
        NEGATIVE => "-".to_owned(),
        _ => return None,
    };
    // The digit of 10000^place; those that are not there are zeros.
    let weight = i32::from(weight.cast_signed());
    let digit = |place: i32| {
        let index = usize::try_from(weight - place).ok();
        index.and_then(|index| digits.get(index)).copied().unwrap_or(0)
    };
    text.push_str(&digit(weight.max(0)).to_string());
    for place in (0..weight.max(0)).rev() {
        text.push_str(&format!("{:04}", digit(place)));
    }
    let scale = usize::from(dscale);
    if scale > 0 {
        text.push('.');
        let begin = text.len();
        let mut place = -1;
        while text.len() - begin < scale {
            text.push_str(&format!("{:04}", digit(place)));
            place -= 1;
        }
        text.truncate(begin + scale);
    }
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
