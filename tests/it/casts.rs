//! Every case of the value contract that was worked out by hand, through the whole path: COPY out,
//! transform, COPY in.

use std::fmt::Write as _;

use serde_json::Value;

use crate::oracle::{CASES, ORACLE, SHOWN, WideColumn, run_wide, wide_pipeline, wide_table};
use crate::support::Database;

#[test]
fn each_case_of_the_contract_gives_its_value_or_its_reject() {
    let database = Database::empty();
    let columns = source_of_cases(&database);
    assert_eq!(database.lines("SELECT * FROM oracle.failed_cases()"), [] as [&str; 0], "oracle.sql itself");
    let cases: usize = database.value("SELECT count(*) FROM grouped").parse().expect("a number");
    assert!(cases >= 569, "{cases} cases");
    database.sql(&wide_table(&columns));
    let run_id = run_wide(&database, &wide_pipeline(&columns), cases);

    let mut found = format!("{SHOWN} CREATE TABLE found (number integer PRIMARY KEY, found text);");
    for WideColumn { name, .. } in &columns {
        write!(
            found,
            "INSERT INTO found SELECT id, {name}::text FROM wide JOIN grouped ON number = id WHERE key = '{name}';"
        )
        .expect("a string takes text");
    }
    database.sql(&found);
    assert_eq!(database.value("SELECT count(*) FROM found"), cases.to_string());
    let differences = format!(
        "SELECT g.number, g.type, g.options, g.input, g.expected, f.found, g.reject, r.reason_code
         FROM grouped g JOIN found f USING (number)
         LEFT JOIN xdoflow.rejects r ON (r.run_id, r.source_id, r.target_column) = ({run_id}, g.number, g.key)
         WHERE (g.expected, g.reject) IS DISTINCT FROM (f.found, r.reason_code) ORDER BY g.number"
    );
    assert_eq!(database.lines(&differences), [] as [&str; 0]);
    assert_eq!(
        database.value(&format!("SELECT count(*) FROM xdoflow.rejects WHERE run_id = {run_id}")),
        database.value("SELECT count(reject) FROM grouped"),
        "no reject beside those of the cases"
    );
}

/// Makes a table `source` of the cases, which are numbered in a table `grouped`; returns the columns that
/// their documents feed.
pub fn source_of_cases(database: &Database) -> Vec<WideColumn> {
    database.sql(ORACLE);
    database.sql(CASES);
    // A document for each case, with the one key of its type and options; none where the key is missing.
    database.sql(
        "CREATE TABLE grouped AS
           SELECT *, 'c' || dense_rank() OVER (ORDER BY type, options) AS key FROM oracle.cases;
         CREATE TABLE source (id bigint PRIMARY KEY, xdo jsonb);
         INSERT INTO source
           SELECT number, CASE WHEN input IS NULL THEN '{}' ELSE jsonb_build_object(key, input) END
           FROM grouped",
    );
    let groups = database.sql("SELECT DISTINCT key, type, options FROM grouped");
    groups
        .iter()
        .map(|group| WideColumn {
            name: group[0].clone(),
            column_type: group[1].clone(),
            options: toml_options(&group[2]),
        })
        .collect()
}

/// Options as the cases have them, in JSON, as they stand in a pipeline file.
fn toml_options(options: &str) -> String {
    let options: serde_json::Map<String, Value> = serde_json::from_str(options).expect("an object");
    // The scalars and lists of these options are written alike in JSON and in TOML.
    options.iter().map(|(name, value)| format!(", {name} = {value}")).collect()
}
