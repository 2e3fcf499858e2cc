//! The private folder of a server, and the watchdog that outlives us.
//!
//! A folder goes when its [`Folder`] is dropped, also in a panic. A process that is killed drops
//! nothing: for that case a small `sh` waits at the end of a pipe whose other end only this process
//! holds (it is close-on-exec, so neither the server nor anyone else we start inherits it). When the
//! pipe ends without a word, the watchdog stops the server and removes the folder; any word sends it
//! home. It sits in a process group of its own, where Ctrl-C in a terminal does not reach it.

use std::env;
use std::fs::{self, DirBuilder, File};
use std::io::{self, Read, Write};
use std::os::unix::fs::DirBuilderExt;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Stdio};

use super::binaries::Binaries;
use super::owner::Owner;
use crate::error::{Error, Result};

/// The longest path that a socket address holds: 107 bytes on Linux, 103 elsewhere.
const SOCKET_PATH_BYTES: usize = 103;
/// The longest name of a socket in the folder.
const SOCKET_NAME: &str = ".s.PGSQL.65535";
/// Where the system's temporary folder is too deep for a socket.
const SHORT_TEMP: &str = "/tmp";

/// $1 is pg_ctl, $2 the folder. It tries again because a server that is still being made may put
/// files into the folder while it is being removed.
const WATCHDOG: &str = r#"trap '' HUP INT TERM
read -r word && exit 0
for try in 1 2 3 4 5 6 7 8 9 10; do
    "$1" stop -s -D "$2/data" -m immediate
    rm -rf -- "$2"
    [ -e "$2" ] || exit 0
    sleep 1
done"#;

/// A folder with a random name and mode 0700 that is removed when this is dropped.
pub(super) struct Folder {
    path: PathBuf,
    pub(super) watchdog: Option<Child>,
    kept: bool,
}

impl Folder {
    /// Makes one for the owner, in the system's temporary folder, or in `/tmp` where that is too deep
    /// for a socket. The watchdog is there first: no moment is left in which a kill leaves it behind.
    pub(super) fn create(owner: &Owner, binaries: &Binaries) -> Result<Self> {
        let path = place(&env::temp_dir(), &format!("xdoflow-{}", random_hex(8)?));
        let watchdog = watch(&path, owner, binaries)?;
        let mut folder = Self { path, watchdog: Some(watchdog), kept: false };
        let made = DirBuilder::new().mode(0o700).create(&folder.path);
        if let Err(error) = made {
            // What is there, if anything, is not ours.
            folder.keep();
            return Err(Error::stop(format!("could not make a folder for a private server: {error}"))
                .detail(folder.path.display().to_string())
                .hint("set TMPDIR to a folder that one can write to"));
        }
        owner.give_folder(&folder.path)?;
        Ok(folder)
    }

    /// Where it is.
    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    /// Whether it stays.
    pub(super) fn is_kept(&self) -> bool {
        self.kept
    }

    /// Leaves the folder, and what runs in it, alone from now on.
    pub(super) fn keep(&mut self) {
        self.kept = true;
        self.dismiss();
    }

    fn dismiss(&mut self) {
        if let Some(mut watchdog) = self.watchdog.take() {
            // A watchdog that is gone already cannot be told, and need not be.
            let _ = watchdog.stdin.take().map(|mut pipe| pipe.write_all(b"done\n"));
            let _ = watchdog.wait();
        }
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        // Where we fail to remove it, the pipe ends without a word and the watchdog does it.
        if !self.kept && fs::remove_dir_all(&self.path).is_ok() {
            self.dismiss();
        }
    }
}

/// Posts the watchdog of a folder, as the server's user: as root it could stop processes of anyone.
fn watch(path: &Path, owner: &Owner, binaries: &Binaries) -> Result<Child> {
    let mut command = owner.command(Path::new("/bin/sh"), Path::new("/"));
    command.args(["-c", WATCHDOG, "sh"]).arg(binaries.program("pg_ctl")).arg(path);
    command.stdin(Stdio::piped()).stdout(Stdio::null()).stderr(Stdio::null()).process_group(0);
    command.spawn().map_err(|error| owner.cannot_run(&command, &error))
}

/// The folder's path: below `temp` if a socket's path in it is short enough and plain text.
fn place(temp: &Path, name: &str) -> PathBuf {
    let path = temp.join(name);
    let fits = path.to_str().is_some_and(|text| text.len() + 1 + SOCKET_NAME.len() <= SOCKET_PATH_BYTES);
    if fits && path.is_absolute() { path } else { Path::new(SHORT_TEMP).join(name) }
}

/// Random bytes of the system, two lower-case digits each.
pub(super) fn random_hex(bytes: usize) -> io::Result<String> {
    let mut buffer = vec![0_u8; bytes];
    File::open("/dev/urandom")?.read_exact(&mut buffer)?;
    Ok(buffer.iter().map(|byte| format!("{byte:02x}")).collect())
}

#[cfg(test)]
mod tests {
    use super::super::binaries::find;
    use super::*;

    #[test]
    fn a_temporary_folder_too_deep_for_a_socket_is_not_used() {
        // 103 bytes for the path of the socket, less "/f/.s.PGSQL.65535".
        let deepest = format!("/{}", "d".repeat(103 - 17 - 1));
        assert_eq!(place(Path::new(&deepest), "f"), Path::new(&deepest).join("f"));
        assert_eq!(place(Path::new(&format!("{deepest}d")), "f"), Path::new("/tmp/f"));
        assert_eq!(place(Path::new("relative"), "f"), Path::new("/tmp/f"));
    }

    #[test]
    fn a_folder_is_private_and_goes_when_dropped() {
        use std::os::unix::fs::PermissionsExt;
        let owner = Owner::current().unwrap();
        let folder = Folder::create(&owner, &find(None, owner.is_other()).unwrap()).unwrap();
        let path = folder.path().to_owned();
        assert_eq!(path.metadata().unwrap().permissions().mode() & 0o777, 0o700);
        fs::write(path.join("file"), "content").unwrap();
        drop(folder);
        assert!(!path.exists());
    }
}
