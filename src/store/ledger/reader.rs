//! The reading half of the ledger: what is committed, from the tail and from the rows.
//!
//! A delivery may move from the tail to a row while it is looked for. Rows are written before the tail lets go, so the
//! tail is read first: what waits is then seen at least once.

use std::collections::{BTreeMap, BinaryHeap, HashMap};
use std::ops::ControlFlow;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use sled::Tree;

use crate::account::{Account, ApiKey};
use crate::clock::Timestamp;
use crate::event::Recorded;
use crate::health::Health;
use crate::id::{AccountNo, EventNo, Seal, SubscriptionNo};
use crate::store::ledger::blocks::{EventReader, settlement_blocks_backwards};
use crate::store::ledger::keys::{self, Pair};
use crate::store::ledger::pages::pages_of;
use crate::store::ledger::rows::failed;
use crate::store::ledger::values::{SubscriptionKey, Value, decode_subscription};
use crate::store::tail::Tail;
use crate::store::{Address, Backlog, Error, Reader, Retries, Retry, Tally};
use crate::subscription::{Generation, Status, Subscription};

/// How many settlement blocks are searched for a hook's last attempt.
const BLOCKS_SEARCHED: usize = 1_000;

/// What the ledger's halves share.
pub struct Shared {
    pub tree: Tree,
    pub seal: Seal,
    volatile: Mutex<Volatile>,
}

/// What is held in memory alone, and rebuilt by recovery.
pub struct Volatile {
    pub tail: Tail,
    /// When each subscription was last attempted, as far as this process knows.
    pub last_attempts: HashMap<SubscriptionNo, Timestamp>,
}

impl Shared {
    pub fn new(tree: Tree, seal: Seal) -> Self {
        let volatile = Volatile { tail: Tail::new(EventNo(1)), last_attempts: HashMap::new() };
        Self { tree, seal, volatile: Mutex::new(volatile) }
    }

    /// What is in memory; held for as long as a batch is being written.
    pub fn volatile(&self) -> MutexGuard<'_, Volatile> {
        self.volatile.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn retries_of(&self, subscription: SubscriptionNo) -> impl Iterator<Item = Result<Retry, Error>> + use<> {
        self.tree.range(Pair::Retry.of(subscription)).map(|row| {
            let (key, value) = row.map_err(failed)?;
            let (_, event) = Pair::read(&key).ok_or_else(|| Error::damaged("the key of a retry"))?;
            Retry::decode(&value, event)
        })
    }

    fn last_attempt(&self, subscription: SubscriptionNo) -> Result<Option<Timestamp>, Error> {
        let (mut found, mut searched) = (None, 0);
        settlement_blocks_backwards(&self.tree, |block| {
            let own = block.settled.iter().filter(|settled| settled.delivery().1 == subscription);
            found = own.map(|settled| settled.at()).max();
            searched += 1;
            found.is_none() && searched < BLOCKS_SEARCHED
        })?;
        Ok(found)
    }
}

impl Reader for Shared {
    fn subscription(&self, at: Address) -> Result<Option<Subscription>, Error> {
        let value = self.tree.get(keys::subscription(at)).map_err(failed)?;
        let key = SubscriptionKey { account: at.account, no: at.subscription, seal: &self.seal };
        value.map(|value| decode_subscription(&value, key)).transpose()
    }

    fn subscriptions(
        &self,
        account: AccountNo,
        below: SubscriptionNo,
        each: &mut dyn FnMut(Subscription) -> bool,
    ) -> Result<(), Error> {
        for row in self.tree.range(keys::subscriptions_below(account, below)).rev() {
            let (key, value) = row.map_err(failed)?;
            let at = keys::read_subscription(&key).ok_or_else(|| Error::damaged("the key of a hook"))?;
            let key = SubscriptionKey { account, no: at.subscription, seal: &self.seal };
            if !each(decode_subscription(&value, key)?) {
                break;
            }
        }
        Ok(())
    }

    fn health(&self, no: SubscriptionNo) -> Result<Health, Error> {
        let value = self.tree.get(keys::health(no)).map_err(failed)?;
        value.map_or(Ok(Health::default()), |value| Health::decode(&value, ()))
    }

    fn event(&self, no: EventNo) -> Result<Option<Arc<Recorded>>, Error> {
        if let Some(event) = self.volatile().tail.event(no) {
            return Ok(Some(event.clone()));
        }
        Ok(EventReader::new(&self.tree, &self.seal).event(no)?.map(Arc::new))
    }

    fn backlog(&self, subscription: &Subscription, after: EventNo, limit: usize) -> Result<Backlog, Error> {
        let mut found: BTreeMap<EventNo, (Option<Arc<Recorded>>, Generation)> = BTreeMap::new();
        let end = {
            let volatile = self.volatile();
            let open = volatile.tail.open_of(subscription.no, after);
            let live = open.filter(|(_, generation)| subscription.is_live(*generation));
            found.extend(
                live.take(limit + 1).map(|(event, generation)| (event.no, (Some(event.clone()), generation))),
            );
            EventNo(volatile.tail.next().0 - 1)
        };
        let mut in_pages = 0;
        pages_of(&self.tree, subscription.no, after, |page| {
            for (event, generation) in page.waiting() {
                if event > after && subscription.is_live(generation) && in_pages <= limit {
                    found.entry(event).or_insert((None, generation));
                    in_pages += 1;
                }
            }
            if in_pages > limit { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
        })?;
        let more = found.len() > limit;
        let mut events = EventReader::new(&self.tree, &self.seal);
        let mut waiting = Vec::with_capacity(found.len().min(limit));
        for (no, (event, generation)) in found.into_iter().take(limit) {
            let event = match event {
                Some(event) => Some(event),
                None => events.event(no)?.map(Arc::new),
            };
            waiting.extend(event.map(|event| (event, generation)));
        }
        let through = if more { waiting.last().map_or(after, |(event, _)| event.no) } else { end.max(after) };
        Ok(Backlog { waiting, through, more })
    }

    fn retries(&self, subscription: &Subscription, limit: usize) -> Result<Retries, Error> {
        let (mut soonest, mut more) = (BinaryHeap::new(), false);
        for retry in self.retries_of(subscription.no) {
            let retry = retry?;
            if !subscription.is_live(retry.generation) {
                continue;
            }
            soonest.push(revived(retry, subscription));
            if soonest.len() > limit {
                soonest.pop();
                more = true;
            }
        }
        Ok(Retries { waiting: soonest.into_sorted_vec(), more })
    }

    fn tally(&self, subscription: &Subscription) -> Result<Tally, Error> {
        let mut tally = Tally::default();
        let mut soonest: Option<Timestamp> = None;
        let mut count = |generation| match subscription.is_live(generation) {
            true => tally.pending += 1,
            false => tally.dead += 1,
        };
        let last_known = {
            let volatile = self.volatile();
            let open = volatile.tail.open_of(subscription.no, EventNo(0));
            open.for_each(|(_, generation)| count(generation));
            volatile.last_attempts.get(&subscription.no).copied()
        };
        pages_of(&self.tree, subscription.no, EventNo(0), |page| {
            page.waiting().for_each(|(_, generation)| count(generation));
            ControlFlow::Continue(())
        })?;
        for retry in self.retries_of(subscription.no) {
            let retry = revived(retry?, subscription);
            count(retry.generation);
            if subscription.is_live(retry.generation) {
                soonest = Some(soonest.map_or(retry.due, |due| due.min(retry.due)));
            }
        }
        tally.last_attempt_at = match last_known {
            None => self.last_attempt(subscription.no)?,
            known => known,
        };
        tally.next_attempt_at = soonest.filter(|_| subscription.status == Status::Active);
        Ok(tally)
    }

    fn accounts(&self) -> Result<Vec<Account>, Error> {
        let rows = self.tree.scan_prefix(keys::ALL_ACCOUNTS);
        let accounts: Result<Vec<Account>, Error> = rows
            .map(|row| {
                let (key, value) = row.map_err(failed)?;
                Account::decode(&value, keys::rest(&key).to_vec())
            })
            .collect();
        let mut accounts = accounts?;
        accounts.sort_by_key(|account| account.no);
        Ok(accounts)
    }

    fn keys(&self) -> Result<Vec<ApiKey>, Error> {
        let rows = self.tree.scan_prefix(keys::ALL_API_KEYS);
        rows.map(|row| {
            let (key, value) = row.map_err(failed)?;
            ApiKey::decode(&value, keys::rest(&key).to_vec())
        })
        .collect()
    }
}

/// A retry as its subscription sees it: one of an earlier generation has come back, and begins its schedule anew.
pub fn revived(retry: Retry, subscription: &Subscription) -> Retry {
    if retry.generation == subscription.generation {
        return retry;
    }
    Retry { due: Timestamp(0), retries: 0, ..retry }
}
