//! Figures of attempts, and of what follows from them.

use std::time::Duration;

use prometheus_client::metrics::counter::Counter;

use crate::attempt::{Attempt, ErrorKind, Outcome};

use super::book::Book;
use super::histogram::{Buckets, Histogram};

/// Counted by the subscribers.
#[derive(Debug)]
pub struct Attempts {
    pub delivered: Counter,
    pub retries: Counter,
    pub given_up: Counter,
    pub recovered: Counter,
    pub replays: Counter,
    pub throttled_by_hook: Counter,
    pub throttled_by_account: Counter,
    pub unable: Counter,
    outcomes: [Counter; 10],
    duration: Histogram,
    lag: [Histogram; 2],
}

/// From a local network to the timeout, five minutes at most; in microseconds.
const DURATION: Buckets = Buckets::Time(&[
    1_000,
    2_500,
    5_000,
    10_000,
    25_000,
    50_000,
    100_000,
    250_000,
    500_000,
    1_000_000,
    2_500_000,
    5_000_000,
    10_000_000,
    30_000_000,
    60_000_000,
    300_000_000,
]);

/// From at once to a day; in microseconds.
const LAG: Buckets = Buckets::Time(&[
    1_000,
    5_000,
    10_000,
    50_000,
    100_000,
    500_000,
    1_000_000,
    5_000_000,
    30_000_000,
    60_000_000,
    300_000_000,
    1_800_000_000,
    3_600_000_000,
    21_600_000_000,
    86_400_000_000,
]);

impl Attempts {
    pub(super) fn new(book: &mut Book<'_>) -> Self {
        let [throttled_by_hook, throttled_by_account] = book.counters(
            "attempts_throttled",
            "How often an attempt had to wait because of a rate, by whose rate it was",
            "by",
            ["hook", "account"],
        );
        Self {
            throttled_by_hook,
            throttled_by_account,
            recovered: book.counter("hooks_recovered", "Hooks that were probed and took a delivery"),
            replays: book.counter(
                "replays_attempted",
                "Attempts of deliveries that were asked for again, or came back with their hooks",
            ),
            delivered: book.counter("deliveries_delivered", "Deliveries that a receiver answered with 2xx"),
            retries: book
                .counter("retries_scheduled", "Attempts that failed and after which another was scheduled"),
            given_up: book.counter(
                "deliveries_given_up",
                "Deliveries that failed to the last and became dead letters while their hooks stayed active",
            ),
            unable: book.counter(
                "attempts_unable",
                "Attempts that this machine could not make for want of open files, ports or memory; they are made later",
            ),
            outcomes: book.counters(
                "attempts",
                "Attempts that are over, by the answer's class of status or by why no usable answer came",
                "outcome",
                ["2xx", "3xx", "4xx", "5xx", "timeout", "connect", "tls", "dns", "blocked", "protocol"],
            ),
            duration: book.histogram(
                "attempt_duration_seconds",
                "How long attempts took, from their start to the end of what is read of the answer",
                DURATION,
            ),
            lag: book.histograms(
                "attempt_lag_seconds",
                "How long after it was due an attempt began; a first one is due once its event is accepted. What \
                 waits because its hook is paused, probed or slow is in it too",
                LAG,
                "attempt",
                ["first", "retry"],
            ),
        }
    }

    /// An attempt begins that was due so long ago.
    pub fn begin(&self, is_retry: bool, lag: Duration) {
        self.lag[usize::from(is_retry)].time(lag);
    }

    /// An attempt is over.
    pub fn end(&self, attempt: &Attempt) {
        self.outcomes[place(attempt.outcome)].inc();
        self.duration.time(Duration::from_millis(attempt.duration_ms.into()));
        if attempt.outcome.is_success() {
            self.delivered.inc();
        }
    }
}

/// Where an outcome stands among the label's values.
fn place(outcome: Outcome) -> usize {
    match outcome {
        Outcome::Answered { status: 200..=299, .. } => 0,
        Outcome::Answered { status: 300..=399, .. } => 1,
        Outcome::Answered { status: 400..=499, .. } => 2,
        Outcome::Answered { status: 500.., .. } => 3,
        Outcome::Failed(ErrorKind::Timeout) => 4,
        Outcome::Failed(ErrorKind::Connect) => 5,
        Outcome::Failed(ErrorKind::Tls) => 6,
        Outcome::Failed(ErrorKind::Dns) => 7,
        Outcome::Failed(ErrorKind::Blocked) => 8,
        Outcome::Failed(ErrorKind::Protocol) | Outcome::Answered { .. } => 9,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock::Timestamp;
    use crate::metrics::Metrics;

    fn attempt(outcome: Outcome) -> Attempt {
        Attempt {
            n: 1,
            at: Timestamp(0),
            asked: false,
            outcome,
            duration_ms: 7,
            response: Default::default(),
        }
    }

    #[test]
    fn every_outcome_counts_under_its_own_name() {
        let kinds = ["timeout", "connect", "tls", "dns", "blocked", "protocol"];
        use ErrorKind::{Blocked, Connect, Dns, Protocol, Timeout, Tls};
        let failures = [Timeout, Connect, Tls, Dns, Blocked, Protocol].map(Outcome::Failed);
        let statuses = [204, 301, 410, 503].map(|status| Outcome::Answered { status, retry_after: None });
        let names = ["2xx", "3xx", "4xx", "5xx"];
        for (outcome, name) in statuses.into_iter().chain(failures).zip(names.into_iter().chain(kinds)) {
            let metrics = Metrics::new();
            metrics.attempts.end(&attempt(outcome));
            let line = format!("\nhookyard_attempts_total{{outcome=\"{name}\"}} 1\n");
            assert!(metrics.text().contains(&line), "{outcome}");
        }
    }
}
