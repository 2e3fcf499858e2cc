//! The floors: what the server alone needs, without any transform.
//!
//! ```text
//! reload,    readers: COPY (SELECT id, document …) TO a null sink, in ranges of ctid
//! backfill   writers: COPY target FROM the finished rows, which were saved before in files
//! refresh,   COPY (SELECT id, document …) TO and COPY target TO, both into a null sink, at the same time
//! no_change
//! ```
//! With as many connections as is fastest, and indexes kept or built at the end, whichever is: each way is
//! tried once before the samples. The documents leave in the form of the floor's read path. The finished
//! rows lie in files and are sent in pieces, so that this process stays small.

use std::collections::VecDeque;
use std::fs::File;
use std::io::{Read, Write};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use bytes::Bytes;
use tokio::task::JoinSet;

use super::contender::Scenario;
use super::image::{Image, Target};
use super::world::{World, block_condition, joined};
use crate::error::{Error, Result};
use crate::name::quote;
use crate::partition;
use crate::pg::{ByteLoader, ByteStream, Session, sql};
use crate::spec::model::SourceSpec;
use crate::summary::ReadPath;

/// Bytes of a file that are sent at once.
const PIECE_BYTES: usize = 256 << 10;

/// How a floor goes about it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Plan {
    /// Documents out, finished rows in.
    Move {
        /// Connections that read.
        readers: usize,
        /// Connections that write.
        writers: usize,
        /// Whether the indexes are dropped before, and built at the end.
        rebuilds: bool,
    },
    /// Documents and rows of the targets out.
    Scan {
        /// Whether the two connections share all that is to be read, instead of one side each.
        shared: bool,
    },
}

impl Plan {
    /// For people.
    pub fn name(self) -> String {
        let keys = |rebuilds| if rebuilds { "indexes built at the end" } else { "indexes kept" };
        match self {
            Self::Move { readers, writers, rebuilds } => {
                format!("{readers} out, {writers} in, {}", keys(rebuilds))
            }
            Self::Scan { shared: false } => "V1 on one connection, V2 on the other".to_owned(),
            Self::Scan { shared: true } => "two connections, each V1 and V2".to_owned(),
        }
    }

    /// The ways to try in a scenario.
    pub fn candidates(scenario: Scenario, cores: usize) -> Vec<Self> {
        let of = |readers, writers, rebuilds| Self::Move { readers, writers, rebuilds };
        match scenario {
            Scenario::Reload => {
                let mut ways = Vec::new();
                for rebuilds in [false, true] {
                    for (readers, writers) in [(1, 1), (1, cores), (cores, 1), (cores, cores)] {
                        ways.push(of(readers, writers, rebuilds));
                    }
                }
                ways.dedup();
                ways
            }
            // An index of a full table is not built anew for some rows.
            Scenario::Backfill => vec![of(1, 1, false), of(1, cores, false), of(cores, cores, false)],
            Scenario::Refresh | Scenario::NoChange => {
                vec![Self::Scan { shared: false }, Self::Scan { shared: true }]
            }
        }
    }
}

/// The finished rows of some targets in files.
#[derive(Clone, Debug, Default)]
pub struct Finished {
    files: Vec<Piece>,
}

#[derive(Clone, Debug)]
struct Piece {
    target: usize,
    path: PathBuf,
    bytes: u64,
}

impl Finished {
    /// Saves the finished rows of all targets as a scenario needs them, in as many files a target as cores.
    pub async fn save(world: &World, scenario: Scenario, folder: &Path) -> Result<Self> {
        let mut files = Vec::new();
        for target in &world.targets {
            let image = target.image(Image::Base);
            let blocks = world
                .session
                .count(
                    "SELECT pg_relation_size($1::text::regclass) / current_setting('block_size')::int",
                    &[&image],
                )
                .await?;
            let parts = match scenario {
                Scenario::Reload => {
                    let (cores, all) = (world.cores as u64, blocks.max(1));
                    (0..cores)
                        .map(|part| {
                            (all * part / cores, (part + 1 < cores).then(|| all * (part + 1) / cores))
                        })
                        .map(|(from, to)| partition::Partition::Blocks { from, to })
                        .filter_map(|part| block_condition(&part))
                        .collect()
                }
                Scenario::Backfill if target.key_is_id => {
                    vec![format!(
                        "{} IN (SELECT i.id FROM {} i)",
                        target.key("v."),
                        world.backfill_ids(target.entity)
                    )]
                }
                _ => continue,
            };
            for (number, condition) in parts.iter().enumerate() {
                let path = folder.join(format!("{}_{}_{number}.copy", scenario.name(), target.number));
                let query = format!(
                    "COPY (SELECT {} FROM {image} v WHERE {condition}) TO STDOUT (FORMAT binary)",
                    target.fed()
                );
                let bytes = save(&world.session, &query, &path).await?;
                files.push(Piece { target: target.number, path, bytes });
            }
        }
        // The largest first, so that no connection waits long for the last one.
        files.sort_by_key(|piece| std::cmp::Reverse(piece.bytes));
        Ok(Self { files })
    }
}

/// How many bytes are taken from the server at a time, as by a run.
const CHUNK_BYTES: usize = 256 << 10;

async fn save(session: &Session, query: &str, path: &Path) -> Result<u64> {
    let failed = |error: std::io::Error| Error::stop(format!("cannot write {}: {error}", path.display()));
    let mut file = File::create(path).map_err(failed)?;
    let mut stream = ByteStream::open(session, query, CHUNK_BYTES).await?;
    let mut bytes = 0;
    while let Some(piece) = stream.next().await? {
        file.write_all(&piece).map_err(failed)?;
        bytes += piece.len() as u64;
    }
    Ok(bytes)
}

/// A floor whose sessions are open.
pub struct Ready {
    /// Each set of sessions has a queue of its own.
    readers: Vec<(Vec<Session>, VecDeque<String>)>,
    writers: Vec<Session>,
    files: VecDeque<(String, PathBuf)>,
    drops: Vec<String>,
    builds: VecDeque<String>,
}

/// Opens the sessions of a floor over some entities.
pub async fn open(
    world: &World,
    entities: &[usize],
    scenario: Scenario,
    plan: Plan,
    read: ReadPath,
    finished: &Finished,
) -> Result<Ready> {
    let mut documents = VecDeque::new();
    for &index in entities {
        let entity = &world.entities[index];
        let ids = match scenario {
            Scenario::Backfill => Some(world.ids_of_backfill(index).await?),
            _ => None,
        };
        let partitions = match &ids {
            Some(ids) => partition::of_ids(ids),
            None => partition::plan(entity.blocks, entity.bytes, world.cores),
        };
        documents.extend(partitions.iter().map(|part| {
            let SourceSpec { id, document, .. } = &entity.spec.source;
            sql::copy_documents(&entity.source, id, document, part, read, false)
        }));
    }
    let mut targets = world.targets.iter().filter(|target| entities.contains(&target.entity));
    let mut ready = Ready {
        readers: Vec::new(),
        writers: Vec::new(),
        files: VecDeque::new(),
        drops: Vec::new(),
        builds: VecDeque::new(),
    };
    match plan {
        Plan::Move { readers, writers, rebuilds } => {
            ready.readers.push((sessions(world, readers).await?, documents));
            ready.writers = sessions(world, writers).await?;
            for piece in &finished.files {
                let target = &world.targets[piece.target];
                if entities.contains(&target.entity) {
                    let names = target.spec.columns.iter().map(|column| &column.name);
                    ready.files.push_back((sql::copy_into(&target.info.name, names), piece.path.clone()));
                }
            }
            if rebuilds {
                for target in targets.by_ref() {
                    let indexes = indexes(&world.session, target).await?;
                    ready.drops.extend(indexes.iter().map(|(drop, _)| drop.clone()));
                    ready.builds.extend(indexes.into_iter().map(|(_, build)| build));
                }
            }
        }
        Plan::Scan { shared: false } => {
            let rows = targets.map(|target| format!("COPY {} TO STDOUT (FORMAT binary)", target.table()));
            let rows = rows.collect();
            ready.readers.push((sessions(world, 1).await?, documents));
            ready.readers.push((sessions(world, 1).await?, rows));
        }
        Plan::Scan { shared: true } => {
            for target in targets {
                let blocks = world
                    .session
                    .count(
                        "SELECT pg_relation_size($1::text::regclass) / current_setting('block_size')::int",
                        &[&target.table()],
                    )
                    .await?;
                for part in partition::plan(blocks, 0, world.cores) {
                    let condition = block_condition(&part).map(|c| format!(" WHERE {c}")).unwrap_or_default();
                    documents.push_back(format!(
                        "COPY (SELECT * FROM {} v{condition}) TO STDOUT (FORMAT binary)",
                        target.table()
                    ));
                }
            }
            ready.readers.push((sessions(world, 2).await?, documents));
        }
    }
    Ok(ready)
}

async fn sessions(world: &World, count: usize) -> Result<Vec<Session>> {
    let mut opened = Vec::new();
    for _ in 0..count {
        let session = world.database.connect("bench: floor").await?;
        session.batch("SET max_parallel_workers_per_gather = 0").await?;
        opened.push(session);
    }
    Ok(opened)
}

/// For each index of a target the statements that drop it and build it again.
async fn indexes(session: &Session, target: &Target) -> Result<Vec<(String, String)>> {
    let table = target.table();
    let rows = session
        .query(
            "SELECT c.conname::text, pg_get_constraintdef(c.oid), i.indexrelid::regclass::text,
                    pg_get_indexdef(i.indexrelid)
             FROM pg_index i LEFT JOIN pg_constraint c ON c.conindid = i.indexrelid AND c.contype IN ('p', 'u')
             WHERE i.indrelid = $1::text::regclass",
            &[&table],
        )
        .await?;
    let statements = rows.iter().map(|row| match row.get::<_, Option<String>>(0) {
        Some(name) => (
            format!("ALTER TABLE {table} DROP CONSTRAINT {}", quote(&name)),
            format!("ALTER TABLE {table} ADD CONSTRAINT {} {}", quote(&name), row.get::<_, String>(1)),
        ),
        None => (format!("DROP INDEX {}", row.get::<_, String>(2)), row.get(3)),
    });
    Ok(statements.collect())
}

impl Ready {
    /// Moves the bytes.
    pub async fn run(self) -> Result<()> {
        if let Some(session) = self.writers.first() {
            for drop in &self.drops {
                session.batch(drop).await?;
            }
        }
        let mut reading = JoinSet::new();
        for (sessions, queue) in self.readers {
            let queue = Arc::new(Mutex::new(queue));
            for session in sessions {
                let queue = Arc::clone(&queue);
                reading.spawn(async move {
                    while let Some(query) = next(&queue) {
                        let mut stream = ByteStream::open(&session, &query, CHUNK_BYTES).await?;
                        while stream.next().await?.is_some() {}
                    }
                    Ok(())
                });
            }
        }
        let mut writing = JoinSet::new();
        let files = Arc::new(Mutex::new(self.files));
        for session in self.writers {
            let files = Arc::clone(&files);
            writing.spawn(async move {
                while let Some((copy, path)) = next(&files) {
                    send(&session, &copy, &path).await?;
                }
                Ok(session)
            });
        }
        let mut writers = Vec::new();
        while let Some(ended) = writing.join_next().await {
            writers.push(joined(ended)?);
        }
        let builds = Arc::new(Mutex::new(self.builds));
        let mut building = JoinSet::new();
        for session in writers {
            let builds = Arc::clone(&builds);
            building.spawn(async move {
                while let Some(build) = next(&builds) {
                    session.batch(&build).await?;
                }
                Ok(())
            });
        }
        while let Some(ended) = building.join_next().await {
            joined(ended)?;
        }
        while let Some(ended) = reading.join_next().await {
            joined(ended)?;
        }
        Ok(())
    }
}

fn next<T>(queue: &Mutex<VecDeque<T>>) -> Option<T> {
    queue.lock().unwrap_or_else(PoisonError::into_inner).pop_front()
}

/// Sends a file, piece by piece. It was written a moment ago: the system has it in memory, and reading it
/// keeps this thread no longer than a copy does.
async fn send(session: &Session, copy: &str, path: &Path) -> Result<()> {
    let failed = |error: std::io::Error| Error::stop(format!("cannot read {}: {error}", path.display()));
    let mut file = File::open(path).map_err(failed)?;
    let mut loader = ByteLoader::open(session, copy).await?;
    loop {
        let mut piece = vec![0; PIECE_BYTES];
        let bytes = file.read(&mut piece).map_err(failed)?;
        if bytes == 0 {
            break;
        }
        piece.truncate(bytes);
        loader.send(Bytes::from(piece)).await?;
    }
    loader.finish().await?;
    Ok(())
}
