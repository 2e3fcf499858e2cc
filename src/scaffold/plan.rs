//! Which keys become columns: each key of the document, and in place of an object what is in it.

use super::child::{self, Child};
use super::choose::{Choice, choose};
use super::names::{Names, snake};
use crate::name::TableName;
use crate::profile::{KeyProfile, Profile};
use crate::spec::model::SourceSpec;

/// A draft before it is written.
#[derive(Debug)]
pub struct Plan {
    pub entity: String,
    pub source: SourceSpec,
    pub target: TableName,
    /// The column of the row's id, which is the merge key.
    pub id: String,
    pub columns: Vec<Column>,
    /// Tables for the elements of arrays.
    pub children: Vec<Child>,
    /// The key of the document that is a copy of the row's id, and needs no column.
    pub copy_of_id: Option<usize>,
    /// Whether values may be shown.
    pub values: bool,
    /// Keys that are one too many for a table.
    pub left_out: usize,
}

/// A column, and the key that feeds it.
#[derive(Debug)]
pub struct Column {
    pub name: String,
    /// The place of its key in the profile.
    pub key: usize,
    pub choice: Choice,
}

/// Columns that a draft has at most: the server takes 1,600, if the row still fits a page.
const MOST_COLUMNS: usize = 1_000;
/// Columns that come out of objects, all together and of one.
const MOST_NESTED: usize = 300;
const MOST_OF_ONE: usize = 40;
/// An object of more keys than this, most of which are missing most of the time, holds data in its keys.
const FEW_KEYS: usize = 10;
/// Levels of objects that become columns.
const MOST_DEPTH: usize = 5;
/// The longest name of an entity.
const ENTITY_BYTES: usize = 32;

impl Plan {
    /// Decides on the columns.
    pub fn new(profile: &Profile, source: SourceSpec, target: TableName, values: bool) -> Self {
        let mut names = Names::default();
        let id = names.give(&["id".to_owned()]);
        let keys = &profile.keys;
        let copy_of_id = keys.iter().position(|key| {
            key.is_top() && key.path == "id" && key.told() > 0 && key.same_as_id == key.told()
        });
        let mut chosen = Vec::new();
        let mut nested = 0;
        let tops = (0..keys.len()).filter(|&at| keys[at].is_top() && keys[at].steps.is_some());
        for at in tops.filter(|&at| Some(at) != copy_of_id) {
            let mut inner = Vec::new();
            if flatten(keys, at, 1, &mut inner) && nested + inner.len() <= MOST_NESTED {
                nested += inner.len();
                chosen.extend(inner);
            } else {
                chosen.push(at);
            }
        }
        let left_out = chosen.len().saturating_sub(MOST_COLUMNS);
        if left_out > 0 {
            // Those that most documents have stay, in their order.
            let mut present: Vec<u64> = chosen.iter().map(|&at| keys[at].present).collect();
            present.sort_unstable_by(|a, b| b.cmp(a));
            let fewest = present.get(MOST_COLUMNS).copied().unwrap_or(0);
            chosen.sort_by_key(|&at| (std::cmp::Reverse(keys[at].present.max(fewest)), at));
            chosen.truncate(MOST_COLUMNS);
            chosen.sort_unstable();
        }
        let columns: Vec<Column> = chosen
            .into_iter()
            .map(|at| {
                let key = &keys[at];
                let steps = key.steps.clone().unwrap_or_default();
                // A second id would be called id_2: it is the document's.
                let name = if steps == ["id"] {
                    names.give(&["document_id".to_owned()])
                } else {
                    names.give(&steps)
                };
                Column { name, key: at, choice: choose(key, profile.complete, values) }
            })
            .collect();
        let mut entity = snake(source.table.table());
        entity.truncate(ENTITY_BYTES);
        let children = child::children(profile, &columns, &entity, &target, values);
        Self { entity, source, target, id, columns, children, copy_of_id, values, left_out }
    }

    /// The child tables that are part of the draft.
    pub fn active(&self) -> impl Iterator<Item = &Child> {
        self.children.iter().filter(|child| child.refused.is_none())
    }

    /// The names and types of the columns of the table, and of each child table that is part of the draft.
    pub fn tables(&self) -> Vec<Vec<(String, String)>> {
        std::iter::once(self.table()).chain(self.active().map(Child::table)).collect()
    }

    /// The names and types of the table's columns.
    pub fn table(&self) -> Vec<(String, String)> {
        let id = (self.id.clone(), "bigint".to_owned());
        let columns = self.columns.iter().map(|one| (one.name.clone(), one.choice.column_type.to_owned()));
        std::iter::once(id).chain(columns).collect()
    }
}

impl Column {
    /// Gives it the type that takes everything.
    pub fn widen(&mut self, profile: &Profile) {
        self.choice = Choice::widest(&profile.keys[self.key]);
    }
}

/// Puts the keys in an object in its place; `false` where it has to stay one value.
pub fn flatten(keys: &[KeyProfile], at: usize, depth: usize, inner: &mut Vec<usize>) -> bool {
    let key = &keys[at];
    let only_objects = key.kinds.object > 0 && key.kinds.distinct() == 1 && key.crowded_values == 0;
    let children: Vec<usize> = (at + 1..keys.len()).filter(|&child| keys[child].parent == Some(at)).collect();
    if !only_objects || depth > MOST_DEPTH || children.is_empty() || children.len() > MOST_OF_ONE {
        return false;
    }
    let present: u64 = children.iter().map(|&child| keys[child].present).sum();
    // Keys that are names or dates are in a few objects each.
    if children.len() > FEW_KEYS && present < key.kinds.object * children.len() as u64 / 10 {
        return false;
    }
    for child in children {
        let before = inner.len();
        if !flatten(keys, child, depth + 1, inner) {
            inner.truncate(before);
            inner.push(child);
        }
    }
    inner.len() <= MOST_NESTED
}
