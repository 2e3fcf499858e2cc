//! `run`: what it did to each target, then what is worth knowing of it.

use std::io::{self, Write};
use std::time::Duration;

use super::table::{Cell, Side, Table};
use super::{HINT, labelled};
use crate::cli::format;
use crate::cli::style::{Style, Tone};
use crate::summary::{
    ChangedSummary, ColumnSummary, Drift, DriftChange, EntitySummary, Mode, RunSummary, TargetSummary, Way,
};

/// So many reasons of rejects are named without `-v`.
const REASONS: usize = 5;

/// Writes the table of targets, the total and the notes; with `verbose` also each column's coercions and
/// rejects.
///
/// # Errors
///
/// Those of the writer.
pub fn run_summary(out: &mut dyn Write, run: &RunSummary, style: Style, verbose: bool) -> io::Result<()> {
    table(run, ["Inserted", "Updated", "Deleted"], style).print(out, style)?;
    let done = if run.dry_run { "dry run done" } else { "done" };
    let written = ["inserted", "updated", "deleted"];
    writeln!(
        out,
        "\n{}",
        style.paint(Tone::Strong, &total(run, &format!("run {}: {done}", run.run_id), written))
    )?;
    if let Some(resumed) = run.resumed {
        resumption(out, run, resumed)?;
    }
    if run.dry_run {
        let text = "dry run: all of this was rolled back; the targets are as before";
        writeln!(out, "{}", style.paint(Tone::Warning, text))?;
    }
    if is_equal(run) {
        let only_changed = changed(run).any(|(_, changed)| changed.used);
        let what = if only_changed {
            "nothing changed since the last run"
        } else {
            "nothing changed: V2 was already equal"
        };
        writeln!(out, "{}", style.paint(Tone::Good, what))?;
    }
    read_in_full(out, run, style)?;
    leftovers(out, run, style)?;
    rejects(out, run, style, verbose)?;
    drift(out, run, style)?;
    if !verbose {
        return Ok(());
    }
    bottleneck(out, run, style)?;
    compared(out, run, style)?;
    readings(out, run, style)?;
    ways(out, run)?;
    columns(out, run, style)
}

/// The targets with their counts; what is written has a heading of its own.
pub(super) fn table(
    run: &RunSummary,
    [inserted, updated, deleted]: [&'static str; 3],
    style: Style,
) -> Table {
    use Side::{Left, Right};
    let mut table = Table::new(vec![
        ("Entity", Left),
        ("Target", Left),
        (inserted, Right),
        (updated, Right),
        (deleted, Right),
        ("Unchanged", Right),
        ("Quarantined", Right),
        ("Filtered", Right),
    ]);
    for entity in &run.entities {
        for (index, target) in entity.targets.iter().enumerate() {
            let name = if index == 0 { entity.entity.as_str() } else { "" };
            let mut cells = vec![Cell::plain(name), Cell::plain(&target.name)];
            cells.extend(counts(target).map(|(count, _)| Cell::count(count, style)));
            table.row(cells);
        }
    }
    table
}

/// What was left of the run that this one went on with.
fn resumption(out: &mut dyn Write, run: &RunSummary, resumed: i64) -> io::Result<()> {
    let (mut kept, mut fetched) = (0, 0);
    for entity in run.entities.iter().filter_map(|entity| entity.resumed.as_ref()) {
        kept += entity.kept;
        fetched += entity.fetched;
    }
    let (kept, fetched) = (format::counted(kept, "row"), format::count(fetched));
    write!(out, "went on with run {resumed}: {kept} kept, {fetched} of V1 read again since")?;
    if !run.skipped.is_empty() {
        write!(out, "; published before: {}", run.skipped.join(", "))?;
    }
    writeln!(out)
}

/// How the rows of each target came, those of an entity that came in the same way in one line.
pub(super) fn ways(out: &mut dyn Write, run: &RunSummary) -> io::Result<()> {
    for entity in &run.entities {
        let mut rest = entity.targets.as_slice();
        while let Some(first) = rest.first() {
            let same = |target: &&TargetSummary| (target.way, &target.why) == (first.way, &first.why);
            let (alike, after) = rest.split_at(rest.iter().take_while(same).count());
            let names: Vec<_> = alike.iter().map(|target| target.name.as_str()).collect();
            let staged: u64 = alike.iter().map(|target| target.staged).sum();
            let staged = match first.way {
                Way::Direct => String::new(),
                Way::Delta | Way::Staged | Way::Changed => {
                    format!(", {} staged", format::counted(staged, "row"))
                }
            };
            writeln!(out, "  {}: {} ({}){staged}", names.join(", "), first.way.name(), first.why)?;
            rest = after;
        }
    }
    Ok(())
}

/// What `--changed` has made of each entity, where it was asked for.
fn changed(run: &RunSummary) -> impl Iterator<Item = (&EntitySummary, &ChangedSummary)> {
    run.entities.iter().filter_map(|entity| Some((entity, entity.changed.as_ref()?)))
}

/// The entities of which all rows were read though only the changed ones were asked for, and why.
pub(super) fn read_in_full(out: &mut dyn Write, run: &RunSummary, style: Style) -> io::Result<()> {
    for (entity, changed) in changed(run).filter(|(_, changed)| !changed.used) {
        let reason = changed.reason.as_deref().unwrap_or_default();
        let text = format!("all rows of {} were read: {reason}", entity.entity);
        labelled(out, "", ("note", Tone::Warning), &text, style)?;
    }
    Ok(())
}

/// The narrow place, and what would help.
fn bottleneck(out: &mut dyn Write, run: &RunSummary, style: Style) -> io::Result<()> {
    let Some(found) = &run.bottleneck else { return Ok(()) };
    writeln!(out, "  {}", style.paint(Tone::Strong, &found.sentence))?;
    found.advice.iter().try_for_each(|advice| writeln!(out, "  - {advice}"))
}

/// What was compared with the last run.
pub(super) fn compared(out: &mut dyn Write, run: &RunSummary, style: Style) -> io::Result<()> {
    for (entity, changed) in changed(run).filter(|(_, changed)| changed.used) {
        writeln!(
            out,
            "  {}: {} compared with the last run, {} fetched, {} gone",
            style.paint(Tone::Strong, &entity.entity),
            format::counted(changed.scanned, "row"),
            format::count(changed.fetched),
            format::count(changed.gone)
        )?;
    }
    Ok(())
}

/// In which form each entity's documents were read, and why.
pub(super) fn readings(out: &mut dyn Write, run: &RunSummary, style: Style) -> io::Result<()> {
    for EntitySummary { entity, read_path, read_reason, .. } in &run.entities {
        let entity = style.paint(Tone::Strong, entity);
        writeln!(out, "  {entity}: read {}: {read_reason}", read_path.name())?;
    }
    Ok(())
}

/// The counts of a target with their words, in the order of the table.
fn counts(target: &TargetSummary) -> [(u64, &'static str); 6] {
    [
        (target.inserted, "inserted"),
        (target.updated, "updated"),
        (target.deleted, "deleted"),
        (target.unchanged, "unchanged"),
        (target.quarantined, "quarantined"),
        (target.filtered, "filtered"),
    ]
}

pub(super) fn targets(run: &RunSummary) -> impl Iterator<Item = &TargetSummary> {
    run.entities.iter().flat_map(|entity| &entity.targets)
}

/// `done in 12.3 s: 882,089 rows read from V1, 14 rows inserted, 3 deleted, 12 rejects`: the noun once, zeros left out.
///
/// `written` has the words for what is inserted, updated and deleted.
pub(super) fn total(run: &RunSummary, done: &str, written: [&str; 3]) -> String {
    let read = run.entities.iter().map(|entity| entity.rows_read).sum();
    let elapsed = format::duration(Duration::from_millis(run.elapsed_ms));
    let mut text = format!("{done} in {elapsed}: {} read from V1", format::counted(read, "row"));
    let compared: u64 = changed(run).map(|(_, changed)| changed.scanned).sum();
    if compared > 0 {
        text.push_str(&format!(" of {} compared", format::count(compared)));
    }
    let mut sums = counts(&TargetSummary::default());
    for target in targets(run) {
        for (sum, (count, _)) in sums.iter_mut().zip(counts(target)) {
            sum.0 += count;
        }
    }
    let rest = sums.iter().skip(written.len()).map(|(_, word)| *word);
    let words: Vec<&str> = written.into_iter().chain(rest).collect();
    for (index, ((sum, _), word)) in sums.into_iter().zip(words).filter(|((sum, _), _)| *sum > 0).enumerate()
    {
        let amount = if index == 0 { format::counted(sum, "row") } else { format::count(sum) };
        text.push_str(&format!(", {amount} {word}"));
    }
    let rejects: u64 = run.entities.iter().map(|entity| entity.rejects).sum();
    if rejects > 0 {
        text.push_str(&format!(", {}", format::counted(rejects, "reject")));
    }
    text
}

/// Whether V2 was the image of V1 before: a merge that wrote nothing, left nothing over and could load all.
pub(super) fn is_equal(run: &RunSummary) -> bool {
    run.mode == Mode::Merge
        && targets(run).all(|target| {
            let written = target.inserted + target.updated + target.deleted;
            written == 0 && target.quarantined == 0 && target.surplus == 0 && target.stale == 0
        })
}

/// The rows that only `--prune` deletes, or that it had to leave.
pub(super) fn leftovers(out: &mut dyn Write, run: &RunSummary, style: Style) -> io::Result<()> {
    // Both counts are of rows deleted where rows were deleted, else of rows that stay.
    let stay = || targets(run).filter(|target| target.deleted == 0);
    let surplus: Vec<_> = stay().map(|target| (target.surplus, &target.name)).collect();
    let stale: Vec<_> = stay().map(|target| (target.stale, &target.name)).collect();
    let mut any = false;
    for (what, counts) in [("beyond the first of their key", surplus), ("that V1 no longer has", stale)] {
        let sum: u64 = counts.iter().map(|(count, _)| count).sum();
        if sum > 0 {
            any = true;
            let each = counts.iter().filter(|(count, _)| *count > 0);
            let each: Vec<_> =
                each.map(|(count, name)| format!("{} {name}", format::count(*count))).collect();
            let text = format!("{} {what} stay in V2: {}", format::counted(sum, "row"), each.join(", "));
            labelled(out, "", ("note", Tone::Warning), &text, style)?;
        }
    }
    let hint = if run.prune {
        "any of them may be one of the rows in quarantine: mend those in V1, then prune again"
    } else {
        "\"--prune\" deletes them"
    };
    if any { labelled(out, "", HINT, hint, style) } else { Ok(()) }
}

/// How the keys of V1 differ from what was accepted.
pub(super) fn drift(out: &mut dyn Write, run: &RunSummary, style: Style) -> io::Result<()> {
    let mut any = false;
    for entity in run.entities.iter().filter(|entity| !entity.drift.is_empty()) {
        any = true;
        let text = format!("the documents of {} have drifted: {}", entity.entity, changes(&entity.drift));
        labelled(out, "", ("note", Tone::Warning), &text, style)?;
    }
    let hint = "\"xdoflow drift\" lists it; with --accept it is as it should be";
    if any && !run.dry_run { labelled(out, "", HINT, hint, style) } else { Ok(()) }
}

/// `2 new keys, 1 key of another kind, 3 keys gone`
fn changes(drift: &[Drift]) -> String {
    let keys = |change| {
        let of = drift.iter().filter(|drift| drift.change == change).map(|drift| drift.key.as_str());
        of.collect::<std::collections::BTreeSet<_>>().len() as u64
    };
    let counted = [
        (keys(DriftChange::New), "new key", ""),
        (keys(DriftChange::Kind), "key", " of another kind"),
        (keys(DriftChange::Gone), "key", " gone"),
    ];
    let some = counted.into_iter().filter(|(count, ..)| *count > 0);
    some.map(|(count, noun, what)| format!("{}{what}", format::counted(count, noun)))
        .collect::<Vec<_>>()
        .join(", ")
}

/// How many values were rejected, and why most of them.
pub(super) fn rejects(out: &mut dyn Write, run: &RunSummary, style: Style, verbose: bool) -> io::Result<()> {
    let sum: u64 = run.entities.iter().map(|entity| entity.rejects).sum();
    if sum == 0 {
        return Ok(());
    }
    let is_plan = run.entities.iter().any(|entity| entity.forecast.is_some());
    let kept = match (is_plan, run.dry_run) {
        (true, _) => "not kept: this is a plan",
        (false, true) => "not kept: this was a dry run",
        (false, false) => "kept in the quarantine table",
    };
    let text = format!("{}, {kept}", format::counted(sum, "reject"));
    labelled(out, "", ("note", Tone::Warning), &text, style)?;
    if verbose {
        return Ok(());
    }
    let mut reasons: Vec<(&EntitySummary, &ColumnSummary)> = run
        .entities
        .iter()
        .flat_map(|entity| entity.columns.iter().map(move |column| (entity, column)))
        .filter(|(_, column)| column.rejected)
        .collect();
    reasons.sort_by_key(|(_, column)| std::cmp::Reverse(column.count));
    for (entity, column) in reasons.iter().take(REASONS) {
        writeln!(out, "  {}: {}", place(entity, column), what(column, style))?;
    }
    match reasons.len().saturating_sub(REASONS) {
        0 => Ok(()),
        more => writeln!(out, "  and {}, shown with -v", format::counted(more as u64, "more reason")),
    }
}

/// All that was met in each column, a line a column.
pub(super) fn columns(out: &mut dyn Write, run: &RunSummary, style: Style) -> io::Result<()> {
    for entity in &run.entities {
        let mut rest = entity.columns.as_slice();
        let same = |a: &ColumnSummary, b: &ColumnSummary| a.table == b.table && a.column == b.column;
        while let Some(first) = rest.first() {
            let (column, after) = rest.split_at(rest.iter().take_while(|next| same(first, next)).count());
            let met: Vec<_> = column.iter().map(|column| what(column, style)).collect();
            writeln!(out, "  {}: {}", style.paint(Tone::Strong, &place(entity, first)), met.join("; "))?;
            rest = after;
        }
    }
    Ok(())
}

/// `agent_caps.team_cap`: the target's name for people and the column.
fn place(entity: &EntitySummary, column: &ColumnSummary) -> String {
    let target = entity.targets.iter().find(|target| target.table == column.table);
    format!("{}.{}", target.map_or(&column.table, |target| &target.name), column.column)
}

/// `7,312 × "" → NULL`, `12 rejected: not a number (ids 12, 77, 103)`
fn what(column: &ColumnSummary, style: Style) -> String {
    let count = format::count(column.count);
    if !column.rejected {
        return style.signs(&format!("{count} × {}", column.label)).into_owned();
    }
    let ids: Vec<_> = column.sample_ids.iter().map(ToString::to_string).collect();
    let ids = match ids.as_slice() {
        [] => String::new(),
        [id] => format!(" (id {id})"),
        ids => format!(" (ids {})", ids.join(", ")),
    };
    let text = format!("{count} rejected: {}{ids}", column.label);
    style.paint(Tone::Warning, &style.signs(&text))
}

#[cfg(test)]
mod tests {
    use super::super::tests::{ASCII, PLAIN, text};
    use super::*;
    use crate::summary::ReadPath;

    fn column(column: &str, label: &str, rejected: bool, count: u64, sample_ids: &[i64]) -> ColumnSummary {
        ColumnSummary {
            table: "mvpw5_673".to_owned(),
            column: column.to_owned(),
            rule: String::new(),
            label: label.to_owned(),
            rejected,
            count,
            sample_ids: sample_ids.to_vec(),
        }
    }

    fn target(table: &str, name: &str, unchanged: u64) -> TargetSummary {
        TargetSummary {
            table: table.to_owned(),
            name: name.to_owned(),
            unchanged,
            why: "asked for".to_owned(),
            ..TargetSummary::default()
        }
    }

    fn run(entities: Vec<EntitySummary>) -> RunSummary {
        RunSummary {
            run_id: 1,
            mode: Mode::Merge,
            prune: false,
            dry_run: false,
            resumed: None,
            skipped: Vec::new(),
            elapsed_ms: 12_300,
            entities,
            bottleneck: None,
        }
    }

    fn entity(name: &str, rows_read: u64, targets: Vec<TargetSummary>) -> EntitySummary {
        let (entity, columns) = (name.to_owned(), Vec::new());
        let (read_path, read_reason) = (ReadPath::Text, "--read text was asked for".to_owned());
        EntitySummary {
            entity,
            rows_read,
            rejects: 0,
            read_path,
            read_reason,
            elapsed_ms: 900,
            changed: None,
            resumed: None,
            targets,
            columns,
            drift: Vec::new(),
            forecast: None,
        }
    }

    fn agents() -> EntitySummary {
        let caps = TargetSummary {
            inserted: 14,
            updated: 370,
            unchanged: 36_655,
            quarantined: 2,
            surplus: 14_066,
            stale: 3,
            ..target("mvpw5_673", "agent_caps", 0)
        };
        EntitySummary {
            rejects: 14,
            columns: vec![
                column("team_cap", "\"\" → NULL", false, 7_312, &[1, 2, 3]),
                column("team_cap", "string → number", false, 41, &[]),
                column("team_cap", "not a number", true, 12, &[12, 77, 103]),
                column("tier", "out of range", true, 2, &[5]),
            ],
            ..entity("agents", 37_041, vec![target("mvpw5_670", "agent", 37_041), caps])
        }
    }

    #[test]
    fn the_report_counts_every_target_and_says_what_stays_and_what_was_rejected() {
        let seen = run(vec![entity("users", 335, vec![target("mvpw5_664", "user", 335)]), agents()]);
        let head = "\
Entity  Target      Inserted  Updated  Deleted  Unchanged  Quarantined  Filtered
users   user               ·        ·        ·        335            ·         ·
agents  agent              ·        ·        ·     37,041            ·         ·
        agent_caps        14      370        ·     36,655            2         ·

run 1: done in 12.3 s: 37,376 rows read from V1, 14 rows inserted, 370 updated, 74,031 unchanged, 2 quarantined, 14 rejects
note: 14,066 rows beyond the first of their key stay in V2: 14,066 agent_caps
note: 3 rows that V1 no longer has stay in V2: 3 agent_caps
hint: \"--prune\" deletes them
note: 14 rejects, kept in the quarantine table
";
        let short = "  agent_caps.team_cap: 12 rejected: not a number (ids 12, 77, 103)
  agent_caps.tier: 2 rejected: out of range (id 5)
";
        let long = "  users: read text: --read text was asked for
  agents: read text: --read text was asked for
  user: staged (asked for), 0 rows staged
  agent, agent_caps: staged (asked for), 0 rows staged
  agent_caps.team_cap: 7,312 × \"\" → NULL; 41 × string → number; \
12 rejected: not a number (ids 12, 77, 103)
  agent_caps.tier: 2 rejected: out of range (id 5)
";
        assert_eq!(text(|out| run_summary(out, &seen, PLAIN, false)), format!("{head}{short}"));
        assert_eq!(text(|out| run_summary(out, &seen, PLAIN, true)), format!("{head}{long}"));
        assert!(text(|out| run_summary(out, &seen, ASCII, true)).is_ascii());
    }

    #[test]
    fn a_merge_that_wrote_nothing_was_equal_and_an_insert_does_not_know() {
        let mut seen = run(vec![entity("users", 335, vec![target("mvpw5_664", "user", 335)])]);
        let expected = "\
Entity  Target  Inserted  Updated  Deleted  Unchanged  Quarantined  Filtered
users   user           ·        ·        ·        335            ·         ·

run 1: done in 12.3 s: 335 rows read from V1, 335 rows unchanged
nothing changed: V2 was already equal
";
        assert_eq!(text(|out| run_summary(out, &seen, PLAIN, false)), expected);
        seen.mode = Mode::Insert;
        assert!(!text(|out| run_summary(out, &seen, PLAIN, false)).contains("equal"));
    }

    #[test]
    fn pruned_rows_do_not_stay() {
        let pruned =
            TargetSummary { deleted: 17, surplus: 14, stale: 3, ..target("mvpw5_673", "agent_caps", 9) };
        let printed =
            text(|out| run_summary(out, &run(vec![entity("agents", 9, vec![pruned])]), PLAIN, false));
        assert!(printed.ends_with("9 rows read from V1, 17 rows deleted, 9 unchanged\n"), "{printed}");
    }

    #[test]
    fn rows_that_a_prune_had_to_leave_wait_for_those_in_quarantine() {
        let left = TargetSummary { quarantined: 1, stale: 3, ..target("mvpw5_673", "agent_caps", 9) };
        let seen = RunSummary { prune: true, ..run(vec![entity("agents", 10, vec![left])]) };
        let printed = text(|out| run_summary(out, &seen, PLAIN, false));
        let expected = "\
note: 3 rows that V1 no longer has stay in V2: 3 agent_caps
hint: any of them may be one of the rows in quarantine: mend those in V1, then prune again
";
        assert!(printed.ends_with(expected), "{printed}");
    }

    #[test]
    fn only_the_most_frequent_reasons_are_named_without_verbose() {
        let columns = (1..=7).map(|n| column(&format!("c{n}"), "not a number", true, n, &[])).collect();
        let seen = run(vec![EntitySummary { rejects: 28, columns, ..agents() }]);
        let printed = text(|out| run_summary(out, &seen, PLAIN, false));
        let expected = "\
note: 28 rejects, kept in the quarantine table
  agent_caps.c7: 7 rejected: not a number
  agent_caps.c6: 6 rejected: not a number
  agent_caps.c5: 5 rejected: not a number
  agent_caps.c4: 4 rejected: not a number
  agent_caps.c3: 3 rejected: not a number
  and 2 more reasons, shown with -v
";
        assert!(printed.ends_with(expected), "{printed}");
    }
}
