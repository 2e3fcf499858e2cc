//! Who takes part: contenders and scenarios, as data.

use std::hash::{Hash, Hasher};

use serde::{Serialize, Serializer};

use crate::error::{Error, Result};
use crate::summary::{Mode, ReadPath};

/// What V1 and V2 look like before a timed run.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Scenario {
    /// The targets are empty.
    Reload,
    /// The targets are equal but for 1 % of the rows changed, 0.1 % new and 0.1 % gone in V1.
    Refresh,
    /// The targets are equal.
    NoChange,
    /// Some rows are missing in the targets, and their ids are known.
    Backfill,
}

impl Scenario {
    /// All, in the order of reports.
    pub const ALL: [Self; 4] = [Self::Reload, Self::Refresh, Self::NoChange, Self::Backfill];

    /// The word of the command line and the reports.
    pub fn name(self) -> &'static str {
        match self {
            Self::Reload => "reload",
            Self::Refresh => "refresh",
            Self::NoChange => "no_change",
            Self::Backfill => "backfill",
        }
    }

    /// What stands in V1 and V2, for people.
    pub fn what(self) -> &'static str {
        match self {
            Self::Reload => "empty targets",
            Self::Refresh => "1 % of the rows changed, 0.1 % new, 0.1 % gone",
            Self::NoChange => "targets that are equal",
            Self::Backfill => "up to 10,000 ids missing",
        }
    }
}

/// How a contender brings V1 into V2.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Way {
    /// The pattern of the old guide: a statement and a transaction for each target.
    Arrow,
    /// `xdo->>'key'`, one transaction for all targets.
    Plain,
    /// `jsonb_to_record`, one transaction for all targets.
    Record,
    /// `CREATE TABLE AS` with the server's parallel workers, renamed into place.
    Ctas,
    /// As `Plain`, over as many sessions as cores.
    PlainParallel,
    /// As `Record`, over as many sessions as cores.
    RecordParallel,
    /// The program itself, as a process.
    Xdoflow {
        /// The publish mode.
        mode: Mode,
        /// A further argument of `run`.
        more: Option<&'static str>,
    },
    /// What the server alone needs: the same bytes out and the finished bytes in.
    Floor,
}

/// One that is measured.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Contender {
    /// Its name in the reports.
    pub name: &'static str,
    /// What it does.
    pub way: Way,
    /// In which form it reads the documents, where it reads them out of the server.
    pub read: Option<ReadPath>,
    /// Where it takes part.
    scenarios: &'static [Scenario],
    /// Where it takes part when nobody asked for it by name.
    default: &'static [Scenario],
}

const EVERYWHERE: &[Scenario] = &Scenario::ALL;
/// Where V2 holds what a run has made.
const FULL: &[Scenario] = &[Scenario::Refresh, Scenario::NoChange];
const NOWHERE: &[Scenario] = &[];
const RELOAD: &[Scenario] = &[Scenario::Reload];
/// A part of the table that is known by its ids is not worth several sessions.
const WHOLE: &[Scenario] = &[Scenario::Reload, Scenario::Refresh, Scenario::NoChange];
/// An insert leaves what changed and what is gone as it was.
const INSERT: &[Scenario] = &[Scenario::Reload, Scenario::NoChange, Scenario::Backfill];

const fn sql(name: &'static str, way: Way, scenarios: &'static [Scenario]) -> Contender {
    Contender { name, way, read: None, scenarios, default: scenarios }
}

const fn run(name: &'static str, mode: Mode, read: ReadPath, scenarios: &'static [Scenario]) -> Contender {
    let way = Way::Xdoflow { mode, more: None };
    Contender { name, way, read: Some(read), scenarios, default: scenarios }
}

/// A full target is written anew for nothing: to be seen once is enough, where the targets are empty.
const fn replace(read: ReadPath) -> Contender {
    Contender { default: RELOAD, ..run("xdoflow replace", Mode::Replace, read, WHOLE) }
}

/// Of the rows of V1 only those that changed since a full run.
const fn changed(read: ReadPath) -> Contender {
    Contender {
        way: Way::Xdoflow { mode: Mode::Merge, more: Some("--changed") },
        ..run("xdoflow changed", Mode::Merge, read, FULL)
    }
}

/// On demand only: it stands for what a merge was before it compared as it reads.
const fn staged(read: ReadPath) -> Contender {
    Contender {
        way: Way::Xdoflow { mode: Mode::Merge, more: Some("--stage-all") },
        default: NOWHERE,
        ..run("xdoflow staged", Mode::Merge, read, WHOLE)
    }
}

const fn floor(read: ReadPath) -> Contender {
    let (scenarios, default) = (EVERYWHERE, EVERYWHERE);
    Contender { name: "floor", way: Way::Floor, read: Some(read), scenarios, default }
}

/// All contenders, in the order in which they take their turns.
///
/// `ctas` has no part where V2 holds something: it would lose what V2 alone knows, which are the columns
/// that V1 does not feed and the ids of split tables.
pub const CONTENDERS: &[Contender] = &[
    sql("arrow", Way::Arrow, EVERYWHERE),
    sql("plain", Way::Plain, EVERYWHERE),
    sql("record", Way::Record, EVERYWHERE),
    sql("ctas", Way::Ctas, RELOAD),
    sql("plain×N", Way::PlainParallel, WHOLE),
    sql("record×N", Way::RecordParallel, WHOLE),
    run("xdoflow merge", Mode::Merge, ReadPath::Text, EVERYWHERE),
    run("xdoflow merge", Mode::Merge, ReadPath::Raw, EVERYWHERE),
    changed(ReadPath::Text),
    changed(ReadPath::Raw),
    replace(ReadPath::Text),
    replace(ReadPath::Raw),
    run("xdoflow insert", Mode::Insert, ReadPath::Text, INSERT),
    run("xdoflow insert", Mode::Insert, ReadPath::Raw, INSERT),
    staged(ReadPath::Text),
    staged(ReadPath::Raw),
    floor(ReadPath::Text),
    floor(ReadPath::Raw),
];

impl Contender {
    /// Whether it is SQL that runs in the server, and not a client that reads V1.
    pub fn is_sql(self) -> bool {
        self.read.is_none()
    }

    /// Whether it takes part in a scenario.
    pub fn takes_part(self, scenario: Scenario) -> bool {
        self.scenarios.contains(&scenario)
    }

    /// Whether it takes part in a scenario where nobody asked for it by name.
    pub fn by_default(self, scenario: Scenario) -> bool {
        self.default.contains(&scenario)
    }

    /// Whether it writes full targets anew, into other files.
    pub fn rewrites(self, scenario: Scenario) -> bool {
        matches!(self.way, Way::Xdoflow { mode: Mode::Replace, .. }) && scenario != Scenario::Reload
    }

    /// Whether it reads what changed since a full run, which must have been made before.
    pub fn needs_fingerprints(self) -> bool {
        matches!(self.way, Way::Xdoflow { more: Some("--changed"), .. })
    }

    /// Whether the targets of an entity, of which there are `targets`, change in one transaction.
    pub fn is_atomic(self, targets: usize) -> bool {
        match self.way {
            Way::Arrow => targets == 1,
            Way::PlainParallel | Way::RecordParallel | Way::Floor => false,
            Way::Plain | Way::Record | Way::Ctas | Way::Xdoflow { .. } => true,
        }
    }

    /// Whether the targets stay the tables that they are, with their views, grants and sequences.
    pub fn is_in_place(self) -> bool {
        self.way != Way::Ctas
    }

    /// The word of the command line: `xdoflow-merge:raw`, `plainxn`.
    fn word(self) -> String {
        let name = plain_word(self.name);
        self.read.map_or(name.clone(), |read| format!("{name}:{}", read.name()))
    }
}

/// No two contenders have the same name and read path.
impl Hash for Contender {
    fn hash<H: Hasher>(&self, state: &mut H) {
        (self.name, self.read.map(ReadPath::name)).hash(state);
    }
}

/// By its name.
impl Serialize for Contender {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.name)
    }
}

fn plain_word(text: &str) -> String {
    text.trim().to_lowercase().replace('×', "x").replace([' ', '_'], "-")
}

/// The contenders that words name, in the order of [`CONTENDERS`]: `arrow`, `xdoflow` (all of them),
/// `xdoflow-merge` (both read paths), `floor:raw`, `raw` (all of a read path).
///
/// # Errors
/// A usage error for a word that names none.
pub fn choose(words: &[String]) -> Result<Vec<Contender>> {
    let names = |contender: &Contender, word: &str| {
        let own = contender.word();
        let read = contender.read.map_or("", ReadPath::name);
        let (name, path) = word.split_once(':').unwrap_or((word, ""));
        own == word
            || word == read
            || ((path.is_empty() || path == read)
                && (plain_word(contender.name) == name
                    || plain_word(contender.name)
                        .strip_prefix(name)
                        .is_some_and(|rest| rest.starts_with('-'))))
    };
    let words: Vec<String> = words.iter().map(|word| plain_word(word)).collect();
    if let Some(unknown) =
        words.iter().find(|word| !CONTENDERS.iter().any(|contender| names(contender, word)))
    {
        let mut known: Vec<String> = CONTENDERS.iter().map(|contender| contender.word()).collect();
        known.dedup();
        return Err(Error::usage(format!("there is no contender {unknown:?}"))
            .detail(format!("the contenders are {}", known.join(", ")))
            .hint("a name without its read path takes both, and xdoflow takes every mode"));
    }
    let chosen = |contender: &&Contender| match words.is_empty() {
        true => !contender.default.is_empty(),
        false => words.iter().any(|word| names(contender, word)),
    };
    Ok(CONTENDERS.iter().filter(chosen).copied().collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn chosen(words: &[&str]) -> Vec<String> {
        let words: Vec<String> = words.iter().map(|word| (*word).to_owned()).collect();
        choose(&words).expect("contenders").iter().map(|contender| contender.word()).collect()
    }

    #[test]
    fn a_word_names_one_contender_or_all_of_its_kind() {
        assert_eq!(chosen(&["ctas", "arrow"]), ["arrow", "ctas"]);
        assert_eq!(chosen(&["plain"]), ["plain"]);
        assert_eq!(chosen(&["Plain×N", "recordxn"]), ["plainxn", "recordxn"]);
        assert_eq!(chosen(&["floor"]), ["floor:text", "floor:raw"]);
        assert_eq!(chosen(&["floor:raw"]), ["floor:raw"]);
        assert!(chosen(&["xdoflow"]).iter().all(|word| word.starts_with("xdoflow-")));
        assert!(chosen(&["xdoflow:text"]).contains(&"xdoflow-replace:text".to_owned()));
        assert_eq!(chosen(&["xdoflow-merge:text"]), ["xdoflow-merge:text"]);
        assert!(chosen(&["raw"]).iter().all(|word| word.ends_with(":raw")));
    }

    #[test]
    fn an_unknown_contender_is_wrong_usage_that_lists_the_known_ones() {
        let error = choose(&["arow".to_owned()]).unwrap_err();
        assert_eq!(error.exit_code(), 2);
        assert!(error.detail_text().is_some_and(|detail| detail.contains("arrow, plain, record, ctas")));
    }

    #[test]
    fn no_two_contenders_have_the_same_word() {
        let mut words: Vec<String> = CONTENDERS.iter().map(|contender| contender.word()).collect();
        words.sort();
        words.dedup();
        assert_eq!(words.len(), CONTENDERS.len());
    }
}
