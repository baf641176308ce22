//! Backlog pages: deliveries of one subscription that wait, up to a thousand to a row.
//!
//! A page only grows at its end, and its progress is a bitmap in a row of its own, so settling one of a thousand
//! deliveries rewrites some 125 bytes. A page whose deliveries are all done is deleted.

use std::collections::BTreeMap;
use std::collections::btree_map::Entry;
use std::ops::ControlFlow;

use serde::{Deserialize, Serialize};

use crate::id::{EventNo, SubscriptionNo};
use crate::store::Error;
use crate::store::ledger::keys::Pair;
use crate::store::ledger::rows::Rows;
use crate::store::ledger::table::Table;
use crate::store::ledger::values::{decode, encode, with_an_end};
use crate::subscription::Generation;

/// The most deliveries in a page.
const PAGE_LIMIT: usize = 1_000;

/// Deliveries of one subscription, by event.
#[derive(Debug)]
pub struct Page {
    entries: Vec<(EventNo, Generation)>,
    done: Vec<u8>,
}

/// The pages that one batch touches; they become rows at its end.
#[derive(Default)]
pub struct Pages {
    touched: BTreeMap<(SubscriptionNo, EventNo), Touched>,
}

struct Touched {
    page: Page,
    grew: bool,
    progressed: bool,
}

#[derive(Serialize, Deserialize)]
struct PageV1 {
    /// Distances between the numbers of events, and generations.
    #[serde(deserialize_with = "with_an_end")]
    entries: Vec<(u64, u32)>,
}

impl Page {
    /// The deliveries that are not done.
    pub fn waiting(&self) -> impl DoubleEndedIterator<Item = (EventNo, Generation)> + '_ {
        self.entries.iter().enumerate().filter(|(index, _)| !self.is_done(*index)).map(|(_, entry)| *entry)
    }

    /// In which generation a delivery waits here, if it does.
    pub fn generation(&self, event: EventNo) -> Option<Generation> {
        let index = self.entries.binary_search_by_key(&event, |(event, _)| *event).ok()?;
        (!self.is_done(index)).then(|| self.entries[index].1)
    }

    fn is_done(&self, index: usize) -> bool {
        self.done.get(index / 8).is_some_and(|byte| byte >> (index % 8) & 1 == 1)
    }

    /// All deliveries, done or not.
    pub fn events(&self) -> impl Iterator<Item = EventNo> + '_ {
        self.entries.iter().map(|(event, _)| *event)
    }

    /// The bytes of its progress.
    pub fn progress(&self) -> usize {
        self.done.len()
    }

    /// A page as it is stored, with its progress.
    pub fn read(
        table: &Table,
        subscription: SubscriptionNo,
        first: EventNo,
        value: &[u8],
    ) -> Result<Self, Error> {
        let done = table.get(Pair::Progress.key(subscription, first))?;
        Self::decode(value, done.map(|done| done.to_vec()).unwrap_or_default())
    }

    /// The page of these bytes, of which some is done.
    pub(super) fn decode(value: &[u8], done: Vec<u8>) -> Result<Self, Error> {
        let stored: PageV1 = decode(value)?;
        if stored.entries.iter().skip(1).any(|(distance, _)| *distance == 0) {
            return Err(Error::damaged("a page that holds an event twice"));
        }
        let mut before = 0;
        let entries = stored.entries.iter().map(|(distance, generation)| {
            before += distance;
            (EventNo(before), Generation(*generation))
        });
        Ok(Self { entries: entries.collect(), done })
    }

    pub(super) fn encode(&self) -> Vec<u8> {
        let mut before = 0;
        let entries = self.entries.iter().map(|(event, generation)| {
            let distance = event.0 - before;
            before = event.0;
            (distance, generation.0)
        });
        encode(&PageV1 { entries: entries.collect() })
    }

    /// Marks a delivery as done; says whether it was waiting.
    fn finish(&mut self, event: EventNo) -> bool {
        let Ok(index) = self.entries.binary_search_by_key(&event, |(event, _)| *event) else {
            return false;
        };
        if self.is_done(index) {
            return false;
        }
        self.done.resize(self.entries.len().div_ceil(8).max(self.done.len()), 0);
        self.done[index / 8] |= 1 << (index % 8);
        true
    }
}

impl Pages {
    /// Takes a delivery out of the page that it waits in; says whether it waited.
    pub fn finish(
        &mut self,
        table: &Table,
        subscription: SubscriptionNo,
        event: EventNo,
    ) -> Result<bool, Error> {
        let Some(touched) = self.at_or_below(table, subscription, event)? else {
            return Ok(false);
        };
        let waited = touched.page.finish(event);
        touched.progressed |= waited;
        Ok(waited)
    }

    /// In which generation a delivery waits in a page, if it does.
    pub fn generation(
        &mut self,
        table: &Table,
        subscription: SubscriptionNo,
        event: EventNo,
    ) -> Result<Option<Generation>, Error> {
        Ok(self.at_or_below(table, subscription, event)?.and_then(|touched| touched.page.generation(event)))
    }

    /// Lets a delivery wait, behind all of its subscription's that wait already.
    pub fn add(
        &mut self,
        table: &Table,
        subscription: SubscriptionNo,
        event: EventNo,
        generation: Generation,
    ) -> Result<(), Error> {
        if let Some(last) = self.at_or_below(table, subscription, EventNo(u64::MAX))?
            && last.page.entries.len() < PAGE_LIMIT
            && last.page.entries.last().is_some_and(|(end, _)| *end < event)
        {
            last.page.entries.push((event, generation));
            last.grew = true;
            return Ok(());
        }
        let page = Page { entries: vec![(event, generation)], done: Vec::new() };
        self.touched.insert((subscription, event), Touched { page, grew: true, progressed: false });
        Ok(())
    }

    /// Stages the rows of the pages that changed.
    pub fn stage(self, rows: &mut Rows) {
        for ((subscription, first), touched) in self.touched {
            if touched.page.waiting().next().is_none() {
                rows.delete(&Pair::Page.key(subscription, first));
                rows.delete(&Pair::Progress.key(subscription, first));
                continue;
            }
            if touched.grew {
                rows.put(&Pair::Page.key(subscription, first), touched.page.encode());
            }
            if touched.progressed {
                rows.put(&Pair::Progress.key(subscription, first), touched.page.done);
            }
        }
    }

    /// The page with the greatest first event at or below `event`, as this batch leaves it.
    fn at_or_below(
        &mut self,
        table: &Table,
        subscription: SubscriptionNo,
        event: EventNo,
    ) -> Result<Option<&mut Touched>, Error> {
        let stored = first_at_or_below(table, subscription, event)?;
        let known = (subscription, EventNo(0))..=(subscription, event);
        let touched = self.touched.range(known).next_back().map(|((_, first), _)| *first);
        let Some(first) = stored.max(touched) else {
            return Ok(None);
        };
        let vacant = match self.touched.entry((subscription, first)) {
            Entry::Occupied(touched) => return Ok(Some(touched.into_mut())),
            Entry::Vacant(vacant) => vacant,
        };
        let Some(value) = table.get(Pair::Page.key(subscription, first))? else {
            return Ok(None);
        };
        let page = Page::read(table, subscription, first, &value)?;
        Ok(Some(vacant.insert(Touched { page, grew: false, progressed: false })))
    }
}

/// A subscription's pages in order, from the one that `from` falls into.
pub fn pages_of(
    table: &Table,
    subscription: SubscriptionNo,
    from: EventNo,
    mut each: impl FnMut(&Page) -> ControlFlow<()>,
) -> Result<(), Error> {
    let start = first_at_or_below(table, subscription, from)?.unwrap_or(from);
    let end = *Pair::Page.of(subscription).end();
    for row in table.range(Pair::Page.key(subscription, start)..=end) {
        let (key, value) = row?;
        let (_, first) = Pair::read(&key).ok_or_else(|| Error::damaged("the key of a page"))?;
        if each(&Page::read(table, subscription, first, &value)?).is_break() {
            break;
        }
    }
    Ok(())
}

/// The page of a subscription that an event falls into, if there is one.
pub fn page_of(table: &Table, subscription: SubscriptionNo, event: EventNo) -> Result<Option<Page>, Error> {
    pages_backwards(table, subscription, event).next().transpose()
}

/// A subscription's pages that begin at or below `from`, newest first.
pub fn pages_backwards(
    table: &Table,
    subscription: SubscriptionNo,
    from: EventNo,
) -> impl Iterator<Item = Result<Page, Error>> + use<> {
    let range = Pair::Page.key(subscription, EventNo(0))..=Pair::Page.key(subscription, from);
    let table = table.clone();
    table.range(range).rev().map(move |row| {
        let (key, value) = row?;
        let (_, first) = Pair::read(&key).ok_or_else(|| Error::damaged("the key of a page"))?;
        Page::read(&table, subscription, first, &value)
    })
}

/// The subscriptions that have pages.
pub fn subscriptions_with_pages(table: &Table) -> Result<Vec<SubscriptionNo>, Error> {
    let mut found = Vec::new();
    let mut from = SubscriptionNo(0);
    let end = *Pair::Page.of(SubscriptionNo(u64::MAX)).end();
    while let Some(key) = table.range(Pair::Page.key(from, EventNo(0))..=end).keys().next() {
        let (subscription, _) = Pair::read(&key?).ok_or_else(|| Error::damaged("the key of a page"))?;
        found.push(subscription);
        from = SubscriptionNo(subscription.0 + 1);
    }
    Ok(found)
}

fn first_at_or_below(
    table: &Table,
    subscription: SubscriptionNo,
    event: EventNo,
) -> Result<Option<EventNo>, Error> {
    let range = Pair::Page.key(subscription, EventNo(0))..=Pair::Page.key(subscription, event);
    let key = table.range(range).rev().keys().next().transpose()?;
    Ok(key.and_then(|key| Pair::read(&key)).map(|(_, first)| first))
}
