//! A pool: so many events and bytes, of which each account has a share, with a line of those who wait.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Instant;

use tokio::sync::oneshot;

use super::NoCredit;
use super::contention::Contention;
use crate::id::AccountNo;
use crate::line::Line;
use crate::share::{Shares, Standing};

/// Clones share what is in it.
#[derive(Clone, Debug)]
pub struct Pool(Arc<Mutex<Shared>>);

/// So much of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Amount {
    pub events: usize,
    pub units: usize,
}

/// Some of it that an account holds; given back when dropped.
#[derive(Debug)]
pub struct Held {
    pool: Pool,
    account: AccountNo,
    amount: Amount,
    /// Since when, where that matters.
    since: Option<Instant>,
}

#[derive(Debug)]
struct Shared {
    stock: Stock,
    line: Line<Waiting>,
    closed: bool,
}

#[derive(Debug)]
struct Stock {
    events: Shares,
    units: Shares,
    /// Where accounts are held to less while others are active.
    contention: Option<Contention>,
}

#[derive(Debug)]
struct Waiting {
    amount: Amount,
    give: oneshot::Sender<Held>,
}

impl Pool {
    /// A pool of so much.
    pub fn new(limit: Amount) -> Self {
        Self::shared_by(limit, None)
    }

    /// A pool of so much, of which an account gets less while others are active.
    pub fn contended(limit: Amount, contention: Contention) -> Self {
        Self::shared_by(limit, Some(contention))
    }

    fn shared_by(limit: Amount, contention: Option<Contention>) -> Self {
        let (events, units) = (Shares::new(limit.events), Shares::new(limit.units));
        let stock = Stock { events, units, contention };
        Self(Arc::new(Mutex::new(Shared { stock, line: Line::default(), closed: false })))
    }

    /// Takes so much out, or waits for it; accounts that wait take turns. What exceeds the whole is let through alone.
    pub async fn take(&self, account: AccountNo, amount: Amount) -> Result<Held, NoCredit> {
        let given = {
            let mut shared = self.shared();
            if shared.closed {
                return Err(NoCredit::Closed);
            }
            shared.stock.contention.iter_mut().for_each(|contention| contention.emits(account));
            let (give, given) = oneshot::channel();
            let amount = amount.at_most(shared.stock.limit());
            shared.line.join(account, Waiting { amount, give });
            given
        };
        self.serve();
        given.await.map_err(|_| NoCredit::Closed)
    }

    /// Takes so much out, if it can be had at once.
    pub fn try_take(&self, account: AccountNo, amount: Amount) -> Result<Held, NoCredit> {
        let mut shared = self.shared();
        if shared.closed {
            return Err(NoCredit::Closed);
        }
        let amount = amount.at_most(shared.stock.limit());
        match shared.stock.standing(account, amount) {
            Standing::Granted => Ok(self.hand_out(&mut shared, account, amount)),
            Standing::OverShare | Standing::Spent => Err(NoCredit::Spent),
        }
    }

    /// Gives nothing more; who waits is told so.
    pub fn close(&self) {
        let line = {
            let mut shared = self.shared();
            shared.closed = true;
            std::mem::take(&mut shared.line)
        };
        drop(line);
    }

    /// Whether it gives nothing more.
    pub fn is_closed(&self) -> bool {
        self.shared().closed
    }

    /// How much is left.
    pub fn left(&self) -> Amount {
        let shared = self.shared();
        Amount { events: shared.stock.events.free(), units: shared.stock.units.free() }
    }

    /// How much is left when nobody holds anything.
    pub fn limit(&self) -> Amount {
        self.shared().stock.limit()
    }

    /// Gives those in the line what there is for them.
    fn serve(&self) {
        // An emitter that gave up meanwhile gives back at once, and for that the pool must not be locked.
        while let Some((give, held)) = self.next() {
            drop(give.send(held));
        }
    }

    fn next(&self) -> Option<(oneshot::Sender<Held>, Held)> {
        let mut guard = self.shared();
        let shared = &mut *guard;
        loop {
            let stock = &shared.stock;
            let standing = |account, waiting: &Waiting| match waiting.give.is_closed() {
                true => Standing::Granted,
                false => stock.standing(account, waiting.amount),
            };
            let (account, Waiting { amount, give }) = shared.line.next(standing)?;
            if !give.is_closed() {
                return Some((give, self.hand_out(shared, account, amount)));
            }
        }
    }

    fn hand_out(&self, shared: &mut Shared, account: AccountNo, amount: Amount) -> Held {
        shared.stock.events.take(account, amount.events);
        shared.stock.units.take(account, amount.units);
        let since = shared.stock.contention.as_ref().map(Contention::now);
        Held { pool: self.clone(), account, amount, since }
    }

    fn shared(&self) -> MutexGuard<'_, Shared> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Amount {
    /// So much, or what there is at most.
    pub fn at_most(self, most: Self) -> Self {
        Self { events: self.events.min(most.events), units: self.units.min(most.units) }
    }
}

impl Held {
    pub fn account(&self) -> AccountNo {
        self.account
    }

    pub fn amount(&self) -> Amount {
        self.amount
    }
}

impl Drop for Held {
    fn drop(&mut self) {
        let anybody_waits = {
            let mut shared = self.pool.shared();
            if let Some((contention, since)) = shared.stock.contention.as_mut().zip(self.since) {
                contention.was_under_way(since);
            }
            shared.stock.events.give_back(self.account, self.amount.events);
            shared.stock.units.give_back(self.account, self.amount.units);
            !shared.line.is_empty()
        };
        if anybody_waits {
            self.pool.serve();
        }
    }
}

impl Stock {
    fn limit(&self) -> Amount {
        Amount { events: self.events.limit(), units: self.units.limit() }
    }

    /// What becomes of a wish for events and bytes at once.
    fn standing(&self, account: AccountNo, amount: Amount) -> Standing {
        let limit = self.contention.as_ref().and_then(|contention| contention.limit(account));
        let held = self.events.held(account);
        if held > 0 && limit.is_some_and(|limit| held + amount.events > limit) {
            return Standing::OverShare;
        }
        match (self.events.standing(account, amount.events), self.units.standing(account, amount.units)) {
            (Standing::OverShare, _) | (_, Standing::OverShare) => Standing::OverShare,
            (Standing::Spent, _) | (_, Standing::Spent) => Standing::Spent,
            (Standing::Granted, Standing::Granted) => Standing::Granted,
        }
    }
}
