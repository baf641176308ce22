//! The retry policy: what follows a failed attempt. Pure; time and chance are arguments.

use std::time::Duration;

use crate::clock::Timestamp;

/// When deliveries are tried again.
#[derive(Clone, Debug, PartialEq)]
pub struct Policy {
    /// The waits after the first failure, the second, and so on.
    pub schedule: Vec<Duration>,
    /// How much longer than scheduled a wait may be, in percent.
    pub jitter_percent: u32,
    /// The longest wait that a receiver may ask for.
    pub retry_after_max: Duration,
}

/// What follows a failed attempt.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Next {
    /// Another attempt, not before this moment.
    Retry { due: Timestamp },
    /// Nothing: the schedule is used up.
    GiveUp,
}

impl Policy {
    /// What follows a failure at `failed_at` that `retries` retries of a schedule went before.
    ///
    /// `chance` is drawn evenly from 0 to 1 for each failure and spreads the retries of many deliveries. A wait is
    /// never shorter than scheduled, nor than the receiver asked for (within [`Self::retry_after_max`]).
    pub fn after_failure(
        &self,
        schedule: &[Duration],
        retries: usize,
        failed_at: Timestamp,
        asked: Option<Duration>,
        chance: f64,
    ) -> Next {
        let Some(wait) = schedule.get(retries) else {
            return Next::GiveUp;
        };
        let jitter = wait.mul_f64(f64::from(self.jitter_percent) / 100.0 * chance.clamp(0.0, 1.0));
        let asked = asked.unwrap_or_default().min(self.retry_after_max);
        Next::Retry { due: failed_at.after((*wait + jitter).max(asked)) }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn documented() -> Policy {
        let minutes = |n: u64| Duration::from_secs(60 * n);
        Policy {
            schedule: vec![minutes(1), minutes(5), minutes(30)],
            jitter_percent: 10,
            retry_after_max: minutes(60),
        }
    }

    fn after_failure(retries: usize, at: u64, asked: Option<Duration>, chance: f64) -> Next {
        let policy = documented();
        policy.after_failure(&policy.schedule, retries, Timestamp(at), asked, chance)
    }

    fn due(next: Next) -> u64 {
        match next {
            Next::Retry { due } => due.0,
            Next::GiveUp => panic!("given up"),
        }
    }

    #[test]
    fn the_documented_schedule_is_one_five_and_thirty_minutes() {
        let waits: Vec<u64> = (0..3).map(|n| due(after_failure(n, 0, None, 0.0)) / 60_000).collect();
        assert_eq!(waits, [1, 5, 30]);
        assert_eq!(after_failure(3, 0, None, 0.0), Next::GiveUp);
    }

    #[test]
    fn a_receiver_may_ask_for_up_to_an_hour() {
        let asking = |seconds| {
            let asked = Some(Duration::from_secs(seconds));
            due(after_failure(0, 0, asked, 0.0))
        };
        assert_eq!(asking(10), 60_000);
        assert_eq!(asking(600), 600_000);
        assert_eq!(asking(86_400), 3_600_000);
    }

    proptest! {
        #[test]
        fn a_retry_is_never_early_and_at_most_a_tenth_late(n in 0usize..3, at in 0u64..1 << 40, chance in 0.0..1.0) {
            let wait = due(after_failure(n, at, None, chance)) - at;
            let scheduled = documented().schedule[n].as_millis() as u64;
            prop_assert!((scheduled..=scheduled + scheduled / 10 + 1).contains(&wait));
        }
    }
}
