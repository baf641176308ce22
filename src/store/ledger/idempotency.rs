//! The idempotency keys of the last day, by the hour in which they were first used.

use std::collections::{BTreeMap, HashMap};

use crate::clock::Timestamp;
use crate::event::IdempotencyKey;
use crate::id::EventNo;

/// How long a key is remembered, in hours: a day, and an hour by which the clock may be set forward over a restart.
pub const HOURS_KEPT: u64 = 25;
const HOUR_MS: u64 = 3_600_000;

/// Which event a key was first used for.
#[derive(Debug, Default)]
pub struct KnownKeys {
    hours: BTreeMap<u64, HashMap<IdempotencyKey, EventNo>>,
}

impl KnownKeys {
    /// The event that `key` was first used for.
    pub fn get(&self, key: &IdempotencyKey) -> Option<EventNo> {
        self.hours.values().rev().find_map(|hour| hour.get(key).copied())
    }

    /// Remembers a key that was used at `at`.
    pub fn insert(&mut self, key: IdempotencyKey, event: EventNo, at: Timestamp) {
        self.hours.entry(at.0 / HOUR_MS).or_default().insert(key, event);
    }

    /// Forgets a key that was used at `at` after all.
    pub fn remove(&mut self, key: &IdempotencyKey, at: Timestamp) {
        if let Some(hour) = self.hours.get_mut(&(at.0 / HOUR_MS)) {
            hour.remove(key);
        }
    }

    /// Forgets the keys that are older than a day.
    pub fn forget_old(&mut self, now: Timestamp) {
        self.hours = self.hours.split_off(&oldest_hour(now));
    }

    /// Whether a key used at `at` is still remembered at `now`.
    pub fn is_remembered(at: Timestamp, now: Timestamp) -> bool {
        at.0 / HOUR_MS >= oldest_hour(now)
    }
}

fn oldest_hour(now: Timestamp) -> u64 {
    (now.0 / HOUR_MS).saturating_sub(HOURS_KEPT)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_is_remembered_for_at_least_a_day() {
        let mut keys = KnownKeys::default();
        let (key, at) = (IdempotencyKey([1; 16]), Timestamp(HOUR_MS * 1000 + 7));
        keys.insert(key, EventNo(3), at);
        keys.forget_old(Timestamp(at.0 + HOURS_KEPT * HOUR_MS));
        assert_eq!(keys.get(&key), Some(EventNo(3)));
        keys.forget_old(Timestamp(at.0 + (HOURS_KEPT + 1) * HOUR_MS));
        assert_eq!(keys.get(&key), None);
    }
}
