//! Real servers, one a test. They are asked by the `psql` of the same version.

use std::env;
use std::fs;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{Ipv4Addr, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::sync::LazyLock;
use std::thread;
use std::time::{Duration, Instant};

use super::*;

/// A folder for a test's own files, which any user can enter.
pub(super) struct TempDir(PathBuf);

impl TempDir {
    pub(super) fn new() -> Self {
        let path = env::temp_dir().join(format!("xdoflow-test-{}", random_hex(8).unwrap()));
        fs::create_dir(&path).unwrap();
        Self(path.canonicalize().unwrap())
    }

    pub(super) fn path(&self) -> &Path {
        &self.0
    }
}

impl Drop for TempDir {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

/// The client: beside the server's programs, else wherever the system has one.
static PSQL: LazyLock<PathBuf> = LazyLock::new(|| {
    let beside = binaries::find(None, false).unwrap().program("psql");
    if beside.is_file() { beside } else { "psql".into() }
});

fn psql(url: &str, sql: &str) -> Output {
    let mut command = Command::new(&*PSQL);
    command.args(["-XAtw", "-v", "ON_ERROR_STOP=1", "-d", url, "-c", sql]);
    command.stdin(Stdio::null()).env("LC_ALL", "C").env_remove("PGPASSWORD").output().unwrap()
}

/// What a statement prints, one line a row.
fn query(url: &str, sql: &str) -> String {
    let output = psql(url, sql);
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap().trim_end().to_owned()
}

/// Whether a process runs; one that has ended but not been waited for does not.
fn runs(pid: u32) -> bool {
    let output = Command::new("ps").args(["-o", "stat=", "-p", &pid.to_string()]).output();
    match output {
        Ok(output) => {
            let state = String::from_utf8_lossy(&output.stdout).trim().to_owned();
            !state.is_empty() && !state.starts_with('Z')
        }
        // Without ps, on Linux: a zombie has no command line.
        Err(_) => fs::read(format!("/proc/{pid}/cmdline")).is_ok_and(|line| !line.is_empty()),
    }
}

fn accepts(port: u16) -> bool {
    TcpStream::connect((Ipv4Addr::LOCALHOST, port)).is_ok()
}

#[test]
fn a_server_answers_on_both_ways_and_to_its_password_alone() {
    let options = ServerOptions { database: "odd \"näme\"/%".into(), ..ServerOptions::for_tests() };
    let server = Server::start(options).unwrap();
    for url in [server.url(), server.socket_url()] {
        let row = query(
            &url,
            "SELECT current_user, current_database(), current_setting('server_version'), lower('É')",
        );
        let cells: Vec<&str> = row.split('|').collect();
        assert_eq!(cells[..2], ["postgres", "odd \"näme\"/%"]);
        assert_eq!(cells[2].split(' ').next(), Some(server.version()));
        if cluster::has_unicode_c_locale() {
            assert_eq!(cells[3], "é");
        }
        for (password, said) in [("wrong", "password authentication failed"), ("", "no password supplied")] {
            let output = psql(&url.replace(&server.password, password), "SELECT 1");
            let stderr = String::from_utf8_lossy(&output.stderr);
            assert!(!output.status.success() && stderr.contains(said), "{stderr}");
        }
    }
    assert!(server.version().starts_with(&server.major_version().to_string()));
    assert_eq!(query(&server.url_of("postgres"), "SELECT current_database()"), "postgres");
    assert!(server.log_tail(100).contains("ready to accept connections"));
    assert!(!format!("{server:?}").contains(&server.password));
}

#[test]
fn a_server_runs_with_the_settings_it_lists_and_no_others() {
    let mut options = ServerOptions::default();
    options.settings.push(("work_mem".into(), "3MB".into()));
    let server = Server::start(options).unwrap();
    for (name, value) in [("fsync", "on"), ("max_wal_size", "4GB"), ("work_mem", "3MB")] {
        assert!(
            server.settings().iter().any(|setting| setting.name == name && setting.value == value),
            "{name}"
        );
        assert_eq!(query(&server.url(), &format!("SHOW {name}")), value);
    }
    let listed = server.settings().len();
    let on_file = "SELECT count(*), count(*) FILTER (WHERE applied AND error IS NULL) FROM pg_file_settings";
    assert_eq!(query(&server.url(), on_file), format!("{listed}|{listed}"));
    let encoding = "SELECT pg_encoding_to_char(encoding), datcollate FROM pg_database";
    assert_eq!(query(&server.url(), &format!("{encoding} WHERE datname = 'xdoflow'")), "UTF8|C");
}

#[test]
fn a_server_that_is_dropped_in_a_panic_leaves_nothing() {
    let (sender, receiver) = std::sync::mpsc::channel();
    let thread = thread::spawn(move || {
        let server = Server::start(ServerOptions::for_tests()).unwrap();
        sender.send((server.pid().unwrap(), server.port(), server.socket_dir().to_owned())).unwrap();
        panic!("on purpose");
    });
    let (pid, port, folder) = receiver.recv().unwrap();
    assert!(thread.join().is_err());
    assert!(!runs(pid) && !accepts(port) && !folder.exists());
}

#[test]
fn a_restart_keeps_port_and_data_even_after_an_immediate_stop() {
    let mut server = Server::start(ServerOptions::for_tests()).unwrap();
    let (url, first) = (server.url(), server.pid().unwrap());
    query(&url, "CREATE TABLE t AS SELECT 7 AS v");
    server.stop_immediate().unwrap();
    assert!(server.pid().is_none() && !runs(first) && !accepts(server.port()));
    server.restart().unwrap();
    let second = server.pid().unwrap();
    server.restart().unwrap();
    assert!(!runs(second) && server.pid() != Some(second));
    assert_eq!(query(&url, "SELECT v FROM t"), "7");
    server.stop().unwrap();
    server.stop().unwrap();
}

#[test]
fn a_kept_server_outlives_its_value_and_its_stop_command_ends_it() {
    let mut server = Server::start(ServerOptions { keep: true, ..ServerOptions::for_tests() }).unwrap();
    let (pid, port) = (server.pid().unwrap(), server.port());
    let kept = server.keep();
    drop(server);
    assert!(runs(pid));
    assert_eq!(psql(&kept.url, "SELECT 1").stdout, b"1\n");
    assert_eq!(psql(&kept.socket_url, "SELECT 1").stdout, b"1\n");
    let connect = format!("{} -Atc 'SELECT 2'", kept.connect_command);
    let output = Command::new("sh").args(["-c", &connect]).output().unwrap();
    assert_eq!(output.stdout, b"2\n");
    let output = Command::new("sh").args(["-c", &kept.stop_command]).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    assert!(!runs(pid) && !accepts(port) && !kept.folder.exists());
}

#[test]
fn a_server_that_cannot_start_tells_its_log_and_leaves_nothing() {
    let mut options = ServerOptions::for_tests();
    options.settings.push(("max_connections".into(), "many".into()));
    let error = Server::start(options).unwrap_err();
    assert!(error.message().starts_with("the private PostgreSQL server did not start"), "{error}");
    assert!(error.detail_text().unwrap().contains("max_connections"), "{error}");
}

#[test]
fn a_folder_without_the_programs_is_a_mistake_of_the_user() {
    let temp = TempDir::new();
    let options = ServerOptions { bin_dir: Some(temp.path().to_owned()), ..ServerOptions::for_tests() };
    let error = Server::start(options).unwrap_err();
    assert_eq!(error.exit_code(), 2);
    let expected = format!("{}: there is no postgres in it", temp.path().display());
    assert_eq!(error.detail_text(), Some(expected.as_str()));
}

const CHILD: &str = "XDOFLOW_TEST_CHILD";

/// The child is this test again, in a process of its own.
#[test]
fn when_its_parent_is_killed_a_server_goes_with_its_folder() {
    if env::var_os(CHILD).is_some() {
        let server = Server::start(ServerOptions::for_tests()).unwrap();
        let watchdog = server.folder.watchdog.as_ref().unwrap().id();
        let folder = server.socket_dir().display();
        let line = format!("{} {watchdog} {} {folder}\n", server.pid().unwrap(), server.port());
        std::io::stderr().write_all(line.as_bytes()).unwrap();
        // Until the end of all things, or of this process.
        let _ = std::io::stdin().read(&mut [0]);
        return;
    }
    let name = concat!(module_path!(), "::when_its_parent_is_killed_a_server_goes_with_its_folder");
    let mut child = Command::new(env::current_exe().unwrap())
        .args(["--exact", "--nocapture", name.split_once("::").unwrap().1])
        .env(CHILD, "1")
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut line = String::new();
    BufReader::new(child.stderr.take().unwrap()).read_line(&mut line).unwrap();
    let words: Vec<&str> = line.trim().splitn(4, ' ').collect();
    let pid: u32 = words[0].parse().unwrap();
    let (port, folder) = (words[2].parse().unwrap(), Path::new(words[3]));
    assert!(runs(pid) && accepts(port) && folder.exists());
    // Ctrl-C in a terminal goes to the group of its foreground process: each leads one of its own.
    if cfg!(target_os = "linux") {
        for pid in &words[..2] {
            let stat = fs::read_to_string(format!("/proc/{pid}/stat")).unwrap();
            // Behind the name in parentheses: state, parent, process group.
            assert_eq!(stat.rsplit_once(") ").unwrap().1.split(' ').nth(2), Some(*pid));
        }
    }
    child.kill().unwrap();
    child.wait().unwrap();
    // Nobody tells us of the end of a process that is not our child: look until it is seen.
    let deadline = Instant::now() + Duration::from_secs(15);
    while (runs(pid) || accepts(port) || folder.exists()) && Instant::now() < deadline {
        thread::sleep(Duration::from_millis(10));
    }
    assert!(!runs(pid) && !accepts(port) && !folder.exists());
}
