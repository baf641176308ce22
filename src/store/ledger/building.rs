//! Building a store from the rows of another, in a directory that nobody else knows yet.

use std::path::Path;

use crate::store::Error;
use crate::store::ledger::fault::refused;
use crate::store::ledger::keys;
use crate::store::ledger::retention::Policy;
use crate::store::ledger::sync::{Batch, Durability, Syncer, sync_new_files};
use crate::store::ledger::values::{SCHEMA_VERSION, encode};
use crate::store::ledger::{OpenError, open_files, read_schema, read_seal_of};

/// Rows of one batch.
const BATCH_ROWS: usize = 500;

/// A store that is being built.
pub struct Building {
    syncer: Syncer,
    batch: Batch,
}

impl Building {
    /// Begins in an empty directory.
    ///
    /// # Errors
    /// When the disk refuses.
    pub fn begin(directory: &Path) -> Result<Self, OpenError> {
        let syncer = open_files(directory, Durability::SyncAfterFlush, Policy::default(), None)?;
        Ok(Self { syncer, batch: Batch::new() })
    }

    /// Sets a row, or removes it; the last word on a key counts.
    ///
    /// # Errors
    /// When the disk refuses.
    pub fn put(&mut self, key: &[u8], value: Option<&[u8]>) -> Result<(), Error> {
        self.batch.insert(key.into(), value.map(<[u8]>::to_vec));
        if self.batch.len() >= BATCH_ROWS { self.write() } else { Ok(()) }
    }

    /// Makes all of it durable and closes it.
    ///
    /// # Errors
    /// When the disk refuses, or what was put is no store of this version.
    pub fn finish(mut self, directory: &Path) -> Result<(), Error> {
        self.write()?;
        let table = self.syncer.table();
        match read_schema(table)? {
            Some(found) if found <= SCHEMA_VERSION => {}
            found => return Err(Error::damaged(format!("its schema is {found:?}"))),
        }
        read_seal_of(table)?;
        // Whatever version made the rows, they lie where this one has them.
        self.batch.insert(keys::SCHEMA.into(), Some(encode(&SCHEMA_VERSION)));
        self.write()?;
        self.syncer.checkpoint()?;
        sync_new_files(directory).map_err(refused)
    }

    fn write(&mut self) -> Result<(), Error> {
        self.syncer.make_room()?;
        self.syncer.apply(&std::mem::take(&mut self.batch))
    }
}
