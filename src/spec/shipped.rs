//! The pipelines that are built into the binary, as they stand in `pipelines/`.

use super::folder::gather;
use super::model::PipelineSpec;
use super::problem::Problems;
use super::read::read_file;

/// Files and their texts, in the order in which a run takes them: what others refer to comes first.
const FILES: [(&str, &str); 5] = [
    ("user.toml (built in)", include_str!("../../pipelines/user.toml")),
    ("agent.toml (built in)", include_str!("../../pipelines/agent.toml")),
    ("transaction.toml (built in)", include_str!("../../pipelines/transaction.toml")),
    ("participant.toml (built in)", include_str!("../../pipelines/participant.toml")),
    ("network.toml (built in)", include_str!("../../pipelines/network.toml")),
];

/// The pipelines `users`, `agents`, `transactions`, `participants` and `network`, in this order.
///
/// # Errors
/// As for any other file; the tests see to it that there are none.
pub fn shipped() -> Result<Vec<PipelineSpec>, Problems> {
    gather(FILES.iter().map(|(file, text)| read_file(file, text)).collect())
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use serde_json::Value;

    use super::*;
    use crate::schema::Scalar;
    use crate::spec::model::{CastSpec, ColumnSpec, KeyPath, Origin, Parse};

    const MAPPING: &str = include_str!("../../fixtures/V1_V2_FIELD_MAPPING.json");
    const V1_KEYS: &str = include_str!("../../fixtures/v1_keys.csv");
    const V2_COLUMNS: &str = include_str!("../../fixtures/v2_columns.csv");

    /// The rows of a CSV file of the catalogue, in which no field is quoted, without the header.
    fn rows(csv: &'static str) -> impl Iterator<Item = Vec<&'static str>> {
        csv.lines().skip(1).map(|line| line.split(',').collect())
    }

    /// The kind of a key of a V1 table.
    fn kind(table: &str, key: &str) -> &'static str {
        rows(V1_KEYS).find(|row| row[1] == table && row[3] == key).expect("a key of the catalogue")[4]
    }

    /// A type in one word, with the options that a type of this mapping can have.
    fn written(cast: &CastSpec) -> String {
        let mut text = match (cast.epoch_ms, cast.none.as_slice()) {
            (true, []) => "epoch_ms".to_owned(),
            (false, [0]) => "reference".to_owned(),
            (false, []) => cast.column_type.to_string(),
            other => panic!("{other:?}"),
        };
        if cast.object_true {
            text.push_str(" object");
        }
        text.push_str(match cast.parse {
            None => "",
            Some(Parse::Money) => " money",
            Some(Parse::Percent) => " percent",
            Some(Parse::Json) => " json",
        });
        text
    }

    /// What the catalogue asks for a column that is fed by `key`.
    fn wanted(v1_table: &str, column: &str, key: &str, cast: &str) -> String {
        match (cast, kind(v1_table, key)) {
            ("none", _) => "bigint".to_owned(),
            ("integer", "reference") => "reference".to_owned(),
            ("integer", _) => "bigint".to_owned(),
            ("timestamp", _) => "epoch_ms".to_owned(),
            ("boolean", "object_or_boolean") => "boolean object".to_owned(),
            ("decimal", _) if column == "sponsor_split" => "numeric percent".to_owned(),
            ("decimal", _) => "numeric money".to_owned(),
            ("json", _) => "jsonb".to_owned(),
            (other, _) => other.to_owned(),
        }
    }

    /// Every column of the shipped pipelines, by source table, target table and name.
    fn shipped_columns() -> BTreeMap<(String, String, String), ColumnSpec> {
        let mut columns = BTreeMap::new();
        for pipeline in shipped().unwrap_or_else(|problems| panic!("{problems}")) {
            for target in pipeline.targets {
                for column in target.columns {
                    let key =
                        (pipeline.source.table.to_string(), target.table.to_string(), column.name.clone());
                    columns.insert(key, column);
                }
            }
        }
        columns
    }

    #[test]
    fn every_column_of_the_mapping_is_shipped_and_nothing_else() {
        let mapping: Value = serde_json::from_str(MAPPING).expect("JSON");
        let mut columns = shipped_columns();
        let mut mapped = 0;
        for domain in ["user", "agent", "transaction", "participant", "network"] {
            let domain = &mapping[format!("{domain}_domain")];
            let v1_table = domain["v1_table"].as_str().expect("a table");
            for (title, entries) in domain["mappings"].as_object().expect("mappings") {
                let name = title.split(' ').next().expect("a name");
                if name == "network_hierarchy" {
                    continue;
                }
                let table = mapping["v2_tables"][name]["pg_table"].as_str().expect("a table");
                for (column, entry) in entries.as_object().expect("columns") {
                    let key = entry["v1_field"].as_str().expect("a key");
                    let cast = entry["cast"].as_str().expect("a cast");
                    let place = (v1_table.to_owned(), table.to_owned(), column.clone());
                    let spec = columns.remove(&place).unwrap_or_else(|| panic!("{place:?} is not shipped"));
                    let origin = if cast == "none" {
                        Origin::Id
                    } else {
                        Origin::Keys(vec![KeyPath::of_document(vec![key.to_owned()])])
                    };
                    assert_eq!(spec.origin, origin, "{place:?}");
                    assert_eq!(written(&spec.cast), wanted(v1_table, column, key, cast), "{place:?}");
                    mapped += 1;
                }
            }
        }
        assert_eq!(columns.keys().collect::<Vec<_>>(), [] as [&(String, String, String); 0]);
        assert_eq!(mapped, MAPPED);
    }

    /// The columns that the mapping file has for the thirteen tables, five users', five agents',
    /// transaction, participant and network_member.
    const MAPPED: usize = (18 + 8 + 7 + 8 + 15) + (29 + 14 + 8 + 11 + 9) + 34 + 20 + 25;

    #[test]
    fn every_shipped_column_has_the_type_of_its_table_and_a_default_where_no_null_is_taken() {
        for ((_, table, name), spec) in shipped_columns() {
            let row = rows(V2_COLUMNS).find(|row| row[0] == table && row[3] == name).expect("a column of V2");
            assert_eq!(spec.cast.column_type.to_string(), row[4], "{table}.{name}");
            assert_eq!(spec.cast.epoch_ms, row[5] == "epoch_ms", "{table}.{name}");
            let default = match spec.cast.column_type.scalar {
                _ if row[6] == "yes" || spec.origin == Origin::Id => None,
                Scalar::BigInt => Some("0"),
                _ => Some("\"\""),
            };
            assert_eq!(spec.default.as_deref(), default, "{table}.{name}");
        }
    }

    #[test]
    fn the_shipped_entities_tables_and_keys_are_those_of_the_catalogue() {
        let shown: Vec<String> = shipped()
            .expect("pipelines")
            .iter()
            .flat_map(|pipeline| {
                let (entity, source) = (&pipeline.entity, &pipeline.source.table);
                pipeline.targets.iter().map(move |target| {
                    let key: Vec<&str> =
                        target.key.iter().map(|&index| target.columns[index].name.as_str()).collect();
                    format!("{entity} {source} {} {} {}", target.name, target.table, key.join(","))
                })
            })
            .collect();
        assert_eq!(
            shown,
            [
                "users mvpw1_41 user mvpw5_664 id",
                "users mvpw1_41 user_credentials mvpw5_665 user_id",
                "users mvpw1_41 user_subscriptions mvpw5_666 user_id",
                "users mvpw1_41 user_settings mvpw5_667 user_id",
                "users mvpw1_41 user_roles mvpw5_668 user_id",
                "agents mvpw1_36 agent mvpw5_670 id",
                "agents mvpw1_36 agent_cap_data mvpw5_671 agent_id",
                "agents mvpw1_36 agent_commission mvpw5_672 agent_id",
                "agents mvpw1_36 agent_performance mvpw5_673 agent_id",
                "agents mvpw1_36 agent_hierarchy mvpw5_674 agent_id",
                "transactions mvpw1_34 transaction mvpw5_675 id",
                "participants mvpw1_39 participant mvpw5_696 id",
                "network mvpw1_48 network_member mvpw5_698 id",
            ]
        );
    }
}
