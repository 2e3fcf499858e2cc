//! `xdoflow.toml`: connections and defaults, with named profiles.
//!
//! ```toml
//! jobs = 4                                            # for every profile that does not say otherwise
//! pipelines = "pipelines"                             # from the folder of this file
//!
//! [profile.prod]
//! source = "postgresql://reader@v1.example.com/xano"  # passwords belong in ~/.pgpass
//! target = "postgresql://writer@v2.example.com/xano"
//! max_deletes = 500
//! ```
//!
//! The file is that of `--config` or `XDOFLOW_CONFIG`, else the one in the current folder; folders above are not
//! searched, so that nobody's file is taken by surprise. A key is the name of an option of `run` with underscores,
//! and its value is whatever that option takes, which `run` itself is asked. What deletes or overwrites (`prune`,
//! `mode`, `changed`) is no setting: it has to be meant each time. `notify` is one: a file that somebody else wrote
//! can run a command, as a Makefile can.

mod file;
pub mod show;

use std::io::Write;
use std::path::{Path, PathBuf};

use crate::error::{Error, Result};
use crate::spec::closest;

use file::{File, Value};

/// The file that is looked for.
pub const FILE_NAME: &str = "xdoflow.toml";

/// A value that can stand in the file, in the environment or on the command line.
pub struct Setting {
    /// Its key in the file, and the name of its option with underscores.
    pub key: &'static str,
    /// Its variable in the environment.
    pub variable: &'static str,
    /// Whether it is a path, which is taken from the folder of the file.
    pub is_path: bool,
}

const fn setting(key: &'static str, variable: &'static str) -> Setting {
    Setting { key, variable, is_path: false }
}

/// All settings, in the order of `config show`.
pub const SETTINGS: [Setting; 13] = [
    setting("source", "XDOFLOW_SOURCE"),
    setting("target", "XDOFLOW_TARGET"),
    Setting { key: "pipelines", variable: "XDOFLOW_PIPELINES", is_path: true },
    setting("jobs", "XDOFLOW_JOBS"),
    setting("read", "XDOFLOW_READ"),
    setting("progress", "XDOFLOW_PROGRESS"),
    setting("lock_timeout", "XDOFLOW_LOCK_TIMEOUT"),
    setting("stall_timeout", "XDOFLOW_STALL_TIMEOUT"),
    setting("max_rejects", "XDOFLOW_MAX_REJECTS"),
    setting("max_reject_percent", "XDOFLOW_MAX_REJECT_PERCENT"),
    setting("max_deletes", "XDOFLOW_MAX_DELETES"),
    setting("wait", "XDOFLOW_WAIT"),
    setting("notify", "XDOFLOW_NOTIFY"),
];

/// What a file says for one profile.
pub struct Chosen {
    /// The file, as it was named.
    pub file: PathBuf,
    /// The profile, where one was asked for.
    pub profile: Option<String>,
    /// All profiles of the file, in its order.
    pub profiles: Vec<String>,
    own: Vec<(&'static str, Value)>,
    general: Vec<(&'static str, Value)>,
}

impl Chosen {
    /// The value of a setting: the profile's, else the one that holds for all.
    pub fn value(&self, key: &str) -> Option<&Value> {
        self.own_value(key).or_else(|| of(&self.general, key))
    }

    /// The profile's own value.
    fn own_value(&self, key: &str) -> Option<&Value> {
        of(&self.own, key)
    }
}

fn of<'v>(values: &'v [(&'static str, Value)], key: &str) -> Option<&'v Value> {
    values.iter().find(|(name, _)| *name == key).map(|(_, value)| value)
}

/// Reads the file that is named, or that lies here, and chooses a profile; `None` where there is no file.
///
/// # Errors
/// The file that is named is not there; something is wrong with it, all of it told at once; it has no such profile.
pub fn choose(config: Option<&Path>, profile: Option<&str>) -> Result<Option<Chosen>> {
    // A variable that is empty says nothing.
    let config = config.filter(|file| !file.as_os_str().is_empty());
    let profile = profile.filter(|name| !name.is_empty());
    let path = config.unwrap_or(Path::new(FILE_NAME));
    let text = match std::fs::read_to_string(path) {
        Ok(text) => text,
        Err(error) if config.is_none() && error.kind() == std::io::ErrorKind::NotFound => {
            return match profile {
                None => Ok(None),
                Some(name) => Err(Error::usage(format!("there is no profile {name:?}"))
                    .detail(format!("there is no {FILE_NAME} in this folder"))
                    .hint("name the file with --config, or write one with [profile.NAME]")),
            };
        }
        Err(error) => {
            return Err(Error::usage(format!("cannot read {}: {error}", path.display()))
                .hint("check --config and XDOFLOW_CONFIG"));
        }
    };
    let File { general, profiles } = file::read(path, &text)?;
    let names: Vec<String> = profiles.iter().map(|(name, _)| name.clone()).collect();
    let own = match profile {
        None => Vec::new(),
        Some(wanted) => match profiles.into_iter().find(|(name, _)| name == wanted) {
            Some((_, values)) => values,
            None => return Err(unknown(path, wanted, &names)),
        },
    };
    if own.iter().chain(&general).any(|(key, value)| holds_password(key, &value.text)) && others_read(path) {
        // Where standard error is closed there is nobody to warn.
        let _ = writeln!(
            anstream::stderr(),
            "warning: {} holds a password, and others may read it: chmod 600, or keep the password in ~/.pgpass",
            path.display()
        );
    }
    let profile = profile.map(ToOwned::to_owned);
    Ok(Some(Chosen { file: path.to_owned(), profile, profiles: names, own, general }))
}

/// Whether a connection names its password: as part of a URL, or by its key.
fn holds_password(key: &str, text: &str) -> bool {
    let in_front = text.split_once("://").and_then(|(_, rest)| rest.rsplit_once('@'));
    let in_url = in_front.is_some_and(|(who, _)| who.contains(':'));
    ["source", "target"].contains(&key) && (in_url || text.contains("password="))
}

/// Whether the group or everybody may read a file.
fn others_read(path: &Path) -> bool {
    use std::os::unix::fs::PermissionsExt;
    std::fs::metadata(path).is_ok_and(|file| file.permissions().mode() & 0o044 != 0)
}

fn unknown(path: &Path, wanted: &str, names: &[String]) -> Error {
    let error = Error::usage(format!("{} has no profile {wanted:?}", path.display()));
    let hint = match closest(wanted, names.iter().map(String::as_str)) {
        Some(near) => format!("did you mean {near}?"),
        None => format!("add [profile.{wanted}]"),
    };
    match names {
        [] => error.detail("it has none").hint(hint),
        names => error.detail(format!("it has {}", names.join(", "))).hint(hint),
    }
}
