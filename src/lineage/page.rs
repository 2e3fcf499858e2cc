//! The lineage as Markdown, and as a page of HTML that is complete in itself.

use super::{ColumnLineage, Lineage, TargetLineage};
use crate::page::{escape, page};

const STYLE: &str = "\
nav ul { columns: 16rem; }
table { width: 100%; min-width: 46rem; }
small { color: var(--faint); }
";

const HEADINGS: [&str; 6] =
    ["Column", "Type", "From", "On the way", "Instead of NULL", "A value that cannot be cast"];

/// What no pipeline says alone.
const REMARK: &str = "Made from the pipeline files alone. Where a value becomes NULL and the table's column takes none, \
                      the row is set aside.";

/// Markdown: a heading for each pipeline and each target, a table of its columns.
pub fn markdown(all: &[Lineage]) -> String {
    let mut page = format!("# Lineage\n\n{REMARK}\n");
    for lineage in all {
        page.push_str(&format!(
            "\n## {}\n\n{} reads the documents in {} of {}.\n",
            escaped(&lineage.entity),
            code(&lineage.file),
            code(&lineage.document),
            code(&lineage.source)
        ));
        for target in &lineage.targets {
            page.push_str(&format!(
                "\n### {} ({})\n\n{}\n\n",
                escaped(&target.name),
                code(&target.table),
                rows(target, code, escaped)
            ));
            page.push_str(&format!("| {} |\n|{}\n", HEADINGS.join(" | "), " --- |".repeat(HEADINGS.len())));
            for column in &target.columns {
                page.push_str(&format!("| {} |\n", cells(column, code, escaped).join(" | ")));
            }
        }
    }
    page
}

/// A page: a list of what is on it, then a table for each target.
pub fn html(all: &[Lineage]) -> String {
    let mut list = String::new();
    let mut sections = String::new();
    for lineage in all {
        sections.push_str(&format!(
            "<h2>{}</h2>\n<p>{} reads the documents in {} of {}.</p>\n",
            escape(&lineage.entity),
            tag_code(&lineage.file),
            tag_code(&lineage.document),
            tag_code(&lineage.source)
        ));
        for target in &lineage.targets {
            let anchor = escape(&format!("{}.{}", lineage.entity, target.name));
            list.push_str(&format!("<li><a href=\"#{anchor}\">{anchor}</a></li>\n"));
            let headings: String =
                HEADINGS.iter().map(|heading| format!("<th scope=\"col\">{heading}</th>")).collect();
            let body: String = target.columns.iter().map(table_row).collect();
            sections.push_str(&format!(
                "<h3 id=\"{anchor}\">{} <small>{}</small></h3>\n<p>{}</p>\n<div class=\"scroll\"><table>\n\
                 <thead><tr>{headings}</tr></thead>\n<tbody>\n{body}</tbody>\n</table></div>\n",
                escape(&target.name),
                tag_code(&target.table),
                rows(target, tag_code, escape)
            ));
        }
    }
    let body = format!("<h1>Lineage</h1>\n<p>{REMARK}</p>\n<nav><ul>\n{list}</ul></nav>\n{sections}");
    page("xdoflow lineage", STYLE, &body)
}

fn table_row(column: &ColumnLineage) -> String {
    let cells: String =
        cells(column, tag_code, escape).iter().map(|cell| format!("<td>{cell}</td>")).collect();
    format!("<tr>{cells}</tr>\n")
}

/// Which rows a target has, and what tells them apart.
fn rows(target: &TargetLineage, code: fn(&str) -> String, escape: fn(&str) -> String) -> String {
    let key: Vec<String> = target.key.iter().map(|column| code(column)).collect();
    let rows = target.rows.as_deref().unwrap_or("a row for each row of V1");
    format!("Merge key {}; {}.", key.join(", "), escape(rows))
}

/// The cells of a column, in the order of the headings.
fn cells(
    column: &ColumnLineage,
    code: fn(&str) -> String,
    escape: fn(&str) -> String,
) -> [String; HEADINGS.len()] {
    let mut steps: Vec<String> = column.steps.iter().map(|step| escape(step)).collect();
    steps.extend(column.references.iter().map(|entity| format!("refers to {}", escape(entity))));
    let instead = column.default.as_deref().map(code).unwrap_or_default();
    let reject = match column.on_reject {
        "row" => "the row is set aside",
        "abort" => "the run stops",
        _ if column.default.is_some() => "the value at the left",
        _ => "NULL",
    };
    [
        code(&column.name),
        escape(&column.type_name),
        column.from.told(code),
        steps.join("; "),
        instead,
        reject.to_owned(),
    ]
}

/// Between backticks: as many as the text does not hold itself. A pipe would end the cell of a table.
fn code(text: &str) -> String {
    let mut ticks = "`".to_owned();
    while text.contains(&ticks) {
        ticks.push('`');
    }
    let space = if text.starts_with('`') || text.ends_with('`') { " " } else { "" };
    format!("{ticks}{space}{}{space}{ticks}", text.replace('|', "\\|").replace('\n', " "))
}

/// Text of Markdown: what would mean something is escaped.
fn escaped(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '\\' | '`' | '*' | '_' | '[' | ']' | '<' | '>' | '|' | '#' => {
                out.push('\\');
                out.push(c);
            }
            '\n' | '\r' => out.push(' '),
            c => out.push(c),
        }
    }
    out
}

fn tag_code(text: &str) -> String {
    format!("<code>{}</code>", escape(text))
}

#[cfg(test)]
mod tests {
    use super::super::tests::sample;
    use super::*;

    #[test]
    fn markdown_has_a_table_of_every_target_and_a_line_of_every_column() {
        let page = markdown(&[sample()]);
        assert!(
            page.contains("\n## people\n\n`people.toml` reads the documents in `doc` of `v1`.\n"),
            "{page}"
        );
        assert!(
            page.contains("\n### person (`person`)\n\nMerge key `id`; no rows of which kind is \"TEST\".\n"),
            "{page}"
        );
        for line in [
            "| `id` | bigint | the row's `number` |  |  | the row is set aside |",
            "| `name` | text | the first of `full_name`, `name.a\\|b` | trimmed; \"N/A\" means NULL; upper case |  | NULL |",
            "| `boss` | bigint | `boss` | 0 means NULL; refers to people |  | NULL |",
            "| `pay` | numeric | `pay` | amounts with currency and separators | `0` | the row is set aside |",
            "| `kind` | text | always `\"x\"` |  |  | NULL |",
            "| `above` | bigint | `ancestor` of the closure of `boss`, `id` |  |  | the row is set aside |",
        ] {
            assert!(page.contains(&format!("\n{line}\n")), "{line}\n{page}");
        }
        // Every line of a table has as many cells as its heading.
        let bars = |line: &str| line.replace("\\|", "").matches('|').count();
        assert!(page.lines().filter(|line| line.starts_with('|')).all(|line| bars(line) == 7), "{page}");
    }

    #[test]
    fn the_page_is_complete_in_itself_and_names_are_escaped() {
        let mut lineage = sample();
        lineage.targets[0].name = "<b>&".to_owned();
        let page = html(&[lineage]);
        assert!(
            page.contains(
                "<h3 id=\"people.&lt;b&gt;&amp;\">&lt;b&gt;&amp; <small><code>person</code></small></h3>"
            ),
            "{page}"
        );
        assert!(page.contains("<td>always <code>&quot;x&quot;</code></td>"), "{page}");
        for outside in ["http:", "https:", "src=", "@import", "<script"] {
            assert!(!page.contains(outside), "{outside}");
        }
        for tag in ["html", "head", "body", "style", "table", "tr", "td", "h2", "h3", "code", "li"] {
            let count = |mark: String| page.matches(&mark).count();
            let opened = count(format!("<{tag}>")) + count(format!("<{tag} "));
            assert_eq!(opened, count(format!("</{tag}>")), "{tag}");
        }
        assert_eq!(code("a`b"), "``a`b``");
        assert_eq!(escaped("a_b*"), "a\\_b\\*");
    }
}
