//! Power cuts of one recording: which moments, which seeds, and what is found after each.

use std::fs;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};
use std::thread;

use crossbeam_channel::{Receiver, bounded};
use hookyard::check;
use rand::rngs::StdRng;
use rand::seq::IndexedRandom;
use rand::{RngExt, SeedableRng};
use serde::{Deserialize, Serialize};
use tempfile::TempDir;

use super::fact::Noted;
use super::found::Found;
use super::reconciling::{Books, Tally};
use crate::support::disk::Disk;
use crate::support::disk::image::{Image, Platter};
use crate::support::disk::trace::{Operation, Trace};

/// What a disk was told under a load, and what was known meanwhile.
#[derive(Serialize, Deserialize)]
pub struct Recording {
    /// What was on the disk before.
    pub before: Image,
    /// What all that is known was known by, if not by positions of this trace.
    pub known: Option<usize>,
    pub trace: Trace,
    pub facts: Vec<Noted>,
    /// Where on the disk the data directory is.
    pub data_dir: PathBuf,
}

/// A moment, and the seed that decides what of the unsynced is there.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Cut {
    pub position: usize,
    pub seed: u64,
}

/// A cut after which something is wrong.
#[derive(Debug)]
pub struct Loss {
    pub cut: Cut,
    pub wrong: Vec<String>,
}

/// What came of many cuts.
#[derive(Debug, Default)]
pub struct Outcome {
    pub tally: Tally,
    pub losses: Vec<Loss>,
}

impl Recording {
    /// So many cuts: at random moments, just behind what was answered, and just before and after syncs.
    pub fn cuts(&self, count: usize, seed: u64) -> Vec<Cut> {
        let mut chance = StdRng::seed_from_u64(seed);
        let answers = Books::new(&self.facts).answers();
        let is_sync = |one: &Operation| !matches!(one, Operation::Write { .. } | Operation::Names { .. });
        let syncs: Vec<usize> = (0..self.trace.len()).filter(|at| is_sync(&self.trace[*at])).collect();
        let mut cuts: Vec<Cut> = (0..count)
            .map(|number| {
                let near = match number % 3 {
                    0 => answers.choose(&mut chance).copied(),
                    1 => syncs.choose(&mut chance).map(|at| at + number / 3 % 2),
                    _ => None,
                };
                let position = near.unwrap_or_else(|| chance.random_range(0..=self.trace.len()));
                Cut { position: position.min(self.trace.len()), seed: chance.random() }
            })
            .collect();
        cuts.sort_unstable();
        cuts
    }

    /// Makes each cut and compares what is found after it.
    pub fn cut_all(&self, cuts: &[Cut]) -> Outcome {
        let books = Books::new(&self.facts);
        let workers = thread::available_parallelism().map_or(1, usize::from);
        let (made, images) = bounded::<(Cut, TempDir)>(workers);
        let mut outcome = Outcome::default();
        thread::scope(|scope| {
            let images = &images;
            let workers: Vec<_> =
                (0..workers).map(|_| scope.spawn(|| self.compare_all(images, &books))).collect();
            let mut platter = self.platter();
            for cut in cuts {
                platter.advance(&self.trace, cut.position);
                let directory = scratch();
                platter.cut(cut.seed).write(directory.path()).expect("there is room for an image");
                made.send((*cut, directory)).expect("the workers wait for it");
            }
            drop(made);
            for worker in workers {
                let Outcome { tally, losses } = worker.join().expect("a panic is a loss");
                outcome.tally.add(tally);
                outcome.losses.extend(losses);
            }
        });
        outcome.losses.sort_by_key(|loss| loss.cut);
        outcome
    }

    /// What a cut leaves.
    pub fn image(&self, cut: Cut) -> Image {
        let mut platter = self.platter();
        platter.advance(&self.trace, cut.position);
        platter.cut(cut.seed)
    }

    /// The recording of a start after a cut; nothing is answered in it. None where no disk can be mounted.
    pub fn start_after(&self, cut: Cut) -> Option<Self> {
        let before = self.image(cut);
        let disk = Disk::holding(&before)?;
        // What comes of it is compared with the images of its end.
        drop(Found::open(&disk.path().join(&self.data_dir)));
        let known = Some(self.known.unwrap_or(cut.position));
        let (facts, data_dir) = (self.facts.clone(), self.data_dir.clone());
        Some(Self { before, known, trace: disk.trace(), facts, data_dir })
    }

    fn platter(&self) -> Platter<'_> {
        Platter::new(&self.before, 0)
    }

    fn compare_all(&self, images: &Receiver<(Cut, TempDir)>, books: &Books) -> Outcome {
        let mut outcome = Outcome::default();
        for (cut, directory) in images {
            let data_dir = directory.path().join(&self.data_dir);
            let compared =
                catch_unwind(AssertUnwindSafe(|| self.compare(books, &data_dir, cut, &mut outcome.tally)));
            let wrong = compared.unwrap_or_else(|_| vec!["a panic".to_owned()]);
            if !wrong.is_empty() {
                outcome.losses.push(Loss { cut, wrong });
            }
        }
        outcome
    }

    /// Opens an image and compares it; returns what is wrong.
    fn compare(&self, books: &Books, data_dir: &Path, cut: Cut, tally: &mut Tally) -> Vec<String> {
        let (mut wrong, known) = (Vec::new(), self.known.unwrap_or(cut.position));
        // Before anything was answered, the store may be unfinished; opening it goes on with that.
        if cut.seed.is_multiple_of(2) && books.answers().iter().any(|answer| *answer <= known) {
            wrong.extend(violations(data_dir));
        }
        if let Some((written, text)) = &books.admin_key
            && *written <= known
            && fs::read_to_string(data_dir.join("admin-key")).ok().as_ref() != Some(text)
        {
            wrong.push("the admin key is lost".to_owned());
        }
        match Found::open(data_dir) {
            Ok(found) => wrong.extend(books.compare(&found, known, tally)),
            Err(error) => wrong.push(format!("it does not open: {error}")),
        }
        if !cut.seed.is_multiple_of(2) {
            wrong.extend(violations(data_dir));
        }
        wrong
    }

    /// Keeps the recording, and returns its file.
    pub fn keep(&self) -> PathBuf {
        let mut file = tempfile::Builder::new().prefix("hookyard-power-cut-").tempfile().expect("a file");
        bincode::serialize_into(&mut file, self).expect("there is room for it");
        file.into_temp_path().keep().expect("it can be kept")
    }

    /// Reads a recording that was kept.
    pub fn read(file: &Path) -> Self {
        bincode::deserialize(&fs::read(file).expect("the recording is there")).expect("it is a recording")
    }
}

/// What `hookyard check` finds.
fn violations(data_dir: &Path) -> Vec<String> {
    let mut violations = Vec::new();
    let checked = check::check(data_dir, &mut |violation| violations.push(violation.to_string()));
    violations.extend(checked.err().map(|error| format!("the check fails: {error}")));
    violations
}

/// A directory in memory, where there is such.
pub fn scratch() -> TempDir {
    let mut named = tempfile::Builder::new();
    named.prefix("hookyard-image-");
    named.tempdir_in("/dev/shm").or_else(|_| named.tempdir()).expect("a temporary directory")
}
