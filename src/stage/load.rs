//! Loading: rows of several tables over one connection.
//!
//! A connection carries one COPY at a time. So the rows of the table whose COPY is open go out at once,
//! those of the others wait in memory, and when [`PENDING_BYTES`] have gathered, the table with the most
//! has its turn. A pipeline of one target never changes over; one of five does so once for each half of a mebibyte,
//! which costs a round trip. A connection for each table and lane instead would cost a hundred of them at
//! eight lanes, and gains nothing: the lanes keep the server's cores busy.
//!
//! A lane has an [`Outlet`]: a writer of its own, or its turn at the one writer that all lanes of an entity
//! share where rows go into the targets themselves, in one transaction. There the pieces come one behind the
//! other, in the order in which they were begun, so that the keys of a table that is read in its order ascend.
//! Of two pieces at once, one would go into the middle of each index: for 702,072 participants (PostgreSQL 15)
//! an index of 23 MB instead of 15, and COPY of their finished rows alone takes 1.3 times the CPU.
//!
//! The server reports an error only at the end of a COPY: rows count as loaded when [`Writer::flush`] has
//! returned.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

use tokio::sync::{Mutex, watch};

use crate::error::{Error, Result};
use crate::measured::Clock;
use crate::pg::{Loader, Session};
use crate::pgcopy::RowBuffer;

/// How many bytes wait, over all tables, before another table has its turn.
const PENDING_BYTES: usize = 512 << 10;

/// How many bytes of a piece wait for its turn, before its lane waits, too: nearly half of what a piece makes of
/// participants, so that of two lanes one fills up while the other sends its second half, and neither waits long.
const WAITING_BYTES: usize = 2 << 20;

/// Loads rows into several tables.
pub struct Writer {
    session: Session,
    tables: Vec<Pending>,
    /// The table whose COPY is open.
    open: Option<(usize, Loader)>,
    pending_bytes: usize,
}

/// A table that is loaded.
pub struct Table {
    /// Its `COPY … FROM STDIN`.
    pub copy: String,
    /// Raised while its rows are sent, and while the server takes the last of them.
    pub clock: Arc<Clock>,
}

/// A table, and the rows that wait for it.
struct Pending {
    table: Table,
    rows: RowBuffer,
}

impl Writer {
    /// Takes a session, in a transaction or not, and the tables.
    pub fn new(session: Session, tables: Vec<Table>) -> Self {
        let tables = tables.into_iter().map(|table| Pending { table, rows: RowBuffer::default() }).collect();
        Self { session, tables, open: None, pending_bytes: 0 }
    }

    /// Loads rows into the table of an index. An `Ok` does not say that the server has taken them.
    pub async fn send(&mut self, table: usize, rows: RowBuffer) -> Result<()> {
        if rows.is_empty() {
            return Ok(());
        }
        if let Some((open, loader)) = &mut self.open
            && *open == table
        {
            return self.tables[table].table.clock.time(loader.send(rows)).await;
        }
        self.pending_bytes += rows.len();
        self.tables[table].rows.append(rows);
        if self.open.is_none() || self.pending_bytes > PENDING_BYTES {
            self.change_over().await
        } else {
            Ok(())
        }
    }

    /// Ends the open COPY, and begins that of the table for which most waits.
    async fn change_over(&mut self) -> Result<()> {
        self.close().await?;
        let most = (0..self.tables.len()).max_by_key(|&table| self.tables[table].rows.len());
        let Some(table) = most.filter(|&table| !self.tables[table].rows.is_empty()) else { return Ok(()) };
        let rows = std::mem::take(&mut self.tables[table].rows);
        self.pending_bytes -= rows.len();
        let Table { copy, clock } = &self.tables[table].table;
        let mut loader = Loader::open(&self.session, copy).await?;
        clock.time(loader.send(rows)).await?;
        self.open = Some((table, loader));
        Ok(())
    }

    async fn close(&mut self) -> Result<()> {
        match self.open.take() {
            Some((table, loader)) => self.tables[table].table.clock.time(loader.finish()).await.map(|_| ()),
            None => Ok(()),
        }
    }

    /// Loads what waits: now the server has taken all rows, and as many as were sent. The session is free
    /// for other statements until the next rows come.
    pub async fn flush(&mut self) -> Result<()> {
        while self.pending_bytes > 0 {
            self.change_over().await?;
        }
        self.close().await
    }

    /// Opens a transaction.
    pub async fn begin(&mut self) -> Result<()> {
        self.session.batch("BEGIN").await
    }

    /// Loads what waits, and ends the transaction by statements of which the last is COMMIT.
    pub async fn commit(&mut self, sql: &str) -> Result<()> {
        self.flush().await?;
        self.session.batch(sql).await
    }

    /// The session, for questions about it.
    pub fn session(&self) -> &Session {
        &self.session
    }

    /// The session, after a [`flush`](Self::flush).
    pub fn into_session(self) -> Session {
        self.session
    }
}

/// A [`Writer`] that several lanes share, each of them for a piece at a time.
pub struct SharedWriter {
    writer: Mutex<Option<Writer>>,
    /// Pieces that have a number.
    begun: AtomicU64,
    /// The number of the piece whose turn it is.
    turn: watch::Sender<u64>,
}

/// A lane before a shared writer.
pub struct Turn {
    shared: Arc<SharedWriter>,
    /// The number of its piece; `None` between two.
    number: Option<u64>,
    /// Rows that wait for the turn, with their tables.
    waiting: Vec<(usize, RowBuffer)>,
    waiting_bytes: usize,
}

/// Where the rows of a lane go.
pub enum Outlet {
    /// A writer of its own.
    Own(Box<Writer>),
    /// Its turn at one that all lanes share.
    Shared(Turn),
}

impl SharedWriter {
    /// Shares a writer.
    pub fn new(writer: Writer) -> Arc<Self> {
        let (begun, turn) = (AtomicU64::new(0), watch::Sender::new(0));
        Arc::new(Self { writer: Mutex::new(Some(writer)), begun, turn })
    }

    /// An outlet for one lane.
    pub fn outlet(self: &Arc<Self>) -> Outlet {
        Outlet::Shared(Turn { shared: Arc::clone(self), number: None, waiting: Vec::new(), waiting_bytes: 0 })
    }

    /// Ends it, after the last piece: loads what waits, and returns the session. `None` where it was ended
    /// before.
    pub async fn end(&self) -> Result<Option<Session>> {
        match self.writer.lock().await.take() {
            Some(mut writer) => {
                writer.flush().await?;
                Ok(Some(writer.into_session()))
            }
            None => Ok(None),
        }
    }

    async fn send(&self, rows: impl Iterator<Item = (usize, RowBuffer)>) -> Result<()> {
        let mut writer = self.writer.lock().await;
        let writer =
            writer.as_mut().ok_or_else(|| Error::stop("rows came after the last ones were loaded"))?;
        for (table, rows) in rows {
            writer.send(table, rows).await?;
        }
        Ok(())
    }
}

impl Turn {
    /// Waits for the turn, and sends what waited for it.
    async fn take(&mut self) -> Result<()> {
        // The sender lives as long as the shared writer.
        let _ = self.shared.turn.subscribe().wait_for(|turn| Some(*turn) >= self.number).await;
        self.waiting_bytes = 0;
        // A writer loads one table at a time.
        self.waiting.sort_by_key(|(table, _)| *table);
        self.shared.send(self.waiting.drain(..)).await
    }

    async fn send(&mut self, table: usize, mut rows: RowBuffer) -> Result<()> {
        self.waiting_bytes += rows.len();
        rows.shrink();
        self.waiting.push((table, rows));
        let is_now = Some(*self.shared.turn.borrow()) >= self.number;
        if is_now || self.waiting_bytes > WAITING_BYTES { self.take().await } else { Ok(()) }
    }

    async fn pass(&mut self) -> Result<()> {
        self.take().await?;
        if let Some(number) = self.number.take() {
            self.shared.turn.send_replace(number + 1);
        }
        Ok(())
    }
}

impl Outlet {
    /// Begins a piece: opens a transaction, or takes the next number. A piece that has begun and does not
    /// [`flush`](Self::flush) lets nobody behind it have a turn: the run has to end.
    pub async fn begin(&mut self) -> Result<()> {
        match self {
            Self::Own(writer) => writer.begin().await,
            Self::Shared(turn) => {
                turn.number = Some(turn.shared.begun.fetch_add(1, Relaxed));
                Ok(())
            }
        }
    }

    /// Loads rows into the table of an index, or keeps them until it is their turn. Returns their bytes. An
    /// `Ok` does not say that the server has taken them.
    pub async fn send(&mut self, table: usize, rows: RowBuffer) -> Result<u64> {
        let bytes = rows.len() as u64;
        match self {
            _ if bytes == 0 => {}
            Self::Own(writer) => writer.send(table, rows).await?,
            Self::Shared(turn) => turn.send(table, rows).await?,
        }
        Ok(bytes)
    }

    /// Ends a piece: its own writer has loaded all of it; the shared one has it, and the next piece has its
    /// turn.
    pub async fn flush(&mut self) -> Result<()> {
        match self {
            Self::Own(writer) => writer.flush().await,
            Self::Shared(turn) => turn.pass().await,
        }
    }

    /// Loads what waits, and ends the transaction of a writer of its own by statements of which the last is
    /// COMMIT. What is shared is committed as a whole.
    pub async fn commit(&mut self, sql: &str) -> Result<()> {
        match self {
            Self::Own(writer) => writer.commit(sql).await,
            Self::Shared(_) => Ok(()),
        }
    }

    /// The writer that is its own.
    pub fn own(self) -> Option<Writer> {
        match self {
            Self::Own(writer) => Some(*writer),
            Self::Shared(_) => None,
        }
    }

    /// The session of the writer that is its own.
    pub fn session(&self) -> Option<&Session> {
        match self {
            Self::Own(writer) => Some(writer.session()),
            Self::Shared(_) => None,
        }
    }
}
