//! Bringing everything confidential under the current master key, or into the clear where there is none any more.
//!
//! It is a part of recovery, before anybody else reads or writes the store, in small steps each of which is durable: a
//! crash between two of them leaves every value readable, and the next recovery goes on. A row of its own notes under
//! which keys anything may be sealed. It is written before the first step and after the last, so an open that lacks one
//! of these keys is refused before it changes anything.

use std::collections::BTreeSet;
use std::ops::Bound;

use serde::{Deserialize, Serialize};
use sled::IVec;
use tracing::info;

use crate::encryption::{Fingerprint, Keyring};
use crate::id::Seal;
use crate::store::Error;
use crate::store::ledger::keys;
use crate::store::ledger::sync::{Batch, Syncer};
use crate::store::ledger::table::Table;
use crate::store::ledger::values::{
    SubscriptionKey, decode, decode_subscription, encode, encode_subscription, sealed_under,
};

/// How many values one step changes: few enough that little is done twice, many enough that a sync is worth it.
const STEP: usize = 200;

/// Under which keys anything may be sealed, and whether anything may lie in the clear.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SealedUnder {
    clear: bool,
    keys: BTreeSet<Fingerprint>,
}

impl SealedUnder {
    /// What a store says of itself; one of a version that sealed nothing says nothing.
    pub fn read(table: &Table) -> Result<Self, Error> {
        Self::of(table.get(keys::SEALED_UNDER)?)
    }

    /// The same, going by the row.
    pub fn of(stored: Option<IVec>) -> Result<Self, Error> {
        stored.map_or(Ok(Self { clear: true, keys: BTreeSet::new() }), |stored| decode(&stored))
    }

    /// A key that is needed and is none of these.
    pub fn lacks(&self, keyring: &Keyring) -> Option<Fingerprint> {
        let known: BTreeSet<Fingerprint> = keyring.known().collect();
        self.keys.difference(&known).next().copied()
    }

    /// What is to hold under these keys.
    fn wanted(keyring: &Keyring) -> Self {
        Self { clear: keyring.current().is_none(), keys: keyring.current().into_iter().collect() }
    }

    fn with(&self, other: &Self) -> Self {
        Self { clear: self.clear || other.clear, keys: self.keys.union(&other.keys).copied().collect() }
    }

    fn write(&self, syncer: &Syncer) -> Result<(), Error> {
        syncer.apply(&Batch::from([(keys::SEALED_UNDER.into(), Some(encode(self)))]))?;
        syncer.sync()
    }
}

/// Brings every value where it has to be; does nothing where all of them are. The keyring lacks no key.
pub fn bring_up(syncer: &Syncer, seal: &Seal, keyring: &Keyring) -> Result<(), Error> {
    let table = syncer.table();
    let (before, wanted) = (SealedUnder::read(table)?, SealedUnder::wanted(keyring));
    if before == wanted {
        return Ok(());
    }
    before.with(&wanted).write(syncer)?;
    info!(under = under(keyring), "hooks' secrets are being sealed anew");
    let mut changed = 0;
    let mut after = Bound::Included(IVec::from(&keys::ALL_SUBSCRIPTIONS));
    while let Some((last, step)) = next_step(table, seal, keyring, after)? {
        syncer.make_room()?;
        syncer.apply(&step)?;
        syncer.sync()?;
        changed += step.len();
        after = Bound::Excluded(last);
    }
    wanted.write(syncer)?;
    info!(
        hooks = changed,
        under = under(keyring),
        "hooks' secrets are sealed anew; no previous key is needed"
    );
    Ok(())
}

/// Prepares the next step, and says up to which row it goes; nothing where there is no row left.
fn next_step(
    table: &Table,
    seal: &Seal,
    keyring: &Keyring,
    after: Bound<IVec>,
) -> Result<Option<(IVec, Batch)>, Error> {
    let (mut step, mut last) = (Batch::new(), None);
    for row in table.range((after, Bound::Unbounded)) {
        let (key, value) = row?;
        let is_subscription = key.starts_with(&keys::ALL_SUBSCRIPTIONS);
        let Some(at) = keys::read_subscription(&key).filter(|_| is_subscription) else {
            break;
        };
        if sealed_under(&value)? != keyring.current() {
            let place = SubscriptionKey { account: at.account, no: at.subscription, seal, keyring };
            let subscription = decode_subscription(&value, place)?;
            step.insert(key.clone(), Some(encode_subscription(&subscription, seal, keyring)));
        }
        last = Some(key);
        if step.len() >= STEP {
            break;
        }
    }
    Ok(last.map(|last| (last, step)))
}

fn under(keyring: &Keyring) -> String {
    keyring.current().map_or_else(|| "no key".to_owned(), |key| key.to_string())
}
