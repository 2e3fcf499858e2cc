//! Targets with `explode`: a row for each element of an array, which is loaded, merged, pruned, set aside and
//! verified as any row is.

use std::hash::{BuildHasher, RandomState};

use proptest::collection::vec;
use proptest::prelude::*;
use proptest::strategy::ValueTree;
use proptest::test_runner::{Config, RngSeed, TestRunner};
use serde_json::Value;

use crate::draw::{Family, value};
use crate::support::{Database, Pipelines, assert_adds_up_but, counts, literal, stderr, stdout};

const ORDERS: &str = r#"
entity = "orders"
source = "source"

[target.order]
table = "orders"
key = "id"
[target.order.columns]
id = "$id"
name = "text"

[target.line]
table = "line"
explode = "lines"
[target.line.columns]
order_id = "$id"
no = "$position"
sku = { type = "varchar(3)", on_reject = "row" }
qty = { type = "integer", default = 1 }
price = { from = "price.amount", type = "numeric", parse = "money" }
currency = { from = "$document.money.currency", type = "text", case = "upper" }
whole = { from = "$element", type = "jsonb" }

[target.tag]
table = "tag"
key = ["no", "order_id"]
explode = "meta.tags"
filter = { from = "$element", drop = ["TEST"] }
[target.tag.columns]
order_id = "$id"
no = "$position"
word = { from = ["word", "$element"], type = "text", trim = true }
"#;

const TABLES: &str = "
    CREATE TABLE orders (id bigint PRIMARY KEY, name text);
    CREATE TABLE line (order_id bigint, no integer, sku varchar(3), qty integer NOT NULL, price numeric,
                       currency text, whole jsonb, PRIMARY KEY (order_id, no));
    CREATE TABLE tag (order_id bigint, no smallint, word text NOT NULL);";

/// Reads keys of elements, and nowhere the element itself.
const PARTS: &str = r#"
entity = "parts"
source = "source"
[target.part]
table = "part"
explode = "parts"
filter = { from = "kind", drop = ["TEST"] }
[target.part.columns]
item_id = "$id"
position = "$position"
name = "text"
size = { type = "bigint", on_reject = "row" }
"#;

const PART: &str = "CREATE TABLE part (item_id bigint, position bigint, name text, size bigint,
                                       PRIMARY KEY (item_id, position));";

/// A database with documents of parts, numbered from 1, and their pipeline.
fn parts(documents: &[&str]) -> (Database, Pipelines) {
    let documents: Vec<(i64, &str)> = (1..).zip(documents.iter().copied()).collect();
    (Database::with(&documents, PART), Pipelines::new(&[("parts.toml", PARTS)]))
}

fn run(database: &Database, pipelines: &Pipelines, arguments: &[&str]) -> Value {
    database.json(&[&["run", "--pipelines", pipelines.path(), "--progress", "none"], arguments].concat())
}

fn part(database: &Database) -> Vec<String> {
    database.lines("SELECT item_id, position, name, size FROM part ORDER BY 1, 2")
}

fn put(database: &Database, id: u32, parts: &str) {
    database.sql(&format!(
        "INSERT INTO source VALUES ({id}, '{{\"parts\": {parts}}}')
         ON CONFLICT (id) DO UPDATE SET xdo = EXCLUDED.xdo"
    ));
}

fn assert_verified(database: &Database, pipelines: &Pipelines) {
    let output = database.xdoflow(&["verify", "--pipelines", pipelines.path(), "--progress", "none"]);
    assert_eq!(output.status.code(), Some(0), "{}{}", stdout(&output), stderr(&output));
}

/// Documents with an array in every shape that one has, and with what stands there instead.
fn shapes() -> Database {
    let database = Database::with(
        &[
            (
                1,
                r#"{"name": "a", "money": {"currency": "eur"}, "lines": [{"sku": "s1", "qty": 2, "price": {"amount": "$1,200.50"}},
                   {"qty": "3"}, null, {"sku": "long", "qty": 4}, {"sku": "ok", "qty": "many"}, 7, "x\"\n", [1, {"a": []}], {}],
                   "meta": {"tags": [" red ", {"word": "blue"}, "TEST", 5, {"other": 1}, null, true]}}"#,
            ),
            (2, "{}"),
            (3, r#"{"lines": null, "meta": null}"#),
            (4, r#"{"lines": [], "meta": {"tags": []}}"#),
            (5, r#"{"lines": "", "meta": {"tags": " \t"}}"#),
            (6, r#"{"lines": 0, "meta": {"tags": 0.00}}"#),
            (7, r#"{"lines": false, "meta": "none"}"#),
            (8, r#"{"lines": true, "meta": {"tags": {}}}"#),
            (9, r#"{"lines": "[{\"sku\": \"a\"}]", "meta": {"tags": "a,b"}}"#),
            (10, r#"{"lines": {"sku": "a"}, "meta": {"tags": 1}}"#),
            (11, "[1, 2]"),
            (12, r#"{"name": "c", "lines": [[[1]], [], [{}]], "meta": {"tags": ["a", "b"]}}"#),
        ],
        TABLES,
    );
    database.sql(
        "INSERT INTO source VALUES (13, NULL);
         INSERT INTO source SELECT 100 + n, jsonb_build_object('lines', (SELECT jsonb_agg(jsonb_build_object(
           'sku', chr(97 + e % 26), 'qty', e, 'price', jsonb_build_object('amount', e + 0.10))) FROM generate_series(1, n) e))
         FROM generate_series(1, 70) n",
    );
    database
}

#[test]
fn every_element_is_a_row_and_what_is_no_array_is_none_or_a_reject() {
    let mut seen = Vec::new();
    for read in ["text", "raw"] {
        let database = shapes();
        database.sql("CREATE CAST (jsonb AS bytea) WITHOUT FUNCTION");
        let pipelines = Pipelines::new(&[("orders.toml", ORDERS)]);
        let summary = run(&database, &pipelines, &["--read", read]);
        assert_adds_up_but(&summary, &["line", "tag"]);
        let all = ["rows", "loaded", "quarantined", "filtered", "inserted"];
        assert_eq!(counts(&summary, 0, all), [83, 81, 2, 0, 81]);
        // 9 + 3 + 70 * 71 / 2 elements; three documents hold something else, two are no objects.
        assert_eq!(counts(&summary, 1, all), [2502, 2496, 6, 0, 2496]);
        // 7 + 2 elements, and five documents; what is neither a word nor has one is a text all the same.
        assert_eq!(counts(&summary, 2, all), [14, 7, 6, 1, 7]);
        let way = |target: usize| summary["entities"][0]["targets"][target]["way"].clone();
        assert_eq!([way(1), way(2)], ["direct", "direct"], "the order of the columns of a key means nothing");
        assert_eq!(
            database.lines("SELECT order_id, no, sku, qty, price, currency, whole FROM line WHERE order_id < 100 ORDER BY 1, 2"),
            [
                r#"1|1|s1|2|1200.50|EUR|{"qty": 2, "sku": "s1", "price": {"amount": "$1,200.50"}}"#,
                r#"1|2|∅|3|∅|EUR|{"qty": "3"}"#,
                "1|3|∅|1|∅|EUR|∅",
                r#"1|5|ok|1|∅|EUR|{"qty": "many", "sku": "ok"}"#,
                "1|6|∅|1|∅|EUR|7",
                r#"1|7|∅|1|∅|EUR|"x\"\n""#,
                r#"1|8|∅|1|∅|EUR|[1, {"a": []}]"#,
                "1|9|∅|1|∅|EUR|{}",
                "12|1|∅|1|∅|∅|[[1]]",
                "12|2|∅|1|∅|∅|[]",
                "12|3|∅|1|∅|∅|[{}]",
            ]
        );
        assert_eq!(
            database.value(
                "SELECT count(*) FROM line l JOIN source s ON s.id = l.order_id
                   JOIN LATERAL jsonb_array_elements(s.xdo -> 'lines') WITH ORDINALITY e (value, no) ON e.no = l.no
                 WHERE s.id > 100 AND (l.sku, l.qty, l.price::text, l.whole)
                   = (e.value ->> 'sku', (e.value ->> 'qty')::int, e.value #>> '{price,amount}', e.value)"
            ),
            "2485"
        );
        assert_eq!(
            database.lines("SELECT order_id, no, word FROM tag ORDER BY 1, 2"),
            ["1|1|red", "1|2|blue", "1|4|5", r#"1|5|{"other": 1}"#, "1|7|true", "12|1|a", "12|2|b"]
        );
        let rejects = database.lines(
            "SELECT source_id, target_table, target_column, key, raw, reason_code, whole_row FROM xdoflow.rejects
             WHERE target_table <> 'orders' ORDER BY 2, 1, 4",
        );
        assert_eq!(
            rejects,
            [
                r#"1|line|sku|lines[4].sku|"long"|too_long|t"#,
                r#"1|line|qty|lines[5].qty|"many"|not_a_number|f"#,
                "8|line|∅|lines|true|not_an_array|t",
                r#"9|line|∅|lines|"[{\"sku\": \"a\"}]"|not_an_array|t"#,
                r#"10|line|∅|lines|{"sku": "a"}|not_an_array|t"#,
                "11|line|∅|∅|[1, 2]|not_an_object|t",
                "13|line|∅|∅|∅|not_an_object|t",
                "1|tag|word|meta.tags[6].word, meta.tags[6]|∅|null_not_allowed|t",
                "8|tag|∅|meta.tags|{}|not_an_array|t",
                r#"9|tag|∅|meta.tags|"a,b"|not_an_array|t"#,
                "10|tag|∅|meta.tags|1|not_an_array|t",
                "11|tag|∅|∅|[1, 2]|not_an_object|t",
                "13|tag|∅|∅|∅|not_an_object|t",
            ]
        );
        assert_eq!(
            database.lines(
                "SELECT target_table, count, sample_ids FROM xdoflow.run_columns WHERE rule = 'no_elements' ORDER BY 1"
            ),
            ["line|3|{5,6,7}", "tag|2|{5,6}"]
        );
        assert_verified(&database, &pipelines);
        let again = run(&database, &pipelines, &["--read", read]);
        assert_eq!(counts(&again, 1, ["unchanged", "inserted", "updated", "staged"]), [2496, 0, 0, 0]);
        assert_eq!(again["entities"][0]["targets"][1]["way"], "delta");
        seen.push((rejects, database.lines("SELECT * FROM line ORDER BY 1, 2")));
    }
    assert_eq!(seen[0], seen[1]);
}

#[test]
fn sql_gives_the_rows_that_a_run_gives() {
    let (by_run, by_sql) = (shapes(), shapes());
    let pipelines = Pipelines::new(&[("orders.toml", ORDERS)]);
    run(&by_run, &pipelines, &[]);
    let output = by_sql.xdoflow(&["sql", "--pipelines", pipelines.path()]);
    assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));
    assert_eq!(by_sql.lines(&stdout(&output)), ["orders|0|81", "line|0|2496", "tag|0|7"]);
    for table in ["orders", "line", "tag"] {
        let rows = format!("SELECT * FROM {table} ORDER BY 1, 2");
        assert_eq!(by_run.lines(&rows), by_sql.lines(&rows), "{table}");
    }
    assert_eq!(by_sql.lines(&stdout(&output)), ["orders|0|0", "line|0|0", "tag|0|0"]);

    // The plain pattern takes clean data alone.
    let clean = Database::with(&[(1, r#"{"parts": [{"name": "a", "size": 1}, {"name": "b"}]}"#)], PART);
    let pipelines = Pipelines::new(&[("parts.toml", PARTS)]);
    let output = clean.xdoflow(&["sql", "--style", "arrow", "--pipelines", pipelines.path()]);
    clean.sql(&stdout(&output));
    assert_eq!(part(&clean), ["1|1|a|1", "1|2|b|∅"]);
}

#[test]
fn elements_that_come_go_change_and_move_are_merged_in_every_way() {
    for (way, arguments) in [("delta", &[][..]), ("staged", &["--stage-all"])] {
        let (database, pipelines) = parts(&[
            r#"{"parts": [{"name": "a"}, {"name": "b"}, {"name": "c"}]}"#,
            r#"{"parts": [{"name": "x", "size": 1}, {"name": "y", "size": 2}]}"#,
            r#"{"parts": [{"name": "gone"}, {"name": "too"}]}"#,
        ]);
        let first = run(&database, &pipelines, &[]);
        assert_eq!(first["entities"][0]["targets"][0]["way"], "direct", "the target is empty");
        assert_eq!(counts(&first, 0, ["rows", "loaded", "inserted"]), [7, 7, 7]);
        put(&database, 1, r#"[{"name": "a"}, {"name": "c"}]"#);
        put(&database, 2, r#"[{"name": "y", "size": 2}, {"name": "x", "size": 1}, {"name": "new"}]"#);
        put(&database, 4, r#"[{"name": "d"}]"#);
        database.sql("DELETE FROM source WHERE id = 3");
        let names = ["rows", "inserted", "updated", "deleted", "unchanged", "stale"];
        let plan = [&["plan", "--pipelines", pipelines.path()], arguments].concat();
        let planned = database.json(&plan);
        let forecast = &planned["entities"][0]["forecast"]["targets"][0];
        assert_eq!(forecast["inserted"], serde_json::json!(["2, 3", "4, 1"]));
        assert_eq!(forecast["stale"], serde_json::json!(["1, 3", "3, 1", "3, 2"]));
        let kept = run(&database, &pipelines, arguments);
        assert_eq!(kept["entities"][0]["targets"], planned["entities"][0]["targets"]);
        assert_eq!(kept["entities"][0]["targets"][0]["way"], way);
        assert_eq!(counts(&kept, 0, names), [6, 2, 3, 0, 1, 3]);
        let expected = [
            "1|1|a|∅",
            "1|2|c|∅",
            "1|3|c|∅",
            "2|1|y|2",
            "2|2|x|1",
            "2|3|new|∅",
            "3|1|gone|∅",
            "3|2|too|∅",
            "4|1|d|∅",
        ];
        assert_eq!(part(&database), expected);
        let dry = run(&database, &pipelines, &[arguments, &["--prune", "--dry-run"]].concat());
        assert_eq!(counts(&dry, 0, names), [6, 0, 0, 3, 6, 3]);
        assert_eq!(part(&database), expected, "nothing is written");
        let pruned = run(&database, &pipelines, &[arguments, &["--prune"]].concat());
        assert_eq!(counts(&pruned, 0, names), [6, 0, 0, 3, 6, 3]);
        assert_eq!(part(&database), ["1|1|a|∅", "1|2|c|∅", "2|1|y|2", "2|2|x|1", "2|3|new|∅", "4|1|d|∅"]);
        assert_verified(&database, &pipelines);
    }
}

#[test]
fn duplicates_of_a_child_go_with_prune_and_the_one_in_front_stays() {
    for arguments in [&["--prune"][..], &["--prune", "--stage-all"]] {
        let (database, pipelines) = parts(&[r#"{"parts": [{"name": "a"}, {"name": "b"}]}"#]);
        database.sql(
            "ALTER TABLE part DROP CONSTRAINT part_pkey;
             INSERT INTO part VALUES (1, 2, 'b', NULL), (1, 1, 'a', NULL), (1, 2, 'b', NULL)",
        );
        let summary = run(&database, &pipelines, arguments);
        assert_eq!(counts(&summary, 0, ["unchanged", "deleted", "surplus", "stale"]), [2, 1, 1, 0]);
        assert_eq!(part(&database), ["1|1|a|∅", "1|2|b|∅"]);
    }
}

#[test]
fn the_modes_insert_and_replace_work_on_elements() {
    let (database, pipelines) = parts(&[r#"{"parts": [{"name": "a"}, {"name": "b", "size": "big"}]}"#]);
    database.sql(
        "INSERT INTO part VALUES (1, 1, 'old', 1), (1, 2, 'kept', 2), (1, 3, 'stale', 3), (9, 1, 'gone', 9)",
    );
    let inserted = run(&database, &pipelines, &["--mode", "insert"]);
    assert_eq!(counts(&inserted, 0, ["rows", "loaded", "quarantined", "inserted"]), [2, 1, 1, 0]);
    put(&database, 2, r#"[{"name": "n"}]"#);
    let replaced = run(&database, &pipelines, &["--mode", "replace"]);
    assert_eq!(counts(&replaced, 0, ["loaded", "quarantined", "inserted", "deleted"]), [2, 1, 2, 3]);
    assert_eq!(part(&database), ["1|1|a|∅", "1|2|kept|2", "2|1|n|∅"], "the row in quarantine is left alone");
}

#[test]
fn what_is_in_quarantine_keeps_its_old_rows_and_nothing_else_does() {
    for arguments in [&["--prune"][..], &["--prune", "--stage-all"], &["--prune", "--changed"]] {
        let three = r#"{"parts": [{"name": "a"}, {"name": "b"}, {"name": "c"}]}"#;
        let (database, pipelines) = parts(&[three, three, three, three]);
        run(&database, &pipelines, &["--prune"]);
        // The second of two, a document without an array, one that is no object, and an element that is none.
        put(&database, 1, r#"[{"name": "A"}, {"name": "B", "size": "big"}]"#);
        put(&database, 2, "\"none\"");
        database.sql("UPDATE source SET xdo = '[]' WHERE id = 3");
        put(&database, 4, r#"[5, {"name": "B"}]"#);
        let summary = run(&database, &pipelines, arguments);
        if arguments.contains(&"--changed") {
            assert_eq!(summary["entities"][0]["changed"]["used"], true, "{summary}");
        }
        assert_eq!(
            counts(&summary, 0, ["rows", "loaded", "quarantined", "updated", "deleted"]),
            [6, 2, 4, 2, 2],
            "{arguments:?}"
        );
        let expected = [
            "1|1|A|∅",
            "1|2|b|∅",
            "2|1|a|∅",
            "2|2|b|∅",
            "2|3|c|∅",
            "3|1|a|∅",
            "3|2|b|∅",
            "3|3|c|∅",
            "4|1|a|∅",
            "4|2|B|∅",
        ];
        assert_eq!(part(&database), expected, "{arguments:?}");
        assert_eq!(
            database.lines("SELECT source_id, key, reason_code FROM xdoflow.rejects ORDER BY 1"),
            [
                "1|parts[2].size|not_a_number",
                "2|parts|not_an_array",
                "3|∅|not_an_object",
                "4|parts[1]|not_an_object"
            ]
        );
        // What a run leaves alone is no difference.
        assert_verified(&database, &pipelines);
        // Mended, it is loaded, and the quarantine knows.
        put(&database, 1, r#"[{"name": "A"}, {"name": "B", "size": 2}]"#);
        put(&database, 2, "[]");
        run(&database, &pipelines, arguments);
        assert_eq!(
            database.lines("SELECT source_id FROM xdoflow.rejects WHERE resolved_at IS NULL ORDER BY 1"),
            if arguments.contains(&"--changed") { vec!["3", "4"] } else { vec!["3", "3", "4", "4"] }
        );
        assert_eq!(part(&database)[..3], ["1|1|A|∅", "1|2|B|2", "3|1|a|∅"]);
        assert_verified(&database, &pipelines);
    }
}

#[test]
fn a_mended_element_is_resolved_although_its_neighbour_is_not() {
    let (database, pipelines) = parts(&[r#"{"parts": [{"size": "x"}, {"size": "y"}]}"#]);
    run(&database, &pipelines, &[]);
    put(&database, 1, r#"[{"size": 1}, {"size": "y"}]"#);
    run(&database, &pipelines, &["--changed"]);
    assert_eq!(
        database.lines("SELECT key, resolved_at IS NULL FROM xdoflow.rejects ORDER BY 1"),
        ["parts[1].size|f", "parts[2].size|t"]
    );
}

#[test]
fn only_changed_documents_are_read_and_their_stale_elements_go() {
    let database = Database::with(
        &[],
        &format!(
            "{PART} ALTER TABLE source SET (autovacuum_enabled = off);
             INSERT INTO source SELECT id, jsonb_build_object('parts', (SELECT jsonb_agg(jsonb_build_object('name', e))
               FROM generate_series(1, id % 4) e)) FROM generate_series(1, 1000) id"
        ),
    );
    let pipelines = Pipelines::new(&[("parts.toml", PARTS)]);
    run(&database, &pipelines, &["--prune"]);
    assert_eq!(database.value("SELECT count(*) FROM part"), "1500");
    put(&database, 3, r#"[{"name": "1"}, {"name": "changed"}]"#);
    put(&database, 7, "[]");
    put(&database, 8, r#"[{"name": "first"}]"#);
    database.sql("DELETE FROM source WHERE id = 11");
    let kept = run(&database, &pipelines, &["--changed"]);
    let changed = &kept["entities"][0]["changed"];
    assert_eq!(
        (&changed["used"], &changed["fetched"], &changed["gone"]),
        (&true.into(), &3.into(), &1.into())
    );
    assert_eq!(
        counts(&kept, 0, ["rows", "inserted", "updated", "unchanged", "deleted", "stale"]),
        [3, 1, 1, 1, 0, 7]
    );
    // Without --prune they stay, and a run that prunes finds them again.
    let pruned = run(&database, &pipelines, &["--changed", "--prune"]);
    assert_eq!(pruned["entities"][0]["changed"]["used"], true);
    assert_eq!(counts(&pruned, 0, ["deleted", "stale"]), [7, 7]);
    assert_eq!(
        database
            .lines("SELECT item_id, position, name FROM part WHERE item_id IN (3, 7, 8, 11) ORDER BY 1, 2"),
        ["3|1|1", "3|2|changed", "8|1|first"]
    );
    assert_verified(&database, &pipelines);
    let nothing = run(&database, &pipelines, &["--changed", "--prune"]);
    assert_eq!(nothing["entities"][0]["changed"]["fetched"], 0);
}

#[test]
fn a_backfill_writes_the_elements_of_its_rows_and_deletes_none() {
    let (database, pipelines) =
        parts(&[r#"{"parts": [{"name": "a"}, {"name": "b"}]}"#, r#"{"parts": [{"name": "c"}]}"#]);
    run(&database, &pipelines, &[]);
    put(&database, 1, r#"[{"name": "A"}]"#);
    put(&database, 2, r#"[{"name": "C"}, {"name": "D"}]"#);
    let some = run(&database, &pipelines, &["--ids", "1"]);
    assert_eq!(counts(&some, 0, ["rows", "updated", "inserted", "deleted"]), [1, 1, 0, 0]);
    assert_eq!(part(&database), ["1|1|A|∅", "1|2|b|∅", "2|1|c|∅"]);
    let where_ = run(&database, &pipelines, &["--where", "id = 2"]);
    assert_eq!(counts(&where_, 0, ["rows", "updated", "inserted"]), [2, 1, 1]);
    let folder = Pipelines::new(&[(
        "dump.jsonl",
        "{\"id\": 5, \"xdo\": {\"parts\": [{\"name\": \"file\"},{\"size\":\"7\"}]}}\n",
    )]);
    let dump = format!("{}/dump.jsonl", folder.path());
    run(&database, &pipelines, &["--from", &dump]);
    assert_eq!(part(&database)[2..], ["2|1|C|∅", "2|2|D|∅", "5|1|file|∅", "5|2|∅|7"]);
}

#[test]
fn guards_count_elements() {
    let many = format!("[{}]", vec!["{\"name\": \"n\"}"; 300].join(", "));
    let (database, pipelines) = parts(&["{}"]);
    put(&database, 1, &many);
    run(&database, &pipelines, &["--prune"]);
    put(&database, 1, r#"[{"name": "n"}]"#);
    let refused = |arguments: &[&str]| {
        let all = [&["run", "--pipelines", pipelines.path(), "--progress", "none"], arguments].concat();
        let output = database.xdoflow(&all);
        assert_eq!(output.status.code(), Some(1), "{}", stdout(&output));
        stderr(&output)
    };
    assert!(refused(&["--prune"]).contains("299 of 300 rows of part would be deleted"));
    put(&database, 1, "[]");
    let text = refused(&["--prune", "--max-deletes", "300"]);
    assert!(text.contains("no document of V1 has an element in parts"), "{text}");
    assert_eq!(part(&database).len(), 300);
}

#[test]
fn verify_names_broken_missing_and_stale_children() {
    let (database, pipelines) = parts(&[
        r#"{"parts": [{"name": "a", "size": 1}, {"name": "b"}, {"name": "t", "kind": "TEST"}]}"#,
        r#"{"parts": [{"name": "c"}]}"#,
    ]);
    let summary = run(&database, &pipelines, &[]);
    assert_eq!(counts(&summary, 0, ["rows", "loaded", "filtered"]), [4, 3, 1]);
    assert_verified(&database, &pipelines);
    database.sql(
        "UPDATE part SET size = 2 WHERE (item_id, position) = (1, 1); DELETE FROM part WHERE item_id = 2;
         INSERT INTO part VALUES (1, 3, 't', NULL), (1, 4, 'x', NULL), (7, 1, 'y', NULL)",
    );
    let output =
        database.xdoflow(&["verify", "--json", "--pipelines", pipelines.path(), "--progress", "none"]);
    assert_eq!(output.status.code(), Some(1));
    let report: Value = serde_json::from_slice(&output.stdout).expect("JSON");
    let table = &report["entities"][0];
    assert_eq!((&table["rows_checked"], &table["difference_count"]), (&3.into(), &5.into()));
    let found: Vec<String> = table["differences"]
        .as_array()
        .expect("a list")
        .iter()
        .map(|one| {
            format!("{} {} {}", one["key"].as_str().unwrap(), one["kind"].as_str().unwrap(), one["column"])
        })
        .collect();
    assert_eq!(
        found,
        ["1, 1 cell \"size\"", "1, 3 stale null", "1, 4 stale null", "2, 1 missing null", "7, 1 stale null"]
    );
}

#[test]
fn another_key_works_where_nothing_is_in_quarantine_and_says_what_it_cannot_do() {
    let text = PARTS.replace("explode = \"parts\"", "explode = \"parts\"\nkey = \"name\"");
    let pipelines = Pipelines::new(&[("parts.toml", &text)]);
    let (database, _) =
        parts(&[r#"{"parts": [{"name": "a"}, {"name": "b"}]}"#, r#"{"parts": [{"name": "c"}]}"#]);
    run(&database, &pipelines, &["--prune"]);
    put(&database, 1, r#"[{"name": "b"}]"#);
    let pruned = run(&database, &pipelines, &["--prune", "--changed"]);
    assert_eq!(pruned["entities"][0]["changed"]["used"], false);
    assert!(
        pruned["entities"][0]["changed"]["reason"]
            .as_str()
            .unwrap()
            .contains("not the row's id and the position")
    );
    assert_eq!(part(&database), ["1|1|b|∅", "2|1|c|∅"]);
    assert_verified(&database, &pipelines);
    put(&database, 3, r#"[{"name": "b"}]"#);
    let output = database.xdoflow(&["run", "--pipelines", pipelines.path(), "--progress", "none"]);
    assert!(stderr(&output).contains("name: b (ids 1, 3)"), "{}", stderr(&output));
}

#[test]
fn check_status_lineage_and_doctor_know_child_tables() {
    let (database, pipelines) = parts(&[r#"{"parts": [{"name": "a"}, null]}"#, r#"{"parts": ""}"#]);
    run(&database, &pipelines, &[]);
    let status = database.json(&["status", "--pipelines", pipelines.path()]);
    assert_eq!(
        (&status["entity_counts"][0]["v1"], &status["entity_counts"][0]["v2"]),
        (&2.into(), &2.into()),
        "{status}"
    );
    let check = database.json(&["check", "--pipelines", pipelines.path()]);
    assert_eq!(check["findings"], serde_json::json!([]));
    let lineage = stdout(&database.xdoflow(&["lineage", "--pipelines", pipelines.path()]));
    for text in [
        "a row for each element of parts; no rows of which parts\\[\\].kind is \"TEST\"",
        "the position in `parts`",
        "`parts[].name`",
    ] {
        assert!(lineage.contains(text), "{text}\n{lineage}");
    }
    let doctor = database.xdoflow(&["doctor", "--pipelines", pipelines.path()]);
    assert!(stdout(&doctor).contains("the merge key is unique"), "{}", stdout(&doctor));
    database.sql("ALTER TABLE part DROP COLUMN size, DROP CONSTRAINT part_pkey, ALTER position TYPE text");
    let check = database.xdoflow(&["check", "--pipelines", pipelines.path()]);
    assert_eq!(check.status.code(), Some(1));
    let text = stdout(&check);
    for message in [
        "part.size: the table has no such column",
        "does not fit a column of type text",
        "the merge key has no index",
    ] {
        assert!(text.contains(message), "{message}\n{text}");
    }
    let bench = database.xdoflow(&[
        "bench",
        "--pipelines",
        pipelines.path(),
        "--scenarios",
        "reload",
        "--source",
        &database.url,
    ]);
    assert!(stderr(&bench).contains("part has a row for each element of an array"), "{}", stderr(&bench));
}

#[test]
fn tests_in_a_file_name_all_rows_of_an_array() {
    let tests = r#"
[[test]]
name = "two lines and a tag"
document = '{"money": {"currency": "usd"}, "lines": [{"sku": "a", "qty": "2"}, null], "meta": {"tags": ["x", "TEST"]}}'
rows.line = [{ no = 1, sku = "a", qty = 2, currency = "USD" }, { sku.null = true, qty = 1, whole.null = true }]
rows.tag = [{ word = "x" }]
filtered = "tag"

[[test]]
name = "no line at all"
document = '{"lines": 0}'
rows.line = []

[[test]]
name = "a bad line is set aside, the others are not"
document = '{"lines": [{"sku": "four"}, {"sku": "b"}]}'
rows.line = [{ no = 2 }]
quarantined = "line"
rejects = [{ target = "line", column = "sku", reason = "too_long" }]
"#;
    let database = Database::empty();
    let test = |text: &str| {
        let pipelines = Pipelines::new(&[("orders.toml", &format!("{ORDERS}{text}"))]);
        let output = database.xdoflow(&["test", "--json", "--pipelines", pipelines.path()]);
        serde_json::from_slice::<Value>(&output.stdout).unwrap_or_else(|_| panic!("{}", stderr(&output)))
    };
    let report = test(tests);
    assert_eq!((&report["passed"], &report["failed"]), (&3.into(), &0.into()), "{report}");
    let wrong = tests
        .replace("rows.tag = [{ word = \"x\" }]", "rows.tag = []")
        .replace("qty = 2,", "qty = 3,")
        .replace("quarantined = \"line\"\n", "");
    let report = test(&wrong);
    assert_eq!((&report["passed"], &report["failed"]), (&1.into(), &2.into()), "{report}");
    let differences = report["pipelines"][0]["tests"][0]["differences"].to_string();
    assert_eq!(
        differences,
        r#"[{"column":"qty","expected":"3","found":"2","kind":"cell","target":"line[1]"},{"column":null,"expected":"0 rows, filtered","found":"1 row, filtered","kind":"row","target":"tag"}]"#
    );
}

#[test]
fn a_test_is_recorded_from_a_row_with_its_elements_masked() {
    let database = Database::with(
        &[(1, r#"{"name": "Ann", "lines": [{"sku": "Eva", "qty": 12}], "meta": {"tags": []}}"#)],
        TABLES,
    );
    let pipelines = Pipelines::new(&[("orders.toml", ORDERS)]);
    let output = database.xdoflow(&["test", "--record", "1", "--pipelines", pipelines.path()]);
    let text = stdout(&output);
    assert!(
        text.contains("[[test.rows.line]]") && text.contains("rows.tag = []"),
        "{text}{}",
        stderr(&output)
    );
    assert!(!text.contains("Eva") && !text.contains("Ann"), "{text}");
    let pipelines = Pipelines::new(&[("orders.toml", &format!("{ORDERS}\n{text}"))]);
    let report = database.json(&["test", "--pipelines", pipelines.path()]);
    assert_eq!(report["passed"], 1, "{report}");
}

#[test]
fn an_abort_in_an_element_stops_the_run_and_names_its_row() {
    let text = PARTS.replace("on_reject = \"row\"", "on_reject = \"abort\"");
    let pipelines = Pipelines::new(&[("parts.toml", &text)]);
    let (database, _) = parts(&[r#"{"parts": [{"size": 1}, {"size": "big"}]}"#]);
    let output = database.xdoflow(&["run", "--pipelines", pipelines.path(), "--progress", "none"]);
    assert!(
        stderr(&output).contains("the row with id 1 has a value that part.size cannot take"),
        "{}",
        stderr(&output)
    );
    assert_eq!(part(&database), Vec::<String>::new());
}

/// Documents of the property test.
const DRAWN: usize = 400;

/// The columns of the property test: a key of the element, its type, and what is drawn for it.
const COLUMNS: [(&str, &str, Family); 6] = [
    ("t", "text", Family::Text),
    ("n", "numeric", Family::Decimal),
    ("i", "bigint", Family::Integer),
    ("b", "boolean", Family::Boolean),
    ("d", "timestamptz", Family::Moment),
    ("j", "jsonb", Family::Json),
];

/// A document as JSON text: an array of objects, of anything, or something that is none.
fn document() -> BoxedStrategy<String> {
    let object = COLUMNS.map(|(key, _, family)| {
        value(family).prop_map(move |drawn| drawn.map(|text| format!("\"{key}\": {text}")))
    });
    let object =
        object.prop_map(|keys| format!("{{{}}}", keys.into_iter().flatten().collect::<Vec<_>>().join(", ")));
    let anything = || value(Family::Json).prop_map(|drawn| drawn.unwrap_or_else(|| "null".to_owned()));
    let element = prop_oneof![8 => object, 1 => anything()];
    let array = vec(element, 0..40).prop_map(|elements| format!("[{}]", elements.join(", ")));
    let held = prop_oneof![8 => array, 1 => anything()];
    let nested = held.prop_map(|array| format!("{{\"a\": {{\"odd.key\": {array}}}, \"t\": \"parent\"}}"));
    prop_oneof![20 => nested, 1 => anything()].boxed()
}

#[test]
fn drawn_arrays_give_the_same_rows_by_both_readers_and_by_sql() {
    let seed = RandomState::new().hash_one(());
    let mut runner = TestRunner::new(Config { rng_seed: RngSeed::Fixed(seed), ..Config::default() });
    let strategy = document();
    let documents: Vec<String> =
        (0..DRAWN).map(|_| strategy.new_tree(&mut runner).expect("a document").current()).collect();
    let types: Vec<String> = COLUMNS.iter().map(|(key, kind, _)| format!("{key} {kind}")).collect();
    let lines: Vec<String> = COLUMNS.iter().map(|(key, kind, _)| format!("{key} = \"{kind}\"\n")).collect();
    let pipelines = Pipelines::new(&[(
        "drawn.toml",
        &format!(
            "entity = \"drawn\"\nsource = \"source\"\n[target.part]\ntable = \"part\"\nexplode = 'a.\"odd.key\"'\n\
             [target.part.columns]\nid = \"$id\"\nposition = \"$position\"\n\
             parent = {{ from = \"$document.t\", type = \"text\" }}\n{}",
            lines.concat()
        ),
    )]);
    let mut seen = Vec::new();
    for read in ["text", "raw"] {
        let database = Database::with(
            &[],
            &format!(
                "CREATE TABLE part (id bigint, position bigint, parent text, {}, PRIMARY KEY (id, position));
                      CREATE CAST (jsonb AS bytea) WITHOUT FUNCTION;",
                types.join(", ")
            ),
        );
        let rows: Vec<String> =
            (1..).zip(&documents).map(|(id, document)| format!("({id}, {})", literal(document))).collect();
        database.sql(&format!("INSERT INTO source VALUES {}", rows.join(", ")));
        let summary = run(&database, &pipelines, &["--read", read]);
        assert_adds_up_but(&summary, &["part"]);
        let array = "xdo #> '{a,odd.key}'";
        let elements: u64 = database
            .value(&format!(
                "SELECT sum(jsonb_array_length({array})) FROM source WHERE jsonb_typeof({array}) = 'array'"
            ))
            .parse()
            .expect("a number");
        let documents: u64 = database
            .value("SELECT count(*) FROM xdoflow.rejects WHERE key IS NULL OR reason_code = 'not_an_array'")
            .parse()
            .expect("a number");
        assert_eq!(counts(&summary, 0, ["rows"]), [elements + documents], "seed {seed}");
        let verify = database.xdoflow(&["verify", "--pipelines", pipelines.path(), "--progress", "none"]);
        assert_eq!(verify.status.code(), Some(0), "seed {seed}: {}", stdout(&verify));
        let rejects =
            "SELECT source_id, target_column, key, raw, reason_code FROM xdoflow.rejects ORDER BY 1, 3, 2";
        seen.push((database.lines("SELECT * FROM part ORDER BY 1, 2"), database.lines(rejects)));
    }
    assert!(seen[0] == seen[1], "seed {seed}: the readers differ");
}
