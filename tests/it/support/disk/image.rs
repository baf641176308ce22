//! What a power cut leaves: all that was synced, and of the rest what a seed decides.
//!
//! As strict as POSIX: a write, a truncation or a change of names that was not synced may have happened or not, whatever
//! came before or after it; a write may be torn. Names are safe once their directory is synced, and a file's bytes
//! and size once the file is. A file of which only the bytes are safe is not to be found.

use std::collections::{BTreeMap, HashMap};
use std::ffi::OsString;
use std::fs;
use std::io;
use std::path::Path;

use rand::rngs::StdRng;
use rand::{Rng, RngExt, SeedableRng};
use serde::{Deserialize, Serialize};

use super::content::{Node, put};
use super::trace::{Inode, Operation, ROOT};

/// A disk below its caches: what is safe on it after each operation, and what is not yet.
pub struct Platter<'a> {
    safe: Image,
    unsafe_yet: Vec<&'a Operation>,
    position: usize,
    fates: StdRng,
}

/// The content of a disk after a power cut.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Image {
    files: BTreeMap<Inode, Vec<u8>>,
    directories: BTreeMap<Inode, BTreeMap<OsString, Inode>>,
}

impl Default for Image {
    /// An empty disk.
    fn default() -> Self {
        Self { files: BTreeMap::new(), directories: BTreeMap::from([(ROOT, BTreeMap::new())]) }
    }
}

/// How much of what was not synced a power cut leaves.
#[derive(Clone, Copy, Debug)]
enum Leaving {
    Nothing,
    Everything,
    /// What was written until some moment, as an ordered journal would.
    Beginning,
    /// Each with this chance.
    Some(f64),
    /// The same for each piece of so many bytes of each write.
    Torn(f64, u64),
}

impl<'a> Platter<'a> {
    /// A disk that holds this to begin with. The seed decides what failed syncs leave.
    pub fn new(before: &Image, seed: u64) -> Self {
        Self { safe: before.clone(), unsafe_yet: Vec::new(), position: 0, fates: StdRng::seed_from_u64(seed) }
    }

    /// Lets it see the trace up to a position, which must not be behind it.
    pub fn advance(&mut self, trace: &'a [Operation], position: usize) {
        for operation in &trace[self.position..position] {
            match operation {
                Operation::Sync { file } => {
                    for synced in self.take(|waiting| waiting.is_of_file(*file)) {
                        self.safe.apply(synced);
                    }
                }
                Operation::SyncDirectory { directory } => {
                    for synced in self.take(|waiting| waiting.is_of_directory(*directory)) {
                        self.safe.apply(synced);
                    }
                }
                Operation::SyncFailed { file } => {
                    let lost = self.take(|waiting| waiting.is_of_file(*file));
                    leave(&mut self.safe, &lost, Leaving::Torn(0.5, 4096), &mut self.fates);
                }
                change => self.unsafe_yet.push(change),
            }
        }
        self.position = position;
    }

    /// What a power cut at this moment leaves, by this seed.
    pub fn cut(&self, seed: u64) -> Image {
        let mut fates = StdRng::seed_from_u64(seed);
        let chance = fates.random_range(0.05..0.95);
        let leaving = match fates.random_range(0..8) {
            0 => Leaving::Nothing,
            1 => Leaving::Everything,
            2 => Leaving::Beginning,
            3 | 4 => Leaving::Some(chance),
            5 | 6 => Leaving::Torn(chance, 4096),
            _ => Leaving::Torn(chance, 512),
        };
        let mut image = self.safe.clone();
        leave(&mut image, &self.unsafe_yet, leaving, &mut fates);
        image
    }

    fn take(&mut self, which: impl Fn(&Operation) -> bool) -> Vec<&'a Operation> {
        let (taken, left) = self.unsafe_yet.drain(..).partition(|waiting| which(waiting));
        self.unsafe_yet = left;
        taken
    }
}

impl Image {
    /// All that a disk needs to go on with it.
    pub fn nodes(&self) -> HashMap<Inode, Node> {
        let files = self.files.iter().map(|(file, bytes)| (*file, Node::File(bytes.clone())));
        let directories =
            self.directories.iter().map(|(inode, names)| (*inode, Node::Directory(names.clone())));
        // A name may be there of a file that nothing was written to.
        let named = self.directories.values().flat_map(BTreeMap::values);
        let empty = named.map(|inode| (*inode, Node::File(Vec::new())));
        empty.chain(files).chain(directories).collect()
    }

    /// Writes what can be found into a directory.
    pub fn write(&self, directory: &Path) -> io::Result<()> {
        self.write_below(ROOT, directory)
    }

    fn write_below(&self, inode: Inode, to: &Path) -> io::Result<()> {
        for (name, entry) in self.directories.get(&inode).into_iter().flatten() {
            let path = to.join(name);
            if self.directories.contains_key(entry) {
                fs::create_dir_all(&path)?;
                self.write_below(*entry, &path)?;
            } else {
                fs::write(&path, self.files.get(entry).map(Vec::as_slice).unwrap_or_default())?;
            }
        }
        Ok(())
    }

    fn apply(&mut self, change: &Operation) {
        match change {
            Operation::Write { file, offset, bytes } => {
                put(self.files.entry(*file).or_default(), *offset, bytes);
            }
            Operation::Truncate { file, size } => {
                self.files.entry(*file).or_default().resize(*size as usize, 0);
            }
            Operation::Names { directory, names, makes_directory } => {
                if let Some(made) = makes_directory {
                    self.directories.entry(*made).or_default();
                }
                let known = self.directories.entry(*directory).or_default();
                for (name, inode) in names {
                    match inode {
                        Some(inode) => known.insert(name.clone(), *inode),
                        None => known.remove(name),
                    };
                }
            }
            Operation::Sync { .. } | Operation::SyncDirectory { .. } | Operation::SyncFailed { .. } => {}
        }
    }

    fn apply_torn(&mut self, change: &Operation, chance: f64, piece: u64, fates: &mut impl Rng) {
        let Operation::Write { file, offset, bytes } = change else { return self.apply(change) };
        let (mut from, end) = (*offset, offset + bytes.len() as u64);
        while from < end {
            let to = end.min((from / piece + 1) * piece);
            if fates.random_bool(chance) {
                let torn = &bytes[(from - offset) as usize..(to - offset) as usize];
                put(self.files.entry(*file).or_default(), from, torn);
            }
            from = to;
        }
    }
}

/// Adds to an image what is left of some operations.
fn leave(image: &mut Image, waiting: &[&Operation], leaving: Leaving, fates: &mut impl Rng) {
    let until = match leaving {
        Leaving::Beginning => fates.random_range(0..=waiting.len()),
        _ => waiting.len(),
    };
    for change in &waiting[..until] {
        match leaving {
            Leaving::Nothing => {}
            Leaving::Everything | Leaving::Beginning => image.apply(change),
            Leaving::Some(chance) if fates.random_bool(chance) => image.apply(change),
            Leaving::Torn(chance, piece) if matches!(change, Operation::Write { .. }) => {
                image.apply_torn(change, chance, piece, fates);
            }
            Leaving::Torn(chance, _) if fates.random_bool(chance) => image.apply(change),
            Leaving::Some(_) | Leaving::Torn(..) => {}
        }
    }
}

impl Operation {
    fn is_of_file(&self, inode: Inode) -> bool {
        matches!(self, Self::Write { file, .. } | Self::Truncate { file, .. } if *file == inode)
    }

    fn is_of_directory(&self, inode: Inode) -> bool {
        matches!(self, Self::Names { directory, .. } if *directory == inode)
    }
}
