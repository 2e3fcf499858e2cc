//! `check`: each finding with its hint, then what was looked at.

use std::io::{self, Write};

use super::{HINT, labelled};
use crate::check::{CheckReport, Finding, RawReading, Severity};
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
    reading(out, &report.raw_reading, style)?;
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

/// In which form V1 will be read, and what would make it the cheaper one.
fn reading(out: &mut dyn Write, raw: &RawReading, style: Style) -> io::Result<()> {
    if raw.possible {
        let text = "V1's documents can be read as the server keeps them; run does so where a sample reads the \
                    same as text";
        return labelled(out, "", ("note", Tone::Good), text, style);
    }
    labelled(
        out,
        "",
        ("note", Tone::Strong),
        &format!("V1's documents are read as text: {}", raw.reason),
        style,
    )?;
    match raw.statement {
        None => Ok(()),
        Some(statement) => {
            let hint = format!(
                "a superuser of V1's database may run: {statement}\n\
                 reading then costs its server about a tenth of the time; {}\nundo it with: {}",
                raw.effect, raw.undo
            );
            labelled(out, "  ", HINT, &hint, style)
        }
    }
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
    use crate::pg::RawAccess;
    use crate::pgcopy::ondisk::ByteOrder;

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

note: V1's documents are read as text: the source has no cast from jsonb to bytea without function
  hint: a superuser of V1's database may run: CREATE CAST (jsonb AS bytea) WITHOUT FUNCTION
        reading then costs its server about a tenth of the time; it is binary-coercible and explicit only: a \
query that does not say document::bytea is as before, no row is written, and pg_dump keeps it with the database
        undo it with: DROP CAST (jsonb AS bytea)
checked 14 tables and 1,200 columns: 1 error, 1 warning
";
        let raw_reading = RawReading::new(&RawAccess::NoCast);
        let report = CheckReport { tables: 14, columns: 1_200, findings, raw_reading };
        assert_eq!(text(|out| check(out, &report, PLAIN)), expected);
    }

    #[test]
    fn where_a_cast_would_not_help_none_is_named() {
        let raw_reading =
            RawReading::new(&RawAccess::No("the source's encoding is LATIN1, and not UTF8".into()));
        let report = CheckReport { tables: 1, columns: 2, findings: Vec::new(), raw_reading };
        let printed = text(|out| check(out, &report, PLAIN));
        assert!(
            printed.starts_with("note: V1's documents are read as text: the source's encoding is LATIN1")
        );
        assert!(!printed.contains("CREATE CAST"), "{printed}");
    }

    #[test]
    fn without_findings_all_fits() {
        let raw_reading = RawReading::new(&RawAccess::Yes(ByteOrder::Little));
        let report = CheckReport { tables: 1, columns: 2, findings: Vec::new(), raw_reading };
        let expected = "\
note: V1's documents can be read as the server keeps them; run does so where a sample reads the same as text
checked 1 table and 2 columns: the pipelines fit both databases
";
        assert_eq!(text(|out| check(out, &report, PLAIN)), expected);
    }
}
