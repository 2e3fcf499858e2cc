//! The reader of JSON text.
//!
//! What `jsonb_out` prints is canonical: keys sorted by length, then by bytes, each once; `": "` and
//! `", "` between; no other white space. A document in any other form (a `json` column, a file) is read by
//! [`serde_json`], where the last of a key's occurrences wins, as in the server's own `json` to `jsonb` cast.
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

use std::collections::BTreeMap;

use serde::de::{Deserializer, MapAccess, Visitor};
use serde_json::value::RawValue;

use super::{Found, NoKeys, Raw, Sorted, WantedKeys};
use crate::pgcopy::ondisk::Corrupt;
use crate::transform::keys::JsonKind;
use crate::transform::short;
use crate::transform::value::Value;

/// A value in JSON text that a scan has delimited. It has no padding, for the same reason as [`DiskValue`].
///
/// [`DiskValue`]: crate::pgcopy::ondisk::DiskValue
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TextValue<'d> {
    kind: Kind,
    json: &'d str,
}

/// What a text is, as far as its first byte and the scan say. A number that is malformed all the same is one
/// that no cast takes, never a panic.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u64)]
enum Kind {
    Null,
    False,
    True,
    Number,
    /// A string without a backslash.
    Plain,
    /// A string with one.
    Escaped,
    Array,
    Object,
}

/// Behind the bytes of a key.
const KEY_END: &[u8; 3] = b"\": ";

/// The text is not in the form that `jsonb_out` prints.
#[derive(Debug)]
struct NotCanonical;

impl<'d> TextValue<'d> {
    /// Any JSON text without white space around it.
    pub fn new(json: &'d str) -> Self {
        let bytes = json.as_bytes();
        let kind = match bytes.first() {
            Some(b'"') if short::contains(b'\\', bytes) => Kind::Escaped,
            Some(b'"') if bytes.len() > 1 => Kind::Plain,
            Some(b'{') => Kind::Object,
            Some(b'[') => Kind::Array,
            Some(b't') if json == "true" => Kind::True,
            Some(b'f') if json == "false" => Kind::False,
            Some(b'n') if json == "null" => Kind::Null,
            _ => Kind::Number,
        };
        Self { kind, json }
    }

    /// A whole document, whatever it holds and stands around it.
    pub fn document(json: &'d str) -> Self {
        // `find` reads it as an object, or it is none.
        Self { kind: Kind::Object, json }
    }

    /// The text.
    pub fn as_str(self) -> &'d str {
        self.json
    }
}

impl<'d> Raw<'d> for TextValue<'d> {
    #[inline]
    fn find(self, wanted: &WantedKeys, found: &mut Found<Self>) -> Result<(), NoKeys> {
        if self.kind != Kind::Object {
            return Err(NoKeys::NotAnObject);
        }
        found.reset(wanted.len());
        if find_canonical(self.json, wanted, found).is_ok() {
            return Ok(());
        }
        found.reset(wanted.len());
        find_any(self.json, wanted, found)
    }

    fn elements(self, out: &mut Vec<Self>) -> Result<bool, Corrupt> {
        if self.kind != Kind::Array {
            return Ok(false);
        }
        let before = out.len();
        if elements_canonical(self.json, out).is_ok() {
            return Ok(true);
        }
        out.truncate(before);
        Ok(match serde_json::from_str::<Vec<&RawValue>>(self.json) {
            Ok(elements) => {
                out.extend(elements.into_iter().map(|raw| Self::new(raw.get())));
                true
            }
            Err(_) => false,
        })
    }

    #[inline]
    fn is_null(self) -> bool {
        self.kind == Kind::Null
    }

    #[inline]
    fn kind(self) -> Result<JsonKind, Corrupt> {
        Ok(match self.kind {
            Kind::Null => JsonKind::Null,
            Kind::False | Kind::True => JsonKind::Boolean,
            Kind::Number => JsonKind::Number,
            Kind::Plain | Kind::Escaped => JsonKind::String,
            Kind::Array => JsonKind::Array,
            Kind::Object => JsonKind::Object,
        })
    }

    #[inline(always)]
    fn value<'s>(self, scratch: &'s mut String) -> Result<Value<'s>, Corrupt>
    where
        'd: 's,
    {
        Ok(match self.kind {
            Kind::Null => Value::Null,
            Kind::False => Value::Bool(false),
            Kind::True => Value::Bool(true),
            Kind::Number => Value::Number(self.json),
            Kind::Plain => Value::String(self.json.get(1..self.json.len() - 1).unwrap_or_default()),
            Kind::Escaped => match unescape(self.json, scratch) {
                true => Value::String(scratch),
                false => Value::Number(self.json),
            },
            Kind::Array => Value::Array(self.json),
            Kind::Object => Value::Object(self.json),
        })
    }

    fn json<'s>(self, _scratch: &'s mut String) -> Result<&'s str, Corrupt>
    where
        'd: 's,
    {
        Ok(self.json)
    }
}

/// Resolves the escapes of a string; says whether it is one.
#[inline(never)]
fn unescape(json: &str, scratch: &mut String) -> bool {
    match serde_json::from_str::<String>(json) {
        Ok(text) => {
            *scratch = text;
            true
        }
        Err(_) => false,
    }
}

/// Reads the value that a JSON text holds. `scratch` keeps a string that had escapes.
pub fn value_of<'a>(json: &'a str, scratch: &'a mut String) -> Value<'a> {
    // Text is never corrupt.
    TextValue::new(json).value(scratch).unwrap_or(Value::Number(json))
}

/// One pass over a document as `jsonb_out` prints it.
fn find_canonical<'d>(
    document: &'d str,
    wanted: &WantedKeys,
    found: &mut Found<TextValue<'d>>,
) -> Result<(), NotCanonical> {
    let bytes = document.as_bytes();
    if bytes == b"{}" {
        return Ok(());
    }
    let mut at = expect(bytes, 0, b"{\"")?;
    let mut next = 0;
    let mut previous: Option<Sorted<'_>> = None;
    loop {
        // Most keys are wanted, and most documents have most of them: the next one is looked for first.
        let guess = wanted.guess(next, bytes, at).and_then(|key| {
            let end = expect(bytes, at + key.bytes.len(), KEY_END).ok()?;
            Some((key, end))
        });
        let (key, value_start) = match guess {
            Some(guess) => guess,
            None => {
                // A key with an escape is rare and its order is that of the unescaped text.
                let key_end = short::quote_or_backslash(bytes, at).ok_or(NotCanonical)?;
                let key = Sorted::new(bytes, at, bytes.get(at..key_end).ok_or(NotCanonical)?);
                (key, expect(bytes, key_end, KEY_END)?)
            }
        };
        if previous.is_some_and(|previous| previous.cmp(&key).is_ge()) {
            return Err(NotCanonical);
        }
        previous = Some(key);
        let (kind, value_end) = skip_value(bytes, value_start)?;
        if guess.is_some() {
            found.put(
                next,
                TextValue { kind, json: document.get(value_start..value_end).ok_or(NotCanonical)? },
            );
            next += 1;
        } else if wanted.is_next(&mut next, key) {
            let json = document.get(value_start..value_end).ok_or(NotCanonical)?;
            found.put(next - 1, TextValue { kind, json });
        } else if found.watches {
            let name = document.get(at..at + key.bytes.len()).ok_or(NotCanonical)?;
            let json = document.get(value_start..value_end).ok_or(NotCanonical)?;
            found.other(name, TextValue { kind, json });
        }
        match bytes.get(value_end) {
            Some(b',') => at = expect(bytes, value_end, b", \"")?,
            Some(b'}') if value_end + 1 == bytes.len() => return Ok(()),
            _ => return Err(NotCanonical),
        }
    }
}

/// The elements of an array as `jsonb_out` prints it.
#[inline(never)]
fn elements_canonical<'d>(json: &'d str, out: &mut Vec<TextValue<'d>>) -> Result<(), NotCanonical> {
    let bytes = json.as_bytes();
    if bytes == b"[]" {
        return Ok(());
    }
    let mut at = expect(bytes, 0, b"[")?;
    loop {
        let (kind, end) = skip_value(bytes, at)?;
        out.push(TextValue { kind, json: json.get(at..end).ok_or(NotCanonical)? });
        match bytes.get(end) {
            Some(b',') => at = expect(bytes, end, b", ")?,
            Some(b']') if end + 1 == bytes.len() => return Ok(()),
            _ => return Err(NotCanonical),
        }
    }
}

/// The same through `serde_json`, for a document in any form.
fn find_any<'d>(
    document: &'d str,
    wanted: &WantedKeys,
    found: &mut Found<TextValue<'d>>,
) -> Result<(), NoKeys> {
    let mut reader = serde_json::Deserializer::from_str(document);
    // jsonb may nest deeper than serde_json's own limit of 128; RawValue does not recurse.
    let entries = reader.deserialize_map(Entries).map_err(|_| NoKeys::NotAnObject)?;
    reader.end().map_err(|_| NoKeys::NotAnObject)?;
    let mut others = BTreeMap::new();
    for (key, raw) in entries {
        let value = TextValue::new(raw.get());
        match wanted.slot(&key) {
            Some(slot) => found.put(slot, value),
            None if found.watches => {
                others.insert(key, value);
            }
            None => {}
        }
    }
    others.into_iter().for_each(|(key, value)| found.other(&key, value));
    Ok(())
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

#[inline]
fn expect<const N: usize>(bytes: &[u8], at: usize, what: &[u8; N]) -> Result<usize, NotCanonical> {
    if bytes.get(at..).and_then(<[u8]>::first_chunk) == Some(what) { Ok(at + N) } else { Err(NotCanonical) }
}

/// The place of the quote that ends the string whose content begins at `at`, and whether an escape stands
/// in it.
#[inline(always)]
fn string_end(bytes: &[u8], mut at: usize) -> Result<(usize, bool), NotCanonical> {
    let mut escaped = false;
    loop {
        let found = short::quote_or_backslash(bytes, at).ok_or(NotCanonical)?;
        if bytes[found] == b'"' {
            return Ok((found, escaped));
        }
        escaped = true;
        at = found + 2;
    }
}

/// What begins at `at`, and the place behind it. It is a part of the scan of a document, and an array's elements must
/// not make it a call: that would be 2 % of the whole transform.
#[inline(always)]
fn skip_value(bytes: &[u8], at: usize) -> Result<(Kind, usize), NotCanonical> {
    match bytes.get(at).ok_or(NotCanonical)? {
        b'"' => {
            let (end, escaped) = string_end(bytes, at + 1)?;
            Ok((if escaped { Kind::Escaped } else { Kind::Plain }, end + 1))
        }
        b'{' => Ok((Kind::Object, skip_structure(bytes, at)?)),
        b'[' => Ok((Kind::Array, skip_structure(bytes, at)?)),
        b't' => Ok((Kind::True, expect(bytes, at, b"true")?)),
        b'f' => Ok((Kind::False, expect(bytes, at, b"false")?)),
        b'n' => Ok((Kind::Null, expect(bytes, at, b"null")?)),
        b'-' | b'0'..=b'9' => {
            let rest = &bytes[at + 1..];
            let digits = rest.iter().position(|b| !b.is_ascii_digit() && *b != b'.').unwrap_or(rest.len());
            Ok((Kind::Number, at + 1 + digits))
        }
        _ => Err(NotCanonical),
    }
}

/// Counts brackets instead of recursing: documents nest as deep as they like.
fn skip_structure(bytes: &[u8], mut at: usize) -> Result<usize, NotCanonical> {
    let mut depth = 0_usize;
    loop {
        match bytes.get(at).ok_or(NotCanonical)? {
            b'"' => at = string_end(bytes, at + 1)?.0,
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
