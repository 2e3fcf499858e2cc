//! `import-mapping`: what was not simply mapped, then what came out.

use std::io::{self, Write};

use super::labelled;
use crate::cli::format;
use crate::cli::style::{Style, Tone};
use crate::import::{Import, Kind};

/// Writes the findings in their order and one line of conclusion.
///
/// # Errors
///
/// Those of the writer.
pub fn import(out: &mut dyn Write, import: &Import, style: Style) -> io::Result<()> {
    for finding in &import.findings {
        let label = match finding.kind {
            Kind::Unmapped => ("not mapped", Tone::Warning),
            Kind::Assumed => ("assumed", Tone::Warning),
            Kind::Kept => ("kept", Tone::Hint),
        };
        let place = style.paint(Tone::Strong, &one_line(&finding.path));
        labelled(out, "", label, &format!("{place}: {}", one_line(&finding.message)), style)?;
    }
    let sum =
        |of: fn(&crate::import::Imported) -> usize| import.pipelines.iter().map(of).sum::<usize>() as u64;
    let pipelines = format::counted(import.pipelines.len() as u64, "pipeline");
    let targets = format::counted(sum(|one| one.targets), "target");
    let columns = format::counted(sum(|one| one.columns), "column");
    let unmapped = import.findings.iter().filter(|finding| finding.kind == Kind::Unmapped).count();
    write!(out, "mapped {pipelines}, {targets} and {columns}")?;
    match unmapped {
        0 => writeln!(out),
        _ => writeln!(out, "; {} not mapped", format::counted(unmapped as u64, "place")),
    }
}

/// Paths and messages may hold whatever a key of the file may hold.
fn one_line(text: &str) -> String {
    let shown = |c: char| if c.is_control() { c.escape_debug().to_string() } else { c.to_string() };
    text.chars().map(shown).collect()
}

#[cfg(test)]
mod tests {
    use super::super::tests::{PLAIN, text};
    use super::*;
    use crate::import::{Finding, Imported};

    #[test]
    fn each_finding_has_its_place_and_the_last_line_counts() {
        let finding = |kind, path: &str, message: &str| Finding {
            kind,
            path: path.to_owned(),
            message: message.to_owned(),
            value: None,
        };
        let pipeline = |targets, columns| Imported {
            file: "a.toml".to_owned(),
            entity: "a".to_owned(),
            targets,
            columns,
            text: String::new(),
        };
        let found = Import {
            pipelines: vec![pipeline(1, 2), pipeline(3, 4)],
            findings: vec![
                finding(Kind::Unmapped, "/a_domain/mappings/a (1)/b\nc", "no V1 field"),
                finding(Kind::Assumed, "/a_domain", "taken to be x"),
            ],
        };
        assert_eq!(
            text(|out| import(out, &found, PLAIN)),
            "not mapped: /a_domain/mappings/a (1)/b\\nc: no V1 field\n\
             assumed: /a_domain: taken to be x\n\
             mapped 2 pipelines, 4 targets and 6 columns; 1 place not mapped\n"
        );
        let clean = Import { pipelines: vec![pipeline(1, 1)], findings: Vec::new() };
        assert_eq!(text(|out| import(out, &clean, PLAIN)), "mapped 1 pipeline, 1 target and 1 column\n");
    }
}
