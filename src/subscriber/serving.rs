//! How a subscriber serves: it starts what may be attempted, settles what is over, and sets its timer for the rest.

use std::rc::Rc;
use std::sync::Arc;
use std::time::Instant;

use actix::{Actor, Addr, AsyncContext, Context, Handler};
use tracing::debug;

use crate::attempt::Attempt;
use crate::clock::Timestamp;
use crate::delivery::endpoint::Request;
use crate::event::Recorded;
use crate::id::EventNo;
use crate::retry::Next;
use crate::store::{Follows, Retry, Settlement, Verb};
use crate::subscriber::backlog::Window;
use crate::subscriber::picking::{Pick, pick};
use crate::subscriber::retries::Retries;
use crate::subscriber::slots::Slot;
use crate::subscriber::{Delivery, InFlight, Over, Report, State, Subscriber};

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
            match self.pick(Timestamp::now()) {
                Pick::Nothing => break,
                Pick::Wait(until) => {
                    wake = Some(until);
                    break;
                }
                picked => match turn.take().or_else(|| self.surroundings.slots.take()) {
                    Some(slot) => self.start_attempt(picked, slot, ctx),
                    None => {
                        self.get_in_line(ctx);
                        break;
                    }
                },
            }
        }
        self.read_on(ctx);
        self.change_state(wake);
        self.set_timer(wake, ctx);
    }

    fn may_start(&self) -> bool {
        let serving = matches!(self.state, State::Idle | State::Sending | State::Probing);
        serving && !self.surroundings.store.has_failed()
    }

    fn pick(&self, now: Timestamp) -> Pick {
        let limit = self.surroundings.policy.max_in_flight;
        pick(self.health, self.in_flight.len(), limit, &self.retries, &self.window, now)
    }

    fn get_in_line(&mut self, ctx: &mut Context<Self>) {
        if !self.in_line {
            self.in_line = true;
            self.surroundings.slots.wait(self.at.account, ctx.address().recipient());
        }
    }

    /// Reads more of the backlog when there is room for it, or the next retries when the last are done.
    fn read_on(&mut self, ctx: &mut Context<Self>) {
        if self.asking || !self.may_start() {
            return;
        }
        if self.retries.want_more() {
            self.window = Window::unread(self.surroundings.policy.window);
            self.retries = Retries::default();
            self.load(ctx);
        } else if let (Some((after, limit)), Some(served)) = (self.window.wants(), &self.served) {
            let subscription = served.subscription.clone();
            self.ask(ctx, true, move |reader| reader.backlog(&subscription, after, limit));
        }
    }

    fn start_attempt(&mut self, picked: Pick, slot: Slot, ctx: &mut Context<Self>) {
        let (delivery, event) = match picked {
            Pick::Retry(event) => match self.retries.take(event) {
                Some(Retry { attempts, retries, .. }) => (Delivery { event, attempts, retries }, None),
                None => return,
            },
            _ => match self.window.take() {
                Some(event) => (Delivery { event: event.no, attempts: 0, retries: 0 }, Some(event)),
                None => return,
            },
        };
        let watch = Watch { subscriber: ctx.address(), event: delivery.event, attempt: None, _slot: slot };
        if let Some(task) = self.spawn_attempt(delivery, event, watch) {
            self.in_flight.insert(delivery.event, InFlight { delivery, task });
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
    fn settle(&mut self, delivery: Delivery, attempt: Attempt) {
        let now = Timestamp::now();
        let policy = &self.surroundings.policy;
        let outcome = attempt.outcome;
        let asked = outcome.retry_after().filter(|_| !outcome.is_success());
        let hold = asked.map(|asked| asked.min(policy.retry.retry_after_max));
        self.health = self.health.after(outcome, policy.probe_after, policy.max_in_flight, hold, now);
        let next = match outcome.is_gone() {
            true => Next::GiveUp,
            false => {
                policy.retry.after_failure(usize::from(delivery.retries), now, asked, rand::random::<f64>())
            }
        };
        let retry = |due| Follows::Retry { due, retries: delivery.retries + 1 };
        let (follows, gives_up) = match next {
            _ if outcome.is_success() => (Follows::Done, false),
            Next::Retry { due } => (retry(due), false),
            Next::GiveUp => (retry(now), true),
        };
        let Some(settlement) = self.settlement(delivery, attempt, follows) else {
            return;
        };
        if gives_up && !matches!(self.state, State::Deactivated) {
            self.give_up(settlement);
            return;
        }
        if let Follows::Retry { due, retries } = settlement.follows
            && !matches!(self.state, State::Deactivated)
        {
            let (event, generation, attempts) =
                (settlement.event, settlement.generation, settlement.attempt.n);
            self.retries.add(Retry { due, event, generation, attempts, retries });
        }
        self.surroundings.store.settle(Verb::Settle(settlement));
    }

    fn settlement(&mut self, delivery: Delivery, attempt: Attempt, follows: Follows) -> Option<Settlement> {
        let subscription = &self.served.as_ref()?.subscription;
        debug!(
            hook = %subscription.id,
            event = delivery.event.0,
            n = attempt.n,
            outcome = %attempt.outcome,
            ms = attempt.duration_ms,
            "attempted"
        );
        let keep = self.health.to_keep();
        let health = (keep != self.kept).then_some(keep);
        self.kept = keep;
        let generation = subscription.generation;
        Some(Settlement { at: self.at, event: delivery.event, generation, attempt, follows, health })
    }

    /// Gives the endpoint up; what waits is dead letters, and attempts in flight may still succeed.
    fn give_up(&mut self, settlement: Settlement) {
        let reason = match (settlement.attempt.n, settlement.attempt.outcome) {
            (_, outcome) if outcome.is_gone() => "the receiver answered 410 Gone".to_owned(),
            (1, outcome) => format!("the attempt failed: {outcome}"),
            (n, outcome) => format!("all {n} attempts failed, the last with {outcome}"),
        };
        self.state = State::Deactivated;
        self.window = Window::beginning_with(EventNo(u64::MAX), 0);
        self.retries = Retries::default();
        self.reports.do_send(Report::GiveUp { settlement, reason });
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
        self.in_flight.is_empty() && !self.asking && !self.in_line && self.state != State::Loading
    }

    /// Sets the one timer: for what is due next, or else for retiring.
    fn set_timer(&mut self, wake: Option<Timestamp>, ctx: &mut Context<Self>) {
        let now = Timestamp::now();
        if !self.is_quiet() {
            self.quiet_since = Instant::now();
        }
        let idle_for = self.quiet_since.elapsed();
        if self.is_quiet() && idle_for >= self.surroundings.policy.idle {
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
                self.settle(in_flight.delivery, attempt);
                self.pump(ctx);
            }
            None => self.die(ctx),
        }
    }
}
