//! The store's boundary: the verbs of the ledger, and what is true when each returns.
//!
//! A [`Backend`] takes batches of verbs from one writer and makes each batch durable as a whole; a [`Reader`] answers
//! questions beside it. No verb assumes that this process wrote all there is. The layout of rows is each backend's own
//! affair; [`ledger`] is the durable one, [`memory`] a model of it for tests.

pub mod census;
pub mod condition;
mod figures;
pub mod history;
pub mod lane;
pub mod ledger;
#[cfg(test)]
pub mod memory;
pub mod readers;
pub mod tail;
mod verb;
pub mod writer;

#[cfg(test)]
mod conformance;

use std::collections::HashMap;
use std::io;
use std::sync::Arc;
use std::time::Duration;

use crate::account::{Account, ApiKey};
use crate::clock::{Now, Timestamp};
use crate::event::Recorded;
use crate::event_type::Declaration;
use crate::health::Health;
use crate::id::{AccountNo, EventNo, SubscriptionNo};
use crate::store::history::{Delivery, DeliveryQuery, EventQuery, Listed, Order, Place};
use crate::subscription::{Generation, Subscription};

pub use self::figures::{AttemptCounts, Census, Deep, Disk, Expired, Hour, Retained, Tally, added_up};
pub use self::lane::{Lane, Lanes};
pub use self::verb::{
    Address, Answer, Change, Duplicate, Edit, Expunge, ExpungeAnswer, Follows, NewAccount, NewSubscription,
    Replay, Rotation, Settlement, Verb,
};

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
    fn commit(&mut self, verbs: Vec<Verb>, now: Now) -> Result<Committed, Error>;

    /// Does a small step of what waits for idle moments; says how much of it is left.
    ///
    /// That is: parking deliveries that have been pending in memory for long, deleting what unsubscribed hooks left
    /// behind, and letting go of what is older than it must be kept, or more than it may be.
    fn tidy(&mut self, now: Now) -> Result<Untidy, Error>;

    /// Whether there is room for events; if not, some is left for what costs little, and for what makes room.
    fn has_room(&self) -> bool;

    /// After a failure: tries whether what the store lies on takes writes again, without touching the store.
    fn probe(&self) -> Result<(), Error>;

    /// What is to be done at an orderly end, once nobody has the store open any more.
    fn farewell(&self) -> Farewell;

    /// Begins a copy of all that is committed, while more is being committed. To be called between two commits.
    fn copy(&mut self) -> Result<Box<dyn Copier>, CopyError>;

    /// The other half.
    fn reader(&self) -> Arc<dyn Reader>;
}

/// Reads what is committed. Callable from several threads; may block on the disk.
pub trait Reader: Send + Sync {
    /// The record of a subscription.
    fn subscription(&self, at: Address) -> Result<Option<Subscription>, Error>;

    /// An account's subscriptions, behind one of them, if it is named, while `each` returns `true`.
    fn subscriptions(
        &self,
        account: AccountNo,
        order: Order,
        behind: Option<SubscriptionNo>,
        each: &mut dyn FnMut(Subscription) -> bool,
    ) -> Result<(), Error>;

    /// The health of a subscription's endpoint.
    fn health(&self, no: SubscriptionNo) -> Result<Health, Error>;

    /// An event by its number.
    fn event(&self, no: EventNo) -> Result<Option<Arc<Recorded>>, Error>;

    /// An event that a delivery waits with; what many wait with is not read for each of them.
    fn awaited(&self, no: EventNo) -> Result<Option<Arc<Recorded>>, Error> {
        self.event(no)
    }

    /// Deliveries of a subscription in this lane that were never attempted, oldest first, behind `after`, at most `limit`.
    fn backlog(
        &self,
        subscription: &Subscription,
        lane: Lane,
        after: EventNo,
        limit: usize,
    ) -> Result<Backlog, Error>;

    /// A subscription's deliveries that wait for an attempt at some time: of each lane the `limit` that are due first.
    fn retries(&self, subscription: &Subscription, limit: usize) -> Result<Lanes<Retries>, Error>;

    /// How many deliveries of each subscription are pending and dead, and when it was last attempted.
    fn tallies(&self, subscriptions: &[Subscription]) -> Result<Vec<Tally>, Error>;

    /// The attempts made for a subscription: at least the last 7 days by the hour, and 28 days before by the day.
    fn attempt_counts(&self, no: SubscriptionNo) -> Result<AttemptCounts, Error>;

    /// An account's events, newest first.
    fn events(&self, query: &EventQuery) -> Result<Listed<Arc<Recorded>>, Error>;

    /// When an event had become durable, if that is still known.
    fn synced_at(&self, event: EventNo) -> Result<Option<Timestamp>, Error>;

    /// An account's deliveries, newest event first; of one event, newest subscription first.
    fn deliveries(&self, query: &DeliveryQuery) -> Result<Listed<Delivery>, Error>;

    /// The delivery of an event for a subscription, if there is one.
    fn delivery(&self, at: Address, event: EventNo) -> Result<Option<Delivery>, Error>;

    /// How many commits there are: whatever is read from now on knows of all of them.
    fn commits(&self) -> u64;

    /// How many attempts were made to deliver an event, by subscription.
    fn attempts(&self, event: EventNo) -> Result<HashMap<SubscriptionNo, u16>, Error>;

    /// The subscriptions that an event was replayed to.
    fn replays(&self, event: EventNo) -> Result<Vec<SubscriptionNo>, Error>;

    /// Where an attempt to deliver an event is kept, by its number within the delivery.
    fn attempt_block(&self, place: Place, n: u16) -> Result<Option<u64>, Error>;

    /// The events that a subscription wants, newest first, with the attempts made for each so far; only those that it has
    /// not got and that are not on their way, if what is `missing` is asked for.
    fn replayable(
        &self,
        subscription: &Subscription,
        query: &EventQuery,
        missing: bool,
    ) -> Result<Replayable, Error>;

    /// The number of the newest event, or zero.
    fn newest_event(&self) -> EventNo;

    /// Counts what waits in the whole store, for as long as `goes_on`; `None` if it stopped before the end. Subscriptions for
    /// which at least `deep` deliveries wait are named.
    ///
    /// What moves meanwhile may count twice or not at all; of a store at rest the count is exact.
    fn census(&self, now: Timestamp, deep: u64, goes_on: &dyn Fn() -> bool) -> Result<Option<Census>, Error>;

    /// What the store takes of the disk, if it can be known.
    fn disk(&self) -> Option<Disk>;

    /// How much is kept, and what was let go of.
    fn retained(&self) -> Result<Retained, Error>;

    /// All accounts, in the order of their numbers.
    fn accounts(&self) -> Result<Vec<Account>, Error>;

    /// All that was said of event types, by name.
    fn event_types(&self) -> Result<Vec<Declaration>, Error>;

    /// All keys, in no order.
    fn keys(&self) -> Result<Vec<ApiKey>, Error>;
}

/// Some events that may be replayed, each with the attempts made so far.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Replayable {
    pub events: Vec<(EventNo, u16)>,
    /// Below which event there may be more.
    pub more_below: Option<EventNo>,
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

/// The last thing that is done for a store.
pub type Farewell = Box<dyn FnOnce() + Send>;

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
    /// Where the steady clock stood at least when something was last made due.
    pub seen: Timestamp,
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
    /// It was given up alone, while its endpoint was not; until that life of its subscription ends it is a dead letter.
    pub given_up: bool,
}

impl Retry {
    /// Whether it is still to be delivered to its subscription; else it is a dead letter.
    pub fn is_live(&self, subscription: &Subscription) -> bool {
        let is_given_up = self.given_up && self.generation == subscription.generation;
        subscription.is_live(self.generation) && !is_given_up
    }
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
