//! Blocks: many small records under one row, and large ones in pieces.
//!
//! A row of the tree costs memory for as long as it exists, and a page of the tree must not outgrow its file's
//! segments; hence many events to a row, and never more than [`ROW_LIMIT`] bytes in one.

use std::sync::Arc;

use sled::{IVec, Tree};

use crate::event::Recorded;
use crate::id::{EventNo, Nonce, Seal};
use crate::store::Error;
use crate::store::ledger::keys::Block;
use crate::store::ledger::rows::{Rows, failed};
use crate::store::ledger::values::{EventBlock, EventV1, SettledV1, SettlementBlock, decode, encode};

/// The most bytes that a row holds.
const ROW_LIMIT: usize = 7_000;
/// The bytes of each row of a value that is larger.
const PIECE: usize = 4_096;
/// Stands where a whole value has its version: the value lies in pieces, its length follows.
const IN_PIECES: u8 = 0xFF;
/// The lowest bits of a settlement block's number tell the blocks of one commit apart.
const PART_BITS: u32 = 12;

/// Stages the events of one commit, in as few blocks as their size allows.
pub fn put_events(rows: &mut Rows, events: &[(Arc<Recorded>, Nonce)], commit: u64) {
    for block in by_weight(events, |(event, _)| EventV1::weight(event)) {
        let first = block[0].0.no.0;
        let events = block.iter().map(|(event, nonce)| EventV1::of(event, *nonce)).collect();
        put(rows, Block::Events, first, encode(&EventBlock { commit, events }));
    }
}

/// Stages what one commit settled and parked.
pub fn put_settlements(rows: &mut Rows, mut block: SettlementBlock, commit: u64) {
    let mut part = 0;
    let mut settled = block.settled.into_iter().peekable();
    let mut parked = block.parked.drain(..).peekable();
    while settled.peek().is_some() || parked.peek().is_some() {
        let (mut next, mut weight) = (SettlementBlock::default(), 0);
        while let Some(one) = settled.next_if(|_| weight < ROW_LIMIT - 600) {
            weight += SettledV1::weight(&one);
            next.settled.push(one);
        }
        while let Some(one) = parked.next_if(|_| weight < ROW_LIMIT - 600) {
            weight += size_of_val(&one) + 2;
            next.parked.push(one);
        }
        put(rows, Block::Settlements, (commit << PART_BITS) + part, encode(&next));
        part += 1;
    }
}

/// Reads events in the order of their numbers, and keeps the block it read last.
pub struct EventReader<'a> {
    tree: &'a Tree,
    seal: &'a Seal,
    block: Option<(u64, Vec<u8>)>,
}

impl<'a> EventReader<'a> {
    pub fn new(tree: &'a Tree, seal: &'a Seal) -> Self {
        Self { tree, seal, block: None }
    }

    /// The event at `no`.
    pub fn event(&mut self, no: EventNo) -> Result<Option<Recorded>, Error> {
        if let Some(found) = self.in_block(no)? {
            return Ok(Some(found));
        }
        let Some(first) = greatest_at_or_below(self.tree, no)? else {
            return Ok(None);
        };
        self.block = get(self.tree, Block::Events, first)?.map(|bytes| (first, bytes));
        self.in_block(no)
    }

    fn in_block(&self, no: EventNo) -> Result<Option<Recorded>, Error> {
        let Some((first, bytes)) = &self.block else {
            return Ok(None);
        };
        let block: EventBlock<'_> = decode(bytes)?;
        let event = no.0.checked_sub(*first).and_then(|index| block.events.get(index as usize));
        match event {
            None => Ok(None),
            Some(event) => event.load(no, self.seal).map(Some).ok_or_else(|| Error::damaged("an event")),
        }
    }
}

/// Hands every event block from the one that holds `from` on to `each`, oldest first: its first number and the block.
pub fn event_blocks(
    tree: &Tree,
    from: EventNo,
    mut each: impl FnMut(u64, &EventBlock<'_>) -> Result<(), Error>,
) -> Result<(), Error> {
    let start = greatest_at_or_below(tree, from)?.unwrap_or(from.0);
    for first in numbers(tree, Block::Events, start) {
        let first = first?;
        if let Some(bytes) = get(tree, Block::Events, first)? {
            each(first, &decode(&bytes)?)?;
        }
    }
    Ok(())
}

/// The newest event blocks first, while `each` returns `true`.
pub fn event_blocks_backwards(
    tree: &Tree,
    mut each: impl FnMut(u64, &EventBlock<'_>) -> bool,
) -> Result<(), Error> {
    backwards(tree, Block::Events, |first, bytes| Ok(each(first, &decode(bytes)?)))
}

/// Hands every settlement block since `commit` to `each`, oldest first.
pub fn settlement_blocks(
    tree: &Tree,
    commit: u64,
    mut each: impl FnMut(SettlementBlock),
) -> Result<u64, Error> {
    let mut last = 0;
    for number in numbers(tree, Block::Settlements, commit << PART_BITS) {
        let number = number?;
        last = number >> PART_BITS;
        if let Some(bytes) = get(tree, Block::Settlements, number)? {
            each(decode(&bytes)?);
        }
    }
    Ok(last)
}

/// The newest settlement blocks first, while `each` returns `true`.
pub fn settlement_blocks_backwards(
    tree: &Tree,
    mut each: impl FnMut(SettlementBlock) -> bool,
) -> Result<(), Error> {
    backwards(tree, Block::Settlements, |_, bytes| Ok(each(decode(bytes)?)))
}

fn backwards(
    tree: &Tree,
    kind: Block,
    mut each: impl FnMut(u64, &[u8]) -> Result<bool, Error>,
) -> Result<(), Error> {
    for key in tree.range(kind.range(0..=u64::MAX)).keys().rev() {
        let key = key.map_err(failed)?;
        let Some((no, 0)) = Block::read(&key) else {
            continue;
        };
        if let Some(bytes) = get(tree, kind, no)?
            && !each(no, &bytes)?
        {
            break;
        }
    }
    Ok(())
}

fn numbers(tree: &Tree, kind: Block, from: u64) -> impl Iterator<Item = Result<u64, Error>> {
    tree.range(kind.range(from..=u64::MAX)).keys().filter_map(|key| match key {
        Ok(key) => Block::read(&key).filter(|(_, piece)| *piece == 0).map(|(no, _)| Ok(no)),
        Err(error) => Some(Err(failed(error))),
    })
}

fn greatest_at_or_below(tree: &Tree, no: EventNo) -> Result<Option<u64>, Error> {
    let key = tree.range(Block::Events.range(0..=no.0)).keys().next_back().transpose().map_err(failed)?;
    Ok(key.and_then(|key| Block::read(&key)).map(|(first, _)| first))
}

fn put(rows: &mut Rows, kind: Block, no: u64, value: Vec<u8>) {
    if value.len() <= ROW_LIMIT {
        rows.put(&kind.key(no, 0), value);
        return;
    }
    let mut head = vec![IN_PIECES];
    head.extend_from_slice(&(value.len() as u32).to_be_bytes());
    rows.put(&kind.key(no, 0), head);
    for (piece, bytes) in value.chunks(PIECE).enumerate() {
        rows.put(&kind.key(no, piece as u16 + 1), bytes.to_vec());
    }
}

fn get(tree: &Tree, kind: Block, no: u64) -> Result<Option<Vec<u8>>, Error> {
    let Some(head) = tree.get(kind.key(no, 0)).map_err(failed)? else {
        return Ok(None);
    };
    match head.split_first() {
        Some((&IN_PIECES, length)) => gather(tree, kind, no, length).map(Some),
        _ => Ok(Some(head.to_vec())),
    }
}

fn gather(tree: &Tree, kind: Block, no: u64, length: &[u8]) -> Result<Vec<u8>, Error> {
    let length = length.try_into().map_err(|_| Error::damaged("a block's head"))?;
    let length = u32::from_be_bytes(length) as usize;
    let mut value = Vec::new();
    for piece in tree.range(kind.key(no, 1)..=kind.key(no, u16::MAX)).values() {
        let piece: IVec = piece.map_err(failed)?;
        value.extend_from_slice(&piece);
    }
    if value.len() != length {
        return Err(Error::damaged("a block lacks pieces"));
    }
    Ok(value)
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
