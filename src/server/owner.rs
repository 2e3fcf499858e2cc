//! The operating-system user that the server runs as.
//!
//! `initdb` and `postgres` refuse to run as root. Started by root, they run as `postgres` where that
//! user exists, else as `nobody`, and own the folder they work in. The standard library drops root's
//! supplementary groups by itself when a command gets a uid, so nothing of root is left in them.

use std::env;
use std::fs::File;
use std::io;
use std::os::unix::fs::{chown, fchown};
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Command, Stdio};

use crate::error::{Error, Result};

/// The users to try when started by root, best first.
const CANDIDATES: [&str; 2] = ["postgres", "nobody"];

/// The user of a server.
#[derive(Clone, Debug)]
pub(super) struct Owner {
    /// Another user than the one of this process; `None` where it is the same.
    other: Option<Other>,
}

#[derive(Clone, Debug)]
struct Other {
    name: &'static str,
    uid: u32,
    gid: u32,
}

impl Owner {
    /// The user for servers of this process. `id` tells whether we are root: the standard library
    /// does not.
    pub(super) fn current() -> Result<Self> {
        if id(&["-u"]) != Some(0) {
            return Ok(Self { other: None });
        }
        let other = CANDIDATES
            .into_iter()
            .find_map(|name| Some(Other { name, uid: id(&["-u", name])?, gid: id(&["-g", name])? }))
            .ok_or_else(|| {
                Error::stop("a PostgreSQL server cannot run as root, and there is no other user to run it as")
                    .detail(format!("looked for the users {}", CANDIDATES.join(", ")))
                    .hint("start xdoflow as an ordinary user, or add a user \"postgres\"")
            })?;
        Ok(Self { other: Some(other) })
    }

    /// Whether this process is root, so that the server is another user's.
    pub(super) fn is_other(&self) -> bool {
        self.other.is_some()
    }

    /// The user's name, where it is not the one of this process.
    pub(super) fn name(&self) -> Option<&'static str> {
        self.other.as_ref().map(|other| other.name)
    }

    /// A command that runs as this user in `dir`, with nothing on its standard input, in no language,
    /// and without the `PG…` variables of the caller, which would point it at another server.
    pub(super) fn command(&self, program: &Path, dir: &Path) -> Command {
        let mut command = Command::new(program);
        command.current_dir(dir).stdin(Stdio::null()).env("LC_ALL", "C");
        for (name, _) in env::vars_os() {
            if name.as_encoded_bytes().starts_with(b"PG") {
                command.env_remove(name);
            }
        }
        if let Some(other) = &self.other {
            command.uid(other.uid).gid(other.gid);
        }
        command
    }

    /// Hands a folder over to the user.
    pub(super) fn give_folder(&self, path: &Path) -> io::Result<()> {
        self.other.as_ref().map_or(Ok(()), |other| chown(path, Some(other.uid), Some(other.gid)))
    }

    /// Hands an open file over to the user. By handle: in a folder of the user's, a path that root
    /// follows might meanwhile lead elsewhere.
    pub(super) fn give_file(&self, file: &File) -> io::Result<()> {
        self.other.as_ref().map_or(Ok(()), |other| fchown(file, Some(other.uid), Some(other.gid)))
    }

    /// The error for a command of this user that could not even be started.
    pub(super) fn cannot_run(&self, command: &Command, error: &io::Error) -> Error {
        let dir = command.get_current_dir().unwrap_or(Path::new("."));
        let program = Path::new(command.get_program());
        let failed = Error::stop(format!("could not run {}: {error}", program.display()));
        match self.name() {
            Some(name) if error.kind() == io::ErrorKind::PermissionDenied => failed
                .detail(format!("it runs as the user {name} in {}", dir.display()))
                .hint("set TMPDIR to a folder that every user can enter, such as /tmp"),
            _ => failed,
        }
    }
}

/// What `id` prints, a number. It asks all that the system has for users, not /etc/passwd alone.
fn id(arguments: &[&str]) -> Option<u32> {
    let output =
        Command::new("id").args(arguments).stdin(Stdio::null()).stderr(Stdio::null()).output().ok()?;
    let number = String::from_utf8(output.stdout).ok()?.trim().parse().ok()?;
    output.status.success().then_some(number)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::MetadataExt;

    #[test]
    fn a_user_has_a_number_and_one_that_does_not_exist_has_none() {
        assert_eq!(id(&["-u", "root"]), Some(0));
        assert_eq!(id(&["-u", "no-such-user-here"]), None);
    }

    #[test]
    fn a_command_runs_as_the_folders_owner_in_no_language() {
        let temp = super::super::tests::TempDir::new();
        let owner = Owner::current().unwrap();
        owner.give_folder(temp.path()).unwrap();
        let mut command = owner.command(Path::new("/bin/sh"), temp.path());
        let output = command.args(["-c", "id -u; id -G | wc -w; echo $LC_ALL; pwd"]).output().unwrap();
        let printed = String::from_utf8(output.stdout).unwrap();
        let lines: Vec<&str> = printed.lines().map(str::trim).collect();
        assert_eq!(lines[0], temp.path().metadata().unwrap().uid().to_string());
        assert_eq!((lines[2], Path::new(lines[3])), ("C", temp.path()));
        if owner.is_other() {
            assert_ne!(lines[0], "0");
            assert_eq!(lines[1], "1", "root's groups are dropped");
        }
    }
}
