//! The field catalogue: what is known of the two workspaces, read once from the built-in CSV files.
//!
//! `fixtures/v1_keys.csv` lists the keys inside the documents of the five V1 tables, with the kind of
//! a clean value and the class of dirt that is met in it; `fixtures/v2_columns.csv` lists the columns
//! of the fourteen V2 tables. The generator and the DDL are made from them, so neither holds a list
//! of its own that could drift.

use std::sync::LazyLock;

use serde::Deserialize;

use crate::error::{Error, Result};
use crate::schema::ColumnType;

/// The built-in catalogue.
#[expect(clippy::expect_used, reason = "both files are part of the binary, and a test reads them")]
pub static CATALOG: LazyLock<Catalog> = LazyLock::new(|| {
    let files = (include_str!("../fixtures/v1_keys.csv"), include_str!("../fixtures/v2_columns.csv"));
    Catalog::parse(files.0, files.1).expect("the built-in catalogue is valid")
});

/// The tables of both workspaces.
#[derive(Debug)]
pub struct Catalog {
    /// The five V1 tables, in the order users, agents, transactions, participants, network.
    pub v1: Vec<V1Table>,
    /// The fourteen V2 tables, by table number.
    pub v2: Vec<V2Table>,
}

/// A V1 table: `id bigint PRIMARY KEY, xdo jsonb`.
#[derive(Debug)]
pub struct V1Table {
    /// The entity's name on the command line: `users`.
    pub entity: &'static str,
    /// The table: `mvpw1_41`.
    pub table: String,
    /// The keys inside `xdo`, in the catalogue's order.
    pub keys: Vec<V1Key>,
}

/// A key inside a V1 document.
#[derive(Debug)]
pub struct V1Key {
    /// The key as it is spelt in the documents.
    pub key: String,
    /// What a clean value is.
    pub kind: Kind,
    /// What a dirty value may be.
    pub dirty_class: Class,
}

/// What a clean value of a V1 key is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Kind {
    /// A whole number.
    Integer,
    /// Milliseconds since 1970, UTC.
    EpochMs,
    /// An e-mail address.
    Email,
    /// Free text.
    Text,
    /// True or false.
    Boolean,
    /// The id of a row of another table.
    Reference,
    /// `YYYY-MM-DD`.
    Date,
    /// A salted hash.
    PasswordHash,
    /// An object.
    Object,
    /// One of a few words.
    Enum,
    /// A uuid in lower case.
    Uuid,
    /// An object that describes an uploaded file.
    File,
    /// Any JSON value; an object in the main.
    Any,
    /// A list.
    Array,
    /// A decimal number.
    Decimal,
    /// An object where there is something to say, else a boolean.
    ObjectOrBoolean,
    /// A point on the map.
    GeoPoint,
}

/// A class of dirt: which dirty values a key has, and how often. The generator's `dirt` module lists them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Deserialize)]
pub enum Class {
    /// D-INT: of whole numbers.
    #[serde(rename = "D-INT")]
    Int,
    /// D-REF: of references.
    #[serde(rename = "D-REF")]
    Ref,
    /// D-DEC: of decimals.
    #[serde(rename = "D-DEC")]
    Dec,
    /// D-BOOL: of booleans.
    #[serde(rename = "D-BOOL")]
    Bool,
    /// D-TS: of times in milliseconds.
    #[serde(rename = "D-TS")]
    Ts,
    /// D-DATE: of dates.
    #[serde(rename = "D-DATE")]
    Date,
    /// D-TEXT: of text.
    #[serde(rename = "D-TEXT")]
    Text,
    /// D-ENUM: of words from a list.
    #[serde(rename = "D-ENUM")]
    Enum,
    /// D-EMAIL: of e-mail addresses.
    #[serde(rename = "D-EMAIL")]
    Email,
    /// D-UUID: of uuids.
    #[serde(rename = "D-UUID")]
    Uuid,
    /// D-OBJ: of objects.
    #[serde(rename = "D-OBJ")]
    Obj,
    /// D-OBJBOOL: of objects that may be booleans.
    #[serde(rename = "D-OBJBOOL")]
    ObjBool,
    /// D-LIST: of lists.
    #[serde(rename = "D-LIST")]
    List,
    /// D-IMG: of files.
    #[serde(rename = "D-IMG")]
    Img,
    /// D-PW: of password hashes.
    #[serde(rename = "D-PW")]
    Pw,
    /// D-GEO: of points on the map.
    #[serde(rename = "D-GEO")]
    Geo,
}

/// A V2 table.
#[derive(Debug)]
pub struct V2Table {
    /// The table: `mvpw5_664`.
    pub table: String,
    /// What it is called in Xano: `user`.
    pub name: String,
    /// Its columns, in order; the first is `id`.
    pub columns: Vec<V2Column>,
}

/// A column of a V2 table.
#[derive(Debug)]
pub struct V2Column {
    /// The column's name.
    pub name: String,
    /// Its type.
    pub column_type: ColumnType,
    /// Whether a `bigint` holds milliseconds since 1970, UTC.
    pub epoch_ms: bool,
    /// Whether it takes NULL.
    pub nullable: bool,
}

#[derive(Deserialize)]
struct V1Record {
    entity: String,
    table: String,
    key: String,
    kind: Kind,
    dirty_class: Class,
}

#[derive(Deserialize)]
struct V2Record {
    table: String,
    name: String,
    column: String,
    #[serde(rename = "type")]
    type_name: String,
    meaning: String,
    nullable: String,
}

impl Catalog {
    /// Reads the two files of the catalogue; the rows of a table stand together, in order.
    ///
    /// # Errors
    /// A line that does not parse, an entity that is none of the five, an unknown type or meaning.
    pub fn parse(v1_csv: &str, v2_csv: &str) -> Result<Self> {
        let mut v1: Vec<V1Table> = Vec::new();
        for record in records::<V1Record>("V1 keys", v1_csv)? {
            let key = V1Key { key: record.key, kind: record.kind, dirty_class: record.dirty_class };
            match v1.last_mut() {
                Some(last) if last.table == record.table => last.keys.push(key),
                _ => {
                    let entity = entity_name(&record.entity)?;
                    v1.push(V1Table { entity, table: record.table, keys: vec![key] });
                }
            }
        }
        let mut v2: Vec<V2Table> = Vec::new();
        for record in records::<V2Record>("V2 columns", v2_csv)? {
            let column = column(&record)?;
            match v2.last_mut() {
                Some(last) if last.table == record.table => last.columns.push(column),
                _ => v2.push(V2Table { table: record.table, name: record.name, columns: vec![column] }),
            }
        }
        Ok(Self { v1, v2 })
    }
}

fn records<T: for<'de> Deserialize<'de>>(what: &str, text: &str) -> Result<Vec<T>> {
    csv::Reader::from_reader(text.as_bytes()).deserialize().collect::<Result<_, csv::Error>>().map_err(
        |error| Error::stop(format!("the catalogue of {what} is not valid")).detail(error.to_string()),
    )
}

fn entity_name(singular: &str) -> Result<&'static str> {
    match singular {
        "user" => Ok("users"),
        "agent" => Ok("agents"),
        "transaction" => Ok("transactions"),
        "participant" => Ok("participants"),
        "network" => Ok("network"),
        other => Err(Error::stop(format!("the catalogue of V1 keys names an unknown entity {other:?}"))),
    }
}

fn column(record: &V2Record) -> Result<V2Column> {
    let wrong = |what: &str| {
        Error::stop(format!("the catalogue of V2 columns has an unknown {what}"))
            .detail(format!("column {:?} of {:?}", record.column, record.table))
    };
    Ok(V2Column {
        name: record.column.clone(),
        column_type: record.type_name.parse().map_err(|_| wrong("type"))?,
        epoch_ms: match record.meaning.as_str() {
            "" => false,
            "epoch_ms" => true,
            _ => return Err(wrong("meaning")),
        },
        nullable: match record.nullable.as_str() {
            "yes" => true,
            "no" => false,
            _ => return Err(wrong("nullability")),
        },
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_built_in_files_hold_449_keys_of_five_tables_and_235_columns_of_fourteen() {
        let keys: Vec<_> = CATALOG.v1.iter().map(|t| (t.entity, t.table.as_str(), t.keys.len())).collect();
        let expected = [
            ("users", "mvpw1_41", 111),
            ("agents", "mvpw1_36", 132),
            ("transactions", "mvpw1_34", 119),
            ("participants", "mvpw1_39", 30),
            ("network", "mvpw1_48", 57),
        ];
        assert_eq!(keys, expected);
        assert_eq!(CATALOG.v2.len(), 14);
        assert_eq!(CATALOG.v2.iter().map(|t| t.columns.len()).sum::<usize>(), 235);
        for table in &CATALOG.v2 {
            let id = &table.columns[0];
            assert_eq!((id.name.as_str(), id.nullable), ("id", false), "{}", table.table);
            assert_eq!((table.columns[1].name.as_str(), table.columns[1].epoch_ms), ("created_at", true));
        }
    }

    #[test]
    fn a_broken_file_is_an_error_with_the_place() {
        let v1 = "entity,table,position,key,kind,dirty_class,confidence\n";
        let v2 = "table,name,position,column,type,meaning,nullable\n";
        assert!(Catalog::parse(v1, v2).is_ok());
        let error = Catalog::parse(&format!("{v1}user,t,1,id,whole,D-INT,x\n"), v2).unwrap_err();
        assert!(error.detail_text().is_some_and(|detail| detail.contains("whole")), "{error}");
        let error = Catalog::parse(v1, &format!("{v2}t,n,1,id,money,,no\n")).unwrap_err();
        assert_eq!(error.detail_text(), Some("column \"id\" of \"t\""));
        assert!(Catalog::parse(&format!("{v1}team,t,1,id,integer,D-INT,x\n"), v2).is_err());
    }
}
