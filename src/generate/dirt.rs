//! The classes of dirt: how often a value is dirty, and what it looks like then.
//!
//! | class | share of rows, per key | a dirty value is one of |
//! | --- | --- | --- |
//! | D-INT | 5 % | `""`, `"12"`, `"12.0"`, `12.0`, `" 12 "`, null, no key, beyond 32 bits |
//! | D-REF | 0 in 35 % (22 % where participants name their transaction; as the tree says in the two keys of a sponsor edge), others 2.4 % | `""`, `"4711"`, null, no key, an id that no row has, a uuid |
//! | D-DEC | 4 % | `""`, `"450000.50"`, `"$450,000.50"`, `"2.5%"`, 0.30000000000000004, negative, 30 digits, an object, null |
//! | D-BOOL | 20 % | `"true"`, `"false"`, `""`, `"True"`, `"1"`, 0, 1, null, no key |
//! | D-TS | 3.5 % | 0, null, `""`, `"1754352000000"`, seconds, ISO-8601, after the year 3000 |
//! | D-DATE | 4 % | `""`, null, ISO-8601 date-time, milliseconds, `"01/15/2025"`, `"0000-00-00"`, 29 February of a common year |
//! | D-TEXT | 10 % | `""`, null, padded, newline, tab, backslash, quote, emoji, combining accents, a number; 10 kB in one of 5,000 dirty values, so that the mean size of a document holds |
//! | D-ENUM | 6 % | the other case, `""`, null, an unknown value |
//! | D-EMAIL | 3.5 % | upper case, padded, two in one, `""`, one of a few that many rows share |
//! | D-UUID | 2 % | upper case, no dashes, `""`, null, `"null"`, a whole number |
//! | D-OBJ | 6 % | `{}`, `[]`, `""`, null, JSON inside a string |
//! | D-OBJBOOL | 25 % | true, an object with an id, `{}`, `""`, null, `"true"` |
//! | D-LIST | 6 % | `[]`, null, `""`, `"1,2"`, one scalar |
//! | D-IMG | 30 % | null, `""`, a URL as text |
//! | D-PW | 5 % | `""`, null |
//! | D-GEO | 5 % | null, `""`, `"lat,lng"` |
//!
//! The dirty values of a class are equally frequent. A function of this module writes the dirty value
//! with a given number, in the order of the table; `false` says that the key is to be missing.
//!
//! At the level [`Dirt::Castable`] the same rows are dirty, as often, but only with those values that the
//! server's own casts take behind a NULLIF (see [`castable`]), so that plain SQL gets to its end and
//! gives the rows that a run gives.

use crate::catalog::Class;

use super::Dirt;
use super::rng::RowRng;
use super::words::PROSE;
use super::write;

/// How often a clean reference is 0, in 65,536 rows.
pub(super) const ZERO_REFERENCES: u16 = share(35.0);
/// The same for the transaction of a participant.
pub(super) const ZERO_TRANSACTIONS: u16 = share(22.0);

/// One dirty text in so many is of [`LONG_TEXT_BYTES`].
const LONG_TEXT_EVERY: u64 = 5_000;
const LONG_TEXT_BYTES: usize = 10_240;
/// The number of the long text among the dirty ones.
const LONG_TEXT: u8 = 10;

const fn share(percent: f64) -> u16 {
    (percent * 655.36) as u16
}

/// The share of a class in 65,536 rows, and the number of its dirty values.
const fn frequency(class: Class) -> (u16, u8) {
    match class {
        Class::Int => (share(5.0), 8),
        Class::Ref => (share(2.4), 6),
        Class::Dec => (share(4.0), 9),
        Class::Bool => (share(20.0), 9),
        Class::Ts => (share(3.5), 7),
        Class::Date => (share(4.0), 7),
        Class::Text => (share(10.0), 10),
        Class::Enum => (share(6.0), 4),
        Class::Email => (share(3.5), 5),
        Class::Uuid => (share(2.0), 6),
        Class::Obj => (share(6.0), 5),
        Class::ObjBool => (share(25.0), 6),
        Class::List => (share(6.0), 5),
        Class::Img => (share(30.0), 3),
        Class::Pw => (share(5.0), 2),
        Class::Geo => (share(5.0), 3),
    }
}

/// The dirty values that `NULLIF(xdo->>'key', '')::type` takes, where it does not take all of them, and of
/// which it makes what a run makes.
///
/// JSON null in place of an object is not among them: `xdo->'key'` makes the JSON null of it, a run NULL.
const fn castable(class: Class) -> Option<&'static [u8]> {
    match class {
        Class::Int => Some(&[0, 1, 4, 5, 6, 7]),
        Class::Ref => Some(&[0, 1, 2, 3, 4]),
        Class::Dec => Some(&[0, 1, 4, 5, 6, 8]),
        Class::Ts => Some(&[0, 1, 2, 3, 4, 6]),
        Class::Date => Some(&[0, 1, 2]),
        // An object inside a string takes draws of its own: it stays where it was.
        Class::Obj => Some(&[0, 1, 2, 0, 4]),
        Class::ObjBool => Some(&[0, 3, 4, 5]),
        _ => None,
    }
}

/// Decides whether a value is dirty, and how: `None` for a clean one. The draws are the same at every
/// level, so that the clean values of a row are, too.
pub(super) fn pick(class: Class, level: Dirt, rng: &mut RowRng) -> Option<u8> {
    let (share, variants) = frequency(class);
    if !rng.chance(share) {
        return None;
    }
    if class == Class::Text && rng.below(LONG_TEXT_EVERY) == 0 {
        return Some(LONG_TEXT);
    }
    let drawn = rng.below(u64::from(variants)) as u8;
    match (level, castable(class)) {
        // The rest of a division by the length is an index.
        (Dirt::Castable, Some(taken)) => Some(taken[usize::from(drawn) % taken.len()]),
        _ => Some(drawn),
    }
}

fn raw(out: &mut Vec<u8>, json: &str) -> bool {
    write::text(out, json);
    true
}

fn string(out: &mut Vec<u8>, before: &str, content: impl FnOnce(&mut Vec<u8>), after: &str) -> bool {
    out.push(b'"');
    write::text(out, before);
    content(out);
    write::text(out, after);
    out.push(b'"');
    true
}

pub(super) fn int(out: &mut Vec<u8>, variant: u8, clean: i64) -> bool {
    let digits = |out: &mut Vec<u8>| write::int(out, clean);
    match variant {
        0 => raw(out, "\"\""),
        1 => string(out, "", digits, ""),
        2 => string(out, "", digits, ".0"),
        3 => {
            digits(out);
            raw(out, ".0")
        }
        4 => string(out, " ", digits, " "),
        5 => raw(out, "null"),
        6 => false,
        _ => {
            write::int(out, 3_000_000_000 + clean);
            true
        }
    }
}

pub(super) fn reference(out: &mut Vec<u8>, variant: u8, clean: i64, dangling: i64, uuid: (u64, u64)) -> bool {
    match variant {
        0 => raw(out, "\"\""),
        1 => string(out, "", |out| write::int(out, clean), ""),
        2 => raw(out, "null"),
        3 => false,
        4 => {
            write::int(out, dangling);
            true
        }
        _ => string(out, "", |out| write::uuid(out, uuid.0, uuid.1), ""),
    }
}

/// `units` and `cents` are those of the clean amount.
pub(super) fn decimal(out: &mut Vec<u8>, variant: u8, units: u64, cents: u64) -> bool {
    let amount = |out: &mut Vec<u8>| {
        write::padded(out, units, 1);
        out.push(b'.');
        write::padded(out, cents, 2);
    };
    match variant {
        0 => raw(out, "\"\""),
        1 => string(out, "", amount, ""),
        2 => string(
            out,
            "$",
            |out| {
                if units >= 1000 {
                    write::padded(out, units / 1000, 1);
                    out.push(b',');
                    write::padded(out, units % 1000, 3);
                } else {
                    write::padded(out, units, 1);
                }
                out.push(b'.');
                write::padded(out, cents, 2);
            },
            "",
        ),
        3 => string(out, "", |out| write::padded(out, units % 100, 1), ".5%"),
        4 => raw(out, "0.30000000000000004"),
        5 => {
            out.push(b'-');
            write::padded(out, units + 1, 1);
            raw(out, ".25")
        }
        6 => {
            raw(out, "1234567890123456");
            write::padded(out, units, 12);
            out.push(b'.');
            write::padded(out, cents, 2);
            true
        }
        7 => {
            raw(out, "{\"amount\": ");
            amount(out);
            raw(out, ", \"currency\": \"USD\"}")
        }
        _ => raw(out, "null"),
    }
}

pub(super) fn boolean(out: &mut Vec<u8>, variant: u8) -> bool {
    const VALUES: [&str; 8] = ["\"true\"", "\"false\"", "\"\"", "\"True\"", "\"1\"", "0", "1", "null"];
    match VALUES.get(usize::from(variant)) {
        Some(json) => raw(out, json),
        None => false,
    }
}

pub(super) fn timestamp(out: &mut Vec<u8>, variant: u8, clean_ms: i64) -> bool {
    match variant {
        0 => raw(out, "0"),
        1 => raw(out, "null"),
        2 => raw(out, "\"\""),
        3 => string(out, "", |out| write::int(out, clean_ms), ""),
        4 => {
            write::int(out, clean_ms / 1000);
            true
        }
        5 => string(out, "", |out| write::date_time(out, clean_ms), ""),
        _ => {
            // The year 3000 is 32,503,680,000,000 ms after 1970: far within a bigint.
            write::int(out, 32_503_680_000_000 + clean_ms);
            true
        }
    }
}

pub(super) fn date(out: &mut Vec<u8>, variant: u8, clean_days: i64) -> bool {
    let (year, month, day) = write::civil(clean_days);
    match variant {
        0 => raw(out, "\"\""),
        1 => raw(out, "null"),
        2 => string(out, "", |out| write::date_time(out, clean_days * 86_400_000 + 45_296_789), ""),
        3 => {
            write::int(out, clean_days * 86_400_000);
            true
        }
        4 => string(
            out,
            "",
            |out| {
                write::padded(out, month, 2);
                out.push(b'/');
                write::padded(out, day, 2);
                out.push(b'/');
                write::padded(out, year.unsigned_abs(), 4);
            },
            "",
        ),
        5 => raw(out, "\"0000-00-00\""),
        // An odd year is a common one.
        _ => string(out, "", |out| write::padded(out, year.unsigned_abs() | 1, 4), "-02-29"),
    }
}

pub(super) fn text(
    out: &mut Vec<u8>,
    variant: u8,
    rng: &mut RowRng,
    clean: impl FnOnce(&mut Vec<u8>),
) -> bool {
    match variant {
        0 => raw(out, "\"\""),
        1 => raw(out, "null"),
        2 => string(out, "  ", clean, "   "),
        3 => string(out, "", clean, r"\nline 2"),
        4 => string(out, "", clean, r"\ttab"),
        5 => string(out, r"C:\\docs\\", clean, ""),
        6 => string(out, r#"\""#, clean, r#"\""#),
        7 => string(out, "", clean, " \u{1F3E1}\u{1F680}"),
        8 => string(out, "", clean, " Zoe\u{308}"),
        9 => {
            write::padded(out, 1 + rng.below(99_999), 1);
            true
        }
        _ => {
            let start = out.len();
            out.push(b'"');
            while out.len() - start < LONG_TEXT_BYTES {
                write::text(out, rng.pick(PROSE));
                out.push(b' ');
            }
            out.push(b'"');
            true
        }
    }
}

pub(super) fn word(out: &mut Vec<u8>, variant: u8, clean: &str) -> bool {
    match variant {
        0 => {
            let start = out.len();
            write::quoted(out, clean);
            let written = &mut out[start..];
            if clean.bytes().any(|byte| byte.is_ascii_lowercase()) {
                written.make_ascii_uppercase();
            } else {
                written.make_ascii_lowercase();
            }
            true
        }
        1 => raw(out, "\"\""),
        2 => raw(out, "null"),
        _ => raw(out, "\"LEGACY_VALUE\""),
    }
}

pub(super) fn email(out: &mut Vec<u8>, variant: u8, number: u64, clean: impl FnOnce(&mut Vec<u8>)) -> bool {
    match variant {
        0 => {
            let start = out.len();
            string(out, "", clean, "");
            out[start..].make_ascii_uppercase();
            true
        }
        1 => string(out, " ", clean, "  "),
        2 => string(out, "", clean, "; second@mail.example"),
        3 => raw(out, "\"\""),
        _ => string(out, "office", |out| write::padded(out, number % 5, 1), "@homes.example"),
    }
}

pub(super) fn uuid(out: &mut Vec<u8>, variant: u8, (high, low): (u64, u64)) -> bool {
    match variant {
        0 => {
            let start = out.len();
            // The first digit is set to a letter: else a uuid of digits alone would have no upper case.
            string(out, "", |out| write::uuid(out, high | 0xA << 60, low), "");
            out[start..].make_ascii_uppercase();
            true
        }
        1 => string(
            out,
            "",
            |out| {
                write::hex(out, high, 16);
                write::hex(out, low, 16);
            },
            "",
        ),
        2 => raw(out, "\"\""),
        3 => raw(out, "null"),
        4 => raw(out, "\"null\""),
        _ => {
            write::padded(out, high % 100_000, 1);
            true
        }
    }
}

pub(super) fn object(out: &mut Vec<u8>, variant: u8, clean: impl FnOnce(&mut Vec<u8>)) -> bool {
    match variant {
        0 => raw(out, "{}"),
        1 => raw(out, "[]"),
        2 => raw(out, "\"\""),
        3 => raw(out, "null"),
        _ => {
            let mut json = Vec::new();
            clean(&mut json);
            out.push(b'"');
            for byte in json {
                // A clean object holds no backslash: its strings need no escape.
                if byte == b'"' {
                    out.push(b'\\');
                }
                out.push(byte);
            }
            out.push(b'"');
            true
        }
    }
}

pub(super) fn object_or_bool(out: &mut Vec<u8>, variant: u8, agent_id: i64) -> bool {
    match variant {
        0 => raw(out, "true"),
        1 => {
            raw(out, "{\"id\": ");
            write::int(out, agent_id);
            raw(out, "}")
        }
        2 => raw(out, "{}"),
        3 => raw(out, "\"\""),
        4 => raw(out, "null"),
        _ => raw(out, "\"true\""),
    }
}

pub(super) fn list(out: &mut Vec<u8>, variant: u8, number: u64) -> bool {
    match variant {
        0 => raw(out, "[]"),
        1 => raw(out, "null"),
        2 => raw(out, "\"\""),
        3 => raw(out, "\"1,2\""),
        _ => {
            write::padded(out, number % 100, 1);
            true
        }
    }
}

pub(super) fn file(out: &mut Vec<u8>, variant: u8, number: u64) -> bool {
    match variant {
        0 => raw(out, "null"),
        1 => raw(out, "\"\""),
        _ => string(out, "https://files.homes.example/", |out| write::hex(out, number, 8), ".jpg"),
    }
}

pub(super) fn password(out: &mut Vec<u8>, variant: u8) -> bool {
    raw(out, if variant == 0 { "\"\"" } else { "null" })
}

pub(super) fn geo(out: &mut Vec<u8>, variant: u8, (latitude, longitude): (i64, i64)) -> bool {
    match variant {
        0 => raw(out, "null"),
        1 => raw(out, "\"\""),
        _ => {
            let degrees = |out: &mut Vec<u8>| {
                write::int(out, latitude);
                write::text(out, ".25,");
                write::int(out, longitude);
            };
            string(out, "", degrees, ".75")
        }
    }
}
