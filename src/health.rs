//! The health of an endpoint: whether it is sent to freely, probed, or opened up again. Pure.

use std::time::Duration;

use crate::attempt::Outcome;
use crate::clock::Timestamp;

/// What recent attempts say of an endpoint.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Health {
    pub stage: Stage,
    /// The receiver asked to be left alone until then (`Retry-After`).
    pub hold_until: Option<Timestamp>,
    /// Nothing has succeeded since this attempt failed.
    pub failing_since: Option<Timestamp>,
}

/// How freely an endpoint is sent to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stage {
    /// As many at a time as its share allows; this many attempts in a row failed.
    Healthy { failures: u32 },
    /// Only the oldest delivery is tried, on its own schedule; the others wait.
    Probing,
    /// A probe succeeded, or it is back after it was given up: this many at a time, one more with each success.
    Opening { allowance: u32, failures: u32 },
}

impl Default for Health {
    fn default() -> Self {
        Self { stage: Stage::Healthy { failures: 0 }, hold_until: None, failing_since: None }
    }
}

impl Health {
    /// The health of an endpoint that was given up and is back with all that waited for it.
    pub const REVIVED: Self =
        Self { stage: Stage::Opening { allowance: 1, failures: 0 }, hold_until: None, failing_since: None };

    /// The health after one more attempt.
    ///
    /// `probe_after` unhealthy outcomes in a row start probing; any other answer ends the row. Only a success ends
    /// probing. `limit` is how many attempts a healthy endpoint may have in flight, `hold` how long the receiver asked
    /// to be left alone, counted from `now`.
    pub fn after(
        self,
        outcome: Outcome,
        probe_after: u32,
        limit: u32,
        hold: Option<Duration>,
        now: Timestamp,
    ) -> Self {
        let stage = if outcome.is_success() {
            self.stage.after_success(limit)
        } else if outcome.is_unhealthy() {
            self.stage.after_failure(probe_after)
        } else {
            self.stage.after_refusal()
        };
        let hold_until = match hold {
            Some(hold) => Some(now.after(hold).max(self.hold_until.unwrap_or_default())),
            None => self.hold_until.filter(|until| *until > now),
        };
        let failing_since = match outcome.is_success() {
            true => None,
            false => Some(self.failing_since.unwrap_or(now)),
        };
        Self { stage, hold_until, failing_since }
    }

    /// How many attempts may be in flight at once when a healthy endpoint may have `limit`.
    pub fn allowance(self, limit: u32) -> u32 {
        match self.stage {
            Stage::Healthy { .. } => limit,
            Stage::Probing => 1,
            Stage::Opening { allowance, .. } => allowance.min(limit),
        }
    }

    /// Whether only the oldest delivery may be attempted.
    pub fn is_probing(self) -> bool {
        self.stage == Stage::Probing
    }

    /// When the next attempt is due, given the soonest due time of what waits for a retry, and that of the oldest
    /// delivery if it does; `in_order` says whether nothing goes before the oldest in any case.
    pub fn next_attempt(
        self,
        soonest: Option<Timestamp>,
        oldest: Option<Timestamp>,
        in_order: bool,
    ) -> Option<Timestamp> {
        let due = if in_order || self.is_probing() { oldest } else { soonest };
        due.map(|due| due.max(self.hold_until.unwrap_or_default()))
    }

    /// The health as a restart finds it: how far an endpoint had opened is forgotten, the rest is kept.
    pub fn to_keep(self) -> Self {
        let stage = match self.stage {
            Stage::Opening { failures, .. } => Stage::Opening { allowance: 1, failures },
            stage => stage,
        };
        Self { stage, ..self }
    }
}

impl Stage {
    fn after_success(self, limit: u32) -> Self {
        match self {
            Self::Healthy { .. } => Self::Healthy { failures: 0 },
            Self::Probing => Self::Opening { allowance: 2, failures: 0 }.opened(limit),
            Self::Opening { allowance, .. } => {
                Self::Opening { allowance: allowance + 1, failures: 0 }.opened(limit)
            }
        }
    }

    fn opened(self, limit: u32) -> Self {
        match self {
            Self::Opening { allowance, .. } if allowance >= limit => Self::Healthy { failures: 0 },
            stage => stage,
        }
    }

    fn after_failure(self, probe_after: u32) -> Self {
        match self {
            Self::Probing => Self::Probing,
            Self::Healthy { failures } | Self::Opening { failures, .. } if failures + 1 >= probe_after => {
                Self::Probing
            }
            Self::Healthy { failures } => Self::Healthy { failures: failures + 1 },
            Self::Opening { failures, .. } => Self::Opening { allowance: 1, failures: failures + 1 },
        }
    }

    /// An answer that speaks against the event, not against the endpoint.
    fn after_refusal(self) -> Self {
        match self {
            Self::Probing => Self::Probing,
            Self::Healthy { .. } => Self::Healthy { failures: 0 },
            Self::Opening { allowance, .. } => Self::Opening { allowance, failures: 0 },
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::attempt::ErrorKind;

    const OK: Outcome = Outcome::Answered { status: 200, retry_after: None };
    const BUSY: Outcome = Outcome::Answered { status: 503, retry_after: None };
    const REFUSED: Outcome = Outcome::Answered { status: 404, retry_after: None };

    fn health_after(outcomes: impl IntoIterator<Item = Outcome>) -> Health {
        outcomes
            .into_iter()
            .fold(Health::default(), |health, outcome| health.after(outcome, 5, 8, None, Timestamp(0)))
    }

    #[test]
    fn five_failures_in_a_row_start_probing() {
        assert!(!health_after([BUSY; 4]).is_probing());
        assert!(health_after([BUSY, Outcome::Failed(ErrorKind::Timeout), BUSY, BUSY, BUSY]).is_probing());
        assert!(!health_after([BUSY, BUSY, BUSY, BUSY, OK, BUSY]).is_probing());
    }

    #[test]
    fn answers_that_speak_against_the_event_never_start_it() {
        assert!(!health_after([REFUSED; 50]).is_probing());
        assert!(!health_after([BUSY, BUSY, BUSY, BUSY, REFUSED, BUSY]).is_probing());
    }

    #[test]
    fn a_probe_that_succeeds_opens_the_endpoint_slowly() {
        let mut health = health_after([BUSY; 5]);
        assert_eq!(health.allowance(8), 1);
        let mut allowed = Vec::new();
        for _ in 0..3 {
            for _ in 0..health.allowance(8) {
                health = health.after(OK, 5, 8, None, Timestamp(0));
            }
            allowed.push(health.allowance(8));
        }
        assert_eq!(allowed, [2, 4, 8]);
        assert_eq!(health, Health::default());
    }

    #[test]
    fn it_fails_since_the_first_failure_after_a_success() {
        let since = |outcomes: &[(u64, Outcome)]| {
            let after = |health: Health, (at, outcome): &(u64, Outcome)| {
                health.after(*outcome, 5, 8, None, Timestamp(*at))
            };
            outcomes.iter().fold(Health::default(), after).failing_since
        };
        assert_eq!(since(&[(1, BUSY), (2, REFUSED), (3, BUSY)]), Some(Timestamp(1)));
        assert_eq!(since(&[(1, BUSY), (2, OK)]), None);
        assert_eq!(since(&[(1, BUSY), (2, OK), (3, REFUSED), (4, BUSY)]), Some(Timestamp(3)));
    }

    #[test]
    fn a_failure_while_opening_starts_it_over() {
        let opening = health_after([BUSY, BUSY, BUSY, BUSY, BUSY, OK, OK, BUSY]);
        assert_eq!(opening.stage, Stage::Opening { allowance: 1, failures: 1 });
    }

    #[test]
    fn the_next_attempt_is_the_soonest_or_the_oldest_and_never_within_a_hold() {
        let (soonest, oldest) = (Some(Timestamp(10)), Some(Timestamp(30)));
        assert_eq!(Health::default().next_attempt(soonest, oldest, false), soonest);
        assert_eq!(Health::default().next_attempt(soonest, oldest, true), oldest);
        let probing = health_after([BUSY; 5]);
        assert_eq!(probing.next_attempt(soonest, oldest, false), oldest);
        assert_eq!(probing.next_attempt(soonest, None, false), None);
        let held = Health { hold_until: Some(Timestamp(20)), ..Health::default() };
        assert_eq!(held.next_attempt(soonest, oldest, false), held.hold_until);
    }

    #[test]
    fn a_hold_lasts_as_long_as_asked_and_is_never_shortened() {
        let now = Timestamp(1000);
        let held = Health::default().after(BUSY, 5, 8, Some(Duration::from_secs(9)), now);
        assert_eq!(held.hold_until, Some(Timestamp(10_000)));
        let held = held.after(BUSY, 5, 8, Some(Duration::from_secs(1)), now);
        assert_eq!(held.hold_until, Some(Timestamp(10_000)));
        assert_eq!(held.after(OK, 5, 8, None, Timestamp(10_000)).hold_until, None);
    }
}
