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
///
/// It has a descriptor of its own: a failure to write pages back is told once to each descriptor, and that of sled's
/// may be told in its background, where it is only logged.
#[derive(Debug)]
pub struct Syncer {
    file: File,
    durability: Durability,
}

impl Syncer {
    /// A syncer for the sled database in `directory`.
    pub fn open(directory: &Path, durability: Durability) -> io::Result<Self> {
        Ok(Self { file: File::open(directory.join(DATABASE))?, durability })
    }

    /// When this returns `Ok`, every batch that was applied before survives a power cut.
    pub fn sync(&self, db: &Db) -> Result<(), Error> {
        db.flush().map_err(failed)?;
        let synced = match self.durability {
            Durability::SyncAfterFlush => self.file.sync_data(),
            Durability::FlushSyncs => written_back(&self.file),
        };
        synced.map_err(|error| Error::Failed(error.to_string().into()))
    }
}

/// Whether every page that the kernel has written back reached the disk, as far as it knows; waits for those under way.
///
/// The system call itself, not the C library's function, which the program has replaced.
#[cfg(target_os = "linux")]
fn written_back(file: &File) -> io::Result<()> {
    use std::os::fd::AsRawFd;
    let (whole_file, wait) = (0_i64, libc::c_long::from(libc::SYNC_FILE_RANGE_WAIT_BEFORE));
    // SAFETY: it takes no pointer.
    let answer =
        unsafe { libc::syscall(libc::SYS_sync_file_range, file.as_raw_fd(), whole_file, whole_file, wait) };
    if answer == 0 { Ok(()) } else { Err(io::Error::last_os_error()) }
}

/// Elsewhere sled's flush is an `fsync`, and nothing more is known.
#[cfg(not(target_os = "linux"))]
fn written_back(_: &File) -> io::Result<()> {
    Ok(())
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
