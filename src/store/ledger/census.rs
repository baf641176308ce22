//! How much waits in the ledger: the tail, the retry rows and the backlog pages, counted in steps beside the writer.
//!
//! It goes from subscription to subscription, so it holds no more in memory than one for each that is in the tail.

use std::collections::HashMap;
use std::ops::ControlFlow;

use smallvec::SmallVec;

use crate::clock::Timestamp;
use crate::id::{AccountNo, EventNo, SubscriptionNo};
use crate::store::ledger::blocks::EventReader;
use crate::store::ledger::keys::Pair;
use crate::store::ledger::pages::pages_of;
use crate::store::ledger::shared::Shared;
use crate::store::{Address, Census, Error, Lane, Reader};
use crate::subscription::{Generation, Status, Subscription};

/// How many matches are read from the tail before the writer gets its turn.
const TAIL_STEP: usize = 4_096;

/// Counts for as long as `goes_on`.
pub fn take(
    shared: &Shared,
    now: Timestamp,
    deep: u64,
    goes_on: &dyn Fn() -> bool,
) -> Result<Option<Census>, Error> {
    let mut count = Count { shared, now, deep, goes_on, census: Census::default() };
    let mut in_tail = count.read_tail();
    let mut from = SubscriptionNo(0);
    while let Some(no) = count.next_with_rows(from)?.filter(|_| goes_on()) {
        let mut waiting = in_tail.remove(&no).unwrap_or_default();
        count.read_rows(no, &mut waiting)?;
        count.add(no, waiting)?;
        from = SubscriptionNo(no.0 + 1);
    }
    for (no, waiting) in in_tail {
        if goes_on() {
            count.add(no, waiting)?;
        }
    }
    Ok(goes_on().then_some(count.census))
}

struct Count<'a> {
    shared: &'a Shared,
    now: Timestamp,
    /// So many make a subscription one that is named.
    deep: u64,
    goes_on: &'a dyn Fn() -> bool,
    census: Census,
}

/// What waits for a subscription.
#[derive(Default)]
struct Waiting {
    /// Whose it is, where an event said so.
    account: Option<AccountNo>,
    lives: SmallVec<[Life; 1]>,
}

/// What of it was matched in one generation.
struct Life {
    generation: Generation,
    /// Deliveries that were never attempted.
    first: u64,
    /// When the event of the oldest of them in the tail was accepted.
    accepted_at: Option<Timestamp>,
    /// The event of the oldest of them in the pages.
    oldest: Option<EventNo>,
    /// Deliveries that failed.
    retries: u64,
    /// Those of them that were given up alone, in this life.
    given_up: u64,
    /// Those of them that were asked for again.
    asked: u64,
    /// When the first of them is due.
    due: Option<Timestamp>,
}

impl Count<'_> {
    /// The subscriptions with open matches in the tail.
    fn read_tail(&self) -> HashMap<SubscriptionNo, Waiting> {
        let mut found: HashMap<SubscriptionNo, Waiting> = HashMap::new();
        let mut from = EventNo(0);
        loop {
            let step = self.shared.volatile().tail.open_from(from, TAIL_STEP);
            let Some((last, _)) = step.last().filter(|_| (self.goes_on)()) else {
                return found;
            };
            from = last.no.next();
            for (event, matched) in step {
                let waiting = found.entry(matched.subscription).or_default();
                waiting.account = Some(event.account);
                let life = waiting.life(matched.generation);
                life.first += 1;
                life.accepted_at.get_or_insert(event.accepted_at);
            }
        }
    }

    /// The next subscription that has a retry or a page.
    fn next_with_rows(&self, from: SubscriptionNo) -> Result<Option<SubscriptionNo>, Error> {
        let mut next: Option<SubscriptionNo> = None;
        for kind in [Pair::Retry, Pair::Page] {
            let rest = kind.key(from, EventNo(0))..=*kind.of(SubscriptionNo(u64::MAX)).end();
            if let Some(key) = self.shared.table.range(rest).keys().next() {
                let key = key?;
                let (no, _) = Pair::read(&key).ok_or_else(|| Error::damaged("the key of a delivery"))?;
                next = Some(next.map_or(no, |next| next.min(no)));
            }
        }
        Ok(next)
    }

    fn read_rows(&self, no: SubscriptionNo, waiting: &mut Waiting) -> Result<(), Error> {
        let mut known = None;
        pages_of(&self.shared.table, no, EventNo(0), |page| {
            for (event, generation) in page.waiting() {
                let life = waiting.life(generation);
                life.first += 1;
                life.oldest.get_or_insert(event);
                known.get_or_insert(event);
            }
            if (self.goes_on)() { ControlFlow::Continue(()) } else { ControlFlow::Break(()) }
        })?;
        for retry in self.shared.retries_of(no).take_while(|_| (self.goes_on)()) {
            let retry = retry?;
            let life = waiting.life(retry.generation);
            life.retries += 1;
            match retry.given_up {
                true => life.given_up += 1,
                false => life.note_due(retry.due),
            }
            life.asked += u64::from(!retry.given_up && Lane::after(retry.retries) == Lane::Replay);
            known.get_or_insert(retry.event);
        }
        if let (None, Some(event)) = (waiting.account, known) {
            waiting.account = self.shared.event(event)?.map(|event| event.account);
        }
        Ok(())
    }

    /// Adds what waits for a subscription, if that still exists.
    fn add(&mut self, no: SubscriptionNo, waiting: Waiting) -> Result<(), Error> {
        let Some(account) = waiting.account else {
            return Ok(());
        };
        let at = Address { account, subscription: no };
        let Some(subscription) = self.shared.subscription(at)? else {
            return Ok(());
        };
        let mut pending = 0;
        let held = self.is_held(&subscription)?;
        for life in waiting.lives {
            if !subscription.is_live(life.generation) {
                self.census.dead += life.first + life.retries;
                continue;
            }
            let of_this_life = life.generation == subscription.generation;
            let dead = if of_this_life { life.given_up } else { 0 };
            self.census.dead += dead;
            pending += life.first + life.retries - dead;
            self.census.retrying += life.retries - dead;
            self.census.replaying += if of_this_life { life.asked } else { life.first + life.retries };
            if !held {
                let since = self.due_since(&life, &subscription)?;
                self.census.due_since = [self.census.due_since, since].into_iter().flatten().min();
            }
        }
        self.census.add_pending(at, pending, self.deep);
        Ok(())
    }

    /// Whether what waits for it is not to be attempted now, however long it has been due.
    fn is_held(&self, subscription: &Subscription) -> Result<bool, Error> {
        let health = self.shared.health(subscription.no)?;
        let asked_to_wait = health.hold_until.is_some_and(|until| until > self.now);
        Ok(subscription.status != Status::Active || health.is_probing() || asked_to_wait)
    }

    fn due_since(&self, life: &Life, subscription: &Subscription) -> Result<Option<Timestamp>, Error> {
        let oldest = match life.oldest {
            Some(no) => EventReader::new(&self.shared.table, &self.shared.seal).event(no)?,
            None => None,
        };
        let in_pages = oldest.map(|event| event.accepted_at);
        // What came back with its hook is due at once, and does not say since when.
        let due = life.due.filter(|_| life.generation == subscription.generation);
        Ok([life.accepted_at, in_pages, due].into_iter().flatten().filter(|since| *since < self.now).min())
    }
}

impl Waiting {
    fn life(&mut self, generation: Generation) -> &mut Life {
        let known = self.lives.iter().position(|life| life.generation == generation);
        let index = known.unwrap_or_else(|| {
            self.lives.push(Life::new(generation));
            self.lives.len() - 1
        });
        &mut self.lives[index]
    }
}

impl Life {
    fn new(generation: Generation) -> Self {
        Self {
            generation,
            first: 0,
            accepted_at: None,
            oldest: None,
            retries: 0,
            given_up: 0,
            asked: 0,
            due: None,
        }
    }

    /// Notes when a retry is due, if it says so: one that was asked for is due at once.
    fn note_due(&mut self, due: Timestamp) {
        if due > Timestamp(0) {
            self.due = Some(self.due.map_or(due, |soonest| soonest.min(due)));
        }
    }
}
