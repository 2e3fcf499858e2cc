//! What the two databases say of their tables.

use super::Row;
use super::lock::LockMode;
use super::session::Session;
use crate::error::Result;
use crate::name::TableName;
use crate::schema::ColumnSchema;

/// A table, view or foreign table as the server describes it.
#[derive(Clone, Debug)]
pub struct TableInfo {
    /// Its name with the schema that the search path found.
    pub name: TableName,
    /// Its object identifier.
    pub oid: u32,
    /// Whether it is an ordinary table or a materialized view, which has ranges of ctid.
    pub has_ctid: bool,
    /// Whether it is an ordinary table of one file, without rules and row security: rows can be copied
    /// into it, and a row is known by its ctid.
    pub is_plain: bool,
    /// Whether LOCK TABLE takes it: not a materialized view or a foreign table.
    pub is_lockable: bool,
    /// Whether row security hides rows from the role.
    pub hides_rows: bool,
    /// The file that holds it, which a rewrite replaces; 0 where there is none.
    pub filenode: u32,
    /// Blocks of its main fork.
    pub blocks: u64,
    /// Bytes of the table with its TOAST table.
    pub bytes: u64,
    /// In the order of the table.
    pub columns: Vec<ColumnSchema>,
    /// The primary key's columns, in its order; empty where there is none.
    pub primary_key: Vec<String>,
    /// The column sets of its valid, unconditional unique indexes, the primary key among them.
    pub unique_keys: Vec<Vec<String>>,
    /// The leading columns of its valid, unconditional indexes, unique or not.
    pub indexed_prefixes: Vec<Vec<String>>,
}

impl TableInfo {
    /// Asks the server for a table; `None` where the search path finds none.
    pub async fn read(session: &Session, name: &TableName) -> Result<Option<Self>> {
        Ok(Self::read_all(session, [name]).await?.pop().flatten())
    }

    /// The same for several, in their order: three questions, whatever their number.
    pub async fn read_all<'n>(
        session: &Session,
        names: impl IntoIterator<Item = &'n TableName>,
    ) -> Result<Vec<Option<Self>>> {
        let names: Vec<String> = names.into_iter().map(TableName::quoted).collect();
        // The size of a table takes a lock on it.
        let rows = match session.query(TABLES, &[&names]).await {
            Ok(rows) => rows,
            Err(error) => return Err(session.explain_lock(error, &names, LockMode::Alterers).await),
        };
        let oids: Vec<u32> = rows.iter().map(|row| row.get("oid")).collect();
        let columns = session.query(COLUMNS, &[&oids]).await?;
        let indexes = session.query(INDEXES, &[&oids]).await?;
        let mut found = vec![None; names.len()];
        for row in &rows {
            let oid: u32 = row.get("oid");
            let of_table = |row: &&Row| row.get::<_, u32>("table") == oid;
            let mut info = Self {
                name: TableName::new(row.get::<_, String>("nspname"), row.get::<_, String>("relname")),
                oid,
                has_ctid: row.get("has_ctid"),
                is_plain: row.get("is_plain"),
                is_lockable: row.get("is_lockable"),
                hides_rows: row.get("hides_rows"),
                filenode: row.get("filenode"),
                blocks: u64::try_from(row.get::<_, i64>("blocks")).unwrap_or(0),
                bytes: u64::try_from(row.get::<_, i64>("bytes")).unwrap_or(0),
                columns: columns.iter().filter(of_table).map(column_schema).collect(),
                primary_key: Vec::new(),
                unique_keys: Vec::new(),
                indexed_prefixes: Vec::new(),
            };
            for row in indexes.iter().filter(of_table) {
                let columns: Vec<String> = row.get("columns");
                if row.get("is_primary") {
                    info.primary_key.clone_from(&columns);
                }
                if row.get("is_unique") {
                    info.unique_keys.push(columns.clone());
                }
                info.indexed_prefixes.push(columns);
            }
            // A place is counted from 1.
            let place = usize::try_from(row.get::<_, i64>("place") - 1).unwrap_or(usize::MAX);
            if let Some(found) = found.get_mut(place) {
                *found = Some(info);
            }
        }
        Ok(found)
    }

    /// What is no longer as it was here in what the server says `now`, in words; `None` where the table has
    /// the same shape. Its size and its file do not belong to the shape.
    pub fn changed(&self, now: Option<&Self>) -> Option<String> {
        let Some(now) = now else { return Some("it is gone".to_owned()) };
        if self.oid != now.oid {
            return Some("it is another table of that name".to_owned());
        }
        let lacks = |columns: &[ColumnSchema], name: &str| columns.iter().all(|column| column.name != name);
        for column in &self.columns {
            match now.column(&column.name) {
                None => return Some(format!("the column {} is gone", column.name)),
                Some(other) if other != column => {
                    return Some(format!(
                        "the column {} was {}, and is another",
                        column.name, column.type_name
                    ));
                }
                Some(_) => {}
            }
        }
        if let Some(new) = now.columns.iter().find(|column| lacks(&self.columns, &column.name)) {
            return Some(format!("the column {} is new", new.name));
        }
        // The server names indexes in no order of its own.
        let sorted = |keys: &[Vec<String>]| {
            let mut keys = keys.to_vec();
            keys.sort();
            keys
        };
        if self.primary_key != now.primary_key || sorted(&self.unique_keys) != sorted(&now.unique_keys) {
            return Some("its unique indexes are others".to_owned());
        }
        (self.is_plain != now.is_plain).then(|| "its rules or its row security are others".to_owned())
    }

    /// The column of a name.
    pub fn column(&self, name: &str) -> Option<&ColumnSchema> {
        self.columns.iter().find(|column| column.name == name)
    }

    /// Whether a unique index promises that these columns, in any order, are unique. Columns that take
    /// NULL may still repeat it; a merge key bears no NULL.
    pub fn is_unique(&self, key: &[String]) -> bool {
        self.unique_keys.iter().any(|unique| unique.iter().all(|column| key.contains(column)))
    }

    /// Whether an index begins with these columns, in any order.
    pub fn is_indexed(&self, key: &[String]) -> bool {
        self.indexed_prefixes.iter().any(|index| {
            index.len() >= key.len() && index[..key.len()].iter().all(|column| key.contains(column))
        })
    }
}

fn column_schema(row: &Row) -> ColumnSchema {
    let type_name: String = row.get("type_name");
    ColumnSchema {
        name: row.get("attname"),
        column_type: type_name.parse().ok(),
        type_name,
        not_null: row.get("not_null"),
        filled_by_server: row.get("filled_by_server"),
        read_only: row.get("read_only"),
    }
}

/// `to_regclass` takes the name as SQL writes it, and gives NULL instead of an error.
const TABLES: &str = "
    SELECT w.place, c.oid, n.nspname::text, c.relname::text, c.relkind IN ('r', 'm') AS has_ctid,
           c.relkind = 'r' AND NOT c.relhasrules AND NOT c.relhassubclass AND NOT c.relrowsecurity AS is_plain,
           c.relkind IN ('r', 'p', 'v') AS is_lockable,
           CASE WHEN c.relrowsecurity THEN row_security_active(c.oid) ELSE false END AS hides_rows,
           coalesce(pg_relation_filenode(c.oid), 0) AS filenode,
           CASE WHEN c.relkind IN ('r', 'm')
                THEN pg_relation_size(c.oid) / current_setting('block_size')::bigint ELSE 0 END AS blocks,
           coalesce(pg_table_size(c.oid), 0) AS bytes
    FROM unnest($1::text[]) WITH ORDINALITY AS w (name, place)
    JOIN pg_class c ON c.oid = to_regclass(w.name) JOIN pg_namespace n ON n.oid = c.relnamespace
    WHERE c.relkind IN ('r', 'p', 'm', 'v', 'f')";

const COLUMNS: &str = r#"
    SELECT a.attrelid AS "table", a.attname::text, format_type(a.atttypid, a.atttypmod) AS type_name, a.attnotnull AS not_null,
           a.atthasdef OR a.attidentity <> '' AS filled_by_server,
           a.attgenerated <> '' OR a.attidentity = 'a' AS read_only
    FROM pg_attribute a
    WHERE a.attrelid = ANY ($1) AND a.attnum > 0 AND NOT a.attisdropped
    ORDER BY a.attrelid, a.attnum"#;

/// Indexes on expressions or on a part of the rows promise nothing about the key.
const INDEXES: &str = r#"
    SELECT i.indrelid AS "table", i.indisprimary AS is_primary, i.indisunique AS is_unique,
           array_agg(a.attname::text ORDER BY k.position) AS columns
    FROM pg_index i
    CROSS JOIN unnest(i.indkey::int2[]) WITH ORDINALITY AS k (attnum, position)
    JOIN pg_attribute a ON a.attrelid = i.indrelid AND a.attnum = k.attnum
    WHERE i.indrelid = ANY ($1) AND i.indisvalid AND i.indpred IS NULL AND i.indexprs IS NULL
      AND k.position <= i.indnkeyatts
    GROUP BY i.indrelid, i.indexrelid, i.indisprimary, i.indisunique"#;
