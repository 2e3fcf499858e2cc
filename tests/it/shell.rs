//! What belongs to the habits of a shell: completions, manual pages, help.

use std::io::Write;
use std::process::{Command, Stdio};

use crate::support::{Temp, program, stderr, stdout};

fn printed(arguments: &[&str]) -> String {
    let output = program().args(arguments).output().expect("the program runs");
    assert_eq!(output.status.code(), Some(0), "{arguments:?}: {}", stderr(&output));
    stdout(&output)
}

#[test]
fn completions_are_printed_for_each_shell_and_bash_completes_with_its_own() {
    for shell in ["bash", "zsh", "fish", "elvish", "powershell"] {
        let script = printed(&["completions", shell]);
        assert!(script.contains("doctor") && script.contains("import-mapping"), "{shell}");
    }
    assert_eq!(program().args(["completions", "csh"]).output().expect("it runs").status.code(), Some(2));
    // What bash would offer behind `xdoflow rejects re` and `xdoflow run --dry`.
    let script = printed(&["completions", "bash"]);
    let ask = |words: &str, position: usize, word: &str| {
        let lines = format!(
            "{script}\nCOMP_WORDS=({words}); COMP_CWORD={position}; _xdoflow xdoflow '{word}' ''; echo \"${{COMPREPLY[@]}}\"\n"
        );
        let mut bash = Command::new("bash")
            .args(["--norc", "-s"])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .expect("bash runs");
        bash.stdin.take().expect("a pipe").write_all(lines.as_bytes()).expect("written");
        let output = bash.wait_with_output().expect("it ends");
        stdout(&output).trim().to_owned()
    };
    assert_eq!(ask("xdoflow rejects ret", 2, "ret"), "retry");
    assert_eq!(ask("xdoflow run --dry", 2, "--dry"), "--dry-run");
}

#[test]
fn manual_pages_are_printed_one_by_one_or_written_all_at_once() {
    let page = printed(&["man", "rejects", "retry"]);
    assert!(page.starts_with(".ie") || page.contains(".TH"), "{page}");
    assert!(page.contains("xdoflow\\-rejects\\-retry") && page.contains("Examples:"), "{page}");
    let folder = Temp::new("man");
    let inside = folder.path().join("man1");
    let told = printed(&["man", "--out", inside.to_str().expect("UTF-8")]);
    let pages: Vec<String> = std::fs::read_dir(&inside)
        .expect("a folder")
        .map(|entry| entry.expect("an entry").file_name().into_string().expect("UTF-8"))
        .collect();
    assert!(told.starts_with(&format!("{} pages written to ", pages.len())), "{told}");
    for page in ["xdoflow.1", "xdoflow-run.1", "xdoflow-doctor.1", "xdoflow-rejects-purge.1"] {
        assert!(pages.iter().any(|name| name == page), "{pages:?}");
    }
    let unknown = program().args(["man", "rn"]).output().expect("it runs");
    assert_eq!(unknown.status.code(), Some(2), "{}", stderr(&unknown));
}

#[test]
fn every_help_has_examples_and_exit_codes_are_told_once_for_all() {
    let top = printed(&["--help"]);
    assert!(top.contains("Exit codes: 0 done") && top.contains("Examples:"), "{top}");
    for command in ["run", "verify", "sql"] {
        for flag in ["-h", "--help"] {
            let help = printed(&[command, flag]);
            assert!(
                help.contains("Examples:\n  # ") && help.contains(&format!("\n  xdoflow {command}")),
                "{help}"
            );
        }
    }
}
