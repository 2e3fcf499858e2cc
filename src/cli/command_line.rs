//! The command line as a whole: what `args` defines, dressed with examples and with the variables of the
//! environment; and, where there is an `xdoflow.toml`, with its values as defaults.
//!
//! A value of a file becomes the default of the option, so that clap's own order holds everywhere: the command line
//! beats the environment, which beats the profile, which beats the default. It is parsed twice where a file has
//! something to say: once to learn which file and which profile, once with their values.

use std::path::PathBuf;

use clap::{ArgMatches, Command, CommandFactory, FromArgMatches};

use super::args::Arguments;
use super::config::{self, Chosen, SETTINGS};
use super::examples;
use crate::error::{Error, Result};

/// Where the options of a setting do not take its variable or its value: `bench`, `demo` and `generate` fill or empty
/// a database, which has to be named, `ddl --pipelines` asks for `--roles`, and `scaffold --target` is a table.
const NOT_HERE: [(&str, &[&str]); 5] = [
    ("bench", &["source", "target", "pipelines"]),
    ("ddl", &["pipelines"]),
    ("demo", &["source", "target"]),
    ("generate", &["source"]),
    ("scaffold", &["target"]),
];

/// Everything that can be typed.
pub fn command() -> Command {
    let command = examples::dress(Arguments::command());
    with_settings(command, &mut |id, arg| {
        let setting = SETTINGS.iter().find(|setting| setting.key == id);
        // Those that have one already say so in `args`.
        match setting.filter(|_| arg.get_env().is_none()) {
            Some(setting) => arg.env(setting.variable),
            None => arg,
        }
    })
}

/// Reads the arguments of the process; ends it where they are wrong, or ask for help.
///
/// # Errors
/// A configuration file that is wrong.
pub fn parse() -> Result<Arguments> {
    let first = read(&command().get_matches())?;
    if !first.command.takes_settings() {
        return Ok(first);
    }
    match config::choose(first.config.as_deref(), first.profile.as_deref())? {
        Some(chosen) => read(&with_values(command(), &chosen).get_matches()),
        None => Ok(first),
    }
}

fn read(matches: &ArgMatches) -> Result<Arguments> {
    Arguments::from_arg_matches(matches).map_err(|error| Error::usage(error.to_string()))
}

/// The values of a file as defaults.
fn with_values(command: Command, chosen: &Chosen) -> Command {
    with_settings(command, &mut |id, arg| match chosen.value(id) {
        // A secret may stand in a URL, and defaults are printed by --help.
        Some(value) => arg.default_value(value.text.clone()).hide_default_value(true),
        None => arg,
    })
}

/// Changes the options of all commands that are settings.
fn with_settings(command: Command, change: &mut impl FnMut(&str, clap::Arg) -> clap::Arg) -> Command {
    let left_out =
        NOT_HERE.iter().find(|(name, _)| *name == command.get_name()).map_or(&[][..], |(_, ids)| *ids);
    let command = command.mut_args(|arg| {
        let id = arg.get_id().as_str().to_owned();
        let is_setting = SETTINGS.iter().any(|setting| setting.key == id);
        if is_setting && !left_out.contains(&id.as_str()) { change(&id, arg) } else { arg }
    });
    let names: Vec<String> = command.get_subcommands().map(|sub| sub.get_name().to_owned()).collect();
    names.iter().fold(command, |command, name| command.mut_subcommand(name, |sub| with_settings(sub, change)))
}

/// Whether `run`, which takes every setting, takes this value; else what it says.
pub fn refusal(key: &str, text: &str) -> Option<(String, Option<String>)> {
    let option = format!("--{}={text}", key.replace('_', "-"));
    let error = Arguments::command().try_get_matches_from(["xdoflow", "run", &option]).err()?;
    let told = error.to_string();
    let mut lines = told.lines().take_while(|line| !line.trim().is_empty());
    let message = lines.next().unwrap_or_default().trim_start_matches("error: ").to_owned();
    let hint = lines.next().map(|line| line.trim().trim_matches(['[', ']']).to_owned());
    Some((message, hint))
}

/// The folder of a file, for paths that stand in it.
pub fn beside(file: &std::path::Path, path: &str) -> PathBuf {
    file.parent().unwrap_or(std::path::Path::new("")).join(path)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_command_line_with_examples_and_variables_is_sound() {
        command().debug_assert();
    }

    #[test]
    fn every_setting_is_an_option_of_run_with_its_variable_and_its_help_says_so() {
        let mut command = command();
        command.build();
        let run = command.find_subcommand("run").expect("run");
        for setting in &SETTINGS {
            let arg = run.get_arguments().find(|arg| arg.get_id() == setting.key);
            let arg = arg.unwrap_or_else(|| panic!("run has no {}", setting.key));
            assert_eq!(
                arg.get_env().and_then(|name| name.to_str()),
                Some(setting.variable),
                "{}",
                setting.key
            );
        }
        let bench = command.find_subcommand("bench").expect("bench");
        let source = bench.get_arguments().find(|arg| arg.get_id() == "source").expect("source");
        assert_eq!(source.get_env(), None, "bench empties V2: its database has to be named");
    }

    #[test]
    fn what_run_does_not_take_is_refused_with_its_own_words() {
        assert_eq!(refusal("jobs", "4"), None);
        let (message, _) = refusal("jobs", "0").expect("a refusal");
        assert!(message.starts_with("invalid value '0' for '--jobs"), "{message}");
        let (_, hint) = refusal("read", "rwa").expect("a refusal");
        assert_eq!(hint.as_deref(), Some("possible values: auto, text, raw"));
    }
}
