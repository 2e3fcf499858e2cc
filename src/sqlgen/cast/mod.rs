//! Casts as SQL expressions: from a JSON value to a value of the column's type.
//!
//! A cast is two expressions over one JSON value, which must be cheap to name, a column: its value, NULL
//! where there is none or it is rejected; and whether NULL is what it means. Both are total. A null value
//! that is not meant is a reject; most columns treat the two alike and need the first one only.

mod array;
mod json;
mod number;
mod temporal;

use crate::schema::{ColumnType, Scalar};
use crate::spec::model::{CastSpec, Parse};

use super::text::{is_blank, text_of, trimmed, with};

/// A cast to a column of a type that fits.
#[derive(Clone, Copy, Debug)]
pub(super) struct Cast<'s> {
    spec: &'s CastSpec,
    live: ColumnType,
}

impl<'s> Cast<'s> {
    /// `None` where the types are not of one family.
    pub(super) fn new(spec: &'s CastSpec, live: ColumnType) -> Option<Self> {
        use Scalar::{
            BigInt, Boolean, Date, Double, Integer, Json, Jsonb, Numeric, Real, SmallInt, Text, Timestamp,
            TimestampTz, Uuid, Varchar,
        };
        let fits = match (spec.column_type.scalar, live.scalar) {
            (BigInt, BigInt) => true,
            _ if spec.epoch_ms => false,
            (Text | Varchar(_), Text | Varchar(_))
            | (SmallInt | Integer | BigInt, SmallInt | Integer | BigInt)
            | (Numeric(_), Numeric(_))
            | (Real | Double, Real | Double)
            | (Boolean, Boolean)
            | (Date, Date)
            | (Timestamp | TimestampTz, Timestamp | TimestampTz)
            | (Uuid, Uuid)
            | (Json | Jsonb, Json | Jsonb) => true,
            _ => false,
        };
        (fits && spec.column_type.array == live.array).then_some(Self { spec, live })
    }

    /// The value of a JSON value, of the live type.
    pub(super) fn value(&self, json: &str) -> String {
        if self.live.array { array::value(self, json) } else { self.scalar_value(json) }
    }

    /// Whether NULL is what a JSON value means: absent, blank, or one of the column's `none`. Never null.
    pub(super) fn means_null(&self, json: &str) -> String {
        if self.live.array { array::means_null(self, json) } else { self.scalar_means_null(json) }
    }

    fn named(&self) -> Scalar {
        self.spec.column_type.scalar
    }

    fn scalar_value(&self, json: &str) -> String {
        match self.live.scalar {
            Scalar::Text | Scalar::Varchar(_) => self.text(json),
            Scalar::BigInt if self.spec.epoch_ms => temporal::value(self, json),
            Scalar::SmallInt | Scalar::Integer | Scalar::BigInt => number::integer(self, json),
            Scalar::Numeric(_) => number::numeric(self, json),
            Scalar::Real | Scalar::Double => number::float(self, json),
            Scalar::Boolean => self.boolean(json),
            Scalar::Date | Scalar::Timestamp | Scalar::TimestampTz => temporal::value(self, json),
            Scalar::Uuid => uuid(json),
            Scalar::Json | Scalar::Jsonb => json::value(self, json),
        }
    }

    fn scalar_means_null(&self, json: &str) -> String {
        let absent = format!("coalesce(jsonb_typeof({json}), 'null') = 'null'");
        let blank = match self.live.scalar {
            Scalar::Json | Scalar::Jsonb => false,
            Scalar::Text | Scalar::Varchar(_) => self.spec.blank_null,
            _ => true,
        };
        let mut means = if blank { format!("{absent} OR {}", is_blank(json)) } else { absent };
        if !self.spec.none.is_empty() {
            let raw = if self.spec.epoch_ms {
                temporal::count(self, json)
            } else {
                number::any_integer(self, json)
            };
            let none: Vec<String> = self.spec.none.iter().map(i64::to_string).collect();
            means.push_str(&format!(" OR coalesce({raw} IN ({}), false)", none.join(", ")));
        }
        format!("({means})")
    }

    fn text(&self, json: &str) -> String {
        let text = text_of(json);
        let lengths = [self.named(), self.live.scalar].into_iter().filter_map(|scalar| match scalar {
            Scalar::Varchar(length) => Some(length),
            _ => None,
        });
        let fits = lengths.min().map(|length| format!("char_length({text}) <= {length}"));
        let filled = self.spec.blank_null.then(|| format!("NOT {}", is_blank(json)));
        let tests: Vec<String> = fits.into_iter().chain(filled).collect();
        let value = match tests.is_empty() {
            true => text,
            false => format!("CASE WHEN {} THEN {text} END", tests.join(" AND ")),
        };
        match self.live.scalar {
            Scalar::Varchar(_) => format!("({value})::{}", self.live.scalar),
            _ => value,
        }
    }

    fn boolean(&self, json: &str) -> String {
        let word = format!("lower({} COLLATE \"C\")", trimmed(&text_of(json)));
        let object = match self.spec.object_true {
            true => format!(" WHEN 'object' THEN {json} <> '{{}}'::jsonb"),
            false => String::new(),
        };
        format!(
            "CASE jsonb_typeof({json}) WHEN 'boolean' THEN {json}::boolean \
             WHEN 'number' THEN CASE {json}::numeric WHEN 1 THEN true WHEN 0 THEN false END \
             WHEN 'string' THEN CASE \
             WHEN {word} IN ('t', 'tr', 'tru', 'true', 'y', 'ye', 'yes', 'on', '1') THEN true \
             WHEN {word} IN ('f', 'fa', 'fal', 'fals', 'false', 'n', 'no', 'of', 'off', '0') THEN false \
             END{object} END"
        )
    }

    fn parses(&self, parse: Parse) -> bool {
        self.spec.parse == Some(parse)
    }
}

/// What `uuid_in` takes; white space is no part of it.
fn uuid(json: &str) -> String {
    let digits = "([0-9a-fA-F]{4}-{0,1}){7}[0-9a-fA-F]{4}";
    let text = text_of(json);
    format!(
        "CASE WHEN jsonb_typeof({json}) = 'string' AND {text} ~ '^({digits}|[{{]{digits}[}}])$' \
         THEN {text}::uuid END"
    )
}

/// `body` over the trimmed text of a string, as `s.s`; NULL for any other value.
fn of_string(json: &str, body: &str) -> String {
    with("s", &[("s", trimmed(&text_of(json)))], body)
}
