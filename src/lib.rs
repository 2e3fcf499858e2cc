//! # xdoflow
//!
//! Streams documents out of PostgreSQL tables `(id bigint, xdo jsonb)`, normalises them in parallel, and
//! publishes them into typed tables: every row accounted for, every value exact or in quarantine.
//!
//! ```text
//! V1: mvpw1_N (id, xdo)                                         V2: mvpw5_N, …
//!   │ COPY (SELECT id, xdo …) TO STDOUT BINARY, as text or as       ▲ publish: ONE transaction for all
//!   │ stored; R connections, one exported snapshot, a queue of      │ targets of an entity: lock, guards,
//!   ▼ partitions                                                    │ merge, ledger row, commit
//! extract ─batches─► transform (rayon, CPU only) ─row buffers─► a target that is empty: COPY into it, in that
//!   bounded in bytes   one scan of a document writes a row      transaction; one that is full: compared as it is
//!                      into the buffer of each of its targets   read back, what differs to staging
//! ```
//!
//! One read of a document feeds all its targets. No typed row, no tree and no per-field allocation
//! stands between the bytes that come in and the bytes that go out.
//!
//! What a row costs, and what limits a larger machine: [`cost_model`].
//!
//! ## The floors
//!
//! Imports run downward only; a test walks the sources and fails on one that runs up.
//!
//! | floor | modules |
//! | --- | --- |
//! | 5 | [`cli`]: the only floor that prints, reads the terminal, the arguments or the environment |
//! | 4 | [`pipeline`]: THE DATA PATH, top to bottom in one file; [`plan`], [`status`], [`history`], [`mod@report`], [`estimate`], [`drift`], [`check`], [`doctor`], [`verify`], [`rejects`], [`dump`], [`selftest`], [`workspace`], [`mod@bench`], [`profile`] and [`scaffold`]: what documents hold, and a draft from it |
//! | 3 | [`stage`]: extract, transform, load, staging, publish, ledger; no stage imports another |
//! | 2 | [`transform`]: documents to rows, CPU only; [`sqlgen`]: the same as SQL; [`lineage`]: where each column comes from; [`pg`]: the only user of `tokio_postgres` |
//! | 1 | [`spec`]: pipeline files; [`pgcopy`]: COPY BINARY without I/O; [`partition`]: sizes to partitions; [`fingerprint`]: what a run saw of each row |
//! | 0 | the vocabulary: [`error`], [`name`], [`schema`], [`json`], [`progress`], [`measured`], [`summary`]; [`page`]: the shell of an HTML page |
//!
//! Beside the floors stand [`generate`], [`catalog`] and [`ddl`] (a workspace to try things on),
//! [`import`] (the user's mapping file as pipeline files) and [`server`] (a private PostgreSQL for the
//! demo and the tests).
//!
//! ## What is promised
//!
//! * The targets of an entity change in one transaction, or not at all.
//! * A run reads one instant of V1, whatever is written meanwhile.
//! * `rows read = loaded + quarantined + filtered`, for each target, checked before the commit; the rows of a target
//!   that explodes an array are its elements.
//! * A row that is equal is not written again; a run that changes nothing writes nothing.

pub mod bench;
pub mod catalog;
pub mod check;
pub mod cli;
pub mod ddl;
pub mod doctor;
pub mod drift;
pub mod dump;
pub mod error;
pub mod estimate;
pub mod fingerprint;
pub mod generate;
pub mod history;
pub mod import;
pub mod json;
pub mod lineage;
pub mod measured;
pub mod name;
pub mod page;
pub mod partition;
pub mod pg;
pub mod pgcopy;
pub mod pipeline;
pub mod plan;
pub mod profile;
pub mod progress;
pub mod rejects;
pub mod report;
pub mod scaffold;
pub mod schema;
pub mod selftest;
pub mod server;
pub mod spec;
pub mod sqlgen;
pub mod stage;
pub mod status;
pub mod summary;
pub mod transform;
pub mod verify;
pub mod workspace;

#[cfg(doc)]
#[doc = include_str!("../docs/cost-model.md")]
pub mod cost_model {}

pub use error::{Error, Result};
