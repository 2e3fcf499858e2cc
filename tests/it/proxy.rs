//! A TCP proxy between the program and a server, which does to a connection what networks do.
//!
//! A rule waits for a text in what the program sends, lets so many more bytes pass in one direction, and then acts.

use std::io::{ErrorKind, Read, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::sync::{Arc, Condvar, Mutex};
use std::thread;

/// What is done to a connection.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Act {
    /// It is closed, both ways.
    Cut,
    /// Nothing passes any more, and it stays open.
    Stall,
    /// The same for all connections, and those that are opened later.
    StallAll,
    /// From here on bytes pass one by one.
    Drip,
    /// This text of the server becomes that one, of the same length.
    Replace(Vec<u8>, Vec<u8>),
}

/// Where a rule acts: before the bytes of a direction that follow its text, so many of them let through.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Place {
    /// What the program sends, from the piece on that holds the text.
    Client(usize),
    /// What the server sends after that.
    Server(usize),
}

/// When something is done to a connection.
#[derive(Clone, Debug)]
pub struct Rule {
    /// What the program must have sent on it; anything, where it is empty.
    pub text: Vec<u8>,
    pub place: Place,
    pub act: Act,
    /// On how many connections at most.
    pub times: u32,
}

/// The proxy; gone when it is dropped, and all its connections with it.
pub struct Proxy {
    port: u16,
    shared: Arc<Shared>,
}

struct Shared {
    server: u16,
    rule: Mutex<Option<Rule>>,
    hits: AtomicU32,
    stalled: AtomicBool,
    closed: Mutex<bool>,
    closing: Condvar,
    sockets: Mutex<Vec<TcpStream>>,
}

/// One connection, seen by both directions.
struct Connection {
    client: TcpStream,
    server: TcpStream,
    armed: Mutex<Option<(Rule, usize)>>,
    stalled: AtomicBool,
    drips: AtomicBool,
    closed: AtomicBool,
}

impl Proxy {
    /// In front of the server at a port of 127.0.0.1.
    pub fn new(server: u16) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
        let port = listener.local_addr().expect("an address").port();
        let shared = Arc::new(Shared {
            server,
            rule: Mutex::default(),
            hits: AtomicU32::new(0),
            stalled: AtomicBool::new(false),
            closed: Mutex::new(false),
            closing: Condvar::new(),
            sockets: Mutex::default(),
        });
        let accepting = Arc::clone(&shared);
        thread::spawn(move || {
            for client in listener.incoming() {
                if *accepting.closed.lock().unwrap() {
                    return;
                }
                if let Ok(client) = client {
                    accepting.serve(client);
                }
            }
        });
        Self { port, shared }
    }

    /// Sets the rule, and lets stalled connections be.
    pub fn set(&self, rule: Rule) {
        self.shared.hits.store(0, Ordering::SeqCst);
        *self.shared.rule.lock().unwrap() = Some(rule);
    }

    /// Takes the rule back; returns how often it acted. Connections that are stalled are closed.
    pub fn clear(&self) -> u32 {
        *self.shared.rule.lock().unwrap() = None;
        self.shared.stalled.store(false, Ordering::SeqCst);
        self.shared.close_all();
        self.shared.hits.load(Ordering::SeqCst)
    }

    /// How often the rule has acted.
    pub fn hits(&self) -> u32 {
        self.shared.hits.load(Ordering::SeqCst)
    }

    /// A URL of the server, through the proxy. A server that does not answer is given up soon.
    pub fn url(&self, url: &str) -> String {
        let (before, after) =
            url.rsplit_once(&format!(":{}/", self.shared.server)).expect("the server's port");
        format!("{before}:{}/{after}?connect_timeout=1", self.port)
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        *self.shared.closed.lock().unwrap() = true;
        self.shared.closing.notify_all();
        self.shared.close_all();
        // Wakes the thread that accepts.
        let _ = TcpStream::connect(("127.0.0.1", self.port));
    }
}

impl Shared {
    fn serve(self: &Arc<Self>, client: TcpStream) {
        let Ok(server) = TcpStream::connect(("127.0.0.1", self.server)) else { return };
        let _ = (client.set_nodelay(true), server.set_nodelay(true));
        let copies = [&client, &server].map(|socket| socket.try_clone().expect("a handle"));
        self.sockets.lock().unwrap().extend(copies);
        let connection = Arc::new(Connection {
            client,
            server,
            armed: Mutex::default(),
            stalled: AtomicBool::new(false),
            drips: AtomicBool::new(false),
            closed: AtomicBool::new(false),
        });
        for from_client in [true, false] {
            let (shared, connection) = (Arc::clone(self), Arc::clone(&connection));
            thread::spawn(move || {
                shared.forward(&connection, from_client);
                connection.close();
            });
        }
    }

    fn close_all(&self) {
        for socket in self.sockets.lock().unwrap().drain(..) {
            let _ = socket.shutdown(Shutdown::Both);
        }
    }

    /// Passes bytes on in one direction until the end of the connection.
    fn forward(&self, connection: &Connection, from_client: bool) {
        let (mut from, mut to) = if from_client {
            (&connection.client, &connection.server)
        } else {
            (&connection.server, &connection.client)
        };
        let mut buffer = vec![0; 16 << 10];
        // The end of what came before: a text may stand across two pieces.
        let mut tail: Vec<u8> = Vec::new();
        loop {
            if self.waits(connection) {
                return;
            }
            let bytes = match from.read(&mut buffer) {
                Ok(0) => return,
                Ok(bytes) => bytes,
                Err(error) if error.kind() == ErrorKind::Interrupted => continue,
                Err(_) => return,
            };
            let piece = &mut buffer[..bytes];
            if from_client {
                tail.extend_from_slice(piece);
                self.arm(connection, &tail);
                let keep = tail.len().saturating_sub(256);
                tail.drain(..keep);
            }
            let passes = self.act(connection, from_client, piece);
            let sent = if connection.drips.load(Ordering::SeqCst) {
                piece[..passes].iter().try_for_each(|byte| to.write_all(&[*byte]))
            } else {
                to.write_all(&piece[..passes])
            };
            if sent.is_err() {
                return;
            }
        }
    }

    fn arm(&self, connection: &Connection, sent: &[u8]) {
        let mut armed = connection.armed.lock().unwrap();
        let rule = self.rule.lock().unwrap();
        if let (None, Some(rule)) = (&*armed, &*rule)
            && self.hits.load(Ordering::SeqCst) < rule.times
            && (rule.text.is_empty() || sent.windows(rule.text.len()).any(|part| part == rule.text))
        {
            let (Place::Client(bytes) | Place::Server(bytes)) = rule.place;
            *armed = Some((rule.clone(), bytes));
        }
    }

    /// Does what the rule says, where its place is reached; returns how many bytes pass.
    fn act(&self, connection: &Connection, from_client: bool, piece: &mut [u8]) -> usize {
        let mut armed = connection.armed.lock().unwrap();
        let Some((rule, left)) = armed.as_mut() else { return piece.len() };
        if matches!(rule.place, Place::Client(_)) != from_client {
            return piece.len();
        }
        if *left >= piece.len() && *left > 0 {
            *left -= piece.len();
            return piece.len();
        }
        let passes = std::mem::take(left);
        if let Act::Replace(was, is) = &rule.act {
            if let Some(at) = piece.windows(was.len()).position(|part| part == was) {
                piece[at..at + was.len()].copy_from_slice(is);
                self.hits.fetch_add(1, Ordering::SeqCst);
            }
            return piece.len();
        }
        let times = rule.times;
        let act = rule.act.clone();
        *armed = None;
        // Another connection may have been faster.
        if self.hits.fetch_add(1, Ordering::SeqCst) >= times {
            self.hits.fetch_sub(1, Ordering::SeqCst);
            return piece.len();
        }
        match act {
            Act::Cut => connection.close(),
            Act::Stall => connection.stalled.store(true, Ordering::SeqCst),
            Act::StallAll => self.stalled.store(true, Ordering::SeqCst),
            Act::Drip => {
                connection.drips.store(true, Ordering::SeqCst);
                return piece.len();
            }
            Act::Replace(..) => {}
        }
        passes
    }

    /// Where the connection is stalled, waits for the end of it; says whether it did.
    fn waits(&self, connection: &Connection) -> bool {
        if !connection.stalled.load(Ordering::SeqCst) && !self.stalled.load(Ordering::SeqCst) {
            return false;
        }
        // The sockets stay open until somebody closes all of them.
        let mut closed = self.closed.lock().unwrap();
        while !*closed && !connection.closed.load(Ordering::SeqCst) {
            closed = self.closing.wait_timeout(closed, std::time::Duration::from_millis(50)).unwrap().0;
        }
        true
    }
}

impl Connection {
    fn close(&self) {
        self.closed.store(true, Ordering::SeqCst);
        let _ = self.client.shutdown(Shutdown::Both);
        let _ = self.server.shutdown(Shutdown::Both);
    }
}
