//! V1: what its documents are like, which of them a backfill brings, and what a refresh finds changed.

use super::image::{Image, SCHEMA};
use super::world::{Entity, World};
use crate::error::{Error, Result};
use crate::name::{TableName, literal, quote};
use crate::pg::Session;
use crate::schema::Scalar;
use crate::spec::model::{Origin, PipelineSpec, TextRules};

/// The ids that a backfill has to bring.
const BACKFILL_IDS: u64 = 10_000;

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

impl World {
    pub async fn choose_backfill(&mut self, index: usize) -> Result<()> {
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
    pub fn refresh_ids(&self, entity: usize) -> String {
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
}

/// A key whose text goes into a column as it is.
fn changeable_key(spec: &PipelineSpec) -> Option<String> {
    let target = spec.targets.first()?;
    let mut columns = target.columns.iter().enumerate().filter(|(index, _)| !target.key.contains(index));
    columns.find_map(|(_, column)| {
        let Origin::Keys(paths) = &column.origin else { return None };
        let [path] = paths.as_slice() else { return None };
        let [key] = path.steps.as_slice() else { return None };
        let plain = column.cast.column_type.scalar == Scalar::Text
            && !column.cast.column_type.array
            && column.rules == TextRules::default();
        plain.then(|| key.clone())
    })
}

pub async fn documents(session: &Session, spec: &PipelineSpec, table: &TableName) -> Result<Documents> {
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
