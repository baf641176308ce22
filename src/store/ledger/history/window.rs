//! A window: the deliveries of some neighbouring events, with their attempts.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use crate::attempt::Attempt;
use crate::event::Heading;
use crate::id::{EventNo, SubscriptionNo};
use crate::store::Error;
use crate::store::history::{DeliveryQuery, Place};
use crate::store::ledger::blocks::EventReader;
use crate::store::ledger::chapters::attempts::{attempts_of, replayed_since};
use crate::store::ledger::chapters::events::Owner;
use crate::store::ledger::chapters::listing::{Wanted, events_of};
use crate::store::ledger::shared::Shared;
use crate::store::ledger::values::SettledV2;

use super::waiting::{Waiting, waiting_at};
use super::{Records, is_in_scope, is_wanted};

/// The attempts of one delivery.
pub type Log = Vec<Attempt>;

/// The deliveries of some neighbouring events.
pub struct Window {
    pub found: BTreeMap<Place, Found>,
    /// Where the next window begins.
    pub end: Place,
    /// Whether there is no further window.
    pub is_last: bool,
}

/// What is known of a delivery before it is judged.
pub struct Found {
    pub heading: Heading,
    /// Whether its event matched when it was accepted.
    pub matched: bool,
    /// What it waits for; looked up before its attempts are, so that these have what was settled meanwhile.
    pub waiting: Option<Waiting>,
    pub log: Log,
}

impl Window {
    /// Reads the deliveries of events below `below`, at least `size` of them if there are so many, and their attempts.
    pub fn read(
        records: &mut Records<'_>,
        query: &DeliveryQuery,
        below: Place,
        size: usize,
    ) -> Result<Self, Error> {
        let mut window = Self::matches(records, query, below, size)?;
        window.add_replayed(records, query, below)?;
        for (place, found) in &mut window.found {
            found.waiting = waiting_at(records.shared, *place)?;
        }
        let events = window.found.keys().map(|(event, _)| *event).collect();
        let mut logs = logs_of(records.shared, events, |place| window.found.contains_key(&place))?;
        for (place, found) in &mut window.found {
            found.log = logs.remove(place).unwrap_or_default();
        }
        Ok(window)
    }

    fn matches(
        records: &mut Records<'_>,
        query: &DeliveryQuery,
        below: Place,
        size: usize,
    ) -> Result<Self, Error> {
        let mut window = Self { found: BTreeMap::new(), end: (EventNo(0), SubscriptionNo(0)), is_last: true };
        let shared = records.shared;
        let newest = query.event.map_or(below.0, |event| event.min(below.0));
        let oldest = query.event.map_or(query.above.0.saturating_add(1), |event| event.0);
        let owner = query.subscription.map_or(Owner::Account(query.account), Owner::Subscription);
        let listed = Wanted { owner, within: oldest..newest.0.saturating_add(1), accepted: query.accepted };
        events_of(shared, &listed, |no, event| {
            if query.accepted.begins_long_after(event.accepted_at()) {
                return Ok(false);
            }
            if event.account() == query.account {
                let heading = event.heading(no, &shared.seal)?;
                let matched = event.matched().map(|subscription| (no, subscription));
                let matched = matched.filter(|place| *place < below);
                window.add_matches(records, query, heading, matched, size)?;
            }
            Ok(window.is_last)
        })?;
        Ok(window)
    }

    /// Adds the matches of one event, up to `size` in all; if that is reached, the window ends there.
    fn add_matches(
        &mut self,
        records: &mut Records<'_>,
        query: &DeliveryQuery,
        heading: Heading,
        matched: impl Iterator<Item = Place>,
        size: usize,
    ) -> Result<(), Error> {
        if !is_wanted(query, &heading) {
            return Ok(());
        }
        let in_scope: Vec<Place> = matched.filter(|place| is_in_scope(query, *place)).collect();
        for place in in_scope.into_iter().rev() {
            if records.subscription(place.1)?.is_none() {
                continue;
            }
            let found = Found { heading: heading.clone(), matched: true, waiting: None, log: Log::new() };
            self.found.insert(place, found);
            if self.found.len() >= size {
                (self.end, self.is_last) = (place, false);
                break;
            }
        }
        Ok(())
    }

    /// Adds the deliveries that came about by a replay alone.
    fn add_replayed(
        &mut self,
        records: &mut Records<'_>,
        query: &DeliveryQuery,
        below: Place,
    ) -> Result<(), Error> {
        let (shared, end) = (records.shared, self.end);
        let mut events = EventReader::new(&shared.table, &shared.seal);
        let since = events.commit(query.event.unwrap_or(end.0))?.unwrap_or_default();
        let is_within = |place: Place| end <= place && place < below && is_in_scope(query, place);
        for place in replayed_since(shared, since, is_within)? {
            if !self.found.contains_key(&place)
                && records.subscription(place.1)?.is_some()
                && let Some(heading) = events.heading(place.0)?.filter(|heading| is_wanted(query, heading))
            {
                self.found.insert(place, Found { heading, matched: false, waiting: None, log: Log::new() });
            }
        }
        Ok(())
    }
}

/// Whether the last attempt succeeded, if there was one.
pub fn has_succeeded(log: &[Attempt]) -> Option<bool> {
    log.iter().max_by_key(|attempt| attempt.n).map(|last| last.outcome.is_success())
}

/// The attempts that were made of those deliveries of some events that are wanted.
pub fn logs_of(
    shared: &Shared,
    events: BTreeSet<EventNo>,
    is_wanted: impl Fn(Place) -> bool,
) -> Result<BTreeMap<Place, Log>, Error> {
    let mut logs: BTreeMap<Place, Log> = BTreeMap::new();
    attempts_at(shared, &events, |settled| {
        if is_wanted(settled.delivery()) {
            logs.entry(settled.delivery()).or_default().push(settled.attempt());
        }
    })?;
    Ok(logs)
}

/// How many attempts were made to deliver some events to those subscriptions that are wanted.
pub fn made_of(
    shared: &Shared,
    events: BTreeSet<EventNo>,
    is_wanted: impl Fn(SubscriptionNo) -> bool,
) -> Result<HashMap<Place, u16>, Error> {
    let mut made: HashMap<Place, u16> = HashMap::new();
    attempts_at(shared, &events, |settled| {
        if is_wanted(settled.delivery().1) {
            let made = made.entry(settled.delivery()).or_default();
            *made = settled.attempts().max(*made);
        }
    })?;
    Ok(made)
}

fn attempts_at(
    shared: &Shared,
    events: &BTreeSet<EventNo>,
    each: impl FnMut(SettledV2),
) -> Result<(), Error> {
    let Some(oldest) = events.first() else {
        return Ok(());
    };
    let commit = EventReader::new(&shared.table, &shared.seal).commit(*oldest)?.unwrap_or_default();
    attempts_of(shared, events, commit, each)
}
