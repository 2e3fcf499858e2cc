//! What the program is made of: dependencies with licences that are allowed, from one registry alone. The list is
//! that of `deny.toml`.

use std::process::Command;

use serde_json::Value;

/// Whether an expression of SPDX is satisfied by the licences that are allowed. `/` is an old way to write OR.
fn is_allowed(expression: &str, allowed: &[String]) -> bool {
    let expression = expression.replace(" / ", " OR ").replace('/', " OR ");
    let trimmed = expression.trim();
    for (operator, all) in [(" OR ", false), (" AND ", true)] {
        let parts = split_outside(trimmed, operator);
        if parts.len() > 1 {
            let mut parts = parts.into_iter();
            let holds = |part: &str| is_allowed(part, allowed);
            return if all { parts.all(holds) } else { parts.any(holds) };
        }
    }
    match trimmed.strip_prefix('(').and_then(|rest| rest.strip_suffix(')')) {
        Some(inner) => is_allowed(inner, allowed),
        None => allowed.iter().any(|licence| licence == trimmed),
    }
}

/// The parts between an operator, where it stands in no parentheses.
fn split_outside<'t>(text: &'t str, operator: &str) -> Vec<&'t str> {
    let (mut parts, mut depth, mut from) = (Vec::new(), 0, 0);
    for (at, c) in text.char_indices() {
        match c {
            '(' => depth += 1,
            ')' => depth -= 1,
            _ if depth == 0 && text[at..].starts_with(operator) => {
                parts.push(&text[from..at]);
                from = at + operator.len();
            }
            _ => {}
        }
    }
    parts.push(&text[from..]);
    parts
}

#[test]
fn every_dependency_has_an_allowed_licence_and_comes_from_the_registry() {
    let root = env!("CARGO_MANIFEST_DIR");
    let deny: toml::Table =
        std::fs::read_to_string(format!("{root}/deny.toml")).expect("a file").parse().expect("TOML");
    let allowed: Vec<String> = deny["licenses"]["allow"]
        .as_array()
        .expect("a list")
        .iter()
        .map(|licence| licence.as_str().expect("a text").to_owned())
        .collect();
    let metadata = |arguments: &[&str]| {
        let mut command = Command::new(env!("CARGO"));
        command.args(["metadata", "--format-version", "1", "--locked", "--all-features", "--manifest-path"]);
        command.arg(format!("{root}/Cargo.toml")).args(arguments).output().expect("cargo runs")
    };
    // Offline it knows what was fetched: not always what other systems alone need.
    let offline = metadata(&["--offline"]);
    let output = if offline.status.success() { offline } else { metadata(&[]) };
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let metadata: Value = serde_json::from_slice(&output.stdout).expect("JSON");
    let packages = metadata["packages"].as_array().expect("packages");
    assert!(packages.len() > 100, "{}", packages.len());
    for package in packages {
        let name = &package["name"];
        let licence = package["license"].as_str().unwrap_or_default();
        assert!(is_allowed(licence, &allowed), "{name}: {licence}");
        let registry = package["source"].as_str().is_none_or(|source| source.starts_with("registry+"));
        assert!(registry, "{name}: {}", package["source"]);
    }
}

#[test]
fn no_unsafe_code_is_allowed_anywhere() {
    let manifest =
        std::fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/Cargo.toml")).expect("a file");
    let manifest: toml::Table = manifest.parse().expect("TOML");
    assert_eq!(manifest["lints"]["rust"]["unsafe_code"].as_str(), Some("forbid"));
}

#[test]
fn expressions_of_licences_are_read_as_they_are_meant() {
    let allowed = ["MIT".to_owned(), "Unicode-3.0".to_owned()];
    for (expression, expected) in [
        ("MIT", true),
        ("GPL-3.0 OR MIT", true),
        ("GPL-3.0 AND MIT", false),
        ("(GPL-3.0 OR MIT) AND Unicode-3.0", true),
        ("(GPL-3.0 OR MIT) AND ISC", false),
        ("Unlicense/MIT", true),
        ("", false),
    ] {
        assert_eq!(is_allowed(expression, &allowed), expected, "{expression}");
    }
}
