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
//! [target.phone]                      # a child table: a row for each element of an array
//! table = "mvpw5_700"
//! explode = "contact.phones"          # its key is user_id, position
//!
//! [target.phone.columns]
//! user_id = "$id"
//! position = "$position"                            # from 1
//! number = "text"                                   # a key of the element
//! country = { from = "$document.country", type = "text" }
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
//! TOML has no null: `COLUMN.null = true` is one, and takes no column's name away, as a word or a list of names beside
//! the columns would.
//!
#![doc = include_str!("../../docs/pipeline-reference.md")]

mod digest;
mod folder;
pub mod language;
pub mod model;
mod problem;
pub(crate) mod read;
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
