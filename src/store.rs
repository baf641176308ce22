//! The store's boundary: the verbs of the ledger, and what is true when each returns.
//!
//! A [`Backend`] takes batches of verbs from one writer and makes each batch durable as a whole; a [`Reader`] answers
//! questions beside it. No verb assumes that this process wrote all there is. The layout of rows is each backend's own
//! affair; [`ledger`] is the durable one, [`memory`] a model of it for tests.

mod census;
pub mod history;
pub mod ledger;
#[cfg(test)]
pub mod memory;
pub mod tail;
pub mod writer;

#[cfg(test)]
mod conformance;

use std::collections::HashMap;
use std::io;
use std::sync::Arc;
use std::time::Duration;

use crate::account::{Account, AccountId, ApiKey, KeyHash};
use crate::attempt::Attempt;
use crate::clock::Timestamp;
use crate::event::{Draft, Recorded};
use crate::health::Health;
use crate::id::{AccountNo, EventNo, SubscriptionNo};
use crate::store::history::{Delivery, DeliveryQuery, EventQuery, Listed};
use crate::subscription::{Generation, Matches, PreviousSecret, Secret, Subscription};

/// Writes. One thread owns it; see [`writer`].
pub trait Backend: Send + 'static {
    /// Rebuilds what is held in memory from what is durable, and says what there is.
    ///
    /// Each subscription is handed to `each`, account by account.
    fn recover(&mut self, each: &mut dyn FnMut(Subscription)) -> Result<Recovery, Error>;

    /// Carries out the verbs in order.
    ///
    /// When it returns `Ok`, all of them are durable, answered one for one. When it returns an error, none has an
    /// effect that counts, the backend accepts nothing more, and only [`Self::recover`] on a fresh one helps.
    fn commit(&mut self, verbs: Vec<Verb>, now: Timestamp) -> Result<Committed, Error>;

    /// Does a small step of what waits for idle moments; says how much of it is left.
    ///
    /// That is: parking deliveries that have been pending in memory for long, deleting what unsubscribed hooks left
    /// behind, and letting go of what is older than it must be kept, or more than it may be.
    fn tidy(&mut self, now: Timestamp) -> Result<Untidy, Error>;

    /// Begins a copy of all that is committed, while more is being committed. To be called between two commits.
    fn copy(&mut self) -> Result<Box<dyn Copier>, CopyError>;

    /// The other half.
    fn reader(&self) -> Arc<dyn Reader>;
}

/// Reads what is committed. Callable from several threads; may block on the disk.
pub trait Reader: Send + Sync {
    /// The record of a subscription.
    fn subscription(&self, at: Address) -> Result<Option<Subscription>, Error>;

    /// An account's subscriptions, newest first, from `below` on, while `each` returns `true`.
    fn subscriptions(
        &self,
        account: AccountNo,
        below: SubscriptionNo,
        each: &mut dyn FnMut(Subscription) -> bool,
    ) -> Result<(), Error>;

    /// The health of a subscription's endpoint.
    fn health(&self, no: SubscriptionNo) -> Result<Health, Error>;

    /// An event by its number.
    fn event(&self, no: EventNo) -> Result<Option<Arc<Recorded>>, Error>;

    /// Deliveries of a subscription that were never attempted, oldest first, behind `after`, at most `limit`.
    fn backlog(&self, subscription: &Subscription, after: EventNo, limit: usize) -> Result<Backlog, Error>;

    /// A subscription's deliveries that wait for a retry: the `limit` that are due first.
    fn retries(&self, subscription: &Subscription, limit: usize) -> Result<Retries, Error>;

    /// How many deliveries of each subscription are pending and dead, and when it was last attempted.
    fn tallies(&self, subscriptions: &[Subscription]) -> Result<Vec<Tally>, Error>;

    /// An account's events, newest first.
    fn events(&self, query: &EventQuery) -> Result<Listed<Arc<Recorded>>, Error>;

    /// When an event had become durable, if that is still known.
    fn synced_at(&self, event: EventNo) -> Result<Option<Timestamp>, Error>;

    /// An account's deliveries, newest event first; of one event, newest subscription first.
    fn deliveries(&self, query: &DeliveryQuery) -> Result<Listed<Delivery>, Error>;

    /// The delivery of an event for a subscription, if there is one.
    fn delivery(&self, at: Address, event: EventNo) -> Result<Option<Delivery>, Error>;

    /// How many attempts were made to deliver an event, by subscription.
    fn attempts(&self, event: EventNo) -> Result<HashMap<SubscriptionNo, u16>, Error>;

    /// The events that a subscription's filter lets through, newest first, with the attempts made for each so far.
    fn replayable(
        &self,
        subscription: &Subscription,
        query: &EventQuery,
    ) -> Result<Listed<(EventNo, u16)>, Error>;

    /// Counts what waits in the whole store, for as long as `goes_on`; `None` if it stopped before the end.
    ///
    /// What moves meanwhile may count twice or not at all; of a store at rest the count is exact.
    fn census(&self, now: Timestamp, goes_on: &dyn Fn() -> bool) -> Result<Option<Census>, Error>;

    /// What the store takes of the disk, if it can be known.
    fn disk(&self) -> Option<Disk>;

    /// How much is kept, and what was let go of.
    fn retained(&self) -> Result<Retained, Error>;

    /// All accounts, in the order of their numbers.
    fn accounts(&self) -> Result<Vec<Account>, Error>;

    /// All keys, in no order.
    fn keys(&self) -> Result<Vec<ApiKey>, Error>;
}

/// A copy of the store in the making; it is given up when dropped.
///
/// It hands out opaque rows, each replacing an earlier one of the same key. Those of [`Self::copy`] and then those of
/// [`Self::finish`] are the store as it stood when it was finished.
pub trait Copier: Send {
    /// The layout of the rows.
    fn schema_version(&self) -> u32;

    /// Hands rows to `each`, which may take its time: what changes meanwhile comes again, up to a limit.
    fn copy(&mut self, each: &mut EachRow<'_>) -> Result<(), CopyError>;

    /// The rest, which is little. To be called between two commits.
    fn finish(&mut self) -> Result<Vec<OwnedRow>, CopyError>;
}

/// Takes a row: its key, and its value unless it is gone.
pub type EachRow<'a> = dyn FnMut(&[u8], Option<&[u8]>) -> io::Result<()> + 'a;

/// A row: its key, and its value unless it is gone.
pub type OwnedRow = (Vec<u8>, Option<Vec<u8>>);

/// Why there is no copy.
#[derive(Debug, thiserror::Error)]
pub enum CopyError {
    #[error("another one is being made")]
    Busy,
    /// More changed than is remembered, because whoever takes the rows is too slow.
    #[error("too much changed meanwhile: make it where it is written faster, or when less happens")]
    TooMuchChanged,
    #[error("the store is being closed")]
    Closed,
    #[error(transparent)]
    Store(#[from] Error),
    /// Whoever takes the rows takes no more.
    #[error(transparent)]
    Taker(#[from] io::Error),
}

/// A change of the ledger.
#[derive(Clone, Debug)]
pub enum Verb {
    /// Record events, all or none, with the subscriptions that each matched.
    ///
    /// One whose idempotency key is known is not recorded again: its first receipt comes back. If its content differs,
    /// none is recorded.
    Append(Vec<(Draft, Matches)>),
    /// Record an attempt and what follows from it. Settling twice changes nothing.
    Settle(Settlement),
    /// Record a new subscription.
    Subscribe(Box<NewSubscription>),
    /// Change where a subscription stands.
    Change(Address, Change),
    /// Give a subscription, and those of its siblings that share its secret, a new one.
    Rotate(Box<Rotation>),
    /// Make deliveries of a subscription due at once, each with a fresh schedule; where there is none of an event, make
    /// one. Each event comes with the attempts made for it so far.
    ///
    /// Those that wait for their first attempt stay as they are. A deactivated subscription gets none, nor is there any
    /// of an event that is gone or another account's.
    Replay(Address, Vec<(EventNo, u16)>),
    /// Forget a subscription and all that waits for it.
    Unsubscribe(Address),
    /// Nothing but an answer: the subscription as of here.
    Look(Address),
    /// Make an account unless it exists.
    CreateAccount(AccountId),
    /// Record a key, or a change of it.
    PutKey(Box<ApiKey>),
    /// Forget a key.
    DeleteKey(KeyHash),
}

/// A subscription to be recorded.
#[derive(Clone, Debug)]
pub struct NewSubscription {
    pub subscription: Subscription,
    /// A subscription whose secret this one shares instead of its own, if it still exists.
    pub sibling: Option<SubscriptionNo>,
}

/// A new secret.
#[derive(Clone, Debug)]
pub struct Rotation {
    pub at: Address,
    /// Subscriptions that may share the secret.
    pub siblings: Vec<SubscriptionNo>,
    pub secret: Secret,
    /// Until when requests are also signed with the secret that it replaces.
    pub overlap_until: Timestamp,
}

/// Where a subscription's record is found.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Address {
    pub account: AccountNo,
    pub subscription: SubscriptionNo,
}

/// A change of where a subscription stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Change {
    Pause,
    Resume,
    /// Ends its generation: what it has not delivered is dead letters.
    Deactivate {
        reason: String,
    },
    /// Begins the next generation, with a clean bill of health.
    Reactivate {
        /// Whether the dead letters become pending again, each with a fresh schedule.
        replay: bool,
    },
    /// Makes its dead letters pending again, each with a fresh schedule.
    Replay,
}

/// An attempt that is over, and what follows from it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Settlement {
    pub at: Address,
    pub event: EventNo,
    pub generation: Generation,
    pub attempt: Attempt,
    pub follows: Follows,
    /// The health of the endpoint from now on, where what is kept of it changed; of an earlier generation it is void.
    pub health: Option<Health>,
}

/// What follows from an attempt.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Follows {
    /// Nothing: delivered.
    Done,
    /// Another attempt, the `retries`-th retry of its schedule.
    Retry { due: Timestamp, retries: u16 },
}

/// What a verb came to.
#[derive(Clone, Debug)]
pub enum Answer {
    /// The events, in the order given, and for each whether it is an earlier one.
    Appended(Vec<(Arc<Recorded>, Duplicate)>),
    /// An idempotency key was used before, with other content.
    Conflict,
    /// The subscription as the verb left it; `None` where there is none.
    Subscription(Option<Box<Subscription>>),
    /// How many deliveries are due now.
    Replayed(usize),
    /// The account, and whether it is new.
    Account(Account, bool),
    Done,
}

/// Whether an appended event is one that was accepted before.
pub type Duplicate = bool;

/// How much is left to be tidied.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Untidy {
    Nothing,
    /// Something, for the next moment.
    Some,
    /// So much is held in memory that nothing should be added before some of it is parked.
    TooMuch,
}

/// A batch that is durable.
#[derive(Debug, Default)]
pub struct Committed {
    /// One for each verb.
    pub answers: Vec<Answer>,
    /// Events that were not known before and matched something, by number.
    pub fresh: Vec<Arc<Recorded>>,
    /// How much of the time was spent on making it durable.
    pub sync: Duration,
}

/// What a recovered store holds.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Recovery {
    /// The number that the next new subscription gets.
    pub next_subscription: SubscriptionNo,
    /// Subscriptions for which something waits, and when it is due, soonest for each.
    pub waiting: Vec<(SubscriptionNo, Timestamp)>,
    /// What public ids are masked with.
    pub seal: [u8; 32],
}

/// A stretch of a subscription's deliveries that were never attempted.
#[derive(Clone, Debug, Default)]
pub struct Backlog {
    /// By event number.
    pub waiting: Vec<(Arc<Recorded>, Generation)>,
    /// The stretch holds all there was up to this event.
    pub through: EventNo,
    /// Whether there was more behind it.
    pub more: bool,
}

/// Deliveries that wait for a retry.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Retries {
    /// By due time.
    pub waiting: Vec<Retry>,
    /// Whether there are more than these.
    pub more: bool,
}

/// A delivery that failed and waits.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Retry {
    pub due: Timestamp,
    pub event: EventNo,
    pub generation: Generation,
    /// Attempts made in all.
    pub attempts: u16,
    /// The place in its schedule: how many retries were scheduled, this one included.
    pub retries: u16,
}

/// The figures of a subscription.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Tally {
    pub pending: u64,
    pub dead: u64,
    pub last_attempt_at: Option<Timestamp>,
    pub next_attempt_at: Option<Timestamp>,
}

/// What waits in the whole store.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Census {
    /// Deliveries that are still to be made.
    pub pending: u64,
    /// Those of them that failed before.
    pub retrying: u64,
    /// Deliveries that were given up and can be replayed.
    pub dead: u64,
    /// Since when the pending delivery that has been due for longest is due, not counting those of hooks that are
    /// paused, probed or asked to be left alone. One that is being attempted is pending.
    pub due_since: Option<Timestamp>,
}

/// Bytes on the disk.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Disk {
    pub used: u64,
    pub free: u64,
}

/// What a store keeps of the past, and what it has let go of.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Retained {
    /// Bytes of events and attempts, without what the backend needs beside them.
    pub bytes: u64,
    /// When the oldest event that is kept was accepted.
    pub oldest: Option<Timestamp>,
    pub expired: Expired,
}

/// What retention has let go of since the store was opened.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Expired {
    pub events: u64,
    pub dead_letters: u64,
}

/// Why the store did not do as told.
#[derive(Clone, Debug, thiserror::Error)]
pub enum Error {
    /// Writing or reading failed; nothing more is accepted until it is opened again.
    #[error("the store failed: {0}")]
    Failed(Arc<str>),
    /// What was read is not what was written.
    #[error("the store is damaged: {0}")]
    Damaged(Arc<str>),
}

impl Error {
    pub(crate) fn damaged(what: impl std::fmt::Display) -> Self {
        Self::Damaged(what.to_string().into())
    }
}

impl Settlement {
    /// Whether it would leave a row of its subscription; of one that is gone, nothing must be left.
    pub(crate) fn leaves_a_row(&self) -> bool {
        self.health.is_some() || matches!(self.follows, Follows::Retry { .. })
    }
}

impl Change {
    /// Applies the change to a record; says whether it made a difference.
    pub fn apply(&self, subscription: &mut Subscription, now: Timestamp) -> bool {
        use crate::subscription::Status;
        let deactivated = matches!(subscription.status, Status::Deactivated { .. });
        match self {
            Self::Pause if subscription.status == Status::Active => subscription.status = Status::Paused,
            Self::Resume if subscription.status == Status::Paused => subscription.status = Status::Active,
            Self::Deactivate { reason } if !deactivated => {
                subscription.status = Status::Deactivated { at: now, reason: reason.clone() };
            }
            Self::Reactivate { replay } if deactivated => {
                subscription.status = Status::Active;
                subscription.generation = subscription.generation.next();
                subscription.floor = if *replay { Generation(0) } else { subscription.generation };
            }
            Self::Replay if !deactivated && subscription.floor > Generation(0) => {
                subscription.floor = Generation(0);
            }
            _ => return false,
        }
        true
    }
}

impl NewSubscription {
    /// The record: a sibling's secret, with the one before it, outweighs its own.
    pub(crate) fn record(self, sibling: Option<&Subscription>) -> Subscription {
        let mut record = self.subscription;
        if let Some(sibling) = sibling {
            record.secret = sibling.secret.clone();
            record.previous_secret = sibling.previous_secret.clone();
        }
        record
    }
}

impl Rotation {
    /// Gives a subscription the new secret if it has the `old` one; says whether it did.
    pub(crate) fn apply(&self, subscription: &mut Subscription, old: &Secret) -> bool {
        if subscription.secret != *old || self.secret == *old {
            return false;
        }
        subscription.previous_secret =
            Some(PreviousSecret { secret: old.clone(), until: self.overlap_until });
        subscription.secret = self.secret.clone();
        true
    }
}
