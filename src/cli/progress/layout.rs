//! What the bars say: from a snapshot and the size of the terminal to lines, without a terminal.
//!
//! ```text
//! participants  12.3 s  1,234 rejects
//!   read    ━━━━╸─────   43 %  301,213/702,072   61 MB/s   58,120 rows/s  ETA 0:07
//!   load    ━━━━──────   40 %  280,828/702,072   58 MB/s   55,400 rows/s  ETA 0:08
//!   publish ──────────
//! waiting: transactions, network
//! load 91 % busy  5/6 batches in flight  read 34 %  transform 12 %         (with -v)
//! elapsed 13.1 s  1 of 4 done  ETA 0:41
//! ```
//! Where the terminal is low each entity under way has one line, that of its phase; where it is narrow
//! see [`columns`](super::columns).

use super::columns::{Line, Row, align, pad};
use super::pace::{Track, Tracker, copied};
use crate::cli::format;
use crate::cli::style::{Style, Tone};
use crate::progress::{EntitySnapshot, Phase, Snapshot, Words};

/// The count of a finished entity is at least so wide: its line cannot be aligned later.
const COUNT_LEAST: usize = 7;

/// The size of a terminal.
#[derive(Clone, Copy, Debug)]
pub(super) struct Size {
    pub columns: usize,
    pub rows: usize,
}

/// All lines below those of the finished entities.
pub(super) fn frame(now: &Snapshot, tracker: &Tracker, size: Size, style: Style, verbose: bool) -> Vec<Line> {
    let active: Vec<_> = tracker
        .of(now)
        .filter(|(seen, _)| matches!(seen.phase, Phase::Copying | Phase::Publishing))
        .collect();
    let waiting: Vec<_> =
        now.entities.iter().filter(|seen| seen.phase == Phase::Waiting).map(|seen| &*seen.entity).collect();
    let done = now.entities.iter().filter(|seen| seen.phase == Phase::Done).count();

    let low = active.len() * 4 + 3 + usize::from(verbose) > size.rows;
    let rows: Vec<Vec<Row<'_>>> = active
        .iter()
        .map(|(seen, track)| if low { one_row(seen, track) } else { all_rows(now.words, seen, track) })
        .collect();
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
    if let Some(busy) = tracker.busy.words().filter(|_| verbose) {
        lines.push(Line::Text(fit(&[(Tone::Plain, busy)], size.columns, style)));
    }
    let elapsed = format::duration(now.elapsed);
    let eta = tracker.run.eta().map_or(String::new(), |eta| format!("  ETA {}", format::clock(eta)));
    lines.push(text(format!("elapsed {elapsed}  {done} of {} done{eta}", now.entities.len())));
    lines
}

fn heading(seen: &EntitySnapshot, columns: usize, style: Style) -> String {
    let mut parts = vec![
        (Tone::Strong, seen.entity.clone()),
        (Tone::Dim, format!("  {}", format::duration(seen.elapsed))),
    ];
    if seen.rejects > 0 {
        parts.push((Tone::Warning, format!("  {}", format::counted(seen.rejects, "reject"))));
    }
    fit(&parts, columns, style)
}

fn all_rows(words: Words, seen: &EntitySnapshot, track: &Track) -> Vec<Row<'static>> {
    vec![
        Row::new(words.read, seen.read, &track.read),
        Row::new(words.load, seen.load, &track.load),
        Row::new(words.publish, seen.publish, &track.publish),
    ]
}

fn one_row<'a>(seen: &'a EntitySnapshot, track: &Track) -> Vec<Row<'a>> {
    vec![if seen.phase == Phase::Publishing {
        Row::new(&seen.entity, seen.publish, &track.publish)
    } else {
        Row::new(&seen.entity, copied(seen), &track.copy)
    }]
}

/// The one line that stays of a finished entity.
pub(super) fn finished(
    now: &Snapshot,
    seen: &EntitySnapshot,
    track: &Track,
    columns: usize,
    style: Style,
) -> String {
    let widest = |width: fn(&EntitySnapshot) -> usize| now.entities.iter().map(width).max().unwrap_or(0);
    let name = widest(|seen| console::measure_text_width(&seen.entity));
    let count = widest(|seen| format::count(seen.read.total).len()).max(COUNT_LEAST);
    let noun = if seen.read.rows == 1 { "row " } else { "rows" };
    let mut parts = vec![
        (Tone::Good, style.done_sign().to_owned()),
        (Tone::Plain, format!(" {}", pad(&seen.entity, name))),
        (Tone::Plain, format!("  {:>count$} {noun}", format::count(seen.read.rows))),
    ];
    parts.extend(took(now.words, seen, track).into_iter().map(|text| (Tone::Plain, format!("  {text}"))));
    if seen.rejects > 0 {
        parts.push((Tone::Warning, format!("  {}", format::counted(seen.rejects, "reject"))));
    }
    fit(&parts, columns, style)
}

/// How long a finished entity took, by phase where the phases were seen.
pub(super) fn took(words: Words, seen: &EntitySnapshot, track: &Track) -> Vec<String> {
    match track.copy_took {
        Some(copy) => vec![
            format!("{}+{} {}", words.read, words.load, format::duration(copy)),
            format!("{} {}", words.publish, format::duration(seen.elapsed.saturating_sub(copy))),
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
            if room == 0 {
                break;
            }
            let mark = if style.unicode { "…" } else { "~" };
            line.push_str(&style.paint(*tone, &console::truncate_str(text, room, mark)));
            break;
        }
        line.push_str(&style.paint(*tone, text));
        room -= width;
    }
    line
}

#[cfg(test)]
pub(super) mod samples {
    use std::time::Duration;

    use super::*;
    use crate::measured::clocks::Reading;
    use crate::progress::Meter;

    pub fn at<const N: usize>(ms: u64, entities: [EntitySnapshot; N]) -> Snapshot {
        Snapshot { elapsed: Duration::from_millis(ms), words: Words::RUN, entities: entities.into() }
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
            busy: Reading::default(),
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
            busy: Reading::default(),
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
            busy: Reading::default(),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::samples::{at, participants, users};
    use super::*;
    use crate::progress::Meter;

    const PLAIN: Style = Style { colour: false, unicode: true };
    const ASCII: Style = Style { colour: false, unicode: false };

    /// The lines as text; a bar is drawn as its width and its fill in permille, so many columns wide.
    fn drawn(now: &Snapshot, before: &[Snapshot], columns: usize, rows: usize) -> Vec<String> {
        let mut tracker = Tracker::default();
        before.iter().for_each(|snapshot| drop(tracker.observe(snapshot)));
        tracker.observe(now);
        let bar = |line| match line {
            Line::Text(text) => text,
            Line::Bar { label, permille, width, tail, .. } => {
                assert!(permille <= 1000);
                let bar: String = format!("{permille:#<width$}").chars().take(width).collect();
                format!("{label}{bar}{tail}")
            }
        };
        frame(now, &tracker, Size { columns, rows }, PLAIN, true).into_iter().map(bar).collect()
    }

    fn copying() -> (Snapshot, Snapshot) {
        let zero = EntitySnapshot {
            read: Meter { rows: 0, total: 702_072, bytes: 0 },
            load: Meter { rows: 0, total: 702_072, bytes: 0 },
            rejects: 0,
            ..participants(Phase::Copying)
        };
        (
            at(0, [users(Phase::Waiting), zero]),
            at(4_000, [users(Phase::Waiting), participants(Phase::Copying)]),
        )
    }

    #[test]
    fn eighty_columns_hold_every_number() {
        let (before, now) = copying();
        let expected = [
            "participants  3.2 s  1,234 rejects",
            "  read    429#######   42 %  301,213/702,072   59 MB/s   75,303 rows/s  ETA 0:06",
            "  load    399#######   39 %  280,828/702,072   48 MB/s   70,207 rows/s  ETA 0:06",
            "  publish 0#########                                                            ",
            "waiting: users",
            "elapsed 4.0 s  0 of 2 done",
        ];
        assert_eq!(drawn(&now, &[before], 80, 24), expected);
    }

    #[test]
    fn the_meters_bear_the_words_of_the_work() {
        let now = Snapshot { words: Words::GENERATE, ..at(100, [users(Phase::Publishing)]) };
        let labels = drawn(&now, &[], 80, 24);
        let starts: Vec<_> = labels.iter().map(|line| line.split('1').next().unwrap_or_default()).collect();
        assert_eq!(starts[1..4], ["  generate ", "  load     ", "  vacuum   "]);
    }

    #[test]
    fn every_line_fits_every_width_down_to_one_column() {
        let (before, now) = copying();
        let huge = |rows| EntitySnapshot {
            read: Meter { rows, total: u64::MAX, bytes: rows },
            load: Meter { rows, total: u64::MAX, bytes: rows },
            publish: Meter { rows, total: u64::MAX, bytes: 0 },
            rejects: u64::MAX,
            ..participants(Phase::Publishing)
        };
        let long = EntitySnapshot { entity: "an_entity_with_a_long_name".to_owned(), ..huge(u64::MAX - 1) };
        let cases =
            [(before, now), (at(0, [huge(0)]), at(1_000, [huge(u64::MAX - 1)])), (at(0, []), at(1, [long]))];
        for (before, now) in &cases {
            for (columns, rows) in (1..200).flat_map(|columns| [(columns, 50), (columns, 5)]) {
                for line in drawn(now, std::slice::from_ref(before), columns, rows) {
                    assert!(console::measure_text_width(&line) <= columns, "{columns}: {line:?}");
                    assert!(!line.contains("100 %"), "{line}");
                }
                let mut tracker = Tracker::default();
                tracker.observe(now);
                for (seen, track) in tracker.of(now) {
                    let line = finished(now, seen, track, columns, ASCII);
                    assert!(line.is_ascii() && line.len() <= columns, "{columns}: {line:?}");
                }
            }
        }
    }

    #[test]
    fn narrow_terminals_lose_columns_one_after_the_other() {
        let (before, now) = copying();
        let line = |columns| drawn(&now, std::slice::from_ref(&before), columns, 24).swap_remove(1);
        assert_eq!(line(77), "  read    429#########   42 %  301,213/702,072   59 MB/s   75,303/s  ETA 0:06");
        assert_eq!(line(64), "  read    429######   42 %  301,213/702,072   75,303/s  ETA 0:06");
        assert_eq!(line(54), "  read    429#######   42 %  301,213/702,072  ETA 0:06");
        assert_eq!(line(40), "  read    429##########   42 %  ETA 0:06");
        assert_eq!(line(25), "  read    429#####   42 %");
        assert_eq!(line(20), "  read   429########");
    }

    #[test]
    fn a_low_terminal_has_a_line_for_each_entity_under_way() {
        let (before, now) = copying();
        let expected = [
            "participants 399#########   39 %  280,828/702,072   59 MB/s   70,207/s  ETA 0:06",
            "waiting: users",
            "elapsed 4.0 s  0 of 2 done",
        ];
        assert_eq!(drawn(&now, &[before], 80, 6), expected);
    }

    #[test]
    fn a_finished_entity_is_one_line_with_its_times_where_they_were_seen() {
        let (_, now) = copying();
        let mut tracker = Tracker::default();
        let publishing = EntitySnapshot {
            elapsed: Duration::from_millis(9_400),
            phase_elapsed: Duration::from_millis(300),
            ..participants(Phase::Publishing)
        };
        let done = EntitySnapshot { elapsed: Duration::from_millis(12_300), ..participants(Phase::Done) };
        tracker.observe(&at(9_500, [users(Phase::Waiting), publishing]));
        let now = Snapshot { entities: vec![users(Phase::Done), done], ..now };
        tracker.observe(&now);
        let lines: Vec<_> =
            tracker.of(&now).map(|(seen, track)| finished(&now, seen, track, 80, PLAIN)).collect();
        let expected = [
            "✓ users             335 rows  in 0.1 s",
            "✓ participants  702,072 rows  read+load 9.1 s  publish 3.2 s  1,234 rejects",
        ];
        assert_eq!(lines, expected);
    }
}
