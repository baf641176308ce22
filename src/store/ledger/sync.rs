//! Durability: what makes a committed batch survive a power cut.
//!
//! A batch goes to the log, and one sync makes it durable. Rows that do not stay there go to sled behind its back, many
//! at a time: see [`super::checkpoint`].

use std::collections::BTreeMap;
use std::fs::File;
use std::io;
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};

use sled::{Db, IVec};
use tracing::error;

use crate::store::Error;
use crate::store::ledger::checkpoint::Checkpointer;
use crate::store::ledger::fault::{failed, refused};
use crate::store::ledger::keys::{self, Logged};
use crate::store::ledger::log::record::Change;
use crate::store::ledger::log::{Appended, LOG_DIRECTORY, Log};
use crate::store::ledger::recent::{Recent, Row};
use crate::store::ledger::table::Table;
use crate::store::ledger::values::{decode, encode};
use crate::store::ledger::{DATABASE, mark};

/// What brings a batch to the disk.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Durability {
    /// `fdatasync` after each batch: what was acknowledged survives a power cut.
    #[default]
    SyncAfterFlush,
    /// The write alone: what was acknowledged survives the end of the process, and no power cut.
    FlushOnly,
}

/// Rows that are put, or deleted.
pub type Batch = BTreeMap<IVec, Option<Vec<u8>>>;

/// Applies batches one after the other, and makes them durable.
pub struct Syncer {
    table: Table,
    checkpointer: Checkpointer,
    cleaning: Mutex<Cleaning>,
}

/// The cleaning of a segment: what is still needed in it is put once more.
#[derive(Default)]
struct Cleaning {
    segment: u32,
    /// The rows that may lie in it.
    rows: Vec<Logged>,
    /// Whether something in it cannot be read. Then it stays, and with it all behind it.
    is_given_up: bool,
}

impl Syncer {
    /// Opens the log of the store in `directory`, whose other rows are in `sled`.
    ///
    /// # Errors
    /// When the log is damaged, or the disk refuses.
    pub fn open(
        sled: &Db,
        directory: &Path,
        durability: Durability,
        segment_bytes: u64,
    ) -> Result<Self, Error> {
        let stored = sled.get(keys::CHECKPOINT).map_err(failed)?;
        let checkpoint: u64 = stored.map_or(Ok(1), |stored| decode(&stored))?;
        let recent = Recent::default();
        let log_directory = directory.join(LOG_DIRECTORY);
        let log = Log::open(&log_directory, durability, segment_bytes, checkpoint, |record, change| {
            let row = Row { record, value: change.value.map(IVec::from) };
            recent.put([(change.key.into(), row)], u64::MAX);
        })?;
        let next = log.durable();
        if next < checkpoint {
            let what = format!("the log ends with record {} of {}", next - 1, checkpoint - 1);
            mark::object(directory, &what)?;
            // What the log says from here on is new to sled.
            sled.insert(keys::CHECKPOINT, encode(&next)).and_then(|_| sled.flush()).map_err(failed)?;
            File::open(directory.join(DATABASE)).and_then(|file| file.sync_all()).map_err(refused)?;
        }
        let table = Table { sled: (**sled).clone(), log: Arc::new(log), recent: Arc::new(recent) };
        let checkpointer = Checkpointer::start(table.clone(), directory, durability).map_err(refused)?;
        Ok(Self { table, checkpointer, cleaning: Mutex::default() })
    }

    /// What it applies batches to.
    pub fn table(&self) -> &Table {
        &self.table
    }

    /// Waits while too much is on its way to sled.
    ///
    /// # Errors
    /// As [`Self::sync`].
    pub fn make_room(&self) -> Result<(), Error> {
        if self.checkpointer.is_full() {
            self.sync()?;
            self.checkpointer.make_room()?;
        }
        Ok(())
    }

    /// Applies a batch, of which all or nothing is there after a crash.
    ///
    /// # Errors
    /// When the disk refuses, or has refused.
    pub fn apply(&self, batch: &Batch) -> Result<(), Error> {
        if batch.is_empty() {
            return Ok(());
        }
        self.checkpointer.check()?;
        let changes: Vec<Change<'_>> =
            batch.iter().map(|(key, value)| Change { key, value: value.as_deref() }).collect();
        let (log, recent) = (&self.table.log, &self.table.recent);
        let Appended { record, has_begun_segment } = log.append(&changes)?;
        let row = |value: &Option<Vec<u8>>| Row { record, value: value.as_deref().map(IVec::from) };
        let rows = batch.iter().filter(|(key, _)| Logged::of(key).is_none());
        let is_first = recent.put(rows.map(|(key, value)| (key.clone(), row(value))), log.durable());
        if is_first || has_begun_segment {
            self.checkpointer.wake();
        }
        Ok(())
    }

    /// When this returns `Ok`, every batch that was applied before is as durable as was asked for.
    ///
    /// # Errors
    /// When the disk refuses, or has refused.
    pub fn sync(&self) -> Result<(), Error> {
        self.checkpointer.check()?;
        self.table.log.sync()
    }

    /// Brings every batch that was applied before to sled, where it is durable.
    ///
    /// # Errors
    /// As [`Self::sync`].
    pub fn checkpoint(&self) -> Result<(), Error> {
        self.sync()?;
        self.checkpointer.finish()
    }

    /// Leaves everything as it is, like a crash.
    #[cfg(test)]
    pub fn abandon(&self) {
        self.checkpointer.abandon();
    }

    /// Takes rows from sled that lie in the log, and waits until they are gone.
    ///
    /// # Errors
    /// As [`Self::sync`].
    pub fn take_from_sled(&self, keys: Vec<IVec>) -> Result<(), Error> {
        // As if the last durable record had done it.
        let durable = self.table.log.durable();
        let gone = keys.into_iter().map(|key| (key, Row { record: durable - 1, value: None }));
        self.table.recent.put(gone, durable);
        self.checkpoint()
    }

    /// Takes one step to let go of what the log holds in vain; says whether there may be another.
    ///
    /// # Errors
    /// As [`Self::apply`].
    pub fn clean(&self) -> Result<bool, Error> {
        let log = &self.table.log;
        let Some((oldest, needed)) = log.oldest() else {
            return Ok(false);
        };
        if needed == 0 {
            self.apply(&Batch::from([(keys::BEGINNING.into(), Some(encode(&(oldest + 1))))]))?;
            self.sync()?;
            log.drop_before(oldest + 1);
            self.checkpointer.wake();
            return Ok(true);
        }
        let is_worth_it = needed <= LITTLE_NEEDED || log.is_wasteful();
        let mut cleaning = self.cleaning.lock().unwrap_or_else(PoisonError::into_inner);
        if cleaning.is_given_up || !is_worth_it {
            return Ok(false);
        }
        if cleaning.segment != oldest {
            *cleaning = Cleaning { segment: oldest, rows: log.rows_in(oldest)?, is_given_up: false };
        }
        match self.next_needed(&mut cleaning) {
            Ok(batch) => {
                self.apply(&batch)?;
                Ok(!batch.is_empty())
            }
            Err(Error::Damaged(why)) => {
                error!(%why, "the log cannot be cleaned, and grows");
                cleaning.is_given_up = true;
                Ok(false)
            }
            Err(error) => Err(error),
        }
    }

    /// Some of what is still needed of the segment that is being cleaned.
    fn next_needed(&self, cleaning: &mut Cleaning) -> Result<Batch, Error> {
        let (mut batch, mut bytes) = (Batch::new(), 0);
        while bytes < CLEAN_BYTES
            && let Some(key) = cleaning.rows.pop()
        {
            if self.table.log.lies_in(&key, cleaning.segment)
                && let Some(value) = self.table.log.get(&key)?
            {
                bytes += value.len();
                batch.insert(key.bytes().into(), Some(value.to_vec()));
            }
        }
        Ok(batch)
    }
}

/// So few bytes of a segment are needed that they are put once more at once, and it goes.
const LITTLE_NEEDED: u64 = if cfg!(test) { 256 } else { 64 << 10 };
/// How much of what is still needed is put once more in one step.
const CLEAN_BYTES: usize = if cfg!(test) { 1 << 10 } else { 256 << 10 };

/// Makes the files and names that opening created durable; sled never does.
///
/// That goes up to the root: a directory that was made with those above it is gone with the first of them.
pub fn sync_new_files(directory: &Path) -> io::Result<()> {
    for file in ["conf", DATABASE] {
        File::open(directory.join(file))?.sync_all()?;
    }
    // The whole path: a relative one would end below the directory that names its first part.
    for (levels, directory) in directory.canonicalize()?.ancestors().enumerate() {
        match File::open(directory).and_then(|directory| directory.sync_all()) {
            Err(error) if levels < OWN_LEVELS || !is_no_concern(&error) => return Err(error),
            _ => {}
        }
    }
    Ok(())
}

/// The store's directory, the data directory and the one that names it: these can be synced, or nothing is safe.
const OWN_LEVELS: usize = 3;

/// Whether a directory cannot be synced that nothing was made in: it may not be read, or its file system is of a kind
/// that is never written.
fn is_no_concern(error: &io::Error) -> bool {
    use io::ErrorKind::{InvalidInput, PermissionDenied, ReadOnlyFilesystem, Unsupported};
    matches!(error.kind(), InvalidInput | PermissionDenied | ReadOnlyFilesystem | Unsupported)
}
