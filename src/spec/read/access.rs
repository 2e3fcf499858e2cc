//! Typed access to a TOML tree that reports what it does not find instead of stopping at it.
//!
//! The TOML reader recovers after a syntax error, but what stands around the error may be lost or
//! twisted. So once a file has one, nothing more is said about its line, and nothing is called
//! missing: that would be the echo of the error, not a problem of its own.

use std::ops::Range;
use std::path::Path;

use toml::Spanned;
use toml::de::{DeTable, DeValue};

use crate::spec::model::Position;
use crate::spec::problem::{Problem, closest, did_you_mean};

/// A value with its place, a range of bytes of the file's text.
pub(crate) type Value<'i> = Spanned<DeValue<'i>>;

/// A range of bytes of the file's text.
pub(crate) type Span = Range<usize>;

/// Collects the problems of one file.
pub(crate) struct Reader<'t> {
    file: &'t str,
    text: &'t str,
    problems: Vec<Problem>,
    /// The lines with syntax errors, and what the TOML reader says of them.
    broken: Vec<(usize, String)>,
}

impl<'t> Reader<'t> {
    pub(crate) fn new(file: &'t str, text: &'t str) -> Self {
        Self { file, text, problems: Vec::new(), broken: Vec::new() }
    }

    /// The file as the user knows it.
    pub(crate) fn file(&self) -> &'t str {
        self.file
    }

    /// The folder that the file lies in; empty for a bare name.
    pub(crate) fn folder(&self) -> &'t Path {
        Path::new(self.file).parent().unwrap_or(Path::new(""))
    }

    /// What is written in a place.
    pub(crate) fn text(&self, span: Span) -> &'t str {
        self.text.get(span).unwrap_or_default()
    }

    /// Everything found, in the order of the file.
    pub(crate) fn into_problems(mut self) -> Vec<Problem> {
        self.problems.sort_by_key(|problem| problem.position);
        self.problems
    }

    /// Reports what the TOML reader says, to be called in the order of the text. A key that stands
    /// twice breaks nothing: the first counts.
    ///
    /// The reader's errors have no kinds, only texts; the tests hold the two that are told apart.
    pub(crate) fn syntax(&mut self, error: &toml::de::Error) {
        let span = error.span().unwrap_or_default();
        let line = self.position(span.start).line;
        if error.message() == "duplicate key" {
            let key = self.text.get(span.clone()).unwrap_or_default().trim_matches(['"', '\'']);
            self.report(span, format!("{key:?} stands here for the second time"), None);
            return;
        }
        let last = self.broken.last();
        if last.is_some_and(|(last, _)| line == *last) {
            return;
        }
        // A bracket left open makes an error of every line that follows.
        let echo = last.is_some_and(|(last, message)| line == last + 1 && message == error.message());
        if !echo {
            let hint = self.unquoted(span.start);
            self.add(span, format!("not TOML: {}", error.message()), hint);
        }
        self.broken.push((line, error.message().to_owned()));
    }

    /// The hint for a word that stands behind a `=` without quotes.
    fn unquoted(&self, offset: usize) -> Option<String> {
        let (before, rest) = self.text.split_at_checked(offset)?;
        let word = rest.split(|c: char| !c.is_alphanumeric() && c != '_').next()?;
        let behind_equals = before.trim_end_matches([' ', '\t']).ends_with('=');
        (behind_equals && word.starts_with(char::is_alphabetic))
            .then(|| format!("write a text in double quotes: \"{word}\""))
    }

    /// Reports a problem at the beginning of `span`.
    pub(crate) fn report(&mut self, span: Span, message: impl Into<String>, hint: impl Into<Option<String>>) {
        let line = self.position(span.start).line;
        if !self.broken.iter().any(|(broken, _)| *broken == line) {
            self.add(span, message.into(), hint.into());
        }
    }

    /// Reports something missing, to be put into what begins at `span`.
    pub(crate) fn missing(
        &mut self,
        span: Span,
        message: impl Into<String>,
        hint: impl Into<Option<String>>,
    ) {
        if self.broken.is_empty() {
            self.report(span, message, hint);
        }
    }

    fn add(&mut self, span: Span, message: String, hint: Option<String>) {
        let position = Some(self.position(span.start));
        self.problems.push(Problem { file: self.file.to_owned(), position, message, hint });
    }

    /// The place of a byte of the text.
    pub(crate) fn position(&self, offset: usize) -> Position {
        let before = self.text.get(..offset).unwrap_or(self.text);
        let line = before.matches('\n').count() + 1;
        let column = before.rsplit('\n').next().unwrap_or_default().chars().count() + 1;
        Position { line, column }
    }

    /// A string. PostgreSQL stores no NUL character in any name or text.
    pub(crate) fn string<'a>(&mut self, value: &'a Value<'_>) -> Option<&'a str> {
        match value.get_ref() {
            DeValue::String(text) if text.contains('\0') => {
                self.report(value.span(), "a NUL character cannot be stored", None);
                None
            }
            DeValue::String(text) => Some(text),
            _ => self.mismatch("a string", value),
        }
    }

    /// A string, or a list of strings that is not empty and names nothing twice.
    pub(crate) fn strings<'a>(&mut self, value: &'a Value<'_>) -> Option<Vec<(&'a str, Span)>> {
        let items = match value.get_ref() {
            DeValue::Array(items) => items,
            DeValue::String(_) => return self.string(value).map(|text| vec![(text, value.span())]),
            _ => return self.mismatch("a string or a list of strings", value),
        };
        if items.is_empty() {
            self.report(value.span(), "the list is empty", None);
        }
        let mut strings: Vec<(&str, Span)> = Vec::with_capacity(items.len());
        for item in items.iter() {
            let Some(text) = self.string(item) else { continue };
            if strings.iter().any(|(known, _)| *known == text) {
                self.report(item.span(), format!("{text:?} stands in the list twice"), None);
            }
            strings.push((text, item.span()));
        }
        Some(strings)
    }

    /// The same without the places.
    pub(crate) fn texts(&mut self, value: &Value<'_>) -> Option<Vec<String>> {
        let strings = self.strings(value)?;
        Some(strings.into_iter().map(|(text, _)| text.to_owned()).collect())
    }

    pub(crate) fn boolean(&mut self, value: &Value<'_>) -> Option<bool> {
        match value.get_ref() {
            DeValue::Boolean(value) => Some(*value),
            _ => self.mismatch("a boolean", value),
        }
    }

    pub(crate) fn table<'a, 'i>(&mut self, value: &'a Value<'i>) -> Option<&'a DeTable<'i>> {
        match value.get_ref() {
            DeValue::Table(table) => Some(table),
            _ => self.mismatch("a table", value),
        }
    }

    /// One of a few words.
    pub(crate) fn word<T: Copy>(
        &mut self,
        option: &str,
        value: &Value<'_>,
        words: &[(&str, T)],
    ) -> Option<T> {
        let text = self.string(value)?;
        let found = words.iter().find(|(word, _)| *word == text);
        if found.is_none() {
            let known: Vec<&str> = words.iter().map(|(word, _)| *word).collect();
            self.report(
                value.span(),
                format!("unknown value {text:?} of {option:?}"),
                did_you_mean(text, &known),
            );
        }
        found.map(|(_, meaning)| *meaning)
    }

    /// Reports a value of the wrong kind.
    pub(crate) fn mismatch<T>(&mut self, expected: &str, value: &Value<'_>) -> Option<T> {
        // A value that the TOML reader made up behind a syntax error has no place.
        if value.span().is_empty() {
            return None;
        }
        let scalar = matches!(
            value.get_ref(),
            DeValue::Integer(_) | DeValue::Float(_) | DeValue::Boolean(_) | DeValue::Datetime(_)
        );
        let hint = (scalar && expected.starts_with("a string"))
            .then(|| self.text.get(value.span()))
            .flatten()
            .map(|text| format!("write it in double quotes: \"{text}\""));
        self.report(value.span(), format!("expected {expected}, found {}", kind(value.get_ref())), hint);
        None
    }
}

/// The kind of a value, with its article.
fn kind(value: &DeValue<'_>) -> &'static str {
    match value {
        DeValue::String(_) => "a string",
        DeValue::Integer(_) => "an integer",
        DeValue::Float(_) => "a float",
        DeValue::Boolean(_) => "a boolean",
        DeValue::Datetime(_) => "a date or time",
        DeValue::Array(_) => "a list",
        DeValue::Table(_) => "a table",
    }
}

/// The entries of a table whose keys are known in advance.
pub(crate) struct Fields<'a, 'i> {
    table: &'a DeTable<'i>,
    /// What the unknown keys were most likely meant to be.
    meant: Vec<&'static str>,
}

impl<'a, 'i> Fields<'a, 'i> {
    /// Reports every key that is not known.
    pub(crate) fn open(
        reader: &mut Reader<'_>,
        table: &'a DeTable<'i>,
        what: &str,
        known: &'static [&'static str],
    ) -> Self {
        let mut meant = Vec::new();
        for (key, _) in table.iter() {
            let name = key.get_ref();
            if !known.contains(&name.as_ref()) {
                meant.extend(closest(name, known.iter().copied()));
                reader.report(key.span(), format!("unknown {what} {name:?}"), did_you_mean(name, known));
            }
        }
        Self { table, meant }
    }

    /// The value of a key, if it stands there.
    pub(crate) fn get(&self, name: &str) -> Option<&'a Value<'i>> {
        self.table.get(name)
    }

    /// The key's own place and its value.
    pub(crate) fn entry(&self, name: &str) -> Option<(Span, &'a Value<'i>)> {
        self.table.get_key_value(name).map(|(key, value)| (key.span(), value))
    }

    /// Whether a key stands there, if only misspelt.
    pub(crate) fn has(&self, name: &str) -> bool {
        self.table.contains_key(name) || self.meant.contains(&name)
    }
}
