//! A column's own form of dates and times: `MM/DD/YYYY HH24:MI`. Strict: fields have the width of their
//! pattern, everything else stands for itself, and the text has nothing more.

use crate::transform::value::Reason;

use super::calendar::{self, MICROS_PER_SECOND, Stamp};
use super::iso::Rest;

/// A pattern, taken apart.
#[derive(Debug)]
pub(super) struct Format {
    pieces: Vec<Piece>,
    has_time: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Piece {
    Field(Field),
    Literal(u8),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Field {
    Year,
    Month,
    Day,
    Hour,
    Minute,
    Second,
}

const FIELDS: [(&str, Field); 6] = [
    ("YYYY", Field::Year),
    ("MM", Field::Month),
    ("DD", Field::Day),
    ("HH24", Field::Hour),
    ("MI", Field::Minute),
    ("SS", Field::Second),
];

/// The first of them, without which there is no date.
const DATE_FIELDS: usize = 3;

impl Format {
    /// Takes a pattern apart; the error says what is wrong with it.
    pub(super) fn parse(pattern: &str) -> Result<Self, String> {
        let mut pieces = Vec::new();
        let mut rest = pattern;
        while let Some(first) = rest.bytes().next() {
            let field =
                FIELDS.iter().find_map(|(name, field)| Some((name, *field, rest.strip_prefix(name)?)));
            if let Some((name, field, behind)) = field {
                if pieces.contains(&Piece::Field(field)) {
                    return Err(format!("format {pattern:?} has {name} twice"));
                }
                pieces.push(Piece::Field(field));
                rest = behind;
                continue;
            }
            // A letter or digit is a mistyped field more likely than a separator, but for ISO's own.
            if !first.is_ascii() || (first.is_ascii_alphanumeric() && !matches!(first, b'T' | b'Z')) {
                return Err(format!(
                    "format {pattern:?} has {rest:?}, which begins with no field: fields are YYYY, MM, DD, HH24, MI, SS"
                ));
            }
            pieces.push(Piece::Literal(first));
            // The first byte is ASCII: the rest begins at a character.
            rest = &rest[1..];
        }
        let has = |field| pieces.contains(&Piece::Field(field));
        for (name, field) in &FIELDS[..DATE_FIELDS] {
            if !has(*field) {
                return Err(format!("format {pattern:?} lacks {name}"));
            }
        }
        if (has(Field::Minute) && !has(Field::Hour)) || (has(Field::Second) && !has(Field::Minute)) {
            return Err(format!("format {pattern:?} has minutes or seconds without what stands above them"));
        }
        let has_time = has(Field::Hour);
        Ok(Self { pieces, has_time })
    }

    /// Reads a text of this form; `None` where it has another one.
    pub(super) fn read(&self, text: &str) -> Option<Result<Stamp, Reason>> {
        let mut rest = Rest(text.as_bytes());
        let (mut year, mut month, mut day, mut seconds) = (0, 0, 0, 0);
        for piece in &self.pieces {
            match *piece {
                Piece::Literal(byte) => rest.expect(byte)?,
                Piece::Field(Field::Year) => year = rest.field(4)?,
                Piece::Field(Field::Month) => month = rest.field(2)?,
                Piece::Field(Field::Day) => day = rest.field(2)?,
                Piece::Field(Field::Hour) => seconds += below(rest.field(2)?, 24)? * 3600,
                Piece::Field(Field::Minute) => seconds += below(rest.field(2)?, 60)? * 60,
                Piece::Field(Field::Second) => seconds += below(rest.field(2)?, 60)?,
            }
        }
        if !rest.0.is_empty() {
            return None;
        }
        let micros = self.has_time.then_some(seconds * MICROS_PER_SECOND);
        Some(calendar::epoch_day(year, month, day).map(|epoch_day| Stamp {
            epoch_day,
            micros,
            offset_seconds: 0,
        }))
    }
}

fn below(value: i64, limit: i64) -> Option<i64> {
    (value < limit).then_some(value)
}
