//! What goes wrong with a server, in the crate's own words: one place that turns the library's errors into
//! [`Error`]s, and one function that decides by SQLSTATE what follows.
//!
//! Errors are told apart by SQLSTATE and by type, never by their text, which a server prints in its own
//! language. A server's error may hold the content of a row (`Failing row contains (…)`); of those only the
//! names of table, column and constraint are kept.

use std::error::Error as _;
use std::io;

use tokio_postgres::error::DbError;

use super::tls::SslMode;
use super::verify;
use crate::error::{Error, Fate};

/// SQLSTATE of a full disk. What the server says of it is often how many bytes it could write.
const DISK_FULL: &str = "53100";

/// What an error of the server means for the run, by its SQLSTATE. Codes that are not known stop the run. A
/// cancelled statement (57014) stops it too: whoever cancelled knows better.
pub fn fate_of(code: &str) -> Fate {
    match code {
        // serialization_failure, deadlock_detected
        "40001" | "40P01" => Fate::Retry,
        // admin_shutdown, crash_shutdown, cannot_connect_now, idle_session_timeout
        "57P01" | "57P02" | "57P03" | "57P05" => Fate::Retry,
        // too_many_connections: those of the run itself become fewer
        "53300" => Fate::Retry,
        // connection exceptions
        _ if code.starts_with("08") => Fate::Retry,
        _ => Fate::Stop,
    }
}

/// An error met on an open connection: the server's message, detail, hint, SQLSTATE and context; or the loss
/// of the connection, which may be tried again.
// By value, so that it stands in `map_err`.
#[allow(clippy::needless_pass_by_value)]
pub fn server_error(error: tokio_postgres::Error) -> Error {
    if let Some(db) = error.as_db_error() {
        return from_server(db);
    }
    match lost(&error) {
        Some(why) => Error::with_fate(Fate::Retry, "the connection to the server was lost")
            .detail(why)
            .hint("see the server's log for the reason"),
        None => Error::stop(chain(&error)),
    }
}

fn from_server(db: &DbError) -> Error {
    let code = db.code().code();
    let about_rows = code.starts_with("22") || code.starts_with("23");
    let message = match db.message().split_once(": \"") {
        Some((message, _value)) if about_rows => message,
        _ => db.message(),
    };
    let mut details = Vec::new();
    if about_rows {
        let names = [
            ("schema", db.schema()),
            ("table", db.table()),
            ("column", db.column()),
            ("constraint", db.constraint()),
        ];
        let named = names.into_iter().filter_map(|(kind, name)| Some(format!("{kind} \"{}\"", name?)));
        let named: Vec<_> = named.collect();
        if !named.is_empty() {
            details.push(named.join(", "));
        }
    } else {
        details.extend(db.detail().map(str::to_owned));
    }
    let context = db.where_().map(|context| if about_rows { places(context) } else { context.to_owned() });
    details
        .extend(context.filter(|context| !context.is_empty()).map(|context| format!("context: {context}")));
    let mut error = Error::with_fate(fate_of(code), message).sqlstate(code);
    if code == DISK_FULL {
        error = error.context("the server's disk is full");
    }
    if let Some(hint) = hint_of(code) {
        error = error.hint(hint);
    }
    if !details.is_empty() {
        error = error.detail(details.join("\n"));
    }
    match db.hint() {
        Some(hint) => error.hint(hint),
        None => error,
    }
}

/// Of the context of an error about rows the places, without what stands there: `COPY person, line 3, column name`.
fn places(context: &str) -> String {
    let places = context.lines().filter(|line| line.starts_with("COPY "));
    // A value follows behind a colon; a table's or a column's name may hold one, and is cut short then.
    places.map(|line| line.split(": ").next().unwrap_or_default()).collect::<Vec<_>>().join("\n")
}

/// What to do about an error, where the server's own hint, if it gives one, does not know better.
fn hint_of(code: &str) -> Option<&'static str> {
    Some(match code {
        "25P03" | "57P05" => {
            "a pooler or the server's administrator ends sessions that wait; see the server's log"
        }
        "26000" | "42P05" => {
            "a pooler in transaction mode stands between here and the server; connect to the server itself"
        }
        DISK_FULL => "free some space on the server, and run again",
        "53200" => "the server is out of memory; see its log, or use fewer connections with --jobs",
        "55P03" => "another session holds the lock; pg_locks names it, and --lock-timeout waits longer",
        "57014" => "somebody cancelled the statement; the server's log says who, and run again",
        "57P01" | "57P02" => "somebody ended the session or stopped the server; see the server's log",
        _ => return None,
    })
}

/// Why a connection is gone, where that is what the error says.
fn lost(error: &tokio_postgres::Error) -> Option<String> {
    if error.is_closed() {
        return Some("the server closed it, or the network did".to_owned());
    }
    let io = io_error(error)?;
    let by_kind = matches!(
        io.kind(),
        io::ErrorKind::UnexpectedEof
            | io::ErrorKind::ConnectionReset
            | io::ErrorKind::ConnectionAborted
            | io::ErrorKind::BrokenPipe
            | io::ErrorKind::TimedOut
    );
    (by_kind || io.raw_os_error().is_some()).then(|| plain(io))
}

fn io_error(error: &tokio_postgres::Error) -> Option<&io::Error> {
    error.source().and_then(|source| source.downcast_ref::<io::Error>())
}

/// The failure of a TLS handshake behind an error, if that is what it is.
pub(super) fn tls_failure(error: &tokio_postgres::Error) -> Option<&rustls::Error> {
    io_error(error)?.get_ref()?.downcast_ref::<rustls::Error>()
}

/// An operating system's error without its number: `connection refused`.
fn plain(error: &io::Error) -> String {
    match error.kind() {
        io::ErrorKind::ConnectionRefused
        | io::ErrorKind::ConnectionReset
        | io::ErrorKind::ConnectionAborted
        | io::ErrorKind::BrokenPipe
        | io::ErrorKind::TimedOut
        | io::ErrorKind::HostUnreachable
        | io::ErrorKind::NetworkUnreachable
        | io::ErrorKind::PermissionDenied => error.kind().to_string(),
        io::ErrorKind::UnexpectedEof => "the other side closed the connection".to_owned(),
        io::ErrorKind::NotFound => "no socket there".to_owned(),
        _ => error.to_string(),
    }
}

/// An error and its causes in one line.
fn chain(error: &tokio_postgres::Error) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(cause) = source {
        text = format!("{text}: {cause}");
        source = cause.source();
    }
    text
}

/// Where a connection was tried and how, for the text of its failure.
pub(super) struct Attempt<'a> {
    /// The redacted URL.
    pub(super) place: &'a str,
    pub(super) mode: SslMode,
    pub(super) password_given: bool,
}

const UNREACHED_HINT: &str =
    "is a PostgreSQL server running there, and does it accept connections? check host and port";
const OFFERED_HINT: &str =
    "check sslmode and channel_binding against what the server offers; GSSAPI is not spoken";
const PASSWORD_HINT: &str =
    "a password comes from the connection string, PGPASSWORD, or ~/.pgpass (PGPASSFILE), in this order";

impl Attempt<'_> {
    /// Why a connection was not opened, and what to do.
    pub(super) fn failed(&self, error: &tokio_postgres::Error) -> Error {
        let doing = format!("cannot connect to {}", self.place);
        if let Some(db) = error.as_db_error() {
            return self.refused(db).context(doing);
        }
        if let Some(tls) = tls_failure(error) {
            let (cause, hint) = verify::explain(tls);
            return Error::stop(format!("{doing}: TLS with sslmode={}: {cause}", self.mode.word()))
                .hint(hint);
        }
        match (lost(error), io_error(error)) {
            (Some(why), _) => Error::with_fate(Fate::Retry, format!("{doing}: {why}")).hint(UNREACHED_HINT),
            (None, Some(io)) => Error::stop(format!("{doing}: {}", plain(io))).hint(UNREACHED_HINT),
            (None, None) => {
                let mode = self.mode.word();
                Error::stop(format!("{doing} with sslmode={mode}: {}", chain(error))).hint(OFFERED_HINT)
            }
        }
    }

    /// Nobody answers at the address.
    pub(super) fn unreached(&self, error: &io::Error) -> Error {
        let doing = format!("cannot connect to {}", self.place);
        Error::with_fate(Fate::Retry, format!("{doing}: {}", plain(error))).hint(UNREACHED_HINT)
    }

    /// The server answered and said no.
    fn refused(&self, db: &DbError) -> Error {
        let error = from_server(db);
        let hint = match db.code().code() {
            "28P01" if !self.password_given => {
                return error.detail("no password was given").hint(PASSWORD_HINT);
            }
            "28P01" => PASSWORD_HINT,
            "28000" => {
                "check the role's name; the server's pg_hba.conf decides who may connect, to what and how"
            }
            "3D000" => {
                "name a database that exists in the connection string or in PGDATABASE; psql -l lists them"
            }
            "53300" => "use fewer connections with --jobs, or raise max_connections on the server",
            "57P03" => "the server is starting, stopping or recovering; try again shortly",
            "08P01" => "where a pooler such as PgBouncer stands between, connect to the server itself",
            _ => return error,
        };
        // The server's own hint, if any, knows the case better.
        if error.hint_text().is_some() { error } else { error.hint(hint) }
    }

    /// A first failure, with that of the second try in the detail: `way` says how it was made.
    pub(super) fn twice(&self, first: Error, way: &str, second: &Error) -> Error {
        let doing = format!("cannot connect to {}: ", self.place);
        let second = second.message().strip_prefix(&doing).unwrap_or(second.message());
        let detail = match first.detail_text() {
            Some(detail) => format!("{detail}\n{way}: {second}"),
            None => format!("{way}: {second}"),
        };
        first.detail(detail)
    }

    /// Nobody answered in time.
    pub(super) fn timed_out(&self, limit: std::time::Duration) -> Error {
        let seconds = limit.as_secs_f64();
        Error::with_fate(
            Fate::Retry,
            format!("cannot connect to {}: no answer within {seconds} s", self.place),
        )
        .hint("check host, port and firewalls; connect_timeout=SECONDS waits longer")
    }

    /// The host's name is not known.
    pub(super) fn unresolved(&self, host: &str, error: &io::Error) -> Error {
        Error::with_fate(
            Fate::Retry,
            format!("cannot connect to {}: host name \"{host}\" cannot be resolved", self.place),
        )
        .detail(error.to_string())
        .hint("check the spelling of the host and this machine's network")
    }

    /// The server is there, and is not of the kind that was asked for.
    pub(super) fn unsuitable(&self) -> Error {
        Error::stop(format!("cannot connect to {}: the session is not as wanted", self.place))
            .hint("target_session_attrs asks for another kind of server: primary or standby, writable or not")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lost_servers_and_lost_races_are_tried_again_and_all_else_stops() {
        for code in ["08000", "08006", "08P01", "40001", "40P01", "57P01", "57P02", "57P03", "57P05", "53300"]
        {
            assert_eq!(fate_of(code), Fate::Retry, "{code}");
        }
        for code in ["57014", "57P04", "28P01", "3D000", "53100", "23505", "40002", "XX000", ""] {
            assert_eq!(fate_of(code), Fate::Stop, "{code}");
        }
    }
}
