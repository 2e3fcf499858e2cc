//! To integers, `numeric` and floats.
//!
//! A JSON number is a `numeric` already. A string is read in the syntax of `numeric`, but not always by
//! it: `1e999999999` is an error there. So a string is taken apart first: its value is
//! `0.d × 10^point`, with `d` its digits without leading zeros.

use crate::schema::Scalar;
use crate::spec::model::Parse;

use super::super::text::{SPACE_RUN, SPACES, bound, literal, text_of};
use super::{Cast, of_string};

const DIGITS: &str = r"([0-9]+[.]{0,1}[0-9]*|[.][0-9]+)";
const EXPONENT: &str = "([eE][+-]{0,1}[0-9]+){0,1}";

/// The numbers that round to a `real` other than an infinity lie below this: 2^128 - 2^103.
const REAL_END: &str = "340282356779733661637539395458142568448";
/// The numbers that round to a `real` other than zero lie above this: 2^-150.
const REAL_BEGIN: &str = "7.00649232162408535461864791644958065640130970938257885878534141944895541342930300743319094181060791015625e-46";

/// To `smallint`, `integer` or `bigint`.
pub(super) fn integer(cast: &Cast<'_>, json: &str) -> String {
    let (low, high) = [cast.named(), cast.live.scalar]
        .map(range)
        .into_iter()
        .fold((i64::MIN, i64::MAX), |(low, high), (lower, upper)| (low.max(lower), high.min(upper)));
    let live = cast.live.scalar;
    let narrow = low > i64::MIN;
    let mut value = integral(cast, json, if narrow { (i64::MIN, i64::MAX) } else { (low, high) });
    for none in &cast.spec.none {
        value = format!("NULLIF({value}, {})", bigint(*none));
    }
    match narrow {
        false => value,
        // Numbers that mean NULL may lie beyond the range.
        true => super::super::text::with(
            "n",
            &[("n", value)],
            &format!("CASE WHEN n.n BETWEEN {low} AND {high} THEN n.n::{live} END"),
        ),
    }
}

/// An integral value as a bigint, whatever the range of the column.
pub(super) fn any_integer(cast: &Cast<'_>, json: &str) -> String {
    integral(cast, json, (i64::MIN, i64::MAX))
}

/// A bigint as SQL writes it; the lowest has no literal of its own.
fn bigint(number: i64) -> String {
    format!("'{number}'::bigint")
}

fn range(scalar: Scalar) -> (i64, i64) {
    match scalar {
        Scalar::SmallInt => (i64::from(i16::MIN), i64::from(i16::MAX)),
        Scalar::Integer => (i64::from(i32::MIN), i64::from(i32::MAX)),
        _ => (i64::MIN, i64::MAX),
    }
}

fn integral(cast: &Cast<'_>, json: &str, (low, high): (i64, i64)) -> String {
    let n = format!("{json}::numeric");
    let whole = "CASE WHEN o.d0 = '' THEN 0 WHEN o.point > 19 OR length(o.d0) > o.point THEN NULL \
                 ELSE (o.sign || rpad(o.d0, o.point::integer, '0'))::numeric END";
    let parts = parts(cast, "s.s");
    let checked = format!("CASE WHEN w.n BETWEEN {low} AND {high} THEN w.n::bigint END");
    let from_parts = format!(
        "(SELECT {checked} FROM (SELECT {whole} AS n FROM (SELECT p.sign, p.point, rtrim(p.d, '0') AS d0 \
         FROM {parts} OFFSET 0) AS o OFFSET 0) AS w)"
    );
    let string = of_string(
        json,
        &format!("CASE WHEN s.s ~ '^-{{0,1}}[0-9]{{1,18}}$' THEN s.s::bigint ELSE {from_parts} END"),
    );
    format!(
        "CASE jsonb_typeof({json}) WHEN 'number' THEN \
         CASE WHEN {n} BETWEEN {low} AND {high} AND {n} = trunc({n}) THEN {n}::bigint END \
         WHEN 'string' THEN {string} END"
    )
}

/// To `numeric` or `numeric(p,s)`.
pub(super) fn numeric(cast: &Cast<'_>, json: &str) -> String {
    let limits = [cast.named(), cast.live.scalar].into_iter().filter_map(|scalar| match scalar {
        Scalar::Numeric(Some(limit)) => {
            Some((i32::from(limit.scale), i32::from(limit.precision) - i32::from(limit.scale)))
        }
        _ => None,
    });
    let limit = limits.reduce(|a, b| (a.0.min(b.0), a.1.min(b.1)));
    let parts = parts(cast, "s.s");
    let overflow = "abs(p.exponent) >= 1073741823";
    let Some((scale, whole_digits)) = limit else {
        let string = format!(
            "(SELECT CASE WHEN {overflow} OR p.places - p.exponent > 16383 OR (p.d <> '' AND p.point > 131072) \
             THEN NULL ELSE p.plain::numeric END FROM {parts})"
        );
        let string = of_string(json, &string);
        return format!(
            "CASE jsonb_typeof({json}) WHEN 'number' THEN {json}::numeric WHEN 'string' THEN {string} END"
        );
    };
    // Digits beyond those that decide how the last one is rounded are cut off.
    let string = format!(
        "(SELECT CASE WHEN {overflow} OR p.point > 2000 THEN CASE WHEN p.d = '' AND NOT {overflow} THEN 0::numeric END \
         WHEN p.d = '' OR p.point < -1100 THEN 0::numeric \
         ELSE (p.sign || '0.' || left(p.d, greatest(p.point + 1100, 0)::integer) || 'e' || p.point)::numeric END \
         FROM {parts})"
    );
    let string = of_string(json, &string);
    let number = format!(
        "CASE jsonb_typeof({json}) WHEN 'number' THEN {json}::numeric WHEN 'string' THEN {string} END"
    );
    super::super::text::with(
        "n",
        &[("n", number)],
        &format!(
            "CASE WHEN abs(round(n.n, {scale})) < '1e{whole_digits}'::numeric THEN round(n.n, {scale})::{} END",
            cast.live.scalar
        ),
    )
}

/// To `real` or `double precision`. Whether a `double precision` is in range is asked of jsonpath's
/// `.double()`, the one reader of floats on the server that answers instead of raising an error.
pub(super) fn float(cast: &Cast<'_>, json: &str) -> String {
    let live = cast.live.scalar;
    let in_range = "jsonb_path_exists(to_jsonb(p.plain), 'strict $.double()', '{}', true)";
    let real = live == Scalar::Real || cast.named() == Scalar::Real;
    let sized = match real {
        false => in_range.to_owned(),
        true => format!(
            "CASE WHEN p.d = '' THEN true WHEN p.point NOT BETWEEN -50 AND 40 THEN false ELSE \
             (SELECT m.m > '{REAL_BEGIN}'::numeric AND m.m < '{REAL_END}'::numeric FROM (SELECT \
             ('0.' || left(p.d, 400) || CASE WHEN substr(p.d, 401) ~ '[1-9]' THEN '1' ELSE '' END || 'e' || p.point)::numeric \
             AS m OFFSET 0) AS m) END"
        ),
    };
    let value = |parts: &str| format!("(SELECT CASE WHEN {sized} THEN p.plain::{live} END FROM {parts})");
    let number = value(&decomposed(&format!("(SELECT {} AS plain OFFSET 0) AS t", text_of(json))));
    let string = of_string(json, &value(&parts(cast, "s.s")));
    format!("CASE jsonb_typeof({json}) WHEN 'number' THEN {number} WHEN 'string' THEN {string} END")
}

/// The number in a trimmed string, taken apart: a table `p` of one row, or of none where it is no number.
fn parts(cast: &Cast<'_>, text: &str) -> String {
    let number = format!("[+-]{{0,1}}{DIGITS}{EXPONENT}");
    let plain = if cast.parses(Parse::Money) {
        let amount = format!("({DIGITS}|[0-9]{{1,3}}(,[0-9]{{3}})+([.][0-9]*){{0,1}}){EXPONENT}");
        let symbol = format!("[$€£¥₹]{SPACE_RUN}");
        let pattern = format!(
            "^([+-]{{0,1}}({symbol}){{0,1}}{amount}|{symbol}[+-]{amount}|[(]{SPACE_RUN}({symbol}){{0,1}}{amount}{SPACE_RUN}[)])$"
        );
        format!(
            "CASE WHEN {text} ~ {} THEN CASE WHEN {text} ~ '^[^0-9.]*[(-]' THEN '-' ELSE '' END \
             || translate(regexp_replace({text}, '^[^0-9.]+', ''), ',)' || {SPACES}, '') END",
            literal(&pattern)
        )
    } else if cast.parses(Parse::Percent) {
        format!("btrim(regexp_replace({text}, '%$', ''), {SPACES})")
    } else {
        text.to_owned()
    };
    let plain = bound("u", &[("plain", plain)], None);
    decomposed(&format!("(SELECT u.plain FROM {plain} WHERE u.plain ~ '^{number}$' OFFSET 0) AS t"))
}

/// A table `p` from a table `t` whose `plain` is the text of a number: `sign`, `d`, `point`, and how it
/// was written: `plain`, `exponent`, `places`.
fn decomposed(from: &str) -> String {
    let cut = bound(
        "c",
        &[
            ("plain", "t.plain".to_owned()),
            ("sign", "CASE WHEN left(t.plain, 1) = '-' THEN '-' ELSE '' END".to_owned()),
            ("mantissa", "ltrim(regexp_replace(t.plain, '[eE].*$', ''), '+-')".to_owned()),
            ("tail", "coalesce(substring(t.plain FROM '[eE](.*)$'), '')".to_owned()),
        ],
        Some(from),
    );
    let size = "ltrim(ltrim(c.tail, '+-'), '0')";
    let exponent = format!(
        "CASE WHEN {size} = '' THEN 0 ELSE CASE WHEN left(c.tail, 1) = '-' THEN -1 ELSE 1 END \
         * CASE WHEN length({size}) > 10 THEN 2147483647 ELSE least({size}::bigint, 2147483647) END END"
    );
    let split = bound(
        "e",
        &[
            ("plain", "c.plain".to_owned()),
            ("sign", "c.sign".to_owned()),
            ("whole", "split_part(c.mantissa, '.', 1)".to_owned()),
            ("fraction", "split_part(c.mantissa, '.', 2)".to_owned()),
            ("exponent", exponent),
        ],
        Some(&cut),
    );
    bound(
        "p",
        &[
            ("plain", "e.plain".to_owned()),
            ("sign", "e.sign".to_owned()),
            ("d", "ltrim(e.whole || e.fraction, '0')".to_owned()),
            (
                "point",
                "e.exponent - length(e.fraction) + length(ltrim(e.whole || e.fraction, '0'))".to_owned(),
            ),
            ("exponent", "e.exponent".to_owned()),
            ("places", "length(e.fraction)".to_owned()),
        ],
        Some(&split),
    )
}

/// Whether the text of a number is beyond what a `numeric` holds.
pub(super) fn overflows(text: &str) -> String {
    let parts = decomposed(&format!("(SELECT {text} AS plain OFFSET 0) AS t"));
    format!(
        "(SELECT abs(p.exponent) >= 1073741823 OR p.places - p.exponent > 16383 \
         OR (p.d <> '' AND p.point > 131072) FROM {parts})"
    )
}
