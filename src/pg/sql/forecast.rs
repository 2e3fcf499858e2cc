//! The statements of a plan: each counts, or shows some of, the rows that one of the publish would write.

use super::{MergeSql, differs, join};
use crate::name::literal;

/// A text of a sample has at most so many characters.
const LONGEST: usize = 500;

/// The rows that an update would write.
pub struct Changes {
    /// One row: how many keys, then for each column that is not of the key how many rows of which it differs.
    pub count: String,
    sample: String,
}

impl Changes {
    /// Some of the rows by their keys: the key, then for the same columns together an array of whether each differs,
    /// of what the target holds, and of what is staged.
    pub fn sample(&self, rows: u8) -> String {
        format!("{} LIMIT {rows}", self.sample)
    }
}

impl MergeSql {
    /// The rows that the update would write; `None` where there is no column to write. `without_surplus` leaves out
    /// the rows that a prune deletes before, and takes the parameter of the deletes where these are not listed.
    pub fn changes(&self, without_surplus: bool) -> Option<Changes> {
        let written = self.written();
        if written.is_empty() {
            return None;
        }
        let stays = match (without_surplus, &self.gone) {
            (false, _) => String::new(),
            (true, Some(gone)) => {
                format!(" AND NOT EXISTS (SELECT FROM {gone} g WHERE g.surplus AND g.place = t.ctid)")
            }
            (true, None) => format!(
                " AND (t.tableoid, t.ctid) NOT IN (
                   SELECT extra.tableoid, extra.ctid FROM ({}) extra WHERE extra.copy > 1)",
                self.numbered()
            ),
        };
        let rows = format!(
            "FROM {} t JOIN {} s ON {} WHERE {}{stays}",
            self.target,
            self.staging,
            self.matched(),
            differs(&written)
        );
        let each = |text: &dyn Fn(&str) -> String| join(written.iter().map(|column| text(column)), ", ");
        let differs = |column: &str| format!("ROW(t.{column})::record *<> ROW(s.{column})::record");
        let count = format!(
            "SELECT count(DISTINCT ({})), {} {rows}",
            self.key_of("t"),
            each(&|column| format!("count(*) FILTER (WHERE {})", differs(column)))
        );
        let texts = |row: &str| each(&|column| format!("left({row}.{column}::text, {LONGEST})"));
        let sample = format!(
            "SELECT {}, ARRAY[{}], ARRAY[{}]::text[], ARRAY[{}]::text[] {rows} ORDER BY {}",
            self.key_text("t"),
            each(&differs),
            texts("t"),
            texts("s"),
            self.key_of("t")
        );
        Some(Changes { count, sample })
    }

    /// The staged rows whose key the target lacks.
    pub fn count_missing(&self) -> String {
        format!("SELECT count(*) {}", self.missing())
    }

    /// Some of their keys, as text, in their order.
    pub fn sample_missing(&self, rows: u8) -> String {
        format!("SELECT {} {} ORDER BY {} LIMIT {rows}", self.key_text("s"), self.missing(), self.key_of("s"))
    }

    /// Some of the keys that V1 no longer has, as text, in their order.
    pub fn sample_stale(&self, rows: u8) -> String {
        format!(
            "SELECT {} FROM {} t{} ORDER BY {} LIMIT {rows}",
            self.key_text("t"),
            self.target,
            self.stale("JOIN", "ON"),
            self.key_of("t")
        )
    }

    /// The rows of the target but for quarantined ones.
    pub fn count_all(&self) -> String {
        format!("SELECT count(*) FROM {} t WHERE true{}", self.target, self.keep)
    }

    fn missing(&self) -> String {
        format!(
            "FROM {} s WHERE NOT EXISTS (SELECT FROM {} t WHERE {})",
            self.staging,
            self.target,
            self.matched()
        )
    }

    /// The key of a row in one text.
    fn key_text(&self, row: &str) -> String {
        let parts = join(self.key.iter().map(|key| format!("{row}.{key}::text")), ", ");
        format!("concat_ws({}, {parts})", literal(", "))
    }
}
