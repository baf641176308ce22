//! The sections of the configuration, a struct for each table of the file, with the documented defaults.
//!
//! Which values are allowed stands in `bounds`.

use std::path::PathBuf;
use std::time::Duration;

use ipnet::IpNet;
use serde::{Deserialize, Serialize};

use super::{Hidden, duration, network};
use crate::event_type::NAME_LIMIT;
use crate::subscription::URL_LIMIT;

/// `[retry]`: when a failed delivery is attempted again.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Retry {
    /// The wait before each retry, counted from the previous failure; none at all means no retries.
    #[serde(with = "duration::list")]
    pub schedule: Vec<Duration>,
    /// The most that chance adds to a wait, in percent of it.
    pub jitter_percent: u32,
    /// The longest wait that a receiver's `Retry-After` is granted.
    #[serde(with = "duration")]
    pub retry_after_max: Duration,
}

/// `[delivery]`: one attempt, and how many run at a time.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Delivery {
    /// How long an attempt may take from its start, DNS, connecting and TLS included.
    #[serde(with = "duration")]
    pub timeout: Duration,
    /// The name of the header that carries `sha256=` and the body's HMAC.
    pub signature_header: String,
    /// Whether messages carry `svix-id`, `svix-timestamp` and `svix-signature` beside the headers of Standard Webhooks.
    pub svix_headers: bool,
    /// Attempts of one hook that run at a time.
    pub max_in_flight: usize,
    /// Attempts of all hooks together that run at a time.
    pub max_connections: usize,
    /// A PEM file of certificate authorities that receivers may have besides those of the web.
    pub ca_file: PathBuf,
    /// Whether the certificate authorities of the public web are trusted.
    pub web_authorities: bool,
    /// A PEM file of the certificate chain that receivers are shown that ask for one.
    pub client_cert_file: PathBuf,
    /// The PEM file of its private key.
    pub client_key_file: PathBuf,
}

/// `[health]`: when an endpoint counts as broken.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Health {
    /// Timeouts, connection errors, 5xx and 429 in a row after which only the oldest due delivery is attempted.
    pub probe_after: u32,
    /// The event `hookyard.backlog_exceeded` tells of hooks for which more deliveries wait; 0: never.
    pub backlog_notice: u64,
}

/// `[operator]`: the API in the dialect of Svix.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Operator {
    /// The secret that tokens of a Svix server are signed with (JWT, HS256), which count here too; none when empty.
    pub jwt_secret: Hidden,
}

/// `[egress]`: which targets hooks may have.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Egress {
    /// Whether `http://` URLs are refused.
    pub https_only: bool,
    /// Networks that may be called although they are private, loopback or otherwise special.
    #[serde(with = "network")]
    pub allow_networks: Vec<IpNet>,
    /// Networks that may not be called although they are public or allowed.
    #[serde(with = "network")]
    pub deny_networks: Vec<IpNet>,
}

/// `[events]`: what may be emitted.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Events {
    pub unknown: UnknownEvents,
    /// Whether the data of an event has to match the JSON Schema of its type, where there is one.
    pub validate: bool,
}

/// What happens to an event, or a wish to subscribe, whose type the catalogue does not declare.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum UnknownEvents {
    #[default]
    Reject,
    Accept,
}

/// `[limits]`: how much is taken in.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Limits {
    /// The longest data of one event, in bytes.
    pub data_bytes: usize,
    /// The longest body of a request to the front door, in bytes.
    pub request_bytes: usize,
    /// The most events in one batch.
    pub batch_events: usize,
    /// Accepted events that are not yet handed on; beyond that, emitters are told to come back.
    pub in_flight_events: usize,
    /// The bytes of those events.
    pub in_flight_bytes: u64,
    /// Bytes of the disk that are left free: with less, no events are accepted.
    pub disk_reserve_bytes: u64,
    /// The longest URL of a hook, in characters.
    pub url_chars: usize,
    /// The longest name of an event type, account id or idempotency key, in characters.
    pub name_chars: usize,
}

/// `[rate_limits]`: how fast the front door takes what callers send. A rate of zero is no limit.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct RateLimits {
    /// Requests of one API key.
    pub key_requests_per_second: u32,
    /// Requests of one API key that may come at once after a quiet time.
    pub key_requests_burst: u32,
    /// Events of one account.
    pub account_events_per_second: u32,
    /// Events of one account that may come at once after a quiet time.
    pub account_events_burst: u32,
    /// Requests of one network address whose API key is unknown.
    pub unknown_keys_per_second: u32,
    /// Such requests that may come at once after a quiet time.
    pub unknown_keys_burst: u32,
}

/// `[traces]`: spans for a collector of OpenTelemetry, in a build with the cargo feature `otlp`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Traces {
    /// The URL of the collector, which speaks OTLP over HTTP; spans go to `/v1/traces` below it. When empty, nothing is
    /// exported.
    pub endpoint: String,
    /// What the router is called there.
    pub service_name: String,
    /// The part of the events without a trace of their own for which one begins: 0 to 1.
    pub sample_ratio: f64,
}

/// `[shutdown]`: how the router stops.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Shutdown {
    /// How long attempts in flight may take to finish.
    #[serde(with = "duration")]
    pub grace: Duration,
}

/// `[retention]`: how much of the past is kept. What is still to be delivered is kept in any case.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Retention {
    /// How long events, attempts and dead letters are kept; zero means for ever.
    #[serde(with = "duration")]
    pub age: Duration,
    /// How many bytes of events and attempts are kept before the oldest go early; zero means any number.
    pub size_bytes: u64,
}

/// `[subscriber]`: the actor that serves a hook.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Subscriber {
    /// Waiting deliveries that it holds in memory; the rest of its backlog stays in the store.
    pub window: usize,
    /// How long it stays in memory with nothing to do.
    #[serde(with = "duration")]
    pub idle: Duration,
}

/// `[metrics]`: where they are served.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Metrics {
    /// An address for them alone, `address:port` or `name:port`; when empty, they are at `/metrics` of the front door.
    pub listen: String,
}

/// `[tls]`: the certificate of the front door; without one it is plain HTTP.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Tls {
    /// A PEM file of the certificate chain, the front door's own first.
    pub cert_file: PathBuf,
    /// The PEM file of its private key.
    pub key_file: PathBuf,
}

/// What a line of the log looks like.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum LogFormat {
    /// For people.
    #[default]
    Text,
    /// A JSON object for each.
    Json,
}

impl Default for Retry {
    fn default() -> Self {
        Self {
            schedule: [1, 5, 30].map(|minutes| Duration::from_secs(60 * minutes)).to_vec(),
            jitter_percent: 10,
            retry_after_max: Duration::from_secs(3600),
        }
    }
}

impl Default for Delivery {
    fn default() -> Self {
        Self {
            timeout: Duration::from_secs(10),
            signature_header: "x-fetchply-signature".to_owned(),
            svix_headers: true,
            max_in_flight: 32,
            max_connections: 2048,
            ca_file: PathBuf::new(),
            web_authorities: true,
            client_cert_file: PathBuf::new(),
            client_key_file: PathBuf::new(),
        }
    }
}

impl Delivery {
    /// The keys of a certificate for receivers and of its private key.
    pub(crate) const CLIENT_FILES: [&str; 2] = ["delivery.client_cert_file", "delivery.client_key_file"];
    /// The key of the authorities that receivers may have.
    pub(crate) const CA_FILE: &str = "delivery.ca_file";
}

impl Tls {
    /// The keys of the certificate and of its private key.
    pub(crate) const FILES: [&str; 2] = ["tls.cert_file", "tls.key_file"];

    /// Whether the front door speaks TLS.
    pub fn is_on(&self) -> bool {
        !self.cert_file.as_os_str().is_empty()
    }
}

impl Default for Health {
    fn default() -> Self {
        Self { probe_after: 5, backlog_notice: 10_000 }
    }
}

impl Default for Egress {
    fn default() -> Self {
        Self { https_only: true, allow_networks: Vec::new(), deny_networks: Vec::new() }
    }
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            data_bytes: 1 << 20,
            request_bytes: 16 << 20,
            batch_events: 1000,
            in_flight_events: 65_536,
            in_flight_bytes: 256 << 20,
            disk_reserve_bytes: 64 << 20,
            url_chars: URL_LIMIT,
            name_chars: NAME_LIMIT,
        }
    }
}

impl Default for RateLimits {
    fn default() -> Self {
        Self {
            key_requests_per_second: 50_000,
            key_requests_burst: 50_000,
            account_events_per_second: 100_000,
            account_events_burst: 100_000,
            unknown_keys_per_second: 10,
            unknown_keys_burst: 100,
        }
    }
}

impl Traces {
    /// The key of the collector.
    pub(crate) const ENDPOINT: &str = "traces.endpoint";
}

impl Default for Traces {
    fn default() -> Self {
        Self { endpoint: String::new(), service_name: "hookyard".to_owned(), sample_ratio: 1.0 }
    }
}

impl Default for Shutdown {
    fn default() -> Self {
        Self { grace: Duration::from_secs(10) }
    }
}

impl Default for Retention {
    fn default() -> Self {
        Self { age: Duration::from_secs(30 * 24 * 60 * 60), size_bytes: 10 << 30 }
    }
}

impl Default for Subscriber {
    fn default() -> Self {
        Self { window: 1024, idle: Duration::from_secs(10) }
    }
}
