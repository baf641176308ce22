//! Listing: the events of an account or a subscription, newest first, from the open chapter, from those that were written,
//! and where none is, from all blocks.

use std::ops::Range;

use crate::id::EventNo;
use crate::store::Error;
use crate::store::history::Period;
use crate::store::ledger::blocks::{event_blocks_backwards, get, last_at_or_below};
use crate::store::ledger::keys::Block;
use crate::store::ledger::shared::Shared;
use crate::store::ledger::table::Table;
use crate::store::ledger::values::{EventBlock, StoredEvent};

use super::events::{Owner, Written, last_below};

/// Which events are asked for.
pub struct Wanted {
    pub owner: Owner,
    pub within: Range<u64>,
    pub accepted: Period,
}

/// Hands the events that are wanted to `each`, newest first and with others among them, while it returns `true`.
///
/// What is not durable yet is not there.
pub fn events_of(
    shared: &Shared,
    wanted: &Wanted,
    mut each: impl FnMut(EventNo, &StoredEvent<'_>) -> Result<bool, Error>,
) -> Result<(), Error> {
    let (table, from) = (&shared.table, wanted.within.start);
    let (open, owned, mut below) = {
        let volatile = shared.volatile();
        let open = &volatile.chapters.events;
        let below = wanted.within.end.min(volatile.tail.next().0);
        (open.first(), open.events_of(wanted.owner), below)
    };
    if below > open {
        if !among(table, &owned, open.max(from)..below, &mut each)? {
            return Ok(());
        }
        below = open;
    }
    while below > from {
        let (begin, goes_on) = match Written::below(table, below)? {
            Some(chapter) if chapter.end() >= below => {
                if wanted.accepted.begins_long_after(chapter.last_accepted_at()) {
                    break;
                }
                let owned = match chapter.may_be_within(wanted.accepted) {
                    true => chapter.events_of(table, wanted.owner)?,
                    false => Some(Vec::new()),
                };
                let Some(owned) = owned else {
                    continue;
                };
                (chapter.first, among(table, &owned, chapter.first.max(from)..below, &mut each)?)
            }
            chapter => {
                let end = chapter.map_or(0, |chapter| chapter.end());
                (end, in_blocks(table, end.max(from)..below, &mut each)?)
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
    table: &Table,
    within: Range<u64>,
    each: &mut impl FnMut(EventNo, &StoredEvent<'_>) -> Result<bool, Error>,
) -> Result<bool, Error> {
    let mut goes_on = true;
    let begin = last_at_or_below(table, Block::Events, within.start)?.unwrap_or(within.start);
    event_blocks_backwards(table, begin..within.end, |first, block| {
        for (no, event) in block.newest_first(first).filter(|(no, _)| within.contains(&no.0)) {
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
    table: &Table,
    owned: &[Range<u64>],
    within: Range<u64>,
    each: &mut impl FnMut(EventNo, &StoredEvent<'_>) -> Result<bool, Error>,
) -> Result<bool, Error> {
    let (mut below, mut missed) = (within.end, None);
    while let Some(no) = last_below(owned, below).filter(|no| *no >= within.start) {
        let Some(first) = last_at_or_below(table, Block::Events, no)? else {
            break;
        };
        let bytes = get(table, Block::Events, first)?;
        let block = bytes.as_deref().map(EventBlock::decode).transpose()?;
        let ends = block.as_ref().map_or(first, |block| first + block.events.len() as u64);
        if ends <= no && missed != Some(first) {
            // Retention may just have dropped the block or split it: then the event may lie in another one.
            missed = Some(first);
            continue;
        }
        for (no, event) in block.iter().flat_map(|block| block.newest_first(first)) {
            let is_owned = last_below(owned, no.0 + 1) == Some(no.0);
            if within.start <= no.0 && no.0 < below && is_owned && !each(no, event)? {
                return Ok(false);
            }
        }
        // What lies between them is gone.
        below = first.min(no);
    }
    Ok(true)
}
