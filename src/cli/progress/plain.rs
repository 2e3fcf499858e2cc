//! Progress for logs: a line every five seconds for each entity under way, and one at each phase.
//!
//! ```text
//! 12.3 s  participants  copying  43 %  301,213/702,072 rows  61 MB/s  58,120 rows/s  ETA 7 s
//! ```
//! While an entity is copied its rows are those that are read and loaded in all its targets, so 100 %
//! means that nothing of it is on its way any more.

use std::io::Write;
use std::time::Duration;

use super::Display;
use super::layout::took;
use super::pace::{Entered, Track, Tracker, copied};
use crate::cli::format;
use crate::progress::{EntitySnapshot, Phase, Snapshot, Words};

const EVERY: Duration = Duration::from_secs(5);

/// Plain lines on a writer.
pub(super) struct Plain<W> {
    out: W,
    next: Duration,
    /// Whether the present bottleneck is told, too.
    verbose: bool,
}

impl<W: Write> Plain<W> {
    pub fn new(out: W, verbose: bool) -> Self {
        Self { out, next: EVERY, verbose }
    }

    fn line(&mut self, elapsed: Duration, entity: &str, phase: Phase, rest: Vec<String>) {
        let mut parts = vec![format::duration(elapsed), entity.to_owned(), phase.name().to_owned()];
        parts.extend(rest);
        // One write a line, so that lines of other writers never come into its middle.
        let _ = self.out.write_all((parts.join("  ") + "\n").as_bytes());
    }
}

impl<W: Write + Send> Display for Plain<W> {
    fn interval(&self) -> Duration {
        Duration::from_millis(100)
    }

    fn show(&mut self, now: &Snapshot, tracker: &Tracker, entered: &[Entered]) {
        let due = now.elapsed >= self.next;
        if due {
            self.next = now.elapsed + EVERY;
        }
        for (index, (seen, track)) in tracker.of(now).enumerate() {
            let mut told = false;
            for entered in entered.iter().filter(|entered| entered.entity == index) {
                let rest = if entered.current { counters(now.words, seen, track) } else { Vec::new() };
                self.line(now.elapsed, &seen.entity, entered.phase, rest);
                told = true;
            }
            if due && !told && matches!(seen.phase, Phase::Copying | Phase::Publishing) {
                self.line(now.elapsed, &seen.entity, seen.phase, counters(now.words, seen, track));
            }
        }
        if let Some(busy) = tracker.busy.words().filter(|_| due && self.verbose) {
            let eta = tracker.run.eta().map(|eta| format!("  ETA of all {}", format::remaining(eta)));
            let line = format!("{}  {busy}{}\n", format::duration(now.elapsed), eta.unwrap_or_default());
            let _ = self.out.write_all(line.as_bytes());
        }
        let _ = self.out.flush();
    }

    fn tell(&mut self, now: &Snapshot, note: &str) {
        let _ = self.out.write_all(format!("{}  {note}\n", format::duration(now.elapsed)).as_bytes());
    }
}

/// What there is to say of an entity in its phase.
fn counters(words: Words, seen: &EntitySnapshot, track: &Track) -> Vec<String> {
    let (meter, pace) = match seen.phase {
        Phase::Waiting => return Vec::new(),
        Phase::Copying => (copied(seen), &track.copy),
        Phase::Publishing => (seen.publish, &track.publish),
        Phase::Done => {
            let mut parts = vec![format::counted(seen.read.rows, "row")];
            parts.extend(took(words, seen, track));
            parts.extend(rejects(seen));
            return parts;
        }
    };
    let mut parts = Vec::new();
    if let Some(percent) = format::percent(meter.rows, meter.total) {
        parts.push(format!("{percent} %"));
        parts.push(format!("{}/{}", format::count(meter.rows), format::counted(meter.total, "row")));
    }
    if let Some(speed) = pace.speed() {
        if meter.bytes > 0 {
            parts.push(format!("{}/s", format::bytes(speed.bytes_per_s)));
        }
        parts.push(format!("{} rows/s", format::count(speed.rows_per_s)));
    }
    parts.extend(pace.eta().map(|eta| format!("ETA {}", format::remaining(eta))));
    parts.extend(rejects(seen));
    parts
}

fn rejects(seen: &EntitySnapshot) -> Option<String> {
    (seen.rejects > 0).then(|| format::counted(seen.rejects, "reject"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::progress::layout::samples::{at, participants, users};
    use crate::progress::Meter;

    fn lines(snapshots: &[Snapshot]) -> String {
        let mut plain = Plain::new(Vec::new(), false);
        let mut tracker = Tracker::default();
        for now in snapshots {
            let entered = tracker.observe(now);
            plain.show(now, &tracker, &entered);
        }
        String::from_utf8(plain.out).unwrap()
    }

    #[test]
    fn a_line_at_each_phase_and_every_five_seconds_between() {
        let begun = EntitySnapshot {
            read: Meter { rows: 0, total: 702_072, bytes: 0 },
            load: Meter { rows: 0, total: 702_072, bytes: 0 },
            rejects: 0,
            ..participants(Phase::Copying)
        };
        let done = EntitySnapshot {
            elapsed: Duration::from_millis(12_300),
            phase_elapsed: Duration::from_millis(200),
            ..participants(Phase::Done)
        };
        let publishing = EntitySnapshot {
            elapsed: Duration::from_millis(9_400),
            phase_elapsed: Duration::from_millis(300),
            ..participants(Phase::Publishing)
        };
        let text = lines(&[
            at(100, [participants(Phase::Waiting)]),
            at(200, [begun]),
            at(4_900, [participants(Phase::Copying)]),
            at(5_000, [participants(Phase::Copying)]),
            at(9_600, [publishing]),
            at(12_700, [done]),
        ]);
        // 280,828 rows and 237,958,270 bytes in 4.8 s. The first estimate, at 4.9 s: 421,244 rows at 59,751 a
        // second, 7.05 s; 0.1 s later that has counted down to 6.95 s and moved 5 % of the way to 7.2 s.
        let expected = "\
0.2 s  participants  copying  0 %  0/702,072 rows
5.0 s  participants  copying  39 %  280,828/702,072 rows  50 MB/s  58,506 rows/s  ETA 7 s  1,234 rejects
9.6 s  participants  publishing  0 %  0/702,072 rows  1,234 rejects
12.7 s  participants  done  702,072 rows  read+load 9.1 s  publish 3.2 s  1,234 rejects
";
        assert_eq!(text, expected);
    }

    #[test]
    fn phases_that_passed_between_two_looks_are_told_in_order() {
        let text = lines(&[at(0, [users(Phase::Waiting)]), at(120, [users(Phase::Done)])]);
        let expected = "\
0.1 s  users  copying
0.1 s  users  publishing
0.1 s  users  done  335 rows  in 0.1 s
";
        assert_eq!(text, expected);
    }

    #[test]
    fn an_entity_without_rows_has_no_share_and_no_speed() {
        let empty = |phase| EntitySnapshot {
            read: Meter::default(),
            load: Meter::default(),
            publish: Meter::default(),
            rejects: 0,
            ..participants(phase)
        };
        let text = lines(&[at(0, [empty(Phase::Copying)]), at(6_000, [empty(Phase::Publishing)])]);
        assert_eq!(text, "0.0 s  participants  copying\n6.0 s  participants  publishing\n");
    }
}
