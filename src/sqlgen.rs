//! Stub until the real one is merged.

use crate::error::Result;
use crate::name::{TableName, quote};
use crate::schema::ColumnSchema;
use crate::spec::model::{FilterRule, Origin, PipelineSpec, TargetSpec};

/// See the real one.
pub fn expected_rows(
    spec: &PipelineSpec,
    target: &TargetSpec,
    live: &[ColumnSchema],
    source_table: &TableName,
    condition: Option<&str>,
) -> Result<String> {
    let columns: Vec<String> = target
        .columns
        .iter()
        .map(|column| {
            let type_name = live.iter().find(|l| l.name == column.name).map_or("text", |l| &l.type_name);
            match &column.origin {
                Origin::Id => format!("v.{}::{type_name} AS {}", quote(&spec.source.id), quote(&column.name)),
                Origin::Keys(keys) => format!(
                    "(v.{}->>'{}')::{type_name} AS {}",
                    quote(&spec.source.document),
                    keys[0].0[0],
                    quote(&column.name)
                ),
                Origin::Const(value) => format!("'{value}'::{type_name} AS {}", quote(&column.name)),
            }
        })
        .collect();
    let mut conditions: Vec<String> = condition.map(|c| format!("({c})")).into_iter().collect();
    if let Some(filter) = &target.filter {
        let (texts, not) = match &filter.rule {
            FilterRule::Keep(texts) => (texts, ""),
            FilterRule::Drop(texts) => (texts, "NOT "),
        };
        let texts: Vec<String> = texts.iter().map(|text| format!("'{text}'")).collect();
        conditions.push(format!(
            "coalesce(v.xdo->>'{}', '') {not}IN ({})",
            filter.from.0[0],
            texts.join(", ")
        ));
    }
    let conditions = if conditions.is_empty() { "true".to_owned() } else { conditions.join(" AND ") };
    Ok(format!("SELECT {} FROM {} v WHERE {conditions}", columns.join(", "), source_table.quoted()))
}
