//! The value that a document reader hands to the casts, and what a cast makes of it.

use std::borrow::Cow;

use serde::{Deserialize, Serialize};

/// One JSON value. Readers produce it, casts consume it; neither knows of the other.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Value<'a> {
    /// `null`
    Null,
    /// `true` or `false`
    Bool(bool),
    /// The digits exactly as `xdo->>'key'` prints them, or as a JSON file has them (`1.2e1`).
    Number(&'a str),
    /// A string with its escapes resolved.
    String(&'a str),
    /// An array, as JSON text.
    Array(&'a str),
    /// An object, as JSON text.
    Object(&'a str),
}

impl<'a> Value<'a> {
    /// The value as `->>` prints it; `None` for `null`.
    pub fn text(self) -> Option<Cow<'a, str>> {
        match self {
            Self::Null => None,
            Self::Bool(true) => Some(Cow::Borrowed("true")),
            Self::Bool(false) => Some(Cow::Borrowed("false")),
            Self::Number(text) | Self::String(text) | Self::Array(text) | Self::Object(text) => {
                Some(Cow::Borrowed(text))
            }
        }
    }
}

/// What a cast wrote: the field's bytes, or NULL.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Cell {
    /// Whether the cell is NULL; then nothing was written.
    pub null: bool,
    /// The rule that made a dirty value clean, if one was needed.
    pub coercion: Option<Coercion>,
}

impl Cell {
    /// A value that needed no coercion.
    pub const VALUE: Self = Self { null: false, coercion: None };
    /// NULL for an absent value.
    pub const NULL: Self = Self { null: true, coercion: None };
    /// NULL for a blank string.
    pub const BLANK: Self = Self { null: true, coercion: Some(Coercion::BlankToNull) };

    /// A value that a rule made clean.
    pub const fn coerced(coercion: Coercion) -> Self {
        Self { null: false, coercion: Some(coercion) }
    }
}

/// A rule by which a dirty value became a clean one. Counted for each column.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub enum Coercion {
    /// `""` or white space became NULL, or the column's default.
    BlankToNull,
    /// One of the column's `null_values` or `none` became NULL.
    NamedNull,
    /// A number was read from a string.
    StringToNumber,
    /// A boolean was read from a string.
    StringToBoolean,
    /// 1 or 0 was read as a boolean.
    NumberToBoolean,
    /// An object was read as a boolean.
    ObjectToBoolean,
    /// A number or boolean became text.
    ScalarToText,
    /// An object or array became text.
    StructureToText,
    /// A date or time was read from epoch milliseconds or seconds.
    EpochToTime,
    /// Epoch milliseconds were read from a date or time in text.
    TimeToEpoch,
    /// A date was cut from a date-time.
    TimeToDate,
    /// A numeric was rounded to the column's scale.
    Rounded,
    /// One value was wrapped into an array.
    Wrapped,
    /// JSON was read from a string.
    JsonFromString,
    /// A money or percent string was read as a number.
    UnitRemoved,
    /// The text was trimmed, changed in case, mapped or looked up.
    TextRule,
    /// A blank string, 0 or false was read as an array without elements.
    NoElements,
}

impl Coercion {
    /// The stable code that `--json` and the ledger bear.
    pub fn code(self) -> &'static str {
        match self {
            Self::BlankToNull => "blank_to_null",
            Self::NamedNull => "named_null",
            Self::StringToNumber => "string_to_number",
            Self::StringToBoolean => "string_to_boolean",
            Self::NumberToBoolean => "number_to_boolean",
            Self::ObjectToBoolean => "object_to_boolean",
            Self::ScalarToText => "scalar_to_text",
            Self::StructureToText => "structure_to_text",
            Self::EpochToTime => "epoch_to_time",
            Self::TimeToEpoch => "time_to_epoch",
            Self::TimeToDate => "time_to_date",
            Self::Rounded => "rounded",
            Self::Wrapped => "wrapped",
            Self::JsonFromString => "json_from_string",
            Self::UnitRemoved => "unit_removed",
            Self::TextRule => "text_rule",
            Self::NoElements => "no_elements",
        }
    }

    /// The rule in words.
    pub fn label(self) -> &'static str {
        match self {
            Self::BlankToNull => "\"\" → NULL",
            Self::NamedNull => "a value that means none → NULL",
            Self::StringToNumber => "string → number",
            Self::StringToBoolean => "string → boolean",
            Self::NumberToBoolean => "number → boolean",
            Self::ObjectToBoolean => "object → boolean",
            Self::ScalarToText => "number or boolean → text",
            Self::StructureToText => "object or array → text",
            Self::EpochToTime => "epoch → date or time",
            Self::TimeToEpoch => "date or time → epoch",
            Self::TimeToDate => "date-time → date",
            Self::Rounded => "rounded to the scale",
            Self::Wrapped => "one value → array",
            Self::JsonFromString => "string → JSON",
            Self::UnitRemoved => "money or percent → number",
            Self::TextRule => "changed by a text rule",
            Self::NoElements => "\"\", 0 or false → no elements",
        }
    }
}

/// Why a cell or a row could not be loaded. A value, not an error: see `Fate` for those.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub enum Reason {
    /// Not a number in the syntax of the type.
    NotANumber,
    /// A number with a fraction where an integer is wanted.
    Fraction,
    /// Beyond the range of the type.
    OutOfRange,
    /// No spelling of a boolean.
    NotABoolean,
    /// No date or time in a form that the column takes.
    NotATime,
    /// A date that the calendar does not have.
    NoSuchDate,
    /// No uuid.
    NotAUuid,
    /// Longer than the column.
    TooLong,
    /// A string that holds no JSON.
    NotJson,
    /// Not an array.
    NotAnArray,
    /// The wrong kind of JSON value for the type.
    WrongKind,
    /// Not one of the column's `allowed` values.
    NotAllowed,
    /// Not in the column's `lookup` file.
    NotInLookup,
    /// NULL in a column that takes none.
    NullNotAllowed,
    /// The document is not a JSON object.
    NotAnObject,
    /// The merge key is NULL or could not be read.
    NoKey,
    /// An edge of a closure from a node to itself.
    SelfEdge,
    /// An edge of a closure that is on a cycle.
    Cycle,
}

impl Reason {
    /// The stable code that is kept in the quarantine table.
    pub fn code(self) -> &'static str {
        match self {
            Self::NotANumber => "not_a_number",
            Self::Fraction => "fraction",
            Self::OutOfRange => "out_of_range",
            Self::NotABoolean => "not_a_boolean",
            Self::NotATime => "not_a_time",
            Self::NoSuchDate => "no_such_date",
            Self::NotAUuid => "not_a_uuid",
            Self::TooLong => "too_long",
            Self::NotJson => "not_json",
            Self::NotAnArray => "not_an_array",
            Self::WrongKind => "wrong_kind",
            Self::NotAllowed => "not_allowed",
            Self::NotInLookup => "not_in_lookup",
            Self::NullNotAllowed => "null_not_allowed",
            Self::NotAnObject => "not_an_object",
            Self::NoKey => "no_key",
            Self::SelfEdge => "self_edge",
            Self::Cycle => "cycle",
        }
    }

    /// The reason in words.
    pub fn message(self) -> &'static str {
        match self {
            Self::NotANumber => "not a number",
            Self::Fraction => "a fraction where an integer is wanted",
            Self::OutOfRange => "beyond the range of the type",
            Self::NotABoolean => "not a boolean",
            Self::NotATime => "not a date or time in a form that the column takes",
            Self::NoSuchDate => "a date that does not exist",
            Self::NotAUuid => "not a uuid",
            Self::TooLong => "longer than the column",
            Self::NotJson => "a string that holds no JSON",
            Self::NotAnArray => "not an array",
            Self::WrongKind => "the wrong kind of JSON value for the type",
            Self::NotAllowed => "not one of the allowed values",
            Self::NotInLookup => "not in the lookup file",
            Self::NullNotAllowed => "null in a column that takes none",
            Self::NotAnObject => "the document is not a JSON object",
            Self::NoKey => "the merge key is null or could not be read",
            Self::SelfEdge => "an edge from a node to itself",
            Self::Cycle => "an edge on a cycle",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_test_of_a_pipeline_may_expect_every_reason() {
        use Reason::*;
        let reasons = [
            NotANumber,
            Fraction,
            OutOfRange,
            NotABoolean,
            NotATime,
            NoSuchDate,
            NotAUuid,
            TooLong,
            NotJson,
            NotAnArray,
            WrongKind,
            NotAllowed,
            NotInLookup,
            NullNotAllowed,
            NotAnObject,
            NoKey,
        ];
        assert_eq!(reasons.map(Reason::code), crate::spec::KNOWN_REASONS);
    }
}
