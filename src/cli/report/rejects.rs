//! `rejects`: sums by column and reason, then some of the values.

use std::io::{self, Write};

use super::table::{Cell, Side, Table};
use super::{HINT, labelled};
use crate::cli::format;
use crate::cli::style::{Style, Tone};
use crate::rejects::{RejectReport, RejectedValue};

/// Characters of a value that are shown; the rest is in the CSV file.
const VALUE_CHARS: usize = 60;

/// Writes the sums, the values and one line of conclusion.
///
/// # Errors
///
/// Those of the writer.
pub fn rejects(out: &mut dyn Write, report: &RejectReport, style: Style) -> io::Result<()> {
    if report.count == 0 {
        return writeln!(out, "{}", style.paint(Tone::Good, "no rejects"));
    }
    let mut sums = Table::new(vec![
        ("Entity", Side::Left),
        ("Column", Side::Left),
        ("Reason", Side::Left),
        ("Rejects", Side::Right),
        ("Ids", Side::Left),
    ]);
    for sum in &report.sums {
        let ids: Vec<String> = sum.sample_ids.iter().map(i64::to_string).collect();
        sums.row(vec![
            Cell::plain(&sum.entity),
            Cell::plain(place(&sum.table, sum.column.as_deref())),
            Cell::plain(&sum.reason_code),
            Cell::plain(format::count(u64::try_from(sum.count).unwrap_or(0))),
            Cell { text: ids.join(", "), tone: Tone::Dim },
        ]);
    }
    sums.print(out, style)?;
    if !report.values.is_empty() {
        writeln!(out)?;
        values(out, &report.values, style)?;
    }
    let open = report.count - report.resolved;
    writeln!(
        out,
        "\n{}, {} accepted by a later run, {} open",
        format::counted(report.count, "reject"),
        format::count(report.resolved),
        format::count(open)
    )?;
    if (report.values.len() as u64) < report.count {
        let hint = "\"--csv FILE\" writes all of them, \"--limit N\" shows more";
        labelled(out, "", HINT, hint, style)?;
    }
    Ok(())
}

fn values(out: &mut dyn Write, values: &[RejectedValue], style: Style) -> io::Result<()> {
    let mut table = Table::new(vec![
        ("Run", Side::Right),
        ("Id", Side::Right),
        ("Column", Side::Left),
        ("Key", Side::Left),
        ("Value", Side::Left),
        ("Reason", Side::Left),
    ]);
    for value in values {
        let tone = if value.resolved { Tone::Dim } else { Tone::Plain };
        let cell = |text: String| Cell { text, tone };
        table.row(vec![
            cell(value.run_id.to_string()),
            cell(value.source_id.to_string()),
            cell(place(&value.table, value.column.as_deref())),
            cell(value.key.clone().unwrap_or_default()),
            cell(shortened(value.raw.as_deref().unwrap_or_default())),
            cell(value.reason.clone()),
        ]);
    }
    table.print(out, style)
}

fn place(table: &str, column: Option<&str>) -> String {
    format!("{table}.{}", column.unwrap_or("(row)"))
}

/// One line of at most [`VALUE_CHARS`] characters, without what a terminal would act on.
fn shortened(text: &str) -> String {
    let printable = |c: char| if c.is_control() { ' ' } else { c };
    let mut shown: String = text.chars().map(printable).take(VALUE_CHARS).collect();
    if text.chars().nth(VALUE_CHARS).is_some() {
        shown.push('…');
    }
    shown
}

#[cfg(test)]
mod tests {
    use super::super::tests::{PLAIN, text};
    use super::*;
    use crate::rejects::RejectSum;

    #[test]
    fn sums_come_first_and_long_values_are_cut() {
        let report = RejectReport {
            count: 1_202,
            resolved: 2,
            sums: vec![RejectSum {
                entity: "agents".into(),
                table: "mvpw5_671".into(),
                column: Some("team_cap".into()),
                reason_code: "not_a_number".into(),
                count: 1_202,
                sample_ids: vec![7, 9],
            }],
            values: vec![RejectedValue {
                run_id: 3,
                entity: "agents".into(),
                source_id: 7,
                table: "mvpw5_671".into(),
                column: None,
                key: None,
                raw: Some(format!("\"{}\u{7}\"", "x".repeat(80))),
                reason: "not a number".into(),
                resolved: false,
            }],
        };
        let value = format!("\"{}…", "x".repeat(59));
        let expected = format!(
            "\
Entity  Column              Reason        Rejects  Ids
agents  mvpw5_671.team_cap  not_a_number    1,202  7, 9

Run  Id  Column           Key  Value{}  Reason
  3   7  mvpw5_671.(row)       {value}  not a number

1,202 rejects, 2 accepted by a later run, 1,200 open
hint: \"--csv FILE\" writes all of them, \"--limit N\" shows more
",
            " ".repeat(56)
        );
        assert_eq!(text(|out| rejects(out, &report, PLAIN)), expected);
        let none = RejectReport { count: 0, resolved: 0, sums: vec![], values: vec![] };
        assert_eq!(text(|out| rejects(out, &none, PLAIN)), "no rejects\n");
    }
}
