//! Dropping a window's events with their dead letters: whole blocks go, and one with holes becomes a block for each run
//! of kept neighbours.

use crate::id::{EventNo, SubscriptionNo};
use crate::store::history::Place;
use crate::store::ledger::blocks::{delete, get, put};
use crate::store::ledger::chapters::events;
use crate::store::ledger::history::waiting::Waiting;
use crate::store::ledger::keys::{Block, Pair};
use crate::store::ledger::pages::Pages;
use crate::store::ledger::retention::survey::{Fate, Owners};
use crate::store::ledger::retention::window::{Chosen, Window};
use crate::store::ledger::retention::{STEP_ROWS, Step};
use crate::store::ledger::rows::Rows;
use crate::store::ledger::values::{EventBlock, StoredEvent, Value};
use crate::store::{Error, Expired, Retry};

/// What is left of a block: the first number of each run of neighbours, and the run.
type Runs<'a> = Vec<(u64, EventBlock<'a>)>;

/// What a step changes.
struct Dropping<'a> {
    rows: Rows<'a>,
    pages: Pages,
    bytes_before: u64,
    bytes_after: u64,
    expired: Expired,
    /// Deliveries to come that no chapter names: they were replayed, and their events had not matched.
    unnamed: Vec<Place>,
}

impl Step<'_> {
    /// Drops some of a window's events; says whether there are more to drop.
    ///
    /// The dead letters of a block end in the batch that drops it, or, if they are many, right before.
    pub fn drop_some(&self, window: &mut Window) -> Result<bool, Error> {
        let mut dropping = Dropping {
            rows: self.shared.rows(),
            pages: Pages::default(),
            bytes_before: 0,
            bytes_after: 0,
            expired: Expired::default(),
            unnamed: Vec::new(),
        };
        let (mut owners, mut seen) = (Owners::of(self.shared), 0);
        while seen < STEP_ROWS && dropping.rows.len() < STEP_ROWS {
            seen += 1;
            if let Some(dead) = window.take_dead() {
                self.end(dead, window, &mut owners, &mut dropping)?;
            } else if let Some(block) = window.take() {
                self.drop_block(block, window, &mut dropping)?;
            } else {
                break;
            }
        }
        self.write(dropping)?;
        Ok(!window.is_empty())
    }

    /// Ends a dead letter, unless it came back since it was noted.
    fn end(
        &self,
        (event, subscription): Place,
        window: &mut Window,
        owners: &mut Owners<'_>,
        dropping: &mut Dropping<'_>,
    ) -> Result<(), Error> {
        let (table, key) = (&self.shared.table, Pair::Retry.key(subscription, event));
        let row = dropping.rows.get(&key)?;
        let waiting = match &row {
            Some(row) => Some(Waiting::Retry(Retry::decode(row, event)?)),
            None => {
                let generation = dropping.pages.generation(table, subscription, event)?;
                generation.map(|generation| Waiting::First { generation })
            }
        };
        let Some(waiting) = waiting else {
            return Ok(());
        };
        match owners.fate(subscription, event, waiting)? {
            Fate::ToCome => window.keep(event, subscription, waiting.generation()),
            Fate::Swept => {}
            Fate::DeadLetter => {
                match row {
                    Some(_) => dropping.rows.delete(&key),
                    None => drop(dropping.pages.finish(table, subscription, event)?),
                }
                // It may have been one to come when the survey began.
                window.give_up(event, subscription);
                dropping.expired.dead_letters += 1;
            }
        }
        Ok(())
    }

    fn drop_block(&self, block: Chosen, window: &Window, dropping: &mut Dropping<'_>) -> Result<(), Error> {
        if window.spares_nothing_of(block) {
            dropping.block(block);
        } else if let Some(value) = get(&self.shared.table, Block::Events, block.first)? {
            dropping.rewrite(block, &value, window)?;
        }
        Ok(())
    }

    fn write(&self, mut dropping: Dropping<'_>) -> Result<(), Error> {
        dropping.pages.stage(&mut dropping.rows);
        if dropping.rows.len() == 0 {
            return Ok(());
        }
        let mut forgotten = 0;
        for (event, subscription) in dropping.unnamed {
            let is_open = self.shared.volatile().chapters.events.name(event, subscription);
            if !is_open && event.0 >= forgotten {
                forgotten = events::forget_that_of(&self.shared.table, &mut dropping.rows, event)?;
            }
        }
        let mut volatile = self.shared.volatile();
        volatile.bytes = volatile.bytes + dropping.bytes_after - dropping.bytes_before;
        volatile.expired.events += dropping.expired.events;
        volatile.expired.dead_letters += dropping.expired.dead_letters;
        // A recovery must not look for these events.
        volatile.stage(&mut dropping.rows, self.next_commit, self.next_commit - 1);
        drop(volatile);
        dropping.rows.apply()
    }
}

impl Dropping<'_> {
    fn block(&mut self, block: Chosen) {
        delete(&mut self.rows, Block::Events, block.first, block.bytes);
        self.bytes_before += block.bytes as u64;
        self.expired.events += block.events;
    }

    fn rewrite(&mut self, block: Chosen, value: &[u8], window: &Window) -> Result<(), Error> {
        let runs = runs(block.first, EventBlock::decode(value)?, window, &mut self.unnamed);
        let values: Vec<(u64, Vec<u8>)> = runs.iter().map(|(first, run)| (*first, run.encode())).collect();
        if let [(_, same)] = &values[..]
            && same == value
        {
            return Ok(());
        }
        self.block(block);
        self.expired.events -= runs.iter().map(|(_, run)| run.events.len() as u64).sum::<u64>();
        for (first, value) in values {
            self.bytes_after += put(&mut self.rows, Block::Events, first, value);
        }
        Ok(())
    }
}

fn runs<'a>(first: u64, block: EventBlock<'a>, window: &Window, unnamed: &mut Vec<Place>) -> Runs<'a> {
    let commit = block.commit;
    let (mut runs, mut end) = (Runs::new(), None);
    for (no, event) in (first..).zip(block.events).filter(|(no, _)| window.keeps(EventNo(*no))) {
        let event: StoredEvent<'a> = match window.is_promised(EventNo(no)) {
            true => event,
            false => {
                let matched: Vec<SubscriptionNo> = event.matched().collect();
                let kept = window.kept_of(EventNo(no)).map(|kept| kept.subscription);
                let new = kept.filter(|kept| matched.binary_search(kept).is_err());
                unnamed.extend(new.map(|subscription| (EventNo(no), subscription)));
                event.matching(window.kept_of(EventNo(no)))
            }
        };
        match runs.last_mut() {
            Some((_, run)) if end == Some(no) => run.events.push(event),
            _ => runs.push((no, EventBlock { commit, events: vec![event] })),
        }
        end = Some(no + 1);
    }
    runs
}
