//! One domain of a mapping: the V1 table that it reads, and the targets that it feeds, as the text of a
//! pipeline file.

use super::column;
use super::findings::{Findings, Kind, child};
use super::json::Walk;
use super::names::unique;
use super::notes;
use super::tables::{Tables, split_title};
use crate::json::Json;
use crate::name::TableName;
use crate::spec::write::{comment, key, string};

/// The tables of both workspaces.
pub(super) struct Workspaces {
    pub(super) v1: Tables,
    pub(super) v2: Tables,
}

/// What became of a domain.
pub(super) struct Body {
    /// `source = …` and all targets.
    pub(super) text: String,
    /// How many targets are mapped.
    pub(super) targets: usize,
    /// How many columns they have.
    pub(super) columns: usize,
}

/// What became of the targets of a domain so far.
#[derive(Default)]
struct Targets {
    text: String,
    /// Names in the pipeline file.
    names: Vec<String>,
    tables: Vec<TableName>,
    columns: usize,
}

/// Reads a domain; `base` is its name without `_domain`. `None` where nothing of it can be loaded.
pub(super) fn read(
    base: &str,
    node: &Json,
    path: &str,
    tables: &mut Workspaces,
    findings: &mut Findings,
) -> Option<Body> {
    let source = source(base, node, path, &mut tables.v1, findings);
    let listed = listed_tables(node, path, findings);
    let mappings = node.get("mappings").filter(|node| node.entries().is_some_and(|list| !list.is_empty()));
    let Some(mappings) = mappings else {
        for table in listed {
            tables.v2.mark(table);
        }
        findings.add(Kind::Unmapped, path, "has no mappings, so there is nothing to load", Some(node));
        return None;
    };
    let extras = findings.extras(node, &["v1_table", "v2_tables", "mappings"], path);
    let mut targets = Targets::default();
    let mut fed = Vec::new();
    let inside = child(path, "mappings");
    for (title, entry) in mappings.distinct() {
        let path = child(&inside, title);
        match notes::of(title, entry) {
            Some(note) => targets.text.push_str(&comment(&note)),
            None => fed.extend(target(title, entry, &path, &listed, &tables.v2, &mut targets, findings)),
        }
    }
    for table in &fed {
        tables.v2.mark(table);
    }
    for table in listed.iter().filter(|table| !fed.iter().any(|fed| fed == *table)) {
        tables.v2.mark(table);
        let message = format!("no mapping feeds {table}");
        findings.add(Kind::Unmapped, &child(path, "v2_tables"), message, None);
    }
    let source = source?;
    if targets.names.is_empty() {
        findings.add(Kind::Unmapped, path, "none of its targets can be loaded", None);
        return None;
    }
    let Targets { text, names, columns, .. } = targets;
    let text = format!("{}source = {}\n{text}", comment(&extras), string(&source));
    Some(Body { text, targets: names.len(), columns })
}

/// The name of the table that the domain reads.
fn source(
    base: &str,
    node: &Json,
    path: &str,
    tables: &mut Tables,
    findings: &mut Findings,
) -> Option<String> {
    let known = tables.named(base).map(|table| table.pg_table.clone());
    let written = node.get("v1_table").and_then(Json::text).filter(|name| !name.trim().is_empty());
    if let (Some(written), Some(known)) = (written, &known)
        && written != known
    {
        let message = format!("v1_tables calls the table of {base:?} {known}; {written} is read");
        findings.add(Kind::Assumed, &child(path, "v1_table"), message, None);
    }
    let Some(source) = written.map(str::to_owned).or(known) else {
        findings.add(Kind::Unmapped, path, "names no V1 table", None);
        return None;
    };
    tables.mark(&source);
    if source.parse::<TableName>().is_err() {
        let message = format!("{source:?} is not a table name");
        findings.add(Kind::Unmapped, &child(path, "v1_table"), message, None);
        return None;
    }
    Some(source)
}

/// The V2 tables that the domain lists.
fn listed_tables<'a>(node: &'a Json, path: &str, findings: &mut Findings) -> Vec<&'a str> {
    let Some(list) = node.get("v2_tables") else { return Vec::new() };
    let path = child(path, "v2_tables");
    let Some(elements) = list.list() else {
        findings.add(Kind::Kept, &path, "is not a list of tables", Some(list));
        return Vec::new();
    };
    let mut tables = Vec::new();
    for (index, element) in elements.iter().enumerate() {
        match element.text() {
            Some(table) => tables.push(table),
            None => {
                findings.add(Kind::Kept, &format!("{path}/{index}"), "is not a table's name", Some(element));
            }
        }
    }
    tables
}

/// Reads one target into `targets`, commented out where it cannot be loaded; returns its table.
fn target(
    title: &str,
    node: &Json,
    path: &str,
    listed: &[&str],
    tables: &Tables,
    targets: &mut Targets,
    findings: &mut Findings,
) -> Option<String> {
    if node.entries().is_none() {
        let message = "only lists its fields: there is no mapping of columns";
        findings.add(Kind::Unmapped, path, message, Some(node));
        targets.text.push('\n');
        targets.text.push_str(&comment(&format!("{title}: {message}: {}", node.shown())));
        let (name, number) = split_title(title);
        return tables.resolve(name, number, listed).ok().map(|found| found.pg_table);
    }
    let (short, number) = split_title(title);
    let found = tables.resolve(short, number, listed);
    let mut above = String::new();
    if let Ok(found) = &found {
        above.push_str(&comment(&found.comments));
        if let Some(assumed) = &found.assumed {
            findings.add(Kind::Assumed, path, assumed, None);
        }
    }
    let mut lines = String::new();
    let mut columns = Vec::new();
    for (name, entry) in node.distinct() {
        let read = column::read(name, entry, &child(path, name), findings);
        // What is said before the first column is about the target.
        let place = if columns.is_empty() && entry.entries().is_none() { &mut above } else { &mut lines };
        place.push_str(&read.comments);
        if let Some(column) = read.column {
            lines.push_str(&column.line);
            lines.push('\n');
            columns.push(column);
        }
    }
    let table = found.as_ref().map_err(Clone::clone).and_then(|found| {
        let table = found.pg_table.parse::<TableName>();
        table.map_err(|_| format!("{:?} is not a table name", found.pg_table))
    });
    let ids: Vec<&str> = columns.iter().filter(|c| c.is_id).map(|c| c.name.as_str()).collect();
    let obstacle = match (&table, ids.as_slice()) {
        (Err(message), _) => Some(message.clone()),
        (Ok(_), []) => Some("no column is the V1 id, so there is no merge key".to_owned()),
        (Ok(table), _) if targets.tables.contains(table) => {
            Some(format!("the table {table} is the one of a target above"))
        }
        (Ok(_), [_]) => None,
        (Ok(_), [first, ..]) => {
            let message = format!("{} are the V1 id; {first} is the merge key", ids.join(", "));
            findings.add(Kind::Assumed, path, message, None);
            None
        }
    };
    let pg_table = found.ok().map(|found| found.pg_table);
    let name = unique(short, number, pg_table.as_deref(), &targets.names);
    let text = format!(
        "[target.{name}]\ntable = {}\nkey = {}\n[target.{name}.columns]\n{lines}",
        string(pg_table.as_deref().unwrap_or_default()),
        string(ids.first().unwrap_or(&"")),
        name = key(&name),
    );
    targets.text.push('\n');
    match (obstacle, table) {
        (None, Ok(table)) => {
            targets.names.push(name);
            targets.tables.push(table);
            targets.columns += columns.len();
            targets.text.push_str(&above);
            targets.text.push_str(&text);
        }
        (obstacle, _) => {
            let message = obstacle.unwrap_or_default();
            targets.text.push_str(&comment(&format!("{title}: not loaded: {message}")));
            targets.text.push_str(&above);
            targets.text.push_str(&comment(&text));
            findings.add(Kind::Unmapped, path, message, None);
        }
    }
    pg_table
}
