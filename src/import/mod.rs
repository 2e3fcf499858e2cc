//! The user's own mapping file, `V1_V2_FIELD_MAPPING.json`, as pipeline files.
//!
//! ```text
//! JSON text ─json─► tree in file order ─► per domain: source ─tables─► targets ─► columns ─► TOML lines
//!                                              └──────────── findings, each with its JSON pointer
//! ```
//!
//! Such a file was written by people for people, so an import is total: what can be mapped is mapped,
//! what cannot is reported with its place and stands in the pipeline file as a comment; only text that
//! is not JSON, or holds no domain at all, is an error. Nothing is guessed from the outside: the file
//! alone decides, and what had to be assumed is reported too.
//!
//! | in the mapping | in the pipeline |
//! | --- | --- |
//! | `user_domain` | the file `user.toml`, the entity `users` |
//! | `user (664)` | the target `user`; its table is number 664 of `v2_tables` |
//! | `v1_field` = `id` | `"$id"`, and the merge key |
//! | cast `integer`, `decimal`, `timestamp`, `json` | `bigint`, `numeric`, `epoch_ms`, `jsonb` |
//! | a note, wherever it stands | a comment |
//! | `v1_field` = null, an unknown cast, a target without an id or a table | a comment, and a finding |
//!
//! The lines are written by hand: toml's own writer drops comments and knows no line per column.
//! Which number is a reference and which amount is money is not in the mapping; the five built-in
//! pipelines are what it gives plus those refinements, and a test holds them against each other.

mod column;
mod domain;
mod findings;
mod json;
mod names;
mod notes;
mod tables;
#[cfg(test)]
mod tests;

use std::ffi::OsStr;
use std::path::Path;

use serde::Serialize;

use crate::error::{Error, Result};
use crate::json::{Json, NotJson};
use crate::spec::write::comment;

use domain::Workspaces;
use findings::{Findings, child};
use json::Walk;
use tables::Tables;

pub use findings::{Finding, Kind};

/// What a mapping file gives.
#[derive(Clone, Debug, PartialEq)]
pub struct Import {
    /// One pipeline file for each domain that feeds a target, in the order of the mapping file.
    pub pipelines: Vec<Imported>,
    /// What was not simply mapped.
    pub findings: Vec<Finding>,
}

/// One pipeline file.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Imported {
    /// Its name: `user.toml`; no folder in it.
    pub file: String,
    /// The entity: `users`.
    pub entity: String,
    /// How many targets it has.
    pub targets: usize,
    /// How many columns they have.
    pub columns: usize,
    /// The file.
    pub text: String,
}

/// Entries of the root that are no domains.
const KNOWN: [&str; 4] = ["v1_workspace", "v2_workspace", "v1_tables", "v2_tables"];

/// Reads a mapping file; `name` is what messages and comments call it.
///
/// # Errors
/// Wrong usage: the text is not JSON (with line and column), or not an object with domains.
pub fn import(name: &str, text: &str) -> Result<Import> {
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    let root = Json::parse(text).map_err(|error| malformed(name, text, &error))?;
    let domains: Vec<(&str, &Json)> = root.distinct().filter(|(key, node)| is_domain(key, node)).collect();
    if domains.is_empty() {
        return Err(Error::usage(format!("{name} holds no domain"))
            .detail("a domain is an object such as \"user_domain\" with \"v1_table\" and \"mappings\"")
            .hint("name a file of the shape of V1_V2_FIELD_MAPPING.json"));
    }
    let mut findings = Findings::default();
    findings.repeated(&root, "");
    let mut tables = Workspaces {
        v1: Tables::read(&root, "v1_tables", "v1_workspace", &mut findings),
        v2: Tables::read(&root, "v2_tables", "v2_workspace", &mut findings),
    };
    for workspace in ["v1_workspace", "v2_workspace"] {
        if let Some(node) = root.get(workspace) {
            findings.extras(node, &["workspace_id", "table_prefix"], &child("", workspace));
        }
    }
    let names: Vec<&str> = domains.iter().map(|(key, _)| *key).chain(KNOWN).collect();
    let notes = findings.extras(&root, &names, "");
    // Where the file lies today is nobody's business tomorrow.
    let short = Path::new(name).file_name().map_or(name.into(), OsStr::to_string_lossy);
    let mut pipelines: Vec<Imported> = Vec::new();
    for (key, node) in domains {
        let path = child("", key);
        let stem = names::stem(key);
        let base = key.strip_suffix("_domain").unwrap_or(key);
        let Some(body) = domain::read(base, node, &path, &mut tables, &mut findings) else { continue };
        let (file, entity) = (format!("{stem}.toml"), names::entity(&stem));
        if pipelines.iter().any(|other| other.file == file || other.entity == entity) {
            let message = format!("gives the entity {entity:?} and the file {file}, as a domain above");
            findings.add(Kind::Unmapped, &path, message, Some(node));
            continue;
        }
        let head = comment(&format!("Imported from {short}, {key}.\n{notes}"));
        // An entity is made of letters, digits and underscores.
        let text = format!("{head}entity = \"{entity}\"\n{}", body.text);
        pipelines.push(Imported { file, entity, targets: body.targets, columns: body.columns, text });
    }
    tables.v1.report_unused("no domain reads", &mut findings);
    tables.v2.report_unused("no mapping feeds", &mut findings);
    Ok(Import { pipelines, findings: findings.0 })
}

fn is_domain(key: &str, node: &Json) -> bool {
    let has = |field| node.get(field).is_some();
    !KNOWN.contains(&key)
        && node.entries().is_some()
        && (key.ends_with("_domain") || has("mappings") || has("v1_table"))
}

/// Where the text stops being JSON; the column counts characters, as everywhere else.
fn malformed(name: &str, text: &str, error: &NotJson) -> Error {
    let before = text.get(..error.offset).unwrap_or(text);
    let line = before.matches('\n').count() + 1;
    let column = before.rsplit('\n').next().unwrap_or_default().chars().count() + 1;
    Error::usage(format!("{name}:{line}:{column}: not JSON: {}", error.message))
}
