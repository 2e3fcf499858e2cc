//! A publish that is only foreseen: the same guards, and for each statement that would write one that counts.
//!
//! No target is written, nor locked against writers: who writes meanwhile makes the counts those of a moment. What
//! only the server finds while it writes, such as a constraint or a trigger that refuses a row, is not foreseen.

use std::cmp::Reverse;

use super::{BY_ANY_WAY, BY_INDEX, Publish, PublishTarget, Step, guards, knows_quarantined, label};
use crate::error::{Error, Result};
use crate::pg::{Row, Session};
use crate::summary::{
    CellChange, ColumnChange, EntitySummary, Forecast, Mode, RowChange, Stop, TargetForecast, TargetSummary,
};

impl Publish<'_> {
    /// Counts what [`apply`](Self::apply) would write, with up to `samples` rows of each target; adds to a forecast,
    /// which comes with what would have stopped the run before.
    pub async fn foresee(
        &self,
        session: &Session,
        summary: &mut EntitySummary,
        samples: u8,
        forecast: &mut Forecast,
    ) -> Result<()> {
        for (target, counts) in self.targets.iter().zip(&summary.targets) {
            guards::check_conservation(target, counts)?;
        }
        for (index, target) in self.targets.iter().enumerate() {
            if self.partial && target.derived {
                continue;
            }
            let counts = &mut summary.targets[index];
            let found = self.foresee_target(session, index, counts, samples, forecast).await;
            let found = found.map_err(|error| error.context(format_args!("counting {}", target.label)))?;
            if found != TargetForecast::default() {
                forecast.targets.push(TargetForecast { table: target.label.clone(), ..found });
            }
        }
        Ok(())
    }

    async fn foresee_target(
        &self,
        session: &Session,
        index: usize,
        counts: &mut TargetSummary,
        samples: u8,
        forecast: &mut Forecast,
    ) -> Result<TargetForecast> {
        let target = &self.targets[index];
        let load = self.loads[index];
        counts.staged = load.staged;
        let merge = self.merge_of(index, counts);
        self.check_staging(session, index, &merge).await?;
        let step = Step { session, merge: &merge, load, label: label(target, counts) };
        let mut stop = |found: Option<Error>| forecast.stops.extend(found.as_ref().map(Stop::from));
        let mut found = TargetForecast::default();
        match self.mode {
            Mode::Insert => {
                counts.inserted = session.count(&merge.count_missing(), &[]).await?;
                found.inserted = keys(&step.ask(&merge.sample_missing(samples), None).await?);
            }
            Mode::Merge => {
                let prune = self.prunes(target, counts);
                if prune && !self.changed {
                    stop(guards::check_not_empty(session, counts, &merge, target).await?);
                }
                found = step.foresee_merge(target, prune, self.partial, counts, samples).await?;
                if prune {
                    let (limit, stale) = (self.max_deletes, counts.stale);
                    stop(guards::check_deletes(session, limit, target, &merge, stale, false).await?);
                }
            }
            Mode::Replace => {
                stop(guards::check_not_empty(session, counts, &merge, target).await?);
                stop(guards::check_replaceable(counts, knows_quarantined(target, counts)));
                let (limit, stale) = (self.max_deletes, step.count(&merge.count_stale()).await?);
                stop(guards::check_deletes(session, limit, target, &merge, stale, false).await?);
                counts.deleted = step.count(&merge.count_all()).await?;
                counts.inserted = load.staged;
            }
        }
        counts.unchanged = counts.loaded.saturating_sub(counts.inserted + counts.updated);
        self.progress.publish(counts.loaded);
        Ok(found)
    }
}

impl Step<'_> {
    async fn foresee_merge(
        &self,
        target: &PublishTarget,
        prune: bool,
        partial: bool,
        counts: &mut TargetSummary,
        samples: u8,
    ) -> Result<TargetForecast> {
        let mut found = TargetForecast::default();
        if !partial {
            if self.load.may_be_stale() {
                counts.stale = self.count(&self.merge.count_stale()).await?;
                if counts.stale > 0 {
                    found.stale = keys(&self.ask(&self.merge.sample_stale(samples), self.label).await?);
                }
            }
            if self.load.may_repeat(target) {
                counts.surplus = self.surplus(&self.merge.count_surplus(), false).await?;
            }
        }
        if prune {
            counts.deleted = counts.stale + counts.surplus;
        }
        if self.load.staged == 0 {
            return Ok(found);
        }
        let by_index = self.load.is_small_beside(target);
        if by_index {
            self.session.batch(BY_INDEX).await?;
        }
        // What is deleted before is not updated.
        self.foresee_update(target, prune && counts.surplus > 0, counts, samples, &mut found).await?;
        counts.inserted = self.session.count(&self.merge.count_missing(), &[]).await?;
        if counts.inserted > 0 {
            found.inserted = keys(&self.ask(&self.merge.sample_missing(samples), None).await?);
        }
        if by_index {
            self.session.batch(BY_ANY_WAY).await?;
        }
        Ok(found)
    }

    async fn foresee_update(
        &self,
        target: &PublishTarget,
        without_surplus: bool,
        counts: &mut TargetSummary,
        samples: u8,
        found: &mut TargetForecast,
    ) -> Result<()> {
        let Some(changes) = self.merge.changes(without_surplus) else { return Ok(()) };
        // The list of a comparison needs no parameter; see `surplus`.
        let label = self.label.filter(|_| without_surplus && !self.merge.is_listed());
        let rows = self.ask(&changes.count, label).await?;
        let Some(row) = rows.first() else { return Ok(()) };
        let count = |index: usize| u64::try_from(row.get::<_, i64>(index)).unwrap_or(0);
        counts.updated = count(0);
        if counts.updated == 0 {
            return Ok(());
        }
        let columns: Vec<&String> =
            target.columns.iter().filter(|column| !target.key.contains(column)).collect();
        let changed = columns
            .iter()
            .enumerate()
            .map(|(index, column)| ColumnChange { column: column.to_string(), rows: count(index + 1) });
        found.columns = changed.filter(|column| column.rows > 0).collect();
        found.columns.sort_by_key(|column| Reverse(column.rows));
        let sample = changes.sample(samples);
        let rows = self.ask(&sample, label).await?;
        found.updated = rows.iter().map(|row| row_change(row, &columns)).collect();
        Ok(())
    }

    async fn ask(&self, sql: &str, label: Option<&str>) -> Result<Vec<Row>> {
        match &label {
            Some(label) => self.session.query(sql, &[label]).await,
            None => self.session.query(sql, &[]).await,
        }
    }
}

/// The first column of each row.
fn keys(rows: &[Row]) -> Vec<String> {
    rows.iter().map(|row| row.get(0)).collect()
}

/// A row with its key, and for each column whether it differs, what V2 holds and what V1 says.
fn row_change(row: &Row, columns: &[&String]) -> RowChange {
    let differs: Vec<bool> = row.get(1);
    let (before, after): (Vec<Option<String>>, Vec<Option<String>>) = (row.get(2), row.get(3));
    let cells = columns.iter().zip(differs).zip(before.into_iter().zip(after));
    let cells = cells.filter(|((_, differs), _)| *differs).map(|((column, _), (before, after))| CellChange {
        column: column.to_string(),
        before,
        after,
    });
    RowChange { key: row.get(0), cells: cells.collect() }
}
