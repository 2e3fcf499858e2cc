//! From what was seen of a key to the type of a column and its options.
//!
//! The widest type that every value fits, and never one that loses something on the way: digits with a zero in
//! front stay text, a number with a fraction stays exact. A type is chosen only where a cast of a run has taken
//! each value; names of keys decide nothing but between types that both fit.

use crate::profile::KeyProfile;
use crate::profile::fit::{DATE_FORMATS, Fit, TIME_FORMATS};
use crate::spec::write;

/// The type of a column, as a pipeline file and as a CREATE TABLE say it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Choice {
    /// The type in the pipeline file.
    pub spec_type: &'static str,
    /// The type in the database.
    pub column_type: &'static str,
    /// Options, each as it stands behind the type: `parse = "money"`.
    pub options: Vec<String>,
    /// What somebody should know who reads the draft.
    pub remarks: Vec<String>,
}

/// An enumeration of more words is not written down as one.
const ALLOWED: usize = 12;
/// How often a word of an enumeration stands on average, at least.
const OFTEN: u64 = 20;

impl Choice {
    fn plain(name: &'static str) -> Self {
        Self { spec_type: name, column_type: name, options: Vec::new(), remarks: Vec::new() }
    }

    fn with(name: &'static str, option: impl Into<String>) -> Self {
        Self { options: vec![option.into()], ..Self::plain(name) }
    }

    fn remark(mut self, remark: impl Into<String>) -> Self {
        self.remarks.push(remark.into());
        self
    }

    /// The type that takes whatever a key holds.
    pub fn widest(key: &KeyProfile) -> Self {
        let structured = key.kinds.array + key.kinds.object > 0;
        Self::plain(if structured { "jsonb" } else { "text" })
    }
}

/// Chooses the type of a key. `complete` says that all rows were seen, `values` that values may be shown.
pub fn choose(key: &KeyProfile, complete: bool, values: bool) -> Choice {
    if key.kinds.array + key.kinds.object > 0 {
        return nearly(key, Choice::plain("jsonb"));
    }
    if key.told() == 0 {
        return Choice::plain("text").remark("never has a value: the type is a guess");
    }
    boolean(key)
        .or_else(|| time(key))
        .or_else(|| number(key))
        .or_else(|| special(key))
        .unwrap_or_else(|| nearly(key, text(key, complete, values)))
}

/// Adds the narrower type that nearly all values fit, which is what somebody may have meant: a run would set
/// the others aside, one by one.
fn nearly(key: &KeyProfile, choice: Choice) -> Choice {
    let (told, numbers, strings) = (key.told(), key.numbers(), &key.strings);
    let dates = strings.date + strings.time;
    // Where numbers are moments, they are so for the most part.
    let moments = if key.epoch_ms * 2 > numbers { key.epoch_ms + key.zeros } else { 0 };
    let number = if key.is_named_like_id() { "type = \"reference\"" } else { "type = \"numeric\"" };
    let candidates = [
        ("type = \"timestamptz\"", moments + dates),
        ("type = \"uuid\"", strings.uuid),
        ("type = \"boolean\"", key.kinds.boolean + strings.boolean),
        (
            "type = \"numeric\", parse = \"money\"",
            if strings.money > 0 { numbers + strings.money } else { 0 },
        ),
        (number, numbers),
    ];
    // The first of those that take as many.
    let best = candidates.into_iter().rev().max_by_key(|(_, count)| *count);
    match best {
        Some((option, count)) if count * 10 >= told * 9 && count < told && strings.leading_zero == 0 => {
            let others = told - count;
            choice.remark(format!("{{ {option} }} would take about {count} values, and reject {others}"))
        }
        _ => choice,
    }
}

fn boolean(key: &KeyProfile) -> Option<Choice> {
    let all_words = key.strings.boolean == key.told();
    (key.fits.has(Fit::Boolean) && (key.kinds.boolean > 0 || all_words)).then(|| Choice::plain("boolean"))
}

/// A date or a time, by its texts or by what its numbers count.
fn time(key: &KeyProfile) -> Option<Choice> {
    let strings = &key.strings;
    let numbers = key.kinds.number + strings.number;
    let dates = strings.date + strings.time + strings.other_date;
    let told = key.told();
    // Zero is a moment too, but nobody means it.
    let none = || if key.zeros > 0 { vec!["null_values = [\"0\"]".to_owned()] } else { Vec::new() };
    if key.counts_milliseconds() && key.fits.has(Fit::Time) {
        let choice = Choice { options: none(), ..Choice::plain("timestamptz") };
        return Some(match numbers.saturating_sub(key.epoch_ms + key.zeros) {
            0 => choice.remark("numbers are epoch milliseconds"),
            strays => choice.remark(format!(
                "numbers are epoch milliseconds; {strays} of them are not between 1990 and 2100: seconds?"
            )),
        });
    }
    let seconds = key.epoch_s + key.zeros == numbers && key.epoch_s > 0 && numbers == told;
    if seconds && key.fits.has(Fit::Seconds) {
        if !is_named_like_time(&key.path) {
            return Some(
                Choice::plain("bigint")
                    .remark("may be epoch seconds: { type = \"timestamptz\", unit = \"s\" }"),
            );
        }
        let mut options = vec!["unit = \"s\"".to_owned()];
        options.extend(none());
        return Some(Choice { options, ..Choice::plain("timestamptz") }.remark("numbers are epoch seconds"));
    }
    if dates != told {
        return None;
    }
    if key.fits.has(Fit::Date) && strings.time == 0 {
        return Some(Choice::plain("date"));
    }
    if key.fits.has(Fit::Time) {
        return Some(Choice::plain("timestamptz"));
    }
    let forms = |all: &[&'static str], fit: fn(usize) -> Fit| -> Vec<&'static str> {
        all.iter().enumerate().filter(|(at, _)| key.fits.has(fit(*at))).map(|(_, form)| *form).collect()
    };
    let (days, times) = (forms(&DATE_FORMATS, Fit::DateAs), forms(&TIME_FORMATS, Fit::TimeAs));
    let (name, forms) = match (days.is_empty(), strings.time) {
        (false, 0) => ("date", days),
        (false, _) => ("timestamptz", days),
        (true, _) => ("timestamptz", times),
    };
    let (first, others) = forms.split_first()?;
    let choice = Choice::with(name, format!("format = {}", write::string(first)));
    Some(match others {
        [] => choice,
        others => choice.remark(format!("all values fit {} as well: look at them", others.join(" and "))),
    })
}

fn number(key: &KeyProfile) -> Option<Choice> {
    let fits = |fit| key.fits.has(fit);
    if key.strings.leading_zero > 0 {
        return None;
    }
    if fits(Fit::Integer) {
        if key.strings.number > 0 && is_named_like_digits(&key.path) {
            return None;
        }
        let refers = !key.references.is_empty() || key.is_named_like_id();
        return Some(match refers {
            true => Choice { column_type: "bigint", ..Choice::plain("reference") },
            false => Choice::plain("bigint"),
        });
    }
    match () {
        () if fits(Fit::Numeric) => Some(Choice::plain("numeric")),
        () if fits(Fit::Money) => Some(Choice::with("numeric", "parse = \"money\"")),
        () if fits(Fit::Percent) => Some(Choice::with("numeric", "parse = \"percent\"")),
        () => None,
    }
}

fn special(key: &KeyProfile) -> Option<Choice> {
    let told = key.told();
    if key.fits.has(Fit::Uuid) && key.strings.uuid == told {
        return Some(Choice::plain("uuid"));
    }
    (key.fits.has(Fit::Json) && key.strings.json == told)
        .then(|| Choice::with("jsonb", "parse = \"json\"").remark("strings that hold JSON"))
}

fn text(key: &KeyProfile, complete: bool, values: bool) -> Choice {
    let mut choice = Choice::plain("text");
    if key.strings.untrimmed + key.strings.blank > 0 {
        choice.options.push("trim = true".to_owned());
    }
    let mut words: Vec<&str> = key.values.iter().map(|one| one.value.trim_ascii()).collect();
    words.retain(|word| !word.is_empty());
    words.sort_unstable();
    words.dedup();
    let often = key.kinds.string >= OFTEN * words.len() as u64;
    if values && key.kinds.distinct() == 1 && (2..=ALLOWED).contains(&words.len()) && often {
        let list: Vec<String> = words.iter().map(|word| write::string(word)).collect();
        let option = format!("allowed = [{}]", list.join(", "));
        if complete {
            choice.options.push(option);
        } else {
            choice.remarks.push(format!("every value seen is one of these: {option}"));
        }
    }
    let cased: std::collections::BTreeSet<String> = words.iter().map(|word| word.to_lowercase()).collect();
    if values && cased.len() < words.len() {
        choice.remarks.push("words differ in nothing but case: case = \"upper\" makes them one".to_owned());
    }
    if key.strings.empty > 0 {
        choice.remarks.push("empty strings stay: blank = \"null\" makes them NULL".to_owned());
    }
    choice
}

/// The last key of a path, in lower case.
fn last(path: &str) -> String {
    path.trim_end_matches(['[', ']', '"']).rsplit(['.', '"']).next().unwrap_or_default().to_ascii_lowercase()
}

/// Whether numbers of such a name are likely to be moments.
fn is_named_like_time(path: &str) -> bool {
    let last = last(path);
    let words =
        ["time", "date", "created", "updated", "modified", "expire", "since", "until", "login", "seen"];
    words.iter().any(|word| last.contains(word)) || last.ends_with("_at") || last == "at" || last == "ts"
}

/// Whether digits of such a name are likely to be no number: nobody adds them up.
fn is_named_like_digits(path: &str) -> bool {
    let last = last(path);
    ["phone", "zip", "postal", "code", "fax", "mobile", "ssn", "iban", "account", "serial", "sku"]
        .iter()
        .any(|word| last.contains(word))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_decide_only_by_their_last_key() {
        assert!(is_named_like_time("a.created_at") && is_named_like_time("joinDate"));
        assert!(!is_named_like_time("time.price") && !is_named_like_time("votes"));
        assert!(is_named_like_digits("address.zip_code") && !is_named_like_digits("zip.count"));
    }
}
