//! The patterns of `format`: which ones a pipeline file may hold. How they read a text is the
//! business of the transform.

use crate::spec::problem::{closest, meant};

/// The fields of a pattern; each stands at most once.
const FIELDS: &[&str] = &["YYYY", "MM", "DD", "HH24", "MI", "SS"];

/// Checks a pattern such as `MM/DD/YYYY HH24:MI`: the fields of a whole date, of the time as far as
/// the pattern goes, and between them ASCII that is neither letter nor digit, or ISO's own T and Z.
///
/// Gives the message and the hint of the first mistake.
pub(super) fn check(pattern: &str) -> Result<(), (String, String)> {
    let mut seen: Vec<&str> = Vec::new();
    let mut rest = pattern;
    while let Some(first) = rest.chars().next() {
        let field = FIELDS.iter().find_map(|field| Some((*field, rest.strip_prefix(field)?)));
        if let Some((field, behind)) = field {
            if seen.contains(&field) {
                return Err((format!("the format {pattern:?} has {field} twice"), hint()));
            }
            seen.push(field);
            rest = behind;
        } else if first.is_ascii() && (!first.is_ascii_alphanumeric() || matches!(first, 'T' | 'Z')) {
            rest = rest.trim_start_matches(first);
        } else {
            let word = rest.split(|c: char| c.is_ascii() && !c.is_alphanumeric()).next().unwrap_or(rest);
            let suggestion = closest(word, FIELDS.iter().copied()).map_or_else(hint, meant);
            return Err((format!("unknown field {word:?} in the format {pattern:?}"), suggestion));
        }
    }
    let requires = [
        ("YYYY", true),
        ("MM", true),
        ("DD", true),
        ("HH24", seen.contains(&"MI")),
        ("MI", seen.contains(&"SS")),
    ];
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
        for pattern in [
            "MM/DD/YYYY",
            "YYYYMMDD",
            "DD.MM.YYYY HH24",
            "YYYY-MM-DD HH24:MI:SS",
            "HH24:MI, DD.MM YYYY",
            "YYYY-MM-DDTHH24:MI:SSZ",
        ] {
            assert_eq!(check(pattern), Ok(()), "{pattern}");
        }
    }

    #[test]
    fn other_fields_missing_fields_and_repeated_fields_are_refused() {
        for (pattern, message, suggestion) in [
            ("mm/DD/YYYY", "unknown field \"mm\" in the format \"mm/DD/YYYY\"", Some("MM")),
            ("MM/DD/YY", "unknown field \"YY\" in the format \"MM/DD/YY\"", None),
            ("MM/DD/YYYY HH:MI", "unknown field \"HH\" in the format \"MM/DD/YYYY HH:MI\"", None),
            ("YYYY-MM-DD x24", "unknown field \"x24\" in the format \"YYYY-MM-DD x24\"", None),
            ("YYYY⁄MM", "unknown field \"⁄MM\" in the format \"YYYY⁄MM\"", Some("MM")),
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
