//! `hookyard restore`: a data directory from a backup, whole or not there.

use std::fs::{self, File};
use std::io::{self, BufReader, Read};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;
use std::time::Duration;

use anyhow::Context;
use hookyard::backup::{self, RestoreError, Summary};

use super::output::{Output, note};
use super::{Failure, progress, signals};

/// Make a data directory from a backup
///
/// The directory must not have a store yet, and gets one only once the backup has proved to be whole. A server that is
/// started on it goes on where the backup was made: deliveries that were made since are made again, with the same
/// webhook-id; events that were accepted since are gone; hooks and keys that were deleted since are back. Never
/// let it run beside the server that the backup was made of: both would deliver.
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub struct Restore {
    /// The backup; - is the standard input
    #[arg(value_name = "FILE")]
    file: PathBuf,

    /// The data directory to make
    #[arg(long, env = "HOOKYARD_DATA_DIR", value_name = "DIR")]
    data_dir: PathBuf,
}

/// How often it is tried to remove what is being built.
const REMOVALS: usize = 100;
const BETWEEN_REMOVALS: Duration = Duration::from_millis(5);

const EXAMPLES: &str = "\
Examples:
  hookyard restore hookyard.backup --data-dir restored
  gunzip < hookyard.backup.gz | hookyard restore - --data-dir restored
  HOOKYARD_DATA_DIR=restored hookyard serve";

impl Restore {
    /// Restores.
    ///
    /// # Errors
    /// When the backup is not whole, or the directory cannot be made; then there is nothing in it.
    pub fn run(self) -> Result<(), Failure> {
        signals::survive_file_size_limit();
        let name = self.file.display();
        let made = match self.file == Path::new("-") {
            true => self.restore(io::stdin().lock(), 0)?,
            false => {
                let file = File::open(&self.file).map_err(|error| match error.kind() {
                    io::ErrorKind::NotFound => Failure::Usage(format!("there is no backup {name}")),
                    _ => anyhow::Error::from(error).context(format!("cannot open {name}")).into(),
                })?;
                let length = file.metadata().map_or(0, |file| file.len());
                self.restore(file, length)?
            }
        };
        let data_dir = self.data_dir.display();
        Output::to_stdout(false).line(format_args!(
            "{data_dir}: as of {}, {} rows from a backup that is whole",
            made.header.made_at, made.rows
        ))?;
        note("API keys are as they were; an admin-key file is not part of a backup");
        Ok(())
    }

    fn restore(&self, from: impl Read, length: u64) -> Result<Summary, Failure> {
        let unfinished = Arc::new(Mutex::new(None));
        let (left, is_new) = (unfinished.clone(), !self.data_dir.exists());
        let data_dir = self.data_dir.clone();
        signals::end_after(move || remove(&left, is_new.then_some(&data_dir)))
            .context("cannot listen for signals")?;
        let bar = match length {
            0 => progress::of_flow("restoring"),
            length => progress::of_bytes(length, "restoring"),
        };
        let from = BufReader::with_capacity(1 << 20, bar.wrap_read(from));
        let restored = backup::restore(from, &self.data_dir, |path| {
            *unfinished.lock().unwrap_or_else(PoisonError::into_inner) = Some(path.to_owned());
        });
        bar.finish_and_clear();
        restored.map_err(|error| match error {
            RestoreError::Backup(error) => {
                let context = format!("cannot restore {}", self.file.display());
                anyhow::Error::from(error).context(context).into()
            }
            error => anyhow::Error::from(error).into(),
        })
    }
}

/// Removes what a restore that is cut off has built; once it is whole, there is nothing at this place.
fn remove(unfinished: &Mutex<Option<PathBuf>>, made: Option<&PathBuf>) {
    let look = || unfinished.lock().unwrap_or_else(PoisonError::into_inner).clone();
    // It may have been made just now, and be told of in a moment.
    let unfinished = look().or_else(|| {
        thread::sleep(BETWEEN_REMOVALS);
        look()
    });
    if let Some(path) = &unfinished {
        // It may still be written to, which meets an error once the directory is gone; until then, what was just made in
        // it is in the way.
        for _ in 0..REMOVALS {
            let removed = fs::remove_dir_all(path);
            if removed.is_ok() || !path.exists() {
                break;
            }
            thread::sleep(BETWEEN_REMOVALS);
        }
    }
    if let Some(made) = made {
        drop(fs::remove_dir(made));
    }
}
