//! Building a store from the rows of another, in a directory that nobody else knows yet.

use std::path::Path;

use sled::{Batch, Db};

use crate::store::Error;
use crate::store::ledger::fault::failed;
use crate::store::ledger::sync::{Durability, Syncer, sync_new_files};
use crate::store::ledger::values::SCHEMA_VERSION;
use crate::store::ledger::{OpenError, open_sled, read_schema, read_seal_of};

/// Rows of one batch; sled stops all else while it applies one.
const BATCH_ROWS: usize = 500;

/// A store that is being built.
pub struct Building {
    db: Db,
    batch: Batch,
    batched: usize,
}

impl Building {
    /// Begins in an empty directory.
    ///
    /// # Errors
    /// When the disk refuses.
    pub fn begin(directory: &Path) -> Result<Self, OpenError> {
        Ok(Self { db: open_sled(directory)?, batch: Batch::default(), batched: 0 })
    }

    /// Sets a row, or removes it; the last word on a key counts.
    ///
    /// # Errors
    /// When the disk refuses.
    pub fn put(&mut self, key: &[u8], value: Option<&[u8]>) -> Result<(), Error> {
        match value {
            Some(value) => self.batch.insert(key, value),
            None => self.batch.remove(key),
        }
        self.batched += 1;
        if self.batched >= BATCH_ROWS { self.write() } else { Ok(()) }
    }

    /// Makes all of it durable and closes it.
    ///
    /// # Errors
    /// When the disk refuses, or what was put is no store of this version.
    pub fn finish(mut self, directory: &Path) -> Result<(), Error> {
        self.write()?;
        match read_schema(&self.db)? {
            Some(found) if found <= SCHEMA_VERSION => {}
            found => return Err(Error::damaged(format!("its schema is {found:?}"))),
        }
        read_seal_of(&self.db)?;
        let refused = |error: std::io::Error| Error::Failed(error.to_string().into());
        Syncer::open((*self.db).clone(), directory, Durability::SyncAfterFlush).map_err(refused)?.sync()?;
        sync_new_files(directory).map_err(refused)
    }

    fn write(&mut self) -> Result<(), Error> {
        self.batched = 0;
        self.db.apply_batch(std::mem::take(&mut self.batch)).map_err(failed)
    }
}
