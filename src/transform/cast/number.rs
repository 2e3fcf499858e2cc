//! The text of a number, as the casts to integer, numeric and float read it: from a JSON number, or
//! from a string in the server's syntax or, if the column says so, in the forms of people: an amount
//! of money, a percentage.

use std::borrow::Cow;

use crate::pgcopy::numeric::Decimal;
use crate::spec::model::Parse;
use crate::transform::value::{Cell, Coercion, Reason, Value};

use super::{json_syntax, trim};

const CURRENCIES: [char; 5] = ['$', '€', '£', '¥', '₹'];

/// What a value holds for a cast to a number.
pub(super) enum Input<'a> {
    /// No number at all: absent or blank.
    Null(Cell),
    /// A text to be read in the server's syntax, and the rule that brought it to light.
    Number(Cow<'a, str>, Option<Coercion>),
}

/// Finds the number in a value.
pub(super) fn input_of<'a>(value: &Value<'a>, parse: Option<Parse>) -> Result<Input<'a>, Reason> {
    let text = match *value {
        Value::Null => return Ok(Input::Null(Cell::NULL)),
        Value::Bool(_) | Value::Array(_) | Value::Object(_) => return Err(Reason::WrongKind),
        // A document that was not valid JSON can hold anything in the place of a number.
        Value::Number(text) if !json_syntax::is_number(text) => return Err(Reason::NotANumber),
        Value::Number(text) => return Ok(Input::Number(Cow::Borrowed(text), None)),
        Value::String(text) => trim(text),
    };
    if text.is_empty() {
        return Ok(Input::Null(Cell::BLANK));
    }
    let plain = match parse {
        Some(Parse::Money) => money(text).ok_or(Reason::NotANumber)?,
        Some(Parse::Percent) => Cow::Borrowed(text.strip_suffix('%').map_or(text, |number| trim(number))),
        Some(Parse::Json) | None => Cow::Borrowed(text),
    };
    let coercion = if plain.as_ref() == text { Coercion::StringToNumber } else { Coercion::UnitRemoved };
    Ok(Input::Number(plain, Some(coercion)))
}

/// Reads the text of a number.
pub(super) fn decimal(text: &str) -> Result<Decimal<'_>, Reason> {
    Decimal::parse(text).ok_or(Reason::NotANumber)
}

/// An amount without what surrounds its digits: `($1,234.50)` is `-1234.50`. `None` where signs or
/// separators stand where nobody writes them. What is left must still be read as a number.
fn money(text: &str) -> Option<Cow<'_, str>> {
    let (parentheses, rest) = match text.strip_prefix('(') {
        Some(rest) => (true, trim(rest.strip_suffix(')')?)),
        None => (false, text),
    };
    let (first_sign, rest) = split_sign(rest);
    let (symbol, rest) = match rest.strip_prefix(CURRENCIES) {
        Some(rest) => (true, trim(rest)),
        None => (false, rest),
    };
    let (second_sign, rest) = if symbol { split_sign(rest) } else { (None, rest) };
    let sign = match (parentheses, first_sign, second_sign) {
        (true, None, None) => Some('-'),
        (false, sign, None) | (false, None, sign) => sign,
        _ => return None,
    };
    if !rest.starts_with(|c: char| c.is_ascii_digit() || c == '.') {
        return None;
    }
    let commas = rest.contains(',');
    if !parentheses && !symbol && !commas {
        return Some(Cow::Borrowed(text));
    }
    // Nobody writes an amount with an exponent; the server's own money has none.
    if rest.contains(['e', 'E']) || (commas && !grouped_in_threes(rest)) {
        return None;
    }
    Some(Cow::Owned(sign.into_iter().chain(rest.chars().filter(|&c| c != ',')).collect()))
}

/// Whether every comma of an unsigned number stands in front of three digits, before the point.
fn grouped_in_threes(number: &str) -> bool {
    let end = number.find(|c: char| !c.is_ascii_digit() && c != ',').unwrap_or(number.len());
    let (whole, rest) = number.split_at(end);
    let mut groups = whole.split(',');
    let first = groups.next().unwrap_or_default();
    (1..=3).contains(&first.len()) && groups.all(|group| group.len() == 3) && !rest.contains(',')
}

fn split_sign(text: &str) -> (Option<char>, &str) {
    let mut chars = text.chars();
    match chars.next() {
        Some(sign @ ('-' | '+')) => (Some(sign), chars.as_str()),
        _ => (None, text),
    }
}
