//! `text`, `varchar(n)`, `boolean`, `uuid`.

use super::*;

#[test]
fn text_takes_what_the_arrow_operator_prints() {
    let text = spec_of("text");
    assert_eq!(cast(&text, Text("Denver")), wrote(b"Denver", None));
    assert_eq!(cast(&text, Text("")), wrote(b"", None));
    assert_eq!(cast(&text, Text(" 😀\\\t\"\n")), wrote(" 😀\\\t\"\n".as_bytes(), None));
    assert_eq!(cast(&text, Number("1.10")), wrote(b"1.10", ScalarToText));
    assert_eq!(cast(&text, Bool(true)), wrote(b"true", ScalarToText));
    assert_eq!(cast(&text, Bool(false)), wrote(b"false", ScalarToText));
    assert_eq!(cast(&text, Object(r#"{"a": 1}"#)), wrote(br#"{"a": 1}"#, StructureToText));
    assert_eq!(cast(&text, Array("[1, 2]")), wrote(b"[1, 2]", StructureToText));
}

#[test]
fn text_that_no_server_holds_is_refused() {
    assert_eq!(cast(&spec_of("text"), Text("a\0b")), Err(WrongKind));
    assert_eq!(cast(&spec_of("varchar(5)"), Text("a\0b")), Err(WrongKind));
    assert_eq!(cast(&spec_of("text"), Number("\"\\x\"")), Err(NotANumber));
}

#[test]
fn varchar_counts_characters_by_the_narrower_of_the_two_lengths() {
    let three = spec_of("varchar(3)");
    assert_eq!(cast(&three, Text("日本語")), wrote("日本語".as_bytes(), None));
    assert_eq!(cast(&three, Text("日本語x")), Err(TooLong));
    assert_eq!(cast(&three, Text("ab  ")), Err(TooLong), "no trailing space is cut off");
    assert_eq!(cast(&three, Number("1234")), Err(TooLong));
    assert_eq!(cast(&three, Bool(true)), Err(TooLong));
    assert_eq!(cast_into(&three, type_of("text"), Text("abcd")), Err(TooLong));
    assert_eq!(cast_into(&three, type_of("varchar(9)"), Text("abcd")), Err(TooLong));
    assert_eq!(cast_into(&spec_of("text"), type_of("varchar(3)"), Text("abcd")), Err(TooLong));
}

#[test]
fn every_spelling_of_the_servers_boolean_input_is_taken() {
    let boolean = spec_of("boolean");
    for text in
        ["t", "tr", "tru", "true", "TRUE", "True", "y", "ye", "YES", "on", "1", " true\n", "\x0bOn\x0c"]
    {
        assert_eq!(cast(&boolean, Text(text)), wrote(&[1], StringToBoolean), "{text:?}");
    }
    for text in ["f", "fa", "fal", "fals", "false", "FALSE", "n", "No", "of", "off", "0", "\toff "] {
        assert_eq!(cast(&boolean, Text(text)), wrote(&[0], StringToBoolean), "{text:?}");
    }
    for text in ["o", "truex", "2", "01", "1.0", "tr ue", "ja", "null"] {
        assert_eq!(cast(&boolean, Text(text)), Err(NotABoolean), "{text:?}");
    }
}

#[test]
fn booleans_come_from_booleans_and_from_one_and_zero_by_value() {
    let boolean = spec_of("boolean");
    assert_eq!(cast(&boolean, Bool(true)), wrote(&[1], None));
    assert_eq!(cast(&boolean, Bool(false)), wrote(&[0], None));
    for (number, byte) in [("1", 1), ("0", 0), ("1.0", 1), ("0.00", 0), ("10e-1", 1), ("-0", 0)] {
        assert_eq!(cast(&boolean, Number(number)), wrote(&[byte], NumberToBoolean), "{number}");
    }
    for number in ["2", "-1", "0.5", "1.5", "1e40", "01"] {
        assert_eq!(cast(&boolean, Number(number)), Err(NotABoolean), "{number}");
    }
    assert_eq!(cast(&boolean, Array("[]")), Err(WrongKind));
}

#[test]
fn an_object_is_a_boolean_only_where_the_column_says_so() {
    let plain = spec_of("boolean");
    let object = CastSpec { object_true: true, ..plain.clone() };
    assert_eq!(cast(&plain, Object("{}")), Err(WrongKind));
    assert_eq!(cast(&object, Object("{}")), wrote(&[0], ObjectToBoolean));
    assert_eq!(cast(&object, Object("{ \n}")), wrote(&[0], ObjectToBoolean));
    assert_eq!(cast(&object, Object(r#"{"id": 7}"#)), wrote(&[1], ObjectToBoolean));
    assert_eq!(cast(&object, Array("[1]")), Err(WrongKind));
}

#[test]
fn uuids_are_read_as_the_server_reads_them() {
    let uuid = spec_of("uuid");
    let bytes = b"\xa0\xee\xbc\x99\x9c\x0b\x4e\xf8\xbb\x6d\x6b\xb9\xbd\x38\x0a\x11";
    for text in [
        "a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11",
        "A0EEBC99-9C0B-4EF8-BB6D-6BB9BD380A11",
        "a0eebc999c0b4ef8bb6d6bb9bd380a11",
        "{a0eebc99-9c0b4ef8-bb6d6bb9-bd380a11}",
        "a0ee-bc99-9c0b-4ef8-bb6d-6bb9-bd38-0a11",
    ] {
        assert_eq!(cast(&uuid, Text(text)), wrote(bytes, None), "{text}");
    }
    for text in [
        " a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11",
        "{a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11",
        "a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11}",
        "a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11-",
        "a0eebc99--9c0b-4ef8-bb6d-6bb9bd380a11",
        "a0-eebc999c0b4ef8bb6d6bb9bd380a11",
        "a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a1",
        "a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a1g",
        "null",
    ] {
        assert_eq!(cast(&uuid, Text(text)), Err(NotAUuid), "{text}");
    }
    for value in [Number("7"), Bool(true), Array("[]"), Object("{}")] {
        assert_eq!(cast(&uuid, value), Err(WrongKind));
    }
}
