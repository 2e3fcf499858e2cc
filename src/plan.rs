//! What a run will do, before it does anything: the catalogues read, the pipelines compiled. Every
//! configuration mistake of every pipeline ends here, all at once.

use std::cmp::Reverse;
use std::sync::{Arc, OnceLock};

use crate::error::{Error, Result};
use crate::pg::{Database, TableInfo};
use crate::spec::model::{DriftPolicy, KeyPath, Origin, PipelineSpec, TargetSpec, TextRules};
use crate::spec::{self};
use crate::stage::compare::RowForm;
use crate::stage::extract::SourceTable;
use crate::stage::keys::{self, Baseline};
use crate::stage::publish::PublishTarget;
use crate::summary::{ColumnSummary, EntitySummary, TargetSummary};
use crate::transform::keys::top;
use crate::transform::output::{Rule, RuleTally};
use crate::transform::{Mismatch, Program, Tally, compile_beside, compile_derived};

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
    /// The tables that are written: those of the program, then the derived ones.
    pub targets: Vec<PublishTarget>,
    /// For each target the form of its rows, where they come in the order of its merge key.
    pub orders: Vec<Option<RowForm>>,
    /// The tables that are derived from all documents together.
    pub derived: Vec<DerivedPlan>,
    /// The digest of the pipeline and of the columns of its targets.
    pub digest: String,
    /// The keys that were accepted; none where none were yet, or nobody asks.
    pub known_keys: Option<Baseline>,
    /// What a run does whose documents have others.
    pub drift: DriftPolicy,
    /// What was done, once it is done.
    pub summary: OnceLock<EntitySummary>,
}

/// A derived target, ready to be filled.
pub struct DerivedPlan {
    /// Its rows, from documents that are derived.
    pub program: Arc<Program>,
    /// The keys of an edge, for people.
    pub key: String,
}

/// Reads the catalogues and compiles the pipelines; with `no_raw` rejected values are not kept.
pub async fn plan(
    source: &Database,
    target: &Database,
    specs: &[PipelineSpec],
    no_raw: bool,
) -> Result<Vec<Arc<EntityPlan>>> {
    let (source, target) = tokio::try_join!(source.connect("catalogue"), target.connect("catalogue"))?;
    let mut plans = Vec::new();
    let mut mismatches = Vec::new();
    let targets = specs.iter().flat_map(all_targets).map(|target| &target.table);
    let watched = specs.iter().filter(|spec| spec.drift != DriftPolicy::Ignore);
    let watched: Vec<&str> = watched.map(|spec| spec.entity.as_str()).collect();
    let (of_source, of_target, mut known) = tokio::try_join!(
        TableInfo::read_all(&source, specs.iter().map(|spec| &spec.source.table)),
        TableInfo::read_all(&target, targets),
        keys::baselines(&target, &watched)
    )?;
    let (mut of_source, mut of_target) = (of_source.into_iter(), of_target.into_iter());
    for (index, spec) in specs.iter().enumerate() {
        let table = SourceTable::of(of_source.next().flatten(), &spec.source)?;
        let all = || all_targets(spec);
        let mut infos = Vec::new();
        for (target_spec, info) in all().zip(&mut of_target) {
            match info {
                Some(info) => infos.push(info),
                None => mismatches.push(missing_table(spec, target_spec)),
            }
        }
        if infos.len() < all().count() {
            continue;
        }
        // Before the lookups are read for the program: what changes in between, changes the next digest.
        let digest = spec::digest(spec, infos.iter().map(|info| info.columns.as_slice()))?;
        let known_keys = known.remove(&spec.entity);
        let watched = (spec.drift != DriftPolicy::Ignore).then_some(&known_keys);
        match programs(spec, &infos, no_raw, watched) {
            Ok((program, derived)) => plans.push(Arc::new(EntityPlan {
                index,
                entity: spec.entity.clone(),
                source: table,
                orders: all()
                    .zip(&infos)
                    .enumerate()
                    .map(|(place, (target, info))| row_form(target, info, place >= spec.targets.len()))
                    .collect(),
                targets: all()
                    .zip(infos)
                    .enumerate()
                    .map(|(place, (target, info))| publish_target(target, info, place >= spec.targets.len()))
                    .collect(),
                program: Arc::new(program),
                derived,
                digest,
                known_keys,
                drift: spec.drift,
                summary: OnceLock::new(),
            })),
            Err(found) => mismatches.extend(found),
        }
    }
    source.release();
    target.release();
    if mismatches.is_empty() { Ok(plans) } else { Err(mismatch_error(&mismatches)) }
}

/// The targets of a pipeline, the derived ones behind the others.
fn all_targets(spec: &PipelineSpec) -> impl Iterator<Item = &TargetSpec> {
    spec.targets.iter().chain(spec.derived.iter().map(|derived| &derived.target))
}

/// Compiles a pipeline against the tables of its targets, those of the derived ones behind the others. `watched` holds
/// the keys that documents are known to have, where their keys are to be counted.
pub fn programs(
    spec: &PipelineSpec,
    infos: &[TableInfo],
    no_raw: bool,
    watched: Option<&Option<Baseline>>,
) -> Result<(Program, Vec<DerivedPlan>), Vec<Mismatch>> {
    let schemas: Vec<_> = infos.iter().map(|info| info.columns.as_slice()).collect();
    let (own, of_derived) = schemas.split_at(spec.targets.len().min(schemas.len()));
    let mut mismatches = Vec::new();
    let mut derived = Vec::new();
    for (target, schema) in spec.derived.iter().zip(of_derived) {
        match compile_derived(spec, target, schema) {
            Ok(mut program) => {
                program.no_raw = no_raw;
                let key = [&target.closure.parent, &target.closure.child].map(|path| path.steps.join("."));
                let key = key.join(", ");
                derived.push(DerivedPlan { program: Arc::new(program), key });
            }
            Err(found) => mismatches.extend(found),
        }
    }
    let known = watched.into_iter().flatten().flat_map(|known| known.keys());
    let known: Vec<_> = known.filter_map(|path| top(path)).collect();
    match compile_beside(spec, own, known.iter().map(|key| &**key)) {
        Ok(mut program) if mismatches.is_empty() => {
            program.no_raw = no_raw;
            program.watches_keys = watched.is_some();
            Ok((program, derived))
        }
        Ok(_) => Err(mismatches),
        Err(found) => Err(found.into_iter().chain(mismatches).collect()),
    }
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

fn publish_target(spec: &TargetSpec, info: TableInfo, derived: bool) -> PublishTarget {
    let columns: Vec<String> = spec.columns.iter().map(|column| column.name.clone()).collect();
    let key: Vec<String> = spec.key.iter().map(|&index| columns[index].clone()).collect();
    let key_is_own = !derived && key_is(spec, &info, own_key(spec));
    let explode = spec.explode.as_ref().map(|explode| explode.path.steps.join("."));
    let label = spec.table.to_string();
    PublishTarget { name: spec.name.clone(), label, info, columns, key, key_is_own, explode, derived }
}

/// The key that tells of a row what it is made of: the id of the source row, and of an element its position.
fn own_key(spec: &TargetSpec) -> &'static [Origin] {
    if spec.explode.is_some() { &[Origin::Id, Origin::Position] } else { &[Origin::Id] }
}

/// Whether the merge key is made of these, as integers.
fn key_is(spec: &TargetSpec, info: &TableInfo, origins: &[Origin]) -> bool {
    let columns = || spec.key.iter().map(|&index| &spec.columns[index]);
    columns().map(|column| &column.origin).eq(origins)
        && columns().all(|column| is_integer(info, &column.name) && column.rules == TextRules::default())
}

/// The form of the rows of a target whose merge key is its [own](own_key), or the two ends of a link of a closure:
/// those are made in that order. `None` where the key is anything else, or no integer.
fn row_form(spec: &TargetSpec, info: &TableInfo, derived: bool) -> Option<RowForm> {
    let end = |end: &str| Origin::Keys(vec![KeyPath::of_document(vec![end.to_owned()])]);
    let ends = ["ancestor", "descendant"].map(end);
    let ordered = if derived { &ends } else { own_key(spec) };
    key_is(spec, info, ordered).then(|| RowForm { columns: spec.columns.len(), key: spec.key.clone() })
}

fn is_integer(info: &TableInfo, name: &str) -> bool {
    info.column(name).is_some_and(|c| matches!(c.type_name.as_str(), "bigint" | "integer" | "smallint"))
}

/// The plans by the size of their source, largest first: the longest publish overlaps the most reads.
pub fn largest_first(plans: &[Arc<EntityPlan>]) -> Vec<&Arc<EntityPlan>> {
    let mut order: Vec<_> = plans.iter().collect();
    order.sort_by_key(|plan| Reverse(plan.source.info().bytes));
    order
}

impl EntityPlan {
    /// What is known of an entity before it is published. `tallies` holds that of the program, then those
    /// of the derived targets.
    pub fn summarize(&self, tallies: &[Tally], rows_read: u64) -> EntitySummary {
        let counts = tallies.iter().flat_map(|tally| tally.targets.iter().map(|counts| (tally.rows, counts)));
        let targets = self.targets.iter().zip(counts).map(|(target, (made, counts))| TargetSummary {
            table: target.label.clone(),
            name: target.name.clone(),
            rows: match &target.explode {
                Some(_) => counts.elements,
                None if target.derived => made,
                None => rows_read,
            },
            loaded: counts.loaded,
            quarantined: counts.quarantined,
            filtered: counts.filtered,
            ..TargetSummary::default()
        });
        let reading = self.source.reading();
        EntitySummary {
            entity: self.entity.clone(),
            rows_read,
            rejects: tallies.iter().map(|tally| tally.rejects).sum(),
            read_path: reading.path,
            read_reason: reading.reason,
            elapsed_ms: 0,
            changed: None,
            resumed: None,
            targets: targets.collect(),
            columns: self.columns(tallies),
            drift: Vec::new(),
            forecast: None,
        }
    }

    /// The program and those of the derived targets.
    fn programs(&self) -> impl Iterator<Item = &Program> {
        [&*self.program].into_iter().chain(self.derived.iter().map(|derived| &*derived.program))
    }

    /// Zero counts, as [`summarize`](Self::summarize) takes them.
    pub fn tallies(&self) -> Vec<Tally> {
        self.programs().map(Program::tally).collect()
    }

    fn columns(&self, tallies: &[Tally]) -> Vec<ColumnSummary> {
        let mut columns = Vec::new();
        let targets = self
            .programs()
            .zip(tallies)
            .flat_map(|(program, tally)| program.targets().iter().map(move |target| (target, tally)));
        for (target, tally) in targets {
            // Behind the columns stands the slot of whole rows.
            let names = target.columns().iter().map(|column| column.name.as_str()).chain(["(row)"]);
            for (name, slot) in names.zip(target.slots()) {
                columns
                    .extend(tally.slots[slot].iter().map(|rule| column_summary(&target.table, name, rule)));
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
    pub fn frequent_rejects(&self, tallies: &[Tally]) -> String {
        let mut rejects: Vec<ColumnSummary> =
            self.columns(tallies).into_iter().filter(|c| c.rejected).collect();
        rejects.sort_by_key(|column| Reverse(column.count));
        let lines = rejects.iter().take(3).map(|c| {
            let ids: Vec<String> = c.sample_ids.iter().map(i64::to_string).collect();
            format!("{} × {} in {}.{} (ids {})", c.count, c.label, c.table, c.column, ids.join(", "))
        });
        lines.collect::<Vec<_>>().join("; ")
    }
}

fn column_summary(table: &str, column: &str, tally: &RuleTally) -> ColumnSummary {
    let (rule, label) = match tally.rule {
        Rule::Coerced(coercion) => (coercion.code(), coercion.label()),
        Rule::Rejected(reason) => (reason.code(), reason.message()),
    };
    ColumnSummary {
        table: table.to_owned(),
        column: column.to_owned(),
        rule: rule.to_owned(),
        label: label.to_owned(),
        rejected: matches!(tally.rule, Rule::Rejected(_)),
        count: tally.count,
        sample_ids: tally.sample_ids.clone(),
    }
}
