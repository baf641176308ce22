//! What the ledger's halves share: the table, and what is held in memory beside it.

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError};

use sled::IVec;

use crate::clock::Timestamp;
use crate::encryption::Keyring;
use crate::id::{EventNo, Seal, SubscriptionNo};
use crate::store::ledger::changes::Changes;
use crate::store::ledger::chapters::Chapters;
use crate::store::ledger::hours::Hours;
use crate::store::ledger::keys::{self, Pair};
use crate::store::ledger::popular::Popular;
use crate::store::ledger::rows::Rows;
use crate::store::ledger::sync::Syncer;
use crate::store::ledger::table::Table;
use crate::store::ledger::values::{SubscriptionKey, Synced, Usage, Value, encode};
use crate::store::tail::Tail;
use crate::store::{Address, Error, Expired, Retry};
use crate::subscription::Subscription;

/// What the ledger's halves share.
pub struct Shared {
    pub table: Table,
    /// What writes to the table.
    pub syncer: Syncer,
    pub seal: Seal,
    /// The keys to what is confidential.
    pub keyring: Keyring,
    /// What changes while a copy is made.
    pub changes: Changes,
    pub directory: PathBuf,
    pub popular: Popular,
    volatile: Mutex<Volatile>,
}

/// What is held in memory alone, and rebuilt by recovery.
pub struct Volatile {
    pub tail: Tail,
    /// When each subscription was last attempted, as far as this process knows.
    pub last_attempts: HashMap<SubscriptionNo, Timestamp>,
    /// When the latest commits with events had become durable; some later commit writes it down.
    pub synced: Vec<Synced>,
    /// How many commits were written.
    pub commits: u64,
    /// The open chapters.
    pub chapters: Chapters,
    /// Attempts by the hour that are not written yet.
    pub hours: Hours,
    /// Bytes of all blocks.
    pub bytes: u64,
    /// What retention has let go of since the ledger was opened.
    pub expired: Expired,
}

impl Volatile {
    /// Stages how far the ledger is: the cursor, when the next new event belongs to `commit`, and the bytes of its
    /// blocks up to the commit `counted`.
    pub fn stage(&self, rows: &mut Rows, commit: u64, counted: u64) {
        rows.put(keys::CURSOR, self.tail.cursor(commit).encode());
        rows.put(keys::USAGE, encode(&Usage { bytes: self.bytes, commit: counted }));
    }
}

impl Shared {
    pub fn new(syncer: Syncer, seal: Seal, keyring: Keyring, directory: &Path) -> Self {
        let volatile = Volatile {
            tail: Tail::new(EventNo(1)),
            last_attempts: HashMap::new(),
            synced: Vec::new(),
            commits: 0,
            chapters: Chapters::unread(),
            hours: Hours::default(),
            bytes: 0,
            expired: Expired::default(),
        };
        let (changes, popular, directory) = (Changes::default(), Popular::default(), directory.to_owned());
        Self {
            table: syncer.table().clone(),
            syncer,
            seal,
            keyring,
            changes,
            directory,
            popular,
            volatile: Mutex::new(volatile),
        }
    }

    /// What it takes to read the value of a subscription.
    pub fn subscription_key(&self, at: Address) -> SubscriptionKey<'_> {
        let Address { account, subscription: no } = at;
        SubscriptionKey { account, no, seal: &self.seal, keyring: &self.keyring }
    }

    /// No rows yet.
    pub fn rows(&self) -> Rows<'_> {
        Rows::new(&self.syncer, &self.changes)
    }

    /// What is in memory; held for as long as a batch is being written.
    pub fn volatile(&self) -> MutexGuard<'_, Volatile> {
        self.volatile.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A subscription's retries by event, also those that are dead letters.
    pub fn retries_of(
        &self,
        subscription: SubscriptionNo,
    ) -> impl Iterator<Item = Result<Retry, Error>> + use<> {
        self.table.range(Pair::Retry.of(subscription)).map(read_retry)
    }

    /// A subscription's retries of events below `below`, newest event first.
    pub fn retries_below(
        &self,
        subscription: SubscriptionNo,
        below: EventNo,
    ) -> impl Iterator<Item = Result<Retry, Error>> + use<> {
        let range = Pair::Retry.key(subscription, EventNo(0))..Pair::Retry.key(subscription, below);
        self.table.range(range).rev().map(read_retry)
    }
}

fn read_retry(row: Result<(IVec, IVec), Error>) -> Result<Retry, Error> {
    let (key, value) = row?;
    let (_, event) = Pair::read(&key).ok_or_else(|| Error::damaged("the key of a retry"))?;
    Retry::decode(&value, event)
}

/// A retry as its subscription sees it: one of an earlier generation has come back, and begins its schedule anew.
pub fn revived(retry: Retry, subscription: &Subscription) -> Retry {
    if retry.generation == subscription.generation {
        return retry;
    }
    Retry { due: Timestamp(0), retries: 0, given_up: false, ..retry }
}
