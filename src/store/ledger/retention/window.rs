//! The window of a pass: neighbouring event blocks that are to expire, and what of them is to be kept.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::ops::Range;

use crate::id::{EventNo, SubscriptionNo};
use crate::store::Error;
use crate::store::history::Place;
use crate::store::ledger::blocks::{get, numbers, rows_of};
use crate::store::ledger::idempotency::KnownKeys;
use crate::store::ledger::keys::Block;
use crate::store::ledger::retention::{STEP_ROWS, Step};
use crate::store::ledger::values::{EventBlock, StoredEvent};
use crate::subscription::{Generation, Match};

/// How many blocks a window has at most; each window costs a survey of all that waits.
const BLOCKS: usize = if cfg!(test) { 5 } else { 1_024 };
/// How many deliveries a window may know of before it is halved.
const KNOWN: usize = if cfg!(test) { 6 } else { 1 << 18 };

/// Blocks that are to expire.
#[derive(Debug)]
pub struct Window {
    blocks: VecDeque<Chosen>,
    /// Deliveries to come.
    kept: BTreeMap<Place, Generation>,
    /// Dead letters, as they were when they were looked at.
    dead: BTreeSet<Place>,
    /// Events that nothing is taken from, since their idempotency keys are remembered.
    promised: BTreeSet<EventNo>,
    /// Behind its last event.
    end: u64,
    /// Whether what follows is not to expire yet.
    last: bool,
    bytes: u64,
}

/// A block of a window.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Chosen {
    pub first: u64,
    pub events: u64,
    pub bytes: usize,
}

/// How far the choice of a window's blocks is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Extent {
    Growing,
    Whole,
}

impl Window {
    /// An empty window at this event.
    pub fn beginning_at(event: u64) -> Self {
        Self {
            blocks: VecDeque::new(),
            kept: BTreeMap::new(),
            dead: BTreeSet::new(),
            promised: BTreeSet::new(),
            end: event,
            last: false,
            bytes: 0,
        }
    }

    pub fn is_empty(&self) -> bool {
        self.blocks.is_empty()
    }

    /// Whether what follows is not to expire yet.
    pub fn is_last(&self) -> bool {
        self.last
    }

    /// The number behind its last event.
    pub fn end(&self) -> u64 {
        self.end
    }

    /// The numbers between its first and its last event.
    pub fn events(&self) -> Range<u64> {
        self.blocks.front().map_or(self.end, |block| block.first)..self.end
    }

    /// Whether this event and its deliveries must stay as they are.
    pub fn is_promised(&self, event: EventNo) -> bool {
        self.promised.contains(&event)
    }

    /// Takes note of a delivery to come.
    pub fn keep(&mut self, event: EventNo, subscription: SubscriptionNo, generation: Generation) {
        if self.events().contains(&event.0) {
            self.kept.insert((event, subscription), generation);
            self.bound();
        }
    }

    /// Takes note of a dead letter.
    pub fn bury(&mut self, event: EventNo, subscription: SubscriptionNo) {
        self.dead.insert((event, subscription));
        self.bound();
    }

    /// Takes note that a delivery is not to come after all.
    pub fn give_up(&mut self, event: EventNo, subscription: SubscriptionNo) {
        self.kept.remove(&(event, subscription));
    }

    /// Takes one of the dead letters of its oldest block.
    pub fn take_dead(&mut self) -> Option<Place> {
        let end = self.blocks.front()?.end();
        self.dead.first().filter(|(event, _)| event.0 < end)?;
        self.dead.pop_first()
    }

    /// The deliveries of an event that are to come, by subscription.
    pub fn kept_of(&self, event: EventNo) -> impl Iterator<Item = Match> {
        let deliveries = (event, SubscriptionNo(0))..=(event, SubscriptionNo(u64::MAX));
        let kept = self.kept.range(deliveries);
        kept.map(|((_, subscription), generation)| Match {
            subscription: *subscription,
            generation: *generation,
        })
    }

    /// Whether an event is to be kept.
    pub fn keeps(&self, event: EventNo) -> bool {
        self.is_promised(event) || self.kept_of(event).next().is_some()
    }

    /// Whether nothing of a block is to be kept.
    pub fn spares_nothing_of(&self, block: Chosen) -> bool {
        let (first, end) = (EventNo(block.first), EventNo(block.end()));
        self.promised.range(first..end).next().is_none()
            && self.kept.range((first, SubscriptionNo(0))..(end, SubscriptionNo(0))).next().is_none()
    }

    /// Takes the oldest of its blocks.
    pub fn take(&mut self) -> Option<Chosen> {
        self.blocks.pop_front()
    }

    /// Halves the window if it knows of more than it may.
    fn bound(&mut self) {
        if self.kept.len() + self.dead.len() <= KNOWN || self.blocks.len() < 2 {
            return;
        }
        self.blocks.truncate(self.blocks.len().div_ceil(2));
        self.end = self.blocks.back().map_or(self.end, Chosen::end);
        self.last = false;
        let end = EventNo(self.end);
        drop(self.kept.split_off(&(end, SubscriptionNo(0))));
        drop(self.dead.split_off(&(end, SubscriptionNo(0))));
        drop(self.promised.split_off(&end));
    }
}

impl Chosen {
    /// The number behind its last event.
    pub fn end(&self) -> u64 {
        self.first + self.events
    }
}

impl Step<'_> {
    /// Adds to a window what follows it and is to expire, some blocks at a time.
    pub fn choose(&self, window: &mut Window) -> Result<Extent, Error> {
        let (cursor, held) = {
            let volatile = self.shared.volatile();
            (volatile.tail.cursor(self.next_commit).event.0, volatile.bytes)
        };
        let mut read = 0;
        for first in numbers(&self.shared.table, Block::Events, window.end) {
            let first = first?;
            let Some(bytes) = get(&self.shared.table, Block::Events, first)? else {
                continue;
            };
            let block = EventBlock::decode(&bytes)?;
            let end = first + block.events.len() as u64;
            let expires = self.excess(held.saturating_sub(window.bytes)) > 0
                || block.events.iter().all(|event| self.is_old(event.accepted_at()));
            if end > cursor || !expires {
                // Much of the window may have to be kept: then more is to expire instead.
                window.last = end > cursor || self.excess(held) == 0 || window.is_empty();
                return Ok(Extent::Whole);
            }
            self.add(window, first, &block, bytes.len());
            read += rows_of(bytes.len());
            if window.blocks.len() >= BLOCKS {
                return Ok(Extent::Whole);
            }
            if read >= STEP_ROWS {
                return Ok(Extent::Growing);
            }
        }
        window.last = true;
        Ok(Extent::Whole)
    }

    /// The commit of the first event from `event` on; without one below the cursor, the cursor's.
    pub fn commit_at(&self, event: u64) -> Result<u64, Error> {
        let cursor = self.shared.volatile().tail.cursor(self.next_commit);
        for first in numbers(&self.shared.table, Block::Events, event) {
            if let Some(bytes) = get(&self.shared.table, Block::Events, first?)? {
                return Ok(EventBlock::decode(&bytes)?.commit.min(cursor.commit));
            }
        }
        Ok(cursor.commit)
    }

    fn add(&self, window: &mut Window, first: u64, block: &EventBlock<'_>, bytes: usize) {
        let is_promised = |event: &StoredEvent<'_>| {
            event.idempotency().is_some() && KnownKeys::is_remembered(event.accepted_at(), self.now)
        };
        let events = block.events.len() as u64;
        window.end = first + events;
        if window.is_empty() && block.events.iter().all(is_promised) {
            // Nothing of it will go: the window begins behind it.
            return;
        }
        let promised = (first..).zip(&block.events).filter(|(_, event)| is_promised(event));
        window.promised.extend(promised.map(|(no, _)| EventNo(no)));
        window.blocks.push_back(Chosen { first, events, bytes });
        window.bytes += bytes as u64;
    }
}
