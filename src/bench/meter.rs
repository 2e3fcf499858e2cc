//! What a timed run costs: wall time, CPU on both sides, WAL, memory.
//!
//! CPU comes from `/proc`, in ticks of a hundredth of a second. The server's is that of the postmaster
//! and all its processes, with those that have ended, which the system adds up for the postmaster: so
//! autovacuum, checkpointer and WAL writer are in it, as on a bill. The client's is that of this process
//! and of the program that it has waited for.

use std::fs;
use std::io::{self, BufRead, BufReader};
use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use crate::error::{Error, Result};
use crate::measured::peak_rss_bytes;
use crate::pg::Session;

/// Ticks a second in `/proc`, on every Linux.
const TICKS_PER_SECOND: f64 = 100.0;

/// One timed run of a contender.
#[derive(Clone, Copy, Debug)]
pub struct Measured {
    /// From the first statement to the last commit; of a process, from its start to its end.
    pub wall: Duration,
    /// CPU of the client in milliseconds.
    pub client_cpu_ms: Option<f64>,
    /// CPU of the server in milliseconds, where it runs on this machine.
    pub server_cpu_ms: Option<f64>,
    /// WAL written meanwhile.
    pub wal_bytes: u64,
    /// Peak of the client's memory: of the program, else of this process.
    pub rss_peak_bytes: Option<u64>,
}

/// Reads the meters of a server.
#[derive(Clone, Debug)]
pub struct Meter {
    /// The postmaster, where it runs on this machine and is ours.
    pub server_pid: Option<u32>,
}

/// The meters at the begin of a run.
pub struct Reading {
    started: Instant,
    client_ticks: Option<u64>,
    server_ticks: Option<u64>,
    wal: String,
}

impl Meter {
    /// Reads the meters before a run. The session is used for nothing else meanwhile.
    pub async fn begin(&self, session: &Session) -> Result<Reading> {
        let wal = session.query_one(WAL_PLACE, &[]).await?.get(0);
        reset_own_peak();
        Ok(Reading {
            client_ticks: own_ticks(),
            server_ticks: self.server_pid.and_then(server_ticks),
            wal,
            started: Instant::now(),
        })
    }

    /// Reads them after it. `rss_peak_bytes` is that of another process, where one ran.
    pub async fn end(
        &self,
        session: &Session,
        before: Reading,
        rss_peak_bytes: Option<u64>,
    ) -> Result<Measured> {
        let wall = before.started.elapsed();
        let since = |after: Option<u64>, before: Option<u64>| {
            Some(after?.saturating_sub(before?) as f64 * 1000.0 / TICKS_PER_SECOND)
        };
        let client_cpu_ms = since(own_ticks(), before.client_ticks);
        let server_cpu_ms = since(self.server_pid.and_then(server_ticks), before.server_ticks);
        let written = format!("SELECT pg_wal_lsn_diff({WAL_NOW}, '{}')::bigint", before.wal);
        Ok(Measured {
            wall,
            client_cpu_ms,
            server_cpu_ms,
            wal_bytes: session.count(&written, &[]).await?,
            rss_peak_bytes: rss_peak_bytes.or_else(|| peak_rss_bytes("self")),
        })
    }
}

const WAL_NOW: &str = "pg_current_wal_insert_lsn()";
const WAL_PLACE: &str = "SELECT pg_current_wal_insert_lsn()::text";

/// The log position of now, with all that stands before it on disk, where the dump can read it.
pub async fn wal_place(session: &Session) -> Result<String> {
    session.batch("SELECT pg_logical_emit_message(true, 'xdoflow bench', '')").await?;
    Ok(session.query_one(WAL_PLACE, &[]).await?.get(0))
}

/// The fields of `/proc/PID/stat` behind the name, which may hold anything: the first is the state.
fn stat(pid: &str) -> Option<Vec<String>> {
    let text = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    let (_, rest) = text.rsplit_once(')')?;
    Some(rest.split_whitespace().map(str::to_owned).collect())
}

/// The sum of numbers among the fields of a process; the numbers are those of proc(5), from 1.
fn fields(stat: &[String], numbers: &[usize]) -> Option<u64> {
    let field = |number: &usize| stat.get(number.checked_sub(3)?)?.parse::<u64>().ok();
    numbers.iter().map(field).sum()
}

const PARENT: usize = 4;
const OWN_TIMES: [usize; 2] = [14, 15];
const ALL_TIMES: [usize; 4] = [14, 15, 16, 17];

/// This process and the children that it has waited for.
fn own_ticks() -> Option<u64> {
    fields(&stat("self")?, &ALL_TIMES)
}

/// The postmaster, its processes, and those that have ended.
fn server_ticks(pid: u32) -> Option<u64> {
    loop {
        let before = fields(&stat(&pid.to_string())?, &ALL_TIMES)?;
        let mut children = 0;
        for entry in fs::read_dir("/proc").ok()?.flatten() {
            let name = entry.file_name();
            let Some(name) = name.to_str().filter(|name| name.bytes().all(|byte| byte.is_ascii_digit()))
            else {
                continue;
            };
            // A process that has ended meanwhile is one of those that are added up.
            let Some(stat) = stat(name) else { continue };
            if fields(&stat, &[PARENT]) == Some(u64::from(pid)) {
                children += fields(&stat, &OWN_TIMES).unwrap_or(0);
            }
        }
        // One that ended between the two looks would be in both sums or in none.
        if fields(&stat(&pid.to_string())?, &ALL_TIMES)? == before {
            return Some(before + children);
        }
    }
}

/// Lets the peak of this process begin anew. Where the system refuses, it stays that of all its life.
fn reset_own_peak() {
    let _ = fs::write("/proc/self/clear_refs", "5");
}

/// Reads the log of changes of a server on this machine, with the server's own program.
#[derive(Clone, Debug)]
pub struct WalDump {
    /// The program `pg_waldump`.
    pub program: PathBuf,
    /// The folder `pg_wal`.
    pub folder: PathBuf,
}

impl WalDump {
    /// Bytes of the records between two positions that belong to some files, named
    /// `tablespace/database/file`.
    ///
    /// # Errors
    /// Where the program cannot be run, or has read nothing.
    pub fn bytes(&self, from: &str, to: &str, files: &[String]) -> Result<u64> {
        let failed =
            |error: io::Error| Error::stop(format!("cannot run {}: {error}", self.program.display()));
        let mut command = Command::new(&self.program);
        command.arg("-p").arg(&self.folder).args(["-s", from, "-e", to]);
        let mut dump = command
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .map_err(failed)?;
        let marks: Vec<String> = files.iter().map(|file| format!("rel {file} ")).collect();
        let (mut lines, mut bytes) = (0_u64, 0);
        // Line by line: a target that was written anew fills a hundred megabytes of them.
        for line in dump.stdout.take().map(BufReader::new).into_iter().flat_map(BufRead::lines) {
            let line = line.map_err(failed)?;
            lines += 1;
            if marks.iter().any(|mark| line.contains(mark)) {
                bytes += record_bytes(&line).unwrap_or(0);
            }
        }
        dump.wait().map_err(failed)?;
        if lines == 0 && from != to {
            return Err(Error::stop("pg_waldump has read nothing")
                .detail(format!("from {from} to {to} in {}", self.folder.display())));
        }
        Ok(bytes)
    }
}

/// The length of a record: `… len (rec/tot):     54/  8246, tx: …`.
fn record_bytes(line: &str) -> Option<u64> {
    let (_, rest) = line.split_once("len (rec/tot):")?;
    let (lengths, _) = rest.split_once(',')?;
    lengths.split_once('/')?.1.trim().parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn this_process_has_used_some_memory_and_its_children_count() {
        assert!(peak_rss_bytes("self").is_some_and(|bytes| bytes > 1 << 20));
        assert!(own_ticks().is_some());
        assert!(server_ticks(std::process::id()).is_some());
        assert_eq!(server_ticks(u32::MAX), None);
    }

    #[test]
    fn a_record_of_the_log_has_its_full_length() {
        let line = "rmgr: Heap        len (rec/tot):     54/  8246, tx:        741, lsn: 0/0150, \
                    prev 0/0149, desc: INSERT off 3 flags 0x00, blkref #0: rel 1663/16384/16385 blk 0 FPW";
        assert_eq!(record_bytes(line), Some(8246));
        assert_eq!(record_bytes("rmgr: odd"), None);
    }
}
