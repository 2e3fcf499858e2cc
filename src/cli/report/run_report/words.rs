//! The sentences of a report, and the facts of its run.

use std::time::Duration;

use super::sections::name_of;
use crate::cli::format;
use crate::cli::report::history::{mode, took};
use crate::rejects::RejectedValue;
use crate::report::{Guard, Outcome, Report, Verification};
use crate::summary::ReadChoice;

/// What is told of a run in a name and a text.
pub(super) type Fact = (&'static str, String);

/// The run in a few sentences: what fits a chat message.
pub(super) fn headline(report: &Report) -> String {
    let mut sentences = vec![ending(report)];
    sentences.extend(report.verification.as_ref().map(verified));
    sentences.extend(report.bottleneck.as_ref().map(|found| sentence(&found.sentence)));
    sentences.join(" ")
}

/// How it ended, and what it did.
fn ending(report: &Report) -> String {
    let run = &report.run.run;
    let dry = if run.dry_run { ", a dry run," } else { "" };
    let (number, took) = (run.run_id, took(run));
    match run.state.as_str() {
        "done" => format!("Run {number}{dry} done in {took}: {}.", counts(report)),
        "running" => format!("Run {number}{dry} is under way for {took} so far."),
        state => {
            let how = match state {
                "interrupted" => "was interrupted",
                "died" => "died",
                _ => "failed",
            };
            let after = if run.finished_at.is_some() { format!(" after {took}") } else { String::new() };
            let why = run.message.as_deref().and_then(|message| message.lines().next());
            let why = why.map_or(String::new(), |why| format!(": {why}"));
            let published = match run.published.as_slice() {
                [] => "no target was changed".to_owned(),
                some => format!("published before: {}", some.join(", ")),
            };
            format!("Run {number}{dry} {how}{after}{why}; {published}.")
        }
    }
}

/// Rows read, and what was written of them; zeros are left out.
fn counts(report: &Report) -> String {
    let run = &report.run.run;
    let speed = report.rows_per_s.map_or(String::new(), |rows| format!(" ({} rows/s)", format::count(rows)));
    let mut text = format!("{} read{speed}", format::counted(run.rows_read, "row"));
    let rows = run.rows;
    let written = [
        (rows.inserted, "inserted"),
        (rows.updated, "updated"),
        (rows.deleted, "deleted"),
        (rows.quarantined, "quarantined"),
    ];
    for (count, word) in written.iter().filter(|(count, _)| *count > 0) {
        text.push_str(&format!(", {} {word}", format::count(*count)));
    }
    if rows.inserted + rows.updated + rows.deleted == 0 {
        text.push_str(", nothing to change");
    }
    if run.rejects > 0 {
        text.push_str(&format!(", {}", format::counted(run.rejects, "reject")));
    }
    text
}

/// What a verify has found.
pub(super) fn verified(found: &Verification) -> String {
    let sample = found.sample.map_or(String::new(), |percent| format!(" in a sample of {percent} %"));
    if found.equal {
        format!("Verified equal{sample}: {}.", format::counted(found.rows_checked, "row"))
    } else {
        format!("Verify found {}{sample}.", format::counted(found.difference_count, "difference"))
    }
}

/// With a capital and a full stop.
pub(super) fn sentence(text: &str) -> String {
    let mut chars = text.chars();
    let first: String = chars.next().map(|c| c.to_uppercase().collect()).unwrap_or_default();
    format!("{first}{}.", chars.as_str())
}

/// What ran, where, and what it took.
pub(super) fn facts(report: &Report) -> Vec<Fact> {
    let run = &report.run.run;
    let utc = |time: &str| format!("{} UTC", time.replace('T', " ").trim_end_matches('Z'));
    let mut facts = vec![
        ("state", run.state.clone()),
        ("started", utc(&run.started_at)),
        ("took", took(run)),
        ("mode", mode(run)),
        ("entities", run.entities.join(", ")),
        ("source", run.source.clone()),
        ("xdoflow", run.version.clone()),
    ];
    facts.extend(report.settings.as_ref().map(|settings| {
        let mut asked = Vec::new();
        for (is, word) in [
            (settings.changed, "--changed"),
            (settings.stage_all, "--stage-all"),
            (settings.no_raw, "--no-raw"),
        ] {
            asked.extend(is.then(|| word.to_owned()));
        }
        match settings.read {
            ReadChoice::Auto => {}
            ReadChoice::Text => asked.push("--read text".to_owned()),
            ReadChoice::Raw => asked.push("--read raw".to_owned()),
        }
        asked.push(format!("--jobs {}", settings.jobs));
        ("asked", asked.join(" "))
    }));
    facts.extend(run.resumes.map(|resumes| ("resumed", format!("run {resumes}"))));
    let left: Vec<&str> =
        run.entities.iter().filter(|name| !run.published.contains(name)).map(String::as_str).collect();
    if !left.is_empty() {
        facts.push(("left", left.join(", ")));
    }
    facts.extend(run.message.as_ref().map(|message| ("message", message.clone())));
    let Some(measured) = &report.measured else { return facts };
    if measured.cores > 0 {
        let lanes = format::counted(measured.jobs, "lane");
        facts.push(("machine", format!("{lanes} on {}", format::counted(measured.cores, "core"))));
    }
    let (mut read, mut loaded) = (0, 0);
    for entity in &measured.entities {
        read += entity.bytes_read;
        loaded += entity.bytes_loaded;
    }
    facts.push(("bytes", format!("{} read, {} loaded", format::bytes(read), format::bytes(loaded))));
    facts
        .extend(measured.peak_rss_bytes.map(|bytes| ("memory", format!("{} at most", format::bytes(bytes)))));
    facts.extend(
        measured.wal_bytes.map(|bytes| {
            ("WAL", format!("{}, of the target's whole server meanwhile", format::bytes(bytes)))
        }),
    );
    facts
}

/// A time of milliseconds: with three digits where it is short.
pub(super) fn ms(time: u64) -> String {
    if time < 1000 { format!("{time} ms") } else { format::duration(Duration::from_millis(time)) }
}

/// A guard with what was allowed and what came nearest to it.
pub(super) fn guard(guard: &Guard) -> String {
    let limit = guard.limit.as_ref().map_or(String::new(), |limit| format!(": {limit}"));
    let found = guard.found.as_ref().map_or(String::new(), |found| format!(" ({found})"));
    match guard.outcome {
        Outcome::Held => format!("{}{limit}{found}", guard.name),
        other => format!("{}{limit}{found}: {}", guard.name, other.words()),
    }
}

/// The rejected values: first one of each column and reason, the most frequent first, then the second of each.
pub(super) fn samples(report: &Report) -> Vec<&RejectedValue> {
    let same = |a: &RejectedValue, b: &RejectedValue| {
        (&a.entity, &a.table, &a.column, &a.reason) == (&b.entity, &b.table, &b.column, &b.reason)
    };
    let often = |sample: &RejectedValue| {
        let sums = report.rejected.iter();
        let of = sums.filter(|sum| (&sum.table, &sum.column) == (&sample.table, &sample.column));
        of.map(|sum| sum.count).max().unwrap_or(0)
    };
    let mut all: Vec<(usize, i64, &RejectedValue)> = Vec::new();
    for sample in &report.samples {
        let before = all.iter().rev().take_while(|(_, _, other)| same(other, sample)).count();
        all.push((before, often(sample), sample));
    }
    all.sort_by_key(|(before, often, _)| (*before, -often));
    all.into_iter().map(|(_, _, sample)| sample).collect()
}

/// A rejected value in a line.
pub(super) fn sample(report: &Report, sample: &RejectedValue) -> String {
    let value = sample.raw.as_deref().unwrap_or("(not kept)");
    let resolved = if sample.resolved { ", accepted since" } else { "" };
    format!("id {}  {}  {value}: {}{resolved}", sample.source_id, place(report, sample), sample.reason)
}

/// `agent.team_cap`: the target's name for people and the column; of a whole row the target alone.
pub(super) fn place(report: &Report, sample: &RejectedValue) -> String {
    let entity = report.run.details.iter().find(|entity| entity.entity == sample.entity);
    let table = entity.map_or(sample.table.as_str(), |entity| name_of(entity, &sample.table));
    match &sample.column {
        Some(column) => format!("{table}.{column}"),
        None => table.to_owned(),
    }
}
