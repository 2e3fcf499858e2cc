//! The reader of documents in the form in which the server keeps them ([`crate::pgcopy::ondisk`]).
//!
//! Keys stand in front of all values, with their lengths; so the merge touches nothing else, and a value
//! costs a look at its entry. Strings have no escapes. Numbers, objects and arrays are printed when they are
//! asked for, and not before.
//!
//! Most documents of a table have the same keys. Those of one are kept in a [`Memo`] with what the merge made
//! of them, and a document whose keys are the same, byte for byte, is not merged again: two comparisons of
//! some hundred bytes. Of the generated V1 (keys are missing at random) 87 % of the participants and 67 % of
//! the agents have the keys of the most frequent kind.

use super::{Found, NoKeys, Raw, Sorted, WantedKeys};
use crate::pgcopy::ondisk::{Container, Corrupt, DiskValue, Kind, Shape, Values};
use crate::transform::keys::JsonKind;
use crate::transform::value::Value;

/// The keys of one document, and where their values go. It belongs to the wanted keys that it was first used
/// with.
#[derive(Debug, Default)]
pub struct Memo {
    entries: Vec<[u8; 4]>,
    bytes: Vec<u8>,
    /// For each key its slot; `None` where nobody wants it.
    slots: Vec<Option<u32>>,
    /// Where keys are watched, those that nobody wants, in their order.
    others: Vec<Box<str>>,
    /// Documents in a row that had other keys.
    misses: u32,
}

/// So many documents in a row have other keys before theirs are kept instead: a rare kind of document does
/// not drive out the frequent one.
const MISSES: u32 = 4;

impl Memo {
    /// Puts the values of an object into their slots, if its keys are those that are kept.
    #[inline]
    fn find<'d>(&mut self, object: Container<'d>, found: &mut Found<DiskValue<'d>>) -> Result<bool, Corrupt> {
        let Some(mut values) = object.values_of(&self.entries, &self.bytes) else {
            self.misses += 1;
            return Ok(false);
        };
        self.misses = 0;
        let mut others = self.others.iter();
        for slot in &self.slots {
            match slot {
                Some(slot) => found.put(*slot as usize, values.next()?),
                None => match others.next() {
                    Some(name) => found.other(name, values.next()?),
                    None => values.skip()?,
                },
            }
        }
        Ok(true)
    }

    /// Whether the keys of the next document are to be kept.
    fn is_out_of_date(&self) -> bool {
        self.misses > MISSES || self.slots.is_empty()
    }
}

/// The container of a value, where it is an object.
#[inline]
fn object(value: DiskValue<'_>) -> Result<Container<'_>, NoKeys> {
    if value.kind() != Kind::Container {
        return Err(NoKeys::NotAnObject);
    }
    let container = value.container()?;
    if container.shape() == Shape::Object { Ok(container) } else { Err(NoKeys::NotAnObject) }
}

/// The merge of the wanted keys against those of an object. `each` is called for each key with its slot, or with the
/// key itself where nobody wants it.
#[inline]
fn merge<'d>(
    object: Container<'d>,
    wanted: &WantedKeys,
    mut each: impl FnMut(Result<usize, &'d [u8]>, &mut Values<'d>) -> Result<(), Corrupt>,
) -> Result<(), Corrupt> {
    let (mut keys, mut values) = object.keys_and_values()?;
    let mut next = 0;
    let mut previous: Option<Sorted<'_>> = None;
    while let Some(key) = keys.next()? {
        let guess = wanted.guess(next, key.data, key.at).filter(|guess| guess.bytes.len() == key.len);
        let sorted = guess.unwrap_or_else(|| Sorted::new(key.data, key.at, key.bytes()));
        // In another order the merge would miss keys that are there.
        if previous.is_some_and(|previous| previous.cmp(&sorted).is_ge()) {
            return Err(Corrupt);
        }
        previous = Some(sorted);
        if guess.is_some() {
            next += 1;
            each(Ok(next - 1), &mut values)?;
        } else if wanted.is_next(&mut next, sorted) {
            each(Ok(next - 1), &mut values)?;
        } else {
            each(Err(key.bytes()), &mut values)?;
        }
    }
    Ok(())
}

/// A key as text. The server's encoding is UTF-8 where documents are read as it keeps them.
fn name(key: &[u8]) -> Result<&str, Corrupt> {
    std::str::from_utf8(key).map_err(|_| Corrupt)
}

impl<'d> Raw<'d> for DiskValue<'d> {
    fn find(self, wanted: &WantedKeys, found: &mut Found<Self>) -> Result<(), NoKeys> {
        let object = object(self)?;
        found.reset(wanted.len());
        merge(object, wanted, |slot, values| match slot {
            Ok(slot) => {
                found.put(slot, values.next()?);
                Ok(())
            }
            Err(key) if found.watches => {
                found.other(name(key)?, values.next()?);
                Ok(())
            }
            Err(_) => values.skip(),
        })?;
        Ok(())
    }

    fn find_alike(self, wanted: &WantedKeys, memo: &mut Memo, found: &mut Found<Self>) -> Result<(), NoKeys> {
        let object = object(self)?;
        found.reset(wanted.len());
        if memo.find(object, found)? {
            return Ok(());
        }
        if !memo.is_out_of_date() {
            return self.find(wanted, found);
        }
        let Memo { mut slots, mut others, .. } = std::mem::take(memo);
        slots.clear();
        others.clear();
        merge(object, wanted, |slot, values| {
            slots.push(slot.ok().and_then(|slot| slot.try_into().ok()));
            match slot {
                Ok(slot) => {
                    found.put(slot, values.next()?);
                    Ok(())
                }
                Err(key) if found.watches => {
                    let key = name(key)?;
                    others.push(key.into());
                    found.other(key, values.next()?);
                    Ok(())
                }
                Err(_) => values.skip(),
            }
        })?;
        let (keys, _) = object.keys_and_values()?;
        let (entries, bytes) = (object.key_entries().to_vec(), keys.bytes().to_vec());
        *memo = Memo { entries, bytes, slots, others, misses: 0 };
        Ok(())
    }

    fn elements(self, out: &mut Vec<Self>) -> Result<bool, Corrupt> {
        if self.kind() != Kind::Container {
            return Ok(false);
        }
        let container = self.container()?;
        if container.shape() != Shape::Array {
            return Ok(false);
        }
        let mut values = container.elements();
        for _ in 0..container.len() {
            out.push(values.next()?);
        }
        Ok(true)
    }

    #[inline]
    fn is_null(self) -> bool {
        DiskValue::kind(self) == Kind::Null
    }

    #[inline]
    fn kind(self) -> Result<JsonKind, Corrupt> {
        Ok(match DiskValue::kind(self) {
            Kind::Null => JsonKind::Null,
            Kind::False | Kind::True => JsonKind::Boolean,
            Kind::Number => JsonKind::Number,
            Kind::String => JsonKind::String,
            Kind::Container if self.container()?.shape() == Shape::Object => JsonKind::Object,
            Kind::Container => JsonKind::Array,
        })
    }

    #[inline(always)]
    fn value<'s>(self, scratch: &'s mut String) -> Result<Value<'s>, Corrupt>
    where
        'd: 's,
    {
        Ok(match self.kind() {
            Kind::Null => Value::Null,
            Kind::False => Value::Bool(false),
            Kind::True => Value::Bool(true),
            Kind::String => Value::String(self.string()?),
            Kind::Number => {
                scratch.clear();
                self.print_number(scratch)?;
                Value::Number(scratch)
            }
            Kind::Container => match self.printed(scratch)? {
                Shape::Object => Value::Object(scratch),
                Shape::Array | Shape::Scalar => Value::Array(scratch),
            },
        })
    }

    fn json<'s>(self, scratch: &'s mut String) -> Result<&'s str, Corrupt>
    where
        'd: 's,
    {
        scratch.clear();
        self.print(scratch)?;
        Ok(scratch)
    }
}
