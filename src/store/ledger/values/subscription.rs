//! The value of a subscription.

use serde::{Deserialize, Serialize};

use super::confidential::{ConfidentialV1, Secrets, SecretsV1};
use super::{V1, V2, V3, decode_as, encode_as, version};
use crate::clock::Timestamp;
use crate::encryption::{Fingerprint, Keyring};
use crate::event_type::EventType;
use crate::filter::Filter;
use crate::id::{AccountNo, HookId, Nonce, Seal, SubscriptionNo};
use crate::store::Error;
use crate::subscription::{EndpointUrl, Generation, Status, Subscription};

#[derive(Deserialize)]
struct SubscriptionV1 {
    nonce: Nonce,
    url: String,
    event_types: Vec<String>,
    secret: String,
    status: StatusV1,
    generation: u32,
    floor: u32,
    created_ms: u64,
}

/// Since secrets are rotated.
#[derive(Deserialize)]
struct SubscriptionV2 {
    nonce: Nonce,
    url: String,
    event_types: Vec<String>,
    secret: String,
    /// The secret before it, and until when it counts, in milliseconds since the epoch.
    previous: Option<(String, u64)>,
    status: StatusV1,
    generation: u32,
    floor: u32,
    created_ms: u64,
}

/// Since there are custom headers.
#[derive(Serialize, Deserialize)]
struct SubscriptionV3 {
    nonce: Nonce,
    url: String,
    event_types: Vec<String>,
    status: StatusV1,
    generation: u32,
    floor: u32,
    created_ms: u64,
    confidential: ConfidentialV1,
}

#[derive(Serialize, Deserialize)]
enum StatusV1 {
    Active,
    Paused,
    Deactivated { at_ms: u64, reason: String },
}

impl From<SubscriptionV1> for SubscriptionV2 {
    fn from(stored: SubscriptionV1) -> Self {
        let SubscriptionV1 { nonce, url, event_types, secret, status, generation, floor, created_ms } =
            stored;
        Self { nonce, url, event_types, secret, previous: None, status, generation, floor, created_ms }
    }
}

impl From<SubscriptionV2> for SubscriptionV3 {
    fn from(stored: SubscriptionV2) -> Self {
        let SubscriptionV2 {
            nonce,
            url,
            event_types,
            secret,
            previous,
            status,
            generation,
            floor,
            created_ms,
        } = stored;
        let confidential = ConfidentialV1::Clear(SecretsV1::without_headers(secret, previous));
        Self { nonce, url, event_types, status, generation, floor, created_ms, confidential }
    }
}

/// A subscription's place in the store, the seal of its id, and the keys to what is confidential of it.
pub struct SubscriptionKey<'a> {
    pub account: AccountNo,
    pub no: SubscriptionNo,
    pub seal: &'a Seal,
    pub keyring: &'a Keyring,
}

/// What is not confidential of a subscription, as far as it is needed without the keys.
pub struct Outline {
    pub url: EndpointUrl,
    pub filter: Filter,
}

/// Encodes a subscription; its nonce is found with the seal, and what is confidential is sealed under the current key.
pub fn encode_subscription(subscription: &Subscription, seal: &Seal, keyring: &Keyring) -> Vec<u8> {
    let event_types = subscription.filter.event_types().iter().map(ToString::to_string).collect();
    let nonce = seal.open(&subscription.id).1;
    let url = subscription.url.as_sent();
    let place = place(subscription.account, subscription.no, &nonce, url);
    let stored = SubscriptionV3 {
        nonce,
        url: url.to_owned(),
        event_types,
        status: match &subscription.status {
            Status::Active => StatusV1::Active,
            Status::Paused => StatusV1::Paused,
            Status::Deactivated { at, reason } => {
                StatusV1::Deactivated { at_ms: at.0, reason: reason.clone() }
            }
        },
        generation: subscription.generation.0,
        floor: subscription.floor.0,
        created_ms: subscription.created_at.0,
        confidential: ConfidentialV1::of(subscription, &place, keyring),
    };
    encode_as(V3, &stored)
}

/// Decodes a subscription.
pub fn decode_subscription(bytes: &[u8], key: SubscriptionKey<'_>) -> Result<Subscription, Error> {
    let stored = decode_stored(bytes)?;
    let place = place(key.account, key.no, &stored.nonce, &stored.url);
    let Secrets { secret, previous, headers } = stored.confidential.load(&place, key.keyring)?;
    let id: HookId = key.seal.close(key.no.0, stored.nonce);
    Ok(Subscription {
        no: key.no,
        id,
        account: key.account,
        url: stored.url.parse().map_err(Error::damaged)?,
        filter: filter(&stored.event_types)?,
        secret,
        previous_secret: previous,
        headers,
        status: match stored.status {
            StatusV1::Active => Status::Active,
            StatusV1::Paused => Status::Paused,
            StatusV1::Deactivated { at_ms, reason } => Status::Deactivated { at: Timestamp(at_ms), reason },
        },
        generation: Generation(stored.generation),
        floor: Generation(stored.floor),
        created_at: Timestamp(stored.created_ms),
    })
}

/// Decodes what is not confidential of a subscription; the rest must only look as if it could be.
pub fn decode_outline(bytes: &[u8]) -> Result<Outline, Error> {
    let stored = decode_stored(bytes)?;
    if !stored.confidential.seems_whole() {
        return Err(Error::damaged("secrets that break their rules"));
    }
    Ok(Outline { url: stored.url.parse().map_err(Error::damaged)?, filter: filter(&stored.event_types)? })
}

/// The key under which the confidential part of a subscription is sealed, if it is.
pub fn sealed_under(bytes: &[u8]) -> Result<Option<Fingerprint>, Error> {
    Ok(decode_stored(bytes)?.confidential.sealed_under())
}

fn decode_stored(bytes: &[u8]) -> Result<SubscriptionV3, Error> {
    Ok(match version(bytes)? {
        V1 => SubscriptionV2::from(decode_as::<SubscriptionV1>(V1, bytes)?).into(),
        V2 => decode_as::<SubscriptionV2>(V2, bytes)?.into(),
        _ => decode_as(V3, bytes)?,
    })
}

fn filter(names: &[String]) -> Result<Filter, Error> {
    let event_types: Result<Vec<EventType>, _> = names.iter().map(|name| name.parse()).collect();
    Ok(Filter::of(event_types.map_err(Error::damaged)?))
}

/// What a seal is bound to: the one subscription, and where its requests go. Who can write to the disk can neither move
/// what is sealed to another hook nor send it to another URL.
fn place(account: AccountNo, no: SubscriptionNo, nonce: &Nonce, url: &str) -> Vec<u8> {
    let (account, no) = (account.0.to_be_bytes(), no.0.to_be_bytes());
    [b"hookyard subscription\0".as_slice(), &account, &no, nonce, url.as_bytes()].concat()
}
