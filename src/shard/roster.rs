//! The roster: who serves at this moment, who is due when, and what a shard decides about either. Pure.

use std::collections::HashMap;
use std::time::Duration;

use crate::clock::Timestamp;
use crate::id::{EventNo, SubscriptionNo};
use crate::shard::agenda::Agenda;
use crate::store::Address;
use crate::subscriber::Start;

/// How long a subscriber that ended by itself stays down: long enough that one that always does is no burden.
const DOWN_TIME: Duration = Duration::from_secs(1);
/// How many due subscribers are started in one go, so that a restart does not starve what is fresh.
const START_STEP: usize = 200;

/// The subscribers of a shard, each under a handle `S`.
pub struct Roster<S> {
    /// The most subscribers that run at a time; further ones begin as others retire.
    limit: usize,
    running: HashMap<SubscriptionNo, Running<S>>,
    agenda: Agenda,
    lives: u64,
    timer: Option<Timestamp>,
    /// Somebody was due for whom there was no room, and there has not been much since.
    crowded: bool,
    draining: bool,
}

/// A subscriber that is to begin.
#[derive(Clone, Copy, Debug)]
pub struct Life {
    pub at: Address,
    pub incarnation: u64,
    pub start: Start,
}

struct Running<S> {
    subscriber: S,
    incarnation: u64,
    /// How often it was forwarded something.
    told: u64,
}

impl<S> Roster<S> {
    /// A roster of at most so many that serve at a time.
    pub fn new(limit: usize) -> Self {
        Self {
            limit,
            running: HashMap::new(),
            agenda: Agenda::default(),
            lives: 0,
            timer: None,
            crowded: false,
            draining: false,
        }
    }

    /// The subscriber that a stretch of events is to be forwarded to; begun if there is room for it.
    pub fn forward(
        &mut self,
        at: Address,
        first: EventNo,
        now: Timestamp,
        begin: impl FnOnce(Life) -> S,
    ) -> Option<&S> {
        let running = self.subscriber(at, Start::With(first), now, begin)?;
        running.told += 1;
        Some(&running.subscriber)
    }

    /// The subscriber that is to read afresh what waits for it; one that begins now does so anyway.
    pub fn wake(&mut self, at: Address, now: Timestamp, begin: impl FnOnce(Life) -> S) -> Option<&S> {
        if self.draining {
            return None;
        }
        let was_running = self.running.contains_key(&at.subscription);
        let running = self.subscriber(at, Start::FromStore, now, begin).filter(|_| was_running)?;
        running.told += 1;
        Some(&running.subscriber)
    }

    fn subscriber(
        &mut self,
        at: Address,
        start: Start,
        now: Timestamp,
        begin: impl FnOnce(Life) -> S,
    ) -> Option<&mut Running<S>> {
        if !self.running.contains_key(&at.subscription) && !self.has_room() {
            // Who comes later has no claim to the next place.
            self.agenda.note(at, now);
            return None;
        }
        // Where it is crowded, one may have retired before its last settlement is committed.
        let start = if self.agenda.strike(at) || self.crowded { Start::FromStore } else { start };
        let lives = &mut self.lives;
        let running = self.running.entry(at.subscription).or_insert_with(|| {
            *lives += 1;
            let life = Life { at, incarnation: *lives, start };
            Running { subscriber: begin(life), incarnation: life.incarnation, told: 0 }
        });
        Some(running)
    }

    /// Notes when a subscription is due that nobody serves yet.
    pub fn note(&mut self, at: Address, due: Timestamp) {
        self.agenda.note(at, due);
    }

    /// Begins subscribers that are due, some at a time; returns the wait to set the one timer to, if it is to be set
    /// anew.
    pub fn start_due(&mut self, now: Timestamp, mut begin: impl FnMut(Life) -> S) -> Option<Duration> {
        for _ in 0..START_STEP {
            if !self.has_room() {
                break;
            }
            let Some(at) = self.agenda.take_due(now) else {
                break;
            };
            self.subscriber(at, Start::FromStore, now, &mut begin);
        }
        self.next_wait(now)
    }

    fn next_wait(&mut self, now: Timestamp) -> Option<Duration> {
        // While there is no room, the next who retires makes it go on.
        let due = self.agenda.next_due().filter(|due| self.has_room() || *due > now)?;
        // What is overdue waits for the next turn of the loop: others get theirs.
        let at = due.max(Timestamp(now.0 + 1));
        if self.timer.is_some_and(|set| set <= at) {
            return None;
        }
        self.timer = Some(at);
        Some(now.until(at))
    }

    /// The timer ran down.
    pub fn woken(&mut self) {
        self.timer = None;
    }

    /// The subscriber of a subscription, if it runs.
    pub fn running(&self, at: Address) -> Option<&S> {
        self.running.get(&at.subscription).map(|running| &running.subscriber)
    }

    /// The subscriber that is to hear the router's verdict; one that is held for a stop stays so.
    pub fn judged(&self, at: Address) -> Option<&S> {
        self.running(at).filter(|_| !self.draining)
    }

    /// The subscriber that is to start nothing new.
    pub fn pause(&mut self, at: Address) -> Option<&S> {
        self.agenda.strike(at);
        self.running(at)
    }

    /// The subscriber that is to be cut off; it is none of the shard's any more.
    pub fn remove(&mut self, at: Address) -> Option<S> {
        self.agenda.strike(at);
        self.running.remove(&at.subscription).map(|running| running.subscriber)
    }

    /// The subscriber that may retire: it serves, and was told nothing that it had not `heard` when it reported to be
    /// idle. One that reported twice may have a successor by now.
    pub fn retire(
        &mut self,
        at: Address,
        incarnation: u64,
        heard: u64,
        next_due: Option<Timestamp>,
    ) -> Option<S> {
        let running = self.running.get(&at.subscription)?;
        if (running.incarnation, running.told) != (incarnation, heard) {
            return None;
        }
        if let Some(due) = next_due {
            self.agenda.note(at, due);
        }
        self.running.remove(&at.subscription).map(|running| running.subscriber)
    }

    /// A subscriber ended by itself: it begins again a little later. Says whether that was the one that serves.
    pub fn bury(&mut self, at: Address, incarnation: u64, now: Timestamp) -> bool {
        let is_it = |running: &Running<S>| running.incarnation == incarnation;
        if !self.running.get(&at.subscription).is_some_and(is_it) {
            return false;
        }
        self.running.remove(&at.subscription);
        self.agenda.note(at, now.after(DOWN_TIME));
        true
    }

    /// Begins nobody any more; returns who serves.
    pub fn drain(&mut self) -> impl Iterator<Item = &S> {
        self.draining = true;
        self.running.values().map(|running| &running.subscriber)
    }

    /// Looks whether somebody is due for whom there is no room. Then it is crowded until half of the places are free:
    /// who has nothing to do is to retire. Says whether it has just become so.
    pub fn look_round(&mut self, now: Timestamp) -> bool {
        let was_crowded = self.crowded;
        self.crowded = match was_crowded {
            true => self.running.len() > self.limit / 2,
            false => self.running.len() >= self.limit && self.agenda.next_due().is_some_and(|due| due <= now),
        };
        self.crowded && !was_crowded
    }

    /// Whether it is crowded.
    pub fn is_crowded(&self) -> bool {
        self.crowded
    }

    /// Takes out all who serve.
    pub fn abandon(&mut self) -> impl Iterator<Item = S> {
        self.running.drain().map(|(_, running)| running.subscriber)
    }

    /// All who serve, in no order.
    pub fn all(&self) -> impl Iterator<Item = &S> {
        self.running.values().map(|running| &running.subscriber)
    }

    fn has_room(&self) -> bool {
        !self.draining && self.running.len() < self.limit
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::id::AccountNo;

    const AT: Address = Address { account: AccountNo(1), subscription: SubscriptionNo(1) };

    fn roster_with_one() -> Roster<u64> {
        let mut roster = Roster::new(1);
        assert_eq!(
            roster.wake(AT, Timestamp(1), |life| life.incarnation),
            None,
            "one that begins reads anyway"
        );
        roster
    }

    #[test]
    fn one_that_was_told_something_since_does_not_retire() {
        let mut roster = roster_with_one();
        assert_eq!(roster.forward(AT, EventNo(1), Timestamp(1), |_| unreachable!("it runs")), Some(&1));
        assert_eq!(roster.retire(AT, 1, 0, None), None);
        assert_eq!(roster.retire(AT, 1, 1, None), Some(1));
    }

    #[test]
    fn a_report_from_an_earlier_life_retires_nobody_and_unsettles_no_due_time() {
        let mut roster = roster_with_one();
        assert_eq!(roster.retire(AT, 1, 0, Some(Timestamp(5))), Some(1));
        let mut begun = Vec::new();
        roster.start_due(Timestamp(5), |life| {
            begun.push((life.incarnation, life.start));
            life.incarnation
        });
        assert_eq!(begun, [(2, Start::FromStore)]);
        assert_eq!(roster.retire(AT, 1, 0, None), None);
        assert_eq!(roster.running(AT), Some(&2));
    }

    #[test]
    fn it_is_crowded_once_somebody_is_due_and_there_is_no_room() {
        let mut roster = roster_with_one();
        let other = Address { subscription: SubscriptionNo(2), ..AT };
        roster.note(other, Timestamp(5));
        assert!(!roster.look_round(Timestamp(4)), "nobody is due");
        assert!(roster.look_round(Timestamp(5)));
        assert!(!roster.look_round(Timestamp(5)) && roster.is_crowded(), "it was before");
        roster.retire(AT, 1, 0, None);
        assert!(!roster.look_round(Timestamp(5)) && !roster.is_crowded(), "there is room");
    }
}
