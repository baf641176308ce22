//! Slots: leave to have a request in flight, shared by all subscribers of a router.
//!
//! When none is free, those who want one take turns: account by account, and within an account hook by hook.

use std::collections::{HashMap, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use actix::{Message, Recipient};

use crate::id::AccountNo;

/// The slots of a router; clones share them.
#[derive(Clone)]
pub struct Slots(Arc<Mutex<Shared>>);

/// Leave to have one request in flight; given back when dropped.
pub struct Slot(Slots);

/// Tells who waited that it is their turn.
#[derive(Message)]
#[rtype(result = "()")]
pub struct Turn(pub Slot);

struct Shared {
    free: usize,
    in_use: usize,
    /// The accounts that wait, in the order of their turns.
    accounts: VecDeque<AccountNo>,
    waiting: HashMap<AccountNo, VecDeque<Recipient<Turn>>>,
}

impl Slots {
    /// So many slots, all of them free.
    pub fn new(count: usize) -> Self {
        let shared =
            Shared { free: count.max(1), in_use: 0, accounts: VecDeque::new(), waiting: HashMap::new() };
        Self(Arc::new(Mutex::new(shared)))
    }

    /// A slot, if one is free.
    pub fn take(&self) -> Option<Slot> {
        let mut shared = self.shared();
        shared.free = shared.free.checked_sub(1)?;
        shared.in_use += 1;
        Some(Slot(self.clone()))
    }

    /// Gets in line; each time is for one [`Turn`].
    pub fn wait(&self, account: AccountNo, who: Recipient<Turn>) {
        let mut shared = self.shared();
        let own = shared.waiting.entry(account).or_default();
        own.push_back(who);
        if own.len() == 1 {
            shared.accounts.push_back(account);
        }
    }

    /// How many requests are in flight.
    pub fn in_use(&self) -> usize {
        self.shared().in_use
    }

    fn shared(&self) -> MutexGuard<'_, Shared> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn next(&self) -> Option<Recipient<Turn>> {
        let mut shared = self.shared();
        let account = shared.accounts.pop_front()?;
        let own = shared.waiting.get_mut(&account)?;
        let who = own.pop_front();
        if own.is_empty() {
            shared.waiting.remove(&account);
        } else {
            shared.accounts.push_back(account);
        }
        who
    }
}

impl Drop for Slot {
    fn drop(&mut self) {
        match self.0.next() {
            // Whoever is gone drops the turn, and with it this slot's successor: the next one gets it.
            Some(who) => who.do_send(Turn(Slot(self.0.clone()))),
            None => {
                let mut shared = self.0.shared();
                shared.free += 1;
                shared.in_use -= 1;
            }
        }
    }
}
