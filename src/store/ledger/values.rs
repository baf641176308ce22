//! The values of the ledger's rows: `bincode` behind a version byte, one frozen struct per version.
//!
//! bincode has no field tags: a struct here is never changed, only followed by a next version. Golden bytes in the
//! tests hold it to that.

use std::sync::Arc;

use bincode::Options;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use crate::account::{Account, ApiKey, KeyHash, Scope};
use crate::attempt::{Attempt, ErrorKind, Outcome};
use crate::clock::Timestamp;
use crate::event::{Body, EventType, IdempotencyKey, Recorded};
use crate::filter::Filter;
use crate::health::{Health, Stage};
use crate::id::{AccountNo, EventNo, HookId, KeyId, Nonce, Seal, SubscriptionNo};
use crate::store::tail::Cursor;
use crate::store::{Error, Follows, Retry, Settlement};
use crate::subscription::{Generation, Match, Status, Subscription};

/// The layout that this code reads and writes.
pub const SCHEMA_VERSION: u32 = 1;

/// The version byte of every value below.
const V1: u8 = 1;
/// More than any value has; a decoder is never told to allocate more.
const DECODE_LIMIT: u64 = 64 << 20;

/// The numbers that the next ones get.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Counters {
    pub next_subscription: u64,
    pub next_account: u32,
}

/// The events of one commit, or some of them.
#[derive(Serialize, Deserialize)]
pub struct EventBlock<'a> {
    pub commit: u64,
    #[serde(borrow)]
    pub events: Vec<EventV1<'a>>,
}

/// An event as it lies in its block.
#[derive(Serialize, Deserialize)]
pub struct EventV1<'a> {
    nonce: Nonce,
    account: u32,
    event_type: &'a str,
    timestamp: (u32, u32),
    data: (u32, u32),
    accepted_ms: u64,
    idempotency: Option<[u8; 16]>,
    /// Distances between the numbers of subscriptions, and generations.
    matches: Vec<(u64, u32)>,
    #[serde(with = "serde_bytes")]
    body: &'a [u8],
}

/// What one commit settled and parked, or some of it.
#[derive(Default, Serialize, Deserialize)]
pub struct SettlementBlock {
    pub settled: Vec<SettledV1>,
    pub parked: Vec<Parked>,
}

/// An attempt as it lies in its block.
#[derive(Serialize, Deserialize)]
pub struct SettledV1 {
    subscription: u64,
    event: u64,
    generation: u32,
    n: u16,
    at_ms: u64,
    /// 0 where no answer came.
    status: u16,
    error: Option<ErrorKind>,
    duration_ms: u32,
    #[serde(with = "serde_bytes")]
    response: Vec<u8>,
    /// When the next attempt is due; none once delivered.
    next_due_ms: Option<u64>,
}

/// A match of an event that went from the tail to a page.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Parked {
    pub event: u64,
    pub subscription: u64,
}

#[derive(Serialize, Deserialize)]
pub struct CursorV1 {
    event: u64,
    commit: u64,
}

#[derive(Serialize, Deserialize)]
pub struct RetryV1 {
    due_ms: u64,
    generation: u32,
    attempts: u16,
    retries: u16,
}

#[derive(Serialize, Deserialize)]
pub struct HealthV1 {
    failures: u32,
    stage: StageV1,
    hold_until_ms: Option<u64>,
}

#[derive(Serialize, Deserialize)]
enum StageV1 {
    Healthy,
    Probing,
    Opening,
}

#[derive(Serialize, Deserialize)]
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

#[derive(Serialize, Deserialize)]
enum StatusV1 {
    Active,
    Paused,
    Deactivated { at_ms: u64, reason: String },
}

#[derive(Serialize, Deserialize)]
pub struct AccountV1 {
    no: u32,
    created_ms: u64,
}

#[derive(Serialize, Deserialize)]
pub struct ApiKeyV1 {
    id: [u8; 20],
    account: u32,
    scopes: Vec<Scope>,
    name: String,
    created_ms: u64,
    last_used_ms: Option<u64>,
}

fn options() -> impl Options {
    bincode::DefaultOptions::new().with_limit(DECODE_LIMIT).reject_trailing_bytes()
}

/// A value's bytes.
pub fn encode(value: &impl Serialize) -> Vec<u8> {
    let mut bytes = vec![V1];
    options().serialize_into(&mut bytes, value).expect("a value serialises into memory");
    bytes
}

/// The value of these bytes.
pub fn decode<'a, T: Deserialize<'a>>(bytes: &'a [u8]) -> Result<T, Error> {
    match bytes.split_first() {
        Some((&V1, rest)) => options().deserialize(rest).map_err(Error::damaged),
        _ => Err(Error::damaged("a value of an unknown version")),
    }
}

/// A record that is kept as a value of its own.
pub trait Value: Sized {
    type Stored: Serialize + DeserializeOwned;
    /// What the key tells and the value need not.
    type Key;
    fn store(&self) -> Self::Stored;
    fn load(stored: Self::Stored, key: Self::Key) -> Option<Self>;

    /// The record's bytes.
    fn encode(&self) -> Vec<u8> {
        encode(&self.store())
    }

    /// The record of these bytes.
    fn decode(bytes: &[u8], key: Self::Key) -> Result<Self, Error> {
        Self::load(decode(bytes)?, key).ok_or_else(|| Error::damaged("a record that breaks its rules"))
    }
}

impl<'a> EventV1<'a> {
    /// An event with the nonce of its id.
    pub fn of(event: &'a Recorded, nonce: Nonce) -> Self {
        let mut before = 0;
        let matches = event.matches.iter().map(|matched| {
            let distance = matched.subscription.0 - before;
            before = matched.subscription.0;
            (distance, matched.generation.0)
        });
        Self {
            nonce,
            account: event.account.0,
            event_type: event.event_type.as_str(),
            timestamp: (event.body.timestamp.start, event.body.timestamp.end),
            data: (event.body.data.start, event.body.data.end),
            accepted_ms: event.accepted_at.0,
            idempotency: event.idempotency.map(|key| key.0),
            matches: matches.collect(),
            body: &event.body.bytes,
        }
    }

    /// About how many bytes it takes.
    pub fn weight(event: &Recorded) -> usize {
        event.body.bytes.len() + event.event_type.as_str().len() + event.matches.len() * 3 + 64
    }

    /// The event at `no`.
    pub fn load(&self, no: EventNo, seal: &Seal) -> Option<Recorded> {
        let mut before = 0;
        let matches = self.matches.iter().map(|(distance, generation)| {
            before += distance;
            Match { subscription: SubscriptionNo(before), generation: Generation(*generation) }
        });
        let within = |(start, end): (u32, u32)| {
            (start <= end && end as usize <= self.body.len()).then_some(start..end)
        };
        Some(Recorded {
            no,
            id: seal.close(no.0, self.nonce),
            account: AccountNo(self.account),
            event_type: self.event_type.parse::<EventType>().ok()?,
            body: Body {
                bytes: bytes::Bytes::copy_from_slice(self.body),
                timestamp: within(self.timestamp)?,
                data: within(self.data)?,
            },
            accepted_at: self.accepted_at(),
            idempotency: self.idempotency(),
            matches: Arc::new(matches.collect()),
        })
    }

    /// When it was accepted.
    pub fn accepted_at(&self) -> Timestamp {
        Timestamp(self.accepted_ms)
    }

    /// The hash of its idempotency key.
    pub fn idempotency(&self) -> Option<IdempotencyKey> {
        self.idempotency.map(IdempotencyKey)
    }
}

impl SettledV1 {
    /// A settlement as it is kept.
    pub fn of(settlement: Settlement) -> Self {
        let Attempt { n, at, outcome, duration_ms, response } = settlement.attempt;
        let (status, error) = match outcome {
            Outcome::Answered { status, .. } => (status, None),
            Outcome::Failed(kind) => (0, Some(kind)),
        };
        Self {
            subscription: settlement.at.subscription.0,
            event: settlement.event.0,
            generation: settlement.generation.0,
            n,
            at_ms: at.0,
            status,
            error,
            duration_ms,
            response: response.into(),
            next_due_ms: match settlement.follows {
                Follows::Done => None,
                Follows::Retry { due, .. } => Some(due.0),
            },
        }
    }

    /// About how many bytes it takes.
    pub fn weight(&self) -> usize {
        self.response.len() + 40
    }

    /// The delivery that it settled.
    pub fn delivery(&self) -> (EventNo, SubscriptionNo) {
        (EventNo(self.event), SubscriptionNo(self.subscription))
    }

    /// When the attempt began.
    pub fn at(&self) -> Timestamp {
        Timestamp(self.at_ms)
    }
}

impl Value for Cursor {
    type Stored = CursorV1;
    type Key = ();

    fn store(&self) -> CursorV1 {
        CursorV1 { event: self.event.0, commit: self.commit }
    }

    fn load(stored: CursorV1, (): ()) -> Option<Self> {
        Some(Self { event: EventNo(stored.event), commit: stored.commit })
    }
}

impl Value for Retry {
    type Stored = RetryV1;
    type Key = EventNo;

    fn store(&self) -> RetryV1 {
        RetryV1 {
            due_ms: self.due.0,
            generation: self.generation.0,
            attempts: self.attempts,
            retries: self.retries,
        }
    }

    fn load(stored: RetryV1, event: EventNo) -> Option<Self> {
        Some(Self {
            due: Timestamp(stored.due_ms),
            event,
            generation: Generation(stored.generation),
            attempts: stored.attempts,
            retries: stored.retries,
        })
    }
}

impl Value for Health {
    type Stored = HealthV1;
    type Key = ();

    fn store(&self) -> HealthV1 {
        let (stage, failures) = match self.stage {
            Stage::Healthy { failures } => (StageV1::Healthy, failures),
            Stage::Probing => (StageV1::Probing, 0),
            Stage::Opening { failures, .. } => (StageV1::Opening, failures),
        };
        HealthV1 { failures, stage, hold_until_ms: self.hold_until.map(|until| until.0) }
    }

    fn load(stored: HealthV1, (): ()) -> Option<Self> {
        let failures = stored.failures;
        let stage = match stored.stage {
            StageV1::Healthy => Stage::Healthy { failures },
            StageV1::Probing => Stage::Probing,
            StageV1::Opening => Stage::Opening { allowance: 1, failures },
        };
        Some(Self { stage, hold_until: stored.hold_until_ms.map(Timestamp) })
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
    encode(&SubscriptionV1 {
        nonce: seal.open(&subscription.id).1,
        url: subscription.url.as_sent().to_owned(),
        event_types,
        secret: subscription.secret.reveal().to_owned(),
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
    })
}

/// Decodes a subscription.
pub fn decode_subscription(bytes: &[u8], key: SubscriptionKey<'_>) -> Result<Subscription, Error> {
    let stored: SubscriptionV1 = decode(bytes)?;
    let event_types: Result<Vec<EventType>, _> = stored.event_types.iter().map(|name| name.parse()).collect();
    let id: HookId = key.seal.close(key.no.0, stored.nonce);
    Ok(Subscription {
        no: key.no,
        id,
        account: key.account,
        url: stored.url.parse().map_err(Error::damaged)?,
        filter: Filter::of(event_types.map_err(Error::damaged)?),
        secret: stored.secret.parse().map_err(Error::damaged)?,
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

impl Value for Account {
    type Stored = AccountV1;
    type Key = Vec<u8>;

    fn store(&self) -> AccountV1 {
        AccountV1 { no: self.no.0, created_ms: self.created_at.0 }
    }

    fn load(stored: AccountV1, id: Vec<u8>) -> Option<Self> {
        let id = std::str::from_utf8(&id).ok()?.parse().ok()?;
        Some(Self { no: AccountNo(stored.no), id, created_at: Timestamp(stored.created_ms) })
    }
}

impl Value for ApiKey {
    type Stored = ApiKeyV1;
    type Key = Vec<u8>;

    fn store(&self) -> ApiKeyV1 {
        ApiKeyV1 {
            id: self.id.to_bytes(),
            account: self.account.0,
            scopes: self.scopes.clone(),
            name: self.name.clone(),
            created_ms: self.created_at.0,
            last_used_ms: self.last_used_at.map(|at| at.0),
        }
    }

    fn load(stored: ApiKeyV1, hash: Vec<u8>) -> Option<Self> {
        Some(Self {
            id: KeyId::from_bytes(stored.id),
            hash: KeyHash(hash.try_into().ok()?),
            account: AccountNo(stored.account),
            scopes: stored.scopes,
            name: stored.name,
            created_at: Timestamp(stored.created_ms),
            last_used_at: stored.last_used_ms.map(Timestamp),
        })
    }
}
