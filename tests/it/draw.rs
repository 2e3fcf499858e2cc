//! JSON values around the borders of the types, drawn with proptest, as JSON text.
//!
//! A family knows what its type takes and what it nearly takes; a share of its values comes from the
//! other families, so that each type also meets what was meant for another one. All of it is valid
//! `jsonb`: no U+0000, and no number that a `numeric` cannot hold.

use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::select;
use proptest::strategy::Union;

/// Which type's borders to draw around.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Family {
    Text,
    Integer,
    Decimal,
    Money,
    Float,
    Boolean,
    Moment,
    Uuid,
    Json,
}

const FAMILIES: [Family; 9] = [
    Family::Text,
    Family::Integer,
    Family::Decimal,
    Family::Money,
    Family::Float,
    Family::Boolean,
    Family::Moment,
    Family::Uuid,
    Family::Json,
];

/// A value; `None` where the key is missing.
pub fn value(family: Family) -> BoxedStrategy<Option<String>> {
    prop_oneof![1 => Just(None), 30 => present(family).prop_map(Some)].boxed()
}

/// An array of such values, or something that is none.
pub fn array(family: Family) -> BoxedStrategy<Option<String>> {
    let array = vec(present(family), 0..4).prop_map(|elements| Some(format!("[{}]", elements.join(", "))));
    prop_oneof![4 => array, 1 => value(family)].boxed()
}

fn present(family: Family) -> BoxedStrategy<String> {
    let others = Union::new(FAMILIES.map(own));
    let structure = prop_oneof![
        select(vec!["null", "true", "false", "{}", "[]", "{\"a\": 1}", "[[1]]", "\"\"", "\" \\t\""])
            .prop_map(str::to_owned),
    ];
    prop_oneof![12 => own(family), 2 => others, 1 => structure].boxed()
}

fn own(family: Family) -> BoxedStrategy<String> {
    match family {
        Family::Text => text().prop_map(|text| quoted(&text)).boxed(),
        Family::Integer => number(prop_oneof![3 => border().prop_map(|n| n.to_string()), 1 => digits()]),
        Family::Decimal => number(digits()),
        Family::Money => spaced(money()),
        Family::Float => prop_oneof![2 => number(float()), 1 => number(digits())].boxed(),
        Family::Boolean => boolean(),
        Family::Moment => prop_oneof![3 => spaced(moment()), 2 => number(epoch())].boxed(),
        Family::Uuid => spaced(uuid()),
        Family::Json => prop_oneof![1 => json(), 1 => json_in_a_string()].boxed(),
    }
}

/// A string as JSON.
fn quoted(text: &str) -> String {
    serde_json::Value::from(text).to_string()
}

/// One of these, as a strategy of owned strings.
fn one_of(texts: &'static [&'static str]) -> impl Strategy<Value = String> + Clone {
    select(texts).prop_map(str::to_owned)
}

/// A text as a JSON string, at times with white space around it, of the kind that is trimmed or another.
fn spaced(text: impl Strategy<Value = String> + 'static) -> BoxedStrategy<String> {
    let space = || {
        prop_oneof![
            6 => Just("".to_owned()),
            1 => one_of(&[" ", "\t", "\n", " \r\n", "\u{b}", "\u{c}", "\u{a0}", "\u{85}", "\u{2003}"])
        ]
    };
    (space(), text, space())
        .prop_map(|(before, text, after)| quoted(&format!("{before}{text}{after}")))
        .boxed()
}

fn text() -> BoxedStrategy<String> {
    let any = vec(any::<char>(), 0..6).prop_map(|chars| chars.into_iter().filter(|&c| c != '\0').collect());
    prop_oneof![
        3 => any,
        2 => "[a-z \\\\\"'\n\t]{0,8}",
        1 => one_of(&["", " ", "\u{b}\u{c}", "\u{a0}", "null", "NULL", "e\u{301}e", "😀é", "\u{7f}\u{1}", "{}", "\\N"]),
    ]
    .boxed()
}

/// A number in a JSON number or in a string, with what may stand around its digits there.
fn number(plain: impl Strategy<Value = String> + 'static) -> BoxedStrategy<String> {
    let plain = plain.boxed();
    let exponent = prop_oneof![
        8 => Just("".to_owned()),
        2 => (one_of(&["e", "E", "e+", "e-", "E-"]), 0..25).prop_map(|(e, n)| format!("{e}{n}")),
        1 => (one_of(&["e", "e-"]), 290..420).prop_map(|(e, n)| format!("{e}{n}")),
    ];
    let tail = prop_oneof![
        6 => Just("".to_owned()),
        4 => one_of(&[".0", ".00", ".5", ".50", ".05", ".4999999999999999999", ".9999999", ".005", ".995"]),
        1 => "\\.[0-9]{1,30}",
    ];
    let json = (plain.clone(), tail, exponent.clone()).prop_map(|(plain, tail, exponent)| {
        let tail = if plain.contains(['.', 'e']) { "" } else { &tail };
        let exponent = if plain.contains('e') { "" } else { &exponent };
        format!("{plain}{tail}{exponent}")
    });
    let json = json.boxed();
    let odd = (
        one_of(&["", "", "", "+", "-", "--", "0", "00", "-0", "$", "0x"]),
        json.clone(),
        one_of(&[
            "",
            "",
            "",
            "",
            ".",
            "e",
            "e5",
            "e-3",
            "%",
            "%%",
            "L",
            "f",
            " 1",
            ",000",
            "_000",
            "e131071",
            "e131072",
            "e-16383",
            "e-16384",
            "e-20000",
            "e99999999999",
            "e-99999999999",
        ]),
    );
    let words = one_of(&[
        "NaN",
        "nan",
        "Infinity",
        "-Infinity",
        "inf",
        "+inf",
        ".",
        "-",
        "+",
        "e5",
        ".5",
        "-.5",
        "5.",
        ".5e1",
        "5.e1",
        "1e",
        "0x1F",
        "1_000",
        "1,000",
        "١٢",
        "１２",
        "-0",
        "-0.00",
        "0e0",
        "0e-16384",
        "0e20000",
        "0e99999999999",
        "1.5.2",
        "1 2",
        "1e5.5",
    ]);
    prop_oneof![
        6 => json.clone(),
        3 => spaced(json),
        2 => spaced(odd.prop_map(|(before, number, behind)| format!("{before}{number}{behind}"))),
        1 => spaced(words),
    ]
    .boxed()
}

/// A JSON number of any size, most of them small.
fn digits() -> BoxedStrategy<String> {
    let sign = prop_oneof![3 => Just(""), 1 => Just("-")];
    let whole = prop_oneof![
        2 => Just("0".to_owned()),
        6 => "[1-9][0-9]{0,6}",
        2 => "[1-9][0-9]{7,30}",
        2 => one_of(&["9", "99", "999", "99999999", "9999", "99999", "100000000", "2", "12"]),
    ];
    let fraction = prop_oneof![
        4 => Just("".to_owned()),
        4 => "\\.[0-9]{1,6}",
        1 => "\\.[0-9]{7,30}",
        2 => one_of(&[".5", ".05", ".005", ".995", ".994", ".9949", ".00", ".4999", ".999999"]),
    ];
    let usual =
        (sign, whole, fraction).prop_map(|(sign, whole, fraction)| format!("{sign}{whole}{fraction}"));
    prop_oneof![40 => usual, 1 => "-?[1-9][0-9]{400}", 1 => "0\\.0{50,60}[0-9]{1,200}"].boxed()
}

/// An integer at or beside the end of a range.
fn border() -> BoxedStrategy<i128> {
    let ends = vec![
        0,
        i128::from(i16::MIN),
        i128::from(i16::MAX),
        i128::from(i32::MIN),
        i128::from(i32::MAX),
        i128::from(i64::MIN),
        i128::from(i64::MAX),
        i128::from(u64::MAX),
        1 << 53,
        1_000_000_000_000_000_000,
    ];
    (select(ends), -2..=2_i128).prop_map(|(end, beside)| end + beside).boxed()
}

fn float() -> BoxedStrategy<String> {
    // Between two neighbours: the digits decide which of them is nearer.
    let reals = any::<u32>().prop_map(f32::from_bits).prop_filter("finite", |real| real.is_finite());
    let halfway = (reals, one_of(&["", "1", "00000000001"])).prop_map(|(real, more)| {
        let (here, next) = (f64::from(real), f64::from(f32::from_bits(real.to_bits() ^ 1)));
        with_more_digits(&format!("{:e}", (here + next) / 2.0), &more)
    });
    let doubles = any::<u64>().prop_map(f64::from_bits).prop_filter("finite", |double| double.is_finite());
    let doubles = (doubles, one_of(&["", "1", "5", "49999", "50001"]))
        .prop_map(|(double, more)| with_more_digits(&format!("{double:e}"), &more));
    let ends = one_of(&[
        "3.4028234e38",
        "3.4028235e38",
        "3.4028235677973366e38",
        "3.4028235677973367e38",
        "1.1754944e-38",
        "1.4e-45",
        "7.006492321624085e-46",
        "7.006492321624086e-46",
        "1.7976931348623157e308",
        "1.7976931348623158e308",
        "1.797693134862315807e308",
        "1.797693134862315808e308",
        "4.9406564584124654e-324",
        "2.4703282292062327e-324",
        "2.4703282292062328e-324",
        "2.2250738585072011e-308",
        "9007199254740993",
        "16777217",
    ]);
    prop_oneof![2 => halfway, 2 => doubles, 1 => ends].boxed()
}

/// A number in scientific form with digits added to its fraction.
fn with_more_digits(number: &str, more: &str) -> String {
    let (digits, exponent) = number.split_once('e').unwrap_or((number, "0"));
    let point = if digits.contains('.') || more.is_empty() { "" } else { "." };
    format!("{digits}{point}{more}e{exponent}")
}

fn money() -> BoxedStrategy<String> {
    let amount = prop_oneof![
        3 => "[0-9]{1,3}(,[0-9]{3}){0,3}(\\.[0-9]{0,3})?",
        2 => "[0-9]{1,7}(\\.[0-9]{0,3})?",
        1 => "[0-9,.]{1,8}",
        1 => "\\.[0-9]{1,2}",
    ];
    let before = one_of(&[
        "", "", "", "$", "$", "-$", "$-", "+$", "€", "£", "¥", "₹", "-", "+", "$ ", "- $", "--", "US$", "(",
    ]);
    let behind = one_of(&["", "", "", "", ")", "%", " USD", "e2", "%%"]);
    let any = (before, amount.clone(), behind)
        .prop_map(|(before, amount, behind)| format!("{before}{amount}{behind}"));
    let negative = (one_of(&["", "$", "€", "-", "$ ", " "]), amount.clone(), one_of(&["", "", " "]))
        .prop_map(|(symbol, amount, space)| format!("({symbol}{amount}{space})"));
    let percent = ("-?[0-9]{1,3}(\\.[0-9]{0,2})?", one_of(&["%", "%", " %", "%%", ""]))
        .prop_map(|(number, sign)| number + &sign);
    prop_oneof![3 => any, 1 => negative, 1 => percent].boxed()
}

fn boolean() -> BoxedStrategy<String> {
    let words = select(vec!["true", "false", "yes", "no", "on", "off"]);
    let spelled = (words, 1..=6_usize, any::<u8>(), one_of(&["", "", "", "e", "s"])).prop_map(
        |(word, length, upper, behind)| {
            let spelled = word.chars().take(length).enumerate();
            let text: String = spelled
                .map(|(at, c)| if upper >> at & 1 == 1 { c.to_ascii_uppercase() } else { c })
                .collect();
            text + &behind
        },
    );
    let numbers = one_of(&[
        "0",
        "1",
        "1.0",
        "0.00",
        "10e-1",
        "2",
        "-1",
        "0.5",
        "-0",
        "1e-400",
        "1.0000000000000000000001",
    ]);
    prop_oneof![
        4 => spaced(spelled),
        2 => numbers.clone(),
        1 => spaced(numbers),
        1 => one_of(&["true", "false", "{}", "{\"id\": null}", "\"ſ\"", "\"Tʀue\""]),
    ]
    .boxed()
}

/// A date or date-time, valid for the most part.
fn moment() -> BoxedStrategy<String> {
    let year = prop_oneof![
        6 => 1990..2040_i64,
        2 => 0..=9999_i64,
        1 => select(vec![0, 1, 1582, 1900, 2000, 4713, 9999, 10_000, 294_275, 294_276, 294_277, 5_874_896, 5_874_897, 5_874_898, 9_999_999, 99_999_999]),
    ];
    let month = prop_oneof![12 => 1..=12_u32, 1 => select(vec![0, 2, 13, 99])];
    let day = prop_oneof![8 => 1..=28_u32, 4 => 28..=32_u32, 1 => select(vec![0, 99])];
    let form = select(vec!["YYYY-MM-DD"; 14]).prop_union(select(vec![
        "MM/DD/YYYY",
        "DD.MM.YYYY",
        "YYYYMMDD",
        "YYYY-DD-MM",
        "YYYY/MM/DD",
        "YYYY-M-D",
    ]));
    let date = (year, month, day, form).prop_map(|(year, month, day, form)| {
        form.replace("YYYY", &format!("{year:04}"))
            .replace("MM", &format!("{month:02}"))
            .replace("DD", &format!("{day:02}"))
            .replace('M', &month.to_string())
            .replace('D', &day.to_string())
    });
    let hour = prop_oneof![12 => 0..=23_u32, 1 => select(vec![24, 25])];
    let sixtieth = || prop_oneof![12 => 0..=59_u32, 1 => select(vec![60, 61]), 1 => Just(0)];
    let fraction = prop_oneof![
        4 => Just("".to_owned()),
        3 => "\\.[0-9]{1,6}",
        2 => "\\.[0-9]{7,14}",
        2 => one_of(&[".0000005", ".0000015", ".9999995", ".9999994999", ".99999950000000001", ".5000005", ".", ",5", ".9985"]),
    ];
    let clock = (hour, sixtieth(), sixtieth(), fraction, 0..4_u32).prop_map(
        |(hour, minute, second, fraction, parts)| match parts {
            0 => format!("{hour:02}:{minute:02}"),
            _ => format!("{hour:02}:{minute:02}:{second:02}{fraction}"),
        },
    );
    let clock = prop_oneof![
        12 => clock,
        1 => one_of(&["24:00", "24:00:00", "24:00:00.000", "24:00:00.0000001", "23:59:60", "23:59:59.9999999", "00:00:00.0000001", "9:05", "12", "1234", "12:00 PM"]),
    ];
    let zone = prop_oneof![
        4 => one_of(&["", "", "Z", "z", "+00", "-00:00"]),
        3 => (select(vec!['+', '-']), 0..=16_u32, sixtieth(), 0..4_u32).prop_map(|(sign, hour, minute, form)| match form {
            0 => format!("{sign}{hour:02}"),
            1 => format!("{sign}{hour:02}{minute:02}"),
            2 => format!("{sign}{hour:02}:{minute:02}"),
            _ => format!("{sign}{hour:02}:{minute:02}:30"),
        }),
        1 => one_of(&[" UTC", " +02", "+2", "+02:0", "CET", "+123", "+12345"]),
    ];
    let time = (prop_oneof![12 => one_of(&["T", " "]), 1 => one_of(&["t", "  ", "_", ""])], clock, zone)
        .prop_map(|(between, clock, zone)| between + &clock + &zone);
    let words = one_of(&[
        "today",
        "now",
        "infinity",
        "-infinity",
        "epoch",
        "2025",
        "20250115",
        "Jan 15, 2025",
        "2025-01",
        "2025-01-15 BC",
        "-2025-01-15",
        "+2025-01-15",
    ]);
    prop_oneof![
        3 => date.clone(),
        5 => (date, time).prop_map(|(date, time)| date + &time),
        1 => words,
    ]
    .boxed()
}

/// Milliseconds or seconds since 1970, at and beside the ends of what the types hold.
fn epoch() -> BoxedStrategy<String> {
    let ends: Vec<i128> = vec![
        0,
        86_400_000,
        1_754_352_000_000,
        1_754_352_000,
        -210_866_803_200_000,
        185_331_707_078_400_000,
        9_224_318_016_000_000,
        9_223_372_036_854_775_807,
        -9_223_372_036_854_775_808,
    ];
    let beside = (select(ends), -2..=2_i128, select(vec![1, 1, 1000]))
        .prop_map(|(end, beside, unit)| end / unit + beside);
    prop_oneof![2 => beside, 2 => -5_000_000_000_000..5_000_000_000_000_i128]
        .prop_map(|n| n.to_string())
        .boxed()
}

fn uuid() -> BoxedStrategy<String> {
    let hyphens = prop_oneof![
        3 => Just(vec![8, 12, 16, 20]),
        1 => Just(vec![]),
        2 => vec(select(vec![4, 8, 12, 16, 20, 24, 28]), 0..8),
        1 => vec(0..=32_usize, 0..3),
    ];
    let digits = prop_oneof![8 => "[0-9a-fA-F]{32}", 1 => "[0-9a-f]{30,34}", 1 => "[0-9a-g]{32}"];
    let around =
        select(vec![("", ""), ("", ""), ("", ""), ("{", "}"), ("{", ""), ("", "}"), ("{{", "}}"), ("", "-")]);
    (digits, hyphens, around)
        .prop_map(|(digits, hyphens, (before, behind))| {
            let mut text = String::new();
            for (at, digit) in digits.chars().enumerate() {
                if hyphens.contains(&at) {
                    text.push('-');
                }
                text.push(digit);
            }
            format!("{before}{text}{behind}")
        })
        .boxed()
}

/// JSON of any shape, not always in the server's own form.
fn json() -> BoxedStrategy<String> {
    let leaf = prop_oneof![
        2 => digits(),
        2 => text().prop_map(|text| quoted(&text)),
        1 => one_of(&["null", "true", "false", "1e3", "-0", "-0.0", "\"\\u00e9\"", "\"\\/\"", "\"\\ud83d\\ude00\"", "{}", "[]"]),
    ];
    leaf.prop_recursive(3, 12, 4, |inner| {
        let key = prop_oneof![
            3 => one_of(&["a", "b", "aa", "", "é", "a\"b", "A"]),
            1 => text(),
        ];
        prop_oneof![
            vec(inner.clone(), 0..4).prop_map(|items| format!("[{}]", items.join(" ,\n"))),
            vec((key, inner), 0..4).prop_map(|entries| {
                let entries: Vec<String> =
                    entries.iter().map(|(key, value)| format!("{} : {value}", quoted(key))).collect();
                format!("{{{}}}", entries.join(","))
            }),
        ]
    })
    .boxed()
}

/// A string that holds JSON, or nearly.
fn json_in_a_string() -> BoxedStrategy<String> {
    let broken = (
        json(),
        any::<proptest::sample::Index>(),
        one_of(&["", "", "}", ",", "\"", "0", "\\", "\t", "\\u0000", "\\ud800", "e9"]),
    );
    let broken = broken.prop_map(|(json, at, put)| {
        let chars: Vec<char> = json.chars().collect();
        let at = at.index(chars.len().max(1));
        let rest = chars.iter().skip(at + usize::from(put.is_empty()));
        chars.iter().take(at).chain(&put.chars().collect::<Vec<_>>()).chain(rest).collect::<String>()
    });
    let words = one_of(&[
        "NaN",
        "1e131072",
        "1e-16384",
        "01",
        "+1",
        "'a'",
        "{a: 1}",
        "[1,]",
        "\u{a0}1",
        "\u{feff}1",
        "//x\n1",
        "\"\\u0000\"",
        "null",
    ]);
    prop_oneof![3 => json(), 2 => broken, 1 => words].prop_map(|text| quoted(&text)).boxed()
}
