//! Dates and times in ISO style. The server counts from 2000-01-01, and knows no year 0.

const MICROS_PER_SECOND: i64 = 1_000_000;
const MICROS_PER_DAY: i64 = 86_400 * MICROS_PER_SECOND;
/// 2000-01-01, in days since the first of March of the year 0.
const SERVER_EPOCH_DAY: i64 = 730_425;
/// Days of 400 years.
const DAYS_PER_ERA: i64 = 146_097;

/// The text of a `date`, in days since 2000-01-01.
pub(super) fn date(days: i32) -> String {
    match days {
        i32::MAX => "infinity".to_owned(),
        i32::MIN => "-infinity".to_owned(),
        days => {
            let (date, era) = day(i64::from(days));
            format!("{date}{era}")
        }
    }
}

/// The text of a `timestamp` or `timestamptz`, in microseconds since 2000-01-01; `zone` stands behind
/// the time.
pub(super) fn timestamp(micros: i64, zone: &str) -> String {
    match micros {
        i64::MAX => return "infinity".to_owned(),
        i64::MIN => return "-infinity".to_owned(),
        _ => {}
    }
    let (date, era) = day(micros.div_euclid(MICROS_PER_DAY));
    let time = micros.rem_euclid(MICROS_PER_DAY);
    let (seconds, fraction) = (time / MICROS_PER_SECOND, time % MICROS_PER_SECOND);
    let (hour, minute, second) = (seconds / 3600, seconds / 60 % 60, seconds % 60);
    let fraction = match fraction {
        0 => String::new(),
        fraction => format!(".{fraction:06}").trim_end_matches('0').to_owned(),
    };
    format!("{date} {hour:02}:{minute:02}:{second:02}{fraction}{zone}{era}")
}

/// A day since 2000-01-01 in the Gregorian calendar, and ` BC` where it is.
fn day(days: i64) -> (String, &'static str) {
    // Years that begin in March have their leap day at the end, and their months follow one line.
    let days = days + SERVER_EPOCH_DAY;
    let era = days.div_euclid(DAYS_PER_ERA);
    let day_of_era = days.rem_euclid(DAYS_PER_ERA);
    let year_of_era =
        (day_of_era - day_of_era / 1_460 + day_of_era / 36_524 - day_of_era / (DAYS_PER_ERA - 1)) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let month = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * month + 2) / 5 + 1;
    let (month, next_year) = if month < 10 { (month + 3, 0) } else { (month - 9, 1) };
    let year = year_of_era + era * 400 + next_year;
    if year > 0 {
        (format!("{year:04}-{month:02}-{day:02}"), "")
    } else {
        (format!("{:04}-{month:02}-{day:02}", 1 - year), " BC")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_date_is_printed_over_the_whole_range_of_the_server() {
        for (days, expected) in [
            (0, "2000-01-01"),
            (-1, "1999-12-31"),
            (59, "2000-02-29"),
            (60, "2000-03-01"),
            (425, "2001-03-01"),
            (9_146, "2025-01-15"),
            (-730_119, "0001-01-01"),
            (-730_120, "0001-12-31 BC"),
            (-2_451_545, "4714-11-24 BC"),
            (2_921_940, "10000-01-01"),
            (2_145_031_948, "5874897-12-31"),
            (i32::MAX, "infinity"),
        ] {
            assert_eq!(date(days), expected);
        }
    }

    #[test]
    fn a_timestamp_has_no_zeros_at_the_end_and_its_zone_before_its_era() {
        for (micros, zone, expected) in [
            (0, "", "2000-01-01 00:00:00"),
            (-1, "+00", "1999-12-31 23:59:59.999999+00"),
            (1_500_000, "", "2000-01-01 00:00:01.5"),
            (86_399_000_010, "", "2000-01-01 23:59:59.00001"),
            (-211_813_488_000_000_000, "+00", "4714-11-24 00:00:00+00 BC"),
            (9_223_371_331_199_999_999, "", "294276-12-31 23:59:59.999999"),
            (i64::MIN, "+00", "-infinity"),
        ] {
            assert_eq!(timestamp(micros, zone), expected);
        }
    }
}
