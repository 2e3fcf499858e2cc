//! The reader of documents in the form in which the server keeps them ([`crate::pgcopy::ondisk`]).
//!
//! Keys stand in front of all values, with their lengths; so the merge touches nothing else, and a value
//! costs a look at its entry. Strings have no escapes. Numbers, objects and arrays are printed when they are
//! asked for, and not before.

use super::{Found, NoKeys, Raw, Sorted, WantedKeys};
use crate::pgcopy::ondisk::{Corrupt, DiskValue, Kind, Shape};
use crate::transform::value::Value;

impl<'d> Raw<'d> for DiskValue<'d> {
    #[inline]
    fn find(self, wanted: &WantedKeys, found: &mut Found<Self>) -> Result<(), NoKeys> {
        if self.kind() != Kind::Container {
            return Err(NoKeys::NotAnObject);
        }
        let container = self.container()?;
        if container.shape() != Shape::Object {
            return Err(NoKeys::NotAnObject);
        }
        found.reset(wanted.len());
        let (mut keys, mut values) = container.keys_and_values()?;
        let mut next = 0;
        let mut previous: Option<Sorted<'_>> = None;
        while let Some(key) = keys.next()? {
            let guess = wanted.guess(next, key.data, key.at).filter(|guess| guess.bytes.len() == key.len);
            let key = guess.unwrap_or_else(|| Sorted::new(key.data, key.at, key.bytes()));
            // In another order the merge would miss keys that are there.
            if previous.is_some_and(|previous| previous.cmp(&key).is_ge()) {
                return Err(NoKeys::Corrupt);
            }
            previous = Some(key);
            if guess.is_some() {
                found.put(next, values.next()?);
                next += 1;
            } else if wanted.is_next(&mut next, key) {
                found.put(next - 1, values.next()?);
            } else {
                values.skip()?;
            }
        }
        Ok(())
    }

    #[inline]
    fn is_null(self) -> bool {
        self.kind() == Kind::Null
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
