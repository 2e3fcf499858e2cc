//! Case, whatever the locale of the database.
//!
//! `lower` and its sisters do what the database's locale says, which in C is nothing beyond ASCII. So the
//! letters beyond ASCII are named: `translate` with Unicode's simple mappings, for those texts that have
//! any.

use std::sync::LazyLock;

use crate::spec::model::Case;

use super::text::literal;

/// Letters with a counterpart of one character, and these.
struct Letters {
    from: String,
    to: String,
}

static LOWER: LazyLock<Letters> = LazyLock::new(|| {
    // The dotted capital I has a mapping of two characters, and its simple mapping is the first.
    Letters::of(|letter| letter.to_lowercase().next())
});

static UPPER: LazyLock<Letters> = LazyLock::new(|| {
    Letters::of(|letter| {
        let mut mapped = letter.to_uppercase();
        let first = mapped.next();
        if mapped.next().is_none() { first } else { None }
    })
});

/// The letters and digits beyond ASCII, as ranges of a bracket expression.
static ALPHANUMERIC: LazyLock<String> = LazyLock::new(|| {
    let mut ranges: Vec<(u32, u32)> = Vec::new();
    for letter in ('\u{80}'..=char::MAX).filter(|c| c.is_alphanumeric()) {
        let code = u32::from(letter);
        match ranges.last_mut() {
            Some((_, end)) if *end + 1 == code => *end = code,
            _ => ranges.push((code, code)),
        }
    }
    ranges.iter().map(|(first, last)| format!("\\U{first:08X}-\\U{last:08X}")).collect()
});

impl Letters {
    fn of(map: impl Fn(char) -> Option<char>) -> Self {
        let pairs = ('\u{80}'..=char::MAX).filter_map(|c| Some((c, map(c)?))).filter(|(from, to)| from != to);
        let (from, to) = pairs.unzip();
        Self { from, to }
    }
}

/// A text in another case.
pub(super) fn changed(case: Case, text: &str) -> String {
    match case {
        Case::Lower => beyond_ascii(text, "lower", &lower(text)),
        Case::Upper => beyond_ascii(text, "upper", &upper(text)),
        Case::Title => {
            let inside = literal(&format!("[0-9A-Za-z{}]", *ALPHANUMERIC));
            let letters = format!(
                "(SELECT string_agg(CASE WHEN z.inside THEN {} ELSE {} END, '' ORDER BY z.i) FROM \
                 (SELECT w.c, w.i, coalesce(lag(w.c) OVER (ORDER BY w.i) ~ {inside}, false) AS inside \
                 FROM regexp_split_to_table({text}, '') WITH ORDINALITY AS w (c, i) OFFSET 0) AS z)",
                lower("z.c"),
                upper("z.c")
            );
            beyond_ascii(text, "initcap", &letters)
        }
    }
}

fn beyond_ascii(text: &str, function: &str, otherwise: &str) -> String {
    let beyond = literal(r"[^\u0001-\u007F]");
    format!(
        "CASE WHEN {text} ~ {beyond} THEN {otherwise} ELSE {function}({text} COLLATE \"C\") COLLATE \"default\" END"
    )
}

fn lower(text: &str) -> String {
    translated(text, "lower", &LOWER)
}

fn upper(text: &str) -> String {
    translated(text, "upper", &UPPER)
}

fn translated(text: &str, function: &str, letters: &Letters) -> String {
    format!(
        "translate({function}({text} COLLATE \"C\") COLLATE \"default\", {}, {})",
        literal(&letters.from),
        literal(&letters.to)
    )
}
