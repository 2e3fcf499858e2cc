//! Ctrl-C, SIGTERM and the closed terminal. The first asks the command to stop and clean up; the second
//! ends the process at once.

use std::sync::Arc;
use std::sync::atomic::{AtomicU8, Ordering::Relaxed};

use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::watch;

use crate::error::{Error, Result};

/// The signals that ask a command to stop.
pub struct Signals {
    received: watch::Receiver<bool>,
    exit_code: Arc<AtomicU8>,
}

impl Signals {
    /// Begins to listen.
    pub fn install() -> Result<Self> {
        let mut kinds = Vec::new();
        for (kind, code) in
            [(SignalKind::interrupt(), 130), (SignalKind::terminate(), 143), (SignalKind::hangup(), 129)]
        {
            kinds.push((signal(kind)?, code));
        }
        let (sender, received) = watch::channel(false);
        let exit_code = Arc::new(AtomicU8::new(0));
        for (mut stream, code) in kinds {
            let (sender, exit_code) = (sender.clone(), Arc::clone(&exit_code));
            tokio::spawn(async move {
                while stream.recv().await.is_some() {
                    if sender.send_replace(true) {
                        std::process::exit(i32::from(code));
                    }
                    exit_code.store(code, Relaxed);
                }
            });
        }
        Ok(Self { received, exit_code })
    }

    /// Ready once a signal has come.
    pub async fn received(&self) {
        let mut received = self.received.clone();
        // The senders live as long as the runtime: an end without a signal cannot come.
        if received.wait_for(|received| *received).await.is_err() {
            std::future::pending::<()>().await;
        }
    }

    /// Runs work that needs no cleaning up, until a signal comes.
    pub async fn or_interrupted<T>(&self, work: impl Future<Output = Result<T>>) -> Result<T> {
        tokio::select! {
            done = work => done,
            () = self.received() => Err(Error::interrupted()),
        }
    }

    /// The exit code of the signal that came.
    pub fn exit_code(&self) -> Option<u8> {
        Some(self.exit_code.load(Relaxed)).filter(|&code| code != 0)
    }
}
