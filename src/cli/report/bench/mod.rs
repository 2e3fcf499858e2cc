//! `bench`: a table for each scenario and entity, below a header that says what was measured and where; the
//! same as a page with charts, and as CSV.

mod csv;
mod html;

use std::io::{self, Write};

use super::table::{Cell, Side, Table};
use crate::bench::{BenchReport, Documents, Header, ResultRow};
use crate::cli::format;
use crate::cli::style::{Style, Tone};

pub use self::csv::csv;
pub use self::html::html;

/// Writes the header and the tables.
///
/// # Errors
///
/// Those of the writer.
pub fn bench(out: &mut dyn Write, report: &BenchReport, style: Style) -> io::Result<()> {
    header(out, &report.header, style)?;
    for (title, rows) in blocks(&report.results) {
        writeln!(out, "\n{}", style.paint(Tone::Strong, &title))?;
        table(rows, style).print(out, style)?;
    }
    Ok(())
}

/// The rows of each scenario and entity, with a title.
fn blocks(rows: &[ResultRow]) -> impl Iterator<Item = (String, &[ResultRow])> {
    rows.chunk_by(|a, b| a.scenario == b.scenario && a.entity == b.entity).filter_map(|rows| {
        let first = rows.first()?;
        let title = format!("{}, {} ({})", first.scenario.name(), first.entity, first.scenario.what());
        Some((title, rows))
    })
}

fn header(out: &mut dyn Write, header: &Header, style: Style) -> io::Result<()> {
    for (name, text) in header_lines(header) {
        writeln!(out, "{} {}", style.paint(Tone::Dim, &format!("{name:<9}")), style.signs(&text))?;
    }
    Ok(())
}

/// The header as lines of a name and a text.
fn header_lines(header: &Header) -> Vec<(&'static str, String)> {
    let machine = &header.machine;
    let memory =
        machine.memory_bytes.map_or(String::new(), |bytes| format!(", {} memory", format::bytes(bytes)));
    let cpu = machine.cpu.as_deref().unwrap_or("unknown processor");
    let mut size = match (header.scale, header.seed, &header.dirt) {
        (Some(scale), Some(seed), Some(dirt)) => format!("scale {scale}, seed {seed}, dirt {dirt}; "),
        _ => "as found; ".to_owned(),
    };
    size.push_str(&format!("{} of each contender", format::counted(header.samples as u64, "sample")));
    let private = if header.server.private { "private" } else { "given" };
    let settings: Vec<String> =
        header.server.settings.iter().map(|(name, value)| format!("{name} {value}")).collect();
    let mut lines = vec![
        ("xdoflow", format!("{}, {}", header.version, header.date)),
        ("machine", format!("{cpu}, {} cores{memory}, {}", machine.cores, machine.system)),
        ("server", format!("PostgreSQL {} ({private}): {}", header.server.version, settings.join(", "))),
        ("data", size),
    ];
    lines.extend(header.tables.iter().map(|table| ("V1", documents(table))));
    lines.extend(header.notes.iter().map(|note| ("note", note.clone())));
    lines
}

fn documents(table: &Documents) -> String {
    let mean = table.document_bytes / table.rows.max(1);
    format!(
        "{} ({}): {} of {} text on average; {} in the table, {} in TOAST, {} compressed",
        table.entity,
        table.table,
        format::counted(table.rows, "document"),
        format::bytes(mean),
        format::bytes(table.main_bytes),
        format::bytes(table.toast_bytes),
        format::percent(table.compressed_rows, table.rows)
            .map_or_else(|| "none".to_owned(), |p| format!("{p} %")),
    )
}

fn table(rows: &[ResultRow], style: Style) -> Table {
    use Side::{Left, Right};
    let mut table = Table::new(vec![
        ("Contender", Left),
        ("Read", Left),
        ("Median", Right),
        ("Spread", Left),
        ("Rows/s", Right),
        ("MB/s", Right),
        ("CPU client + server", Right),
        ("WAL", Right),
        ("RSS", Right),
        ("/arrow", Right),
        ("/best SQL", Right),
        ("/in place", Right),
        ("/floor", Right),
        ("", Left),
    ]);
    for row in rows {
        let ours = row.contender.name.starts_with("xdoflow");
        let name = Cell {
            text: style.signs(row.contender.name).into_owned(),
            tone: if ours { Tone::Strong } else { Tone::Plain },
        };
        let read = Cell::plain(row.read_path.map_or("", |read| read.name()));
        let mut cells = vec![name, read];
        if row.correct {
            cells.extend(figures(row, style));
        } else {
            cells.extend((0..11).map(|_| Cell::plain("")));
        }
        cells.push(remark(row));
        table.row(cells);
    }
    table
}

fn figures(row: &ResultRow, style: Style) -> Vec<Cell> {
    let seconds = |ms: Option<f64>| ms.map_or_else(String::new, |ms| format!("{:.3} s", ms / 1000.0));
    let whole = |number: Option<f64>| number.map_or_else(String::new, |n| format::count(n.round() as u64));
    let bytes = |number: Option<u64>| number.map_or_else(String::new, format::bytes);
    let ratio = |ratio: Option<f64>| ratio.map_or_else(String::new, |ratio| format!("{ratio:.2}"));
    let best = row.wall_ms.iter().copied().fold(f64::INFINITY, f64::min);
    let worst = row.wall_ms.iter().copied().fold(0.0, f64::max);
    let dash = if style.unicode { "–" } else { "-" };
    let of_both = [row.cpu_client_ms, row.cpu_server_ms].into_iter();
    let cpu: Vec<String> =
        of_both.map(|ms| ms.map_or_else(|| "?".to_owned(), |ms| format!("{:.2}", ms / 1000.0))).collect();
    let cpu = format!("{} s", cpu.join(" + "));
    let spread = format!("{:.3}{dash}{:.3}", best / 1000.0, worst / 1000.0);
    [
        seconds(row.median_ms),
        spread,
        whole(row.rows_per_s),
        row.mb_per_s.map_or_else(String::new, |speed| format!("{speed:.1}")),
        cpu,
        bytes(row.wal_bytes),
        bytes(row.rss_peak_bytes),
        ratio(row.vs_arrow),
        ratio(row.vs_best_sql),
        ratio(row.vs_best_inplace_sql),
        ratio(row.vs_floor),
    ]
    .into_iter()
    .map(Cell::plain)
    .collect()
}

fn remark(row: &ResultRow) -> Cell {
    let (text, tone) = remark_of(row);
    Cell { text, tone: if tone { Tone::Critical } else { Tone::Dim } }
}

/// What has to be known of a row, and whether it is a fault.
fn remark_of(row: &ResultRow) -> (String, bool) {
    if let Some(error) = &row.error {
        let first = error.lines().next().unwrap_or_default();
        return (format!("failed: {first}"), true);
    }
    if let Some(wrong) = row.rows_wrong.filter(|&wrong| wrong > 0) {
        return (format!("wrong: {} differ", format::counted(wrong, "row")), true);
    }
    let mut remarks = Vec::new();
    remarks.extend(row.way.clone());
    if row.contender.name != "floor" {
        if !row.atomic {
            remarks.push("not atomic".to_owned());
        }
        if !row.in_place {
            remarks.push("another table: views, grants, ids of its own are lost".to_owned());
        }
    }
    if let Some(bytes) = row.wal_target_bytes {
        remarks.push(match bytes {
            0 => "no WAL on the targets".to_owned(),
            bytes => format!("{} WAL on the targets", format::bytes(bytes)),
        });
    }
    (remarks.join(", "), false)
}
