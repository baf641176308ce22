//! Bytes on a connection, for what no well-behaved client sends.

use std::fmt;
use std::io::{ErrorKind, Read, Write};
use std::net::{Shutdown, SocketAddr, TcpStream};
use std::time::Duration;

use super::patience::PATIENCE;
use super::settings::ADMIN_KEY;

/// Opens a connection that gives up waiting when a test would.
pub fn connect(address: SocketAddr) -> TcpStream {
    let stream = TcpStream::connect(address).expect("the server listens");
    stream.set_read_timeout(Some(PATIENCE)).expect("the timeout is not zero");
    stream
}

/// An answer as it came over the wire.
pub struct Answer {
    pub status: u16,
    /// Status line and headers, as they came.
    pub head: String,
    pub body: Vec<u8>,
}

/// One connection with its answers, in their order.
pub struct Conversation {
    stream: TcpStream,
    unread: Vec<u8>,
}

impl fmt::Debug for Answer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}{}", self.head, String::from_utf8_lossy(&self.body))
    }
}

impl Conversation {
    pub fn with(address: SocketAddr) -> Self {
        Self { stream: connect(address), unread: Vec::new() }
    }

    /// The same, waiting so long for each piece of an answer.
    pub fn patiently_with(address: SocketAddr, patience: Duration) -> Self {
        let conversation = Self::with(address);
        conversation.stream.set_read_timeout(Some(patience)).expect("the timeout is not zero");
        conversation
    }

    /// Sends bytes; the server may have hung up before it has read all of them.
    pub fn say(&mut self, bytes: &[u8]) -> &mut Self {
        drop(self.stream.write_all(bytes));
        self
    }

    /// Says that nothing more comes.
    pub fn end(&mut self) -> &mut Self {
        // It may be closed already.
        drop(self.stream.shutdown(Shutdown::Write));
        self
    }

    /// The next answer, or nothing when the server hung up instead.
    pub fn answer(&mut self) -> Option<Answer> {
        let length = loop {
            if let Some(at) = self.unread.windows(4).position(|four| four == b"\r\n\r\n") {
                break at + 4;
            }
            self.read_more()?;
        };
        let head = String::from_utf8_lossy(&self.unread.drain(..length).collect::<Vec<_>>()).into_owned();
        let status = head.strip_prefix("HTTP/1.")?.get(2..5)?.parse().ok()?;
        let body = head.to_lowercase().split_once("content-length: ").map_or(0, |(_, rest)| {
            rest.split("\r\n").next().and_then(|length| length.parse().ok()).expect("a length is a number")
        });
        while self.unread.len() < body {
            self.read_more()?;
        }
        Some(Answer { status, head, body: self.unread.drain(..body).collect() })
    }

    /// All answers until the server hangs up.
    pub fn answers(&mut self) -> Vec<Answer> {
        std::iter::from_fn(|| self.answer()).collect()
    }

    /// Whether the server has answered or hung up by now.
    pub fn is_refused(&mut self) -> bool {
        self.stream.set_nonblocking(true).expect("a socket option");
        let peeked = self.stream.peek(&mut [0; 1]);
        self.stream.set_nonblocking(false).expect("a socket option");
        !matches!(peeked, Err(error) if error.kind() == ErrorKind::WouldBlock)
    }

    /// Whether the server has hung up, or does so while a test would wait.
    pub fn is_closed(&mut self) -> bool {
        match self.stream.read(&mut [0; 1]) {
            Ok(read) => read == 0,
            Err(error) => error.kind() == ErrorKind::ConnectionReset,
        }
    }

    fn read_more(&mut self) -> Option<()> {
        let mut piece = [0; 4096];
        let read = self.stream.read(&mut piece).ok().filter(|read| *read > 0)?;
        self.unread.extend_from_slice(&piece[..read]);
        Some(())
    }
}

/// Sends these bytes, and nothing more, and reads until the server hangs up.
pub fn answers(address: SocketAddr, bytes: &[u8]) -> Vec<Answer> {
    Conversation::with(address).say(bytes).end().answers()
}

/// The statuses of what [`answers`] got.
pub fn statuses(address: SocketAddr, bytes: &[u8]) -> Vec<u16> {
    answers(address, bytes).iter().map(|answer| answer.status).collect()
}

/// A request with the admin key and this body, which is called JSON.
pub fn request(method: &str, target: &str, body: &[u8]) -> Vec<u8> {
    let head = format!(
        "{method} {target} HTTP/1.1\r\nhost: x\r\nauthorization: Bearer {ADMIN_KEY}\r\n\
         content-type: application/json\r\ncontent-length: {}\r\n\r\n",
        body.len()
    );
    [head.as_bytes(), body].concat()
}

/// Sends these bytes and reads until the server closes; returns the status, or nothing when none came.
pub fn exchange(address: SocketAddr, bytes: &[u8]) -> Option<u16> {
    let mut stream = connect(address);
    // The server may close before it has read all of it; what it said before that still counts.
    drop(stream.write_all(bytes));
    status(&mut stream)
}

/// The status of the answer that waits on this connection.
pub fn status(stream: &mut TcpStream) -> Option<u16> {
    let mut answer = Vec::new();
    let mut piece = [0; 1024];
    while let Ok(read @ 1..) = stream.read(&mut piece) {
        answer.extend_from_slice(&piece[..read]);
        if answer.contains(&b'\n') {
            break;
        }
    }
    String::from_utf8_lossy(&answer).strip_prefix("HTTP/1.1 ")?.get(..3)?.parse().ok()
}
