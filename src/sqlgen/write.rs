//! What a user would write around a SELECT: rows inserted, merged, or made into a table of their own.

use crate::name::{literal, quote};
use crate::spec::model::{Origin, TargetSpec};

/// `INSERT INTO` a target the rows of a SELECT of its columns.
pub fn insert(target: &TargetSpec, select: &str) -> String {
    format!("INSERT INTO {} ({})\n{select}", target.table.quoted(), names(target, &all(target), ""))
}

/// The statements that update what differs and insert what is missing; `rows` is an item of a FROM
/// clause: a table, or a SELECT in parentheses. One MERGE from PostgreSQL 15 on, two statements before.
pub fn merge(target: &TargetSpec, rows: &str, has_merge: bool) -> Vec<String> {
    let table = target.table.quoted();
    let cells: Vec<usize> = (0..target.columns.len()).filter(|index| !target.key.contains(index)).collect();
    let key = matched(target);
    let (old, new) = (names(target, &cells, "t."), names(target, &cells, "s."));
    let differs = format!("({old}) IS DISTINCT FROM ({new})");
    let set: Vec<String> =
        cells.iter().map(|&index| column(target, index)).map(|name| format!("{name} = s.{name}")).collect();
    let set = set.join(", ");
    let (names, values) = (names(target, &all(target), ""), names(target, &all(target), "s."));
    if has_merge {
        let update = match cells.is_empty() {
            true => String::new(),
            false => format!("\nWHEN MATCHED AND {differs} THEN UPDATE SET {set}"),
        };
        return vec![format!(
            "MERGE INTO {table} AS t USING {rows} AS s ON {key}{update}\n\
             WHEN NOT MATCHED THEN INSERT ({names}) VALUES ({values})"
        )];
    }
    let mut statements = Vec::new();
    if !cells.is_empty() {
        statements.push(format!("UPDATE {table} AS t SET {set} FROM {rows} AS s WHERE {key} AND {differs}"));
    }
    statements.push(format!(
        "INSERT INTO {table} ({names}) SELECT {values} FROM {rows} AS s \
         WHERE NOT EXISTS (SELECT FROM {table} AS t WHERE {key})"
    ));
    statements
}

/// Deletes the rows whose key `rows`, an item of a FROM clause, does not have.
pub fn delete_gone(target: &TargetSpec, rows: &str) -> String {
    format!(
        "DELETE FROM {} AS t WHERE NOT EXISTS (SELECT FROM {rows} AS s WHERE {})",
        target.table.quoted(),
        matched(target)
    )
}

/// A column of a live table, as far as a copy of the table needs it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CopiedColumn {
    /// Its name.
    pub name: String,
    /// Its type, as `format_type()` writes it.
    pub type_name: String,
    /// Whether it takes no NULL.
    pub not_null: bool,
    /// Its default, as SQL.
    pub default: Option<String>,
    /// Whether it is an identity.
    pub identity: bool,
}

/// `CREATE TABLE AS` the rows of a SELECT of the target's columns, as a table that can take the target's
/// place: all `columns` in their order, those that the SELECT lacks with their default, and numbers of
/// their own in the place of an identity. `new` is the table's name, `primary_key` names its columns.
pub fn create_table_as(
    target: &TargetSpec,
    columns: &[CopiedColumn],
    primary_key: &[String],
    new: &str,
    select: &str,
) -> Vec<String> {
    let fed = |column: &CopiedColumn| target.columns.iter().any(|own| own.name == column.name);
    // As the id of a row of a split table that of its source row is as good as any, and counted in no turn.
    let source_id = target.columns.iter().find(|column| column.origin == Origin::Id);
    let value = |column: &CopiedColumn| {
        let name = quote(&column.name);
        match (&column.default, source_id) {
            _ if fed(column) => format!("s.{name}"),
            _ if column.identity => match source_id {
                Some(id) => format!("s.{} AS {name}", quote(&id.name)),
                None => format!("row_number() OVER () AS {name}"),
            },
            (Some(default), _) => format!("{default} AS {name}"),
            (None, _) => format!("NULL::{} AS {name}", column.type_name),
        }
    };
    let values: Vec<String> = columns.iter().map(value).collect();
    let table = quote(new);
    let mut changes = Vec::new();
    for column in columns {
        let name = quote(&column.name);
        if column.not_null {
            changes.push(format!("ALTER COLUMN {name} SET NOT NULL"));
        }
        if let Some(default) = &column.default {
            changes.push(format!("ALTER COLUMN {name} SET DEFAULT {default}"));
        }
    }
    if !primary_key.is_empty() {
        let key: Vec<String> = primary_key.iter().map(|name| quote(name)).collect();
        changes.push(format!("ADD PRIMARY KEY ({})", key.join(", ")));
    }
    let mut statements =
        vec![format!("CREATE TABLE {table} AS SELECT {} FROM ({select}) s", values.join(", "))];
    if !changes.is_empty() {
        statements.push(format!("ALTER TABLE {table} {}", changes.join(", ")));
    }
    for column in columns.iter().filter(|column| column.identity) {
        let name = quote(&column.name);
        statements.push(format!(
            "ALTER TABLE {table} ALTER COLUMN {name} ADD GENERATED BY DEFAULT AS IDENTITY; \
             SELECT setval(pg_get_serial_sequence({}, {}), coalesce(max({name}), 1)) FROM {table}",
            literal(&table),
            literal(&column.name)
        ));
    }
    statements
}

fn matched(target: &TargetSpec) -> String {
    let parts: Vec<String> = target
        .key
        .iter()
        .map(|&index| column(target, index))
        .map(|name| format!("t.{name} = s.{name}"))
        .collect();
    parts.join(" AND ")
}

fn all(target: &TargetSpec) -> Vec<usize> {
    (0..target.columns.len()).collect()
}

fn names(target: &TargetSpec, indices: &[usize], before: &str) -> String {
    let names: Vec<String> =
        indices.iter().map(|&index| format!("{before}{}", column(target, index))).collect();
    names.join(", ")
}

fn column(target: &TargetSpec, index: usize) -> String {
    target.columns.get(index).map(|column| quote(&column.name)).unwrap_or_default()
}
