//! `xdoflow ddl`

use std::process::ExitCode;

use super::args::{DdlArgs, PipelineArgs};
use super::context;
use crate::ddl::{self, roles};
use crate::error::Result;

pub fn execute(arguments: &DdlArgs) -> Result<ExitCode> {
    let text = if arguments.roles {
        let pipelines = PipelineArgs { entities: Vec::new(), pipelines: arguments.pipelines.clone() };
        roles::roles(&context::pipelines(&pipelines)?)
    } else if arguments.seed_state {
        ddl::SEED_STATE.to_owned()
    } else if arguments.v1 {
        ddl::v1_ddl(None)
    } else {
        ddl::v2_ddl(None)
    };
    context::print(|out| out.write_all(text.as_bytes()))?;
    Ok(ExitCode::SUCCESS)
}
