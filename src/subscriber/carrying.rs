//! How a subscriber carries out what its dispatcher decides: with actix, the writer, and an HTTP client.

use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use actix::{ActorContext, Addr, AsyncContext, Context, Recipient, SpawnHandle};
use tracing::error;

use crate::clock::Timestamp;
use crate::delivery::endpoint::{Endpoint, Request};
use crate::event::Recorded;
use crate::id::EventNo;
use crate::metrics::attempts::Attempts;
use crate::router::notice::{self, Exhausted, Notice};
use crate::store::writer::Verbs;
use crate::store::{Address, Settlement, Verb};
use crate::subscriber::dispatcher::Dispatcher;
use crate::subscriber::hands::{Delivery, Hands, News};
use crate::subscriber::message::{Answered, End, Over, Report};
use crate::subscriber::policy::Policy;
use crate::subscriber::question::Question;
use crate::subscriber::slots::{Slot, Taken, Turn};
use crate::subscriber::task::{Called, Task};
use crate::subscriber::{Subscriber, Surroundings};
use crate::subscription::Subscription;

/// The hands of one subscriber, while it handles a message.
pub struct Carrier<'a> {
    at: Address,
    incarnation: u64,
    surroundings: &'a Rc<Surroundings>,
    reports: &'a Recipient<Report>,
    timer: &'a mut Option<SpawnHandle>,
    ctx: &'a mut Context<Subscriber>,
    /// The event of the attempt that is just over.
    over: Option<Arc<Recorded>>,
}

/// Tells a subscriber when its attempt is over, however it ends, and then gives the slot back.
struct Watch {
    subscriber: Addr<Subscriber>,
    no: EventNo,
    /// Once it is known.
    event: Option<Arc<Recorded>>,
    end: End,
    _slot: Slot<Recipient<Turn>>,
}

impl Subscriber {
    /// Its dispatcher, and the hands for it.
    pub(super) fn with_hands<'a>(
        &'a mut self,
        ctx: &'a mut Context<Self>,
    ) -> (&'a mut Dispatcher<Called, Task>, Carrier<'a>) {
        let Self { at, incarnation, surroundings, reports, dispatcher, timer } = self;
        let (at, incarnation) = (*at, *incarnation);
        (dispatcher, Carrier { at, incarnation, surroundings, reports, timer, ctx, over: None })
    }
}

impl Carrier<'_> {
    /// The same, when an attempt to deliver this event is over.
    pub(super) fn after(self, event: Option<Arc<Recorded>>) -> Self {
        Self { over: event, ..self }
    }

    /// Now, as due times have it.
    pub(super) fn now(&self) -> Timestamp {
        self.surroundings.store.now().steady
    }
}

impl Drop for Watch {
    fn drop(&mut self) {
        self.subscriber.do_send(Over {
            no: self.no,
            event: self.event.take(),
            end: std::mem::replace(&mut self.end, End::BrokenOff),
        });
    }
}

impl Hands for Carrier<'_> {
    type Endpoint = Called;
    type Slot = Slot<Recipient<Turn>>;
    type Task = Task;

    fn policy(&self) -> &Policy {
        &self.surroundings.policy
    }

    fn is_crowded(&self) -> bool {
        self.surroundings.crowded.get()
    }

    fn figures(&self) -> &Attempts {
        &self.surroundings.metrics.attempts
    }

    fn since(&self, accepted_at: Timestamp, _: Timestamp) -> Duration {
        accepted_at.until(self.surroundings.store.now().wall)
    }

    fn store_has_failed(&self) -> bool {
        self.surroundings.store.has_failed()
    }

    fn prepare(&mut self, subscription: &Subscription) -> Option<Called> {
        let Subscription { id, url, client_certificate, .. } = subscription;
        let endpoint = Endpoint::of(subscription)
            .inspect_err(|error| error!(hook = %id, %error, "cannot be called"))
            .ok()?;
        let clients = &self.surroundings.clients;
        let client = clients
            .client(self.at.account, url, client_certificate.as_ref())
            .inspect_err(|error| error!(hook = %id, %error, "cannot be called"))
            .ok()?;
        Some(Called { endpoint: Rc::new(endpoint), client, hook: *id })
    }

    fn admit(&mut self, now: Timestamp) -> Result<(), Timestamp> {
        self.surroundings.account_paces.admit(self.at.account, now, rand::random)
    }

    fn take_slot_or_wait(&mut self, held: usize) -> Taken<Self::Slot> {
        self.surroundings.slots.take_or_wait(self.at.account, held, || self.ctx.address().recipient())
    }

    fn attempt(
        &mut self,
        called: &Called,
        delivery: Delivery,
        event: Option<Arc<Recorded>>,
        slot: Self::Slot,
    ) -> Task {
        let watch = Watch {
            subscriber: self.ctx.address(),
            no: delivery.event,
            event,
            end: End::BrokenOff,
            _slot: slot,
        };
        let Called { endpoint, client, hook } = called.clone();
        let surroundings = Rc::clone(self.surroundings);
        Task::spawn(async move {
            // Whole: its end is what tells the subscriber.
            let mut watch = watch;
            if watch.event.is_none() {
                let no = delivery.event;
                let read = surroundings.store.read(move |reader| reader.awaited(no)).await;
                watch.event = read.ok().flatten();
            }
            if let Some(event) = &watch.event {
                let (id, body, n) = (event.id, event.body.clone(), delivery.attempts + 1);
                let (asked, sequence) = (delivery.is_asked_for(), Some(event.no));
                let (span, trace) = surroundings.traces.attempt(event, n, hook, endpoint.authority());
                let request = Request { id, body, n, asked, sequence, test: false, trace };
                let tried = client.try_attempt(&endpoint, request).await;
                span.end(tried.as_ref().ok().map(|attempt| attempt.outcome));
                watch.end = tried.map_or(End::Unable, End::Made);
            }
        })
    }

    fn settle(&mut self, settlement: Settlement) {
        self.surroundings.store.settle(Verbs::from_buf([Verb::Settle(settlement)]));
    }

    fn settle_and_tell(&mut self, settlement: Settlement, subscription: &Subscription, news: News) {
        let (no, n) = (settlement.at.subscription, settlement.attempt.n);
        let reason = settlement.attempt.reason_to_give_up();
        let desk = &self.surroundings.desk;
        let news = match (news, &self.over) {
            (News::Recovered, _) => notice::News::Recovered {},
            (News::Exhausted, Some(event)) => {
                let id = desk.board().seal.close_delivery(&event.id, no);
                let delivery = Exhausted { id, event_id: event.id, event: &event.event_type, attempts: n };
                notice::News::Exhausted { delivery, reason: &reason }
            }
            // What was attempted is known.
            (News::Exhausted, None) => return self.settle(settlement),
        };
        desk.settle_and_tell(
            settlement,
            Notice { subscription, news, at: self.surroundings.store.now().wall },
        );
    }

    fn ask(&mut self, number: u64, question: Question) {
        let (store, addr) = (self.surroundings.store.clone(), self.ctx.address());
        actix_rt::spawn(async move {
            let answer = match question.is_after_writes() {
                true => store.read_after_writes(move |reader| question.put(reader)).await,
                false => store.read(move |reader| question.put(reader)).await,
            };
            addr.do_send(Answered { question: number, answer });
        });
    }

    fn report(&mut self, report: Report) {
        self.reports.do_send(report);
    }

    fn set_timer(&mut self, wait: Duration) {
        if let Some(earlier) = self.timer.take() {
            self.ctx.cancel_future(earlier);
        }
        *self.timer = Some(self.ctx.run_later(wait, |subscriber, ctx| {
            subscriber.timer = None;
            let (dispatcher, mut hands) = subscriber.with_hands(ctx);
            dispatcher.woken(hands.now(), &mut hands);
        }));
    }

    fn die(&mut self) {
        self.reports.do_send(Report::Died { at: self.at, incarnation: self.incarnation });
        self.ctx.stop();
    }
}
