//! `history`: a line for each run; or one run with its targets and what it met in their columns.

use std::io::{self, Write};
use std::time::Duration;

use super::table::{Cell, Side, Table};
use super::{HINT, labelled};
use crate::cli::format;
use crate::cli::style::{Style, Tone};
use crate::history::{ColumnRecord, EntityRecord, History, Rows, RunDetails, RunRecord};

/// Writes a line for each run, the newest first; columns that do not fit into `width` are left out.
///
/// # Errors
///
/// Those of the writer.
pub fn history(out: &mut dyn Write, history: &History, style: Style, width: Option<usize>) -> io::Result<()> {
    use Side::{Left, Right};
    if history.runs.is_empty() {
        return writeln!(out, "no run yet");
    }
    let mut table = Table::new(vec![
        ("Run", Right),
        ("Started (UTC)", Left),
        ("State", Left),
        ("Mode", Left),
        ("Took", Right),
        ("Read", Right),
        ("Inserted", Right),
        ("Updated", Right),
        ("Deleted", Right),
        ("Rejects", Right),
        ("Entities", Left),
    ]);
    for run in &history.runs {
        table.row(vec![
            Cell::plain(run.run_id.to_string()),
            Cell::plain(minute(&run.started_at)),
            Cell { text: run.state.clone(), tone: tone(run) },
            Cell::plain(mode(run)),
            Cell::plain(took(run)),
            Cell::count(run.rows_read, style),
            Cell::count(run.rows.inserted, style),
            Cell::count(run.rows.updated, style),
            Cell::count(run.rows.deleted, style),
            Cell::count(run.rejects, style),
            Cell::plain(entities(run)),
        ]);
    }
    let spare = ["Entities", "Mode", "Deleted", "Updated", "Inserted", "Took", "Rejects"];
    table.fit(width, &spare).print(out, style)?;
    let shown = history.runs.len() as u64;
    if shown < history.count {
        let text = format!("and {} before them: --limit N lists more", format::count(history.count - shown));
        writeln!(out, "{}", style.paint(Tone::Dim, &text))?;
    }
    match history.runs.iter().find(|run| run.message.is_some()) {
        Some(run) => labelled(
            out,
            "",
            HINT,
            &format!("xdoflow history {} tells why run {} {}", run.run_id, run.run_id, verb(run)),
            style,
        ),
        None => Ok(()),
    }
}

/// Writes the whole of one run.
///
/// # Errors
///
/// Those of the writer.
pub fn run_details(
    out: &mut dyn Write,
    details: &RunDetails,
    style: Style,
    width: Option<usize>,
) -> io::Result<()> {
    let run = &details.run;
    let state = style.paint(tone(run), &run.state);
    writeln!(out, "{} {state}", style.paint(Tone::Strong, &format!("Run {}:", run.run_id)))?;
    let mut lines = vec![
        ("started", format!("{} UTC", run.started_at.replace('T', " ").trim_end_matches('Z'))),
        ("took", took(run)),
        ("mode", mode(run)),
        ("source", run.source.clone()),
        ("xdoflow", run.version.clone()),
    ];
    if let Some(resumes) = run.resumes {
        lines.push(("resumed", format!("run {resumes}")));
    }
    let left: Vec<&str> =
        run.entities.iter().filter(|entity| !run.published.contains(entity)).map(String::as_str).collect();
    if !left.is_empty() {
        lines.push(("left", left.join(", ")));
    }
    if let Some(message) = &run.message {
        lines.push(("message", message.clone()));
    }
    for (name, text) in lines {
        let below = " ".repeat(10);
        let text = text.lines().collect::<Vec<_>>().join(&format!("\n{below}"));
        writeln!(out, "{} {text}", style.paint(Tone::Dim, &format!("{name:<9}")))?;
    }
    if details.details.is_empty() {
        return Ok(());
    }
    writeln!(out)?;
    targets(out, &details.details, style, width)?;
    writeln!(
        out,
        "\n{} read, {}, {} of them accepted since",
        format::counted(run.rows_read, "row"),
        format::counted(run.rejects, "reject"),
        format::count(details.resolved)
    )?;
    columns(out, &details.details, style, width)?;
    if run.rejects > details.resolved && !run.dry_run {
        let hint = format!("xdoflow rejects --run {} shows the values", run.run_id);
        labelled(out, "", HINT, &hint, style)?;
    }
    Ok(())
}

fn targets(
    out: &mut dyn Write,
    entities: &[EntityRecord],
    style: Style,
    width: Option<usize>,
) -> io::Result<()> {
    use Side::{Left, Right};
    let mut table = Table::new(vec![
        ("Entity", Left),
        ("Target", Left),
        ("Table", Left),
        ("Inserted", Right),
        ("Updated", Right),
        ("Deleted", Right),
        ("Unchanged", Right),
        ("Quarantined", Right),
        ("Filtered", Right),
    ]);
    for entity in entities {
        for (index, target) in entity.targets.iter().enumerate() {
            let name = if index == 0 { entity.entity.as_str() } else { "" };
            let mut cells = vec![Cell::plain(name), Cell::plain(&target.name), Cell::plain(&target.table)];
            let Rows { inserted, updated, deleted, unchanged, quarantined, filtered } = target.rows;
            let counts = [inserted, updated, deleted, unchanged, quarantined, filtered];
            cells.extend(counts.map(|count| Cell::count(count, style)));
            table.row(cells);
        }
    }
    table.fit(width, &["Table", "Entity", "Filtered", "Unchanged", "Quarantined"]).print(out, style)
}

/// What was met in the columns, rejects and coercions.
fn columns(
    out: &mut dyn Write,
    entities: &[EntityRecord],
    style: Style,
    width: Option<usize>,
) -> io::Result<()> {
    use Side::{Left, Right};
    let mut table = Table::new(vec![("Column", Left), ("Met", Left), ("Count", Right), ("Ids", Left)]);
    let mut any = false;
    for entity in entities {
        for column in &entity.columns {
            any = true;
            table.row(column_cells(entity, column));
        }
    }
    if !any {
        return Ok(());
    }
    writeln!(out)?;
    table.fit(width, &["Ids"]).print(out, style)
}

fn column_cells(entity: &EntityRecord, column: &ColumnRecord) -> Vec<Cell> {
    let target = entity.targets.iter().find(|target| target.table == column.table);
    let name = target.map_or(&column.table, |target| &target.name);
    let ids: Vec<String> = column.sample_ids.iter().map(i64::to_string).collect();
    let (rule, tone) = if column.rejected {
        (format!("rejected: {}", column.rule), Tone::Warning)
    } else {
        (column.rule.clone(), Tone::Plain)
    };
    vec![
        Cell::plain(format!("{name}.{}", column.column)),
        Cell { text: rule, tone },
        Cell::plain(format::count(column.count)),
        Cell { text: ids.join(", "), tone: Tone::Dim },
    ]
}

fn tone(run: &RunRecord) -> Tone {
    match run.state.as_str() {
        "done" => Tone::Good,
        "running" => Tone::Active,
        "failed" => Tone::Critical,
        _ => Tone::Warning,
    }
}

/// What became of a run that did not come to its end.
fn verb(run: &RunRecord) -> &'static str {
    match run.state.as_str() {
        "interrupted" => "was interrupted",
        "died" => "died",
        _ => "failed",
    }
}

/// `merge --prune, dry run`
pub(super) fn mode(run: &RunRecord) -> String {
    let mut text = run.mode.clone();
    for (is, word) in [(run.prune, " --prune"), (run.partial, ", some rows"), (run.dry_run, ", dry run")] {
        if is {
            text.push_str(word);
        }
    }
    text
}

pub(super) fn took(run: &RunRecord) -> String {
    // Nobody knows when a run died that no other has found yet.
    if run.finished_at.is_none() && run.state == "died" {
        return "unknown".to_owned();
    }
    format::duration(Duration::from_millis(run.elapsed_ms))
}

/// `2025-01-15 10:00`, of `2025-01-15T10:00:00Z`.
fn minute(time: &str) -> String {
    time.replace('T', " ").chars().take(16).collect()
}

/// The entities of a run that was done, or how many of them were published.
fn entities(run: &RunRecord) -> String {
    let (published, all) = (run.published.len(), run.entities.len());
    if run.state == "done" {
        run.entities.join(" ")
    } else {
        format!("{published} of {all}: {}", run.entities.join(" "))
    }
}

#[cfg(test)]
mod tests {
    use super::super::tests::{ASCII, PLAIN, text};
    use super::*;
    use crate::history::TargetRecord;

    fn record(run_id: i64, state: &str, message: Option<&str>) -> RunRecord {
        RunRecord {
            run_id,
            state: state.to_owned(),
            mode: "merge".to_owned(),
            prune: run_id == 2,
            partial: false,
            dry_run: run_id == 1,
            resumes: None,
            entities: vec!["users".to_owned(), "agents".to_owned()],
            published: vec!["users".to_owned()],
            source: "postgresql://reader@v1/xano".to_owned(),
            version: "0.1.0".to_owned(),
            started_at: "2025-01-15T10:00:00Z".to_owned(),
            finished_at: Some("2025-01-15T10:00:18Z".to_owned()),
            elapsed_ms: 18_240,
            message: message.map(ToOwned::to_owned),
            rows_read: 37_376,
            rejects: 14,
            rows: Rows { inserted: 3, unchanged: 37_000, ..Rows::default() },
        }
    }

    #[test]
    fn runs_are_listed_with_what_they_did_and_the_newest_that_failed_is_pointed_at() {
        let runs = vec![record(3, "failed", Some("no")), record(2, "done", None), record(1, "died", None)];
        let seen = History { count: 9, runs };
        let expected = "\
Run  Started (UTC)     State   Mode              Took    Read  Inserted  Updated  Deleted  Rejects  Entities
  3  2025-01-15 10:00  failed  merge           18.2 s  37,376         3        ·        ·       14  1 of 2: users agents
  2  2025-01-15 10:00  done    merge --prune   18.2 s  37,376         3        ·        ·       14  users agents
  1  2025-01-15 10:00  died    merge, dry run  18.2 s  37,376         3        ·        ·       14  1 of 2: users agents
and 6 before them: --limit N lists more
hint: xdoflow history 3 tells why run 3 failed
";
        assert_eq!(text(|out| history(out, &seen, PLAIN, None)), expected);
        assert_eq!(text(|out| history(out, &seen, PLAIN, Some(200))), expected);
    }

    #[test]
    fn a_narrow_terminal_gets_fewer_columns_and_no_line_is_wider_than_it() {
        let seen = History { count: 1, runs: vec![record(1_234, "interrupted", None)] };
        for width in [60, 72, 80, 100, 120] {
            let printed = text(|out| history(out, &seen, ASCII, Some(width)));
            assert!(printed.contains("interrupted") && printed.contains("37,376"), "{printed}");
            assert!(printed.lines().all(|line| line.len() <= width), "{width}: {printed}");
        }
        let none = History { count: 0, runs: Vec::new() };
        assert_eq!(text(|out| history(out, &none, PLAIN, None)), "no run yet\n");
    }

    #[test]
    fn the_whole_of_a_run_is_its_targets_its_columns_and_its_message() {
        let target = TargetRecord {
            table: "mvpw5_664".to_owned(),
            name: "user".to_owned(),
            loaded: 335,
            rows: Rows { inserted: 3, unchanged: 332, ..Rows::default() },
            surplus: 0,
            stale: 0,
        };
        let column = |rule: &str, rejected, count, sample_ids| ColumnRecord {
            table: "mvpw5_664".to_owned(),
            column: "age".to_owned(),
            rule: rule.to_owned(),
            rejected,
            count,
            sample_ids,
        };
        let entity = EntityRecord {
            entity: "users".to_owned(),
            rows_read: 335,
            rejects: 14,
            changed: false,
            published_at: "2025-01-15T10:00:17Z".to_owned(),
            targets: vec![target],
            columns: vec![
                column("blank_to_null", false, 1_200, vec![1]),
                column("fraction", true, 14, vec![2, 3]),
            ],
        };
        let details = RunDetails {
            run: record(3, "failed", Some("connection lost\nno target was changed")),
            resolved: 2,
            details: vec![entity],
        };
        let expected = "\
Run 3: failed
started   2025-01-15 10:00:00 UTC
took      18.2 s
mode      merge
source    postgresql://reader@v1/xano
xdoflow   0.1.0
left      agents
message   connection lost
          no target was changed

Entity  Target  Table      Inserted  Updated  Deleted  Unchanged  Quarantined  Filtered
users   user    mvpw5_664         3        ·        ·        332            ·         ·

37,376 rows read, 14 rejects, 2 of them accepted since

Column    Met                 Count  Ids
user.age  blank_to_null       1,200  1
user.age  rejected: fraction     14  2, 3
hint: xdoflow rejects --run 3 shows the values
";
        assert_eq!(text(|out| run_details(out, &details, PLAIN, None)), expected);
        let narrow = text(|out| run_details(out, &details, ASCII, Some(60)));
        assert!(narrow.lines().all(|line| line.len() <= 60), "{narrow}");
    }
}
