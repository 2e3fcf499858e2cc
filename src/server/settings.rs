//! The server's settings, each with its reason: the whole of its `postgresql.conf`.
//!
//! Two presets. `Production` is what one would give a server of one's own on the same machine, so that
//! what is measured on it holds elsewhere; above all it is durable. `Test` is small and forgets at a
//! power cut (not at a crash of the server), so that ten can run side by side. `initdb`'s own file is replaced: what stands here is
//! everything that differs from the server's defaults.

use std::fmt;
use std::fs;
use std::path::Path;

use crate::error::{Error, Result};

const MIB: u64 = 1 << 20;
/// Assumed where the system does not tell its memory.
const ASSUMED_MEMORY_BYTES: u64 = 1024 * MIB;

/// What says where a server listens.
const PLACE: [&str; 3] = ["listen_addresses", "port", "unix_socket_directories"];

/// What a private server is for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Preset {
    /// Durable, with memory and WAL as in production: demo and benchmarks.
    #[default]
    Production,
    /// Small and not durable: many at once.
    Test,
}

/// One line of `postgresql.conf`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Setting {
    /// The parameter's name.
    pub name: String,
    /// Its value, as one would type it without quotes.
    pub value: String,
    /// Why it is set.
    pub reason: &'static str,
}

impl Setting {
    fn new(name: &str, value: impl Into<String>, reason: &'static str) -> Self {
        Self { name: name.to_owned(), value: value.into(), reason }
    }
}

/// As in `postgresql.conf`: `name = 'value'`.
impl fmt::Display for Setting {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} = '{}'", self.name, self.value.replace('\\', "\\\\").replace('\'', "''"))
    }
}

/// The settings of a preset for a machine with `memory_bytes`.
pub(super) fn of_preset(preset: Preset, memory_bytes: u64) -> Vec<Setting> {
    let mut settings = vec![
        Setting::new("max_connections", "100", "the server's default, and most managed servers' floor"),
        Setting::new("timezone", "UTC", "the same dates on every machine"),
        Setting::new("log_timezone", "UTC", "the same dates on every machine"),
        Setting::new("lc_messages", "C", "error texts that do not depend on the machine"),
        Setting::new("cluster_name", "xdoflow", "its processes can be told from another server's"),
    ];
    let shared_buffers_bytes = (memory_bytes / 4).clamp(128 * MIB, 2048 * MIB);
    settings.extend(match preset {
        Preset::Production => vec![
            Setting::new("fsync", "on", "durable: a time measured without it is worth nothing"),
            Setting::new("synchronous_commit", "on", "durable, as production is"),
            Setting::new("full_page_writes", "on", "durable; its WAL is part of the cost of a load"),
            Setting::new(
                "shared_buffers",
                mib(shared_buffers_bytes),
                "a quarter of the memory, 2 GB at most",
            ),
            Setting::new(
                "effective_cache_size",
                mib((memory_bytes / 2).max(shared_buffers_bytes)),
                "what the planner may expect of the system's cache: half of the memory",
            ),
            Setting::new("maintenance_work_mem", "256MB", "an index of a million rows is sorted in memory"),
            Setting::new("max_wal_size", "4GB", "a full load fits between two checkpoints"),
            Setting::new("checkpoint_timeout", "15min", "no checkpoint by time within a load"),
            // Ten times the time of an UPDATE of one row in a hundred with pglz: 2.3 s against 0.2 s (702,072 rows).
            Setting::new("wal_compression", "off", "the server's default; pglz costs more than the bytes"),
        ],
        Preset::Test => vec![
            Setting::new("fsync", "off", "nothing of a test outlives its server"),
            Setting::new("synchronous_commit", "on", "what was committed survives an immediate stop"),
            Setting::new("full_page_writes", "off", "nothing of a test outlives its server"),
            Setting::new("shared_buffers", "16MB", "many servers side by side"),
            Setting::new("max_wal_size", "256MB", "many servers side by side on one disk"),
        ],
    });
    settings
}

/// The settings that say where the server listens: on loopback and in its private folder only.
pub(super) fn of_place(port: u16, socket_dir: &Path) -> Vec<Setting> {
    // The value is a list: a folder in double quotes may hold a comma.
    let quoted = format!("\"{}\"", socket_dir.display().to_string().replace('"', "\"\""));
    vec![
        Setting::new("listen_addresses", "127.0.0.1", "reached from this machine only"),
        Setting::new("port", port.to_string(), "free when the server was started"),
        Setting::new("unix_socket_directories", quoted, "a folder that nobody else can enter"),
    ]
}

/// Puts the caller's settings over the others; the last of a name counts.
///
/// # Errors
/// A usage error for a name that is none or that [`of_place`] decides, or a value of several lines.
pub(super) fn overlay(settings: &mut Vec<Setting>, extra: &[(String, String)]) -> Result<()> {
    for (name, value) in extra {
        let plain = |c: char| c.is_ascii_alphanumeric() || c == '_' || c == '.';
        if name.is_empty() || !name.chars().all(plain) {
            return Err(Error::usage(format!("{name:?} is not the name of a server setting")));
        }
        if value.contains(['\n', '\r', '\0']) {
            return Err(Error::usage(format!("the value of the server setting {name} is not one line")));
        }
        let name = name.to_ascii_lowercase();
        if PLACE.contains(&name.as_str()) {
            return Err(Error::usage(format!("the setting {name} of a private server cannot be chosen")));
        }
        settings.retain(|setting| setting.name != name);
        settings.push(Setting::new(&name, value.as_str(), "asked for"));
    }
    Ok(())
}

/// The text of `postgresql.conf`.
pub(super) fn config_file(settings: &[Setting]) -> String {
    settings.iter().map(|setting| format!("{setting} # {}\n", setting.reason)).collect()
}

/// The memory that this process may use: the machine's, or less inside a container.
pub(super) fn memory_bytes() -> u64 {
    let machine = fs::read_to_string("/proc/meminfo").ok().and_then(|text| parse_meminfo(&text));
    let container =
        fs::read_to_string("/sys/fs/cgroup/memory.max").ok().and_then(|text| text.trim().parse().ok());
    match (machine, container) {
        (Some(machine), Some(container)) => u64::min(machine, container),
        (Some(bytes), None) | (None, Some(bytes)) => bytes,
        (None, None) => ASSUMED_MEMORY_BYTES,
    }
}

fn parse_meminfo(text: &str) -> Option<u64> {
    let line = text.lines().find_map(|line| line.strip_prefix("MemTotal:"))?;
    let kib: u64 = line.trim().strip_suffix("kB")?.trim().parse().ok()?;
    kib.checked_mul(1024)
}

fn mib(bytes: u64) -> String {
    format!("{}MB", bytes / MIB)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn value<'a>(settings: &'a [Setting], name: &str) -> Option<&'a str> {
        settings.iter().find(|setting| setting.name == name).map(|setting| setting.value.as_str())
    }

    #[test]
    fn shared_buffers_are_a_quarter_of_the_memory_within_bounds() {
        for (memory_mib, expected) in [(256, "128MB"), (1024, "256MB"), (4000, "1000MB"), (65_536, "2048MB")]
        {
            let settings = of_preset(Preset::Production, memory_mib * MIB);
            assert_eq!(value(&settings, "shared_buffers"), Some(expected), "{memory_mib} MiB");
        }
    }

    #[test]
    fn production_survives_a_power_cut_and_a_test_only_a_crash_of_the_server() {
        for (preset, expected) in [(Preset::Production, "on"), (Preset::Test, "off")] {
            let settings = of_preset(preset, 1024 * MIB);
            assert_eq!(value(&settings, "synchronous_commit"), Some("on"), "{preset:?}");
            for name in ["fsync", "full_page_writes"] {
                assert_eq!(value(&settings, name), Some(expected), "{preset:?} {name}");
            }
        }
    }

    #[test]
    fn the_callers_settings_replace_those_of_the_preset() {
        let mut settings = of_preset(Preset::Test, 1024 * MIB);
        let before = settings.len();
        overlay(&mut settings, &[("Shared_Buffers".into(), "8MB".into()), ("work_mem".into(), "1MB".into())])
            .unwrap();
        assert_eq!(
            (value(&settings, "shared_buffers"), value(&settings, "work_mem")),
            (Some("8MB"), Some("1MB"))
        );
        assert_eq!(settings.len(), before + 1);
    }

    #[test]
    fn a_setting_can_neither_smuggle_in_another_nor_move_the_server() {
        for (name, value) in
            [("a = 1\nb", "2"), ("", "x"), ("a b", "x"), ("a", "1'\nfsync = 'off"), ("Port", "5432")]
        {
            assert!(overlay(&mut Vec::new(), &[(name.into(), value.into())]).is_err(), "{name:?} {value:?}");
        }
        let setting = Setting::new("search_path", r"o'brien\", "");
        assert_eq!(setting.to_string(), r"search_path = 'o''brien\\'");
    }

    #[test]
    fn the_memory_is_read_from_the_kernels_table() {
        assert_eq!(parse_meminfo("MemFree: 1 kB\nMemTotal:       16384 kB\n"), Some(16_777_216));
        assert_eq!(parse_meminfo("MemTotal: many\n"), None);
    }
}
