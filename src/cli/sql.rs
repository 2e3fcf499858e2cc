//! `xdoflow sql`

use std::process::ExitCode;

use super::args::{SqlArgs, SqlStyle};
use super::context::{self, Databases};
use super::signals::Signals;
use crate::error::{Error, Result};
use crate::pg::TableInfo;
use crate::spec::PipelineSpec;
use crate::sqlgen;

pub async fn execute(arguments: &SqlArgs, signals: &Signals) -> Result<ExitCode> {
    let specs = context::pipelines(&arguments.pipelines)?;
    let asks = arguments.databases.source.is_some() || arguments.databases.target.is_some();
    let mut statements = Vec::new();
    for spec in &specs {
        if arguments.style == SqlStyle::Arrow {
            let named = sqlgen::arrow_statements(spec).into_iter().zip(&spec.targets);
            statements.extend(named.map(|(statement, target)| (target.name.clone(), statement)));
            continue;
        }
        let live = match asks {
            false => spec.targets.iter().map(sqlgen::schema_of).collect(),
            true => tokio::select! {
                live = live(&arguments.databases, spec) => live?,
                () = signals.received() => return Err(Error::interrupted()),
            },
        };
        statements.push((spec.entity.clone(), sqlgen::merge_statement(spec, &live)?));
    }
    let texts: Vec<String> = statements
        .iter()
        .map(|(name, statement)| match arguments.xanoscript {
            true => sqlgen::stanza(statement, name),
            false => format!("{statement};\n"),
        })
        .collect();
    context::print(|out| out.write_all(texts.join("\n").as_bytes()))?;
    Ok(ExitCode::SUCCESS)
}

/// The columns of a pipeline's targets, as the database has them.
async fn live(
    databases: &super::args::DatabaseArgs,
    spec: &PipelineSpec,
) -> Result<Vec<Vec<crate::schema::ColumnSchema>>> {
    let session = Databases::resolve(databases)?.target.connect("catalogue").await?;
    let mut tables = Vec::new();
    for target in &spec.targets {
        let info = TableInfo::read(&session, &target.table).await?;
        tables.push(info.map(|info| info.columns).ok_or_else(|| {
            Error::stop(format!("{}: the target database has no such table", target.table))
                .hint("check --target and the search path; xdoflow ddl prints the CREATE TABLE statements")
        })?);
    }
    Ok(tables)
}
