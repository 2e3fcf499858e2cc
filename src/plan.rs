//! What a run will do, before it does anything: the catalogues read, the pipelines compiled. Every
//! configuration mistake of every pipeline ends here, all at once.

use std::cmp::Reverse;
use std::sync::{Arc, OnceLock};

use crate::error::{Error, Result};
use crate::pg::{Database, TableInfo};
use crate::spec::model::{Origin, PipelineSpec, TargetSpec};
use crate::stage::extract::SourceTable;
use crate::stage::publish::PublishTarget;
use crate::summary::{ColumnSummary, EntitySummary, TargetSummary};
use crate::transform::output::Rule;
use crate::transform::{Mismatch, Program, Tally, compile};

/// One entity, ready to be run.
pub struct EntityPlan {
    /// Its place in the run.
    pub index: usize,
    /// Its name.
    pub entity: String,
    /// The table that is read.
    pub source: SourceTable,
    /// The compiled pipeline.
    pub program: Arc<Program>,
    /// The tables that are written.
    pub targets: Vec<PublishTarget>,
    /// What was done, once it is done.
    pub summary: OnceLock<EntitySummary>,
}

/// Reads the catalogues and compiles the pipelines.
pub async fn plan(
    source: &Database,
    target: &Database,
    specs: &[PipelineSpec],
) -> Result<Vec<Arc<EntityPlan>>> {
    let (source, target) = tokio::try_join!(source.connect("catalogue"), target.connect("catalogue"))?;
    let mut plans = Vec::new();
    let mut mismatches = Vec::new();
    for (index, spec) in specs.iter().enumerate() {
        let table = SourceTable::read(&source, &spec.source).await?;
        let mut infos = Vec::new();
        for target_spec in &spec.targets {
            match TableInfo::read(&target, &target_spec.table).await? {
                Some(info) => infos.push(info),
                None => mismatches.push(missing_table(spec, target_spec)),
            }
        }
        if infos.len() < spec.targets.len() {
            continue;
        }
        let schemas: Vec<_> = infos.iter().map(|info| info.columns.as_slice()).collect();
        match compile(spec, &schemas) {
            Ok(program) => plans.push(Arc::new(EntityPlan {
                index,
                entity: spec.entity.clone(),
                source: table,
                program: Arc::new(program),
                targets: spec
                    .targets
                    .iter()
                    .zip(infos)
                    .map(|(spec, info)| publish_target(spec, info))
                    .collect(),
                summary: OnceLock::new(),
            })),
            Err(found) => mismatches.extend(found),
        }
    }
    if mismatches.is_empty() { Ok(plans) } else { Err(mismatch_error(&mismatches)) }
}

fn missing_table(spec: &PipelineSpec, target: &TargetSpec) -> Mismatch {
    Mismatch {
        place: spec.file.clone(),
        subject: target.table.to_string(),
        message: "the target database has no such table".into(),
        hint: "check --target and the search path; xdoflow ddl prints the CREATE TABLE statements".into(),
    }
}

fn mismatch_error(mismatches: &[Mismatch]) -> Error {
    let lines: Vec<String> = mismatches.iter().map(Mismatch::to_string).collect();
    let mut hints: Vec<&str> = mismatches.iter().map(|mismatch| mismatch.hint.as_str()).collect();
    hints.dedup();
    hints.truncate(3);
    Error::stop("the pipelines do not fit the target database")
        .detail(lines.join("\n"))
        .hint(hints.join("\n"))
}

fn publish_target(spec: &TargetSpec, info: TableInfo) -> PublishTarget {
    let columns: Vec<String> = spec.columns.iter().map(|column| column.name.clone()).collect();
    let key: Vec<String> = spec.key.iter().map(|&index| columns[index].clone()).collect();
    let is_integer = |name: &String| {
        info.column(name).is_some_and(|c| matches!(c.type_name.as_str(), "bigint" | "integer" | "smallint"))
    };
    let key_is_id = spec.key.len() == 1
        && spec.key.iter().all(|&index| spec.columns[index].origin == Origin::Id)
        && key.iter().all(is_integer);
    PublishTarget { name: spec.name.clone(), label: spec.table.to_string(), info, columns, key, key_is_id }
}

/// The plans by the size of their source, largest first: the longest publish overlaps the most reads.
pub fn largest_first(plans: &[Arc<EntityPlan>]) -> Vec<&Arc<EntityPlan>> {
    let mut order: Vec<_> = plans.iter().collect();
    order.sort_by_key(|plan| Reverse(plan.source.info().bytes));
    order
}

impl EntityPlan {
    /// What is known of an entity before it is published.
    pub fn summarize(&self, tally: &Tally, rows_read: u64) -> EntitySummary {
        let targets = self.targets.iter().zip(&tally.targets).map(|(target, counts)| TargetSummary {
            table: target.label.clone(),
            name: target.name.clone(),
            loaded: counts.loaded,
            quarantined: counts.quarantined,
            filtered: counts.filtered,
            ..TargetSummary::default()
        });
        EntitySummary {
            entity: self.entity.clone(),
            rows_read,
            rejects: tally.rejects,
            elapsed_ms: 0,
            targets: targets.collect(),
            columns: self.columns(tally),
        }
    }

    fn columns(&self, tally: &Tally) -> Vec<ColumnSummary> {
        let mut columns = Vec::new();
        for target in self.program.targets() {
            // Behind the columns stands the slot of whole rows.
            let names = target.columns().iter().map(|column| column.name.as_str()).chain(["(row)"]);
            for (name, slot) in names.zip(target.slots()) {
                columns.extend(tally.slots[slot].iter().map(|rule| ColumnSummary {
                    table: target.table.clone(),
                    column: name.to_owned(),
                    rule: match rule.rule {
                        Rule::Coerced(coercion) => coercion.code().to_owned(),
                        Rule::Rejected(reason) => reason.code().to_owned(),
                    },
                    label: match rule.rule {
                        Rule::Coerced(coercion) => coercion.label().to_owned(),
                        Rule::Rejected(reason) => reason.message().to_owned(),
                    },
                    rejected: matches!(rule.rule, Rule::Rejected(_)),
                    count: rule.count,
                    sample_ids: rule.sample_ids.clone(),
                }));
            }
        }
        // The most frequent first within a column, whatever the order in which the batches came.
        columns.sort_by(|a, b| {
            (&a.table, &a.column, a.rejected, Reverse(a.count), &a.rule).cmp(&(
                &b.table,
                &b.column,
                b.rejected,
                Reverse(b.count),
                &b.rule,
            ))
        });
        columns
    }

    /// The three most frequent rejects in words, with samples.
    pub fn frequent_rejects(&self, tally: &Tally) -> String {
        let mut rejects: Vec<ColumnSummary> =
            self.columns(tally).into_iter().filter(|c| c.rejected).collect();
        rejects.sort_by_key(|column| Reverse(column.count));
        let lines = rejects.iter().take(3).map(|c| {
            let ids: Vec<String> = c.sample_ids.iter().map(i64::to_string).collect();
            format!("{} × {} in {}.{} (ids {})", c.count, c.label, c.table, c.column, ids.join(", "))
        });
        lines.collect::<Vec<_>>().join("; ")
    }
}
