//! A string as JSON text, with the escapes of the server's `escape_json`.

/// Appends a string in quotes. Escaped are the quote, the backslash and the characters below U+0020: five of
/// them by a letter, the others by their number.
pub(super) fn push(string: &str, out: &mut String) {
    out.push('"');
    let mut rest = string;
    while let Some(place) = rest.bytes().position(|byte| byte < b' ' || byte == b'"' || byte == b'\\') {
        // The byte stands alone in UTF-8: both cuts are between characters.
        let (plain, behind) = rest.split_at(place);
        out.push_str(plain);
        let mut behind = behind.chars();
        match behind.next() {
            Some('"') => out.push_str("\\\""),
            Some('\\') => out.push_str("\\\\"),
            Some('\n') => out.push_str("\\n"),
            Some('\r') => out.push_str("\\r"),
            Some('\t') => out.push_str("\\t"),
            Some('\x08') => out.push_str("\\b"),
            Some('\x0c') => out.push_str("\\f"),
            Some(control) => {
                let number = u32::from(control);
                out.push_str("\\u00");
                // Below 0x20: each of the two digits is one.
                out.extend(
                    [number >> 4, number & 15].into_iter().filter_map(|digit| char::from_digit(digit, 16)),
                );
            }
            None => {}
        }
        rest = behind.as_str();
    }
    out.push_str(rest);
    out.push('"');
}
