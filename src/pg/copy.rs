//! COPY streams: batches or bytes out of a table, row buffers or bytes into one.
//!
//! Three traps of the protocol shape this file. The server reports an error in COPY IN late, often
//! only at the end: so a load is only good when [`Loader::finish`] returned, and then its row count is
//! compared with the rows sent. A sink that is dropped instead of finished fails the COPY on the
//! server, while a later COMMIT on that session would still answer OK: so nothing but `finish` ends a
//! load. And a COPY OUT bears no row count: the rows are counted here, and the trailer must be seen.

use std::pin::Pin;

use bytes::Bytes;
use futures::channel::mpsc::Receiver;
use futures::{SinkExt, StreamExt};
use tokio_postgres::{CopyInSink, CopyOutStream};

use super::connect::server_error;
use super::session::Session;
use super::watch::Patience;
use crate::error::{Error, Result};
use crate::pgcopy::{Batch, Form, Framer, Malformed, RowBuffer, encode};

/// A `COPY … TO STDOUT` in any form, in chunks that are cut anywhere.
pub struct ByteStream {
    chunks: Receiver<Vec<u8>>,
    /// Knows how the COPY has ended.
    stream: Pin<Box<CopyOutStream>>,
    patience: Patience,
}

impl ByteStream {
    /// Starts the COPY. A chunk has about so many bytes; the last one has what is left.
    pub async fn open(session: &Session, sql: &str, chunk_bytes: usize) -> Result<Self> {
        let (announcement, chunks) = session.taps().announce(chunk_bytes).await?;
        let opened = session.watch().over(session.client().copy_out(sql)).await;
        announcement.settle(opened.is_ok());
        Ok(Self { chunks, stream: Box::pin(opened?), patience: Patience::new(session.watch()) })
    }

    /// The next bytes; `None` at the end.
    pub async fn next(&mut self) -> Result<Option<Vec<u8>>> {
        if let Some(chunk) = self.patience.over(self.chunks.next()).await? {
            return Ok(Some(chunk));
        }
        let rest = self.patience.over(self.stream.next()).await?.transpose().map_err(server_error)?;
        Ok(rest.map(|bytes| bytes.to_vec()))
    }
}

/// A `COPY … TO STDOUT (FORMAT binary)`, cut into batches of whole tuples.
pub struct BatchStream {
    bytes: ByteStream,
    framer: Option<Framer>,
    batch_bytes: usize,
}

impl BatchStream {
    /// Starts the COPY. `columns` is the number of columns of its query; a batch is handed out as
    /// soon as it holds `batch_bytes`, so it is larger by at most one tuple.
    pub async fn open(session: &Session, sql: &str, columns: usize, batch_bytes: usize) -> Result<Self> {
        let bytes = ByteStream::open(session, sql, batch_bytes).await?;
        Ok(Self { bytes, framer: Some(Framer::new(columns)), batch_bytes })
    }

    /// The same stream, its batches marked: their documents come in that form.
    #[must_use]
    pub fn in_form(self, form: Form) -> Self {
        Self { framer: self.framer.map(|framer| framer.in_form(form)), ..self }
    }

    /// The next batch; `None` after the trailer.
    pub async fn next(&mut self) -> Result<Option<Batch>> {
        loop {
            let Some(framer) = self.framer.as_mut() else { return Ok(None) };
            match self.bytes.next().await? {
                Some(chunk) => framer.push_owned(chunk).map_err(malformed)?,
                None => {
                    let last = self.framer.take().map(Framer::finish).transpose().map_err(malformed)?;
                    return Ok(last.flatten());
                }
            }
            if framer.complete_bytes() >= self.batch_bytes {
                return Ok(framer.take());
            }
        }
    }
}

fn malformed(cause: Malformed) -> Error {
    Error::stop("the source sent a malformed COPY stream")
        .detail(cause.to_string())
        .hint("the connection may run through a proxy that changes data; connect to the server itself")
}

/// A `COPY … FROM STDIN (FORMAT binary)` that takes row buffers.
pub struct Loader {
    sink: Pin<Box<CopyInSink<Bytes>>>,
    patience: Patience,
    rows: u64,
}

impl Loader {
    /// Starts the COPY and sends the header.
    pub async fn open(session: &Session, sql: &str) -> Result<Self> {
        let sink = session.watch().over(session.client().copy_in(sql)).await?;
        let mut sink = Box::pin(sink);
        let mut patience = Patience::new(session.watch());
        patience.over(sink.feed(Bytes::from(encode::header()))).await?.map_err(server_error)?;
        Ok(Self { sink, patience, rows: 0 })
    }

    /// Sends rows. An `Ok` says that they were handed to the connection, not that the server took
    /// them.
    pub async fn send(&mut self, rows: RowBuffer) -> Result<()> {
        if rows.is_empty() {
            return Ok(());
        }
        self.rows += rows.rows();
        self.patience.over(self.sink.send(Bytes::from(rows.into_bytes()))).await?.map_err(server_error)
    }

    /// Sends the trailer and waits for the server's word. Returns the rows that it stored.
    pub async fn finish(mut self) -> Result<u64> {
        let trailer = self.sink.send(Bytes::from_static(&encode::TRAILER));
        self.patience.over(trailer).await?.map_err(server_error)?;
        let stored = self.patience.over(self.sink.as_mut().finish()).await?.map_err(server_error)?;
        if stored != self.rows {
            return Err(Error::stop("the target stored another number of rows than were sent")
                .detail(format!("sent {}, stored {stored}", self.rows))
                .hint("look for a trigger or a rule on the staging schema xdoflow; nothing was published"));
        }
        Ok(stored)
    }
}

/// A `COPY … FROM STDIN` that takes bytes as they are, header and trailer among them.
pub struct ByteLoader {
    sink: Pin<Box<CopyInSink<Bytes>>>,
    patience: Patience,
}

impl ByteLoader {
    /// Starts the COPY.
    pub async fn open(session: &Session, sql: &str) -> Result<Self> {
        let sink = session.watch().over(session.client().copy_in(sql)).await?;
        Ok(Self { sink: Box::pin(sink), patience: Patience::new(session.watch()) })
    }

    /// Sends bytes; as for [`Loader::send`], an `Ok` says little.
    pub async fn send(&mut self, bytes: Bytes) -> Result<()> {
        self.patience.over(self.sink.send(bytes)).await?.map_err(server_error)
    }

    /// Waits for the server's word. Returns the rows that it stored.
    pub async fn finish(mut self) -> Result<u64> {
        self.patience.over(self.sink.as_mut().finish()).await?.map_err(server_error)
    }
}
