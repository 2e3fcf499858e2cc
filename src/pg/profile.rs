//! The statements of a profile: some rows of a table, and whether numbers are ids elsewhere. No value is
//! ever pasted into one.

use crate::name::{TableName, literal, quote};

/// Which rows of a table are read.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Rows {
    /// Those in the blocks from one on, and before another; without an end where it is `None`.
    Blocks(u64, Option<u64>),
    /// Those in so many percent of the blocks, the same each time.
    Percent(f64),
    /// So many that come first.
    First(u64),
    /// All.
    All,
}

/// `COPY (SELECT id, document …) TO STDOUT`; the id is NULL where there is no column for it.
pub fn copy_rows(table: &TableName, id: Option<&str>, document: &str, rows: Rows) -> String {
    let condition = match rows {
        Rows::Blocks(from, None) => format!(" WHERE ctid >= '({from},0)'::tid"),
        Rows::Blocks(from, Some(to)) => {
            format!(" WHERE ctid >= '({from},0)'::tid AND ctid < '({to},0)'::tid")
        }
        Rows::Percent(percent) => format!(" TABLESAMPLE SYSTEM ({percent}) REPEATABLE (0)"),
        Rows::First(limit) => format!(" LIMIT {limit}"),
        Rows::All => String::new(),
    };
    format!(
        "COPY (SELECT {}::bigint, {} FROM {}{condition}) TO STDOUT (FORMAT binary)",
        id.map_or_else(|| "NULL".to_owned(), quote),
        quote(document),
        table.quoted()
    )
}

/// One row: the kind of a table, and the rows and blocks that it had when the server last looked; -1 rows
/// where it never has. `$1` is the table's oid.
pub const DESCRIBE: &str = "
    SELECT relkind::text, reltuples::float8, relpages::float8 FROM pg_class WHERE oid = $1";

/// How many rows a table has: exactly, or from the count of so many percent of its blocks.
pub fn count_rows(table: &TableName, percent: f64) -> String {
    if percent >= 100.0 {
        return format!("SELECT count(*) FROM {}", table.quoted());
    }
    format!(
        "SELECT (count(*) * 100 / {percent})::bigint FROM {} TABLESAMPLE SYSTEM ({percent}) REPEATABLE (0)",
        table.quoted()
    )
}

/// The tables of a schema with a unique integer and a document column of the same name as that of the
/// table in question: name, the column of the ids, rows. `$1` is the schema, `$2` the document column.
pub const ID_TABLES: &str = "
    SELECT c.relname::text, a.attname::text, c.reltuples::float8
    FROM pg_index i
    JOIN pg_class c ON c.oid = i.indrelid
    JOIN pg_namespace n ON n.oid = c.relnamespace
    JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum = i.indkey[0]
    WHERE n.nspname = $1 AND c.relkind IN ('r', 'p', 'm')
      AND i.indisunique AND i.indisvalid AND i.indnkeyatts = 1 AND i.indpred IS NULL
      AND a.atttypid IN ('int2'::regtype, 'int4'::regtype, 'int8'::regtype)
      AND EXISTS (SELECT FROM pg_attribute d WHERE d.attrelid = c.oid AND d.attname = $2
                  AND d.atttypid = 'jsonb'::regtype AND NOT d.attisdropped)
      AND has_table_privilege(c.oid, 'SELECT')
    ORDER BY c.relname, a.attname <> 'id', a.attname";

/// The lowest and the highest id of a table, which its index knows.
pub fn id_bounds(table: &TableName, id: &str) -> String {
    format!("SELECT min({0})::bigint, max({0})::bigint FROM {1}", quote(id), table.quoted())
}

/// For each number of `$1` how many of its values in `$2` are ids of a table.
pub fn found_ids(table: &TableName, id: &str) -> String {
    format!(
        "SELECT v.key, count(*) FROM unnest($1::integer[], $2::bigint[]) AS v (key, id)
         WHERE EXISTS (SELECT FROM {} t WHERE t.{} = v.id) GROUP BY v.key",
        table.quoted(),
        quote(id)
    )
}

/// One statement that makes a table: columns with their types, those of the key among them.
pub fn create_table(table: &TableName, columns: &[(String, String)], key: &[String]) -> String {
    let lines = columns.iter().map(|(name, column_type)| {
        let primary = if key == std::slice::from_ref(name) { " PRIMARY KEY" } else { "" };
        format!("    {} {column_type}{primary}", quote(name))
    });
    let several = (key.len() > 1).then(|| {
        let key: Vec<String> = key.iter().map(|name| quote(name)).collect();
        format!("    PRIMARY KEY ({})", key.join(", "))
    });
    format!(
        "CREATE TABLE IF NOT EXISTS {} (\n{}\n);\n",
        table.quoted(),
        lines.chain(several).collect::<Vec<_>>().join(",\n")
    )
}

/// A comment on a table.
pub fn comment_on(table: &TableName, text: &str) -> String {
    format!("COMMENT ON TABLE {} IS {};\n", table.quoted(), literal(text))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn odd_names_are_quoted_in_every_statement() {
        let odd = "\"; DROP TABLE x; --";
        let table = TableName::new("s", odd);
        let quoted = "\"\"\"; DROP TABLE x; --\"";
        assert_eq!(
            copy_rows(&table, Some(odd), odd, Rows::Blocks(3, Some(9))),
            format!(
                "COPY (SELECT {quoted}::bigint, {quoted} FROM \"s\".{quoted} \
                 WHERE ctid >= '(3,0)'::tid AND ctid < '(9,0)'::tid) TO STDOUT (FORMAT binary)"
            )
        );
        assert!(copy_rows(&table, None, "d", Rows::First(5)).contains("NULL::bigint"));
        let sql = [id_bounds(&table, odd), found_ids(&table, odd), count_rows(&table, 1.0)].join("\n")
            + &create_table(&table, &[(odd.to_owned(), "text".to_owned())], &[odd.to_owned()]);
        assert_eq!(sql.matches(quoted).count(), 2 * sql.matches(odd).count() / 2);
        assert!(!sql.replace(quoted, "").contains("DROP"));
    }
}
