//! `xdoflow test`

use std::io::Write;
use std::process::ExitCode;

use super::args::TestArgs;
use super::context;
use super::signals::Signals;
use super::style::{Style, Tone};
use crate::error::{Error, Result};
use crate::pg::Side;
use crate::selftest::{self, record};
use crate::spec::PipelineSpec;

pub async fn execute(arguments: &TestArgs, signals: &Signals) -> Result<ExitCode> {
    let specs = context::pipelines(&arguments.pipelines)?;
    if let Some(id) = arguments.record {
        return signals.or_interrupted(record(arguments, &specs, id)).await;
    }
    let report = selftest::run(&specs)?;
    if arguments.json {
        context::print_json(&report)?;
    } else {
        context::print(|out| super::report::test(out, &report, Style::stdout()))?;
    }
    Ok(if report.failed > 0 { ExitCode::FAILURE } else { ExitCode::SUCCESS })
}

/// Prints a block for the end of the pipeline's file.
async fn record(arguments: &TestArgs, specs: &[PipelineSpec], id: i64) -> Result<ExitCode> {
    let [spec] = specs else {
        let names: Vec<&str> = specs.iter().map(|spec| spec.entity.as_str()).collect();
        return Err(Error::usage("--record reads a row of one entity")
            .detail(format!("the entities are {}", names.join(", ")))
            .hint(format!("name one: xdoflow test --record {id} {}", names.first().unwrap_or(&"ENTITY"))));
    };
    let source = context::database(Side::Source, arguments.source.as_deref())?;
    let document = record::read_document(&source, spec, id).await?;
    let recorded = record::block(spec, id, &document)?;
    if !recorded.lost.is_empty() {
        let style = Style::stderr();
        let label = style.paint(Tone::Warning, "warning:");
        // Where standard error is closed there is nobody to warn.
        let _ = writeln!(
            anstream::stderr(),
            "{label} with its text masked, the document no longer shows {}",
            recorded.lost.join(", ")
        );
    }
    context::print(|out| out.write_all(recorded.toml.as_bytes()))?;
    Ok(ExitCode::SUCCESS)
}
