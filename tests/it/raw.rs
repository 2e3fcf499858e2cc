//! Documents in the form in which the server keeps them, against the same documents as text.
//!
//! The server sends both forms of each row in one COPY; what the program makes of either must be the same to
//! the byte: rows, rejects, edges and counts. And since no server of the other byte order is at hand, the
//! documents are turned around here, by a walk that knows nothing of the reader.

use serde_json::Value;
use xdoflow::pg::{BatchStream, Database as Db, Settings, Side, TableInfo};
use xdoflow::pgcopy::ondisk::ByteOrder;
use xdoflow::pgcopy::{Batch, Form, Framer, RowBuffer, encode};
use xdoflow::spec::PipelineSpec;
use xdoflow::transform::{Output, Program, compile};

use crate::casts::source_of_cases;
use crate::oracle::{ORACLE, wide_pipeline, wide_table};
use crate::properties::drawn_source;
use crate::support::{Database, Pipelines, block_on, literal, program, stderr, stdout};

const CAST: &str = "CREATE CAST (jsonb AS bytea) WITHOUT FUNCTION";
/// Documents of drawn values.
const DRAWN: usize = 5_000;

/// A document in its forms: as binary `jsonb`, and as it is kept.
type Row = (i64, Option<Vec<u8>>, Option<Vec<u8>>);

/// Both forms of all documents of a source, and the program that reads them.
async fn fetch(database: &Database, spec: &PipelineSpec) -> xdoflow::Result<(Program, Vec<Row>)> {
    let settings = Settings::resolve(Some(&database.url), &|_| None)?;
    let session = Db::new(Side::Target, settings).connect("test").await?;
    let mut tables = Vec::new();
    for target in &spec.targets {
        tables.push(TableInfo::read(&session, &target.table).await?.expect("the target is there"));
    }
    let schemas: Vec<_> = tables.iter().map(|table| table.columns.as_slice()).collect();
    let program = compile(spec, &schemas).expect("the pipeline fits");
    let sql =
        format!("COPY (SELECT id, xdo, xdo::bytea FROM {}) TO STDOUT (FORMAT binary)", spec.source.table);
    let mut stream = BatchStream::open(&session, &sql, 3, 1 << 20).await?;
    let mut rows = Vec::new();
    while let Some(batch) = stream.next().await? {
        assert_eq!(program.unlike(&batch, ByteOrder::Little).next(), None);
        for mut tuple in batch.tuples() {
            let id = tuple.next().flatten().expect("an id").try_into().expect("eight bytes");
            let mut field = || tuple.next().expect("a field").map(<[u8]>::to_vec);
            rows.push((i64::from_be_bytes(id), field(), field()));
        }
    }
    Ok((program, rows))
}

/// A batch as a COPY would give it.
fn batch<'r>(rows: impl Iterator<Item = (i64, Option<&'r [u8]>)>, form: Form) -> Batch {
    let mut buffer = RowBuffer::default();
    for (id, document) in rows {
        buffer.begin_row(2);
        buffer.field(&id.to_be_bytes());
        match document {
            Some(document) => buffer.field(document),
            None => buffer.null(),
        }
        buffer.end_row();
    }
    let mut framer = Framer::new(2).in_form(form);
    framer
        .push(&[encode::header(), buffer.into_bytes(), encode::TRAILER.to_vec()].concat())
        .expect("a stream");
    framer.finish().expect("a whole stream").expect("rows")
}

fn assert_same(one: &Output, other: &Output, what: &str) {
    assert!(
        one.aborted.is_none() && other.aborted.is_none(),
        "{what}: {:?} {:?}",
        one.aborted,
        other.aborted
    );
    assert_eq!(one.tally, other.tally, "{what}");
    assert_eq!(one.edges, other.edges, "{what}");
    assert!(one.rejects == other.rejects, "{what}: the rejects differ");
    assert!(one.targets == other.targets, "{what}: the rows differ");
}

/// Reads the documents of a source in all forms; returns how many there were.
fn read_in_all_forms(database: &Database, spec: &PipelineSpec) -> usize {
    let (program, rows) = block_on(fetch(database, spec)).expect("documents from the server");
    // One by one first: what differs is named.
    let forms = |rows: &[Row]| {
        let text = batch(rows.iter().map(|(id, text, _)| (*id, text.as_deref())), Form::Text);
        let kept =
            batch(rows.iter().map(|(id, _, kept)| (*id, kept.as_deref())), Form::OnDisk(ByteOrder::Little));
        let turned: Vec<_> = rows.iter().map(|(id, _, kept)| (*id, kept.as_deref().map(turned))).collect();
        let turned = turned.iter().map(|(id, kept)| (*id, kept.as_deref()));
        let turned = batch(turned, Form::OnDisk(ByteOrder::Big));
        [text, kept, turned].map(|batch| program.transform(&batch))
    };
    for row in &rows {
        let [text, kept, turned] = forms(std::slice::from_ref(row));
        assert_same(&text, &kept, &format!("{} {}", spec.entity, row.0));
        assert_same(&text, &turned, &format!("{} {}, big-endian", spec.entity, row.0));
    }
    let [text, kept, turned] = forms(&rows);
    assert_eq!(text.tally.rows, rows.len() as u64);
    assert_same(&text, &kept, &spec.entity);
    assert_same(&text, &turned, &format!("{}, big-endian", spec.entity));
    rows.len()
}

/// A document of a little-endian server as one of the other kind keeps it.
fn turned(document: &[u8]) -> Vec<u8> {
    let mut bytes = document.to_vec();
    turn(&mut bytes, 0);
    bytes
}

fn turn(bytes: &mut [u8], at: usize) {
    let header = turn_u32(bytes, at);
    let entries = (header & 0x0FFF_FFFF) as usize * if header >> 28 == 2 { 2 } else { 1 };
    let data = at + 4 + 4 * entries;
    let mut start = 0;
    for index in 0..entries {
        let entry = turn_u32(bytes, at + 4 + 4 * index);
        let field = (entry & 0x0FFF_FFFF) as usize;
        let end = if entry >> 31 == 1 { field } else { start + field };
        let aligned = start + (4 - start % 4) % 4;
        match entry >> 28 & 7 {
            1 => {
                let length = turn_u32(bytes, data + aligned) >> 2;
                bytes[data + aligned..][..4].copy_from_slice(&length.to_be_bytes());
                bytes[data + aligned + 4..data + end].chunks_exact_mut(2).for_each(<[u8]>::reverse);
            }
            5 => turn(bytes, data + aligned),
            _ => {}
        }
        start = end;
    }
}

/// Turns four bytes; returns what they meant before.
fn turn_u32(bytes: &mut [u8], at: usize) -> u32 {
    let word = u32::from_le_bytes(bytes[at..at + 4].try_into().expect("four bytes"));
    bytes[at..at + 4].reverse();
    word
}

fn specs(pipelines: &Pipelines) -> Vec<PipelineSpec> {
    xdoflow::spec::load_dir(pipelines.path().as_ref()).expect("pipelines")
}

#[test]
fn the_documents_of_a_workspace_read_the_same_in_all_forms() {
    let database = Database::workspace();
    database.sql(CAST);
    let shipped = xdoflow::spec::shipped().expect("the shipped pipelines");
    let read: Vec<usize> = shipped.iter().map(|spec| read_in_all_forms(&database, spec)).collect();
    assert_eq!(read.iter().sum::<usize>(), 7 + 741 + 1_100 + 14_041 + 1_732, "{read:?}");
}

#[test]
fn the_cases_of_the_contract_read_the_same_in_all_forms() {
    let database = Database::empty();
    let columns = source_of_cases(&database);
    database.sql(&wide_table(&columns));
    database.sql(CAST);
    let rows = read_in_all_forms(&database, &specs(&wide_pipeline(&columns))[0]);
    assert!(rows >= 569, "{rows}");
}

#[test]
fn drawn_values_read_the_same_in_all_forms() {
    let database = Database::empty();
    database.sql(ORACLE);
    let seed = std::env::var("XDOFLOW_PROPERTY_SEED").map_or(4, |seed| seed.parse().expect("a number"));
    let columns = drawn_source(&database, seed, DRAWN);
    database.sql(&wide_table(&columns));
    database.sql(CAST);
    assert_eq!(read_in_all_forms(&database, &specs(&wide_pipeline(&columns))[0]), DRAWN);
}

const ODD: &str = r#"
entity = "odd"
source = "source"

[target.odd]
table = "odd"
key = "id"
filter = { from = "status.now", drop = ["gone", "17"] }
[target.odd.columns]
id = "$id"
empty = { from = "\"\"", type = "text" }
n = "numeric"
i = { type = "bigint", on_reject = "row" }
f = "double precision"
t = "text"
j = "jsonb"
js = { type = "jsonb", parse = "json" }
a = { type = "text[]", scalar = "wrap" }
b = { type = "boolean", object = "true" }
lat = { from = "place.point.lat", type = "numeric" }
first = { from = ["x.y", "x", "z"], type = "text" }
long = { from = "LONG", type = "text" }

[derived.odd_closure]
table = "odd_closure"
key = ["a", "d"]
closure = { parent = "edge.up", child = "edge.down" }
[derived.odd_closure.columns]
a = { from = "ancestor", type = "bigint" }
d = { from = "descendant", type = "bigint" }
"#;

/// Documents at the borders of the form.
fn odd_documents() -> Vec<String> {
    let long = "k".repeat(300);
    let mut documents: Vec<String> = [
        "{}",
        "[]",
        "null",
        "true",
        "false",
        "0",
        "-17.500",
        "\"a \\\"scalar\\\" \\u0001\"",
        "[1, {\"n\": 2}]",
        r#"{"": "the empty key", "n": 1}"#,
        r#"{"n": 0.00, "i": 12.00, "f": -0.0, "t": 1e5, "j": 1.10}"#,
        r#"{"n": 1e131071, "t": 1e-16383, "j": 1e400, "f": 1e400, "i": 9223372036854775808}"#,
        r#"{"n": -12345678901234567890123456789.1, "i": -9223372036854775808, "f": 0.1000000000000000055511151231257827}"#,
        r#"{"n": 9999, "i": 10000, "j": [9999, 10000, 99999999, 100000000, 0.0001, 0.00001, 1e63, 1e64, 1e65, 1e-63, 1e-64, 1e256]}"#,
        r#"{"n": "x", "i": {"deep": [1.50, "\t"]}, "f": [1, 2], "b": "perhaps", "lat": 1}"#,
        r#"{"i": "not a number", "t": "the row is set aside"}"#,
        r#"{"t": "\b\f\n\r\t\"\\/\u0001\u001f\u007fé😀", "j": {"\n\"": "\\", "é": "😀", "a\\b": null}}"#,
        r#"{"t": {"b": 1, "a": [true, null, {"c": "d\u0007"}]}, "j": {}, "b": {}, "a": {"x": []}}"#,
        r#"{"a": ["x", 1.50, null, [2], {"y": "\u0001"}], "js": "{\"a\" : [1 , 2]}", "b": {"id": null}}"#,
        r#"{"a": "one", "js": "no json", "j": "text", "b": 1}"#,
        r#"{"place": {"point": {"lat": 39.7392, "lng": -104.9903}, "name": "Denver"}, "x": {"y": "inner"}}"#,
        r#"{"place": {"point": null}, "x": {"y": null}, "z": "last"}"#,
        r#"{"place": {"point": [1]}, "x": {"w": 1}}"#,
        r#"{"place": "nowhere", "x": ["y"], "status": "gone"}"#,
        r#"{"status": {"now": "gone"}, "t": "filtered"}"#,
        r#"{"status": {"now": 17}, "t": "filtered"}"#,
        r#"{"status": {"now": {"gone": 17}}, "t": "kept"}"#,
        r#"{"edge": {"up": 1, "down": "2"}, "n": 1}"#,
        r#"{"edge": {"up": 0, "down": 2}}"#,
        r#"{"edge": {"up": [1], "down": 2}}"#,
        r#"{"edge": {"up": "x", "down": 2}, "i": 1.5}"#,
    ]
    .map(str::to_owned)
    .to_vec();
    documents.push(format!("{{\"{long}\": \"found\", \"{long}x\": 1, \"t\": \"{}\"}}", "é".repeat(5_000)));
    // One key more or less than a stride of offsets, each followed by what has to be aligned.
    for keys in [31, 32, 33, 63, 64, 65, 300] {
        let entries: Vec<String> = (0..keys)
            .map(|key| match key % 4 {
                0 => format!("\"key {key}\": {key}"),
                1 => format!("\"key {key}\": \"{}\"", "x".repeat(key % 7)),
                2 => format!("\"key {key}\": [{key}, {{}}]"),
                _ => format!("\"key {key}\": null"),
            })
            .collect();
        documents
            .push(format!("{{\"t\": \"last\", \"j\": {{{0}}}, {0}, \"n\": {keys}}}", entries.join(", ")));
    }
    documents.push(format!("{{\"j\": {}{}, \"t\": \"deep\"}}", "[".repeat(5_000), "]".repeat(5_000)));
    documents.push(format!("{{\"j\": {}1{}}}", "{\"a\": ".repeat(5_000), "}".repeat(5_000)));
    documents
}

#[test]
fn odd_documents_read_the_same_in_all_forms_and_a_run_treats_them_alike() {
    let pipelines = Pipelines::new(&[("odd.toml", &ODD.replace("LONG", &"k".repeat(300)))]);
    let database = Database::empty();
    database.sql(
        "CREATE TABLE source (id bigint PRIMARY KEY, xdo jsonb);
         CREATE TABLE odd (id bigint PRIMARY KEY, empty text, n numeric, i bigint, f double precision, t text,
           j jsonb, js jsonb, a text[], b boolean, lat numeric, first text, long text);
         CREATE TABLE odd_closure (a bigint, d bigint);
         INSERT INTO source VALUES (0, NULL)",
    );
    let documents = odd_documents();
    for (id, document) in documents.iter().enumerate() {
        database.sql(&format!("INSERT INTO source VALUES ({}, {})", id + 1, literal(document)));
    }
    database.sql(CAST);
    assert_eq!(read_in_all_forms(&database, &specs(&pipelines)[0]), documents.len() + 1);

    let run =
        |read: &str| database.json(&["run", "--prune", "--read", read, "--pipelines", pipelines.path()]);
    let shown = || {
        database.lines(
            "SELECT * FROM (SELECT o::text FROM odd o UNION ALL SELECT c::text FROM odd_closure c
             UNION ALL SELECT concat_ws('|', source_id, target_column, key, raw, reason_code) FROM xdoflow.rejects
               WHERE run_id = (SELECT max(run_id) FROM xdoflow.runs)) AS all_of_it ORDER BY 1",
        )
    };
    let text = run("text");
    let of_text = shown();
    let raw = run("raw");
    assert_eq!(shown(), of_text);
    assert!(of_text.len() > documents.len(), "{}", of_text.len());
    let [text, raw] = [text, raw].map(|summary| summary["entities"][0].clone());
    assert_eq!((&text["read_path"], &raw["read_path"]), (&"text".into(), &"raw".into()));
    for what in ["rows_read", "rejects", "columns"] {
        assert_eq!(text[what], raw[what], "{what}");
    }
    for target in 0..2 {
        // The rows that came of the text are those that come of the form on disk.
        let (text, raw) = (&text["targets"][target], &raw["targets"][target]);
        assert_eq!((&text["inserted"], &raw["unchanged"]), (&raw["loaded"], &raw["loaded"]));
    }
}

const PLAIN: &str = "entity = \"plain\"\nsource = \"source\"\n[target.plain]\ntable = \"plain\"\nkey = \"id\"\n\
                     [target.plain.columns]\nid = \"$id\"\nt = \"text\"\n";
const PLAIN_TABLES: &str = "CREATE TABLE plain (id bigint PRIMARY KEY, t text);
    CREATE TABLE source (id bigint PRIMARY KEY, xdo jsonb);
    INSERT INTO source SELECT n, jsonb_build_object('t', 'text ' || n) FROM generate_series(1, 5000) n";

fn reading(database: &Database, arguments: &[&str]) -> (String, String) {
    let summary = database.json(&[&["run"], arguments].concat());
    let entity = &summary["entities"][0];
    assert_eq!(entity["targets"][0]["loaded"], entity["rows_read"]);
    let text = |name: &str| entity[name].as_str().expect("a text").to_owned();
    (text("read_path"), text("read_reason"))
}

#[test]
fn a_run_reads_raw_where_the_cast_is_there_and_says_why_and_why_not() {
    let pipelines = Pipelines::new(&[("plain.toml", PLAIN)]);
    let database = Database::empty();
    database.sql(PLAIN_TABLES);
    let here = ["--pipelines", pipelines.path()];
    let with = |read: &'static str| [here.as_slice(), &["--read", read]].concat();

    let (path, reason) = reading(&database, &here);
    assert_eq!((path.as_str(), reason.contains("no cast from jsonb to bytea")), ("text", true), "{reason}");
    let refused = database.xdoflow(&[&["run"][..], &with("raw")].concat());
    assert_eq!(refused.status.code(), Some(1));
    let told = stderr(&refused);
    assert!(told.contains(&format!("hint: a superuser of V1's database may run: {CAST}")), "{told}");
    assert!(told.contains("no target was changed"), "{told}");

    database.sql(CAST);
    let (path, reason) = reading(&database, &here);
    assert_eq!(path, "raw");
    // A table of some forty blocks: six rows of each.
    let blocks: usize = database.value("SELECT pg_relation_size('source') / 8192").parse().expect("a number");
    assert!(blocks < 64, "{blocks}");
    assert!(reason.contains(&format!("a sample of {} documents reads the same", 6 * blocks)), "{reason}");
    assert_eq!(
        reading(&database, &with("text")),
        ("text".to_owned(), "--read text was asked for".to_owned())
    );
    assert_eq!(reading(&database, &with("raw")).0, "raw");
    let shown = database.xdoflow(&[&["run", "-v"][..], &here].concat());
    assert!(
        stdout(&shown).contains("  plain: read raw: the cast is there, and a sample of"),
        "{}",
        stdout(&shown)
    );

    // Where the places of the sample are empty, the rows that come first stand in for them.
    database.sql("DELETE FROM source WHERE ctid::text ~ ',[1-6]\\)$'");
    let (path, reason) = reading(&database, &here);
    assert_eq!((path.as_str(), reason.contains("a sample of 300 documents")), ("raw", true), "{reason}");
    database.sql("TRUNCATE source");
    assert!(reading(&database, &here).1.contains("a sample of 0 documents"));

    // A view is read like a table.
    let view = Pipelines::new(&[("plain.toml", &PLAIN.replace("\"source\"", "\"shown\""))]);
    database.sql(
        "INSERT INTO source SELECT n, jsonb_build_object('t', n) FROM generate_series(1, 400) n;
         CREATE VIEW shown AS SELECT id, xdo || '{\"more\": [1.50]}' AS xdo FROM source",
    );
    let (path, reason) = reading(&database, &["--pipelines", view.path()]);
    assert_eq!((path.as_str(), reason.contains("a sample of 300 documents")), ("raw", true), "{reason}");
    assert_eq!(database.value("SELECT count(*) FROM plain WHERE t = id::text"), "400");
}

#[test]
fn a_cast_that_is_another_one_and_a_server_of_another_encoding_leave_it_at_text() {
    let pipelines = Pipelines::new(&[("plain.toml", PLAIN)]);
    let here = ["--pipelines", pipelines.path()];
    let database = Database::empty();
    database.sql(PLAIN_TABLES);
    // A cast with a function may do anything to the bytes.
    database.sql(
        "CREATE FUNCTION half(jsonb) RETURNS bytea LANGUAGE sql AS $$ SELECT convert_to($1::text, 'UTF8') $$;
         CREATE CAST (jsonb AS bytea) WITH FUNCTION half(jsonb)",
    );
    let (path, reason) = reading(&database, &here);
    assert_eq!(
        (path.as_str(), reason.contains("not the explicit one without function")),
        ("text", true),
        "{reason}"
    );
    let refused = stderr(&database.xdoflow(&["run", "--read", "raw", "--pipelines", pipelines.path()]));
    assert!(refused.contains("hint: leave out --read raw") && !refused.contains("CREATE CAST"), "{refused}");

    // The server converts text for its client, and sends bytes as they are.
    let latin = Database::latin1();
    latin.sql(PLAIN_TABLES);
    latin.sql(&format!("{CAST}; INSERT INTO source VALUES (0, '{{\"t\": \"café\"}}')"));
    let (path, reason) = reading(&latin, &here);
    assert_eq!((path.as_str(), reason.contains("LATIN1")), ("text", true), "{reason}");
    assert_eq!(latin.value("SELECT t FROM plain WHERE id = 0"), "café");
}

#[test]
fn check_names_the_statement_that_a_superuser_may_run_and_the_one_that_takes_it_back() {
    let pipelines = Pipelines::new(&[("plain.toml", PLAIN)]);
    let database = Database::empty();
    database.sql(PLAIN_TABLES);
    let check = || database.json(&["check", "--pipelines", pipelines.path()])["raw_reading"].clone();
    let before = check();
    assert_eq!((&before["possible"], &before["statement"]), (&false.into(), &CAST.into()));
    database.sql(before["statement"].as_str().expect("a statement"));
    let after = check();
    assert_eq!((&after["possible"], &after["statement"]), (&true.into(), &Value::Null));
    database.sql(after["undo"].as_str().expect("a statement"));
    assert_eq!(check(), before);
}

#[test]
fn the_demo_makes_the_cast_on_its_own_server_and_proves_the_result() {
    let output = program()
        .args(["demo", "--scale", "0.01", "--read", "raw", "--json"])
        .output()
        .expect("the program runs");
    assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));
    let report: Value = serde_json::from_slice(&output.stdout).expect("one JSON object");
    assert_eq!(report["exact"], true);
    for run in ["run", "second_run"] {
        let entities = report[run]["entities"].as_array().expect("entities");
        assert_eq!(entities.len(), 5);
        assert!(entities.iter().all(|entity| entity["read_path"] == "raw"), "{entities:?}");
    }
}
