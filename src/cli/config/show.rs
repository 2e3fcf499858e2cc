//! `xdoflow config show`

use std::path::Path;
use std::process::ExitCode;

use clap::CommandFactory;
use serde::Serialize;

use super::{Chosen, SETTINGS, Setting};
use crate::cli::args::{Arguments, ConfigShowArgs};
use crate::cli::{context, report, style::Style};
use crate::error::Result;
use crate::pg::Settings;

/// What is in force, and where it comes from.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Shown {
    /// The file that is read, if there is one.
    pub file: Option<String>,
    /// The profile that was chosen.
    pub profile: Option<String>,
    /// All that the file has.
    pub profiles: Vec<String>,
    /// All settings.
    pub settings: Vec<ShownSetting>,
}

/// One setting.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct ShownSetting {
    /// Its key.
    pub key: &'static str,
    /// Its value, without a secret; none where nothing is set.
    pub value: Option<String>,
    /// Where it comes from.
    pub from: Origin,
    /// The variable, or the file and the line.
    pub place: Option<String>,
}

/// Where a value comes from; an option of the command line beats them all.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Origin {
    /// A variable.
    Environment,
    /// The profile.
    Profile,
    /// What the file says for all profiles.
    File,
    /// Nobody says anything.
    Default,
}

impl Origin {
    /// The word for people.
    pub fn name(self) -> &'static str {
        match self {
            Self::Environment => "environment",
            Self::Profile => "profile",
            Self::File => "file",
            Self::Default => "default",
        }
    }
}

/// Shows it.
pub fn execute(config: Option<&Path>, profile: Option<&str>, arguments: &ConfigShowArgs) -> Result<ExitCode> {
    let chosen = super::choose(config, profile)?;
    let shown = shown(chosen.as_ref());
    if arguments.json {
        context::print_json(&shown)?;
    } else {
        context::print(|out| report::config(out, &shown, Style::stdout()))?;
    }
    Ok(ExitCode::SUCCESS)
}

fn shown(chosen: Option<&Chosen>) -> Shown {
    let mut source = None;
    let settings = SETTINGS.iter().map(|setting| {
        let (text, from, place) = in_force(setting, chosen);
        if setting.key == "source" {
            source.clone_from(&text);
        }
        // Without a target it is the source.
        let text = if setting.key == "target" { text.or_else(|| source.clone()) } else { text };
        ShownSetting { key: setting.key, value: presentable(setting.key, text), from, place }
    });
    Shown {
        settings: settings.collect(),
        file: chosen.map(|chosen| chosen.file.display().to_string()),
        profile: chosen.and_then(|chosen| chosen.profile.clone()),
        profiles: chosen.map(|chosen| chosen.profiles.clone()).unwrap_or_default(),
    }
}

fn in_force(setting: &Setting, chosen: Option<&Chosen>) -> (Option<String>, Origin, Option<String>) {
    if let Some(value) = std::env::var_os(setting.variable) {
        let text = value.to_string_lossy().into_owned();
        return (Some(text), Origin::Environment, Some(setting.variable.to_owned()));
    }
    let of_file = chosen.and_then(|chosen| {
        let value = chosen.value(setting.key)?;
        let from = if chosen.own_value(setting.key).is_some() { Origin::Profile } else { Origin::File };
        Some((Some(value.text.clone()), from, Some(format!("{}:{}", chosen.file.display(), value.line))))
    });
    of_file.unwrap_or_else(|| (default_of(setting.key), Origin::Default, None))
}

/// What `run` takes where nobody says anything.
fn default_of(key: &str) -> Option<String> {
    if key == "jobs" {
        return Some(context::jobs(None).to_string());
    }
    let command = Arguments::command();
    let run = command.find_subcommand("run")?;
    let arg = run.get_arguments().find(|arg| arg.get_id() == key)?;
    Some(arg.get_default_values().first()?.to_string_lossy().into_owned())
}

/// The value as it may be shown: a place without its password, a command without what follows its name.
fn presentable(key: &str, text: Option<String>) -> Option<String> {
    match key {
        "source" | "target" => {
            // What a URL lacks comes from where psql would take it.
            let settings = Settings::resolve(text.as_deref(), &|name| std::env::var(name).ok());
            match settings {
                Ok(settings) => Some(settings.redacted()),
                Err(_) => Some("(cannot be read as a connection)".to_owned()),
            }
        }
        "notify" => text.map(|text| match text.trim().split_once(char::is_whitespace) {
            Some((command, _)) => format!("{command} …"),
            None => text,
        }),
        _ => text,
    }
}
