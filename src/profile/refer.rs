//! Integers that are ids of another table: the server is asked, with a sample of the distinct ones.
//!
//! That all values of a key are ids elsewhere proves little where ids are dense: every small number is one. So a
//! key counts as a reference where its name says so too, or where the ids have gaps that chance would fall
//! into.

use serde::Serialize;

use super::report::KeyProfile;
use super::table::Found;
use crate::error::Result;
use crate::name::TableName;
use crate::pg::{Session, profile as sql};

/// Another table that has a key's integers as ids.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Reference {
    /// The table.
    pub table: String,
    /// Distinct integers that were asked for.
    pub asked: usize,
    /// Those among them that are ids.
    pub found: usize,
    /// How dense its ids are: 1 where there is no gap between the lowest and the highest.
    pub density: f64,
}

/// Tables that are asked.
const TABLES: usize = 40;
/// Integers of a key that are enough for a share.
const FEWEST: usize = 8;
/// The share that must be ids: the field's references have a few that lead nowhere.
const SHARE: f64 = 0.9;
/// Ids that fill no more than this much of their range are not met by chance.
const SPARSE: f64 = 0.5;
/// References that are told of one key.
const TOLD: usize = 3;

/// A table with ids.
struct Ids {
    table: TableName,
    id: String,
    rows: f64,
}

/// Looks for the integers of each key among the ids of the tables beside this one. Returns how many tables
/// were asked.
pub(super) async fn refer(
    session: &Session,
    table: &Found,
    keys: &mut [KeyProfile],
    integers: &[Vec<i64>],
    asked: impl Fn(),
) -> Result<usize> {
    let tables = tables(session, table).await?;
    let (mut places, mut values) = (Vec::new(), Vec::new());
    for (place, (key, integers)) in keys.iter().zip(integers).enumerate() {
        if may_refer(key) {
            // At most MOST_PATHS.
            places.extend(std::iter::repeat_n(place as i32, integers.len()));
            values.extend_from_slice(integers);
        }
    }
    for ids in &tables {
        if !values.is_empty() {
            let density = density(session, ids).await?;
            let rows = session.query(&sql::found_ids(&ids.table, &ids.id), &[&places, &values]).await?;
            for row in rows {
                let (place, found): (i32, i64) = (row.get(0), row.get(1));
                let place = usize::try_from(place).unwrap_or(usize::MAX);
                let (Some(key), Some(integers)) = (keys.get_mut(place), integers.get(place)) else {
                    continue;
                };
                let (found, asked) = (usize::try_from(found).unwrap_or(0), integers.len());
                let likely = is_named_like_id(&key.path) || (density <= SPARSE && asked >= FEWEST);
                if likely && found as f64 >= SHARE * asked as f64 {
                    let table = ids.table.to_string();
                    key.references.push(Reference { table, asked, found, density });
                }
            }
        }
        asked();
    }
    for key in keys {
        // The smallest table that holds them says most; tables come in the order of their names.
        let rows = |one: &Reference| {
            tables.iter().find(|ids| ids.table.to_string() == one.table).map_or(0.0, |ids| ids.rows)
        };
        key.references.sort_by(|a, b| {
            b.found.cmp(&a.found).then(rows(a).total_cmp(&rows(b))).then(a.table.cmp(&b.table))
        });
        key.references.truncate(TOLD);
    }
    Ok(tables.len())
}

/// How many tables may be asked, before they are.
pub(super) async fn tables_of(session: &Session, table: &Found) -> Result<usize> {
    Ok(tables(session, table).await?.len())
}

async fn tables(session: &Session, table: &Found) -> Result<Vec<Ids>> {
    let schema = table.info.name.schema().unwrap_or_default();
    let rows = session.query(sql::ID_TABLES, &[&schema, &table.document]).await?;
    let mut tables: Vec<Ids> = Vec::new();
    for row in rows {
        let name = TableName::new(schema, row.get::<_, String>(0));
        // One column of a table: the first, which is called id where one is.
        if tables.len() < TABLES && tables.last().is_none_or(|last| last.table != name) {
            tables.push(Ids { table: name, id: row.get(1), rows: row.get(2) });
        }
    }
    Ok(tables)
}

/// The share of the range of its ids that a table has; 1 where it is not known.
async fn density(session: &Session, ids: &Ids) -> Result<f64> {
    let row = session.query_one(&sql::id_bounds(&ids.table, &ids.id), &[]).await?;
    let bounds: (Option<i64>, Option<i64>) = (row.get(0), row.get(1));
    Ok(match bounds {
        (Some(low), Some(high)) if ids.rows >= 0.0 => {
            let range = i128::from(high) - i128::from(low) + 1;
            (ids.rows / range as f64).min(1.0)
        }
        _ => 1.0,
    })
}

/// Whether the integers of a key are worth a question: most of its values are such, and none says that they
/// are something else.
fn may_refer(key: &KeyProfile) -> bool {
    let numbers = key.numbers();
    let is_copy = key.same_as_id > 0 && key.same_as_id == numbers;
    numbers * 2 > key.told() && !is_copy && !key.counts_milliseconds() && key.strings.leading_zero == 0
}

/// Whether the name of a path ends in id: `agent_id`, `agentId`, `ids[]`.
pub(super) fn is_named_like_id(path: &str) -> bool {
    let last = path.trim_end_matches(['[', ']', '"']).rsplit(['.', '"']).next().unwrap_or_default();
    let lower = last.to_ascii_lowercase();
    ["id", "ids"].iter().any(|word| {
        lower.strip_suffix(word).is_some_and(|stem| {
            let camel = last.len() > word.len() && last.as_bytes().get(stem.len()) == Some(&b'I');
            stem.is_empty() || stem.ends_with(['_', '-', ' ']) || camel
        })
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_that_ends_in_id_is_told_from_a_word_that_happens_to() {
        for (path, expected) in [
            ("agent_id", true),
            ("agentId", true),
            ("owner.ID", true),
            ("team_ids[]", true),
            ("id", true),
            ("\"the team.id\"", true),
            ("paid", false),
            ("valid", false),
            ("grid", false),
            ("kids[]", false),
            ("identity", false),
            ("", false),
        ] {
            assert_eq!(is_named_like_id(path), expected, "{path}");
        }
    }
}
