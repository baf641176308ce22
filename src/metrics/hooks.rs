//! Figures of hooks and of the subscribers that serve them.

use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::gauge::Gauge;

use crate::event_type::{OWN, OWN_PREFIX};

use super::book::Book;

/// Counted by the router and its shards.
#[derive(Debug)]
pub struct Hooks {
    pub by_status: ByStatus,
    pub deactivated_gone: Counter,
    pub deactivated_exhausted: Counter,
    /// Hooks with a deep backlog.
    pub backlogged: Gauge,
    notices: [Counter; OWN.len()],
    running: Gauge,
}

/// How many hooks are active, paused and deactivated, in this order.
#[derive(Clone, Debug, Default)]
pub struct ByStatus([Gauge; 3]);

/// Counts one for as long as it lives.
#[derive(Debug)]
pub struct Counted(Gauge);

impl Hooks {
    pub(super) fn new(book: &mut Book<'_>) -> Self {
        let [deactivated_gone, deactivated_exhausted] = book.counters(
            "hooks_deactivated",
            "Hooks that were deactivated: the receiver answered 410, or the last retry failed",
            "reason",
            ["gone", "exhausted"],
        );
        Self {
            by_status: ByStatus(book.gauges(
                "hooks",
                "Hooks by where they stand",
                "status",
                ["active", "paused", "deactivated"],
            )),
            deactivated_gone,
            deactivated_exhausted,
            backlogged: book.gauge(
                "hooks_backlogged",
                "Hooks for which more deliveries wait than health.backlog_notice, when that was last counted",
            ),
            notices: book.counters(
                "notices",
                "Events of the router's own that somebody was subscribed to, by their types without hookyard.",
                "notice",
                OWN.map(|name| name.trim_start_matches(OWN_PREFIX)),
            ),
            running: book
                .gauge("subscribers_running", "Hooks that are being served: those with something to do"),
        }
    }

    /// Counts so many events of this type of the router's own.
    pub fn tell(&self, event_type: &str, count: usize) {
        if let Some(place) = OWN.iter().position(|name| *name == event_type) {
            self.notices[place].inc_by(count as u64);
        }
    }

    /// Counts a subscriber until the value is dropped.
    pub fn run(&self) -> Counted {
        self.running.inc();
        Counted(self.running.clone())
    }
}

impl ByStatus {
    /// Counts from zero.
    pub fn reset(&self) {
        for count in &self.0 {
            count.set(0);
        }
    }

    pub fn add(&self, status: usize) {
        self.0[status].inc();
    }

    pub fn remove(&self, status: usize) {
        self.0[status].dec();
    }
}

impl Drop for Counted {
    fn drop(&mut self) {
        self.0.dec();
    }
}
