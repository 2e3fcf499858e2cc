//! The staging tables of one entity in one run, in the schema `xdoflow` of the target database.
//!
//! Their names bear the run and the entity. Whoever holds the lock of an entity may drop every staging
//! table of that entity that it finds: its run is dead.

use crate::error::Result;
use crate::name::{TableName, quote};
use crate::pg::fingerprint::create_blocks;
use crate::pg::{Session, sql};
use crate::transform::output::REJECT_COLUMNS;

/// The schema of everything that xdoflow keeps in a target database.
pub const SCHEMA: &str = "xdoflow";

/// The staging tables of an entity.
#[derive(Clone, Debug)]
pub struct Staging {
    /// One for each target, in the order of the pipeline file.
    pub targets: Vec<TableName>,
    /// For each target a list of rows that are to go, with the columns of [`GONE_COLUMNS`](sql::GONE_COLUMNS) and
    /// [`STAYS_COLUMN`](sql::STAYS_COLUMN).
    pub gone: Vec<TableName>,
    /// The rejected values.
    pub rejects: TableName,
    /// Blocks of fingerprints that differ; the table is created when there is one.
    pub fingerprints: TableName,
    /// Parts of blocks of fingerprints, where they come with the rows.
    pub seen: TableName,
    /// Which pieces are staged: each is noted in the transaction of its rows.
    pub pieces: TableName,
}

impl Staging {
    /// The names for an entity with a number of targets.
    pub fn new(run_id: i64, entity: &str, targets: usize) -> Self {
        let name = |suffix: String| TableName::new(SCHEMA, format!("stage_{run_id}_{entity}_{suffix}"));
        Self {
            targets: (1..=targets).map(|number| name(number.to_string())).collect(),
            gone: (1..=targets).map(|number| name(format!("gone{number}"))).collect(),
            rejects: name("rejects".to_owned()),
            fingerprints: name("fingerprints".to_owned()),
            seen: name("seen".to_owned()),
            pieces: name("pieces".to_owned()),
        }
    }

    /// Creates the tables, empty, in one transaction.
    ///
    /// `targets` says of each target which columns of which table its staging table takes and whether there
    /// is a list of rows that are to go; `None` for a target that is loaded without staging. `seen` says whether
    /// fingerprints come with the rows.
    pub async fn create<'t>(
        &self,
        session: &Session,
        targets: impl Iterator<Item = Option<(&'t TableName, &'t [String], bool)>>,
        seen: bool,
    ) -> Result<()> {
        let mut statements = vec![
            create_table(&self.rejects, &REJECT_COLUMNS),
            create_table(&self.pieces, &sql::PIECE_COLUMNS),
        ];
        for ((staging, gone), target) in self.targets.iter().zip(&self.gone).zip(targets) {
            let Some((table, columns, listed)) = target else { continue };
            statements.push(sql::create_staging(staging, table, columns));
            if listed {
                let [key, place, surplus] = sql::GONE_COLUMNS;
                statements.push(create_table(gone, &[key, place, surplus, sql::STAYS_COLUMN]));
            }
        }
        if seen {
            statements.push(create_blocks(&self.seen));
        }
        session.batch(&statements.join("; ")).await
    }

    /// The statements that drop the tables.
    pub fn drop_sql(&self) -> String {
        let all: Vec<String> = self
            .targets
            .iter()
            .chain(&self.gone)
            .chain([&self.rejects, &self.fingerprints, &self.seen, &self.pieces])
            .map(TableName::quoted)
            .collect();
        format!("DROP TABLE IF EXISTS {}", all.join(", "))
    }
}

fn create_table(table: &TableName, columns: &[(&str, &str)]) -> String {
    let columns: Vec<String> =
        columns.iter().map(|(name, column_type)| format!("{} {column_type}", quote(name))).collect();
    format!(
        "CREATE UNLOGGED TABLE {} ({}) WITH (autovacuum_enabled = off)",
        table.quoted(),
        columns.join(", ")
    )
}

/// Drops what dead runs of an entity have left, but for the run `keep`. The caller holds the entity's lock.
/// Returns how many tables it dropped.
pub async fn drop_leftovers(session: &Session, entity: &str, keep: Option<i64>) -> Result<usize> {
    // An entity's name is made of lower-case letters, digits and underscores: no regular expression
    // character is among them.
    let pattern = format!("^stage_[0-9]+_{entity}_((gone)?[0-9]+|rejects|fingerprints|seen|pieces)$");
    let rows = session
        .query(
            "SELECT c.relname::text FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
             WHERE n.nspname = $1 AND c.relkind = 'r' AND c.relname ~ $2
               AND ($3::bigint IS NULL OR c.relname !~ ('^stage_' || $3 || '_'))",
            &[&SCHEMA, &pattern, &keep],
        )
        .await?;
    for row in &rows {
        let name = TableName::new(SCHEMA, row.get::<_, String>(0));
        session.batch(&format!("DROP TABLE IF EXISTS {}", name.quoted())).await?;
    }
    Ok(rows.len())
}
