//! The idempotency keys of the last day, by the hour in which they were first used.
//!
//! Of a key no more is kept than it takes to find the few events that may be the one it was used for: these say
//! themselves which key they have.

use std::collections::BTreeMap;
use std::hash::{BuildHasher, RandomState};

use hashbrown::HashTable;
use smallvec::SmallVec;

use crate::clock::Timestamp;
use crate::event::IdempotencyKey;
use crate::id::EventNo;

/// How long a key is remembered, in hours: a day, and an hour by which the clock may be set forward over a restart.
pub const HOURS_KEPT: u64 = 25;
const HOUR_MS: u64 = 3_600_000;

/// Which event a key was first used for.
#[derive(Debug, Default)]
pub struct KnownKeys {
    /// By the hour, and by the upper half of the events' numbers.
    hours: BTreeMap<(u64, u32), HashTable<Slot>>,
    /// Whoever chooses keys chooses no tag.
    keyed: RandomState,
}

/// One key: the lower half of the event's number, and the tag. So packed that a table takes at most 23 bytes for each.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Slot {
    event: [u8; 4],
    tag: Tag,
}

/// 40 bits of a key's hash: of a million keys about one shares its tag with another.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Tag([u8; 5]);

impl KnownKeys {
    /// The events that `key` may have been first used for, by the hour and latest first: mostly none, or the one.
    pub fn candidates(&self, key: &IdempotencyKey) -> SmallVec<[EventNo; 1]> {
        let (tag, mut found) = (self.tag(key), SmallVec::new());
        for ((_, upper), hour) in self.hours.iter().rev() {
            let earlier = found.len();
            let slots = hour.iter_hash(tag.hash()).filter(|slot| slot.tag == tag);
            found.extend(slots.map(|slot| slot.event(*upper)));
            found[earlier..].sort_unstable_by(|a: &EventNo, b| b.cmp(a));
        }
        found
    }

    /// Remembers a key that was used at `at`.
    pub fn insert(&mut self, key: &IdempotencyKey, event: EventNo, at: Timestamp) {
        let (place, slot) = self.slot(key, event, at);
        self.hours.entry(place).or_default().insert_unique(slot.tag.hash(), slot, |slot| slot.tag.hash());
    }

    /// Forgets a key that was used at `at` after all.
    pub fn remove(&mut self, key: &IdempotencyKey, event: EventNo, at: Timestamp) {
        let (place, slot) = self.slot(key, event, at);
        let hour = self.hours.get_mut(&place);
        if let Some(Ok(found)) = hour.map(|hour| hour.find_entry(slot.tag.hash(), |other| *other == slot)) {
            found.remove();
        }
    }

    /// Forgets the keys that are older than a day.
    pub fn forget_old(&mut self, now: Timestamp) {
        self.hours = self.hours.split_off(&(oldest_hour(now), 0));
    }

    fn slot(&self, key: &IdempotencyKey, event: EventNo, at: Timestamp) -> ((u64, u32), Slot) {
        let (upper, lower) = ((event.0 >> 32) as u32, event.0 as u32);
        ((at.0 / HOUR_MS, upper), Slot { event: lower.to_le_bytes(), tag: self.tag(key) })
    }

    fn tag(&self, key: &IdempotencyKey) -> Tag {
        let [tag @ .., _, _, _] = self.keyed.hash_one(key).to_le_bytes();
        Tag(tag)
    }

    /// Whether a key used at `at` is still remembered at `now`.
    pub fn is_remembered(at: Timestamp, now: Timestamp) -> bool {
        at.0 / HOUR_MS >= oldest_hour(now)
    }
}

impl Slot {
    fn event(self, upper: u32) -> EventNo {
        EventNo(u64::from(upper) << 32 | u64::from(u32::from_le_bytes(self.event)))
    }
}

impl Tag {
    /// Its bits, and where a table looks first of all, the topmost, those that it looks at last.
    fn hash(self) -> u64 {
        let [a, b, c, d, e] = self.0;
        u64::from_le_bytes([a, b, c, d, e, 0, 0, e])
    }
}

fn oldest_hour(now: Timestamp) -> u64 {
    (now.0 / HOUR_MS).saturating_sub(HOURS_KEPT)
}

#[cfg(test)]
mod tests {
    use super::*;

    const AT: Timestamp = Timestamp(HOUR_MS * 1000 + 7);

    fn key(no: u64) -> IdempotencyKey {
        let mut key = [0; 16];
        key[..8].copy_from_slice(&no.to_le_bytes());
        IdempotencyKey(key)
    }

    #[test]
    fn a_key_is_remembered_for_at_least_a_day() {
        let mut keys = KnownKeys::default();
        keys.insert(&key(1), EventNo(3), AT);
        keys.forget_old(Timestamp(AT.0 + HOURS_KEPT * HOUR_MS));
        assert_eq!(keys.candidates(&key(1))[..], [EventNo(3)]);
        keys.forget_old(Timestamp(AT.0 + (HOURS_KEPT + 1) * HOUR_MS));
        assert!(keys.candidates(&key(1)).is_empty());
    }

    #[test]
    fn the_latest_event_comes_first_whatever_its_number() {
        let mut keys = KnownKeys::default();
        let numbers = [7, 3 << 32, (3 << 32) + 1, u64::MAX].map(EventNo);
        numbers.iter().for_each(|no| keys.insert(&key(1), *no, AT));
        keys.insert(&key(1), EventNo(5), Timestamp(AT.0 + HOUR_MS));
        assert_eq!(keys.candidates(&key(1))[..], [5, u64::MAX, (3 << 32) + 1, 3 << 32, 7].map(EventNo));
        keys.remove(&key(1), EventNo(3 << 32), AT);
        keys.remove(&key(1), EventNo(8), AT);
        assert_eq!(keys.candidates(&key(1))[..], [5, u64::MAX, (3 << 32) + 1, 7].map(EventNo));
    }

    #[test]
    fn every_key_is_found_and_takes_little_memory() {
        let mut keys = KnownKeys::default();
        let mut most = 0.0_f64;
        for no in 1..=300_000 {
            keys.insert(&key(no), EventNo(no), AT);
            let bytes: usize = keys.hours.values().map(HashTable::allocation_size).sum();
            most = if no > 1_000 { most.max(bytes as f64 / no as f64) } else { most };
        }
        assert!(most < 24.0, "{most} bytes each");
        let strangers = (1..=300_000).filter(|no| keys.candidates(&key(*no))[..] != [EventNo(*no)]).count();
        assert!(strangers < 10, "{strangers} of them share their tag");
        assert!((1..=300_000).all(|no| keys.candidates(&key(no)).contains(&EventNo(no))));
    }
}
