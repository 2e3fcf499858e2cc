//! `verify`: what was compared, in a table; then what differs, table by table.

use std::io::{self, Write};

use super::table::{Cell, Side, Table};
use super::values::{both, shown, value};
use crate::cli::format;
use crate::cli::style::{Style, Tone};
use crate::summary::Level;
use crate::verify::{Difference, Kind, TableReport, VerifyReport};

/// Writes the table, the differences and one line of conclusion.
///
/// # Errors
///
/// Those of the writer.
pub fn verify(out: &mut dyn Write, report: &VerifyReport, style: Style) -> io::Result<()> {
    let columns = vec![
        ("", Side::Left),
        ("Entity", Side::Left),
        ("Table", Side::Left),
        ("Rows checked", Side::Right),
        ("Differences", Side::Right),
    ];
    let mut tables = Table::new(columns);
    for table in &report.entities {
        let (sign, tone) =
            style.level(if table.difference_count == 0 { Level::Good } else { Level::Critical });
        tables.row(vec![
            Cell { text: sign.to_owned(), tone },
            Cell::plain(&table.entity),
            Cell::plain(&table.table),
            Cell::plain(format::count(table.rows_checked)),
            Cell::count(table.difference_count, style),
        ]);
    }
    tables.print(out, style)?;
    for table in report.entities.iter().filter(|table| table.difference_count > 0) {
        differences(out, table, style)?;
    }
    let rows = report.entities.iter().map(|table| table.rows_checked).sum();
    let all = report.entities.len() as u64;
    let (tone, verdict) = if report.equal {
        let tables = format::counted(all, "table");
        (Tone::Good, format!("equal: every cell of {} in {tables}", format::counted(rows, "row")))
    } else {
        let found = report.entities.iter().map(|table| table.difference_count).sum();
        let wrong = report.entities.iter().filter(|table| table.difference_count > 0).count() as u64;
        let tables = format!("{} of {}", format::count(wrong), format::counted(all, "table"));
        (Tone::Critical, format!("not equal: {} in {tables}", format::counted(found, "difference")))
    };
    writeln!(out, "\n{}", style.paint(tone, &verdict))
}

/// The differences of one table that are named.
fn differences(out: &mut dyn Write, table: &TableReport, style: Style) -> io::Result<()> {
    let heading = format!("{}: {}", table.table, format::counted(table.difference_count, "difference"));
    writeln!(out, "\n{}", style.paint(Tone::Strong, &heading))?;
    let mut lines = Table::new(vec![("Kind", Side::Left), ("Key", Side::Left), ("What", Side::Left)]);
    for difference in &table.differences {
        lines.row(vec![
            Cell { text: difference.kind.name().to_owned(), tone: Tone::Warning },
            Cell::plain(shown(&difference.key)),
            Cell::plain(style.signs(&what(difference)).into_owned()),
        ]);
    }
    if !table.differences.is_empty() {
        lines.print(out, style)?;
    }
    let more = table.difference_count - (table.differences.len() as u64).min(table.difference_count);
    if more == 0 {
        return Ok(());
    }
    let text = format!("and {} more: --limit N names more of them", format::count(more));
    writeln!(out, "{}", style.paint(Tone::Dim, &text))
}

/// A difference in words.
fn what(difference: &Difference) -> String {
    let column = difference.column.as_deref().unwrap_or_default();
    let expected = difference.expected.as_deref();
    let found = difference.found.as_deref();
    match difference.kind {
        Kind::Missing => "V2 lacks the row".to_owned(),
        Kind::Stale => "V1 no longer has the row".to_owned(),
        Kind::Duplicate => format!("stands {} times", found.unwrap_or_default()),
        Kind::Cell => {
            let [expected, found] = both(expected, found);
            format!("{column}: expected {expected}, found {found}")
        }
        Kind::Orphan => {
            format!("{column}: {} is no key of {}", value(found), expected.unwrap_or_default())
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::tests::{ASCII, PLAIN, text};
    use super::*;

    fn difference(
        kind: Kind,
        key: &str,
        column: Option<&str>,
        expected: Option<&str>,
        found: Option<&str>,
    ) -> Difference {
        let [column, expected, found] = [column, expected, found].map(|text| text.map(ToOwned::to_owned));
        Difference { kind, key: key.to_owned(), column, expected, found }
    }

    fn table(table: &str, rows_checked: u64, count: u64, differences: Vec<Difference>) -> TableReport {
        let entity = "agents".to_owned();
        TableReport { entity, table: table.to_owned(), rows_checked, difference_count: count, differences }
    }

    #[test]
    fn each_difference_is_told_in_words() {
        let found = vec![
            difference(Kind::Missing, "7", None, None, None),
            difference(Kind::Stale, "12", None, None, None),
            difference(Kind::Duplicate, "13", None, Some("1"), Some("3")),
            difference(Kind::Cell, "13", Some("fee"), Some("1.10"), Some("1.1")),
            difference(Kind::Cell, "13", Some("note"), None, Some("a\n\"b\"")),
            difference(Kind::Orphan, "13", Some("team"), Some("teams"), Some("99")),
        ];
        let report = VerifyReport {
            equal: false,
            entities: vec![
                table("mvpw5_670", 37_041, 0, Vec::new()),
                table("mvpw5_671", 37_041, 1_006, found),
            ],
        };
        let expected = "   Entity  Table      Rows checked  Differences
✓  agents  mvpw5_670        37,041            ·
✗  agents  mvpw5_671        37,041        1,006

mvpw5_671: 1,006 differences
Kind       Key  What
missing    7    V2 lacks the row
stale      12   V1 no longer has the row
duplicate  13   stands 3 times
cell       13   fee: expected \"1.10\", found \"1.1\"
cell       13   note: expected NULL, found \"a\\n\"b\"\"
orphan     13   team: \"99\" is no key of teams
and 1,000 more: --limit N names more of them

not equal: 1,006 differences in 1 of 2 tables
";
        assert_eq!(text(|out| verify(out, &report, PLAIN)), expected);
    }

    #[test]
    fn without_a_difference_all_is_equal() {
        let report = VerifyReport { equal: true, entities: vec![table("t", 1, 0, Vec::new())] };
        let expected = "   Entity  Table  Rows checked  Differences
+  agents  t                 1            0

equal: every cell of 1 row in 1 table
";
        assert_eq!(text(|out| verify(out, &report, ASCII)), expected);
    }
}
