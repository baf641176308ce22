//! Popular events: one that many subscriptions wait for is read once for all of them.
//!
//! A block holds what each of its events matched, and is decoded whole: for each of a hundred thousand subscriptions
//! that would be a hundred thousand matches. For what waits, an event is never too old; one that retention let go of may
//! still be here.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crate::event::Recorded;
use crate::id::EventNo;
use crate::subscription::Match;

/// How many matches make an event popular: with fewer, reading it costs little.
const MATCHES: usize = 64;
/// The most events that are held: they are looked through for each that is read.
const EVENTS: usize = 16;
/// The most bytes of events that are held, but for a single larger one.
const BYTES: usize = 8 << 20;

/// The popular events that were read last.
#[derive(Debug, Default)]
pub struct Popular(Mutex<VecDeque<Arc<Recorded>>>);

impl Popular {
    /// An event that was read before.
    pub fn get(&self, no: EventNo) -> Option<Arc<Recorded>> {
        self.events().iter().find(|event| event.no == no).cloned()
    }

    /// Holds an event that was read, if it is popular, for as long as there is room.
    pub fn hold(&self, event: &Arc<Recorded>) {
        if event.matches.len() < MATCHES {
            return;
        }
        let mut events = self.events();
        events.push_back(event.clone());
        let mut bytes: usize = events.iter().map(weight).sum();
        while events.len() > EVENTS || bytes > BYTES && events.len() > 1 {
            bytes -= events.pop_front().as_ref().map_or(0, weight);
        }
    }

    /// Lets go of an event that is not what it was.
    pub fn forget(&self, no: EventNo) {
        self.events().retain(|event| event.no != no);
    }

    fn events(&self) -> MutexGuard<'_, VecDeque<Arc<Recorded>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn weight(event: &Arc<Recorded>) -> usize {
    event.body.bytes.len() + event.matches.len() * size_of::<Match>()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::id::SubscriptionNo;
    use crate::subscription::Generation;

    fn event(no: u64, matches: usize) -> Arc<Recorded> {
        let matched = |no| Match { subscription: SubscriptionNo(no), generation: Generation(0) };
        Recorded::numbered(no, Arc::new((0..matches as u64).map(matched).collect()))
    }

    #[test]
    fn the_popular_events_that_were_read_last_are_held() {
        let popular = Popular::default();
        popular.hold(&event(1, MATCHES - 1));
        assert!(popular.get(EventNo(1)).is_none(), "few wait for it");
        let half = BYTES / size_of::<Match>() / 2;
        (2..=4).for_each(|no| popular.hold(&event(no, half - 100)));
        let held: Vec<u64> = (1..=4).filter(|no| popular.get(EventNo(*no)).is_some()).collect();
        assert_eq!(held, [3, 4], "there is no room for all");
        popular.hold(&event(5, 3 * half));
        assert_eq!(popular.get(EventNo(5)).map(|event| event.matches.len()), Some(3 * half));
        assert!(popular.get(EventNo(4)).is_none());
        (6..100).for_each(|no| popular.hold(&event(no, MATCHES)));
        assert_eq!((1..100).filter(|no| popular.get(EventNo(*no)).is_some()).count(), EVENTS);
    }
}
