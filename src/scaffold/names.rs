//! From the keys of documents to names of columns: lower case, letters, digits and underscores, each once.

use std::collections::HashSet;

/// What the server keeps of a name.
const NAME_BYTES: usize = 63;
/// Columns that every table has already.
const SYSTEM: [&str; 6] = ["ctid", "xmin", "xmax", "cmin", "cmax", "tableoid"];

/// Names that were given.
#[derive(Debug, Default)]
pub struct Names(HashSet<String>);

impl Names {
    /// Gives a name for a path.
    pub fn give(&mut self, steps: &[String]) -> String {
        let mut name = snake(&steps.join("_"));
        if SYSTEM.contains(&name.as_str()) {
            name.push('_');
        }
        // Room for a number behind it.
        name.truncate(NAME_BYTES - 4);
        self.number(&name)
    }

    /// Gives a name as it is, with a number behind it where it was given before.
    pub fn number(&mut self, name: &str) -> String {
        let mut given = name.to_owned();
        let mut number = 2;
        while !self.0.insert(given.clone()) {
            given = format!("{name}_{number}");
            number += 1;
        }
        given
    }
}

/// A text in lower case with underscores: `joinDate` is `join_date`, `US Gross` is `us_gross`. ASCII alone.
pub fn snake(text: &str) -> String {
    let mut name = String::with_capacity(text.len() + 4);
    let mut before = ' ';
    let mut letters = text.chars().peekable();
    while let Some(letter) = letters.next() {
        if letter.is_ascii_alphanumeric() {
            let next_is_lower = letters.peek().is_some_and(char::is_ascii_lowercase);
            let begins = letter.is_ascii_uppercase()
                && (before.is_ascii_lowercase()
                    || before.is_ascii_digit()
                    || (before.is_ascii_uppercase() && next_is_lower));
            if begins && !name.ends_with('_') && !name.is_empty() {
                name.push('_');
            }
            name.push(letter.to_ascii_lowercase());
        } else if !name.is_empty() && !name.ends_with('_') {
            name.push('_');
        }
        before = letter;
    }
    let name = name.trim_end_matches('_');
    match name.chars().next() {
        None => "key".to_owned(),
        Some(first) if first.is_ascii_digit() => format!("key_{name}"),
        Some(_) => name.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_become_names_that_need_no_quotes() {
        for (key, name) in [
            ("joinDate", "join_date"),
            ("US Gross", "us_gross"),
            ("IMDBRating", "imdb_rating"),
            ("agent_id", "agent_id"),
            ("Miles_per_Gallon", "miles_per_gallon"),
            ("a.b", "a_b"),
            ("2nd", "key_2nd"),
            ("🦀", "key"),
            ("", "key"),
            ("--x--", "x"),
            ("email2", "email2"),
        ] {
            assert_eq!(snake(key), name, "{key}");
        }
    }

    #[test]
    fn no_name_is_given_twice_or_is_too_long() {
        let mut names = Names::default();
        let mut give = |steps: &[&str]| {
            let steps: Vec<String> = steps.iter().map(|&step| step.to_owned()).collect();
            names.give(&steps)
        };
        assert_eq!(give(&["a", "b"]), "a_b");
        assert_eq!(give(&["a_b"]), "a_b_2");
        assert_eq!(give(&["A B"]), "a_b_3");
        assert_eq!(give(&["xmin"]), "xmin_");
        let long = give(&["x".repeat(90).as_str()]);
        assert_eq!((long.len(), give(&["x".repeat(91).as_str()]).len()), (59, 61));
    }
}
