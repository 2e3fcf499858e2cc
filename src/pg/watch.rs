//! Waits that end. A connection that is cut says so; one that stalls says nothing, for ever: a firewall forgets
//! it, a proxy hangs, a machine is gone. And a statement that runs for an hour says nothing, too.
//!
//! So whoever waits for the server longer than [`Limits::stall`](super::Limits::stall) asks it, over a
//! connection of its own, what the other one's process is doing:
//!
//! ```text
//! it works, or waits for a lock or the disk      ─► wait on
//! it is gone                                     ─► the connection is lost
//! it waits for us, while we wait for it          ─► a doubt; at the second in a row the connection is lost
//! the server gives no answer                     ─► the same
//! it takes no more connections                   ─► a tenth of a doubt
//! ```
//! So no wait is longer than the statement and some multiples of the limit, and no statement is too long.

use std::future::Future;
use std::pin::{Pin, pin};
use std::time::Duration;

use tokio::time::{Instant, Sleep, sleep, timeout};
use tokio_postgres::SimpleQueryMessage;

use super::connect::server_error;
use super::session::Database;
use crate::error::{Error, Fate, Result};

/// Doubts of this sum end a wait.
const ENOUGH: u32 = 20;

/// A doubt.
const DOUBT: u32 = 10;

/// What may be a doubt.
const HINT_OF_DOUBT: u32 = 1;

/// Watches over the waits of one session.
#[derive(Clone)]
pub(super) struct Watch {
    database: Database,
    pid: i32,
}

/// What is known of the process at the other end.
enum Answer {
    Works,
    Gone,
    /// It waits for the network, or there is no answer.
    Silent(String),
    Full,
}

impl Watch {
    pub(super) fn new(database: Database, pid: i32) -> Self {
        Self { database, pid }
    }

    pub(super) fn pid(&self) -> i32 {
        self.pid
    }

    pub(super) fn database(&self) -> &Database {
        &self.database
    }

    fn limit(&self) -> Duration {
        self.database.limits().stall
    }

    /// Waits for an answer of the server.
    pub(super) async fn over<T>(
        &self,
        work: impl Future<Output = Result<T, tokio_postgres::Error>>,
    ) -> Result<T> {
        let mut work = pin!(work);
        let mut doubts = 0;
        loop {
            match timeout(self.limit(), &mut work).await {
                Ok(done) => return done.map_err(server_error),
                Err(_) => self.doubt(&mut doubts).await?,
            }
        }
    }

    /// Asks, and gives up where there is doubt enough.
    async fn doubt(&self, doubts: &mut u32) -> Result<()> {
        let why = match timeout(self.limit(), self.ask()).await {
            Ok(Answer::Works) => {
                *doubts = 0;
                return Ok(());
            }
            Ok(Answer::Gone) => {
                return Err(Error::with_fate(Fate::Retry, "the connection to the server was lost")
                    .detail(format!("the server has no process {} any more", self.pid))
                    .hint("see the server's log for the reason"));
            }
            Ok(Answer::Full) => {
                *doubts += HINT_OF_DOUBT;
                "the server takes no other connection to ask".to_owned()
            }
            Ok(Answer::Silent(why)) => {
                *doubts += DOUBT;
                why
            }
            Err(_) => {
                *doubts += DOUBT;
                "the server does not answer another connection either".to_owned()
            }
        };
        if *doubts < ENOUGH {
            return Ok(());
        }
        let seconds = self.limit().as_secs_f64();
        Err(Error::with_fate(
            Fate::Retry,
            format!("the connection to {} has stalled", self.database.redacted()),
        )
        .detail(format!("nothing came for more than {seconds} s; {why}"))
        .hint("look at the network, and at proxies and firewalls between; --stall-timeout waits longer"))
    }

    async fn ask(&self) -> Answer {
        let client = match self.database.open("watch").await.map(|opened| opened.client) {
            Ok(client) => client,
            Err(error) if error.code() == Some("53300") => return Answer::Full,
            Err(error) => return Answer::Silent(error.message().to_owned()),
        };
        let sql = format!(
            "SELECT coalesce(state, ''), coalesce(wait_event_type, '') FROM pg_stat_activity WHERE pid = {}",
            self.pid
        );
        let answer = match client.simple_query(&sql).await {
            Ok(answer) => answer,
            Err(error) => return Answer::Silent(server_error(error).message().to_owned()),
        };
        let row = answer.iter().find_map(|message| match message {
            SimpleQueryMessage::Row(row) => Some((row.get(0).unwrap_or(""), row.get(1).unwrap_or(""))),
            _ => None,
        });
        match row {
            None => Answer::Gone,
            Some(("active" | "fastpath function call", event)) if event != "Client" => Answer::Works,
            Some(_) => {
                Answer::Silent(format!("the server's process {} waits for us as we wait for it", self.pid))
            }
        }
    }
}

/// Watches over the many short waits of a stream, with one clock for all of them.
pub(super) struct Patience {
    watch: Watch,
    clock: Pin<Box<Sleep>>,
    /// Whether anything came since the clock was set.
    moved: bool,
    doubts: u32,
}

impl Patience {
    pub(super) fn new(watch: &Watch) -> Self {
        Self { watch: watch.clone(), clock: Box::pin(sleep(watch.limit())), moved: true, doubts: 0 }
    }

    /// Waits for a part of the stream.
    pub(super) async fn over<T>(&mut self, work: impl Future<Output = T>) -> Result<T> {
        let mut work = pin!(work);
        loop {
            tokio::select! {
                biased;
                done = &mut work => {
                    self.moved = true;
                    self.doubts = 0;
                    return Ok(done);
                }
                () = &mut self.clock => {
                    // The clock may have run while nobody waited.
                    if !std::mem::take(&mut self.moved) {
                        self.watch.doubt(&mut self.doubts).await?;
                    }
                    self.clock.as_mut().reset(Instant::now() + self.watch.limit());
                }
            }
        }
    }
}
