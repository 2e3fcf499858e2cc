//! `lookup = "states.csv"`: a CSV file with a header line and two columns, from key to value.

use std::collections::HashMap;
use std::path::Path;

use crate::error::{Error, Result};

/// The pairs of one file.
#[derive(Debug)]
pub struct Lookup {
    values: HashMap<String, String>,
}

impl Lookup {
    /// Reads a file. A key that stands twice with different values is an error: no guess is made.
    pub fn read(path: &Path) -> Result<Self> {
        let problem = |message: String| Error::usage(message).hint(LOOKUP_HINT);
        let mut reader = csv::Reader::from_path(path)
            .map_err(|error| problem(format!("cannot read the lookup file {}: {error}", path.display())))?;
        let mut values = HashMap::new();
        for record in reader.records() {
            let record =
                record.map_err(|error| problem(format!("lookup file {}: {error}", path.display())))?;
            let line = record.position().map_or(0, csv::Position::line);
            let (Some(key), Some(value), 2) = (record.get(0), record.get(1), record.len()) else {
                return Err(problem(format!("lookup file {}:{line}: not two columns", path.display())));
            };
            if values.insert(key.to_owned(), value.to_owned()).is_some_and(|before| before != value) {
                return Err(problem(format!(
                    "lookup file {}:{line}: key {key:?} has two values",
                    path.display()
                )));
            }
        }
        Ok(Self { values })
    }

    /// The value of a key.
    pub fn get(&self, key: &str) -> Option<&str> {
        self.values.get(key).map(String::as_str)
    }
}

const LOOKUP_HINT: &str = "a lookup file is CSV with a header line and two columns: the key and its value";

#[cfg(test)]
mod tests {
    use super::*;

    fn read(name: &str, text: &str) -> Result<Lookup> {
        let path = std::env::temp_dir().join(format!("xdoflow-lookup-{}-{name}.csv", std::process::id()));
        std::fs::write(&path, text).expect("a temporary file");
        let lookup = Lookup::read(&path);
        std::fs::remove_file(&path).expect("the file is there");
        lookup
    }

    #[test]
    fn keys_are_found_with_their_values() {
        let lookup =
            read("good", "key,value\nCO,Colorado\n\"N,Y\",New York\nCO,Colorado\n").expect("a good file");
        assert_eq!(lookup.get("CO"), Some("Colorado"));
        assert_eq!(lookup.get("N,Y"), Some("New York"));
        assert_eq!(lookup.get("co"), None);
    }

    #[test]
    fn a_file_that_leaves_a_choice_is_refused_with_its_line() {
        let error = read("twice", "key,value\nCO,Colorado\nCO,Columbia\n").expect_err("two values");
        assert!(error.message().contains(":3: key \"CO\" has two values"), "{error}");
        let error = read("three", "a,b,c\n1,2,3\n").expect_err("three columns");
        assert!(error.message().contains(":2: not two columns"), "{error}");
        assert_eq!(Lookup::read(Path::new("/nowhere.csv")).expect_err("missing").exit_code(), 2);
    }
}
