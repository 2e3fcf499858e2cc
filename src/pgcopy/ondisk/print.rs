//! A value as `jsonb_out` prints it: `": "` and `", "` between, strings escaped, numbers with all their
//! digits, and a document that is a scalar without the array that holds it.
//!
//! Containers nest as deep as the bytes do: what is open is kept in a list, not on the stack. Eight bytes
//! at least open a container, and the list takes some 150 for each: the server itself nests no deeper than
//! some ten thousand levels.

use super::{Corrupt, DiskValue, Key, Keys, Kind, Shape, Values};
use crate::pgcopy::quote;

/// A container of which some entries are still to be printed.
struct Open<'d> {
    /// Of an object.
    keys: Option<Keys<'d>>,
    values: Values<'d>,
    printed: usize,
}

/// Appends a value.
pub(super) fn print(value: DiskValue<'_>, out: &mut String) -> Result<(), Corrupt> {
    let mut open = Vec::new();
    begin(value, &mut open, out)?;
    while let Some(innermost) = open.last_mut() {
        let Open { keys, values, printed } = innermost;
        let key = match keys {
            Some(keys) => keys.next()?,
            None => None,
        };
        if *printed == values.count {
            out.push_str(brackets(values.shape).1);
            open.pop();
            continue;
        }
        if *printed > 0 {
            out.push_str(", ");
        }
        *printed += 1;
        if let Some(key) = key {
            push_key(key, out)?;
        }
        let value = values.next()?;
        begin(value, &mut open, out)?;
    }
    Ok(())
}

/// Appends a scalar whole, and of a container its first bracket.
fn begin<'d>(value: DiskValue<'d>, open: &mut Vec<Open<'d>>, out: &mut String) -> Result<(), Corrupt> {
    match value.kind() {
        Kind::Null => out.push_str("null"),
        Kind::False => out.push_str("false"),
        Kind::True => out.push_str("true"),
        Kind::String => quote::push(value.string()?, out),
        Kind::Number => value.print_number(out)?,
        Kind::Container => {
            let container = value.container()?;
            out.push_str(brackets(container.shape()).0);
            let (keys, values) = match container.shape() {
                Shape::Object => {
                    let (keys, values) = container.keys_and_values()?;
                    (Some(keys), values)
                }
                Shape::Array | Shape::Scalar => (None, container.elements()),
            };
            open.push(Open { keys, values, printed: 0 });
        }
    }
    Ok(())
}

fn brackets(shape: Shape) -> (&'static str, &'static str) {
    match shape {
        Shape::Object => ("{", "}"),
        Shape::Array => ("[", "]"),
        Shape::Scalar => ("", ""),
    }
}

fn push_key(key: Key<'_>, out: &mut String) -> Result<(), Corrupt> {
    quote::push(std::str::from_utf8(key.bytes()).map_err(|_| Corrupt)?, out);
    out.push_str(": ");
    Ok(())
}
