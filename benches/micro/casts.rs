//! Each cast on values as they should be, and on those that V1 has as well.

use std::fmt;

use divan::Bencher;
use divan::counter::ItemsCount;
use xdoflow::spec::model::{CastSpec, Parse};
use xdoflow::transform::cast::Cast;
use xdoflow::transform::value::Value;

/// Values of one kind and the cast that they go through.
struct Case {
    name: &'static str,
    column_type: &'static str,
    options: fn(&mut CastSpec),
    values: &'static [Value<'static>],
}

impl fmt::Display for Case {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name)
    }
}

const fn case(name: &'static str, column_type: &'static str, values: &'static [Value<'static>]) -> Case {
    Case { name, column_type, options: |_| {}, values }
}

use Value::{Array, Bool, Null, Number, Object, String as Text};

const UUID: &str = "b1f6b7a0-9b6e-4f0e-8f5e-2f7c3f1a9d10";

const CASES: [Case; 21] = [
    case(
        "text clean",
        "text",
        &[Text("Ann"), Text("ann.miller@example.com"), Text("123 Main Street, Denver")],
    ),
    case("text dirty", "text", &[Number("12"), Bool(true), Object("{\"a\": 1}"), Null]),
    case("integer clean", "bigint", &[Number("7"), Number("48703"), Number("1609459200000")]),
    case("integer dirty", "bigint", &[Text(""), Text("12"), Text(" 7 "), Text("N/A"), Number("1.5")]),
    Case {
        options: |cast| cast.none = vec![0],
        ..case("reference", "bigint", &[Number("0"), Number("48703")])
    },
    case("numeric clean", "numeric", &[Number("85"), Number("12500.50"), Number("450000")]),
    case("numeric(12,2) rounded", "numeric(12,2)", &[Number("85.005"), Number("1.999"), Number("0.3333")]),
    Case {
        options: |cast| cast.parse = Some(Parse::Money),
        ..case("numeric money", "numeric", &[Text("$1,250.50"), Text("($3.00)"), Text("TBD"), Text("")])
    },
    case("double clean", "double precision", &[Number("39.7392"), Number("-104.9903"), Number("7")]),
    case("double dirty", "double precision", &[Text("39.7392"), Text(""), Text("unknown")]),
    case("boolean clean", "boolean", &[Bool(true), Bool(false)]),
    case("boolean dirty", "boolean", &[Text("yes"), Text(""), Number("1"), Text("maybe")]),
    case("date clean", "date", &[Text("2021-03-04"), Text("1999-12-31")]),
    case(
        "date dirty",
        "date",
        &[Text("2021-02-30"), Text(""), Text("2021-03-04T10:11:12Z"), Number("1614816000000")],
    ),
    Case {
        options: |cast| cast.epoch_ms = true,
        ..case("epoch clean", "bigint", &[Number("1614816000000"), Number("1451606400000")])
    },
    Case {
        options: |cast| cast.epoch_ms = true,
        ..case("epoch dirty", "bigint", &[Text("2021-03-04T10:11:12.5Z"), Text(""), Text("soon")])
    },
    case("timestamptz", "timestamptz", &[Text("2021-03-04T10:11:12.5Z"), Text("2021-03-04 10:11:12+02")]),
    case("uuid clean", "uuid", &[Text(UUID)]),
    case("uuid dirty", "uuid", &[Text("b1f6b7a09b6e4f0e8f5e2f7c3f1a9d10"), Text(""), Text("none")]),
    case(
        "jsonb",
        "jsonb",
        &[Object(r#"{"lat": 39.7392, "lng": -104.9903}"#), Text("a \"word\""), Array("[]")],
    ),
    case("text[]", "text[]", &[Array(r#"["buyer", "seller"]"#), Array("[]"), Text("buyer")]),
];

#[divan::bench(args = CASES)]
fn encode(bencher: Bencher, case: &Case) {
    const ROUNDS: usize = 1_000;
    let column_type = case.column_type.parse().expect("a type");
    let mut spec = CastSpec::plain(column_type);
    (case.options)(&mut spec);
    let cast = Cast::compile(&spec, column_type).expect("a type fits itself");
    let mut out = Vec::with_capacity(1 << 20);
    bencher.counter(ItemsCount::new(ROUNDS * case.values.len())).bench_local(|| {
        out.clear();
        let mut values = 0;
        for _ in 0..ROUNDS {
            for value in divan::black_box(case.values) {
                values += usize::from(cast.encode(value, &mut out).is_ok_and(|cell| !cell.null));
            }
        }
        values
    });
}
