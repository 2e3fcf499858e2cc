//! Every mistake in a column, with its place and its suggestion.

use super::*;

#[test]
fn an_unknown_type_is_corrected() {
    one_problem("c = ¦\"txt\"", "unknown type \"txt\" | did you mean \"text\"?");
    one_problem("c = ¦\"varchr(20)[]\"", "unknown type \"varchr(20)[]\" | did you mean \"varchar(20)[]\"?");
}

#[test]
fn a_place_counts_characters_not_bytes() {
    let text = "  c = { from = \"é\", type = \"bigit\" }";
    assert_eq!(column_problems(text), ["8:28: unknown type \"bigit\" | did you mean \"bigint\"?"]);
}

#[test]
fn an_unknown_option_is_corrected() {
    one_problem("c = { type = \"text\", ¦trm = true }", "unknown option \"trm\" | did you mean \"trim\"?");
    one_problem("c = { ¦tpye = \"text\" }", "unknown option \"tpye\" | did you mean \"type\"?");
}

#[test]
fn an_unknown_value_is_corrected_or_the_known_ones_are_named() {
    for (option, kind, value, hint) in [
        ("case", "text", "uper", "did you mean \"upper\"?"),
        ("case", "text", "camel", "write \"lower\", \"upper\" or \"title\""),
        ("blank", "text", "nul", "did you mean \"null\"?"),
        ("time", "bigint", "epoch_s", "did you mean \"epoch_ms\"?"),
        ("unit", "date", "hour", "write \"ms\" or \"s\""),
        ("object", "boolean", "tru", "did you mean \"true\"?"),
        ("scalar", "text[]", "rap", "did you mean \"wrap\"?"),
        ("parse", "numeric", "mony", "did you mean \"money\"?"),
        ("on_reject", "text", "rows", "did you mean \"row\"?"),
    ] {
        let text = format!("c = {{ type = \"{kind}\", {option} = ¦\"{value}\" }}");
        one_problem(&text, &format!("unknown value {value:?} of {option:?} | {hint}"));
    }
}

#[test]
fn an_unknown_function_is_corrected() {
    let of = |name: &str| format!("c = {{ type = \"text\", function = ¦\"{name}\" }}");
    one_problem(&of("digit"), "unknown function \"digit\" | did you mean \"digits\"?");
    one_problem(&of("phone"), "unknown function \"phone\" | write \"digits\"");
}

#[test]
fn an_option_that_means_nothing_for_the_type_is_refused() {
    let integers = "for integers; elsewhere use \"null_values\"";
    for (kind, option, value, place) in [
        ("text", "none", "[0]", integers),
        ("date", "none", "[0]", integers),
        ("numeric(5,2)", "none", "[0]", integers),
        ("integer", "time", "\"epoch_ms\"", "for bigint"),
        ("bigint", "blank", "\"null\"", "for text and varchar; elsewhere a blank is NULL"),
        ("reference", "unit", "\"s\"", "for dates and times"),
        ("text", "format", "\"YYYYMMDD\"", "for dates and times"),
        ("text", "object", "\"true\"", "for boolean"),
        ("date", "references", "\"users\"", "for integers, text and varchar"),
        ("bigint[]", "references", "\"users\"", "for integers, text and varchar"),
        ("text", "scalar", "\"wrap\"", "for arrays"),
        ("varchar(3)", "parse", "\"money\"", "for numbers"),
        ("epoch_ms", "parse", "\"percent\"", "for numbers"),
        ("text", "parse", "\"json\"", "for json and jsonb"),
    ] {
        let shown = if option == "parse" { format!("parse = {value}") } else { option.to_owned() };
        let name = if kind == "reference" { "bigint" } else { kind };
        one_problem(
            &format!("c = {{ type = \"{kind}\", ¦{option} = {value} }}"),
            &format!("{shown} means nothing for the type {name} | {shown} is {place}"),
        );
    }
}

#[test]
fn a_value_of_the_wrong_kind_is_named() {
    let quote = |text: &str| format!("write it in double quotes: \"{text}\"");
    for (text, expected, hint) in [
        ("c = ¦5", "a type or a table of options, found an integer", None),
        ("c = { type = ¦[] }", "a string, found a list", None),
        ("c = { type = \"text\", trim = ¦1 }", "a boolean, found an integer", None),
        ("c = { type = \"text\", from = ¦{} }", "a string or a list of strings, found a table", None),
        ("c = { type = \"text\", null_values = [\"\", ¦0] }", "a string, found an integer", Some("0")),
        ("c = { type = \"text\", map = ¦\"x\" }", "a table, found a string", None),
        ("c = { type = \"text\", map = { a = ¦1.5 } }", "a string, found a float", Some("1.5")),
        ("c = { type = \"boolean\", object = ¦true }", "a string, found a boolean", Some("true")),
        (
            "c = { type = \"bigint\", none = ¦\"0\" }",
            "an integer or a list of integers, found a string",
            None,
        ),
        ("c = { type = \"bigint\", none = [0, ¦\"0\"] }", "an integer, found a string", None),
        (
            "c = { type = \"date\", format = ¦2025-01-01 }",
            "a string or a list of strings, found a date or time",
            Some("2025-01-01"),
        ),
    ] {
        let hint = hint.map_or_else(String::new, |text| format!(" | {}", quote(text)));
        one_problem(text, &format!("expected {expected}{hint}"));
    }
}

#[test]
fn a_default_or_constant_that_the_type_cannot_take_is_refused() {
    for (kind, option, value, found) in [
        ("bigint", "default", "true", "a boolean"),
        ("boolean", "default", "[]", "a list"),
        ("text[]", "default", "\"x\"", "a string"),
        ("uuid", "const", "5", "an integer"),
        ("date", "const", "1.5", "a float"),
    ] {
        one_problem(
            &format!("c = {{ type = \"{kind}\", {option} = ¦{value} }}"),
            &format!("expected a {option} of the type {kind}, found {found}"),
        );
    }
    one_problem("c = { type = \"numeric\", default = ¦nan }", "JSON has no infinity and no NaN");
    one_problem("c = { type = \"text\", default = ¦\"\\u0000\" }", "a NUL character cannot be stored");
}

#[test]
fn a_column_without_a_type_is_refused_unless_it_follows() {
    for value in ["from = \"x\"", "const = [1]", "const = 10:00:00"] {
        one_problem(&format!("¦c = {{ {value} }}"), "column \"c\" has no type | add type = \"…\"");
    }
}

#[test]
fn nothing_but_a_type_stands_beside_a_constant() {
    assert_eq!(
        column_problems("c = { const = 1, from = \"x\", default = 2, type = \"bigint\", trim = true }"),
        [
            "8:18: from means nothing beside const | leave out from or const",
            "8:30: default means nothing beside const | leave out default or const",
            "8:60: trim means nothing beside const | leave out trim or const",
        ]
    );
}

#[test]
fn a_bad_path_is_refused() {
    let hint = "write a key, a path such as location.lat, or \"odd.key\" with the double quotes";
    for path in ["a..b", ".a", "a.", "", "\"a"] {
        one_problem(
            &format!("c = {{ from = ¦'{path}', type = \"text\" }}"),
            &format!("{path:?} is not a key or a path | {hint}"),
        );
    }
    let row = "unknown name \"$row\" | did you mean \"$id\"?";
    one_problem("c = ¦\"$row\"", row);
    one_problem("c = { from = ¦\"$row\" }", row);
    one_problem("c = { from = [\"a\", ¦\"$row\"], type = \"text\" }", row);
    one_problem(
        "c = { from = [\"a\", ¦\"$id\"], type = \"text\" }",
        "\"$id\" stands in a list | it is never absent: write it alone",
    );
}

#[test]
fn a_list_is_not_empty_and_names_nothing_twice() {
    for option in ["from", "null_values", "allowed"] {
        one_problem(&format!("c = {{ type = \"text\", {option} = ¦[] }}"), "the list is empty");
        let twice = format!("c = {{ type = \"text\", {option} = [\"a\", ¦\"a\"] }}");
        one_problem(&twice, "\"a\" stands in the list twice");
    }
    one_problem("c = { type = \"bigint\", none = ¦[] }", "the list is empty");
    one_problem("c = { type = \"bigint\", none = [1, ¦1] }", "1 stands in the list twice");
    one_problem("c = { type = \"bigint\", none = ¦99999999999999999999 }", "the number is out of range");
    one_problem("c = { type = \"text\", map = ¦{} }", "the map is empty");
    one_problem("c = { type = \"text\", lookup = ¦\"\" }", "\"lookup\" names no file");
}

#[test]
fn a_bad_format_is_refused() {
    let of = |format: &str| format!("c = {{ type = \"date\", format = {format} }}");
    let hint = "write YYYY, MM and DD, then HH24, MI and SS if there is a time, with separators";
    one_problem(
        &of("¦\"mm/DD/YYYY\""),
        "unknown field \"mm\" in the format \"mm/DD/YYYY\" | did you mean \"MM\"?",
    );
    one_problem(&of("[\"YYYYMMDD\", ¦\"MM/YYYY\"]"), &format!("the format \"MM/YYYY\" has no DD | {hint}"));
    one_problem(&of("[\"YYYYMMDD\", ¦\"YYYYMMDD\"]"), "\"YYYYMMDD\" stands in the list twice");
}

#[test]
fn a_lookup_above_the_folder_and_a_map_beside_it_are_allowed() {
    let text = "c = { type = \"text\", lookup = \"../../l.csv\", map = { a = \"b\" } }";
    assert_eq!(column_problems(text), [] as [&str; 0]);
}

#[test]
fn a_column_or_option_twice_is_refused() {
    one_problem("¦id = \"text\"", "\"id\" stands here for the second time");
    one_problem("c = { type = \"text\", ¦\"type\" = \"date\" }", "\"type\" stands here for the second time");
}

#[test]
fn a_column_has_a_name() {
    one_problem("¦\"\" = \"text\"", "\"\" is not a column name");
}

#[test]
fn all_mistakes_of_a_file_are_reported_at_once() {
    assert_eq!(
        column_problems(
            "a = { from = 1, typ = \"x\", trim = 0, on_reject = \"x\" }\nb = \"txt\"\nb = \"text\""
        ),
        [
            "8:14: expected a string or a list of strings, found an integer | write it in double quotes: \"1\"",
            "8:17: unknown option \"typ\" | did you mean \"type\"?",
            "8:35: expected a boolean, found an integer",
            "8:50: unknown value \"x\" of \"on_reject\" | write \"cell\", \"row\" or \"abort\"",
            "9:5: unknown type \"txt\" | did you mean \"text\"?",
            "10:1: \"b\" stands here for the second time",
        ]
    );
}
