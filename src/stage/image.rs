//! Is V2 still what the comparison has read?
//!
//! A comparison reads V2 under a snapshot, while others may write to it. Under the lock of the publish nobody
//! can, so there it is asked, once, which rows the snapshot did not see, and how many rows there are: a row
//! that was inserted or updated is one that the snapshot does not see, and one that was deleted is missing
//! from the count. The ranges that were touched are to be compared again; a table that was rewritten as a
//! whole has been touched in all of them, since its rows stand in other places.
//!
//! The question costs one scan of the table without looking into its rows (702,072 participants: about 0.15 s).

use crate::error::Result;
use crate::partition::IdRange;
use crate::pg::Session;
use crate::pg::sql::TargetSql;

/// A target as a comparison has read it.
#[derive(Debug)]
pub struct Image<'a> {
    /// Its statements.
    pub sql: &'a TargetSql,
    /// The snapshot, as text.
    pub visible: &'a str,
    /// The table's file before the snapshot was taken.
    pub filenode: u32,
    /// The ranges of its first key column, which hold every integer together.
    pub ranges: &'a [IdRange],
    /// The rows that were read in each.
    pub looked_at: &'a [u64],
}

impl Image<'_> {
    /// The indices of the ranges that were touched since. The caller holds a lock against writers.
    pub async fn touched(&self, session: &Session) -> Result<Vec<usize>> {
        let row = session.query_one(&self.sql.changed_since(), &[&self.visible]).await?;
        let (rows, unseen, filenode): (i64, i64, u32) = (row.get(0), row.get(1), row.get(2));
        if filenode != self.filenode {
            return Ok((0..self.ranges.len()).collect());
        }
        if unseen == 0 && rows == count(self.looked_at.iter().sum()) {
            return Ok(Vec::new());
        }
        let bounds: Vec<i64> = self.ranges.iter().filter_map(|range| range.to).collect();
        let found = session.query(&self.sql.changed_ranges(), &[&self.visible, &bounds]).await?;
        let mut now = vec![(0, 0); self.ranges.len()];
        for row in &found {
            // A range has a number below that of the ranges.
            if let Some(slot) =
                usize::try_from(row.get::<_, i32>(0)).ok().and_then(|index| now.get_mut(index))
            {
                *slot = (row.get::<_, i64>(1), row.get::<_, i64>(2));
            }
        }
        let touched = now.iter().zip(self.looked_at).enumerate();
        let touched = touched.filter(|(_, ((rows, unseen), before))| *unseen > 0 || *rows != count(**before));
        Ok(touched.map(|(index, _)| index).collect())
    }
}

/// A count as the server tells it.
fn count(rows: u64) -> i64 {
    i64::try_from(rows).unwrap_or(i64::MAX)
}
