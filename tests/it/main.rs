//! The one integration-test binary: modules by behaviour, each test with a database of its own, and the
//! real program as the subject wherever a user would meet it.
//!
//! The server is shared by all tests of a process; it is removed when the process ends.

#![allow(
    clippy::expect_used,
    clippy::print_stderr,
    clippy::unwrap_used,
    reason = "a test stops at the first surprise"
)]

mod draw;
mod oracle;
mod proxy;
mod support;

mod backfill;
mod bench;
mod casts;
mod changed;
mod changed_rounds;
mod closure;
mod commands;
mod config;
mod copies;
mod delta;
mod demo;
mod doctor;
mod drift;
mod duplicates;
mod exact;
mod explode;
mod faults;
mod floors;
mod fuzz;
mod given_back;
mod guards;
mod history;
mod hostile;
mod idle;
mod import;
mod inspect;
mod lineage;
mod odd_names;
mod pipeline_tests;
mod plan;
mod properties;
mod publish;
mod quarantine;
mod raw;
mod rejects;
mod report;
mod resume;
mod scaffold;
mod schema;
mod shell;
mod snapshot;
mod sql;
mod supply;
mod tls;
mod two_servers;
mod verify;
