//! Accounts and their API keys: who owns hooks and events, and who may speak for whom.

use std::collections::HashMap;
use std::fmt;
use std::hash::{Hash, Hasher};
use std::str::FromStr;
use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;

use rand::RngExt;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use subtle::ConstantTimeEq;
use zeroize::Zeroizing;

use crate::clock::Timestamp;
use crate::config::duration;
use crate::id::{AccountNo, KeyId};
use crate::label::{Metadata, Uid};

/// The longest account id, in characters.
pub const ACCOUNT_ID_LIMIT: usize = 128;

/// An account's name for itself: 1 to 128 of `A-Z a-z 0-9 . _ -`.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
pub struct AccountId(Box<str>);

/// The text is no account id.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("an account id has 1 to {ACCOUNT_ID_LIMIT} characters of A-Z a-z 0-9 . _ -")]
pub struct NotAnAccountId;

/// An account: the owner of hooks and events. Accounts never see each other.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Account {
    pub no: AccountNo,
    pub id: AccountId,
    pub profile: Profile,
    pub created_at: Timestamp,
    pub updated_at: Timestamp,
}

/// What an account's maker says of it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Profile {
    /// For people.
    pub name: String,
    /// What else it may be called by; no two accounts have the same.
    pub uid: Option<Uid>,
    /// How many requests a second all its hooks together may get, if that is limited.
    pub rate_limit: Option<u32>,
    /// How long the data of its events is kept, where the configuration would keep it for longer.
    pub retention: Option<Retention>,
    pub metadata: Metadata,
}

/// How long the data of an account's events is kept: whole seconds, from one to ten years; as text `7d` or `12h`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Retention(Duration);

/// The text or length is no retention.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a retention is a duration with its unit, such as 7d or 12h: whole seconds, from 1s to 3650d")]
pub struct NotARetention;

/// The longest retention.
const LONGEST_RETENTION: Duration = Duration::from_secs(3_650 * 86_400);

/// The ids of all accounts by their numbers; clones share it.
#[derive(Clone, Debug, Default)]
pub struct AccountNames(Arc<RwLock<HashMap<AccountNo, AccountId>>>);

/// What an API key may do.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "server", derive(utoipa::ToSchema))]
#[serde(rename_all = "lowercase")]
pub enum Scope {
    /// Manage the account's hooks and look at their deliveries.
    Hooks,
    /// Emit and read events.
    Events,
    /// Everything, for every account.
    Admin,
}

/// The record of an API key; the key itself is kept nowhere.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ApiKey {
    pub id: KeyId,
    pub hash: KeyHash,
    pub account: AccountNo,
    pub scopes: Vec<Scope>,
    pub name: String,
    pub created_at: Timestamp,
    pub last_used_at: Option<Timestamp>,
}

/// SHA-256 of an API key. A key has so much entropy that a plain hash cannot be searched.
///
/// Two are compared in constant time. Where they are looked up in a hash map, which of its buckets is searched depends on
/// a random number of the process as well, so the time that it takes tells nothing of the keys that there are; and nobody
/// can choose a key by the bytes of its hash.
#[derive(Clone, Copy, Eq, PartialOrd, Ord)]
pub struct KeyHash(pub [u8; 32]);

/// An API key as its holder sends it; shown once, when it is made.
#[derive(Clone)]
pub struct KeyText(Zeroizing<String>);

/// What the ids of accounts begin with whose makers named none.
const RANDOM_PREFIX: &str = "acc_";
/// Random characters behind the prefix: 32 of 62 are 190 bits.
const KEY_LENGTH: usize = 32;

impl AccountId {
    /// The account that always exists.
    pub fn default_account() -> Self {
        Self("default".into())
    }

    /// The id as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Whether it was made up, because nobody named one.
    pub fn is_random(&self) -> bool {
        self.0.starts_with(RANDOM_PREFIX)
    }

    /// An id for an account whose maker named none.
    pub fn random() -> Self {
        let mut random = rand::rng();
        let tail: String = (0..20).map(|_| random.sample(rand::distr::Alphanumeric) as char).collect();
        Self(format!("{RANDOM_PREFIX}{tail}").into())
    }
}

impl Profile {
    /// The profile of an account of which no more is known than what it is called.
    ///
    /// An id that somebody chose is a uid as well; a random one is not.
    pub fn of(id: &AccountId) -> Self {
        let uid = id.as_str().parse().ok().filter(|_| !id.is_random());
        Self { name: id.to_string(), uid, ..Self::default() }
    }
}

impl Retention {
    /// The length of time.
    pub fn length(self) -> Duration {
        self.0
    }
}

impl TryFrom<Duration> for Retention {
    type Error = NotARetention;

    fn try_from(length: Duration) -> Result<Self, NotARetention> {
        let is_whole = length.subsec_nanos() == 0 && !length.is_zero();
        if is_whole && length <= LONGEST_RETENTION { Ok(Self(length)) } else { Err(NotARetention) }
    }
}

impl FromStr for Retention {
    type Err = NotARetention;

    fn from_str(text: &str) -> Result<Self, NotARetention> {
        duration::read(text).map_err(|_| NotARetention)?.try_into()
    }
}

impl fmt::Display for Retention {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&duration::written(self.0))
    }
}

impl FromStr for AccountId {
    type Err = NotAnAccountId;

    fn from_str(text: &str) -> Result<Self, NotAnAccountId> {
        let good = |byte: u8| byte.is_ascii_alphanumeric() || b"._-".contains(&byte);
        if text.is_empty() || text.len() > ACCOUNT_ID_LIMIT || !text.bytes().all(good) {
            return Err(NotAnAccountId);
        }
        Ok(Self(text.into()))
    }
}

impl fmt::Display for AccountId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl AccountNames {
    /// Notes an account.
    pub fn add(&self, no: AccountNo, id: AccountId) {
        self.0.write().unwrap_or_else(PoisonError::into_inner).insert(no, id);
    }

    /// Forgets an account.
    pub fn remove(&self, no: AccountNo) {
        self.0.write().unwrap_or_else(PoisonError::into_inner).remove(&no);
    }

    /// The id of an account.
    pub fn get(&self, no: AccountNo) -> Option<AccountId> {
        self.0.read().unwrap_or_else(PoisonError::into_inner).get(&no).cloned()
    }
}

impl ApiKey {
    /// Whether the key may do what `scope` allows; `admin` may do everything.
    pub fn allows(&self, scope: Scope) -> bool {
        self.scopes.contains(&scope) || self.scopes.contains(&Scope::Admin)
    }
}

impl Scope {
    /// Every scope, in the order of the documentation.
    pub const ALL: [Self; 3] = [Self::Hooks, Self::Events, Self::Admin];

    /// The scope's name on the wire.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Hooks => "hooks",
            Self::Events => "events",
            Self::Admin => "admin",
        }
    }
}

impl KeyHash {
    /// The hash of a key as it was sent.
    pub fn of(key: &str) -> Self {
        Self(Sha256::digest(key.as_bytes()).into())
    }
}

impl PartialEq for KeyHash {
    fn eq(&self, other: &Self) -> bool {
        self.0.ct_eq(&other.0).into()
    }
}

impl fmt::Debug for KeyHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("KeyHash(***)")
    }
}

impl Hash for KeyHash {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.0.hash(state);
    }
}

impl KeyText {
    /// A new random key behind `prefix`.
    pub fn generate(prefix: &str) -> Self {
        let mut random = rand::rng();
        let mut text = String::with_capacity(prefix.len() + KEY_LENGTH);
        text.push_str(prefix);
        text.extend((0..KEY_LENGTH).map(|_| random.sample(rand::distr::Alphanumeric) as char));
        Self(Zeroizing::new(text))
    }

    /// The key in clear, for its holder alone.
    pub fn reveal(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for KeyText {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("KeyText(***)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_account_id_holds_nothing_that_a_url_would_escape() {
        assert!("acme-1.eu_west".parse::<AccountId>().is_ok());
        for bad in ["", "a b", "a/b", "ä", &"a".repeat(129)] {
            assert_eq!(bad.parse::<AccountId>(), Err(NotAnAccountId), "{bad}");
        }
    }

    #[test]
    fn a_retention_is_whole_seconds_and_at_most_ten_years() {
        for (text, written) in
            [("7d", "7d"), ("90m", "90m"), ("1s", "1s"), ("3650d", "3650d"), ("1h 30m", "90m")]
        {
            assert_eq!(text.parse::<Retention>().map(|age| age.to_string()), Ok(written.to_owned()));
        }
        for bad in ["", "7", "0s", "500ms", "1s 1ms", "3651d", "-1d", "for ever"] {
            assert_eq!(bad.parse::<Retention>(), Err(NotARetention), "{bad}");
        }
    }

    #[test]
    fn a_key_is_long_random_and_hidden_from_debug() {
        let key = KeyText::generate("fp_");
        assert!(key.reveal().starts_with("fp_") && key.reveal().len() == 35);
        assert!(key.reveal()[3..].bytes().all(|byte| byte.is_ascii_alphanumeric()));
        assert_ne!(key.reveal(), KeyText::generate("fp_").reveal());
        assert_eq!(format!("{key:?}"), "KeyText(***)");
    }
}
