//! Measuring: the metrics of the router, with what is only looked at when they are asked for.

use crate::metrics::Metrics;
use crate::store::condition::State;

use super::Hookyard;

impl Hookyard {
    /// The metrics of this router in the Prometheus text format, version 0.0.4.
    ///
    /// They count from its start. What waits in the store and what that takes of the disk is counted every few seconds,
    /// or less often where very much waits; `hookyard_store_counted_time_seconds` says when.
    pub fn metrics(&self) -> String {
        self.look();
        self.figures().text()
    }

    pub(crate) fn figures(&self) -> &Metrics {
        &self.0.metrics
    }

    /// Sets the figures that nobody keeps.
    fn look(&self) {
        let (inner, figures) = (&self.0, self.figures());
        let (left, limit, slots) = (inner.credits.left(), inner.credits.limit(), inner.slots.usage());
        let limits = &figures.limits;
        for (gauge, value) in [
            (&limits.credit_events, left.0),
            (&limits.credit_bytes, left.1),
            (&limits.credit_events_limit, limit.0),
            (&limits.credit_bytes_limit, limit.1),
            (&limits.attempts_in_flight, slots.in_use),
            (&limits.attempts_in_flight_limit, slots.count),
            (&limits.subscribers_in_line, slots.in_line),
            (&figures.store.queued, inner.store.queued()),
            (&figures.store.writable, usize::from(inner.store.state() == State::Sound)),
        ] {
            gauge.set(value as i64);
        }
    }
}
