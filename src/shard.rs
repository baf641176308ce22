//! The shard: the actor that keeps the subscribers of one arbiter.
//!
//! It starts a subscriber when there is something to do, hands on what the router forwards, and lets it retire when it
//! is idle; one that panicked is started again from the store. Since both live on one thread, nothing is forwarded to
//! a subscriber that is just retiring. Which subscriptions are its own is the router's choice.

mod agenda;
mod message;

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
use crate::store::Address;
use crate::store::writer::Store;
use crate::subscriber::{
    self, Cut, Hold, Policy, Reload, Report, Retire, Slots, Start, Subscriber, Surroundings,
};

use self::agenda::Agenda;
pub use self::message::{Abandon, Again, Drain, Due, Forward, GiveUp, Pause, Remove, Try, Verdict, Wake};

/// The most subscribers that run at a time; further ones start as others retire. Each takes a few kilobytes.
const RUNNING_LIMIT: usize = 20_000;
/// How long a subscriber that ended by itself stays down: long enough that one that always does is no burden.
const DOWN_TIME: Duration = Duration::from_secs(1);
/// How many due subscribers are started in one go, so that a restart does not starve what is fresh.
const START_STEP: usize = 200;
/// How often a drain looks whether attempts are still in flight.
const DRAIN_STEP: Duration = Duration::from_millis(5);

/// The actor.
pub struct Shard {
    surroundings: Rc<Surroundings>,
    running: HashMap<SubscriptionNo, Running>,
    /// Attempts that somebody tries an endpoint out with.
    trials: HashMap<SubscriptionNo, Vec<JoinHandle<()>>>,
    agenda: Agenda,
    given_up: Recipient<GiveUp>,
    ended: mpsc::UnboundedSender<()>,
    lives: u64,
    timer: Option<(Timestamp, SpawnHandle)>,
    draining: bool,
}

/// What a shard is made of.
#[derive(Clone)]
pub struct Plan {
    pub store: Store,
    pub policy: Policy,
    pub delivery: Arc<Settings>,
    /// Requests in flight, of all shards together.
    pub slots: Slots,
    pub metrics: Metrics,
    pub given_up: Recipient<GiveUp>,
    /// Told when a shard panicked.
    pub ended: mpsc::UnboundedSender<()>,
}

struct Running {
    subscriber: Addr<Subscriber>,
    incarnation: u64,
    /// How often it was forwarded something.
    told: u64,
    _counted: Counted,
}

impl Shard {
    /// A shard without subscribers.
    pub fn new(plan: Plan) -> Self {
        let surroundings = Surroundings {
            store: plan.store,
            slots: plan.slots,
            policy: plan.policy,
            metrics: plan.metrics,
            clients: Clients::new(plan.delivery),
        };
        Self {
            surroundings: Rc::new(surroundings),
            running: HashMap::new(),
            trials: HashMap::new(),
            agenda: Agenda::default(),
            given_up: plan.given_up,
            ended: plan.ended,
            lives: 0,
            timer: None,
            draining: false,
        }
    }

    /// The subscriber of a subscription; started if there is room for it.
    fn subscriber(&mut self, at: Address, start: Start, ctx: &mut Context<Self>) -> Option<&mut Running> {
        let known = self.running.contains_key(&at.subscription);
        if !known && (self.draining || self.running.len() >= RUNNING_LIMIT) {
            self.agenda.note(at, Timestamp(0));
            return None;
        }
        let start = if self.agenda.strike(at) { Start::FromStore } else { start };
        let running = self.running.entry(at.subscription).or_insert_with(|| {
            self.lives += 1;
            let reports = ctx.address().recipient();
            let subscriber = Subscriber::new(at, self.lives, start, self.surroundings.clone(), reports);
            let _counted = self.surroundings.metrics.hooks.run();
            Running { subscriber: subscriber.start(), incarnation: self.lives, told: 0, _counted }
        });
        Some(running)
    }

    /// Starts subscribers that are due, some at a time, and sets the one timer for the next.
    fn start_due(&mut self, ctx: &mut Context<Self>) {
        let now = Timestamp::now();
        for _ in 0..START_STEP {
            if self.draining || self.running.len() >= RUNNING_LIMIT {
                break;
            }
            let Some(at) = self.agenda.take_due(now) else {
                break;
            };
            self.subscriber(at, Start::FromStore, ctx);
        }
        self.set_timer(now, ctx);
    }

    fn set_timer(&mut self, now: Timestamp, ctx: &mut Context<Self>) {
        let full = self.draining || self.running.len() >= RUNNING_LIMIT;
        let Some(due) = self.agenda.next_due().filter(|_| !full) else {
            return;
        };
        // What is overdue waits for the next turn of the loop: others get theirs.
        let at = due.max(Timestamp(now.0 + 1));
        if self.timer.is_some_and(|(set, _)| set <= at) {
            return;
        }
        if let Some((_, handle)) = self.timer.take() {
            ctx.cancel_future(handle);
        }
        let handle = ctx.run_later(now.until(at), |shard, ctx| {
            shard.timer = None;
            shard.start_due(ctx);
        });
        self.timer = Some((at, handle));
    }

    fn retire(&mut self, at: Address, heard: u64, next_due: Option<Timestamp>) {
        let up_to_date = |running: &Running| running.told == heard;
        if !self.running.get(&at.subscription).is_some_and(up_to_date) {
            return;
        }
        if let Some(running) = self.running.remove(&at.subscription) {
            running.subscriber.do_send(Retire);
        }
        if let Some(due) = next_due {
            self.agenda.note(at, due);
        }
    }

    fn bury(&mut self, at: Address, incarnation: u64) {
        let is_it = |running: &Running| running.incarnation == incarnation;
        if !self.running.get(&at.subscription).is_some_and(is_it) {
            return;
        }
        error!(subscription = at.subscription.0, "a subscriber ended; it starts again from the store");
        self.running.remove(&at.subscription);
        self.agenda.note(at, Timestamp::now().after(DOWN_TIME));
    }
}

impl Running {
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
        for (at, events) in forward.deliveries {
            let Some(first) = events.first().map(|event| event.no) else {
                continue;
            };
            if let Some(running) = self.subscriber(at, Start::With(first), ctx) {
                running.told += 1;
                let credits = forward.credits.clone();
                running.subscriber.do_send(subscriber::Forward { events, credits });
            }
        }
    }
}

impl Handler<Due> for Shard {
    type Result = ();

    fn handle(&mut self, Due(waiting): Due, ctx: &mut Context<Self>) {
        waiting.into_iter().for_each(|(at, due)| self.agenda.note(at, due));
        self.start_due(ctx);
    }
}

impl Handler<Wake> for Shard {
    type Result = ();

    fn handle(&mut self, Wake(at): Wake, ctx: &mut Context<Self>) {
        if self.draining {
            return;
        }
        let was_running = self.running.contains_key(&at.subscription);
        if let Some(running) = self.subscriber(at, Start::FromStore, ctx).filter(|_| was_running) {
            running.told += 1;
            running.subscriber.do_send(Reload { verdict: false });
        }
    }
}

impl Handler<Again> for Shard {
    type Result = ();

    fn handle(&mut self, again: Again, _: &mut Context<Self>) {
        if let Some(running) = self.running.get(&again.at.subscription) {
            let Again { events, done, .. } = again;
            running.subscriber.do_send(subscriber::Again { events, done });
        }
    }
}

impl Handler<Try> for Shard {
    type Result = ();

    fn handle(&mut self, wish: Try, _: &mut Context<Self>) {
        let Try { subscription, request, reply } = wish;
        let Ok(endpoint) = Endpoint::of(&subscription) else {
            return;
        };
        let client = self.surroundings.clients.client(subscription.account, &subscription.url);
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
        // A subscriber that is held for a stop stays so.
        if let Some(running) = self.running.get(&at.subscription).filter(|_| !self.draining) {
            running.subscriber.do_send(Reload { verdict: true });
        }
    }
}

impl Handler<Pause> for Shard {
    type Result = ResponseFuture<()>;

    fn handle(&mut self, Pause(at): Pause, _: &mut Context<Self>) -> ResponseFuture<()> {
        self.agenda.strike(at);
        let held = self.running.get(&at.subscription).map(Running::hold);
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
        self.agenda.strike(at);
        let cut = self.running.remove(&at.subscription).map(|running| {
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
        self.draining = true;
        let held: Vec<_> = self.running.values().map(Running::hold).collect();
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
        for (_, running) in self.running.drain() {
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
            Report::Idle { at, heard, next_due } => self.retire(at, heard, next_due),
            Report::GiveUp { settlement, reason, subscription } => {
                self.given_up.do_send(GiveUp { settlement, reason, subscription });
            }
            Report::Died { at, incarnation } => self.bury(at, incarnation),
        }
        self.start_due(ctx);
    }
}

#[cfg(test)]
impl Handler<subscriber::Crash> for Shard {
    type Result = ();

    fn handle(&mut self, _: subscriber::Crash, _: &mut Context<Self>) {
        self.running.values().for_each(|running| running.subscriber.do_send(subscriber::Crash));
    }
}
