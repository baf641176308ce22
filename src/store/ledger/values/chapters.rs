//! The values of chapters.

use serde::{Deserialize, Serialize};

use super::Moved;

/// The directory of a chapter of events. The lists follow each other in a row of their own, those of accounts first;
/// a list is runs of events, by their distance from the chapter's first.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct EventChapterV1 {
    /// How many events it covers.
    pub events: u64,
    /// When they were accepted: the first of these times, and the last, in milliseconds since 1970.
    pub accepted: (u64, u64),
    /// Distances between the numbers of accounts, and the bytes of each one's list.
    pub accounts: Vec<(u64, u32)>,
    /// The same of subscriptions.
    pub subscriptions: Vec<(u64, u32)>,
}

/// The directory of a chapter of attempts; what each block tells of lies in a row of its own.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct AttemptChapterV1 {
    /// The distance from the number in its key to that behind its last block.
    pub span: u64,
    /// The events of its attempts, as runs, with others between them.
    pub events: Vec<(u64, u64)>,
    /// Whether anything was replayed.
    pub has_replays: bool,
}

/// What a settlement block tells of.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ToldV1 {
    /// Its distance from the number behind the block before.
    pub distance: u64,
    /// The events of its attempts, as runs.
    pub events: Vec<(u64, u64)>,
    pub replayed: Vec<Moved>,
}
