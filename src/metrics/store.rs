//! Figures of the store: how its commits go, how much waits in it, and what it takes of the disk.

use std::sync::atomic::AtomicU64;
use std::time::Duration;

use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::gauge::Gauge;

use super::book::Book;
use super::histogram::{Buckets, Histogram};

/// Commits are counted by the writer, what waits and the disk by the census; the rest is set by the face.
#[derive(Debug)]
pub struct Store {
    commit: Histogram,
    sync: Histogram,
    verbs: Histogram,
    pub writable: Gauge,
    pub queued: Gauge,
    pub pending: Gauge,
    pub retrying: Gauge,
    pub replaying: Gauge,
    pub dead: Gauge,
    pub due_lag: Gauge<f64, AtomicU64>,
    pub counted_time: Gauge,
    pub size: Gauge,
    pub free: Gauge,
    pub retained: Gauge,
    pub oldest_age: Gauge<f64, AtomicU64>,
    pub events_expired: Counter,
    pub dead_letters_expired: Counter,
}

/// From a fast disk to one that stalls; in microseconds.
const COMMIT: Buckets = Buckets::Time(&[
    100, 250, 500, 1_000, 2_500, 5_000, 10_000, 25_000, 50_000, 100_000, 250_000, 500_000, 1_000_000,
    5_000_000,
]);

/// Up to what the writer takes at most.
const VERBS: Buckets = Buckets::Number(&[1, 2, 4, 8, 16, 32, 64, 128, 256, 512, 1_024, 2_048, 4_096]);

impl Store {
    pub(super) fn new(book: &mut Book<'_>) -> Self {
        Self {
            writable: book
                .gauge("store_writable", "Whether the store accepts changes: 1, or 0 once it failed"),
            queued: book.gauge("store_queued", "Calls that wait for the writer, not counting those it is at"),
            commit: book.histogram(
                "commit_duration_seconds",
                "How long a commit took, from the first row to the end of its sync",
                COMMIT,
            ),
            sync: book.histogram("sync_duration_seconds", "The part of a commit that was its sync", COMMIT),
            verbs: book.histogram(
                "commit_verbs",
                "How many changes a commit made durable together; a batch of events is one",
                VERBS,
            ),
            replaying: book.gauge(
                "deliveries_replaying",
                "Pending deliveries that were asked for again, or came back with their hooks, and were not attempted since",
            ),
            pending: book.gauge(
                "deliveries_pending",
                "The backlog: deliveries that are still to be made, at the time of store_counted_time_seconds",
            ),
            retrying: book.gauge("deliveries_retrying", "Those of the backlog that failed before"),
            dead: book.gauge("deliveries_dead", "Dead letters: deliveries given up, which can be replayed"),
            due_lag: book.enter(
                "due_lag_seconds",
                "For how long the delivery of the backlog that is most overdue has been due, not counting hooks that \
                 are paused, probed or asked to be left alone",
                Gauge::default(),
            ),
            counted_time: book.gauge(
                "store_counted_time_seconds",
                "When the backlog and the disk were last looked at, in seconds since 1970: some seconds ago, or more \
                 where very much waits",
            ),
            size: book.gauge("store_size_bytes", "What the store takes of the disk"),
            free: book.gauge("store_free_bytes", "What is free of the disk that the store is on"),
            retained: book.gauge("retained_bytes", "Events and attempts that are kept, without what the store needs beside them"),
            oldest_age: book.enter(
                "oldest_event_age_seconds",
                "How long ago the oldest event that is kept was accepted; 0 without any",
                Gauge::default(),
            ),
            events_expired: book.counter("events_expired", "Events that retention let go of"),
            dead_letters_expired: book.counter("dead_letters_expired", "Dead letters that retention let go of"),
        }
    }

    /// A commit was made of so many verbs.
    pub fn commit(&self, verbs: usize, took: Duration, sync: Duration) {
        self.commit.time(took);
        self.sync.time(sync);
        self.verbs.number(verbs as u64);
    }
}
