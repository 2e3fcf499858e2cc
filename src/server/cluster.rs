//! The files of a private server: made by `initdb`, configured, given a database, read.
//!
//! ```text
//! xdoflow-<random>/    0700, the server's user's; the Unix socket is here
//! ├── data/            the cluster
//! └── server.log       what the server prints
//! ```
//!
//! The superuser's password passes through a file that is gone after `initdb`, never through an
//! argument that `ps` would show. It is asked for on the socket too: another process of the same user
//! could enter the folder, and one rule for both ways leaves nothing to remember.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::{FileExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use super::binaries::Binaries;
use super::owner::Owner;
use super::settings::{Setting, config_file};
use crate::error::{Error, Result};
use crate::name::quote;

/// The superuser of every private server. Not `xdoflow`: by the default search path a role's tables go
/// into the schema of its name, and that one belongs to the ledger.
pub(super) const SUPERUSER: &str = "postgres";
/// The database that `initdb` makes by itself.
const FIRST_DATABASE: &str = "postgres";
/// The longest name that the server does not cut.
const NAME_BYTES: usize = 63;
/// As much of the log's end as is searched for its last lines.
const LOG_TAIL_BYTES: u64 = 64 * 1024;
/// Lines of a program's output that an error shows.
const ERROR_LINES: usize = 12;
/// The line of `postmaster.pid` that tells the server's state, counted from zero.
const STATE_LINE: usize = 7;

/// A cluster's place, user and programs.
pub(super) struct Cluster {
    folder: PathBuf,
    owner: Owner,
    binaries: Binaries,
    /// One handle for all starts: root opens no path in a folder of another user's twice.
    log: File,
}

impl Cluster {
    /// A cluster to be made in a folder that the owner has already been given.
    pub(super) fn new(folder: &Path, owner: Owner, binaries: Binaries) -> Result<Self> {
        let mut options = OpenOptions::new();
        let log =
            options.read(true).append(true).create_new(true).mode(0o600).open(folder.join("server.log"))?;
        owner.give_file(&log)?;
        Ok(Self { folder: folder.to_owned(), owner, binaries, log })
    }

    pub(super) fn data_dir(&self) -> PathBuf {
        self.folder.join("data")
    }

    pub(super) fn folder(&self) -> &Path {
        &self.folder
    }

    pub(super) fn owner(&self) -> &Owner {
        &self.owner
    }

    pub(super) fn binaries(&self) -> &Binaries {
        &self.binaries
    }

    /// A command for one of the server's programs, as its user, in its folder.
    pub(super) fn command(&self, program: &str) -> Command {
        self.owner.command(&self.binaries.program(program), &self.folder)
    }

    /// Makes the cluster: UTF-8, collation C, scram-sha-256 for every way in.
    ///
    /// Collation C sorts the same on every machine; characters are classified as Unicode where the
    /// system can (`C.UTF-8`), so that `lower('É')` is `é` as on other servers. Nothing is flushed to
    /// disk here: a power cut ends the cluster either way.
    pub(super) fn init(&self, password: &str) -> Result<()> {
        let password_file = self.folder.join("password");
        self.write_file(&password_file, password)?;
        let mut command = self.command("initdb");
        command.arg("-D").arg(self.data_dir()).args(["-U", SUPERUSER, "--pwfile"]).arg(&password_file);
        command.args(["--auth-local=scram-sha-256", "--auth-host=scram-sha-256"]);
        command.args(["--encoding=UTF8", "--locale=C", "--no-sync", "--no-instructions"]);
        if has_unicode_c_locale() {
            command.arg("--lc-ctype=C.UTF-8");
        }
        // On by default from 18 on. A page of a temporary folder needs none, and versions compare.
        if self.binaries.version().major >= 18 {
            command.arg("--no-data-checksums");
        }
        let made = self.run(&mut command, None);
        fs::remove_file(&password_file)?;
        made
    }

    /// Makes a database in a cluster that does not run, by the server's single-user mode: it needs no
    /// client and no password.
    ///
    /// # Errors
    /// A usage error for a name that the server would not keep as it is.
    pub(super) fn create_database(&self, name: &str) -> Result<()> {
        if name.is_empty() || name.len() > NAME_BYTES || name.contains(|c: char| c.is_control()) {
            return Err(Error::usage(format!("{name:?} is not a name for a database")));
        }
        if name == FIRST_DATABASE {
            return Ok(());
        }
        let mut command = self.command("postgres");
        command
            .args(["--single", "-F", "-c", "exit_on_error=on", "-D"])
            .arg(self.data_dir())
            .arg(FIRST_DATABASE);
        self.run(&mut command, Some(&format!("CREATE DATABASE {}\n", quote(name))))
    }

    /// Writes `postgresql.conf`.
    pub(super) fn configure(&self, settings: &[Setting]) -> Result<()> {
        Ok(self.write_file(&self.data_dir().join("postgresql.conf"), &config_file(settings))?)
    }

    /// A handle for the server's output, which is appended to the log.
    pub(super) fn log_writer(&self) -> Result<Stdio> {
        Ok(self.log.try_clone()?.into())
    }

    /// The log's length.
    pub(super) fn log_bytes(&self) -> Result<u64> {
        Ok(self.log.metadata()?.len())
    }

    /// The last lines of the log, as far as they begin behind `from_byte`; empty where it cannot be read.
    pub(super) fn log_tail(&self, lines: usize, from_byte: u64) -> String {
        let end = self.log_bytes().unwrap_or(0);
        let begin = end.saturating_sub(LOG_TAIL_BYTES).max(from_byte);
        // At most LOG_TAIL_BYTES, so it fits any usize.
        let mut buffer = vec![0; end.saturating_sub(begin) as usize];
        match self.log.read_exact_at(&mut buffer, begin) {
            Ok(()) => last_lines(&String::from_utf8_lossy(&buffer), lines),
            Err(_) => String::new(),
        }
    }

    /// Whether the server of this process id says in `postmaster.pid` that it takes connections. The
    /// file of a server that was killed may still lie there, so the id counts.
    pub(super) fn is_ready(&self, pid: u32) -> bool {
        let Ok(text) = fs::read_to_string(self.data_dir().join("postmaster.pid")) else {
            return false;
        };
        let mut lines = text.lines();
        let ours = lines.next().and_then(|line| line.trim().parse().ok()) == Some(pid);
        ours && lines.nth(STATE_LINE - 1).is_some_and(|line| line.trim() == "ready")
    }

    /// Writes a file of the owner's, mode 0600, in place of any other: a path that someone has put
    /// there is not followed.
    fn write_file(&self, path: &Path, text: &str) -> io::Result<()> {
        match fs::remove_file(path) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
            _ => {}
        }
        let mut file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(path)?;
        self.owner.give_file(&file)?;
        file.write_all(text.as_bytes())
    }

    /// Runs a program to its end; its last lines are the error's detail.
    fn run(&self, command: &mut Command, input: Option<&str>) -> Result<()> {
        let output = match input {
            None => command.output(),
            Some(text) => output_with_input(command, text),
        }
        .map_err(|error| self.owner.cannot_run(command, &error))?;
        if output.status.success() {
            return Ok(());
        }
        let printed = [output.stdout.as_slice(), output.stderr.as_slice()].concat();
        Err(Error::stop(format!("{} failed: {}", Path::new(command.get_program()).display(), output.status))
            .detail(last_lines(&String::from_utf8_lossy(&printed), ERROR_LINES)))
    }
}

fn output_with_input(command: &mut Command, text: &str) -> io::Result<Output> {
    let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn()?;
    // A program that ends before it has read its input says why on its standard error.
    let _ = child.stdin.take().map(|mut input| input.write_all(text.as_bytes()));
    child.wait_with_output()
}

/// Whether the system knows the locale in which characters are Unicode and all else is C.
pub(super) fn has_unicode_c_locale() -> bool {
    let listed = Command::new("locale").arg("-a").stdin(Stdio::null()).output();
    listed.is_ok_and(|output| {
        let names = String::from_utf8_lossy(&output.stdout);
        names.lines().any(|name| matches!(name.trim(), "C.UTF-8" | "C.utf8"))
    })
}

fn last_lines(text: &str, count: usize) -> String {
    let lines: Vec<&str> = text.lines().collect();
    // The start is at most the length, so the range is valid.
    lines[lines.len().saturating_sub(count)..].join("\n")
}
