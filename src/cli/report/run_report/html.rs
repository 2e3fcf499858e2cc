//! A report as a page that is complete in itself.
//!
//! Each figure stands in a `data` element with the value of the JSON, for whoever reads the page with a program.

use super::charts;
use super::sections::{Cell, Section, sections};
use super::words::{facts, guard, headline, place, samples as samples_of, sentence};
use crate::cli::format;
use crate::page::{escape, page};
use crate::rejects::RejectedValue;
use crate::report::{Outcome, Report};

const STYLE: &str = include_str!("report.css");

/// So many rows of a long table, and so many values, are shown at once.
const SHORT: usize = 20;

/// The page.
pub fn html(report: &Report) -> String {
    let run = &report.run.run;
    let title = format!("xdoflow run {}", run.run_id);
    let facts: String = facts(report)
        .iter()
        .map(|(name, text)| format!("<div><dt>{name}</dt><dd>{}</dd></div>\n", lines(text)))
        .collect();
    let mut body = format!(
        "<header>\n<h1>{} <span class=\"state {}\">{}</span></h1>\n<p class=\"lead\">{}</p>\n</header>\n<main>\n\
         <dl>\n{facts}</dl>\n",
        escape(&title),
        class_of(&run.state),
        escape(&run.state),
        escape(&headline(report)),
    );
    for section in sections(report) {
        let figures = match section.id {
            "stages" => stages(report),
            "earlier" => charts::speeds(report),
            _ => String::new(),
        };
        body.push_str(&table(&section, &figures));
    }
    body.push_str(&guards(report));
    body.push_str(&samples(report));
    body.push_str(&format!(
        "</main>\n<footer><p>Made by xdoflow {} from the ledger of the target: run by xdoflow {}.</p></footer>\n",
        env!("CARGO_PKG_VERSION"),
        escape(&run.version)
    ));
    page(&title, STYLE, &body)
}

/// A text whose lines stay lines.
fn lines(text: &str) -> String {
    text.lines().map(escape).collect::<Vec<_>>().join("<br>")
}

/// The class of a state: a word of ours, whatever stands in the ledger.
fn class_of(state: &str) -> &'static str {
    match state {
        "done" => "good",
        "failed" => "bad",
        "running" => "",
        _ => "fair",
    }
}

fn table(section: &Section, figures: &str) -> String {
    let Section { id, title, .. } = section;
    let note = section.note.map_or(String::new(), |note| format!("<p class=\"note\">{}</p>\n", escape(note)));
    let heads: String = section
        .columns
        .iter()
        .map(|column| {
            let class = if column.is_number { " class=\"n\"" } else { "" };
            format!("<th scope=\"col\"{class}>{}</th>", column.name)
        })
        .collect();
    let row = |row: &Vec<Cell>| {
        let cells = row.iter().zip(&section.columns).map(|(cell, column)| shown(cell, column.is_number));
        format!("<tr>{}</tr>\n", cells.collect::<String>())
    };
    let first = if section.is_long { SHORT } else { section.rows.len() };
    let (first, rest) = section.rows.split_at(first.min(section.rows.len()));
    let tables = folded(title, &heads, first.iter().map(row).collect(), rest.iter().map(row).collect());
    format!(
        "<section id=\"{id}\" aria-labelledby=\"h-{id}\">\n<h2 id=\"h-{id}\">{title}</h2>\n{note}{figures}{tables}\
         </section>\n"
    )
}

/// A table in a box that scrolls, and the rest of it folded away.
fn folded(title: &str, heads: &str, first: Vec<String>, rest: Vec<String>) -> String {
    let table = |rows: &[String], label: &str| {
        format!(
            "<div class=\"scroll\" tabindex=\"0\" role=\"region\" aria-label=\"{label}\"><table>\n\
             <thead><tr>{heads}</tr></thead>\n<tbody>\n{}</tbody>\n</table></div>\n",
            rows.concat()
        )
    };
    let more = if rest.is_empty() {
        String::new()
    } else {
        let count = format::count(rest.len() as u64);
        format!(
            "<details><summary>{count} more</summary>\n{}</details>\n",
            table(&rest, &format!("{title}, the rest"))
        )
    };
    table(&first, title) + &more
}

fn shown(cell: &Cell, is_number: bool) -> String {
    let class = if is_number { " class=\"n\"" } else { "" };
    let text = escape(cell.text());
    match cell {
        Cell::Text(_) => format!("<td{class}>{text}</td>"),
        Cell::Code(_) => format!("<td{class}><code>{text}</code></td>"),
        Cell::Figure(value, _) => {
            let zero = if *value == 0 { " class=\"zero\"" } else { "" };
            format!("<td{class}><data value=\"{value}\"{zero}>{text}</data></td>")
        }
    }
}

/// The phases, the narrow place, and the flow over time.
fn stages(report: &Report) -> String {
    let Some(measured) = &report.measured else { return String::new() };
    let narrow = report.bottleneck.as_ref().map_or(String::new(), |found| {
        let advice: String =
            found.advice.iter().map(|advice| format!("<li>{}</li>\n", escape(advice))).collect();
        let advice = if advice.is_empty() { advice } else { format!("<ul>\n{advice}</ul>\n") };
        format!(
            "<h3>The narrow place</h3>\n<p>{}</p>\n{advice}{}",
            escape(&sentence(&found.sentence)),
            charts::shares(report)
        )
    });
    format!("{}{narrow}{}<h3>Each entity</h3>\n", charts::phases(measured), charts::throughput(measured))
}

fn guards(report: &Report) -> String {
    let items: String = report
        .guards
        .iter()
        .map(|one| {
            let class = match one.outcome {
                Outcome::Held => "good",
                Outcome::Published => "fair",
                Outcome::Unreached => "faint",
            };
            format!("<li class=\"{class}\"><span>{}</span></li>\n", escape(&guard(one)))
        })
        .collect();
    format!(
        "<section id=\"guards\" aria-labelledby=\"h-guards\">\n<h2 id=\"h-guards\">Guards</h2>\n\
         <p class=\"note\">What would have stopped a publish, with all targets as before.</p>\n\
         <ul class=\"guards\">\n{items}</ul>\n</section>\n"
    )
}

fn samples(report: &Report) -> String {
    if report.samples.is_empty() {
        return String::new();
    }
    let row = |sample: &RejectedValue| {
        let value = sample.raw.as_ref().map_or("<span class=\"faint\">not kept</span>".to_owned(), |raw| {
            format!("<code>{}</code>", escape(raw))
        });
        let since = if sample.resolved { ", accepted since" } else { "" };
        format!(
            "<tr><td class=\"n\">{}</td><td>{}</td><td><code>{}</code></td><td class=\"value\">{value}</td>\
             <td>{}{since}</td></tr>\n",
            sample.source_id,
            escape(&place(report, sample)),
            escape(sample.key.as_deref().unwrap_or_default()),
            escape(&sample.reason)
        )
    };
    let mut rows: Vec<String> = samples_of(report).into_iter().map(row).collect();
    let rest = rows.split_off(SHORT.min(rows.len()));
    let heads = "<th scope=\"col\" class=\"n\">Id</th><th scope=\"col\">Column</th><th scope=\"col\">Key</th>\
                 <th scope=\"col\">Value</th><th scope=\"col\">Reason</th>";
    format!(
        "<section id=\"rejects\" aria-labelledby=\"h-rejects\">\n<h2 id=\"h-rejects\">Rejected values</h2>\n\
         <p class=\"note\">Up to three of each column and reason, as the quarantine has them.</p>\n{}</section>\n",
        folded("Rejected values", heads, rows, rest)
    )
}

#[cfg(test)]
mod tests {
    use super::super::samples::report;
    use super::*;

    #[test]
    fn nothing_in_the_data_is_markup_and_every_tag_is_closed() {
        let page = html(&report());
        assert!(!page.contains("<script") && !page.contains("<img") && !page.contains("<b>"), "{page}");
        assert!(page.contains("&lt;/script&gt;") && page.contains("onerror=alert(1)&gt;"), "{page}");
        let void = ["meta", "br", "rect", "path", "polyline"];
        let mut open: Vec<&str> = Vec::new();
        for tag in page.split('<').skip(1).filter(|tag| !tag.starts_with('!')) {
            let name = tag.split(|c: char| !c.is_ascii_alphanumeric() && c != '/').next().unwrap_or_default();
            match name.strip_prefix('/') {
                Some(name) => assert_eq!(open.pop(), Some(name)),
                None if void.contains(&name.trim_end_matches('/')) => {}
                None => open.push(name),
            }
        }
        assert!(open.is_empty(), "{open:?}");
        for outside in ["http:", "https:", "src=\"", "url("] {
            assert!(!page.contains(outside), "{outside}");
        }
    }

    #[test]
    fn a_run_of_which_nothing_was_measured_has_a_page_without_charts() {
        let mut bare = report();
        (bare.measured, bare.bottleneck, bare.settings, bare.verification) = (None, None, None, None);
        bare.earlier.clear();
        let page = html(&bare);
        assert!(!page.contains("<svg") && page.contains("<h2 id=\"h-targets\">Targets</h2>"), "{page}");
    }
}
