//! What the doctor finds before a first run: each thing is put wrong in a database, and told with what to do.

use serde_json::Value;

use crate::support::{Database, Pipelines, stderr, stdout};

const PIPELINE: &str = r#"
entity = "people"
source = "source"

[target.person]
table = "person"
key = "id"
[target.person.columns]
id = "$id"
age = "bigint"
"#;

fn people(more: &str) -> (Database, Pipelines) {
    let sql = format!("CREATE TABLE person (id bigint PRIMARY KEY, age bigint); {more}");
    (Database::with(&[(1, r#"{"age": 1}"#)], &sql), Pipelines::new(&[("people.toml", PIPELINE)]))
}

/// What it prints, as the two roles with no more rights than a run needs.
fn doctor(database: &Database, pipelines: &Pipelines, more: &[&str]) -> (Option<i32>, Value) {
    let arguments = [&["doctor", "--json", "--pipelines", pipelines.path()], more].concat();
    let output = database.xdoflow(&arguments);
    let report = serde_json::from_slice(&output.stdout);
    (output.status.code(), report.unwrap_or_else(|error| panic!("{error}: {}", stderr(&output))))
}

/// The findings of a check as lines: `level subject message`.
fn of(report: &Value, check: &str) -> Vec<String> {
    let findings = report["findings"].as_array().expect("findings");
    let of_check = findings.iter().filter(|found| found["check"] == check);
    of_check
        .map(|found| ["level", "subject", "message"].map(|key| found[key].as_str().expect(key)).join(" "))
        .collect()
}

#[test]
fn a_database_that_is_ready_has_no_problem_and_every_thing_that_was_looked_at_is_told() {
    let (database, pipelines) = people("INSERT INTO person VALUES (1, 1); ANALYZE person;");
    let (code, report) = doctor(&database, &pipelines, &[]);
    assert_eq!((code, &report["problems"]), (Some(0), &Value::from(0)), "{report}");
    let version = database.value("SELECT current_setting('server_version')");
    for found in of(&report, "version") {
        assert!(found.ends_with(&format!("PostgreSQL {version}")), "{found}");
    }
    assert_eq!(of(&report, "version").len(), 2, "both servers");
    assert_eq!(of(&report, "rights"), ["ok source may be read", "ok person may be read and written"]);
    assert_eq!(of(&report, "key"), ["ok person the merge key is unique"]);
    assert_eq!(of(&report, "triggers"), ["ok person no trigger"]);
    assert_eq!(of(&report, "foreign_keys"), ["ok person no foreign key"]);
    assert_eq!(of(&report, "fit"), ["ok people fits both databases"]);
    for check in
        ["snapshot", "pooler", "connections", "timeouts", "statistics", "fillfactor", "raw_reading", "ledger"]
    {
        let found = of(&report, check);
        assert!(
            !found.is_empty() && found.iter().all(|found| found.starts_with("ok ")),
            "{check}: {found:?}"
        );
    }
    let disk = of(&report, "disk");
    assert!(
        disk.len() == 1 && disk[0].starts_with("unknown ") && disk[0].contains("cannot be seen"),
        "{disk:?}"
    );
    assert_eq!(
        database.value("SELECT count(*) FROM pg_class WHERE relnamespace = to_regnamespace('xdoflow')"),
        "0",
        "nothing was created"
    );
    // What it says is true: the same roles run.
    database.json(&["run", "--pipelines", pipelines.path()]);
}

#[test]
fn what_a_table_has_that_a_run_would_stumble_over_is_told_with_what_to_do() {
    let (database, pipelines) = people(
        "CREATE TABLE pet (id bigint, owner bigint CONSTRAINT owner_is_there REFERENCES person);
         CREATE FUNCTION say() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NEW; END';
         CREATE TRIGGER audit AFTER INSERT ON person FOR EACH ROW EXECUTE FUNCTION say();
         CREATE TRIGGER asleep AFTER INSERT ON person FOR EACH ROW EXECUTE FUNCTION say();
         ALTER TABLE person DISABLE TRIGGER asleep;
         ALTER TABLE person SET (fillfactor = 80, autovacuum_enabled = off);
         INSERT INTO person VALUES (1, 1);",
    );
    let (code, report) = doctor(&database, &pipelines, &[]);
    assert_eq!(code, Some(0), "warnings are no problem: {report}");
    assert_eq!(of(&report, "triggers"), ["warning person fires audit on what a run writes"]);
    assert_eq!(of(&report, "foreign_keys"), ["warning person is referred to by pet (owner_is_there)"]);
    assert_eq!(of(&report, "statistics"), ["warning person was never analyzed: the server plans blindly"]);
    assert_eq!(of(&report, "fillfactor"), ["ok person fillfactor 80: updated rows have room on their page"]);
    assert_eq!(report["warnings"], 3, "{report}");
    let text = stdout(&database.xdoflow(&["doctor", "--pipelines", pipelines.path()]));
    assert!(text.contains("hint: let its owner say ANALYZE <table>"), "{text}");
    assert!(text.ends_with("\nno problem, 3 warnings\n"), "{text}");
}

#[test]
fn a_published_table_without_a_replica_identity_is_a_problem_as_the_server_has_it() {
    let (database, pipelines) = people("CREATE PUBLICATION all_of_it FOR TABLE person;");
    let published = |database: &Database| of(&doctor(database, &pipelines, &[]).1, "replication");
    assert_eq!(published(&database), ["ok person is in a publication, and has a replica identity"]);
    database.sql("ALTER TABLE person DROP CONSTRAINT person_pkey; INSERT INTO person VALUES (1, 7)");
    let (code, report) = doctor(&database, &pipelines, &[]);
    assert_eq!(code, Some(1));
    assert!(of(&report, "replication")[0].starts_with("problem person is in a publication"), "{report}");
    assert!(of(&report, "fit").iter().any(|found| found.contains("the merge key has no index")), "{report}");
    // The server says the same to a run.
    let run = database.xdoflow(&["run", "--pipelines", pipelines.path()]);
    assert_eq!(run.status.code(), Some(1));
    assert!(stderr(&run).contains("replica identity"), "{}", stderr(&run));
}

#[test]
fn rights_that_lack_are_problems_and_the_hint_is_the_statement_that_mends_them() {
    let (database, pipelines) = people("ALTER TABLE person ADD COLUMN number serial;");
    let (reader, reader_role) = database.role("reads");
    let (writer, writer_role) = database.role("writes");
    let arguments = ["--source", reader.as_str(), "--target", writer.as_str()];
    let (code, report) = doctor(&database, &pipelines, &arguments);
    assert_eq!(code, Some(1));
    assert_eq!(
        of(&report, "rights"),
        [
            "problem source the role may not read it",
            "problem person the role lacks SELECT, INSERT, UPDATE, DELETE",
            "problem person the role may not use the sequence person_number_seq, which fills a column",
        ]
    );
    assert!(
        of(&report, "ledger")[0].contains("there is no schema xdoflow, and the role may not create one"),
        "{report}"
    );
    for found in
        report["findings"].as_array().expect("findings").iter().filter(|found| found["check"] == "rights")
    {
        let hint = found["hint"].as_str().expect("a hint");
        let statement = hint.strip_prefix("let its owner say ").expect("a statement");
        let role = if found["subject"] == "source" { &reader_role } else { &writer_role };
        database.sql(&statement.replace("<role>", role));
    }
    database.sql(&format!("CREATE SCHEMA xdoflow AUTHORIZATION {writer_role}"));
    let (code, report) = doctor(&database, &pipelines, &arguments);
    assert_eq!((code, &report["problems"]), (Some(0), &Value::from(0)), "{report}");
    let run = [&["run", "--pipelines", pipelines.path()][..], &arguments[..]].concat();
    database.json(&run);
    // The ledger is theirs: another role may not write it.
    let (other, other_role) = database.role("other");
    database.sql(&format!(
        "GRANT ALL ON person TO {other_role}; GRANT USAGE, CREATE ON SCHEMA xdoflow TO {other_role};
        GRANT USAGE ON SEQUENCE person_number_seq TO {other_role}"
    ));
    let (code, report) =
        doctor(&database, &pipelines, &["--source", reader.as_str(), "--target", other.as_str()]);
    assert_eq!(code, Some(1));
    assert!(of(&report, "ledger")[0].contains("may not read and write the ledger's tables"), "{report}");
}

#[test]
fn limits_of_the_role_are_told_and_which_of_them_a_run_sets_aside() {
    let (database, pipelines) = people("");
    let (url, role) = database.role("limited");
    database.sql(&format!(
        "GRANT ALL ON source, person TO {role}; CREATE SCHEMA xdoflow AUTHORIZATION {role};
         ALTER ROLE {role} CONNECTION LIMIT 12; ALTER ROLE {role} SET statement_timeout = '90s';"
    ));
    let both = ["--source", url.as_str(), "--target", url.as_str()];
    let with_jobs =
        |jobs: &'static str| doctor(&database, &pipelines, &[&both[..], &["--jobs", jobs]].concat());
    let (code, report) = with_jobs("1");
    assert_eq!(code, Some(0), "{report}");
    let timeouts = of(&report, "timeouts");
    assert!(
        timeouts
            .iter()
            .all(|found| found.ends_with("statement_timeout is 90000 ms, and set aside by a run's sessions")),
        "{timeouts:?}"
    );
    // One reader and three beside it; one writer, one that reads back, three of the entity, and the ledger.
    let few = of(&report, "connections");
    assert!(
        few.len() == 1
            && few[0].starts_with("ok ")
            && few[0].ends_with(
                "12 connections are left (the role's connection limit), a run takes at most 10 at once"
            ),
        "{few:?}"
    );
    let many = of(&with_jobs("8").1, "connections");
    assert!(many[0].starts_with("warning ") && many[0].contains("at most 31 at once"), "{many:?}");
    database.sql(&format!("ALTER ROLE {role} SET default_transaction_read_only = on"));
    let (code, report) = with_jobs("1");
    assert_eq!(code, Some(1));
    assert!(of(&report, "writable")[0].starts_with("problem "), "{report}");
}

#[test]
fn a_server_that_cannot_be_reached_is_a_problem_and_the_other_is_looked_at_all_the_same() {
    let (database, pipelines) = people("");
    let closed =
        std::net::TcpListener::bind("127.0.0.1:0").expect("a port").local_addr().expect("an address");
    let nowhere = format!("postgresql://nobody:secret@{closed}/nothing");
    let (code, report) = doctor(&database, &pipelines, &["--source", &nowhere, "--target", &database.url]);
    assert_eq!(code, Some(1));
    let connection = of(&report, "connection");
    assert!(
        connection.len() == 1 && connection[0].starts_with("problem postgresql://nobody@"),
        "{connection:?}"
    );
    assert!(!report.to_string().contains("secret"), "{report}");
    assert_eq!(of(&report, "version").len(), 1);
    assert_eq!(of(&report, "rights"), ["ok person may be read and written"]);
}

#[test]
fn a_server_that_plans_its_joins_in_another_order_finds_the_same() {
    let (database, pipelines) = people("ALTER TABLE person ADD COLUMN number serial;");
    let (_, usual) = doctor(&database, &pipelines, &[]);
    let (url, role) = database.role("planner");
    database.sql(&format!("GRANT ALL ON source, person TO {role}; CREATE SCHEMA IF NOT EXISTS xdoflow; GRANT ALL ON SCHEMA xdoflow TO {role}"));
    for setting in ["enable_nestloop", "enable_hashjoin", "enable_mergejoin"] {
        let url = format!("{url}?options=-c%20{setting}%3Doff");
        let (_, report) = doctor(&database, &pipelines, &["--source", &url, "--target", &url]);
        let problems: Vec<String> =
            of(&report, "rights").into_iter().filter(|found| found.starts_with("problem")).collect();
        assert_eq!(problems.len(), 1, "{setting}: {report}");
        assert!(problems[0].contains("person_number_seq"), "{setting}: {problems:?}");
        assert_eq!(of(&report, "table"), [] as [String; 0], "{setting}");
    }
    assert_eq!(of(&usual, "table"), [] as [String; 0]);
}
