//! Pipelines that test themselves: `xdoflow test`.

use std::fmt::Write as _;

use serde_json::Value;
use xdoflow::spec::write;

use crate::support::{Database, Pipelines, program, stderr, stdout};

const PERSON: &str = "entity = \"people\"
source = \"source\"
[target.person]
table = \"person\"
key = \"id\"
[target.person.columns]
id = \"$id\"
name = \"text\"
age = \"integer\"
";

const SHIPPED: [(&str, &str); 5] = [
    ("users", include_str!("../../pipelines/user.toml")),
    ("agents", include_str!("../../pipelines/agent.toml")),
    ("transactions", include_str!("../../pipelines/transaction.toml")),
    ("participants", include_str!("../../pipelines/participant.toml")),
    ("network", include_str!("../../pipelines/network.toml")),
];

/// Runs `xdoflow test` on one file, with no database in reach.
fn test(pipeline: &str, arguments: &[&str]) -> (Option<i32>, String, String) {
    let pipelines = Pipelines::new(&[("people.toml", pipeline)]);
    let output = program()
        .args(["test", "--pipelines", pipelines.path()])
        .args(arguments)
        .env("LC_ALL", "C")
        .output()
        .expect("the program runs");
    let clean = |text: String| text.replace(pipelines.path(), "P");
    (output.status.code(), clean(stdout(&output)), clean(stderr(&output)))
}

#[test]
fn the_shipped_pipelines_pass_their_tests_without_a_database() {
    let output = program().args(["test", "--json"]).output().expect("the program runs");
    assert_eq!(output.status.code(), Some(0), "{}{}", stdout(&output), stderr(&output));
    let report: Value = serde_json::from_slice(&output.stdout).expect("one JSON object");
    assert_eq!(report["failed"], 0);
    let pipelines = report["pipelines"].as_array().expect("a list");
    let entities: Vec<&str> = pipelines.iter().filter_map(|one| one["entity"].as_str()).collect();
    assert_eq!(entities, ["users", "agents", "transactions", "participants", "network"]);
    for pipeline in pipelines {
        assert!(pipeline["tests"].as_array().expect("a list").len() >= 10, "{pipeline}");
    }
}

#[test]
fn a_failed_test_shows_what_it_expected_and_found() {
    let text = format!(
        "{PERSON}[[test]]\nname = \"ages are numbers\"\ndocument = '{{\"age\": \"old\", \"name\": \"Ann\"}}'\n\
         rows.person = {{ name = \"Bob\", age.null = true }}\n\
         [[test]]\nname = \"fine\"\ndocument = '{{}}'\nrows.person = {{}}\n"
    );
    let (code, out, _) = test(&text, &[]);
    assert_eq!(code, Some(1));
    let expected = "\
x people  2 tests, 1 failed

  ages are numbers  P/people.toml:10
    person.name
      expected  \"Bob\"
      found     \"Ann\"
    person.age, the reject
      expected  none
      found     not_a_number

";
    assert_eq!(out, expected);
    let (code, out, _) = test(&text, &["--json"]);
    assert_eq!(code, Some(1));
    let report: Value = serde_json::from_str(&out).expect("one JSON object");
    assert_eq!((&report["passed"], &report["failed"]), (&Value::from(1), &Value::from(1)));
    let cell = &report["pipelines"][0]["tests"][0]["differences"][0];
    assert_eq!(
        *cell,
        serde_json::json!({"kind": "cell", "target": "person", "column": "name", "expected": "Bob", "found": "Ann"})
    );
}

#[test]
fn a_name_that_does_not_exist_is_a_wrong_file() {
    let text = format!(
        "{PERSON}[[test]]\nname = \"wrong\"\ndocument = '{{\"nme\": 1}}'\nrows.persn = {{}}\n\
         rejects = [{{ target = \"person\", column = \"ag\", reason = \"fraction\" }}]\n"
    );
    let (code, out, err) = test(&text, &[]);
    assert_eq!((code, out.as_str()), (Some(2), ""));
    for expected in [
        "P/people.toml:12:12: the document has the key \"nme\", which no target reads",
        "P/people.toml:13:6: there is no target \"persn\"",
        "P/people.toml:14:42: the target \"person\" has no column \"ag\"",
    ] {
        assert!(err.contains(expected), "{expected}\n{err}");
    }
}

#[test]
fn an_unknown_pipeline_is_corrected() {
    let output = program().args(["test", "user"]).output().expect("the program runs");
    assert_eq!(output.status.code(), Some(2));
    assert!(stderr(&output).contains("did you mean users?"), "{}", stderr(&output));
    let (code, _, err) = test(PERSON, &["--record", "7", "peple"]);
    assert_eq!(code, Some(2));
    assert!(err.contains("did you mean people?"), "{err}");
}

#[test]
fn a_pipeline_without_tests_is_shown_as_such() {
    assert_eq!(test(PERSON, &[]), (Some(0), "! people  0 tests\n".to_owned(), String::new()));
}

#[test]
fn recorded_rows_of_a_real_workspace_pass_and_hold_no_words_of_it() {
    let database = Database::workspace();
    for ((entity, pipeline), table) in
        SHIPPED.iter().zip(["mvpw1_41", "mvpw1_36", "mvpw1_34", "mvpw1_39", "mvpw1_48"])
    {
        let ids = database.lines(&format!("SELECT id FROM {table} ORDER BY md5(id::text) LIMIT 6"));
        let mut text = (*pipeline).to_owned();
        for id in &ids {
            let output = database.xdoflow(&["test", "--record", id, entity]);
            assert!(output.status.success(), "{entity} {id}: {}", stderr(&output));
            let block = stdout(&output);
            // Names and addresses are of letters: none that is longer than a sign or two may be left.
            let words = database.lines(&format!(
                "SELECT value FROM {table}, jsonb_each_text(xdo) WHERE id = {id} AND value ~ '[a-z]{{4}}'
                 AND key ~ 'name|mail|city|street|title' AND jsonb_typeof(xdo -> key) = 'string'
                 AND value !~* 'true|false'"
            ));
            for word in words.iter().filter(|word| !word.contains('\n')) {
                assert!(!block.contains(word.as_str()), "{entity} {id}: {word:?} stands in\n{block}");
            }
            text.push_str("\n\n");
            text.push_str(&block);
        }
        let pipelines = Pipelines::new(&[("one.toml", &text)]);
        let arguments = ["test", "--json", "--pipelines", pipelines.path()];
        let output = program().args(arguments).output().expect("the program runs");
        assert_eq!(output.status.code(), Some(0), "{}{}", stdout(&output), stderr(&output));
        let report: Value = serde_json::from_slice(&output.stdout).expect("one JSON object");
        let names = report["pipelines"][0]["tests"].as_array().expect("a list");
        let recorded =
            names.iter().filter(|test| test["name"].as_str().is_some_and(|n| n.starts_with("the row with")));
        assert_eq!(recorded.count(), ids.len());
    }
}

#[test]
fn a_row_that_is_not_there_and_an_entity_that_is_not_named_are_errors() {
    let database = Database::with(&[(1, "{}")], "");
    let pipelines = Pipelines::new(&[("people.toml", PERSON)]);
    let output = database.xdoflow(&["test", "--record", "2", "--pipelines", pipelines.path()]);
    assert_eq!(output.status.code(), Some(1));
    assert!(stderr(&output).contains("has no row with the id 2"), "{}", stderr(&output));
    let output = database.xdoflow(&["test", "--record", "2"]);
    assert_eq!(output.status.code(), Some(2));
    assert!(stderr(&output).contains("name one: xdoflow test --record 2 users"), "{}", stderr(&output));
}

/// Columns of every type: name, type in the pipeline, and values to draw from, as JSON.
const TYPES: [(&str, &str, &[&str]); 24] = [
    ("t", "text", &["\"\"", "\" a\\n\\\"b\\\\\"", "1.10", "true", "{\"b\":[1,{}],\"a\":null}", "\"é🏠\""]),
    ("vc", "varchar(5)", &["\"abcde\"", "\"éé\"", "12"]),
    ("si", "smallint", &["-32768", "32767", "\"7\""]),
    ("i", "integer", &["-2147483648", "2147483647", "0"]),
    ("bi", "bigint", &["-9223372036854775808", "9223372036854775807", "12.0"]),
    (
        "n",
        "numeric",
        &["0", "-0.00", "1e30", "1.10", "1e-20", "0.00010000", "99999999.99990000", "\"1e5\"", "10000"],
    ),
    ("n2", "numeric(12,2)", &["0.005", "-0.005", "9999999999.99", "1", "0.004", "\"12.345\""]),
    ("nm", "numeric(5,-2)", &["1250", "149", "-99949", "0"]),
    (
        "r",
        "real",
        &["0.1", "-0.0", "3.4028235e38", "1e-45", "16777216", "123456", "1234567", "1e15", "0.0001"],
    ),
    (
        "d",
        "double precision",
        &[
            "0.1",
            "-0.0",
            "1e23",
            "5e-324",
            "1.7976931348623157e308",
            "9007199254740993",
            "1e15",
            "999999999999999",
            "8.41e21",
            "0.00001",
            "2e-310",
            "9.5367431640625e-07",
            "1e22",
            "4.35",
            "123456789012345680",
        ],
    ),
    ("b", "boolean", &["true", "false", "\"yes\"", "0"]),
    (
        "da",
        "date",
        &[
            "\"2024-02-29\"",
            "\"0001-01-01\"",
            "-62135596800001",
            "-210866803200000",
            "185331720297600000",
            "253402300800000",
            "\"9999-12-31\"",
            "0",
        ],
    ),
    (
        "ts",
        "timestamp",
        &[
            "\"2025-01-15T10:00:00.123456\"",
            "-62135596800001",
            "9223371331199999",
            "0",
            "\"2025-01-15T10:00:00.10+02\"",
        ],
    ),
    (
        "tz",
        "timestamptz",
        &["\"2025-01-15T10:00:00.5-05:00\"", "-210866803200000", "1754352000001", "\"1999-12-31\""],
    ),
    ("u", "uuid", &["\"A0EEBC999C0B4EF8BB6D6BB9BD380A11\"", "\"{a0ee-bc99-9c0b-4ef8-bb6d-6bb9-bd38-0a11}\""]),
    ("j", "json", &["{\"b\":1,\"a\":[]}", "\"x\"", "1.10"]),
    (
        "jb",
        "jsonb",
        &["{\"bb\":1,\"a\":{\"z\":1e3}}", "\"\\u0001\\b\\f/\"", "[]", "[null,1.10]", "\"\u{7f}\u{2028}\""],
    ),
    ("e", "epoch_ms", &["0", "\"2025-01-15\"", "-1"]),
    (
        "ta",
        "text[]",
        &[
            "[]",
            "[\"\",\"a b\",null,\"NULL\",\"x\\\"y\\\\\",\"{}\",\"a,b\",\"\\u000b\",\"é\"]",
            "[1.10,true]",
        ],
    ),
    ("na", "numeric[]", &["[1.10,null,1e10]", "[]"]),
    ("ba", "boolean[]", &["[true,false,null]"]),
    ("za", "timestamptz[]", &["[0,\"2025-01-15T10:00:00Z\",-62135596800001]"]),
    ("fa", "double precision[]", &["[1e23,-0.0,0.1,1e-7]"]),
    ("ja", "jsonb[]", &["[{\"a\":1},[1, 2],\"x\",null]"]),
];

/// A number generator that gives the same numbers in every run.
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 ^ (self.0 >> 29)).wrapping_mul(0x9E37_79B9_7F4A_7C15)
    }

    /// A drawn value of a type, or one of the given ones.
    fn value(&mut self, kind: &str, given: &[&str], row: usize) -> String {
        if let Some(value) = given.get(row) {
            return (*value).to_owned();
        }
        let bits = self.next();
        match kind {
            "real" => match f32::from_bits(bits as u32) {
                float if float.is_finite() => format!("{float:e}"),
                _ => "1.5".to_owned(),
            },
            "double precision" => match f64::from_bits(bits) {
                float if float.is_finite() => format!("{float:e}"),
                _ => "1.5".to_owned(),
            },
            "smallint" => (bits as i16).to_string(),
            "integer" => (bits as i32).to_string(),
            "bigint" | "epoch_ms" => bits.cast_signed().to_string(),
            "numeric" => format!("{}e{}", bits.cast_signed(), (self.next() % 60) as i64 - 30),
            "date" => (bits.cast_signed() / 60).to_string(),
            "timestamp" | "timestamptz" => (bits.cast_signed() / 1_010).to_string(),
            "numeric(12,2)" => format!("{}e-6", bits >> 12),
            "double precision[]" => format!("[{:e}]", f64::from(bits as u32) / 7.0),
            _ => given[(bits >> 33) as usize % given.len()].to_owned(),
        }
    }
}

/// What the program says a row would hold is what the server prints of the row that was loaded.
#[test]
fn values_are_printed_as_the_server_prints_them() {
    const ROWS: usize = 400;
    let mut random = Random(7);
    let documents: Vec<(i64, String)> = (0..ROWS)
        .map(|row| {
            let keys =
                TYPES.map(|(name, kind, given)| format!("\"{name}\":{}", random.value(kind, given, row)));
            (row as i64, format!("{{{}}}", keys.join(",")))
        })
        .collect();
    let documents: Vec<(i64, &str)> = documents.iter().map(|(id, text)| (*id, text.as_str())).collect();
    let sql_type = |kind: &str| if kind == "epoch_ms" { "bigint".to_owned() } else { kind.to_owned() };
    let columns = TYPES.map(|(name, kind, _)| format!("{name} {}", sql_type(kind))).join(", ");
    let database =
        Database::with(&documents, &format!("CREATE TABLE typed (id bigint PRIMARY KEY, {columns})"));
    let mut pipeline =
        "entity = \"typed\"\nsource = \"source\"\n[target.typed]\ntable = \"typed\"\nkey = \"id\"\n\
                        [target.typed.columns]\nid = \"$id\"\n"
            .to_owned();
    for (name, kind, _) in TYPES {
        writeln!(pipeline, "{name} = \"{kind}\"").expect("a string");
    }
    let untested = Pipelines::new(&[("typed.toml", &pipeline)]);
    database.json(&["run", "--pipelines", untested.path()]);
    let shown = TYPES.map(|(name, _, _)| format!("t.{name}::text")).join(", ");
    let rows = database.sql(&format!(
        "SET TimeZone = 'UTC'; SET DateStyle = 'ISO, YMD'; SET extra_float_digits = 1;
         SELECT t.id, s.xdo::text, {shown} FROM typed t JOIN source s USING (id) ORDER BY id"
    ));
    assert_eq!(rows.len(), ROWS);
    let rejects = database.sql("SELECT source_id, target_column, reason_code FROM xdoflow.rejects");
    let mut values = 0;
    for row in &rows {
        let [id, document, cells @ ..] = row.as_slice() else { panic!("a row of two cells or more") };
        write!(pipeline, "[[test]]\nname = \"{id}\"\nid = {id}\ndocument = {}\n", write::string(document))
            .expect("a string");
        let own: Vec<String> = rejects
            .iter()
            .filter(|reject| reject[0] == *id)
            .map(|reject| {
                format!("{{ target = \"typed\", column = \"{}\", reason = \"{}\" }}", reject[1], reject[2])
            })
            .collect();
        writeln!(pipeline, "rejects = [{}]\n[test.rows.typed]", own.join(", ")).expect("a string");
        for ((name, _, _), cell) in TYPES.iter().zip(cells) {
            match cell.as_str() {
                "∅" => writeln!(pipeline, "{name}.null = true"),
                text => {
                    values += 1;
                    writeln!(pipeline, "{name} = {}", write::string(text))
                }
            }
            .expect("a string");
        }
    }
    assert!(values > ROWS * 20, "only {values} values were loaded");
    let tested = Pipelines::new(&[("typed.toml", &pipeline)]);
    let output = program().args(["test", "--pipelines", tested.path()]).output().expect("the program runs");
    let shown: String = stdout(&output).chars().take(4_000).collect();
    assert_eq!(output.status.code(), Some(0), "{shown}{}", stderr(&output));
}
