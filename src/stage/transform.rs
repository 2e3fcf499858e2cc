//! The bridge from the asynchronous readers to the threads that transform.
//!
//! A batch is handed to rayon, its output comes back through a channel in whatever order it is ready.
//! The number of batches in flight is bounded by permits: a reader that would exceed it waits, and so
//! does the server behind it.

use std::sync::Arc;

use tokio::sync::{Semaphore, mpsc};

use crate::error::{Error, Result};
use crate::transform::{Output, Program};

/// Batches in flight for each lane: one being transformed, one ready for its thread, one on its way
/// to the server.
pub const IN_FLIGHT_PER_LANE: usize = 3;

/// The transform of one lane: takes batches, gives outputs to the channel that it was made with.
pub struct Transform {
    program: Arc<Program>,
    pool: Arc<rayon::ThreadPool>,
    permits: Arc<Semaphore>,
    outputs: mpsc::UnboundedSender<Ready>,
}

/// A finished batch. It holds the permit of its batch: dropping it lets the next one in.
pub struct Ready {
    /// What came of it.
    pub output: Output,
    _permit: tokio::sync::OwnedSemaphorePermit,
}

/// The end of the channel where the outputs come out.
pub type Outputs = mpsc::UnboundedReceiver<Ready>;

impl Transform {
    /// A transform and the place where its outputs come out. The channel needs no bound of its own:
    /// each message holds a permit.
    pub fn new(program: Arc<Program>, pool: Arc<rayon::ThreadPool>) -> (Self, Outputs) {
        let (outputs, receiver) = mpsc::unbounded_channel();
        let permits = Arc::new(Semaphore::new(IN_FLIGHT_PER_LANE));
        (Self { program, pool, permits, outputs }, receiver)
    }

    /// Starts work on a thread of the pool, such as the transform of a batch, as soon as there is little
    /// enough in flight.
    pub async fn submit(&self, work: impl FnOnce(&Program) -> Output + Send + 'static) -> Result<()> {
        let permit = Arc::clone(&self.permits)
            .acquire_owned()
            .await
            .map_err(|_| Error::stop("the transform was shut down while batches were on their way"))?;
        let program = Arc::clone(&self.program);
        let outputs = self.outputs.clone();
        self.pool.spawn(move || {
            let output = work(&program);
            // Nobody listens any more where the run has stopped: the output has no one to reach.
            let _ = outputs.send(Ready { output, _permit: permit });
        });
        Ok(())
    }
}
