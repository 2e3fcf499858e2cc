//! Pipeline files: which V1 table is read, and how its documents fill the columns of V2 tables.
//!
//! A file is TOML. It is read in one go into a [`PipelineSpec`] in which every name is checked and
//! every option stands where it means something; or into [`Problems`]: everything that is wrong with
//! it, each with file, line, column and a suggestion. Nothing downstream checks any of it again.
//! Whether it fits the two databases is decided when a program is compiled.
//!
//! # The language
//!
//! ```toml
//! entity = "users"                    # the name on the command line: a-z, 0-9, _
//! source = "mvpw1_41"                 # or { table = "public.mvpw1_41", id = "id", document = "xdo" }
//!
//! [target.user]                       # any number of targets; the first is the main one
//! table = "mvpw5_664"                 # table, schema.table, or "odd.name" in double quotes
//! key = "id"                          # the merge key: one of the columns, or a list of them
//! on_reject = "cell"                  # for all columns of the target that do not say otherwise
//! filter = { from = "status", drop = ["TEST"] }     # or keep = [...]: rows left out on purpose
//!
//! [target.user.columns]
//! id = "$id"                                        # the row's id, a bigint
//! password = "text"                                 # a column that is its key
//! email = { type = "text", default = "" }
//! created_at = { type = "epoch_ms", default = 0 }
//! join_date = { from = "joinDate", type = "date", format = "MM/DD/YYYY" }
//! lat = { from = "location.lat", type = "double precision" }
//! phone = { from = ["cell_phone", "phone"], type = "text", function = "digits" }
//! team_id = "reference"
//! workspace = { const = 5 }
//!
//! [derived.chain]                     # a table that is filled from all documents together
//! table = "mvpw5_684"
//! key = ["above", "below"]
//! closure = { parent = "boss_id", child = "id" }    # each document is an edge between two references
//!
//! [derived.chain.columns]             # a row for each node and each one below it, however far
//! above = { from = "ancestor", type = "bigint" }
//! below = { from = "descendant", type = "bigint" }
//! hops = { from = "depth", type = "bigint" }
//! path = "jsonb"                                    # the ids from the ancestor to the descendant
//! ```
//!
//! A type is one of PostgreSQL's (`text`, `varchar(n)`, `smallint`, `integer`, `bigint`, `numeric`,
//! `numeric(p,s)`, `real`, `double precision`, `boolean`, `date`, `timestamp`, `timestamptz`, `uuid`,
//! `json`, `jsonb`, and `T[]`) or a word for a `bigint` with a meaning: `epoch_ms` is
//! `{ type = "bigint", time = "epoch_ms" }`, `reference` is `{ type = "bigint", none = [0] }`.
//! Beside `const` and `$id` it may be left out where it follows from the value.
//!
//! | option | for | meaning |
//! | --- | --- | --- |
//! | `from` | all | a key, a path (`location.lat`, `"odd.key".lat`), `$id`, or a list of keys and paths: the first that is not absent; without it the column's own name |
//! | `default` | all | the value in place of NULL |
//! | `const` | all | the same value in every row; beside it stand only `type` and `time` |
//! | `trim` | all | `true`: white space at both ends goes |
//! | `null_values` | all | texts that mean NULL |
//! | `case` | all | `lower`, `upper` or `title` |
//! | `map` | all | a table, text to text; others pass |
//! | `lookup` | all | a CSV file with the columns key and value, found from the file's folder; others are rejects |
//! | `function` | all | a Rust function: one of [`KNOWN_FUNCTIONS`] |
//! | `allowed` | all | the only texts that pass |
//! | `parse` | numbers; json, jsonb | `money` or `percent`; `json`: a string that holds JSON |
//! | `blank` | text, varchar | `null`: a blank string is NULL |
//! | `none` | integers | numbers that mean NULL |
//! | `time` | bigint | `epoch_ms`: milliseconds since 1970 UTC |
//! | `unit` | dates and times | `ms` or `s`: what a number counts |
//! | `format` | dates and times | a pattern of YYYY, MM, DD, HH24, MI, SS and separators, or a list of them |
//! | `object` | boolean | `true`, in quotes: an object with content is true, an empty one false |
//! | `scalar` | arrays | `wrap`: one value is an array of one |
//! | `on_reject` | all | `cell`, `row` or `abort` |
//! | `references` | integers, text, varchar | an entity: what is not NULL is a key of its main target; checked by `verify` alone |
//!
//! The text rules work in the order of this table, from `trim` to `allowed`, before the cast. A list
//! of one may be written without brackets. `default` and `const` are kept as JSON text with every
//! digit as written; TOML's dates and times become strings.
//!
//! # Tests
//!
//! ```toml
//! [[test]]                            # any number, behind the targets; `xdoflow test` runs them
//! name = "a blank reference is none"
//! id = 7                              # the row's id; 1 where it is left out
//! document = '{"first_name": "Ann", "team_id": "", "birthdate": "2025-02-30"}'
//! rows.user = { first_name = "Ann", team_id.null = true, birthdate.null = true }
//! rejects = [{ target = "user", column = "birthdate", reason = "no_such_date" }]
//! ```
//!
//! | key | meaning |
//! | --- | --- |
//! | `name` | a sentence, once in a file |
//! | `id` | the row's id |
//! | `document` | JSON text; its keys must be keys that a target reads, or the copy of the id |
//! | `rows.TARGET` | the row that the target gets; only the columns that are named are compared, so `{}` is just a row |
//! | `rejects` | all rejects of all targets, in any order: `target`, `column`, `reason`; without it there is none |
//! | `quarantined` | targets whose row is set aside |
//! | `filtered` | targets whose row is left out on purpose |
//! | `aborts` | `true`: the document stops a run (`on_reject = "abort"`) |
//!
//! A value is written as the server prints it, `column::text` in UTC: `"450000.50"`, `"{1,NULL}"`,
//! `"2025-01-15 10:00:00+00"`; what TOML has a form for may be written in it (`true`, `12`, `1.50`,
//! `2025-01-15`). TOML has no null: `COLUMN.null = true` is one, and takes no column's name away, as
//! a word or a list of names beside the columns would.
//!
//! No database is asked. Each column has the type that the pipeline names, and takes NULL unless it
//! belongs to the key.

mod digest;
mod folder;
pub mod model;
mod problem;
mod read;
mod references;
mod shipped;
#[cfg(test)]
mod tests;
pub mod write;

pub use digest::digest;
pub use folder::load_dir;
pub use model::PipelineSpec;
pub use problem::{Problem, Problems, closest};
pub use shipped::shipped;

/// The functions that a column may name in `function`; their code is in `transform`.
pub const KNOWN_FUNCTIONS: &[&str] = &["digits"];

/// The codes of the reasons that a test may expect; the reasons are those of `transform`.
pub const KNOWN_REASONS: &[&str] = &[
    "not_a_number",
    "fraction",
    "out_of_range",
    "not_a_boolean",
    "not_a_time",
    "no_such_date",
    "not_a_uuid",
    "too_long",
    "not_json",
    "not_an_array",
    "wrong_kind",
    "not_allowed",
    "not_in_lookup",
    "null_not_allowed",
    "not_an_object",
    "no_key",
];
