//! The tables of one workspace as a mapping file lists them.

use super::findings::{Findings, Kind, child};
use super::json::Walk;
use crate::json::Json;

/// The tables of `v1_tables` or `v2_tables`.
#[derive(Debug)]
pub(super) struct Tables {
    list: Option<Vec<Table>>,
    prefix: Option<String>,
}

/// One table.
#[derive(Debug)]
pub(super) struct Table {
    /// Its name in the user's words: `user_credentials`.
    pub(super) name: String,
    /// Its number: 665.
    pub(super) number: Option<u64>,
    /// Its name in the database: `mvpw5_665`.
    pub(super) pg_table: String,
    /// What else stands beside it.
    pub(super) comments: String,
    path: String,
    used: bool,
}

/// The table that a target or domain means.
#[derive(Debug)]
pub(super) struct Found {
    /// Its name in the database.
    pub(super) pg_table: String,
    /// What the list says of it.
    pub(super) comments: String,
    /// What was assumed.
    pub(super) assumed: Option<String>,
}

impl Tables {
    /// Reads the list under `field`, and the prefix of the tables under `workspace`.
    pub(super) fn read(root: &Json, field: &str, workspace: &str, findings: &mut Findings) -> Self {
        let prefix = root.get(workspace).and_then(|workspace| workspace.get("table_prefix")?.text());
        let mut tables = Self { list: None, prefix: prefix.map(str::to_owned) };
        let Some(node) = root.get(field) else { return tables };
        let top = child("", field);
        if node.entries().is_none() {
            findings.add(Kind::Unmapped, &top, "is not a list of tables by name", Some(node));
            return tables;
        }
        let mut list = Vec::new();
        for (name, entry) in node.distinct() {
            let path = child(&top, name);
            let number = entry.get("table_id").and_then(Json::number);
            let written = entry.get("pg_table").and_then(Json::text).filter(|name| !name.trim().is_empty());
            match written.map(str::to_owned).or_else(|| tables.by_prefix(number?)) {
                Some(pg_table) => {
                    let known = ["table_id", "pg_table", "field_count", "name"];
                    let comments = findings.extras(entry, &known, &path);
                    let name = name.to_owned();
                    list.push(Table { name, number, pg_table, comments, path, used: false });
                }
                None if super::notes::of(name, entry).is_some() => {
                    findings.add(Kind::Kept, &path, "is a note on no table", Some(entry));
                }
                None => findings.add(Kind::Unmapped, &path, "names no table", Some(entry)),
            }
        }
        tables.list = Some(list);
        tables
    }

    fn by_prefix(&self, number: u64) -> Option<String> {
        self.prefix.as_ref().map(|prefix| format!("{prefix}{number}"))
    }

    /// The table that a domain reads, by the domain's name.
    pub(super) fn named(&self, name: &str) -> Option<&Table> {
        self.list.iter().flatten().find(|table| table.name == name)
    }

    /// The table of a target `name (number)`; `listed` are the tables that its domain lists.
    ///
    /// # Errors
    /// Why there is none.
    pub(super) fn resolve(&self, name: &str, number: Option<u64>, listed: &[&str]) -> Result<Found, String> {
        let tables = || self.list.iter().flatten();
        let by_name = || tables().find(|table| table.name == name || table.pg_table == name);
        let found = |table: &Table, assumed| Found {
            pg_table: table.pg_table.clone(),
            comments: table.comments.clone(),
            assumed,
        };
        let Some(number) = number else {
            return match by_name() {
                Some(table) => Ok(found(table, None)),
                None => Err(format!("v2_tables has no table {name:?}")),
            };
        };
        let prefixed = self.by_prefix(number);
        let is_it = |table: &&Table| match table.number {
            Some(known) => known == number,
            None => prefixed.as_ref() == Some(&table.pg_table),
        };
        if let Some(table) = tables().find(is_it) {
            let assumed = (table.name != name && table.pg_table != name)
                .then(|| format!("v2_tables calls {number} {:?}; the number decides", table.name));
            return Ok(found(table, assumed));
        }
        let ending = format!("_{number}");
        let of_domain = listed.iter().find(|listed| listed.ends_with(&ending)).map(|&table| table.to_owned());
        match of_domain.or_else(|| prefixed.filter(|_| self.list.is_none())) {
            Some(pg_table) => {
                let assumed = Some(format!("v2_tables has no table {number}; taken to be {pg_table}"));
                Ok(Found { pg_table, comments: String::new(), assumed })
            }
            None => Err(format!("v2_tables has no table {number}")),
        }
    }

    /// Marks a table as one that a domain knows of.
    pub(super) fn mark(&mut self, pg_table: &str) {
        for table in self.list.iter_mut().flatten().filter(|table| table.pg_table == pg_table) {
            table.used = true;
        }
    }

    /// Reports the tables that nothing knows of.
    pub(super) fn report_unused(&self, message: &str, findings: &mut Findings) {
        for table in self.list.iter().flatten().filter(|table| !table.used) {
            findings.add(Kind::Unmapped, &table.path, format!("{message} {}", table.pg_table), None);
        }
    }
}

/// The name and the number in `user (664)`.
pub(super) fn split_title(title: &str) -> (&str, Option<u64>) {
    let split = || {
        let (name, rest) = title.trim_end().strip_suffix(')')?.rsplit_once('(')?;
        Some((name.trim(), Some(rest.trim().parse().ok()?)))
    };
    split().unwrap_or((title.trim(), None))
}
