//! How far a run is, on standard error, in the form that suits who reads it.
//!
//! One thread reads the counters and draws; the data path only raises them and never waits for a
//! terminal. What is drawn is a pure function of a [`Snapshot`] and of the speeds that [`Tracker`] keeps, so
//! every form is tested as text. A form that cannot write (standard error is closed) goes on in silence:
//! no terminal may stop a run.
//!
//! ```text
//! Progress ──snapshot──► Tracker (phases entered, speeds, ETA, what is busy) ──► Bars | Plain | Json
//! ```
//! indicatif hides its bars when standard error is no terminal and then swallows every line printed
//! through it; that is why plain lines and JSON lines do not go through it, and why bars that cannot be
//! drawn become plain lines.

mod bars;
mod bench;
mod busy;
mod columns;
mod json;
mod layout;
mod pace;
mod plain;

use std::io::{IsTerminal, stderr};
use std::sync::Arc;
use std::sync::mpsc::{self, RecvTimeoutError, Sender};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use self::bars::Bars;
pub use self::bench::BenchProgress;
use self::json::Json;
use self::pace::{Entered, Tracker};
use self::plain::Plain;
use crate::cli::style::Style;
use crate::progress::{Progress, Snapshot};

/// The form in which progress is shown.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, clap::ValueEnum)]
pub enum ProgressMode {
    /// Bars in a terminal, plain lines elsewhere
    #[default]
    Auto,
    /// Bars that move; plain lines where standard error is no terminal
    Bars,
    /// A line every five seconds and at each phase
    Plain,
    /// A JSON object a line, every second and at each phase
    Json,
    /// Nothing
    None,
}

impl ProgressMode {
    /// The mode for a standard error that is, or is not, a terminal that can move its cursor.
    fn resolve(self, terminal: bool) -> Self {
        match self {
            Self::Auto | Self::Bars if terminal => Self::Bars,
            Self::Auto | Self::Bars => Self::Plain,
            Self::Plain | Self::Json | Self::None => self,
        }
    }
}

/// How a run ended, as far as its progress is concerned.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// Every entity is done.
    Done,
    /// An error or the user stopped it: what was drawn stays where it stood.
    Stopped,
}

/// A form of progress.
trait Display: Send {
    /// How often [`show`](Self::show) wants to be called.
    fn interval(&self) -> Duration;

    /// Shows the state of now; `entered` are the phases that were entered since the last call, in order.
    fn show(&mut self, now: &Snapshot, tracker: &Tracker, entered: &[Entered]);

    /// Tells a sentence, on a line of its own.
    fn tell(&mut self, _now: &Snapshot, _note: &str) {}

    /// Called once, after the last `show`. Leaves the cursor at the start of a line.
    fn finish(&mut self, _outcome: Outcome) {}
}

/// The thread that shows progress. Dropped without [`finish`](Self::finish) it ends as
/// [`Outcome::Stopped`].
pub struct Ticker {
    end: Option<Sender<Outcome>>,
    thread: Option<JoinHandle<()>>,
}

impl Ticker {
    /// Begins to show how far a run is.
    pub fn start(mode: ProgressMode, progress: Arc<Progress>) -> Self {
        Self::start_with(mode, progress, false)
    }

    /// The same; where it is `verbose`, with the stage that is busiest now, and the batches in flight.
    pub fn start_with(mode: ProgressMode, progress: Arc<Progress>, verbose: bool) -> Self {
        let terminal = stderr().is_terminal() && !console::is_dumb();
        let display: Box<dyn Display> = match mode.resolve(terminal) {
            ProgressMode::Bars => Box::new(Bars::new(Style::stderr(), verbose)),
            ProgressMode::Json => Box::new(Json::new(stderr())),
            ProgressMode::Plain | ProgressMode::Auto => Box::new(Plain::new(stderr(), verbose)),
            ProgressMode::None => return Self { end: None, thread: None },
        };
        let (end, ended) = mpsc::channel();
        let body = move || tick(display, &progress, &ended);
        // A run without its progress is better than no run: a thread that cannot start is left out.
        let thread = thread::Builder::new().name("progress".to_owned()).spawn(body).ok();
        Self { end: Some(end), thread }
    }

    /// Shows the last state and leaves the terminal ready for the report that follows.
    pub fn finish(mut self, outcome: Outcome) {
        self.end_with(outcome);
    }

    fn end_with(&mut self, outcome: Outcome) {
        if let Some(end) = self.end.take() {
            // Neither can fail unless the thread has panicked, and then nothing is left to end.
            let _ = end.send(outcome);
            let _ = self.thread.take().map(JoinHandle::join);
        }
    }
}

impl Drop for Ticker {
    fn drop(&mut self) {
        self.end_with(Outcome::Stopped);
    }
}

fn tick(mut display: Box<dyn Display>, progress: &Progress, ended: &mpsc::Receiver<Outcome>) {
    let mut tracker = Tracker::default();
    loop {
        let end = match ended.recv_timeout(display.interval()) {
            Ok(outcome) => Some(outcome),
            Err(RecvTimeoutError::Timeout) => None,
            Err(RecvTimeoutError::Disconnected) => Some(Outcome::Stopped),
        };
        let now = progress.snapshot();
        for note in progress.take_notes() {
            display.tell(&now, &note);
        }
        let entered = tracker.observe(&now);
        display.show(&now, &tracker, &entered);
        if let Some(outcome) = end {
            return display.finish(outcome);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Mutex;

    use super::*;
    use crate::progress::Phase;

    #[test]
    fn bars_need_a_terminal_and_the_other_forms_do_not() {
        use ProgressMode::*;
        for (asked, terminal, shown) in [
            (Auto, true, Bars),
            (Auto, false, Plain),
            (Bars, true, Bars),
            (Bars, false, Plain),
            (Plain, true, Plain),
            (Json, true, Json),
            (None, true, None),
        ] {
            assert_eq!(asked.resolve(terminal), shown, "{asked:?} {terminal}");
        }
    }

    #[derive(Clone, Default)]
    struct Recorder(Arc<Mutex<Vec<String>>>);

    impl Display for Recorder {
        fn interval(&self) -> Duration {
            Duration::from_secs(3600)
        }

        fn show(&mut self, _now: &Snapshot, _tracker: &Tracker, entered: &[Entered]) {
            let names = entered.iter().map(|entered| entered.phase.name().to_owned());
            self.0.lock().unwrap().extend(names);
        }

        fn tell(&mut self, _now: &Snapshot, note: &str) {
            self.0.lock().unwrap().push(note.to_owned());
        }

        fn finish(&mut self, outcome: Outcome) {
            self.0.lock().unwrap().push(format!("{outcome:?}"));
        }
    }

    #[test]
    fn the_last_state_is_shown_before_the_end_even_when_no_tick_came_between() {
        let recorder = Recorder::default();
        let progress = Progress::new(["users".to_owned()]);
        for phase in [Phase::Copying, Phase::Publishing, Phase::Done] {
            progress.enter(0, phase);
        }
        progress.tell("it waited".to_owned());
        let (end, ended) = mpsc::channel();
        end.send(Outcome::Done).unwrap();
        tick(Box::new(recorder.clone()), &progress, &ended);
        assert_eq!(*recorder.0.lock().unwrap(), ["it waited", "copying", "publishing", "done", "Done"]);
    }

    #[test]
    fn a_ticker_that_is_dropped_has_stopped() {
        let recorder = Recorder::default();
        let progress = Progress::new(["users".to_owned()]);
        let (end, ended) = mpsc::channel();
        drop(end);
        tick(Box::new(recorder.clone()), &progress, &ended);
        assert_eq!(*recorder.0.lock().unwrap(), ["Stopped"]);
    }
}
