//! Backups over HTTP, for `admin` keys: one file, streamed as fast as the caller takes it.
//!
//! The copy is made by a thread of its own and handed over in chunks. A caller that hangs up ends it, and so does one
//! that takes nothing for a while. Whether all of it has arrived is told by the file itself.

use std::convert::Infallible;
use std::io::{self, Write};
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use actix_web::body::{BodySize, MessageBody};
use actix_web::http::header::{CONTENT_DISPOSITION, CONTENT_TYPE, HeaderValue};
use actix_web::{HttpRequest, HttpResponse};
use bytes::Bytes;
use tokio::runtime::{Builder, Runtime};
use tokio::sync::mpsc::{Receiver, Sender, channel};
use tokio::time::timeout;
use tracing::{info, warn};

use crate::account::Scope;
use crate::hookyard::{Backup, BackupError, Unavailable};

use super::call::Call;
use super::error::{Error, Kind};
use super::openapi::refused;

/// Chunks between the copy and the connection, of some 64 KiB each.
const CHUNKS: usize = 8;
/// A caller that takes nothing for so long is cut off: it keeps others from making a backup.
const STALLED_AFTER: Duration = Duration::from_secs(30);

/// The end that the copy writes to.
struct Chunks {
    sender: Sender<Bytes>,
    timer: Runtime,
}

/// The end that the connection reads from.
struct Body(Receiver<Bytes>);

/// A backup of the whole store, to be put back with `hookyard restore`.
///
/// It is consistent, and holds all that was acknowledged before it was asked for, secrets included; one that breaks off
/// lacks its end. One backup is made at a time.
#[utoipa::path(
    get, path = "/api/v1/backup", tag = "Administration", operation_id = "get_backup",
    security(("key" = ["admin"])),
    responses(
        (status = 200, description = "The backup.", body = String, content_type = "application/octet-stream"),
        refused::Key, refused::Backup, refused::Store,
    ),
)]
pub async fn backup(request: HttpRequest) -> Result<HttpResponse, Error> {
    let call = Call::open(&request, &[Scope::Admin])?;
    let backup = call.hookyard.begin_backup().await?;
    let (sender, receiver) = channel(CHUNKS);
    let thread = std::thread::Builder::new().name("hookyard-backup".to_owned());
    thread.spawn(move || write(backup, sender)).map_err(|_| Unavailable::Full)?;
    let mut response = HttpResponse::Ok().body(Body(receiver));
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/octet-stream"));
    headers.insert(CONTENT_DISPOSITION, HeaderValue::from_static("attachment; filename=\"hookyard.backup\""));
    Ok(response)
}

fn write(backup: Backup, sender: Sender<Bytes>) {
    let timer = match Builder::new_current_thread().enable_time().build() {
        Ok(timer) => timer,
        Err(error) => return warn!(%error, "a backup could not begin"),
    };
    match backup.write_to(Chunks { sender, timer }) {
        Ok(made) => info!(rows = made.rows, bytes = made.bytes, "a backup is made"),
        Err(error) => warn!(%error, "a backup ended before it was whole"),
    }
}

impl Write for Chunks {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let sent = self.sender.send(Bytes::copy_from_slice(bytes));
        match self.timer.block_on(async { timeout(STALLED_AFTER, sent).await }) {
            Ok(Ok(())) => Ok(bytes.len()),
            Ok(Err(_)) => Err(io::Error::new(io::ErrorKind::BrokenPipe, "whoever asked for it hung up")),
            Err(_) => {
                Err(io::Error::new(io::ErrorKind::TimedOut, "whoever asked for it takes nothing any more"))
            }
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl MessageBody for Body {
    type Error = Infallible;

    fn size(&self) -> BodySize {
        BodySize::Stream
    }

    fn poll_next(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Bytes, Infallible>>> {
        self.0.poll_recv(context).map(|chunk| chunk.map(Ok))
    }
}

impl From<BackupError> for Error {
    fn from(error: BackupError) -> Self {
        match error {
            BackupError::Busy => Self::new(Kind::BackupRunning, error.to_string()),
            BackupError::Unavailable(why) => why.into(),
            BackupError::TooMuchChanged | BackupError::Unreadable(_) | BackupError::Io(_) => {
                Unavailable::Store.into()
            }
        }
    }
}
