//! Expunging: what an event says, or what a receiver answered, goes before its time. The block that holds it is written
//! anew without it; the room of the old one is free once the log is cleaned.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use crate::event::Recorded;
use crate::id::{EventNo, SubscriptionNo};
use crate::store::history::Place as Delivered;
use crate::store::ledger::blocks::{delete, get, last_at_or_below, put, settlement_blocks};
use crate::store::ledger::keys::{self, Block, Pair};
use crate::store::ledger::popular::Popular;
use crate::store::ledger::rows::Rows;
use crate::store::ledger::table::Table;
use crate::store::ledger::values::{EventBlock, Moved, SettlementBlock, Value};
use crate::store::{Address, Answer, Error, Expunge, ExpungeAnswer, Retry};

use super::{Commit, EventReader, Place};

/// What a commit forgets, by the blocks that hold it.
#[derive(Default)]
pub struct Expunged {
    /// Events, each with the subscriptions whose matches go: it waited for them, or they are gone.
    events: BTreeMap<u64, BTreeMap<EventNo, BTreeSet<SubscriptionNo>>>,
    /// Attempts by their numbers.
    answers: BTreeMap<u64, BTreeSet<(Delivered, u16)>>,
}

/// The bytes of the blocks that were written anew.
#[derive(Clone, Copy, Debug, Default)]
pub struct Rewritten {
    pub before: u64,
    pub after: u64,
}

impl Commit<'_> {
    /// Forgets what an event says, and what waits of it.
    pub(super) fn expunge(&mut self, wish: Expunge) -> Result<Answer, Error> {
        let Expunge { event, replayed, read_at, unless_awaited } = wish;
        let table = &self.shared.table;
        let first = last_at_or_below(table, Block::Events, event.0)?;
        let known = EventReader::new(table, &self.shared.seal).event(event)?;
        let (Some(first), Some(known)) = (first, known) else {
            return Ok(Answer::Expunged(Vec::new()));
        };
        let matched = known.matches.iter().map(|matched| matched.subscription);
        let mut named: BTreeSet<SubscriptionNo> = matched.chain(replayed).collect();
        self.add_replayed_since(read_at, event, &mut named)?;
        if unless_awaited {
            for &subscription in &named {
                if self.is_awaited(Address { account: known.account, subscription }, event)? {
                    return Ok(Answer::Expunged(Vec::new()));
                }
            }
        }
        let (mut waited, mut dropped) = (Vec::new(), BTreeSet::new());
        for subscription in named {
            let place = self.take(subscription, event)?;
            if let Some(Place::Retry) = place {
                self.rows.delete(&Pair::Retry.key(subscription, event));
            }
            let at = Address { account: known.account, subscription };
            match (place, self.rows.get(&keys::subscription(at))?) {
                (Some(_), Some(_)) => waited.push(subscription),
                // What a hook left that is gone goes too.
                (_, None) => {}
                (None, Some(_)) => continue,
            }
            dropped.insert(subscription);
        }
        self.expunged.events.entry(first).or_default().entry(event).or_default().extend(dropped);
        // It may know how long the block is.
        self.writing.retention.forget_pass_over(event);
        Ok(Answer::Expunged(waited))
    }

    /// Whether a delivery is still to be made.
    fn is_awaited(&mut self, at: Address, event: EventNo) -> Result<bool, Error> {
        let Some(subscription) = self.subscription(at)? else {
            return Ok(false);
        };
        let no = subscription.no;
        if let Some(row) = self.rows.get(&Pair::Retry.key(no, event))? {
            return Ok(Retry::decode(&row, event)?.is_live(&subscription));
        }
        let generation = match self.volatile.tail.open_generation(event, no) {
            Some(generation) => Some(generation),
            None => self.pages.generation(&self.shared.table, no, event)?,
        };
        Ok(generation.is_some_and(|generation| subscription.is_live(generation)))
    }

    /// Forgets what a receiver answered to an attempt.
    pub(super) fn expunge_answer(&mut self, wish: ExpungeAnswer) -> Answer {
        let ExpungeAnswer { at, event, n, block } = wish;
        self.expunged.answers.entry(block).or_default().insert(((event, at.subscription), n));
        Answer::Done
    }

    /// Adds the subscriptions that an event was replayed to since there were so many commits.
    fn add_replayed_since(
        &self,
        commits: u64,
        event: EventNo,
        named: &mut BTreeSet<SubscriptionNo>,
    ) -> Result<(), Error> {
        let mut note = |moved: &Moved| {
            let (of, subscription) = moved.delivery();
            named.extend((of == event).then_some(subscription));
        };
        settlement_blocks(&self.shared.table, commits + 1, |block| {
            block.replayed.iter().for_each(&mut note);
            true
        })?;
        self.settlements.replayed.iter().for_each(note);
        Ok(())
    }
}

impl Expunged {
    /// Whether nothing is forgotten.
    pub fn is_empty(&self) -> bool {
        self.events.is_empty() && self.answers.is_empty()
    }

    /// Whether an event is forgotten.
    pub fn names(&self, event: EventNo) -> bool {
        self.dropped_of(event).is_some()
    }

    /// An event as it is once this is written.
    pub fn applied_to(&self, event: Recorded) -> Recorded {
        let Some(dropped) = self.dropped_of(event.no) else {
            return event;
        };
        let stay = event.matches.iter().filter(|matched| !dropped.contains(&matched.subscription));
        Recorded { body: event.body.expunged(), matches: Arc::new(stay.copied().collect()), ..event }
    }

    /// Lets nobody hold what is forgotten.
    pub fn forget_popular(&self, popular: &Popular) {
        self.events.values().flat_map(BTreeMap::keys).for_each(|event| popular.forget(*event));
    }

    fn dropped_of(&self, event: EventNo) -> Option<&BTreeSet<SubscriptionNo>> {
        self.events.values().find_map(|events| events.get(&event))
    }

    /// Stages the blocks anew, without what is forgotten.
    pub fn stage(&self, table: &Table, rows: &mut Rows) -> Result<Rewritten, Error> {
        let mut rewritten = Rewritten::default();
        for (&first, forgotten) in &self.events {
            let Some(bytes) = get(table, Block::Events, first)? else {
                continue;
            };
            let EventBlock { commit, events } = EventBlock::decode(&bytes)?;
            let events = (first..).zip(events).map(|(no, event)| match forgotten.get(&EventNo(no)) {
                Some(waited) => event.expunged(waited),
                None => event,
            });
            let value = EventBlock { commit, events: events.collect() }.encode();
            rewritten.replace(rows, Block::Events, first, bytes.len(), value);
        }
        for (&number, forgotten) in &self.answers {
            let Some(bytes) = get(table, Block::Settlements, number)? else {
                continue;
            };
            let mut block = SettlementBlock::decode(&bytes)?;
            let named = |(delivery, n)| forgotten.contains(&(delivery, n));
            let settled = block.settled.iter_mut();
            settled.filter(|one| named((one.delivery(), one.attempts()))).for_each(|one| one.expunge());
            rewritten.replace(rows, Block::Settlements, number, bytes.len(), block.encode());
        }
        Ok(rewritten)
    }
}

impl Rewritten {
    fn replace(&mut self, rows: &mut Rows, kind: Block, no: u64, length: usize, value: Vec<u8>) {
        delete(rows, kind, no, length);
        self.before += length as u64;
        self.after += put(rows, kind, no, value);
    }
}
