//! The router: the actor that decides which subscriptions an event goes to.
//!
//! It queues events and changes of subscriptions to the writer in the order in which it decided them, so what an event
//! matched is what was subscribed when it came. Once events are durable it hands them to the shards that keep the
//! subscribers. Its index is ahead of the store by what is queued; if the two part, the router ends, and the runtime
//! starts another from the store.

pub mod index;
mod message;
mod notice;

use std::collections::HashMap;
use std::sync::Arc;

use actix::{Actor, Addr, Context, Handler, MessageResult};
use smallvec::SmallVec;
use tokio::sync::{mpsc, oneshot};
use tracing::warn;

use crate::account::AccountNames;
use crate::clock::Timestamp;
use crate::event::Recorded;
use crate::id::{Seal, SubscriptionNo};
use crate::metrics::Metrics;
use crate::shard::{self, Due, GiveUp, Shard};
use crate::store::readers::gone;
use crate::store::writer::{Store, Verbs};
use crate::store::{Address, Answer, Change, Error, NewSubscription, Rotation, Verb};
use crate::subscription::{Generation, Secret, Status, Subscription};

use self::index::{Entry, Index, State};
pub use self::message::{
    Again, Committed, Emit, Match, Ping, Replay, Rotate, SetPaused, Subscribe, Subscribed, Try, Unsubscribe,
    Wake, Which,
};

/// The actor.
pub struct Router {
    index: Index,
    store: Store,
    shards: Vec<Addr<Shard>>,
    next_subscription: SubscriptionNo,
    seal: Seal,
    names: AccountNames,
    metrics: Metrics,
    /// Told when the router is gone.
    _ended: Ended,
}

/// Tells the runtime, by being dropped, that a router ended.
pub struct Ended(pub mpsc::UnboundedSender<()>);

/// What a router begins with.
pub struct Beginning {
    pub index: Index,
    pub next_subscription: SubscriptionNo,
    pub seal: Seal,
    pub waiting: Vec<(SubscriptionNo, Timestamp)>,
    pub names: AccountNames,
}

impl Router {
    /// A router that goes on from what recovery found; what waits is handed to the shards.
    pub fn new(
        beginning: Beginning,
        store: Store,
        shards: Vec<Addr<Shard>>,
        metrics: Metrics,
        ended: Ended,
    ) -> Self {
        let Beginning { index, next_subscription, seal, waiting, names } = beginning;
        let router = Self { index, store, shards, next_subscription, seal, names, metrics, _ended: ended };
        let mut due: Vec<Vec<(Address, Timestamp)>> = vec![Vec::new(); router.shards.len()];
        for (subscription, at) in waiting {
            if let Some(entry) = router.index.get(subscription).filter(|entry| entry.state == State::Active) {
                let address = Address { account: entry.account, subscription };
                due[router.place(entry)].push((address, at));
            }
        }
        for (shard, due) in router.shards.iter().zip(due) {
            shard.do_send(Due(due));
        }
        router
    }

    fn place(&self, entry: &Entry) -> usize {
        entry.place as usize % self.shards.len()
    }

    fn shard(&self, entry: &Entry) -> Addr<Shard> {
        self.shards[self.place(entry)].clone()
    }

    /// Queues verbs; the answers come from the future.
    fn write(&self, verbs: Verbs) -> impl Future<Output = Result<Vec<Answer>, Error>> + use<> {
        let (reply, answers) = oneshot::channel();
        self.store.write(verbs, None, reply);
        async { answers.await.unwrap_or_else(|_| Err(gone())) }
    }

    /// Queues a verb that answers with a subscription.
    fn write_one(
        &self,
        verb: Verb,
    ) -> impl Future<Output = Result<Option<Box<Subscription>>, Error>> + use<> {
        let answers = self.write(Verbs::from_buf([verb]));
        async move {
            match answers.await?.pop() {
                Some(Answer::Subscription(subscription)) => Ok(subscription),
                _ => Err(Error::damaged("another answer than a subscription")),
            }
        }
    }

    /// Tells the subscribers of these that what waits for them is to be read afresh.
    fn wake(&self, named: impl IntoIterator<Item = SubscriptionNo>) {
        for subscription in named {
            if let Some(entry) = self.index.get(subscription).filter(|entry| entry.state == State::Active) {
                self.shard(entry).do_send(shard::Wake(Address { account: entry.account, subscription }));
            }
        }
    }

    fn new_subscription(&mut self, wish: &Subscribe) -> Verb {
        let no = self.next_subscription;
        self.next_subscription = SubscriptionNo(no.0 + 1);
        let sibling = self.index.of_url(wish.account, wish.url.normalized()).first().copied();
        let subscription = Subscription {
            no,
            id: self.seal.close(no.0, rand::random()),
            account: wish.account,
            url: wish.url.clone(),
            filter: wish.filter.clone(),
            secret: wish.secret.clone().unwrap_or_else(Secret::generate),
            previous_secret: None,
            status: Status::Active,
            generation: Generation(0),
            floor: Generation(0),
            created_at: Timestamp::now(),
        };
        self.index.insert(&subscription);
        let sibling = sibling.filter(|_| wish.secret.is_none());
        Verb::Subscribe(Box::new(NewSubscription { subscription, sibling }))
    }
}

impl Actor for Router {
    type Context = Context<Self>;
}

impl Drop for Ended {
    fn drop(&mut self) {
        // The runtime may have ended first.
        let _ = self.0.send(());
    }
}

impl Handler<Emit> for Router {
    type Result = ();

    fn handle(&mut self, emit: Emit, _: &mut Context<Self>) {
        let drafts = emit.drafts.into_iter().map(|draft| {
            let matches = self.index.matches(draft.account, &draft.event_type);
            (draft, matches)
        });
        let verb = Verb::Append(drafts.collect());
        self.store.write(Verbs::from_buf([verb]), Some(emit.credit), emit.reply);
    }
}

/// For each shard, what it is to be forwarded.
#[derive(Clone, Default)]
struct Share {
    deliveries: Vec<(Address, SmallVec<[Arc<Recorded>; 1]>)>,
    places: HashMap<SubscriptionNo, usize>,
}

impl Share {
    fn add(&mut self, at: Address, event: &Arc<Recorded>) {
        let place = *self.places.entry(at.subscription).or_insert(self.deliveries.len());
        if place == self.deliveries.len() {
            self.deliveries.push((at, SmallVec::new()));
        }
        self.deliveries[place].1.push(event.clone());
    }
}

impl Handler<Committed> for Router {
    type Result = ();

    fn handle(&mut self, Committed { events, credits }: Committed, _: &mut Context<Self>) {
        let credits = Arc::new(credits);
        let mut shares = vec![Share::default(); self.shards.len()];
        for event in &events {
            for matched in event.matches.iter() {
                let entry = self.index.get(matched.subscription);
                let wants =
                    |entry: &&Entry| entry.state == State::Active && entry.generation == matched.generation;
                if let Some(entry) = entry.filter(wants) {
                    let at = Address { account: entry.account, subscription: matched.subscription };
                    shares[self.place(entry)].add(at, event);
                }
            }
        }
        for (shard, Share { deliveries, .. }) in self.shards.iter().zip(shares) {
            if !deliveries.is_empty() {
                shard.do_send(shard::Forward { deliveries, credits: credits.clone() });
            }
        }
    }
}

impl Handler<Subscribe> for Router {
    type Result = ();

    fn handle(&mut self, wish: Subscribe, _: &mut Context<Self>) {
        let known = self.index.find(wish.account, wish.url.normalized(), &wish.filter);
        let known = known.and_then(|no| self.index.get(no).map(|entry| (no, entry.clone())));
        let verb = match &known {
            None => self.new_subscription(&wish),
            Some((no, entry)) => {
                let at = Address { account: entry.account, subscription: *no };
                let back = match entry.state {
                    State::Active => None,
                    State::Paused => Some(Change::Resume),
                    State::Deactivated => Some(Change::Reactivate { replay: wish.replay }),
                };
                self.index.set(*no, State::Active);
                back.map_or(Verb::Look(at), |change| Verb::Change(at, change))
            }
        };
        let recorded = self.write_one(verb);
        if let Some((no, entry)) = known.as_ref().filter(|(_, entry)| entry.state != State::Active) {
            self.shard(entry).do_send(shard::Wake(Address { account: entry.account, subscription: *no }));
        }
        let was = known.map(|(_, entry)| entry.state);
        actix_rt::spawn(async move {
            let recorded = recorded.await.and_then(|subscription| subscription.ok_or_else(gone));
            // Whoever hung up does not want it.
            let _ = wish.reply.send(recorded.map(|subscription| Subscribed { subscription, was }));
        });
    }
}

impl Handler<Unsubscribe> for Router {
    type Result = ();

    fn handle(&mut self, Unsubscribe { account, which, reply }: Unsubscribe, _: &mut Context<Self>) {
        let named: Vec<SubscriptionNo> = match which {
            Which::No(no) => vec![no],
            Which::Url(url, None) => self.index.of_url(account, url.normalized()).to_vec(),
            Which::Url(url, Some(filter)) => {
                self.index.find(account, url.normalized(), &filter).into_iter().collect()
            }
        };
        let (mut verbs, mut cuts) = (Verbs::new(), Vec::new());
        for subscription in named {
            let at = Address { account, subscription };
            if self.index.of_account(at).is_some()
                && let Some(entry) = self.index.remove(subscription)
            {
                verbs.push(Verb::Unsubscribe(at));
                cuts.push(self.shard(&entry).send(shard::Remove(at)));
            }
        }
        let count = verbs.len();
        let recorded = self.write(verbs);
        actix_rt::spawn(async move {
            for cut in cuts {
                // A shard that has ended sends nothing any more.
                let _ = cut.await;
            }
            let _ = reply.send(recorded.await.map(|_| count));
        });
    }
}

impl Handler<SetPaused> for Router {
    type Result = ();

    fn handle(&mut self, SetPaused { at, paused, reply }: SetPaused, _: &mut Context<Self>) {
        let Some(entry) = self.index.of_account(at).cloned() else {
            // Whoever hung up does not want it.
            let _ = reply.send(Ok(None));
            return;
        };
        let (mut held, mut verb) = (None, Verb::Look(at));
        match (entry.state, paused) {
            (State::Active, true) => {
                self.index.set(at.subscription, State::Paused);
                verb = Verb::Change(at, Change::Pause);
                held = Some(self.shard(&entry).send(shard::Pause(at)));
            }
            (State::Paused, false) => {
                self.index.set(at.subscription, State::Active);
                verb = Verb::Change(at, Change::Resume);
            }
            _ => {}
        }
        let recorded = self.write_one(verb);
        if (entry.state, paused) == (State::Paused, false) {
            self.shard(&entry).do_send(shard::Wake(at));
        }
        actix_rt::spawn(async move {
            if let Some(held) = held {
                // A shard that has ended starts nothing any more.
                let _ = held.await;
            }
            let _ = reply.send(recorded.await);
        });
    }
}

impl Handler<Rotate> for Router {
    type Result = ();

    fn handle(&mut self, wish: Rotate, _: &mut Context<Self>) {
        let Rotate { at, secret, overlap_until, reply } = wish;
        let siblings = self.index.siblings(at.subscription).to_vec();
        let rotation = Rotation { at, siblings: siblings.clone(), secret, overlap_until };
        let recorded = self.write_one(Verb::Rotate(Box::new(rotation)));
        // They read their records once this is committed.
        self.wake(siblings);
        answer(recorded, reply);
    }
}

impl Handler<Replay> for Router {
    type Result = ();

    fn handle(&mut self, Replay { at, reply }: Replay, _: &mut Context<Self>) {
        let recorded = self.write_one(Verb::Change(at, Change::Replay));
        self.wake([at.subscription]);
        answer(recorded, reply);
    }
}

impl Handler<Wake> for Router {
    type Result = ();

    fn handle(&mut self, Wake(named): Wake, _: &mut Context<Self>) {
        self.wake(named);
    }
}

impl Handler<Match> for Router {
    type Result = MessageResult<Match>;

    fn handle(&mut self, Match { account, event_type }: Match, _: &mut Context<Self>) -> Self::Result {
        MessageResult(self.index.matches(account, &event_type))
    }
}

impl Handler<Again> for Router {
    type Result = ();

    fn handle(&mut self, Again(again): Again, _: &mut Context<Self>) {
        if let Some(entry) = self.index.get(again.at.subscription) {
            self.shard(entry).do_send(again);
        }
    }
}

impl Handler<Try> for Router {
    type Result = ();

    fn handle(&mut self, Try(wish): Try, _: &mut Context<Self>) {
        if let Some(entry) = self.index.get(wish.subscription.no) {
            self.shard(entry).do_send(wish);
        }
    }
}

/// Sends an answer on once it is there.
fn answer<T: 'static>(
    answered: impl Future<Output = Result<T, Error>> + 'static,
    reply: oneshot::Sender<Result<T, Error>>,
) {
    actix_rt::spawn(async move {
        // Whoever hung up does not want it.
        let _ = reply.send(answered.await);
    });
}

impl Handler<Ping> for Router {
    type Result = ();

    fn handle(&mut self, _: Ping, _: &mut Context<Self>) {}
}

impl Handler<GiveUp> for Router {
    type Result = ();

    fn handle(&mut self, given_up: GiveUp, _: &mut Context<Self>) {
        let GiveUp { settlement, reason, subscription } = given_up;
        let at = settlement.at;
        let alive =
            |entry: &&Entry| entry.generation == settlement.generation && entry.state != State::Deactivated;
        let Some(entry) = self.index.get(at.subscription).filter(alive).cloned() else {
            self.store.settle(Verb::Settle(settlement));
            if let Some(entry) = self.index.get(at.subscription) {
                self.shard(entry).do_send(shard::Verdict(at));
            }
            return;
        };
        // Its host alone: many a URL is a secret by itself.
        warn!(hook = %subscription.id, host = subscription.url.authority(), reason, "a hook is deactivated");
        match settlement.attempt.outcome.is_gone() {
            true => self.metrics.hooks.deactivated_gone.inc(),
            false => self.metrics.hooks.deactivated_exhausted.inc(),
        };
        self.index.set(at.subscription, State::Deactivated);
        let notices = self.notices(&subscription, &reason);
        let mut verbs = Verbs::new();
        verbs.push(Verb::Settle(settlement));
        verbs.push(Verb::Change(at, Change::Deactivate { reason }));
        verbs.extend((!notices.is_empty()).then_some(Verb::Append(notices)));
        let recorded = self.write(verbs);
        // Nobody waits for it; should it fail, the store says so.
        actix_rt::spawn(async move { drop(recorded.await) });
        self.shard(&entry).do_send(shard::Verdict(at));
    }
}

/// Ends the router by a panic.
#[cfg(test)]
#[derive(actix::Message)]
#[rtype(result = "()")]
pub struct Crash {
    /// Whether the subscribers are to end so instead.
    pub subscribers: bool,
}

#[cfg(test)]
impl Handler<Crash> for Router {
    type Result = ();

    fn handle(&mut self, crash: Crash, _: &mut Context<Self>) {
        assert!(crash.subscribers, "a router crashes because a test wants it to");
        self.shards.iter().for_each(|shard| shard.do_send(crate::subscriber::Crash));
    }
}
