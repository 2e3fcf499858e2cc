//! Each way in which the users' files differ from the catalogue's.

use super::{findings, import, mapping, only, parsed, with_mappings};

const ID: &str = r#""id": {"v1_field": "id", "cast": "none"}"#;

/// The findings about the second V2 table, which most of these mappings do not feed.
const UNFED: &str = "unmapped /v2_tables/visit_notes: no mapping feeds mvpw5_71";

#[test]
fn every_cast_has_its_type_and_a_column_that_is_its_key_one_word() {
    let import = with_mappings(
        r#""visit (70)": {
            "id": {"v1_field": "id", "cast": "none"},
            "name": {"v1_field": "name", "cast": "text"},
            "rooms": {"v1_field": "rooms", "cast": "integer"},
            "price": {"v1_field": "askingPrice", "cast": "decimal"},
            "open": {"v1_field": "open", "cast": " Boolean "},
            "day": {"v1_field": "day", "cast": "date"},
            "at": {"v1_field": "visitedAt", "cast": "timestamp"},
            "extra": {"v1_field": "extra", "cast": "json"},
            "old_id": {"v1_field": "id", "cast": "text"}}"#,
    );
    assert_eq!(
        only(&import),
        r#"# Imported from map.json, visit_domain.
entity = "visits"
source = "mvpw1_7"

[target.visit]
table = "mvpw5_70"
key = "id"
[target.visit.columns]
id = "$id"
name = "text"
rooms = "bigint"
price = { from = "askingPrice", type = "numeric" }
open = "boolean"
day = "date"
at = { from = "visitedAt", type = "epoch_ms" }
extra = "jsonb"
old_id = { from = "$id", type = "text" }
"#
    );
    assert_eq!(findings(&import), [UNFED]);
    let file = &import.pipelines[0];
    assert_eq!(
        (file.file.as_str(), file.entity.as_str(), file.targets, file.columns),
        ("visit.toml", "visits", 1, 9)
    );
}

#[test]
fn notes_are_comments_wherever_they_stand() {
    let import = mapping(
        r#""notes": "of the file\nin two lines",
           "visit_domain": {"_comment": "of the domain", "v1_table": "mvpw1_7", "mappings": {
               "notes": "of all targets",
               "visit (70)": {
                   "notes": ["of the target", "in a list"],
                   "id": {"v1_field": "id", "cast": "none", "note": "of the column"},
                   "name_notes": "said of the next one",
                   "name": {"v1_field": "name", "cast": "text"},
                   "notes": {"v1_field": "notes", "cast": "text"},
                   "description": "of nothing that follows"}}}"#,
    );
    assert_eq!(
        only(&import),
        r#"# Imported from map.json, visit_domain.
# of the file
# in two lines
entity = "visits"
# of the domain
source = "mvpw1_7"
# of all targets

# of the target
# in a list
[target.visit]
table = "mvpw5_70"
key = "id"
[target.visit.columns]
# of the column
id = "$id"
# name_notes: said of the next one
name = "text"
notes = "text"
# of nothing that follows
"#
    );
    assert_eq!(findings(&import), [UNFED]);
}

#[test]
fn a_column_without_a_field_or_a_type_is_reported_and_stays_as_a_comment() {
    let import = with_mappings(
        r#""visit (70)": {
            "id": {"v1_field": "id", "cast": "integer"},
            "a": {"v1_field": null, "cast": "integer", "notes": "by hand"},
            "b": {"v1_field": " ", "cast": "text"},
            "c": {"cast": "text"},
            "d": {"v1_field": "d", "cast": "money"},
            "e": {"v1_field": "e", "cast": "none"},
            "f": {"v1_field": "f"},
            "g": {"v1_field": ["x", "y"], "cast": "text"},
            "h": "see the old sheet",
            "i": 7,
            "": {"v1_field": "j", "cast": "text"}}"#,
    );
    assert_eq!(
        only(&import).split_once(".columns]\n").expect("columns").1,
        r#"id = "$id"
# a: no V1 field; in the mapping: {"v1_field":null,"cast":"integer","notes":"by hand"}
# b: no V1 field; in the mapping: {"v1_field":" ","cast":"text"}
# c: no V1 field; in the mapping: {"cast":"text"}
# d: unknown cast; the casts are text, integer, decimal, boolean, date, timestamp, json; in the mapping: {"v1_field":"d","cast":"money"}
# e: the cast none names no type; the casts are text, integer, decimal, boolean, date, timestamp, json; in the mapping: {"v1_field":"e","cast":"none"}
# f: no cast, so no type; in the mapping: {"v1_field":"f"}
# g: the V1 field is not one key; in the mapping: {"v1_field":["x","y"],"cast":"text"}
# h: see the old sheet
# i: 7
# : this is no name for a column; in the mapping: {"v1_field":"j","cast":"text"}
"#
    );
    let at = |rest: &str| format!("/visit_domain/mappings/visit (70)/{rest}");
    assert_eq!(
        findings(&import),
        [
            format!("unmapped {}: no V1 field", at("a")),
            format!("unmapped {}: no V1 field", at("b")),
            format!("unmapped {}: no V1 field", at("c")),
            format!(
                "unmapped {}: unknown cast; the casts are text, integer, decimal, boolean, date, timestamp, json",
                at("d")
            ),
            format!(
                "unmapped {}: the cast none names no type; the casts are text, integer, decimal, boolean, date, timestamp, json",
                at("e")
            ),
            format!("unmapped {}: no cast, so no type", at("f")),
            format!("unmapped {}: the V1 field is not one key", at("g")),
            format!("kept {}: is a text beside the columns, not a mapping; kept as a comment", at("h")),
            format!("unmapped {}: is not a mapping of a column", at("i")),
            format!("unmapped {}: this is no name for a column", at("")),
            UNFED.to_owned(),
        ]
    );
    assert_eq!(
        import.findings[0].value.as_deref(),
        Some(r#"{"v1_field":null,"cast":"integer","notes":"by hand"}"#)
    );
}

#[test]
fn a_domain_without_mappings_is_reported_with_all_that_it_lists() {
    let import = mapping(&format!(
        r#""listing_domain": {{"v1_table": "mvpw1_9", "v2_tables": ["mvpw5_71"], "fields": ["id", "price"]}},
           "visit_domain": {{"v1_table": "mvpw1_7", "mappings": {{"visit (70)": {{{ID}}}}}}}"#
    ));
    assert_eq!(import.pipelines.len(), 1);
    assert_eq!(findings(&import), ["unmapped /listing_domain: has no mappings, so there is nothing to load"]);
    assert_eq!(
        import.findings[0].value.as_deref(),
        Some(r#"{"v1_table":"mvpw1_9","v2_tables":["mvpw5_71"],"fields":["id","price"]}"#)
    );
}

#[test]
fn a_target_that_only_lists_its_fields_is_a_comment_in_the_file_of_the_others() {
    let import = with_mappings(&format!(r#""visit_notes (71)": ["id", "visit_id"], "visit (70)": {{{ID}}}"#));
    let text = only(&import);
    assert!(
        text.contains(
            "\n# visit_notes (71): only lists its fields: there is no mapping of columns: [\"id\",\"visit_id\"]\n"
        ),
        "{text}"
    );
    assert_eq!(
        findings(&import),
        [
            "unmapped /visit_domain/mappings/visit_notes (71): only lists its fields: there is no mapping of columns"
        ]
    );
}

#[test]
fn a_target_whose_table_is_not_there_is_commented_out() {
    let import = with_mappings(&format!(
        r#""visit (70)": {{{ID}}}, "visit_photos (999)": {{{ID}, "url": {{"v1_field": "url", "cast": "text"}}}},
           "visit_log": {{{ID}}}"#
    ));
    let text = only(&import);
    assert!(
        text.ends_with(
            r#"id = "$id"

# visit_photos (999): not loaded: v2_tables has no table 999
# [target.visit_photos]
# table = ""
# key = "id"
# [target.visit_photos.columns]
# id = "$id"
# url = "text"

# visit_log: not loaded: v2_tables has no table "visit_log"
# [target.visit_log]
# table = ""
# key = "id"
# [target.visit_log.columns]
# id = "$id"
"#
        ),
        "{text}"
    );
    assert_eq!(
        findings(&import),
        [
            "unmapped /visit_domain/mappings/visit_photos (999): v2_tables has no table 999",
            "unmapped /visit_domain/mappings/visit_log: v2_tables has no table \"visit_log\"",
            UNFED,
        ]
    );
}

#[test]
fn a_target_without_the_id_has_no_merge_key_and_two_ids_have_the_first() {
    let import = with_mappings(
        r#""visit (70)": {"id": {"v1_field": "id", "cast": "none"}, "copy": {"v1_field": "id", "cast": "none"}},
           "visit_notes (71)": {"text": {"v1_field": "text", "cast": "text"}}"#,
    );
    let pipeline = parsed(only(&import));
    assert_eq!(pipeline.targets.len(), 1);
    assert_eq!(pipeline.targets[0].key, [0]);
    assert_eq!(
        findings(&import),
        [
            "assumed /visit_domain/mappings/visit (70): id, copy are the V1 id; id is the merge key",
            "unmapped /visit_domain/mappings/visit_notes (71): no column is the V1 id, so there is no merge key",
        ]
    );
}

#[test]
fn a_table_is_found_by_number_by_name_by_what_the_domain_lists_or_by_prefix() {
    let import = with_mappings(&format!(
        r#""wrong name (70)": {{{ID}}}, "visit_notes": {{{ID}}}, "visit again (70)": {{{ID}}}"#
    ));
    let tables: Vec<String> = parsed(only(&import))
        .targets
        .iter()
        .map(|target| format!("{} {}", target.name, target.table))
        .collect();
    assert_eq!(tables, ["wrong name mvpw5_70", "visit_notes mvpw5_71"]);
    assert_eq!(
        findings(&import),
        [
            "assumed /visit_domain/mappings/wrong name (70): v2_tables calls 70 \"visit\"; the number decides",
            "assumed /visit_domain/mappings/visit again (70): v2_tables calls 70 \"visit\"; the number decides",
            "unmapped /visit_domain/mappings/visit again (70): the table mvpw5_70 is the one of a target above",
        ]
    );

    let by_list = mapping(&format!(
        r#""visit_domain": {{"v1_table": "mvpw1_7", "v2_tables": ["mvpw5_72", "mvpw5_73"],
                             "mappings": {{"late (72)": {{{ID}}}}}}}"#
    ));
    assert_eq!(parsed(only(&by_list)).targets[0].table.to_string(), "mvpw5_72");
    assert_eq!(
        findings(&by_list),
        [
            "assumed /visit_domain/mappings/late (72): v2_tables has no table 72; taken to be mvpw5_72",
            "unmapped /visit_domain/v2_tables: no mapping feeds mvpw5_73",
            "unmapped /v2_tables/visit: no mapping feeds mvpw5_70",
            UNFED,
        ]
    );

    let text = format!(
        r#"{{"visit_domain": {{"v1_table": "mvpw1_7", "mappings": {{"visit (70)": {{{ID}}}}}}},
            "v2_workspace": {{"table_prefix": "w5_"}}}}"#
    );
    let by_prefix = super::import("map.json", &text).expect("a mapping");
    assert_eq!(parsed(only(&by_prefix)).targets[0].table.to_string(), "w5_70");
    assert_eq!(
        findings(&by_prefix),
        ["assumed /visit_domain/mappings/visit (70): v2_tables has no table 70; taken to be w5_70"]
    );
}

#[test]
fn the_source_comes_from_the_domain_or_from_the_list_of_v1_tables() {
    let v1 = r#""v1_tables": {"visit": {"table_id": 7, "pg_table": "mvpw1_7", "field_count": 3},
                              "old": {"table_id": 8}, "spare": {"table_id": 9, "pg_table": "mvpw1_9"}},
                "v1_workspace": {"table_prefix": "mvpw1_"}"#;
    let domain = |name: &str, head: &str, target: &str| {
        format!(r#""{name}_domain": {{{head} "mappings": {{"{target}": {{{ID}}}}}}}"#)
    };
    let import = mapping(&format!(
        "{v1}, {}, {}, {}",
        domain("visit", r#""v1_table": "mvpw1_77","#, "visit (70)"),
        domain("old", "", "visit_notes (71)"),
        domain("lost", "", "visit (70)"),
    ));
    let sources: Vec<String> =
        import.pipelines.iter().map(|file| parsed(&file.text).source.table.to_string()).collect();
    assert_eq!(sources, ["mvpw1_77", "mvpw1_8"]);
    assert_eq!(
        findings(&import),
        [
            "assumed /visit_domain/v1_table: v1_tables calls the table of \"visit\" mvpw1_7; mvpw1_77 is read",
            "unmapped /lost_domain: names no V1 table",
            "unmapped /v1_tables/visit: no domain reads mvpw1_7",
            "unmapped /v1_tables/spare: no domain reads mvpw1_9",
        ]
    );
}

#[test]
fn what_means_nothing_is_reported_and_not_lost() {
    let import = mapping(
        r#""version": 3,
           "visit_domain": {"v1_table": "mvpw1_7", "owner": {"team": "ops"}, "mappings": {
               "visit (70)": {"id": {"v1_field": "id", "cast": "none", "nullable": false}},
               "visit_notes (71)": {"visit_id": {"v1_field": "id", "cast": "none"}}}}"#,
    );
    let text = only(&import);
    for line in ["# version: 3", "# owner: {\"team\":\"ops\"}", "# nullable: false"] {
        assert!(text.lines().any(|found| found == line), "{line}\n{text}");
    }
    assert_eq!(
        findings(&import),
        [
            "kept /version: means nothing to a pipeline; kept as a comment",
            "kept /visit_domain/owner: means nothing to a pipeline; kept as a comment",
            "kept /visit_domain/mappings/visit (70)/id/nullable: means nothing to a pipeline; kept as a comment",
        ]
    );
}

#[test]
fn of_two_entries_with_one_name_the_last_counts_and_the_first_is_reported() {
    let import = with_mappings(
        r#""visit (70)": {"id": {"v1_field": "id", "cast": "none"},
                          "name": {"v1_field": "a", "cast": "text"},
                          "name": {"v1_field": "b", "cast": "text"}}"#,
    );
    assert!(only(&import).ends_with("id = \"$id\"\nname = { from = \"b\", type = \"text\" }\n"));
    assert_eq!(
        findings(&import),
        ["unmapped /visit_domain/mappings/visit (70)/name: stands again below; the last one counts", UNFED]
    );
}

#[test]
fn two_domains_of_one_name_give_the_first_file() {
    let one = format!(r#"{{"v1_table": "mvpw1_7", "mappings": {{"visit (70)": {{{ID}}}}}}}"#);
    let import = mapping(&format!(r#""visit_domain": {one}, "Visit": {one}"#));
    assert_eq!(import.pipelines.len(), 1);
    assert_eq!(
        findings(&import),
        ["unmapped /Visit: gives the entity \"visits\" and the file visit.toml, as a domain above", UNFED,]
    );
}

#[test]
fn files_come_in_the_order_of_the_domains() {
    let domain = |table: u8| format!(r#"{{"v1_table": "t{table}", "mappings": {{"visit (70)": {{{ID}}}}}}}"#);
    let import = mapping(&format!(
        r#""zoo_domain": {}, "network_domain": {}, "agent_domain": {}"#,
        domain(1),
        domain(2),
        domain(3)
    ));
    let entities: Vec<&str> = import.pipelines.iter().map(|file| file.entity.as_str()).collect();
    assert_eq!(entities, ["zoos", "network", "agents"]);
}

#[test]
fn what_is_not_json_is_refused_with_its_place_and_what_holds_no_domain_too() {
    for (text, expected) in [
        ("{\n  \"a\": 1,\n  \"é\": trx\n}", "map.json:3:10: not JSON: expected ident"),
        ("{\"a\": 1", "map.json:1:7: not JSON: EOF while parsing an object"),
        ("", "map.json:1:1: not JSON: EOF while parsing a value"),
        ("[]", "map.json holds no domain"),
        ("{\"v2_tables\": {}}", "map.json holds no domain"),
        ("{\"user_domain\": \"later\"}", "map.json holds no domain"),
    ] {
        let error = import("map.json", text).expect_err(text);
        assert_eq!(error.message(), expected);
        assert_eq!(error.exit_code(), 2);
    }
    let text =
        format!("\u{feff}{{\"a_domain\": {{\"v1_table\": \"a\", \"mappings\": {{\"b\": {{{ID}}}}}}}}}");
    let import = import("map.json", &text).expect("a byte order mark is no mistake");
    assert!(import.pipelines.is_empty());
    assert_eq!(
        findings(&import),
        [
            "unmapped /a_domain/mappings/b: v2_tables has no table \"b\"",
            "unmapped /a_domain: none of its targets can be loaded",
        ]
    );
}
