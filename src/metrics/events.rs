//! Figures of events on their way in.

use prometheus_client::metrics::counter::Counter;

use super::book::Book;

/// Counted by the writer once they are durable, and by the face where they are refused.
#[derive(Debug)]
pub struct Events {
    pub accepted: Counter,
    pub duplicates: Counter,
    pub matched: Counter,
    refused: [Counter; 5],
}

/// Why events were refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Refusal {
    Full,
    Store,
    ShuttingDown,
    Conflict,
    Invalid,
}

/// What they are called, in their order.
const REASONS: [&str; 5] = ["full", "store", "shutting_down", "conflict", "invalid"];

impl Refusal {
    /// The reason in a word.
    pub fn as_str(self) -> &'static str {
        REASONS[self as usize]
    }
}

impl Events {
    pub(super) fn new(book: &mut Book<'_>) -> Self {
        Self {
            accepted: book.counter("events_accepted", "Events that were made durable"),
            duplicates: book.counter(
                "events_duplicate",
                "Events whose idempotency key was known, so that the first receipt was given again",
            ),
            matched: book
                .counter("deliveries_matched", "Deliveries that came of accepted events, one for each hook"),
            refused: book.counters(
                "events_refused",
                "Events that were not accepted: too much in flight, a store that does not write, a stop, another \
                 content under the same idempotency key, or an event that breaks a rule",
                "reason",
                REASONS,
            ),
        }
    }

    pub fn refuse(&self, why: Refusal, events: usize) {
        self.refused[why as usize].inc_by(events as u64);
    }
}
