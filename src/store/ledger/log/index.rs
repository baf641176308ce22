//! The index: where each row of the log lies, and how much of each segment is needed.

use std::collections::BTreeMap;

use super::segment::Place;
use crate::store::ledger::keys::Logged;

/// Where everything lies.
#[derive(Default)]
pub struct Index {
    pub rows: BTreeMap<Logged, Location>,
    pub segments: BTreeMap<u32, Fill>,
}

/// Where the change lies that put a row.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Location {
    pub segment: u32,
    pub offset: u32,
    pub bytes: u32,
}

/// How much lies in a segment.
#[derive(Clone, Copy, Debug, Default)]
pub struct Fill {
    pub bytes: u64,
    /// Bytes of what is still needed.
    pub needed: u64,
}

impl Index {
    /// Takes note of what a change in a segment did to a row.
    pub fn note(&mut self, segment: u32, key: Logged, place: Place) {
        let before = match place {
            Some((offset, bytes)) => {
                self.segments.entry(segment).or_default().needed += u64::from(bytes);
                self.rows.insert(key, Location { segment, offset, bytes })
            }
            None => self.rows.remove(&key),
        };
        if let Some(before) = before
            && let Some(fill) = self.segments.get_mut(&before.segment)
        {
            fill.needed -= u64::from(before.bytes);
        }
    }
}
