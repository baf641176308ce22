//! Durability: what makes a committed batch survive a power cut.
//!
//! sled's flush on Linux ends in `sync_file_range`, which writes pages back but neither metadata nor the device's
//! cache, and it does so twice for a batch. So the file is synced here, once all of a batch is written.
//!
//! sled uses space again once it believes that what freed it is stable, and by then it may be in the kernel alone. Within
//! a batch it believes nothing stable. So each batch is synced before the next one is applied, whoever applies it.

use std::fs::File;
use std::io;
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};

use sled::{Batch, Tree};

use crate::store::Error;
use crate::store::ledger::DATABASE;
use crate::store::ledger::fault::failed;

/// What brings a flushed batch to the disk.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Durability {
    /// `fdatasync` on sled's file after each flush: what was acknowledged survives a power cut.
    #[default]
    SyncAfterFlush,
    /// The flush alone: what was acknowledged survives the end of the process, and no power cut.
    FlushOnly,
}

/// Applies batches one after the other, and makes them durable.
///
/// It has a descriptor of its own: a failure to write pages back is told once to each descriptor, and that of sled's
/// may be told in its background, where it is only logged.
pub struct Syncer {
    tree: Tree,
    file: File,
    durability: Durability,
    /// Whether something was applied, or found by sled when it opened, that may not be durable.
    is_ahead: AtomicBool,
}

impl Syncer {
    /// A syncer for the sled database in `directory`, which has this tree.
    ///
    /// # Errors
    /// When sled's file cannot be opened.
    pub fn open(tree: Tree, directory: &Path, durability: Durability) -> io::Result<Self> {
        let file = File::open(directory.join(DATABASE))?;
        Ok(Self { tree, file, durability, is_ahead: AtomicBool::new(true) })
    }

    /// What it applies batches to.
    pub fn tree(&self) -> &Tree {
        &self.tree
    }

    /// Applies a batch, of which all or nothing is there after a crash, once the one before is durable.
    ///
    /// # Errors
    /// When the disk refuses.
    pub fn apply(&self, batch: Batch) -> Result<(), Error> {
        self.sync()?;
        self.is_ahead.store(true, Ordering::Relaxed);
        self.tree.apply_batch(batch).map_err(failed)
    }

    /// When this returns `Ok`, every batch that was applied before is as durable as was asked for.
    ///
    /// # Errors
    /// When the disk refuses.
    pub fn sync(&self) -> Result<(), Error> {
        if !self.is_ahead.load(Ordering::Relaxed) {
            return Ok(());
        }
        self.tree.flush().map_err(failed)?;
        if self.durability == Durability::SyncAfterFlush {
            self.file.sync_data().map_err(|error| Error::Failed(error.to_string().into()))?;
        }
        self.is_ahead.store(false, Ordering::Relaxed);
        Ok(())
    }
}

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
