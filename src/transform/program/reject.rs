//! What goes into the quarantine: a cell or a row that could not be transformed, with its value as JSON.

use super::{ColumnProgram, Row, TargetProgram};
use crate::pgcopy::JSONB_VERSION;
use crate::transform::output::{Output, REJECT_COLUMNS, Rule};
use crate::transform::value::Reason;

/// One value for the quarantine.
pub(super) struct Reject<'a> {
    pub(super) table: &'a str,
    pub(super) column: Option<&'a str>,
    pub(super) key: Option<&'a str>,
    pub(super) raw: Option<&'a str>,
    pub(super) reason: Reason,
    /// The reason in other words than its own.
    pub(super) text: Option<&'a str>,
    pub(super) whole_row: bool,
    /// Of an element.
    pub(super) position: Option<i64>,
}

impl<'a> Reject<'a> {
    pub(super) fn row(table: &'a str, raw: Option<&'a str>, reason: Reason) -> Self {
        Self { table, column: None, key: None, raw, reason, text: None, whole_row: true, position: None }
    }

    pub(super) fn cell<R>(
        target: &'a TargetProgram,
        column: &'a ColumnProgram,
        row: &Row<'_, R>,
        key: &'a str,
        raw: Option<&'a str>,
        reason: Reason,
    ) -> Self {
        Self {
            table: &target.table,
            column: Some(&column.name),
            key: Some(key),
            raw,
            reason,
            text: None,
            whole_row: false,
            position: row.element.map(|element| element.position),
        }
    }
}

/// Writes a row of [`REJECT_COLUMNS`] and counts it.
pub(super) fn write_reject(output: &mut Output, slot: usize, id: i64, reject: Reject<'_>) {
    let raw = reject.raw.filter(|_| !output.no_raw);
    let rows = &mut output.rejects;
    rows.begin_row(REJECT_COLUMNS.len() as u16);
    rows.field(&id.to_be_bytes());
    rows.field(reject.table.as_bytes());
    for text in [reject.column, reject.key] {
        match text {
            Some(text) => rows.field(text.as_bytes()),
            None => rows.null(),
        }
    }
    match raw {
        Some(raw) => rows.field_parts([&[JSONB_VERSION], raw.as_bytes()]),
        None => rows.null(),
    }
    rows.field(reject.reason.code().as_bytes());
    rows.field(reject.text.unwrap_or(reject.reason.message()).as_bytes());
    rows.field(&[u8::from(reject.whole_row)]);
    match reject.position {
        Some(position) => rows.field(&position.to_be_bytes()),
        None => rows.null(),
    }
    rows.end_row();
    output.tally.rejects += 1;
    output.tally.count(slot, Rule::Rejected(reject.reason), id);
}
