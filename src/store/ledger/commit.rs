//! One commit: the verbs of a batch become rows and blocks.

mod expunging;

use std::collections::HashMap;
use std::sync::Arc;

use crate::account::{Account, AccountId};
use crate::clock::Now;
use crate::event::{Draft, IdempotencyKey, Recorded};
use crate::health::Health;
use crate::id::{AccountNo, EventId, EventNo, Nonce, SubscriptionNo};
use crate::store::ledger::Writing;
use crate::store::ledger::blocks::{EventReader, put_events, put_settlements, settlement_blocks};
use crate::store::ledger::idempotency::KnownKeys;
use crate::store::ledger::keys::{self, Pair};
use crate::store::ledger::pages::Pages;
use crate::store::ledger::rows::Rows;
use crate::store::ledger::shared::{Shared, Volatile};
use crate::store::ledger::values::{
    Counters, Moved, SettledV2, SettlementBlock, Value, decode_subscription, encode, encode_subscription,
};
use crate::store::{
    Address, Answer, Change, Error, Follows, NewAccount, NewSubscription, Replay, Retry, Rotation,
    Settlement, Verb,
};
use crate::subscription::{Matches, Status, Subscription};

use self::expunging::Expunged;

/// How many commits may pass before the cursor is written again.
const CURSOR_EVERY: u64 = 32;

/// How many syncs are noted in memory before they get a block of their own.
const SYNCS_NOTED: usize = 64;

/// A batch on its way into the store.
pub struct Commit<'a> {
    shared: &'a Shared,
    writing: &'a mut Writing,
    volatile: &'a mut Volatile,
    rows: Rows<'a>,
    pages: Pages,
    events: Vec<(Arc<Recorded>, Nonce)>,
    settlements: SettlementBlock,
    expunged: Expunged,
    now: Now,
    /// Whether something is due later: then it is noted when it is now.
    is_timed: bool,
}

/// Where a delivery waits.
enum Place {
    Tail,
    Retry,
    Page,
}

impl<'a> Commit<'a> {
    pub fn new(shared: &'a Shared, writing: &'a mut Writing, volatile: &'a mut Volatile, now: Now) -> Self {
        Self {
            shared,
            writing,
            volatile,
            rows: shared.rows(),
            pages: Pages::default(),
            events: Vec::new(),
            settlements: SettlementBlock::default(),
            expunged: Expunged::default(),
            now,
            is_timed: false,
        }
    }

    /// Carries out one verb.
    pub fn apply(&mut self, verb: Verb) -> Result<Answer, Error> {
        Ok(match verb {
            Verb::Append(drafts) => self.append(drafts)?,
            Verb::Settle(settlement) => self.settle(settlement)?,
            Verb::Subscribe(new) => Answer::Subscription(Some(Box::new(self.subscribe(*new)?))),
            Verb::Change(at, change) => Answer::Subscription(self.change(at, &change)?),
            Verb::Rotate(rotation) => Answer::Subscription(self.rotate(&rotation)?),
            Verb::Replay(replay) => self.replay(replay)?,
            Verb::Expunge(wish) => self.expunge(wish)?,
            Verb::ExpungeAnswer(wish) => self.expunge_answer(wish),
            Verb::Unsubscribe(at) => self.unsubscribe(at)?,
            Verb::Look(at) => Answer::Subscription(self.subscription(at)?.map(Box::new)),
            Verb::Find(key) => Answer::Event(self.first_of(&key)?),
            Verb::CreateAccount(new) => self.create_account(*new)?,
            Verb::PutAccount(account) => self.put_account(&account)?,
            Verb::DeleteAccount(id) => {
                self.rows.delete(&keys::account(&id));
                Answer::Done
            }
            Verb::PutEventType(declared) => {
                self.rows.put(&keys::event_type(&declared.name), declared.encode());
                Answer::Done
            }
            Verb::DeleteEventType(name) => {
                self.rows.delete(&keys::event_type(&name));
                Answer::Done
            }
            Verb::PutKey(key) => {
                self.rows.put(&keys::api_key(&key.hash), key.encode());
                Answer::Done
            }
            Verb::DeleteKey(hash) => {
                self.rows.delete(&keys::api_key(&hash));
                Answer::Done
            }
        })
    }

    /// Writes the batch; returns the events that it recorded. What it wrote is not durable yet.
    pub fn write(mut self) -> Result<Vec<Arc<Recorded>>, Error> {
        let commit = self.writing.next_commit;
        if !self.settlements.settled.is_empty() {
            self.volatile.hours.stage(&mut self.rows, commit)?;
        }
        let bears_blocks = !self.events.is_empty() || !self.settlements.is_empty();
        let rewrites = !self.expunged.is_empty();
        let rewritten = self.expunged.stage(&self.shared.table, &mut self.rows)?;
        self.volatile.bytes = self.volatile.bytes + rewritten.after - rewritten.before;
        let chapters = &mut self.volatile.chapters;
        let mut bytes = put_events(&mut self.rows, &self.events, commit);
        for (event, _) in &self.events {
            let matched = event.matches.iter().map(|matched| matched.subscription);
            chapters.events.add(event.no, event.account, event.accepted_at, matched);
        }
        chapters.events.stage_if_complete(&mut self.rows);
        if !self.settlements.is_empty() || self.volatile.synced.len() >= SYNCS_NOTED {
            self.settlements.synced = std::mem::take(&mut self.volatile.synced);
        }
        let attempts = &mut chapters.attempts;
        bytes +=
            put_settlements(&mut self.rows, self.settlements, commit, |no, block| attempts.add(no, block));
        attempts.stage_if_complete(&mut self.rows);
        self.volatile.bytes += bytes;
        self.pages.stage(&mut self.rows);
        if let Some((keyed, _)) = self.events.iter().rfind(|(event, _)| event.idempotency.is_some()) {
            self.rows.put(keys::KEYED, encode(&keyed.no.0));
        }
        if self.rows.len() == 0 {
            return Ok(Vec::new());
        }
        // By its blocks or else by the cursor it can be told afterwards that this commit was there.
        if !bears_blocks || rewrites || commit.is_multiple_of(CURSOR_EVERY) {
            self.volatile.stage(&mut self.rows, commit, commit);
        }
        if self.is_timed {
            self.rows.put(keys::TIME, encode(&self.now.steady.0));
        }
        self.rows.apply()?;
        self.expunged.forget_popular(&self.shared.popular);
        self.writing.next_commit += 1;
        self.volatile.commits = commit;
        Ok(self.events.into_iter().map(|(event, _)| event).collect())
    }

    fn append(&mut self, drafts: Vec<(Draft, Matches)>) -> Result<Answer, Error> {
        let before = self.events.len();
        let mut appended = Vec::with_capacity(drafts.len());
        for (draft, matches) in drafts {
            let key = draft.idempotency.map(|idempotency| idempotency.key);
            match key.map(|key| self.first_of(&key)).transpose()?.flatten() {
                None => appended.push((self.record(draft, matches), false)),
                Some(first) if draft.repeats(&first) => appended.push((first, true)),
                Some(_) => {
                    self.take_back(before);
                    return Ok(Answer::Conflict);
                }
            }
        }
        Ok(Answer::Appended(appended))
    }

    /// The event that an idempotency key was first used for, for as long as keys are remembered.
    fn first_of(&self, key: &IdempotencyKey) -> Result<Option<Arc<Recorded>>, Error> {
        let first = self.first_known_of(key)?;
        Ok(first.filter(|first| KnownKeys::is_remembered(first.accepted_at, self.now.earlier())))
    }

    fn first_known_of(&self, key: &IdempotencyKey) -> Result<Option<Arc<Recorded>>, Error> {
        for no in self.writing.keys.candidates(key) {
            let event = self.event(no)?.filter(|event| event.idempotency == Some(*key));
            if event.is_some() {
                return Ok(event);
            }
        }
        Ok(None)
    }

    /// An event of this commit or an earlier one.
    fn event(&self, no: EventNo) -> Result<Option<Arc<Recorded>>, Error> {
        let here =
            no.0.checked_sub(self.volatile.tail.next().0).and_then(|index| self.events.get(index as usize));
        if let Some((event, _)) = here {
            return Ok(Some(event.clone()));
        }
        if let Some(event) = self.volatile.tail.event(no) {
            return Ok(Some(event.clone()));
        }
        let event = EventReader::new(&self.shared.table, &self.shared.seal).event(no)?;
        Ok(event.map(|event| Arc::new(self.expunged.applied_to(event))))
    }

    fn record(&mut self, draft: Draft, matches: Matches) -> Arc<Recorded> {
        let no = EventNo(self.volatile.tail.next().0 + self.events.len() as u64);
        let nonce: Nonce = rand::random();
        let id: EventId = self.shared.seal.close(no.0, nonce);
        let Draft { account, event_type, body, accepted_at, idempotency, labels, .. } = draft;
        let idempotency = idempotency.map(|idempotency| idempotency.key);
        if let Some(key) = idempotency {
            self.writing.keys.insert(&key, no, accepted_at);
        }
        let event = Recorded { no, id, account, event_type, body, accepted_at, idempotency, labels, matches };
        let event = Arc::new(event);
        self.events.push((event.clone(), nonce));
        event
    }

    fn take_back(&mut self, to: usize) {
        for (event, _) in self.events.drain(to..) {
            if let Some(key) = &event.idempotency {
                self.writing.keys.remove(key, event.no, event.accepted_at);
            }
        }
    }

    fn settle(&mut self, settlement: Settlement) -> Result<Answer, Error> {
        let Settlement { at, event, generation, .. } = settlement;
        let subscription = at.subscription;
        let subscribed = match settlement.leaves_a_row() {
            true => self.subscription(at)?,
            false => None,
        };
        if settlement.leaves_a_row() && subscribed.is_none() {
            return Ok(Answer::Done);
        }
        let retry_key = Pair::Retry.key(subscription, event);
        self.is_timed |= settlement.leaves_a_row();
        let place = self.take(subscription, event)?;
        match (settlement.follows, place) {
            (_, None) => return Ok(Answer::Done),
            (Follows::Done, Some(Place::Retry)) => self.rows.delete(&retry_key),
            (Follows::Done, Some(_)) => {}
            (follows, Some(_)) => {
                let (due, retries, given_up) = match follows {
                    Follows::Retry { due, retries } => (due, retries, false),
                    _ => (self.now.steady, 0, true),
                };
                let attempts = settlement.attempt.n;
                let retry = Retry { due, event, generation, attempts, retries, given_up };
                self.rows.put(&retry_key, retry.encode());
                self.writing.retention.keep(event, subscription, generation);
            }
        }
        if subscribed.is_some_and(|subscribed| subscribed.generation == generation) {
            self.put_health(subscription, settlement.health);
        }
        self.volatile.last_attempts.insert(subscription, settlement.attempt.at);
        self.volatile.hours.add(subscription, &settlement.attempt);
        self.settlements.settled.push(SettledV2::of(settlement));
        Ok(Answer::Done)
    }

    /// Takes a delivery from where it waits, but for the row of a retry.
    fn take(&mut self, subscription: SubscriptionNo, event: EventNo) -> Result<Option<Place>, Error> {
        if self.volatile.tail.close(event, subscription) {
            return Ok(Some(Place::Tail));
        }
        if self.rows.get(&Pair::Retry.key(subscription, event))?.is_some() {
            return Ok(Some(Place::Retry));
        }
        let waited = self.pages.finish(&self.shared.table, subscription, event)?;
        Ok(waited.then_some(Place::Page))
    }

    fn put_health(&mut self, subscription: SubscriptionNo, health: Option<Health>) {
        let key = keys::health(subscription);
        match health {
            Some(health) if health == Health::default() => self.rows.delete(&key),
            Some(health) => self.rows.put(&key, health.encode()),
            None => {}
        }
    }

    fn subscribe(&mut self, new: NewSubscription) -> Result<Subscription, Error> {
        let account = new.subscription.account;
        let sibling = new.sibling.map(|no| Address { account, subscription: no });
        let sibling = sibling.map(|at| self.subscription(at)).transpose()?.flatten();
        let subscription = new.record(sibling.as_ref());
        self.writing.counters.next_subscription =
            self.writing.counters.next_subscription.max(subscription.no.0 + 1);
        self.rows.put(keys::COUNTERS, encode(&self.writing.counters));
        self.put_subscription(&subscription);
        Ok(subscription)
    }

    fn change(&mut self, at: Address, change: &Change) -> Result<Option<Box<Subscription>>, Error> {
        let Some(mut subscription) = self.subscription(at)? else {
            return Ok(None);
        };
        if change.apply(&mut subscription, self.now.wall) {
            self.put_subscription(&subscription);
            self.put_health(at.subscription, change.health());
        }
        Ok(Some(Box::new(subscription)))
    }

    fn rotate(&mut self, rotation: &Rotation) -> Result<Option<Box<Subscription>>, Error> {
        let Some(mut named) = self.subscription(rotation.at)? else {
            return Ok(None);
        };
        let old = named.secret.clone();
        for no in &rotation.siblings {
            let sibling = self.subscription(Address { subscription: *no, ..rotation.at })?;
            if let Some(mut sibling) = sibling
                && rotation.apply(&mut sibling, &old, self.now.wall)
            {
                self.put_subscription(&sibling);
            }
        }
        if rotation.apply(&mut named, &old, self.now.wall) {
            self.put_subscription(&named);
        }
        Ok(Some(Box::new(named)))
    }

    fn replay(&mut self, Replay { at, events, read_at }: Replay) -> Result<Answer, Error> {
        let subscription = self.subscription(at)?;
        let alive = |one: &Subscription| !matches!(one.status, Status::Deactivated { .. });
        let Some(subscription) = subscription.filter(alive) else {
            return Ok(Answer::Replayed(0));
        };
        let mut reader = EventReader::new(&self.shared.table, &self.shared.seal);
        let since = self.settled_since(read_at, at.subscription)?;
        let mut replayed = 0;
        for (event, attempts) in events {
            let attempts = since.get(&event).copied().unwrap_or_default().max(attempts);
            replayed += usize::from(self.replay_one(&subscription, event, attempts, &mut reader)?);
        }
        Ok(Answer::Replayed(replayed))
    }

    /// The attempts of a subscription that were settled since there were so many commits, by event.
    fn settled_since(
        &self,
        commits: u64,
        subscription: SubscriptionNo,
    ) -> Result<HashMap<EventNo, u16>, Error> {
        let mut since: HashMap<EventNo, u16> = HashMap::new();
        let mut note = |settled: &SettledV2| {
            let (event, of) = settled.delivery();
            if of == subscription {
                let attempts = since.entry(event).or_default();
                *attempts = settled.attempts().max(*attempts);
            }
        };
        settlement_blocks(&self.shared.table, commits + 1, |block| {
            block.settled.iter().for_each(&mut note);
            true
        })?;
        self.settlements.settled.iter().for_each(note);
        Ok(since)
    }

    /// Makes one delivery due; says whether it is.
    fn replay_one(
        &mut self,
        subscription: &Subscription,
        event: EventNo,
        mut attempts: u16,
        events: &mut EventReader<'_>,
    ) -> Result<bool, Error> {
        let key = Pair::Retry.key(subscription.no, event);
        let moved = Moved { event: event.0, subscription: subscription.no.0 };
        if let Some(generation) = self.volatile.tail.open_generation(event, subscription.no) {
            if subscription.is_live(generation) {
                return Ok(true);
            }
            self.volatile.tail.close(event, subscription.no);
            self.settlements.parked.push(moved);
        } else if let Some(row) = self.rows.get(&key)? {
            attempts = Retry::decode(&row, event)?.attempts;
        } else if let Some(generation) = self.pages.generation(&self.shared.table, subscription.no, event)? {
            if subscription.is_live(generation) {
                return Ok(true);
            }
            self.pages.finish(&self.shared.table, subscription.no, event)?;
        } else if events.account(event)? != Some(subscription.account)
            || events.is_expunged(event)? == Some(true)
            || self.expunged.names(event)
        {
            return Ok(false);
        }
        self.is_timed = true;
        let generation = subscription.generation;
        let retry = Retry { due: self.now.steady, event, generation, attempts, retries: 0, given_up: false };
        self.rows.put(&key, retry.encode());
        self.writing.retention.keep(event, subscription.no, generation);
        self.settlements.replayed.push(moved);
        Ok(true)
    }

    fn unsubscribe(&mut self, at: Address) -> Result<Answer, Error> {
        if self.rows.get(&keys::subscription(at))?.is_none() {
            return Ok(Answer::Done);
        }
        self.rows.delete(&keys::subscription(at));
        self.rows.delete(&keys::health(at.subscription));
        self.volatile.last_attempts.remove(&at.subscription);
        self.volatile.hours.forget(at.subscription);
        self.rows.delete(&keys::hours(at.subscription));
        self.rows.put(&keys::garbage(at.subscription), Vec::new());
        Ok(Answer::Done)
    }

    fn subscription(&self, at: Address) -> Result<Option<Subscription>, Error> {
        let value = self.rows.get(&keys::subscription(at))?;
        value.map(|value| decode_subscription(&value, self.shared.subscription_key(at))).transpose()
    }

    fn put_subscription(&mut self, subscription: &Subscription) {
        let at = Address { account: subscription.account, subscription: subscription.no };
        let value = encode_subscription(subscription, &self.shared.seal, &self.shared.keyring);
        self.rows.put(&keys::subscription(at), value);
    }

    fn create_account(&mut self, NewAccount { id, profile }: NewAccount) -> Result<Answer, Error> {
        if let Some(account) = self.account(&id)? {
            return Ok(Answer::Account(account, false));
        }
        let (Counters { next_account, .. }, at) = (&mut self.writing.counters, self.now.wall);
        let account = Account { no: AccountNo(*next_account), id, profile, created_at: at, updated_at: at };
        *next_account += 1;
        self.rows.put(&keys::account(&account.id), account.encode());
        self.rows.put(keys::COUNTERS, encode(&self.writing.counters));
        Ok(Answer::Account(account, true))
    }

    fn put_account(&mut self, account: &Account) -> Result<Answer, Error> {
        let is_there = self.account(&account.id)?.is_some_and(|known| known.no == account.no);
        if is_there {
            self.rows.put(&keys::account(&account.id), account.encode());
        }
        Ok(Answer::Done)
    }

    fn account(&self, id: &AccountId) -> Result<Option<Account>, Error> {
        let value = self.rows.get(&keys::account(id))?;
        value.map(|value| Account::decode(&value, id.as_str().as_bytes().to_vec())).transpose()
    }
}
