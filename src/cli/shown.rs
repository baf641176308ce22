//! What the API shows, as far as the commands look at it. A member that a server does not send is absent here.

pub mod operator;

use serde::Deserialize;
use serde_json::value::RawValue;

/// A hook.
#[derive(Clone, Debug, Deserialize)]
pub struct Hook {
    pub id: String,
    pub url: String,
    pub event: Option<String>,
    pub status: String,
    pub created_at: String,
    pub deactivated_at: Option<String>,
    /// Why it is deactivated.
    pub reason: Option<String>,
    #[serde(default)]
    pub pending: u64,
    /// How many of them are replays that have not been attempted yet.
    #[serde(default)]
    pub replaying: u64,
    #[serde(default)]
    pub dead: u64,
    pub last_attempt_at: Option<String>,
    pub next_attempt_at: Option<String>,
    /// The names of its custom headers.
    #[serde(default)]
    pub headers: Vec<String>,
    /// What must hold of an event's data, if that is said.
    pub filter: Option<String>,
    /// How it is served, where that is not as configured.
    pub delivery: Option<Box<RawValue>>,
    /// What it shows receivers that ask who calls, if that is its own.
    pub client_certificate: Option<ClientCertificate>,
    /// Only in the answers to subscribe and rotate-secret.
    pub secret: Option<String>,
}

/// A hook's client certificate.
#[derive(Clone, Debug, Deserialize)]
pub struct ClientCertificate {
    pub fingerprint: String,
    pub not_after: String,
}

/// The attempts of the last days.
#[derive(Clone, Debug, Deserialize)]
pub struct Stats {
    pub hours: Vec<HourStats>,
}

/// The attempts of an hour.
#[derive(Clone, Debug, Deserialize)]
pub struct HourStats {
    pub at: String,
    pub attempts: u64,
    pub successes: u64,
    pub failures: u64,
}

/// An event, or the receipt of one.
#[derive(Clone, Debug, Deserialize)]
pub struct Event {
    pub id: String,
    pub event: String,
    pub timestamp: String,
    #[serde(default)]
    pub matched: u64,
    #[serde(default)]
    pub duplicate: bool,
    pub accepted_at: Option<String>,
    pub synced_at: Option<String>,
    pub trace_id: Option<String>,
    pub data: Option<Box<RawValue>>,
    #[serde(default)]
    pub deliveries: Vec<Delivery>,
}

/// One event for one hook.
#[derive(Clone, Debug, Deserialize)]
pub struct Delivery {
    pub id: String,
    pub event_id: Option<String>,
    pub hook_id: Option<String>,
    pub url: Option<String>,
    pub event: Option<String>,
    pub status: String,
    #[serde(default)]
    pub attempts: u32,
    pub next_attempt_at: Option<String>,
    pub last_status: Option<u16>,
    pub last_error: Option<String>,
    pub created_at: Option<String>,
    #[serde(default)]
    pub attempt_log: Vec<Attempt>,
}

/// One request.
#[derive(Clone, Debug, Deserialize)]
pub struct Attempt {
    pub n: Option<u32>,
    pub at: Option<String>,
    pub status: Option<u16>,
    pub error: Option<String>,
    pub duration_ms: Option<u64>,
    /// The first bytes of the response.
    pub response: Option<String>,
}

/// An API key's record; the key itself only when it has just been made.
#[derive(Clone, Debug, Deserialize)]
pub struct Key {
    pub id: String,
    pub account: String,
    pub scopes: Vec<String>,
    pub name: Option<String>,
    pub created_at: String,
    pub last_used_at: Option<String>,
    pub key: Option<String>,
}

/// An account.
#[derive(Clone, Debug, Deserialize)]
pub struct Account {
    pub id: String,
    pub created_at: String,
    /// How long the data of its events is kept, where that is said of it.
    pub retention: Option<String>,
}

/// An entry of the catalogue.
#[derive(Clone, Debug, Deserialize)]
pub struct EventType {
    pub name: String,
    pub description: Option<String>,
    pub example: Option<Box<RawValue>>,
}

/// How much was removed.
#[derive(Clone, Debug, Deserialize)]
pub struct Deleted {
    pub deleted: u64,
}

/// How many deliveries a replay or a retry put in the queue.
#[derive(Clone, Debug, Deserialize)]
pub struct Queued {
    pub queued: u64,
}
