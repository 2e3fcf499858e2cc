//! The keys and options of a pipeline file, each defined once: the reader takes its names and words from here, the
//! [JSON Schema](json_schema) and the [reference](reference()) are made of it.
//!
//! A key that is added is added here, with what it takes and what it means, and is then read in `read`: its name is
//! known, editors complete it, and the page that people read has it. A test holds the page in `docs` against it.

mod reference;
mod schema;

pub use reference::reference;
pub use schema::json_schema;

use super::model::{Case, DriftPolicy, EpochUnit, OnReject, Parse};
use super::{KNOWN_FUNCTIONS, KNOWN_REASONS};

/// A key of a table of the file.
pub(super) struct Field {
    /// As it is written.
    pub name: &'static str,
    /// Whether the table is nothing without it.
    pub needed: bool,
    /// What it takes.
    pub kind: Kind,
    /// For which types of a column it means something.
    pub of: Types,
    /// What it means, as Markdown.
    pub meaning: &'static str,
}

/// What a key takes.
#[derive(Clone, Copy)]
pub(super) enum Kind {
    /// The name of an entity.
    Entity,
    /// A table's name.
    Table,
    /// A table's name, or a table of these.
    Source,
    /// A string that is not empty.
    Name,
    /// Any string.
    Text,
    /// `true` or `false`.
    Boolean,
    /// An integer.
    Integer,
    /// An integer, or several.
    Integers,
    /// One of a few words.
    Words(&'static [&'static str]),
    /// A string, or several, no two the same.
    Texts,
    /// A key or a path into the document.
    Path,
    /// The same, or several, or one of the words that begin with `$`.
    Paths,
    /// A pattern of a date, or several.
    Patterns,
    /// A type.
    Type,
    /// Whatever JSON has but null.
    Json,
    /// A table of strings.
    Map,
    /// A table with these keys.
    Closure,
    /// A table with these keys.
    Filter,
    /// A table of columns, each a type or a table of options.
    Columns,
    /// A table of tables with the keys of a target.
    Targets,
    /// A table of tables with the keys of a derived target.
    Derived,
    /// A list of tables with the keys of a test.
    Tests,
    /// A table of rows by their targets.
    Rows,
    /// A list of tables with the keys of a reject.
    Rejects,
}

/// For which types an option means something.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Types {
    /// All; or the key stands in no column.
    All,
    /// `text` and `varchar`.
    Text,
    /// `smallint`, `integer`, `bigint`, `epoch_ms`, `reference`.
    Integers,
    /// `bigint`.
    BigInt,
    /// `date`, `timestamp`, `timestamptz`, and a bigint that holds one.
    Times,
    /// `boolean`.
    Boolean,
    /// `T[]`.
    Arrays,
    /// Numbers; for `json` those types.
    Parsed,
    /// Integers and text, but no arrays.
    Keys,
}

impl Types {
    /// The words of the reference.
    pub fn label(self) -> &'static str {
        match self {
            Self::All => "all",
            Self::Text => "text, varchar",
            Self::Integers => "integers",
            Self::BigInt => "bigint",
            Self::Times => "dates and times",
            Self::Boolean => "boolean",
            Self::Arrays => "arrays",
            Self::Parsed => "numbers; json, jsonb",
            Self::Keys => "integers, text, varchar",
        }
    }
}

const fn key(name: &'static str, kind: Kind, meaning: &'static str) -> Field {
    Field { name, needed: false, kind, of: Types::All, meaning }
}

const fn needed(name: &'static str, kind: Kind, meaning: &'static str) -> Field {
    Field { name, needed: true, kind, of: Types::All, meaning }
}

const fn option(name: &'static str, of: Types, kind: Kind, meaning: &'static str) -> Field {
    Field { name, needed: false, kind, of, meaning }
}

/// The names of a table's keys, in its order.
pub(super) const fn names<const N: usize>(fields: &[Field; N]) -> [&'static str; N] {
    let mut names = [""; N];
    let mut index = 0;
    while index < N {
        names[index] = fields[index].name;
        index += 1;
    }
    names
}

/// The words of a list of words and what they mean.
const fn words<T: Copy, const N: usize>(pairs: &[(&'static str, T); N]) -> [&'static str; N] {
    let mut words = [""; N];
    let mut index = 0;
    while index < N {
        words[index] = pairs[index].0;
        index += 1;
    }
    words
}

/// `case`
pub(super) const CASE: [(&str, Case); 3] =
    [("lower", Case::Lower), ("upper", Case::Upper), ("title", Case::Title)];
/// `on_reject`
pub(super) const ON_REJECT: [(&str, OnReject); 3] =
    [("cell", OnReject::Cell), ("row", OnReject::Row), ("abort", OnReject::Abort)];
/// `drift`
pub(super) const DRIFT: [(&str, DriftPolicy); 3] =
    [("ignore", DriftPolicy::Ignore), ("warn", DriftPolicy::Warn), ("fail", DriftPolicy::Fail)];
/// `unit`
pub(super) const UNIT: [(&str, EpochUnit); 2] = [("ms", EpochUnit::Milliseconds), ("s", EpochUnit::Seconds)];
/// `parse`
pub(super) const PARSE: [(&str, Parse); 3] =
    [("money", Parse::Money), ("percent", Parse::Percent), ("json", Parse::Json)];
/// `blank`, where it says something
pub(super) const BLANK: [(&str, bool); 1] = [("null", true)];
/// `time`
pub(super) const TIME: [(&str, bool); 1] = [("epoch_ms", true)];
/// `object`
pub(super) const OBJECT: [(&str, bool); 1] = [("true", true)];
/// `scalar`
pub(super) const SCALAR: [(&str, bool); 1] = [("wrap", true)];

const CASE_WORDS: [&str; 3] = words(&CASE);
const ON_REJECT_WORDS: [&str; 3] = words(&ON_REJECT);
const DRIFT_WORDS: [&str; 3] = words(&DRIFT);
const UNIT_WORDS: [&str; 2] = words(&UNIT);
const PARSE_WORDS: [&str; 3] = words(&PARSE);
const BLANK_WORDS: [&str; 1] = words(&BLANK);
const TIME_WORDS: [&str; 1] = words(&TIME);
const OBJECT_WORDS: [&str; 1] = words(&OBJECT);
const SCALAR_WORDS: [&str; 1] = words(&SCALAR);

const ON_REJECT_MEANING: &str = "what a value does that cannot be cast: `cell`, its cell is NULL or the default; `row`, the row is set aside; \
     `abort`, the run stops";

/// The file.
pub(super) const PIPELINE: [Field; 6] = [
    needed("entity", Kind::Entity, "the name on the command line: a-z, 0-9, _"),
    needed("source", Kind::Source, "the table that is read"),
    needed(
        "target",
        Kind::Targets,
        "`[target.NAME]`: the tables that are written; the first is the main one",
    ),
    key("derived", Kind::Derived, "`[derived.NAME]`: tables that are filled from all documents together"),
    key(
        "drift",
        Kind::Words(&DRIFT_WORDS),
        "what a run does whose documents have new keys, lack old ones, or have values of other kinds than \
         `xdoflow drift --accept` has accepted: `warn` (where it is left out), `fail` before it publishes, `ignore`",
    ),
    key("test", Kind::Tests, "`[[test]]`: documents and what they give, for `xdoflow test`"),
];

/// `source = { … }`
pub(super) const SOURCE: [Field; 3] = [
    needed("table", Kind::Table, "`table`, `schema.table`, or `\"odd.name\"` in double quotes"),
    key("id", Kind::Name, "the bigint column that identifies a row; `id` where it is left out"),
    key("document", Kind::Name, "the jsonb column; `xdo` where it is left out"),
];

/// `[target.NAME]`
pub(super) const TARGET: [Field; 6] = [
    needed("table", Kind::Table, "`table`, `schema.table`, or `\"odd.name\"` in double quotes"),
    key(
        "explode",
        Kind::Path,
        "an array of the document: a row for each of its elements, in place of one for the document",
    ),
    key(
        "key",
        Kind::Texts,
        "the merge key, which tells one row from another: a column, or a list of them; needed, but with `explode`, \
         where it is the columns with `$id` and `$position` if it is left out",
    ),
    needed(
        "columns",
        Kind::Columns,
        "`[target.NAME.columns]`: what is written; other columns are left alone",
    ),
    key("filter", Kind::Filter, "rows that are left out on purpose"),
    key(
        "on_reject",
        Kind::Words(&ON_REJECT_WORDS),
        "for all columns of the target that do not say otherwise",
    ),
];

/// `[derived.NAME]`
pub(super) const DERIVED: [Field; 5] = [
    needed("closure", Kind::Closure, "each document is an edge between two references"),
    needed("table", Kind::Table, "as of a target"),
    needed("key", Kind::Texts, "as of a target"),
    needed(
        "columns",
        Kind::Columns,
        "as of a target; the keys of a derived row are `ancestor`, `descendant`, `depth` and `path`",
    ),
    key("on_reject", Kind::Words(&ON_REJECT_WORDS), "as of a target"),
];

/// `closure = { … }`
pub(super) const CLOSURE: [Field; 2] = [
    needed("parent", Kind::Path, "the key that names the node above"),
    needed("child", Kind::Path, "the key that names the node below"),
];

/// `filter = { … }`
pub(super) const FILTER: [Field; 3] = [
    needed("from", Kind::Path, "the key that decides, by its text; an absent one has the text `\"\"`"),
    key("keep", Kind::Texts, "only rows with one of these texts are loaded"),
    key("drop", Kind::Texts, "rows with one of these texts are not; one of `keep` and `drop` stands there"),
];

/// The options of a column. The text rules work in this order, from `trim` to `allowed`.
pub(super) const COLUMN: [Field; 21] = [
    key(
        "from",
        Kind::Paths,
        "a key, a path (`location.lat`, `\"odd.key\".lat`), `$id`, or a list of keys and paths: the first that is not \
         absent; without it the column's own name. With `explode` also `$position`, `$element` and `$document.KEY`",
    ),
    key("type", Kind::Type, "what the value becomes; beside `const` and `$id` it may follow from the value"),
    key("default", Kind::Json, "the value in place of NULL"),
    key("const", Kind::Json, "the same value in every row; beside it stand only `type` and `time`"),
    key("trim", Kind::Boolean, "`true`: white space at both ends goes"),
    key("null_values", Kind::Texts, "texts that mean NULL"),
    key("case", Kind::Words(&CASE_WORDS), "changes the case of a text"),
    key("map", Kind::Map, "text to text; others pass"),
    key(
        "lookup",
        Kind::Name,
        "a CSV file with the columns key and value, found from the file's folder; others are rejects",
    ),
    key("function", Kind::Words(KNOWN_FUNCTIONS), "a Rust function"),
    key("allowed", Kind::Texts, "the only texts that pass"),
    option(
        "parse",
        Types::Parsed,
        Kind::Words(&PARSE_WORDS),
        "what a string holds besides the plain form: an amount, a percentage; JSON",
    ),
    option("blank", Types::Text, Kind::Words(&BLANK_WORDS), "a blank string is NULL"),
    option("none", Types::Integers, Kind::Integers, "numbers that mean NULL"),
    option("time", Types::BigInt, Kind::Words(&TIME_WORDS), "the column holds milliseconds since 1970 UTC"),
    option("unit", Types::Times, Kind::Words(&UNIT_WORDS), "what a number counts; `ms` where it is left out"),
    option(
        "format",
        Types::Times,
        Kind::Patterns,
        "a pattern of YYYY, MM, DD, HH24, MI, SS and separators, or a list of them",
    ),
    option(
        "object",
        Types::Boolean,
        Kind::Words(&OBJECT_WORDS),
        "in quotes: an object with content is true, an empty one false",
    ),
    option("scalar", Types::Arrays, Kind::Words(&SCALAR_WORDS), "one value is an array of one"),
    key("on_reject", Kind::Words(&ON_REJECT_WORDS), ON_REJECT_MEANING),
    option(
        "references",
        Types::Keys,
        Kind::Entity,
        "an entity: what is not NULL is a key of its main target; checked by `verify` alone",
    ),
];

/// `[[test]]`
pub(super) const TEST: [Field; 8] = [
    needed("name", Kind::Name, "a sentence, once in a file"),
    key("id", Kind::Integer, "the row's id; 1 where it is left out"),
    needed("document", Kind::Text, "JSON text; its keys are keys that a target reads, or the copy of the id"),
    key(
        "rows",
        Kind::Rows,
        "`rows.TARGET`: the row that the target gets; only the columns that are named are compared, so `{}` is just a \
         row. Of a target with `explode` a list of all its rows",
    ),
    key("rejects", Kind::Rejects, "all rejects of all targets, in any order; without it there is none"),
    key("quarantined", Kind::Texts, "targets whose row, or one of whose rows, is set aside"),
    key("filtered", Kind::Texts, "targets whose row, or one of whose rows, is left out on purpose"),
    key("aborts", Kind::Boolean, "`true`: the document stops a run (`on_reject = \"abort\"`)"),
];

/// `rejects = [{ … }]`
pub(super) const REJECT: [Field; 3] = [
    needed("target", Kind::Name, "the target's name"),
    key("column", Kind::Name, "the column; none where the whole document is rejected"),
    needed("reason", Kind::Words(KNOWN_REASONS), "why"),
];
