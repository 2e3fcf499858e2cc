//! `check`: each finding with its hint, then what was looked at.

use std::io::{self, Write};

use super::{HINT, labelled};
use crate::check::{CheckReport, Finding, Severity};
use crate::cli::format;
use crate::cli::style::{Style, Tone};

/// Writes the findings in their order and one line of conclusion.
///
/// # Errors
///
/// Those of the writer.
pub fn check(out: &mut dyn Write, report: &CheckReport, style: Style) -> io::Result<()> {
    for found in &report.findings {
        finding(out, found, style)?;
    }
    if !report.findings.is_empty() {
        writeln!(out)?;
    }
    let of = |severity| report.findings.iter().filter(|found| found.severity == severity).count() as u64;
    let (tone, verdict) = match (of(Severity::Error), of(Severity::Warning)) {
        (0, 0) => (Tone::Good, "the pipelines fit both databases".to_owned()),
        (0, warnings) => (Tone::Warning, format::counted(warnings, "warning")),
        (errors, 0) => (Tone::Critical, format::counted(errors, "error")),
        (errors, warnings) => {
            let both = [format::counted(errors, "error"), format::counted(warnings, "warning")];
            (Tone::Critical, both.join(", "))
        }
    };
    let tables = format::counted(report.tables as u64, "table");
    let columns = format::counted(report.columns as u64, "column");
    writeln!(out, "checked {tables} and {columns}: {}", style.paint(tone, &verdict))
}

/// `error: users: mvpw5_664.email: message`, the hint below it.
fn finding(out: &mut dyn Write, found: &Finding, style: Style) -> io::Result<()> {
    let label = match found.severity {
        Severity::Warning => ("warning", Tone::Warning),
        Severity::Error => ("error", Tone::Critical),
    };
    let place = style.paint(Tone::Strong, &format!("{}: {}", found.entity, found.subject));
    labelled(out, "", label, &format!("{place}: {}", found.message), style)?;
    if found.hint.is_empty() { Ok(()) } else { labelled(out, "  ", HINT, &found.hint, style) }
}

#[cfg(test)]
mod tests {
    use super::super::tests::{PLAIN, text};
    use super::*;

    fn found(severity: Severity, subject: &str, message: &str, hint: &str) -> Finding {
        let [subject, message, hint] = [subject, message, hint].map(ToOwned::to_owned);
        Finding { severity, entity: "agents".to_owned(), subject, message, hint }
    }

    #[test]
    fn findings_say_how_bad_where_what_and_what_to_do() {
        let findings = vec![
            found(Severity::Error, "mvpw5_673.team_cap", "no such column", ""),
            found(Severity::Warning, "mvpw5_673", "the key has no index", "create one"),
        ];
        let expected = "\
error: agents: mvpw5_673.team_cap: no such column
warning: agents: mvpw5_673: the key has no index
  hint: create one

checked 14 tables and 1,200 columns: 1 error, 1 warning
";
        let report = CheckReport { tables: 14, columns: 1_200, findings };
        assert_eq!(text(|out| check(out, &report, PLAIN)), expected);
    }

    #[test]
    fn without_findings_all_fits() {
        let report = CheckReport { tables: 1, columns: 2, findings: Vec::new() };
        let expected = "checked 1 table and 2 columns: the pipelines fit both databases\n";
        assert_eq!(text(|out| check(out, &report, PLAIN)), expected);
    }
}
