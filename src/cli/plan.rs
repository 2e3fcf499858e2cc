//! `xdoflow plan`

use std::process::ExitCode;

use super::args::PlanArgs;
use super::run::{Request, databases};
use super::signals::Signals;
use super::style::{self, Style};
use super::{context, report};
use crate::error::Result;
use crate::estimate::{self, PlanReport};
use crate::pipeline::Purpose;

/// Exit code 1 where a run would stop.
pub async fn execute(arguments: &PlanArgs, signals: &Signals) -> Result<ExitCode> {
    let work = &arguments.work;
    let databases = databases(work)?;
    let target = databases.target.clone();
    let request = Request::of(work, databases, Purpose::Plan { samples: arguments.samples })?;
    let (_, outcome) = request.attempt_with(work.from.as_deref(), signals).await;
    let run = outcome?;
    let used = run.entities.iter().filter_map(|entity| entity.changed.as_ref());
    let changed = work.changed && used.into_iter().all(|changed| changed.used);
    let estimate = signals.or_interrupted(estimate::estimate(&target, &run, changed)).await?;
    let forecasts = run.entities.iter().filter_map(|entity| entity.forecast.as_ref());
    let would_stop = forecasts.map(|forecast| forecast.stops.len() as u64).sum();
    let plan = PlanReport { run, would_stop, estimate };
    if arguments.json {
        context::print_json(&plan)?;
    } else {
        context::print(|out| {
            report::plan(out, &plan, Style::stdout(), style::stdout_width(), arguments.verbose)
        })?;
    }
    Ok(ExitCode::from(u8::from(would_stop > 0)))
}
