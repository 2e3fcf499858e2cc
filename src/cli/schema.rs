//! `xdoflow schema`

use std::process::ExitCode;

use super::args::SchemaArgs;
use super::context;
use crate::error::Result;
use crate::spec::language;

pub fn execute(arguments: &SchemaArgs) -> Result<ExitCode> {
    if arguments.markdown {
        let page = language::reference();
        context::print(|out| out.write_all(page.as_bytes()))?;
    } else {
        context::print_json(&language::json_schema())?;
    }
    Ok(ExitCode::SUCCESS)
}
