//! The hands of a dispatcher: what carries out its decisions. The actor's are real, a simulation's are not.

use std::sync::Arc;
use std::time::Duration;

use crate::clock::Timestamp;
use crate::event::Recorded;
use crate::id::EventNo;
use crate::metrics::attempts::Attempts;
use crate::store::{Lane, Settlement};
use crate::subscriber::message::Report;
use crate::subscriber::policy::Policy;
use crate::subscriber::question::Question;
use crate::subscriber::slots::Taken;
use crate::subscription::{Generation, Subscription};

/// A delivery on its way to an attempt.
#[derive(Clone, Copy, Debug)]
pub struct Delivery {
    pub event: EventNo,
    /// The subscription's life in which it is attempted.
    pub generation: Generation,
    /// Attempts made before.
    pub attempts: u16,
    /// Retries scheduled before.
    pub retries: u16,
    pub lane: Lane,
}

/// What an attempt can mean that others may want to know.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum News {
    /// The delivery is given up alone.
    Exhausted,
    /// The endpoint was probed, and has taken a delivery.
    Recovered,
}

impl Delivery {
    /// Whether somebody asked for the attempt: it is not the first, and no retry of a schedule.
    pub fn is_asked_for(&self) -> bool {
        self.attempts > 0 && self.retries == 0
    }
}

/// Does what a dispatcher decides.
pub trait Hands {
    /// A subscription that is prepared for attempts.
    type Endpoint;
    /// Leave to have one request in flight; given back when dropped.
    type Slot;
    /// An attempt in flight, which ends when this is dropped.
    type Task;

    /// What the configuration says about serving endpoints.
    fn policy(&self) -> &Policy;

    /// Whether somebody waits for a place among those who run.
    fn is_crowded(&self) -> bool;

    /// Where attempts are counted.
    fn figures(&self) -> &Attempts;

    /// How long ago an event was accepted, which the wall clock says; `now` is the dispatcher's.
    fn since(&self, accepted_at: Timestamp, now: Timestamp) -> Duration {
        accepted_at.until(now)
    }

    /// Whether the store has stopped accepting changes.
    fn store_has_failed(&self) -> bool;

    /// Prepares a subscription; `None` where no request can be made of it.
    fn prepare(&mut self, subscription: &Subscription) -> Option<Self::Endpoint>;

    /// Lets an attempt begin, as far as its account is concerned.
    ///
    /// # Errors
    /// When it is too early; says when to try again.
    fn admit(&mut self, now: Timestamp) -> Result<(), Timestamp>;

    /// A slot beside so many that it holds, or else perhaps a place in the line for one: then a turn comes.
    fn take_slot_or_wait(&mut self, held: usize) -> Taken<Self::Slot>;

    /// Begins an attempt, of which the end is told, however it ends; an event that is not given is the store's to find.
    fn attempt(
        &mut self,
        endpoint: &Self::Endpoint,
        delivery: Delivery,
        event: Option<Arc<Recorded>>,
        slot: Self::Slot,
    ) -> Self::Task;

    /// Queues a settlement to the writer.
    fn settle(&mut self, settlement: Settlement);

    /// Queues a settlement, and with it that others are told what it means.
    fn settle_and_tell(&mut self, settlement: Settlement, subscription: &Subscription, news: News);

    /// Asks the store; the answer comes under this number.
    fn ask(&mut self, number: u64, question: Question);

    /// Tells the shard.
    fn report(&mut self, report: Report);

    /// Sets the one timer anew.
    fn set_timer(&mut self, wait: Duration);

    /// Ends the subscriber without being asked to, for its shard to start it again.
    fn die(&mut self);
}
