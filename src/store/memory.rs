//! A model of the store: plain sets, nothing durable. It says what the ledger must do, and serves tests as a store.

use std::collections::{BTreeMap, BTreeSet, HashMap, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard};

use crate::account::{Account, ApiKey, KeyHash};
use crate::attempt::Attempt;
use crate::clock::{Now, Timestamp};
use crate::event::{Draft, Heading, IdempotencyKey, Recorded};
use crate::event_type::{Declaration, EventType};
use crate::health::Health;
use crate::id::{AccountNo, EventNo, Seal, SubscriptionNo};
use crate::store::history::{Delivery, DeliveryQuery, DeliveryStatus, EventQuery, Listed, Order, Place};
use crate::store::{
    Address, Answer, AttemptCounts, Backend, Backlog, Census, Committed, Copier, CopyError, Disk, Error,
    Expunge, ExpungeAnswer, Farewell, Follows, Hour, Lane, Lanes, NewAccount, Reader, Recovery, Replay,
    Replayable, Retained, Retries, Retry, Rotation, Settlement, Tally, Untidy, Verb,
};
use crate::subscription::{Generation, Match, Matches, Status, Subscription};

/// The model; clones share it, so that it survives a "restart".
#[derive(Clone, Default)]
pub struct Memory(Arc<Mutex<Model>>);

/// What a delivery waits for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Pending {
    First { generation: Generation },
    Retry(Retry),
}

#[derive(Default)]
struct Model {
    events: BTreeMap<EventNo, Arc<Recorded>>,
    last_event: EventNo,
    pending: BTreeMap<(SubscriptionNo, EventNo), Pending>,
    keys_seen: HashMap<IdempotencyKey, EventNo>,
    subscriptions: BTreeMap<Address, Subscription>,
    next_subscription: SubscriptionNo,
    health: HashMap<SubscriptionNo, Health>,
    last_attempts: HashMap<SubscriptionNo, Timestamp>,
    logs: BTreeMap<Place, Vec<Attempt>>,
    hours: BTreeMap<SubscriptionNo, BTreeMap<u32, Hour>>,
    /// What was replayed, and is known to have been.
    replayed: BTreeSet<Place>,
    /// The place of each attempt, in the order in which they were settled.
    settled: VecDeque<Place>,
    accounts: Vec<Account>,
    last_account: AccountNo,
    event_types: BTreeMap<EventType, Declaration>,
    api_keys: BTreeMap<KeyHash, ApiKey>,
}

impl Pending {
    /// The life of its subscription that it belongs to.
    pub fn generation(&self) -> Generation {
        let (Self::First { generation } | Self::Retry(Retry { generation, .. })) = self;
        *generation
    }

    /// Whether it is still to be delivered; else it is a dead letter.
    pub fn is_live(&self, subscription: &Subscription) -> bool {
        match self {
            Self::First { generation } => subscription.is_live(*generation),
            Self::Retry(retry) => retry.is_live(subscription),
        }
    }
}

impl Memory {
    /// Every delivery that is not settled, by subscription and event.
    pub fn pending(&self) -> BTreeMap<(SubscriptionNo, EventNo), Pending> {
        self.model().pending.clone()
    }

    /// Every subscription's record.
    pub fn all_subscriptions(&self) -> Vec<Subscription> {
        self.model().subscriptions.values().cloned().collect()
    }

    /// The record of a subscription, whoever's it is.
    pub fn record(&self, no: SubscriptionNo) -> Option<Subscription> {
        let model = self.model();
        model.subscriptions.values().find(|one| one.no == no).cloned()
    }

    /// What waits for a subscription and is no dead letter, oldest first.
    pub fn live_of(&self, no: SubscriptionNo) -> Vec<(EventNo, Pending)> {
        let model = self.model();
        let Some(record) = model.subscriptions.values().find(|one| one.no == no) else {
            return Vec::new();
        };
        model.of(no).filter(|(_, pending)| pending.is_live(record)).collect()
    }

    /// How many deliveries are not settled.
    pub fn waiting(&self) -> usize {
        self.model().pending.len()
    }

    /// The newest event.
    pub fn last_event(&self) -> EventNo {
        self.model().last_event
    }

    /// Whether a delivery is not settled.
    pub fn waits(&self, no: SubscriptionNo, event: EventNo) -> bool {
        self.model().pending.contains_key(&(no, event))
    }

    /// The health of a subscription's endpoint.
    pub fn health_of(&self, no: SubscriptionNo) -> Health {
        self.model().health.get(&no).copied().unwrap_or_default()
    }

    /// Whether an event was recorded.
    pub fn has_event(&self, no: EventNo) -> bool {
        self.model().events.contains_key(&no)
    }

    /// Every event.
    pub fn events(&self) -> Vec<Arc<Recorded>> {
        self.model().events.values().cloned().collect()
    }

    /// Forgets an event, as retention may.
    pub fn forget_event(&self, event: EventNo) {
        self.model().events.remove(&event);
    }

    /// Keeps an event for some of its matches alone, as retention may.
    pub fn keep_event_for(&self, event: EventNo, matches: Matches) {
        let mut model = self.model();
        let kept = Recorded { matches, ..(*model.events[&event]).clone() };
        model.events.insert(event, Arc::new(kept));
    }

    /// Forgets a delivery, as retention may.
    pub fn forget_delivery(&self, delivery: (SubscriptionNo, EventNo)) {
        self.model().pending.remove(&delivery);
    }

    /// Forgets the oldest attempt, as retention may; returns it.
    pub fn forget_attempt(&self) -> Attempt {
        let mut model = self.model();
        let place = model.settled.pop_front().unwrap();
        let log = model.logs.get_mut(&place).unwrap();
        let attempt = log.remove(0);
        if log.is_empty() {
            model.logs.remove(&place);
        }
        attempt
    }

    /// What is known to have been replayed.
    pub fn replays_known(&self) -> BTreeSet<Place> {
        self.model().replayed.clone()
    }

    /// Forgets that something was replayed, as retention may.
    pub fn forget_replay(&self, place: Place) {
        self.model().replayed.remove(&place);
    }

    /// For which subscriptions the attempts were that are known, oldest first.
    pub fn attempts_known(&self) -> Vec<SubscriptionNo> {
        self.model().settled.iter().map(|(_, subscription)| *subscription).collect()
    }

    /// Forgets when a subscription was last attempted, as retention may.
    pub fn forget_last_attempt(&self, subscription: SubscriptionNo) {
        self.model().last_attempts.remove(&subscription);
    }

    fn model(&self) -> MutexGuard<'_, Model> {
        self.0.lock().unwrap()
    }
}

impl Model {
    fn append(&mut self, drafts: Vec<(Draft, Matches)>, now: Now) -> Answer {
        let (mut added, mut answers) = (Vec::new(), Vec::new());
        for (draft, matches) in drafts {
            let key = draft.idempotency.map(|idempotency| idempotency.key);
            if let Some(first) = key.and_then(|key| self.first_of(&key, now)) {
                if draft.repeats(&first) {
                    answers.push((first, true));
                    continue;
                }
                for event in added {
                    self.take_back(event);
                }
                return Answer::Conflict;
            }
            let no = self.last_event.next();
            self.last_event = no;
            let event = Arc::new(Recorded {
                no,
                id: Seal::new(&[0; 32]).close(no.0, [0; 12]),
                account: draft.account,
                event_type: draft.event_type,
                body: draft.body,
                accepted_at: draft.accepted_at,
                idempotency: key,
                labels: draft.labels,
                matches,
            });
            let exists = |matched: &&Match| {
                let at = Address { account: event.account, subscription: matched.subscription };
                self.subscriptions.contains_key(&at)
            };
            for matched in event.matches.iter().filter(exists) {
                let first = Pending::First { generation: matched.generation };
                self.pending.insert((matched.subscription, no), first);
            }
            key.map(|key| self.keys_seen.insert(key, no));
            self.events.insert(no, event.clone());
            added.push(event.clone());
            answers.push((event, false));
        }
        Answer::Appended(answers)
    }

    fn take_back(&mut self, event: Arc<Recorded>) {
        self.events.remove(&event.no);
        self.last_event = self.last_event.min(EventNo(event.no.0 - 1));
        self.keys_seen.retain(|_, no| *no != event.no);
        self.pending.retain(|(_, no), _| *no != event.no);
    }

    /// The event that a key was first used for; it is remembered for a day and the rest of its hour.
    fn first_of(&self, key: &IdempotencyKey, now: Now) -> Option<Arc<Recorded>> {
        let first = self.keys_seen.get(key)?;
        let first = self.events.get(first).filter(|first| is_remembered(first, now.earlier()));
        first.cloned()
    }

    fn settle(&mut self, settlement: Settlement, now: Now) {
        let delivery = (settlement.at.subscription, settlement.event);
        if !self.pending.contains_key(&delivery) {
            return;
        }
        match settlement.follows {
            Follows::Done => drop(self.pending.remove(&delivery)),
            follows => {
                let (due, retries, given_up) = match follows {
                    Follows::Retry { due, retries } => (due, retries, false),
                    _ => (now.steady, 0, true),
                };
                let (event, generation) = (settlement.event, settlement.generation);
                let attempts = settlement.attempt.n;
                let retry = Retry { due, event, generation, attempts, retries, given_up };
                self.pending.insert(delivery, Pending::Retry(retry));
            }
        }
        let of_this_life = |one: &&Subscription| one.generation == settlement.generation;
        if self.subscriptions.get(&settlement.at).filter(of_this_life).is_some() {
            settlement.health.map(|health| self.health.insert(settlement.at.subscription, health));
        }
        self.last_attempts.insert(settlement.at.subscription, settlement.attempt.at);
        let hour = Hour::of(settlement.attempt.at, settlement.attempt.outcome.is_success());
        let hours = self.hours.entry(settlement.at.subscription).or_default();
        hours.entry(hour.hour).and_modify(|known| known.add(hour)).or_insert(hour);
        let place = (settlement.event, settlement.at.subscription);
        self.logs.entry(place).or_default().push(settlement.attempt);
        self.settled.push_back(place);
    }

    fn rotate(&mut self, rotation: &Rotation, now: Now) -> Option<Subscription> {
        let old = self.subscriptions.get(&rotation.at)?.secret.clone();
        let siblings = rotation.siblings.iter().map(|no| Address { subscription: *no, ..rotation.at });
        for at in siblings.chain([rotation.at]) {
            self.subscriptions.get_mut(&at).map(|one| rotation.apply(one, &old, now.wall));
        }
        self.subscriptions.get(&rotation.at).cloned()
    }

    fn replay(&mut self, Replay { at, events, .. }: Replay, now: Now) -> usize {
        let alive = |one: &&Subscription| !matches!(one.status, Status::Deactivated { .. });
        let Some(subscription) = self.subscriptions.get(&at).filter(alive) else {
            return 0;
        };
        let mut replayed = 0;
        for (event, attempts) in events {
            let delivery = (at.subscription, event);
            let attempts = attempts.max(self.attempts(event, at.subscription));
            let attempts = match self.pending.get(&delivery) {
                Some(Pending::First { generation }) if subscription.is_live(*generation) => {
                    replayed += 1;
                    continue;
                }
                Some(Pending::Retry(retry)) => retry.attempts,
                Some(Pending::First { .. }) => attempts,
                None if self.events.get(&event).is_some_and(|event| event.account == at.account) => attempts,
                None => continue,
            };
            if self.events.get(&event).is_some_and(|event| event.body.is_expunged()) {
                continue;
            }
            let generation = subscription.generation;
            let retry = Retry { due: now.steady, event, generation, attempts, retries: 0, given_up: false };
            self.pending.insert(delivery, Pending::Retry(retry));
            self.replayed.insert((event, at.subscription));
            replayed += 1;
        }
        replayed
    }

    /// Whether an event is still to be delivered to anybody.
    fn is_awaited(&self, no: EventNo) -> bool {
        self.subscriptions.values().any(|subscription| {
            let waiting = self.pending.get(&(subscription.no, no));
            waiting.is_some_and(|pending| pending.is_live(subscription))
        })
    }

    fn expunge(&mut self, no: EventNo) -> Vec<SubscriptionNo> {
        let Some(event) = self.events.get(&no).cloned() else {
            return Vec::new();
        };
        let stays = |matched: &&Match| {
            let at = Address { account: event.account, subscription: matched.subscription };
            let waits = self.pending.contains_key(&(matched.subscription, no));
            !waits && self.subscriptions.contains_key(&at)
        };
        let matches = event.matches.iter().filter(stays).copied().collect();
        let body = event.body.expunged();
        self.events.insert(no, Arc::new(Recorded { body, matches: Arc::new(matches), ..(*event).clone() }));
        let waited = self.pending.extract_if(.., |(_, of), _| *of == no);
        waited.map(|((subscription, _), _)| subscription).collect()
    }

    /// How many attempts were made, by their numbers.
    fn attempts(&self, event: EventNo, subscription: SubscriptionNo) -> u16 {
        let log = self.logs.get(&(event, subscription));
        log.and_then(|log| log.iter().map(|attempt| attempt.n).max()).unwrap_or_default()
    }

    fn listed(&self, query: &EventQuery) -> Vec<Arc<Recorded>> {
        let below = self.events.range(..query.below).rev().map(|(_, event)| event.clone());
        let wanted = |event: &Arc<Recorded>| {
            event.account == query.account
                && event.no > query.above
                && query
                    .topics
                    .include(event.event_type.as_str(), |channel| event.channels().contains(channel))
                && !(query.hide_own && event.event_type.is_own())
                && query.accepted.contains(event.accepted_at)
        };
        below.filter(wanted).collect()
    }

    fn deliveries(&self, query: &DeliveryQuery) -> Vec<Delivery> {
        let DeliveryQuery { account, topics, hide_own, accepted, above, .. } = query.clone();
        let below = EventNo(u64::MAX);
        let events = self.listed(&EventQuery { account, topics, hide_own, accepted, above, below, limit: 0 });
        let subscriptions: Vec<_> =
            self.subscriptions.values().filter(|one| one.account == account).collect();
        let mut deliveries = Vec::new();
        for event in events {
            let of_event = subscriptions.iter().rev().filter_map(|one| self.delivery(&event, one));
            deliveries.extend(of_event.filter(|delivery| {
                delivery.place() < query.below
                    && query.event.is_none_or(|wanted| wanted == delivery.event.no)
                    && query.subscription.is_none_or(|wanted| wanted == delivery.subscription.no)
                    && query.status.is_none_or(|wanted| wanted == delivery.status)
            }));
        }
        deliveries
    }

    fn delivery(&self, event: &Recorded, subscription: &Subscription) -> Option<Delivery> {
        let place = (event.no, subscription.no);
        let pending = self.pending.get(&(subscription.no, event.no));
        let matched = event.matches.iter().any(|matched| matched.subscription == subscription.no);
        let log = self.logs.get(&place).cloned().unwrap_or_default();
        let replayed = self.replayed.contains(&place) && !log.is_empty();
        if !matched && !replayed && pending.is_none() {
            return None;
        }
        let has_expired = pending.is_none() && log.last().is_some_and(|last| !last.outcome.is_success());
        if has_expired {
            return None;
        }
        let made = log.last().map_or(0, |attempt| attempt.n);
        let (status, attempts, next_attempt_at) = match pending {
            None => (DeliveryStatus::Delivered, made, None),
            Some(waiting) if !waiting.is_live(subscription) => {
                let attempts = match waiting {
                    Pending::Retry(retry) => made.max(retry.attempts),
                    Pending::First { .. } => made,
                };
                (DeliveryStatus::Dead, attempts, None)
            }
            Some(Pending::First { .. }) => (DeliveryStatus::Pending, made, None),
            Some(Pending::Retry(retry)) => {
                let revived = retry.generation != subscription.generation;
                let due = if revived { Timestamp(0) } else { retry.due };
                let due = (subscription.status == Status::Active).then_some(due);
                (DeliveryStatus::Pending, made.max(retry.attempts), due)
            }
        };
        let event = Heading {
            no: event.no,
            id: event.id,
            account: event.account,
            event_type: event.event_type.clone(),
            accepted_at: event.accepted_at,
            labels: event.labels.clone(),
        };
        Some(Delivery { event, subscription: subscription.clone(), status, attempts, next_attempt_at, log })
    }

    fn apply(&mut self, verb: Verb, now: Now) -> Answer {
        match verb {
            Verb::Append(drafts) => self.append(drafts, now),
            Verb::Settle(settlement) => {
                self.settle(settlement, now);
                Answer::Done
            }
            Verb::Subscribe(new) => {
                let account = new.subscription.account;
                let address = |no| Address { account, subscription: no };
                let sibling = new.sibling.and_then(|no| self.subscriptions.get(&address(no)));
                let subscription = new.record(sibling);
                self.next_subscription = SubscriptionNo(self.next_subscription.0.max(subscription.no.0 + 1));
                self.subscriptions.insert(address(subscription.no), subscription.clone());
                Answer::Subscription(Some(Box::new(subscription)))
            }
            Verb::Change(at, change) => {
                let Some(subscription) = self.subscriptions.get_mut(&at) else {
                    return Answer::Subscription(None);
                };
                if change.apply(subscription, now.wall)
                    && let Some(health) = change.health()
                {
                    self.health.insert(at.subscription, health);
                }
                Answer::Subscription(Some(Box::new(subscription.clone())))
            }
            Verb::Rotate(rotation) => Answer::Subscription(self.rotate(&rotation, now).map(Box::new)),
            Verb::Replay(replay) => Answer::Replayed(self.replay(replay, now)),
            Verb::Expunge(Expunge { unless_awaited: true, event, .. }) if self.is_awaited(event) => {
                Answer::Expunged(Vec::new())
            }
            Verb::Expunge(Expunge { event, .. }) => Answer::Expunged(self.expunge(event)),
            Verb::ExpungeAnswer(ExpungeAnswer { at, event, n, .. }) => {
                let log = self.logs.get_mut(&(event, at.subscription)).into_iter().flatten();
                log.filter(|attempt| attempt.n == n)
                    .for_each(|attempt| attempt.response = b"EXPUNGED"[..].into());
                Answer::Done
            }
            Verb::Unsubscribe(at) => {
                self.subscriptions.remove(&at);
                self.health.remove(&at.subscription);
                self.hours.remove(&at.subscription);
                self.pending.retain(|(subscription, _), _| *subscription != at.subscription);
                Answer::Done
            }
            Verb::Look(at) => Answer::Subscription(self.subscriptions.get(&at).cloned().map(Box::new)),
            Verb::Find(key) => Answer::Event(self.first_of(&key, now)),
            Verb::CreateAccount(new) => self.create_account(*new, now),
            Verb::PutAccount(account) => {
                let known =
                    self.accounts.iter_mut().find(|known| (known.no, &known.id) == (account.no, &account.id));
                if let Some(known) = known {
                    *known = *account;
                }
                Answer::Done
            }
            Verb::DeleteAccount(id) => {
                self.accounts.retain(|account| account.id != id);
                Answer::Done
            }
            Verb::PutEventType(declared) => {
                self.event_types.insert(declared.name.clone(), *declared);
                Answer::Done
            }
            Verb::DeleteEventType(name) => {
                self.event_types.remove(&name);
                Answer::Done
            }
            Verb::PutKey(key) => {
                self.api_keys.insert(key.hash, *key);
                Answer::Done
            }
            Verb::DeleteKey(hash) => {
                self.api_keys.remove(&hash);
                Answer::Done
            }
        }
    }

    fn create_account(&mut self, NewAccount { id, profile }: NewAccount, now: Now) -> Answer {
        if let Some(account) = self.accounts.iter().find(|account| account.id == id) {
            return Answer::Account(account.clone(), false);
        }
        self.last_account.0 += 1;
        let (no, at) = (self.last_account, now.wall);
        let account = Account { no, id, profile, created_at: at, updated_at: at };
        self.accounts.push(account.clone());
        Answer::Account(account, true)
    }

    fn of(&self, subscription: SubscriptionNo) -> impl Iterator<Item = (EventNo, Pending)> + '_ {
        let range = (subscription, EventNo(0))..=(subscription, EventNo(u64::MAX));
        self.pending.range(range).map(|((_, event), pending)| (*event, *pending))
    }

    fn tally(&self, subscription: &Subscription) -> Tally {
        let mut tally = Tally::default();
        let retries = self.retries(subscription);
        for (event, pending) in self.of(subscription.no) {
            let retry = retries.iter().find(|retry| retry.event == event);
            tally.add(match pending {
                Pending::First { generation } => Lane::of(subscription, generation),
                Pending::Retry(_) => retry.map(|retry| Lane::after(retry.retries)),
            });
        }
        tally.retrying = retries.iter().filter(|retry| retry.attempts > 0).count() as u64;
        tally.last_attempt_at = self.last_attempts.get(&subscription.no).copied();
        let active = subscription.status == Status::Active;
        let soonest = self.retries(subscription).first().map(|retry| retry.due);
        let live = |pending: &Pending| pending.is_live(subscription);
        let oldest = self.of(subscription.no).find(|(_, pending)| live(pending));
        let retry = |(event, _)| self.retries(subscription).into_iter().find(|retry| retry.event == event);
        let oldest = oldest.and_then(retry).map(|retry| retry.due);
        let health = self.health.get(&subscription.no).copied().unwrap_or_default();
        let in_order = subscription.delivery.is_ordered();
        tally.next_attempt_at = health.next_attempt(soonest, oldest, in_order).filter(|_| active);
        tally
    }

    fn census(&self, now: Timestamp, deep: u64) -> Census {
        let mut census = Census::default();
        for subscription in self.subscriptions.values() {
            let Tally { pending, replaying, dead, .. } = self.tally(subscription);
            let retries = self.retries(subscription);
            let at = Address { account: subscription.account, subscription: subscription.no };
            census.add_pending(at, pending, deep);
            census.replaying += replaying;
            census.dead += dead;
            census.retrying += retries.len() as u64;
            let health = self.health.get(&subscription.no).copied().unwrap_or_default();
            let asked_to_wait = health.hold_until.is_some_and(|until| until > now);
            if subscription.status == Status::Active && !health.is_probing() && !asked_to_wait {
                let firsts = self.of(subscription.no).filter_map(|(event, pending)| match pending {
                    Pending::First { generation } if subscription.is_live(generation) => {
                        Some(self.events[&event].accepted_at)
                    }
                    _ => None,
                });
                let dues = retries.iter().map(|retry| retry.due).filter(|due| *due > Timestamp(0));
                let oldest = firsts.chain(dues).filter(|since| *since < now).min();
                census.due_since = [census.due_since, oldest].into_iter().flatten().min();
            }
        }
        census
    }

    fn retries(&self, subscription: &Subscription) -> Vec<Retry> {
        let mut retries: Vec<Retry> = self
            .of(subscription.no)
            .filter_map(|(_, pending)| match pending {
                Pending::Retry(retry) if retry.is_live(subscription) => Some(retry),
                _ => None,
            })
            .map(|retry| match retry.generation == subscription.generation {
                true => retry,
                false => Retry { due: Timestamp(0), retries: 0, given_up: false, ..retry },
            })
            .collect();
        retries.sort();
        retries
    }
}

/// Whether the idempotency key of an event, if it has one, is remembered.
pub fn is_remembered(event: &Recorded, now: Timestamp) -> bool {
    const HOUR_MS: u64 = 3_600_000;
    event.idempotency.is_some()
        && event.accepted_at.0 / HOUR_MS + crate::store::ledger::HOURS_KEPT >= now.0 / HOUR_MS
}

impl Backend for Memory {
    fn recover(&mut self, each: &mut dyn FnMut(Subscription)) -> Result<Recovery, Error> {
        let model = self.model();
        let mut waiting: BTreeMap<SubscriptionNo, Timestamp> = BTreeMap::new();
        for ((subscription, _), pending) in &model.pending {
            let of_life = |retry: &Retry| {
                let record = model.subscriptions.values().find(|one| one.no == *subscription);
                record.is_some_and(|one| one.generation == retry.generation)
            };
            let due = match pending {
                Pending::Retry(retry) if of_life(retry) && retry.given_up => continue,
                Pending::Retry(retry) if of_life(retry) => retry.due,
                _ => Timestamp(0),
            };
            let soonest = waiting.entry(*subscription).or_insert(due);
            *soonest = due.min(*soonest);
        }
        model.subscriptions.values().cloned().for_each(each);
        let next_subscription = SubscriptionNo(model.next_subscription.0.max(1));
        let (waiting, seen) = (waiting.into_iter().collect(), Timestamp(0));
        Ok(Recovery { next_subscription, waiting, seen, seal: [0; 32] })
    }

    fn commit(&mut self, verbs: Vec<Verb>, now: Now) -> Result<Committed, Error> {
        let mut model = self.model();
        let known = model.last_event;
        let answers = verbs.into_iter().map(|verb| model.apply(verb, now)).collect();
        let fresh = model.events.range(known.next()..).map(|(_, event)| event.clone());
        let fresh = fresh.filter(|event| !event.matches.is_empty()).collect();
        Ok(Committed { answers, fresh, ..Committed::default() })
    }

    fn tidy(&mut self, _: Now) -> Result<Untidy, Error> {
        Ok(Untidy::Nothing)
    }

    fn has_room(&self) -> bool {
        true
    }

    fn probe(&self) -> Result<(), Error> {
        Ok(())
    }

    fn farewell(&self) -> Farewell {
        Box::new(|| {})
    }

    fn copy(&mut self) -> Result<Box<dyn Copier>, CopyError> {
        // It has no rows.
        Err(CopyError::Closed)
    }

    fn reader(&self) -> Arc<dyn Reader> {
        Arc::new(self.clone())
    }
}

impl Reader for Memory {
    fn subscription(&self, at: Address) -> Result<Option<Subscription>, Error> {
        Ok(self.model().subscriptions.get(&at).cloned())
    }

    fn subscriptions(
        &self,
        account: AccountNo,
        order: Order,
        behind: Option<SubscriptionNo>,
        each: &mut dyn FnMut(Subscription) -> bool,
    ) -> Result<(), Error> {
        let model = self.model();
        let mut all: Vec<&Subscription> =
            model.subscriptions.values().filter(|one| one.account == account).collect();
        if order == Order::Descending {
            all.reverse();
        }
        let is_behind = |one: &&Subscription| match (order, behind) {
            (_, None) => true,
            (Order::Ascending, Some(other)) => one.no > other,
            (Order::Descending, Some(other)) => one.no < other,
        };
        all.into_iter().filter(is_behind).take_while(|one| each((*one).clone())).count();
        Ok(())
    }

    fn health(&self, no: SubscriptionNo) -> Result<Health, Error> {
        Ok(self.model().health.get(&no).copied().unwrap_or_default())
    }

    fn event(&self, no: EventNo) -> Result<Option<Arc<Recorded>>, Error> {
        Ok(self.model().events.get(&no).cloned())
    }

    fn backlog(
        &self,
        subscription: &Subscription,
        lane: Lane,
        after: EventNo,
        limit: usize,
    ) -> Result<Backlog, Error> {
        let model = self.model();
        let mut waiting: Vec<_> = model
            .of(subscription.no)
            .filter_map(|(event, pending)| match pending {
                Pending::First { generation }
                    if event > after && Lane::of(subscription, generation) == Some(lane) =>
                {
                    Some((model.events[&event].clone(), generation))
                }
                _ => None,
            })
            .collect();
        let more = waiting.len() > limit;
        waiting.truncate(limit);
        let through = match waiting.last() {
            Some((event, _)) if more => event.no,
            _ => model.last_event.max(after),
        };
        Ok(Backlog { waiting, through, more })
    }

    fn retries(&self, subscription: &Subscription, limit: usize) -> Result<Lanes<Retries>, Error> {
        let all = self.model().retries(subscription);
        Ok(Lanes::each(|lane| {
            let of_lane = all.iter().filter(|retry| Lane::after(retry.retries) == lane);
            let (waiting, more) = (of_lane.clone().take(limit).copied().collect(), of_lane.count() > limit);
            Retries { waiting, more }
        }))
    }

    fn tallies(&self, subscriptions: &[Subscription]) -> Result<Vec<Tally>, Error> {
        let model = self.model();
        Ok(subscriptions.iter().map(|subscription| model.tally(subscription)).collect())
    }

    /// All of them by the hour.
    fn attempt_counts(&self, no: SubscriptionNo) -> Result<AttemptCounts, Error> {
        let hours = self.model().hours.get(&no).cloned().unwrap_or_default();
        Ok(AttemptCounts { days: Vec::new(), hours: hours.into_values().collect() })
    }

    fn events(&self, query: &EventQuery) -> Result<Listed<Arc<Recorded>>, Error> {
        Ok(Listed::of(self.model().listed(query), query.limit))
    }

    fn synced_at(&self, _: EventNo) -> Result<Option<Timestamp>, Error> {
        Ok(None)
    }

    fn deliveries(&self, query: &DeliveryQuery) -> Result<Listed<Delivery>, Error> {
        Ok(Listed::of(self.model().deliveries(query), query.limit))
    }

    fn delivery(&self, at: Address, event: EventNo) -> Result<Option<Delivery>, Error> {
        let model = self.model();
        let known = model.events.get(&event).filter(|event| event.account == at.account);
        Ok(known.zip(model.subscriptions.get(&at)).and_then(|(event, one)| model.delivery(event, one)))
    }

    /// What it knows is what is: it need not know since when.
    fn commits(&self) -> u64 {
        0
    }

    fn attempts(&self, event: EventNo) -> Result<HashMap<SubscriptionNo, u16>, Error> {
        let model = self.model();
        let logs = model.logs.range((event, SubscriptionNo(0))..=(event, SubscriptionNo(u64::MAX)));
        let made = |log: &Vec<Attempt>| log.iter().map(|attempt| attempt.n).max().unwrap_or_default();
        Ok(logs.map(|((_, subscription), log)| (*subscription, made(log))).collect())
    }

    fn replays(&self, event: EventNo) -> Result<Vec<SubscriptionNo>, Error> {
        let model = self.model();
        let waiting = model.pending.keys().filter(|(_, of)| *of == event);
        Ok(waiting.map(|(subscription, _)| *subscription).collect())
    }

    fn attempt_block(&self, place: Place, n: u16) -> Result<Option<u64>, Error> {
        let model = self.model();
        let log = model.logs.get(&place).map(Vec::as_slice).unwrap_or_default();
        Ok(log.iter().any(|attempt| attempt.n == n).then_some(0))
    }

    fn replayable(
        &self,
        subscription: &Subscription,
        query: &EventQuery,
        missing: bool,
    ) -> Result<Replayable, Error> {
        let model = self.model();
        let wanted = model
            .listed(query)
            .into_iter()
            .filter(|event| subscription.wants(event))
            .filter(|event| !event.body.is_expunged());
        let wanted = Listed::of(wanted.collect::<Vec<_>>(), query.limit);
        let is_there = |event: &Recorded| match model.pending.get(&(subscription.no, event.no)) {
            Some(pending) => pending.is_live(subscription),
            None => {
                let log = model.logs.get(&(event.no, subscription.no));
                let last = log.and_then(|log| log.iter().max_by_key(|attempt| attempt.n));
                let matched = || event.matches.iter().any(|one| one.subscription == subscription.no);
                last.map_or_else(matched, |last| last.outcome.is_success())
            }
        };
        let items = wanted.items.iter().filter(|event| !missing || !is_there(event));
        let attempts = |event: &Arc<Recorded>| (event.no, model.attempts(event.no, subscription.no));
        let more_below = wanted.items.last().map(|event| event.no).filter(|_| wanted.more);
        Ok(Replayable { events: items.map(attempts).collect(), more_below })
    }

    fn newest_event(&self) -> EventNo {
        self.model().last_event
    }

    fn census(&self, now: Timestamp, deep: u64, _: &dyn Fn() -> bool) -> Result<Option<Census>, Error> {
        Ok(Some(self.model().census(now, deep)))
    }

    fn disk(&self) -> Option<Disk> {
        None
    }

    fn retained(&self) -> Result<Retained, Error> {
        let oldest = self.model().events.values().next().map(|event| event.accepted_at);
        Ok(Retained { oldest, ..Retained::default() })
    }

    fn accounts(&self) -> Result<Vec<Account>, Error> {
        Ok(self.model().accounts.clone())
    }

    fn event_types(&self) -> Result<Vec<Declaration>, Error> {
        Ok(self.model().event_types.values().cloned().collect())
    }

    fn keys(&self) -> Result<Vec<ApiKey>, Error> {
        Ok(self.model().api_keys.values().cloned().collect())
    }
}
