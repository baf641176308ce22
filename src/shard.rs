//! The shard: the actor that keeps the subscribers of one arbiter.
//!
//! By its [`roster`] it starts a subscriber when there is something to do, hands on what the router forwards, and lets it
//! retire when it is idle; one that panicked is started again from the store. Since both live on one thread, nothing is forwarded to
//! a subscriber that is just retiring. Which subscriptions are its own is the router's choice.

mod agenda;
mod message;
pub mod roster;

use std::cell::Cell;
use std::collections::HashMap;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use actix::{
    Actor, ActorContext, Addr, AsyncContext, Context, Handler, Recipient, ResponseFuture, SpawnHandle,
};
use tokio::sync::{mpsc, oneshot};
use tokio::task::JoinHandle;
use tracing::error;

use crate::clock::Timestamp;
use crate::delivery::client::Settings;
use crate::delivery::clients::Clients;
use crate::delivery::endpoint::Endpoint;
use crate::id::SubscriptionNo;
use crate::metrics::Metrics;
use crate::metrics::hooks::Counted;
use crate::router::desk::Desk;
use crate::store::writer::Store;
use crate::subscriber::{
    self, AccountPaces, Cut, Hold, Policy, Reload, Report, Retire, Slots, Subscriber, Surroundings, Yield,
};
use crate::subscription::Subscription;
use crate::traces::Traces;

pub use self::message::{Abandon, Again, Drain, Due, Forward, GiveUp, Pause, Remove, Try, Verdict, Wake};
use self::roster::{Life, Roster};

/// The most subscribers that run at a time. Each takes a few kilobytes.
const RUNNING_LIMIT: usize = 20_000;
/// How often a drain looks whether attempts are still in flight.
const DRAIN_STEP: Duration = Duration::from_millis(5);

/// The actor.
pub struct Shard {
    surroundings: Rc<Surroundings>,
    roster: Roster<Running>,
    /// Attempts that somebody tries an endpoint out with.
    trials: HashMap<SubscriptionNo, Vec<JoinHandle<()>>>,
    given_up: Recipient<GiveUp>,
    ended: mpsc::UnboundedSender<()>,
    timer: Option<SpawnHandle>,
}

/// What a shard is made of.
#[derive(Clone)]
pub struct Plan {
    pub store: Store,
    /// Of the router whose shard it is.
    pub desk: Arc<Desk>,
    pub policy: Policy,
    pub delivery: Arc<Settings>,
    /// Requests in flight, of all shards together.
    pub slots: Slots,
    pub account_paces: AccountPaces,
    pub metrics: Metrics,
    pub traces: Traces,
    pub given_up: Recipient<GiveUp>,
    /// Told when a shard panicked.
    pub ended: mpsc::UnboundedSender<()>,
}

struct Running {
    subscriber: Addr<Subscriber>,
    _counted: Counted,
}

impl Shard {
    /// A shard without subscribers.
    pub fn new(plan: Plan) -> Self {
        let surroundings = Surroundings {
            store: plan.store,
            desk: plan.desk,
            slots: plan.slots,
            account_paces: plan.account_paces,
            policy: plan.policy,
            crowded: Cell::default(),
            metrics: plan.metrics,
            traces: plan.traces,
            clients: Clients::new(plan.delivery),
        };
        Self {
            surroundings: Rc::new(surroundings),
            roster: Roster::new(RUNNING_LIMIT),
            trials: HashMap::new(),
            given_up: plan.given_up,
            ended: plan.ended,
            timer: None,
        }
    }

    /// Now, as due times have it.
    fn now(&self) -> Timestamp {
        self.surroundings.store.now().steady
    }

    /// Starts subscribers that are due, some at a time, and sets the one timer for the next; if there is no room for
    /// them, those with nothing to do are to retire.
    fn start_due(&mut self, ctx: &mut Context<Self>) {
        let now = self.now();
        let (roster, surroundings) = (&mut self.roster, &self.surroundings);
        let wait = roster.start_due(now, |life| Running::begin(life, surroundings, ctx));
        let has_become_crowded = roster.look_round(now);
        surroundings.crowded.set(roster.is_crowded());
        if has_become_crowded {
            roster.all().for_each(|running| running.subscriber.do_send(Yield));
        }
        let Some(wait) = wait else {
            return;
        };
        if let Some(earlier) = self.timer.take() {
            ctx.cancel_future(earlier);
        }
        self.timer = Some(ctx.run_later(wait, |shard, ctx| {
            shard.timer = None;
            shard.roster.woken();
            shard.start_due(ctx);
        }));
    }
}

impl Running {
    /// Starts a subscriber in this arbiter.
    fn begin(life: Life, surroundings: &Rc<Surroundings>, ctx: &mut Context<Shard>) -> Self {
        let Life { at, incarnation, start } = life;
        let reports = ctx.address().recipient();
        let subscriber = Subscriber::new(at, incarnation, start, surroundings.clone(), reports);
        Self { subscriber: subscriber.start(), _counted: surroundings.metrics.hooks.run() }
    }

    /// Lets the subscriber start nothing new; the answer comes when it has handled all that it was told before.
    fn hold(&self) -> oneshot::Receiver<()> {
        let (done, held) = oneshot::channel();
        self.subscriber.do_send(Hold { done });
        held
    }
}

impl Actor for Shard {
    type Context = Context<Self>;
}

impl Drop for Shard {
    fn drop(&mut self) {
        if std::thread::panicking() {
            // The runtime may have ended first.
            let _ = self.ended.send(());
        }
    }
}

impl Handler<Forward> for Shard {
    type Result = ();

    fn handle(&mut self, forward: Forward, ctx: &mut Context<Self>) {
        let now = self.now();
        let (roster, surroundings) = (&mut self.roster, &self.surroundings);
        for (at, events) in forward.deliveries {
            let Some(first) = events.first().map(|event| event.no) else {
                continue;
            };
            let begin = |life| Running::begin(life, surroundings, ctx);
            if let Some(running) = roster.forward(at, first, now, begin) {
                let credits = forward.credits.clone();
                running.subscriber.do_send(subscriber::Forward { events, credits });
            }
        }
        self.start_due(ctx);
    }
}

impl Handler<Due> for Shard {
    type Result = ();

    fn handle(&mut self, Due(waiting): Due, ctx: &mut Context<Self>) {
        waiting.into_iter().for_each(|(at, due)| self.roster.note(at, due));
        self.start_due(ctx);
    }
}

impl Handler<Wake> for Shard {
    type Result = ();

    fn handle(&mut self, Wake(at): Wake, ctx: &mut Context<Self>) {
        let now = self.now();
        let (roster, surroundings) = (&mut self.roster, &self.surroundings);
        if let Some(running) = roster.wake(at, now, |life| Running::begin(life, surroundings, ctx)) {
            running.subscriber.do_send(Reload { verdict: false });
        }
        self.start_due(ctx);
    }
}

impl Handler<Again> for Shard {
    type Result = ();

    fn handle(&mut self, again: Again, _: &mut Context<Self>) {
        if let Some(running) = self.roster.running(again.at) {
            let Again { events, done, .. } = again;
            running.subscriber.do_send(subscriber::Again { events, done });
        }
    }
}

impl Handler<Try> for Shard {
    type Result = ();

    fn handle(&mut self, wish: Try, _: &mut Context<Self>) {
        let Try { subscription, request, reply } = wish;
        let Subscription { account, url, client_certificate, .. } = &*subscription;
        let client = self.surroundings.clients.client(*account, url, client_certificate.as_ref());
        let (Ok(endpoint), Ok(client)) = (Endpoint::of(&subscription), client) else {
            return;
        };
        let trial = actix_rt::spawn(async move {
            // Whoever asked may have gone.
            let _ = reply.send(client.attempt(&endpoint, request).await);
        });
        self.trials.retain(|_, trials| {
            trials.retain(|trial| !trial.is_finished());
            !trials.is_empty()
        });
        self.trials.entry(subscription.no).or_default().push(trial);
    }
}

impl Handler<Verdict> for Shard {
    type Result = ();

    fn handle(&mut self, Verdict(at): Verdict, _: &mut Context<Self>) {
        if let Some(running) = self.roster.judged(at) {
            running.subscriber.do_send(Reload { verdict: true });
        }
    }
}

impl Handler<Pause> for Shard {
    type Result = ResponseFuture<()>;

    fn handle(&mut self, Pause(at): Pause, _: &mut Context<Self>) -> ResponseFuture<()> {
        let held = self.roster.pause(at).map(Running::hold);
        Box::pin(async move {
            if let Some(held) = held {
                // One that has ended meanwhile starts nothing either.
                let _ = held.await;
            }
        })
    }
}

impl Handler<Remove> for Shard {
    type Result = ResponseFuture<()>;

    fn handle(&mut self, Remove(at): Remove, ctx: &mut Context<Self>) -> ResponseFuture<()> {
        let cut = self.roster.remove(at).map(|running| {
            let (done, ended) = oneshot::channel();
            running.subscriber.do_send(Cut { done });
            ended
        });
        let trials = self.trials.remove(&at.subscription).unwrap_or_default();
        self.start_due(ctx);
        Box::pin(async move {
            for trial in trials {
                trial.abort();
                // It ends cancelled, or had ended before.
                let _ = trial.await;
            }
            if let Some(ended) = cut {
                // One that has ended meanwhile has nothing in flight.
                let _ = ended.await;
            }
        })
    }
}

impl Handler<Drain> for Shard {
    type Result = ResponseFuture<()>;

    fn handle(&mut self, Drain { grace }: Drain, _: &mut Context<Self>) -> ResponseFuture<()> {
        let held: Vec<_> = self.roster.drain().map(Running::hold).collect();
        let slots = self.surroundings.slots.clone();
        Box::pin(async move {
            for held in held {
                // One that has ended meanwhile starts nothing either.
                let _ = held.await;
            }
            let mut patience = grace;
            while slots.in_use() > 0 && !patience.is_zero() {
                actix_rt::time::sleep(DRAIN_STEP).await;
                patience = patience.saturating_sub(DRAIN_STEP);
            }
        })
    }
}

impl Handler<Abandon> for Shard {
    type Result = ();

    fn handle(&mut self, _: Abandon, ctx: &mut Context<Self>) {
        for running in self.roster.abandon() {
            let (done, _) = oneshot::channel();
            running.subscriber.do_send(Cut { done });
        }
        ctx.stop();
    }
}

impl Handler<Report> for Shard {
    type Result = ();

    fn handle(&mut self, report: Report, ctx: &mut Context<Self>) {
        match report {
            Report::Idle { at, incarnation, heard, next_due } => {
                if let Some(running) = self.roster.retire(at, incarnation, heard, next_due) {
                    running.subscriber.do_send(Retire);
                }
            }
            Report::GiveUp { settlement, reason, subscription } => {
                self.given_up.do_send(GiveUp { settlement, reason, subscription });
            }
            Report::Died { at, incarnation } => {
                if self.roster.bury(at, incarnation, self.now()) {
                    error!(
                        subscription = at.subscription.0,
                        "a subscriber ended; it starts again from the store"
                    );
                }
            }
        }
        self.start_due(ctx);
    }
}

#[cfg(test)]
impl Handler<subscriber::Crash> for Shard {
    type Result = ();

    fn handle(&mut self, _: subscriber::Crash, _: &mut Context<Self>) {
        self.roster.all().for_each(|running| running.subscriber.do_send(subscriber::Crash));
    }
}

/// Ends a shard by a panic.
#[cfg(test)]
#[derive(actix::Message)]
#[rtype(result = "()")]
pub struct Crash;

#[cfg(test)]
impl Handler<Crash> for Shard {
    type Result = ();

    fn handle(&mut self, _: Crash, _: &mut Context<Self>) {
        panic!("a shard crashes because a test wants it to");
    }
}
