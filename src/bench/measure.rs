//! One timed run: the contender's part, between two readings of the meters.

use std::path::PathBuf;

use super::contender::{Scenario, Way};
use super::image::Target;
use super::meter::Measured;
use super::run::Bench;
use super::{Step, Subject, child, floor, sql};
use crate::error::{Error, Result};
use crate::summary::{Mode, ReadPath};

/// How the program tells nothing but its result.
pub(super) const QUIET: [&str; 3] = ["--json", "--progress", "none"];

impl Bench {
    /// One timed run.
    pub(super) async fn measure(&self, step: Step) -> Result<Measured> {
        let session = &self.world.session;
        let entities = self.entities(step.subject);
        match (step.contender.way, step.contender.read) {
            (Way::Xdoflow { mode, more }, _) => {
                let arguments = self.arguments(step, mode, more);
                let before = self.meter.begin(session).await?;
                let ran = child::run(&self.job.program, &arguments).await?;
                let measured = self.meter.end(session, before, ran.rss_peak_bytes).await?;
                if step.contender.needs_fingerprints() {
                    ran.check_changed()?;
                }
                Ok(measured)
            }
            (Way::Floor, Some(read)) => {
                let plan = self.plans.get(&(step.scenario, step.subject, step.contender)).copied();
                let plan = plan.ok_or_else(|| Error::stop("a floor was not tried out"))?;
                let ready =
                    floor::open(&self.world, &entities, step.scenario, plan, read, &self.finished).await?;
                let before = self.meter.begin(session).await?;
                ready.run().await?;
                self.meter.end(session, before, None).await
            }
            (way, _) => {
                let entity = entities.first().copied().unwrap_or(0);
                let script = sql::script(&self.world, entity, way, step.scenario).await?;
                let ready = script.open(&self.world).await?;
                let before = self.meter.begin(session).await?;
                ready.run().await?;
                let measured = self.meter.end(session, before, None).await?;
                // What sends a statement and waits is no client whose memory could matter.
                Ok(Measured { rss_peak_bytes: None, ..measured })
            }
        }
    }

    /// The arguments of the program.
    fn arguments(&self, step: Step, mode: Mode, more: Option<&'static str>) -> Vec<String> {
        let mut arguments = vec!["run".to_owned()];
        arguments.extend(
            self.entities(step.subject).iter().map(|&index| self.world.entities[index].spec.entity.clone()),
        );
        let mut options = QUIET.to_vec();
        options.extend(["--mode", mode.name()]);
        options.extend(more);
        options.extend(step.contender.read.map(ReadPath::name).into_iter().flat_map(|read| ["--read", read]));
        let ids = self.ids_file(step.subject).display().to_string();
        match step.scenario {
            Scenario::Backfill => options.extend(["--ids-file", &ids]),
            Scenario::Refresh | Scenario::NoChange if mode == Mode::Merge => options.push("--prune"),
            _ => {}
        }
        arguments.extend(options.into_iter().map(str::to_owned));
        arguments
    }

    fn ids_file(&self, subject: Subject) -> PathBuf {
        self.job.folder.join(format!("backfill_{}.ids", self.name(subject)))
    }

    /// Writes the ids of a backfill as `run --ids` reads them: for each entity, and for all together.
    pub(super) async fn write_ids(&self) -> Result<()> {
        let all = (0..self.world.entities.len()).map(Subject::Entity);
        for subject in all.chain([Subject::Workspace]) {
            let mut lines = String::new();
            for index in self.entities(subject) {
                let entity = &self.world.entities[index].spec.entity;
                for id in self.world.ids_of_backfill(index).await? {
                    lines.push_str(&format!("{entity},{id}\n"));
                }
            }
            let path = self.ids_file(subject);
            std::fs::write(&path, lines)
                .map_err(|error| Error::stop(format!("cannot write {}: {error}", path.display())))?;
        }
        Ok(())
    }

    /// The files of the targets as the log of changes names them, where it is to be read: where nothing
    /// differs, nothing should be written.
    pub(super) async fn wal_files(&self, step: Step, entities: &[usize]) -> Result<Option<Vec<String>>> {
        if self.job.server.is_none()
            || step.scenario != Scenario::NoChange
            || step.contender.way == Way::Floor
        {
            return Ok(None);
        }
        let targets = self.world.targets.iter().filter(|target| entities.contains(&target.entity));
        let names: Vec<String> = targets.map(Target::table).collect();
        let rows = self.world.session.query(WAL_FILES, &[&names]).await?;
        Ok(Some(rows.iter().map(|row| row.get(0)).collect()))
    }
}

/// Of tables, their indexes, and the same of their TOAST tables.
const WAL_FILES: &str = "
    WITH t AS (SELECT c.oid, c.reltoastrelid FROM pg_class c WHERE c.oid = ANY ($1::text[]::regclass[])),
         r AS (SELECT oid FROM t UNION ALL SELECT reltoastrelid FROM t WHERE reltoastrelid <> 0),
         f AS (SELECT oid FROM r UNION ALL SELECT i.indexrelid FROM pg_index i JOIN r ON r.oid = i.indrelid)
    SELECT coalesce(nullif(c.reltablespace, 0), d.dattablespace) || '/' || d.oid || '/' || pg_relation_filenode(c.oid)
    FROM f JOIN pg_class c ON c.oid = f.oid, pg_database d WHERE d.datname = current_database()";
