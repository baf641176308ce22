//! The board: all that a router decides.
//!
//! It has the index, which is ahead of the store by what was decided and is still queued. Each decision says what is to
//! be queued to the writer, and which shards are to hear of it afterwards.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use smallvec::{SmallVec, smallvec};
use tracing::warn;

use crate::account::AccountNames;
use crate::clock::Timestamp;
use crate::condition::Condition;
use crate::event::{Draft, Recorded};
use crate::event_type::BACKLOG_EXCEEDED;
use crate::id::{AccountNo, Seal, SubscriptionNo};
use crate::label::Uid;
use crate::metrics::Metrics;
use crate::router::index::{Entry, Index, Numbers, State};
use crate::router::message::{New, Rotate, Subscribe, Taken, Which};
use crate::router::notice::{self, News, Notice};
use crate::shard::GiveUp;
use crate::store::writer::Verbs;
use crate::store::{Address, Change, Deep, Edit, NewSubscription, Rotation, Verb};
use crate::subscription::{
    CustomHeaders, Envelope, Generation, Profile, Secret, Status, Subscription, TURNED_OFF,
};

/// What a router knows.
pub struct Board {
    pub index: Index,
    pub next_subscription: SubscriptionNo,
    pub seal: Seal,
    pub names: AccountNames,
    pub shards: usize,
    pub metrics: Metrics,
    /// Hooks of whose backlog was told.
    pub told_of_backlog: HashSet<SubscriptionNo>,
}

/// What a board begins with.
pub struct Recovered {
    pub index: Index,
    pub next_subscription: SubscriptionNo,
    pub seal: Seal,
    pub names: AccountNames,
}

/// The most hooks of whose backlogs is told after one count.
const TOLD_AT_ONCE: usize = 1_000;

/// Which conditions hold of an event, by their texts.
pub type Verdicts = HashMap<Arc<str>, bool>;

/// What is to be done: first the verbs are queued, then the shards are told.
#[derive(Default)]
pub struct Decided {
    pub verbs: Verbs,
    pub told: SmallVec<[(Place, Told); 1]>,
}

/// A shard, by its place among all.
pub type Place = usize;

/// What a shard is told of one of its subscriptions.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Told {
    Wake(Address),
    Pause(Address),
    Remove(Address),
    Verdict(Address),
}

/// What a shard is forwarded.
#[derive(Clone, Default)]
pub struct Share {
    pub deliveries: Vec<(Address, SmallVec<[Arc<Recorded>; 1]>)>,
    places: HashMap<SubscriptionNo, usize>,
}

impl Board {
    /// A board that goes on from what recovery found.
    pub fn new(recovered: Recovered, shards: usize, metrics: Metrics) -> Self {
        let Recovered { index, next_subscription, seal, names } = recovered;
        let told_of_backlog = HashSet::new();
        Self { index, next_subscription, seal, names, shards, metrics, told_of_backlog }
    }

    /// The shard of a subscription. Those of one endpoint are on all of them: an event for many is no shard's alone.
    fn place(&self, subscription: SubscriptionNo) -> Place {
        subscription.0 as usize % self.shards
    }

    /// The shard of a subscription that there is.
    pub fn place_of(&self, subscription: SubscriptionNo) -> Option<Place> {
        self.index.get(subscription).map(|_| self.place(subscription))
    }

    /// For each shard, which of its subscriptions are due when.
    pub fn due(&self, waiting: Vec<(SubscriptionNo, Timestamp)>) -> Vec<Vec<(Address, Timestamp)>> {
        let mut due: Vec<Vec<_>> = vec![Vec::new(); self.shards];
        for (subscription, at) in waiting {
            if let Some((_, address)) = self.active(subscription) {
                due[self.place(subscription)].push((address, at));
            }
        }
        due
    }

    /// Records events with what each matches now; `known` says which conditions hold of the first, the second, and so on,
    /// as far as that was found out before.
    pub fn append(&self, drafts: Vec<Draft>, known: &[Verdicts]) -> Verb {
        let drafts = drafts.into_iter().enumerate().map(|(index, draft)| {
            let matches = match draft.only {
                Some(only) => self.index.only(Address { account: draft.account, subscription: only }),
                None => {
                    let found_out =
                        |condition: &Condition| known.get(index)?.get(condition.as_str()).copied();
                    let holds = |condition: &Condition| {
                        let found_out = found_out(condition);
                        found_out.unwrap_or_else(|| condition.holds_of_bytes(draft.body.data()))
                    };
                    self.index.matches(draft.account, &draft.event_type, draft.channels(), holds)
                }
            };
            (draft, matches)
        });
        Verb::Append(drafts.collect())
    }

    /// For each shard, what it is to be forwarded of events that became durable.
    pub fn shares(&self, events: &[Arc<Recorded>]) -> Vec<Share> {
        let mut shares = vec![Share::default(); self.shards];
        for event in events {
            for matched in event.matches.iter() {
                let known = self.active(matched.subscription);
                if let Some((_, at)) = known.filter(|(entry, _)| entry.generation == matched.generation) {
                    shares[self.place(at.subscription)].add(at, event);
                }
            }
        }
        shares
    }

    /// Makes a subscription or brings one back; says also where it stood.
    ///
    /// Nothing for an account that is being deleted.
    pub fn subscribe(&mut self, wish: &Subscribe, now: Timestamp) -> Option<(Decided, Option<State>)> {
        self.names.get(wish.account)?;
        let known = self.index.find(wish.account, wish.url.normalized(), &wish.filter);
        let known = known.and_then(|no| self.index.get(no).map(|entry| (no, entry.clone())));
        let Some((no, entry)) = known else {
            return Some((Decided::only(self.new_subscription(wish, now)), None));
        };
        let at = Address { account: entry.account, subscription: no };
        let back = match entry.state {
            State::Active => None,
            State::Paused => Some(Change::Resume),
            State::Deactivated => {
                Some(Change::Reactivate { replay: wish.replay, headers: wish.headers.clone() })
            }
        };
        self.index.set(no, State::Active);
        let decided = match back {
            None => Decided::only(Verb::Look(at)),
            Some(change) => Decided::only(Verb::Change(at, change)).telling(self.place(no), Told::Wake(at)),
        };
        Some((decided, Some(entry.state)))
    }

    fn new_subscription(&mut self, wish: &Subscribe, now: Timestamp) -> Verb {
        let siblings = self.index.of_url(wish.account, wish.url.normalized());
        let sibling = self.index.documented(siblings).next().filter(|_| wish.secret.is_none());
        let new = New {
            url: wish.url.clone(),
            filter: wish.filter.clone(),
            condition: wish.condition.clone(),
            envelope: Envelope::Documented,
            secret: wish.secret.clone(),
            headers: wish.headers.clone().unwrap_or_default(),
            client_certificate: wish.client_certificate.clone(),
            profile: Profile::default(),
            delivery: wish.delivery.clone(),
            status: Status::Active,
        };
        Verb::Subscribe(Box::new(NewSubscription {
            subscription: self.record(wish.account, new, now),
            sibling,
        }))
    }

    /// Makes a subscription, whatever others there are; nothing where the account is being deleted.
    ///
    /// # Errors
    /// When another one has its uid.
    pub fn add(&mut self, account: AccountNo, new: New, now: Timestamp) -> Result<Option<Decided>, Taken> {
        if self.names.get(account).is_none() {
            return Ok(None);
        }
        self.vet_uid(account, new.profile.uid.as_ref(), None)?;
        let subscription = self.record(account, new, now);
        let new = NewSubscription { subscription, sibling: None };
        Ok(Some(Decided::only(Verb::Subscribe(Box::new(new)))))
    }

    /// Changes what a subscription's owner says of it, and turns it on or off, if there is one.
    ///
    /// # Errors
    /// When another one has its uid.
    pub fn edit(&mut self, at: Address, edit: Edit, enabled: Option<bool>) -> Result<Option<Decided>, Taken> {
        let no = at.subscription;
        let Some(entry) = self.index.of_account(at).cloned() else {
            return Ok(None);
        };
        self.vet_uid(at.account, edit.profile.uid.as_ref(), Some(no))?;
        // Of one URL and filter there is one hook: subscribing finds it, and unsubscribing forgets it.
        let like_it = self.index.find(at.account, edit.url.normalized(), &edit.filter);
        if self.index.is_documented(no) && like_it.is_some_and(|other| other != no) {
            return Err(Taken);
        }
        let (uid, condition) = (edit.profile.uid.as_ref(), edit.condition.as_ref());
        self.index.change(no, edit.url.normalized(), &edit.filter, condition, uid);
        let mut verbs = Verbs::from_buf([Verb::Change(at, Change::Edit(Box::new(edit)))]);
        let mut told = Told::Wake(at);
        match (enabled, entry.state) {
            (Some(false), State::Active | State::Paused) => {
                self.index.set(no, State::Deactivated);
                verbs.push(Verb::Change(at, Change::Deactivate { reason: TURNED_OFF.to_owned() }));
                told = Told::Verdict(at);
            }
            (Some(true), State::Deactivated) => {
                self.index.set(no, State::Active);
                verbs.push(Verb::Change(at, Change::Reactivate { replay: false, headers: None }));
            }
            _ => {}
        }
        Ok(Some(Decided { verbs, told: SmallVec::from_iter([(self.place(no), told)]) }))
    }

    fn vet_uid(
        &self,
        account: AccountNo,
        uid: Option<&Uid>,
        other_than: Option<SubscriptionNo>,
    ) -> Result<(), Taken> {
        let has_it = uid.and_then(|uid| self.index.of_uid(account, uid));
        if has_it.is_some() && has_it != other_than { Err(Taken) } else { Ok(()) }
    }

    /// The record of a new subscription, which is in the index from now on.
    fn record(&mut self, account: AccountNo, new: New, now: Timestamp) -> Subscription {
        let no = self.next_subscription;
        self.next_subscription = SubscriptionNo(no.0 + 1);
        let subscription = Subscription {
            no,
            id: self.seal.close(no.0, rand::random()),
            account,
            url: new.url,
            filter: new.filter,
            condition: new.condition,
            envelope: new.envelope,
            secret: new.secret.unwrap_or_else(Secret::generate),
            previous_secrets: Vec::new(),
            headers: new.headers,
            client_certificate: new.client_certificate,
            status: new.status,
            generation: Generation(0),
            floor: Generation(0),
            profile: new.profile,
            delivery: new.delivery,
            created_at: now,
            updated_at: now,
        };
        self.index.insert(&subscription);
        subscription
    }

    /// Forgets subscriptions, a verb for each.
    pub fn unsubscribe(&mut self, account: AccountNo, which: Which) -> Decided {
        let named: Numbers = match which {
            Which::No(no) => smallvec![no],
            Which::These(numbers) => numbers,
            Which::Url(url, None) => self.index.of_url(account, url.normalized()),
            Which::Url(url, Some(filter)) => {
                self.index.find(account, url.normalized(), &filter).into_iter().collect()
            }
        };
        let mut decided = Decided::default();
        for subscription in named {
            let at = Address { account, subscription };
            if self.index.of_account(at).is_some() && self.index.remove(subscription).is_some() {
                decided.verbs.push(Verb::Unsubscribe(at));
                decided.told.push((self.place(subscription), Told::Remove(at)));
            }
        }
        decided
    }

    /// Pauses a subscription or resumes it, if there is one.
    pub fn set_paused(&mut self, at: Address, paused: bool) -> Option<Decided> {
        let entry = self.index.of_account(at)?.clone();
        let (state, change, told) = match (entry.state, paused) {
            (State::Active, true) => (State::Paused, Change::Pause, Told::Pause(at)),
            (State::Paused, false) => (State::Active, Change::Resume, Told::Wake(at)),
            _ => return Some(Decided::only(Verb::Look(at))),
        };
        self.index.set(at.subscription, state);
        Some(Decided::only(Verb::Change(at, change)).telling(self.place(at.subscription), told))
    }

    /// Gives a subscription a new secret, and those that may share the old one.
    pub fn rotate(&self, wish: &Rotate) -> Decided {
        let no = wish.at.subscription;
        // One that is no hook of the hooks API keeps its secret to itself.
        let mut siblings: Vec<SubscriptionNo> = self.index.documented(self.index.siblings(no)).collect();
        if !siblings.contains(&no) {
            siblings = self.index.get(no).map(|_| no).into_iter().collect();
        }
        // They read their records once this is committed.
        let told = self.wake(siblings.iter().copied());
        let Rotate { at, overlap_until, kept, .. } = *wish;
        let secret = wish.secret.clone();
        let rotation = Rotation { at, siblings, secret, overlap_until, kept };
        Decided { verbs: Verbs::from_buf([Verb::Rotate(Box::new(rotation))]), told }
    }

    /// Gives a subscription other headers; it reads its record once this is committed.
    pub fn set_headers(&self, at: Address, headers: CustomHeaders) -> Decided {
        let verb = Verb::Change(at, Change::SetHeaders(headers));
        Decided { told: self.wake([at.subscription]), ..Decided::only(verb) }
    }

    /// Makes a subscription's dead letters pending again.
    pub fn replay(&self, at: Address) -> Decided {
        Decided { told: self.wake([at.subscription]), ..Decided::only(Verb::Change(at, Change::Replay)) }
    }

    /// Whom to tell that what waits for these is to be read afresh.
    pub fn wake(&self, named: impl IntoIterator<Item = SubscriptionNo>) -> SmallVec<[(Place, Told); 1]> {
        let active = named.into_iter().filter_map(|no| self.active(no));
        active.map(|(_, at)| (self.place(at.subscription), Told::Wake(at))).collect()
    }

    /// Gives an endpoint up, unless its subscription's life is over anyway.
    pub fn give_up(&mut self, given_up: GiveUp, now: Timestamp) -> Decided {
        let GiveUp { settlement, reason, subscription } = given_up;
        let (at, generation) = (settlement.at, settlement.generation);
        let is_gone = settlement.attempt.outcome.is_gone();
        let mut decided = Decided::only(Verb::Settle(settlement));
        let Some(entry) = self.index.get(at.subscription) else {
            return decided;
        };
        decided.told.push((self.place(at.subscription), Told::Verdict(at)));
        if entry.generation != generation || entry.state == State::Deactivated {
            return decided;
        }
        // Its host alone: many a URL is a secret by itself.
        warn!(hook = %subscription.id, host = subscription.url.authority(), reason, "a hook is deactivated");
        match is_gone {
            true => self.metrics.hooks.deactivated_gone.inc(),
            false => self.metrics.hooks.deactivated_exhausted.inc(),
        };
        self.index.set(at.subscription, State::Deactivated);
        let news = News::Deactivated { reason: &reason };
        let told = self.tell(Notice { subscription: &subscription, news, at: now });
        decided.verbs.push(Verb::Change(at, Change::Deactivate { reason }));
        decided.verbs.extend(told);
        decided
    }

    /// Tells those who want to know what became of a hook, if there are any.
    pub fn tell(&self, notice: Notice<'_>) -> Option<Verb> {
        notice.recorded(&self.index, &self.names, &self.metrics.hooks)
    }

    /// The hooks for which more than `threshold` deliveries wait and of which nobody was told yet, some at a time.
    ///
    /// `deep` are those for which at least half of that waits: of the others it is told again when they come to it again.
    pub fn backlogs_to_tell_of(&mut self, deep: &[Deep], threshold: u64) -> Vec<Deep> {
        let deep_ones: HashSet<SubscriptionNo> = deep.iter().map(|one| one.at.subscription).collect();
        self.told_of_backlog.retain(|no| deep_ones.contains(no));
        let over = deep.iter().filter(|one| one.pending > threshold);
        let untold = over.filter(|one| !self.told_of_backlog.contains(&one.at.subscription));
        let heard = untold.filter(|one| notice::is_heard(&self.index, one.at.account, BACKLOG_EXCEEDED));
        heard.take(TOLD_AT_ONCE).copied().collect()
    }

    fn active(&self, subscription: SubscriptionNo) -> Option<(&Entry, Address)> {
        let entry = self.index.get(subscription).filter(|entry| entry.state == State::Active)?;
        Some((entry, Address { account: entry.account, subscription }))
    }
}

impl Decided {
    fn only(verb: Verb) -> Self {
        Self { verbs: Verbs::from_buf([verb]), told: SmallVec::new() }
    }

    fn telling(mut self, place: Place, told: Told) -> Self {
        self.told.push((place, told));
        self
    }
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
