//! What a verify found.

use serde::Serialize;

/// The result of a verify.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct VerifyReport {
    /// Whether no difference was found.
    pub equal: bool,
    /// One for each target, in the order of the pipelines.
    pub entities: Vec<TableReport>,
}

/// The result of one target.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct TableReport {
    /// The entity that feeds it.
    pub entity: String,
    /// The table's name as the pipeline file writes it.
    pub table: String,
    /// Rows that V1 says it should hold, each of which was looked for.
    pub rows_checked: u64,
    /// All differences.
    pub difference_count: u64,
    /// The first of them in the order of the keys.
    pub differences: Vec<Difference>,
}

/// One difference. Values are texts as the server prints them; NULL is `None`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Difference {
    /// What is wrong.
    pub kind: Kind,
    /// The merge key of the row; the values of a composite one with `, ` between them.
    pub key: String,
    /// The column, where it is about one: a cell or an orphan.
    pub column: Option<String>,
    /// What V1 says: the cell's value, the rows of the key (1), the entity that an orphan refers to.
    pub expected: Option<String>,
    /// What V2 holds: the cell's value, the rows of the key, the value of an orphan.
    pub found: Option<String>,
}

/// What is wrong; in this order about one row.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Kind {
    /// A row that should be there is not.
    Missing,
    /// A row is there that V1 no longer has.
    Stale,
    /// A key stands more than once.
    Duplicate,
    /// A cell holds something else.
    Cell,
    /// A cell refers to a row that is not there.
    Orphan,
}

impl Kind {
    /// The word for people and for JSON.
    pub fn name(self) -> &'static str {
        match self {
            Self::Missing => "missing",
            Self::Stale => "stale",
            Self::Duplicate => "duplicate",
            Self::Cell => "cell",
            Self::Orphan => "orphan",
        }
    }
}
