//! Opens connections: the servers of the list in turn, every address of each, with and without TLS as the
//! mode asks for.
//!
//! Each connection has a [tap](super::tap), where the rows of a COPY leave it.
//!
//! The library would walk the list itself, but with one password for all of it, a timeout that ends where
//! the TCP connection stands, and no second try after a failed handshake. So each of its connects is given
//! one address, and the order, the timeout and the second try are here:
//!
//! ```text
//! for each server ─ for each address ─ within connect_timeout:
//!     allow    without TLS; with, if pg_hba.conf refuses that
//!     prefer   with TLS if the server speaks it; without, if the handshake fails or pg_hba.conf refuses that
//!     others   one way only; a Unix socket is never encrypted
//! ```
//! A server that answers and refuses ends the search, as in libpq: a wrong password is wrong everywhere. Only
//! libpq's `prefer` also sends a password that was refused over TLS a second time in the clear; this does
//! not.

use std::future::Future;
use std::hash::{BuildHasher, RandomState};
use std::io;
use std::net::IpAddr;
use std::path::PathBuf;
use std::time::Duration;

use socket2::{SockRef, TcpKeepalive};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpStream, UnixStream};
use tokio_postgres::config::SslMode as LibraryMode;
use tokio_postgres::tls::MakeTlsConnect;
use tokio_postgres::{Client, Config, NoTls, SimpleQueryMessage};
use tokio_postgres_rustls::MakeRustlsConnect;

use super::fault::{self, Attempt};
use super::settings::{Place, Server, SessionAttrs, Settings};
use super::tap::{Tap, TappedTls, Taps};
use super::tls::SslMode;
use crate::error::{Error, Result};

pub use super::fault::server_error;

/// An open connection.
pub(super) struct Connected {
    pub(super) client: Client,
    /// Where the rows of a COPY out leave it.
    pub(super) taps: Taps,
}

/// One address of a server.
enum Address {
    /// The folder of a Unix socket.
    Socket(PathBuf),
    /// An address, and the name that a certificate must bear.
    Tcp(IpAddr, String),
}

/// Why an address gave no connection.
enum Failure {
    /// The next address may do better.
    Unreached(Error),
    /// The server answered, and its answer holds for the whole list.
    Refused(Error),
}

impl Settings {
    /// Opens a connection; dropping the client ends it. `application_name` is what the server shows; a name that the user gave stands
    /// behind it in parentheses, so that a run still finds its own backends by the front of it.
    ///
    /// # Errors
    /// Nobody answers (worth another try), the server refuses, or TLS cannot be had as asked for. The text
    /// names the redacted place.
    pub(super) async fn connect(&self, application_name: &str) -> Result<Connected> {
        let config = self.config(application_name);
        let order = self.shuffled(self.servers.iter().collect());
        let passes: &[SessionAttrs] = match &self.session {
            SessionAttrs::PreferStandby => &[SessionAttrs::Standby, SessionAttrs::Any],
            other => std::slice::from_ref(other),
        };
        let mut failures = Vec::new();
        for &wanted in passes {
            failures.clear();
            for server in &order {
                match self.connect_server(server, &config, wanted).await {
                    Ok(connected) => return Ok(connected),
                    Err(Failure::Refused(error)) => return Err(error),
                    Err(Failure::Unreached(error)) => failures.push(error),
                }
            }
        }
        Err(self.all_failed(failures))
    }

    fn all_failed(&self, mut failures: Vec<Error>) -> Error {
        let Some(last) = failures.pop() else {
            return Error::stop(format!("cannot connect to {}: no server is named", self.redacted()));
        };
        if failures.is_empty() {
            return last;
        }
        let mut messages: Vec<_> = failures.iter().map(Error::message).collect();
        messages.push(last.message());
        let text = format!("cannot connect to {}: none of its servers will do", self.redacted());
        let error = Error::with_fate(last.fate(), text).detail(messages.join("\n"));
        match last.hint_text() {
            Some(hint) => error.hint(hint),
            None => error,
        }
    }

    /// What does not depend on the server.
    fn config(&self, application_name: &str) -> Config {
        let name = match &self.application_name {
            Some(given) => format!("{application_name} ({given})"),
            None => application_name.to_owned(),
        };
        let mut config = Config::new();
        config
            .user(&self.user)
            .dbname(&self.database)
            .application_name(name)
            .channel_binding(self.channel_binding);
        if let Some(options) = &self.options {
            config.options(options);
        }
        config
    }

    fn shuffled<T>(&self, mut list: Vec<T>) -> Vec<T> {
        if self.shuffle {
            let random = RandomState::new();
            let mut index = 0_usize;
            list.sort_by_cached_key(|_| {
                index += 1;
                random.hash_one(index)
            });
        }
        list
    }

    async fn connect_server(
        &self,
        server: &Server,
        config: &Config,
        wanted: SessionAttrs,
    ) -> Result<Connected, Failure> {
        let place = self.redacted_with(std::slice::from_ref(server));
        let attempt =
            Attempt { place: &place, mode: self.tls.mode, password_given: server.password.is_some() };
        let mut config = config.clone();
        // Without one the library gives up without asking the server, whose answer is the clearer one.
        config.port(server.port).password(server.password.as_ref().map_or("", |password| password.reveal()));
        let addresses = match &server.place {
            Place::Socket(folder) => vec![Address::Socket(folder.clone())],
            Place::Tcp(host, address) => {
                let addresses = self.addresses(host, *address, server.port, &attempt).await;
                let addresses = addresses.map_err(Failure::Unreached)?.into_iter();
                addresses.map(|address| Address::Tcp(address, host.clone())).collect()
            }
        };
        let mut last = None;
        for address in addresses {
            let opening = self.connect_address(config.clone(), &address, server.port, wanted, &attempt);
            match within(self.connect_timeout, opening).await {
                None => last = Some(attempt.timed_out(self.connect_timeout.unwrap_or_default())),
                Some(Err(Failure::Unreached(error))) => last = Some(error),
                Some(done) => return done,
            }
        }
        let none = || attempt.unresolved(&server.host(), &std::io::ErrorKind::AddrNotAvailable.into());
        Err(Failure::Unreached(last.unwrap_or_else(none)))
    }

    async fn addresses(
        &self,
        host: &str,
        address: Option<IpAddr>,
        port: u16,
        attempt: &Attempt<'_>,
    ) -> Result<Vec<IpAddr>> {
        if let Some(address) = address {
            return Ok(vec![address]);
        }
        match within(self.connect_timeout, tokio::net::lookup_host((host, port))).await {
            Some(Ok(found)) => Ok(self.shuffled(found.map(|address| address.ip()).collect())),
            Some(Err(error)) => Err(attempt.unresolved(host, &error)),
            None => Err(attempt.timed_out(self.connect_timeout.unwrap_or_default())),
        }
    }

    /// One address: with and without TLS in the order of the mode.
    async fn connect_address(
        &self,
        mut config: Config,
        address: &Address,
        port: u16,
        wanted: SessionAttrs,
        attempt: &Attempt<'_>,
    ) -> Result<Connected, Failure> {
        let mode = match address {
            Address::Tcp(..) => self.tls.mode,
            Address::Socket(_) => SslMode::Disable,
        };
        let (way, other) = match mode {
            SslMode::Disable => (LibraryMode::Disable, None),
            SslMode::Allow => (LibraryMode::Disable, Some(LibraryMode::Require)),
            SslMode::Prefer => (LibraryMode::Prefer, Some(LibraryMode::Disable)),
            SslMode::Require | SslMode::VerifyCa | SslMode::VerifyFull => (LibraryMode::Require, None),
        };
        if mode != SslMode::Disable {
            config.ssl_negotiation(self.tls.negotiation);
        }
        let first = match self.connect_way(&mut config, way, address, port, wanted, attempt).await {
            Err((failure, Some(OtherWay))) => failure,
            result => return result.map_err(|(failure, _)| failure),
        };
        let Some(other) = other else { return Err(first) };
        match self.connect_way(&mut config, other, address, port, wanted, attempt).await {
            Ok(connected) => Ok(connected),
            // The first way is the one that was wanted: its failure leads.
            Err((second, _)) => {
                let way = if other == LibraryMode::Disable { "without TLS" } else { "with TLS" };
                Err(match first {
                    Failure::Unreached(first) => {
                        Failure::Unreached(attempt.twice(first, way, second.error()))
                    }
                    Failure::Refused(first) => Failure::Refused(attempt.twice(first, way, second.error())),
                })
            }
        }
    }

    /// One address, with TLS or without.
    async fn connect_way(
        &self,
        config: &mut Config,
        way: LibraryMode,
        address: &Address,
        port: u16,
        wanted: SessionAttrs,
        attempt: &Attempt<'_>,
    ) -> Result<Connected, (Failure, Option<OtherWay>)> {
        config.ssl_mode(way);
        let tls = match way {
            LibraryMode::Disable => None,
            _ => Some(self.tls.connector().map_err(|error| (Failure::Refused(error), None))?),
        };
        let opened = match address {
            Address::Socket(folder) => {
                let path = folder.join(format!(".s.PGSQL.{port}"));
                match UnixStream::connect(path).await {
                    Ok(stream) => open(config, stream, None).await,
                    Err(error) => return Err((Failure::Unreached(attempt.unreached(&error)), None)),
                }
            }
            Address::Tcp(ip, host) => match self.open_tcp(*ip, port).await {
                Ok(stream) => open(config, stream, tls.map(|tls| (tls, host.as_str()))).await,
                Err(error) => return Err((Failure::Unreached(attempt.unreached(&error)), None)),
            },
        };
        let connected = opened.map_err(|error| {
            let told = attempt.failed(&error);
            let handshake = fault::tls_failure(&error).is_some();
            let code = error.code().map(|code| code.code());
            let answered = handshake || code.is_some_and(|code| code != "57P03");
            let failure = if answered { Failure::Refused(told) } else { Failure::Unreached(told) };
            (failure, (handshake || code == Some("28000")).then_some(OtherWay))
        })?;
        let client = &connected.client;
        let attrs = has_attrs(client, wanted).await.map_err(|error| {
            let error = server_error(error).context(format!("asking {}", attempt.place));
            (Failure::Unreached(error), None)
        })?;
        if !attrs {
            return Err((Failure::Unreached(attempt.unsuitable()), None));
        }
        Ok(connected)
    }

    async fn open_tcp(&self, ip: IpAddr, port: u16) -> io::Result<TcpStream> {
        let stream = TcpStream::connect((ip, port)).await?;
        stream.set_nodelay(true)?;
        let socket = SockRef::from(&stream);
        if let Some(timeout) = self.tcp_user_timeout {
            socket.set_tcp_user_timeout(Some(timeout))?;
        }
        if let Some(keepalive) = self.keepalive {
            let keepalive = TcpKeepalive::new()
                .with_time(keepalive.idle)
                .with_interval(keepalive.interval)
                .with_retries(keepalive.count);
            socket.set_tcp_keepalive(&keepalive)?;
        }
        Ok(stream)
    }
}

/// The mark of a connection that failed with TLS, or without, and may succeed the other way: its handshake
/// failed, or the server's rules want it encrypted, or not encrypted.
struct OtherWay;

impl Failure {
    fn error(&self) -> &Error {
        match self {
            Self::Unreached(error) | Self::Refused(error) => error,
        }
    }
}

/// Opens a connection whose bytes a task of its own moves. That task's end need not be awaited: a statement on a
/// connection that has ended says so itself.
async fn open<S>(
    config: &Config,
    stream: S,
    tls: Option<(MakeRustlsConnect, &str)>,
) -> Result<Connected, tokio_postgres::Error>
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let taps = Taps::default();
    let client = match tls {
        None => {
            let tap = Tap::new(stream, taps.clone(), false);
            let (client, connection) = config.connect_raw(tap, NoTls).await?;
            tokio::spawn(connection);
            client
        }
        Some((mut tls, host)) => {
            // Where TLS begins without asking first, the tap below it is told before it sees a byte.
            let tap = Tap::new(stream, taps.clone(), true);
            let tls = MakeTlsConnect::<Tap<S>>::make_tls_connect(&mut tls, host);
            let tls = tls.unwrap_or_else(|never| match never {});
            let (client, connection) = config.connect_raw(tap, TappedTls { tls, taps: taps.clone() }).await?;
            tokio::spawn(connection);
            client
        }
    };
    Ok(Connected { client, taps })
}

async fn has_attrs(client: &Client, wanted: SessionAttrs) -> Result<bool, tokio_postgres::Error> {
    if wanted == SessionAttrs::Any {
        return Ok(true);
    }
    let sql = "SELECT pg_catalog.pg_is_in_recovery(), pg_catalog.current_setting('transaction_read_only')";
    let answer = client.simple_query(sql).await?;
    let row = answer.iter().find_map(|message| match message {
        SimpleQueryMessage::Row(row) => Some((row.get(0) == Some("t"), row.get(1) == Some("on"))),
        _ => None,
    });
    let (standby, read_only) = row.unwrap_or_default();
    Ok(match wanted {
        SessionAttrs::Any | SessionAttrs::PreferStandby => true,
        SessionAttrs::ReadWrite => !read_only,
        SessionAttrs::ReadOnly => read_only,
        SessionAttrs::Primary => !standby,
        SessionAttrs::Standby => standby,
    })
}

/// `None` when the time is up; no limit waits for ever.
async fn within<F: Future>(limit: Option<Duration>, work: F) -> Option<F::Output> {
    match limit {
        Some(limit) => tokio::time::timeout(limit, work).await.ok(),
        None => Some(work.await),
    }
}
