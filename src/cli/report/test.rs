//! `test`: a line for each pipeline, and below it each failed test with what it expected and found.

use std::io::{self, Write};

use crate::cli::format;
use crate::cli::style::{Style, Tone};
use crate::selftest::{Difference, Kind, PipelineReport, TestReport, TestResult};

/// Writes what came of the tests.
///
/// # Errors
///
/// Those of the writer.
pub fn test(out: &mut dyn Write, report: &TestReport, style: Style) -> io::Result<()> {
    let widest = report.pipelines.iter().map(|pipeline| pipeline.entity.len()).max().unwrap_or(0);
    let counts = |pipeline: &PipelineReport| format::counted(pipeline.tests.len() as u64, "test");
    let widest_count = report.pipelines.iter().map(|pipeline| counts(pipeline).len()).max().unwrap_or(0);
    for pipeline in &report.pipelines {
        let (sign, tone, rest) = match (pipeline.tests.len(), pipeline.failed() as u64) {
            (0, _) => ("!", Tone::Warning, String::new()),
            (_, 0) => (style.done_sign(), Tone::Good, String::new()),
            (_, failed) => {
                let sign = if style.unicode { "✗" } else { "x" };
                (sign, Tone::Critical, format!(", {} failed", format::count(failed)))
            }
        };
        let entity = style.paint(Tone::Strong, &format!("{:widest$}", pipeline.entity));
        let count = format!("{:>widest_count$}", counts(pipeline));
        writeln!(out, "{} {entity}  {count}{}", style.paint(tone, sign), style.paint(tone, &rest))?;
        for result in pipeline.tests.iter().filter(|result| !result.passed) {
            failure(out, pipeline, result, style)?;
        }
    }
    Ok(())
}

fn failure(
    out: &mut dyn Write,
    pipeline: &PipelineReport,
    result: &TestResult,
    style: Style,
) -> io::Result<()> {
    let place = style.paint(Tone::Dim, &format!("{}:{}", pipeline.file, result.line));
    writeln!(out, "\n  {}  {place}", style.paint(Tone::Critical, &result.name))?;
    for difference in &result.differences {
        writeln!(out, "    {}", subject(difference))?;
        let expected = style.paint(Tone::Good, &value(difference.kind, difference.expected.as_deref()));
        let found = style.paint(Tone::Critical, &value(difference.kind, difference.found.as_deref()));
        writeln!(out, "      expected  {expected}\n      found     {found}")?;
    }
    writeln!(out)
}

/// `user.email`, and behind it what of it differs where that is not its value.
fn subject(difference: &Difference) -> String {
    let names: Vec<&str> = difference.target.iter().chain(&difference.column).map(String::as_str).collect();
    let name = names.join(".");
    match difference.kind {
        Kind::Cell => name,
        Kind::Row => format!("{name}, the row"),
        Kind::Reject => format!("{name}, the reject"),
        Kind::Run => "the run".to_owned(),
    }
}

fn value(kind: Kind, text: Option<&str>) -> String {
    match (kind, text) {
        // In quotes, so that white space shows.
        (Kind::Cell, Some(text)) => format!("{text:?}"),
        (Kind::Cell, None) => "NULL".to_owned(),
        (_, Some("row")) => "loaded".to_owned(),
        (_, Some("rows")) => "goes on".to_owned(),
        (_, Some(text)) => text.to_owned(),
        (_, None) => "none".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::super::tests::{ASCII, COLOUR, PLAIN, text};
    use super::*;

    fn difference(
        kind: Kind,
        column: Option<&str>,
        expected: Option<&str>,
        found: Option<&str>,
    ) -> Difference {
        let [column, expected, found] = [column, expected, found].map(|text| text.map(str::to_owned));
        Difference { kind, target: Some("user".to_owned()), column, expected, found }
    }

    fn result(name: &str, line: usize, differences: Vec<Difference>) -> TestResult {
        TestResult { name: name.to_owned(), line, passed: differences.is_empty(), differences }
    }

    fn report() -> TestReport {
        let differences = vec![
            difference(Kind::Cell, Some("team_id"), None, Some("12")),
            difference(Kind::Reject, Some("birthdate"), Some("no_such_date"), None),
            difference(Kind::Row, None, Some("row"), Some("quarantined")),
        ];
        let pipeline = |entity: &str, tests| PipelineReport {
            entity: entity.to_owned(),
            file: "p/user.toml".to_owned(),
            tests,
        };
        let pipelines = vec![
            pipeline("users", vec![result("a", 1, vec![]), result("a blank is none", 9, differences)]),
            pipeline("network", vec![result("a", 1, vec![])]),
            pipeline("x", vec![]),
        ];
        TestReport { passed: 2, failed: 1, pipelines }
    }

    #[test]
    fn each_pipeline_has_a_line_and_each_failure_what_it_expected_and_found() {
        let expected = "\
✗ users    2 tests, 1 failed

  a blank is none  p/user.toml:9
    user.team_id
      expected  NULL
      found     \"12\"
    user.birthdate, the reject
      expected  no_such_date
      found     none
    user, the row
      expected  loaded
      found     quarantined

✓ network   1 test
! x        0 tests
";
        assert_eq!(text(|out| test(out, &report(), PLAIN)), expected);
    }

    #[test]
    fn colours_tell_expected_from_found_and_ascii_does_without_signs() {
        let coloured = text(|out| test(out, &report(), COLOUR));
        assert!(coloured.contains("expected  \u{1b}[32mNULL\u{1b}[0m"), "{coloured}");
        assert!(coloured.contains("found     \u{1b}[1m\u{1b}[31m\"12\"\u{1b}[0m"), "{coloured}");
        assert!(text(|out| test(out, &report(), ASCII)).is_ascii());
    }
}
