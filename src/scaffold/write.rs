//! The text of a draft: the pipeline file with its evidence, and the statements that make the table.

use std::fmt::Write as _;

use super::child::{Child, beside, relative};
use super::names::{Names, snake};
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
    let (mut object, mut tables) = (None, Names::default());
    for column in &plan.columns {
        let key = &profile.keys[column.key];
        text.push('\n');
        let of = inside(key);
        if of.is_some() && of != object {
            let _ =
                write!(text, "{}", comment(&own_table(plan, profile, of.unwrap_or_default(), &mut tables)));
            text.push('\n');
        }
        object = of;
        let _ = write!(text, "{}", comment(&evidence(key, column, plan.values)));
        text.push_str(&line(column, key, &key.path));
        if let Some(child) = plan.children.iter().find(|child| child.array == column.key) {
            let _ = write!(text, "{}", comment(&proposed(child)));
        }
    }
    for child in plan.active() {
        push_child(plan, profile, child, &mut text);
    }
    text
}

/// The object at the top of the document that a key is inside of.
fn inside(key: &KeyProfile) -> Option<&str> {
    let steps = key.steps.as_deref()?;
    steps.first().filter(|_| steps.len() > 1).map(String::as_str)
}

/// What is said of the columns of an object: that they may be a table of their own.
fn own_table(plan: &Plan, profile: &Profile, object: &str, tables: &mut Names) -> String {
    let columns =
        plan.columns.iter().filter(|column| inside(&profile.keys[column.key]) == Some(object)).count();
    let name = snake(object);
    let (table, id) = (beside(&plan.target, &name, tables), format!("{}_id", plan.entity));
    let columns = if columns == 1 { "1 column".to_owned() } else { format!("{columns} columns") };
    format!(
        "{object}: an object, {columns} of it below. For a table of its own move them below\n\
         [target.{}] with table = {}, key = {},\n[target.{}.columns] and {} = \"$id\".",
        toml_key(&name),
        string(&table.to_string()),
        string(&id),
        toml_key(&name),
        toml_key(&id),
    )
}

/// The target of a child table.
fn push_child(plan: &Plan, profile: &Profile, child: &Child, text: &mut String) {
    let array = &profile.keys[child.array];
    let name = toml_key(&child.name);
    let [id, position] = child.key.each_ref().map(|name| toml_key(name));
    let _ = write!(
        text,
        "\n{}[target.{name}]\ntable = {}\nexplode = {}\n\n[target.{name}.columns]\n{id} = \"$id\"\n\
         {position} = \"$position\"\n",
        comment(&format!("A row for each element of {}.", array.path)),
        string(&child.target.to_string()),
        string(&array.path),
    );
    for column in &child.columns {
        let key = &profile.keys[column.key];
        let from = relative(&array.path, &key.path).unwrap_or("$element");
        text.push('\n');
        let _ = write!(text, "{}", comment(&evidence(key, column, plan.values)));
        text.push_str(&line(column, key, from));
    }
}

/// The statements that make the tables.
pub fn ddl(plan: &Plan, profile: &Profile) -> String {
    let told = format!("drafted by xdoflow scaffold from {}", profile.table);
    let mut all = sql::create_table(&plan.target, &plan.table(), std::slice::from_ref(&plan.id));
    all.push_str(&sql::comment_on(&plan.target, &told));
    for child in plan.active() {
        let told = format!("{told}, elements of {}", profile.keys[child.array].path);
        all.push_str(&sql::create_table(&child.target, &child.table(), &child.key));
        all.push_str(&sql::comment_on(&child.target, &told));
    }
    all
}

fn head(plan: &Plan, profile: &Profile, proved: Option<&Tally>) -> String {
    let of = if profile.complete {
        format!("all {} rows", profile.rows)
    } else {
        format!("{} of about {} rows ({})", profile.rows, profile.table_rows, profile.sample)
    };
    let mut head = format!("Drafted by xdoflow scaffold from {of} of {}.\n", profile.table);
    if let Some(tally) = proved {
        let quarantined = tally.targets.first().map_or(0, |target| target.quarantined);
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

/// The line of a column that is read from a path.
fn line(column: &Column, key: &KeyProfile, from: &str) -> String {
    let name = toml_key(&column.name);
    let choice = &column.choice;
    let own = match key.steps.as_deref() {
        Some(steps) => steps.len() == 1 && steps[0] == column.name,
        // A column's name is plain, and a plain path is as it is written.
        None => from == column.name,
    };
    if own && choice.options.is_empty() {
        return format!("{name} = {}\n", string(choice.spec_type));
    }
    let mut parts = Vec::new();
    if !own {
        parts.push(format!("from = {}", string(from)));
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

/// What is said of a child table where its array is a column.
fn proposed(child: &Child) -> String {
    let fields = child.table();
    let fields: Vec<String> = fields.iter().map(|(name, kind)| format!("{} {kind}", quote(name))).collect();
    match &child.refused {
        None => format!("Its elements are the rows of {}, below: keep what you need.", child.target),
        Some(why) => format!(
            "A table of its own would hold its elements: {} ({}); {why}",
            child.target,
            fields.join(", ")
        ),
    }
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
