//! What the ledger does in idle moments, in small steps: it parks what has been pending in memory for long, and
//! deletes what unsubscribed hooks left behind.

use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;
use std::time::Duration;

use crate::clock::Timestamp;
use crate::event::Recorded;
use crate::id::{AccountNo, EventNo, SubscriptionNo};
use crate::store::ledger::Writing;
use crate::store::ledger::blocks::put_settlements;
use crate::store::ledger::keys::{self, Pair};
use crate::store::ledger::pages::Pages;
use crate::store::ledger::rows::Rows;
use crate::store::ledger::shared::{Shared, Volatile};
use crate::store::ledger::values::{Moved, SettlementBlock};
use crate::store::tail::Tail;
use crate::store::{Address, Error, Untidy};
use crate::subscription::Match;

/// How long a delivery may be pending before it is parked: longer than an attempt takes.
const PARK_AFTER: Duration = Duration::from_secs(12);
/// How many bytes of bodies the tail may hold before the oldest are parked early.
const TAIL_BYTES: usize = 32 << 20;
/// How many bytes are too many, so that nothing is added before some are parked.
const TAIL_BYTES_HARD: usize = 2 * TAIL_BYTES;
/// How many subscriptions one step parks for: each costs a page that is rewritten.
///
/// In tests a step is so small that it ends in the middle of an event.
const PARK_SUBSCRIPTIONS: usize = if cfg!(test) { 2 } else { 64 };
/// How many events one step looks at; one rewrite of a page takes in as many of them as it can.
const PARK_EVENTS: usize = if cfg!(test) { 3 } else { 4_096 };
/// How many deliveries one step parks.
const PARK_DELIVERIES: usize = 16_384;
/// How many rows one step deletes: commits wait for it.
const SWEEP_STEP: usize = 128;

/// Parks some of what is overdue in the tail, for the subscriptions of the oldest events first.
///
/// After a crash before it is synced the deliveries are in the tail again.
pub fn park(shared: &Shared, writing: &mut Writing, now: Timestamp) -> Result<Untidy, Error> {
    let before = Timestamp(now.0.saturating_sub(PARK_AFTER.as_millis() as u64));
    let mut volatile = shared.volatile();
    let overdue: Vec<Arc<Recorded>> =
        volatile.tail.overdue(before, TAIL_BYTES).take(PARK_EVENTS).cloned().collect();
    if overdue.is_empty() {
        return Ok(Untidy::Nothing);
    }
    let mut step = Step::new(shared);
    let chosen = choose(&volatile.tail, &overdue);
    for event in &overdue {
        for subscription in &chosen {
            if let Some(index) = volatile.tail.open_match(event, *subscription) {
                step.park(event, event.matches[index])?;
                volatile.tail.close_at(event.no, index);
            }
        }
        if step.block.parked.len() >= PARK_DELIVERIES {
            break;
        }
    }
    step.write(writing, &mut volatile)?;
    Ok(match volatile.tail.bytes() {
        bytes if bytes > TAIL_BYTES_HARD => Untidy::TooMuch,
        _ => Untidy::Some,
    })
}

/// The subscriptions with open matches of the oldest of these events.
fn choose(tail: &Tail, overdue: &[Arc<Recorded>]) -> BTreeSet<SubscriptionNo> {
    let mut chosen = BTreeSet::new();
    for event in overdue {
        for index in tail.open_matches(event.no) {
            chosen.insert(event.matches[index].subscription);
            if chosen.len() >= PARK_SUBSCRIPTIONS {
                return chosen;
            }
        }
    }
    chosen
}

/// Deletes some rows of unsubscribed hooks.
pub fn sweep(shared: &Shared) -> Result<Untidy, Error> {
    let Some(note) = shared.table.scan_prefix(keys::ALL_GARBAGE).keys().next() else {
        return Ok(Untidy::Nothing);
    };
    let note = note?;
    let subscription = keys::read_numbered(&note).ok_or_else(|| Error::damaged("the key of a note"))?;
    if shared.volatile().tail.open_of(subscription, EventNo(0)).next().is_some() {
        return Ok(Untidy::Nothing);
    }
    let mut rows = shared.rows();
    for kind in [Pair::Retry, Pair::Page, Pair::Progress] {
        for key in shared.table.range(kind.of(subscription)).keys().take(SWEEP_STEP) {
            rows.delete(&key?);
        }
    }
    if rows.len() == 0 {
        // What was under way then may have been counted since.
        rows.delete(&keys::hours(subscription));
        shared.volatile().hours.forget(subscription);
        rows.delete(&note);
    }
    rows.apply()?;
    Ok(Untidy::Some)
}

struct Step<'a> {
    shared: &'a Shared,
    rows: Rows<'a>,
    pages: Pages,
    block: SettlementBlock,
    subscribed: HashMap<SubscriptionNo, bool>,
}

impl<'a> Step<'a> {
    fn new(shared: &'a Shared) -> Self {
        Self {
            shared,
            rows: shared.rows(),
            pages: Pages::default(),
            block: SettlementBlock::default(),
            subscribed: HashMap::new(),
        }
    }

    fn park(&mut self, event: &Recorded, matched: Match) -> Result<(), Error> {
        let Match { subscription, generation } = matched;
        if self.is_subscribed(event.account, subscription)? {
            self.pages.add(&self.shared.table, subscription, event.no, generation)?;
        }
        self.block.parked.push(Moved { event: event.no.0, subscription: subscription.0 });
        Ok(())
    }

    fn is_subscribed(&mut self, account: AccountNo, subscription: SubscriptionNo) -> Result<bool, Error> {
        if let Some(known) = self.subscribed.get(&subscription) {
            return Ok(*known);
        }
        let key = keys::subscription(Address { account, subscription });
        let exists = self.shared.table.contains_key(key)?;
        self.subscribed.insert(subscription, exists);
        Ok(exists)
    }

    fn write(mut self, writing: &mut Writing, volatile: &mut Volatile) -> Result<(), Error> {
        let commit = writing.next_commit;
        writing.next_commit += 1;
        let attempts = &mut volatile.chapters.attempts;
        volatile.bytes +=
            put_settlements(&mut self.rows, self.block, commit, |no, block| attempts.add(no, block));
        attempts.stage_if_complete(&mut self.rows);
        self.pages.stage(&mut self.rows);
        volatile.stage(&mut self.rows, commit + 1, commit);
        self.rows.apply()
    }
}
