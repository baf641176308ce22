//! Chapters of events: which of some thousand neighbours are an account's, or matched a subscription.
//!
//! A directory names accounts and subscriptions with the lengths of their lists; the lists lie in a row, or in pieces,
//! of their own, of which only those are read that are needed.

use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::ops::Range;

use sled::Tree;

use crate::id::{AccountNo, EventNo, SubscriptionNo};
use crate::store::Error;
use crate::store::ledger::blocks::{
    event_blocks, event_blocks_backwards, get, get_part, last_at_or_below, numbers, put,
};
use crate::store::ledger::keys::Block;
use crate::store::ledger::rows::Rows;
use crate::store::ledger::shared::Shared;
use crate::store::ledger::values::{EventBlock, EventChapterV1, EventV1, decode, encode};

use super::{alone, drop_block, first_of, ranges, runs};

/// How many events a chapter covers.
const EVENTS: u64 = if cfg!(test) { 6 } else { 16_384 };
/// How many accounts and matches they may have; the commit that exceeds it ends the chapter.
const POSTINGS: usize = if cfg!(test) { 12 } else { 65_536 };
/// How many chapters a recovery may have to make up for.
const RECOVERED: u64 = 2;

/// Whose events are asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Owner {
    Account(AccountNo),
    Subscription(SubscriptionNo),
}

/// The open chapter.
pub struct EventChapter {
    first: u64,
    end: u64,
    /// Each event's distance from the first, by account and by subscription.
    accounts: Vec<(u64, u32)>,
    subscriptions: Vec<(u64, u32)>,
}

impl EventChapter {
    pub fn beginning_at(first: u64) -> Self {
        Self { first, end: first, accounts: Vec::new(), subscriptions: Vec::new() }
    }

    pub fn recover(tree: &Tree, next: EventNo) -> Result<Self, Error> {
        let last = Written::at_or_below(tree, u64::MAX)?.map_or(0, |last| last.end());
        let first = first_of(tree, Block::Events)?.map_or(next.0, |first| first.max(last));
        if next.0.saturating_sub(first) > RECOVERED * EVENTS {
            return Ok(Self::beginning_at(next.0));
        }
        let mut chapter = Self::beginning_at(first);
        event_blocks(tree, EventNo(first), |start, block| {
            for (no, event) in (start..).zip(&block.events).filter(|(no, _)| *no >= first) {
                chapter.add(EventNo(no), event.account(), event.matched());
            }
            Ok(())
        })?;
        Ok(chapter)
    }

    /// Adds the next event.
    pub fn add(
        &mut self,
        no: EventNo,
        account: AccountNo,
        matched: impl IntoIterator<Item = SubscriptionNo>,
    ) {
        let distance = (no.0 - self.first) as u32;
        self.end = no.0 + 1;
        self.accounts.push((u64::from(account.0), distance));
        self.subscriptions.extend(matched.into_iter().map(|subscription| (subscription.0, distance)));
    }

    /// Names one more subscription of an event, if it covers that; says whether it does.
    pub fn name(&mut self, event: EventNo, subscription: SubscriptionNo) -> bool {
        let is_covered = event.0 >= self.first;
        if is_covered {
            self.subscriptions.push((subscription.0, (event.0 - self.first) as u32));
        }
        is_covered
    }

    /// The events of an owner, ascending.
    fn events_of(&self, owner: Owner) -> Vec<Range<u64>> {
        let (owned, owner) = match owner {
            Owner::Account(account) => (&self.accounts, u64::from(account.0)),
            Owner::Subscription(subscription) => (&self.subscriptions, subscription.0),
        };
        let mut distances: Vec<u32> =
            owned.iter().filter(|(of, _)| *of == owner).map(|(_, distance)| *distance).collect();
        distances.sort_unstable();
        following(&runs(distances.into_iter().map(|distance| alone(distance.into())), 0), self.first)
    }

    /// Stages the chapter and begins the next, once it is long enough.
    pub fn stage_if_complete(&mut self, rows: &mut Rows) {
        let postings = self.accounts.len() + self.subscriptions.len();
        if self.end - self.first < EVENTS && postings < POSTINGS {
            return;
        }
        let mut chapter = std::mem::replace(self, Self::beginning_at(self.end));
        let mut postings = Vec::new();
        let directory = EventChapterV1 {
            events: chapter.end - chapter.first,
            accounts: index(&mut chapter.accounts, &mut postings),
            subscriptions: index(&mut chapter.subscriptions, &mut postings),
        };
        put(rows, Block::EventChapter, chapter.first, encode(&directory));
        put(rows, Block::Postings, chapter.first, postings);
    }
}

/// Appends the list of each owner to `postings`; returns distances between owners, and the bytes of each one's list.
fn index(owned: &mut [(u64, u32)], postings: &mut Vec<u8>) -> Vec<(u64, u32)> {
    owned.sort_unstable();
    let mut before = 0;
    let lists = owned.chunk_by(|(owner, _), (next, _)| owner == next).map(|owned| {
        let list = encode(&runs(owned.iter().map(|(_, distance)| alone((*distance).into())), 0));
        postings.extend_from_slice(&list);
        let distance = owned[0].0 - before;
        before = owned[0].0;
        (distance, list.len() as u32)
    });
    lists.collect()
}

/// A chapter that was written.
struct Written {
    first: u64,
    directory: EventChapterV1,
}

impl Written {
    fn at_or_below(tree: &Tree, no: u64) -> Result<Option<Self>, Error> {
        let Some(first) = last_at_or_below(tree, Block::EventChapter, no)? else {
            return Ok(None);
        };
        Self::at(tree, first)
    }

    fn at(tree: &Tree, first: u64) -> Result<Option<Self>, Error> {
        let bytes = get(tree, Block::EventChapter, first)?;
        bytes.map(|bytes| Ok(Self { first, directory: decode(&bytes)? })).transpose()
    }

    fn end(&self) -> u64 {
        self.first.saturating_add(self.directory.events)
    }

    fn forget(&self, tree: &Tree, rows: &mut Rows) -> Result<(), Error> {
        drop_block(tree, rows, Block::EventChapter, self.first)?;
        drop_block(tree, rows, Block::Postings, self.first)
    }

    /// The events of an owner, ascending; nothing if the chapter has just been dropped.
    fn events_of(&self, tree: &Tree, owner: Owner) -> Result<Option<Vec<Range<u64>>>, Error> {
        let EventChapterV1 { accounts, subscriptions, .. } = &self.directory;
        let found = match owner {
            Owner::Account(account) => find(accounts, 0, u64::from(account.0)),
            Owner::Subscription(subscription) => {
                let begin = accounts.iter().map(|(_, bytes)| *bytes as usize).sum();
                find(subscriptions, begin, subscription.0)
            }
        };
        let Some(place) = found else {
            return Ok(Some(Vec::new()));
        };
        let Some(list) = get_part(tree, Block::Postings, self.first, place)? else {
            return Ok(None);
        };
        Ok(Some(following(&decode::<Vec<(u64, u64)>>(&list)?, self.first)))
    }
}

/// The ranges of runs that count from an event.
fn following(runs: &[(u64, u64)], first: u64) -> Vec<Range<u64>> {
    let from_first = |no: u64| no.saturating_add(first);
    ranges(runs).map(|range| from_first(range.start)..from_first(range.end)).collect()
}

/// Where the list of an owner lies, if the first list begins at `begin`.
fn find(lists: &[(u64, u32)], begin: usize, wanted: u64) -> Option<Range<usize>> {
    let (mut owner, mut begin) = (0_u64, begin);
    for (distance, bytes) in lists {
        owner = owner.saturating_add(*distance);
        let end = begin + *bytes as usize;
        if owner >= wanted {
            return (owner == wanted).then_some(begin..end);
        }
        begin = end;
    }
    None
}

/// Hands the events below `below` that may be an owner's to `each`, newest first, while it returns `true`.
pub fn events_of(
    shared: &Shared,
    owner: Owner,
    below: u64,
    mut each: impl FnMut(EventNo, &EventV1<'_>) -> Result<bool, Error>,
) -> Result<(), Error> {
    let (tree, mut below) = (&shared.tree, below);
    let (first, owned) = {
        let open = &shared.volatile().chapters.events;
        (open.first, open.events_of(owner))
    };
    if below > first {
        if !among(tree, &owned, first..below, &mut each)? {
            return Ok(());
        }
        below = first;
    }
    while below > 0 {
        let chapter = Written::at_or_below(tree, below - 1)?;
        let covered = chapter.as_ref().filter(|chapter| chapter.end() >= below);
        let owned = covered.map(|chapter| chapter.events_of(tree, owner)).transpose()?.flatten();
        let (begin, goes_on) = match (chapter, owned) {
            (Some(chapter), Some(owned)) => {
                (chapter.first, among(tree, &owned, chapter.first..below, &mut each)?)
            }
            (chapter, _) => {
                let end = chapter
                    .map_or(0, |chapter| if chapter.end() < below { chapter.end() } else { chapter.first });
                (end, in_blocks(tree, end..below, &mut each)?)
            }
        };
        if !goes_on {
            break;
        }
        below = begin;
    }
    Ok(())
}

/// All events of a range, newest first.
fn in_blocks(
    tree: &Tree,
    within: Range<u64>,
    each: &mut impl FnMut(EventNo, &EventV1<'_>) -> Result<bool, Error>,
) -> Result<bool, Error> {
    let mut goes_on = true;
    event_blocks_backwards(tree, within.clone(), |first, block| {
        for (no, event) in block.newest_first(first).filter(|(no, _)| no.0 < within.end) {
            goes_on = each(no, event)?;
            if !goes_on {
                break;
            }
        }
        Ok(goes_on)
    })?;
    Ok(goes_on)
}

/// The events of a range that are among those that are owned, newest first; some may be there no more.
fn among(
    tree: &Tree,
    owned: &[Range<u64>],
    within: Range<u64>,
    each: &mut impl FnMut(EventNo, &EventV1<'_>) -> Result<bool, Error>,
) -> Result<bool, Error> {
    let (mut below, mut missed) = (within.end, None);
    while let Some(no) = last_below(owned, below) {
        let Some(first) = last_at_or_below(tree, Block::Events, no)?.filter(|first| *first >= within.start)
        else {
            break;
        };
        let Some(bytes) = get(tree, Block::Events, first)? else {
            // Retention may just have split the block: then the event lies in another one.
            below = if missed == Some(first) { no } else { below };
            missed = Some(first);
            continue;
        };
        let block: EventBlock<'_> = decode(&bytes)?;
        for (no, event) in block.newest_first(first) {
            if no.0 < below && last_below(owned, no.0 + 1) == Some(no.0) && !each(no, event)? {
                return Ok(false);
            }
        }
        below = first;
    }
    Ok(true)
}

/// The greatest number of these ranges below `below`.
fn last_below(ranges: &[Range<u64>], below: u64) -> Option<u64> {
    let behind = ranges.partition_point(|range| range.start < below);
    ranges[..behind].last().map(|range| range.end.min(below) - 1)
}

/// Hands each event to `each` that a chapter covers and yet leaves out.
pub fn left_out(tree: &Tree, mut each: impl FnMut(EventNo)) -> Result<(), Error> {
    for first in numbers(tree, Block::EventChapter, 0) {
        let Some(chapter) = Written::at(tree, first?)? else {
            continue;
        };
        let mut lists: HashMap<Owner, Vec<Range<u64>>> = HashMap::new();
        event_blocks_backwards(tree, chapter.first..chapter.end(), |start, block| {
            for (no, event) in block.newest_first(start) {
                let matched = event.matched().map(Owner::Subscription);
                for owner in std::iter::once(Owner::Account(event.account())).chain(matched) {
                    let list = match lists.entry(owner) {
                        Entry::Occupied(known) => known.into_mut(),
                        Entry::Vacant(vacant) => {
                            vacant.insert(chapter.events_of(tree, owner)?.unwrap_or_default())
                        }
                    };
                    if last_below(list, no.0 + 1) != Some(no.0) {
                        each(no);
                    }
                }
            }
            Ok(true)
        })?;
    }
    Ok(())
}

/// Stages the end of the chapter that covers an event, if there is one.
pub fn forget_that_of(tree: &Tree, rows: &mut Rows, event: EventNo) -> Result<(), Error> {
    match Written::at_or_below(tree, event.0)?.filter(|chapter| chapter.end() > event.0) {
        Some(chapter) => chapter.forget(tree, rows),
        None => Ok(()),
    }
}

/// Stages the end of chapters of which every event is below `before`.
pub fn forget(tree: &Tree, rows: &mut Rows, before: u64) -> Result<(), Error> {
    for first in numbers(tree, Block::EventChapter, 0) {
        let first = first?;
        let Some(chapter) = Written::at(tree, first)? else {
            continue;
        };
        if chapter.end() > before {
            break;
        }
        chapter.forget(tree, rows)?;
    }
    Ok(())
}
