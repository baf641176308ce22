//! The face: what a program that links hookyard, and the front door, call.

use std::sync::Arc;

use crate::account::{Account, AccountId, ApiKey, KeyText, Scope};
use crate::attempt::Attempt;
use crate::clock::Timestamp;
use crate::config::Config;
use crate::event::{Event, EventTypeSpec, NotAnEventType, Receipt};
use crate::id::{HookId, KeyId};
use crate::subscription::{NotASecret, NotAnEndpoint, Secret, Subscription};

/// A running event router. Clones share it; when the last one is dropped, its threads stop.
#[derive(Clone)]
pub struct Hookyard(Arc<Inner>);

struct Inner {}

/// A wish to subscribe: events of one type, to one URL, for one account.
#[derive(Clone, Debug)]
pub struct Subscribe {
    pub account: AccountId,
    pub url: String,
    pub event: String,
    /// The secret to sign with; one is shared with the account's hooks of this URL, or generated, when absent.
    pub secret: Option<String>,
    /// Whether a deactivated hook that comes back also sends what was parked.
    pub replay: bool,
}

/// The answer to [`Subscribe`].
#[derive(Clone, Debug)]
pub struct Subscribed {
    pub hook: Hook,
    pub secret: Secret,
    pub change: Change,
}

/// What subscribing changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Change {
    /// There was no such hook.
    Created,
    /// It was active already.
    Nothing,
    /// It was paused.
    Resumed,
    /// It was deactivated.
    Reactivated,
}

/// A subscription with the figures that the hooks API shows.
#[derive(Clone, Debug)]
pub struct Hook {
    pub subscription: Subscription,
    /// Deliveries that wait or are being attempted.
    pub pending: u64,
    /// Deliveries that were given up.
    pub dead: u64,
    pub last_attempt_at: Option<Timestamp>,
    pub next_attempt_at: Option<Timestamp>,
}

/// Names the hooks to unsubscribe.
#[derive(Clone, Debug)]
pub enum Which {
    Id(HookId),
    /// The hook of this URL and event, or all hooks of this URL.
    Url {
        url: String,
        event: Option<String>,
    },
}

/// Narrows a list of hooks.
#[derive(Clone, Debug, Default)]
pub struct HookQuery {
    pub url: Option<String>,
    pub event: Option<String>,
    pub active: Option<bool>,
    /// `active`, `paused` or `deactivated`.
    pub status: Option<String>,
}

/// Which part of a list is wanted: `limit` entries behind the one that `cursor` names.
#[derive(Clone, Debug)]
pub struct PageRequest {
    pub limit: usize,
    pub cursor: Option<String>,
}

/// A part of a list, newest first.
#[derive(Clone, Debug)]
pub struct Page<T> {
    pub items: Vec<T>,
    /// The cursor of the next page, when there is more.
    pub next: Option<String>,
}

/// The one who sent an API key: what it may do, and for which account.
#[derive(Clone, Debug)]
pub struct Caller {
    pub account: AccountId,
    pub scopes: Vec<Scope>,
}

/// Why nothing can be accepted now; trying again later may help.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Unavailable {
    #[error("too much is in flight; try again in a moment")]
    Full,
    #[error("the store refuses writes")]
    Store,
    #[error("shutting down")]
    ShuttingDown,
}

/// Why an event was not accepted.
#[derive(Debug, thiserror::Error)]
pub enum EmitError {
    #[error(
        "unknown event \"{name}\"; known are {known}. Declare it as an [[event_type]], or set events.unknown = \"accept\""
    )]
    UnknownEvent { name: String, known: String },
    #[error("event: {0}")]
    EventType(#[from] NotAnEventType),
    #[error("timestamp must be an RFC 3339 date-time such as 2025-01-15T10:30:00Z")]
    Timestamp,
    #[error("an idempotency key has 1 to 128 characters")]
    IdempotencyKey,
    #[error("data has {size} bytes; the limit is {limit}")]
    DataTooLarge { size: usize, limit: usize },
    #[error("a batch has at most {limit} events")]
    BatchTooLarge { limit: usize },
    #[error("an event with this idempotency key and other content was accepted before")]
    Conflict,
    #[error("there is no account \"{0}\"")]
    UnknownAccount(AccountId),
    #[error(transparent)]
    Unavailable(#[from] Unavailable),
}

/// Why a subscription was not made.
#[derive(Debug, thiserror::Error)]
pub enum SubscribeError {
    #[error(transparent)]
    Url(#[from] NotAnEndpoint),
    /// The egress guard refuses the target; says what to do.
    #[error("{0}")]
    Blocked(String),
    #[error(transparent)]
    Secret(#[from] NotASecret),
    #[error(
        "unknown event \"{name}\"; known are {known}. Declare it as an [[event_type]], or set events.unknown = \"accept\""
    )]
    UnknownEvent { name: String, known: String },
    #[error("event: {0}")]
    EventType(#[from] NotAnEventType),
    #[error("there is no account \"{0}\"")]
    UnknownAccount(AccountId),
    #[error(transparent)]
    Unavailable(#[from] Unavailable),
}

/// Why something that names a hook, an account or a key was not done.
#[derive(Debug, thiserror::Error)]
pub enum LookupError {
    /// There is none, or it is another account's.
    #[error("not found")]
    NotFound,
    /// The cursor is none that a list of this kind gave.
    #[error("cursor is not one that this list gave")]
    Cursor,
    #[error(transparent)]
    Unavailable(#[from] Unavailable),
}

#[allow(unused_variables)]
impl Hookyard {
    /// Accepts one event.
    pub async fn emit(&self, event: Event) -> Result<Receipt, EmitError> {
        unimplemented!()
    }
    /// Accepts all of these events or none.
    pub async fn emit_batch(&self, events: Vec<Event>) -> Result<Vec<Receipt>, EmitError> {
        unimplemented!()
    }
    pub async fn subscribe(&self, wish: Subscribe) -> Result<Subscribed, SubscribeError> {
        unimplemented!()
    }
    /// Returns how many hooks there were.
    pub async fn unsubscribe(&self, account: &AccountId, which: Which) -> Result<usize, Unavailable> {
        unimplemented!()
    }
    pub async fn hooks(
        &self,
        account: &AccountId,
        query: HookQuery,
        page: PageRequest,
    ) -> Result<Page<Hook>, LookupError> {
        unimplemented!()
    }
    pub async fn hook(&self, account: &AccountId, id: HookId) -> Result<Hook, LookupError> {
        unimplemented!()
    }
    pub async fn pause(&self, account: &AccountId, id: HookId) -> Result<Hook, LookupError> {
        unimplemented!()
    }
    pub async fn resume(&self, account: &AccountId, id: HookId) -> Result<Hook, LookupError> {
        unimplemented!()
    }
    /// The catalogue, in the order of the configuration.
    pub fn event_types(&self) -> &[EventTypeSpec] {
        unimplemented!()
    }
    /// Makes an account; says whether it is new.
    pub async fn create_account(&self, id: Option<AccountId>) -> Result<(Account, bool), Unavailable> {
        unimplemented!()
    }
    pub async fn accounts(&self, page: PageRequest) -> Result<Page<Account>, LookupError> {
        unimplemented!()
    }
    /// Makes a key; its text is returned here and never again.
    pub async fn create_key(
        &self,
        account: &AccountId,
        scopes: Vec<Scope>,
        name: String,
    ) -> Result<(ApiKey, KeyText), LookupError> {
        unimplemented!()
    }
    /// The account's id goes with each key, for `ApiKey` knows only its number.
    pub async fn keys(&self, page: PageRequest) -> Result<Page<(ApiKey, AccountId)>, LookupError> {
        unimplemented!()
    }
    /// Revokes a key at once.
    pub async fn delete_key(&self, id: KeyId) -> Result<(), LookupError> {
        unimplemented!()
    }
    /// Who holds this key, if anyone. Does not wait for the store.
    pub fn authenticate(&self, key: &str) -> Option<Caller> {
        unimplemented!()
    }
    /// Whether events and changes are accepted now.
    pub fn ready(&self) -> Result<(), Unavailable> {
        unimplemented!()
    }
    /// The configuration that it was opened with.
    pub fn config(&self) -> &Config {
        unimplemented!()
    }
}
