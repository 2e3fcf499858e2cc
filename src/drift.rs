//! `drift`: how the keys of V1's documents differ from those that were accepted, as runs have met them; and to accept
//! it.

use std::collections::BTreeMap;

use serde::Serialize;

use crate::error::{Error, Result};
use crate::pg::{Database, Row, Session};
use crate::summary::{Drift, DriftChange};

/// What was met since.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct DriftReport {
    /// How many differences there are.
    pub count: u64,
    /// Those of which a run has laid a baseline, by their names.
    pub entities: Vec<EntityDrift>,
}

/// Of one entity.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct EntityDrift {
    /// Its name.
    pub entity: String,
    /// How many keys are accepted.
    pub known: u64,
    /// New keys first, then those of another kind, then those that are gone.
    pub drift: Vec<DriftRecord>,
}

/// One difference.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct DriftRecord {
    /// As the last run that met it has counted it.
    #[serde(flatten)]
    pub drift: Drift,
    /// The run that met it first.
    pub first_run: i64,
    /// The run that met it last.
    pub last_run: i64,
}

/// What one run has met.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct RunDrift {
    /// The entity.
    pub entity: String,
    /// The difference.
    #[serde(flatten)]
    pub drift: Drift,
}

/// Lists what a run has met, accepted since or not; nothing in a ledger of an older version.
pub async fn of_run(session: &Session, run_id: i64) -> Result<Vec<RunDrift>> {
    if session.query_one("SELECT to_regclass('xdoflow.drift') IS NULL", &[]).await?.get(0) {
        return Ok(Vec::new());
    }
    let rows = session.query(OF_RUN, &[&run_id]).await?;
    let found =
        rows.iter().filter_map(|row| Some(RunDrift { entity: row.get("entity"), drift: drift(row)? }));
    Ok(found.collect())
}

/// Lists what runs have met since it was last accepted, of some entities, or of all where none is named.
///
/// # Errors
/// The ledger does not know an entity that is named.
pub async fn list(target: &Database, entities: &[String]) -> Result<DriftReport> {
    let session = target.connect("drift").await?;
    read(&session, target, entities).await
}

/// The same, and accepts it: what is new is known from now on, what is gone is not missed.
pub async fn accept(target: &Database, entities: &[String]) -> Result<DriftReport> {
    let session = target.connect("accept drift").await?;
    session.batch("BEGIN").await?;
    let report = read(&session, target, entities).await?;
    let named: Vec<&str> = report.entities.iter().map(|entity| entity.entity.as_str()).collect();
    for sql in ACCEPT {
        session.execute(sql, &[&named]).await?;
    }
    session.batch("COMMIT").await?;
    Ok(report)
}

async fn read(session: &Session, target: &Database, entities: &[String]) -> Result<DriftReport> {
    let has_ledger = "SELECT to_regclass('xdoflow.known_keys') IS NOT NULL";
    let mut found: BTreeMap<String, EntityDrift> = BTreeMap::new();
    if session.query_one(has_ledger, &[]).await?.get(0) {
        let known = "SELECT entity, count(DISTINCT key) FROM xdoflow.known_keys GROUP BY entity";
        for row in session.query(known, &[]).await? {
            let (entity, known): (String, i64) = (row.get(0), row.get(1));
            let known = u64::try_from(known).unwrap_or(0);
            found.insert(entity.clone(), EntityDrift { entity, known, drift: Vec::new() });
        }
        for row in session.query(OPEN, &[]).await? {
            if let (Some(of), Some(record)) = (found.get_mut(row.get::<_, &str>("entity")), record(&row)) {
                of.drift.push(record);
            }
        }
    }
    if let Some(unknown) = entities.iter().find(|entity| !found.contains_key(*entity)) {
        return Err(Error::usage(format!("no run has noted the keys of {unknown:?}"))
            .detail(format!(
                "the ledger of {} knows those of {}",
                target.redacted(),
                if found.is_empty() {
                    "no entity".to_owned()
                } else {
                    found.keys().map(String::as_str).collect::<Vec<_>>().join(", ")
                }
            ))
            .hint("the first run that reads all of an entity notes them; check --target"));
    }
    found.retain(|entity, _| entities.is_empty() || entities.contains(entity));
    let count = found.values().map(|entity| entity.drift.len() as u64).sum();
    Ok(DriftReport { count, entities: found.into_values().collect() })
}

fn record(row: &Row) -> Option<DriftRecord> {
    Some(DriftRecord { drift: drift(row)?, first_run: row.get("first_run"), last_run: row.get("last_run") })
}

fn drift(row: &Row) -> Option<Drift> {
    Some(Drift {
        change: DriftChange::of_name(row.get("change"))?,
        key: row.get("key"),
        kind: row.get("kind"),
        before: row.get("before"),
        count: u64::try_from(row.get::<_, i64>("count")).unwrap_or(0),
        first_id: row.get("first_id"),
    })
}

const OF_RUN: &str = "
    SELECT entity, change, key, kind, before, count, first_id FROM xdoflow.drift WHERE run_id = $1
    ORDER BY entity, array_position(ARRAY['new', 'kind', 'gone'], change), key, kind";

/// What is not accepted. A key is no longer gone where a later run that read all of the entity has met it.
const OPEN: &str = "
    SELECT entity, change, key, kind, before, min(run_id) AS first_run, max(run_id) AS last_run,
           (array_agg(count ORDER BY run_id DESC))[1] AS count, min(first_id) AS first_id
    FROM xdoflow.drift d
    WHERE accepted_at IS NULL AND (change <> 'gone' OR NOT EXISTS (
        SELECT FROM xdoflow.run_entities e JOIN xdoflow.runs r USING (run_id)
        WHERE e.entity = d.entity AND e.run_id > d.run_id AND NOT (e.changed OR r.partial OR r.dry_run)
          AND NOT EXISTS (SELECT FROM xdoflow.drift later
            WHERE (later.run_id, later.entity, later.change, later.key) = (e.run_id, d.entity, 'gone', d.key))))
    GROUP BY entity, change, key, kind, before
    ORDER BY entity, array_position(ARRAY['new', 'kind', 'gone'], change), key, kind";

/// Of the entities `$1`.
const ACCEPT: [&str; 3] = [
    "INSERT INTO xdoflow.known_keys (entity, key, kind, run_id)
     SELECT entity, key, kind, min(run_id) FROM xdoflow.drift
     WHERE accepted_at IS NULL AND change <> 'gone' AND entity = ANY ($1::text[])
     GROUP BY entity, key, kind ON CONFLICT DO NOTHING",
    "DELETE FROM xdoflow.known_keys k USING xdoflow.drift d
     WHERE d.accepted_at IS NULL AND d.change = 'gone' AND d.entity = ANY ($1::text[])
       AND (k.entity, k.key) = (d.entity, d.key)",
    "UPDATE xdoflow.drift SET accepted_at = now() WHERE accepted_at IS NULL AND entity = ANY ($1::text[])",
];
