//! A disk that remembers everything it was told, in order: writes, names, and what was synced when.
//!
//! It is a file system of its own in memory. The kernel passes each `pwrite` on as it is made, and each `fsync`; what
//! never gets further than the kernel's own cache, as `sync_file_range` does, never comes here. From what it remembers,
//! [`image::Platter`] tells what a power cut may leave. [`Fault`] makes it fail.

mod content;
pub mod image;
pub mod trace;
mod volume;

use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard};

use fuser::BackgroundSession;
use tempfile::TempDir;

use self::content::Content;
use self::image::Image;
use self::trace::Trace;
use self::volume::Volume;

/// A mounted disk; dropping it unmounts it. Whoever uses it has to be gone by then.
pub struct Disk {
    content: Arc<Mutex<Content>>,
    session: Option<BackgroundSession>,
    directory: TempDir,
}

/// What a disk answers instead of obeying, until it is mended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    /// Writes, and everything that grows it, answer this error.
    Writes(i32),
    /// Syncs answer this error, and what was not synced before may be lost although it can still be read.
    Syncs(i32),
    /// Every change answers this error, as after a remount that is read-only.
    Changes(i32),
    /// All writes beyond so many further bytes answer `ENOSPC`; one that half fits is half done.
    FullAfter(u64),
}

/// A file whose size is how many operations the disk has seen; it can be asked for from any process.
const COUNTER: &str = ".operations";
/// Says that a machine must be able to mount disks, so that a test that cannot run fails.
const REQUIRED: &str = "HOOKYARD_REQUIRE_FUSE";

impl Disk {
    /// An empty disk; none where the machine cannot mount one, which is said on standard error.
    pub fn mount() -> Option<Self> {
        Self::holding(&Image::default())
    }

    /// The same for one that holds this.
    pub fn holding(image: &Image) -> Option<Self> {
        let content = Arc::new(Mutex::new(Content::of(image)));
        let directory = tempfile::tempdir().expect("a temporary directory");
        let mut options = fuser::Config::default();
        options.mount_options.push(fuser::MountOption::FSName("hookyard-test".to_owned()));
        match fuser::spawn_mount(Volume::new(content.clone()), directory.path(), &options) {
            Ok(session) => Some(Self { content, session: Some(session), directory }),
            Err(error) => {
                assert!(std::env::var_os(REQUIRED).is_none(), "no disk can be mounted: {error}");
                eprintln!("skipped: no disk can be mounted here: {error}");
                None
            }
        }
    }

    /// Where it is mounted.
    pub fn path(&self) -> &Path {
        self.directory.path()
    }

    /// The file whose size is how many operations it has seen.
    pub fn counter(&self) -> PathBuf {
        self.path().join(COUNTER)
    }

    /// How many operations it has seen.
    pub fn position(&self) -> usize {
        self.content().trace.len()
    }

    /// All that it has seen.
    pub fn trace(&self) -> Trace {
        self.content().trace.clone()
    }

    /// Fails from now on.
    pub fn fail(&self, fault: Fault) {
        self.content().fail(Some(fault));
    }

    /// Does as it is told again.
    pub fn mend(&self) {
        self.content().fail(None);
    }

    /// How often it has answered with an error because it was told to fail.
    pub fn refusals(&self) -> usize {
        self.content().refusals
    }

    fn content(&self) -> MutexGuard<'_, Content> {
        self.content.lock().expect("no operation panics")
    }
}

impl Drop for Disk {
    fn drop(&mut self) {
        let unmounted = self.session.take().map(BackgroundSession::umount_and_join);
        if let Some(Err(error)) = unmounted {
            eprintln!("{} stays mounted: {error}", self.path().display());
        }
    }
}

#[cfg(test)]
mod tests;
