//! `status`: the rows of V1 against the rows of V2, by count.

use crate::error::{Error, Result};
use crate::name::TableName;
use crate::pg::{Database, Session, TableInfo};
use crate::spec::model::{PipelineSpec, TargetSpec};
use crate::sqlgen;
use crate::summary::{EntityCount, Level, SplitCount, StatusReport};

/// Counts both sides. The first target of an entity is compared as the entity itself; the others hold one row for
/// each of its rows, or for each element of an array of theirs.
pub async fn status(source: &Database, target: &Database, specs: &[PipelineSpec]) -> Result<StatusReport> {
    let (source, target) = tokio::try_join!(source.connect("status"), target.connect("status"))?;
    let mut report = StatusReport { entity_counts: Vec::new(), split_tables: Vec::new() };
    for spec in specs {
        let rows = count(&source, &spec.source.table, "source").await?;
        let Some((main, splits)) = spec.targets.split_first() else { continue };
        let v1 = expected(&source, spec, main, rows).await?;
        let v2 = count(&target, &main.table, "target").await?;
        report.entity_counts.push(EntityCount::new(spec.entity.clone(), v1, v2));
        for split in splits {
            let expected = expected(&source, spec, split, rows).await?;
            let rows = count(&target, &split.table, "target").await?;
            let level = Level::of(rows, expected);
            report.split_tables.push(SplitCount { table: split.name.clone(), rows, expected, level });
        }
    }
    Ok(report)
}

/// The rows that a target should hold, where V1 has so many.
async fn expected(source: &Session, spec: &PipelineSpec, target: &TargetSpec, rows: u64) -> Result<u64> {
    match &target.explode {
        None => Ok(rows),
        Some(explode) => source.count(&sqlgen::count_elements(spec, explode, &spec.source.table), &[]).await,
    }
}

async fn count(session: &Session, table: &TableName, side: &str) -> Result<u64> {
    let info = TableInfo::read(session, table).await?.ok_or_else(|| {
        Error::stop(format!("the {side} database has no table {table}"))
            .hint(format!("check --{side} and the search path"))
    })?;
    session.count(&format!("SELECT count(*) FROM {}", info.name.quoted()), &[]).await
}
