//! Attempts by the hour: how many were made for each subscription, and how many succeeded; those of longer ago by the
//! day.
//!
//! They are counted in memory as they are settled, and written down in rounds, some subscriptions with a commit. What was
//! not written is counted again after a crash, from the settlement blocks: a row says up to which commit it counts, and
//! another up to which commit all of them do.

use std::collections::HashMap;
use std::collections::hash_map::Entry;

use smallvec::SmallVec;

use crate::attempt::Attempt;
use crate::id::SubscriptionNo;
use crate::store::ledger::blocks::{PART_BITS, commit_of, get, numbers};
use crate::store::ledger::keys::{self, Block};
use crate::store::ledger::rows::Rows;
use crate::store::ledger::table::Table;
use crate::store::ledger::values::{SettlementBlock, Tallied, Value, decode, encode};
use crate::store::{AttemptCounts, Error, Hour};

/// How many commits pass until the next round begins, unless an hour ends before.
const ROUND_COMMITS: u64 = if cfg!(test) { 5 } else { 4_096 };
/// How many subscriptions are written with one commit at least.
const STEP: usize = if cfg!(test) { 1 } else { 16 };
/// The most commits that a round takes.
const LONGEST_ROUND: usize = 1_024;
/// How many hours are kept of a subscription: 7 days, those without attempts not counted.
pub const KEPT: usize = if cfg!(test) { 3 } else { 7 * 24 };
/// How many days before these are kept.
pub const DAYS_KEPT: usize = if cfg!(test) { 2 } else { 28 };

/// What is counted and not written yet.
#[derive(Default)]
pub struct Hours {
    open: HashMap<SubscriptionNo, SmallVec<[Hour; 1]>>,
    /// The commit up to which all attempts are in the rows, as it is noted; none before that is noted.
    counted: Option<u64>,
    round: Round,
    /// The hour of the newest attempt.
    newest: u32,
    /// How often one was written: tells whether one moved while it was looked for.
    pub written: u64,
}

/// What is to be written, some with each commit, until all is that was counted when it began.
#[derive(Default)]
struct Round {
    began: u64,
    /// The hour of the newest attempt then.
    hour: u32,
    step: usize,
    left: Vec<SubscriptionNo>,
}

impl Hours {
    /// Counts an attempt.
    pub fn add(&mut self, no: SubscriptionNo, attempt: &Attempt) {
        let hour = Hour::of(attempt.at, attempt.outcome.is_success());
        self.newest = self.newest.max(hour.hour);
        let open = self.open.entry(no).or_default();
        match open.iter_mut().find(|one| one.hour == hour.hour) {
            Some(known) => known.add(hour),
            None => open.push(hour),
        }
    }

    /// What is counted of a subscription and not written.
    pub fn of(&self, no: SubscriptionNo) -> &[Hour] {
        self.open.get(&no).map(SmallVec::as_slice).unwrap_or_default()
    }

    /// The subscriptions of which something is not written.
    pub fn open(&self) -> impl Iterator<Item = SubscriptionNo> {
        self.open.keys().copied()
    }

    /// Forgets a subscription.
    pub fn forget(&mut self, no: SubscriptionNo) {
        self.open.remove(&no);
    }

    /// Whether attempts of a commit may be counted nowhere but in memory and in its block.
    pub fn needs(&self, commit: u64) -> bool {
        self.counted.is_none_or(|counted| commit > counted)
    }

    /// Stages some of what is not written, if it is time for it, with a commit whose attempts are counted.
    pub fn stage(&mut self, rows: &mut Rows, commit: u64) -> Result<(), Error> {
        if self.counted.is_none() {
            // A crash from now on is told from where to count.
            self.note(rows, commit - 1);
        }
        let is_time = commit >= self.round.began + ROUND_COMMITS || self.newest > self.round.hour;
        if self.round.left.is_empty() && is_time {
            let left: Vec<SubscriptionNo> = self.open().collect();
            let step = STEP.max(left.len().div_ceil(LONGEST_ROUND));
            self.round = Round { began: commit, hour: self.newest, step, left };
        }
        if self.round.left.is_empty() {
            return Ok(());
        }
        for no in self.round.left.split_off(self.round.left.len().saturating_sub(self.round.step)) {
            self.write(rows, no, commit)?;
        }
        if self.round.left.is_empty() {
            self.note(rows, self.round.began);
        }
        Ok(())
    }

    fn note(&mut self, rows: &mut Rows, commit: u64) {
        rows.put(keys::COUNTED, encode(&commit));
        self.counted = Some(commit);
    }

    /// Stages what is counted of a subscription, when that is its attempts up to a commit.
    pub fn write(&mut self, rows: &mut Rows, no: SubscriptionNo, commit: u64) -> Result<(), Error> {
        let Some(open) = self.open.remove(&no) else {
            return Ok(());
        };
        let key = keys::hours(no);
        let counts = with_open(rows.get(&key)?.as_deref(), &open)?;
        rows.put(&key, Tallied { counted: commit, counts }.encode());
        self.written += 1;
        Ok(())
    }

    /// Counts what is not written. Of a store that an earlier version wrote, nothing was counted so far.
    pub fn recover(table: &Table) -> Result<Self, Error> {
        let Some(counted) = table.get(keys::COUNTED)? else {
            return Ok(Self::default());
        };
        let counted: u64 = decode(&counted)?;
        let mut hours = Self { counted: Some(counted), ..Self::default() };
        let mut known: HashMap<SubscriptionNo, u64> = HashMap::new();
        for number in numbers(table, Block::Settlements, (counted + 1) << PART_BITS) {
            let number = number?;
            let Some(bytes) = get(table, Block::Settlements, number)? else {
                continue;
            };
            for settled in SettlementBlock::decode(&bytes)?.settled {
                let no = settled.delivery().1;
                let up_to = match known.entry(no) {
                    Entry::Occupied(known) => *known.get(),
                    Entry::Vacant(unknown) => *unknown.insert(counted_up_to(table, no)?),
                };
                if commit_of(number) > up_to {
                    hours.add(no, &settled.attempt());
                }
            }
        }
        Ok(hours)
    }
}

/// The commit up to which the row of a subscription counts.
fn counted_up_to(table: &Table, no: SubscriptionNo) -> Result<u64, Error> {
    let row = table.get(keys::hours(no))?;
    let row = row.map(|row| Tallied::decode(&row, ())).transpose()?;
    Ok(row.map_or(0, |row| row.counted))
}

/// What a row holds, if there is one, and the hours that are not written yet: as much of it as is kept.
pub fn with_open(row: Option<&[u8]>, open: &[Hour]) -> Result<AttemptCounts, Error> {
    let known = row.map(|row| Tallied::decode(row, ())).transpose()?;
    let mut counts = known.map(|known| known.counts).unwrap_or_default();
    counts.add(open, KEPT, DAYS_KEPT);
    Ok(counts)
}
