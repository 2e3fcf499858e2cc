//! Backfills: a run that reads only some rows of V1, or V1 from a file.

use std::fs;
use std::io::Write;

use serde_json::Value;

use crate::support::{Database, Pipelines, Temp, counts, stderr};

const PEOPLE: &str = r#"
entity = "people"
source = "source"

[target.person]
table = "person"
key = "id"
[target.person.columns]
id = "$id"
name = "text"
age = "bigint"
"#;

/// Twenty people in V1, and one in V2 whom V1 does not know.
fn people() -> (Database, Pipelines) {
    let database = Database::with(
        &[],
        "CREATE TABLE person (id bigint PRIMARY KEY, name text, age bigint);
         INSERT INTO person VALUES (1000, 'Old', 1);
         INSERT INTO source SELECT id, jsonb_build_object('name', 'n' || id, 'age', id % 7)
         FROM generate_series(1, 20) id",
    );
    (database, Pipelines::new(&[("people.toml", PEOPLE)]))
}

#[test]
fn a_run_of_ids_reads_only_these_and_deletes_nothing() {
    let database = Database::workspace();
    let files = Temp::new("ids");
    let file = files.path().join("ids");
    let ids = database.lines("SELECT id FROM mvpw1_41 ORDER BY id LIMIT 3");
    database.sql("INSERT INTO mvpw5_664 (id, first_name, email) VALUES (999999, 'only', 'V2')");
    // The second stands twice, the last is in no row.
    fs::write(&file, format!("{}\n\n{}\n{}\n888888\n", ids[1], ids[2], ids[1])).expect("the file");
    let path = file.to_str().expect("UTF-8");
    let summary = database.json(&["run", "users", "--ids-file", path]);
    assert_eq!(summary["entities"][0]["rows_read"], 2);
    let found = database.lines("SELECT id FROM mvpw5_664 ORDER BY id");
    assert_eq!(found, [ids[1].as_str(), ids[2].as_str(), "999999"]);

    let agent = database.value("SELECT min(id) FROM mvpw1_36");
    fs::write(&file, format!("users,{}\nagents, {agent}\n", ids[0])).expect("the file");
    let summary = database.json(&["run", "users", "agents", "--ids-file", path]);
    let read: Vec<u64> = summary["entities"]
        .as_array()
        .expect("entities")
        .iter()
        .filter_map(|entity| entity["rows_read"].as_u64())
        .collect();
    assert_eq!(read, [1, 1]);
    assert_eq!(database.lines("SELECT id FROM mvpw5_670"), [agent]);

    for (text, arguments, expected) in [
        ("7\n", vec!["run", "users", "agents"], "line 1: there are several entities"),
        ("users,7\n\nusers,x\n", vec!["run", "users"], "line 3: \"x\" is not an id"),
        ("agents,7\n", vec!["run", "users"], "this run has no entity \"agents\""),
        ("7\n", vec!["run", "users", "--mode", "replace"], "some rows of V1 cannot be all of the target"),
    ] {
        fs::write(&file, text).expect("the file");
        let output = database.xdoflow(&[arguments.as_slice(), &["--ids-file", path]].concat());
        assert_eq!(output.status.code(), Some(2), "{text}");
        assert!(stderr(&output).contains(expected), "{}", stderr(&output));
    }
}

#[test]
fn ids_ranges_conditions_and_limits_name_the_rows_that_are_read_and_nothing_is_deleted() {
    for (arguments, condition) in [
        (&["--ids", "3,5-7,19-40"][..], "id IN (3, 5, 6, 7, 19, 20)"),
        (&["--ids", "-5--1"], "false"),
        (&["--where", "(xdo->>'age')::int = 2"], "(xdo->>'age')::int = 2"),
        (&["--where", "id = 3 OR id = 4 -- a comment"], "id IN (3, 4)"),
        (&["--limit", "4"], "id <= 4"),
        (&["--ids", "5-15", "--where", "id % 2 = 0", "--limit", "3"], "id IN (6, 8, 10)"),
    ] {
        let (database, pipelines) = people();
        database
            .sql("INSERT INTO source VALUES (21, '{\"name\": \"late\"}'); DELETE FROM source WHERE id = 21");
        let run = [&["run", "--pipelines", pipelines.path()], arguments].concat();
        let summary = database.json(&run);
        let expected = database.value(&format!("SELECT count(*) FROM source WHERE {condition}"));
        assert_eq!(summary["entities"][0]["rows_read"].to_string(), expected, "{arguments:?}");
        let wrong = format!(
            "(SELECT id, name FROM person EXCEPT SELECT id, xdo->>'name' FROM source WHERE {condition})
             UNION ALL (SELECT id, xdo->>'name' FROM source WHERE {condition} EXCEPT SELECT id, name FROM person)"
        );
        assert_eq!(database.lines(&wrong), ["1000|Old"], "{arguments:?}");
        // A backfill leaves nothing that a later run would take for all of V1.
        let changed = database.json(&["run", "--changed", "--prune", "--pipelines", pipelines.path()]);
        assert_eq!(changed["entities"][0]["changed"]["used"], false, "{arguments:?}");
        assert_eq!(database.value("SELECT count(*) FROM person"), "20");
    }
}

#[test]
fn wrong_backfills_are_told_and_change_nothing() {
    let (database, pipelines) = people();
    for (arguments, code, expected) in [
        (&["--where", "no_such = 1"][..], 1, "--where on public.source: column \"no_such\" does not exist"),
        (&["--where", "true) FOR UPDATE --"], 1, "--where on public.source: "),
        (&["--where", "true); DROP TABLE person; --"], 1, "--where on public.source: "),
        (&["--ids", "9-3"], 2, "holds no id"),
        (&["--ids", "x"], 2, "an id is a whole number"),
        (&["--ids", "1", "--prune"], 2, "cannot be used with"),
        (&["--limit", "1", "--changed"], 2, "cannot be used with"),
        (&["--limit", "1", "--mode", "replace"], 2, "some rows of V1 cannot be all of the target"),
        (&["--from", "nowhere.csv"], 2, "cannot read nowhere.csv"),
        (&["--from", "nowhere.xml"], 2, "does not say what it is"),
        (&["--from", "nowhere.csv", "--changed"], 2, "cannot be used with"),
    ] {
        let run = [&["run", "--pipelines", pipelines.path()], arguments].concat();
        let output = database.xdoflow(&run);
        let told = stderr(&output);
        assert_eq!(output.status.code(), Some(code), "{arguments:?}: {told}");
        assert!(told.contains(expected), "{arguments:?}: {told}");
    }
    assert_eq!(database.lines("TABLE person"), ["1000|Old|1"]);
    assert_eq!(database.lines(LEFT), [] as [&str; 0]);
}

const LEFT: &str = "SELECT relname FROM pg_class WHERE relname ~ '^(from|stage)_'";

/// Documents whose texts every form of a file has to bring unharmed, and a row without one.
const ODD: &str = r#"
    INSERT INTO source VALUES (30, '{"name": "a \"quoted\", one; \\ \n é 😀", "age": "7"}'), (31, NULL),
      (-32, '{"age": 12345678901234567890, "name": "big"}'), (33, '"no object"');"#;

/// The same rows as the server writes them, in each form.
fn files(database: &Database, folder: &Temp) -> Vec<std::path::PathBuf> {
    let csv = database.value("SELECT string_agg(id || ',' || coalesce('\"' || replace(xdo::text, '\"', '\"\"') || '\"', '') || ',more', E'\n' ORDER BY id DESC) FROM source");
    let lines = database.value(
        "SELECT string_agg(json_build_object('more', 1, 'xdo', xdo, 'id', id)::text, E'\n\n') FROM source",
    );
    let gzip = |text: &[u8]| {
        let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
        encoder.write_all(text).expect("written");
        encoder.finish().expect("compressed")
    };
    let csv = format!("id,xdo,more\n{csv}\n").into_bytes();
    // Two members in one file, as pigz and cat make them.
    let halves = [gzip(&csv[..csv.len() / 2]), gzip(&csv[csv.len() / 2..])].concat();
    let zstd =
        ruzstd::encoding::compress_to_vec(lines.as_bytes(), ruzstd::encoding::CompressionLevel::Fastest);
    [
        ("v1.csv", csv),
        ("v1.csv.gz", halves),
        ("V1.JSONL", lines.clone().into_bytes()),
        ("v1.ndjson.zst", zstd),
    ]
    .into_iter()
    .map(|(name, bytes)| {
        let path = folder.path().join(name);
        fs::write(&path, bytes).expect("the file");
        path
    })
    .collect()
}

#[test]
fn v1_from_a_file_of_any_form_gives_what_the_table_gives() {
    let (database, pipelines) = people();
    database.sql(ODD);
    let folder = Temp::new("from");
    let files = files(&database, &folder);
    let expected = database.json(&["run", "--pipelines", pipelines.path()]);
    let rows = database.lines("SELECT * FROM person ORDER BY id");
    let told = |summary: &Value| counts(summary, 0, ["loaded", "inserted", "quarantined"]);
    for file in files {
        database.sql("TRUNCATE person; INSERT INTO person VALUES (1000, 'Old', 1)");
        let path = file.to_str().expect("UTF-8");
        let summary = database.json(&["run", "people", "--from", path, "--pipelines", pipelines.path()]);
        assert_eq!(told(&summary), told(&expected), "{path}");
        assert_eq!(database.lines("SELECT * FROM person ORDER BY id"), rows, "{path}");
        assert_eq!(database.lines(LEFT), [] as [&str; 0], "{path}");
        // All of V1: then what it no longer has may go.
        let pruned = ["run", "people", "--prune", "--from", path, "--pipelines", pipelines.path()];
        assert_eq!(
            counts(&database.json(&pruned), 0, ["inserted", "updated", "deleted"]),
            [0, 0, 1],
            "{path}"
        );
    }
}

#[test]
fn a_file_that_is_none_is_told_with_its_line_and_leaves_nothing() {
    let (database, pipelines) = people();
    let folder = Temp::new("from-wrong");
    for (name, text, expected) in [
        ("a.csv", "id,document\n1,{}\n", "has no column xdo"),
        ("b.csv", "id,xdo\n1,{}\nx,{}\n", "b.csv, line 3: its id is no whole number"),
        ("c.csv", "id,xdo\n1,{}\n2\n", "c.csv: CSV error: record 2 (line: 3"),
        (
            "d.csv",
            "id,xdo\n1,\"{}\"\n2,\"{a}\"\n",
            "d.csv, line 3: the document is no JSON: key must be a string",
        ),
        ("e.jsonl", "{\"id\": 1, \"xdo\": {}}\n{\"xdo\": {}}\n", "e.jsonl, line 2: there is no id"),
        ("f.jsonl", "{\"id\": 1, \"xdo\": {}}\n\n[1]\n", "f.jsonl, line 3: "),
        ("g.jsonl", "{\"id\": 3, \"xdo\": {}}\n{\"id\": \"3\", \"xdo\": {}}\n", "rows with the same id"),
        ("h.csv.gz", "\u{1f}not gzip", "h.csv.gz"),
        ("i.csv", "", "has no column id"),
    ] {
        let path = folder.path().join(name);
        fs::write(&path, text).expect("the file");
        let path = path.to_str().expect("UTF-8");
        let output = database.xdoflow(&["run", "people", "--from", path, "--pipelines", pipelines.path()]);
        let told = stderr(&output);
        assert!(!output.status.success() && told.contains(expected), "{name}: {told}");
        assert_eq!(database.lines("TABLE person"), ["1000|Old|1"], "{name}");
        assert_eq!(database.lines(LEFT), [] as [&str; 0], "{name}");
    }
}
