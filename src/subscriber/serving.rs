//! How a subscriber serves: it starts what may be attempted, settles what is over, and sets its timer for the rest.

use std::rc::Rc;
use std::sync::Arc;
use std::time::{Duration, Instant};

use actix::{Actor, Addr, AsyncContext, Context, Handler};
use tracing::{debug, error};

use crate::attempt::{Attempt, Outcome};
use crate::clock::Timestamp;
use crate::delivery::endpoint::Request;
use crate::event::Recorded;
use crate::health::Health;
use crate::id::EventNo;
use crate::retry::Next;
use crate::store::{Follows, Retry, Settlement, Verb};
use crate::subscriber::picking::{Pick, pick};
use crate::subscriber::slots::Slot;
use crate::subscriber::{Delivery, InFlight, Over, Report, Served, State, Subscriber};

/// Tells a subscriber when its attempt is over, however it ends, and then gives the slot back.
struct Watch {
    subscriber: Addr<Subscriber>,
    event: EventNo,
    attempt: Option<Attempt>,
    _slot: Slot,
}

impl Drop for Watch {
    fn drop(&mut self) {
        self.subscriber.do_send(Over { event: self.event, attempt: self.attempt.take() });
    }
}

impl Subscriber {
    /// Starts what may be attempted now, and arranges to be woken for the rest.
    pub(super) fn pump(&mut self, ctx: &mut Context<Self>) {
        self.pump_with(None, ctx);
    }

    /// The same with a slot that it was its turn for; one that is not needed goes to the next in line.
    pub(super) fn pump_with(&mut self, mut turn: Option<Slot>, ctx: &mut Context<Self>) {
        let mut wake = None;
        while self.may_start() {
            let busy = self.in_flight.len();
            match self.pick(Timestamp::now()) {
                Pick::Nothing => break,
                Pick::Wait(until) => {
                    wake = Some(until);
                    break;
                }
                picked => match turn.take().or_else(|| self.get_slot(ctx)) {
                    Some(slot) => self.start_attempt(picked, slot, ctx),
                    None => break,
                },
            }
            if self.in_flight.len() == busy {
                break;
            }
        }
        self.read_on(ctx);
        self.change_state(wake);
        self.set_timer(wake, ctx);
    }

    fn may_start(&self) -> bool {
        let serving = matches!(self.state, State::Idle | State::Sending | State::Probing);
        serving && !self.resting && !self.surroundings.store.has_failed()
    }

    fn pick(&self, now: Timestamp) -> Pick {
        let limit = self.surroundings.policy.max_in_flight;
        pick(self.health, self.in_flight.len(), limit, &self.retries, &self.window, now)
    }

    /// A slot, or else a place in the line for one.
    fn get_slot(&mut self, ctx: &mut Context<Self>) -> Option<Slot> {
        if self.in_line {
            return None;
        }
        let slot = self.surroundings.slots.take_or_wait(self.at.account, || ctx.address().recipient());
        self.in_line = slot.is_none();
        slot
    }

    /// Reads more of the backlog when there is room for it, or the next retries when the last are done.
    fn read_on(&mut self, ctx: &mut Context<Self>) {
        if self.asking || !self.may_start() {
            return;
        }
        if self.retries.want_more() {
            self.reload(ctx);
        } else if let (Some((after, limit)), Some(served)) = (self.window.wants(), &self.served) {
            let subscription = served.subscription.clone();
            self.ask(ctx, true, move |reader| reader.backlog(&subscription, after, limit));
        }
    }

    fn start_attempt(&mut self, picked: Pick, slot: Slot, ctx: &mut Context<Self>) {
        let Some(generation) = self.served.as_ref().map(|served| served.subscription.generation) else {
            return;
        };
        let now = Timestamp::now();
        let figures = &self.surroundings.metrics.attempts;
        let (delivery, event) = match picked {
            Pick::Retry(event) => match self.retries.take(event) {
                Some(Retry { attempts, retries, due, .. }) => {
                    // One that came back with its hook is due at once, and says no more than that.
                    if due > Timestamp(0) {
                        figures.begin(true, due.until(now));
                    }
                    (Delivery { event, generation, attempts, retries }, None)
                }
                None => return,
            },
            _ => match self.window.take() {
                Some(event) => {
                    figures.begin(false, event.accepted_at.until(now));
                    (Delivery { event: event.no, generation, attempts: 0, retries: 0 }, Some(event))
                }
                None => return,
            },
        };
        let watch = Watch { subscriber: ctx.address(), event: delivery.event, attempt: None, _slot: slot };
        if let Some(task) = self.spawn_attempt(delivery, event, watch) {
            self.in_flight.insert(delivery.event, InFlight { delivery, again: false, task });
        }
    }

    fn spawn_attempt(
        &self,
        delivery: Delivery,
        event: Option<Arc<Recorded>>,
        watch: Watch,
    ) -> Option<tokio::task::JoinHandle<()>> {
        let served = self.served.as_ref()?;
        let (endpoint, client) = (served.endpoint.clone(), served.client.clone());
        let surroundings = Rc::clone(&self.surroundings);
        Some(actix_rt::spawn(async move {
            // Whole: its end is what tells the subscriber.
            let mut watch = watch;
            let event = match event {
                Some(event) => Some(event),
                None => {
                    let no = delivery.event;
                    surroundings.store.read(move |reader| reader.event(no)).await.ok().flatten()
                }
            };
            if let Some(event) = event {
                let (id, body, n) = (event.id, event.body.bytes.clone(), delivery.attempts + 1);
                watch.attempt = Some(client.attempt(&endpoint, Request { id, body, n, test: false }).await);
            }
        }))
    }

    /// Settles an attempt, and says what its outcome means for the delivery and the endpoint.
    fn settle(&mut self, delivery: Delivery, again: bool, attempt: Attempt) {
        let now = Timestamp::now();
        let outcome = attempt.outcome;
        self.surroundings.metrics.attempts.end(&attempt);
        let policy = &self.surroundings.policy.retry;
        let asked = outcome.retry_after().filter(|_| !outcome.is_success());
        let made = usize::from(delivery.retries);
        let next = match (outcome.is_gone(), again) {
            (true, _) => Next::GiveUp,
            (false, true) => Next::Retry { due: now },
            (false, false) => policy.after_failure(made, now, asked, rand::random::<f64>()),
        };
        let retries = if again { 0 } else { delivery.retries + 1 };
        let follows = match next {
            _ if outcome.is_success() => Follows::Done,
            Next::Retry { due } => Follows::Retry { due, retries },
            Next::GiveUp => Follows::Retry { due: now, retries },
        };
        if !self.is_of_this_life(&delivery) {
            return self.settle_of_earlier_life(delivery, attempt, follows);
        }
        let health = self.change_health(outcome, asked, now);
        let settlement = self.settlement(delivery, attempt, follows, health);
        match (follows, next) {
            (Follows::Done, _) => {}
            (Follows::Retry { .. }, Next::GiveUp) => return self.give_up(settlement),
            (Follows::Retry { due, retries }, Next::Retry { .. }) => {
                self.surroundings.metrics.attempts.retries.inc();
                let (event, generation, attempts) =
                    (delivery.event, delivery.generation, settlement.attempt.n);
                if self.state != State::Loading {
                    self.retries.add(Retry { due, event, generation, attempts, retries });
                }
            }
        }
        self.surroundings.store.settle(Verb::Settle(settlement));
    }

    /// Whether what a delivery meets still matters to the endpoint, and not only to the delivery.
    fn is_of_this_life(&self, delivery: &Delivery) -> bool {
        let of_generation = |served: &Served| served.subscription.generation == delivery.generation;
        self.state != State::Deactivated && self.served.as_ref().is_some_and(of_generation)
    }

    /// Settles an attempt that began before the endpoint was given up. One that failed is a dead letter, unless the
    /// subscription came back with all it had: then it begins its schedule anew, as a restart would have it.
    fn settle_of_earlier_life(&mut self, delivery: Delivery, attempt: Attempt, follows: Follows) {
        let settlement = self.settlement(delivery, attempt, follows, None);
        if let (Follows::Retry { .. }, Some(served)) = (follows, &self.served)
            && !matches!(self.state, State::Deactivated | State::Loading)
            && served.subscription.is_live(delivery.generation)
        {
            let (event, generation) = (delivery.event, served.subscription.generation);
            let attempts = settlement.attempt.n;
            let retry = Retry { due: Timestamp(0), event, generation, attempts, retries: 0 };
            self.surroundings.metrics.attempts.retries.inc();
            self.retries.add(retry);
        }
        self.surroundings.store.settle(Verb::Settle(settlement));
    }

    /// The health after one more outcome; what of it is to be kept, if that changed.
    fn change_health(&mut self, outcome: Outcome, asked: Option<Duration>, now: Timestamp) -> Option<Health> {
        let policy = &self.surroundings.policy;
        let hold = asked.map(|asked| asked.min(policy.retry.retry_after_max));
        self.health = self.health.after(outcome, policy.probe_after, policy.max_in_flight, hold, now);
        let keep = self.health.to_keep();
        let changed = keep != self.kept;
        self.kept = keep;
        changed.then_some(keep)
    }

    fn settlement(
        &self,
        delivery: Delivery,
        attempt: Attempt,
        follows: Follows,
        health: Option<Health>,
    ) -> Settlement {
        debug!(
            subscription = self.at.subscription.0,
            event = delivery.event.0,
            n = attempt.n,
            outcome = %attempt.outcome,
            ms = attempt.duration_ms,
            "attempted"
        );
        let Delivery { event, generation, .. } = delivery;
        Settlement { at: self.at, event, generation, attempt, follows, health }
    }

    /// Gives the endpoint up; what waits is dead letters, and attempts in flight may still succeed.
    fn give_up(&mut self, settlement: Settlement) {
        let reason = match (settlement.attempt.n, settlement.attempt.outcome) {
            (_, outcome) if outcome.is_gone() => "the receiver answered 410 Gone".to_owned(),
            (1, outcome) => format!("the attempt failed: {outcome}"),
            (n, outcome) => format!("all {n} attempts failed, the last with {outcome}"),
        };
        let Some(subscription) = self.served.as_ref().map(|served| Box::new(served.subscription.clone()))
        else {
            return;
        };
        self.ignore_answer();
        self.state = State::Deactivated;
        self.verdicts_due += 1;
        self.reports.do_send(Report::GiveUp { settlement, reason, subscription });
    }

    fn change_state(&mut self, wake: Option<Timestamp>) {
        let next = match self.state {
            State::Loading | State::Paused | State::Deactivated => return,
            _ if self.health.is_probing() => State::Probing,
            _ if !self.in_flight.is_empty() || self.in_line => State::Sending,
            _ => State::Idle,
        };
        if next != self.state {
            debug!(subscription = self.at.subscription.0, from = ?self.state, to = ?next, ?wake, "changed");
            self.state = next;
        }
    }

    /// Whether nothing happens until `wake`, or until something is forwarded.
    fn is_quiet(&self) -> bool {
        let waits = self.asking || self.in_line || self.verdicts_due > 0;
        self.in_flight.is_empty() && !waits && self.state != State::Loading
    }

    /// Sets the one timer: for what is due next, or else for retiring.
    fn set_timer(&mut self, wake: Option<Timestamp>, ctx: &mut Context<Self>) {
        let now = Timestamp::now();
        if !self.is_quiet() {
            self.quiet_since = Instant::now();
        }
        let idle_for = self.quiet_since.elapsed();
        if self.is_quiet() && idle_for >= self.surroundings.policy.idle {
            self.resting = true;
            self.reports.do_send(Report::Idle { at: self.at, heard: self.heard, next_due: wake });
        }
        let retire = now.after(self.surroundings.policy.idle.saturating_sub(idle_for));
        let retire = if retire > now { retire } else { now.after(self.surroundings.policy.idle) };
        let at = wake.map_or(retire, |wake| wake.min(retire));
        if self.timer.is_some_and(|(set, _)| set > now && set <= at) {
            return;
        }
        if let Some((_, handle)) = self.timer.take() {
            ctx.cancel_future(handle);
        }
        let handle = ctx.run_later(now.until(at), |subscriber, ctx| {
            subscriber.timer = None;
            subscriber.pump(ctx);
        });
        self.timer = Some((at, handle));
    }
}

impl Handler<Over> for Subscriber {
    type Result = ();

    fn handle(&mut self, over: Over, ctx: &mut <Self as Actor>::Context) {
        let Some(in_flight) = self.in_flight.remove(&over.event) else {
            return;
        };
        match over.attempt {
            Some(attempt) => {
                self.settle(in_flight.delivery, in_flight.again, attempt);
                if self.state == State::Loading {
                    // The answer that is on its way may not know of it: the next one does.
                    return self.load(ctx);
                }
            }
            None => error!(event = over.event.0, "a delivery cannot be attempted; it stays in the store"),
        }
        self.pump(ctx);
    }
}
