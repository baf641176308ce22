//! Figures: what is counted of a subscription, and of the whole store.

use crate::clock::Timestamp;

/// The figures of a subscription.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Tally {
    pub pending: u64,
    pub dead: u64,
    pub last_attempt_at: Option<Timestamp>,
    /// By the steady clock.
    pub next_attempt_at: Option<Timestamp>,
}

/// What waits in the whole store.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Census {
    /// Deliveries that are still to be made.
    pub pending: u64,
    /// Those of them that failed before.
    pub retrying: u64,
    /// Deliveries that were given up and can be replayed.
    pub dead: u64,
    /// Since when the pending delivery that has been due for longest is due, not counting those of hooks that are
    /// paused, probed or asked to be left alone. One that is being attempted is pending.
    pub due_since: Option<Timestamp>,
}

/// Bytes on the disk.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Disk {
    pub used: u64,
    pub free: u64,
}

/// What a store keeps of the past, and what it has let go of.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Retained {
    /// Bytes of events and attempts, without what the backend needs beside them.
    pub bytes: u64,
    /// When the oldest event that is kept was accepted.
    pub oldest: Option<Timestamp>,
    pub expired: Expired,
}

/// What retention has let go of since the store was opened.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Expired {
    pub events: u64,
    pub dead_letters: u64,
}
