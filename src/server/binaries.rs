//! Where the server's programs are: named by the caller, installed, or downloaded, in this order.
//!
//! A folder that was named (`ServerOptions::bin_dir`, `XDOFLOW_PG_BIN`) is used or refused, never
//! passed over: who names one folder must not get the server of another. Debian keeps `postgres` and
//! `initdb` out of `PATH`, so the folders that packages install into are searched as well, the newest
//! version first. Everything that was looked at ends in the error, if there is one.

use std::cmp::Reverse;
use std::env;
use std::ffi::OsStr;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use crate::error::{Error, Result};

/// The oldest major version that xdoflow works with.
const OLDEST_MAJOR: u32 = 14;
/// The variable that names the folder of the programs.
const VARIABLE: &str = "XDOFLOW_PG_BIN";
/// The programs that a private server needs.
const PROGRAMS: [&str; 3] = ["postgres", "initdb", "pg_ctl"];
/// Where packages put them: Debian and Ubuntu, PGDG on Red Hat, a build from source, Alpine, Homebrew
/// on both kinds of Mac, Postgres.app. One `*` a pattern, for the version.
const USUAL: [&str; 7] = [
    "/usr/lib/postgresql/*/bin",
    "/usr/pgsql-*/bin",
    "/usr/local/pgsql/bin",
    "/usr/libexec/postgresql*",
    "/opt/homebrew/opt/postgresql@*/bin",
    "/usr/local/opt/postgresql@*/bin",
    "/Applications/Postgres.app/Contents/Versions/*/bin",
];

/// A folder that holds the programs of one server version, 14 or newer.
#[derive(Clone, Debug)]
pub(super) struct Binaries {
    dir: PathBuf,
    version: Version,
}

/// A server version: `15.18`, or `18beta1` before its release.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Version {
    /// 15 of 15.18.
    pub(super) major: u32,
    /// As the server prints it, without the packager's remarks.
    pub(super) text: String,
}

impl Binaries {
    /// The folder.
    pub(super) fn dir(&self) -> &Path {
        &self.dir
    }

    /// The version of the server in it.
    pub(super) fn version(&self) -> &Version {
        &self.version
    }

    /// The path of a program in it.
    pub(super) fn program(&self, name: &str) -> PathBuf {
        self.dir.join(name)
    }

    /// Checks that a folder holds all programs and that their version will do; the error says why not.
    fn probe(dir: &Path) -> Result<Self, String> {
        if let Some(missing) = PROGRAMS.iter().find(|name| !dir.join(name).is_file()) {
            return Err(format!("there is no {missing} in it"));
        }
        let output = Command::new(dir.join("postgres"))
            .arg("--version")
            .stdin(Stdio::null())
            .output()
            .map_err(|error| format!("its postgres cannot be run: {error}"))?;
        let printed = String::from_utf8_lossy(&output.stdout);
        let version = Version::parse(&printed).ok_or("its postgres does not tell its version")?;
        if version.major < OLDEST_MAJOR {
            return Err(format!("its version {} is older than {OLDEST_MAJOR}", version.text));
        }
        Ok(Self { dir: resolved(dir), version })
    }
}

/// The folder that the programs really are in: one in `PATH` may hold links to a few of them, and
/// `psql` is then found beside the others. Programs that are linked one by one stay where they are.
fn resolved(dir: &Path) -> PathBuf {
    let real = dir.join("postgres").canonicalize().ok();
    let real = real.as_deref().and_then(Path::parent);
    let complete = real.filter(|real| PROGRAMS.iter().all(|name| real.join(name).is_file()));
    complete.unwrap_or(dir).to_owned()
}

impl Version {
    /// Reads what `postgres --version` prints: `postgres (PostgreSQL) 15.18 (Debian 15.18-0+deb12u1)`.
    fn parse(printed: &str) -> Option<Self> {
        let text = printed.split_once(" (PostgreSQL) ")?.1.split_whitespace().next()?;
        let digits = text.split(|c: char| !c.is_ascii_digit()).next()?;
        Some(Self { major: digits.parse().ok()?, text: text.to_owned() })
    }
}

/// Finds the programs; `root` says that the server will run as another user.
///
/// # Errors
/// A usage error where the named folder will not do, a stop where there are none at all.
pub(super) fn find(named: Option<&Path>, root: bool) -> Result<Binaries> {
    if let Some(dir) = named {
        return use_named("the option", dir);
    }
    if let Some(dir) = env::var_os(VARIABLE).filter(|dir| !dir.is_empty()) {
        return use_named(VARIABLE, Path::new(&dir));
    }
    search(&installed(env::var_os("PATH").as_deref())).or_else(|missing| or_download(missing, root))
}

fn use_named(by: &str, dir: &Path) -> Result<Binaries> {
    Binaries::probe(dir).map_err(|why| {
        Error::usage(format!("the folder named by {by} cannot be used for a PostgreSQL server"))
            .detail(format!("{}: {why}", dir.display()))
            .hint(format!("name the folder of postgres, initdb and pg_ctl, version {OLDEST_MAJOR} or newer"))
    })
}

#[cfg(feature = "download-postgres")]
fn or_download(missing: Error, root: bool) -> Result<Binaries> {
    super::download::fetch(root, &missing).and_then(|dir| {
        Binaries::probe(&dir).map_err(|why| missing.detail(format!("{}: {why}", dir.display())))
    })
}

#[cfg(not(feature = "download-postgres"))]
fn or_download(missing: Error, _root: bool) -> Result<Binaries> {
    Err(missing)
}

/// A place to search: what to call it, and the folders that it came to on this machine.
struct Place {
    name: String,
    dirs: Vec<PathBuf>,
}

/// The places in which installed programs are searched, best first.
fn installed(path: Option<&OsStr>) -> Vec<Place> {
    let dirs = path.map(|path| env::split_paths(path).filter(|dir| dir.is_absolute()).collect());
    let mut places = vec![
        Place { name: "PATH".into(), dirs: dirs.unwrap_or_default() },
        Place { name: "pg_config --bindir".into(), dirs: Vec::from_iter(pg_config_dir()) },
    ];
    places.extend(USUAL.map(|pattern| Place { name: pattern.into(), dirs: expand(pattern) }));
    places
}

fn pg_config_dir() -> Option<PathBuf> {
    let output = Command::new("pg_config").arg("--bindir").stdin(Stdio::null()).output().ok()?;
    let dir = String::from_utf8(output.stdout).ok()?;
    (output.status.success() && !dir.trim().is_empty()).then(|| PathBuf::from(dir.trim()))
}

/// The folders that match a pattern with at most one `*`, the highest number first.
pub(super) fn expand(pattern: &str) -> Vec<PathBuf> {
    let Some((before, after)) = pattern.split_once('*') else {
        return vec![PathBuf::from(pattern)];
    };
    let (parent, prefix) = before.rsplit_once('/').unwrap_or(("", before));
    let Ok(entries) = fs::read_dir(format!("{parent}/")) else {
        return Vec::new();
    };
    let mut found: Vec<(Vec<u32>, PathBuf)> = entries
        .filter_map(|entry| {
            let name = entry.ok()?.file_name().into_string().ok()?;
            let version = name.strip_prefix(prefix)?;
            let numbers = version.split('.').map_while(|part| part.parse().ok()).collect();
            Some((numbers, PathBuf::from(format!("{parent}/{name}{after}"))))
        })
        .collect();
    found.sort_by(|a, b| Reverse(&a.0).cmp(&Reverse(&b.0)).then_with(|| a.1.cmp(&b.1)));
    found.into_iter().map(|(_, dir)| dir).collect()
}

/// The first folder that will do.
fn search(places: &[Place]) -> Result<Binaries> {
    let mut refused = Vec::new();
    for dir in places.iter().flat_map(|place| &place.dirs) {
        // PATH names many folders that have nothing to do with PostgreSQL; they are no news.
        if !dir.join("postgres").is_file() {
            continue;
        }
        match Binaries::probe(dir) {
            Ok(binaries) => return Ok(binaries),
            Err(why) => refused.push(format!("{}: {why}", dir.display())),
        }
    }
    refused.dedup();
    let names: Vec<&str> = places.iter().map(|place| place.name.as_str()).collect();
    let mut detail = format!("looked in {}", names.join(", "));
    for line in refused {
        detail.push_str("; ");
        detail.push_str(&line);
    }
    Err(Error::stop(format!("no PostgreSQL server, version {OLDEST_MAJOR} or newer, is installed"))
        .detail(detail)
        .hint(format!(
            "install one (\"apt-get install postgresql\" on Debian and Ubuntu, \"brew install postgresql@17\" \
             on a Mac), or set {VARIABLE} to the folder of postgres, initdb and pg_ctl"
        )))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::PermissionsExt;

    /// A folder with a `postgres` that prints a version, and the other programs if asked for.
    fn fake(parent: &Path, name: &str, version: &str, complete: bool) -> PathBuf {
        let dir = parent.join(name);
        fs::create_dir_all(&dir).unwrap();
        for program in if complete { &PROGRAMS[..] } else { &PROGRAMS[..1] } {
            let path = dir.join(program);
            fs::write(&path, format!("#!/bin/sh\necho '{version}'\n")).unwrap();
            fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).unwrap();
        }
        dir
    }

    fn place(name: &str, dirs: Vec<PathBuf>) -> Place {
        Place { name: name.into(), dirs }
    }

    #[test]
    fn a_version_is_read_with_and_without_a_packagers_remark() {
        for (printed, major, text) in [
            ("postgres (PostgreSQL) 15.18 (Debian 15.18-0+deb12u1)\n", 15, "15.18"),
            ("postgres (PostgreSQL) 9.6.24\n", 9, "9.6.24"),
            ("postgres (PostgreSQL) 18beta1\n", 18, "18beta1"),
        ] {
            assert_eq!(Version::parse(printed), Some(Version { major, text: text.into() }));
        }
        for printed in ["", "mysqld 8.0", "postgres (PostgreSQL) devel"] {
            assert_eq!(Version::parse(printed), None, "{printed:?}");
        }
    }

    #[test]
    fn the_first_folder_that_is_complete_and_new_enough_wins() {
        let temp = super::super::tests::TempDir::new();
        let old = fake(temp.path(), "old", "postgres (PostgreSQL) 13.9", true);
        let half = fake(temp.path(), "half", "postgres (PostgreSQL) 16.1", false);
        let good = fake(temp.path(), "good", "postgres (PostgreSQL) 16.2", true);
        let better = fake(temp.path(), "better", "postgres (PostgreSQL) 17.0", true);
        let found =
            search(&[place("PATH", vec![old, half]), place("usual", vec![good.clone(), better])]).unwrap();
        assert_eq!((found.dir(), found.version().text.as_str()), (good.as_path(), "16.2"));
    }

    #[test]
    fn links_lead_to_the_folder_of_the_programs() {
        let temp = super::super::tests::TempDir::new();
        let real = fake(temp.path(), "real", "postgres (PostgreSQL) 16.2", true);
        let links = temp.path().join("links");
        fs::create_dir(&links).unwrap();
        for program in PROGRAMS {
            std::os::unix::fs::symlink(real.join(program), links.join(program)).unwrap();
        }
        assert_eq!(Binaries::probe(&links).unwrap().dir(), real);
    }

    #[test]
    fn where_there_are_none_the_error_tells_where_it_looked_and_what_to_do() {
        let temp = super::super::tests::TempDir::new();
        let old = fake(temp.path(), "old", "postgres (PostgreSQL) 13.9", true);
        let error =
            search(&[place("PATH", vec!["/".into(), old.clone()]), place("/usr/pgsql-*/bin", vec![])])
                .unwrap_err();
        assert_eq!(error.message(), "no PostgreSQL server, version 14 or newer, is installed");
        let expected =
            format!("looked in PATH, /usr/pgsql-*/bin; {}: its version 13.9 is older than 14", old.display());
        assert_eq!(error.detail_text(), Some(expected.as_str()));
        let hint = error.hint_text().unwrap();
        assert!(hint.contains("apt-get install postgresql") && hint.contains("XDOFLOW_PG_BIN"), "{hint}");
    }

    #[test]
    fn a_pattern_expands_to_the_newest_version_first() {
        let temp = super::super::tests::TempDir::new();
        for name in ["pg-9.6", "pg-14", "pg-17.10", "pg-17.9", "pg-latest", "other"] {
            fs::create_dir(temp.path().join(name)).unwrap();
        }
        let root = temp.path().display();
        let expected = ["pg-17.10", "pg-17.9", "pg-14", "pg-9.6", "pg-latest"];
        let expected: Vec<PathBuf> =
            expected.iter().map(|name| format!("{root}/{name}/bin").into()).collect();
        assert_eq!(expand(&format!("{root}/pg-*/bin")), expected);
    }
}
