//! The V1 generator: documents as the field has them, at any scale, from a seed.
//!
//! Every row is a pure function of (seed, scale, table, index): rows are made in any order on any number
//! of threads, and a reference is right because the id at an index can be computed ([`ids`]), not
//! because a row was made before. So nothing is kept: memory is the buffer of the caller.
//!
//! ```text
//! index ─► Row: id, person, place, time, agent, user, transaction, sponsor edge     (row, ids, tree)
//!            └─► for each key of the catalogue: Recipe (kind and name) + Class       (recipe, dirt)
//!                  └─► bytes of JSON in the caller's buffer                          (value, write, words)
//! ```
//!
//! The text is spaced as `jsonb` prints it (`": "`, `", "`), so that its length is that of the document
//! on its way out of the server. It has no `\u0000`, which `jsonb` refuses. Sizes at scale 1, as in the
//! field: participants of about 0.8 kB and agents of about 4.5 kB on average.

mod dirt;
mod ids;
mod recipe;
mod rng;
mod row;
mod tree;
mod value;
mod words;
mod write;

#[cfg(test)]
mod tests;

use crate::catalog::{CATALOG, Class, V1Table};

use ids::Ids;
use recipe::Recipe;
use row::{Row, Table, World};
use tree::Tree;

/// The five tables: rows and last id at scale 1. The last ids of users and agents are the field's, the
/// others keep the holes of the agents.
const SIZES: [(&str, Table, u64, u64); 5] = [
    ("users", Table::Users, 335, 708),
    ("agents", Table::Agents, 37_041, 48_703),
    ("transactions", Table::Transactions, 55_023, 71_250),
    ("participants", Table::Participants, 702_072, 918_340),
    ("network", Table::Network, 86_618, 113_900),
];

/// How dirty the documents are.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Dirt {
    /// As the field's: every class of dirt of the catalogue.
    #[default]
    Field,
    /// As often, in the same rows, but only what the server's own casts take: for comparisons with SQL
    /// that stops at the first bad cell.
    Castable,
}

impl Dirt {
    /// The word of the command line.
    pub fn name(self) -> &'static str {
        match self {
            Self::Field => "field",
            Self::Castable => "castable",
        }
    }
}

/// Makes the rows of the five V1 tables.
#[derive(Debug)]
pub struct Generator {
    world: World,
    plans: Vec<TablePlan>,
}

/// A table to be filled.
#[derive(Debug)]
pub struct TablePlan {
    /// The entity's name: `users`.
    pub entity: &'static str,
    /// The table: `mvpw1_41`, with the columns `id bigint` and `xdo jsonb`.
    pub table: &'static str,
    /// How many rows it gets.
    pub rows: u64,
    kind: Table,
    keys: Vec<Key>,
}

#[derive(Debug)]
struct Key {
    /// `"name": `
    prefix: Vec<u8>,
    recipe: Recipe,
    class: Class,
}

impl Generator {
    /// A generator of the workspace that `seed` stands for. At a `scale` of 1 it has the field's size; at
    /// others each table has its share, but at least one row; at 0 (or less, or NaN) the tables are empty.
    pub fn new(seed: u64, scale: f64) -> Self {
        Self::with_dirt(seed, scale, Dirt::Field)
    }

    /// The same at a level of dirt.
    pub fn with_dirt(seed: u64, scale: f64, dirt: Dirt) -> Self {
        let ids = |table: Table| {
            let (_, _, rows, last_id) = SIZES[table as usize];
            let rows_scaled = scaled(rows, scale);
            let last_id = (u128::from(rows_scaled) * u128::from(last_id) / u128::from(rows)) as u64;
            Ids::new(seed.wrapping_add(table as u64), rows_scaled, last_id)
        };
        let world = World {
            seed,
            dirt,
            users: ids(Table::Users),
            agents: ids(Table::Agents),
            transactions: ids(Table::Transactions),
            participants: ids(Table::Participants),
            network: ids(Table::Network),
            tree: Tree::new(seed, scaled(SIZES[1].2, scale), scaled(SIZES[4].2, scale)),
        };
        let plans = CATALOG.v1.iter().filter_map(|table| TablePlan::new(table, &world)).collect();
        Self { world, plans }
    }

    /// The tables, in the order users, agents, transactions, participants, network.
    pub fn tables(&self) -> &[TablePlan] {
        &self.plans
    }

    /// Appends the document of the row at `index` (from 0, less than `plan.rows`) of one of the tables of
    /// [`Generator::tables`] to `out` and returns the row's id. Nothing but `out` is touched.
    pub fn document(&self, plan: &TablePlan, index: u64, out: &mut Vec<u8>) -> i64 {
        let mut row = Row::new(&self.world, plan.kind, index);
        out.push(b'{');
        let start = out.len();
        for key in &plan.keys {
            let before = out.len();
            out.extend_from_slice(&key.prefix);
            if value::value(&mut row, key.recipe, key.class, out) {
                out.extend_from_slice(b", ");
            } else {
                out.truncate(before);
            }
        }
        if out.len() > start {
            // The comma behind the last value.
            out.truncate(out.len() - 2);
        }
        out.push(b'}');
        row.id
    }
}

impl TablePlan {
    fn new(table: &'static V1Table, world: &World) -> Option<Self> {
        let (_, kind, ..) = SIZES.into_iter().find(|(entity, ..)| *entity == table.entity)?;
        let keys = table
            .keys
            .iter()
            .map(|key| Key {
                prefix: format!("\"{}\": ", key.key).into_bytes(),
                recipe: Recipe::of(table.entity, key),
                class: key.dirty_class,
            })
            .collect();
        Some(Self { entity: table.entity, table: &table.table, rows: world.ids(kind).rows(), kind, keys })
    }
}

fn scaled(rows: u64, scale: f64) -> u64 {
    if scale > 0.0 { ((rows as f64 * scale).round() as u64).max(1) } else { 0 }
}
