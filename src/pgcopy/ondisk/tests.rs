//! Documents made by hand, in both byte orders, and bytes that are none.

use super::build::Built;
use super::*;

const ORDERS: [ByteOrder; 2] = [ByteOrder::Little, ByteOrder::Big];

fn printed(bytes: &[u8], order: ByteOrder) -> Result<String, Corrupt> {
    let mut text = String::new();
    DiskValue::document(bytes, order).print(&mut text).map(|()| text)
}

/// What `jsonb_out` makes of a document, the same in both byte orders.
fn shown(built: &Built) -> String {
    let [little, big] = ORDERS.map(|order| printed(&built.document(order), order).expect("a document"));
    assert_eq!(little, big);
    little
}

fn number(words: &[u16]) -> String {
    shown(&Built::Number(words.to_vec()))
}

#[test]
fn a_document_that_postgresql_15_wrote_on_x86_64_is_read() {
    // SELECT encode('{"a": "x", "bc": [1, -2.50, null, {"k": true}]}'::jsonb::bytea, 'hex')
    let bytes = [
        0x02, 0x00, 0x00, 0x20, // an object of two pairs
        0x01, 0x00, 0x00, 0x80, // "a" ends at 1
        0x02, 0x00, 0x00, 0x00, // "bc" is 2 long
        0x01, 0x00, 0x00, 0x00, // "x" is 1 long
        0x35, 0x00, 0x00, 0x50, // a container of 53 bytes
        b'a', b'b', b'c', b'x', // no padding: the next multiple of four
        0x04, 0x00, 0x00, 0x40, // an array of four
        0x08, 0x00, 0x00, 0x90, // a number that ends at 8
        0x0a, 0x00, 0x00, 0x10, // a number of 10 bytes
        0x00, 0x00, 0x00, 0x40, // null
        0x0f, 0x00, 0x00, 0x50, // a container of 15 bytes, 2 of them padding
        0x20, 0x00, 0x00, 0x00, 0x00, 0x80, 0x01, 0x00, // 8 bytes, short, 1
        0x28, 0x00, 0x00, 0x00, 0x00, 0xa1, 0x02, 0x00, 0x88,
        0x13, // 10 bytes, negative, two decimals, 2, 5000
        0x00, 0x00, // padding
        0x01, 0x00, 0x00, 0x20, 0x01, 0x00, 0x00, 0x80, 0x00, 0x00, 0x00, 0x30, b'k',
    ];
    assert_eq!(
        printed(&bytes, ByteOrder::Little).as_deref(),
        Ok(r#"{"a": "x", "bc": [1, -2.50, null, {"k": true}]}"#)
    );
}

#[test]
fn each_kind_of_value_is_printed_as_jsonb_out_prints_it() {
    for (built, expected) in [
        (Built::Null, "null"),
        (Built::Bool(true), "true"),
        (Built::Bool(false), "false"),
        (Built::String(""), "\"\""),
        (Built::String("é\u{7f}/😀"), "\"é\u{7f}/😀\""),
        (Built::String("\"\\\u{8}\u{c}\n\r\t\u{1}\u{1f}"), r#""\"\\\b\f\n\r\t\u0001\u001f""#),
        (Built::Array(vec![]), "[]"),
        (Built::Object(vec![]), "{}"),
        (Built::Array(vec![Built::Null, Built::Array(vec![]), Built::Object(vec![])]), "[null, [], {}]"),
        (
            // A number behind each length of string: all paddings.
            Built::Object(vec![
                ("\n", Built::small(7)),
                ("ab", Built::String("x")),
                ("cd", Built::small(0)),
                ("efgh", Built::String("xyz")),
                ("ijkl", Built::Array(vec![Built::String("12"), Built::small(9999)])),
            ]),
            r#"{"\n": 7, "ab": "x", "cd": 0, "efgh": "xyz", "ijkl": ["12", 9999]}"#,
        ),
    ] {
        assert_eq!(shown(&built), expected);
    }
}

#[test]
fn numbers_are_printed_with_the_digits_of_numeric_out() {
    for (words, expected) in [
        // Short: sign, dscale, weight.
        (&[0x8000][..], "0"),
        (&[0x8000 | 2 << 7], "0.00"),
        (&[0x8000, 7], "7"),
        (&[0xA000, 10], "-10"),
        (&[0x8000, 100], "100"),
        (&[0x8000, 9999], "9999"),
        (&[0x8001, 1], "10000"),
        (&[0x8001, 12, 3], "120003"),
        (&[0x8000 | 2 << 7, 1, 1000], "1.10"),
        (&[0xA000 | 5 << 7, 1, 2345, 6000], "-1.23456"),
        (&[0x8000 | 4 << 7 | 0x7F, 15], "0.0015"),
        // weight -2: four zeros before the first digit
        (&[0x8000 | 8 << 7 | 0x7E, 15], "0.00000015"),
        (&[0x8000 | 3 << 7 | 0x7E, 15], "0.000"),
        // Long: sign and dscale, weight.
        (&[0x0000, 0, 7], "7"),
        (
            &[0x4000 | 70, 0xFFFF, 1],
            "-0.0001000000000000000000000000000000000000000000000000000000000000000000",
        ),
        (&[0x0000, 1, 5], "50000"),
    ] {
        assert_eq!(number(words), expected, "{words:04x?}");
    }
    assert_eq!(number(&[0x0000, 100, 1]), format!("1{}", "0".repeat(400)));
}

#[test]
fn more_entries_than_a_stride_are_found_by_their_lengths_and_their_ends() {
    const KEYS: [&str; 70] = {
        const DIGITS: &str = "1011121314151617181920212223242526272829303132333435363738394041424344454647484950\
                              51525354555657585960616263646566676869707172737475767778798081";
        let mut keys = [""; 70];
        let mut at = 0;
        while at < keys.len() {
            keys[at] = DIGITS.split_at(2 * at).1.split_at(2).0;
            at += 1;
        }
        keys
    };
    let pairs: Vec<_> = KEYS.iter().zip(10..).map(|(&key, number)| (key, Built::small(number))).collect();
    let expected: Vec<String> = KEYS.iter().map(|key| format!("\"{key}\": {key}")).collect();
    assert_eq!(shown(&Built::Object(pairs)), format!("{{{}}}", expected.join(", ")));
    let elements = (0..200).map(Built::small).collect();
    let expected: Vec<String> = (0..200).map(|number| number.to_string()).collect();
    assert_eq!(shown(&Built::Array(elements)), format!("[{}]", expected.join(", ")));
}

#[test]
fn the_byte_order_is_that_in_which_the_probe_reads_as_itself() {
    let probe = || {
        let tiny = vec![68, (-17_i16).cast_unsigned(), 1];
        Built::Object(vec![
            ("a", Built::Array((0..34).map(Built::small).collect())),
            ("b", Built::Object(vec![("c", Built::String("x\n\"")), ("de", Built::Null)])),
            ("num", Built::Number(vec![0xA000 | 6 << 7 | 1, 1234, 5678, 9012])),
            (
                "odd",
                Built::Array(vec![
                    Built::Bool(true),
                    Built::Bool(false),
                    Built::Object(vec![]),
                    Built::Array(vec![]),
                ]),
            ),
            ("long", Built::Number(tiny)),
        ])
    };
    assert_eq!(shown(&probe()), PROBE);
    for order in ORDERS {
        assert_eq!(ByteOrder::of_probe(&probe().document(order)), Some(order));
    }
    assert_eq!(ByteOrder::of_probe(&Built::Object(vec![]).document(ByteOrder::Little)), None);
    assert_eq!(ByteOrder::of_probe(b""), None);
}

#[test]
fn a_document_alone_does_not_tell_the_byte_order() {
    // The header of an object of 64 pairs in one order, of an array of 32 elements in the other; with both
    // there are bytes enough for either.
    let mut bytes = vec![0x40, 0x00, 0x00, 0x20];
    bytes.resize(4 + 4 * 128, 0);
    assert_eq!(printed(&bytes, ByteOrder::Big), Ok(format!("[{}]", ["\"\""; 32].join(", "))));
    let object = DiskValue::document(&bytes, ByteOrder::Little).container().expect("a container");
    assert_eq!((object.shape(), object.key_entries().len()), (Shape::Object, 64));
}

#[test]
fn what_is_cut_or_points_outside_is_refused_and_never_read() {
    let whole = Built::Object(vec![
        ("a", Built::String("text")),
        ("b", Built::Array(vec![Built::small(1), Built::Object(vec![("k", Built::small(2))])])),
        ("c", Built::Number(vec![0x8000, 1])),
    ]);
    for order in ORDERS {
        let bytes = whole.document(order);
        for cut in 0..bytes.len() {
            assert_eq!(printed(&bytes[..cut], order), Err(Corrupt), "cut at {cut}");
        }
        // Whatever one byte is, the rest is read or refused.
        for at in 0..bytes.len() {
            for byte in 0..=255 {
                let mut changed = bytes.clone();
                changed[at] = byte;
                let _ = printed(&changed, order);
            }
        }
    }
}

#[test]
fn entries_that_overlap_are_refused() {
    // Two containers in the same bytes: read by their offsets alone, each level would double the output.
    let mut bytes = Vec::new();
    for word in [0x4000_0002_u32, 0xD000_0004, 0xD000_0004, 0x4000_0000] {
        bytes.extend_from_slice(&word.to_le_bytes());
    }
    assert_eq!(printed(&bytes, ByteOrder::Little), Err(Corrupt));
    // An end before the start.
    let mut bytes = Vec::new();
    for word in [0x4000_0002_u32, 0x8000_0004, 0x8000_0002, 0x6162_6364] {
        bytes.extend_from_slice(&word.to_le_bytes());
    }
    assert_eq!(printed(&bytes, ByteOrder::Little), Err(Corrupt));
}

#[test]
fn strings_that_are_not_utf_8_and_numbers_that_are_none_are_refused() {
    for built in [
        Built::Bytes(b"\xff"),
        Built::Array(vec![Built::Bytes(b"caf\xe9")]),
        // NaN, the infinities, a digit beyond 9999, zeros in front, a number without a header
        Built::Number(vec![0xC000]),
        Built::Number(vec![0xD000]),
        Built::Number(vec![0xF000]),
        Built::Number(vec![0x8000, 10_000]),
        Built::Number(vec![0x8001, 0, 1]),
        Built::Number(vec![0x8001]),
        Built::Number(vec![0x0000]),
        Built::Number(vec![]),
    ] {
        for order in ORDERS {
            assert_eq!(printed(&built.document(order), order), Err(Corrupt));
        }
    }
}

#[test]
fn nesting_far_beyond_any_stack_is_printed() {
    const DEPTH: usize = 100_000;
    let mut bytes = Vec::new();
    for level in 0..DEPTH {
        bytes.extend_from_slice(&0x4000_0001_u32.to_le_bytes());
        let inner = 8 * (DEPTH - level) as u32 - 4;
        bytes.extend_from_slice(&(0xD000_0000 | inner).to_le_bytes());
    }
    bytes.extend_from_slice(&0x4000_0000_u32.to_le_bytes());
    let expected = "[".repeat(DEPTH + 1) + &"]".repeat(DEPTH + 1);
    assert!(printed(&bytes, ByteOrder::Little) == Ok(expected));
}
