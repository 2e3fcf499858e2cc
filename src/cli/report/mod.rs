//! Results for people, as text on a writer; the shapes for programs are those of `crate::summary`.
//!
//! Nothing here knows a terminal: what it can show comes in as a [`Style`]. Tables are our own short
//! [`table`]: a library with colour in its cells (`comfy-table`) costs a dozen crates for what is
//! padding and alignment here.

mod bench;
mod check;
mod config;
mod doctor;
mod drift;
mod history;
mod import;
mod inspect;
mod plan;
mod rejects;
mod run;
mod run_report;
mod scaffold;
mod status;
mod table;
mod test;
mod values;
mod verify;

use std::io::{self, Write};

use crate::cli::style::{Style, Tone};
use crate::error::Error;

pub use self::bench::{bench, csv as bench_csv, html as bench_html};
pub use self::check::check;
pub use self::config::config;
pub use self::doctor::doctor;
pub use self::drift::drift;
pub use self::history::{history, run_details};
pub use self::import::import;
pub use self::inspect::{inspect, inspect_html};
pub use self::plan::plan;
pub use self::rejects::rejects;
pub use self::run::run_summary;
pub use self::run_report::{html as report_html, markdown as report_markdown, text as report_text};
pub use self::scaffold::scaffold;
pub use self::status::status;
pub use self::test::test;
pub use self::verify::verify;

/// An error with its detail and its hint, as cargo prints them.
///
/// # Errors
///
/// Those of the writer.
pub fn error(out: &mut dyn Write, error: &Error, style: Style) -> io::Result<()> {
    labelled(out, "", ("error", Tone::Critical), error.message(), style)?;
    for (label, text) in [(("detail", Tone::Strong), error.detail_text()), (HINT, error.hint_text())] {
        if let Some(text) = text {
            labelled(out, "  ", label, text, style)?;
        }
    }
    Ok(())
}

const HINT: (&str, Tone) = ("hint", Tone::Hint);

/// `label: text`; further lines of the text stand below its first.
fn labelled(
    out: &mut dyn Write,
    indent: &str,
    (label, tone): (&str, Tone),
    text: &str,
    style: Style,
) -> io::Result<()> {
    write!(out, "{indent}{}", style.paint(tone, &format!("{label}:")))?;
    let below = indent.len() + label.len() + 2;
    for (index, line) in text.lines().enumerate() {
        let before = if index == 0 { 1 } else { below };
        writeln!(out, "{:before$}{line}", "")?;
    }
    if text.is_empty() { writeln!(out) } else { Ok(()) }
}

/// A text in lines of at most so many columns, broken between words; a longer word has a line of its own.
fn broken(text: &str, width: Option<usize>) -> String {
    let Some(width) = width else { return text.to_owned() };
    let mut lines = String::new();
    let mut column = 0;
    for word in text.split_whitespace() {
        let columns = console::measure_text_width(word);
        if column > 0 && column + 1 + columns > width {
            lines.push('\n');
            column = 0;
        } else if column > 0 {
            lines.push(' ');
            column += 1;
        }
        lines.push_str(word);
        column += columns;
    }
    lines
}

#[cfg(test)]
mod tests {
    use super::*;

    pub(super) const PLAIN: Style = Style { colour: false, unicode: true };
    pub(super) const ASCII: Style = Style { colour: false, unicode: false };
    pub(super) const COLOUR: Style = Style { colour: true, unicode: true };

    /// What a printer writes.
    pub(super) fn text(print: impl FnOnce(&mut dyn Write) -> io::Result<()>) -> String {
        let mut out = Vec::new();
        print(&mut out).unwrap();
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn an_error_has_its_detail_and_its_hint_below_it() {
        let full = Error::stop("connection refused").detail("host db1\nport 5432").hint("is it up?");
        let expected = "\
error: connection refused
  detail: host db1
          port 5432
  hint: is it up?
";
        assert_eq!(text(|out| error(out, &full, PLAIN)), expected);
        assert_eq!(text(|out| error(out, &Error::interrupted(), PLAIN)), "error: interrupted\n");
        assert_eq!(
            text(|out| error(out, &Error::stop("no").hint("yes"), COLOUR)),
            "\x1b[1m\x1b[31merror:\x1b[0m no\n  \x1b[1m\x1b[36mhint:\x1b[0m yes\n"
        );
    }
}
