//! What is told of the documents of a table: the same for people, for programs and for a draft.

use std::cmp::Reverse;

use serde::Serialize;

use super::fit::{DATE_FORMATS, Fit, Fits, TIME_FORMATS};
use super::refer::{Reference, is_named_like_id};
use super::seen::{Class, Example, Seen};
use super::shape::{Node, Shape, Step, written};

/// The profile of a table's documents.
#[derive(Clone, Debug, Serialize)]
pub struct Profile {
    /// The table, with its schema.
    pub table: String,
    /// The column of the ids; `None` where no integer column identifies a row.
    pub id_column: Option<String>,
    /// The column of the documents.
    pub document_column: String,
    /// Rows of the table: counted where all were read, else the server's estimate.
    pub table_rows: u64,
    /// Rows that were read.
    pub rows: u64,
    /// Whether all were.
    pub complete: bool,
    /// How the rows were chosen, in words.
    pub sample: String,
    /// Bytes of the documents that were read, as text.
    pub document_bytes: u64,
    /// What the documents are.
    pub documents: Documents,
    /// Every key of every level, each behind the one that it is in.
    pub keys: Vec<KeyProfile>,
    /// Values below keys that were too many to be told apart.
    pub crowded_values: u64,
    /// Tables whose ids were asked for the integers of this one.
    pub reference_tables: usize,
}

/// What the documents of the rows are.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct Documents {
    /// Objects: what a pipeline reads.
    pub objects: u64,
    /// Arrays.
    pub arrays: u64,
    /// Strings, numbers and booleans.
    pub scalars: u64,
    /// JSON null.
    pub json_nulls: u64,
    /// No document at all.
    pub absent: u64,
}

/// One key.
#[derive(Clone, Debug, Serialize)]
pub struct KeyProfile {
    /// Its path as a pipeline file writes it; `[]` stands for the elements of an array.
    pub path: String,
    /// Objects that have the key; elements, for those of an array.
    pub present: u64,
    /// Objects that could have it; elements, for those of an array.
    pub of: u64,
    /// Values by their kind.
    pub kinds: Kinds,
    /// Strings by what they hold.
    pub strings: Strings,
    /// Distinct strings, numbers and booleans.
    pub distinct: u64,
    /// Whether they were counted, not estimated.
    pub distinct_exact: bool,
    /// The lowest and the highest number, in strings too, as written.
    pub range: Option<(String, String)>,
    /// The fewest and the most characters of a string.
    pub lengths: Option<(u64, u64)>,
    /// The fewest and the most elements of an array.
    pub elements: Option<(u64, u64)>,
    /// The fewest and the most keys of an object.
    pub entries: Option<(u64, u64)>,
    /// Integers, in strings too, that are a time between 1990 and 2100 in milliseconds, and in seconds.
    pub epoch_ms: u64,
    /// See `epoch_ms`.
    pub epoch_s: u64,
    /// Integers, in strings too, that are 0.
    pub zeros: u64,
    /// Values that are the id of their row.
    pub same_as_id: u64,
    /// Values below it whose keys were too many to be told apart.
    pub crowded_values: u64,
    /// The words of an enumeration, the most frequent first; empty where there are too many.
    pub values: Vec<ValueCount>,
    /// Some values, each from the row with the lowest id.
    pub examples: Vec<Sample>,
    /// Other tables that have its integers as ids, the best first.
    pub references: Vec<Reference>,
    /// What is to be looked at, the worst first.
    pub findings: Vec<Finding>,
    /// What the findings weigh together: the share of the values that a plain cast would not take as they are.
    pub worst: f64,
    /// Which types take every value.
    #[serde(skip)]
    pub fits: Fits,
    /// The keys from the document to it; `None` where the path leads through an array.
    #[serde(skip)]
    pub steps: Option<Vec<String>>,
    /// The place of the key that it is in, in the list; `None` for one of the document's own.
    #[serde(skip)]
    pub parent: Option<usize>,
}

/// Values by their kind.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Kinds {
    /// `null`
    pub null: u64,
    /// `true` and `false`
    pub boolean: u64,
    /// Numbers.
    pub number: u64,
    /// Strings.
    pub string: u64,
    /// Arrays.
    pub array: u64,
    /// Objects.
    pub object: u64,
}

/// Strings by what they hold; those that hold nothing of these are in `other`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Strings {
    /// `""`
    pub empty: u64,
    /// White space.
    pub blank: u64,
    /// Numbers.
    pub number: u64,
    /// Numbers with a zero in front of another digit, counted in `number` too.
    pub leading_zero: u64,
    /// Amounts: `$1,200.50`.
    pub money: u64,
    /// Percentages.
    pub percent: u64,
    /// `true`, `no` …
    pub boolean: u64,
    /// ISO dates.
    pub date: u64,
    /// ISO dates with a time of day.
    pub time: u64,
    /// Dates in other forms.
    pub other_date: u64,
    /// UUIDs.
    pub uuid: u64,
    /// JSON objects and arrays.
    pub json: u64,
    /// Anything else.
    pub other: u64,
    /// Strings with white space at an end, counted in the others too.
    pub untrimmed: u64,
}

/// A value and how often it stands.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct ValueCount {
    /// The value.
    pub value: String,
    /// How often.
    pub count: u64,
}

/// A value of a row.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Sample {
    /// The row's id; `None` where rows have none.
    pub id: Option<i64>,
    /// The value, cut where it is long.
    pub value: String,
}

/// Something that is to be looked at.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Finding {
    /// A stable code.
    pub code: &'static str,
    /// What was found, in words.
    pub text: String,
    /// The values that it is about.
    pub count: u64,
}

impl Kinds {
    /// The kinds that are there, the most frequent first, with their names.
    pub fn named(&self) -> Vec<(&'static str, u64)> {
        let mut kinds = vec![
            ("string", self.string),
            ("number", self.number),
            ("boolean", self.boolean),
            ("object", self.object),
            ("array", self.array),
            ("null", self.null),
        ];
        kinds.retain(|(_, count)| *count > 0);
        kinds.sort_by_key(|(_, count)| Reverse(*count));
        kinds
    }

    /// All values.
    pub fn sum(&self) -> u64 {
        self.null + self.boolean + self.number + self.string + self.array + self.object
    }

    /// How many kinds beside null are there.
    pub fn distinct(&self) -> usize {
        [self.boolean, self.number, self.string, self.array, self.object]
            .iter()
            .filter(|count| **count > 0)
            .count()
    }
}

impl KeyProfile {
    /// Whether it is a key of the document itself.
    pub fn is_top(&self) -> bool {
        self.parent.is_none()
    }

    /// Numbers, in strings too.
    pub fn numbers(&self) -> u64 {
        self.kinds.number + self.strings.number
    }

    /// Whether its numbers are moments in milliseconds: nearly all of those that are not zero lie between 1990
    /// and 2100. The field has seconds among them, and moments of a far future.
    pub fn counts_milliseconds(&self) -> bool {
        self.epoch_ms > 0 && self.epoch_ms * 20 >= self.numbers().saturating_sub(self.zeros) * 19
    }

    /// The range of its numbers, where they are what the key is about and not a few strays.
    pub fn telling_range(&self) -> Option<&(String, String)> {
        self.range.as_ref().filter(|_| self.numbers() * 2 >= self.told())
    }

    /// The lengths of its strings, where these are what the key is about.
    pub fn telling_lengths(&self) -> Option<(u64, u64)> {
        self.lengths.filter(|_| self.kinds.string * 2 >= self.kinds.sum() - self.kinds.null)
    }

    /// Its examples without those that are blank.
    pub fn telling_examples(&self) -> impl Iterator<Item = &Sample> {
        self.examples.iter().filter(|one| !one.value.trim_ascii().is_empty())
    }

    /// Whether its name ends in id: `agent_id`, `agentId`.
    pub fn is_named_like_id(&self) -> bool {
        is_named_like_id(&self.path)
    }

    /// Values that are neither null nor a blank string.
    pub fn told(&self) -> u64 {
        self.kinds.sum() - self.kinds.null - self.strings.empty - self.strings.blank
    }

    /// The forms of dates beside ISO's that take every value.
    pub fn date_formats(&self) -> Vec<&'static str> {
        let dates = DATE_FORMATS.iter().enumerate().filter(|(at, _)| self.fits.has(Fit::DateAs(*at)));
        let times = TIME_FORMATS.iter().enumerate().filter(|(at, _)| self.fits.has(Fit::TimeAs(*at)));
        let dates: Vec<&str> = dates.map(|(_, format)| *format).collect();
        if dates.is_empty() { times.map(|(_, format)| *format).collect() } else { dates }
    }

    fn new(shape: &Shape, index: usize, node: &Node, with_ids: bool) -> Self {
        let seen = &node.seen;
        let count = |class| seen.count(class);
        let kinds = Kinds {
            null: count(Class::Null),
            boolean: count(Class::Boolean),
            number: count(Class::Integer) + count(Class::Fraction),
            string: strings_of(seen),
            array: count(Class::Array),
            object: count(Class::Object),
        };
        let strings = Strings {
            empty: count(Class::Empty),
            blank: count(Class::Blank),
            number: count(Class::NumberText),
            leading_zero: seen.leading_zero,
            money: count(Class::MoneyText),
            percent: count(Class::PercentText),
            boolean: count(Class::BooleanText),
            date: count(Class::DateText),
            time: count(Class::TimeText),
            other_date: count(Class::OtherDateText),
            uuid: count(Class::UuidText),
            json: count(Class::JsonText),
            other: count(Class::Text),
            untrimmed: seen.untrimmed,
        };
        let present = seen.values();
        let of = match node.step {
            Step::Key(_) => shape.node(node.parent).seen.count(Class::Object),
            Step::Elements => present,
        };
        let steps = shape.steps(index);
        let (distinct, distinct_exact) = seen.distinct.count();
        let mut key = Self {
            path: written(&steps),
            present,
            of,
            kinds,
            strings,
            distinct,
            distinct_exact,
            range: seen.numbers.as_ref().map(|(low, high)| (low.text.to_string(), high.text.to_string())),
            lengths: seen.lengths,
            elements: seen.elements,
            entries: seen.entries,
            epoch_ms: seen.epoch_ms,
            epoch_s: seen.epoch_s,
            zeros: seen.zeros,
            same_as_id: if with_ids { seen.same_as_id } else { 0 },
            crowded_values: node.crowded,
            values: enumeration(seen),
            examples: examples(seen, with_ids),
            references: Vec::new(),
            findings: Vec::new(),
            worst: 0.0,
            fits: seen.fits,
            steps: steps
                .iter()
                .map(|step| match step {
                    Step::Key(key) => Some(key.to_string()),
                    Step::Elements => None,
                })
                .collect(),
            parent: None,
        };
        key.find();
        key
    }

    /// Finds what is to be looked at.
    fn find(&mut self) {
        let (kinds, strings) = (self.kinds, self.strings);
        let told = self.told();
        let mut found: Vec<(Finding, f64)> = Vec::new();
        let mut add = |code, count: u64, weight: f64, text: String| {
            if count > 0 {
                found.push((Finding { code, text, count }, weight));
            }
        };
        // A key with one kind and a stray of another is worse than one that has both by halves: the stray is what
        // nobody expects. Either way the lesser kinds are the ones that a type of the other refuses.
        let most = [kinds.boolean, kinds.number, kinds.string - strings.empty - strings.blank, kinds.array]
            .into_iter()
            .chain([kinds.object])
            .max()
            .unwrap_or(0);
        add("mixed_kinds", told - most.min(told), 1.0, "values of several kinds".to_owned());
        add("number_in_string", strings.number, 0.6, "numbers in strings".to_owned());
        add("leading_zero", strings.leading_zero, 0.3, "digits with a zero in front: no numbers".to_owned());
        add("money_in_string", strings.money, 0.7, "amounts in strings".to_owned());
        add("percent_in_string", strings.percent, 0.7, "percentages in strings".to_owned());
        if kinds.boolean > 0 || strings.boolean == told {
            add("boolean_in_string", strings.boolean, 0.6, "booleans in strings".to_owned());
        }
        add("iso_date", strings.date, 0.1, "ISO dates".to_owned());
        add("iso_time", strings.time, 0.1, "ISO date-times".to_owned());
        let forms = self.date_formats();
        let form = if forms.is_empty() { "several forms".to_owned() } else { forms.join(" or ") };
        add("other_date", strings.other_date, 0.7, format!("dates as {form}"));
        add("uuid", strings.uuid, 0.05, "uuids".to_owned());
        add("json_in_string", strings.json, 0.8, "JSON in strings".to_owned());
        add("untrimmed", strings.untrimmed, 0.8, "white space at an end".to_owned());
        add("empty", strings.empty, 0.4, "empty strings".to_owned());
        add("blank", strings.blank, 0.8, "strings of white space".to_owned());
        if self.counts_milliseconds() {
            add("epoch_ms", self.epoch_ms, 0.1, "epoch milliseconds".to_owned());
        } else if self.epoch_s > 0 && self.epoch_s + self.zeros >= told {
            add("epoch_s", self.epoch_s, 0.3, "epoch seconds, or large numbers".to_owned());
        }
        if strings.other * 20 < told && kinds.array + kinds.object == 0 {
            add("stray_text", strings.other, 1.0, "text among other values".to_owned());
        }
        add("crowded", self.crowded_values, 0.5, "keys that are data".to_owned());
        let values = kinds.sum().max(1) as f64;
        let weighed: f64 =
            found.iter().map(|(one, weight)| weight * (one.count as f64 / values).min(1.0)).sum();
        let missing = 1.0 - self.present as f64 / self.of.max(1) as f64;
        self.worst = weighed + 0.1 * missing;
        found.sort_by(|(a, wa), (b, wb)| (wb * b.count as f64).total_cmp(&(wa * a.count as f64)));
        self.findings = found.into_iter().map(|(finding, _)| finding).collect();
    }
}

/// Some values: one of each class, the most frequent class first; then the others.
fn examples(seen: &Seen, with_ids: bool) -> Vec<Sample> {
    let mut ranked: Vec<(usize, Reverse<u64>, &Example)> = Vec::new();
    for (at, one) in seen.examples.iter().enumerate() {
        // They come sorted by their class.
        let rank = seen.examples[..at].iter().filter(|other| other.class == one.class).count();
        ranked.push((rank, Reverse(seen.count(one.class)), one));
    }
    ranked.sort_by_key(|(rank, count, _)| (*rank, *count));
    let sample = |one: &Example| Sample { id: with_ids.then_some(one.id), value: one.text.to_string() };
    ranked.into_iter().map(|(_, _, one)| sample(one)).collect()
}

/// Strings of all classes: whatever is nothing else.
fn strings_of(seen: &Seen) -> u64 {
    use Class::{Array, Boolean, Fraction, Integer, Null, Object};
    let others = [Null, Boolean, Integer, Fraction, Array, Object];
    seen.values() - others.into_iter().map(|class| seen.count(class)).sum::<u64>()
}

/// The words of a key that is an enumeration: each stands several times, and they are strings.
fn enumeration(seen: &Seen) -> Vec<ValueCount> {
    let Some(words) = seen.distinct.words() else { return Vec::new() };
    let strings: u64 = words.values().sum();
    // A word for each of a few rows is a name, not an enumeration; and strays among numbers are no words.
    if strings < 5 * words.len() as u64 || strings * 2 < seen.values() - seen.count(Class::Null) {
        return Vec::new();
    }
    let mut values: Vec<ValueCount> =
        words.iter().map(|(value, &count)| ValueCount { value: value.to_string(), count }).collect();
    values.sort_by(|a, b| (b.count, &a.value).cmp(&(a.count, &b.value)));
    values
}

/// The keys of a shape, in the order of the report, with their integers that may be ids.
pub(super) fn keys(shape: &Shape, with_ids: bool) -> (Vec<KeyProfile>, Vec<Vec<i64>>) {
    let paths = shape.paths();
    let mut keys = Vec::with_capacity(paths.len());
    let mut integers = Vec::with_capacity(paths.len());
    for (index, node) in &paths {
        let parent = paths.iter().position(|(other, _)| *other == node.parent);
        keys.push(KeyProfile { parent, ..KeyProfile::new(shape, *index, node, with_ids) });
        integers.push(node.seen.distinct.integers().collect());
    }
    (keys, integers)
}

/// What the documents are.
pub(super) fn documents(shape: &Shape) -> Documents {
    let seen = &shape.root().seen;
    let (objects, arrays, json_nulls) =
        (seen.count(Class::Object), seen.count(Class::Array), seen.count(Class::Null));
    Documents {
        objects,
        arrays,
        scalars: seen.values() - objects - arrays - json_nulls,
        json_nulls,
        absent: shape.absent,
    }
}
