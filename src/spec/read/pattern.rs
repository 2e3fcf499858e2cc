//! The patterns of `format`: which ones a pipeline file may hold. How they read a text is the
//! business of the transform.

use crate::spec::problem::{closest, meant};

/// The fields of a pattern; each stands at most once.
const FIELDS: &[&str] = &["YYYY", "MM", "DD", "HH24", "MI", "SS"];

/// Checks a pattern such as `MM/DD/YYYY HH24:MI`: the fields of a whole date, of the time as far as
/// the pattern goes, and between them anything that is neither letter nor digit.
///
/// Gives the message and the hint of the first mistake.
pub(super) fn check(pattern: &str) -> Result<(), (String, String)> {
    let mut seen: Vec<&str> = Vec::new();
    let mut rest = pattern;
    while let Some(first) = rest.chars().next() {
        if let Some(field) = FIELDS.iter().find(|field| rest.starts_with(**field)) {
            if seen.contains(field) {
                return Err((format!("the format {pattern:?} has {field} twice"), hint()));
            }
            seen.push(field);
            rest = &rest[field.len()..];
        } else if first.is_alphanumeric() {
            let end = rest.find(|c: char| !c.is_alphanumeric()).unwrap_or(rest.len());
            let word = &rest[..end];
            let suggestion = closest(word, FIELDS.iter().copied()).map_or_else(hint, meant);
            return Err((format!("unknown field {word:?} in the format {pattern:?}"), suggestion));
        } else {
            rest = &rest[first.len_utf8()..];
        }
    }
    let requires = [("YYYY", true), ("MM", true), ("DD", true), ("HH24", seen.contains(&"MI")), ("MI", seen.contains(&"SS"))];
    match requires.iter().find(|(field, required)| *required && !seen.contains(field)) {
        Some((field, _)) => Err((format!("the format {pattern:?} has no {field}"), hint())),
        None => Ok(()),
    }
}

fn hint() -> String {
    "write YYYY, MM and DD, then HH24, MI and SS if there is a time, with separators".to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_whole_date_with_or_without_a_time_is_a_pattern() {
        for pattern in ["MM/DD/YYYY", "YYYYMMDD", "DD.MM.YYYY HH24", "YYYY-MM-DD HH24:MI:SS", "HH24:MI, DD\u{2044}MM YYYY"] {
            assert_eq!(check(pattern), Ok(()), "{pattern}");
        }
    }

    #[test]
    fn other_fields_missing_fields_and_repeated_fields_are_refused() {
        for (pattern, message, suggestion) in [
            ("mm/DD/YYYY", "unknown field \"mm\" in the format \"mm/DD/YYYY\"", Some("MM")),
            ("MM/DD/YY", "unknown field \"YY\" in the format \"MM/DD/YY\"", None),
            ("MM/DD/YYYY HH:MI", "unknown field \"HH\" in the format \"MM/DD/YYYY HH:MI\"", None),
            ("YYYY-MM-DDTHH24", "unknown field \"THH24\" in the format \"YYYY-MM-DDTHH24\"", Some("HH24")),
            ("MM/YYYY", "the format \"MM/YYYY\" has no DD", None),
            ("YYYY-MM-DD MI", "the format \"YYYY-MM-DD MI\" has no HH24", None),
            ("YYYY-MM-DD HH24 SS", "the format \"YYYY-MM-DD HH24 SS\" has no MI", None),
            ("MM/MM/YYYY", "the format \"MM/MM/YYYY\" has MM twice", None),
            ("", "the format \"\" has no YYYY", None),
        ] {
            let hint = suggestion.map_or_else(hint, meant);
            assert_eq!(check(pattern), Err((message.to_owned(), hint)), "{pattern}");
        }
    }
}
