//! Mistakes outside the columns, in the form of the file, and several at once.

use super::*;
use crate::spec::shipped;

#[test]
fn an_empty_file_lacks_everything() {
    let expected = [
        "1:1: the pipeline has no \"entity\" | add entity = \"…\": the name on the command line",
        "1:1: the pipeline has no \"source\" | add source = \"…\": the table that is read",
        "1:1: the pipeline has no \"target\" | add [target.NAME] with table, key and columns",
    ];
    assert_eq!(problems(""), expected);
}

#[test]
fn a_misspelt_key_is_reported_once_and_not_as_missing_too() {
    assert_eq!(
        problems(&HEAD.replace("entity", "entty").replace("table", "tabel").replace("key", "kye")),
        [
            "1:1: unknown key \"entty\" | did you mean \"entity\"?",
            "4:1: unknown key \"tabel\" | did you mean \"table\"?",
            "5:1: unknown key \"kye\" | did you mean \"key\"?",
        ]
    );
}

#[test]
fn an_entity_is_a_word_in_lower_case() {
    let of = |entity: &str| problems(&HEAD.replace("\"users\"", entity));
    let message = "is not made of lower-case letters, digits and underscores";
    assert_eq!(
        of("\"Daily-Users\""),
        [format!("1:10: the entity \"Daily-Users\" {message} | did you mean \"daily_users\"?")]
    );
    assert_eq!(of("\"2x\""), [format!("1:10: the entity \"2x\" {message} | write it like daily_visits")]);
    assert_eq!(of("\"\""), [format!("1:10: the entity \"\" {message} | write it like daily_visits")]);
    assert_eq!(of("5"), ["1:10: expected a string, found an integer | write it in double quotes: \"5\""]);
}

#[test]
fn a_source_is_a_table_with_two_columns() {
    let of = |source: &str| problems(&HEAD.replace("\"mvpw1_41\"", source));
    let hint = "write table, schema.table, or \"odd.name\" with the double quotes";
    assert_eq!(of("\"a.b.c\""), [format!("2:10: \"a.b.c\" is not a table name | {hint}")]);
    assert_eq!(
        of("{ id = \"\" }"),
        ["2:10: the source has no \"table\" | add table = \"…\"", "2:17: \"\" is not a column name"]
    );
    assert_eq!(
        of("{ table = \"x\", doc = \"y\" }"),
        ["2:25: unknown key \"doc\" | write \"table\", \"id\" or \"document\""]
    );
    assert_eq!(of("[]"), ["2:10: expected a table's name or { table, id, document }, found a list"]);
}

#[test]
fn a_target_has_a_table_a_key_and_columns() {
    assert_eq!(
        problems(
            "entity = \"a\"\nsource = \"a\"\n[target.a]\n[target.b]\ntable = \"b\"\nkey = \"id\"\n[target.b.columns]\n"
        ),
        [
            "3:9: target \"a\" has no \"table\" | add table = \"…\"",
            "3:9: target \"a\" has no \"key\" | add key = \"…\": the column that tells one row from another",
            "3:9: target \"a\" has no \"columns\" | add [target.a.columns]",
            "7:11: target \"b\" has no columns | write name = \"type\"",
        ]
    );
    assert_eq!(
        problems("entity = \"a\"\nsource = \"a\"\n[target]\n"),
        ["3:2: there is no target | write [target.NAME] with table, key and columns"]
    );
    assert_eq!(
        problems("entity = \"a\"\nsource = \"a\"\ntarget = { a = 1 }\n"),
        ["3:16: expected a table, found an integer"]
    );
    assert_eq!(
        problems(&HEAD.replace("mvpw5_664", "")),
        ["4:9: \"\" is not a table name | write table, schema.table, or \"odd.name\" with the double quotes"]
    );
}

#[test]
fn two_targets_have_two_tables() {
    let second = "[target.b]\ntable = '\"mvpw5_664\"'\nkey = \"id\"\ncolumns = { id = \"txt\" }\n";
    assert_eq!(
        problems(&format!("{HEAD}{second}")),
        [
            "9:9: the target \"b\" has the table of \"user\": mvpw5_664 | give each target a table of its own",
            "11:18: unknown type \"txt\" | did you mean \"text\"?",
        ]
    );
}

#[test]
fn a_key_is_one_of_the_columns_and_tells_rows_apart() {
    let of = |key: &str, columns: &str| problems(&format!("{}{columns}\n", HEAD.replace("\"id\"", key)));
    assert_eq!(of("\"ID\"", ""), ["5:7: the key \"ID\" is not one of the columns | did you mean \"id\"?"]);
    assert_eq!(
        of("[\"id\", \"kind\"]", "sort = \"text\""),
        ["5:14: the key \"kind\" is not one of the columns | write \"id\" or \"sort\""]
    );
    assert_eq!(of("[]", ""), ["5:7: the list is empty"]);
    assert_eq!(of("[\"id\", \"id\"]", ""), ["5:14: \"id\" stands in the list twice"]);
    assert_eq!(
        of("3", ""),
        ["5:7: expected a string or a list of strings, found an integer | write it in double quotes: \"3\""]
    );
    let hint = "name a column that differs, such as one with \"$id\"";
    assert_eq!(of("\"c\"", "c = { const = 1 }"), [format!("5:7: the key is the same in every row | {hint}")]);
    assert_eq!(of("[\"id\", \"c\"]", "c = { const = 1 }"), [] as [&str; 0]);
    assert_eq!(
        of("\"c\"", "c = { type = \"text\", on_reject = \"cell\" }"),
        [
            "8:34: \"cell\" means nothing for \"c\": no row is loaded without its key | leave it out, or write \"row\" or \"abort\""
        ]
    );
    assert_eq!(of("\"c\"", "c = { type = \"text\", on_reject = \"row\" }"), [] as [&str; 0]);
    assert_eq!(
        of("\"c\"", "c = \"json\""),
        ["5:7: the key \"c\" is of the type json, which knows no equality | write \"jsonb\""]
    );
}

#[test]
fn a_filter_keeps_or_drops() {
    let of = |filter: &str| problems(&HEAD.replace("key =", &format!("filter = {filter}\nkey =")));
    assert_eq!(
        of("{}"),
        [
            "5:10: the filter has no \"from\" | add from = \"…\": the key that decides",
            "5:10: the filter has neither \"keep\" nor \"drop\" | add keep = [\"…\"] or drop = [\"…\"]",
        ]
    );
    assert_eq!(
        of("{ from = \"a\", keep = [\"x\"], drop = [\"y\"] }"),
        ["5:38: \"keep\" and \"drop\" exclude each other | keep one of them"]
    );
    assert_eq!(
        of("{ from = \"$row\", kep = [\"x\"] }"),
        [
            "5:19: unknown name \"$row\" | did you mean \"$id\"?",
            "5:27: unknown key \"kep\" | did you mean \"keep\"?",
        ]
    );
    assert_eq!(of("{ from = \"a\", drop = [] }"), ["5:31: the list is empty"]);
    assert_eq!(of("\"x\""), ["5:10: expected a table, found a string"]);
}

#[test]
fn a_syntax_error_is_one_problem_beside_the_others() {
    assert_eq!(
        column_problems("a = text\nb = \"txt\"\nc = { type = \"text\" trm = 1 }\nd = \"dat\""),
        [
            "8:5: not TOML: invalid boolean, expected `true` | write a text in double quotes: \"text\"",
            "9:5: unknown type \"txt\" | did you mean \"text\"?",
            "10:21: not TOML: missing comma between key-value pairs, expected `,`",
            "11:5: unknown type \"dat\" | did you mean \"date\"?",
        ]
    );
}

#[test]
fn what_a_syntax_error_swallows_is_not_called_missing() {
    assert_eq!(
        column_problems("a = { type = \"text\"\nb = \"text\"\nc = \"text\""),
        ["9:1: not TOML: missing comma between key-value pairs, expected `,`"]
    );
    assert_eq!(
        problems("entity = \"users\nsource = \"x\"\n"),
        ["1:16: not TOML: invalid basic string, expected `\"`"]
    );
}

#[test]
fn the_first_letter_behind_a_mark_or_a_line_end_of_windows_is_counted_right() {
    assert_eq!(
        problems("\u{feff}entty = \"users\"\r\nsource = \"ü\"\r\n\"é\" = 1\r\n[target]")[..2],
        [
            "1:1: unknown key \"entty\" | did you mean \"entity\"?",
            "3:1: unknown key \"é\" | write \"entity\", \"source\", \"target\", \"derived\", \"drift\" or \"test\"",
        ]
    );
}

#[test]
fn a_file_damaged_anywhere_is_read_without_a_panic_and_never_fails_without_a_problem() {
    // The columns and the first three tests: every place is parsed seven times.
    let text = include_str!("../../../pipelines/participant.toml");
    let text = text.split_inclusive("[[test]]").take(4).collect::<String>();
    let text = text.strip_suffix("[[test]]").expect("more than three tests");
    assert!(shipped().is_ok());
    for (at, c) in text.char_indices() {
        for damage in ["", "\"", "[", "}", "=", "\n", "é"] {
            let damaged = format!("{}{damage}{}", &text[..at], &text[at + c.len_utf8()..]);
            if let Err(problems) = PipelineSpec::parse("p.toml", &damaged) {
                let lines = damaged.matches('\n').count() + 1;
                assert!(problems.iter().count() > 0, "{damaged}");
                for problem in &problems {
                    assert!((1..=lines).contains(&problem.position.expect("a place").line), "{problem}");
                }
            }
        }
    }
}
