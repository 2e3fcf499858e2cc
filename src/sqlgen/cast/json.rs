//! To `json` and `jsonb`.
//!
//! Whether a string holds JSON is nothing that a server before PostgreSQL 16 says without an error, and
//! nothing that one pattern can say. So it is reduced: strings become `""`, other scalars `0`, white space
//! goes, and then the innermost brackets become `0` as long as there are any. What began as JSON ends
//! as one value.

use crate::schema::Scalar;
use crate::spec::model::Parse;

use super::super::text::{bound, literal, text_of};
use super::Cast;

const STRING: &str = r#""([^"\\\u0001-\u001F]|\\(["\\/bfnrt]|u[0-9a-fA-F]{4}))*""#;
const SCALAR: &str = r"-{0,1}(0|[1-9][0-9]*)([.][0-9]+){0,1}([eE][+-]{0,1}[0-9]+){0,1}|true|false|null";
const BRACKETS: &str = r#"\[((0|"")(,(0|""))*){0,1}\]|[{]("":(0|"")(,"":(0|""))*){0,1}[}]"#;

/// The server parses by recursion; far beyond this its stack ends.
const MAX_DEPTH: u32 = 12_000;

/// Numbers that may be too large or too small for a `numeric`.
const SUSPECT: &str =
    r"-{0,1}[0-9]+([.][0-9]+){0,1}[eE][+-]{0,1}[0-9]+|[0-9]{255,}([.][0-9]*){0,1}|[0-9]*[.][0-9]{255,}";

pub(super) fn value(cast: &Cast<'_>, json: &str) -> String {
    let live = cast.live.scalar;
    let plain = match live {
        Scalar::Json => format!("CASE WHEN jsonb_typeof({json}) <> 'null' THEN {json}::text::json END"),
        _ => format!("CASE WHEN jsonb_typeof({json}) <> 'null' THEN {json} END"),
    };
    if !cast.parses(Parse::Json) {
        return plain;
    }
    let brackets = literal(BRACKETS);
    let mut valid = format!(
        "EXISTS (WITH RECURSIVE r (t, i) AS (SELECT b.t, 0 UNION ALL \
         SELECT regexp_replace(r.t, {brackets}, '0', 'g'), r.i + 1 FROM r WHERE r.i < {MAX_DEPTH} AND r.t ~ {brackets}) \
         SELECT FROM r WHERE r.t IN ('0', '\"\"'))"
    );
    if live == Scalar::Jsonb {
        valid = format!("{valid} AND {}", for_jsonb());
    }
    let stripped = bound(
        "a",
        &[
            ("s", text_of(json)),
            ("t", format!("regexp_replace({}, {}, '\"\"', 'g')", text_of(json), literal(STRING))),
        ],
        None,
    );
    let tokens = bound(
        "b",
        &[
            ("s", "a.s".to_owned()),
            ("n", "a.t".to_owned()),
            (
                "t",
                format!(
                    "regexp_replace(regexp_replace(a.t, {}, '0', 'g'), {}, '', 'g')",
                    literal(SCALAR),
                    literal(r"[ \n\r\t]+")
                ),
            ),
        ],
        Some(&stripped),
    );
    format!(
        "CASE WHEN jsonb_typeof({json}) = 'string' THEN \
         (SELECT CASE WHEN {valid} THEN b.s::{live} END FROM {tokens}) ELSE {plain} END"
    )
}

/// What `jsonb` asks for beyond the grammar: no U+0000, whole surrogate pairs, numbers that fit.
fn for_jsonb() -> String {
    // An escaped backslash is no beginning of an escape.
    let escapes = format!("replace(b.s, {}, '-')", literal(r"\\"));
    let unpaired = format!(
        "regexp_replace({escapes}, {}, '', 'g')",
        literal(r"\\u[dD][89abAB][0-9a-fA-F]{2}\\u[dD][c-fC-F][0-9a-fA-F]{2}")
    );
    let overflow = super::number::overflows("m.m[1]");
    format!(
        "{unpaired} !~ {} AND NOT EXISTS (SELECT FROM regexp_matches(b.n, {}, 'g') AS m (m) WHERE {overflow})",
        literal(r"\\u(0000|[dD][89a-fA-F])"),
        literal(&format!("({SUSPECT})"))
    )
}
