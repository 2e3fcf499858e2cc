//! The statements of a publish, built from checked names. No value is ever pasted into one.
//!
//! The delta is three statements instead of one MERGE: they run on every server from 14 on, each says
//! exactly how many rows it wrote, and none of them touches a row that is equal. Two rows are equal
//! when their images are (`*<>`): `IS DISTINCT FROM` would hold 1.10 and 1.1 equal.

mod forecast;

use crate::name::{TableName, literal, quote};
use crate::partition::{IdRange, Partition};
use crate::summary::ReadPath;

/// The names that the statements of one target are made of.
#[derive(Clone, Debug)]
pub struct MergeSql {
    /// The target, quoted.
    target: String,
    /// Its staging table, quoted.
    staging: String,
    /// The columns that are written, quoted.
    columns: Vec<String>,
    /// The merge key, quoted.
    key: Vec<String>,
    /// What decides which row of a key stays: the first of these, ascending.
    row_order: String,
    /// Quarantined ids, which no delete may touch: a condition on `t`, beginning with AND; or nothing.
    keep: String,
    /// The list of rows that are to go, quoted, where a comparison has made one; else all of V1 is staged.
    gone: Option<String>,
    /// Whether that list also holds the rows that stay of the staged keys, and where they stand.
    placed: bool,
}

impl MergeSql {
    /// Takes the names. `primary_key` is the target's; a table without one keeps the row that stands
    /// first.
    pub fn new(
        target: &TableName,
        staging: &TableName,
        columns: impl IntoIterator<Item = impl AsRef<str>>,
        key: impl IntoIterator<Item = impl AsRef<str>>,
        primary_key: &[String],
    ) -> Self {
        Self {
            target: target.quoted(),
            staging: staging.quoted(),
            columns: columns.into_iter().map(|name| quote(name.as_ref())).collect(),
            key: key.into_iter().map(|name| quote(name.as_ref())).collect(),
            row_order: row_order(primary_key),
            keep: String::new(),
            gone: None,
            placed: false,
        }
    }

    /// Takes the rows that are to go from a list of their places, with the columns of [`GONE_COLUMNS`].
    #[must_use]
    pub fn listed(mut self, gone: &TableName) -> Self {
        self.gone = Some(gone.quoted());
        self
    }

    /// Takes the rows that are updated, and which keys are missing, from that list, too: [`Self::list_places`] has
    /// filled it in this transaction, which keeps writers away, and no trigger moves rows when others are deleted.
    #[must_use]
    pub fn placed(mut self) -> Self {
        self.placed = self.gone.is_some();
        self
    }

    /// Keeps the rows whose key is the id of a row in quarantine; with `positions` the key is an id and the position
    /// of an element, and a row in quarantine without a position stands for all elements of its id. `$1` of the
    /// deletes and counts is then the target's name in the quarantine.
    #[must_use]
    pub fn keep_quarantined(mut self, rejects: &TableName, positions: bool) -> Self {
        let position = match self.key.get(1) {
            Some(column) if positions => format!(" AND (r.position IS NULL OR r.position = t.{column})"),
            _ => String::new(),
        };
        self.keep = format!(
            " AND NOT EXISTS (SELECT FROM {} r WHERE r.whole_row AND r.target_table = $1 AND r.source_id = t.{}{position})",
            rejects.quoted(),
            self.key[0]
        );
        self
    }

    /// Lists the rows of the target whose key, or the first column of it, is one of `$1`, and marks those that stay
    /// because they are staged. Returns one row: how many do not stay.
    pub fn list_places(&self, gone: &TableName) -> String {
        let staged = format!("EXISTS (SELECT FROM {} s WHERE {})", self.staging, self.matched());
        format!(
            "WITH listed AS ({} RETURNING {STAYS}) SELECT count(*) FROM listed WHERE NOT {STAYS}",
            self.list(gone, &staged, "", &format!("t.{} = ANY ($1::bigint[])", self.key[0])),
            STAYS = STAYS_COLUMN.0,
        )
    }

    /// Lists the rows of the target whose key is one of the pairs that `$1` and `$2` make.
    ///
    /// Each end is looked for by itself, too: for the pairs alone the planner, which knows nothing of them, puts
    /// the whole target into a hash table (370,954 links, 1,428 of them listed: 0.20 s).
    pub fn list_pairs(&self, gone: &TableName) -> String {
        let ends = self
            .key
            .iter()
            .zip([("a", "$1"), ("b", "$2")])
            .map(|(key, (end, all))| format!("t.{key} = p.{end} AND t.{key} = ANY ({all}::bigint[])"));
        self.list(gone, "false", ", unnest($1::bigint[], $2::bigint[]) p (a, b)", &join(ends, " AND "))
    }

    /// Lists the rows of the target whose key is in `$1` and not staged, and those beside another row of a key
    /// that is.
    pub fn list_touched(&self, gone: &TableName) -> String {
        format!(
            "INSERT INTO {gone} ({columns})
             SELECT n.key, n.place, n.staged FROM (
               SELECT t.{key}::bigint AS key, t.ctid AS place,
                 EXISTS (SELECT FROM {staging} s WHERE {matched}) AS staged,
                 row_number() OVER (PARTITION BY {all} ORDER BY {order}) AS copy
               FROM {target} t WHERE t.{key} = ANY ($1::bigint[])) n
             WHERE (NOT n.staged OR n.copy > 1)
               AND NOT EXISTS (SELECT FROM {gone} g WHERE g.place = n.place)",
            gone = gone.quoted(),
            columns = join(GONE_COLUMNS.iter().map(|(name, _)| quote(name)), ", "),
            key = self.key[0],
            all = join(self.key.iter().map(|key| format!("t.{key}")), ", "),
            staging = self.staging,
            matched = self.matched(),
            order = self.row_order,
            target = self.target,
        )
    }

    fn list(&self, gone: &TableName, stays: &str, with: &str, condition: &str) -> String {
        format!(
            "INSERT INTO {} ({}) SELECT t.{}, t.ctid, false, {stays} FROM {} t{with} WHERE {condition}",
            gone.quoted(),
            join(GONE_COLUMNS.iter().chain([&STAYS_COLUMN]).map(|(name, _)| quote(name)), ", "),
            self.key[0],
            self.target
        )
    }

    /// Tells the planner how many rows are staged, and what their keys are like.
    pub fn analyze_staging(&self) -> String {
        format!("ANALYZE {} ({})", self.staging, self.key.join(", "))
    }

    /// The rows of staging.
    pub fn count_staged(&self) -> String {
        format!("SELECT count(*) FROM {}", self.staging)
    }

    /// The rows of the list of those that are to go.
    pub fn count_listed(&self) -> String {
        match &self.gone {
            Some(gone) => format!("SELECT count(*) FROM {gone} WHERE NOT {}", STAYS_COLUMN.0),
            None => "SELECT 0::bigint".to_owned(),
        }
    }

    /// The rows of the target.
    pub fn count_target(&self) -> String {
        format!("SELECT count(*) FROM {}", self.target)
    }

    /// Up to five keys that V1 holds more than once, as text.
    pub fn repeated_keys(&self) -> String {
        format!(
            "SELECT concat_ws(', ', {}) FROM {} s GROUP BY {} HAVING count(*) > 1 ORDER BY 1 LIMIT 5",
            join(self.key.iter().map(|key| format!("s.{key}::text")), ", "),
            self.staging,
            join(self.key.iter().map(|key| format!("s.{key}")), ", "),
        )
    }

    /// The rows whose key V1 no longer has.
    pub fn count_stale(&self) -> String {
        format!("SELECT count(*) FROM {} t{}", self.target, self.stale("JOIN", "ON"))
    }

    /// Whether what is to go is on a list.
    pub fn is_listed(&self) -> bool {
        self.gone.is_some()
    }

    /// Deletes the rows whose key V1 no longer has.
    pub fn delete_stale(&self) -> String {
        format!("DELETE FROM {} t{}", self.target, self.stale("USING", "WHERE"))
    }

    fn stale(&self, join: &str, on: &str) -> String {
        match &self.gone {
            Some(gone) => {
                let goes = format!("NOT g.surplus AND NOT g.{}", STAYS_COLUMN.0);
                format!(" {join} {gone} g {on} t.ctid = g.place AND {goes}{}", self.keep)
            }
            None => format!(" WHERE {}{}", self.not_staged(), self.keep),
        }
    }

    /// The rows beyond the first of a key that V1 has.
    pub fn count_surplus(&self) -> String {
        match &self.gone {
            Some(gone) => format!("SELECT count(*) FROM {gone} g WHERE g.surplus"),
            None => format!("SELECT count(*) FROM ({}) extra WHERE extra.copy > 1", self.numbered()),
        }
    }

    /// Deletes the rows beyond the first of a key that V1 has.
    pub fn delete_surplus(&self) -> String {
        match &self.gone {
            Some(gone) => {
                format!("DELETE FROM {} t USING {gone} g WHERE t.ctid = g.place AND g.surplus", self.target)
            }
            None => format!(
                "DELETE FROM {} d USING ({}) extra
                 WHERE d.ctid = extra.ctid AND d.tableoid = extra.tableoid AND extra.copy > 1",
                self.target,
                self.numbered()
            ),
        }
    }

    /// Updates the rows of which a cell differs. Returns one row: how many keys were updated.
    pub fn update(&self) -> Option<String> {
        let written = self.written();
        if written.is_empty() {
            return None;
        }
        let (places, placed) = match self.places() {
            Some((gone, is_staged)) => {
                (format!(", {gone} g"), format!(" AND {is_staged} AND t.ctid = g.place"))
            }
            None => (String::new(), String::new()),
        };
        Some(format!(
            "WITH updated AS (
               UPDATE {target} t SET {set} FROM {staging} s{places}
               WHERE {matched}{placed} AND {differs} RETURNING {key})
             SELECT count(*) FROM (SELECT DISTINCT * FROM updated) keys",
            target = self.target,
            staging = self.staging,
            set = join(written.iter().map(|column| format!("{column} = s.{column}")), ", "),
            matched = self.matched(),
            differs = differs(&written),
            key = self.key_of("t"),
        ))
    }

    /// The columns that an update writes.
    fn written(&self) -> Vec<&String> {
        self.columns.iter().filter(|column| !self.key.contains(column)).collect()
    }

    /// The key of a row, in its columns.
    fn key_of(&self, row: &str) -> String {
        join(self.key.iter().map(|key| format!("{row}.{key}")), ", ")
    }

    /// Inserts the staged rows whose key the target lacks.
    pub fn insert_missing(&self) -> String {
        let there = match self.places() {
            Some((gone, is_staged)) => format!("{gone} g WHERE {is_staged}"),
            None => format!("{} t WHERE {}", self.target, self.matched()),
        };
        format!("{} s WHERE NOT EXISTS (SELECT FROM {there})", self.insert_all())
    }

    /// The list of places, and the condition that its row `g` is that of a key that the row `s` has.
    fn places(&self) -> Option<(&str, String)> {
        let gone = self.gone.as_deref().filter(|_| self.placed)?;
        Some((gone, format!("g.{} AND g.{} = s.{}", STAYS_COLUMN.0, GONE_COLUMNS[0].0, self.key[0])))
    }

    /// Inserts all staged rows.
    pub fn insert_all(&self) -> String {
        let columns = self.columns.join(", ");
        format!("INSERT INTO {} ({columns}) SELECT {columns} FROM {}", self.target, self.staging)
    }

    /// Empties the target.
    pub fn truncate(&self) -> String {
        format!("TRUNCATE {}", self.target)
    }

    /// Empties the target but for quarantined rows.
    pub fn delete_all(&self) -> String {
        format!("DELETE FROM {} t WHERE true{}", self.target, self.keep)
    }

    /// The rows of a key that V1 has, numbered from 1 within the key.
    fn numbered(&self) -> String {
        format!(
            "SELECT t.tableoid, t.ctid, row_number() OVER (PARTITION BY {key} ORDER BY {order}) AS copy
             FROM {target} t WHERE EXISTS (SELECT FROM {staging} s WHERE {matched}){keep}",
            key = join(self.key.iter().map(|key| format!("t.{key}")), ", "),
            order = self.row_order,
            target = self.target,
            staging = self.staging,
            matched = self.matched(),
            keep = self.keep,
        )
    }

    fn not_staged(&self) -> String {
        format!("NOT EXISTS (SELECT FROM {} s WHERE {})", self.staging, self.matched())
    }

    fn matched(&self) -> String {
        join(self.key.iter().map(|key| format!("t.{key} = s.{key}")), " AND ")
    }
}

/// Whether one of these columns differs between the target and staging.
fn differs(columns: &[&String]) -> String {
    let of = |row| join(columns.iter().map(|column| format!("{row}.{column}")), ", ");
    format!("ROW({})::record *<> ROW({})::record", of("t"), of("s"))
}

/// `COPY (SELECT id, document …) TO STDOUT` of a partition.
pub fn copy_documents(
    table: &TableName,
    id: &str,
    document: &str,
    partition: &Partition,
    path: ReadPath,
    places: bool,
) -> String {
    let places = if places { ", xmin, ctid" } else { "" };
    let cast = match path {
        ReadPath::Text => "",
        ReadPath::Raw => "::bytea",
    };
    let order = match partition {
        // By the column itself, so that its index gives the order.
        Partition::Range(_) => format!(" ORDER BY {}", quote(id)),
        Partition::Whole | Partition::Blocks { .. } | Partition::Ids(_) => String::new(),
    };
    format!(
        "COPY (SELECT {}::bigint, {}{cast}{places} FROM {}{}{order}) TO STDOUT (FORMAT binary)",
        quote(id),
        quote(document),
        table.quoted(),
        condition(id, partition)
    )
}

/// `COPY (SELECT id, document as text, document as it is kept …) TO STDOUT` of the rows that stand first in
/// some blocks, up to `per_block` of each; without blocks of the first `limit` rows that the server finds.
pub fn copy_sample(table: &TableName, id: &str, document: &str, rows: &Sample) -> String {
    let condition = match rows {
        // A place without a row is none; the planner fetches the others one by one.
        Sample::Places(blocks, per_block) => {
            let places = blocks.iter().flat_map(|block| (1..=*per_block).map(move |at| (block, at)));
            let places = join(places.map(|(block, at)| format!("\"({block},{at})\"")), ",");
            format!(" WHERE ctid = ANY ('{{{places}}}'::tid[])")
        }
        Sample::First(limit) => format!(" LIMIT {limit}"),
    };
    format!(
        "COPY (SELECT {}::bigint, {document}, {document}::bytea FROM {}{condition}) TO STDOUT (FORMAT binary)",
        quote(id),
        table.quoted(),
        document = quote(document),
    )
}

/// Which rows stand for the others.
pub enum Sample {
    /// The first so many places of these blocks of an ordinary table.
    Places(Vec<u64>, u16),
    /// So many rows that come first.
    First(u64),
}

/// Some ids of a table: those in a sample of its blocks, so many percent of them.
pub fn sample_ids(table: &TableName, id: &str, percent: f64) -> String {
    format!(
        "SELECT {0}::bigint FROM {1} TABLESAMPLE SYSTEM ({percent}) WHERE {0} IS NOT NULL",
        quote(id),
        table.quoted()
    )
}

/// How many rows a partition has.
pub fn count_partition(table: &TableName, id: &str, partition: &Partition) -> String {
    format!("SELECT count(*) FROM {}{}", table.quoted(), condition(id, partition))
}

fn condition(id: &str, partition: &Partition) -> String {
    match partition {
        Partition::Whole => String::new(),
        Partition::Range(range) => in_range(&quote(id), *range, false),
        Partition::Blocks { from, to: None } => format!(" WHERE ctid >= '({from},0)'::tid"),
        Partition::Blocks { from, to: Some(to) } => {
            format!(" WHERE ctid >= '({from},0)'::tid AND ctid < '({to},0)'::tid")
        }
        // COPY takes no parameters; these are numbers.
        Partition::Ids(ids) => {
            let ids = join(ids.iter().map(i64::to_string), ",");
            format!(" WHERE {} = ANY ('{{{ids}}}'::bigint[])", quote(id))
        }
    }
}

/// A WHERE clause on an integer column; the range without an end holds NULL too where `or_null`.
fn in_range(column: &str, range: IdRange, or_null: bool) -> String {
    match (range.from, range.to) {
        (None, None) => String::new(),
        (Some(from), None) if or_null => format!(" WHERE ({column} >= {from} OR {column} IS NULL)"),
        (Some(from), None) => format!(" WHERE {column} >= {from}"),
        (None, Some(to)) => format!(" WHERE {column} < {to}"),
        (Some(from), Some(to)) => format!(" WHERE {column} >= {from} AND {column} < {to}"),
    }
}

/// The columns of a list of rows of a target: the first column of the key, the place, and whether the row
/// stands beside another of its key.
pub const GONE_COLUMNS: [(&str, &str); 3] = [("key", "bigint"), ("place", "tid"), ("surplus", "boolean")];

/// Stands beside them, and says that the row does not go, but was found where something was looked for.
pub const STAYS_COLUMN: (&str, &str) = ("stays", "boolean NOT NULL DEFAULT false");

/// The columns of the notes on pieces that are staged: the number, what it brought, and its edges.
pub const PIECE_COLUMNS: [(&str, &str); 3] = [("piece", "integer"), ("note", "text"), ("edges", "bytea[]")];

/// The statements about a target that is compared with V1, row by row, in the order of its key.
#[derive(Clone, Debug)]
pub struct TargetSql {
    /// The target, quoted.
    target: String,
    /// The columns that are written, quoted.
    columns: Vec<String>,
    /// The merge key, quoted.
    key: Vec<String>,
    /// What decides which row of a key stays: the first of these, ascending.
    row_order: String,
}

impl TargetSql {
    /// Takes the names.
    pub fn new(
        target: &TableName,
        columns: impl IntoIterator<Item = impl AsRef<str>>,
        key: impl IntoIterator<Item = impl AsRef<str>>,
        primary_key: &[String],
    ) -> Self {
        Self {
            target: target.quoted(),
            columns: columns.into_iter().map(|name| quote(name.as_ref())).collect(),
            key: key.into_iter().map(|name| quote(name.as_ref())).collect(),
            row_order: row_order(primary_key),
        }
    }

    /// `COPY` of the written columns and the place of the rows of a range, in the order of the key, the row
    /// that stays in front.
    pub fn copy(&self, range: IdRange) -> String {
        format!(
            "COPY (SELECT {}, ctid FROM {}{} ORDER BY {}, {}) TO STDOUT (FORMAT binary)",
            self.columns.join(", "),
            self.target,
            in_range(&self.key[0], range, true),
            self.key.join(", "),
            self.row_order
        )
    }

    /// One row: the rows of the target, those among them that a snapshot does not see, and the table's file.
    /// `$1` is the snapshot as text.
    ///
    /// Only a row that is about as young as the snapshot is asked for its visibility: `age` costs next to
    /// nothing, and most rows are old.
    pub fn changed_since(&self) -> String {
        format!(
            "SELECT count(*), count(*) FILTER (WHERE {}), pg_relation_filenode({}::regclass)
             FROM {} t {UNSEEN_FROM}",
            UNSEEN,
            literal(&self.target),
            self.target
        )
    }

    /// The same for each range of the first key column: its number, from 0, and the two counts. `$2` holds
    /// the bounds between the ranges.
    pub fn changed_ranges(&self) -> String {
        format!(
            "SELECT coalesce(width_bucket(t.{key}::bigint, $2::bigint[]), cardinality($2::bigint[])),
                    count(*), count(*) FILTER (WHERE {UNSEEN})
             FROM {target} t {UNSEEN_FROM} GROUP BY 1",
            key = self.key[0],
            target = self.target
        )
    }
}

/// Whether a row `t` is not seen by the snapshot `s`. A row's xmin has 32 bits; being at least the oldest
/// that the snapshot may not see, it is so many above that one. The age of a row that was frozen long ago
/// may have become negative.
const UNSEEN: &str = "CASE WHEN age(t.xmin) BETWEEN 0 AND s.oldest_age THEN NOT pg_visible_in_snapshot(
    (s.oldest + ((t.xmin::text::bigint - s.oldest) & 4294967295))::text::xid8, s.seen) ELSE false END";
const UNSEEN_FROM: &str = "CROSS JOIN (
    SELECT seen, oldest, age((oldest & 4294967295)::text::xid) AS oldest_age
    FROM (SELECT $1::text::pg_snapshot AS seen, pg_snapshot_xmin($1::text::pg_snapshot)::text::bigint AS oldest) one
    OFFSET 0) s";

/// Deletes the rows of a range from a staging table or a list of rows by the column that holds the key.
pub fn delete_range(table: &TableName, key: &str, range: IdRange) -> String {
    format!("DELETE FROM {}{}", table.quoted(), in_range(&quote(key), range, true))
}

/// What decides which row of a key stays: the first of these, ascending.
fn row_order(primary_key: &[String]) -> String {
    if primary_key.is_empty() {
        "tableoid, ctid".to_owned()
    } else {
        join(primary_key.iter().map(|name| quote(name)), ", ")
    }
}

/// `COPY … FROM STDIN` into these columns.
pub fn copy_into(table: &TableName, columns: impl IntoIterator<Item = impl AsRef<str>>) -> String {
    let columns = join(columns.into_iter().map(|name| quote(name.as_ref())), ", ");
    format!("COPY {} ({columns}) FROM STDIN (FORMAT binary)", table.quoted())
}

/// An unlogged table with the columns of another: a crash of the server empties it, which the count
/// before a publish finds; it needs no vacuum, being read once and dropped.
pub fn create_staging(
    staging: &TableName,
    like: &TableName,
    columns: impl IntoIterator<Item = impl AsRef<str>>,
) -> String {
    let columns = join(columns.into_iter().map(|name| quote(name.as_ref())), ", ");
    format!(
        "CREATE UNLOGGED TABLE {} WITH (autovacuum_enabled = off) AS SELECT {columns} FROM {} WITH NO DATA",
        staging.quoted(),
        like.quoted()
    )
}

fn join(parts: impl IntoIterator<Item = String>, separator: &str) -> String {
    parts.into_iter().collect::<Vec<_>>().join(separator)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn odd_names_are_quoted_wherever_they_stand() {
        let odd = "\"; DROP TABLE x; --";
        let sql =
            MergeSql::new(&TableName::new("s", odd), &TableName::new("xdoflow", odd), [odd, "b"], [odd], &[]);
        let quoted = "\"\"\"; DROP TABLE x; --\"";
        assert_eq!(
            sql.insert_missing(),
            format!(
                "INSERT INTO \"s\".{quoted} ({quoted}, \"b\") SELECT {quoted}, \"b\" FROM \"xdoflow\".{quoted} s \
                 WHERE NOT EXISTS (SELECT FROM \"s\".{quoted} t WHERE t.{quoted} = s.{quoted})"
            )
        );
        assert_eq!(
            copy_documents(
                &TableName::new("s", odd),
                "id",
                odd,
                &Partition::Blocks { from: 3, to: Some(9) },
                ReadPath::Text,
                false
            ),
            format!(
                "COPY (SELECT \"id\"::bigint, {quoted} FROM \"s\".{quoted} \
                 WHERE ctid >= '(3,0)'::tid AND ctid < '(9,0)'::tid) TO STDOUT (FORMAT binary)"
            )
        );
    }

    #[test]
    fn documents_are_cast_where_they_are_read_as_they_are_kept_and_a_sample_holds_both() {
        let table = TableName::new("s", "t");
        assert_eq!(
            copy_documents(&table, "id", "xdo", &Partition::Whole, ReadPath::Raw, true),
            "COPY (SELECT \"id\"::bigint, \"xdo\"::bytea, xmin, ctid FROM \"s\".\"t\") TO STDOUT (FORMAT binary)"
        );
        assert_eq!(
            copy_sample(&table, "id", "xdo", &Sample::Places(vec![0, 7], 2)),
            "COPY (SELECT \"id\"::bigint, \"xdo\", \"xdo\"::bytea FROM \"s\".\"t\" WHERE ctid = ANY \
             ('{\"(0,1)\",\"(0,2)\",\"(7,1)\",\"(7,2)\"}'::tid[])) TO STDOUT (FORMAT binary)"
        );
        assert!(
            copy_sample(&table, "id", "xdo", &Sample::First(9)).contains(" FROM \"s\".\"t\" LIMIT 9) TO")
        );
    }

    #[test]
    fn a_target_of_its_key_alone_has_nothing_to_update() {
        let table = TableName::new("a", "b");
        assert_eq!(MergeSql::new(&table, &table, ["id"], ["id"], &[]).update(), None);
    }
}
