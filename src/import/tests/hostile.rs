//! Whatever the names and texts are, what comes out is a pipeline file that means the same.

use proptest::prelude::*;

use super::{findings, import, only, parsed};
use crate::spec::model::{KeyPath, Origin};

fn json(text: &str) -> String {
    serde_json::Value::from(text).to_string()
}

/// A mapping whose every name and text is given.
fn mapping(target: &str, table: &str, column: &str, field: &str, note: &str) -> String {
    format!(
        r#"{{"v2_tables": {{{target}: {{"pg_table": {table}}}}},
            "notes": {note},
            "visit_domain": {{"v1_table": "v1", "mappings": {{{target}: {{
                "notes": {note},
                "key column": {{"v1_field": "id", "cast": "none"}},
                {column}: {{"v1_field": {field}, "cast": "text", "notes": {note}, "extra": [{note}]}},
                "no field": {{"v1_field": null, "notes": {note}}}}}}}}}}}"#,
        target = json(target),
        table = json(table),
        column = json(column),
        field = json(field),
        note = json(note),
    )
}

#[test]
fn hostile_names_and_notes_come_through() {
    for name in [
        "with space",
        "say \"hi\"",
        "back\\slash",
        "line\nbreak",
        "]\n[target.x",
        "a = 1 # b",
        "{ from }",
        "名前🦀",
        "\u{7f}\u{85}\u{2028}\u{feff}",
        "$id",
        "$other",
        "'''",
        "\"",
    ] {
        let note = format!("{name}\n[target.evil]\r\nid = \"$id\"");
        // A field with a dot is a path.
        let field = name.replace('.', ":");
        let import = import("map.json", &mapping(name, "v2", name, &field, &note)).expect(name);
        let pipeline = parsed(only(&import));
        assert_eq!(pipeline.targets.len(), 1, "{name:?}");
        let target = &pipeline.targets[0];
        assert_eq!(target.name, name.trim());
        let columns: Vec<&str> = target.columns.iter().map(|column| column.name.as_str()).collect();
        assert_eq!(columns, ["key column", name]);
        assert_eq!(target.columns[0].origin, Origin::Id);
        assert_eq!(target.columns[1].origin, Origin::Keys(vec![KeyPath::of_document(vec![field])]));
    }
}

#[test]
fn a_field_with_dots_is_a_path_and_one_that_cannot_be_is_a_key() {
    for (field, path, finding) in [
        ("location.lat", &["location", "lat"][..], true),
        ("a..b", &["a..b"], false),
        (".", &["."], false),
        ("x.\"y", &["x.\"y"], false),
    ] {
        // The name of the column is the field: that alone must not make it a key.
        let import = import("map.json", &mapping("visit", "v2", field, field, "")).expect(field);
        let segments = path.iter().map(|&segment| segment.to_owned()).collect();
        let pipeline = parsed(only(&import));
        assert_eq!(
            pipeline.targets[0].columns[1].origin,
            Origin::Keys(vec![KeyPath::of_document(segments)]),
            "{field}"
        );
        let assumed = findings(&import).iter().any(|finding| finding.contains("read as a path"));
        assert_eq!(assumed, finding, "{field}");
    }
}

#[test]
fn a_table_that_no_name_can_stand_for_is_no_target() {
    for table in ["a.b.c", "\"open", "a\0b"] {
        let import = import("map.json", &mapping("visit", table, "a", "a", "")).expect("a mapping");
        assert!(import.pipelines.is_empty(), "{table:?}");
        assert!(
            findings(&import)
                .contains(&format!("unmapped /visit_domain/mappings/visit: {table:?} is not a table name")),
            "{:?}",
            findings(&import)
        );
    }
}

/// Texts that are more often hostile than not.
fn text() -> impl Strategy<Value = String> {
    prop_oneof![
        "[a-z_]{1,8}( \\([0-9]{1,3}\\))?",
        "[\\[\\]{}\"'\\\\.#=$, \n\r\t\u{0}-\u{1f}a-cé🦀]{0,12}",
        any::<String>()
    ]
}

/// JSON with the words of a mapping in odd places.
fn tree() -> impl Strategy<Value = String> {
    let word = prop_oneof![
        Just("v1_field"),
        Just("cast"),
        Just("notes"),
        Just("mappings"),
        Just("v1_table"),
        Just("v2_tables"),
        Just("visit (70)"),
        Just("id"),
        Just("integer"),
        Just("a_domain"),
    ];
    let name = prop_oneof![2 => word.prop_map(str::to_owned), 1 => text()].prop_map(|text| json(&text));
    let leaf = prop_oneof![Just("null".to_owned()), Just("70".to_owned()), name.clone()];
    leaf.prop_recursive(5, 48, 6, move |inner| {
        prop_oneof![
            proptest::collection::vec(inner.clone(), 0..4).prop_map(|list| format!("[{}]", list.join(","))),
            proptest::collection::vec((name.clone(), inner), 0..6).prop_map(|entries| {
                let entries: Vec<String> =
                    entries.iter().map(|(key, value)| format!("{key}:{value}")).collect();
                format!("{{{}}}", entries.join(","))
            }),
        ]
    })
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn any_names_give_a_file_that_can_be_read(
        target in text(), table in text(), column in text(), field in text(), note in text()
    ) {
        let import = import("map.json", &mapping(&target, &table, &column, &field, &note)).expect("a mapping");
        for file in &import.pipelines {
            let targets = parsed(&file.text).targets;
            prop_assert_eq!(targets.len(), file.targets);
            prop_assert_eq!(targets.iter().map(|target| target.columns.len()).sum::<usize>(), file.columns);
        }
        prop_assert!(!import.findings.is_empty(), "the column without a field is always told");
    }

    #[test]
    fn any_json_is_refused_or_gives_files_that_can_be_read(domain in tree(), mapped in tree(), beside in tree()) {
        let text = format!(
            r#"{{"v2_tables": {{"visit": {{"table_id": 70, "pg_table": "t"}}}}, "x_domain": {domain},
                "y_domain": {{"v1_table": "y", "mappings": {{"visit (70)": {mapped}, "other": {beside}}}}}}}"#
        );
        for file in import("map.json", &text).map(|import| import.pipelines).unwrap_or_default() {
            parsed(&file.text);
        }
    }
}
