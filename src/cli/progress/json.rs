//! Progress for programs: one JSON object a line.
//!
//! Every second for each entity that is under way, and at once when an entity enters a phase. Phases are
//! looked for a hundred times a second, so a line comes within 10 ms of its phase; an entity that went
//! through several meanwhile gets a line for each, in order, with the counters of now.

use std::io::Write;
use std::time::Duration;

use serde::Serialize;

use super::Display;
use super::pace::{Entered, Tracker};
use crate::progress::{EntitySnapshot, Phase, Snapshot};

const EVERY: Duration = Duration::from_secs(1);

/// JSON lines on a writer.
pub(super) struct Json<W> {
    out: W,
    next: Duration,
}

#[derive(Serialize)]
struct Line<'a> {
    event: &'static str,
    elapsed_ms: u64,
    entity: &'a str,
    phase: &'static str,
    rows: u64,
    total: u64,
    bytes: u64,
    load_rows: u64,
    publish_rows: u64,
    rejects: u64,
    lanes: u64,
    in_flight: u64,
    read_busy_ms: u64,
    transform_busy_ms: u64,
    compare_busy_ms: u64,
    load_busy_ms: u64,
    run_eta_ms: Option<u64>,
}

/// Something that is told in words.
#[derive(Serialize)]
struct Note<'a> {
    event: &'static str,
    elapsed_ms: u64,
    text: &'a str,
}

impl<W: Write> Json<W> {
    pub fn new(out: W) -> Self {
        Self { out, next: EVERY }
    }

    fn line(&mut self, elapsed: Duration, seen: &EntitySnapshot, phase: Phase, tracker: &Tracker) {
        let busy = seen.busy;
        let line = Line {
            event: "progress",
            elapsed_ms: millis(elapsed),
            entity: &seen.entity,
            phase: phase.name(),
            rows: seen.read.rows,
            total: seen.read.total,
            bytes: seen.read.bytes,
            load_rows: seen.load.rows,
            publish_rows: seen.publish.rows,
            rejects: seen.rejects,
            lanes: busy.lanes,
            in_flight: busy.in_flight,
            read_busy_ms: busy.read_us / 1000,
            transform_busy_ms: busy.transform_us / 1000,
            compare_busy_ms: busy.compare_us / 1000,
            load_busy_ms: busy.load_us / 1000,
            run_eta_ms: tracker.run.eta().map(millis),
        };
        self.write(&line);
    }

    fn write(&mut self, line: &impl Serialize) {
        // One write a line, so that lines of other writers never come into its middle.
        if let Ok(mut text) = serde_json::to_string(line) {
            text.push('\n');
            let _ = self.out.write_all(text.as_bytes());
        }
    }
}

impl<W: Write + Send> Display for Json<W> {
    fn interval(&self) -> Duration {
        Duration::from_millis(10)
    }

    fn show(&mut self, now: &Snapshot, tracker: &Tracker, entered: &[Entered]) {
        for entered in entered {
            if let Some(seen) = now.entities.get(entered.entity) {
                self.line(now.elapsed, seen, entered.phase, tracker);
            }
        }
        if now.elapsed >= self.next {
            self.next = now.elapsed + EVERY;
            let under_way = |seen: &EntitySnapshot| matches!(seen.phase, Phase::Copying | Phase::Publishing);
            for (index, seen) in now.entities.iter().enumerate().filter(|(_, seen)| under_way(seen)) {
                if !entered.iter().any(|entered| entered.entity == index) {
                    self.line(now.elapsed, seen, seen.phase, tracker);
                }
            }
        }
        let _ = self.out.flush();
    }

    fn tell(&mut self, now: &Snapshot, note: &str) {
        self.write(&Note { event: "note", elapsed_ms: millis(now.elapsed), text: note });
    }
}

fn millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::progress::layout::samples::{at, participants, users};

    /// What a line says where no clock was raised.
    macro_rules! idle {
        () => {
            concat!(
                r#""lanes":0,"in_flight":0,"read_busy_ms":0,"transform_busy_ms":0,"compare_busy_ms":0,"#,
                r#""load_busy_ms":0,"run_eta_ms":null}"#
            )
        };
    }

    #[test]
    fn a_line_a_second_and_one_for_each_phase_in_order() {
        let mut json = Json::new(Vec::new());
        let mut tracker = Tracker::default();
        let mut show = |now: &Snapshot| {
            let entered = tracker.observe(now);
            json.show(now, &tracker, &entered);
            String::from_utf8(std::mem::take(&mut json.out)).unwrap()
        };
        assert_eq!(show(&at(5, [users(Phase::Waiting), participants(Phase::Waiting)])), "");
        assert_eq!(
            show(&at(900, [users(Phase::Done), participants(Phase::Copying)])),
            concat!(
                r#"{"event":"progress","elapsed_ms":900,"entity":"users","phase":"copying","rows":335,"#,
                r#""total":335,"bytes":402000,"load_rows":1675,"publish_rows":1675,"rejects":0,"#,
                idle!(),
                "\n",
                r#"{"event":"progress","elapsed_ms":900,"entity":"users","phase":"publishing","rows":335,"#,
                r#""total":335,"bytes":402000,"load_rows":1675,"publish_rows":1675,"rejects":0,"#,
                idle!(),
                "\n",
                r#"{"event":"progress","elapsed_ms":900,"entity":"users","phase":"done","rows":335,"#,
                r#""total":335,"bytes":402000,"load_rows":1675,"publish_rows":1675,"rejects":0,"#,
                idle!(),
                "\n",
                r#"{"event":"progress","elapsed_ms":900,"entity":"participants","phase":"copying","#,
                r#""rows":301213,"total":702072,"bytes":237958270,"load_rows":280828,"#,
                r#""publish_rows":0,"rejects":1234,"#,
                idle!(),
                "\n",
            )
        );
        assert_eq!(show(&at(910, [users(Phase::Done), participants(Phase::Copying)])), "");
        assert_eq!(
            show(&at(1900, [users(Phase::Done), participants(Phase::Copying)])),
            concat!(
                r#"{"event":"progress","elapsed_ms":1900,"entity":"participants","phase":"copying","#,
                r#""rows":301213,"total":702072,"bytes":237958270,"load_rows":280828,"#,
                r#""publish_rows":0,"rejects":1234,"#,
                idle!(),
                "\n",
            )
        );
    }
}
