//! From the payload of a field to the text that the server prints of it, without a server.
//!
//! It is what `column::text` gives in a session with `DateStyle = ISO`, `TimeZone = UTC` and
//! `extra_float_digits = 1`, for each type that has an encoding here. This is no part of the data
//! path: a pipeline that tests itself shows with it what a row would hold. The tests hold it against
//! the server, value by value.

mod array;
mod float;
mod jsonb;
mod number;
mod time;

use crate::schema::{ColumnType, Scalar};

pub use jsonb::canonical;

/// The text of a payload; `None` where it is none of the type.
pub fn text_of(payload: &[u8], column_type: ColumnType) -> Option<String> {
    match column_type {
        ColumnType { scalar, array: true } => array::text(payload, scalar),
        // The cast to text spells a boolean out, where its output function does not.
        ColumnType { scalar: Scalar::Boolean, .. } => match payload {
            [0] => Some("false".to_owned()),
            [1] => Some("true".to_owned()),
            _ => None,
        },
        ColumnType { scalar, .. } => output(payload, scalar),
    }
}

/// What the type's output function gives, as it stands inside an array.
fn output(payload: &[u8], scalar: Scalar) -> Option<String> {
    Some(match scalar {
        Scalar::Text | Scalar::Varchar(_) | Scalar::Json => utf8(payload)?,
        Scalar::SmallInt => i16::from_be_bytes(payload.try_into().ok()?).to_string(),
        Scalar::Integer => i32::from_be_bytes(payload.try_into().ok()?).to_string(),
        Scalar::BigInt => i64::from_be_bytes(payload.try_into().ok()?).to_string(),
        Scalar::Numeric(_) => number::text(payload)?,
        Scalar::Real => float::real(f32::from_be_bytes(payload.try_into().ok()?)),
        Scalar::Double => float::double(f64::from_be_bytes(payload.try_into().ok()?)),
        Scalar::Boolean => match payload {
            [0] => "f".to_owned(),
            [1] => "t".to_owned(),
            _ => return None,
        },
        Scalar::Date => time::date(i32::from_be_bytes(payload.try_into().ok()?)),
        Scalar::Timestamp => time::timestamp(i64::from_be_bytes(payload.try_into().ok()?), ""),
        Scalar::TimestampTz => time::timestamp(i64::from_be_bytes(payload.try_into().ok()?), "+00"),
        Scalar::Uuid => uuid(payload.try_into().ok()?),
        Scalar::Jsonb => jsonb::text(payload)?,
    })
}

fn utf8(payload: &[u8]) -> Option<String> {
    std::str::from_utf8(payload).ok().map(str::to_owned)
}

fn uuid(bytes: [u8; 16]) -> String {
    let mut text = String::with_capacity(36);
    for (place, byte) in bytes.iter().enumerate() {
        if matches!(place, 4 | 6 | 8 | 10) {
            text.push('-');
        }
        text.push_str(&format!("{byte:02x}"));
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(payload: &[u8], column_type: &str) -> Option<String> {
        text_of(payload, column_type.parse().expect("a type"))
    }

    #[test]
    fn integers_texts_booleans_and_uuids_are_printed_as_the_server_casts_them() {
        for (payload, column_type, expected) in [
            (&[0xFF, 0xFF][..], "smallint", "-1"),
            (&[0x7F, 0xFF, 0xFF, 0xFF], "integer", "2147483647"),
            (&[0x80, 0, 0, 0, 0, 0, 0, 0], "bigint", "-9223372036854775808"),
            ("é ".as_bytes(), "text", "é "),
            (b"ab", "varchar(3)", "ab"),
            (&[1], "boolean", "true"),
            (&[0], "boolean", "false"),
            (
                &[
                    0xA0, 0xEE, 0xBC, 0x99, 0x9C, 0x0B, 0x4E, 0xF8, 0xBB, 0x6D, 0x6B, 0xB9, 0xBD, 0x38, 0x0A,
                    0x11,
                ],
                "uuid",
                "a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11",
            ),
            (br#"{"b":1}"#, "json", r#"{"b":1}"#),
        ] {
            assert_eq!(text(payload, column_type).as_deref(), Some(expected), "{column_type}");
        }
    }

    #[test]
    fn a_payload_of_another_length_is_none_of_the_type() {
        for column_type in ["smallint", "integer", "bigint", "boolean", "real", "double precision", "date"] {
            assert_eq!(text(&[1, 2, 3], column_type), None, "{column_type}");
        }
        for column_type in ["timestamp", "timestamptz", "uuid", "numeric", "jsonb", "integer[]"] {
            assert_eq!(text(&[2, 0, 3], column_type), None, "{column_type}");
        }
        assert_eq!(text(&[0xFF], "text"), None);
    }
}
