//! How far a bench is: a line for each run that has ended and, in a terminal, one for the run under way.

use std::io::{IsTerminal, Write, stderr};
use std::time::Duration;

use indicatif::{ProgressBar, ProgressStyle};
use serde::Serialize;

use super::ProgressMode;
use crate::bench::{Contender, Event, Position, Scenario};
use crate::cli::format;
use crate::summary::ReadPath;

/// How often the sign of life moves.
const TICK: Duration = Duration::from_millis(120);

/// Shows how far a bench is, on standard error.
pub struct BenchProgress {
    mode: ProgressMode,
    bar: Option<ProgressBar>,
}

/// A line of `--progress json`.
#[derive(Serialize)]
#[serde(tag = "event", rename_all = "snake_case")]
enum Line<'a> {
    Plan {
        runs: usize,
        estimate_ms: u64,
    },
    Preparing {
        what: &'a str,
    },
    Note {
        text: &'a str,
    },
    Begin(Run<'a>),
    End {
        #[serde(flatten)]
        run: Run<'a>,
        wall_ms: Option<u64>,
        rows_wrong: Option<u64>,
        error: Option<&'a str>,
    },
}

#[derive(Serialize)]
struct Run<'a> {
    scenario: Scenario,
    entity: &'a str,
    contender: Contender,
    read_path: Option<ReadPath>,
    sample: usize,
    done: usize,
    total: usize,
    remaining_ms: u64,
}

impl BenchProgress {
    /// Begins to show.
    pub fn start(mode: ProgressMode) -> Self {
        let mode = mode.resolve(stderr().is_terminal() && !console::is_dumb());
        let bar = (mode == ProgressMode::Bars).then(|| {
            let bar = ProgressBar::new_spinner();
            if let Ok(style) = ProgressStyle::with_template("{spinner} {msg}") {
                bar.set_style(style);
            }
            bar.enable_steady_tick(TICK);
            bar
        });
        Self { mode, bar }
    }

    /// Shows an event.
    pub fn show(&self, event: &Event<'_>) {
        match self.mode {
            ProgressMode::None => {}
            ProgressMode::Json => {
                if let Ok(text) = serde_json::to_string(&Line::of(event)) {
                    say(&text);
                }
            }
            _ => self.tell(event),
        }
    }

    fn tell(&self, event: &Event<'_>) {
        let (text, lasts) = match event {
            Event::Plan { runs, estimate } => {
                (format!("{runs} timed runs, about {}", format::remaining(*estimate)), true)
            }
            Event::Preparing(what) => (format!("preparing {what}"), true),
            Event::Note(text) => (format!("note: {text}"), true),
            Event::Begin(position) => {
                let left = format::remaining(position.remaining);
                let count = format!("{}/{}", position.done + 1, position.total);
                match position.sample {
                    0 => (format!("trying out {}", what(position)), false),
                    _ => (format!("[{count}, {left} left] {}", what(position)), false),
                }
            }
            Event::End { position, wall, rows_wrong, error } => {
                let outcome = match (wall, rows_wrong, error) {
                    (_, _, Some(error)) => format!("failed: {error}"),
                    (_, Some(wrong), _) if *wrong > 0 => {
                        format!("wrong: {} differ", format::counted(*wrong, "row"))
                    }
                    (Some(wall), ..) => format!("{:.3} s", wall.as_secs_f64()),
                    _ => String::new(),
                };
                let count = format!("{}/{}", position.done + 1, position.total);
                (format!("[{count}] {}: {outcome}", what(position)), true)
            }
        };
        match &self.bar {
            Some(bar) if lasts => bar.println(text),
            Some(bar) => bar.set_message(text),
            None if lasts => say(&text),
            None => {}
        }
    }
}

impl Drop for BenchProgress {
    fn drop(&mut self) {
        if let Some(bar) = &self.bar {
            bar.finish_and_clear();
        }
    }
}

fn what(position: &Position<'_>) -> String {
    let read = position.contender.read.map_or(String::new(), |read| format!(", {}", read.name()));
    format!(
        "{} {}: {}{read}, sample {}",
        position.scenario.name(),
        position.entity,
        position.contender.name,
        position.sample
    )
}

fn say(text: &str) {
    // Where standard error is closed there is nobody to tell.
    let _ = writeln!(anstream::stderr(), "{text}");
}

impl<'a> Line<'a> {
    fn of(event: &'a Event<'_>) -> Self {
        match event {
            Event::Plan { runs, estimate } => Self::Plan { runs: *runs, estimate_ms: millis(*estimate) },
            Event::Preparing(what) => Self::Preparing { what },
            Event::Note(text) => Self::Note { text },
            Event::Begin(position) => Self::Begin(Run::of(position)),
            Event::End { position, wall, rows_wrong, error } => Self::End {
                run: Run::of(position),
                wall_ms: wall.map(millis),
                rows_wrong: *rows_wrong,
                error: *error,
            },
        }
    }
}

impl<'a> Run<'a> {
    fn of(position: &'a Position<'_>) -> Self {
        Self {
            scenario: position.scenario,
            entity: position.entity,
            contender: position.contender,
            read_path: position.contender.read,
            sample: position.sample,
            done: position.done,
            total: position.total,
            remaining_ms: millis(position.remaining),
        }
    }
}

fn millis(time: Duration) -> u64 {
    u64::try_from(time.as_millis()).unwrap_or(u64::MAX)
}
