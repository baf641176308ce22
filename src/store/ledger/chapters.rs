//! Chapters: what a stretch of blocks holds, so that a list reads the blocks that it is after and no others.
//!
//! A chapter of [`events`] lists those of each account and each subscription; one of [`attempts`] says which events each
//! settlement block tells of. The commit that completes a stretch writes its chapter. What no chapter covers is read
//! block by block: the latest stretch, and what an earlier version wrote. A chapter may name more than there is, since
//! retention takes events out of its stretch, but never less.

pub mod attempts;
pub mod events;
#[cfg(test)]
mod tests;

use std::ops::Range;

use sled::Tree;

use crate::id::EventNo;
use crate::store::Error;
use crate::store::ledger::blocks::numbers;
use crate::store::ledger::keys::Block;

use self::attempts::AttemptChapter;
use self::events::EventChapter;

/// The chapters that are being written.
pub struct Chapters {
    pub events: EventChapter,
    pub attempts: AttemptChapter,
}

impl Chapters {
    /// Before anything is known of the store.
    pub fn unread() -> Self {
        Self { events: EventChapter::beginning_at(0), attempts: AttemptChapter::beginning_at(0) }
    }

    /// Reads what the latest chapters do not cover. If that is much, new ones begin behind it.
    pub fn recover(tree: &Tree, next_event: EventNo, next_commit: u64) -> Result<Self, Error> {
        Ok(Self {
            events: EventChapter::recover(tree, next_event)?,
            attempts: AttemptChapter::recover(tree, next_commit)?,
        })
    }
}

/// Where the first block of a kind begins.
fn first_of(tree: &Tree, kind: Block) -> Result<Option<u64>, Error> {
    numbers(tree, kind, 0).next().transpose()
}

/// Ascending numbers as runs: the distance from the end of the last, and the length. Gaps of up to `gap` are closed.
fn runs(numbers: impl IntoIterator<Item = u64>, gap: u64) -> Vec<(u64, u64)> {
    let mut runs: Vec<(u64, u64)> = Vec::new();
    let mut end = 0;
    for number in numbers {
        match runs.last_mut() {
            Some((_, length)) if number <= end + gap => *length += (number + 1).saturating_sub(end),
            _ => runs.push((number - end, 1)),
        }
        end = end.max(number + 1);
    }
    runs
}

/// The ranges that runs stand for.
fn ranges(runs: &[(u64, u64)]) -> impl Iterator<Item = Range<u64>> + '_ {
    runs.iter().scan(0_u64, |end, (distance, length)| {
        let start = end.saturating_add(*distance);
        *end = start.saturating_add(*length);
        Some(start..*end)
    })
}
