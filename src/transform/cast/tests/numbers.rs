//! Integers, references, `numeric`, floats, money and percentages.

use super::*;

#[test]
fn integers_take_every_number_of_integral_value() {
    let integer = spec_of("integer");
    for (number, value) in [
        ("12", 12),
        ("-12", -12),
        ("12.0", 12),
        ("1.2e1", 12),
        ("0", 0),
        ("-0", 0),
        ("2147483647", i32::MAX),
        ("-2147483648", i32::MIN),
        ("2147483647.000000000000000000000", i32::MAX),
        ("0e-99999999999999999999", 0),
    ] {
        assert_eq!(cast(&integer, Number(number)), wrote(&value.to_be_bytes(), None), "{number}");
    }
    for (text, value) in
        [("12", 12), (" 12 ", 12), ("12.0", 12), ("1.2e1", 12), ("+7", 7), ("\x0b-7\x0c", -7)]
    {
        assert_eq!(cast(&integer, Text(text)), wrote(&i32::to_be_bytes(value), StringToNumber), "{text}");
    }
}

#[test]
fn integers_refuse_fractions_other_ranges_and_other_kinds() {
    let integer = spec_of("integer");
    for (value, reason) in [
        (Number("0.5"), Fraction),
        (Number("12e-1"), Fraction),
        (Text("12.5"), Fraction),
        (Number("2147483648"), OutOfRange),
        (Number("-2147483649"), OutOfRange),
        (Number("1e30"), OutOfRange),
        (Text("99999999999999999999999"), OutOfRange),
        (Number("01"), NotANumber),
        (Text("twelve"), NotANumber),
        (Text("1,000"), NotANumber),
        (Text("$5"), NotANumber),
        (Text("NaN"), NotANumber),
        (Text("0x10"), NotANumber),
        (Text("1 2"), NotANumber),
        (Bool(true), WrongKind),
        (Array("[1]"), WrongKind),
        (Object("{}"), WrongKind),
    ] {
        assert_eq!(cast(&integer, value), Err(reason), "{value:?}");
    }
}

#[test]
fn the_live_column_decides_the_width_and_the_narrower_type_the_range() {
    let (small, big) = (type_of("smallint"), type_of("bigint"));
    assert_eq!(cast(&spec_of("smallint"), Number("-2")), wrote(&(-2_i16).to_be_bytes(), None));
    assert_eq!(cast_into(&spec_of("integer"), big, Number("-2")), wrote(&(-2_i64).to_be_bytes(), None));
    assert_eq!(cast_into(&spec_of("integer"), big, Number("2147483648")), Err(OutOfRange));
    assert_eq!(cast_into(&spec_of("integer"), small, Number("32768")), Err(OutOfRange));
    assert_eq!(cast(&spec_of("bigint"), Number("9223372036854775807")), wrote(&i64::MAX.to_be_bytes(), None));
    assert_eq!(
        cast(&spec_of("bigint"), Text("-9223372036854775808")),
        wrote(&i64::MIN.to_be_bytes(), StringToNumber)
    );
    assert_eq!(cast(&spec_of("bigint"), Number("9223372036854775808")), Err(OutOfRange));
}

#[test]
fn a_reference_is_null_where_its_value_means_none() {
    let reference = CastSpec { none: vec![0, -1], ..spec_of("bigint") };
    for value in [Number("0"), Text("0"), Text(" 0.0 "), Number("-1"), Number("-0")] {
        assert_eq!(cast(&reference, value), NAMED, "{value:?}");
    }
    assert_eq!(cast(&reference, Number("4711")), wrote(&4711_i64.to_be_bytes(), None));
    assert_eq!(cast(&reference, Text("4711")), wrote(&4711_i64.to_be_bytes(), StringToNumber));
    assert_eq!(cast(&reference, Text("a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11")), Err(NotANumber));
    assert_eq!(cast(&reference, Bool(false)), Err(WrongKind));
}

/// The payload of a numeric, whose own tests stand beside it.
fn numeric_payload(text: &str) -> Vec<u8> {
    let mut payload = Vec::new();
    Decimal::parse(text).expect(text).encode(None, &mut payload).expect(text);
    payload
}

#[test]
fn numerics_keep_their_digits_and_round_only_to_a_scale() {
    let (free, money) = (spec_of("numeric"), spec_of("numeric(12,2)"));
    // From the server: numeric_send('450000.50') and of 1.10.
    assert_eq!(cast(&free, Number("450000.50")), wrote(b"\0\x03\0\x01\0\0\0\x02\0\x2d\0\0\x13\x88", None));
    assert_eq!(cast(&free, Number("1.10")), wrote(b"\0\x02\0\0\0\0\0\x02\0\x01\x03\xe8", None));
    let long = "12345678901234567890123456789.1";
    assert_eq!(cast(&free, Number(long)), wrote(&numeric_payload(long), None));
    assert_eq!(cast(&free, Text(" 1.10 ")), wrote(&numeric_payload("1.10"), StringToNumber));
    assert_eq!(cast(&money, Number("2.345")), wrote(&numeric_payload("2.35"), Rounded));
    assert_eq!(cast(&money, Text("-2.345")), wrote(&numeric_payload("-2.35"), Rounded));
    assert_eq!(cast(&money, Number("2.3400")), wrote(&numeric_payload("2.34"), None));
    assert_eq!(cast(&money, Number("2")), wrote(&numeric_payload("2.00"), None));
    assert_eq!(
        cast_into(&free, type_of("numeric(4,1)"), Number("2.25")),
        wrote(&numeric_payload("2.3"), Rounded)
    );
}

#[test]
fn numerics_refuse_overflow_and_what_is_no_number() {
    let money = spec_of("numeric(12,2)");
    for (value, reason) in [
        (Number("9999999999.995"), OutOfRange),
        (Number("1e10"), OutOfRange),
        (Text("NaN"), NotANumber),
        (Text("Infinity"), NotANumber),
        (Text("-inf"), NotANumber),
        (Text("$1"), NotANumber),
        (Text("1_000"), NotANumber),
        (Bool(false), WrongKind),
        (Array("[]"), WrongKind),
        (Object(r#"{"amount": 1}"#), WrongKind),
    ] {
        assert_eq!(cast(&money, value), Err(reason), "{value:?}");
    }
    assert_eq!(cast(&spec_of("numeric"), Number("1e131072")), Err(OutOfRange));
    assert_eq!(
        cast_into(&spec_of("numeric(4,1)"), type_of("numeric(12,2)"), Number("1000")),
        Err(OutOfRange)
    );
}

#[test]
fn floats_are_correctly_rounded_from_the_decimal_text() {
    let (real, double) = (spec_of("real"), spec_of("double precision"));
    assert_eq!(
        cast(&double, Number("0.30000000000000004")),
        wrote(&0.300_000_000_000_000_04_f64.to_be_bytes(), None)
    );
    assert_eq!(cast(&double, Text(" -1.5e3 ")), wrote(&(-1500_f64).to_be_bytes(), StringToNumber));
    // Between two reals, and so little above the middle that a double precision does not see it.
    let above_middle = "1.00000005960464477540";
    assert_eq!(cast(&real, Number(above_middle)), wrote(&0x3f80_0001_u32.to_be_bytes(), None));
    assert_eq!(cast(&double, Number("4.9e-324")), wrote(&1_u64.to_be_bytes(), None));
    assert_eq!(cast(&real, Number("1e-45")), wrote(&1_u32.to_be_bytes(), None));
    assert_eq!(cast(&real, Number("0.0e9")), wrote(&[0; 4], None));
}

#[test]
fn floats_refuse_overflow_underflow_and_what_is_no_number() {
    let (real, double) = (spec_of("real"), spec_of("double precision"));
    assert_eq!(cast(&double, Number("1.7976931348623159e308")), Err(OutOfRange));
    assert_eq!(cast(&double, Number("2.4e-324")), Err(OutOfRange));
    assert_eq!(cast(&real, Number("3.4028236e38")), Err(OutOfRange));
    assert_eq!(cast(&real, Number("7e-46")), Err(OutOfRange));
    assert_eq!(cast_into(&real, type_of("double precision"), Number("1e39")), Err(OutOfRange));
    assert_eq!(cast_into(&double, type_of("real"), Number("1e39")), Err(OutOfRange));
    assert_eq!(
        cast_into(&real, type_of("double precision"), Number("0.1")),
        wrote(&0.1_f64.to_be_bytes(), None)
    );
    for text in ["NaN", "inf", "-Infinity", "0x1p3", "1e", "x"] {
        assert_eq!(cast(&double, Text(text)), Err(NotANumber), "{text}");
    }
    assert_eq!(cast(&double, Bool(true)), Err(WrongKind));
}

#[test]
fn money_is_read_in_the_forms_of_people() {
    let money = CastSpec { parse: Some(Parse::Money), ..spec_of("numeric(12,2)") };
    for (text, amount) in [
        ("$450,000.50", "450000.50"),
        ("-$1,234.50", "-1234.50"),
        ("$-1,234.50", "-1234.50"),
        ("+€5", "5.00"),
        ("($1,234.50)", "-1234.50"),
        ("(5)", "-5.00"),
        ("£ 12", "12.00"),
        (" ¥1,000,000 ", "1000000.00"),
        ("₹.50", "0.50"),
        ("1,234", "1234.00"),
    ] {
        assert_eq!(cast(&money, Text(text)), wrote(&numeric_payload(amount), UnitRemoved), "{text}");
    }
    assert_eq!(cast(&money, Text("450000.50")), wrote(&numeric_payload("450000.50"), StringToNumber));
    assert_eq!(cast(&money, Number("7")), wrote(&numeric_payload("7.00"), None));
    assert_eq!(cast(&money, Text("$2.345")), wrote(&numeric_payload("2.35"), Rounded));
    for text in [
        "$",
        "-",
        "()",
        "$1,23.00",
        "1,2345",
        ",123",
        "1234,567",
        "1,234.5,6",
        "-$-5",
        "(-5)",
        "($5",
        "5)",
        "$$5",
        "5$",
        "USD 5",
        "$1.2.3",
        "$1e5",
        "(1e5)",
        "1,000e2",
        "$ - 5 %",
    ] {
        assert_eq!(cast(&money, Text(text)), Err(NotANumber), "{text}");
    }
    assert_eq!(cast(&money, Text(" ")), BLANK);
    let whole = CastSpec { parse: Some(Parse::Money), ..spec_of("integer") };
    assert_eq!(cast(&whole, Text("$1,200.00")), wrote(&1200_i32.to_be_bytes(), UnitRemoved));
    assert_eq!(cast(&whole, Text("$0.50")), Err(Fraction));
}

#[test]
fn a_percentage_is_the_number_of_percents() {
    let percent = CastSpec { parse: Some(Parse::Percent), ..spec_of("double precision") };
    assert_eq!(cast(&percent, Text("2.5%")), wrote(&2.5_f64.to_be_bytes(), UnitRemoved));
    assert_eq!(cast(&percent, Text(" -2.5 % ")), wrote(&(-2.5_f64).to_be_bytes(), UnitRemoved));
    assert_eq!(cast(&percent, Text("2.5")), wrote(&2.5_f64.to_be_bytes(), StringToNumber));
    assert_eq!(cast(&percent, Number("2.5")), wrote(&2.5_f64.to_be_bytes(), None));
    for text in ["%", "2.5%%", "%5", "2,5%"] {
        assert_eq!(cast(&percent, Text(text)), Err(NotANumber), "{text}");
    }
    assert_eq!(cast(&spec_of("double precision"), Text("2.5%")), Err(NotANumber));
}
