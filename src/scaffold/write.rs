//! The text of a draft: the pipeline file with its evidence, and the statements that make the table.

use std::fmt::Write as _;

use super::choose::choose;
use super::names::snake;
use super::plan::{Column, Plan};
use crate::name::quote;
use crate::pg::profile as sql;
use crate::profile::{KeyProfile, Profile};
use crate::spec::write::{comment, key as toml_key, string};
use crate::transform::Tally;

/// Characters of a line of evidence.
const LINE: usize = 110;
/// Examples that are shown of a key.
const EXAMPLES: usize = 4;

/// The pipeline file; its head says what the rows gave once it was proved.
pub fn pipeline(plan: &Plan, profile: &Profile, proved: Option<&Tally>) -> String {
    let mut text = String::new();
    // Writing to a String cannot fail, here and below.
    let _ = write!(text, "{}", comment(&head(plan, profile, proved)));
    let _ = write!(
        text,
        "entity = {}\nsource = {{ table = {}, id = {}, document = {} }}\n\n[target.{}]\ntable = {}\nkey = {}\n\n\
         [target.{}.columns]\n{} = \"$id\"\n",
        string(&plan.entity),
        string(&plan.source.table.to_string()),
        string(&plan.source.id),
        string(&plan.source.document),
        toml_key(&plan.entity),
        string(&plan.target.to_string()),
        string(&plan.id),
        toml_key(&plan.entity),
        toml_key(&plan.id),
    );
    if let Some(copy) = plan.copy_of_id {
        let path = &profile.keys[copy].path;
        let _ = write!(text, "{}", comment(&format!("{path}: the row's id in every document, left out")));
    }
    for column in &plan.columns {
        let key = &profile.keys[column.key];
        text.push('\n');
        let _ = write!(text, "{}", comment(&evidence(key, column, plan.values)));
        text.push_str(&line(column, key));
        if key.kinds.array > 0 {
            let _ = write!(text, "{}", comment(&child_table(plan, profile, column)));
        }
    }
    text
}

/// The statements that make the table.
pub fn ddl(plan: &Plan, profile: &Profile) -> String {
    let statement = sql::create_table(&plan.target, &plan.table(), &plan.id);
    let told = format!("drafted by xdoflow scaffold from {}", profile.table);
    format!("{statement}{}", sql::comment_on(&plan.target, &told))
}

fn head(plan: &Plan, profile: &Profile, proved: Option<&Tally>) -> String {
    let of = if profile.complete {
        format!("all {} rows", profile.rows)
    } else {
        format!("{} of about {} rows ({})", profile.rows, profile.table_rows, profile.sample)
    };
    let mut head = format!("Drafted by xdoflow scaffold from {of} of {}.\n", profile.table);
    if let Some(tally) = proved {
        let quarantined: u64 = tally.targets.iter().map(|target| target.quarantined).sum();
        let _ = writeln!(
            head,
            "These rows went through it: {} loaded with no value rejected, {quarantined} set aside.",
            tally.rows - quarantined.min(tally.rows)
        );
    }
    if plan.left_out > 0 {
        let _ = writeln!(head, "{} keys that few documents have are left out.", plan.left_out);
    }
    head.push_str("Read the evidence above each column, correct what you know better, then: xdoflow check, run, verify.");
    head
}

/// The line of a column.
fn line(column: &Column, key: &KeyProfile) -> String {
    let name = toml_key(&column.name);
    let choice = &column.choice;
    let own = key.steps.as_deref().is_some_and(|steps| steps.len() == 1 && steps[0] == column.name);
    if own && choice.options.is_empty() {
        return format!("{name} = {}\n", string(choice.spec_type));
    }
    let mut parts = Vec::new();
    if !own {
        parts.push(format!("from = {}", string(&key.path)));
    }
    parts.push(format!("type = {}", string(choice.spec_type)));
    parts.extend(choice.options.iter().cloned());
    format!("{name} = {{ {} }}\n", parts.join(", "))
}

/// What was seen of a key, as lines of a comment.
fn evidence(key: &KeyProfile, column: &Column, values: bool) -> String {
    let mut facts = Vec::new();
    if key.present < key.of {
        facts.push(format!("in {} of the objects", share(key.present, key.of)));
    }
    let all = key.kinds.sum();
    let kinds: Vec<String> = key
        .kinds
        .named()
        .into_iter()
        .map(
            |(name, count)| {
                if count == all { name.to_owned() } else { format!("{name} {}", share(count, all)) }
            },
        )
        .collect();
    facts.push(kinds.join(", "));
    facts.extend(key.findings.iter().map(|finding| format!("{}: {}", finding.text, finding.count)));
    if key.distinct > 0 {
        let about = if key.distinct_exact { "" } else { "about " };
        facts.push(format!("{about}{} distinct", key.distinct));
    }
    if let (true, Some((low, high))) = (values, key.telling_range()) {
        facts.push(if low == high { format!("always {low}") } else { format!("{low} to {high}") });
    }
    for (range, what) in [(key.telling_lengths(), "characters"), (key.elements, "elements")] {
        if let Some((fewest, most)) = range {
            let fewest = if fewest == most { String::new() } else { format!("{fewest} to ") };
            facts.push(format!("{fewest}{most} {what}"));
        }
    }
    for one in &key.references {
        facts.push(format!("{} of {} asked are ids of {}", one.found, one.asked, one.table));
    }
    let mut lines = wrap(&facts);
    let shown: Vec<&str> = key.telling_examples().take(EXAMPLES).map(|one| one.value.as_str()).collect();
    if values && !shown.is_empty() {
        lines.push(cut(&format!("such as {}", shown.join(" | ").replace(['\n', '\r'], " "))));
    }
    lines.extend(column.choice.remarks.iter().cloned());
    lines.join("\n")
}

/// A table for the elements of an array, as a proposal.
fn child_table(plan: &Plan, profile: &Profile, column: &Column) -> String {
    let keys = &profile.keys;
    let path = format!("{}[]", keys[column.key].path);
    let Some(element) = keys.iter().position(|key| key.path == path) else { return String::new() };
    let type_of = |key: &KeyProfile| choose(key, false, false).column_type;
    let fields: Vec<(String, &str)> = if keys[element].kinds.object > 0 && keys[element].kinds.distinct() == 1
    {
        let children = keys.iter().filter(|key| key.parent == Some(element));
        children.map(|key| (snake(key.path.get(path.len()..).unwrap_or_default()), type_of(key))).collect()
    } else {
        vec![("value".to_owned(), type_of(&keys[element]))]
    };
    let fields: Vec<String> = fields.iter().map(|(name, kind)| format!("{} {kind}", quote(name))).collect();
    format!(
        "A table of its own would hold its elements: {}_{} ({} bigint, position integer, {})",
        plan.target,
        column.name,
        quote(&format!("{}_id", plan.entity)),
        fields.join(", ")
    )
}

/// A share in percent, never 0 or 100 where it is not.
fn share(part: u64, all: u64) -> String {
    let percent = part as f64 * 100.0 / all.max(1) as f64;
    match percent {
        _ if part == 0 => "0 %".to_owned(),
        _ if part == all => "100 %".to_owned(),
        percent if percent < 0.1 => "<0.1 %".to_owned(),
        percent if percent > 99.9 => ">99.9 %".to_owned(),
        percent => format!("{percent:.1} %"),
    }
}

/// Facts on lines that are not too long.
fn wrap(facts: &[String]) -> Vec<String> {
    let mut lines: Vec<String> = Vec::new();
    for fact in facts {
        match lines.last_mut() {
            Some(line) if line.len() + fact.len() + 2 <= LINE => {
                line.push_str("; ");
                line.push_str(fact);
            }
            _ => lines.push(fact.clone()),
        }
    }
    lines
}

fn cut(line: &str) -> String {
    match line.char_indices().nth(LINE) {
        Some((end, _)) => format!("{}…", line.get(..end).unwrap_or_default()),
        None => line.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_share_is_whole_only_when_it_is() {
        assert_eq!(
            [share(0, 3), share(3, 3), share(1, 3), share(1, 100_000), share(99_999, 100_000)],
            ["0 %", "100 %", "33.3 %", "<0.1 %", ">99.9 %"]
        );
    }
}
