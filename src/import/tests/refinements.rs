//! The five built-in pipelines are the import of the catalogue's mapping, plus what is written down here.

use std::collections::BTreeSet;

use super::{findings, import};
use crate::spec::model::{ColumnSpec, Parse, PipelineSpec, Position};
use crate::spec::shipped;

use super::parsed;

const MAPPING: &str = include_str!("../../../fixtures/V1_V2_FIELD_MAPPING.json");

/// Refinements by hand, each with its columns, `target.column`.
const REFINEMENTS: [(&str, &[&str]); 6] = [
    // 0 and "" both mean none.
    (
        "reference",
        &[
            "user.brokerage_id",
            "user.agent_id",
            "user.team_id",
            "user_subscriptions.stripe_product_id",
            "user_subscriptions.stripe_price_id",
            "user_subscriptions.subscription_packages_id",
            "user_roles.director_id",
            "user_roles.leader_id",
            "user_roles.mentor_id",
            "user_roles.team_id",
            "agent.brokerage_id",
            "agent.home_address_id",
            "agent.team_id",
            "agent.user_id",
            "agent.commission_plan_id",
            "agent_hierarchy.sponsor_agent_id",
            "agent_hierarchy.director_id",
            "agent_hierarchy.leader_id",
            "agent_hierarchy.mentor_id",
            "transaction.listing_id",
            "transaction.address_id",
            "transaction.user_id",
            "transaction.team_id",
            "transaction.transaction_owner_agent_id",
            "transaction.team_owner_agent_id",
            "transaction.office_id",
            "participant.transaction_id",
            "participant.agent_id",
            "participant.listing_id",
            "participant.user_id",
            "network_member.user_id",
            "network_member.agent_id",
            "network_member.downline_agent_id",
            "network_member.sponsoring_agent_id",
        ],
    ),
    // The column takes no NULL.
    (
        "default 0",
        &[
            "user.created_at",
            "agent.created_at",
            "transaction.created_at",
            "participant.created_at",
            "network_member.created_at",
        ],
    ),
    ("default \"\"", &["user.first_name", "user.email"]),
    // An object or a boolean in V1.
    ("object", &["agent_hierarchy.is_director", "agent_hierarchy.is_leader", "agent_hierarchy.is_mentor"]),
    // Amounts with a currency symbol and separators.
    (
        "money",
        &[
            "agent_cap_data.team_cap",
            "agent_cap_data.team_cap_paid",
            "agent_cap_data.brokerage_cap",
            "agent_cap_data.brokerage_cap_paid",
            "agent_commission.pre_cap_fee",
            "agent_commission.post_cap_fee",
            "transaction.sale_price",
            "transaction.list_price",
            "transaction.gross_commission",
            "transaction.net_payout",
            "network_member.cap_amount",
            "network_member.cap_amount_paid",
            "network_member.total_contribution",
        ],
    ),
    ("percent", &["network_member.sponsor_split"]),
];

/// The column with a refinement in it, which must not be there yet.
fn refine(column: &mut ColumnSpec, refinement: &str) {
    let before = column.clone();
    match refinement {
        "reference" => column.cast.none = vec![0],
        "default 0" => column.default = Some("0".to_owned()),
        "default \"\"" => column.default = Some("\"\"".to_owned()),
        "object" => column.cast.object_true = true,
        "money" => column.cast.parse = Some(Parse::Money),
        "percent" => column.cast.parse = Some(Parse::Percent),
        other => panic!("{other}"),
    }
    assert_ne!(*column, before, "{} is {refinement} without help", column.name);
}

/// The columns in the order of their names and without their places: neither means anything to a run.
fn columns(pipeline: &PipelineSpec, target: usize) -> Vec<ColumnSpec> {
    let mut columns = pipeline.targets[target].columns.clone();
    columns.sort_by(|a, b| a.name.cmp(&b.name));
    for column in &mut columns {
        column.position = Position::default();
    }
    columns
}

fn key_names(pipeline: &PipelineSpec, target: usize) -> Vec<&str> {
    let target = &pipeline.targets[target];
    target.key.iter().map(|&index| target.columns[index].name.as_str()).collect()
}

#[test]
fn the_shipped_pipelines_are_the_imported_mapping_and_the_refinements() {
    let import = import("V1_V2_FIELD_MAPPING.json", MAPPING).expect("a mapping");
    let mut left: BTreeSet<(&str, &str)> = REFINEMENTS
        .iter()
        .flat_map(|(refinement, places)| places.iter().map(move |&place| (place, *refinement)))
        .collect();
    assert_eq!(left.len(), 34 + 5 + 2 + 3 + 13 + 1, "no refinement stands twice");
    let shipped = shipped().expect("pipelines");
    assert_eq!(import.pipelines.len(), shipped.len());
    for wanted in &shipped {
        let file = import.pipelines.iter().find(|file| file.entity == wanted.entity).expect(&wanted.entity);
        assert_eq!(format!("{} (built in)", file.file), wanted.file);
        let found = parsed(&file.text);
        assert_eq!(found.source, wanted.source);
        assert_eq!(found.targets.len(), wanted.targets.len(), "{}", wanted.entity);
        for index in 0..wanted.targets.len() {
            let (mine, theirs) = (&found.targets[index], &wanted.targets[index]);
            assert_eq!((&mine.name, &mine.table), (&theirs.name, &theirs.table));
            assert_eq!(key_names(&found, index), key_names(wanted, index), "{}", mine.name);
            assert_eq!((&mine.filter, &theirs.filter), (&None, &None), "{}", mine.name);
            let mut refined = columns(&found, index);
            for column in &mut refined {
                let place = format!("{}.{}", mine.name, column.name);
                for (refinement, _) in
                    REFINEMENTS.iter().filter(|(_, places)| places.contains(&place.as_str()))
                {
                    refine(column, refinement);
                    left.retain(|&(known, name)| known != place || name != *refinement);
                }
            }
            assert_eq!(refined, columns(wanted, index), "{}", mine.name);
        }
    }
    assert!(left.is_empty(), "refinements of columns that are not there: {left:?}");
}

#[test]
fn of_the_catalogues_mapping_only_the_closure_is_left_out() {
    let import = import("V1_V2_FIELD_MAPPING.json", MAPPING).expect("a mapping");
    let at = "/network_domain/mappings/network_hierarchy (684)";
    assert_eq!(
        findings(&import),
        [
            format!("unmapped {at}/depth: no V1 field"),
            format!("unmapped {at}/path_json: no V1 field"),
            format!("unmapped {at}: no column is the V1 id, so there is no merge key"),
        ]
    );
    let shown: Vec<String> = import
        .pipelines
        .iter()
        .map(|file| format!("{} {} {} {}", file.file, file.entity, file.targets, file.columns))
        .collect();
    assert_eq!(
        shown,
        [
            "user.toml users 5 56",
            "agent.toml agents 5 71",
            "network.toml network 1 25",
            "transaction.toml transactions 1 34",
            "participant.toml participants 1 20",
        ]
    );
    let network = &import.pipelines[2].text;
    assert!(
        network.ends_with(
            r#"
# network_hierarchy (684): not loaded: no column is the V1 id, so there is no merge key
# derived: the transitive closure of the sponsor edges
# [target.network_hierarchy]
# table = "mvpw5_684"
# key = ""
# [target.network_hierarchy.columns]
# ancestor_agent_id = { from = "sponsoring_agent_id", type = "bigint" }
# descendant_agent_id = { from = "downline_agent_id", type = "bigint" }
# # depth: no V1 field; in the mapping: {"v1_field":null,"cast":"integer","notes":"hops along the sponsor chain"}
# # path_json: no V1 field; in the mapping: {"v1_field":null,"cast":"json","notes":"agent ids from ancestor to descendant"}
"#
        ),
        "{network}"
    );
    let agents = &import.pipelines[1].text;
    assert!(agents.contains(
        "# object or boolean in V1: an object means true\nis_director = { from = \"director\", type = \"boolean\" }\n"
    ));
}
