//! A window: the deliveries of some neighbouring events, with the attempts that were settled since.

use std::collections::{BTreeMap, HashMap};

use crate::attempt::Attempt;
use crate::event::Heading;
use crate::id::{EventNo, SubscriptionNo};
use crate::store::Error;
use crate::store::history::{DeliveryQuery, Place};
use crate::store::ledger::blocks::{EventReader, event_blocks_backwards, settlement_blocks};
use crate::store::ledger::shared::Shared;

use super::waiting::{Waiting, waiting_at};
use super::{Records, is_in_scope, is_long_before, is_wanted};

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
    /// Reads the matches of events below `below`, at least `size` of them if there are so many, and their attempts.
    pub fn read(
        records: &mut Records<'_>,
        query: &DeliveryQuery,
        below: Place,
        size: usize,
    ) -> Result<Self, Error> {
        let (mut window, oldest) = Self::matches(records, query, below, size)?;
        for (place, found) in &mut window.found {
            found.waiting = waiting_at(records.shared, *place)?;
        }
        if let Some(oldest) = oldest {
            window.add_attempts(records, query, below, oldest)?;
        }
        Ok(window)
    }

    /// The matches, and the oldest event that was looked at.
    fn matches(
        records: &mut Records<'_>,
        query: &DeliveryQuery,
        below: Place,
        size: usize,
    ) -> Result<(Self, Option<EventNo>), Error> {
        let mut window = Self { found: BTreeMap::new(), end: (EventNo(0), SubscriptionNo(0)), is_last: true };
        let (mut oldest, shared) = (None, records.shared);
        let newest = query.event.map_or(below.0, |event| event.min(below.0));
        event_blocks_backwards(&shared.tree, newest, |first, block| {
            for (no, event) in block.newest_first(first).filter(|(no, _)| *no <= newest) {
                if query.event.is_some_and(|wanted| no < wanted)
                    || is_long_before(event.accepted_at(), query.accepted)
                {
                    return Ok(false);
                }
                oldest = Some(no);
                if event.account() == query.account {
                    let heading = event.heading(no, &shared.seal)?;
                    let matched = event.matched().map(|subscription| (no, subscription));
                    window.add_matches(
                        records,
                        query,
                        heading,
                        matched.filter(|place| *place < below),
                        size,
                    )?;
                }
                if !window.is_last {
                    return Ok(false);
                }
            }
            Ok(true)
        })?;
        Ok((window, oldest))
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

    /// Adds the attempts, and the deliveries that came about by a replay alone.
    fn add_attempts(
        &mut self,
        records: &mut Records<'_>,
        query: &DeliveryQuery,
        below: Place,
        oldest: EventNo,
    ) -> Result<(), Error> {
        let shared = records.shared;
        let end = self.end.max((oldest, SubscriptionNo(0)));
        let is_within = |place: Place| end <= place && place < below && is_in_scope(query, place);
        let mut events = EventReader::new(&shared.tree, &shared.seal);
        let mut logs = logs_since(shared, oldest, is_within)?;
        let mut may_have_ended = false;
        for (place, log) in &logs {
            if !self.found.contains_key(place)
                && records.subscription(place.1)?.is_some()
                && let Some(heading) = events.heading(place.0)?.filter(|heading| is_wanted(query, heading))
            {
                let waiting = waiting_at(shared, *place)?;
                may_have_ended |= waiting.is_none() && has_succeeded(log) != Some(true);
                self.found.insert(*place, Found { heading, matched: false, waiting, log: Log::new() });
            }
        }
        // If one has, then with an attempt that was settled since they were read.
        if may_have_ended {
            logs = logs_since(shared, oldest, is_within)?;
        }
        for (place, log) in logs {
            if let Some(found) = self.found.get_mut(&place) {
                found.log = log;
            }
        }
        Ok(())
    }
}

/// Whether the last attempt succeeded, if there was one.
pub fn has_succeeded(log: &[Attempt]) -> Option<bool> {
    log.iter().max_by_key(|attempt| attempt.n).map(|last| last.outcome.is_success())
}

/// The attempts of deliveries that were settled since an event was recorded, and those that were replayed without one.
pub fn logs_since(
    shared: &Shared,
    oldest: EventNo,
    is_wanted: impl Fn(Place) -> bool,
) -> Result<BTreeMap<Place, Log>, Error> {
    let mut logs: BTreeMap<Place, Log> = BTreeMap::new();
    let commit = EventReader::new(&shared.tree, &shared.seal).commit(oldest)?.unwrap_or_default();
    settlement_blocks(&shared.tree, commit, |block| {
        for replayed in block.replayed {
            let place = (EventNo(replayed.event), SubscriptionNo(replayed.subscription));
            if is_wanted(place) {
                logs.entry(place).or_default();
            }
        }
        for settled in block.settled {
            let place = settled.delivery();
            if is_wanted(place) {
                logs.entry(place).or_default().push(settled.attempt());
            }
        }
        true
    })?;
    Ok(logs)
}

/// How many attempts were made for each of the deliveries that are wanted, of events from `oldest` on.
pub fn attempts_since(
    shared: &Shared,
    oldest: EventNo,
    is_wanted: impl Fn(Place) -> bool,
) -> Result<HashMap<Place, u16>, Error> {
    let mut made: HashMap<Place, u16> = HashMap::new();
    let commit = EventReader::new(&shared.tree, &shared.seal).commit(oldest)?.unwrap_or_default();
    settlement_blocks(&shared.tree, commit, |block| {
        for settled in &block.settled {
            let place = settled.delivery();
            if is_wanted(place) {
                let made = made.entry(place).or_default();
                *made = settled.attempts().max(*made);
            }
        }
        true
    })?;
    Ok(made)
}
