//! A file that appears under its name once it is whole, and of which nothing is left if it never is.

use std::ffi::OsStr;
use std::fs::File;
use std::io;
use std::path::{Path, PathBuf};

use anyhow::Context;
use tempfile::NamedTempFile;

use super::{Failure, signals};

/// A file in the making, readable by its owner alone. It is removed when dropped, and when a signal ends the command.
pub struct WholeFile {
    unfinished: NamedTempFile,
    path: PathBuf,
    replaces: bool,
}

impl WholeFile {
    /// Begins a file that is to be at `path`.
    ///
    /// # Errors
    /// When there is one and it is not to be replaced, or the directory cannot be written to.
    pub fn begin(path: &Path, replaces: bool) -> Result<Self, Failure> {
        signals::survive_file_size_limit();
        let name = path.display();
        if !replaces && path.try_exists().with_context(|| format!("cannot look at {name}"))? {
            return Err(Failure::other(format!("{name} is there already; --force replaces it")));
        }
        let directory = directory_of(path);
        let unfinished = tempfile::Builder::new()
            .prefix(&format!(".{}.", path.file_name().and_then(OsStr::to_str).unwrap_or("hookyard")))
            .suffix(".partial")
            .tempfile_in(directory)
            .map_err(|error| Failure::other(format!("cannot write to {}: {error}", directory.display())))?;
        let left = unfinished.path().to_owned();
        signals::end_after(move || drop(std::fs::remove_file(left))).context("cannot listen for signals")?;
        Ok(Self { unfinished, path: path.to_owned(), replaces })
    }

    /// What is to be written to.
    pub fn file(&self) -> &File {
        self.unfinished.as_file()
    }

    /// Gives it its name; when this returns `Ok`, it survives a power cut.
    ///
    /// # Errors
    /// When the disk refuses, or there is one by now and it is not to be replaced.
    pub fn keep(self) -> Result<(), Failure> {
        let path = self.path.clone();
        self.rename().with_context(|| format!("cannot write {}", path.display()))?;
        Ok(())
    }

    fn rename(self) -> io::Result<()> {
        self.unfinished.as_file().sync_all()?;
        let renamed = match self.replaces {
            true => self.unfinished.persist(&self.path),
            false => self.unfinished.persist_noclobber(&self.path),
        };
        renamed.map_err(|error| error.error)?;
        File::open(directory_of(&self.path))?.sync_all()
    }
}

fn directory_of(path: &Path) -> &Path {
    match path.parent() {
        Some(directory) if !directory.as_os_str().is_empty() => directory,
        _ => Path::new("."),
    }
}
