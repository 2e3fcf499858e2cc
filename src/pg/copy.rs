//! COPY streams: batches or bytes out of a table, row buffers or bytes into one.
//!
//! Three traps of the protocol shape this file. The server reports an error in COPY IN late, often
//! only at the end: so a load is only good when [`Loader::finish`] returned, and then its row count is
//! compared with the rows sent. A sink that is dropped instead of finished fails the COPY on the
//! server, while a later COMMIT on that session would still answer OK: so nothing but `finish` ends a
//! load. And a COPY OUT bears no row count: the rows are counted here, and the trailer must be seen.

use std::pin::Pin;

use bytes::Bytes;
use futures::{SinkExt, StreamExt};
use tokio_postgres::{CopyInSink, CopyOutStream};

use super::connect::server_error;
use super::session::Session;
use crate::error::{Error, Result};
use crate::pgcopy::{Batch, Form, Framer, Malformed, RowBuffer, encode};

/// A `COPY … TO STDOUT (FORMAT binary)`, cut into batches of whole tuples.
pub struct BatchStream {
    stream: Pin<Box<CopyOutStream>>,
    framer: Option<Framer>,
    batch_bytes: usize,
}

impl BatchStream {
    /// Starts the COPY. `columns` is the number of columns of its query; a batch is handed out as
    /// soon as it holds `batch_bytes`, so it is larger by at most one tuple.
    pub async fn open(session: &Session, sql: &str, columns: usize, batch_bytes: usize) -> Result<Self> {
        let stream = session.client().copy_out(sql).await.map_err(server_error)?;
        Ok(Self { stream: Box::pin(stream), framer: Some(Framer::new(columns)), batch_bytes })
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
            match self.stream.next().await {
                Some(Ok(chunk)) => framer.push(&chunk).map_err(malformed)?,
                Some(Err(error)) => return Err(server_error(error)),
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

/// A `COPY … TO STDOUT` in any form, as it comes.
pub struct ByteStream {
    stream: Pin<Box<CopyOutStream>>,
}

impl ByteStream {
    /// Starts the COPY.
    pub async fn open(session: &Session, sql: &str) -> Result<Self> {
        Ok(Self { stream: Box::pin(session.client().copy_out(sql).await.map_err(server_error)?) })
    }

    /// The next bytes; `None` at the end.
    pub async fn next(&mut self) -> Result<Option<Bytes>> {
        self.stream.next().await.transpose().map_err(server_error)
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
    rows: u64,
}

impl Loader {
    /// Starts the COPY and sends the header.
    pub async fn open(session: &Session, sql: &str) -> Result<Self> {
        let sink = session.client().copy_in(sql).await.map_err(server_error)?;
        let mut sink = Box::pin(sink);
        sink.feed(Bytes::from(encode::header())).await.map_err(server_error)?;
        Ok(Self { sink, rows: 0 })
    }

    /// Sends rows. An `Ok` says that they were handed to the connection, not that the server took
    /// them.
    pub async fn send(&mut self, rows: RowBuffer) -> Result<()> {
        if rows.is_empty() {
            return Ok(());
        }
        self.rows += rows.rows();
        self.sink.send(Bytes::from(rows.into_bytes())).await.map_err(server_error)
    }

    /// Sends the trailer and waits for the server's word. Returns the rows that it stored.
    pub async fn finish(mut self) -> Result<u64> {
        self.sink.send(Bytes::from_static(&encode::TRAILER)).await.map_err(server_error)?;
        let stored = self.sink.as_mut().finish().await.map_err(server_error)?;
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
}

impl ByteLoader {
    /// Starts the COPY.
    pub async fn open(session: &Session, sql: &str) -> Result<Self> {
        Ok(Self { sink: Box::pin(session.client().copy_in(sql).await.map_err(server_error)?) })
    }

    /// Sends bytes; as for [`Loader::send`], an `Ok` says little.
    pub async fn send(&mut self, bytes: Bytes) -> Result<()> {
        self.sink.send(bytes).await.map_err(server_error)
    }

    /// Waits for the server's word. Returns the rows that it stored.
    pub async fn finish(mut self) -> Result<u64> {
        self.sink.as_mut().finish().await.map_err(server_error)
    }
}
