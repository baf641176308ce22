//! The subscriber: the actor that serves one subscription's endpoint.
//!
//! Its [`dispatcher`] holds a bounded window of the backlog, the retries, the attempts in flight and the endpoint's
//! health, decides what to attempt next, and settles what each attempt met; the actor is its ears and hands. It promises
//! never to attempt a retry before it is due, nor the same delivery twice at once. The records are the store's; when it
//! starts and when it retires is its shard's affair, to which it reports.

mod account_pace;
mod backlog;
mod carrying;
pub mod dispatcher;
pub mod hands;
mod message;
mod pace;
mod picking;
mod policy;
pub mod question;
mod retries;
pub mod slots;
mod task;

use std::cell::Cell;
use std::rc::Rc;
use std::sync::Arc;

use actix::{Actor, ActorContext, Context, Handler, Recipient, SpawnHandle};

use crate::delivery::clients::Clients;
use crate::metrics::Metrics;
use crate::router::desk::Desk;
use crate::store::Address;
use crate::store::writer::Store;
use crate::traces::Traces;

pub use self::account_pace::AccountPaces;
use self::dispatcher::Dispatcher;
pub use self::dispatcher::Start;
pub use self::message::{Again, Cut, End, Forward, Hold, Reload, Report, Retire, Yield};
use self::message::{Answered, Over};
pub use self::policy::Policy;
use self::slots::Turn;
use self::task::{Called, Task};

/// The slots of a router.
pub type Slots = slots::Slots<Recipient<Turn>>;

/// The actor.
pub struct Subscriber {
    at: Address,
    /// Tells its life from earlier ones of the same subscription.
    incarnation: u64,
    surroundings: Rc<Surroundings>,
    reports: Recipient<Report>,
    dispatcher: Dispatcher<Called, Task>,
    timer: Option<SpawnHandle>,
}

/// What the subscribers of one arbiter share.
pub struct Surroundings {
    pub store: Store,
    pub desk: Arc<Desk>,
    pub slots: Slots,
    pub account_paces: AccountPaces,
    pub policy: Policy,
    /// Somebody waits for a place among those who run.
    pub crowded: Cell<bool>,
    pub clients: Clients,
    pub metrics: Metrics,
    pub traces: Traces,
}

impl Subscriber {
    /// A subscriber that is to be started in its arbiter.
    pub fn new(
        at: Address,
        incarnation: u64,
        start: Start,
        surroundings: Rc<Surroundings>,
        reports: Recipient<Report>,
    ) -> Self {
        let dispatcher = Dispatcher::new(
            at,
            incarnation,
            start,
            surroundings.policy.window,
            surroundings.store.now().steady,
        );
        Self { at, incarnation, surroundings, reports, dispatcher, timer: None }
    }
}

impl Actor for Subscriber {
    type Context = Context<Self>;

    fn started(&mut self, ctx: &mut Context<Self>) {
        let (dispatcher, mut hands) = self.with_hands(ctx);
        dispatcher.load(&mut hands);
    }
}

impl Drop for Subscriber {
    fn drop(&mut self) {
        if std::thread::panicking() {
            self.reports.do_send(Report::Died { at: self.at, incarnation: self.incarnation });
        }
    }
}

impl Handler<Answered> for Subscriber {
    type Result = ();

    fn handle(&mut self, Answered { question, answer }: Answered, ctx: &mut Context<Self>) {
        let (dispatcher, mut hands) = self.with_hands(ctx);
        dispatcher.answered(question, answer, hands.now(), &mut hands);
    }
}

impl Handler<Forward> for Subscriber {
    type Result = ();

    fn handle(&mut self, Forward { events, credits }: Forward, ctx: &mut Context<Self>) {
        let (dispatcher, mut hands) = self.with_hands(ctx);
        dispatcher.forwarded(events, credits, hands.now(), &mut hands);
    }
}

impl Handler<Reload> for Subscriber {
    type Result = ();

    fn handle(&mut self, Reload { verdict }: Reload, ctx: &mut Context<Self>) {
        let (dispatcher, mut hands) = self.with_hands(ctx);
        dispatcher.changed(verdict, &mut hands);
    }
}

impl Handler<Again> for Subscriber {
    type Result = ();

    fn handle(&mut self, again: Again, _: &mut Context<Self>) {
        self.dispatcher.asked_again(&again.events);
        // Whoever asked may have gone.
        let _ = again.done.send(());
    }
}

impl Handler<Hold> for Subscriber {
    type Result = ();

    fn handle(&mut self, hold: Hold, ctx: &mut Context<Self>) {
        let (dispatcher, mut hands) = self.with_hands(ctx);
        dispatcher.held(hands.now(), &mut hands);
        // Whoever asked may have gone.
        let _ = hold.done.send(());
    }
}

impl Handler<Cut> for Subscriber {
    type Result = ();

    fn handle(&mut self, cut: Cut, ctx: &mut Context<Self>) {
        let tasks: Vec<Task> = self.dispatcher.cut().collect();
        actix_rt::spawn(async move {
            for task in tasks {
                task.broken_off().await;
            }
            // Whoever asked may have gone.
            let _ = cut.done.send(());
        });
        ctx.stop();
    }
}

impl Handler<Retire> for Subscriber {
    type Result = ();

    fn handle(&mut self, _: Retire, ctx: &mut Context<Self>) {
        ctx.stop();
    }
}

impl Handler<Yield> for Subscriber {
    type Result = ();

    fn handle(&mut self, _: Yield, ctx: &mut Context<Self>) {
        let (dispatcher, mut hands) = self.with_hands(ctx);
        dispatcher.crowded(hands.now(), &mut hands);
    }
}

impl Handler<Turn> for Subscriber {
    type Result = ();

    fn handle(&mut self, Turn(slot): Turn, ctx: &mut Context<Self>) {
        let (dispatcher, mut hands) = self.with_hands(ctx);
        dispatcher.turn(slot, hands.now(), &mut hands);
    }
}

impl Handler<Over> for Subscriber {
    type Result = ();

    fn handle(&mut self, Over { no, event, end }: Over, ctx: &mut Context<Self>) {
        let (dispatcher, hands) = self.with_hands(ctx);
        let mut hands = hands.after(event);
        let attempt = match end {
            End::Made(attempt) => Some(attempt),
            End::BrokenOff => None,
            End::Unable => {
                let now = hands.now();
                return dispatcher.unable(no, now, &mut hands);
            }
        };
        dispatcher.over(no, attempt, rand::random::<f64>(), hands.now(), &mut hands);
    }
}

/// Ends a subscriber by a panic.
#[cfg(test)]
#[derive(actix::Message)]
#[rtype(result = "()")]
pub struct Crash;

#[cfg(test)]
impl Handler<Crash> for Subscriber {
    type Result = ();

    fn handle(&mut self, _: Crash, _: &mut Context<Self>) {
        panic!("a subscriber crashes because a test wants it to");
    }
}
