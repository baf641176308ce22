//! The values of the ledger's rows: `bincode` behind a version byte, one frozen struct per version.
//!
//! bincode has no field tags: a struct here is never changed, only followed by a next version. Golden bytes in the
//! tests hold it to that.

mod blocks;
mod chapters;
mod client_certificate;
mod confidential;
#[cfg(any(fuzzing, test))]
pub mod fuzzing;
mod subscription;
mod tallied;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;
use std::time::Duration;

use bincode::Options;
use serde::de::{DeserializeOwned, Error as _};
use serde::{Deserialize, Deserializer, Serialize};

use crate::account::{Account, AccountId, ApiKey, KeyHash, Profile, Scope};
use crate::clock::Timestamp;
use crate::event_type::Declaration;
use crate::health::{Health, Stage};
use crate::id::{AccountNo, EventNo, KeyId};
use crate::label::Metadata;
use crate::store::tail::Cursor;
use crate::store::{Error, Retry};
use crate::subscription::Generation;

pub use blocks::{EventBlock, Moved, SettledV2, SettlementBlock, StoredEvent, Synced};
pub use chapters::{AttemptChapterV1, EventChapterV1, ToldV1};
pub use subscription::{
    SubscriptionKey, decode_outline, decode_subscription, encode_subscription, sealed_under,
};
pub use tallied::Tallied;

/// The layout that this code reads and writes.
///
/// What an earlier one wrote is read as it is: each value says its own version, and is written anew in the newest. Where it
/// lies has changed with version 5 alone.
pub const SCHEMA_VERSION: u32 = 10;

/// The version byte of values that have not changed.
const V1: u8 = 1;
/// The version byte of those that have changed once.
const V2: u8 = 2;
/// The version byte of those that have changed twice.
const V3: u8 = 3;
/// The version byte of those that have changed three times.
const V4: u8 = 4;
/// The version byte of those that have changed four times.
const V5: u8 = 5;
/// The version byte of those that have changed five times.
const V6: u8 = 6;
/// More than any value has; a decoder is never told to allocate more.
const DECODE_LIMIT: u64 = 64 << 20;

/// The numbers that the next ones get.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Counters {
    pub next_subscription: u64,
    pub next_account: u32,
}

#[derive(Serialize, Deserialize)]
pub struct CursorV1 {
    event: u64,
    commit: u64,
}

/// How many bytes the blocks have that were written up to a commit, that one included.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Usage {
    pub bytes: u64,
    pub commit: u64,
}

#[derive(Serialize, Deserialize)]
pub struct RetryV1 {
    due_ms: u64,
    generation: u32,
    attempts: u16,
    retries: u16,
}

/// Since one may be given up alone.
#[derive(Serialize, Deserialize)]
pub struct RetryV2 {
    due_ms: u64,
    generation: u32,
    attempts: u16,
    retries: u16,
    given_up: bool,
}

#[derive(Serialize, Deserialize)]
pub struct HealthV1 {
    failures: u32,
    stage: StageV1,
    hold_until_ms: Option<u64>,
}

/// Since it is known for how long an endpoint fails.
#[derive(Serialize, Deserialize)]
pub struct HealthV2 {
    failures: u32,
    stage: StageV1,
    hold_until_ms: Option<u64>,
    failing_since_ms: Option<u64>,
}

#[derive(Serialize, Deserialize)]
enum StageV1 {
    Healthy,
    Probing,
    Opening,
}

/// Before accounts had profiles.
#[derive(Serialize, Deserialize)]
pub struct AccountV1 {
    no: u32,
    created_ms: u64,
}

/// Before they had a retention.
#[derive(Serialize, Deserialize)]
pub struct AccountV2 {
    no: u32,
    created_ms: u64,
    updated_ms: u64,
    name: String,
    uid: Option<String>,
    rate_limit: Option<u32>,
    metadata: BTreeMap<String, String>,
}

#[derive(Serialize, Deserialize)]
pub struct AccountV3 {
    no: u32,
    created_ms: u64,
    updated_ms: u64,
    name: String,
    uid: Option<String>,
    rate_limit: Option<u32>,
    retention_seconds: Option<u64>,
    metadata: BTreeMap<String, String>,
}

#[derive(Serialize, Deserialize)]
pub struct DeclarationV1 {
    description: String,
    schemas: Option<Box<str>>,
    feature_flag: Option<String>,
    archived: bool,
    deprecated: bool,
    created_ms: u64,
    updated_ms: u64,
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
    encode_as(V1, value)
}

/// The value of these bytes.
pub fn decode<'a, T: Deserialize<'a>>(bytes: &'a [u8]) -> Result<T, Error> {
    decode_as(V1, bytes)
}

/// Appends a value's bytes.
pub fn encode_onto(bytes: &mut Vec<u8>, value: &impl Serialize) {
    encode_as_onto(bytes, V1, value);
}

fn encode_as(version: u8, value: &impl Serialize) -> Vec<u8> {
    let mut bytes = Vec::new();
    encode_as_onto(&mut bytes, version, value);
    bytes
}

fn encode_as_onto(bytes: &mut Vec<u8>, version: u8, value: &impl Serialize) {
    bytes.push(version);
    options().serialize_into(bytes, value).expect("a value serialises into memory");
}

fn decode_as<'a, T: Deserialize<'a>>(version: u8, bytes: &'a [u8]) -> Result<T, Error> {
    match bytes.split_first() {
        Some((found, rest)) if *found == version => options().deserialize(rest).map_err(Error::damaged),
        _ => Err(Error::damaged("a value of an unknown version")),
    }
}

/// Reads distances between numbers, of which the last is still a number; others are damage, and have no sum.
pub fn with_an_end<'de, D: Deserializer<'de>>(from: D) -> Result<Vec<(u64, u32)>, D::Error> {
    let distances = Vec::<(u64, u32)>::deserialize(from)?;
    let end = distances.iter().try_fold(0, |sum: u64, (distance, _)| sum.checked_add(*distance));
    end.map(|_| distances).ok_or_else(|| D::Error::custom("a number beyond all others"))
}

/// The version that a value says it has.
fn version(bytes: &[u8]) -> Result<u8, Error> {
    bytes.first().copied().ok_or_else(|| Error::damaged("a value without a version"))
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

impl From<RetryV1> for RetryV2 {
    fn from(RetryV1 { due_ms, generation, attempts, retries }: RetryV1) -> Self {
        Self { due_ms, generation, attempts, retries, given_up: false }
    }
}

impl Value for Retry {
    type Stored = RetryV2;
    type Key = EventNo;

    fn store(&self) -> RetryV2 {
        RetryV2 {
            due_ms: self.due.0,
            generation: self.generation.0,
            attempts: self.attempts,
            retries: self.retries,
            given_up: self.given_up,
        }
    }

    fn load(stored: RetryV2, event: EventNo) -> Option<Self> {
        Some(Self {
            due: Timestamp(stored.due_ms),
            event,
            generation: Generation(stored.generation),
            attempts: stored.attempts,
            retries: stored.retries,
            given_up: stored.given_up,
        })
    }

    fn encode(&self) -> Vec<u8> {
        encode_as(V2, &self.store())
    }

    fn decode(bytes: &[u8], event: EventNo) -> Result<Self, Error> {
        let stored = match version(bytes)? {
            V1 => decode_as::<RetryV1>(V1, bytes)?.into(),
            _ => decode_as(V2, bytes)?,
        };
        Self::load(stored, event).ok_or_else(|| Error::damaged("a retry"))
    }
}

impl From<HealthV1> for HealthV2 {
    fn from(HealthV1 { failures, stage, hold_until_ms }: HealthV1) -> Self {
        Self { failures, stage, hold_until_ms, failing_since_ms: None }
    }
}

impl Value for Health {
    type Stored = HealthV2;
    type Key = ();

    fn store(&self) -> HealthV2 {
        let (stage, failures) = match self.stage {
            Stage::Healthy { failures } => (StageV1::Healthy, failures),
            Stage::Probing => (StageV1::Probing, 0),
            Stage::Opening { failures, .. } => (StageV1::Opening, failures),
        };
        HealthV2 {
            failures,
            stage,
            hold_until_ms: self.hold_until.map(|until| until.0),
            failing_since_ms: self.failing_since.map(|since| since.0),
        }
    }

    fn load(stored: HealthV2, (): ()) -> Option<Self> {
        let failures = stored.failures;
        let stage = match stored.stage {
            StageV1::Healthy => Stage::Healthy { failures },
            StageV1::Probing => Stage::Probing,
            StageV1::Opening => Stage::Opening { allowance: 1, failures },
        };
        Some(Self {
            stage,
            hold_until: stored.hold_until_ms.map(Timestamp),
            failing_since: stored.failing_since_ms.map(Timestamp),
        })
    }

    fn encode(&self) -> Vec<u8> {
        encode_as(V2, &self.store())
    }

    fn decode(bytes: &[u8], (): ()) -> Result<Self, Error> {
        let stored = match version(bytes)? {
            V1 => decode_as::<HealthV1>(V1, bytes)?.into(),
            _ => decode_as(V2, bytes)?,
        };
        Self::load(stored, ()).ok_or_else(|| Error::damaged("the health of an endpoint"))
    }
}

impl AccountV1 {
    fn with_profile(self, id: &AccountId) -> AccountV3 {
        let (no, id) = (AccountNo(self.no), id.clone());
        let (created_at, updated_at) = (Timestamp(self.created_ms), Timestamp(self.created_ms));
        Account { no, profile: Profile::of(&id), id, created_at, updated_at }.store()
    }
}

impl From<AccountV2> for AccountV3 {
    fn from(stored: AccountV2) -> Self {
        let AccountV2 { no, created_ms, updated_ms, name, uid, rate_limit, metadata } = stored;
        Self { no, created_ms, updated_ms, name, uid, rate_limit, retention_seconds: None, metadata }
    }
}

impl Value for Account {
    type Stored = AccountV3;
    type Key = Vec<u8>;

    fn store(&self) -> AccountV3 {
        let Profile { name, uid, rate_limit, retention, metadata } = &self.profile;
        AccountV3 {
            no: self.no.0,
            created_ms: self.created_at.0,
            updated_ms: self.updated_at.0,
            name: name.clone(),
            uid: uid.as_ref().map(ToString::to_string),
            rate_limit: *rate_limit,
            retention_seconds: retention.map(|age| age.length().as_secs()),
            metadata: metadata.pairs().clone(),
        }
    }

    fn load(stored: AccountV3, id: Vec<u8>) -> Option<Self> {
        let AccountV3 { no, created_ms, updated_ms, name, uid, rate_limit, retention_seconds, metadata } =
            stored;
        let uid = uid.map(|uid| uid.parse()).transpose().ok()?;
        let retention = retention_seconds.map(|age| Duration::from_secs(age).try_into()).transpose().ok()?;
        let metadata = Metadata::new(metadata).ok()?;
        Some(Self {
            no: AccountNo(no),
            id: account_id(&id)?,
            profile: Profile { name, uid, rate_limit, retention, metadata },
            created_at: Timestamp(created_ms),
            updated_at: Timestamp(updated_ms),
        })
    }

    fn encode(&self) -> Vec<u8> {
        encode_as(V3, &self.store())
    }

    fn decode(bytes: &[u8], id: Vec<u8>) -> Result<Self, Error> {
        let stored = match version(bytes)? {
            V1 => account_id(&id).map(|id| Ok(decode_as::<AccountV1>(V1, bytes)?.with_profile(&id))),
            V2 => Some(decode_as::<AccountV2>(V2, bytes).map(AccountV3::from)),
            _ => Some(decode_as(V3, bytes)),
        };
        let stored = stored.transpose()?.and_then(|stored| Self::load(stored, id));
        stored.ok_or_else(|| Error::damaged("a record that breaks its rules"))
    }
}

/// The account id that a key ends with.
fn account_id(bytes: &[u8]) -> Option<AccountId> {
    std::str::from_utf8(bytes).ok()?.parse().ok()
}

impl Value for Declaration {
    type Stored = DeclarationV1;
    type Key = Vec<u8>;

    fn store(&self) -> DeclarationV1 {
        let Self { description, schemas, feature_flag, archived, deprecated, .. } = self.clone();
        let (created_ms, updated_ms) = (self.created_at.0, self.updated_at.0);
        DeclarationV1 { description, schemas, feature_flag, archived, deprecated, created_ms, updated_ms }
    }

    fn load(stored: DeclarationV1, name: Vec<u8>) -> Option<Self> {
        let DeclarationV1 {
            description,
            schemas,
            feature_flag,
            archived,
            deprecated,
            created_ms,
            updated_ms,
        } = stored;
        let name = std::str::from_utf8(&name).ok()?.parse().ok()?;
        let (created_at, updated_at) = (Timestamp(created_ms), Timestamp(updated_ms));
        Some(Self { name, description, schemas, feature_flag, archived, deprecated, created_at, updated_at })
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
