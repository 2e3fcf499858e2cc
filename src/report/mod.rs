//! `report`: all that the ledger has of one run, put together so that it can be passed on.
//!
//! Only the ledger of the target is asked; V1 need not be there any more. What an older version did not keep
//! (settings, measurements, verifications) is nothing. The figures are those of `history`; here they meet what was
//! measured, what was rejected, what a `verify` found afterwards, and the runs before.

mod earlier;
mod guards;
mod verification;

use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::drift::{self, RunDrift};
use crate::error::{Error, Result};
use crate::history::{self, RunDetails};
use crate::measured::{Bottleneck, EntityMeasured, Measured, bottleneck};
use crate::pg::{Database, Row, Session};
use crate::rejects::{self, RejectSum, RejectedValue};
use crate::summary::RunSettings;

pub use earlier::EarlierRun;
pub use guards::{Guard, Outcome};
pub use verification::{Verification, VerifiedTarget};

/// So many values of each reason are shown.
const SAMPLES: u32 = 3;

/// One run.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Report {
    /// The run, as `history` tells it.
    #[serde(flatten)]
    pub run: RunDetails,
    /// Rows of V1 a second, over all of its time; none where nothing was read.
    pub rows_per_s: Option<u64>,
    /// What it was asked for; none in a ledger of an older version.
    pub settings: Option<RunSettings>,
    /// What it measured of itself; none in a ledger of an older version.
    pub measured: Option<Measured>,
    /// Its narrow place; none where too little was measured to say.
    pub bottleneck: Option<Bottleneck>,
    /// What would have stopped it.
    pub guards: Vec<Guard>,
    /// What it rejected and the quarantine still has, by column and reason, the most frequent first.
    pub rejected: Vec<RejectSum>,
    /// Some values of each; none of a run with `--no-raw`.
    pub samples: Vec<RejectedValue>,
    /// How the keys of V1 differed from those that were accepted.
    pub drift: Vec<RunDrift>,
    /// What a `verify` has found since, before another run of its entities; the last one.
    pub verification: Option<Verification>,
    /// Runs before it of the same entities, in the same mode; the newest first.
    pub earlier: Vec<EarlierRun>,
}

impl Report {
    /// Takes the rejected values out, which may be personal data.
    pub fn without_values(&mut self) {
        for sample in &mut self.samples {
            sample.raw = None;
        }
    }
}

/// Reports on a run, or on the last one.
///
/// # Errors
/// There is no such run.
pub async fn report(target: &Database, run: Option<i64>) -> Result<Report> {
    let run_id = match run {
        Some(run_id) => run_id,
        None => last(target).await?,
    };
    let mut run = history::run(target, run_id).await?;
    // In the order of the run, not in that of the commits.
    let place = |name: &String| run.run.entities.iter().position(|entity| entity == name);
    run.details.sort_by_key(|entity| place(&entity.entity));
    let session = target.connect("report").await?;
    let kept = session.query_one(KEPT, &[&run_id]).await?;
    let settings: Option<RunSettings> = of_json(&kept, 0);
    let measured = match of_json(&kept, 1) {
        Some(measured) => Some(measured),
        None => of_entities(&session, &run, settings.as_ref()).await?,
    };
    let (rejected, samples) = rejects::by_reason(target, run_id, SAMPLES).await?;
    Ok(Report {
        rows_per_s: per_second(run.run.rows_read, run.run.elapsed_ms),
        guards: guards::guards(&run, settings.as_ref()),
        bottleneck: measured.as_ref().and_then(bottleneck),
        verification: verification::after(&session, &run.run).await?,
        drift: drift::of_run(&session, run_id).await?,
        earlier: earlier::before(&session, &run.run, settings.as_ref()).await?,
        run,
        settings,
        measured,
        rejected,
        samples,
    })
}

async fn last(target: &Database) -> Result<i64> {
    let newest = history::list(target, 1).await?;
    newest.runs.first().map(|run| run.run_id).ok_or_else(|| {
        Error::stop("there is no run to report on")
            .detail(format!("the ledger of {} knows none", target.redacted()))
            .hint("xdoflow run makes one; check --target")
    })
}

/// What was measured of the entities that were published, of a run that never came to write the whole.
async fn of_entities(
    session: &Session,
    run: &RunDetails,
    settings: Option<&RunSettings>,
) -> Result<Option<Measured>> {
    let rows = session.query(OF_ENTITIES, &[&run.run.run_id]).await?;
    let entities: Vec<EntityMeasured> = rows.iter().filter_map(|row| of_json(row, 0)).collect();
    let jobs = settings.map_or(0, |settings| settings.jobs);
    Ok((!entities.is_empty()).then(|| Measured { jobs, entities, ..Measured::default() }))
}

/// A value of a column of JSON as text; nothing where it is NULL, or of another version's shape.
fn of_json<T: DeserializeOwned>(row: &Row, column: usize) -> Option<T> {
    serde_json::from_str(&row.get::<_, Option<String>>(column)?).ok()
}

fn per_second(rows: u64, ms: u64) -> Option<u64> {
    let per_second = (u128::from(rows) * 1000).checked_div(u128::from(ms))?;
    u64::try_from(per_second).ok().filter(|rows| *rows > 0)
}

/// A ledger of an older version lacks the columns.
const KEPT: &str = "
    SELECT (to_jsonb(r) -> 'settings')::text, (to_jsonb(r) -> 'measured')::text
    FROM xdoflow.runs r WHERE run_id = $1";

const OF_ENTITIES: &str = "
    SELECT (to_jsonb(e) -> 'measured')::text FROM xdoflow.run_entities e WHERE run_id = $1
    ORDER BY published_at, entity";
