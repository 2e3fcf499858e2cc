//! The comparison itself: two streams in the order of their keys, joined row by row.
//!
//! Equal rows are equal bytes; only where they are not is a row looked at cell by cell. A key that
//! stands more than once in V2 is one finding; of its rows the one that differs least counts as the
//! row, the others are surplus, and their cells say nothing.

use std::cmp::Ordering;

use super::report::Kind;
use super::rows::Rows;
use super::table::Table;
use super::unexpected::Unexpected;
use crate::error::{Error, Result};
use crate::progress::EntityProgress;

/// A cell that differs: its place in the row, what was expected, what was found.
type CellDifference = (usize, Option<String>, Option<String>);

/// One range of keys of one table, on both sides.
pub struct Comparison<'a> {
    /// The table.
    pub table: &'a Table,
    /// What V1 says.
    pub expected: Rows<'a>,
    /// What V2 holds.
    pub found: Rows<'a>,
    /// Takes the keys that V1 does not say.
    pub unexpected: Unexpected<'a>,
    /// Counters to raise.
    pub progress: &'a EntityProgress,
}

impl Comparison<'_> {
    /// Compares both sides to their end. Returns the rows that were expected.
    pub async fn run(mut self) -> Result<u64> {
        let mut checked = 0;
        loop {
            let order = match (self.expected.key(), self.found.key()) {
                (Some(expected), Some(found)) => expected.cmp(found),
                (Some(_), None) => Ordering::Less,
                (None, Some(_)) => Ordering::Greater,
                (None, None) => break,
            };
            match order {
                Ordering::Greater => self.not_expected().await?,
                Ordering::Equal => self.expected_and_found().await?,
                Ordering::Less => {
                    if let Some(key) = self.expected.key() {
                        self.table.findings().add(key, Kind::Missing, None, None, None);
                    }
                }
            }
            if order != Ordering::Greater {
                checked += 1;
                self.next_expected().await?;
            }
        }
        self.unexpected.finish().await?;
        Ok(checked)
    }

    async fn next_expected(&mut self) -> Result<()> {
        self.expected.advance().await?;
        self.progress.load(1, self.found.take_bytes());
        self.progress.read(1, self.expected.take_bytes());
        match self.expected.key() {
            // As in a run: which of two rows should win is not ours to guess.
            Some(key) if self.expected.repeats() => {
                Err(Error::stop("V1 holds the same merge key more than once")
                    .detail(format!("{}: {key}", self.table.label))
                    .hint("remove the rows that stand twice from V1, or choose another key in the pipeline"))
            }
            _ => Ok(()),
        }
    }

    async fn expected_and_found(&mut self) -> Result<()> {
        let mut least = self.differing_cells();
        let mut rows: u64 = 1;
        self.found.advance().await?;
        while self.found.repeats() {
            rows += 1;
            if !least.is_empty() {
                let cells = self.differing_cells();
                if cells.len() < least.len() {
                    least = cells;
                }
            }
            self.found.advance().await?;
        }
        if rows == 1 && least.is_empty() {
            return Ok(());
        }
        let Some(key) = self.expected.key() else { return Ok(()) };
        let mut findings = self.table.findings();
        if rows > 1 {
            findings.add(key, Kind::Duplicate, None, Some("1"), Some(&rows.to_string()));
        }
        for (index, expected, found) in least {
            let column = self.table.cell(index);
            findings.add(key, Kind::Cell, column, expected.as_deref(), found.as_deref());
        }
        Ok(())
    }

    fn differing_cells(&self) -> Vec<CellDifference> {
        if self.expected.raw() == self.found.raw() {
            return Vec::new();
        }
        let text = |cell: Option<&[u8]>| cell.map(|bytes| String::from_utf8_lossy(bytes).into_owned());
        let cells = self.expected.cells().zip(self.found.cells()).enumerate();
        cells
            .filter(|(_, (expected, found))| expected != found)
            .map(|(index, (expected, found))| (index, text(expected), text(found)))
            .collect()
    }

    async fn not_expected(&mut self) -> Result<()> {
        let Some(key) = self.found.key().cloned() else { return Ok(()) };
        let mut rows = 1;
        self.found.advance().await?;
        while self.found.repeats() {
            rows += 1;
            self.found.advance().await?;
        }
        self.unexpected.take(key, rows).await
    }
}
