//! Attempts: one HTTP request of a delivery, and what it met.

use std::fmt;
use std::time::Duration;

use bytes::Bytes;
use serde::{Deserialize, Serialize};

use crate::clock::Timestamp;

/// How much of a response is kept with its attempt, in bytes.
pub const RESPONSE_KEPT: usize = 256;

/// One HTTP request of a delivery, over.
#[derive(Clone, PartialEq, Eq)]
pub struct Attempt {
    /// Its number within the delivery, from 1.
    pub n: u16,
    /// When it began.
    pub at: Timestamp,
    /// Whether somebody asked for it; no schedule did.
    pub asked: bool,
    pub outcome: Outcome,
    pub duration_ms: u32,
    /// The first bytes of the response's body, at most [`RESPONSE_KEPT`].
    pub response: Bytes,
}

impl Attempt {
    /// Why its delivery, or the endpoint, is given up after it.
    pub fn reason_to_give_up(&self) -> String {
        match (self.n, self.outcome) {
            (_, outcome) if outcome.is_gone() => "the receiver answered 410 Gone".to_owned(),
            (1, outcome) => format!("the attempt failed: {outcome}"),
            (n, outcome) => format!("all {n} attempts failed, the last with {outcome}"),
        }
    }
}

/// What an attempt met.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// The receiver answered with this status, and asked for this much time before the next request.
    Answered { status: u16, retry_after: Option<Duration> },
    /// No usable answer came.
    Failed(ErrorKind),
}

/// Why no usable answer came.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum ErrorKind {
    /// Status line and headers did not arrive in time.
    Timeout,
    /// The connection was refused, reset or closed.
    Connect,
    /// The TLS handshake failed.
    Tls,
    /// The name has no address.
    Dns,
    /// The egress guard refused the address.
    Blocked,
    /// The answer was not HTTP that can be used.
    Protocol,
}

/// Without the response, which may repeat what was sent.
impl fmt::Debug for Attempt {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { n, at, asked, outcome, duration_ms, response } = self;
        let mut fields = f.debug_struct("Attempt");
        fields.field("n", n).field("at", at).field("asked", asked);
        fields.field("outcome", outcome).field("duration_ms", duration_ms);
        fields.field("response", &format_args!("{} bytes", response.len())).finish()
    }
}

impl Outcome {
    /// Whether the delivery succeeded: any 2xx.
    pub fn is_success(self) -> bool {
        matches!(self, Self::Answered { status: 200..=299, .. })
    }

    /// How long the receiver asked to be left alone.
    pub fn retry_after(self) -> Option<Duration> {
        match self {
            Self::Answered { retry_after, .. } => retry_after,
            Self::Failed(_) => None,
        }
    }

    /// Whether the receiver wants no more: 410.
    pub fn is_gone(self) -> bool {
        matches!(self, Self::Answered { status: 410, .. })
    }

    /// Whether it speaks against the endpoint rather than the event: no answer, 5xx or 429.
    pub fn is_unhealthy(self) -> bool {
        match self {
            Self::Answered { status, .. } => status >= 500 || status == 429,
            Self::Failed(_) => true,
        }
    }
}

impl ErrorKind {
    /// Every kind, in the order of the documentation.
    pub const ALL: [Self; 6] =
        [Self::Timeout, Self::Connect, Self::Tls, Self::Dns, Self::Blocked, Self::Protocol];

    /// Its name on the wire.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Timeout => "timeout",
            Self::Connect => "connect",
            Self::Tls => "tls",
            Self::Dns => "dns",
            Self::Blocked => "blocked",
            Self::Protocol => "protocol",
        }
    }
}

/// `status 500` or `timeout`.
impl fmt::Display for Outcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Answered { status, .. } => write!(f, "status {status}"),
            Self::Failed(kind) => f.write_str(kind.as_str()),
        }
    }
}
