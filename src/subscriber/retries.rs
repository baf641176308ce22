//! The retries that a subscriber knows of, by due time and by age. Pure.

use std::collections::{BTreeMap, BTreeSet};

use crate::clock::Timestamp;
use crate::id::EventNo;
use crate::store::{self, Retry};

/// The most retries in memory; of more, those due first are kept and the rest is read when they are done.
pub const RETRIES_LIMIT: usize = 65_536;

/// Deliveries that failed and wait.
#[derive(Debug, Default)]
pub struct Retries {
    by_event: BTreeMap<EventNo, Retry>,
    by_due: BTreeSet<(Timestamp, EventNo)>,
    /// Where the store has more: none that is due up to then is missing here.
    horizon: Option<Timestamp>,
}

impl Retries {
    /// Takes in what the store knows, but for what `is_held` otherwise.
    pub fn fill(&mut self, read: store::Retries, is_held: impl Fn(EventNo) -> bool) {
        self.horizon = read.waiting.last().filter(|_| read.more).map(|retry| retry.due);
        read.waiting.into_iter().filter(|retry| !is_held(retry.event)).for_each(|retry| self.add(retry));
    }

    /// Lets a delivery wait; one beyond the horizon is left to the store.
    pub fn add(&mut self, retry: Retry) {
        self.take(retry.event);
        if self.horizon.is_some_and(|horizon| retry.due > horizon) {
            return;
        }
        self.by_due.insert((retry.due, retry.event));
        self.by_event.insert(retry.event, retry);
        if self.by_event.len() > RETRIES_LIMIT
            && let Some((due, latest)) = self.by_due.pop_last()
        {
            self.by_event.remove(&latest);
            self.horizon = Some(due);
        }
    }

    /// Takes one out.
    pub fn take(&mut self, event: EventNo) -> Option<Retry> {
        let retry = self.by_event.remove(&event)?;
        self.by_due.remove(&(retry.due, event));
        Some(retry)
    }

    /// Whether this delivery is among them.
    pub fn holds(&self, event: EventNo) -> bool {
        self.by_event.contains_key(&event)
    }

    /// The one of the oldest event.
    pub fn oldest(&self) -> Option<Retry> {
        self.by_event.first_key_value().map(|(_, retry)| *retry)
    }

    /// When the next is due, and which it is.
    pub fn next_due(&self) -> Option<(Timestamp, EventNo)> {
        self.by_due.first().copied()
    }

    /// Whether the store has more, and all that were here are done.
    pub fn want_more(&self) -> bool {
        self.horizon.is_some() && self.by_event.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::subscription::Generation;

    fn take_due(retries: &mut Retries, now: u64) -> Option<Retry> {
        let (_, event) = retries.next_due().filter(|(due, _)| *due <= Timestamp(now))?;
        retries.take(event)
    }

    fn retry(event: u64, due: u64) -> Retry {
        let generation = Generation(0);
        Retry {
            due: Timestamp(due),
            event: EventNo(event),
            generation,
            attempts: 1,
            retries: 1,
            given_up: false,
        }
    }

    #[test]
    fn the_one_due_first_comes_first_and_none_comes_early() {
        let mut retries = Retries::default();
        [retry(1, 300), retry(2, 100), retry(3, 200)].into_iter().for_each(|one| retries.add(one));
        assert_eq!(take_due(&mut retries, 99), None);
        assert_eq!(take_due(&mut retries, 250), Some(retry(2, 100)));
        assert_eq!(take_due(&mut retries, 250), Some(retry(3, 200)));
        assert_eq!(take_due(&mut retries, 250), None);
        assert_eq!(retries.next_due(), Some((Timestamp(300), EventNo(1))));
        assert_eq!(retries.oldest(), Some(retry(1, 300)));
    }

    #[test]
    fn of_too_many_those_due_first_are_kept() {
        let mut retries = Retries::default();
        (0..RETRIES_LIMIT as u64 + 3).for_each(|no| retries.add(retry(no, no)));
        assert_eq!(retries.by_event.len(), RETRIES_LIMIT);
        assert!(!retries.want_more());
        retries.add(retry(0, u64::MAX));
        while take_due(&mut retries, u64::MAX).is_some() {}
        assert!(retries.want_more(), "one that was put off holds up those in the store");
    }

    #[test]
    fn one_that_is_known_moves_to_its_new_due_time() {
        let mut retries = Retries::default();
        retries.add(retry(1, 100));
        retries.add(retry(1, 300));
        assert_eq!(retries.next_due(), Some((Timestamp(300), EventNo(1))));
        assert_eq!(take_due(&mut retries, 300), Some(retry(1, 300)));
        assert_eq!(retries.next_due(), None);
    }
}
