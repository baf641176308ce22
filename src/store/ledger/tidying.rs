//! What the ledger does in idle moments, in small steps: it parks what has been pending in memory for long, and
//! deletes what unsubscribed hooks left behind.

use std::collections::HashMap;
use std::time::Duration;

use crate::clock::Timestamp;
use crate::id::{AccountNo, EventNo, SubscriptionNo};
use crate::store::ledger::Writing;
use crate::store::ledger::blocks::put_settlements;
use crate::store::ledger::keys::{self, Pair};
use crate::store::ledger::pages::Pages;
use crate::store::ledger::reader::{Shared, Volatile};
use crate::store::ledger::rows::{Rows, failed};
use crate::store::ledger::values::{Parked, SettlementBlock, Value};
use crate::store::{Address, Error};

/// How long a delivery may be pending before it is parked: longer than an attempt takes.
const PARK_AFTER: Duration = Duration::from_secs(12);
/// How many bytes of bodies the tail may hold before the oldest are parked early.
const TAIL_BYTES: usize = 64 << 20;
/// How many deliveries one step parks.
const PARK_STEP: usize = 512;
/// How many rows one step deletes; sled gets slow at many at a time.
const SWEEP_STEP: usize = 128;

/// Parks some of what is overdue in the tail; says whether more is.
///
/// What it writes becomes durable with the next commit; a crash before that finds the deliveries in the tail again.
pub fn park(shared: &Shared, writing: &mut Writing, now: Timestamp) -> Result<bool, Error> {
    let before = Timestamp(now.0.saturating_sub(PARK_AFTER.as_millis() as u64));
    let mut volatile = shared.volatile();
    let mut step = Step::new(shared);
    while step.block.parked.len() < PARK_STEP {
        let limit = PARK_STEP - step.block.parked.len();
        let Some((event, open)) = volatile.tail.overdue(before, TAIL_BYTES, limit) else {
            break;
        };
        for index in open {
            let matched = event.matches[index];
            if step.is_subscribed(event.account, matched.subscription)? {
                step.pages.add(&shared.tree, matched.subscription, event.no, matched.generation)?;
            }
            step.block.parked.push(Parked { event: event.no.0, subscription: matched.subscription.0 });
            volatile.tail.close_at(event.no, index);
        }
    }
    let parked = step.block.parked.len();
    if parked > 0 {
        step.write(writing, &volatile)?;
    }
    Ok(parked >= PARK_STEP)
}

/// Deletes some rows of unsubscribed hooks; says whether more are left.
pub fn sweep(shared: &Shared) -> Result<bool, Error> {
    let Some(note) = shared.tree.scan_prefix(keys::ALL_GARBAGE).keys().next() else {
        return Ok(false);
    };
    let note = note.map_err(failed)?;
    let subscription = keys::read_garbage(&note).ok_or_else(|| Error::damaged("the key of a note"))?;
    if shared.volatile().tail.open_of(subscription, EventNo(0)).next().is_some() {
        return Ok(false);
    }
    let mut rows = Rows::new(&shared.tree);
    for kind in [Pair::Retry, Pair::Page, Pair::Progress] {
        for key in shared.tree.range(kind.of(subscription)).keys().take(SWEEP_STEP) {
            rows.delete(&key.map_err(failed)?);
        }
    }
    if rows.len() == 0 {
        rows.delete(&note);
    }
    rows.apply()?;
    Ok(true)
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
            rows: Rows::new(&shared.tree),
            pages: Pages::default(),
            block: SettlementBlock::default(),
            subscribed: HashMap::new(),
        }
    }

    fn is_subscribed(&mut self, account: AccountNo, subscription: SubscriptionNo) -> Result<bool, Error> {
        if let Some(known) = self.subscribed.get(&subscription) {
            return Ok(*known);
        }
        let key = keys::subscription(Address { account, subscription });
        let exists = self.shared.tree.contains_key(key).map_err(failed)?;
        self.subscribed.insert(subscription, exists);
        Ok(exists)
    }

    fn write(mut self, writing: &mut Writing, volatile: &Volatile) -> Result<(), Error> {
        let commit = writing.next_commit;
        writing.next_commit += 1;
        put_settlements(&mut self.rows, self.block, commit);
        self.pages.stage(&mut self.rows);
        self.rows.put(keys::CURSOR, volatile.tail.cursor(commit + 1).encode());
        self.rows.apply()
    }
}
