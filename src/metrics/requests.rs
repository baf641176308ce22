//! Figures of the front door: its requests by route.

use std::time::Duration;

use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;

use super::book::Book;
use super::histogram::{Buckets, Histogram};

/// Counted by the front door; the series of a route begins with its first request.
#[derive(Debug)]
pub struct Requests {
    answered: Family<Labels<3>, Counter>,
    duration: Family<Labels<2>, Histogram, fn() -> Histogram>,
    limited: [Counter; 3],
}

/// Who came too often.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Limited {
    Key,
    Account,
    Address,
}

/// Labels with their values.
type Labels<const N: usize> = [(&'static str, &'static str); N];

/// What a request is counted under; each of it has few values.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Kind {
    /// The pattern that its path matched.
    pub route: &'static str,
    pub method: &'static str,
    /// The class of the answer's status.
    pub status: &'static str,
}

/// The figures of a kind of request.
#[derive(Clone, Debug)]
pub struct Series {
    answered: Counter,
    duration: Histogram,
}

/// From an answer out of memory to a large batch on a slow disk; in microseconds.
const DURATION: Buckets = Buckets::Time(&[
    250, 500, 1_000, 2_500, 5_000, 10_000, 25_000, 50_000, 100_000, 250_000, 500_000, 1_000_000, 2_500_000,
    10_000_000,
]);

impl Requests {
    pub(super) fn new(book: &mut Book<'_>) -> Self {
        let histogram: fn() -> Histogram = || Histogram::new(DURATION);
        Self {
            answered: book.enter("http_requests", "Requests that the front door answered", Family::default()),
            duration: book.enter(
                "http_request_duration_seconds",
                "How long the front door took for an answer, from a request's head to the answer's",
                Family::new_with_constructor(histogram),
            ),
            limited: book.counters(
                "http_requests_limited",
                "Requests that were answered with 429: of a key that had too many, with events of an account that had \
                 too many, or with an unknown key from an address that had tried too many",
                "limit",
                ["requests", "events", "unknown_keys"],
            ),
        }
    }

    pub fn limit(&self, limited: Limited) {
        self.limited[limited as usize].inc();
    }

    /// The figures of a kind of request, for those who count many.
    pub fn series(&self, Kind { route, method, status }: Kind) -> Series {
        let (route, method) = (("route", route), ("method", method));
        Series {
            answered: self.answered.get_or_create_owned(&[route, method, ("status", status)]),
            duration: self.duration.get_or_create_owned(&[route, method]),
        }
    }
}

impl Series {
    pub fn count(&self, took: Duration) {
        self.answered.inc();
        self.duration.time(took);
    }
}
