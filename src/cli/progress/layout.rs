//! What the bars say: from a snapshot and the size of the terminal to lines, without a terminal.
//!
//! ```text
//! participants  12.3 s  1,234 rejects
//!   read    ━━━━╸─────   43 %  301,213/702,072   61 MB/s   58,120 rows/s  ETA 0:07
//!   load    ━━━━──────   40 %  280,828/702,072   58 MB/s   55,400 rows/s  ETA 0:08
//!   publish ──────────
//! waiting: transactions, network
//! elapsed 13.1 s  1 of 4 done
//! ```
//! Columns stand below each other over all entities and keep a least width, so that they do not jump as
//! numbers grow. Where the terminal is narrow the columns go one after the other, the bar shrinks first;
//! where it is low each entity under way has one line, that of its phase.

use super::pace::{Pace, Track, Tracker, copied};
use crate::cli::format;
use crate::cli::style::{Style, Tone};
use crate::progress::{EntitySnapshot, Meter, Phase, Snapshot};

const BAR_LEAST: usize = 8;
const BAR_MOST: usize = 40;
/// Names and counts of a finished entity are at least so wide: its line cannot be aligned later.
const COUNT_LEAST: usize = 7;

/// A line of the terminal.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Line {
    /// Text that fits, painted.
    Text(String),
    /// `label`, a bar of `width` columns filled to `permille`, `tail`.
    Bar { label: String, permille: u64, width: usize, tail: String, tone: Tone },
}

/// The size of a terminal.
#[derive(Clone, Copy, Debug)]
pub(super) struct Size {
    pub columns: usize,
    pub rows: usize,
}

/// One meter with its texts; an empty text is a column that has nothing to say.
struct Row<'a> {
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
    fn new(label: &'a str, meter: Meter, pace: &Pace) -> Self {
        let total = format::count(meter.total);
        let count = format!("{:>width$}/{total}", format::count(meter.rows), width = total.len());
        let rate = |unit: &str| pace.speed().map(|speed| format::count(speed.rows_per_s) + unit);
        let bytes = pace.speed().filter(|_| meter.bytes > 0).map(|speed| format::bytes(speed.bytes_per_s) + "/s");
        Self {
            label,
            meter,
            percent: format::percent(meter.rows, meter.total).map(|all| format!("{all} %")).unwrap_or_default(),
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

    fn line(&self, columns: &[(Column, usize)], label_width: usize, bar: usize, style: Style) -> Line {
        let tail: String =
            columns.iter().map(|(column, width)| format!("  {:>width$}", column.text(self))).collect();
        let permille = u128::from(self.meter.rows) * 1000 / u128::from(self.meter.total.max(1));
        Line::Bar {
            label: pad(self.label, label_width),
            // A meter never passes its total, so this is at most 1000.
            permille: u64::try_from(permille).unwrap_or(1000),
            width: bar,
            tail: style.paint(if self.tone() == Tone::Dim { Tone::Dim } else { Tone::Plain }, &tail),
            tone: self.tone(),
        }
    }
}

/// All lines below those of the finished entities.
pub(super) fn frame(now: &Snapshot, tracker: &Tracker, size: Size, style: Style) -> Vec<Line> {
    let active: Vec<_> =
        tracker.of(now).filter(|(seen, _)| matches!(seen.phase, Phase::Copying | Phase::Publishing)).collect();
    let waiting: Vec<_> =
        now.entities.iter().filter(|seen| seen.phase == Phase::Waiting).map(|seen| &*seen.entity).collect();
    let done = now.entities.iter().filter(|seen| seen.phase == Phase::Done).count();

    let low = active.len() * 4 + 3 > size.rows;
    let rows: Vec<Vec<Row<'_>>> =
        active.iter().map(|(seen, track)| if low { one_row(seen, track) } else { all_rows(seen, track) }).collect();
    let bars = align(&rows, if low { "" } else { "  " }, size.columns, style);

    let mut lines = Vec::new();
    for ((seen, _), bars) in active.iter().zip(bars) {
        if !low {
            lines.push(Line::Text(heading(seen, size.columns, style)));
        }
        lines.extend(bars);
    }
    let text = |text: String| Line::Text(fit(&[(Tone::Dim, text)], size.columns, style));
    if !waiting.is_empty() {
        lines.push(text(format!("waiting: {}", waiting.join(", "))));
    }
    let elapsed = format::duration(now.elapsed);
    lines.push(text(format!("elapsed {elapsed}  {done} of {} done", now.entities.len())));
    lines
}

fn heading(seen: &EntitySnapshot, columns: usize, style: Style) -> String {
    let mut parts =
        vec![(Tone::Strong, seen.entity.clone()), (Tone::Dim, format!("  {}", format::duration(seen.elapsed)))];
    if seen.rejects > 0 {
        parts.push((Tone::Warning, format!("  {}", format::counted(seen.rejects, "reject"))));
    }
    fit(&parts, columns, style)
}

fn all_rows<'a>(seen: &EntitySnapshot, track: &Track) -> Vec<Row<'a>> {
    vec![
        Row::new("read", seen.read, &track.read),
        Row::new("load", seen.load, &track.load),
        Row::new("publish", seen.publish, &track.publish),
    ]
}

fn one_row<'a>(seen: &'a EntitySnapshot, track: &Track) -> Vec<Row<'a>> {
    vec![if seen.phase == Phase::Publishing {
        Row::new(&seen.entity, seen.publish, &track.publish)
    } else {
        Row::new(&seen.entity, copied(seen), &track.copy)
    }]
}

/// Lays the rows of all entities out in common columns.
fn align(groups: &[Vec<Row<'_>>], indent: &str, columns: usize, style: Style) -> Vec<Vec<Line>> {
    let rows = || groups.iter().flatten();
    let widest = rows().map(|row| console::measure_text_width(row.label)).max().unwrap_or(0);
    // A name takes no more than a third of the terminal.
    let label = widest.min(columns / 3);
    let room = columns.saturating_sub(indent.len() + label + 1);
    let measured = VARIANTS.map(|kept| -> Vec<(Column, usize)> {
        let width = |column: Column| rows().map(|row| column.text(row).len()).fold(column.least(), usize::max);
        kept.iter().map(|column| (*column, width(*column))).collect()
    });
    let tail = |columns: &[(Column, usize)]| columns.iter().map(|(_, width)| width + 2).sum::<usize>();
    let shown = measured.iter().find(|columns| tail(columns) + BAR_LEAST <= room);
    let shown: &[(Column, usize)] = shown.map_or(&[], Vec::as_slice);
    let bar = room.saturating_sub(tail(shown)).min(BAR_MOST);
    let line = |row: &Row<'_>| match row.line(shown, label, bar, style) {
        Line::Bar { label, permille, width, tail, tone } => {
            Line::Bar { label: format!("{indent}{label} "), permille, width, tail, tone }
        }
        text => text,
    };
    groups.iter().map(|group| group.iter().map(line).collect()).collect()
}

/// The one line that stays of a finished entity.
pub(super) fn finished(now: &Snapshot, seen: &EntitySnapshot, track: &Track, columns: usize, style: Style) -> String {
    let widest = |width: fn(&EntitySnapshot) -> usize| now.entities.iter().map(width).max().unwrap_or(0);
    let name = widest(|seen| console::measure_text_width(&seen.entity));
    let count = widest(|seen| format::count(seen.read.total).len()).max(COUNT_LEAST);
    let noun = if seen.read.rows == 1 { "row " } else { "rows" };
    let mut parts = vec![
        (Tone::Good, style.done_sign().to_owned()),
        (Tone::Plain, format!(" {}", pad(&seen.entity, name))),
        (Tone::Plain, format!("  {:>count$} {noun}", format::count(seen.read.rows))),
    ];
    parts.extend(took(seen, track).into_iter().map(|text| (Tone::Plain, format!("  {text}"))));
    if seen.rejects > 0 {
        parts.push((Tone::Warning, format!("  {}", format::counted(seen.rejects, "reject"))));
    }
    fit(&parts, columns, style)
}

/// How long a finished entity took, by phase where the phases were seen.
pub(super) fn took(seen: &EntitySnapshot, track: &Track) -> Vec<String> {
    match track.copy_took {
        Some(copy) => vec![
            format!("read+load {}", format::duration(copy)),
            format!("publish {}", format::duration(seen.elapsed.saturating_sub(copy))),
        ],
        None => vec![format!("in {}", format::duration(seen.elapsed))],
    }
}

/// The parts that fit into the columns, painted; the first that does not is cut, the rest left out.
fn fit(parts: &[(Tone, String)], columns: usize, style: Style) -> String {
    let mut room = columns;
    let mut line = String::new();
    for (tone, text) in parts {
        let width = console::measure_text_width(text);
        if width > room {
            let mark = if style.unicode { "…" } else { "~" };
            line.push_str(&style.paint(*tone, &console::truncate_str(text, room, mark)));
            break;
        }
        line.push_str(&style.paint(*tone, text));
        room -= width;
    }
    line
}

/// A label of exactly so many columns.
fn pad(text: &str, width: usize) -> String {
    console::pad_str(text, width, console::Alignment::Left, Some("")).into_owned()
}

#[cfg(test)]
pub(super) mod samples {
    use std::time::Duration;

    use super::*;

    pub fn at<const N: usize>(ms: u64, entities: [EntitySnapshot; N]) -> Snapshot {
        Snapshot { elapsed: Duration::from_millis(ms), entities: entities.into() }
    }

    fn full(rows: u64, bytes: u64) -> Meter {
        Meter { rows, total: rows, bytes }
    }

    fn waiting(entity: &str) -> EntitySnapshot {
        EntitySnapshot {
            entity: entity.to_owned(),
            phase: Phase::Waiting,
            phase_elapsed: Duration::ZERO,
            elapsed: Duration::ZERO,
            read: Meter::default(),
            load: Meter::default(),
            publish: Meter::default(),
            rejects: 0,
        }
    }

    /// 335 users with five targets; all of them through, or none yet.
    pub fn users(phase: Phase) -> EntitySnapshot {
        if phase == Phase::Waiting {
            return waiting("users");
        }
        EntitySnapshot {
            entity: "users".to_owned(),
            phase,
            phase_elapsed: Duration::ZERO,
            elapsed: Duration::from_millis(100),
            read: full(335, 402_000),
            load: full(1_675, 300_000),
            publish: full(1_675, 0),
            rejects: 0,
        }
    }

    /// 702,072 participants: 301,213 read and 280,828 loaded while they are copied, none published yet while
    /// they are published.
    pub fn participants(phase: Phase) -> EntitySnapshot {
        if phase == Phase::Waiting {
            return waiting("participants");
        }
        let total = 702_072;
        let copying = phase == Phase::Copying;
        let part = |rows, bytes| if copying { Meter { rows, total, bytes } } else { full(total, bytes * 2) };
        EntitySnapshot {
            entity: "participants".to_owned(),
            phase,
            phase_elapsed: Duration::from_millis(3_200),
            elapsed: Duration::from_millis(3_200),
            read: part(301_213, 237_958_270),
            load: part(280_828, 190_000_000),
            publish: match phase {
                Phase::Publishing => Meter { rows: 0, total, bytes: 0 },
                Phase::Done => full(total, 0),
                Phase::Waiting | Phase::Copying => Meter::default(),
            },
            rejects: 1_234,
        }
    }
}
