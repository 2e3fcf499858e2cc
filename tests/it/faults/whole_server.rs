//! What happens to a whole server: it crashes, it is restarted, its disk is full, it takes few connections, a pooler
//! stands in front of it. Each test has a server of its own.

use std::os::unix::fs::{MetadataExt, PermissionsExt, chown};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command};

use xdoflow::server::{Server, ServerOptions};

use super::scene::{Dice, Scene, Way, end};
use super::{HELD_STAGING, WAITING};
use crate::support::{Database, stderr, wait_until};

fn start(settings: &[(&str, &str)]) -> Server {
    let settings = settings.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
    Server::start(ServerOptions { settings, ..ServerOptions::for_tests() }).expect("a private server")
}

fn scene(server: &Server, way: Way) -> Scene {
    let name = format!("scene_{way:?}").to_lowercase();
    crate::support::try_sql(&server.url(), &format!("CREATE DATABASE {name}")).expect("a database");
    Scene::in_database(Database::at(server.url_of(&name)), way)
}

#[test]
fn a_server_that_crashes_while_a_run_waits_ends_it_with_the_targets_as_before() {
    for (way, prepared, lock) in [
        (Way::Staged, HELD_STAGING, "SELECT pg_advisory_xact_lock(1)"),
        (Way::Delta, "", "LOCK TABLE badge IN SHARE MODE"),
        (Way::Direct, "", "LOCK TABLE person IN SHARE MODE"),
    ] {
        let mut server = start(&[]);
        let mut scene = scene(&server, way);
        scene.database.sql(prepared);
        for immediate in [true, false] {
            scene.next_round();
            let blocker = scene.database.session();
            blocker.sql(&format!("BEGIN; {lock}"));
            let child = scene.command(&["--progress", "plain"]).spawn().expect("the program starts");
            wait_until(&scene.database.session(), WAITING);
            if immediate { server.stop_immediate() } else { server.stop() }.expect("it stops");
            server.restart().expect("it starts");
            let output = child.wait_with_output().expect("it ends");
            let told = stderr(&output);
            let what = format!("a stop, {immediate} {way:?}");
            assert_eq!(output.status.code(), Some(1), "{what}: {told}");
            assert!(told.contains("error: ") && told.contains("hint: "), "{what}: {told}");
            assert!(!scene.check(&what, Some(1), &told));
            scene.check_next(&what);
        }
    }
}

#[test]
fn a_server_that_crashes_at_any_moment_publishes_nothing_wrong() {
    let mut server = start(&[]);
    let mut dice = Dice::new(3);
    for way in [Way::Staged, Way::Delta, Way::Changed] {
        let mut scene = scene(&server, way);
        scene.next_round();
        let started = std::time::Instant::now();
        scene.check_next("nothing");
        let whole = started.elapsed();
        for _ in 0..4 {
            scene.next_round();
            let moment = whole.mul_f64(dice.share());
            let child = scene.command(&["--progress", "none"]).spawn().expect("the program starts");
            // The moment is the fault.
            std::thread::sleep(moment);
            server.stop_immediate().expect("it stops");
            server.restart().expect("it starts");
            let output = child.wait_with_output().expect("it ends");
            let what = format!("a crash after {moment:?}, {way:?}");
            scene.check(&what, output.status.code(), &stderr(&output));
            scene.check_next(&what);
        }
    }
}

#[test]
fn a_v1_that_is_restarted_loses_the_snapshot_and_the_run_says_so() {
    let (mut v1, v2) = (start(&[]), start(&[]));
    for way in [Way::Staged, Way::Direct] {
        let mut scene = scene(&v2, way);
        let name = format!("v1_{way:?}").to_lowercase();
        crate::support::try_sql(&v1.url(), &format!("CREATE DATABASE {name}")).expect("a database");
        let source = Database::at(v1.url_of(&name));
        source.sql("CREATE TABLE source (id bigint PRIMARY KEY, xdo jsonb)");
        scene.next_round();
        let lock = if way == Way::Staged {
            "SELECT pg_advisory_lock(1)"
        } else {
            "BEGIN; LOCK TABLE badge IN SHARE MODE"
        };
        if way == Way::Staged {
            scene.database.sql(HELD_STAGING);
        }
        for row in scene.database.sql("SELECT id, xdo FROM source") {
            source.sql(&format!(
                "INSERT INTO source VALUES ({}, {})",
                row[0],
                crate::support::literal(&row[1])
            ));
        }
        let blocker = scene.database.session();
        blocker.sql(lock);
        let mut command = scene.command(&["--progress", "plain", "--source", &source.url]);
        let child = command.args(["--target", &scene.database.url]).spawn().expect("the program starts");
        wait_until(&scene.database.session(), WAITING);
        v1.stop_immediate().expect("it stops");
        v1.restart().expect("it starts");
        drop(blocker);
        let output = child.wait_with_output().expect("it ends");
        let told = stderr(&output);
        assert_eq!(output.status.code(), Some(1), "{told}");
        assert!(
            told.contains("the session that holds the snapshot of the run") || way == Way::Direct,
            "{told}"
        );
        assert!(!scene.check("a restart of V1", Some(1), &told));
        scene.check_next("a restart of V1");
    }
}

/// A file system of some kilobytes, gone when it is dropped.
struct SmallDisk(PathBuf);

impl SmallDisk {
    fn new(server: &Server, kilobytes: u32) -> Self {
        let folder = std::env::temp_dir().join(format!("xdoflow-disk-{}-{kilobytes}", server.port()));
        std::fs::create_dir_all(&folder).expect("a folder");
        let mounted = Command::new("mount")
            .args(["-t", "tmpfs", "-o", &format!("size={kilobytes}k"), "tmpfs"])
            .arg(&folder)
            .output()
            .expect("mount runs");
        assert!(
            mounted.status.success(),
            "a small file system needs the right to mount: {}",
            stderr(&mounted)
        );
        let owner = std::fs::metadata(server.data_dir()).expect("the server's folder");
        chown(&folder, Some(owner.uid()), Some(owner.gid())).expect("its owner");
        std::fs::set_permissions(&folder, std::fs::Permissions::from_mode(0o700)).expect("its mode");
        Self(folder)
    }
}

impl Drop for SmallDisk {
    fn drop(&mut self) {
        let _ = Command::new("umount").arg("-l").arg(&self.0).status();
        let _ = std::fs::remove_dir(&self.0);
    }
}

#[test]
fn a_full_disk_is_told_and_the_targets_are_as_before() {
    let server = start(&[]);
    for (way, small) in [
        // Staging has no room; then the targets have none.
        (Way::Staged, "ALTER DATABASE {database} SET default_tablespace = small"),
        (Way::Replace, "ALTER TABLE person SET TABLESPACE small"),
        (Way::Direct, "TRUNCATE person; ALTER TABLE person SET TABLESPACE small"),
    ] {
        let mut scene = scene(&server, way);
        let disk = SmallDisk::new(&server, 700);
        let tablespace = format!("small_{way:?}").to_lowercase();
        let folder = crate::support::literal(&disk.0.display().to_string());
        scene.database.sql(&format!("CREATE TABLESPACE {tablespace} LOCATION {folder}"));
        scene.database.sql(&format!("GRANT CREATE ON TABLESPACE {tablespace} TO PUBLIC"));
        let name = scene.database.value("SELECT current_database()");
        scene.next_round();
        scene.database.sql(&small.replace("{database}", &name).replace("small", &tablespace));
        // Now there is more in V1 than there is room for.
        scene.database.sql(
            "INSERT INTO source SELECT 100000 + n, jsonb_build_object('name', 'n', 'code', n, 'note', repeat('x', 400))
             FROM generate_series(1, 3000) n",
        );
        scene.look();
        let output = scene.run_to_end(&[]);
        let told = stderr(&output);
        assert_eq!(output.status.code(), Some(1), "{way:?} {told}");
        assert!(told.contains("the server's disk is full: ") && told.contains("hint: "), "{way:?} {told}");
        assert!(!scene.check("a full disk", Some(1), &told));
        // With room again it goes on.
        scene.database.sql(&format!(
            "ALTER DATABASE {name} RESET default_tablespace; ALTER TABLE person SET TABLESPACE pg_default"
        ));
        scene.check_next("a full disk");
        scene.database.sql(&format!("DROP TABLESPACE {tablespace}"));
    }
}

#[test]
fn a_server_that_takes_few_connections_is_used_by_fewer_lanes_or_says_how_many_it_takes() {
    let server = start(&[("max_connections", "22"), ("superuser_reserved_connections", "3")]);
    let mut scene = scene(&server, Way::Delta);
    scene.database.sql("CREATE ROLE loader LOGIN PASSWORD 'loader'; GRANT ALL ON ALL TABLES IN SCHEMA public, xdoflow TO loader;
        GRANT ALL ON ALL SEQUENCES IN SCHEMA public, xdoflow TO loader; GRANT ALL ON SCHEMA xdoflow TO loader");
    scene.next_round();
    let (_, place) = scene.database.url.rsplit_once('@').expect("a user");
    let url = format!("postgresql://loader:loader@{place}");
    let mut command = scene.command(&["--jobs", "8", "--source", &url]);
    command.env_remove("XDOFLOW_SOURCE");
    let output = end(command);
    let told = stderr(&output);
    assert_eq!(output.status.code(), Some(0), "{told}");
    assert!(scene.check("few connections", Some(0), &told));
    // Others have taken nearly all.
    scene.next_round();
    let others: Vec<_> = (0..16).map(|_| crate::support::Session::open(&url)).collect();
    let mut command = scene.command(&["--jobs", "2", "--source", &url]);
    command.env_remove("XDOFLOW_SOURCE");
    let output = end(command);
    let told = stderr(&output);
    drop(others);
    assert_eq!(output.status.code(), Some(1), "{told}");
    assert!(told.contains("connection slots") || told.contains("too many clients"), "{told}");
    assert!(told.contains("hint: ") && told.contains("--jobs"), "{told}");
    assert!(!scene.check("no connections", Some(1), &told));
    scene.check_next("no connections");
}

/// A pooler in front of a server.
struct Pooler {
    child: Child,
    folder: PathBuf,
    port: u16,
}

impl Pooler {
    fn start(server: &Server, mode: &str) -> Self {
        let port = std::net::TcpListener::bind("127.0.0.1:0")
            .expect("a port")
            .local_addr()
            .expect("an address")
            .port();
        let folder = std::env::temp_dir().join(format!("xdoflow-pooler-{port}"));
        std::fs::create_dir_all(&folder).expect("a folder");
        let url = server.url();
        let (user, password) = url
            .strip_prefix("postgresql://")
            .and_then(|rest| rest.split_once('@'))
            .and_then(|(who, _)| who.split_once(':'))
            .expect("a user");
        std::fs::write(
            folder.join("pgbouncer.ini"),
            format!(
                "[databases]\n* = host=127.0.0.1 port={} user={user} password={password}\n\
                 [pgbouncer]\nlisten_addr = 127.0.0.1\nlisten_port = {port}\nunix_socket_dir =\nauth_type = any\n\
                 pool_mode = {mode}\nignore_startup_parameters = extra_float_digits,options\n",
                server.port()
            ),
        )
        .expect("a file");
        let owner = std::fs::metadata(server.data_dir()).expect("the server's folder");
        let mut command = Command::new(program("pgbouncer"));
        command.arg("-q").arg(folder.join("pgbouncer.ini"));
        if std::fs::metadata("/proc/self").is_ok_and(|this| this.uid() == 0) {
            chown(&folder, Some(owner.uid()), Some(owner.gid())).expect("its owner");
            // It refuses to run as root.
            command.uid(owner.uid()).gid(owner.gid());
        }
        let child = command.spawn().expect("pgbouncer runs; .ci/postgres installs it");
        let pooler = Self { child, folder, port };
        let deadline = std::time::Instant::now() + std::time::Duration::from_secs(20);
        while std::net::TcpStream::connect(("127.0.0.1", port)).is_err() {
            assert!(std::time::Instant::now() < deadline, "the pooler takes no connection");
            std::thread::yield_now();
        }
        pooler
    }

    fn url(&self, server: &Server, url: &str) -> String {
        url.replace(&format!(":{}/", server.port()), &format!(":{}/", self.port))
    }
}

impl Drop for Pooler {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
        let _ = std::fs::remove_dir_all(&self.folder);
    }
}

/// A program that Debian keeps away from the path of ordinary users.
fn program(name: &str) -> PathBuf {
    let aside = Path::new("/usr/sbin").join(name);
    if aside.is_file() { aside } else { PathBuf::from(name) }
}

#[test]
fn a_pooler_in_transaction_mode_is_told_and_one_in_session_mode_will_do() {
    let server = start(&[]);
    let mut scene = scene(&server, Way::Delta);
    scene.next_round();
    for (mode, code) in [("transaction", 1), ("statement", 1), ("session", 0)] {
        let pooler = Pooler::start(&server, mode);
        let direct = scene.database.url.clone();
        let pooled = pooler.url(&server, &direct);
        for (source, target) in [(&pooled, &direct), (&direct, &pooled), (&pooled, &pooled)] {
            // What was not published waits: a day's deletes, not those of a month.
            if code == 0 {
                scene.next_round();
            }
            let output = end(scene.command(&["--source", source, "--target", target]));
            let told = stderr(&output);
            assert_eq!(output.status.code(), Some(code), "{mode} {told}");
            assert_eq!(scene.check(mode, Some(code), &told), code == 0, "{told}");
            if code == 1 {
                assert!(told.contains("a pooler in transaction mode stands between"), "{mode} {told}");
                assert!(told.contains("hint: connect to the server itself"), "{mode} {told}");
            }
            // The doctor has told so before.
            let mut doctor = crate::support::program();
            doctor.args([
                "doctor",
                "--pipelines",
                scene.pipelines.path(),
                "--source",
                source,
                "--target",
                target,
            ]);
            let looked = doctor.output().expect("the program runs");
            let found = crate::support::stdout(&looked);
            assert_eq!(looked.status.code(), Some(code), "{mode} {found}");
            assert_eq!(found.contains("a pooler in transaction mode"), code == 1, "{mode} {found}");
        }
    }
    scene.check_next("poolers");
}

/// The most memory that a process has had so far, in bytes.
fn peak(pid: u32) -> Option<u64> {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status")).ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"))?;
    line.trim().trim_end_matches("kB").trim().parse::<u64>().ok().map(|kilobytes| kilobytes << 10)
}

#[test]
fn a_document_of_200_megabytes_among_small_ones_is_moved_within_six_times_its_size() {
    const DOCUMENT: u64 = 200_000_000;
    let server = start(&[]);
    let mut scene = scene(&server, Way::Staged);
    scene.next_round();
    scene.database.sql(&format!(
        "UPDATE source SET xdo = jsonb_set(xdo, '{{note}}', to_jsonb(repeat('x', {DOCUMENT}))) WHERE id = 77"
    ));
    let mut child = scene.command(&["--progress", "none"]).spawn().expect("the program starts");
    let mut most = 0;
    while child.try_wait().expect("a process").is_none() {
        most = most.max(peak(child.id()).unwrap_or(0));
        std::thread::yield_now();
    }
    let output = child.wait_with_output().expect("it ends");
    assert!(output.status.success(), "{}", stderr(&output));
    assert_eq!(
        scene.database.value("SELECT octet_length(note) FROM person WHERE id = 77"),
        DOCUMENT.to_string()
    );
    assert_eq!(
        scene.database.value("SELECT count(*) FROM source s LEFT JOIN person p USING (id) WHERE s.xdo->>'note' IS DISTINCT FROM p.note"),
        "0"
    );
    assert!(most > DOCUMENT, "{most}");
    assert!(most < 6 * DOCUMENT, "{} MB", most / 1_000_000);
}
