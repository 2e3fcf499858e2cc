//! `doctor`: what is well in one line for each thing that was looked at, then what is not, with what to do.

use std::io::{self, Write};

use super::{HINT, broken, labelled};
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
    for of_area in report.findings.chunk_by(|a, b| a.area == b.area) {
        let Some(first) = of_area.first() else { continue };
        writeln!(out, "{}", style.paint(Tone::Strong, heading(first.area)))?;
        for line in lines(of_area) {
            line.write(out, style, width)?;
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

/// What is told in one line: of all that it is true of.
struct Line<'r> {
    level: Level,
    text: String,
    subjects: Vec<&'r str>,
    hints: Vec<&'r str>,
}

/// The findings of an area as lines, in the order in which they first come: what is well with a subject together, and
/// the same text of several subjects once.
fn lines(findings: &[Finding]) -> Vec<Line<'_>> {
    let mut lines = Vec::new();
    for group in findings.chunk_by(|a, b| a.subject == b.subject) {
        let (well, others): (Vec<&Finding>, Vec<&Finding>) =
            group.iter().partition(|found| found.level == Level::Ok);
        let text: Vec<&str> = well.iter().map(|found| found.message.as_str()).collect();
        add(&mut lines, text.join("; "), &well);
        for found in others {
            add(&mut lines, found.message.clone(), &[found]);
        }
    }
    lines
}

/// Adds findings of one subject and one level to the line of their text.
fn add<'r>(lines: &mut Vec<Line<'r>>, text: String, found: &[&'r Finding]) {
    let Some(&Finding { level, ref subject, .. }) = found.first().copied() else { return };
    let known = lines.iter().position(|line| line.level == level && line.text == text);
    let index = known.unwrap_or_else(|| {
        lines.push(Line { level, text, subjects: Vec::new(), hints: Vec::new() });
        lines.len() - 1
    });
    let line = &mut lines[index];
    line.subjects.push(subject);
    for hint in found.iter().map(|found| found.hint.as_str()).filter(|hint| !hint.is_empty()) {
        if !line.hints.contains(&hint) {
            line.hints.push(hint);
        }
    }
}

impl Line<'_> {
    /// Writes the sign and the text, below which its further lines and its hints stand.
    fn write(&self, out: &mut dyn Write, style: Style, width: Option<usize>) -> io::Result<()> {
        let (sign, tone) = match self.level {
            Level::Ok => style.level(summary::Level::Good),
            Level::Unknown => ("?", Tone::Dim),
            Level::Warning => style.level(summary::Level::Warning),
            Level::Problem => style.level(summary::Level::Critical),
        };
        let text = format!("{}: {}", self.subjects.join(", "), self.text);
        let text = broken(&text, width.map(|width| width.saturating_sub(2)));
        for (index, part) in text.lines().enumerate() {
            let before = if index == 0 { style.paint(tone, sign) } else { " ".to_owned() };
            writeln!(out, "{before} {part}")?;
        }
        for hint in &self.hints {
            labelled(out, "  ", HINT, &broken(hint, width.map(|width| width.saturating_sub(8))), style)?;
        }
        Ok(())
    }
}

fn heading(area: Area) -> &'static str {
    match area {
        Area::Source => "source",
        Area::Target => "target",
        Area::Pipelines => "pipelines",
    }
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
    fn what_is_true_of_several_tables_is_told_once_with_each_of_their_hints() {
        let of =
            |subject: &str, hint: &str| found(Level::Warning, Area::Target, subject, "has a trigger", hint);
        let well = |subject: &str| found(Level::Ok, Area::Target, subject, "may be read", "");
        let findings = vec![well("a"), of("a", "look"), well("b"), of("b", "look"), of("c", "look at c")];
        let report = DoctorReport { problems: 0, warnings: 3, findings };
        let expected = "\
target
✓ a, b: may be read
! a, b, c: has a trigger
  hint: look
  hint: look at c

no problem, 3 warnings
";
        assert_eq!(text(|out| doctor(out, &report, PLAIN, None)), expected);
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
