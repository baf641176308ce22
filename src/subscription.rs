//! Subscriptions: the record of who wants which events, where, and under which secret.

pub(crate) mod client_certificate;
mod headers;
mod policy;

use std::borrow::Cow;
use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

use base64::Engine;
use base64::engine::general_purpose::STANDARD as BASE64;
use ring::signature::{Ed25519KeyPair, KeyPair};
use serde::{Deserialize, Serialize};
use subtle::ConstantTimeEq;
use url::Url;
use zeroize::Zeroizing;

use crate::clock::Timestamp;
use crate::condition::Condition;
use crate::event::Recorded;
use crate::filter::Filter;
use crate::id::{AccountNo, HookId, SubscriptionNo};
use crate::label::{Metadata, Uid};

pub use client_certificate::{
    CHAIN_LIMIT, CREDENTIAL_BYTES_LIMIT, ClientCertificate, NotAClientCertificate, PEM_BYTES_LIMIT,
};
pub use headers::{CustomHeaders, HEADER_BYTES_LIMIT, HEADERS_LIMIT, NotHeaders};
pub use policy::{
    CONCURRENCY, Deactivate, DeliveryPolicy, NotADeliveryPolicy, Ordering, Poison, RETRIES_LIMIT, TIMEOUTS,
    WAITS,
};

/// The longest URL, in characters.
pub const URL_LIMIT: usize = 2048;

/// Counts the lives of a subscription: deactivating it ends one.
///
/// Deliveries carry the generation in which they were made; those of an ended one are dead letters.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Generation(pub u32);

/// A subscription that an event matched, in the generation in which it did.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Match {
    pub subscription: SubscriptionNo,
    pub generation: Generation,
}

/// The subscriptions that an event matched, by number; shared, never copied per event.
pub type Matches = Arc<Vec<Match>>;

/// Who wants what, where. The hooks API calls it a hook.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Subscription {
    pub no: SubscriptionNo,
    pub id: HookId,
    pub account: AccountNo,
    pub url: EndpointUrl,
    pub filter: Filter,
    /// What must hold of an event's data besides.
    pub condition: Option<Condition>,
    pub envelope: Envelope,
    pub secret: Secret,
    /// The secrets before, newest first, which requests are also signed with until then.
    pub previous_secrets: Vec<PreviousSecret>,
    /// What its requests carry beside the headers that are ours.
    pub headers: CustomHeaders,
    /// What its requests show to a receiver that asks who calls, instead of what the configuration says.
    pub client_certificate: Option<ClientCertificate>,
    pub status: Status,
    /// The current life; new deliveries are made in it.
    pub generation: Generation,
    /// The first life whose deliveries still count; those of earlier ones are dead letters.
    pub floor: Generation,
    pub profile: Profile,
    pub delivery: DeliveryPolicy,
    pub created_at: Timestamp,
    /// When it was last changed by its owner.
    pub updated_at: Timestamp,
}

/// What its requests carry for a body, and what they call the event.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Envelope {
    /// The documented object of event, timestamp and data; the event has the id `evt_…`.
    #[default]
    Documented,
    /// The event's data alone; it has the id `msg_…`.
    Payload,
}

/// What a subscription's owner says of it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Profile {
    /// What else it may be called by; no two of an account have the same.
    pub uid: Option<Uid>,
    /// For people.
    pub description: String,
    pub metadata: Metadata,
}

/// Where a subscription stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Status {
    /// It matches and delivers.
    Active,
    /// It matches, and what it matched waits.
    Paused,
    /// It was given up: it matches nothing, and what it had not delivered is dead letters.
    Deactivated { at: Timestamp, reason: String },
}

/// Where events go: an absolute `http` or `https` URL without userinfo.
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct EndpointUrl {
    sent: Box<str>,
    url: Url,
}

/// What requests are signed with: `whsec_` and base64 of 24 to 64 bytes, or 16 to 128 visible ASCII characters, which the
/// receiver has too; or `whsk_` and base64 of an ed25519 key, of which it has the public half alone, `whpk_…`.
#[derive(Clone)]
pub struct Secret(Zeroizing<String>);

/// A secret that was rotated out, and until when requests are still signed with it too.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PreviousSecret {
    pub secret: Secret,
    pub until: Timestamp,
}

/// The text is no URL that a hook can have; says why.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NotAnEndpoint {
    #[error("url has more than {URL_LIMIT} characters")]
    TooLong,
    #[error("url is not an absolute URL: {0}")]
    Unreadable(#[from] url::ParseError),
    #[error("url must begin with https:// or http://")]
    Scheme,
    #[error("url must not hold a user name or password")]
    Userinfo,
    #[error("url must name a host")]
    NoHost,
}

/// The text is no secret.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "secret must be whsec_ and base64 of 24 to 64 bytes, whsk_ and base64 of an ed25519 key, or 16 to 128 visible ASCII \
     characters"
)]
pub struct NotASecret;

/// Why a subscription is deactivated whose owner turned it off.
pub const TURNED_OFF: &str = "turned off by its owner";
/// How many secrets a subscription may have had before that still sign.
pub const PREVIOUS_SECRETS_LIMIT: usize = 10;
/// What a secret begins with when base64 of its bytes follows (Standard Webhooks).
pub const SECRET_PREFIX: &str = "whsec_";
/// What the private half of an ed25519 key begins with (Standard Webhooks).
pub const SIGNING_PREFIX: &str = "whsk_";
/// What its public half begins with.
pub const VERIFYING_PREFIX: &str = "whpk_";
/// Bytes of the seed of an ed25519 key; its public half may follow, and has as many.
const SEED_BYTES: usize = 32;
/// 24 bytes need no padding in base64.
const GENERATED_SECRET_BYTES: usize = 24;

impl Subscription {
    /// Whether it wants an event as it is now.
    pub fn wants(&self, event: &Recorded) -> bool {
        let holds = |condition: &Condition| condition.holds_of_bytes(event.body.data());
        self.filter.matches(&event.event_type, event.channels()) && self.condition.as_ref().is_none_or(holds)
    }

    /// Whether a delivery made in `generation` is still to be delivered; else it is a dead letter.
    pub fn is_live(&self, generation: Generation) -> bool {
        generation >= self.floor && !matches!(self.status, Status::Deactivated { .. })
    }
}

impl Status {
    /// Its name on the wire.
    pub fn as_str(&self) -> &'static str {
        match self {
            Self::Active => "active",
            Self::Paused => "paused",
            Self::Deactivated { .. } => "deactivated",
        }
    }
}

impl Generation {
    /// The life that follows.
    pub fn next(self) -> Self {
        Self(self.0 + 1)
    }
}

impl EndpointUrl {
    /// The URL as its owner wrote it.
    pub fn as_sent(&self) -> &str {
        &self.sent
    }

    /// The URL as WHATWG serialises it: equal for URLs that are the same endpoint.
    pub fn normalized(&self) -> &str {
        self.url.as_str()
    }

    /// The parsed URL.
    pub fn url(&self) -> &Url {
        &self.url
    }

    /// Host and port, `example.com:443`: endpoints that share it share connections.
    pub fn authority(&self) -> String {
        let port = self.url.port_or_known_default().unwrap_or_default();
        format!("{}:{port}", self.url.host_str().unwrap_or_default())
    }
}

impl FromStr for EndpointUrl {
    type Err = NotAnEndpoint;

    fn from_str(text: &str) -> Result<Self, NotAnEndpoint> {
        if text.chars().take(URL_LIMIT + 1).count() > URL_LIMIT {
            return Err(NotAnEndpoint::TooLong);
        }
        let url = Url::parse(text)?;
        if !matches!(url.scheme(), "http" | "https") {
            return Err(NotAnEndpoint::Scheme);
        }
        if !url.username().is_empty() || url.password().is_some() {
            return Err(NotAnEndpoint::Userinfo);
        }
        if url.host_str().is_none_or(str::is_empty) {
            return Err(NotAnEndpoint::NoHost);
        }
        Ok(Self { sent: text.into(), url })
    }
}

impl fmt::Debug for EndpointUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.sent)
    }
}

impl Secret {
    /// A new random secret: `whsec_` and 24 bytes in base64.
    pub fn generate() -> Self {
        let bytes: [u8; GENERATED_SECRET_BYTES] = rand::random();
        Self(Zeroizing::new(format!("{SECRET_PREFIX}{}", BASE64.encode(bytes))))
    }

    /// The secret in clear, for its owner alone.
    pub fn reveal(&self) -> &str {
        &self.0
    }

    /// What a receiver verifies with, in clear: the secret itself, or the public half of a key.
    pub fn shown(&self) -> Cow<'_, str> {
        match self.key_pair() {
            None => Cow::Borrowed(&self.0),
            Some(pair) => {
                let public = BASE64.encode(pair.public_key());
                Cow::Owned(format!("{VERIFYING_PREFIX}{public}"))
            }
        }
    }

    /// The ed25519 key that it is, if it is one.
    pub(crate) fn key_pair(&self) -> Option<Ed25519KeyPair> {
        key_pair(self.0.strip_prefix(SIGNING_PREFIX)?)
    }
}

/// The ed25519 key of this base64: a seed, or a seed and the public half that belongs to it.
fn key_pair(encoded: &str) -> Option<Ed25519KeyPair> {
    let bytes = Zeroizing::new(BASE64.decode(encoded).ok()?);
    let (seed, public) = bytes.split_at_checked(SEED_BYTES)?;
    match public {
        [] => Ed25519KeyPair::from_seed_unchecked(seed).ok(),
        public => Ed25519KeyPair::from_seed_and_public_key(seed, public).ok(),
    }
}

impl FromStr for Secret {
    type Err = NotASecret;

    fn from_str(text: &str) -> Result<Self, NotASecret> {
        let shared = text.strip_prefix(SECRET_PREFIX);
        let good = match (shared, text.strip_prefix(SIGNING_PREFIX)) {
            (Some(encoded), _) => BASE64.decode(encoded).is_ok_and(|bytes| (24..=64).contains(&bytes.len())),
            (None, Some(encoded)) => key_pair(encoded).is_some(),
            (None, None) => {
                (16..=128).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_graphic())
            }
        };
        if !good {
            return Err(NotASecret);
        }
        Ok(Self(Zeroizing::new(text.to_owned())))
    }
}

/// In constant time: a caller's secret may be compared with one that is kept.
impl PartialEq for Secret {
    fn eq(&self, other: &Self) -> bool {
        self.0.as_bytes().ct_eq(other.0.as_bytes()).into()
    }
}

impl Eq for Secret {}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret(***)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn urls_that_serialise_alike_are_one_endpoint() {
        let url = |text: &str| text.parse::<EndpointUrl>().unwrap();
        let (plain, spelled) = (url("https://example.com/a"), url("HTTPS://EXAMPLE.com:443/./a"));
        assert_eq!(plain.normalized(), spelled.normalized());
        assert_eq!(spelled.as_sent(), "HTTPS://EXAMPLE.com:443/./a");
        assert_eq!(spelled.authority(), "example.com:443");
    }

    #[test]
    fn a_url_says_why_it_is_refused() {
        let refused = |text: &str| text.parse::<EndpointUrl>().unwrap_err();
        assert_eq!(refused("ftp://example.com"), NotAnEndpoint::Scheme);
        assert_eq!(refused("https://user@example.com"), NotAnEndpoint::Userinfo);
        assert_eq!(refused(&format!("https://example.com/{}", "a".repeat(2048))), NotAnEndpoint::TooLong);
        assert!(matches!(refused("example.com"), NotAnEndpoint::Unreadable(_)));
    }

    #[test]
    fn a_secret_is_whsec_or_plain_and_never_shown() {
        assert!("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw".parse::<Secret>().is_ok());
        assert!("sixteen-visible!".parse::<Secret>().is_ok());
        for bad in ["whsec_!!", "whsec_c2hvcnQ=", "short", "with a space in it", &"a".repeat(129)] {
            assert_eq!(bad.parse::<Secret>(), Err(NotASecret), "{bad}");
        }
        let pair = "whsk_nWGxne/9WmC6hEr0kuwsxERJxWl7MmkZcDusAxyuf2A=".parse::<Secret>().unwrap();
        // The first test vector of RFC 8032, 7.1.
        assert_eq!(pair.shown(), "whpk_11qYAYKxCrfVS/7TyWQHOg7hcvPapiMlrwIaaPcHURo=");
        assert_eq!("whsk_c2hvcnQ=".parse::<Secret>(), Err(NotASecret));
        let other_half =
            "whsk_nWGxne/9WmC6hEr0kuwsxERJxWl7MmkZcDusAxyuf2DXWpgBgrEKt9VL/tPJZAc6DuFy89qmIyWvAhpo9wdRGw==";
        assert_eq!(other_half.parse::<Secret>(), Err(NotASecret));
        let secret = Secret::generate();
        assert_eq!(secret.shown(), secret.reveal());
        assert_eq!(secret.reveal().parse(), Ok(secret.clone()));
        assert!(!secret.reveal().contains('='));
        assert_eq!(format!("{secret:?}"), "Secret(***)");
    }
}
