//! The form in which the server keeps and prints a `jsonb`: keys by their length, then by their bytes;
//! of a repeated key the last; `": "` and `", "` between; numbers as a `numeric`.

use crate::json::Json;
use crate::pgcopy::numeric::Decimal;
use crate::pgcopy::{jsonb_text, quote};

/// The text of a payload.
pub(super) fn text(payload: &[u8]) -> Option<String> {
    canonical(&Json::parse(jsonb_text(payload)?).ok()?)
}

/// A value as `jsonb` prints it; `None` where `jsonb` cannot hold it: a number beyond `numeric`, or a
/// U+0000 in a string.
pub fn canonical(json: &Json) -> Option<String> {
    let mut text = String::new();
    write(json, &mut text)?;
    Some(text)
}

fn write(json: &Json, out: &mut String) -> Option<()> {
    match json {
        Json::Null => out.push_str("null"),
        Json::Bool(true) => out.push_str("true"),
        Json::Bool(false) => out.push_str("false"),
        Json::Number(number) => {
            let mut payload = Vec::new();
            Decimal::parse(number)?.encode(None, &mut payload).ok()?;
            out.push_str(&super::number::text(&payload)?);
        }
        Json::String(string) => write_string(string, out)?,
        Json::Array(elements) => {
            out.push('[');
            for (index, element) in elements.iter().enumerate() {
                if index > 0 {
                    out.push_str(", ");
                }
                write(element, out)?;
            }
            out.push(']');
        }
        Json::Object(entries) => {
            let mut sorted: Vec<&(String, Json)> = Vec::with_capacity(entries.len());
            // The last of a repeated key comes first, and so it is the one that stays.
            sorted.extend(entries.iter().rev());
            sorted.sort_by_key(|(key, _)| (key.len(), key.as_bytes()));
            sorted.dedup_by_key(|(key, _)| key.as_str());
            out.push('{');
            for (index, (key, value)) in sorted.into_iter().enumerate() {
                if index > 0 {
                    out.push_str(", ");
                }
                write_string(key, out)?;
                out.push_str(": ");
                write(value, out)?;
            }
            out.push('}');
        }
    }
    Some(())
}

fn write_string(string: &str, out: &mut String) -> Option<()> {
    if string.contains('\0') {
        return None;
    }
    quote::push(string, out);
    Some(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn printed(text: &str) -> Option<String> {
        canonical(&Json::parse(text).expect("JSON"))
    }

    #[test]
    fn keys_are_sorted_by_length_and_the_last_of_a_repeated_one_stays() {
        assert_eq!(
            printed(r#"{"bb":1,"c":[ ],"a":{},"c":[1,2], "é":null}"#).as_deref(),
            Some(r#"{"a": {}, "c": [1, 2], "bb": 1, "é": null}"#)
        );
    }

    #[test]
    fn numbers_and_strings_are_written_as_the_server_keeps_them() {
        for (text, expected) in [
            ("1e5", "100000"),
            ("-0", "0"),
            ("1.10", "1.10"),
            (r#""\u00e9\/\"\\\b\f\n\r\t\u0001\u007f""#, "\"é/\\\"\\\\\\b\\f\\n\\r\\t\\u0001\u{7f}\""),
        ] {
            assert_eq!(printed(text).as_deref(), Some(expected));
        }
        assert_eq!(printed(r#"["\u0000"]"#), None);
        assert_eq!(printed("1e999999"), None);
    }
}
