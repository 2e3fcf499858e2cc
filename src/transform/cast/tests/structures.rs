//! `json`, `jsonb`, arrays.

use super::*;

#[test]
fn json_takes_every_value_as_it_stands() {
    for (value, text) in [
        (Bool(true), "true"),
        (Bool(false), "false"),
        (Number("1.10"), "1.10"),
        (Array("[1, 2]"), "[1, 2]"),
        (Object(r#"{"a": "é\n"}"#), r#"{"a": "é\n"}"#),
        (Text(""), "\"\""),
        (Text("a\"b\\c\n\r\t\u{8}\u{1f}/é😀\u{7f}"), "\"a\\\"b\\\\c\\n\\r\\t\\u0008\\u001f/é😀\u{7f}\""),
    ] {
        assert_eq!(cast(&spec_of("json"), value), wrote(text.as_bytes(), None), "{text}");
        let jsonb = [b"\x01", text.as_bytes()].concat();
        assert_eq!(cast(&spec_of("jsonb"), value), wrote(&jsonb, None), "{text}");
        assert_eq!(cast_into(&spec_of("json"), type_of("jsonb"), value), wrote(&jsonb, None), "{text}");
    }
}

#[test]
fn json_that_the_server_would_refuse_is_refused_here() {
    let (json, jsonb) = (spec_of("json"), spec_of("jsonb"));
    assert_eq!(cast(&jsonb, Text("a\0")), Err(WrongKind));
    assert_eq!(cast(&json, Text("a\0")), wrote(b"\"a\\u0000\"", None));
    for (text, reason) in [
        (r#"{"a": "\u0000"}"#, WrongKind),
        (r#"{"\u0000": 1}"#, WrongKind),
        (r#"{"a": "\ud83d"}"#, NotJson),
        (r#"{"a": "\ud83d\n"}"#, NotJson),
        (r#"{"a": "\ude00\ud83d"}"#, NotJson),
        (r#"{"a": 1e131072}"#, OutOfRange),
        (r#"{"a": 1e-16384}"#, OutOfRange),
    ] {
        assert_eq!(cast(&jsonb, Object(text)), Err(reason), "{text}");
        assert_eq!(cast(&json, Object(text)), wrote(text.as_bytes(), None), "{text}");
    }
    assert!(cast(&jsonb, Object(r#"{"a": ["\ud83d\ude00", 1e131071]}"#)).is_ok());
    for value in [Object("{\"a\" 1}"), Array("[1,]"), Number("01"), Number("\"\\x\"")] {
        assert_eq!(cast(&json, value), Err(NotJson), "{value:?}");
    }
}

#[test]
fn json_in_a_string_is_read_where_the_column_says_so() {
    let parsed = CastSpec { parse: Some(Parse::Json), ..spec_of("jsonb") };
    for text in [
        r#"{"a": [1, {"b": null}], "c": -1.5e+3}"#,
        " [ ] ",
        "{}",
        "null",
        "0",
        "-0.10",
        "\"x\"",
        "[[], {}, [{}]]",
        "\t{\n\"a\" :\r1 }",
    ] {
        let payload = [b"\x01", text.as_bytes()].concat();
        assert_eq!(cast(&parsed, Text(text)), wrote(&payload, JsonFromString), "{text}");
    }
    for text in [
        "",
        " ",
        "abc",
        "tru",
        "truex",
        "1,2",
        "{a: 1}",
        "{'a': 1}",
        "[1 2]",
        "[1,]",
        "{\"a\": 1,}",
        "{\"a\"}",
        "[",
        "]",
        "[}",
        "{]",
        "{\"a\": 1]",
        "01",
        "1.",
        ".5",
        "+1",
        "-",
        "1e",
        "1e+",
        "\"",
        "\"\\",
        "\"\\u12\"",
        "\"\\x\"",
        "\"\t\"",
        "1 2",
        "\u{a0}1",
        "\u{feff}1",
        "\x0b1",
        "NaN",
        "//x\n1",
    ] {
        assert_eq!(cast(&parsed, Text(text)), Err(NotJson), "{text:?}");
    }
    assert_eq!(cast(&parsed, Object("{}")), wrote(b"\x01{}", None));
    assert_eq!(cast(&parsed, Text("\"\\u0000\"")), Err(NotJson));
    assert_eq!(cast(&parsed, Text("1e131072")), Err(NotJson));
}

#[test]
fn json_may_nest_as_deep_as_the_servers_stack_allows() {
    let parsed = CastSpec { parse: Some(Parse::Json), ..spec_of("json") };
    for depth in [1, 63, 64, 65, 128, 129, 1000, 12_000] {
        let arrays = format!("{}{}", "[".repeat(depth), "]".repeat(depth));
        let mixed = format!("{}0{}", "[{\"a\":".repeat(depth / 2), "}]".repeat(depth / 2));
        assert!(cast(&parsed, Text(&arrays)).is_ok(), "{depth}");
        assert!(cast(&parsed, Text(&mixed)).is_ok(), "{depth}");
        assert_eq!(cast(&parsed, Text(&arrays[1..])), Err(NotJson), "{depth}");
        assert_eq!(cast(&parsed, Text(&arrays[..arrays.len() - 1])), Err(NotJson), "{depth}");
        assert_eq!(
            cast(&parsed, Text(&mixed.replacen(']', "}", 1))).err(),
            (depth > 1).then_some(NotJson),
            "{depth}"
        );
    }
    assert_eq!(cast(&parsed, Text(&"[".repeat(1_000_000))), Err(NotJson));
}

/// The payload of a one-dimensional array of elements of four bytes each.
fn integers(elements: &[Option<i32>]) -> Vec<u8> {
    let has_null = i32::from(elements.contains(&None));
    let mut payload: Vec<u8> = [1, has_null, 23, elements.len() as i32, 1]
        .iter()
        .flat_map(|word: &i32| word.to_be_bytes())
        .collect();
    for element in elements {
        match element {
            None => payload.extend((-1_i32).to_be_bytes()),
            Some(value) => payload.extend([4_i32.to_be_bytes(), value.to_be_bytes()].concat()),
        }
    }
    payload
}

#[test]
fn arrays_take_each_element_by_the_rule_of_its_type() {
    let spec = spec_of("integer[]");
    assert_eq!(cast(&spec, Array("[1, 2]")), wrote(&integers(&[Some(1), Some(2)]), None));
    assert_eq!(cast(&spec, Array("[ 1,null , -2.0 ]")), wrote(&integers(&[Some(1), None, Some(-2)]), None));
    assert_eq!(cast(&spec, Array(r#"[1, "2"]"#)), wrote(&integers(&[Some(1), Some(2)]), StringToNumber));
    assert_eq!(cast(&spec, Array(r#"[" "]"#)), wrote(&integers(&[None]), BlankToNull));
    let none = CastSpec { none: vec![0], ..spec.clone() };
    assert_eq!(cast(&none, Array("[0, 7]")), wrote(&integers(&[None, Some(7)]), NamedNull));
    // No dimension at all.
    assert_eq!(cast(&spec, Array("[]")), wrote(&[0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 23], None));
}

#[test]
fn arrays_of_texts_and_documents_are_written_with_the_live_element_type() {
    let texts = cast(&spec_of("text[]"), Array(r#"["a\n", "", 1, {"b": []}]"#));
    let mut payload = b"\0\0\0\x01\0\0\0\0\0\0\0\x19\0\0\0\x04\0\0\0\x01".to_vec();
    payload.extend(b"\0\0\0\x02a\n\0\0\0\0\0\0\0\x011\0\0\0\x09{\"b\": []}");
    assert_eq!(texts, wrote(&payload, ScalarToText));
    let documents = cast_into(&spec_of("json[]"), type_of("jsonb[]"), Array("[{}, null]"));
    let payload = b"\0\0\0\x01\0\0\0\x01\0\0\x0e\xda\0\0\0\x02\0\0\0\x01\0\0\0\x03\x01{}\xff\xff\xff\xff";
    assert_eq!(documents, wrote(payload, None));
}

#[test]
fn arrays_refuse_an_element_that_its_type_refuses_and_what_is_no_array() {
    let spec = spec_of("integer[]");
    for (value, reason) in [
        (Array(r#"[1, "x"]"#), NotANumber),
        (Array("[1, 1.5]"), Fraction),
        (Array("[[1]]"), WrongKind),
        (Array("[1, true]"), WrongKind),
        (Array("[1,]"), NotAnArray),
        (Array("[1"), NotAnArray),
        (Text("1,2"), NotAnArray),
        (Number("1"), NotAnArray),
        (Bool(true), NotAnArray),
        (Object("{}"), NotAnArray),
    ] {
        assert_eq!(cast(&spec, value), Err(reason), "{value:?}");
    }
}

#[test]
fn one_value_is_wrapped_only_where_the_column_says_so() {
    let spec = CastSpec { wrap_scalar: true, ..spec_of("integer[]") };
    assert_eq!(cast(&spec, Number("7")), wrote(&integers(&[Some(7)]), Wrapped));
    assert_eq!(cast(&spec, Text("7")), wrote(&integers(&[Some(7)]), Wrapped));
    assert_eq!(cast(&spec, Array("[7]")), wrote(&integers(&[Some(7)]), None));
    assert_eq!(cast(&spec, Text("1,2")), Err(NotANumber));
    assert_eq!(cast(&spec, Text(" ")), BLANK);
    let none = CastSpec { none: vec![0], ..spec };
    assert_eq!(cast(&none, Number("0")), NAMED);
}
