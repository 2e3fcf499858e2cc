//! Splits a connection string into named values, in the two forms that libpq reads:
//! `postgresql://user:password@host:port,host/db?name=value` and `name=value name='value'`.
//!
//! What the names mean is decided elsewhere. No error repeats a piece of the string: after a slip such as an
//! unescaped `/` or blank in a password, any piece may be part of that password.

use crate::error::{Error, Result};

/// Reads a connection string into (name, value) pairs, in the order written; a later one overrides.
/// An empty value stands for "the default", as in libpq.
///
/// # Errors
/// With the fate of a usage mistake, where the text has neither form.
pub fn parse(text: &str) -> Result<Vec<(String, String)>> {
    let text = text.trim();
    let pairs = match text.split_once("://") {
        Some(("postgresql" | "postgres", rest)) => parse_url(rest)?,
        Some((scheme, _)) if scheme.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'+') => {
            return Err(malformed("the URL is not a PostgreSQL one")
                .hint("begin it with postgresql:// or postgres://"));
        }
        _ => parse_pairs(text)?,
    };
    if pairs.iter().any(|(_, value)| value.contains('\0')) {
        return Err(malformed("a value holds a NUL character"));
    }
    Ok(pairs)
}

const FORMS_HINT: &str = "write postgresql://user@host:5432/database, or host=… dbname=… user=…";

fn malformed(why: &str) -> Error {
    Error::usage(format!("malformed connection string: {why}"))
}

/// The part behind `://`: `[user[:password]@][host[:port][,…]][/database][?name=value[&…]]`.
fn parse_url(rest: &str) -> Result<Vec<(String, String)>> {
    let mut pairs = Vec::new();
    let mut rest = rest;
    // As in libpq the user's part ends at the first `@` that comes before any `/`.
    if let Some((credentials, behind)) = rest.split_once('@').filter(|(before, _)| !before.contains('/')) {
        let (user, password) = match credentials.split_once(':') {
            Some((user, password)) => (user, Some(password)),
            None => (credentials, None),
        };
        push_decoded(&mut pairs, "user", user)?;
        push_decoded(&mut pairs, "password", password.unwrap_or_default())?;
        rest = behind;
    }
    let (front, query) = match rest.split_once('?') {
        Some((front, query)) => (front, Some(query)),
        None => (rest, None),
    };
    let (places, database) = front.split_once('/').unwrap_or((front, ""));
    let mut hosts = Vec::new();
    let mut ports = Vec::new();
    for place in places.split(',') {
        let (host, port) = split_place(place)?;
        hosts.push(host);
        ports.push(port);
    }
    push_decoded(&mut pairs, "host", &hosts.join(","))?;
    if ports.iter().any(|port| !port.is_empty()) {
        push_decoded(&mut pairs, "port", &ports.join(","))?;
    }
    push_decoded(&mut pairs, "dbname", database)?;
    for item in query.into_iter().flat_map(|query| query.split('&')).filter(|item| !item.is_empty()) {
        let (name, value) = item
            .split_once('=')
            .ok_or_else(|| malformed("a parameter behind \"?\" has no \"=\"").hint(FORMS_HINT))?;
        pairs.push((decode(name)?, decode(value)?));
    }
    // The word of JDBC URLs for TLS; libpq reads it too.
    for pair in &mut pairs {
        if pair.0 == "ssl" && pair.1 == "true" {
            *pair = ("sslmode".to_owned(), "require".to_owned());
        }
    }
    Ok(pairs)
}

fn push_decoded(pairs: &mut Vec<(String, String)>, name: &str, value: &str) -> Result<()> {
    if !value.is_empty() {
        pairs.push((name.to_owned(), decode(value)?));
    }
    Ok(())
}

/// `host`, `host:port`, `[v6 address]`, `[v6 address]:port`, each part may be empty.
fn split_place(place: &str) -> Result<(&str, &str)> {
    let Some(bracketed) = place.strip_prefix('[') else {
        return Ok(place.split_once(':').unwrap_or((place, "")));
    };
    bracketed
        .split_once(']')
        .filter(|(address, _)| !address.is_empty())
        .and_then(|(address, behind)| match behind {
            "" => Some((address, "")),
            _ => Some((address, behind.strip_prefix(':')?)),
        })
        .ok_or_else(|| malformed("an IPv6 address is not written as [address]:port"))
}

fn decode(text: &str) -> Result<String> {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let Some((&first, behind)) = rest.split_first() {
        rest = behind;
        if first != b'%' {
            bytes.push(first);
            continue;
        }
        let digit = |at: usize| behind.get(at).and_then(|&b| char::from(b).to_digit(16));
        let (Some(high), Some(low)) = (digit(0), digit(1)) else {
            return Err(malformed("a \"%\" in the URL is not followed by two hexadecimal digits")
                .hint("write a percent sign itself as %25"));
        };
        // Two hexadecimal digits fit in a byte; both were read, so both can be passed over.
        bytes.push((high * 16 + low) as u8);
        rest = behind.get(2..).unwrap_or_default();
    }
    String::from_utf8(bytes).map_err(|_| malformed("an escaped part of the URL is not UTF-8"))
}

/// `name = value` with blanks between; a value in single quotes may hold blanks, and a backslash keeps
/// the character that follows it.
fn parse_pairs(text: &str) -> Result<Vec<(String, String)>> {
    let mut pairs = Vec::new();
    let mut chars = text.chars().peekable();
    loop {
        while chars.next_if(|c| c.is_ascii_whitespace()).is_some() {}
        if chars.peek().is_none() {
            return Ok(pairs);
        }
        let mut name = String::new();
        while let Some(c) = chars.next_if(|&c| c != '=' && !c.is_ascii_whitespace()) {
            name.push(c);
        }
        while chars.next_if(|c| c.is_ascii_whitespace()).is_some() {}
        if chars.next() != Some('=') || name.is_empty() {
            return Err(malformed("it is neither a URL nor a list of name=value")
                .hint(format!("{FORMS_HINT}; a value with blanks stands in single quotes")));
        }
        while chars.next_if(|c| c.is_ascii_whitespace()).is_some() {}
        let quoted = chars.next_if_eq(&'\'').is_some();
        let mut value = String::new();
        loop {
            match chars.next() {
                None if quoted => return Err(malformed("a single quote is left open")),
                None => break,
                Some('\'') if quoted => break,
                Some(c) if !quoted && c.is_ascii_whitespace() => break,
                Some('\\') => value.extend(chars.next()),
                Some(c) => value.push(c),
            }
        }
        pairs.push((name, value));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error::Fate;

    fn read(text: &str) -> String {
        let pairs = parse(text).expect(text);
        pairs.iter().map(|(name, value)| format!("{name}={value}")).collect::<Vec<_>>().join("|")
    }

    #[test]
    fn a_url_is_split_into_its_parts() {
        for (text, pairs) in [
            ("postgresql://", ""),
            ("postgres://h", "host=h"),
            ("postgresql://u@h:1/d", "user=u|host=h|port=1|dbname=d"),
            ("postgresql://u:p%40%2F@h/d", "user=u|password=p@/|host=h|dbname=d"),
            ("postgresql://u:a:b@h", "user=u|password=a:b|host=h"),
            ("postgresql://h1:1,h2,h3:3/", "host=h1,h2,h3|port=1,,3"),
            ("postgresql://[::1]:5,[fe80::2]/d", "host=::1,fe80::2|port=5,|dbname=d"),
            ("postgresql://%2Ftmp%2Fs:9/d", "host=/tmp/s|port=9|dbname=d"),
            ("postgresql:///d?host=/tmp&user=a@b", "dbname=d|host=/tmp|user=a@b"),
            ("postgresql://h/d?ssl=true", "host=h|dbname=d|sslmode=require"),
            ("postgresql://h?options=-c%20a%3Db&connect_timeout=", "host=h|options=-c a=b|connect_timeout="),
        ] {
            assert_eq!(read(text), pairs, "{text}");
        }
    }

    #[test]
    fn a_list_of_names_and_values_is_split_as_libpq_does() {
        for (text, pairs) in [
            ("", ""),
            (" host=h  port = 5 ", "host=h|port=5"),
            (r"password='it\'s \\ here' user=u", r"password=it's \ here|user=u"),
            (r"password=a\ b dbname=''", "password=a b|dbname="),
            ("host=/tmp user=x=y", "host=/tmp|user=x=y"),
        ] {
            assert_eq!(read(text), pairs, "{text}");
        }
    }

    #[test]
    fn what_has_neither_form_is_refused_without_repeating_any_of_it() {
        for text in [
            "mysql://u:hunter2@h/d",
            "hunter2",
            "password=x hunter2",
            "password='hunter2",
            "=hunter2",
            "postgresql://u:hunter2%zz@h",
            "postgresql://u:hunter2%@h",
            "postgresql://u:hunter2%ff@h",
            "postgresql://u:hunter2%00@h",
            "postgresql://u:p@[::1/hunter2",
            "postgresql://h/d?hunter2",
        ] {
            let error = parse(text).expect_err(text);
            assert_eq!(error.fate(), Fate::Usage, "{text}");
            assert!(!error.to_string().contains("hunter2"), "{error}");
        }
    }
}
