//! Rows of V2 that V1 does not say: gone from V1, filtered out, or in quarantine.
//!
//! A run leaves alone the row of a document that it sets aside, so such a row is no difference. Where
//! the key is the id of the source row, the source is asked: an id that it has, that no filter leaves
//! out, and that gives no row all the same, is one in quarantine. The rows that a filter leaves out are
//! asked for with the filter turned around. Where the rows are elements of an array, it is asked for those: of a
//! document that is rejected as a whole all are in quarantine.

use std::collections::HashSet;

use super::report::Kind;
use super::rows::Key;
use super::table::Table;
use crate::error::Result;
use crate::name::quote;
use crate::pg::{Database, Session, compare};
use crate::spec::model::{FilterRule, FilterSpec, TargetSpec};
use crate::sqlgen;
use crate::stage::extract::SourceSnapshot;

/// Ids that the source is asked for at once.
const ASK_AT: usize = 5_000;

/// Takes the keys of one range that were not expected.
pub struct Unexpected<'a> {
    table: &'a Table,
    source: &'a Database,
    snapshot: &'a SourceSnapshot,
    /// A session of its own, opened at the first question: the reader's is busy with its rows.
    session: Option<Session>,
    /// Keys with the number of their rows: an id, and the position of an element of it.
    pending: Vec<((i64, Option<i64>), u64)>,
}

impl<'a> Unexpected<'a> {
    /// None yet.
    pub fn new(table: &'a Table, source: &'a Database, snapshot: &'a SourceSnapshot) -> Self {
        Self { table, source, snapshot, session: None, pending: Vec::new() }
    }

    /// Takes a key that stands in so many rows.
    pub async fn take(&mut self, key: Key, rows: u64) -> Result<()> {
        if !self.table.key_is_own {
            // In a sample nobody knows which of them V1 would say.
            if !self.table.sampled {
                stale(self.table, &key, rows);
            }
            return Ok(());
        }
        match key.as_integers() {
            Some(key) => self.pending.push((key, rows)),
            None => stale(self.table, &key, rows),
        }
        if self.pending.len() >= ASK_AT { self.ask().await } else { Ok(()) }
    }

    /// Decides what is pending.
    pub async fn finish(mut self) -> Result<()> {
        if self.pending.is_empty() { Ok(()) } else { self.ask().await }
    }

    async fn ask(&mut self) -> Result<()> {
        let session = match self.session.take() {
            Some(session) => session,
            None => self.snapshot.reader(self.source, "verify").await?,
        };
        let pending = std::mem::take(&mut self.pending);
        let ids: Vec<i64> = pending.iter().map(|((id, _), _)| *id).collect();
        let sql = self.quarantined(&ids)?;
        let rows = session.query(&sql, &[]).await?;
        let with_position = self.table.target().explode.is_some();
        let quarantined: HashSet<(i64, Option<i64>)> = rows
            .iter()
            .map(|row| (row.get(0), if with_position { row.get::<_, Option<i64>>(1) } else { None }))
            .collect();
        for ((id, position), rows) in pending {
            if quarantined.contains(&(id, position)) || quarantined.contains(&(id, None)) {
                continue;
            }
            let key = match position {
                Some(position) => Key::integers(id, position),
                None => Key::integer(id),
            };
            stale(self.table, &key, rows);
        }
        self.session = Some(session);
        Ok(())
    }

    /// The query for those of the ids that are in quarantine, with the positions of their elements.
    fn quarantined(&self, ids: &[i64]) -> Result<String> {
        let (spec, target) = (&self.table.spec, self.table.target());
        let condition = compare::one_of(&format!("v.{}", quote(&spec.source.id)), ids);
        let filtered = match &target.filter {
            None => None,
            Some(filter) => {
                let turned = turned_around(target, filter);
                let live = &self.table.info.columns;
                Some(sqlgen::expected_rows(spec, &turned, live, &self.table.source, Some(&condition))?)
            }
        };
        if let Some(explode) = &target.explode {
            let places = sqlgen::element_places(spec, explode, &self.table.source, &condition);
            return Ok(match filtered {
                Some(filtered) => {
                    format!(
                        "{places} EXCEPT SELECT f.id::bigint, f.position::bigint FROM ({filtered}) f (id, position)"
                    )
                }
                None => places,
            });
        }
        Ok(compare::ids_with_row(&self.table.source, &spec.source.id, ids, filtered.as_deref()))
    }
}

/// The target with nothing but its key, for the rows that its filter leaves out.
fn turned_around(target: &TargetSpec, filter: &FilterSpec) -> TargetSpec {
    let rule = match &filter.rule {
        FilterRule::Keep(texts) => FilterRule::Drop(texts.clone()),
        FilterRule::Drop(texts) => FilterRule::Keep(texts.clone()),
    };
    TargetSpec {
        key: (0..target.key.len()).collect(),
        columns: target.key.iter().filter_map(|&index| target.columns.get(index)).cloned().collect(),
        filter: Some(FilterSpec { from: filter.from.clone(), rule }),
        ..target.clone()
    }
}

fn stale(table: &Table, key: &Key, rows: u64) {
    let mut findings = table.findings();
    findings.add(key, Kind::Stale, None, None, None);
    if rows > 1 {
        findings.add(key, Kind::Duplicate, None, Some("0"), Some(&rows.to_string()));
    }
}
