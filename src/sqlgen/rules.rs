//! The text rules of a column, as a chain of one-row tables.
//!
//! Order: trim, null values, case, map, lookup, function, allowed. A value that no rule changes goes on as
//! it came, so that a number stays a number; objects and arrays pass untouched.

use std::collections::BTreeMap;
use std::path::Path;

use crate::error::{Error, Result};
use crate::spec::model::TextRules;

use super::case;
use super::text::{bound, literal, literals, text_of, trimmed};

/// Whether a column has no rules.
pub(super) fn is_empty(rules: &TextRules) -> bool {
    *rules == TextRules::default()
}

/// A table `alias` of one row: `y`, the value that goes on to the cast; `nul`, whether it is one of those
/// that mean NULL; `bad`, whether it is rejected. In the last two cases `y` is NULL.
pub(super) fn ruled(alias: &str, rules: &TextRules, json: &str) -> Result<String> {
    let before = format!(
        "CASE WHEN jsonb_typeof({json}) IN ('string', 'number', 'boolean') THEN {} END",
        text_of(json)
    );
    let a = bound("a", &[("x", json.to_owned()), ("b", before)], None);
    let trim = if rules.trim { trimmed("a.b") } else { "a.b".to_owned() };
    let b = next("b", &["a.x", "a.b"], &[("t", trim)], &a);
    let nul = match rules.null_values.is_empty() {
        true => "false".to_owned(),
        false => format!("coalesce(b.t IN ({}), false)", literals(&rules.null_values)),
    };
    let cased = rules.case.map_or_else(|| "b.t".to_owned(), |case| case::changed(case, "b.t"));
    let c = next("c", &["b.x", "b.b"], &[("nul", nul), ("t", cased)], &b);
    let mapped = if rules.map.is_empty() { "c.t".to_owned() } else { mapped(&rules.map, "c.t") };
    let d = next("d", &["c.x", "c.b", "c.nul"], &[("t", mapped)], &c);
    // A blank text is for the cast to judge: no file lists it.
    let found = match &rules.lookup {
        None => "d.t".to_owned(),
        Some(path) => format!(
            "CASE WHEN {} = '' THEN d.t ELSE {}::jsonb ->> d.t END",
            trimmed("d.t"),
            literal(&lookup(path)?)
        ),
    };
    let e = next("e", &["d.x", "d.b", "d.nul"], &[("t", found)], &d);
    let computed = match rules.function.as_deref() {
        None => "e.t".to_owned(),
        Some("digits") => "regexp_replace(e.t, '[^0-9]', '', 'g')".to_owned(),
        Some(name) => {
            return Err(Error::usage(format!("the function {name:?} has no form in SQL"))
                .hint("take the column out of the pipeline, or move its data with xdoflow run"));
        }
    };
    let f = next("f", &["e.x", "e.b", "e.nul"], &[("t", computed)], &e);
    let mut bad = "f.b IS NOT NULL AND NOT f.nul AND (f.t IS NULL".to_owned();
    if let Some(allowed) = &rules.allowed {
        bad.push_str(&format!(" OR ({} <> '' AND f.t NOT IN ({}))", trimmed("f.t"), literals(allowed)));
    }
    bad.push(')');
    let g = next("g", &["f.x", "f.b", "f.nul", "f.t"], &[("bad", bad)], &f);
    let y =
        "CASE WHEN g.nul OR g.bad THEN NULL WHEN g.b IS NULL OR g.t = g.b THEN g.x ELSE to_jsonb(g.t) END";
    Ok(next(alias, &["g.nul", "g.bad"], &[("y", y.to_owned())], &g))
}

/// The next table of the chain: columns that go on, and new ones.
fn next(alias: &str, kept: &[&str], new: &[(&str, String)], from: &str) -> String {
    let kept = kept.iter().map(|column| (column.rsplit('.').next().unwrap_or(column), (*column).to_owned()));
    let columns: Vec<(&str, String)> = kept.chain(new.iter().cloned()).collect();
    bound(alias, &columns, Some(from))
}

fn mapped(map: &BTreeMap<String, String>, text: &str) -> String {
    let arms: Vec<String> =
        map.iter().map(|(from, to)| format!("WHEN {} THEN {}", literal(from), literal(to))).collect();
    format!("CASE {text} {} ELSE {text} END", arms.join(" "))
}

/// A lookup file as one JSON object, in which the server finds a key by bisection.
fn lookup(path: &Path) -> Result<String> {
    let problem = |message: String| {
        Error::usage(format!("lookup file {}: {message}", path.display()))
            .hint("a lookup file is CSV with a header line and two columns: the key and its value")
    };
    let mut reader = csv::Reader::from_path(path).map_err(|error| problem(error.to_string()))?;
    let mut values = BTreeMap::new();
    for record in reader.records() {
        let record = record.map_err(|error| problem(error.to_string()))?;
        let (Some(key), Some(value), 2) = (record.get(0), record.get(1), record.len()) else {
            return Err(problem("not two columns".to_owned()));
        };
        if values.insert(key.to_owned(), value.to_owned()).is_some_and(|before| before != value) {
            return Err(problem(format!("key {key:?} has two values")));
        }
    }
    // No text on the server has a NUL: such a key is never met, such a value is never taken.
    values.retain(|key, value| !key.contains('\0') && !value.contains('\0'));
    serde_json::to_string(&values).map_err(|error| problem(error.to_string()))
}
