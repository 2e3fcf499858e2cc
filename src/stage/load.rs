//! Loading: rows of several tables over one connection.
//!
//! A connection carries one COPY at a time. So the rows of the table whose COPY is open go out at once,
//! those of the others wait in memory, and when [`PENDING_BYTES`] have gathered, the table with the most
//! has its turn. A pipeline of one target never changes over; one of five does so once for each half of a mebibyte,
//! which costs a round trip. A connection for each table and lane instead would cost a hundred of them at
//! eight lanes, and gains nothing: the lanes keep the server's cores busy.
//!
//! The server reports an error only at the end of a COPY: rows count as loaded when [`Writer::flush`] has
//! returned.

use std::sync::Arc;

use crate::error::Result;
use crate::measured::Clock;
use crate::pg::{Loader, Session};
use crate::pgcopy::RowBuffer;

/// How many bytes wait, over all tables, before another table has its turn.
const PENDING_BYTES: usize = 512 << 10;

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
