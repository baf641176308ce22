//! The value of a subscription.

use std::collections::BTreeMap;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::client_certificate::ClientCertificateV1;
use super::confidential::{ConfidentialV1, Secrets, SecretsV1};
use super::{V1, V2, V3, V4, V5, V6, decode_as, encode_as, version};
use crate::clock::Timestamp;
use crate::encryption::{Fingerprint, Keyring};
use crate::event_type::EventType;
use crate::filter::{Channel, Filter};
use crate::id::{AccountNo, HookId, Nonce, Seal, SubscriptionNo};
use crate::label::Metadata;
use crate::store::Error;
use crate::subscription::{
    Deactivate, DeliveryPolicy, EndpointUrl, Envelope, Generation, Ordering, Poison, Profile, Status,
    Subscription,
};

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
#[derive(Deserialize)]
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

/// Since owners say more of it than where and what.
#[derive(Deserialize)]
struct SubscriptionV4 {
    nonce: Nonce,
    url: String,
    event_types: Vec<String>,
    status: StatusV1,
    generation: u32,
    floor: u32,
    created_ms: u64,
    confidential: ConfidentialV1,
    more: Option<MoreV1>,
}

/// Since they say how it is served.
#[derive(Deserialize)]
struct SubscriptionV5 {
    nonce: Nonce,
    url: String,
    event_types: Vec<String>,
    status: StatusV1,
    generation: u32,
    floor: u32,
    created_ms: u64,
    confidential: ConfidentialV1,
    more: Option<MoreV2>,
}

/// Since it may have a client certificate.
#[derive(Serialize, Deserialize)]
struct SubscriptionV6 {
    nonce: Nonce,
    url: String,
    /// None for every one.
    event_types: Vec<String>,
    status: StatusV1,
    generation: u32,
    floor: u32,
    created_ms: u64,
    confidential: ConfidentialV1,
    /// What most hooks of the hooks API have no need of.
    more: Option<MoreV3>,
}

#[derive(Deserialize)]
struct MoreV1 {
    channels: Vec<String>,
    envelope: EnvelopeV1,
    uid: Option<String>,
    description: String,
    rate_limit: Option<u32>,
    metadata: BTreeMap<String, String>,
    updated_after_ms: u64,
}

#[derive(Deserialize)]
struct MoreV2 {
    channels: Vec<String>,
    envelope: EnvelopeV1,
    uid: Option<String>,
    description: String,
    metadata: BTreeMap<String, String>,
    updated_after_ms: u64,
    delivery: Option<DeliveryV1>,
    condition: Option<String>,
}

#[derive(Default, PartialEq, Serialize, Deserialize)]
struct MoreV3 {
    channels: Vec<String>,
    envelope: EnvelopeV1,
    uid: Option<String>,
    description: String,
    metadata: BTreeMap<String, String>,
    /// How long after it was made it was last changed.
    updated_after_ms: u64,
    delivery: Option<DeliveryV1>,
    condition: Option<String>,
    client_certificate: Option<ClientCertificateV1>,
}

#[derive(Default, PartialEq, Serialize, Deserialize)]
struct DeliveryV1 {
    rate: Option<u32>,
    concurrency: Option<u32>,
    is_ordered: bool,
    has_sequence: bool,
    retries_ms: Option<Vec<u64>>,
    timeout_ms: Option<u64>,
    deactivate: DeactivateV1,
    spares_poison: bool,
}

#[derive(Default, PartialEq, Serialize, Deserialize)]
enum DeactivateV1 {
    #[default]
    Exhausted,
    Failing {
        ms: u64,
    },
    Never,
}

#[derive(Default, PartialEq, Serialize, Deserialize)]
enum EnvelopeV1 {
    #[default]
    Documented,
    Payload,
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

impl From<SubscriptionV2> for SubscriptionV6 {
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
        let confidential =
            ConfidentialV1::Clear(SecretsV1::without_headers(secret, previous.into_iter().collect()));
        Self { nonce, url, event_types, status, generation, floor, created_ms, confidential, more: None }
    }
}

impl From<SubscriptionV3> for SubscriptionV6 {
    fn from(stored: SubscriptionV3) -> Self {
        let SubscriptionV3 { nonce, url, event_types, status, generation, floor, created_ms, confidential } =
            stored;
        Self { nonce, url, event_types, status, generation, floor, created_ms, confidential, more: None }
    }
}

impl From<SubscriptionV4> for SubscriptionV5 {
    fn from(stored: SubscriptionV4) -> Self {
        let SubscriptionV4 {
            nonce,
            url,
            event_types,
            status,
            generation,
            floor,
            created_ms,
            confidential,
            more,
        } = stored;
        let more = more.map(MoreV2::from);
        Self { nonce, url, event_types, status, generation, floor, created_ms, confidential, more }
    }
}

impl From<SubscriptionV5> for SubscriptionV6 {
    fn from(stored: SubscriptionV5) -> Self {
        let SubscriptionV5 {
            nonce,
            url,
            event_types,
            status,
            generation,
            floor,
            created_ms,
            confidential,
            more,
        } = stored;
        let more = more.map(MoreV3::from);
        Self { nonce, url, event_types, status, generation, floor, created_ms, confidential, more }
    }
}

impl From<MoreV1> for MoreV2 {
    fn from(stored: MoreV1) -> Self {
        let MoreV1 { channels, envelope, uid, description, rate_limit, metadata, updated_after_ms } = stored;
        let delivery = rate_limit.map(|rate| DeliveryV1 { rate: Some(rate), ..DeliveryV1::default() });
        let condition = None;
        Self { channels, envelope, uid, description, metadata, updated_after_ms, delivery, condition }
    }
}

impl From<MoreV2> for MoreV3 {
    fn from(stored: MoreV2) -> Self {
        let MoreV2 { channels, envelope, uid, description, metadata, updated_after_ms, delivery, condition } =
            stored;
        Self {
            channels,
            envelope,
            uid,
            description,
            metadata,
            updated_after_ms,
            delivery,
            condition,
            client_certificate: None,
        }
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
    /// Whether it gets the documented envelope: of those, no two want the same.
    pub is_documented: bool,
}

/// Encodes a subscription; its nonce is found with the seal, and what is confidential is sealed under the current key.
pub fn encode_subscription(subscription: &Subscription, seal: &Seal, keyring: &Keyring) -> Vec<u8> {
    let event_types = subscription.filter.event_types().unwrap_or_default();
    let nonce = seal.open(&subscription.id).1;
    let url = subscription.url.as_sent();
    let place = place(subscription.account, subscription.no, &nonce, url);
    let more = MoreV3::of(subscription, &place, keyring);
    let stored = SubscriptionV6 {
        nonce,
        url: url.to_owned(),
        event_types: event_types.iter().map(ToString::to_string).collect(),
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
        more: Some(more).filter(|more| *more != MoreV3::default()),
    };
    encode_as(V6, &stored)
}

/// Decodes a subscription.
pub fn decode_subscription(bytes: &[u8], key: SubscriptionKey<'_>) -> Result<Subscription, Error> {
    let stored = decode_stored(bytes)?;
    let place = place(key.account, key.no, &stored.nonce, &stored.url);
    let Secrets { secret, previous, headers } = stored.confidential.load(&place, key.keyring)?;
    let id: HookId = key.seal.close(key.no.0, stored.nonce);
    let (created_at, mut more) = (Timestamp(stored.created_ms), stored.more.unwrap_or_default());
    let load = |certificate: ClientCertificateV1| certificate.load(&place, key.keyring);
    Ok(Subscription {
        no: key.no,
        id,
        account: key.account,
        url: stored.url.parse().map_err(Error::damaged)?,
        filter: filter(&stored.event_types, &more)?,
        envelope: match more.envelope {
            EnvelopeV1::Documented => Envelope::Documented,
            EnvelopeV1::Payload => Envelope::Payload,
        },
        secret,
        previous_secrets: previous,
        headers,
        client_certificate: more.client_certificate.take().map(load).transpose()?,
        status: match stored.status {
            StatusV1::Active => Status::Active,
            StatusV1::Paused => Status::Paused,
            StatusV1::Deactivated { at_ms, reason } => Status::Deactivated { at: Timestamp(at_ms), reason },
        },
        generation: Generation(stored.generation),
        floor: Generation(stored.floor),
        created_at,
        updated_at: Timestamp(created_at.0.saturating_add(more.updated_after_ms)),
        condition: more.condition.as_ref().map(|text| text.parse()).transpose().map_err(Error::damaged)?,
        delivery: more.delivery.as_ref().map(DeliveryV1::load).transpose()?.unwrap_or_default(),
        profile: more.profile().ok_or_else(|| Error::damaged("a profile that breaks its rules"))?,
    })
}

/// Decodes what is not confidential of a subscription; the rest must only look as if it could be.
pub fn decode_outline(bytes: &[u8]) -> Result<Outline, Error> {
    let stored = decode_stored(bytes)?;
    if !stored.confidential.seems_whole() {
        return Err(Error::damaged("secrets that break their rules"));
    }
    let mut more = stored.more.unwrap_or_default();
    if !more.client_certificate.take().is_none_or(ClientCertificateV1::seems_whole) {
        return Err(Error::damaged("a client certificate that cannot be read"));
    }
    Ok(Outline {
        url: stored.url.parse().map_err(Error::damaged)?,
        filter: filter(&stored.event_types, &more)?,
        is_documented: more.envelope == EnvelopeV1::Documented,
    })
}

/// The key under which the confidential part of a subscription is sealed, if it is.
pub fn sealed_under(bytes: &[u8]) -> Result<Option<Fingerprint>, Error> {
    Ok(decode_stored(bytes)?.confidential.sealed_under())
}

fn decode_stored(bytes: &[u8]) -> Result<SubscriptionV6, Error> {
    Ok(match version(bytes)? {
        V1 => SubscriptionV2::from(decode_as::<SubscriptionV1>(V1, bytes)?).into(),
        V2 => decode_as::<SubscriptionV2>(V2, bytes)?.into(),
        V3 => decode_as::<SubscriptionV3>(V3, bytes)?.into(),
        V4 => SubscriptionV5::from(decode_as::<SubscriptionV4>(V4, bytes)?).into(),
        V5 => decode_as::<SubscriptionV5>(V5, bytes)?.into(),
        _ => decode_as(V6, bytes)?,
    })
}

fn filter(names: &[String], more: &MoreV3) -> Result<Filter, Error> {
    let event_types: Result<Vec<EventType>, _> = names.iter().map(|name| name.parse()).collect();
    let channels: Result<Vec<Channel>, _> = more.channels.iter().map(|name| name.parse()).collect();
    let event_types = event_types.map_err(Error::damaged)?;
    Ok(Filter::new(Some(event_types).filter(|names| !names.is_empty()), channels.map_err(Error::damaged)?))
}

impl MoreV3 {
    fn of(subscription: &Subscription, place: &[u8], keyring: &Keyring) -> Self {
        let Subscription { filter, condition, envelope, profile, delivery, client_certificate, .. } =
            subscription;
        let Subscription { created_at, updated_at, .. } = subscription;
        let delivery = DeliveryV1::of(delivery);
        Self {
            channels: filter.channels().iter().map(ToString::to_string).collect(),
            envelope: match envelope {
                Envelope::Documented => EnvelopeV1::Documented,
                Envelope::Payload => EnvelopeV1::Payload,
            },
            uid: profile.uid.as_ref().map(ToString::to_string),
            description: profile.description.clone(),
            metadata: profile.metadata.pairs().clone(),
            updated_after_ms: updated_at.0.saturating_sub(created_at.0),
            delivery: Some(delivery).filter(|delivery| *delivery != DeliveryV1::default()),
            condition: condition.as_ref().map(ToString::to_string),
            client_certificate: client_certificate
                .as_ref()
                .map(|certificate| ClientCertificateV1::of(certificate, place, keyring)),
        }
    }

    fn profile(self) -> Option<Profile> {
        Some(Profile {
            uid: self.uid.map(|uid| uid.parse()).transpose().ok()?,
            description: self.description,
            metadata: Metadata::new(self.metadata).ok()?,
        })
    }
}

impl DeliveryV1 {
    fn of(policy: &DeliveryPolicy) -> Self {
        let DeliveryPolicy { rate, concurrency, ordering, sequence, retries, timeout, deactivate, poison } =
            policy;
        let ms = |duration: &Duration| duration.as_millis() as u64;
        Self {
            rate: *rate,
            concurrency: *concurrency,
            is_ordered: *ordering == Ordering::Fifo,
            has_sequence: *sequence,
            retries_ms: retries.as_ref().map(|waits| waits.iter().map(ms).collect()),
            timeout_ms: timeout.as_ref().map(ms),
            deactivate: match deactivate {
                Deactivate::Exhausted => DeactivateV1::Exhausted,
                Deactivate::Failing(long) => DeactivateV1::Failing { ms: ms(long) },
                Deactivate::Never => DeactivateV1::Never,
            },
            spares_poison: *poison == Poison::DeadLetter,
        }
    }

    fn load(&self) -> Result<DeliveryPolicy, Error> {
        let duration = |ms: &u64| Duration::from_millis(*ms);
        let policy = DeliveryPolicy {
            rate: self.rate,
            concurrency: self.concurrency,
            ordering: if self.is_ordered { Ordering::Fifo } else { Ordering::None },
            sequence: self.has_sequence,
            retries: self.retries_ms.as_ref().map(|waits| waits.iter().map(duration).collect()),
            timeout: self.timeout_ms.as_ref().map(duration),
            deactivate: match &self.deactivate {
                DeactivateV1::Exhausted => Deactivate::Exhausted,
                DeactivateV1::Failing { ms } => Deactivate::Failing(duration(ms)),
                DeactivateV1::Never => Deactivate::Never,
            },
            poison: if self.spares_poison { Poison::DeadLetter } else { Poison::Deactivate },
        };
        policy.vet().map_err(Error::damaged)?;
        Ok(policy)
    }
}

/// What a seal is bound to: the one subscription, and where its requests go. Who can write to the disk can neither move
/// what is sealed to another hook nor send it to another URL.
fn place(account: AccountNo, no: SubscriptionNo, nonce: &Nonce, url: &str) -> Vec<u8> {
    let (account, no) = (account.0.to_be_bytes(), no.0.to_be_bytes());
    [b"hookyard subscription\0".as_slice(), &account, &no, nonce, url.as_bytes()].concat()
}
