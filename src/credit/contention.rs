//! Contention: how much of one account may be under way while others are active. Pure.
//!
//! An account alone may have as much under way as there is leave for. Beside others that would fill the processors, and
//! all of them would wait for each other at every step. So then an account gets through about a fifth of the events that
//! the processors can carry, however long a commit takes: the longer events are under way, the more of them may be.

use std::time::{Duration, Instant};

use crate::id::AccountNo;

/// How long an account counts as active after it emitted.
const ACTIVE: Duration = Duration::from_secs(1);
/// For each so much time that events are under way, one may be at a time, on one processor; on several, that many more. An
/// event takes about 30 µs of a processor.
const EACH: Duration = Duration::from_micros(160);
/// The fewest events that may be under way.
const FEWEST: usize = 4;
/// How many of them the time for which an event is under way is averaged over.
const AVERAGED: u32 = 32;

/// Who is active, and how long events are under way.
#[derive(Debug)]
pub struct Contention {
    /// Who emitted last, and who did before, if it was another.
    latest: [Option<(AccountNo, Instant)>; 2],
    under_way: Duration,
    each: Duration,
}

impl Contention {
    /// Nobody is active yet; so many processors share the work.
    pub fn new(processors: usize) -> Self {
        let each = EACH.div_f64(processors.max(1) as f64);
        Self { latest: [None; 2], under_way: Duration::ZERO, each }
    }

    /// An account emits.
    pub fn emits(&mut self, account: AccountNo, now: Instant) {
        if self.latest[0].is_some_and(|(latest, _)| latest != account) {
            self.latest[1] = self.latest[0];
        }
        self.latest[0] = Some((account, now));
    }

    /// Something was under way for so long.
    pub fn was_under_way(&mut self, time: Duration) {
        self.under_way = (self.under_way * (AVERAGED - 1) + time) / AVERAGED;
    }

    /// How many events of an account may be under way; `None` where it is alone, and not held to anything here.
    pub fn limit(&self, account: AccountNo, now: Instant) -> Option<usize> {
        let mut others = self.latest.iter().flatten().filter(|(other, _)| *other != account);
        let is_beside_others = others.any(|(_, emitted)| now.duration_since(*emitted) < ACTIVE);
        is_beside_others.then(|| (self.under_way.div_duration_f64(self.each) as usize).max(FEWEST))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOISY: AccountNo = AccountNo(1);
    const QUIET: AccountNo = AccountNo(2);

    #[test]
    fn an_account_is_limited_while_another_is_active() {
        let (mut contention, now) = (Contention::new(1), Instant::now());
        contention.emits(NOISY, now);
        assert_eq!(contention.limit(NOISY, now), None, "it is alone");
        contention.emits(QUIET, now);
        contention.emits(NOISY, now);
        contention.emits(NOISY, now + ACTIVE / 2);
        assert_eq!(contention.limit(NOISY, now + ACTIVE / 2), Some(FEWEST));
        assert_eq!(contention.limit(NOISY, now + ACTIVE), None, "the other was quiet for long");
        assert_eq!(contention.limit(QUIET, now + ACTIVE), Some(FEWEST));
    }

    #[test]
    fn the_longer_events_are_under_way_the_more_of_them_may_be() {
        let limit_after = |processors, time| {
            let (mut contention, now) = (Contention::new(processors), Instant::now());
            contention.emits(NOISY, now);
            contention.emits(QUIET, now);
            (0..1000).for_each(|_| contention.was_under_way(time));
            contention.limit(NOISY, now).unwrap()
        };
        let slow_disk = 100 * EACH;
        assert!((98..=100).contains(&limit_after(1, slow_disk)));
        assert!((196..=200).contains(&limit_after(2, slow_disk)));
        assert_eq!(limit_after(1, EACH), FEWEST);
    }
}
