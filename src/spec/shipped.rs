//! The pipelines that are built into the binary, as they stand in `pipelines/`.

use super::folder::gather;
use super::model::PipelineSpec;
use super::problem::Problems;
use super::read::read_file;

/// Files and their texts, in the order in which a run takes them: what others refer to comes first.
const FILES: [(&str, &str); 5] = [
    ("user.toml (built in)", include_str!("../../pipelines/user.toml")),
    ("agent.toml (built in)", include_str!("../../pipelines/agent.toml")),
    ("transaction.toml (built in)", include_str!("../../pipelines/transaction.toml")),
    ("participant.toml (built in)", include_str!("../../pipelines/participant.toml")),
    ("network.toml (built in)", include_str!("../../pipelines/network.toml")),
];

/// The pipelines `users`, `agents`, `transactions`, `participants` and `network`, in this order.
///
/// # Errors
/// As for any other file; the tests see to it that there are none.
pub fn shipped() -> Result<Vec<PipelineSpec>, Problems> {
    gather(FILES.iter().map(|(file, text)| read_file(file, text)).collect())
}
