//! Mapping files as people write them, and the pipelines that come out.

mod hostile;
mod oddities;
mod refinements;

use super::{Import, Kind, import};
use crate::spec::PipelineSpec;

/// A mapping with one domain, `visit_domain`, whose mappings are given.
fn with_mappings(mappings: &str) -> Import {
    mapping(&format!(r#""visit_domain": {{"v1_table": "mvpw1_7", "mappings": {{{mappings}}}}}"#))
}

/// A mapping with two V2 tables and whatever else is given.
fn mapping(rest: &str) -> Import {
    let text = format!(
        r#"{{"v2_workspace": {{"workspace_id": 5, "table_prefix": "mvpw5_"}},
            "v2_tables": {{"visit": {{"table_id": 70, "pg_table": "mvpw5_70"}},
                           "visit_notes": {{"table_id": 71, "pg_table": "mvpw5_71"}}}},
            {rest}}}"#
    );
    import("dir/map.json", &text).unwrap_or_else(|error| panic!("{error}\n{text}"))
}

/// The findings as `kind path: message`.
fn findings(import: &Import) -> Vec<String> {
    let shown = import.findings.iter().map(|finding| {
        let kind = match finding.kind {
            Kind::Unmapped => "unmapped",
            Kind::Assumed => "assumed",
            Kind::Kept => "kept",
        };
        format!("{kind} {}: {}", finding.path, finding.message)
    });
    shown.collect()
}

/// The text of the only file, which a pipeline can be read from.
fn only(import: &Import) -> &str {
    let [file] = import.pipelines.as_slice() else { panic!("{:?}", import.pipelines) };
    parsed(&file.text);
    &file.text
}

fn parsed(text: &str) -> PipelineSpec {
    PipelineSpec::parse("x.toml", text).unwrap_or_else(|problems| panic!("{problems}\n{text}"))
}
