//! Where and how to connect, resolved once, as libpq resolves it: the connection string, then the
//! environment, then the password file, then defaults. After that no variable and no password file is read
//! again, so all the connections of a run use the same servers and credentials.
//!
//! The environment comes in as a function: only the command line reads the real one. What may be shown to
//! people is [`Settings::redacted`]; `Debug` shows the same.

use std::fmt::{self, Write as _};
use std::net::IpAddr;
use std::path::{Path, PathBuf};
use std::time::Duration;

use super::parameters::Given;
use super::password::{self, Account, Password};
use super::tls::TlsSettings;
use crate::error::{Error, Result};

/// libpq waits for ever; a run that says nothing for longer than this looks hung.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);

/// Where a server's socket may lie: Debian's folder, then PostgreSQL's own default.
const SOCKET_FOLDERS: [&str; 2] = ["/var/run/postgresql", "/tmp"];

/// Everything that is needed to open a connection.
#[derive(Clone)]
pub struct Settings {
    pub(super) servers: Vec<Server>,
    pub(super) user: String,
    pub(super) database: String,
    pub(super) application_name: Option<String>,
    pub(super) options: Option<String>,
    pub(super) tls: TlsSettings,
    pub(super) channel_binding: tokio_postgres::config::ChannelBinding,
    pub(super) session: SessionAttrs,
    pub(super) shuffle: bool,
    /// How long one server may take to let us in; `None` for no limit.
    pub(super) connect_timeout: Option<Duration>,
    pub(super) keepalive: Option<Keepalive>,
    pub(super) tcp_user_timeout: Option<Duration>,
    warnings: Vec<String>,
}

/// One server of the list that may be tried.
#[derive(Clone)]
pub(super) struct Server {
    pub(super) place: Place,
    pub(super) port: u16,
    pub(super) password: Option<Password>,
}

#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) enum Place {
    /// A name or an address, and the address to use without asking for the name.
    Tcp(String, Option<IpAddr>),
    /// The folder of a Unix socket.
    Socket(PathBuf),
}

/// When a quiet connection is asked whether it still stands.
#[derive(Clone, Copy)]
pub(super) struct Keepalive {
    pub(super) idle: Duration,
    pub(super) interval: Duration,
    pub(super) count: u32,
}

/// What kind of session will do, `target_session_attrs`.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum SessionAttrs {
    Any,
    ReadWrite,
    ReadOnly,
    Primary,
    Standby,
    PreferStandby,
}

impl Settings {
    /// Resolves a connection string (a URL, or `name=value` pairs; `None` for nothing given) against the
    /// environment. Reads the password file and looks for a local socket; opens no connection.
    ///
    /// # Errors
    /// With the fate of a usage mistake, where a parameter is unknown, malformed or cannot be honoured.
    pub fn resolve(url: Option<&str>, env: &dyn Fn(&str) -> Option<String>) -> Result<Self> {
        let given = Given::collect(url, env)?;
        let home = env("HOME").filter(|home| !home.is_empty()).map(PathBuf::from);
        let user = match given.text("user") {
            Some(user) => user.to_owned(),
            None => whoami::username().map_err(|_| {
                Error::usage("the role to connect as is not known")
                    .hint("name it: postgresql://user@host/database")
            })?,
        };
        let database = given.text("dbname").unwrap_or(&user).to_owned();
        let mut warnings = Vec::new();
        let mut servers = servers(&given)?;
        let passwords = Passwords::open(&given, home.as_deref(), &mut warnings);
        for server in &mut servers {
            let host = server.password_host();
            let account = Account { host: &host, port: server.port, database: &database, user: &user };
            server.password = passwords.of(account);
        }
        Ok(Self {
            servers,
            application_name: given
                .text("application_name")
                .or(given.text("fallback_application_name"))
                .map(str::to_owned),
            options: given.text("options").map(str::to_owned),
            tls: TlsSettings::resolve(&given, home.as_deref())?,
            channel_binding: channel_binding(&given)?,
            session: session_attrs(&given)?,
            shuffle: given.word("load_balance_hosts", &[("disable", false), ("random", true)], false)?,
            connect_timeout: given
                .duration("connect_timeout", Duration::from_secs(1))?
                .unwrap_or(Some(CONNECT_TIMEOUT)),
            keepalive: keepalive(&given)?,
            // No limit unless asked for: Linux also ends a connection whose peer is alive and takes no data
            // for so long, and that is what a COPY into a table meets while the server waits for a lock.
            tcp_user_timeout: given.duration("tcp_user_timeout", Duration::from_millis(1))?.flatten(),
            warnings,
            user,
            database,
        })
    }

    /// What the user should hear of, such as a password file that was not used. Whole sentences.
    pub fn warnings(&self) -> &[String] {
        &self.warnings
    }

    /// The settings as people may see them: a URL without password or parameters,
    /// `postgresql://user@host:5432/database`, for a socket
    /// `postgresql://user@/database?host=/tmp&port=5432`.
    pub fn redacted(&self) -> String {
        self.redacted_with(&self.servers)
    }

    /// The same for one server of the list.
    pub(super) fn redacted_with(&self, servers: &[Server]) -> String {
        let (user, database) = (escape(&self.user), escape(&self.database));
        let sockets = servers.iter().any(|server| matches!(server.place, Place::Socket(_)));
        let list = |show: &dyn Fn(&Server) -> String| servers.iter().map(show).collect::<Vec<_>>().join(",");
        if sockets {
            let hosts = list(&|server| server.host());
            let ports = list(&|server| server.port.to_string());
            format!("postgresql://{user}@/{database}?host={hosts}&port={ports}")
        } else {
            let places = list(&|server| {
                let host = server.host();
                if host.contains(':') {
                    format!("[{host}]:{}", server.port)
                } else {
                    format!("{host}:{}", server.port)
                }
            });
            format!("postgresql://{user}@{places}/{database}")
        }
    }
}

impl fmt::Debug for Settings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Settings").field(&self.redacted()).finish()
    }
}

impl Server {
    /// The host, address or folder, as it was given.
    pub(super) fn host(&self) -> String {
        match &self.place {
            Place::Tcp(host, _) => host.clone(),
            Place::Socket(folder) => folder.display().to_string(),
        }
    }

    /// The host as the password file names it: a socket in a default folder is `localhost` there.
    fn password_host(&self) -> String {
        match &self.place {
            Place::Socket(folder) if SOCKET_FOLDERS.iter().any(|default| folder == Path::new(default)) => {
                "localhost".to_owned()
            }
            _ => self.host(),
        }
    }
}

/// Escapes what would end a part of a URL.
fn escape(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for c in text.chars() {
        if c.is_ascii_control() || " %/?#@:&=".contains(c) {
            // Writing to a string does not fail; all these characters are ASCII.
            let _ = write!(escaped, "%{:02X}", u32::from(c));
        } else {
            escaped.push(c);
        }
    }
    escaped
}

/// The servers to try. `host`, `hostaddr` and `port` are lists of the same length; one port serves all hosts.
fn servers(given: &Given) -> Result<Vec<Server>> {
    let split = |name| given.text(name).map(|list| list.split(',').map(str::trim).collect::<Vec<_>>());
    let (hosts, addresses) = (split("host"), split("hostaddr"));
    let count = hosts.as_ref().or(addresses.as_ref()).map_or(1, Vec::len);
    if addresses.as_ref().is_some_and(|list| list.len() != count) {
        return Err(Error::usage("the connection has not as many hosts as hostaddr values")
            .hint("give one hostaddr for each host, or none"));
    }
    let ports = split("port").unwrap_or_default();
    if ports.len() > 1 && ports.len() != count {
        return Err(Error::usage("the connection has not as many ports as hosts")
            .hint("give one port, or one for each host"));
    }
    (0..count)
        .map(|i| {
            let port = match ports.get(i).or(ports.first()).copied().unwrap_or_default() {
                "" => 5432,
                text => text.parse().ok().filter(|&port| port > 0).ok_or_else(|| {
                    given
                        .invalid("port")
                        .hint("a port is a number up to 65535; write a / in a user name or password as %2F")
                })?,
            };
            let item = |list: &Option<Vec<&str>>| {
                list.as_ref().and_then(|list| list.get(i).copied()).unwrap_or_default().to_owned()
            };
            let (host, address) = (item(&hosts), item(&addresses));
            let ip = match address.as_str() {
                "" => None,
                text => Some(text.parse::<IpAddr>().map_err(|_| {
                    given
                        .invalid("hostaddr")
                        .hint("it is an address such as 192.0.2.1; a name goes into host")
                })?),
            };
            Ok(Server { place: place(host, ip, port), port, password: None })
        })
        .collect()
}

fn place(host: String, address: Option<IpAddr>, port: u16) -> Place {
    match address {
        Some(address) if host.is_empty() => Place::Tcp(address.to_string(), Some(address)),
        None if host.starts_with('/') => Place::Socket(PathBuf::from(host)),
        None if host.is_empty() => SOCKET_FOLDERS
            .iter()
            .map(PathBuf::from)
            .find(|folder| folder.join(format!(".s.PGSQL.{port}")).exists())
            .map_or_else(|| Place::Tcp("localhost".to_owned(), None), Place::Socket),
        address => Place::Tcp(host, address),
    }
}

/// Where passwords come from: one that was given, or the password file.
enum Passwords {
    Given(Password),
    File(String),
    None,
}

impl Passwords {
    /// The file is not touched where a password was given, as in libpq.
    fn open(given: &Given, home: Option<&Path>, warnings: &mut Vec<String>) -> Self {
        if let Some(password) = given.text("password") {
            return Self::Given(Password::new(password));
        }
        let path =
            given.text("passfile").map(PathBuf::from).or_else(|| home.map(|home| home.join(".pgpass")));
        match path.map(|path| password::read_file(&path)) {
            Some(Ok(Some(text))) => Self::File(text),
            Some(Ok(None)) | None => Self::None,
            Some(Err(warning)) => {
                warnings.push(warning);
                Self::None
            }
        }
    }

    fn of(&self, account: Account<'_>) -> Option<Password> {
        match self {
            Self::Given(password) => Some(password.clone()),
            Self::File(text) => password::find(text, account),
            Self::None => None,
        }
    }
}

fn channel_binding(given: &Given) -> Result<tokio_postgres::config::ChannelBinding> {
    use tokio_postgres::config::ChannelBinding::{Disable, Prefer, Require};
    given.word("channel_binding", &[("disable", Disable), ("prefer", Prefer), ("require", Require)], Prefer)
}

fn session_attrs(given: &Given) -> Result<SessionAttrs> {
    let words = [
        ("any", SessionAttrs::Any),
        ("read-write", SessionAttrs::ReadWrite),
        ("read-only", SessionAttrs::ReadOnly),
        ("primary", SessionAttrs::Primary),
        ("standby", SessionAttrs::Standby),
        ("prefer-standby", SessionAttrs::PreferStandby),
    ];
    given.word("target_session_attrs", &words, SessionAttrs::Any)
}

/// After a minute of silence, six questions ten seconds apart: a dead peer is found in two minutes, where the
/// system's own defaults take more than two hours.
fn keepalive(given: &Given) -> Result<Option<Keepalive>> {
    let wanted = given.number("keepalives")? != Some(0);
    let seconds = |name, default| {
        let given = given.duration(name, Duration::from_secs(1))?.flatten();
        Ok::<_, Error>(given.unwrap_or(Duration::from_secs(default)))
    };
    let count = given.number("keepalives_count")?.filter(|&count| count > 0).unwrap_or(6);
    let keepalive = Keepalive {
        idle: seconds("keepalives_idle", 60)?,
        interval: seconds("keepalives_interval", 10)?,
        count: u32::try_from(count).unwrap_or(u32::MAX),
    };
    Ok(wanted.then_some(keepalive))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error::Fate;

    fn resolve(text: &str, variables: &[(&str, &str)]) -> Result<Settings> {
        let text = Some(text).filter(|text| !text.is_empty());
        Settings::resolve(text, &|name| {
            variables.iter().find(|(n, _)| *n == name).map(|(_, value)| (*value).to_owned())
        })
    }

    fn passwords(settings: &Settings) -> Vec<Option<&str>> {
        settings.servers.iter().map(|server| server.password.as_ref().map(Password::reveal)).collect()
    }

    #[test]
    fn what_the_string_lacks_comes_from_the_environment_and_then_from_the_defaults() {
        let environment = [("PGHOST", "e"), ("PGPORT", "7"), ("PGUSER", "eve"), ("PGDATABASE", "edb")];
        for (text, variables, shown) in [
            ("postgresql://u@h/d", &[][..], "postgresql://u@h:5432/d"),
            ("postgresql://u@h", &[], "postgresql://u@h:5432/u"),
            ("", &environment[..], "postgresql://eve@e:7/edb"),
            ("postgresql://h/d", &environment, "postgresql://eve@h:7/d"),
            ("host=h dbname=d user=u port=9", &environment, "postgresql://u@h:9/d"),
            ("hostaddr=::1 user=u", &[], "postgresql://u@[::1]:5432/u"),
            ("postgresql://u@a:1,b,[::2]:3/d", &[], "postgresql://u@a:1,b:5432,[::2]:3/d"),
            ("postgresql://u@a,b/d?port=6", &[], "postgresql://u@a:6,b:6/d"),
            ("host=/run/x user=u", &[], "postgresql://u@/u?host=/run/x&port=5432"),
            ("postgresql://a%40b@h/x%2Fy", &[], "postgresql://a%40b@h:5432/x%2Fy"),
        ] {
            assert_eq!(resolve(text, variables).expect(text).redacted(), shown, "{text}");
        }
    }

    #[test]
    fn without_a_host_a_local_socket_is_looked_for_and_else_localhost_is_taken() {
        let settings = resolve("user=u port=1", &[]).expect("resolved");
        assert_eq!(settings.redacted(), "postgresql://u@localhost:1/u");
    }

    #[test]
    fn no_secret_is_shown() {
        let settings = resolve("postgresql://u:hunter2@h/d?sslmode=disable", &[]).expect("resolved");
        assert_eq!(passwords(&settings), [Some("hunter2")]);
        assert_eq!(settings.redacted(), "postgresql://u@h:5432/d");
        assert_eq!(format!("{settings:?}"), "Settings(\"postgresql://u@h:5432/d\")");
        let error = resolve("postgresql://u:hunter/2@h:x/d", &[]).expect_err("the slash ends the host");
        assert_eq!(error.message(), "invalid port in the connection string");
        assert!(!error.to_string().contains("hunter"), "{error}");
    }

    #[test]
    fn lists_of_hosts_ports_and_addresses_must_agree_and_values_must_be_valid() {
        for text in [
            "host=a,b port=1,2,3",
            "host=a,b hostaddr=1.1.1.1",
            "host=a hostaddr=a.example",
            "host=a port=0",
            "host=a port=65536",
            "host=a connect_timeout=soon",
            "host=a sslmode=always",
            "host=a target_session_attrs=any-old",
            "host=a sslmode=require sslrootcert=system",
            "host=a sslnegotiation=direct",
            "host=a ssl_min_protocol_version=TLSv1.3 ssl_max_protocol_version=TLSv1.2",
        ] {
            let error = resolve(&format!("user=u {text}"), &[]).expect_err(text);
            assert_eq!(error.fate(), Fate::Usage, "{text}");
            assert!(error.hint_text().is_some(), "{error}");
        }
    }

    #[test]
    fn a_timeout_of_zero_waits_for_ever_and_none_given_waits_ten_seconds() {
        for (text, timeout) in [("", Some(10)), ("connect_timeout=3", Some(3)), ("connect_timeout=0", None)] {
            let settings = resolve(&format!("user=u host=h {text}"), &[]).expect(text);
            assert_eq!(settings.connect_timeout, timeout.map(Duration::from_secs), "{text}");
        }
    }

    #[cfg(unix)]
    #[test]
    fn each_server_gets_its_password_from_the_file_unless_one_was_given() {
        use std::os::unix::fs::PermissionsExt;
        let home = std::env::temp_dir().join(format!("xdoflow-home-{}", std::process::id()));
        std::fs::create_dir_all(&home).expect("a folder");
        let path = home.join(".pgpass");
        std::fs::write(&path, "a:5432:*:u:one\nlocalhost:5433:*:u:socket\n::1:*:*:u:no\nb:6:d:*:two\n")
            .expect("a file");
        let with_mode = |mode, text, variables: &[(&str, &str)]| {
            std::fs::set_permissions(&path, std::fs::Permissions::from_mode(mode)).expect("permissions");
            let home = home.to_string_lossy().into_owned();
            resolve(text, &[&[("HOME", home.as_str())], variables].concat()).expect("resolved")
        };
        let text = "postgresql://u@a,b:6,c/d";
        let settings = with_mode(0o600, text, &[]);
        assert_eq!(passwords(&settings), [Some("one"), Some("two"), None]);
        assert!(settings.warnings().is_empty());
        let settings = with_mode(0o600, "user=u host=/tmp,/elsewhere port=5433", &[]);
        assert_eq!(passwords(&settings), [Some("socket"), None]);
        let settings = with_mode(0o600, text, &[("PGPASSWORD", "env")]);
        assert_eq!(passwords(&settings), [Some("env"); 3]);
        let settings = with_mode(0o644, text, &[]);
        assert_eq!(passwords(&settings), [None; 3]);
        assert!(settings.warnings()[0].contains("group or world access"), "{:?}", settings.warnings());
        std::fs::remove_dir_all(&home).expect("removed");
    }
}
