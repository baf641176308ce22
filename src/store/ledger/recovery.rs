//! Recovery: what is durable becomes what is held in memory, after every start.

use std::collections::hash_map::Entry;
use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use crate::account::Account;
use crate::clock::Timestamp;
use crate::event_type::EventType;
use crate::id::{AccountNo, EventNo, SubscriptionNo};
use crate::store::ledger::blocks::{bytes_since, event_blocks, event_blocks_backwards, settlement_blocks};
use crate::store::ledger::chapters::Chapters;
use crate::store::ledger::hours::Hours;
use crate::store::ledger::idempotency::KnownKeys;
use crate::store::ledger::keys::{self, Pair};
use crate::store::ledger::mark::Mark;
use crate::store::ledger::pages::subscriptions_with_pages;
use crate::store::ledger::shared::Shared;
use crate::store::ledger::values::{Counters, Usage, Value, decode, decode_subscription};
use crate::store::ledger::{Writing, read_seal_of};
use crate::store::tail::{Cursor, Tail};
use crate::store::{Error, Reader, Recovery};
use crate::subscription::{Generation, Matches, Subscription};

/// Rebuilds the tail and the writer's knowledge; hands each subscription to `each`.
pub fn recover(
    shared: &Shared,
    writing: &mut Writing,
    mark: &Mark,
    each: &mut dyn FnMut(Subscription),
) -> Result<Recovery, Error> {
    writing.counters = recover_counters(shared)?;
    recover_tail(shared, writing)?;
    // Before anything is written: what is missing may still be there behind what is damaged.
    mark.check(writing.next_commit - 1)?;
    writing.keys = recover_keys(shared)?;
    let next_event = shared.volatile().tail.next();
    let chapters = Chapters::recover(&shared.table, next_event, writing.next_commit)?;
    shared.volatile().chapters = chapters;
    writing.retention.forget_pass();
    let mut hours = Hours::recover(&shared.table)?;
    let mut gone: HashSet<SubscriptionNo> = hours.open().collect();
    let mut waiting = Waiting::default();
    waiting.find(shared)?;
    for row in shared.table.scan_prefix(keys::ALL_SUBSCRIPTIONS) {
        let (key, value) = row?;
        let at = keys::read_subscription(&key).ok_or_else(|| Error::damaged("the key of a hook"))?;
        let subscription = decode_subscription(&value, shared.subscription_key(at))?;
        waiting.confirm(&subscription);
        gone.remove(&subscription.no);
        each(subscription);
    }
    waiting.disown(shared)?;
    gone.into_iter().for_each(|no| hours.forget(no));
    shared.volatile().hours = hours;
    Ok(Recovery {
        next_subscription: SubscriptionNo(writing.counters.next_subscription),
        waiting: waiting.due,
        seen: recover_time(shared)?,
        seal: read_seal_of(&shared.table)?,
    })
}

fn recover_counters(shared: &Shared) -> Result<Counters, Error> {
    let accounts: Vec<Account> = shared.accounts()?;
    let next_account = accounts.last().map_or(1, |account| account.no.0 + 1);
    let stored = shared.table.get(keys::COUNTERS)?;
    let mut counters = match stored {
        Some(bytes) => decode(&bytes)?,
        None => Counters { next_subscription: 1, next_account },
    };
    counters.next_account = counters.next_account.max(next_account);
    Ok(counters)
}

/// Reads the events from the cursor on, less what was settled and parked since the commit that recorded the first.
fn recover_tail(shared: &Shared, writing: &mut Writing) -> Result<(), Error> {
    let stored = shared.table.get(keys::CURSOR)?;
    let cursor = match stored {
        Some(bytes) => Cursor::decode(&bytes, ())?,
        None => Cursor { event: EventNo(1), commit: 1 },
    };
    let usage = recover_usage(shared, cursor)?;
    let mut last_commit = usage.commit.max(cursor.commit.saturating_sub(1));
    let mut tail = Tail::new(cursor.event);
    let mut known_matches: HashMap<(AccountNo, EventType), Matches> = HashMap::new();
    event_blocks(&shared.table, cursor.event, |first, block| {
        last_commit = last_commit.max(block.commit);
        for (no, event) in (first..).zip(&block.events) {
            if no >= cursor.event.0 {
                let mut event =
                    event.load(EventNo(no), &shared.seal).ok_or_else(|| Error::damaged("an event"))?;
                // Neighbours mostly match the same: they share one list, as they did when they were accepted.
                let same = known_matches.entry((event.account, event.event_type.clone())).or_default();
                if *same == event.matches {
                    event.matches = same.clone();
                } else {
                    *same = event.matches.clone();
                }
                // As old as can be: it has waited for a restart.
                tail.push(Arc::new(event), block.commit, Timestamp(0));
            }
        }
        Ok(())
    })?;
    let mut volatile = shared.volatile();
    volatile.last_attempts.clear();
    volatile.synced.clear();
    let last_settled = settlement_blocks(&shared.table, cursor.commit, |block| {
        for settled in &block.settled {
            let (event, subscription) = settled.delivery();
            tail.close(event, subscription);
            volatile.last_attempts.insert(subscription, settled.at());
        }
        for parked in &block.parked {
            let (event, subscription) = parked.delivery();
            tail.close(event, subscription);
        }
        true
    })?;
    volatile.tail = tail;
    volatile.bytes = usage.bytes;
    volatile.commits = last_commit.max(last_settled);
    writing.next_commit = volatile.commits + 1;
    Ok(())
}

/// The bytes of all blocks: those that were counted when the cursor was written, and those written since; with the
/// commit up to which they were counted then.
fn recover_usage(shared: &Shared, cursor: Cursor) -> Result<Usage, Error> {
    let (counted, from) = match shared.table.get(keys::USAGE)? {
        Some(counted) => (decode(&counted)?, cursor.event),
        None => (Usage::default(), EventNo(0)),
    };
    let bytes = counted.bytes + bytes_since(&shared.table, from, counted.commit)?;
    Ok(Usage { bytes, ..counted })
}

fn recover_time(shared: &Shared) -> Result<Timestamp, Error> {
    let stored = shared.table.get(keys::TIME)?;
    Ok(Timestamp(stored.map(|bytes| decode(&bytes)).transpose()?.unwrap_or_default()))
}

/// Reads the events of the last day, from the latest on that has a key. Earlier versions did not note which that is.
fn recover_keys(shared: &Shared) -> Result<KnownKeys, Error> {
    let (mut known, now) = (KnownKeys::default(), Timestamp::now());
    let latest = shared.table.get(keys::KEYED)?;
    let latest = latest.map_or(Ok(u64::MAX), |latest| decode(&latest))?;
    event_blocks_backwards(&shared.table, 0..latest.saturating_add(1), |first, block| {
        for (no, event) in (first..).zip(&block.events) {
            if let Some(key) = event.idempotency() {
                known.insert(&key, EventNo(no), event.accepted_at());
            }
        }
        Ok(block.events.last().is_some_and(|event| KnownKeys::is_remembered(event.accepted_at(), now)))
    })?;
    Ok(known)
}

/// When that is due which was given up.
const NEVER: Timestamp = Timestamp(u64::MAX);

/// The subscriptions for which something waits.
#[derive(Default)]
struct Waiting {
    /// When each is due whose record was not seen yet, and from which life its oldest retry is.
    found: HashMap<SubscriptionNo, (Timestamp, Option<Generation>)>,
    due: Vec<(SubscriptionNo, Timestamp)>,
}

impl Waiting {
    fn find(&mut self, shared: &Shared) -> Result<(), Error> {
        for row in shared.table.scan_prefix(keys::ALL_RETRIES) {
            let (key, value) = row?;
            let (subscription, event) =
                Pair::read(&key).ok_or_else(|| Error::damaged("the key of a retry"))?;
            let retry = crate::store::Retry::decode(&value, event)?;
            let due = if retry.given_up { NEVER } else { retry.due };
            self.note(subscription, due, Some(retry.generation));
        }
        for subscription in subscriptions_with_pages(&shared.table)? {
            self.note(subscription, Timestamp(0), None);
        }
        for (_, matched) in shared.volatile().tail.open() {
            self.note(matched.subscription, Timestamp(0), None);
        }
        Ok(())
    }

    fn note(&mut self, subscription: SubscriptionNo, due: Timestamp, generation: Option<Generation>) {
        match self.found.entry(subscription) {
            Entry::Occupied(mut known) => {
                let (soonest, oldest) = *known.get();
                let oldest = oldest.into_iter().chain(generation).min();
                *known.get_mut() = (due.min(soonest), oldest);
            }
            Entry::Vacant(unknown) => {
                unknown.insert((due, generation));
            }
        }
    }

    fn confirm(&mut self, subscription: &Subscription) {
        if let Some((due, oldest)) = self.found.remove(&subscription.no) {
            // What came back from an earlier life is due at once.
            let came_back = oldest.is_some_and(|oldest| oldest < subscription.generation);
            let due = if came_back { Timestamp(0) } else { due };
            self.due.extend((due < NEVER).then_some((subscription.no, due)));
        }
    }

    /// What is left belongs to no subscription: it is swept like what unsubscribed hooks leave.
    fn disown(&mut self, shared: &Shared) -> Result<(), Error> {
        let mut rows = shared.rows();
        for (subscription, _) in self.found.drain() {
            rows.put(&keys::garbage(subscription), Vec::new());
        }
        rows.apply()
    }
}
