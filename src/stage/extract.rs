//! Reading V1: one exported snapshot for a whole run, and partitions of each table under it.
//!
//! The exporter opens a read-only REPEATABLE READ transaction and keeps it open until the run has read
//! everything; each reader imports its snapshot as its very first statement. So all readers, and all
//! entities of a run, see one instant of V1, whatever is written to it meanwhile.

use std::sync::OnceLock;

use crate::error::{Error, Result};
use crate::partition::{self, IdRange, Partition};
use crate::pg::sql::Sample;
use crate::pg::{BatchStream, Database, LockMode, RawAccess, Session, TableInfo, raw, sql};
use crate::pgcopy::Form;
use crate::pgcopy::ondisk::ByteOrder;
use crate::spec::model::SourceSpec;
use crate::summary::{ReadChoice, ReadPath};
use crate::transform::Program;

/// How many bytes a batch holds: enough that a message to another thread costs nothing beside it, and
/// little enough that a dozen in flight do not show in the memory of the process.
pub const BATCH_BYTES: usize = 96 << 10;

/// Of so many blocks of a table, all over it, …
const DOCUMENT_BLOCKS: u64 = 64;
/// … so many rows are read in both forms: a few hundred documents, some milliseconds.
const DOCUMENTS_PER_BLOCK: u16 = 6;
/// Rows of a sample that is not chosen by its places.
const FIRST_DOCUMENTS: u64 = 300;
/// How many blocks are looked at to learn where the ids of a table lie: some milliseconds.
const SAMPLE_BLOCKS: f64 = 300.0;

/// The transaction that exports the snapshot of a run.
pub struct SourceSnapshot {
    exporter: Session,
    id: String,
}

/// The source table of an entity, as the server describes it.
#[derive(Debug)]
pub struct SourceTable {
    info: TableInfo,
    id: String,
    document: String,
    /// Decided once the snapshot is there.
    reading: OnceLock<Reading>,
    /// Whether the server itself promises that no id stands twice.
    pub unique_id: bool,
}

/// How the documents of a table are read.
#[derive(Clone, Debug)]
pub struct Reading {
    /// In which form.
    pub path: ReadPath,
    /// Why, in words.
    pub reason: String,
    form: Form,
}

impl Reading {
    fn text(reason: impl Into<String>) -> Self {
        Self { path: ReadPath::Text, reason: reason.into(), form: Form::Text }
    }

    fn raw(order: ByteOrder, reason: impl Into<String>) -> Self {
        Self { path: ReadPath::Raw, reason: reason.into(), form: Form::OnDisk(order) }
    }
}

impl SourceSnapshot {
    /// Opens the exporting transaction. `tables` are locked before the snapshot is taken, against TRUNCATE and
    /// whatever else replaces a table: those do not care for snapshots, and readers that come later would see
    /// an empty table.
    pub async fn export(source: &Database, tables: &[&SourceTable]) -> Result<Self> {
        let exporter = source.connect_anew("snapshot").await?;
        exporter.batch("BEGIN ISOLATION LEVEL REPEATABLE READ, READ ONLY").await?;
        let lockable: Vec<_> = tables.iter().filter(|table| table.info.is_lockable).collect();
        if !lockable.is_empty() {
            let names = lockable.iter().map(|table| &table.info.name);
            exporter
                .lock_tables(names, LockMode::Alterers)
                .await
                .map_err(|error| error.context("locking the source against those who would alter it"))?;
        }
        let now = TableInfo::read_all(&exporter, tables.iter().map(|table| &table.info.name)).await?;
        for (table, now) in tables.iter().zip(&now) {
            if let Some(change) = table.info.changed(now.as_ref()) {
                return Err(Error::stop(format!(
                    "the source table {} was altered while the run began",
                    table.info.name
                ))
                .detail(change)
                .hint("run again"));
            }
        }
        let id = exporter.query_one("SELECT pg_export_snapshot()", &[]).await?.get(0);
        Ok(Self { exporter, id })
    }

    /// The session that holds it, for short queries.
    pub fn session(&self) -> &Session {
        &self.exporter
    }

    /// Whether it still stands.
    ///
    /// # Errors
    /// It does not: what was read under it cannot be completed.
    pub async fn check(&self) -> Result<()> {
        self.exporter.check().await.map_err(|error| {
            error.stopping().context("the session that holds the snapshot of the run").hint("run again")
        })
    }

    /// What it sees, as text: a `pg_snapshot`.
    pub async fn visible(&self) -> Result<String> {
        Ok(self.exporter.query_one("SELECT pg_current_snapshot()::text", &[]).await?.get(0))
    }

    /// Decides in which form the documents of a table are read.
    ///
    /// # Errors
    /// Where the form that was asked for is not to be had.
    pub async fn decide(&self, table: &SourceTable, program: &Program, choice: ReadChoice) -> Result<()> {
        let reading = match choice {
            ReadChoice::Text => Reading::text("--read text was asked for"),
            ReadChoice::Auto | ReadChoice::Raw => {
                let access = RawAccess::ask(&self.exporter).await?;
                let reading = self.weigh(table, program, &access).await?;
                if choice == ReadChoice::Raw && reading.path == ReadPath::Text {
                    return Err(refusal(table, &access, reading.reason));
                }
                reading
            }
        };
        // A table is decided on once.
        let _ = table.reading.set(reading);
        Ok(())
    }

    /// The form on disk where the server lends it out and a sample reads the same both ways, else text.
    async fn weigh(&self, table: &SourceTable, program: &Program, access: &RawAccess) -> Result<Reading> {
        let &RawAccess::Yes(order) = access else {
            return Ok(Reading::text(access.refusal().unwrap_or_default()));
        };
        let mut documents = 0;
        // Where rows were deleted, the places may be empty.
        for rows in [table.sample(), Sample::First(FIRST_DOCUMENTS)] {
            let sql = sql::copy_sample(&table.info.name, &table.id, &table.document, &rows);
            let mut sample = BatchStream::open(&self.exporter, &sql, 3, BATCH_BYTES).await?;
            let mut unlike = None;
            while let Some(batch) = sample.next().await? {
                documents += batch.len();
                unlike = unlike.or_else(|| program.unlike(&batch, order).next());
            }
            if let Some(id) = unlike {
                let reason = format!("the document of the row with id {id} does not read the same both ways");
                return Ok(Reading::text(reason));
            }
            if documents > 0 {
                break;
            }
        }
        let reason = match documents {
            1 => "the cast is there, and a sample of one document reads the same both ways".to_owned(),
            _ => format!("the cast is there, and a sample of {documents} documents reads the same both ways"),
        };
        Ok(Reading::raw(order, reason))
    }

    /// Opens a reader that sees the same instant.
    pub async fn reader(&self, source: &Database, purpose: &str) -> Result<Session> {
        let session = source.connect(purpose).await?;
        // A snapshot's id is made of hexadecimal digits and dashes; it cannot be a parameter here.
        let import = format!(
            "BEGIN ISOLATION LEVEL REPEATABLE READ, READ ONLY; SET TRANSACTION SNAPSHOT '{}'; \
             SET LOCAL max_parallel_workers_per_gather = 0",
            self.id
        );
        if let Err(error) = session.batch(&import).await {
            // Without its exporter there is no such snapshot.
            self.check().await?;
            return Err(error.context("importing the snapshot of the run").hint(
                "a pooler in transaction mode or a load balancer between here and the server breaks \
                 snapshots; connect to the server itself",
            ));
        }
        Ok(session)
    }
}

/// What is told where nothing but the form on disk would do.
fn refusal(table: &SourceTable, access: &RawAccess, reason: String) -> Error {
    let hint = match access {
        RawAccess::NoCast => {
            format!("a superuser of V1's database may run: {}; or leave out --read raw", raw::CREATE_CAST)
        }
        RawAccess::Yes(_) | RawAccess::No(_) => "leave out --read raw".to_owned(),
    };
    Error::stop(format!("the documents of {} cannot be read as they are kept", table.info.name))
        .detail(reason)
        .hint(hint)
}

impl SourceTable {
    /// Describes the source of an entity; checks that it has the two columns of a V1 table.
    pub async fn read(session: &Session, spec: &SourceSpec) -> Result<Self> {
        Self::of(TableInfo::read(session, &spec.table).await?, spec)
    }

    /// The same of what the server has said of the table.
    pub fn of(info: Option<TableInfo>, spec: &SourceSpec) -> Result<Self> {
        let info = info.ok_or_else(|| {
            Error::stop(format!("the source has no table {}", spec.table))
                .detail("it is not there, or the role may not see its schema")
                .hint("check --source and the search path, or name the table with its schema in the pipeline")
        })?;
        if info.hides_rows {
            return Err(Error::stop(format!("row-level security hides rows of {} from the role", spec.table))
                .detail("rows that cannot be seen would look like rows that V1 no longer has")
                .hint("let a superuser say ALTER ROLE … BYPASSRLS, or let the pipeline read a view of the rows that are meant"));
        }
        for (column, types) in
            [(&spec.id, &["bigint", "integer", "smallint"][..]), (&spec.document, &["jsonb"][..])]
        {
            match info.column(column).map(|found| found.type_name.as_str()) {
                None => {
                    return Err(Error::stop(format!(
                        "the source table {} has no column {column}",
                        spec.table
                    ))
                    .hint("name its columns in the pipeline: source = { table = …, id = …, document = … }"));
                }
                Some(found) if !types.contains(&found) => {
                    return Err(Error::stop(format!("{}.{column} has the type {found}", spec.table))
                        .detail(format!("a source needs {} there", types.join(" or ")))
                        .hint("let the pipeline read a view that casts the column"));
                }
                Some(_) => {}
            }
        }
        let unique_id = info.is_unique(std::slice::from_ref(&spec.id));
        let (id, document) = (spec.id.clone(), spec.document.clone());
        Ok(Self { info, id, document, reading: OnceLock::new(), unique_id })
    }

    /// What the server says of the table.
    pub fn info(&self) -> &TableInfo {
        &self.info
    }

    /// The column of its ids.
    pub fn id(&self) -> &str {
        &self.id
    }

    /// The column of its documents.
    pub fn document(&self) -> &str {
        &self.document
    }

    /// Its rows, or those with some ids, as a session sees them.
    pub async fn count(&self, session: &Session, ids: Option<&[i64]>) -> Result<u64> {
        let partitions = ids.map_or_else(|| vec![Partition::Whole], partition::of_ids);
        let mut rows = 0;
        for partition in &partitions {
            rows += session.count(&sql::count_partition(&self.info.name, &self.id, partition), &[]).await?;
        }
        Ok(rows)
    }

    /// Its partitions for a number of readers; of the rows with some ids alone, where there are any.
    pub fn partitions(&self, readers: usize, ids: Option<&[i64]>) -> Vec<Partition> {
        match ids {
            Some(ids) => partition::of_ids(ids),
            None if self.info.has_ctid => partition::plan(self.info.blocks, self.info.bytes, readers),
            None => vec![Partition::Whole],
        }
    }

    /// How its documents are read: as text, where nothing else was decided.
    pub fn reading(&self) -> Reading {
        self.reading.get().cloned().unwrap_or_else(|| Reading::text("nothing else was asked for"))
    }

    /// Whether an index gives its rows in the order of their ids, each id once.
    pub fn is_ordered(&self) -> bool {
        self.info.is_plain && self.unique_id
    }

    /// Ranges of ids for a number of readers, at most `most` of them, which hold every integer together.
    pub async fn ranges(&self, snapshot: &SourceSnapshot, readers: usize, most: u64) -> Result<Vec<IdRange>> {
        let percent = (SAMPLE_BLOCKS * 100.0 / self.info.blocks.max(1) as f64).min(100.0);
        let rows = snapshot.exporter.query(&sql::sample_ids(&self.info.name, &self.id, percent), &[]).await?;
        let mut sample: Vec<i64> = rows.iter().map(|row| row.get(0)).collect();
        sample.sort_unstable();
        Ok(partition::ranges(&sample, self.info.blocks, self.info.bytes, readers, most))
    }

    /// Starts reading a partition: tuples of id and document, and, where `places` are asked for, of the `xmin` and
    /// `ctid` of the row.
    pub async fn open(&self, reader: &Session, partition: &Partition, places: bool) -> Result<BatchStream> {
        let Reading { path, form, .. } = self.reading();
        let sql = sql::copy_documents(&self.info.name, &self.id, &self.document, partition, path, places);
        let columns = if places { 4 } else { 2 };
        Ok(BatchStream::open(reader, &sql, columns, BATCH_BYTES).await?.in_form(form))
    }

    /// Rows that stand for all, by their places where it has such.
    fn sample(&self) -> Sample {
        if !self.info.has_ctid {
            return Sample::First(FIRST_DOCUMENTS);
        }
        let blocks = DOCUMENT_BLOCKS.min(self.info.blocks);
        let spread = (0..blocks).map(|number| number * self.info.blocks / blocks).collect();
        Sample::Places(spread, DOCUMENTS_PER_BLOCK)
    }
}
