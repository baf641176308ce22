//! Chapters: what a stretch of blocks holds, so that a list reads the blocks that it is after and no others.
//!
//! A chapter of [`events`] lists those of each account and each subscription; one of [`attempts`] says which events each
//! settlement block tells of. The latest of each kind is open, in memory; the commit that completes it writes it. What no
//! chapter covers, as an earlier version wrote it, is read block by block. A chapter may name more than there is, since
//! retention takes events out of its stretch, but never less.

pub mod attempts;
pub mod events;
pub mod listing;
#[cfg(test)]
mod tests;

use std::ops::Range;

use crate::id::EventNo;
use crate::store::Error;
use crate::store::ledger::blocks::{delete, length, numbers};
use crate::store::ledger::keys::Block;
use crate::store::ledger::rows::Rows;
use crate::store::ledger::table::Table;

use self::attempts::AttemptChapter;
use self::events::EventChapter;

/// The open chapters.
pub struct Chapters {
    pub events: EventChapter,
    pub attempts: AttemptChapter,
}

impl Chapters {
    /// Before anything is known of the store.
    pub fn unread() -> Self {
        Self { events: EventChapter::beginning_at(0), attempts: AttemptChapter::beginning_at(0) }
    }

    /// Reads what the last chapters do not cover; if that is much, the latest of it.
    pub fn recover(table: &Table, next_event: EventNo, next_commit: u64) -> Result<Self, Error> {
        Ok(Self {
            events: EventChapter::recover(table, next_event)?,
            attempts: AttemptChapter::recover(table, next_commit)?,
        })
    }
}

/// Where the first block of a kind begins.
fn first_of(table: &Table, kind: Block) -> Result<Option<u64>, Error> {
    numbers(table, kind, 0).next().transpose()
}

/// Stages the end of a block of any length.
fn drop_block(table: &Table, rows: &mut Rows, kind: Block, no: u64) -> Result<(), Error> {
    if let Some(bytes) = length(table, kind, no)? {
        delete(rows, kind, no, bytes);
    }
    Ok(())
}

/// Ranges, ascending by where they begin, as runs: the distance from the end of the last, and the length. Gaps of up to
/// `gap` are closed.
fn runs(ranges: impl IntoIterator<Item = Range<u64>>, gap: u64) -> Vec<(u64, u64)> {
    let mut runs: Vec<(u64, u64)> = Vec::new();
    let mut end = 0_u64;
    for range in ranges {
        match runs.last_mut() {
            Some((_, length)) if range.start <= end.saturating_add(gap) => {
                *length += range.end.saturating_sub(end);
            }
            _ => runs.push((range.start - end, range.end - range.start)),
        }
        end = end.max(range.end);
    }
    runs
}

fn alone(number: u64) -> Range<u64> {
    number..number.saturating_add(1)
}

/// The ranges that runs stand for.
fn ranges(runs: &[(u64, u64)]) -> impl Iterator<Item = Range<u64>> + '_ {
    runs.iter().scan(0_u64, |end, (distance, length)| {
        let start = end.saturating_add(*distance);
        *end = start.saturating_add(*length);
        Some(start..*end)
    })
}
