//! Passwords: a type that never shows itself, and libpq's password file.
//!
//! A line of the file is `host:port:database:user:password`; each of the first four may be `*`, a backslash
//! keeps a colon or backslash that follows it, `#` begins a comment. The first line that matches wins. A file
//! that others may read is not used, as in libpq: whoever relies on it must hear of it, hence the warning.

use std::fmt;
use std::fs;
use std::path::Path;

/// A password. `Debug` hides it; only [`Password::reveal`] shows it.
#[derive(Clone, PartialEq, Eq)]
pub struct Password(String);

impl Password {
    /// Wraps a password.
    pub fn new(text: impl Into<String>) -> Self {
        Self(text.into())
    }

    /// The password itself, for the server only.
    pub fn reveal(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Password {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Password(hidden)")
    }
}

/// Whom a password is for.
#[derive(Clone, Copy, Debug)]
pub struct Account<'a> {
    /// The host as it was given; `localhost` for the default socket folder.
    pub host: &'a str,
    /// The port.
    pub port: u16,
    /// The database's name.
    pub database: &'a str,
    /// The role.
    pub user: &'a str,
}

/// The text of a password file, or what to tell the user when it is there but not used.
/// `Ok(None)` where there is none.
///
/// # Errors
/// A warning for people: the file is no plain file, is open to others, or cannot be read.
pub fn read_file(path: &Path) -> Result<Option<String>, String> {
    let Ok(metadata) = fs::metadata(path) else { return Ok(None) };
    let shown = path.display();
    if !metadata.is_file() {
        return Err(format!("password file \"{shown}\" is not a plain file; it is ignored"));
    }
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        if metadata.permissions().mode() & 0o077 != 0 {
            return Err(format!(
                "password file \"{shown}\" has group or world access and is ignored; run chmod 0600 on it"
            ));
        }
    }
    match fs::read(path) {
        Ok(bytes) => Ok(Some(String::from_utf8_lossy(&bytes).into_owned())),
        Err(error) => Err(format!("password file \"{shown}\" cannot be read and is ignored: {error}")),
    }
}

/// The password of an account in the text of a password file.
pub fn find(text: &str, account: Account<'_>) -> Option<Password> {
    let port = account.port.to_string();
    let wanted = [account.host, &port, account.database, account.user];
    text.lines().filter(|line| !line.starts_with('#')).find_map(|line| {
        let rest = wanted.iter().try_fold(line, |rest, wanted| match_field(rest, wanted))?;
        // A password may hold bare colons: it is the whole rest of the line.
        let password = unescape(rest);
        (!password.is_empty()).then(|| Password::new(password))
    })
}

/// Matches the first field of `line`; gives what stands behind its colon.
fn match_field<'l>(line: &'l str, wanted: &str) -> Option<&'l str> {
    let mut escaped = false;
    let end = line.find(|c| {
        let ends = c == ':' && !escaped;
        escaped = c == '\\' && !escaped;
        ends
    })?;
    let (field, rest) = line.split_at_checked(end)?;
    let rest = rest.strip_prefix(':')?;
    (field == "*" || unescape(field) == wanted).then_some(rest)
}

fn unescape(text: &str) -> String {
    let mut plain = String::with_capacity(text.len());
    let mut chars = text.chars();
    while let Some(c) = chars.next() {
        plain.push(if c == '\\' { chars.next().unwrap_or('\\') } else { c });
    }
    plain
}

#[cfg(test)]
mod tests {
    use super::*;

    const ACCOUNT: Account<'static> =
        Account { host: "db.example", port: 5433, database: "shop", user: "anna" };

    fn found(text: &str) -> Option<String> {
        find(text, ACCOUNT).map(|password| password.reveal().to_owned())
    }

    #[test]
    fn the_first_matching_line_gives_the_password() {
        let file = "# passwords\n\
                    db.example:5432:shop:anna:wrong port\n\
                    db.example:5433:shop:bert:wrong user\n\
                    db.example:5433:*:anna:first\n\
                    *:*:*:*:last\n";
        assert_eq!(found(file).as_deref(), Some("first"));
        assert_eq!(found("other:*:*:*:x\n*:*:*:*:last").as_deref(), Some("last"));
        assert_eq!(found("db.example:5433:shop:anna"), None);
        assert_eq!(found(""), None);
    }

    #[test]
    fn a_backslash_keeps_colons_and_backslashes_and_a_password_may_hold_bare_colons() {
        assert_eq!(found(r"*:*:*:anna:a\:b\\c:d").as_deref(), Some(r"a:b\c:d"));
        let account = Account { host: "::1", database: r"a\b", ..ACCOUNT };
        let password = find(r"\:\:1:5433:a\\b:anna:secret", account).expect("a match");
        assert_eq!(password.reveal(), "secret");
    }

    #[test]
    fn an_escaped_star_is_a_literal_one() {
        assert_eq!(found(r"\*:*:*:*:x"), None);
    }

    #[test]
    fn a_password_does_not_show_itself() {
        assert_eq!(format!("{:?}", Password::new("hunter2")), "Password(hidden)");
    }

    #[cfg(unix)]
    #[test]
    fn a_password_file_that_others_may_read_is_not_used_and_a_missing_one_is_no_matter() {
        use std::os::unix::fs::PermissionsExt;
        let folder = std::env::temp_dir().join(format!("xdoflow-pgpass-{}", std::process::id()));
        fs::create_dir_all(&folder).expect("a folder");
        let path = folder.join("pgpass");
        fs::write(&path, "*:*:*:*:hunter2\n").expect("a file");
        let with_mode = |mode| {
            fs::set_permissions(&path, fs::Permissions::from_mode(mode)).expect("permissions");
            read_file(&path)
        };
        assert_eq!(with_mode(0o600), Ok(Some("*:*:*:*:hunter2\n".to_owned())));
        let warning = with_mode(0o640).expect_err("a warning");
        assert!(warning.contains("group or world access") && !warning.contains("hunter2"), "{warning}");
        assert!(read_file(&folder).expect_err("a warning").contains("not a plain file"));
        fs::remove_dir_all(&folder).expect("removed");
        assert_eq!(read_file(&path), Ok(None));
    }
}
