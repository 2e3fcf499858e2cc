//! V2: brought into the state of a scenario, compared with its image after a contender, and made as before.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

use super::contender::{Contender, Scenario, Way};
use super::image::{Image, SCHEMA, Target};
use super::world::World;
use crate::error::Result;
use crate::name::{TableName, quote};

impl World {
    /// Brings V2 into the state of a scenario. Between scenarios where it is full it keeps its files, which
    /// the fingerprints of a run know.
    pub async fn set(&mut self, scenario: Scenario) -> Result<()> {
        let before = self.state.replace(scenario).filter(|&before| before != Scenario::Reload);
        let mut tasks = Vec::new();
        for target in &self.targets {
            let mut statements = match (scenario, before) {
                (Scenario::Reload, _) => vec![empty(target)],
                (_, None) => vec![empty(target), target.fill(Image::Base)],
                (_, Some(Scenario::Backfill)) if target.key_is_id => {
                    target.restore_ids(&self.backfill_ids(target.entity))
                }
                (_, Some(_)) => Vec::new(),
            };
            if scenario == Scenario::Backfill && target.key_is_id {
                statements.push(self.delete_backfill(target));
            }
            statements.push(vacuum(target));
            tasks.push(statements);
        }
        self.all(tasks).await
    }

    /// Lets copies stand in for the targets of some entities, for a contender that writes them anew: the
    /// targets keep their files, and are there again at the end.
    pub async fn stand_in(&self, entities: &[usize]) -> Result<()> {
        let targets = self.targets.iter().filter(|target| entities.contains(&target.entity));
        let tasks = targets.map(|target| {
            let (table, aside) = (target.table(), self.aside(target).quoted());
            vec![
                format!("ALTER TABLE {table} SET SCHEMA {}", quote(SCHEMA)),
                format!("CREATE TABLE {table} (LIKE {aside} INCLUDING ALL)"),
                target.fill(Image::Base),
                vacuum(target),
            ]
        });
        self.all(tasks.collect()).await
    }

    fn delete_backfill(&self, target: &Target) -> String {
        let (key, ids) = (target.key(""), self.backfill_ids(target.entity));
        format!("DELETE FROM {} WHERE {key} IN (SELECT id FROM {ids})", target.table())
    }

    /// Makes V2 ready for the next contender, after one that has worked on the targets of some entities.
    /// `right` says that it has left them as they should be.
    pub async fn restore(
        &self,
        scenario: Scenario,
        contender: Contender,
        entities: &[usize],
        right: bool,
    ) -> Result<()> {
        let targets = || self.targets.iter().filter(|target| entities.contains(&target.entity));
        if contender.way == Way::Ctas || contender.rewrites(scenario) {
            for target in targets() {
                self.put_back(target).await?;
            }
        }
        if contender.rewrites(scenario) {
            return Ok(());
        }
        let tasks = targets().map(|target| {
            let mut statements = match scenario {
                Scenario::Reload => return vec![empty(target)],
                Scenario::NoChange if right => Vec::new(),
                Scenario::Backfill if right => Vec::new(),
                Scenario::Refresh if right && target.key_is_id => {
                    target.restore_ids(&self.refresh_ids(target.entity))
                }
                _ => target.restore(),
            };
            if scenario == Scenario::Backfill && target.key_is_id {
                statements.push(self.delete_backfill(target));
            }
            statements.push(vacuum(target));
            statements
        });
        self.all(tasks.collect()).await
    }

    /// The name under which the target's own table waits while another stands in its place.
    pub fn aside(&self, target: &Target) -> TableName {
        TableName::new(SCHEMA, target.info.name.table())
    }

    /// Puts the target's own table back, where another stands in its place.
    async fn put_back(&self, target: &Target) -> Result<()> {
        let aside = self.aside(target).quoted();
        let moved: bool =
            self.session.query_one("SELECT to_regclass($1) IS NOT NULL", &[&aside]).await?.get(0);
        if !moved {
            return Ok(());
        }
        let schema = quote(target.info.name.schema().unwrap_or("public"));
        self.session
            .batch(&format!("DROP TABLE {}; ALTER TABLE {aside} SET SCHEMA {schema}", target.table()))
            .await
    }

    /// Writes everything that waits to be written, so that the next contender does not.
    pub async fn checkpoint(&self) -> Result<()> {
        if self.checkpoints { self.session.batch("CHECKPOINT").await } else { Ok(()) }
    }

    /// Counts the rows in which the targets of some entities differ from what they must hold.
    pub async fn count_wrong(&self, scenario: Scenario, entities: &[usize]) -> Result<u64> {
        let image = if scenario == Scenario::Refresh { Image::Want } else { Image::Base };
        let targets = self.targets.iter().filter(|target| entities.contains(&target.entity));
        let counts: Vec<String> = targets.map(|target| target.count_wrong(image)).collect();
        let found = Arc::new(AtomicU64::new(0));
        let sum = Arc::clone(&found);
        self.each(counts, move |session, sql| {
            let sum = Arc::clone(&sum);
            async move {
                sum.fetch_add(session.count(&sql, &[]).await?, Relaxed);
                Ok(session)
            }
        })
        .await?;
        Ok(found.load(Relaxed))
    }

    /// Saves the fingerprints that the ledger keeps, all of whose tables bear the word in their name.
    pub async fn save_fingerprints(&self) -> Result<()> {
        for (table, saved) in self.fingerprint_tables().await? {
            self.session.batch(&format!("CREATE TABLE {saved} AS SELECT * FROM {table}")).await?;
        }
        Ok(())
    }

    /// Gives the ledger back the fingerprints that were saved, whatever runs have made of them since.
    pub async fn restore_fingerprints(&self) -> Result<()> {
        let tables = self.fingerprint_tables().await?;
        let all: Vec<&str> = tables.iter().map(|(table, _)| table.as_str()).collect();
        let mut statements = vec![format!("TRUNCATE {}", all.join(", "))];
        statements
            .extend(tables.iter().map(|(table, saved)| format!("INSERT INTO {table} SELECT * FROM {saved}")));
        self.session.batch(&statements.join("; ")).await?;
        for table in all {
            self.session.batch(&format!("VACUUM (ANALYZE) {table}")).await?;
        }
        Ok(())
    }

    /// The ledger's tables of fingerprints, and where each is saved.
    async fn fingerprint_tables(&self) -> Result<Vec<(String, String)>> {
        let query = "SELECT tablename::text FROM pg_tables WHERE schemaname = 'xdoflow' \
                     AND tablename LIKE 'fingerprint%' ORDER BY tablename";
        let rows = self.session.query(query, &[]).await?;
        let names = rows.iter().map(|row| row.get::<_, String>(0));
        Ok(names
            .map(|name| (TableName::new("xdoflow", &name).quoted(), TableName::new(SCHEMA, &name).quoted()))
            .collect())
    }

    /// Takes away what the bench has made beside V1, and empties the targets.
    pub async fn close(&mut self) -> Result<()> {
        self.session = self.database.connect("bench").await?;
        for target in &self.targets {
            self.put_back(target).await?;
        }
        self.all(self.targets.iter().map(|target| vec![empty(target)]).collect()).await?;
        self.session.batch(&format!("DROP SCHEMA IF EXISTS {} CASCADE", quote(SCHEMA))).await
    }
}

fn empty(target: &Target) -> String {
    format!("TRUNCATE {} RESTART IDENTITY", target.table())
}

fn vacuum(target: &Target) -> String {
    format!("VACUUM (ANALYZE) {}", target.table())
}
