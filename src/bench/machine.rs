//! Where it was measured: the machine, and the settings of the server that a time depends on.

use std::collections::BTreeMap;
use std::fs;

use serde::Serialize;

use super::report::ServerHeader;
use crate::error::Result;
use crate::pg::Session;

/// The client's machine; on a private server also the server's.
#[derive(Clone, Debug, Serialize)]
pub struct Machine {
    /// The model of its processor.
    pub cpu: Option<String>,
    /// Cores that this process may use.
    pub cores: usize,
    /// Its memory.
    pub memory_bytes: Option<u64>,
    /// The system.
    pub system: String,
}

impl Machine {
    /// This machine.
    pub fn here(cores: usize) -> Self {
        let line = |file: &str, name: &str| {
            let text = fs::read_to_string(file).ok()?;
            let line = text.lines().find_map(|line| line.strip_prefix(name))?;
            Some(line.trim_start_matches([' ', '\t', ':']).trim().to_owned())
        };
        let kib =
            line("/proc/meminfo", "MemTotal").and_then(|text| text.split(' ').next()?.parse::<u64>().ok());
        let release = fs::read_to_string("/proc/sys/kernel/osrelease").unwrap_or_default();
        Self {
            cpu: line("/proc/cpuinfo", "model name"),
            cores,
            memory_bytes: kib.map(|kib| kib * 1024),
            system: format!("{} {} {}", std::env::consts::OS, release.trim(), std::env::consts::ARCH),
        }
    }
}

/// The settings that a time depends on.
const SETTINGS: &str = "
    'autovacuum', 'block_size', 'checkpoint_timeout', 'data_checksums', 'effective_cache_size', 'fsync',
    'full_page_writes', 'maintenance_work_mem', 'max_parallel_workers', 'max_parallel_workers_per_gather',
    'max_wal_size', 'max_worker_processes', 'shared_buffers', 'synchronous_commit', 'wal_compression',
    'wal_level', 'work_mem'";

/// The server of a session.
pub async fn server(session: &Session, private: bool) -> Result<ServerHeader> {
    let query = format!("SELECT name, current_setting(name) FROM pg_settings WHERE name IN ({SETTINGS})");
    let rows = session.query(&query, &[]).await?;
    let settings: BTreeMap<String, String> = rows.iter().map(|row| (row.get(0), row.get(1))).collect();
    let version = session.query_one("SELECT current_setting('server_version')", &[]).await?.get(0);
    Ok(ServerHeader { version, private, settings })
}

/// The date and time of now in UTC.
pub async fn now(session: &Session) -> Result<String> {
    let query = "SELECT to_char(now() AT TIME ZONE 'UTC', 'YYYY-MM-DD\"T\"HH24:MI:SS\"Z\"')";
    Ok(session.query_one(query, &[]).await?.get(0))
}
