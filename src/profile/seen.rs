//! What was seen of the values of one key.

use super::distinct::{Distinct, hash_of};
use super::fit::{DATE_FORMATS, Fit, Fits, TIME_FORMATS, takes};
use crate::pgcopy::numeric::Decimal;
use crate::transform::value::Value;

/// What a value is, by its kind and, where it is a string, by what it holds. Each value is of one class.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Class {
    /// `null`
    Null,
    /// `true` or `false`
    Boolean,
    /// A number of integral value.
    Integer,
    /// A number with a fraction.
    Fraction,
    /// `""`
    Empty,
    /// A string of white space.
    Blank,
    /// A string that is a number.
    NumberText,
    /// A string that is an amount: `$1,200.50`.
    MoneyText,
    /// A string that is a percentage.
    PercentText,
    /// A string that is a boolean: `true`, `no` …
    BooleanText,
    /// A string that is an ISO date.
    DateText,
    /// A string that is an ISO date with a time of day.
    TimeText,
    /// A string that is a date in another form.
    OtherDateText,
    /// A string that is a uuid.
    UuidText,
    /// A string that holds a JSON object or array.
    JsonText,
    /// Any other string.
    Text,
    /// An array.
    Array,
    /// An object.
    Object,
}

impl Class {
    /// How many there are.
    const COUNT: usize = Self::Object as usize + 1;
}

/// Examples that are kept of each class of a key.
const EXAMPLES: usize = 2;
/// Characters of an example.
const EXAMPLE_CHARS: usize = 60;
/// 1990 to 2100, in seconds: what a number may mean as a time.
const EPOCH_SECONDS: std::ops::Range<i64> = 631_152_000..4_102_444_800;

/// A value that stands for others.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Example {
    pub(super) class: Class,
    pub(super) id: i64,
    pub(super) text: Box<str>,
}

/// What was seen of one key.
#[derive(Clone, Debug, Default)]
pub(super) struct Seen {
    counts: [u64; Class::COUNT],
    pub(super) fits: Fits,
    pub(super) distinct: Distinct,
    /// Strings, and numbers in strings too, with white space at an end.
    pub(super) untrimmed: u64,
    /// Numbers in strings with a zero in front of another digit.
    pub(super) leading_zero: u64,
    /// Numbers, in strings too, that are zero; that are a time between 1990 and 2100 in milliseconds or seconds.
    pub(super) zeros: u64,
    pub(super) epoch_ms: u64,
    pub(super) epoch_s: u64,
    /// Values that are the id of their row.
    pub(super) same_as_id: u64,
    /// The lowest and the highest number, in strings too.
    pub(super) numbers: Option<(Number, Number)>,
    /// The fewest and the most characters of a string; elements of an array; keys of an object.
    pub(super) lengths: Option<(u64, u64)>,
    pub(super) elements: Option<(u64, u64)>,
    pub(super) entries: Option<(u64, u64)>,
    pub(super) examples: Vec<Example>,
}

/// A number with the digits that were written.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Number {
    pub(super) value: f64,
    pub(super) text: Box<str>,
}

impl Seen {
    /// How many values of a class.
    pub(super) fn count(&self, class: Class) -> u64 {
        self.counts[class as usize]
    }

    /// How many values in all, `null` among them.
    pub(super) fn values(&self) -> u64 {
        self.counts.iter().sum()
    }

    /// Takes a scalar in; `id` is that of its row.
    pub(super) fn scalar(&mut self, value: &Value<'_>, id: i64) {
        self.fits.see(value);
        let class = match value {
            Value::Null => Class::Null,
            Value::Bool(truth) => {
                self.distinct.see(u64::from(*truth));
                Class::Boolean
            }
            Value::Number(text) => {
                let integral = self.number(text, id);
                self.distinct.see(hash_of(1, text));
                if integral { Class::Integer } else { Class::Fraction }
            }
            Value::String(text) => self.string(text, id),
            Value::Array(_) => Class::Array,
            Value::Object(_) => Class::Object,
        };
        self.counts[class as usize] += 1;
        match value {
            Value::Number(text) | Value::String(text) => self.example(class, id, text),
            Value::Bool(truth) => self.example(class, id, if *truth { "true" } else { "false" }),
            Value::Null | Value::Array(_) | Value::Object(_) => {}
        }
    }

    /// Takes an array of so many elements in, or an object of so many keys; `text` is its JSON.
    pub(super) fn structure(&mut self, class: Class, length: u64, id: i64, text: &str) {
        self.counts[class as usize] += 1;
        self.fits.see(if class == Class::Array { &Value::Array("[]") } else { &Value::Object("{}") });
        let range = if class == Class::Array { &mut self.elements } else { &mut self.entries };
        widen(range, length);
        self.example(class, id, text);
    }

    /// Takes a string in; says what it holds.
    fn string(&mut self, text: &str, id: i64) -> Class {
        self.distinct.see(hash_of(2, text));
        self.distinct.see_word(text);
        widen(&mut self.lengths, text.chars().count() as u64);
        if text.is_empty() {
            return Class::Empty;
        }
        let trimmed = text.trim_matches([' ', '\t', '\n', '\r', '\x0b', '\x0c']);
        if trimmed.is_empty() {
            return Class::Blank;
        }
        self.untrimmed += u64::from(trimmed.len() < text.len());
        let class = class_of(trimmed);
        if class == Class::NumberText {
            let digits = trimmed.trim_start_matches(['-', '+']).as_bytes();
            self.leading_zero += u64::from(matches!(digits, [b'0', b'0'..=b'9', ..]));
            self.number(trimmed, id);
        }
        class
    }

    /// Takes a number in; says whether its value is integral.
    fn number(&mut self, text: &str, id: i64) -> bool {
        let (whole, fractional) = Decimal::parse(text).map_or((None, true), |decimal| decimal.truncated());
        if let (Some(whole), false) = (whole, fractional) {
            self.zeros += u64::from(whole == 0);
            self.epoch_s += u64::from(EPOCH_SECONDS.contains(&whole));
            self.epoch_ms += u64::from(EPOCH_SECONDS.contains(&whole.div_euclid(1000)));
            self.same_as_id += u64::from(whole == id);
            if whole != 0 {
                self.distinct.see_integer(spread(whole), whole);
            }
        }
        if let Ok(value) = text.parse::<f64>() {
            let shown = || Number { value, text: cut(text).into() };
            match &mut self.numbers {
                None => self.numbers = Some((shown(), shown())),
                Some((lowest, highest)) => {
                    if value < lowest.value || (value == lowest.value && *text < *lowest.text) {
                        *lowest = shown();
                    }
                    if value > highest.value || (value == highest.value && *text < *highest.text) {
                        *highest = shown();
                    }
                }
            }
        }
        !fractional
    }

    /// Keeps a value if its row is among the first of its class, each text once.
    fn example(&mut self, class: Class, id: i64, text: &str) {
        let of_class = self.examples.iter().filter(|example| example.class == class);
        let (count, last) = of_class.fold((0, i64::MIN), |(count, last), one| (count + 1, last.max(one.id)));
        if count >= EXAMPLES && id >= last {
            return;
        }
        // A key that always has the same value comes here with each row.
        if self.examples.iter().any(|one| one.class == class && one.id <= id && *one.text == *text) {
            return;
        }
        let text = cut(text);
        if let Some(same) = self.examples.iter_mut().find(|one| one.class == class && *one.text == *text) {
            same.id = same.id.min(id);
        } else {
            if count >= EXAMPLES
                && let Some(out) = self.examples.iter().position(|one| one.class == class && one.id == last)
            {
                self.examples.remove(out);
            }
            self.examples.push(Example { class, id, text: text.into() });
        }
        self.examples.sort_by(|a, b| (a.class, a.id, &a.text).cmp(&(b.class, b.id, &b.text)));
    }

    /// Takes in what another has seen.
    pub(super) fn merge(&mut self, other: Self) {
        self.counts.iter_mut().zip(other.counts).for_each(|(mine, theirs)| *mine += theirs);
        self.fits = self.fits.both(other.fits);
        self.distinct.merge(other.distinct);
        self.untrimmed += other.untrimmed;
        self.leading_zero += other.leading_zero;
        self.zeros += other.zeros;
        self.epoch_ms += other.epoch_ms;
        self.epoch_s += other.epoch_s;
        self.same_as_id += other.same_as_id;
        if let Some((low, high)) = other.numbers {
            match &mut self.numbers {
                None => self.numbers = Some((low, high)),
                Some((lowest, highest)) => {
                    // Two texts of one value, 1 and 1.0: the same one, whoever came first.
                    if low.value < lowest.value || (low.value == lowest.value && low.text < lowest.text) {
                        *lowest = low;
                    }
                    if high.value > highest.value || (high.value == highest.value && high.text < highest.text)
                    {
                        *highest = high;
                    }
                }
            }
        }
        for (mine, theirs) in [
            (&mut self.lengths, other.lengths),
            (&mut self.elements, other.elements),
            (&mut self.entries, other.entries),
        ] {
            if let Some((low, high)) = theirs {
                widen(mine, low);
                widen(mine, high);
            }
        }
        for Example { class, id, text } in other.examples {
            self.example(class, id, &text);
        }
    }
}

/// What a text without white space around it holds.
fn class_of(text: &str) -> Class {
    let Some(&first) = text.as_bytes().first() else { return Class::Empty };
    match first {
        b'{' | b'[' if takes(Fit::Json, text) => Class::JsonText,
        b'0'..=b'9' | b'-' | b'+' | b'.' | b'$' | b'(' | 0x80.. => {
            if Decimal::parse(text).is_some() {
                Class::NumberText
            } else if text.ends_with('%') && takes(Fit::Percent, text) {
                Class::PercentText
            } else if takes(Fit::Time, text) {
                // ISO's dates with a time have a letter or a blank in them.
                if text.contains(['T', 't', ' ']) { Class::TimeText } else { Class::DateText }
            } else if is_other_date(text) {
                Class::OtherDateText
            } else if text.len() >= 32 && takes(Fit::Uuid, text) {
                Class::UuidText
            } else if takes(Fit::Money, text) {
                Class::MoneyText
            } else {
                Class::Text
            }
        }
        _ if text.len() >= 32 && takes(Fit::Uuid, text) => Class::UuidText,
        _ if is_boolean_word(text) => Class::BooleanText,
        _ => Class::Text,
    }
}

/// A whole word: the server takes the beginning of one too, but `f` and `t` may be anything.
fn is_boolean_word(text: &str) -> bool {
    ["true", "false", "yes", "no", "on", "off"].iter().any(|word| text.eq_ignore_ascii_case(word))
}

fn is_other_date(text: &str) -> bool {
    // MM/DD/YYYY has ten characters, each other form more.
    text.len() >= 10
        && (0..DATE_FORMATS.len())
            .map(Fit::DateAs)
            .chain((0..TIME_FORMATS.len()).map(Fit::TimeAs))
            .any(|fit| takes(fit, text))
}

fn widen(range: &mut Option<(u64, u64)>, length: u64) {
    let (low, high) = range.unwrap_or((length, length));
    *range = Some((low.min(length), high.max(length)));
}

/// A hash of an integer that has nothing to do with its size.
fn spread(integer: i64) -> u64 {
    // The finalizer of SplitMix64, which maps each integer to another.
    let mut hash = integer.cast_unsigned().wrapping_add(0x9e37_79b9_7f4a_7c15);
    hash = (hash ^ (hash >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    hash = (hash ^ (hash >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    hash ^ (hash >> 31)
}

/// The beginning of a text.
fn cut(text: &str) -> String {
    match text.char_indices().nth(EXAMPLE_CHARS) {
        Some((end, _)) => format!("{}…", text.get(..end).unwrap_or_default()),
        None => text.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_is_known_by_what_it_holds() {
        for (text, class) in [
            ("12", Class::NumberText),
            ("-1.50", Class::NumberText),
            ("$1,200.50", Class::MoneyText),
            ("€5", Class::MoneyText),
            ("1,200", Class::MoneyText),
            ("2.5%", Class::PercentText),
            ("TRUE", Class::BooleanText),
            ("t", Class::Text),
            ("2025-01-15", Class::DateText),
            ("2025-01-15T10:00:00Z", Class::TimeText),
            ("2025-02-30", Class::Text),
            ("01/31/2025", Class::OtherDateText),
            ("31.01.2025", Class::OtherDateText),
            ("31/01/2025 10:30", Class::OtherDateText),
            ("a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11", Class::UuidText),
            ("[1, 2]", Class::JsonText),
            ("{x", Class::Text),
            ("NaN", Class::Text),
            ("12 apples", Class::Text),
            ("名前", Class::Text),
        ] {
            assert_eq!(class_of(text), class, "{text}");
        }
    }

    #[test]
    fn the_first_rows_give_the_examples_in_any_order() {
        let texts = ["a", "b", "a", "c", "d"];
        let rows = [5, 4, 3, 2, 9];
        let seen = |order: &[usize]| {
            let mut seen = Seen::default();
            for &at in order {
                seen.scalar(&Value::String(texts[at]), rows[at]);
            }
            seen.examples.iter().map(|one| (one.id, one.text.to_string())).collect::<Vec<_>>()
        };
        let expected = vec![(2, "c".to_owned()), (3, "a".to_owned())];
        assert_eq!(seen(&[0, 1, 2, 3, 4]), expected);
        assert_eq!(seen(&[4, 3, 2, 1, 0]), expected);
        assert_eq!(seen(&[2, 3, 0, 4, 1]), expected);
    }

    #[test]
    fn the_digits_of_a_range_do_not_depend_on_who_came_first() {
        for order in [["1.0", "1", "7.50", "7.5"], ["7.5", "7.50", "1", "1.0"]] {
            let mut seen = Seen::default();
            order.iter().for_each(|text| seen.scalar(&Value::Number(text), 0));
            let (lowest, highest) = seen.numbers.expect("numbers");
            assert_eq!((&*lowest.text, &*highest.text), ("1", "7.5"));
        }
    }

    #[test]
    fn numbers_in_strings_count_as_what_they_are() {
        let mut seen = Seen::default();
        for value in [
            Value::Number("1600000000000"),
            Value::String(" 0042 "),
            Value::Number("0"),
            Value::Number("-1.5"),
            Value::String("7"),
        ] {
            seen.scalar(&value, 7);
        }
        assert_eq!((seen.count(Class::Integer), seen.count(Class::Fraction)), (2, 1));
        assert_eq!((seen.count(Class::NumberText), seen.untrimmed, seen.leading_zero), (2, 1, 1));
        assert_eq!((seen.zeros, seen.epoch_ms, seen.epoch_s, seen.same_as_id), (1, 1, 0, 1));
        let (lowest, highest) = seen.numbers.expect("numbers");
        assert_eq!((&*lowest.text, &*highest.text), ("-1.5", "1600000000000"));
        let mut kept: Vec<i64> = seen.distinct.integers().collect();
        kept.sort_unstable();
        assert_eq!(kept, [7, 42, 1_600_000_000_000]);
    }
}
