//! `inspect`: a line for each key, as wide as the terminal lets it be; what is less needed goes first.

mod html;

use std::io::{self, Write};

use super::table::{Cell, Side, Table};
use super::{HINT, labelled};
use crate::cli::format;
use crate::cli::style::{Style, Tone};
use crate::profile::{KeyProfile, Profile};

pub use self::html::inspect_html;

/// Characters of a key that are shown, and of an example.
const KEY: usize = 40;
const EXAMPLE: usize = 30;
/// The least that is left of what is told of a key.
const NOTES: usize = 20;
/// Words of an enumeration that are shown.
const WORDS: usize = 6;

/// A column of the table: its heading, the side, and how soon it is left out where the terminal is narrow; 0 is
/// never.
const COLUMNS: [(&str, Side, u8); 7] = [
    ("Key", Side::Left, 0),
    ("In", Side::Right, 0),
    ("Kinds", Side::Left, 0),
    ("Distinct", Side::Right, 3),
    ("Range", Side::Left, 4),
    ("Notes", Side::Left, 0),
    ("Such as", Side::Left, 5),
];
/// The places of the key, of its kinds and of the notes.
const KEY_AT: usize = 0;
const KINDS_AT: usize = 2;
const NOTES_AT: usize = 5;
/// What is left of a key and its kinds in a narrow terminal, at least.
const NARROW_KEY: usize = 22;
const NARROW_KINDS: usize = 14;

/// Writes what was read, a line for each key, and what comes next. `width` is that of a terminal.
///
/// # Errors
///
/// Those of the writer.
pub fn inspect(out: &mut dyn Write, profile: &Profile, style: Style, width: Option<usize>) -> io::Result<()> {
    writeln!(out, "{}", style.paint(Tone::Strong, &heading(profile)))?;
    for line in odd_documents(profile) {
        labelled(out, "", ("note", Tone::Warning), &line, style)?;
    }
    if profile.keys.is_empty() {
        return writeln!(out, "{}", style.paint(Tone::Warning, "the documents have no key"));
    }
    writeln!(out)?;
    let rows: Vec<[(String, Tone); 7]> = profile
        .keys
        .iter()
        .map(|key| cells(key).map(|(text, tone)| (style.signs(&text).into_owned(), tone)))
        .collect();
    let (shown, most) = fitting(&rows, width);
    let columns = shown.iter().map(|&at| (COLUMNS[at].0, COLUMNS[at].1)).collect();
    let mut table = Table::new(columns);
    for row in rows {
        let mut cells: Vec<Option<(String, Tone)>> = row.map(Some).into();
        let of = |at: usize| {
            let (text, tone) =
                cells.get_mut(at).and_then(Option::take).unwrap_or((String::new(), Tone::Plain));
            Cell { text: cut(&text, most[at]), tone }
        };
        table.row(shown.iter().copied().map(of).collect());
    }
    table.print(out, style)?;
    writeln!(out)?;
    let hint = format!(
        "xdoflow scaffold {} drafts a pipeline file; --sort worst shows the dirtiest keys first",
        profile.table
    );
    labelled(out, "", HINT, &hint, style)
}

/// `public.t: 3,201 rows read (all rows), 1.2 MB of documents, 16 keys`
fn heading(profile: &Profile) -> String {
    let of = if profile.complete {
        "all rows".to_owned()
    } else {
        format!("of about {}: {}", format::count(profile.table_rows), profile.sample)
    };
    format!(
        "{}: {} read ({of}), {} of documents, {}",
        profile.table,
        format::counted(profile.rows, "row"),
        format::bytes(profile.document_bytes),
        format::counted(profile.keys.len() as u64, "key")
    )
}

/// Documents that are no objects, and keys that are too many.
fn odd_documents(profile: &Profile) -> Vec<String> {
    let documents = profile.documents;
    let mut lines = Vec::new();
    for (count, what) in [
        (documents.absent, "no document"),
        (documents.json_nulls, "the document null"),
        (documents.arrays, "an array as document"),
        (documents.scalars, "a single value as document"),
    ] {
        if count > 0 {
            lines.push(format!("{} with {what}: a run quarantines them", format::counted(count, "row")));
        }
    }
    if profile.crowded_values > 0 {
        let values = format::counted(profile.crowded_values, "value");
        lines.push(format!("{values} of keys that were too many to be told apart: keys that are data"));
    }
    lines
}

/// The cells of a key.
fn cells(key: &KeyProfile) -> [(String, Tone); 7] {
    let plain = |text: String| (text, Tone::Plain);
    let tone = match key.worst {
        worst if worst >= 0.3 => Tone::Critical,
        worst if worst >= 0.1 => Tone::Warning,
        _ => Tone::Plain,
    };
    let example = key.telling_examples().next();
    let example = example.map(|one| cut(&visible(&one.value), EXAMPLE)).unwrap_or_default();
    [
        (cut(&visible(&key.path), KEY), Tone::Strong),
        plain(share(key.present, key.of)),
        plain(kinds(key)),
        plain(distinct(key)),
        plain(visible(&extent(key))),
        (visible(&notes(key)), tone),
        (example, Tone::Dim),
    ]
}

/// The kinds of a key's values with their shares.
fn kinds(key: &KeyProfile) -> String {
    let all = key.kinds.sum();
    let named = key.kinds.named();
    let told = named.iter().map(|&(name, count)| {
        if count == all { name.to_owned() } else { format!("{name} {}", share(count, all)) }
    });
    told.collect::<Vec<_>>().join(", ")
}

fn distinct(key: &KeyProfile) -> String {
    match key.distinct {
        0 => String::new(),
        count if key.distinct_exact => format::count(count),
        count => format!("~{}", format::count(count)),
    }
}

/// From where to where the values go.
fn extent(key: &KeyProfile) -> String {
    let mut parts = Vec::new();
    if let Some((low, high)) = key.telling_range() {
        parts.push(if low == high { low.clone() } else { format!("{low} to {high}") });
    }
    let mut lengths = |range: Option<(u64, u64)>, what: &str| {
        if let Some((low, high)) = range {
            parts.push(if low == high { format!("{low} {what}") } else { format!("{low} to {high} {what}") });
        }
    };
    lengths(key.telling_lengths(), "characters");
    lengths(key.elements, "elements");
    lengths(key.entries, "keys");
    parts.join(", ")
}

/// What is to be looked at.
fn notes(key: &KeyProfile) -> String {
    let all = key.kinds.sum();
    let mut notes: Vec<String> = key
        .findings
        .iter()
        .map(|finding| match share(finding.count, all).as_str() {
            "100 %" => finding.text.clone(),
            share => format!("{} {share}", finding.text),
        })
        .collect();
    notes.extend(key.references.first().map(|one| {
        let all =
            if one.found == one.asked { String::new() } else { format!(" {} of {}", one.found, one.asked) };
        format!("ids of {}{all}", one.table)
    }));
    if !key.values.is_empty() {
        let word = |value: &str| if value.is_empty() { "\"\"".to_owned() } else { visible(value) };
        let words: Vec<String> = key.values.iter().take(WORDS).map(|one| word(&one.value)).collect();
        let more = if key.values.len() > WORDS { "…" } else { "" };
        notes.push(match words.as_slice() {
            [one] => format!("always {one}"),
            words => format!("one of {}: {}{more}", key.values.len(), words.join(", ")),
        });
    }
    if key.same_as_id > 0 && key.same_as_id == key.told() {
        notes.push("the row's id".to_owned());
    }
    notes.join("; ")
}

/// Which columns a terminal has room for, and how many characters of each.
fn fitting(rows: &[[(String, Tone); 7]], width: Option<usize>) -> (Vec<usize>, [usize; 7]) {
    let mut shown: Vec<usize> = (0..COLUMNS.len()).collect();
    let mut most = [usize::MAX; 7];
    let Some(width) = width else { return (shown, most) };
    let wide = |at: usize, most: &[usize; 7]| {
        let cells = rows.iter().map(|row| console::measure_text_width(&row[at].0).min(most[at]));
        cells.fold(console::measure_text_width(COLUMNS[at].0), usize::max)
    };
    loop {
        let others = shown.iter().filter(|&&at| at != NOTES_AT).map(|&at| wide(at, &most) + 2);
        let left = width.saturating_sub(others.sum());
        // As much as most notes need, or all that there are.
        if left >= wide(NOTES_AT, &most).min(2 * NOTES) {
            most[NOTES_AT] = left;
            return (shown, most);
        }
        let first_out = shown.iter().copied().filter(|&at| COLUMNS[at].2 > 0).max_by_key(|&at| COLUMNS[at].2);
        match first_out {
            Some(out) => shown.retain(|&at| at != out),
            None if most[KINDS_AT] == usize::MAX => {
                (most[KEY_AT], most[KINDS_AT]) = (NARROW_KEY.max(width / 4), NARROW_KINDS.max(width / 4))
            }
            None => {
                most[NOTES_AT] = left.max(NOTES / 2);
                return (shown, most);
            }
        }
    }
}

/// A share in percent with one decimal, never 0 or 100 where it is not.
fn share(part: u64, all: u64) -> String {
    match part as f64 * 100.0 / all.max(1) as f64 {
        _ if part == all => "100 %".to_owned(),
        _ if part == 0 => "0 %".to_owned(),
        percent if percent < 0.1 => "<0.1 %".to_owned(),
        percent if percent > 99.9 => ">99.9 %".to_owned(),
        percent if !(10.0..99.0).contains(&percent) => format!("{percent:.1} %"),
        percent => format!("{percent:.0} %"),
    }
}

/// A text without line breaks and control characters.
fn visible(text: &str) -> String {
    text.chars().map(|c| if c.is_control() { '·' } else { c }).collect()
}

/// A text of no more characters than that.
fn cut(text: &str, most: usize) -> String {
    if console::measure_text_width(text) <= most {
        return text.to_owned();
    }
    console::truncate_str(text, most.max(1), "…").into_owned()
}

#[cfg(test)]
mod tests {
    use super::super::tests::{PLAIN, text};
    use super::*;
    use crate::profile::report::{Documents, Finding, Kinds, Sample, Strings, ValueCount};

    fn key(path: &str, kinds: Kinds) -> KeyProfile {
        KeyProfile {
            path: path.to_owned(),
            present: kinds.sum(),
            of: 1_000,
            kinds,
            strings: Strings::default(),
            distinct: 3,
            distinct_exact: true,
            range: None,
            lengths: Some((0, 6)),
            elements: None,
            entries: None,
            epoch_ms: 0,
            epoch_s: 0,
            zeros: 0,
            same_as_id: 0,
            crowded_values: 0,
            values: Vec::new(),
            examples: vec![Sample { id: Some(7), value: "a\nb".to_owned() }],
            references: Vec::new(),
            findings: Vec::new(),
            worst: 0.0,
            fits: Default::default(),
            steps: None,
            parent: None,
        }
    }

    pub(super) fn profile() -> Profile {
        let strings = Kinds { string: 999, null: 1, ..Kinds::default() };
        let words =
            [("ACTIVE", 900), ("CLOSED", 99)].map(|(value, count)| ValueCount { value: value.into(), count });
        let status = KeyProfile {
            values: words.into(),
            findings: vec![Finding { code: "empty", text: "empty strings".to_owned(), count: 100 }],
            ..key("status", strings)
        };
        let lat = KeyProfile {
            range: Some(("-1.5".to_owned(), "90".to_owned())),
            lengths: None,
            distinct: 20_000,
            distinct_exact: false,
            ..key("location.lat", Kinds { number: 500, ..Kinds::default() })
        };
        Profile {
            table: "public.t".to_owned(),
            id_column: Some("id".to_owned()),
            document_column: "xdo".to_owned(),
            table_rows: 702_072,
            rows: 1_001,
            complete: false,
            sample: "runs of blocks all over the table".to_owned(),
            document_bytes: 1_200_000,
            documents: Documents { objects: 1_000, arrays: 1, scalars: 0, json_nulls: 0, absent: 0 },
            keys: vec![status, lat],
            crowded_values: 0,
            reference_tables: 4,
        }
    }

    #[test]
    fn each_key_is_a_line_with_what_is_to_be_looked_at() {
        let expected = "\
public.t: 1,001 rows read (of about 702,072: runs of blocks all over the table), 1.2 MB of documents, 2 keys
note: 1 row with an array as document: a run quarantines them

Key             In  Kinds                       Distinct  Range              Notes                                           Such as
status       100 %  string 99.9 %, null 0.1 %         3  0 to 6 characters  empty strings 10 %; one of 2: ACTIVE, CLOSED  a·b
location.lat  50 %  number                       ~20,000  -1.5 to 90                                                       a·b
";
        let printed = text(|out| inspect(out, &profile(), PLAIN, None));
        let words = |text: &str| text.split_whitespace().map(str::to_owned).collect::<Vec<_>>();
        assert!(words(&printed).starts_with(&words(expected)), "{printed}");
    }

    #[test]
    fn a_narrow_terminal_keeps_the_keys_and_what_is_told_of_them() {
        for width in [60, 80, 100, 120, 200] {
            let printed = text(|out| inspect(out, &profile(), PLAIN, Some(width)));
            let lines: Vec<&str> = printed
                .lines()
                .skip_while(|line| !line.starts_with("Key"))
                .take_while(|line| !line.is_empty())
                .collect();
            assert_eq!(lines.len(), 3, "{printed}");
            for line in lines {
                assert!(console::measure_text_width(line) <= width, "{width}: {line}");
            }
            assert!(printed.contains("location.lat") && printed.contains("empty"), "{width}: {printed}");
        }
    }
}
