//! Transforms that no option of a pipeline file expresses: named Rust functions, all registered here.
//!
//! A function takes the text of a value and gives the text that goes on to `allowed` and the cast. It
//! must be pure and total.

/// A transform of one text.
pub type Function = fn(&str) -> String;

/// The function of a name; the reader of pipeline files knows the same names.
pub fn find(name: &str) -> Option<Function> {
    match name {
        "digits" => Some(digits),
        _ => None,
    }
}

/// Keeps the ASCII digits: `"+1 (303) 555-0100"` becomes `"13035550100"`.
fn digits(text: &str) -> String {
    text.chars().filter(char::is_ascii_digit).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_name_that_a_pipeline_file_may_use_has_its_function() {
        for name in crate::spec::KNOWN_FUNCTIONS {
            assert!(find(name).is_some(), "{name}");
        }
        assert!(find("digit").is_none());
    }

    #[test]
    fn digits_keeps_digits_alone() {
        assert_eq!(digits("+1 (303) 555-0100 ext٣"), "13035550100");
        assert_eq!(digits("none"), "");
    }
}
