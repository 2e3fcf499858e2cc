//! The small parts of a pipeline file that programs write: keys and strings.
//!
//! The lines of a pipeline file are laid out by whoever writes them: toml's own writer knows no
//! comments, and its layout is not the one of the shipped files. What can go wrong is the quoting, and
//! that is here: whatever the text, the reader gets the same text back.

use std::fmt::Write as _;

/// A key as it stands before the `=` or in a `[header]`: bare where TOML lets it, else in quotes.
pub fn key(text: &str) -> String {
    let bare = !text.is_empty() && text.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_' || b == b'-');
    if bare { text.to_owned() } else { string(text) }
}

/// A string in double quotes, on one line.
pub fn string(text: &str) -> String {
    let mut out = String::with_capacity(text.len() + 2);
    out.push('"');
    for c in text.chars() {
        match c {
            '"' => out.push_str("\\\""),
            '\\' => out.push_str("\\\\"),
            '\n' => out.push_str("\\n"),
            '\t' => out.push_str("\\t"),
            '\r' => out.push_str("\\r"),
            // U+2028 and the like are allowed as they are, but break lines in some editors.
            c if c.is_control() || matches!(c, '\u{2028}' | '\u{2029}' | '\u{feff}') => {
                // Writing to a string cannot fail.
                let _ = write!(out, "\\u{:04X}", u32::from(c));
            }
            c => out.push(c),
        }
    }
    out.push('"');
    out
}

/// Text as comment lines, each behind `# ` and with its line break; nothing in it ends a comment early.
pub fn comment(text: &str) -> String {
    let mut out = String::new();
    for line in text.split(['\n', '\r']) {
        // A comment may hold every character but the controls; a tab is none of them.
        let line: String =
            line.chars().map(|c| if c.is_control() && c != '\t' { '\u{fffd}' } else { c }).collect();
        let line = line.trim_end();
        if line.is_empty() {
            continue;
        }
        out.push_str("# ");
        out.push_str(line);
        out.push('\n');
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    const HOSTILE: [&str; 14] = [
        "",
        "plain",
        "with space",
        "a.b",
        "say \"hi\"",
        "back\\slash",
        "line\nbreak\r\ttab",
        "zero \0 bell \u{7} delete \u{7f} next line \u{85}",
        "\u{2028}\u{2029}\u{feff}",
        "名前 🦀 e\u{301}",
        "# no comment",
        "]\n[target.x]",
        "'''\"\"\"",
        "\\u0041",
    ];

    #[test]
    fn every_text_comes_back_as_a_string_and_as_a_key() {
        for text in HOSTILE {
            let written = format!("{} = {}\n", key(text), string(text));
            assert_eq!(written.lines().count(), 1, "{written:?}");
            let read: toml::Table = toml::from_str(&written).unwrap_or_else(|e| panic!("{written:?}: {e}"));
            assert_eq!(read.get(text).and_then(toml::Value::as_str), Some(text), "{written:?}");
            let header: toml::Table = toml::from_str(&format!("[{}]\n", key(text))).expect("a header");
            assert!(header.contains_key(text), "{text:?}");
        }
    }

    #[test]
    fn only_what_needs_quotes_has_them() {
        assert_eq!(key("agent_id-2"), "agent_id-2");
        assert_eq!(key("a.b"), "\"a.b\"");
        assert_eq!(key("é"), "\"é\"");
        assert_eq!(string("\u{1}\"\\"), "\"\\u0001\\\"\\\\\"");
    }

    #[test]
    fn a_comment_stays_a_comment_whatever_is_in_it() {
        assert_eq!(comment("one\n\n two  \rthree"), "# one\n#  two\n# three\n");
        assert_eq!(comment(""), "");
        for text in HOSTILE {
            let read: toml::Table =
                toml::from_str(&comment(text)).unwrap_or_else(|e| panic!("{text:?}: {e}"));
            assert!(read.is_empty(), "{text:?}");
        }
    }
}
