//! `bench` as a process: what it measures is compared first, what it prints adds up, and what was there
//! before is there afterwards.

use std::fs;
use std::path::PathBuf;

use serde_json::Value;

use crate::support::{Database, Running, Temp, program, server, stderr, stdout, try_sql};

/// A bench on a database of a test; prints its JSON object.
fn bench(database: &Database, arguments: &[&str]) -> Value {
    let output = program()
        .args(["bench", "--source", &database.url, "--progress", "none", "--json", "-"])
        .args(arguments)
        .output()
        .expect("the program runs");
    assert!(output.status.success(), "{}", stderr(&output));
    serde_json::from_slice(&output.stdout).expect("one JSON object on standard output")
}

fn results(report: &Value) -> &[Value] {
    report["results"].as_array().expect("results")
}

/// The row of a scenario and a contender, by its read path where it has one.
fn row<'r>(report: &'r Value, scenario: &str, contender: &str, read: Option<&str>) -> &'r Value {
    let found = results(report).iter().find(|row| {
        row["scenario"] == scenario && row["contender"] == contender && row["read_path"].as_str() == read
    });
    found.unwrap_or_else(|| panic!("no {scenario} {contender} {read:?}"))
}

fn number(row: &Value, name: &str) -> f64 {
    row[name].as_f64().unwrap_or_else(|| panic!("no {name} in {row}"))
}

/// The ratio that a field tells is that of two medians.
fn assert_ratio(row: &Value, field: &str, other: &Value) {
    let expected = number(row, "median_ms") / number(other, "median_ms");
    let found = number(row, field);
    assert!((found - expected).abs() <= 1e-4, "{field}: {found}, not {expected}");
}

/// The whole of it on a private server: every contender, in every scenario.
#[test]
fn every_contender_leaves_in_v2_what_v1_says_but_arrow_in_a_refresh() {
    let temp = Temp::new("bench");
    let files = Temp::new("bench-files");
    let file = |name: &str| files.path().join(name);
    let output = temp
        .command("bench")
        .args(["workspace", "--scale", "0.002", "--samples", "1", "--progress", "plain"])
        .arg("--json")
        .arg(file("b.json"))
        .arg("--csv")
        .arg(file("b.csv"))
        .arg("--html")
        .arg(file("b.html"))
        .output()
        .expect("the program runs");
    let (told, table) = (stderr(&output), stdout(&output));
    assert_eq!(output.status.code(), Some(0), "{told}");
    assert_eq!(temp.content(), [] as [PathBuf; 0]);
    let report: Value =
        serde_json::from_str(&fs::read_to_string(file("b.json")).expect("the file")).expect("JSON");
    let header = &report["header"];
    assert_eq!((&header["scale"], &header["dirt"]), (&0.002.into(), &"castable".into()));
    assert_eq!(header["server"]["settings"]["fsync"], "on");
    assert_eq!(header["tables"].as_array().map(Vec::len), Some(5));

    // 6 SQL, 2 floors, and of xdoflow 6 in a reload, 4 beside them where V2 is full, as it is by default.
    let counts = ["reload", "refresh", "no_change", "backfill"]
        .map(|scenario| results(&report).iter().filter(|row| row["scenario"] == scenario).count());
    assert_eq!(counts, [14, 11, 13, 9]);
    for row in results(&report) {
        let name = format!("{} {} {}", row["scenario"], row["contender"], row["read_path"]);
        let arrow = row["contender"] == "arrow";
        let wrong = arrow && row["scenario"] == "refresh";
        assert_eq!(row["correct"], !wrong, "{name}: {row}");
        assert_eq!(row["entity"], "workspace");
        assert_eq!(row["atomic"].as_bool(), Some(!arrow && !name.contains("×N") && !name.contains("floor")));
        assert_eq!(row["in_place"], row["contender"] != "ctas", "{name}");
        assert_eq!(row["wall_ms"].as_array().map(Vec::len), Some(1), "{name}");
        assert_eq!(row["median_ms"], row["wall_ms"][0], "{name}");
        assert!(row["cpu_client_ms"].is_number() && row["cpu_server_ms"].is_number(), "{name}");
        if name.contains("xdoflow") {
            // More than nothing, and less than the bar of the engine by far: it is the process's own.
            let rss = number(row, "rss_peak_bytes");
            assert!((2e6..64e6).contains(&rss), "{name}: {rss}");
        }
        if row["scenario"] == "no_change" && !name.contains("floor") {
            let none = if reads_wal() { Value::from(0) } else { Value::Null };
            assert_eq!(row["wal_target_bytes"], none, "{name}");
        }
        if row["scenario"] == "reload" {
            assert!(number(row, "wal_bytes") > 100_000.0, "{name}");
            assert_ratio(row, "vs_arrow", self::row(&report, "reload", "arrow", None));
            let read = row["read_path"].as_str().unwrap_or("text");
            assert_ratio(row, "vs_floor", self::row(&report, "reload", "floor", Some(read)));
        }
    }
    assert!(row(&report, "refresh", "plain", None)["vs_arrow"].is_null());

    assert_csv_is_json(&fs::read_to_string(file("b.csv")).expect("the file"), &report);
    assert_page_is_json(&fs::read_to_string(file("b.html")).expect("the file"), &report);
    assert!(
        told.contains(" timed runs, about ") && told.contains("] reload users: arrow, sample 1: "),
        "{told}"
    );
    assert!(table.contains("reload, workspace (empty targets)"), "{table}");
    assert!(table.contains("wrong: "), "{table}");
    assert_eq!(table.contains("no WAL on the targets"), reads_wal(), "{table}");
    assert_eq!(told.contains("pg_waldump is not among"), !reads_wal(), "{told}");
}

/// Whether the server came with a program that reads its log of changes: not every distribution has it.
fn reads_wal() -> bool {
    server().bin_dir().join("pg_waldump").is_file()
}

fn assert_csv_is_json(text: &str, report: &Value) {
    let mut reader = csv::Reader::from_reader(text.as_bytes());
    let names = reader.headers().expect("a header").clone();
    let lines: Vec<csv::StringRecord> = reader.records().map(|line| line.expect("a line")).collect();
    assert_eq!(lines.len(), results(report).len());
    for (line, row) in lines.iter().zip(results(report)) {
        for (name, cell) in names.iter().zip(line) {
            let expected = match &row[name] {
                Value::Null if name == "samples" => {
                    row["wall_ms"].as_array().expect("times").len().to_string()
                }
                Value::Null => String::new(),
                Value::String(text) => text.clone(),
                Value::Number(number) => number.as_f64().expect("a number").to_string(),
                Value::Array(times) => {
                    let times: Vec<String> =
                        times.iter().map(|ms| ms.as_f64().expect("a time").to_string()).collect();
                    times.join(" ")
                }
                other => other.to_string(),
            };
            assert_eq!(cell, expected, "{name} of {row}");
        }
    }
}

/// Each row of the page's tables bears the median of the JSON object, and shows it where it is right.
fn assert_page_is_json(page: &str, report: &Value) {
    let rows: Vec<&str> =
        page.lines().filter(|line| line.starts_with("<tr") && line.contains("<td>")).collect();
    assert_eq!(rows.len(), results(report).len());
    for (line, row) in rows.iter().zip(results(report)) {
        let median = number(row, "median_ms");
        assert!(line.contains(&format!("data-median-ms=\"{median}\"")), "{line}");
        let shown = format!("<td>{:.3} s</td>", median / 1000.0);
        assert_eq!(line.contains(&shown), row["correct"] == true, "{line}");
        assert!(line.contains(row["contender"].as_str().expect("a name")), "{line}");
    }
    let charts = page.matches("<svg").count();
    assert_eq!(charts, 4);
    assert_eq!(
        page.matches("<rect").count(),
        results(report).iter().filter(|row| row["correct"] == true).count()
    );
    assert!(
        !page.contains("http://") && !page.contains("https://") && !page.contains("<script"),
        "it asks nobody"
    );
}

#[test]
fn ratios_are_those_of_medians_and_what_arrow_does_not_see_is_counted_to_the_row() {
    let database = Database::empty();
    let report = bench(
        &database,
        &[
            "participants",
            "--scale",
            "0.004",
            "--samples",
            "3",
            "--scenarios",
            "refresh,reload",
            "--contenders",
            "arrow,plain,ctas,xdoflow-merge:text",
        ],
    );
    assert_eq!(results(&report).len(), 7);
    let arrow = row(&report, "refresh", "arrow", None);
    // Of 2,808 rows those numbered 14, 114 … 2714 have changed, and 500, 1500 and 2500 are gone; those that
    // are new it inserts.
    assert_eq!((&arrow["correct"], &arrow["rows_wrong"]), (&false.into(), &31.into()));
    assert_eq!(arrow["wall_ms"].as_array().map(Vec::len), Some(1), "no further samples");
    for row in results(&report).iter().filter(|row| row["correct"] == true) {
        assert_eq!(row["rows_wrong"], 0);
        let mut times: Vec<f64> =
            row["wall_ms"].as_array().expect("times").iter().filter_map(Value::as_f64).collect();
        assert_eq!(times.len(), 3);
        times.sort_by(f64::total_cmp);
        assert_eq!(number(row, "median_ms"), times[1]);
        let rows_per_s = 2808.0 * 1000.0 / times[1];
        assert!((number(row, "rows_per_s") - rows_per_s).abs() <= 0.05 + 1e-6, "{row}");
        // The server is another's: nobody can say what its processes cost.
        assert!(row["cpu_server_ms"].is_null() && row["vs_floor"].is_null(), "{row}");
    }
    let [plain, ctas, ours] = ["plain", "ctas", "xdoflow merge"]
        .map(|name| row(&report, "reload", name, name.starts_with("xdoflow").then_some("text")));
    let arrow = row(&report, "reload", "arrow", None);
    let fastest = |rows: &[&'static str]| {
        let rows = rows.iter().map(|name| row(&report, "reload", name, None));
        rows.min_by(|a, b| number(a, "median_ms").total_cmp(&number(b, "median_ms"))).expect("a row")
    };
    for row in [arrow, plain, ctas, ours] {
        assert_ratio(row, "vs_arrow", arrow);
        assert_ratio(row, "vs_best_sql", fastest(&["arrow", "plain", "ctas"]));
        assert_ratio(row, "vs_best_inplace_sql", fastest(&["arrow", "plain"]));
    }
    assert_left_alone(&database);
}

/// V2 is empty again, and nothing of the bench is left but the ledger of the runs.
fn assert_left_alone(database: &Database) {
    assert_eq!(database.value("SELECT to_regnamespace('xdoflow_bench')"), "∅");
    let tables = database.sql("SELECT tablename FROM pg_tables WHERE tablename LIKE 'mvpw5%'");
    assert_eq!(tables.len(), 14);
    for table in tables {
        assert_eq!(database.value(&format!("SELECT count(*) FROM {}", table[0])), "0", "{}", table[0]);
    }
}

#[test]
fn a_v1_that_was_there_is_measured_but_never_changed() {
    let database = Database::workspace();
    let image =
        "SELECT md5(string_agg(xmin::text || ctid::text || v::text, ';' ORDER BY ctid)) FROM mvpw1_34 v";
    let before = database.value(image);
    let report = bench(
        &database,
        &[
            "transactions",
            "--samples",
            "1",
            "--contenders",
            "arrow,record,xdoflow-merge,xdoflow-changed,floor",
        ],
    );
    assert_eq!(database.value(image), before);
    assert_left_alone(&database);
    let header = &report["header"];
    assert!(header["scale"].is_null() && header["dirt"].is_null());
    let notes = header["notes"].to_string();
    assert!(notes.contains("no refresh") && notes.contains("no cast from jsonb to bytea"), "{notes}");
    assert!(results(&report).iter().all(|row| row["scenario"] != "refresh" && row["read_path"] != "raw"));
    // As dirty as the field: SQL without a reject stops at the first bad cell, and says so.
    for row in results(&report) {
        let (scenario, contender) = (&row["scenario"], row["contender"].as_str().expect("a name"));
        let ours = contender.starts_with("xdoflow") || contender == "floor";
        if scenario == "no_change" && contender == "arrow" {
            // NOT IN leaves no row of which a cell would be cast.
            assert_eq!(row["correct"], true);
            continue;
        }
        assert_eq!(row["correct"], ours, "{row}");
        if !ours {
            let error = row["error"].as_str().expect("an error");
            assert!(error.contains("invalid input syntax") || error.contains("out of range"), "{error}");
            assert!(row["median_ms"].is_null() && row["wall_ms"] == Value::Array(Vec::new()), "{row}");
        }
    }
    assert_eq!(row(&report, "no_change", "xdoflow changed", Some("text"))["correct"], true);
}

#[test]
fn named_entities_have_rows_of_their_own_beside_the_workspace_of_all() {
    let database = Database::workspace();
    let arguments = ["users", "workspace", "--samples", "1", "--scenarios", "backfill", "--contenders"];
    let report = bench(&database, &[&arguments[..], &["xdoflow-merge:text"]].concat());
    let rows: Vec<(&str, &str, u64)> = results(&report)
        .iter()
        .map(|row| {
            let word = |name: &str| row[name].as_str().expect("a word");
            let rows = number(row, "rows_per_s") * number(row, "median_ms") / 1000.0;
            (word("entity"), word("contender"), rows.round() as u64)
        })
        .collect();
    let half = |table: &str| -> u64 {
        let rows: u64 = database.value(&format!("SELECT count(*) FROM {table}")).parse().expect("a count");
        (rows / 2).clamp(1, 10_000)
    };
    let all = ["mvpw1_41", "mvpw1_36", "mvpw1_34", "mvpw1_39", "mvpw1_48"].map(half);
    let sum = all.iter().sum();
    assert_eq!(rows, [("users", "xdoflow merge", all[0]), ("workspace", "xdoflow merge", sum)]);
}

#[test]
fn a_v2_that_holds_rows_is_left_as_it_is() {
    let database = Database::workspace();
    database.sql("INSERT INTO mvpw5_667 (user_id) VALUES (7)");
    let output =
        program().args(["bench", "users", "--source", &database.url]).output().expect("the program runs");
    assert_eq!(output.status.code(), Some(1));
    let text = stderr(&output);
    assert!(text.contains("mvpw5_667 holds rows") && text.contains("a database of its own"), "{text}");
    assert_eq!(database.lines("SELECT user_id FROM mvpw5_667"), ["7"]);
    assert_eq!(database.value("SELECT to_regnamespace('xdoflow_bench')"), "∅");
}

#[test]
fn wrong_usage_is_told_before_anything_is_started() {
    let (one, other) = (Database::empty(), Database::empty());
    for (arguments, expected) in [
        (vec!["--contenders", "arow"], "there is no contender \"arow\""),
        (vec!["zebras"], "there is no pipeline for \"zebras\""),
        (vec!["--source", &one.url, "--target", &other.url], "needs V1 and V2 in one database"),
    ] {
        let output = program().arg("bench").args(arguments).output().expect("the program runs");
        let text = stderr(&output);
        assert_eq!(output.status.code(), Some(2), "{text}");
        assert!(text.contains(expected), "{text}");
    }
}

#[test]
fn ctrl_c_ends_a_bench_and_takes_away_what_it_has_made() {
    let database = Database::empty();
    let mut command = program();
    command.args(["bench", "participants", "--source", &database.url, "--scale", "0.01", "--samples", "9"]);
    command.args(["--scenarios", "no-change", "--progress", "json"]);
    let mut running = Running::start(command);
    for _ in 0..3 {
        running.wait_for("\"event\":\"end\"");
    }
    running.signal("INT");
    let (code, text) = running.end();
    assert_eq!(code, Some(130), "{text}");
    assert!(text.contains("error: interrupted") && !text.contains("panicked"), "{text}");
    database.wait_for_end();
    assert_left_alone(&database);

    let temp = Temp::new("bench");
    let mut command = temp.command("bench");
    command.args(["users", "--scale", "0.002", "--samples", "99", "--progress", "json"]);
    let mut running = Running::start(command);
    running.wait_for("\"event\":\"end\"");
    running.signal("TERM");
    let (code, text) = running.end();
    assert_eq!(code, Some(143), "{text}");
    assert_eq!(temp.content(), [] as [PathBuf; 0]);
}

#[test]
fn castable_dirt_is_as_frequent_as_the_fields_and_goes_through_the_servers_own_casts() {
    let make = |dirt: &str| {
        let database = Database::empty();
        let made = database.xdoflow(&["generate", "--scale", "0.01", "--dirt", dirt, "--progress", "none"]);
        assert!(made.status.success(), "{}", stderr(&made));
        database.sql(&stdout(&program().arg("ddl").output().expect("the program runs")));
        database
    };
    let (field, castable) = (make("field"), make("castable"));
    let sizes = |database: &Database| {
        database
            .lines("SELECT count(*), min(id), max(id), sum(octet_length(xdo::text)) / 100000 FROM mvpw1_36")
    };
    assert_eq!(sizes(&field), sizes(&castable));
    let statements = stdout(&castable.xdoflow(&["sql", "--style", "arrow"]));
    let session = "SET DateStyle = 'ISO, YMD'; SET TimeZone = 'UTC';";
    assert!(try_sql(&field.url, &format!("{session}{statements}")).is_err());
    castable.sql(&format!("{session}{statements}"));
    castable.json(&["run", "network"]);
    assert_eq!(castable.json(&["verify"])["equal"], true);
}
