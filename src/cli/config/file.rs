//! From the text of the file to its values, or to everything that is wrong with it, each with its place.

use std::path::Path;

use toml::de::{DeTable, DeValue};

use super::SETTINGS;
use crate::cli::command_line;
use crate::error::Result;
use crate::spec::Problems;
use crate::spec::read::access::{Fields, Reader};

/// What a file says.
pub struct File {
    /// For all profiles.
    pub general: Values,
    /// Each with its name, in the order of the file.
    pub profiles: Vec<(String, Values)>,
}

/// Values by their keys.
pub type Values = Vec<(&'static str, Value)>;

/// A value as the command line would have it.
pub struct Value {
    /// Its text.
    pub text: String,
    /// The line of the file.
    pub line: usize,
}

const KEYS: [&str; SETTINGS.len()] = keys();
const KEYS_AND_PROFILE: [&str; SETTINGS.len() + 1] = keys_and_profile();

const fn keys() -> [&'static str; SETTINGS.len()] {
    let mut keys = [""; SETTINGS.len()];
    let mut index = 0;
    while index < SETTINGS.len() {
        keys[index] = SETTINGS[index].key;
        index += 1;
    }
    keys
}

const fn keys_and_profile() -> [&'static str; SETTINGS.len() + 1] {
    let mut all = ["profile"; SETTINGS.len() + 1];
    let mut index = 0;
    while index < SETTINGS.len() {
        all[index] = SETTINGS[index].key;
        index += 1;
    }
    all
}

/// Reads a file.
///
/// # Errors
/// Everything that is wrong with it.
pub fn read(path: &Path, text: &str) -> Result<File> {
    let name = path.display().to_string();
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    let (root, mut errors) = DeTable::parse_recoverable(text);
    errors.sort_by_key(|error| error.span().map(|span| span.start));
    let mut reader = Reader::new(&name, text);
    for error in &errors {
        reader.syntax(error);
    }
    let fields = Fields::open(&mut reader, root.get_ref(), "setting", &KEYS_AND_PROFILE);
    let general = values(&mut reader, &fields, path);
    let mut profiles = Vec::new();
    let listed = fields.get("profile").and_then(|value| match value.get_ref() {
        DeValue::String(_) => {
            let hint = "choose one with --profile or XDOFLOW_PROFILE; here stand [profile.NAME]".to_owned();
            reader.report(value.span(), "a file does not choose its profile", hint);
            None
        }
        _ => reader.table(value),
    });
    for (key, value) in listed.into_iter().flat_map(|listed| listed.iter()) {
        let Some(table) = reader.table(value) else { continue };
        let fields = Fields::open(&mut reader, table, "setting", &KEYS);
        profiles.push((key.get_ref().clone().into_owned(), values(&mut reader, &fields, path)));
    }
    let problems = reader.into_problems();
    if problems.is_empty() { Ok(File { general, profiles }) } else { Err(Problems::found(problems).into()) }
}

fn values(reader: &mut Reader<'_>, fields: &Fields<'_, '_>, path: &Path) -> Values {
    let mut values = Values::new();
    for setting in &SETTINGS {
        let Some(value) = fields.get(setting.key) else { continue };
        let text = match value.get_ref() {
            DeValue::String(_) => reader.string(value).map(ToOwned::to_owned),
            // TOML lets a number stand with underscores between its digits, the command line does not.
            DeValue::Integer(_) | DeValue::Float(_) => Some(reader.text(value.span()).replace('_', "")),
            _ => reader.mismatch("a string or a number", value),
        };
        let Some(mut text) = text else { continue };
        if let Some((message, hint)) = command_line::refusal(setting.key, &text) {
            reader.report(value.span(), format!("{}: {message}", setting.key), hint);
            continue;
        }
        if setting.is_path {
            text = command_line::beside(path, &text).to_string_lossy().into_owned();
        }
        values.push((setting.key, Value { text, line: reader.position(value.span().start).line }));
    }
    values
}

#[cfg(test)]
mod tests {
    use super::*;

    fn problems(text: &str) -> String {
        match read(Path::new("conf/xdoflow.toml"), text) {
            Ok(_) => panic!("nothing was found in {text}"),
            Err(error) => error.message().to_owned(),
        }
    }

    #[test]
    fn values_are_texts_as_the_command_line_has_them_and_paths_lie_beside_the_file() {
        let text = "jobs = 1_6\npipelines = \"p\"\n[profile.prod]\nmax_reject_percent = 2.5\nmax_deletes = \"10%\"\n";
        let file = read(Path::new("conf/xdoflow.toml"), text).expect("a file");
        let of = |values: &Values| -> Vec<(&str, String, usize)> {
            values.iter().map(|(key, value)| (*key, value.text.clone(), value.line)).collect()
        };
        assert_eq!(of(&file.general), [("pipelines", "conf/p".to_owned(), 2), ("jobs", "16".to_owned(), 1)]);
        assert_eq!(file.profiles.len(), 1);
        let (name, values) = &file.profiles[0];
        assert_eq!(name, "prod");
        assert_eq!(
            of(values),
            [("max_reject_percent", "2.5".to_owned(), 4), ("max_deletes", "10%".to_owned(), 5)]
        );
    }

    #[test]
    fn all_mistakes_are_told_at_once_with_their_places_and_what_was_most_likely_meant() {
        let text = "jbos = 4\nread = \"rwa\"\n[profile.prod]\njobs = 0\nsource = true\nprune = true\n";
        assert_eq!(
            problems(text),
            "conf/xdoflow.toml:1:1: unknown setting \"jbos\"\n\
             hint: did you mean \"jobs\"?\n\
             conf/xdoflow.toml:2:8: read: invalid value 'rwa' for '--read <FORM>'\n\
             hint: possible values: auto, text, raw\n\
             conf/xdoflow.toml:4:8: jobs: invalid value '0' for '--jobs <N>': 0 is not in 1..=64\n\
             conf/xdoflow.toml:5:10: expected a string or a number, found a boolean\n\
             hint: write it in double quotes: \"true\"\n\
             conf/xdoflow.toml:6:1: unknown setting \"prune\"\n\
             hint: write \"source\", \"target\", \"pipelines\", \"jobs\", \"read\", \"progress\", \"lock_timeout\", \
             \"stall_timeout\", \"max_rejects\", \"max_reject_percent\", \"max_deletes\", \"wait\" or \"notify\""
        );
        assert!(problems("profile = \"prod\"").contains("1:11: a file does not choose its profile"));
        assert!(problems("jobs = \n").starts_with("conf/xdoflow.toml:1:"));
    }
}
