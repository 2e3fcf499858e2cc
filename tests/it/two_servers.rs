//! V1 on one server, V2 on another, and roles that may do no more than they must.

use std::process::{Command, Output};
use std::sync::LazyLock;

use xdoflow::server::{Server, ServerOptions};

use crate::support::{Database, Pipelines, assert_adds_up, counts, program, stderr, stdout, try_sql};

/// The second server: its superuser's database is V2.
static OTHER: LazyLock<Server> =
    LazyLock::new(|| Server::start(ServerOptions::for_tests()).expect("a second server"));

const V1: [&str; 5] = ["mvpw1_34", "mvpw1_36", "mvpw1_39", "mvpw1_41", "mvpw1_48"];

/// Main tables that must hold the ids of a V1 table, and split tables by their key.
const TARGETS: [(&str, &str, &str); 13] = [
    ("mvpw5_664", "id", "mvpw1_41"),
    ("mvpw5_665", "user_id", "mvpw1_41"),
    ("mvpw5_666", "user_id", "mvpw1_41"),
    ("mvpw5_667", "user_id", "mvpw1_41"),
    ("mvpw5_668", "user_id", "mvpw1_41"),
    ("mvpw5_670", "id", "mvpw1_36"),
    ("mvpw5_671", "agent_id", "mvpw1_36"),
    ("mvpw5_672", "agent_id", "mvpw1_36"),
    ("mvpw5_673", "agent_id", "mvpw1_36"),
    ("mvpw5_674", "agent_id", "mvpw1_36"),
    ("mvpw5_675", "id", "mvpw1_34"),
    ("mvpw5_696", "id", "mvpw1_39"),
    ("mvpw5_698", "id", "mvpw1_48"),
];

fn sql(url: &str, sql: &str) -> Vec<Vec<String>> {
    try_sql(url, sql).unwrap_or_else(|error| panic!("{error}\n{sql}"))
}

fn run(source: &str, target: &str, arguments: &[&str]) -> Output {
    program()
        .args(["run", "--json", "--source", source, "--target", target])
        .args(arguments)
        .output()
        .expect("the program runs")
}

/// A role on the second server that owns the V2 tables and the schema xdoflow, and nothing else.
fn loader(name: &str) -> String {
    sql(&OTHER.url(), &format!("CREATE ROLE {name} LOGIN PASSWORD '{name}'"));
    try_sql(&OTHER.url(), &format!("CREATE DATABASE {name}")).expect("a database");
    let admin = OTHER.url_of(name);
    sql(&admin, "REVOKE ALL ON SCHEMA public FROM public; GRANT USAGE ON SCHEMA public TO public");
    sql(&admin, &format!("CREATE SCHEMA xdoflow AUTHORIZATION {name}"));
    admin
}

fn as_role(admin: &str, role: &str) -> String {
    format!("postgresql://{role}:{role}@{}", admin.rsplit_once('@').expect("a URL with a user").1)
}

#[test]
fn v1_and_v2_on_two_servers_with_roles_that_may_only_read_and_only_load() {
    let source = Database::workspace();
    let (reader_url, reader) = source.role("reader");
    for table in V1 {
        source.sql(&format!("GRANT SELECT ON {table} TO {reader}"));
    }
    let admin = loader("loader_of_v2");
    sql(&admin, &stdout(&program().arg("ddl").output().expect("the program runs")));
    for (table, ..) in TARGETS {
        sql(&admin, &format!("ALTER TABLE {table} OWNER TO loader_of_v2"));
    }
    sql(&admin, "ALTER TABLE mvpw5_684 OWNER TO loader_of_v2");
    let target_url = as_role(&admin, "loader_of_v2");

    let written = "SELECT relname, n_tup_ins, n_tup_upd, n_tup_del FROM pg_stat_user_tables ORDER BY 1";
    source.wait_for_end();
    let before = source.lines(written);
    let output = run(&reader_url, &target_url, &[]);
    assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));
    let summary: serde_json::Value = serde_json::from_slice(&output.stdout).expect("one JSON object");
    assert_adds_up(&summary);
    for (table, key, v1) in TARGETS {
        let ids = "SELECT md5(string_agg(id::text, ',' ORDER BY id)) FROM";
        assert_eq!(
            sql(&admin, &format!("{ids} (SELECT {key} AS id FROM {table}) ids"))[0][0],
            source.value(&format!("{ids} {v1}")),
            "{table}"
        );
    }
    source.wait_for_end();
    assert_eq!(source.lines(written), before);
    assert_eq!(source.value("SELECT to_regnamespace('xdoflow') IS NULL"), "t");
    assert_eq!(sql(&admin, "SELECT state, source LIKE '%reader%' FROM xdoflow.runs"), [["done", "t"]]);
    assert_eq!(sql(&admin, "SELECT count(*) FROM xdoflow.runs WHERE source LIKE '%:reader%'"), [["0"]]);

    // What there is to read and to change changes: a second run finds exactly that.
    source.sql("DELETE FROM mvpw1_48 WHERE id = (SELECT max(id) FROM mvpw1_48)");
    let output = run(&reader_url, &target_url, &["network", "--prune"]);
    assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));
    let summary: serde_json::Value = serde_json::from_slice(&output.stdout).expect("one JSON object");
    assert_eq!(counts(&summary, 0, ["inserted", "updated", "deleted"]), [0, 0, 1]);

    // The other commands know both servers, too.
    for (command, expected) in [
        ("status", "all good: every count is exact"),
        ("check", "checked 19 tables and 210 columns: 9 warnings"),
    ] {
        let output = program()
            .args([command, "--source", &reader_url, "--target", &target_url])
            .output()
            .expect("the program runs");
        assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));
        let text = stdout(&output);
        assert!(text.contains(expected), "{text}");
    }
}

const PIPELINE: &str = "entity = \"people\"\nsource = \"source\"\n[target.person]\ntable = \"person\"\nkey = \"id\"\n\
                        [target.person.columns]\nid = \"$id\"\nname = \"text\"\n";

#[test]
fn v1_is_read_in_read_only_transactions_even_by_a_role_that_may_write() {
    // The rows are there only for a session that can do no harm.
    let source = Database::with(
        &[(1, r#"{"name": "Ann"}"#)],
        "ALTER TABLE source RENAME TO rows;
         CREATE VIEW source AS SELECT * FROM rows WHERE current_setting('transaction_read_only') = 'on';",
    );
    let target = Database::with(&[], "CREATE TABLE person (id bigint PRIMARY KEY, name text)");
    let pipelines = Pipelines::new(&[("people.toml", PIPELINE)]);
    let output = run(&source.url, &target.url, &["--pipelines", pipelines.path()]);
    assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));
    assert_eq!(target.lines("SELECT * FROM person"), ["1|Ann"]);
    assert_eq!(source.value("SELECT to_regnamespace('xdoflow') IS NULL"), "t");
    let output = program()
        .args(["status", "--json", "--source", &source.url, "--target", &target.url])
        .args(["--pipelines", pipelines.path()])
        .output()
        .expect("the program runs");
    let status: serde_json::Value = serde_json::from_slice(&output.stdout).expect("one JSON object");
    assert_eq!(status["entity_counts"][0]["v1"], 1);
}

#[test]
fn the_target_is_the_source_unless_another_is_named() {
    let source = Database::with(&[(1, r#"{"name": "Ann"}"#)], "CREATE TABLE person (id bigint, name text)");
    let target = Database::with(&[], "CREATE TABLE person (id bigint, name text)");
    let pipelines = Pipelines::new(&[("people.toml", PIPELINE)]);
    let arguments = ["run", "--pipelines", pipelines.path()];
    // By flag, by environment, and the flag before the environment.
    let succeeds = |command: &mut Command| {
        let output = command.output().expect("the program runs");
        assert!(output.status.success(), "{}", stderr(&output));
    };
    succeeds(program().args(arguments).args(["--source", &source.url]));
    assert_eq!(source.lines("SELECT * FROM person"), ["1|Ann"]);
    succeeds(source.command(&arguments).env("XDOFLOW_TARGET", &target.url));
    assert_eq!(target.lines("SELECT * FROM person"), ["1|Ann"]);
    source.sql("TRUNCATE person");
    let nowhere = "postgresql://nobody@127.0.0.1:1/nothing";
    succeeds(source.command(&arguments).env("XDOFLOW_TARGET", nowhere).args(["--target", &source.url]));
    assert_eq!(source.lines("SELECT * FROM person"), ["1|Ann"]);
}

#[test]
fn a_role_that_may_not_read_v1_or_not_write_v2_is_told_which_right_it_lacks() {
    let database = Database::with(
        &[(1, r#"{"name": "Ann"}"#)],
        "CREATE TABLE person (id bigint PRIMARY KEY, name text); INSERT INTO person VALUES (9, 'Old');",
    );
    let (url, role) = database.role("guest");
    let pipelines = Pipelines::new(&[("people.toml", PIPELINE)]);
    let refused = |source: &str, target: &str| {
        let output = run(source, target, &["--pipelines", pipelines.path()]);
        assert_eq!(output.status.code(), Some(1));
        assert_eq!(database.lines("SELECT * FROM person"), ["9|Old"]);
        stderr(&output)
    };
    let text = refused(&database.url, &url);
    assert!(
        text.contains("permission denied for database") && text.contains("CREATE SCHEMA xdoflow"),
        "{text}"
    );
    database.sql(&format!("CREATE SCHEMA xdoflow AUTHORIZATION {role}"));
    let text = refused(&database.url, &url);
    assert!(text.contains("permission denied for table person"), "{text}");
    let text = refused(&url, &database.url);
    assert!(text.contains("permission denied for table source"), "{text}");
    // Nothing of the refused runs is left.
    assert_eq!(database.lines("SELECT relname FROM pg_class WHERE relname LIKE 'stage%'"), [] as [&str; 0]);
}
