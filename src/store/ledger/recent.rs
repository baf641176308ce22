//! Recent rows: those that the log has and sled does not have yet.

use std::collections::BTreeMap;
use std::ops::Bound;
use std::sync::{PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};

use sled::IVec;

/// What a row costs here beside its key and its value, in bytes.
const OVERHEAD: usize = 128;

/// Rows on their way to sled.
#[derive(Default)]
pub struct Recent(RwLock<Rows>);

#[derive(Default)]
struct Rows {
    rows: BTreeMap<IVec, Entry>,
    bytes: usize,
    /// How often rows have gone from here: whoever walks through sled beside this looks again.
    epoch: u64,
}

struct Entry {
    latest: Row,
    /// An earlier state that may go to sled, while the latest may not yet.
    durable: Option<Row>,
    /// The record of the first change that sled does not have.
    since: u64,
}

/// A row as a record of the log left it.
#[derive(Clone, Debug)]
pub struct Row {
    pub record: u64,
    /// Nothing if it was deleted.
    pub value: Option<IVec>,
}

/// What is known of a range here.
pub struct Look {
    pub epoch: u64,
    /// The first row, or the last.
    pub next: Option<(IVec, Option<IVec>)>,
}

impl Recent {
    /// Takes in what a record did to rows, when every record before `durable` is durable. Says whether nothing was here
    /// before.
    pub fn put(&self, rows: impl IntoIterator<Item = (IVec, Row)>, durable: u64) -> bool {
        let mut held = self.write();
        let was_empty = held.rows.is_empty();
        for (key, row) in rows {
            let before = held.rows.remove(&key);
            held.bytes -= before.as_ref().map_or(0, |before| before.bytes(&key));
            let since = before.as_ref().map_or(row.record, |before| before.since);
            let earlier = before.and_then(
                |Entry { latest, durable: earlier, .. }| {
                    if latest.record < durable { Some(latest) } else { earlier }
                },
            );
            let entry = Entry { latest: row, durable: earlier, since };
            held.bytes += entry.bytes(&key);
            held.rows.insert(key, entry);
        }
        was_empty && !held.rows.is_empty()
    }

    /// A row, if it is here: its value, or that it was deleted.
    pub fn get(&self, key: &[u8]) -> Option<Option<IVec>> {
        self.read().rows.get(key).map(|entry| entry.latest.value.clone())
    }

    /// How many bytes it takes to keep all of this.
    pub fn bytes(&self) -> usize {
        self.read().bytes
    }

    /// How often rows have gone from here.
    pub fn epoch(&self) -> u64 {
        self.read().epoch
    }

    /// The first row within a range, or the last.
    pub fn look(&self, range: (Bound<&[u8]>, Bound<&[u8]>), is_backwards: bool) -> Look {
        let held = self.read();
        let mut rows = held.rows.range::<[u8], _>(range);
        let next = if is_backwards { rows.next_back() } else { rows.next() };
        Look { epoch: held.epoch, next: next.map(|(key, entry)| (key.clone(), entry.latest.value.clone())) }
    }

    /// The rows from `after` on as the records before `end` left them, up to so many.
    pub fn before(&self, end: u64, after: Bound<&[u8]>, limit: usize) -> Vec<(IVec, Row)> {
        let held = self.read();
        let rows = held.rows.range::<[u8], _>((after, Bound::Unbounded));
        let due = rows.filter_map(|(key, Entry { latest, durable, .. })| {
            let due = [Some(latest), durable.as_ref()].into_iter().flatten().find(|row| row.record < end)?;
            Some((key.clone(), due.clone()))
        });
        due.take(limit).collect()
    }

    /// Takes note that sled has these rows now. They go, unless they have changed since.
    pub fn forget(&self, rows: &[(IVec, Row)]) {
        let mut held = self.write();
        for (key, row) in rows {
            let Some(mut entry) = held.rows.remove(key) else {
                continue;
            };
            held.bytes -= entry.bytes(key);
            if entry.latest.record != row.record {
                entry.since = row.record + 1;
                entry.durable = entry.durable.filter(|durable| durable.record > row.record);
                held.bytes += entry.bytes(key);
                held.rows.insert(key.clone(), entry);
            }
        }
        held.epoch += 1;
    }

    /// The first record of which sled does not have all; nothing where it has everything.
    pub fn since(&self) -> Option<u64> {
        self.read().rows.values().map(|entry| entry.since).min()
    }

    fn read(&self) -> RwLockReadGuard<'_, Rows> {
        self.0.read().unwrap_or_else(PoisonError::into_inner)
    }

    fn write(&self) -> RwLockWriteGuard<'_, Rows> {
        self.0.write().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Entry {
    fn bytes(&self, key: &IVec) -> usize {
        let bytes = |row: &Row| row.value.as_ref().map_or(0, |value| value.len());
        OVERHEAD + key.len() + bytes(&self.latest) + self.durable.as_ref().map_or(0, bytes)
    }
}
