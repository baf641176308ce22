//! Figures of what is limited: how much of it is left or in use. Looked at when the metrics are asked for.

use prometheus_client::metrics::gauge::Gauge;

use super::book::Book;

/// Set by the face.
#[derive(Debug)]
pub struct Limits {
    pub credit_events: Gauge,
    pub credit_events_limit: Gauge,
    pub credit_bytes: Gauge,
    pub credit_bytes_limit: Gauge,
    pub attempts_in_flight: Gauge,
    pub attempts_in_flight_limit: Gauge,
    pub subscribers_in_line: Gauge,
}

impl Limits {
    pub(super) fn new(book: &mut Book<'_>) -> Self {
        Self {
            credit_events: book.gauge(
                "credits_left_events",
                "Events that may still be accepted before others are handed on",
            ),
            credit_events_limit: book
                .gauge("credits_limit_events", "What credits_left_events is when nothing is in flight"),
            credit_bytes: book.gauge(
                "credits_left_bytes",
                "Bytes of events that may still be accepted before others are handed on",
            ),
            credit_bytes_limit: book
                .gauge("credits_limit_bytes", "What credits_left_bytes is when nothing is in flight"),
            attempts_in_flight: book.gauge("attempts_in_flight", "Requests to receivers that are under way"),
            attempts_in_flight_limit: book
                .gauge("attempts_in_flight_limit", "How many requests to receivers may be under way"),
            subscribers_in_line: book.gauge(
                "subscribers_in_line",
                "Hooks that have something to send and wait for a request of another to end",
            ),
        }
    }
}
