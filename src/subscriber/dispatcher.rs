//! The dispatcher: all that a subscriber decides.
//!
//! It is told what happened and when, decides what to attempt next and what follows from an outcome, and has its
//! [`Hands`] do so. It knows neither actors nor threads nor the clock.

mod settling;
mod starting;
mod timing;
mod unable;

use std::collections::HashMap;
use std::sync::Arc;

use tracing::{debug, error};

use crate::attempt::Attempt;
use crate::clock::Timestamp;
use crate::credit::Credit;
use crate::event::Recorded;
use crate::health::Health;
use crate::id::EventNo;
use crate::store::{self, Address, Backlog, Lane, Lanes};
use crate::subscriber::backlog::Window;
use crate::subscriber::hands::{Delivery, Hands};
use crate::subscriber::pace::Pace;
use crate::subscriber::question::{Answer, Loaded, Question};
use crate::subscriber::retries::Retries;
use crate::subscription::{DeliveryPolicy, Status, Subscription};

/// What a subscriber knows of its subscription, and what it is about.
pub struct Dispatcher<Endpoint, Task> {
    at: Address,
    /// Tells its life from earlier ones of the same subscription.
    incarnation: u64,
    state: State,
    served: Option<Served<Endpoint>>,
    health: Health,
    /// The health as the store knows it.
    kept: Health,
    /// This machine could not make an attempt, and none is tried before then.
    unable_until: Option<Timestamp>,
    /// Its pace lets no attempt begin before then.
    throttled_until: Option<Timestamp>,
    /// Its pace let an attempt begin that its account's did not.
    has_leave: bool,
    /// Its pace has not forgotten the last attempt before then.
    paced_until: Option<Timestamp>,
    windows: Lanes<Window>,
    retries: Retries,
    in_flight: HashMap<EventNo, InFlight<Task>>,
    /// How many of them are of each lane.
    by_lane: Lanes<usize>,
    /// How many attempts began of what is fresh since the last of a replay.
    fresh_in_row: u32,
    /// How often it was forwarded something.
    heard: u64,
    /// Tells an answer of the store to the latest question from those to earlier ones.
    question: u64,
    asking: bool,
    /// What was beyond the window and ended since the question was asked: the answer may not know.
    over_meanwhile: Vec<EventNo>,
    /// Giving the endpoint up was reported so often, and not yet decided.
    verdicts_due: u32,
    /// It reported that it is idle, and starts nothing until it hears again.
    resting: bool,
    in_line: bool,
    quiet_since: Timestamp,
    timer: Option<Timestamp>,
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
struct Served<Endpoint> {
    subscription: Subscription,
    endpoint: Endpoint,
    /// How fast attempts may begin, if that is limited.
    pace: Option<Pace>,
}

struct InFlight<Task> {
    delivery: Delivery,
    /// It was asked for again meanwhile: if it fails, its schedule begins anew, at once.
    again: bool,
    /// What waits changed meanwhile: if it fails, the store knows whether it waits still.
    outdated: bool,
    task: Task,
}

impl<Endpoint, Task> Dispatcher<Endpoint, Task> {
    /// A dispatcher that knows as much as `start` says; it begins with [`Self::load`].
    pub fn new(at: Address, incarnation: u64, start: Start, window: usize, now: Timestamp) -> Self {
        let windows = Lanes::each(|_| match start {
            Start::With(first) => Window::beginning_with(first, window),
            Start::FromStore => Window::unread(window),
        });
        Self {
            at,
            incarnation,
            state: State::Loading,
            served: None,
            health: Health::default(),
            kept: Health::default(),
            unable_until: None,
            throttled_until: None,
            has_leave: false,
            paced_until: None,
            windows,
            retries: Retries::default(),
            in_flight: HashMap::new(),
            by_lane: Lanes::default(),
            fresh_in_row: 0,
            heard: 0,
            question: 0,
            asking: false,
            over_meanwhile: Vec::new(),
            verdicts_due: 0,
            resting: false,
            in_line: false,
            quiet_since: now,
            timer: None,
        }
    }

    /// Asks the store for the record, and for all that waits if that has not been read.
    pub fn load(&mut self, hands: &mut impl Hands<Endpoint = Endpoint, Task = Task>) {
        self.state = State::Loading;
        let wanted = Lanes::each(|lane| self.windows[lane].wants());
        self.ask(Question::Start { at: self.at, wanted }, hands);
    }

    /// Forgets what it knows of its backlog and asks the store.
    fn reload(&mut self, hands: &mut impl Hands<Endpoint = Endpoint, Task = Task>) {
        self.windows = Lanes::each(|_| Window::unread(hands.policy().window));
        self.retries = Retries::default();
        self.load(hands);
    }

    fn ask(&mut self, question: Question, hands: &mut impl Hands<Endpoint = Endpoint, Task = Task>) {
        self.question += 1;
        self.asking = true;
        self.over_meanwhile.clear();
        hands.ask(self.question, question);
    }

    /// Lets an answer that is on its way count for nothing: it may come from before what just changed.
    fn ignore_answer(&mut self) {
        self.question += 1;
        self.asking = false;
    }

    /// The store answered; if it failed, it is tried again later, from the start.
    pub fn answered(
        &mut self,
        number: u64,
        answer: Result<Answer, store::Error>,
        now: Timestamp,
        hands: &mut impl Hands<Endpoint = Endpoint, Task = Task>,
    ) {
        if number != self.question {
            return;
        }
        self.asking = false;
        match answer {
            Ok(Answer::Start(loaded)) => self.begin_with(*loaded, now, hands),
            Ok(Answer::More(lane, backlog)) => self.take_in(lane, backlog),
            Err(error) => {
                error!(subscription = self.at.subscription.0, %error, "cannot read what waits");
                return hands.die();
            }
        }
        self.pump(now, hands);
    }

    fn begin_with(
        &mut self,
        loaded: Loaded,
        now: Timestamp,
        hands: &mut impl Hands<Endpoint = Endpoint, Task = Task>,
    ) {
        let Some(subscription) = loaded.subscription else {
            debug!(subscription = self.at.subscription.0, "nothing to serve any more");
            self.state = State::Deactivated;
            return;
        };
        (self.health, self.kept) = (loaded.health, loaded.health);
        let in_flight = &self.in_flight;
        let is_held = |event| in_flight.contains_key(&event);
        self.retries.fill(loaded.retries, is_held);
        let Lanes { fresh, replay } = loaded.backlog;
        fresh.into_iter().for_each(|backlog| self.windows.fresh.fill(backlog, is_held));
        replay.into_iter().for_each(|backlog| self.windows.replay.fill(backlog, is_held));
        self.serve(subscription, now, hands);
    }

    fn take_in(&mut self, lane: Lane, backlog: Backlog) {
        // Where older deliveries came back, some behind the window's position may be in flight, or have been.
        let Self { in_flight, over_meanwhile, retries, .. } = self;
        self.windows[lane].fill(backlog, |event| {
            in_flight.contains_key(&event) || over_meanwhile.contains(&event) || retries.holds(event)
        });
    }

    fn serve(
        &mut self,
        subscription: Subscription,
        now: Timestamp,
        hands: &mut impl Hands<Endpoint = Endpoint, Task = Task>,
    ) {
        let Some(endpoint) = hands.prepare(&subscription) else {
            self.state = State::Paused;
            return;
        };
        self.state = match subscription.status {
            Status::Active => State::Idle,
            Status::Paused => State::Paused,
            Status::Deactivated { .. } => State::Deactivated,
        };
        let earlier = self.served.take().and_then(|served| served.pace);
        let pace = Pace::of(subscription.delivery.rate, earlier, now);
        self.served = Some(Served { subscription, endpoint, pace });
    }

    /// What its owner says of how it is served, once that is known.
    fn delivery_policy(&self) -> Option<&DeliveryPolicy> {
        self.served.as_ref().map(|served| &served.subscription.delivery)
    }

    /// Events were forwarded that the subscription matched; what holds `credits` is given back.
    pub fn forwarded(
        &mut self,
        events: impl IntoIterator<Item = Arc<Recorded>>,
        credits: Arc<Vec<Credit>>,
        now: Timestamp,
        hands: &mut impl Hands<Endpoint = Endpoint, Task = Task>,
    ) {
        self.heard += 1;
        self.resting = false;
        if self.state != State::Deactivated {
            events.into_iter().for_each(|event| self.windows.fresh.offer(event));
        }
        drop(credits);
        self.pump(now, hands);
    }

    /// What waits changed; `verdict` says whether that is the router's decision on an endpoint that was to be given up.
    pub fn changed(&mut self, verdict: bool, hands: &mut impl Hands<Endpoint = Endpoint, Task = Task>) {
        if verdict {
            self.verdicts_due = self.verdicts_due.saturating_sub(1);
        } else {
            self.heard += 1;
        }
        self.resting = false;
        // A verdict that is on its way knows better what is to be read.
        if self.verdicts_due == 0 {
            self.in_flight.values_mut().for_each(|in_flight| in_flight.outdated = true);
            self.reload(hands);
        }
    }

    /// These were asked for again: where they are in flight and fail, they are attempted again at once.
    pub fn asked_again(&mut self, events: &[EventNo]) {
        for event in events {
            if let Some(in_flight) = self.in_flight.get_mut(event) {
                in_flight.again = true;
            }
        }
    }

    /// Nothing new is to start.
    pub fn held(&mut self, now: Timestamp, hands: &mut impl Hands<Endpoint = Endpoint, Task = Task>) {
        self.ignore_answer();
        self.state = State::Paused;
        self.pump(now, hands);
    }

    /// An attempt is over, or broken off. `chance` is drawn evenly from 0 to 1.
    pub fn over(
        &mut self,
        event: EventNo,
        attempt: Option<Attempt>,
        chance: f64,
        now: Timestamp,
        hands: &mut impl Hands<Endpoint = Endpoint, Task = Task>,
    ) {
        let Some(in_flight) = self.land(event) else {
            return;
        };
        if self.asking && !(self.windows.fresh.is_past(event) && self.windows.replay.is_past(event)) {
            self.over_meanwhile.push(event);
        }
        match attempt {
            Some(attempt) => {
                self.unable_until = None;
                let InFlight { delivery, again, outdated, .. } = in_flight;
                let has_failed = !attempt.outcome.is_success();
                self.settle(delivery, again, attempt, chance, now, hands);
                match self.state {
                    // The answer that is on its way may not know of it: the next one does.
                    State::Loading => return self.load(hands),
                    State::Paused | State::Deactivated => {}
                    _ if outdated && has_failed => return self.reload(hands),
                    _ => {}
                }
            }
            None => error!(event = event.0, "a delivery cannot be attempted; it stays in the store"),
        }
        self.pump(now, hands);
    }

    /// Takes out one that is in flight.
    fn land(&mut self, event: EventNo) -> Option<InFlight<Task>> {
        let landed = self.in_flight.remove(&event)?;
        self.by_lane[landed.delivery.lane] -= 1;
        Some(landed)
    }

    /// Takes out all that is in flight.
    pub fn cut(&mut self) -> impl Iterator<Item = Task> {
        self.by_lane = Lanes::default();
        self.in_flight.drain().map(|(_, in_flight)| in_flight.task)
    }
}
