//! The lineage of every column of V2: from which key of which document it comes, and what happens on the way.
//!
//! It is made from the pipelines alone; no database is asked. [`Lineage`] is the data, the three writers print it:
//! Markdown to keep beside the pipelines, a page of HTML, and a mermaid graph.

mod graph;
mod page;

use crate::spec::PipelineSpec;
use crate::spec::model::{
    Base, Case, ColumnSpec, EpochUnit, FilterRule, KeyPath, OnReject, Origin, Parse, TargetSpec, TextRules,
};

pub use graph::mermaid;
pub use page::{html, markdown};

/// The lineage of one pipeline.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Lineage {
    /// The entity.
    pub entity: String,
    /// The pipeline file.
    pub file: String,
    /// The table that is read.
    pub source: String,
    /// Its column of documents.
    pub document: String,
    /// In the order of the file, derived ones last.
    pub targets: Vec<TargetLineage>,
}

/// The lineage of one target.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TargetLineage {
    /// Its name for people.
    pub name: String,
    /// The table.
    pub table: String,
    /// The columns of the merge key.
    pub key: Vec<String>,
    /// Which rows are made, in words, where it is not one for each row of V1.
    pub rows: Option<String>,
    /// The columns.
    pub columns: Vec<ColumnLineage>,
}

/// The lineage of one column.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ColumnLineage {
    /// Its name.
    pub name: String,
    /// Its type, as the pipeline has it.
    pub type_name: String,
    /// Where its value comes from.
    pub from: From,
    /// What happens to it, in order.
    pub steps: Vec<String>,
    /// What stands there instead of NULL, as JSON.
    pub default: Option<String>,
    /// What a value does that cannot be cast.
    pub on_reject: &'static str,
    /// The entity that it refers to.
    pub references: Option<String>,
}

/// Where a value comes from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum From {
    /// The id of the row, by the name of its column.
    Id(String),
    /// The place of an element in this array.
    Position(String),
    /// The first of these keys and paths of the document that is not absent.
    Keys(Vec<String>),
    /// The same for every row, as JSON.
    Constant(String),
    /// A key of a derived row, and the keys of the documents that it is derived from.
    Derived(String, Vec<String>),
}

impl From {
    /// In words, with `code` around what is written so.
    fn told(&self, code: impl Fn(&str) -> String) -> String {
        let first_of = |keys: &[String]| {
            let keys: Vec<String> = keys.iter().map(|key| code(key)).collect();
            match keys.as_slice() {
                [one] => one.clone(),
                several => format!("the first of {}", several.join(", ")),
            }
        };
        match self {
            Self::Id(column) => format!("the row's {}", code(column)),
            Self::Position(array) => format!("the position in {}", code(array)),
            Self::Keys(keys) => first_of(keys),
            Self::Constant(json) => format!("always {}", code(json)),
            Self::Derived(key, of) => {
                let of: Vec<String> = of.iter().map(|key| code(key)).collect();
                format!("{} of the closure of {}", code(key), of.join(", "))
            }
        }
    }
}

impl Lineage {
    /// The lineage of a pipeline.
    pub fn of(spec: &PipelineSpec) -> Self {
        let mut targets: Vec<TargetLineage> =
            spec.targets.iter().map(|target| target_lineage(spec, target, None)).collect();
        targets.extend(spec.derived.iter().map(|derived| {
            let ends = [&derived.closure.parent, &derived.closure.child].map(|end| path(end, None));
            target_lineage(spec, &derived.target, Some(ends.to_vec()))
        }));
        Self {
            entity: spec.entity.clone(),
            file: spec.file.clone(),
            source: spec.source.table.to_string(),
            document: spec.source.document.clone(),
            targets,
        }
    }
}

fn target_lineage(spec: &PipelineSpec, target: &TargetSpec, ends: Option<Vec<String>>) -> TargetLineage {
    let array = target.explode.as_ref().map(|explode| path(&explode.path, None));
    let made = match (&ends, &array) {
        (Some(ends), _) => {
            Some(format!("a row for each node and each one below it, along {}", ends.join(" → ")))
        }
        (None, Some(array)) => Some(format!("a row for each element of {array}")),
        (None, None) => None,
    };
    let filtered = target.filter.as_ref().map(|filter| {
        let key = path(&filter.from, array.as_deref());
        match &filter.rule {
            FilterRule::Keep(texts) => format!("only rows of which {key} is {}", listed(texts)),
            FilterRule::Drop(texts) => format!("no rows of which {key} is {}", listed(texts)),
        }
    });
    let rows: Vec<String> = made.into_iter().chain(filtered).collect();
    let rows = (!rows.is_empty()).then(|| rows.join("; "));
    TargetLineage {
        name: target.name.clone(),
        table: target.table.to_string(),
        key: target.key.iter().map(|&index| target.columns[index].name.clone()).collect(),
        rows,
        columns: (0..)
            .zip(&target.columns)
            .map(|(index, column)| {
                let mut lineage = column_lineage(spec, column, ends.as_deref(), array.as_deref());
                // No row is loaded without its key.
                if target.key.contains(&index) && column.on_reject == OnReject::Cell {
                    lineage.on_reject = "row";
                }
                lineage
            })
            .collect(),
    }
}

fn column_lineage(
    spec: &PipelineSpec,
    column: &ColumnSpec,
    ends: Option<&[String]>,
    array: Option<&str>,
) -> ColumnLineage {
    let paths = |keys: &[KeyPath]| keys.iter().map(|key| path(key, array)).collect::<Vec<_>>();
    let from = match (&column.origin, ends) {
        (Origin::Id, _) => From::Id(spec.source.id.clone()),
        (Origin::Position, _) => From::Position(array.unwrap_or_default().to_owned()),
        (Origin::Const(json), _) => From::Constant(json.clone()),
        (Origin::Keys(keys), Some(ends)) => From::Derived(paths(keys).join(", "), ends.to_vec()),
        (Origin::Keys(keys), None) => From::Keys(paths(keys)),
    };
    let mut steps = rules(&column.rules);
    steps.extend(casts(column));
    ColumnLineage {
        name: column.name.clone(),
        type_name: column.cast.column_type.to_string(),
        from,
        steps,
        default: column.default.clone(),
        on_reject: match column.on_reject {
            OnReject::Cell => "cell",
            OnReject::Row => "row",
            OnReject::Abort => "abort",
        },
        references: column.references.clone(),
    }
}

/// The text rules, in the order in which they work.
fn rules(rules: &TextRules) -> Vec<String> {
    let mut steps = Vec::new();
    if rules.trim {
        steps.push("trimmed".to_owned());
    }
    if !rules.null_values.is_empty() {
        steps.push(format!("{} means NULL", listed(&rules.null_values)));
    }
    if let Some(case) = rules.case {
        let case = match case {
            Case::Lower => "lower",
            Case::Upper => "upper",
            Case::Title => "title",
        };
        steps.push(format!("{case} case"));
    }
    if !rules.map.is_empty() {
        let pairs: Vec<String> = rules.map.iter().map(|(from, to)| format!("{from:?} → {to:?}")).collect();
        steps.push(format!("mapped: {}", pairs.join(", ")));
    }
    if let Some(lookup) = &rules.lookup {
        steps.push(format!("looked up in {}", lookup.display()));
    }
    if let Some(function) = &rules.function {
        steps.push(format!("{function}()"));
    }
    if let Some(allowed) = &rules.allowed {
        steps.push(format!("only {}", listed(allowed)));
    }
    steps
}

/// What the cast does besides the plain one.
fn casts(column: &ColumnSpec) -> Vec<String> {
    let cast = &column.cast;
    let mut steps = Vec::new();
    if cast.blank_null {
        steps.push("blank means NULL".to_owned());
    }
    if !cast.none.is_empty() {
        let numbers: Vec<String> = cast.none.iter().map(i64::to_string).collect();
        steps.push(format!("{} means NULL", numbers.join(", ")));
    }
    if cast.epoch_ms {
        steps.push("milliseconds since 1970 UTC".to_owned());
    }
    if cast.unit == EpochUnit::Seconds {
        steps.push("numbers are seconds".to_owned());
    }
    if !cast.formats.is_empty() {
        steps.push(format!("also as {}", cast.formats.join(", ")));
    }
    if cast.object_true {
        steps.push("an object with content is true".to_owned());
    }
    if cast.wrap_scalar {
        steps.push("one value is a list of one".to_owned());
    }
    match cast.parse {
        None => {}
        Some(Parse::Money) => steps.push("amounts with currency and separators".to_owned()),
        Some(Parse::Percent) => steps.push("percentages".to_owned()),
        Some(Parse::Json) => steps.push("JSON in a string".to_owned()),
    }
    steps
}

/// A key or a path, as the pipeline file writes it; that of an element behind `[]` and the array.
fn path(path: &KeyPath, array: Option<&str>) -> String {
    let part = |segment: &String| {
        if segment.contains(['.', '"']) { crate::name::quote(segment) } else { segment.clone() }
    };
    let steps = path.steps.iter().map(part).collect::<Vec<_>>().join(".");
    match (path.base, array) {
        (Base::Element, Some(array)) if steps.is_empty() => format!("{array}[]"),
        (Base::Element, Some(array)) => format!("{array}[].{steps}"),
        _ => steps,
    }
}

fn listed(texts: &[String]) -> String {
    texts.iter().map(|text| format!("{text:?}")).collect::<Vec<_>>().join(", ")
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A pipeline with something of everything.
    pub(super) fn sample() -> Lineage {
        let text = r#"
entity = "people"
source = { table = "v1", id = "number", document = "doc" }

[target.person]
table = "person"
key = "id"
filter = { from = "kind", drop = ["TEST"] }
[target.person.columns]
id = "$id"
name = { from = ["full_name", "name.\"a|b\""], type = "text", trim = true, case = "upper", null_values = ["N/A"] }
boss = { type = "reference", references = "people" }
pay = { type = "numeric", parse = "money", default = 0, on_reject = "row" }
kind = { const = "x" }
born = { type = "epoch_ms", format = "MM/DD/YYYY" }

[derived.chain]
table = "chain"
key = ["above", "below"]
closure = { parent = "boss", child = "id" }
[derived.chain.columns]
above = { from = "ancestor", type = "bigint" }
below = { from = "descendant", type = "bigint" }
"#;
        Lineage::of(&PipelineSpec::parse("people.toml", text).expect("a pipeline"))
    }

    #[test]
    fn a_column_knows_its_keys_and_every_step_in_order() {
        let lineage = sample();
        assert_eq!((lineage.source.as_str(), lineage.document.as_str()), ("v1", "doc"));
        let [person, chain] = lineage.targets.as_slice() else { panic!("{lineage:?}") };
        assert_eq!(person.rows.as_deref(), Some("no rows of which kind is \"TEST\""));
        assert_eq!(person.key, ["id"]);
        let column = |name: &str| person.columns.iter().find(|column| column.name == name).expect(name);
        assert_eq!(column("id").from, From::Id("number".to_owned()));
        let name = column("name");
        assert_eq!(name.from, From::Keys(vec!["full_name".to_owned(), "name.a|b".to_owned()]));
        assert_eq!(name.steps, ["trimmed", "\"N/A\" means NULL", "upper case"]);
        assert_eq!(column("boss").steps, ["0 means NULL"]);
        assert_eq!(column("boss").references.as_deref(), Some("people"));
        let pay = column("pay");
        assert_eq!((pay.default.as_deref(), pay.on_reject), (Some("0"), "row"));
        assert_eq!(column("kind").from, From::Constant("\"x\"".to_owned()));
        assert_eq!(column("born").steps, ["milliseconds since 1970 UTC", "also as MM/DD/YYYY"]);
        assert_eq!(chain.rows.as_deref(), Some("a row for each node and each one below it, along boss → id"));
        let ends = vec!["boss".to_owned(), "id".to_owned()];
        assert_eq!(chain.columns[0].from, From::Derived("ancestor".to_owned(), ends));
    }
}
