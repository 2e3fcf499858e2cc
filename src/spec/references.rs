//! What a column's `references` names, which is only known when all files of a set are read.

use super::model::{ColumnSpec, PipelineSpec};
use super::problem::{Problem, did_you_mean};

/// Checks the references of one pipeline; `entities` are all names of the set, those of files with
/// mistakes among them, `known` are the pipelines without.
pub(super) fn check(spec: &PipelineSpec, known: &[PipelineSpec], entities: &[&str]) -> Vec<Problem> {
    let columns = spec.targets.iter().flat_map(|target| &target.columns);
    columns
        .filter_map(|column| {
            let (message, hint) = wrong(column, known, entities)?;
            Some(Problem {
                file: spec.file.clone(),
                position: Some(column.position),
                message,
                hint: Some(hint),
            })
        })
        .collect()
}

/// What is wrong with a column's reference, and what to do.
fn wrong(column: &ColumnSpec, known: &[PipelineSpec], entities: &[&str]) -> Option<(String, String)> {
    let entity = column.references.as_deref()?;
    if !entities.contains(&entity) {
        let message = format!("{:?} references the unknown entity {entity:?}", column.name);
        return Some((message, did_you_mean(entity, entities)));
    }
    let main = known.iter().find(|spec| spec.entity == entity)?.targets.first()?;
    let &[key] = main.key.as_slice() else {
        let message = format!("{:?} references {entity:?}, whose key has several columns", column.name);
        return Some((message, "leave out references".to_owned()));
    };
    let (mine, theirs) = (column.cast.column_type, main.columns.get(key)?.cast.column_type);
    if theirs.may_refer() && mine.scalar.is_integer() == theirs.scalar.is_integer() {
        return None;
    }
    let message = format!(
        "{:?} of the type {mine} references {entity:?}, whose key has the type {theirs}",
        column.name
    );
    Some((message, format!("write \"{theirs}\", or leave out references")))
}
