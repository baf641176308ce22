//! The steady clock: the router's own time, which does not jump, whatever is done to the wall clock.
//!
//! What is due when, and how long a receiver asked to be left alone, is measured by it. It begins where the wall clock
//! stands, or where the store has seen it last if that is later, and goes on with the machine's monotonic clock. So a
//! wait is as long as it was meant to be, whether the wall clock is set back or forward meanwhile; and over a restart a
//! wait is never longer than what was left of it, as if no time had passed in between. It is not put right while a
//! process runs: how far it is from the wall clock matters to nobody but who shows a due time.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use super::Timestamp;

/// The clocks of one router. Clones share them.
#[derive(Clone, Debug)]
pub struct Clock(Arc<Beginning>);

/// Where both clocks stand at one moment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Now {
    /// What signatures, events and logs carry, and what expires by the calendar.
    pub wall: Timestamp,
    /// What is compared with due times, and what they are made of.
    pub steady: Timestamp,
}

#[derive(Debug)]
struct Beginning {
    began: Instant,
    wall: Timestamp,
    /// How far the steady clock was set forward, in milliseconds.
    lead_ms: AtomicU64,
}

/// How far apart the clocks may be and still count as one: they tick a little differently.
const TOGETHER: Duration = Duration::from_secs(1);

impl Clock {
    /// Clocks that stand together.
    pub fn start() -> Self {
        Self::starting_at(Timestamp::now())
    }

    fn starting_at(wall: Timestamp) -> Self {
        Self(Arc::new(Beginning { began: Instant::now(), wall, lead_ms: AtomicU64::new(0) }))
    }

    /// Where they stand.
    pub fn now(&self) -> Now {
        Now { wall: Timestamp::now(), steady: self.steady() }
    }

    /// Sets the steady clock forward to `seen`, should it be behind that.
    pub fn go_on_from(&self, seen: Timestamp) {
        let behind_ms = seen.0.saturating_sub(self.steady().0);
        self.0.lead_ms.fetch_add(behind_ms, Ordering::AcqRel);
    }

    fn steady(&self) -> Timestamp {
        let Beginning { began, wall, lead_ms } = &*self.0;
        // Rounded down: nothing is due early.
        Timestamp(wall.0 + lead_ms.load(Ordering::Acquire) + began.elapsed().as_millis() as u64)
    }
}

impl Now {
    /// The clock that is behind: by it nothing is older than it is, unless it was set forward while nothing ran.
    pub fn earlier(self) -> Timestamp {
        self.wall.min(self.steady)
    }

    /// What the wall clock will show, if nobody sets it, when the steady one stands at `due`.
    pub fn on_the_wall(self, due: Timestamp) -> Timestamp {
        let apart = self.wall.0.abs_diff(self.steady.0);
        if u128::from(apart) < TOGETHER.as_millis() {
            return due;
        }
        Timestamp((due.0 + self.wall.0).saturating_sub(self.steady.0))
    }
}

#[cfg(test)]
impl From<Timestamp> for Now {
    fn from(both: Timestamp) -> Self {
        Self { wall: both, steady: both }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const HOUR: u64 = 3_600_000;

    #[test]
    fn the_steady_clock_goes_on_from_what_was_seen_and_never_back() {
        let clock = Clock::starting_at(Timestamp(5 * HOUR));
        clock.go_on_from(Timestamp(4 * HOUR));
        assert!((5 * HOUR..6 * HOUR).contains(&clock.now().steady.0));
        clock.go_on_from(Timestamp(6 * HOUR));
        let now = clock.now().steady;
        assert!((6 * HOUR..7 * HOUR).contains(&now.0));
        clock.go_on_from(Timestamp(6 * HOUR));
        assert!((now.0..7 * HOUR).contains(&clock.now().steady.0));
    }

    #[test]
    fn a_due_time_is_shown_by_the_wall_clock() {
        let now = |wall, steady| Now { wall: Timestamp(wall), steady: Timestamp(steady) };
        let due = Timestamp(7 * HOUR);
        assert_eq!(now(5 * HOUR, 6 * HOUR).on_the_wall(due), Timestamp(6 * HOUR));
        assert_eq!(now(6 * HOUR, 5 * HOUR).on_the_wall(due), Timestamp(8 * HOUR));
        assert_eq!(now(6 * HOUR, 6 * HOUR + 7).on_the_wall(due), due);
        assert_eq!(now(HOUR, 6 * HOUR).on_the_wall(Timestamp(0)), Timestamp(0));
    }

    #[test]
    fn nothing_is_older_than_either_clock_says() {
        let set_forward = Now { wall: Timestamp(9 * HOUR), steady: Timestamp(HOUR) };
        assert_eq!(set_forward.earlier(), Timestamp(HOUR));
        let set_back = Now { wall: Timestamp(HOUR), steady: Timestamp(9 * HOUR) };
        assert_eq!(set_back.earlier(), Timestamp(HOUR));
    }
}
