//! A pipeline against its tests, without a server.

use super::*;

const PEOPLE: &str = r#"
entity = "people"
source = "source"
[target.person]
table = "person"
key = "id"
filter = { from = "state", drop = ["TEST"] }
[target.person.columns]
id = "$id"
name = { type = "text", on_reject = "row", allowed = ["Ann", "Bob"] }
age = "integer"
[target.detail]
table = "detail"
key = "id"
[target.detail.columns]
id = "$id"
born = "date"
note = { type = "text", from = ["note", "remark"] }
parent = { type = "boolean", object = "true" }
data = "jsonb"
place = { type = "text", from = "home.place" }
lat = { type = "double precision", from = "home.lat" }
"#;

fn spec(tests: &str) -> PipelineSpec {
    PipelineSpec::parse("people.toml", &format!("{PEOPLE}{tests}")).expect("a pipeline without problems")
}

/// The differences of the one test, as `kind target.column expected found`.
fn differences(test: &str) -> Vec<String> {
    let report = run(&[spec(&format!("[[test]]\nname = \"a\"\n{test}"))]).expect("a report");
    let result = &report.pipelines[0].tests[0];
    assert_eq!(result.passed, result.differences.is_empty());
    assert_eq!((report.passed, report.failed), (usize::from(result.passed), usize::from(!result.passed)));
    let shown = result.differences.iter().map(|one| {
        let text = |text: &Option<String>| text.clone().unwrap_or_else(|| "-".to_owned());
        let names = [text(&one.target), text(&one.column)].join(".");
        format!("{:?} {names} {} {}", one.kind, text(&one.expected), text(&one.found))
    });
    shown.collect()
}

#[test]
fn a_test_that_says_what_comes_out_passes() {
    let test = r#"
        id = 7
        document = '{"name": "Ann", "age": " 12.0 ", "born": "2023-02-29", "data": {"bb": 1, "a": 1e2}}'
        rows.person = { id = 7, name = "Ann", age = 12 }
        rows.detail = { born.null = true, data = '{"a": 100, "bb": 1}' }
        rejects = [{ target = "detail", column = "born", reason = "no_such_date" }]
    "#;
    assert_eq!(differences(test), [] as [&str; 0]);
}

#[test]
fn a_cell_that_differs_is_named_with_both_texts() {
    let test = r#"
        document = '{"name": "Ann", "age": 12}'
        rows.person = { name = "Bob", age.null = true }
        rows.detail = { note = "" }
    "#;
    assert_eq!(
        differences(test),
        ["Cell person.name Bob Ann", "Cell person.age - 12", "Cell detail.note  -"]
    );
}

#[test]
fn a_row_that_is_set_aside_or_left_out_is_no_row() {
    let test = r#"
        document = '{"name": "Cid"}'
        rows.person = {}
        quarantined = "detail"
    "#;
    assert_eq!(
        differences(test),
        ["Row person.- row quarantined", "Reject person.name - not_allowed", "Row detail.- quarantined row"]
    );
    let test = r#"
        document = '{"state": "TEST"}'
        quarantined = "person"
    "#;
    assert_eq!(differences(test), ["Row person.- quarantined filtered"]);
    let test = r#"
        document = '{"state": "TEST", "name": "Cid"}'
        filtered = "person"
    "#;
    assert_eq!(differences(test), [] as [&str; 0]);
}

#[test]
fn rejects_are_compared_as_a_whole_and_in_any_order() {
    let test = r#"
        document = '{"age": 1.5, "born": "x", "data": 1}'
        rejects = [
            { target = "detail", column = "born", reason = "no_such_date" },
            { target = "detail", column = "data", reason = "not_json" },
        ]
    "#;
    assert_eq!(
        differences(test),
        [
            "Reject person.age - fraction",
            "Reject detail.born no_such_date not_a_time",
            "Reject detail.data not_json -",
        ]
    );
    let test = r#"
        document = '7'
        quarantined = ["person", "detail"]
        rejects = [
            { target = "detail", reason = "not_an_object" },
            { target = "person", reason = "not_an_object" },
        ]
    "#;
    assert_eq!(differences(test), [] as [&str; 0]);
}

#[test]
fn a_document_may_be_expected_to_stop_the_run() {
    let spec = |test: &str| {
        let text = PEOPLE.replace("age = \"integer\"", "age = { type = \"integer\", on_reject = \"abort\" }");
        PipelineSpec::parse("people.toml", &format!("{text}[[test]]\nname = \"a\"\n{test}"))
            .expect("a pipeline")
    };
    let passes = |test: &str| run(&[spec(test)]).expect("a report").failed == 0;
    assert!(passes("document = '{\"age\": \"x\"}'\naborts = true"));
    assert!(!passes("document = '{\"age\": 1}'\naborts = true"));
    assert!(!passes("document = '{\"age\": \"x\"}'"));
}

#[test]
fn a_document_that_jsonb_cannot_hold_is_an_error_with_its_place() {
    let error =
        run(&[spec("[[test]]\nname = \"a\"\ndocument = '{\"name\": \"\\u0000\"}'")]).expect_err("no jsonb");
    assert_eq!(error.exit_code(), 2);
    assert!(error.message().starts_with("people.toml:23: the test \"a\": "), "{error}");
}

#[test]
fn a_recorded_block_passes_and_shows_no_words_of_people() {
    let document = r#"{"name": "Ann", "age": 44, "born": "Smith", "note": null, "remark": "Call Eve, 303-5551!",
        "parent": {"id": 5, "who": "Dora"}, "data": ["Kim", 77], "home": {"lat": 39.75, "place": "Denver", "x": "Zed"},
        "unread": "Secret"}"#;
    let spec = spec("[[test]]\nname = \"the row with the id 7\"\ndocument = '{}'\n");
    let recorded = record::block(&spec, 7, document).expect("a block");
    assert_eq!(recorded.lost, [] as [&str; 0]);
    assert_eq!(
        recorded.toml,
        r#"[[test]]
name = "the row with the id 7, number 2"
id = 7
document = '{"age": 44, "born": "Xxxxx", "data": ["Xxx", 99], "home": {"x": "Xxx", "lat": 39.75, "place": "Xxxxxx"}, "name": "Ann", "note": null, "parent": {"id": 9, "who": "Xxxx"}, "remark": "Xxxx Xxx, 999-9999!"}'

[test.rows.person]
id = 7
name = "Ann"
age = 44

[test.rows.detail]
id = 7
born.null = true
note = "Xxxx Xxx, 999-9999!"
parent = true
data = "[\"Xxx\", 99]"
place = "Xxxxxx"
lat = "39.75"

[[test.rejects]]
target = "detail"
column = "born"
reason = "not_a_time"
"#
    );
}

#[test]
fn what_masking_takes_away_is_said() {
    let text = PEOPLE
        .replace("note = {", "note = { case = \"lower\",")
        .replace("\"text\", from = [\"note\"", "\"numeric\", from = [\"note\"");
    let spec = PipelineSpec::parse("people.toml", &text).expect("a pipeline");
    // Nines in place of an exponent: the number is no longer beyond the range.
    let recorded = record::block(&spec, 7, r#"{"name": "Cid", "note": "1e999999"}"#).expect("a block");
    assert_eq!(recorded.lost, ["detail.note: out_of_range"]);
    assert!(recorded.toml.contains("quarantined = [\"person\"]"), "{}", recorded.toml);
    assert!(recorded.toml.contains("reason = \"not_a_number\""), "{}", recorded.toml);
}
