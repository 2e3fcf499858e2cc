//! Workspaces to try things on: V1 filled by the generator, V2 created, and put into the state that the
//! field shows.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, PoisonError};

use tokio::task::JoinSet;

use crate::ddl;
use crate::error::{Error, Result};
use crate::generate::Generator;
use crate::name::TableName;
use crate::pg::{Database, Loader, TableInfo, sql};
use crate::pgcopy::{JSONB_VERSION, RowBuffer};
use crate::progress::{Phase, Progress};

/// Rows that one message to the server holds: about a quarter of a mebibyte of participants.
const CHUNK_ROWS: u64 = 400;
/// Rows of one COPY.
const SLICE_ROWS: u64 = 20_000;

/// Rows `from..to` of one generated table.
#[derive(Clone, Copy)]
struct Slice {
    table: usize,
    from: u64,
    to: u64,
}

/// Creates the V1 tables and fills them with generated rows, over as many connections as `jobs`. The
/// indices of `progress` are those of the generator's tables.
///
/// Tables that hold rows already are left alone, and are an error: nothing is overwritten.
pub async fn fill_v1(
    database: &Database,
    generator: Generator,
    jobs: usize,
    progress: Arc<Progress>,
) -> Result<()> {
    let session = database.connect("generate").await?;
    refuse_full_tables(&session, &generator).await?;
    session.batch(&ddl::v1_ddl(None)).await?;
    let mut slices = VecDeque::new();
    for (table, plan) in generator.tables().iter().enumerate() {
        progress.entity(table).expect(plan.rows, 1);
        progress.entity(table).expect_publish(plan.rows);
        for from in (0..plan.rows).step_by(SLICE_ROWS as usize) {
            slices.push_back(Slice { table, from, to: plan.rows.min(from + SLICE_ROWS) });
        }
    }
    let generator = Arc::new(generator);
    let queue = Arc::new(Mutex::new(slices));
    let mut lanes = JoinSet::new();
    for _ in 0..jobs {
        let lane = fill(database.clone(), Arc::clone(&generator), Arc::clone(&queue), Arc::clone(&progress));
        lanes.spawn(lane);
    }
    while let Some(lane) = lanes.join_next().await {
        lane.unwrap_or_else(|error| Err(Error::stop(format!("the generator ended unexpectedly: {error}"))))?;
    }
    // What a V1 that has been in use for years shows: statistics, and no row that still needs a hint bit.
    for (index, plan) in generator.tables().iter().enumerate() {
        progress.enter(index, Phase::Publishing);
        session.batch(&format!("VACUUM (ANALYZE) {}", table_name(&plan.table)?.quoted())).await?;
        progress.entity(index).publish(plan.rows);
        progress.enter(index, Phase::Done);
    }
    Ok(())
}

async fn refuse_full_tables(session: &crate::pg::Session, generator: &Generator) -> Result<()> {
    for plan in generator.tables() {
        let name = table_name(&plan.table)?;
        let Some(info) = TableInfo::read(session, &name).await? else { continue };
        let rows = session.query(&format!("SELECT FROM {} LIMIT 1", info.name.quoted()), &[]).await?;
        if !rows.is_empty() {
            return Err(Error::stop(format!("the table {} holds rows already", info.name))
                .detail("generated rows go into empty or new tables only; nothing was changed")
                .hint("name another database with --source"));
        }
    }
    Ok(())
}

async fn fill(
    database: Database,
    generator: Arc<Generator>,
    queue: Arc<Mutex<VecDeque<Slice>>>,
    progress: Arc<Progress>,
) -> Result<()> {
    let session = database.connect("generate").await?;
    session.batch("SET synchronous_commit = off").await?;
    loop {
        let next = queue.lock().unwrap_or_else(PoisonError::into_inner).pop_front();
        let Some(slice) = next else { return Ok(()) };
        let plan = &generator.tables()[slice.table];
        if slice.from == 0 {
            progress.enter(slice.table, Phase::Copying);
        }
        let counters = progress.entity(slice.table);
        let mut loader =
            Loader::open(&session, &sql::copy_into(&table_name(&plan.table)?, ["id", "xdo"])).await?;
        let mut from = slice.from;
        while from < slice.to {
            let to = slice.to.min(from + CHUNK_ROWS);
            let rows = documents(&generator, slice.table, from..to).await?;
            let bytes = rows.len() as u64;
            counters.read(to - from, bytes);
            loader.send(rows).await?;
            counters.load(to - from, bytes);
            from = to;
        }
        loader.finish().await?;
    }
}

/// Generates rows on a thread that may be kept busy.
async fn documents(
    generator: &Arc<Generator>,
    table: usize,
    rows: std::ops::Range<u64>,
) -> Result<RowBuffer> {
    let generator = Arc::clone(generator);
    let made = tokio::task::spawn_blocking(move || {
        let plan = &generator.tables()[table];
        let mut buffer = RowBuffer::default();
        let mut document = Vec::new();
        for index in rows {
            document.clear();
            let id = generator.document(plan, index, &mut document);
            buffer.begin_row(2);
            buffer.field(&id.to_be_bytes());
            buffer.field_parts([&[JSONB_VERSION], &document]);
            buffer.end_row();
        }
        buffer
    });
    made.await.map_err(|error| Error::stop(format!("the generator ended unexpectedly: {error}")))
}

fn table_name(name: &str) -> Result<TableName> {
    name.parse()
}

/// Creates the V2 tables.
pub async fn create_v2(database: &Database) -> Result<()> {
    database.connect("create V2").await?.batch(&ddl::v2_ddl(None)).await
}

/// Puts a V2 that is an exact image of V1 into the state that the field shows.
pub async fn damage_v2(database: &Database) -> Result<()> {
    database.connect("seed state").await?.batch(ddl::SEED_STATE).await
}
