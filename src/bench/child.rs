//! xdoflow as a contender: the real program, as a process of its own, with its own memory and CPU.

use std::io::Read;
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering::Relaxed};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;
use std::time::Duration;

use crate::error::{Error, Result};
use crate::measured::peak_rss_bytes;

/// How often the memory of the process is looked at. The system keeps the peak, so that only what the last
/// moments add to it can be missed.
const LOOK_EVERY: Duration = Duration::from_millis(5);

/// Makes the command of the program, connected to the bench's database; arguments are added to it.
pub type Program = Arc<dyn Fn() -> Command + Send + Sync>;

/// What a run has told.
#[derive(Debug)]
pub struct Ran {
    /// The JSON object of `run --json`.
    summary: serde_json::Value,
    /// The most memory that it has held.
    pub rss_peak_bytes: Option<u64>,
}

impl Ran {
    /// Whether a run with `--changed` read only what changed.
    ///
    /// # Errors
    /// Where it read everything: then its time is that of another contender.
    pub fn check_changed(&self) -> Result<()> {
        let mut entities = self.summary["entities"].as_array().into_iter().flatten();
        let Some(entity) = entities.find(|entity| entity["changed"]["used"] != true) else { return Ok(()) };
        let why = entity["changed"]["reason"].as_str().unwrap_or("it does not say why");
        let name = entity["entity"].as_str().unwrap_or_default();
        Err(Error::stop(format!("all rows of {name} were read: {why}")))
    }
}

/// A process that is killed where nobody waits for it any more.
struct Running(Arc<Mutex<Option<Child>>>);

impl Drop for Running {
    fn drop(&mut self) {
        if let Some(child) = self.0.lock().unwrap_or_else(PoisonError::into_inner).as_mut() {
            // It may have ended by itself.
            let _ = child.kill();
        }
    }
}

/// Runs the program to its end.
///
/// # Errors
/// Where it fails: its own message.
pub async fn run(program: &Program, arguments: &[String]) -> Result<Ran> {
    let mut command = program();
    command.args(arguments).stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command
        .spawn()
        .map_err(|error| Error::stop(format!("cannot start {}: {error}", command.get_program().display())))?;
    let (pid, stdout, stderr) = (child.id(), child.stdout.take(), child.stderr.take());
    let child = Arc::new(Mutex::new(Some(child)));
    let running = Running(Arc::clone(&child));
    let ended = tokio::task::spawn_blocking(move || {
        let (over, peak) = (AtomicBool::new(false), AtomicU64::new(0));
        let (printed, told) = thread::scope(|scope| {
            scope.spawn(|| {
                while !over.load(Relaxed) {
                    peak.fetch_max(peak_rss_bytes(&pid.to_string()).unwrap_or(0), Relaxed);
                    thread::sleep(LOOK_EVERY);
                }
            });
            let told = scope.spawn(|| read(stderr));
            let printed = read(stdout);
            over.store(true, Relaxed);
            (printed, told.join().unwrap_or_default())
        });
        // Both ends of its output are closed: it is gone, or about to.
        let taken = child.lock().unwrap_or_else(PoisonError::into_inner).take();
        let status = taken.map(|mut child| child.wait());
        (printed, told, status, peak.load(Relaxed))
    });
    let (printed, told, status, peak) = ended
        .await
        .map_err(|error| Error::stop(format!("waiting for the program ended unexpectedly: {error}")))?;
    drop(running);
    let failed = |text: &str| Error::stop(text.trim().trim_start_matches("error: ").to_owned());
    match status.transpose() {
        Ok(Some(status)) if status.success() => {}
        Ok(status) if told.trim().is_empty() => {
            let status = status.map_or_else(String::new, |status| status.to_string());
            return Err(failed(&format!("the program ended: {status}")));
        }
        Ok(_) => return Err(failed(&told)),
        Err(error) => return Err(error.into()),
    }
    let summary = serde_json::from_str(&printed)
        .map_err(|error| Error::stop(format!("the program's summary cannot be read: {error}")))?;
    Ok(Ran { summary, rss_peak_bytes: (peak > 0).then_some(peak) })
}

fn read(pipe: Option<impl Read>) -> String {
    let mut bytes = Vec::new();
    if let Some(mut pipe) = pipe {
        // A pipe that breaks ends what there is to read.
        let _ = pipe.read_to_end(&mut bytes);
    }
    String::from_utf8_lossy(&bytes).into_owned()
}
