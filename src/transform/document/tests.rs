//! Both readers on documents written by hand.

use super::*;
use crate::pgcopy::ondisk::build::Built;
use crate::pgcopy::ondisk::{ByteOrder, DiskValue};

fn found<'d>(keys: &[&str], document: &'d str) -> Vec<Option<&'d str>> {
    let wanted = WantedKeys::new(keys.iter().copied());
    let mut found = Found::default();
    TextValue::document(document).find(&wanted, &mut found).expect("an object");
    keys.iter().map(|key| found.get(wanted.slot(key).expect("wanted")).map(|value| value.as_str())).collect()
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

const ORDERS: [ByteOrder; 2] = [ByteOrder::Little, ByteOrder::Big];

/// The JSON of what is found of each key in a document as it is kept, the same in both byte orders.
fn kept(keys: &[&str], built: &Built) -> Result<Vec<Option<String>>, NoKeys> {
    let wanted = WantedKeys::new(keys.iter().copied());
    let [little, big] = ORDERS.map(|order| {
        let document = built.document(order);
        let mut found = Found::default();
        DiskValue::document(&document, order).find(&wanted, &mut found)?;
        let json = |value: &DiskValue<'_>| value.json(&mut String::new()).expect("a value").to_owned();
        Ok(keys.iter().map(|key| found.get(wanted.slot(key).expect("wanted")).map(json)).collect())
    });
    assert_eq!(little, big);
    little
}

fn texts(texts: &[Option<&str>]) -> Result<Vec<Option<String>>, NoKeys> {
    Ok(texts.iter().map(|text| text.map(str::to_owned)).collect())
}

#[test]
fn wanted_keys_are_found_among_others_in_a_document_on_disk() {
    let document = Built::Object(vec![
        ("", Built::Null),
        ("a", Built::small(1)),
        ("b", Built::String("x, \"y\": }")),
        ("id", Built::Object(vec![("a", Built::Array(vec![Built::small(2)]))])),
        ("zip", Built::Bool(true)),
        ("a key of seventeen", Built::small(3)),
        ("a key of seventeem and more", Built::small(4)),
        ("a key of seventeen and more", Built::small(5)),
    ]);
    assert_eq!(
        kept(&["zip", "a", "", "id", "gone", "b"], &document),
        texts(&[
            Some("true"),
            Some("1"),
            Some("null"),
            Some(r#"{"a": [2]}"#),
            None,
            Some(r#""x, \"y\": }""#)
        ])
    );
    assert_eq!(
        kept(&["a key of seventeen and more", "a key of seventeen", "a key of seventeem"], &document),
        texts(&[Some("5"), Some("3"), None])
    );
    assert_eq!(kept(&["a"], &Built::Object(vec![])), texts(&[None]));
    assert_eq!(kept(&[], &document), texts(&[]));
}

#[test]
fn what_is_no_object_on_disk_has_no_keys_and_keys_out_of_order_are_corrupt() {
    for built in [Built::Null, Built::small(1), Built::String("{}"), Built::Array(vec![])] {
        assert_eq!(kept(&["a"], &built), Err(NoKeys::NotAnObject));
    }
    for keys in [["b", "a"], ["aa", "b"], ["a", "a"]] {
        let pairs = keys.map(|key| (key, Built::Null)).to_vec();
        assert_eq!(kept(&["a"], &Built::Object(pairs)), Err(NoKeys::Corrupt), "{keys:?}");
    }
    for cut in 0..4 {
        let found = DiskValue::document(&[2, 0, 0, 0x20][..cut], ByteOrder::Little)
            .find(&WantedKeys::new(["a"]), &mut Found::default());
        assert_eq!(found, Err(NoKeys::Corrupt));
    }
}

#[test]
fn values_on_disk_are_those_of_the_text() {
    let mut scratch = String::new();
    let mut other = String::new();
    for (built, text) in [
        (Built::Null, "null"),
        (Built::Bool(true), "true"),
        (Built::String("a\n\"b\""), r#""a\n\"b\"""#),
        (Built::Number(vec![0xA000 | 2 << 7, 1, 1000]), "-1.10"),
        (Built::Array(vec![Built::small(1), Built::Null]), "[1, null]"),
        (Built::Object(vec![("k", Built::String("\u{1}"))]), r#"{"k": "\u0001"}"#),
    ] {
        for order in ORDERS {
            let document = Built::Object(vec![("v", built.clone())]).document(order);
            let mut found = Found::default();
            let wanted = WantedKeys::new(["v"]);
            DiskValue::document(&document, order).find(&wanted, &mut found).expect("an object");
            let value = found.get(0).expect("a value");
            assert_eq!(value.value(&mut scratch), Ok(value_of(text, &mut other)));
            assert_eq!(value.json(&mut scratch), Ok(text));
            assert_eq!(value.is_null(), text == "null");
        }
    }
}

#[test]
fn documents_of_one_kind_after_another_are_found_as_each_alone() {
    let wanted = WantedKeys::new(["a", "c", "long one", "z"]);
    let kinds = [
        Built::Object(vec![("a", Built::small(1)), ("b", Built::small(2)), ("c", Built::String("x"))]),
        Built::Object(vec![("a", Built::String("y")), ("b", Built::Null), ("c", Built::small(3))]),
        // As many bytes of keys, and as many keys, but others.
        Built::Object(vec![("a", Built::small(1)), ("c", Built::small(2)), ("d", Built::small(3))]),
        Built::Object(vec![("abc", Built::small(4))]),
        Built::Object(vec![]),
        Built::Object(vec![("c", Built::small(5)), ("long one", Built::small(6))]),
    ];
    for order in ORDERS {
        let documents: Vec<Vec<u8>> = kinds.iter().map(|kind| kind.document(order)).collect();
        let mut memo = Memo::default();
        let mut found = Found::default();
        // Each kind alone, in runs, and in turn, so that the one that is kept changes several times.
        let turns = (0..600).map(|turn| (turn / 7 * turn / 50) % documents.len());
        for kind in turns.chain((0..40).map(|_| 0)).chain((0..40).map(|turn| turn % documents.len())) {
            let document = DiskValue::document(&documents[kind], order);
            document.find_alike(&wanted, &mut memo, &mut found).expect("an object");
            let mut alone = Found::default();
            document.find(&wanted, &mut alone).expect("an object");
            for slot in 0..wanted.len() {
                assert_eq!(found.get(slot), alone.get(slot), "{slot} of {kind}");
            }
        }
    }
}

#[test]
fn a_path_is_followed_through_objects_on_disk() {
    let path = [WantedKeys::new(["b"]), WantedKeys::new(["c"])];
    let inner = |value| Built::Object(vec![("a", Built::small(1)), ("b", value)]);
    for (built, expected) in [
        (inner(Built::Object(vec![("c", Built::small(7))])), Ok(Some("7"))),
        (inner(Built::Object(vec![("d", Built::small(7))])), Ok(None)),
        (inner(Built::Array(vec![Built::small(7)])), Ok(None)),
        (inner(Built::String("c")), Ok(None)),
        (inner(Built::Object(vec![("c", Built::Null), ("a", Built::Null)])), Err(Corrupt)),
    ] {
        for order in ORDERS {
            let bytes = built.document(order);
            let followed = follow(DiskValue::document(&bytes, order), &path, &mut Found::default());
            let mut scratch = String::new();
            let json = followed.map(|value| value.map(|value| value.json(&mut scratch).expect("a value")));
            assert_eq!(json, expected);
        }
    }
}
