//! Names of tables and columns: checked once, quoted wherever they enter SQL.

use std::fmt;
use std::str::FromStr;

use crate::error::Error;

/// A table's name, with its schema if one was given. Case is kept as written.
///
/// The text form is `table` or `schema.table`; a part that holds a dot or a quote is written in
/// double quotes, with inner quotes doubled, as in SQL.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct TableName {
    schema: Option<String>,
    table: String,
}

impl TableName {
    /// A table of a given schema.
    pub fn new(schema: impl Into<String>, table: impl Into<String>) -> Self {
        Self { schema: Some(schema.into()), table: table.into() }
    }

    /// A table where this one is.
    pub fn sibling(&self, table: impl Into<String>) -> Self {
        Self { schema: self.schema.clone(), table: table.into() }
    }

    /// The schema, or `None` for whatever the search path finds.
    pub fn schema(&self) -> Option<&str> {
        self.schema.as_deref()
    }

    /// The name without the schema.
    pub fn table(&self) -> &str {
        &self.table
    }

    /// The name as it stands in SQL, every part quoted.
    pub fn quoted(&self) -> String {
        match &self.schema {
            Some(schema) => format!("{}.{}", quote(schema), quote(&self.table)),
            None => quote(&self.table),
        }
    }
}

/// An identifier as it stands in SQL: in double quotes, inner ones doubled.
pub fn quote(identifier: &str) -> String {
    format!("\"{}\"", identifier.replace('"', "\"\""))
}

/// A text as a literal of SQL, for statements that take no parameters.
pub fn literal(text: &str) -> String {
    format!("'{}'", text.replace('\'', "''"))
}

impl FromStr for TableName {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self, Error> {
        let mut parts = split_parts(text)
            .ok_or_else(|| Error::usage(format!("{text:?} is not a table name")).hint(TABLE_HINT))?;
        let table = parts.pop().unwrap_or_default();
        let schema = parts.pop();
        let empty = table.is_empty() || schema.as_deref() == Some("");
        if empty || !parts.is_empty() || text.contains('\0') {
            return Err(Error::usage(format!("{text:?} is not a table name")).hint(TABLE_HINT));
        }
        Ok(Self { schema, table })
    }
}

const TABLE_HINT: &str = "write table, schema.table, or \"odd.name\" with the double quotes";

/// Splits a dotted name into its parts; a part in double quotes may hold dots, and be empty. `None` where
/// another part is empty, or a quote is left open or followed by anything but a dot.
pub fn split_parts(text: &str) -> Option<Vec<String>> {
    let mut parts = Vec::new();
    let mut chars = text.chars().peekable();
    loop {
        let mut part = String::new();
        if chars.peek() == Some(&'"') {
            chars.next();
            loop {
                match chars.next()? {
                    '"' if chars.peek() == Some(&'"') => {
                        chars.next();
                        part.push('"');
                    }
                    '"' => break,
                    other => part.push(other),
                }
            }
        } else {
            while let Some(other) = chars.next_if(|&c| c != '.') {
                part.push(other);
            }
            if part.is_empty() {
                return None;
            }
        }
        parts.push(part);
        match chars.next() {
            None => return Some(parts),
            Some('.') => {}
            Some(_) => return None,
        }
    }
}

impl fmt::Display for TableName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let part = |name: &str| {
            if name.contains(['.', '"']) { quote(name) } else { name.to_owned() }
        };
        if let Some(schema) = &self.schema {
            write!(f, "{}.", part(schema))?;
        }
        f.write_str(&part(&self.table))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_plain_a_qualified_and_an_odd_name_are_read_and_quoted() {
        for (text, quoted) in [
            ("mvpw5_664", r#""mvpw5_664""#),
            ("public.user", r#""public"."user""#),
            (r#""a.b"."C ""d""""#, r#""a.b"."C ""d""""#),
            (r#""x; DROP TABLE y; --""#, r#""x; DROP TABLE y; --""#),
        ] {
            let name: TableName = text.parse().expect(text);
            assert_eq!(name.quoted(), quoted);
            assert_eq!(name.to_string().parse::<TableName>().expect("round trip"), name);
        }
    }

    #[test]
    fn what_is_no_name_is_refused() {
        for text in ["", ".", "a.", ".a", "a.b.c", "\"open", "\"a\"b"] {
            assert!(text.parse::<TableName>().is_err(), "{text:?}");
        }
    }
}
