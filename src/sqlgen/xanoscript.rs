//! Statements as XanoScript.

/// A statement as a stanza that a function stack runs.
///
/// A string of XanoScript stands in double quotes. In it a backslash begins an escape: `\\` and `\"` are
/// the character itself, `\n`, `\r` and `\t` a line feed, a carriage return and a tab. Nothing else is
/// escaped. A `?` in `sql` would be a placeholder and `{{` an expression; the statements write neither, but
/// for names of tables and columns that hold them.
pub fn stanza(statement: &str, name: &str) -> String {
    let mut escaped = String::with_capacity(statement.len() + statement.len() / 8);
    for character in statement.chars() {
        match character {
            '\\' => escaped.push_str("\\\\"),
            '"' => escaped.push_str("\\\""),
            '\n' => escaped.push_str("\\n"),
            '\r' => escaped.push_str("\\r"),
            '\t' => escaped.push_str("\\t"),
            other => escaped.push(other),
        }
    }
    let name: String =
        name.chars().map(|c| if c.is_ascii_alphanumeric() { c.to_ascii_lowercase() } else { '_' }).collect();
    format!("db.direct_query {{\n  sql = \"{escaped}\"\n  response_type = \"list\"\n}} as ${name}\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quotes_backslashes_and_line_breaks_are_escaped() {
        assert_eq!(
            stanza("SELECT \"a\",\n E'\\t'", "Users 1"),
            "db.direct_query {\n  sql = \"SELECT \\\"a\\\",\\n E'\\\\t'\"\n  response_type = \"list\"\n} as $users_1\n"
        );
    }
}
