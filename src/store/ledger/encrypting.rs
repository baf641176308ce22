//! Bringing everything confidential under the current master key, or into the clear where there is none any more.
//!
//! It is a part of recovery, before anybody else reads or writes the store, in small steps each of which is durable: a
//! crash between two of them leaves every value readable, and the next recovery goes on. A row of its own notes under
//! which keys anything may be sealed. It is written before the first step and after the last, so an open that lacks one
//! of these keys is refused before it changes anything.

use std::collections::BTreeSet;
use std::ops::Bound;

use serde::{Deserialize, Serialize};
use sled::{Batch, IVec, Tree};
use tracing::info;

use crate::encryption::{Fingerprint, Keyring};
use crate::id::Seal;
use crate::store::Error;
use crate::store::ledger::fault::failed;
use crate::store::ledger::keys;
use crate::store::ledger::sync::Syncer;
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
    pub fn read(tree: &Tree) -> Result<Self, Error> {
        let stored = tree.get(keys::SEALED_UNDER).map_err(failed)?;
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
        let mut batch = Batch::default();
        batch.insert(keys::SEALED_UNDER, encode(self));
        syncer.apply(batch)?;
        syncer.sync()
    }
}

/// Brings every value where it has to be; does nothing where all of them are. The keyring lacks no key.
pub fn bring_up(syncer: &Syncer, seal: &Seal, keyring: &Keyring) -> Result<(), Error> {
    let tree = syncer.tree();
    let (before, wanted) = (SealedUnder::read(tree)?, SealedUnder::wanted(keyring));
    if before == wanted {
        return Ok(());
    }
    before.with(&wanted).write(syncer)?;
    info!(under = under(keyring), "hooks' secrets are being sealed anew");
    let mut changed = 0;
    let mut after = Bound::Included(IVec::from(&keys::ALL_SUBSCRIPTIONS));
    while let Some((last, step)) = next_step(tree, seal, keyring, after)? {
        let Step { batch, count } = step;
        if count > 0 {
            syncer.apply(batch)?;
            syncer.sync()?;
        }
        changed += count;
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

#[derive(Default)]
struct Step {
    batch: Batch,
    count: usize,
}

/// Prepares the next step, and says up to which row it goes; nothing where there is no row left.
fn next_step(
    tree: &Tree,
    seal: &Seal,
    keyring: &Keyring,
    after: Bound<IVec>,
) -> Result<Option<(IVec, Step)>, Error> {
    let (mut step, mut last) = (Step::default(), None);
    for row in tree.range((after, Bound::Unbounded)) {
        let (key, value) = row.map_err(failed)?;
        let is_subscription = key.starts_with(&keys::ALL_SUBSCRIPTIONS);
        let Some(at) = keys::read_subscription(&key).filter(|_| is_subscription) else {
            break;
        };
        if sealed_under(&value)? != keyring.current() {
            let place = SubscriptionKey { account: at.account, no: at.subscription, seal, keyring };
            let subscription = decode_subscription(&value, place)?;
            step.batch.insert(key.clone(), encode_subscription(&subscription, seal, keyring));
            step.count += 1;
        }
        last = Some(key);
        if step.count >= STEP {
            break;
        }
    }
    Ok(last.map(|last| (last, step)))
}

fn under(keyring: &Keyring) -> String {
    keyring.current().map_or_else(|| "no key".to_owned(), |key| key.to_string())
}
