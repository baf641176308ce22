//! What a subscriber is told, and what it reports.

use std::sync::Arc;

use actix::Message;
use smallvec::SmallVec;
use tokio::sync::oneshot;

use crate::attempt::Attempt;
use crate::clock::Timestamp;
use crate::credit::Credit;
use crate::event::Recorded;
use crate::id::EventNo;
use crate::store::{self, Address, Settlement};
use crate::subscriber::question::Answer;
use crate::subscription::Subscription;

/// Forwards events that the subscription matched.
#[derive(Message)]
#[rtype(result = "()")]
pub struct Forward {
    pub events: SmallVec<[Arc<Recorded>; 1]>,
    /// Held until the events are in the window or left to the store.
    pub credits: Arc<Vec<Credit>>,
}

/// Asks it to read its record and backlog afresh.
#[derive(Message)]
#[rtype(result = "()")]
pub struct Reload {
    /// Whether this answers a [`Report::GiveUp`]: the router has decided.
    pub verdict: bool,
}

/// Asks it to make attempts of these events that are in flight again at once, should they fail.
#[derive(Message)]
#[rtype(result = "()")]
pub struct Again {
    pub events: Vec<EventNo>,
    /// Told when that is noted.
    pub done: oneshot::Sender<()>,
}

/// Asks it to start nothing new. Once `done` is told, nothing new starts, and what was over before is settled.
#[derive(Message)]
#[rtype(result = "()")]
pub struct Hold {
    pub done: oneshot::Sender<()>,
}

/// Ends it and breaks off what is in flight; `done` is told when that has ended.
#[derive(Message)]
#[rtype(result = "()")]
pub struct Cut {
    pub done: oneshot::Sender<()>,
}

/// Ends it after it reported [`Report::Idle`].
#[derive(Message)]
#[rtype(result = "()")]
pub struct Retire;

/// Tells it that somebody waits for a place: it is to retire if it has nothing to do.
#[derive(Message)]
#[rtype(result = "()")]
pub struct Yield;

/// The store's answer to a question.
#[derive(Message)]
#[rtype(result = "()")]
pub struct Answered {
    pub question: u64,
    pub answer: Result<Answer, store::Error>,
}

/// An attempt is over.
#[derive(Message)]
#[rtype(result = "()")]
pub struct Over {
    pub no: EventNo,
    /// Unless it could not be read.
    pub event: Option<Arc<Recorded>>,
    pub end: End,
}

/// How an attempt is over.
pub enum End {
    Made(Attempt),
    /// This machine could not make it: the receiver saw nothing of it.
    Unable,
    /// It was broken off, or what was to be sent could not be read.
    BrokenOff,
}

/// What a subscriber tells its shard.
#[derive(Message)]
#[rtype(result = "()")]
pub enum Report {
    /// Nothing to do for a while; `heard` counts what it was forwarded.
    Idle { at: Address, incarnation: u64, heard: u64, next_due: Option<Timestamp> },
    /// The endpoint is to be given up, with this settlement.
    GiveUp { settlement: Settlement, reason: String, subscription: Box<Subscription> },
    /// It ended without being asked to.
    Died { at: Address, incarnation: u64 },
}
