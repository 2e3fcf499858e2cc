//! A server for all tests of the process, databases made from a template, and the program as a process.

use std::io::{BufRead, BufReader};
use std::process::{Child, Command, Output, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{LazyLock, Mutex};
use std::time::{Duration, Instant};

use tokio::runtime::Runtime;
use tokio_postgres::error::SqlState;
use tokio_postgres::{NoTls, SimpleQueryMessage};
use xdoflow::server::{Server, ServerOptions};

/// The scale of the template's V1: 7 users, 741 agents, 1,100 transactions, 14,041 participants, 1,732
/// network rows.
pub const SCALE: &str = "0.02";

/// How long a test waits for something that must come.
const PATIENCE: Duration = Duration::from_secs(60);

static SERVER: LazyLock<Server> = LazyLock::new(|| {
    // On a machine of many cores many tests run at once, each with a dozen connections or more.
    let settings = vec![("max_connections".to_owned(), "500".to_owned())];
    Server::start(ServerOptions { settings, ..ServerOptions::for_tests() }).expect("a private server")
});

static RUNTIME: LazyLock<Runtime> = LazyLock::new(|| {
    tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().expect("a runtime")
});

/// A database with a generated V1 and an empty V2, from which others are copied.
static WORKSPACE: LazyLock<String> = LazyLock::new(|| {
    let template = Database::empty();
    let made = template.xdoflow(&["generate", "--scale", SCALE, "--progress", "none"]);
    assert!(made.status.success(), "{}", stderr(&made));
    let ddl = template.xdoflow(&["ddl"]);
    template.sql(&stdout(&ddl));
    // It lives as long as the server, which goes with the process.
    let name = template.name.clone();
    std::mem::forget(template);
    name
});

/// A database of one test.
pub struct Database {
    name: String,
    /// How to reach it, as the superuser.
    pub url: String,
}

impl Database {
    /// One that is there already, on any server; it stays there.
    pub fn at(url: String) -> Self {
        Self { name: String::new(), url }
    }

    /// Without any table.
    pub fn empty() -> Self {
        Self::create("template0")
    }

    /// Without any table, in another encoding than the client's.
    pub fn latin1() -> Self {
        Self::create("template0 ENCODING 'LATIN1' LOCALE 'C'")
    }

    /// With a generated V1 at [`SCALE`] and an empty V2.
    pub fn workspace() -> Self {
        // Copying a template fails while another copy of it is being made with the old strategy, and
        // a session that is about to leave it is in the way: one at a time.
        static COPYING: Mutex<()> = Mutex::new(());
        let template = WORKSPACE.clone();
        let _one = COPYING.lock().unwrap_or_else(|poisoned| poisoned.into_inner());
        Self::create(&template)
    }

    /// With a V1 table `source (id, xdo)` holding these documents and whatever `sql` makes.
    pub fn with(documents: &[(i64, &str)], sql: &str) -> Self {
        let database = Self::empty();
        database.sql("CREATE TABLE source (id bigint PRIMARY KEY, xdo jsonb)");
        for (id, document) in documents {
            database.sql(&format!("INSERT INTO source VALUES ({id}, {})", literal(document)));
        }
        database.sql(sql);
        database
    }

    fn create(template: &str) -> Self {
        static NUMBER: AtomicU32 = AtomicU32::new(0);
        let name = format!("test_{}", NUMBER.fetch_add(1, Ordering::Relaxed));
        let url = SERVER.url();
        let deadline = Instant::now() + PATIENCE;
        // A session of the template that was closed a moment ago may still be counted by the server.
        while let Err(error) = try_sql(&url, &format!("CREATE DATABASE {name} TEMPLATE {template}")) {
            assert!(Instant::now() < deadline, "{error}");
            std::thread::yield_now();
        }
        Self { url: SERVER.url_of(&name), name }
    }

    /// Runs statements; returns the rows of all, NULL as `∅`.
    pub fn sql(&self, sql: &str) -> Vec<Vec<String>> {
        try_sql(&self.url, sql).unwrap_or_else(|error| panic!("{error}\n{sql}"))
    }

    /// The first cell of the first row.
    pub fn value(&self, sql: &str) -> String {
        self.sql(sql)[0][0].clone()
    }

    /// The rows as lines, cells separated by `|`: easy to write down by hand.
    pub fn lines(&self, sql: &str) -> Vec<String> {
        self.sql(sql).iter().map(|row| row.join("|")).collect()
    }

    /// Waits until the program's sessions are over, and with them their statistics are told.
    pub fn wait_for_end(&self) {
        wait_until(
            &self.session(),
            "SELECT count(*) = 0 FROM pg_stat_activity
             WHERE application_name LIKE 'xdoflow%' AND datname = current_database()",
        );
    }

    /// Its URL for another role, which is made here: without any right, and with its name as password.
    pub fn role(&self, purpose: &str) -> (String, String) {
        let role = format!("{purpose}_{}", self.name);
        self.sql(&format!("CREATE ROLE {role} LOGIN PASSWORD '{role}'"));
        let (_, place) = self.url.rsplit_once('@').expect("a URL with a user");
        (format!("postgresql://{role}:{role}@{place}"), role)
    }

    /// A session that stays open.
    pub fn session(&self) -> Session {
        Session::open(&self.url)
    }

    /// Runs the program on this database, as source and target, to its end.
    pub fn xdoflow(&self, arguments: &[&str]) -> Output {
        self.command(arguments).output().expect("the program runs")
    }

    /// Runs it and takes it for granted that it succeeds; returns what `--json` printed.
    pub fn json(&self, arguments: &[&str]) -> serde_json::Value {
        let output = self.command(arguments).arg("--json").output().expect("the program runs");
        assert!(output.status.success(), "{arguments:?}: {}", stderr(&output));
        serde_json::from_slice(&output.stdout).expect("one JSON object on standard output")
    }

    /// The program, ready to be started on this database: as the two roles that `ddl --roles` makes, where both
    /// sides are this database and the command works on pipelines; else as the superuser.
    pub fn command(&self, arguments: &[&str]) -> Command {
        let mut command = program();
        command.env("XDOFLOW_SOURCE", &self.url).args(arguments);
        let works =
            ["run", "plan", "status", "check", "verify", "rejects", "history", "report", "drift", "doctor"]
                .contains(&arguments[0]);
        let elsewhere = arguments.iter().any(|argument| ["--source", "--target"].contains(argument));
        if works && !elsewhere && self.grant(arguments) {
            let as_role =
                |role| format!("postgresql://{role}:{role}@{}", self.url.rsplit_once('@').unwrap().1);
            command.env("XDOFLOW_SOURCE", as_role("xdoflow_reader"));
            command.env("XDOFLOW_TARGET", as_role("xdoflow_writer"));
        }
        command
    }

    /// Gives the roles their rights on the tables of the pipelines as they are now; false where the pipelines
    /// cannot be read.
    fn grant(&self, arguments: &[&str]) -> bool {
        /// The servers that have the roles.
        static MADE: Mutex<Vec<String>> = Mutex::new(Vec::new());
        let mut ddl = program();
        ddl.args(["ddl", "--roles"]);
        if let Some(at) = arguments.iter().position(|argument| *argument == "--pipelines") {
            ddl.args(["--pipelines", arguments[at + 1]]);
        }
        let text = ddl.output().expect("the program runs");
        if !text.status.success() {
            return false;
        }
        let server = self.url.rsplit_once('/').unwrap().0.to_owned();
        let mut made = MADE.lock().unwrap_or_else(|poisoned| poisoned.into_inner());
        if !made.contains(&server) {
            for role in ["xdoflow_reader", "xdoflow_writer"] {
                self.sql(&format!("CREATE ROLE {role} LOGIN PASSWORD '{role}'"));
            }
            made.push(server);
        }
        // One at a time: the roles are those of the whole server. A table that is missing, or that somebody has
        // locked since it had its rights, is what a test is about.
        let session = self.session();
        session.sql("SET lock_timeout = 100");
        for statement in stdout(&text).split_inclusive(";\n") {
            if let Err(error) = RUNTIME.block_on(session.client.batch_execute(statement)) {
                let expected = [&SqlState::UNDEFINED_TABLE, &SqlState::LOCK_NOT_AVAILABLE];
                assert!(error.code().is_some_and(|code| expected.contains(&code)), "{error:?}\n{statement}");
            }
        }
        true
    }

    /// Starts the program with JSON progress on standard error.
    pub fn start(&self, arguments: &[&str]) -> Running {
        Running::start(self.telling(arguments))
    }

    /// The same, ready to be started.
    pub fn telling(&self, arguments: &[&str]) -> Command {
        let mut command = self.command(arguments);
        command.args(["--progress", "json"]);
        command
    }
}

impl Drop for Database {
    fn drop(&mut self) {
        if !std::thread::panicking() && !self.name.is_empty() {
            let _ = try_sql(&SERVER.url(), &format!("DROP DATABASE IF EXISTS {} WITH (FORCE)", self.name));
        }
    }
}

/// Waits for what the library does.
pub fn block_on<F: Future>(future: F) -> F::Output {
    RUNTIME.block_on(future)
}

/// The program without any of the caller's settings.
pub fn program() -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_xdoflow"));
    for (name, _) in std::env::vars() {
        if name.starts_with("PG") || (name.starts_with("XDOFLOW_") && name != "XDOFLOW_PG_BIN") {
            command.env_remove(name);
        }
    }
    command.env("HOME", "/nonexistent").stdin(Stdio::null());
    command
}

/// The server's URL for a database and, where given, another password.
pub fn server() -> &'static Server {
    &SERVER
}

/// A process whose standard error is read line by line.
pub struct Running {
    child: Child,
    lines: BufReader<std::process::ChildStderr>,
    seen: String,
}

impl Running {
    /// Starts a command.
    pub fn start(mut command: Command) -> Self {
        let mut child =
            command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("the program starts");
        let lines = BufReader::new(child.stderr.take().expect("standard error is piped"));
        Self { child, lines, seen: String::new() }
    }

    /// Reads until a line holds the text.
    pub fn wait_for(&mut self, text: &str) {
        loop {
            let mut line = String::new();
            let bytes = self.lines.read_line(&mut line).expect("standard error can be read");
            assert!(bytes > 0, "the program ended before {text:?}: {}", self.seen);
            self.seen.push_str(&line);
            if line.contains(text) {
                return;
            }
        }
    }

    /// Sends a signal by its name: INT, TERM, KILL.
    pub fn signal(&self, name: &str) {
        let sent = Command::new("kill")
            .args(["-s", name, &self.child.id().to_string()])
            .status()
            .expect("kill runs");
        assert!(sent.success());
    }

    /// Whether it has not ended yet.
    pub fn is_running(&mut self) -> bool {
        self.child.try_wait().expect("a process").is_none()
    }

    /// Waits for the end; returns the exit code and all of standard error.
    pub fn end(mut self) -> (Option<i32>, String) {
        std::io::Read::read_to_string(&mut self.lines, &mut self.seen).expect("standard error can be read");
        let output = self.child.wait_with_output().expect("the program ends");
        (output.status.code(), self.seen)
    }
}

/// A session that stays open, for transactions of a test.
pub struct Session {
    client: tokio_postgres::Client,
}

impl Session {
    /// Opens one.
    pub fn open(url: &str) -> Self {
        let (client, connection) =
            RUNTIME.block_on(tokio_postgres::connect(url, NoTls)).expect("a connection");
        RUNTIME.spawn(connection);
        Self { client }
    }

    /// Runs statements; returns the rows of all, NULL as `∅`.
    pub fn sql(&self, sql: &str) -> Vec<Vec<String>> {
        RUNTIME.block_on(rows(&self.client, sql)).unwrap_or_else(|error| panic!("{error}\n{sql}"))
    }
}

/// The counts of one target of the only entity of a run, by their names in the JSON object.
pub fn counts<const N: usize>(summary: &serde_json::Value, target: usize, names: [&str; N]) -> [u64; N] {
    let target = &summary["entities"][0]["targets"][target];
    names.map(|name| target[name].as_u64().unwrap_or_else(|| panic!("no {name} in {target}")))
}

/// Checks for each target that every row that was read is accounted for, and every row that was loaded.
pub fn assert_adds_up(summary: &serde_json::Value) {
    // A derived target has rows of its own.
    assert_adds_up_but(summary, &["network_hierarchy"]);
}

/// The same where some targets have rows of their own.
pub fn assert_adds_up_but(summary: &serde_json::Value, own: &[&str]) {
    for entity in summary["entities"].as_array().expect("entities") {
        for target in entity["targets"].as_array().expect("targets") {
            let count = |name: &str| target[name].as_u64().expect(name);
            let is_own = own.iter().any(|name| target["name"] == *name);
            assert!(is_own || target["rows"] == entity["rows_read"], "{target}");
            assert_eq!(count("rows"), count("loaded") + count("quarantined") + count("filtered"), "{target}");
            assert_eq!(
                count("loaded"),
                count("inserted") + count("updated") + count("unchanged"),
                "{target}"
            );
        }
    }
}

/// Waits until a query gives `t`; fails after a minute.
pub fn wait_until(session: &Session, query: &str) {
    let deadline = Instant::now() + PATIENCE;
    while session.sql(query)[0][0] != "t" {
        assert!(Instant::now() < deadline, "never true: {query}");
        std::thread::yield_now();
    }
}

/// Runs statements on a session of their own.
pub fn try_sql(url: &str, sql: &str) -> Result<Vec<Vec<String>>, String> {
    RUNTIME.block_on(async {
        let (client, connection) =
            tokio_postgres::connect(url, NoTls).await.map_err(|error| format!("{error:?}"))?;
        let driver = tokio::spawn(connection);
        let rows = rows(&client, sql).await.map_err(|error| format!("{error:?}"));
        drop(client);
        // The session is over for the server, too, when this returns.
        let _ = driver.await;
        rows
    })
}

async fn rows(client: &tokio_postgres::Client, sql: &str) -> Result<Vec<Vec<String>>, tokio_postgres::Error> {
    let messages = client.simple_query(sql).await?;
    let rows = messages.iter().filter_map(|message| match message {
        SimpleQueryMessage::Row(row) => {
            Some((0..row.len()).map(|cell| row.get(cell).unwrap_or("∅").to_owned()).collect())
        }
        _ => None,
    });
    Ok(rows.collect())
}

/// A string as SQL writes it.
pub fn literal(text: &str) -> String {
    format!("'{}'", text.replace('\'', "''"))
}

/// Standard output as text.
pub fn stdout(output: &Output) -> String {
    String::from_utf8(output.stdout.clone()).expect("UTF-8")
}

/// Standard error as text.
pub fn stderr(output: &Output) -> String {
    String::from_utf8(output.stderr.clone()).expect("UTF-8")
}

/// A folder of pipeline files, removed at the end.
pub struct Pipelines(std::path::PathBuf);

impl Pipelines {
    /// Writes files: name and text.
    pub fn new(files: &[(&str, &str)]) -> Self {
        static NUMBER: AtomicU32 = AtomicU32::new(0);
        let number = NUMBER.fetch_add(1, Ordering::Relaxed);
        let folder = std::env::temp_dir().join(format!("xdoflow-pipelines-{}-{number}", std::process::id()));
        std::fs::create_dir_all(&folder).expect("a folder");
        for (name, text) in files {
            std::fs::write(folder.join(name), text).expect("a file");
        }
        Self(folder)
    }

    /// Where they are.
    pub fn path(&self) -> &str {
        self.0.to_str().expect("UTF-8")
    }
}

impl Drop for Pipelines {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

/// A temporary folder that takes folders of any user, as `/tmp` does; removed at the end.
pub struct Temp(std::path::PathBuf);

impl Temp {
    /// Makes one, empty.
    pub fn new(purpose: &str) -> Self {
        use std::os::unix::fs::PermissionsExt;
        static NUMBER: AtomicU32 = AtomicU32::new(0);
        let number = NUMBER.fetch_add(1, Ordering::Relaxed);
        let path = std::env::temp_dir().join(format!("xdoflow-{purpose}-{}-{number}", std::process::id()));
        std::fs::create_dir(&path).expect("a folder");
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o1777)).expect("its mode");
        Self(path)
    }

    /// Where it is.
    pub fn path(&self) -> &std::path::Path {
        &self.0
    }

    /// A command of the program that puts its temporary files here.
    pub fn command(&self, name: &str) -> Command {
        let mut command = program();
        command.arg(name).env("TMPDIR", &self.0);
        command
    }

    /// What is in it.
    pub fn content(&self) -> Vec<std::path::PathBuf> {
        let entries = std::fs::read_dir(&self.0).expect("the folder");
        entries.map(|entry| entry.expect("an entry").path()).collect()
    }
}

impl Drop for Temp {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}
