//! Snapshots: where sled begins to read its log when it opens.
//!
//! It then writes a new one and removes the one before, and never syncs their names: a power cut may leave neither, and
//! sled takes such a store for an empty one. So the one before is kept under another name until these names are safe.

use std::fs::{File, TryLockError};
use std::io;
use std::path::Path;

use super::DATABASE;

/// How the names of snapshots begin.
const SNAPSHOT: &str = "snap.";
/// How the name of one ends that is being written.
const UNFINISHED: &str = ".generating";
/// What stands before the name of one that is kept.
const KEPT: &str = "kept.";

/// Prepares `directory` for being opened by sled, whatever a crash has left there. While another process has it open,
/// nothing is changed.
pub fn prepare(directory: &Path) -> io::Result<()> {
    let _lock = match File::open(directory.join(DATABASE)) {
        Ok(file) => match file.try_lock() {
            Ok(()) => file,
            Err(TryLockError::WouldBlock) => return Ok(()),
            Err(TryLockError::Error(error)) => return Err(error),
        },
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        Err(error) => return Err(error),
    };
    // Until then, what was kept may be all that a power cut leaves.
    sync_names(directory)?;
    let (mut newest, mut kept) = (None, None);
    for name in names(directory)? {
        if name.starts_with(SNAPSHOT) && name.ends_with(UNFINISHED) {
            // sled would refuse to open beside it.
            std::fs::remove_file(directory.join(name))?;
        } else if name.starts_with(SNAPSHOT) {
            newest = newest.max(Some(name));
        } else if name.starts_with(KEPT) {
            kept = kept.max(Some(name));
        }
    }
    if newest.is_none()
        && let Some(kept) = kept
    {
        let restored = kept[KEPT.len()..].to_owned();
        std::fs::rename(directory.join(kept), directory.join(&restored))?;
        newest = Some(restored);
    }
    if let Some(newest) = newest {
        let kept = directory.join(format!("{KEPT}{newest}"));
        std::fs::copy(directory.join(newest), &kept)?;
        File::open(kept)?.sync_all()?;
        sync_names(directory)?;
    }
    Ok(())
}

/// Makes the names in `directory` safe, which sled has opened, and lets go of what was kept for the case that they were
/// not.
pub fn settle(directory: &Path) -> io::Result<()> {
    sync_names(directory)?;
    for name in names(directory)?.iter().filter(|name| name.starts_with(KEPT)) {
        std::fs::remove_file(directory.join(name))?;
    }
    Ok(())
}

fn sync_names(directory: &Path) -> io::Result<()> {
    File::open(directory)?.sync_all()
}

fn names(directory: &Path) -> io::Result<Vec<String>> {
    std::fs::read_dir(directory)?.map(|entry| Ok(entry?.file_name().to_string_lossy().into_owned())).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_one_that_was_kept_takes_the_place_of_those_that_a_power_cut_took() {
        let directory = tempfile::tempdir().unwrap();
        let has = |name: &str| std::fs::read(directory.path().join(name)).ok();
        for (name, content) in [(DATABASE, "log"), ("snap.2", "two")] {
            std::fs::write(directory.path().join(name), content).unwrap();
        }
        prepare(directory.path()).unwrap();
        std::fs::remove_file(directory.path().join("snap.2")).unwrap();

        prepare(directory.path()).unwrap();
        assert_eq!((has("snap.2"), has("kept.snap.2")), (Some(b"two".to_vec()), Some(b"two".to_vec())));
        settle(directory.path()).unwrap();
        assert_eq!((has("snap.2"), has("kept.snap.2")), (Some(b"two".to_vec()), None));
    }

    #[test]
    fn one_that_was_kept_gives_way_to_one_that_is_there() {
        let directory = tempfile::tempdir().unwrap();
        for name in [DATABASE, "snap.3", "kept.snap.2"] {
            std::fs::write(directory.path().join(name), name).unwrap();
        }
        prepare(directory.path()).unwrap();
        settle(directory.path()).unwrap();
        let mut left = names(directory.path()).unwrap();
        left.sort();
        assert_eq!(left, [DATABASE, "snap.3"]);
    }
}
