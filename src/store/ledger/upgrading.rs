//! Upgrading: earlier versions kept the rows of blocks in sled; here they lie in the log.
//!
//! They are copied to a log that takes its name when it is whole. Once recovery has found nothing missing, they go from
//! sled.

use std::fs::{self, File};
use std::io;
use std::path::Path;

use sled::{Db, IVec, Tree};
use tracing::info;

use crate::store::Error;
use crate::store::ledger::fault::{failed, refused};
use crate::store::ledger::keys::{self, Block, Logged};
use crate::store::ledger::log::record::Change;
use crate::store::ledger::log::{LOG_DIRECTORY, Log, SEGMENT_BYTES};
use crate::store::ledger::sync::{Durability, Syncer};

/// Where the log is made.
const NEW_LOG_DIRECTORY: &str = "log.new";
/// How many rows one step copies, or takes away.
const STEP_ROWS: usize = 500;

/// Copies what belongs there to a log, of which there is none.
pub fn copy_blocks(sled: &Db, directory: &Path) -> Result<(), Error> {
    let (new, finished) = (directory.join(NEW_LOG_DIRECTORY), directory.join(LOG_DIRECTORY));
    match fs::remove_dir_all(&new) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(refused(error)),
        _ => {}
    }
    let log = Log::open(&new, Durability::SyncAfterFlush, SEGMENT_BYTES, 1, |_, _| {})?;
    let (mut rows, mut copied) = (misplaced(sled), 0);
    loop {
        let step: Result<Vec<(IVec, IVec)>, Error> = rows.by_ref().take(STEP_ROWS).collect();
        let step = step?;
        if step.is_empty() {
            break;
        }
        let change = |(key, value)| Change { key, value: Some(value) };
        let changes: Vec<Change<'_>> = step.iter().map(|(key, value)| change((key, value))).collect();
        log.append(&changes)?;
        copied += step.len();
    }
    log.sync()?;
    fs::rename(new, finished).map_err(refused)?;
    File::open(directory).and_then(|directory| directory.sync_all()).map_err(refused)?;
    info!(rows = copied, "an earlier version's blocks are in the log now");
    Ok(())
}

/// Takes what was copied away from sled.
pub fn sweep(syncer: &Syncer) -> Result<(), Error> {
    loop {
        let step: Result<Vec<IVec>, Error> =
            misplaced(&syncer.table().sled).take(STEP_ROWS).map(|row| row.map(|(key, _)| key)).collect();
        let step = step?;
        if step.is_empty() {
            return Ok(());
        }
        syncer.take_from_sled(step)?;
    }
}

/// The rows in sled that belong to the log.
fn misplaced(sled: &Tree) -> impl Iterator<Item = Result<(IVec, IVec), Error>> + use<> {
    let whole = [keys::CURSOR, keys::KEYED, keys::USAGE].map(|key| (key.to_vec(), key.to_vec()));
    let blocks = Block::ALL.map(|kind| {
        let (first, last) = kind.range(0..=u64::MAX).into_inner();
        (first.to_vec(), last.to_vec())
    });
    let sled = sled.clone();
    let ranges = whole.into_iter().chain(blocks);
    let rows = ranges.flat_map(move |(first, last)| sled.range(first..=last)).map(|row| row.map_err(failed));
    rows.filter(|row| row.as_ref().map_or(true, |(key, _)| Logged::of(key).is_some()))
}
