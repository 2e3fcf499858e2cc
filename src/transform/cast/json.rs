//! To `json` and `jsonb`: the value as it stands. The server brings a `jsonb` into its own form when it
//! receives it; its payload is a version byte and the text.

use crate::pgcopy::JSONB_VERSION;
use crate::transform::value::{Cell, Coercion, Reason, Value};

use super::json_syntax;

#[derive(Debug)]
pub(super) struct JsonCast {
    jsonb: bool,
    /// A string holds JSON text.
    parse: bool,
}

impl JsonCast {
    pub(super) fn new(jsonb: bool, parse: bool) -> Self {
        Self { jsonb, parse }
    }

    pub(super) fn encode(&self, value: &Value<'_>, out: &mut Vec<u8>) -> Result<Cell, Reason> {
        let (text, cell) = match *value {
            Value::Null => return Ok(Cell::NULL),
            Value::String(text) if self.parse => (text, Cell::coerced(Coercion::JsonFromString)),
            Value::String(text) => return self.encode_string(text, out),
            Value::Bool(true) => ("true", Cell::VALUE),
            Value::Bool(false) => ("false", Cell::VALUE),
            Value::Number(text) | Value::Array(text) | Value::Object(text) => (text, Cell::VALUE),
        };
        // A string that the server takes for no JSON of the column's type holds none, whatever it lacks.
        let held = matches!(value, Value::String(_));
        json_syntax::check(text, self.jsonb).map_err(|reason| if held { Reason::NotJson } else { reason })?;
        self.begin(out);
        out.extend_from_slice(text.as_bytes());
        Ok(cell)
    }

    fn encode_string(&self, text: &str, out: &mut Vec<u8>) -> Result<Cell, Reason> {
        if self.jsonb && memchr::memchr(0, text.as_bytes()).is_some() {
            return Err(Reason::WrongKind);
        }
        self.begin(out);
        quote(text, out);
        Ok(Cell::VALUE)
    }

    fn begin(&self, out: &mut Vec<u8>) {
        if self.jsonb {
            out.push(JSONB_VERSION);
        }
    }
}

/// Appends a string as JSON text.
fn quote(text: &str, out: &mut Vec<u8>) {
    out.push(b'"');
    let mut rest = text.as_bytes();
    while let Some(place) = rest.iter().position(|&byte| matches!(byte, b'"' | b'\\' | 0..0x20)) {
        let (plain, behind) = rest.split_at(place);
        out.extend_from_slice(plain);
        let Some((&byte, behind)) = behind.split_first() else { break };
        match byte {
            b'"' | b'\\' => out.extend_from_slice(&[b'\\', byte]),
            b'\n' => out.extend_from_slice(b"\\n"),
            b'\r' => out.extend_from_slice(b"\\r"),
            b'\t' => out.extend_from_slice(b"\\t"),
            // Below 0x20: two hexadecimal digits, the first 0 or 1; a nibble is a place in the sixteen.
            control => {
                out.extend_from_slice(b"\\u00");
                out.push(b'0' + (control >> 4));
                out.push(b"0123456789abcdef"[usize::from(control & 0xF)]);
            }
        }
        rest = behind;
    }
    out.extend_from_slice(rest);
    out.push(b'"');
}
