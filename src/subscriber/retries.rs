//! The retries that a subscriber knows of, by due time and by age. Pure.

use std::collections::{BTreeMap, BTreeSet};

use crate::clock::Timestamp;
use crate::id::EventNo;
use crate::store::{self, Lane, Lanes, Retry};

/// The most retries of a lane in memory; of more, those due first are kept and the rest is read when they are done.
pub const RETRIES_LIMIT: usize = 65_536;

/// Deliveries that failed, or were asked for again, and wait.
#[derive(Debug, Default)]
pub struct Retries {
    by_event: BTreeMap<EventNo, (Lane, Retry)>,
    lanes: Lanes<Queue>,
}

/// Those of a lane.
#[derive(Debug, Default)]
struct Queue {
    by_due: BTreeSet<(Timestamp, EventNo)>,
    /// Where the store has more: none that is due up to then is missing here.
    horizon: Option<Timestamp>,
}

impl Retries {
    /// Takes in what the store knows, but for what `is_held` otherwise.
    pub fn fill(&mut self, read: Lanes<store::Retries>, is_held: impl Fn(EventNo) -> bool) {
        for (lane, read) in [(Lane::Fresh, read.fresh), (Lane::Replay, read.replay)] {
            self.lanes[lane].horizon = read.waiting.last().filter(|_| read.more).map(|retry| retry.due);
            let waiting = read.waiting.into_iter().filter(|retry| !is_held(retry.event));
            waiting.for_each(|retry| self.add(lane, retry));
        }
    }

    /// Lets a delivery wait; one beyond the horizon is left to the store.
    pub fn add(&mut self, lane: Lane, retry: Retry) {
        self.take(retry.event);
        let queue = &mut self.lanes[lane];
        if queue.horizon.is_some_and(|horizon| retry.due > horizon) {
            return;
        }
        queue.by_due.insert((retry.due, retry.event));
        self.by_event.insert(retry.event, (lane, retry));
        if queue.by_due.len() > RETRIES_LIMIT
            && let Some((due, latest)) = queue.by_due.pop_last()
        {
            self.by_event.remove(&latest);
            queue.horizon = Some(due);
        }
    }

    /// Takes one out.
    pub fn take(&mut self, event: EventNo) -> Option<(Lane, Retry)> {
        let (lane, retry) = self.by_event.remove(&event)?;
        self.lanes[lane].by_due.remove(&(retry.due, event));
        Some((lane, retry))
    }

    /// Whether this delivery is among them.
    pub fn holds(&self, event: EventNo) -> bool {
        self.by_event.contains_key(&event)
    }

    /// The one of the oldest event.
    pub fn oldest(&self) -> Option<Retry> {
        self.by_event.first_key_value().map(|(_, (_, retry))| *retry)
    }

    /// When the next of a lane is due, and which it is.
    pub fn next_due(&self, lane: Lane) -> Option<(Timestamp, EventNo)> {
        self.lanes[lane].by_due.first().copied()
    }

    /// Whether the store has more of a lane, and all that were here are done.
    pub fn want_more(&self) -> bool {
        let wants = |queue: &Queue| queue.horizon.is_some() && queue.by_due.is_empty();
        wants(&self.lanes.fresh) || wants(&self.lanes.replay)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::subscription::Generation;

    fn take_due(retries: &mut Retries, now: u64) -> Option<Retry> {
        let (_, event) = retries.next_due(Lane::Fresh).filter(|(due, _)| *due <= Timestamp(now))?;
        retries.take(event).map(|(_, retry)| retry)
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
        [retry(1, 300), retry(2, 100), retry(3, 200)]
            .into_iter()
            .for_each(|one| retries.add(Lane::Fresh, one));
        assert_eq!(take_due(&mut retries, 99), None);
        assert_eq!(take_due(&mut retries, 250), Some(retry(2, 100)));
        assert_eq!(take_due(&mut retries, 250), Some(retry(3, 200)));
        assert_eq!(take_due(&mut retries, 250), None);
        assert_eq!(retries.next_due(Lane::Fresh), Some((Timestamp(300), EventNo(1))));
        assert_eq!(retries.oldest(), Some(retry(1, 300)));
    }

    #[test]
    fn of_too_many_those_due_first_are_kept() {
        let mut retries = Retries::default();
        (0..RETRIES_LIMIT as u64 + 3).for_each(|no| retries.add(Lane::Fresh, retry(no, no)));
        assert_eq!(retries.by_event.len(), RETRIES_LIMIT);
        assert!(!retries.want_more());
        retries.add(Lane::Fresh, retry(0, u64::MAX));
        while take_due(&mut retries, u64::MAX).is_some() {}
        assert!(retries.want_more(), "one that was put off holds up those in the store");
    }

    #[test]
    fn one_that_is_known_moves_to_its_new_due_time() {
        let mut retries = Retries::default();
        retries.add(Lane::Fresh, retry(1, 100));
        retries.add(Lane::Fresh, retry(1, 300));
        assert_eq!(retries.next_due(Lane::Fresh), Some((Timestamp(300), EventNo(1))));
        assert_eq!(take_due(&mut retries, 300), Some(retry(1, 300)));
        assert_eq!(retries.next_due(Lane::Fresh), None);
    }
}
