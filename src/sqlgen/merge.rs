//! A pipeline as one statement: what `run` does in merge mode, on the server alone.
//!
//! One scan of the source feeds all targets; an UPDATE and an INSERT for each stand beside it as
//! data-modifying parts of one WITH. So an entity is one statement and one transaction, needs no session
//! of its own, and sees one instant. A second execution finds every row equal and writes nothing. The elements of an
//! array are rows of another kind: each target that has them has a scan of its own.

use crate::error::Result;
use crate::name::quote;
use crate::schema::ColumnSchema;
use crate::spec::model::{Origin, PipelineSpec, TargetSpec};

use super::rows::Scan;
use super::text::literal;

/// The statement of a pipeline; it returns a row for each target: its table, and how many rows were
/// updated and inserted. `live` holds the columns of each target's table, in the order of the spec.
///
/// A row whose key the source holds more than once is left out, where `run` stops; so is a row that
/// would abort a run.
pub fn merge_statement(spec: &PipelineSpec, live: &[Vec<ColumnSchema>]) -> Result<String> {
    let mut scan = Scan::default();
    let mut columns = Vec::new();
    let mut expressions = Vec::new();
    let mut writes = Vec::new();
    let mut counts = Vec::new();
    for (number, (target, live)) in spec.targets.iter().zip(live).enumerate() {
        let mut own = Scan::default();
        let explodes = target.explode.is_some();
        let rows = if explodes { own.target(target, live)? } else { scan.target(target, live)? };
        let mut cells: Vec<String> =
            (0..).zip(&rows.cells).map(|(index, cell)| format!("{cell} AS t{number}_{index}")).collect();
        cells.push(format!("{} AS t{number}_loaded", once(target, &rows.cells, &rows.condition)));
        let from = if explodes { format!("e{number}") } else { "v1".to_owned() };
        if explodes {
            expressions.push(expression(&from, &cells, &own, spec));
        } else {
            columns.extend(cells);
        }
        writes.extend(write(target, number, &from));
        counts.push(format!(
            "SELECT {} AS \"table\", {} AS updated, (SELECT count(*) FROM inserted{number}) AS inserted",
            literal(&target.table.to_string()),
            match updated_columns(target).is_empty() {
                true => "0::bigint".to_owned(),
                false => format!("(SELECT count(*) FROM updated{number})"),
            }
        ));
    }
    let scans = if expressions.is_empty() {
        "one scan".to_owned()
    } else {
        "a scan for each kind of rows".to_owned()
    };
    if !columns.is_empty() {
        expressions.insert(0, expression("v1", &columns, &scan, spec));
    }
    Ok(format!(
        "-- {} ({}): {scans} of {}, rows that differ updated, rows that are missing inserted\n\
         WITH {},\n{}\n{}",
        spec.entity,
        spec.file.replace(['\n', '\r'], " "),
        spec.source.table.quoted().replace(['\n', '\r'], " "),
        expressions.join(",\n"),
        writes.join(",\n"),
        counts.join("\nUNION ALL ")
    ))
}

fn expression(name: &str, columns: &[String], scan: &Scan, spec: &PipelineSpec) -> String {
    format!(
        "{name} AS MATERIALIZED (\nSELECT {}\nFROM {}\n)",
        columns.join(",\n  "),
        scan.table(&spec.source, &spec.source.table, None),
    )
}

/// The condition of a row that is loaded, its key being its own. The id of a source row is taken to be, and with it
/// the position of an element; of any other key the rows are counted.
fn once(target: &TargetSpec, cells: &[String], condition: &str) -> String {
    let has = |origin: &Origin| {
        target
            .key
            .iter()
            .any(|&index| target.columns.get(index).is_some_and(|column| column.origin == *origin))
    };
    if has(&Origin::Id) && (target.explode.is_none() || has(&Origin::Position)) {
        return format!("({condition})");
    }
    let key: Vec<&str> =
        target.key.iter().filter_map(|&index| cells.get(index)).map(String::as_str).collect();
    format!(
        "({condition} AND count(*) FILTER (WHERE {condition}) OVER (PARTITION BY {}) = 1)",
        key.join(", ")
    )
}

/// The columns beside the key, by their index.
fn updated_columns(target: &TargetSpec) -> Vec<usize> {
    (0..target.columns.len()).filter(|index| !target.key.contains(index)).collect()
}

fn write(target: &TargetSpec, number: usize, from: &str) -> Vec<String> {
    let name = |index: usize| target.columns.get(index).map(|column| quote(&column.name)).unwrap_or_default();
    let all: Vec<usize> = (0..target.columns.len()).collect();
    let list = |indices: &[usize], separator: &str, write: &dyn Fn(usize) -> String| {
        indices.iter().map(|&index| write(index)).collect::<Vec<_>>().join(separator)
    };
    let table = target.table.quoted();
    let new = |index: usize| format!("s.t{number}_{index}");
    let matched = list(&target.key, " AND ", &|index| format!("t.{} = {}", name(index), new(index)));
    let written = updated_columns(target);
    let mut statements = Vec::new();
    if !written.is_empty() {
        statements.push(format!(
            "updated{number} AS (\n  UPDATE {table} AS t SET {}\n  FROM {from} AS s WHERE s.t{number}_loaded AND {matched}\n    \
             AND ROW({})::record *<> ROW({})::record\n  RETURNING 1)",
            list(&written, ", ", &|index| format!("{} = {}", name(index), new(index))),
            list(&written, ", ", &|index| format!("t.{}", name(index))),
            list(&written, ", ", &new),
        ));
    }
    statements.push(format!(
        "inserted{number} AS (\n  INSERT INTO {table} ({})\n  SELECT {}\n  FROM {from} AS s WHERE s.t{number}_loaded\n    \
         AND NOT EXISTS (SELECT FROM {table} AS t WHERE {matched})\n  RETURNING 1)",
        list(&all, ", ", &name),
        list(&all, ", ", &new),
    ));
    statements
}

/// The columns of a target as its pipeline names them, where no database is asked: of the types in the
/// pipeline, and taking NULL but for the key.
pub fn schema_of(target: &TargetSpec) -> Vec<ColumnSchema> {
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
