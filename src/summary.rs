//! What a command has to tell: the results as data, in the shapes that `--json` prints.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::error::Error;
use crate::measured::Bottleneck;

/// How staging becomes the target.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Mode {
    /// Insert what is new, update what differs, leave what is equal untouched.
    Merge,
    /// The target becomes the image of V1.
    Replace,
    /// Insert only what is missing.
    Insert,
}

impl Mode {
    /// The mode of a word.
    pub fn of_name(name: &str) -> Option<Self> {
        [Self::Merge, Self::Replace, Self::Insert].into_iter().find(|mode| mode.name() == name)
    }

    /// The word of the command line and the ledger.
    pub fn name(self) -> &'static str {
        match self {
            Self::Merge => "merge",
            Self::Replace => "replace",
            Self::Insert => "insert",
        }
    }
}

/// In which form the documents of V1 are to be read.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum ReadChoice {
    /// As the server keeps them where it lends them out and a sample reads the same both ways, else as text.
    #[default]
    Auto,
    /// As text.
    Text,
    /// As the server keeps them, or not at all.
    Raw,
}

/// What a run was asked for, beside its mode; the ledger keeps it.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct RunSettings {
    /// Whether only what moved since the last run was to be read.
    pub changed: bool,
    /// In which form documents were to be read.
    pub read: ReadChoice,
    /// Lanes, and threads that transform.
    pub jobs: u64,
    /// Whether all rows were to be staged.
    pub stage_all: bool,
    /// Whether rejected values were to stay out of the quarantine.
    pub no_raw: bool,
    /// How many rejects an entity might have.
    pub max_rejects: Option<u64>,
    /// The same, for a hundred rows read.
    pub max_reject_percent: Option<f64>,
    /// How many rows of a target might be deleted, in words.
    pub max_deletes: String,
}

/// In which form the documents of V1 were read.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum ReadPath {
    /// As the text that the server prints.
    Text,
    /// As the server keeps them.
    Raw,
}

impl ReadPath {
    /// The word of the command line.
    pub fn name(self) -> &'static str {
        match self {
            Self::Text => "text",
            Self::Raw => "raw",
        }
    }
}

/// How the rows of a target come to where the publish takes them from.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Way {
    /// Into the target itself, which was empty, inside the publishing transaction.
    Direct,
    /// Compared with the target as it is read back; what differs is staged.
    Delta,
    /// All of them staged.
    #[default]
    Staged,
    /// Only those that changed since the last run were read; they are staged, and what is gone is listed.
    Changed,
}

impl Way {
    /// The word of the report and of JSON.
    pub fn name(self) -> &'static str {
        match self {
            Self::Direct => "direct",
            Self::Delta => "delta",
            Self::Staged => "staged",
            Self::Changed => "changed",
        }
    }
}

/// A finished run.
#[derive(Clone, Debug, Serialize)]
pub struct RunSummary {
    /// Its number in the ledger.
    pub run_id: i64,
    /// How it published.
    pub mode: Mode,
    /// Whether it was to delete rows that V1 no longer has, and surplus rows.
    pub prune: bool,
    /// Whether everything was done but the commit: the counts say what would have been written.
    pub dry_run: bool,
    /// The run that this one went on with.
    pub resumed: Option<i64>,
    /// Entities that the run before had published: they were left alone.
    pub skipped: Vec<String>,
    /// Wall time in milliseconds.
    pub elapsed_ms: u64,
    /// In the order of the command line.
    pub entities: Vec<EntitySummary>,
    /// Its narrow place; none where too little was measured to say.
    pub bottleneck: Option<Bottleneck>,
}

/// What of an entity an earlier run had staged. The rows of a target are those that were kept, and those read.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct ResumedSummary {
    /// The earlier run.
    pub run_id: i64,
    /// Rows of V1 that were not read again.
    pub kept: u64,
    /// Of those that were read: rows that had been read before, and had changed since, or were new.
    pub fetched: u64,
}

/// What a run did to one entity.
#[derive(Clone, Debug, Serialize)]
pub struct EntitySummary {
    /// `users`, `agents` …
    pub entity: String,
    /// Rows of V1.
    pub rows_read: u64,
    /// Rejected cells and rows, over all targets.
    pub rejects: u64,
    /// In which form its documents were read.
    pub read_path: ReadPath,
    /// Why in that form, in words.
    pub read_reason: String,
    /// From the first byte read to the commit, in milliseconds.
    pub elapsed_ms: u64,
    /// What `--changed` has made of it; none where that was not asked for.
    pub changed: Option<ChangedSummary>,
    /// What was kept of the run that `--resume` went on with; none where all of it was read.
    pub resumed: Option<ResumedSummary>,
    /// In the order of the pipeline file.
    pub targets: Vec<TargetSummary>,
    /// The dirty values that became clean ones and those that were rejected, by column.
    pub columns: Vec<ColumnSummary>,
    /// How the keys of V1 differ from those that were accepted.
    pub drift: Vec<Drift>,
    /// What `plan` has found besides; none for a run.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub forecast: Option<Forecast>,
}

/// A key of V1's documents that is not as it was when it was last accepted.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Drift {
    /// What is the matter with it.
    pub change: DriftChange,
    /// The key.
    pub key: String,
    /// The kind of values that is met now, as `jsonb_typeof` calls it; empty where the key is gone.
    pub kind: String,
    /// The kinds that it had; none where it is new.
    pub before: Vec<String>,
    /// How often it was met with this kind.
    pub count: u64,
    /// The lowest id of such a row; none where the key is gone.
    pub first_id: Option<i64>,
}

impl fmt::Display for Drift {
    /// `new key fax: string in 12 rows (first id 40)`
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { key, kind, count, .. } = self;
        let rows = if *count == 1 { "row" } else { "rows" };
        match self.change {
            DriftChange::New => write!(f, "new key {key}: {kind} in {count} {rows}")?,
            DriftChange::Kind => {
                write!(f, "{key}: {kind} in {count} {rows}, where it was {}", self.before.join(" or "))?;
            }
            DriftChange::Gone => write!(f, "{key} is gone")?,
        }
        self.first_id.map_or(Ok(()), |id| write!(f, " (first id {id})"))
    }
}

/// What is the matter with a key.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum DriftChange {
    /// Nobody has met it before.
    New,
    /// It has values of another kind.
    Kind,
    /// No document has it any more.
    Gone,
}

impl DriftChange {
    /// The word.
    pub fn name(self) -> &'static str {
        match self {
            Self::New => "new",
            Self::Kind => "kind",
            Self::Gone => "gone",
        }
    }

    /// The change of a word.
    pub fn of_name(name: &str) -> Option<Self> {
        [Self::New, Self::Kind, Self::Gone].into_iter().find(|change| change.name() == name)
    }
}

/// What would stop a run of an entity, and what would change, of which `plan` has the counts in
/// [`EntitySummary::targets`].
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Forecast {
    /// The guards that would stop it, in the order in which they are asked.
    pub stops: Vec<Stop>,
    /// Of the targets that would change, in the order of the pipeline file.
    pub targets: Vec<TargetForecast>,
}

/// Why a run would stop before it publishes.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Stop {
    /// What is the matter.
    pub message: String,
    /// Where, and how much.
    pub detail: Option<String>,
    /// What to do.
    pub hint: Option<String>,
}

impl From<&Error> for Stop {
    fn from(error: &Error) -> Self {
        Self {
            message: error.message().to_owned(),
            detail: error.detail_text().map(str::to_owned),
            hint: error.hint_text().map(str::to_owned),
        }
    }
}

/// What would change in a target.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct TargetForecast {
    /// The table.
    pub table: String,
    /// The columns of which a cell would be updated, those with the most first.
    pub columns: Vec<ColumnChange>,
    /// Some of the rows that would be updated, in the order of their keys.
    pub updated: Vec<RowChange>,
    /// The keys of some that would be inserted, as text.
    pub inserted: Vec<String>,
    /// The keys of some that would be deleted because V1 no longer has them, or that would stay without `--prune`.
    pub stale: Vec<String>,
}

/// How often a column would be updated.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct ColumnChange {
    /// The column.
    pub column: String,
    /// Rows of which this cell differs.
    pub rows: u64,
}

/// A row that would be updated.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct RowChange {
    /// Its merge key, as text.
    pub key: String,
    /// The cells that differ.
    pub cells: Vec<CellChange>,
}

/// A cell that would be updated; long texts are cut short.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct CellChange {
    /// The column.
    pub column: String,
    /// What V2 holds, as text.
    pub before: Option<String>,
    /// What V1 says.
    pub after: Option<String>,
}

/// What a run with `--changed` made of one entity.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct ChangedSummary {
    /// Whether only the rows that changed were read; else all of them were.
    pub used: bool,
    /// Why all rows were read, if they were.
    pub reason: Option<String>,
    /// Rows that were fetched: new and changed ones, and those that are tried again. 0 where all were read.
    pub fetched: u64,
    /// Rows that were there at the last run, and are gone. 0 where all were read.
    pub gone: u64,
    /// Rows whose fingerprints were compared with those of the last run; 0 where these were void.
    pub scanned: u64,
}

/// What a run did to one target. `rows = loaded + quarantined + filtered` holds for each.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct TargetSummary {
    /// The table: `mvpw5_664`.
    pub table: String,
    /// Its name for people: `user`.
    pub name: String,
    /// How the rows came.
    pub way: Way,
    /// Why they came in that way.
    pub why: String,
    /// Rows that were to be loaded: those of V1, the elements of its arrays and the documents that were set aside as a
    /// whole where a target explodes one, or those that a derived target is made of.
    pub rows: u64,
    /// Rows that were made of V1: staged, loaded, or found to be there already.
    pub loaded: u64,
    /// Of `loaded`: rows that went through the staging table.
    pub staged: u64,
    /// Rows inserted.
    pub inserted: u64,
    /// Rows updated because a cell differed.
    pub updated: u64,
    /// Rows deleted: gone from V1, or surplus.
    pub deleted: u64,
    /// Rows of V1 that stood in the target already, equal; not written.
    pub unchanged: u64,
    /// Rows set aside because they could not be transformed.
    pub quarantined: u64,
    /// Rows dropped on purpose by the pipeline's filter.
    pub filtered: u64,
    /// Of `deleted`: rows beyond the first of their key. Without `--prune`: such rows that stay.
    pub surplus: u64,
    /// Of `deleted`: rows that V1 no longer has. Without `--prune`: such rows that stay.
    pub stale: u64,
}

/// The coercions and rejects of one column.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct ColumnSummary {
    /// The target's table.
    pub table: String,
    /// The column.
    pub column: String,
    /// What happened: `blank_to_null`, `string_to_boolean` …, or a reject's reason code.
    pub rule: String,
    /// The same in words.
    pub label: String,
    /// Whether the value was rejected, not coerced.
    pub rejected: bool,
    /// How often.
    pub count: u64,
    /// Up to three ids of source rows.
    pub sample_ids: Vec<i64>,
}

/// How a count of V2 compares with V1.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Level {
    /// Within 1 % and fewer than 100 rows apart.
    Good,
    /// Within 5 % and at most 1,000 rows apart.
    Warning,
    /// Further apart.
    Critical,
}

impl Level {
    /// The level of `found` rows where `expected` are right; a surplus is no better than a lack.
    pub fn of(found: u64, expected: u64) -> Self {
        let apart = found.abs_diff(expected);
        // In whole numbers: at most 1 % apart is 100 * apart <= expected.
        let by_ratio = if apart.saturating_mul(100) <= expected {
            Self::Good
        } else if apart.saturating_mul(20) <= expected {
            Self::Warning
        } else {
            Self::Critical
        };
        let by_delta = match apart {
            0..100 => Self::Good,
            100..=1000 => Self::Warning,
            _ => Self::Critical,
        };
        by_ratio.max(by_delta)
    }

    /// The word.
    pub fn name(self) -> &'static str {
        match self {
            Self::Good => "good",
            Self::Warning => "warning",
            Self::Critical => "critical",
        }
    }
}

/// What `status` found.
#[derive(Clone, Debug, Serialize)]
pub struct StatusReport {
    /// V1 against the main table of each entity.
    pub entity_counts: Vec<EntityCount>,
    /// The tables that hold one row for each row of an entity.
    pub split_tables: Vec<SplitCount>,
}

/// The rows of an entity on both sides.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct EntityCount {
    /// The entity.
    pub entity: String,
    /// Rows of V1.
    pub v1: u64,
    /// Rows of the entity's main table in V2.
    pub v2: u64,
    /// `v2 / v1`; 1 where both are empty, null where only V1 is.
    pub ratio: Option<f64>,
    /// `v2 - v1`
    pub delta: i64,
    /// The worse of the two.
    pub level: Level,
}

/// The rows of a split table.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct SplitCount {
    /// The table's name for people: `user_credentials`.
    pub table: String,
    /// The rows that it holds.
    pub rows: u64,
    /// The rows that it should hold: those of V1, or the elements of an array of them.
    pub expected: u64,
    /// How far they are apart.
    pub level: Level,
}

impl EntityCount {
    /// Compares two counts.
    pub fn new(entity: String, v1: u64, v2: u64) -> Self {
        let ratio = match (v1, v2) {
            (0, 0) => Some(1.0),
            (0, _) => None,
            _ => Some(v2 as f64 / v1 as f64),
        };
        let delta = i64::try_from(i128::from(v2) - i128::from(v1)).unwrap_or(i64::MAX);
        Self { entity, v1, v2, ratio, delta, level: Level::of(v2, v1) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_worse_of_ratio_and_delta_decides_and_a_surplus_is_no_better_than_a_lack() {
        for (found, expected, level) in [
            (335, 335, Level::Good),
            (332, 335, Level::Good),
            (331, 335, Level::Warning),
            (339, 335, Level::Warning),
            (318, 335, Level::Critical),
            (701_551, 702_072, Level::Warning),
            (701_973, 702_072, Level::Good),
            (701_972, 702_072, Level::Warning),
            (701_072, 702_072, Level::Warning),
            (701_071, 702_072, Level::Critical),
            (51_107, 37_041, Level::Critical),
            (37_263, 37_041, Level::Warning),
            (0, 0, Level::Good),
            (1, 0, Level::Critical),
        ] {
            assert_eq!(Level::of(found, expected), level, "{found} of {expected}");
        }
    }
}
