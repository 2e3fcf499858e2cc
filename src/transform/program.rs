//! A compiled pipeline: one scan of a document writes a row into the buffer of each target.
//!
//! A row is written field by field; the first thing that sets the whole row aside cuts it off again,
//! so a buffer only ever holds whole rows. What was rejected on the way stays in the quarantine.

use std::fmt::Write as _;
use std::ops::Range;

use super::cast::Cast;
use super::closure::delta::Delta;
use super::closure::{BadEdge, Edge, Forest, Link, LinkChunk};
use super::document::{Found, NoKeys, Raw, TextValue, WantedKeys, follow};
use super::output::{Output, Rule, Tally};
use super::rules::{Ruled, Rules};
use super::value::{Coercion, Reason, Value};
use crate::error::Error;
use crate::pgcopy::ondisk::{Corrupt, DiskValue};
use crate::pgcopy::{Batch, Form, JSONB_VERSION, RowBuffer, jsonb_text};
use crate::spec::model::{FilterRule, OnReject};

/// A pipeline spec compiled against the tables of its targets. Shared by all threads.
#[derive(Debug)]
pub struct Program {
    pub(super) wanted: WantedKeys,
    pub(super) targets: Vec<TargetProgram>,
    pub(super) closures: Vec<EdgePaths>,
    pub(super) slots: usize,
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
    /// A key of the document: nearly all.
    Key(usize),
    /// The first of these that is not absent.
    Paths(Vec<Path>),
    /// The same payload in each row.
    Const(Vec<u8>),
}

/// A wanted key and the steps below it.
#[derive(Debug)]
pub struct Path {
    pub(super) slot: usize,
    pub(super) steps: Vec<WantedKeys>,
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
    found: &'a Found<R>,
}

/// The cell that is being written.
struct Place<'a, R> {
    target: &'a TargetProgram,
    /// That of the tally.
    slot: usize,
    row: &'a Row<'a, R>,
}

impl<R> Clone for Place<'_, R> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<R> Copy for Place<'_, R> {}

/// Buffers that live from one document to the next.
pub(super) struct Scratch<R> {
    found: Found<R>,
    /// Of the nested object that a path leads through.
    inner: Found<R>,
    id_text: String,
    text: String,
}

impl<R> Default for Scratch<R> {
    fn default() -> Self {
        Self { found: Found::default(), inner: Found::default(), id_text: String::new(), text: String::new() }
    }
}

impl Program {
    /// The targets, in the order of the pipeline file.
    pub fn targets(&self) -> &[TargetProgram] {
        &self.targets
    }

    /// Zero counts of the right shape.
    pub fn tally(&self) -> Tally {
        Tally::new(self.targets.len(), self.slots)
    }

    /// Transforms a batch of tuples `(id bigint, document)`, the documents in the form of the batch.
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
        let mut scratch = Scratch::default();
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
            if let Err(error) = self.row(id, document, &mut scratch, &mut output) {
                output.aborted = Some(error);
                return output;
            }
        }
        output
    }

    /// Transforms documents that were made here, none of them NULL; `bytes` is about how long they are
    /// together.
    fn transform_documents<'d>(
        &self,
        documents: impl IntoIterator<Item = (i64, &'d str)>,
        bytes: usize,
    ) -> Output {
        let mut output = self.output(bytes);
        let mut scratch = Scratch::default();
        for (id, document) in documents {
            let document = Some(TextValue::document(document));
            if let Err(error) = self.row(id, document, &mut scratch, &mut output) {
                output.aborted = Some(error);
                break;
            }
        }
        output
    }

    /// Transforms some links of a forest into rows of a derived target, in the order of its key: so they can be
    /// compared with the rows of a table in that order.
    pub fn transform_links(&self, forest: &Forest, chunk: LinkChunk) -> Output {
        let mut text = String::new();
        let mut ends = Vec::new();
        for node in chunk.nodes {
            forest.links_below(node, chunk.places.clone(), |link| {
                link.write_document(&mut text);
                // A derived row has no id of its own; in messages it is known by its ancestor.
                ends.push((link.ancestor, text.len()));
            });
        }
        let mut start = 0;
        let documents = ends.iter().map(|&(ancestor, end)| {
            let document = &text[start..end];
            start = end;
            (ancestor, document)
        });
        self.transform_documents(documents, text.len())
    }

    /// Transforms the links below some ancestors of a delta that are new or have another chain; adds the ends of
    /// those that are gone to `gone`.
    pub fn transform_delta(
        &self,
        delta: &Delta,
        ancestors: Range<usize>,
        gone: &mut Vec<(i64, i64)>,
    ) -> Output {
        let mut links = Vec::new();
        let mut bytes = 0;
        for ancestor in ancestors {
            let come = |link: Link<'_>| {
                let document = link.document();
                bytes += document.len();
                links.push((link.ancestor, document));
            };
            delta.links(ancestor, come, |link| gone.push((link.ancestor, link.descendant)));
        }
        let documents = links.iter().map(|(ancestor, document)| (*ancestor, document.as_str()));
        self.transform_documents(documents, bytes)
    }

    /// Puts the edges that are in no tree into the quarantine of a derived target.
    pub fn reject_edges(&self, edges: &[BadEdge], key: &str) -> Output {
        let mut output = self.output(0);
        for bad in edges {
            let reason = if bad.cycle.len() == 1 { Reason::SelfEdge } else { Reason::Cycle };
            let ids: Vec<String> = bad.cycle.iter().map(i64::to_string).collect();
            let text = format!("{}: {}", reason.message(), ids.join(", "));
            let raw = format!("[{}]", ids.join(", "));
            for target in &self.targets {
                let slot = target.first_slot + target.columns.len();
                let reject = Reject {
                    key: Some(key),
                    text: Some(&text),
                    whole_row: false,
                    ..Reject::row(&target.table, Some(&raw), reason)
                };
                write_reject(&mut output, slot, bad.edge.source_id, reject);
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
        match document.map_or(Err(NoKeys::NotAnObject), |document| document.find(&self.wanted, &mut found)) {
            Ok(()) => {}
            Err(NoKeys::NotAnObject) => {
                scratch.found = found;
                return self.set_aside(id, document, scratch, output);
            }
            Err(NoKeys::Corrupt) => return Err(corrupt(id)),
        }
        let mut id_text = std::mem::take(&mut scratch.id_text);
        id_text.clear();
        // Writing to a String cannot fail.
        let _ = write!(id_text, "{id}");
        let row = Row { id, id_text: &id_text, found: &found };
        for (closure, edges) in self.closures.iter().zip(&mut output.edges) {
            edges.extend(closure.edge(&row, scratch).map_err(|Corrupt| corrupt(id))?);
        }
        for (index, target) in self.targets.iter().enumerate() {
            // The buffer is taken out so that rejects can be written while a row is open.
            let mut buffer = std::mem::take(&mut output.targets[index]);
            let written = target.write(&row, &mut buffer, scratch, output);
            output.targets[index] = buffer;
            let tally = &mut output.tally.targets[index];
            match written {
                Ok(()) => tally.loaded += 1,
                Err(NoRow::Quarantined) => tally.quarantined += 1,
                Err(NoRow::Filtered) => tally.filtered += 1,
                Err(NoRow::Aborted(error)) => return Err(error),
                Err(NoRow::Corrupt) => return Err(corrupt(id)),
            }
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
            output.tally.targets[index].quarantined += 1;
            let slot = target.first_slot + target.columns.len();
            write_reject(output, slot, id, Reject::row(&target.table, raw, Reason::NotAnObject));
        }
        Ok(())
    }
}

fn corrupt(id: i64) -> Error {
    Error::stop(format!("the document of the row with id {id} is not in a form on disk that is known here"))
        .hint("read the text of the documents: --read text")
}

impl TargetProgram {
    /// The columns, in the order of the staging table.
    pub fn columns(&self) -> &[ColumnProgram] {
        &self.columns
    }

    /// The slots of the tally that belong to this target: its columns, then its whole rows.
    pub fn slots(&self) -> std::ops::Range<usize> {
        self.first_slot..self.first_slot + self.columns.len() + 1
    }

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

impl ColumnProgram {
    #[inline]
    fn write<'d, R: Raw<'d>>(
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
        write_reject(output, slot, row.id, Reject::cell(target, self, raw, reason));
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
        let mut coercion = None;
        let present = buffer.field_or_nothing(|out| {
            let cell = self.cast.encode(value, out)?;
            coercion = cell.coercion;
            Ok(!cell.null)
        })?;
        Ok((present, coercion))
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
        let reject = Reject { whole_row: true, ..Reject::cell(target, self, raw, reason) };
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

/// The first value of some paths that is not absent.
fn find_first<'d, R: Raw<'d>>(
    paths: &[Path],
    row: &Row<'_, R>,
    inner: &mut Found<R>,
) -> Result<Option<R>, Corrupt> {
    for path in paths {
        if let Some(raw) = path.find(row, inner)? {
            return Ok(Some(raw));
        }
    }
    Ok(None)
}

impl Path {
    /// The value; `None` where it is missing or null.
    fn find<'d, R: Raw<'d>>(&self, row: &Row<'_, R>, inner: &mut Found<R>) -> Result<Option<R>, Corrupt> {
        let Some(&(mut raw)) = row.found.get(self.slot) else { return Ok(None) };
        if !self.steps.is_empty() {
            match follow(raw, &self.steps, inner)? {
                Some(found) => raw = found,
                None => return Ok(None),
            }
        }
        Ok((!raw.is_null()).then_some(raw))
    }
}

impl EdgePaths {
    fn edge<'d, R: Raw<'d>>(
        &self,
        row: &Row<'_, R>,
        scratch: &mut Scratch<R>,
    ) -> Result<Option<Edge>, Corrupt> {
        let Some(parent) = self.node(&self.parent, row, scratch)? else { return Ok(None) };
        let Some(child) = self.node(&self.child, row, scratch)? else { return Ok(None) };
        Ok(Some(Edge { parent, child, source_id: row.id }))
    }

    fn node<'d, R: Raw<'d>>(
        &self,
        path: &Path,
        row: &Row<'_, R>,
        scratch: &mut Scratch<R>,
    ) -> Result<Option<i64>, Corrupt> {
        let Some(raw) = path.find(row, &mut scratch.inner)? else { return Ok(None) };
        let mut payload = Vec::with_capacity(8);
        if self.reference.encode(&raw.value(&mut scratch.text)?, &mut payload).is_err() {
            return Ok(None);
        }
        // NULL has no payload.
        Ok(payload.try_into().ok().map(i64::from_be_bytes))
    }
}

impl Filter {
    fn drops<'d, R: Raw<'d>>(&self, row: &Row<'_, R>, scratch: &mut Scratch<R>) -> Result<bool, Corrupt> {
        let value = match self.path.find(row, &mut scratch.inner)? {
            Some(raw) => raw.value(&mut scratch.text)?,
            None => Value::Null,
        };
        let text = value.text().unwrap_or_default();
        Ok(match &self.rule {
            FilterRule::Keep(texts) => !texts.iter().any(|one| *one == text),
            FilterRule::Drop(texts) => texts.iter().any(|one| *one == text),
        })
    }
}

/// One value for the quarantine.
struct Reject<'a> {
    table: &'a str,
    column: Option<&'a str>,
    key: Option<&'a str>,
    raw: Option<&'a str>,
    reason: Reason,
    /// The reason in other words than its own.
    text: Option<&'a str>,
    whole_row: bool,
}

impl<'a> Reject<'a> {
    fn row(table: &'a str, raw: Option<&'a str>, reason: Reason) -> Self {
        Self { table, column: None, key: None, raw, reason, text: None, whole_row: true }
    }

    fn cell(
        target: &'a TargetProgram,
        column: &'a ColumnProgram,
        raw: Option<&'a str>,
        reason: Reason,
    ) -> Self {
        let (name, key) = (column.name.as_str(), column.key.as_str());
        Self {
            table: &target.table,
            column: Some(name),
            key: Some(key),
            raw,
            reason,
            text: None,
            whole_row: false,
        }
    }
}

/// Writes a row of [`REJECT_COLUMNS`](super::output::REJECT_COLUMNS) and counts it.
fn write_reject(output: &mut Output, slot: usize, id: i64, reject: Reject<'_>) {
    let rows = &mut output.rejects;
    rows.begin_row(super::output::REJECT_COLUMNS.len() as u16);
    rows.field(&id.to_be_bytes());
    rows.field(reject.table.as_bytes());
    for text in [reject.column, reject.key] {
        match text {
            Some(text) => rows.field(text.as_bytes()),
            None => rows.null(),
        }
    }
    match reject.raw {
        Some(raw) => rows.field_parts([&[JSONB_VERSION], raw.as_bytes()]),
        None => rows.null(),
    }
    rows.field(reject.reason.code().as_bytes());
    rows.field(reject.text.unwrap_or(reject.reason.message()).as_bytes());
    rows.field(&[u8::from(reject.whole_row)]);
    rows.end_row();
    output.tally.rejects += 1;
    output.tally.count(slot, Rule::Rejected(reject.reason), id);
}
