//! Whether a text is JSON, and JSON that the server takes.
//!
//! A value that goes into a `json` or `jsonb` column is passed on as it stands, so what is wrong with it
//! must be found here: the server would find it in the middle of a COPY. The grammar is that of RFC
//! 8259, as the server's own parser has it. `jsonb` resolves escapes and numbers and is narrower: no
//! U+0000, whole surrogate pairs, numbers that a `numeric` holds.
//!
//! One pass, no recursion, and no allocation below 65 levels of nesting: a bit per open bracket is all
//! that has to be remembered.

use crate::pgcopy::numeric::Decimal;
use crate::transform::value::Reason;

/// The server parses by recursion and stops at `max_stack_depth`; with its default of 2 MB at some
/// 14,000 levels (measured on PostgreSQL 15).
const MAX_DEPTH: usize = 12_000;

/// A number of fewer characters and no exponent fits a `numeric` in any case.
const SURELY_FITS_BYTES: usize = 16_000;

/// Checks a text for a column of type `jsonb`, or `json`.
pub(super) fn check(text: &str, jsonb: bool) -> Result<(), Reason> {
    let mut reader = Reader { bytes: text.as_bytes(), at: 0, jsonb };
    let mut open = Brackets::default();
    loop {
        match reader.next_token() {
            Some(b'{') => {
                open.push(true)?;
                if reader.take(b'}') {
                    open.pop();
                } else {
                    reader.key()?;
                    continue;
                }
            }
            Some(b'[') => {
                open.push(false)?;
                if reader.take(b']') {
                    open.pop();
                } else {
                    continue;
                }
            }
            Some(first) => reader.scalar(first)?,
            None => return Err(Reason::NotJson),
        }
        // A value has ended: brackets close until a comma announces the next one.
        loop {
            match (open.innermost_is_object(), reader.next_token()) {
                (None, None) => return Ok(()),
                (Some(true), Some(b'}')) | (Some(false), Some(b']')) => open.pop(),
                (Some(true), Some(b',')) => {
                    reader.key()?;
                    break;
                }
                (Some(false), Some(b',')) => break,
                _ => return Err(Reason::NotJson),
            }
        }
    }
}

/// Whether a text is a JSON number and nothing else.
pub(super) fn is_number(text: &str) -> bool {
    number_end(text.as_bytes(), 0) == Some(text.len())
}

/// Whether the text of an object has no entry.
pub(super) fn is_empty_object(text: &str) -> bool {
    text.strip_prefix('{').is_some_and(|rest| rest.trim_start().starts_with('}'))
}

struct Reader<'a> {
    bytes: &'a [u8],
    at: usize,
    jsonb: bool,
}

impl Reader<'_> {
    /// Takes the next byte behind white space.
    fn next_token(&mut self) -> Option<u8> {
        loop {
            let byte = *self.bytes.get(self.at)?;
            self.at += 1;
            if !matches!(byte, b' ' | b'\n' | b'\r' | b'\t') {
                return Some(byte);
            }
        }
    }

    /// Takes the next byte behind white space if it is this one.
    fn take(&mut self, wanted: u8) -> bool {
        let start = self.at;
        let taken = self.next_token() == Some(wanted);
        if !taken {
            self.at = start;
        }
        taken
    }

    /// Takes the key of an entry and its colon.
    fn key(&mut self) -> Result<(), Reason> {
        if self.next_token() != Some(b'"') {
            return Err(Reason::NotJson);
        }
        self.string()?;
        if self.next_token() == Some(b':') { Ok(()) } else { Err(Reason::NotJson) }
    }

    /// Takes the rest of a string, number or literal.
    fn scalar(&mut self, first: u8) -> Result<(), Reason> {
        match first {
            b'"' => self.string(),
            b't' => self.literal(b"rue"),
            b'f' => self.literal(b"alse"),
            b'n' => self.literal(b"ull"),
            b'-' | b'0'..=b'9' => self.number(),
            _ => Err(Reason::NotJson),
        }
    }

    fn literal(&mut self, rest: &[u8]) -> Result<(), Reason> {
        if self.bytes.get(self.at..self.at + rest.len()) != Some(rest) {
            return Err(Reason::NotJson);
        }
        self.at += rest.len();
        Ok(())
    }

    fn number(&mut self) -> Result<(), Reason> {
        let start = self.at - 1;
        self.at = number_end(self.bytes, start).ok_or(Reason::NotJson)?;
        let number = self.bytes.get(start..self.at).unwrap_or_default();
        let suspect = number.len() > SURELY_FITS_BYTES || number.iter().any(|byte| byte | 0x20 == b'e');
        if self.jsonb && suspect {
            let decimal = std::str::from_utf8(number).ok().and_then(Decimal::parse).ok_or(Reason::NotJson)?;
            if !decimal.fits() {
                return Err(Reason::OutOfRange);
            }
        }
        Ok(())
    }

    /// Takes a string behind its opening quote.
    fn string(&mut self) -> Result<(), Reason> {
        loop {
            let byte = *self.bytes.get(self.at).ok_or(Reason::NotJson)?;
            self.at += 1;
            match byte {
                b'"' => return Ok(()),
                b'\\' => self.escape()?,
                0..0x20 => return Err(Reason::NotJson),
                _ => {}
            }
        }
    }

    /// Takes an escape behind its backslash, with the second half of a surrogate pair.
    fn escape(&mut self) -> Result<(), Reason> {
        let byte = *self.bytes.get(self.at).ok_or(Reason::NotJson)?;
        self.at += 1;
        match byte {
            b'"' | b'\\' | b'/' | b'b' | b'f' | b'n' | b'r' | b't' => Ok(()),
            b'u' => match self.code_unit()? {
                _ if !self.jsonb => Ok(()),
                0 => Err(Reason::WrongKind),
                0xD800..=0xDBFF => {
                    self.literal(b"\\u")?;
                    if (0xDC00..=0xDFFF).contains(&self.code_unit()?) { Ok(()) } else { Err(Reason::NotJson) }
                }
                0xDC00..=0xDFFF => Err(Reason::NotJson),
                _ => Ok(()),
            },
            _ => Err(Reason::NotJson),
        }
    }

    fn code_unit(&mut self) -> Result<u32, Reason> {
        let digits = self.bytes.get(self.at..self.at + 4).ok_or(Reason::NotJson)?;
        self.at += 4;
        digits.iter().try_fold(0, |unit, &digit| {
            char::from(digit).to_digit(16).map(|value| unit << 4 | value).ok_or(Reason::NotJson)
        })
    }
}

/// The place behind the number that begins at `start`; `None` where none does.
fn number_end(bytes: &[u8], start: usize) -> Option<usize> {
    let digits_end = |from: usize| {
        let digits = bytes.get(from..)?.iter().take_while(|byte| byte.is_ascii_digit()).count();
        (digits > 0).then_some(from + digits)
    };
    let whole = start + usize::from(bytes.get(start) == Some(&b'-'));
    let mut end = digits_end(whole)?;
    if bytes.get(whole) == Some(&b'0') && end > whole + 1 {
        return None;
    }
    if bytes.get(end) == Some(&b'.') {
        end = digits_end(end + 1)?;
    }
    if let Some(b'e' | b'E') = bytes.get(end) {
        let sign = usize::from(matches!(bytes.get(end + 1), Some(b'+' | b'-')));
        end = digits_end(end + 1 + sign)?;
    }
    Some(end)
}

/// The open brackets, a bit each: 1 is an object.
#[derive(Default)]
struct Brackets {
    depth: usize,
    /// The innermost 64.
    recent: u64,
    /// The others, in lots of 64.
    outer: Vec<u64>,
}

impl Brackets {
    fn push(&mut self, object: bool) -> Result<(), Reason> {
        if self.depth == MAX_DEPTH {
            return Err(Reason::OutOfRange);
        }
        if self.depth > 0 && self.depth.is_multiple_of(64) {
            self.outer.push(self.recent);
        }
        self.recent = self.recent << 1 | u64::from(object);
        self.depth += 1;
        Ok(())
    }

    fn pop(&mut self) {
        self.depth -= 1;
        if self.depth > 0 && self.depth.is_multiple_of(64) {
            self.recent = self.outer.pop().unwrap_or_default();
        } else {
            self.recent >>= 1;
        }
    }

    fn innermost_is_object(&self) -> Option<bool> {
        (self.depth > 0).then_some(self.recent & 1 == 1)
    }
}
