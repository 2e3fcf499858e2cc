//! A compiled pipeline: one scan of a document writes a row into the buffer of each target.
//!
//! A row is written field by field; the first thing that sets the whole row aside cuts it off again,
//! so a buffer only ever holds whole rows. What was rejected on the way stays in the quarantine.
//!
//! ```text
//! transform ─ row ─► find the wanted keys (document) ─► each target: write ─► each column: write   cell.rs
//!                                                                          └ paths, filters         find.rs
//!                                                                          └ what is rejected       reject.rs
//!                                             └─► each element of its array: write                 explode.rs
//! transform_links, transform_delta ─ documents made of links ─► row                                derived.rs
//! ```

mod cell;
mod derived;
mod explode;
mod find;
mod reject;

use std::fmt::Write as _;

use super::cast::Cast;
use super::document::{Found, Memo, NoKeys, Raw, TextValue, WantedKeys};
use super::keys::KeyTally;
use super::output::{Output, Tally, TargetTally};
use super::rules::Rules;
use super::value::Reason;
use crate::error::Error;
use crate::fingerprint::Fingerprint;
use crate::pgcopy::ondisk::{Corrupt, DiskValue};
use crate::pgcopy::{Batch, Form, RowBuffer, jsonb_text};
use crate::spec::model::{FilterRule, OnReject};
use cell::Place;
use explode::Element;
pub use explode::Explode;
use reject::{Reject, write_reject};

/// A pipeline spec compiled against the tables of its targets. Shared by all threads.
#[derive(Debug)]
pub struct Program {
    pub(super) wanted: WantedKeys,
    pub(super) targets: Vec<TargetProgram>,
    pub(super) closures: Vec<EdgePaths>,
    pub(super) slots: usize,
    /// Whether rejected values stay out of the quarantine.
    pub no_raw: bool,
    /// Whether the keys of the documents are counted.
    pub watches_keys: bool,
}

/// Where a document holds an edge of a closure.
#[derive(Debug)]
pub struct EdgePaths {
    pub(super) parent: Path,
    pub(super) child: Path,
    /// To a `bigint`; none, and what is no reference, makes no edge.
    pub(super) reference: Cast,
}

/// How the row of one target is made.
#[derive(Debug)]
pub struct TargetProgram {
    /// The table's name as the pipeline file writes it; also in the quarantine.
    pub table: String,
    pub(super) columns: Vec<ColumnProgram>,
    pub(super) filter: Option<Filter>,
    /// Where each element of an array makes a row.
    pub(super) explode: Option<Explode>,
    /// The tally's slot of the first column; that of whole rows stands behind the last.
    pub(super) first_slot: usize,
}

/// How one cell is made.
#[derive(Debug)]
pub struct ColumnProgram {
    /// The column's name.
    pub name: String,
    pub(super) source: Source,
    /// The key for people and for the quarantine: `$id`, `location.lat`, `a, b`.
    pub(super) key: String,
    /// `None` where there is nothing to do, as in most columns.
    pub(super) rules: Option<Rules>,
    pub(super) cast: Cast,
    /// The payload in place of NULL.
    pub(super) default: Option<Vec<u8>>,
    pub(super) not_null: bool,
    pub(super) is_merge_key: bool,
    pub(super) on_reject: OnReject,
}

/// Where a cell's value comes from.
#[derive(Debug)]
pub enum Source {
    /// The row's id.
    Id,
    /// The place of the element in its array.
    Position,
    /// A key of the document, or of the element: nearly all.
    Key(usize),
    /// The first of these that is not absent.
    Paths(Vec<Path>),
    /// The same payload in each row.
    Const(Vec<u8>),
}

/// Where a path begins, and the steps below.
#[derive(Debug)]
pub struct Path {
    pub(super) start: Start,
    pub(super) steps: Vec<WantedKeys>,
}

/// Where a path begins.
#[derive(Clone, Copy, Debug)]
pub enum Start {
    /// At a wanted key of what the row is made of: the document, or an element of it.
    Key(usize),
    /// At a wanted key of the document, where the row is made of an element.
    OfDocument(usize),
    /// At the element itself.
    Element,
}

/// Rows that are dropped on purpose.
#[derive(Debug)]
pub struct Filter {
    pub(super) path: Path,
    pub(super) rule: FilterRule,
}

/// Why a row is not written; what is to be said of it has been said.
enum NoRow {
    Quarantined,
    Filtered,
    Aborted(Error),
    /// A value is not in the form that its document should be in.
    Corrupt,
}

impl From<Corrupt> for NoRow {
    fn from(Corrupt: Corrupt) -> Self {
        Self::Corrupt
    }
}

/// One source row while it is transformed.
struct Row<'a, R> {
    id: i64,
    id_text: &'a str,
    /// The values of what it is made of: the document, or an element of it.
    found: &'a Found<R>,
    /// Where it is an element.
    element: Option<&'a Element<'a, R>>,
}

/// Buffers that live from one document to the next.
pub(super) struct Scratch<R> {
    found: Found<R>,
    memo: Memo,
    /// Of the nested object that a path leads through.
    inner: Found<R>,
    /// Of an array that is exploded: its elements, and the values of one of them.
    elements: Vec<R>,
    of_element: Found<R>,
    id_text: String,
    text: String,
}

impl<R> Default for Scratch<R> {
    fn default() -> Self {
        Self {
            found: Found::default(),
            memo: Memo::default(),
            inner: Found::default(),
            elements: Vec::new(),
            of_element: Found::default(),
            id_text: String::new(),
            text: String::new(),
        }
    }
}

impl Program {
    /// The targets, in the order of the pipeline file.
    pub fn targets(&self) -> &[TargetProgram] {
        &self.targets
    }

    /// Zero counts of the right shape.
    pub fn tally(&self) -> Tally {
        let known = if self.watches_keys { self.wanted.len() } else { 0 };
        Tally { keys: KeyTally::new(known), ..Tally::new(self.targets.len(), self.slots) }
    }

    /// The keys that are known, in the order in which a tally counts them.
    pub fn known_keys(&self) -> impl Iterator<Item = &str> {
        self.wanted.names()
    }

    /// Transforms a batch of tuples `(id bigint, document)`, the documents in the form of the batch; where they bear
    /// `(xmin xid, ctid tid)` besides, the fingerprints of the rows are handed on.
    pub fn transform(&self, batch: &Batch) -> Output {
        match batch.form() {
            Form::Text => {
                self.transform_fields(batch, |payload| jsonb_text(payload).map(TextValue::document))
            }
            Form::OnDisk(order) => {
                self.transform_fields(batch, |payload| Some(DiskValue::document(payload, order)))
            }
        }
    }

    fn transform_fields<'b, R: Raw<'b>>(
        &self,
        batch: &'b Batch,
        read: impl Fn(&'b [u8]) -> Option<R>,
    ) -> Output {
        let mut output = self.output(batch.bytes());
        let bears_places = batch.columns() > 2;
        if bears_places {
            output.fingerprints.reserve_exact(batch.len());
        }
        let mut scratch = Scratch::default();
        if self.watches_keys {
            scratch.found = Found::watching();
        }
        for mut tuple in batch.tuples() {
            let id =
                tuple.next().flatten().and_then(|payload| payload.try_into().ok()).map(i64::from_be_bytes);
            let document = tuple.next().flatten().and_then(&read);
            let Some(id) = id else {
                output.aborted = Some(Error::stop("a row of the source has no id").hint(
                    "the source's id column must be a bigint without NULL; name another with source.id",
                ));
                return output;
            };
            if bears_places {
                let place = (tuple.next().flatten(), tuple.next().flatten());
                let row = place.0.zip(place.1).and_then(|(xmin, ctid)| Fingerprint::of(id, xmin, ctid));
                let Some(row) = row else {
                    output.aborted = Some(Error::stop("a row of the source has no xmin and ctid"));
                    return output;
                };
                output.fingerprints.push(row);
            }
            if let Err(error) = self.row(id, document, &mut scratch, &mut output) {
                output.aborted = Some(error);
                return output;
            }
        }
        output
    }

    /// An empty output of the right shape, for documents of `bytes` bytes.
    pub(super) fn output(&self, bytes: usize) -> Output {
        // The rows of all targets together take about what the documents take.
        let share = bytes / self.targets.len().max(1);
        Output {
            tally: self.tally(),
            targets: self.targets.iter().map(|_| RowBuffer::with_capacity(share)).collect(),
            edges: vec![Vec::new(); self.closures.len()],
            no_raw: self.no_raw,
            ..Output::default()
        }
    }

    /// Transforms the row of an id; its document is `None` where it is NULL, or is none.
    pub(super) fn row<'d, R: Raw<'d>>(
        &self,
        id: i64,
        document: Option<R>,
        scratch: &mut Scratch<R>,
        output: &mut Output,
    ) -> Result<(), Error> {
        output.tally.rows += 1;
        // Taken out, so that the rest can be lent while a row is open.
        let mut found = std::mem::take(&mut scratch.found);
        match document.map_or(Err(NoKeys::NotAnObject), |document| {
            document.find_alike(&self.wanted, &mut scratch.memo, &mut found)
        }) {
            Ok(()) => {}
            Err(NoKeys::NotAnObject) => {
                scratch.found = found;
                return self.set_aside(id, document, scratch, output);
            }
            Err(NoKeys::Corrupt) => return Err(corrupt(id)),
        }
        if self.watches_keys {
            output.tally.keys.note(id, &self.wanted, &found).map_err(|Corrupt| corrupt(id))?;
        }
        let mut id_text = std::mem::take(&mut scratch.id_text);
        id_text.clear();
        // Writing to a String cannot fail.
        let _ = write!(id_text, "{id}");
        let row = Row { id, id_text: &id_text, found: &found, element: None };
        for (closure, edges) in self.closures.iter().zip(&mut output.edges) {
            edges.extend(closure.edge(&row, scratch).map_err(|Corrupt| corrupt(id))?);
        }
        for (index, target) in self.targets.iter().enumerate() {
            // The buffer is taken out so that rejects can be written while a row is open.
            let mut buffer = std::mem::take(&mut output.targets[index]);
            let written = match &target.explode {
                None => {
                    let written = target.write(&row, &mut buffer, scratch, output);
                    count(&mut output.tally.targets[index], written, id)
                }
                Some(explode) => target.explode(explode, index, &row, &mut buffer, scratch, output),
            };
            output.targets[index] = buffer;
            written?;
        }
        scratch.id_text = id_text;
        scratch.found = found;
        Ok(())
    }

    /// Puts a document that is no object into the quarantine, for each target.
    fn set_aside<'d, R: Raw<'d>>(
        &self,
        id: i64,
        document: Option<R>,
        scratch: &mut Scratch<R>,
        output: &mut Output,
    ) -> Result<(), Error> {
        let raw = document.map(|document| document.json(&mut scratch.text)).transpose();
        let raw = raw.map_err(|Corrupt| corrupt(id))?;
        for (index, target) in self.targets.iter().enumerate() {
            let tally = &mut output.tally.targets[index];
            tally.quarantined += 1;
            tally.elements += u64::from(target.explode.is_some());
            let slot = target.first_slot + target.columns.len();
            write_reject(output, slot, id, Reject::row(&target.table, raw, Reason::NotAnObject));
        }
        Ok(())
    }
}

/// Counts what became of a row; an error where that stops the run.
#[inline]
fn count(tally: &mut TargetTally, written: Result<(), NoRow>, id: i64) -> Result<(), Error> {
    match written {
        Ok(()) => tally.loaded += 1,
        Err(NoRow::Quarantined) => tally.quarantined += 1,
        Err(NoRow::Filtered) => tally.filtered += 1,
        Err(NoRow::Aborted(error)) => return Err(error),
        Err(NoRow::Corrupt) => return Err(corrupt(id)),
    }
    Ok(())
}

fn corrupt(id: i64) -> Error {
    Error::stop(format!("the document of the row with id {id} is not in a form on disk that is known here"))
        .hint("read the text of the documents: --read text")
}

impl TargetProgram {
    /// Whether it drops rows on purpose.
    pub fn has_filter(&self) -> bool {
        self.filter.is_some()
    }

    /// The columns, in the order of the staging table.
    pub fn columns(&self) -> &[ColumnProgram] {
        &self.columns
    }

    /// The slots of the tally that belong to this target: its columns, then its whole rows.
    pub fn slots(&self) -> std::ops::Range<usize> {
        self.first_slot..self.first_slot + self.columns.len() + 1
    }

    // One copy for documents and for elements: in two, the columns would no longer be a part of either, and the
    // transform of a document would take 5 % more instructions.
    #[inline(never)]
    fn write<'d, R: Raw<'d>>(
        &self,
        row: &Row<'_, R>,
        buffer: &mut RowBuffer,
        scratch: &mut Scratch<R>,
        output: &mut Output,
    ) -> Result<(), NoRow> {
        if let Some(filter) = &self.filter
            && filter.drops(row, scratch)?
        {
            return Err(NoRow::Filtered);
        }
        // The server allows 1,600 columns, and the spec names each once.
        buffer.begin_row(self.columns.len() as u16);
        for (index, column) in self.columns.iter().enumerate() {
            let slot = self.first_slot + index;
            let place = Place { target: self, slot, row };
            if let Err(no_row) = column.write(place, buffer, scratch, output) {
                buffer.abandon_row();
                return Err(no_row);
            }
        }
        buffer.end_row();
        Ok(())
    }
}
