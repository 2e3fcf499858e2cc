//! Drawn values of every type through the whole path (COPY out, transform, COPY in), against the
//! contract as SQL.
//!
//! Documents of as many keys as there are columns below go through one run, so that one run tests all
//! types. `XDOFLOW_PROPERTY_VALUES` is the number of values for each column, `XDOFLOW_PROPERTY_SEED`
//! draws the same ones again.

use std::hash::{BuildHasher, RandomState};

use proptest::strategy::{Strategy, ValueTree};
use proptest::test_runner::{Config, RngSeed, TestRunner};

use crate::draw::{Family, array, value};
use crate::oracle::{ORACLE, SHOWN, WideColumn, run_wide, wide_pipeline, wide_table};
use crate::support::{Database, literal};

/// Values of each column, where the environment does not say: two minutes on two cores that do nothing else.
const DEFAULT_VALUES: usize = 100_000;
/// Documents of one INSERT.
const CHUNK_DOCUMENTS: usize = 500;
/// Differences that are shown of each column.
const SHOWN_DIFFERENCES: usize = 10;
/// Connections that compare.
const LANES: usize = 2;

/// Type, options in TOML, what to draw, the oracle's pair of functions, and the arguments behind the
/// value.
type Tested = (&'static str, &'static str, Drawn, &'static str, &'static str);

#[derive(Clone, Copy)]
enum Drawn {
    Scalar(Family),
    Array(Family),
}

use Drawn::{Array, Scalar};
use Family::{Boolean, Decimal, Float, Integer, Json, Moment, Money, Text, Uuid};

const TESTED: &[Tested] = &[
    ("text", "", Scalar(Text), "text", ""),
    ("text", ", blank = \"null\"", Scalar(Text), "text", ", 'null'"),
    ("text", "", Scalar(Decimal), "text", ""),
    ("varchar(3)", "", Scalar(Text), "varchar", ", 3"),
    ("smallint", "", Scalar(Integer), "smallint", ""),
    ("integer", "", Scalar(Integer), "integer", ""),
    ("bigint", "", Scalar(Integer), "bigint", ""),
    ("bigint", ", parse = \"money\"", Scalar(Money), "bigint", ", 'money'"),
    ("bigint", ", none = [0, -1]", Scalar(Integer), "reference", ", '{0,-1}'"),
    ("numeric", "", Scalar(Decimal), "numeric", ""),
    ("numeric(10,2)", "", Scalar(Decimal), "numeric", ", 10, 2"),
    ("numeric(3,0)", "", Scalar(Decimal), "numeric", ", 3, 0"),
    ("numeric(2,2)", "", Scalar(Decimal), "numeric", ", 2, 2"),
    ("numeric", ", parse = \"money\"", Scalar(Money), "numeric", ", 'money'"),
    ("numeric", ", parse = \"percent\"", Scalar(Money), "numeric", ", 'percent'"),
    ("real", "", Scalar(Float), "real", ""),
    ("double precision", "", Scalar(Float), "double", ""),
    ("boolean", "", Scalar(Boolean), "boolean", ""),
    ("boolean", ", object = \"true\"", Scalar(Boolean), "boolean", ", 'true'"),
    ("date", "", Scalar(Moment), "date", ""),
    ("date", ", unit = \"s\"", Scalar(Moment), "date", ", '{}', 's'"),
    (
        "date",
        ", format = [\"MM/DD/YYYY\", \"DD.MM.YYYY\", \"YYYY-DD-MM\", \"YYYYMMDD\"]",
        Scalar(Moment),
        "date",
        ", '{MM/DD/YYYY,DD.MM.YYYY,YYYY-DD-MM,YYYYMMDD}'",
    ),
    ("bigint", ", time = \"epoch_ms\"", Scalar(Moment), "epoch_ms", ""),
    ("bigint", ", time = \"epoch_ms\", unit = \"s\"", Scalar(Moment), "epoch_ms", ", 's'"),
    ("timestamptz", "", Scalar(Moment), "timestamptz", ""),
    ("timestamptz", ", unit = \"s\"", Scalar(Moment), "timestamptz", ", 's'"),
    ("timestamp", "", Scalar(Moment), "timestamp", ""),
    ("uuid", "", Scalar(Uuid), "uuid", ""),
    ("jsonb", "", Scalar(Json), "jsonb", ""),
    ("jsonb", ", parse = \"json\"", Scalar(Json), "jsonb", ", 'json'"),
    ("text[]", "", Array(Text), "text_array", ""),
    ("text[]", ", scalar = \"wrap\"", Array(Text), "text_array", ", 'wrap'"),
    ("bigint[]", ", scalar = \"wrap\"", Array(Integer), "bigint_array", ", 'wrap'"),
    ("numeric[]", "", Array(Decimal), "numeric_array", ""),
    ("boolean[]", ", scalar = \"wrap\"", Array(Boolean), "boolean_array", ", 'wrap'"),
    ("date[]", "", Array(Moment), "date_array", ""),
];

#[test]
fn drawn_values_give_what_the_contract_as_sql_gives() {
    let values = from_environment("XDOFLOW_PROPERTY_VALUES").map_or(DEFAULT_VALUES, |values| values as usize);
    let seed = from_environment("XDOFLOW_PROPERTY_SEED").unwrap_or_else(|| RandomState::new().hash_one(()));
    let again = format!("XDOFLOW_PROPERTY_SEED={seed} XDOFLOW_PROPERTY_VALUES={values}");

    let database = Database::empty();
    database.sql(ORACLE);
    let columns = drawn_source(&database, seed, values);
    database.sql(&wide_table(&columns));
    let run_id = run_wide(&database, &wide_pipeline(&columns), values);
    database.sql(
        "CREATE TABLE rejected AS SELECT * FROM xdoflow.rejects; CREATE INDEX ON rejected (target_column);
                  ANALYZE source, wide, rejected",
    );

    let differences = in_lanes(&|index| compare(&database, &run_id, index));
    assert!(differences.is_empty(), "draw them again with {again}\n{}", differences.join("\n"));
}

/// Fills a new table `source` with documents of drawn values; returns the columns that they feed.
pub fn drawn_source(database: &Database, seed: u64, values: usize) -> Vec<WideColumn> {
    // Whole and beside the row: each comparison takes one key of it.
    database.sql(
        "CREATE TABLE source (id bigint PRIMARY KEY, xdo jsonb);
         ALTER TABLE source ALTER xdo SET STORAGE EXTERNAL",
    );
    insert(database, &draw(seed, values));
    let columns = TESTED.iter().enumerate().map(|(index, (column_type, options, ..))| WideColumn {
        name: key(index),
        column_type: (*column_type).to_owned(),
        options: (*options).to_owned(),
    });
    columns.collect()
}

/// A number that the environment gives.
fn from_environment(name: &str) -> Option<u64> {
    std::env::var(name).ok().map(|text| text.parse().unwrap_or_else(|_| panic!("{name} is not a number")))
}

fn key(index: usize) -> String {
    format!("c{index}")
}

/// Works on all columns, on several threads; the results in the order of the columns.
fn in_lanes<T: Send>(work: &(dyn Fn(usize) -> Vec<T> + Sync)) -> Vec<T> {
    let mut results: Vec<(usize, Vec<T>)> = std::thread::scope(|scope| {
        let lanes: Vec<_> = (0..LANES)
            .map(|lane| {
                scope.spawn(move || {
                    (lane..TESTED.len()).step_by(LANES).map(|index| (index, work(index))).collect::<Vec<_>>()
                })
            })
            .collect();
        lanes
            .into_iter()
            .flat_map(|lane| lane.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic)))
            .collect()
    });
    results.sort_by_key(|(index, _)| *index);
    results.into_iter().flat_map(|(_, results)| results).collect()
}

/// The values of each column.
fn draw(seed: u64, values: usize) -> Vec<Vec<Option<String>>> {
    in_lanes(&|index| {
        let strategy = match TESTED[index].2 {
            Scalar(family) => value(family),
            Array(family) => array(family),
        };
        let rng_seed = RngSeed::Fixed(seed.wrapping_add(index as u64));
        let mut runner = TestRunner::new(Config { rng_seed, failure_persistence: None, ..Config::default() });
        let mut draw = || strategy.new_tree(&mut runner).expect("a value").current();
        vec![(0..values).map(|_| draw()).collect()]
    })
}

/// Makes a document of the values that are drawn at the same time.
fn insert(database: &Database, drawn: &[Vec<Option<String>>]) {
    let session = database.session();
    let documents: Vec<String> = (0..drawn[0].len())
        .map(|row| {
            let entries = drawn.iter().enumerate().filter_map(|(index, values)| {
                values[row].as_ref().map(|value| format!("\"{}\": {value}", key(index)))
            });
            format!("{{{}}}", entries.collect::<Vec<_>>().join(", "))
        })
        .collect();
    for (chunk, documents) in documents.chunks(CHUNK_DOCUMENTS).enumerate() {
        let rows: Vec<String> = documents
            .iter()
            .enumerate()
            .map(|(place, document)| format!("({}, {})", chunk * CHUNK_DOCUMENTS + place, literal(document)))
            .collect();
        session.sql(&format!("INSERT INTO source VALUES {}", rows.join(", ")));
    }
}

/// What differs from the oracle in a column.
fn compare(database: &Database, run_id: &str, index: usize) -> Vec<String> {
    let (column_type, options, _, function, arguments) = TESTED[index];
    let key = key(index);
    // What stands in front of OFFSET 0 is computed once and not for each time that it is used.
    let lines = database.lines(&format!(
        "{SHOWN} SELECT v, 'expected', expected, 'found', found, 'expected', reject, 'found', reason_code
         FROM (SELECT s.xdo -> '{key}' AS v, w.{key}::text AS found, r.reason_code
               FROM source s JOIN wide w USING (id)
               LEFT JOIN rejected r ON r.run_id = {run_id} AND r.target_column = '{key}' AND r.source_id = id
               OFFSET 0) AS cells,
              LATERAL (SELECT oracle.to_{function}(v{arguments})::text AS expected,
                              oracle.{function}_reject(v{reject_arguments}) AS reject OFFSET 0) AS contract
         WHERE (expected, reject) IS DISTINCT FROM (found, reason_code)
         ORDER BY length(v::text) LIMIT {SHOWN_DIFFERENCES}",
        // The values that mean none are no reject: its function does not ask for them.
        reject_arguments = if function == "reference" { "" } else { arguments },
    ));
    lines.into_iter().map(|line| format!("{key} {column_type}{options}: {line}")).collect()
}
