//! From a row of the source to a `[[test]]` block: what the pipeline makes of the row today becomes
//! what the test expects, with the words of people masked.

use crate::error::{Error, Result};
use crate::json::Json;
use crate::name::quote;
use crate::pg::Database;
use crate::pgcopy::decode;
use crate::schema::Scalar;
use crate::spec::PipelineSpec;
use crate::spec::model::TargetSpec;
use crate::spec::write;
use crate::stage::extract::SourceTable;

use super::compare;
use super::mask::mask;
use super::outcome::{Bench, Fate, Outcome, Rejected};

/// A block for the end of a pipeline file.
#[derive(Debug)]
pub struct Recorded {
    /// The block, as TOML.
    pub toml: String,
    /// What the masked document does not show of the real one, a line each: `user.age: fraction`.
    pub lost: Vec<String>,
}

/// The document of a row, as JSON text.
///
/// # Errors
/// Those of the server; that the source has no such table, or no such row.
pub async fn read_document(source: &Database, spec: &PipelineSpec, id: i64) -> Result<String> {
    let session = source.connect("test").await?;
    let table = SourceTable::read(&session, &spec.source).await?;
    let statement = format!(
        "SELECT {}::text FROM {} WHERE {} = $1::bigint LIMIT 1",
        quote(&spec.source.document),
        table.info().name.quoted(),
        quote(&spec.source.id)
    );
    let rows = session.query(&statement, &[&id]).await?;
    let row = rows.first().ok_or_else(|| {
        Error::stop(format!("the source table {} has no row with the id {id}", spec.source.table))
            .hint("name the id of another row with --record")
    })?;
    let document: Option<String> = row.get(0);
    // No document at all is no object either.
    Ok(document.unwrap_or_else(|| "null".to_owned()))
}

/// Makes a block of a row's document, and runs it once.
///
/// # Errors
/// A pipeline that does not fit its own types; a document that nests too deep for a test.
pub fn block(spec: &PipelineSpec, id: i64, document: &str) -> Result<Recorded> {
    let bench = Bench::new(spec)?;
    let real = Json::parse(document)
        .map_err(|error| Error::stop(format!("the document of the row {id}: {}", error.message)))?;
    let before = bench.run(id, document)?;
    let masked = decode::canonical(&mask(spec, &real, &before))
        .ok_or_else(|| Error::stop(format!("the document of the row {id} cannot be written")))?;
    let after = bench.run(id, &masked)?;
    let toml = written(spec, id, &masked, &after);
    let tests = spec.parse_tests("the recorded test", &toml)?;
    let passes = tests.iter().all(|test| compare::differences(spec, test, &after).is_empty());
    if tests.len() != 1 || !passes {
        return Err(Error::stop("the recorded test does not pass").hint("this is a bug of xdoflow"));
    }
    Ok(Recorded { toml, lost: lost(spec, &before, &after) })
}

/// The block.
fn written(spec: &PipelineSpec, id: i64, document: &str, outcome: &Outcome) -> String {
    let mut name = format!("the row with the id {id}");
    let mut number = 2;
    while spec.tests.iter().any(|test| test.name == name) {
        name = format!("the row with the id {id}, number {number}");
        number += 1;
    }
    let mut toml =
        format!("[[test]]\nname = {}\nid = {id}\ndocument = {}\n", write::string(&name), literal(document));
    if outcome.aborted {
        toml.push_str("aborts = true\n");
    }
    let mut aside = |key: &str, has: &dyn Fn(&Fate) -> bool| {
        let targets = spec.targets.iter().zip(&outcome.fates).filter(|(_, fate)| has(fate));
        let names: Vec<String> = targets.map(|(target, _)| write::string(&target.name)).collect();
        if !names.is_empty() {
            toml.push_str(&format!("{key} = [{}]\n", names.join(", ")));
        }
    };
    aside("quarantined", &|fate| fate.quarantined);
    aside("filtered", &|fate| fate.filtered);
    let fates = || spec.targets.iter().zip(&outcome.fates);
    let without = fates().filter(|(target, fate)| target.explode.is_some() && fate.rows.is_empty());
    for (target, _) in without {
        toml.push_str(&format!("rows.{} = []\n", write::key(&target.name)));
    }
    for (target, fate) in fates() {
        let heading = if target.explode.is_some() { ["[[", "]]"] } else { ["[", "]"] };
        for cells in &fate.rows {
            toml.push_str(&format!("\n{}test.rows.{}{}\n", heading[0], write::key(&target.name), heading[1]));
            push_cells(target, cells, &mut toml);
        }
    }
    for Rejected { target, column, reason } in &outcome.rejects {
        let Some(target) = spec.targets.get(*target) else { continue };
        toml.push_str(&format!("\n[[test.rejects]]\ntarget = {}\n", write::string(&target.name)));
        if let Some(column) = column.and_then(|column| target.columns.get(column)) {
            toml.push_str(&format!("column = {}\n", write::string(&column.name)));
        }
        toml.push_str(&format!("reason = {}\n", write::string(reason)));
    }
    toml
}

/// A string in single quotes where TOML allows it: JSON is full of double quotes itself.
fn literal(text: &str) -> String {
    match text.contains(|c: char| c == '\'' || c.is_control()) {
        true => write::string(text),
        false => format!("'{text}'"),
    }
}

fn push_cells(target: &TargetSpec, cells: &[Option<String>], toml: &mut String) {
    for (column, text) in target.columns.iter().zip(cells) {
        let key = write::key(&column.name);
        let bare = !column.cast.column_type.array
            && matches!(
                column.cast.column_type.scalar,
                Scalar::SmallInt | Scalar::Integer | Scalar::BigInt | Scalar::Boolean
            );
        toml.push_str(&match text {
            None => format!("{key}.null = true\n"),
            Some(text) if bare => format!("{key} = {text}\n"),
            Some(text) => format!("{key} = {}\n", write::string(text)),
        });
    }
}

/// What the real document shows and the masked one does not.
fn lost(spec: &PipelineSpec, before: &Outcome, after: &Outcome) -> Vec<String> {
    let mut lost = Vec::new();
    if before.aborted != after.aborted {
        lost.push("it stops a run".to_owned());
    }
    let mut left = after.rejects.clone();
    for reject in &before.rejects {
        if let Some(at) = left.iter().position(|one| one == reject) {
            left.remove(at);
            continue;
        }
        let Some(target) = spec.targets.get(reject.target) else { continue };
        let column = reject.column.and_then(|column| target.columns.get(column));
        let name = column.map(|column| format!(".{}", column.name)).unwrap_or_default();
        lost.push(format!("{}{name}: {}", target.name, reject.reason));
    }
    lost
}
