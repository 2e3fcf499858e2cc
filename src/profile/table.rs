//! Which columns of a table hold the ids and the documents.

use crate::error::{Error, Result};
use crate::name::TableName;
use crate::pg::{Session, TableInfo};

/// A table whose documents are profiled, its columns as far as they were named.
#[derive(Clone, Debug)]
pub struct Wanted {
    /// The table.
    pub table: TableName,
    /// The column of the ids.
    pub id: Option<String>,
    /// The column of the documents.
    pub document: Option<String>,
}

/// A table with its columns found.
#[derive(Clone, Debug)]
pub(super) struct Found {
    pub(super) info: TableInfo,
    pub(super) id: Option<String>,
    pub(super) document: String,
}

/// What documents are called where a table has several columns for them.
const USUAL: [&str; 6] = ["xdo", "document", "doc", "data", "payload", "body"];

impl Found {
    /// Asks the server for the table and finds its columns.
    ///
    /// # Errors
    /// That there is no such table or column, or that one has another type.
    pub(super) async fn read(session: &Session, wanted: &Wanted) -> Result<Self> {
        let info = TableInfo::read(session, &wanted.table).await?.ok_or_else(|| {
            Error::stop(format!("the source has no table {}", wanted.table))
                .detail("it is not there, or the role may not see its schema")
                .hint("check --source and the search path, or name the table with its schema")
        })?;
        let document = document_of(&info, wanted.document.as_deref())?;
        let id = id_of(&info, wanted.id.as_deref())?;
        Ok(Self { info, id, document })
    }
}

fn document_of(info: &TableInfo, named: Option<&str>) -> Result<String> {
    if let Some(named) = named {
        return typed(info, named, &["jsonb"], "--document");
    }
    let all: Vec<&str> = info
        .columns
        .iter()
        .filter(|column| column.type_name == "jsonb")
        .map(|one| one.name.as_str())
        .collect();
    match (all.as_slice(), USUAL.iter().find(|usual| all.contains(usual))) {
        (&[one], _) => Ok(one.to_owned()),
        (_, Some(usual)) => Ok((*usual).to_owned()),
        ([], None) => {
            let has_json = info.columns.iter().any(|column| column.type_name == "json");
            let hint = if has_json {
                "make a view that casts the json column to jsonb"
            } else {
                "name a table that holds documents: V1's, not a typed one of V2"
            };
            Err(Error::stop(format!("{} has no jsonb column", info.name)).hint(hint))
        }
        (several, None) => Err(Error::usage(format!("{} has several jsonb columns", info.name))
            .detail(several.join(", "))
            .hint("say which one holds the documents with --document")),
    }
}

fn id_of(info: &TableInfo, named: Option<&str>) -> Result<Option<String>> {
    if let Some(named) = named {
        return typed(info, named, &INTEGERS, "--id").map(Some);
    }
    let is_integer =
        |name: &str| info.column(name).is_some_and(|column| INTEGERS.contains(&column.type_name.as_str()));
    let single = |columns: &[String]| match columns {
        [one] if is_integer(one) => Some(one.clone()),
        _ => None,
    };
    let usual = || is_integer("id").then(|| "id".to_owned());
    // The server names indexes in no order of its own.
    let unique = || info.unique_keys.iter().filter_map(|columns| single(columns)).min();
    Ok(single(&info.primary_key).or_else(usual).or_else(unique))
}

const INTEGERS: [&str; 3] = ["bigint", "integer", "smallint"];

/// A column that was named, if it has one of these types.
fn typed(info: &TableInfo, name: &str, types: &[&str], option: &str) -> Result<String> {
    match info.column(name) {
        Some(column) if types.contains(&column.type_name.as_str()) => Ok(name.to_owned()),
        Some(column) => Err(Error::usage(format!("{}.{name} has the type {}", info.name, column.type_name))
            .detail(format!("{option} takes a column of the type {}", types.join(" or ")))
            .hint("make a view that casts the column")),
        None => {
            let columns: Vec<&str> = info.columns.iter().map(|column| column.name.as_str()).collect();
            Err(Error::usage(format!("{} has no column {name}", info.name))
                .detail(format!("its columns are {}", columns.join(", ")))
                .hint(format!("correct {option}")))
        }
    }
}
