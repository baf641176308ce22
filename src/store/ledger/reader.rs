//! The reading half of the ledger: what is committed, from the tail and from the rows.
//!
//! A delivery may move from the tail to a row while it is looked for. Rows are written before the tail lets go, so the
//! tail is read first: what waits is then seen at least once.

use std::collections::{BTreeMap, BinaryHeap, HashMap, HashSet};
use std::ops::ControlFlow;
use std::sync::Arc;

use crate::account::{Account, ApiKey};
use crate::clock::Timestamp;
use crate::event::Recorded;
use crate::event_type::Declaration;
use crate::health::Health;
use crate::id::{AccountNo, EventNo, SubscriptionNo};
use crate::store::history::{Delivery, DeliveryQuery, EventQuery, Listed, Order, Place};
use crate::store::ledger::blocks::{EventReader, oldest_event, settlement_blocks_backwards};
use crate::store::ledger::history;
use crate::store::ledger::hours::with_open;
use crate::store::ledger::keys;
use crate::store::ledger::pages::pages_of;
use crate::store::ledger::shared::{Shared, revived};
use crate::store::ledger::values::{Value, decode_subscription};
use crate::store::ledger::{census, disk};
use crate::store::{
    Address, AttemptCounts, Backlog, Census, Disk, Error, Lane, Lanes, Reader, Replayable, Retained, Retries,
    Retry, Tally,
};
use crate::subscription::{Generation, Status, Subscription};

/// How many settlement blocks are searched for hooks' last attempts.
const BLOCKS_SEARCHED: usize = 1_000;

impl Shared {
    /// An event that waits in rows.
    fn parked(&self, no: EventNo, events: &mut EventReader<'_>) -> Result<Option<Arc<Recorded>>, Error> {
        if let Some(event) = self.popular.get(no) {
            return Ok(Some(event));
        }
        let event = events.event(no)?.map(Arc::new);
        event.iter().for_each(|event| self.popular.hold(event));
        Ok(event)
    }

    /// Counts what waits in rows, but for what was counted in the tail and has moved since.
    fn count_rows(&self, count: &mut Count<'_>) -> Result<(), Error> {
        let subscription = count.subscription;
        pages_of(&self.table, subscription.no, EventNo(0), |page| {
            let waiting = page.waiting().filter(|(event, _)| !count.in_tail.contains(event));
            let waiting: Vec<(EventNo, Generation)> = waiting.collect();
            waiting.into_iter().for_each(|(event, generation)| count.add_first(event, generation));
            ControlFlow::Continue(())
        })?;
        let (mut soonest, mut oldest) = (None, None);
        for retry in self.retries_of(subscription.no) {
            let retry = retry?;
            let is_live = retry.is_live(subscription);
            let Retry { due, retries, .. } = revived(retry, subscription);
            if !count.in_tail.contains(&retry.event) {
                count.tally.add(is_live.then(|| Lane::after(retries)));
                count.tally.retrying += u64::from(is_live && retry.attempts > 0);
            }
            if is_live && subscription.status == Status::Active {
                soonest = Some(soonest.map_or(due, |soonest: Timestamp| soonest.min(due)));
                oldest = oldest.or(Some((retry.event, due)));
            }
        }
        let oldest = oldest.filter(|(event, _)| count.oldest_first.is_none_or(|first| *event < first));
        let health = self.health(subscription.no)?;
        let in_order = subscription.delivery.is_ordered();
        count.tally.next_attempt_at = health.next_attempt(soonest, oldest.map(|(_, due)| due), in_order);
        Ok(())
    }

    /// Looks in the newest settlement blocks for the last attempts that this process knows nothing of.
    fn find_last_attempts(&self, counts: &mut HashMap<SubscriptionNo, Count<'_>>) -> Result<(), Error> {
        let unknown = |count: &&mut Count<'_>| count.tally.last_attempt_at.is_none();
        let mut missing: HashMap<SubscriptionNo, &mut Count<'_>> =
            counts.values_mut().filter(unknown).map(|count| (count.subscription.no, count)).collect();
        let mut searched = 0;
        if missing.is_empty() {
            return Ok(());
        }
        settlement_blocks_backwards(&self.table, 0..u64::MAX, |_, block| {
            for settled in block.settled.iter().rev() {
                if let Some(count) = missing.remove(&settled.delivery().1) {
                    count.tally.last_attempt_at = Some(settled.at());
                }
            }
            searched += 1;
            !missing.is_empty() && searched < BLOCKS_SEARCHED
        })
    }
}

/// A tally that is being counted.
struct Count<'a> {
    subscription: &'a Subscription,
    in_tail: HashSet<EventNo>,
    /// The oldest delivery that was never attempted.
    oldest_first: Option<EventNo>,
    tally: Tally,
}

impl<'a> Count<'a> {
    fn of(subscription: &'a Subscription) -> Self {
        Self { subscription, in_tail: HashSet::new(), oldest_first: None, tally: Tally::default() }
    }

    /// Counts a delivery that was never attempted.
    fn add_first(&mut self, event: EventNo, generation: Generation) {
        let lane = Lane::of(self.subscription, generation);
        if lane.is_some() {
            self.oldest_first = Some(self.oldest_first.map_or(event, |oldest| oldest.min(event)));
        }
        self.tally.add(lane);
    }
}

impl Reader for Shared {
    fn subscription(&self, at: Address) -> Result<Option<Subscription>, Error> {
        let value = self.table.get(keys::subscription(at))?;
        value.map(|value| decode_subscription(&value, self.subscription_key(at))).transpose()
    }

    fn subscriptions(
        &self,
        account: AccountNo,
        order: Order,
        behind: Option<SubscriptionNo>,
        each: &mut dyn FnMut(Subscription) -> bool,
    ) -> Result<(), Error> {
        let rows = self.table.range(keys::subscriptions(account, order, behind));
        let rows = if order == Order::Descending { rows.rev() } else { rows };
        for row in rows {
            let (key, value) = row?;
            let at = keys::read_subscription(&key).ok_or_else(|| Error::damaged("the key of a hook"))?;
            if !each(decode_subscription(&value, self.subscription_key(at))?) {
                break;
            }
        }
        Ok(())
    }

    fn health(&self, no: SubscriptionNo) -> Result<Health, Error> {
        let value = self.table.get(keys::health(no))?;
        value.map_or(Ok(Health::default()), |value| Health::decode(&value, ()))
    }

    fn event(&self, no: EventNo) -> Result<Option<Arc<Recorded>>, Error> {
        if let Some(event) = self.volatile().tail.event(no) {
            return Ok(Some(event.clone()));
        }
        Ok(EventReader::new(&self.table, &self.seal).event(no)?.map(Arc::new))
    }

    fn awaited(&self, no: EventNo) -> Result<Option<Arc<Recorded>>, Error> {
        if let Some(event) = self.volatile().tail.event(no) {
            return Ok(Some(event.clone()));
        }
        let event = self.parked(no, &mut EventReader::new(&self.table, &self.seal))?;
        Ok(event.filter(|event| !event.body.is_expunged()))
    }

    fn backlog(
        &self,
        subscription: &Subscription,
        lane: Lane,
        after: EventNo,
        limit: usize,
    ) -> Result<Backlog, Error> {
        let is_in_lane = |generation| Lane::of(subscription, generation) == Some(lane);
        let mut found: BTreeMap<EventNo, (Option<Arc<Recorded>>, Generation)> = BTreeMap::new();
        let end = {
            let volatile = self.volatile();
            let open = volatile.tail.open_of(subscription.no, after);
            let open = open.filter(|(_, generation)| is_in_lane(*generation));
            found.extend(
                open.take(limit + 1).map(|(event, generation)| (event.no, (Some(event.clone()), generation))),
            );
            EventNo(volatile.tail.next().0 - 1)
        };
        let (mut in_pages, mut is_over) = (0, false);
        pages_of(&self.table, subscription.no, after, |page| {
            for (event, generation) in page.waiting() {
                if event > after && is_in_lane(generation) && in_pages <= limit {
                    found.entry(event).or_insert((None, generation));
                    in_pages += 1;
                }
                // What is of a later life is behind what came back.
                is_over |= lane == Lane::Replay && generation == subscription.generation;
            }
            if is_over || in_pages > limit { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
        })?;
        let more = found.len() > limit;
        let mut events = EventReader::new(&self.table, &self.seal);
        let mut waiting = Vec::with_capacity(found.len().min(limit));
        for (no, (event, generation)) in found.into_iter().take(limit) {
            let event = match event {
                Some(event) => Some(event),
                None => self.parked(no, &mut events)?,
            };
            waiting.extend(event.map(|event| (event, generation)));
        }
        let through = if more { waiting.last().map_or(after, |(event, _)| event.no) } else { end.max(after) };
        Ok(Backlog { waiting, through, more })
    }

    fn retries(&self, subscription: &Subscription, limit: usize) -> Result<Lanes<Retries>, Error> {
        let mut lanes = Lanes::each(|_| (BinaryHeap::new(), false));
        for retry in self.retries_of(subscription.no) {
            let retry = retry?;
            if !retry.is_live(subscription) {
                continue;
            }
            let retry = revived(retry, subscription);
            let (soonest, more) = &mut lanes[Lane::after(retry.retries)];
            soonest.push(retry);
            if soonest.len() > limit {
                soonest.pop();
                *more = true;
            }
        }
        let Lanes { fresh, replay } = lanes;
        let read =
            |(soonest, more): (BinaryHeap<Retry>, bool)| Retries { waiting: soonest.into_sorted_vec(), more };
        Ok(Lanes { fresh: read(fresh), replay: read(replay) })
    }

    fn tallies(&self, subscriptions: &[Subscription]) -> Result<Vec<Tally>, Error> {
        let mut counts: HashMap<SubscriptionNo, Count<'_>> =
            subscriptions.iter().map(|subscription| (subscription.no, Count::of(subscription))).collect();
        {
            let volatile = self.volatile();
            for (event, matched) in volatile.tail.open() {
                if let Some(count) = counts.get_mut(&matched.subscription) {
                    count.add_first(event.no, matched.generation);
                    count.in_tail.insert(event.no);
                }
            }
            for count in counts.values_mut() {
                count.tally.last_attempt_at = volatile.last_attempts.get(&count.subscription.no).copied();
            }
        }
        for count in counts.values_mut() {
            self.count_rows(count)?;
        }
        self.find_last_attempts(&mut counts)?;
        Ok(subscriptions.iter().map(|subscription| counts[&subscription.no].tally).collect())
    }

    fn attempt_counts(&self, no: SubscriptionNo) -> Result<AttemptCounts, Error> {
        loop {
            let (open, written) = {
                let volatile = self.volatile();
                (volatile.hours.of(no).to_vec(), volatile.hours.written)
            };
            let row = self.table.get(keys::hours(no))?;
            // It may just have gone from memory to its row.
            if self.volatile().hours.written == written {
                return with_open(row.as_deref(), &open);
            }
        }
    }

    fn events(&self, query: &EventQuery) -> Result<Listed<Arc<Recorded>>, Error> {
        history::events(self, query)
    }

    fn synced_at(&self, event: EventNo) -> Result<Option<Timestamp>, Error> {
        history::synced_at(self, event)
    }

    fn deliveries(&self, query: &DeliveryQuery) -> Result<Listed<Delivery>, Error> {
        history::deliveries(self, query)
    }

    fn delivery(&self, at: Address, event: EventNo) -> Result<Option<Delivery>, Error> {
        history::delivery(self, at, event)
    }

    fn commits(&self) -> u64 {
        self.volatile().commits
    }

    fn attempts(&self, event: EventNo) -> Result<HashMap<SubscriptionNo, u16>, Error> {
        history::attempts(self, event)
    }

    fn replays(&self, event: EventNo) -> Result<Vec<SubscriptionNo>, Error> {
        history::replays(self, event)
    }

    fn attempt_block(&self, place: Place, n: u16) -> Result<Option<u64>, Error> {
        history::attempt_block(self, place, n)
    }

    fn replayable(
        &self,
        subscription: &Subscription,
        query: &EventQuery,
        missing: bool,
    ) -> Result<Replayable, Error> {
        history::replayable(self, subscription, query, missing)
    }

    fn newest_event(&self) -> EventNo {
        EventNo(self.volatile().tail.next().0 - 1)
    }

    fn census(&self, now: Timestamp, deep: u64, goes_on: &dyn Fn() -> bool) -> Result<Option<Census>, Error> {
        census::take(self, now, deep, goes_on)
    }

    fn disk(&self) -> Option<Disk> {
        disk::measure(&self.directory).ok()
    }

    fn retained(&self) -> Result<Retained, Error> {
        let (bytes, expired) = {
            let volatile = self.volatile();
            (volatile.bytes, volatile.expired)
        };
        Ok(Retained { bytes, oldest: oldest_event(&self.table)?, expired })
    }

    fn accounts(&self) -> Result<Vec<Account>, Error> {
        let rows = self.table.scan_prefix(keys::ALL_ACCOUNTS);
        let accounts: Result<Vec<Account>, Error> = rows
            .map(|row| {
                let (key, value) = row?;
                Account::decode(&value, keys::rest(&key).to_vec())
            })
            .collect();
        let mut accounts = accounts?;
        accounts.sort_by_key(|account| account.no);
        Ok(accounts)
    }

    fn event_types(&self) -> Result<Vec<Declaration>, Error> {
        let rows = self.table.scan_prefix(keys::ALL_EVENT_TYPES);
        rows.map(|row| {
            let (key, value) = row?;
            Declaration::decode(&value, keys::rest(&key).to_vec())
        })
        .collect()
    }

    fn keys(&self) -> Result<Vec<ApiKey>, Error> {
        let rows = self.table.scan_prefix(keys::ALL_API_KEYS);
        rows.map(|row| {
            let (key, value) = row?;
            ApiKey::decode(&value, keys::rest(&key).to_vec())
        })
        .collect()
    }
}
