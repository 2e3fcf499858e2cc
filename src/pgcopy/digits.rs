//! From the base-10000 digits of a `numeric` to the text that `numeric_out` prints.
//!
//! ```text
//! value = sign × Σ digit[i] × 10000^(weight - i), with dscale decimal digits behind the point
//! ```
//!
//! The wire and the disk hold the same digits behind different headers, and in different byte orders: the
//! reader of each brings a function that reads one digit.

/// The digits of a number, as the wire or the disk has them.
pub(super) struct Digits<'d, R: Fn([u8; 2]) -> u16> {
    pub(super) negative: bool,
    /// The first digit stands for 10000^weight.
    pub(super) weight: i16,
    /// Decimal digits behind the point.
    pub(super) dscale: u16,
    pub(super) digits: &'d [[u8; 2]],
    pub(super) read: R,
}

const BASE: u16 = 10_000;

/// `00`, `01` … `99`: two characters at a time.
static PAIRS: &str = "0001020304050607080910111213141516171819\
                      2021222324252627282930313233343536373839\
                      4041424344454647484950515253545556575859\
                      6061626364656667686970717273747576777879\
                      8081828384858687888990919293949596979899";

/// Appends the number; `None` where a digit is none, and then what was appended is of no use.
#[inline]
pub(super) fn print<R: Fn([u8; 2]) -> u16>(number: Digits<'_, R>, out: &mut String) -> Option<()> {
    let Digits { negative, weight, dscale, digits, read } = number;
    if negative {
        out.push('-');
    }
    let mut rest = digits.iter().map(|&digit| read(digit));
    // Digits that are not there are zeros.
    let mut next = || match rest.next() {
        None => Some(0),
        Some(digit) => (digit < BASE).then_some(digit),
    };
    if weight < 0 {
        out.push('0');
    } else {
        push_first(next()?, out);
        for _ in 0..weight {
            push_group(next()?, out);
        }
    }
    if dscale == 0 {
        return Some(());
    }
    out.push('.');
    let end = out.len() + usize::from(dscale);
    // Between the point and the first digit there are only zeros.
    let mut zeros = -1 - i32::from(weight);
    while out.len() < end {
        if zeros > 0 {
            zeros -= 1;
            out.push_str("0000");
        } else {
            push_group(next()?, out);
        }
    }
    // A group of four may reach beyond the scale.
    out.truncate(end);
    Some(())
}

fn push_pair(number: u16, out: &mut String) {
    let at = 2 * usize::from(number);
    out.push_str(PAIRS.get(at..at + 2).unwrap_or_default());
}

/// All four decimal digits of a digit.
fn push_group(digit: u16, out: &mut String) {
    push_pair(digit / 100, out);
    push_pair(digit % 100, out);
}

/// A digit without the zeros in front.
fn push_first(digit: u16, out: &mut String) {
    let single = |digit: u16| char::from(b'0' + digit as u8);
    match digit {
        0..10 => out.push(single(digit)),
        10..100 => push_pair(digit, out),
        100..1000 => {
            out.push(single(digit / 100));
            push_pair(digit % 100, out);
        }
        _ => push_group(digit, out),
    }
}
