//! The one error of the crate, in PostgreSQL's style: a message in lower case without a period, then
//! a detail, then a hint that says what to do. No secret and no row content ever goes into one.

use std::fmt;

/// A result with the crate's [`Error`].
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// What went wrong, and what follows from it. Opaque: ask it with its methods.
pub struct Error(Box<Inner>);

struct Inner {
    fate: Fate,
    message: String,
    detail: Option<String>,
    hint: Option<String>,
    sqlstate: Option<String>,
    lost: bool,
}

/// What an error means for the run that met it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fate {
    /// The command line or a pipeline file is wrong; nothing was started.
    Usage,
    /// The partition may be tried again: the connection or the server went away.
    Retry,
    /// The run stops; the targets are as before.
    Stop,
    /// The user asked to stop.
    Interrupted,
}

impl Error {
    /// An error that stops the run.
    pub fn stop(message: impl Into<String>) -> Self {
        Self::with_fate(Fate::Stop, message)
    }

    /// A mistake on the command line or in a pipeline file.
    pub fn usage(message: impl Into<String>) -> Self {
        Self::with_fate(Fate::Usage, message)
    }

    /// The user interrupted the run.
    pub fn interrupted() -> Self {
        Self::with_fate(Fate::Interrupted, "interrupted")
    }

    /// An error with a fate decided elsewhere.
    pub fn with_fate(fate: Fate, message: impl Into<String>) -> Self {
        let lost = fate == Fate::Retry;
        Self(Box::new(Inner {
            fate,
            message: message.into(),
            detail: None,
            hint: None,
            sqlstate: None,
            lost,
        }))
    }

    /// Adds what was met, as far as it is known.
    #[must_use]
    pub fn detail(mut self, detail: impl Into<String>) -> Self {
        self.0.detail = Some(detail.into());
        self
    }

    /// Adds to what was met.
    #[must_use]
    pub fn more_detail(mut self, more: impl fmt::Display) -> Self {
        self.0.detail = Some(match self.0.detail.take() {
            Some(detail) => format!("{detail}; {more}"),
            None => more.to_string(),
        });
        self
    }

    /// Adds what to do.
    #[must_use]
    pub fn hint(mut self, hint: impl Into<String>) -> Self {
        self.0.hint = Some(hint.into());
        self
    }

    /// Adds the server's five-character error code.
    #[must_use]
    pub fn sqlstate(mut self, code: impl Into<String>) -> Self {
        self.0.sqlstate = Some(code.into());
        self
    }

    /// The same error, which stops the run whatever it was before.
    #[must_use]
    pub fn stopping(mut self) -> Self {
        self.0.fate = Fate::Stop;
        self
    }

    /// Says what was being done when the error was met: `loading "user": …`.
    #[must_use]
    pub fn context(mut self, doing: impl fmt::Display) -> Self {
        self.0.message = format!("{doing}: {}", self.0.message);
        self
    }

    /// What the error means for the run.
    pub fn fate(&self) -> Fate {
        self.0.fate
    }

    /// Whether a connection or a server went away, whatever that means for the run.
    pub fn is_lost(&self) -> bool {
        self.0.lost
    }

    /// The process's exit code: 1 failed, 2 wrong usage or pipeline, 130 interrupted.
    pub fn exit_code(&self) -> u8 {
        match self.0.fate {
            Fate::Usage => 2,
            Fate::Retry | Fate::Stop => 1,
            Fate::Interrupted => 130,
        }
    }

    /// The message alone, one line or several.
    pub fn message(&self) -> &str {
        &self.0.message
    }

    /// The detail, if any.
    pub fn detail_text(&self) -> Option<&str> {
        self.0.detail.as_deref()
    }

    /// The hint, if any.
    pub fn hint_text(&self) -> Option<&str> {
        self.0.hint.as_deref()
    }

    /// The server's error code, if the server spoke.
    pub fn code(&self) -> Option<&str> {
        self.0.sqlstate.as_deref()
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0.message)?;
        if let Some(detail) = &self.0.detail {
            write!(f, "\ndetail: {detail}")?;
        }
        if let Some(hint) = &self.0.hint {
            write!(f, "\nhint: {hint}")?;
        }
        Ok(())
    }
}

impl fmt::Debug for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl std::error::Error for Error {}

impl From<std::io::Error> for Error {
    fn from(error: std::io::Error) -> Self {
        Self::stop(error.to_string())
    }
}
