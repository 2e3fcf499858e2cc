//! The server's process: started, waited for, stopped.
//!
//! It gets a process group of its own, so that Ctrl-C in a terminal reaches xdoflow alone, which then
//! stops it in order. Its state is read from `postmaster.pid`, which needs no client. It is our child
//! and not reaped before we look, so its process id cannot be another's when a signal is sent.

use std::io;
use std::os::unix::process::CommandExt;
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use super::cluster::Cluster;
use crate::error::{Error, Result};

/// A start may have to recover what an immediate stop left: up to `max_wal_size` of WAL.
const START_TIMEOUT: Duration = Duration::from_secs(120);
/// A fast stop writes a checkpoint: up to all of `shared_buffers`.
const FAST_TIMEOUT: Duration = Duration::from_secs(120);
/// The server itself kills what has not gone five seconds after an immediate stop.
const IMMEDIATE_TIMEOUT: Duration = Duration::from_secs(15);
/// How often a process is looked at: a start takes about 50 ms.
const POLL_INTERVAL: Duration = Duration::from_millis(5);
/// Lines of the log that an error shows.
const ERROR_LINES: usize = 12;

/// How to stop a server, in the words of `pg_ctl`.
#[derive(Clone, Copy, Debug)]
pub(super) enum StopMode {
    /// Sessions are ended, everything is written.
    Fast,
    /// Ended on the spot; the next start recovers.
    Immediate,
}

/// A running server; dropped, it is stopped at once.
pub(super) struct Postmaster {
    child: Child,
    left_alone: bool,
}

impl Postmaster {
    /// Starts the server and waits until it takes connections.
    ///
    /// # Errors
    /// Where it ends or does not get ready; the detail is what it has logged since.
    pub(super) fn start(cluster: &Cluster) -> Result<Self> {
        let log_bytes = cluster.log_bytes()?;
        let mut command = cluster.command("postgres");
        command.arg("-D").arg(cluster.data_dir());
        command.stdout(cluster.log_writer()?).stderr(cluster.log_writer()?).process_group(0);
        let child = command.spawn().map_err(|error| cluster.owner().cannot_run(&command, &error))?;
        let mut postmaster = Self { child, left_alone: false };
        let deadline = Instant::now() + START_TIMEOUT;
        loop {
            if let Some(status) = postmaster.child.try_wait()? {
                return Err(Error::stop(format!("the private PostgreSQL server did not start: {status}"))
                    .detail(cluster.log_tail(ERROR_LINES, log_bytes)));
            }
            if cluster.is_ready(postmaster.pid()) {
                return Ok(postmaster);
            }
            if Instant::now() >= deadline {
                let seconds = START_TIMEOUT.as_secs();
                let late = Error::stop(format!(
                    "the private PostgreSQL server was not ready after {seconds} seconds"
                ));
                return Err(late.detail(cluster.log_tail(ERROR_LINES, log_bytes)));
            }
            thread::sleep(POLL_INTERVAL);
        }
    }

    /// Its process id.
    pub(super) fn pid(&self) -> u32 {
        self.child.id()
    }

    /// Leaves the process running when this is dropped.
    pub(super) fn leave_alone(&mut self) {
        self.left_alone = true;
    }

    /// Stops it and waits for its end; killed where it takes too long.
    ///
    /// # Errors
    /// Where it had to be killed.
    pub(super) fn stop(mut self, mode: StopMode) -> Result<()> {
        self.halt(mode)
    }

    fn halt(&mut self, mode: StopMode) -> Result<()> {
        if self.child.try_wait()?.is_some() {
            return Ok(());
        }
        let (name, timeout) = match mode {
            StopMode::Fast => ("INT", FAST_TIMEOUT),
            StopMode::Immediate => ("QUIT", IMMEDIATE_TIMEOUT),
        };
        if signal(self.pid(), name).is_ok() {
            let deadline = Instant::now() + timeout;
            while Instant::now() < deadline {
                if self.child.try_wait()?.is_some() {
                    return Ok(());
                }
                thread::sleep(POLL_INTERVAL);
            }
        }
        self.child.kill()?;
        self.child.wait()?;
        Err(Error::stop("the private PostgreSQL server did not stop and was killed"))
    }
}

impl Drop for Postmaster {
    fn drop(&mut self) {
        if !self.left_alone {
            // Nobody is left to be told; it is stopped or killed by now.
            let _ = self.halt(StopMode::Immediate);
        }
    }
}

/// Sends a signal. The standard library only knows KILL, which would leave shared memory behind.
fn signal(pid: u32, name: &str) -> io::Result<()> {
    let mut command = Command::new("/bin/sh");
    command.args(["-c", r#"kill -s "$1" "$2""#, "sh", name, &pid.to_string()]);
    let status = command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).status()?;
    if status.success() { Ok(()) } else { Err(io::Error::other("the signal could not be sent")) }
}
