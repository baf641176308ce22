//! The client: makes one attempt and says what it met.
//!
//! One client serves the endpoints of one account, authority and client certificate on one thread, so that they share connections and a
//! slow one shares nothing with strangers. How many attempts are in flight, and when a client that has been idle is
//! dropped with its sockets, is left to its owner.

use std::cell::OnceCell;
use std::future::{Future, poll_fn};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::pin;
use std::rc::Rc;
use std::sync::Arc;
use std::task::Poll;
use std::time::Duration;

use actix_http::h1::ClientCodec;
use actix_http::header::{self, HeaderName};
use actix_http::{Method, RequestHead, ServiceConfig};
use bytes::Bytes;
use tokio::task::yield_now;
use tokio::time::{Instant, timeout};
use tracing::debug;

use crate::attempt::{Attempt, ErrorKind, Outcome};
use crate::clock::Timestamp;
use crate::delivery::connection::{Connection, Pool};
use crate::delivery::connector::Connector;
use crate::delivery::endpoint::{Endpoint, Request};
use crate::delivery::guard::Guard;
use crate::delivery::tls::Outgoing;
use crate::delivery::{answer, signature};
use crate::subscription::{ClientCertificate, NotAClientCertificate};

/// What all clients of a process have in common.
#[derive(Clone, Debug)]
pub struct Settings {
    timeout: Duration,
    pub(super) signature_header: HeaderName,
    /// Whether messages carry the headers of Standard Webhooks by other names as well.
    pub(super) has_svix_headers: bool,
    guard: Arc<Guard>,
    tls: Outgoing,
}

/// The text cannot name the signature header.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("\"{0}\" is not a header name, or the name of a header that requests have already")]
pub struct NotASignatureHeader(String);

/// Sends requests over connections that it keeps.
pub struct Client {
    settings: Arc<Settings>,
    connector: Connector,
    pool: Pool,
    clock: Rc<HttpClock>,
}

/// The settings of the HTTP library, made when they are first needed, with a clock for `date` that runs from then on: one
/// is enough for all clients of a thread.
#[derive(Default)]
pub struct HttpClock(OnceCell<ServiceConfig>);

/// What an attempt has met so far; it counts even if the attempt goes no further.
#[derive(Default)]
struct Met {
    /// This machine could not even try.
    unable: bool,
    /// The outcome, and how long it took to come; the rest of a response changes nothing about it.
    outcome: Option<(Outcome, Duration)>,
    response: Vec<u8>,
}

struct Panicked;

/// This machine could not make the attempt; what its outcome would be if it counted.
#[derive(Debug)]
pub struct Unable(pub Attempt);

impl Settings {
    /// Settings under which an attempt has `timeout` in all where its endpoint has none of its own, and the plain signature
    /// goes in `signature_header`.
    ///
    /// # Errors
    /// When `signature_header` is no name of a header, or one that means something else.
    pub fn new(
        timeout: Duration,
        signature_header: &str,
        guard: Arc<Guard>,
        tls: impl Into<Outgoing>,
    ) -> Result<Self, NotASignatureHeader> {
        const TAKEN: [HeaderName; 13] = [
            header::HOST,
            header::CONTENT_TYPE,
            header::CONTENT_LENGTH,
            header::TRANSFER_ENCODING,
            header::CONNECTION,
            header::UPGRADE,
            header::EXPECT,
            header::TE,
            header::TRAILER,
            header::DATE,
            header::USER_AGENT,
            HeaderName::from_static("traceparent"),
            HeaderName::from_static("tracestate"),
        ];
        let refused = || NotASignatureHeader(signature_header.to_owned());
        let name = HeaderName::try_from(signature_header).map_err(|_| refused())?;
        let standard =
            [signature::ID, signature::TIMESTAMP, signature::SIGNATURE, "webhook-sequence", "webhook-test"];
        if TAKEN.contains(&name) || standard.contains(&name.as_str()) {
            return Err(refused());
        }
        Ok(Self { timeout, signature_header: name, has_svix_headers: false, guard, tls: tls.into() })
    }

    /// The same, where messages carry the headers of Standard Webhooks by other names as well if that is wanted.
    pub fn with_svix_headers(self, wanted: bool) -> Self {
        Self { has_svix_headers: wanted, ..self }
    }

    /// The same for one server, which is shown a certificate of a hook's own.
    ///
    /// # Errors
    /// When the key is of a kind that cannot be used.
    pub fn showing(&self, certificate: &ClientCertificate) -> Result<Self, NotAClientCertificate> {
        Ok(Self { tls: self.tls.showing(certificate)?, ..self.clone() })
    }
}

impl Client {
    /// A client without connections; it opens them as they are needed.
    pub fn new(settings: Arc<Settings>, clock: Rc<HttpClock>) -> Self {
        let (guard, tls) = (settings.guard.clone(), settings.tls.clone());
        let connector = Connector::new(guard, tls, settings.timeout);
        Self { settings, connector, pool: Pool::default(), clock }
    }

    /// Makes one attempt as [`Self::try_attempt`] does, and also takes for its outcome what this machine cannot do.
    pub async fn attempt(&self, endpoint: &Endpoint, request: Request) -> Attempt {
        self.try_attempt(endpoint, request).await.unwrap_or_else(|Unable(attempt)| attempt)
    }

    /// Makes one attempt. Whatever happens to it is its outcome.
    ///
    /// It succeeds once a 2xx status line and headers have arrived within the timeout, which includes resolving,
    /// connecting and the TLS handshake; the rest of the response is read in what remains of it and changes nothing.
    /// Dropping the future breaks the attempt off.
    ///
    /// # Errors
    /// When this machine cannot make one, for want of open files, ports or memory: the receiver saw nothing of it.
    pub async fn try_attempt(&self, endpoint: &Endpoint, request: Request) -> Result<Attempt, Unable> {
        let (n, asked) = (request.n, request.asked);
        let (at, started) = (Timestamp::now(), Instant::now());
        let mut met = Met::default();
        let exchange = self.exchange(endpoint, request, at, started, &mut met);
        let allowed = endpoint.timeout.unwrap_or(self.settings.timeout);
        let without_answer = match contained(timeout(allowed, exchange)).await {
            Ok(_) => ErrorKind::Timeout,
            Err(Panicked) => {
                debug!(authority = endpoint.authority(), "the response was beyond the HTTP library");
                ErrorKind::Protocol
            }
        };
        let (outcome, duration) =
            met.outcome.unwrap_or_else(|| (Outcome::Failed(without_answer), started.elapsed()));
        endpoint.withhold_from(&mut met.response);
        let duration_ms = u32::try_from(duration.as_millis()).unwrap_or(u32::MAX);
        let response = Bytes::from(met.response);
        let attempt = Attempt { n, at, asked, outcome, duration_ms, response };
        if met.unable { Err(Unable(attempt)) } else { Ok(attempt) }
    }

    /// Sends the request and reads the response, noting in `met` how far it has come.
    async fn exchange(
        &self,
        endpoint: &Endpoint,
        request: Request,
        now: Timestamp,
        started: Instant,
        met: &mut Met,
    ) {
        let body = endpoint.body(&request);
        let mut head = RequestHead::default();
        (head.method, head.uri) = (Method::POST, endpoint.target.uri.clone());
        head.headers = endpoint.headers(&request, &body, now, &self.settings);
        // A connection on which bytes wait that nobody asked for is left; which these are is known of what the runtime has
        // noticed. It looks for more before a task that gives way goes on.
        yield_now().await;
        let mut connection = match self.pool.take(&endpoint.target) {
            Some(connection) => connection,
            None => match Box::pin(self.connector.open(&endpoint.target)).await {
                Ok(socket) => Connection::new(endpoint.target.clone(), socket),
                Err(failure) => {
                    debug!(authority = endpoint.authority(), %failure, "no connection");
                    met.unable = failure.is_own();
                    return met.outcome = Some((Outcome::Failed(failure.kind()), started.elapsed()));
                }
            },
        };
        let mut codec = self.clock.codec();
        let answered = connection.ask(&mut codec, head, body).await;
        let duration = started.elapsed();
        let head = match answered {
            Ok(head) => head,
            Err(broken) => {
                debug!(authority = endpoint.authority(), %broken, "no usable answer");
                return met.outcome = Some((Outcome::Failed(broken.kind()), duration));
            }
        };
        met.outcome = Some((answer::outcome(&head, Timestamp::now()), duration));
        let rest = answer::rest(&head);
        // What is known of the head need not be kept while the body comes.
        drop(head);
        if connection.finish(codec, rest, &mut met.response).await {
            self.pool.put(connection);
        }
    }
}

impl HttpClock {
    fn codec(&self) -> ClientCodec {
        ClientCodec::new(self.0.get_or_init(ServiceConfig::default).clone())
    }
}

/// Turns a panic of `future` into an error.
///
/// What a receiver sends must not end an actor, whatever the HTTP library makes of it; a header name of more than 64 KiB
/// was one such thing, before heads had a limit.
async fn contained<F: Future>(future: F) -> Result<F::Output, Panicked> {
    let mut future = pin!(future);
    poll_fn(|cx| match catch_unwind(AssertUnwindSafe(|| future.as_mut().poll(cx))) {
        Ok(Poll::Ready(output)) => Poll::Ready(Ok(output)),
        Ok(Poll::Pending) => Poll::Pending,
        Err(_) => Poll::Ready(Err(Panicked)),
    })
    .await
}
