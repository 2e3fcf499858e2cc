//! `drift`: how the keys of V1 differ from what was accepted, in a table.

use std::io::{self, Write};

use super::table::{Cell, Side, Table};
use super::values::shown;
use super::{HINT, labelled};
use crate::cli::format;
use crate::cli::style::{Style, Tone};
use crate::drift::{DriftRecord, DriftReport};
use crate::summary::DriftChange;

/// Writes the differences of each entity, and a line of conclusion; `accepted` says whether they were.
///
/// # Errors
///
/// Those of the writer.
pub fn drift(
    out: &mut dyn Write,
    report: &DriftReport,
    accepted: bool,
    style: Style,
    width: Option<usize>,
) -> io::Result<()> {
    use Side::{Left, Right};
    let mut table = Table::new(vec![
        ("Entity", Left),
        ("Key", Left),
        ("What", Left),
        ("Rows", Right),
        ("First id", Right),
        ("Since run", Right),
    ]);
    for entity in report.entities.iter().filter(|entity| !entity.drift.is_empty()) {
        for (index, record) in entity.drift.iter().enumerate() {
            let name = if index == 0 { entity.entity.as_str() } else { "" };
            table.row(vec![
                Cell::plain(name),
                Cell::plain(shown(&record.drift.key)),
                Cell { text: what(record), tone: Tone::Warning },
                Cell::count(record.drift.count, style),
                Cell::plain(record.drift.first_id.map_or_else(String::new, |id| id.to_string())),
                Cell::plain(record.first_run.to_string()),
            ]);
        }
    }
    if report.count > 0 {
        table.fit(width, &["Since run", "First id"]).print(out, style)?;
        writeln!(out)?;
    }
    if report.entities.is_empty() {
        let text = "no run has noted the keys of an entity yet: the first that reads all of one does";
        return writeln!(out, "{text}");
    }
    let known: u64 = report.entities.iter().map(|entity| entity.known).sum();
    let keys = format!("{} of {}", format::counted(known, "key"), entities(report.entities.len() as u64));
    let (tone, verdict) = match (report.count, accepted) {
        (0, _) => (Tone::Good, format!("no drift: {keys} are as they were accepted")),
        (count, true) => (Tone::Good, format!("accepted: {}", format::counted(count, "difference"))),
        (count, false) => {
            let text = format!("{} from the {keys} that were accepted", format::counted(count, "difference"));
            (Tone::Warning, text)
        }
    };
    writeln!(out, "{}", style.paint(tone, &verdict))?;
    if report.count == 0 || accepted {
        return Ok(());
    }
    labelled(out, "", HINT, "\"xdoflow drift --accept\" makes it what V1 is expected to be", style)
}

fn entities(count: u64) -> String {
    if count == 1 { "1 entity".to_owned() } else { format!("{} entities", format::count(count)) }
}

/// `new, string`; `number, was string or array`; `gone, was string`
fn what(record: &DriftRecord) -> String {
    let drift = &record.drift;
    let before = drift.before.join(" or ");
    match drift.change {
        DriftChange::New => format!("new, {}", drift.kind),
        DriftChange::Kind => format!("{}, was {before}", drift.kind),
        DriftChange::Gone => format!("gone, was {before}"),
    }
}
