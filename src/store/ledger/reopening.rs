//! Reopening: how a store that failed comes back while the process lives.
//!
//! Neither sled nor the log takes anything more after one failed write, and a kernel may count pages as written that a
//! failed sync left behind. So the files are opened anew, once the disk takes writes again, and every page that may be
//! such a one is written again first.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};

use crate::encryption::Keyring;
use crate::store::Error;
use crate::store::ledger::fault::refused;
use crate::store::ledger::retention::Policy;
use crate::store::ledger::sync::Durability;
use crate::store::ledger::{DATABASE, Ledger, log, read_seal_of};

/// What is written to try the disk, beside sled's own files.
const PROBE: &str = "probe";
/// How much of it: about what a commit writes at most.
const PROBE_BYTES: usize = 1 << 20;
/// How much of a file is in memory while it is written again.
const STEP_BYTES: usize = 1 << 20;

/// What it takes to open a store again.
#[derive(Clone, Debug)]
pub struct Reopening {
    pub directory: PathBuf,
    pub durability: Durability,
    pub policy: Policy,
    pub keyring: Keyring,
    pub reserve_bytes: u64,
    pub seal: [u8; 32],
}

impl Reopening {
    /// Opens the store again. Nobody may have it open.
    ///
    /// # Errors
    /// When its files are gone or others have taken their place, or the disk refuses.
    pub fn reopen(&self) -> Result<Ledger, Error> {
        write_again(&self.directory.join(DATABASE)).map_err(refused)?;
        for segment in log::open_segments(&self.directory).map_err(refused)? {
            write_again(&segment).map_err(refused)?;
        }
        let failed = |error: super::OpenError| Error::Failed(error.to_string().into());
        let ledger = Ledger::open_under(&self.directory, self.durability, self.policy, self.keyring.clone())
            .map_err(failed)?;
        if read_seal_of(&ledger.shared.table)? != self.seal {
            let why = format!("another store has taken the place of the one in {}", self.directory.display());
            return Err(Error::Failed(why.into()));
        }
        Ok(ledger.with_reserve(self.reserve_bytes))
    }
}

/// Tries whether the disk takes writes.
pub fn probe(directory: &Path) -> io::Result<()> {
    let path = directory.join(PROBE);
    let tried = File::create(&path).and_then(|mut file| {
        file.write_all(&vec![0; PROBE_BYTES])?;
        file.sync_all()
    });
    // What made the first fail may also keep the file from going; the next probe takes its place.
    let removed = fs::remove_file(&path);
    tried.and(removed)
}

/// Has every page of a file written once more, with what it holds, and synced.
fn write_again(path: &Path) -> io::Result<()> {
    let mut file = OpenOptions::new().read(true).write(true).open(path)?;
    let mut step = vec![0; STEP_BYTES];
    let mut position = 0;
    loop {
        file.seek(SeekFrom::Start(position))?;
        let count = file.read(&mut step)?;
        if count == 0 {
            return file.sync_all();
        }
        file.seek(SeekFrom::Start(position))?;
        file.write_all(&step[..count])?;
        position += count as u64;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_that_is_written_again_holds_what_it_held() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("file");
        let bytes: Vec<u8> = (0..STEP_BYTES * 2 + 77).map(|n| (n % 251) as u8).collect();
        fs::write(&path, &bytes).unwrap();
        write_again(&path).unwrap();
        assert!(fs::read(&path).unwrap() == bytes);
        assert!(write_again(&directory.path().join("none")).is_err());
    }

    #[test]
    fn a_probe_leaves_nothing_and_fails_where_nothing_can_be_written() {
        let directory = tempfile::tempdir().unwrap();
        probe(directory.path()).unwrap();
        assert_eq!(fs::read_dir(directory.path()).unwrap().count(), 0);
        assert!(probe(&directory.path().join("none")).is_err());
    }

    #[test]
    fn a_store_that_is_gone_or_another_is_not_opened_again() {
        let directory = tempfile::tempdir().unwrap();
        let (one, other) = (directory.path().join("one"), directory.path().join("other"));
        let open = |path: &Path| Ledger::open(path, Durability::default(), Policy::default()).unwrap();
        let reopening = open(&one).reopening();
        drop(open(&other));

        assert!(reopening.reopen().is_ok());
        fs::remove_dir_all(&one).unwrap();
        assert!(reopening.reopen().is_err());
        fs::rename(&other, &one).unwrap();
        assert!(reopening.reopen().err().unwrap().to_string().contains("another store"));
    }
}
