//! Figures: what is counted of a subscription, and of the whole store.

use crate::clock::Timestamp;
use crate::store::{Address, Lane};

/// The figures of a subscription.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Tally {
    pub pending: u64,
    /// Those of the pending ones that are replays: see [`Lane::Replay`].
    pub replaying: u64,
    pub dead: u64,
    pub last_attempt_at: Option<Timestamp>,
    /// By the steady clock.
    pub next_attempt_at: Option<Timestamp>,
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

impl Hour {
    const MS: u64 = 60 * 60 * 1000;

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
