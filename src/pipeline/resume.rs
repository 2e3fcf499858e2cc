//! `--resume`: what a run that died has staged of an entity, and how this one goes on with it.
//!
//! ```text
//! notes ─ complete? ─ same table, pipeline, targets? ─ rows as noted? ─► scan against the fingerprints of then
//!                                                                                │ not too much differs
//!                                                                                ▼
//!   what differs within the pieces that are staged: taken out of staging, and fetched again by id
//!   the other pieces: read, as they would have been
//! ```
//! The old snapshot is gone, and the rows of the pieces are of it; all that was written to V1 since is found by the
//! fingerprints, so that together the rows are those of the new one: the count that the server gives under the new
//! snapshot is what the publish holds them against. What others wrote to V2 since is found as in any run, for the
//! instant at which V2 was read back is noted, too.
//!
//! What was loaded directly is gone with its transaction, and what is fetched by id is not worth going on with:
//! there everything is read. So it is where something has changed that only a whole run can know: another
//! pipeline, a table that was rewritten, more than a tenth of the rows.
//!
//! The sums of coercions, column by column, still count the rows that were fetched again as they were before.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

use super::changed::FingerprintPlace;
use super::piece::{Brought, Piece};
use crate::error::{Error, Result};
use crate::fingerprint::State;
use crate::fingerprint::compare::{Differences, sorted};
use crate::name::TableName;
use crate::partition::{self, IdRange, Partition};
use crate::pg::{Session, sql};
use crate::plan::EntityPlan;
use crate::stage::pieces::{self, Notes};
use crate::stage::scan::{Earlier, EarlierBlocks, Within};
use crate::stage::staging::Staging;
use crate::summary::Way;
use crate::transform::output::{Rule, Tally};

/// How an entity was begun.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Head {
    /// What its fingerprints are worth.
    pub(super) state: State,
    /// Where they are.
    pub(super) fingerprints: FingerprintPlace,
    /// How the rows of each target came.
    pub(super) ways: Vec<Way>,
    /// The pieces, by their numbers.
    pub(super) partitions: Vec<Partition>,
    /// What of V2 was seen where it was read back.
    pub(super) visible: String,
}

/// What an earlier run has staged of an entity.
pub(super) struct Kept {
    /// The earlier run.
    pub(super) run_id: i64,
    pub(super) head: Head,
    /// What is there, together.
    pub(super) sum: Sum,
    /// The rows to read again, ascending.
    pub(super) fetch: Vec<i64>,
    /// The rows that are no longer as they were, or are there no more, or are new, ascending.
    pub(super) touched: Vec<i64>,
    done: BTreeSet<usize>,
}

/// What some pieces have brought.
pub(super) struct Sum {
    pub(super) rows: u64,
    pub(super) tallies: Vec<Tally>,
    pub(super) edges: Vec<Vec<crate::transform::closure::Edge>>,
    pub(super) staged: Vec<u64>,
    pub(super) listed: Vec<u64>,
    /// For each piece and target, the rows that were looked at.
    pub(super) looked_at: BTreeMap<usize, Vec<Option<u64>>>,
}

impl Kept {
    /// Looks for what an earlier run has staged; or why nothing of it is of use.
    pub(super) async fn find(
        session: &Session,
        run_id: i64,
        staging: &Staging,
        plan: &EntityPlan,
    ) -> Result<Result<Self, String>> {
        let Some(notes) = pieces::read(session, &staging.pieces).await? else {
            return Ok(Err("nothing of it was staged".to_owned()));
        };
        let kept = match Self::of_notes(run_id, notes, plan) {
            Ok(kept) => kept,
            Err(reason) => return Ok(Err(reason)),
        };
        for (index, way) in kept.head.ways.iter().enumerate().take(plan.program.targets().len()) {
            let tables = [
                (&staging.targets[index], kept.sum.staged[index]),
                (&staging.gone[index], kept.sum.listed[index]),
            ];
            let lists = usize::from(*way == Way::Delta);
            for (table, noted) in &tables[..=lists] {
                let there = session.count(&format!("SELECT count(*) FROM {}", table.quoted()), &[]).await?;
                if there != *noted {
                    return Ok(Err(format!("{there} rows are staged where {noted} were noted")));
                }
            }
        }
        if let FingerprintPlace::WithRows = kept.head.fingerprints {
            let seen = format!("SELECT coalesce(sum(rows), 0)::bigint FROM {}", staging.seen.quoted());
            let (seen, noted) = (session.count(&seen, &[]).await?, kept.sum.rows);
            if seen != noted {
                return Ok(Err(format!("{seen} fingerprints are staged where {noted} were noted")));
            }
            // The scan asks for them range by range.
            session.batch(&format!("CREATE INDEX ON {} (first_page)", staging.seen.quoted())).await?;
        }
        Ok(Ok(kept))
    }

    fn of_notes(run_id: i64, notes: Notes, plan: &EntityPlan) -> Result<Self, String> {
        let Some(head) = notes.head else {
            return Err("it was begun without fingerprints, or resumed before".to_owned());
        };
        let head: Head =
            serde_json::from_str(&head).map_err(|_| "its notes are of another version".to_owned())?;
        if head.ways.len() != plan.targets.len() || head.ways.contains(&Way::Direct) {
            return Err("it was loaded directly, in a transaction that is gone".to_owned());
        }
        let targets = plan.targets.len();
        let mut sum = Sum {
            rows: 0,
            tallies: plan.tallies(),
            edges: vec![Vec::new(); plan.derived.len()],
            staged: vec![0; targets],
            listed: vec![0; targets],
            looked_at: BTreeMap::new(),
        };
        let mut done = BTreeSet::new();
        for note in &notes.pieces {
            let brought = Brought::of_note(note).ok_or("its notes are of another version")?;
            let place = usize::try_from(note.piece).ok().filter(|place| *place < head.partitions.len());
            let place = place.ok_or("its notes are of another version")?;
            done.insert(place);
            sum.add(place, brought);
        }
        if done.is_empty() {
            return Err("no partition of it was complete".to_owned());
        }
        let (fetch, touched) = (Vec::new(), Vec::new());
        Ok(Self { run_id, head, sum, fetch, touched, done })
    }

    /// What a scan is to ask for; `None` where the pieces have no bounds that a row can be held against.
    pub(super) fn earlier(&self, staging: &Staging) -> Option<Earlier> {
        let partitions = || self.done.iter().map(|&place| &self.head.partitions[place]);
        let ranges: Vec<IdRange> = partitions()
            .filter_map(|partition| match partition {
                Partition::Range(range) => Some(*range),
                _ => None,
            })
            .collect();
        let pages: Vec<_> = partitions()
            .filter_map(|partition| match partition {
                Partition::Blocks { from, to } => Some((*from, *to)),
                _ => None,
            })
            .collect();
        let within = match self.done.len() {
            all if all == ranges.len() => Within::Ids(ranges),
            all if all == pages.len() => Within::Pages(pages),
            _ => return None,
        };
        let blocks = match self.head.fingerprints {
            FingerprintPlace::Before(0) => EarlierBlocks::Kept,
            FingerprintPlace::Before(_) => EarlierBlocks::Differing(staging.fingerprints.clone()),
            FingerprintPlace::WithRows => EarlierBlocks::Parts(staging.seen.clone()),
        };
        Some(Earlier { blocks, within })
    }

    /// Takes what is no longer so out of what is staged; or says why that cannot be told. What is left can be gone
    /// on with once.
    pub(super) async fn adjust(
        mut self,
        session: &Session,
        staging: &Staging,
        plan: &EntityPlan,
        differences: Differences,
    ) -> Result<Result<Self, String>> {
        let (fetch, old) = (sorted(differences.new), sorted(differences.old));
        self.touched = sorted([fetch.as_slice(), &old].concat());
        self.fetch = fetch;
        let own = plan.program.targets().len();
        if !self.touched.is_empty() {
            if !plan.source.unique_id {
                return Ok(Err("rows have changed, and V1 may hold an id twice".to_owned()));
            }
            for (index, target) in plan.targets.iter().enumerate().take(own) {
                // How many rows a document had is not noted, only how many there were in all.
                if target.explode.is_some() {
                    return Ok(Err(format!(
                        "rows have changed, and {} has a row for each element of an array",
                        target.name
                    )));
                }
                if !target.key_is_own {
                    return Ok(Err(format!(
                        "rows have changed, and {} has another key than their id",
                        target.name
                    )));
                }
                if plan.program.targets()[index].has_filter() && self.head.ways[index] == Way::Delta {
                    return Ok(Err(format!("rows have changed, and {} has a filter", target.name)));
                }
            }
        }
        session.batch(&format!("BEGIN; {}", pieces::forget_head(&staging.pieces))).await?;
        let rejected = self.forget_rejects(session, staging, plan, &old).await?;
        for index in 0..own {
            let key = crate::name::quote(&plan.targets[index].key[0]);
            let delete = |table: &TableName, key: &str| {
                format!("DELETE FROM {} WHERE {key} = ANY ($1)", table.quoted())
            };
            let staged = if old.is_empty() {
                0
            } else {
                session.execute(&delete(&staging.targets[index], &format!("{key}::bigint")), &[&old]).await?
            };
            self.sum.staged[index] = self.sum.staged[index].saturating_sub(staged);
            if self.head.ways[index] == Way::Delta && !self.touched.is_empty() {
                let listed = delete(&staging.gone[index], sql::GONE_COLUMNS[0].0);
                let listed = session.execute(&listed, &[&self.touched]).await?;
                self.sum.listed[index] = self.sum.listed[index].saturating_sub(listed);
            }
            let all = old.len() as u64;
            let quarantined = rejected.get(&index).copied().unwrap_or(0);
            let loaded =
                if self.head.ways[index] == Way::Staged { staged } else { all - quarantined.min(all) };
            let tally = &mut self.sum.tallies[0].targets[index];
            tally.loaded = tally.loaded.saturating_sub(loaded);
            tally.quarantined = tally.quarantined.saturating_sub(quarantined);
            tally.filtered = tally.filtered.saturating_sub(all.saturating_sub(loaded + quarantined));
        }
        // Links are derived from all edges, in the end.
        for index in own..plan.targets.len() {
            session.batch(&format!("TRUNCATE {}", staging.targets[index].quoted())).await?;
            if self.head.ways[index] == Way::Delta {
                session.batch(&format!("TRUNCATE {}", staging.gone[index].quoted())).await?;
            }
        }
        let fingerprints = [&staging.fingerprints, &staging.seen].map(TableName::quoted).join(", ");
        session.batch(&format!("DROP TABLE IF EXISTS {fingerprints}")).await?;
        session.batch("COMMIT").await?;
        self.sum.rows = self.sum.rows.saturating_sub(old.len() as u64);
        self.sum.tallies[0].rows = self.sum.rows;
        for edges in &mut self.sum.edges {
            edges.retain(|edge| old.binary_search(&edge.source_id).is_err());
        }
        Ok(Ok(self))
    }

    /// Deletes the rejects of rows that are read again, and of the derived targets. Returns for each target how
    /// many of those rows were quarantined.
    async fn forget_rejects(
        &mut self,
        session: &Session,
        staging: &Staging,
        plan: &EntityPlan,
        old: &[i64],
    ) -> Result<BTreeMap<usize, u64>> {
        let derived: Vec<&str> =
            plan.targets.iter().filter(|target| target.derived).map(|target| target.label.as_str()).collect();
        let sql = format!(
            "DELETE FROM {} WHERE source_id = ANY ($1) OR target_table = ANY ($2)
             RETURNING source_id, target_table, target_column, reason_code, whole_row",
            staging.rejects.quoted()
        );
        let mut quarantined: BTreeMap<usize, BTreeSet<i64>> = BTreeMap::new();
        for row in session.query(&sql, &[&old, &derived]).await? {
            let (id, table, column): (i64, String, Option<String>) = (row.get(0), row.get(1), row.get(2));
            let (code, whole_row): (String, bool) = (row.get(3), row.get(4));
            let targets = plan.program.targets();
            let Some(index) = targets.iter().position(|target| target.table == table) else { continue };
            if whole_row {
                quarantined.entry(index).or_default().insert(id);
            }
            let tally = &mut self.sum.tallies[0];
            tally.rejects = tally.rejects.saturating_sub(1);
            let target = &targets[index];
            let place =
                column.and_then(|name| target.columns().iter().position(|column| column.name == name));
            let slot = target.slots().nth(place.unwrap_or(target.columns().len()));
            if let Some(rules) = slot.and_then(|slot| tally.slots.get_mut(slot)) {
                for rule in rules.iter_mut() {
                    if matches!(rule.rule, Rule::Rejected(reason) if reason.code() == code) {
                        rule.count = rule.count.saturating_sub(1);
                        rule.sample_ids.retain(|sample| *sample != id);
                    }
                }
                rules.retain(|rule| rule.count > 0);
            }
        }
        Ok(quarantined.into_iter().map(|(index, ids)| (index, ids.len() as u64)).collect())
    }

    /// What is still to be read: the pieces that are not there, and the rows to fetch.
    pub(super) fn pieces(&self) -> Vec<Piece> {
        let number = |place: usize| i32::try_from(place).unwrap_or(i32::MAX);
        let left = self.head.partitions.iter().enumerate().filter(|(place, _)| !self.done.contains(place));
        let left = left.map(|(place, partition)| Piece {
            number: number(place),
            partition: partition.clone(),
            range: Some(place),
            again: false,
        });
        let fetched = partition::of_ids(&self.fetch).into_iter().enumerate();
        let behind = self.head.partitions.len();
        let fetched = fetched.map(|(place, partition)| Piece {
            number: number(behind + place),
            partition,
            range: None,
            again: false,
        });
        left.chain(fetched).collect()
    }

    /// How many rows of a target were looked at in a range.
    pub(super) fn looked_at(&self, range: usize, target: usize) -> u64 {
        self.sum.looked_at.get(&range).and_then(|targets| targets.get(target).copied().flatten()).unwrap_or(0)
    }

    /// The ranges of ids, where the pieces are that.
    pub(super) fn ranges(&self) -> Vec<IdRange> {
        let range = |partition: &Partition| match partition {
            Partition::Range(range) => Some(*range),
            _ => None,
        };
        self.head.partitions.iter().filter_map(range).collect()
    }
}

impl Sum {
    fn add(&mut self, place: usize, brought: Brought) {
        self.rows += brought.rows;
        for (mine, theirs) in self.tallies.iter_mut().zip(&brought.tallies) {
            mine.merge(theirs);
        }
        for (mine, theirs) in self.edges.iter_mut().zip(brought.edges) {
            mine.extend(theirs);
        }
        for (mine, theirs) in [(&mut self.staged, &brought.staged), (&mut self.listed, &brought.listed)] {
            mine.iter_mut().zip(theirs).for_each(|(mine, theirs)| *mine += theirs);
        }
        self.looked_at.insert(place, brought.looked_at);
    }
}

impl Head {
    /// As it is noted.
    pub(super) fn note(&self) -> Result<String> {
        serde_json::to_string(self)
            .map_err(|error| Error::stop(format!("cannot note how it was begun: {error}")))
    }
}
