//! A pipeline file after it was read: every name checked, every option in its place. What is here is
//! valid in itself; whether it fits the two databases is decided when a program is compiled.

use std::collections::BTreeMap;
use std::path::PathBuf;

use crate::name::TableName;
use crate::schema::ColumnType;

/// One pipeline: a source table and the targets that its documents fan out into.
#[derive(Clone, Debug, PartialEq)]
pub struct PipelineSpec {
    /// What the pipeline moves, and its name on the command line: `users`, `agents` …
    pub entity: String,
    /// The file it was read from, for messages; `user.toml (built in)` for a shipped one.
    pub file: String,
    /// The table that is read.
    pub source: SourceSpec,
    /// The tables that are written, in the order of the file; the first is the entity's main one.
    pub targets: Vec<TargetSpec>,
    /// The tables that are filled from all documents together, not row by row.
    pub derived: Vec<DerivedSpec>,
    /// What a run does whose documents have other keys than were accepted.
    pub drift: DriftPolicy,
    /// What `xdoflow test` holds it against, in the order of the file; a run takes no notice of them.
    pub tests: Vec<TestSpec>,
}

/// A target whose rows are derived from all documents of the entity. Each of its rows is made from a
/// document of its own, in which the columns find their keys.
#[derive(Clone, Debug, PartialEq)]
pub struct DerivedSpec {
    /// The table, its key and its columns.
    pub target: TargetSpec,
    /// What the documents are derived from.
    pub closure: ClosureSpec,
}

/// The transitive closure of edges: one document `{path, depth, ancestor, descendant}` for each pair of
/// nodes of which one is above the other.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ClosureSpec {
    /// The key that names the node above; none, or no reference, makes no edge.
    pub parent: KeyPath,
    /// The key that names the node below.
    pub child: KeyPath,
}

/// The source table: two columns, an id and a document.
#[derive(Clone, Debug, PartialEq)]
pub struct SourceSpec {
    /// The table's name.
    pub table: TableName,
    /// The `bigint` column that identifies a row; `id` unless said otherwise.
    pub id: String,
    /// The `jsonb` column that holds the document; `xdo` unless said otherwise.
    pub document: String,
}

/// One target table.
#[derive(Clone, Debug, PartialEq)]
pub struct TargetSpec {
    /// The name in the user's words: `user_credentials`.
    pub name: String,
    /// The table's name in the database: `mvpw5_665`.
    pub table: TableName,
    /// The merge key: indices into `columns`, at least one.
    pub key: Vec<usize>,
    /// The columns that are written; every other column of the table is left alone.
    pub columns: Vec<ColumnSpec>,
    /// Which rows are dropped on purpose.
    pub filter: Option<FilterSpec>,
    /// Where the array stands of which each element makes a row; `None` where each document makes one.
    pub explode: Option<ExplodeSpec>,
}

/// `explode`: a target with a row for each element of an array. Absent, `[]`, a blank string, 0 and `false` are no
/// elements; whatever else is no array is a reject of the whole document.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ExplodeSpec {
    /// The array, in the document.
    pub path: KeyPath,
    /// Whether an element must be an object or null: the target reads keys of it, and never the element itself, so
    /// that of anything else nothing would be left.
    pub objects: bool,
}

impl TargetSpec {
    /// All paths that it reads beside that of its array: those of its columns, and its filter's.
    pub fn paths(&self) -> impl Iterator<Item = &KeyPath> {
        let columns = self.columns.iter().flat_map(|column| match &column.origin {
            Origin::Keys(paths) => paths.as_slice(),
            Origin::Id | Origin::Position | Origin::Const(_) => &[],
        });
        columns.chain(self.filter.iter().map(|filter| &filter.from))
    }

    /// The keys of the document itself that it reads.
    pub fn document_keys(&self) -> impl Iterator<Item = &str> {
        let own = self.paths().filter(|path| path.base == Base::Document);
        own.chain(self.explode.iter().map(|explode| &explode.path))
            .filter_map(|path| path.steps.first())
            .map(String::as_str)
    }
}

/// Rows that are dropped on purpose, by the text of one key.
#[derive(Clone, Debug, PartialEq)]
pub struct FilterSpec {
    /// The key that decides.
    pub from: KeyPath,
    /// What its texts mean.
    pub rule: FilterRule,
}

/// What a filter does with the texts that it names. An absent value has the text `""`.
#[derive(Clone, Debug, PartialEq)]
pub enum FilterRule {
    /// Only rows with one of these texts are loaded.
    Keep(Vec<String>),
    /// Rows with one of these texts are not loaded.
    Drop(Vec<String>),
}

/// A `[[test]]`: a document, and what it gives.
#[derive(Clone, Debug, PartialEq)]
pub struct TestSpec {
    /// What it says, as a sentence; no two of a file are the same.
    pub name: String,
    /// Where it stands in the file.
    pub position: Position,
    /// The id of the row; 1 unless said otherwise.
    pub id: i64,
    /// The document, as JSON text.
    pub document: String,
    /// The rows that are loaded, those of one target in their order; of the other targets nothing is expected.
    pub rows: Vec<ExpectedRow>,
    /// The targets of which all rows are in `rows`: indices into the pipeline's. One with `explode` may have none.
    pub loaded: Vec<usize>,
    /// All rejects of all targets.
    pub rejects: Vec<ExpectedReject>,
    /// The targets whose row, or one of whose rows, is quarantined: indices into the pipeline's.
    pub quarantined: Vec<usize>,
    /// The targets whose row, or one of whose rows, is filtered: indices into the pipeline's.
    pub filtered: Vec<usize>,
    /// Whether the document stops a run.
    pub aborts: bool,
}

/// A row that a document gives. Columns that are not named may hold anything.
#[derive(Clone, Debug, PartialEq)]
pub struct ExpectedRow {
    /// The target: an index into the pipeline's.
    pub target: usize,
    /// Columns, as indices into the target's, and the text of their values; `None` is NULL.
    pub cells: Vec<(usize, Option<String>)>,
}

/// A value or a row that is rejected.
#[derive(Clone, Debug, PartialEq)]
pub struct ExpectedReject {
    /// The target: an index into the pipeline's.
    pub target: usize,
    /// The column: an index into the target's; `None` for a document that is no object.
    pub column: Option<usize>,
    /// The code of the reason, one of [`KNOWN_REASONS`](super::KNOWN_REASONS).
    pub reason: String,
}

/// One column of a target.
#[derive(Clone, Debug, PartialEq)]
pub struct ColumnSpec {
    /// The column's name.
    pub name: String,
    /// Where it stands in the file.
    pub position: Position,
    /// Where the value comes from.
    pub origin: Origin,
    /// How the value is read before the cast.
    pub rules: TextRules,
    /// How it becomes a typed value.
    pub cast: CastSpec,
    /// The value in place of NULL, as JSON text.
    pub default: Option<String>,
    /// What a value that cannot be cast does.
    pub on_reject: OnReject,
    /// The entity that the value refers to: where it is not NULL, it is a key of that entity's main
    /// target. A run does not ask; `verify` does.
    pub references: Option<String>,
}

/// A place in a pipeline file, both counted from 1; the column counts characters.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Position {
    /// The line.
    pub line: usize,
    /// The column.
    pub column: usize,
}

/// Where a column's value comes from.
#[derive(Clone, Debug, PartialEq)]
pub enum Origin {
    /// The row's id: `$id`.
    Id,
    /// The place of the element in its array, from 1: `$position`, in a target with `explode`.
    Position,
    /// The first of these that is not absent.
    Keys(Vec<KeyPath>),
    /// The same value in every row, as JSON text.
    Const(String),
}

/// A key, or a path into nested objects, written with dots: `location.lat`. A segment that holds a dot stands in
/// double quotes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KeyPath {
    /// Where it begins.
    pub base: Base,
    /// The keys; none is the element itself, and of a document there is at least one.
    pub steps: Vec<String>,
}

/// Where a path begins.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Base {
    /// At the document; in a target with `explode` it is written `$document.location.lat`.
    Document,
    /// At the element of the array that a target explodes: `price`, or `$element` for the element itself.
    Element,
}

impl KeyPath {
    /// A path into the document.
    pub fn of_document(steps: Vec<String>) -> Self {
        Self { base: Base::Document, steps }
    }
}

/// What happens to the text of a string, number or boolean before the cast, in this order.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct TextRules {
    /// Remove white space at both ends.
    pub trim: bool,
    /// Texts that mean NULL.
    pub null_values: Vec<String>,
    /// Change the case.
    pub case: Option<Case>,
    /// Replace one text by another; what is not named passes.
    pub map: BTreeMap<String, String>,
    /// Replace a text by its value in a CSV file with the columns key and value; a text that is not
    /// there is a reject.
    pub lookup: Option<PathBuf>,
    /// A Rust function of `transform::functions`.
    pub function: Option<String>,
    /// The only texts that pass.
    pub allowed: Option<Vec<String>>,
}

/// A change of case.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Case {
    /// `denver`
    Lower,
    /// `DENVER`
    Upper,
    /// `Denver`: every word's first letter upper, the rest lower.
    Title,
}

/// The type and the options that decide how a value becomes one of that type. Each option stands
/// only where it means something; the reader of the file refuses it elsewhere.
#[derive(Clone, Debug, PartialEq)]
pub struct CastSpec {
    /// The column's type as the file names it.
    pub column_type: ColumnType,
    /// `blank = "null"`, text only: a blank string is NULL.
    pub blank_null: bool,
    /// `none = [0]`, integers only: numbers that mean NULL.
    pub none: Vec<i64>,
    /// `time = "epoch_ms"`, bigint only: the column holds milliseconds since 1970 UTC.
    pub epoch_ms: bool,
    /// The unit of a number that is read as a time.
    pub unit: EpochUnit,
    /// `format = "MM/DD/YYYY"`, dates and times only: further forms of text, tried in order.
    pub formats: Vec<String>,
    /// `object = "true"`, boolean only: a non-empty object is true, an empty one false.
    pub object_true: bool,
    /// `scalar = "wrap"`, arrays only: one value is an array of one.
    pub wrap_scalar: bool,
    /// `parse`: what a string holds besides the plain form.
    pub parse: Option<Parse>,
}

impl CastSpec {
    /// A cast to a type without any option.
    pub fn plain(column_type: ColumnType) -> Self {
        Self {
            column_type,
            blank_null: false,
            none: Vec::new(),
            epoch_ms: false,
            unit: EpochUnit::Milliseconds,
            formats: Vec::new(),
            object_true: false,
            wrap_scalar: false,
            parse: None,
        }
    }
}

/// The unit of a number that is read as a time; never guessed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum EpochUnit {
    /// `unit = "ms"`, the default.
    Milliseconds,
    /// `unit = "s"`
    Seconds,
}

/// What a string may hold besides the plain form of the type.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Parse {
    /// An amount: a sign, a currency symbol, thousands separators, parentheses for a negative.
    Money,
    /// A number followed by `%`; the number of percents: `"2.5%"` is 2.5.
    Percent,
    /// JSON text, json and jsonb only.
    Json,
}

/// What a run does whose documents have other keys, or other kinds of values, than were accepted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum DriftPolicy {
    /// Nothing: keys are not even counted.
    Ignore,
    /// It notes them, and says so.
    #[default]
    Warn,
    /// It notes them, and stops before it publishes.
    Fail,
}

/// What a value that cannot be cast does.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum OnReject {
    /// The row is loaded with NULL or the default in that cell; quarantined where the column takes
    /// no NULL.
    #[default]
    Cell,
    /// The row is quarantined.
    Row,
    /// The run stops.
    Abort,
}
