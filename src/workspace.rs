//! Workspaces to try things on: V1 filled by the generator, V2 created, and put into the state that the
//! field shows.

use std::collections::VecDeque;
use std::ops::Range;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use tokio::task::JoinSet;

use crate::ddl;
use crate::error::{Error, Result};
use crate::generate::Generator;
use crate::name::TableName;
use crate::pg::{Database, Loader, Session, TableInfo, raw, sql};
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

/// What the lanes that fill V1 share.
struct Work {
    generator: Generator,
    slices: Mutex<VecDeque<Slice>>,
    /// Rows of each table that are not stored yet; whoever stores the last ones vacuums.
    pending: Vec<AtomicU64>,
    progress: Arc<Progress>,
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
    let pending = generator.tables().iter().map(|plan| AtomicU64::new(plan.rows)).collect();
    let work = Arc::new(Work { generator, slices: Mutex::new(slices), pending, progress });
    let mut lanes = JoinSet::new();
    for _ in 0..jobs {
        lanes.spawn(fill(database.clone(), Arc::clone(&work)));
    }
    while let Some(lane) = lanes.join_next().await {
        lane.unwrap_or_else(|error| Err(Error::stop(format!("the generator ended unexpectedly: {error}"))))?;
    }
    Ok(())
}

async fn refuse_full_tables(session: &Session, generator: &Generator) -> Result<()> {
    for plan in generator.tables() {
        let name = table_name(plan.table)?;
        let Some(info) = TableInfo::read(session, &name).await? else { continue };
        let rows = session.query(&format!("SELECT FROM {} LIMIT 1", info.name.quoted()), &[]).await?;
        if !rows.is_empty() {
            return Err(Error::stop(format!("the table {} holds rows already", info.name))
                .detail("generated rows go into empty or new tables only; nothing was changed")
                .hint("name another database"));
        }
    }
    Ok(())
}

async fn fill(database: Database, work: Arc<Work>) -> Result<()> {
    let session = database.connect("generate").await?;
    session.batch("SET synchronous_commit = off").await?;
    loop {
        let next = work.slices.lock().unwrap_or_else(PoisonError::into_inner).pop_front();
        let Some(slice) = next else { return Ok(()) };
        if slice.from == 0 {
            work.progress.enter(slice.table, Phase::Copying);
        }
        let name = table_name(work.generator.tables()[slice.table].table)?;
        let counters = work.progress.entity(slice.table);
        let mut loader = Loader::open(&session, &sql::copy_into(&name, ["id", "xdo"])).await?;
        let mut from = slice.from;
        while from < slice.to {
            let to = slice.to.min(from + CHUNK_ROWS);
            let rows = documents(&work, slice.table, from..to).await?;
            let bytes = rows.len() as u64;
            counters.read(to - from, bytes);
            loader.send(rows).await?;
            counters.load(to - from, bytes);
            from = to;
        }
        loader.finish().await?;
        let rows = slice.to - slice.from;
        if work.pending[slice.table].fetch_sub(rows, Ordering::Relaxed) == rows {
            // What a V1 that has been in use shows: statistics, and no row that still needs a hint bit.
            work.progress.enter(slice.table, Phase::Publishing);
            session.batch(&format!("VACUUM (ANALYZE) {}", name.quoted())).await?;
            counters.publish(work.generator.tables()[slice.table].rows);
            work.progress.enter(slice.table, Phase::Done);
        }
    }
}

/// Generates rows on a thread that may be kept busy.
async fn documents(work: &Arc<Work>, table: usize, rows: Range<u64>) -> Result<RowBuffer> {
    let work = Arc::clone(work);
    let made = tokio::task::spawn_blocking(move || {
        let plan = &work.generator.tables()[table];
        let mut buffer = RowBuffer::default();
        let mut document = Vec::new();
        for index in rows {
            document.clear();
            let id = work.generator.document(plan, index, &mut document);
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

/// Lets the documents of a database of one's own be read as the server keeps them.
pub async fn lend_jsonb(database: &Database) -> Result<()> {
    database.connect("lend jsonb").await?.batch(raw::CREATE_CAST).await
}

/// Puts a V2 that is an exact image of V1 into the state that the field shows.
pub async fn damage_v2(database: &Database) -> Result<()> {
    database.connect("seed state").await?.batch(ddl::SEED_STATE).await
}
