//! Forgetting attempts: the settlement blocks of a time whose events were dealt with, and that no recovery needs.

use std::collections::BTreeSet;

use crate::store::Error;
use crate::store::ledger::blocks::{EventReader, commit_of, delete, get, numbers};
use crate::store::ledger::chapters::{attempts, events};
use crate::store::ledger::keys::{Block, Pair};
use crate::store::ledger::retention::{STEP_ROWS, Step};
use crate::store::ledger::values::{Moved, SettledV2, SettlementBlock};

impl Step<'_> {
    /// Forgets some of the attempts that were settled before a commit and are to expire; says whether there are more.
    pub fn forget_some(&self, before: u64) -> Result<bool, Error> {
        let table = &self.shared.table;
        let held = self.shared.volatile().bytes;
        let (mut rows, mut bytes, mut more) = (self.shared.rows(), 0, false);
        let mut uncounted = BTreeSet::new();
        for number in numbers(table, Block::Settlements, 0) {
            let number = number?;
            more = rows.len() >= STEP_ROWS;
            if more || commit_of(number) >= before {
                break;
            }
            let Some(value) = get(table, Block::Settlements, number)? else {
                continue;
            };
            let block = SettlementBlock::decode(&value)?;
            let is_old = |settled: &SettledV2| self.is_old(settled.at());
            let expires = self.excess(held - bytes) > 0 || block.settled.iter().all(is_old);
            if !expires || self.tells_of_what_waits(&block)? {
                break;
            }
            if self.shared.volatile().hours.needs(commit_of(number)) {
                uncounted.extend(block.settled.iter().map(|settled| settled.delivery().1));
            }
            delete(&mut rows, Block::Settlements, number, value.len());
            bytes += value.len() as u64;
        }
        if rows.len() > 0 {
            let mut volatile = self.shared.volatile();
            volatile.bytes -= bytes;
            // A recovery must not look for these attempts.
            volatile.stage(&mut rows, self.next_commit, self.next_commit - 1);
            // Nor can it count them.
            for no in uncounted {
                volatile.hours.write(&mut rows, no, self.next_commit - 1)?;
            }
            rows.apply()?;
        }
        Ok(more)
    }

    /// Forgets some of the chapters of events before one, and of those of attempts that are gone; says whether there are
    /// more.
    pub fn forget_chapters(&self, before: u64) -> Result<bool, Error> {
        let mut rows = self.shared.rows();
        let more = events::forget(&self.shared.table, &mut rows, before, STEP_ROWS)?
            || attempts::forget(&self.shared.table, &mut rows, STEP_ROWS)?;
        if rows.len() > 0 {
            rows.apply()?;
        }
        Ok(more)
    }

    /// Whether a block alone tells of a delivery that waits: one that was replayed, though its event did not match, and
    /// for which its event was not kept yet.
    fn tells_of_what_waits(&self, block: &SettlementBlock) -> Result<bool, Error> {
        let mut events = EventReader::new(&self.shared.table, &self.shared.seal);
        for (event, subscription) in block.replayed.iter().map(Moved::delivery) {
            let row = Pair::Retry.key(subscription, event);
            if self.shared.table.contains_key(row)? && events.matches(event, subscription)? == Some(false) {
                return Ok(true);
            }
        }
        Ok(false)
    }
}
