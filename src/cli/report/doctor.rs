//! `doctor`: what is well in one line for each thing that was looked at, then what is not, with what to do.

use std::io::{self, Write};

use super::{HINT, labelled};
use crate::cli::format;
use crate::cli::style::{Style, Tone};
use crate::doctor::{Area, DoctorReport, Finding, Level};
use crate::summary;

/// Writes the findings by area, and one line of conclusion; lines are broken to fit into `width`.
///
/// # Errors
///
/// Those of the writer.
pub fn doctor(
    out: &mut dyn Write,
    report: &DoctorReport,
    style: Style,
    width: Option<usize>,
) -> io::Result<()> {
    let mut area = None;
    for group in report.findings.chunk_by(|a, b| (a.area, &a.subject) == (b.area, &b.subject)) {
        let Some(first) = group.first() else { continue };
        if area != Some(first.area) {
            area = Some(first.area);
            writeln!(out, "{}", style.paint(Tone::Strong, heading(first.area)))?;
        }
        let well: Vec<&str> = of(group, |level| level == Level::Ok).map(|one| one.message.as_str()).collect();
        if !well.is_empty() {
            line(out, Level::Ok, &format!("{}: {}", first.subject, well.join("; ")), style, width)?;
            for found in of(group, |level| level == Level::Ok) {
                hint(out, found, style, width)?;
            }
        }
        for found in of(group, |level| level != Level::Ok) {
            line(out, found.level, &format!("{}: {}", found.subject, found.message), style, width)?;
            hint(out, found, style, width)?;
        }
    }
    let (problems, warnings) = (report.problems as u64, report.warnings as u64);
    let (tone, verdict) = match (problems, warnings) {
        (0, 0) => (Tone::Good, "no problem, no warning".to_owned()),
        (0, _) => (Tone::Warning, format!("no problem, {}", format::counted(warnings, "warning"))),
        _ => {
            let both = [format::counted(problems, "problem"), format::counted(warnings, "warning")];
            (Tone::Critical, both.join(", "))
        }
    };
    writeln!(out, "\n{}", style.paint(tone, &verdict))
}

fn of(group: &[Finding], is: impl Fn(Level) -> bool) -> impl Iterator<Item = &Finding> {
    group.iter().filter(move |found| is(found.level))
}

fn heading(area: Area) -> &'static str {
    match area {
        Area::Source => "source",
        Area::Target => "target",
        Area::Pipelines => "pipelines",
    }
}

/// A sign and the text, below which its further lines stand.
fn line(out: &mut dyn Write, level: Level, text: &str, style: Style, width: Option<usize>) -> io::Result<()> {
    let (sign, tone) = match level {
        Level::Ok => style.level(summary::Level::Good),
        Level::Unknown => ("?", Tone::Dim),
        Level::Warning => style.level(summary::Level::Warning),
        Level::Problem => style.level(summary::Level::Critical),
    };
    let text = broken(text, width.map(|width| width.saturating_sub(2)));
    for (index, part) in text.lines().enumerate() {
        let before = if index == 0 { style.paint(tone, sign) } else { " ".to_owned() };
        writeln!(out, "{before} {part}")?;
    }
    Ok(())
}

fn hint(out: &mut dyn Write, found: &Finding, style: Style, width: Option<usize>) -> io::Result<()> {
    if found.hint.is_empty() {
        return Ok(());
    }
    let text = broken(&found.hint, width.map(|width| width.saturating_sub(8)));
    labelled(out, "  ", HINT, &text, style)
}

/// A text in lines of at most so many columns, broken between words; a longer word has a line of its own.
fn broken(text: &str, width: Option<usize>) -> String {
    let Some(width) = width else { return text.to_owned() };
    let mut lines = String::new();
    let mut column = 0;
    for word in text.split_whitespace() {
        let columns = console::measure_text_width(word);
        if column > 0 && column + 1 + columns > width {
            lines.push('\n');
            column = 0;
        } else if column > 0 {
            lines.push(' ');
            column += 1;
        }
        lines.push_str(word);
        column += columns;
    }
    lines
}

#[cfg(test)]
mod tests {
    use super::super::tests::{ASCII, PLAIN, text};
    use super::*;

    fn found(level: Level, area: Area, subject: &str, message: &str, hint: &str) -> Finding {
        let [subject, message, hint] = [subject, message, hint].map(ToOwned::to_owned);
        Finding { level, area, subject, check: "rights", message, hint }
    }

    fn report() -> DoctorReport {
        let findings = vec![
            found(Level::Ok, Area::Source, "postgresql://v1/x", "PostgreSQL 15.14", ""),
            found(Level::Ok, Area::Source, "postgresql://v1/x", "encoding UTF8", ""),
            found(
                Level::Problem,
                Area::Target,
                "mvpw5_664",
                "the role lacks DELETE",
                "let its owner say GRANT",
            ),
            found(Level::Ok, Area::Target, "mvpw5_664", "no trigger", ""),
            found(Level::Warning, Area::Target, "mvpw5_664", "was never analyzed", "ANALYZE"),
            found(
                Level::Unknown,
                Area::Target,
                "postgresql://v2/x",
                "free disk cannot be seen by SQL",
                "look",
            ),
        ];
        DoctorReport { problems: 1, warnings: 1, findings }
    }

    #[test]
    fn what_is_well_stands_in_one_line_and_what_is_not_has_its_hint() {
        let expected = "\
source
✓ postgresql://v1/x: PostgreSQL 15.14; encoding UTF8
target
✓ mvpw5_664: no trigger
✗ mvpw5_664: the role lacks DELETE
  hint: let its owner say GRANT
! mvpw5_664: was never analyzed
  hint: ANALYZE
? postgresql://v2/x: free disk cannot be seen by SQL
  hint: look

1 problem, 1 warning
";
        assert_eq!(text(|out| doctor(out, &report(), PLAIN, None)), expected);
    }

    #[test]
    fn lines_are_broken_between_words_to_fit_a_narrow_terminal() {
        let narrow = text(|out| doctor(out, &report(), ASCII, Some(30)));
        assert!(
            narrow.contains(
                "\nx mvpw5_664: the role lacks\n  DELETE\n  hint: let its owner say\n        GRANT\n"
            ),
            "{narrow}"
        );
        assert!(narrow.lines().all(|line| line.len() <= 30), "{narrow}");
        assert_eq!(broken("a bb ccc", Some(2)), "a\nbb\nccc");
        let well = DoctorReport { problems: 0, warnings: 0, findings: Vec::new() };
        assert_eq!(text(|out| doctor(out, &well, PLAIN, None)), "\nno problem, no warning\n");
    }
}
