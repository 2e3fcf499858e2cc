//! The contenders that are SQL: what a user would run on the server instead.
//!
//! A script is some sessions, each with its statements. They are opened and set up before the clock
//! starts; the statements of a transaction begin with BEGIN and end with COMMIT.
//!
//! ```text
//! reload     INSERT … SELECT; ctas: CREATE TABLE AS … RENAME
//! refresh,   plain: MERGE straight from the SELECT; record: everything staged in a temporary table, then
//! no_change  MERGE (before PostgreSQL 15 UPDATE and INSERT); both delete what is gone
//! backfill   INSERT … SELECT … WHERE id = ANY (…)
//! ```
//! `arrow` is the same in all of them: the old guide knows nothing else. All sessions have the memory that
//! a publish of xdoflow takes, without which `NOT IN` over 700,000 rows would never end.

use tokio::task::JoinSet;

use super::contender::{Scenario, Way};
use super::image::{SCHEMA, Target};
use super::world::{Entity, World, block_condition, joined};
use crate::error::Result;
use crate::name::quote;
use crate::partition::Partition;
use crate::pg::Session;
use crate::sqlgen::{self, Extraction, PlainSql};

/// Memory for hashes and sorts, as in a publish of xdoflow.
pub const WORK_MEM: &str = "128MB";

/// Documents larger than this on average are kept out of line or compressed, and a second `->>` of one
/// unpacks it a second time.
const WIDE_BYTES: u64 = 2_000;

/// The temporary table of the keys of all targets.
const KEYS: &str = "bench_keys";

/// What a contender runs: sessions that begin at the same time, then those that begin when they are done.
#[derive(Debug, Default)]
pub struct Script {
    first: Vec<Vec<String>>,
    then: Vec<Vec<String>>,
}

/// A script whose sessions are open.
pub struct Ready {
    first: Vec<(Session, Vec<String>)>,
    then: Vec<(Session, Vec<String>)>,
}

impl Script {
    /// Opens the sessions.
    pub async fn open(self, world: &World) -> Result<Ready> {
        async fn sessions(world: &World, scripts: Vec<Vec<String>>) -> Result<Vec<(Session, Vec<String>)>> {
            let mut opened = Vec::new();
            for statements in scripts {
                let session = world.database.connect("bench: SQL").await?;
                session
                    .batch(&format!(
                        "SET work_mem = '{WORK_MEM}'; SET max_parallel_workers_per_gather = {}",
                        world.cores
                    ))
                    .await?;
                opened.push((session, statements));
            }
            Ok(opened)
        }
        Ok(Ready { first: sessions(world, self.first).await?, then: sessions(world, self.then).await? })
    }
}

impl Ready {
    /// Runs the statements.
    pub async fn run(self) -> Result<()> {
        for group in [self.first, self.then] {
            let mut running = JoinSet::new();
            for (session, statements) in group {
                running.spawn(async move {
                    for statement in &statements {
                        session.batch(statement).await?;
                    }
                    Ok(())
                });
            }
            while let Some(ended) = running.join_next().await {
                joined(ended)?;
            }
        }
        Ok(())
    }
}

/// The script of a contender for one entity.
pub async fn script(world: &World, entity: usize, way: Way, scenario: Scenario) -> Result<Script> {
    let parts = Parts::new(world, entity, scenario).await?;
    Ok(match (way, scenario) {
        (Way::Arrow, _) => parts.arrow(),
        (Way::Ctas, _) => parts.ctas(),
        (Way::Record, _) => parts.one_session(Extraction::Record),
        (Way::PlainParallel, _) => parts.sessions(Extraction::Arrow),
        (Way::RecordParallel, _) => parts.sessions(Extraction::Record),
        (Way::Plain | Way::Xdoflow { .. } | Way::Floor, _) => parts.one_session(Extraction::Arrow),
    })
}

/// What the scripts of an entity are made of.
struct Parts<'w> {
    world: &'w World,
    entity: &'w Entity,
    /// Filled row by row.
    targets: Vec<&'w Target>,
    derived: Vec<&'w Target>,
    scenario: Scenario,
    /// Which rows of V1 are read, where not all are.
    condition: Option<String>,
}

impl<'w> Parts<'w> {
    async fn new(world: &'w World, index: usize, scenario: Scenario) -> Result<Self> {
        let entity = &world.entities[index];
        let own = || world.targets.iter().filter(|target| target.entity == index);
        let condition = match scenario {
            Scenario::Backfill => {
                let ids: Vec<String> =
                    world.ids_of_backfill(index).await?.iter().map(i64::to_string).collect();
                let id = quote(&entity.spec.source.id);
                Some(format!("v.{id} = ANY ('{{{}}}'::bigint[])", ids.join(",")))
            }
            _ => None,
        };
        // What is derived is made of all rows, and a backfill knows only some.
        let derives = scenario != Scenario::Backfill;
        Ok(Self {
            world,
            entity,
            targets: own().filter(|target| target.derived.is_none()).collect(),
            derived: own().filter(|target| target.derived.is_some() && derives).collect(),
            scenario,
            condition,
        })
    }

    fn arrow(&self) -> Script {
        let mut statements = sqlgen::arrow_statements(&self.entity.spec);
        let sql = PlainSql::new(&self.entity.spec, Extraction::Arrow);
        for target in &self.derived {
            let Some(derived) = &target.derived else { continue };
            let (key, table) = (target.key(""), target.table());
            statements.push(format!(
                "{} WHERE ({key}) NOT IN (SELECT {key} FROM {table}) ON CONFLICT DO NOTHING",
                sqlgen::insert(&target.spec, &format!("SELECT * FROM ({}) r", sql.derived(derived)))
            ));
        }
        Script { first: vec![statements], then: Vec::new() }
    }

    fn one_session(&self, extraction: Extraction) -> Script {
        let statements =
            [self.rows(extraction, self.condition.as_deref()), self.gone(), self.derived(extraction)];
        Script { first: vec![transaction(statements.concat())], then: Vec::new() }
    }

    /// As many sessions as cores, each with a part of V1 by ctid; then one that deletes what is gone. What
    /// is derived has a session of its own.
    fn sessions(&self, extraction: Extraction) -> Script {
        let blocks = self.entity.blocks;
        let cores = self.world.cores as u64;
        let border = |part: u64| blocks * part / cores;
        let parts = (0..cores).map(|part| Partition::Blocks {
            from: border(part),
            to: (part + 1 < cores).then(|| border(part + 1)),
        });
        let mut first: Vec<Vec<String>> =
            parts.map(|part| transaction(self.rows(extraction, block_condition(&part).as_deref()))).collect();
        let derived = self.derived(extraction);
        if !derived.is_empty() {
            first.push(transaction(derived));
        }
        let gone = self.gone();
        let then = if gone.is_empty() { Vec::new() } else { vec![transaction(gone)] };
        Script { first, then }
    }

    /// The statements for the targets that are filled row by row.
    fn rows(&self, extraction: Extraction, condition: Option<&str>) -> Vec<String> {
        let sql = PlainSql::new(&self.entity.spec, extraction);
        let mut statements = Vec::new();
        // One unpacking for all targets pays where there are several; and a merge of records is the way
        // that stages everything.
        let staged = extraction == Extraction::Record && (self.targets.len() > 1 || self.merges());
        if staged {
            statements
                .push(format!("CREATE TEMPORARY TABLE {KEYS} ON COMMIT DROP AS {}", sql.keys(condition)));
            statements.push(format!("ANALYZE {KEYS}"));
        }
        for target in &self.targets {
            let select = match staged {
                true => sql.split(&target.spec, KEYS),
                false => sql.select(&target.spec, condition),
            };
            statements.extend(match self.merges() {
                false => vec![sqlgen::insert(&target.spec, &select)],
                true => sqlgen::merge(&target.spec, &format!("({select})"), self.world.has_merge),
            });
        }
        statements
    }

    /// The statements that delete what V1 no longer has.
    fn gone(&self) -> Vec<String> {
        if !self.merges() {
            return Vec::new();
        }
        let id = quote(&self.entity.spec.source.id);
        let plain = PlainSql::new(&self.entity.spec, Extraction::Arrow);
        let delete = |target: &&Target| match target.key_is_id {
            true => {
                let keys = format!(
                    "(SELECT v.{id} AS {} FROM {} AS v)",
                    target.key(""),
                    self.entity.source.quoted()
                );
                sqlgen::delete_gone(&target.spec, &keys)
            }
            false => sqlgen::delete_gone(&target.spec, &format!("({})", plain.select(&target.spec, None))),
        };
        self.targets.iter().map(delete).collect()
    }

    fn derived(&self, extraction: Extraction) -> Vec<String> {
        let sql = PlainSql::new(&self.entity.spec, extraction);
        let mut statements = Vec::new();
        for target in &self.derived {
            let Some(derived) = &target.derived else { continue };
            if !self.merges() {
                statements.push(sqlgen::insert(&target.spec, &sql.derived(derived)));
                continue;
            }
            let staged = format!("bench_derived_{}", target.number);
            statements
                .push(format!("CREATE TEMPORARY TABLE {staged} ON COMMIT DROP AS {}", sql.derived(derived)));
            statements.push(format!("ANALYZE {staged}"));
            statements.push(sqlgen::delete_gone(&target.spec, &staged));
            statements.extend(sqlgen::merge(&target.spec, &staged, self.world.has_merge));
        }
        statements
    }

    fn ctas(&self) -> Script {
        let documents = &self.entity.documents;
        let wide = documents.document_bytes > WIDE_BYTES * documents.rows;
        let extraction = if wide { Extraction::Record } else { Extraction::Arrow };
        let sql = PlainSql::new(&self.entity.spec, extraction);
        let mut statements = Vec::new();
        // Else the planner finds that handing the rows over costs more than a second core saves.
        statements.push("SET LOCAL parallel_tuple_cost = 0".to_owned());
        for target in self.targets.iter().chain(&self.derived) {
            let select = match &target.derived {
                Some(derived) => sql.derived(derived),
                None => sql.select(&target.spec, None),
            };
            let new = format!("bench_new_{}", target.number);
            let primary_key = &target.info.primary_key;
            statements.extend(sqlgen::create_table_as(
                &target.spec,
                &target.columns,
                primary_key,
                &new,
                &select,
            ));
            // A user would drop the old table here; the bench wants it back.
            statements.push(format!("ALTER TABLE {} SET SCHEMA {}", target.table(), quote(SCHEMA)));
            statements.push(format!(
                "ALTER TABLE {} RENAME TO {}",
                quote(&new),
                quote(target.info.name.table())
            ));
        }
        Script { first: vec![transaction(statements)], then: Vec::new() }
    }

    /// Whether rows may be there already.
    fn merges(&self) -> bool {
        matches!(self.scenario, Scenario::Refresh | Scenario::NoChange)
    }
}

fn transaction(mut statements: Vec<String>) -> Vec<String> {
    statements.insert(0, "BEGIN".to_owned());
    statements.push("COMMIT".to_owned());
    statements
}
