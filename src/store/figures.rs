//! Figures: what is counted of a subscription, and of the whole store.

use crate::clock::Timestamp;
use crate::store::history::Period;
use crate::store::{Address, Lane};

/// The figures of a subscription.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Tally {
    pub pending: u64,
    /// Those of the pending ones that are replays: see [`Lane::Replay`].
    pub replaying: u64,
    /// Those of the pending ones that were attempted before.
    pub retrying: u64,
    pub dead: u64,
    pub last_attempt_at: Option<Timestamp>,
    /// By the steady clock.
    pub next_attempt_at: Option<Timestamp>,
}

/// The attempts for a subscription by time, oldest first, without what had none.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct AttemptCounts {
    /// Of days before the hours: those of each day under its first hour.
    pub days: Vec<Hour>,
    pub hours: Vec<Hour>,
}

/// The attempts that began in an hour.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Hour {
    /// The hour, counted from the epoch.
    pub hour: u32,
    pub attempts: u32,
    /// Those of them that succeeded.
    pub successes: u32,
}

impl AttemptCounts {
    /// Adds what others say, and keeps of it so many hours, and so many days of what is older.
    pub fn add(&mut self, others: &[Hour], hours: usize, days: usize) {
        let mut all = added_up(std::mem::take(&mut self.hours), others);
        self.hours = all.split_off(all.len().saturating_sub(hours));
        let older: Vec<Hour> = all.into_iter().map(Hour::of_its_day).collect();
        self.days = added_up(std::mem::take(&mut self.days), &older);
        self.days.drain(..self.days.len().saturating_sub(days));
    }

    /// How many succeeded in the hours, and in the days before these, that have a part in a period.
    pub fn successes_within(&self, period: Period) -> u64 {
        let hours = self.hours.iter().map(|hour| (hour, Hour::MS));
        let days = self.days.iter().map(|day| (day, Hour::A_DAY * Hour::MS));
        let is_within = |began: Timestamp, ms: u64| began < period.until && began.0 + ms > period.since.0;
        let within = hours.chain(days).filter(|(one, ms)| is_within(one.began_at(), *ms));
        within.map(|(one, _)| u64::from(one.successes)).sum()
    }
}

impl Hour {
    const MS: u64 = 60 * 60 * 1000;
    const A_DAY: u64 = 24;

    /// The hour of one attempt.
    pub fn of(at: Timestamp, is_success: bool) -> Self {
        let hour = u32::try_from(at.0 / Self::MS).unwrap_or(u32::MAX);
        Self { hour, attempts: 1, successes: is_success.into() }
    }

    /// Adds what another says of the same hour.
    pub fn add(&mut self, other: Self) {
        self.attempts = self.attempts.saturating_add(other.attempts);
        self.successes = self.successes.saturating_add(other.successes);
    }

    /// The same under the first hour of its day.
    fn of_its_day(self) -> Self {
        Self { hour: self.hour - self.hour % Self::A_DAY as u32, ..self }
    }

    /// Those that did not succeed.
    pub fn failures(&self) -> u32 {
        self.attempts.saturating_sub(self.successes)
    }

    /// When it began.
    pub fn began_at(self) -> Timestamp {
        Timestamp(u64::from(self.hour) * Self::MS)
    }
}

impl Tally {
    /// Adds a delivery: one to come, in its lane, or else a dead letter.
    pub fn add(&mut self, lane: Option<Lane>) {
        let Some(lane) = lane else {
            self.dead += 1;
            return;
        };
        self.pending += 1;
        self.replaying += u64::from(lane == Lane::Replay);
    }
}

/// What waits in the whole store.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Census {
    /// Deliveries that are still to be made.
    pub pending: u64,
    /// Those of them that failed before, or wait because somebody asked for them again.
    pub retrying: u64,
    /// Those of them that are replays: see [`Lane::Replay`].
    pub replaying: u64,
    /// Deliveries that were given up and can be replayed.
    pub dead: u64,
    /// Since when the pending delivery that has been due for longest is due, not counting those of hooks that are
    /// paused, probed or asked to be left alone. One that is being attempted is pending.
    pub due_since: Option<Timestamp>,
    /// The subscriptions for which very many of the pending ones wait: at most [`DEEP_LIMIT`], in no order.
    pub deep: Vec<Deep>,
}

/// The most subscriptions that a census names.
pub const DEEP_LIMIT: usize = 65_536;

/// A subscription for which many deliveries wait.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Deep {
    pub at: Address,
    pub pending: u64,
}

impl Census {
    /// Adds what waits for one subscription, and names it if that is at least `deep`.
    pub fn add_pending(&mut self, at: Address, pending: u64, deep: u64) {
        self.pending += pending;
        if pending >= deep && self.deep.len() < DEEP_LIMIT {
            self.deep.push(Deep { at, pending });
        }
    }
}

/// Bytes on the disk.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Disk {
    pub used: u64,
    pub free: u64,
}

/// What a store keeps of the past, and what it has let go of.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Retained {
    /// Bytes of events and attempts, without what the backend needs beside them.
    pub bytes: u64,
    /// When the oldest event that is kept was accepted.
    pub oldest: Option<Timestamp>,
    pub expired: Expired,
}

/// What retention has let go of since the store was opened.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Expired {
    pub events: u64,
    pub dead_letters: u64,
}

/// Hours in order, and others; what both say of the same hour is added up.
pub fn added_up(mut hours: Vec<Hour>, others: &[Hour]) -> Vec<Hour> {
    for other in others {
        match hours.binary_search_by_key(&other.hour, |known| known.hour) {
            Ok(at) => hours[at].add(*other),
            Err(at) => hours.insert(at, *other),
        }
    }
    hours
}

#[cfg(test)]
mod tests {
    use super::*;

    fn hours(counts: &[(u32, u32)]) -> Vec<Hour> {
        let hour = |&(hour, attempts)| Hour { hour, attempts, successes: attempts - 1 };
        counts.iter().map(hour).collect()
    }

    #[test]
    fn what_is_older_than_the_hours_that_are_kept_is_counted_by_the_day() {
        let mut counts = AttemptCounts::default();
        // The last hour of a day, two of the next, and one more a day later.
        counts.add(&hours(&[(23, 2), (24, 3), (47, 4), (71, 5)]), 2, 9);
        assert_eq!(
            (counts.days.as_slice(), counts.hours.as_slice()),
            (&*hours(&[(0, 2), (24, 3)]), &*hours(&[(47, 4), (71, 5)]))
        );
        counts.add(&hours(&[(72, 6)]), 2, 9);
        let day = Hour { hour: 24, attempts: 7, successes: 5 };
        assert_eq!((counts.days.last(), counts.hours.as_slice()), (Some(&day), &*hours(&[(71, 5), (72, 6)])));
        // What comes late goes where it belongs.
        counts.add(&hours(&[(1, 9)]), 2, 1);
        assert_eq!(counts.days, [day]);
    }

    #[test]
    fn an_hour_counts_for_each_period_that_it_has_a_part_in() {
        let mut counts = AttemptCounts::default();
        counts.add(&hours(&[(3, 11), (30, 101), (31, 1_001)]), 2, 9);
        let within = |since: u64, until: u64| {
            counts.successes_within(Period {
                since: Timestamp(since * Hour::MS),
                until: Timestamp(until * Hour::MS),
            })
        };
        assert_eq!(within(0, 99), 1_110);
        assert_eq!((within(30, 31), within(31, 32), within(32, 99)), (100, 1_000, 0));
        // Of a day it is not known when.
        assert_eq!((within(23, 24), within(24, 25)), (10, 0));
        let moment = Period { since: Timestamp(30 * Hour::MS + 1), until: Timestamp(30 * Hour::MS + 2) };
        assert_eq!(counts.successes_within(moment), 100);
    }
}
