//! What a shard is told by the router and the runtime, and what it tells the router.

use std::sync::Arc;
use std::time::Duration;

use actix::Message;
use smallvec::SmallVec;
use tokio::sync::oneshot;

use crate::attempt::Attempt;

use crate::clock::Timestamp;
use crate::credit::Credit;
use crate::delivery::endpoint::Request;
use crate::event::Recorded;
use crate::id::EventNo;
use crate::store::{Address, Settlement};
use crate::subscription::Subscription;

/// Events for subscriptions of the shard, by event within each.
#[derive(Message)]
#[rtype(result = "()")]
pub struct Forward {
    pub deliveries: Vec<(Address, SmallVec<[Arc<Recorded>; 1]>)>,
    pub credits: Arc<Vec<Credit>>,
}

/// Notes when subscriptions are due that nobody serves yet.
#[derive(Message)]
#[rtype(result = "()")]
pub struct Due(pub Vec<(Address, Timestamp)>);

/// A subscription changed: what waits for it is to be read afresh.
#[derive(Message)]
#[rtype(result = "()")]
pub struct Wake(pub Address);

/// The router has decided about an endpoint that was to be given up.
#[derive(Message)]
#[rtype(result = "()")]
pub struct Verdict(pub Address);

/// A subscription was paused. Once answered, nothing new starts for it.
#[derive(Message)]
#[rtype(result = "()")]
pub struct Pause(pub Address);

/// A subscription is gone. Once answered, what was in flight is broken off and nothing new starts.
#[derive(Message)]
#[rtype(result = "()")]
pub struct Remove(pub Address);

/// Starts nothing new; answered once nothing is in flight, or after the grace period.
#[derive(Message)]
#[rtype(result = "()")]
pub struct Drain {
    pub grace: Duration,
}

/// Ends the shard and its subscribers at once.
#[derive(Message)]
#[rtype(result = "()")]
pub struct Abandon;

/// An endpoint is to be given up, with the settlement of its last attempt.
#[derive(Message)]
#[rtype(result = "()")]
pub struct GiveUp {
    pub settlement: Settlement,
    pub reason: String,
    pub subscription: Box<Subscription>,
}

/// Attempts of these events that are in flight are to be made again at once if they fail. Answered once that is noted;
/// dropped where nothing is in flight.
#[derive(Message)]
#[rtype(result = "()")]
pub struct Again {
    pub at: Address,
    pub events: Vec<EventNo>,
    pub done: oneshot::Sender<()>,
}

/// Attempts to deliver a request to a subscription's endpoint, once, whatever its health; the attempt is settled
/// nowhere. No answer means that there is no such subscription.
#[derive(Message)]
#[rtype(result = "()")]
pub struct Try {
    pub subscription: Box<Subscription>,
    pub request: Request,
    pub reply: oneshot::Sender<Attempt>,
}
