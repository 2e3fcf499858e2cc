//! Progress for people at a terminal: bars by indicatif.
//!
//! The lines come from [`layout`](super::layout); here they meet the terminal. Each line is one indicatif
//! bar; a finished entity is printed above them once, for good. A frame is set bar by bar and drawn once:
//! the draw target's own rate is as low as it goes, and the last change of a frame is forced through, so
//! that no half-set frame stays.

use std::time::Duration;

use console::Term;
use indicatif::{MultiProgress, ProgressBar, ProgressDrawTarget, ProgressStyle, TermLike};

use super::columns::Line;
use super::layout::{Size, finished, frame};
use super::pace::{Entered, Tracker};
use super::{Display, Outcome};
use crate::cli::style::{Style, Tone};
use crate::progress::{Phase, Snapshot};

/// Bars in a terminal.
pub(super) struct Bars {
    multi: MultiProgress,
    term: Box<dyn TermLike>,
    style: Style,
    /// Whether the present bottleneck is shown, too.
    verbose: bool,
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
    pub fn new(style: Style, verbose: bool) -> Self {
        let term = Term::buffered_stderr();
        Self::on(ProgressDrawTarget::term(term.clone(), 1), Box::new(term), style, verbose)
    }

    fn on(target: ProgressDrawTarget, term: Box<dyn TermLike>, style: Style, verbose: bool) -> Self {
        Self { multi: MultiProgress::with_draw_target(target), term, style, verbose, bars: Vec::new() }
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
        self.set(frame(now, tracker, size, self.style, self.verbose));
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

    fn tell(&mut self, _now: &Snapshot, note: &str) {
        let _ = self.multi.println(note);
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

#[cfg(test)]
mod tests {
    use indicatif::InMemoryTerm;

    use super::*;
    use crate::cli::progress::layout::samples::{at, participants, users};

    const PLAIN: Style = Style { colour: false, unicode: true };

    fn bars(style: Style) -> (Bars, InMemoryTerm) {
        let term = InMemoryTerm::new(12, 80);
        let target = ProgressDrawTarget::term_like_with_hz(Box::new(term.clone()), 1);
        (Bars::on(target, Box::new(term.clone()), style, false), term)
    }

    fn show(bars: &mut Bars, snapshots: &[Snapshot]) {
        let mut tracker = Tracker::default();
        for now in snapshots {
            let entered = tracker.observe(now);
            bars.show(now, &tracker, &entered);
        }
    }

    const COPYING: &str = "\
✓ users             335 rows  in 0.1 s
participants  3.2 s  1,234 rejects
  read    ━━━━╸─────   42 %  301,213/702,072
  load    ━━━╸──────   39 %  280,828/702,072
  publish ──────────
elapsed 0.3 s  1 of 2 done";

    #[test]
    fn finished_entities_stand_above_the_bars_of_those_under_way() {
        let (mut bars, term) = bars(PLAIN);
        show(
            &mut bars,
            &[
                at(100, [users(Phase::Copying), participants(Phase::Waiting)]),
                at(300, [users(Phase::Done), participants(Phase::Copying)]),
            ],
        );
        assert_eq!(term.contents(), COPYING);
    }

    #[test]
    fn without_utf8_the_bars_are_ascii() {
        let (mut bars, term) = bars(Style { unicode: false, ..PLAIN });
        show(&mut bars, &[at(300, [users(Phase::Done), participants(Phase::Copying)])]);
        assert_eq!(
            term.contents(),
            COPYING.replace('✓', "+").replace('━', "=").replace('╸', ">").replace('─', "-")
        );
    }

    #[test]
    fn a_run_that_is_done_leaves_only_its_finished_lines() {
        let (mut bars, term) = bars(PLAIN);
        show(&mut bars, &[at(300, [users(Phase::Copying)]), at(400, [users(Phase::Done)])]);
        bars.finish(Outcome::Done);
        term.write_line("the report").unwrap();
        assert_eq!(term.contents(), "✓ users      335 rows  in 0.1 s\nthe report");
    }

    #[test]
    fn a_run_that_stopped_leaves_its_bars_where_they_stood() {
        let (mut bars, term) = bars(PLAIN);
        show(&mut bars, &[at(300, [users(Phase::Done), participants(Phase::Copying)])]);
        bars.finish(Outcome::Stopped);
        drop(bars);
        term.write_line("error: interrupted").unwrap();
        assert_eq!(term.contents(), format!("{COPYING}\nerror: interrupted"));
    }
}
