//! History: lists of events and deliveries, read from blocks, newest first.
//!
//! Events lie in their blocks with what they matched, attempts in the blocks of the commits that settled them, and what
//! waits in the tail, in retries and in pages. A list of deliveries is read window by window: the matches of some
//! events, where each waits, and the attempts that were made since. Which blocks these are chapters tell; nothing else
//! has a row for the sake of a list.

pub mod waiting;
mod window;

use std::collections::hash_map::Entry;
use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;

use crate::clock::Timestamp;
use crate::event::{Heading, Recorded};
use crate::event_type::OWN_PREFIX;
use crate::id::{AccountNo, EventNo, SubscriptionNo};
use crate::store::history::{
    Delivery, DeliveryQuery, DeliveryStatus, EventQuery, Listed, NEWEST, Period, Place, Topics,
};
use crate::store::ledger::blocks::{EventReader, settlement_blocks};
use crate::store::ledger::chapters::attempts::{block_of, replayed_since};
use crate::store::ledger::chapters::events::Owner;
use crate::store::ledger::chapters::listing::{Wanted, events_of};
use crate::store::ledger::shared::{Shared, revived};
use crate::store::ledger::values::StoredEvent;
use crate::store::{Address, Error, Reader, Replayable};
use crate::subscription::{Status, Subscription};

use self::waiting::{Waiting, waiting_at};
use self::window::{Log, Window, has_succeeded, logs_of, made_of};

/// The most bytes of bodies that a list of events answers with; the rest is on the next page.
const LISTED_BYTES: usize = 8 << 20;
/// How many attempts of a delivery are shown: its newest. One that is replayed again and again has any number.
const LOG_SHOWN: usize = 100;
/// How many deliveries are looked at in one go at most, to find those of one status.
const WINDOW_LIMIT: usize = 4_096;

/// Some of an account's events.
pub fn events(shared: &Shared, query: &EventQuery) -> Result<Listed<Arc<Recorded>>, Error> {
    let (mut items, mut bytes) = (Vec::new(), 0);
    let more = walk(shared, query, |no, event| {
        if items.len() == query.limit || bytes > LISTED_BYTES {
            return Ok(false);
        }
        bytes += event.body_bytes();
        let event = event.load(no, &shared.seal).ok_or_else(|| Error::damaged("an event"))?;
        items.push(Arc::new(event));
        Ok(true)
    })?;
    Ok(Listed { items, more })
}

/// When the commit that recorded an event had become durable.
pub fn synced_at(shared: &Shared, event: EventNo) -> Result<Option<Timestamp>, Error> {
    let Some(commit) = EventReader::new(&shared.table, &shared.seal).commit(event)? else {
        return Ok(None);
    };
    let noted = shared.volatile().synced.iter().find(|synced| synced.commit == commit).copied();
    if let Some(noted) = noted {
        return Ok(Some(Timestamp(noted.at_ms)));
    }
    let mut found = None;
    settlement_blocks(&shared.table, commit, |block| {
        found = block.synced.iter().find(|synced| synced.commit == commit).copied();
        // They are written in order: a later one says that this one was lost with a crash.
        block.synced.iter().all(|synced| synced.commit < commit)
    })?;
    Ok(found.map(|found| Timestamp(found.at_ms)))
}

/// Some of an account's deliveries.
pub fn deliveries(shared: &Shared, query: &DeliveryQuery) -> Result<Listed<Delivery>, Error> {
    let mut records = Records::new(shared, query.account);
    match query.status {
        Some(DeliveryStatus::Pending | DeliveryStatus::Dead) => waiting::list(&mut records, query),
        Some(DeliveryStatus::Delivered) | None => list_all(&mut records, query),
    }
}

/// One delivery with its attempts.
pub fn delivery(shared: &Shared, at: Address, event: EventNo) -> Result<Option<Delivery>, Error> {
    let query = DeliveryQuery {
        account: at.account,
        subscription: Some(at.subscription),
        event: Some(event),
        topics: Topics::default(),
        hide_own: false,
        status: None,
        accepted: Period::ALWAYS,
        above: EventNo(0),
        below: NEWEST,
        limit: 1,
    };
    Ok(deliveries(shared, &query)?.items.pop())
}

/// The attempts made to deliver an event.
pub fn attempts(shared: &Shared, event: EventNo) -> Result<HashMap<SubscriptionNo, u16>, Error> {
    let made = made_of(shared, BTreeSet::from([event]), |_| true)?;
    Ok(made.into_iter().map(|((_, subscription), made)| (subscription, made)).collect())
}

/// The subscriptions that an event was replayed to.
pub fn replays(shared: &Shared, event: EventNo) -> Result<Vec<SubscriptionNo>, Error> {
    let since = EventReader::new(&shared.table, &shared.seal).commit(event)?.unwrap_or_default();
    let replayed = replayed_since(shared, since, |(of, _)| of == event)?;
    Ok(replayed.into_iter().map(|(_, subscription)| subscription).collect())
}

/// The block that holds an attempt to deliver an event.
pub fn attempt_block(shared: &Shared, place: Place, n: u16) -> Result<Option<u64>, Error> {
    let since = EventReader::new(&shared.table, &shared.seal).commit(place.0)?.unwrap_or_default();
    block_of(shared, place.0, since, |settled| settled.delivery() == place && settled.attempts() == n)
}

/// The events that a subscription wants, with the attempts made to deliver each; only those that it has not got and that
/// are not on their way, if what is `missing` is asked for.
pub fn replayable(
    shared: &Shared,
    subscription: &Subscription,
    query: &EventQuery,
    missing: bool,
) -> Result<Replayable, Error> {
    // Each with whether it matched when it was accepted.
    let mut wanted: Vec<(EventNo, bool)> = Vec::new();
    let more = walk(shared, query, |no, event| {
        let is_wanted = subscription.filter.has_type(event.event_type())
            && event.is_on_one_of(subscription.filter.channels())
            && !event.is_expunged()
            && subscription.condition.as_ref().is_none_or(|condition| condition.holds_of_bytes(event.data()));
        if is_wanted && wanted.len() == query.limit {
            return Ok(false);
        }
        let matched = || event.matched().any(|matched| matched == subscription.no);
        wanted.extend(is_wanted.then(|| (no, matched())));
        Ok(true)
    })?;
    // What waits is looked up before its attempts are, so that these have what was settled meanwhile.
    let mut waiting = HashMap::new();
    for (event, _) in wanted.iter().filter(|_| missing) {
        waiting.insert(*event, waiting_at(shared, (*event, subscription.no))?);
    }
    let more_below = wanted.last().map(|(event, _)| *event).filter(|_| more);
    let events = wanted.iter().map(|(event, _)| *event).collect();
    let logs = logs_of(shared, events, |(_, to)| to == subscription.no)?;
    let events = wanted.into_iter().filter_map(|(event, matched)| {
        let log = logs.get(&(event, subscription.no)).map(Vec::as_slice).unwrap_or_default();
        let is_there = match waiting.get(&event).copied().flatten() {
            Some(waiting) => waiting.is_live(subscription),
            None => has_succeeded(log).unwrap_or(matched),
        };
        let made = log.iter().map(|attempt| attempt.n).max().unwrap_or_default();
        (!missing || !is_there).then_some((event, made))
    });
    Ok(Replayable { events: events.collect(), more_below })
}

/// Hands the events that are asked for to `each`, newest first, until it returns `false`; says whether it did.
fn walk(
    shared: &Shared,
    query: &EventQuery,
    mut each: impl FnMut(EventNo, &StoredEvent<'_>) -> Result<bool, Error>,
) -> Result<bool, Error> {
    let mut stopped = false;
    let owner = Owner::Account(query.account);
    let listed =
        Wanted { owner, within: query.above.0.saturating_add(1)..query.below.0, accepted: query.accepted };
    events_of(shared, &listed, |no, event| {
        if query.accepted.begins_long_after(event.accepted_at()) {
            return Ok(false);
        }
        let wanted = event.account() == query.account
            && query
                .topics
                .include(event.event_type(), |channel| event.is_on_one_of(std::slice::from_ref(channel)))
            && !(query.hide_own && event.event_type().starts_with(OWN_PREFIX))
            && query.accepted.contains(event.accepted_at());
        stopped = wanted && !each(no, event)?;
        Ok(!stopped)
    })?;
    Ok(stopped)
}

/// Deliveries of any status, or those that were delivered.
fn list_all(records: &mut Records<'_>, query: &DeliveryQuery) -> Result<Listed<Delivery>, Error> {
    let mut found = Vec::new();
    let (mut below, mut size) = (query.below, query.limit + 1);
    loop {
        let window = Window::read(records, query, below, size)?;
        let (end, is_last) = (window.end, window.is_last);
        for delivery in judge(records, window)? {
            if query.status.is_none_or(|wanted| wanted == delivery.status) {
                found.push(delivery);
            }
        }
        if found.len() > query.limit || is_last {
            return Ok(Listed::of(found, query.limit));
        }
        (below, size) = (end, (size * 4).min(WINDOW_LIMIT.max(query.limit)));
    }
}

/// Says where each delivery of a window stands.
fn judge(records: &mut Records<'_>, window: Window) -> Result<Vec<Delivery>, Error> {
    let mut judged = Vec::with_capacity(window.found.len());
    for (place, found) in window.found.into_iter().rev() {
        let Some(subscription) = records.subscription(place.1)?.cloned() else {
            continue;
        };
        // What failed last and waits no more was a dead letter, and has expired.
        if found.waiting.is_some() || has_succeeded(&found.log).unwrap_or(found.matched) {
            judged.push(delivered(found.heading, subscription, found.waiting, found.log));
        }
    }
    Ok(judged)
}

fn delivered(event: Heading, subscription: Subscription, waiting: Option<Waiting>, mut log: Log) -> Delivery {
    log.sort_by_key(|attempt| attempt.n);
    log.drain(..log.len().saturating_sub(LOG_SHOWN));
    let made = log.last().map_or(0, |attempt| attempt.n);
    let (status, attempts, next_attempt_at) = match waiting {
        None => (DeliveryStatus::Delivered, made, None),
        Some(waiting) if !waiting.is_live(&subscription) => {
            (DeliveryStatus::Dead, made.max(waiting.attempts()), None)
        }
        Some(Waiting::First { .. }) => (DeliveryStatus::Pending, made, None),
        Some(Waiting::Retry(retry)) => {
            let due = revived(retry, &subscription).due;
            let due = (subscription.status == Status::Active).then_some(due);
            (DeliveryStatus::Pending, made.max(retry.attempts), due)
        }
    };
    Delivery { event, subscription, status, attempts, next_attempt_at, log }
}

/// The records of an account's subscriptions, each read once.
struct Records<'a> {
    shared: &'a Shared,
    account: AccountNo,
    known: HashMap<SubscriptionNo, Option<Subscription>>,
}

impl<'a> Records<'a> {
    fn new(shared: &'a Shared, account: AccountNo) -> Self {
        Self { shared, account, known: HashMap::new() }
    }

    /// The record of a subscription, if it is there and the account's.
    fn subscription(&mut self, no: SubscriptionNo) -> Result<Option<&Subscription>, Error> {
        let known = match self.known.entry(no) {
            Entry::Occupied(known) => known.into_mut(),
            Entry::Vacant(unknown) => {
                let at = Address { account: self.account, subscription: no };
                unknown.insert(self.shared.subscription(at)?)
            }
        };
        Ok(known.as_ref())
    }
}

/// Whether a delivery's event is among those that are asked for.
fn is_wanted(query: &DeliveryQuery, event: &Heading) -> bool {
    event.account == query.account
        && query.topics.include(event.event_type.as_str(), |channel| event.channels().contains(channel))
        && !(query.hide_own && event.event_type.is_own())
        && query.accepted.contains(event.accepted_at)
}

/// Whether a delivery may be among those that are asked for, going by its place.
fn is_in_scope(query: &DeliveryQuery, (event, subscription): Place) -> bool {
    event > query.above
        && query.event.is_none_or(|wanted| wanted == event)
        && query.subscription.is_none_or(|wanted| wanted == subscription)
}
