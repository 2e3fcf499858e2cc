//! A reader of JSON text that hands out one token after the other, each a slice of the text.
//!
//! The data path knows which keys it wants and skips the rest; here every key of every level is wanted, and
//! numbers must keep their digits, which no parser into a tree gives for free. It recurses nowhere: who
//! walks a document decides how deep to go, and what lies deeper is skipped by counting brackets.

use std::borrow::Cow;

/// A place in a JSON text.
pub(super) struct Reader<'d> {
    text: &'d str,
    at: usize,
}

impl<'d> Reader<'d> {
    /// At the beginning of a text.
    pub(super) fn new(text: &'d str) -> Self {
        Self { text, at: 0 }
    }

    /// The byte of the text at which the next token is looked for.
    pub(super) fn place(&self) -> usize {
        self.at
    }

    /// The next byte behind white space, which is not taken; `None` at the end.
    pub(super) fn peek(&mut self) -> Option<u8> {
        let bytes = self.text.as_bytes();
        while let Some(b' ' | b'\n' | b'\t' | b'\r') = bytes.get(self.at) {
            self.at += 1;
        }
        bytes.get(self.at).copied()
    }

    /// Takes a byte if it is the next one.
    pub(super) fn take(&mut self, wanted: u8) -> bool {
        let there = self.peek() == Some(wanted);
        self.at += usize::from(there);
        there
    }

    /// Takes a string, its escapes resolved. `None` where there is none.
    pub(super) fn string(&mut self) -> Option<Cow<'d, str>> {
        if self.peek() != Some(b'"') {
            return None;
        }
        let start = self.at;
        let (end, escaped) = string_end(self.text.as_bytes(), start + 1)?;
        self.at = end + 1;
        if escaped {
            return serde_json::from_str(self.text.get(start..=end)?).ok().map(Cow::Owned);
        }
        self.text.get(start + 1..end).map(Cow::Borrowed)
    }

    /// Takes a number or a word: what stands before the next bracket, comma or white space.
    pub(super) fn word(&mut self) -> Option<&'d str> {
        self.peek()?;
        let rest = self.text.get(self.at..)?;
        let end = rest.find([',', '}', ']', ' ', '\n', '\t', '\r', ':']).unwrap_or(rest.len());
        self.at += end;
        rest.get(..end).filter(|word| !word.is_empty())
    }

    /// Takes a whole value, whatever it holds.
    pub(super) fn skip(&mut self) -> Option<()> {
        match self.peek()? {
            b'"' => {
                self.at = string_end(self.text.as_bytes(), self.at + 1)?.0 + 1;
                Some(())
            }
            b'{' | b'[' => self.skip_structure(),
            _ => self.word().map(drop),
        }
    }

    fn skip_structure(&mut self) -> Option<()> {
        let bytes = self.text.as_bytes();
        let mut depth = 0_usize;
        loop {
            match bytes.get(self.at)? {
                b'"' => self.at = string_end(bytes, self.at + 1)?.0,
                b'{' | b'[' => depth += 1,
                b'}' | b']' => {
                    depth = depth.checked_sub(1)?;
                    if depth == 0 {
                        self.at += 1;
                        return Some(());
                    }
                }
                _ => {}
            }
            self.at += 1;
        }
    }
}

/// The place of the quote that ends a string whose content begins at `at`, and whether an escape is in it.
fn string_end(bytes: &[u8], mut at: usize) -> Option<(usize, bool)> {
    let mut escaped = false;
    loop {
        let found = at + memchr::memchr2(b'"', b'\\', bytes.get(at..)?)?;
        if bytes.get(found) == Some(&b'"') {
            return Some((found, escaped));
        }
        escaped = true;
        at = found + 2;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tokens_are_slices_and_escapes_are_resolved() {
        let mut reader = Reader::new(r#"{"a": [1.10, true], "b\"\u00e9" : {"x": "}"}}"#);
        assert!(reader.take(b'{'));
        assert_eq!(reader.string().as_deref(), Some("a"));
        assert!(reader.take(b':') && reader.take(b'['));
        assert_eq!(reader.word(), Some("1.10"));
        assert!(reader.take(b','));
        assert_eq!(reader.word(), Some("true"));
        assert!(reader.take(b']') && reader.take(b','));
        assert_eq!(reader.string().as_deref(), Some("b\"é"));
        assert!(reader.take(b':'));
        assert_eq!(reader.skip(), Some(()));
        assert!(reader.take(b'}'));
        assert_eq!(reader.peek(), None);
    }

    #[test]
    fn a_text_that_stops_early_is_no_value_and_no_panic() {
        for text in ["", "\"", "\"\\", "{\"a", "[1, [2", "]", "{\"a\": \"\\"] {
            let mut reader = Reader::new(text);
            if text.starts_with('"') {
                assert_eq!(reader.string(), None, "{text}");
            } else {
                assert_eq!(reader.skip(), None, "{text}");
            }
        }
        let deep = "[".repeat(100_000) + &"]".repeat(100_000);
        let mut reader = Reader::new(&deep);
        assert_eq!((reader.skip(), reader.peek()), (Some(()), None));
    }
}
