//! Examples for the help of every command, in one form; a test parses each of them.

use clap::Command;

/// A command line and what it does.
type Example = (&'static str, &'static str);

/// By the command's path, in the order of the help.
const EXAMPLES: &[(&str, &[Example])] = &[
    (
        "",
        &[
            ("xdoflow demo --scale 0.1", "see it all, on a private server"),
            ("xdoflow doctor", "is everything ready for a first run?"),
            ("xdoflow run --prune", "make V2 equal to V1"),
            ("xdoflow verify", "prove it, cell by cell"),
        ],
    ),
    (
        "demo",
        &[
            ("xdoflow demo --scale 0.1", "a tenth of the size"),
            ("xdoflow demo --scale 0.1 --keep", "leave the server running, and tell how to connect"),
        ],
    ),
    (
        "run",
        &[
            ("xdoflow run --dry-run --prune", "what would change? nothing is written to a target"),
            ("xdoflow run --prune", "make V2 equal to V1"),
            ("xdoflow run users agents", "only some entities"),
            ("xdoflow run agents --ids 17,20-99", "only some rows; nothing is deleted"),
            ("xdoflow run agents --from agents.csv", "V1 from a file"),
            ("xdoflow run --changed --prune", "only what moved since the last run"),
            ("xdoflow run --profile prod --notify 'mail -s xdoflow ops'", "tell somebody when it is done"),
            ("xdoflow run --json > result.json", "feed a program"),
        ],
    ),
    (
        "plan",
        &[
            ("xdoflow plan --prune", "what would it change, and would anything stop it?"),
            ("xdoflow plan agents -v", "one entity, with every column that changes, and samples"),
            ("xdoflow plan --changed --json", "for a program; exit code 1 where a run would stop"),
        ],
    ),
    (
        "status",
        &[
            ("xdoflow status", "how far are V1 and V2 apart?"),
            ("xdoflow status participants --json", "one entity, for a program"),
        ],
    ),
    (
        "check",
        &[
            ("xdoflow check", "do the built-in pipelines fit?"),
            ("xdoflow check --pipelines my-pipelines", "do mine?"),
        ],
    ),
    (
        "doctor",
        &[
            ("xdoflow doctor", "everything, before a first run"),
            ("xdoflow doctor users --jobs 4", "for a run of one entity over four connections"),
            ("xdoflow doctor --json", "for a program"),
        ],
    ),
    (
        "drift",
        &[
            (
                "xdoflow drift",
                "have keys of V1 come, gone or changed their kind? exit code 1 where they have",
            ),
            ("xdoflow drift agents --accept", "it is meant: expect it from now on"),
        ],
    ),
    (
        "history",
        &[
            ("xdoflow history", "the last 20 runs"),
            ("xdoflow history 12", "all of run 12"),
            ("xdoflow history --limit 1 --json", "the last run, for a program"),
        ],
    ),
    (
        "report",
        &[
            ("xdoflow report", "the last run"),
            ("xdoflow report 12 --html run-12.html", "run 12 as a page with charts, to pass on"),
            ("xdoflow report --md | head -1", "a message for the chat"),
        ],
    ),
    (
        "rejects",
        &[
            ("xdoflow rejects", "what the last run of each entity rejected"),
            ("xdoflow rejects agents --reason not_a_number", "one entity, one reason"),
            ("xdoflow rejects --csv rejects.csv", "all of them, as a file"),
        ],
    ),
    (
        "rejects retry",
        &[
            ("xdoflow rejects retry", "after V1 or a pipeline was mended"),
            ("xdoflow rejects retry agents --json", "one entity, for a program"),
        ],
    ),
    ("rejects purge", &[("xdoflow rejects purge --older-than 30d", "keep no value longer than a month")]),
    (
        "test",
        &[
            ("xdoflow test", "all tests of the built-in pipelines"),
            ("xdoflow test --pipelines my-pipelines users", "those of one file of mine"),
            ("xdoflow test --record 4711 users", "print a test made from a row, its text masked"),
        ],
    ),
    (
        "verify",
        &[
            ("xdoflow verify", "every cell"),
            ("xdoflow verify participants --sample 5", "5 % of the rows of one entity"),
        ],
    ),
    (
        "inspect",
        &[
            ("xdoflow inspect mvpw1_36", "what do the documents of a table hold?"),
            (
                "xdoflow inspect mvpw1_36 --sort worst --html agents.html",
                "the dirtiest keys first, and a page",
            ),
            (
                "xdoflow inspect sales.orders --document payload --sample 5 --json",
                "5 % of a table, for a program",
            ),
        ],
    ),
    (
        "scaffold",
        &[
            ("xdoflow scaffold mvpw1_36 --target agent --out mine/agent.toml", "a draft of a pipeline file"),
            ("xdoflow scaffold mvpw1_36 --target agent --ddl | psql \"$XDOFLOW_TARGET\"", "and its table"),
        ],
    ),
    (
        "import-mapping",
        &[(
            "xdoflow import-mapping V1_V2_FIELD_MAPPING.json --out my-pipelines",
            "pipeline files from a mapping",
        )],
    ),
    (
        "generate",
        &[("xdoflow generate --source postgresql:///try --scale 0.1", "fill an empty V1 to try things on")],
    ),
    (
        "ddl",
        &[
            ("xdoflow ddl", "the tables of V2"),
            ("xdoflow ddl --roles", "two roles with no more rights than a run needs"),
        ],
    ),
    (
        "sql",
        &[
            ("xdoflow sql users", "one statement that does on the server what run does"),
            ("xdoflow sql --style arrow", "the plain pattern, for clean data"),
        ],
    ),
    (
        "bench",
        &[
            ("xdoflow bench users --scale 0.1", "a quick look, on a private server"),
            ("xdoflow bench --html bench.html", "all of it, as a page"),
        ],
    ),
    (
        "config",
        &[("xdoflow config show --profile prod", "what is in force, and where each value comes from")],
    ),
    (
        "config show",
        &[
            ("xdoflow config show", "what is in force here"),
            ("xdoflow config show --profile prod --json", "with a profile, for a program"),
        ],
    ),
    (
        "schema",
        &[
            ("xdoflow schema > pipeline.schema.json", "for an editor that checks TOML"),
            ("xdoflow schema --markdown", "the same as a page to read"),
        ],
    ),
    (
        "lineage",
        &[
            ("xdoflow lineage users", "where each column of a pipeline comes from"),
            ("xdoflow lineage --format html > lineage.html", "all pipelines, as a page"),
            ("xdoflow lineage network --format mermaid", "as a graph"),
        ],
    ),
    (
        "completions",
        &[
            (
                "xdoflow completions bash > ~/.local/share/bash-completion/completions/xdoflow",
                "for bash, in new shells",
            ),
            ("xdoflow completions zsh > ~/.zfunc/_xdoflow", "for zsh, where ~/.zfunc is in fpath"),
            ("xdoflow completions fish > ~/.config/fish/completions/xdoflow.fish", "for fish"),
        ],
    ),
    (
        "man",
        &[
            ("xdoflow man run | man -l -", "read the page of a command"),
            ("xdoflow man --out ~/.local/share/man/man1", "write the pages of all commands"),
        ],
    ),
];

/// Puts its examples behind the help of every command.
pub fn dress(command: Command) -> Command {
    dress_at(command, "")
}

fn dress_at(command: Command, path: &str) -> Command {
    let names: Vec<String> = command.get_subcommands().map(|sub| sub.get_name().to_owned()).collect();
    let command = names.iter().fold(command, |command, name| {
        let below = if path.is_empty() { name.clone() } else { format!("{path} {name}") };
        command.mut_subcommand(name, |sub| dress_at(sub, &below))
    });
    let Some((_, examples)) = EXAMPLES.iter().find(|(of, _)| *of == path) else { return command };
    let text = written(examples);
    let behind = |before: Option<String>| match before {
        Some(before) => format!("{}\n\n{text}", before.trim_end()),
        None => text.clone(),
    };
    let short = command.get_after_help().map(ToString::to_string);
    let long = command.get_after_long_help().map(ToString::to_string).or_else(|| short.clone());
    command.after_help(behind(short)).after_long_help(behind(long))
}

/// The lines of the examples: what each does above it, so that narrow terminals need not break them.
fn written(examples: &[Example]) -> String {
    let lines = examples.iter().map(|(line, what)| format!("\n  # {what}\n  {line}"));
    std::iter::once("Examples:".to_owned()).chain(lines).collect()
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::*;
    use crate::cli::args::Arguments;

    fn paths(command: &Command, path: &str, found: &mut Vec<String>) {
        found.push(path.to_owned());
        for sub in command.get_subcommands() {
            let name = sub.get_name();
            paths(sub, &if path.is_empty() { name.to_owned() } else { format!("{path} {name}") }, found);
        }
    }

    #[test]
    fn every_command_has_examples_and_no_example_is_of_another() {
        let mut found = Vec::new();
        paths(&Arguments::command(), "", &mut found);
        for path in &found {
            assert!(EXAMPLES.iter().any(|(of, examples)| of == path && !examples.is_empty()), "{path:?}");
        }
        for (path, _) in EXAMPLES {
            assert!(found.iter().any(|known| known == path), "{path:?}");
        }
    }

    #[test]
    fn every_example_is_a_command_line_that_is_taken() {
        for (path, examples) in EXAMPLES {
            for (line, what) in *examples {
                // What the shell does stands behind the command.
                let command = line.split('>').next().unwrap_or_default();
                let command = command.split('|').next().unwrap_or_default();
                let mut words: Vec<String> = Vec::new();
                for (index, part) in command.split('\'').enumerate() {
                    match index % 2 {
                        0 => words.extend(part.split_whitespace().map(ToOwned::to_owned)),
                        _ => words.push(part.to_owned()),
                    }
                }
                assert!(line.starts_with(&format!("xdoflow {path}")) || path.is_empty(), "{line}");
                let taken = Arguments::command().try_get_matches_from(&words);
                assert!(taken.is_ok(), "{line} ({what}): {}", taken.expect_err("an error"));
            }
        }
    }

    #[test]
    fn the_help_shows_the_examples_behind_what_stood_there() {
        let mut command = dress(Arguments::command());
        let help = command.find_subcommand_mut("verify").expect("verify").render_help().to_string();
        let (before, behind) = help.split_once("Exit codes: 0 equal").expect("the exit codes");
        assert!(!before.contains("Examples:"), "{help}");
        assert!(behind.contains("\nExamples:\n  # every cell\n  xdoflow verify\n"), "{help}");
        let long = command.find_subcommand_mut("bench").expect("bench").render_long_help().to_string();
        assert!(long.contains("Contenders, each with") && long.contains("Examples:\n"), "{long}");
    }
}
