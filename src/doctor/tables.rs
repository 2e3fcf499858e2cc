//! The tables of both sides: what the role may do with them, and what makes writing to a target slow or surprising.

use super::{Level, Notes};
use crate::error::Result;
use crate::pg::{Row, Session, TableInfo};
use crate::spec::model::{PipelineSpec, TargetSpec};

/// Statistics are stale when more than one row in so many has changed since.
const STALE_SHARE: i64 = 5;
/// In a table of a few rows any plan will do.
const STALE_LEAST: i64 = 1_000;
/// Dead rows are worth a word from so many on, and from one in so many live ones.
const DEAD_LEAST: i64 = 10_000;
const DEAD_SHARE: i64 = 2;

/// Looks at the source of a pipeline; returns the bytes that it takes.
pub(super) async fn source(session: &Session, spec: &PipelineSpec, notes: &mut Notes<'_>) -> Result<u64> {
    // What is missing is told by `check`, with the pipeline that misses it.
    let Some(info) = TableInfo::read(session, &spec.source.table).await? else { return Ok(0) };
    let columns = [&spec.source.id, &spec.source.document];
    if columns.iter().any(|column| info.column(column).is_none()) {
        return Ok(info.bytes);
    }
    let sql = "SELECT has_column_privilege($1::oid, $2::text, 'SELECT')
                 AND has_column_privilege($1::oid, $3::text, 'SELECT')";
    if session.query_one(sql, &[&info.oid, columns[0], columns[1]]).await?.get(0) {
        notes.ok("rights", "may be read");
    } else {
        notes.note(
            Level::Problem,
            "rights",
            "the role may not read it",
            format!("let its owner say GRANT SELECT ON {} TO <role>", info.name.quoted()),
        );
    }
    Ok(info.bytes)
}

/// Looks at a target; returns the bytes that it takes with its indexes.
pub(super) async fn target(
    session: &Session,
    spec: &PipelineSpec,
    target: &TargetSpec,
    notes: &mut Notes<'_>,
) -> Result<u64> {
    let Some(info) = TableInfo::read(session, &target.table).await? else { return Ok(0) };
    let fed: Vec<&str> = target.columns.iter().map(|column| column.name.as_str()).collect();
    let row = session.query_one(TARGET, &[&info.oid, &fed]).await?;
    rights(&row, &info.name.quoted(), notes);
    let key: Vec<String> = target.key.iter().map(|&index| target.columns[index].name.clone()).collect();
    // A key without an index is a finding of `check`.
    if info.is_unique(&key) {
        notes.ok("key", "the merge key is unique");
    } else if info.is_indexed(&key) {
        notes.ok("key", "the merge key has an index, which lets duplicates in");
    }
    if !info.is_plain {
        notes.note(
            Level::Warning,
            "kind",
            "no plain table: it has rules, row security or children, or is no table",
            "a run works, but every row of it is staged and compared by the server",
        );
    }
    triggers(&row, notes);
    foreign_keys(&row, notes);
    indexes(&row, notes);
    replication(&row, notes);
    fillfactor(&row, notes);
    statistics(&row, notes);
    if spec.derived.iter().any(|derived| derived.target.table == target.table) {
        notes.ok("derived", "filled from all documents together");
    }
    Ok(u64::try_from(row.get::<_, i64>("bytes")).unwrap_or(0))
}

fn rights(row: &Row, table: &str, notes: &mut Notes<'_>) {
    let lacks: Vec<&str> = ["SELECT", "INSERT", "UPDATE", "DELETE"]
        .into_iter()
        .filter(|right| !row.get::<_, bool>(right.to_lowercase().as_str()))
        .collect();
    if lacks.is_empty() {
        let truncate = if row.get("truncate") { "" } else { "; --mode replace needs TRUNCATE, too" };
        notes.ok("rights", format!("may be read and written{truncate}"));
    } else {
        notes.note(
            Level::Problem,
            "rights",
            format!("the role lacks {}", lacks.join(", ")),
            format!("let its owner say GRANT {} ON {table} TO <role>", lacks.join(", ")),
        );
    }
    for sequence in row.get::<_, Vec<String>>("sequences") {
        notes.note(
            Level::Problem,
            "rights",
            format!("the role may not use the sequence {sequence}, which fills a column"),
            format!("let its owner say GRANT USAGE ON SEQUENCE {sequence} TO <role>"),
        );
    }
}

fn triggers(row: &Row, notes: &mut Notes<'_>) {
    let triggers: Vec<String> = row.get("triggers");
    if triggers.is_empty() {
        return notes.ok("triggers", "no trigger");
    }
    notes.note(
        Level::Warning,
        "triggers",
        format!("fires {} on what a run writes", triggers.join(", ")),
        "they run in the publishing transaction, once for each row or statement; if that is not meant, let the \
         table's owner say ALTER TABLE … DISABLE TRIGGER … before a first load",
    );
}

fn foreign_keys(row: &Row, notes: &mut Notes<'_>) {
    let (own, others): (Vec<String>, Vec<String>) = (row.get("foreign_keys"), row.get("referenced_by"));
    if own.is_empty() && others.is_empty() {
        return notes.ok("foreign_keys", "no foreign key");
    }
    if !own.is_empty() {
        notes.note(
            Level::Warning,
            "foreign_keys",
            format!("refers to other tables: {}", own.join(", ")),
            "publish the entities that it refers to before, or make the constraint DEFERRABLE; a row that refers to \
             none stops the run",
        );
    }
    if !others.is_empty() {
        notes.note(
            Level::Warning,
            "foreign_keys",
            format!("is referred to by {}", others.join(", ")),
            "--prune stops at a row that is still referred to, and --mode replace cannot empty the table",
        );
    }
}

fn indexes(row: &Row, notes: &mut Notes<'_>) {
    let invalid: Vec<String> = row.get("invalid");
    if invalid.is_empty() {
        let count: i64 = row.get("indexes");
        notes.ok("indexes", if count == 1 { "1 index".to_owned() } else { format!("{count} indexes") });
        return;
    }
    notes.note(
        Level::Warning,
        "indexes",
        format!("has invalid indexes: {}", invalid.join(", ")),
        "they are written and never read: REINDEX INDEX CONCURRENTLY …, or drop them",
    );
}

/// A table that is published needs a replica identity, or the server refuses to update and delete.
fn replication(row: &Row, notes: &mut Notes<'_>) {
    if !row.get::<_, bool>("published") {
        return;
    }
    if row.get("has_identity") {
        return notes.ok("replication", "is in a publication, and has a replica identity");
    }
    notes.note(
        Level::Problem,
        "replication",
        "is in a publication, and has no replica identity: the server refuses updates and deletes",
        "let its owner say ALTER TABLE … REPLICA IDENTITY FULL, or give it a primary key",
    );
}

fn fillfactor(row: &Row, notes: &mut Notes<'_>) {
    let fillfactor: i32 = row.get("fillfactor");
    let text = match fillfactor {
        100 => "fillfactor 100: an updated row moves to another page, and every index is written".to_owned(),
        _ => format!("fillfactor {fillfactor}: updated rows have room on their page"),
    };
    notes.ok("fillfactor", text);
}

fn statistics(row: &Row, notes: &mut Notes<'_>) {
    let number = |column: &str| row.get::<_, i64>(column);
    let (live, dead, changed) = (number("live"), number("dead"), number("changed"));
    let analyzed: Option<String> = row.get("analyzed");
    let analyze = "let its owner say ANALYZE <table>";
    if number("main_bytes") == 0 {
        notes.ok("statistics", "empty");
    } else if row.get::<_, bool>("never") {
        notes.note(Level::Warning, "statistics", "was never analyzed: the server plans blindly", analyze);
    } else if changed >= STALE_LEAST && changed * STALE_SHARE > live {
        let text = format!("{changed} changes since it was analyzed, of {live} rows");
        notes.note(Level::Warning, "statistics", text, analyze);
    } else {
        let when = analyzed.map_or("analyzed".to_owned(), |when| format!("analyzed {when}"));
        notes.ok("statistics", when);
    }
    if dead >= DEAD_LEAST && dead * DEAD_SHARE > live {
        notes.note(
            Level::Warning,
            "dead_rows",
            format!("{dead} dead rows beside {live} live ones: it is read and written more slowly"),
            "let its owner say VACUUM <table>; look for transactions and replication slots that hold it back",
        );
    }
}

/// $2 are the columns that the pipeline fills: a sequence behind one of those is not asked. The right is asked behind
/// CASE: the server may ask it before it joins, of what is no sequence, and that is an error.
const TARGET: &str = "
    SELECT has_table_privilege(c.oid, 'SELECT') AS select, has_table_privilege(c.oid, 'INSERT') AS insert,
           has_table_privilege(c.oid, 'UPDATE') AS update, has_table_privilege(c.oid, 'DELETE') AS delete,
           has_table_privilege(c.oid, 'TRUNCATE') AS truncate,
           ARRAY(SELECT d.objid::regclass::text FROM pg_depend d
                 JOIN pg_class q ON q.oid = d.objid AND q.relkind = 'S'
                 JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum = d.refobjsubid
                 WHERE d.classid = 'pg_class'::regclass AND d.refobjid = c.oid AND d.deptype = 'a'
                   AND a.attname::text <> ALL ($2::text[]) 
                   AND CASE q.relkind WHEN 'S' THEN NOT has_sequence_privilege(d.objid, 'USAGE') ELSE false END
                 ORDER BY 1) AS sequences,
           ARRAY(SELECT tgname::text FROM pg_trigger
                 WHERE tgrelid = c.oid AND NOT tgisinternal AND tgenabled IN ('O', 'A') ORDER BY 1) AS triggers,
           ARRAY(SELECT conname || ' (' || confrelid::regclass || ')' FROM pg_constraint
                 WHERE conrelid = c.oid AND contype = 'f' ORDER BY 1) AS foreign_keys,
           ARRAY(SELECT conrelid::regclass || ' (' || conname || ')' FROM pg_constraint
                 WHERE confrelid = c.oid AND conrelid <> c.oid AND contype = 'f' ORDER BY 1) AS referenced_by,
           (SELECT count(*) FROM pg_index WHERE indrelid = c.oid) AS indexes,
           ARRAY(SELECT indexrelid::regclass::text FROM pg_index
                 WHERE indrelid = c.oid AND NOT indisvalid ORDER BY 1) AS invalid,
           EXISTS (SELECT FROM pg_publication_tables p JOIN pg_publication USING (pubname)
                   WHERE (p.schemaname, p.tablename) = (n.nspname, c.relname) AND (pubupdate OR pubdelete)) AS published,
           c.relreplident IN ('f', 'i') OR c.relreplident = 'd'
             AND EXISTS (SELECT FROM pg_index WHERE indrelid = c.oid AND indisprimary) AS has_identity,
           coalesce((SELECT option_value::int FROM pg_options_to_table(c.reloptions)
                     WHERE option_name = 'fillfactor'), 100) AS fillfactor,
           c.reltuples < 0 AS never, coalesce(pg_relation_size(c.oid), 0) AS main_bytes,
           coalesce(pg_total_relation_size(c.oid), 0) AS bytes,
           coalesce(s.n_live_tup, 0) AS live, coalesce(s.n_dead_tup, 0) AS dead,
           coalesce(s.n_mod_since_analyze, 0) AS changed,
           to_char(greatest(s.last_analyze, s.last_autoanalyze), 'YYYY-MM-DD HH24:MI') AS analyzed
    FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace LEFT JOIN pg_stat_all_tables s ON s.relid = c.oid
    WHERE c.oid = $1";
