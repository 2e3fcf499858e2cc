//! Numbers for people: counts, shares, times and bytes as text.
//!
//! Shares are cut, never rounded up: 100 % means all of it.

use std::time::Duration;

use indicatif::HumanCount;

/// A count with thousands separators: `702,072`.
pub fn count(count: u64) -> String {
    HumanCount(count).to_string()
}

/// A difference with its sign and thousands separators: `+14,066`, `-521`, `0`.
pub fn delta(delta: i64) -> String {
    let sign = match delta.signum() {
        1 => "+",
        -1 => "-",
        _ => "",
    };
    format!("{sign}{}", count(delta.unsigned_abs()))
}

/// A count and its noun: `1 row`, `702,072 rows`.
pub fn counted(number: u64, noun: &str) -> String {
    format!("{} {noun}{}", count(number), if number == 1 { "" } else { "s" })
}

/// Whole percents done of a total, cut: 100 only when all is done. Nothing where the total is 0.
pub fn percent(done: u64, total: u64) -> Option<u64> {
    let share = (u128::from(done.min(total)) * 100).checked_div(u128::from(total))?;
    u64::try_from(share).ok()
}

/// `found` of `expected` in percent with two decimals: `99.93 %`. `100.00 %` only when both are equal, in
/// either direction; nothing where `expected` is 0 and `found` is not.
pub fn ratio(found: u64, expected: u64) -> Option<String> {
    const WHOLE: u128 = 10_000;
    let (part, all) = (u128::from(found), u128::from(expected));
    let hundredths = match (found, expected) {
        (0, 0) => WHOLE,
        (_, 0) => return None,
        _ if part == all => WHOLE,
        _ if part < all => ((part * WHOLE + all / 2) / all).min(WHOLE - 1),
        _ => ((part * WHOLE + all / 2) / all).max(WHOLE + 1),
    };
    Some(format!("{}.{:02} %", hundredths / 100, hundredths % 100))
}

/// A time: `0.1 s`, `59.9 s`, `2 min 03 s`, `1 h 02 min`.
pub fn duration(time: Duration) -> String {
    let tenths = (time.as_millis() + 50) / 100;
    if tenths < 600 {
        return format!("{}.{} s", tenths / 10, tenths % 10);
    }
    whole_seconds((tenths + 5) / 10)
}

/// A time still to go, whole seconds, rounded up: `7 s`, `2 min 03 s`, `1 h 02 min`.
pub fn remaining(time: Duration) -> String {
    whole_seconds(time.as_millis().div_ceil(1000))
}

fn whole_seconds(seconds: u128) -> String {
    let (hours, minutes, rest) = (seconds / 3600, seconds / 60 % 60, seconds % 60);
    match (hours, minutes) {
        (0, 0) => format!("{rest} s"),
        (0, _) => format!("{minutes} min {rest:02} s"),
        _ => format!("{hours} h {minutes:02} min"),
    }
}

/// A time still to go, short and of steady width: `0:07`, `2:03`, `1:02:03`. Rounded up.
pub fn clock(time: Duration) -> String {
    let seconds = time.as_millis().div_ceil(1000);
    let (hours, minutes, rest) = (seconds / 3600, seconds / 60 % 60, seconds % 60);
    if hours == 0 { format!("{minutes}:{rest:02}") } else { format!("{hours}:{minutes:02}:{rest:02}") }
}

/// Bytes in decimal units, two digits from a thousand on: `512 B`, `9.4 kB`, `61 MB`, `1.1 GB`.
pub fn bytes(bytes: u64) -> String {
    if bytes < 1000 {
        return format!("{bytes} B");
    }
    let bytes = u128::from(bytes);
    let (mut size, mut unit) = (1000, "kB");
    for next in ["MB", "GB", "TB", "PB", "EB"] {
        // From 999.5 on a unit would print as 1000 of it: the next one's turn.
        if bytes * 2 < size * 1999 {
            break;
        }
        (size, unit) = (size * 1000, next);
    }
    let tenths = (bytes * 10 + size / 2) / size;
    if tenths < 100 {
        format!("{}.{} {unit}", tenths / 10, tenths % 10)
    } else {
        format!("{} {unit}", (bytes + size / 2) / size)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counts_bear_thousands_separators_and_deltas_their_sign() {
        assert_eq!(count(0), "0");
        assert_eq!(count(999), "999");
        assert_eq!(count(702_072), "702,072");
        assert_eq!(count(u64::MAX), "18,446,744,073,709,551,615");
        assert_eq!(delta(14_066), "+14,066");
        assert_eq!(delta(-521), "-521");
        assert_eq!(delta(0), "0");
        assert_eq!(delta(i64::MIN), "-9,223,372,036,854,775,808");
        assert_eq!(counted(1, "row"), "1 row");
        assert_eq!(counted(0, "row"), "0 rows");
    }

    #[test]
    fn only_all_of_it_is_100_percent() {
        assert_eq!(percent(702_071, 702_072), Some(99));
        assert_eq!(percent(702_072, 702_072), Some(100));
        assert_eq!(percent(9, 8), Some(100));
        assert_eq!(percent(0, 0), None);
        assert_eq!(percent(u64::MAX - 1, u64::MAX), Some(99));
    }

    #[test]
    fn a_ratio_is_100_percent_only_when_both_counts_are_equal() {
        for (found, expected, text) in [
            (335, 335, "100.00 %"),
            (0, 0, "100.00 %"),
            (702_071, 702_072, "99.99 %"),
            (99_999_999, 100_000_000, "99.99 %"),
            (100_000_001, 100_000_000, "100.01 %"),
            (701_551, 702_072, "99.93 %"),
            (51_107, 37_041, "137.97 %"),
            (0, 335, "0.00 %"),
            (u64::MAX, 1, "1844674407370955161500.00 %"),
        ] {
            assert_eq!(ratio(found, expected).as_deref(), Some(text), "{found} of {expected}");
        }
        assert_eq!(ratio(1, 0), None);
    }

    #[test]
    fn times_read_well_from_milliseconds_to_hours() {
        for (ms, text) in [
            (0, "0.0 s"),
            (49, "0.0 s"),
            (50, "0.1 s"),
            (1_234, "1.2 s"),
            (59_949, "59.9 s"),
            (59_950, "1 min 00 s"),
            (123_000, "2 min 03 s"),
            (3_599_400, "59 min 59 s"),
            (3_720_000, "1 h 02 min"),
        ] {
            assert_eq!(duration(Duration::from_millis(ms)), text, "{ms}");
        }
        for (ms, long, short) in [
            (1, "1 s", "0:01"),
            (7_000, "7 s", "0:07"),
            (59_001, "1 min 00 s", "1:00"),
            (123_000, "2 min 03 s", "2:03"),
            (3_723_000, "1 h 02 min", "1:02:03"),
        ] {
            assert_eq!(remaining(Duration::from_millis(ms)), long, "{ms}");
            assert_eq!(clock(Duration::from_millis(ms)), short, "{ms}");
        }
    }

    #[test]
    fn bytes_have_two_digits_or_three_and_change_their_unit_at_1000() {
        for (number, text) in [
            (0, "0 B"),
            (999, "999 B"),
            (1_000, "1.0 kB"),
            (9_949, "9.9 kB"),
            (9_950, "10 kB"),
            (999_499, "999 kB"),
            (999_500, "1.0 MB"),
            (61_200_000, "61 MB"),
            (1_149_000_000, "1.1 GB"),
            (u64::MAX, "18 EB"),
        ] {
            assert_eq!(bytes(number), text, "{number}");
        }
    }
}
