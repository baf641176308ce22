//! Backups of a running router.

use std::io::{self, Write};

use tokio::sync::oneshot;

use crate::backup::{Encoder, Header, Summary};
use crate::store::{Copier, CopyError};

use super::{Hookyard, Unavailable};

/// A backup that is about to be written. It is given up when dropped.
pub struct Backup {
    hookyard: Hookyard,
    copier: Box<dyn Copier>,
}

/// Why there is no backup.
#[derive(Debug, thiserror::Error)]
pub enum BackupError {
    #[error("another backup is being made")]
    Busy,
    /// More has changed meanwhile than is remembered.
    #[error("too much changed meanwhile: make it where it is written faster, or when less happens")]
    TooMuchChanged,
    /// What cannot be read is damaged, or the disk refuses.
    #[error("the store cannot be read: {0}")]
    Unreadable(String),
    /// Whoever it is written to takes no more.
    #[error(transparent)]
    Io(io::Error),
    #[error(transparent)]
    Unavailable(#[from] Unavailable),
}

impl Hookyard {
    /// Writes a backup to `to`: everything that was committed at one moment, between this call and its end. All goes on
    /// meanwhile. The format is described in [`crate::backup`].
    ///
    /// # Errors
    /// When another backup is being made, `to` takes no more, or is so slow that more changes meanwhile than is
    /// remembered (about a million rows).
    pub async fn backup(&self, to: impl Write + Send + 'static) -> Result<Summary, BackupError> {
        let backup = self.begin_backup().await?;
        let (reply, done) = oneshot::channel();
        let write = move || {
            // Whoever asked may have gone.
            let _ = reply.send(backup.write_to(to));
        };
        std::thread::Builder::new()
            .name("hookyard-backup".to_owned())
            .spawn(write)
            .map_err(BackupError::Io)?;
        done.await.unwrap_or(Err(BackupError::Unavailable(Unavailable::Store)))
    }

    /// Begins a backup, which [`Backup::write_to`] then writes on a thread of the caller's choice.
    ///
    /// # Errors
    /// When another backup is being made, or the store is closed or refuses writes.
    pub async fn begin_backup(&self) -> Result<Backup, BackupError> {
        self.router()?;
        let begun = self.0.store.between_commits(|backend| backend.copy()).await;
        let copier = begun.map_err(|_| self.gone())?.map_err(|error| self.no_copy(error))?;
        Ok(Backup { hookyard: self.clone(), copier })
    }

    fn no_copy(&self, error: CopyError) -> BackupError {
        match error {
            CopyError::Busy => BackupError::Busy,
            CopyError::TooMuchChanged => BackupError::TooMuchChanged,
            CopyError::Closed => BackupError::Unavailable(self.gone()),
            CopyError::Store(error) => BackupError::Unreadable(error.to_string()),
            CopyError::Taker(error) => BackupError::Io(error),
        }
    }
}

impl Backup {
    /// Writes it; blocks the calling thread until the end.
    ///
    /// When it fails for another reason than `to` itself, the reason is written in place of the end.
    ///
    /// # Errors
    /// As [`Hookyard::backup`].
    pub fn write_to(self, to: impl Write) -> Result<Summary, BackupError> {
        let Self { hookyard, copier } = self;
        let header = Header::now(copier.schema_version());
        let mut encoder = Encoder::begin(to, header).map_err(BackupError::Io)?;
        match hookyard.write_rows(copier, &mut encoder) {
            Ok(()) => encoder.finish().map_err(BackupError::Io),
            Err(BackupError::Io(error)) => Err(BackupError::Io(error)),
            Err(error) => {
                // It says why there is no end; where that does not get through, the end is missing all the same.
                drop(encoder.give_up(&error.to_string()));
                Err(error)
            }
        }
    }
}

impl Hookyard {
    fn write_rows(
        &self,
        mut copier: Box<dyn Copier>,
        encoder: &mut Encoder<impl Write>,
    ) -> Result<(), BackupError> {
        copier.copy(&mut |key, value| encoder.row(key, value)).map_err(|error| self.no_copy(error))?;
        let rest = pollster::block_on(self.0.store.between_commits(move |_| copier.finish()));
        let rest = rest.map_err(|_| self.gone())?.map_err(|error| self.no_copy(error))?;
        if self.0.store.has_failed() {
            // What failed to be written was copied perhaps, and was acknowledged to nobody.
            return Err(Unavailable::Store.into());
        }
        rest.iter().try_for_each(|(key, value)| encoder.row(key, value.as_deref())).map_err(BackupError::Io)
    }
}
