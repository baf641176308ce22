//! Rows that are staged for one batch: what was written is seen before it is committed.

use crate::store::Error;
use crate::store::ledger::changes::Changes;
use crate::store::ledger::sync::{Batch, Syncer};

/// Changes of rows, and what will apply them.
pub struct Rows<'a> {
    syncer: &'a Syncer,
    changes: &'a Changes,
    staged: Batch,
}

impl<'a> Rows<'a> {
    /// Nothing staged yet; what is written will be noted in `changes`.
    pub fn new(syncer: &'a Syncer, changes: &'a Changes) -> Self {
        Self { syncer, changes, staged: Batch::new() }
    }

    /// Stages a row.
    pub fn put(&mut self, key: &[u8], value: Vec<u8>) {
        self.staged.insert(key.into(), Some(value));
    }

    /// Stages the end of a row.
    pub fn delete(&mut self, key: &[u8]) {
        self.staged.insert(key.into(), None);
    }

    /// A row as it will be.
    pub fn get(&self, key: &[u8]) -> Result<Option<Vec<u8>>, Error> {
        match self.staged.get(key) {
            Some(staged) => Ok(staged.clone()),
            None => Ok(self.syncer.table().get(key)?.map(|value| value.to_vec())),
        }
    }

    /// How many rows are staged.
    pub fn len(&self) -> usize {
        self.staged.len()
    }

    /// Writes everything that is staged, as one batch: after a crash all of it is there, or none. It is durable once it
    /// is synced.
    pub fn apply(self) -> Result<(), Error> {
        self.syncer.apply(&self.staged)?;
        // Not before: what is noted may be read at once, and must then be what is written here.
        self.changes.note(self.staged.keys());
        Ok(())
    }
}
