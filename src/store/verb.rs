//! The verbs: the changes of the ledger, and what each comes to.

use std::sync::Arc;

use crate::account::{self, Account, AccountId, ApiKey, KeyHash};
use crate::attempt::Attempt;
use crate::clock::Timestamp;
use crate::condition::Condition;
use crate::event::{Draft, IdempotencyKey, Recorded};
use crate::event_type::{Declaration, EventType};
use crate::filter::Filter;
use crate::health::Health;
use crate::id::{AccountNo, EventNo, SubscriptionNo};
use crate::subscription::{
    ClientCertificate, CustomHeaders, DeliveryPolicy, EndpointUrl, Generation, Matches,
    PREVIOUS_SECRETS_LIMIT, PreviousSecret, Profile, Secret, Status, Subscription,
};

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
    /// Change where a subscription stands, or what headers it sends.
    Change(Address, Change),
    /// Give a subscription, and those of its siblings that share its secret, a new one.
    Rotate(Box<Rotation>),
    /// Make deliveries of a subscription due at once, each with a fresh schedule; where there is none of an event, make
    /// one.
    ///
    /// Those that wait for their first attempt stay as they are. A deactivated subscription gets none, nor is there any
    /// of an event that is gone or another account's.
    Replay(Replay),
    /// Forget what an event says, and what waits of it: it was not delivered, and never will be.
    Expunge(Expunge),
    /// Forget what a receiver answered to an attempt.
    ExpungeAnswer(ExpungeAnswer),
    /// Forget a subscription and all that waits for it.
    Unsubscribe(Address),
    /// Nothing but an answer: the subscription as of here.
    Look(Address),
    /// Nothing but an answer: the event of this key, for as long as keys are remembered.
    Find(IdempotencyKey),
    /// Make an account unless it exists.
    CreateAccount(Box<NewAccount>),
    /// Replace what is recorded of an account but for its number and id, if it exists.
    PutAccount(Box<Account>),
    /// Forget an account. Its hooks and keys have gone before.
    DeleteAccount(AccountId),
    /// Record what is said of an event type, or a change of it.
    PutEventType(Box<Declaration>),
    /// Forget what was said of an event type.
    DeleteEventType(EventType),
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

/// An account to be recorded.
#[derive(Clone, Debug)]
pub struct NewAccount {
    pub id: AccountId,
    pub profile: account::Profile,
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
    /// How many secrets before are kept, at most.
    pub kept: usize,
}

/// Deliveries of a subscription that are to be made again.
#[derive(Clone, Debug)]
pub struct Replay {
    pub at: Address,
    /// Each with the attempts made for it, as they were read.
    pub events: Vec<(EventNo, u16)>,
    /// How many commits there were before that was read; what was settled since is counted too.
    pub read_at: u64,
}

/// An event that is to say nothing any more.
#[derive(Clone, Debug)]
pub struct Expunge {
    pub event: EventNo,
    /// Subscriptions that it was replayed to, as they were read.
    pub replayed: Vec<SubscriptionNo>,
    /// How many commits there were before that was read.
    pub read_at: u64,
    /// Whether it goes on saying what it says while it is still to be delivered.
    pub unless_awaited: bool,
}

/// An attempt whose answer is to be forgotten.
#[derive(Clone, Copy, Debug)]
pub struct ExpungeAnswer {
    pub at: Address,
    pub event: EventNo,
    /// The attempt's number within its delivery.
    pub n: u16,
    /// Where the reader found it.
    pub block: u64,
}

/// Where a subscription's record is found.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Address {
    pub account: AccountNo,
    pub subscription: SubscriptionNo,
}

/// A change of where a subscription stands, or of the headers that it sends.
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
        /// Whether the dead letters become pending again, each with a fresh schedule; they are sent slowly at first.
        replay: bool,
        /// The headers that it has from then on; nothing leaves those that it has.
        headers: Option<CustomHeaders>,
    },
    /// Replaces all its headers.
    SetHeaders(CustomHeaders),
    /// Replaces what its owner says of it.
    Edit(Box<Edit>),
    /// Makes its dead letters pending again, each with a fresh schedule.
    Replay,
}

/// What an owner may change of a subscription, all of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Edit {
    pub url: EndpointUrl,
    pub filter: Filter,
    pub condition: Option<Condition>,
    pub profile: Profile,
    pub delivery: DeliveryPolicy,
    pub client_certificate: Option<ClientCertificate>,
    /// Whether the URL is another one: then nothing is known of the health of what is there.
    pub moved: bool,
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
    /// Nothing before it is asked for: this one is a dead letter, and others go on.
    GivenUp,
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
    /// The event that was asked for.
    Event(Option<Arc<Recorded>>),
    /// How many deliveries are due now.
    Replayed(usize),
    /// The subscriptions for which an event waits no more.
    Expunged(Vec<SubscriptionNo>),
    /// The account, and whether it is new.
    Account(Account, bool),
    Done,
}

/// Whether an appended event is one that was accepted before.
pub type Duplicate = bool;

impl Settlement {
    /// Whether it would leave a row of its subscription; of one that is gone, nothing must be left.
    pub(crate) fn leaves_a_row(&self) -> bool {
        self.health.is_some() || self.follows != Follows::Done
    }
}

impl Change {
    /// The health from now on, where the change forgets what it was.
    pub fn health(&self) -> Option<Health> {
        match self {
            Self::Reactivate { replay: true, .. } => Some(Health::REVIVED),
            Self::Reactivate { replay: false, .. } => Some(Health::default()),
            Self::Edit(edit) if edit.moved => Some(Health::default()),
            _ => None,
        }
    }

    /// Applies the change to a record; says whether it made a difference.
    pub fn apply(&self, subscription: &mut Subscription, now: Timestamp) -> bool {
        let deactivated = matches!(subscription.status, Status::Deactivated { .. });
        match self {
            Self::Pause if subscription.status == Status::Active => subscription.status = Status::Paused,
            Self::Resume if subscription.status == Status::Paused => subscription.status = Status::Active,
            Self::Deactivate { reason } if !deactivated => {
                subscription.status = Status::Deactivated { at: now, reason: reason.clone() };
            }
            Self::Reactivate { replay, headers } if deactivated => {
                if let Some(headers) = headers {
                    subscription.headers.clone_from(headers);
                }
                subscription.status = Status::Active;
                subscription.generation = subscription.generation.next();
                subscription.floor = if *replay { Generation(0) } else { subscription.generation };
            }
            Self::SetHeaders(headers) if subscription.headers != *headers => {
                subscription.headers.clone_from(headers);
            }
            Self::Edit(edit) if **edit != Edit::of(subscription) => {
                let Edit { url, filter, condition, profile, delivery, client_certificate, .. } =
                    (**edit).clone();
                (subscription.url, subscription.filter, subscription.condition) = (url, filter, condition);
                (subscription.profile, subscription.delivery) = (profile, delivery);
                subscription.client_certificate = client_certificate;
            }
            Self::Replay if !deactivated && subscription.floor > Generation(0) => {
                subscription.floor = Generation(0);
            }
            _ => return false,
        }
        subscription.updated_at = now;
        true
    }
}

impl Edit {
    /// A subscription as it is.
    pub fn of(subscription: &Subscription) -> Self {
        let Subscription { url, filter, condition, profile, delivery, client_certificate, .. } =
            subscription.clone();
        Self { url, filter, condition, profile, delivery, client_certificate, moved: false }
    }
}

impl NewSubscription {
    /// The record: a sibling's secret, with the one before it, outweighs its own.
    pub(crate) fn record(self, sibling: Option<&Subscription>) -> Subscription {
        let mut record = self.subscription;
        if let Some(sibling) = sibling {
            record.secret = sibling.secret.clone();
            record.previous_secrets = sibling.previous_secrets.clone();
        }
        record
    }
}

impl Rotation {
    /// Gives a subscription the new secret if it has the `old` one; says whether it did.
    ///
    /// Of those before, it keeps as many as may sign.
    pub(crate) fn apply(&self, subscription: &mut Subscription, old: &Secret, now: Timestamp) -> bool {
        if subscription.secret != *old || self.secret == *old {
            return false;
        }
        let previous = &mut subscription.previous_secrets;
        previous.insert(0, PreviousSecret { secret: old.clone(), until: self.overlap_until });
        // First: one whose time is over already takes the place of those before it all the same.
        previous.truncate(self.kept.min(PREVIOUS_SECRETS_LIMIT));
        previous.retain(|previous| now < previous.until);
        subscription.updated_at = now;
        subscription.secret = self.secret.clone();
        true
    }
}
