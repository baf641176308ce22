//! Upgrading: earlier versions kept the rows of blocks in sled; here they lie in the log.
//!
//! They are copied, then the new schema version is written down, then they go from sled. Whatever was copied before that
//! version is written down is thrown away by the next start, which begins anew.

use std::fs;
use std::io;
use std::path::Path;

use sled::{Db, IVec};
use tracing::info;

use crate::store::Error;
use crate::store::ledger::fault::failed;
use crate::store::ledger::keys::{self, Block, Logged};
use crate::store::ledger::log::LOG_DIRECTORY;
use crate::store::ledger::sync::{Batch, Syncer};
use crate::store::ledger::values::{SCHEMA_VERSION, encode};

/// How many rows one step copies, or takes away.
const STEP_ROWS: usize = 500;

/// Throws away what an upgrade that did not end has copied.
pub fn begin(directory: &Path) -> io::Result<()> {
    match fs::remove_dir_all(directory.join(LOG_DIRECTORY)) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
        _ => Ok(()),
    }
}

/// Copies what belongs there to the log, and notes that this version writes here from now on.
pub fn copy_blocks(sled: &Db, syncer: &Syncer) -> Result<(), Error> {
    let (mut batch, mut copied) = (Batch::new(), 0_u64);
    for row in misplaced(sled) {
        let (key, value) = row?;
        batch.insert(key, Some(value.to_vec()));
        copied += 1;
        if batch.len() >= STEP_ROWS {
            syncer.apply(&std::mem::take(&mut batch))?;
        }
    }
    batch.insert(keys::SCHEMA.into(), Some(encode(&SCHEMA_VERSION)));
    syncer.apply(&batch)?;
    syncer.checkpoint()?;
    info!(rows = copied, "an earlier version's blocks are in the log now");
    Ok(())
}

/// Takes what was copied away from sled.
pub fn sweep(sled: &Db, syncer: &Syncer) -> Result<(), Error> {
    loop {
        let step: Result<Vec<IVec>, Error> =
            misplaced(sled).take(STEP_ROWS).map(|row| row.map(|(key, _)| key)).collect();
        let step = step?;
        if step.is_empty() {
            return Ok(());
        }
        syncer.take_from_sled(step)?;
    }
}

/// The rows in sled that belong to the log.
fn misplaced(sled: &Db) -> impl Iterator<Item = Result<(IVec, IVec), Error>> + use<> {
    let whole = [keys::CURSOR, keys::KEYED, keys::USAGE].map(|key| (key.to_vec(), key.to_vec()));
    let blocks = Block::ALL.map(|kind| {
        let (first, last) = kind.range(0..=u64::MAX).into_inner();
        (first.to_vec(), last.to_vec())
    });
    let sled = sled.clone();
    let ranges = whole.into_iter().chain(blocks);
    let rows = ranges.flat_map(move |(first, last)| sled.range(first..=last));
    rows.map(|row| row.map_err(failed))
        .filter(|row| row.as_ref().map_or(true, |(key, _)| Logged::of(key).is_some()))
}
