//! The user's mapping file becomes pipelines that run.

use std::fs;
use std::path::Path;

use crate::support::{Database, Pipelines, program, stderr, stdout};

const MAPPING: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/fixtures/V1_V2_FIELD_MAPPING.json");

const FILES: [&str; 5] = ["agent.toml", "network.toml", "participant.toml", "transaction.toml", "user.toml"];

fn listed(folder: &Path) -> Vec<String> {
    let mut names: Vec<String> = fs::read_dir(folder)
        .expect("the folder")
        .map(|entry| entry.expect("an entry").file_name().into_string().expect("UTF-8"))
        .collect();
    names.sort();
    names
}

#[test]
fn imported_pipelines_run_and_load_what_the_mapping_says() {
    let database = Database::workspace();
    // The columns that take no NULL have defaults in the built-in pipelines, which the mapping does not know.
    database.sql(
        "ALTER TABLE mvpw5_664 ALTER created_at DROP NOT NULL, ALTER email DROP NOT NULL,
                               ALTER first_name DROP NOT NULL;
         ALTER TABLE mvpw5_670 ALTER created_at DROP NOT NULL;
         ALTER TABLE mvpw5_675 ALTER created_at DROP NOT NULL;
         ALTER TABLE mvpw5_696 ALTER created_at DROP NOT NULL;
         ALTER TABLE mvpw5_698 ALTER created_at DROP NOT NULL;",
    );
    let out = Pipelines::new(&[]);
    let folder = format!("{}/new/pipelines", out.path());
    let written = database.xdoflow(&["import-mapping", MAPPING, "--out", &folder]);
    assert!(written.status.success(), "{}", stderr(&written));
    assert_eq!(stdout(&written), "");
    assert_eq!(
        stderr(&written),
        "not mapped: /network_domain/mappings/network_hierarchy (684)/depth: no V1 field\n\
         not mapped: /network_domain/mappings/network_hierarchy (684)/path_json: no V1 field\n\
         not mapped: /network_domain/mappings/network_hierarchy (684): no column is the V1 id, so there is no \
         merge key\n\
         mapped 5 pipelines, 13 targets and 206 columns; 3 places not mapped\n"
    );
    assert_eq!(listed(Path::new(&folder)), FILES);

    let summary = database.json(&["run", "--pipelines", &folder, "--progress", "none"]);
    let entities = summary["entities"].as_array().expect("entities");
    let names: Vec<&str> = entities.iter().map(|one| one["entity"].as_str().expect("a name")).collect();
    assert_eq!(names, ["agents", "network", "participants", "transactions", "users"]);
    for (v1, targets) in [
        ("mvpw1_41", &["mvpw5_664", "mvpw5_665", "mvpw5_666", "mvpw5_667", "mvpw5_668"][..]),
        ("mvpw1_36", &["mvpw5_670", "mvpw5_671", "mvpw5_672", "mvpw5_673", "mvpw5_674"]),
        ("mvpw1_34", &["mvpw5_675"]),
        ("mvpw1_39", &["mvpw5_696"]),
        ("mvpw1_48", &["mvpw5_698"]),
    ] {
        let rows = database.value(&format!("SELECT count(*) FROM {v1}"));
        for target in targets {
            assert_eq!(database.value(&format!("SELECT count(*) FROM {target}")), rows, "{target}");
        }
    }
    // Text is xdo->>'key' by the contract: column and key of another name, in every row.
    assert_eq!(
        database.value(
            "SELECT count(*) FROM mvpw1_39 s JOIN mvpw5_696 t USING (id)
             WHERE t.first_name IS DISTINCT FROM s.xdo->>'firstName'"
        ),
        "0"
    );
}

#[test]
fn files_that_exist_are_replaced_only_by_force_and_nothing_else_is_left_behind() {
    let out = Pipelines::new(&[("user.toml", "mine"), ("other.toml", "mine")]);
    let import = |more: &[&str]| {
        let mut command = program();
        command.args(["import-mapping", MAPPING, "--out", out.path()]).args(more);
        command.output().expect("the program runs")
    };
    let read = |name: &str| fs::read_to_string(Path::new(out.path()).join(name)).expect("a file");

    let refused = import(&[]);
    assert_eq!(refused.status.code(), Some(2));
    let folder = out.path();
    assert_eq!(
        stderr(&refused),
        format!(
            "error: {folder} holds user.toml already\n  detail: nothing was written\n  \
             hint: --force replaces them; --out takes another folder\n"
        )
    );
    assert_eq!(listed(Path::new(folder)), ["other.toml", "user.toml"]);
    assert_eq!(read("user.toml"), "mine");

    let forced = import(&["--force", "--json"]);
    assert!(forced.status.success(), "{}", stderr(&forced));
    assert_eq!(stderr(&forced), "");
    let mut all = FILES.to_vec();
    all.push("other.toml");
    all.sort_unstable();
    assert_eq!(listed(Path::new(folder)), all);
    assert_eq!(read("other.toml"), "mine");
    let printed: serde_json::Value = serde_json::from_slice(&forced.stdout).expect("one JSON object");
    assert_eq!(printed["folder"], folder);
    assert_eq!(printed["pipelines"][0]["file"], "user.toml");
    assert_eq!(printed["pipelines"][0]["entity"], "users");
    assert_eq!(printed["pipelines"][0]["text"], read("user.toml"));
    assert_eq!(
        printed["findings"][0],
        serde_json::json!({
            "kind": "unmapped",
            "path": "/network_domain/mappings/network_hierarchy (684)/depth",
            "message": "no V1 field",
            "value": {"v1_field": null, "cast": "integer", "notes": "hops along the sponsor chain"},
        })
    );
}

#[test]
fn without_a_folder_the_files_are_printed_each_below_its_name() {
    let printed = program().args(["import-mapping", MAPPING]).output().expect("the program runs");
    assert!(printed.status.success(), "{}", stderr(&printed));
    let text = stdout(&printed);
    assert!(
        text.starts_with(
            "# user.toml\n# Imported from V1_V2_FIELD_MAPPING.json, user_domain.\nentity = \"users\"\n\
             source = \"mvpw1_41\"\n\n[target.user]\ntable = \"mvpw5_664\"\n"
        ),
        "{text}"
    );
    let heads: Vec<&str> = text.lines().filter(|line| line.ends_with(".toml")).collect();
    assert_eq!(
        heads,
        ["# user.toml", "# agent.toml", "# network.toml", "# transaction.toml", "# participant.toml"]
    );
}

#[test]
fn what_is_no_mapping_is_wrong_usage() {
    let files = Pipelines::new(&[
        ("broken.json", "{\n  \"user_domain\": {\n    \"v1_table\" \"x\"\n}}"),
        ("empty.json", "{}"),
        ("vain.json", r#"{"user_domain": {"fields": ["id"]}}"#),
    ]);
    let out = format!("{}/out", files.path());
    for (name, message) in [
        ("broken.json", "broken.json:3:16: not JSON: expected `:`\n"),
        ("empty.json", "empty.json holds no domain\n"),
        ("vain.json", "vain.json gives no pipeline\n"),
        ("missing.json", "missing.json: No such file or directory (os error 2)\n"),
    ] {
        let path = format!("{}/{name}", files.path());
        let failed =
            program().args(["import-mapping", &path, "--out", &out]).output().expect("the program runs");
        assert_eq!(failed.status.code(), Some(2), "{name}");
        let said = stderr(&failed);
        assert!(said.contains(message), "{said}");
        assert!(said.contains("error: "), "{said}");
        assert_eq!(said.contains("not mapped: /user_domain: "), name == "vain.json", "{said}");
        assert!(!Path::new(&out).exists(), "{name}");
    }
}
