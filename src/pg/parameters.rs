//! The connection parameters that libpq knows, what of them xdoflow honours, and where a value comes from:
//! the connection string first, then the environment. The library that speaks the protocol knows fewer names
//! and would refuse the rest, so it never sees them.
//!
//! A parameter that cannot be honoured and that would make a connection safer, such as a list of revoked
//! certificates, is an error and never ignored.

use std::collections::BTreeMap;
use std::time::Duration;

use super::dsn;
use crate::error::{Error, Result};

/// One parameter of libpq's.
struct Parameter {
    name: &'static str,
    /// The environment variable that stands in for it; empty for none.
    variable: &'static str,
    accepted: Accepted,
}

enum Accepted {
    /// Read by [`super::settings`], which checks the value.
    Honoured,
    /// Only these values, which ask for what happens anyhow; else the hint.
    Only(&'static [&'static str], &'static str),
}

const fn honoured(name: &'static str, variable: &'static str) -> Parameter {
    Parameter { name, variable, accepted: Accepted::Honoured }
}

const fn only(
    name: &'static str,
    variable: &'static str,
    values: &'static [&'static str],
    hint: &'static str,
) -> Parameter {
    Parameter { name, variable, accepted: Accepted::Only(values, hint) }
}

const NO_CRL: &str = "lists of revoked certificates are not read; leave it out";
const NO_GSS: &str = "GSSAPI is not spoken; use a password, a client certificate, or trust";
const NO_SERVICE: &str =
    "service files are not read; write what the service holds into the connection string, or unset PGSERVICE";

const PARAMETERS: &[Parameter] = &[
    honoured("host", "PGHOST"),
    honoured("hostaddr", "PGHOSTADDR"),
    honoured("port", "PGPORT"),
    honoured("dbname", "PGDATABASE"),
    honoured("user", "PGUSER"),
    honoured("password", "PGPASSWORD"),
    honoured("passfile", "PGPASSFILE"),
    honoured("application_name", "PGAPPNAME"),
    honoured("fallback_application_name", ""),
    honoured("options", "PGOPTIONS"),
    honoured("connect_timeout", "PGCONNECT_TIMEOUT"),
    honoured("keepalives", ""),
    honoured("keepalives_idle", ""),
    honoured("keepalives_interval", ""),
    honoured("keepalives_count", ""),
    honoured("tcp_user_timeout", ""),
    honoured("target_session_attrs", "PGTARGETSESSIONATTRS"),
    honoured("load_balance_hosts", "PGLOADBALANCEHOSTS"),
    honoured("channel_binding", "PGCHANNELBINDING"),
    honoured("sslmode", "PGSSLMODE"),
    honoured("sslnegotiation", "PGSSLNEGOTIATION"),
    honoured("sslrootcert", "PGSSLROOTCERT"),
    honoured("sslcert", "PGSSLCERT"),
    honoured("sslkey", "PGSSLKEY"),
    honoured("sslsni", "PGSSLSNI"),
    honoured("ssl_min_protocol_version", "PGSSLMINPROTOCOLVERSION"),
    honoured("ssl_max_protocol_version", "PGSSLMAXPROTOCOLVERSION"),
    only("service", "PGSERVICE", &[], NO_SERVICE),
    only("sslcrl", "PGSSLCRL", &[], NO_CRL),
    only("sslcrldir", "PGSSLCRLDIR", &[], NO_CRL),
    only("sslpassword", "", &[], "encrypted keys are not read; decrypt the key into a file with mode 0600"),
    only("sslcertmode", "PGSSLCERTMODE", &["allow"], "a certificate is sent where sslcert names one"),
    only("sslcompression", "PGSSLCOMPRESSION", &["0"], "TLS is not compressed; leave it out"),
    only("require_auth", "PGREQUIREAUTH", &[], "channel_binding=require asks for SCRAM over TLS"),
    only("requirepeer", "PGREQUIREPEER", &[], "the owner of a socket is not checked; leave it out"),
    only("gssencmode", "PGGSSENCMODE", &["disable", "prefer"], NO_GSS),
    only("gssdelegation", "PGGSSDELEGATION", &["0"], NO_GSS),
    only("gsslib", "PGGSSLIB", &["gssapi"], NO_GSS),
    only("krbsrvname", "PGKRBSRVNAME", &["postgres"], NO_GSS),
    only("replication", "", &["false", "off", "no", "0"], "a replication connection cannot copy tables"),
    // Not from the environment: psql's users set it for their terminal, and no byte here goes to one.
    only("client_encoding", "", &["auto", "utf8", "UTF8", "utf-8", "UTF-8"], "the encoding is always UTF8"),
];

/// The values of a connection's parameters, by libpq's names.
pub struct Given(BTreeMap<&'static str, Value>);

struct Value {
    text: String,
    /// The environment variable it came from; none for the connection string.
    variable: Option<&'static str>,
}

impl Given {
    /// Reads a connection string and fills what it leaves out from the environment.
    ///
    /// # Errors
    /// With the fate of a usage mistake: malformed, unknown parameters, values that cannot be honoured.
    pub fn collect(text: Option<&str>, env: &dyn Fn(&str) -> Option<String>) -> Result<Self> {
        let mut values = BTreeMap::new();
        for (name, text) in dsn::parse(text.unwrap_or_default())? {
            let known = PARAMETERS.iter().find(|known| known.name == name).ok_or_else(|| unknown(&name))?;
            values.insert(known.name, Value { text, variable: None });
        }
        for known in PARAMETERS.iter().filter(|known| !known.variable.is_empty()) {
            if !values.contains_key(known.name)
                && let Some(text) = env(known.variable)
            {
                values.insert(known.name, Value { text, variable: Some(known.variable) });
            }
        }
        values.retain(|_, value| !value.text.is_empty());
        for known in PARAMETERS {
            if let (Accepted::Only(accepted, hint), Some(value)) = (&known.accepted, values.get(known.name))
                && !accepted.contains(&value.text.as_str())
            {
                let setting = value.variable.unwrap_or(known.name);
                return Err(
                    Error::usage(format!("connection setting {setting} cannot be honoured")).hint(*hint)
                );
            }
        }
        Ok(Self(values))
    }

    /// The text of a parameter, where one was given.
    pub fn text(&self, name: &str) -> Option<&str> {
        self.0.get(name).map(|value| value.text.as_str())
    }

    /// A whole number of at least zero; negative ones count as zero, as in libpq.
    ///
    /// # Errors
    /// Usage, where it is no number.
    pub fn number(&self, name: &str) -> Result<Option<u64>> {
        let number = self.text(name).map(|text| text.trim().parse::<i64>()).transpose();
        match number {
            Ok(number) => Ok(number.map(|number| u64::try_from(number).unwrap_or(0))),
            Err(_) => Err(self.invalid(name).hint("write a whole number")),
        }
    }

    /// A duration in whole `unit`s; `Some(None)` for zero, which stands for no limit.
    ///
    /// # Errors
    /// Usage, where it is no number.
    pub fn duration(&self, name: &str, unit: Duration) -> Result<Option<Option<Duration>>> {
        let number = self.number(name)?;
        Ok(number.map(|n| {
            let times = u32::try_from(n).unwrap_or(u32::MAX);
            (times > 0).then(|| unit.saturating_mul(times))
        }))
    }

    /// The meaning of one of a few words, `default` where none was given.
    ///
    /// # Errors
    /// Usage, with the words in the hint.
    pub fn word<T: Copy>(&self, name: &str, words: &[(&str, T)], default: T) -> Result<T> {
        let Some(text) = self.text(name) else { return Ok(default) };
        words.iter().find(|(word, _)| *word == text).map(|(_, meaning)| *meaning).ok_or_else(|| {
            let words: Vec<_> = words.iter().map(|(word, _)| *word).collect();
            self.invalid(name).hint(format!("it is one of {}", words.join(", ")))
        })
    }

    /// The error for a value that its parameter does not take. It names the source of the value, and never
    /// the value: what was meant as a part of the password may have landed in any parameter of a URL.
    pub fn invalid(&self, name: &str) -> Error {
        let source = match self.0.get(name).and_then(|value| value.variable) {
            Some(variable) => format!("environment variable {variable}"),
            None => "the connection string".to_owned(),
        };
        Error::usage(format!("invalid {name} in {source}"))
    }
}

fn unknown(name: &str) -> Error {
    // A piece of a password may pose as a name, so only what looks like one is repeated.
    let plain = name.len() <= 40 && name.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_');
    if !plain {
        return Error::usage("unknown parameter in the connection string")
            .hint("escape special characters: %26 for & in a URL, single quotes around blanks elsewhere");
    }
    let error = Error::usage(format!("unknown parameter \"{name}\" in the connection string"));
    let near = PARAMETERS
        .iter()
        .map(|known| (strsim::damerau_levenshtein(known.name, &name.to_ascii_lowercase()), known.name))
        .min()
        .filter(|&(distance, near)| distance <= 2.max(near.len() / 3));
    match near {
        Some((_, near)) => error.hint(format!("did you mean {near}?")),
        None => error.hint("parameters are those of libpq, such as host, port, dbname, user and sslmode"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error::Fate;

    fn collect(text: &str, variables: &[(&str, &str)]) -> Result<Given> {
        Given::collect(Some(text), &|name| {
            variables.iter().find(|(n, _)| *n == name).map(|(_, value)| (*value).to_owned())
        })
    }

    #[test]
    fn the_string_wins_over_the_environment_and_an_empty_value_stands_for_the_default() {
        let given = collect("host=a host=b port=", &[("PGHOST", "c"), ("PGPORT", "1"), ("PGUSER", "u")])
            .expect("read");
        assert_eq!(given.text("host"), Some("b"));
        assert_eq!(given.text("port"), None);
        assert_eq!(given.text("user"), Some("u"));
        assert_eq!(given.text("dbname"), None);
    }

    #[test]
    fn an_unknown_parameter_is_refused_with_a_suggestion() {
        for (text, hint) in [
            ("sslmod=require", "did you mean sslmode?"),
            ("postgresql://h?database=d", "parameters are those of libpq"),
            ("postgresql://h?Host=x", "did you mean host?"),
            ("aplication_name=x", "did you mean application_name?"),
        ] {
            let error = collect(text, &[]).err().expect(text);
            assert_eq!(error.fate(), Fate::Usage);
            assert!(error.hint_text().is_some_and(|text| text.starts_with(hint)), "{error}");
        }
        let error = collect("postgresql://h?password=x&hunter2!=y", &[]).err().expect("refused");
        assert!(!error.to_string().contains("hunter2"), "{error}");
    }

    #[test]
    fn what_cannot_be_honoured_is_refused_and_what_happens_anyhow_is_not() {
        for (text, variables, setting) in [
            ("sslcrl=/x", &[][..], "sslcrl"),
            ("service=x", &[], "service"),
            ("", &[("PGSERVICE", "x")], "PGSERVICE"),
            ("", &[("PGREQUIREAUTH", "scram-sha-256")], "PGREQUIREAUTH"),
            ("gssencmode=require", &[], "gssencmode"),
            ("client_encoding=LATIN1", &[], "client_encoding"),
        ] {
            let error = collect(text, variables).err().expect(text);
            assert_eq!(error.message(), format!("connection setting {setting} cannot be honoured"));
        }
        assert!(collect("gssencmode=prefer client_encoding=UTF8", &[("PGCLIENTENCODING", "LATIN1")]).is_ok());
    }

    #[test]
    fn numbers_and_words_are_checked_and_name_where_they_came_from() {
        let given =
            collect("connect_timeout=-1 keepalives=x", &[("PGSSLMODE", "on")]).expect("parameters are known");
        assert_eq!(given.duration("connect_timeout", Duration::from_secs(1)).expect("a number"), Some(None));
        assert_eq!(
            given.number("keepalives").expect_err("no number").message(),
            "invalid keepalives in the connection string"
        );
        let error = given.word("sslmode", &[("disable", 0), ("require", 1)], 0).expect_err("no such word");
        assert_eq!(error.message(), "invalid sslmode in environment variable PGSSLMODE");
        assert_eq!(error.hint_text(), Some("it is one of disable, require"));
    }
}
