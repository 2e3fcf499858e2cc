//! From the text of one document to the places of the keys that a program wants.
//!
//! What `jsonb_out` prints is canonical: keys sorted by length, then by bytes, each once; `": "` and
//! `", "` between; no other white space. So the wanted keys, sorted the same way, are merged against
//! the stream: no hash table, no tree, and a key that nobody wants costs the skip of its value. A
//! document in any other form (a `json` column, a file) is read by [`serde_json`], where the last of
//! a key's occurrences wins, as in the server's own `json` to `jsonb` cast.
//!
//! Documents a second, the keys of the shipped pipelines (`make bench FILTER=readers`; medians of 100
//! samples of 256 KiB in one run, one core of a two-core Xeon; in brackets against the scanner):
//!
//! | reader | participants, 0.8 kB | agents, 4.6 kB | digits |
//! | --- | --- | --- | --- |
//! | this scanner | 1,392,000 | 251,000 | as written |
//! | simd-json, tape used again | 671,000 (2.1 x slower) | 111,000 (2.3 x) | those of 64 bits and of `f64` |
//! | serde_json, `RawValue` | 599,000 (2.3 x) | 90,400 (2.8 x) | as written |
//! | serde_json, `Value` | 251,000 (5.5 x) | 36,600 (6.9 x) | those of 64 bits and of `f64` |

use std::cmp::Ordering;
use std::ops::Range;

use serde::de::{Deserializer, MapAccess, Visitor};
use serde_json::value::RawValue;

use super::short;
use super::value::Value;

/// The top-level keys that a program wants, each once, in the order of jsonb.
#[derive(Debug, Default)]
pub struct WantedKeys {
    keys: Vec<Box<str>>,
    /// Of each key: what decides nearly every comparison without a look at the key itself.
    heads: Vec<Head>,
}

/// Length (one byte) and the first seven bytes of a key: heads in ascending order stand for keys in that
/// of jsonb. Keys with equal heads may differ behind the seventh byte.
type Head = u64;

/// A length that a head can hold; longer keys are left to `serde_json`.
const MAX_HEAD_KEY: usize = 0xFE;

/// Where in the document the value of each wanted key stands, by the key's slot.
#[derive(Debug, Default)]
pub struct Spans {
    ranges: Vec<Option<Range<usize>>>,
}

/// The document is valid JSON but no object, or no JSON at all.
#[derive(Debug, PartialEq, Eq)]
pub struct NotAnObject;

/// The text is not in the form that `jsonb_out` prints.
#[derive(Debug)]
struct NotCanonical;

impl WantedKeys {
    /// Sorts the keys and drops repetitions.
    pub fn new<'k>(keys: impl IntoIterator<Item = &'k str>) -> Self {
        let mut keys: Vec<Box<str>> = keys.into_iter().map(Box::from).collect();
        keys.sort_by(|a, b| jsonb_order(a, b));
        keys.dedup();
        let heads = keys.iter().map(|key| head(key.as_bytes(), 0, key.len())).collect();
        Self { keys, heads }
    }

    /// The slot of a key among the wanted ones.
    pub fn slot(&self, key: &str) -> Option<usize> {
        self.keys.binary_search_by(|wanted| jsonb_order(wanted, key)).ok()
    }

    /// Finds the values of the wanted keys in a document. `spans` is overwritten.
    pub fn scan(&self, document: &str, spans: &mut Spans) -> Result<(), NotAnObject> {
        spans.reset(self.keys.len());
        if self.scan_canonical(document, spans).is_ok() {
            return Ok(());
        }
        spans.reset(self.keys.len());
        self.scan_any(document, spans)
    }

    /// One pass over a document as `jsonb_out` prints it.
    fn scan_canonical(&self, document: &str, spans: &mut Spans) -> Result<(), NotCanonical> {
        let bytes = document.as_bytes();
        if bytes == b"{}" {
            return Ok(());
        }
        let mut at = expect(bytes, 0, b"{\"")?;
        let mut slot = 0;
        // No key is less than the empty one, and that one only stands first.
        let mut previous: (Head, &[u8]) = (0, b"");
        loop {
            let key_end = short::quote_or_backslash(bytes, at).ok_or(NotCanonical)?;
            // A key with an escape is rare and its order is that of the unescaped text.
            let value_start = expect(bytes, key_end, b"\": ")?;
            let key = bytes.get(at..key_end).ok_or(NotCanonical)?;
            let found = (head(bytes, at, key.len()), key);
            if key.len() > MAX_HEAD_KEY || (at > 2 && in_order(previous, found) != Ordering::Less) {
                return Err(NotCanonical);
            }
            let value_end = skip_value(bytes, value_start)?;
            while let (Some(&head), Some(wanted)) = (self.heads.get(slot), self.keys.get(slot)) {
                match in_order((head, wanted.as_bytes()), found) {
                    Ordering::Less => slot += 1,
                    Ordering::Equal => {
                        spans.ranges[slot] = Some(value_start..value_end);
                        slot += 1;
                        break;
                    }
                    Ordering::Greater => break,
                }
            }
            previous = found;
            match bytes.get(value_end) {
                Some(b',') => at = expect(bytes, value_end, b", \"")?,
                Some(b'}') if value_end + 1 == bytes.len() => return Ok(()),
                _ => return Err(NotCanonical),
            }
        }
    }

    /// The same through `serde_json`, for a document in any form.
    fn scan_any(&self, document: &str, spans: &mut Spans) -> Result<(), NotAnObject> {
        let mut reader = serde_json::Deserializer::from_str(document);
        // jsonb may nest deeper than serde_json's own limit of 128; RawValue does not recurse.
        let entries = reader.deserialize_map(Entries).map_err(|_| NotAnObject)?;
        reader.end().map_err(|_| NotAnObject)?;
        for (key, raw) in entries {
            if let Some(slot) = self.slot(&key) {
                // `raw` borrows from `document`: its address gives its place.
                let start = raw.get().as_ptr().addr() - document.as_ptr().addr();
                spans.ranges[slot] = Some(start..start + raw.get().len());
            }
        }
        Ok(())
    }
}

impl Spans {
    fn reset(&mut self, slots: usize) {
        self.ranges.clear();
        self.ranges.resize(slots, None);
    }

    /// The JSON text of the value in a slot; `None` where the document lacks the key.
    pub fn raw<'d>(&self, document: &'d str, slot: usize) -> Option<&'d str> {
        document.get(self.ranges.get(slot)?.clone()?)
    }
}

struct Entries;

impl<'de> Visitor<'de> for Entries {
    type Value = Vec<(String, &'de RawValue)>;

    fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("an object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
        let mut entries = Vec::new();
        while let Some(entry) = map.next_entry()? {
            entries.push(entry);
        }
        Ok(entries)
    }
}

/// How jsonb sorts the keys of an object: shorter first, then by bytes (`lengthCompareJsonbString`).
fn jsonb_order(a: &str, b: &str) -> Ordering {
    jsonb_order_bytes(a.as_bytes(), b.as_bytes())
}

fn jsonb_order_bytes(a: &[u8], b: &[u8]) -> Ordering {
    a.len().cmp(&b.len()).then_with(|| a.cmp(b))
}

/// The head of the key that stands in `bytes` at `at`.
fn head(bytes: &[u8], at: usize, key_bytes: usize) -> Head {
    let word = match bytes.get(at..).and_then(<[u8]>::first_chunk) {
        Some(&chunk) => u64::from_be_bytes(chunk),
        None => {
            let rest = bytes.get(at..).unwrap_or_default();
            rest.iter().zip(0..8).fold(0, |word, (&byte, place)| word | (u64::from(byte) << (56 - 8 * place)))
        }
    };
    let kept = !(u64::MAX >> 8).wrapping_shr(8 * key_bytes.min(7) as u32) & (u64::MAX >> 8);
    ((key_bytes.min(MAX_HEAD_KEY + 1) as u64) << 56) | ((word >> 8) & kept)
}

/// [`jsonb_order_bytes`] of two keys with their heads, the second no longer than a head can tell.
fn in_order(a: (Head, &[u8]), b: (Head, &[u8])) -> Ordering {
    a.0.cmp(&b.0).then_with(|| if b.1.len() <= 7 { Ordering::Equal } else { a.1.cmp(b.1) })
}

fn expect<const N: usize>(bytes: &[u8], at: usize, what: &[u8; N]) -> Result<usize, NotCanonical> {
    if bytes.get(at..).and_then(<[u8]>::first_chunk) == Some(what) { Ok(at + N) } else { Err(NotCanonical) }
}

/// The place of the quote that ends the string whose content begins at `at`.
fn string_end(bytes: &[u8], mut at: usize) -> Result<usize, NotCanonical> {
    loop {
        let found = short::quote_or_backslash(bytes, at).ok_or(NotCanonical)?;
        if bytes[found] == b'"' {
            return Ok(found);
        }
        at = found + 2;
    }
}

/// The place behind the value that begins at `at`.
fn skip_value(bytes: &[u8], at: usize) -> Result<usize, NotCanonical> {
    match bytes.get(at).ok_or(NotCanonical)? {
        b'"' => Ok(string_end(bytes, at + 1)? + 1),
        b'{' | b'[' => skip_structure(bytes, at),
        b't' => expect(bytes, at, b"true"),
        b'f' => expect(bytes, at, b"false"),
        b'n' => expect(bytes, at, b"null"),
        b'-' | b'0'..=b'9' => {
            let rest = &bytes[at + 1..];
            let digits = rest.iter().position(|b| !b.is_ascii_digit() && *b != b'.').unwrap_or(rest.len());
            Ok(at + 1 + digits)
        }
        _ => Err(NotCanonical),
    }
}

/// Counts brackets instead of recursing: documents nest as deep as they like.
fn skip_structure(bytes: &[u8], mut at: usize) -> Result<usize, NotCanonical> {
    let mut depth = 0_usize;
    loop {
        match bytes.get(at).ok_or(NotCanonical)? {
            b'"' => at = string_end(bytes, at + 1)?,
            b'{' | b'[' => depth += 1,
            b'}' | b']' => {
                depth -= 1;
                if depth == 0 {
                    return Ok(at + 1);
                }
            }
            _ => {}
        }
        at += 1;
    }
}

/// Reads the value that a JSON text holds. `scratch` keeps a string that had escapes.
///
/// The text has been delimited by a scan; a number or literal that is malformed all the same becomes
/// a number that no cast takes, never a panic.
pub fn value_of<'a>(raw: &'a str, scratch: &'a mut String) -> Value<'a> {
    match raw.as_bytes().first() {
        Some(b'"') => {
            let inner = raw.get(1..raw.len().saturating_sub(1)).unwrap_or_default();
            if !short::contains(b'\\', inner.as_bytes()) {
                return Value::String(inner);
            }
            match serde_json::from_str::<String>(raw) {
                Ok(text) => {
                    *scratch = text;
                    Value::String(scratch)
                }
                Err(_) => Value::Number(raw),
            }
        }
        Some(b'{') => Value::Object(raw),
        Some(b'[') => Value::Array(raw),
        Some(b't') if raw == "true" => Value::Bool(true),
        Some(b'f') if raw == "false" => Value::Bool(false),
        Some(b'n') if raw == "null" => Value::Null,
        _ => Value::Number(raw),
    }
}

/// Follows a path into nested objects; `None` where a step is missing or not an object.
pub fn follow<'d>(mut raw: &'d str, path: &[WantedKeys], spans: &mut Spans) -> Option<&'d str> {
    for step in path {
        step.scan(raw, spans).ok()?;
        raw = spans.raw(raw, 0)?;
    }
    Some(raw)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found<'d>(keys: &[&str], document: &'d str) -> Vec<Option<&'d str>> {
        let wanted = WantedKeys::new(keys.iter().copied());
        let mut spans = Spans::default();
        wanted.scan(document, &mut spans).expect("an object");
        keys.iter().map(|key| spans.raw(document, wanted.slot(key).expect("wanted"))).collect()
    }

    #[test]
    fn wanted_keys_are_found_among_others_in_a_canonical_document() {
        let document =
            r#"{"a": 1, "b": "x, \"y\": }", "id": {"a": [1, {"b": "]"}]}, "zip": null, "long": -1.50}"#;
        assert_eq!(
            found(&["long", "a", "zip", "id", "gone", "b"], document),
            [
                Some("-1.50"),
                Some("1"),
                Some("null"),
                Some(r#"{"a": [1, {"b": "]"}]}"#),
                None,
                Some(r#""x, \"y\": }""#)
            ]
        );
        assert_eq!(found(&["a"], "{}"), [None]);
        assert_eq!(found(&[], r#"{"a": 1}"#), [] as [Option<&str>; 0]);
    }

    #[test]
    fn documents_in_any_other_form_give_the_same_and_the_last_of_two_keys_wins() {
        assert_eq!(found(&["a", "b"], "{\"b\":2 ,\n \"a\" : [ ] }"), [Some("[ ]"), Some("2")]);
        assert_eq!(found(&["a"], r#"{"a": 1, "a": 2}"#), [Some("2")]);
        assert_eq!(found(&["a\"b", "é"], r#"{"é": 1, "a\"b": 2}"#), [Some("2"), Some("1")]);
        assert_eq!(found(&["a"], r#"{"\u0061": 7}"#), [Some("7")]);
        assert_eq!(found(&["a"], r#"{"a": 1e5}"#), [Some("1e5")]);
        assert_eq!(found(&[""], r#"{"": 1, "a": 2}"#), [Some("1")]);
        for bytes in [1, 6, 7, 8, 9, 254, 255, 256, 300] {
            let [low, key, high] = ["a", "b", "c"].map(|last| "k".repeat(bytes - 1) + last);
            let document = format!("{{\"{low}\": 0, \"{key}\": 1, \"{high}\": 2, \"{key}k\": 3}}");
            assert_eq!(found(&[&key, &(high.clone() + "k")], &document), [Some("1"), None], "{bytes}");
            let unsorted = format!("{{\"{high}\": 2, \"{key}\": 1, \"{key}\": 4}}");
            assert_eq!(found(&[&key], &unsorted), [Some("4")], "{bytes}");
        }
    }

    #[test]
    fn a_wanted_key_inside_a_nested_object_is_not_taken_for_the_top_level_one() {
        assert_eq!(found(&["id"], r#"{"x": {"id": 1}}"#), [None]);
    }

    #[test]
    fn what_is_no_object_is_refused() {
        let wanted = WantedKeys::new(["a"]);
        for document in ["1", "[]", "null", "\"{}\"", "", "{", "{\"a\"}", "{\"a\": 1} x", "{\"a\": tru}"] {
            assert_eq!(wanted.scan(document, &mut Spans::default()), Err(NotAnObject), "{document}");
        }
    }

    #[test]
    fn nesting_far_beyond_any_stack_is_skipped() {
        let deep = format!("{{\"a\": {}{}, \"b\": 1}}", "[".repeat(100_000), "]".repeat(100_000));
        assert_eq!(found(&["b"], &deep), [Some("1")]);
    }

    #[test]
    fn values_are_read_with_their_escapes_resolved_and_their_digits_kept() {
        let mut scratch = String::new();
        assert_eq!(value_of(r#""a\n\ud83d\ude00""#, &mut scratch), Value::String("a\n😀"));
        assert_eq!(value_of("1.10", &mut scratch), Value::Number("1.10"));
        assert_eq!(value_of("false", &mut scratch), Value::Bool(false));
        assert_eq!(value_of("[1]", &mut scratch), Value::Array("[1]"));
    }

    /// Why simd-json cannot stand in for the scanner.
    #[test]
    fn digits_that_simd_json_loses_are_kept() {
        for digits in ["12345678901234567890123456789.1", "1.10", "0.1000000000000000055511151231257827"] {
            let document = format!("{{\"a\": {digits}}}");
            assert_eq!(found(&["a"], &document), [Some(digits)]);
            let parsed = simd_json::to_owned_value(&mut document.into_bytes()).expect("JSON");
            assert_ne!(simd_json::to_string(&parsed).expect("text"), format!("{{\"a\":{digits}}}"));
        }
        // An integer beyond 64 bits is refused.
        let digits = "9".repeat(40);
        let document = format!("{{\"a\": {digits}}}");
        assert_eq!(found(&["a"], &document), [Some(digits.as_str())]);
        assert!(simd_json::to_owned_value(&mut document.into_bytes()).is_err());
    }

    #[test]
    fn a_path_is_followed_through_nested_objects() {
        let path = [WantedKeys::new(["lat"])];
        let mut spans = Spans::default();
        assert_eq!(follow(r#"{"lat": 1.5}"#, &path, &mut spans), Some("1.5"));
        assert_eq!(follow(r#"{"lng": 1.5}"#, &path, &mut spans), None);
        assert_eq!(follow("\"\"", &path, &mut spans), None);
    }
}
