//! Figures of the store: how its commits go, how much waits in it, and how large it is.

use std::time::Duration;

use prometheus_client::metrics::gauge::Gauge;

use super::book::Book;
use super::histogram::{Buckets, Histogram};

/// Counted by the writer.
#[derive(Debug)]
pub struct Store {
    /// Set by the face.
    pub writable: Gauge,
    /// Set by the face.
    pub queued: Gauge,
    commit: Histogram,
    sync: Histogram,
    verbs: Histogram,
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
        }
    }

    /// A commit was made of so many verbs.
    pub fn commit(&self, verbs: usize, took: Duration, sync: Duration) {
        self.commit.time(took);
        self.sync.time(sync);
        self.verbs.number(verbs as u64);
    }
}
