//! A private PostgreSQL server, for the demo, benchmarks and tests: made, started, stopped, removed.
//!
//! ```text
//! Server::start
//!   Owner       who runs the server: never root                                owner.rs
//!   Binaries    installed programs, else a download (download-postgres)        binaries.rs, download.rs
//!   Folder      a private folder, removed on drop; should we be killed,        folder.rs
//!               a watchdog stops the server and removes the folder
//!   Cluster     initdb, CREATE DATABASE, postgresql.conf                       cluster.rs, settings.rs
//!   Postmaster  the process, until it takes connections                        postmaster.rs
//! ```
//!
//! It listens on a free port of 127.0.0.1 and on a socket in its folder, and asks for a random password
//! on both. A free port is found by asking the system for one and giving it back, so another process
//! may take it before the server does: a start that fails while its port is taken tries the next.
//!
//! All calls block. Apart from the engine's floors this module stands alone: it knows no client, and
//! nothing of the data path knows it.

mod binaries;
mod cluster;
#[cfg(feature = "download-postgres")]
mod download;
mod folder;
mod owner;
mod postmaster;
mod settings;
#[cfg(test)]
mod tests;

use std::fmt;
use std::io;
use std::net::{Ipv4Addr, TcpListener};
use std::path::{Path, PathBuf};

use crate::error::{Error, Result};
use cluster::{Cluster, SUPERUSER};
use folder::{Folder, random_hex};
use owner::Owner;
use postmaster::{Postmaster, StopMode};
pub use settings::{Preset, Setting};

/// Ports to try: each is only lost to a process that takes it within a few milliseconds.
const PORT_TRIES: usize = 5;
/// Random bytes of a password.
const PASSWORD_BYTES: usize = 24;

/// What kind of server to start. The default is one with production's settings, removed at the end.
#[derive(Clone, Debug)]
pub struct ServerOptions {
    /// Leave the server running at the end, however the end comes. See [`Server::keep`].
    pub keep: bool,
    /// The folder of `postgres`, `initdb` and `pg_ctl`; `None` searches for them, and `XDOFLOW_PG_BIN` first.
    pub bin_dir: Option<PathBuf>,
    /// Which settings to begin with.
    pub preset: Preset,
    /// Settings to add or replace: name and value, as in `SHOW`.
    pub settings: Vec<(String, String)>,
    /// The database to make.
    pub database: String,
}

impl Default for ServerOptions {
    fn default() -> Self {
        Self {
            keep: false,
            bin_dir: None,
            preset: Preset::Production,
            settings: Vec::new(),
            database: "xdoflow".to_owned(),
        }
    }
}

impl ServerOptions {
    /// A small server that may run beside nine others.
    pub fn for_tests() -> Self {
        Self { preset: Preset::Test, ..Self::default() }
    }
}

/// A private server. Dropped, it is stopped at once and its folder removed, also in a panic; and should
/// this process be killed, a watchdog does the same.
pub struct Server {
    // In this order they are dropped: the process goes before its files.
    postmaster: Option<Postmaster>,
    folder: Folder,
    cluster: Cluster,
    settings: Vec<Setting>,
    port: u16,
    password: String,
    database: String,
}

/// How to reach a server that was left running, and how to end it. Holds its password.
#[derive(Clone)]
pub struct Kept {
    /// Its URL over TCP.
    pub url: String,
    /// Its URL over the socket.
    pub socket_url: String,
    /// The shell command that connects a client.
    pub connect_command: String,
    /// The shell command that stops it and removes its folder.
    pub stop_command: String,
    /// Its folder.
    pub folder: PathBuf,
}

impl Server {
    /// Makes and starts a server; takes about two seconds.
    ///
    /// # Errors
    /// A usage error for options that will not do; a stop where there are no programs, or one of them
    /// fails. Nothing is left behind then.
    pub fn start(options: ServerOptions) -> Result<Self> {
        let mut preset = settings::of_preset(options.preset, settings::memory_bytes());
        settings::overlay(&mut preset, &options.settings)?;

        let owner = Owner::current()?;
        let binaries = binaries::find(options.bin_dir.as_deref(), owner.is_other())?;
        let folder = Folder::create(&owner, &binaries)?;
        let cluster = Cluster::new(folder.path(), owner, binaries)?;
        let password = random_hex(PASSWORD_BYTES)?;
        cluster.init(&password)?;
        cluster.create_database(&options.database)?;
        let (postmaster, port, settings) = start_on_a_free_port(&cluster, &preset)?;

        let postmaster = Some(postmaster);
        let mut server =
            Self { postmaster, folder, cluster, settings, port, password, database: options.database };
        if options.keep {
            server.keep();
        }
        Ok(server)
    }

    /// `postgresql://user:password@127.0.0.1:port/database`: the superuser, over TCP.
    pub fn url(&self) -> String {
        self.url_of(&self.database)
    }

    /// The URL of another database of this server, over TCP.
    pub fn url_of(&self, database: &str) -> String {
        format!("{}@127.0.0.1:{}/{}", self.credentials(), self.port, percent_encode(database))
    }

    /// The same as [`Server::url`] over the Unix socket: the folder, percent-encoded, is the host.
    pub fn socket_url(&self) -> String {
        let host = percent_encode(&self.socket_dir().display().to_string());
        format!("{}@{host}:{}/{}", self.credentials(), self.port, percent_encode(&self.database))
    }

    fn credentials(&self) -> String {
        format!("postgresql://{SUPERUSER}:{}", self.password)
    }

    /// The folder of the Unix socket; as a `host`, libpq takes it for one.
    pub fn socket_dir(&self) -> &Path {
        self.cluster.folder()
    }

    /// The port, on 127.0.0.1 and in the socket's name; the same after a restart.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// The folder of the server's programs.
    pub fn bin_dir(&self) -> &Path {
        self.cluster.binaries().dir()
    }

    /// The server's version as it prints it, such as `15.18`.
    pub fn version(&self) -> &str {
        &self.cluster.binaries().version().text
    }

    /// The major version, such as 15.
    pub fn major_version(&self) -> u32 {
        self.cluster.binaries().version().major
    }

    /// The process id, or `None` when stopped.
    pub fn pid(&self) -> Option<u32> {
        self.postmaster.as_ref().map(Postmaster::pid)
    }

    /// The cluster's folder.
    pub fn data_dir(&self) -> PathBuf {
        self.cluster.data_dir()
    }

    /// All that stands in its `postgresql.conf`, with reasons; the rest is the server's default.
    pub fn settings(&self) -> &[Setting] {
        &self.settings
    }

    /// The last lines that the server has logged. They may quote statements and values.
    pub fn log_tail(&self, lines: usize) -> String {
        self.cluster.log_tail(lines, 0)
    }

    /// Stops the server in order: sessions are ended, everything is written. The files stay until this
    /// is dropped. Does nothing when it is stopped.
    ///
    /// # Errors
    /// Where it does not stop in time and has to be killed.
    pub fn stop(&mut self) -> Result<()> {
        self.postmaster.take().map_or(Ok(()), |postmaster| postmaster.stop(StopMode::Fast))
    }

    /// Stops the server on the spot, as a crash would; the next start recovers.
    ///
    /// # Errors
    /// As for [`Server::stop`].
    pub fn stop_immediate(&mut self) -> Result<()> {
        self.postmaster.take().map_or(Ok(()), |postmaster| postmaster.stop(StopMode::Immediate))
    }

    /// Starts the server again on the same port, after stopping it in order if it runs.
    ///
    /// # Errors
    /// Where it does not stop or start, as when the port has been taken meanwhile.
    pub fn restart(&mut self) -> Result<()> {
        self.stop()?;
        let mut postmaster = Postmaster::start(&self.cluster)?;
        if self.folder.is_kept() {
            postmaster.leave_alone();
        }
        self.postmaster = Some(postmaster);
        Ok(())
    }

    /// Leaves the server and its folder alone when this is dropped or the process is killed, and tells
    /// how to connect to it and how to end it.
    pub fn keep(&mut self) -> Kept {
        self.folder.keep();
        if let Some(postmaster) = &mut self.postmaster {
            postmaster.leave_alone();
        }
        let folder = self.cluster.folder();
        let url = self.url();
        let psql = self.cluster.binaries().program("psql");
        let psql = if psql.is_file() { shell_quote(&psql.display().to_string()) } else { "psql".into() };
        let connect_command = format!("{psql} {}", shell_quote(&url));
        let pg_ctl = self.cluster.binaries().program("pg_ctl").display().to_string();
        let data_dir = self.data_dir().display().to_string();
        let stop = format!("{} stop -D {} -m fast", shell_quote(&pg_ctl), shell_quote(&data_dir));
        let stop = match self.cluster.owner().name() {
            // From the root of the tree: the other user may not enter the caller's folder.
            Some(user) => format!("su -s /bin/sh {user} -c {}", shell_quote(&format!("cd / && {stop}"))),
            None => stop,
        };
        let stop_command = format!("{stop} && rm -rf {}", shell_quote(&folder.display().to_string()));
        Kept { url, socket_url: self.socket_url(), connect_command, stop_command, folder: folder.to_owned() }
    }
}

/// Without the password.
impl fmt::Debug for Server {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Server")
            .field("version", &self.version())
            .field("port", &self.port)
            .field("pid", &self.pid())
            .field("folder", &self.cluster.folder())
            .finish_non_exhaustive()
    }
}

fn start_on_a_free_port(cluster: &Cluster, preset: &[Setting]) -> Result<(Postmaster, u16, Vec<Setting>)> {
    let mut tries = 1;
    loop {
        let port = free_port()?;
        let settings = [settings::of_place(port, cluster.folder()).as_slice(), preset].concat();
        cluster.configure(&settings)?;
        match Postmaster::start(cluster) {
            Ok(postmaster) => return Ok((postmaster, port, settings)),
            Err(_) if tries < PORT_TRIES && bind(port).is_err() => tries += 1,
            Err(error) => return Err(error),
        }
    }
}

fn free_port() -> Result<u16> {
    let port = bind(0).and_then(|listener| listener.local_addr()).map(|address| address.port());
    port.map_err(|error| Error::stop(format!("could not find a free port on 127.0.0.1: {error}")))
}

fn bind(port: u16) -> io::Result<TcpListener> {
    TcpListener::bind((Ipv4Addr::LOCALHOST, port))
}

/// A part of a URL: everything but letters, digits and `-._~` as `%XX`.
fn percent_encode(text: &str) -> String {
    let encode = |byte: u8| match byte {
        b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' => char::from(byte).to_string(),
        _ => format!("%{byte:02X}"),
    };
    text.bytes().map(encode).collect()
}

/// A word of a shell command.
fn shell_quote(word: &str) -> String {
    format!("'{}'", word.replace('\'', r"'\''"))
}
