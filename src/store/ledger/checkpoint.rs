//! Checkpoints: rows that do not stay in the log go to sled, many at a time, on a thread of their own, which also
//! closes the log's segments and removes those that are dropped.
//!
//! sled's flush on Linux ends in `sync_file_range`, which writes pages back but neither metadata nor the device's cache.
//! So its file is synced here. sled uses space again once it believes that what freed it is stable, and by then it may be
//! in the kernel alone; within a batch it believes nothing stable. So each batch is synced before the next one.
//!
//! A row goes no sooner than the log's record of it is durable: what is in sled alone after a power cut would be half a
//! batch. A row of its own, written with the last of each round, says up to which record sled has everything. What the log
//! says behind that is done once more at a start.

use std::fs::File;
use std::io;
use std::ops::Bound;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use crate::store::Error;
use crate::store::ledger::DATABASE;
use crate::store::ledger::fault::{failed, refused};
use crate::store::ledger::keys;
use crate::store::ledger::sync::Durability;
use crate::store::ledger::table::Table;
use crate::store::ledger::values::encode;

/// How many rows go to sled in one batch; it stops all else while it applies one.
const BATCH_ROWS: usize = if cfg!(test) { 5 } else { 500 };
/// How long rows are gathered before they go.
const GATHERING: Duration = Duration::from_millis(250);
/// So many bytes, and no more are taken before some have gone.
const MOST_BYTES: usize = if cfg!(test) { 4 << 10 } else { 8 << 20 };

/// Brings rows to sled, until it is dropped.
pub struct Checkpointer {
    work: Arc<Work>,
    thread: Option<JoinHandle<()>>,
}

struct Work {
    table: Table,
    /// sled's file, by a descriptor of its own: a failure to write pages back is told once to each descriptor, and that
    /// of sled's may be told in its background, where it is only logged.
    file: File,
    durability: Durability,
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Default)]
struct State {
    /// How many rounds have begun.
    begun: u64,
    /// How many have ended.
    ended: u64,
    /// Whether somebody waits for a round.
    is_wanted: bool,
    is_ending: bool,
    failure: Option<Error>,
}

impl Checkpointer {
    /// Begins with what is on its way already.
    ///
    /// # Errors
    /// When sled's file cannot be opened, or there is no thread to be had.
    pub fn start(table: Table, directory: &Path, durability: Durability) -> io::Result<Self> {
        let file = File::open(directory.join(DATABASE))?;
        let work =
            Arc::new(Work { table, file, durability, state: Mutex::default(), changed: Condvar::new() });
        let thread = std::thread::Builder::new().name("checkpoint".to_owned()).spawn({
            let work = work.clone();
            move || work.run()
        })?;
        Ok(Self { work, thread: Some(thread) })
    }

    /// Whether all has gone well.
    ///
    /// # Errors
    /// When a round has failed. No other begins then.
    pub fn check(&self) -> Result<(), Error> {
        self.work.state().failure.clone().map_or(Ok(()), Err)
    }

    /// Tells that there is something to do.
    pub fn wake(&self) {
        drop(self.work.state());
        self.work.changed.notify_all();
    }

    /// Whether more is on its way than may be.
    pub fn is_full(&self) -> bool {
        self.work.table.recent.bytes() >= MOST_BYTES
    }

    /// Waits while more is on its way than may be; what is not durable does not go.
    ///
    /// # Errors
    /// As [`Self::check`].
    pub fn make_room(&self) -> Result<(), Error> {
        self.wait_until(|_| !self.is_full())
    }

    /// Waits for a round that begins after this was called.
    ///
    /// # Errors
    /// As [`Self::check`].
    pub fn finish(&self) -> Result<(), Error> {
        let wanted = self.work.state().begun + 1;
        self.wait_until(|state| state.ended >= wanted)
    }

    /// Leaves everything as it is, like a crash.
    #[cfg(test)]
    pub fn abandon(&self) {
        self.work.state().failure = Some(Error::Failed("it was abandoned".into()));
        self.work.changed.notify_all();
    }

    fn wait_until(&self, is_done: impl Fn(&State) -> bool) -> Result<(), Error> {
        let mut state = self.work.state();
        loop {
            if let Some(failure) = &state.failure {
                return Err(failure.clone());
            }
            if is_done(&state) {
                return Ok(());
            }
            state.is_wanted = true;
            self.work.changed.notify_all();
            state = self.work.changed.wait(state).unwrap_or_else(PoisonError::into_inner);
        }
    }
}

impl Drop for Checkpointer {
    fn drop(&mut self) {
        self.work.state().is_ending = true;
        self.work.changed.notify_all();
        if let Some(thread) = self.thread.take() {
            // A panic has become a failure by then.
            let _ = thread.join();
        }
    }
}

impl Work {
    fn run(&self) {
        // What sled found when it opened may not be durable.
        let mut done = caught(|| self.sync());
        loop {
            let mut state = self.state();
            match done {
                Ok(()) => state.ended = state.begun,
                Err(error) => state.failure = Some(error),
            }
            self.changed.notify_all();
            state = self.wait(state);
            if state.failure.is_some() {
                return;
            }
            let is_last = state.is_ending;
            state.is_wanted = false;
            state.begun += 1;
            drop(state);
            done = caught(|| self.round());
            if is_last {
                return;
            }
        }
    }

    /// Waits until a round is to begin.
    fn wait<'a>(&self, mut state: MutexGuard<'a, State>) -> MutexGuard<'a, State> {
        let mut until = None;
        while !state.is_ending && !state.is_wanted && state.failure.is_none() {
            if self.table.recent.bytes() == 0 && !self.table.log.has_chores() {
                until = None;
                state = self.changed.wait(state).unwrap_or_else(PoisonError::into_inner);
                continue;
            }
            let now = Instant::now();
            let rest = until.get_or_insert(now + GATHERING).saturating_duration_since(now);
            if rest.is_zero() {
                break;
            }
            state = self.changed.wait_timeout(state, rest).unwrap_or_else(PoisonError::into_inner).0;
        }
        state
    }

    /// Brings to sled what is durable in the log.
    fn round(&self) -> Result<(), Error> {
        let Table { sled, log, recent } = &self.table;
        let (end, mut after) = (log.durable(), Bound::Unbounded);
        loop {
            let rows = recent.before(end, after.as_ref().map(AsRef::as_ref), BATCH_ROWS);
            let Some((last, _)) = rows.last() else {
                break;
            };
            after = Bound::Excluded(last.clone());
            let mut batch = sled::Batch::default();
            for (key, row) in &rows {
                match &row.value {
                    Some(value) => batch.insert(key, value),
                    None => batch.remove(key),
                }
            }
            sled.apply_batch(batch).map_err(failed)?;
            self.sync()?;
            recent.forget(&rows);
            self.changed.notify_all();
        }
        if after == Bound::Unbounded && !log.has_chores() {
            return Ok(());
        }
        let checkpoint = recent.since().map_or(end, |since| since.min(end));
        sled.insert(keys::CHECKPOINT, encode(&checkpoint)).map_err(failed)?;
        self.sync()?;
        log.close_segments(checkpoint)?;
        log.remove_dropped()
    }

    fn sync(&self) -> Result<(), Error> {
        self.table.sled.flush().map_err(failed)?;
        if self.durability == Durability::SyncAfterFlush {
            self.file.sync_data().map_err(refused)?;
        }
        Ok(())
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Takes a panic for a failure: sled panics over some kinds of damage.
fn caught(work: impl FnOnce() -> Result<(), Error>) -> Result<(), Error> {
    let done = catch_unwind(AssertUnwindSafe(work));
    done.unwrap_or_else(|_| Err(Error::Failed("sled has panicked".into())))
}
