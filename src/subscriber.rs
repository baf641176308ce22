//! The subscriber: the actor that serves one subscription's endpoint.
//!
//! It holds a bounded window of the backlog, the retries, the attempts in flight and the endpoint's health, decides
//! what to attempt next, and settles what each attempt met. It promises never to attempt a retry before it is due, nor
//! the same delivery twice at once. The records are the store's; when it starts and when it retires is its shard's
//! affair, to which it reports.

mod backlog;
mod message;
mod picking;
mod retries;
mod serving;
mod slots;

use std::collections::HashMap;
use std::rc::Rc;
use std::time::{Duration, Instant};

use actix::{Actor, ActorContext, AsyncContext, Context, Handler, Message, Recipient, SpawnHandle};
use tokio::task::JoinHandle;
use tracing::{debug, error};

use crate::attempt::Attempt;
use crate::clock::Timestamp;
use crate::delivery::client::Client;
use crate::delivery::clients::Clients;
use crate::delivery::endpoint::Endpoint;
use crate::health::Health;
use crate::id::EventNo;
use crate::metrics::Metrics;
use crate::retry;
use crate::store::writer::Store;
use crate::store::{self, Address};
use crate::subscription::{Generation, Status, Subscription};

use self::backlog::Window;
pub use self::message::{Again, Cut, Forward, Hold, Reload, Report, Retire};
use self::retries::{RETRIES_LIMIT, Retries};
pub use self::slots::Slots;
use self::slots::Turn;

/// The actor.
pub struct Subscriber {
    at: Address,
    /// Tells its life from earlier ones of the same subscription.
    incarnation: u64,
    surroundings: Rc<Surroundings>,
    reports: Recipient<Report>,
    state: State,
    served: Option<Served>,
    health: Health,
    /// The health as the store knows it.
    kept: Health,
    window: Window,
    retries: Retries,
    in_flight: HashMap<EventNo, InFlight>,
    /// How often it was forwarded something.
    heard: u64,
    /// Tells an answer of the store to the latest question from those to earlier ones.
    question: u64,
    asking: bool,
    /// Giving the endpoint up was reported so often, and not yet decided.
    verdicts_due: u32,
    /// It reported that it is idle, and starts nothing until it hears again.
    resting: bool,
    in_line: bool,
    quiet_since: Instant,
    timer: Option<(Timestamp, SpawnHandle)>,
}

/// What the subscribers of one arbiter share.
pub struct Surroundings {
    pub store: Store,
    pub slots: Slots,
    pub policy: Policy,
    pub clients: Clients,
    pub metrics: Metrics,
}

/// What the configuration says about serving endpoints.
#[derive(Clone, Debug)]
pub struct Policy {
    pub retry: retry::Policy,
    /// Unhealthy outcomes in a row after which an endpoint is probed.
    pub probe_after: u32,
    /// Attempts in flight to one endpoint.
    pub max_in_flight: u32,
    /// Deliveries in the window.
    pub window: usize,
    /// How long it stays with nothing to do.
    pub idle: Duration,
}

/// What a subscriber knows of its backlog when it starts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Start {
    /// Nothing waits but what is forwarded from this event on.
    With(EventNo),
    /// The store knows.
    FromStore,
}

/// Where a subscriber stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    /// Its record is being read.
    Loading,
    /// Nothing can be attempted now.
    Idle,
    /// Attempts are in flight, as many as its health allows.
    Sending,
    /// The endpoint is broken: only the oldest delivery is attempted.
    Probing,
    /// Nothing new is started.
    Paused,
    /// It was given up.
    Deactivated,
}

/// The record, prepared for attempts.
struct Served {
    subscription: Subscription,
    endpoint: Rc<Endpoint>,
    client: Rc<Client>,
}

struct InFlight {
    delivery: Delivery,
    /// It was asked for again meanwhile: if it fails, its schedule begins anew, at once.
    again: bool,
    task: JoinHandle<()>,
}

/// A delivery on its way to an attempt.
#[derive(Clone, Copy, Debug)]
struct Delivery {
    event: EventNo,
    /// The subscription's life in which it is attempted.
    generation: Generation,
    /// Attempts made before.
    attempts: u16,
    /// Retries scheduled before.
    retries: u16,
}

/// What the store knows, asked when it starts.
struct Loaded {
    subscription: Option<Subscription>,
    health: Health,
    retries: store::Retries,
    backlog: Option<store::Backlog>,
}

/// The store's answer to a question.
#[derive(Message)]
#[rtype(result = "()")]
struct Answered<T: 'static> {
    question: u64,
    answer: Result<T, store::Error>,
}

/// An attempt is over, or broken off.
#[derive(Message)]
#[rtype(result = "()")]
struct Over {
    event: EventNo,
    attempt: Option<Attempt>,
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
        let limit = surroundings.policy.window;
        let window = match start {
            Start::With(first) => Window::beginning_with(first, limit),
            Start::FromStore => Window::unread(limit),
        };
        Self {
            at,
            incarnation,
            surroundings,
            reports,
            state: State::Loading,
            served: None,
            health: Health::default(),
            kept: Health::default(),
            window,
            retries: Retries::default(),
            in_flight: HashMap::new(),
            heard: 0,
            question: 0,
            asking: false,
            verdicts_due: 0,
            resting: false,
            in_line: false,
            quiet_since: Instant::now(),
            timer: None,
        }
    }

    /// Asks the store for the record, and for all that waits if this window has not been read.
    fn load(&mut self, ctx: &mut Context<Self>) {
        self.state = State::Loading;
        let (at, wanted) = (self.at, self.window.wants());
        self.ask(ctx, wanted.is_some(), move |reader| {
            let subscription = reader.subscription(at)?;
            let health = reader.health(at.subscription)?;
            let (mut retries, mut backlog) = (store::Retries::default(), None);
            if let (Some(subscription), Some((after, limit))) = (&subscription, wanted) {
                retries = reader.retries(subscription, RETRIES_LIMIT)?;
                backlog = Some(reader.backlog(subscription, after, limit)?);
            }
            Ok(Loaded { subscription, health, retries, backlog })
        });
    }

    /// Forgets what it knows of its backlog and asks the store.
    fn reload(&mut self, ctx: &mut Context<Self>) {
        self.window = Window::unread(self.surroundings.policy.window);
        self.retries = Retries::default();
        self.load(ctx);
    }

    /// Asks the store a question; the latest one's answer comes as [`Answered`].
    fn ask<T: Send + 'static>(
        &mut self,
        ctx: &mut Context<Self>,
        after_writes: bool,
        question: impl FnOnce(&dyn store::Reader) -> Result<T, store::Error> + Send + 'static,
    ) where
        Self: Handler<Answered<T>>,
    {
        self.question += 1;
        self.asking = true;
        let (store, addr, number) = (self.surroundings.store.clone(), ctx.address(), self.question);
        actix_rt::spawn(async move {
            let answer = match after_writes {
                true => store.read_after_writes(question).await,
                false => store.read(question).await,
            };
            addr.do_send(Answered { question: number, answer });
        });
    }

    /// Lets an answer that is on its way count for nothing: it may come from before what just changed.
    fn ignore_answer(&mut self) {
        self.question += 1;
        self.asking = false;
    }

    /// Whether this answers the latest question; if the store failed, it is tried again later, from the start.
    fn hear<T>(&mut self, answered: Answered<T>, ctx: &mut Context<Self>) -> Option<T> {
        if answered.question != self.question {
            return None;
        }
        self.asking = false;
        match answered.answer {
            Ok(answer) => Some(answer),
            Err(error) => {
                error!(subscription = self.at.subscription.0, %error, "cannot read what waits");
                self.die(ctx);
                None
            }
        }
    }

    fn serve(&mut self, subscription: Subscription) {
        let endpoint = match Endpoint::of(&subscription) {
            Ok(endpoint) => Rc::new(endpoint),
            Err(error) => {
                error!(hook = %subscription.id, %error, "cannot be called");
                self.state = State::Paused;
                return;
            }
        };
        self.state = match subscription.status {
            Status::Active => State::Idle,
            Status::Paused => State::Paused,
            Status::Deactivated { .. } => State::Deactivated,
        };
        let client = self.surroundings.clients.client(self.at.account, &subscription.url);
        self.served = Some(Served { subscription, endpoint, client });
    }

    /// Ends for its shard to start it again, through the same path as after a restart.
    fn die(&mut self, ctx: &mut Context<Self>) {
        self.reports.do_send(Report::Died { at: self.at, incarnation: self.incarnation });
        ctx.stop();
    }
}

impl Actor for Subscriber {
    type Context = Context<Self>;

    fn started(&mut self, ctx: &mut Context<Self>) {
        self.load(ctx);
    }
}

impl Drop for Subscriber {
    fn drop(&mut self) {
        if std::thread::panicking() {
            self.reports.do_send(Report::Died { at: self.at, incarnation: self.incarnation });
        }
        self.in_flight.values().for_each(|in_flight| in_flight.task.abort());
    }
}

impl Handler<Answered<Loaded>> for Subscriber {
    type Result = ();

    fn handle(&mut self, answered: Answered<Loaded>, ctx: &mut Context<Self>) {
        let Some(loaded) = self.hear(answered, ctx) else {
            return;
        };
        let Some(subscription) = loaded.subscription else {
            debug!(subscription = self.at.subscription.0, "nothing to serve any more");
            self.state = State::Deactivated;
            return self.pump(ctx);
        };
        (self.health, self.kept) = (loaded.health, loaded.health);
        let in_flight = &self.in_flight;
        let is_held = |event| in_flight.contains_key(&event);
        self.retries.fill(loaded.retries, is_held);
        if let Some(backlog) = loaded.backlog {
            self.window.fill(backlog, is_held);
        }
        self.serve(subscription);
        self.pump(ctx);
    }
}

impl Handler<Answered<store::Backlog>> for Subscriber {
    type Result = ();

    fn handle(&mut self, answered: Answered<store::Backlog>, ctx: &mut Context<Self>) {
        if let Some(backlog) = self.hear(answered, ctx) {
            // Behind the window's position: nothing of it was in anybody's hands.
            self.window.fill(backlog, |_| false);
            self.pump(ctx);
        }
    }
}

impl Handler<Forward> for Subscriber {
    type Result = ();

    fn handle(&mut self, forward: Forward, ctx: &mut Context<Self>) {
        self.heard += 1;
        self.resting = false;
        if self.state != State::Deactivated {
            forward.events.into_iter().for_each(|event| self.window.offer(event));
        }
        drop(forward.credits);
        self.pump(ctx);
    }
}

impl Handler<Reload> for Subscriber {
    type Result = ();

    fn handle(&mut self, reload: Reload, ctx: &mut Context<Self>) {
        if reload.verdict {
            self.verdicts_due = self.verdicts_due.saturating_sub(1);
        } else {
            self.heard += 1;
        }
        self.resting = false;
        // A verdict that is on its way knows better what is to be read.
        if self.verdicts_due == 0 {
            self.reload(ctx);
        }
    }
}

impl Handler<Again> for Subscriber {
    type Result = ();

    fn handle(&mut self, again: Again, _: &mut Context<Self>) {
        for event in again.events {
            if let Some(in_flight) = self.in_flight.get_mut(&event) {
                in_flight.again = true;
            }
        }
        // Whoever asked may have gone.
        let _ = again.done.send(());
    }
}

impl Handler<Hold> for Subscriber {
    type Result = ();

    fn handle(&mut self, hold: Hold, ctx: &mut Context<Self>) {
        self.ignore_answer();
        self.state = State::Paused;
        self.pump(ctx);
        // Whoever asked may have gone.
        let _ = hold.done.send(());
    }
}

impl Handler<Cut> for Subscriber {
    type Result = ();

    fn handle(&mut self, cut: Cut, ctx: &mut Context<Self>) {
        let tasks: Vec<_> = self.in_flight.drain().map(|(_, in_flight)| in_flight.task).collect();
        actix_rt::spawn(async move {
            for task in tasks {
                task.abort();
                // It ends cancelled, or had ended before.
                let _ = task.await;
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

impl Handler<Turn> for Subscriber {
    type Result = ();

    fn handle(&mut self, turn: Turn, ctx: &mut Context<Self>) {
        self.in_line = false;
        self.pump_with(Some(turn.0), ctx);
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
