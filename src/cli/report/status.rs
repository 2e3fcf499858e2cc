//! `status`: V1 against V2, in tables.

use std::io::{self, Write};

use super::table::{Cell, Side, Table};
use crate::cli::format;
use crate::cli::style::{Style, Tone};
use crate::summary::{Level, StatusReport};

/// Writes both tables and one line of conclusion.
///
/// # Errors
///
/// Those of the writer.
pub fn status(out: &mut dyn Write, report: &StatusReport, style: Style) -> io::Result<()> {
    use Side::{Left, Right};
    let mut entities = Table::new(vec![
        ("Entity", Left),
        ("V1", Right),
        ("V2", Right),
        ("Ratio", Right),
        ("Delta", Right),
        ("Level", Left),
    ]);
    for count in &report.entity_counts {
        entities.row(vec![
            Cell::plain(&count.entity),
            Cell::plain(format::count(count.v1)),
            Cell::plain(format::count(count.v2)),
            Cell::plain(format::ratio(count.v2, count.v1).unwrap_or_else(|| "-".to_owned())),
            Cell::plain(format::delta(count.delta)),
            level(count.level, style),
        ]);
    }
    entities.print(out, style)?;
    if !report.split_tables.is_empty() {
        let columns = vec![("Table", Left), ("Rows", Right), ("Expected", Right), ("Level", Left)];
        let mut tables = Table::new(columns);
        for split in &report.split_tables {
            tables.row(vec![
                Cell::plain(&split.table),
                Cell::plain(format::count(split.rows)),
                Cell::plain(format::count(split.expected)),
                level(split.level, style),
            ]);
        }
        writeln!(out)?;
        tables.print(out, style)?;
    }
    let (tone, text) = conclusion(report);
    writeln!(out, "\n{}", style.paint(tone, &text))
}

fn level(level: Level, style: Style) -> Cell {
    let (sign, tone) = style.level(level);
    Cell { text: format!("{sign} {}", level.name()), tone }
}

fn conclusion(report: &StatusReport) -> (Tone, String) {
    let entities = report.entity_counts.iter().map(|count| (count.level, count.delta == 0));
    let tables = report.split_tables.iter().map(|split| (split.level, split.rows == split.expected));
    let all: Vec<(Level, bool)> = entities.chain(tables).collect();
    let of = |level: Level| all.iter().filter(|(other, _)| *other == level).count();
    let differ = all.iter().filter(|(_, exact)| !exact).count();
    let repair = "\"xdoflow run --prune\" makes V2 equal to V1";
    match (of(Level::Critical), of(Level::Warning)) {
        (0, 0) if differ == 0 => (Tone::Good, "all good: every count is exact".to_owned()),
        (0, 0) => {
            (Tone::Good, format!("all good: {differ} of {} counts differ a little; {repair}", all.len()))
        }
        (0, warning) => (Tone::Warning, format!("{warning} of {} counts warning: {repair}", all.len())),
        (critical, 0) => (Tone::Critical, format!("{critical} of {} counts critical: {repair}", all.len())),
        (critical, warning) => (
            Tone::Critical,
            format!("{critical} critical, {warning} warning of {} counts: {repair}", all.len()),
        ),
    }
}

#[cfg(test)]
mod tests {
    use super::super::tests::{ASCII, COLOUR, PLAIN, text};
    use super::*;
    use crate::summary::{EntityCount, SplitCount};

    fn report(counts: &[(&str, u64, u64)], splits: &[(&str, u64, u64)]) -> StatusReport {
        let split = |(table, rows, expected): &(&str, u64, u64)| SplitCount {
            table: (*table).to_owned(),
            rows: *rows,
            expected: *expected,
            level: Level::of(*rows, *expected),
        };
        StatusReport {
            entity_counts: counts
                .iter()
                .map(|(entity, v1, v2)| EntityCount::new((*entity).to_owned(), *v1, *v2))
                .collect(),
            split_tables: splits.iter().map(split).collect(),
        }
    }

    #[test]
    fn the_tables_are_aligned_and_a_surplus_is_critical_too() {
        let seen = report(
            &[("users", 335, 335), ("participants", 702_072, 701_551), ("network", 0, 10)],
            &[("user_credentials", 335, 335), ("agent_caps", 51_107, 37_041)],
        );
        let expected = "\
Entity             V1       V2     Ratio  Delta  Level
users             335      335  100.00 %      0  ✓ good
participants  702,072  701,551   99.93 %   -521  ! warning
network             0       10         -    +10  ✗ critical

Table               Rows  Expected  Level
user_credentials     335       335  ✓ good
agent_caps        51,107    37,041  ✗ critical

2 critical, 1 warning of 5 counts: \"xdoflow run --prune\" makes V2 equal to V1
";
        assert_eq!(text(|out| status(out, &seen, PLAIN)), expected);
        let ascii = expected.replace('✓', "+").replace('✗', "x");
        assert_eq!(text(|out| status(out, &seen, ASCII)), ascii);
    }

    #[test]
    fn the_conclusion_says_exact_only_when_every_count_is() {
        let last = |seen: &StatusReport| {
            text(|out| status(out, seen, PLAIN)).lines().last().map(ToOwned::to_owned).unwrap()
        };
        assert_eq!(last(&report(&[("users", 335, 335)], &[])), "all good: every count is exact");
        assert_eq!(
            last(&report(&[("users", 335, 335)], &[("user_roles", 334, 335)])),
            "all good: 1 of 2 counts differ a little; \"xdoflow run --prune\" makes V2 equal to V1"
        );
        assert_eq!(
            last(&report(&[("users", 335, 331)], &[])),
            "1 of 1 counts warning: \"xdoflow run --prune\" makes V2 equal to V1"
        );
    }

    #[test]
    fn colours_do_not_move_the_columns() {
        let printed = text(|out| status(out, &report(&[("users", 335, 335)], &[]), COLOUR));
        assert_eq!(
            console::strip_ansi_codes(&printed),
            text(|out| status(out, &report(&[("users", 335, 335)], &[]), PLAIN))
        );
        assert!(printed.contains("\x1b[32m✓ good\x1b[0m"), "{printed:?}");
    }
}
