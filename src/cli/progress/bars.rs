//! Progress for people at a terminal: bars by indicatif.
//!
//! The lines come from [`layout`](super::layout); here they meet the terminal. Each line is one indicatif
//! bar; a finished entity is printed above them once, for good. A frame is set bar by bar and drawn once:
//! the draw target's own rate is as low as it goes, and the last change of a frame is forced through, so
//! that no half-set frame stays.

use std::time::Duration;

use console::Term;
use indicatif::{MultiProgress, ProgressBar, ProgressDrawTarget, ProgressStyle, TermLike};

use super::layout::{Line, Size, finished, frame};
use super::pace::{Entered, Tracker};
use super::{Display, Outcome};
use crate::cli::style::{Style, Tone};
use crate::progress::{Phase, Snapshot};

/// Bars in a terminal.
pub(super) struct Bars {
    multi: MultiProgress,
    term: Box<dyn TermLike>,
    style: Style,
    bars: Vec<Slot>,
}

/// A line of the terminal and the look that it was given last.
struct Slot {
    bar: ProgressBar,
    look: Option<Look>,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Look {
    Text,
    Bar { width: usize, tone: Tone },
}

impl Bars {
    /// Bars on standard error.
    pub fn new(style: Style) -> Self {
        let term = Term::buffered_stderr();
        Self::on(ProgressDrawTarget::term(term.clone(), 1), Box::new(term), style)
    }

    fn on(target: ProgressDrawTarget, term: Box<dyn TermLike>, style: Style) -> Self {
        Self { multi: MultiProgress::with_draw_target(target), term, style, bars: Vec::new() }
    }

    fn size(&self) -> Size {
        Size { columns: usize::from(self.term.width()), rows: usize::from(self.term.height()) }
    }

    fn set(&mut self, lines: Vec<Line>) {
        for slot in self.bars.drain(lines.len().min(self.bars.len())..) {
            self.multi.remove(&slot.bar);
        }
        while self.bars.len() < lines.len() {
            let bar = ProgressBar::with_draw_target(Some(1000), ProgressDrawTarget::hidden());
            self.bars.push(Slot { bar: self.multi.add(bar), look: None });
        }
        for (slot, line) in self.bars.iter_mut().zip(lines) {
            slot.set(line, self.style);
        }
    }
}

impl Slot {
    fn set(&mut self, line: Line, style: Style) {
        let look = match &line {
            Line::Text(_) => Look::Text,
            Line::Bar { width, tone, .. } => Look::Bar { width: *width, tone: *tone },
        };
        if self.look.replace(look) != Some(look) {
            self.bar.set_style(look.style(style));
        }
        match line {
            Line::Text(text) => self.bar.set_message(text),
            Line::Bar { label, permille, tail, .. } => {
                self.bar.set_prefix(label);
                self.bar.set_position(permille);
                self.bar.set_message(tail);
            }
        }
    }
}

impl Look {
    fn style(self, style: Style) -> ProgressStyle {
        let template = match self {
            Self::Text => "{msg}".to_owned(),
            // indicatif draws a bar of width 0 as one of its default width.
            Self::Bar { width: 0, .. } => "{prefix}{msg}".to_owned(),
            Self::Bar { width, .. } if !style.colour => format!("{{prefix}}{{bar:{width}}}{{msg}}"),
            Self::Bar { width, tone } => {
                let colour = if tone == Tone::Good { "green" } else { "cyan" };
                format!("{{prefix}}{{bar:{width}.{colour}/dim}}{{msg}}")
            }
        };
        // The templates above are valid: only a mistake in this file could fail here.
        let chosen = ProgressStyle::with_template(&template).unwrap_or_else(|_| ProgressStyle::default_bar());
        chosen.progress_chars(if style.unicode { "━╸─" } else { "=>-" })
    }
}

impl Display for Bars {
    fn interval(&self) -> Duration {
        Duration::from_millis(100)
    }

    fn show(&mut self, now: &Snapshot, tracker: &Tracker, entered: &[Entered]) {
        let size = self.size();
        self.set(frame(now, tracker, size, self.style));
        let done = entered.iter().filter(|entered| entered.phase == Phase::Done);
        let done: Vec<String> = done
            .filter_map(|entered| tracker.of(now).nth(entered.entity))
            .map(|(seen, track)| finished(now, seen, track, size.columns, self.style))
            .collect();
        if !done.is_empty() {
            let _ = self.multi.println(done.join("\n"));
        } else if let Some(last) = self.bars.last() {
            last.bar.force_draw();
        }
    }

    fn finish(&mut self, outcome: Outcome) {
        match outcome {
            Outcome::Done => {
                self.set(Vec::new());
                let _ = self.multi.clear();
            }
            Outcome::Stopped => {
                self.bars.iter().for_each(|slot| slot.bar.abandon());
                // indicatif leaves the cursor behind the last line.
                let _ = self.term.write_line("").and_then(|()| self.term.flush());
            }
        }
    }
}
