//! Chapters of attempts: which events each of some thousand settlement blocks tells of, and what was replayed in them.

use std::collections::{BTreeSet, HashMap};
use std::ops::Range;
use std::sync::Arc;

use crate::id::EventNo;
use crate::store::Error;
use crate::store::history::Place;
use crate::store::ledger::blocks::{
    PART_BITS, get, last_at_or_below, numbers, put, settlement_blocks_backwards,
};
use crate::store::ledger::keys::Block;
use crate::store::ledger::rows::Rows;
use crate::store::ledger::shared::Shared;
use crate::store::ledger::table::Table;
use crate::store::ledger::values::{
    AttemptChapterV1, Moved, SettledV2, SettlementBlock, ToldV1, decode, encode,
};

use super::{alone, drop_block, first_of, ranges, runs};

/// How many settlement blocks a chapter covers.
const BLOCKS: usize = if cfg!(test) { 3 } else { 4_096 };
/// Events that lie so near are named as one run, with those between them: a block too many is read now and then.
const GAP: u64 = if cfg!(test) { 1 } else { 32 };
/// How many runs a directory has; further ones are joined.
const RUNS: usize = if cfg!(test) { 2 } else { 64 };

/// The open chapter.
pub struct AttemptChapter {
    first: u64,
    /// The number behind the last block.
    end: u64,
    told: Vec<Arc<ToldV1>>,
}

impl AttemptChapter {
    pub fn beginning_at(first: u64) -> Self {
        Self { first, end: first, told: Vec::new() }
    }

    /// Takes in what the last chapter does not cover, or the latest of that.
    pub fn recover(table: &Table, next_commit: u64) -> Result<Self, Error> {
        let (mut covered, next) = (0, next_commit << PART_BITS);
        if let Some(last) = last_at_or_below(table, Block::AttemptChapter, u64::MAX)? {
            covered = Written::at(table, last)?.map_or(0, |last| last.end()).min(next);
        }
        let mut latest = Vec::new();
        settlement_blocks_backwards(table, covered..next, |number, block| {
            latest.push((number, block));
            latest.len() < BLOCKS
        })?;
        let first = if latest.len() < BLOCKS {
            covered
        } else {
            latest.last().map_or(covered, |(number, _)| *number)
        };
        let mut chapter = Self::beginning_at(first);
        latest.into_iter().rev().for_each(|(number, block)| chapter.add(number, &block));
        Ok(chapter)
    }

    /// Adds the next block.
    pub fn add(&mut self, number: u64, block: &SettlementBlock) {
        let events: BTreeSet<u64> = block.settled.iter().map(|settled| settled.delivery().0.0).collect();
        self.told.push(Arc::new(ToldV1 {
            distance: number - self.end,
            events: runs(events.into_iter().map(alone), GAP),
            replayed: block.replayed.clone(),
        }));
        self.end = number + 1;
    }

    /// Stages the chapter and begins the next, once it is long enough.
    pub fn stage_if_complete(&mut self, rows: &mut Rows) {
        if self.told.len() < BLOCKS {
            return;
        }
        let Self { first, end, told } = std::mem::replace(self, Self::beginning_at(self.end));
        let told: Vec<&ToldV1> = told.iter().map(Arc::as_ref).collect();
        let has_replays = told.iter().any(|told| !told.replayed.is_empty());
        let directory = AttemptChapterV1 { span: end - first, events: joined(&told), has_replays };
        put(rows, Block::AttemptChapter, first, encode(&directory));
        put(rows, Block::Told, first, encode(&told));
    }
}

/// The events that blocks tell of, as few runs.
fn joined(told: &[&ToldV1]) -> Vec<(u64, u64)> {
    let mut all: Vec<Range<u64>> = told.iter().flat_map(|told| ranges(&told.events)).collect();
    all.sort_unstable_by_key(|range| range.start);
    let mut gap = GAP;
    loop {
        let runs = runs(all.iter().cloned(), gap);
        if runs.len() <= RUNS {
            return runs;
        }
        gap = gap.saturating_mul(2);
    }
}

/// The numbers of blocks behind `first`, and what each tells of.
fn numbered<'a>(
    told: impl IntoIterator<Item = &'a ToldV1>,
    first: u64,
) -> impl Iterator<Item = (u64, &'a ToldV1)> {
    told.into_iter().scan(first, |end, told| {
        let number = end.saturating_add(told.distance);
        *end = number.saturating_add(1);
        Some((number, told))
    })
}

/// A chapter that was written.
struct Written {
    first: u64,
    directory: AttemptChapterV1,
}

impl Written {
    fn at(table: &Table, first: u64) -> Result<Option<Self>, Error> {
        let bytes = get(table, Block::AttemptChapter, first)?;
        bytes.map(|bytes| Ok(Self { first, directory: decode(&bytes)? })).transpose()
    }

    fn end(&self) -> u64 {
        self.first.saturating_add(self.directory.span)
    }

    /// What its blocks tell of; nothing if the chapter, and with it all of them, has just been dropped.
    fn told(&self, table: &Table) -> Result<Vec<ToldV1>, Error> {
        match get(table, Block::Told, self.first)? {
            Some(bytes) => decode(&bytes),
            None if Self::at(table, self.first)?.is_some() => {
                Err(Error::damaged("a chapter does not say what its blocks tell of"))
            }
            None => Ok(Vec::new()),
        }
    }
}

/// What is looked for.
trait Sought {
    /// Whether some block of a chapter may tell of it.
    fn is_in(&self, chapter: &AttemptChapterV1) -> bool;
    /// Whether a block tells of it.
    fn is_told(&self, told: &ToldV1) -> bool;
}

/// Hands the blocks from one on that tell of what is sought to `each`, oldest first, and all that no chapter covers.
fn walk(
    shared: &Shared,
    from: u64,
    sought: &impl Sought,
    mut each: impl FnMut(u64, SettlementBlock),
) -> Result<(), Error> {
    let (table, mut position) = (&shared.table, from);
    let is_wanted = |(number, told): &(u64, &ToldV1)| *number >= from && sought.is_told(told);
    let (end, latest) = {
        let open = &shared.volatile().chapters.attempts;
        (open.first, open.told.clone())
    };
    let begin = last_at_or_below(table, Block::AttemptChapter, from)?.unwrap_or(from);
    for first in numbers(table, Block::AttemptChapter, begin) {
        let first = first?;
        if first >= end {
            break;
        }
        let Some(chapter) = Written::at(table, first)?.filter(|chapter| chapter.end() > position) else {
            continue;
        };
        uncovered(table, position..first, &mut each)?;
        if sought.is_in(&chapter.directory) {
            for (number, _) in numbered(&chapter.told(table)?, first).filter(is_wanted) {
                read(table, number)?.into_iter().for_each(|block| each(number, block));
            }
        }
        position = chapter.end();
    }
    uncovered(table, position..end, &mut each)?;
    for (number, _) in numbered(latest.iter().map(Arc::as_ref), end).filter(is_wanted) {
        read(table, number)?.into_iter().for_each(|block| each(number, block));
    }
    Ok(())
}

fn uncovered(
    table: &Table,
    blocks: Range<u64>,
    each: &mut impl FnMut(u64, SettlementBlock),
) -> Result<(), Error> {
    if blocks.is_empty() {
        return Ok(());
    }
    for number in numbers(table, Block::Settlements, blocks.start) {
        let number = number?;
        if number >= blocks.end {
            break;
        }
        read(table, number)?.into_iter().for_each(|block| each(number, block));
    }
    Ok(())
}

fn read(table: &Table, number: u64) -> Result<Option<SettlementBlock>, Error> {
    get(table, Block::Settlements, number)?.map(|bytes| SettlementBlock::decode(&bytes)).transpose()
}

/// Attempts to deliver some events.
struct AttemptsOf<'a>(&'a BTreeSet<EventNo>);

impl AttemptsOf<'_> {
    fn are_among(&self, events: &[(u64, u64)]) -> bool {
        ranges(events).any(|run| self.0.range(EventNo(run.start)..EventNo(run.end)).next().is_some())
    }
}

impl Sought for AttemptsOf<'_> {
    fn is_in(&self, chapter: &AttemptChapterV1) -> bool {
        self.are_among(&chapter.events)
    }

    fn is_told(&self, told: &ToldV1) -> bool {
        self.are_among(&told.events)
    }
}

/// What was replayed.
struct Replays<F>(F);

impl<F: Fn(Place) -> bool> Sought for Replays<F> {
    fn is_in(&self, chapter: &AttemptChapterV1) -> bool {
        chapter.has_replays
    }

    fn is_told(&self, told: &ToldV1) -> bool {
        told.replayed.iter().any(|moved| self.0(moved.delivery()))
    }
}

/// Hands every attempt that was made of these events since a commit to `each`, oldest first.
pub fn attempts_of(
    shared: &Shared,
    events: &BTreeSet<EventNo>,
    commit: u64,
    mut each: impl FnMut(SettledV2),
) -> Result<(), Error> {
    walk(shared, commit << PART_BITS, &AttemptsOf(events), |_, block| {
        block
            .settled
            .into_iter()
            .filter(|settled| events.contains(&settled.delivery().0))
            .for_each(&mut each);
    })
}

/// The number of the block that holds an attempt to deliver an event, of those since a commit.
pub fn block_of(
    shared: &Shared,
    event: EventNo,
    commit: u64,
    is_it: impl Fn(&SettledV2) -> bool,
) -> Result<Option<u64>, Error> {
    let mut found = None;
    walk(shared, commit << PART_BITS, &AttemptsOf(&BTreeSet::from([event])), |number, block| {
        if block.settled.iter().any(&is_it) {
            found = Some(number);
        }
    })?;
    Ok(found)
}

/// The deliveries that were replayed since a commit.
pub fn replayed_since(
    shared: &Shared,
    commit: u64,
    is_wanted: impl Fn(Place) -> bool,
) -> Result<BTreeSet<Place>, Error> {
    let mut replayed = BTreeSet::new();
    walk(shared, commit << PART_BITS, &Replays(&is_wanted), |_, block| {
        replayed.extend(block.replayed.iter().map(Moved::delivery).filter(|place| is_wanted(*place)));
    })?;
    Ok(replayed)
}

/// Hands each block's number to `each` that a chapter covers, and yet does not say all that it tells of.
pub fn left_out(table: &Table, mut each: impl FnMut(u64)) -> Result<(), Error> {
    for first in numbers(table, Block::AttemptChapter, 0) {
        let Some(chapter) = Written::at(table, first?)? else {
            continue;
        };
        let all = chapter.told(table)?;
        let told: HashMap<u64, &ToldV1> = numbered(&all, chapter.first).collect();
        for number in numbers(table, Block::Settlements, chapter.first) {
            let number = number?;
            if number >= chapter.end() {
                break;
            }
            let Some(block) = read(table, number)? else {
                continue;
            };
            let says_all = told.get(&number).is_some_and(|told| {
                let is_among =
                    |runs: &[(u64, u64)], event: EventNo| ranges(runs).any(|run| run.contains(&event.0));
                let is_named = |event: EventNo| {
                    is_among(&told.events, event) && is_among(&chapter.directory.events, event)
                };
                block.settled.iter().all(|one| is_named(one.delivery().0))
                    && told.replayed == block.replayed
                    && (chapter.directory.has_replays || block.replayed.is_empty())
            });
            if !says_all {
                each(number);
            }
        }
    }
    Ok(())
}

/// Stages the end of chapters of which every block is gone, until so many rows are staged; says whether there may be
/// more.
pub fn forget(table: &Table, rows: &mut Rows, limit: usize) -> Result<bool, Error> {
    let oldest = first_of(table, Block::Settlements)?.unwrap_or(u64::MAX);
    for first in numbers(table, Block::AttemptChapter, 0) {
        let first = first?;
        let Some(chapter) = Written::at(table, first)? else {
            continue;
        };
        if chapter.end() > oldest {
            break;
        }
        if rows.len() >= limit {
            return Ok(true);
        }
        drop_block(table, rows, Block::AttemptChapter, first)?;
        drop_block(table, rows, Block::Told, first)?;
    }
    Ok(false)
}
