//! Which values the keys may have, and which must fit each other.

use std::collections::HashSet;
use std::fmt::Display;
use std::net::SocketAddr;
use std::ops::RangeInclusive;
use std::path::Path;
use std::time::Duration;

use url::Url;

use super::duration::written;
use super::{Catalogue, Config, Delivery, Egress, Error, Events, Health, Limits, Operator};
use super::{Metrics, RateLimits, Retention, Retry, Shutdown, Subscriber, Tls, Traces, UnknownEvents};
use crate::event_type::{EventType, NAME_LIMIT, OWN_PREFIX};
use crate::schema::Schema;
use crate::subscription::{CONCURRENCY, RETRIES_LIMIT, TIMEOUTS, URL_LIMIT, WAITS};

const SECOND: Duration = Duration::from_secs(1);
const MINUTE: Duration = Duration::from_secs(60);
const DAY: Duration = Duration::from_secs(24 * 60 * 60);
/// The finest time that the router keeps.
const MILLISECOND: Duration = Duration::from_millis(1);

const LISTENABLE: &str = r#"an address and a port such as "127.0.0.1:8080", "[::]:8080" or "localhost:8080""#;
/// How many bytes a secret of tokens has: it must not be guessed.
const JWT_SECRET_LENGTH: RangeInclusive<usize> = 16..=1024;
/// Sixteen random characters of 62 are 95 bits.
const ADMIN_KEY_LENGTH: RangeInclusive<usize> = 16..=512;
/// Enough to tell keys apart, little enough to type.
const KEY_PREFIX_LIMIT: usize = 16;
/// From some hundred events to more than fits a disk.
const RETAINED_BYTES: RangeInclusive<u64> = 64 << 10..=1 << 50;
/// More than one machine answers.
const RATES: RangeInclusive<u32> = 0..=10_000_000;
const BURST_LIMIT: u32 = 1 << 24;
const NETWORKS_LIMIT: usize = 1024;
const EVENT_TYPES_LIMIT: usize = 10_000;

/// Headers that the delivered request has anyway, or that belong to the connection (RFC 9110, 7.6.1).
const TAKEN_HEADERS: [&str; 26] = [
    "accept",
    "accept-encoding",
    "authorization",
    "connection",
    "content-encoding",
    "content-length",
    "content-type",
    "cookie",
    "date",
    "expect",
    "host",
    "keep-alive",
    "proxy-authorization",
    "proxy-connection",
    "te",
    "traceparent",
    "tracestate",
    "trailer",
    "transfer-encoding",
    "upgrade",
    "user-agent",
    "webhook-id",
    "webhook-sequence",
    "webhook-signature",
    "webhook-test",
    "webhook-timestamp",
];

impl Config {
    /// Checks every value against its bounds, and those that must fit each other.
    ///
    /// # Errors
    /// The first value that is not allowed.
    pub fn validate(&self) -> Result<(), Error> {
        self.own()?;
        self.tls.validate()?;
        self.retry.validate()?;
        self.delivery.validate()?;
        self.health.validate()?;
        self.egress.validate()?;
        self.encryption.validate()?;
        self.operator.validate()?;
        self.limits.validate()?;
        self.rate_limits.validate(&self.limits)?;
        self.metrics.validate()?;
        self.traces.validate()?;
        self.shutdown.validate()?;
        self.retention.validate()?;
        self.subscriber.validate()?;
        self.event_types.validate(&self.events, &self.limits)
    }

    fn own(&self) -> Result<(), Error> {
        if !is_listenable(&self.listen) {
            return Err(Error::value("listen", format!("{:?}", self.listen), LISTENABLE));
        }
        if !self.public_url.is_empty() && !is_public_url(&self.public_url) {
            let allowed = r#"empty, or a URL such as "https://example.com" or "https://example.com/hookyard", without query"#;
            return Err(Error::value("public_url", format!("{:?}", self.public_url), allowed));
        }
        if self.data_dir.as_os_str().is_empty() {
            return Err(Error::value("data_dir", "\"\"", "the path of a directory"));
        }
        if !self.admin_key_file.as_os_str().is_empty() {
            let allowed = "a file when loading; in code, set admin_key";
            return Err(Error::value("admin_key_file", format!("{:?}", self.admin_key_file), allowed));
        }
        if !self.admin_key.is_empty() && !is_admin_key(self.admin_key.reveal()) {
            let (least, most) = (ADMIN_KEY_LENGTH.start(), ADMIN_KEY_LENGTH.end());
            let allowed = format!("{least} to {most} visible ASCII characters, no spaces");
            return Err(Error::value("admin_key", "", allowed));
        }
        if self.key_prefix.len() > KEY_PREFIX_LIMIT || !self.key_prefix.bytes().all(is_word) {
            let allowed = format!("up to {KEY_PREFIX_LIMIT} of A-Z a-z 0-9 _ -");
            return Err(Error::value("key_prefix", format!("{:?}", self.key_prefix), allowed));
        }
        within("workers", self.workers, 0..=512)
    }
}

impl Retry {
    fn validate(&self) -> Result<(), Error> {
        if self.schedule.len() > RETRIES_LIMIT {
            let value = format!("[… {} waits]", self.schedule.len());
            return Err(Error::value("retry.schedule", value, format!("up to {RETRIES_LIMIT} waits")));
        }
        for (index, &wait) in self.schedule.iter().enumerate() {
            lasts(&format!("retry.schedule[{index}]"), wait, WAITS)?;
        }
        within("retry.jitter_percent", self.jitter_percent, 0..=100)?;
        lasts("retry.retry_after_max", self.retry_after_max, Duration::ZERO..=30 * DAY)
    }
}

impl Delivery {
    fn validate(&self) -> Result<(), Error> {
        lasts("delivery.timeout", self.timeout, TIMEOUTS)?;
        let name = &self.signature_header;
        let taken = TAKEN_HEADERS.iter().any(|taken| taken.eq_ignore_ascii_case(name));
        if taken || !(1..=64).contains(&name.len()) || !name.bytes().all(is_word) {
            let allowed = "a header name of 1 to 64 of A-Z a-z 0-9 _ - that the request does not have anyway";
            return Err(Error::value("delivery.signature_header", format!("{name:?}"), allowed));
        }
        let (least, most) = (*CONCURRENCY.start() as usize, *CONCURRENCY.end() as usize);
        within("delivery.max_in_flight", self.max_in_flight, least..=most)?;
        within("delivery.max_connections", self.max_connections, 1..=65_536)?;
        if !self.web_authorities && self.ca_file.as_os_str().is_empty() {
            let allowed = "true where no delivery.ca_file says whom else to trust";
            return Err(Error::value("delivery.web_authorities", false, allowed));
        }
        both(Delivery::CLIENT_FILES, [&self.client_cert_file, &self.client_key_file])
    }
}

impl Tls {
    fn validate(&self) -> Result<(), Error> {
        both(Tls::FILES, [&self.cert_file, &self.key_file])
    }
}

impl Operator {
    fn validate(&self) -> Result<(), Error> {
        let length = self.jwt_secret.reveal().len();
        if self.jwt_secret.is_empty() || JWT_SECRET_LENGTH.contains(&length) {
            return Ok(());
        }
        let (least, most) = (JWT_SECRET_LENGTH.start(), JWT_SECRET_LENGTH.end());
        Err(Error::value("operator.jwt_secret", "", format!("{least} to {most} bytes")))
    }
}

impl Health {
    fn validate(&self) -> Result<(), Error> {
        within("health.probe_after", self.probe_after, 1..=1000)
    }
}

impl Egress {
    fn validate(&self) -> Result<(), Error> {
        let lists =
            [("egress.allow_networks", &self.allow_networks), ("egress.deny_networks", &self.deny_networks)];
        match lists.into_iter().find(|(_, networks)| networks.len() > NETWORKS_LIMIT) {
            Some((key, networks)) => {
                let value = format!("[… {} networks]", networks.len());
                Err(Error::value(key, value, format!("up to {NETWORKS_LIMIT} networks")))
            }
            None => Ok(()),
        }
    }
}

impl Limits {
    fn validate(&self) -> Result<(), Error> {
        within("limits.data_bytes", self.data_bytes, 1..=16 << 20)?;
        within("limits.request_bytes", self.request_bytes, self.data_bytes..=256 << 20)?;
        within("limits.batch_events", self.batch_events, 1..=10_000)?;
        // Less could never take in a full batch or a full request, however long its emitter waits.
        within("limits.in_flight_events", self.in_flight_events, self.batch_events..=1 << 24)?;
        within("limits.in_flight_bytes", self.in_flight_bytes, self.request_bytes as u64..=1 << 36)?;
        within("limits.disk_reserve_bytes", self.disk_reserve_bytes, 0..=1 << 40)?;
        within("limits.url_chars", self.url_chars, 16..=URL_LIMIT)?;
        within("limits.name_chars", self.name_chars, 16..=NAME_LIMIT)
    }
}

impl RateLimits {
    fn validate(&self, limits: &Limits) -> Result<(), Error> {
        within("rate_limits.key_requests_per_second", self.key_requests_per_second, RATES)?;
        within("rate_limits.key_requests_burst", self.key_requests_burst, 1..=BURST_LIMIT)?;
        within("rate_limits.account_events_per_second", self.account_events_per_second, RATES)?;
        // Less could never take in a full batch, however long its emitter waits.
        let least = limits.batch_events as u32;
        within("rate_limits.account_events_burst", self.account_events_burst, least..=BURST_LIMIT)?;
        within("rate_limits.unknown_keys_per_second", self.unknown_keys_per_second, RATES)?;
        within("rate_limits.unknown_keys_burst", self.unknown_keys_burst, 1..=BURST_LIMIT)
    }
}

impl Metrics {
    fn validate(&self) -> Result<(), Error> {
        if !self.listen.is_empty() && !is_listenable(&self.listen) {
            let allowed = format!("{LISTENABLE}, or nothing");
            return Err(Error::value("metrics.listen", format!("{:?}", self.listen), allowed));
        }
        Ok(())
    }
}

impl Traces {
    fn validate(&self) -> Result<(), Error> {
        let refused = |allowed| Err(Error::value(Traces::ENDPOINT, format!("{:?}", self.endpoint), allowed));
        if !self.endpoint.is_empty() && !is_public_url(&self.endpoint) {
            return refused(r#"empty, or a URL such as "http://127.0.0.1:4318", without query"#);
        }
        if !self.endpoint.is_empty() && !cfg!(feature = "otlp") {
            return refused("empty: this build exports no spans; one with the cargo feature otlp does");
        }
        let length = self.service_name.chars().count();
        if !(1..=NAME_LIMIT).contains(&length) || self.service_name.contains(char::is_control) {
            let allowed = format!("1 to {NAME_LIMIT} characters, no control characters");
            return Err(Error::value("traces.service_name", format!("{:?}", self.service_name), allowed));
        }
        within("traces.sample_ratio", self.sample_ratio, 0.0..=1.0)
    }
}

impl Shutdown {
    fn validate(&self) -> Result<(), Error> {
        lasts("shutdown.grace", self.grace, Duration::ZERO..=10 * MINUTE)
    }
}

impl Retention {
    fn validate(&self) -> Result<(), Error> {
        let ages = SECOND..=10 * 365 * DAY;
        if !self.age.is_zero() && !ages.contains(&self.age) {
            let allowed = format!("{} to {}, or 0s for ever", written(*ages.start()), written(*ages.end()));
            return Err(Error::value("retention.age", format!("\"{}\"", written(self.age)), allowed));
        }
        if self.size_bytes != 0 && !RETAINED_BYTES.contains(&self.size_bytes) {
            let (least, most) = (RETAINED_BYTES.start(), RETAINED_BYTES.end());
            let allowed = format!("{least} to {most}, or 0 for any number");
            return Err(Error::value("retention.size_bytes", self.size_bytes, allowed));
        }
        Ok(())
    }
}

impl Subscriber {
    fn validate(&self) -> Result<(), Error> {
        within("subscriber.window", self.window, 1..=65_536)?;
        lasts("subscriber.idle", self.idle, MILLISECOND..=DAY)
    }
}

impl Catalogue {
    fn validate(&self, events: &Events, limits: &Limits) -> Result<(), Error> {
        if self.is_empty() && events.unknown == UnknownEvents::Reject {
            let allowed = "at least one event type, unless events.unknown = \"accept\"";
            return Err(Error::value("event_type", "[]", allowed));
        }
        if self.len() > EVENT_TYPES_LIMIT {
            let value = format!("[… {} event types]", self.len());
            return Err(Error::value("event_type", value, format!("up to {EVENT_TYPES_LIMIT} event types")));
        }
        let mut seen = HashSet::new();
        for (index, spec) in self.iter().enumerate() {
            let name = spec.name.as_str();
            let refused = |allowed: String| {
                Err(Error::value(format!("event_type[{index}].name"), format!("{name:?}"), allowed))
            };
            if name.parse::<EventType>().is_err() || name.chars().count() > limits.name_chars {
                return refused(format!("1 to {} characters, no control characters", limits.name_chars));
            }
            if name.starts_with(OWN_PREFIX) {
                return refused(format!("names that do not begin with {OWN_PREFIX}"));
            }
            if !seen.insert(name) {
                return refused("a name that is not declared twice".to_owned());
            }
            if spec.schema.as_ref().is_some_and(|schema| !schema.is_object() && !schema.is_boolean()) {
                let key = format!("event_type[{index}].schema");
                return Err(Error::value(key, format!("of {name:?}"), "a table that is a JSON Schema"));
            }
            let schema = spec.schema.as_ref().map(Schema::new).transpose();
            let schema = schema.map_err(|why| {
                let key = format!("event_type[{index}].schema");
                Error::value(key, format!("of {name:?}"), format!("a JSON Schema; {why}"))
            })?;
            // Without one it is null, and says nothing of its data.
            if let Some(schema) = schema.filter(|_| !spec.example.is_null()) {
                schema.check(&spec.example).map_err(|mismatch| {
                    let key = format!("event_type[{index}].example");
                    Error::value(key, format!("of {name:?}"), format!("what matches its schema; {mismatch}"))
                })?;
            }
        }
        Ok(())
    }
}

/// A certificate is of no use without its key, nor a key without its certificate.
fn both(keys: [&str; 2], files: [&Path; 2]) -> Result<(), Error> {
    let named = files.map(|file| !file.as_os_str().is_empty());
    let missing = match named {
        [true, false] => 1,
        [false, true] => 0,
        _ => return Ok(()),
    };
    Err(Error::value(keys[missing], "\"\"", format!("a file, as {} names one", keys[1 - missing])))
}

fn within<T: PartialOrd + Display>(key: &str, value: T, allowed: RangeInclusive<T>) -> Result<(), Error> {
    if allowed.contains(&value) {
        return Ok(());
    }
    Err(Error::value(key, value, format!("{} to {}", allowed.start(), allowed.end())))
}

fn lasts(key: &str, value: Duration, allowed: RangeInclusive<Duration>) -> Result<(), Error> {
    if allowed.contains(&value) {
        return Ok(());
    }
    let bounds = format!("{} to {}", written(*allowed.start()), written(*allowed.end()));
    Err(Error::value(key, format!("\"{}\"", written(value)), bounds))
}

/// Whether this can be an address or a name with a port; whether the name leads anywhere shows when it is bound.
fn is_listenable(text: &str) -> bool {
    let name_and_port = |(name, port): (&str, &str)| {
        let good = |byte: u8| byte.is_ascii_alphanumeric() || b".-_".contains(&byte);
        !name.is_empty() && name.bytes().all(good) && port.parse::<u16>().is_ok()
    };
    text.parse::<SocketAddr>().is_ok() || text.rsplit_once(':').is_some_and(name_and_port)
}

/// Whether paths can be put behind this to make URLs that lead here.
fn is_public_url(text: &str) -> bool {
    let leads_here = |url: Url| {
        let is_bare = url.query().is_none() && url.fragment().is_none();
        let is_anonymous = url.username().is_empty() && url.password().is_none();
        matches!(url.scheme(), "http" | "https") && url.has_host() && is_bare && is_anonymous
    };
    text.len() <= URL_LIMIT && text.contains("://") && Url::parse(text).is_ok_and(leads_here)
}

fn is_admin_key(text: &str) -> bool {
    ADMIN_KEY_LENGTH.contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_graphic())
}

fn is_word(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || byte == b'_' || byte == b'-'
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_public_url_can_have_paths_behind_it() {
        for good in ["https://example.com", "http://[::1]:8080/", "https://example.com/a/b/"] {
            assert!(is_public_url(good), "{good}");
        }
        for bad in [
            "example.com",
            "https:example.com",
            "https://",
            "ftp://example.com",
            "https://example.com/?a",
            "https://example.com/#a",
            "https://user@example.com",
            "/hooks",
        ] {
            assert!(!is_public_url(bad), "{bad}");
        }
    }
}
