//! What is wrong with pipeline files: all of it at once, each with its place and what to do.

use std::fmt;

use crate::error::Error;

use super::model::Position;

/// One mistake in a pipeline file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problem {
    /// The file as the user knows it.
    pub file: String,
    /// The place; `None` where the file or folder as a whole is meant.
    pub position: Option<Position>,
    /// What is wrong: lower case, without a period.
    pub message: String,
    /// What to do: mostly `did you mean "…"?`.
    pub hint: Option<String>,
}

/// All that is wrong, in the order of the files and of their lines; at least one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problems(Vec<Problem>);

impl Problems {
    /// What was found; at least one.
    pub(crate) fn found(problems: Vec<Problem>) -> Self {
        Self(problems)
    }

    /// The problems one by one.
    pub fn iter(&self) -> std::slice::Iter<'_, Problem> {
        self.0.iter()
    }
}

impl IntoIterator for Problems {
    type Item = Problem;
    type IntoIter = std::vec::IntoIter<Problem>;

    fn into_iter(self) -> Self::IntoIter {
        self.0.into_iter()
    }
}

impl<'a> IntoIterator for &'a Problems {
    type Item = &'a Problem;
    type IntoIter = std::slice::Iter<'a, Problem>;

    fn into_iter(self) -> Self::IntoIter {
        self.iter()
    }
}

impl fmt::Display for Problem {
    /// `user.toml:12:9: unknown type "txt"`, and a line with the hint.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.file)?;
        if let Some(Position { line, column }) = self.position {
            write!(f, ":{line}:{column}")?;
        }
        write!(f, ": {}", self.message)?;
        if let Some(hint) = &self.hint {
            write!(f, "\nhint: {hint}")?;
        }
        Ok(())
    }
}

impl fmt::Display for Problems {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, problem) in self.0.iter().enumerate() {
            if index > 0 {
                f.write_str("\n")?;
            }
            problem.fmt(f)?;
        }
        Ok(())
    }
}

impl From<Problems> for Error {
    /// A usage error whose message is one block for each problem.
    fn from(problems: Problems) -> Self {
        Self::usage(problems.to_string())
    }
}

/// The candidate that a misspelt word most likely stands for.
///
/// At most a third of the word may differ, as compilers have it: more suggests nonsense.
pub fn closest<'a>(word: &str, candidates: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let word = word.to_lowercase();
    let limit = (word.chars().count() / 3).max(1);
    candidates
        .into_iter()
        .map(|candidate| (strsim::damerau_levenshtein(&word, &candidate.to_lowercase()), candidate))
        .filter(|(distance, _)| *distance <= limit)
        .min_by_key(|(distance, _)| *distance)
        .map(|(_, candidate)| candidate)
}

/// `did you mean "…"?`, or all that is allowed where nothing is close.
pub(super) fn did_you_mean(word: &str, candidates: &[&str]) -> String {
    match closest(word, candidates.iter().copied()) {
        Some(candidate) => meant(candidate),
        None => one_of(candidates),
    }
}

/// `did you mean "…"?`
pub(super) fn meant(candidate: &str) -> String {
    format!("did you mean {candidate:?}?")
}

fn one_of(candidates: &[&str]) -> String {
    let quoted: Vec<String> = candidates.iter().map(|candidate| format!("{candidate:?}")).collect();
    match quoted.as_slice() {
        [only] => format!("write {only}"),
        [first @ .., last] => format!("write {} or {last}", first.join(", ")),
        [] => "there are none".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn problem(position: Option<Position>, hint: Option<&str>) -> Problem {
        let file = "pipelines/user.toml".to_owned();
        Problem { file, position, message: "unknown type \"txt\"".to_owned(), hint: hint.map(str::to_owned) }
    }

    #[test]
    fn each_problem_is_a_block_with_its_place_and_its_hint() {
        let position = Some(Position { line: 12, column: 9 });
        let problems = Problems(vec![problem(position, Some("did you mean \"text\"?")), problem(None, None)]);
        let error = Error::from(problems);
        assert_eq!(error.exit_code(), 2);
        assert_eq!(
            error.to_string(),
            "pipelines/user.toml:12:9: unknown type \"txt\"\n\
             hint: did you mean \"text\"?\n\
             pipelines/user.toml: unknown type \"txt\""
        );
    }

    #[test]
    fn a_suggestion_is_close_or_everything_is_listed() {
        assert_eq!(did_you_mean("tpye", &["from", "type"]), "did you mean \"type\"?");
        assert_eq!(did_you_mean("FROM", &["from", "type"]), "did you mean \"from\"?");
        assert_eq!(did_you_mean("colour", &["from", "type", "map"]), "write \"from\", \"type\" or \"map\"");
        assert_eq!(did_you_mean("colour", &["digits"]), "write \"digits\"");
    }
}
