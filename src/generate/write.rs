//! Bytes of JSON and of what stands in its strings, written straight into the caller's buffer: at a
//! million documents neither a tree of values nor the formatting machinery pays.

/// Appends text that needs no escape.
pub(super) fn text(out: &mut Vec<u8>, text: &str) {
    out.extend_from_slice(text.as_bytes());
}

/// Appends a JSON string whose content needs no escape.
pub(super) fn quoted(out: &mut Vec<u8>, content: &str) {
    out.push(b'"');
    text(out, content);
    out.push(b'"');
}

/// Appends a whole number.
pub(super) fn int(out: &mut Vec<u8>, number: i64) {
    if number < 0 {
        out.push(b'-');
    }
    padded(out, number.unsigned_abs(), 1);
}

/// Appends a whole number with zeros before it up to `width` digits, at most 20.
pub(super) fn padded(out: &mut Vec<u8>, number: u64, width: usize) {
    let mut digits = [b'0'; 20];
    let mut start = digits.len();
    let mut rest = number;
    while rest > 0 {
        // 2^64 has 20 digits, so that `start` is at least 1 here.
        start -= 1;
        digits[start] = b'0' + (rest % 10) as u8;
        rest /= 10;
    }
    let start = start.min(digits.len().saturating_sub(width));
    out.extend_from_slice(&digits[start..]);
}

/// Appends hexadecimal digits in lower case, the highest of `digits` first.
pub(super) fn hex(out: &mut Vec<u8>, number: u64, digits: u32) {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    for place in (0..digits).rev() {
        out.push(DIGITS[(number >> (4 * place) & 15) as usize]);
    }
}

/// Appends the 36 characters of a version 4 uuid made of 128 random bits.
pub(super) fn uuid(out: &mut Vec<u8>, high: u64, low: u64) {
    hex(out, high >> 32, 8);
    out.push(b'-');
    hex(out, high >> 16 & 0xFFFF, 4);
    out.push(b'-');
    hex(out, high & 0x0FFF | 0x4000, 4);
    out.push(b'-');
    hex(out, low >> 48 & 0x3FFF | 0x8000, 4);
    out.push(b'-');
    hex(out, low & 0xFFFF_FFFF_FFFF, 12);
}

/// Year, month and day of a day counted from 1970-01-01 (Hinnant: chrono-Compatible Low-Level Date
/// Algorithms, `civil_from_days`).
pub(super) fn civil(days: i64) -> (i64, u64, u64) {
    let shifted = days + 719_468;
    let era = shifted.div_euclid(146_097);
    let of_era = shifted.rem_euclid(146_097) as u64;
    let year_of_era = (of_era - of_era / 1_460 + of_era / 36_524 - of_era / 146_096) / 365;
    let of_year = of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let shifted_month = (5 * of_year + 2) / 153;
    let day = of_year - (153 * shifted_month + 2) / 5 + 1;
    let month = if shifted_month < 10 { shifted_month + 3 } else { shifted_month - 9 };
    (year_of_era as i64 + era * 400 + i64::from(month <= 2), month, day)
}

/// Appends `YYYY-MM-DD`.
pub(super) fn date(out: &mut Vec<u8>, days: i64) {
    let (year, month, day) = civil(days);
    padded(out, year.unsigned_abs(), 4);
    out.push(b'-');
    padded(out, month, 2);
    out.push(b'-');
    padded(out, day, 2);
}

/// Appends `YYYY-MM-DDThh:mm:ss.mmmZ`.
pub(super) fn date_time(out: &mut Vec<u8>, epoch_ms: i64) {
    date(out, epoch_ms.div_euclid(86_400_000));
    let ms = epoch_ms.rem_euclid(86_400_000) as u64;
    for (mark, number, width) in [
        (b'T', ms / 3_600_000, 2),
        (b':', ms / 60_000 % 60, 2),
        (b':', ms / 1000 % 60, 2),
        (b'.', ms % 1000, 3),
    ] {
        out.push(mark);
        padded(out, number, width);
    }
    out.push(b'Z');
}

#[cfg(test)]
mod tests {
    use super::*;

    fn written(write: impl FnOnce(&mut Vec<u8>)) -> String {
        let mut out = Vec::new();
        write(&mut out);
        String::from_utf8(out).expect("text")
    }

    #[test]
    fn numbers_are_written_with_their_sign_and_padding() {
        assert_eq!(written(|out| int(out, 0)), "0");
        assert_eq!(written(|out| int(out, i64::MIN)), "-9223372036854775808");
        assert_eq!(written(|out| padded(out, u64::MAX, 1)), "18446744073709551615");
        assert_eq!(written(|out| padded(out, 42, 5)), "00042");
        assert_eq!(written(|out| hex(out, 0xBEEF, 6)), "00beef");
    }

    #[test]
    fn dates_are_those_of_the_calendar() {
        assert_eq!(written(|out| date(out, 0)), "1970-01-01");
        assert_eq!(written(|out| date(out, -1)), "1969-12-31");
        assert_eq!(written(|out| date(out, 11_016)), "2000-02-29");
        assert_eq!(written(|out| date_time(out, 1_754_352_000_007)), "2025-08-05T00:00:00.007Z");
    }

    #[test]
    fn a_uuid_is_of_version_4_and_variant_1() {
        let uuid = written(|out| uuid(out, u64::MAX, u64::MAX));
        assert_eq!(uuid, "ffffffff-ffff-4fff-bfff-ffffffffffff");
    }
}
