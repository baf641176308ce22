//! History: what is asked about events and deliveries that were, and what is answered.
//!
//! A delivery is one event for one subscription. It exists when the event matched the subscription, or was replayed to
//! it, and for as long as both exist.

use crate::attempt::Attempt;
use crate::clock::Timestamp;
use crate::event::Heading;
use crate::event_type::EventType;
use crate::filter::Channel;
use crate::id::{AccountNo, EventNo, SubscriptionNo};
use crate::subscription::Subscription;

/// Which events of an account are asked for: `limit` of them, newest first.
#[derive(Clone, Debug)]
pub struct EventQuery {
    pub account: AccountNo,
    pub topics: Topics,
    /// Leaves out the router's own events.
    pub hide_own: bool,
    pub accepted: Period,
    /// Only events with greater numbers.
    pub above: EventNo,
    /// Only events with smaller numbers.
    pub below: EventNo,
    pub limit: usize,
}

/// Which deliveries of an account are asked for: `limit` of them, newest first.
#[derive(Clone, Debug)]
pub struct DeliveryQuery {
    pub account: AccountNo,
    pub subscription: Option<SubscriptionNo>,
    /// Only those of this event.
    pub event: Option<EventNo>,
    pub topics: Topics,
    /// Leaves out those of the router's own events.
    pub hide_own: bool,
    pub status: Option<DeliveryStatus>,
    pub accepted: Period,
    /// Only those of events with greater numbers.
    pub above: EventNo,
    /// Only deliveries before this one in the order of lists: of older events, or of the same for older subscriptions.
    pub below: Place,
    pub limit: usize,
}

/// What events are about: of some types, and on a channel.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Topics {
    /// Any, without one.
    pub event_types: Vec<EventType>,
    /// Wherever, without one.
    pub channel: Option<Channel>,
}

/// A stretch of time: from `since` on, and before `until`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Period {
    pub since: Timestamp,
    pub until: Timestamp,
}

/// By how much accepted times may be out of order.
const DISORDER_MS: u64 = 60_000;

/// A delivery's place in lists, which begin with the greatest.
pub type Place = (EventNo, SubscriptionNo);

/// A place that every delivery is below.
pub const NEWEST: Place = (EventNo(u64::MAX), SubscriptionNo(u64::MAX));

/// In which direction a list is walked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Order {
    /// Oldest first.
    Ascending,
    /// Newest first.
    Descending,
}

/// A part of a list.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Listed<T> {
    pub items: Vec<T>,
    /// Whether there may be more behind them.
    pub more: bool,
}

/// One event for one subscription.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Delivery {
    pub event: Heading,
    pub subscription: Subscription,
    pub status: DeliveryStatus,
    /// How many attempts were made.
    pub attempts: u16,
    /// When the next one is due, by the steady clock; none where it has no due time of its own.
    pub next_attempt_at: Option<Timestamp>,
    /// The newest attempts that are still known, in order.
    pub log: Vec<Attempt>,
}

/// Where a delivery stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DeliveryStatus {
    /// It waits, or is being attempted.
    Pending,
    /// An attempt succeeded.
    Delivered,
    /// It was given up, with its hook.
    Dead,
}

impl Period {
    /// All of time.
    pub const ALWAYS: Self = Self { since: Timestamp(0), until: Timestamp(u64::MAX) };

    /// Whether nothing older than what was accepted at a moment can be within.
    ///
    /// Accepted times are nearly in the order of events; one that waited for a credit may be out of it by a minute.
    pub fn begins_long_after(self, at: Timestamp) -> bool {
        at.0.saturating_add(DISORDER_MS) < self.since.0
    }

    /// Whether a moment is within.
    pub fn contains(&self, at: Timestamp) -> bool {
        self.since <= at && at < self.until
    }
}

impl Topics {
    /// Events of this type, or of any.
    pub fn of_type(event_type: Option<EventType>) -> Self {
        Self { event_types: event_type.into_iter().collect(), channel: None }
    }

    /// Whether an event of this type is among them, that says on which channels it is.
    pub fn include(&self, event_type: &str, is_on: impl FnOnce(&Channel) -> bool) -> bool {
        let of_type = |wanted: &EventType| wanted.as_str() == event_type;
        (self.event_types.is_empty() || self.event_types.iter().any(of_type))
            && self.channel.as_ref().is_none_or(is_on)
    }
}

impl Order {
    /// The other way.
    pub fn reversed(self) -> Self {
        match self {
            Self::Ascending => Self::Descending,
            Self::Descending => Self::Ascending,
        }
    }
}

impl DeliveryStatus {
    /// Every status, in the order of a delivery's life.
    pub const ALL: [Self; 3] = [Self::Pending, Self::Delivered, Self::Dead];

    /// Its name on the wire.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Pending => "pending",
            Self::Delivered => "delivered",
            Self::Dead => "dead",
        }
    }
}

impl<T> Listed<T> {
    /// The first `limit` of these.
    pub fn of(mut items: Vec<T>, limit: usize) -> Self {
        let more = items.len() > limit;
        items.truncate(limit);
        Self { items, more }
    }
}

impl Delivery {
    /// Where it stands in lists.
    pub fn place(&self) -> Place {
        (self.event.no, self.subscription.no)
    }
}
