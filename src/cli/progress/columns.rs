//! The lines of the meters, in columns that stand below each other over all entities.
//!
//! Columns keep a least width, so that they do not jump as numbers grow. Where the terminal is narrow the
//! bar shrinks first, then the columns go one after the other.

use super::pace::Pace;
use crate::cli::format;
use crate::cli::style::{Style, Tone};
use crate::progress::Meter;

const BAR_LEAST: usize = 8;
const BAR_MOST: usize = 40;

/// A line of the terminal.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Line {
    /// Text that fits, painted.
    Text(String),
    /// `label`, a bar of `width` columns filled to `permille`, `tail`.
    Bar { label: String, permille: u64, width: usize, tail: String, tone: Tone },
}

/// One meter with its texts; an empty text is a column that has nothing to say.
pub(super) struct Row<'a> {
    label: &'a str,
    meter: Meter,
    percent: String,
    count: String,
    bytes: String,
    rows: String,
    rows_short: String,
    eta: String,
}

#[derive(Clone, Copy)]
enum Column {
    Percent,
    Count,
    Bytes,
    Rows,
    RowsShort,
    Eta,
}

/// What is shown, from the widest terminal to the narrowest.
const VARIANTS: [&[Column]; 6] = {
    use Column::*;
    [
        &[Percent, Count, Bytes, Rows, Eta],
        &[Percent, Count, Bytes, RowsShort, Eta],
        &[Percent, Count, RowsShort, Eta],
        &[Percent, Count, Eta],
        &[Percent, Eta],
        &[Percent],
    ]
};

impl Column {
    fn least(self) -> usize {
        match self {
            Self::Percent => "100 %".len(),
            Self::Count => 0,
            Self::Bytes => "999 MB/s".len(),
            Self::Rows => "999,999 rows/s".len(),
            Self::RowsShort => "999,999/s".len(),
            Self::Eta => "ETA 0:59".len(),
        }
    }

    fn text<'a>(self, row: &'a Row<'_>) -> &'a str {
        match self {
            Self::Percent => &row.percent,
            Self::Count => &row.count,
            Self::Bytes => &row.bytes,
            Self::Rows => &row.rows,
            Self::RowsShort => &row.rows_short,
            Self::Eta => &row.eta,
        }
    }
}

impl<'a> Row<'a> {
    pub fn new(label: &'a str, meter: Meter, pace: &Pace) -> Self {
        let total = format::count(meter.total);
        let count = format!("{:>width$}/{total}", format::count(meter.rows), width = total.len());
        let rate = |unit: &str| pace.speed().map(|speed| format::count(speed.rows_per_s) + unit);
        let bytes =
            pace.speed().filter(|_| meter.bytes > 0).map(|speed| format::bytes(speed.bytes_per_s) + "/s");
        Self {
            label,
            meter,
            percent: format::percent(meter.rows, meter.total)
                .map(|all| format!("{all} %"))
                .unwrap_or_default(),
            count: if meter.total == 0 { String::new() } else { count },
            bytes: bytes.unwrap_or_default(),
            rows: rate(" rows/s").unwrap_or_default(),
            rows_short: rate("/s").unwrap_or_default(),
            eta: pace.eta().map(|eta| format!("ETA {}", format::clock(eta))).unwrap_or_default(),
        }
    }

    fn tone(&self) -> Tone {
        match self.meter.rows {
            0 => Tone::Dim,
            rows if rows == self.meter.total => Tone::Good,
            _ => Tone::Active,
        }
    }

    fn line(&self, label: String, columns: &[(Column, usize)], bar: usize, style: Style) -> Line {
        let tail: String =
            columns.iter().map(|(column, width)| format!("  {:>width$}", column.text(self))).collect();
        let permille = u128::from(self.meter.rows) * 1000 / u128::from(self.meter.total.max(1));
        Line::Bar {
            label,
            // A meter never passes its total, so this is at most 1000.
            permille: u64::try_from(permille).unwrap_or(1000),
            width: bar,
            tail: style.paint(if self.tone() == Tone::Dim { Tone::Dim } else { Tone::Plain }, &tail),
            tone: self.tone(),
        }
    }
}

/// Lays the rows of all entities out in common columns.
pub(super) fn align(groups: &[Vec<Row<'_>>], indent: &str, columns: usize, style: Style) -> Vec<Vec<Line>> {
    let rows = || groups.iter().flatten();
    let widest = rows().map(|row| console::measure_text_width(row.label)).max().unwrap_or(0);
    // A name takes no more than a third of the terminal.
    let label = widest.min(columns / 3);
    let room = columns.saturating_sub(indent.len() + label + 1);
    let measured = VARIANTS.map(|kept| -> Vec<(Column, usize)> {
        let width =
            |column: Column| rows().map(|row| column.text(row).len()).fold(column.least(), usize::max);
        kept.iter().map(|column| (*column, width(*column))).collect()
    });
    let tail = |columns: &[(Column, usize)]| columns.iter().map(|(_, width)| width + 2).sum::<usize>();
    let shown = measured.iter().find(|columns| tail(columns) + BAR_LEAST <= room);
    let shown: &[(Column, usize)] = shown.map_or(&[], Vec::as_slice);
    let bar = room.saturating_sub(tail(shown)).min(BAR_MOST);
    let line = |row: &Row<'_>| {
        let text = format!("{indent}{} ", pad(row.label, label));
        row.line(console::truncate_str(&text, columns, "").into_owned(), shown, bar, style)
    };
    groups.iter().map(|group| group.iter().map(line).collect()).collect()
}

/// A label of exactly so many columns.
pub(super) fn pad(text: &str, width: usize) -> String {
    console::pad_str(text, width, console::Alignment::Left, Some("")).into_owned()
}
