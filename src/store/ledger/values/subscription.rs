//! The value of a subscription.

use serde::{Deserialize, Serialize};

use super::confidential::{ConfidentialV1, SecretsV1};
use super::{V1, V2, V3, decode_as, encode_as, version};
use crate::clock::Timestamp;
use crate::event_type::EventType;
use crate::filter::Filter;
use crate::id::{AccountNo, HookId, Nonce, Seal, SubscriptionNo};
use crate::store::Error;
use crate::subscription::{Generation, Status, Subscription};

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

/// A subscription's place in the store and the seal of its id.
pub struct SubscriptionKey<'a> {
    pub account: AccountNo,
    pub no: SubscriptionNo,
    pub seal: &'a Seal,
}

/// Encodes a subscription; its nonce is found with the seal.
pub fn encode_subscription(subscription: &Subscription, seal: &Seal) -> Vec<u8> {
    let event_types = subscription.filter.event_types().iter().map(ToString::to_string).collect();
    let stored = SubscriptionV3 {
        nonce: seal.open(&subscription.id).1,
        url: subscription.url.as_sent().to_owned(),
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
        confidential: ConfidentialV1::Clear(SecretsV1::of(subscription)),
    };
    encode_as(V3, &stored)
}

/// Decodes a subscription.
pub fn decode_subscription(bytes: &[u8], key: SubscriptionKey<'_>) -> Result<Subscription, Error> {
    let stored: SubscriptionV3 = match version(bytes)? {
        V1 => SubscriptionV2::from(decode_as::<SubscriptionV1>(V1, bytes)?).into(),
        V2 => decode_as::<SubscriptionV2>(V2, bytes)?.into(),
        _ => decode_as(V3, bytes)?,
    };
    let ConfidentialV1::Clear(secrets) = stored.confidential;
    let secrets = secrets.load().ok_or_else(|| Error::damaged("secrets that break their rules"))?;
    let event_types: Result<Vec<EventType>, _> = stored.event_types.iter().map(|name| name.parse()).collect();
    let id: HookId = key.seal.close(key.no.0, stored.nonce);
    Ok(Subscription {
        no: key.no,
        id,
        account: key.account,
        url: stored.url.parse().map_err(Error::damaged)?,
        filter: Filter::of(event_types.map_err(Error::damaged)?),
        secret: secrets.secret,
        previous_secret: secrets.previous,
        headers: secrets.headers,
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
