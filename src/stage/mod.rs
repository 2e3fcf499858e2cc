//! The stages of the data path. None imports another; `pipeline` joins them.
//!
//! ```text
//! extract ─batches─► transform (rayon) ─row buffers─► (compare) ─► load ─staging─► publish
//! ```

pub mod compare;
pub mod extract;
pub mod fingerprints;
pub mod image;
pub mod keys;
pub mod ledger;
pub mod load;
pub mod pieces;
pub mod publish;
pub mod scan;
pub mod staging;
pub mod transform;
