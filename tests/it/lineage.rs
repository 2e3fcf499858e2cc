//! Where each column comes from, for the pipelines that ship.

use xdoflow::spec;

use crate::support::{program, stderr, stdout};

fn lineage(arguments: &[&str]) -> String {
    let output = program().arg("lineage").args(arguments).output().expect("the program runs");
    assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));
    stdout(&output)
}

#[test]
fn every_column_of_every_shipped_pipeline_has_a_line_and_a_node() {
    let specs = spec::shipped().expect("pipelines");
    let markdown = lineage(&[]);
    let (html, graph) = (lineage(&["--format", "html"]), lineage(&["--format", "mermaid"]));
    let mut columns = 0;
    for spec in &specs {
        for target in spec.targets.iter().chain(spec.derived.iter().map(|derived| &derived.target)) {
            assert!(markdown.contains(&format!("(`{}`)\n", target.table)), "{}", target.table);
            assert!(
                html.contains(&format!("<code>{}</code></small></h3>", target.table)),
                "{}",
                target.table
            );
            for column in &target.columns {
                columns += 1;
                assert!(
                    markdown.contains(&format!("\n| `{}` | {} | ", column.name, column.cast.column_type)),
                    "{}",
                    column.name
                );
            }
        }
    }
    assert!(columns > 200, "{columns}");
    assert_eq!(html.matches("<tr><td>").count(), columns);
    let nodes = graph.lines().filter(|line| line.starts_with("    c")).count();
    assert_eq!(nodes, columns);
    let one = lineage(&["network"]);
    assert!(one.contains("| `ancestor_agent_id` | bigint | `ancestor` of the closure of `sponsoring_agent_id`, `downline_agent_id` |"), "{one}");
    assert!(!one.contains("mvpw5_664"), "{one}");
}
