//! How rows come to their target: directly where it is empty, compared where it is full, staged where
//! neither can be. And what others write to V2 meanwhile.

use std::thread::JoinHandle;

use serde_json::Value;

use crate::support::{Database, Pipelines, Session, assert_adds_up, counts, stderr, stdout, wait_until};

const PEOPLE: &str = r#"
entity = "people"
source = "source"

[target.person]
table = "person"
key = "id"
[target.person.columns]
id = "$id"
name = "text"

[target.badge]
table = "badge"
key = "person_id"
[target.badge.columns]
person_id = "$id"
code = "text"
"#;

const TABLES: &str = "
    CREATE TABLE person (id bigint PRIMARY KEY, name text, note text);
    CREATE TABLE badge (id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, person_id integer, code text);
    ALTER TABLE source ALTER COLUMN id SET STATISTICS 0;";

/// A hundred rows of V1, loaded; then V2 is changed.
fn people(damage: &str) -> (Database, Pipelines) {
    let database = Database::with(
        &[],
        &format!(
            "{TABLES} INSERT INTO source SELECT id, jsonb_build_object('name', 'n' || id, 'code', 'c' || id)
             FROM generate_series(1, 100) id; ANALYZE source;"
        ),
    );
    let pipelines = Pipelines::new(&[("people.toml", PEOPLE)]);
    let summary = database.json(&["run", "--pipelines", pipelines.path()]);
    assert_eq!(ways(&summary), ["direct", "direct"]);
    assert_eq!(counts(&summary, 0, ["inserted", "staged"]), [100, 0]);
    database.sql(damage);
    (database, pipelines)
}

fn ways(summary: &Value) -> Vec<&str> {
    let targets = summary["entities"][0]["targets"].as_array().expect("targets");
    targets.iter().map(|target| target["way"].as_str().expect("a way")).collect()
}

/// The rows of both targets that are not what V1 says.
const WRONG: &str = "
    SELECT 'person', coalesce(s.id, t.id), t.name FROM source s FULL JOIN person t ON t.id = s.id
    WHERE s.xdo->>'name' IS DISTINCT FROM t.name OR s.id IS NULL
    UNION ALL SELECT 'badge', coalesce(s.id, t.person_id), t.code FROM source s FULL JOIN badge t ON t.person_id = s.id
    WHERE s.xdo->>'code' IS DISTINCT FROM t.code OR s.id IS NULL ORDER BY 1, 2";

const COUNTS: [&str; 7] = ["staged", "inserted", "updated", "deleted", "unchanged", "stale", "surplus"];

#[test]
fn only_what_differs_is_staged_and_the_rest_is_found_to_be_equal() {
    let (database, pipelines) = people(
        "UPDATE person SET name = 'x' WHERE id = 7; DELETE FROM person WHERE id IN (1, 50, 100);
         INSERT INTO person VALUES (0, 'old'), (101, 'old'), (-9, NULL);
         UPDATE badge SET code = NULL WHERE person_id = 50; DELETE FROM badge WHERE person_id = 99;
         INSERT INTO badge (person_id, code) VALUES (20, 'c20'), (20, 'y'), (30, 'z'), (NULL, 'none'), (4711, 'old');",
    );
    let summary = database.json(&["run", "--pipelines", pipelines.path()]);
    assert_eq!(ways(&summary), ["delta", "delta"]);
    assert_eq!(counts(&summary, 0, COUNTS), [4, 3, 1, 0, 96, 3, 0]);
    // Staged: 20 and 30 for their copies, 50, 99.
    assert_eq!(counts(&summary, 1, COUNTS), [4, 1, 3, 0, 96, 2, 3]);
    assert_adds_up(&summary);
    assert_eq!(
        database.lines("SELECT person_id, code FROM badge WHERE person_id IN (20, 30) ORDER BY id"),
        ["20|c20", "30|c30", "20|c20", "20|c20", "30|c30"],
        "every copy has V1's values"
    );
    let summary = database.json(&["run", "--prune", "--pipelines", pipelines.path()]);
    assert_eq!(counts(&summary, 0, COUNTS), [0, 0, 0, 3, 100, 3, 0]);
    assert_eq!(counts(&summary, 1, COUNTS), [0, 0, 0, 5, 100, 2, 3]);
    assert_eq!(database.lines(WRONG), [] as [&str; 0]);
    assert_eq!(
        database.value("SELECT count(*) FROM badge WHERE id > 100"),
        "1",
        "the first of each key stays"
    );
    let text = stdout(&database.xdoflow(&["run", "-v", "--pipelines", pipelines.path()]));
    assert!(
        text.contains("person, badge: delta (both sides can be read in the order of the key), 0 rows staged"),
        "{text}"
    );
}

#[test]
fn an_insert_stages_only_keys_that_v2_lacks() {
    let (database, pipelines) = people(
        "UPDATE person SET name = 'x' WHERE id = 7; DELETE FROM person WHERE id = 8; DELETE FROM badge;",
    );
    let summary = database.json(&["run", "--mode", "insert", "--pipelines", pipelines.path()]);
    assert_eq!(counts(&summary, 0, COUNTS), [1, 1, 0, 0, 99, 0, 0]);
    assert_eq!(counts(&summary, 1, COUNTS), [100, 100, 0, 0, 0, 0, 0]);
    assert_eq!(database.lines("SELECT name FROM person WHERE id IN (7, 8) ORDER BY id"), ["x", "n8"]);
}

#[test]
fn staging_everything_on_request_gives_the_same_result() {
    let damage = "UPDATE person SET name = 'x' WHERE id < 7; INSERT INTO person VALUES (0, 'old');
                  INSERT INTO badge (person_id, code) VALUES (20, 'y'), (NULL, 'none');";
    let rows =
        "SELECT id, name, note FROM person UNION ALL SELECT person_id, code, '' FROM badge ORDER BY 1, 2";
    let (compared, pipelines) = people(damage);
    let (staged, _) = people(damage);
    let one = compared.json(&["run", "--prune", "--pipelines", pipelines.path()]);
    let other = staged.json(&["run", "--prune", "--stage-all", "--pipelines", pipelines.path()]);
    assert_eq!(ways(&other), ["staged", "staged"]);
    for target in [0, 1] {
        let names = ["inserted", "updated", "deleted", "unchanged", "stale", "surplus", "loaded"];
        assert_eq!(counts(&one, target, names), counts(&other, target, names));
    }
    assert_eq!(compared.lines(rows), staged.lines(rows));
    // And into empty tables.
    staged.sql("TRUNCATE person, badge");
    let summary = staged.json(&["run", "--stage-all", "--pipelines", pipelines.path()]);
    assert_eq!(counts(&summary, 0, ["staged", "inserted"]), [100, 100]);
    assert_eq!(staged.lines(rows), compared.lines(rows));
}

#[test]
fn rows_that_cannot_be_read_in_order_or_placed_directly_are_staged() {
    for (change, expected) in [
        // V1 has no index that gives the order.
        ("ALTER TABLE source DROP CONSTRAINT source_pkey", ["staged", "staged"]),
        // A view of V1.
        ("ALTER TABLE source RENAME TO rows; CREATE VIEW source AS TABLE rows", ["staged", "staged"]),
        // A partitioned target: places are not unique.
        (
            "DROP TABLE person; CREATE TABLE person (id bigint PRIMARY KEY, name text) PARTITION BY RANGE (id);
             CREATE TABLE low PARTITION OF person FOR VALUES FROM (MINVALUE) TO (50);
             CREATE TABLE high PARTITION OF person FOR VALUES FROM (50) TO (MAXVALUE);
             INSERT INTO person VALUES (50, 'x'), (1000, 'old')",
            ["staged", "delta"],
        ),
        // A target with children.
        ("CREATE TABLE child () INHERITS (person); INSERT INTO child VALUES (1000, 'old')", ["staged", "delta"]),
        (
            "ALTER TABLE person ENABLE ROW LEVEL SECURITY; CREATE POLICY open ON person USING (true)",
            ["staged", "delta"],
        ),
        // One target is empty, the other is not.
        ("DELETE FROM person", ["delta", "delta"]),
    ] {
        let (database, pipelines) = people(change);
        let summary = database.json(&["run", "--prune", "--pipelines", pipelines.path()]);
        assert_eq!(ways(&summary), expected, "{change}");
        assert_adds_up(&summary);
        assert_eq!(database.lines(WRONG), [] as [&str; 0], "{change}");
    }
}

#[test]
fn a_row_that_an_empty_target_cannot_take_leaves_it_empty() {
    let (database, pipelines) =
        people("TRUNCATE person, badge; ALTER TABLE person ADD CHECK (name <> 'n77');");
    let output = database.xdoflow(&["run", "--pipelines", pipelines.path()]);
    assert_eq!(output.status.code(), Some(1));
    let text = stderr(&output);
    assert!(text.contains("violates check constraint") && text.contains("no target was changed"), "{text}");
    assert!(!text.contains("n77"), "no row content in an error: {text}");
    assert_eq!(database.value("SELECT (SELECT count(*) FROM person) + (SELECT count(*) FROM badge)"), "0");
}

/// The types of a column, and pairs of values: what V1 says, and what V2 holds, as SQL. Many are equal for
/// `=`, and yet not the same.
const VALUES: [(&str, &[(&str, &str)]); 17] = [
    (
        "text",
        &[
            ("\"a\"", "'a'"),
            ("\"a\"", "'a '"),
            ("\"\"", "''"),
            ("null", "NULL"),
            ("\"é\"", "U&'e\\0301'"),
            ("12", "'12'"),
        ],
    ),
    ("varchar(4)", &[("\"ab\"", "'ab'"), ("\"ab\"", "'ab  '"), ("\"🏠\"", "'🏠'")]),
    ("smallint", &[("7", "7"), ("-7", "7"), ("\"7\"", "7")]),
    ("integer", &[("70000", "70000"), ("null", "0")]),
    ("bigint", &[("9223372036854775807", "9223372036854775807"), ("1", "2")]),
    (
        "numeric",
        &[
            ("1.1", "1.1"),
            ("1.1", "1.10"),
            ("1.10", "1.10"),
            ("0", "0.0"),
            ("12345678901234567890123456789.1", "12345678901234567890123456789.1"),
            ("1000000", "1e6"),
            ("0.00001", "0.00001"),
            ("1", "'NaN'"),
        ],
    ),
    ("numeric(10,2)", &[("1.1", "1.1"), ("1.106", "1.11"), ("-5", "-5.00"), ("100000", "1e5")]),
    ("real", &[("0.1", "0.1"), ("0", "'-0'"), ("1e10", "1e10"), ("3", "3.0000001")]),
    (
        "double precision",
        &[("0.1", "0.1"), ("0", "'-0'"), ("0.30000000000000004", "0.3"), ("1", "'Infinity'")],
    ),
    ("boolean", &[("true", "true"), ("\"f\"", "false"), ("1", "false")]),
    (
        "date",
        &[("\"2024-02-29\"", "'2024-02-29'"), ("\"2024-02-29\"", "'2024-03-01'"), ("0", "'1970-01-01'")],
    ),
    (
        "timestamp",
        &[
            ("\"2024-02-29T01:02:03.000004\"", "'2024-02-29 01:02:03.000004'"),
            ("0", "'1970-01-01 00:00:00.000001'"),
        ],
    ),
    ("timestamptz", &[("\"2024-02-29T01:02:03+02:00\"", "'2024-02-28 23:02:03Z'"), ("0", "'infinity'")]),
    ("uuid", &[("\"6F9619FF8B86D011B42D00C04FC964FF\"", "'6f9619ff-8b86-d011-b42d-00c04fc964ff'")]),
    (
        "jsonb",
        &[
            ("{\"b\": 1, \"a\": [1, 2.0]}", "'{\"a\": [1, 2.0], \"b\": 1}'"),
            ("{\"a\": 1.0}", "'{\"a\": 1}'"),
            ("[]", "'{}'"),
            ("\"é\\n\\\"\"", "'\"\\u00e9\\n\\\"\"'"),
            ("1e2", "'100'"),
        ],
    ),
    ("json", &[("{\"a\": 1}", "'{\"a\": 1}'"), ("{\"a\": 1}", "'{\"a\":1}'"), ("[1]", "'[1]'")]),
    (
        "text[]",
        &[
            ("[\"a\", null]", "ARRAY['a', NULL]"),
            ("[]", "'{}'"),
            ("[\"a\"]", "'[0:0]={a}'"),
            ("[\"a\", \"b\"]", "ARRAY[['a', 'b']]"),
            ("[1]", "ARRAY['1']"),
        ],
    ),
];

#[test]
fn bytes_are_equal_exactly_when_the_server_holds_the_values_to_be_the_same() {
    let mut pipeline = "entity = \"values\"\nsource = \"source\"\n".to_owned();
    let mut tables = String::new();
    let most = VALUES.iter().map(|(_, pairs)| pairs.len()).max().expect("types");
    let mut documents = vec![Vec::new(); most];
    for (number, (type_name, pairs)) in VALUES.iter().enumerate() {
        pipeline += &format!(
            "[target.t{number}]\ntable = \"t{number}\"\nkey = \"id\"\n[target.t{number}.columns]\nid = \"$id\"\nv = {{ from = \"k{number}\", type = \"{type_name}\" }}\n"
        );
        tables += &format!("CREATE TABLE t{number} (id bigint PRIMARY KEY, v {type_name});");
        for (index, (json, _)) in pairs.iter().enumerate() {
            documents[index].push(format!("\"k{number}\": {json}"));
        }
    }
    let documents: Vec<String> = documents.iter().map(|keys| format!("{{{}}}", keys.join(", "))).collect();
    let rows: Vec<(i64, &str)> = (1..).zip(documents.iter().map(String::as_str)).collect();
    let database = Database::with(&rows, &tables);
    let pipelines = Pipelines::new(&[("values.toml", &pipeline)]);
    // What V1 says, as the server holds it once it is stored.
    let first = database.json(&["run", "--stage-all", "--pipelines", pipelines.path()]);
    assert_eq!(first["entities"][0]["rejects"], 0);
    let mut expected = Vec::new();
    let (mut equal, mut different) = (0, 0);
    for (number, (type_name, pairs)) in VALUES.iter().enumerate() {
        database.sql(&format!("ALTER TABLE t{number} RENAME TO new{number}; CREATE TABLE t{number} (id bigint PRIMARY KEY, v {type_name})"));
        for (id, (_, sql)) in (1..).zip(*pairs) {
            database.sql(&format!("INSERT INTO t{number} VALUES ({id}, {sql})"));
        }
        // Rows of other types than this one have more values: NULL here.
        database.sql(&format!("INSERT INTO t{number} SELECT id FROM source WHERE id > {}", pairs.len()));
        let pair = format!("FROM t{number} old JOIN new{number} new USING (id)");
        let differ = database
            .value(&format!("SELECT count(*) {pair} WHERE ROW(old.v)::record *<> ROW(new.v)::record"));
        expected.push(differ.parse::<u64>().expect("a count"));
        equal += pairs.len() as u64 - expected[number];
        different += expected[number];
    }
    assert!(equal > 20 && different > 20, "{equal} equal, {different} not");
    let summary = database.json(&["run", "--pipelines", pipelines.path()]);
    assert!(ways(&summary).iter().all(|way| *way == "delta"));
    for (number, (type_name, _)) in VALUES.iter().enumerate() {
        let [staged, updated] = counts(&summary, number, ["staged", "updated"]);
        assert_eq!((staged, updated), (expected[number], expected[number]), "{type_name}");
        let wrong = format!(
            "SELECT old.id, old.v, new.v FROM t{number} old FULL JOIN new{number} new USING (id)
             WHERE ROW(old.v)::record *<> ROW(new.v)::record"
        );
        assert_eq!(database.lines(&wrong), [] as [&str; 0], "{type_name}");
    }
}

/// A run that has read V2 back and waits for the lock of the publish, which a writer holds.
fn while_a_run_waits(
    database: &Database,
    pipelines: &Pipelines,
    arguments: &[&str],
    statements: &str,
) -> Value {
    let arguments = [arguments, &["--pipelines", pipelines.path()]].concat();
    while_it_waits_for(database, "person, badge", &arguments, statements)
}

fn while_it_waits_for(database: &Database, tables: &str, arguments: &[&str], statements: &str) -> Value {
    let writer = database.session();
    writer.sql(&format!("BEGIN; LOCK TABLE {tables} IN SHARE MODE"));
    let mut command = database.command(arguments);
    command.args(["--json", "--progress", "none"]);
    command.stdout(std::process::Stdio::piped()).stderr(std::process::Stdio::piped());
    let run = command.spawn().expect("the program starts");
    wait_until(
        &database.session(),
        "SELECT count(*) = 1 FROM pg_locks l JOIN pg_stat_activity a USING (pid)
         WHERE NOT l.granted AND l.mode = 'ShareRowExclusiveLock' AND a.datname = current_database()",
    );
    writer.sql(statements);
    writer.sql("COMMIT");
    let output = run.wait_with_output().expect("the program ends");
    assert!(output.status.success(), "{}", stderr(&output));
    serde_json::from_slice(&output.stdout).expect("JSON")
}

#[test]
fn what_others_write_to_v2_between_the_comparison_and_the_publish_is_decided_anew() {
    for (statements, [inserted, updated, deleted]) in [
        ("UPDATE person SET name = 'late' WHERE id = 42", [0, 1, 0]),
        ("DELETE FROM person WHERE id = 42", [1, 0, 0]),
        ("INSERT INTO person VALUES (4242, 'late')", [0, 0, 1]),
        ("UPDATE person SET id = 4242 WHERE id = 42", [1, 0, 1]),
        (
            "DELETE FROM person WHERE id < 30; INSERT INTO person SELECT id, 'late' FROM generate_series(1, 29) id",
            [0, 29, 0],
        ),
        // As before in the end, but every row stands elsewhere.
        ("UPDATE person SET name = 'late'; UPDATE person SET name = 'n' || id", [0, 0, 0]),
        ("UPDATE person SET note = 'theirs' WHERE id = 42", [0, 0, 0]),
    ] {
        // Row 7 is to be updated and row 1000 to be deleted, whatever comes.
        let (database, pipelines) =
            people("UPDATE person SET name = 'x' WHERE id = 7; INSERT INTO person VALUES (1000, 'old')");
        let summary = while_a_run_waits(&database, &pipelines, &["run", "--prune"], statements);
        assert_eq!(database.lines(WRONG), [] as [&str; 0], "{statements}");
        let of_7 =
            u64::from(!statements.contains("person SET name = 'late';") && !statements.contains("< 30"));
        assert_eq!(
            counts(&summary, 0, ["inserted", "updated", "deleted"]),
            [inserted, updated + of_7, deleted + 1],
            "{statements}"
        );
        assert_adds_up(&summary);
        let notes = u64::from(statements.contains("theirs")).to_string();
        assert_eq!(
            database.value("SELECT count(*) FROM person WHERE note = 'theirs'"),
            notes,
            "theirs is not ours"
        );
    }
}

#[test]
fn of_many_ranges_those_that_were_touched_are_compared_again() {
    let database = Database::workspace();
    database.json(&["run"]);
    // Equal before, then: updated, deleted and inserted in several ranges, at both ends too.
    let statements = "
        UPDATE mvpw5_696 SET role = 'late' WHERE id % 4001 = 0;
        DELETE FROM mvpw5_696 WHERE id = (SELECT min(id) FROM mvpw5_696) OR id % 5003 = 0;
        INSERT INTO mvpw5_696 (id, created_at) VALUES (-1, 0), (9000000000, 0)";
    let summary = while_it_waits_for(&database, "mvpw5_696", &["run", "participants", "--prune"], statements);
    let [inserted, updated, deleted] = counts(&summary, 0, ["inserted", "updated", "deleted"]);
    assert!(inserted > 1 && updated > 1 && deleted == 2, "{summary}");
    assert_adds_up(&summary);
    let verified = database.json(&["verify", "participants"]);
    assert_eq!(verified["equal"], true, "{verified}");
}

#[test]
fn a_target_that_is_rewritten_between_the_comparison_and_the_publish_is_compared_again() {
    let (database, pipelines) = people(
        "DELETE FROM person WHERE id < 50; UPDATE person SET name = 'x' WHERE id = 77;
         INSERT INTO person VALUES (1000, 'old'), (1001, 'old');",
    );
    // The COPY into the staging table waits, and with it the session that reads V2 back.
    let holder = database.session();
    holder.sql(&format!("{}; SELECT pg_advisory_lock(1)", super::faults::HELD_STAGING));
    let mut running = database.start(&["run", "--prune", "--pipelines", pipelines.path()]);
    wait_until(&database.session(), super::faults::WAITING);
    let url = database.url.clone();
    // It waits for that session, and the publish for it.
    let rewrite: JoinHandle<()> = std::thread::spawn(move || {
        Session::open(&url).sql("VACUUM FULL person");
    });
    wait_until(
        &database.session(),
        "SELECT count(*) = 1 FROM pg_locks WHERE NOT granted AND mode = 'AccessExclusiveLock'
           AND relation = 'person'::regclass",
    );
    holder.sql("SELECT pg_advisory_unlock(1)");
    rewrite.join().expect("the rewrite ends");
    running.wait_for("\"done\"");
    let (code, text) = running.end();
    assert_eq!(code, Some(0), "{text}");
    assert_eq!(database.lines(WRONG), [] as [&str; 0]);
}

#[test]
fn a_derived_target_is_compared_too_and_what_others_write_to_it_is_decided_anew() {
    const NETWORK: &str = r#"
entity = "people"
source = "source"
[target.person]
table = "person"
key = "id"
[target.person.columns]
id = "$id"
name = "text"
[derived.tree]
table = "badge"
key = ["above", "below"]
closure = { parent = "boss", child = "me" }
[derived.tree.columns]
above = { from = "ancestor", type = "bigint" }
below = { from = "descendant", type = "bigint" }
depth = "integer"
"#;
    let database = Database::with(
        &[
            (1, r#"{"name": "n1", "me": 10}"#),
            (2, r#"{"name": "n2", "boss": 10, "me": 9}"#),
            (3, r#"{"name": "n3", "boss": 10, "me": 30}"#),
            (4, r#"{"name": "n4", "boss": 9, "me": 8}"#),
        ],
        "CREATE TABLE person (id bigint PRIMARY KEY, name text);
         CREATE TABLE badge (id serial PRIMARY KEY, above bigint, below bigint, depth integer);",
    );
    let pipelines = Pipelines::new(&[("people.toml", NETWORK)]);
    let tree = "SELECT above, below, depth FROM badge ORDER BY 1, 2";
    let expected = ["9|8|1", "10|8|2", "10|9|1", "10|30|1"];
    let summary = database.json(&["run", "--pipelines", pipelines.path()]);
    assert_eq!(ways(&summary), ["direct", "direct"]);
    assert_eq!(database.lines(tree), expected);
    database.sql(
        "UPDATE badge SET depth = 5 WHERE above = 10 AND below = 8; DELETE FROM badge WHERE above = 9;
                  INSERT INTO badge (above, below, depth) VALUES (10, 30, 1), (7, 7, 7), (NULL, 8, 1)",
    );
    let summary = database.json(&["run", "--prune", "--pipelines", pipelines.path()]);
    assert_eq!(ways(&summary), ["delta", "delta"]);
    assert_eq!(counts(&summary, 1, COUNTS), [2, 1, 1, 3, 2, 2, 1]);
    assert_eq!(database.lines(tree), expected);
    let summary = while_a_run_waits(
        &database,
        &pipelines,
        &["run", "--prune"],
        "UPDATE badge SET depth = 6 WHERE below = 8; INSERT INTO badge (above, below) VALUES (1, 2)",
    );
    assert_eq!(counts(&summary, 1, COUNTS), [2, 0, 2, 1, 2, 1, 0]);
    assert_eq!(database.lines(tree), expected);
}
