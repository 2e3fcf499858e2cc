//! The tables of a report, before they are text, Markdown or a page.

use std::cmp::Reverse;

use super::words::ms;
use crate::cli::format;
use crate::history::EntityRecord;
use crate::measured::{Stage, percent};
use crate::report::{EarlierRun, Report};

/// A table with its heading.
pub(super) struct Section {
    /// Its anchor in the page.
    pub id: &'static str,
    pub title: &'static str,
    /// What to know of it.
    pub note: Option<&'static str>,
    pub columns: Vec<Column>,
    pub rows: Vec<Vec<Cell>>,
    /// The columns that a narrow terminal goes without, the first to go first.
    pub spare: &'static [&'static str],
    /// Whether its first rows say most of it.
    pub is_long: bool,
}

pub(super) struct Column {
    pub name: &'static str,
    /// Whether its cells are numbers.
    pub is_number: bool,
}

pub(super) enum Cell {
    Text(String),
    /// A name of the database, or a value.
    Code(String),
    /// A figure of the JSON, and its text.
    Figure(u64, String),
}

impl Cell {
    fn count(count: u64) -> Self {
        Self::Figure(count, format::count(count))
    }

    fn time(time: u64) -> Self {
        Self::Figure(time, ms(time))
    }

    fn share(share: f64) -> Self {
        Self::Text(percent(share))
    }

    pub(super) fn text(&self) -> &str {
        match self {
            Self::Text(text) | Self::Code(text) | Self::Figure(_, text) => text,
        }
    }
}

fn columns(texts: &[&'static str], numbers: &[&'static str]) -> Vec<Column> {
    let texts = texts.iter().map(|name| Column { name, is_number: false });
    texts.chain(numbers.iter().map(|name| Column { name, is_number: true })).collect()
}

/// All tables that have something to say, in their order.
pub(super) fn sections(report: &Report) -> Vec<Section> {
    let all = [
        targets(report),
        verified(report),
        stages(report),
        tables(report),
        earlier(report),
        reasons(report),
        drift(report),
        coercions(report),
    ];
    all.into_iter().filter(|section| !section.rows.is_empty()).collect()
}

fn targets(report: &Report) -> Section {
    let mut rows = Vec::new();
    for entity in &report.run.details {
        for target in &entity.targets {
            let counts = target.rows;
            let mut row = vec![
                Cell::Text(entity.entity.clone()),
                Cell::Text(target.name.clone()),
                Cell::Code(target.table.clone()),
            ];
            row.extend(
                [
                    target.loaded,
                    counts.inserted,
                    counts.updated,
                    counts.deleted,
                    counts.unchanged,
                    counts.quarantined,
                    counts.filtered,
                ]
                .map(Cell::count),
            );
            rows.push(row);
        }
    }
    Section {
        id: "targets",
        title: "Targets",
        note: report.run.run.dry_run.then_some("A dry run: what would have been written."),
        columns: columns(
            &["Entity", "Target", "Table"],
            &["Loaded", "Inserted", "Updated", "Deleted", "Unchanged", "Quarantined", "Filtered"],
        ),
        rows,
        spare: &["Table", "Entity", "Filtered", "Loaded", "Unchanged", "Quarantined"],
        is_long: false,
    }
}

/// The stages that any entity was in.
fn stages(report: &Report) -> Section {
    let entities = report.measured.iter().flat_map(|measured| &measured.entities);
    let jobs = report.measured.as_ref().map_or(0, |measured| measured.jobs);
    let rows = entities.map(|entity| {
        let mut row = vec![
            Cell::Text(entity.entity.clone()),
            Cell::time(entity.copy_ms()),
            Cell::time(entity.publish_ms()),
            Cell::count(entity.lanes),
        ];
        let shares = [Stage::Scan, Stage::Read, Stage::Transform, Stage::Compare, Stage::Load];
        row.extend(shares.map(|stage| Cell::share(entity.busy(stage, jobs).share())));
        row
    });
    Section {
        id: "stages",
        title: "Stages",
        note: Some(
            "How long each entity was copied and published, and how busy its lanes were with each stage while \
             they worked; stages overlap.",
        ),
        columns: columns(
            &["Entity"],
            &["Copy", "Publish", "Lanes", "Scan", "Read", "Transform", "Compare", "Load"],
        ),
        rows: rows.collect(),
        spare: &["Scan", "Lanes", "Transform"],
        is_long: false,
    }
}

fn tables(report: &Report) -> Section {
    let entities = report.measured.iter().flat_map(|measured| &measured.entities);
    let rows = entities.flat_map(|entity| {
        entity.targets.iter().map(|target| {
            vec![
                Cell::Text(entity.entity.clone()),
                Cell::Code(target.table.clone()),
                Cell::time(target.load_ms),
                Cell::time(target.compare_ms),
                Cell::time(target.publish_ms),
            ]
        })
    });
    Section {
        id: "tables",
        title: "Time by table",
        note: Some(
            "Summed over the lanes: rows being sent, V2 read back and compared, the statements of the publish.",
        ),
        columns: columns(&["Entity", "Table"], &["Load", "Compare", "Publish"]),
        rows: rows.collect(),
        spare: &["Entity"],
        is_long: false,
    }
}

/// Why values were rejected, the most frequent first.
fn reasons(report: &Report) -> Section {
    Section {
        id: "reasons",
        title: "Rejects by reason",
        note: Some("The most frequent first, with ids of rows of V1."),
        ..met(report, true)
    }
}

/// The keys of V1 that were not as they had been accepted.
fn drift(report: &Report) -> Section {
    let rows = report.drift.iter().map(|found| {
        vec![
            Cell::Text(found.entity.clone()),
            Cell::Code(found.drift.key.clone()),
            Cell::Text(found.drift.to_string()),
        ]
    });
    Section {
        id: "drift",
        title: "Drift",
        note: Some("Keys of V1 that came, went or changed their kind since they were accepted."),
        columns: columns(&["Entity", "Key", "What"], &[]),
        rows: rows.collect(),
        spare: &["Key"],
        is_long: true,
    }
}

/// What was cleaned, the most frequent first.
fn coercions(report: &Report) -> Section {
    Section {
        id: "coercions",
        title: "Coercions",
        note: Some("Dirty values that became clean ones, the most frequent first, with ids of rows of V1."),
        ..met(report, false)
    }
}

fn met(report: &Report, rejected: bool) -> Section {
    let of = |entity: &'_ EntityRecord| {
        let columns = entity.columns.iter().filter(|column| column.rejected == rejected);
        let named = columns.map(|column| (name_of(entity, &column.table).to_owned(), column.clone()));
        named.collect::<Vec<_>>()
    };
    let mut met: Vec<_> = report.run.details.iter().flat_map(of).collect();
    met.sort_by_key(|(_, column)| Reverse(column.count));
    let rows = met.iter().map(|(name, column)| {
        let ids: Vec<String> = column.sample_ids.iter().map(i64::to_string).collect();
        vec![
            Cell::Text(format!("{name}.{}", column.column)),
            Cell::Text(column.rule.clone()),
            Cell::count(column.count),
            Cell::Text(ids.join(", ")),
        ]
    });
    let mut columns = columns(&["Column", "What"], &["Count"]);
    columns.push(Column { name: "Ids", is_number: false });
    Section { id: "", title: "", note: None, columns, rows: rows.collect(), spare: &["Ids"], is_long: true }
}

/// The name of a table for people.
pub(super) fn name_of<'a>(entity: &'a EntityRecord, table: &'a str) -> &'a str {
    entity.targets.iter().find(|target| target.table == table).map_or(table, |target| &target.name)
}

fn verified(report: &Report) -> Section {
    let targets = report.verification.iter().flat_map(|found| &found.targets);
    let rows = targets.map(|target| {
        vec![
            Cell::Text(target.entity.clone()),
            Cell::Code(target.table.clone()),
            Cell::count(target.rows_checked),
            Cell::count(target.difference_count),
        ]
    });
    Section {
        id: "verification",
        title: "Verification",
        note: Some("The last verify after this run, before another run of these entities."),
        columns: columns(&["Entity", "Table"], &["Rows checked", "Differences"]),
        rows: rows.collect(),
        spare: &["Entity"],
        is_long: false,
    }
}

/// The run itself comes first.
fn earlier(report: &Report) -> Section {
    let run = &report.run.run;
    let this = EarlierRun {
        run_id: run.run_id,
        started_at: run.started_at.clone(),
        elapsed_ms: run.elapsed_ms,
        rows_read: run.rows_read,
        rows_per_s: report.rows_per_s,
        written: run.rows.inserted + run.rows.updated + run.rows.deleted,
        rejects: run.rejects,
    };
    let row = |one: &EarlierRun| {
        vec![
            Cell::Text(one.run_id.to_string()),
            Cell::Text(one.started_at.replace('T', " ").chars().take(16).collect()),
            Cell::time(one.elapsed_ms),
            Cell::count(one.rows_read),
            one.rows_per_s.map_or(Cell::Text(String::new()), Cell::count),
            Cell::count(one.written),
            Cell::count(one.rejects),
        ]
    };
    let alone = report.earlier.is_empty();
    let this = (!alone).then_some(&this);
    let rows = this.into_iter().chain(&report.earlier).map(row).collect();
    Section {
        id: "earlier",
        title: "Beside earlier runs",
        note: Some(
            "The last runs of the same entities in the same mode that came to their end; this one stands first.",
        ),
        columns: columns(&["Run", "Started (UTC)"], &["Took", "Rows", "Rows/s", "Written", "Rejects"]),
        rows,
        spare: &["Started (UTC)", "Written"],
        is_long: false,
    }
}
