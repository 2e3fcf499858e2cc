//! A report as Markdown: its first paragraph fits a chat message.

use super::sections::{Cell, Section, sections};
use super::words::{self, facts, guard, headline, sentence};
use crate::cli::format;
use crate::report::Report;

/// So many rows of a long table, and so many values, are shown.
const SHORT: usize = 20;

/// The report.
pub fn markdown(report: &Report) -> String {
    let mut page = format!("{}\n\n", escaped(&headline(report)));
    for (name, text) in facts(report) {
        page.push_str(&format!("- **{name}**: {}\n", escaped(&text)));
    }
    for section in sections(report) {
        page.push_str(&table(&section));
        if section.id == "stages"
            && let Some(found) = &report.bottleneck
        {
            page.push_str(&format!("\n{}\n", escaped(&sentence(&found.sentence))));
            found.advice.iter().for_each(|advice| page.push_str(&format!("\n- {}", escaped(advice))));
            page.push('\n');
        }
    }
    page.push_str("\n## Guards\n\n");
    for one in &report.guards {
        page.push_str(&format!("- {}\n", escaped(&guard(one))));
    }
    if !report.samples.is_empty() {
        page.push_str("\n## Rejected values\n\n");
        let samples = words::samples(report);
        for sample in samples.iter().take(SHORT) {
            page.push_str(&format!("- {}\n", escaped(&words::sample(report, sample))));
        }
        page.push_str(&more(samples.len().saturating_sub(SHORT)));
    }
    page
}

fn table(section: &Section) -> String {
    let mut text = format!("\n## {}\n\n", section.title);
    if let Some(note) = section.note {
        text.push_str(&format!("{note}\n\n"));
    }
    let names: Vec<&str> = section.columns.iter().map(|column| column.name).collect();
    let marks = section.columns.iter().map(|column| if column.is_number { " ---: |" } else { " --- |" });
    text.push_str(&format!("| {} |\n|{}\n", names.join(" | "), marks.collect::<String>()));
    let shown = if section.is_long { SHORT } else { section.rows.len() };
    for row in section.rows.iter().take(shown) {
        let cells: Vec<String> = row.iter().map(|cell| escaped(Cell::text(cell))).collect();
        text.push_str(&format!("| {} |\n", cells.join(" | ")));
    }
    text.push_str(&more(section.rows.len().saturating_sub(shown)));
    text
}

/// How much is left out.
fn more(left: usize) -> String {
    if left == 0 {
        return String::new();
    }
    format!("\nAnd {} more: --html or --json has all.\n", format::count(left as u64))
}

/// Text of Markdown: what would mean something is escaped, and a line stays a line.
fn escaped(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '\\' | '`' | '*' | '_' | '[' | ']' | '<' | '>' | '|' | '#' | '&' | '~' => {
                out.push('\\');
                out.push(c);
            }
            '\n' | '\r' => out.push(' '),
            c => out.push(c),
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::super::samples::report;
    use super::*;

    #[test]
    fn the_first_paragraph_is_a_message_and_tables_are_whole() {
        let page = markdown(&report());
        let first = page.lines().next().expect("a line");
        assert!(first.starts_with("Run 17 done in 18.2 s: 37,376 rows read"), "{first}");
        assert!(first.len() < 300 && page.starts_with(&format!("{first}\n\n")), "{first}");
        assert!(
            page.contains(
                "\n| users | \\</script\\> | \\<b\\>mvpw5\\_664 | 335 | 3 | 12 | 0 | 320 | 2 | 0 |\n"
            ),
            "{page}"
        );
        // Every line of a table has as many cells as its heading.
        let mut cells = 0;
        for line in page.lines() {
            let bars = line.replace("\\|", "").matches('|').count();
            assert!(bars == 0 || cells == 0 || bars == cells, "{line}");
            cells = bars;
        }
        assert!(
            !page.replace("\\<", "").contains('<') && page.contains("\\<img src=x onerror=alert(1)\\>"),
            "{page}"
        );
    }
}
