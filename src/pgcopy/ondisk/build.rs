//! Documents in the form on disk, built for tests as `jsonb_util.c` builds them, in either byte order.

use super::ByteOrder;

/// A value to be built. The keys of an object must be in the order of jsonb.
#[derive(Clone)]
pub(crate) enum Built {
    Null,
    Bool(bool),
    String(&'static str),
    /// The words of a `numeric` behind its length: header, perhaps weight, digits.
    Number(Vec<u16>),
    Array(Vec<Built>),
    Object(Vec<(&'static str, Built)>),
    /// Any bytes, as a string.
    Bytes(&'static [u8]),
}

impl Built {
    /// A whole number below 10,000: a short header without dscale.
    pub(crate) fn small(digit: u16) -> Self {
        Self::Number(if digit == 0 { vec![0x8000] } else { vec![0x8000, digit] })
    }

    /// The payload of a document.
    pub(crate) fn document(&self, order: ByteOrder) -> Vec<u8> {
        let mut out = Vec::new();
        match self {
            Self::Array(_) | Self::Object(_) => {
                self.append(order, &mut out);
            }
            scalar => container(5, 1, vec![scalar], order, &mut out),
        }
        out
    }

    /// Appends the data of the value; its entry without a length.
    fn append(&self, order: ByteOrder, out: &mut Vec<u8>) -> u32 {
        match self {
            Self::Null => 4,
            Self::Bool(truth) => 2 + u32::from(*truth),
            Self::String(text) => {
                out.extend_from_slice(text.as_bytes());
                0
            }
            Self::Bytes(bytes) => {
                out.extend_from_slice(bytes);
                0
            }
            Self::Number(words) => {
                pad(out);
                let bytes = 4 + 2 * words.len() as u32;
                match order {
                    ByteOrder::Little => out.extend_from_slice(&(bytes << 2).to_le_bytes()),
                    ByteOrder::Big => out.extend_from_slice(&bytes.to_be_bytes()),
                }
                for word in words {
                    match order {
                        ByteOrder::Little => out.extend_from_slice(&word.to_le_bytes()),
                        ByteOrder::Big => out.extend_from_slice(&word.to_be_bytes()),
                    }
                }
                1
            }
            Self::Array(elements) => {
                pad(out);
                container(4, elements.len(), elements.iter().collect(), order, out);
                5
            }
            Self::Object(pairs) => {
                pad(out);
                let keys: Vec<Self> = pairs.iter().map(|(key, _)| Self::String(key)).collect();
                let entries = keys.iter().chain(pairs.iter().map(|(_, value)| value)).collect();
                container(2, pairs.len(), entries, order, out);
                5
            }
        }
    }
}

/// The document begins at a multiple of four, and so does everything that is aligned in it.
fn pad(out: &mut Vec<u8>) {
    out.resize(out.len().next_multiple_of(4), 0);
}

fn container(flags: u32, count: usize, entries: Vec<&Built>, order: ByteOrder, out: &mut Vec<u8>) {
    push(flags << 28 | count as u32, order, out);
    let first = out.len();
    out.resize(first + 4 * entries.len(), 0);
    let data = out.len();
    for (index, entry) in entries.into_iter().enumerate() {
        let start = out.len();
        let kind = entry.append(order, out);
        let field = match index % 32 {
            0 => 0x8000_0000 | (out.len() - data) as u32,
            _ => (out.len() - start) as u32,
        };
        let mut word = Vec::new();
        push(kind << 28 | field, order, &mut word);
        out[first + 4 * index..][..4].copy_from_slice(&word);
    }
}

fn push(word: u32, order: ByteOrder, out: &mut Vec<u8>) {
    match order {
        ByteOrder::Little => out.extend_from_slice(&word.to_le_bytes()),
        ByteOrder::Big => out.extend_from_slice(&word.to_be_bytes()),
    }
}
