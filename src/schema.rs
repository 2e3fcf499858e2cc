//! Column types: the ones that a pipeline can name and a target can have.

use std::fmt;
use std::str::FromStr;

/// A column of a table as the server describes it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ColumnSchema {
    /// Its name.
    pub name: String,
    /// The type as `format_type` writes it.
    pub type_name: String,
    /// The type, where xdoflow has an encoding for it.
    pub column_type: Option<ColumnType>,
    /// Whether it takes no NULL.
    pub not_null: bool,
    /// Whether the server fills it in: a default or an identity.
    pub filled_by_server: bool,
    /// Whether it cannot be written: a generated column, or an identity `ALWAYS`.
    pub read_only: bool,
}

/// The type of a column: a scalar, or a one-dimensional array of one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct ColumnType {
    /// The type of the value, or of each element.
    pub scalar: Scalar,
    /// Whether the column holds an array.
    pub array: bool,
}

/// A type without array brackets.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Scalar {
    /// `text`
    Text,
    /// `varchar(n)`: at most `n` characters
    Varchar(u32),
    /// `smallint`
    SmallInt,
    /// `integer`
    Integer,
    /// `bigint`
    BigInt,
    /// `numeric`, without or with precision and scale
    Numeric(Option<Precision>),
    /// `real`
    Real,
    /// `double precision`
    Double,
    /// `boolean`
    Boolean,
    /// `date`
    Date,
    /// `timestamp`
    Timestamp,
    /// `timestamptz`
    TimestampTz,
    /// `uuid`
    Uuid,
    /// `json`
    Json,
    /// `jsonb`
    Jsonb,
}

/// `numeric(precision, scale)`: 1 to 1000 digits in all, -1000 to 1000 after the point (0 to
/// `precision` before PostgreSQL 15).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Precision {
    /// Digits in all.
    pub precision: u16,
    /// Digits after the point.
    pub scale: i16,
}

/// What `ColumnType::from_str` could not read.
#[derive(Debug, PartialEq, Eq)]
pub struct UnknownType;

impl ColumnType {
    /// A column that is not an array.
    pub const fn scalar(scalar: Scalar) -> Self {
        Self { scalar, array: false }
    }

    /// Whether a value of the type can be the key of a row elsewhere: an integer or a text.
    pub fn may_refer(&self) -> bool {
        !self.array && (self.scalar.is_integer() || matches!(self.scalar, Scalar::Text | Scalar::Varchar(_)))
    }

    /// The object identifier of the type in every PostgreSQL server (`pg_type.dat`).
    pub fn oid(&self) -> u32 {
        if self.array { self.scalar.array_oid() } else { self.scalar.oid() }
    }
}

impl Scalar {
    /// The type names that a pipeline file may use, for suggestions.
    pub const NAMES: &[&str] = &[
        "text",
        "varchar",
        "smallint",
        "integer",
        "bigint",
        "numeric",
        "real",
        "double precision",
        "boolean",
        "date",
        "timestamp",
        "timestamptz",
        "uuid",
        "json",
        "jsonb",
    ];

    /// Whether the type holds whole numbers: `smallint`, `integer` or `bigint`.
    pub fn is_integer(self) -> bool {
        matches!(self, Self::SmallInt | Self::Integer | Self::BigInt)
    }

    /// The scalar's own object identifier.
    pub fn oid(self) -> u32 {
        match self {
            Self::Text => 25,
            Self::Varchar(_) => 1043,
            Self::SmallInt => 21,
            Self::Integer => 23,
            Self::BigInt => 20,
            Self::Numeric(_) => 1700,
            Self::Real => 700,
            Self::Double => 701,
            Self::Boolean => 16,
            Self::Date => 1082,
            Self::Timestamp => 1114,
            Self::TimestampTz => 1184,
            Self::Uuid => 2950,
            Self::Json => 114,
            Self::Jsonb => 3802,
        }
    }

    fn array_oid(self) -> u32 {
        match self {
            Self::Text => 1009,
            Self::Varchar(_) => 1015,
            Self::SmallInt => 1005,
            Self::Integer => 1007,
            Self::BigInt => 1016,
            Self::Numeric(_) => 1231,
            Self::Real => 1021,
            Self::Double => 1022,
            Self::Boolean => 1000,
            Self::Date => 1182,
            Self::Timestamp => 1115,
            Self::TimestampTz => 1185,
            Self::Uuid => 2951,
            Self::Json => 199,
            Self::Jsonb => 3807,
        }
    }
}

impl FromStr for ColumnType {
    type Err = UnknownType;

    /// Reads a type as SQL and `format_type()` write it: `numeric(12,2)`, `character varying(20)`,
    /// `timestamp with time zone`, `text[]`; any case.
    fn from_str(text: &str) -> Result<Self, UnknownType> {
        let lower = text.trim().to_ascii_lowercase();
        let (base, array) = match lower.strip_suffix("[]") {
            Some(base) => (base.trim_end(), true),
            None => (lower.as_str(), false),
        };
        let (name, arguments) = match base.split_once('(') {
            None => (base, None),
            Some((name, rest)) => (name.trim_end(), Some(rest.strip_suffix(')').ok_or(UnknownType)?)),
        };
        Ok(Self { scalar: scalar_from(name, arguments)?, array })
    }
}

fn scalar_from(name: &str, arguments: Option<&str>) -> Result<Scalar, UnknownType> {
    let scalar = match (name, arguments) {
        ("varchar" | "character varying", Some(length)) => {
            let length = length.trim().parse().map_err(|_| UnknownType)?;
            // The server's limit: MaxAttrSize, htup_details.h.
            return if (1..=10_485_760).contains(&length) {
                Ok(Scalar::Varchar(length))
            } else {
                Err(UnknownType)
            };
        }
        ("numeric" | "decimal", Some(arguments)) => {
            return precision_from(arguments).map(|p| Scalar::Numeric(Some(p)));
        }
        (_, Some(_)) => return Err(UnknownType),
        ("text" | "varchar" | "character varying", None) => Scalar::Text,
        ("smallint" | "int2", None) => Scalar::SmallInt,
        ("integer" | "int" | "int4", None) => Scalar::Integer,
        ("bigint" | "int8", None) => Scalar::BigInt,
        ("numeric" | "decimal", None) => Scalar::Numeric(None),
        ("real" | "float4", None) => Scalar::Real,
        ("double precision" | "float8", None) => Scalar::Double,
        ("boolean" | "bool", None) => Scalar::Boolean,
        ("date", None) => Scalar::Date,
        ("timestamp" | "timestamp without time zone", None) => Scalar::Timestamp,
        ("timestamptz" | "timestamp with time zone", None) => Scalar::TimestampTz,
        ("uuid", None) => Scalar::Uuid,
        ("json", None) => Scalar::Json,
        ("jsonb", None) => Scalar::Jsonb,
        _ => return Err(UnknownType),
    };
    Ok(scalar)
}

fn precision_from(arguments: &str) -> Result<Precision, UnknownType> {
    let (precision, scale) = arguments.split_once(',').unwrap_or((arguments, "0"));
    let precision = precision.trim().parse().map_err(|_| UnknownType)?;
    let scale = scale.trim().parse().map_err(|_| UnknownType)?;
    if (1..=1000).contains(&precision) && (-1000..=1000).contains(&scale) {
        Ok(Precision { precision, scale })
    } else {
        Err(UnknownType)
    }
}

impl fmt::Display for ColumnType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.scalar.fmt(f)?;
        f.write_str(if self.array { "[]" } else { "" })
    }
}

impl fmt::Display for Scalar {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Text => f.write_str("text"),
            Self::Varchar(n) => write!(f, "varchar({n})"),
            Self::SmallInt => f.write_str("smallint"),
            Self::Integer => f.write_str("integer"),
            Self::BigInt => f.write_str("bigint"),
            Self::Numeric(None) => f.write_str("numeric"),
            Self::Numeric(Some(p)) => write!(f, "numeric({},{})", p.precision, p.scale),
            Self::Real => f.write_str("real"),
            Self::Double => f.write_str("double precision"),
            Self::Boolean => f.write_str("boolean"),
            Self::Date => f.write_str("date"),
            Self::Timestamp => f.write_str("timestamp"),
            Self::TimestampTz => f.write_str("timestamptz"),
            Self::Uuid => f.write_str("uuid"),
            Self::Json => f.write_str("json"),
            Self::Jsonb => f.write_str("jsonb"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn types_are_read_as_sql_writes_them() {
        for (text, shown) in [
            ("bigint", "bigint"),
            ("INT8", "bigint"),
            ("character varying(20)", "varchar(20)"),
            ("character varying", "text"),
            ("numeric(12, 2)", "numeric(12,2)"),
            ("numeric(5)", "numeric(5,0)"),
            ("timestamp with time zone", "timestamptz"),
            ("double precision[]", "double precision[]"),
            ("varchar(3)[]", "varchar(3)[]"),
        ] {
            assert_eq!(text.parse::<ColumnType>().expect(text).to_string(), shown);
        }
        for text in ["", "number", "text(3)", "varchar(0)", "numeric(1001,0)", "numeric(5,x)", "bigint[][]"] {
            assert_eq!(text.parse::<ColumnType>(), Err(UnknownType), "{text}");
        }
    }
}
