//! The actors of a simulation: each handles one message at a time, by the decisions of the real ones.

use std::collections::BTreeMap;
use std::sync::Arc;

use bytes::Bytes;
use rand::RngExt;
use smallvec::SmallVec;

use crate::attempt::{Attempt, Outcome};
use crate::id::AccountNo;
use crate::router::board::{Board, Decided, Place, Told};
use crate::shard::GiveUp;
use crate::shard::roster::{Life, Roster};
use crate::store::Address;
use crate::store::writer::Verbs;
use crate::subscriber::dispatcher::Dispatcher;
use crate::subscriber::hands::Delivery;
use crate::subscriber::question::Answer;
use crate::subscriber::slots::Slot;
use crate::subscriber::{End, Report};

use super::hands::{Deed, Noting};
use super::mail::{Actor, Done, InLine, Mail, Task, WishNo};
use super::world::{Later, World};
use super::writer::{Asked, Request};

/// All actors that live.
#[derive(Default)]
pub struct Actors {
    /// Counts the times that the actors were begun.
    pub run: u64,
    /// The run that callers reach.
    pub current: Option<u64>,
    pub routers: BTreeMap<u64, Board>,
    pub shards: BTreeMap<(u64, Place), Shard>,
    pub subscribers: BTreeMap<u64, Subscriber>,
    pub next_subscriber: u64,
    next_task: u64,
    next_timer: u64,
}

/// A shard that lives.
pub struct Shard {
    roster: Roster<u64>,
    timer: u64,
}

impl Shard {
    /// A shard of at most so many subscribers that run at a time.
    pub fn new(running: usize) -> Self {
        Self { roster: Roster::new(running), timer: 0 }
    }
}

/// A subscriber that lives.
pub struct Subscriber {
    pub at: Address,
    pub incarnation: u64,
    pub shard: (u64, Place),
    dispatcher: Dispatcher<usize, Task>,
    timer: u64,
    /// The commit as of which it last read what waits.
    loaded: u64,
}

/// An attempt.
pub struct Flying {
    pub at: Address,
    subscriber: u64,
    receiver: usize,
    delivery: Delivery,
    slot: Option<Slot<InLine>>,
    began: u64,
    outcome: Option<Outcome>,
}

impl Actors {
    /// How many subscribers of each shard are at work, or wait for their turn.
    pub fn busy(&self, shards: usize) -> Vec<usize> {
        let mut busy = vec![0; shards];
        for subscriber in self.subscribers.values().filter(|one| !one.dispatcher.is_quiet()) {
            busy[subscriber.shard.1] += 1;
        }
        busy
    }
}

type Ears<'a, T> = &'a mut dyn FnMut(&mut Dispatcher<usize, Task>, &mut Noting<'_>) -> T;

impl World {
    /// Lets somebody handle a message.
    pub fn read_mail(&mut self) {
        let Some((actor, mail)) = self.mail.take(&mut self.random) else {
            return;
        };
        let numbers = match actor {
            Actor::Router(run) => [run, 0, 0],
            Actor::Shard(run, place) => [run, place as u64, 0],
            Actor::Subscriber(no) => [no, self.actors.subscribers[&no].at.subscription.0, 0],
        };
        self.note(mail.name(), numbers);
        match actor {
            Actor::Router(run) => self.route(run, mail),
            Actor::Shard(run, place) => self.shard(run, place, mail),
            Actor::Subscriber(no) => self.serve_one(no, mail),
        }
        self.sweep();
    }

    fn route(&mut self, run: u64, mail: Mail) {
        let now = self.now();
        let Some(board) = self.actors.routers.get_mut(&run) else {
            return;
        };
        match mail {
            Mail::Emit { drafts, credit, wish } => {
                let verb = board.append(drafts, &[]);
                self.write(Verbs::from_buf([verb]), Some(credit), Some(wish));
            }
            Mail::Committed { events, credits } => {
                let credits = Arc::new(credits);
                for (place, share) in board.shares(&events).into_iter().enumerate() {
                    if !share.deliveries.is_empty() {
                        let mail = Mail::Share { deliveries: share.deliveries, credits: credits.clone() };
                        self.mail.post(Actor::Shard(run, place), mail);
                    }
                }
            }
            Mail::Subscribe(wanted, wish) => {
                let subscribed = board.subscribe(&wanted, now);
                let (decided, _) = subscribed.expect("the accounts are never deleted");
                self.carry_out(run, decided, Some(wish));
            }
            Mail::Unsubscribe { account, which, wish } => {
                let decided = board.unsubscribe(account, which);
                self.carry_out(run, decided, Some(wish));
            }
            Mail::SetPaused { at, paused, wish } => match board.set_paused(at, paused) {
                Some(decided) => self.carry_out(run, decided, Some(wish)),
                None => self.later(0, Later::Answered(wish, Some(Vec::new()))),
            },
            Mail::Rotate(wanted, wish) => {
                let decided = board.rotate(&wanted);
                self.carry_out(run, decided, Some(wish));
            }
            Mail::Replay { at, wish } => {
                let decided = board.replay(at);
                self.carry_out(run, decided, Some(wish));
            }
            Mail::Wake(at) => {
                let told = board.wake([at.subscription]);
                self.tell(run, told, None);
            }
            Mail::Again { at, events, done } => {
                if let Some(place) = board.place_of(at.subscription) {
                    self.mail.post(Actor::Shard(run, place), Mail::Again { at, events, done });
                }
            }
            Mail::GiveUp(given_up) => {
                let decided = board.give_up(given_up, now);
                self.carry_out(run, decided, None);
            }
            Mail::End => {
                self.end_router(run);
                self.abandon(run);
            }
            _ => unreachable!("no router is told this"),
        }
    }

    fn carry_out(&mut self, run: u64, decided: Decided, wish: Option<WishNo>) {
        self.write(decided.verbs, None, wish);
        self.tell(run, decided.told, wish);
    }

    fn tell(&mut self, run: u64, told: SmallVec<[(Place, Told); 1]>, wish: Option<WishNo>) {
        for (place, told) in told {
            let stops = matches!(told, Told::Pause(_) | Told::Remove(_));
            let done = wish.filter(|_| stops).map(|wish| self.promise(wish));
            self.mail.post(Actor::Shard(run, place), Mail::Told(told, done));
        }
    }

    /// What a caller waits for.
    pub fn promise(&mut self, wish: WishNo) -> Done {
        self.callers.waits_for_one_more(wish);
        Done::new(wish, &self.dropped_wishes)
    }

    fn shard(&mut self, run: u64, place: Place, mail: Mail) {
        let mut born = Vec::new();
        let (now, next) = (self.now(), &mut self.actors.next_subscriber);
        let Some(shard) = self.actors.shards.get_mut(&(run, place)) else {
            return;
        };
        let roster = &mut shard.roster;
        let mut begin = |life: Life| {
            *next += 1;
            born.push((*next, life));
            *next
        };
        let mut posts = Vec::new();
        let mut looks = false;
        let is_for_all = matches!(mail, Mail::Drain | Mail::Abandon);
        match mail {
            Mail::Share { deliveries, credits } => {
                for (at, events) in deliveries {
                    if let Some(to) = roster.forward(at, events[0].no, now, &mut begin) {
                        posts.push((*to, Mail::Forward { events, credits: credits.clone() }));
                    }
                }
                looks = true;
            }
            Mail::Due(waiting) => {
                waiting.into_iter().for_each(|(at, due)| roster.note(at, due));
                looks = true;
            }
            Mail::Told(Told::Wake(at), _) => {
                posts.extend(roster.wake(at, now, begin).map(|to| (*to, Mail::Reload { verdict: false })));
                looks = true;
            }
            Mail::Told(Told::Verdict(at), _) => {
                posts.extend(roster.judged(at).map(|to| (*to, Mail::Reload { verdict: true })));
            }
            Mail::Told(Told::Pause(at), done) => {
                posts.extend(roster.pause(at).map(|to| (*to, Mail::Hold(done))));
            }
            Mail::Told(Told::Remove(at), done) => {
                posts.extend(roster.remove(at).map(|to| (to, Mail::Cut(done))));
                looks = true;
            }
            Mail::Again { at, events, done } => {
                posts.extend(roster.running(at).map(|to| (*to, Mail::Again { at, events, done })));
            }
            Mail::Report(Report::Idle { at, incarnation, heard, next_due }) => {
                posts.extend(roster.retire(at, incarnation, heard, next_due).map(|to| (to, Mail::Retire)));
                looks = true;
            }
            Mail::Report(Report::GiveUp { settlement, reason, subscription }) => {
                let mail = Mail::GiveUp(GiveUp { settlement, reason, subscription });
                self.mail.post(Actor::Router(run), mail);
                looks = true;
            }
            Mail::Report(Report::Died { at, incarnation }) => {
                roster.bury(at, incarnation, now);
                looks = true;
            }
            Mail::Drain => posts.extend(roster.drain().map(|to| (*to, Mail::Hold(None)))),
            Mail::Abandon => {
                posts.extend(roster.abandon().map(|to| (to, Mail::Cut(None))));
                self.end_shard(run, place);
            }
            Mail::Timer(timer) if timer == shard.timer => {
                roster.woken();
                looks = true;
            }
            Mail::Timer(_) => {}
            _ => unreachable!("no shard is told this"),
        }
        if is_for_all {
            // They come in no order, which must not decide anything.
            posts.sort_by_key(|(to, _)| *to);
        }
        // A new one has its mailbox before anything is posted to it.
        born.into_iter().for_each(|(no, life)| self.bear(no, life, (run, place)));
        posts.into_iter().for_each(|(to, mail)| self.mail.post(Actor::Subscriber(to), mail));
        if looks {
            self.start_due(run, place);
        }
    }

    fn start_due(&mut self, run: u64, place: Place) {
        let (now, next) = (self.now(), &mut self.actors.next_subscriber);
        let Some(shard) = self.actors.shards.get_mut(&(run, place)) else {
            return;
        };
        let mut born = Vec::new();
        let wait = shard.roster.start_due(now, |life| {
            *next += 1;
            born.push((*next, life));
            *next
        });
        let mut asked = Vec::new();
        if shard.roster.look_round(now) {
            asked.extend(shard.roster.all().copied());
            // They come in no order, which must not decide anything.
            asked.sort_unstable();
        }
        if let Some(wait) = wait {
            self.actors.next_timer += 1;
            shard.timer = self.actors.next_timer;
            let timer = Later::Timer(Actor::Shard(run, place), shard.timer);
            self.later(wait.as_millis() as u64, timer);
        }
        born.into_iter().for_each(|(no, life)| self.bear(no, life, (run, place)));
        asked.into_iter().for_each(|to| self.mail.post(Actor::Subscriber(to), Mail::Yield));
    }

    fn bear(&mut self, no: u64, Life { at, incarnation, start }: Life, shard: (u64, Place)) {
        let dispatcher = Dispatcher::new(at, incarnation, start, self.rules.policy.window, self.now());
        let subscriber = Subscriber { at, incarnation, shard, dispatcher, timer: 0, loaded: 0 };
        self.actors.subscribers.insert(no, subscriber);
        self.mail.open(Actor::Subscriber(no));
        self.with(no, &mut |dispatcher, hands| dispatcher.load(hands));
    }

    fn serve_one(&mut self, no: u64, mail: Mail) {
        let (now, at) = (self.now(), self.actors.subscribers[&no].at);
        match mail {
            Mail::Forward { events, credits } => {
                let mut forwarded = Some((events, credits));
                self.with(no, &mut |dispatcher, hands| {
                    let (events, credits) = forwarded.take().expect("it is called once");
                    dispatcher.forwarded(events, credits, now, hands);
                });
            }
            Mail::Reload { verdict } => {
                self.with(no, &mut |dispatcher, hands| dispatcher.changed(verdict, hands));
            }
            Mail::Again { events, done, .. } => {
                self.oracle.asked_again(at.subscription, &events);
                self.with(no, &mut |dispatcher, _| dispatcher.asked_again(&events));
                drop(done);
            }
            Mail::Hold(done) => {
                self.with(no, &mut |dispatcher, hands| dispatcher.held(now, hands));
                drop(done);
            }
            Mail::Cut(done) => {
                self.end_subscriber(no);
                self.sweep();
                drop(done);
            }
            Mail::Retire => self.end_subscriber(no),
            Mail::Yield => self.with(no, &mut |dispatcher, hands| dispatcher.crowded(now, hands)),
            Mail::Turn(slot) => {
                let mut slot = Some(slot);
                self.with(no, &mut |dispatcher, hands| {
                    slot.take().into_iter().for_each(|slot| dispatcher.turn(slot, now, hands));
                });
            }
            Mail::Over { event, end } => {
                let chance = self.random.random::<f64>();
                let mut end = Some(end);
                self.with(no, &mut |dispatcher, hands| match end.take() {
                    Some(End::Unable) => dispatcher.unable(event, now, hands),
                    Some(End::Made(attempt)) => dispatcher.over(event, Some(attempt), chance, now, hands),
                    _ => dispatcher.over(event, None, chance, now, hands),
                });
            }
            Mail::Answered { number, commit, answer } => {
                if let Ok(Answer::Start(loaded)) = &answer {
                    loaded.subscription.iter().for_each(|record| self.oracle.loaded(record));
                    // One that began with what was forwarded knows of nothing older before it is told.
                    if loaded.has_backlog() {
                        self.actors.subscribers.get_mut(&no).expect("it lives").loaded = commit;
                    }
                }
                let mut answer = Some(answer);
                self.with(no, &mut |dispatcher, hands| {
                    let answer = answer.take().expect("it is called once");
                    dispatcher.answered(number, answer, now, hands);
                });
            }
            Mail::Timer(timer) if timer == self.actors.subscribers[&no].timer => {
                self.with(no, &mut |dispatcher, hands| dispatcher.woken(now, hands));
            }
            Mail::Timer(_) => {}
            _ => unreachable!("no subscriber is told this"),
        }
    }

    /// Lets a subscriber decide, and does what it decided.
    fn with(&mut self, no: u64, ears: Ears<'_, ()>) {
        let Some(subscriber) = self.actors.subscribers.get_mut(&no) else {
            return;
        };
        let (run, place) = subscriber.shard;
        let is_crowded = self.actors.shards.get(&(run, place)).is_some_and(|shard| shard.roster.is_crowded());
        let mut deeds = Vec::new();
        let mut hands = Noting {
            subscriber: no,
            account: subscriber.at.account,
            policy: &self.rules.policy,
            is_crowded,
            metrics: &self.metrics,
            store_has_failed: self.writer.has_failed,
            slots: &self.slots,
            turns: &self.turns,
            dropped: &self.dropped_tasks,
            next_task: &mut self.actors.next_task,
            deeds: &mut deeds,
        };
        ears(&mut subscriber.dispatcher, &mut hands);
        deeds.into_iter().for_each(|deed| self.does(no, deed));
    }

    fn does(&mut self, no: u64, deed: Deed) {
        let Some(subscriber) = self.actors.subscribers.get_mut(&no) else {
            return;
        };
        let (at, shard) = (subscriber.at, Actor::Shard(subscriber.shard.0, subscriber.shard.1));
        match deed {
            Deed::Attempt { task, receiver, delivery, event, slot } => {
                let loaded = subscriber.loaded;
                self.note("starts", [at.subscription.0, delivery.event.0, u64::from(delivery.attempts) + 1]);
                // What was over before it was decided has landed.
                self.sweep();
                let (now, policy) = (self.now(), &self.rules.policy);
                self.oracle.starts(at.subscription, delivery, loaded, policy, &self.store, now);
                let began = self.elapsed;
                let slot = Some(slot);
                let flying = Flying { at, subscriber: no, receiver, delivery, slot, began, outcome: None };
                self.flying.insert(task, flying);
                match event {
                    Some(_) => self.send(task),
                    None => {
                        let delay = self.delay();
                        self.later(delay, Later::Ask(Asked::Event { task, event: delivery.event }));
                    }
                }
            }
            Deed::Settle(settlement) => {
                self.settles(&settlement, false);
                self.write(Verbs::from_buf([crate::store::Verb::Settle(settlement)]), None, None);
            }
            Deed::Ask(number, question) => {
                let delay = self.delay();
                self.later(delay, Later::Ask(Asked::Question { subscriber: no, number, question }));
            }
            Deed::Report(report) => {
                if let Report::GiveUp { settlement, .. } = &report {
                    self.settles(settlement, true);
                }
                self.mail.post(shard, Mail::Report(report));
            }
            Deed::SetTimer(wait) => {
                self.actors.next_timer += 1;
                subscriber.timer = self.actors.next_timer;
                let timer = Later::Timer(Actor::Subscriber(no), subscriber.timer);
                self.later(wait.as_millis() as u64, timer);
            }
            Deed::Die => {
                let report = Report::Died { at, incarnation: subscriber.incarnation };
                self.mail.post(shard, Mail::Report(report));
                self.end_subscriber(no);
            }
        }
    }

    fn settles(&mut self, settlement: &crate::store::Settlement, gives_up: bool) {
        let (now, record) = (self.now(), self.store.record(settlement.at.subscription));
        self.oracle.settles(settlement, gives_up, &self.rules.policy, record.as_ref(), now);
    }

    /// A question is on its way.
    pub fn ask(&mut self, asked: Asked) {
        match &asked {
            Asked::Question { question, .. } if question.is_after_writes() => {
                self.writer.queue.push_back(Request::Read(asked));
            }
            _ => self.readers.push_back(asked),
        }
    }

    /// The event of an attempt was found, or not.
    pub fn found(&mut self, task: u64, is_there: bool) {
        match is_there {
            true => self.send(task),
            false => self.land(task, false),
        }
    }

    fn send(&mut self, task: u64) {
        let Some(flying) = self.flying.get_mut(&task) else {
            return;
        };
        let (outcome, takes) = self.moods[flying.receiver].meet(&mut self.random);
        let is_able = self.is_calm || self.random.random_range(0..100) > 0;
        flying.outcome = Some(outcome).filter(|_| is_able);
        self.later(takes, Later::Over { task });
    }

    /// An attempt is over; one that was not begun is broken off.
    pub fn land(&mut self, task: u64, is_begun: bool) {
        let (now, elapsed) = (self.now(), self.elapsed);
        let Some(flying) = self.flying.get_mut(&task) else {
            return;
        };
        let Flying { at, delivery, .. } = *flying;
        let end = match flying.outcome {
            None if is_begun => End::Unable,
            None => End::BrokenOff,
            Some(outcome) => {
                self.oracle.met(at.subscription, delivery.event, outcome);
                let duration_ms = (elapsed - flying.began) as u32;
                End::Made(Attempt {
                    n: delivery.attempts + 1,
                    at: now,
                    asked: delivery.is_asked_for(),
                    outcome,
                    duration_ms,
                    response: Bytes::new(),
                })
            }
        };
        let slot = flying.slot.take();
        let mail = Mail::Over { event: delivery.event, end };
        self.mail.post(Actor::Subscriber(flying.subscriber), mail);
        drop(slot);
    }

    /// A subscriber has heard of the end of an attempt, or broke it off.
    pub fn let_go(&mut self, task: u64) {
        if let Some(flying) = self.flying.remove(&task) {
            self.oracle.ends(flying.at.subscription, flying.delivery.event);
            drop(flying.slot);
        }
    }

    /// Ends a subscriber, and breaks off what it has in flight.
    pub fn end_subscriber(&mut self, no: u64) {
        self.mail.close(Actor::Subscriber(no));
        drop(self.actors.subscribers.remove(&no));
    }

    /// Ends a router.
    pub fn end_router(&mut self, run: u64) {
        self.mail.close(Actor::Router(run));
        drop(self.actors.routers.remove(&run));
    }

    /// Ends a shard.
    pub fn end_shard(&mut self, run: u64, place: Place) {
        self.mail.close(Actor::Shard(run, place));
        drop(self.actors.shards.remove(&(run, place)));
    }

    /// The accounts that hooks belong to.
    pub fn account_of(receiver: usize) -> AccountNo {
        AccountNo(1 + receiver as u32 % 2)
    }
}
