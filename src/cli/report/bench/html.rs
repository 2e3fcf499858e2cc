//! `bench --html`: a page that is complete in itself: a chart and a table for each scenario and entity.
//!
//! A bar is a median, the stroke across its end the fastest and the slowest sample. Colour tells what a
//! contender promises; all figures stand in the table as well.

use super::{blocks, header_lines, remark_of};
use crate::bench::{BenchReport, ResultRow};
use crate::cli::format;
use crate::page::{escape, page};

const STYLE: &str = include_str!("bench.css");

/// The drawing's own units: the width of a chart, of its labels, of what stands behind the longest bar,
/// and the height of a row.
const WIDTH: f64 = 900.0;
const LABELS: f64 = 170.0;
const FIGURES: f64 = 220.0;
const ROW: f64 = 22.0;

const KINDS: [(&str, &str); 4] = [
    ("ours", "xdoflow: atomic and in place"),
    ("sql", "SQL that is atomic and in place"),
    ("loose", "SQL that is not: several transactions, or another table"),
    ("floor", "floor: the bytes moved by the server, nothing else"),
];

/// The page.
pub fn html(report: &BenchReport) -> String {
    let header: String = header_lines(&report.header)
        .iter()
        .map(|(name, text)| format!("<dt>{}</dt><dd>{}</dd>\n", escape(name), escape(text)))
        .collect();
    let legend: String =
        KINDS.iter().map(|(class, text)| format!("<li><i class=\"{class}\"></i>{text}</li>\n")).collect();
    let sections: String = blocks(&report.results)
        .map(|(title, rows)| {
            let title = escape(&title);
            format!(
                "<section>\n<h2>{title}</h2>\n{}<div class=\"scroll\">{}</div>\n</section>\n",
                chart(&title, rows),
                table(rows)
            )
        })
        .collect();
    let body = format!(
        "<h1>xdoflow bench</h1>\n<dl>\n{header}</dl>\n<ul class=\"legend\">\n{legend}</ul>\n{sections}"
    );
    page("xdoflow bench", STYLE, &body)
}

fn kind(row: &ResultRow) -> &'static str {
    match row.contender.name {
        "floor" => "floor",
        name if name.starts_with("xdoflow") => "ours",
        _ if row.atomic && row.in_place => "sql",
        _ => "loose",
    }
}

fn name(row: &ResultRow) -> String {
    let read = row.read_path.map_or(String::new(), |read| format!(", {}", read.name()));
    format!("{}{read}", row.contender.name)
}

fn chart(title: &str, rows: &[ResultRow]) -> String {
    let longest = rows.iter().filter(|row| row.correct).flat_map(|row| row.wall_ms.iter().copied());
    let longest = longest.fold(1.0, f64::max);
    let scale = (WIDTH - LABELS - FIGURES) / longest;
    let height = ROW * rows.len() as f64 + 8.0;
    let mut bars = format!("<line x1=\"{LABELS}\" y1=\"0\" x2=\"{LABELS}\" y2=\"{height}\"/>\n");
    for (index, row) in rows.iter().enumerate() {
        let top = 4.0 + ROW * index as f64;
        let (middle, base) = (top + ROW / 2.0 - 1.0, top + ROW / 2.0 + 3.0);
        bars.push_str(&format!(
            "<text x=\"{:.1}\" y=\"{base:.1}\" text-anchor=\"end\">{}</text>\n",
            LABELS - 8.0,
            escape(&name(row))
        ));
        let Some(median) = row.median_ms.filter(|_| row.correct) else {
            let (remark, _) = remark_of(row);
            let shown: String = remark.chars().take(90).collect();
            bars.push_str(&format!(
                "<text class=\"bad\" x=\"{:.1}\" y=\"{base:.1}\">{}</text>\n",
                LABELS + 6.0,
                escape(&shown)
            ));
            continue;
        };
        let best = row.wall_ms.iter().copied().fold(f64::INFINITY, f64::min);
        let worst = row.wall_ms.iter().copied().fold(0.0, f64::max);
        let width = (median * scale).max(1.0);
        bars.push_str(&format!(
            "<rect class=\"{}\" x=\"{LABELS}\" y=\"{top:.1}\" width=\"{width:.1}\" height=\"{:.1}\" rx=\"2\"/>\n",
            kind(row),
            ROW - 5.0
        ));
        if worst > best {
            bars.push_str(&format!(
                "<line class=\"spread\" x1=\"{:.1}\" y1=\"{middle:.1}\" x2=\"{:.1}\" y2=\"{middle:.1}\"/>\n",
                LABELS + best * scale,
                LABELS + worst * scale
            ));
        }
        let factor = row.vs_arrow.filter(|&ratio| ratio > 0.0 && row.contender.name != "arrow");
        let factor = factor.map_or(String::new(), |ratio| format!("  {:.2} × as fast as arrow", 1.0 / ratio));
        bars.push_str(&format!(
            "<text x=\"{:.1}\" y=\"{base:.1}\">{}<tspan class=\"faint\">{factor}</tspan></text>\n",
            LABELS + worst.max(median) * scale + 8.0,
            seconds(median)
        ));
    }
    format!("<svg viewBox=\"0 0 {WIDTH} {height}\" role=\"img\" aria-label=\"{title}\">\n{bars}</svg>\n")
}

const HEADINGS: [&str; 15] = [
    "Contender",
    "Median",
    "Fastest",
    "Slowest",
    "Rows/s",
    "MB/s",
    "CPU client",
    "CPU server",
    "WAL",
    "RSS",
    "/arrow",
    "/best SQL",
    "/in place",
    "/floor",
    "",
];

fn table(rows: &[ResultRow]) -> String {
    let headings: String = HEADINGS.iter().map(|heading| format!("<th>{heading}</th>")).collect();
    let rows: String = rows.iter().map(table_row).collect();
    format!("<table>\n<thead><tr>{headings}</tr></thead>\n<tbody>\n{rows}</tbody>\n</table>\n")
}

fn table_row(row: &ResultRow) -> String {
    let right = row.correct;
    let shown = |text: Option<String>| text.filter(|_| right).unwrap_or_default();
    let ratio = |ratio: Option<f64>| shown(ratio.map(|ratio| format!("{ratio:.2}")));
    let bytes = |number: Option<u64>| shown(number.map(format::bytes));
    let best = row.wall_ms.iter().copied().min_by(f64::total_cmp);
    let worst = row.wall_ms.iter().copied().max_by(f64::total_cmp);
    let cells = [
        shown(row.median_ms.map(seconds)),
        shown(best.map(seconds)),
        shown(worst.map(seconds)),
        shown(row.rows_per_s.map(|rows| format::count(rows.round() as u64))),
        shown(row.mb_per_s.map(|speed| format!("{speed:.1}"))),
        shown(row.cpu_client_ms.map(seconds)),
        shown(row.cpu_server_ms.map(seconds)),
        bytes(row.wal_bytes),
        bytes(row.rss_peak_bytes),
        ratio(row.vs_arrow),
        ratio(row.vs_best_sql),
        ratio(row.vs_best_inplace_sql),
        ratio(row.vs_floor),
    ];
    let cells: String = cells.iter().map(|cell| format!("<td>{cell}</td>")).collect();
    let (remark, fault) = remark_of(row);
    let class = if kind(row) == "ours" { " class=\"mine\"" } else { "" };
    // The figure as the JSON has it, for whoever reads the page with a program.
    let median = row.median_ms.map_or_else(String::new, |ms| format!(" data-median-ms=\"{ms}\""));
    let fault = if fault { " class=\"bad\"" } else { "" };
    format!(
        "<tr{class}{median}><td>{}</td>{cells}<td{fault}>{}</td></tr>\n",
        escape(&name(row)),
        escape(&remark)
    )
}

fn seconds(ms: f64) -> String {
    format!("{:.3} s", ms / 1000.0)
}
