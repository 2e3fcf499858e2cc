//! To `uuid`: 32 hexadecimal digits of any case, perhaps in braces, with a hyphen behind any group of
//! four; what `uuid_in` takes. White space is no part of that syntax.

use crate::transform::value::{Cell, Reason, Value};

use super::trim;

pub(super) fn encode(value: &Value<'_>, out: &mut Vec<u8>) -> Result<Cell, Reason> {
    match *value {
        Value::Null => Ok(Cell::NULL),
        Value::String(text) => match read(text.as_bytes()) {
            Some(uuid) => {
                out.extend_from_slice(&uuid);
                Ok(Cell::VALUE)
            }
            None if trim(text).is_empty() => Ok(Cell::BLANK),
            None => Err(Reason::NotAUuid),
        },
        Value::Bool(_) | Value::Number(_) | Value::Array(_) | Value::Object(_) => Err(Reason::WrongKind),
    }
}

fn read(text: &[u8]) -> Option<[u8; 16]> {
    let mut rest = match text {
        [b'{', inner @ .., b'}'] => inner,
        text => text,
    };
    let mut uuid = [0; 16];
    for (place, byte) in uuid.iter_mut().enumerate() {
        let [high, low, behind @ ..] = rest else { return None };
        *byte = hex(*high)? << 4 | hex(*low)?;
        rest = match behind {
            [b'-', behind @ ..] if place % 2 == 1 && place < 15 => behind,
            behind => behind,
        };
    }
    rest.is_empty().then_some(uuid)
}

fn hex(digit: u8) -> Option<u8> {
    match digit {
        b'0'..=b'9' => Some(digit - b'0'),
        b'a'..=b'f' => Some(digit - b'a' + 10),
        b'A'..=b'F' => Some(digit - b'A' + 10),
        _ => None,
    }
}
