//! The callers of a simulation: what they wish, and what they are promised.

use std::collections::BTreeMap;
use std::time::Duration;

use futures::FutureExt;
use rand::RngExt;
use tokio::sync::oneshot;

use crate::event::{Body, Draft, Idempotency, IdempotencyKey};
use crate::event_type::{EventType, HOOK_DEACTIVATED};
use crate::filter::Filter;
use crate::id::{AccountNo, EventNo};
use crate::router::{Rotate, Subscribe, Which};
use crate::store::memory::Memory;
use crate::store::writer::Verbs;
use crate::store::{Address, Answer, Reader, Replay, Verb};
use crate::subscription::{EndpointUrl, Secret, Status};

use super::mail::{Actor, Mail, WishNo};
use super::oracle::broken;
use super::world::{CALM_MS, Later, World};

/// So much may wait in all; then nothing more is emitted for a while.
const BACKLOG: usize = 200;

/// Those who call, and the hooks that they may have.
pub struct Callers {
    wishes: BTreeMap<WishNo, Wish>,
    next: WishNo,
    hooks: Vec<Hook>,
}

/// A hook that there may be.
struct Hook {
    account: AccountNo,
    url: EndpointUrl,
    event_type: EventType,
    at: Option<Address>,
    /// Somebody's wish about it is under way.
    is_busy: bool,
}

struct Wish {
    kind: Kind,
    hook: Option<usize>,
    /// How many must say that they have done as told.
    waits: usize,
    answers: Option<Option<Vec<Answer>>>,
}

#[derive(Clone, Debug)]
enum Kind {
    Emit,
    Subscribe,
    Unsubscribe(Address),
    Pause(Address),
    Other,
    /// To deliver these again: first those in flight are marked, then it is recorded, then the subscriber is woken.
    Again(Replay),
}

impl Callers {
    /// Callers who may have so many hooks: two share a receiver.
    pub fn new(hooks: usize) -> Self {
        let hook = |n: usize| {
            let event_type = if n == 7 { HOOK_DEACTIVATED.to_owned() } else { format!("type-{}", n % 3) };
            Hook {
                account: World::account_of(n / 2),
                url: format!("https://receiver-{}.example/", n / 2).parse().expect("a URL"),
                event_type: event_type.parse().expect("an event type"),
                at: None,
                is_busy: false,
            }
        };
        Self { wishes: BTreeMap::new(), next: 0, hooks: (0..hooks).map(hook).collect() }
    }

    /// The process is gone, and with it all answers.
    pub fn forget(&mut self) {
        self.wishes.clear();
        self.hooks.iter_mut().for_each(|hook| hook.is_busy = false);
    }

    /// Looks up which hooks there are.
    pub fn look_up(&mut self, store: &Memory) {
        self.forget();
        for hook in &mut self.hooks {
            let filter = Filter::one(hook.event_type.clone());
            let records = store.all_subscriptions().into_iter();
            let found = records
                .filter(|one| one.account == hook.account && one.url == hook.url && one.filter == filter)
                .map(|one| Address { account: one.account, subscription: one.no });
            let found: Vec<Address> = found.collect();
            if found.len() > 1 {
                broken("a hook is there once", found);
            }
            hook.at = found.first().copied();
        }
    }

    /// Whether nobody waits for an answer.
    pub fn is_quiet(&self) -> bool {
        self.wishes.is_empty()
    }

    pub fn waits_for_one_more(&mut self, wish: WishNo) {
        self.wishes.entry(wish).and_modify(|wish| wish.waits += 1);
    }

    fn begin(&mut self, kind: Kind, hook: Option<usize>) -> WishNo {
        self.next += 1;
        hook.into_iter().for_each(|hook| self.hooks[hook].is_busy = true);
        self.wishes.insert(self.next, Wish { kind, hook, waits: 0, answers: None });
        self.next
    }
}

impl World {
    /// Somebody wishes something.
    pub fn wish(&mut self) {
        let again = if self.is_calm { CALM_MS } else { self.random.random_range(1..=self.rules.pause_ms) };
        self.later(again, Later::Wish);
        let Some(run) = self.actors.current.filter(|_| !self.is_calm) else {
            return;
        };
        if self.random.random_range(0..10) < 7 {
            return self.emit(run);
        }
        let place = self.random.random_range(0..self.callers.hooks.len());
        if self.callers.hooks[place].is_busy {
            return;
        }
        match self.callers.hooks[place].at {
            None => self.subscribe(run, place),
            Some(at) => self.change(run, place, at),
        }
    }

    fn emit(&mut self, run: u64) {
        let count = self.random.random_range(1..4);
        if self.store.waiting() > BACKLOG || self.writer.has_failed {
            return;
        }
        let account = AccountNo(self.random.random_range(1..3));
        let Ok(room) = self.credits.room_now(account, count, 100) else {
            return;
        };
        let Some(Ok(credit)) = self.credits.turn(room).now_or_never() else {
            return;
        };
        let drafts = (0..count).map(|_| self.draft(account)).collect();
        let wish = self.callers.begin(Kind::Emit, None);
        self.call(run, Mail::Emit { drafts, credit, wish });
    }

    fn draft(&mut self, account: AccountNo) -> Draft {
        let event_type: EventType =
            format!("type-{}", self.random.random_range(0..3)).parse().expect("an event type");
        let key = self.random.random_range(0..500u32);
        let repeated = key < 50;
        let data = if repeated { key.to_string() } else { "null".to_owned() };
        let event_type = if repeated { "type-0".parse().expect("an event type") } else { event_type };
        let key = IdempotencyKey::of(account, &key.to_string());
        Draft {
            account,
            body: Body::build(&event_type, "2025-01-15T10:30:00Z", data.as_bytes()),
            event_type,
            accepted_at: self.clock().wall,
            idempotency: repeated.then_some(Idempotency { key, timestamp_given: false }),
            labels: None,
            only: None,
        }
    }

    fn subscribe(&mut self, run: u64, place: usize) {
        let hook = &self.callers.hooks[place];
        if let Some(at) = hook.at {
            self.oracle.hooks.entry(at.subscription).and_modify(|hook| hook.silent = None);
        }
        let wanted = Subscribe {
            account: hook.account,
            url: hook.url.clone(),
            filter: Filter::one(hook.event_type.clone()),
            secret: None,
            headers: None,
            condition: None,
            delivery: self.rules.deliveries[place].clone(),
            client_certificate: None,
            replay: self.random.random(),
            reply: oneshot::channel().0,
        };
        let wish = self.callers.begin(Kind::Subscribe, Some(place));
        self.call(run, Mail::Subscribe(Box::new(wanted), wish));
    }

    fn change(&mut self, run: u64, place: usize, at: Address) {
        match self.random.random_range(0..20) {
            0 | 1 => {
                let wish = self.callers.begin(Kind::Unsubscribe(at), Some(place));
                let which = Which::No(at.subscription);
                self.call(run, Mail::Unsubscribe { account: at.account, which, wish });
            }
            2..5 => {
                let wish = self.callers.begin(Kind::Pause(at), Some(place));
                self.call(run, Mail::SetPaused { at, paused: true, wish });
            }
            5..8 => {
                self.oracle.hooks.entry(at.subscription).and_modify(|hook| hook.silent = None);
                let wish = self.callers.begin(Kind::Other, Some(place));
                self.call(run, Mail::SetPaused { at, paused: false, wish });
            }
            8 | 9 => {
                let wish = self.callers.begin(Kind::Other, Some(place));
                let (secret, reply) = (Secret::generate(), oneshot::channel().0);
                let overlap_until = self.now().after(Duration::from_secs(60));
                let rotate = Rotate { at, secret, overlap_until, kept: 1, reply };
                self.call(run, Mail::Rotate(Box::new(rotate), wish));
            }
            10 | 11 => {
                let wish = self.callers.begin(Kind::Other, Some(place));
                self.call(run, Mail::Replay { at, wish });
            }
            12..15 => self.deliver_again(run, place, at),
            _ => self.subscribe(run, place),
        }
    }

    /// Wishes some events to be delivered again, as the face does for replays and manual retries.
    fn deliver_again(&mut self, run: u64, place: usize, at: Address) {
        let is_there = |status: &Status| !matches!(status, Status::Deactivated { .. });
        if !self.store.record(at.subscription).is_some_and(|record| is_there(&record.status)) {
            return;
        }
        let (read_at, newest) = (self.store.commits(), self.store.last_event().0);
        let events: Vec<(EventNo, u16)> = (0..self.random.random_range(1..4))
            .map(|_| EventNo(self.random.random_range(0..=newest)))
            .filter_map(|event| {
                let known = self.store.delivery(at, event).expect("the model never fails")?;
                Some((event, known.attempts))
            })
            .collect();
        if events.is_empty() {
            return;
        }
        let numbers = events.iter().map(|(event, _)| *event).collect();
        let wish = self.callers.begin(Kind::Again(Replay { at, events, read_at }), Some(place));
        let done = self.promise(wish);
        self.call(run, Mail::Again { at, events: numbers, done });
    }

    fn call(&mut self, run: u64, mail: Mail) {
        self.note("a caller", [run, self.callers.next, mail.name().len() as u64]);
        let delay = self.delay();
        self.later(delay, Later::Post(Actor::Router(run), mail));
    }

    /// One who was to stop something has done so, or is gone.
    pub fn heard(&mut self, no: WishNo) {
        let Some(wish) = self.callers.wishes.get_mut(&no) else {
            return;
        };
        wish.waits = wish.waits.saturating_sub(1);
        match (&wish.kind, &wish.answers) {
            (Kind::Again(again), None) => {
                let verb = Verb::Replay(again.clone());
                self.write(Verbs::from_buf([verb]), None, Some(no));
            }
            _ => self.conclude(no),
        }
    }

    /// The writer answered.
    pub fn answered(&mut self, no: WishNo, answers: Option<Vec<Answer>>) {
        if let Some(wish) = self.callers.wishes.get_mut(&no) {
            wish.answers = Some(answers);
            self.conclude(no);
        }
    }

    fn conclude(&mut self, no: WishNo) {
        let is_over = |wish: &Wish| wish.waits == 0 && wish.answers.is_some();
        if !self.callers.wishes.get(&no).is_some_and(is_over) {
            return;
        }
        let Wish { kind, hook, answers, .. } = self.callers.wishes.remove(&no).expect("it was there");
        hook.into_iter().for_each(|hook| self.callers.hooks[hook].is_busy = false);
        let Some(answers) = answers.flatten() else {
            return;
        };
        self.note("a caller is answered", [no, answers.len() as u64, 0]);
        match kind {
            Kind::Emit => self.check_receipts(&answers),
            Kind::Subscribe => {
                let Some(Answer::Subscription(Some(record))) = answers.first() else {
                    return;
                };
                let at = Address { account: record.account, subscription: record.no };
                hook.into_iter().for_each(|hook| self.callers.hooks[hook].at = Some(at));
            }
            Kind::Unsubscribe(at) => {
                hook.into_iter().for_each(|hook| self.callers.hooks[hook].at = None);
                self.oracle.hooks.entry(at.subscription).or_default().silent = Some("unsubscribed");
            }
            Kind::Pause(at) => {
                if let Some(Answer::Subscription(Some(record))) = answers.first()
                    && record.status == Status::Paused
                {
                    self.oracle.hooks.entry(at.subscription).or_default().silent = Some("paused");
                }
            }
            Kind::Again(Replay { at, .. }) => {
                if let Some(run) = self.actors.current {
                    self.call(run, Mail::Wake(at));
                }
            }
            Kind::Other => {}
        }
    }

    fn check_receipts(&self, answers: &[Answer]) {
        for answer in answers {
            if let Answer::Appended(events) = answer
                && let Some((lost, _)) = events.iter().find(|(event, _)| !self.store.has_event(event.no))
            {
                broken("an event with a receipt is there", lost.no);
            }
        }
    }
}
