//! Chapters of attempts: which events each of some hundred settlement blocks tells of, and what was replayed in them.

use std::collections::{BTreeSet, HashMap};
use std::ops::Range;

use sled::Tree;

use crate::id::EventNo;
use crate::store::Error;
use crate::store::history::Place;
use crate::store::ledger::blocks::{PART_BITS, delete, get, last_at_or_below, numbers, put};
use crate::store::ledger::keys::Block;
use crate::store::ledger::rows::Rows;
use crate::store::ledger::values::{
    AttemptChapterV1, Moved, SettledV1, SettlementBlock, ToldV1, decode, encode,
};

use super::{first_of, ranges, runs};

/// How many settlement blocks a chapter covers.
const BLOCKS: usize = if cfg!(test) { 3 } else { 256 };
/// How many chapters a recovery may have to make up for.
const RECOVERED: usize = 4;
/// Events that lie so near are named as one run, with those between them: a block too many is read now and then.
const GAP: u64 = if cfg!(test) { 1 } else { 32 };

/// The chapter that is being written.
pub struct AttemptChapter {
    first: u64,
    /// The number behind the last block.
    end: u64,
    told: AttemptChapterV1,
}

impl AttemptChapter {
    pub fn beginning_at(first: u64) -> Self {
        Self { first, end: first, told: AttemptChapterV1::default() }
    }

    pub fn recover(tree: &Tree, next_commit: u64) -> Result<Self, Error> {
        let last = last_at_or_below(tree, Block::AttemptChapter, u64::MAX)?;
        let last = last.map(|first| Written::at(tree, first)).transpose()?.flatten();
        let first = last.map_or(0, |last| last.end());
        let mut rest = Vec::new();
        for number in numbers(tree, Block::Settlements, first).take(RECOVERED * BLOCKS + 1) {
            rest.push(number?);
        }
        if rest.len() > RECOVERED * BLOCKS {
            return Ok(Self::beginning_at(next_commit << PART_BITS));
        }
        let mut chapter = Self::beginning_at(first);
        for number in rest {
            if let Some(block) = read(tree, number)? {
                chapter.add(number, &block);
            }
        }
        Ok(chapter)
    }

    /// Adds the next block.
    pub fn add(&mut self, number: u64, block: &SettlementBlock) {
        let events: BTreeSet<u64> = block.settled.iter().map(|settled| settled.delivery().0.0).collect();
        self.told.blocks.push(ToldV1 {
            distance: number - self.end,
            events: runs(events, GAP),
            replayed: block.replayed.clone(),
        });
        self.end = number + 1;
    }

    /// Stages the chapter and begins the next, once it is long enough.
    pub fn stage_if_complete(&mut self, rows: &mut Rows) {
        if self.told.blocks.len() < BLOCKS {
            return;
        }
        let Self { first, end, mut told } = std::mem::replace(self, Self::beginning_at(self.end));
        told.span = end - first;
        put(rows, Block::AttemptChapter, first, encode(&told));
    }
}

/// A chapter that was written.
struct Written {
    first: u64,
    told: AttemptChapterV1,
}

impl Written {
    fn at(tree: &Tree, first: u64) -> Result<Option<Self>, Error> {
        let bytes = get(tree, Block::AttemptChapter, first)?;
        bytes.map(|bytes| Ok(Self { first, told: decode(&bytes)? })).transpose()
    }

    fn end(&self) -> u64 {
        self.first.saturating_add(self.told.span)
    }

    /// The numbers of its blocks, and what each tells of.
    fn blocks(&self) -> impl Iterator<Item = (u64, &ToldV1)> {
        self.told.blocks.iter().scan(self.first, |end, told| {
            let number = end.saturating_add(told.distance);
            *end = number.saturating_add(1);
            Some((number, told))
        })
    }
}

/// Hands the blocks from one on to `each`, oldest first: those that are wanted by what their chapter says of them, and
/// all that no chapter covers.
fn walk(
    tree: &Tree,
    from: u64,
    is_wanted: impl Fn(&ToldV1) -> bool,
    mut each: impl FnMut(SettlementBlock),
) -> Result<(), Error> {
    let mut position = from;
    let begin = last_at_or_below(tree, Block::AttemptChapter, from)?.unwrap_or(from);
    for first in numbers(tree, Block::AttemptChapter, begin) {
        let Some(chapter) = Written::at(tree, first?)?.filter(|chapter| chapter.end() > position) else {
            continue;
        };
        uncovered(tree, position..chapter.first, &mut each)?;
        for (number, told) in chapter.blocks() {
            if number >= from && is_wanted(told) {
                read(tree, number)?.into_iter().for_each(&mut each);
            }
        }
        position = chapter.end();
    }
    uncovered(tree, position..u64::MAX, &mut each)
}

fn uncovered(tree: &Tree, blocks: Range<u64>, each: &mut impl FnMut(SettlementBlock)) -> Result<(), Error> {
    if blocks.is_empty() {
        return Ok(());
    }
    for number in numbers(tree, Block::Settlements, blocks.start) {
        let number = number?;
        if number >= blocks.end {
            break;
        }
        read(tree, number)?.into_iter().for_each(&mut *each);
    }
    Ok(())
}

fn read(tree: &Tree, number: u64) -> Result<Option<SettlementBlock>, Error> {
    get(tree, Block::Settlements, number)?.map(|bytes| SettlementBlock::decode(&bytes)).transpose()
}

/// Hands every attempt that was made of these events since a commit to `each`, oldest first.
pub fn attempts_of(
    tree: &Tree,
    events: &BTreeSet<EventNo>,
    commit: u64,
    mut each: impl FnMut(SettledV1),
) -> Result<(), Error> {
    let is_of_one = |run: Range<u64>| events.range(EventNo(run.start)..EventNo(run.end)).next().is_some();
    let is_wanted = |told: &ToldV1| ranges(&told.events).any(is_of_one);
    walk(tree, commit << PART_BITS, is_wanted, |block| {
        block
            .settled
            .into_iter()
            .filter(|settled| events.contains(&settled.delivery().0))
            .for_each(&mut each);
    })
}

/// The deliveries that were replayed since a commit.
pub fn replayed_since(
    tree: &Tree,
    commit: u64,
    is_wanted: impl Fn(Place) -> bool,
) -> Result<BTreeSet<Place>, Error> {
    let mut replayed = BTreeSet::new();
    let has_one = |told: &ToldV1| told.replayed.iter().any(|moved| is_wanted(moved.delivery()));
    walk(tree, commit << PART_BITS, has_one, |block| {
        replayed.extend(block.replayed.iter().map(Moved::delivery).filter(|place| is_wanted(*place)));
    })?;
    Ok(replayed)
}

/// Hands each block's number to `each` that a chapter covers, and yet does not say all that it tells of.
pub fn left_out(tree: &Tree, mut each: impl FnMut(u64)) -> Result<(), Error> {
    for first in numbers(tree, Block::AttemptChapter, 0) {
        let Some(chapter) = Written::at(tree, first?)? else {
            continue;
        };
        let told: HashMap<u64, &ToldV1> = chapter.blocks().collect();
        for number in numbers(tree, Block::Settlements, chapter.first) {
            let number = number?;
            if number >= chapter.end() {
                break;
            }
            let Some(block) = read(tree, number)? else {
                continue;
            };
            let says_all = told.get(&number).is_some_and(|told| {
                let names = |event: EventNo| ranges(&told.events).any(|run| run.contains(&event.0));
                block.settled.iter().all(|one| names(one.delivery().0)) && told.replayed == block.replayed
            });
            if !says_all {
                each(number);
            }
        }
    }
    Ok(())
}

/// Stages the end of chapters of which every block is gone.
pub fn forget(tree: &Tree, rows: &mut Rows) -> Result<(), Error> {
    let oldest = first_of(tree, Block::Settlements)?.unwrap_or(u64::MAX);
    for first in numbers(tree, Block::AttemptChapter, 0) {
        let first = first?;
        let Some(bytes) = get(tree, Block::AttemptChapter, first)? else {
            continue;
        };
        let chapter = Written { first, told: decode(&bytes)? };
        if chapter.end() > oldest {
            break;
        }
        delete(rows, Block::AttemptChapter, first, bytes.len());
    }
    Ok(())
}
