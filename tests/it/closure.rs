//! The derived target: the transitive closure of the sponsor edges, against a recursive query.

use crate::support::{Database, Pipelines, stderr};

/// What the closure must be, worked out by the server from the edges that stand in V2: edges on a cycle
/// and to themselves left out, the shortest path, among several the one of the smallest ids.
const EXPECTED: &str = "
    WITH RECURSIVE edge AS (
        SELECT DISTINCT sponsoring_agent_id AS a, downline_agent_id AS d FROM mvpw5_698
        WHERE sponsoring_agent_id <> downline_agent_id),
    reach AS (
        SELECT a, d FROM edge UNION SELECT r.a, e.d FROM reach r JOIN edge e ON e.a = r.d),
    good AS (
        SELECT a, d FROM edge WHERE NOT EXISTS (SELECT FROM reach r WHERE r.a = edge.d AND r.d = edge.a)),
    chain AS (
        SELECT a, d, ARRAY[a, d] AS path FROM good
        UNION ALL SELECT c.a, g.d, c.path || g.d FROM chain c JOIN good g ON g.a = c.d)
    SELECT DISTINCT ON (a, d) a, d, cardinality(path) - 1 AS depth, to_jsonb(path) AS path
    FROM chain ORDER BY a, d, cardinality(path), path";

const FOUND: &str = "SELECT ancestor_agent_id, descendant_agent_id, depth, path_json FROM mvpw5_684";

#[test]
fn the_closure_of_the_sponsor_edges_is_that_of_a_recursive_query() {
    let database = Database::workspace();
    let summary = database.json(&["run", "network"]);
    let derived = &summary["entities"][0]["targets"][1];
    assert_eq!(derived["name"], "network_hierarchy");
    let expected = database.value(&format!("SELECT count(*) FROM ({EXPECTED}) e"));
    assert!(expected.parse::<u64>().expect("a count") > 1_000, "{expected}");
    assert_eq!(derived["inserted"].to_string(), expected);
    for (this, that) in [(EXPECTED, FOUND), (FOUND, EXPECTED)] {
        assert_eq!(database.lines(&format!("({this}) EXCEPT ALL ({that}) LIMIT 3")), [] as [&str; 0]);
    }
    let again = database.json(&["run", "network", "--prune"]);
    assert_eq!(again["entities"][0]["targets"][1]["unchanged"].to_string(), expected);
}

const PIPELINE: &str = r#"
entity = "staff"
source = "source"

[target.person]
table = "person"
key = "id"
[target.person.columns]
id = "$id"

[derived.chain]
table = "chain"
key = ["above", "below"]
closure = { parent = "boss.id", child = "id" }
[derived.chain.columns]
above = { from = "ancestor", type = "bigint" }
below = { from = "descendant", type = "integer" }
depth = "smallint"
path = "jsonb"
"#;

const TABLES: &str = "CREATE TABLE person (id bigint PRIMARY KEY);
    CREATE TABLE chain (id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, above bigint, below integer,
                        depth smallint, path jsonb);";

fn chains(database: &Database) -> Vec<String> {
    database.lines("SELECT above, below, depth, path FROM chain ORDER BY above, below")
}

#[test]
fn another_tree_is_derived_too_and_its_cycles_are_rejects_with_their_ids() {
    let database = Database::with(
        &[
            (1, r#"{"id": 1}"#),
            (2, r#"{"id": 2, "boss": {"id": 1}}"#),
            (3, r#"{"id": "3", "boss": {"id": "2"}}"#),
            (4, r#"{"id": 4, "boss": {"id": 4}}"#),
            (5, r#"{"id": 5, "boss": {"id": 6}}"#),
            (6, r#"{"id": 6, "boss": {"id": 5}}"#),
            (7, r#"{"id": 7, "boss": {"id": 6}}"#),
            (8, r#"{"id": 2, "boss": {"id": 1}}"#),
            (9, r#"{"id": 9, "boss": {"id": 0}}"#),
            (10, r#"{"id": 9, "boss": {"id": "nobody"}}"#),
        ],
        TABLES,
    );
    let pipelines = Pipelines::new(&[("staff.toml", PIPELINE)]);
    let run = ["run", "--prune", "--pipelines", pipelines.path()];
    database.json(&run);
    assert_eq!(chains(&database), ["1|2|1|[1, 2]", "1|3|2|[1, 2, 3]", "2|3|1|[2, 3]", "6|7|1|[6, 7]"]);
    assert_eq!(
        database.lines(
            "SELECT source_id, target_table, key, raw, reason_code, reason FROM xdoflow.rejects ORDER BY 1"
        ),
        [
            "4|chain|boss.id, id|[4]|self_edge|an edge from a node to itself: 4",
            "5|chain|boss.id, id|[6, 5]|cycle|an edge on a cycle: 6, 5",
            "6|chain|boss.id, id|[5, 6]|cycle|an edge on a cycle: 5, 6",
        ]
    );
    // A changed edge changes its whole branch; what is equal keeps its row.
    let kept = database.value("SELECT id FROM chain WHERE above = 6");
    database.sql(r#"UPDATE source SET xdo = '{"id": 3, "boss": {"id": 1}}' WHERE id = 3"#);
    let summary = database.json(&run);
    assert_eq!(chains(&database), ["1|2|1|[1, 2]", "1|3|1|[1, 3]", "6|7|1|[6, 7]"]);
    assert_eq!(database.value("SELECT id FROM chain WHERE above = 6"), kept);
    let counts = &summary["entities"][0]["targets"][1];
    assert_eq!((counts["updated"].as_u64(), counts["deleted"].as_u64()), (Some(1), Some(1)));
}

#[test]
fn a_derived_target_whose_table_does_not_fit_stops_the_run_before_it_begins() {
    let database = Database::with(&[(1, "{}")], "CREATE TABLE person (id bigint PRIMARY KEY)");
    let pipelines = Pipelines::new(&[("staff.toml", PIPELINE)]);
    let run = ["run", "--pipelines", pipelines.path()];
    let output = database.xdoflow(&run);
    assert_eq!(output.status.code(), Some(1));
    assert!(stderr(&output).contains("chain: the target database has no such table"), "{}", stderr(&output));
    database.sql("CREATE TABLE chain (above bigint, below text, depth smallint, path jsonb)");
    let output = database.xdoflow(&run);
    assert_eq!(output.status.code(), Some(1));
    assert!(stderr(&output).contains("chain.below: "), "{}", stderr(&output));
}

#[test]
fn a_changed_run_derives_what_its_edges_change_and_leaves_the_rest_alone() {
    let mut documents: Vec<(i64, String)> =
        (1..=400).map(|id| (id, format!(r#"{{"id": {id}, "boss": {{"id": {}}}}}"#, id / 3))).collect();
    documents.push((1000, r#"{"id": 0}"#.to_owned()));
    let documents: Vec<(i64, &str)> =
        documents.iter().map(|(id, document)| (*id, document.as_str())).collect();
    let database = Database::with(&documents, TABLES);
    let pipelines = Pipelines::new(&[("staff.toml", PIPELINE)]);
    let run = |arguments: &[&str]| {
        database.json(&[&["run", "--pipelines", pipelines.path()], arguments].concat())["entities"][0].clone()
    };
    run(&[]);
    let verified = || database.xdoflow(&["verify", "--pipelines", pipelines.path()]).status.success();
    let counts = |entity: &serde_json::Value| {
        let target = &entity["targets"][1];
        ["loaded", "inserted", "updated", "deleted", "stale"].map(|name| target[name].as_u64().expect(name))
    };
    // A document without another edge: nothing is derived.
    database.sql(r#"UPDATE source SET xdo = xdo || '{"note": 1}' WHERE id = 4"#);
    let summary = run(&["--changed"]);
    assert_eq!((&summary["changed"]["fetched"], counts(&summary)), (&1.into(), [0; 5]));
    // 40 stood below 13, 4 and 1, and stands below 1: its links to 13 and 4 go, that to 1 is shorter, and so
    // are those of 120, 121, 122 and 360 to 368 below it.
    database.sql(r#"UPDATE source SET xdo = '{"id": 40, "boss": {"id": 1}}' WHERE id = 40"#);
    let summary = run(&["--changed", "--prune", "--max-deletes", "1000"]);
    assert_eq!(counts(&summary), [13, 0, 13, 26, 26]);
    assert!(verified());
    assert_eq!(chains(&database).iter().filter(|row| row.starts_with("1|40|")).count(), 1);
    // 1 below 364 closes a cycle, whose edges stand in rows that have not changed: 364, 121, 40.
    let open = "SELECT source_id FROM xdoflow.rejects WHERE resolved_at IS NULL ORDER BY 1";
    database.sql(r#"UPDATE source SET xdo = '{"id": 1, "boss": {"id": 364}}' WHERE id = 1"#);
    run(&["--changed", "--prune", "--max-deletes", "1000"]);
    assert_eq!(database.lines(open), ["1", "40", "121", "364"]);
    assert!(verified());
    assert_eq!(run(&["--changed", "--prune", "--max-deletes", "1000"])["changed"]["fetched"], 4);
    assert_eq!(database.lines(open), ["1", "40", "121", "364"]);
    database.sql("DELETE FROM source WHERE id = 121");
    run(&["--changed", "--prune", "--max-deletes", "1000"]);
    assert_eq!(database.lines(open), [] as [&str; 0]);
    assert!(verified());
    // Links that were left are found by a full run alone.
    database.sql("DELETE FROM source WHERE id = 5");
    assert!(counts(&run(&["--changed"]))[4] > 0);
    let summary = run(&["--changed", "--prune", "--max-deletes", "1000"]);
    assert_eq!(summary["changed"]["used"], false);
    assert!(summary["changed"]["reason"].as_str().expect("a reason").contains("prune"));
    assert!(verified());
}
