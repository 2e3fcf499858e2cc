//! The bridge from the asynchronous readers to the threads that transform.
//!
//! A batch is handed to rayon; the outputs come back in the order of the batches, so that rows that were
//! read in the order of a key can be compared with others in that order. The number of batches in flight
//! is bounded by permits: a reader that would exceed it waits, and so does the server behind it.

use std::sync::Arc;

use tokio::sync::{Semaphore, mpsc, oneshot};

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
    outputs: mpsc::UnboundedSender<oneshot::Receiver<Ready>>,
}

/// A finished batch. It holds the permit of its batch: dropping it lets the next one in.
pub struct Ready {
    /// What came of it.
    pub output: Output,
    _permit: tokio::sync::OwnedSemaphorePermit,
}

/// The end where the outputs come out, in the order in which the work was submitted.
pub struct Outputs {
    queue: mpsc::UnboundedReceiver<oneshot::Receiver<Ready>>,
}

impl Outputs {
    /// The next output; `None` when the transform is gone and all its work was handed out.
    ///
    /// # Errors
    /// The thread of a batch has panicked: a bug, and its rows would be missing.
    pub async fn next(&mut self) -> Result<Option<Ready>> {
        let Some(output) = self.queue.recv().await else { return Ok(None) };
        output.await.map(Some).map_err(|_| Error::stop("a thread that transforms has ended unexpectedly"))
    }
}

impl Transform {
    /// A transform and the place where its outputs come out. The queue needs no bound of its own: each of
    /// its messages holds a permit.
    pub fn new(program: Arc<Program>, pool: Arc<rayon::ThreadPool>) -> (Self, Outputs) {
        let (outputs, queue) = mpsc::unbounded_channel();
        let permits = Arc::new(Semaphore::new(IN_FLIGHT_PER_LANE));
        (Self { program, pool, permits, outputs }, Outputs { queue })
    }

    /// Starts work on a thread of the pool, such as the transform of a batch, as soon as there is little
    /// enough in flight.
    pub async fn submit(&self, work: impl FnOnce(&Program) -> Output + Send + 'static) -> Result<()> {
        let permit = Arc::clone(&self.permits)
            .acquire_owned()
            .await
            .map_err(|_| Error::stop("the transform was shut down while batches were on their way"))?;
        let program = Arc::clone(&self.program);
        let (done, output) = oneshot::channel();
        // Nobody listens any more where the run has stopped: the output has no one to reach, here and below.
        let _ = self.outputs.send(output);
        self.pool.spawn(move || {
            let _ = done.send(Ready { output: work(&program), _permit: permit });
        });
        Ok(())
    }
}
