//! Figures of spans.

use prometheus_client::metrics::counter::Counter;

use super::book::Book;

/// Counted by the exporter.
#[derive(Debug)]
pub struct Spans {
    /// The collector took them.
    pub exported: Counter,
    /// The collector did not.
    pub failed: Counter,
    /// There was no room for them.
    pub dropped: Counter,
}

impl Spans {
    pub(super) fn new(book: &mut Book<'_>) -> Self {
        let [exported, failed, dropped] = book.counters(
            "spans",
            "Spans that the collector took, that did not get through, and that the queue had no room for",
            "outcome",
            ["exported", "failed", "dropped"],
        );
        Self { exported, failed, dropped }
    }
}
