//! The text rules of a column: what happens to a string, number or boolean before its cast.
//!
//! Order: trim, null values, case, map, lookup, function, allowed. A value that no rule changes goes
//! on as it came, so that a number stays a number.

use std::collections::BTreeMap;

use super::functions::Function;
use super::lookup::Lookup;
use super::value::{Reason, Value};
use crate::spec::model::Case;

/// Compiled [`TextRules`](crate::spec::model::TextRules).
#[derive(Debug, Default)]
pub struct Rules {
    pub(super) trim: bool,
    pub(super) null_values: Vec<String>,
    pub(super) case: Option<Case>,
    pub(super) map: BTreeMap<String, String>,
    pub(super) lookup: Option<Lookup>,
    pub(super) function: Option<Function>,
    pub(super) allowed: Option<Vec<String>>,
}

/// What the rules made of a value.
#[derive(Debug, PartialEq, Eq)]
pub enum Ruled {
    /// The value goes on as it came.
    Unchanged,
    /// The value is one of the texts that mean NULL.
    Null,
    /// This text goes on in its place.
    Text(String),
}

/// ASCII white space, the only kind that trimming removes.
pub const WHITE_SPACE: [char; 6] = [' ', '\t', '\n', '\r', '\x0b', '\x0c'];

impl Rules {
    /// Whether there is nothing to do.
    pub fn is_empty(&self) -> bool {
        !self.trim
            && self.null_values.is_empty()
            && self.case.is_none()
            && self.map.is_empty()
            && self.lookup.is_none()
            && self.function.is_none()
            && self.allowed.is_none()
    }

    /// Applies the rules. Objects, arrays and null pass untouched.
    pub fn apply(&self, value: Value<'_>) -> Result<Ruled, Reason> {
        let before = match value {
            Value::Null | Value::Array(_) | Value::Object(_) => return Ok(Ruled::Unchanged),
            Value::String(text) | Value::Number(text) => text,
            Value::Bool(true) => "true",
            Value::Bool(false) => "false",
        };
        let mut text = if self.trim { before.trim_matches(WHITE_SPACE) } else { before };
        if self.null_values.iter().any(|null| null == text) {
            return Ok(Ruled::Null);
        }
        let cased = self.case.map(|case| change_case(case, text));
        text = cased.as_deref().unwrap_or(text);
        text = self.map.get(text).map_or(text, String::as_str);
        if let Some(lookup) = &self.lookup {
            // A blank text is for the cast to judge; no file lists it.
            if !text.trim_matches(WHITE_SPACE).is_empty() {
                text = lookup.get(text).ok_or(Reason::NotInLookup)?;
            }
        }
        let computed = self.function.map(|function| function(text));
        text = computed.as_deref().unwrap_or(text);
        // Nor need `allowed` name it.
        let blank = text.trim_matches(WHITE_SPACE).is_empty();
        if !blank && self.allowed.as_ref().is_some_and(|allowed| !allowed.iter().any(|one| one == text)) {
            return Err(Reason::NotAllowed);
        }
        Ok(if text == before { Ruled::Unchanged } else { Ruled::Text(text.to_owned()) })
    }
}

/// Case as the server's `lower`, `upper` and `initcap` change it: letter by letter, so that a text keeps
/// its number of characters (`ß` stays, a final sigma is as any other), and a word is a run of letters
/// and digits.
fn change_case(case: Case, text: &str) -> String {
    let mut inside_word = false;
    let change = |letter: char| {
        let begins_word = !inside_word;
        inside_word = letter.is_alphanumeric();
        match case {
            Case::Lower => lower(letter),
            Case::Upper => upper(letter),
            Case::Title if begins_word => upper(letter),
            Case::Title => lower(letter),
        }
    };
    text.chars().map(change).collect()
}

fn upper(letter: char) -> char {
    let mut mapped = letter.to_uppercase();
    match (mapped.next(), mapped.next()) {
        (Some(one), None) => one,
        _ => letter,
    }
}

fn lower(letter: char) -> char {
    // Only the dotted capital I has a mapping of two characters, and its simple mapping is the first.
    letter.to_lowercase().next().unwrap_or(letter)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(text: &str) -> Ruled {
        Ruled::Text(text.to_owned())
    }

    #[test]
    fn each_rule_sees_what_the_one_before_it_left() {
        let rules = Rules {
            trim: true,
            null_values: vec!["N/A".into()],
            case: Some(Case::Upper),
            map: [("SOLD".to_owned(), "CLOSED".to_owned())].into(),
            allowed: Some(vec!["CLOSED".into(), "ACTIVE".into()]),
            ..Rules::default()
        };
        assert_eq!(rules.apply(Value::String(" N/A\n")), Ok(Ruled::Null));
        assert_eq!(rules.apply(Value::String("sold ")), Ok(text("CLOSED")));
        assert_eq!(rules.apply(Value::String("ACTIVE")), Ok(Ruled::Unchanged));
        assert_eq!(rules.apply(Value::String("n/a")), Err(Reason::NotAllowed));
        assert_eq!(rules.apply(Value::String("")), Ok(Ruled::Unchanged));
        assert_eq!(rules.apply(Value::Object("{}")), Ok(Ruled::Unchanged));
    }

    #[test]
    fn numbers_and_booleans_are_known_by_their_text_and_stay_what_they_are() {
        let rules = Rules { map: [("1".to_owned(), "one".to_owned())].into(), ..Rules::default() };
        assert_eq!(rules.apply(Value::Number("1")), Ok(text("one")));
        assert_eq!(rules.apply(Value::Number("2")), Ok(Ruled::Unchanged));
        let rules = Rules { null_values: vec!["false".into()], ..Rules::default() };
        assert_eq!(rules.apply(Value::Bool(false)), Ok(Ruled::Null));
    }

    #[test]
    fn case_changes_letter_by_letter_as_on_the_server() {
        assert_eq!(change_case(Case::Title, "o'neil MC-DOWELL éva 2nd"), "O'Neil Mc-Dowell Éva 2nd");
        assert_eq!(change_case(Case::Upper, "straße éva"), "STRAßE ÉVA");
        assert_eq!(change_case(Case::Lower, "ΟΔΟΣ İX"), "οδοσ ix");
    }
}
