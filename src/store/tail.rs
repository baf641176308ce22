//! The tail: the half of the ledger that is in memory. Every event from the cursor on, with the set of its matches
//! that are neither settled nor parked.
//!
//! Closing a match twice changes nothing. The tail is bounded by who owns it: what is old is parked and closed.

use std::collections::VecDeque;
use std::sync::Arc;

use smallvec::{SmallVec, smallvec};

use crate::clock::Timestamp;
use crate::event::Recorded;
use crate::id::{EventNo, SubscriptionNo};
use crate::subscription::{Generation, Match};

/// The events from the cursor on.
#[derive(Debug)]
pub struct Tail {
    /// The number of the first entry.
    first: EventNo,
    entries: VecDeque<Entry>,
    /// Bytes of the events that are held.
    bytes: usize,
}

/// Up to where everything is settled or parked: the first event that is not, and the commit that recorded it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Cursor {
    pub event: EventNo,
    pub commit: u64,
}

#[derive(Debug)]
struct Entry {
    /// `None` once every match is closed.
    event: Option<Arc<Recorded>>,
    /// A bit for each match, set while it is open.
    open: SmallVec<[u64; 1]>,
    /// How many are open.
    left: usize,
    commit: u64,
    /// When it was pushed.
    since: Timestamp,
}

impl Tail {
    /// An empty tail that begins with the event `first`.
    pub fn new(first: EventNo) -> Self {
        Self { first, entries: VecDeque::new(), bytes: 0 }
    }

    /// The number that the next event gets.
    pub fn next(&self) -> EventNo {
        EventNo(self.first.0 + self.entries.len() as u64)
    }

    /// Adds the next event, all its matches open, at a moment of the steady clock.
    pub fn push(&mut self, event: Arc<Recorded>, commit: u64, now: Timestamp) {
        debug_assert_eq!(event.no, self.next());
        let matches = event.matches.len();
        let mut open: SmallVec<[u64; 1]> = smallvec![u64::MAX; matches.div_ceil(64)];
        if let Some(last) = open.last_mut()
            && !matches.is_multiple_of(64)
        {
            *last = (1 << (matches % 64)) - 1;
        }
        self.bytes += if matches > 0 { weight(&event) } else { 0 };
        let event = (matches > 0).then_some(event);
        self.entries.push_back(Entry { event, open, left: matches, commit, since: now });
        self.trim();
    }

    /// Closes the match of `event` with `subscription`; says whether it was open.
    pub fn close(&mut self, event: EventNo, subscription: SubscriptionNo) -> bool {
        let Some(index) = self.index_of_match(event, subscription) else {
            return false;
        };
        self.close_at(event, index)
    }

    /// Closes the match of `event` at `index` of its matches; says whether it was open.
    pub fn close_at(&mut self, event: EventNo, index: usize) -> bool {
        let Some(entry) = event.0.checked_sub(self.first.0).and_then(|at| self.entries.get_mut(at as usize))
        else {
            return false;
        };
        if !entry.is_open(index) {
            return false;
        }
        entry.open[index / 64] &= !(1 << (index % 64));
        entry.left -= 1;
        if entry.left == 0 {
            let event = entry.event.take();
            self.bytes -= event.map_or(0, |event| weight(&event));
            self.trim();
        }
        true
    }

    /// An event with open matches, by its number.
    pub fn event(&self, no: EventNo) -> Option<&Arc<Recorded>> {
        let index = no.0.checked_sub(self.first.0)?;
        self.entries.get(index as usize)?.event.as_ref()
    }

    /// The open matches of a subscription behind `after`, oldest first.
    pub fn open_of(
        &self,
        subscription: SubscriptionNo,
        after: EventNo,
    ) -> impl DoubleEndedIterator<Item = (&Arc<Recorded>, Generation)> {
        let skip = after.0.saturating_add(1).saturating_sub(self.first.0) as usize;
        self.entries.range(skip.min(self.entries.len())..).filter_map(move |entry| {
            let event = entry.event.as_ref()?;
            let index = position(&event.matches, subscription)?;
            entry.is_open(index).then_some((event, event.matches[index].generation))
        })
    }

    /// The events that are to be parked, oldest first: those pushed before `before`, and as many more as leave no more
    /// than `bytes` held.
    pub fn overdue(&self, before: Timestamp, bytes: usize) -> impl Iterator<Item = &Arc<Recorded>> {
        let mut held = self.bytes;
        let events = self.entries.iter().filter_map(|entry| Some((entry.event.as_ref()?, entry.since)));
        let overdue = events.take_while(move |(event, since)| {
            let overdue = *since < before || held > bytes;
            held -= weight(event);
            overdue
        });
        overdue.map(|(event, _)| event)
    }

    /// In which generation the match of `event` with `subscription` was made, if it is open.
    pub fn open_generation(&self, event: EventNo, subscription: SubscriptionNo) -> Option<Generation> {
        let event = self.event(event)?;
        let index = self.open_match(event, subscription)?;
        Some(event.matches[index].generation)
    }

    /// The open matches of an event, by their index.
    pub fn open_matches(&self, event: EventNo) -> impl Iterator<Item = usize> + '_ {
        let entry = event.0.checked_sub(self.first.0).and_then(|at| self.entries.get(at as usize));
        entry.into_iter().flat_map(|entry| {
            let matches = entry.event.as_ref().map_or(0, |event| event.matches.len());
            (0..matches).filter(|index| entry.is_open(*index))
        })
    }

    /// Where the match of an event with a subscription is, if it is open.
    pub fn open_match(&self, event: &Recorded, subscription: SubscriptionNo) -> Option<usize> {
        let entry = self.entries.get(event.no.0.checked_sub(self.first.0)? as usize)?;
        position(&event.matches, subscription).filter(|index| entry.is_open(*index))
    }

    /// Bytes of the events that are held, as they weigh on recovery and parking.
    pub fn bytes(&self) -> usize {
        self.bytes
    }

    /// Every open match, oldest event first.
    pub fn open(&self) -> impl Iterator<Item = (&Arc<Recorded>, Match)> {
        self.entries.iter().flat_map(Entry::open)
    }

    /// The open matches of the events from `from` on, of as many whole events as it takes to have `count`.
    pub fn open_from(&self, from: EventNo, count: usize) -> Vec<(Arc<Recorded>, Match)> {
        let mut found: Vec<(Arc<Recorded>, Match)> = Vec::new();
        let skip = (from.0.saturating_sub(self.first.0) as usize).min(self.entries.len());
        for entry in self.entries.range(skip..) {
            if found.len() >= count {
                break;
            }
            found.extend(entry.open().map(|(event, matched)| (event.clone(), matched)));
        }
        found
    }

    /// The cursor, when the next commit has the number `commit`.
    pub fn cursor(&self, commit: u64) -> Cursor {
        Cursor { event: self.first, commit: self.entries.front().map_or(commit, |entry| entry.commit) }
    }

    fn index_of_match(&self, event: EventNo, subscription: SubscriptionNo) -> Option<usize> {
        position(&self.event(event)?.matches, subscription)
    }

    fn trim(&mut self) {
        while self.entries.front().is_some_and(|entry| entry.event.is_none()) {
            self.entries.pop_front();
            self.first = self.first.next();
        }
    }
}

impl Entry {
    /// Its open matches.
    fn open(&self) -> impl Iterator<Item = (&Arc<Recorded>, Match)> {
        self.event.iter().flat_map(move |event| {
            let open = event.matches.iter().enumerate().filter(|(index, _)| self.is_open(*index));
            open.map(move |(_, matched)| (event, *matched))
        })
    }

    fn is_open(&self, index: usize) -> bool {
        self.open.get(index / 64).is_some_and(|word| word >> (index % 64) & 1 == 1)
    }
}

/// What an event weighs: its body, itself and its entry, and some bytes for each match to be parked or settled.
fn weight(event: &Recorded) -> usize {
    event.body.bytes.len() + size_of::<Recorded>() + size_of::<Entry>() + 8 * event.matches.len()
}

fn position(matches: &[Match], subscription: SubscriptionNo) -> Option<usize> {
    matches.binary_search_by_key(&subscription, |matched| matched.subscription).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: Timestamp = Timestamp(1_000);

    fn event(no: u64, subscriptions: impl IntoIterator<Item = u64>) -> Arc<Recorded> {
        let matched = |no| Match { subscription: SubscriptionNo(no), generation: Generation(0) };
        Recorded::numbered(no, Arc::new(subscriptions.into_iter().map(matched).collect()))
    }

    #[test]
    fn the_cursor_stands_at_the_oldest_event_with_an_open_match() {
        let mut tail = Tail::new(EventNo(1));
        tail.push(event(1, []), 1, NOW);
        tail.push(event(2, [7, 9]), 1, NOW);
        tail.push(event(3, [7]), 2, NOW);
        assert_eq!(tail.cursor(3), Cursor { event: EventNo(2), commit: 1 });
        assert!(tail.close(EventNo(3), SubscriptionNo(7)));
        assert!(tail.close(EventNo(2), SubscriptionNo(7)));
        assert_eq!(tail.cursor(3).event, EventNo(2));
        assert!(tail.close(EventNo(2), SubscriptionNo(9)));
        assert_eq!(tail.cursor(3), Cursor { event: EventNo(4), commit: 3 });
        assert_eq!(tail.bytes, 0);
    }

    #[test]
    fn closing_twice_changes_nothing() {
        let mut tail = Tail::new(EventNo(1));
        tail.push(event(1, [1, 2]), 1, NOW);
        assert!(tail.close(EventNo(1), SubscriptionNo(1)));
        assert!(!tail.close(EventNo(1), SubscriptionNo(1)));
        assert!(!tail.close(EventNo(1), SubscriptionNo(3)));
        assert!(!tail.close(EventNo(9), SubscriptionNo(1)));
    }

    #[test]
    fn a_subscription_sees_its_own_open_matches_in_order() {
        let mut tail = Tail::new(EventNo(5));
        (5..200).for_each(|no| tail.push(event(no, [no % 3, 100]), 1, NOW));
        tail.close(EventNo(8), SubscriptionNo(2));
        let seen: Vec<u64> =
            tail.open_of(SubscriptionNo(2), EventNo(5)).map(|(event, _)| event.no.0).collect();
        let expected: Vec<u64> = (6..200).filter(|no| no % 3 == 2 && *no != 8).collect();
        assert_eq!(seen, expected);
    }

    #[test]
    fn open_matches_come_in_steps_of_whole_events() {
        let mut tail = Tail::new(EventNo(5));
        (5..9).for_each(|no| tail.push(event(no, 0..3), 1, NOW));
        tail.close(EventNo(6), SubscriptionNo(1));
        let step = |from: u64, count| {
            let open = tail.open_from(EventNo(from), count);
            open.iter().map(|(event, matched)| (event.no.0, matched.subscription.0)).collect::<Vec<_>>()
        };
        assert_eq!(step(0, 4), [(5, 0), (5, 1), (5, 2), (6, 0), (6, 2)]);
        assert_eq!(step(8, 4), [(8, 0), (8, 1), (8, 2)]);
        assert_eq!(step(9, 4), []);
    }

    #[test]
    fn more_than_sixty_four_matches_have_a_bit_each() {
        let mut tail = Tail::new(EventNo(1));
        tail.push(event(1, 0..130), 1, NOW);
        assert_eq!(tail.open().count(), 130);
        (0..130).for_each(|no| assert!(tail.close(EventNo(1), SubscriptionNo(no))));
        assert_eq!(tail.next(), EventNo(2));
        assert_eq!(tail.cursor(1).event, EventNo(2));
    }
}
