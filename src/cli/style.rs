//! How text looks: colours and signs, or neither.
//!
//! Whether a stream bears colour is decided by `anstream` (is it a terminal, `NO_COLOR`, `CLICOLOR`,
//! `CLICOLOR_FORCE`, `TERM=dumb`), whether it bears more than ASCII by the locale. Text is painted only
//! after it was measured and padded, so that escape codes never count as columns.

use std::borrow::Cow;
use std::io;

use anstream::{AutoStream, ColorChoice, stream::RawStream};
use anstyle::AnsiColor;

use crate::summary::Level;

/// What a stream can show.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Style {
    /// Whether it shows colours.
    pub colour: bool,
    /// Whether it shows more than ASCII.
    pub unicode: bool,
}

/// What a piece of text is, for its colour.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Tone {
    /// As it is.
    Plain,
    /// Of less weight: zeros, what waits.
    Dim,
    /// Of more weight: headings, names.
    Strong,
    /// Under way.
    Active,
    /// All is well.
    Good,
    /// Worth a look.
    Warning,
    /// Wrong.
    Critical,
    /// What to do.
    Hint,
}

impl Style {
    /// What standard output can show.
    pub fn stdout() -> Self {
        Self::of(&io::stdout())
    }

    /// What standard error can show.
    pub fn stderr() -> Self {
        Self::of(&io::stderr())
    }

    fn of(stream: &impl RawStream) -> Self {
        let locale = ["LC_ALL", "LC_CTYPE", "LANG"].map(|name| std::env::var(name).ok());
        Self {
            colour: AutoStream::choice(stream) != ColorChoice::Never,
            unicode: cfg!(windows) || is_utf8(&locale),
        }
    }

    /// The text in the colour of its tone, or as it is where there are no colours.
    pub fn paint(self, tone: Tone, text: &str) -> String {
        let style = tone.style();
        if self.colour && !text.is_empty() { format!("{style}{text}{style:#}") } else { text.to_owned() }
    }

    /// The sign before what is done.
    pub fn done_sign(self) -> &'static str {
        if self.unicode { "✓" } else { "+" }
    }

    /// The sign and the tone of a level.
    pub fn level(self, level: Level) -> (&'static str, Tone) {
        match level {
            Level::Good => (self.done_sign(), Tone::Good),
            Level::Warning => ("!", Tone::Warning),
            Level::Critical => (if self.unicode { "✗" } else { "x" }, Tone::Critical),
        }
    }

    /// The text with its arrows and signs in what the stream can show.
    pub fn signs(self, text: &str) -> Cow<'_, str> {
        if self.unicode || text.is_ascii() {
            return Cow::Borrowed(text);
        }
        Cow::Owned(text.replace('→', "->").replace('×', "x").replace('…', "...").replace('·', "0"))
    }
}

impl Tone {
    fn style(self) -> anstyle::Style {
        let plain = anstyle::Style::new();
        let coloured = |colour: AnsiColor| plain.fg_color(Some(colour.into()));
        match self {
            Self::Plain => plain,
            Self::Dim => plain.dimmed(),
            Self::Strong => plain.bold(),
            Self::Active => coloured(AnsiColor::Cyan),
            Self::Good => coloured(AnsiColor::Green),
            Self::Warning => coloured(AnsiColor::Yellow).bold(),
            Self::Critical => coloured(AnsiColor::Red).bold(),
            Self::Hint => coloured(AnsiColor::Cyan).bold(),
        }
    }
}

/// The columns of the terminal that standard output is; `None` where it is none, and nothing need fit.
pub fn stdout_width() -> Option<usize> {
    let term = console::Term::stdout();
    if !term.is_term() {
        return None;
    }
    term.size_checked().map(|(_, columns)| usize::from(columns))
}

/// Whether the first of these locale variables that says something says UTF-8.
fn is_utf8(locale: &[Option<String>]) -> bool {
    let said = locale.iter().flatten().find(|value| !value.is_empty());
    said.is_some_and(|value| {
        let value = value.to_ascii_lowercase();
        value.contains("utf-8") || value.contains("utf8")
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_locale_variable_that_is_not_empty_decides() {
        let said = |values: [&str; 3]| is_utf8(&values.map(|value| Some(value.to_owned())));
        assert!(said(["", "C.UTF-8", "C"]));
        assert!(said(["en_GB.utf8", "C", "C"]));
        assert!(!said(["C", "C.UTF-8", "C.UTF-8"]));
        assert!(!is_utf8(&[None, None, None]));
    }

    #[test]
    fn paint_adds_codes_only_where_there_are_colours() {
        let plain = Style { colour: false, unicode: true };
        let coloured = Style { colour: true, unicode: true };
        assert_eq!(plain.paint(Tone::Good, "good"), "good");
        assert_eq!(coloured.paint(Tone::Good, "good"), "\x1b[32mgood\x1b[0m");
        assert_eq!(coloured.paint(Tone::Plain, "good"), "good");
        assert_eq!(coloured.paint(Tone::Good, ""), "");
    }

    #[test]
    fn without_utf8_every_sign_is_ascii() {
        let ascii = Style { colour: false, unicode: false };
        assert_eq!(ascii.signs("7 × \"\" → NULL"), "7 x \"\" -> NULL");
        for level in [Level::Good, Level::Warning, Level::Critical] {
            assert!(ascii.level(level).0.is_ascii());
        }
    }
}
