//! The mark: a few bytes beside sled's files that say up to which commit everything was durable.
//!
//! The log, like sled's, ends where it stops making sense, so files that were cut short, emptied or damaged at
//! their end would open as if what they lack had never been. The mark tells. It is written after each sync and not
//! synced itself: after a power cut it may say less than is there, never more.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};

use sha2::{Digest, Sha256};

use crate::store::Error;
use crate::store::ledger::fault::refused;

const NAME: &str = "mark";
const NEW_NAME: &str = "mark.new";
const VERSION: u8 = 1;
/// Version, what the store is known by, commit, checksum.
const BYTES: usize = 1 + 8 + 8 + 4;

/// The mark of one store.
#[derive(Debug)]
pub struct Mark {
    file: File,
    path: PathBuf,
    /// What the store is known by: the beginning of its seal's hash.
    store: [u8; 8],
    /// Everything up to this commit was durable.
    commit: u64,
}

/// What it says of a store that has a mark and nothing else.
pub fn emptied(directory: &Path) -> String {
    advice(&directory.join(NAME), "it is empty, and was not")
}

/// Objects to opening a store that lacks something, as long as there is a mark.
///
/// # Errors
/// That it is damaged, and what to do for those who know better.
pub fn object(directory: &Path, what: &str) -> Result<(), Error> {
    match exists(directory) {
        true => Err(Error::damaged(advice(&directory.join(NAME), what))),
        false => Ok(()),
    }
}

/// Whether there is a mark in the store's directory.
pub fn exists(directory: &Path) -> bool {
    directory.join(NAME).exists()
}

impl Mark {
    /// The mark of the store in `directory` that has this seal; one is made if there is none.
    ///
    /// # Errors
    /// When the disk refuses, or the mark is damaged or another store's.
    pub fn open(directory: &Path, seal: &[u8; 32]) -> Result<Self, Error> {
        if !exists(directory) {
            make(directory, &encode(name(seal), 0)).map_err(refused)?;
        }
        let vanished = || refused(io::ErrorKind::NotFound.into());
        Self::find(directory, seal)?.ok_or_else(vanished)
    }

    /// The mark in `directory`, if there is one.
    ///
    /// # Errors
    /// As [`Self::open`].
    pub fn find(directory: &Path, seal: &[u8; 32]) -> Result<Option<Self>, Error> {
        if !exists(directory) {
            return Ok(None);
        }
        let (path, store) = (directory.join(NAME), name(seal));
        let mut file = OpenOptions::new().read(true).write(true).open(&path).map_err(refused)?;
        let mut bytes = Vec::new();
        file.read_to_end(&mut bytes).map_err(refused)?;
        let objection = |what: &str| Error::damaged(advice(&path, what));
        let (marked, commit) = decode(&bytes).ok_or_else(|| objection("its mark makes no sense"))?;
        if marked != store {
            return Err(objection("its mark is that of another store"));
        }
        Ok(Some(Self { file, path, store, commit }))
    }

    /// Notes that everything up to `commit` is durable.
    ///
    /// # Errors
    /// When the disk refuses.
    pub fn note(&mut self, commit: u64) -> Result<(), Error> {
        if commit > self.commit {
            self.file.seek(SeekFrom::Start(0)).map_err(refused)?;
            self.file.write_all(&encode(self.store, commit)).map_err(refused)?;
            self.commit = commit;
        }
        Ok(())
    }

    /// Checks a store that ends with `commit`.
    ///
    /// # Errors
    /// When it ends before the mark.
    pub fn check(&self, commit: u64) -> Result<(), Error> {
        if commit >= self.commit {
            return Ok(());
        }
        let what = format!(
            "what was committed last is missing: the files end with commit {commit} of {}",
            self.commit
        );
        Err(Error::damaged(advice(&self.path, &what)))
    }
}

/// What is wrong, and what to do for those who know better.
fn advice(mark: &Path, what: &str) -> String {
    format!("{what} (remove {} to open what is there)", mark.display())
}

/// Makes a mark that is whole or not there, whatever happens meanwhile.
fn make(directory: &Path, bytes: &[u8]) -> io::Result<()> {
    let new = directory.join(NEW_NAME);
    let mut file = File::create(&new)?;
    file.write_all(bytes)?;
    file.sync_all()?;
    fs::rename(new, directory.join(NAME))?;
    File::open(directory)?.sync_all()
}

fn name(seal: &[u8; 32]) -> [u8; 8] {
    let mut name = [0; 8];
    name.copy_from_slice(&Sha256::digest(seal)[..8]);
    name
}

fn encode(store: [u8; 8], commit: u64) -> [u8; BYTES] {
    let mut bytes = [0; BYTES];
    bytes[0] = VERSION;
    bytes[1..9].copy_from_slice(&store);
    bytes[9..17].copy_from_slice(&commit.to_le_bytes());
    let checksum = crc32fast::hash(&bytes[..17]);
    bytes[17..].copy_from_slice(&checksum.to_le_bytes());
    bytes
}

fn decode(bytes: &[u8]) -> Option<([u8; 8], u64)> {
    let (said, checksum) = bytes.split_last_chunk::<4>()?;
    let [VERSION, rest @ ..] = said else {
        return None;
    };
    let (store, commit) = rest.split_first_chunk::<8>()?;
    let commit = u64::from_le_bytes(commit.try_into().ok()?);
    (u32::from_le_bytes(*checksum) == crc32fast::hash(said)).then_some((*store, commit))
}

#[cfg(test)]
mod tests {
    use super::*;

    const SEAL: [u8; 32] = [7; 32];

    #[test]
    fn a_store_that_ends_before_its_mark_is_refused() {
        let directory = tempfile::tempdir().unwrap();
        let mut mark = Mark::open(directory.path(), &SEAL).unwrap();
        assert!(mark.check(0).is_ok());
        mark.note(12).unwrap();
        mark.note(9).unwrap();

        let mark = Mark::open(directory.path(), &SEAL).unwrap();
        assert!(mark.check(12).is_ok() && mark.check(13).is_ok());
        let why = mark.check(11).unwrap_err().to_string();
        assert!(why.contains("commit 11 of 12") && why.contains("to open what is there"), "{why}");
    }

    #[test]
    fn a_mark_that_is_damaged_or_of_another_store_is_refused() {
        let directory = tempfile::tempdir().unwrap();
        Mark::open(directory.path(), &SEAL).unwrap().note(3).unwrap();
        assert!(Mark::open(directory.path(), &[8; 32]).is_err());
        let path = directory.path().join(NAME);
        let whole = fs::read(&path).unwrap();
        for place in 0..whole.len() {
            let mut damaged = whole.clone();
            damaged[place] ^= 0x10;
            fs::write(&path, &damaged).unwrap();
            assert!(Mark::open(directory.path(), &SEAL).is_err(), "byte {place}");
        }
        fs::write(&path, &whole[..9]).unwrap();
        assert!(Mark::open(directory.path(), &SEAL).is_err());
    }
}
