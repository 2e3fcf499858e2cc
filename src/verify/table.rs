//! One target, ready to be compared: its names, its ranges of keys, its findings.

use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::findings::Findings;
use super::report::TableReport;
use crate::error::Result;
use crate::name::{TableName, quote};
use crate::pg::TableInfo;
use crate::pg::compare::{self, CompareSql, KeyForm};
use crate::plan::EntityPlan;
use crate::schema::Scalar;
use crate::spec::model::{DerivedSpec, PipelineSpec, TargetSpec};
use crate::sqlgen;

/// The ids from the first to below the second, and how many rows V1 has there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct IdRange {
    /// Both borders; an open one is `None`.
    pub ids: (Option<i64>, Option<i64>),
    /// Rows of V1.
    pub rows: u64,
}

/// One target.
pub struct Table {
    /// The pipeline.
    pub spec: Arc<PipelineSpec>,
    /// The place of the target in it.
    index: usize,
    /// The entity's place in the progress.
    pub entity: usize,
    /// The table as the pipeline file writes it.
    pub label: String,
    /// The source table, with its schema.
    pub source: TableName,
    /// What the server says of the target.
    pub info: TableInfo,
    /// Whether the key begins with the id of the source row: it is that, or that and the position of an element.
    pub key_is_own: bool,
    /// Whether only a sample is compared.
    pub sampled: bool,
    /// How the columns of the key are told apart.
    pub forms: Vec<KeyForm>,
    /// Its statements.
    pub sql: CompareSql,
    /// The other cells of a row: places in the pipeline.
    cells: Vec<usize>,
    /// Rows that V1 says it should hold.
    checked: AtomicU64,
    findings: Mutex<Findings>,
}

impl Table {
    /// The targets of a plan.
    pub fn of_plan(plan: &EntityPlan, spec: &Arc<PipelineSpec>, sampled: bool, limit: usize) -> Vec<Self> {
        let all = spec.targets.iter().chain(spec.derived.iter().map(|derived| &derived.target));
        let targets = all.zip(&plan.targets).enumerate();
        targets
            .map(|(index, (target, published))| {
                let info = published.info.clone();
                let form = |name: &str| key_form(&info, name);
                let key: Vec<(&str, KeyForm)> =
                    published.key.iter().map(|name| (name.as_str(), form(name))).collect();
                // A numeric key is told apart without its zeros, and compared with them.
                let is_cell = |place: &usize| {
                    !target.key.contains(place) || form(&target.columns[*place].name) == KeyForm::Numeric
                };
                let cells: Vec<usize> = (0..target.columns.len()).filter(is_cell).collect();
                let names = cells.iter().map(|&place| target.columns[place].name.as_str());
                Self {
                    spec: Arc::clone(spec),
                    index,
                    entity: plan.index,
                    label: published.label.clone(),
                    source: plan.source.info().name.clone(),
                    key_is_own: published.key_is_own,
                    // A closure is made of all rows.
                    sampled: sampled && !published.derived,
                    forms: key.iter().map(|(_, form)| *form).collect(),
                    sql: CompareSql::new(key, names),
                    cells,
                    checked: AtomicU64::new(0),
                    findings: Mutex::new(Findings::new(limit)),
                    info,
                }
            })
            .collect()
    }

    /// The target in its pipeline.
    pub fn target(&self) -> &TargetSpec {
        // The index was taken from these targets and the derived ones behind them.
        match self.derived() {
            Some(derived) => &derived.target,
            None => &self.spec.targets[self.index],
        }
    }

    /// Whether its rows are made from all rows of V1 together, so that nobody knows how many they are.
    pub fn is_derived(&self) -> bool {
        self.derived().is_some()
    }

    /// Whether it has a row for each row of V1.
    pub fn is_row_by_row(&self) -> bool {
        !self.is_derived() && self.target().explode.is_none()
    }

    /// What it is derived from, where it is not filled row by row.
    fn derived(&self) -> Option<&DerivedSpec> {
        self.spec.derived.get(self.index.checked_sub(self.spec.targets.len())?)
    }

    /// The place and the name of a cell, counted behind the key.
    pub fn cell(&self, index: usize) -> Option<(usize, &str)> {
        let place = *self.cells.get(index)?;
        Some((place, &self.target().columns.get(place)?.name))
    }

    /// Cells behind the key.
    pub fn cells(&self) -> usize {
        self.cells.len()
    }

    /// The differences so far.
    pub fn findings(&self) -> MutexGuard<'_, Findings> {
        self.findings.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Adds rows that were looked for.
    pub fn check(&self, rows: u64) {
        self.checked.fetch_add(rows, Relaxed);
    }

    /// The COPY of what V1 says.
    pub fn expected_sql(&self, range: IdRange, sample: Option<f64>) -> Result<String> {
        let id = format!("v.{}", quote(&self.spec.source.id));
        let range = compare::in_range(&id, range.ids, false);
        let conditions: Vec<String> =
            range.into_iter().chain(sample.map(|percent| compare::in_sample(&id, percent))).collect();
        let condition = conditions.join(" AND ");
        let condition = (!condition.is_empty()).then_some(condition.as_str());
        let target = self.target();
        let rows = match self.derived() {
            Some(derived) => {
                sqlgen::expected_derived_rows(&self.spec, derived, &self.info.columns, &self.source)?
            }
            None => sqlgen::expected_rows(&self.spec, target, &self.info.columns, &self.source, condition)?,
        };
        let names = target.columns.iter().map(|column| &column.name);
        Ok(self.sql.copy(&compare::rows_of_query(&rows, names), &[]))
    }

    /// The COPY of what V2 holds.
    pub fn found_sql(&self, range: IdRange, sample: Option<f64>) -> String {
        let mut conditions = self.sample_conditions(sample);
        if let Some((key, or_null)) = self.id_column() {
            conditions.extend(compare::in_range(&key, range.ids, or_null));
        }
        self.sql.copy(&compare::rows_of(&self.info.name), &conditions)
    }

    /// The COPY of the values of a column that are no `key` of another table.
    pub fn orphans_sql(&self, column: usize, other: (&TableName, &str), sample: Option<f64>) -> String {
        let name = &self.target().columns[column].name;
        self.sql.copy_orphans(&self.info.name, name, other, &self.sample_conditions(sample))
    }

    /// What was found, once all is compared.
    pub fn report(&self) -> TableReport {
        let findings = self.findings();
        TableReport {
            entity: self.spec.entity.clone(),
            table: self.label.clone(),
            rows_checked: self.checked.load(Relaxed),
            difference_count: findings.count(),
            differences: findings.first(),
        }
    }

    fn sample_conditions(&self, sample: Option<f64>) -> Vec<String> {
        let sample = self.id_column().zip(sample);
        sample.map(|((key, _), percent)| compare::in_sample(&key, percent)).into_iter().collect()
    }

    /// The column of the target that holds the id of the source row, where the key begins with it, and whether it
    /// takes NULL.
    fn id_column(&self) -> Option<(String, bool)> {
        let &place = self.target().key.first()?;
        let name = &self.target().columns.get(place).filter(|_| self.key_is_own)?.name;
        let takes_null = self.info.column(name).is_none_or(|column| !column.not_null);
        Some((format!("r.{}", quote(name)), takes_null))
    }
}

fn key_form(info: &TableInfo, name: &str) -> KeyForm {
    match info.column(name).and_then(|column| column.column_type) {
        Some(key) if !key.array && key.scalar.is_integer() => KeyForm::Integer,
        Some(key) if !key.array && matches!(key.scalar, Scalar::Numeric(_)) => KeyForm::Numeric,
        _ => KeyForm::Text,
    }
}

/// The ranges of a table whose `rows` rows have these ids as the first of each `step` rows.
pub fn ranges(mut firsts: Vec<i64>, rows: u64, step: u64) -> Vec<IdRange> {
    firsts.dedup();
    let mut borders: Vec<Option<i64>> = vec![None];
    borders.extend(firsts.into_iter().skip(1).map(Some));
    let mut left = rows;
    let ends = borders.iter().skip(1).copied().chain([None]);
    borders
        .iter()
        .zip(ends)
        .map(|(&from, to)| {
            let rows = if to.is_some() { step.min(left) } else { left };
            left -= rows;
            IdRange { ids: (from, to), rows }
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ranges_cover_every_id_once_and_add_up_to_all_rows() {
        let whole = IdRange { ids: (None, None), rows: 0 };
        assert_eq!(ranges(Vec::new(), 0, 10), [whole]);
        assert_eq!(ranges(vec![7], 9, 10), [IdRange { rows: 9, ..whole }]);
        assert_eq!(
            ranges(vec![7, 30, 31], 25, 10),
            [
                IdRange { ids: (None, Some(30)), rows: 10 },
                IdRange { ids: (Some(30), Some(31)), rows: 10 },
                IdRange { ids: (Some(31), None), rows: 5 },
            ]
        );
    }
}
