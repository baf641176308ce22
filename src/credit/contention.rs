//! Contention: how much of one account may be under way while others are active. Pure.
//!
//! An account alone may have as much under way as there is leave for. Beside others that would fill the processors, and
//! all of them would wait for each other at every step. So then an account gets as many events per second through as one
//! processor in two can carry, however long a commit takes: as many are under way at a time as fit in the time for which
//! one is.

use std::time::{Duration, Instant};

use crate::id::AccountNo;

/// How long an account counts as active after it emitted.
const ACTIVE: Duration = Duration::from_secs(1);
/// The processor time for which one more event may be under way, on one processor; several have it at once.
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
        let each = EACH / u32::try_from(processors.max(1)).unwrap_or(u32::MAX);
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

    /// How many events of an account may be under way; none if it is alone.
    pub fn limit(&self, account: AccountNo, now: Instant) -> Option<usize> {
        let others = self.latest.iter().flatten().filter(|(other, _)| *other != account);
        let is_beside_others = others.into_iter().any(|(_, emitted)| now.duration_since(*emitted) < ACTIVE);
        let fitting = self.under_way.as_nanos() / self.each.as_nanos().max(1);
        is_beside_others.then(|| usize::try_from(fitting).unwrap_or(usize::MAX).max(FEWEST))
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
