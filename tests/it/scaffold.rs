//! `scaffold`: a draft passes `check`, loads what it was made from with no reject, and `verify` finds the
//! target equal; on the generated workspace, on strange tables, and on data that this project did not make.

use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::Value;

use crate::support::{Database, Pipelines, counts, literal, program, stderr, stdout};

/// The draft of a table as the program prints it, pipeline and statements.
fn draft(database: &Database, arguments: &[&str]) -> Value {
    let mut all = vec!["scaffold"];
    all.extend_from_slice(arguments);
    all.extend_from_slice(&["--progress", "none"]);
    database.json(&all)
}

/// Takes the way of a newcomer: the table of the draft made, then check, plan, run, verify and report, no edit by hand. Returns
/// what the run said.
fn taken_as_it_is(database: &Database, draft: &Value) -> Value {
    database.sql(draft["ddl"].as_str().expect("statements"));
    let entity = draft["entity"].as_str().expect("an entity");
    let pipelines =
        Pipelines::new(&[(&format!("{entity}.toml"), draft["pipeline"].as_str().expect("a file"))]);
    let check = database.json(&["check", "--pipelines", pipelines.path()]);
    let errors: Vec<&Value> =
        check["findings"].as_array().unwrap().iter().filter(|one| one["severity"] == "error").collect();
    assert!(errors.is_empty(), "{errors:?}\n{}", draft["pipeline"].as_str().unwrap());
    let plan = database.json(&["plan", "--pipelines", pipelines.path(), "--progress", "none"]);
    let run = database.json(&["run", "--pipelines", pipelines.path(), "--progress", "none"]);
    assert_eq!(
        counts(&plan, 0, ["inserted", "updated", "loaded"]),
        counts(&run, 0, ["inserted", "updated", "loaded"])
    );
    let verified = database.json(&["verify", "--pipelines", pipelines.path(), "--progress", "none"]);
    assert_eq!(verified["equal"], true, "{verified}\n{}", draft["pipeline"].as_str().unwrap());
    let report = database.json(&["report"]);
    assert_eq!((&report["run_id"], &report["state"]), (&run["run_id"], &Value::from("done")), "{report}");
    run
}

/// Checks that every row has arrived with no value rejected.
fn assert_all_arrived(database: &Database, draft: &Value, run: &Value, rows: u64) {
    assert_eq!(counts(run, 0, ["rows", "loaded", "quarantined", "filtered"]), [rows, rows, 0, 0]);
    assert_eq!(run["entities"][0]["rejects"], 0, "{run}");
    assert_eq!(database.value("SELECT count(*) FROM xdoflow.rejects"), "0");
    let target = draft["target"].as_str().expect("a target");
    assert_eq!(database.value(&format!("SELECT count(*) FROM {target}")), rows.to_string());
}

/// The lines of a draft that are no comments, by their columns.
fn column(draft: &Value, name: &str) -> String {
    let pipeline = draft["pipeline"].as_str().expect("a file");
    let begins = format!("{name} = ");
    let line = pipeline.lines().find(|line| line.starts_with(&begins));
    line.unwrap_or_else(|| panic!("no {name} in\n{pipeline}"))[begins.len()..].to_owned()
}

#[test]
fn drafts_of_the_generated_workspace_load_all_of_it_with_no_reject() {
    for table in ["mvpw1_41", "mvpw1_36", "mvpw1_34", "mvpw1_39", "mvpw1_48"] {
        let database = Database::workspace();
        let draft = draft(&database, &[table]);
        let rows: u64 = database.value(&format!("SELECT count(*) FROM {table}")).parse().unwrap();
        assert_eq!((draft["rows"].as_u64(), draft["quarantined"].as_u64()), (Some(rows), Some(0)));
        let run = taken_as_it_is(&database, &draft);
        assert_all_arrived(&database, &draft, &run, rows);
    }
}

#[test]
fn each_kind_of_dirt_gets_the_option_that_reads_it() {
    let database = Database::empty();
    database.sql(
        "CREATE TABLE dirt (id bigint PRIMARY KEY, xdo jsonb);
         INSERT INTO dirt SELECT n, jsonb_build_object(
             'id', n, 'amount', '$1,' || lpad(n::text, 3, '0') || '.50', 'rate', n || '%', 'zip', lpad(n::text, 5, '0'),
             'owner_id', n % 3, 'status', (ARRAY['open', 'closed', 'lost'])[n % 3 + 1], 'note', ' text ' || n,
             'joinDate', to_char(date '2020-01-15' + n, 'MM/DD/YYYY'), 'created_at', 1600000000 + n,
             'seen', (1600000000000 + n), 'born', to_char(date '1980-01-01' + n, 'YYYY-MM-DD'),
             'at', to_char(timestamp '2020-01-01' + n * interval '1 hour', 'YYYY-MM-DD\"T\"HH24:MI:SS\"Z\"'),
             'on', CASE n % 4 WHEN 0 THEN 'true'::jsonb WHEN 1 THEN '\"false\"' WHEN 2 THEN '1' ELSE 'null' END,
             'price', CASE n % 2 WHEN 0 THEN to_jsonb(n) ELSE to_jsonb((n + 0.25)::text) END,
             'count', CASE n % 5 WHEN 0 THEN '\"\"'::jsonb ELSE to_jsonb(n::text) END,
             'uid', md5(n::text)::uuid, 'inner', '{\"a\": ' || n || '}', 'never', null,
             'location', jsonb_build_object('lat', n / 7.0, 'Point', jsonb_build_object('x', n)),
             'tags', jsonb_build_array(n, n + 1), 'moment', CASE WHEN n = 55 THEN '1600000000'::jsonb WHEN n % 10 = 0 THEN to_jsonb('2020-09-13T12:26:40Z'::text)
                 WHEN n % 10 = 1 THEN '0' ELSE to_jsonb(1600000000000 + n) END, 'nearly', CASE n WHEN 7 THEN 'unknown' ELSE n::text END, 'either', CASE n % 2 WHEN 0 THEN '[1]'::jsonb ELSE '\"x\"' END)
         FROM generate_series(1, 300) n",
    );
    let draft = draft(&database, &["dirt"]);
    for (name, expected) in [
        ("id", r#""$id""#),
        ("amount", r#"{ type = "numeric", parse = "money" }"#),
        ("rate", r#"{ type = "numeric", parse = "percent" }"#),
        ("zip", r#""text""#),
        ("owner_id", r#""reference""#),
        ("status", r#"{ type = "text", allowed = ["closed", "lost", "open"] }"#),
        ("note", r#"{ type = "text", trim = true }"#),
        ("join_date", r#"{ from = "joinDate", type = "date", format = "MM/DD/YYYY" }"#),
        ("created_at", r#"{ type = "timestamptz", unit = "s" }"#),
        ("seen", r#""timestamptz""#),
        ("born", r#""date""#),
        ("at", r#""timestamptz""#),
        ("on", r#""boolean""#),
        ("price", r#""numeric""#),
        ("count", r#""bigint""#),
        ("uid", r#""uuid""#),
        ("inner", r#"{ type = "jsonb", parse = "json" }"#),
        ("never", r#""text""#),
        ("location_lat", r#"{ from = "location.lat", type = "numeric" }"#),
        ("location_point_x", r#"{ from = "location.Point.x", type = "bigint" }"#),
        ("tags", r#""jsonb""#),
        ("either", r#""jsonb""#),
        ("nearly", r#""text""#),
        ("moment", r#"{ type = "timestamptz", null_values = ["0"] }"#),
    ] {
        assert_eq!(column(&draft, name), expected, "{name}");
    }
    let pipeline = draft["pipeline"].as_str().unwrap();
    assert!(pipeline.contains("# id: the row's id in every document, left out"), "{pipeline}");
    for text in [
        "# Its elements are the rows of public.dirt_v2_tags, below: keep what you need.\n",
        "[target.tags]\ntable = \"public.dirt_v2_tags\"\nexplode = \"tags\"\n\n[target.tags.columns]\n\
         dirt_id = \"$id\"\nposition = \"$position\"\n",
        "value = { from = \"$element\", type = \"bigint\" }\n",
        "public.dirt_v2_either (\"dirt_id\" bigint, \"position\" bigint, \"value\" bigint); 150 documents hold \
         something else, and would be set aside\n",
    ] {
        assert!(pipeline.contains(text), "{text}\n{pipeline}");
    }
    assert_eq!(draft["children"], serde_json::json!(["public.dirt_v2_tags"]));
    assert!(
        pipeline.contains("# { type = \"numeric\" } would take about 299 values, and reject 1\n"),
        "{pipeline}"
    );
    assert!(pipeline.contains("; 1 of them are not between 1990 and 2100: seconds?\n"), "{pipeline}");
    let run = taken_as_it_is(&database, &draft);
    assert_all_arrived(&database, &draft, &run, 300);
    assert_eq!(
        database.lines("SELECT count(*), sum(value) FROM dirt_v2_tags"),
        database.lines("SELECT count(*), sum(e::int) FROM dirt, jsonb_array_elements(xdo -> 'tags') e")
    );
    assert_eq!(
        database.lines("SELECT moment AT TIME ZONE 'UTC' FROM dirt_v2 WHERE id IN (10, 11, 12) ORDER BY id"),
        ["2020-09-13 12:26:40", "∅", "2020-09-13 12:26:40.012"]
    );
    // By hand: what some of these cells are.
    assert_eq!(
        database.lines(
            "SELECT amount, rate, zip, owner_id, note, join_date, created_at AT TIME ZONE 'UTC', \"on\", price, count,
                    location_lat, location_point_x, tags FROM dirt_v2 WHERE id IN (3, 5) ORDER BY id"
        ),
        [
            "1003.50|3|00003|∅|text 3|2020-01-18|2020-09-13 12:26:43|∅|3.25|3|0.42857142857142857143|3|[3, 4]",
            "1005.50|5|00005|2|text 5|2020-01-20|2020-09-13 12:26:45|f|5.25|∅|0.71428571428571428571|5|[5, 6]",
        ]
    );
}

#[test]
fn arrays_become_child_tables_with_columns_for_the_keys_of_their_elements() {
    let database = Database::empty();
    database.sql(
        r#"CREATE TABLE orders (id bigint PRIMARY KEY, xdo jsonb);
           INSERT INTO orders SELECT n, jsonb_build_object('customer', jsonb_build_object('phones', jsonb_build_array('a', n::text)),
             'lines', (SELECT jsonb_agg(jsonb_build_object('sku', 's' || e, 'price', jsonb_build_object('amount', '$' || e || '.50'),
               'position', e, 'a.b', true, 'parts', '[1, 2]'::jsonb)) FROM generate_series(1, n % 4) e),
             'odd', CASE n WHEN 3 THEN '[1, {"x": 1}, null]'::jsonb WHEN 4 THEN '""' WHEN 5 THEN '0' ELSE '[]' END,
             'none', '[]'::jsonb, 'text', CASE WHEN n % 2 = 0 THEN '[1]'::jsonb ELSE '"1"' END)
           FROM generate_series(1, 200) n;
           INSERT INTO orders VALUES (999, '[1]')"#,
    );
    let draft = draft(&database, &["orders"]);
    assert_eq!(
        draft["children"],
        serde_json::json!([
            "public.orders_v2_customer_phones",
            "public.orders_v2_lines",
            "public.orders_v2_odd"
        ])
    );
    assert_eq!((draft["rows"].as_u64(), draft["quarantined"].as_u64()), (Some(201), Some(1)));
    let pipeline = draft["pipeline"].as_str().unwrap();
    for line in [
        "explode = \"customer.phones\"",
        "sku = { type = \"text\", allowed = [\"s1\", \"s2\", \"s3\"] }",
        "price_amount = { from = \"price.amount\", type = \"numeric\", parse = \"money\" }",
        "position_2 = { from = \"position\", type = \"bigint\" }",
        "a_b = { from = \"\\\"a.b\\\"\", type = \"boolean\" }",
        "parts = \"jsonb\"",
        "value = { from = \"$element\", type = \"jsonb\" }",
    ] {
        assert!(pipeline.lines().any(|found| found == line), "{line}\n{pipeline}");
    }
    let run = taken_as_it_is(&database, &draft);
    assert_eq!(counts(&run, 0, ["loaded", "quarantined"]), [200, 1]);
    assert_eq!(database.lines("SELECT DISTINCT reason_code FROM xdoflow.rejects"), ["not_an_object"]);
    assert_eq!(
        database.lines(
            "SELECT orders_id, position, sku, price_amount, parts FROM orders_v2_lines WHERE orders_id = 6"
        ),
        ["6|1|s1|1.50|[1, 2]", "6|2|s2|2.50|[1, 2]"]
    );
    assert_eq!(
        database.lines("SELECT * FROM orders_v2_odd ORDER BY 1, 2"),
        ["3|1|1", r#"3|2|{"x": 1}"#, "3|3|∅"]
    );
}

#[test]
fn strange_tables_are_drafted_and_what_cannot_be_loaded_is_said() {
    let database = Database::empty();
    database.sql(
        r#"CREATE TABLE "Odd.Table" ("Key" integer PRIMARY KEY, "Doc" jsonb);
           INSERT INTO "Odd.Table" VALUES
             (1, '{"a.b": {"c": 1}, "🦀": "x", "": true, "say \"hi\"": 1, "$d": 1, "Id": "x", "xmin": 5, "a_b_c": 2}'),
             (2, '{"a.b": {"c": 2}, "🦀🦀": "y", "items": [{"n": 1}], "deep": {"a": {"b": {"c": {"d": {"e": {"f": 1}}}}}}}'),
             (3, '[1, 2]'), (4, NULL), (5, 'null')"#,
    );
    let draft = draft(&database, &["\"Odd.Table\"", "--target", "\"odd target\""]);
    assert_eq!((draft["rows"].as_u64(), draft["quarantined"].as_u64()), (Some(5), Some(3)));
    assert!(
        draft["notes"][0].as_str().unwrap().starts_with("3 of 5 rows would be quarantined"),
        "{}",
        draft["notes"]
    );
    database.sql(draft["ddl"].as_str().unwrap());
    let pipelines = Pipelines::new(&[("odd.toml", draft["pipeline"].as_str().unwrap())]);
    let run = database.json(&["run", "--pipelines", pipelines.path(), "--progress", "none"]);
    assert_eq!(counts(&run, 0, ["loaded", "quarantined"]), [2, 3]);
    assert_eq!(
        database.lines("SELECT DISTINCT reason_code FROM xdoflow.rejects"),
        ["not_an_object"],
        "no value is rejected"
    );
    assert_eq!(
        database.lines(r#"SELECT id, a_b_c, a_b_c_2, key, key_2, key_3, say_hi, d, xmin_ FROM "odd target" ORDER BY 1"#).len(),
        2
    );
    let verify = database.json(&["verify", "--pipelines", pipelines.path(), "--progress", "none"]);
    assert_eq!(verify["equal"], true, "{verify}");
}

#[test]
fn a_table_without_keys_or_ids_gives_no_draft_and_says_why() {
    let database = Database::empty();
    database.sql(
        "CREATE TABLE none (id bigint PRIMARY KEY, xdo jsonb);
         CREATE TABLE nameless (name text, xdo jsonb); INSERT INTO nameless VALUES ('a', '{\"a\": 1}')",
    );
    for (table, message) in [
        ("none", "the documents of public.none have no key"),
        ("nameless", "no integer column that identifies a row"),
    ] {
        let output = database.xdoflow(&["scaffold", table, "--progress", "none"]);
        assert_eq!((output.status.code(), stdout(&output).as_str()), (Some(1), ""));
        let text = stderr(&output);
        assert!(text.contains(message) && text.contains("hint:"), "{text}");
    }
}

#[test]
fn a_file_is_written_once_and_replaced_only_where_that_is_said() {
    let database = Database::empty();
    database.sql(
        "CREATE TABLE person (id bigint PRIMARY KEY, xdo jsonb);
         INSERT INTO person SELECT n, jsonb_build_object('name', 'Secret' || n % 3) FROM generate_series(1, 100) n",
    );
    let folder = Pipelines::new(&[]);
    let file = format!("{}/new/person.toml", folder.path());
    let with = |more: &[&str]| {
        let mut all = vec!["scaffold", "person", "--out", &file, "--progress", "none"];
        all.extend_from_slice(more);
        database.xdoflow(&all)
    };
    let output = with(&["--ddl", "--no-examples", "--target", "people"]);
    assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));
    let ddl = stdout(&output);
    assert!(
        ddl.starts_with(
            "CREATE TABLE IF NOT EXISTS \"people\" (\n    \"id\" bigint PRIMARY KEY,\n    \"name\" text\n);\n"
        ),
        "{ddl}"
    );
    let text = std::fs::read_to_string(&file).expect("a file");
    assert!(text.contains("table = \"people\"") && !text.contains("Secret"), "{text}");
    let output = with(&[]);
    assert_eq!((output.status.code(), stdout(&output).as_str()), (Some(2), ""));
    assert!(stderr(&output).contains("is there already"), "{}", stderr(&output));
    assert_eq!(std::fs::read_to_string(&file).expect("a file"), text, "nothing was written");
    assert_eq!(with(&["--force"]).status.code(), Some(0));
    assert!(std::fs::read_to_string(&file).expect("a file").contains("Secret"));
    // A table is its target, not a database, whatever the environment says of that.
    let output = database
        .command(&["scaffold", "person", "--ddl", "--progress", "none"])
        .env("XDOFLOW_TARGET", &database.url)
        .output()
        .expect("the program runs");
    assert!(
        stdout(&output).starts_with("CREATE TABLE IF NOT EXISTS \"public\".\"person_v2\""),
        "{}",
        stdout(&output)
    );
    // Without a file the draft is data, and what is said of it is not.
    let output = database.xdoflow(&["scaffold", "person", "--progress", "none"]);
    assert!(stdout(&output).contains("\nentity = \"person\"\n"), "{}", stdout(&output));
    assert!(stderr(&output).contains("100 rows loaded with no reject"), "{}", stderr(&output));
}

#[test]
fn an_object_is_proposed_as_a_table_of_its_own_and_what_is_proposed_works() {
    let database = Database::empty();
    database.sql(
        "CREATE TABLE places (id bigint PRIMARY KEY, xdo jsonb);
         INSERT INTO places SELECT n, jsonb_build_object('name', 'n' || n,
             'Geo', jsonb_build_object('lat', n + 0.5, 'lon', n)) FROM generate_series(1, 30) n;",
    );
    let draft = draft(&database, &["places"]);
    let pipeline = draft["pipeline"].as_str().expect("a file");
    let proposal = "# Geo: an object, 2 columns of it below. For a table of its own move them below\n\
         # [target.geo] with table = \"public.places_v2_geo\", key = \"places_id\",\n\
         # [target.geo.columns] and places_id = \"$id\".\n";
    assert!(pipeline.contains(proposal), "{pipeline}");
    let run = taken_as_it_is(&database, &draft);
    assert_all_arrived(&database, &draft, &run, 30);

    let (moved, kept): (Vec<&str>, Vec<&str>) = pipeline.lines().partition(|line| line.starts_with("geo_"));
    assert_eq!(moved.len(), 2, "{pipeline}");
    let own = format!(
        "{}\n[target.geo]\ntable = \"public.places_v2_geo\"\nkey = \"places_id\"\n\
         [target.geo.columns]\nplaces_id = \"$id\"\n{}\n",
        kept.join("\n"),
        moved.join("\n")
    );
    database
        .sql("CREATE TABLE places_v2_geo (places_id bigint PRIMARY KEY, geo_lat numeric, geo_lon bigint)");
    let pipelines = Pipelines::new(&[("places.toml", &own)]);
    let run = database.json(&["run", "--pipelines", pipelines.path(), "--progress", "none"]);
    assert_eq!(counts(&run, 1, ["inserted", "quarantined"]), [30, 0]);
    assert_eq!(
        database
            .lines("SELECT places_id, geo_lat, geo_lon FROM places_v2_geo WHERE places_id < 3 ORDER BY 1"),
        ["1|1.5|1", "2|2.5|2"]
    );
}

/// The folder of the data of the npm package vega-datasets, which `.ci/tools` fetches; fetched here where it was
/// not.
fn public_data() -> PathBuf {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let output = Command::new(root.join(".ci/datasets")).output().expect("the script runs");
    assert!(output.status.success(), "{}", stderr(&output));
    PathBuf::from(stdout(&output).trim())
}

/// Loads a list of documents as a table with ids.
fn load(database: &Database, table: &str, documents: &[Value]) {
    database.sql(&format!("CREATE TABLE {table} (id bigint PRIMARY KEY, xdo jsonb)"));
    for (chunk, documents) in documents.chunks(500).enumerate() {
        let rows: Vec<String> = documents
            .iter()
            .enumerate()
            .map(|(at, document)| format!("({}, {})", chunk * 500 + at + 1, literal(&document.to_string())))
            .collect();
        database.sql(&format!("INSERT INTO {table} VALUES {}", rows.join(", ")));
    }
}

#[test]
fn a_newcomer_gets_public_data_into_typed_tables_with_no_edit_by_hand() {
    let folder = public_data();
    for (name, list, rows, columns) in [
        (
            "movies",
            None,
            3_201,
            &[
                ("us_gross", "bigint"),
                ("imdb_rating", "numeric"),
                ("title", "text"),
                ("release_date", "text"),
            ][..],
        ),
        (
            "cars",
            None,
            406,
            &[("year", "date"), ("cylinders", "bigint"), ("acceleration", "numeric"), ("origin", "text")],
        ),
        (
            "earthquakes",
            Some("features"),
            1_707,
            &[
                ("properties_mag", "numeric"),
                ("properties_time", "timestamp with time zone"),
                ("properties_place", "text"),
                ("geometry_coordinates", "jsonb"),
                ("document_id", "text"),
            ],
        ),
    ] {
        let text = std::fs::read_to_string(folder.join(format!("{name}.json"))).expect("a data set");
        let read: Value = serde_json::from_str(&text).expect("JSON");
        let documents = list.map_or(&read, |list| &read[list]).as_array().expect("a list");
        assert_eq!(documents.len(), rows);
        let database = Database::empty();
        load(&database, name, documents);
        let inspected = database.xdoflow(&["inspect", name, "--progress", "none"]);
        assert_eq!(inspected.status.code(), Some(0), "{}", stderr(&inspected));

        // As a user types it: the file into a folder, the statement into the database.
        let pipelines = Pipelines::new(&[]);
        let file = format!("{}/{name}.toml", pipelines.path());
        let output = database.xdoflow(&["scaffold", name, "--out", &file, "--ddl", "--progress", "none"]);
        assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));
        database.sql(&stdout(&output));
        let check = database.xdoflow(&["check", "--pipelines", pipelines.path()]);
        assert_eq!(check.status.code(), Some(0), "{}{}", stdout(&check), stderr(&check));
        let run = database.json(&["run", "--pipelines", pipelines.path(), "--progress", "none"]);
        assert_eq!(counts(&run, 0, ["rows", "loaded", "inserted"]), [rows as u64; 3]);
        assert_eq!(run["entities"][0]["rejects"], 0, "{run}");
        let verify = database.xdoflow(&["verify", "--pipelines", pipelines.path(), "--progress", "none"]);
        assert_eq!(verify.status.code(), Some(0), "{}", stdout(&verify));
        for (column, expected) in columns {
            let found = database.value(&format!(
                "SELECT format_type(atttypid, atttypmod) FROM pg_attribute
                 WHERE attrelid = '{name}_v2'::regclass AND attname = '{column}'"
            ));
            assert_eq!(found, *expected, "{name}.{column}");
        }
        // Three numbers of each earthquake are rows of a child table.
        if name == "earthquakes" {
            assert_eq!(
                database.lines(
                    "SELECT count(*), count(*) FILTER (WHERE to_jsonb(c.value) IS DISTINCT FROM
                       (e.xdo #> ARRAY['geometry', 'coordinates', (c.position - 1)::text]))
                     FROM earthquakes_v2_geometry_coordinates c JOIN earthquakes e ON e.id = c.earthquakes_id"
                ),
                [format!("{}|0", 3 * rows)]
            );
        }
        // A second run finds nothing to do.
        let again = database.json(&["run", "--pipelines", pipelines.path(), "--progress", "none"]);
        assert_eq!(counts(&again, 0, ["unchanged"]), [rows as u64]);
    }
}

#[test]
fn the_help_of_both_commands_shows_examples() {
    for command in ["inspect", "scaffold"] {
        let output = program().args([command, "--help"]).output().expect("the program runs");
        let text = stdout(&output);
        assert!(text.contains("Examples:") && text.contains("personal data"), "{text}");
    }
}
