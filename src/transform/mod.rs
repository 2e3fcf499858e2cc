//! From documents to rows: CPU only, no I/O, no clock.
//!
//! A [`Program`] is a pipeline spec compiled against the tables of the target. It scans each document
//! once ([`document`]), hands the raw value of each wanted key to a [`cast`], and writes the result
//! straight into the COPY buffer of each target ([`crate::pgcopy::encode`]). What cannot be cast
//! becomes a row of the quarantine ([`output`]); nothing here fails because of data.

mod alike;
pub mod cast;
pub mod closure;
pub mod compile;
pub mod document;
pub mod functions;
pub mod keys;
pub mod lookup;
pub mod output;
pub mod program;
pub mod rules;
mod short;
pub mod value;

pub use compile::{Mismatch, compile, compile_beside, compile_derived};
pub use output::{Output, Tally};
pub use program::Program;
