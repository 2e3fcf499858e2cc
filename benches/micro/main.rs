//! The steps of the data path on one thread, without a database beside them: `make bench`.
//!
//! The documents are those of the generator after a visit to a private PostgreSQL, so that their text is
//! what `jsonb_out` prints; the programs are the shipped pipelines compiled against the tables of V2. An
//! argument is a filter: `cargo bench --bench micro -- transform`.
#![allow(clippy::expect_used, reason = "a benchmark may stop at the first surprise")]

mod casts;
mod copy;
mod data;
mod readers;
mod transform;

fn main() {
    divan::main();
}
