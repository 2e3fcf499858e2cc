//! `xdoflow lineage`

use std::process::ExitCode;

use super::args::{LineageArgs, LineageFormat};
use super::context;
use crate::error::Result;
use crate::lineage::{self, Lineage};

pub fn execute(arguments: &LineageArgs) -> Result<ExitCode> {
    let specs = context::pipelines(&arguments.pipelines)?;
    let all: Vec<Lineage> = specs.iter().map(Lineage::of).collect();
    let text = match arguments.format {
        LineageFormat::Markdown => lineage::markdown(&all),
        LineageFormat::Html => lineage::html(&all),
        LineageFormat::Mermaid => lineage::mermaid(&all),
    };
    context::print(|out| out.write_all(text.as_bytes()))?;
    Ok(ExitCode::SUCCESS)
}
