//! A table of short cells: two spaces between columns, words to the left, numbers to the right.

use std::io::{self, Write};

use crate::cli::format;
use crate::cli::style::{Style, Tone};

/// Rows of cells below a heading.
pub(super) struct Table {
    columns: Vec<(&'static str, Side)>,
    rows: Vec<Vec<Cell>>,
}

/// To which side of its column a cell keeps.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Side {
    Left,
    Right,
}

/// A text and its tone.
pub(super) struct Cell {
    pub text: String,
    pub tone: Tone,
}

impl Cell {
    pub fn plain(text: impl Into<String>) -> Self {
        Self { text: text.into(), tone: Tone::Plain }
    }

    /// A count of which 0 is nothing to see.
    pub fn count(count: u64, style: Style) -> Self {
        match count {
            0 => Self { text: if style.unicode { "·" } else { "0" }.to_owned(), tone: Tone::Dim },
            _ => Self::plain(format::count(count)),
        }
    }
}

impl Table {
    pub fn new(columns: Vec<(&'static str, Side)>) -> Self {
        Self { columns, rows: Vec::new() }
    }

    /// Adds a row of as many cells as there are columns.
    pub fn row(&mut self, cells: Vec<Cell>) {
        self.rows.push(cells);
    }

    /// The same without the columns that are `spare`, in their order, that do not fit into so many columns of a
    /// terminal; `None` has room for all.
    pub fn fit(mut self, width: Option<usize>, spare: &[&str]) -> Self {
        let Some(room) = width else { return self };
        for name in spare {
            if self.widths().iter().map(|width| width + 2).sum::<usize>() <= room + 2 {
                break;
            }
            let Some(index) = self.columns.iter().position(|(heading, _)| heading == name) else { continue };
            self.columns.remove(index);
            for row in &mut self.rows {
                row.remove(index);
            }
        }
        self
    }

    /// The same with its widest column of words cut, where it is still too wide.
    pub fn squeeze(mut self, width: Option<usize>, style: Style) -> Self {
        let Some(room) = width else { return self };
        let widths = self.widths();
        let over = (widths.iter().map(|width| width + 2).sum::<usize>()).saturating_sub(room + 2);
        let words = (0..widths.len()).filter(|&column| self.columns[column].1 == Side::Left);
        let Some(widest) = words.max_by_key(|&column| widths[column]).filter(|_| over > 0) else {
            return self;
        };
        let (left, mark) = (widths[widest].saturating_sub(over), if style.unicode { "…" } else { "~" });
        for row in &mut self.rows {
            let cell = &mut row[widest];
            cell.text = console::truncate_str(&cell.text, left, mark).into_owned();
        }
        self
    }

    fn widths(&self) -> Vec<usize> {
        let width = |column: usize, heading: &str| {
            let cells = self.rows.iter().filter_map(|row| row.get(column));
            cells.map(|cell| columns_of(&cell.text)).fold(columns_of(heading), usize::max)
        };
        self.columns.iter().enumerate().map(|(column, (name, _))| width(column, name)).collect()
    }

    /// Writes the heading and the rows, without spaces at the ends of lines.
    pub fn print(&self, out: &mut dyn Write, style: Style) -> io::Result<()> {
        let heading = self
            .columns
            .iter()
            .map(|(name, _)| Cell { text: (*name).to_owned(), tone: Tone::Strong })
            .collect();
        let widths = self.widths();
        for row in std::iter::once(&heading).chain(&self.rows) {
            let mut line = String::new();
            // Spaces are written only before the next text, so that no line ends in them.
            let mut gap = 0;
            for ((cell, (_, side)), width) in row.iter().zip(&self.columns).zip(&widths) {
                // A column is as wide as its widest cell.
                let free = width - columns_of(&cell.text);
                let (before, after) = if *side == Side::Left { (0, free) } else { (free, 0) };
                gap += before;
                if !cell.text.is_empty() {
                    line.extend(std::iter::repeat_n(' ', gap));
                    line.push_str(&style.paint(cell.tone, &cell.text));
                    gap = 0;
                }
                gap += after + 2;
            }
            writeln!(out, "{line}")?;
        }
        Ok(())
    }
}

fn columns_of(text: &str) -> usize {
    console::measure_text_width(text)
}
