//! A tap on a connection: the rows of a `COPY … TO STDOUT` leave here, before the client library sees them.
//!
//! The server sends a message for each row. The library reads eight kibibytes at a time, makes a piece of its
//! buffer of each message, and sends each lot of them from its task to ours: for 702,072 documents that is
//! 106,000 calls of the system and as many messages between tasks. Here the socket is read 64 KiB at a time, and the
//! payloads of many messages leave as one chunk. A reload of the 702,072 participants takes 0.89 of the time and 0.65
//! of the client's CPU with it as text, and 0.78 of the CPU as stored (two cores, PostgreSQL 15, medians of four runs
//! that took turns). To let rows gather for a millisecond before each read gains nothing.
//!
//! ```text
//! socket ─► (TLS) ─► Tap ─ CopyData of a COPY that was announced ─► chunks ─► BatchStream
//!                     └─── everything else, byte for byte ────────► tokio_postgres
//! ```
//! What the tap knows of the protocol: a message is a tag, a length of four bytes that counts itself, and a
//! payload; `H` begins a COPY out, `d` is data of it. Whoever wants the data [announces](Taps::announce) it
//! before the query is sent; the next `H` takes the announcement. The chunks end when another message
//! follows, which then reaches the library: so whoever has seen the end of the chunks asks the library how
//! the COPY has ended.
//!
//! Nobody is asked to wait for less than a full chunk: the rest of a chunk, or the end, comes without our doing
//! anything. A reader that does not take its chunks stops the socket, and thereby the server; one that has gone
//! away is a reader of nothing.

use std::io;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, ready};

use futures::channel::mpsc::{Receiver, Sender, channel};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::sync::{Mutex as AsyncMutex, MutexGuard as AsyncMutexGuard};
use tokio_postgres::tls::{ChannelBinding, TlsConnect, TlsStream};

use crate::error::{Error, Result};

/// How much is read from the socket at once.
const READ_BYTES: usize = 64 << 10;

/// A message's tag and length.
const HEADER_BYTES: usize = 5;

/// How much longer than asked for a chunk may become before a single row is cut.
const CHUNK_SLACK_BYTES: usize = 1 << 20;

/// The announcements of one connection, one at a time: who announces a COPY is the only one whose COPY may begin,
/// until he has said what became of it. Otherwise two that open at the same time could get each other's rows.
#[derive(Clone, Default)]
pub(super) struct Taps(Arc<Turns>);

#[derive(Default)]
struct Turns {
    turn: AsyncMutex<()>,
    next: Mutex<Next>,
}

/// What the next COPY out is for.
#[derive(Default)]
enum Next {
    /// Nobody in particular: its rows pass.
    #[default]
    Nobody,
    /// A reader.
    Reader(Reader),
    /// Nobody knows: its reader gave up before the server had answered.
    Unknown,
}

/// A reader of one COPY.
struct Reader {
    chunks: Sender<Vec<u8>>,
    chunk_bytes: usize,
}

/// An announcement that is not settled yet.
pub(super) struct Announcement<'t> {
    turns: &'t Turns,
    _turn: AsyncMutexGuard<'t, ()>,
    settled: bool,
}

impl Taps {
    /// Announces a reader of the next COPY out, in chunks of about so many bytes, as soon as no other reader
    /// waits for its COPY to begin.
    ///
    /// # Errors
    /// One of them gave up: it is not known whose the next COPY is.
    pub(super) async fn announce(&self, chunk_bytes: usize) -> Result<(Announcement<'_>, Receiver<Vec<u8>>)> {
        let turn = self.0.turn.lock().await;
        // One chunk waits while the next is gathered.
        let (sender, chunks) = channel(0);
        let mut next = self.0.next();
        if let Next::Unknown = *next {
            return Err(Error::stop("a COPY was given up before it began")
                .detail("another one cannot begin on the same connection"));
        }
        *next = Next::Reader(Reader { chunks: sender, chunk_bytes });
        drop(next);
        Ok((Announcement { turns: &self.0, _turn: turn, settled: false }, chunks))
    }

    fn next(&self) -> Option<Reader> {
        let mut next = self.0.next();
        match std::mem::take(&mut *next) {
            Next::Nobody => None,
            Next::Reader(reader) => Some(reader),
            Next::Unknown => {
                *next = Next::Unknown;
                None
            }
        }
    }
}

impl Turns {
    fn next(&self) -> MutexGuard<'_, Next> {
        self.next.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Announcement<'_> {
    /// The server has answered: the COPY has begun, or it never will.
    pub(super) fn settle(mut self, begun: bool) {
        self.settled = true;
        if !begun {
            *self.turns.next() = Next::Nobody;
        }
    }
}

impl Drop for Announcement<'_> {
    fn drop(&mut self) {
        if !self.settled {
            *self.turns.next() = Next::Unknown;
        }
    }
}

/// A stream of messages from a server, and to it.
pub(super) struct Tap<S> {
    stream: S,
    taps: Taps,
    state: State,
    /// What was read, from `start` on, and not yet looked at.
    input: Vec<u8>,
    start: usize,
    end: usize,
    /// The reader of the COPY that is under way.
    reader: Option<Reader>,
    chunk: Vec<u8>,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum State {
    /// So many bytes go to the library as they are.
    Pass(usize),
    /// Everything does: below TLS.
    PassAll,
    /// So many bytes of a row are still to come.
    Row(usize),
}

impl<S> Tap<S> {
    /// A tap on a plain connection. Where TLS is asked for first, the server answers with one byte that is no
    /// message.
    pub(super) fn new(stream: S, taps: Taps, asks_for_tls: bool) -> Self {
        let state = State::Pass(usize::from(asks_for_tls));
        Self { stream, taps, state, input: Vec::new(), start: 0, end: 0, reader: None, chunk: Vec::new() }
    }

    /// Looks at what was read; says whether the library or the reader has to take something before more is.
    fn look(&mut self) -> Look {
        loop {
            let input = &self.input[self.start..self.end];
            match self.state {
                State::PassAll => {
                    return if input.is_empty() { Look::NeedsMore } else { Look::Passes(input.len()) };
                }
                State::Pass(0) => {
                    let Some((&[tag, a, b, c, d], _)) = input.split_first_chunk::<HEADER_BYTES>() else {
                        return Look::NeedsMore;
                    };
                    let length = u32::from_be_bytes([a, b, c, d]) as usize;
                    match (tag, &self.reader) {
                        (b'd', Some(_)) => {
                            self.start += HEADER_BYTES;
                            self.state = State::Row(length.saturating_sub(4));
                        }
                        // A notice, a parameter or a notification may come at any time.
                        (b'N' | b'S' | b'A', _) => self.state = State::Pass(length.saturating_add(1)),
                        (_, Some(_)) if !self.chunk.is_empty() => return Look::Chunk,
                        _ => {
                            // Dropped, the reader learns that there are no more.
                            self.reader = if tag == b'H' { self.taps.next() } else { None };
                            self.state = State::Pass(length.saturating_add(1));
                        }
                    }
                }
                State::Pass(left) => {
                    return if input.is_empty() {
                        Look::NeedsMore
                    } else {
                        Look::Passes(left.min(input.len()))
                    };
                }
                State::Row(left) => {
                    let taken = left.min(input.len());
                    self.chunk.extend_from_slice(&input[..taken]);
                    self.start += taken;
                    self.state = if taken == left { State::Pass(0) } else { State::Row(left - taken) };
                    let wanted = self.reader.as_ref().map_or(0, |reader| reader.chunk_bytes);
                    let full = if taken == left { wanted } else { wanted + CHUNK_SLACK_BYTES };
                    if self.chunk.len() >= full {
                        return Look::Chunk;
                    }
                    if taken < left {
                        return Look::NeedsMore;
                    }
                }
            }
        }
    }

    /// Hands the chunk to its reader.
    fn poll_hand_over(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        let chunk_bytes = match &mut self.reader {
            Some(reader) => {
                // An error: the reader has gone away.
                if ready!(reader.chunks.poll_ready(cx)).is_ok() {
                    let _ = reader.chunks.start_send(std::mem::take(&mut self.chunk));
                }
                reader.chunk_bytes
            }
            None => 0,
        };
        self.chunk.clear();
        self.chunk.reserve(chunk_bytes + (chunk_bytes >> 3));
        Poll::Ready(())
    }
}

/// What is to be done with what was read.
enum Look {
    /// So many bytes are for the library.
    Passes(usize),
    /// A chunk is for its reader.
    Chunk,
    /// There is too little.
    NeedsMore,
}

impl<S: AsyncRead + Unpin> Tap<S> {
    /// Reads from the stream, behind what was not looked at yet. Returns the bytes read; 0 at the end.
    fn poll_fill(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<usize>> {
        self.input.resize(READ_BYTES, 0);
        self.input.copy_within(self.start..self.end, 0);
        (self.start, self.end) = (0, self.end - self.start);
        let mut free = ReadBuf::new(&mut self.input[self.end..]);
        ready!(Pin::new(&mut self.stream).poll_read(cx, &mut free))?;
        let read = free.filled().len();
        self.end += read;
        Poll::Ready(Ok(read))
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for Tap<S> {
    fn poll_read(self: Pin<&mut Self>, cx: &mut Context<'_>, to: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        if this.state == State::PassAll && this.start == this.end {
            return Pin::new(&mut this.stream).poll_read(cx, to);
        }
        loop {
            match this.look() {
                Look::Passes(bytes) => {
                    let bytes = bytes.min(to.remaining());
                    to.put_slice(&this.input[this.start..this.start + bytes]);
                    this.start += bytes;
                    if let State::Pass(left) = &mut this.state {
                        *left -= bytes;
                    }
                    return Poll::Ready(Ok(()));
                }
                Look::Chunk => ready!(this.poll_hand_over(cx)),
                Look::NeedsMore => {
                    if ready!(this.poll_fill(cx))? == 0 {
                        // The library tells that the connection is lost; the reader learns it from there.
                        this.reader = None;
                        return Poll::Ready(Ok(()));
                    }
                }
            }
        }
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Tap<S> {
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, from: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.get_mut().stream).poll_write(cx, from)
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.get_mut().stream).poll_flush(cx)
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.get_mut().stream).poll_shutdown(cx)
    }
}

impl<S: TlsStream + Unpin> TlsStream for Tap<S> {
    fn channel_binding(&self) -> ChannelBinding {
        self.stream.channel_binding()
    }
}

/// Opens TLS above a tap, and puts the tap above TLS.
pub(super) struct TappedTls<T> {
    pub(super) tls: T,
    pub(super) taps: Taps,
}

impl<S, T> TlsConnect<Tap<S>> for TappedTls<T>
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    T: TlsConnect<Tap<S>>,
    T::Stream: Send + 'static,
    T::Future: Send + 'static,
{
    type Stream = Tap<T::Stream>;
    type Error = T::Error;
    type Future = Pin<Box<dyn Future<Output = Result<Self::Stream, T::Error>> + Send>>;

    fn connect(self, mut below: Tap<S>) -> Self::Future {
        below.state = State::PassAll;
        let Self { tls, taps } = self;
        let opening = tls.connect(below);
        Box::pin(async move { Ok(Tap::new(opening.await?, taps, false)) })
    }
}

#[cfg(test)]
mod tests {
    use futures::{FutureExt, StreamExt};
    use tokio::io::AsyncReadExt;

    use super::*;

    fn message(tag: u8, payload: &[u8]) -> Vec<u8> {
        let length = (payload.len() as u32 + 4).to_be_bytes();
        [&[tag][..], &length, payload].concat()
    }

    /// A stream that gives bytes in pieces of a size, then ends.
    struct Pieces(Vec<u8>, usize);

    impl AsyncRead for Pieces {
        fn poll_read(
            mut self: Pin<&mut Self>,
            _cx: &mut Context<'_>,
            to: &mut ReadBuf<'_>,
        ) -> Poll<io::Result<()>> {
            let bytes = self.1.min(self.0.len()).min(to.remaining());
            to.put_slice(&self.0[..bytes]);
            self.0.drain(..bytes);
            Poll::Ready(Ok(()))
        }
    }

    fn wait<T>(future: impl Future<Output = T>) -> T {
        tokio::runtime::Builder::new_current_thread().build().expect("a runtime").block_on(future)
    }

    /// What the library sees, and the chunks of each announced reader, put together. Each is announced when the
    /// wire of the one before was seen to begin.
    fn tapped(wires: &[&[u8]], piece: usize, readers: usize, chunk_bytes: usize) -> (Vec<u8>, Vec<Vec<u8>>) {
        let taps = Taps::default();
        let mut tap = Tap::new(Pieces(Vec::new(), piece), taps.clone(), true);
        let (mut seen, mut data) = (Vec::new(), Vec::new());
        wait(async {
            for (number, wire) in wires.iter().enumerate() {
                tap.stream.0.extend_from_slice(wire);
                let announced = (number < readers).then(|| taps.announce(chunk_bytes).now_or_never());
                let announced = announced.map(|announced| announced.expect("nobody waits").expect("a turn"));
                let (announcement, chunks) = announced.unzip();
                let chunks = async {
                    match chunks {
                        Some(chunks) => chunks.collect::<Vec<_>>().await.concat(),
                        None => Vec::new(),
                    }
                };
                let (read, found) = futures::future::join(tap.read_to_end(&mut seen), chunks).await;
                read.expect("a stream that ends");
                announcement.into_iter().for_each(|announcement| announcement.settle(true));
                data.extend((number < readers).then_some(found));
            }
        });
        (seen, data)
    }

    #[test]
    fn the_rows_of_an_announced_copy_leave_and_everything_else_passes_however_it_is_cut() {
        let copy = |rows: &[&[u8]], end: u8| {
            let rows: Vec<u8> =
                rows.iter().flat_map(|row| [message(b'N', b"note\0"), message(b'd', row)].concat()).collect();
            [
                message(b'2', b""),
                message(b'H', b"\x01\0\0"),
                rows,
                message(end, b""),
                message(b'C', b"COPY 2\0"),
            ]
            .concat()
        };
        let long = vec![7_u8; 300_000];
        let (first, second, third) =
            (copy(&[b"one", b"", b"two"], b'c'), copy(&[&long], b'c'), copy(&[b"x"], b'E'));
        let first = [b"N".to_vec(), message(b'R', b"\0\0\0\0"), first, message(b'Z', b"I")].concat();
        let wires = [first.as_slice(), &second, &third];
        let wire = wires.concat();
        let without_rows = |rows: &[&[u8]]| rows.iter().map(|row| row.len() + HEADER_BYTES).sum::<usize>();
        for (piece, chunk_bytes) in
            [(1, 4), (2, 1), (3, 1000), (8192, 4), (100_000, 70_000), (usize::MAX, 1 << 20)]
        {
            let (library, data) = tapped(&wires, piece, 2, chunk_bytes);
            assert_eq!(data, [b"onetwo".to_vec(), long.clone()], "{piece}");
            // The third was not announced: its row passes.
            assert_eq!(library.len(), wire.len() - without_rows(&[b"one", b"", b"two", &long]), "{piece}");
            assert!(library.windows(6).any(|bytes| bytes == message(b'd', b"x").as_slice()));
            assert!(!library.windows(3).any(|bytes| bytes == b"one"));
        }
    }

    #[test]
    fn a_reader_that_has_gone_away_or_whose_copy_did_not_begin_holds_nothing_up() {
        let wire = [
            b"N".to_vec(),
            message(b'E', b"no such table\0"),
            message(b'H', b"\x01\0\0"),
            message(b'd', b"row"),
            message(b'c', b""),
        ]
        .concat();
        let taps = Taps::default();
        let mut seen = Vec::new();
        wait(async {
            let (refused, _) = taps.announce(1).await.expect("a turn");
            refused.settle(false);
            let (begun, gone) = taps.announce(1).await.expect("a turn");
            drop(gone);
            let mut tap = Tap::new(Pieces(wire.clone(), 5), taps.clone(), true);
            tap.read_to_end(&mut seen).await.expect("a stream that ends");
            begun.settle(true);
        });
        assert_eq!(seen.len(), wire.len() - 8);
    }

    #[test]
    fn a_connection_that_is_lost_in_the_middle_of_a_row_ends_the_chunks() {
        let wire = [b"N".to_vec(), message(b'H', b""), message(b'd', b"half of a row")].concat();
        let (library, data) = tapped(&[&wire[..wire.len() - 5]], 4, 1, 1);
        assert_eq!(library, [b"N".to_vec(), message(b'H', b"")].concat());
        assert!(b"half of a row".starts_with(&data[0]), "{data:?}");
    }

    #[test]
    fn one_reader_at_a_time_waits_for_its_copy_to_begin_and_after_one_that_gave_up_none_can() {
        let taps = Taps::default();
        wait(async {
            let (first, _) = taps.announce(1).await.expect("a turn");
            assert!(taps.announce(1).now_or_never().is_none());
            first.settle(true);
            let (second, _) = taps.announce(1).await.expect("a turn");
            drop(second);
            let refused = taps.announce(1).await.err().expect("an error");
            assert_eq!(refused.message(), "a COPY was given up before it began");
            assert!(taps.next().is_none() && taps.announce(1).await.is_err());
        });
    }
}
