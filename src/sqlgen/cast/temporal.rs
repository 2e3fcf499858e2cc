//! To `date`, `timestamp`, `timestamptz`, and to a `bigint` of epoch milliseconds.
//!
//! A text is read into a stamp, an array of three: the days since 1970 as written, the microseconds of
//! the day, and the offset in seconds east of UTC. Ranges are checked as numbers, before the server
//! makes a date of them.

use crate::schema::Scalar;
use crate::spec::model::EpochUnit;

use super::super::text::{bound, floor_div, literal, with};
use super::{Cast, of_string};

const MICROS_PER_DAY: i64 = 86_400_000_000;
const MS_PER_DAY: i64 = 86_400_000;

/// What a clock shows behind a date: `T09:30:00.123+02:00`.
const CLOCK: &str = "([Tt ][0-9]{2}:[0-9]{2}(:[0-9]{2}([.][0-9]+){0,1}){0,1}\
                     ([Zz]|[+-][0-9]{2}(:[0-9]{2}(:[0-9]{2}){0,1}){0,1}|[+-][0-9]{4}){0,1}){0,1}";

/// A value of the column's type.
pub(super) fn value(cast: &Cast<'_>, json: &str) -> String {
    let stamps: Vec<String> = std::iter::once(iso("s.s"))
        .chain(cast.spec.formats.iter().map(|format| formatted(format, "s.s")))
        .collect();
    let stamp = with(
        "a",
        &[("a", format!("coalesce({})", stamps.join(", ")))],
        &format!("CASE WHEN a.a IS NULL THEN {} ELSE {} END", from_digits(cast), from_stamp(cast)),
    );
    let string = of_string(json, &stamp);
    let number = from_number(cast, &number(cast, json));
    format!("CASE jsonb_typeof({json}) WHEN 'number' THEN {number} WHEN 'string' THEN {string} END")
}

/// The number that a value counts a time with, before its unit; NULL for other values and for dates in
/// text.
pub(super) fn count(cast: &Cast<'_>, json: &str) -> String {
    let digits = of_string(json, &digits(cast));
    format!(
        "CASE jsonb_typeof({json}) WHEN 'number' THEN {} WHEN 'string' THEN {digits} END",
        number(cast, json)
    )
}

/// A JSON number of integral value; a date does not ask for one.
fn number(cast: &Cast<'_>, json: &str) -> String {
    match cast.live.scalar {
        Scalar::Date => format!("floor({json}::numeric)"),
        _ => format!("CASE WHEN {json}::numeric = trunc({json}::numeric) THEN {json}::numeric END"),
    }
}

/// A number in digits, in a text `s.s` that is in none of the column's own forms.
fn digits(cast: &Cast<'_>) -> String {
    let mut test = "s.s ~ '^-{0,1}[0-9]+$' AND length(ltrim(s.s, '-0')) <= 19".to_owned();
    for format in &cast.spec.formats {
        test.push_str(&format!(" AND s.s !~ {}", literal(&shape(format).0)));
    }
    format!(
        "CASE WHEN {test} THEN (CASE WHEN left(s.s, 1) = '-' THEN '-0' ELSE '0' END || ltrim(s.s, '-0'))::numeric END"
    )
}

fn from_digits(cast: &Cast<'_>) -> String {
    from_number(cast, &digits(cast))
}

/// A value from the number that counts it.
fn from_number(cast: &Cast<'_>, number: &str) -> String {
    let mut number = number.to_owned();
    for none in &cast.spec.none {
        number = format!("NULLIF({number}, {none})");
    }
    let ms = match cast.spec.unit {
        EpochUnit::Milliseconds => number,
        EpochUnit::Seconds => format!("({number}) * 1000"),
    };
    let ms = bound("n", &[("n", ms)], None);
    let ms = format!(
        "(SELECT CASE WHEN n.n BETWEEN -9223372036854775808 AND 9223372036854775807 THEN n.n::bigint END AS ms \
         FROM {ms} OFFSET 0) AS e"
    );
    let value = match cast.live.scalar {
        Scalar::BigInt => "e.ms".to_owned(),
        Scalar::Date => with("y", &[("y", floor_div("e.ms", MS_PER_DAY))], &date("y.y")),
        _ => {
            // Beyond these 64 bits do not hold the microseconds.
            let micros = "CASE WHEN e.ms BETWEEN -210866803200000 AND 9224318015999999 \
                          THEN (e.ms - 946684800000) * 1000 END";
            with("m", &[("m", micros.to_owned())], &timestamp(cast, "m.m"))
        }
    };
    format!("(SELECT {value} FROM {ms})")
}

/// A value from the stamp `a.a`.
fn from_stamp(cast: &Cast<'_>) -> String {
    if cast.live.scalar == Scalar::Date {
        let shift = floor_div("(a.a[2] - a.a[3] * 1000000)", MICROS_PER_DAY);
        // Without an offset it is the day that was written, be it at 24:00.
        let day = format!("a.a[1] + CASE WHEN a.a[3] = 0 THEN 0 ELSE {shift} END");
        return with("y", &[("y", day)], &date("y.y"));
    }
    if cast.live.scalar == Scalar::BigInt {
        // Any date that the server knows: its milliseconds fit 64 bits.
        let ms = floor_div("(a.a[2] - a.a[3] * 1000000)", 1000);
        return format!(
            "CASE WHEN a.a[1] BETWEEN {FIRST_DAY} AND {LAST_DAY} THEN a.a[1] * {MS_PER_DAY} + {ms} END"
        );
    }
    let micros = format!(
        "CASE WHEN a.a[1] - 10957 BETWEEN -2451547 AND 106751988 \
         THEN (a.a[1] - 10957) * {MICROS_PER_DAY} + a.a[2] - a.a[3] * 1000000 END"
    );
    with("m", &[("m", micros)], &timestamp(cast, "m.m"))
}

/// The first and the last day of the server's dates, since 1970.
const FIRST_DAY: i64 = -2_440_588;
const LAST_DAY: i64 = 2_145_042_905;

/// The date of a day since 1970.
fn date(day: &str) -> String {
    format!("CASE WHEN {day} BETWEEN {FIRST_DAY} AND {LAST_DAY} THEN date '1970-01-01' + {day}::integer END")
}

/// Whether microseconds since 2000 are in the range of a timestamp.
fn in_range(micros: &str) -> String {
    format!("{micros} BETWEEN -211813488000000000 AND 9223371331199999999")
}

/// The timestamp of microseconds since 2000.
fn timestamp(cast: &Cast<'_>, micros: &str) -> String {
    let days = floor_div(micros, MICROS_PER_DAY);
    let rest = format!("({micros} - {days} * {MICROS_PER_DAY})");
    let clock =
        format!("(date '2000-01-01' + {days}::integer)::timestamp + {rest} * interval '1 microsecond'");
    let zone = if cast.live.scalar == Scalar::TimestampTz { " AT TIME ZONE 'UTC'" } else { "" };
    format!("CASE WHEN {} THEN ({clock}){zone} END", in_range(micros))
}

/// The stamp of an ISO 8601 text; NULL for others and for dates that do not exist.
fn iso(text: &str) -> String {
    let halves = bound(
        "h",
        &[
            ("y", format!("split_part({text}, '-', 1)::integer")),
            ("r", format!("substr({text}, strpos({text}, '-') + 1)")),
        ],
        None,
    );
    let pieces = bound(
        "i",
        &[
            ("y", "h.y".to_owned()),
            ("mo", "substr(h.r, 1, 2)::integer".to_owned()),
            ("da", "substr(h.r, 4, 2)::integer".to_owned()),
            ("clock", "substring(substr(h.r, 7) FROM '^[0-9:.]*')".to_owned()),
            ("zone", "translate(ltrim(substr(h.r, 7), '0123456789:.'), ':', '')".to_owned()),
        ],
        Some(&halves),
    );
    // A part that is not there is an empty string, and with a zero in front 0.
    let part = |from: &str, place: usize| format!("('0' || substr({from}, {place}, 2))::bigint");
    let fields = bound(
        "f",
        &[
            ("y", "i.y".to_owned()),
            ("mo", "i.mo".to_owned()),
            ("da", "i.da".to_owned()),
            ("hour", part("i.clock", 1)),
            ("minute", part("i.clock", 4)),
            ("second", part("i.clock", 7)),
            ("micros", micros("substr(i.clock, 10)")),
            ("zone", "CASE WHEN left(i.zone, 1) = '-' THEN -1 ELSE 1 END".to_owned()),
            ("zone_hour", part("i.zone", 2)),
            ("zone_minute", part("i.zone", 4)),
            ("zone_second", part("i.zone", 6)),
        ],
        Some(&pieces),
    );
    let valid = format!(
        "{} AND f.minute < 60 AND f.second <= 60 AND f.zone_hour <= 15 AND f.zone_minute < 60 AND f.zone_second < 60 \
         AND ((f.hour * 60 + f.minute) * 60 + f.second) * 1000000 + f.micros <= {MICROS_PER_DAY}",
        exists("f")
    );
    format!(
        "CASE WHEN {text} ~ '^[0-9]{{4,7}}-[0-9]{{2}}-[0-9]{{2}}{CLOCK}$' THEN (SELECT CASE WHEN {valid} THEN \
         ARRAY[make_date(f.y, f.mo, f.da) - date '1970-01-01', \
         ((f.hour * 60 + f.minute) * 60 + f.second) * 1000000 + f.micros, \
         f.zone * ((f.zone_hour * 60 + f.zone_minute) * 60 + f.zone_second)]::bigint[] END FROM {fields}) END"
    )
}

/// Microseconds from the digits of a fraction: as a double, half to even, as the server reads them. A
/// hundred digits tell any two doubles apart; what follows them matters only by being there.
fn micros(digits: &str) -> String {
    format!(
        "CASE WHEN {digits} = '' THEN 0 WHEN length({digits}) <= 6 THEN rpad({digits}, 6, '0')::bigint \
         ELSE round(('0.' || left({digits}, 100) || CASE WHEN substr({digits}, 101) ~ '[1-9]' THEN '1' ELSE '' END)\
         ::double precision * 1000000)::bigint END"
    )
}

/// Whether the calendar and the server have the date of the columns `y`, `mo`, `da` of a table.
fn exists(table: &str) -> String {
    let [y, mo, da] = ["y", "mo", "da"].map(|column| format!("{table}.{column}"));
    format!(
        "{y} BETWEEN 1 AND 5874897 AND {mo} BETWEEN 1 AND 12 AND {da} BETWEEN 1 AND CASE \
         WHEN {mo} IN (4, 6, 9, 11) THEN 30 WHEN {mo} <> 2 THEN 31 \
         WHEN {y} % 4 = 0 AND ({y} % 100 <> 0 OR {y} % 400 = 0) THEN 29 ELSE 28 END"
    )
}

const FIELDS: [(&str, &str); 6] = [
    ("YYYY", "[0-9]{4}"),
    ("MM", "[0-9]{2}"),
    ("DD", "[0-9]{2}"),
    ("HH24", "([01][0-9]|2[0-3])"),
    ("MI", "[0-5][0-9]"),
    ("SS", "[0-5][0-9]"),
];

/// A column's own form as a pattern, and where each of its fields begins in a text, counted from 1; 0 for
/// a field that it lacks. The reader of the file has checked it.
fn shape(format: &str) -> (String, [usize; 6]) {
    let mut pattern = "^".to_owned();
    let mut places = [0; 6];
    let mut place = 1;
    let mut rest = format;
    while let Some(first) = rest.chars().next() {
        let field = FIELDS.iter().zip(&mut places).find(|((name, _), _)| rest.starts_with(name));
        if let Some(((name, digits), at)) = field {
            *at = place;
            place += if *name == "YYYY" { 4 } else { 2 };
            pattern.push_str(digits);
            rest = rest.strip_prefix(name).unwrap_or_default();
        } else {
            // A backslash or a caret means something inside of brackets, too.
            pattern.push_str(&match first {
                '\\' | '^' => format!("\\{first}"),
                _ => format!("[{first}]"),
            });
            place += 1;
            rest = rest.strip_prefix(first).unwrap_or_default();
        }
    }
    (pattern + "$", places)
}

/// The stamp of a text in one of the column's own forms; NULL for others and for dates that do not exist.
fn formatted(format: &str, text: &str) -> String {
    let (pattern, places) = shape(format);
    let field = |index: usize, width: usize| match places.get(index) {
        None | Some(0) => "0".to_owned(),
        Some(place) => format!("substr({text}, {place}, {width})::integer"),
    };
    let clock =
        format!("(({}::bigint * 60 + {}) * 60 + {}) * 1000000", field(3, 2), field(4, 2), field(5, 2));
    let fields =
        bound("g", &[("y", field(0, 4)), ("mo", field(1, 2)), ("da", field(2, 2)), ("clock", clock)], None);
    format!(
        "CASE WHEN {text} ~ {} THEN (SELECT CASE WHEN {} THEN \
         ARRAY[make_date(g.y, g.mo, g.da) - date '1970-01-01', g.clock, 0]::bigint[] END FROM {fields}) END",
        literal(&pattern),
        exists("g")
    )
}
