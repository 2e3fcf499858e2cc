//! Imports run downward only. The floors are those of the crate's documentation.

use std::fs;
use std::path::{Path, PathBuf};

/// The floor of a module of the crate's root.
fn floor(module: &str) -> Option<u8> {
    Some(match module {
        "error" | "name" | "schema" | "json" | "progress" | "measured" | "page" | "summary" => 0,
        "spec" | "pgcopy" | "partition" | "catalog" | "fingerprint" => 1,
        "transform" | "sqlgen" | "lineage" | "pg" | "generate" | "ddl" | "import" | "server" => 2,
        "stage" => 3,
        "pipeline" | "plan" | "status" | "estimate" | "drift" | "history" | "report" | "check" | "doctor"
        | "verify" | "selftest" | "rejects" | "workspace" | "bench" | "dump" | "profile" | "scaffold" => 4,
        "cli" => 5,
        _ => return None,
    })
}

/// Modules of one floor that may use one another, beside the modules below them. The vocabulary of floor
/// 0 is one thing.
const SAME_FLOOR: [(&str, &str); 9] = [
    ("pipeline", "plan"),
    ("check", "plan"),
    ("verify", "plan"),
    ("bench", "plan"),
    ("doctor", "check"),
    ("scaffold", "profile"),
    ("report", "drift"),
    ("report", "history"),
    ("report", "rejects"),
];

fn sources(folder: &Path, found: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(folder).expect("src can be read") {
        let path = entry.expect("an entry").path();
        if path.is_dir() {
            sources(&path, found);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            found.push(path);
        }
    }
}

/// The root modules that a source names in `crate::…` paths, tests and comments left out.
fn imports(text: &str) -> Vec<String> {
    let code: String = text
        .lines()
        .take_while(|line| *line != "mod tests {")
        .filter(|line| !line.trim_start().starts_with("//"))
        .collect::<Vec<_>>()
        .join("\n");
    code.split("crate::")
        .skip(1)
        .map(|rest| rest.chars().take_while(|c| c.is_ascii_lowercase() || *c == '_').collect::<String>())
        .filter(|module| !module.is_empty())
        .collect()
}

#[test]
fn no_module_imports_from_a_floor_above_it() {
    let src = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut files = Vec::new();
    sources(&src, &mut files);
    assert!(files.len() > 50, "only {} sources were found", files.len());
    let mut wrong = Vec::new();
    for file in &files {
        let inside = file.strip_prefix(&src).expect("below src");
        let first = inside.components().next().expect("a component").as_os_str().to_str().expect("UTF-8");
        let module = first.trim_end_matches(".rs");
        if module == "lib" || module == "main" {
            continue;
        }
        let mine = floor(module).unwrap_or_else(|| panic!("{module} stands on no floor"));
        let text = fs::read_to_string(file).expect("a source");
        for import in imports(&text) {
            let theirs =
                floor(&import).unwrap_or_else(|| panic!("{}: {import} stands on no floor", inside.display()));
            let allowed = import == module
                || theirs < mine
                || theirs == 0
                || SAME_FLOOR.contains(&(module, import.as_str()));
            if !allowed {
                wrong.push(format!("{} (floor {mine}) imports {import} (floor {theirs})", inside.display()));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn no_stage_imports_another() {
    let stages = Path::new(env!("CARGO_MANIFEST_DIR")).join("src/stage");
    let mut files = Vec::new();
    sources(&stages, &mut files);
    assert!(files.len() > 5);
    for file in files {
        let text = fs::read_to_string(&file).expect("a source");
        let text = text.split("\nmod tests {").next().expect("the code in front of the tests");
        // What stands above a room of a stage is the stage itself.
        let is_room = file.parent() != Some(stages.as_path()) && file.file_name() != Some("mod.rs".as_ref());
        assert!(is_room || !text.contains("use super::"), "{}", file.display());
        assert!(!text.contains("crate::stage"), "{}", file.display());
    }
}

#[test]
fn only_pg_knows_the_client_library() {
    let src = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut files = Vec::new();
    sources(&src, &mut files);
    for file in files {
        let inside = file.strip_prefix(&src).expect("below src").to_owned();
        let text = fs::read_to_string(&file).expect("a source");
        let names_it = imports_library(&text, "tokio_postgres");
        assert!(!names_it || inside.starts_with("pg"), "{}", inside.display());
        let computes = inside.starts_with("transform") || inside.starts_with("pgcopy");
        assert!(!(computes && imports_library(&text, "tokio")), "{}", inside.display());
    }
}

fn imports_library(text: &str, library: &str) -> bool {
    text.lines()
        .filter(|line| !line.trim_start().starts_with("//"))
        .any(|line| line.contains(&format!("{library}::")) || line.contains(&format!("use {library};")))
}
