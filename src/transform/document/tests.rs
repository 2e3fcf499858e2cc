//! Both readers on documents written by hand.

use super::*;

fn found<'d>(keys: &[&str], document: &'d str) -> Vec<Option<&'d str>> {
    let wanted = WantedKeys::new(keys.iter().copied());
    let mut found = Found::default();
    TextValue::document(document).find(&wanted, &mut found).expect("an object");
    keys.iter().map(|key| found.get(wanted.slot(key).expect("wanted")).map(TextValue::as_str)).collect()
}

#[test]
fn wanted_keys_are_found_among_others_in_a_canonical_document() {
    let document =
        r#"{"a": 1, "b": "x, \"y\": }", "id": {"a": [1, {"b": "]"}]}, "zip": null, "long": -1.50}"#;
    assert_eq!(
        found(&["long", "a", "zip", "id", "gone", "b"], document),
        [
            Some("-1.50"),
            Some("1"),
            Some("null"),
            Some(r#"{"a": [1, {"b": "]"}]}"#),
            None,
            Some(r#""x, \"y\": }""#)
        ]
    );
    assert_eq!(found(&["a"], "{}"), [None]);
    assert_eq!(found(&[], r#"{"a": 1}"#), [] as [Option<&str>; 0]);
}

#[test]
fn documents_in_any_other_form_give_the_same_and_the_last_of_two_keys_wins() {
    assert_eq!(found(&["a", "b"], "{\"b\":2 ,\n \"a\" : [ ] }"), [Some("[ ]"), Some("2")]);
    assert_eq!(found(&["a"], r#"{"a": 1, "a": 2}"#), [Some("2")]);
    assert_eq!(found(&["a\"b", "é"], r#"{"é": 1, "a\"b": 2}"#), [Some("2"), Some("1")]);
    assert_eq!(found(&["a"], r#"{"\u0061": 7}"#), [Some("7")]);
    assert_eq!(found(&["a"], r#"{"a": 1e5}"#), [Some("1e5")]);
    assert_eq!(found(&[""], r#"{"": 1, "a": 2}"#), [Some("1")]);
    for bytes in [1, 6, 7, 8, 9, 254, 255, 256, 300] {
        let [low, key, high] = ["a", "b", "c"].map(|last| "k".repeat(bytes - 1) + last);
        let document = format!("{{\"{low}\": 0, \"{key}\": 1, \"{high}\": 2, \"{key}k\": 3}}");
        assert_eq!(found(&[&key, &(high.clone() + "k")], &document), [Some("1"), None], "{bytes}");
        let unsorted = format!("{{\"{high}\": 2, \"{key}\": 1, \"{key}\": 4}}");
        assert_eq!(found(&[&key], &unsorted), [Some("4")], "{bytes}");
    }
}

#[test]
fn a_wanted_key_inside_a_nested_object_is_not_taken_for_the_top_level_one() {
    assert_eq!(found(&["id"], r#"{"x": {"id": 1}}"#), [None]);
}

#[test]
fn what_is_no_object_is_refused() {
    let wanted = WantedKeys::new(["a"]);
    for document in ["1", "[]", "null", "\"{}\"", "", "{", "{\"a\"}", "{\"a\": 1} x", "{\"a\": tru}"] {
        let looked = TextValue::document(document).find(&wanted, &mut Found::default());
        assert_eq!(looked, Err(NoKeys::NotAnObject), "{document}");
    }
}

#[test]
fn nesting_far_beyond_any_stack_is_skipped() {
    let deep = format!("{{\"a\": {}{}, \"b\": 1}}", "[".repeat(100_000), "]".repeat(100_000));
    assert_eq!(found(&["b"], &deep), [Some("1")]);
}

#[test]
fn values_are_read_with_their_escapes_resolved_and_their_digits_kept() {
    let mut scratch = String::new();
    assert_eq!(value_of(r#""a\n\ud83d\ude00""#, &mut scratch), Value::String("a\n😀"));
    assert_eq!(value_of("1.10", &mut scratch), Value::Number("1.10"));
    assert_eq!(value_of("false", &mut scratch), Value::Bool(false));
    assert_eq!(value_of("[1]", &mut scratch), Value::Array("[1]"));
}

/// Why simd-json cannot stand in for the scanner.
#[test]
fn digits_that_simd_json_loses_are_kept() {
    for digits in ["12345678901234567890123456789.1", "1.10", "0.1000000000000000055511151231257827"] {
        let document = format!("{{\"a\": {digits}}}");
        assert_eq!(found(&["a"], &document), [Some(digits)]);
        let parsed = simd_json::to_owned_value(&mut document.into_bytes()).expect("JSON");
        assert_ne!(simd_json::to_string(&parsed).expect("text"), format!("{{\"a\":{digits}}}"));
    }
    // An integer beyond 64 bits is refused.
    let digits = "9".repeat(40);
    let document = format!("{{\"a\": {digits}}}");
    assert_eq!(found(&["a"], &document), [Some(digits.as_str())]);
    assert!(simd_json::to_owned_value(&mut document.into_bytes()).is_err());
}

#[test]
fn a_path_is_followed_through_nested_objects() {
    let path = [WantedKeys::new(["lat"])];
    let followed = |json| {
        let inner =
            follow(TextValue::new(json), &path, &mut Found::default()).expect("text is never corrupt");
        inner.map(TextValue::as_str)
    };
    assert_eq!(followed(r#"{"lat": 1.5}"#), Some("1.5"));
    assert_eq!(followed(r#"{"lng": 1.5}"#), None);
    assert_eq!(followed("\"\""), None);
}
