//! `plan`: what a run would do to each target, what would stop it, and how long it may take.

use std::io::{self, Write};
use std::time::Duration;

use super::run;
use super::table::{Cell, Side, Table};
use super::values::{both, shown};
use super::{HINT, broken, labelled};
use crate::cli::format;
use crate::cli::style::{Style, Tone};
use crate::estimate::{Estimate, PlanReport};
use crate::summary::{EntitySummary, Forecast, RowChange, RunSummary, TargetForecast};

/// So many columns are named, and so many rows shown, without `-v`.
const SHORT: usize = 5;

/// Writes the table of targets, what would stop the run, which columns and rows would change, and the estimate; with
/// `verbose` all of the columns and samples. The table fits into `width`.
///
/// # Errors
///
/// Those of the writer.
pub fn plan(
    out: &mut dyn Write,
    report: &PlanReport,
    style: Style,
    width: Option<usize>,
    verbose: bool,
) -> io::Result<()> {
    let summary = &report.run;
    let table = run::table(summary, ["Insert", "Update", "Delete"], style);
    table.fit(width, &["Filtered", "Quarantined", "Entity"]).print(out, style)?;
    let total = run::total(summary, "planned", ["to insert", "to update", "to delete"]);
    writeln!(out)?;
    for line in broken(&total, width).lines() {
        writeln!(out, "{}", style.paint(Tone::Strong, line))?;
    }
    stops(out, summary, style, width)?;
    if report.would_stop == 0 && run::is_equal(summary) {
        writeln!(out, "{}", style.paint(Tone::Good, "a run would change nothing: V2 is equal"))?;
    }
    columns(out, summary, style, verbose)?;
    rows(out, summary, style, verbose)?;
    keys(out, summary, style)?;
    run::read_in_full(out, summary, style)?;
    run::leftovers(out, summary, style)?;
    rejects(out, summary, style, verbose)?;
    run::drift(out, summary, style)?;
    if verbose {
        run::readings(out, summary, style)?;
        run::ways(out, summary)?;
    }
    estimate(out, report, style, width)
}

fn forecasts(summary: &RunSummary) -> impl Iterator<Item = (&EntitySummary, &Forecast)> {
    summary.entities.iter().filter_map(|entity| Some((entity, entity.forecast.as_ref()?)))
}

/// The targets that would change, with their names for people.
fn targets(summary: &RunSummary) -> impl Iterator<Item = (&str, &TargetForecast)> {
    forecasts(summary).flat_map(|(entity, forecast)| {
        forecast.targets.iter().map(|target| {
            let named = entity.targets.iter().find(|counts| counts.table == target.table);
            (named.map_or(target.table.as_str(), |counts| counts.name.as_str()), target)
        })
    })
}

/// The guards that would stop a run.
fn stops(out: &mut dyn Write, summary: &RunSummary, style: Style, width: Option<usize>) -> io::Result<()> {
    for (entity, forecast) in forecasts(summary) {
        for stop in &forecast.stops {
            let text = format!("{}: {}", entity.entity, stop.message);
            labelled(
                out,
                "",
                ("would stop", Tone::Critical),
                &broken(&text, below(width, "would stop")),
                style,
            )?;
            for (label, text) in [(("detail", Tone::Strong), &stop.detail), (HINT, &stop.hint)] {
                if let Some(text) = text {
                    labelled(out, "  ", label, &broken(text, below(width, "  detail")), style)?;
                }
            }
        }
    }
    Ok(())
}

/// The columns that would change most.
fn columns(out: &mut dyn Write, summary: &RunSummary, style: Style, verbose: bool) -> io::Result<()> {
    let mut changes: Vec<(u64, String)> = targets(summary)
        .flat_map(|(name, target)| {
            target.columns.iter().map(move |change| (change.rows, format!("{name}.{}", change.column)))
        })
        .collect();
    if changes.is_empty() {
        return Ok(());
    }
    changes.sort_by(|a, b| b.0.cmp(&a.0).then_with(|| a.1.cmp(&b.1)));
    let most = if verbose { changes.len() } else { SHORT };
    writeln!(out, "\n{}", style.paint(Tone::Strong, "Columns that change most"))?;
    let mut table = Table::new(vec![("Column", Side::Left), ("Rows", Side::Right)]);
    for (rows, column) in changes.iter().take(most) {
        table.row(vec![Cell::plain(column), Cell::plain(format::count(*rows))]);
    }
    table.print(out, style)?;
    more(out, changes.len().saturating_sub(most), "more column", style)
}

/// Some of the rows that would be updated: one of each target in turn, or all samples.
fn rows(out: &mut dyn Write, summary: &RunSummary, style: Style, verbose: bool) -> io::Result<()> {
    let mut samples: Vec<(usize, &str, &RowChange)> = targets(summary)
        .flat_map(|(name, target)| {
            target.updated.iter().enumerate().map(move |(turn, row)| (turn, name, row))
        })
        .collect();
    if samples.is_empty() {
        return Ok(());
    }
    if !verbose {
        samples.sort_by_key(|(turn, ..)| *turn);
        samples.truncate(SHORT);
    }
    writeln!(out, "\n{}", style.paint(Tone::Strong, "Some of the rows that change"))?;
    for (_, name, row) in samples {
        writeln!(out, "{name} {}", shown(&row.key))?;
        for cell in &row.cells {
            let [before, after] = both(cell.before.as_deref(), cell.after.as_deref());
            let text = format!("  {}: {before} → {after}", cell.column);
            writeln!(out, "{}", style.signs(&text))?;
        }
    }
    Ok(())
}

/// Some keys of the rows that would be inserted or deleted.
fn keys(out: &mut dyn Write, summary: &RunSummary, style: Style) -> io::Result<()> {
    let mut table =
        Table::new(vec![("Target", Side::Left), ("Insert, such as", Side::Left), ("V1 lacks", Side::Left)]);
    let list = |keys: &[String]| keys.iter().map(|key| shown(key)).collect::<Vec<_>>().join("; ");
    let mut any = false;
    for (name, target) in targets(summary) {
        if !(target.inserted.is_empty() && target.stale.is_empty()) {
            any = true;
            table.row(vec![
                Cell::plain(name),
                Cell::plain(list(&target.inserted)),
                Cell::plain(list(&target.stale)),
            ]);
        }
    }
    if !any {
        return Ok(());
    }
    writeln!(out, "\n{}", style.paint(Tone::Strong, "Some of the keys that come and go"))?;
    table.print(out, style)
}

/// What would be rejected.
fn rejects(out: &mut dyn Write, summary: &RunSummary, style: Style, verbose: bool) -> io::Result<()> {
    writeln!(out)?;
    run::rejects(out, summary, style, verbose)?;
    if verbose { run::columns(out, summary, style) } else { Ok(()) }
}

/// The columns that are left behind a label and its colon.
fn below(width: Option<usize>, label: &str) -> Option<usize> {
    width.map(|width| width.saturating_sub(label.len() + 2))
}

fn more(out: &mut dyn Write, more: usize, noun: &str, style: Style) -> io::Result<()> {
    match more {
        0 => Ok(()),
        more => {
            let text = format!("and {}, shown with -v", format::counted(more as u64, noun));
            writeln!(out, "{}", style.paint(Tone::Dim, &text))
        }
    }
}

/// How long a run may take, and how much it may write.
fn estimate(out: &mut dyn Write, report: &PlanReport, style: Style, width: Option<usize>) -> io::Result<()> {
    let text = match &report.estimate {
        None => format!(
            "no run of {} alone has come to its end yet, so there is nothing to go by; the plan took {}",
            if report.run.entities.len() == 1 { "this entity" } else { "these entities" },
            format::duration(Duration::from_millis(report.run.elapsed_ms))
        ),
        Some(Estimate { elapsed_ms, wal_bytes, run_id, rows_written, .. }) => {
            let wal =
                wal_bytes.map_or_else(String::new, |bytes| format!(" and {} of WAL", format::bytes(bytes)));
            format!(
                "about {}{wal}, going by run {run_id}, which wrote {}",
                format::duration(Duration::from_millis(*elapsed_ms)),
                format::counted(*rows_written, "row")
            )
        }
    };
    labelled(out, "", ("estimate", Tone::Strong), &broken(&text, below(width, "estimate")), style)?;
    let (tone, verdict) = match report.would_stop {
        0 => (Tone::Plain, "nothing was written to a target"),
        _ => {
            (Tone::Critical, "a run would stop, with the targets as before; nothing was written to a target")
        }
    };
    for line in broken(verdict, width).lines() {
        writeln!(out, "{}", style.paint(tone, line))?;
    }
    Ok(())
}
