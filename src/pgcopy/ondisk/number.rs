//! A number inside a document: a `numeric` as `numeric.h` lays it out.
//!
//! ```text
//! number = varlena header: u32  short | long
//! short  = 0b10: 2 bits  sign: 1  dscale: 6  sign of weight: 1  weight: 6         digit: i16 *
//! long   = sign: 2 bits  dscale: 14                                weight: i16    digit: i16 *
//! ```
//!
//! The header of a `varlena` of four bytes holds the length, itself included, beside two bits that are zero:
//! the lowest on a machine of little-endian order, the highest on another. Jsonb keeps no NaN and no
//! infinity.

use super::{ByteOrder, Corrupt};
use crate::pgcopy::digits::{self, Digits};

const HEADER_BYTES: usize = 4;
const SHORT: u16 = 0x8000;
const SPECIAL: u16 = 0xC000;
const SHORT_NEGATIVE: u16 = 0x2000;
const SHORT_DSCALE: u16 = 0x1F80;
const SHORT_DSCALE_SHIFT: u32 = 7;
const SHORT_WEIGHT_NEGATIVE: u16 = 0x0040;
const SHORT_WEIGHT: u16 = 0x003F;
const LONG_NEGATIVE: u16 = 0x4000;
const LONG_DSCALE: u16 = 0x3FFF;

/// Appends a number as `numeric_out` prints it.
#[inline]
pub(super) fn print(bytes: &[u8], order: ByteOrder, out: &mut String) -> Result<(), Corrupt> {
    let (&varlena, rest) = bytes.split_first_chunk().ok_or(Corrupt)?;
    let length = match (order, order.u32(varlena)) {
        (ByteOrder::Little, header) if header & 3 == 0 => header >> 2,
        (ByteOrder::Big, header) if header >> 30 == 0 => header,
        _ => return Err(Corrupt),
    };
    if length as usize != HEADER_BYTES + rest.len() {
        return Err(Corrupt);
    }
    let (&header, rest) = rest.split_first_chunk().ok_or(Corrupt)?;
    let header = order.u16(header);
    let (negative, dscale, weight, digits) = if header & SHORT == 0 {
        let (&weight, rest) = rest.split_first_chunk().ok_or(Corrupt)?;
        (header & LONG_NEGATIVE != 0, header & LONG_DSCALE, order.u16(weight).cast_signed(), rest)
    } else if header & SPECIAL == SPECIAL {
        return Err(Corrupt);
    } else {
        let weight = header & SHORT_WEIGHT;
        let weight = if header & SHORT_WEIGHT_NEGATIVE == 0 { weight } else { weight | !SHORT_WEIGHT };
        let dscale = (header & SHORT_DSCALE) >> SHORT_DSCALE_SHIFT;
        (header & SHORT_NEGATIVE != 0, dscale, weight.cast_signed(), rest)
    };
    let (digits, []) = digits.as_chunks() else { return Err(Corrupt) };
    // `make_result` leaves no zero in front, and of zero nothing at all.
    match digits.first() {
        Some(&first) if order.u16(first) == 0 => return Err(Corrupt),
        None if weight != 0 => return Err(Corrupt),
        _ => {}
    }
    let digits = Digits { negative, weight, dscale, digits, read: |digit| order.u16(digit) };
    digits::print(digits, out).ok_or(Corrupt)
}
