//! Copying the store while it is in use: all rows once, sled's and then the log's, then again and again those that changed
//! meanwhile, until few are left; these are read between two commits.
//!
//! Each row that is handed out replaces an earlier one of the same key. What a reader of them all ends with is then
//! the store as it stood between these two commits, although no copy of it ever was held still.

use std::sync::Arc;

use sled::IVec;

use crate::store::ledger::shared::Shared;
use crate::store::ledger::values::SCHEMA_VERSION;
use crate::store::{Copier, CopyError, EachRow, OwnedRow};

/// So few rows are left to the pause between two commits: reading them takes some milliseconds.
const LAST_ROWS: usize = 1_000;
/// How often what changed meanwhile is copied before it is given up: whoever takes the rows is no faster than the
/// changes.
const ROUNDS: usize = 100;
/// How often a copy looks whether it is still wanted, in rows.
const LOOK_EVERY: usize = 256;

/// A copy in the making; it ends when dropped.
pub struct Copying(Arc<Shared>);

impl Copying {
    /// Begins a copy, unless another is being made. To be called between two commits.
    pub fn begin(shared: &Arc<Shared>) -> Result<Self, CopyError> {
        match shared.changes.begin() {
            true => Ok(Self(shared.clone())),
            false => Err(CopyError::Busy),
        }
    }

    fn read(&self, key: &[u8]) -> Result<Option<IVec>, CopyError> {
        Ok(self.0.table.get(key)?)
    }
}

impl Drop for Copying {
    fn drop(&mut self) {
        self.0.changes.end();
    }
}

impl Copier for Copying {
    fn schema_version(&self) -> u32 {
        SCHEMA_VERSION
    }

    fn copy(&mut self, each: &mut EachRow<'_>) -> Result<(), CopyError> {
        for (index, row) in self.0.table.iter().enumerate() {
            if index.is_multiple_of(LOOK_EVERY) {
                self.0.changes.count()?;
            }
            let (key, value) = row?;
            each(&key, Some(&value))?;
        }
        for _ in 0..ROUNDS {
            if self.0.changes.count()? <= LAST_ROWS {
                return Ok(());
            }
            for (index, key) in self.0.changes.take()?.iter().enumerate() {
                if index.is_multiple_of(LOOK_EVERY) {
                    self.0.changes.count()?;
                }
                each(key, self.read(key)?.as_deref())?;
            }
        }
        Err(CopyError::TooMuchChanged)
    }

    fn finish(&mut self) -> Result<Vec<OwnedRow>, CopyError> {
        let changed = self.0.changes.take()?;
        let row = |key: IVec| Ok((key.to_vec(), self.read(&key)?.map(|value| value.to_vec())));
        changed.into_iter().map(row).collect()
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;
    use std::sync::atomic::{AtomicBool, Ordering};

    use rand::rngs::StdRng;
    use rand::{RngExt, SeedableRng};

    use super::*;
    use crate::id::{EventNo, Seal};
    use crate::store::ledger::keys::Block;
    use crate::store::ledger::open_files;
    use crate::store::ledger::retention::Policy;
    use crate::store::ledger::sync::Durability;

    type Dump = BTreeMap<Vec<u8>, Vec<u8>>;

    fn shared(directory: &std::path::Path) -> Arc<Shared> {
        let syncer = open_files(directory, Durability::FlushOnly, Policy::default(), None).unwrap();
        let keyring = crate::encryption::Keyring::default();
        Arc::new(Shared::new(syncer, Seal::new(&[1; 32]), keyring, directory))
    }

    /// A batch of changes, some of which take rows away.
    fn change(shared: &Shared, random: &mut StdRng) {
        let mut rows = shared.rows();
        for _ in 0..random.random_range(1..100) {
            let key = Block::Events.key(random.random_range(0..3_000), 0);
            match random.random_range(0..4) {
                0 => rows.delete(&key),
                _ => rows.put(&key, vec![random.random(); random.random_range(0..300)]),
            }
        }
        rows.apply().unwrap();
    }

    fn put(dump: &mut Dump, key: &[u8], value: Option<&[u8]>) {
        match value {
            Some(value) => drop(dump.insert(key.to_vec(), value.to_vec())),
            None => drop(dump.remove(key)),
        }
    }

    #[test]
    fn a_copy_is_what_the_store_held_when_it_was_finished() {
        for seed in 0..10 {
            let directory = tempfile::tempdir().unwrap();
            let (shared, mut random) = (shared(directory.path()), StdRng::seed_from_u64(seed));
            (0..50).for_each(|_| change(&shared, &mut random));
            let (mut copying, mut copy) = (Copying::begin(&shared).unwrap(), Dump::new());
            let (mut changes, copied) = (0, AtomicBool::new(false));
            std::thread::scope(|scope| {
                scope.spawn(|| {
                    let ended = copying.copy(&mut |key, value| {
                        put(&mut copy, key, value);
                        Ok(())
                    });
                    copied.store(true, Ordering::Relaxed);
                    ended.unwrap();
                });
                while changes < 10 || !copied.load(Ordering::Relaxed) {
                    change(&shared, &mut random);
                    changes += 1;
                }
            });
            for (key, value) in copying.finish().unwrap() {
                put(&mut copy, &key, value.as_deref());
            }
            let rows = shared.table.iter().map(|row| row.map(|(key, value)| (key.to_vec(), value.to_vec())));
            assert!(copy == rows.collect::<Result<Dump, _>>().unwrap(), "seed {seed}");
        }
    }

    #[test]
    fn one_copy_is_made_at_a_time_and_given_up_when_dropped() {
        let directory = tempfile::tempdir().unwrap();
        let shared = shared(directory.path());
        let first = Copying::begin(&shared).unwrap();
        assert!(matches!(Copying::begin(&shared), Err(CopyError::Busy)));
        drop(first);
        assert!(Copying::begin(&shared).is_ok());
    }

    #[test]
    fn a_taker_who_is_slower_than_the_changes_gets_no_copy() {
        let directory = tempfile::tempdir().unwrap();
        let shared = shared(directory.path());
        let mut random = StdRng::seed_from_u64(1);
        change(&shared, &mut random);
        let mut copying = Copying::begin(&shared).unwrap();
        let mut next = EventNo(10_000);
        let ended = copying.copy(&mut |_, _| {
            let mut rows = shared.rows();
            for _ in 0..200 {
                rows.put(&Block::Events.key(next.0, 0), Vec::new());
                next = next.next();
            }
            rows.apply().unwrap();
            Ok(())
        });
        assert!(matches!(ended, Err(CopyError::TooMuchChanged)), "{ended:?}");
    }
}
