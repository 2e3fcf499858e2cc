//! `inspect`: every figure of a profile is one that the server gives too, on the generated workspace and on
//! tables as strange as they come.

use serde_json::Value;

use crate::support::{Database, Temp, program, stderr, stdout, wait_until};

/// The profile of a table, all of its rows read.
fn profile(database: &Database, table: &str) -> Value {
    database.json(&["inspect", table, "--sample", "100", "--progress", "none"])
}

fn key<'p>(profile: &'p Value, path: &str) -> &'p Value {
    let keys = profile["keys"].as_array().expect("keys");
    keys.iter().find(|key| key["path"] == path).unwrap_or_else(|| panic!("no {path}"))
}

fn count(value: &Value) -> u64 {
    value.as_u64().unwrap_or_else(|| panic!("no count: {value}"))
}

#[test]
fn presence_and_kinds_of_every_key_are_those_that_the_server_counts() {
    let database = Database::workspace();
    for table in ["mvpw1_41", "mvpw1_36", "mvpw1_34", "mvpw1_39", "mvpw1_48"] {
        let profile = profile(&database, table);
        assert_eq!(
            count(&profile["rows"]).to_string(),
            database.value(&format!("SELECT count(*) FROM {table}"))
        );
        assert_eq!(profile["complete"], true);
        let mut found: Vec<String> = Vec::new();
        for key in profile["keys"].as_array().expect("keys").iter() {
            let path = key["path"].as_str().expect("a path");
            // The document's own: those below one another are the next test's.
            if path.contains(['.', '[']) {
                continue;
            }
            for kind in ["null", "boolean", "number", "string", "array", "object"] {
                let values = count(&key["kinds"][kind]);
                if values > 0 {
                    found.push(format!("{path}|{kind}|{values}"));
                }
            }
        }
        found.sort();
        let mut expected = database.lines(&format!(
            "SELECT e.key, jsonb_typeof(e.value), count(*) FROM {table}, jsonb_each(xdo) e GROUP BY 1, 2"
        ));
        expected.sort();
        assert_eq!(found, expected, "{table}");
    }
}

#[test]
fn strings_ranges_and_distinct_values_are_those_that_the_server_counts() {
    let database = Database::workspace();
    let table = "mvpw1_36";
    let profile = profile(&database, table);
    let keys = profile["keys"].as_array().expect("keys");
    let tops = keys.iter().filter(|key| !key["path"].as_str().unwrap().contains(['.', '[']));
    let mut checked = 0;
    for key in tops {
        let path = key["path"].as_str().unwrap();
        // A scalar and its text, of all values that are neither null nor nested.
        let row = &database.sql(&format!(
            "WITH v AS (SELECT xdo -> '{path}' AS j, xdo ->> '{path}' AS t FROM {table} WHERE xdo ? '{path}'),
                  s AS (SELECT t FROM v WHERE jsonb_typeof(j) = 'string')
             SELECT (SELECT count(DISTINCT j) FROM v WHERE jsonb_typeof(j) IN ('string', 'number', 'boolean')),
                    (SELECT count(*) FROM s WHERE t = ''),
                    (SELECT count(*) FROM s WHERE t ~ '^\\s+$'),
                    (SELECT count(*) FROM s WHERE t ~ '^\\s*[-+]?(\\d+\\.?\\d*|\\.\\d+)([eE][-+]?\\d+)?\\s*$'),
                    (SELECT min(length(t)) FROM s), (SELECT max(length(t)) FROM s)"
        ))[0];
        let strings = &key["strings"];
        let lengths =
            |at: usize| key["lengths"][at].as_u64().map_or("∅".to_owned(), |length| length.to_string());
        let found = [
            count(&strings["empty"]).to_string(),
            count(&strings["blank"]).to_string(),
            count(&strings["number"]).to_string(),
            lengths(0),
            lengths(1),
        ];
        assert_eq!(found, row[1..], "{path}");
        let (distinct, real) = (count(&key["distinct"]), row[0].parse::<u64>().unwrap());
        if key["distinct_exact"] == true {
            // The server holds 1 and 1.0 for one value; a profile keeps what is written apart.
            assert!(distinct >= real && distinct <= 1024, "{path}: {distinct}, not {real}");
        } else {
            assert!(distinct.abs_diff(real) * 20 <= real, "{path}: {distinct}, not {real}");
        }
        checked += 1;
    }
    assert_eq!(checked, 132);
}

const STRANGE: &str = r#"
    CREATE TABLE strange (id bigint PRIMARY KEY, xdo jsonb);
    INSERT INTO strange VALUES
      (1, '{"a.b": {"c": 1}, "🦀": "x", "": true, "items": [{"price": 1.50, "tags": ["a", "b"]}, {"price": "2"}], "$d": 1}'),
      (2, '{"a.b": {"c": "7"}, "say \"hi\"": null, "items": [], "big": 1e400, "exact": 12345678901234567890.10}'),
      (3, '[1, {"x": 2}]'), (4, 'null'), (5, NULL), (6, '"text"'), (7, '{}'),
      (8, '{"when": "2025-01-15", "at": 1736899200000, "ok": "true", "amount": "$1,200.50", "share": "5%",
            "day": "01/31/2025", "key": "a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11", "inner": "{\"a\": 1}", "pad": " x "}')"#;

#[test]
fn strange_keys_and_documents_are_told_by_their_paths() {
    let database = Database::empty();
    database.sql(STRANGE);
    let profile = profile(&database, "strange");
    let documents = &profile["documents"];
    let kinds = ["objects", "arrays", "scalars", "json_nulls", "absent"].map(|kind| count(&documents[kind]));
    assert_eq!(kinds, [4, 1, 1, 1, 1]);
    let paths: Vec<&str> =
        profile["keys"].as_array().unwrap().iter().map(|key| key["path"].as_str().unwrap()).collect();
    for path in [
        "\"a.b\"",
        "\"a.b\".c",
        "🦀",
        "\"\"",
        "\"$d\"",
        "\"say \"\"hi\"\"\"",
        "items",
        "items[]",
        "items[].price",
        "items[].tags",
        "items[].tags[]",
        "[]",
        "[].x",
    ] {
        assert!(paths.contains(&path), "{path} of {paths:?}");
    }
    let price = key(&profile, "items[].price");
    assert_eq!((&price["present"], &price["of"]), (&Value::from(2), &Value::from(2)));
    assert_eq!(price["range"], serde_json::json!(["1.50", "2"]));
    assert_eq!(key(&profile, "items")["elements"], serde_json::json!([0, 2]));
    assert_eq!(key(&profile, "exact")["range"][0], "12345678901234567890.10", "every digit");
    assert_eq!(key(&profile, "big")["kinds"]["number"], 1);
    for (path, class) in [
        ("when", "date"),
        ("ok", "boolean"),
        ("amount", "money"),
        ("share", "percent"),
        ("day", "other_date"),
        ("key", "uuid"),
        ("inner", "json"),
        ("pad", "untrimmed"),
    ] {
        assert_eq!(key(&profile, path)["strings"][class], 1, "{path}");
    }
    assert_eq!(key(&profile, "at")["epoch_ms"], 1);
    // For people the same rows are told as what they are.
    let output = database.xdoflow(&["inspect", "strange", "--progress", "none"]);
    assert_eq!((output.status.code(), stderr(&output).as_str()), (Some(0), ""));
    let text = stdout(&output);
    for line in ["1 row with no document", "1 row with an array as document", "1 row with the document null"]
    {
        assert!(text.contains(line), "{line}\n{text}");
    }
}

#[test]
fn an_empty_table_and_one_without_documents_have_no_key() {
    let database = Database::empty();
    database.sql(
        "CREATE TABLE none (id bigint PRIMARY KEY, xdo jsonb);
                  CREATE TABLE nulls (id bigint PRIMARY KEY, xdo jsonb);
                  INSERT INTO nulls SELECT n, NULL FROM generate_series(1, 1000) n",
    );
    for (table, rows) in [("none", 0), ("nulls", 1000)] {
        let profile = profile(&database, table);
        assert_eq!((count(&profile["rows"]), profile["keys"].as_array().unwrap().len()), (rows, 0));
        assert_eq!(count(&profile["documents"]["absent"]), rows);
        let text = stdout(&database.xdoflow(&["inspect", table, "--progress", "none"]));
        assert!(text.contains("the documents have no key"), "{text}");
    }
}

#[test]
fn nesting_and_keys_without_end_take_no_more_than_their_room() {
    let database = Database::empty();
    database.sql(
        "CREATE TABLE wide (id bigint PRIMARY KEY, xdo jsonb);
         INSERT INTO wide SELECT n, jsonb_build_object('k' || n, n, 'same', n) FROM generate_series(1, 5000) n;
         CREATE TABLE deep (id bigint PRIMARY KEY, xdo jsonb);
         INSERT INTO deep SELECT 1, (repeat('{\"a\": [', 1000) || '1' || repeat(']}', 1000))::jsonb",
    );
    let wide = profile(&database, "wide");
    assert_eq!(wide["keys"].as_array().unwrap().len(), 2000);
    // Each value is either below a key that is told, or crowded.
    let told: u64 = wide["keys"].as_array().unwrap().iter().map(|key| count(&key["present"])).sum();
    assert_eq!(told + count(&wide["crowded_values"]), 10_000);
    let deep = profile(&database, "deep");
    assert_eq!(deep["keys"].as_array().unwrap().len(), 12);
}

#[test]
fn integers_that_are_ids_of_another_table_are_references() {
    let database = Database::empty();
    // Ids with gaps: no number is one by chance.
    database.sql(
        "CREATE TABLE owner (id bigint PRIMARY KEY, xdo jsonb);
         INSERT INTO owner SELECT n * 1000, '{}' FROM generate_series(1, 200) n;
         CREATE TABLE thing (id bigint PRIMARY KEY, xdo jsonb);
         INSERT INTO thing SELECT n, jsonb_build_object('id', n, 'belongs_to', (n % 200 + 1) * 1000,
             'owner_id', ((n % 50 + 1) * 1000)::text, 'count', n % 7, 'miss_id', n * 1000 + 1)
         FROM generate_series(1, 500) n;
         ANALYZE",
    );
    let profile = profile(&database, "thing");
    for (path, table) in [("belongs_to", "public.owner"), ("owner_id", "public.owner")] {
        let found = &key(&profile, path)["references"][0];
        assert_eq!((&found["table"], &found["found"]), (&Value::from(table), &found["asked"]), "{path}");
    }
    for path in ["count", "id"] {
        assert_eq!(key(&profile, path)["references"], serde_json::json!([]), "{path}");
    }
    assert_eq!(key(&profile, "miss_id")["references"], serde_json::json!([]));
    assert_eq!(key(&profile, "id")["same_as_id"], 500);
    assert_eq!(profile["reference_tables"], 2);
}

#[test]
fn a_sample_is_runs_of_blocks_and_the_same_each_time_over_any_number_of_connections() {
    let database = Database::workspace();
    let sample = |jobs: &str| {
        database.json(&["inspect", "mvpw1_39", "--rows", "2000", "--jobs", jobs, "--progress", "none"])
    };
    let first = sample("1");
    let rows = count(&first["rows"]);
    assert!((1_500..=3_000).contains(&rows), "{rows} rows, and 2,000 were wanted");
    assert_eq!(first["complete"], false);
    let all: u64 = database.value("SELECT count(*) FROM mvpw1_39").parse().unwrap();
    assert!(
        count(&first["table_rows"]).abs_diff(all) * 10 < all,
        "{} is not about {all}",
        first["table_rows"]
    );
    assert_eq!(sample("4"), first);
    assert_eq!(sample("1"), first);
    // Spread over the table: the ids that were written first are not the only ones.
    let ids = database.value("SELECT max(id) FROM mvpw1_39");
    let highest =
        key(&database.json(&["inspect", "mvpw1_39", "--rows", "2000", "--id", "id"]), "id")["range"][1]
            .clone();
    let highest: i64 = highest.as_str().expect("the copy of the id").parse().unwrap();
    assert!(highest > ids.parse::<i64>().unwrap() / 2, "{highest} of {ids}");
}

#[test]
fn views_partitioned_tables_and_tables_without_an_id_are_profiled_too() {
    let database = Database::empty();
    database.sql(
        "CREATE TABLE parted (id bigint, xdo jsonb) PARTITION BY RANGE (id);
         CREATE TABLE parted_1 PARTITION OF parted FOR VALUES FROM (0) TO (500);
         CREATE TABLE parted_2 PARTITION OF parted FOR VALUES FROM (500) TO (2000);
         INSERT INTO parted SELECT n, jsonb_build_object('n', n) FROM generate_series(1, 1000) n;
         CREATE VIEW seen AS SELECT id, xdo FROM parted;
         CREATE TABLE \"No.Id\" (name text, \"Doc\" jsonb);
         INSERT INTO \"No.Id\" VALUES ('a', '{\"x\": 1}'), ('b', '{\"x\": 2}')",
    );
    for table in ["parted", "seen"] {
        let profile = database.json(&["inspect", table, "--progress", "none"]);
        assert_eq!((count(&profile["rows"]), &profile["complete"]), (1000, &Value::from(true)), "{table}");
    }
    let profile = database.json(&["inspect", "seen", "--rows", "10", "--progress", "none"]);
    assert_eq!((count(&profile["rows"]), &profile["complete"]), (10, &Value::from(false)));
    let profile = database.json(&["inspect", "\"No.Id\"", "--progress", "none"]);
    assert_eq!((&profile["id_column"], &profile["document_column"]), (&Value::Null, &Value::from("Doc")));
    assert_eq!(key(&profile, "x")["examples"][0]["id"], Value::Null);
    let output = database.xdoflow(&["inspect", "seen", "--sample", "5", "--progress", "none"]);
    assert_eq!(output.status.code(), Some(2));
    assert!(stderr(&output).contains("hint: --rows N"), "{}", stderr(&output));
}

#[test]
fn what_is_no_table_of_documents_is_told_with_what_to_do() {
    let database = Database::empty();
    database.sql(
        "CREATE TABLE plain (id bigint PRIMARY KEY, name text);
         CREATE TABLE two (id bigint PRIMARY KEY, a jsonb, b jsonb);
         INSERT INTO two VALUES (1, '{\"x\": 1}', '{\"y\": 1}')",
    );
    for (arguments, code, message) in [
        (["inspect", "nowhere", "--progress", "none"].as_slice(), 1, "the source has no table nowhere"),
        (&["inspect", "plain"], 1, "public.plain has no jsonb column"),
        (&["inspect", "two"], 2, "say which one holds the documents with --document"),
        (&["inspect", "two", "--document", "c"], 2, "public.two has no column c"),
        (&["inspect", "two", "--document", "a", "--id", "b"], 2, "public.two.b has the type jsonb"),
        (&["inspect", "a.b.c"], 2, "is not a table name"),
        (&["inspect", "two", "--rows", "0"], 2, "0"),
        (&["inspect", "two", "--sample", "0"], 2, "a sample of nothing says nothing"),
    ] {
        let output = database.xdoflow(arguments);
        assert_eq!((output.status.code(), stdout(&output).as_str()), (Some(code), ""), "{arguments:?}");
        assert!(stderr(&output).contains(message), "{arguments:?}: {}", stderr(&output));
    }
    let profile = database.json(&["inspect", "two", "--document", "b", "--progress", "none"]);
    assert_eq!(key(&profile, "y")["present"], 1);
}

#[test]
fn no_examples_shows_no_value_and_a_page_holds_what_the_json_says() {
    let database = Database::empty();
    database.sql(
        "CREATE TABLE person (id bigint PRIMARY KEY, xdo jsonb);
         INSERT INTO person SELECT n, jsonb_build_object('name', 'Secret' || n % 3, 'pin', 987654321 + n)
         FROM generate_series(1, 100) n",
    );
    let folder = Temp::new("inspect");
    let page = folder.path().join("page.html");
    let page = page.to_str().unwrap();
    for arguments in [["--json"].as_slice(), &[], &["--html", page], &["--sort", "worst"]] {
        let mut all = vec!["inspect", "person", "--no-examples", "--progress", "none"];
        all.extend_from_slice(arguments);
        let output = database.xdoflow(&all);
        assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));
        let text = stdout(&output);
        assert!(text.contains("name") && !text.contains("Secret") && !text.contains("98765"), "{text}");
    }
    let text = std::fs::read_to_string(page).expect("a page");
    assert!(text.contains("name") && !text.contains("Secret"), "{text}");
    let output = database.xdoflow(&["inspect", "person", "--html", page, "--progress", "none"]);
    assert_eq!(output.status.code(), Some(0));
    let text = std::fs::read_to_string(page).expect("a page");
    assert!(
        text.contains("one of 3: Secret1, Secret0, Secret2") && text.contains("987654322 to 987654421"),
        "{text}"
    );
}

#[test]
fn the_worst_keys_come_first_where_that_is_asked_for() {
    let database = Database::empty();
    database.sql(
        "CREATE TABLE dirty (id bigint PRIMARY KEY, xdo jsonb);
         INSERT INTO dirty SELECT n, jsonb_build_object('a_clean', n, 'b_money', '$' || n, 'c_blank',
             CASE WHEN n % 10 = 0 THEN '' ELSE 'x' || n END, 'd_mixed', CASE WHEN n % 3 = 0 THEN '\"x\"' ELSE '{}' END::jsonb)
         FROM generate_series(1, 100) n",
    );
    let order = |sort: &str| -> Vec<String> {
        let profile = database.json(&["inspect", "dirty", "--sort", sort, "--progress", "none"]);
        let keys = profile["keys"].as_array().unwrap().iter();
        keys.map(|key| key["path"].as_str().unwrap().to_owned()).collect()
    };
    assert_eq!(order("path"), ["a_clean", "b_money", "c_blank", "d_mixed"]);
    assert_eq!(order("worst"), ["b_money", "d_mixed", "c_blank", "a_clean"]);
}

#[test]
fn progress_ends_at_the_rows_that_were_read_and_nothing_is_written() {
    let database = Database::workspace();
    let output = database.xdoflow(&["inspect", "mvpw1_34", "--rows", "500", "--json", "--progress", "json"]);
    assert_eq!(output.status.code(), Some(0));
    let profile: Value = serde_json::from_slice(&output.stdout).expect("one JSON object");
    let last = stderr(&output).lines().last().map(|line| serde_json::from_str::<Value>(line).expect("JSON"));
    let last = last.expect("progress");
    assert_eq!(
        (&last["phase"], &last["rows"], &last["total"]),
        (&"done".into(), &profile["rows"], &profile["rows"])
    );
    assert_eq!(database.value("SELECT to_regnamespace('xdoflow') IS NULL"), "t");
}

#[test]
fn a_role_that_may_read_one_table_profiles_it_and_asks_no_other() {
    let database = Database::empty();
    database.sql(
        "CREATE TABLE mine (id bigint PRIMARY KEY, xdo jsonb);
         INSERT INTO mine SELECT n, jsonb_build_object('other_id', 21 - n) FROM generate_series(1, 20) n;
         CREATE TABLE theirs (id bigint PRIMARY KEY, xdo jsonb);
         INSERT INTO theirs SELECT n, '{}' FROM generate_series(1, 20) n",
    );
    let (url, role) = database.role("inspector");
    database.sql(&format!("GRANT SELECT ON mine TO {role}"));
    let output = program()
        .args(["inspect", "mine", "--source", &url, "--json", "--progress", "none"])
        .output()
        .expect("the program runs");
    assert_eq!((output.status.code(), stderr(&output).as_str()), (Some(0), ""));
    let profile: Value = serde_json::from_slice(&output.stdout).expect("one JSON object");
    assert_eq!(profile["reference_tables"], 1);
    assert_eq!(key(&profile, "other_id")["references"][0]["table"], "public.mine");
    let output = program()
        .args(["inspect", "theirs", "--source", &url, "--progress", "none"])
        .output()
        .expect("the program runs");
    assert_eq!(output.status.code(), Some(1));
    assert!(stderr(&output).contains("permission denied"), "{}", stderr(&output));
}

#[test]
fn an_interrupt_ends_it_with_130_and_leaves_no_session() {
    let database = Database::empty();
    database.sql(
        "CREATE TABLE held (id bigint PRIMARY KEY, xdo jsonb); INSERT INTO held VALUES (1, '{}'); ANALYZE held",
    );
    let holder = database.session();
    holder.sql("BEGIN; LOCK TABLE held IN ACCESS EXCLUSIVE MODE");
    let running = database.start(&["inspect", "held"]);
    let watcher = database.session();
    let sessions =
        "FROM pg_stat_activity WHERE application_name LIKE 'xdoflow%' AND datname = current_database()";
    wait_until(&watcher, &format!("SELECT count(*) > 0 {sessions} AND wait_event_type = 'Lock'"));
    running.signal("INT");
    let (code, text) = running.end();
    assert_eq!(code, Some(130), "{text}");
    assert!(text.contains("error: interrupted"), "{text}");
    // The one that has ended the others is closed with the process; the server hears of it a moment later.
    wait_until(&watcher, &format!("SELECT count(*) = 0 {sessions}"));
    holder.sql("ROLLBACK");
}
