//! One cell: from the value that a document holds to a field of a row, a default, NULL, or the quarantine.
//!
//! [`ColumnProgram::write`] runs some twenty times a document, and at a million documents a second it has
//! some twenty nanoseconds. What a profile showed to matter, in this order: a value is read where it stands
//! and handed on by reference, because a copy is made of the parts that were just written one by one, and the
//! processor waits for them (a quarter of the whole transform); the one key of a column is looked up
//! directly; the way to the cast is inlined, and what is rare is not.

use super::find::find_first;
use super::reject::{Reject, write_reject};
use super::{ColumnProgram, NoRow, Row, Scratch, Source, TargetProgram};
use crate::error::Error;
use crate::pgcopy::RowBuffer;
use crate::pgcopy::ondisk::Corrupt;
use crate::spec::model::OnReject;
use crate::transform::document::Raw;
use crate::transform::output::{Output, Rule};
use crate::transform::rules::{Ruled, Rules};
use crate::transform::value::{Coercion, Reason, Value};

/// The cell that is being written.
pub(super) struct Place<'a, R> {
    pub(super) target: &'a TargetProgram,
    /// That of the tally.
    pub(super) slot: usize,
    pub(super) row: &'a Row<'a, R>,
}

impl<R> Clone for Place<'_, R> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<R> Copy for Place<'_, R> {}

impl ColumnProgram {
    #[inline]
    pub(super) fn write<'d, R: Raw<'d>>(
        &self,
        place: Place<'_, R>,
        buffer: &mut RowBuffer,
        scratch: &mut Scratch<R>,
        output: &mut Output,
    ) -> Result<(), NoRow> {
        let Place { row, slot, .. } = place;
        // A value is read where it stands: handed around by itself, it would be written and read again.
        let value = match &self.source {
            Source::Key(key) => match row.found.get(*key) {
                Some(raw) => raw.value(&mut scratch.text)?,
                None => Value::Null,
            },
            Source::Paths(paths) => match find_first(paths, row, &mut scratch.inner)? {
                Some(raw) => raw.value(&mut scratch.text)?,
                None => Value::Null,
            },
            Source::Id => Value::Number(row.id_text),
            Source::Position => match row.element {
                Some(element) => Value::Number(element.position_text),
                None => Value::Null,
            },
            Source::Const(payload) => {
                buffer.field(payload);
                return Ok(());
            }
        };
        let (present, coercion) = match self.cell(&value, buffer) {
            Ok(written) => written,
            Err(reason) => return self.reject(place, reason, buffer, scratch, output),
        };
        if let Some(coercion) = coercion {
            output.tally.count(slot, Rule::Coerced(coercion), row.id);
        }
        match &self.default {
            _ if present => Ok(()),
            Some(payload) => {
                buffer.field(payload);
                Ok(())
            }
            None if self.is_merge_key => Err(self.set_aside(place, Reason::NoKey, scratch, output)),
            None if self.not_null => Err(self.set_aside(place, Reason::NullNotAllowed, scratch, output)),
            None => {
                buffer.null();
                Ok(())
            }
        }
    }

    /// Writes what stands in the place of a value that was rejected.
    #[cold]
    fn reject<'d, R: Raw<'d>>(
        &self,
        place: Place<'_, R>,
        reason: Reason,
        buffer: &mut RowBuffer,
        scratch: &mut Scratch<R>,
        output: &mut Output,
    ) -> Result<(), NoRow> {
        let Place { target, slot, row } = place;
        if self.on_reject == OnReject::Abort {
            return Err(NoRow::Aborted(self.abort(target, row.id, reason)));
        }
        let instead = match &self.default {
            _ if self.on_reject == OnReject::Row || self.is_merge_key => None,
            Some(payload) => Some(Some(payload)),
            None if self.not_null => None,
            None => Some(None),
        };
        let Some(instead) = instead else {
            return Err(self.set_aside(place, reason, scratch, output));
        };
        let raw = self.raw_json(row, scratch)?;
        let key = row.key(&self.key);
        write_reject(output, slot, row.id, Reject::cell(target, self, row, &key, raw, reason));
        match instead {
            Some(payload) => buffer.field(payload),
            None => buffer.null(),
        }
        Ok(())
    }

    /// Appends the field of a value; says whether it is one, not NULL. On NULL nothing is appended.
    #[inline(always)]
    fn cell(&self, value: &Value<'_>, buffer: &mut RowBuffer) -> Result<(bool, Option<Coercion>), Reason> {
        match &self.rules {
            None => self.cast_into(value, buffer),
            Some(rules) => self.cell_by_rules(rules, value, buffer),
        }
    }

    #[inline(never)]
    fn cell_by_rules(
        &self,
        rules: &Rules,
        value: &Value<'_>,
        buffer: &mut RowBuffer,
    ) -> Result<(bool, Option<Coercion>), Reason> {
        let text = match rules.apply(*value)? {
            Ruled::Null => return Ok((false, Some(Coercion::NamedNull))),
            Ruled::Unchanged => None,
            Ruled::Text(text) => Some(text),
        };
        let ruled = text.as_deref().map_or(*value, Value::String);
        let (present, coercion) = self.cast_into(&ruled, buffer)?;
        Ok((present, coercion.or(text.map(|_| Coercion::TextRule))))
    }

    #[inline(always)]
    fn cast_into(
        &self,
        value: &Value<'_>,
        buffer: &mut RowBuffer,
    ) -> Result<(bool, Option<Coercion>), Reason> {
        let mut field = buffer.open_field();
        let cell = self.cast.encode(value, field.payload())?;
        if !cell.null {
            field.close();
        }
        Ok((!cell.null, cell.coercion))
    }

    /// Puts the whole row into the quarantine.
    #[cold]
    fn set_aside<'d, R: Raw<'d>>(
        &self,
        place: Place<'_, R>,
        reason: Reason,
        scratch: &mut Scratch<R>,
        output: &mut Output,
    ) -> NoRow {
        let Place { target, slot, row } = place;
        let Ok(raw) = self.raw_json(row, scratch) else { return NoRow::Corrupt };
        let key = row.key(&self.key);
        let reject = Reject { whole_row: true, ..Reject::cell(target, self, row, &key, raw, reason) };
        write_reject(output, slot, row.id, reject);
        NoRow::Quarantined
    }

    /// The value as JSON, for the quarantine; `None` where it is absent.
    fn raw_json<'s, 'd: 's, R: Raw<'d>>(
        &self,
        row: &Row<'s, R>,
        scratch: &'s mut Scratch<R>,
    ) -> Result<Option<&'s str>, Corrupt> {
        let raw = match &self.source {
            Source::Id => return Ok(Some(row.id_text)),
            Source::Position => return Ok(row.element.map(|element| element.position_text)),
            Source::Const(_) => None,
            Source::Key(key) => row.found.get(*key).copied(),
            Source::Paths(paths) => find_first(paths, row, &mut scratch.inner)?,
        };
        raw.filter(|raw| !raw.is_null()).map(|raw| raw.json(&mut scratch.text)).transpose()
    }

    fn abort(&self, target: &TargetProgram, id: i64, reason: Reason) -> Error {
        Error::stop(format!(
            "the row with id {id} has a value that {}.{} cannot take: {}",
            target.table,
            self.name,
            reason.message()
        ))
        .detail(format!("the value stands in key {}, and the column has on_reject = \"abort\"", self.key))
        .hint("mend the value in V1, or let the column reject the cell or the row: on_reject = \"cell\" or \"row\"")
    }
}
