//! The lineage as a mermaid flowchart: the keys of a source at the left, the columns of its targets at the right.
//!
//! A node has a number as its name, and what people read as its label: nothing in a pipeline file can break the graph.

use std::collections::BTreeMap;

use super::{From, Lineage};

/// One flowchart with all of them.
pub fn mermaid(all: &[Lineage]) -> String {
    let mut graph = String::from("flowchart LR\n");
    for (number, lineage) in all.iter().enumerate() {
        let mut keys: BTreeMap<String, usize> = BTreeMap::new();
        let mut columns = String::new();
        let mut edges = String::new();
        for (place, target) in lineage.targets.iter().enumerate() {
            let title = label(&format!("{} ({})", target.name, target.table));
            columns.push_str(&format!("  subgraph t{number}_{place}[{title}]\n"));
            for (index, column) in target.columns.iter().enumerate() {
                let node = format!("c{number}_{place}_{index}");
                let mark = if target.key.contains(&column.name) { " (key)" } else { "" };
                columns.push_str(&format!("    {node}[{}]\n", label(&format!("{}{mark}", column.name))));
                for key in keys_of(&column.from) {
                    let next = keys.len();
                    let key = *keys.entry(key).or_insert(next);
                    let what = label(&column.type_name);
                    edges.push_str(&format!("  k{number}_{key} -->|{what}| {node}\n"));
                }
                let referred = column.references.as_deref();
                let place = referred.and_then(|entity| all.iter().position(|one| one.entity == entity));
                if let Some(other) = place {
                    edges.push_str(&format!("  {node} -.-> t{other}_0\n"));
                }
            }
            columns.push_str("  end\n");
        }
        let title = label(&format!("{}: {}", lineage.entity, lineage.source));
        graph.push_str(&format!("  subgraph s{number}[{title}]\n"));
        let mut nodes: Vec<(&String, &usize)> = keys.iter().collect();
        nodes.sort_by_key(|(_, number)| **number);
        for (key, index) in nodes {
            graph.push_str(&format!("    k{number}_{index}([{}])\n", label(key)));
        }
        graph.push_str("  end\n");
        graph.push_str(&columns);
        graph.push_str(&edges);
    }
    graph
}

/// What a column is made of.
fn keys_of(from: &From) -> Vec<String> {
    match from {
        From::Id(column) => vec![format!("{column} of the row")],
        From::Position(array) => vec![format!("position in {array}")],
        From::Keys(keys) => keys.clone(),
        From::Constant(json) => vec![format!("always {json}")],
        From::Derived(_, of) => of.clone(),
    }
}

/// A text in quotes. Mermaid knows entities by numbers and some by names; a backtick would begin Markdown.
fn label(text: &str) -> String {
    let mut out = String::from("\"");
    for c in text.chars() {
        match c {
            '"' | '#' | '&' | '<' | '>' | '`' | ';' | '\n' | '\r' => {
                out.push_str(&format!("#{};", u32::from(c)))
            }
            c => out.push(c),
        }
    }
    out.push('"');
    out
}

#[cfg(test)]
mod tests {
    use super::super::tests::sample;
    use super::*;

    #[test]
    fn every_column_is_a_node_with_an_edge_from_each_of_its_keys() {
        let lineage = sample();
        let graph = mermaid(std::slice::from_ref(&lineage));
        assert!(
            graph.starts_with(
                "flowchart LR\n  subgraph s0[\"people: v1\"]\n    k0_0([\"number of the row\"])\n"
            ),
            "{graph}"
        );
        let columns: usize = lineage.targets.iter().map(|target| target.columns.len()).sum();
        assert_eq!(graph.matches("    c0_").count(), columns, "{graph}");
        // Two keys make the name, and two ends each of the chain's columns; the boss is a reference to people.
        assert_eq!(graph.matches(" -->|").count(), 7 + 4, "{graph}");
        assert_eq!(graph.matches(" -.-> t0_0\n").count(), 1, "{graph}");
        assert!(graph.contains("([\"always #34;x#34;\"])"), "{graph}");
        assert_eq!(graph.matches("subgraph ").count(), graph.matches("\n  end\n").count(), "{graph}");
    }
}
