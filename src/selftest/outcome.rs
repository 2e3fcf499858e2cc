//! One document through the program of a pipeline, and what comes out, as text.

use crate::error::{Error, Result};
use crate::json::Json;
use crate::pgcopy::{Framer, JSONB_VERSION, RowBuffer, decode, encode};
use crate::schema::{ColumnSchema, ColumnType, Scalar};
use crate::spec::PipelineSpec;
use crate::spec::model::TargetSpec;
use crate::transform::output::REJECT_COLUMNS;
use crate::transform::{Program, compile};

/// A pipeline, compiled against the tables that it describes itself.
pub(super) struct Bench<'s> {
    spec: &'s PipelineSpec,
    program: Program,
}

/// What a document gives.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Outcome {
    /// For each target. Where the run stops it says nothing.
    pub(super) fates: Vec<Fate>,
    /// All rejects, in the order in which they were met.
    pub(super) rejects: Vec<Rejected>,
    /// The run stops.
    pub(super) aborted: bool,
}

/// What became of the row of one target, or of its rows where it explodes an array.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Fate {
    /// The rows that are loaded: their cells, in the order of the pipeline.
    pub(super) rows: Vec<Vec<Option<String>>>,
    /// Whether one is set aside.
    pub(super) quarantined: bool,
    /// Whether one is left out on purpose.
    pub(super) filtered: bool,
}

/// A reject.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Rejected {
    /// The index of the target.
    pub(super) target: usize,
    /// The index of the column.
    pub(super) column: Option<usize>,
    /// The code of the reason.
    pub(super) reason: String,
}

impl<'s> Bench<'s> {
    /// Compiles the pipeline.
    pub(super) fn new(spec: &'s PipelineSpec) -> Result<Self> {
        let schemas: Vec<Vec<ColumnSchema>> = spec.targets.iter().map(schema).collect();
        let schemas: Vec<&[ColumnSchema]> = schemas.iter().map(Vec::as_slice).collect();
        let program = compile(spec, &schemas).map_err(|mismatches| {
            let lines: Vec<String> = mismatches.iter().map(ToString::to_string).collect();
            let hints: Vec<&str> = mismatches.iter().map(|mismatch| mismatch.hint.as_str()).take(3).collect();
            Error::usage(format!("the pipeline {} does not fit its own types", spec.entity))
                .detail(lines.join("\n"))
                .hint(hints.join("\n"))
        })?;
        Ok(Self { spec, program })
    }

    /// Transforms the row of an id. The document is any JSON; the program sees it as `jsonb` keeps it.
    pub(super) fn run(&self, id: i64, document: &str) -> Result<Outcome> {
        let stored =
            Json::parse(document).ok().and_then(|json| decode::canonical(&json)).ok_or_else(|| {
                Error::usage("the document is none that jsonb can hold")
                    .detail("it has a number beyond numeric, or \\u0000 in a string")
            })?;
        let mut rows = RowBuffer::default();
        rows.begin_row(2);
        rows.field(&id.to_be_bytes());
        rows.field_parts([&[JSONB_VERSION], stored.as_bytes()]);
        rows.end_row();
        let mut framer = Framer::new(2);
        let framed = [&encode::header(), &rows.into_bytes(), encode::TRAILER.as_slice()]
            .into_iter()
            .try_for_each(|chunk| framer.push(chunk))
            .and_then(|()| framer.finish());
        let Ok(Some(batch)) = framed else { return Err(unreadable("the document")) };
        let output = self.program.transform(&batch);
        if output.aborted.is_some() {
            return Ok(Outcome { fates: Vec::new(), rejects: Vec::new(), aborted: true });
        }
        let mut fates = Vec::with_capacity(self.spec.targets.len());
        for ((target, rows), tally) in self.spec.targets.iter().zip(output.targets).zip(&output.tally.targets)
        {
            let types: Vec<ColumnType> =
                target.columns.iter().map(|column| column.cast.column_type).collect();
            fates.push(Fate {
                rows: read(rows, &types)?,
                quarantined: tally.quarantined > 0,
                filtered: tally.filtered > 0,
            });
        }
        let text = ColumnType::scalar(Scalar::Text);
        let types = REJECT_COLUMNS.map(|(_, column_type)| column_type.parse().unwrap_or(text));
        let rejects = read(output.rejects, &types)?;
        let rejects = rejects.iter().map(|cells| self.rejected(cells)).collect::<Option<_>>();
        Ok(Outcome { fates, rejects: rejects.ok_or_else(|| unreadable("a reject"))?, aborted: false })
    }

    fn rejected(&self, cells: &[Option<String>]) -> Option<Rejected> {
        let named = |name| {
            let place = REJECT_COLUMNS.iter().position(|(column, _)| *column == name)?;
            cells.get(place)?.as_deref()
        };
        let table = named("target_table")?;
        let target = self.spec.targets.iter().position(|target| target.table.to_string() == table)?;
        let column = named("target_column").and_then(|name| {
            self.spec.targets.get(target)?.columns.iter().position(|column| column.name == name)
        });
        Some(Rejected { target, column, reason: named("reason_code")?.to_owned() })
    }
}

/// The table that a target describes: its types, and a key without NULL.
fn schema(target: &TargetSpec) -> Vec<ColumnSchema> {
    let columns = target.columns.iter().enumerate().map(|(index, column)| ColumnSchema {
        name: column.name.clone(),
        type_name: column.cast.column_type.to_string(),
        column_type: Some(column.cast.column_type),
        not_null: target.key.contains(&index),
        filled_by_server: false,
        read_only: false,
    });
    columns.collect()
}

/// The cells of rows in COPY form, as text.
fn read(rows: RowBuffer, types: &[ColumnType]) -> Result<Vec<Vec<Option<String>>>> {
    let mut framer = Framer::new(types.len());
    let framed = [&encode::header(), &rows.into_bytes(), encode::TRAILER.as_slice()]
        .into_iter()
        .try_for_each(|chunk| framer.push(chunk))
        .and_then(|()| framer.finish());
    let Ok(batch) = framed else { return Err(unreadable("a row")) };
    let mut read = Vec::new();
    for tuple in batch.iter().flat_map(crate::pgcopy::Batch::tuples) {
        let cells = tuple.zip(types).map(|(field, column_type)| match field {
            None => Ok(None),
            Some(payload) => decode::text_of(payload, *column_type)
                .map(Some)
                .ok_or_else(|| unreadable(&format!("a value of the type {column_type}"))),
        });
        read.push(cells.collect::<Result<_>>()?);
    }
    Ok(read)
}

/// What this program wrote itself and cannot read.
fn unreadable(what: &str) -> Error {
    Error::stop(format!("{what} in COPY form cannot be read back")).hint("this is a bug of xdoflow")
}
