//! What the system knows of a process.

use std::fs;

/// The most memory that a process has held, by its id or as `self`; nothing of one that has ended, or where the
/// system does not say.
pub fn peak_rss_bytes(process: &str) -> Option<u64> {
    let text = fs::read_to_string(format!("/proc/{process}/status")).ok()?;
    let line = text.lines().find_map(|line| line.strip_prefix("VmHWM:"))?;
    let kib: u64 = line.trim().strip_suffix("kB")?.trim().parse().ok()?;
    Some(kib * 1024)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    #[cfg(target_os = "linux")]
    fn this_process_holds_memory_and_one_that_is_none_does_not() {
        assert!(peak_rss_bytes("self").is_some_and(|bytes| bytes > 1 << 20));
        assert_eq!(peak_rss_bytes("none"), None);
    }
}
