//! Durability: what makes a committed batch survive a power cut.
//!
//! sled's flush on Linux ends in `sync_file_range`, which writes pages back but neither metadata nor the device's
//! cache. Either the program replaces that symbol by one that syncs, and has proved it, or we sync the file ourselves
//! after each flush.

use std::fs::File;
use std::io;
use std::path::Path;

use sled::Db;

use crate::store::Error;
use crate::store::ledger::DATABASE;
use crate::store::ledger::rows::failed;

/// What brings a flushed batch to the disk.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Durability {
    /// `fdatasync` on sled's file after each flush: right for batches, which is all that the ledger writes.
    #[default]
    SyncAfterFlush,
    /// The flush itself syncs, because the program defines `sync_file_range` so; it must have proved that.
    FlushSyncs,
}

/// Makes what was applied durable.
#[derive(Debug)]
pub struct Syncer {
    after_flush: Option<File>,
}

impl Syncer {
    /// A syncer for the sled database in `directory`.
    pub fn open(directory: &Path, durability: Durability) -> io::Result<Self> {
        let after_flush = match durability {
            Durability::SyncAfterFlush => Some(File::open(directory.join(DATABASE))?),
            Durability::FlushSyncs => None,
        };
        Ok(Self { after_flush })
    }

    /// When this returns `Ok`, every batch that was applied before survives a power cut.
    pub fn sync(&self, db: &Db) -> Result<(), Error> {
        db.flush().map_err(failed)?;
        match &self.after_flush {
            Some(file) => file.sync_data().map_err(|error| Error::Failed(error.to_string().into())),
            None => Ok(()),
        }
    }
}

/// Makes the files and names that opening created durable; sled never does.
pub fn sync_new_files(directory: &Path) -> io::Result<()> {
    for file in ["conf", DATABASE] {
        File::open(directory.join(file))?.sync_all()?;
    }
    for directory in [Some(directory), directory.parent(), directory.parent().and_then(Path::parent)] {
        match directory {
            Some(directory) if !directory.as_os_str().is_empty() => File::open(directory)?.sync_all()?,
            _ => {}
        }
    }
    Ok(())
}

/// Removes what a crash in the middle of a snapshot leaves: sled would refuse to open beside it.
pub fn remove_unfinished_snapshots(directory: &Path) -> io::Result<()> {
    for entry in std::fs::read_dir(directory)? {
        let entry = entry?;
        let name = entry.file_name();
        let name = name.to_string_lossy();
        if name.starts_with("snap.") && name.ends_with(".generating") {
            std::fs::remove_file(entry.path())?;
        }
    }
    Ok(())
}
