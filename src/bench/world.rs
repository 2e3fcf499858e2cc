//! Where the bench plays: V1, V2, their images, and how V2 is made ready for the next contender.
//!
//! Nothing here is timed. Statements that do not depend on one another run over as many sessions as
//! cores.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::sync::{Arc, Mutex, PoisonError};

use tokio::task::JoinSet;

use super::contender::{Contender, Scenario, Way};
use super::image::{Image, SCHEMA, Target};
use crate::error::{Error, Result};
use crate::name::{TableName, literal, quote};
use crate::partition::{self, Partition};
use crate::pg::{Database, Session};
use crate::plan;
use crate::schema::Scalar;
use crate::spec::model::{Origin, PipelineSpec, TextRules};
use crate::sqlgen::CopiedColumn;

/// The ids that a backfill has to bring.
const BACKFILL_IDS: u64 = 10_000;
/// Memory of the sessions that prepare and compare.
const WORK_MEM: &str = "256MB";

/// One entity.
pub struct Entity {
    /// Its pipeline.
    pub spec: PipelineSpec,
    /// V1, with its schema.
    pub source: TableName,
    /// Blocks of V1.
    pub blocks: u64,
    /// Bytes of V1 with its TOAST table.
    pub bytes: u64,
    /// What its documents are like.
    pub documents: Documents,
}

/// The documents of an entity, and where the server keeps them.
#[derive(Clone, Debug, Default, serde::Serialize)]
pub struct Documents {
    /// The entity.
    pub entity: String,
    /// Its V1 table.
    pub table: String,
    /// Rows.
    pub rows: u64,
    /// Bytes of the documents as text.
    pub document_bytes: u64,
    /// Bytes that they take on disk, compressed or not.
    pub stored_bytes: u64,
    /// Bytes of the table itself.
    pub main_bytes: u64,
    /// Bytes of its TOAST table.
    pub toast_bytes: u64,
    /// Rows whose document is compressed.
    pub compressed_rows: u64,
    /// Rows that a backfill brings.
    pub backfill_rows: u64,
    /// Bytes of their documents as text.
    pub backfill_bytes: u64,
}

/// Both databases and all that was prepared in them.
pub struct World {
    /// V1 and V2: SQL needs both in one.
    pub database: Database,
    /// Sessions at a time.
    pub cores: usize,
    /// In the order of the report.
    pub entities: Vec<Entity>,
    /// The targets of all entities.
    pub targets: Vec<Target>,
    /// Whether the server knows MERGE.
    pub has_merge: bool,
    /// For what nothing else runs beside.
    pub session: Session,
    /// Whether tables may be kept from being vacuumed at a moment of the server's choice.
    own_server: bool,
    /// Whether CHECKPOINT is allowed.
    checkpoints: bool,
    /// What V2 was prepared for last.
    state: Option<Scenario>,
}

impl World {
    /// Looks at V1 and V2.
    ///
    /// # Errors
    /// Where the pipelines do not fit, or a target holds rows: a bench empties the targets.
    pub async fn open(
        database: &Database,
        specs: &[PipelineSpec],
        cores: usize,
        own_server: bool,
    ) -> Result<Self> {
        let plans = plan::plan(database, database, specs, false).await?;
        let session = database.connect("bench").await?;
        session.batch(&format!("SET work_mem = '{WORK_MEM}'")).await?;
        let mut entities = Vec::new();
        let mut targets: Vec<Target> = Vec::new();
        for (plan, spec) in plans.iter().zip(specs) {
            let all = spec.targets.iter().map(|target| (target, None));
            let derived = spec.derived.iter().map(|derived| (&derived.target, Some(derived.clone())));
            for (published, (target, derived)) in plan.targets.iter().zip(all.chain(derived)) {
                targets.push(Target {
                    entity: entities.len(),
                    spec: target.clone(),
                    derived,
                    columns: copied_columns(&session, published.info.oid).await?,
                    info: published.info.clone(),
                    key_is_id: published.key_is_id,
                    number: targets.len(),
                });
            }
            let info = plan.source.info();
            entities.push(Entity {
                spec: spec.clone(),
                source: info.name.clone(),
                blocks: info.blocks,
                bytes: info.bytes,
                documents: documents(&session, spec, &info.name).await?,
            });
        }
        for target in &targets {
            let rows = session.query(&format!("SELECT FROM {} LIMIT 1", target.table()), &[]).await?;
            if !rows.is_empty() {
                return Err(Error::stop(format!("the target {} holds rows", target.info.name))
                    .detail("a bench empties its targets before each run; nothing was changed")
                    .hint("give it a database of its own, or leave out --source and --target"));
            }
        }
        let version: i32 =
            session.query_one("SELECT current_setting('server_version_num')::int", &[]).await?.get(0);
        let checkpoints = session.batch("CHECKPOINT").await.is_ok();
        let has_merge = version >= 150_000;
        let database = database.clone();
        Ok(Self {
            database,
            cores,
            entities,
            targets,
            has_merge,
            session,
            own_server,
            checkpoints,
            state: None,
        })
    }

    /// Makes the images of what V1 says, and chooses the ids of the backfill.
    pub async fn make_images(&mut self) -> Result<()> {
        self.session
            .batch(&format!("DROP SCHEMA IF EXISTS {0} CASCADE; CREATE SCHEMA {0}", quote(SCHEMA)))
            .await?;
        let mut creates: Vec<String> =
            self.targets.iter().map(|target| target.create_image(Image::Base)).collect();
        if self.own_server {
            // Each prepares and vacuums at moments of its own choice; nobody pays for another's dirt.
            let off = "SET (autovacuum_enabled = off)";
            creates.extend(self.targets.iter().map(|target| format!("ALTER TABLE {} {off}", target.table())));
            let off = "SET (autovacuum_enabled = off, toast.autovacuum_enabled = off)";
            let sources = self.entities.iter().map(|entity| entity.source.quoted());
            creates.extend(sources.map(|source| format!("ALTER TABLE {source} {off}")));
        }
        self.session.batch(&creates.join("; ")).await?;
        let mut fills = Vec::new();
        for target in &self.targets {
            let entity = &self.entities[target.entity];
            for condition in self.parts(entity, target.derived.is_some()) {
                let fill =
                    target.fill_image(Image::Base, &entity.spec, &entity.source, condition.as_deref())?;
                fills.push(vec![fill]);
            }
        }
        self.all(fills).await?;
        self.all(self.targets.iter().map(|target| target.finish_image(Image::Base)).collect()).await?;
        for index in 0..self.entities.len() {
            self.choose_backfill(index).await?;
        }
        Ok(())
    }

    /// Conditions that cut V1 into parts; one for all of it where it cannot be cut.
    fn parts(&self, entity: &Entity, whole: bool) -> Vec<Option<String>> {
        if whole || entity.blocks == 0 {
            return vec![None];
        }
        let parts = partition::plan(entity.blocks, 0, self.cores);
        parts.iter().map(block_condition).collect()
    }

    async fn choose_backfill(&mut self, index: usize) -> Result<()> {
        let entity = &self.entities[index];
        let (ids, id) = (self.backfill_ids(index), quote(&entity.spec.source.id));
        let rows = entity.documents.rows;
        let count = BACKFILL_IDS.min((rows / 2).max(1));
        let step = (rows / count).max(1);
        let (table, document) = (entity.source.quoted(), quote(&entity.spec.source.document));
        self.session
            .batch(&format!(
                "CREATE TABLE {ids} AS SELECT n.id FROM (SELECT {id}::bigint AS id, row_number() OVER (ORDER BY {id}) \
                 AS number FROM {table}) n WHERE n.number % {step} = 0 ORDER BY n.id LIMIT {count}; \
                 ALTER TABLE {ids} ADD PRIMARY KEY (id); ANALYZE {ids}"
            ))
            .await?;
        let row = self
            .session
            .query_one(
                &format!(
                    "SELECT count(*), coalesce(sum(octet_length({document}::text)), 0)::bigint FROM {table} \
                     WHERE {id} IN (SELECT i.id FROM {ids} i)"
                ),
                &[],
            )
            .await?;
        let documents = &mut self.entities[index].documents;
        documents.backfill_rows = unsigned(row.get(0));
        documents.backfill_bytes = unsigned(row.get(1));
        Ok(())
    }

    /// The table of the ids that a backfill brings.
    pub fn backfill_ids(&self, entity: usize) -> String {
        TableName::new(SCHEMA, format!("backfill_{entity}")).quoted()
    }

    /// The table of the ids that a refresh finds changed, new or gone.
    fn refresh_ids(&self, entity: usize) -> String {
        TableName::new(SCHEMA, format!("refresh_{entity}")).quoted()
    }

    /// The ids that a backfill brings.
    pub async fn ids_of_backfill(&self, entity: usize) -> Result<Vec<i64>> {
        let rows = self
            .session
            .query(&format!("SELECT id FROM {} ORDER BY id", self.backfill_ids(entity)), &[])
            .await?;
        Ok(rows.iter().map(|row| row.get(0)).collect())
    }

    /// Changes V1 for a refresh, once, and makes the images of what it says then.
    pub async fn change_v1(&self) -> Result<()> {
        let mut changes = Vec::new();
        for (index, entity) in self.entities.iter().enumerate() {
            changes.push(self.changes(index, entity)?);
        }
        self.all(changes).await?;
        let mut fills = Vec::new();
        for target in &self.targets {
            let entity = &self.entities[target.entity];
            let mut statements = vec![target.create_image(Image::Want)];
            let mut condition = None;
            if target.key_is_id {
                let ids = self.refresh_ids(target.entity);
                let (base, want, fed) = (target.image(Image::Base), target.image(Image::Want), target.fed());
                statements.push(format!(
                    "INSERT INTO {want} ({fed}) SELECT {fed} FROM {base} b \
                     WHERE NOT EXISTS (SELECT FROM {ids} i WHERE i.id = {})",
                    target.key("b.")
                ));
                condition =
                    Some(format!("v.{} IN (SELECT i.id FROM {ids} i)", quote(&entity.spec.source.id)));
            }
            statements.push(target.fill_image(
                Image::Want,
                &entity.spec,
                &entity.source,
                condition.as_deref(),
            )?);
            statements.extend(target.finish_image(Image::Want));
            fills.push(statements);
        }
        self.all(fills).await
    }

    /// The statements that change V1 of an entity: 1 % of the rows get another text, 0.1 % go, 0.1 % come
    /// as copies of others under new ids. A small table changes by at least one row in each way.
    fn changes(&self, index: usize, entity: &Entity) -> Result<Vec<String>> {
        let key = changeable_key(&entity.spec).ok_or_else(|| {
            Error::usage(format!("no key of {} can be changed for a refresh", entity.spec.entity))
                .detail("it takes a column of type text in the first target that is one key, without rules")
                .hint("leave out the scenario refresh")
        })?;
        let (ids, table) = (self.refresh_ids(index), entity.source.quoted());
        let (id, document) = (quote(&entity.spec.source.id), quote(&entity.spec.source.document));
        let thousand = entity.documents.rows.clamp(1, 1000);
        let hundred = entity.documents.rows.clamp(1, 100);
        let (gone, copied, changed) = (thousand / 2, thousand / 3, hundred / 7);
        Ok(vec![
            format!(
                "CREATE TABLE {ids} AS WITH n AS MATERIALIZED \
                 (SELECT {id}::bigint AS id, row_number() OVER (ORDER BY {id}) AS number FROM {table}) \
                 SELECT id, CASE WHEN number % {thousand} = {gone} THEN 'gone' ELSE 'changed' END AS what, \
                   NULL::bigint AS copy_of FROM n \
                 WHERE number % {thousand} = {gone} OR number % {hundred} = {changed} \
                 UNION ALL SELECT (SELECT max(id) FROM n) + row_number() OVER (ORDER BY id), 'new', id FROM n \
                 WHERE number % {thousand} = {copied}"
            ),
            format!("ALTER TABLE {ids} ADD PRIMARY KEY (id)"),
            format!("ANALYZE {ids}"),
            format!(
                "INSERT INTO {table} ({id}, {document}) \
                 SELECT i.id, v.{document} FROM {ids} i JOIN {table} v ON v.{id} = i.copy_of ORDER BY i.id"
            ),
            format!("DELETE FROM {table} v USING {ids} i WHERE v.{id} = i.id AND i.what = 'gone'"),
            format!(
                "UPDATE {table} v SET {document} = \
                   jsonb_set(v.{document}, ARRAY[{}], to_jsonb('changed ' || v.{id}::text)) \
                 FROM {ids} i WHERE v.{id} = i.id AND i.what = 'changed'",
                literal(&key)
            ),
            format!("VACUUM (ANALYZE) {table}"),
        ])
    }

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

    /// Runs lists of statements, as many at a time as there are cores.
    pub async fn all(&self, tasks: Vec<Vec<String>>) -> Result<()> {
        self.each(tasks, |session, statements| async move {
            for statement in &statements {
                session.batch(statement).await?;
            }
            Ok(session)
        })
        .await
    }

    async fn each<T, W, F>(&self, tasks: Vec<T>, work: W) -> Result<()>
    where
        T: Send + 'static,
        W: Fn(Session, T) -> F + Clone + Send + 'static,
        F: Future<Output = Result<Session>> + Send,
    {
        let queue = Arc::new(Mutex::new(VecDeque::from(tasks)));
        let mut workers = JoinSet::new();
        for _ in 0..self.cores {
            let (queue, database, work) = (Arc::clone(&queue), self.database.clone(), work.clone());
            workers.spawn(async move {
                let mut session = database.connect("bench").await?;
                session.batch(&format!("SET work_mem = '{WORK_MEM}'")).await?;
                loop {
                    let next = queue.lock().unwrap_or_else(PoisonError::into_inner).pop_front();
                    let Some(task) = next else { return Ok(()) };
                    session = work(session, task).await?;
                }
            });
        }
        while let Some(worker) = workers.join_next().await {
            joined(worker)?;
        }
        Ok(())
    }
}

/// The result of a task; one that panicked is a bug.
pub fn joined<T>(task: Result<Result<T>, tokio::task::JoinError>) -> Result<T> {
    task.unwrap_or_else(|error| Err(Error::stop(format!("a part of the bench ended unexpectedly: {error}"))))
}

fn empty(target: &Target) -> String {
    format!("TRUNCATE {} RESTART IDENTITY", target.table())
}

fn vacuum(target: &Target) -> String {
    format!("VACUUM (ANALYZE) {}", target.table())
}

/// A condition on the rows of V1, called `v`; none for all of them.
pub fn block_condition(partition: &Partition) -> Option<String> {
    match partition {
        Partition::Blocks { from, to: Some(to) } => {
            Some(format!("v.ctid >= '({from},0)'::tid AND v.ctid < '({to},0)'::tid"))
        }
        Partition::Blocks { from, to: None } => Some(format!("v.ctid >= '({from},0)'::tid")),
        Partition::Whole | Partition::Ids(_) | Partition::Range(_) => None,
    }
}

/// A key whose text goes into a column as it is.
fn changeable_key(spec: &PipelineSpec) -> Option<String> {
    let target = spec.targets.first()?;
    let mut columns = target.columns.iter().enumerate().filter(|(index, _)| !target.key.contains(index));
    columns.find_map(|(_, column)| {
        let Origin::Keys(paths) = &column.origin else { return None };
        let [path] = paths.as_slice() else { return None };
        let [key] = path.0.as_slice() else { return None };
        let plain = column.cast.column_type.scalar == Scalar::Text
            && !column.cast.column_type.array
            && column.rules == TextRules::default();
        plain.then(|| key.clone())
    })
}

async fn copied_columns(session: &Session, oid: u32) -> Result<Vec<CopiedColumn>> {
    let rows = session
        .query(
            "SELECT a.attname::text, format_type(a.atttypid, a.atttypmod), a.attnotnull, a.attidentity <> '',
                    pg_get_expr(d.adbin, d.adrelid)
             FROM pg_attribute a LEFT JOIN pg_attrdef d ON d.adrelid = a.attrelid AND d.adnum = a.attnum
             WHERE a.attrelid = $1 AND a.attnum > 0 AND NOT a.attisdropped ORDER BY a.attnum",
            &[&oid],
        )
        .await?;
    let columns = rows.iter().map(|row| CopiedColumn {
        name: row.get(0),
        type_name: row.get(1),
        not_null: row.get(2),
        identity: row.get(3),
        default: row.get(4),
    });
    Ok(columns.collect())
}

async fn documents(session: &Session, spec: &PipelineSpec, table: &TableName) -> Result<Documents> {
    let (name, document) = (table.quoted(), quote(&spec.source.document));
    let row = session
        .query_one(
            &format!(
                "SELECT count(*), coalesce(sum(octet_length({document}::text)), 0)::bigint,
                        coalesce(sum(pg_column_size({document})), 0)::bigint, count(pg_column_compression({document})),
                        coalesce(max(pg_relation_size(c.oid)), 0)::bigint,
                        coalesce(max(pg_relation_size(nullif(c.reltoastrelid, 0))), 0)::bigint
                 FROM {name} LEFT JOIN pg_class c ON c.oid = $1::text::regclass"
            ),
            &[&name],
        )
        .await?;
    Ok(Documents {
        entity: spec.entity.clone(),
        table: table.table().to_owned(),
        rows: unsigned(row.get(0)),
        document_bytes: unsigned(row.get(1)),
        stored_bytes: unsigned(row.get(2)),
        compressed_rows: unsigned(row.get(3)),
        main_bytes: unsigned(row.get(4)),
        toast_bytes: unsigned(row.get(5)),
        ..Documents::default()
    })
}

fn unsigned(number: i64) -> u64 {
    u64::try_from(number).unwrap_or(0)
}
