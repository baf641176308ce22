//! Chapters of events: which of some thousand neighbours are an account's, or matched a subscription.
//!
//! A directory names accounts and subscriptions with the lengths of their lists; the lists lie in a row, or in pieces,
//! of their own, of which only those are read that are needed.

use std::collections::HashMap;
use std::ops::Range;

use crate::clock::Timestamp;
use crate::id::{AccountNo, EventNo, SubscriptionNo};
use crate::store::Error;
use crate::store::history::Period;
use crate::store::ledger::blocks::{event_blocks_backwards, get, get_part, last_at_or_below, numbers, put};
use crate::store::ledger::keys::Block;
use crate::store::ledger::rows::Rows;
use crate::store::ledger::table::Table;
use crate::store::ledger::values::{EventChapterV1, StoredEvent, decode, encode, encode_onto};

use super::{alone, drop_block, ranges, runs};

/// How many events a chapter covers.
const EVENTS: u64 = if cfg!(test) { 6 } else { 16_384 };
/// How many accounts and matches they may have; the commit that exceeds it ends the chapter.
const POSTINGS: usize = if cfg!(test) { 12 } else { 65_536 };

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
    /// When its events were accepted: the first of these times, and the last.
    accepted: (u64, u64),
    /// The events of each account and each subscription, in no order.
    accounts: Vec<(u64, u64)>,
    subscriptions: Vec<(u64, u64)>,
}

impl EventChapter {
    pub fn beginning_at(first: u64) -> Self {
        Self { first, end: first, accepted: (u64::MAX, 0), accounts: Vec::new(), subscriptions: Vec::new() }
    }

    /// Takes in what the last chapter does not cover, or the latest of that.
    pub fn recover(table: &Table, next: EventNo) -> Result<Self, Error> {
        let covered = Written::below(table, u64::MAX)?.map_or(0, |last| last.end());
        let start = covered.max(next.0.saturating_sub(EVENTS)).min(next.0);
        let mut chapter = Self::beginning_at(next.0);
        event_blocks_backwards(table, start..next.0, |first, block| {
            for (no, event) in block.newest_first(first) {
                chapter.add(no, event.account(), event.accepted_at(), event.matched());
            }
            chapter.first = first;
            Ok(chapter.postings() < POSTINGS)
        })?;
        Ok(chapter)
    }

    /// The number of its first event.
    pub fn first(&self) -> u64 {
        self.first
    }

    /// Adds an event.
    pub fn add(
        &mut self,
        no: EventNo,
        account: AccountNo,
        accepted_at: Timestamp,
        matched: impl IntoIterator<Item = SubscriptionNo>,
    ) {
        let (begin, end) = self.accepted;
        self.accepted = (begin.min(accepted_at.0), end.max(accepted_at.0));
        self.end = self.end.max(no.0 + 1);
        self.accounts.push((account.0.into(), no.0));
        self.subscriptions.extend(matched.into_iter().map(|subscription| (subscription.0, no.0)));
    }

    /// Names one more subscription of an event, if it covers that; says whether it does.
    pub fn name(&mut self, event: EventNo, subscription: SubscriptionNo) -> bool {
        let is_covered = event.0 >= self.first;
        if is_covered {
            self.subscriptions.push((subscription.0, event.0));
        }
        is_covered
    }

    /// The events of an owner, ascending.
    pub fn events_of(&self, owner: Owner) -> Vec<Range<u64>> {
        let (owned, owner) = match owner {
            Owner::Account(account) => (&self.accounts, account.0.into()),
            Owner::Subscription(subscription) => (&self.subscriptions, subscription.0),
        };
        let mut events: Vec<u64> =
            owned.iter().filter(|(of, _)| *of == owner).map(|(_, event)| *event).collect();
        events.sort_unstable();
        ranges(&runs(events.into_iter().map(alone), 0)).collect()
    }

    /// Stages the chapter and begins the next, once it is long enough.
    pub fn stage_if_complete(&mut self, rows: &mut Rows) {
        if self.end - self.first < EVENTS && self.postings() < POSTINGS {
            return;
        }
        let mut chapter = std::mem::replace(self, Self::beginning_at(self.end));
        let mut postings = Vec::new();
        let directory = EventChapterV1 {
            events: chapter.end - chapter.first,
            accepted: chapter.accepted,
            accounts: index(&mut chapter.accounts, chapter.first, &mut postings),
            subscriptions: index(&mut chapter.subscriptions, chapter.first, &mut postings),
        };
        put(rows, Block::EventChapter, chapter.first, encode(&directory));
        put(rows, Block::Postings, chapter.first, postings);
    }

    fn postings(&self) -> usize {
        self.accounts.len() + self.subscriptions.len()
    }
}

/// Appends the list of each owner to `postings`; returns distances between owners, and the bytes of each one's list.
fn index(owned: &mut [(u64, u64)], first: u64, postings: &mut Vec<u8>) -> Vec<(u64, u32)> {
    owned.sort_unstable();
    let mut before = 0;
    let lists = owned.chunk_by(|(owner, _), (next, _)| owner == next).map(|owned| {
        let begin = postings.len();
        match owned {
            // Most have one: a list of one run, for which nothing is allocated.
            [(_, event)] => encode_onto(postings, &[(event - first, 1_u64)].as_slice()),
            _ => encode_onto(postings, &runs(owned.iter().map(|(_, event)| alone(event - first)), 0)),
        }
        let distance = owned[0].0 - before;
        before = owned[0].0;
        (distance, (postings.len() - begin) as u32)
    });
    lists.collect()
}

/// A chapter that was written.
pub struct Written {
    pub first: u64,
    directory: EventChapterV1,
}

impl Written {
    /// The last that begins below an event.
    pub fn below(table: &Table, below: u64) -> Result<Option<Self>, Error> {
        while let Some(first) = last_at_or_below(table, Block::EventChapter, below.saturating_sub(1))? {
            // One that has just been dropped is not found again.
            if let Some(chapter) = Self::at(table, first)? {
                return Ok(Some(chapter));
            }
        }
        Ok(None)
    }

    fn at(table: &Table, first: u64) -> Result<Option<Self>, Error> {
        let bytes = get(table, Block::EventChapter, first)?;
        bytes.map(|bytes| Ok(Self { first, directory: decode(&bytes)? })).transpose()
    }

    /// The number behind its last event.
    pub fn end(&self) -> u64 {
        self.first.saturating_add(self.directory.events)
    }

    /// Whether it may have events that were accepted within a period.
    pub fn may_be_within(&self, period: Period) -> bool {
        let (begin, end) = self.directory.accepted;
        begin < period.until.0 && period.since.0 <= end
    }

    /// When the last of its events was accepted.
    pub fn last_accepted_at(&self) -> Timestamp {
        Timestamp(self.directory.accepted.1)
    }

    /// The events of an owner, ascending; nothing if the chapter has just been dropped.
    pub fn events_of(&self, table: &Table, owner: Owner) -> Result<Option<Vec<Range<u64>>>, Error> {
        let mut begin = 0;
        for (one, bytes) in self.lists() {
            let end = begin + bytes;
            if one == owner {
                return match get_part(table, Block::Postings, self.first, begin..end)? {
                    Some(list) => self.decode_list(&list).map(Some),
                    None if table.contains_key(Block::EventChapter.key(self.first, 0))? => {
                        Err(Error::damaged("a chapter lacks its lists"))
                    }
                    None => Ok(None),
                };
            }
            begin = end;
        }
        Ok(Some(Vec::new()))
    }

    /// The owners, with the bytes of each one's list, in the order of these.
    fn lists(&self) -> impl Iterator<Item = (Owner, usize)> + '_ {
        let EventChapterV1 { accounts, subscriptions, .. } = &self.directory;
        let account = |no| Owner::Account(AccountNo(no as u32));
        let subscription = |no| Owner::Subscription(SubscriptionNo(no));
        let accounts = numbered(accounts).map(move |(no, bytes)| (account(no), bytes));
        accounts.chain(numbered(subscriptions).map(move |(no, bytes)| (subscription(no), bytes)))
    }

    fn decode_list(&self, list: &[u8]) -> Result<Vec<Range<u64>>, Error> {
        let runs: Vec<(u64, u64)> = decode(list)?;
        let from_first = |no: u64| no.saturating_add(self.first);
        Ok(ranges(&runs).map(|range| from_first(range.start)..from_first(range.end)).collect())
    }

    fn forget(&self, table: &Table, rows: &mut Rows) -> Result<(), Error> {
        drop_block(table, rows, Block::EventChapter, self.first)?;
        drop_block(table, rows, Block::Postings, self.first)
    }
}

/// The numbers that distances stand for.
fn numbered(lists: &[(u64, u32)]) -> impl Iterator<Item = (u64, usize)> + '_ {
    lists.iter().scan(0_u64, |no, (distance, bytes)| {
        *no = no.saturating_add(*distance);
        Some((*no, *bytes as usize))
    })
}

/// The greatest number of these ranges below `below`.
pub fn last_below(ranges: &[Range<u64>], below: u64) -> Option<u64> {
    let behind = ranges.partition_point(|range| range.start < below);
    ranges[..behind].last().map(|range| range.end.min(below).saturating_sub(1))
}

/// Hands each event to `each` that a chapter covers and yet leaves out.
pub fn left_out(table: &Table, mut each: impl FnMut(EventNo)) -> Result<(), Error> {
    for first in numbers(table, Block::EventChapter, 0) {
        let first = first?;
        let (Some(chapter), Some(postings)) =
            (Written::at(table, first)?, get(table, Block::Postings, first)?)
        else {
            continue;
        };
        let (mut lists, mut begin) = (HashMap::new(), 0);
        for (owner, bytes) in chapter.lists() {
            let list = postings.get(begin..begin + bytes).unwrap_or_default();
            lists.insert(owner, chapter.decode_list(list)?);
            begin += bytes;
        }
        let is_named = |owner: Owner, no: EventNo| {
            lists.get(&owner).is_some_and(|list| last_below(list, no.0.saturating_add(1)) == Some(no.0))
        };
        event_blocks_backwards(table, first..chapter.end(), |start, block| {
            for (no, event) in block.newest_first(start) {
                let is_whole = chapter.may_be_within(moment(event));
                let is_known = is_named(Owner::Account(event.account()), no);
                let mut matched = event.matched();
                if !is_whole || !is_known || !matched.all(|one| is_named(Owner::Subscription(one), no)) {
                    each(no);
                }
            }
            Ok(true)
        })?;
    }
    Ok(())
}

/// The moment in which an event was accepted.
fn moment(event: &StoredEvent<'_>) -> Period {
    let since = event.accepted_at();
    Period { since, until: Timestamp(since.0.saturating_add(1)) }
}

/// Stages the end of the chapter that covers an event, if there is one; returns the number behind that.
pub fn forget_that_of(table: &Table, rows: &mut Rows, event: EventNo) -> Result<u64, Error> {
    match Written::below(table, event.0.saturating_add(1))?.filter(|chapter| chapter.end() > event.0) {
        Some(chapter) => chapter.forget(table, rows).map(|()| chapter.end()),
        None => Ok(event.0.saturating_add(1)),
    }
}

/// Stages the end of chapters of which every event is below `before`, until so many rows are staged; says whether there
/// may be more.
pub fn forget(table: &Table, rows: &mut Rows, before: u64, limit: usize) -> Result<bool, Error> {
    for first in numbers(table, Block::EventChapter, 0) {
        let Some(chapter) = Written::at(table, first?)? else {
            continue;
        };
        if chapter.end() > before {
            break;
        }
        if rows.len() >= limit {
            return Ok(true);
        }
        chapter.forget(table, rows)?;
    }
    Ok(false)
}
