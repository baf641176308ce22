//! What waits: deliveries that are pending or dead, wherever they wait.

use std::collections::BTreeMap;

use crate::event::Heading;
use crate::id::{EventNo, SubscriptionNo};
use crate::store::history::{Delivery, DeliveryQuery, DeliveryStatus, Listed, Order, Place};
use crate::store::ledger::blocks::EventReader;
use crate::store::ledger::keys::Pair;
use crate::store::ledger::pages::{page_of, pages_backwards};
use crate::store::ledger::shared::Shared;
use crate::store::ledger::values::Value;
use crate::store::{Error, Reader, Retry};
use crate::subscription::{Generation, Subscription};

use super::window::logs_of;
use super::{Records, delivered, is_in_scope, is_wanted};

/// What a delivery waits for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Waiting {
    First { generation: Generation },
    Retry(Retry),
}

impl Waiting {
    /// The life of its subscription in which it began to wait.
    pub fn generation(self) -> Generation {
        match self {
            Self::First { generation } => generation,
            Self::Retry(retry) => retry.generation,
        }
    }

    /// Whether it is still to be delivered; else it is a dead letter.
    pub fn is_live(self, subscription: &Subscription) -> bool {
        match self {
            Self::First { generation } => subscription.is_live(generation),
            Self::Retry(retry) => retry.is_live(subscription),
        }
    }

    /// Attempts made before.
    pub fn attempts(self) -> u16 {
        match self {
            Self::First { .. } => 0,
            Self::Retry(retry) => retry.attempts,
        }
    }
}

/// What a delivery waits for, if it does.
///
/// The tail is asked first: what leaves it has its row by then.
pub fn waiting_at(shared: &Shared, (event, subscription): Place) -> Result<Option<Waiting>, Error> {
    let in_tail = shared.volatile().tail.open_generation(event, subscription);
    if let Some(generation) = in_tail {
        return Ok(Some(Waiting::First { generation }));
    }
    let row = shared.table.get(Pair::Retry.key(subscription, event))?;
    if let Some(row) = row {
        return Retry::decode(&row, event).map(|retry| Some(Waiting::Retry(retry)));
    }
    let page = page_of(&shared.table, subscription, event)?;
    let generation = page.and_then(|page| page.generation(event));
    Ok(generation.map(|generation| Waiting::First { generation }))
}

/// Hands what waits for a subscription below `below` to `each`: three runs, each newest first, which end when it
/// returns `false`.
pub fn waiting_of(
    shared: &Shared,
    subscription: SubscriptionNo,
    below: EventNo,
    mut each: impl FnMut(EventNo, Waiting) -> Result<bool, Error>,
) -> Result<(), Error> {
    let in_tail: Vec<(EventNo, Generation)> = {
        let volatile = shared.volatile();
        let open = volatile.tail.open_of(subscription, EventNo(0)).rev();
        open.map(|(event, generation)| (event.no, generation)).collect()
    };
    for (event, generation) in in_tail.into_iter().filter(|(event, _)| *event < below) {
        if !each(event, Waiting::First { generation })? {
            break;
        }
    }
    'pages: for page in pages_backwards(&shared.table, subscription, below) {
        let page = page?;
        for (event, generation) in page.waiting().rev().filter(|(event, _)| *event < below) {
            if !each(event, Waiting::First { generation })? {
                break 'pages;
            }
        }
    }
    for retry in shared.retries_below(subscription, below) {
        let retry = retry?;
        if !each(retry.event, Waiting::Retry(retry))? {
            break;
        }
    }
    Ok(())
}

/// The newest deliveries that are pending, or dead.
pub(super) fn list(records: &mut Records<'_>, query: &DeliveryQuery) -> Result<Listed<Delivery>, Error> {
    let newest = newest(records, query)?;
    let shared = records.shared;
    let attempted = newest.iter().filter(|(_, (_, waiting))| matches!(waiting, Waiting::Retry(_)));
    let mut logs = logs_of(shared, attempted.map(|((event, _), _)| *event).collect(), |place| {
        newest.contains_key(&place)
    })?;
    let mut listed = Vec::with_capacity(newest.len());
    for (place, (heading, waiting)) in newest.into_iter().rev() {
        if let Some(subscription) = records.subscription(place.1)?.cloned() {
            let log = logs.remove(&place).unwrap_or_default();
            listed.push(delivered(heading, subscription, Some(waiting), log));
        }
    }
    Ok(Listed::of(listed, query.limit))
}

/// One more than are asked for, by place.
fn newest(
    records: &mut Records<'_>,
    query: &DeliveryQuery,
) -> Result<BTreeMap<Place, (Heading, Waiting)>, Error> {
    let mut newest: BTreeMap<Place, (Heading, Waiting)> = BTreeMap::new();
    let (shared, wants_dead) = (records.shared, query.status == Some(DeliveryStatus::Dead));
    let mut events = EventReader::new(&shared.table, &shared.seal);
    for subscription in subscriptions(records, query)? {
        let below = EventNo(query.below.0.0.saturating_add(1));
        waiting_of(shared, subscription.no, below, |event, waiting| {
            let place = (event, subscription.no);
            let is_full = newest.len() > query.limit;
            if is_full && newest.first_key_value().is_some_and(|(last, _)| place <= *last) {
                return Ok(false);
            }
            let is_dead = !waiting.is_live(&subscription);
            if place >= query.below || is_dead != wants_dead || !is_in_scope(query, place) {
                return Ok(true);
            }
            if let Some(heading) = events.heading(event)?.filter(|heading| is_wanted(query, heading)) {
                newest.insert(place, (heading, waiting));
                if newest.len() > query.limit + 1 {
                    newest.pop_first();
                }
            }
            Ok(true)
        })?;
    }
    Ok(newest)
}

fn subscriptions(records: &mut Records<'_>, query: &DeliveryQuery) -> Result<Vec<Subscription>, Error> {
    if let Some(no) = query.subscription {
        return Ok(records.subscription(no)?.cloned().into_iter().collect());
    }
    let mut all = Vec::new();
    // Whatever they want now: what waits may be from when they wanted something else.
    records.shared.subscriptions(query.account, Order::Descending, None, &mut |one| {
        all.push(one);
        true
    })?;
    Ok(all)
}
