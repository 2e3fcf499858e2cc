//! The tests that stand in a pipeline file, and every mistake in them.

use super::*;
use crate::spec::model::{ExpectedReject, ExpectedRow, Position};

/// A file whose tests begin in line 12.
const TESTED: &str = "entity = \"users\"
source = \"mvpw1_41\"
[target.user]
table = \"mvpw5_664\"
key = \"id\"
columns = { id = \"$id\", name = \"text\", age = \"bigint\", born = \"date\" }
filter = { from = \"state\", drop = [\"TEST\"] }
[target.team]
table = \"mvpw5_665\"
key = \"user_id\"
columns = { user_id = \"$id\", team = { from = \"place.team\", type = \"text\" } }
";

/// The problems of one test, which has a name and an empty document in the lines 13 and 14.
fn test_problems(rest: &str) -> Vec<String> {
    problems(&format!("{TESTED}[[test]]\nname = \"a\"\ndocument = '{{}}'\n{rest}\n"))
}

/// Holds the one problem of line 15 against its message and hint; its place is where `¦` stands.
#[track_caller]
fn one(marked: &str, expected: &str) {
    let (before, after) = marked.split_once('¦').expect("a mark");
    let place = before.chars().count() + 1;
    assert_eq!(test_problems(&format!("{before}{after}")), [format!("15:{place}: {expected}")], "{marked}");
}

#[test]
fn a_test_is_read_whole() {
    let text = format!(
        "{TESTED}[[test]]\nname = \"all of it\"\nid = 7\ndocument = '{{\"id\": 1, \"name\": \"x\", \"place\": {{}}, \
         \"state\": 1}}'\nfiltered = \"team\"\n[test.rows.user]\nname = \"x\"\nage = 1_2\nborn = 2025-01-15\n\
         id.null = true\n[[test.rejects]]\ntarget = \"user\"\ncolumn = \"age\"\nreason = \"fraction\"\n\
         [[test]]\nname = \"nothing\"\ndocument = '[]'\nquarantined = [\"user\", \"team\"]\n\
         rejects = [{{ target = \"team\", reason = \"not_an_object\" }}]\n\
         [[test]]\nname = \"stop\"\ndocument = '1'\naborts = true\n"
    );
    let tests = PipelineSpec::parse("a/b.toml", &text).expect("no problems").tests;
    assert_eq!(tests.len(), 3);
    assert_eq!(tests[0].name, "all of it");
    assert_eq!(tests[0].position, Position { line: 12, column: 1 });
    assert_eq!(tests[0].id, 7);
    assert_eq!(tests[0].filtered, [1]);
    let cell = |column: usize, text: Option<&str>| (column, text.map(str::to_owned));
    assert_eq!(
        tests[0].rows,
        [ExpectedRow {
            target: 0,
            cells: vec![cell(1, Some("x")), cell(2, Some("12")), cell(3, Some("2025-01-15")), cell(0, None)]
        }]
    );
    let reject = |target, column, reason: &str| ExpectedReject { target, column, reason: reason.to_owned() };
    assert_eq!(tests[0].rejects, [reject(0, Some(2), "fraction")]);
    assert_eq!((tests[1].id, tests[1].quarantined.as_slice()), (1, &[0, 1][..]));
    assert_eq!(tests[1].rejects, [reject(1, None, "not_an_object")]);
    assert!(tests[2].aborts && !tests[1].aborts);
}

#[test]
fn a_target_a_column_or_a_reason_that_does_not_exist_is_corrected() {
    one("rows.¦usr = {}", "there is no target \"usr\" | did you mean \"user\"?");
    one("quarantined = [\"user\", ¦\"taem\"]", "there is no target \"taem\" | did you mean \"team\"?");
    one("filtered = ¦\"x\"", "there is no target \"x\" | write \"user\" or \"team\"");
    one("rows.user = { ¦nam = \"x\" }", "the target \"user\" has no column \"nam\" | did you mean \"name\"?");
    one(
        "rejects = [{ target = \"team\", column = ¦\"age\", reason = \"fraction\" }]",
        "the target \"team\" has no column \"age\" | write \"user_id\" or \"team\"",
    );
    one(
        "rejects = [{ target = \"user\", column = \"age\", reason = ¦\"a_fraction\" }]",
        "unknown reason \"a_fraction\" | did you mean \"fraction\"?",
    );
    one("¦row.user = {}", "unknown key \"row\" | did you mean \"rows\"?");
}

#[test]
fn a_key_of_the_document_that_no_target_reads_is_corrected() {
    let of = |document: &str| problems(&format!("{TESTED}[[test]]\nname = \"a\"\ndocument = '{document}'\n"));
    assert_eq!(
        of("{\"id\": 1, \"nmae\": 2, \"zzzzzz\": 3}"),
        [
            "14:12: the document has the key \"nmae\", which no target reads | did you mean \"name\"?",
            "14:12: the document has the key \"zzzzzz\", which no target reads | leave it out, or map it",
        ]
    );
}

#[test]
fn a_document_that_is_not_json_is_refused_at_its_place() {
    let of = |document: &str| problems(&format!("{TESTED}[[test]]\nname = \"a\"\ndocument = {document}\n"));
    assert_eq!(of("'{\"name\": }'"), ["14:22: the document is not JSON: expected value"]);
    assert_eq!(of("'''\n{\n\"name\": x}'''"), ["16:9: the document is not JSON: expected value"]);
    assert_eq!(of("\"{\\\"name\\\": }\""), ["14:12: the document is not JSON: expected value"]);
    assert_eq!(of("{}"), ["14:12: expected a string, found a table"]);
}

#[test]
fn a_value_in_another_form_is_refused() {
    let print = "write it as the server prints it";
    one(
        "rows.user.born = ¦2025-01-15T10:00:00Z",
        &format!("a time stands here in the form of TOML | {print}: \"2025-01-15 10:00:00+00\""),
    );
    one(
        "rows.user.name = ¦[1]",
        &format!("a list stands here in the form of TOML | {print}: name = \"{{1,NULL}}\""),
    );
    one("rows.user.name.null = ¦false", "only true may stand here | write name.null = true");
    one("rows.user.name = ¦{}", "the table is empty | write name = \"…\" or name.null = true");
    one("rows.user.name.¦nul = true", "unknown key \"nul\" | did you mean \"null\"?");
    one("rows = ¦[]", "expected a table, found a list");
    one("rejects = ¦{}", "expected a list of tables, each headed [[test.rejects]], found a table");
    one("id = ¦\"7\"", "expected an integer, found a string");
    one("id = ¦99999999999999999999", "the number is out of range");
}

#[test]
fn what_contradicts_itself_is_refused() {
    let hint = "a document gives a target one or the other";
    one(
        "quarantined = ¦\"user\"\nrows.user = {}",
        &format!("\"user\" stands in \"rows\" and in \"quarantined\" | {hint}"),
    );
    one(
        "filtered = [\"user\", ¦\"team\"]\nquarantined = \"team\"",
        &format!("\"team\" stands in \"quarantined\" and in \"filtered\" | {hint}"),
    );
    one(
        "¦aborts = true\nrows.user = {}",
        "a document that stops the run gives nothing else | keep the one or the other",
    );
}

#[test]
fn a_test_has_a_name_of_its_own_and_a_document() {
    let text = format!(
        "{TESTED}[[test]]\nname = \"a\"\ndocument = '{{}}'\n[[test]]\nname = \"a\"\ndocument = '{{}}'\n\
         [[test]]\nname = \" \"\n[[test]]\ndocument = '1'\nrejects = [{{}}]\n"
    );
    assert_eq!(
        problems(&text),
        [
            "16:8: the test \"a\" stands here for the second time | say what this one shows that the other does not",
            "18:1: the test has no \"document\" | add document = '{…}': the JSON text that is read",
            "19:8: the name is blank",
            "20:1: the test has no \"name\" | add name = \"…\": a sentence that says what it shows",
            "22:12: the reject has no \"target\" | add target = \"…\"",
            "22:12: the reject has no \"reason\" | add reason = \"…\"",
        ]
    );
    assert_eq!(
        problems(&format!("test = 1\n{TESTED}")),
        ["1:8: expected a list of tables, each headed [[test]], found an integer"]
    );
}

#[test]
fn a_mistake_in_a_column_is_not_said_again_of_the_tests_that_name_it() {
    let text = TESTED.replace("\"bigint\"", "\"bigit\"");
    let text = format!(
        "{text}[[test]]\nname = \"a\"\ndocument = '{{\"age\": 1}}'\nrows.user = {{ age = 1, born.null = true }}\n"
    );
    assert_eq!(problems(&text), ["6:46: unknown type \"bigit\" | did you mean \"bigint\"?"]);
}
