//! A pace: how fast attempts may begin. A leaky bucket (the crate `governor`) that goes by the clock of
//! the dispatcher.

use std::num::NonZeroU32;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use governor::clock::Clock;
use governor::middleware::NoOpMiddleware;
use governor::nanos::Nanos;
use governor::state::{InMemoryState, NotKeyed};
use governor::{Quota, RateLimiter};

use crate::clock::Timestamp;

/// Lets so many attempts begin in a second, evenly spread.
pub struct Pace {
    rate: NonZeroU32,
    clock: Told,
    limiter: RateLimiter<NotKeyed, InMemoryState, Told, NoOpMiddleware<Nanos>>,
}

/// A clock that stands where it was told, in milliseconds.
#[derive(Clone)]
struct Told(Arc<AtomicU64>);

/// After a quiet time this part of a second's attempts may begin at once: timers are no finer than a millisecond.
const BURST_PART: u32 = 10;

impl Pace {
    /// How long after an attempt it is as if there had been none: a bucket holds a second's attempts at most.
    pub const MEMORY: Duration = Duration::from_secs(1);

    /// The pace of so many a second, if that is limited; `earlier` goes on if it is the same.
    pub fn of(rate: Option<u32>, earlier: Option<Self>, now: Timestamp) -> Option<Self> {
        let rate = NonZeroU32::new(rate?)?;
        let same = earlier.filter(|earlier| earlier.rate == rate);
        Some(same.unwrap_or_else(|| Self::new(rate, now)))
    }

    /// How many a second it lets begin.
    pub fn rate(&self) -> u32 {
        self.rate.get()
    }

    fn new(rate: NonZeroU32, now: Timestamp) -> Self {
        let clock = Told(Arc::new(AtomicU64::new(now.0)));
        let burst = NonZeroU32::new(rate.get() / BURST_PART).unwrap_or(NonZeroU32::MIN);
        let quota = Quota::per_second(rate).allow_burst(burst);
        Self { rate, clock: clock.clone(), limiter: RateLimiter::direct_with_clock(quota, clock) }
    }

    /// Lets an attempt begin.
    ///
    /// # Errors
    /// When it is too early; says from when on it is not.
    pub fn admit(&self, now: Timestamp) -> Result<(), Timestamp> {
        self.clock.0.store(now.0, Ordering::Relaxed);
        self.limiter.check().map_err(|early| {
            let wait = early.wait_time_from(nanos(now));
            now.after(Duration::from_millis(wait.as_nanos().div_ceil(1_000_000) as u64))
        })
    }
}

fn nanos(now: Timestamp) -> Nanos {
    Nanos::from(now.0.saturating_mul(1_000_000))
}

impl Clock for Told {
    type Instant = Nanos;

    fn now(&self) -> Nanos {
        nanos(Timestamp(self.0.load(Ordering::Relaxed)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// How many begin at each moment from `from` on, when as many are wanted as may be.
    fn begun(pace: &Pace, from: u64, until: u64) -> Vec<u64> {
        let mut begun = Vec::new();
        let mut now = Timestamp(from);
        while now.0 < until {
            match pace.admit(now) {
                Ok(()) => begun.push(now.0),
                Err(later) => {
                    assert!(later > now, "the wait has an end");
                    now = later;
                }
            }
        }
        begun
    }

    #[test]
    fn a_second_has_so_many_and_a_tenth_at_most() {
        for rate in [1, 3, 10, 1_000, 65_535] {
            let pace = Pace::of(Some(rate), None, Timestamp(5_000)).unwrap();
            let begun = begun(&pace, 5_000, 15_000);
            let within = |from: u64| begun.iter().filter(|at| (from..from + 1_000).contains(*at)).count();
            let most = rate as usize + (rate as usize / 10).max(1);
            assert!((5_000..14_000).step_by(100).all(|from| within(from) <= most), "{rate}");
            let least = rate as usize * 10 * 98 / 100;
            assert!(begun.len() >= least, "{rate}: {} in ten seconds", begun.len());
        }
    }

    #[test]
    fn a_pace_goes_on_where_it_is_the_same() {
        let now = Timestamp(1);
        let pace = Pace::of(Some(1), None, now).unwrap();
        assert_eq!(pace.admit(now), Ok(()));
        let pace = Pace::of(Some(1), Some(pace), now).unwrap();
        assert_eq!(pace.admit(now), Err(Timestamp(1_001)));
        let pace = Pace::of(Some(2), Some(pace), now).unwrap();
        assert_eq!(pace.admit(now), Ok(()));
        assert!(Pace::of(None, Some(pace), now).is_none());
    }
}
