//! The keys that V1 had when its drift was last accepted, and what later runs have met besides.
//!
//! The first run that reads all of an entity lays the baseline. Each later one notes how it differs: a key that is
//! new, one that is gone, a value of a kind that the key never had. That stays until somebody accepts it, which makes
//! it part of the baseline.

use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet};

use crate::error::Result;
use crate::pg::Session;
use crate::summary::{Drift, DriftChange};
use crate::transform::keys::{JsonKind, KindTally};

/// The kinds that each key of an entity is known to have; none where there is no baseline yet.
pub type Baseline = BTreeMap<String, BTreeSet<JsonKind>>;

/// Whether there is a baseline that the role may read: `to_regclass` fails in a schema that it may not use.
const MAY_READ: &str = "
    SELECT EXISTS (
        SELECT FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
        WHERE (n.nspname, c.relname) = ('xdoflow', 'known_keys')
          AND has_schema_privilege(n.oid, 'USAGE') AND has_table_privilege(c.oid, 'SELECT'))";

/// Reads the baselines of some entities. There are none where there is no ledger yet, or the role may not read it: who
/// verifies or checks needs none.
pub async fn baselines(session: &Session, entities: &[&str]) -> Result<BTreeMap<String, Baseline>> {
    let mut known = BTreeMap::<String, Baseline>::new();
    if entities.is_empty() || !session.query_one(MAY_READ, &[]).await?.get::<_, bool>(0) {
        return Ok(known);
    }
    let sql = "SELECT entity, key, kind FROM xdoflow.known_keys WHERE entity = ANY ($1)";
    for row in session.query(sql, &[&entities]).await? {
        if let Some(kind) = JsonKind::of_name(row.get(2)) {
            known.entry(row.get(0)).or_default().entry(row.get(1)).or_default().insert(kind);
        }
    }
    Ok(known)
}

/// How what a run has met differs from the baseline. `whole` says whether it read all rows: only then a key can be
/// gone. That a value is null says nothing of its kind.
pub fn compare(known: &Baseline, met: &BTreeMap<Cow<'_, str>, KindTally>, whole: bool) -> Vec<Drift> {
    let mut found = Vec::new();
    for (key, tally) in met {
        let before = known.get(&**key);
        let change = if before.is_some() { DriftChange::Kind } else { DriftChange::New };
        let kinds = tally.met().filter(|(kind, ..)| match before {
            Some(before) => *kind != JsonKind::Null && !before.contains(kind),
            None => true,
        });
        found.extend(kinds.map(|(kind, count, first_id)| Drift {
            change,
            key: key.to_string(),
            kind: kind.name().to_owned(),
            before: names(before),
            count,
            first_id: Some(first_id),
        }));
    }
    if whole {
        let gone = known.iter().filter(|(key, _)| !met.contains_key(key.as_str()));
        found.extend(gone.map(|(key, before)| Drift {
            change: DriftChange::Gone,
            key: key.clone(),
            kind: String::new(),
            before: names(Some(before)),
            count: 0,
            first_id: None,
        }));
    }
    found
}

fn names(kinds: Option<&BTreeSet<JsonKind>>) -> Vec<String> {
    kinds.into_iter().flatten().map(|kind| kind.name().to_owned()).collect()
}

/// Lays the baseline of an entity.
pub async fn lay(
    session: &Session,
    entity: &str,
    run_id: i64,
    met: &BTreeMap<Cow<'_, str>, KindTally>,
) -> Result<()> {
    let all = met.iter().flat_map(|(key, tally)| tally.met().map(move |(kind, ..)| (&**key, kind.name())));
    let (keys, kinds): (Vec<&str>, Vec<&str>) = all.unzip();
    session
        .execute(
            "INSERT INTO xdoflow.known_keys (entity, key, kind, run_id)
             SELECT $1, key, kind, $2 FROM unnest($3::text[], $4::text[]) met (key, kind)
             ON CONFLICT DO NOTHING",
            &[&entity, &run_id, &keys, &kinds],
        )
        .await?;
    Ok(())
}

/// Notes how a run differs from the baseline.
pub async fn note(session: &Session, entity: &str, run_id: i64, drift: &[Drift]) -> Result<()> {
    for Drift { change, key, kind, before, count, first_id } in drift {
        let count = i64::try_from(*count).unwrap_or(i64::MAX);
        session
            .execute(
                "INSERT INTO xdoflow.drift (run_id, entity, change, key, kind, before, count, first_id)
                 VALUES ($1, $2, $3, $4, $5, $6, $7, $8) ON CONFLICT DO NOTHING",
                &[&run_id, &entity, &change.name(), key, kind, before, &count, first_id],
            )
            .await?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn new_keys_other_kinds_and_keys_that_are_gone_are_told_apart() {
        let known: Baseline = [
            ("age", vec![JsonKind::Number]),
            ("name", vec![JsonKind::String, JsonKind::Null]),
            ("fax", vec![JsonKind::String]),
        ]
        .map(|(key, kinds)| (key.to_owned(), kinds.into_iter().collect()))
        .into();
        let tally = |kinds: &[(JsonKind, i64)]| {
            let mut tally = KindTally::default();
            kinds.iter().for_each(|&(kind, id)| tally.add(kind, id));
            tally
        };
        let met = BTreeMap::from([
            (
                Cow::Borrowed("age"),
                tally(&[
                    (JsonKind::Null, 1),
                    (JsonKind::String, 7),
                    (JsonKind::String, 5),
                    (JsonKind::Number, 2),
                ]),
            ),
            (Cow::Borrowed("name"), tally(&[(JsonKind::String, 1)])),
            (Cow::Borrowed("tags"), tally(&[(JsonKind::Array, 3), (JsonKind::Null, 4)])),
        ]);
        let told = |whole| {
            let found = compare(&known, &met, whole);
            let line = |d: &Drift| {
                format!(
                    "{} {} {} {} {} {:?}",
                    d.change.name(),
                    d.key,
                    d.kind,
                    d.before.join("+"),
                    d.count,
                    d.first_id
                )
            };
            found.iter().map(line).collect::<Vec<_>>()
        };
        let some =
            ["kind age string number 2 Some(5)", "new tags null  1 Some(4)", "new tags array  1 Some(3)"];
        assert_eq!(told(false), some);
        assert_eq!(told(true), [&some[..], &["gone fax  string 0 None"]].concat());
    }
}
