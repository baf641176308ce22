//! The ledger on a log and sled: append-only blocks where it is hot, rows of its own only for what failed or waits.
//!
//! | row | key | value |
//! |---|---|---|
//! | event block | first event | the events of one commit and what each matched |
//! | settlement block | commit | the attempts that one commit settled, and what it parked |
//! | event chapter, postings | first event | which of some thousand events are whose |
//! | attempt chapter, told | settlement block | which events some thousand of these tell of |
//! | cursor | | every event below it is settled, or has a row below |
//! | usage | | the bytes of the blocks; written with the cursor |
//! | sealed under | | the master keys under which anything may be sealed |
//! | keyed | | the latest event with an idempotency key |
//! | time | | where the steady clock stood when something was last made due |
//! | retry | subscription, event | attempts made, due |
//! | backlog page, progress | subscription, first event | up to a thousand waiting deliveries |
//! | health | subscription | only while it is not perfect |
//! | hours | subscription | attempts by the hour, but for the latest |
//! | counted | | the commit up to which all attempts are in the rows of hours |
//! | subscription, account, API key | their numbers or names | their records |
//!
//! One table, one writer. A batch is one record of the log, and one sync makes it durable. There the rows of blocks stay,
//! with the cursor, the usage and the latest key; all others are brought to sled behind the writer's back. A closed
//! generation needs no rows: what is unsettled in it *is* the dead letters.

#[cfg(feature = "benchmarks")]
pub mod benchmarks;
mod blocks;
pub mod building;
mod census;
mod changes;
mod chapters;
pub mod checking;
mod checkpoint;
mod commit;
mod copying;
mod disk;
mod encrypting;
mod fault;
mod history;
pub mod hours;
mod idempotency;
mod keys;
mod log;
mod mark;
mod pages;
mod popular;
mod reader;
mod recent;
mod recovery;
mod reopening;
mod retention;
mod rows;
mod shared;
mod snapshots;
mod sync;
mod table;
#[cfg(test)]
mod tests;
mod tidying;
mod upgrading;
mod values;

#[cfg(test)]
use std::collections::BTreeSet;
use std::io;
use std::panic::AssertUnwindSafe;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

use sled::Db;
use tracing::warn;

use crate::clock::{Now, Timestamp};
use crate::encryption::{Fingerprint, Keyring};
use crate::id::Seal;
#[cfg(test)]
use crate::id::{EventNo, SubscriptionNo};
#[cfg(test)]
use crate::store::history::Place;
use crate::store::ledger::commit::Commit;
use crate::store::ledger::copying::Copying;
use crate::store::ledger::encrypting::SealedUnder;
use crate::store::ledger::fault::{failed, refused};
use crate::store::ledger::idempotency::KnownKeys;
use crate::store::ledger::log::{LOG_DIRECTORY, SEGMENT_BYTES};
use crate::store::ledger::mark::Mark;
use crate::store::ledger::reopening::Reopening;
use crate::store::ledger::retention::Retention;
use crate::store::ledger::shared::Shared;
use crate::store::ledger::sync::{Batch, Syncer, sync_new_files};
use crate::store::ledger::table::Table;
use crate::store::ledger::values::{Counters, Synced, decode, encode};
use crate::store::{
    Answer, Backend, Committed, Copier, CopyError, Error, Farewell, Reader, Recovery, Untidy, Verb,
};
use crate::subscription::Subscription;

#[cfg(test)]
pub use idempotency::HOURS_KEPT;
pub use retention::Policy;
pub use sync::Durability;
pub use values::SCHEMA_VERSION;
#[cfg(any(fuzzing, test))]
pub(crate) use values::fuzzing;

/// The store's directory within the data directory.
pub const STORE_DIRECTORY: &str = "ledger";

/// sled's file within it.
const DATABASE: &str = "db";
/// Memory for pages of the tree; everything hot is in the tail.
const CACHE_BYTES: u64 = 32 << 20;
/// How many segments the log has at least when it holds as much as is kept: they go as a whole.
const SEGMENTS_KEPT: u64 = 16;
/// And so many bytes a segment has at least.
const SEGMENT_BYTES_LEAST: u64 = 64 << 10;
/// How long an open waits for the lock of one that is just being closed.
const LOCK_PATIENCE: Duration = Duration::from_secs(1);

/// The durable store.
pub struct Ledger {
    shared: Arc<Shared>,
    writing: Writing,
    mark: Mark,
    reopening: Reopening,
}

/// What the writing half alone knows.
pub struct Writing {
    counters: Counters,
    next_commit: u64,
    keys: KnownKeys,
    retention: Retention,
}

/// Why the store did not open.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    #[error("there is no store in {0}")]
    Missing(PathBuf),
    #[error("{0} is in use by another process")]
    InUse(PathBuf),
    #[error(
        "{path} was written by a newer version: its schema is {found}, and this one knows {SCHEMA_VERSION}"
    )]
    Newer { path: PathBuf, found: u32 },
    #[error(
        "hooks' secrets in {path} are sealed under the master key {missing}, which is not given (given: {given}). \
         Set it as encryption.master_key or, beside a new one, list it in encryption.previous_master_keys; nothing \
         was changed"
    )]
    Sealed { path: PathBuf, missing: Fingerprint, given: String },
    #[error("{path} cannot be opened: {source}")]
    Io { path: PathBuf, source: io::Error },
    #[error("{path} is damaged: {why}. Restore a backup, or move the directory away to begin anew")]
    Damaged { path: PathBuf, why: String },
}

impl OpenError {
    /// What it means for opening the store in `directory` that it failed, or is damaged.
    pub fn of(directory: &Path, error: Error) -> Self {
        let path = directory.to_owned();
        match error {
            Error::Damaged(why) => Self::Damaged { path, why: why.to_string() },
            Error::Failed(why) => Self::Io { path, source: io::Error::other(&*why) },
        }
    }
}

impl Ledger {
    /// Opens the store in `directory`, which is made if it is missing; it keeps the past as the policy says.
    ///
    /// Recovery then brings all that is confidential under the current key, or into the clear where there is none.
    ///
    /// # Errors
    /// When another process has it open, a newer version wrote it, a master key is missing, it is damaged, or the disk
    /// refuses.
    pub fn open_under(
        directory: &Path,
        durability: Durability,
        policy: Policy,
        keyring: Keyring,
    ) -> Result<Self, OpenError> {
        let syncer = open_files(directory, durability, policy, Some(&keyring))?;
        let (table, damaged) = (syncer.table(), |why: Error| OpenError::of(directory, why));
        let seal = match read_schema(table).map_err(damaged)? {
            Some(_) => read_seal_of(table).map_err(damaged)?,
            None if mark::exists(directory) => {
                return Err(damaged(Error::damaged(mark::emptied(directory))));
            }
            None => begin(&syncer).map_err(damaged)?,
        };
        let mark = Mark::open(directory, &seal).map_err(damaged)?;
        let counters = Counters { next_subscription: 1, next_account: 1 };
        let reopening = Reopening {
            directory: directory.to_owned(),
            durability,
            policy,
            keyring: keyring.clone(),
            reserve_bytes: 0,
            seal,
        };
        Ok(Self {
            shared: Arc::new(Shared::new(syncer, Seal::new(&seal), keyring, directory)),
            writing: Writing {
                counters,
                next_commit: 1,
                keys: KnownKeys::default(),
                retention: Retention::new(policy),
            },
            mark,
            reopening,
        })
    }

    /// Has no room for events where fewer bytes are free on the disk.
    pub fn with_reserve(mut self, bytes: u64) -> Self {
        self.reopening.reserve_bytes = bytes;
        self
    }

    /// What it takes to open this store again.
    pub fn reopening(&self) -> Reopening {
        self.reopening.clone()
    }
}

#[cfg(test)]
impl Ledger {
    /// Opens a store in which nothing is sealed.
    pub fn open(directory: &Path, durability: Durability, policy: Policy) -> Result<Self, OpenError> {
        Self::open_under(directory, durability, policy, Keyring::default())
    }

    /// Closes it as a crash does.
    pub fn abandon(self) {
        self.shared.syncer.abandon();
    }

    /// The bytes of all blocks, counted one by one.
    pub fn measure(&self) -> Result<u64, Error> {
        blocks::bytes_since(&self.shared.table, EventNo(0), 0)
    }

    /// What is known to have been replayed.
    pub fn replays_kept(&self) -> Result<BTreeSet<Place>, Error> {
        chapters::attempts::replayed_since(&self.shared, 0, |_| true)
    }

    /// For which subscriptions the attempts were that are kept, oldest first.
    pub fn attempts_kept(&self) -> Result<Vec<SubscriptionNo>, Error> {
        let mut kept = Vec::new();
        blocks::settlement_blocks(&self.shared.table, 0, |block| {
            kept.extend(block.settled.iter().map(|settled| settled.delivery().1));
            true
        })?;
        Ok(kept)
    }
}

impl Backend for Ledger {
    fn recover(&mut self, each: &mut dyn FnMut(Subscription)) -> Result<Recovery, Error> {
        let recovery = recovery::recover(&self.shared, &mut self.writing, &self.mark, each)?;
        encrypting::bring_up(&self.shared.syncer, &self.shared.seal, &self.shared.keyring)?;
        upgrading::sweep(&self.shared.syncer)?;
        Ok(recovery)
    }

    fn commit(&mut self, verbs: Vec<Verb>, now: Now) -> Result<Committed, Error> {
        self.shared.syncer.make_room()?;
        let commit_no = self.writing.next_commit;
        let (answers, events) = {
            let mut volatile = self.shared.volatile();
            let mut commit = Commit::new(&self.shared, &mut self.writing, &mut volatile, now);
            let answers: Result<Vec<Answer>, Error> =
                verbs.into_iter().map(|verb| commit.apply(verb)).collect();
            (answers?, commit.write()?)
        };
        let applied = Instant::now();
        self.shared.syncer.sync()?;
        let sync = applied.elapsed();
        self.mark.note(self.writing.next_commit - 1)?;
        let mut volatile = self.shared.volatile();
        if !events.is_empty() {
            volatile.synced.push(Synced { commit: commit_no, at_ms: Timestamp::now().0 });
        }
        for event in &events {
            volatile.tail.push(event.clone(), commit_no, now.steady);
        }
        let fresh = events.into_iter().filter(|event| !event.matches.is_empty()).collect();
        Ok(Committed { answers, fresh, sync })
    }

    fn tidy(&mut self, now: Now) -> Result<Untidy, Error> {
        self.shared.syncer.make_room()?;
        self.writing.keys.forget_old(now.earlier());
        let parked = tidying::park(&self.shared, &mut self.writing, now.steady)?;
        if parked == Untidy::TooMuch {
            return Ok(parked);
        }
        let swept = tidying::sweep(&self.shared)?;
        let expired = self.writing.retention.step(&self.shared, self.writing.next_commit, now.earlier())?;
        let cleaned = if self.shared.syncer.clean()? { Untidy::Some } else { Untidy::Nothing };
        let left = parked.max(swept).max(expired).max(cleaned);
        if left == Untidy::Nothing {
            // Each step is true by itself, and durable with the next commit; after the last there may be none for long.
            self.shared.syncer.sync()?;
        }
        Ok(left)
    }

    fn has_room(&self) -> bool {
        // Where it cannot be known, a write that fails tells.
        disk::free(&self.reopening.directory).map_or(true, |free| free >= self.reopening.reserve_bytes)
    }

    fn probe(&self) -> Result<(), Error> {
        reopening::probe(&self.reopening.directory).map_err(refused)
    }

    fn farewell(&self) -> Farewell {
        let directory = self.reopening.directory.clone();
        Box::new(move || {
            // sled takes what it replays and cannot read for what a crash left. So it replays what this process wrote
            // while that is as it was written, and notes what it came to: damage done later shows when it is read.
            if let Err(error) = open_sled(&directory) {
                warn!(%error, "the store that is being closed cannot be looked through");
            }
        })
    }

    fn copy(&mut self) -> Result<Box<dyn Copier>, CopyError> {
        Ok(Box::new(Copying::begin(&self.shared)?))
    }

    fn reader(&self) -> Arc<dyn Reader> {
        self.shared.clone()
    }
}

impl Drop for Ledger {
    fn drop(&mut self) {
        // Whoever copies lets go of the store's files.
        self.shared.changes.end();
    }
}

/// Opens sled and the log, each of which is made if it is missing, and copies what an earlier version has elsewhere. A
/// store that lacks a master key, if any are given, is refused and not changed.
fn open_files(
    directory: &Path,
    durability: Durability,
    policy: Policy,
    keyring: Option<&Keyring>,
) -> Result<Syncer, OpenError> {
    let unusable = |source| OpenError::Io { path: directory.to_owned(), source };
    let damaged = |why: Error| OpenError::of(directory, why);
    std::fs::create_dir_all(directory).map_err(unusable)?;
    let db = open_sled(directory)?;
    sync_new_files(directory).map_err(unusable)?;
    let found: Option<u32> = db
        .get(keys::SCHEMA)
        .map_err(failed)
        .and_then(|stored| stored.map(|stored| decode(&stored)).transpose())
        .map_err(damaged)?;
    if let Some(found) = found.filter(|found| *found > SCHEMA_VERSION) {
        return Err(OpenError::Newer { path: directory.to_owned(), found });
    }
    let lacks =
        |sealed: SealedUnder| match keyring.and_then(|keyring| Some((keyring, sealed.lacks(keyring)?))) {
            None => Ok(()),
            Some((keyring, missing)) => {
                let given: Vec<String> = keyring.known().map(|key| key.to_string()).collect();
                let given = if given.is_empty() { "none".to_owned() } else { given.join(", ") };
                Err(OpenError::Sealed { path: directory.to_owned(), missing, given })
            }
        };
    let is_earlier = found.is_some_and(|found| found < SCHEMA_VERSION);
    if is_earlier && !directory.join(LOG_DIRECTORY).exists() {
        // Only a store without a log has all its rows in sled.
        let sealed = db.get(keys::SEALED_UNDER).map_err(failed).and_then(SealedUnder::of);
        lacks(sealed.map_err(damaged)?)?;
        upgrading::copy_blocks(&db, directory).map_err(damaged)?;
    }
    let segment_bytes =
        policy.bytes.map_or(u64::MAX, |bytes| (bytes / SEGMENTS_KEPT).max(SEGMENT_BYTES_LEAST));
    let syncer =
        Syncer::open(&db, directory, durability, segment_bytes.min(SEGMENT_BYTES)).map_err(damaged)?;
    lacks(SealedUnder::read(syncer.table()).map_err(damaged)?)?;
    if is_earlier {
        // An earlier version, which looks into sled, is refused from now on.
        let schema = Batch::from([(keys::SCHEMA.into(), Some(encode(&SCHEMA_VERSION)))]);
        syncer.apply(&schema).and_then(|()| syncer.checkpoint()).map_err(damaged)?;
    }
    Ok(syncer)
}

fn open_sled(directory: &Path) -> Result<Db, OpenError> {
    let config = sled::Config::new().path(directory).cache_capacity(CACHE_BYTES).flush_every_ms(None);
    let began = Instant::now();
    let unusable = |source| OpenError::Io { path: directory.to_owned(), source };
    loop {
        snapshots::prepare(directory).map_err(unusable)?;
        // sled panics over some kinds of damage.
        let opened = std::panic::catch_unwind(AssertUnwindSafe(|| config.open()));
        let damaged = |why: String| OpenError::Damaged { path: directory.to_owned(), why };
        match opened {
            Ok(Ok(db)) => {
                snapshots::settle(directory).map_err(unusable)?;
                return Ok(db);
            }
            Ok(Err(sled::Error::Io(error))) if is_locked(&error) => {
                if began.elapsed() > LOCK_PATIENCE {
                    return Err(OpenError::InUse(directory.to_owned()));
                }
                std::thread::sleep(Duration::from_millis(20));
            }
            Ok(Err(error)) => return Err(OpenError::of(directory, failed(error))),
            Err(_) => return Err(damaged("its files contradict each other".to_owned())),
        }
    }
}

/// sled reports a lock that another holds as an error of kind `Other` with this text.
fn is_locked(error: &io::Error) -> bool {
    error.kind() == io::ErrorKind::WouldBlock || error.to_string().contains("could not acquire lock")
}

fn read_schema(table: &Table) -> Result<Option<u32>, Error> {
    let stored = table.get(keys::SCHEMA)?;
    stored.map(|bytes| decode(&bytes)).transpose()
}

fn read_seal_of(table: &Table) -> Result<[u8; 32], Error> {
    let stored = table.get(keys::SEAL)?.ok_or_else(|| Error::damaged("the seal is missing"))?;
    decode(&stored)
}

/// Writes what every store begins with; returns its seal.
fn begin(syncer: &Syncer) -> Result<[u8; 32], Error> {
    let seal: [u8; 32] = rand::random();
    syncer.apply(&Batch::from([
        (keys::SCHEMA.into(), Some(encode(&SCHEMA_VERSION))),
        (keys::SEAL.into(), Some(encode(&seal))),
        (keys::KEYED.into(), Some(encode(&0_u64))),
    ]))?;
    // An earlier version looks for the first of these in sled.
    syncer.checkpoint()?;
    Ok(seal)
}
