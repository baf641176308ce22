//! Connections: one exchange after another, a request and its response, in HTTP/1.1 (RFC 9112).
//!
//! The HTTP library encodes and parses. Here is what is written and read, and which connection is used again: one on
//! which the last response ended where its head said that it would, and after which nothing came unasked.

use std::cell::RefCell;
use std::collections::VecDeque;
use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use actix_http::body::BodySize;
use actix_http::error::ParseError;
use actix_http::h1::{ClientCodec, Message, MessageType};
use actix_http::{RequestHead, RequestHeadType, ResponseHead};
use bytes::{Bytes, BytesMut};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, ReadBuf};
use tokio::task::coop::has_budget_remaining;
use tokio::time::Instant;
use tokio_util::codec::{Decoder, Encoder};

use crate::attempt::{ErrorKind, RESPONSE_KEPT};
use crate::delivery::endpoint::Target;
use crate::delivery::intake;
use crate::delivery::socket::Socket;

/// How long an idle connection is used again.
///
/// Many servers hang up after five seconds. A request that meets a server hanging up is lost, so we are first.
const KEEP_ALIVE: Duration = Duration::from_secs(4);
/// How long a busy connection is used, so that a name that has moved is followed, and vetted again.
const LIFETIME: Duration = Duration::from_secs(60);
/// How many bytes are read at a time.
const PIECE: usize = 4 * 1024;
/// The most bytes that the head of a request has, nearly always.
const REQUEST_HEAD: usize = 768;

/// A connection to a receiver.
pub struct Connection {
    target: Target,
    socket: Socket,
    /// What was read and has not been parsed.
    read: BytesMut,
    opened: Instant,
    /// When the last exchange ended.
    used: Instant,
    /// Whether a request went out in part.
    is_spent: bool,
}

/// What is known of the rest of a response by its head.
pub struct Rest {
    /// Whether it says anything.
    pub is_wanted: bool,
    pub ends_cleanly: bool,
}

/// Connections that wait for their next request.
#[derive(Default)]
pub struct Pool(RefCell<VecDeque<Connection>>);

/// Why there is no response.
#[derive(Debug, thiserror::Error)]
pub enum Broken {
    #[error("the connection broke: {0}")]
    Connection(#[from] io::Error),
    #[error("the receiver hung up")]
    HungUp,
    #[error("the response is not HTTP: {0}")]
    Response(#[from] ParseError),
}

impl Connection {
    pub fn new(target: Target, socket: Socket) -> Self {
        let now = Instant::now();
        Self { target, socket, read: BytesMut::new(), opened: now, used: now, is_spent: false }
    }

    /// Sends a request, and reads the head of its response.
    ///
    /// # Errors
    /// When there is none.
    pub async fn ask(
        &mut self,
        codec: &mut ClientCodec,
        head: RequestHead,
        body: Bytes,
    ) -> Result<ResponseHead, Broken> {
        let mut request = BytesMut::with_capacity(REQUEST_HEAD);
        let head = (RequestHeadType::from(head), BodySize::Sized(body.len() as u64));
        codec.encode(Message::Item(head), &mut request)?;
        request.reserve(body.len());
        codec.encode(Message::Chunk(Some(body)), &mut request)?;
        let sent = self.send(request).await;
        self.is_spent |= sent.is_err();
        let answered = self.read_head(codec).await;
        // A receiver may have said why it hung up before it had read all.
        if answered.is_err() {
            sent?;
        }
        answered
    }

    async fn send(&mut self, mut request: BytesMut) -> io::Result<()> {
        self.socket.write_all_buf(&mut request).await?;
        self.socket.flush().await
    }

    async fn read_head(&mut self, codec: &mut ClientCodec) -> Result<ResponseHead, Broken> {
        loop {
            if let Some(head) = codec.decode(&mut self.read)? {
                return Ok(head);
            }
            if !self.read_on().await? {
                return Err(Broken::HungUp);
            }
        }
    }

    /// Reads the rest of a response, as far as it is read at all, and keeps its first bytes in `kept`; says whether the
    /// connection can be used again. If it is known that it cannot, no more is read than is kept.
    ///
    /// It may end early, with an error or by being dropped: nothing hangs on it but what is kept.
    pub async fn finish(&mut self, codec: ClientCodec, rest: Rest, kept: &mut Vec<u8>) -> bool {
        let ends_cleanly = rest.ends_cleanly && codec.keep_alive() && !self.is_spent;
        if matches!(codec.message_type(), MessageType::None) {
            return ends_cleanly && self.read.is_empty();
        }
        let mut codec = codec.into_payload_codec();
        while rest.is_wanted && (ends_cleanly || kept.len() < RESPONSE_KEPT) {
            match codec.decode(&mut self.read) {
                Ok(Some(Some(chunk))) => {
                    let room = RESPONSE_KEPT - kept.len();
                    kept.extend_from_slice(&chunk[..chunk.len().min(room)]);
                }
                Ok(Some(None)) => return ends_cleanly && self.read.is_empty(),
                Ok(None) if matches!(self.read_on().await, Ok(true)) => {}
                Ok(None) | Err(_) => return false,
            }
        }
        false
    }

    /// Reads what has come, or waits for more; says whether there is any.
    async fn read_on(&mut self) -> io::Result<bool> {
        if self.read.capacity() - self.read.len() < PIECE / 4 {
            self.read.reserve(PIECE);
        }
        Ok(self.socket.read_buf(&mut self.read).await? > 0)
    }

    fn is_old(&self, now: Instant) -> bool {
        now - self.used > KEEP_ALIVE || now - self.opened > LIFETIME
    }

    /// Whether nothing came since the last response, not even the end.
    fn is_quiet(&mut self) -> bool {
        let mut context = Context::from_waker(Waker::noop());
        let mut byte = [0];
        let read = Pin::new(&mut self.socket).poll_read(&mut context, &mut ReadBuf::new(&mut byte));
        // A task that has used up its turn is told to wait before anybody looks.
        matches!(read, Poll::Pending) && has_budget_remaining()
    }
}

/// With TLS the server is told of the end, if there is room for that.
impl Drop for Connection {
    fn drop(&mut self) {
        if self.target.tls {
            let _ = Pin::new(&mut self.socket).poll_shutdown(&mut Context::from_waker(Waker::noop()));
        }
    }
}

impl Pool {
    /// The connection to this target that was used last, if one can be used again.
    pub fn take(&self, target: &Target) -> Option<Connection> {
        let now = Instant::now();
        loop {
            let mut idle = self.0.borrow_mut();
            let found = idle.iter().rposition(|connection| connection.target.is_same_place(target))?;
            let mut connection = idle.remove(found)?;
            if !connection.is_old(now) && connection.is_quiet() {
                return Some(connection);
            }
        }
    }

    /// Lets a connection wait, and those go that have waited for too long.
    pub fn put(&self, mut connection: Connection) {
        let (now, mut idle) = (Instant::now(), self.0.borrow_mut());
        // What waits needs no room.
        (connection.used, connection.read) = (now, BytesMut::new());
        idle.push_back(connection);
        while idle.front().is_some_and(|first| first.is_old(now)) {
            idle.pop_front();
        }
    }
}

impl Broken {
    /// What the attempt met.
    pub fn kind(&self) -> ErrorKind {
        match self {
            Self::Connection(error) => kind_of(error),
            Self::HungUp => ErrorKind::Connect,
            Self::Response(_) => ErrorKind::Protocol,
        }
    }
}

/// With TLS 1.3 a server's refusal of the handshake may come when the first answer is read.
fn kind_of(error: &io::Error) -> ErrorKind {
    match error.get_ref() {
        Some(inner) if inner.is::<rustls::Error>() => ErrorKind::Tls,
        Some(inner) if inner.is::<intake::TooLong>() => ErrorKind::Protocol,
        _ => ErrorKind::Connect,
    }
}
