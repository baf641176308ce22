//! Restoring: a new store from a backup, whole or not at all.

use std::fs::{self, File};
use std::io::{self, Read};
use std::path::{Path, PathBuf};

use super::{Decoder, Error, Summary};
use crate::store::Error as StoreError;
use crate::store::ledger::building::Building;
use crate::store::ledger::{OpenError, STORE_DIRECTORY};

/// What the store's directory is called until it is whole.
const UNFINISHED: &str = "ledger.restoring";

/// Why nothing was restored.
#[derive(Debug, thiserror::Error)]
pub enum RestoreError {
    #[error("{0} is there already: restore to another data directory, or move it away")]
    Exists(PathBuf),
    #[error("{0} is there: another restore is at work, or one was killed; if none is at work, remove it")]
    Unfinished(PathBuf),
    /// The backup cannot be used; says why.
    #[error(transparent)]
    Backup(#[from] Error),
    #[error("{path}: {why}")]
    Io { path: PathBuf, why: io::Error },
    #[error(transparent)]
    Open(#[from] OpenError),
    #[error("cannot build a store in {path}: {why}")]
    Store { path: PathBuf, why: StoreError },
}

/// A directory that is removed unless it becomes the store.
struct Unfinished {
    path: PathBuf,
    /// The data directory, if it was made for this.
    made: Option<PathBuf>,
}

/// Builds the store of `data_dir` from a backup.
///
/// The directory is made if it is missing, but not its parent. When this returns `Ok`, the store is there and survives a
/// power cut; otherwise nothing is. `unfinished` is told where it is
/// built, so that a program that ends early can remove that.
///
/// # Errors
/// When there is a store, the backup is not whole or too new, or the disk refuses.
pub fn restore(
    from: impl Read,
    data_dir: &Path,
    unfinished: impl FnOnce(&Path),
) -> Result<Summary, RestoreError> {
    let store = data_dir.join(STORE_DIRECTORY);
    if store.try_exists().map_err(at(&store))? {
        return Err(RestoreError::Exists(store));
    }
    // Nothing is made for a file that is no backup.
    let backup = Decoder::begin(from)?;
    let building = Unfinished::make(data_dir)?;
    unfinished(&building.path);
    let refused = |why| RestoreError::Store { path: building.path.clone(), why };
    let mut rows = Building::begin(&building.path)?;
    let summary = backup.rows(|key, value| rows.put(key, value).map_err(refused))?;
    rows.finish(&building.path).map_err(refused)?;
    building.become_the(&store)?;
    Ok(summary)
}

impl Unfinished {
    fn make(data_dir: &Path) -> Result<Self, RestoreError> {
        let made = !data_dir.try_exists().map_err(at(data_dir))?;
        if made {
            // Not its parents: all that is made is removed if this fails.
            fs::create_dir(data_dir).map_err(at(data_dir))?;
        }
        let path = data_dir.join(UNFINISHED);
        match fs::create_dir(&path) {
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {
                return Err(RestoreError::Unfinished(path));
            }
            made => made.map_err(at(&path))?,
        }
        Ok(Self { path, made: made.then(|| data_dir.to_owned()) })
    }

    fn become_the(mut self, store: &Path) -> Result<(), RestoreError> {
        // Fails where a store has come about meanwhile: a directory that is not empty is not replaced.
        fs::rename(&self.path, store).map_err(at(store))?;
        self.made = None;
        for directory in store.ancestors().skip(1).take(2) {
            let directory = if directory.as_os_str().is_empty() { Path::new(".") } else { directory };
            File::open(directory).and_then(|directory| directory.sync_all()).map_err(at(directory))?;
        }
        Ok(())
    }
}

impl Drop for Unfinished {
    fn drop(&mut self) {
        // After it became the store, there is nothing at this path; what cannot be removed is left to be seen.
        drop(fs::remove_dir_all(&self.path));
        if let Some(made) = &self.made {
            drop(fs::remove_dir(made));
        }
    }
}

fn at(path: &Path) -> impl FnOnce(io::Error) -> RestoreError {
    let path = path.to_owned();
    move |why| RestoreError::Io { path, why }
}
