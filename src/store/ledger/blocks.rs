//! Blocks: many small records under one row, and large ones in pieces.
//!
//! A row costs memory for as long as it exists, since it is known where each lies; hence many events to a row. Whoever
//! wants one of them reads the row: never more than [`ROW_LIMIT`] bytes are in one.

use std::iter::Peekable;
use std::ops::Range;
use std::sync::Arc;

use crate::clock::Timestamp;
use crate::event::{Heading, Recorded};
use crate::id::{AccountNo, EventNo, Nonce, Seal, SubscriptionNo};
use crate::store::Error;
use crate::store::ledger::keys::Block;
use crate::store::ledger::rows::Rows;
use crate::store::ledger::table::Table;
use crate::store::ledger::values::{EventBlock, SettledV2, SettlementBlock, StoredEvent};

/// The most bytes that a row holds.
const ROW_LIMIT: usize = 7_000;
/// The bytes of each row of a value that is larger.
const PIECE: usize = 4_096;
/// What the last settlement of a block may exceed its limit by.
const ROOM_FOR_LAST: usize = 600;
/// Stands where a whole value has its version: the value lies in pieces, its length follows.
pub const IN_PIECES: u8 = 0xFF;
/// The lowest bits of a settlement block's number tell the blocks of one commit apart.
pub const PART_BITS: u32 = 12;

/// Stages the events of one commit, in as few blocks as their size allows; returns their bytes.
pub fn put_events(rows: &mut Rows, events: &[(Arc<Recorded>, Nonce)], commit: u64) -> u64 {
    let mut bytes = 0;
    for block in by_weight(events, |(event, _)| StoredEvent::weight(event)) {
        let first = block[0].0.no.0;
        let events = block.iter().map(|(event, nonce)| StoredEvent::of(event, *nonce)).collect();
        bytes += put(rows, Block::Events, first, EventBlock { commit, events }.encode());
    }
    bytes
}

/// Stages what one commit settled and moved, in as few blocks as its size allows, and hands each with its number to
/// `each`; returns their bytes.
pub fn put_settlements(
    rows: &mut Rows,
    block: SettlementBlock,
    commit: u64,
    mut each: impl FnMut(u64, &SettlementBlock),
) -> u64 {
    let mut bytes = 0;
    let mut settled = block.settled.into_iter().peekable();
    let mut parked = block.parked.into_iter().peekable();
    let mut replayed = block.replayed.into_iter().peekable();
    let mut synced = block.synced.into_iter().peekable();
    for part in 0.. {
        let mut room = ROW_LIMIT - ROOM_FOR_LAST;
        let next = SettlementBlock {
            settled: take_within(&mut room, &mut settled, SettledV2::weight),
            parked: take_within(&mut room, &mut parked, weight_of_numbers),
            replayed: take_within(&mut room, &mut replayed, weight_of_numbers),
            synced: take_within(&mut room, &mut synced, weight_of_numbers),
        };
        if room == ROW_LIMIT - ROOM_FOR_LAST {
            break;
        }
        let number = (commit << PART_BITS) + part;
        each(number, &next);
        bytes += put(rows, Block::Settlements, number, next.encode());
    }
    bytes
}

/// Takes items until there is no room; the last may exceed it.
fn take_within<T>(
    room: &mut usize,
    items: &mut Peekable<impl Iterator<Item = T>>,
    weight: impl Fn(&T) -> usize,
) -> Vec<T> {
    let mut taken = Vec::new();
    while *room > 0
        && let Some(item) = items.next()
    {
        *room = room.saturating_sub(weight(&item));
        taken.push(item);
    }
    taken
}

/// The most bytes of a pair of numbers: each a byte that says how long it is, and up to eight.
fn weight_of_numbers<T>(numbers: &T) -> usize {
    size_of_val(numbers) + 2
}

/// Reads events in the order of their numbers, and keeps the block it read last.
pub struct EventReader<'a> {
    table: &'a Table,
    seal: &'a Seal,
    block: Option<(u64, Vec<u8>)>,
}

impl<'a> EventReader<'a> {
    pub fn new(table: &'a Table, seal: &'a Seal) -> Self {
        Self { table, seal, block: None }
    }

    /// The event at `no`.
    pub fn event(&mut self, no: EventNo) -> Result<Option<Recorded>, Error> {
        let seal = self.seal;
        self.look(no, |_, event| event.load(no, seal).ok_or_else(|| Error::damaged("an event")))
    }

    /// What is said of the event at `no`.
    pub fn heading(&mut self, no: EventNo) -> Result<Option<Heading>, Error> {
        let seal = self.seal;
        self.look(no, |_, event| event.heading(no, seal))
    }

    /// The account of the event at `no`.
    pub fn account(&mut self, no: EventNo) -> Result<Option<AccountNo>, Error> {
        self.look(no, |_, event| Ok(event.account()))
    }

    /// Whether the event at `no` says nothing any more.
    pub fn is_expunged(&mut self, no: EventNo) -> Result<Option<bool>, Error> {
        self.look(no, |_, event| Ok(event.is_expunged()))
    }

    /// Whether the event at `no` is kept with a match of this subscription.
    pub fn matches(&mut self, no: EventNo, subscription: SubscriptionNo) -> Result<Option<bool>, Error> {
        self.look(no, |_, event| Ok(event.matched().any(|matched| matched == subscription)))
    }

    /// The commit that recorded the event at `no`.
    pub fn commit(&mut self, no: EventNo) -> Result<Option<u64>, Error> {
        self.look(no, |block, _| Ok(block.commit))
    }

    /// Looks at the event at `no` where it lies.
    fn look<T>(
        &mut self,
        no: EventNo,
        take: impl Fn(&EventBlock<'_>, &StoredEvent<'_>) -> Result<T, Error>,
    ) -> Result<Option<T>, Error> {
        if let Some(taken) = self.in_block(no, &take)? {
            return Ok(Some(taken));
        }
        let mut looked_at = None;
        while let Some(first) = last_at_or_below(self.table, Block::Events, no.0)? {
            if looked_at == Some(first) {
                break;
            }
            self.block = get(self.table, Block::Events, first)?.map(|bytes| (first, bytes));
            if let Some(taken) = self.in_block(no, &take)? {
                return Ok(Some(taken));
            }
            // Retention may just have split the block: then the event begins or follows another one.
            looked_at = Some(first);
        }
        Ok(None)
    }

    fn in_block<T>(
        &self,
        no: EventNo,
        take: impl Fn(&EventBlock<'_>, &StoredEvent<'_>) -> Result<T, Error>,
    ) -> Result<Option<T>, Error> {
        let Some((first, bytes)) = self.block.as_ref().filter(|(first, _)| *first <= no.0) else {
            return Ok(None);
        };
        let block = EventBlock::decode(bytes)?;
        block.events.get((no.0 - first) as usize).map(|event| take(&block, event)).transpose()
    }
}

/// Hands every event block from the one that holds `from` on to `each`, oldest first: its first number and the block.
pub fn event_blocks(
    table: &Table,
    from: EventNo,
    mut each: impl FnMut(u64, &EventBlock<'_>) -> Result<(), Error>,
) -> Result<(), Error> {
    let start = last_at_or_below(table, Block::Events, from.0)?.unwrap_or(from.0);
    for first in numbers(table, Block::Events, start) {
        let first = first?;
        if let Some(bytes) = get(table, Block::Events, first)? {
            each(first, &EventBlock::decode(&bytes)?)?;
        }
    }
    Ok(())
}

/// When the oldest event of all was accepted.
pub fn oldest_event(table: &Table) -> Result<Option<Timestamp>, Error> {
    for first in numbers(table, Block::Events, 0) {
        if let Some(bytes) = get(table, Block::Events, first?)? {
            let block = EventBlock::decode(&bytes)?;
            return Ok(block.events.first().map(StoredEvent::accepted_at));
        }
    }
    Ok(None)
}

/// The event blocks that begin within a range, newest first, while `each` returns `true`.
pub fn event_blocks_backwards(
    table: &Table,
    within: Range<u64>,
    mut each: impl FnMut(u64, &EventBlock<'_>) -> Result<bool, Error>,
) -> Result<(), Error> {
    backwards(table, Block::Events, within, |first, bytes| each(first, &EventBlock::decode(bytes)?))
}

/// The bytes of all blocks that were written since `commit`, whose events begin with `from` or later.
pub fn bytes_since(table: &Table, from: EventNo, commit: u64) -> Result<u64, Error> {
    let mut sum = 0;
    for first in numbers(table, Block::Events, from.0) {
        if let Some(bytes) = get(table, Block::Events, first?)?
            && EventBlock::decode(&bytes)?.commit > commit
        {
            sum += bytes.len() as u64;
        }
    }
    for number in numbers(table, Block::Settlements, (commit + 1) << PART_BITS) {
        sum += get(table, Block::Settlements, number?)?.map_or(0, |bytes| bytes.len() as u64);
    }
    Ok(sum)
}

/// Hands every settlement block since `commit` to `each`, oldest first, while it returns `true`.
///
/// Returns the last commit that it saw.
pub fn settlement_blocks(
    table: &Table,
    commit: u64,
    mut each: impl FnMut(SettlementBlock) -> bool,
) -> Result<u64, Error> {
    let mut last = 0;
    for number in numbers(table, Block::Settlements, commit << PART_BITS) {
        let number = number?;
        last = commit_of(number);
        if let Some(bytes) = get(table, Block::Settlements, number)?
            && !each(SettlementBlock::decode(&bytes)?)
        {
            break;
        }
    }
    Ok(last)
}

/// The settlement blocks of a range with their numbers, newest first, while `each` returns `true`.
pub fn settlement_blocks_backwards(
    table: &Table,
    within: Range<u64>,
    mut each: impl FnMut(u64, SettlementBlock) -> bool,
) -> Result<(), Error> {
    backwards(table, Block::Settlements, within, |no, bytes| Ok(each(no, SettlementBlock::decode(bytes)?)))
}

fn backwards(
    table: &Table,
    kind: Block,
    within: Range<u64>,
    mut each: impl FnMut(u64, &[u8]) -> Result<bool, Error>,
) -> Result<(), Error> {
    if within.is_empty() {
        return Ok(());
    }
    for key in table.range(kind.range(within.start..=within.end - 1)).rev().keys() {
        let key = key?;
        let Some((no, 0)) = Block::read(&key) else {
            continue;
        };
        if let Some(bytes) = get(table, kind, no)?
            && !each(no, &bytes)?
        {
            break;
        }
    }
    Ok(())
}

/// The commit that a settlement block is of, by its number.
pub fn commit_of(number: u64) -> u64 {
    number >> PART_BITS
}

/// The numbers of the blocks that begin with `from` or later.
pub fn numbers(table: &Table, kind: Block, from: u64) -> impl Iterator<Item = Result<u64, Error>> {
    table.range(kind.range(from..=u64::MAX)).keys().filter_map(|key| match key {
        Ok(key) => Block::read(&key).filter(|(_, piece)| *piece == 0).map(|(no, _)| Ok(no)),
        Err(error) => Some(Err(error)),
    })
}

/// Where the last block begins that begins at or below `no`.
pub fn last_at_or_below(table: &Table, kind: Block, no: u64) -> Result<Option<u64>, Error> {
    let key = table.range(kind.range(0..=no)).rev().keys().next().transpose()?;
    Ok(key.and_then(|key| Block::read(&key)).map(|(first, _)| first))
}

/// Stages a block; returns its bytes.
pub fn put(rows: &mut Rows, kind: Block, no: u64, value: Vec<u8>) -> u64 {
    let length = value.len();
    if length <= ROW_LIMIT {
        rows.put(&kind.key(no, 0), value);
        return length as u64;
    }
    let mut head = vec![IN_PIECES];
    head.extend_from_slice(&(length as u32).to_be_bytes());
    rows.put(&kind.key(no, 0), head);
    for (piece, bytes) in value.chunks(PIECE).enumerate() {
        rows.put(&kind.key(no, piece as u16 + 1), bytes.to_vec());
    }
    length as u64
}

/// Stages the end of a block of so many bytes.
pub fn delete(rows: &mut Rows, kind: Block, no: u64, bytes: usize) {
    for piece in 0..rows_of(bytes) {
        rows.delete(&kind.key(no, piece as u16));
    }
}

/// How many rows a block of so many bytes has.
pub fn rows_of(bytes: usize) -> usize {
    if bytes <= ROW_LIMIT { 1 } else { 1 + bytes.div_ceil(PIECE) }
}

/// The bytes of a block.
pub fn get(table: &Table, kind: Block, no: u64) -> Result<Option<Vec<u8>>, Error> {
    let mut head = table.get(kind.key(no, 0))?;
    loop {
        let length = match head.as_ref().map(|head| head.split_first()) {
            None => return Ok(None),
            Some(Some((&IN_PIECES, length))) => length.try_into().map(u32::from_be_bytes),
            Some(_) => return Ok(head.map(|head| head.to_vec())),
        };
        let length = length.map_err(|_| Error::damaged("a block's head"))?;
        if let Some(whole) = gather(table, kind, no, length as usize)? {
            return Ok(Some(whole));
        }
        // Retention may just have dropped the block, or rewritten it smaller.
        let now = table.get(kind.key(no, 0))?;
        if now == head {
            return Err(Error::damaged("a block lacks pieces"));
        }
        head = now;
    }
}

/// How many bytes a block has.
pub fn length(table: &Table, kind: Block, no: u64) -> Result<Option<usize>, Error> {
    let Some(head) = table.get(kind.key(no, 0))? else {
        return Ok(None);
    };
    match head.split_first() {
        Some((&IN_PIECES, length)) => {
            let length = length.try_into().map_err(|_| Error::damaged("a block's head"))?;
            Ok(Some(u32::from_be_bytes(length) as usize))
        }
        _ => Ok(Some(head.len())),
    }
}

/// Some bytes of a block.
pub fn get_part(table: &Table, kind: Block, no: u64, part: Range<usize>) -> Result<Option<Vec<u8>>, Error> {
    let Some(head) = table.get(kind.key(no, 0))? else {
        return Ok(None);
    };
    if head.first() != Some(&IN_PIECES) {
        return Ok(head.get(part).map(<[u8]>::to_vec));
    }
    let piece = |at: usize| kind.key(no, u16::try_from(at / PIECE + 1).unwrap_or(u16::MAX));
    let mut value = Vec::new();
    for piece in table.range(piece(part.start)..=piece(part.end)) {
        value.extend_from_slice(&piece?.1);
    }
    let begin = part.start % PIECE;
    Ok(value.get(begin..begin + part.len()).map(<[u8]>::to_vec))
}

/// The pieces of a block put together, if they have this length.
fn gather(table: &Table, kind: Block, no: u64, length: usize) -> Result<Option<Vec<u8>>, Error> {
    let mut value = Vec::new();
    for piece in table.range(kind.key(no, 1)..=kind.key(no, u16::MAX)) {
        value.extend_from_slice(&piece?.1);
    }
    Ok((value.len() == length).then_some(value))
}

/// Splits into runs that fit a row each; one that fits none is a run of its own.
fn by_weight<T>(items: &[T], weight: impl Fn(&T) -> usize) -> impl Iterator<Item = &[T]> {
    let mut rest = items;
    std::iter::from_fn(move || {
        let mut sum = 0;
        let fits = rest.iter().take_while(|item| {
            sum += weight(item);
            sum <= ROW_LIMIT
        });
        let (run, behind) = rest.split_at(fits.count().max(1).min(rest.len()));
        rest = behind;
        (!run.is_empty()).then_some(run)
    })
}
