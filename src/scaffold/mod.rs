//! `scaffold`: a draft of a pipeline file and of its table, from the profile of a table.
//!
//! ```text
//! profile ─► plan: which keys are columns ─► choose: a type for each ─► write: TOML and CREATE TABLE
//!            child: which arrays are tables
//!                          ▲                                              │
//!                          └── a column that rejected a value is text ◄── prove: the rows of the profile
//!                              or jsonb                                   through the compiled draft
//! ```
//!
//! The draft is proved before it is shown: it is read as any pipeline file is, compiled against the table that
//! it describes, and the rows of the profile go through it as a run would take them. So it loads what was
//! seen with no reject; what it cannot load at all, a document that is no object, it says.

mod child;
mod choose;
mod names;
mod plan;
mod write;

use std::sync::Arc;

use serde::Serialize;

use crate::error::{Error, Result};
use crate::name::TableName;
use crate::profile::{Profile, Profiled};
use crate::schema::ColumnSchema;
use crate::spec::PipelineSpec;
use crate::spec::model::TargetSpec;
use crate::transform::output::Rule;
use crate::transform::program::TargetProgram;
use crate::transform::value::Reason;
use crate::transform::{Program, Tally, compile};

use plan::Plan;

/// What the user said of the draft.
#[derive(Clone, Debug, Default)]
pub struct Options {
    /// The table that is to be filled; the source's name with `_v2` behind it, where none was named.
    pub target: Option<TableName>,
    /// Whether values of the documents may stand in it.
    pub values: bool,
}

/// A draft.
#[derive(Clone, Debug, Serialize)]
pub struct Draft {
    /// What the pipeline moves.
    pub entity: String,
    /// The table that it fills.
    pub target: String,
    /// The tables that it fills with the elements of arrays.
    pub children: Vec<String>,
    /// The pipeline file.
    pub pipeline: String,
    /// The statements that make the tables.
    pub ddl: String,
    /// Columns of the table, the id among them.
    pub columns: usize,
    /// Rows that went through it.
    pub rows: u64,
    /// Rows among them that it sets aside: their documents are no objects.
    pub quarantined: u64,
    /// What is to be known before it is used.
    pub notes: Vec<String>,
}

/// Rounds of a proof. A column that rejects a value becomes one that takes all: the second finds nothing.
const ROUNDS: usize = 3;

/// Makes a draft and proves it.
///
/// # Errors
/// Those of the server; a table whose documents have no key, or rows no id.
pub async fn scaffold(profiled: &Profiled, options: &Options) -> Result<Draft> {
    let source = profiled.source()?;
    let profile = &profiled.profile;
    let target = match &options.target {
        Some(target) => target.clone(),
        None => beside(&source.table)?,
    };
    let mut plan = Plan::new(profile, source, target, options.values);
    if plan.columns.is_empty() {
        return Err(Error::stop(format!("the documents of {} have no key", profile.table))
            .detail(format!("{} rows were read", profile.rows))
            .hint("a pipeline reads documents that are objects; look at xdoflow inspect"));
    }
    for _ in 0..ROUNDS {
        let text = write::pipeline(&plan, profile, None);
        let program = compiled(&plan, &text)?;
        let program = Arc::new(program);
        let tally = profiled.prove(Arc::clone(&program)).await?;
        if !mend(&mut plan, profile, &program, &tally) {
            return Ok(draft(&plan, profiled, &tally));
        }
    }
    Err(Error::stop("the draft rejects values of the rows that it was made from")
        .hint("this is a bug of xdoflow"))
}

/// The name of a table beside the source.
fn beside(source: &TableName) -> Result<TableName> {
    let mut name: String = source.table().chars().take(55).collect();
    name.push_str("_v2");
    match source.schema() {
        Some(schema) => Ok(TableName::new(schema, name)),
        None => name.parse(),
    }
}

/// The draft, read as any pipeline file and compiled against the table that it describes.
fn compiled(plan: &Plan, text: &str) -> Result<Program> {
    let spec = PipelineSpec::parse("the draft", text)?;
    let schema = |(target, table): (&TargetSpec, Vec<(String, String)>)| -> Vec<ColumnSchema> {
        let columns = table.into_iter().enumerate().map(|(index, (name, column_type))| ColumnSchema {
            name,
            column_type: column_type.parse().ok(),
            type_name: column_type,
            not_null: target.key.contains(&index),
            filled_by_server: false,
            read_only: false,
        });
        columns.collect()
    };
    let schemas: Vec<Vec<ColumnSchema>> = spec.targets.iter().zip(plan.tables()).map(schema).collect();
    let schemas: Vec<&[ColumnSchema]> = schemas.iter().map(Vec::as_slice).collect();
    compile(&spec, &schemas).map_err(|mismatches| {
        let lines: Vec<String> = mismatches.iter().map(ToString::to_string).collect();
        Error::stop("the draft does not fit its own table")
            .detail(lines.join("\n"))
            .hint("this is a bug of xdoflow")
    })
}

/// Mends a draft that rejects something: a column becomes one that takes all, a child table goes where a document
/// holds no array for it. Says whether there was anything to mend.
fn mend(plan: &mut Plan, profile: &Profile, program: &Program, tally: &Tally) -> bool {
    let rejects = |slot: usize| {
        let rules = tally.slots.get(slot).into_iter().flatten();
        rules.filter(|one| matches!(one.rule, Rule::Rejected(_))).map(|one| one.count).sum::<u64>()
    };
    let mut targets = program.targets().iter().map(TargetProgram::slots);
    let mut mended = false;
    // The slots of a target are those of its columns, the id in front, then that of whole rows.
    let own = targets.next().unwrap_or_default();
    for (column, slot) in plan.columns.iter_mut().zip(own.clone().skip(1)) {
        if rejects(slot) > 0 {
            column.widen(profile);
            mended = true;
        }
    }
    // Documents that are no objects are no fault of a child table.
    let no_objects = own.last().map_or(0, rejects);
    for (child, slots) in plan.children.iter_mut().filter(|child| child.refused.is_none()).zip(targets) {
        let no_arrays = slots.clone().last().map_or(0, rejects).saturating_sub(no_objects);
        if no_arrays > 0 {
            child.refused =
                Some(format!("{no_arrays} documents hold something else, and would be set aside"));
            mended = true;
            continue;
        }
        for (column, slot) in child.columns.iter_mut().zip(slots.skip(child.key.len())) {
            if rejects(slot) > 0 {
                column.widen(profile);
                mended = true;
            }
        }
    }
    mended
}

fn draft(plan: &Plan, profiled: &Profiled, tally: &Tally) -> Draft {
    let profile = &profiled.profile;
    let quarantined = tally.targets.first().map_or(0, |target| target.quarantined);
    let mut notes = Vec::new();
    if quarantined > 0 {
        let no_object =
            tally.slots.iter().flatten().any(|one| one.rule == Rule::Rejected(Reason::NotAnObject));
        let why = if no_object { "documents that are no objects" } else { "rows without an id" };
        notes.push(format!("{quarantined} of {} rows would be quarantined: {why}", tally.rows));
    }
    if !profile.complete {
        notes.push(format!(
            "made from {} of about {} rows: others may hold what these do not; run --dry-run shows it",
            tally.rows, profile.table_rows
        ));
    }
    if plan.left_out > 0 {
        notes.push(format!("{} keys have no column: a table takes no more", plan.left_out));
    }
    Draft {
        entity: plan.entity.clone(),
        target: plan.target.to_string(),
        children: plan.active().map(|child| child.target.to_string()).collect(),
        pipeline: write::pipeline(plan, profile, Some(tally)),
        ddl: write::ddl(plan, profile),
        columns: plan.columns.len() + 1,
        rows: tally.rows,
        quarantined,
        notes,
    }
}
