//! The statements of `sql` do on the server what `run` does: the same rows, on data as dirty as it gets.

use std::fmt::Write as _;

use crate::support::{Database, Pipelines, program, stderr, stdout};

/// What `sql` prints for a database, as statements to be executed.
fn printed(database: &Database, arguments: &[&str]) -> String {
    let output = database.xdoflow(&[&["sql"], arguments].concat());
    assert!(output.status.success(), "{}", stderr(&output));
    stdout(&output)
}

/// The rows of a table in the columns that a pipeline feeds: the split tables fill in their identity and
/// the time of the insert themselves.
fn image(database: &Database, table: &str) -> Vec<String> {
    let columns = database.value(&format!(
        "SELECT string_agg(format('%I', attname), ', ' ORDER BY attnum) FROM pg_attribute a
         WHERE attrelid = '{table}'::regclass AND attnum > 0 AND attidentity = '' AND NOT attisdropped
           AND NOT (atthasdef AND EXISTS (SELECT FROM pg_attribute i
                                          WHERE i.attrelid = a.attrelid AND i.attidentity <> ''))"
    ));
    database.lines(&format!(
        "SET TimeZone = 'UTC'; SELECT row_to_json(t) FROM (SELECT {columns} FROM {table}) t ORDER BY t::text COLLATE \"C\""
    ))
}

/// Row versions: it changes with every row that is written.
fn versions(database: &Database, table: &str) -> String {
    database.value(&format!("SELECT count(*) || ' ' || coalesce(sum(xmin::text::bigint), 0) FROM {table}"))
}

/// Runs the engine in one database and the statements in the other; both must hold the same then, and a
/// second execution writes nothing.
fn assert_same(by_run: &Database, by_sql: &Database, tables: &[&str], arguments: &[&str]) {
    by_run.json(&[&["run"], arguments].concat());
    let statements = printed(by_sql, arguments);
    by_sql.sql(&statements);
    for table in tables {
        let (expected, found) = (image(by_run, table), image(by_sql, table));
        assert_eq!(expected.len(), found.len(), "{table}");
        for (expected, found) in expected.iter().zip(&found) {
            assert_eq!(expected, found, "{table}");
        }
    }
    let before: Vec<String> = tables.iter().map(|table| versions(by_sql, table)).collect();
    by_sql.sql(&statements);
    let after: Vec<String> = tables.iter().map(|table| versions(by_sql, table)).collect();
    assert_eq!(before, after);
}

#[test]
fn generated_dirt_gives_the_same_rows_in_all_thirteen_targets() {
    let (by_run, by_sql) = (Database::workspace(), Database::workspace());
    let tables: Vec<String> = [664, 665, 666, 667, 668, 670, 671, 672, 673, 674, 675, 696, 698]
        .iter()
        .map(|number| format!("mvpw5_{number}"))
        .collect();
    let tables: Vec<&str> = tables.iter().map(String::as_str).collect();
    // Rows that are out of date, and rows that are there already.
    assert_same(&by_run, &by_sql, &tables, &[]);
    by_sql
        .sql("UPDATE mvpw5_696 SET role = 'other' WHERE id % 7 = 0; DELETE FROM mvpw5_670 WHERE id % 3 = 0");
    by_sql.sql(&printed(&by_sql, &["agents", "participants"]));
    for table in ["mvpw5_696", "mvpw5_670"] {
        assert_eq!(image(&by_run, table), image(&by_sql, table), "{table}");
    }
}

#[test]
fn without_a_database_the_types_are_those_of_the_pipeline() {
    let database = Database::workspace();
    let output = program().args(["sql", "network"]).output().expect("the program runs");
    assert!(output.status.success(), "{}", stderr(&output));
    let rows = database.lines(&stdout(&output));
    assert_eq!(rows, ["mvpw5_698|0|1732"]);
    assert_eq!(database.lines(&stdout(&output)), ["mvpw5_698|0|0"]);
}

/// Each case of the contract is a document; each type with its options is a column. So every value meets
/// every cast, and the cells of its own column are known.
#[test]
fn every_value_of_the_contract_in_every_cast_equals_the_engine() {
    let make = || {
        let database = Database::empty();
        let fixtures = concat!(env!("CARGO_MANIFEST_DIR"), "/fixtures");
        for file in ["oracle.sql", "oracle_cases.sql"] {
            database.sql(&std::fs::read_to_string(format!("{fixtures}/{file}")).expect("a fixture"));
        }
        database.sql(
            "CREATE TABLE source AS SELECT number::bigint AS id,
               CASE WHEN input IS NULL THEN '{}' ELSE jsonb_build_object('c', input) END AS xdo FROM oracle.cases;
             ALTER TABLE source ADD PRIMARY KEY (id);",
        );
        database
    };
    let (by_run, by_sql) = (make(), make());
    let casts = by_run.sql("SELECT DISTINCT type, options FROM oracle.cases ORDER BY 1, 2");
    let mut pipeline =
        "entity = \"cases\"\nsource = \"source\"\n[target.cases]\ntable = \"cases\"\nkey = \"id\"\n\
                        [target.cases.columns]\nid = \"$id\"\n"
            .to_owned();
    let mut table = "CREATE TABLE cases (id bigint PRIMARY KEY".to_owned();
    for (number, cast) in casts.iter().enumerate() {
        let options: serde_json::Map<String, serde_json::Value> =
            serde_json::from_str(&cast[1]).expect("options are an object");
        write!(pipeline, "c{number} = {{ from = \"c\", type = \"{}\"", cast[0]).expect("a string");
        for (option, value) in &options {
            write!(pipeline, ", {option} = {value}").expect("a string");
        }
        pipeline.push_str(" }\n");
        write!(table, ", c{number} {}", cast[0]).expect("a string");
    }
    table.push(')');
    let pipelines = Pipelines::new(&[("cases.toml", &pipeline)]);
    by_run.sql(&table);
    by_sql.sql(&table);
    assert_same(&by_run, &by_sql, &["cases"], &["--pipelines", pipelines.path()]);
    let mut wrong = Vec::new();
    for (number, cast) in casts.iter().enumerate() {
        let condition = format!(
            "e.type = {} AND e.options = {}",
            crate::support::literal(&cast[0]),
            crate::support::literal(&cast[1])
        );
        wrong.extend(by_sql.lines(&format!(
            "SET TimeZone = 'UTC'; SELECT e.type, e.options, e.input, e.expected, c.c{number}::text
             FROM oracle.cases e JOIN cases c ON c.id = e.number
             WHERE {condition} AND c.c{number}::text IS DISTINCT FROM e.expected"
        )));
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

const EVERYTHING: &str = r#"
entity = "things"
source = { table = "Odd \"schema\".\"so;urce?\"" , id = "the id", document = "doc'ument" }

[target.thing]
table = "thing"
key = "id"
filter = { from = "kind", drop = ["TEST", "?"] }
[target.thing.columns]
id = "$id"
id_text = { from = "$id", type = "text", map = { "3" = "three" } }
lat = { from = ["location.lat", "lat"], type = "double precision", default = 1.5 }
city = { type = "text", trim = true, null_values = ["N/A", "3"], case = "title" }
loud = { from = "city", type = "varchar(12)", trim = true, case = "upper" }
quiet = { from = "city", type = "text", case = "lower", map = { "denver" = "DEN", "o'neil \\ ?" = "{{x}}" } }
state = { type = "text", lookup = "states.csv", default = "none" }
phone = { from = ["cell", "phone"], type = "text", function = "digits", blank = "null" }
status = { type = "text", allowed = ["A", "B?"] }
price = { type = "numeric(10,2)", parse = "money" }
share = { type = "real", parse = "percent" }
day = { type = "date", format = ["MM/DD/YYYY", "YYYYMMDD", "DD.MM.YYYY HH24:MI"] }
at = { type = "timestamptz", unit = "s", format = "MM/DD/YYYY HH24:MI:SS" }
ms = { from = "at", type = "epoch_ms", none = [0, -1] }
small = { type = "smallint", none = [99999, 0] }
tags = { type = "varchar(5)[]", scalar = "wrap", default = ["x", 1.50] }
nums = { from = "tags", type = "bigint[]", scalar = "wrap", none = [0] }
extra = { type = "jsonb", parse = "json" }
raw = { from = "extra", type = "json", parse = "json" }
flag = { type = "boolean", object = "true", default = false }
fixed = { const = { a = [1, "x?"] } }
dated = { const = 2025-01-15 }
"odd \"; column" = { from = "\"key.with \"\"dots\"", type = "text" }
long = { from = "a_key_that_is_longer_than_a_name_on_the_server_may_be_which_is_63_bytes", type = "text" }

[target.strict]
table = "strict"
key = ["id", "code"]
on_reject = "row"
[target.strict.columns]
id = "$id"
code = { from = "small", type = "integer", default = 7 }
price = { type = "numeric", default = 0 }
state = { type = "text", lookup = "states.csv" }
small = { type = "smallint", none = [99999, 0] }
ms = { from = "at", type = "epoch_ms", none = [0, -1] }
tags = { type = "text[]", scalar = "wrap" }
must = "text"

[target.other]
table = "other"
key = "code"
[target.other.columns]
code = "uuid"
small = "bigint"
"#;

const EVERYTHING_TABLES: &str = r#"
CREATE TABLE thing (id bigint PRIMARY KEY, id_text text, lat double precision, city text, loud varchar(12),
  quiet text, state text, phone text, status text, price numeric(10,2), share real, day date, at timestamptz,
  ms bigint, small smallint, tags varchar(5)[], nums bigint[], extra jsonb, raw json, flag boolean, fixed jsonb,
  dated date, "odd ""; column" text, long text);
CREATE TABLE strict (id bigint, code integer, price numeric, state text, small smallint, ms bigint,
  tags text[], must text NOT NULL);
CREATE TABLE other (code uuid, small bigint);
"#;

/// Values that each key of [`EVERYTHING`] may meet, as JSON; all of them are tried in every key.
const VALUES: &[&str] = &[
    "null",
    "true",
    "false",
    "0",
    "-0",
    "1",
    "3",
    "-1",
    "99999",
    "32768",
    "12.0",
    "12.5",
    "1e5",
    "1e300",
    "1e-300",
    "9223372036854775807",
    "9223372036854775808",
    "0.30000000000000004",
    "123456789012345678901234567890.10",
    "3.4028235e38",
    "3.4028236e38",
    "1e-46",
    "7.1e-46",
    "253402300800000",
    "1754352000",
    "-1.5",
    "\"\"",
    "\" \\t\"",
    "\"0\"",
    "\"0012\"",
    "\"12.0\"",
    "\" 12 \"",
    "\"1e3\"",
    "\"1e999999999999\"",
    "\"0e99999999999\"",
    "\"1e-999999\"",
    "\"-0\"",
    "\"$1,234.565\"",
    "\"($5)\"",
    "\"-$ 5\"",
    "\"$-5\"",
    "\"(-5)\"",
    "\"1,23\"",
    "\"2.5 %\"",
    "\"%\"",
    "\"NaN\"",
    "\"Infinity\"",
    "\"N/A\"",
    "\" N/A \"",
    "\"denver\"",
    "\"DENVER\"",
    "\"o'neil \\\\ ?\"",
    "\"straße ÉVA ΟΔΟΣ x\"",
    "\"éclair d'été 2nd ǆ\"",
    "\"CO\"",
    "\"co\"",
    "\"A\"",
    "\"B?\"",
    "\"TEST\"",
    "\"+1 (303) 555-0100\"",
    "\"2025-01-15\"",
    "\"2025-02-29\"",
    "\"0000-00-00\"",
    "\"2025-01-15T24:00:00+02:00\"",
    "\"2025-01-15t09:30z\"",
    "\"2025-01-15 23:59:60.9999995-0330\"",
    "\"2025-01-15T25:00\"",
    "\"294276-12-31T23:59:59.999999Z\"",
    "\"5874897-12-31\"",
    "\"5874898-01-01\"",
    "\"01/15/2025\"",
    "\"02/30/2025\"",
    "\"20250115\"",
    "\"20251315\"",
    "\"15.01.2025 09:30\"",
    "\"01/15/2025 23:59:59\"",
    "\"1754352000000\"",
    "\"-99999999999999999999\"",
    "\"a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11\"",
    "\"{A0EEBC999C0B4EF8BB6D6BB9BD380A11}\"",
    "\"null\"",
    "[]",
    "{}",
    "[1, \"2\", null, \"\"]",
    "[\"abcdef\"]",
    "[0, 5]",
    "[[1], {\"a\": 2}]",
    "{\"id\": 5}",
    "\"{\\\"a\\\": [1, 2.50, {\\\"b\\\": null}], \\\"a\\\": \\\"x\\\"}\"",
    "\"[1,]\"",
    "\"[1 2]\"",
    "\"{\\\"a\\\" 1}\"",
    "\"01\"",
    "\"\\\"\\\\u0000\\\"\"",
    "\"\\\"\\\\ud83d\\\\ude00\\\"\"",
    "\"\\\"\\\\ud83d\\\"\"",
    "\"[\\\"\\\\\\\\ud83d\\\"]\"",
    "\"[1e400]\"",
    "\"1e200000\"",
    "\"[[[[[[]]]]]\"",
    "\" [true , \\n\\\"a\\\"] \"",
    "\"\\\"a\\tb\\\"\"",
    "\"truefalse\"",
    "\"👍 two\\nlines\\\\ and 'quotes' {{ ?\"",
];

const KEYS: &[&str] = &[
    "kind",
    "city",
    "state",
    "phone",
    "cell",
    "status",
    "price",
    "share",
    "day",
    "at",
    "small",
    "tags",
    "extra",
    "flag",
    "lat",
    "must",
    "key.with \"dots",
    "code",
    "a_key_that_is_longer_than_a_name_on_the_server_may_be_which_is_63_bytes",
];

fn everything() -> Database {
    let database = Database::empty();
    let mut sql = "CREATE SCHEMA \"Odd \"\"schema\"\"\"; CREATE TABLE \"Odd \"\"schema\"\"\".\"so;urce?\" (\"the id\" bigint PRIMARY KEY, \"doc'ument\" jsonb);"
        .to_owned();
    let mut insert = |id: usize, document: &str| {
        let document = crate::support::literal(document);
        sql.push_str(&format!(
            "INSERT INTO \"Odd \"\"schema\"\"\".\"so;urce?\" VALUES ({id}, {document}::jsonb);"
        ));
    };
    // What is no object at all.
    for (index, document) in ["1", "[]", "null", "\"{}\"", "[{\"city\": \"x\"}]", "{}"].iter().enumerate() {
        insert(index + 1, document);
    }
    for (index, value) in VALUES.iter().enumerate() {
        let all: Vec<String> = KEYS.iter().map(|key| format!("{key:?}: {value}")).collect();
        insert(100 + index, &format!("{{{}}}", all.join(", ")));
        // The same, with what the strict target asks for, and values below a key.
        insert(
            1000 + index,
            &format!(
                "{{\"must\": \"x\", \"location\": {{\"lat\": {value}}}, \"lat\": 2, \"price\": {value}}}"
            ),
        );
        insert(
            2000 + index,
            &format!("{{\"must\": \"x\", \"location\": {value}, \"at\": {value}, \"tags\": {value}}}"),
        );
        insert(3000 + index, &format!("{{\"must\": \"x\", \"small\": {value}, \"state\": \"CO\"}}"));
    }
    database.sql(&sql);
    database.sql("INSERT INTO \"Odd \"\"schema\"\"\".\"so;urce?\" VALUES (50, NULL)");
    database.sql(EVERYTHING_TABLES);
    database
}

#[test]
fn every_option_and_every_odd_name_gives_what_the_engine_gives() {
    let (by_run, by_sql) = (everything(), everything());
    // A key that stands twice stops a run.
    for database in [&by_run, &by_sql] {
        database.sql(
            "UPDATE \"Odd \"\"schema\"\"\".\"so;urce?\" SET \"doc'ument\" = \"doc'ument\" - 'code'
             WHERE \"doc'ument\" ->> 'code' ILIKE '%A0EEBC99%' AND \"doc'ument\" ->> 'code' LIKE '{%'",
        );
    }
    let pipelines = Pipelines::new(&[
        ("things.toml", EVERYTHING),
        ("states.csv", "key,value\nCO,Colo'rado?\n\"N,Y\",\"New \\ York\"\nA,\n"),
    ]);
    assert_same(&by_run, &by_sql, &["thing", "strict", "other"], &["--pipelines", pipelines.path()]);
    assert_eq!(by_sql.value("SELECT count(*) FROM other"), "1");
    let statement = printed(&by_sql, &["--pipelines", pipelines.path()]);
    assert_eq!(statement.matches('?').count(), 2, "a placeholder beside the name of the table");
}

#[test]
fn a_row_whose_key_stands_twice_in_v1_is_left_out() {
    let pipeline = "entity = \"p\"\nsource = \"source\"\n[target.p]\ntable = \"p\"\nkey = \"code\"\n\
                    [target.p.columns]\ncode = \"text\"\nn = \"bigint\"\n";
    let pipelines = Pipelines::new(&[("p.toml", pipeline)]);
    let database = Database::with(
        &[(1, r#"{"code": "a", "n": 1}"#), (2, r#"{"code": "a", "n": 2}"#), (3, r#"{"code": "b", "n": 3}"#)],
        "CREATE TABLE p (code text, n bigint);",
    );
    assert_eq!(database.lines(&printed(&database, &["--pipelines", pipelines.path()])), ["p|0|1"]);
    assert_eq!(database.lines("SELECT * FROM p"), ["b|3"]);
}

#[test]
fn the_arrow_style_loads_clean_documents_and_is_safe_to_run_again() {
    let pipeline = "entity = \"people\"\nsource = \"source\"\n[target.person]\ntable = \"person\"\nkey = \"id\"\n\
                    [target.person.columns]\nid = \"$id\"\nname = \"text\"\nage = { type = \"bigint\", default = 0 }\n\
                    team_id = \"reference\"\nborn = \"date\"\nseen = \"timestamptz\"\nextra = \"jsonb\"\n\
                    tags = \"text[]\"\nlat = { from = \"at.lat\", type = \"numeric\" }\n";
    let pipelines = Pipelines::new(&[("people.toml", pipeline)]);
    let database = Database::with(
        &[
            (
                1,
                r#"{"name": "Ann", "age": "30", "team_id": 0, "born": "2000-02-29", "seen": 1500, "extra": {"a": 1}, "tags": ["x", "y"], "at": {"lat": 1.10}}"#,
            ),
            (2, r#"{"name": "", "age": "", "team_id": 7, "born": ""}"#),
            (9, r#"{"name": "Old"}"#),
        ],
        "CREATE TABLE person (id bigint PRIMARY KEY, name text, age bigint, team_id bigint, born date,
           seen timestamptz, extra jsonb, tags text[], lat numeric); INSERT INTO person (id) VALUES (9);",
    );
    let statements = printed(&database, &["--style", "arrow", "--pipelines", pipelines.path()]);
    assert!(
        statements.contains("COALESCE(NULLIF(\"xdo\"->>'age', '')::bigint, '0'::bigint)"),
        "{statements}"
    );
    for _ in 0..2 {
        database.sql(&statements);
        assert_eq!(
            database.lines("SET TimeZone = 'UTC'; SELECT * FROM person ORDER BY id"),
            [
                "1|Ann|30|∅|2000-02-29|1970-01-01 00:00:01.5+00|{\"a\": 1}|{x,y}|1.10",
                "2||0|7|∅|∅|∅|{}|∅",
                "9|∅|∅|∅|∅|∅|∅|∅|∅"
            ]
        );
    }
}

#[test]
fn a_stanza_unescapes_to_its_statement() {
    let database = Database::workspace();
    let statement = printed(&database, &["users"]);
    let stanza = printed(&database, &["users", "--xanoscript"]);
    assert!(stanza.starts_with("db.direct_query {\n  sql = \""), "{stanza}");
    assert!(stanza.ends_with("\"\n  response_type = \"list\"\n} as $users\n"), "{stanza}");
    let escaped = stanza.lines().nth(1).expect("the sql").trim().strip_prefix("sql = \"").expect("a string");
    let mut unescaped = String::new();
    let mut characters = escaped.strip_suffix('"').expect("the end of the string").chars();
    while let Some(character) = characters.next() {
        match character {
            '"' => panic!("a quote that is not escaped"),
            '\\' => unescaped.push(match characters.next() {
                Some('n') => '\n',
                Some('r') => '\r',
                Some('t') => '\t',
                Some(itself @ ('\\' | '"')) => itself,
                other => panic!("an escape that XanoScript does not have: {other:?}"),
            }),
            other => unescaped.push(other),
        }
    }
    assert_eq!(format!("{unescaped};\n"), statement);
    assert!(!statement.contains('?') && !statement.contains("{{"));
}
