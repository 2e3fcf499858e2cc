//! The smallest pieces of SQL text.
//!
//! No statement holds a question mark or two opening braces: the tools that people paste statements
//! into take those for parameters. So the patterns here write `{0,1}`, and a literal escapes both.

/// ASCII white space as an SQL literal, for `btrim`.
pub(super) const SPACES: &str = r"E' \t\n\r\x0B\f'";

/// A pattern of ASCII white space.
pub(super) const SPACE_RUN: &str = r"[ \t\n\r\x0B\f]*";

/// A string as SQL writes it, whatever `standard_conforming_strings` says.
pub(super) fn literal(text: &str) -> String {
    let quoted = text.replace('\'', "''");
    if !quoted.contains(['\\', '?']) && !quoted.contains("{{") {
        return format!("'{quoted}'");
    }
    format!("E'{}'", quoted.replace('\\', "\\\\").replace('?', "\\x3F").replace("{{", "{\\x7B"))
}

/// Several strings as SQL writes them, with commas.
pub(super) fn literals<'t>(texts: impl IntoIterator<Item = &'t String>) -> String {
    texts.into_iter().map(|text| literal(text)).collect::<Vec<_>>().join(", ")
}

/// The text of a JSON value as `->>` prints it.
pub(super) fn text_of(json: &str) -> String {
    format!("({json} #>> '{{}}')")
}

/// A text without ASCII white space at its ends.
pub(super) fn trimmed(text: &str) -> String {
    format!("btrim({text}, {SPACES})")
}

/// Whether a JSON value is a string that is empty after trimming; not null where the value is not.
pub(super) fn is_blank(json: &str) -> String {
    format!("(jsonb_typeof({json}) = 'string' AND {} = '')", trimmed(&text_of(json)))
}

/// `body` over values that are computed once: each binding is a column of the table `alias`.
pub(super) fn with(alias: &str, bindings: &[(&str, String)], body: &str) -> String {
    format!("(SELECT {body} FROM {})", bound(alias, bindings, None))
}

/// A table `alias` of one row with these columns; `from` is where they come from, if anything.
pub(super) fn bound(alias: &str, bindings: &[(&str, String)], from: Option<&str>) -> String {
    let columns: Vec<String> = bindings.iter().map(|(name, value)| format!("{value} AS {name}")).collect();
    let from = from.map(|from| format!(" FROM {from}")).unwrap_or_default();
    format!("(SELECT {}{from} OFFSET 0) AS {alias}", columns.join(", "))
}

/// Division of bigints towards minus infinity by a positive number.
pub(super) fn floor_div(number: &str, divisor: i64) -> String {
    format!("({number} / {divisor} - CASE WHEN {number} % {divisor} < 0 THEN 1 ELSE 0 END)")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_literal_needs_no_setting_and_holds_no_placeholder() {
        assert_eq!(literal("O'Neil"), "'O''Neil'");
        assert_eq!(literal(r"a\b?"), r"E'a\\b\x3F'");
        assert_eq!(literal("{{x"), r"E'{\x7Bx'");
    }
}
