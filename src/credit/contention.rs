//! Contention: how much of one account may be under way while others are active.
//!
//! An account alone may have as much under way as there is leave for. Beside others that would fill the processors, and
//! all of them would wait for each other at every step. So then an account gets through about a fifth of the events that
//! the processors can carry, however long a commit takes: the longer events are under way, the more of them may be.

use std::fmt;
use std::time::{Duration, Instant};

use crate::id::AccountNo;

/// How long an account counts as active after it emitted.
const ACTIVE: Duration = Duration::from_secs(1);
/// For each so much time that events are under way, one may be at a time, on one processor; on several, that many more. An
/// event takes about 30 µs of a processor.
const EACH: Duration = Duration::from_micros(160);
/// The fewest events that may be under way.
const FEWEST: usize = 4;
/// The most.
const MOST: usize = 256;
/// How many of them the time for which an event is under way is averaged over.
const AVERAGED: u32 = 32;

/// Tells the time.
type Clock = Box<dyn Fn() -> Instant + Send>;

/// Who is active, and how long events are under way.
pub struct Contention {
    clock: Clock,
    /// Who emitted last, and who did before, if it was another.
    latest: [Option<(AccountNo, Instant)>; 2],
    under_way: Duration,
    each: Duration,
}

/// Without the clock, of which there is nothing to show.
impl fmt::Debug for Contention {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { latest, under_way, each, .. } = self;
        let mut shown = f.debug_struct("Contention");
        shown
            .field("latest", latest)
            .field("under_way", under_way)
            .field("each", each)
            .finish_non_exhaustive()
    }
}

impl Contention {
    /// Nobody is active yet; so many processors share the work, and time is what `clock` says.
    pub fn new(processors: usize, clock: impl Fn() -> Instant + Send + 'static) -> Self {
        let each = EACH.div_f64(processors.max(1) as f64);
        Self { clock: Box::new(clock), latest: [None; 2], under_way: Duration::ZERO, each }
    }

    /// What time it is.
    pub fn now(&self) -> Instant {
        (self.clock)()
    }

    /// An account emits.
    pub fn emits(&mut self, account: AccountNo) {
        let now = self.now();
        if self.latest[0].is_some_and(|(latest, _)| latest != account) {
            self.latest[1] = self.latest[0];
        }
        self.latest[0] = Some((account, now));
    }

    /// Something that was under way since then is so no more.
    pub fn was_under_way(&mut self, since: Instant) {
        let time = self.now().duration_since(since);
        self.under_way = (self.under_way * (AVERAGED - 1) + time) / AVERAGED;
    }

    /// How many events of an account may be under way; `None` where it is alone, and not held to anything here.
    pub fn limit(&self, account: AccountNo) -> Option<usize> {
        let mut others = self.latest.iter().flatten().filter(|(other, _)| *other != account);
        let is_beside_others = others.any(|(_, emitted)| self.now().duration_since(*emitted) < ACTIVE);
        is_beside_others.then(|| (self.under_way.div_duration_f64(self.each) as usize).clamp(FEWEST, MOST))
    }
}

#[cfg(test)]
mod tests {
    use std::sync::{Arc, Mutex};

    use super::*;

    const NOISY: AccountNo = AccountNo(1);
    const QUIET: AccountNo = AccountNo(2);

    /// Where nobody has emitted yet, and the time since it was made.
    fn contention(processors: usize) -> (Contention, impl Fn(Duration)) {
        let (began, passed) = (Instant::now(), Arc::new(Mutex::new(Duration::ZERO)));
        let shown = passed.clone();
        let clock = move || began + *shown.lock().unwrap();
        (Contention::new(processors, clock), move |time| *passed.lock().unwrap() = time)
    }

    #[test]
    fn an_account_is_limited_while_another_is_active() {
        let (mut contention, pass) = contention(1);
        contention.emits(NOISY);
        assert_eq!(contention.limit(NOISY), None, "it is alone");
        contention.emits(QUIET);
        contention.emits(NOISY);
        pass(ACTIVE / 2);
        contention.emits(NOISY);
        assert_eq!(contention.limit(NOISY), Some(FEWEST));
        pass(ACTIVE);
        assert_eq!(contention.limit(NOISY), None, "the other was quiet for long");
        assert_eq!(contention.limit(QUIET), Some(FEWEST));
    }

    #[test]
    fn the_longer_events_are_under_way_the_more_of_them_may_be() {
        let limit_after = |processors, time| {
            let (mut contention, pass) = contention(processors);
            contention.emits(NOISY);
            contention.emits(QUIET);
            let began = contention.now();
            pass(time);
            (0..1000).for_each(|_| contention.was_under_way(began));
            contention.limit(NOISY).unwrap()
        };
        let slow_disk = 100 * EACH;
        assert!((98..=100).contains(&limit_after(1, slow_disk)));
        assert!((196..=200).contains(&limit_after(2, slow_disk)));
        assert_eq!(limit_after(1, EACH), FEWEST);
    }
}
