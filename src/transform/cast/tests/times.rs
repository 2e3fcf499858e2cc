//! `date`, `timestamp`, `timestamptz`, and milliseconds in a `bigint`.

use super::*;
use crate::transform::cast::temporal::check_format;

/// 2025-01-15 in days since 2000-01-01: 25 years with 7 leap days, and 14 days.
const DAY: i32 = 25 * 365 + 7 + 14;
/// 2025-01-15T00:00Z in milliseconds since 1970.
const DAY_MS: i64 = (DAY as i64 + 10_957) * 86_400_000;

fn date(days: i32, coercion: impl Into<Option<Coercion>>) -> Outcome {
    wrote(&days.to_be_bytes(), coercion)
}

fn number(value: i64, coercion: impl Into<Option<Coercion>>) -> Outcome {
    wrote(&value.to_be_bytes(), coercion)
}

#[test]
fn dates_come_from_iso_text() {
    let spec = spec_of("date");
    assert_eq!(cast(&spec, Text("2025-01-15")), date(DAY, None));
    assert_eq!(cast(&spec, Text(" 2025-01-15\n")), date(DAY, TextRule));
    for (text, days) in [
        ("2025-01-15T23:59:59", DAY),
        ("2025-01-15 23:59", DAY),
        ("2025-01-15T12:00:00.123456789Z", DAY),
        ("2025-01-15T23:30:00-05:00", DAY + 1),
        ("2025-01-15T00:30+01", DAY - 1),
        ("2025-01-15T24:00:00", DAY),
        ("2025-01-15T24:00:00Z", DAY),
    ] {
        assert_eq!(cast(&spec, Text(text)), date(days, TimeToDate), "{text}");
    }
    // From the server.
    assert_eq!(cast(&spec, Text("0001-01-01")), date(-730_119, None));
    assert_eq!(cast(&spec, Text("5874897-12-31")), date(2_145_031_948, None));
    assert_eq!(cast(&spec, Text("2000-02-29")), date(59, None));
}

#[test]
fn dates_come_from_epoch_numbers_in_utc() {
    let spec = spec_of("date");
    assert_eq!(cast(&spec, Number("0")), date(-10_957, EpochToTime));
    assert_eq!(cast(&spec, Number("-1")), date(-10_958, EpochToTime));
    assert_eq!(cast(&spec, Number("-0.5")), date(-10_958, EpochToTime));
    let last_ms = (DAY_MS + 86_399_999).to_string();
    assert_eq!(cast(&spec, Number(&last_ms)), date(DAY, EpochToTime));
    assert_eq!(cast(&spec, Text(&last_ms)), date(DAY, EpochToTime));
    assert_eq!(cast(&spec, Text("-1")), date(-10_958, EpochToTime));
    let seconds = CastSpec { unit: EpochUnit::Seconds, ..spec.clone() };
    assert_eq!(cast(&seconds, Number(&(DAY_MS / 1000).to_string())), date(DAY, EpochToTime));
    assert_eq!(cast(&spec, Number("999999999999999999")), Err(OutOfRange));
    assert_eq!(cast(&spec, Number("-9223372036854775808.5")), Err(OutOfRange));
    assert_eq!(cast(&spec, Number("99999999999999999999.5")), Err(OutOfRange));
    assert_eq!(cast(&seconds, Number("9223372036854775807")), Err(OutOfRange));
}

#[test]
fn a_date_that_the_calendar_lacks_is_told_from_text_that_is_no_date() {
    for name in ["date", "timestamp", "timestamptz"] {
        let spec = spec_of(name);
        for text in [
            "0000-00-00",
            "0000-00-00 00:00:00",
            "2025-02-29",
            "1900-02-29",
            "2025-04-31",
            "2025-13-01",
            "2025-00-10",
            "2025-01-00",
        ] {
            assert_eq!(cast(&spec, Text(text)), Err(NoSuchDate), "{name} {text}");
        }
        for text in [
            "01/15/2025",
            "2025-1-5",
            "2025-01-15T",
            "2025-01-15T12",
            "2025-01-15T25:00",
            "2025-01-15T12:60",
            "2025-01-15T24:00:00.1",
            "2025-01-15T12:00+16",
            "2025-01-15T12:00+05:60",
            "2025-01-15T12:00:00.",
            "soon",
            "12345678-01-01",
            "1.5",
            "+5",
            "-",
            "infinity",
            "2025-01-15x",
            "２０２５-01-15",
        ] {
            assert_eq!(cast(&spec, Text(text)), Err(NotATime), "{name} {text}");
        }
        for value in [Bool(true), Array("[]"), Object("{}")] {
            assert_eq!(cast(&spec, value), Err(WrongKind));
        }
    }
    assert_eq!(cast(&epoch_ms(), Text("2025-02-29")), Err(NoSuchDate));
    assert_eq!(cast(&epoch_ms(), Text("5874898-01-01")), Err(OutOfRange));
    assert_eq!(cast(&epoch_ms(), Bool(true)), Err(WrongKind));
    assert_eq!(cast(&spec_of("date"), Text("5874898-01-01")), Err(OutOfRange));
}

#[test]
fn timestamps_are_instants_in_microseconds() {
    for name in ["timestamp", "timestamptz"] {
        let spec = spec_of(name);
        let noon = (i64::from(DAY) * 24 + 12) * 3_600_000_000;
        for (text, micros) in [
            ("2025-01-15T12:00:00Z", noon),
            ("2025-01-15 12:00", noon),
            ("2025-01-15t12:00:00z", noon),
            ("2025-01-15T14:00:00+02:00", noon),
            ("2025-01-15T17:30+0530", noon),
            ("2025-01-15T06:29:30-05:30:30", noon),
            ("2025-01-15", noon - 43_200_000_000),
            ("2025-01-15T11:59:60", noon),
            ("2025-01-15T24:00:00", noon + 43_200_000_000),
            ("2025-01-15T12:00:00.5", noon + 500_000),
            ("2025-01-15T12:00:00.1234564", noon + 123_456),
            ("2025-01-15T12:00:00.0000005", noon),
            ("2025-01-15T12:00:00.0000015", noon + 2),
            ("2025-01-15T11:59:59.9999999", noon),
        ] {
            assert_eq!(cast(&spec, Text(text)), number(micros, None), "{name} {text}");
        }
        assert_eq!(cast(&spec, Text(" 2025-01-15")), number(noon - 43_200_000_000, TextRule));
        assert_eq!(cast(&spec, Number(&DAY_MS.to_string())), number(noon - 43_200_000_000, EpochToTime));
        assert_eq!(cast(&spec, Text("1")), number(1000 - 946_684_800_000_000, EpochToTime));
        assert_eq!(cast(&spec, Number("1.5")), Err(Fraction));
    }
}

#[test]
fn timestamps_outside_the_servers_range_are_refused() {
    let spec = spec_of("timestamptz");
    assert_eq!(cast(&spec, Text("294276-12-31T23:59:59.999999")), number(9_223_371_331_199_999_999, None));
    assert_eq!(cast(&spec, Text("294277-01-01T00:00:00+01")), number(9_223_371_327_600_000_000, None));
    assert_eq!(cast(&spec, Text("294277-01-01")), Err(OutOfRange));
    assert_eq!(cast(&spec, Text("294276-12-31T23:59:59.9999999")), Err(OutOfRange));
    // Julian day 0, and a millisecond before it.
    assert_eq!(cast(&spec, Number("-210866803200000")), number(-211_813_488_000_000_000, EpochToTime));
    assert_eq!(cast(&spec, Number("-210866803200001")), Err(OutOfRange));
    assert_eq!(cast(&spec, Number("9223372036854775808")), Err(OutOfRange));
}

#[test]
fn milliseconds_reach_as_far_as_the_servers_dates() {
    for (text, ms) in [
        ("294277-01-01", 9_224_318_016_000_000),
        ("5874897-12-31", 185_331_706_992_000_000),
        ("5874897-12-31T23:59:59.999-01:00", 185_331_707_078_399_999 + 3_600_000),
    ] {
        assert_eq!(cast(&epoch_ms(), Text(text)), number(ms, TimeToEpoch), "{text}");
    }
}

#[test]
fn milliseconds_are_kept_as_they_are_and_read_from_text() {
    let spec = epoch_ms();
    assert_eq!(cast(&spec, Number("1754352000000")), number(1_754_352_000_000, None));
    assert_eq!(cast(&spec, Number("1.754352e12")), number(1_754_352_000_000, None));
    assert_eq!(cast(&spec, Number("0")), number(0, None));
    assert_eq!(cast(&spec, Number("9223372036854775807")), number(i64::MAX, None));
    assert_eq!(cast(&spec, Text(" 1754352000000 ")), number(1_754_352_000_000, StringToNumber));
    assert_eq!(cast(&spec, Text("-5")), number(-5, StringToNumber));
    assert_eq!(cast(&spec, Text("0000000000000000000000005")), number(5, StringToNumber));
    assert_eq!(cast(&spec, Text("2025-01-15")), number(DAY_MS, TimeToEpoch));
    assert_eq!(cast(&spec, Text("2025-01-15T00:00:00.0019999Z")), number(DAY_MS + 2, TimeToEpoch));
    assert_eq!(cast(&spec, Text("1969-12-31T23:59:59.9985")), number(-2, TimeToEpoch));
    for (value, reason) in [
        (Number("1.5"), Fraction),
        (Number("1e19"), OutOfRange),
        (Text("99999999999999999999"), OutOfRange),
        (Text("1754352000000.0"), NotATime),
        (Text("soon"), NotATime),
        (Text("5874898-01-01"), OutOfRange),
    ] {
        assert_eq!(cast(&spec, value), Err(reason), "{value:?}");
    }
}

#[test]
fn seconds_are_read_only_where_the_column_says_so() {
    let seconds = CastSpec { unit: EpochUnit::Seconds, ..epoch_ms() };
    assert_eq!(cast(&epoch_ms(), Number("1754352000")), number(1_754_352_000, None));
    assert_eq!(cast(&seconds, Number("1754352000")), number(1_754_352_000_000, None));
    assert_eq!(cast(&seconds, Text("2025-01-15")), number(DAY_MS, TimeToEpoch));
    assert_eq!(cast(&seconds, Number("9223372036854775807")), Err(OutOfRange));
    let none = CastSpec { none: vec![0], ..epoch_ms() };
    assert_eq!(cast(&none, Number("0")), NAMED);
    assert_eq!(cast(&none, Text("0")), NAMED);
    assert_eq!(cast(&none, Text("1970-01-01")), number(0, TimeToEpoch));
}

#[test]
fn a_columns_own_forms_are_tried_behind_iso_and_before_digits() {
    let formats = ["MM/DD/YYYY", "DD/MM/YYYY", "YYYYMMDD"].map(str::to_owned).to_vec();
    let spec = CastSpec { formats: formats.clone(), ..spec_of("date") };
    assert_eq!(cast(&spec, Text("01/15/2025")), date(DAY, None));
    assert_eq!(cast(&spec, Text("15/01/2025")), date(DAY, None));
    assert_eq!(cast(&spec, Text("20250115")), date(DAY, None));
    assert_eq!(cast(&spec, Text("2025-01-15")), date(DAY, None));
    assert_eq!(cast(&spec, Text("02/30/2025")), Err(NoSuchDate));
    assert_eq!(cast(&spec, Text("1/15/2025")), Err(NotATime));
    assert_eq!(cast(&spec, Text("01/15/2025 ")), date(DAY, TextRule));
    assert_eq!(cast(&spec, Text("01/15/20255")), Err(NotATime));
    assert_eq!(cast(&spec, Text("1736899200000")), date(DAY, EpochToTime));
    let timed = CastSpec { formats: vec!["DD.MM.YYYY HH24:MI:SS".to_owned()], ..spec_of("date") };
    assert_eq!(cast(&timed, Text("15.01.2025 23:59:59")), date(DAY, TimeToDate));
    assert_eq!(cast(&timed, Text("15.01.2025 24:00:00")), Err(NotATime));
    let timed = CastSpec { column_type: type_of("timestamptz"), ..timed };
    let micros = i64::from(DAY) * 86_400_000_000 + 3_661_000_000;
    assert_eq!(cast(&timed, Text("15.01.2025 01:01:01")), number(micros, None));
}

#[test]
fn formats_are_checked_before_a_byte_moves() {
    for pattern in
        ["MM/DD/YYYY", "YYYYMMDD", "YYYY-MM-DDTHH24:MI:SSZ", "DD.MM.YYYY HH24", "YYYY MM DD HH24:MI"]
    {
        assert_eq!(check_format(pattern), Ok(()), "{pattern}");
    }
    for (pattern, message) in [
        ("", "format \"\" lacks YYYY"),
        ("MM/DD", "format \"MM/DD\" lacks YYYY"),
        ("YYYY-MM", "format \"YYYY-MM\" lacks DD"),
        ("YYYY-MM-DD MM", "format \"YYYY-MM-DD MM\" has MM twice"),
        (
            "MM/DD/YY",
            "format \"MM/DD/YY\" has \"YY\", which begins with no field: fields are YYYY, MM, DD, HH24, MI, SS",
        ),
        (
            "YYYY年MM月DD",
            "format \"YYYY年MM月DD\" has \"年MM月DD\", which begins with no field: fields are YYYY, MM, DD, HH24, MI, SS",
        ),
        (
            "YYYY-MM-DD MI:SS",
            "format \"YYYY-MM-DD MI:SS\" has minutes or seconds without what stands above them",
        ),
    ] {
        assert_eq!(check_format(pattern), Err(message.to_owned()), "{pattern}");
    }
}
