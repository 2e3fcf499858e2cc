//! Pipelines that test themselves: the documents of a file's `[[test]]` blocks go through its program,
//! and what comes out is held against what the block says. No database is asked.
//!
//! ```text
//! document ─jsonb form─► Program ─► COPY buffers ─decode─► texts of cells ─┐
//!                                 └► reject rows ─decode─► reasons ────────┴► compare ─► differences
//! ```
//!
//! The program is that of a run, fed and read through the formats of a run; what a target's table
//! would say is taken from the pipeline ([`outcome`]). [`record`] goes the other way: from a row of
//! the source to a block that passes, with the text of people masked ([`mask`]).

mod compare;
mod mask;
mod outcome;
pub mod record;

use serde::Serialize;

use crate::error::Result;
use crate::spec::PipelineSpec;

use outcome::Bench;

/// What `xdoflow test` found.
#[derive(Debug, Serialize)]
pub struct TestReport {
    /// Tests that passed.
    pub passed: usize,
    /// Tests that did not.
    pub failed: usize,
    /// The pipelines, in the order in which they were named.
    pub pipelines: Vec<PipelineReport>,
}

/// The tests of one pipeline.
#[derive(Debug, Serialize)]
pub struct PipelineReport {
    /// What the pipeline moves.
    pub entity: String,
    /// Its file.
    pub file: String,
    /// Its tests, in the order of the file.
    pub tests: Vec<TestResult>,
}

/// What came of one test.
#[derive(Debug, Serialize)]
pub struct TestResult {
    /// Its name.
    pub name: String,
    /// Its line in the file.
    pub line: usize,
    /// Whether there is no difference.
    pub passed: bool,
    /// What is other than expected.
    pub differences: Vec<Difference>,
}

/// One thing that is other than expected.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Difference {
    /// What is compared.
    pub kind: Kind,
    /// The target; `None` where the document as a whole is meant.
    pub target: Option<String>,
    /// The column; `None` where the row as a whole is meant.
    pub column: Option<String>,
    /// A cell's text, the fate of a row, or the reason of a reject. `None` is NULL, or no reject.
    pub expected: Option<String>,
    /// The same of what came out.
    pub found: Option<String>,
}

/// What a difference is one of.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Kind {
    /// The texts of a cell.
    Cell,
    /// The fate of a row: `row`, `quarantined` or `filtered`.
    Row,
    /// The reason of a reject.
    Reject,
    /// Whether the run goes on: `rows` or `aborted`.
    Run,
}

impl PipelineReport {
    /// How many of its tests failed.
    pub fn failed(&self) -> usize {
        self.tests.iter().filter(|test| !test.passed).count()
    }
}

/// Runs the tests of pipelines.
///
/// # Errors
/// A pipeline that does not fit its own types, or a document that no `jsonb` can hold.
pub fn run(specs: &[PipelineSpec]) -> Result<TestReport> {
    let pipelines = specs.iter().map(run_pipeline).collect::<Result<Vec<_>>>()?;
    let failed = pipelines.iter().map(PipelineReport::failed).sum();
    let all: usize = pipelines.iter().map(|pipeline| pipeline.tests.len()).sum();
    Ok(TestReport { passed: all - failed, failed, pipelines })
}

fn run_pipeline(spec: &PipelineSpec) -> Result<PipelineReport> {
    let bench = Bench::new(spec)?;
    let mut tests = Vec::with_capacity(spec.tests.len());
    for test in &spec.tests {
        let place = format!("{}:{}", spec.file, test.position.line);
        let outcome = bench
            .run(test.id, &test.document)
            .map_err(|error| error.context(format_args!("{place}: the test {:?}", test.name)))?;
        let differences = compare::differences(spec, test, &outcome);
        tests.push(TestResult {
            name: test.name.clone(),
            line: test.position.line,
            passed: differences.is_empty(),
            differences,
        });
    }
    Ok(PipelineReport { entity: spec.entity.clone(), file: spec.file.clone(), tests })
}

#[cfg(test)]
mod tests;
