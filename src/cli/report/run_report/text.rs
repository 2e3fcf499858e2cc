//! A report in a terminal.

use std::io::{self, Write};

use super::sections::{Cell, Section, sections};
use super::words::{self, facts, headline, sentence};
use crate::cli::format;
use crate::cli::report::table::{self, Side, Table};
use crate::cli::style::{Style, Tone};
use crate::report::{Outcome, Report};

/// Where nobody says how wide the terminal is, prose is still to be read.
const PROSE: usize = 100;

/// So many rows of a long table, and so many values, are shown.
const SHORT: usize = 10;

/// The column at which the text of a fact begins.
const INDENT: usize = 10;

/// Writes a report; no line is wider than `width`.
///
/// # Errors
/// Those of the writer.
pub fn text(out: &mut dyn Write, report: &Report, style: Style, width: Option<usize>) -> io::Result<()> {
    let columns = width.unwrap_or(PROSE).max(20);
    for line in wrapped(&headline(report), columns) {
        writeln!(out, "{}", style.paint(Tone::Strong, &line))?;
    }
    writeln!(out)?;
    for (name, text) in facts(report) {
        let lines = text.lines().flat_map(|line| wrapped(line, columns - INDENT));
        for (index, line) in lines.enumerate() {
            let name = if index == 0 { name } else { "" };
            writeln!(out, "{}{line}", style.paint(Tone::Dim, &format!("{name:<INDENT$}")))?;
        }
    }
    for section in sections(report) {
        print_table(out, &section, style, width)?;
        if section.id == "stages" {
            advice(out, report, style, columns)?;
        }
    }
    guards(out, report, style, columns)?;
    samples(out, report, style, columns)
}

fn title(out: &mut dyn Write, title: &str, style: Style) -> io::Result<()> {
    writeln!(out, "\n{}", style.paint(Tone::Active, title))
}

fn print_table(out: &mut dyn Write, section: &Section, style: Style, width: Option<usize>) -> io::Result<()> {
    title(out, section.title, style)?;
    let side = |is_number| if is_number { Side::Right } else { Side::Left };
    let columns = section.columns.iter().map(|column| (column.name, side(column.is_number)));
    let mut table = Table::new(columns.collect());
    let shown_rows = if section.is_long { SHORT } else { section.rows.len() };
    for row in section.rows.iter().take(shown_rows) {
        table.row(row.iter().map(|cell| shown(cell, style)).collect());
    }
    table.fit(width, section.spare).squeeze(width, style).print(out, style)?;
    more(out, section.rows.len().saturating_sub(shown_rows), style)
}

/// How much is left out.
fn more(out: &mut dyn Write, left: usize, style: Style) -> io::Result<()> {
    if left == 0 {
        return Ok(());
    }
    let text = format!("and {} more: --html or --json has all", format::count(left as u64));
    writeln!(out, "{}", style.paint(Tone::Dim, &text))
}

fn shown(cell: &Cell, style: Style) -> table::Cell {
    match cell {
        Cell::Figure(0, _) => table::Cell::count(0, style),
        cell => table::Cell::plain(cell.text()),
    }
}

/// The narrow place, and what would help.
fn advice(out: &mut dyn Write, report: &Report, style: Style, columns: usize) -> io::Result<()> {
    let Some(found) = &report.bottleneck else { return Ok(()) };
    for line in wrapped(&sentence(&found.sentence), columns) {
        writeln!(out, "{}", style.paint(Tone::Strong, &line))?;
    }
    for advice in &found.advice {
        listed(out, "- ", advice, columns)?;
    }
    Ok(())
}

fn guards(out: &mut dyn Write, report: &Report, style: Style, columns: usize) -> io::Result<()> {
    title(out, "Guards", style)?;
    for guard in &report.guards {
        let (sign, tone) = match guard.outcome {
            Outcome::Held => (style.done_sign(), Tone::Good),
            Outcome::Published => (style.done_sign(), Tone::Warning),
            Outcome::Unreached => ("-", Tone::Dim),
        };
        let sign = format!("{} ", style.paint(tone, sign));
        listed(out, &sign, &words::guard(guard), columns)?;
    }
    Ok(())
}

fn samples(out: &mut dyn Write, report: &Report, style: Style, columns: usize) -> io::Result<()> {
    if report.samples.is_empty() {
        return Ok(());
    }
    title(out, "Rejected values", style)?;
    let samples = words::samples(report);
    for sample in samples.iter().take(SHORT) {
        let line = words::sample(report, sample);
        let mark = if style.unicode { "…" } else { "~" };
        writeln!(out, "{}", console::truncate_str(&style.signs(&line), columns, mark))?;
    }
    more(out, samples.len().saturating_sub(SHORT), style)
}

/// A line of a list; what does not fit stands below its text.
fn listed(out: &mut dyn Write, mark: &str, text: &str, columns: usize) -> io::Result<()> {
    for (index, line) in wrapped(text, columns - 2).into_iter().enumerate() {
        writeln!(out, "{}{line}", if index == 0 { mark } else { "  " })?;
    }
    Ok(())
}

/// A text in lines of so many columns, broken between its words; a word that is longer is cut into pieces.
fn wrapped(text: &str, columns: usize) -> Vec<String> {
    let mut lines = vec![String::new()];
    for word in text.split_whitespace() {
        let mut word = word.to_owned();
        let line = lines.last().map_or(0, |line| console::measure_text_width(line));
        if line > 0 && line + 1 + console::measure_text_width(&word) > columns {
            lines.push(String::new());
        } else if line > 0 {
            word.insert(0, ' ');
        }
        while console::measure_text_width(&word) > columns {
            let head = console::truncate_str(&word, columns, "").into_owned();
            word = word[head.len()..].to_owned();
            if let Some(line) = lines.last_mut() {
                line.push_str(&head);
            }
            lines.push(String::new());
        }
        if let Some(line) = lines.last_mut() {
            line.push_str(&word);
        }
    }
    lines
}

#[cfg(test)]
mod tests {
    use super::super::samples::report;
    use super::*;
    use crate::cli::report::tests::{ASCII, PLAIN, text as printed};

    #[test]
    fn a_report_begins_with_a_message_and_has_all_of_the_run_below() {
        let seen = printed(|out| text(out, &report(), PLAIN, Some(140)));
        let expected = "\
Run 17 done in 18.2 s: 37,376 rows read (2,049 rows/s), 3 inserted, 12 updated, 2 quarantined, 14 rejects. Verified equal: 335 rows. Load of
<b>mvpw5_664 was busy 91 % of the time.

state     done
started   2025-01-15 10:00:00 UTC
took      18.2 s
mode      merge --prune
entities  users
source    postgresql://reader@v1/xano
xdoflow   0.1.0
asked     --jobs 2
machine   2 lanes on 2 cores
bytes     1.0 MB read, 2.0 MB loaded
memory    31 MB at most
WAL       5.0 MB, of the target's whole server meanwhile

Targets
Entity  Target     Table         Loaded  Inserted  Updated  Deleted  Unchanged  Quarantined  Filtered
users   </script>  <b>mvpw5_664     335         3       12        ·        320            2         ·

Verification
Entity  Table         Rows checked  Differences
users   <b>mvpw5_664           335            ·

Stages
Entity    Copy  Publish  Lanes  Scan  Read  Transform  Compare  Load
users   10.0 s    1.0 s      2   0 %  10 %        7 %      0 %  91 %
Load of <b>mvpw5_664 was busy 91 % of the time.
- the target's server is what it waits for: its cores, its disk, and each index of the table
";
        assert!(seen.starts_with(expected), "{seen}");
        assert!(seen.contains("✓ rejects of an entity: at most 20 (at most 14)\n"), "{seen}");
        assert!(
            seen.contains("id 4711  </script>.age  \"<img src=x onerror=alert(1)>\": not a number\n"),
            "{seen}"
        );
    }

    #[test]
    fn no_line_is_wider_than_the_terminal() {
        for width in [60, 80, 100, 140] {
            let seen = printed(|out| text(out, &report(), ASCII, Some(width)));
            assert!(seen.is_ascii(), "{seen}");
            for line in seen.lines() {
                assert!(line.len() <= width, "{width}: {line:?}");
            }
        }
    }

    #[test]
    fn prose_is_broken_between_words_and_words_that_are_too_long_within() {
        assert_eq!(wrapped("one two three", 7), ["one two", "three"]);
        assert_eq!(wrapped("abcdefgh ij", 3), ["abc", "def", "gh", "ij"]);
        assert_eq!(wrapped("", 3), [""]);
    }
}
